//! `evenhand backtest`: what another policy would have done with what really came.

use std::{collections::BTreeSet, fs, path::PathBuf};

use anyhow::Context;
use indicatif::ProgressBar;

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    output,
};
use crate::{
    backtest::{
        Candidate, History, HistoryReader, Report, Request, Segments, backtest, page, text,
    },
    domain::{
        id::{SkillId, WorkspaceId},
        policy::Policy,
        time::UnixMillis,
    },
    service, store,
};

/// Seed when none is given.
const SEED: u64 = 20_261_126;
/// Entries between two reports of progress.
const ENTRIES_PER_REPORT: u64 = 1 << 12;

/// Arguments of `evenhand backtest`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data folder of a server, running or not. It is not changed.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The policy to try, in JSON or TOML: the keys that are to differ (see docs/backtest.md).
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The workspace whose history is replayed; not needed where only one ever had a ticket.
    #[arg(long, value_name = "NAME", value_parser = workspace)]
    workspace: Option<WorkspaceId>,
    /// Replay only what happened at or after this time (RFC 3339, such as 2026-11-26T09:00:00Z).
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<UnixMillis>,
    /// Replay only what happened before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<UnixMillis>,
    /// Seed of the draws that both runs share.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Writes a page with all measures and pictures to this file, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn workspace(text: &str) -> Result<WorkspaceId, String> {
    WorkspaceId::new(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<UnixMillis, String> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    let allowed = "must be a time as RFC 3339 writes it, such as 2026-11-26T09:00:00Z";
    time.map(|time| UnixMillis(time.as_millisecond())).map_err(|_| allowed.to_owned())
}

/// Runs it.
///
/// # Errors
/// [`Failure`] names the key of the policy file, or says what is not there to be replayed.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let usage = |error: anyhow::Error| Failure::new(ExitCode::Usage, error);
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        return Err(usage(anyhow::anyhow!("--from must be earlier than --to")));
    }
    let file = args.policy.display().to_string();
    let given = fs::read_to_string(&args.policy).with_context(|| file.clone()).map_err(usage)?;
    let bar = output::bar(output::steps(1.0), "replaying {wide_bar} {percent} % {eta}");
    let workspace = chosen(args)?;
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

fn not_ready(error: anyhow::Error) -> Failure {
    Failure::new(ExitCode::NotReady, error)
}

/// Returns the workspace that is named, or the only one with tickets.
fn chosen(args: &Args) -> Result<WorkspaceId, Failure> {
    if let Some(named) = &args.workspace {
        return Ok(named.clone());
    }
    let folder = args.data_dir.display();
    let names = store::read_folder(&args.data_dir, store::workspaces_with_tickets)
        .with_context(|| format!("the data in {folder} cannot be read"))
        .map_err(not_ready)?;
    let name = match &names[..] {
        [] => service::WORKSPACE_DEFAULT,
        [only] => only,
        several => {
            let error = anyhow::anyhow!(
                "--workspace must name one of those that have tickets: {}",
                several.join(", ")
            );
            return Err(Failure::new(ExitCode::Usage, error));
        }
    };
    WorkspaceId::new(name).map_err(|error| not_ready(error.into()))
}

/// Reads the journal and the segments from one snapshot.
fn read(
    args: &Args,
    workspace: &WorkspaceId,
    bar: &ProgressBar,
) -> Result<(History, Segments), Failure> {
    let folder = args.data_dir.display();
    let (reader, segments, known) = store::read_folder(&args.data_dir, |snapshot| {
        let mut reader = HistoryReader::new(args.from, args.to);
        let count = store::entry_count(snapshot, workspace)?.max(1) as f64;
        store::replay(snapshot, workspace, 0, |entry| {
            if entry.sequence % ENTRIES_PER_REPORT == 0 {
                bar.set_position(output::steps(entry.sequence as f64 / count / 2.0));
            }
            reader.note(entry);
        })?;
        let segments = store::segments(snapshot, workspace)?;
        Ok((reader, segments, store::workspace_names(snapshot)?))
    })
    .with_context(|| format!("the data in {folder} cannot be read"))
    .map_err(not_ready)?;
    if !known.iter().any(|name| name == workspace.as_str()) {
        return Err(not_ready(anyhow::anyhow!(
            "{folder} holds no workspace {workspace}; there are {}",
            known.join(", ")
        )));
    }
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
