//! ONNX Runtime, from the library that its Python package brings.

use std::path::Path;

use anyhow::{Context, Result};
use ort::{
    environment::Environment,
    inputs,
    session::{Session, builder::GraphOptimizationLevel},
    value::TensorRef,
};

use crate::{
    contender::{Reader, pooled},
    work::Batch,
};

/// What export.py calls the graphs, and their names in the table.
const GRAPHS: [(&str, &str); 3] = [
    ("f32.onnx", "ONNX Runtime f32"),
    ("int8-tensor.onnx", "ONNX Runtime int8, a scale for each tensor"),
    ("int8-channel.onnx", "ONNX Runtime int8, a scale for each channel"),
];

/// One graph.
pub(crate) struct Onnx {
    name: &'static str,
    session: Session,
}

/// The library, loaded.
pub(crate) struct Library {
    environment: Environment,
    /// Its file, whose name ends in its version.
    file: String,
}

impl Library {
    /// Loads it.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let real = path.canonicalize().with_context(|| path.display().to_string())?;
        let environment = ort::init_from(&real)?.with_telemetry(false).build()?;
        let file = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { environment, file })
    }

    /// Returns its name and version.
    pub(crate) fn describe(&self) -> String {
        self.file.clone()
    }

    /// Returns the graphs that export.py wrote.
    pub(crate) fn readers(&self, exported: &Path) -> Result<Vec<Onnx>> {
        let reader = |(file, name): (&str, &'static str)| {
            let path = exported.join(file);
            let session = self.session(&path).with_context(|| path.display().to_string())?;
            Ok(Onnx { name, session })
        };
        GRAPHS.into_iter().map(reader).collect()
    }

    /// Returns a session with one thread, which sleeps when it waits.
    fn session(&self, graph: &Path) -> ort::Result<Session> {
        Session::builder(&self.environment)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .commit_from_file(graph)
    }
}

impl Reader for Onnx {
    fn name(&self) -> &str {
        self.name
    }

    fn read(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        let shape = [batch.texts.len(), batch.longest];
        let ids = TensorRef::from_array_view((shape, batch.ids.as_slice()))?;
        let mask = TensorRef::from_array_view((shape, batch.mask.as_slice()))?;
        let outputs = self.session.run(inputs!["input_ids" => ids, "attention_mask" => mask])?;
        let (_, states) = outputs["last_hidden_state"].try_extract_tensor::<f32>()?;
        Ok(pooled(states, batch))
    }
}
