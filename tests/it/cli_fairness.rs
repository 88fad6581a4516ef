//! `evenhand fairness`, run as people run it.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

fn fixture(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fairness");
    folder.join(name).display().to_string()
}

fn fairness(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
    command.arg("fairness").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_data_has_the_names_that_programs_look_for() {
    let (tiny, pairs) = (fixture("tiny.csv"), fixture("tiny_pairs.csv"));
    let arguments = [
        "--data",
        &tiny,
        "--attribute",
        "language",
        "--intersect",
        "language,plan",
        "--declared",
        "language=fr",
        "--pairs",
        &pairs,
        "--format",
        "json",
    ];
    let data: Value = serde_json::from_str(&stdout(&fairness(&arguments))).unwrap();
    let language = &data["attributes"]["language"];
    for block in [
        "groups",
        "strict",
        "four_fifths",
        "ll144",
        "chi2",
        "wait_tests",
        "service_rates",
        "suppression",
        "anytime",
        "bh_family",
        "overall",
        "n_unknown",
    ] {
        assert!(!language[block].is_null(), "{block}");
    }
    assert_eq!(language["groups"]["fr"]["n"], 0);
    assert!(language["groups"]["fr"]["selection_rate"].is_null());
    assert_eq!(data["intersections"][0]["attributes"][1], "plan");
    assert_eq!(data["agents"]["load"]["a1"], 5);
    assert_eq!(data["counterfactual_pairs"]["axes"]["gender"]["n_pairs"], 8);
}

#[test]
fn people_are_told_first_what_it_comes_to() {
    let tiny = fixture("tiny.csv");
    let text = stdout(&fairness(&["--data", &tiny, "--attribute", "plan"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "20 tickets");
    assert!(lines[1].starts_with("plan: not enough evidence"), "{}", lines[1]);
    let pairs = stdout(&fairness(&["--pairs", &fixture("tiny_pairs.csv")]));
    assert!(pairs.contains("dialect: the score depends on it"), "{pairs}");
}

#[test]
fn what_cannot_be_used_is_named_and_ends_with_2() {
    let tiny = fixture("tiny.csv");
    for (arguments, expected) in [
        (vec!["--data", &tiny], "--attribute"),
        (vec!["--data", &tiny, "--attribute", "color"], "no column color; there are ticket_id"),
        (
            vec!["--data", &tiny, "--attribute", "plan", "--declared", "color=red"],
            "--declared names the column color; --attribute has plan",
        ),
        (
            vec!["--data", &tiny, "--attribute", "plan", "--intersect", "plan"],
            "two columns or more",
        ),
        (vec!["--data", "nowhere.csv", "--attribute", "plan"], "nowhere.csv"),
        (vec![], "--data"),
    ] {
        let output = fairness(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{errors}");
    }
}
