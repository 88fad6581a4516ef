//! Text to word pieces.
//!
//! An encoder reads so many tokens at once. A longer text is cut into windows of about equal length, each
//! with the special tokens around it, that are read like texts of their own and counted as one.

use std::ops::Range;

use tokenizers::Tokenizer;

/// Most windows of a text. Of a text with more, the first half and the last half are read: tickets say what
/// they are about at the start, and what is wanted at the end.
pub const WINDOWS_MAX: usize = 8;

/// A text as token numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<u32>,
    /// Tokens of each window; they sum to all.
    windows: Vec<usize>,
    truncated: bool,
}

impl Tokens {
    /// Takes a text of one window.
    #[must_use]
    pub fn whole(ids: &[u32]) -> Self {
        Self { ids: ids.to_vec(), windows: vec![ids.len()], truncated: false }
    }

    /// Returns the numbers in the vocabulary, with the special tokens around those of each window.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Returns how many tokens each window has; at least one window.
    #[must_use]
    pub fn windows(&self) -> &[usize] {
        &self.windows
    }

    /// Returns whether the text had more than [`WINDOWS_MAX`] windows, so that its middle is not read.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }
}

/// A text as token numbers, and where each stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedTokens {
    /// The numbers.
    pub tokens: Tokens,
    /// The characters of the text as given that each token is of; `None` for the special tokens around
    /// the text.
    pub places: Vec<Option<Range<usize>>>,
}

/// Splits texts, and cuts them into windows.
pub struct TextTokenizer {
    inner: Tokenizer,
    tokens_max: usize,
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`. Padding and cutting that it asks for are switched off.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn new(json: &[u8], tokens_max: usize) -> Result<Self, tokenizers::Error> {
        let mut inner = Tokenizer::from_bytes(json)?;
        inner.with_padding(None);
        inner.with_truncation(None)?;
        Ok(Self { inner, tokens_max })
    }

    /// Returns how many word pieces it knows.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Returns the largest number of a token.
    #[must_use]
    pub fn largest_id(&self) -> u32 {
        self.inner.get_vocab(true).into_values().max().unwrap_or(0)
    }

    /// Returns whether a text gets a special token before and after it.
    ///
    /// # Errors
    /// When the tokenizer cannot encode the text.
    pub fn marks_both_ends(&self, text: &str) -> Result<bool, tokenizers::Error> {
        let encoding = self.inner.encode_fast(text, true)?;
        let special = encoding.get_special_tokens_mask();
        let ends = [special.first(), special.last()];
        Ok(special.len() >= 2 && ends.iter().all(|special| *special == Some(&1)))
    }

    /// Splits a text.
    ///
    /// # Errors
    /// When the tokenizer cannot encode the text.
    pub fn encode(&self, text: &str) -> Result<Tokens, tokenizers::Error> {
        let encoding = self.inner.encode_fast(text, true)?;
        let cut = self.windows(encoding.get_ids().len());
        Ok(cut.tokens(encoding.get_ids()))
    }

    /// Splits a text as [`Self::encode`] does, and tells where its tokens stand.
    ///
    /// # Errors
    /// When the tokenizer cannot encode the text.
    pub fn encode_placed(&self, text: &str) -> Result<PlacedTokens, tokenizers::Error> {
        let encoding = self.inner.encode_char_offsets(text, true)?;
        let special = encoding.get_special_tokens_mask().iter();
        let places: Vec<_> = special
            .zip(encoding.get_offsets())
            .map(|(special, (start, end))| (*special == 0).then_some(*start..*end))
            .collect();
        let cut = self.windows(places.len());
        Ok(PlacedTokens { tokens: cut.tokens(encoding.get_ids()), places: cut.of(&places) })
    }

    /// Returns how so many tokens, special ones included, are cut.
    fn windows(&self, tokens: usize) -> Windows {
        if tokens <= self.tokens_max {
            return Windows {
                inner: std::iter::once(0..tokens).collect(),
                specials: None,
                truncated: false,
            };
        }
        // The first token and the last are special.
        let (first, count) = (1, tokens - 2);
        let parts = count.div_ceil(self.tokens_max - 2);
        let part = |k: usize| first + k * count / parts..first + (k + 1) * count / parts;
        let truncated = parts > WINDOWS_MAX;
        let read = |k: &usize| !truncated || *k < WINDOWS_MAX / 2 || *k >= parts - WINDOWS_MAX / 2;
        let inner = (0..parts).filter(read).map(part).collect();
        Windows { inner, specials: Some((0, tokens - 1)), truncated }
    }
}

/// How a text's tokens are cut.
struct Windows {
    /// Tokens of each window, without special ones that are put around it.
    inner: Vec<Range<usize>>,
    /// The tokens to put around each window.
    specials: Option<(usize, usize)>,
    truncated: bool,
}

impl Windows {
    fn tokens(&self, ids: &[u32]) -> Tokens {
        let around = if self.specials.is_some() { 2 } else { 0 };
        Tokens {
            ids: self.of(ids),
            windows: self.inner.iter().map(|inner| inner.len() + around).collect(),
            truncated: self.truncated,
        }
    }

    /// Returns what the windows have of what there is one of for each token.
    fn of<T: Clone>(&self, each: &[T]) -> Vec<T> {
        let mut all = Vec::new();
        for inner in &self.inner {
            all.extend(self.specials.map(|(opening, _)| each[opening].clone()));
            all.extend_from_slice(&each[inner.clone()]);
            all.extend(self.specials.map(|(_, closing)| each[closing].clone()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A tokenizer for which each character from a to z is a word.
    fn letters(tokens_max: usize) -> TextTokenizer {
        let vocabulary: Vec<String> =
            ('a'..='z').enumerate().map(|(id, c)| format!("\"{c}\": {}", id + 2)).collect();
        let special = |id: u32, text: &str| {
            format!(
                r#"{{"id": {id}, "content": "{text}", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true}}"#
            )
        };
        let json = format!(
            r#"{{"version": "1.0", "truncation": null, "padding": null,
                "added_tokens": [{}, {}], "normalizer": null,
                "pre_tokenizer": {{"type": "Split", "pattern": {{"Regex": ""}},
                    "behavior": "Isolated", "invert": false}},
                "post_processor": {{"type": "BertProcessing", "sep": ["[SEP]", 1], "cls": ["[CLS]", 0]}},
                "decoder": null,
                "model": {{"type": "WordLevel", "vocab": {{"[CLS]": 0, "[SEP]": 1, {}}},
                    "unk_token": "[SEP]"}}}}"#,
            special(0, "[CLS]"),
            special(1, "[SEP]"),
            vocabulary.join(", ")
        );
        TextTokenizer::new(json.as_bytes(), tokens_max).unwrap()
    }

    proptest! {
        #[test]
        fn windows_are_all_of_a_text_or_its_head_and_tail(
            text in "[a-z]{0,120}", tokens_max in 3_usize..20
        ) {
            let placed = letters(tokens_max).encode_placed(&text).unwrap();
            let Tokens { ids, windows, truncated } = placed.tokens.clone();
            prop_assert_eq!(&letters(tokens_max).encode(&text).unwrap(), &placed.tokens);
            prop_assert_eq!(windows.iter().sum::<usize>(), ids.len());
            prop_assert!(windows.iter().all(|window| *window <= tokens_max));
            prop_assert!(windows.len() <= WINDOWS_MAX);
            let mut rest = ids.as_slice();
            let mut said = String::new();
            for window in &windows {
                let (these, next) = rest.split_at(*window);
                prop_assert_eq!((these[0], these[window - 1]), (0, 1));
                let letter = |id: &u32| char::from(b'a' + u8::try_from(id - 2).unwrap());
                said.extend(these[1..window - 1].iter().map(letter));
                rest = next;
            }
            let seen: String = placed.places.iter().flatten().map(|at| &text[at.clone()]).collect();
            prop_assert_eq!(&seen, &said);
            let content = tokens_max - 2;
            prop_assert_eq!(truncated, text.len().div_ceil(content) > WINDOWS_MAX);
            if truncated {
                let half = content * (WINDOWS_MAX / 2) / 2;
                prop_assert!(said.starts_with(&text[..half]) && said.ends_with(&text[text.len() - half..]));
            } else {
                prop_assert_eq!(said, text);
            }
        }
    }
}
