//! `evenhand demo`: the whole path on real tickets, with simulated people.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
};

use anyhow::Context;

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    output,
};
use crate::demo::{self, Error, Options, Style};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// CSV file of tickets: column `text`, optionally `subject`, `channel`, `customer` and any
    /// `segment_*`. Default: tickets written for this demo.
    #[arg(long, value_name = "FILE")]
    tickets: Option<PathBuf>,
    /// How many tickets; rows are taken in turn, again and again. Default: each row once.
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Keep the data directory and say where it is.
    #[arg(long)]
    keep: bool,
    /// Directory of the model. Default: the one shipped.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Seed of what the simulated people leave to chance.
    #[arg(long, value_name = "S", default_value_t = 7)]
    seed: u64,
}

/// Runs the demo and shows what came of it.
///
/// # Errors
/// [`Failure`] says why there was no demo, or that its figures don't add up.
pub fn run(args: Args, format: Format) -> Result<(), Failure> {
    let Args { tickets, count, keep, model, seed } = args;
    let options = Options { tickets, count, keep, model, seed };
    let runtime = tokio::runtime::Runtime::new().context("the threads could not be started")?;
    let outcome = runtime.block_on(demo::run(&options)).map_err(failure)?;
    let shown = match format {
        Format::Text => outcome.summary(style()),
        Format::Json => outcome.figures().to_string(),
    };
    output::print(&shown).context("the result could not be written")?;
    if outcome.adds_up() {
        Ok(())
    } else {
        let error = anyhow::anyhow!("the figures do not add up, or a ticket is lost");
        Err(Failure::new(ExitCode::CheckFailed, error))
    }
}

fn failure(error: Error) -> Failure {
    let code = match error {
        Error::File { .. } | Error::Count { .. } => ExitCode::Usage,
        Error::Start(_) => ExitCode::NotReady,
        _ => ExitCode::Unexpected,
    };
    Failure::new(code, error)
}

/// Returns the style for standard output: colours on a terminal, unless `NO_COLOR` is set
/// (<https://no-color.org>).
fn style() -> Style {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style { colour: io::stdout().is_terminal() && !unwanted }
}
