//! The URL of a receiver, taken apart: where to connect, what to ask for, and who we say we are.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri, uri::Authority};

/// Longest URL, in characters.
const URL_CHARS_MAX: usize = 2_048;

/// Where a receiver is. Has no `Debug`, as paths and passwords are secrets.
pub(super) struct Address {
    /// The URL without user and password.
    pub(super) uri: Uri,
    /// `Authorization` of user and password, where the URL has them.
    pub(super) authorization: Option<HeaderValue>,
}

impl Address {
    /// Reads a URL. Plain `http` is for this machine, unless it is allowed everywhere.
    ///
    /// # Errors
    /// What is allowed, without what was given.
    pub(super) fn new(url: &str, allow_http: bool) -> Result<Self, &'static str> {
        const FORM: &str = "must be `https://host/path`, or `http://` to this machine";
        // What follows a `#` never reaches a server.
        if url.len() > URL_CHARS_MAX || url.contains('#') {
            return Err("must have 2048 characters at most, and no `#`");
        }
        let parts = url.parse::<Uri>().map_err(|_| FORM)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(FORM);
        };
        let (user, place) = match authority.as_str().rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority.as_str()),
        };
        let bare: Authority = place.parse().map_err(|_| FORM)?;
        let has_port = place.len() > bare.host().len();
        if bare.host().is_empty() || (has_port && bare.port_u16().is_none_or(|port| port == 0)) {
            return Err(FORM);
        }
        match scheme.as_str() {
            "https" => {}
            "http" if allow_http || is_this_machine(bare.host()) => {}
            "http" => {
                return Err("must be `https://`; `http://` to another machine needs \
                     webhooks.allow_http, and lets everybody on the way read along");
            }
            _ => return Err(FORM),
        }
        let authorization = user.map(basic).transpose()?;
        let uri = Uri::builder().scheme(scheme).authority(bare);
        let uri = match parts.path_and_query {
            Some(path) => uri.path_and_query(path),
            None => uri.path_and_query("/"),
        };
        Ok(Self { uri: uri.build().map_err(|_| FORM)?, authorization })
    }

    /// Returns what may be shown: neither path nor query, which may be secret.
    pub(super) fn shown(&self) -> String {
        let host = self.uri.authority().map_or("", Authority::as_str);
        format!("{}://{host}", self.uri.scheme_str().unwrap_or_default())
    }
}

/// Returns whether nobody can listen on the way to a host.
fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns `user:password` as RFC 7617 has it.
fn basic(user: &str) -> Result<HeaderValue, &'static str> {
    let plain = unescaped(user).ok_or("has a `%` that no two digits of 16 follow")?;
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(plain)))
        .map_err(|_| "has a user that cannot be sent")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns a text with `%41` as `A`, and so on.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        plain.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        plain.extend_from_slice(rest.as_bytes());
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(url: &str) -> Result<String, &'static str> {
        Address::new(url, false).map(|address| address.uri.to_string())
    }

    #[test]
    fn urls_that_can_be_posted_to_pass_and_nothing_else() {
        assert_eq!(uri("https://desk.example").unwrap(), "https://desk.example/");
        assert_eq!(
            uri("https://desk.example:8443/a?b=c").unwrap(),
            "https://desk.example:8443/a?b=c"
        );
        assert_eq!(uri("HTTPS://desk.example/").unwrap(), "https://desk.example/");
        assert_eq!(uri("https://[2001:db8::1]:8443/a").unwrap(), "https://[2001:db8::1]:8443/a");
        for near in
            ["http://localhost:1/a", "http://127.0.0.1/", "http://127.8.8.8/", "http://[::1]:80/"]
        {
            assert!(uri(near).is_ok(), "{near}");
        }
        let long = format!("https://desk.example/{}", "a".repeat(2_048));
        for wrong in [
            "",
            "/a",
            "desk.example/a",
            "https:///a",
            "https://:443/a",
            "https://@/a",
            "https://desk.example:0/a",
            "https://desk.example:70000/a",
            "https://desk.example:/a",
            "https://desk.example/a#b",
            "https://desk example/a",
            "ftp://desk.example/a",
            "http://desk.example/a",
            "http://127.0.0.1.desk.example/a",
            "http://localhost@desk.example/a",
            "https://ana:100%@desk.example/",
            "https://ana:%zz@desk.example/",
            "https://ana:%+1@desk.example/",
            &long,
        ] {
            assert!(uri(wrong).is_err(), "{wrong}");
        }
        assert!(Address::new("http://desk.example/a", true).is_ok());
    }

    #[test]
    fn a_user_and_a_password_go_into_a_header_and_nowhere_else() {
        let address =
            Address::new("https://ana:hu%73h%3A%2f@desk.example:8443/secret?k=v", false).unwrap();
        assert_eq!(address.uri, "https://desk.example:8443/secret?k=v");
        // `printf 'ana:hush:/' | base64`
        assert_eq!(address.authorization.unwrap(), "Basic YW5hOmh1c2g6Lw==");
        let address = Address::new("https://ana:hush@desk.example:8443/secret?k=v", false).unwrap();
        assert_eq!(address.shown(), "https://desk.example:8443");
    }
}
