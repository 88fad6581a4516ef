//! The command line: parses, calls one subcommand, and turns its end into an exit code.
//!
//! Data goes to standard output, everything else to standard error.

pub mod backtest;
pub mod backup;
pub mod classify;
pub mod decisions;
pub mod demo;
pub mod evaluate;
pub mod exit_code;
pub mod fairness;
pub mod journal;
pub mod labelled;
pub mod output;
pub mod report;
pub mod serve;
pub mod simulate;
pub mod train;

use std::process;

use clap::{Parser, Subcommand, ValueEnum};

use self::exit_code::{ExitCode, Failure};

/// An even-handed ticket router.
#[derive(Debug, Parser)]
#[command(name = "evenhand", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How results are written to standard output.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole path: real server, real tickets, simulated people.
    Demo(demo::Args),
    /// Run the service.
    Serve(serve::Args),
    /// Read texts with a model.
    Classify(classify::Args),
    /// Fit a model to labelled tickets.
    Train(train::Args),
    /// Measure a model on labelled tickets.
    Evaluate(evaluate::Args),
    /// Measure how evenly a log of decisions treats groups of customers.
    Fairness(fairness::Args),
    /// Try a policy, a team or a day on the routing core, on a virtual clock.
    Simulate(simulate::Args),
    /// Replay real history under another policy.
    Backtest(backtest::Args),
    /// Write the fairness and service report of a workspace, as a page for people.
    Report(report::Args),
    /// Copy the data of a server, running or not, and read the copy through.
    Backup(backup::BackupArgs),
    /// Make a data folder of a backup.
    Restore(backup::RestoreArgs),
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> process::ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a closed pipe is nobody's.
            let _ = error.print();
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done };
            return code.into();
        }
    };
    let ended = match cli.command {
        Command::Classify(args) => classify::run(&args, cli.format),
        Command::Train(args) => train::run(&args, cli.format),
        Command::Evaluate(args) => evaluate::run(&args, cli.format),
        Command::Fairness(args) => fairness::run(&args, cli.format),
        Command::Simulate(args) => simulate::run(&args, cli.format),
        Command::Backtest(args) => backtest::run(&args, cli.format),
        Command::Report(args) => report::run(&args, cli.format),
        Command::Backup(args) => backup::back_up(&args, cli.format),
        Command::Restore(args) => backup::restore(&args, cli.format),
        Command::Demo(args) => demo::run(args, cli.format),
        Command::Serve(args) => serve::run(args, cli.format),
    };
    match ended {
        Ok(()) => ExitCode::Done.into(),
        Err(Failure { code, error }) => {
            if let Some(error) = error {
                output::complain(&format!("error: {error:#}"));
            }
            code.into()
        }
    }
}
