//! What a log says at any moment of looking: the always-valid evidence of its tickets in their order.

use serde::Serialize;

use super::decision::{Decision, Log};
use crate::fairness::alarms::{
    ALPHA, DIFFERENCE_TOLERATED, Monitor, Standing, State, Treated, overall,
};

/// The evidence about one attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// What all comparisons together say.
    pub state: State,
    /// A difference of rates that counts as fair.
    pub difference_tolerated: f64,
    /// Each group against all others, on each measure.
    pub comparisons: Vec<Standing>,
}

/// What of a ticket is measured, where it is known.
type Outcome = (&'static str, fn(&Decision) -> Option<bool>);

/// The names are those of the tests for one look.
const OUTCOMES: [Outcome; 6] = [
    ("selection", |ticket| Some(ticket.selected)),
    ("sla_breach", |ticket| ticket.target_breached),
    ("reassigned", |ticket| ticket.reassigned),
    ("first_contact_resolution", |ticket| ticket.first_contact),
    ("tpr", |ticket| (ticket.label == Some(true)).then_some(ticket.selected)),
    ("fpr", |ticket| (ticket.label == Some(false)).then_some(ticket.selected)),
];

impl Evidence {
    /// Watches the attribute at this place through the log, looking after each of its tickets.
    pub(super) fn of(log: &Log, attribute: usize) -> Self {
        let mut monitor = Monitor::new(ALPHA, OUTCOMES.len(), 0);
        for decision in &log.decisions {
            let Some(group) = decision.group(attribute) else { continue };
            for (measure, known) in OUTCOMES {
                if let Some(hit) = known(decision) {
                    monitor.record(Treated { group, measure, hit });
                }
            }
            monitor.judge();
        }
        let comparisons = monitor.standings();
        Self {
            state: overall(&comparisons),
            difference_tolerated: DIFFERENCE_TOLERATED,
            comparisons,
        }
    }
}
