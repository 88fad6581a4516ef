//! What was read once is read again: the journal only grows.

use std::collections::BTreeMap;

use super::{Rule, Violation};
use crate::history::{Stored, StoredTicket};

/// Returns every ticket and entry of an earlier reading that a later one does not have.
#[must_use]
pub fn kept(earlier: &Stored, later: &Stored) -> Vec<Violation> {
    let now: BTreeMap<&str, &StoredTicket> =
        later.tickets.iter().map(|ticket| (ticket.id.as_str(), ticket)).collect();
    let mut violations = Vec::new();
    for before in &earlier.tickets {
        let Some(after) = now.get(before.id.as_str()) else {
            let what = format!("ticket {} is gone", before.id);
            violations.push(Violation::new(Rule::WhatWasReadStays, what).with(&before.entries));
            continue;
        };
        if !after.entries.starts_with(&before.entries) {
            let what = format!("ticket {} has other entries than before", before.id);
            let lines = before.entries.iter().map(|entry| format!("before {entry}"));
            let lines = lines.chain(after.entries.iter().map(|entry| format!("after {entry}")));
            violations.push(Violation::new(Rule::WhatWasReadStays, what).with(lines));
        }
        if (&before.body, &before.customer) != (&after.body, &after.customer) {
            let what = format!("ticket {} has another text than before", before.id);
            violations.push(Violation::new(Rule::WhatWasReadStays, what));
        }
    }
    violations
}
