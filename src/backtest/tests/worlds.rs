//! What other policies do with history.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::day::*;
use crate::{
    backtest::{
        Report, Request, Segments, Verdict, backtest,
        history::History,
        page,
        report::tally,
        tally::Treatment,
        text,
        world::{Plot, Script},
    },
    domain::{
        event::Event,
        policy::{Policy, Requirement},
        ticket::Status,
        time::UnixMillis,
    },
};

fn report(history: &History, policy: &Policy, segments: &Segments) -> Report {
    let changed = &["routes".to_owned()];
    let request = Request { workspace: "default", policy, changed, segments, seed: 11 };
    backtest(history, request, &|_| {}).unwrap()
}

fn segments(history: &History, value: impl Fn(usize) -> Option<&'static str>) -> Segments {
    let tickets = history.chronicle.tickets.keys().enumerate();
    let values = tickets.filter_map(|(place, ticket)| {
        let region = value(place)?.to_owned();
        Some((ticket.clone(), BTreeMap::from([("region".to_owned(), region)])))
    });
    values.collect()
}

#[test]
fn the_same_policy_makes_no_difference_at_all() {
    let history = Day::new(1, policy(), Habits::ALL).live(300).history();
    let report = report(&history, &policy(), &Segments::new());
    assert_eq!(report.baseline, report.candidate);
    assert_eq!(report.replayed.same, report.replayed.offers);
    let wait = report.difference.wait_seconds;
    assert_eq!((wait.mean, wait.verdict), (Some(0.0), Verdict::NoDifferenceShown));
    assert_eq!(report.policy_versions.candidate_base, 1);
}

#[test]
fn a_skill_that_nobody_has_leaves_everything_waiting() {
    let mut day = Day::new(2, policy(), Habits::PLAIN);
    let rare = skill("rare");
    let description = String::new();
    day.tell(crate::routing::Input::CreateSkill { skill: rare.clone(), description });
    let history = day.live(300).history();
    let mut strict = policy();
    strict.triage_after_secs = None;
    strict.triage_skill = rare.clone();
    for route in &mut strict.routes {
        route.requirements = vec![Requirement::new(rare.clone(), 1, true)];
    }
    let report = report(&history, &strict, &Segments::new());
    assert_eq!((report.candidate.assigned, report.candidate.waiting), (0, 300));
    assert_eq!(report.candidate.wait_seconds.p50, None);
    assert_eq!(report.candidate.load.tickets.gini, None, "nobody has any load");
    assert!(report.baseline.assigned > 290);
    assert_eq!(report.difference.wait_seconds.verdict, Verdict::Higher);
    assert_eq!(report.difference.assigned.verdict, Verdict::Lower);
    assert_eq!(report.difference.offers.verdict, Verdict::NotEnoughEvidence);
}

#[test]
fn a_policy_that_lets_anybody_take_anything_shortens_waits() {
    let history = Day::new(3, policy(), Habits::PLAIN).live(600).history();
    let mut loose = policy();
    loose.routes.iter_mut().for_each(|route| route.requirements.clear());
    let report = report(&history, &loose, &Segments::new());
    let (is, was) = (&report.candidate.wait_seconds, &report.baseline.wait_seconds);
    assert!(is.mean < was.mean, "{is:?} {was:?}");
    assert_eq!(report.difference.wait_seconds.verdict, Verdict::Lower);
}

#[test]
fn fewer_people_make_longer_waits() {
    let plain = Day::new(4, policy(), Habits::PLAIN).live(300);
    let mut history = plain.history();
    let before = report(&history, &policy(), &Segments::new()).baseline;
    let left = |event: &Event| event.agent().is_some_and(|agent| agent.as_str() == "ana");
    history.happenings.retain(|happening| !left(&happening.event));
    let after = report(&history, &policy(), &Segments::new()).baseline;
    assert_eq!((before.load.agents, after.load.agents), (5, 4));
    assert!(after.wait_seconds.mean > before.wait_seconds.mean, "{after:?} {before:?}");
}

#[test]
fn tickets_cancelled_while_waiting_leave_at_the_same_age() {
    let history = Day::new(5, policy(), Habits::ALL).live(400).history();
    let mut slow = policy();
    slow.routes.iter_mut().for_each(|route| {
        route.requirements = vec![Requirement::new(skill("billing"), 5, true)];
    });
    let plot = Plot { script: Script::Habits, policy: Some(&slow), seed: 1 };
    let run = tally(&history, plot, &|_| {}).unwrap();
    let left = |ticket: &Treatment| ticket.status == Status::Cancelled;
    let mut count = 0;
    for (was, is) in history.recorded.tickets.iter().zip(&run.tickets).filter(|(was, _)| left(was))
    {
        assert_eq!(was.ticket, is.ticket);
        // Whoever got it first, it was gone by then or somebody had it in hand.
        if is.assigned_at.is_none() {
            assert_eq!((is.status, is.closed_at), (Status::Cancelled, was.closed_at));
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
    let late = run.tickets.iter().filter(|ticket| left(ticket) && ticket.assigned_at.is_none());
    assert_eq!(late.count(), count, "nobody else leaves");
}

#[test]
fn a_bound_on_open_tickets_refuses_some_at_the_door() {
    let history = Day::new(6, policy(), Habits::PLAIN).live(200).history();
    let mut bounded = policy();
    bounded.open_tickets_max = Some(5);
    let report = report(&history, &bounded, &Segments::new());
    assert!(report.candidate.tickets < 200 && report.baseline.tickets == 200);
    assert_eq!(report.difference.wait_seconds.tickets, report.candidate.tickets);
}

#[test]
fn small_groups_are_left_out_and_cannot_be_worked_out() {
    let history = Day::new(7, policy(), Habits::PLAIN).live(200).history();
    let three = |place: usize| {
        Some(match place {
            0..10 => "few",
            10..60 => "some",
            _ => "many",
        })
    };
    let report = report(&history, &policy(), &segments(&history, three));
    let groups = &report.baseline.fairness["region"].groups;
    assert!(groups["few"].suppressed && groups["few"].wait_mean_seconds.is_none());
    assert!(groups["some"].suppressed, "else the few are all less the others");
    assert!(!groups["many"].suppressed && groups["many"].wait_mean_seconds.is_some());
    assert_eq!(groups["few"].tickets, 10);
}

#[test]
fn the_text_and_the_page_show_all_columns_and_no_markup_of_names() {
    let history = Day::new(9, policy(), Habits::ALL).live(300).history();
    let odd = |place: usize| place.is_multiple_of(2).then_some("<b>north</b>");
    let mut report = report(&history, &policy(), &segments(&history, odd));
    report.workspace = "<i>".to_owned();
    report.warnings.push("a <warning>".to_owned());
    let shown = text(&report);
    for part in ["recorded", "baseline", "candidate", "wait, median", "region = <b>north</b>"] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    let html = page(&report);
    for part in ["<svg", "a &lt;warning&gt;", "&lt;b&gt;north", "ana"] {
        assert!(html.contains(part), "{part} is missing");
    }
    assert!(!html.contains("<b>north") && !html.contains("<i>") && !html.contains("NaN"), "{html}");
    assert!(!html.contains("http"), "nothing is loaded from anywhere");
}

#[test]
fn the_window_decides_which_policies_were_in_force() {
    let mut day = Day::new(10, policy(), Habits::PLAIN);
    day.now = UnixMillis(BEGIN.0 + 50);
    let longer = Policy { offer_timeout_secs: 25, ..policy() };
    day.tell(crate::routing::Input::SetPolicy { policy: longer, expected: None });
    let day = day.live(60);
    let versions = |from| day.window(from, None).policy_versions.into_iter().collect::<Vec<_>>();
    assert_eq!(versions(None), [1, 2]);
    assert_eq!(versions(Some(UnixMillis(BEGIN.0 + 100))), [2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn segments_change_nothing_but_the_fairness_block(seed in 0_u64..1000, turn in 1_usize..5) {
        let history = Day::new(seed, policy(), Habits::ALL).live(80).history();
        let names = ["north", "south", "east", "west"];
        let one = segments(&history, |place| Some(names[place % 4]));
        let other = segments(&history, |place| Some(names[(place / turn + turn) % 4]));
        let blind = |segments: &Segments| {
            let mut report = report(&history, &policy(), segments);
            for measures in [&mut report.recorded, &mut report.baseline, &mut report.candidate] {
                measures.fairness.clear();
            }
            report
        };
        prop_assert_eq!(blind(&one), blind(&other));
    }
}
