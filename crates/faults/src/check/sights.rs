//! What streams and decision records showed, against the journal.

use std::collections::{BTreeMap, BTreeSet};

use super::{Journal, Rule, Violation};
use crate::history::{Decision, Entry, History, Seen, Session, StoredTicket};

/// Checks every stream: what it showed is in the journal, and what is in the journal it showed once.
pub(super) fn streams(history: &History, journal: &Journal<'_>, violations: &mut Vec<Violation>) {
    let mut of_agents: BTreeMap<&str, Vec<(u64, String)>> = BTreeMap::new();
    for (_, entry) in &journal.entries {
        if is_shown(entry) {
            let line = (entry.sequence, entry.to_string());
            of_agents.entry(entry.agent.as_str()).or_default().push(line);
        }
    }
    for session in &history.sessions {
        let entries = of_agents.get(session.agent.as_str()).map_or(&[][..], Vec::as_slice);
        shown_is_there(session, journal, violations);
        there_is_shown(session, entries, violations);
    }
}

/// Whether a stream must show an entry. Offers are shown only while they are live.
fn is_shown(entry: &Entry) -> bool {
    word(&entry.kind).is_some() && !entry.agent.is_empty()
}

/// Returns the word by which a stream tells of an entry.
fn word(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "offer_accepted" => "assigned",
        "offer_declined" => "declined",
        "offer_expired" => "expired",
        "offer_revoked" => "revoked",
        "assignment_completed" => "completed",
        "ticket_transferred" => "transferred",
        "assignment_returned" => "returned",
        "ticket_cancelled" => "cancelled",
        _ => return None,
    })
}

fn shown_is_there(session: &Session, journal: &Journal<'_>, violations: &mut Vec<Violation>) {
    for (sequence, seen) in &session.seen {
        let found = journal.at(*sequence);
        if !found.is_some_and(|(ticket, entry)| agrees(session, seen, ticket, entry)) {
            let what = format!("{} was shown #{sequence} {seen:?}", session.agent);
            let lines = found.map(|(_, entry)| entry.to_string());
            violations.push(Violation::new(Rule::StreamsAreGapless, what).with(lines));
        }
    }
}

fn agrees(session: &Session, seen: &Seen, shown: &StoredTicket, entry: &Entry) -> bool {
    let same = match seen {
        Seen::Offered { offer } => entry.kind == "offer_made" && entry.offer == *offer,
        Seen::Assigned { ticket } => entry.kind == "offer_accepted" && shown.id == *ticket,
        Seen::Closed { offer, ticket, reason } => {
            word(&entry.kind) == Some(reason.as_str())
                && entry.offer == *offer
                && shown.id == *ticket
        }
    };
    same && entry.agent == session.agent
}

fn there_is_shown(session: &Session, entries: &[(u64, String)], violations: &mut Vec<Violation>) {
    let Session { agent, after, until, seen } = session;
    let mut shown = BTreeSet::new();
    for (sequence, seen) in seen {
        if !shown.insert(*sequence) {
            let what = format!("{agent} was shown #{sequence} twice: {seen:?}");
            violations.push(Violation::new(Rule::StreamsAreGapless, what));
        }
    }
    let from = entries.partition_point(|(sequence, _)| sequence <= after);
    let rest = entries.iter().skip(from).take_while(|(sequence, _)| sequence <= until);
    for (_, line) in rest.filter(|(sequence, _)| !shown.contains(sequence)) {
        let what = format!("{agent} was not shown an entry between #{after} and #{until}");
        violations.push(Violation::new(Rule::StreamsAreGapless, what).with([line]));
    }
}

/// Checks that decision records and the entries of decisions are the same.
pub(super) fn decisions(
    decisions: &[Decision],
    journal: &Journal<'_>,
    violations: &mut Vec<Violation>,
) {
    let recorded: BTreeMap<u64, &Decision> =
        decisions.iter().map(|decision| (decision.sequence, decision)).collect();
    let tickets: BTreeMap<&str, &StoredTicket> =
        journal.entries.iter().map(|(ticket, _)| (ticket.id.as_str(), *ticket)).collect();
    for decision in decisions {
        let found = journal.at(decision.sequence);
        let borne_out = match (found, tickets.get(decision.ticket.as_str())) {
            (Some((ticket, entry)), _) => {
                ticket.id == decision.ticket
                    && entry.offer == decision.offer
                    && (entry.agent == decision.agent || decision.offer.is_empty())
            }
            // Records are read after the entries: it may be newer than these, unless all is over.
            (None, Some(ticket)) => {
                decision.sequence > ticket.sequence && !ticket.status.is_closed()
            }
            (None, None) => false,
        };
        if !borne_out {
            let what = format!("a record that the journal does not bear out: {decision:?}");
            let lines = found.map(|(_, entry)| entry.to_string());
            violations.push(Violation::new(Rule::DecisionsAgree, what).with(lines));
        }
    }
    for (ticket, entry) in &journal.entries {
        let decides = matches!(entry.kind.as_str(), "offer_made" | "ticket_queued");
        if decides && !recorded.contains_key(&entry.sequence) {
            let what = format!("ticket {}: a decision without a record", ticket.id);
            violations.push(Violation::new(Rule::DecisionsAgree, what).with([entry]));
        }
    }
}
