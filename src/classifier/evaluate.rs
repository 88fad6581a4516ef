//! Measures a model on labelled texts, or rows of predictions against their labels.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    heads::{Heads, INTENT, Predictions, argmax},
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
    /// Share of out-of-scope rows found at the model's own threshold.
    pub oos_recall_at_threshold: f64,
    /// Share of in-scope rows rejected at the model's own threshold.
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
        if let Truth::Label(label) = truth {
            probabilities.push(row.clone());
            labels.push(places.get(label.as_str()).copied());
        }
    }
    let scope = (name == INTENT).then(|| scope_metrics(heads, predictions, truth)).flatten();
    Some(HeadReport {
        metrics: head_metrics(&head.entry.labels, &probabilities, &labels),
        unknown_label_rows: labels.iter().filter(|label| label.is_none()).count(),
        scope,
    })
}

fn scope_metrics(
    heads: &Heads,
    predictions: &Predictions,
    truth: &[Truth],
) -> Option<ScopeMetrics> {
    let head = heads.by_name.get(INTENT)?;
    let rows = predictions.probabilities.get(INTENT)?;
    let (mut inside, mut outside, mut right) = (Vec::new(), Vec::new(), 0);
    for ((truth, score), row) in truth.iter().zip(&predictions.scope_scores).zip(rows) {
        match truth {
            Truth::Unlabelled => {}
            Truth::OutOfScope => outside.push(*score),
            Truth::Label(label) => {
                inside.push(*score);
                right += usize::from(head.entry.labels[argmax(row)] == *label);
            }
        }
    }
    let own = heads.scope.as_ref().map_or(1.0, |scope| scope.entry.threshold);
    let cut = quantile(&inside, 1.0 - REJECTED)?;
    let above = |scores: &[f64], cut: f64| {
        ratio(scores.iter().filter(|score| **score > cut).count(), scores.len())
    };
    Some(ScopeMetrics {
        oos_rows: outside.len(),
        oos_auroc: auroc(&inside, &outside)?,
        oos_recall: above(&outside, cut),
        oos_recall_at_threshold: above(&outside, own),
        in_scope_rejected_at_threshold: above(&inside, own),
        in_scope_accuracy: ratio(right, inside.len()),
    })
}
