//! `evenhand audit-model` with the shipped model: the gate that every change of the model goes through.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

fn audit_model(more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
    command.arg("audit-model").args(more).env("RAYON_NUM_THREADS", "1").output().unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn tickets(folder: &Path, rows: usize) -> String {
    let mut csv = "body\n".to_owned();
    for row in 0..rows {
        csv.push_str(&format!("\"Priya here, where is my xylophone number {row}?\"\n"));
    }
    let path = folder.join("tickets.csv");
    fs::write(&path, csv).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_shipped_model_is_within_every_limit() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("audit.html");
    let output = audit_model(&["--gate", "--format", "json", "--out", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["gate"]["outcome"], "within");
    assert_eq!(report["axes"].as_object().unwrap().len(), 14);
    for check in report["gate"]["checks"].as_array().unwrap() {
        assert_eq!(check["outcome"], "within", "{check}");
        assert!(check["tickets"].as_u64() >= Some(30), "{check}");
    }
    let origin = &report["axes"]["name_origin"];
    assert_eq!((&origin["kind"], &origin["all"]["pairs"]), (&"identity".into(), &864.into()));
    let arabic = &origin["groups"]["arabic"];
    assert!(arabic["urgency"]["ci95"][0].as_f64() < arabic["urgency"]["ci95"][1].as_f64());
    assert!(arabic["flips"]["route"]["share"].is_number(), "{arabic}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("name_origin") && !page.contains("<script"));
}

#[test]
fn a_file_of_tickets_is_audited_without_showing_them_and_too_few_are_not_judged() {
    let dir = tempfile::tempdir().unwrap();
    let data = tickets(dir.path(), 3);
    let arguments = ["--data", &data, "--text-column", "body"];
    let output = audit_model(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("tickets.csv") && text.contains("too few tickets"), "{text}");
    assert!(!text.contains("xylophone") && !text.contains(dir.path().to_str().unwrap()), "{text}");
    let output = audit_model(&[&arguments[..], &["--gate"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", error(&output));
    assert!(error(&output).contains("too few tickets to judge"), "{}", error(&output));
}

#[test]
fn what_cannot_be_used_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let data = tickets(dir.path(), 1);
    let empty = dir.path().join("empty.csv");
    fs::write(&empty, "body\n\" \"\n").unwrap();
    let empty = empty.to_str().unwrap();
    for (arguments, said) in [
        (&["--data", &data][..], "--text-column"),
        (&["--text-column", "body"], "--data"),
        (&["--data", &data, "--text-column", "text"], "no column text; there are body"),
        (&["--data", empty, "--text-column", "body"], "no row has a text"),
        (&["--data", &data, "--text-column", "body", "--tickets", "0"], "1..=10000"),
        (&["--seed", "first"], "first"),
    ] {
        let output = audit_model(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", error(&output));
        assert!(error(&output).contains(said), "{arguments:?}: {}", error(&output));
    }
    let output = audit_model(&["--model", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4), "{}", error(&output));
}
