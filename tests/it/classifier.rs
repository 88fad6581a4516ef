//! The shipped model, training, and the three commands, end to end.

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use candle_core::{Device, Tensor};
use evenhand::classifier::{
    Classify, Model, ModelError, Worker, WorkerOptions,
    artifact::{ENCODER, HEADS, MANIFEST, TOKENIZER},
    encoder::{Encoder, EncoderConfig},
    features::{Features, View},
    find_model,
    train::{
        base::Base,
        finetune::{self, FinetunePlan, Goal, Material, Pool, Recipe, Target, Task, finetune},
        start::start,
    },
};
use serde_json::Value;

fn shipped_dir() -> PathBuf {
    find_model(None).unwrap()
}

fn shipped() -> Model {
    Model::load(&shipped_dir()).unwrap()
}

const TEXTS: [&str; 5] = [
    "Where is my parcel?",
    "thanks, you were lovely",
    "I was charged twice for the same order last week and nobody answers my messages. Please look \
     into it and tell me when the money will be back on my card.",
    "cancel",
    "someone is buying shoes with my account as I write",
];

#[test]
fn the_encoder_agrees_with_an_independent_implementation() {
    let reference =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/minilm_reference.json");
    let reference: Value = serde_json::from_slice(&fs::read(reference).unwrap()).unwrap();
    let model = shipped();
    let base = Base::read(&shipped_dir(), &Device::Cpu).unwrap();
    let learning = Encoder::new(base.config.clone(), &base.weights, false).unwrap();
    for case in reference.as_array().unwrap() {
        let tokens = model.tokens(case["text"].as_str().unwrap()).unwrap();
        let ids: Vec<u64> = tokens.ids().iter().copied().map(u64::from).collect();
        assert_eq!(Value::from(ids), case["tokens"]);
        let cosine = |features: &Features| -> f64 {
            let ours = features.view(View::Last).to_vec2::<f32>().unwrap().remove(0);
            let theirs = case["mean"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
            ours.iter().zip(theirs).map(|(a, b)| f64::from(*a) * b).sum()
        };
        // All have length one. In training, products may take operands of eight bits of mantissa.
        let learned = Features::encode(&learning, &[&tokens], &Device::Cpu, |_| {}).unwrap();
        assert!(cosine(&learned) > 0.9999, "{}", cosine(&learned));
        let read = model.features(&[&tokens], |_| {}).unwrap();
        assert!(cosine(&read) > 0.998, "{}", cosine(&read));
    }
}

#[test]
fn a_text_reads_the_same_bit_for_bit_alone_and_among_others() {
    let model = shipped();
    let together = model.read_texts(&TEXTS).unwrap();
    for (text, among) in TEXTS.iter().zip(together) {
        assert_eq!(model.read_texts(&[text]).unwrap(), [among]);
    }
}

#[test]
fn the_clearest_tickets_are_read_right() {
    let readings = shipped().read_texts(&TEXTS).unwrap();
    assert_eq!(&*readings[0].top_intent().unwrap().intent, "track_order");
    assert_eq!(readings[1].sentiment.label(), "positive");
    assert_eq!(&*readings[2].top_intent().unwrap().intent, "payment_issue");
    assert_eq!(readings[4].urgency.label(), "critical");
    assert!(readings.iter().all(|r| r.language_supported && &*r.model == "support-2.1.0"));
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let long = "my parcel is late and I am waiting ".repeat(500);
    let reading = shipped().read_texts(&[&long]).unwrap().remove(0);
    assert!(reading.truncated && reading.out_of_scope_score.is_finite());
}

#[test]
fn a_changed_file_is_refused_with_both_checksums() {
    let dir = tempfile::tempdir().unwrap();
    for name in [MANIFEST, ENCODER, HEADS, TOKENIZER] {
        fs::copy(shipped_dir().join(name), dir.path().join(name)).unwrap();
    }
    let path = dir.path().join(HEADS);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = Model::load(dir.path()).map(|_| ()).unwrap_err();
    let ModelError::Checksum { path: named, expected, found } = error else { panic!("{error}") };
    assert!(named == path && expected.len() == 64 && found.len() == 64 && expected != found);
}

#[test]
fn a_missing_model_names_the_places_tried() {
    let error = find_model(Some(Path::new("/no/such/model"))).unwrap_err().to_string();
    assert!(error.contains("/no/such/model") && error.contains("--model"), "{error}");
}

#[tokio::test]
async fn the_worker_reads_with_the_shipped_model() {
    let worker = Worker::start(shipped(), WorkerOptions::default()).unwrap();
    let asked: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    let (one, other) = tokio::join!(worker.classify(asked.clone()), worker.classify(asked));
    assert_eq!(one.unwrap().len(), TEXTS.len());
    assert_eq!(other.unwrap().len(), TEXTS.len());
    assert_eq!(worker.info().intents.len(), 40);
}

fn evenhand(args: &[&str]) -> Output {
    // One thread: several tests run at once.
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
    command.env("RAYON_NUM_THREADS", "1").args(args).output().unwrap()
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

#[test]
fn classify_prints_one_line_for_each_row_whatever_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("texts.csv");
    fs::write(&file, b"id,body\n1,where is my order\n2,\n3,\"\xff\xfe \xf0\x9f\x98\xa1\"\n4\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let output =
        evenhand(&["classify", "--format", "json", "--data", file, "--text-column", "body"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["intent"], "track_order");
    for key in [
        "intent",
        "intent_confidence",
        "out_of_scope",
        "out_of_scope_score",
        "sentiment",
        "sentiment_score",
        "sentiment_probabilities",
        "urgency",
        "urgency_score",
        "language",
        "language_supported",
        "intents",
        "model",
    ] {
        assert!(lines[0].get(key).is_some(), "no {key}");
    }
    assert_eq!(lines[0]["intents"].as_array().unwrap().len(), 5);
    assert!(lines[1]["error"].is_string() && lines[3]["error"].is_string());
    assert!(lines[2]["urgency_score"].is_number(), "{}", lines[2]);
}

/// Tickets of a small shop: two teams, a mood of the day, and chatter that is nobody's.
fn shop(rows: usize) -> String {
    let kinds = [
        (
            "the {} on my bicycle is broken",
            "workshop",
            ["chain", "brake", "wheel", "pedal", "bell"],
        ),
        (
            "how much does a {} cost in your shop",
            "sales",
            ["helmet", "lock", "pump", "light", "bag"],
        ),
        ("tell me a story about a {}", "other", ["dragon", "whale", "queen", "robot", "ghost"]),
    ];
    let mut csv = "ticket,team,mood\n".to_owned();
    for row in 0..rows {
        let (pattern, team, words) = &kinds[row % kinds.len()];
        let word = words[(row / kinds.len()) % words.len()];
        let text = pattern.replace("{}", word);
        let mood = if row % 2 == 0 { "bad" } else { "good" };
        let feeling = if row % 2 == 0 { "this is awful" } else { "this is wonderful" };
        csv.push_str(&format!("\"{text}, {feeling}, number {row}\",{team},{mood}\n"));
    }
    csv
}

#[test]
fn train_evaluate_and_classify_go_round() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path().join("shop.csv"), dir.path().join("bikes"));
    fs::write(&data, shop(150)).unwrap();
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    let labels =
        ["--label", "intent=team", "--label", "mood=mood", "--out-of-scope-label", "other"];
    let common = ["--format", "json", "--data", data, "--text-column", "ticket"];
    let trained = json(&evenhand(&[&["train", "--out", out], &common[..], &labels[..]].concat()));
    assert!(trained["seconds"].is_number());
    assert!(trained["mood"]["accuracy"].as_f64().unwrap() > 0.9, "{trained}");

    let segment = ["--segment", "mood"];
    let measured = json(&evenhand(
        &[&["evaluate", "--model", out], &common[..], &labels[..], &segment[..]].concat(),
    ));
    let intent = &measured["intent"];
    assert_eq!(intent["rows"], 100);
    for key in ["accuracy", "macro_f1", "oos_auroc", "oos_recall", "in_scope_accuracy"] {
        assert!(intent[key].as_f64().unwrap() > 0.9, "{key} in {intent}");
    }
    assert!(intent["ece_15"].is_number() && intent["nll"].is_number());
    assert!(intent["per_class"]["sales"]["f1"].is_number());
    assert!(measured["tickets_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(measured["segments"]["good"]["intent"]["rows"], 50);

    let read = json(&evenhand(&[
        "classify",
        "--format",
        "json",
        "--model",
        out,
        "--text",
        "the saddle on my bicycle is broken",
    ]));
    assert_eq!((&read["intent"], &read["model"]), (&"workshop".into(), &"bikes-1".into()));
    // Heads that were not trained are those of the shipped model.
    assert_eq!(read["urgency"], "normal");
}

/// Tickets of the same shop that ask for one thing, for both, or for nothing the shop does.
fn mixed(rows: usize) -> String {
    let (broken, price) = (["chain", "brake", "wheel", "bell"], ["helmet", "lock", "pump", "bag"]);
    let mut csv = "ticket,teams\n".to_owned();
    for row in 0..rows {
        let (broken, price) = (broken[row / 4 % 4], price[row / 7 % 4]);
        let repair = format!("the {broken} on my bicycle is broken");
        let offer = format!("how much does a {price} cost in your shop");
        let (text, teams) = match row % 4 {
            0 => (repair, "workshop"),
            1 => (offer, "sales"),
            2 => (format!("{repair} and {offer}"), "sales | workshop"),
            _ => (format!("tell me a story about a dragon and a {broken}"), ""),
        };
        csv.push_str(&format!("\"{text}, number {row}\",{teams}\n"));
    }
    csv
}

/// A ticket that asks for both.
const BOTH: &str = "the wheel on my bicycle is broken and how much does a lock cost in your shop";

#[test]
fn several_intents_of_one_ticket_are_learned_measured_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path().join("mixed.csv"), dir.path().join("mixed"));
    fs::write(&data, mixed(160)).unwrap();
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    let file = ["--format", "json", "--data", data, "--text-column", "ticket"];
    let labels = ["--label", "intent=teams", "--several", "intent=|"];
    let trained = json(&evenhand(&[&["train", "--out", out], &file[..], &labels[..]].concat()));
    assert!(trained["intent"]["micro_f1"].as_f64().unwrap() > 0.9, "{trained}");

    let measured =
        json(&evenhand(&[&["evaluate", "--model", out], &file[..], &labels[..]].concat()));
    let intent = &measured["intent"];
    assert_eq!(intent["rows"], 160);
    assert_eq!(intent["per_class"]["workshop"]["rows"], 80);
    for key in ["accuracy", "macro_f1", "micro_f1"] {
        assert!(intent[key].as_f64().unwrap() > 0.9, "{key} in {intent}");
    }
    assert_eq!(intent["accuracy_interval"]["low"].as_f64().map(|low| low > 0.8), Some(true));

    // Two intents that are both sure keep their order: neither probability is rounded to one.
    let sure = json(&evenhand(&["classify", "--format", "json", "--model", out, "--text", BOTH]));
    let probability = |rank: usize| sure["intents"][rank]["probability"].as_f64().unwrap();
    assert!(probability(0) < 1.0 && probability(0) > probability(1), "{sure}");

    let present = |text: &str| {
        let read =
            json(&evenhand(&["classify", "--format", "json", "--model", out, "--text", text]));
        let intents = read["intents"].as_array().unwrap().iter();
        let there = intents.filter(|intent| intent["present"] == true);
        let mut there: Vec<_> = there.map(|i| i["intent"].as_str().unwrap().to_owned()).collect();
        there.sort();
        (there, read["out_of_scope"] == true)
    };
    assert_eq!(present(BOTH), (vec!["sales".to_owned(), "workshop".to_owned()], false));
    assert_eq!(present("the saddle on my bicycle is broken").0, ["workshop"]);
    assert_eq!(present("tell me a story about a dragon and a queen"), (vec![], true));
}

#[test]
fn several_labels_are_refused_where_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("mixed.csv");
    fs::write(&data, mixed(8)).unwrap();
    let data = data.to_str().unwrap();
    let common = ["train", "--data", data, "--text-column", "ticket", "--label", "intent=teams"];
    for (several, said) in [
        ("team=|", "--several names the head team; --label has intent"),
        ("sentiment=|", "a text has one sentiment and one urgency"),
        ("intent=", "expected HEAD=SEPARATOR"),
    ] {
        let more = ["--several", several, "--out", "/nowhere"];
        let output = evenhand(&[&common[..], &more[..]].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn wrong_labels_and_columns_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("shop.csv");
    fs::write(&data, shop(30)).unwrap();
    let data = data.to_str().unwrap();
    for (label, said) in [
        ("intent=group", "no column group; there are ticket, team, mood"),
        ("sentiment=mood", "allowed are very_negative, negative, neutral, positive, very_positive"),
        ("intent", "expected HEAD=COLUMN"),
    ] {
        let output = evenhand(&[
            "train",
            "--data",
            data,
            "--text-column",
            "ticket",
            "--label",
            label,
            "--out",
            "/nowhere",
        ]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

/// An encoder of two thin layers with seeded weights, and a tokenizer that knows the letters.
fn tiny() -> Base {
    let mut vocabulary: BTreeMap<String, usize> = BTreeMap::new();
    let letters = ('a'..='z').flat_map(|c| [c.to_string(), format!("##{c}")]);
    for word in ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(str::to_owned).into_iter().chain(letters) {
        vocabulary.insert(word, vocabulary.len());
    }
    let special = |word: &str| serde_json::json!({"SpecialToken": {"id": word, "type_id": 0}});
    let known =
        |word: &str, id: usize| serde_json::json!({"id": word, "ids": [id], "tokens": [word]});
    let tokenizer = serde_json::json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, special("[SEP]")],
            "pair": [special("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, special("[SEP]")],
            "special_tokens": {"[CLS]": known("[CLS]", 2), "[SEP]": known("[SEP]", 3)},
        },
        "decoder": null,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 50,
            "vocab": vocabulary,
        },
    });
    let config = EncoderConfig {
        layers: 2,
        hidden: 16,
        attention_heads: 2,
        intermediate: 32,
        vocabulary: vocabulary.len(),
        positions: 32,
        layer_norm_eps: 1e-12,
    };
    let mut state = 1_u32;
    let mut draw = || {
        // Numerical Recipes' generator: a seeded draw is all that is wanted.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap()) / 65_536.0 - 0.5
    };
    let weights = config.weights().into_iter().map(|(name, shape)| {
        let count = shape.iter().product();
        let values: Vec<f32> = match name.as_str() {
            name if name.contains("norm.weight") => vec![1.0; count],
            name if name.ends_with("bias") => vec![0.0; count],
            _ => (0..count).map(|_| draw()).collect(),
        };
        (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
    });
    let weights = weights.collect();
    Base {
        config,
        weights,
        tokenizer: tokenizer.to_string().into_bytes(),
        tokens_max: 32,
        languages: vec!["en".to_owned()],
        file: None,
    }
}

/// Texts of vowels and texts of consonants; every tenth is neither.
fn letters() -> (Vec<String>, Task) {
    let (mut texts, mut targets) = (Vec::new(), Vec::new());
    for row in 0..200_usize {
        let pool = if row % 2 == 0 { "aeiou" } else { "bcdfg" };
        let text: String =
            (0..6).map(|k| pool.as_bytes()[(row * 7 + k * (row / 5 + 1)) % 5] as char).collect();
        texts.push(text);
        targets.push(if row % 10 == 9 {
            Target::Outside
        } else {
            Target::Label(u32::try_from(row % 2).unwrap())
        });
    }
    (texts, Task::new(Goal::Label(2), targets))
}

/// Fine-tunes the tiny encoder on letters.
fn tune(
    checkpoint: PathBuf,
    progress: impl FnMut(finetune::Progress),
) -> anyhow::Result<finetune::Finetuned> {
    let (texts, task) = letters();
    let base = tiny();
    let rows: Vec<u32> = (0..200).collect();
    let (train, held_out) = rows.split_at(160);
    let tokens = base.tokens(texts.iter().map(String::as_str)).unwrap();
    let mut tasks = [task];
    let heads = start(&base, &tokens, &mut tasks, train, 7, |_, _| {}).unwrap();
    let recipe = Recipe { passes: 4, rate: 1e-3, ..Recipe::default() };
    let plan = FinetunePlan { recipe, seed: 7, stop_after: None, checkpoint };
    let pools = [Pool::whole(train)];
    let material = Material { tokens: &tokens, train: &pools, held_out };
    finetune(&plan, base, heads, &tasks, material, progress)
}

#[test]
fn fine_tuning_learns_several_labels_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..200_usize)
        .map(|row| {
            let letter =
                |of: &str, k: usize| of.as_bytes()[(row * 7 + k * (row / 5 + 1)) % 5] as char;
            // Vowels, late letters, both or neither.
            let of = |k: usize| match (row % 4, k % 2) {
                (0, _) | (2, 0) => letter("aeiou", k),
                (1, _) | (2, _) => letter("vwxyz", k),
                _ => letter("bcdfg", k),
            };
            (0..6).map(of).collect()
        })
        .collect();
    let labels = [vec![0], vec![1], vec![0, 1], vec![]];
    let targets = (0..200).map(|row| Target::Labels(labels[row % 4].clone())).collect();
    let mut tasks = [Task { taught: false, ..Task::new(Goal::Labels(2), targets) }];
    let base = tiny();
    let tokens = base.tokens(texts.iter().map(String::as_str)).unwrap();
    let (train, held_out): (Vec<u32>, Vec<u32>) = ((0..160).collect(), (160..200).collect());
    let heads = start(&base, &tokens, &mut tasks, &train, 7, |_, _| {}).unwrap();
    let recipe = Recipe { passes: 4, rate: 1e-3, ..Recipe::default() };
    let checkpoint = dir.path().join("checkpoint");
    let plan = FinetunePlan { recipe, seed: 7, stop_after: None, checkpoint };
    let pools = [Pool::whole(&train)];
    let material = Material { tokens: &tokens, train: &pools, held_out: &held_out };
    let mut losses = Vec::new();
    let learn = |progress: finetune::Progress| losses.extend(progress.held_out_loss);
    finetune(&plan, base, heads, &tasks, material, learn).unwrap();
    let last = *losses.last().unwrap();
    // Two labels known surely leave nothing; two coins leave 2 ln 2 = 1.39.
    assert!(last < 0.5 && last < losses[0], "{losses:?}");
}

#[test]
fn fine_tuning_learns_and_goes_on_where_it_was_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let mut losses = Vec::new();
    let whole = tune(dir.path().join("whole"), |progress| losses.extend(progress.held_out_loss));
    let whole = whole.unwrap();
    assert!(losses.last().unwrap() < &(0.9 * losses[0]), "{losses:?}");
    assert!(!dir.path().join("whole").exists(), "the checkpoint is cleared away");

    let interrupted = catch_unwind(AssertUnwindSafe(|| {
        tune(dir.path().join("parts"), |progress| {
            assert!(progress.steps.0 < 60, "the power fails");
        })
    }));
    assert!(interrupted.is_err());
    let parts = tune(dir.path().join("parts"), |progress| {
        assert!(progress.steps.0 > 50, "two passes were done");
    });
    let parts = parts.unwrap();
    assert_eq!(whole.heads, parts.heads, "bit for bit");
    for (name, weight) in &whole.base.weights {
        let gap = (weight - &parts.base.weights[name]).unwrap().abs().unwrap().max_all().unwrap();
        assert!(gap.to_scalar::<f32>().unwrap() == 0.0, "{name}");
    }
    assert!(
        whole.base.weights["layers.0.up.weight"].to_vec2::<f32>().unwrap()
            != tiny().weights["layers.0.up.weight"].to_vec2::<f32>().unwrap()
    );
}
