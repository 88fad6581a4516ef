//! Louder letters, and slips of the pen.

use super::words::{Piece, pieces};

/// One word in so many has a slip.
const WORDS_A_SLIP: usize = 6;
/// Shortest word with a slip, in letters.
const LETTERS_MIN: usize = 4;

/// Returns the text in capitals; `None` where there is nothing to raise.
pub(super) fn in_capitals(text: &str) -> Option<String> {
    changed(text, text.to_uppercase())
}

/// Returns the text in small letters; `None` where there is nothing to lower.
pub(super) fn in_small_letters(text: &str) -> Option<String> {
    changed(text, text.to_lowercase())
}

/// Returns the text with three exclamation marks at the end of each sentence; `None` where no sentence ends.
///
/// Marks within numbers and addresses stay: a sentence ends before a blank or the end of the text.
pub(super) fn exclaimed(text: &str) -> Option<String> {
    let mut made = String::with_capacity(text.len() + 16);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let ends = letters.peek().is_none_or(|next| next.is_whitespace());
        match letter {
            '.' | '!' if ends => made.push_str("!!!"),
            '?' if ends => made.push_str("?!!!"),
            _ => made.push(letter),
        }
    }
    changed(text, made)
}

/// Returns the text with slips in some words: letters that change places, are missing or there twice. `turn`
/// says where they begin and which comes first; `None` where no word is long enough.
pub(super) fn mistyped(text: &str, turn: usize) -> Option<String> {
    let mut made = String::with_capacity(text.len() + 8);
    let mut long = 0;
    for piece in pieces(text) {
        let letters: Vec<char> = piece.text().chars().collect();
        let can = matches!(piece, Piece::Word(_))
            && letters.len() >= LETTERS_MIN
            && letters.iter().all(|letter| letter.is_alphabetic());
        if can && (long + turn).is_multiple_of(WORDS_A_SLIP) {
            made.extend(slipped(letters, turn + long / WORDS_A_SLIP));
        } else {
            made.push_str(piece.text());
        }
        long += usize::from(can);
    }
    changed(text, made)
}

fn slipped(mut letters: Vec<char>, turn: usize) -> Vec<char> {
    // Never the first or the last letter: people slip within words.
    let at = 1 + turn % (letters.len() - 3);
    match turn % 3 {
        0 => letters.swap(at, at + 1),
        1 => {
            letters.remove(at);
        }
        _ => letters.insert(at, letters[at]),
    }
    letters
}

fn changed(text: &str, made: String) -> Option<String> {
    (made != text).then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_exclaimed_and_numbers_are_not() {
        let found = exclaimed("I paid 1.50 at shop.example. Why? Now!").unwrap();
        assert_eq!(found, "I paid 1.50 at shop.example!!! Why?!!! Now!!!");
        assert_eq!(exclaimed("nothing ends here"), None);
    }

    #[test]
    fn slips_are_few_spare_numbers_and_depend_on_the_turn_alone() {
        let text =
            "My parcel number 20931a is late since Tuesday evening and nobody answers the phone.";
        for turn in 0..12 {
            let found = mistyped(text, turn).unwrap_or_else(|| text.to_owned());
            assert_eq!(found, mistyped(text, turn).unwrap_or_else(|| text.to_owned()));
            assert!(found.contains("20931a") && found.starts_with("My "), "{found}");
            let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
            let differ = words(&found).iter().zip(words(text)).filter(|(a, b)| *a != b).count();
            assert!((0..=2).contains(&differ), "{found}");
        }
        let kinds: std::collections::BTreeSet<_> =
            (0..12).filter_map(|t| mistyped(text, t)).collect();
        assert!(kinds.len() > 6, "{kinds:?}");
        assert_eq!(mistyped("is it on", 0), None);
    }
}
