//! `evenhand audit-model`: whether a model reads tickets alike when only names, dialect or tone change.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::{
    Format, classify,
    exit_code::{ExitCode, Failure},
    output,
};
use crate::{
    app::standard_policy,
    classifier::{Model, rows},
    counterfactual::{Audit, Outcome, Plan, Read, Swaps, Ticket, own_tickets, page, text},
    domain::{
        policy::{Policy, TriageReason},
        reading::Reading,
    },
    routing::plan_by_reading,
};

/// What the tickets written for the audit are called.
const OWN: &str = "its own list";

/// Arguments of `evenhand audit-model`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model; the shipped one when absent.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// A CSV file of tickets to write in other ways, with a header; tickets of our own when absent.
    #[arg(long, value_name = "FILE", requires = "text_column")]
    data: Option<PathBuf>,
    /// The file's column of texts.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    text_column: Option<String>,
    /// Most tickets of the file that are taken, from 1 to 10000, evenly spread over it.
    #[arg(long, value_name = "TICKETS", requires = "data", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    tickets: u32,
    /// Turns which names, sentences and slips each ticket gets.
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Writes a page with all measures and pictures to this file, too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Ends with exit code 3 when a limit of docs/model-audit.md is passed.
    #[arg(long)]
    gate: bool,
}

/// What is written.
#[derive(Debug, Serialize)]
struct Report<'a> {
    model: &'a str,
    source: &'a str,
    seed: u32,
    #[serde(flatten)]
    audit: &'a Audit,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] says what is wrong with the model or the file, or that a limit is passed.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let usage = |error: anyhow::Error| Failure::new(ExitCode::Usage, error);
    let tickets = match (&args.data, &args.text_column) {
        (Some(data), Some(column)) => read(data, column, args.tickets).map_err(usage)?,
        _ => own_tickets(),
    };
    let swaps = Swaps::shipped().context("the list of swaps")?;
    let model = classify::load(args.model.as_deref())?;
    let plan = Plan::new(tickets, &swaps, args.seed);
    let audit = measure(&model, &plan)?;
    let (id, source) = (model.manifest.id(), args.data.as_deref().map_or(OWN.into(), file_name));
    print(&Report { model: &id, source: &source, seed: args.seed, audit: &audit }, format)?;
    if let Some(path) = &args.out {
        output::write_page(path, &page(&audit, &id, &source)).map_err(usage)?;
    }
    if args.gate { judged(&audit) } else { Ok(()) }
}

/// Reads tickets that have a text, evenly spread over the file where there are more than asked for.
fn read(data: &Path, column: &str, tickets_max: u32) -> anyhow::Result<Vec<Ticket>> {
    let mut rows = rows::read(data, column, &[])?;
    rows.retain(|row| !row.text.is_empty());
    anyhow::ensure!(!rows.is_empty(), "{}: no row has a text", data.display());
    let (all, max) = (rows.len(), tickets_max as usize);
    let takes = |at: usize| all <= max || (at * max) / all != ((at + 1) * max) / all;
    let taken = rows.into_iter().enumerate().filter(|(at, _)| takes(*at));
    Ok(taken.map(|(_, row)| Ticket { text: row.text, line: row.line, is_own: false }).collect())
}

fn measure(model: &Model, plan: &Plan) -> anyhow::Result<Audit> {
    let policy = standard_policy();
    let texts: Vec<&str> = plan.texts.iter().map(String::as_str).collect();
    let bar = output::bar(texts.len() as u64, "reading {wide_bar} {pos}/{len} texts");
    let readings = model.read_many(&texts, |count| bar.inc(count as u64))?;
    bar.finish_and_clear();
    let reads: Vec<Read> =
        readings.iter().map(|reading| Read::new(reading, destination(&policy, reading))).collect();
    Audit::new(plan, &reads).context("the model gave another number of readings than of texts")
}

/// Returns where the standard policy sends a ticket, and whether that is triage. An intent that it does not
/// know goes its own way: a model's own intents have routes of their own.
fn destination(policy: &Policy, reading: &Reading) -> (String, bool) {
    let plan = plan_by_reading(policy, reading);
    match (plan.triage, reading.top_intent()) {
        (Some(TriageReason::NoRoute), Some(top)) => (top.intent.to_string(), false),
        (triage, _) => (plan.route, triage.is_some()),
    }
}

fn judged(audit: &Audit) -> Result<(), Failure> {
    let failed = |what: String| Failure::new(ExitCode::CheckFailed, anyhow::anyhow!(what));
    match audit.gate.outcome {
        Outcome::Within => Ok(()),
        Outcome::NotEnoughTickets => Err(failed("too few tickets to judge anything".to_owned())),
        Outcome::Beyond => {
            let beyond = audit.gate.beyond();
            let lines = beyond.map(|check| format!("\n  {check}")).collect::<String>();
            Err(failed(format!("the model passes limits of docs/model-audit.md:{lines}")))
        }
    }
}

/// The folder is nobody's business.
fn file_name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default()
}

fn print(report: &Report<'_>, format: Format) -> anyhow::Result<()> {
    let lines = match format {
        Format::Json => serde_json::to_string(report)?,
        Format::Text => text(report.audit, report.model, report.source),
    };
    output::print(&lines).context("standard output")
}
