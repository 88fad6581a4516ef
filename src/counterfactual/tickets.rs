//! The tickets that are written again in other ways.

/// Our own: `intent | urgency | mood | text`.
const TICKETS: &str = include_str!("tickets.txt");

/// A ticket to write in other ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its text.
    pub text: String,
    /// Line of its file on which it starts, from 1.
    pub line: u64,
    /// Whether reports may show the text: ours may, a customer's may not.
    pub is_own: bool,
}

/// Returns the tickets written for the audit.
#[must_use]
pub fn own_tickets() -> Vec<Ticket> {
    let line = |(index, line): (usize, &str)| {
        let text = fields(line)?[3].to_owned();
        Some(Ticket { text, line: index as u64 + 1, is_own: true })
    };
    TICKETS.lines().enumerate().filter_map(line).collect()
}

/// Returns intent, urgency, mood and text; `None` for a comment.
fn fields(line: &str) -> Option<[&str; 4]> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = line.splitn(4, '|').map(str::trim);
    Some([fields.next()?, fields.next()?, fields.next()?, fields.next()?])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        classifier::{artifact::Artifact, find_model},
        domain::reading::{Sentiment, Urgency},
    };

    fn all() -> Vec<[&'static str; 4]> {
        TICKETS.lines().filter_map(fields).collect()
    }

    #[test]
    fn every_line_is_a_ticket_or_a_comment() {
        let lines = TICKETS.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), own_tickets().len());
        let texts: BTreeSet<String> = own_tickets().into_iter().map(|t| t.text).collect();
        assert_eq!(texts.len(), own_tickets().len(), "a text is there twice");
    }

    #[test]
    fn they_cover_every_intent_urgency_and_mood_of_the_shipped_model() {
        let manifest = Artifact::read(&find_model(None).unwrap()).unwrap().manifest;
        let intents: BTreeSet<&str> = all().iter().map(|fields| fields[0]).collect();
        let known = &manifest.head("intent").unwrap().labels;
        assert_eq!(intents, known.iter().map(String::as_str).collect());
        for level in Urgency::ALL {
            assert!(all().iter().any(|fields| fields[1] == level.label()), "{level:?}");
        }
        for mood in Sentiment::ALL {
            assert!(all().iter().any(|fields| fields[2] == mood.label()), "{mood:?}");
        }
        let known = |fields: &[&str; 4]| {
            Urgency::ALL.iter().any(|level| level.label() == fields[1])
                && Sentiment::ALL.iter().any(|mood| mood.label() == fields[2])
        };
        assert!(all().iter().all(known));
    }
}
