//! How good a model is on labelled tickets: measures with intervals, as data, as text and as a page.
//!
//! Shares have Wilson intervals, and everything that chance alone could explain stands beside what
//! chance gives. Rows are named by their line; no text of a ticket is ever part of a report.

pub mod answers;
pub mod calibration;
pub mod confusion;
pub mod coverage;
pub mod noise;
pub mod page;
pub mod scores;
pub mod segments;
pub mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    classifier::{
        evaluate::{HeadReport, Truth, head_report},
        heads::{Heads, INTENT, Predictions},
        train::labelled::Labelled,
    },
    fairness::{Interval, Rate},
};
use answers::Answer;
use calibration::{Bin, Floor};
use confusion::{Matrix, Pair};
use coverage::Coverage;
use noise::Candidate;
use scores::{Correlation, RocPoint};
use segments::Segments;

/// Guesses of the intent among which the right one is looked for.
const TOP: usize = 3;

/// A model's measures on a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// By head.
    #[serde(flatten)]
    pub heads: BTreeMap<String, HeadMeasures>,
    /// Texts read in a second, here and now.
    pub tickets_per_second: f64,
    /// How the graded sentiment follows the ratings in the file, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment_score: Option<Correlation>,
    /// By segment, where they were asked for.
    #[serde(flatten)]
    pub segments: Option<Segments>,
}

/// The measures of one head that fit in a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Headline {
    /// Agreement, calibration and scope.
    #[serde(flatten)]
    pub report: HeadReport,
    /// 95 % Wilson interval of the accuracy; absent without rows.
    pub accuracy_interval: Option<Interval>,
    /// Share of rows whose label is among the three most probable; for the intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_3_accuracy: Option<f64>,
    /// Its 95 % Wilson interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_3_accuracy_interval: Option<Interval>,
    /// Mean squared distance of the probabilities from the truth, 0 to 2; absent where a text may have
    /// several labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brier: Option<f64>,
    /// What chance alone makes of `ece_15` on these rows; absent without rows.
    pub ece_15_floor: Option<Floor>,
}

/// All measures of one head.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadMeasures {
    /// The ones that fit in a line.
    #[serde(flatten)]
    pub headline: Headline,
    /// The bins of the calibration error.
    pub reliability: Vec<Bin>,
    /// Coverage against accuracy; absent without rows.
    pub coverage: Option<Coverage>,
    /// The most frequent confusions.
    pub confusion: Vec<Pair>,
    /// The out-of-scope score at every threshold, with out-of-scope rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oos_roc: Option<Vec<RocPoint>>,
    /// Rows whose label is probably wrong, in all.
    pub noise_rows: usize,
    /// The clearest of them.
    pub noise_candidates: Vec<Candidate>,
    /// Rows by label and guess.
    #[serde(skip)]
    pub matrix: Matrix,
}

/// What a model said of a file's rows; one entry a row everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// The model's heads.
    pub heads: &'a Heads,
    /// What they said.
    pub predictions: &'a Predictions,
    /// The graded sentiments; absent when the model reads no sentiment.
    pub sentiment_scores: Option<&'a [f64]>,
    /// The rows and their labels.
    pub rows: &'a Labelled,
    /// Texts read in a second.
    pub tickets_per_second: f64,
}

/// What is found on some rows.
struct Found {
    headline: Headline,
    /// Where one label is right.
    answers: Vec<Answer>,
    /// Rows read right.
    right: Rate,
}

impl Measured<'_> {
    /// Measures everything.
    #[must_use]
    pub fn report(&self) -> Report {
        let heads =
            self.rows.truth.keys().filter_map(|head| Some((head.clone(), self.head(head)?)));
        Report {
            heads: heads.collect(),
            tickets_per_second: self.tickets_per_second,
            sentiment_score: self
                .sentiment_scores
                .and_then(|scores| scores::correlation(scores, &self.rows.ratings)),
            segments: segments::segments(self),
        }
    }

    fn head(&self, name: &str) -> Option<HeadMeasures> {
        let truth = self.rows.truth.get(name)?;
        let Found { headline, answers, .. } =
            self.headline(name, self.predictions, truth, &self.rows.lines)?;
        let labels = &self.heads.by_name.get(name)?.entry.labels;
        let matrix = Matrix::new(labels, &answers);
        let mut noise_candidates = noise::candidates(labels, &answers);
        let noise_rows = noise_candidates.len();
        noise_candidates.truncate(noise::CANDIDATES_MAX);
        let with_scope = headline.report.scope.is_some();
        Some(HeadMeasures {
            reliability: calibration::reliability(&answers),
            coverage: coverage::coverage(&answers),
            confusion: matrix.pairs(),
            oos_roc: with_scope
                .then(|| scores::oos_roc(truth, &self.predictions.scope_scores))
                .flatten(),
            noise_rows,
            noise_candidates,
            matrix,
            headline,
        })
    }

    /// Measures one head on rows of predictions.
    fn headline(
        &self,
        name: &str,
        predictions: &Predictions,
        truth: &[Truth],
        lines: &[u64],
    ) -> Option<Found> {
        let answers = answers::answers(self.heads, name, predictions, (truth, lines))?;
        let head = &self.heads.by_name.get(name)?.entry;
        let one = head.threshold.is_none();
        let top = (one && name == INTENT).then(|| answers::top_k(&answers, TOP));
        let rows = predictions.probabilities.get(name)?.iter().zip(truth);
        let labelled = rows.filter(|(_, truth)| truth.labels().is_some());
        let right: Rate = labelled.map(|(row, truth)| head.right(row, truth)).collect();
        let headline = Headline {
            report: head_report(self.heads, name, predictions, truth)?,
            accuracy_interval: right.interval(),
            top_3_accuracy: top.and_then(|top| top.value()),
            top_3_accuracy_interval: top.and_then(|top| top.interval()),
            brier: one.then(|| answers::brier(&answers)),
            ece_15_floor: calibration::floor(&answers),
        };
        Some(Found { headline, answers, right })
    }
}
