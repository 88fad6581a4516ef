//! Where events go.

use std::{fmt, path::PathBuf};

/// Schemes of a NATS URL.
const SCHEMES: [&str; 2] = ["nats://", "tls://"];
/// Longest name of a stream, of a prefix and of a source, in characters.
const NAME_CHARS_MAX: usize = 128;

/// Where events go. `Debug` does not show the URL, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// Servers of NATS, as `nats://host:4222` or `tls://user:password@host:4222`, separated by commas.
    pub nats_url: String,
    /// First tokens of every subject.
    pub subject_prefix: String,
    /// The stream of JetStream that takes them.
    pub stream: String,
    /// Whether to make the stream when it is missing.
    pub create_stream: bool,
    /// How long a stream made here remembers identifiers, in seconds.
    pub duplicate_window_secs: u64,
    /// Who publishes: the `source` of every event.
    pub source: String,
    /// Certificates to trust besides the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject_prefix, stream, .. } = self;
        write!(f, "Options({subject_prefix}.> to stream {stream})")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nats_url: "nats://127.0.0.1:4222".to_owned(),
            subject_prefix: "evenhand.v1".to_owned(),
            stream: "EVENHAND".to_owned(),
            create_stream: true,
            duplicate_window_secs: 120,
            source: "/evenhand".to_owned(),
            ca_file: None,
        }
    }
}

impl Options {
    /// Returns whether this program can publish at all.
    #[must_use]
    pub fn is_available() -> bool {
        cfg!(feature = "nats")
    }

    /// Checks a list of NATS URLs.
    ///
    /// # Errors
    /// What is allowed, without what was given.
    pub fn check_url(urls: &str) -> Result<(), &'static str> {
        let is_url = |url: &str| {
            let rest = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
            let host = rest.map(|rest| rest.rsplit_once('@').map_or(rest, |(_, host)| host));
            host.is_some_and(|host| !host.is_empty() && !host.starts_with(':'))
        };
        if urls.split(',').all(|url| is_url(url.trim())) {
            Ok(())
        } else {
            Err("must be `nats://host:port` or `tls://host:port`, or several of them with commas")
        }
    }

    /// Checks the first tokens of subjects.
    ///
    /// # Errors
    /// What is allowed.
    pub fn check_prefix(prefix: &str) -> Result<(), &'static str> {
        let is_token = |token: &str| !token.is_empty() && token.chars().all(is_plain);
        if prefix.len() <= NAME_CHARS_MAX && prefix.split('.').all(is_token) {
            Ok(())
        } else {
            Err("must be tokens of a-z A-Z 0-9 _ - with full stops between them")
        }
    }

    /// Checks the name of a stream.
    ///
    /// # Errors
    /// What is allowed.
    pub fn check_stream(stream: &str) -> Result<(), &'static str> {
        if (1..=NAME_CHARS_MAX).contains(&stream.len()) && stream.chars().all(is_plain) {
            Ok(())
        } else {
            Err("must be of a-z A-Z 0-9 _ -")
        }
    }

    /// Checks who publishes.
    ///
    /// # Errors
    /// What is allowed.
    pub fn check_source(source: &str) -> Result<(), &'static str> {
        let is_uri = |c: char| c.is_ascii_alphanumeric() || "-._~:/@".contains(c);
        if (1..=NAME_CHARS_MAX).contains(&source.len()) && source.chars().all(is_uri) {
            Ok(())
        } else {
            Err("must be a URI or a path such as /evenhand/berlin")
        }
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_used_passes_and_nothing_else() {
        for url in ["nats://a:4222", "tls://ana:hush@b", "nats://a, tls://b:1"] {
            assert!(Options::check_url(url).is_ok(), "{url}");
        }
        for url in ["", "a:4222", "http://a", "nats://", "nats://:4222", "nats://a,"] {
            assert!(Options::check_url(url).is_err(), "{url}");
        }
        for (prefix, fits) in [("evenhand.v1", true), ("a", true), ("a..b", false), ("a.>", false)]
        {
            assert_eq!(Options::check_prefix(prefix).is_ok(), fits, "{prefix}");
        }
        for (stream, fits) in [("EVENHAND", true), ("a.b", false), ("", false), ("a b", false)] {
            assert_eq!(Options::check_stream(stream).is_ok(), fits, "{stream}");
        }
        for (source, fits) in
            [("/evenhand", true), ("urn:desk:1", true), ("", false), ("a b", false)]
        {
            assert_eq!(Options::check_source(source).is_ok(), fits, "{source}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let nats_url = "nats://ana:hush@a".to_owned();
        let options = Options { nats_url, ..Options::default() };
        assert!(!format!("{options:?}").contains("hush"));
    }
}
