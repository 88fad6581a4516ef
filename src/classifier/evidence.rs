//! The words that moved a prediction, split out of it exactly.
//!
//! A head is linear in what it sees, and that is the mean of the tokens' states, scaled to length one for
//! each layer. So the logit of a label, less the mean over the labels, is a sum with one term a token
//! (and the bias): additive evidence costs one product a token, no second pass and no sampling. It says
//! what the head summed up, not what caused a state; how faithful that is, is tested by leaving words out.

use std::ops::Range;

use candle_core::Result;
use unicode_normalization::char::is_combining_mark;

use super::{features::View, heads::Head};
use crate::domain::{
    limits::EVIDENCE_WORDS_MAX,
    reading::{Evidence, EvidenceHead},
};

/// Thousandths, in which weights are kept: more digits would only lengthen the journal.
const WEIGHT_STEPS: f64 = 1000.0;
/// First and last characters of scripts written without blanks between words: Thai and Lao, Burmese,
/// Khmer, kana and Han with their extensions, half-width kana.
const UNSPACED: [(char, char); 8] = [
    ('\u{e00}', '\u{eff}'),
    ('\u{1000}', '\u{109f}'),
    ('\u{1780}', '\u{17ff}'),
    ('\u{3005}', '\u{30ff}'),
    ('\u{3400}', '\u{9fff}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{ff66}', '\u{ff9f}'),
    ('\u{20000}', '\u{3ffff}'),
];
/// First and last characters of the blocks of arrows, symbols and emoji.
const SYMBOLS: [(char, char); 2] = [('\u{2190}', '\u{2bff}'), ('\u{1f000}', '\u{1faff}')];

/// A head, made ready to be taken apart.
#[derive(Clone, Debug)]
pub struct EvidentHead {
    view: View,
    temperature: f64,
    /// Weights of each label, less the mean over the labels where they exclude one another.
    directions: Vec<Vec<f32>>,
}

impl EvidentHead {
    /// Takes a head.
    ///
    /// # Errors
    /// When its weights are no matrix of numbers.
    pub fn new(head: &Head) -> Result<Self> {
        let directions = match head.entry.threshold {
            Some(_) => head.weight.to_vec2()?,
            None => head.weight.broadcast_sub(&head.weight.mean_keepdim(0)?)?.to_vec2()?,
        };
        Ok(Self { view: head.entry.view, temperature: head.entry.temperature, directions })
    }

    /// Returns the share of each token of one text in a label's logit over the temperature. `layers`
    /// are the states of that text after each layer of the encoder, tokens by width.
    ///
    /// The shares sum to the logit less the mean logit, less what is due to the biases alone; where a text
    /// may have several labels, to the logit less the bias.
    #[must_use]
    pub fn shares(&self, label: usize, layers: &[&[f32]]) -> Vec<f64> {
        let seen = self.view.layers_seen(layers.len());
        let direction = &self.directions[label];
        let width = direction.len() / seen.len();
        let tokens = layers[0].len() / width;
        let mut shares = vec![0.0; tokens];
        for (direction, layer) in direction.chunks_exact(width).zip(seen) {
            let states = layers[layer];
            let scale = 1.0 / (length_of_sum(states, width) * self.temperature);
            for (share, state) in shares.iter_mut().zip(states.chunks_exact(width)) {
                let dot: f32 = direction.iter().zip(state).map(|(weight, x)| weight * x).sum();
                *share += f64::from(dot) * scale;
            }
        }
        shares
    }
}

/// Returns the length of the sum of rows. A row over it is that row's part of the scaled mean: the
/// number of rows is in both and falls out.
fn length_of_sum(rows: &[f32], width: usize) -> f64 {
    let mut sum = vec![0.0_f64; width];
    for row in rows.chunks_exact(width) {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    // Nothing is divided by zero: a text of zeros has no evidence.
    sum.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE)
}

/// Returns the words with the largest shares above zero, the largest first. `places` and `shares` have
/// one entry a token.
#[must_use]
pub fn evidence(
    head: EvidenceHead,
    text: &str,
    places: &[Option<Range<usize>>],
    shares: &[f64],
) -> Vec<Evidence> {
    let mut words = words(text, places, shares);
    // Words come in the order of the text, which ties keep.
    words.sort_by(|a, b| b.share.total_cmp(&a.share));
    let chars = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
    let named = words.into_iter().map(|word| Evidence {
        head,
        start_chars: chars(word.place.start),
        end_chars: chars(word.place.end),
        weight: (word.share * WEIGHT_STEPS).round() / WEIGHT_STEPS,
    });
    named.filter(|word| word.weight > 0.0).take(EVIDENCE_WORDS_MAX).collect()
}

/// A word and what its tokens add up to.
struct Word {
    place: Range<usize>,
    share: f64,
}

/// Puts tokens together to words. Tokenizers differ in what they call a word, so the text decides:
/// letters and digits that touch are one, also over an apostrophe. In a script without blanks a token
/// is a word. Special tokens and punctuation are none.
fn words(text: &str, places: &[Option<Range<usize>>], shares: &[f64]) -> Vec<Word> {
    let chars: Vec<char> = text.chars().collect();
    let mut words: Vec<Word> = Vec::new();
    for (place, share) in places.iter().zip(shares) {
        let Some(place) = place.as_ref().and_then(|place| said(&chars, place)) else { continue };
        match words.last_mut() {
            Some(word) if is_one_word(&chars, &word.place, &place) => {
                word.place.end = word.place.end.max(place.end);
                word.share += share;
            }
            _ => words.push(Word { place, share: *share }),
        }
    }
    words
}

/// Returns a place without blanks and punctuation at its ends; `None` when nothing is left.
fn said(chars: &[char], place: &Range<usize>) -> Option<Range<usize>> {
    let within = chars.get(place.clone())?;
    let start = within.iter().position(|c| says(*c))?;
    let end = within.iter().rposition(|c| says(*c))?;
    Some(place.start + start..place.start + end + 1)
}

/// Whether a token continues the word before it.
fn is_one_word(chars: &[char], word: &Range<usize>, next: &Range<usize>) -> bool {
    // Tokens of single bytes stand in one place.
    if next.start < word.end {
        return true;
    }
    let joins = |c: &char| matches!(c, '\'' | '\u{2019}') || is_combining_mark(*c);
    let ends = [chars[word.end - 1], chars[next.start]];
    ends.into_iter().all(is_letter) && chars[word.end..next.start].iter().all(joins)
}

/// Whether a character is of a word or an emoji, not a blank or punctuation.
fn says(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || is_in(&SYMBOLS, c)
}

/// Whether a character is of a word of a script that has blanks between words.
fn is_letter(c: char) -> bool {
    (c.is_alphanumeric() || is_combining_mark(c)) && !is_in(&UNSPACED, c)
}

fn is_in(blocks: &[(char, char)], c: char) -> bool {
    blocks.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

#[cfg(test)]
mod tests;
