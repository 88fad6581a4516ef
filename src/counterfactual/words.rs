//! Words replaced by others, whole words only.

/// A run of letters, digits and apostrophes, or what stands between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A word.
    Word(&'a str),
    /// Blanks and marks.
    Between(&'a str),
}

impl<'a> Piece<'a> {
    /// Returns what it is made of.
    pub(super) fn text(self) -> &'a str {
        match self {
            Self::Word(text) | Self::Between(text) => text,
        }
    }
}

/// Splits a text; its pieces in order are the text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = is_of_word(first);
        let end = rest.find(|c| is_of_word(c) != word).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(if word { Piece::Word(piece) } else { Piece::Between(piece) });
        rest = after;
    }
    pieces
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\'' || c == '’'
}

/// Replaces phrases: the longest that begins at a word wins, and among equal ones the first. `*ing` stands
/// for every word that ends so and is longer by two letters; an empty replacement leaves the phrase out.
pub(super) fn replaced(text: &str, rules: &[(String, String)]) -> String {
    let pieces = pieces(text);
    let mut made = String::with_capacity(text.len());
    let (mut at, mut starts) = (0, false);
    while let Some(piece) = pieces.get(at) {
        let Piece::Word(word) = piece else {
            made.push_str(piece.text());
            at += 1;
            continue;
        };
        let (taken, put) = best(&pieces[at..], rules).unwrap_or_else(|| (1, (*word).to_owned()));
        let capital = starts || word.chars().next().is_some_and(char::is_uppercase);
        at += taken;
        if put.is_empty() {
            // The blank after it goes too, and the next word begins the sentence in its place.
            at += usize::from(pieces.get(at).is_some_and(|next| next.text() == " "));
            starts = capital;
            continue;
        }
        made.push_str(&if capital { capitalised(&put) } else { put });
        starts = false;
    }
    made
}

/// Returns how many pieces the best phrase takes, and what stands in its place.
fn best(pieces: &[Piece<'_>], rules: &[(String, String)]) -> Option<(usize, String)> {
    let mut best: Option<(usize, String)> = None;
    for (from, to) in rules {
        let Some((taken, put)) = fit(pieces, from, to) else { continue };
        if best.as_ref().is_none_or(|(most, _)| taken > *most) {
            best = Some((taken, put));
        }
    }
    best
}

fn fit(pieces: &[Piece<'_>], from: &str, to: &str) -> Option<(usize, String)> {
    if let (Some(ending), Some(other)) = (from.strip_prefix('*'), to.strip_prefix('*')) {
        let Some(Piece::Word(word)) = pieces.first() else { return None };
        let stem = word.strip_suffix(ending)?;
        return (stem.chars().count() >= 2).then(|| (1, format!("{stem}{other}")));
    }
    let mut taken = 0;
    for (at, wanted) in from.split(' ').enumerate() {
        if at > 0 {
            // A phrase goes over single blanks: a mark between its words ends it.
            (pieces.get(taken)?.text() == " ").then_some(())?;
            taken += 1;
        }
        let Some(Piece::Word(word)) = pieces.get(taken) else { return None };
        (word.to_lowercase() == wanted.to_lowercase()).then_some(())?;
        taken += 1;
    }
    Some((taken, to.to_owned()))
}

/// Returns a text with a capital first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(rules: &[(&str, &str)]) -> Vec<(String, String)> {
        rules.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    #[test]
    fn whole_words_only_and_the_longest_phrase_wins() {
        let rules =
            rules(&[("do not", "don't"), ("do not have any", "ain't got no"), ("my", "ma")]);
        let text = "Do not worry, I do not have any. My mystery: do. Not mine.";
        let found = "Don't worry, I ain't got no. Ma mystery: do. Not mine.";
        assert_eq!(replaced(text, &rules), found);
    }

    #[test]
    fn an_ending_is_replaced_unless_the_word_is_named() {
        let rules = rules(&[("spring", "spring"), ("*ing", "*in'")]);
        assert_eq!(replaced("Working in spring, ring me.", &rules), "Workin' in spring, ring me.");
    }

    #[test]
    fn what_is_left_out_takes_its_blank_along_and_leaves_its_capital() {
        let rules = rules(&[("the", ""), ("a", "")]);
        assert_eq!(replaced("The heel of a boot is off the", &rules), "Heel of boot is off ");
    }

    proptest! {
        #[test]
        fn without_rules_a_text_stays(text in any::<String>()) {
            prop_assert_eq!(replaced(&text, &[]), text.clone());
            let joined: String = pieces(&text).into_iter().map(Piece::text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
