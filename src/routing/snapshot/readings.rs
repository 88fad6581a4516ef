//! Readings: every ticket has its own, but for the names in them.

use super::{
    read::{Read, Reader},
    write::Writer,
};
use crate::domain::reading::{
    Evidence, EvidenceHead, IntentProbability, Reading, ReadingSource, Sentiment, Urgency,
};

// In the order of their numbers; new ones go to the end.
const SOURCES: [ReadingSource; 2] = [ReadingSource::Model, ReadingSource::Rules];
const SENTIMENTS: [Sentiment; 3] = [Sentiment::Negative, Sentiment::Neutral, Sentiment::Positive];
const URGENCIES: [Urgency; 4] = [Urgency::Low, Urgency::Normal, Urgency::High, Urgency::Critical];
const HEADS: [EvidenceHead; 3] =
    [EvidenceHead::Intent, EvidenceHead::Sentiment, EvidenceHead::Urgency];

impl<'a> Writer<'a> {
    pub(super) fn reading(&mut self, reading: &'a Reading) {
        let Reading {
            source,
            model,
            intents,
            out_of_scope,
            out_of_scope_score,
            sentiment,
            sentiment_score,
            sentiment_probabilities,
            urgency,
            urgency_score,
            urgency_confidence,
            language,
            language_supported,
            truncated,
            evidence,
        } = reading;
        self.one_of(&SOURCES, source);
        self.known(model);
        self.len(intents.len());
        for IntentProbability { intent, probability, present } in intents {
            self.known(intent);
            self.f64(*probability);
            self.bool(*present);
        }
        self.flags([*out_of_scope, *language_supported, *truncated]);
        self.f64(*out_of_scope_score);
        self.one_of(&SENTIMENTS, sentiment);
        self.f64(*sentiment_score);
        sentiment_probabilities.iter().for_each(|probability| self.f64(*probability));
        self.one_of(&URGENCIES, urgency);
        self.f64(*urgency_score);
        self.f64(*urgency_confidence);
        self.maybe(language.as_deref(), Self::known);
        self.len(evidence.len());
        for Evidence { head, start_chars, end_chars, weight } in evidence {
            self.one_of(&HEADS, head);
            self.u32(*start_chars);
            self.u32(*end_chars);
            self.f64(*weight);
        }
    }
}

impl Reader<'_> {
    pub(super) fn reading(&mut self) -> Read<Reading> {
        let (source, model) = (self.one_of(&SOURCES)?, self.known()?);
        let intents = self.list(3, |r| {
            let (intent, probability, present) = (r.known()?, r.f64()?, r.bool()?);
            Ok(IntentProbability { intent, probability, present })
        })?;
        let [out_of_scope, language_supported, truncated] = self.flags()?;
        Ok(Reading {
            source,
            model,
            intents,
            out_of_scope,
            out_of_scope_score: self.f64()?,
            sentiment: self.one_of(&SENTIMENTS)?,
            sentiment_score: self.f64()?,
            sentiment_probabilities: [self.f64()?, self.f64()?, self.f64()?],
            urgency: self.one_of(&URGENCIES)?,
            urgency_score: self.f64()?,
            urgency_confidence: self.f64()?,
            language: self.maybe(|r| Ok(r.known()?.as_ref().to_owned()))?,
            language_supported,
            truncated,
            evidence: self.list(4, |r| {
                Ok(Evidence {
                    head: r.one_of(&HEADS)?,
                    start_chars: r.u32()?,
                    end_chars: r.u32()?,
                    weight: r.f64()?,
                })
            })?,
        })
    }
}
