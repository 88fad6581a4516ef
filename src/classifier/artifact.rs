//! A model on disk: a folder with a manifest and the files it names, checked before use.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{encoder::EncoderConfig, features::View, heads::argmax, quantise::WeightsError};

/// Name of the manifest in a model's folder.
pub const MANIFEST: &str = "manifest.toml";
/// Name of the encoder's weights.
pub const ENCODER: &str = "encoder.safetensors";
/// Name of the heads' weights.
pub const HEADS: &str = "heads.safetensors";
/// Name of the tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// Version of the manifest's own layout.
pub const FORMAT: u32 = 1;
/// Where the shipped model lies in the repository.
const SHIPPED: &str = "models/support/2.1.0";

/// Why a model could not be loaded or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No model was found.
    #[error("no model found; looked in {}; name one with --model DIR", list(tried))]
    NotFound {
        /// The places tried.
        tried: Vec<PathBuf>,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not the one the manifest names.
    #[error("{}: SHA-256 is {found}, the manifest says {expected}; fetch the model again", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What the manifest says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A file does not make sense.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// The weights do not fit.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why.
        source: WeightsError,
    },
    /// The arithmetic failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A text could not be split into tokens.
    #[error("the tokenizer failed: {0}")]
    Tokenizer(#[from] tokenizers::Error),
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// What a model is, and how well it was measured to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// Licence of the weights.
    pub licence: String,
    /// ISO 639-1 codes of the languages it reads.
    pub languages: Vec<String>,
    /// Most tokens of a text that are read.
    pub tokens_max: usize,
    /// The encoder's shape.
    pub encoder: EncoderConfig,
    /// The files and their checksums.
    pub files: Vec<FileEntry>,
    /// The heads.
    #[serde(default)]
    pub heads: Vec<HeadEntry>,
    /// How the out-of-scope score is made; absent: nothing is ever out of scope.
    pub scope: Option<ScopeEntry>,
    /// What shaped the weights.
    #[serde(default)]
    pub data: Vec<DataEntry>,
    /// How well it did on validation parts, as shipped.
    #[serde(default)]
    pub scores: Vec<ScoreEntry>,
}

impl Manifest {
    /// Returns name and version in one word, as readings carry it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// Returns the head of a name.
    #[must_use]
    pub fn head(&self, name: &str) -> Option<&HeadEntry> {
        self.heads.iter().find(|head| head.name == name)
    }
}

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Name in the model's folder.
    pub path: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A head: a linear map from a view of the encoder's states to one number a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadEntry {
    /// Name: `intent`, `sentiment`, `urgency`, or any other.
    pub name: String,
    /// Labels, in the order of the weights' rows.
    pub labels: Vec<String>,
    /// What of the encoder it sees.
    pub view: View,
    /// The numbers are divided by this before they become probabilities.
    pub temperature: f64,
    /// With it, a text may have several labels or none: each that is more probable than this is there.
    /// Without it, exactly one label is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

impl HeadEntry {
    /// Returns the labels that are there, as places, the most probable first.
    #[must_use]
    pub fn there(&self, probabilities: &[f64]) -> Vec<usize> {
        let Some(threshold) = self.threshold else { return vec![argmax(probabilities)] };
        let mut there: Vec<usize> =
            (0..probabilities.len()).filter(|place| probabilities[*place] > threshold).collect();
        there.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
        there
    }
}

/// How the out-of-scope score is made from its signals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeEntry {
    /// A text whose score is above is out of scope.
    pub threshold: f64,
    /// Weights of the signals, in the order of `scope::Signals`.
    pub weights: Vec<f64>,
    /// Added to the weighted sum.
    pub bias: f64,
}

/// A data set that shaped the weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataEntry {
    /// Name.
    pub name: String,
    /// Licence, or that none is stated.
    pub licence: String,
    /// Rows used.
    pub rows: usize,
    /// What for.
    pub use_for: String,
}

/// A measured score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreEntry {
    /// Data set and part.
    pub data: String,
    /// Head.
    pub head: String,
    /// Rows measured.
    pub rows: usize,
    /// Measure, for example `macro_f1`.
    pub measure: String,
    /// Value.
    pub value: f64,
}

/// A model's folder whose files are those the manifest names.
#[derive(Debug)]
pub struct Artifact {
    /// The folder.
    pub dir: PathBuf,
    /// The manifest.
    pub manifest: Manifest,
    /// Contents of [`ENCODER`].
    pub encoder: Vec<u8>,
    /// Contents of [`HEADS`].
    pub heads: Vec<u8>,
    /// Contents of [`TOKENIZER`].
    pub tokenizer: Vec<u8>,
}

impl Artifact {
    /// Reads a model's folder and checks every file against the manifest.
    ///
    /// # Errors
    /// [`ModelError`] names the file, what was expected and what was found.
    pub fn read(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join(MANIFEST);
        let text = String::from_utf8_lossy(&read_file(&path)?).into_owned();
        let invalid = |reason: String| ModelError::Invalid { path: path.clone(), reason };
        let manifest: Manifest = toml::from_str(&text).map_err(|e| invalid(e.to_string()))?;
        if manifest.format != FORMAT {
            return Err(invalid(format!("format is {}, expected {FORMAT}", manifest.format)));
        }
        let checked = |name: &str| -> Result<Vec<u8>, ModelError> {
            let entry = manifest.files.iter().find(|file| file.path == name);
            let entry = entry.ok_or_else(|| invalid(format!("files names no {name}")))?;
            let path = dir.join(name);
            let bytes = read_file(&path)?;
            let found = sha256(&bytes);
            if found == entry.sha256 {
                Ok(bytes)
            } else {
                Err(ModelError::Checksum { path, expected: entry.sha256.clone(), found })
            }
        };
        Ok(Self {
            encoder: checked(ENCODER)?,
            heads: checked(HEADS)?,
            tokenizer: checked(TOKENIZER)?,
            dir: dir.to_owned(),
            manifest,
        })
    }

    /// Writes the folder; the manifest last, so a half-written model is no model.
    ///
    /// # Errors
    /// [`ModelError::File`] names the file that cannot be written.
    pub fn write(&mut self) -> Result<(), ModelError> {
        let file = |path: PathBuf| move |source| ModelError::File { path, source };
        fs::create_dir_all(&self.dir).map_err(file(self.dir.clone()))?;
        self.manifest.files.clear();
        let parts = [(ENCODER, &self.encoder), (HEADS, &self.heads), (TOKENIZER, &self.tokenizer)];
        for (name, bytes) in parts {
            let path = self.dir.join(name);
            fs::write(&path, bytes).map_err(file(path.clone()))?;
            let entry = FileEntry { path: name.to_owned(), sha256: sha256(bytes) };
            self.manifest.files.push(entry);
        }
        let path = self.dir.join(MANIFEST);
        let text = toml::to_string_pretty(&self.manifest)
            .map_err(|e| ModelError::Invalid { path: path.clone(), reason: e.to_string() })?;
        fs::write(&path, text).map_err(file(path))
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    fs::read(path).map_err(|source| ModelError::File { path: path.to_owned(), source })
}

/// Returns the SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the folder of the model to use: the explicit one, or else the shipped one, sought in the
/// working directory, in the source tree the program was built from, and beside the program.
///
/// # Errors
/// [`ModelError::NotFound`] names the places tried.
pub fn find_model(explicit: Option<&Path>) -> Result<PathBuf, ModelError> {
    let tried = match explicit {
        Some(dir) => vec![dir.to_owned()],
        None => {
            let beside = std::env::current_exe().ok();
            let beside = beside.as_deref().and_then(Path::parent).map(|dir| dir.join(SHIPPED));
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(SHIPPED);
            [PathBuf::from(SHIPPED), source].into_iter().chain(beside).collect()
        }
    };
    match tried.iter().find(|dir| dir.join(MANIFEST).is_file()) {
        Some(dir) => Ok(dir.clone()),
        None => Err(ModelError::NotFound { tried }),
    }
}
