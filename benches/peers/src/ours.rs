//! Evenhand's encoder. What of its interface is used stands in this file alone.

use anyhow::Result;
use evenhand::classifier::{Model, features::View, tokenize::Tokens};

use crate::{
    contender::Reader,
    work::{Batch, Work},
};

/// The encoder as the service uses it.
pub(crate) struct Ours {
    model: Model,
}

impl Ours {
    /// Measures a model.
    pub(crate) fn new(model: Model) -> Self {
        Self { model }
    }
}

impl Reader for Ours {
    fn name(&self) -> &str {
        "Evenhand"
    }

    fn read(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        let texts: Vec<&Tokens> = batch.texts.iter().collect();
        let features = self.model.features(&texts, |_| {})?;
        Ok(features.view(View::Last).to_vec2()?)
    }

    fn batches<'a>(&self, work: &'a Work) -> &'a [Batch] {
        &work.ours
    }
}
