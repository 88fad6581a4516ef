//! Measures a model on labelled texts, or rows of predictions against their labels.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    artifact::HeadEntry,
    heads::{Heads, INTENT, Predictions},
    metrics::{HeadMetrics, auroc, head_metrics, quantile, ratio},
};

/// Share of in-scope texts rejected at the threshold of [`ScopeMetrics::oos_recall`].
const REJECTED: f64 = 0.05;

/// The label of one row for one head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Not labelled: the row does not count.
    Unlabelled,
    /// No intent fits.
    OutOfScope,
    /// A label; one the head does not know counts as a wrong answer.
    Label(String),
    /// All labels of a text that may have several, or none.
    Labels(BTreeSet<String>),
}

impl Truth {
    /// Returns whether no intent fits the row, said so or by giving none of several.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        match self {
            Self::OutOfScope => true,
            Self::Labels(labels) => labels.is_empty(),
            Self::Unlabelled | Self::Label(_) => false,
        }
    }

    /// Returns the labels; `None` for a row that has no say in them.
    #[must_use]
    pub fn labels(&self) -> Option<Vec<&str>> {
        match self {
            Self::Unlabelled | Self::OutOfScope => None,
            Self::Label(label) => Some(vec![label]),
            Self::Labels(labels) => Some(labels.iter().map(String::as_str).collect()),
        }
    }
}

/// Measures of one head.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadReport {
    /// Agreement on the rows with a label, out-of-scope rows left out.
    #[serde(flatten)]
    pub metrics: HeadMetrics,
    /// Rows whose label the head does not know; each counts as wrong.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown_label_rows: usize,
    /// Measures of scope, with out-of-scope rows.
    #[serde(flatten)]
    pub scope: Option<ScopeMetrics>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How well in scope and out of scope are told apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScopeMetrics {
    /// Rows out of scope.
    pub oos_rows: usize,
    /// Chance that an out-of-scope row scores above an in-scope one.
    pub oos_auroc: f64,
    /// Share of out-of-scope rows found when 5 % of the in-scope rows are rejected.
    pub oos_recall: f64,
    /// Share of out-of-scope rows that readings call so, at the model's own threshold.
    pub oos_recall_at_threshold: f64,
    /// Share of in-scope rows that readings call out of scope.
    pub in_scope_rejected_at_threshold: f64,
    /// Share of in-scope rows whose intent is right.
    pub in_scope_accuracy: f64,
}

/// Measures one head on rows of predictions.
#[must_use]
pub fn head_report(
    heads: &Heads,
    name: &str,
    predictions: &Predictions,
    truth: &[Truth],
) -> Option<HeadReport> {
    let head = heads.by_name.get(name)?;
    let rows = predictions.probabilities.get(name)?;
    let places: BTreeMap<&str, usize> =
        head.entry.labels.iter().enumerate().map(|(i, label)| (label.as_str(), i)).collect();
    let (mut probabilities, mut labels) = (Vec::new(), Vec::new());
    for (row, truth) in rows.iter().zip(truth) {
        if let Some(given) = truth.labels() {
            probabilities.push(row.clone());
            labels.push(given.iter().map(|label| places.get(label).copied()).collect::<Vec<_>>());
        }
    }
    let scope = (name == INTENT).then(|| scope_metrics(heads, predictions, truth)).flatten();
    Some(HeadReport {
        metrics: head_metrics(&head.entry, &probabilities, &labels),
        unknown_label_rows: labels.iter().filter(|given| given.contains(&None)).count(),
        scope,
    })
}

impl HeadEntry {
    /// Returns whether what is read of a text is what is true of it, no label more and none less.
    #[must_use]
    pub fn right(&self, probabilities: &[f64], truth: &Truth) -> bool {
        let read = self.there(probabilities).into_iter().map(|place| self.labels[place].as_str());
        truth.labels().is_some_and(|given| {
            given.into_iter().collect::<BTreeSet<_>>() == read.collect::<BTreeSet<_>>()
        })
    }
}

fn scope_metrics(
    heads: &Heads,
    predictions: &Predictions,
    truth: &[Truth],
) -> Option<ScopeMetrics> {
    let head = heads.by_name.get(INTENT)?;
    let rows = predictions.probabilities.get(INTENT)?;
    let (mut inside, mut outside, mut right) = (Vec::new(), Vec::new(), 0);
    let own = heads.scope.as_ref().map_or(1.0, |scope| scope.entry.threshold);
    // As readings have it: too far out, or not one of several intents there.
    let (mut found, mut rejected) = (0, 0);
    for ((truth, score), row) in truth.iter().zip(&predictions.scope_scores).zip(rows) {
        let called_outside = usize::from(*score > own || head.entry.there(row).is_empty());
        match truth {
            Truth::Unlabelled => {}
            truth if truth.is_outside() => {
                outside.push(*score);
                found += called_outside;
            }
            Truth::OutOfScope | Truth::Label(_) | Truth::Labels(_) => {
                inside.push(*score);
                rejected += called_outside;
                right += usize::from(head.entry.right(row, truth));
            }
        }
    }
    let cut = quantile(&inside, 1.0 - REJECTED)?;
    let above = |scores: &[f64], cut: f64| {
        ratio(scores.iter().filter(|score| **score > cut).count(), scores.len())
    };
    Some(ScopeMetrics {
        oos_rows: outside.len(),
        oos_auroc: auroc(&inside, &outside)?,
        oos_recall: above(&outside, cut),
        oos_recall_at_threshold: ratio(found, outside.len()),
        in_scope_rejected_at_threshold: ratio(rejected, inside.len()),
        in_scope_accuracy: ratio(right, inside.len()),
    })
}
