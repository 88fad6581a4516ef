//! The text encoder: a BERT forward pass that serves reading and training alike.
//!
//! The architecture is that of Devlin et al. (2019) without the pooler; mean pooling happens in
//! [`super::features`]. Weights are named as here, with query, key and value fused into one matrix.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops;
use serde::{Deserialize, Serialize};

use super::gelu::gelu;

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
}

/// Which implementations of layer norm and softmax run.
///
/// candle's fused ones are faster but drop gradients without saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ops {
    /// For reading.
    Fused,
    /// For training.
    Differentiable,
}

/// Texts as token numbers, padded to the longest.
#[derive(Debug)]
pub struct TokenBatch {
    ids: Tensor,
    /// 1 for a token and 0 for padding, texts by tokens.
    mask: Tensor,
    /// Added to attention scores: 0, or -1e4 for padding, texts by 1 by 1 by tokens.
    attention_bias: Tensor,
    padded: bool,
}

impl TokenBatch {
    /// Pads texts; each has at least one token.
    ///
    /// # Errors
    /// When the tensors cannot be made.
    pub fn new(texts: &[&[u32]], device: &Device) -> Result<Self> {
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let mut ids = vec![0_u32; texts.len() * longest];
        let mut mask = vec![0_f32; ids.len()];
        for (row, text) in texts.iter().enumerate() {
            let start = row * longest;
            ids[start..start + text.len()].copy_from_slice(text);
            mask[start..start + text.len()].fill(1.0);
        }
        let mask = Tensor::from_vec(mask, (texts.len(), longest), device)?;
        // -1e4 and not f32::MIN, which becomes infinite, and NaN, in narrower types.
        let attention_bias = mask.affine(1e4, -1e4)?.reshape((texts.len(), 1, 1, longest))?;
        Ok(Self {
            ids: Tensor::from_vec(ids, (texts.len(), longest), device)?,
            mask,
            attention_bias,
            padded: texts.iter().any(|text| text.len() != longest),
        })
    }

    /// Returns the mean over the tokens of each text of hidden states, texts by width.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn mean(&self, hidden: &Tensor) -> Result<Tensor> {
        if !self.padded {
            return hidden.mean(1);
        }
        let lengths = self.mask.sum_keepdim(1)?;
        hidden.broadcast_mul(&self.mask.unsqueeze(2)?)?.sum(1)?.broadcast_div(&lengths)
    }
}

struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }
}

struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    fn forward(&self, x: &Tensor, ops: Ops) -> Result<Tensor> {
        #[expect(clippy::cast_possible_truncation, reason = "candle takes an f32 here")]
        let eps = self.eps as f32;
        match ops {
            Ops::Fused => ops::layer_norm(x, &self.weight, &self.bias, eps),
            Ops::Differentiable => ops::layer_norm_slow(x, &self.weight, &self.bias, eps),
        }
    }
}

struct Layer {
    qkv: Linear,
    attention: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    output_norm: LayerNorm,
}

/// A BERT-family encoder.
pub struct Encoder {
    config: EncoderConfig,
    words: Tensor,
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Encoder {
    /// Builds it from weights named and shaped as [`EncoderConfig::weights`] says.
    ///
    /// # Errors
    /// Names the weight that is missing or has another shape.
    pub fn new(config: EncoderConfig, weights: &BTreeMap<String, Tensor>) -> Result<Self> {
        let shapes = config.weights();
        let get = |name: String| -> Result<Tensor> {
            let Some(tensor) = weights.get(&name) else {
                candle_core::bail!("weight {name} is missing")
            };
            if shapes.get(&name).map(Vec::as_slice) != Some(tensor.dims()) {
                candle_core::bail!(
                    "weight {name} has shape {:?}, expected {:?}",
                    tensor.dims(),
                    shapes.get(&name)
                )
            }
            Ok(tensor.clone())
        };
        let linear = |name: String| -> Result<Linear> {
            Ok(Linear {
                weight: get(format!("{name}.weight"))?,
                bias: get(format!("{name}.bias"))?,
            })
        };
        let norm = |name: String| -> Result<LayerNorm> {
            Ok(LayerNorm {
                weight: get(format!("{name}.weight"))?,
                bias: get(format!("{name}.bias"))?,
                eps: config.layer_norm_eps,
            })
        };
        let layer = |index: usize| -> Result<Layer> {
            let of = |name: &str| format!("layers.{index}.{name}");
            Ok(Layer {
                qkv: linear(of("qkv"))?,
                attention: linear(of("attention"))?,
                attention_norm: norm(of("attention_norm"))?,
                up: linear(of("up"))?,
                down: linear(of("down"))?,
                output_norm: norm(of("output_norm"))?,
            })
        };
        Ok(Self {
            words: get("embeddings.words".to_owned())?,
            positions: get("embeddings.positions".to_owned())?,
            norm: norm("embeddings.norm".to_owned())?,
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            config,
        })
    }

    /// Returns its shape.
    #[must_use]
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Returns the hidden states after each layer, each texts by tokens by width.
    ///
    /// # Errors
    /// When a text is longer than the position embeddings or a token is not in the vocabulary.
    pub fn forward(&self, batch: &TokenBatch, ops: Ops) -> Result<Vec<Tensor>> {
        let (texts, tokens) = batch.ids.dims2()?;
        let hidden = self.config.hidden;
        let words = self
            .words
            .index_select(&batch.ids.flatten_all()?, 0)?
            .reshape((texts, tokens, hidden))?;
        let x = words.broadcast_add(&self.positions.narrow(0, 0, tokens)?)?;
        // Linear layers see one long list of tokens.
        let mut x = self.norm.forward(&x, ops)?.reshape((texts * tokens, hidden))?;
        let mut states = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let attended = self.attend(layer, &x, batch, ops)?;
            x = layer.attention_norm.forward(&(x + attended)?, ops)?;
            let wide = gelu(&layer.up.forward(&x)?)?;
            x = layer.output_norm.forward(&(&x + layer.down.forward(&wide)?)?, ops)?;
            states.push(x.reshape((texts, tokens, hidden))?);
        }
        Ok(states)
    }

    fn attend(&self, layer: &Layer, x: &Tensor, batch: &TokenBatch, ops: Ops) -> Result<Tensor> {
        let (texts, tokens) = batch.ids.dims2()?;
        let heads = self.config.attention_heads;
        let width = self.config.hidden / heads;
        let qkv = layer.qkv.forward(x)?.reshape((texts, tokens, 3, heads, width))?;
        // Three tensors of texts by heads by tokens by width.
        let part =
            |index: usize| qkv.narrow(2, index, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let (query, key, value) = (part(0)?, part(1)?, part(2)?);
        let scale = 1.0 / f64::from(u32::try_from(width).unwrap_or(u32::MAX)).sqrt();
        let scores = (query * scale)?.matmul(&key.transpose(2, 3)?)?;
        let scores =
            if batch.padded { scores.broadcast_add(&batch.attention_bias)? } else { scores };
        let weights = match ops {
            Ops::Fused => ops::softmax_last_dim(&scores)?,
            Ops::Differentiable => ops::softmax(&scores, D::Minus1)?,
        };
        let mixed = weights.matmul(&value)?.transpose(1, 2)?.contiguous()?;
        layer.attention.forward(&mixed.reshape((texts * tokens, self.config.hidden))?)
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
