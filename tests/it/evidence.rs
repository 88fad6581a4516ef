//! The words that moved a prediction: where they stand, whether they did, and that no reading holds them.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
};

use evenhand::{
    classifier::{Model, evidence::evidence, find_model, tokenize::TextTokenizer},
    domain::reading::{Evidence, EvidenceHead},
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokenizers::Tokenizer;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

fn shipped_dir() -> PathBuf {
    find_model(None).unwrap()
}

fn slice(text: &str, place: &Range<usize>) -> String {
    text.chars().skip(place.start).take(place.len()).collect()
}

fn place(word: &Evidence) -> Range<usize> {
    word.start_chars as usize..word.end_chars as usize
}

const TEXTS: [&str; 7] = [
    "Where is my parcel?",
    "  \n my refund 😡😡 was NEVER paid 👍🏽 ok",
    "Où est mon colis\u{a0}? Ça traîne, décembre déjà",
    "Cafe\u{301} cr\u{e8}me: cancelled, reimburse please",
    "我要退款 now 谢谢 sofort",
    "ﬁnancing İstanbul straße Ⅷ Ⅳ",
    "tab\tbell\u{7}and zero\u{200b}width end",
];

#[test]
fn places_are_those_of_the_tokens_in_the_text_as_given() {
    let bytes = fs::read(shipped_dir().join("tokenizer.json")).unwrap();
    let names = Tokenizer::from_bytes(&bytes).unwrap();
    let tokenizer = TextTokenizer::new(&bytes, 512).unwrap();
    let plain = |text: &str| -> String {
        let kept = text.to_lowercase();
        kept.nfd().filter(|c| !is_combining_mark(*c) && !c.is_control()).collect()
    };
    let mut known = 0;
    for text in TEXTS {
        let placed = tokenizer.encode_placed(text).unwrap();
        assert_eq!(placed.tokens, tokenizer.encode(text).unwrap());
        assert_eq!(placed.places.len(), placed.tokens.ids().len());
        for (id, place) in placed.tokens.ids().iter().zip(&placed.places) {
            let name = names.id_to_token(*id).unwrap();
            let Some(place) = place else {
                assert!(["[CLS]", "[SEP]"].contains(&name.as_str()), "{name}");
                continue;
            };
            if name == "[UNK]" {
                assert!(!slice(text, place).is_empty());
                continue;
            }
            known += 1;
            let said = plain(&slice(text, place)).replace('\u{200b}', "");
            assert_eq!(said, name.trim_start_matches("##"), "{text:?} at {place:?}");
        }
    }
    assert!(known > 40, "{known}");
}

#[test]
fn words_are_found_whole_with_every_kind_of_tokenizer() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders");
    let kinds: Value =
        serde_json::from_slice(&fs::read(fixtures.join("expected.json")).unwrap()).unwrap();
    let text = "  Où 😡 est mon colis? 退款, don't wait — reimbursement!";
    for (kind, expected) in kinds.as_object().unwrap() {
        let file = format!("{}.json", expected["tokenizer"].as_str().unwrap());
        let bytes = fs::read(fixtures.join(file)).unwrap();
        let placed = TextTokenizer::new(&bytes, 512).unwrap().encode_placed(text).unwrap();
        for word in ["Où", "colis", "don't", "wait", "reimbursement"] {
            let start = text[..text.find(word).unwrap()].chars().count();
            let meant = start..start + word.chars().count();
            let touches = |place: &Option<Range<usize>>| {
                let place = place.clone().unwrap_or_default();
                place.start.max(meant.start) < place.end.min(meant.end)
            };
            let shares: Vec<f64> =
                placed.places.iter().map(|place| f64::from(u8::from(touches(place)))).collect();
            let found = evidence(EvidenceHead::Intent, text, &placed.places, &shares);
            let found: Vec<_> = found.iter().map(|found| slice(text, &place(found))).collect();
            assert_eq!(found, [word], "{kind}");
        }
    }
}

#[test]
fn a_text_in_windows_has_places_for_all_of_it() {
    let bytes = fs::read(shipped_dir().join("tokenizer.json")).unwrap();
    let tokenizer = TextTokenizer::new(&bytes, 7).unwrap();
    let text = "é my parcel is late and I am waiting";
    let placed = tokenizer.encode_placed(text).unwrap();
    assert_eq!(placed.tokens, tokenizer.encode(text).unwrap());
    assert_eq!((placed.tokens.windows(), placed.tokens.is_truncated()), (&[6, 7][..], false));
    let words: Vec<_> = placed
        .places
        .iter()
        .map(|place| place.as_ref().map_or(String::new(), |place| slice(text, place)))
        .collect();
    let first = ["", "é", "my", "parcel", "is", ""];
    assert_eq!(words, [&first[..], &["", "late", "and", "I", "am", "waiting", ""]].concat());
}

#[test]
fn evidence_is_the_same_alone_and_among_others() {
    let model = Model::load(&shipped_dir()).unwrap();
    let together = model.read_texts(&TEXTS).unwrap();
    for (text, among) in TEXTS.iter().zip(together) {
        let alone = model.read_texts(&[text]).unwrap().remove(0);
        assert!(!alone.evidence.is_empty(), "{text}");
        for head in EvidenceHead::ALL {
            let of_head = |all: &[Evidence]| -> Vec<f64> {
                all.iter().filter(|word| word.head == head).map(|word| word.weight).collect()
            };
            let (alone, among) = (of_head(&alone.evidence), of_head(&among.evidence));
            assert!(alone.len() <= 3 && alone.is_sorted_by(|a, b| a >= b));
            let close = alone.iter().zip(&among).all(|(a, b)| (a - b).abs() < 0.01);
            assert!(alone.len() == among.len() && close, "{text}: {alone:?} and {among:?}");
        }
    }
}

/// English tickets of the demo, which the shipped model has not seen.
fn tickets() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/tickets.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (text, language) = (column("text"), column("truth_language"));
    let rows = reader.records().map(Result::unwrap);
    rows.filter(|row| &row[language] == "en").map(|row| row[text].to_owned()).collect()
}

/// The places of the words of a text, as people see them.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (index, c) in text.chars().enumerate() {
        if c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}') {
            match words.last_mut() {
                Some(word) if word.end == index => word.end += 1,
                _ => words.push(index..index + 1),
            }
        }
    }
    words
}

fn without(text: &str, places: &[Range<usize>]) -> String {
    let kept = |(index, c): (usize, char)| {
        (!places.iter().any(|place| place.contains(&index))).then_some(c)
    };
    text.chars().enumerate().filter_map(kept).collect()
}

#[test]
fn without_its_evidence_an_intent_is_less_probable_than_without_other_words() {
    const TICKETS: usize = 60;
    let model = Model::load(&shipped_dir()).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(20);
    // Texts in threes: as given, without the evidence, without as many other words.
    let (mut intents, mut texts) = (Vec::new(), Vec::new());
    for text in tickets() {
        let reading = model.read_texts(&[&text]).unwrap().remove(0);
        let named: Vec<_> = reading
            .evidence
            .iter()
            .filter(|word| word.head == EvidenceHead::Intent)
            .map(place)
            .collect();
        let apart = |word: &Range<usize>| {
            named.iter().all(|place| place.end <= word.start || word.end <= place.start)
        };
        let mut others: Vec<_> = words(&text).into_iter().filter(apart).collect();
        if named.len() < 3 || others.len() < 6 {
            continue;
        }
        others.shuffle(&mut random);
        intents.push(reading.top_intent().unwrap().intent.clone());
        texts.extend([text.clone(), without(&text, &named), without(&text, &others[..3])]);
        if intents.len() == TICKETS {
            break;
        }
    }
    assert_eq!(intents.len(), TICKETS, "there are enough tickets");
    let tokens: Vec<_> = texts.iter().map(|text| model.tokens(text).unwrap()).collect();
    let features = model.features(&tokens.iter().collect::<Vec<_>>(), |_| {}).unwrap();
    let predictions = model.heads.predict(&features).unwrap();
    let labels = &model.heads.by_name["intent"].entry.labels;
    let (mut evident, mut random) = (0.0, 0.0);
    for (rows, intent) in predictions.probabilities["intent"].chunks(3).zip(&intents) {
        let label = labels.iter().position(|label| **label == **intent).unwrap();
        evident += rows[0][label] - rows[1][label];
        random += rows[0][label] - rows[2][label];
    }
    let (evident, random) = (evident / TICKETS as f64, random / TICKETS as f64);
    println!("mean drop without the evidence {evident:.3}, without other words {random:.3}");
    assert!(evident > 0.05 && evident > 1.5 * random, "{evident} and {random}");
}

#[test]
fn no_reading_holds_a_word_of_the_text() {
    let model = Model::load(&shipped_dir()).unwrap();
    for text in [
        "Where is my parcel? Quibbleton charged twice and I am furious",
        "URGENT: somebody bought shoes using Zyxomma's passphrase!!",
        "¡Devuélvanme el dinero, señor Quibbleton!",
    ] {
        let reading = model.read_texts(&[text]).unwrap().remove(0);
        assert!(!reading.evidence.is_empty());
        let journalled = serde_json::to_string(&reading).unwrap();
        let printed = format!("{reading:?}");
        for word in words(text).iter().map(|place| slice(text, place).to_lowercase()) {
            for kept in [&journalled, &printed] {
                let holds = word.chars().count() > 3 && kept.to_lowercase().contains(&word);
                assert!(!holds, "{word} in {kept}");
            }
        }
    }
}

#[test]
fn classify_says_the_words_with_their_places_in_the_text_as_given() {
    let text = "  \u{a0}é! Where is my parcel, please?";
    let run = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
        command.env("RAYON_NUM_THREADS", "1");
        let output = command.args(["classify", "--format", format, "--text", text]).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let line: Value = serde_json::from_str(&run("json")).unwrap();
    let evidence = line["evidence"].as_array().unwrap();
    for word in evidence {
        let at = |key: &str| usize::try_from(word[key].as_u64().unwrap()).unwrap();
        assert_eq!(word["word"], slice(text, &(at("start_chars")..at("end_chars"))));
        assert!(word["weight"].as_f64().unwrap() > 0.0);
    }
    let of_intent = |word: &&Value| word["head"] == "intent";
    let said: Vec<_> =
        evidence.iter().filter(of_intent).map(|word| word["word"].as_str().unwrap()).collect();
    assert!(!said.is_empty() && said.len() <= 3, "{said:?}");
    let sentence = run("text");
    assert!(sentence.contains(&format!("[intent: {}", said.join(", "))), "{sentence}");
    assert_eq!(sentence.lines().count(), 1);
}
