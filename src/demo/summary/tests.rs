//! The page is complete, fits a terminal, and keeps private what is private.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    api::v1,
    demo::{
        board::Board,
        report,
        tally::{Basis, Tally},
        team,
        tickets::{self, Tickets},
        trail::Trail,
    },
};

/// Returns a demo of which every ticket was resolved by ana.
fn outcome(tickets: Tickets) -> Outcome {
    let policy = v1::Policy { triage_skill: "triage".to_owned(), ..Default::default() };
    let board = Board::default();
    let basis = Basis {
        policy: &policy,
        intents: &["track_order".to_owned()],
        tickets: &tickets,
        acknowledged: &BTreeMap::new(),
        board: &board,
        now_ms: 60_000,
    };
    let mut tally = Tally::default();
    for (row, one) in tickets.rows.iter().enumerate() {
        tally.count(&resolved(&one.ticket, row), row, &basis);
    }
    let trails = tally.stories.iter().map(|(kind, story)| (*kind, trail(&story.ticket)));
    Outcome {
        trails: trails.collect(),
        skipped: tickets.skipped.len(),
        tickets,
        tally,
        seconds: 12.25,
        bias: bias(),
        service: v1::GetServiceMeasuresResponse {
            agents: vec![v1::AgentLoad {
                agent_id: "ana".into(),
                accepted_count: 9,
                ..Default::default()
            }],
            load_jain_index: Some(0.5),
            ..Default::default()
        },
        people: team::people(&["orders".to_owned(), "triage".to_owned()], &policy),
        board: Arc::new(board),
        model: "support-1.0.0".to_owned(),
        end: End::Done,
        kept: None,
    }
}

fn resolved(new: &v1::NewTicket, row: usize) -> v1::Ticket {
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let reading = v1::Reading {
        source: v1::ReadingSource::Model.into(),
        urgency: v1::Urgency::Low.into(),
        sentiment: v1::Sentiment::Neutral.into(),
        intent: "track_order".into(),
        intent_confidence: 0.97,
        language_supported: true,
        ..Default::default()
    };
    let resolution = v1::Resolution::FirstContact.into();
    v1::Ticket {
        ticket_id: format!("ticket-{row}"),
        channel: "chat".into(),
        status: v1::TicketStatus::Completed.into(),
        subject: new.subject.clone(),
        body: new.body.clone(),
        reading: Some(reading),
        plan: Some(v1::RoutingPlan { route: "orders".into(), ..Default::default() }),
        agent_id: "ana".into(),
        offer_epoch: 1,
        outcome: Some(v1::Outcome { resolution, ..Default::default() }),
        received_time: time(1),
        assigned_time: time(3),
        closed_time: time(4),
        ..Default::default()
    }
}

fn trail(ticket: &v1::Ticket) -> Trail {
    let decision = v1::DecisionRecord {
        ticket_id: ticket.ticket_id.clone(),
        kind: v1::DecisionKind::Offered.into(),
        explanation: "Offered to ana: has orders. Waited 0.1 s; no relaxation.".to_owned(),
        ..Default::default()
    };
    Trail { decisions: vec![decision], events: Vec::new() }
}

fn bias() -> v1::GetBiasMetricsResponse {
    let rate =
        v1::Rate { count: 40, hits: 10, value: Some(0.25), low: Some(0.14), high: Some(0.4) };
    let segment = |name: &str, enough_evidence| v1::SegmentMeasures {
        segment: name.to_owned(),
        ticket_count: 40,
        enough_evidence,
        fast_tracked: Some(rate),
        ..Default::default()
    };
    let attribute = |name: &str, verdict: v1::Verdict| v1::AttributeMeasures {
        attribute: name.to_owned(),
        segments: vec![segment("one", true), segment("two", false)],
        disparity_ratio: Some(0.75),
        verdict: verdict.into(),
        ..Default::default()
    };
    v1::GetBiasMetricsResponse {
        attributes: vec![
            attribute("plan", v1::Verdict::BelowFourFifths),
            attribute("region", v1::Verdict::NotEnoughEvidence),
        ],
        group_tickets_min: 30,
        ..Default::default()
    }
}

fn plain(outcome: &Outcome) -> String {
    summary(outcome, Style::default())
}

#[test]
fn the_page_fits_a_terminal_and_has_every_part() {
    let page = plain(&outcome(tickets::embedded().unwrap()));
    for line in page.lines() {
        assert!(paint::columns(line) <= 100, "{} columns: {line}", paint::columns(line));
    }
    assert!(page.lines().count() <= 90);
    for part in [
        "380 tickets",
        "12.2 seconds",
        "0 lost   ✓ adds up",
        "WHERE TICKETS WENT",
        "p50 2.0 s",
        "Ana Ferreira",
        "Jain 0.50",
        "Offered to ana: has orders.",
        "25 % [14–40]",
        "below four fifths (0.75)",
        "not enough evidence",
        "too few",
        "MODEL AND LABELS AGREE",
        "Simulated: people",
        "--keep",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains('\u{1b}'), "no colours unless asked for");
}

#[test]
fn our_own_texts_are_quoted_and_those_of_others_never() {
    let own = outcome(tickets::embedded().unwrap());
    let story = own.tally.stories.values().next().unwrap();
    let begin: String = story.ticket.body.chars().take(20).collect();
    assert!(plain(&own).contains(begin.trim()), "{begin}");

    let theirs = outcome(Tickets { embedded: false, ..tickets::embedded().unwrap() });
    let page = plain(&theirs);
    for row in &theirs.tickets.rows {
        let text: String = row.ticket.body.chars().take(30).collect();
        assert!(text.chars().count() < 12 || !page.contains(&text), "{text}");
    }
    assert!(
        page.contains(&format!("line {}, ticket ticket-", theirs.tickets.rows[story.row].line))
    );
}

#[test]
fn figures_that_do_not_add_up_are_shouted() {
    let mut broken = outcome(tickets::embedded().unwrap());
    broken.tally.lost = 1;
    let page = plain(&broken);
    assert!(page.contains("1 lost") && page.contains("✗ DOES NOT ADD UP"));
    assert!(!broken.adds_up());
}

#[test]
fn the_figures_have_the_keys_that_are_promised() {
    let figures = report::figures(&outcome(tickets::embedded().unwrap()));
    for key in ["submitted", "skipped", "assigned", "resolved", "waiting", "cancelled", "lost"] {
        assert!(figures[format!("tickets_{key}")].is_u64(), "{key}");
    }
    assert!(figures["seconds"].is_f64());
    assert_eq!(figures["by_intent"]["track_order"], 380);
    assert_eq!(figures["by_skill"]["orders"], 380);
    assert_eq!(figures["wait_seconds"]["p99"], 2.0);
    assert_eq!(figures["segments"]["plan"]["verdict"], "below_four_fifths");
    let group = &figures["segments"]["plan"]["groups"]["one"];
    assert_eq!((&group["tickets"], &group["fast_tracked"]["high"]), (&40.into(), &0.4.into()));
}

#[test]
fn colours_are_there_when_asked_for() {
    let page = summary(&outcome(tickets::embedded().unwrap()), Style { colour: true });
    assert!(page.contains("\u{1b}[1;36mEVENHAND\u{1b}[0m"));
}
