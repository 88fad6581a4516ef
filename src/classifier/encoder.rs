//! The text encoder: a BERT forward pass for reading, and the way back for training.
//!
//! The architecture is that of Devlin et al. (2019) without the pooler; mean pooling happens in
//! [`super::features`]. Weights are named as here, with query, key and value fused into one matrix.
//! The arithmetic is that of `evenhand-kernels`, on texts lying end to end without padding. The way
//! back is written out in [`backward`] rather than left to a tape: half the time, and no operation can
//! drop a gradient without anybody noticing.

mod backward;
mod dropout;
mod quantised;

use std::{collections::BTreeMap, ops::Range};

use candle_core::{D, DType, Result, Tensor};
use evenhand_kernels::{
    attention::{self, attention},
    gelu::gelu,
    matmul::{Packed, Precision, precision},
    norm::layer_norm,
    pointwise::add,
};
use serde::{Deserialize, Serialize};

use super::tokenize::Tokens;

pub use backward::{Gradients, Tape};
pub use dropout::Dropout;
pub use quantised::QuantisedEncoder;

/// The shape of an encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderConfig {
    /// Transformer layers.
    pub layers: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Attention heads; divide `hidden`.
    pub attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Word pieces.
    pub vocabulary: usize,
    /// Longest text in tokens that has position embeddings.
    pub positions: usize,
    /// Added to the variance in layer norms.
    pub layer_norm_eps: f64,
}

impl EncoderConfig {
    /// Returns the name and the shape of every weight.
    #[must_use]
    pub fn weights(&self) -> BTreeMap<String, Vec<usize>> {
        let (hidden, wide) = (self.hidden, self.intermediate);
        let mut weights = BTreeMap::from([
            ("embeddings.words".to_owned(), vec![self.vocabulary, hidden]),
            ("embeddings.positions".to_owned(), vec![self.positions, hidden]),
            ("embeddings.norm.weight".to_owned(), vec![hidden]),
            ("embeddings.norm.bias".to_owned(), vec![hidden]),
        ]);
        for layer in 0..self.layers {
            for (name, out, input) in [
                ("qkv", 3 * hidden, hidden),
                ("attention", hidden, hidden),
                ("up", wide, hidden),
                ("down", hidden, wide),
            ] {
                weights.insert(format!("layers.{layer}.{name}.weight"), vec![out, input]);
                weights.insert(format!("layers.{layer}.{name}.bias"), vec![out]);
            }
            for name in ["attention_norm", "output_norm"] {
                weights.insert(format!("layers.{layer}.{name}.weight"), vec![hidden]);
                weights.insert(format!("layers.{layer}.{name}.bias"), vec![hidden]);
            }
        }
        weights
    }

    /// Returns a token and its place in the text as rows of the embeddings.
    fn check(&self, id: u32, place: usize) -> Result<(usize, usize)> {
        let id = id as usize;
        if id < self.vocabulary && place < self.positions {
            return Ok((id, place));
        }
        candle_core::bail!(
            "token {id} at place {place}; allowed are tokens below {} and places below {}",
            self.vocabulary,
            self.positions
        )
    }
}

/// From texts to hidden states.
pub trait Encode: Sync {
    /// Returns the hidden states after each layer, each tokens by width.
    ///
    /// # Errors
    /// When a window is longer than the position embeddings or a token is not in the vocabulary.
    fn forward(&self, batch: &TokenBatch) -> Result<Vec<Vec<f32>>>;
}

/// Texts as token numbers, lying end to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    ids: Vec<u32>,
    /// Tokens of each window: tokens see those of their own window.
    windows: Vec<usize>,
    /// Tokens of each text.
    texts: Vec<usize>,
}

impl TokenBatch {
    /// Takes texts; each has at least one token.
    #[must_use]
    pub fn new(texts: &[&Tokens]) -> Self {
        Self {
            ids: texts.iter().flat_map(|text| text.ids()).copied().collect(),
            windows: texts.iter().flat_map(|text| text.windows()).copied().collect(),
            texts: texts.iter().map(|text| text.ids().len()).collect(),
        }
    }

    /// Returns how many texts there are.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.texts.len()
    }

    /// Returns how many numbers a token has of a state.
    #[must_use]
    pub fn width(&self, state: &[f32]) -> usize {
        state.len() / self.ids.len().max(1)
    }

    /// Returns the mean over the tokens of each text of rows of `width` numbers.
    #[must_use]
    pub fn mean(&self, rows: &[f32], width: usize) -> Vec<f32> {
        let mut rows = rows.chunks_exact(width);
        let mut out = vec![0.0; self.texts.len() * width];
        for (length, mean) in self.texts.iter().zip(out.chunks_exact_mut(width)) {
            for row in rows.by_ref().take(*length) {
                add(mean, row);
            }
            let share = share(*length);
            mean.iter_mut().for_each(|x| *x *= share);
        }
        out
    }

    /// Returns which of the tokens are those of each text.
    #[must_use]
    pub fn spans(&self) -> Vec<Range<usize>> {
        let mut end = 0;
        let span = |length: &usize| {
            end += length;
            end - length..end
        };
        self.texts.iter().map(span).collect()
    }

    /// Returns the gradient at the rows, given that of the means.
    fn mean_grad(&self, grad: &[f32], width: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.ids.len() * width);
        for (length, row) in self.texts.iter().zip(grad.chunks_exact(width)) {
            let share = share(*length);
            for _ in 0..*length {
                out.extend(row.iter().map(|grad| grad * share));
            }
        }
        out
    }

    /// Returns the place of each token in its window.
    fn places(&self) -> impl Iterator<Item = usize> {
        self.windows.iter().flat_map(|length| 0..*length)
    }
}

/// Returns one of `length` equal parts of one.
#[expect(clippy::cast_possible_truncation, reason = "a text has few tokens")]
fn share(length: usize) -> f32 {
    1.0 / (length as f64) as f32
}

struct Linear {
    /// Out by in.
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// The weight, laid out for products.
    packed: Packed,
}

impl Linear {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        self.packed.forward(x, &self.bias)
    }
}

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl Norm {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}

/// A transformer layer, by its kind of linear layers.
struct Layer<L = Linear> {
    qkv: L,
    attention: L,
    attention_norm: Norm,
    up: L,
    down: L,
    output_norm: Norm,
}

/// A BERT-family encoder.
pub struct Encoder {
    config: EncoderConfig,
    words: Vec<f32>,
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Encoder {
    /// Builds it from weights named and shaped as [`EncoderConfig::weights`] says. `trained`: ready for
    /// the way back, too.
    ///
    /// # Errors
    /// Names the weight that is missing or has another shape.
    pub fn new(
        config: EncoderConfig,
        weights: &BTreeMap<String, Tensor>,
        trained: bool,
    ) -> Result<Self> {
        Self::with(precision(), config, weights, trained)
    }

    /// As [`Self::new`], with a precision that the processor has.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(
        precision: Precision,
        config: EncoderConfig,
        weights: &BTreeMap<String, Tensor>,
        trained: bool,
    ) -> Result<Self> {
        let from = Weights { shapes: config.weights(), weights, precision, trained };
        #[expect(clippy::cast_possible_truncation, reason = "the kernels take an f32 here")]
        let eps = config.layer_norm_eps as f32;
        let layer = |index: usize| -> Result<Layer> {
            let of = |name: &str| format!("layers.{index}.{name}");
            Ok(Layer {
                qkv: from.linear(&of("qkv"))?,
                attention: from.linear(&of("attention"))?,
                attention_norm: from.norm(&of("attention_norm"), eps)?,
                up: from.linear(&of("up"))?,
                down: from.linear(&of("down"))?,
                output_norm: from.norm(&of("output_norm"), eps)?,
            })
        };
        Ok(Self {
            words: from.get("embeddings.words")?,
            positions: from.get("embeddings.positions")?,
            norm: from.norm("embeddings.norm", eps)?,
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            config,
        })
    }

    /// Returns its shape.
    #[must_use]
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Returns the sum of word and position embeddings.
    fn embed(&self, batch: &TokenBatch) -> Result<Vec<f32>> {
        let (width, config) = (self.config.hidden, &self.config);
        let mut x = Vec::with_capacity(batch.ids.len() * width);
        for (id, place) in batch.ids.iter().zip(batch.places()) {
            let (id, place) = config.check(*id, place)?;
            let (word, position) = (&self.words[id * width..], &self.positions[place * width..]);
            x.extend(word.iter().zip(position).take(width).map(|(word, place)| word + place));
        }
        Ok(x)
    }

    fn attend(&self, qkv: &[f32], batch: &TokenBatch) -> Vec<f32> {
        attention(qkv, &self.shape(batch))
    }

    fn shape<'a>(&self, batch: &'a TokenBatch) -> attention::Shape<'a> {
        let heads = self.config.attention_heads;
        attention::Shape { lengths: &batch.windows, heads, width: self.config.hidden / heads }
    }
}

impl Encode for Encoder {
    fn forward(&self, batch: &TokenBatch) -> Result<Vec<Vec<f32>>> {
        let mut x = self.norm.forward(&self.embed(batch)?);
        let mut states = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let mixed = self.attend(&layer.qkv.forward(&x), batch);
            add(&mut x, &layer.attention.forward(&mixed));
            let mut middle = layer.attention_norm.forward(&x);
            let narrow = layer.down.forward(&gelu(&layer.up.forward(&middle)));
            add(&mut middle, &narrow);
            x = layer.output_norm.forward(&middle);
            states.push(x.clone());
        }
        Ok(states)
    }
}

/// Where an encoder's weights come from.
struct Weights<'a> {
    shapes: BTreeMap<String, Vec<usize>>,
    weights: &'a BTreeMap<String, Tensor>,
    precision: Precision,
    trained: bool,
}

impl Weights<'_> {
    fn get(&self, name: &str) -> Result<Vec<f32>> {
        let Some(tensor) = self.weights.get(name) else {
            candle_core::bail!("weight {name} is missing")
        };
        let expected = self.shapes.get(name);
        if expected.map(Vec::as_slice) != Some(tensor.dims()) {
            candle_core::bail!("weight {name} has shape {:?}, expected {expected:?}", tensor.dims())
        }
        tensor.flatten_all()?.to_vec1()
    }

    fn linear(&self, name: &str) -> Result<Linear> {
        let weight = self.get(&format!("{name}.weight"))?;
        let bias = self.get(&format!("{name}.bias"))?;
        let shape = (bias.len(), weight.len() / bias.len().max(1));
        Ok(Linear {
            packed: Packed::with(self.precision, &weight, shape, self.trained),
            weight,
            bias,
        })
    }

    fn norm(&self, name: &str, eps: f32) -> Result<Norm> {
        Ok(Norm {
            weight: self.get(&format!("{name}.weight"))?,
            bias: self.get(&format!("{name}.bias"))?,
            eps,
        })
    }
}

/// Returns rows scaled to length one; a row of zeros stays zeros.
///
/// # Errors
/// When the tensor is not floating point.
pub fn normalised(rows: &Tensor) -> Result<Tensor> {
    // The small number keeps the square root's gradient finite.
    let length = rows.to_dtype(DType::F32)?.sqr()?.sum_keepdim(D::Minus1)?.affine(1.0, 1e-12)?;
    rows.broadcast_div(&length.sqrt()?)
}

#[cfg(test)]
mod tests;
