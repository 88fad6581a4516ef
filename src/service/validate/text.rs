//! What of a text is kept, and whether anything of it can be seen.

use unicode_normalization::UnicodeNormalization;

/// Returns the text in NFC, with line feeds for line ends, without other control characters, trimmed.
pub(super) fn normalise(text: &str) -> String {
    let kept: String = text
        .replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\r' { '\n' } else { c })
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .nfc()
        .collect();
    kept.trim().to_owned()
}

/// Returns whether a reader would see at least one character.
pub(super) fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_ignorable(c))
}

/// Returns whether a character shows nothing of its own: Unicode's default ignorables, and blanks
/// that are not white space.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_as_its_writer_meant_it() {
        for (given, kept) in [
            ("  two\r\nlines\rthree ", "two\nlines\nthree"),
            ("tab\tstays", "tab\tstays"),
            ("nul\0 and bell\u{7} go", "nul and bell go"),
            ("cafe\u{301}", "café"),
            ("👩\u{200d}💻", "👩\u{200d}💻"),
            ("\u{202e}abc", "\u{202e}abc"),
        ] {
            assert_eq!(normalise(given), kept);
        }
    }

    #[test]
    fn what_nobody_sees_is_empty() {
        for text in ["", " \n\t", "\0\0", "\u{200b}\u{feff}\u{2060}", "\u{3164}", "\u{ad}"] {
            assert!(!is_visible(text), "{text:?}");
        }
        for text in ["a", "\u{200b}?", "é", "👍", "你"] {
            assert!(is_visible(text), "{text:?}");
        }
    }
}
