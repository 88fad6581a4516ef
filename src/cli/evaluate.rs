//! `evenhand evaluate`: measures a model on labelled tickets.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;

use super::{
    Format, classify,
    exit_code::{ExitCode, Failure},
    labelled::{self, HeadColumn},
    output,
};
use crate::classifier::{
    Model,
    evaluate::{HeadReport, Truth, head_report},
    heads::Predictions,
    metrics::as_f64,
    train::own::Labelled,
};

/// Arguments of `evenhand evaluate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model; the shipped one when absent.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// A CSV file of labelled texts, with a header.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column of texts.
    #[arg(long, value_name = "COLUMN")]
    text_column: String,
    /// A head and its column of labels.
    #[arg(long, value_name = "HEAD=COLUMN", required = true)]
    label: Vec<HeadColumn>,
    /// The intent label of texts that no intent fits.
    #[arg(long, value_name = "LABEL")]
    out_of_scope_label: Option<String>,
    /// Measures each value of this column on its own, too.
    #[arg(long, value_name = "COLUMN")]
    segment: Option<String>,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] says what is wrong with the model, the file or the heads asked for.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let outside = args.out_of_scope_label.as_deref();
    let segment = args.segment.as_deref();
    let rows = labelled::read(&args.data, &args.text_column, &args.label, outside, segment)
        .map_err(|error| Failure::new(ExitCode::Usage, error))?;
    if rows.texts.is_empty() {
        let error = anyhow::anyhow!("{}: no row has a text", args.data.display());
        return Err(Failure::new(ExitCode::Usage, error));
    }
    let model = classify::load(args.model.as_deref())?;
    if let Some(head) = rows.truth.keys().find(|head| !model.heads.by_name.contains_key(*head)) {
        let there: Vec<&str> = model.heads.by_name.keys().map(String::as_str).collect();
        let error = anyhow::anyhow!("the model has no head {head}; it has {}", there.join(", "));
        return Err(Failure::new(ExitCode::Usage, error));
    }
    print(&model, &rows, format).map_err(Failure::from)
}

fn print(model: &Model, rows: &Labelled, format: Format) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    let tokens = rows.texts.iter().map(|text| model.tokens(text)).collect::<Result<Vec<_>, _>>()?;
    let features = model.features(&tokens.iter().collect::<Vec<_>>(), |_| {})?;
    let predictions = model.heads.predict(&features)?;
    let speed = as_f64(rows.texts.len()) / started.elapsed().as_secs_f64();
    let all: Vec<usize> = (0..rows.texts.len()).collect();
    let reports = reports(model, rows, &predictions, &all);
    let numbers = [("tickets_per_second", speed)];
    let mut segments: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, segment) in rows.segments.iter().enumerate() {
        segments.entry(segment).or_default().push(row);
    }
    if format == Format::Json {
        let mut value = labelled::json(&reports, &numbers)?;
        if let Some(fields) = value.as_object_mut().filter(|_| !segments.is_empty()) {
            let mut by_segment = serde_json::Map::new();
            for (segment, of) in &segments {
                let reports = self::reports(model, rows, &predictions, of);
                by_segment.insert((*segment).to_owned(), labelled::json(&reports, &[])?);
            }
            fields.insert("segments".to_owned(), by_segment.into());
        }
        return output::print(&value.to_string()).context("standard output");
    }
    labelled::print_reports(&reports, &numbers, format)?;
    for (segment, of) in &segments {
        output::print(&format!("\nsegment {segment}"))?;
        labelled::print_reports(&self::reports(model, rows, &predictions, of), &[], format)?;
    }
    Ok(())
}

/// Measures every head asked for on some of the rows.
fn reports(
    model: &Model,
    rows: &Labelled,
    predictions: &Predictions,
    of: &[usize],
) -> BTreeMap<String, HeadReport> {
    let part = predictions.pick(of);
    let reports = rows.truth.iter().filter_map(|(head, truth)| {
        let truth: Vec<Truth> = of.iter().map(|row| truth[*row].clone()).collect();
        Some((head.clone(), head_report(&model.heads, head, &part, &truth)?))
    });
    reports.collect()
}
