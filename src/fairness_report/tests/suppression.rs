//! Nothing that is left out follows from what is shown.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::{Made, measured, name};
use crate::{
    domain::ticket::Resolution,
    fairness_report::{Figure, Report, text},
};

fn any_ticket() -> impl Strategy<Value = Made> {
    // Small values are rare, so that some groups are small and some are not.
    let value = (0_usize..40).prop_map(|drawn| match drawn {
        0..18 => Some(0),
        18..30 => Some(1),
        30..35 => Some(2),
        35..37 => Some(3),
        37 => Some(4),
        _ => None,
    });
    let resolution = prop_oneof![
        Just(Resolution::FirstContact),
        Just(Resolution::Resolved),
        Just(Resolution::Escalated),
    ];
    let outcome = proptest::option::weighted(0.3, (resolution, proptest::option::of(1_u8..=5)));
    (value, proptest::option::weighted(0.8, 0_u32..200), outcome).prop_map(
        |(value, waited_secs, outcome)| {
            let outcome = outcome.filter(|_| waited_secs.is_some());
            Made { value, waited_secs, outcome }
        },
    )
}

/// How many tickets of each value have an outcome; what a naive reader of the raw data counts.
fn completed(made: &[Made]) -> BTreeMap<String, (u64, u64)> {
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for ticket in made {
        if let (Some(value), Some((how, _))) = (ticket.value, ticket.outcome) {
            let count = counts.entry(name(value)).or_default();
            count.0 += u64::from(how == Resolution::FirstContact);
            count.1 += 1;
        }
    }
    counts
}

fn sizes(made: &[Made]) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    for value in made.iter().filter_map(|ticket| ticket.value) {
        *sizes.entry(name(value)).or_default() += 1;
    }
    sizes
}

/// What a reader who knows the sum over all groups cannot tell apart.
fn assert_closed(figures: &[Figure], total: u64, tickets_min: u64) {
    let known = |figure: &&Figure| figure.denominator.is_some_and(|count| count > 0);
    let shown: Vec<&Figure> = figures.iter().filter(known).collect();
    for figure in &shown {
        assert!(figure.denominator.unwrap() >= tickets_min, "{figure:?}");
    }
    let rest = total - shown.iter().map(|figure| figure.denominator.unwrap()).sum::<u64>();
    if !shown.is_empty() && rest > 0 {
        let hidden = figures.iter().filter(|figure| figure.suppressed).count();
        assert!(hidden > 1 && rest >= tickets_min, "{hidden} hidden with {rest}: {figures:?}");
    }
    for figure in figures.iter().filter(|figure| figure.suppressed) {
        assert_eq!(*figure, Figure::SUPPRESSED);
    }
}

/// No small value is named anywhere, in data, in the text or on the page.
fn assert_unnamed(report: &Report, made: &[Made], tickets_min: u64) {
    let written = serde_json::to_string(report).unwrap()
        + &text(report)
        + &crate::fairness_report::page(report)
        + &format!("{:?}", crate::fairness_report::rows(report));
    for (value, _) in sizes(made).iter().filter(|(_, size)| **size < tickets_min) {
        assert!(!written.contains(value.as_str()), "{value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_left_out_does_not_follow_by_subtraction(
        made in proptest::collection::vec(any_ticket(), 1..160),
        tickets_min in 2_u64..14,
    ) {
        let report = measured(&made, tickets_min);
        let plan = &report.attributes["plan"];
        assert_unnamed(&report, &made, tickets_min);
        let completed: u64 = completed(&made).values().map(|(_, count)| count).sum();
        for measure in ["first_contact_resolution", "escalated", "wrong_intent"] {
            let figures: Vec<Figure> =
                plan.groups.iter().map(|group| group.figures[measure]).collect();
            assert_closed(&figures, completed, tickets_min);
        }
        let declared = plan.declared;
        let waits: Vec<Figure> =
            plan.groups.iter().map(|group| group.figures["wait_median_seconds"]).collect();
        assert_closed(&waits, declared, tickets_min);
        for group in &plan.groups {
            for (measure, course) in &group.by_period {
                let total = group.figures[measure].denominator.unwrap();
                assert_closed(course, total, tickets_min);
            }
        }
        for compared in &plan.evidence.comparisons {
            prop_assert!(compared.own.count() >= tickets_min, "{compared:?}");
            let others = compared.others.count();
            prop_assert!(others == 0 || others >= tickets_min, "{compared:?}");
        }
    }

    #[test]
    fn what_is_shown_is_what_counting_gives(
        made in proptest::collection::vec(any_ticket(), 1..160),
    ) {
        let report = measured(&made, 10);
        let (counted, sizes) = (completed(&made), sizes(&made));
        let plan = &report.attributes["plan"];
        for group in &plan.groups {
            let Some(value) = &group.group else { continue };
            prop_assert_eq!(group.tickets, sizes.get(value).copied());
            let figure = group.figures["first_contact_resolution"];
            let (hits, count) = counted.get(value).copied().unwrap_or_default();
            if !figure.suppressed {
                prop_assert_eq!((figure.numerator, figure.denominator), (Some(hits as f64), Some(count)));
            }
        }
        let all: u64 = sizes.values().sum();
        prop_assert_eq!(plan.declared + plan.undeclared, report.tickets);
        prop_assert_eq!(plan.declared, all);
    }
}

#[test]
fn a_single_small_group_takes_another_with_it_into_one() {
    let ticket = |value| Made { value: Some(value), waited_secs: Some(1), outcome: None };
    let of = |sizes: [usize; 3]| {
        let made: Vec<Made> = (0..3).flat_map(|value| vec![ticket(value); sizes[value]]).collect();
        measured(&made, 10).attributes["plan"].clone()
    };
    let plan = of([40, 20, 3]);
    let names: Vec<Option<&str>> = plan.groups.iter().map(|g| g.group.as_deref()).collect();
    assert_eq!(names, [Some("value-0"), None]);
    assert_eq!((plan.groups[1].tickets, plan.values_put_together), (Some(23), 2));
    assert_eq!(of([40, 20, 13]).values_put_together, 0);
}

#[test]
fn too_few_tickets_in_all_have_no_figure_at_all() {
    let ticket = Made { value: Some(0), waited_secs: Some(1), outcome: None };
    let report = measured(&vec![ticket; 9], 10);
    let untold = |figure: &Figure| figure.suppressed || figure.denominator == Some(0);
    assert!(report.overall.figures.values().all(untold), "{:?}", report.overall);
    assert!(report.overall.wait_curve.is_empty());
    let group = &report.attributes["plan"].groups[0];
    assert_eq!((group.tickets, group.group.as_deref()), (None, None));
    assert!(group.wait_curve.is_empty() && group.figures.values().all(untold));
    assert!(report.attributes["plan"].evidence.comparisons.is_empty());
}
