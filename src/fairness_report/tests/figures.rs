//! The figures are those that counting by hand gives.

use std::collections::BTreeMap;

use super::world::{BEGIN, Made, World, measured, name};
use crate::{
    domain::ticket::Resolution,
    fairness::alarms::State,
    fairness_report::{Figure, GroupReport, Report, rows},
};

/// Five tickets: two in Spanish, two in English, one of whose language nobody knows.
fn five() -> World {
    let mut world = World::new();
    world.receive(0, "a", Some("es"));
    world.accept(10, "a");
    world.complete(30, "a", Resolution::FirstContact, 5);
    world.receive(100, "b", Some("es"));
    world.accept(170, "b");
    world.hire(180, "bo", 2);
    world.hand_on(190, "b", "bo");
    world.accept(200, "b");
    world.complete(250, "b", Resolution::Escalated, 2);
    world.receive(300, "c", Some("en"));
    world.cancel(320, "c");
    world.receive(400, "d", Some("en"));
    world.accept(405, "d");
    world.receive(410, "e", None);
    // The newest entry says until when the others were seen.
    world.hire(800, "cy", 3);
    world
}

fn group<'a>(report: &'a Report, name: &str) -> &'a GroupReport {
    let groups = &report.attributes["language"].groups;
    groups.iter().find(|group| group.group.as_deref() == Some(name)).unwrap()
}

fn counts(figure: &Figure) -> (f64, u64) {
    (figure.numerator.unwrap(), figure.denominator.unwrap())
}

#[test]
fn the_figures_of_five_tickets_are_those_counted_by_hand() {
    let report = five().report(None, None).unwrap();
    let expected = [
        ("sla_breach", (1.0, 2), (0.0, 1), (2.0, 4)),
        ("slow_start", (0.0, 2), (0.0, 1), (1.0, 4)),
        ("abandoned", (0.0, 2), (1.0, 2), (1.0, 4)),
        ("reassigned", (1.0, 2), (0.0, 1), (1.0, 3)),
        ("relaxed", (0.0, 2), (0.0, 1), (0.0, 3)),
        ("first_contact_resolution", (1.0, 2), (0.0, 0), (1.0, 2)),
        ("escalated", (1.0, 2), (0.0, 0), (1.0, 2)),
        ("wrong_intent", (0.0, 2), (0.0, 0), (0.0, 2)),
        ("triaged", (0.0, 2), (0.0, 2), (0.0, 5)),
        ("satisfaction", (7.0, 2), (0.0, 0), (7.0, 2)),
        ("agent_proficiency", (8.0, 2), (4.0, 1), (12.0, 3)),
        ("offers_to_accept", (2.0, 2), (1.0, 1), (3.0, 3)),
    ];
    for (measure, es, en, all) in expected {
        assert_eq!(counts(&group(&report, "es").figures[measure]), es, "{measure}");
        assert_eq!(counts(&group(&report, "en").figures[measure]), en, "{measure}");
        assert_eq!(counts(&report.overall.figures[measure]), all, "{measure}");
    }
    let es = &group(&report, "es").figures;
    assert_eq!(
        (es["wait_median_seconds"].value, es["wait_p95_seconds"].value),
        (Some(10.0), Some(70.0))
    );
    // One of two was assigned after 5 s, the other left after 20 s: half wait on.
    let en = &group(&report, "en").figures;
    assert_eq!(en["wait_median_seconds"].value, Some(5.0));
    assert_eq!(en["still_waiting_after_60_s"].value, Some(0.5));
    assert_eq!(en["first_contact_resolution"].value, None, "nothing of nothing is not 0");
    let language = &report.attributes["language"];
    assert_eq!((language.declared, language.undeclared), (4, 1));
    assert_eq!(language.evidence.state, State::NotEnoughEvidence);
}

#[test]
fn what_is_not_known_and_what_agents_carried_is_counted_too() {
    let report = five().report(None, None).unwrap();
    let not = report.not_known;
    assert_eq!((not.unread, not.without_target, not.waiting), (0, 0, 1));
    assert_eq!((not.in_work, not.cancelled, not.without_satisfaction), (1, 1, 0));
    // Three tickets for ana, one for bo; cy came when all was over.
    let agents = &report.agents;
    assert_eq!((agents.agents, agents.by_agent["ana"].tickets), (2, 3));
    assert!((agents.tickets.max_over_mean.unwrap() - 1.5).abs() < 1e-12);
    assert!((agents.tickets.jain.unwrap() - 0.8).abs() < 1e-12);
    assert!((agents.tickets.gini.unwrap() - 0.25).abs() < 1e-12);
}

#[test]
fn a_window_takes_the_tickets_that_came_in_it_and_follows_them_to_the_end() {
    let world = five();
    let report = world.report(Some(100), Some(400)).unwrap();
    assert_eq!((report.tickets, report.first_received_unix_ms), (2, BEGIN + 100_000));
    assert_eq!(counts(&report.overall.figures["escalated"]), (1.0, 1));
    // The fourth ticket came when the window ends, which is outside.
    assert_eq!(world.report(Some(101), Some(400)).unwrap().tickets, 1);
    assert!(world.report(Some(500), None).is_none());
}

/// Tickets by turns: of the first value one in ten misses the target, of the second six in ten.
fn unequal() -> Vec<Made> {
    let late = |place: usize| match place % 2 {
        0 => (place / 2).is_multiple_of(10),
        _ => place / 2 % 10 < 6,
    };
    let ticket = |place: usize| Made {
        value: Some(place % 2),
        waited_secs: Some(if late(place) { 90 } else { 5 }),
        outcome: Some((Resolution::Resolved, Some(4))),
    };
    (0..600).map(ticket).collect()
}

#[test]
fn a_group_that_waits_too_long_raises_an_alarm_with_its_size_and_its_time() {
    let report = measured(&unequal(), 10);
    let plan = &report.attributes["plan"];
    assert_eq!(plan.evidence.state, State::Unfair);
    let alarm = report
        .alarms
        .iter()
        .find(|alarm| alarm.comparison.group.as_deref() == Some("value-1"))
        .unwrap();
    let it = &alarm.comparison;
    assert_eq!((it.measure, it.own.count(), it.others.count()), ("sla_breach", 300, 300));
    assert_eq!((it.own.hits(), it.others.hits()), (180, 30));
    assert!((it.difference.unwrap() - 0.5).abs() < 1e-12);
    let since = it.since_unix_ms.unwrap();
    assert!(BEGIN < since && since < BEGIN + 300 * 60_000, "{since}");
    assert!(plan.gaps_by_period["sla_breach"].iter().flatten().any(|gap| *gap > 0.3));
}

#[test]
fn the_order_of_tickets_changes_verdicts_at_most_never_figures() {
    let made = unequal();
    let mut turned = made.clone();
    turned.rotate_left(217);
    turned.reverse();
    // Waits and outcomes come with the ticket; only fast-tracking goes by place in these.
    let of = |made: &[Made]| {
        let groups = measured(made, 10).attributes["plan"].groups.clone();
        let figures = groups.into_iter().map(|mut group| {
            group.figures.remove("fast_tracked");
            (group.group, group.tickets, group.figures, group.wait_curve)
        });
        figures.collect::<Vec<_>>()
    };
    assert_eq!(of(&made), of(&turned));
}

#[test]
fn rows_hold_every_figure_once() {
    let report = measured(&unequal(), 10);
    let mut found: BTreeMap<(String, String, String), Option<f64>> = BTreeMap::new();
    for row in rows(&report) {
        let key = (row.attribute.clone(), row.group.clone(), row.measure.clone());
        assert!(found.insert(key, row.value).is_none(), "twice: {row:?}");
    }
    let of = |group: &str, measure: &str| {
        found[&("plan".to_owned(), group.to_owned(), measure.to_owned())]
    };
    assert_eq!(of(&name(1), "sla_breach"), Some(0.6));
    assert_eq!(of(&name(1), "tickets"), Some(300.0));
    assert!((of(&name(1), "sla_breach_difference_from_others").unwrap() - 0.5).abs() < 1e-12);
    assert!(found.keys().any(|(_, _, measure)| measure.starts_with("sla_breach@2025-06-15T")));
}
