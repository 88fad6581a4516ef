//! Each rule is broken on purpose, and must say so.

use super::{Rule, check, done_untold, kept};
use crate::history::{
    Action, Call, Decision, Entry, History, Outcome, Seen, Session, Status, Stored, StoredTicket,
};

fn entry(sequence: u64, kind: &str, agent: &str, epoch: u32, status: Status) -> Entry {
    let offer = if epoch == 0 { String::new() } else { format!("t1.{epoch}") };
    let at_ms = i64::try_from(sequence).unwrap() * 10;
    let (kind, agent) = (kind.to_owned(), agent.to_owned());
    Entry { sequence, at_ms, kind, agent, offer, reason: String::new(), status }
}

/// Declined once, accepted, completed.
fn completed() -> StoredTicket {
    let entries = vec![
        entry(1, "ticket_received", "", 0, Status::Received),
        entry(2, "ticket_read", "", 0, Status::Queued),
        entry(3, "offer_made", "ana", 1, Status::Offered),
        entry(4, "offer_declined", "ana", 1, Status::Queued),
        entry(5, "offer_made", "ben", 2, Status::Offered),
        entry(6, "offer_accepted", "ben", 2, Status::Assigned),
        entry(7, "assignment_completed", "ben", 0, Status::Completed),
    ];
    StoredTicket {
        id: "t1".to_owned(),
        customer: "k1".to_owned(),
        body: "help".to_owned(),
        status: Status::Completed,
        agent: "ben".to_owned(),
        sequence: 7,
        outcome: "2/5".to_owned(),
        entries,
    }
}

/// Cancelled while it waits.
fn cancelled() -> StoredTicket {
    let entries = vec![
        entry(8, "ticket_received", "", 0, Status::Received),
        entry(9, "ticket_cancelled", "", 0, Status::Cancelled),
    ];
    let (id, customer) = ("t2".to_owned(), "k2".to_owned());
    let (status, agent, outcome) = (Status::Cancelled, String::new(), String::new());
    StoredTicket { id, customer, status, agent, sequence: 9, outcome, entries, ..completed() }
}

fn submit(body: &str) -> Action {
    Action::Submit { body: body.to_owned() }
}

fn done(ticket: &str) -> Outcome {
    Outcome::Done { ticket: ticket.to_owned() }
}

fn refused(reason: &str) -> Outcome {
    Outcome::Refused { reason: reason.to_owned() }
}

fn unknown() -> Outcome {
    Outcome::Unknown { why: "reset".to_owned() }
}

fn call(actor: &str, key: &str, start_us: u64, action: Action, outcome: Outcome) -> Call {
    let (actor, key) = (actor.to_owned(), key.to_owned());
    let server = "one".to_owned();
    Call { actor, key, action, server, start_us, end_us: start_us + 5, outcome }
}

/// A history and a store without a fault.
fn day() -> (History, Stored) {
    let (t1, t2) = ("t1".to_owned(), "t2".to_owned());
    let complete = Action::Complete { ticket: t1.clone(), outcome: "2/5".to_owned() };
    let calls = vec![
        call("shop", "k1", 10, submit("help"), unknown()),
        call("shop", "k1", 20, submit("help"), done("t1")),
        call("shop", "k1", 30, submit("other"), refused("IDEMPOTENCY_KEY_REUSED")),
        call("ana", "d1", 40, Action::Decline { offer: "t1.1".to_owned() }, done("")),
        call("ana", "a1", 50, Action::Accept { offer: "t1.1".to_owned() }, unknown()),
        call("ana", "a1", 60, Action::Accept { offer: "t1.1".to_owned() }, refused("OFFER")),
        call("ben", "a2", 70, Action::Accept { offer: "t1.2".to_owned() }, done("t1")),
        call("ben", "c1", 80, complete, done("t1")),
        call("shop", "k2", 90, submit("help"), done("t2")),
        call("shop", "x1", 100, Action::Cancel { ticket: t2.clone() }, done("t2")),
    ];
    let seen = vec![
        (5, Seen::Offered { offer: "t1.2".to_owned() }),
        (6, Seen::Assigned { ticket: t1.clone() }),
        (
            7,
            Seen::Closed {
                offer: String::new(),
                ticket: t1.clone(),
                reason: "completed".to_owned(),
            },
        ),
    ];
    let session = Session { agent: "ben".to_owned(), after: 2, until: 9, seen };
    let decision = |sequence, offer: &str, agent: &str| Decision {
        sequence,
        ticket: t1.clone(),
        offer: offer.to_owned(),
        agent: agent.to_owned(),
    };
    let decisions = Some(vec![decision(3, "t1.1", "ana"), decision(5, "t1.2", "ben")]);
    let tickets = vec![completed(), cancelled()];
    (History { calls, sessions: vec![session], late_calls: false }, Stored { tickets, decisions })
}

/// Returns the rules that a changed day breaks.
#[track_caller]
fn broken(change: impl FnOnce(&mut History, &mut Stored)) -> Vec<Rule> {
    let (mut history, mut stored) = day();
    change(&mut history, &mut stored);
    let mut rules: Vec<Rule> = check(&history, &stored).iter().map(|found| found.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

#[track_caller]
fn assert_broken(rule: Rule, change: impl FnOnce(&mut History, &mut Stored)) {
    let rules = broken(change);
    assert!(rules.contains(&rule), "{rule:?} is not among {rules:?}");
}

#[test]
fn a_day_without_fault_breaks_nothing() {
    assert_eq!(broken(|_, _| {}), []);
}

#[test]
fn a_lost_ticket_is_found() {
    assert_broken(Rule::AcknowledgedIsThere, |_, stored| drop(stored.tickets.remove(1)));
}

#[test]
fn an_unanswered_submit_may_be_there_or_not() {
    let unanswered = |history: &mut History| {
        history.calls.truncate(9);
        history.calls[8].outcome = unknown();
    };
    let uncancelled = |stored: &mut Stored| {
        stored.tickets[1].entries.pop();
        stored.tickets[1].status = Status::Received;
        stored.tickets[1].sequence = 8;
    };
    let there = broken(|history, stored| {
        unanswered(history);
        uncancelled(stored);
    });
    assert_eq!(there, []);
    let gone = broken(|history, stored| {
        unanswered(history);
        stored.tickets.truncate(1);
    });
    assert_eq!(gone, []);
}

#[test]
fn what_was_done_and_never_told_is_counted() {
    let (mut history, stored) = day();
    assert_eq!(done_untold(&history, &stored), 0);
    history.calls[8].outcome = unknown();
    assert_eq!(done_untold(&history, &stored), 1);
}

#[test]
fn two_tickets_for_one_key_are_found() {
    assert_broken(Rule::OneTicketPerKey, |_, stored| {
        stored.tickets[1].customer = "k1".to_owned();
    });
    assert_broken(Rule::OneTicketPerKey, |history, _| {
        history.calls.push(call("shop", "k1", 200, submit("help"), done("t2")));
    });
}

#[test]
fn another_text_for_the_same_key_is_found() {
    assert_broken(Rule::OneTicketPerKey, |history, _| {
        history.calls.push(call("shop", "k1", 200, submit("other"), done("t1")));
    });
    assert_broken(Rule::ContentIsKept, |_, stored| stored.tickets[0].body = "other".to_owned());
    assert_broken(Rule::KeysAreRemembered, |history, _| {
        let reused = refused("IDEMPOTENCY_KEY_REUSED");
        history.calls.push(call("shop", "k1", 200, submit("help"), reused));
    });
}

#[test]
fn a_key_that_is_forgotten_is_found() {
    assert_broken(Rule::KeysAreRemembered, |history, _| {
        let again = Action::Accept { offer: "t1.2".to_owned() };
        history.calls.push(call("ben", "a2", 200, again, refused("OFFER_NOT_LIVE")));
    });
}

#[test]
fn an_acknowledged_ticket_that_somebody_does_not_know_is_found() {
    assert_broken(Rule::KnownIsFound, |history, _| {
        let cancel = Action::Cancel { ticket: "t1".to_owned() };
        history.calls.push(call("boss", "b9", 900, cancel, refused("TICKET_NOT_FOUND")));
    });
}

#[test]
fn an_accept_acknowledged_to_two_agents_is_found() {
    assert_broken(Rule::AcknowledgedIsThere, |history, _| {
        let accept = Action::Accept { offer: "t1.1".to_owned() };
        history.calls.push(call("ana", "a3", 200, accept, done("t1")));
    });
}

#[test]
fn an_accept_acknowledged_twice_is_found() {
    assert_broken(Rule::AcknowledgedIsThere, |history, _| {
        let accept = Action::Accept { offer: "t1.2".to_owned() };
        history.calls.push(call("ben", "a4", 200, accept, done("t1")));
    });
}

#[test]
fn a_completion_that_vanished_is_found() {
    assert_broken(Rule::AcknowledgedIsThere, |_, stored| {
        let ticket = &mut stored.tickets[0];
        ticket.entries.pop();
        (ticket.status, ticket.sequence) = (Status::Assigned, 6);
        ticket.outcome.clear();
    });
    assert_broken(Rule::ContentIsKept, |_, stored| stored.tickets[0].outcome = "1/0".to_owned());
}

#[test]
fn a_refused_call_that_took_effect_is_found() {
    let refuse = |history: &mut History, late_calls| {
        history.late_calls = late_calls;
        history.calls[6].outcome = unknown();
        let again = Action::Accept { offer: "t1.2".to_owned() };
        history.calls.push(call("ben", "a2", 200, again, refused("OFFER_NOT_LIVE")));
    };
    assert_broken(Rule::RefusedIsNotThere, |history, _| refuse(history, false));
    // Through a slow network the first attempt may come after the second one was refused.
    assert_eq!(broken(|history, _| refuse(history, true)), []);
}

#[test]
fn what_nobody_asked_for_is_found() {
    assert_broken(Rule::SomebodyAsked, |history, _| drop(history.calls.remove(7)));
}

#[test]
fn two_live_offers_are_found() {
    assert_broken(Rule::OneLiveOffer, |_, stored| drop(stored.tickets[0].entries.remove(3)));
}

#[test]
fn a_missing_offer_is_found_by_its_epoch() {
    assert_broken(Rule::OneLiveOffer, |_, stored| {
        drop(stored.tickets[0].entries.drain(2..4));
    });
}

#[test]
fn an_offer_that_ends_twice_is_found() {
    assert_broken(Rule::OffersEndOnce, |_, stored| {
        let mut again = stored.tickets[0].entries[3].clone();
        again.kind = "offer_expired".to_owned();
        stored.tickets[0].entries.insert(4, again);
    });
}

#[test]
fn a_second_assignment_is_found() {
    assert_broken(Rule::OneAssignment, |_, stored| {
        stored.tickets[0].entries.insert(6, entry(60, "offer_made", "ana", 3, Status::Offered));
    });
}

#[test]
fn a_ticket_that_rises_again_is_found() {
    assert_broken(Rule::ClosedStaysClosed, |_, stored| {
        stored.tickets[0].entries.push(entry(20, "offer_made", "ana", 3, Status::Offered));
    });
    assert_broken(Rule::DecisionsAgree, |_, stored| {
        let offer = "t1.3".to_owned();
        let (ticket, agent) = ("t1".to_owned(), "ana".to_owned());
        let decisions = stored.decisions.as_mut().unwrap();
        decisions.push(Decision { sequence: 20, ticket, offer, agent });
    });
}

#[test]
fn a_cancel_that_was_undone_is_found() {
    assert_broken(Rule::TicketAgreesWithEntries, |_, stored| {
        stored.tickets[1].status = Status::Queued;
    });
    assert_broken(Rule::AcknowledgedIsThere, |_, stored| {
        stored.tickets[1].entries[1] = entry(9, "ticket_read", "", 0, Status::Queued);
    });
}

#[test]
fn a_status_that_does_not_follow_is_found() {
    assert_broken(Rule::StatusIsLegal, |_, stored| {
        stored.tickets[0].entries[2].status = Status::Assigned;
    });
    assert_broken(Rule::BeginsOnce, |_, stored| drop(stored.tickets[0].entries.remove(0)));
}

#[test]
fn time_and_numbers_that_go_back_are_found() {
    assert_broken(Rule::TimeAscends, |_, stored| stored.tickets[1].entries[0].at_ms = 1);
    assert_broken(Rule::SequencesAscend, |_, stored| stored.tickets[1].entries[0].sequence = 7);
    assert_broken(Rule::RealTimeOrder, |history, _| {
        (history.calls[8].start_us, history.calls[8].end_us) = (1, 2);
    });
}

#[test]
fn a_gap_in_a_stream_is_found() {
    assert_broken(Rule::StreamsAreGapless, |history, _| {
        drop(history.sessions[0].seen.remove(1));
    });
    assert_broken(Rule::StreamsAreGapless, |history, _| {
        let twice = history.sessions[0].seen[1].clone();
        history.sessions[0].seen.push(twice);
    });
    assert_broken(Rule::StreamsAreGapless, |history, _| history.sessions[0].seen[0].0 = 4);
}

#[test]
fn a_decision_without_a_record_is_found() {
    assert_broken(Rule::DecisionsAgree, |_, stored| {
        drop(stored.decisions.as_mut().unwrap().remove(0));
    });
}

#[test]
fn what_was_read_and_is_gone_is_found() {
    let (_, earlier) = day();
    assert_eq!(kept(&earlier, &earlier), []);
    let mut later = earlier.clone();
    drop(later.tickets[0].entries.remove(3));
    drop(later.tickets.remove(1));
    let found = kept(&earlier, &later);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|found| found.rule == Rule::WhatWasReadStays));
}
