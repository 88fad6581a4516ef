//! Readings.

use crate::{
    api::v1,
    domain::reading::{Evidence, EvidenceHead, Reading, ReadingSource, Sentiment, Urgency},
};

/// Returns the reading as the API shows it.
pub(crate) fn reading(reading: Reading) -> v1::Reading {
    let [negative, neutral, positive] = reading.sentiment_probabilities;
    let top = reading.top_intent().cloned();
    v1::Reading {
        source: source(reading.source).into(),
        model: reading.model.to_string(),
        intent_confidence: top.as_ref().map_or(0.0, |top| top.probability),
        intent: top.map(|top| top.intent.to_string()).unwrap_or_default(),
        intents: reading
            .intents
            .into_iter()
            .map(|intent| v1::IntentProbability {
                intent: intent.intent.to_string(),
                probability: intent.probability,
                present: intent.present,
            })
            .collect(),
        out_of_scope: reading.out_of_scope,
        out_of_scope_score: reading.out_of_scope_score,
        sentiment: sentiment(reading.sentiment).into(),
        sentiment_score: reading.sentiment_score,
        sentiment_probabilities: Some(v1::SentimentProbabilities { negative, neutral, positive }),
        urgency: urgency(reading.urgency).into(),
        urgency_score: reading.urgency_score,
        urgency_confidence: reading.urgency_confidence,
        language: reading.language.unwrap_or_default(),
        language_supported: reading.language_supported,
        truncated: reading.truncated,
        evidence: reading.evidence.iter().map(evidence).collect(),
    }
}

fn evidence(evidence: &Evidence) -> v1::Evidence {
    let head = match evidence.head {
        EvidenceHead::Intent => v1::EvidenceHead::Intent,
        EvidenceHead::Sentiment => v1::EvidenceHead::Sentiment,
        EvidenceHead::Urgency => v1::EvidenceHead::Urgency,
    };
    v1::Evidence {
        head: head.into(),
        start_chars: evidence.start_chars,
        end_chars: evidence.end_chars,
        weight: evidence.weight,
    }
}

fn source(source: ReadingSource) -> v1::ReadingSource {
    match source {
        ReadingSource::Model => v1::ReadingSource::Model,
        ReadingSource::Rules => v1::ReadingSource::Rules,
    }
}

fn sentiment(sentiment: Sentiment) -> v1::Sentiment {
    match sentiment {
        Sentiment::Negative => v1::Sentiment::Negative,
        Sentiment::Neutral => v1::Sentiment::Neutral,
        Sentiment::Positive => v1::Sentiment::Positive,
    }
}

/// Returns the urgency as the API shows it.
pub(crate) fn urgency(urgency: Urgency) -> v1::Urgency {
    match urgency {
        Urgency::Low => v1::Urgency::Low,
        Urgency::Normal => v1::Urgency::Normal,
        Urgency::High => v1::Urgency::High,
        Urgency::Critical => v1::Urgency::Critical,
    }
}
