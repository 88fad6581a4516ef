//! What was acknowledged, refused or never answered, against the entries it led to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Journal, Rule, Slot, Violation};
use crate::history::{Action, Call, History, Outcome, Stored, StoredTicket};

/// The reason of a key that came before with other content.
const REUSED: &str = "IDEMPOTENCY_KEY_REUSED";
/// The reason of a ticket that is not there.
const UNKNOWN_TICKET: &str = "TICKET_NOT_FOUND";
/// Reasons given before the key is looked at: they say nothing about an earlier attempt.
const TURNED_AWAY: [&str; 4] =
    ["SERVER_BUSY", "QUEUE_FULL", "STREAM_LIMIT_REACHED", "RESOURCE_EXHAUSTED"];

/// What is known of a key after all its attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Done,
    NotDone,
    Either,
}

/// All attempts with one key.
pub(super) struct Attempts<'a> {
    pub(super) calls: Vec<&'a Call>,
    pub(super) known: Known,
}

impl<'a> Attempts<'a> {
    fn new(calls: Vec<&'a Call>, late_calls: bool) -> Self {
        let mut known = Known::NotDone;
        for call in &calls {
            known = match &call.outcome {
                Outcome::Done { .. } => Known::Done,
                Outcome::Refused { reason } => match known {
                    Known::Either if !late_calls && !turned_away(reason) => Known::NotDone,
                    before => before,
                },
                Outcome::Unknown { .. } if known == Known::NotDone => Known::Either,
                Outcome::Unknown { .. } => known,
            };
        }
        Self { calls, known }
    }

    /// Returns the first attempt; a key without any is not listed.
    pub(super) fn first(&self) -> Option<&'a Call> {
        self.calls.first().copied()
    }
}

fn turned_away(reason: &str) -> bool {
    TURNED_AWAY.contains(&reason)
}

/// Groups calls by key, in the order in which they were answered.
pub(super) fn by_key(history: &History) -> BTreeMap<&str, Attempts<'_>> {
    let mut keys: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in &history.calls {
        keys.entry(call.key.as_str()).or_default().push(call);
    }
    let attempts = |(key, calls)| (key, Attempts::new(calls, history.late_calls));
    keys.into_iter().map(attempts).collect()
}

/// Returns what entry a call leads to.
pub(super) fn slot(call: &Call) -> Slot {
    let actor = call.actor.clone();
    match &call.action {
        Action::Submit { .. } => ("ticket_received", call.key.clone(), String::new()),
        Action::Accept { offer } => ("offer_accepted", offer.clone(), actor),
        Action::Decline { offer } => ("offer_declined", offer.clone(), actor),
        Action::Complete { ticket, .. } => ("assignment_completed", ticket.clone(), actor),
        Action::Transfer { ticket, .. } => ("ticket_transferred", ticket.clone(), actor),
        Action::Cancel { ticket } => ("ticket_cancelled", ticket.clone(), String::new()),
        Action::Assign { ticket, agent } => {
            ("ticket_assigned_by_hand", ticket.clone(), agent.clone())
        }
    }
}

/// Adds every call that the store does not bear out, and every entry that no call explains.
pub(super) fn check(
    history: &History,
    stored: &Stored,
    journal: &Journal<'_>,
    violations: &mut Vec<Violation>,
) {
    let keys = by_key(history);
    let mut asked: BTreeMap<Slot, Vec<&Attempts<'_>>> = BTreeMap::new();
    for attempts in keys.values() {
        one_key(attempts, violations);
        if let Some(call) = attempts.first() {
            asked.entry(slot(call)).or_default().push(attempts);
        }
    }
    for (slot, attempts) in &asked {
        count(slot, attempts, journal, violations);
    }
    for (slot, entries) in &journal.slots {
        if !asked.contains_key(slot) {
            let what = format!("nobody asked for {slot:?}");
            let lines = entries.iter().map(|(ticket, entry)| format!("{} {entry}", ticket.id));
            violations.push(Violation::new(Rule::SomebodyAsked, what).with(lines));
        }
    }
    known(history, violations);
    for ticket in &stored.tickets {
        content(ticket, &keys, &asked, violations);
    }
}

/// Adds every call that was told that there is no such ticket, though its ticket was acknowledged before.
fn known(history: &History, violations: &mut Vec<Violation>) {
    let mut acknowledged: BTreeMap<&str, &Call> = BTreeMap::new();
    for call in &history.calls {
        if let (Action::Submit { .. }, Outcome::Done { ticket }) = (&call.action, &call.outcome) {
            acknowledged.entry(ticket).or_insert(call);
        }
    }
    for call in &history.calls {
        let Outcome::Refused { reason } = &call.outcome else { continue };
        let submitted = about(&call.action).and_then(|ticket| acknowledged.get(ticket).copied());
        let before = submitted.filter(|submitted| submitted.end_us <= call.start_us);
        if let Some(before) = before.filter(|_| reason == UNKNOWN_TICKET) {
            let what = format!("key {}: the ticket was acknowledged before", call.key);
            violations.push(Violation::new(Rule::KnownIsFound, what).with([before, call]));
        }
    }
}

/// Returns the ticket that a call is about.
fn about(action: &Action) -> Option<&str> {
    match action {
        Action::Submit { .. } => None,
        Action::Accept { offer } | Action::Decline { offer } => {
            offer.rsplit_once('.').map(|(ticket, _)| ticket)
        }
        Action::Complete { ticket, .. }
        | Action::Transfer { ticket, .. }
        | Action::Cancel { ticket }
        | Action::Assign { ticket, .. } => Some(ticket),
    }
}

/// Counts keys without an answer whose entry is there. Keys that ask for the same thing count once.
pub(super) fn done_untold(history: &History, journal: &Journal<'_>) -> usize {
    let keys = by_key(history);
    let open = keys.values().filter(|attempts| attempts.known == Known::Either);
    let mut slots: Vec<Slot> = open.filter_map(Attempts::first).map(slot).collect();
    slots.sort_unstable();
    slots.dedup();
    slots.iter().filter(|slot| journal.slots.contains_key(*slot)).count()
}

/// Checks that a key leads to one ticket, and is answered the same again.
fn one_key(attempts: &Attempts<'_>, violations: &mut Vec<Violation>) {
    let Some(first) = attempts.first() else { return };
    let mut tickets = BTreeSet::new();
    let mut done: Option<&Call> = None;
    for call in &attempts.calls {
        let same = call.action == first.action;
        let told = |rule, what: &str| {
            let what = format!("key {}: {what}", call.key);
            Violation::new(rule, what).with(&attempts.calls)
        };
        match &call.outcome {
            Outcome::Done { .. } if done.is_some_and(|done| done.action != call.action) => {
                violations.push(told(Rule::OneTicketPerKey, "done with another content"));
            }
            Outcome::Done { ticket } => {
                tickets.insert(ticket);
                done = done.or(Some(call));
                if tickets.len() > 1 {
                    violations.push(told(Rule::OneTicketPerKey, "two tickets"));
                }
            }
            Outcome::Refused { reason } if same && reason == REUSED => {
                violations.push(told(Rule::KeysAreRemembered, "refused with its own content"));
            }
            Outcome::Refused { reason }
                if same
                    && !turned_away(reason)
                    && done.is_some_and(|done| done.end_us <= call.start_us) =>
            {
                violations.push(told(Rule::KeysAreRemembered, "done, and then refused"));
            }
            Outcome::Refused { .. } | Outcome::Unknown { .. } => {}
        }
    }
}

/// Checks how often something is in the journal.
fn count(
    slot: &Slot,
    asked: &[&Attempts<'_>],
    journal: &Journal<'_>,
    violations: &mut Vec<Violation>,
) {
    let entries = journal.slots.get(slot).map_or(&[][..], Vec::as_slice);
    let known = |known| asked.iter().filter(|attempts| attempts.known == known).count();
    let (done, either) = (known(Known::Done), known(Known::Either));
    let rule = if entries.len() < done {
        Rule::AcknowledgedIsThere
    } else if entries.len() <= done + either {
        return;
    } else if slot.0 == "ticket_received" && done + either > 0 {
        Rule::OneTicketPerKey
    } else {
        Rule::RefusedIsNotThere
    };
    let what = format!(
        "{slot:?} is {} times in the journal; {done} acknowledged, {either} not answered",
        entries.len()
    );
    let calls = asked.iter().flat_map(|attempts| &attempts.calls).map(ToString::to_string);
    let entries = entries.iter().map(|(ticket, entry)| format!("{} {entry}", ticket.id));
    violations.push(Violation::new(rule, what).with(calls.chain(entries)));
}

/// Checks identifier, text and outcome of a ticket.
fn content(
    ticket: &StoredTicket,
    keys: &BTreeMap<&str, Attempts<'_>>,
    asked: &BTreeMap<Slot, Vec<&Attempts<'_>>>,
    violations: &mut Vec<Violation>,
) {
    let Some(attempts) = keys.get(ticket.customer.as_str()) else { return };
    let mut breach = |rule, what: &str| {
        let what = format!("ticket {}: {what}", ticket.id);
        violations.push(Violation::new(rule, what).with(&attempts.calls));
    };
    let body =
        |call: &&Call| matches!(&call.action, Action::Submit { body } if *body == ticket.body);
    let done = attempts.calls.iter().find(|call| matches!(call.outcome, Outcome::Done { .. }));
    if let Some(call) = done {
        if !matches!(&call.outcome, Outcome::Done { ticket: id } if *id == ticket.id) {
            breach(Rule::OneTicketPerKey, "is not the one acknowledged");
        }
        if !body(call) {
            breach(Rule::ContentIsKept, "has another text than the one acknowledged");
        }
    } else if !attempts.calls.iter().any(body) {
        breach(Rule::ContentIsKept, "has a text that nobody submitted");
    }
    if !ticket.outcome.is_empty() {
        let slot = ("assignment_completed", ticket.id.clone(), ticket.agent.clone());
        let reports = asked.get(&slot).into_iter().flatten().flat_map(|attempts| &attempts.calls);
        let same = |call: &&Call| matches!(&call.action, Action::Complete { outcome, .. } if *outcome == ticket.outcome);
        if !reports.into_iter().any(same) {
            breach(Rule::ContentIsKept, "has an outcome that nobody reported");
        }
    }
}
