//! Signatures of Standard Webhooks: HMAC-SHA256 over `{id}.{timestamp}.{body}`, in base64, after `v1,`.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Shortest key, in bytes, as the specification says.
const KEY_BYTES_MIN: usize = 24;
/// Longest key, in bytes, as the specification says.
const KEY_BYTES_MAX: usize = 64;

/// Signs with one secret, or with two while receivers change from the one to the other.
pub(super) struct Signer(Vec<hmac::Key>);

impl Signer {
    /// Returns a signer with these secrets; without a good one there is none.
    pub(super) fn new<'a>(
        secrets: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, &'static str> {
        let key = |secret| key(secret).map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key));
        Ok(Self(secrets.into_iter().map(key).collect::<Result<_, _>>()?))
    }

    /// Returns the signatures of a message, with blanks between them.
    pub(super) fn sign(&self, id: &str, timestamp_secs: i64, body: &str) -> String {
        let message = format!("{id}.{timestamp_secs}.{body}");
        let signatures = self.0.iter().map(|key| {
            let signature = STANDARD.encode(hmac::sign(key, message.as_bytes()));
            format!("v1,{signature}")
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// Returns the key in a secret.
///
/// # Errors
/// What is allowed, without what was given.
pub(super) fn key(secret: &str) -> Result<Vec<u8>, &'static str> {
    let key = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    let fits = |key: &Vec<u8>| (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len());
    key.filter(fits).ok_or("must be `whsec_` and 24 to 64 random bytes in base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the specification's own examples.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_published_example_has_its_published_signature() {
        let signer = Signer::new([SECRET]).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = signer.sign(id, 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_the_newest_first() {
        // The second signature is of `openssl dgst -sha256 -mac HMAC`, with the bytes 0 to 63 as the key.
        let longest = format!("whsec_{}", STANDARD.encode((0..64).collect::<Vec<u8>>()));
        let signer = Signer::new([SECRET, &longest]).unwrap();
        let both = signer.sign("acme%2Ede/1042", 1_700_000_000, r#"{"data":"Zoë"}"#);
        let (first, second) = both.split_once(' ').unwrap();
        let alone = Signer::new([SECRET]).unwrap();
        assert_eq!(first, alone.sign("acme%2Ede/1042", 1_700_000_000, r#"{"data":"Zoë"}"#));
        assert_eq!(second, "v1,F+M/hsrC//dGlyQcgQcav7uxW8MLgSxHTMWfEejo1Qc=");
    }

    #[test]
    fn a_secret_is_long_enough_and_not_shown_when_it_is_not() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for bytes in [24, 32, 64] {
            assert_eq!(key(&of(bytes)).unwrap().len(), bytes);
        }
        let bare = SECRET.trim_start_matches(PREFIX);
        for wrong in [&of(23), &of(65), "", PREFIX, bare, "whsec_not base64", "WHSEC_AAAA"] {
            let said = key(wrong).unwrap_err();
            assert!(wrong.is_empty() || wrong == PREFIX || !said.contains(wrong), "{said}");
        }
    }
}
