//! How far apart groups lie on each measure, with undefined values left out and counted.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::groups::GroupMeasures;

/// A measure that groups are compared on.
pub(super) struct Measure {
    /// Its name in the field.
    pub(super) name: &'static str,
    /// Its value for a group; `None` where undefined.
    pub(super) value: fn(&GroupMeasures) -> Option<f64>,
}

/// The measures compared.
pub(super) const MEASURES: [Measure; 15] = [
    Measure { name: "selection_rate", value: |group| group.selected.value() },
    Measure { name: TPR, value: |group| group.confusion.positives().value() },
    Measure { name: FPR, value: |group| group.confusion.negatives().value() },
    Measure { name: "fnr", value: |group| group.confusion.positives().complement().value() },
    Measure { name: "tnr", value: |group| group.confusion.negatives().complement().value() },
    Measure { name: "ppv", value: |group| group.confusion.of_selected().value() },
    Measure { name: "npv", value: |group| group.confusion.of_passed_over().value() },
    Measure { name: "fdr", value: |group| group.confusion.of_selected().complement().value() },
    Measure { name: "for", value: |group| group.confusion.of_passed_over().complement().value() },
    Measure { name: "accuracy", value: |group| group.confusion.right().value() },
    Measure { name: "f1", value: |group| group.confusion.f1().value() },
    Measure { name: "ece_10", value: |group| group.calibration_error },
    Measure { name: "auc", value: |group| group.auc },
    Measure { name: "base_rate", value: |group| group.confusion.base().value() },
    Measure { name: "mean_score", value: |group| group.mean_score },
];

const TPR: &str = "tpr";
const FPR: &str = "fpr";

/// The distance between groups on one measure.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distance {
    /// Groups for which it is defined; below two there is nothing to compare.
    pub n_groups_defined: u64,
    /// Groups for which it is not.
    pub n_groups_undefined: u64,
    /// Greatest value less the smallest.
    pub difference: Option<f64>,
    /// Smallest value divided by the greatest; `None` when that is 0.
    pub ratio: Option<f64>,
    /// Group with the smallest value; of equal ones, the first by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argmin: Option<String>,
    /// Group with the greatest value; of equal ones, the first by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argmax: Option<String>,
    /// Greatest distance of a group from all tickets together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_abs_to_overall: Option<f64>,
}

/// The distances on all measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    /// By measure.
    pub by_measure: BTreeMap<&'static str, Distance>,
    /// Greater of the differences of true and false positive rates; `None` unless both are compared.
    pub equalized_odds_worst_case: Option<f64>,
    /// Their mean.
    pub equalized_odds_mean: Option<f64>,
}

/// Returns smallest by greatest, `None` where that is 0 / 0.
fn quotient(low: f64, high: f64) -> Option<f64> {
    (high != 0.0).then(|| low / high)
}

impl Distance {
    /// Compares named values; `overall` is that of all tickets.
    pub(super) fn between<'a>(
        values: impl Iterator<Item = (&'a str, Option<f64>)>,
        overall: Option<f64>,
    ) -> Self {
        let (mut found, mut low, mut high) = (Self::default(), None, None);
        let mut to_overall: Option<f64> = None;
        for (name, value) in values {
            let Some(value) = value else {
                found.n_groups_undefined += 1;
                continue;
            };
            found.n_groups_defined += 1;
            let first = |name: &str, other: &str| name < other;
            if low.is_none_or(|(n, v)| value < v || (value <= v && first(name, n))) {
                low = Some((name, value));
            }
            if high.is_none_or(|(n, v)| value > v || (value >= v && first(name, n))) {
                high = Some((name, value));
            }
            let distance = overall.map(|overall| (value - overall).abs());
            to_overall = distance.map(|distance| distance.max(to_overall.unwrap_or(0.0)));
        }
        if let (Some((lowest, low)), Some((highest, high))) = (low, high) {
            found.difference = Some(high - low);
            found.ratio = quotient(low, high);
            found.argmin = Some(lowest.to_owned());
            found.argmax = Some(highest.to_owned());
            found.max_abs_to_overall = to_overall;
        }
        found
    }
}

impl Distances {
    /// Compares groups on all measures, and with all tickets together where those are given.
    pub(super) fn between(
        groups: &[(&str, &GroupMeasures)],
        overall: Option<&GroupMeasures>,
    ) -> Self {
        let on = |measure: &Measure| {
            let values = groups.iter().map(|(name, group)| (*name, (measure.value)(group)));
            (measure.name, Distance::between(values, overall.and_then(|all| (measure.value)(all))))
        };
        let by_measure: BTreeMap<_, _> = MEASURES.iter().map(on).collect();
        let compared = |name: &str| {
            by_measure.get(name).filter(|found: &&Distance| found.n_groups_defined >= 2)?.difference
        };
        let both = compared(TPR).zip(compared(FPR));
        Self {
            equalized_odds_worst_case: both.map(|(tpr, fpr)| tpr.max(fpr)),
            equalized_odds_mean: both.map(|(tpr, fpr)| f64::midpoint(tpr, fpr)),
            by_measure,
        }
    }
}

impl Serialize for Distances {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        for (name, distance) in &self.by_measure {
            fields.serialize_entry(name, distance)?;
        }
        let odds = BTreeMap::from([
            ("difference_worst_case", self.equalized_odds_worst_case),
            ("difference_mean", self.equalized_odds_mean),
        ]);
        fields.serialize_entry("equalized_odds", &odds)?;
        fields.end()
    }
}
