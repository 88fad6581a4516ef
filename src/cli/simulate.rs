//! `evenhand simulate`: the production routing core on a virtual clock.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use anyhow::Context;
use clap::builder::RangedU64ValueParser;

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    output,
};
use crate::simulate::{Options, Report, Results, RunError, Scenario, page, simulate, text};

/// Seed when none is given.
const SEED: u64 = 20_261_126;
/// Most runs of one call.
const RUNS_MAX: u64 = 100_000;

/// Arguments of `evenhand simulate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario in TOML (see docs/simulation.md).
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// Seed of every draw: the same seed gives the same numbers, on any number of cores.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Independent runs, from 1 to 100000; the intervals are over these.
    #[arg(long, default_value_t = 20, value_parser = runs())]
    runs: u32,
    /// Level of the intervals, above 0 and below 1.
    #[arg(long, default_value_t = 0.95, value_parser = level)]
    level: f64,
    /// Writes a page with all measures and pictures to this file, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn runs() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=RUNS_MAX)
}

fn level(text: &str) -> Result<f64, String> {
    let level = text.parse().ok().filter(|level| 0.0 < *level && *level < 1.0);
    level.ok_or_else(|| "must be a number above 0 and below 1, such as 0.95".to_owned())
}

/// Runs it.
///
/// # Errors
/// [`Failure`] names the file, line, key and value that cannot be used, or says why a run ended.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let usage = |error: anyhow::Error| Failure::new(ExitCode::Usage, error);
    let scenario = read(&args.scenario).map_err(usage)?;
    let options = Options {
        seed: args.seed,
        runs: args.runs,
        level: args.level,
        threads: thread::available_parallelism().map_or(1, usize::from),
    };
    let started = tokio::time::Instant::now();
    let results = simulate_with_bar(&scenario, options).map_err(|error| {
        let fault = matches!(error, RunError::Refused(_) | RunError::Identifier(_));
        let code = if fault { ExitCode::Unexpected } else { ExitCode::Usage };
        Failure::new(code, anyhow::anyhow!("{}: {error}", args.scenario.display()))
    })?;
    let report = Report::new(&scenario, &results, started.elapsed().as_secs_f64());
    print(&report, format)?;
    if let Some(path) = &args.html {
        let name = args.scenario.file_name().unwrap_or_default().to_string_lossy();
        output::write_page(path, &page(&report, &scenario, &name)).map_err(usage)?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Scenario> {
    let file = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| file.clone())?;
    Scenario::parse(&text).map_err(|error| {
        let lines: Vec<String> =
            error.to_string().lines().map(|line| format!("{file}: {line}")).collect();
        anyhow::anyhow!(lines.join("\n"))
    })
}

fn simulate_with_bar(scenario: &Scenario, options: Options) -> Result<Results, RunError> {
    let length = u64::from(options.runs) * output::steps(1.0);
    let bar = output::bar(length, "simulating {wide_bar} {percent} % {eta}");
    let results = simulate(scenario, options, &|share| {
        bar.inc(output::steps(share));
    });
    bar.finish_and_clear();
    results
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let lines = match format {
        Format::Json => serde_json::to_string(report)?,
        Format::Text => text(report),
    };
    for warning in report.warnings.iter().filter(|_| format == Format::Json) {
        output::complain(&format!("warning: {warning}"));
    }
    output::print(&lines).context("standard output")
}
