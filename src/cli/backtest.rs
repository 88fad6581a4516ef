//! `evenhand backtest`: what another policy would have done with what really came.

use std::{collections::BTreeSet, fs, path::PathBuf};

use anyhow::Context;
use indicatif::ProgressBar;

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    journal::{Source, not_ready},
    output,
};
use crate::{
    backtest::{
        Candidate, History, HistoryReader, Report, Request, Segments, backtest, page, text,
    },
    domain::{
        id::{SkillId, WorkspaceId},
        policy::Policy,
    },
    service,
};

/// Seed when none is given.
const SEED: u64 = 20_261_126;

/// Arguments of `evenhand backtest`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The policy to try, in JSON or TOML: the keys that are to differ (see docs/backtest.md).
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Seed of the draws that both runs share.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Writes a page with all measures and pictures to this file, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] names the key of the policy file, or says what is not there to be replayed.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let usage = |error: anyhow::Error| Failure::new(ExitCode::Usage, error);
    args.source.check()?;
    let file = args.policy.display().to_string();
    let given = fs::read_to_string(&args.policy).with_context(|| file.clone()).map_err(usage)?;
    let bar = output::bar(output::steps(1.0), "replaying {wide_bar} {percent} % {eta}");
    let workspace = args.source.workspace()?;
    let (history, segments) = read(args, &workspace, &bar)?;
    let base = history.policy().ok_or_else(|| {
        let error = anyhow::anyhow!("workspace {workspace} never had a policy");
        Failure::new(ExitCode::NotReady, error)
    })?;
    let candidate = take(&given, &file, base, &history.skills()).map_err(usage)?;
    let request = Request {
        workspace: workspace.as_str(),
        policy: &candidate.policy,
        changed: &candidate.changed,
        segments: &segments,
        seed: args.seed,
    };
    let report =
        backtest(&history, request, &|share| bar.set_position(output::steps(0.5 + share / 2.0)))
            .map_err(|error| usage(anyhow::anyhow!("{file}: {error}")))?;
    bar.finish_and_clear();
    print(&report, format)?;
    if let Some(path) = &args.html {
        output::write_page(path, &page(&report)).map_err(usage)?;
    }
    Ok(())
}

/// Reads the journal and the segments from one snapshot.
fn read(
    args: &Args,
    workspace: &WorkspaceId,
    bar: &ProgressBar,
) -> Result<(History, Segments), Failure> {
    let mut reader = HistoryReader::new(args.source.from, args.source.to);
    let progress = |share: f64| bar.set_position(output::steps(share / 2.0));
    let segments = args.source.read(workspace, &progress, |entry| reader.note(entry))?;
    let history = reader.finish().filter(|history| !history.is_empty()).ok_or_else(|| {
        not_ready(anyhow::anyhow!(
            "nothing happened in workspace {workspace} in the time asked for"
        ))
    })?;
    Ok((history, segments))
}

/// Takes the policy of a file: its keys are checked here, its values as the API checks them.
fn take(
    given: &str,
    file: &str,
    base: &Policy,
    declared: &BTreeSet<SkillId>,
) -> anyhow::Result<Candidate> {
    let refuse = |problems: Vec<String>| {
        let lines: Vec<String> =
            problems.iter().map(|problem| format!("{file}: {problem}")).collect();
        anyhow::anyhow!(lines.join("\n"))
    };
    let candidate = Candidate::read(given, base, declared)
        .map_err(|problems| refuse(problems.iter().map(ToString::to_string).collect()))?;
    let breaches = service::check_policy(candidate.policy.clone(), declared);
    if breaches.is_empty() {
        return Ok(candidate);
    }
    let said =
        breaches.iter().map(|(field, allowed)| candidate.refused(field, allowed).to_string());
    Err(refuse(said.collect()))
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    for warning in report.warnings.iter().filter(|_| format == Format::Json) {
        output::complain(&format!("warning: {warning}"));
    }
    let lines = match format {
        Format::Json => serde_json::to_string(report)?,
        Format::Text => text(report),
    };
    output::print(&lines).context("standard output")
}
