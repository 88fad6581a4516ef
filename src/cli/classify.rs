//! `evenhand classify`: reads texts with a model.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::Serialize;

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    output,
};
use crate::{
    classifier::{Model, find_model, rows},
    domain::reading::{Evidence, EvidenceHead, IntentProbability, Reading, Sentiment},
};

/// Texts read between two lines of output.
const CHUNK_TEXTS: usize = 256;

/// Arguments of `evenhand classify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model; the shipped one when absent.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The text.
    #[arg(long, value_name = "TEXT", required_unless_present = "data")]
    text: Option<String>,
    /// A CSV file of texts, with a header.
    #[arg(long, value_name = "FILE", conflicts_with = "text", requires = "text_column")]
    data: Option<PathBuf>,
    /// The file's column of texts.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    text_column: Option<String>,
}

/// Runs it: one line for each text, in order.
///
/// # Errors
/// [`Failure`] says what is wrong with the model or the file.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let texts = match (&args.text, &args.data, &args.text_column) {
        (Some(text), ..) => vec![text.clone()],
        (None, Some(data), Some(column)) => rows::read(data, column, &[])
            .map_err(|error| Failure::new(ExitCode::Usage, error))?
            .into_iter()
            .map(|row| row.text)
            .collect(),
        _ => Vec::new(),
    };
    let model = load(args.model.as_deref())?;
    for chunk in texts.chunks(CHUNK_TEXTS) {
        for line in lines(&model, chunk, format)? {
            output::print(&line).context("standard output")?;
        }
    }
    Ok(())
}

/// Finds and loads a model.
///
/// # Errors
/// [`Failure`] with [`ExitCode::NotReady`] says what is wrong with it.
pub fn load(explicit: Option<&Path>) -> Result<Model, Failure> {
    let dir = find_model(explicit).map_err(|error| Failure::new(ExitCode::NotReady, error))?;
    Model::load(&dir).map_err(|error| Failure::new(ExitCode::NotReady, error))
}

/// Reads texts; an empty one has an error in place of a reading.
fn lines(model: &Model, texts: &[String], format: Format) -> anyhow::Result<Vec<String>> {
    let filled: Vec<&str> =
        texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    let mut readings = model.read_texts(&filled)?.into_iter();
    let mut lines = Vec::with_capacity(texts.len());
    for text in texts {
        let reading = if text.trim().is_empty() { None } else { readings.next() };
        let line = match (reading, format) {
            (Some(reading), Format::Json) => serde_json::to_string(&Line::new(reading, text))?,
            (Some(reading), Format::Text) => sentence(&reading, text),
            (None, Format::Json) => serde_json::json!({ "error": EMPTY }).to_string(),
            (None, Format::Text) => format!("error: {EMPTY}"),
        };
        lines.push(line);
    }
    Ok(lines)
}

const EMPTY: &str = "the text is empty; expected at least one character that is not a space";

/// A reading as it is printed. The keys are part of the interface.
#[derive(Serialize)]
struct Line {
    intent: Option<String>,
    intent_confidence: f64,
    out_of_scope: bool,
    out_of_scope_score: f64,
    sentiment: &'static str,
    sentiment_score: f64,
    sentiment_probabilities: BTreeMap<&'static str, f64>,
    urgency: &'static str,
    urgency_score: f64,
    urgency_confidence: f64,
    language: Option<String>,
    language_supported: bool,
    intents: Vec<IntentProbability>,
    truncated: bool,
    evidence: Vec<Word>,
    model: String,
}

/// A word that spoke for what was read. Whoever asks gave the text, so the word may be said.
#[derive(Serialize)]
struct Word {
    head: &'static str,
    word: String,
    /// In the text as given, in characters.
    start_chars: usize,
    end_chars: usize,
    weight: f64,
}

/// Returns the words that a reading of the trimmed text names.
fn words(reading: &Reading, text: &str) -> Vec<Word> {
    let leading = text.chars().take_while(|c| c.is_whitespace()).count();
    let word = |evidence: &Evidence| {
        let place = |chars: u32| leading + usize::try_from(chars).unwrap_or(usize::MAX - leading);
        let (start_chars, end_chars) = (place(evidence.start_chars), place(evidence.end_chars));
        Word {
            head: evidence.head.label(),
            word: text.chars().skip(start_chars).take(end_chars - start_chars).collect(),
            start_chars,
            end_chars,
            weight: evidence.weight,
        }
    };
    reading.evidence.iter().map(word).collect()
}

impl Line {
    fn new(reading: Reading, text: &str) -> Self {
        let evidence = words(&reading, text);
        let top = reading.top_intent();
        Self {
            intent: top.map(|top| top.intent.to_string()),
            intent_confidence: top.map_or(0.0, |top| top.probability),
            out_of_scope: reading.out_of_scope,
            out_of_scope_score: reading.out_of_scope_score,
            sentiment: reading.sentiment.label(),
            sentiment_score: reading.sentiment_score,
            sentiment_probabilities: Sentiment::ALL
                .map(Sentiment::label)
                .into_iter()
                .zip(reading.sentiment_probabilities)
                .collect(),
            urgency: reading.urgency.label(),
            urgency_score: reading.urgency_score,
            urgency_confidence: reading.urgency_confidence,
            language: reading.language.clone(),
            language_supported: reading.language_supported,
            truncated: reading.truncated,
            evidence,
            model: reading.model.to_string(),
            intents: reading.intents,
        }
    }
}

fn sentence(reading: &Reading, text: &str) -> String {
    let words = words(reading, text);
    let because = EvidenceHead::ALL.map(EvidenceHead::label).into_iter().filter_map(|head| {
        let of_head = words.iter().filter(|word| word.head == head);
        let of_head: Vec<&str> = of_head.map(|word| word.word.as_str()).collect();
        (!of_head.is_empty()).then(|| format!("{head}: {}", of_head.join(", ")))
    });
    let because = because.collect::<Vec<_>>().join("; ");
    let intent = reading.top_intent().map_or_else(
        || "no intent".to_owned(),
        |top| format!("{} {:.0} %", top.intent, top.probability * 100.0),
    );
    format!(
        "{intent}{}  {} {:+.2}  {} {:.2}  {}{}{}",
        if reading.out_of_scope { " (out of scope)" } else { "" },
        reading.sentiment.label(),
        reading.sentiment_score,
        reading.urgency.label(),
        reading.urgency_score,
        reading.language.as_deref().unwrap_or("language unknown"),
        if reading.language_supported { "" } else { " (not supported)" },
        if because.is_empty() { String::new() } else { format!("  [{because}]") },
    )
}
