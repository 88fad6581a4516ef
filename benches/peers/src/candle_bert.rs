//! candle's own BERT, as it comes: f32, on candle's operations.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};

use crate::{
    contender::{Reader, pooled},
    work::Batch,
};

/// The model; the outputs of all others are compared with those of this one.
pub(crate) struct CandleBert {
    model: BertModel,
}

impl CandleBert {
    /// Reads what export.py wrote.
    pub(crate) fn load(exported: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = exported.join(name);
            fs::read(&path).with_context(|| path.display().to_string())
        };
        let config: Config = serde_json::from_slice(&read("config.json")?)?;
        let weights = read("model.safetensors")?;
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        Ok(Self { model: BertModel::load(weights, &config)? })
    }
}

impl Reader for CandleBert {
    fn name(&self) -> &str {
        "candle f32"
    }

    fn read(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        let shape = (batch.texts.len(), batch.longest);
        let ids = Tensor::from_slice(&batch.ids, shape, &Device::Cpu)?;
        let mask = Tensor::from_slice(&batch.mask, shape, &Device::Cpu)?;
        let states = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        Ok(pooled(&states.flatten_all()?.to_vec1()?, batch))
    }
}

/// Returns the version that is built in.
pub(crate) fn version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.split_once("name = \"candle-transformers\"\nversion = \"");
    entry.and_then(|(_, rest)| rest.split_once('"')).map_or("", |(version, _)| version)
}
