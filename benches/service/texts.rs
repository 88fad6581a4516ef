//! Tickets of one length, each different.

use evenhand::classifier::Model;

/// Tokens of a ticket, special ones included.
pub(crate) const TOKENS: usize = 32;
pub(crate) const COLOURS: [&str; 8] =
    ["blue", "red", "green", "black", "white", "grey", "brown", "pink"];
pub(crate) const THINGS: [&str; 8] =
    ["jacket", "phone", "table", "lamp", "book", "bag", "watch", "chair"];
pub(crate) const TROUBLES: [&str; 6] = [
    "it has still not come",
    "the box came empty",
    "i was charged for it twice",
    "it broke on the first day",
    "i want my money back",
    "the invoice for it is wrong",
];
pub(crate) const WISHES: [&str; 4] = [
    "can you tell me what to do",
    "please help me with this today",
    "i need an answer from you soon",
    "who can look at it for me",
];
pub(crate) const FILLERS: [&str; 6] = ["thanks", "again", "and", "please", "now", "here"];

/// A text and the number that finds it again.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// Texts of [`TOKENS`] tokens, each different.
pub(crate) struct Texts<'a> {
    pub(crate) model: &'a Model,
    pub(crate) made: usize,
}

impl Texts<'_> {
    pub(crate) fn take(&mut self, count: usize) -> Vec<Ticket> {
        (0..count)
            .map(|_| {
                self.made += 1;
                Ticket { number: self.made, text: self.text(self.made) }
            })
            .collect()
    }

    pub(crate) fn text(&self, number: usize) -> String {
        let mut rest = number;
        let mut pick = |from: usize| {
            let index = rest % from;
            rest /= from;
            index
        };
        let (colour, thing) = (COLOURS[pick(8)], THINGS[pick(8)]);
        let (trouble, wish) = (TROUBLES[pick(6)], WISHES[pick(4)]);
        let order = 10 + rest;
        let mut text =
            format!("hello i ordered a {colour} {thing} under number {order} and {trouble} {wish}");
        // Each filler is one token.
        for filler in FILLERS.iter().cycle().take(TOKENS - self.tokens(&text)) {
            text.push(' ');
            text.push_str(filler);
        }
        assert_eq!(self.tokens(&text), TOKENS, "{text}");
        text
    }

    pub(crate) fn tokens(&self, text: &str) -> usize {
        self.model.tokens(text).unwrap().ids().len()
    }
}
