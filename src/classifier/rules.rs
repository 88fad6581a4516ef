//! Keyword rules: what reads a ticket when the model is down, full or slow.
//!
//! Deliberately few and plain. They find an intent only in the clearest words, raise urgency only for
//! plain words of danger, and leave everything else to people and to the model's later reading.

use super::language;
use crate::domain::reading::{IntentProbability, Reading, ReadingSource, Sentiment, Urgency};

/// Name and version of the rules, as in [`Reading::model`].
pub const NAME: &str = "rules-1";

/// The language of the words below.
const LANGUAGE: &str = "en";

/// What a match is worth: enough to be routed by a policy that trusts an even chance.
///
/// A guess, not a measurement; readings by rules are marked as such.
const MATCH_PROBABILITY: f64 = 0.6;

/// Intents by phrases; a line matches when one of its alternatives has all its words, in any order.
/// The first line that matches wins, so the narrower ones stand first.
const INTENTS: &[(&str, &[&[&str]])] = &[
    ("check_cancellation_fee", &[&["cancellation", "fee"], &["cancellation", "charge"]]),
    ("check_refund_policy", &[&["refund", "policy"], &["money", "back", "guarantee"]]),
    ("track_refund", &[&["where", "refund"], &["refund", "status"], &["track", "refund"]]),
    ("get_refund", &[&["refund"], &["money", "back"]]),
    ("change_shipping_address", &[&["change", "address"], &["update", "address"]]),
    ("set_up_shipping_address", &[&["new", "address"], &["add", "address"]]),
    (
        "track_order",
        &[
            &["where", "order"],
            &["where", "parcel"],
            &["where", "package"],
            &["track", "order"],
            &["track", "parcel"],
            &["track", "package"],
        ],
    ),
    ("cancel_order", &[&["cancel", "order"], &["cancel", "purchase"]]),
    ("change_order", &[&["change", "order"], &["edit", "order"]]),
    ("recover_password", &[&["password"], &["locked", "out", "account"]]),
    ("delete_account", &[&["delete", "account"], &["close", "account"]]),
    ("create_account", &[&["create", "account"], &["open", "account"]]),
    ("get_invoice", &[&["invoice"], &["receipt"]]),
    ("payment_issue", &[&["charged", "twice"], &["payment", "failed"], &["payment", "declined"]]),
    ("newsletter_subscription", &[&["newsletter"], &["unsubscribe"]]),
    ("contact_human_agent", &[&["speak", "human"], &["talk", "human"], &["speak", "person"]]),
    ("complaint", &[&["complaint"], &["complain"]]),
];

/// Plain words of danger to a person. Critical whatever the rest says.
const DANGER: &[&[&str]] = &[
    &["gas", "smell"],
    &["smoke", "from"],
    &["caught", "fire"],
    &["carbon", "monoxide"],
    &["not", "breathing"],
    &["chest", "pain"],
];

/// Reads a text by rules. `language_hint` is the ISO 639-1 code that the platform gave.
#[must_use]
pub fn read(text: &str, language_hint: Option<&str>) -> Reading {
    let detected = language::detect(text);
    let language = language_hint.map(str::to_owned).or_else(|| detected.code.map(str::to_owned));
    let supported = match language_hint {
        Some(code) => code == LANGUAGE,
        None => detected.read_by(&[LANGUAGE]),
    };
    let words = words(text);
    let intent = INTENTS
        .iter()
        .find(|(_, alternatives)| supported && says(&words, alternatives))
        .map(|(intent, _)| *intent);
    let danger = supported && says(&words, DANGER);
    Reading {
        source: ReadingSource::Rules,
        model: NAME.into(),
        intents: intent
            .into_iter()
            .map(|intent| IntentProbability {
                intent: intent.into(),
                probability: MATCH_PROBABILITY,
                present: true,
            })
            .collect(),
        out_of_scope: false,
        out_of_scope_score: 0.0,
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_probabilities: [0.0, 1.0, 0.0],
        urgency: if danger { Urgency::Critical } else { Urgency::Normal },
        urgency_score: if danger { 1.0 } else { 1.0 / 3.0 },
        urgency_confidence: MATCH_PROBABILITY,
        language,
        language_supported: supported,
        truncated: false,
        evidence: Vec::new(),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn says(words: &[String], alternatives: &[&[&str]]) -> bool {
    let has = |wanted: &&str| words.iter().any(|word| word == wanted);
    alternatives.iter().any(|phrase| phrase.iter().all(has))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(text: &str) -> Option<String> {
        read(text, None).top_intent().map(|top| top.intent.to_string())
    }

    #[test]
    fn the_clearest_words_find_their_intent_and_narrow_lines_win() {
        for (text, expected) in [
            ("Where is my parcel??", Some("track_order")),
            ("I forgot my PASSWORD", Some("recover_password")),
            ("what is the refund policy of your shop", Some("check_refund_policy")),
            ("I want a refund for this jacket please", Some("get_refund")),
            ("Good morning to all of you", None),
        ] {
            assert_eq!(intent(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_text_in_another_language_is_not_guessed() {
        let reading = read("Où est mon colis ? Je voudrais parler à un agent.", None);
        assert!(reading.intents.is_empty() && !reading.language_supported);
        assert_eq!(reading.language.as_deref(), Some("fr"));
        let hinted = read("password", Some("es"));
        assert!(hinted.intents.is_empty() && !hinted.language_supported);
    }

    #[test]
    fn danger_is_critical_and_a_harmless_word_is_not() {
        assert_eq!(read("there is a smell of gas in our kitchen", None).urgency, Urgency::Critical);
        assert_eq!(read("this jacket is fire, love it", None).urgency, Urgency::Normal);
    }
}
