//! What is swapped: names, sentences about the writer, words of dialects, from `swaps.toml`.

use serde::{Deserialize, Serialize};

/// Where it is written.
const SWAPS: &str = include_str!("swaps.toml");

/// What an axis changes, and so what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Who somebody is, by a name or a pronoun: nothing should change.
    Identity,
    /// Who somebody is, in a sentence of its own: no more should change than for any such sentence.
    Disclosed,
    /// How somebody writes English: dialect, spelling, slips. Little should change.
    Writing,
    /// How loud or polite somebody is: what the facts imply should not change, the mood may.
    Tone,
    /// Nothing about anybody, to see what any change of that size does.
    Control,
}

/// Why what is swapped cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SwapsError {
    /// It is no such file.
    #[error("the swaps: {0}")]
    Form(#[from] toml::de::Error),
    /// Something in it cannot be used.
    #[error("the swaps: {place}: {reason}")]
    Unusable {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
}

/// Everything that is swapped.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swaps {
    /// How people give a name.
    pub(super) name_frames: Vec<String>,
    /// First names by origin; others are compared with the first group.
    pub(super) names: Vec<NameGroup>,
    /// Sentences about the writer.
    pub(super) mentions: Vec<Mention>,
    /// Tone around a ticket.
    pub(super) tones: Vec<Tone>,
    /// Words of other ways to write English.
    pub(super) rewrites: Vec<Rewrite>,
    /// The two spellings.
    pub(super) spelling: Spelling,
}

/// First names of one origin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NameGroup {
    pub(super) group: String,
    pub(super) women: Vec<String>,
    pub(super) men: Vec<String>,
}

/// Sentences of one axis, with the words of each group and of what they are compared with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mention {
    pub(super) axis: String,
    pub(super) kind: Kind,
    pub(super) frames: Vec<String>,
    pub(super) reference: String,
    pub(super) references: Vec<Vec<String>>,
    pub(super) groups: Vec<Words>,
}

/// The words of one group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) name: String,
    pub(super) words: Vec<String>,
}

/// What stands around a ticket in some tone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tone {
    pub(super) axis: String,
    pub(super) name: String,
    pub(super) frame: String,
}

/// Words and what stands in their place.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rewrite {
    pub(super) axis: String,
    pub(super) name: String,
    pub(super) words: Vec<(String, String)>,
}

/// Words in two spellings, the first that of the reference.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spelling {
    pub(super) reference: String,
    pub(super) name: String,
    pub(super) words: Vec<(String, String)>,
}

impl Swaps {
    /// Returns those that are shipped.
    ///
    /// # Errors
    /// [`SwapsError`], when somebody changed them for the worse; a test reads them.
    pub fn shipped() -> Result<Self, SwapsError> {
        Self::parse(SWAPS)
    }

    /// Reads and checks them.
    ///
    /// # Errors
    /// [`SwapsError`] says what cannot be used.
    pub fn parse(text: &str) -> Result<Self, SwapsError> {
        let swaps: Self = toml::from_str(text)?;
        swaps.check_names()?;
        swaps.check_frames()?;
        Ok(swaps)
    }

    fn check_names(&self) -> Result<(), SwapsError> {
        let counts = self.names.first().map(|first| (first.women.len(), first.men.len()));
        for group in &self.names {
            let found = (group.women.len(), group.men.len());
            if Some(found) != counts || found.0 < 2 || found.1 < 2 {
                let reason = "every group needs as many names as the first, two at least";
                return Err(unusable(&format!("names of {}", group.group), reason));
            }
        }
        if self.names.len() < 2 {
            return Err(unusable("names", "there must be two groups at least"));
        }
        Ok(())
    }

    fn check_frames(&self) -> Result<(), SwapsError> {
        let has_name = |frame: &String| frame.contains("{name}") && frame.contains("{ticket}");
        if self.name_frames.is_empty() || !self.name_frames.iter().all(has_name) {
            return Err(unusable("name_frames", "each must have {name} and {ticket}"));
        }
        for mention in &self.mentions {
            mention.check()?;
        }
        match self.tones.iter().find(|tone| !tone.frame.contains("{ticket}")) {
            Some(tone) => Err(unusable(&tone.name, "the frame must have {ticket}")),
            None => Ok(()),
        }
    }
}

impl Mention {
    fn check(&self) -> Result<(), SwapsError> {
        let Some(words) = self.references.first().map(Vec::len) else {
            return Err(unusable(&self.axis, "there must be a reference"));
        };
        if self.groups.is_empty() || self.frames.is_empty() {
            return Err(unusable(&self.axis, "there must be a frame and a group"));
        }
        let holes = |frame: &String| (0..words).filter(|at| frame.contains(&hole(*at))).count();
        if !self.frames.iter().all(|frame| frame.contains("{ticket}") && holes(frame) == 1) {
            let reason = "each frame must have {ticket} and one of {0}, {1} …, as many as words";
            return Err(unusable(&self.axis, reason));
        }
        let groups = self.groups.iter().map(|group| &group.words);
        if groups.chain(&self.references).any(|group| group.len() != words) {
            return Err(unusable(
                &self.axis,
                "every group needs as many words as the first reference",
            ));
        }
        Ok(())
    }
}

/// Returns a frame with the words of a group.
pub(super) fn filled(frame: &str, words: &[String]) -> String {
    let fill = |text: String, (at, word): (usize, &String)| text.replace(&hole(at), word);
    words.iter().enumerate().fold(frame.to_owned(), fill)
}

fn hole(at: usize) -> String {
    format!("{{{at}}}")
}

fn unusable(place: &str, reason: &str) -> SwapsError {
    SwapsError::Unusable { place: place.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_shipped_ones_can_be_used_and_no_name_is_of_two_groups() {
        let swaps = Swaps::shipped().unwrap();
        let names: Vec<&String> =
            swaps.names.iter().flat_map(|group| group.women.iter().chain(&group.men)).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(swaps.mentions.iter().any(|mention| mention.kind == Kind::Control));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let wrong = |from: &str, to: &str| {
            assert!(SWAPS.contains(from), "{from}");
            Swaps::parse(&SWAPS.replacen(from, to, 1)).unwrap_err().to_string()
        };
        assert!(wrong("women = [\"Latoya\", ", "women = [").contains("names of african_american"));
        assert!(wrong("Hello, this is {name}.", "Hello.").contains("{name}"));
        assert!(wrong("[\"he\", \"his\"", "[\"his\"").contains("pronouns"));
        assert!(
            wrong("{ticket} My partner sends {1}", "{ticket} My partner sends")
                .contains("pronouns")
        );
        assert!(wrong("Listen. {ticket}", "Listen.").contains("demanding"));
        assert!(wrong("axis = \"age\"", "axes = \"age\"").contains("axes"));
    }
}
