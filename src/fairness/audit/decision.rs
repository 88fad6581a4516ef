//! A log of decisions: what the model said of each ticket, what became of it, and whose it was.

use crate::fairness::waits::Elapsed;

/// One ticket of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Values of the log's attributes, in their order; `None` where not declared.
    pub groups: Vec<Option<String>>,
    /// Whether the model selected the ticket for the fast track.
    pub selected: bool,
    /// Whether it really was urgent; `None` while nobody has said.
    pub label: Option<bool>,
    /// The model's probability that it is urgent, 0 to 1; `None` where the log has none.
    pub score: Option<f64>,
    /// How long it waited; `None` where not known.
    pub wait: Option<Elapsed>,
    /// Whether it was assigned.
    pub assigned: bool,
    /// Whether its service-level target was breached; `None` where not known.
    pub target_breached: Option<bool>,
    /// Whether it changed hands; `None` where not known.
    pub reassigned: Option<bool>,
    /// Whether it was resolved at first contact; `None` where not known.
    pub first_contact: Option<bool>,
    /// The agent it was assigned to.
    pub agent: Option<String>,
    /// Whether the customer was angry.
    pub angry: bool,
}

/// Tickets in the order in which they were decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// Names of the attributes.
    pub attributes: Vec<String>,
    /// The tickets.
    pub decisions: Vec<Decision>,
}

impl Decision {
    /// Returns the value of an attribute by its place; `None` where not declared.
    #[must_use]
    pub fn group(&self, attribute: usize) -> Option<&str> {
        self.groups.get(attribute)?.as_deref()
    }

    /// Returns the label and the score, where the ticket has both.
    pub(super) fn scored_label(&self) -> Option<(bool, f64)> {
        Some((self.label?, self.score?))
    }
}
