//! What is read in a text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How urgent the facts of a text are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// No consequence if answered next week.
    Low,
    /// Needs an answer in normal service time.
    Normal,
    /// The customer is blocked now or loses something within about 24 hours.
    High,
    /// Danger, fraud in progress, a business down, a legal deadline within hours.
    Critical,
}

impl Urgency {
    /// All urgencies, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// Returns the label used in data sets and output.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// The feeling a text expresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentiment {
    /// Dissatisfied, angry, sad or worried.
    Negative,
    /// A plain question, request or report.
    Neutral,
    /// Satisfied, thankful or glad.
    Positive,
}

impl Sentiment {
    /// All sentiments, most negative first.
    pub const ALL: [Self; 3] = [Self::Negative, Self::Neutral, Self::Positive];

    /// Returns the label used in data sets and output.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Neutral => "neutral",
            Self::Positive => "positive",
        }
    }
}

/// Who read the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingSource {
    /// The local model.
    Model,
    /// Keyword rules, in place of a model that was down, full or slow.
    Rules,
}

/// One intent and its calibrated probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentProbability {
    /// Intent label of the model; readings share it.
    pub intent: Arc<str>,
    /// Probability in 0..=1.
    pub probability: f64,
    /// Whether the ticket asks for it: the most probable one, and others where a model tells several
    /// intents of one ticket. Readings made before that was told have none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub present: bool,
}

/// What of a reading a word spoke for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceHead {
    /// The most probable intent.
    Intent,
    /// The sentiment.
    Sentiment,
    /// The urgency.
    Urgency,
}

impl EvidenceHead {
    /// All of them, in the order of a reading.
    pub const ALL: [Self; 3] = [Self::Intent, Self::Sentiment, Self::Urgency];

    /// Returns the name used for heads and in output.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sentiment => "sentiment",
            Self::Urgency => "urgency",
        }
    }
}

/// A word of the text that spoke for what was read. It says where the word stands, never the word:
/// readings are kept for ever, and texts can be erased.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it spoke for.
    pub head: EvidenceHead,
    /// First character of the word in the text as it was read, in Unicode code points.
    pub start_chars: u32,
    /// The character after its last.
    pub end_chars: u32,
    /// How far it raised the logit above those of the other labels, or, where a ticket may have several
    /// intents, the logit itself, over the temperature; above 0, to three decimals.
    pub weight: f64,
}

/// What was read in one text. All numbers are finite; probabilities lie in 0..=1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Who read it.
    pub source: ReadingSource,
    /// Name and version of the model or the rules.
    pub model: Arc<str>,
    /// The most probable intents, most probable first, at most five; empty when none is known. Their
    /// probabilities sum to at most 1, unless a model can tell several intents of one ticket.
    pub intents: Vec<IntentProbability>,
    /// Whether no intent of the model fits.
    pub out_of_scope: bool,
    /// How far outside the model's scope the text is; higher is further out.
    pub out_of_scope_score: f64,
    /// The feeling the text expresses.
    pub sentiment: Sentiment,
    /// Graded sentiment, -1 to 1.
    pub sentiment_score: f64,
    /// Probabilities in the order of [`Sentiment::ALL`]; they sum to 1.
    pub sentiment_probabilities: [f64; 3],
    /// How urgent the facts are.
    pub urgency: Urgency,
    /// Graded urgency, 0 to 1.
    pub urgency_score: f64,
    /// Probability of `urgency`.
    pub urgency_confidence: f64,
    /// ISO 639-1 code of the language; `None` when undetermined.
    pub language: Option<String>,
    /// Whether the model can read that language.
    pub language_supported: bool,
    /// Whether the text was so long that its middle was not read.
    pub truncated: bool,
    /// Words that spoke for the intent, the sentiment and the urgency, in this order and the strongest
    /// first, at most [`EVIDENCE_WORDS_MAX`](super::limits::EVIDENCE_WORDS_MAX) for each. Rules give none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

impl Reading {
    /// Returns the most probable intent.
    #[must_use]
    pub fn top_intent(&self) -> Option<&IntentProbability> {
        self.intents.first()
    }

    /// Returns whether every number is finite. A reading with others cannot be kept.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let scores = [
            self.out_of_scope_score,
            self.sentiment_score,
            self.urgency_score,
            self.urgency_confidence,
        ];
        let intents = self.intents.iter().map(|intent| intent.probability);
        let weights = self.evidence.iter().map(|evidence| evidence.weight);
        let all = scores.into_iter().chain(self.sentiment_probabilities);
        all.chain(intents).chain(weights).all(f64::is_finite)
    }
}
