//! The page holds what it should, and nothing that it must not.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::{
    classifier::{
        artifact::HeadEntry,
        evaluate::Truth,
        features::View,
        heads::{Head, Heads, INTENT, Predictions},
        train::labelled::Labelled,
    },
    report::Measured,
};

/// Labels that would be markup if they were not escaped.
const LABELS: [&str; 3] = ["where is <b>my</b> order", "\" onload=\"alert(1)", "refund & return"];
/// A text that nobody may see.
const SECRET: &str = "my card is 4111 1111";

fn heads() -> Heads {
    let mut heads = Heads::default();
    for name in [INTENT, "mood"] {
        let zero = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        let entry = HeadEntry {
            threshold: None,
            name: name.to_owned(),
            labels: LABELS.map(str::to_owned).to_vec(),
            view: View::Last,
            temperature: 1.0,
        };
        heads.add(Head { entry, weight: zero.clone(), bias: zero });
    }
    heads
}

/// 240 rows in two segments; every twelfth is out of scope, every tenth mislabelled.
fn rows() -> (Labelled, Predictions) {
    let (mut rows, mut predictions) = (Labelled::default(), Predictions::default());
    let mut probabilities = Vec::new();
    for row in 0..240_u32 {
        let label = usize::try_from(row % 3).unwrap();
        let sure = 0.5 + f64::from(row % 40) / 80.0;
        let mut p = vec![(1.0 - sure) / 2.0; 3];
        p[label] = sure;
        probabilities.push(p);
        let given = if row % 10 == 0 { (label + 1) % 3 } else { label };
        let outside = row % 12 == 5;
        rows.texts.push(SECRET.to_owned());
        rows.lines.push(u64::from(row) + 2);
        rows.segments.push(["gold <i>", ""][usize::from(row % 2 == 0)].to_owned());
        rows.ratings.push((row % 7 != 0).then(|| f64::from(row % 5)));
        let truth =
            if outside { Truth::OutOfScope } else { Truth::Label(LABELS[given].to_owned()) };
        rows.truth.entry(INTENT.to_owned()).or_default().push(truth);
        rows.truth.entry("mood".to_owned()).or_default().push(Truth::Unlabelled);
        predictions.scope_scores.push(if outside { 0.8 } else { f64::from(row % 10) / 10.0 });
    }
    for head in [INTENT, "mood"] {
        predictions.probabilities.insert(head.to_owned(), probabilities.clone());
    }
    (rows, predictions)
}

fn report() -> Report {
    let (rows, predictions) = rows();
    let scores: Vec<f64> = (0..240_u32).map(|row| f64::from(row % 5) / 5.0).collect();
    let heads = heads();
    let measured = Measured {
        heads: &heads,
        predictions: &predictions,
        sentiment_scores: Some(&scores),
        rows: &rows,
        tickets_per_second: 100.0,
    };
    measured.report()
}

fn html() -> String {
    let about = About { model: "m<1>", data: "a&b.csv", rows: 240, segment: Some("plan") };
    page(&report(), about)
}

#[test]
fn names_are_escaped_wherever_they_stand() {
    let html = html();
    for raw in ["<b>my", "onload=\"alert", "refund & return", "gold <i>", "m<1>", "a&b.csv"] {
        assert!(!html.contains(raw), "{raw} is not escaped");
    }
    for escaped in ["where is &lt;b&gt;my", "refund &amp; return", "gold &lt;i&gt;", "m&lt;1&gt;"] {
        assert!(html.contains(escaped), "{escaped} is missing");
    }
}

#[test]
fn the_page_loads_nothing_runs_nothing_and_shows_no_text() {
    let html = html();
    for outside in ["http", "//", "url(", "@import", "src=", "<script", "<link", "<iframe", SECRET]
    {
        assert!(!html.contains(outside), "the page has {outside}");
    }
    assert!(!html.contains("NaN") && !html.contains("inf"), "a number is not one");
    let json = serde_json::to_string(&report()).unwrap();
    assert!(!json.contains(SECRET) && !super::super::text::text(&report()).contains(SECRET));
}

#[test]
fn every_tag_that_opens_closes() {
    let html = html();
    let (mut open, mut rest) = (Vec::new(), html.as_str());
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
        } else if !tag.ends_with('/') && !["!doctype", "meta"].contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn every_part_is_there() {
    let html = html();
    for part in [
        "Can its confidence be believed?",
        "How much can be left to it?",
        "Does it know what it does not know?",
        "Label by label",
        "What is taken for what",
        "Most frequent confusions",
        "Labels to look at again",
        "Agreement with the ratings",
        "By plan",
        "chance alone",
        "No row has a label of this head.",
    ] {
        assert!(html.contains(part), "no {part}");
    }
    assert_eq!(html, self::html(), "the same rows give the same page");
}

#[test]
fn the_data_agree_with_what_was_put_in() {
    let report = report();
    let intent = &report.heads[INTENT];
    let metrics = &intent.headline.report.metrics;
    // Rows 0, 10, 20, … are mislabelled; row % 12 == 5 is odd, so none of those is out of scope.
    assert_eq!((metrics.rows, intent.confusion.iter().map(|p| p.rows).sum::<usize>()), (220, 24));
    let flipped: Vec<u64> = (0..24).map(|k| 10 * k + 2).collect();
    assert!(intent.noise_rows > 8, "{}", intent.noise_rows);
    assert!(intent.noise_candidates.iter().all(|row| flipped.contains(&row.line)));
    let interval = intent.headline.accuracy_interval.unwrap();
    assert!(interval.low < metrics.accuracy && metrics.accuracy < interval.high);
    assert_eq!(report.sentiment_score.as_ref().unwrap().rows, 205);
    let segments = &report.segments.as_ref().unwrap().segments;
    let rows: BTreeMap<&str, usize> = segments
        .iter()
        .map(|(name, heads)| (name.as_str(), heads[INTENT].report.metrics.rows))
        .collect();
    assert_eq!(rows, BTreeMap::from([("", 120), ("gold <i>", 100)]));
}
