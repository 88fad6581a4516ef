//! `evenhand evaluate` with the shipped model on a few tickets of our own: data, text and page.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// A word that occurs in every text and may occur in no report.
const SECRET: &str = "xylophone";

/// Tickets with intent, sentiment, rating and plan. Those of the third kind fit no intent.
const TICKETS: [(&str, &str, &str, &str); 8] = [
    ("where is my parcel with the", "track_order", "neutral", "0"),
    ("I want my money back for the", "get_refund", "negative", "-1"),
    ("please cancel my order of a", "cancel_order", "neutral", "0"),
    ("what is the meaning of life without a", "none of ours", "neutral", ""),
    ("thank you so much, I love my", "review", "positive", "2"),
    ("this is the worst company ever, shame on you, I hate the", "complaint", "negative", "-2"),
    ("how can I delete my account and my", "delete_account", "neutral", "0"),
    ("the payment failed again for a", "payment_issue", "negative", "-1.5"),
];

/// Ninety-six tickets; an empty line and a text over two lines come first, so that lines and rows
/// differ, and the label on line 6 is wrong on purpose.
fn tickets(ending: &str) -> String {
    let mut csv = format!("body,intent,mood,stars,plan{ending}{ending}");
    for row in 0..96 {
        let (text, intent, mood, stars) = TICKETS[row % TICKETS.len()];
        let intent = if row == 2 { "track_order" } else { intent };
        let plan = if row < 48 { "gold" } else { "basic <b>" };
        let text = if row == 0 { format!("{text}{ending}") } else { text.to_owned() };
        csv.push_str(&format!("\"{text} {SECRET} {row}\",{intent},{mood},{stars},{plan}{ending}"));
    }
    csv
}

fn evaluate(data: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
    command.args(["evaluate", "--text-column", "body", "--label", "intent=intent", "--data"]);
    command.arg(data).args(more).env("RAYON_NUM_THREADS", "1").output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

const ALL: [&str; 8] = [
    "--label",
    "sentiment=mood",
    "--out-of-scope-label",
    "none of ours",
    "--segment",
    "plan",
    "--grade",
    "stars",
];

#[test]
fn the_data_have_every_measure_and_name_rows_by_their_true_line() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("tickets.csv");
    fs::write(&data, tickets("\r\n")).unwrap();
    let page = dir.path().join("report.html");
    let more = [&ALL[..], &["--format", "json", "--html", page.to_str().unwrap()]].concat();
    let text = stdout(&evaluate(&data, &more));
    let page = fs::read_to_string(page).unwrap();
    assert!(!text.contains(SECRET) && !page.contains(SECRET), "a text is in the report");
    let report: Value = serde_json::from_str(&text).unwrap();
    let intent = &report["intent"];
    for key in ["accuracy", "macro_f1", "ece_15", "nll", "brier", "oos_auroc", "oos_recall"] {
        assert!(intent[key].is_number(), "no {key}");
    }
    assert_eq!((&intent["rows"], &intent["oos_rows"]), (&84.into(), &12.into()));
    assert!(intent["accuracy_interval"]["low"].as_f64() < intent["accuracy"].as_f64());
    assert!(intent["top_3_accuracy"].as_f64() >= intent["accuracy"].as_f64());
    assert!(intent["ece_15_floor"]["mean"].as_f64() < intent["ece_15_floor"]["p95"].as_f64());
    assert_eq!(intent["reliability"].as_array().unwrap().len(), 15);
    let wanted: Vec<_> = intent["coverage"]["at"].as_array().unwrap().iter().collect();
    assert_eq!(wanted.len(), 5);
    assert_eq!(wanted[3]["accuracy_wanted"], 0.985);
    let roc = intent["oos_roc"].as_array().unwrap();
    assert_eq!((&roc[0]["found"], &roc[roc.len() - 1]["found"]), (&0.0.into(), &1.0.into()));
    assert!(intent["per_class"]["get_refund"]["f1"].is_number());
    // Header, empty line, the first ticket on lines 3 and 4, then one a line.
    let noise = intent["noise_candidates"].as_array().unwrap();
    let of = |line: u64| noise.iter().find(|row| row["line"] == line);
    let found = of(6).map(|row| (&row["given"], &row["suggested"]));
    assert_eq!(found, Some((&"track_order".into(), &"cancel_order".into())), "{noise:?}");
    assert_eq!(of(14), None, "the same ticket with its right label");
    assert_eq!(report["sentiment_score"]["rows"], 84);
    assert!(report["sentiment_score"]["pearson_r"].as_f64().unwrap() > 0.5, "{report}");
    assert_eq!(report["segments"]["gold"]["intent"]["rows"], 42);
    assert_eq!(report["segment_gaps"]["intent"]["segments_compared"], 2);
    assert!(report["tickets_per_second"].as_f64().unwrap() > 0.0);
    for part in ["<svg", "basic &lt;b&gt;", "Labels to look at again", "tickets.csv"] {
        assert!(page.contains(part), "no {part}");
    }
    let folder = dir.path().to_str().unwrap();
    assert!(!page.contains(folder) && !page.contains("//") && !page.contains("<b>"));
}

#[test]
fn the_text_says_how_sure_it_is_and_shows_no_ticket() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("tickets.csv");
    fs::write(&data, tickets("\n")).unwrap();
    let text = stdout(&evaluate(&data, &ALL));
    for part in ["intent: 84 rows, accuracy", "(95 %: ", "chance alone", "line      6: track_order"]
    {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn a_rating_that_is_no_number_is_named_by_its_line_and_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("tickets.csv");
    fs::write(&data, "body,intent,stars\nwhere is it,track_order,4\nhello,review,secret words\n")
        .unwrap();
    let output = evaluate(&data, &["--grade", "stars"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("line 3: the rating in column stars is no number"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}
