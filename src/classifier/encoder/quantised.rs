//! The encoder that reads: the same forward pass on weights and tokens of eight bits.
//!
//! Weights stay as the file has them. Tokens are rounded before each matrix product, each token by itself,
//! and sums are exact; so a text's states are the same bit for bit, alone or in any batch.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use evenhand_kernels::{
    attention::{self, attention_into},
    int8::{Rows, Weights},
    norm::{add_norm, norm_in_place},
};

use super::{Encode, EncoderConfig, Layer, Norm, TokenBatch};
use crate::classifier::quantise::{WeightsError, WeightsFile, Whole};

/// Tokens that pass all layers together, unless one window has more: their states and a layer's weights stay
/// in the nearer caches, and more would not make a product faster.
const PART_TOKENS: usize = 96;

/// The matrices of a layer, in the order in which they are used.
const MATRICES: [&str; 4] = ["qkv", "attention", "up", "down"];

/// A BERT-family encoder for reading.
pub struct QuantisedEncoder {
    config: EncoderConfig,
    words: Whole,
    positions: Whole,
    norm: Norm,
    layers: Vec<Layer<Linear>>,
    /// Memory of threads that have read and may read again.
    spare: Mutex<Vec<Scratch>>,
}

struct Linear {
    weights: Weights,
    bias: Vec<f32>,
}

/// What one pass writes on its way.
#[derive(Default)]
struct Scratch {
    rows: Rows,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
    narrow: Vec<f32>,
    attention: attention::Scratch,
}

impl QuantisedEncoder {
    /// Takes the weights of a file, named and shaped as [`EncoderConfig::weights`] says.
    ///
    /// # Errors
    /// Names the weight that is missing or has another shape or type.
    pub fn read(config: EncoderConfig, file: &[u8]) -> Result<Self, WeightsError> {
        let from = WeightsFile::open(file, config.weights())?;
        #[expect(clippy::cast_possible_truncation, reason = "the kernels take an f32 here")]
        let eps = config.layer_norm_eps as f32;
        let norm = |name: &str| -> Result<Norm, WeightsError> {
            let part = |part: &str| from.numbers(&format!("{name}.{part}"));
            Ok(Norm { weight: part("weight")?, bias: part("bias")?, eps })
        };
        let names: Vec<String> = (0..config.layers)
            .flat_map(|layer| MATRICES.map(|name| format!("layers.{layer}.{name}")))
            .collect();
        let whole = |name: &String| from.whole(&format!("{name}.weight"));
        let whole: Vec<Whole> = names.iter().map(whole).collect::<Result<_, _>>()?;
        let matrices: Vec<_> = whole.iter().map(Whole::matrix).collect();
        // In the order in which they are used.
        let weights = Weights::together(&matrices);
        let linear = |(weights, name): (Weights, &String)| -> Result<Linear, WeightsError> {
            Ok(Linear { weights, bias: from.numbers(&format!("{name}.bias"))? })
        };
        let linear: Vec<Linear> =
            weights.into_iter().zip(&names).map(linear).collect::<Result<_, _>>()?;
        let mut linear = linear.into_iter();
        let mut layers = Vec::new();
        while let Some([qkv, attention, up, down]) = take_four(&mut linear) {
            let norm = |name: &str| norm(&format!("layers.{}.{name}", layers.len()));
            layers.push(Layer {
                attention_norm: norm("attention_norm")?,
                output_norm: norm("output_norm")?,
                qkv,
                attention,
                up,
                down,
            });
        }
        Ok(Self {
            words: from.whole("embeddings.words")?,
            positions: from.whole("embeddings.positions")?,
            norm: norm("embeddings.norm")?,
            layers,
            config,
            spare: Mutex::default(),
        })
    }

    fn scratch(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        // A panic elsewhere leaves memory that is as good as new.
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the states of some windows to those of the windows before them.
    fn read_part(
        &self,
        ids: &[u32],
        lengths: &[usize],
        scratch: &mut Scratch,
        states: &mut [Vec<f32>],
    ) -> candle_core::Result<()> {
        let heads = self.config.attention_heads;
        let shape = attention::Shape { lengths, heads, width: self.config.hidden / heads };
        let mut x = self.embed(ids, lengths)?;
        for (layer, states) in self.layers.iter().zip(states) {
            layer.pass(&mut x, &shape, scratch);
            states.extend_from_slice(&x);
        }
        Ok(())
    }

    /// Returns the normed sum of word and position embeddings.
    fn embed(&self, ids: &[u32], lengths: &[usize]) -> candle_core::Result<Vec<f32>> {
        let places = lengths.iter().flat_map(|length| 0..*length);
        let mut x = Vec::with_capacity(ids.len() * self.config.hidden);
        for (id, place) in ids.iter().zip(places) {
            let (id, place) = self.config.check(*id, place)?;
            let (word, by) = self.words.row(id);
            let (position, and_by) = self.positions.row(place);
            let both = word.iter().zip(position);
            x.extend(both.map(|(w, p)| f32::from(*w) * by + f32::from(*p) * and_by));
        }
        norm_in_place(&mut x, &self.norm.weight, &self.norm.bias, self.norm.eps);
        Ok(x)
    }
}

impl Encode for QuantisedEncoder {
    fn forward(&self, batch: &TokenBatch) -> candle_core::Result<Vec<Vec<f32>>> {
        let all = batch.ids.len() * self.config.hidden;
        let mut states: Vec<_> = self.layers.iter().map(|_| Vec::with_capacity(all)).collect();
        let mut scratch = self.scratch().pop().unwrap_or_default();
        let mut first = 0;
        for part in parts(&batch.windows) {
            let lengths = &batch.windows[part];
            let tokens: usize = lengths.iter().sum();
            let ids = &batch.ids[first..first + tokens];
            self.read_part(ids, lengths, &mut scratch, &mut states)?;
            first += tokens;
        }
        self.scratch().push(scratch);
        Ok(states)
    }
}

impl Layer<Linear> {
    /// Puts the state after this layer in place of the one before.
    fn pass(&self, x: &mut [f32], shape: &attention::Shape<'_>, scratch: &mut Scratch) {
        let Scratch { rows, qkv, mixed, wide, narrow, attention } = scratch;
        let hidden = shape.heads * shape.width;
        rows.round(x, hidden);
        self.qkv.forward(rows, qkv);
        attention_into(qkv, shape, attention, mixed);
        rows.round(mixed, hidden);
        self.attention.forward(rows, narrow);
        self.attention_norm.after_adding(x, narrow);
        rows.round(x, hidden);
        self.up.forward(rows, wide);
        rows.round_gelu(wide, self.up.bias.len());
        self.down.forward(rows, narrow);
        self.output_norm.after_adding(x, narrow);
    }
}

impl Linear {
    fn forward(&self, rows: &Rows, out: &mut Vec<f32>) {
        out.resize(rows.count() * self.bias.len(), 0.0);
        self.weights.forward(rows, &self.bias, out);
    }
}

impl Norm {
    fn after_adding(&self, x: &mut [f32], y: &[f32]) {
        add_norm(x, y, &self.weight, &self.bias, self.eps);
    }
}

/// Returns the next four, if there are so many.
fn take_four<T>(all: &mut impl Iterator<Item = T>) -> Option<[T; 4]> {
    Some([all.next()?, all.next()?, all.next()?, all.next()?])
}

/// Cuts windows into parts of at most [`PART_TOKENS`], or one window.
fn parts(lengths: &[usize]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (window, length) in lengths.iter().enumerate() {
        match parts.last_mut() {
            Some(part) if tokens + length <= PART_TOKENS => {
                part.end = window + 1;
                tokens += length;
            }
            _ => {
                parts.push(window..window + 1);
                tokens = *length;
            }
        }
    }
    parts
}
