//! `evenhand report` on the journal of a real engine, run as people run it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::backtest::{Day, TICKETS, contents};

fn report(data: &Path, page: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
    command.arg("report").args([Path::new("--data-dir"), data, Path::new("--out"), page]);
    command.args(more).output().unwrap()
}

fn assert_figures(data: &Value) {
    assert_eq!(data["tickets"], TICKETS);
    let region = &data["attributes"]["region"];
    assert_eq!((&region["declared"], &region["undeclared"]), (&TICKETS.into(), &0.into()));
    assert!(
        ["fair_so_far", "not_enough_evidence", "unfair"]
            .contains(&region["state"].as_str().unwrap())
    );
    let groups = region["groups"].as_array().unwrap();
    assert_eq!((&groups[0]["group"], &groups[1]["group"]), (&"north".into(), &"south".into()));
    // Each ticket is in one group, and each of them ended as Resolved.
    for (measure, hits) in [("first_contact_resolution", 0.0), ("abandoned", 0.0)] {
        let sum = |key: &str| -> f64 {
            groups.iter().map(|group| group["figures"][measure][key].as_f64().unwrap()).sum()
        };
        assert_eq!((sum("numerator"), sum("denominator")), (hits, TICKETS as f64), "{measure}");
        let all = &data["overall"]["figures"][measure];
        assert_eq!(all["denominator"], TICKETS);
    }
    let loads = data["agents"]["by_agent"].as_object().unwrap();
    let carried: u64 = loads.values().map(|load| load["tickets"].as_u64().unwrap()).sum();
    assert_eq!(carried, TICKETS as u64);
    assert_eq!(data["not_known"]["without_satisfaction"], TICKETS);
}

fn assert_page(html: &str) {
    for wanted in ["<h1>Fairness and service: default</h1>", "By region", "<svg", "ana"] {
        assert!(html.contains(wanted), "{wanted}");
    }
    for never in ["http", "<script", "refund", "Where is my order", "invoice", "Hello", "NaN"] {
        assert!(!html.contains(never), "{never}");
    }
}

fn assert_rows(file: &Path) {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let columns =
        ["attribute", "group", "measure", "value", "low", "high", "numerator", "denominator"];
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), columns);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let of = |group: &str, measure: &str| {
        let found = rows.iter().find(|row| &row[1] == group && &row[2] == measure).unwrap();
        found[3].parse::<f64>().unwrap()
    };
    assert!((of("north", "tickets") + of("south", "tickets") - TICKETS as f64).abs() < 1e-9);
    assert!(of("north", "wait_median_seconds") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_becomes_a_page_and_figures_and_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut day = Day::start(&data).await;
    day.live().await;
    day.handle.stop().await;
    drop(day);
    let before = contents(&data);
    let (page, csv) = (folder.path().join("page.html"), folder.path().join("figures.csv"));
    let output = report(&data, &page, &["--format", "json", "--csv", csv.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_figures(&serde_json::from_slice(&output.stdout).unwrap());
    assert_page(&fs::read_to_string(&page).unwrap());
    assert_rows(&csv);
    let mut after = contents(&data);
    after.remove("evenhand.db-shm");
    assert!(after.remove("evenhand.db-wal").is_none_or(|log| log.is_empty()));
    assert!(before == after, "the folder was changed");
    let output = report(&data, &page, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with(&format!("{TICKETS} tickets of workspace default")), "{said}");
    // With more than half of all tickets asked for, neither half can be shown.
    let output = report(&data, &page, &["--min-group", "200", "--format", "json"]);
    let data_json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let groups = data_json["attributes"]["region"]["groups"].as_array().unwrap();
    assert_eq!((groups.len(), &groups[0]["group"]), (1, &Value::Null));
    assert!(!fs::read_to_string(&page).unwrap().contains("north"));
    errors(&data, folder.path());
}

/// Says what is wrong, with the exit code that scripts rely on.
fn errors(data: &Path, folder: &Path) {
    let page = folder.join("never.html");
    let fails = |more: &[&str], code: i32, wanted: &[&str]| {
        let output = report(data, &page, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(wanted.iter().all(|wanted| said.contains(wanted)), "{said}");
        assert!(output.stdout.is_empty() && !page.exists(), "{said}");
    };
    fails(&["--from", "tomorrow"], 2, &["--from", "tomorrow", "RFC 3339"]);
    fails(&["--to", "2026-11-26"], 2, &["--to", "2026-11-26", "RFC 3339"]);
    let turned = ["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];
    fails(&turned, 2, &["--from must be earlier", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"]);
    fails(&["--min-group", "0"], 2, &["--min-group", "0", "1..=1000000"]);
    fails(&["--workspace", "other"], 4, &["no workspace other; there are default"]);
    fails(&["--from", "2040-01-01T00:00:00Z"], 4, &["no ticket was received"]);
    let nowhere = folder.join("nowhere").join("page.html");
    let output = report(data, &nowhere, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("page.html"));
    let output = report(&folder.join("none"), &page, &[]);
    assert_eq!(output.status.code(), Some(4));
    assert!(!folder.join("none").exists());
}
