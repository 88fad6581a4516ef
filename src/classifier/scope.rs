//! How far a text lies outside the model's intents.
//!
//! Three signals, combined by a small logistic model fitted on held-out texts: the energy of the
//! intent head (Liu et al. 2020), the distance to the nearest known texts (Sun et al. 2022), and a
//! linear head that has seen other kinds of text (outlier exposure, Hendrycks et al. 2019).

use std::collections::BTreeMap;

use candle_core::{D, Device, Result, Tensor};
use evenhand_kernels::int8::{Matrix, Rows, Weights, round_rows};

use super::{
    artifact::{HeadEntry, ScopeEntry},
    features::{Features, View},
    heads::{Head, log_sum_exp},
};

/// Neighbours whose mean similarity counts.
const NEIGHBOURS: usize = 3;
/// Texts whose cosines are in memory together.
const ROWS_AT_ONCE: usize = 64;

/// The signals of one text; higher is further out.
pub type Signals = [f64; 3];

/// Features of texts that are in scope, one row each, of length one; in eight bits, for they are many.
#[derive(Clone, Debug)]
pub struct Known {
    whole: Vec<i8>,
    scales: Vec<f32>,
    /// The same, laid out for products.
    weights: Weights,
}

impl Known {
    /// Takes one row for each text, at least one.
    ///
    /// # Errors
    /// When the tensor is no matrix of numbers.
    pub fn new(rows: &Tensor) -> Result<Self> {
        let (texts, width) = rows.dims2()?;
        if texts == 0 || width == 0 {
            candle_core::bail!("no known texts; allowed is at least one")
        }
        let (whole, scales) = round_rows(&rows.flatten_all()?.to_vec1()?, width);
        let weights = Weights::new(Matrix { whole: &whole, scales: &scales });
        Ok(Self { whole, scales, weights })
    }

    /// Returns the rows as they are counted with.
    ///
    /// # Errors
    /// When candle refuses.
    pub fn rows(&self) -> Result<Tensor> {
        let (_, width) = self.weights.shape();
        let rows = self.whole.chunks(width).zip(&self.scales);
        let numbers = rows.flat_map(|(row, scale)| row.iter().map(move |x| f32::from(*x) * scale));
        Tensor::from_iter(numbers, &Device::Cpu)?.reshape(self.weights.shape())
    }

    /// Returns the mean cosine of each row with its nearest known rows.
    fn nearness(&self, rows: &Tensor) -> Result<Vec<f64>> {
        let (texts, width) = self.weights.shape();
        let found = rows.dim(D::Minus1)?;
        if found != width {
            candle_core::bail!("features of {found} numbers, known texts of {width}")
        }
        let neighbours = NEIGHBOURS.min(texts);
        let (no_bias, mut cosines) = (vec![0.0; texts], Vec::new());
        let (mut rounded, mut nearness) = (Rows::default(), Vec::new());
        // In parts, so that many texts against many known ones stay small in memory.
        for part in rows.flatten_all()?.to_vec1::<f32>()?.chunks(ROWS_AT_ONCE * width) {
            rounded.round(part, width);
            cosines.resize(rounded.count() * texts, 0.0);
            self.weights.forward(&rounded, &no_bias, &mut cosines);
            nearness.extend(cosines.chunks(texts).map(|row| mean_of_largest(row, neighbours)));
        }
        Ok(nearness)
    }
}

/// Returns the mean of the largest numbers, `count` of them, at most [`NEIGHBOURS`].
fn mean_of_largest(numbers: &[f32], count: usize) -> f64 {
    let mut best = [f32::NEG_INFINITY; NEIGHBOURS];
    for number in numbers {
        if *number > best[count - 1] {
            best[count - 1] = *number;
            best[..count].sort_by(|a, b| b.total_cmp(a));
        }
    }
    let sum: f64 = best[..count].iter().copied().map(f64::from).sum();
    sum / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Scores texts.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Weights and threshold.
    pub entry: ScopeEntry,
    /// Known texts.
    pub known: Known,
    /// Two labels: inside, outside; absent when no outside texts were known.
    pub outlier: Option<Head>,
}

impl Scope {
    /// Returns the score of each text, 0 to 1.
    ///
    /// # Errors
    /// When the features have another width.
    pub fn scores(&self, intent: &Head, features: &Features) -> Result<Vec<f64>> {
        let signals = signals(intent, &self.known, self.outlier.as_ref(), features)?;
        Ok(signals.iter().map(|s| combine(&self.entry.weights, self.entry.bias, s)).collect())
    }

    /// Takes the outlier head from a file's tensors, when there is one.
    ///
    /// # Errors
    /// When only a part of it is there.
    pub fn outlier_head(weights: &BTreeMap<String, Tensor>) -> Result<Option<Head>> {
        let entry = Self::outlier_entry();
        if weights.contains_key(&format!("{}.weight", entry.name)) {
            Head::new(entry, weights).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Returns what the outlier head is: it tells inside from outside.
    #[must_use]
    pub fn outlier_entry() -> HeadEntry {
        HeadEntry {
            name: "scope.outlier".to_owned(),
            labels: vec!["inside".to_owned(), "outside".to_owned()],
            view: View::Layers,
            temperature: 1.0,
            threshold: None,
        }
    }

    /// Adds its tensors to a file's.
    ///
    /// # Errors
    /// When candle refuses.
    pub fn store(&self, weights: &mut BTreeMap<String, Tensor>) -> Result<()> {
        weights.insert("scope.known".to_owned(), self.known.rows()?);
        if let Some(outlier) = &self.outlier {
            outlier.store(weights);
        }
        Ok(())
    }
}

/// Returns the logistic function of the weighted sum of signals.
#[must_use]
pub fn combine(weights: &[f64], bias: f64, signals: &Signals) -> f64 {
    let sum: f64 = weights.iter().zip(signals).map(|(weight, signal)| weight * signal).sum();
    1.0 / (1.0 + (-(sum + bias)).exp())
}

/// Returns the signals of each text.
///
/// # Errors
/// When the features have another width.
pub fn signals(
    intent: &Head,
    known: &Known,
    outlier: Option<&Head>,
    features: &Features,
) -> Result<Vec<Signals>> {
    let logits = intent.logits(features)?;
    let near = known.nearness(features.view(View::Last))?;
    let outlier = outlier.map(|head| head.logits(features)).transpose()?;
    Ok((0..logits.len())
        .map(|row| {
            let outside =
                outlier.as_ref().map_or(0.0, |rows| f64::from(rows[row][1] - rows[row][0]));
            [-log_sum_exp(&logits[row]), 1.0 - near[row], outside]
        })
        .collect())
}
