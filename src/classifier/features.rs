//! What heads see of a text: pooled hidden states of the encoder.
//!
//! The last layer is organised by topic, the middle ones know more of mood, so heads choose a
//! [`View`]. Every view is scaled to length one for each layer.

use candle_core::{Device, Result, Tensor};
use evenhand_kernels::pointwise::normalise_rows;
use serde::{Deserialize, Serialize};

use super::{
    encoder::{Encode, TokenBatch},
    parallel::in_parallel,
    tokenize::Tokens,
};

/// Most tokens of a batch, padding included. Past about this size, hidden states leave the cache.
pub(super) const BATCH_TOKENS_MAX: usize = 2048;
/// Batches after which progress is told.
const BATCHES_AT_ONCE: usize = 16;
/// Layers of [`View::Layers`]: these many, evenly spaced up to the last.
const LAYERS_SEEN: usize = 5;

/// What of the encoder's states a head sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// The mean over the tokens of the last layer.
    Last,
    /// The means of five layers, middle to last, side by side.
    Layers,
}

impl View {
    /// Returns the indices of the layers it sees of so many, in the order of its blocks.
    #[must_use]
    pub fn layers_seen(self, layers: usize) -> Vec<usize> {
        match self {
            Self::Last => vec![layers - 1],
            Self::Layers => (1..=LAYERS_SEEN).map(|k| layer_seen(k, layers)).collect(),
        }
    }
}

/// Features of some texts, one row each.
#[derive(Clone, Debug)]
pub struct Features {
    /// As [`View::Last`].
    last: Tensor,
    /// As [`View::Layers`].
    layers: Tensor,
}

impl Features {
    /// Encodes texts in batches of similar length; rows come in the order of the texts, at least one.
    /// Calls `done` with the number of texts after each batch.
    ///
    /// # Errors
    /// When a window has more tokens than the encoder has positions.
    pub fn encode(
        encoder: &impl Encode,
        texts: &[&Tokens],
        device: &Device,
        mut done: impl FnMut(usize),
    ) -> Result<Self> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|index| texts[*index].ids().len());
        let mut parts: Vec<Self> = Vec::new();
        let all = batches(&order, |index| texts[index].ids().len(), BATCH_TOKENS_MAX);
        for some in all.chunks(BATCHES_AT_ONCE) {
            parts.extend(in_parallel(some, |_, batch| {
                let texts: Vec<&Tokens> = batch.iter().map(|index| texts[*index]).collect();
                let batch = TokenBatch::new(&texts);
                Self::pool(&encoder.forward(&batch)?, &batch, device)
            })?);
            done(some.iter().map(|batch| batch.len()).sum());
        }
        // Row k of the batches in a line is text order[k].
        let mut rank = vec![0_u32; order.len()];
        for (position, index) in (0_u32..).zip(&order) {
            rank[*index] = position;
        }
        let count = rank.len();
        let rank = Tensor::from_vec(rank, count, device)?;
        let joined = |part: fn(&Self) -> &Tensor| {
            let parts: Vec<&Tensor> = parts.iter().map(part).collect();
            Tensor::cat(&parts, 0)?.index_select(&rank, 0)
        };
        Ok(Self { last: joined(|part| &part.last)?, layers: joined(|part| &part.layers)? })
    }

    /// Pools the hidden states of one batch.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn pool(states: &[Vec<f32>], batch: &TokenBatch, device: &Device) -> Result<Self> {
        let width = batch.width(&states[0]);
        let rows = batch.texts();
        let pooled = |index: usize| {
            let mut means = batch.mean(&states[index], width);
            normalise_rows(&mut means, width);
            means
        };
        let seen = View::Layers.layers_seen(states.len());
        let mut layers = vec![0.0; rows * seen.len() * width];
        for (block, index) in seen.iter().enumerate() {
            for (row, mean) in pooled(*index).chunks_exact(width).enumerate() {
                layers[(row * seen.len() + block) * width..][..width].copy_from_slice(mean);
            }
        }
        let last = Tensor::from_vec(pooled(states.len() - 1), (rows, width), device)?;
        let layers = Tensor::from_vec(layers, (rows, seen.len() * width), device)?;
        Ok(Self { last, layers })
    }

    /// Returns one view, texts by width.
    #[must_use]
    pub fn view(&self, view: View) -> &Tensor {
        match view {
            View::Last => &self.last,
            View::Layers => &self.layers,
        }
    }

    /// Returns how many texts there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.last.dim(0).unwrap_or(0)
    }

    /// Returns the features of some of the texts.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        let rows = Tensor::new(rows, self.last.device())?;
        Ok(Self {
            last: self.last.index_select(&rows, 0)?,
            layers: self.layers.index_select(&rows, 0)?,
        })
    }

    /// Returns the features of both, these first.
    ///
    /// # Errors
    /// When the widths differ.
    pub fn join(&self, other: &Self) -> Result<Self> {
        Ok(Self {
            last: Tensor::cat(&[&self.last, &other.last], 0)?,
            layers: Tensor::cat(&[&self.layers, &other.layers], 0)?,
        })
    }
}

/// Returns the index of the k-th layer seen, k from 1: evenly spaced, the last one last. Of six
/// layers the second to the sixth.
fn layer_seen(k: usize, layers: usize) -> usize {
    let below = (LAYERS_SEEN - k) * layers.div_ceil(LAYERS_SEEN + 1);
    (layers - 1).saturating_sub(below)
}

/// Cuts an order by rising length into batches whose padded size stays within a budget.
pub(crate) fn batches(
    order: &[usize],
    length: impl Fn(usize) -> usize,
    budget: usize,
) -> Vec<&[usize]> {
    let mut batches = Vec::new();
    let mut start = 0;
    for end in 0..order.len() {
        // Lengths rise, so the newest is the longest.
        if end > start && (end + 1 - start) * length(order[end]) > budget {
            batches.push(&order[start..end]);
            start = end;
        }
    }
    if start < order.len() {
        batches.push(&order[start..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_six_layers_the_second_to_the_sixth_are_seen() {
        let seen = |layers| View::Layers.layers_seen(layers);
        assert_eq!(seen(6), [1, 2, 3, 4, 5]);
        assert_eq!(seen(12), [3, 5, 7, 9, 11]);
        assert_eq!(seen(2), [0, 0, 0, 0, 1]);
    }

    proptest! {
        #[test]
        fn batches_keep_order_and_budget(mut lengths in prop::collection::vec(1_usize..300, 0..200)) {
            lengths.sort_unstable();
            let order: Vec<usize> = (0..lengths.len()).collect();
            let cut = batches(&order, |i| lengths[i], 512);
            prop_assert_eq!(cut.concat(), order.clone());
            for batch in cut {
                let longest = batch.iter().map(|i| lengths[*i]).max().unwrap();
                prop_assert!(batch.len() == 1 || batch.len() * longest <= 512);
            }
        }
    }
}
