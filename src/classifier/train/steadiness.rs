//! Whether what is read of a ticket stays the same when only its tone or the writer's name changes.
//!
//! The tickets are held out; the names and the phrases are those that training uses, too.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{
    assemble::Parts,
    shipped::{label_of, score},
    sources::Sample,
    variants::{Names, signed, toned},
};
use crate::classifier::{
    artifact::ScoreEntry,
    heads::{Heads, INTENT, Predictions, SENTIMENT, URGENCY, argmax},
    metrics::ratio,
};

/// Variants of each ticket.
const VARIANTS: usize = 4;

/// Measures it on the tickets of the corpus that are held out.
///
/// # Errors
/// When the tokenizer or a tensor operation fails.
pub(super) fn scores(
    parts: &Parts,
    heads: &Heads,
    samples: &[Sample],
    (names, seed): (&Names, u64),
) -> anyhow::Result<Vec<ScoreEntry>> {
    let tickets: Vec<&Sample> =
        samples.iter().filter(|s| s.set == "corpus" && s.held_out).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let many = || (0..VARIANTS).flat_map(|_| &tickets);
    let read = |texts: Vec<String>| -> anyhow::Result<Predictions> {
        Ok(heads.predict(&parts.encode(texts.iter().map(String::as_str), |_, _| {})?)?)
    };
    let plain = read(tickets.iter().map(|ticket| ticket.text.clone()).collect())?;
    let in_tone = read(many().map(|ticket| toned(&ticket.text, &mut rng)).collect())?;
    let named = read(many().map(|ticket| signed(&ticket.text, names, &mut rng)).collect())?;
    let guesses = |of: &Predictions, head: &str| -> Vec<usize> {
        of.probabilities.get(head).into_iter().flatten().map(|row| argmax(row)).collect()
    };
    let before = guesses(&plain, URGENCY);
    let rises: Vec<usize> = guesses(&in_tone, URGENCY)
        .into_iter()
        .zip(many().zip(before.iter().cycle()))
        .filter(|(_, (ticket, _))| label_of(ticket, URGENCY).is_some())
        .map(|(after, (_, before))| after.saturating_sub(*before))
        .collect();
    let share = |least: usize| ratio(rises.iter().filter(|by| **by >= least).count(), rises.len());
    let mut scores = vec![
        score("corpus in other tones", URGENCY, rises.len(), "raised", share(1)),
        score("corpus in other tones", URGENCY, rises.len(), "raised_by_two", share(2)),
    ];
    for head in [INTENT, SENTIMENT, URGENCY] {
        let (before, after) = (guesses(&plain, head), guesses(&named, head));
        let pairs = after.iter().zip(before.iter().cycle());
        let changed = pairs.filter(|(after, before)| after != before).count();
        let share = ratio(changed, after.len());
        scores.push(score("corpus signed with names", head, after.len(), "changed", share));
    }
    Ok(scores)
}
