//! Waits against naive oracles: exact fractions, redistribution, and a sum over milliseconds.

use proptest::prelude::*;

use super::*;

fn assigned(ms: u64) -> Wait {
    Wait { ms, assigned: true }
}

fn censored(ms: u64) -> Wait {
    Wait { ms, assigned: false }
}

/// Few distinct times, so that ties are common.
fn any_waits(count_max: usize) -> impl Strategy<Value = Vec<Wait>> {
    let wait = (0_u64..12, any::<bool>()).prop_map(|(ms, assigned)| Wait { ms, assigned });
    proptest::collection::vec(wait, 0..=count_max)
}

/// The product-limit estimate at `ms` as an exact fraction, counted from scratch at every time.
fn exact_survival(waits: &[Wait], ms: u64) -> (u128, u128) {
    let (mut numerator, mut denominator) = (1, 1);
    for time in 0..=ms {
        let at_risk = waits.iter().filter(|wait| wait.ms >= time).count() as u128;
        let events = waits.iter().filter(|wait| wait.ms == time && wait.assigned).count() as u128;
        if events > 0 {
            numerator *= at_risk - events;
            denominator *= at_risk;
        }
    }
    (numerator, denominator)
}

/// The same estimate by another road: every censored ticket hands its weight to those seen waiting
/// longer (B. Efron, 1967).
fn survival_by_redistribution(waits: &[Wait], ms: u64) -> f64 {
    let mut ordered = waits.to_vec();
    // At one moment, assignments come before tickets last seen then.
    ordered.sort_by_key(|wait| (wait.ms, !wait.assigned));
    let mut weights = vec![1.0 / waits.len() as f64; waits.len()];
    for index in 0..ordered.len() {
        let later = ordered.len() - index - 1;
        if !ordered[index].assigned && later > 0 {
            let share = weights[index] / later as f64;
            weights[index] = 0.0;
            weights[index + 1..].iter_mut().for_each(|weight| *weight += share);
        }
    }
    let gone = |(wait, weight): (&Wait, f64)| (wait.assigned && wait.ms <= ms).then_some(weight);
    1.0 - ordered.iter().zip(weights).filter_map(gone).sum::<f64>()
}

#[test]
fn without_tickets_nothing_is_estimated() {
    let curve = WaitCurve::new(Vec::new());
    assert_eq!((curve.assigned_count(), curve.censored_count()), (0, 0));
    assert_eq!(curve.survival_at(0.0), None);
    assert_eq!(curve.quantile_secs(0.5), None);
    assert_eq!(curve.restricted_mean_secs(60.0), None);
}

#[test]
fn a_ticket_assigned_at_once_does_not_wait() {
    let curve = WaitCurve::new(vec![assigned(0)]);
    assert_eq!(curve.survival_at(0.0), Some(0.0));
    assert_eq!(curve.quantile_secs(0.5), Some(0.0));
    assert_eq!(curve.restricted_mean_secs(60.0), Some(0.0));
}

#[test]
fn while_nobody_is_assigned_there_is_no_median_and_the_mean_is_the_horizon() {
    let measures = WaitCurve::new(vec![censored(500_000); 3]).measures(400.0);
    assert_eq!((measures.assigned_count, measures.censored_count), (0, 3));
    assert_eq!((measures.median_secs, measures.p95_secs), (None, None));
    assert_eq!(measures.restricted_mean_secs, Some(400.0));
}

#[test]
fn the_median_is_met_at_exactly_one_half_where_floating_point_misses_it() {
    // 14/15 · 9/12 · 5/7 = 1/2: of 15, one is assigned and two leave; of 12, three and two; of 7, two.
    let naive = [(14.0, 15.0), (9.0, 12.0), (5.0, 7.0)].iter().fold(1.0, |s, (d, n)| s * d / n);
    assert!(naive > 0.5, "the trap is there");
    let tied = |wait: Wait, count| vec![wait; count];
    let waits = [
        tied(assigned(1000), 1),
        tied(censored(1500), 2),
        tied(assigned(2000), 3),
        tied(censored(2500), 2),
        tied(assigned(3000), 2),
        tied(censored(3500), 5),
    ];
    assert_eq!(WaitCurve::new(waits.concat()).quantile_secs(0.5), Some(3.0));
}

#[test]
fn leaving_out_those_who_still_wait_would_flatter_and_the_estimate_does_not() {
    let waits = vec![assigned(1000), assigned(2000), censored(90_000), censored(90_000)];
    let curve = WaitCurve::new(waits);
    assert_eq!(curve.quantile_secs(0.5), Some(2.0));
    assert_eq!(curve.quantile_secs(0.95), None);
    assert_eq!(curve.survival_at(60.0), Some(0.5));
}

#[test]
fn a_ticket_last_seen_at_the_moment_of_an_assignment_was_still_waiting_at_it() {
    let curve = WaitCurve::new(vec![censored(1000), assigned(1000)]);
    assert_eq!(curve.survival_at(1.0), Some(0.5));
}

#[test]
fn freireichs_leukaemia_patients_have_the_textbook_curve() {
    // Weeks in remission under 6-mercaptopurine (Freireich et al., Blood 21 (1963) 699-716): the
    // worked example of most textbooks, with S(6) = 0.857, S(10) = 0.753, S(23) = 0.448, median 23.
    let relapsed = [6, 6, 6, 7, 10, 13, 16, 22, 23];
    let still_well = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
    let mut waits: Vec<_> = relapsed.map(|week| assigned(week * 1000)).to_vec();
    waits.extend(still_well.map(|week| censored(week * 1000)));
    let curve = WaitCurve::new(waits);
    for (week, survival) in [(5.9, 1.0), (6.0, 0.8571), (10.0, 0.7529), (23.0, 0.4482)] {
        assert!((curve.survival_at(week).unwrap() - survival).abs() < 5e-5, "week {week}");
    }
    assert_eq!(curve.quantile_secs(0.5), Some(23.0));
}

proptest! {
    #[test]
    fn the_curve_is_the_exact_product_and_the_redistributed_weight(waits in any_waits(14)) {
        let curve = WaitCurve::new(waits.clone());
        for ms in 0..14 {
            let Some(survival) = curve.survival_at(ms as f64 / 1000.0) else {
                prop_assert!(waits.is_empty());
                continue;
            };
            let (numerator, denominator) = exact_survival(&waits, ms);
            prop_assert!((survival - numerator as f64 / denominator as f64).abs() < 1e-12);
            prop_assert!((survival - survival_by_redistribution(&waits, ms)).abs() < 1e-12);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_exact_fractions(waits in any_waits(14), twentieths in 1_u128..20) {
        // S(t) <= 1 - q with q in twentieths, decided in integers.
        let reached = |ms: &u64| {
            let (numerator, denominator) = exact_survival(&waits, *ms);
            20 * numerator <= (20 - twentieths) * denominator
        };
        let expected = (0..14).find(reached).map(seconds);
        let curve = WaitCurve::new(waits.clone());
        prop_assert_eq!(curve.quantile_secs(twentieths as f64 / 20.0), expected);
    }

    #[test]
    fn the_restricted_mean_is_the_sum_over_every_millisecond(waits in any_waits(14), horizon in 0_u64..20) {
        prop_assume!(!waits.is_empty());
        let sum: f64 = (0..horizon)
            .map(|ms| exact_survival(&waits, ms))
            .map(|(numerator, denominator)| numerator as f64 / denominator as f64 / 1000.0)
            .sum();
        let mean = WaitCurve::new(waits).restricted_mean_secs(seconds(horizon)).unwrap();
        prop_assert!((mean - sum).abs() < 1e-12, "{mean} {sum}");
    }

    #[test]
    fn with_everybody_assigned_the_curve_is_plain_counting(
        mut times in proptest::collection::vec(0_u64..100_000, 1..200),
        horizon in 0_u64..200_000,
    ) {
        let curve = WaitCurve::new(times.iter().copied().map(assigned).collect());
        times.sort_unstable();
        let count = times.len();
        prop_assert_eq!(curve.quantile_secs(0.5), Some(seconds(times[(count - 1) / 2])));
        let cut: u64 = times.iter().map(|ms| (*ms).min(horizon)).sum();
        let mean = seconds(cut) / count as f64;
        let restricted = curve.restricted_mean_secs(seconds(horizon)).unwrap();
        prop_assert!((restricted - mean).abs() < 1e-9 * mean.max(1.0));
    }

    #[test]
    fn the_order_of_tickets_does_not_matter(waits in any_waits(20), turn in 0_usize..20) {
        let before = WaitCurve::new(waits.clone());
        let mut turned = waits.clone();
        turned.reverse();
        turned.rotate_left(turn.min(waits.len()));
        prop_assert_eq!(WaitCurve::new(turned), before.clone());
        prop_assert_eq!(before.assigned_count() + before.censored_count(), waits.len() as u64);
    }

    #[test]
    fn many_tickets_with_much_censoring_stay_within_the_tolerance(seed in 1_u64..u64::MAX) {
        // A long alternation of both kinds, where rounding adds up the most.
        let mut state = seed;
        let waits: Vec<_> = (0..5_000_u64)
            .map(|ms| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Wait { ms, assigned: state >> 62 != 0 }
            })
            .collect();
        let at_risk = |index: usize| (waits.len() - index) as f64;
        let logarithm: f64 = (0..2_500)
            .filter(|index| waits[*index].assigned)
            .map(|index| (-1.0 / at_risk(index)).ln_1p())
            .sum();
        let survival = WaitCurve::new(waits.clone()).survival_at(2.4995).unwrap();
        prop_assert!((survival.ln() - logarithm).abs() < SURVIVAL_TOLERANCE);
    }
}

#[test]
fn tickets_count_until_they_were_assigned_closed_or_until_now() {
    use std::collections::BTreeMap;

    use crate::domain::ticket::Status;

    let waiting = TicketFacts {
        segments: BTreeMap::new(),
        status: Status::Queued,
        received_at: UnixMillis(1_000),
        assigned_at: None,
        closed_at: None,
        fast_tracked: None,
        triaged: None,
        target_secs: None,
        resolution: None,
        reassigned: None,
        agent: None,
    };
    let now = UnixMillis(9_000);
    assert_eq!(Wait::of(&waiting, now), censored(8_000));
    let left = TicketFacts { closed_at: Some(UnixMillis(4_000)), ..waiting.clone() };
    assert_eq!(Wait::of(&left, now), censored(3_000));
    let taken = TicketFacts { assigned_at: Some(UnixMillis(3_500)), ..left.clone() };
    assert_eq!(Wait::of(&taken, now), assigned(2_500));
    let from_the_future = TicketFacts { received_at: UnixMillis(10_000), ..waiting };
    assert_eq!(Wait::of(&from_the_future, now), censored(0));
}
