//! Every ticket is counted once, by what is in the store.

use proptest::prelude::*;

use super::*;
use crate::demo::tickets;

fn policy() -> v1::Policy {
    let requirement =
        |skill: &str| v1::SkillRequirement { skill_id: skill.to_owned(), ..Default::default() };
    let route = |name: &str, skill| v1::Route {
        name: name.to_owned(),
        requirements: vec![requirement(skill)],
        ..Default::default()
    };
    v1::Policy {
        routes: vec![route("orders", "orders"), route("contact", "triage")],
        triage_skill: "triage".to_owned(),
        language_skills: [("es".to_owned(), "language/es".to_owned())].into(),
        ..Default::default()
    }
}

fn read(intent: &str) -> v1::Reading {
    v1::Reading {
        source: v1::ReadingSource::Model.into(),
        intent: intent.to_owned(),
        language: "en".to_owned(),
        language_supported: true,
        ..Default::default()
    }
}

fn ticket(status: TicketStatus, reading: Option<v1::Reading>, route: &str) -> v1::Ticket {
    let plan = v1::RoutingPlan { route: route.to_owned(), ..Default::default() };
    v1::Ticket {
        status: status.into(),
        plan: reading.as_ref().map(|_| plan),
        reading,
        ..Default::default()
    }
}

fn at(ms: i64) -> Option<Timestamp> {
    let nanos = i32::try_from(ms % 1000 * 1_000_000).unwrap();
    Some(Timestamp { seconds: ms / 1000, nanos })
}

fn tally(tickets: &[v1::Ticket]) -> Tally {
    let (rows, policy) = (tickets::embedded().unwrap(), policy());
    let basis = Basis {
        policy: &policy,
        intents: &["track_order".to_owned()],
        tickets: &rows,
        acknowledged: &BTreeMap::new(),
        board: &Board::default(),
        now_ms: 60_000,
    };
    let mut tally = Tally::default();
    for ticket in tickets {
        tally.count(ticket, 0, &basis);
    }
    tally
}

#[test]
fn a_ticket_cancelled_after_its_assignment_is_cancelled_only() {
    let late = v1::Ticket {
        received_time: at(0),
        assigned_time: at(2_500),
        closed_time: at(9_000),
        ..ticket(TicketStatus::Cancelled, Some(read("track_order")), "orders")
    };
    let tally = tally(&[late]);
    assert_eq!((tally.cancelled, tally.assigned), (1, 0));
    assert_eq!(tally.waits, [Wait { ms: 2_500, assigned: true }]);
    assert!(tally.adds_up());
}

#[test]
fn only_first_contact_and_later_resolution_count_as_resolved() {
    let completed = |resolution: Resolution| {
        let outcome = v1::Outcome { resolution: resolution.into(), ..Default::default() };
        v1::Ticket {
            outcome: Some(outcome),
            ..ticket(TicketStatus::Completed, Some(read("track_order")), "orders")
        }
    };
    let all = [
        Resolution::FirstContact,
        Resolution::Resolved,
        Resolution::Escalated,
        Resolution::WrongIntent,
    ];
    let tally = tally(&all.map(completed));
    assert_eq!((tally.assigned, tally.resolved), (4, 2));
}

#[test]
fn a_lost_ticket_or_an_unknown_status_does_not_add_up() {
    let mut lost = tally(&[]);
    assert!(lost.adds_up());
    lost.count_lost();
    assert!(!lost.adds_up());
    assert!(!tally(&[ticket(TicketStatus::Unspecified, None, "")]).adds_up());
}

#[test]
fn what_cannot_be_read_goes_under_its_own_name() {
    let spanish = v1::Reading { language: "es".to_owned(), language_supported: false, ..read("x") };
    let unknown = v1::Reading { language: String::new(), ..spanish.clone() };
    let far_out = v1::Reading { out_of_scope: true, ..read("track_order") };
    let queued = |reading, route| ticket(TicketStatus::Queued, reading, route);
    let mut triaged = queued(Some(far_out), "triage");
    triaged.plan.as_mut().unwrap().triage_reason = TriageReason::OutOfScope.into();
    let tally = tally(&[
        queued(Some(read("track_order")), "orders"),
        queued(Some(read("contact_human_agent")), "contact"),
        queued(Some(spanish), "language"),
        queued(Some(unknown), "elsewhere"),
        triaged,
        queued(None, ""),
    ]);
    let intents: Vec<&str> = tally.by_intent.keys().map(String::as_str).collect();
    let expected = [
        "contact_human_agent",
        "language:es",
        "language:undetermined",
        "out_of_scope",
        "track_order",
        "unread",
    ];
    assert_eq!(intents, expected);
    let skills =
        [("elsewhere", 1), ("language/es", 1), ("orders", 1), ("triage", 2), ("unread", 1)];
    assert_eq!(tally.by_skill, skills.map(|(skill, count)| (skill.to_owned(), count)).into());
    assert_eq!(tally.reasons["triage"]["out of scope"], 1);
}

#[test]
fn a_ticket_that_waits_has_waited_until_now() {
    let waiting =
        v1::Ticket { received_time: at(15_000), ..ticket(TicketStatus::Queued, None, "") };
    assert_eq!(tally(&[waiting]).waits, [Wait { ms: 45_000, assigned: false }]);
}

#[test]
fn agreement_counts_only_what_the_model_can_know() {
    let label = |text: &str| Some(text.to_owned());
    let truth = |intent| tickets::Truth {
        intent: label(intent),
        urgency: label("high"),
        sentiment: label("neutral"),
        language: label("en"),
    };
    let reading = v1::Reading { urgency: v1::Urgency::High.into(), ..read("track_order") };
    let ticket = ticket(TicketStatus::Queued, Some(reading.clone()), "orders");
    let intents = ["track_order", "review"].map(str::to_owned);
    let mut agreement = Agreement::default();
    for intent in ["track_order", "review", "out_of_scope", "unheard_of"] {
        agreement.count(&ticket, &truth(intent), &intents);
    }
    assert_eq!(agreement.intent, Share { count: 2, hits: 1 });
    assert_eq!(agreement.out_of_scope, Share { count: 1, hits: 0 });
    assert_eq!(agreement.urgency, Share { count: 4, hits: 4 });
    assert_eq!(agreement.sentiment, Share { count: 4, hits: 0 });
    let by_rules = v1::Reading { source: v1::ReadingSource::Rules.into(), ..reading };
    let by_rules = v1::Ticket { reading: Some(by_rules), ..ticket };
    let before = agreement;
    agreement.count(&by_rules, &truth("track_order"), &intents);
    assert_eq!(agreement, before);
}

proptest! {
    #[test]
    fn the_groups_sum_to_the_tickets_whatever_their_status(
        statuses in prop::collection::vec(1_i32..=6, 0..40),
        lost in 0_u64..3,
    ) {
        let tickets: Vec<v1::Ticket> = statuses
            .iter()
            .map(|status| v1::Ticket { status: *status, ..Default::default() })
            .collect();
        let mut tally = tally(&tickets);
        (0..lost).for_each(|_| tally.count_lost());
        prop_assert_eq!(tally.assigned + tally.waiting + tally.cancelled + tally.lost, tally.submitted);
        prop_assert_eq!(tally.adds_up(), lost == 0);
        prop_assert_eq!(tally.by_intent.values().sum::<u64>() + lost, tally.submitted);
        prop_assert_eq!(tally.by_skill.values().sum::<u64>() + lost, tally.submitted);
    }
}
