//! Takes an encoder from a plain BERT-family folder: `config.json`, `model.safetensors` and
//! `tokenizer.json`, as Hugging Face hubs hold them.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor};
use serde::Deserialize;

use crate::classifier::{
    artifact::{Artifact, MANIFEST, ModelError, TOKENIZER},
    encoder::EncoderConfig,
    quantise,
};

/// Most tokens of a text that are read, unless the encoder has fewer positions.
const TOKENS_MAX: usize = 256;

/// An encoder to start from.
pub struct Base {
    /// Its shape.
    pub config: EncoderConfig,
    /// Its weights, under our names.
    pub weights: BTreeMap<String, Tensor>,
    /// Contents of its `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// Most tokens of a text that are read.
    pub tokens_max: usize,
    /// Its weights' file when it is one of ours, so that an unchanged encoder stays the same file.
    pub file: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct BertConfig {
    model_type: String,
    hidden_act: String,
    #[serde(default)]
    position_embedding_type: Option<String>,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    layer_norm_eps: f64,
}

impl Base {
    /// Reads a folder: one of ours, or a plain BERT one.
    ///
    /// # Errors
    /// [`ModelError`] names the file and what does not fit.
    pub fn read(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        if dir.join(MANIFEST).is_file() {
            return Self::of_artifact(&Artifact::read(dir)?, device);
        }
        let path = dir.join("config.json");
        let config: BertConfig = serde_json::from_slice(&read(&path)?)
            .map_err(|e| ModelError::Invalid { path: path.clone(), reason: e.to_string() })?;
        let config = check(&config).map_err(|reason| ModelError::Invalid { path, reason })?;
        let path = dir.join("model.safetensors");
        let tensors = quantise::read(&read(&path)?, device)
            .map_err(|source| ModelError::Weights { path: path.clone(), source })?;
        let weights = rename(&config, &tensors)
            .map_err(|source| ModelError::Weights { path, source: source.into() })?;
        let path = dir.join(TOKENIZER);
        let tokenizer = uncut(&read(&path)?)
            .map_err(|e| ModelError::Invalid { path, reason: e.to_string() })?;
        let tokens_max = TOKENS_MAX.min(config.positions);
        Ok(Self { config, weights, tokenizer, tokens_max, file: None })
    }

    /// Takes the encoder of one of our own models.
    ///
    /// # Errors
    /// [`ModelError`] when its weights cannot be read.
    pub fn of_artifact(artifact: &Artifact, device: &Device) -> Result<Self, ModelError> {
        let weights = quantise::read(&artifact.encoder, device)
            .map_err(|source| ModelError::Weights { path: artifact.dir.clone(), source })?;
        Ok(Self {
            config: artifact.manifest.encoder.clone(),
            weights,
            tokenizer: artifact.tokenizer.clone(),
            tokens_max: artifact.manifest.tokens_max,
            file: Some(artifact.encoder.clone()),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path).map_err(|source| ModelError::File { path: path.to_owned(), source })
}

/// Returns a tokenizer's file without its wish to pad and cut, so that every reader sees whole texts.
fn uncut(json: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut value: serde_json::Value = serde_json::from_slice(json)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("truncation".to_owned(), serde_json::Value::Null);
        fields.insert("padding".to_owned(), serde_json::Value::Null);
    }
    serde_json::to_vec(&value)
}

fn check(config: &BertConfig) -> Result<EncoderConfig, String> {
    if config.model_type != "bert" {
        return Err(format!("model_type is {}; allowed is bert", config.model_type));
    }
    if config.hidden_act != "gelu" {
        return Err(format!("hidden_act is {}; allowed is gelu", config.hidden_act));
    }
    if let Some(kind) = config.position_embedding_type.as_deref().filter(|kind| *kind != "absolute")
    {
        return Err(format!("position_embedding_type is {kind}; allowed is absolute"));
    }
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    if heads == 0 || !hidden.is_multiple_of(heads) || config.num_hidden_layers == 0 {
        return Err(format!(
            "hidden_size {hidden}, num_attention_heads {heads}, num_hidden_layers {}; allowed are \
             at least one layer and heads that divide the width",
            config.num_hidden_layers
        ));
    }
    Ok(EncoderConfig {
        layers: config.num_hidden_layers,
        hidden,
        attention_heads: heads,
        intermediate: config.intermediate_size,
        vocabulary: config.vocab_size,
        positions: config.max_position_embeddings,
        layer_norm_eps: config.layer_norm_eps,
    })
}

/// Maps BERT's names onto ours. The embedding of the only text type is added to every position.
fn rename(
    config: &EncoderConfig,
    tensors: &BTreeMap<String, Tensor>,
) -> candle_core::Result<BTreeMap<String, Tensor>> {
    // Some checkpoints name everything under "bert." and norms by gamma and beta.
    let get = |name: &str| {
        let old = name.replace("LayerNorm.weight", "LayerNorm.gamma");
        let old = old.replace("LayerNorm.bias", "LayerNorm.beta");
        let names = [name.to_owned(), format!("bert.{name}"), old.clone(), format!("bert.{old}")];
        match names.iter().find_map(|name| tensors.get(name)) {
            Some(tensor) => Ok(tensor.clone()),
            None => candle_core::bail!("weight {name} is missing"),
        }
    };
    let types = get("embeddings.token_type_embeddings.weight")?.narrow(0, 0, 1)?;
    let positions = get("embeddings.position_embeddings.weight")?.broadcast_add(&types)?;
    let mut weights = BTreeMap::from([
        ("embeddings.words".to_owned(), get("embeddings.word_embeddings.weight")?),
        ("embeddings.positions".to_owned(), positions),
    ]);
    for part in ["weight", "bias"] {
        weights.insert(
            format!("embeddings.norm.{part}"),
            get(&format!("embeddings.LayerNorm.{part}"))?,
        );
        for layer in 0..config.layers {
            let theirs = |name: &str| get(&format!("encoder.layer.{layer}.{name}.{part}"));
            let attention = ["query", "key", "value"]
                .into_iter()
                .map(|name| theirs(&format!("attention.self.{name}")))
                .collect::<candle_core::Result<Vec<_>>>()?;
            for (ours, tensor) in [
                ("qkv", Tensor::cat(&attention, 0)?),
                ("attention", theirs("attention.output.dense")?),
                ("attention_norm", theirs("attention.output.LayerNorm")?),
                ("up", theirs("intermediate.dense")?),
                ("down", theirs("output.dense")?),
                ("output_norm", theirs("output.LayerNorm")?),
            ] {
                weights.insert(format!("layers.{layer}.{ours}.{part}"), tensor);
            }
        }
    }
    Ok(weights)
}
