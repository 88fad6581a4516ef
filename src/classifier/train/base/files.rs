//! The safetensors of a folder, whole or in parts, read weight by weight.
//!
//! Only headers are kept, so that no more than the weights asked for is ever in memory.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Component, Path, PathBuf},
};

use candle_core::{Device, Tensor};
use safetensors::{
    SafeTensorError,
    tensor::{Metadata, TensorInfo},
};
use serde::Deserialize;

use crate::classifier::{
    artifact::ModelError,
    quantise::{self, WeightsError},
};

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Weights as Python objects, whose reading can run what is in them.
const UNREAD: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
/// Bytes at the head of a file that say how long its header is.
const LENGTH_BYTES: u64 = 8;
/// Longest header, as in the safetensors library.
const HEADER_BYTES_MAX: u64 = 100_000_000;

/// Which file holds which weight, for encoders in parts.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

struct Place {
    file: PathBuf,
    info: TensorInfo,
    /// Of its first byte in the file.
    start: u64,
}

/// The weights of a folder.
pub(super) struct Files {
    path: PathBuf,
    places: BTreeMap<String, Place>,
}

impl Files {
    /// Reads the headers.
    pub(super) fn open(dir: &Path) -> Result<Self, ModelError> {
        let whole = dir.join(WHOLE);
        if whole.is_file() {
            return Ok(Self { places: header(&whole)?, path: whole });
        }
        let index = dir.join(INDEX);
        if index.is_file() {
            return Ok(Self { places: parts(dir, &index)?, path: index });
        }
        let there = UNREAD.iter().find(|name| dir.join(name).exists());
        Err(match there {
            Some(name) => ModelError::Invalid {
                path: dir.join(name),
                reason: format!(
                    "is not read, for reading it can run programs; allowed is {WHOLE}; convert it, \
                     in Python: from transformers import AutoModel; \
                     AutoModel.from_pretrained(\"FOLDER\").save_pretrained(\"OTHER\")"
                ),
            },
            None => ModelError::File { path: whole, source: io::ErrorKind::NotFound.into() },
        })
    }

    /// Returns the file to name when something is wrong with the whole.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the shape of a weight.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.places.get(name).map(|place| place.info.shape.as_slice())
    }

    /// Reads a weight as f32.
    pub(super) fn read(&self, name: &str, device: &Device) -> Result<Tensor, ModelError> {
        let missing = WeightsError::Missing { name: name.to_owned() };
        let Some(place) = self.places.get(name) else {
            return Err(ModelError::Weights { path: self.path.clone(), source: missing });
        };
        let path = place.file.clone();
        place.read(name, device).map_err(|error| match error {
            Failed::Io(source) => ModelError::File { path, source },
            Failed::Weights(source) => ModelError::Weights { path, source },
        })
    }
}

/// Why a weight could not be read.
enum Failed {
    Io(io::Error),
    Weights(WeightsError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<WeightsError> for Failed {
    fn from(error: WeightsError) -> Self {
        Self::Weights(error)
    }
}

impl Place {
    fn read(&self, name: &str, device: &Device) -> Result<Tensor, Failed> {
        let (from, to) = self.info.data_offsets;
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.start))?;
        let mut data = vec![0; to - from];
        file.read_exact(&mut data)?;
        let name = || name.to_owned();
        let Some(values) = quantise::floats_of(self.info.dtype, &data) else {
            return Err(WeightsError::Type { name: name(), found: self.info.dtype }.into());
        };
        let count = values.iter().filter(|value| !value.is_finite()).count();
        if count > 0 {
            return Err(WeightsError::NotFinite { name: name(), count }.into());
        }
        Ok(Tensor::from_vec(values, self.info.shape.as_slice(), device)
            .map_err(WeightsError::from)?)
    }
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    fs::read(path).map_err(|source| ModelError::File { path: path.to_owned(), source })
}

/// Reads the header of one safetensors file.
fn header(path: &Path) -> Result<BTreeMap<String, Place>, ModelError> {
    let io = |source| ModelError::File { path: path.to_owned(), source };
    let format = |error: SafeTensorError| ModelError::Weights {
        path: path.to_owned(),
        source: error.into(),
    };
    let mut file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    if bytes < LENGTH_BYTES {
        return Err(format(SafeTensorError::HeaderTooSmall));
    }
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(io)?;
    let length = u64::from_le_bytes(length);
    if length > HEADER_BYTES_MAX {
        return Err(format(SafeTensorError::HeaderTooLarge));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(io)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|e| format(SafeTensorError::InvalidHeaderDeserialization(e)))?;
    let start = LENGTH_BYTES + length;
    if u64::try_from(metadata.data_len()).ok() != bytes.checked_sub(start) {
        return Err(format(SafeTensorError::MetadataIncompleteBuffer));
    }
    let place = |name: String| {
        let info = metadata.info(&name)?.clone();
        let start = start + u64::try_from(info.data_offsets.0).ok()?;
        Some((name, Place { file: path.to_owned(), info, start }))
    };
    Ok(metadata.offset_keys().into_iter().filter_map(place).collect())
}

/// Reads the headers of all the parts that an index names.
fn parts(dir: &Path, path: &Path) -> Result<BTreeMap<String, Place>, ModelError> {
    let invalid = |reason: String| ModelError::Invalid { path: path.to_owned(), reason };
    let index: Index = serde_json::from_slice(&read(path)?).map_err(|e| invalid(e.to_string()))?;
    let mut headers: BTreeMap<&str, BTreeMap<String, Place>> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (name, file) in &index.weight_map {
        let mut components = Path::new(file).components();
        let plain = matches!(components.next(), Some(Component::Normal(_)));
        if !plain || components.next().is_some() {
            return Err(invalid(format!(
                "weight_map names {file:?}; allowed are files of the same folder"
            )));
        }
        if !headers.contains_key(file.as_str()) {
            headers.insert(file, header(&dir.join(file))?);
        }
        let place = headers.get_mut(file.as_str()).and_then(|places| places.remove(name));
        let place =
            place.ok_or_else(|| invalid(format!("weight {name} is not in {file}, as it says")))?;
        places.insert(name.clone(), place);
    }
    Ok(places)
}
