//! Counterfactual pairs: one text twice, with one attribute swapped.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{family::Family, scores::mean};
use crate::fairness::{
    distributions::{student_quantile_975, student_two_sided},
    rates::{Ends, Interval, Rate},
};

/// From this score on, a ticket is labelled urgent.
const LABEL_SCORE_MIN: f64 = 0.5;

/// The scores of a text and of the same text with an attribute swapped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScorePair {
    /// Score as it was, 0 to 1.
    pub score_a: f64,
    /// Score with the attribute swapped, 0 to 1.
    pub score_b: f64,
}

/// What swapping does to the scores, by axis.
#[derive(Clone, Debug, PartialEq)]
pub struct PairMeasures {
    /// By axis: the attribute that is swapped.
    pub axes: BTreeMap<String, Axis>,
    /// The tests of all axes, judged together.
    pub family: Family,
}

/// The pairs of one axis. Deltas are the first score less the second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// Pairs.
    pub n_pairs: u64,
    /// Mean first score.
    pub mean_a: Option<f64>,
    /// Mean second score.
    pub mean_b: Option<f64>,
    /// Mean delta.
    pub mean_delta: Option<f64>,
    /// Mean size of a delta.
    pub mean_abs_delta: Option<f64>,
    /// Greatest size of a delta.
    pub max_abs_delta: f64,
    /// Standard deviation of the deltas, over `n - 1`; `None` below two pairs.
    pub sd_delta: Option<f64>,
    /// Pairs of which one score has the label and the other not.
    pub label_flips: u64,
    /// Their share.
    pub flip_rate: Option<f64>,
    /// The paired t statistic; `None` when all deltas are equal.
    pub t: Option<f64>,
    /// Degrees of freedom.
    pub df: u64,
    /// Its two-sided probability.
    pub p: Option<f64>,
    /// 95 % interval of the mean delta.
    pub ci95: Ends,
    /// Mean delta over the standard deviation (J. Cohen, 1988).
    pub cohens_dz: Option<f64>,
}

impl PairMeasures {
    /// Measures the pairs of each axis; none is empty.
    #[must_use]
    pub fn of(pairs: &BTreeMap<String, Vec<ScorePair>>) -> Self {
        let axes: BTreeMap<_, _> =
            pairs.iter().map(|(axis, pairs)| (axis.clone(), Axis::of(pairs))).collect();
        let family = Family::new(axes.iter().map(|(name, axis)| (name.clone(), axis.p)).collect());
        Self { axes, family }
    }
}

impl Axis {
    /// Measures pairs with the paired t test.
    ///
    /// Source: Student, Biometrika 6 (1908) 1–25.
    fn of(pairs: &[ScorePair]) -> Self {
        let deltas: Vec<f64> = pairs.iter().map(|pair| pair.score_a - pair.score_b).collect();
        let flipped = |pair: &ScorePair| {
            (pair.score_a >= LABEL_SCORE_MIN) != (pair.score_b >= LABEL_SCORE_MIN)
        };
        let flips: Rate = pairs.iter().map(flipped).collect();
        let count = deltas.len() as f64;
        let df = flips.count().saturating_sub(1);
        let mean_delta = mean(deltas.iter().copied());
        let squares = |mean: f64| deltas.iter().map(|delta| (delta - mean).powi(2)).sum::<f64>();
        let sd_delta = mean_delta.filter(|_| df > 0).map(|mean| (squares(mean) / df as f64).sqrt());
        let spread = mean_delta.zip(sd_delta.filter(|sd| *sd > 0.0));
        let t = spread.map(|(mean, sd)| mean / (sd / count.sqrt()));
        let interval = spread.zip(student_quantile_975(df)).map(|((mean, sd), quantile)| {
            let half_width = quantile * sd / count.sqrt();
            Interval { low: mean - half_width, high: mean + half_width }
        });
        Self {
            n_pairs: flips.count(),
            mean_a: mean(pairs.iter().map(|pair| pair.score_a)),
            mean_b: mean(pairs.iter().map(|pair| pair.score_b)),
            mean_delta,
            mean_abs_delta: mean(deltas.iter().map(|delta| delta.abs())),
            max_abs_delta: deltas.iter().map(|delta| delta.abs()).fold(0.0, f64::max),
            sd_delta,
            label_flips: flips.hits(),
            flip_rate: flips.value(),
            t,
            df,
            p: t.map(|t| student_two_sided(t, df)),
            ci95: Ends(interval),
            cohens_dz: spread.map(|(mean, sd)| mean / sd),
        }
    }
}

impl Serialize for PairMeasures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            axes: &'a BTreeMap<String, Axis>,
            bh: &'a Family,
            bonferroni_threshold: Option<f64>,
            bonferroni_rejected: Vec<String>,
        }
        let fields = Fields {
            axes: &self.axes,
            bh: &self.family,
            bonferroni_threshold: self.family.bonferroni_threshold(),
            bonferroni_rejected: self.family.bonferroni_rejected(),
        };
        fields.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_own_sleep_data_has_its_t() {
        // Student (1908): hours of sleep gained by ten patients under two drugs, t = 4.06, p = .0028;
        // scaled by ten to look like scores.
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let pairs: Vec<_> = first
            .into_iter()
            .zip(second)
            .map(|(b, a)| ScorePair { score_a: a / 10.0, score_b: b / 10.0 })
            .collect();
        let axis = Axis::of(&pairs);
        assert!((axis.t.unwrap() - 4.0621).abs() < 5e-5, "{axis:?}");
        assert!((axis.p.unwrap() - 0.002833).abs() < 5e-7, "{axis:?}");
        let ends = axis.ci95.0.unwrap();
        assert!((ends.low - 0.070).abs() < 5e-4 && (ends.high - 0.246).abs() < 5e-4, "{ends:?}");
        assert_eq!((axis.df, axis.n_pairs), (9, 10));
    }

    #[test]
    fn pairs_that_do_not_differ_have_no_test_and_no_error() {
        let pair = ScorePair { score_a: 0.4, score_b: 0.4 };
        let measures = PairMeasures::of(&[("name".to_owned(), vec![pair; 3])].into());
        let axis = &measures.axes["name"];
        assert_eq!((axis.t, axis.p, axis.cohens_dz, axis.ci95.0), (None, None, None, None));
        assert_eq!((axis.sd_delta, axis.flip_rate), (Some(0.0), Some(0.0)));
        assert_eq!(measures.family.bonferroni_threshold(), None);
    }
}
