//! Text to word pieces.

use std::ops::Range;

use tokenizers::Tokenizer;

/// A text as token numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Numbers in the vocabulary, with the special tokens around them.
    pub ids: Vec<u32>,
    /// Whether the text was longer and was cut.
    pub truncated: bool,
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

/// Splits texts; cuts them at a limit in tokens.
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

    /// Splits a text. A cut text keeps its first tokens and the closing special token.
    ///
    /// # Errors
    /// When the tokenizer cannot encode the text.
    pub fn encode(&self, text: &str) -> Result<Tokens, tokenizers::Error> {
        let encoding = self.inner.encode_fast(text, true)?;
        let mut ids = encoding.get_ids().to_vec();
        let truncated = self.cut(&mut ids);
        Ok(Tokens { ids, truncated })
    }

    /// Splits a text as [`Self::encode`] does, and tells where its tokens stand.
    ///
    /// # Errors
    /// When the tokenizer cannot encode the text.
    pub fn encode_placed(&self, text: &str) -> Result<PlacedTokens, tokenizers::Error> {
        let encoding = self.inner.encode_char_offsets(text, true)?;
        let mut ids = encoding.get_ids().to_vec();
        let special = encoding.get_special_tokens_mask().iter();
        let mut places: Vec<_> = special
            .zip(encoding.get_offsets())
            .map(|(special, (start, end))| (*special == 0).then_some(*start..*end))
            .collect();
        let truncated = self.cut(&mut ids);
        self.cut(&mut places);
        Ok(PlacedTokens { tokens: Tokens { ids, truncated }, places })
    }

    /// Cuts what there is one of for each token; returns whether there were too many.
    fn cut<T>(&self, of_tokens: &mut Vec<T>) -> bool {
        let truncated = of_tokens.len() > self.tokens_max;
        if truncated {
            let closing = of_tokens.pop();
            of_tokens.truncate(self.tokens_max - 1);
            of_tokens.extend(closing);
        }
        truncated
    }
}
