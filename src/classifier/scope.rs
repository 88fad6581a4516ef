//! How far a text lies outside the model's intents.
//!
//! Three signals, combined by a small logistic model fitted on held-out texts: the energy of the
//! intent head (Liu et al. 2020), the distance to the nearest known texts (Sun et al. 2022), and a
//! linear head that has seen other kinds of text (outlier exposure, Hendrycks et al. 2019).

use std::collections::BTreeMap;

use candle_core::{D, Result, Tensor};

use super::{
    artifact::{HeadEntry, ScopeEntry},
    features::{Features, View},
    heads::{Head, log_sum_exp},
};

/// Neighbours whose mean similarity counts.
const NEIGHBOURS: usize = 3;

/// The signals of one text; higher is further out.
pub type Signals = [f64; 3];

/// Scores texts.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Weights and threshold.
    pub entry: ScopeEntry,
    /// Features of known texts, one row each, of length one.
    pub known: Tensor,
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
    pub fn store(&self, weights: &mut BTreeMap<String, Tensor>) {
        weights.insert("scope.known".to_owned(), self.known.clone());
        if let Some(outlier) = &self.outlier {
            outlier.store(weights);
        }
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
    known: &Tensor,
    outlier: Option<&Head>,
    features: &Features,
) -> Result<Vec<Signals>> {
    let logits = intent.logits(features)?;
    let near = nearness(known, features.view(View::Last))?;
    let outlier = outlier.map(|head| head.logits(features)).transpose()?;
    Ok((0..logits.len())
        .map(|row| {
            let outside =
                outlier.as_ref().map_or(0.0, |rows| f64::from(rows[row][1] - rows[row][0]));
            [-log_sum_exp(&logits[row]), 1.0 - near[row], outside]
        })
        .collect())
}

/// Returns the mean cosine of each row with its nearest known rows.
fn nearness(known: &Tensor, rows: &Tensor) -> Result<Vec<f64>> {
    let neighbours = NEIGHBOURS.min(known.dim(0)?).max(1);
    let mut nearness = Vec::new();
    // In parts, so that many texts against many known ones stay small in memory.
    for start in (0..rows.dim(0)?).step_by(1024) {
        let part = rows.narrow(0, start, 1024.min(rows.dim(0)? - start))?;
        let cosines = part.matmul(&known.t()?)?;
        for row in cosines.to_vec2::<f32>()? {
            let mut best = [f32::NEG_INFINITY; NEIGHBOURS];
            for cosine in row {
                if cosine > best[neighbours - 1] {
                    best[neighbours - 1] = cosine;
                    best[..neighbours].sort_by(|a, b| b.total_cmp(a));
                }
            }
            let sum: f64 = best[..neighbours].iter().copied().map(f64::from).sum();
            nearness.push(sum / f64::from(u32::try_from(neighbours).unwrap_or(u32::MAX)));
        }
    }
    debug_assert_eq!(known.dim(D::Minus1)?, rows.dim(D::Minus1)?, "same width");
    Ok(nearness)
}
