//! How often the model agrees with the labels of a file.

use crate::{
    api::v1::{self, ReadingSource, Sentiment, Urgency},
    demo::tickets::Truth,
};

/// Label of a ticket that is about nothing the model knows.
const OUT_OF_SCOPE: &str = "out_of_scope";

/// A share of tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::demo) struct Share {
    /// Of these tickets …
    pub(in crate::demo) count: u64,
    /// … it is so for these.
    pub(in crate::demo) hits: u64,
}

impl Share {
    fn count(&mut self, hit: bool) {
        self.count += 1;
        self.hits += u64::from(hit);
    }

    /// Returns the share in per cent; `None` without tickets.
    pub(in crate::demo) fn percent(self) -> Option<f64> {
        (self.count > 0).then(|| 100.0 * self.hits as f64 / self.count as f64)
    }
}

/// How often the model agrees with the labels. Only tickets that have the label and that the model
/// has read count; all but `language` only those in a language it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::demo) struct Agreement {
    /// Tickets whose intent the model knows: it names that intent.
    pub(in crate::demo) intent: Share,
    /// Tickets about nothing the model knows: it says so.
    pub(in crate::demo) out_of_scope: Share,
    /// It gives the same urgency.
    pub(in crate::demo) urgency: Share,
    /// It gives the same sentiment.
    pub(in crate::demo) sentiment: Share,
    /// It detects the same language.
    pub(in crate::demo) language: Share,
}

impl Agreement {
    /// Counts one ticket.
    pub(super) fn count(&mut self, ticket: &v1::Ticket, truth: &Truth, intents: &[String]) {
        let Some(reading) = &ticket.reading else { return };
        if reading.source() != ReadingSource::Model {
            return;
        }
        if let Some(language) = &truth.language {
            self.language.count(reading.language == *language);
        }
        if !reading.language_supported {
            return;
        }
        match &truth.intent {
            Some(intent) if intent == OUT_OF_SCOPE => self.out_of_scope.count(reading.out_of_scope),
            Some(intent) if intents.contains(intent) => {
                self.intent.count(!reading.out_of_scope && reading.intent == *intent);
            }
            _ => {}
        }
        if let Some(urgency) = &truth.urgency {
            self.urgency.count(urgency_label(reading.urgency()) == urgency);
        }
        if let Some(sentiment) = &truth.sentiment {
            self.sentiment.count(sentiment_label(reading.sentiment()) == sentiment);
        }
    }
}

/// Returns an urgency as data sets write it.
pub(in crate::demo) fn urgency_label(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Unspecified => "unknown",
        Urgency::Low => "low",
        Urgency::Normal => "normal",
        Urgency::High => "high",
        Urgency::Critical => "critical",
    }
}

/// Returns a sentiment as data sets write it.
pub(in crate::demo) fn sentiment_label(sentiment: Sentiment) -> &'static str {
    match sentiment {
        Sentiment::Unspecified => "unknown",
        Sentiment::Negative => "negative",
        Sentiment::Neutral => "neutral",
        Sentiment::Positive => "positive",
    }
}
