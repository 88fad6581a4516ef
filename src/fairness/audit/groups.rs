//! All measures of one group of tickets.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    decision::Decision,
    scores::{auc, brier, calibration_error, mean},
};
use crate::fairness::{
    rates::{Ends, Rate},
    waits::{Elapsed, WaitCurve},
};

/// Shares of the assigned tickets whose waits are shown.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// Decisions against labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Urgent and selected.
    pub true_positive: u64,
    /// Not urgent and selected.
    pub false_positive: u64,
    /// Urgent and not selected.
    pub false_negative: u64,
    /// Neither.
    pub true_negative: u64,
}

/// The times at which waits are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times<'a> {
    /// Times of the survival curve, in seconds.
    pub(super) survival_secs: &'a [u32],
    /// Horizon of the restricted mean, in seconds.
    pub(super) horizon_secs: u32,
}

/// The measures of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMeasures {
    /// Selected tickets of all.
    pub selected: Rate,
    /// Decisions against labels, over labelled tickets.
    pub confusion: Confusion,
    /// Mean score.
    pub mean_score: Option<f64>,
    /// Mean squared distance of score and label.
    pub brier: Option<f64>,
    /// Area under the ROC curve.
    pub auc: Option<f64>,
    /// Calibration error in ten bins.
    pub calibration_error: Option<f64>,
    /// Tickets with a score above the median of all tickets, of all: the scoring rate of Local Law 144.
    pub scored_high: Rate,
    /// Breached targets.
    pub target_breached: Rate,
    /// Tickets that changed hands.
    pub reassigned: Rate,
    /// Tickets resolved at first contact.
    pub first_contact: Rate,
    /// Waits.
    pub wait: WaitSummary,
}

/// The waits of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaitSummary {
    /// Tickets whose wait is known.
    pub n: u64,
    /// Those that were assigned.
    pub n_assigned: u64,
    /// Those that still waited when last seen.
    pub n_censored: u64,
    /// Mean over the assigned alone, in seconds: too low while others wait.
    pub mean_assigned: Option<f64>,
    /// Quantiles over the assigned alone, in seconds.
    pub quantiles_assigned: BTreeMap<&'static str, Option<f64>>,
    /// Kaplan and Meier's median, in seconds; `None` while more than half wait by the estimate.
    pub km_median: Option<f64>,
    /// Kaplan and Meier's share of tickets that wait longer, by time in seconds.
    pub km_survival_at: BTreeMap<String, Option<f64>>,
    /// The mean wait, each cut at the horizon, in seconds, under its name `km_rmst_HORIZON`.
    #[serde(flatten)]
    pub restricted_mean: BTreeMap<String, Option<f64>>,
}

impl Confusion {
    fn of(decisions: &[&Decision]) -> Self {
        let mut counts = Self::default();
        for decision in decisions {
            match (decision.label, decision.selected) {
                (Some(true), true) => counts.true_positive += 1,
                (Some(false), true) => counts.false_positive += 1,
                (Some(true), false) => counts.false_negative += 1,
                (Some(false), false) => counts.true_negative += 1,
                (None, _) => {}
            }
        }
        counts
    }

    /// Returns how many tickets have a label.
    #[must_use]
    pub fn labelled(self) -> u64 {
        self.positives().count() + self.negatives().count()
    }

    /// Returns the selected of the urgent: the true positive rate.
    #[must_use]
    pub fn positives(self) -> Rate {
        Rate::counted(self.true_positive, self.false_negative)
    }

    /// Returns the selected of those not urgent: the false positive rate.
    #[must_use]
    pub fn negatives(self) -> Rate {
        Rate::counted(self.false_positive, self.true_negative)
    }

    /// Returns the urgent of the labelled.
    #[must_use]
    pub fn base(self) -> Rate {
        let urgent = self.positives().count();
        Rate::counted(urgent, self.negatives().count())
    }

    /// Returns the urgent of the selected: the positive predictive value.
    #[must_use]
    pub fn of_selected(self) -> Rate {
        Rate::counted(self.true_positive, self.false_positive)
    }

    /// Returns those not urgent of those not selected: the negative predictive value.
    #[must_use]
    pub fn of_passed_over(self) -> Rate {
        Rate::counted(self.true_negative, self.false_negative)
    }

    /// Returns the right decisions of the labelled.
    #[must_use]
    pub fn right(self) -> Rate {
        Rate::counted(
            self.true_positive + self.true_negative,
            self.false_positive + self.false_negative,
        )
    }

    /// Returns F1, `2 tp / (2 tp + fp + fn)`: a true positive counts on both sides.
    #[must_use]
    pub fn f1(self) -> Rate {
        Rate::counted(2 * self.true_positive, self.false_positive + self.false_negative)
    }
}

impl GroupMeasures {
    /// Measures tickets against the median score of all tickets.
    pub(super) fn of(decisions: &[&Decision], median_score: Option<f64>, times: Times<'_>) -> Self {
        let outcome = |known: fn(&Decision) -> Option<bool>| -> Rate {
            decisions.iter().filter_map(|decision| known(decision)).collect()
        };
        let scored: Vec<_> = decisions.iter().filter_map(|d| d.scored_label()).collect();
        let scores: Vec<f64> = decisions.iter().filter_map(|decision| decision.score).collect();
        let high = |decision: &&Decision| decision.score > median_score;
        Self {
            selected: decisions.iter().map(|decision| decision.selected).collect(),
            confusion: Confusion::of(decisions),
            mean_score: mean(scores.iter().copied()),
            brier: brier(&scored),
            auc: auc(&scored),
            calibration_error: calibration_error(&scored),
            scored_high: decisions.iter().map(|d| median_score.is_some() && high(d)).collect(),
            target_breached: outcome(|decision| decision.target_breached),
            reassigned: outcome(|decision| decision.reassigned),
            first_contact: outcome(|decision| decision.first_contact),
            wait: WaitSummary::of(decisions.iter().filter_map(|d| d.wait).collect(), times),
        }
    }

    /// Returns how many tickets the group has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.selected.count()
    }
}

impl WaitSummary {
    fn of(waits: Vec<Elapsed>, times: Times<'_>) -> Self {
        let assigned = sorted_assigned(&waits);
        let n = waits.len() as u64;
        let curve: WaitCurve = waits.into_iter().collect();
        let survival_at = |secs: &u32| (secs.to_string(), curve.survival_at(f64::from(*secs)));
        let horizon = f64::from(times.horizon_secs);
        let restricted = curve.restricted_mean_secs(horizon);
        Self {
            n,
            n_assigned: curve.assigned_count(),
            n_censored: curve.censored_count(),
            mean_assigned: mean(assigned.iter().copied()),
            quantiles_assigned: quantiles(&assigned),
            km_median: curve.quantile_secs(0.5),
            km_survival_at: times.survival_secs.iter().map(survival_at).collect(),
            restricted_mean: [(format!("km_rmst_{}", times.horizon_secs), restricted)].into(),
        }
    }
}

/// Returns the waits of the assigned tickets, ascending.
pub(super) fn sorted_assigned(waits: &[Elapsed]) -> Vec<f64> {
    let mut secs: Vec<f64> = waits.iter().filter(|wait| wait.assigned).map(|w| w.secs).collect();
    secs.sort_unstable_by(f64::total_cmp);
    secs
}

/// Returns the quantiles shown, of ascending values.
pub(super) fn quantiles(ascending: &[f64]) -> BTreeMap<&'static str, Option<f64>> {
    QUANTILES.iter().map(|(name, share)| (*name, quantile(ascending, *share))).collect()
}

/// Returns a quantile of ascending values, by linear interpolation; `None` without values.
///
/// Source: R. J. Hyndman, Y. Fan, The American Statistician 50 (1996) 361–365, definition 7.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
fn quantile(ascending: &[f64], share: f64) -> Option<f64> {
    let place = share * ascending.len().checked_sub(1)? as f64;
    let below = *ascending.get(place.floor() as usize)?;
    let above = *ascending.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

impl Serialize for GroupMeasures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        let counts = self.confusion;
        for (name, count) in [
            ("n", self.count()),
            ("n_labelled", counts.labelled()),
            ("n_selected", self.selected.hits()),
            ("tp", counts.true_positive),
            ("fp", counts.false_positive),
            ("fn", counts.false_negative),
            ("tn", counts.true_negative),
        ] {
            fields.serialize_entry(name, &count)?;
        }
        for measure in super::strict::MEASURES {
            fields.serialize_entry(measure.name, &(measure.value)(self))?;
        }
        for (name, rate) in [
            ("selection_rate_wilson95", self.selected),
            ("tpr_wilson95", counts.positives()),
            ("fpr_wilson95", counts.negatives()),
        ] {
            fields.serialize_entry(name, &Ends(rate.interval()))?;
        }
        fields.serialize_entry("brier", &self.brier)?;
        fields.serialize_entry("ll144_scoring_rate", &self.scored_high.value())?;
        for (name, rate) in [
            ("sla_breach", self.target_breached),
            ("reassigned", self.reassigned),
            ("first_contact_resolution", self.first_contact),
        ] {
            fields.serialize_entry(name, &rate)?;
        }
        fields.serialize_entry("wait", &self.wait)?;
        fields.end()
    }
}
