//! Reading texts: tokenizer, encoder and heads, batched on a thread of its own.

pub mod artifact;
pub mod batch;
pub mod encoder;
pub mod evaluate;
pub mod evidence;
pub mod features;
pub mod heads;
pub mod language;
pub mod metrics;
pub mod model;
mod parallel;
pub mod quantise;
pub mod rows;
pub mod rules;
pub mod scope;
pub mod tokenize;
pub mod train;
mod worker;

use std::{future::Future, pin::Pin};

pub use artifact::{Manifest, ModelError, find_model};
pub use model::Model;
pub use worker::{TextReader, Worker, WorkerOptions};

use crate::domain::reading::Reading;

/// What is known of a model.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ModelInfo {
    /// Name and version, as in [`Reading::model`].
    pub name: String,
    /// SHA-256 of the weights, in hexadecimal.
    pub sha256: String,
    /// Intent labels.
    pub intents: Vec<String>,
    /// ISO 639-1 codes of the languages it reads.
    pub languages: Vec<String>,
    /// Most tokens of a text that are read.
    pub tokens_max: usize,
}

/// Why texts were not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassifyError {
    /// The bounded queue is full; try again later.
    #[error("the classifier's queue is full ({max} texts at most)")]
    Full {
        /// Its limit, in texts.
        max: usize,
    },
    /// The model failed or its thread ended.
    #[error("the model is down")]
    Down,
}

/// The future of readings.
pub type Readings = Pin<Box<dyn Future<Output = Result<Vec<Reading>, ClassifyError>> + Send>>;

/// Reads texts.
pub trait Classify: Send + Sync + 'static {
    /// Reads texts; the readings come in the order of the texts. Dropping the future gives up.
    fn classify(&self, texts: Vec<String>) -> Readings;
    /// Returns what is known of the model.
    fn info(&self) -> ModelInfo;
}
