//! From an encoder and fitted heads to a model and its files.

use std::path::PathBuf;

use candle_core::Device;

use super::base::Base;
use crate::classifier::{
    artifact::{Artifact, FORMAT, HEADS, Manifest, ModelError},
    encoder::QuantisedEncoder,
    features::Features,
    heads::Heads,
    quantise,
    tokenize::{TextTokenizer, Tokens},
};

/// Licence of models trained here, unless their makers say otherwise.
const LICENCE: &str = "Apache-2.0";

/// An encoder as it will be on disk, with its tokenizer: what heads are fitted on.
pub struct Parts {
    base: Base,
    tokenizer: TextTokenizer,
    encoder: QuantisedEncoder,
    encoder_file: Vec<u8>,
    device: Device,
}

impl Parts {
    /// Quantises an encoder, so that all that follows sees what will be shipped.
    ///
    /// # Errors
    /// [`ModelError`] when the weights or the tokenizer do not fit.
    pub fn new(mut base: Base, device: &Device) -> Result<Self, ModelError> {
        let weights = |source| ModelError::Weights { path: PathBuf::from("the encoder"), source };
        let encoder_file = match &base.file {
            Some(file) => file.clone(),
            None => quantise::write(&base.weights, |_| true).map_err(weights)?,
        };
        // What was read is quantised now; a large encoder need not be there twice.
        base.weights.clear();
        let encoder =
            QuantisedEncoder::read(base.config.clone(), &encoder_file).map_err(weights)?;
        let tokenizer = TextTokenizer::new(&base.tokenizer, base.tokens_max)?;
        Ok(Self { base, tokenizer, encoder, encoder_file, device: device.clone() })
    }

    /// Encodes texts, at least one. `progress` is told the texts done and all texts.
    ///
    /// # Errors
    /// [`ModelError`] when the tokenizer or a tensor operation fails.
    pub fn encode<'a>(
        &self,
        texts: impl Iterator<Item = &'a str>,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Features, ModelError> {
        let tokens: Vec<Tokens> =
            texts.map(|text| self.tokenizer.encode(text)).collect::<Result<_, _>>()?;
        let tokens: Vec<&Tokens> = tokens.iter().collect();
        let mut done = 0;
        Ok(Features::encode(&self.encoder, &tokens, &self.device, |more| {
            done += more;
            progress(done, tokens.len());
        })?)
    }

    /// Puts a model together; nothing is written yet. `manifest` gets the heads' entries.
    ///
    /// # Errors
    /// [`ModelError`] when the heads cannot be stored.
    pub fn artifact(
        &self,
        dir: PathBuf,
        mut manifest: Manifest,
        heads: &Heads,
    ) -> Result<Artifact, ModelError> {
        let path = dir.join(HEADS);
        let file = heads.file().map_err(|source| ModelError::Weights { path, source })?;
        manifest.heads = heads.by_name.values().map(|head| head.entry.clone()).collect();
        manifest.scope = heads.scope.as_ref().map(|scope| scope.entry.clone());
        Ok(Artifact {
            dir,
            manifest,
            encoder: self.encoder_file.clone(),
            heads: file,
            tokenizer: self.base.tokenizer.clone(),
        })
    }

    /// Returns a manifest that names no heads yet.
    #[must_use]
    pub fn manifest(&self, name: &str, version: &str, description: &str) -> Manifest {
        Manifest {
            format: FORMAT,
            name: name.to_owned(),
            version: version.to_owned(),
            description: description.to_owned(),
            licence: LICENCE.to_owned(),
            languages: self.base.languages.clone(),
            tokens_max: self.base.tokens_max,
            encoder: self.base.config.clone(),
            files: Vec::new(),
            heads: Vec::new(),
            scope: None,
            data: Vec::new(),
            scores: Vec::new(),
        }
    }
}
