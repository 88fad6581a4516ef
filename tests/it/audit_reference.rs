//! Every value of the fairness reference, through the reading of files, against the whole audit.
//!
//! `tests/fixtures/fairness/README.md` says which libraries computed them, and defines each. Statistics
//! must agree to a relative 1e-9; probabilities and ends of intervals to 1e-6; the rest exactly.

use std::{collections::BTreeMap, fs, io::Write, path::PathBuf};

use evenhand::{
    cli::decisions,
    fairness::audit::{PairMeasures, Request, audit},
};
use serde_json::Value;

/// What has the wider tolerance, by the beginning of its name.
const PROBABILITIES: [&str; 10] = [
    "adjusted",
    "beta_binomial",
    "ci95",
    "fisher_p",
    "ks_p",
    "mwu_p",
    "newcombe95",
    "normal_mixture",
    "raw",
    "z_p",
];
/// Blocks of the reference that show what libraries do, and are not ours.
const FOREIGN: [&str; 2] = ["aif360", "fairlearn"];
/// Where the reference has a rounding error in place of nothing.
const ROUNDING: f64 = 1e-15;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fairness").join(name)
}

fn expected(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// Audits a file as the command does.
fn audited(path: &std::path::Path, attributes: &[&str], request: Request) -> Value {
    let names: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let read = decisions::read(path, &names).unwrap();
    serde_json::to_value(audit(&read.log, &request).unwrap()).unwrap()
}

/// Compares everything that is expected; returns how many values that were.
fn compare(found: &Value, expected: &Value, path: &str) -> usize {
    match expected {
        Value::Object(fields) => {
            let ours = fields.iter().filter(|(name, _)| !FOREIGN.contains(&name.as_str()));
            ours.map(|(name, field)| compare(&found[name], field, &format!("{path}/{name}"))).sum()
        }
        Value::Array(items) => {
            assert_eq!(found.as_array().map(Vec::len), Some(items.len()), "{path}: {found}");
            let items = items.iter().enumerate();
            items.map(|(at, item)| compare(&found[at], item, &format!("{path}/{at}"))).sum()
        }
        Value::Number(number) if number.is_f64() => {
            let (expected, found) = (number.as_f64().unwrap(), found.as_f64());
            let found = found.unwrap_or_else(|| panic!("{path}: nothing, not {expected}"));
            let wide = |part: &str| {
                part == "p"
                    || part.contains("wilson95")
                    || PROBABILITIES.iter().any(|p| part.starts_with(p))
            };
            let tolerance = if path.split('/').any(wide) { 1e-6 } else { 1e-9 };
            let distance = (found - expected).abs();
            let near = distance <= tolerance * expected.abs() + ROUNDING;
            assert!(near, "{path}: {found}, not {expected}");
            1
        }
        exact => {
            assert_eq!(found, exact, "{path}");
            1
        }
    }
}

#[test]
fn the_small_log_and_the_pairs_are_those_of_the_reference() {
    let request = Request {
        attributes: vec![0, 1],
        intersections: vec![vec![0, 1]],
        wait_times_secs: vec![60, 300, 600, 900],
        wait_horizon_secs: 1200,
        looks: vec![3, 5, 10],
        declared: BTreeMap::new(),
    };
    let mut all = expected("tiny_expected.json");
    let pairs = all.as_object_mut().unwrap().remove("counterfactual_pairs").unwrap();
    all["meta"].as_object_mut().unwrap().remove("versions");
    let found = audited(&fixture("tiny.csv"), &["language", "plan"], request);
    assert_eq!(compare(&found, &all, ""), 1217);
    let read = decisions::read_pairs(&fixture("tiny_pairs.csv")).unwrap();
    let found = serde_json::to_value(PairMeasures::of(&read)).unwrap();
    assert_eq!(compare(&found, &pairs, "pairs"), 54);
}

#[test]
fn every_edge_case_is_that_of_the_reference() {
    let text = fs::read_to_string(fixture("edge.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let all = expected("edge_expected.json");
    let mut compared = 0;
    for (case, report) in all["cases"].as_object().unwrap() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{header}").unwrap();
        let own = format!("{case},");
        for row in rows.lines().filter(|row| row.starts_with(&own)) {
            writeln!(file, "{row}").unwrap();
        }
        let declared = &all["meta"]["declared_groups"][case];
        let declared: Vec<String> = serde_json::from_value(declared.clone()).unwrap_or_default();
        let request = Request {
            attributes: vec![0],
            wait_times_secs: vec![60, 300],
            wait_horizon_secs: 400,
            declared: [(0, declared)].into(),
            ..Request::default()
        };
        let found = audited(file.path(), &["grp"], request);
        compared += compare(&found["attributes"]["grp"], report, case);
    }
    assert_eq!(compared, 5052);
}

#[test]
fn a_made_log_of_400_tickets_is_what_the_generator_of_the_reference_says() {
    let request = Request {
        attributes: vec![0, 1, 2],
        intersections: vec![vec![0, 3], vec![0, 1, 3]],
        wait_times_secs: vec![0, 60, 600],
        wait_horizon_secs: 900,
        looks: vec![1, 10, 100],
        declared: [(1, vec!["none".to_owned()])].into(),
    };
    let found = audited(&fixture("made.csv"), &["language", "age", "rare", "plan"], request);
    let compared = compare(&found, &expected("made_expected.json"), "");
    assert!(compared > 2_500, "{compared}");
}
