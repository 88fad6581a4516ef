//! Whatever the parts and their order, the counts are those of counting.

use proptest::prelude::*;

use super::*;
use crate::fairness::{
    Rate,
    waits::{Elapsed, WaitCurve},
};

const WINDOW_MS: i64 = 1_000;

fn plan() -> Plan {
    let intersections = vec![vec![0, 1]];
    Plan { attributes: 2, intersections, window_ms: WINDOW_MS, windows: 3 }
}

#[derive(Clone, Debug)]
struct Ticket {
    values: [String; 2],
    at: UnixMillis,
    seen: Observation,
}

impl Ticket {
    fn values(&self) -> [&str; 2] {
        [&self.values[0], &self.values[1]]
    }
}

fn any_ticket(names: usize) -> impl Strategy<Value = Ticket> {
    let flag = || proptest::option::of(any::<bool>());
    let value =
        || (0..=names).prop_map(|n| if n == 0 { String::new() } else { format!("v{n:03}") });
    let wait = proptest::option::of((0_u64..4_000_000, any::<bool>()));
    let labelled = proptest::option::of(any::<(bool, bool)>());
    ((value(), value()), 0_i64..8_000, flag(), labelled, flag(), flag(), wait).prop_map(
        |((a, b), at, selected, labelled, target_breached, first_contact, wait)| Ticket {
            values: [a, b],
            at: UnixMillis(at),
            seen: Observation {
                arrived: true,
                selected,
                labelled,
                target_breached,
                reassigned: None,
                first_contact,
                triaged: first_contact.map(|first| !first),
                wait,
            },
        },
    )
}

fn counted<'a>(tickets: impl IntoIterator<Item = &'a Ticket>) -> Accumulator {
    let mut counts = Accumulator::new(plan());
    tickets.into_iter().for_each(|ticket| counts.add(&ticket.values(), ticket.at, &ticket.seen));
    // What is kept for speed alone is no part of the counts.
    counts.joined.clear();
    counts
}

proptest! {
    #[test]
    fn merging_in_any_order_equals_one_stream(
        tickets in proptest::collection::vec(any_ticket(90), 0..200),
        parts in 1_usize..6,
        turn in 0_usize..6,
    ) {
        let whole = counted(&tickets);
        let part = |at: usize| counted(tickets.iter().skip(at).step_by(parts));
        let mut order: Vec<usize> = (0..parts).collect();
        order.rotate_left(turn % parts);
        let mut merged = Accumulator::new(plan());
        order.iter().for_each(|at| merged.merge(&part(*at)));
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(&counted(tickets.iter().rev()), &whole);
    }

    #[test]
    fn the_counts_are_those_of_counting(tickets in proptest::collection::vec(any_ticket(3), 0..80)) {
        let counts = counted(&tickets);
        let newest = tickets.iter().map(|ticket| ticket.at.0 / WINDOW_MS).max().unwrap_or(0);
        for segment in counts.segments(2) {
            let of = |ticket: &&Ticket| ticket.values.join("|") == segment.name;
            let recent = |ticket: &&Ticket| ticket.at.0 / WINDOW_MS > newest - 3;
            let selected: Rate = tickets.iter().filter(of).filter_map(|t| t.seen.selected).collect();
            prop_assert_eq!(segment.since_start.selected(), selected);
            let lately = tickets.iter().filter(of).filter(recent).count() as u64;
            prop_assert_eq!(segment.recent.tickets(), lately);
            let urgent = |t: &Ticket| t.seen.labelled.filter(|l| l.1).map(|l| l.0);
            let positives: Rate = tickets.iter().filter(of).filter_map(urgent).collect();
            prop_assert_eq!(segment.since_start.positives(), positives);
        }
        let named: u64 = counts.segments(0).map(|segment| segment.since_start.tickets()).sum();
        prop_assert_eq!(named + counts.undeclared(0).unwrap().since_start.tickets(), tickets.len() as u64);
    }

    #[test]
    fn what_is_taken_back_leaves_nothing_and_a_late_label_is_as_if_it_had_been_there(
        tickets in proptest::collection::vec(any_ticket(3), 1..40),
        wrong in any_ticket(3),
    ) {
        let first = &tickets[0];
        let later = Observation { labelled: first.seen.labelled, ..Observation::default() };
        let early = Observation { labelled: None, ..first.seen };
        let mut counts = Accumulator::new(plan());
        counts.add(&first.values(), first.at, &early);
        tickets[1..].iter().for_each(|t| counts.add(&t.values(), t.at, &t.seen));
        // A wrong outcome of the same ticket, and then the right one.
        counts.add(&first.values(), first.at, &wrong.seen);
        counts.retract(&first.values(), first.at, &wrong.seen);
        counts.add(&first.values(), first.at, &later);
        counts.joined.clear();
        let expected = counted(&tickets);
        for grouping in 0..3 {
            let of = |c: &Accumulator| -> Vec<_> {
                c.segments(grouping).map(|s| (s.name.to_owned(), s.since_start.clone())).collect()
            };
            prop_assert_eq!(of(&counts), of(&expected));
        }
    }

    #[test]
    fn quantiles_lie_within_a_step_of_the_grid_above_the_exact_ones(
        waits in proptest::collection::vec((1_000_u64..4_000_000_000, Just(true)), 1..100),
        twentieths in 1_u32..20,
    ) {
        let mut counts = Accumulator::new(plan());
        for wait in &waits {
            let seen = Observation { wait: Some(*wait), ..Observation::default() };
            counts.add(&["a", ""], UnixMillis(0), &seen);
        }
        let elapsed = |(ms, assigned): &(u64, bool)| Elapsed { secs: *ms as f64 / 1000.0, assigned: *assigned };
        let exact: WaitCurve = waits.iter().map(elapsed).collect();
        let share = f64::from(twentieths) / 20.0;
        let segment = counts.segments(0).next().unwrap();
        let grid = segment.since_start.waits().curve(std::iter::empty());
        let (found, exact) = (grid.quantile_secs(share).unwrap(), exact.quantile_secs(share).unwrap());
        prop_assert!(exact <= found && found <= exact * GRID_GROWTH + 0.001, "{exact} {found}");
    }
}

#[test]
fn the_first_by_name_are_kept_and_the_others_counted_together() {
    let mut counts = Accumulator::new(plan());
    let seen = Observation { arrived: true, ..Observation::default() };
    for number in (0..100).rev() {
        counts.add(&[&format!("v{number:03}"), ""], UnixMillis(0), &seen);
    }
    let segments: Vec<_> = counts.segments(0).collect();
    assert_eq!(segments.len(), ACCUMULATED_SEGMENTS_MAX + 1);
    assert_eq!((segments[0].name, segments[0].since_start.tickets()), ("v000", 1));
    let beyond = segments.last().unwrap();
    assert_eq!((beyond.name, beyond.since_start.tickets()), ("", 36));
}

#[test]
fn windows_pass_and_what_comes_late_for_one_that_is_gone_counts_since_the_start_alone() {
    let mut counts = Accumulator::new(plan());
    let seen = Observation { arrived: true, ..Observation::default() };
    for at in [500, 1_500, 2_500, 3_500, 200] {
        counts.add(&["a", "b"], UnixMillis(at), &seen);
    }
    let segment = counts.segments(2).next().unwrap();
    assert_eq!((segment.name, segment.since_start.tickets()), ("a|b", 5));
    assert_eq!(segment.recent.tickets(), 3);
}
