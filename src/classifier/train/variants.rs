//! The same ticket in other words: signed by somebody else, in another tone, with slips of the pen.
//!
//! None of this changes what a ticket asks for or how urgent its facts are. Texts are made in both tones,
//! so that neither loudness nor politeness, nor a name, goes with any label.

use std::path::Path;

use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::classifier::rows::{self, RowsError};

/// What people put before a text, loudly or politely.
const OPENERS: &[&str] = &[
    "URGENT!!!",
    "URGENT:",
    "ASAP please.",
    "EMERGENCY!!",
    "HELP!!!",
    "Read this NOW.",
    "I am furious.",
    "This is ridiculous.",
    "Are you kidding me??",
    "Listen carefully.",
    "Sorry to bother you.",
    "No hurry at all, but",
    "When you have a moment:",
    "It's probably nothing, but",
    "Forgive my english please.",
    "Hi there :)",
    "Dear team,",
    "Good morning,",
    "hey folks,",
    "yo,",
    "Hello, I hope this finds you well.",
    "To whom it may concern:",
    "just saying,",
];

/// What people put after a text, loudly or politely.
const CLOSERS: &[&str] = &[
    "ASAP!!!",
    "RIGHT NOW!",
    "This is URGENT.",
    "Answer me immediately!!!",
    "Worst company ever.",
    "I will tell everybody about this.",
    "One star. I'm leaving for your competitor.",
    "Do your job!",
    "😡😡😡",
    "Thank you so much in advance.",
    "Many thanks, and have a lovely day.",
    "Take your time.",
    "No rush.",
    "Whenever it suits you.",
    "Kind regards",
    "cheers",
    "thx",
    "lol",
    "🙏",
    "😊",
];

/// How people give their names; `*` stands for the name.
const SIGNATURES: &[(&str, &str)] = &[
    ("", " Regards, *"),
    ("", " – *"),
    ("", " Thanks, *"),
    ("", "\n\n*"),
    ("Hello, this is *. ", ""),
    ("Hi, my name is *. ", ""),
    ("* here. ", ""),
    ("", " My name is *."),
    ("", " I'm writing for my neighbour *."),
    ("I already spoke to your colleague *. ", ""),
];

/// Chance that a word has a slip.
const SLIPS: f64 = 0.06;

/// Names that people sign with.
#[derive(Clone, Debug, Default)]
pub struct Names {
    first: Vec<String>,
    last: Vec<String>,
}

impl Names {
    /// Reads `names.csv`, columns `name` and `kind`: `last`, or another for first names.
    ///
    /// # Errors
    /// [`RowsError`] names the file or the column that is missing.
    pub fn read(path: &Path) -> Result<Self, RowsError> {
        let mut names = Self::default();
        for row in rows::read(path, "name", &["kind"])? {
            let list = if row.values[0] == "last" { &mut names.last } else { &mut names.first };
            list.push(row.text);
        }
        Ok(names)
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> String {
        let first = self.first.choose(rng).cloned().unwrap_or_default();
        match self.last.choose(rng) {
            Some(last) if rng.random_bool(0.5) => format!("{first} {last}"),
            _ => first,
        }
    }
}

/// Returns the text with a name that somebody gives.
#[must_use]
pub fn signed(text: &str, names: &Names, rng: &mut ChaCha8Rng) -> String {
    let Some((before, after)) = SIGNATURES.choose(rng) else { return text.to_owned() };
    let name = names.draw(rng);
    format!("{}{text}{}", before.replace('*', &name), after.replace('*', &name))
}

/// Returns the text louder or politer.
#[must_use]
pub fn toned(text: &str, rng: &mut ChaCha8Rng) -> String {
    let mut text = match rng.random_range(0..5) {
        0 => punctuated(text, &['.', '!'], "!!!"),
        1 => punctuated(text, &['.', ',', '!', ';'], "").to_lowercase(),
        2 => text.to_uppercase(),
        _ => text.to_owned(),
    };
    let ends = rng.random_range(0..3);
    if ends != 0
        && let Some(opener) = OPENERS.choose(rng)
    {
        text = format!("{opener} {text}");
    }
    if ends != 1
        && let Some(closer) = CLOSERS.choose(rng)
    {
        text = format!("{text} {closer}");
    }
    text
}

/// Returns the text with other marks at the ends of words; those within numbers and addresses stay.
fn punctuated(text: &str, marks: &[char], other: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches(marks);
        if bare.len() < word.len() { format!("{bare}{other}") } else { word.to_owned() }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Returns the text with slips: letters that change places or are missing.
#[must_use]
pub fn mistyped(text: &str, rng: &mut ChaCha8Rng) -> String {
    let words = text.split(' ').map(|word| {
        let mut letters: Vec<char> = word.chars().collect();
        if letters.len() > 3 && letters.iter().all(|c| c.is_alphabetic()) && rng.random_bool(SLIPS)
        {
            let at = rng.random_range(1..letters.len() - 1);
            if rng.random_bool(0.5) {
                letters.swap(at, at + 1);
            } else {
                letters.remove(at);
            }
        }
        letters.into_iter().collect::<String>()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn names() -> Names {
        Names { first: vec!["Aisha".to_owned()], last: vec!["Larson".to_owned()] }
    }

    #[test]
    fn a_signed_text_holds_the_text_and_a_name_and_nothing_is_left_open() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100 {
            let text = signed("My order is late.", &names(), &mut rng);
            assert!(text.contains("My order is late.") && text.contains("Aisha"), "{text}");
            assert!(!text.contains('*'), "{text}");
        }
    }

    #[test]
    fn another_tone_keeps_the_words() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut loud = 0;
        for _ in 0..200 {
            let text = toned("Smoke comes from the meter.", &mut rng).to_lowercase();
            assert!(text.contains("smoke comes from the meter"), "{text}");
            assert_ne!(text, "smoke comes from the meter.");
            loud += usize::from(text.contains("urgent") || text.contains("!!!"));
        }
        assert!((20..180).contains(&loud), "{loud} of 200 are loud");
    }

    #[test]
    fn numbers_and_addresses_keep_their_marks() {
        let text = "I paid 1,200.50. See shop.example/a.b, or call!";
        assert_eq!(
            punctuated(text, &['.', '!'], "!!!"),
            "I paid 1,200.50!!! See shop.example/a.b, or call!!!"
        );
        assert_eq!(
            punctuated(text, &['.', ',', '!', ';'], ""),
            "I paid 1,200.50 See shop.example/a.b or call"
        );
    }

    #[test]
    fn slips_are_few_and_spare_numbers_and_short_words() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let text = "invoice 12345 is off by 90 ".repeat(200);
        let slipped = mistyped(&text, &mut rng);
        assert_eq!(slipped.matches("12345").count(), 200);
        assert_eq!(slipped.matches("is off by 90").count(), 200);
        let changed = 200 - slipped.matches("invoice").count();
        assert!((3..40).contains(&changed), "{changed} of 200");
    }
}
