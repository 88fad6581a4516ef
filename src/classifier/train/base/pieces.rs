//! The tokenizer of an encoder from elsewhere, checked against it.

use std::{io, path::Path};

use serde_json::Value;

use super::files;
use crate::classifier::{
    artifact::{ModelError, TOKENIZER},
    encoder::EncoderConfig,
    tokenize::TextTokenizer,
};

/// Files of tokenizers that only a library in Python runs.
const UNREAD: [&str; 6] = [
    "sentencepiece.bpe.model",
    "spiece.model",
    "sentencepiece.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];
/// A text with a letter that hardly a vocabulary has, the Egyptian eye. Unassigned and private ones
/// will not do: BERT's cleaning takes them out.
const PROBE: &str = "a \u{13080}";

/// Reads a folder's `tokenizer.json`, without its wish to pad and cut.
///
/// # Errors
/// [`ModelError`] names the file and what does not fit the encoder.
pub(super) fn read(dir: &Path, encoder: &EncoderConfig) -> Result<Vec<u8>, ModelError> {
    let path = dir.join(TOKENIZER);
    if !path.is_file() {
        return Err(match UNREAD.iter().find(|name| dir.join(name).exists()) {
            Some(name) => ModelError::Invalid {
                path: dir.join(name),
                reason: format!(
                    "is not read without {TOKENIZER}, which also says how texts are cleaned and \
                     marked; write it, in Python: from transformers import AutoTokenizer; \
                     AutoTokenizer.from_pretrained(\"FOLDER\").save_pretrained(\"OTHER\")"
                ),
            },
            None => ModelError::File { path, source: io::ErrorKind::NotFound.into() },
        });
    }
    let invalid = |reason: String| ModelError::Invalid { path: path.clone(), reason };
    let json = steady(&files::read(&path)?).map_err(|e| invalid(e.to_string()))?;
    let tokenizer =
        TextTokenizer::new(&json, encoder.positions).map_err(|e| invalid(e.to_string()))?;
    check(&tokenizer, encoder).map_err(invalid)?;
    Ok(json)
}

fn check(tokenizer: &TextTokenizer, encoder: &EncoderConfig) -> Result<(), String> {
    let (largest, rows) = (tokenizer.largest_id(), encoder.vocabulary);
    if usize::try_from(largest).map_or(true, |largest| largest >= rows) {
        return Err(format!(
            "numbers its tokens up to {largest}; the encoder has {rows} word embeddings, allowed is \
             up to {}: it is the tokenizer of another encoder, or tokens were added to it",
            rows - 1
        ));
    }
    let probe = tokenizer.encode(PROBE).map_err(|error| {
        format!("cannot encode a letter it does not know: {error}; allowed is one that can")
    })?;
    if !tokenizer.marks_both_ends(PROBE).map_err(|error| error.to_string())? {
        return Err(format!(
            "adds no special tokens before and after a text (it makes {:?} of {PROBE:?}); allowed is \
             one whose post_processor does, as [CLS] and [SEP] or <s> and </s>: encoders are \
             trained with them",
            probe.ids()
        ));
    }
    Ok(())
}

/// Returns a tokenizer's file without its wish to pad and cut, so that every reader sees whole texts,
/// and without dropping merges at random, which is for training it.
fn steady(json: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(json)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("truncation".to_owned(), Value::Null);
        fields.insert("padding".to_owned(), Value::Null);
        if let Some(dropout) = fields.get_mut("model").and_then(|model| model.get_mut("dropout")) {
            *dropout = Value::Null;
        }
    }
    serde_json::to_vec(&value)
}
