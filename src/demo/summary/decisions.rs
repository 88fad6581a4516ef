//! A few decisions explained in full, in the service's own words.

use super::{
    Outcome,
    paint::{PAGE, Style, cut, wrap},
};
use crate::{
    api::v1::{self, DecisionKind, TriageReason},
    demo::{
        tally::{Kind, Story, millis, sentiment_label, urgency_label},
        trail::Trail,
    },
};

const INDENT: &str = "  ";

/// Returns the stories.
pub(super) fn decisions(outcome: &Outcome, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, story) in &outcome.tally.stories {
        if let Some(trail) = outcome.trails.get(kind) {
            lines.extend(tell(outcome, *kind, story, trail, style));
        }
    }
    if !lines.is_empty() {
        let note = style.faint("the service's own records (ListDecisionRecords, WatchTicket)");
        lines.insert(0, format!("{}  {note}", style.heading("DECISIONS EXPLAINED")));
    }
    lines
}

fn tell(outcome: &Outcome, kind: Kind, story: &Story, trail: &Trail, style: Style) -> Vec<String> {
    let ticket = &story.ticket;
    let indented = |text: &str| -> Vec<String> {
        wrap(text, PAGE - 4).into_iter().map(|line| format!("{INDENT}{line}")).collect()
    };
    let title = style.strong(title(kind));
    let mut lines = vec![format!("{} {title}  {}", style.cyan("▸"), what(outcome, story))];
    lines.extend(indented(&read(ticket)).iter().map(|line| style.faint(line)));
    let (first, then) = told(kind, &trail.decisions);
    lines.extend(first.iter().flat_map(|record| indented(&without_origin(&record.explanation))));
    if let Some(then) = then {
        // What follows repeats the first record.
        let sentence = then.explanation.split_inclusive(". ").next().unwrap_or_default();
        lines.extend(indented(&format!("Then: {}", sentence.trim_end())));
    }
    if matches!(kind, Kind::Declined | Kind::Triage) {
        lines.extend(indented(&timeline(&trail.events)).iter().map(|line| style.faint(line)));
    }
    lines
}

/// Leaves out the route and the model, which stand in the line above.
fn without_origin(explanation: &str) -> String {
    let origin =
        |sentence: &&str| sentence.starts_with("Planned by ") || sentence.starts_with("Read by ");
    explanation.split_inclusive(". ").filter(|sentence| !origin(sentence)).collect()
}

/// Returns what happened to a ticket, with the time since it was received.
fn timeline(events: &[v1::TicketEvent]) -> String {
    let at = |event: &v1::TicketEvent| event.event_time.as_ref().map_or(0, millis);
    let begin = events.first().map_or(0, at);
    let step = |event: &v1::TicketEvent| {
        let secs = (at(event) - begin) as f64 / 1000.0;
        // Without a blank, so that no line ends between a number and its unit.
        format!("{secs:.1}s {}", happened(event))
    };
    events.iter().map(step).collect::<Vec<_>>().join(" → ")
}

fn happened(event: &v1::TicketEvent) -> String {
    let agent = &event.agent_id;
    match event.r#type.as_str() {
        "ticket_received" => "received".to_owned(),
        "ticket_read" => "read".to_owned(),
        "ticket_queued" => "nobody free".to_owned(),
        "ticket_relaxed" => "asks for less".to_owned(),
        "offer_made" => format!("offered to {agent}"),
        "offer_accepted" => format!("{agent} accepts"),
        "offer_declined" => format!("{agent} declines ({})", event.reason),
        "offer_expired" => format!("{agent} does not answer"),
        "ticket_transferred" => format!("{agent} hands it on"),
        "assignment_completed" => format!("{agent} completes it"),
        other => other.replace('_', " "),
    }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Straight => "Read clearly",
        Kind::Declined => "Declined, and moved on",
        Kind::Triage => "Decided by a person",
        Kind::Language => "In another language",
    }
}

/// Returns the text of one of our own tickets, and the line of anybody else's.
fn what(outcome: &Outcome, story: &Story) -> String {
    if outcome.tickets.embedded {
        let text = match story.ticket.subject.trim() {
            "" => story.ticket.body.clone(),
            subject => format!("{subject}: {}", story.ticket.body),
        };
        format!("“{}”", cut(&text, PAGE - 30))
    } else {
        format!("line {}, ticket {}", outcome.tickets.rows[story.row].line, story.ticket.ticket_id)
    }
}

/// Returns what was read in a ticket, and how it ended.
fn read(ticket: &v1::Ticket) -> String {
    let Some(reading) = &ticket.reading else { return String::new() };
    let mut parts = vec![ticket.channel.clone()];
    if reading.language_supported {
        let percent = 100.0 * reading.intent_confidence;
        let intent = if reading.out_of_scope {
            format!("out of scope (nearest: {} {percent:.0} %)", reading.intent)
        } else {
            format!("{} {percent:.0} %", reading.intent)
        };
        parts.push(intent);
        parts.push(format!("urgency {}", urgency_label(reading.urgency())));
        parts.push(sentiment_label(reading.sentiment()).to_owned());
    } else {
        parts.push(format!("in `{}`, which the model does not read", reading.language));
    }
    if let Some(plan) = &ticket.plan {
        parts.push(format!("route {}", plan.route));
    }
    let resolution = ticket.outcome.as_ref().map(v1::Outcome::resolution);
    let ended = match resolution {
        Some(v1::Resolution::FirstContact) => "first contact",
        Some(v1::Resolution::Resolved) => "resolved",
        Some(v1::Resolution::Escalated) => "escalated",
        Some(v1::Resolution::WrongIntent) => "wrong intent",
        _ => "open",
    };
    parts.push(format!("{}: {ended}", ticket.agent_id));
    parts.join(" · ")
}

/// Returns the record that tells the story, and the one that tells how it went on.
fn told(
    kind: Kind,
    records: &[v1::DecisionRecord],
) -> (Option<&v1::DecisionRecord>, Option<&v1::DecisionRecord>) {
    let mut offers = records.iter().filter(|record| record.kind() == DecisionKind::Offered);
    let in_triage = |record: &&v1::DecisionRecord| {
        let reason = record.plan.as_ref().map(v1::RoutingPlan::triage_reason);
        reason.is_some_and(|reason| reason != TriageReason::Unspecified)
    };
    match kind {
        Kind::Straight | Kind::Language => (offers.next(), None),
        Kind::Declined => (offers.next(), offers.next()),
        Kind::Triage => (offers.clone().find(in_triage), offers.rfind(|record| !in_triage(record))),
    }
}
