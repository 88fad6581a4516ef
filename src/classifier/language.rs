//! Which language a text is in, and whether a model reads it.
//!
//! Tickets are short, and letter statistics need long texts. So the small words that every sentence
//! is made of speak first, for the languages support desks meet most; letter statistics (whatlang)
//! speak for the rest. A text counts as foreign only on evidence; everything else in the letters of a
//! language that the model reads is taken for readable.

mod codes;
mod small_words;

use whatlang::{Lang, Script};

use self::{codes::iso_639_1, small_words::by_small_words};

/// Fewest letters of a text in Latin script whose letter statistics are believed.
const LETTERS_MIN: usize = 12;
/// Least confidence of letter statistics that is believed, 0 to 1.
const CONFIDENCE_MIN: f64 = 0.5;
/// Least confidence below [`LONG_LETTERS`] letters.
const CONFIDENCE_MIN_SHORT: f64 = 0.8;
/// From here on a text is long enough for the lower confidence.
const LONG_LETTERS: usize = 40;
/// Fewest letters of a text whose small words are believed.
const LETTERS_MIN_SMALL_WORDS: usize = 6;

/// What was found of a text's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected {
    /// ISO 639-1 code; `None` when undetermined.
    pub code: Option<&'static str>,
    /// Whether the code is more than the likeliest of its letters.
    sure: bool,
    /// The letters; `None` when there are none.
    script: Option<Script>,
}

impl Detected {
    /// Returns whether a model that reads `languages` (ISO 639-1) reads the text: it is in one of
    /// them, or may be, by its letters.
    #[must_use]
    pub fn read_by(&self, languages: &[impl AsRef<str>]) -> bool {
        let reads = |code: &str| languages.iter().any(|language| language.as_ref() == code);
        if self.code.is_some_and(reads) {
            return true;
        }
        let written_so =
            |script: Script| script.langs().iter().any(|lang| iso_639_1(*lang).is_some_and(reads));
        !self.sure && self.script.is_none_or(written_so)
    }
}

/// Returns the language of a text.
#[must_use]
pub fn detect(text: &str) -> Detected {
    let Some(info) = whatlang::detect(text) else {
        return Detected { code: None, sure: false, script: None };
    };
    let script = Some(info.script());
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let confidence_min = if letters < LONG_LETTERS { CONFIDENCE_MIN_SHORT } else { CONFIDENCE_MIN };
    let sure = letters >= LETTERS_MIN && info.confidence() >= confidence_min;
    let code = iso_639_1(info.lang());
    if info.script() != Script::Latin {
        // Letters that only one language has are evidence at any length.
        return Detected { code, sure: sure || info.script().langs().len() == 1, script };
    }
    if let Some(code) = by_small_words(text).filter(|_| letters >= LETTERS_MIN_SMALL_WORDS) {
        return Detected { code: Some(code), sure: true, script };
    }
    // Broken English is the likeliest stranger in Latin letters, so less is asked of it.
    let english = info.lang() == Lang::Eng && letters >= LETTERS_MIN;
    Detected { code: code.filter(|_| sure || english), sure, script }
}

/// Returns the codes of all languages that are told apart, in order.
#[must_use]
pub fn known() -> Vec<&'static str> {
    let mut codes: Vec<_> = Lang::all().iter().filter_map(|lang| iso_639_1(*lang)).collect();
    codes.sort_unstable();
    codes
}

/// Takes the code of a language that is told apart.
///
/// # Errors
/// Says which are allowed.
pub fn code(text: &str) -> Result<String, String> {
    let known = known();
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is no language that is told apart here; allowed are ISO 639-1 codes, two small \
         letters: {}",
        known.join(", ")
    ))
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
            ("Quiero cancelar mi pedido por favor, no lo necesito", "es"),
            ("où est mon colis ??", "fr"),
            ("wo ist meine bestellung", "de"),
            ("buongiorno, dove è il mio pacco?", "it"),
            ("waar is mijn bestelling", "nl"),
        ] {
            let found = detect(text);
            assert_eq!((found.code, found.read_by(&["en"])), (Some(code), false), "{text}");
            assert!(found.read_by(&["en", code]), "{text}");
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
            assert!(detect(text).read_by(&["en"]), "{text} {:?}", detect(text));
        }
        assert_eq!(detect("I would like to cancel my order, please.").code, Some("en"));
    }

    #[test]
    fn what_a_model_reads_is_what_it_declares() {
        let english = detect("I would like to cancel my order and get my money back, please.");
        let russian = detect("Здравствуйте, где мой заказ? Я жду его уже две недели.");
        for (languages, english_read, russian_read) in [
            (vec!["en"], true, false),
            (vec!["de", "ru"], false, true),
            (vec!["de", "en", "ru"], true, true),
            (vec!["el"], false, false),
        ] {
            assert_eq!(english.read_by(&languages), english_read, "{languages:?}");
            assert_eq!(russian.read_by(&languages), russian_read, "{languages:?} {russian:?}");
        }
    }

    #[test]
    fn short_texts_are_taken_for_a_language_with_their_letters() {
        for (text, languages, read) in [
            ("refund pls", vec!["de"], true),
            ("refund pls", vec!["ar"], false),
            ("заказ", vec!["ru"], true),
            ("заказ", vec!["en", "de"], false),
            ("4411", vec!["ar"], true),
            ("안녕", vec!["en", "de"], false),
        ] {
            assert_eq!(detect(text).read_by(&languages), read, "{text} {languages:?}");
        }
    }

    #[test]
    fn codes_are_those_that_can_be_told_apart() {
        assert_eq!(code("de").as_deref(), Ok("de"));
        for wrong in ["english", "DE", "xx", "is", ""] {
            let error = code(wrong).unwrap_err();
            assert!(error.contains("two small letters: af, ak, am") && error.contains(wrong));
        }
        assert!(known().len() > 60 && known().windows(2).all(|pair| pair[0] < pair[1]));
    }
}
