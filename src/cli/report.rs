//! `evenhand report`: what became of tickets and agents, for people who must answer for it.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    journal::{Source, not_ready},
    output,
};
use crate::{
    domain::limits::REPORT_GROUP_TICKETS_MIN_MAX,
    fairness::audit::GROUP_TICKETS_MIN,
    fairness_report::{Options, Reader, Report, page, report, rows, text},
};

/// Arguments of `evenhand report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The page is written to this file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Writes all figures to this file, too: one a row, in CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Fewest tickets behind a number that is shown; smaller groups are put together.
    #[arg(long, value_name = "TICKETS", default_value_t = GROUP_TICKETS_MIN,
        value_parser = clap::value_parser!(u64).range(1..=REPORT_GROUP_TICKETS_MIN_MAX))]
    min_group: u64,
}

/// Runs it. Whatever the verdicts, reporting was done.
///
/// # Errors
/// [`Failure`] names the option or the file that cannot be used, or says what is not there.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    args.source.check()?;
    let bar = output::bar(output::steps(1.0), "reading {wide_bar} {percent} % {eta}");
    let workspace = args.source.workspace()?;
    let mut reader = Reader::new(args.source.from, args.source.to);
    let half = |done: f64| move |share: f64| output::steps(done + share / 2.0);
    let read = half(0.0);
    let segments =
        args.source.read(&workspace, &|share| bar.set_position(read(share)), |entry| {
            reader.note(&entry)
        })?;
    let record = reader.finish().ok_or_else(|| {
        not_ready(anyhow::anyhow!(
            "no ticket was received in workspace {workspace} in the time asked for"
        ))
    })?;
    let options = Options { workspace: workspace.as_str(), group_tickets_min: args.min_group };
    let measured = half(0.5);
    let report = report(&record, &segments, options, &|share| bar.set_position(measured(share)));
    bar.finish_and_clear();
    let usage = |error: anyhow::Error| Failure::new(ExitCode::Usage, error);
    output::write_page(&args.out, &page(&report)).map_err(usage)?;
    if let Some(path) = &args.csv {
        write_rows(path, &report).with_context(|| path.display().to_string()).map_err(usage)?;
    }
    print(&report, format)?;
    Ok(())
}

fn write_rows(path: &Path, report: &Report) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    for row in rows(report) {
        writer.serialize(row)?;
    }
    Ok(writer.flush()?)
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let lines = match format {
        Format::Json => serde_json::to_string(report)?,
        Format::Text => text(report),
    };
    output::print(&lines).context("standard output")
}
