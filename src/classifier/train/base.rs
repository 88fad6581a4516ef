//! The encoder that training starts from: one of ours, or one from elsewhere in a folder with
//! `config.json`, safetensors weights and `tokenizer.json`, as Hugging Face hubs hold them.

mod config;
mod files;
mod names;
mod pieces;

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor};

use self::{config::Described, files::Files, names::Part};
use crate::classifier::{
    artifact::{Artifact, MANIFEST, ModelError},
    encoder::EncoderConfig,
    quantise,
    tokenize::{TextTokenizer, Tokens},
};

/// Most tokens of a text that are read, unless the encoder has fewer positions.
const TOKENS_MAX: usize = 256;
/// What encoders from elsewhere are taken to read unless their user declares it.
const LANGUAGE: &str = "en";
/// Bytes of memory for each weight while an encoder is loaded: four as it is computed with, and one
/// quantised, which for a moment is there twice.
const BYTES_A_WEIGHT: usize = 6;

/// An encoder to start from.
#[derive(Clone)]
pub struct Base {
    /// Its shape.
    pub config: EncoderConfig,
    /// Its weights, under our names.
    pub weights: BTreeMap<String, Tensor>,
    /// Contents of its `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// Most tokens of a text that are read.
    pub tokens_max: usize,
    /// ISO 639-1 codes of the languages it reads.
    pub languages: Vec<String>,
    /// Its weights' file when it is one of ours, so that an unchanged encoder stays the same file.
    pub file: Option<Vec<u8>>,
}

impl Base {
    /// Reads a folder: one of ours, or one from elsewhere.
    ///
    /// # Errors
    /// [`ModelError`] names the file and what does not fit.
    pub fn read(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        if dir.join(MANIFEST).is_file() {
            return Self::of_artifact(&Artifact::read(dir)?, device);
        }
        Foreign::open(dir)?.load(device)
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
            languages: artifact.manifest.languages.clone(),
            file: Some(artifact.encoder.clone()),
        })
    }

    /// Returns the tokens of texts.
    ///
    /// # Errors
    /// [`ModelError`] when the tokenizer fails.
    pub fn tokens<'a>(
        &self,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Tokens>, ModelError> {
        let tokenizer = TextTokenizer::new(&self.tokenizer, self.tokens_max)?;
        Ok(texts.map(|text| tokenizer.encode(text)).collect::<Result<_, _>>()?)
    }
}

/// A folder with an encoder from elsewhere that fits; its weights are not loaded yet.
pub struct Foreign {
    config: EncoderConfig,
    files: Files,
    parts: Vec<Part>,
    tokenizer: Vec<u8>,
}

impl Foreign {
    /// Looks at everything but the weights' numbers.
    ///
    /// # Errors
    /// [`ModelError`] names the file, what does not fit and what is allowed.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let described = Described::parse(&files::read(&path)?)
            .map_err(|reason| ModelError::Invalid { path, reason })?;
        let files = Files::open(dir)?;
        let parts = names::find(&described, &files)
            .map_err(|source| ModelError::Weights { path: files.path().to_owned(), source })?;
        let tokenizer = pieces::read(dir, &described.encoder)?;
        Ok(Self { config: described.encoder, files, parts, tokenizer })
    }

    /// Returns how many weights it has.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.config.weights().values().map(|shape| shape.iter().product::<usize>()).sum()
    }

    /// Returns about how many bytes of memory loading takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.weights() * BYTES_A_WEIGHT
    }

    /// Loads the weights.
    ///
    /// # Errors
    /// [`ModelError`] names the weight that cannot be read or has numbers that are none.
    pub fn load(self, device: &Device) -> Result<Base, ModelError> {
        let mut weights = BTreeMap::new();
        for part in &self.parts {
            weights.insert(part.ours.clone(), part.load(&self.files, device)?);
        }
        let tokens_max = TOKENS_MAX.min(self.config.positions);
        Ok(Base {
            config: self.config,
            weights,
            tokenizer: self.tokenizer,
            tokens_max,
            languages: vec![LANGUAGE.to_owned()],
            file: None,
        })
    }
}
