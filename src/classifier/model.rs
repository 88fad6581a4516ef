//! A loaded model: from texts to readings.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::Device;

use super::{
    ModelInfo, TextReader,
    artifact::{Artifact, ENCODER, HEADS, MANIFEST, Manifest, ModelError, TOKENIZER, sha256},
    encoder::{Encode, QuantisedEncoder, TokenBatch},
    evidence::{EvidentHead, evidence},
    features::{BATCH_TOKENS_MAX, Features, batches},
    heads::{Heads, INTENT, Predictions, SENTIMENT, URGENCY, argmax},
    language,
    parallel::in_parallel,
    quantise::{self, WeightsError},
    tokenize::{PlacedTokens, TextTokenizer, Tokens},
};
use crate::domain::reading::{
    EvidenceHead, IntentProbability, Reading, ReadingSource, Sentiment, Urgency,
};

/// Intents that a reading lists.
const INTENTS_LISTED: usize = 5;
/// Texts that a thread reads together.
const PART_TEXTS: usize = 128;
/// A model in memory.
pub struct Model {
    /// What it is.
    pub manifest: Manifest,
    /// SHA-256 of the encoder's and the heads' files, together, in hexadecimal.
    pub sha256: String,
    /// What it says of features.
    pub heads: Heads,
    /// Its name and version, and the intent labels, as readings share them.
    id: Arc<str>,
    intent_labels: Vec<Arc<str>>,
    /// Heads that evidence is given for, in the order of a reading.
    evident: Vec<(EvidenceHead, EvidentHead)>,
    tokenizer: TextTokenizer,
    encoder: QuantisedEncoder,
    device: Device,
}

impl Model {
    /// Loads a model's folder and checks every file.
    ///
    /// # Errors
    /// [`ModelError`] names the file, what was expected and what was found.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        Self::from_artifact(&Artifact::read(dir)?)
    }

    /// Makes a model of checked files.
    ///
    /// # Errors
    /// [`ModelError`] names the file that does not fit the manifest.
    pub fn from_artifact(artifact: &Artifact) -> Result<Self, ModelError> {
        let manifest = artifact.manifest.clone();
        check_languages(&manifest, &artifact.dir.join(MANIFEST))?;
        check_heads(&manifest, &artifact.dir.join(MANIFEST))?;
        let device = Device::Cpu;
        let path = |name: &str| artifact.dir.join(name);
        let weights = |name: &str, bytes: &[u8]| {
            quantise::read(bytes, &device).map_err(|source| weights_error(path(name), source))
        };
        let encoder = QuantisedEncoder::read(manifest.encoder.clone(), &artifact.encoder)
            .map_err(|source| weights_error(path(ENCODER), source))?;
        let tokenizer = TextTokenizer::new(&artifact.tokenizer, manifest.tokens_max)?;
        check_sizes(&manifest, &tokenizer, &path(TOKENIZER))?;
        let tensors = weights(HEADS, &artifact.heads)?;
        let heads = Heads::read(&manifest, &tensors)
            .map_err(|source| weights_error(path(HEADS), source.into()))?;
        let sha256 = sha256(&[artifact.encoder.as_slice(), &artifact.heads].concat());
        let evident = evident_heads(&heads)?;
        let id = manifest.id().into();
        let intents = heads.by_name.get(INTENT).map_or(&[][..], |head| &head.entry.labels);
        let intent_labels = intents.iter().map(|label| label.as_str().into()).collect();
        Ok(Self { manifest, sha256, heads, id, intent_labels, evident, tokenizer, encoder, device })
    }

    /// Returns what is known of it.
    #[must_use]
    pub fn info(&self) -> ModelInfo {
        ModelInfo {
            name: self.manifest.id(),
            sha256: self.sha256.clone(),
            intents: self.manifest.head(INTENT).map(|h| h.labels.clone()).unwrap_or_default(),
            languages: self.manifest.languages.clone(),
            tokens_max: self.manifest.tokens_max,
        }
    }

    /// Splits a text into tokens.
    ///
    /// # Errors
    /// When the tokenizer cannot encode it.
    pub fn tokens(&self, text: &str) -> Result<Tokens, ModelError> {
        Ok(self.tokenizer.encode(text)?)
    }

    /// Encodes texts, at least one, in their order. Calls `done` with a count after each batch.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn features(
        &self,
        texts: &[&Tokens],
        done: impl FnMut(usize),
    ) -> Result<Features, ModelError> {
        Ok(Features::encode(&self.encoder, texts, &self.device, done)?)
    }

    /// Reads texts; the readings come in their order.
    ///
    /// # Errors
    /// When the tokenizer or a tensor operation fails.
    pub fn read_texts(&self, texts: &[&str]) -> Result<Vec<Reading>, ModelError> {
        let placed = texts
            .iter()
            .map(|text| self.tokenizer.encode_placed(text))
            .collect::<Result<Vec<_>, _>>()?;
        let length = |index: usize| placed[index].tokens.ids().len();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|index| length(*index));
        let mut readings = Vec::with_capacity(texts.len());
        for batch in batches(&order, length, BATCH_TOKENS_MAX) {
            let texts: Vec<_> =
                batch.iter().map(|index| (texts[*index], &placed[*index])).collect();
            readings.extend(batch.iter().zip(self.read_batch(&texts)?));
        }
        readings.sort_by_key(|(index, _)| **index);
        Ok(readings.into_iter().map(|(_, reading)| reading).collect())
    }

    /// Reads many texts on two threads; the readings come in their order. Calls `done` with a count after
    /// each part.
    ///
    /// # Errors
    /// When the tokenizer or a tensor operation fails.
    pub fn read_many(
        &self,
        texts: &[&str],
        done: impl Fn(usize) + Sync,
    ) -> Result<Vec<Reading>, ModelError> {
        let parts: Vec<&[&str]> = texts.chunks(PART_TEXTS).collect();
        let read = |_, part: &&[&str]| {
            let readings = self.read_texts(part);
            done(part.len());
            Ok(readings)
        };
        let readings = in_parallel(&parts, read)?.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(readings.into_iter().flatten().collect())
    }

    /// Reads texts of similar length. The encoder's states are at hand here, and with them the evidence.
    fn read_batch(&self, texts: &[(&str, &PlacedTokens)]) -> Result<Vec<Reading>, ModelError> {
        let tokens: Vec<&Tokens> = texts.iter().map(|(_, placed)| &placed.tokens).collect();
        let batch = TokenBatch::new(&tokens);
        let states = self.encoder.forward(&batch)?;
        let predictions = self.heads.predict(&Features::pool(&states, &batch, &self.device)?)?;
        let width = self.manifest.encoder.hidden;
        let mut readings = Vec::with_capacity(texts.len());
        for (row, ((text, placed), span)) in texts.iter().zip(batch.spans()).enumerate() {
            let mut reading = self.reading(&predictions, row, text, placed.tokens.is_truncated());
            let layers: Vec<&[f32]> =
                states.iter().map(|all| &all[span.start * width..span.end * width]).collect();
            for (head, evident) in &self.evident {
                if let Some(label) = self.winner(&predictions, &reading, *head, row) {
                    let shares = evident.shares(label, &layers);
                    reading.evidence.extend(evidence(*head, text, &placed.places, &shares));
                }
            }
            readings.push(reading);
        }
        Ok(readings)
    }

    /// Returns the most probable label of those that a head's part of a reading stands for.
    fn winner(
        &self,
        predictions: &Predictions,
        reading: &Reading,
        head: EvidenceHead,
        row: usize,
    ) -> Option<usize> {
        let labels = &self.heads.by_name.get(head.label())?.entry.labels;
        let probabilities = predictions.probabilities.get(head.label())?.get(row)?;
        let stands_for = |label: &str| match head {
            EvidenceHead::Intent => true,
            EvidenceHead::Sentiment => sentiment_of(label) == Some(reading.sentiment),
            EvidenceHead::Urgency => reading.urgency.label() == label,
        };
        let fits = (0..labels.len()).filter(|index| stands_for(&labels[*index]));
        // The first of equals, as everywhere.
        fits.reduce(
            |best, next| if probabilities[next] > probabilities[best] { next } else { best },
        )
    }

    fn reading(
        &self,
        predictions: &Predictions,
        row: usize,
        text: &str,
        truncated: bool,
    ) -> Reading {
        let detection = language::detect(text);
        let scope_score = predictions.scope_scores[row];
        let sentiment = self.sentiment(predictions, row);
        let urgency = self.urgency(predictions, row);
        let level = argmax(&urgency);
        let intents = self.intents(predictions, row);
        let too_far =
            self.heads.scope.as_ref().is_some_and(|scope| scope_score > scope.entry.threshold);
        // A head that tells several intents can also tell that there is none.
        let none = !intents.is_empty() && intents.iter().all(|intent| !intent.present);
        Reading {
            source: ReadingSource::Model,
            model: self.id.clone(),
            intents,
            out_of_scope: too_far || none,
            out_of_scope_score: scope_score,
            sentiment: Sentiment::ALL[argmax(&sentiment)],
            sentiment_score: predictions
                .grades
                .as_ref()
                .map_or(sentiment[2] - sentiment[0], |grades| grades[row]),
            sentiment_probabilities: sentiment,
            urgency: Urgency::ALL[level],
            urgency_score: (urgency[1] + 2.0 * urgency[2] + 3.0 * urgency[3]) / 3.0,
            urgency_confidence: urgency[level],
            language: detection.code.map(str::to_owned),
            language_supported: detection.read_by(&self.manifest.languages),
            truncated,
            evidence: Vec::new(),
        }
    }

    /// Returns the graded sentiments, -1 to 1, as readings carry them; `None` for a model that reads
    /// no sentiment.
    #[must_use]
    pub fn sentiment_scores(&self, predictions: &Predictions) -> Option<Vec<f64>> {
        let rows = predictions.probabilities.get(SENTIMENT).map(Vec::len);
        predictions.grades.clone().or_else(|| {
            let score = |row| {
                let sentiment = self.sentiment(predictions, row);
                sentiment[2] - sentiment[0]
            };
            Some((0..rows?).map(score).collect())
        })
    }

    fn intents(&self, predictions: &Predictions, row: usize) -> Vec<IntentProbability> {
        let (Some(head), Some(rows)) =
            (self.heads.by_name.get(INTENT), predictions.probabilities.get(INTENT))
        else {
            return Vec::new();
        };
        let mut order: Vec<usize> = (0..rows[row].len()).collect();
        order.sort_by(|a, b| rows[row][*b].total_cmp(&rows[row][*a]));
        let there = head.entry.there(&rows[row]);
        let listed = order.into_iter().take(INTENTS_LISTED).map(|label| IntentProbability {
            intent: self.intent_labels[label].clone(),
            probability: rows[row][label],
            present: there.contains(&label),
        });
        listed.collect()
    }

    /// Probabilities in the order of [`Sentiment::ALL`]; neutral without a head for it.
    fn sentiment(&self, predictions: &Predictions, row: usize) -> [f64; 3] {
        let place = |label: &str| sentiment_of(label).map(|s| usize::from(s as u8));
        self.spread(predictions, SENTIMENT, row, place, [0.0, 1.0, 0.0])
    }

    /// Probabilities in the order of [`Urgency::ALL`]; normal without a head for it.
    fn urgency(&self, predictions: &Predictions, row: usize) -> [f64; 4] {
        let place = |label: &str| Urgency::ALL.iter().position(|level| level.label() == label);
        self.spread(predictions, URGENCY, row, place, [0.0, 1.0, 0.0, 0.0])
    }

    fn spread<const N: usize>(
        &self,
        predictions: &Predictions,
        name: &str,
        row: usize,
        place: impl Fn(&str) -> Option<usize>,
        absent: [f64; N],
    ) -> [f64; N] {
        let (Some(head), Some(rows)) =
            (self.heads.by_name.get(name), predictions.probabilities.get(name))
        else {
            return absent;
        };
        let mut sums = [0.0; N];
        for (label, probability) in head.entry.labels.iter().zip(&rows[row]) {
            if let Some(place) = place(label) {
                sums[place] += probability;
            }
        }
        sums
    }
}

impl TextReader for Model {
    fn read(&self, texts: &[&str]) -> Option<Vec<Reading>> {
        // Reasons hold no text: they come from shapes and files.
        let failed = |error: ModelError| tracing::error!(%error, "the model failed");
        self.read_texts(texts).map_err(failed).ok()
    }

    fn info(&self) -> ModelInfo {
        Self::info(self)
    }
}

/// Returns the sentiment that a label of a sentiment head stands for; graded labels fold onto three.
#[must_use]
pub fn sentiment_of(label: &str) -> Option<Sentiment> {
    match label {
        "negative" | "very_negative" => Some(Sentiment::Negative),
        "neutral" => Some(Sentiment::Neutral),
        "positive" | "very_positive" => Some(Sentiment::Positive),
        _ => None,
    }
}

/// Returns the heads that evidence is given for, in the order of a reading.
fn evident_heads(heads: &Heads) -> candle_core::Result<Vec<(EvidenceHead, EvidentHead)>> {
    let there = |head: EvidenceHead| Some((head, heads.by_name.get(head.label())?));
    let heads = EvidenceHead::ALL.into_iter().filter_map(there);
    heads.map(|(name, head)| Ok((name, EvidentHead::new(head)?))).collect()
}

fn weights_error(path: PathBuf, source: WeightsError) -> ModelError {
    ModelError::Weights { path, source }
}

fn check_languages(manifest: &Manifest, path: &Path) -> Result<(), ModelError> {
    let invalid = |reason: String| ModelError::Invalid { path: path.to_owned(), reason };
    if manifest.languages.is_empty() {
        return Err(invalid(
            "languages is empty; allowed is at least one ISO 639-1 code".to_owned(),
        ));
    }
    let checked = manifest.languages.iter().try_for_each(|text| language::code(text).map(drop));
    checked.map_err(|reason| invalid(format!("languages: {reason}")))
}

fn check_heads(manifest: &Manifest, path: &Path) -> Result<(), ModelError> {
    let (hidden, heads) = (manifest.encoder.hidden, manifest.encoder.attention_heads);
    if heads > 0 && hidden.is_multiple_of(heads) {
        return Ok(());
    }
    let reason = format!("attention_heads is {heads}; allowed are divisors of hidden, {hidden}");
    Err(ModelError::Invalid { path: path.to_owned(), reason })
}

fn check_sizes(
    manifest: &Manifest,
    tokenizer: &TextTokenizer,
    path: &Path,
) -> Result<(), ModelError> {
    let invalid = |reason: String| ModelError::Invalid { path: path.to_owned(), reason };
    let (words, known) = (tokenizer.vocabulary(), manifest.encoder.vocabulary);
    if words > known {
        return Err(invalid(format!("has {words} word pieces, the encoder knows {known}")));
    }
    let (limit, positions) = (manifest.tokens_max, manifest.encoder.positions);
    if !(3..=positions).contains(&limit) {
        return Err(invalid(format!("tokens_max is {limit}; allowed are 3 to {positions}")));
    }
    Ok(())
}
