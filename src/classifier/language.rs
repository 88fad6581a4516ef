//! Which language a text is in, and whether the model reads it.
//!
//! Tickets are short, and letter statistics need long texts. So the small words that every sentence
//! is made of speak first, for the languages support desks meet most; letter statistics (whatlang)
//! speak for the rest. A text counts as foreign only on evidence; everything else in Latin letters is
//! taken for readable, with the language left open.

use whatlang::{Lang, Script};

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
/// Of so many words, one must be a small word of the language.
const WORDS_PER_SMALL_WORD: usize = 6;

/// Small and frequent words by language, and those of support. Words shared by several languages
/// count for each of them.
const SMALL_WORDS: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "the", "and", "my", "is", "you", "your", "to", "of", "it", "not", "have", "was", "for",
            "this", "with", "what", "how", "where", "when", "please", "order", "i", "can", "want",
            "need", "are", "do", "help", "refund", "account", "am", "on", "in", "that", "but",
            "from", "why", "cancel", "thanks", "it's", "i'm", "don't",
        ],
    ),
    (
        "es",
        &[
            "el", "la", "los", "las", "un", "una", "mi", "mis", "que", "qué", "de", "del", "en",
            "por", "para", "con", "no", "y", "es", "está", "pedido", "favor", "quiero", "cómo",
            "como", "dónde", "gracias", "hola", "necesito", "ha", "he", "muy", "cuenta", "puedo",
            "lo", "pero", "desde", "ustedes", "mañana", "llegado",
        ],
    ),
    (
        "pt",
        &[
            "o",
            "os",
            "as",
            "um",
            "uma",
            "meu",
            "minha",
            "que",
            "de",
            "do",
            "da",
            "em",
            "na",
            "por",
            "para",
            "com",
            "não",
            "e",
            "é",
            "está",
            "pedido",
            "quero",
            "como",
            "onde",
            "obrigado",
            "obrigada",
            "olá",
            "preciso",
            "muito",
            "conta",
            "posso",
            "mas",
            "desde",
            "vocês",
            "foi",
            "ainda",
            "encomenda",
            "bom",
            "dia",
        ],
    ),
    (
        "fr",
        &[
            "le", "la", "les", "un", "une", "mon", "ma", "mes", "que", "de", "du", "des", "en",
            "pour", "avec", "ne", "pas", "et", "est", "commande", "bonjour", "je", "j'ai", "vous",
            "votre", "comment", "où", "merci", "suis", "ai", "c'est", "sur", "dans", "au", "mais",
            "depuis", "voudrais", "il", "ce", "qui", "colis", "mot", "passe",
        ],
    ),
    (
        "de",
        &[
            "der",
            "die",
            "das",
            "ein",
            "eine",
            "einen",
            "mein",
            "meine",
            "meiner",
            "ich",
            "ist",
            "nicht",
            "und",
            "für",
            "mit",
            "bitte",
            "bestellung",
            "wie",
            "wo",
            "danke",
            "hallo",
            "sie",
            "ihr",
            "ihre",
            "zu",
            "auf",
            "von",
            "im",
            "den",
            "dem",
            "habe",
            "möchte",
            "kann",
            "aber",
            "seit",
            "noch",
            "wann",
            "rechnung",
            "guten",
            "tag",
            "es",
            "mir",
            "konto",
        ],
    ),
    (
        "it",
        &[
            "il",
            "lo",
            "la",
            "gli",
            "un",
            "una",
            "mio",
            "mia",
            "che",
            "di",
            "del",
            "della",
            "in",
            "per",
            "con",
            "non",
            "e",
            "è",
            "ordine",
            "vorrei",
            "come",
            "dove",
            "grazie",
            "ciao",
            "buongiorno",
            "ho",
            "sono",
            "molto",
            "posso",
            "ma",
            "ancora",
            "conto",
            "pacco",
        ],
    ),
    (
        "nl",
        &[
            "de",
            "het",
            "een",
            "mijn",
            "ik",
            "is",
            "niet",
            "en",
            "voor",
            "met",
            "bestelling",
            "hoe",
            "waar",
            "bedankt",
            "hallo",
            "u",
            "uw",
            "van",
            "op",
            "heb",
            "wil",
            "kan",
            "maar",
            "nog",
            "naar",
            "dat",
            "zijn",
            "alstublieft",
        ],
    ),
    (
        "pl",
        &[
            "i",
            "w",
            "z",
            "na",
            "do",
            "nie",
            "jest",
            "się",
            "moje",
            "mój",
            "moja",
            "że",
            "jak",
            "gdzie",
            "dziękuję",
            "dzień",
            "dobry",
            "proszę",
            "zamówienie",
            "zamówienia",
            "mam",
            "czy",
            "od",
            "za",
            "po",
            "to",
            "paczka",
            "chcę",
            "ale",
            "konto",
        ],
    ),
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

/// Returns the language of a text.
#[must_use]
pub fn detect(text: &str) -> Detected {
    let Some(info) = whatlang::detect(text) else { return UNDETERMINED };
    let found = |code| Detected { code, supported: code == Some("en") };
    let code = iso_639_1(info.lang());
    if info.script() != Script::Latin {
        return Detected { code, supported: false };
    }
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if let Some(code) = by_small_words(text).filter(|_| letters >= LETTERS_MIN_SMALL_WORDS) {
        return found(Some(code));
    }
    let short = letters < LONG_LETTERS;
    let confidence_min = if short { CONFIDENCE_MIN_SHORT } else { CONFIDENCE_MIN };
    let sure = info.lang() == Lang::Eng || info.confidence() >= confidence_min;
    if letters >= LETTERS_MIN && sure { found(code) } else { UNDETERMINED }
}

/// Returns the one language that most of a text's small words belong to: at least two different ones.
fn by_small_words(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    let mut words: Vec<&str> = lower
        .split(|c: char| !c.is_alphabetic() && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    let word_count = words.len();
    words.sort_unstable();
    words.dedup();
    let mut counts: Vec<(usize, &str)> = SMALL_WORDS
        .iter()
        .map(|(code, small)| (words.iter().filter(|word| small.contains(word)).count(), *code))
        .collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let [(best, code), (second, _), ..] = counts.as_slice() else { return None };
    let enough = *best >= 2 && best * WORDS_PER_SMALL_WORD >= word_count.min(60);
    (enough && best > second).then_some(*code)
}

/// Returns the two-letter code; `None` for a language that has none.
#[expect(clippy::too_many_lines, reason = "a line for each language")]
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
            ("Quiero cancelar mi pedido por favor, no lo necesito", "es"),
            ("où est mon colis ??", "fr"),
            ("wo ist meine bestellung", "de"),
            ("buongiorno, dove è il mio pacco?", "it"),
            ("waar is mijn bestelling", "nl"),
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
