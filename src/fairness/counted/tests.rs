//! Measures from counts are those from tickets, but for the grid of waits.

use proptest::prelude::*;

use super::*;
use crate::{
    domain::{
        facts::TicketFacts,
        ticket::{Resolution, Status},
        time::UnixMillis,
    },
    fairness::{
        Rate, Wait,
        accumulate::{GRID_GROWTH, Observation, Plan},
        measure,
    },
};

const NOW: UnixMillis = UnixMillis(20_000_000);
const WINDOW_MS: i64 = 1_000_000;

fn any_ticket() -> impl Strategy<Value = TicketFacts> {
    let flag = || proptest::option::of(any::<bool>());
    let value = prop::sample::select(vec!["en", "en", "en", "es", "es", "de", "fr", ""]);
    let resolution = prop_oneof![Just(Resolution::FirstContact), Just(Resolution::Resolved)];
    let resolution = proptest::option::of(resolution);
    let secs = || proptest::option::weighted(0.7, 1_i64..4_000);
    let target = proptest::option::of(1_u32..4_000);
    (value, 0_i64..9_000, flag(), resolution, flag(), target, secs(), secs()).prop_map(
        |(value, received, fast_tracked, resolution, reassigned, target_secs, assigned, closed)| {
            let at = |secs: i64| UnixMillis((received + secs) * 1_000);
            TicketFacts {
                segments: [("language".to_owned(), value.to_owned())].into(),
                status: Status::Queued,
                received_at: at(0),
                assigned_at: assigned.map(at),
                closed_at: closed.map(|secs| at(secs + assigned.unwrap_or(0))),
                target_secs,
                fast_tracked,
                triaged: fast_tracked.map(|fast| !fast),
                resolution,
                reassigned: reassigned.filter(|_| assigned.is_some()),
                agent: None,
            }
        },
    )
}

fn counted(facts: &[TicketFacts]) -> (Accumulator, Waiting) {
    let plan = Plan { attributes: 1, intersections: Vec::new(), window_ms: WINDOW_MS, windows: 3 };
    let (mut counts, mut waiting) = (Accumulator::new(plan), Waiting::new());
    for ticket in facts {
        let value = ticket.segments["language"].as_str();
        let seen = Observation::of(ticket, NOW);
        if seen.wait.is_none() {
            let waits = waiting.entry((0, value.to_owned())).or_default();
            waits.push(Wait::of(ticket, NOW).into());
        }
        counts.add(&[value], ticket.received_at, &seen);
    }
    (counts, waiting)
}

fn options(shown_tickets_min: u64) -> Options {
    Options {
        shown_tickets_min,
        group_tickets_min: 3,
        ..Options::new(vec!["language".to_owned()], NOW)
    }
}

/// All but the times of waits.
fn without_times(mut measures: AttributeMeasures) -> AttributeMeasures {
    for segment in &mut measures.segments {
        segment.wait.median_secs = None;
        segment.wait.p95_secs = None;
        segment.wait.restricted_mean_secs = None;
    }
    measures
}

proptest! {
    #[test]
    fn measures_from_counts_are_those_from_tickets(
        facts in prop::collection::vec(any_ticket(), 0..120),
        shown in prop_oneof![Just(1_u64), Just(10)],
    ) {
        let (counts, waiting) = counted(&facts);
        let found = measure_counts(&counts, Span::SinceStart, &waiting, &options(shown)).remove(0);
        let exact = measure(&facts, &options(shown)).remove(0);
        for (found, exact) in found.segments.iter().zip(&exact.segments) {
            let mean = |segment: &SegmentMeasures| segment.wait.restricted_mean_secs.unwrap();
            // Each wait is the time of its bin. Those that end unassigned between two times are another matter.
            if exact.wait.censored_count == 0 {
                let most = mean(exact) * GRID_GROWTH + 1.0;
                prop_assert!(mean(exact) <= mean(found) + 1e-9 && mean(found) <= most);
            }
        }
        prop_assert_eq!(without_times(found), without_times(exact));

        let newest = facts.iter().map(|ticket| ticket.received_at.0 / WINDOW_MS).max().unwrap_or(0);
        let recent: Vec<TicketFacts> = facts
            .into_iter()
            .filter(|ticket| ticket.received_at.0 / WINDOW_MS > newest - 3)
            .collect();
        let (_, waiting) = counted(&recent);
        let found = measure_counts(&counts, Span::Recent, &waiting, &options(shown)).remove(0);
        let exact = measure(&recent, &options(shown)).remove(0);
        prop_assert_eq!(without_times(found), without_times(exact));
    }
}

#[test]
fn rates_are_the_counts_and_targets_missed_are_not_met() {
    let ticket = |assigned: i64| TicketFacts {
        segments: [("language".to_owned(), "en".to_owned())].into(),
        status: Status::Assigned,
        received_at: UnixMillis(0),
        assigned_at: Some(UnixMillis(assigned)),
        closed_at: None,
        target_secs: Some(60),
        fast_tracked: Some(assigned == 1),
        triaged: Some(false),
        resolution: None,
        reassigned: Some(false),
        agent: None,
    };
    let (counts, waiting) = counted(&[ticket(1), ticket(60_000), ticket(60_001)]);
    let measures = measure_counts(&counts, Span::SinceStart, &waiting, &options(1)).remove(0);
    let en = &measures.segments[0];
    assert_eq!(en.target_met, Some(Rate::counted(2, 1)));
    assert_eq!(en.fast_tracked, Some(Rate::counted(1, 2)));
    assert_eq!(en.first_contact, Some(Rate::default()));
    assert_eq!((en.wait.assigned_count, en.wait.censored_count), (3, 0));
}
