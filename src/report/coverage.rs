//! How much can be left to the model, and how often it is then right.

use serde::Serialize;

use super::answers::{Answer, thin};
use crate::{
    classifier::metrics::as_f64,
    fairness::{Interval, Rate},
};

/// Accuracies that a threshold is sought for, in thousandths.
const WANTED_PER_MILLE: [u32; 5] = [900, 950, 980, 985, 990];
/// Most points of a curve in a report.
pub const POINTS_MAX: usize = 200;

/// Coverage against accuracy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// From the surest answers alone to all of them; at most 200 points.
    pub curve: Vec<Point>,
    /// The largest coverage for each accuracy wanted.
    pub at: Vec<Reached>,
    /// Area under the risk-coverage curve: the mean over rows of the share wrong among the rows that
    /// the model is at least as sure of. Lower is better.
    pub risk_area: f64,
}

/// What answering above a confidence gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Answers at least this sure are given.
    pub threshold: f64,
    /// Share of the rows they are.
    pub coverage: f64,
    /// Share of them that is right.
    pub accuracy: f64,
    /// How many of how many.
    #[serde(skip)]
    pub rate: Rate,
}

/// The largest coverage at an accuracy wanted. Found on the rows it is measured on, so a little
/// hopeful; the interval says how much it can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reached {
    /// The accuracy wanted.
    pub accuracy_wanted: f64,
    /// Share of the rows answered; 0 when no threshold gives the accuracy.
    pub coverage: f64,
    /// Answers at least this sure are given; absent when none gives the accuracy.
    pub threshold: Option<f64>,
    /// The accuracy there.
    pub accuracy: Option<f64>,
    /// Its 95 % Wilson interval.
    pub accuracy_interval: Option<Interval>,
}

/// Returns the curve and what it says; `None` without answers.
#[must_use]
pub fn coverage(answers: &[Answer]) -> Option<Coverage> {
    let points = points(answers);
    let last = points.last()?;
    let risks = points.iter().scan(0, |before, point| {
        let more = point.rate.count() - *before;
        *before = point.rate.count();
        Some(more as f64 * (1.0 - point.accuracy))
    });
    let risk_area = risks.sum::<f64>() / last.rate.count() as f64;
    let at = WANTED_PER_MILLE.iter().map(|wanted| reached(&points, *wanted)).collect();
    Some(Coverage { curve: thin(&points, POINTS_MAX), at, risk_area })
}

/// One point for each different confidence: equally sure rows are answered together or not at all.
fn points(answers: &[Answer]) -> Vec<Point> {
    let mut rows: Vec<(f64, bool)> = answers.iter().map(|a| (a.confidence(), a.right())).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut rate = Rate::default();
    let mut points = Vec::new();
    for (place, (threshold, right)) in rows.iter().enumerate() {
        rate.record(*right);
        let tied = rows.get(place + 1).is_some_and(|next| next.0.total_cmp(threshold).is_eq());
        if let (false, Some(accuracy)) = (tied, rate.value()) {
            let coverage = as_f64(place + 1) / as_f64(rows.len());
            points.push(Point { threshold: *threshold, coverage, accuracy, rate });
        }
    }
    points
}

fn reached(points: &[Point], wanted: u32) -> Reached {
    // In integers, so that exactly 95 % is enough for 95 %.
    let enough =
        |point: &&Point| point.rate.hits() * 1000 >= point.rate.count() * u64::from(wanted);
    let best = points.iter().rev().find(enough);
    Reached {
        accuracy_wanted: f64::from(wanted) / 1000.0,
        coverage: best.map_or(0.0, |point| point.coverage),
        threshold: best.map(|point| point.threshold),
        accuracy: best.map(|point| point.accuracy),
        accuracy_interval: best.and_then(|point| point.rate.interval()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(sure: f64, right: bool) -> Answer {
        Answer::new(1, vec![sure, 1.0 - sure], Some(usize::from(!right)))
    }

    #[test]
    fn the_curve_equals_one_worked_out_by_hand() {
        let answers = [answer(0.9, true), answer(0.8, false), answer(0.8, true), answer(0.6, true)];
        let found = coverage(&answers).unwrap();
        let points: Vec<_> =
            found.curve.iter().map(|p| (p.threshold, p.coverage, p.accuracy)).collect();
        assert_eq!(points, [(0.9, 0.25, 1.0), (0.8, 0.75, 2.0 / 3.0), (0.6, 1.0, 0.75)]);
        // 0, twice a third, a quarter.
        assert!((found.risk_area - (2.0 / 3.0 + 0.25) / 4.0).abs() < 1e-12);
        assert!(found.at.iter().all(|at| (at.coverage, at.threshold) == (0.25, Some(0.9))));
        assert_eq!(coverage(&[]), None);
    }

    #[test]
    fn nineteen_of_twenty_are_exactly_95_percent_and_a_model_always_wrong_covers_nothing() {
        let answers: Vec<Answer> = (0..20).map(|row| answer(0.7, row > 0)).collect();
        let at = coverage(&answers).unwrap().at;
        let covered: Vec<f64> = at.iter().map(|at| at.coverage).collect();
        assert_eq!(covered, [1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!((at[2].threshold, at[2].accuracy), (None, None));
        assert!(at[1].accuracy_interval.unwrap().low < 0.9);
    }

    #[test]
    fn a_long_curve_is_thinned_and_keeps_its_ends() {
        let answers: Vec<Answer> =
            (0..5000_u32).map(|row| answer(1.0 - f64::from(row) / 20_000.0, true)).collect();
        let curve = coverage(&answers).unwrap().curve;
        assert_eq!((curve.len(), curve[0].threshold), (POINTS_MAX, 1.0));
        assert!((curve[POINTS_MAX - 1].coverage - 1.0).abs() < 1e-12);
    }

    /// Of the rows at least this sure: the share right, and how many.
    fn naive(rows: &[(u32, bool)], threshold: u32) -> (f64, usize) {
        let given: Vec<_> = rows.iter().filter(|(sure, _)| *sure >= threshold).collect();
        let right = given.iter().filter(|(_, right)| *right).count();
        (as_f64(right) / as_f64(given.len()), given.len())
    }

    proptest! {
        #[test]
        fn coverage_is_what_trying_every_threshold_finds(
            rows in prop::collection::vec((50_u32..=100, prop::bool::weighted(0.93)), 1..120),
        ) {
            let answers: Vec<Answer> =
                rows.iter().map(|(sure, right)| answer(f64::from(*sure) / 100.0, *right)).collect();
            let found = coverage(&answers).unwrap();
            let risk: f64 = rows.iter().map(|(sure, _)| 1.0 - naive(&rows, *sure).0).sum();
            prop_assert!((found.risk_area - risk / as_f64(rows.len())).abs() < 1e-9);
            for at in &found.at {
                let enough = |sure: &u32| naive(&rows, *sure).0 >= at.accuracy_wanted - 1e-9;
                let most = (50..=100)
                    .filter(|sure| naive(&rows, *sure).1 > 0)
                    .filter(enough)
                    .map(|sure| naive(&rows, sure).1)
                    .max();
                let most = as_f64(most.unwrap_or(0)) / as_f64(rows.len());
                prop_assert!((at.coverage - most).abs() < 1e-12, "{at:?} {most}");
            }
        }
    }
}
