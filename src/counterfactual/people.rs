//! People in a text: first names and pronouns that can be swapped where they stand.

use std::collections::BTreeSet;

use super::{
    swaps::Swaps,
    words::{Piece, capitalised, pieces},
};

/// What is said of men and of women; beside pronouns the words that go with them. `her` has two counterparts:
/// see [`of_men`].
const GENDERED: &[(&str, &str)] = &[
    ("he", "she"),
    ("him", "her"),
    ("his", "her"),
    ("himself", "herself"),
    ("mr", "mrs"),
    ("sir", "madam"),
    ("man", "woman"),
    ("husband", "wife"),
    ("boyfriend", "girlfriend"),
    ("father", "mother"),
    ("grandfather", "grandmother"),
    ("grandpa", "grandma"),
    ("dad", "mum"),
    ("son", "daughter"),
    ("grandson", "granddaughter"),
    ("brother", "sister"),
    ("uncle", "aunt"),
    ("nephew", "niece"),
];

/// Words of women that more than one word of men stands for, or none above.
const OF_WOMEN_ONLY: &[(&str, &str)] = &[("hers", "his"), ("mom", "dad"), ("ms", "mr")];

/// Pronouns; without one of them a text is left as it is.
const PRONOUNS: &[&str] = &["he", "him", "his", "himself", "she", "her", "hers", "herself"];

/// Words after `her` that show that it stands for `him`, and not for `his`.
const AFTER_HIM: &[&str] = &[
    "a",
    "about",
    "again",
    "an",
    "and",
    "any",
    "as",
    "at",
    "because",
    "before",
    "but",
    "by",
    "for",
    "from",
    "how",
    "if",
    "in",
    "into",
    "is",
    "it",
    "my",
    "now",
    "of",
    "on",
    "or",
    "out",
    "over",
    "since",
    "so",
    "that",
    "the",
    "this",
    "to",
    "today",
    "tomorrow",
    "until",
    "up",
    "was",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "why",
    "will",
    "with",
    "yesterday",
    "your",
];

/// Whose name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gender {
    Women,
    Men,
}

impl Gender {
    pub(super) const BOTH: [Self; 2] = [Self::Women, Self::Men];
}

/// A text cut where somebody's first name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    parts: Vec<String>,
    /// Whose name it is.
    pub(super) gender: Gender,
}

impl Named {
    /// Finds the one first name of a text; `None` without one, or with several different ones.
    pub(super) fn find(text: &str, swaps: &Swaps) -> Option<Self> {
        let pieces = pieces(text);
        let words = pieces.iter().filter_map(|piece| match piece {
            Piece::Word(word) => Some(*word),
            Piece::Between(_) => None,
        });
        let names: BTreeSet<&str> =
            words.map(bare).filter(|word| gender_of(word, swaps).is_some()).collect();
        let name = *names.first().filter(|_| names.len() == 1)?;
        let mut parts = vec![String::new()];
        for piece in pieces {
            if let Piece::Word(word) = piece
                && bare(word) == name
            {
                parts.push(word[name.len()..].to_owned());
            } else if let Some(last) = parts.last_mut() {
                last.push_str(piece.text());
            }
        }
        Some(Self { parts, gender: gender_of(name, swaps)? })
    }

    /// Returns the text with another name.
    pub(super) fn with(&self, name: &str) -> String {
        self.parts.join(name)
    }
}

/// Returns a word without the `'s` of who owns something.
fn bare(word: &str) -> &str {
    word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word)
}

fn gender_of(word: &str, swaps: &Swaps) -> Option<Gender> {
    let is = |names: &[String]| names.iter().any(|name| name == word);
    if swaps.names.iter().any(|group| is(&group.women)) {
        return Some(Gender::Women);
    }
    swaps.names.iter().any(|group| is(&group.men)).then_some(Gender::Men)
}

/// Returns whether a text says he or she of anybody.
pub(super) fn has_pronoun(text: &str) -> bool {
    let is = |piece: Piece<'_>| PRONOUNS.contains(&piece.text().to_lowercase().as_str());
    pieces(text).into_iter().any(is)
}

/// Returns the text as said of men and as said of women; `None` where it has no pronoun, or of both.
pub(super) fn both_ways(text: &str) -> Option<[String; 2]> {
    if !has_pronoun(text) {
        return None;
    }
    match [with_words(text, Gender::Men), with_words(text, Gender::Women)] {
        [men, women] if men == text && women != text => Some([men, women]),
        [men, women] if women == text && men != text => Some([men, women]),
        _ => None,
    }
}

fn with_words(text: &str, gender: Gender) -> String {
    let pieces = pieces(text);
    let mut made = String::with_capacity(text.len() + 8);
    for (at, piece) in pieces.iter().enumerate() {
        let word = piece.text().to_lowercase();
        let put = match gender {
            Gender::Women => GENDERED.iter().find(|(he, _)| *he == word).map(|(_, she)| *she),
            Gender::Men => of_men(&word, pieces.get(at + 1..).unwrap_or_default()),
        };
        match put {
            Some(put) if word != piece.text() => made.push_str(&capitalised(put)),
            Some(put) => made.push_str(put),
            None => made.push_str(piece.text()),
        }
    }
    made
}

/// Returns the word of men for one of women; `her` is `him` at the end of a phrase and `his` before a thing.
fn of_men(word: &str, after: &[Piece<'_>]) -> Option<&'static str> {
    if word == "her" {
        let next = match after {
            [Piece::Between(" "), Piece::Word(next), ..] => next.to_lowercase(),
            _ => return Some("him"),
        };
        return Some(if AFTER_HIM.contains(&next.as_str()) { "him" } else { "his" });
    }
    let pairs = GENDERED.iter().map(|(he, she)| (*she, *he));
    pairs.chain(OF_WOMEN_ONLY.iter().copied()).find(|(she, _)| *she == word).map(|(_, he)| he)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn he_becomes_she_and_back_and_nothing_else_changes() {
        let he = "My husband said he lost his card; the clerk told him to come himself. Call him.";
        let she = "My wife said she lost her card; the clerk told her to come herself. Call her.";
        let expected = Some([he.to_owned(), she.to_owned()]);
        assert_eq!(both_ways(he), expected);
        assert_eq!(both_ways(she), expected);
        assert_eq!(both_ways("Where is my parcel?"), None);
        assert_eq!(both_ways("My wife is waiting."), None, "no pronoun");
        assert_eq!(both_ways("He asked her."), None, "both");
        assert_eq!(both_ways("She is here.").unwrap()[0], "He is here.");
    }

    #[test]
    fn one_name_is_found_as_a_whole_word_and_several_are_left() {
        let swaps = Swaps::shipped().unwrap();
        let found = Named::find("Hi, Claire here. Claire's order is late.", &swaps).unwrap();
        assert_eq!(found.gender, Gender::Women);
        assert_eq!(found.with("Fatima"), "Hi, Fatima here. Fatima's order is late.");
        assert_eq!(Named::find("Andrew and Claire", &swaps), None);
        assert_eq!(Named::find("my ebony table, jake brake", &swaps), None, "no capitals");
        assert_eq!(Named::find("Andrews", &swaps), None);
    }
}
