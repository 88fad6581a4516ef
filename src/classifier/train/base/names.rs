//! From the names of an encoder's weights to ours, with their shapes checked.

use candle_core::{Device, Tensor};

use super::{
    config::{Described, Kind},
    files::Files,
};
use crate::classifier::{artifact::ModelError, quantise::WeightsError};

/// One of our weights and where it comes from.
pub(super) struct Part {
    /// Our name.
    pub(super) ours: String,
    /// Their weights, one below the other.
    stacked: Vec<String>,
    /// Rows of the first that are left out.
    rows_unused: usize,
    /// A weight whose first row is added to every row.
    added: Option<String>,
}

impl Part {
    /// Loads it.
    pub(super) fn load(&self, files: &Files, device: &Device) -> Result<Tensor, ModelError> {
        let tensors = self
            .stacked
            .iter()
            .map(|name| files.read(name, device))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tensor =
            if let [one] = tensors.as_slice() { one.clone() } else { Tensor::cat(&tensors, 0)? };
        if self.rows_unused > 0 {
            let rows = tensor.dim(0)? - self.rows_unused;
            tensor = tensor.narrow(0, self.rows_unused, rows)?.contiguous()?;
        }
        if let Some(added) = &self.added {
            tensor = tensor.broadcast_add(&files.read(added, device)?.narrow(0, 0, 1)?)?;
        }
        Ok(tensor)
    }
}

/// Our name of a linear map or a norm in a layer, and theirs.
type Names = (&'static str, &'static [&'static str]);

const BERT_LAYER: [Names; 6] = [
    ("qkv", &["attention.self.query", "attention.self.key", "attention.self.value"]),
    ("attention", &["attention.output.dense"]),
    ("attention_norm", &["attention.output.LayerNorm"]),
    ("up", &["intermediate.dense"]),
    ("down", &["output.dense"]),
    ("output_norm", &["output.LayerNorm"]),
];

const DISTILBERT_LAYER: [Names; 6] = [
    ("qkv", &["attention.q_lin", "attention.k_lin", "attention.v_lin"]),
    ("attention", &["attention.out_lin"]),
    ("attention_norm", &["sa_layer_norm"]),
    ("up", &["ffn.lin1"]),
    ("down", &["ffn.lin2"]),
    ("output_norm", &["output_layer_norm"]),
];

/// Finds all weights of an encoder in its files.
///
/// # Errors
/// [`WeightsError`] names the first that is missing or has another shape than the configuration says.
pub(super) fn find(described: &Described, files: &Files) -> Result<Vec<Part>, WeightsError> {
    let finder = Finder { described, files };
    let mut parts = finder.embeddings()?;
    let (path, layer_names) = match described.kind {
        Kind::DistilBert => ("transformer.layer", DISTILBERT_LAYER),
        _ => ("encoder.layer", BERT_LAYER),
    };
    for layer in 0..described.encoder.layers {
        for (ours, theirs) in layer_names {
            for part in ["weight", "bias"] {
                let theirs: Vec<String> =
                    theirs.iter().map(|name| format!("{path}.{layer}.{name}.{part}")).collect();
                let shape = finder.shape(ours, part == "bias");
                parts.push(finder.part(
                    format!("layers.{layer}.{ours}.{part}"),
                    &theirs,
                    &shape,
                )?);
            }
        }
    }
    Ok(parts)
}

struct Finder<'a> {
    described: &'a Described,
    files: &'a Files,
}

impl Finder<'_> {
    fn embeddings(&self) -> Result<Vec<Part>, WeightsError> {
        let Described { encoder, positions_unused, types, .. } = self.described;
        let hidden = encoder.hidden;
        let one = |ours: &str, theirs: &str, shape: &[usize]| {
            self.part(ours.to_owned(), &[theirs.to_owned()], shape)
        };
        let rows = encoder.positions + positions_unused;
        let mut positions =
            one("embeddings.positions", "embeddings.position_embeddings.weight", &[rows, hidden])?;
        positions.rows_unused = *positions_unused;
        if *types > 0 {
            // All texts are of the first type.
            let name = "embeddings.token_type_embeddings.weight";
            positions.added = Some(self.name(name, &[*types, hidden])?);
        }
        Ok(vec![
            one(
                "embeddings.words",
                "embeddings.word_embeddings.weight",
                &[encoder.vocabulary, hidden],
            )?,
            positions,
            one("embeddings.norm.weight", "embeddings.LayerNorm.weight", &[hidden])?,
            one("embeddings.norm.bias", "embeddings.LayerNorm.bias", &[hidden])?,
        ])
    }

    /// Shape of each of their weights for one of ours.
    fn shape(&self, ours: &str, bias: bool) -> Vec<usize> {
        let (hidden, wide) = (self.described.encoder.hidden, self.described.encoder.intermediate);
        let (out, input) = match ours {
            "up" => (wide, hidden),
            "down" => (hidden, wide),
            _ => (hidden, hidden),
        };
        if bias || ours.ends_with("norm") { vec![out] } else { vec![out, input] }
    }

    fn part(&self, ours: String, theirs: &[String], shape: &[usize]) -> Result<Part, WeightsError> {
        let stacked = theirs.iter().map(|name| self.name(name, shape)).collect::<Result<_, _>>()?;
        Ok(Part { ours, stacked, rows_unused: 0, added: None })
    }

    /// Returns the name under which a weight is in the files, its shape checked.
    fn name(&self, name: &str, shape: &[usize]) -> Result<String, WeightsError> {
        let prefix = match self.described.kind {
            Kind::Bert => "bert.",
            Kind::Electra => "electra.",
            Kind::Roberta => "roberta.",
            Kind::DistilBert => "distilbert.",
        };
        // Some checkpoints name norms by gamma and beta.
        let old = name.replace("LayerNorm.weight", "LayerNorm.gamma");
        let old = old.replace("LayerNorm.bias", "LayerNorm.beta");
        let names =
            [name.to_owned(), format!("{prefix}{name}"), old.clone(), format!("{prefix}{old}")];
        for name in names {
            match self.files.shape(&name) {
                Some(found) if found == shape => return Ok(name),
                Some(found) => {
                    let (found, expected) = (found.to_vec(), shape.to_vec());
                    return Err(WeightsError::Shape { name, found, expected });
                }
                None => {}
            }
        }
        Err(WeightsError::Missing { name: name.to_owned() })
    }
}
