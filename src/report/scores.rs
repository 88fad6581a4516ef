//! Scores against truths: the ROC of the out-of-scope score, and the graded sentiment.

use serde::Serialize;

use super::{answers::thin, coverage::POINTS_MAX};
use crate::{
    classifier::{
        evaluate::Truth,
        metrics::{as_f64, ratio},
    },
    fairness::{Interval, Z_95},
};

/// Fewest pairs for an interval of a correlation: Fisher's needs more than three.
const PAIRS_MIN: usize = 4;

/// One threshold of the out-of-scope score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RocPoint {
    /// Share of the in-scope rows rejected.
    pub rejected: f64,
    /// Share of the out-of-scope rows found.
    pub found: f64,
}

/// How well scores follow ratings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlation {
    /// Rows with a rating.
    pub rows: usize,
    /// Pearson's r, -1 to 1; absent when the scores or the ratings do not vary.
    pub pearson_r: Option<f64>,
    /// Its 95 % interval by Fisher's transformation; absent below four rows.
    pub pearson_r_interval: Option<Interval>,
}

/// Returns the ROC curve of out-of-scope scores from (0, 0) to (1, 1), at most 200 points; `None`
/// without rows of both kinds.
#[must_use]
pub fn oos_roc(truth: &[Truth], scores: &[f64]) -> Option<Vec<RocPoint>> {
    let mut rows: Vec<(f64, bool)> = truth
        .iter()
        .zip(scores)
        .filter(|(truth, _)| **truth != Truth::Unlabelled)
        .map(|(truth, score)| (*score, truth.is_outside()))
        .collect();
    let outside_all = rows.iter().filter(|(_, outside)| *outside).count();
    let inside_all = rows.len() - outside_all;
    if inside_all == 0 || outside_all == 0 {
        return None;
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut inside, mut outside) = (0, 0);
    let mut points = vec![RocPoint { rejected: 0.0, found: 0.0 }];
    for (place, (score, is_outside)) in rows.iter().enumerate() {
        inside += usize::from(!is_outside);
        outside += usize::from(*is_outside);
        // Equal scores are rejected together.
        if rows.get(place + 1).is_none_or(|next| next.0.total_cmp(score).is_ne()) {
            points.push(RocPoint {
                rejected: ratio(inside, inside_all),
                found: ratio(outside, outside_all),
            });
        }
    }
    Some(thin(&points, POINTS_MAX))
}

/// Returns how scores follow the ratings of the rows that have one; `None` when none has.
#[must_use]
pub fn correlation(scores: &[f64], ratings: &[Option<f64>]) -> Option<Correlation> {
    let pairs: Vec<(f64, f64)> = scores
        .iter()
        .zip(ratings)
        .filter_map(|(score, rating)| Some((*score, (*rating)?)))
        .collect();
    (!pairs.is_empty()).then(|| {
        let r = pearson(&pairs);
        let interval = r.filter(|_| pairs.len() >= PAIRS_MIN).map(|r| fisher(r, pairs.len()));
        Correlation { rows: pairs.len(), pearson_r: r, pearson_r_interval: interval }
    })
}

/// Pearson's correlation; `None` when one side does not vary.
fn pearson(pairs: &[(f64, f64)]) -> Option<f64> {
    let count = as_f64(pairs.len());
    let (x, y) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0, y + pair.1));
    let (x, y) = (x / count, y / count);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in pairs {
        xx += (a - x) * (a - x);
        yy += (b - y) * (b - y);
        xy += (a - x) * (b - y);
    }
    let r = xy / (xx * yy).sqrt();
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

/// The 95 % interval `tanh(artanh r ± z / √(n − 3))`.
///
/// Source: R. A. Fisher, Metron 1 (1921) 3–32.
fn fisher(r: f64, count: usize) -> Interval {
    let half = Z_95 / (as_f64(count) - 3.0).sqrt();
    Interval { low: (r.atanh() - half).tanh(), high: (r.atanh() + half).tanh() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::classifier::metrics::auroc;

    fn truth(outside: bool) -> Truth {
        if outside { Truth::OutOfScope } else { Truth::Label("a".to_owned()) }
    }

    #[test]
    fn the_curve_equals_one_worked_out_by_hand() {
        let kinds = [truth(true), truth(false), truth(true), Truth::Unlabelled, truth(false)];
        let points = oos_roc(&kinds, &[0.9, 0.5, 0.5, 0.99, 0.1]).unwrap();
        let found: Vec<_> = points.iter().map(|p| (p.rejected, p.found)).collect();
        assert_eq!(found, [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]);
        assert_eq!(oos_roc(&kinds[1..2], &[0.5]), None);
    }

    #[test]
    fn correlation_equals_one_worked_out_by_hand_and_the_tables_interval() {
        let ratings = [Some(1.0), Some(2.0), None, Some(3.0), Some(5.0)];
        // Deviations -1, 0, 0, 1 and -1.75, -.75, .25, 2.25: 4 / √(2 · 8.75).
        let found = correlation(&[0.0, 1.0, 9.0, 1.0, 2.0], &ratings).unwrap();
        assert_eq!(found.rows, 4);
        assert!((found.pearson_r.unwrap() - 4.0 / 17.5_f64.sqrt()).abs() < 1e-12);
        // r = .5, n = 28: artanh .5 = .5493, ± 1.96 / 5, so .1573 and .9413.
        let interval = fisher(0.5, 28);
        assert!((interval.low - 0.1560).abs() < 2e-4, "{interval:?}");
        assert!((interval.high - 0.7358).abs() < 2e-4, "{interval:?}");
    }

    #[test]
    fn what_does_not_vary_has_no_correlation_and_what_is_equal_a_whole_one() {
        let still = correlation(&[1.0, 1.0, 1.0, 1.0], &[Some(1.0), Some(2.0), Some(3.0), None]);
        assert_eq!(still.unwrap().pearson_r, None);
        assert_eq!(correlation(&[1.0], &[None]), None);
        let same: Vec<f64> = (0..9).map(f64::from).collect();
        let ratings: Vec<Option<f64>> = same.iter().copied().map(Some).collect();
        let found = correlation(&same, &ratings).unwrap();
        let interval = found.pearson_r_interval.unwrap();
        assert!((found.pearson_r.unwrap() - 1.0).abs() < 1e-12);
        assert!(interval.low > 0.999 && interval.high <= 1.0, "{interval:?}");
    }

    proptest! {
        #[test]
        fn the_area_under_the_curve_is_the_share_of_pairs_in_order(
            rows in prop::collection::vec((0_u32..12, any::<bool>()), 2..100),
        ) {
            let kinds: Vec<Truth> = rows.iter().map(|(_, outside)| truth(*outside)).collect();
            let scores: Vec<f64> = rows.iter().map(|(score, _)| f64::from(*score)).collect();
            let of = |kind: bool| -> Vec<f64> {
                let kept = rows.iter().filter(|(_, outside)| *outside == kind);
                kept.map(|(score, _)| f64::from(*score)).collect()
            };
            let area = oos_roc(&kinds, &scores).map(|points| {
                let strip = |pair: &[RocPoint]| {
                    (pair[1].rejected - pair[0].rejected) * (pair[0].found + pair[1].found) / 2.0
                };
                points.windows(2).map(strip).sum::<f64>()
            });
            match (area, auroc(&of(false), &of(true))) {
                (Some(area), Some(pairs)) => prop_assert!((area - pairs).abs() < 1e-9),
                (area, pairs) => prop_assert_eq!(area, pairs),
            }
        }
    }
}
