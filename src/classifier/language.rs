//! Which language a text is in, and whether the model reads it.
//!
//! Detection of short texts is unsure. A text counts as foreign only when the evidence says so: its
//! script, or a detection that is confident and long enough. Everything else in Latin letters is
//! taken for readable, with the language left open.

use whatlang::{Lang, Script};

/// Fewest letters of a text in Latin script whose detected language is believed.
const LETTERS_MIN: usize = 12;
/// Least confidence of a detection that is believed, 0 to 1.
const CONFIDENCE_MIN: f64 = 0.5;
/// Least confidence below `LONG_LETTERS` letters.
const CONFIDENCE_MIN_SHORT: f64 = 0.8;
/// From here on a text is long enough for the lower confidence.
const LONG_LETTERS: usize = 40;
/// English words that are short, frequent and rare elsewhere: two of them settle it.
const ENGLISH: &[&str] = &[
    "the", "and", "my", "is", "you", "your", "to", "of", "it", "not", "have", "was", "for", "this",
    "with", "what", "how", "where", "when", "please", "order", "i", "can", "want", "need", "are",
];

/// What was found of a text's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected {
    /// ISO 639-1 code; `None` when undetermined.
    pub code: Option<&'static str>,
    /// Whether the model reads it: English, or undetermined in Latin letters.
    pub supported: bool,
}

const UNDETERMINED: Detected = Detected { code: None, supported: true };
const ENGLISH_FOUND: Detected = Detected { code: Some("en"), supported: true };

/// Returns the language of a text.
#[must_use]
pub fn detect(text: &str) -> Detected {
    let Some(info) = whatlang::detect(text) else { return UNDETERMINED };
    let code = iso_639_1(info.lang());
    if info.script() != Script::Latin {
        return Detected { code, supported: false };
    }
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let english = english_words(text);
    if info.lang() == Lang::Eng && letters >= LETTERS_MIN || english >= 2 && english_share(text) {
        return ENGLISH_FOUND;
    }
    let confidence_min =
        if letters >= LONG_LETTERS { CONFIDENCE_MIN } else { CONFIDENCE_MIN_SHORT };
    if letters >= LETTERS_MIN && info.confidence() >= confidence_min {
        Detected { code, supported: false }
    } else {
        UNDETERMINED
    }
}

fn english_words(text: &str) -> usize {
    words(text).filter(|word| ENGLISH.contains(&word.as_str())).count()
}

/// Returns whether at least a quarter of the words are frequent English ones.
fn english_share(text: &str) -> bool {
    english_words(text) * 4 >= words(text).count()
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Returns the two-letter code; `None` for a language that has none.
fn iso_639_1(lang: Lang) -> Option<&'static str> {
    Some(match lang {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Cym => "cy",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "no",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_in_the_languages_of_the_demo_are_told_apart() {
        for (text, code) in [
            ("¿Dónde está mi pedido? Lo compré hace dos semanas y no ha llegado.", "es"),
            ("Bonjour, je n'ai toujours pas reçu le remboursement de ma commande.", "fr"),
            ("Guten Tag, ich möchte meine Bestellung stornieren, bitte.", "de"),
            ("Não consigo entrar na minha conta desde ontem à noite.", "pt"),
            ("Dzień dobry, chciałbym zmienić adres dostawy mojego zamówienia.", "pl"),
            ("أين طلبي؟ لم يصل بعد.", "ar"),
            ("我的包裹在哪里？", "zh"),
        ] {
            let found = detect(text);
            assert_eq!((found.code, found.supported), (Some(code), false), "{text}");
        }
    }

    #[test]
    fn short_or_broken_english_stays_readable() {
        for text in [
            "help",
            "refund pls",
            "no internet!!",
            "Pls my address for delivery is old one, how I change?",
            "WHERE IS MY ORDER",
            "cancel order 4411",
            "wifi dead again lol",
            "12345",
            "",
        ] {
            assert!(detect(text).supported, "{text} {:?}", detect(text));
        }
        assert_eq!(detect("I would like to cancel my order, please.").code, Some("en"));
    }
}
