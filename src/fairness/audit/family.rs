//! Many tests at once: the false discovery rate and the error of the whole family.

use std::collections::BTreeMap;

use serde::Serialize;

/// The level at which tests are judged.
pub(super) const LEVEL: f64 = 0.05;

/// A family of tests, judged together at a false discovery rate of 5 %.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// Probability of each test; `None` where it has none.
    pub raw: BTreeMap<String, Option<f64>>,
    /// Probability adjusted for the others, of the tests that have one.
    pub adjusted: BTreeMap<String, f64>,
    /// Tests whose adjusted probability is at most 5 %.
    #[serde(rename = "rejected_at_0.05")]
    pub rejected: Vec<String>,
}

impl Family {
    /// Adjusts the probabilities: the i-th smallest of m becomes the least of `p_j m / j` for `j ≥ i`.
    ///
    /// Source: Y. Benjamini, Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289–300.
    #[must_use]
    pub fn new(raw: BTreeMap<String, Option<f64>>) -> Self {
        let defined = raw.iter().filter_map(|(name, p)| Some((name, (*p)?)));
        let mut ascending: Vec<(&String, f64)> = defined.collect();
        ascending.sort_by(|a, b| a.1.total_cmp(&b.1));
        let tests = ascending.len() as f64;
        let (mut adjusted, mut least) = (BTreeMap::new(), 1.0_f64);
        for (index, (name, p)) in ascending.iter().enumerate().rev() {
            least = least.min(p / ((index + 1) as f64 / tests));
            adjusted.insert((*name).clone(), least);
        }
        let rejected = adjusted.iter().filter(|(_, p)| **p <= LEVEL);
        let rejected = rejected.map(|(name, _)| name.clone()).collect();
        Self { raw, adjusted, rejected }
    }

    /// Returns the level of a single test at which the whole family errs in 5 % of cases at most;
    /// `None` without tests.
    ///
    /// Source: C. E. Bonferroni (1936); O. J. Dunn, Journal of the American Statistical Association
    /// 56 (1961) 52–64.
    #[must_use]
    pub fn bonferroni_threshold(&self) -> Option<f64> {
        let tests = self.adjusted.len();
        (tests > 0).then(|| LEVEL / tests as f64)
    }

    /// Returns the tests below [`bonferroni_threshold`](Self::bonferroni_threshold).
    #[must_use]
    pub fn bonferroni_rejected(&self) -> Vec<String> {
        let Some(threshold) = self.bonferroni_threshold() else { return Vec::new() };
        let below = |p: &Option<f64>| p.is_some_and(|p| p < threshold);
        self.raw.iter().filter(|(_, p)| below(p)).map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benjamini_and_hochbergs_own_example_rejects_four_and_bonferroni_three() {
        // Y. Benjamini, Y. Hochberg (1995), section 4: fifteen hypotheses on thrombolysis.
        let probabilities = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        let named = probabilities.iter().enumerate().map(|(i, p)| (format!("{i:02}"), Some(*p)));
        let family = Family::new(named.chain([("none".to_owned(), None)]).collect());
        assert_eq!(family.rejected, ["00", "01", "02", "03"]);
        assert_eq!(family.bonferroni_rejected(), ["00", "01", "02"]);
        assert!((family.adjusted["00"] - 0.0015).abs() < 1e-12);
        assert!(!family.adjusted.contains_key("none"));
    }

    #[test]
    fn a_family_without_tests_rejects_nothing() {
        let family = Family::new([("none".to_owned(), None)].into());
        assert_eq!((family.adjusted.len(), family.rejected.len()), (0, 0));
        assert_eq!((family.bonferroni_threshold(), family.bonferroni_rejected().len()), (None, 0));
    }
}
