//! Where fine-tuning goes on after an interruption.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::finetune::TunedHead;
use crate::classifier::quantise;

/// The state after some passes over the texts.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// Passes done.
    pub passes: usize,
    /// The best of them, from 1; 0 before the first.
    pub best_pass: usize,
    /// Its held-out loss.
    pub best_loss: Option<f64>,
    /// Steps of the optimiser.
    pub steps: i32,
    /// Weights now, and their running means.
    pub weights: BTreeMap<String, Tensor>,
    /// The optimiser's moments.
    pub moments: BTreeMap<String, Tensor>,
    /// The encoder's averaged weights after the best pass.
    pub best: BTreeMap<String, Tensor>,
    /// The heads' then.
    pub best_heads: Vec<TunedHead>,
}

#[derive(Serialize, Deserialize)]
struct Counters {
    fingerprint: String,
    passes: usize,
    best_pass: usize,
    best_loss: Option<f64>,
    steps: i32,
    best_heads: Vec<TunedHead>,
}

impl Checkpoint {
    /// Reads a checkpoint; `None` when there is none or it is of another training.
    ///
    /// # Errors
    /// When a file is there but cannot be read.
    pub fn read(dir: &Path, fingerprint: &str) -> anyhow::Result<Option<Self>> {
        let Some(counters) = optional(fs::read(counters_file(dir)))? else { return Ok(None) };
        let counters: Counters = serde_json::from_slice(&counters)?;
        if counters.fingerprint != fingerprint {
            return Ok(None);
        }
        let bytes = fs::read(tensors_file(dir))?;
        let mut state = Self {
            passes: counters.passes,
            best_pass: counters.best_pass,
            best_loss: counters.best_loss,
            steps: counters.steps,
            best_heads: counters.best_heads,
            ..Self::default()
        };
        for (name, tensor) in quantise::read(&bytes, &Device::Cpu)? {
            let part = [
                ("weights/", &mut state.weights),
                ("moments/", &mut state.moments),
                ("best/", &mut state.best),
            ];
            for (prefix, tensors) in part {
                if let Some(rest) = name.strip_prefix(prefix) {
                    tensors.insert(rest.to_owned(), tensor.clone());
                }
            }
        }
        Ok(Some(state))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path, fingerprint: &str) -> anyhow::Result<()> {
        fs::create_dir_all(dir)?;
        let mut tensors = BTreeMap::new();
        for (prefix, part) in
            [("weights/", &self.weights), ("moments/", &self.moments), ("best/", &self.best)]
        {
            tensors.extend(part.iter().map(|(name, t)| (format!("{prefix}{name}"), t.clone())));
        }
        let counters = Counters {
            fingerprint: fingerprint.to_owned(),
            passes: self.passes,
            best_pass: self.best_pass,
            best_loss: self.best_loss,
            steps: self.steps,
            best_heads: self.best_heads.clone(),
        };
        // The counters name what the tensors are, so they go first and come back last.
        optional(fs::remove_file(counters_file(dir)))?;
        replace(&tensors_file(dir), &quantise::write(&tensors, |_| false)?)?;
        replace(&counters_file(dir), &serde_json::to_vec(&counters)?)?;
        Ok(())
    }

    /// Removes a checkpoint that is no longer needed.
    ///
    /// # Errors
    /// When it is there but cannot be removed.
    pub fn remove(dir: &Path) -> io::Result<()> {
        optional(fs::remove_dir_all(dir)).map(|_| ())
    }
}

fn counters_file(dir: &Path) -> PathBuf {
    dir.join("state.json")
}

fn tensors_file(dir: &Path) -> PathBuf {
    dir.join("state.safetensors")
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(new, path)
}

fn optional<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
