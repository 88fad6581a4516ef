//! Encoders from elsewhere: taken when our arithmetic is theirs, refused with the reason when not.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use candle_core::Device;
use evenhand::classifier::{
    Manifest, Model, ModelError,
    artifact::{MANIFEST, TOKENIZER},
    encoder::Encoder,
    features::{Features, View},
    tokenize::{TextTokenizer, Tokens},
    train::base::{Base, Foreign},
};
use evenhand_kernels::{Precision, precision};
use safetensors::SafeTensors;
use serde_json::Value;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders")
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn write_json(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).unwrap();
}

fn expected(kind: &str) -> Value {
    json_of(&fixtures().join("expected.json"))[kind].clone()
}

/// A folder of one kind that a test may change.
fn folder(kind: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let from = if kind == "camembert" { "xlm-roberta" } else { kind };
    for entry in fs::read_dir(fixtures().join(from)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let tokenizer = expected(kind)["tokenizer"].as_str().unwrap().to_owned();
    let tokenizer = fixtures().join(format!("{tokenizer}.json"));
    fs::copy(tokenizer, dir.path().join(TOKENIZER)).unwrap();
    if kind != from {
        configure(dir.path(), "model_type", kind.into());
    }
    dir
}

fn configure(dir: &Path, key: &str, value: Value) {
    change(&dir.join("config.json"), |config| config[key] = value);
}

fn change(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = json_of(path);
    change(&mut value);
    write_json(path, &value);
}

/// Fails unless an encoder gives the expected tokens and vectors of its kind.
fn assert_agrees(base: Base, kind: &str) {
    let expected = expected(kind);
    let cases = expected["texts"].as_array().unwrap();
    let tokenizer = TextTokenizer::new(&base.tokenizer, base.tokens_max).unwrap();
    let mut tokens: Vec<Tokens> = cases
        .iter()
        .map(|case| tokenizer.encode(case["text"].as_str().unwrap()).unwrap())
        .collect();
    assert!(
        tokens[cases.len() - 1].windows().len() > 1,
        "{kind}: the last text fills all positions"
    );
    for (tokens, case) in tokens.iter_mut().zip(cases) {
        let ids: Vec<u32> = serde_json::from_value(case["tokens"].clone()).unwrap();
        // A text longer than the positions we read in windows; the others cut it.
        if tokens.windows().len() > 1 {
            *tokens = Tokens::whole(&ids);
        }
        assert_eq!(tokens, &Tokens::whole(&ids), "{kind}: {}", case["text"]);
    }
    let all: Vec<&Tokens> = tokens.iter().collect();
    // Operands of eight bits, where the processor is best at those, leave two to three digits.
    for (precision, tolerance) in [(Precision::Full, 1e-4), (precision(), 1e-2)] {
        let encoder = Encoder::with(precision, base.config.clone(), &base.weights, false).unwrap();
        let features = Features::encode(&encoder, &all, &Device::Cpu, |_| {}).unwrap();
        let ours = features.view(View::Last).to_vec2::<f32>().unwrap();
        assert_near(&ours, cases, tolerance, kind);
    }
}

fn assert_near(ours: &[Vec<f32>], cases: &[Value], tolerance: f64, kind: &str) {
    for (ours, case) in ours.iter().zip(cases) {
        let mean: Vec<f64> =
            case["mean"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert_eq!(ours.len(), mean.len());
        for (a, b) in ours.iter().zip(&mean) {
            let gap = (f64::from(*a) - b / length).abs();
            assert!(gap < tolerance, "{kind}: {} differs by {gap}", case["text"]);
        }
    }
}

#[test]
fn every_kind_of_encoder_agrees_with_an_independent_implementation() {
    for kind in ["bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"] {
        let base = Base::read(folder(kind).path(), &Device::Cpu).unwrap();
        let unused = if ["camembert", "roberta", "xlm-roberta"].contains(&kind) { 2 } else { 0 };
        assert_eq!(base.config.positions, 34 - unused, "{kind}");
        assert_agrees(base, kind);
    }
}

#[test]
fn names_of_old_checkpoints_are_known() {
    let dir = folder("bert");
    let path = dir.path().join(WEIGHTS);
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let old = |name: &str| {
        let name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
        format!("bert.{}", name.replace("LayerNorm.bias", "LayerNorm.beta"))
    };
    let tensors = file.tensors().into_iter().map(|(name, view)| (old(&name), view));
    let renamed = safetensors::serialize(tensors, None).unwrap();
    fs::write(&path, renamed).unwrap();
    assert_agrees(Base::read(dir.path(), &Device::Cpu).unwrap(), "bert");
}

#[test]
fn a_tokenizer_that_pads_cuts_and_drops_merges_is_made_steady() {
    let dir = folder("roberta");
    change(&dir.path().join(TOKENIZER), |tokenizer| {
        tokenizer["model"]["dropout"] = 0.9.into();
        tokenizer["truncation"] = serde_json::json!({
            "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0
        });
    });
    assert_agrees(Base::read(dir.path(), &Device::Cpu).unwrap(), "roberta");
}

#[test]
fn what_loading_takes_is_known_before_it() {
    let foreign = Foreign::open(folder("roberta").path()).unwrap();
    let (weights, bytes) = (foreign.weights(), foreign.memory_bytes());
    assert!(bytes > 4 * weights);
    let dir = folder("roberta");
    let base = Base::read(dir.path(), &Device::Cpu).unwrap();
    assert_eq!(base.weights.values().map(|weight| weight.elem_count()).sum::<usize>(), weights);
}

/// Returns why a folder is refused, without the folder's own path.
fn refusal(dir: &Path) -> String {
    let error = Base::read(dir, &Device::Cpu).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(&dir.display().to_string()), "names no file: {error}");
    error.replace(&format!("{}/", dir.display()), "")
}

#[test]
fn configurations_of_other_arithmetic_are_refused_by_key() {
    let count = "allowed are whole numbers from 1 to 2147483647";
    let kinds = "allowed are bert, camembert, distilbert, electra, roberta, xlm-roberta";
    let missing = Value::Null;
    for (kind, key, value, said) in [
        (
            "bert",
            "model_type",
            "mpnet".into(),
            format!("model_type is \"mpnet\"; {kinds} (its att"),
        ),
        ("bert", "model_type", "gpt2".into(), format!("model_type is \"gpt2\"; {kinds}")),
        ("bert", "model_type", missing.clone(), format!("model_type is missing; {kinds}")),
        ("bert", "hidden_act", "gelu_new".into(), "is \"gelu_new\"; allowed is \"gelu\"".into()),
        ("distilbert", "activation", "relu".into(), "is \"relu\"; allowed is \"gelu\"".into()),
        ("bert", "hidden_size", "16".into(), format!("hidden_size is \"16\"; {count}")),
        ("bert", "hidden_size", missing.clone(), format!("hidden_size is missing; {count}")),
        ("bert", "num_hidden_layers", 0.into(), format!("num_hidden_layers is 0; {count}")),
        ("bert", "intermediate_size", 1.5.into(), format!("intermediate_size is 1.5; {count}")),
        ("distilbert", "n_heads", 3.into(), "dim is 16 and n_heads is 3; allowed are heads".into()),
        ("electra", "embedding_size", 8.into(), "embedding_size is 8 and hidden_size is 16".into()),
        ("bert", "layer_norm_eps", 0.into(), "is 0; allowed are numbers above 0, up to 1".into()),
        ("bert", "is_decoder", true.into(), "is_decoder is true; allowed is false".into()),
        (
            "bert",
            "position_embedding_type",
            "relative_key".into(),
            "position_embedding_type is \"relative_key\"; allowed is \"absolute\"".into(),
        ),
        (
            "roberta",
            "max_position_embeddings",
            4.into(),
            "max_position_embeddings is 4; allowed are whole numbers from 5".into(),
        ),
        ("roberta", "pad_token_id", missing, "pad_token_id is missing; allowed are whole".into()),
    ] {
        let dir = folder(kind);
        configure(dir.path(), key, value);
        let error = refusal(dir.path());
        assert!(error.starts_with("config.json: ") && error.contains(&said), "{key}: {error}");
    }
}

#[test]
fn weights_that_do_not_fit_the_configuration_are_refused_by_name() {
    for (kind, key, value, said) in [
        ("bert", "num_hidden_layers", 3, "weight encoder.layer.2.attention.self.query.weight is"),
        (
            "bert",
            "vocab_size",
            131,
            "embeddings.word_embeddings.weight has shape [130, 16], config.json says [131, 16]",
        ),
        (
            "roberta",
            "intermediate_size",
            25,
            "weight roberta.encoder.layer.0.intermediate.dense.weight has shape [24, 16], \
             config.json says [25, 16]",
        ),
        (
            "distilbert",
            "max_position_embeddings",
            36,
            "weight distilbert.embeddings.position_embeddings.weight has shape [34, 16]",
        ),
        (
            "electra",
            "type_vocab_size",
            1,
            "weight electra.embeddings.token_type_embeddings.weight has shape [2, 16]",
        ),
    ] {
        let dir = folder(kind);
        configure(dir.path(), key, value.into());
        let error = refusal(dir.path());
        assert!(error.contains(said), "{key}: {error}");
    }
}

/// Writes bytes over the first ones of a weight.
fn overwrite(path: &Path, name: &str, bytes: &[u8]) {
    let mut file = fs::read(path).unwrap();
    let at = {
        let tensors = SafeTensors::deserialize(&file).unwrap();
        tensors.tensor(name).unwrap().data().as_ptr().addr() - file.as_ptr().addr()
    };
    file[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(path, file).unwrap();
}

#[test]
fn weights_with_numbers_that_are_none_are_refused_by_name() {
    let dir = folder("bert");
    let name = "encoder.layer.1.output.dense.weight";
    let two = [f32::NAN.to_le_bytes(), f32::NEG_INFINITY.to_le_bytes()].concat();
    overwrite(&dir.path().join(WEIGHTS), name, &two);
    let error = refusal(dir.path());
    assert!(error.contains(&format!("weight {name} has 2 numbers that are infinite")), "{error}");

    // In half precision, in a part.
    let dir = folder("roberta");
    let name = "roberta.encoder.layer.0.attention.self.key.bias";
    let index = json_of(&dir.path().join(INDEX));
    let part = index["weight_map"][name].as_str().unwrap().to_owned();
    overwrite(&dir.path().join(&part), name, &0x7c00_u16.to_le_bytes());
    let error = refusal(dir.path());
    assert!(error.starts_with(&format!("{part}: weight {name} has 1 numbers")), "{error}");
}

#[test]
fn weights_of_another_type_are_refused_by_name() {
    let dir = folder("bert");
    let path = dir.path().join(WEIGHTS);
    let mut bytes = fs::read(&path).unwrap();
    let entry = br#""embeddings.LayerNorm.bias":{"dtype":"F"#;
    let at = bytes.windows(entry.len()).position(|window| window == entry).unwrap();
    bytes[at + entry.len() - 1] = b'I';
    fs::write(&path, bytes).unwrap();
    let error = refusal(dir.path());
    let said = "weight embeddings.LayerNorm.bias has type I32; allowed are F32, F16, BF16";
    assert!(error.contains(said), "{error}");
}

#[test]
fn weights_that_cannot_be_read_are_refused_with_the_way_out() {
    let dir = folder("bert");
    fs::rename(dir.path().join(WEIGHTS), dir.path().join("pytorch_model.bin")).unwrap();
    let error = refusal(dir.path());
    assert!(error.starts_with("pytorch_model.bin: is not read"), "{error}");
    assert!(error.contains("allowed is model.safetensors; convert it"), "{error}");
    assert!(error.contains(".save_pretrained("), "{error}");
    fs::remove_file(dir.path().join("pytorch_model.bin")).unwrap();
    assert!(refusal(dir.path()).starts_with("model.safetensors: "));

    let dir = folder("bert");
    let bytes = fs::read(dir.path().join(WEIGHTS)).unwrap();
    for cut in [4, 100, bytes.len() - 1] {
        fs::write(dir.path().join(WEIGHTS), &bytes[..cut]).unwrap();
        let error = refusal(dir.path());
        assert!(error.starts_with("model.safetensors: not a safetensors file"), "{cut}: {error}");
    }
}

#[test]
fn an_index_names_parts_that_are_there_and_nothing_outside() {
    let name = "roberta.embeddings.word_embeddings.weight";
    for (part, said) in [
        ("../model.safetensors", "weight_map names \"../model.safetensors\"; allowed are files of"),
        ("/model.safetensors", "allowed are files of the same folder"),
        ("model-00003-of-00003.safetensors", "is not in model-00003-of-00003.safetensors"),
        ("model-00004-of-00003.safetensors", "model-00004-of-00003.safetensors: No such file"),
    ] {
        let dir = folder("roberta");
        change(&dir.path().join(INDEX), |index| index["weight_map"][name] = part.into());
        let error = refusal(dir.path());
        assert!(error.contains(said), "{part}: {error}");
    }
}

#[test]
fn tokenizers_that_do_not_fit_are_refused_with_the_reason() {
    let with = |change_it: fn(&mut Value)| {
        let dir = folder("bert");
        change(&dir.path().join(TOKENIZER), change_it);
        refusal(dir.path())
    };
    let error = with(|tokenizer| tokenizer["post_processor"] = Value::Null);
    assert!(error.starts_with("tokenizer.json: adds no special tokens before and"), "{error}");
    assert!(error.contains("[CLS] and [SEP] or <s> and </s>"), "{error}");
    // Only a closing one.
    let error = with(|tokenizer| {
        let single = tokenizer["post_processor"]["single"].as_array_mut().unwrap();
        single.remove(0);
    });
    assert!(error.contains("adds no special tokens before and after"), "{error}");
    let error = with(|tokenizer| tokenizer["model"]["unk_token"] = "[NONE]".into());
    assert!(error.contains("cannot encode a letter it does not know"), "{error}");
    let error = with(|tokenizer| tokenizer["model"]["type"] = "Syllables".into());
    assert!(error.starts_with("tokenizer.json: "), "{error}");

    let dir = folder("bert");
    fs::copy(fixtures().join("bytes.json"), dir.path().join(TOKENIZER)).unwrap();
    let error = refusal(dir.path());
    let said =
        "numbers its tokens up to 319; the encoder has 130 word embeddings, allowed is up to 129";
    assert!(error.contains(said), "{error}");

    for file in ["vocab.txt", "sentencepiece.bpe.model"] {
        let dir = folder("bert");
        fs::rename(dir.path().join(TOKENIZER), dir.path().join(file)).unwrap();
        let error = refusal(dir.path());
        let said = format!("{file}: is not read without tokenizer.json, which also says how");
        assert!(error.starts_with(&said) && error.contains("AutoTokenizer"), "{error}");
        fs::remove_file(dir.path().join(file)).unwrap();
        assert!(refusal(dir.path()).starts_with("tokenizer.json: "));
    }
}

fn evenhand(args: &[&str]) -> Output {
    // One thread: several tests run at once.
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
    command.env("RAYON_NUM_THREADS", "1").args(args).output().unwrap()
}

fn train(encoder: &Path, out: &Path, more: &[&str]) -> Output {
    let data = out.with_extension("csv");
    let mut csv = "ticket,team\n".to_owned();
    for row in 0..40 {
        let (text, team) = [("refund my money", "billing"), ("wo ist mein paket", "post")][row % 2];
        csv.push_str(&format!("{text} {row},{team}\n"));
    }
    fs::write(&data, csv).unwrap();
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    let common = ["train", "--data", data, "--text-column", "ticket", "--label", "intent=team"];
    let places = ["--encoder", encoder.to_str().unwrap(), "--out", out];
    evenhand(&[&common[..], &places[..], more].concat())
}

#[test]
fn a_model_reads_the_languages_that_its_user_declares() {
    let (encoder, dir) = (folder("xlm-roberta"), tempfile::tempdir().unwrap());
    let languages = |out: &Path| {
        let manifest: Manifest =
            toml::from_str(&fs::read_to_string(out.join(MANIFEST)).unwrap()).unwrap();
        manifest.languages
    };
    let done = |output: Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let plain = dir.path().join("plain");
    done(train(encoder.path(), &plain, &[]));
    assert_eq!(languages(&plain), ["en"]);
    let first = dir.path().join("first");
    done(train(encoder.path(), &first, &["--languages", "en,de,en"]));
    assert_eq!(languages(&first), ["de", "en"]);
    // What is trained from it reads what it reads, and keeps its encoder's file.
    let second = dir.path().join("second");
    done(train(&first, &second, &[]));
    assert_eq!(languages(&second), ["de", "en"]);

    let texts = [
        "Wo ist meine Bestellung? Ich möchte sie stornieren.",
        "I would like to cancel my order, please.",
        "Bonjour, où est ma commande ?",
    ];
    let supported = |out: &Path| -> Vec<bool> {
        let readings = Model::load(out).unwrap().read_texts(&texts).unwrap();
        assert_eq!(readings[0].language.as_deref(), Some("de"));
        readings.iter().map(|reading| reading.language_supported).collect()
    };
    assert_eq!(supported(&second), [true, true, false]);
    assert_eq!(supported(&plain), [false, true, false]);
    assert_eq!(Model::load(&second).unwrap().info().languages, ["de", "en"]);
}

#[test]
fn languages_that_are_none_are_refused_with_those_that_are() {
    let (encoder, dir) = (folder("xlm-roberta"), tempfile::tempdir().unwrap());
    let out = dir.path().join("own");
    for wrong in ["english", "en,DE", "xx"] {
        let output = train(encoder.path(), &out, &["--languages", wrong]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("ISO 639-1 codes, two small letters: af, ak, am"), "{error}");
    }
    assert!(train(encoder.path(), &out, &[]).status.success());
    let path = out.join(MANIFEST);
    let manifest = fs::read_to_string(&path).unwrap();
    let with = |languages: &str| {
        fs::write(&path, manifest.replace("languages = [\"en\"]", languages)).unwrap();
        Model::load(&out).map(|_| ()).unwrap_err()
    };
    let error = with("languages = [\"english\"]");
    assert!(matches!(error, ModelError::Invalid { .. }), "{error}");
    assert!(error.to_string().contains("languages: \"english\" is no language"), "{error}");
    assert!(with("languages = []").to_string().contains("languages is empty; allowed is at least"));
}

#[test]
fn a_refused_encoder_is_a_wrong_argument() {
    let (encoder, dir) = (folder("bert"), tempfile::tempdir().unwrap());
    configure(encoder.path(), "model_type", "mpnet".into());
    let output = train(encoder.path(), &dir.path().join("own"), &[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("model_type is \"mpnet\"") && !dir.path().join("own").exists());
}

#[test]
fn an_encoder_from_elsewhere_learns_too_and_reads_what_it_learned() {
    let (encoder, out) = (folder("bert"), tempfile::tempdir().unwrap());
    let mut rows = "text,team\n".to_owned();
    for word in 0..40 {
        rows += &format!("where is my parcel {word},delivery\nmy parcel {word} is here,thanks\n");
    }
    let (data, model) = (out.path().join("rows.csv"), out.path().join("model"));
    fs::write(&data, rows).unwrap();
    let run = |args: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
        let output = command.args(["--format", "json"]).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (data, model, encoder) = (path(&data), path(&model), path(encoder.path()));
    let told = ["--data", &data, "--text-column", "text", "--label", "intent=team"];
    let trained =
        run(&[&["train", "--full", "--encoder", &encoder, "--out", &model], &told[..]].concat());
    assert!(trained["intent"]["accuracy"].as_f64().unwrap() > 0.9, "{trained}");
    assert!(trained["intent"]["rows"].as_u64().unwrap() >= 8, "{trained}");
    let read = run(&["classify", "--model", &model, "--text", "where is my parcel 7"]);
    assert_eq!(read["intent"], "delivery", "{read}");
    assert!(!Path::new(&model).join("checkpoint").exists(), "nothing is left lying about");
}
