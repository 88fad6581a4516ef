//! `evenhand evaluate`: measures a model on labelled tickets.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{
    Format, classify,
    exit_code::{ExitCode, Failure},
    labelled::{self, Beside, HeadColumn, Several},
    output,
};
use crate::{
    classifier::{Model, metrics::as_f64, train::labelled::Labelled},
    report::{
        Measured, Report,
        page::{About, page},
        text::text,
    },
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
    #[arg(long, value_name = "HEAD=COLUMN", required_unless_present = "grade")]
    label: Vec<HeadColumn>,
    /// The intent label of texts that no intent fits.
    #[arg(long, value_name = "LABEL")]
    out_of_scope_label: Option<String>,
    /// A head of which a text may have several labels or none, and what stands between them in its
    /// column, for example 'intent=|'.
    #[arg(long, value_name = "HEAD=SEPARATOR")]
    several: Vec<Several>,
    /// Measures each value of this column on its own, too.
    #[arg(long, value_name = "COLUMN")]
    segment: Option<String>,
    /// A column of ratings, numbers of any scale, to compare the graded sentiment with.
    #[arg(long, value_name = "COLUMN")]
    grade: Option<String>,
    /// Writes a page with all measures and pictures to this file, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] says what is wrong with the model, the file or the heads asked for.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let beside = Beside {
        out_of_scope_label: args.out_of_scope_label.as_deref(),
        several: &args.several,
        segment: args.segment.as_deref(),
        grade: args.grade.as_deref(),
    };
    let rows = labelled::read(&args.data, &args.text_column, &args.label, beside)
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
    let named = |head: &String| args.several.iter().any(|several| several.head == *head);
    let differs = |head: &&String| {
        let several = model.heads.by_name[*head].entry.threshold.is_some();
        several != named(head)
    };
    if let Some(head) = rows.truth.keys().find(differs) {
        let error = if named(head) {
            anyhow::anyhow!("the model's head {head} knows one label a text; leave --several out")
        } else {
            anyhow::anyhow!(
                "the model's head {head} may give a text several labels; say what separates them in \
                 the column with --several '{head}=|'"
            )
        };
        return Err(Failure::new(ExitCode::Usage, error));
    }
    let report = measure(&model, &rows)?;
    print(&report, format)?;
    if let Some(path) = &args.html {
        let about = About {
            model: &model.manifest.id(),
            data: &file_name(&args.data),
            rows: rows.texts.len(),
            segment: args.segment.as_deref(),
        };
        output::write_page(path, &page(&report, about))
            .map_err(|error| Failure::new(ExitCode::Usage, error))?;
    }
    Ok(())
}

fn measure(model: &Model, rows: &Labelled) -> anyhow::Result<Report> {
    let started = tokio::time::Instant::now();
    let tokens = rows.texts.iter().map(|text| model.tokens(text)).collect::<Result<Vec<_>, _>>()?;
    let features = model.features(&tokens.iter().collect::<Vec<_>>(), |_| {})?;
    let predictions = model.heads.predict(&features)?;
    let tickets_per_second = as_f64(rows.texts.len()) / started.elapsed().as_secs_f64();
    let sentiment_scores = model.sentiment_scores(&predictions);
    let measured = Measured {
        heads: &model.heads,
        predictions: &predictions,
        sentiment_scores: sentiment_scores.as_deref(),
        rows,
        tickets_per_second,
    };
    Ok(measured.report())
}

/// The folder is nobody's business.
fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let lines = match format {
        // By way of a value, so that a head with the name of another field gives it way.
        Format::Json => serde_json::to_value(report)?.to_string(),
        Format::Text => text(report),
    };
    output::print(&lines).context("standard output")
}
