//! Where a webhook goes.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use super::{address::Address, signature};
use crate::domain::event::Event;

/// Longest name of a webhook, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Stands for all types of events.
const ALL: &str = "*";

/// Where a webhook goes. `Debug` shows neither secrets nor the URL's password, path and query.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// The receiver.
    pub url: String,
    /// Whether `http://` to another machine is allowed.
    pub allow_http: bool,
    /// What signs: `whsec_` and a key in base64.
    pub secret: String,
    /// The secret before, which signs too as long as receivers know that one only.
    pub previous_secret: Option<String>,
    /// Names it in the database, where its cursors are.
    pub name: String,
    /// The types of events to send; empty for all.
    pub types: BTreeSet<String>,
    /// How long a request may take from connecting to the answer, in seconds.
    pub timeout_secs: u64,
    /// Who publishes: the `source` of every event.
    pub source: String,
    /// Certificates to trust besides the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for WebhookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Address::new(&self.url, true).map(|address| address.shown());
        write!(f, "WebhookOptions({} to {})", self.name, shown.unwrap_or_default())
    }
}

impl Default for WebhookOptions {
    /// Everything but the URL and the secret.
    fn default() -> Self {
        Self {
            url: String::new(),
            allow_http: false,
            secret: String::new(),
            previous_secret: None,
            name: "default".to_owned(),
            types: BTreeSet::new(),
            timeout_secs: 10,
            source: "/evenhand".to_owned(),
            ca_file: None,
        }
    }
}

impl WebhookOptions {
    /// Checks a URL.
    ///
    /// # Errors
    /// What is allowed, without what was given.
    pub fn check_url(url: &str, allow_http: bool) -> Result<(), &'static str> {
        Address::new(url, allow_http).map(drop)
    }

    /// Checks a secret.
    ///
    /// # Errors
    /// What is allowed, without what was given.
    pub fn check_secret(secret: &str) -> Result<(), &'static str> {
        signature::key(secret).map(drop)
    }

    /// Checks a name.
    ///
    /// # Errors
    /// What is allowed.
    pub fn check_name(name: &str) -> Result<(), &'static str> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(is_plain) {
            Ok(())
        } else {
            Err("must be 1 to 64 of a-z A-Z 0-9 _ -")
        }
    }

    /// Reads a list of types of events, where `*` or none means all: those of later versions, too.
    ///
    /// # Errors
    /// Which one there is not, and those there are.
    pub fn read_types(given: &[String]) -> Result<BTreeSet<String>, String> {
        let is_known = |name: &&String| *name == ALL || Event::NAMES.contains(&name.as_str());
        match given.iter().find(|name| !is_known(name)) {
            Some(unknown) => {
                let known = Event::NAMES.join(", ");
                Err(format!(
                    "has `{unknown}`, which is no type of event: take `*` for all, or of {known}"
                ))
            }
            None if given.iter().any(|name| name == ALL) => Ok(BTreeSet::new()),
            None => Ok(given.iter().cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_the_journal_and_others_are_refused_with_all_there_are() {
        let read = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
            WebhookOptions::read_types(&given)
        };
        assert_eq!(read(&["offer_made", "ticket_queued", "offer_made"]).unwrap().len(), 2);
        for all in [&[][..], &["*"], &["offer_made", "*"]] {
            assert!(read(all).unwrap().is_empty(), "{all:?}");
        }
        let said = read(&["offer_made", "offer_mode"]).unwrap_err();
        assert!(said.contains("`offer_mode`"), "{said}");
        assert!(Event::NAMES.iter().all(|name| said.contains(name)), "{said}");
        for wrong in ["", "Offer_made", "offer", "evenhand.v1.offer_made", "ticket_*"] {
            assert!(read(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_plain() {
        for (name, fits) in [("default", true), ("crm-2_B", true), ("", false), ("a#since", false)]
        {
            assert_eq!(WebhookOptions::check_name(name).is_ok(), fits, "{name}");
        }
        assert!(WebhookOptions::check_name(&"a".repeat(65)).is_err());
    }

    #[test]
    fn no_secret_is_shown() {
        let options = WebhookOptions {
            url: "https://ana:hush@desk.example/hooks/hidden?key=private".to_owned(),
            secret: "whsec_c2VjcmV0".to_owned(),
            previous_secret: Some("whsec_b2xk".to_owned()),
            ..WebhookOptions::default()
        };
        assert_eq!(format!("{options:?}"), "WebhookOptions(default to https://desk.example)");
    }
}
