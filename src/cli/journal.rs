//! The history of a workspace, read from a data folder that is not changed.

use std::path::PathBuf;

use anyhow::Context;

use super::exit_code::{ExitCode, Failure};
use crate::{
    domain::{event::Entry, id::WorkspaceId, time::UnixMillis},
    service,
    store::{self, Snapshot},
};

/// Entries between two reports of progress.
const ENTRIES_PER_REPORT: u64 = 1 << 12;

/// Which history.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// The data folder of a server, running or not. It is not changed.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The workspace whose history is read; not needed where only one ever had a ticket.
    #[arg(long, value_name = "NAME", value_parser = workspace)]
    workspace: Option<WorkspaceId>,
    /// Only what came at or after this time (RFC 3339, such as 2026-11-26T09:00:00Z).
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<UnixMillis>,
    /// Only what came before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<UnixMillis>,
}

fn workspace(text: &str) -> Result<WorkspaceId, String> {
    WorkspaceId::new(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<UnixMillis, String> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    let allowed = "must be a time as RFC 3339 writes it, such as 2026-11-26T09:00:00Z";
    time.map(|time| UnixMillis(time.as_millisecond())).map_err(|_| allowed.to_owned())
}

/// Writes a time as it is given.
fn written(time: UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(time.0).map_or_else(|_| time.0.to_string(), |t| t.to_string())
}

impl Source {
    /// Returns whether the times can be used.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] names both.
    pub fn check(&self) -> Result<(), Failure> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from >= to => {
                let (from, to) = (written(from), written(to));
                let error =
                    anyhow::anyhow!("--from must be earlier than --to: {from} is not before {to}");
                Err(Failure::new(ExitCode::Usage, error))
            }
            _ => Ok(()),
        }
    }

    /// Returns the workspace that is named, or the only one with tickets.
    ///
    /// # Errors
    /// [`ExitCode::NotReady`] names the folder, [`ExitCode::Usage`] the workspaces to choose from.
    pub fn workspace(&self) -> Result<WorkspaceId, Failure> {
        if let Some(named) = &self.workspace {
            return Ok(named.clone());
        }
        let names = self.within(store::workspaces_with_tickets)?;
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

    /// Reads the journal and the segment values from one snapshot; `progress` is told the share done.
    ///
    /// # Errors
    /// [`ExitCode::NotReady`] names the folder that cannot be read, or the workspace that is not in it.
    pub fn read(
        &self,
        workspace: &WorkspaceId,
        progress: &dyn Fn(f64),
        mut note: impl FnMut(Entry),
    ) -> Result<crate::backtest::Segments, Failure> {
        let (segments, known) = self.within(|snapshot| {
            let count = store::entry_count(snapshot, workspace)?.max(1) as f64;
            store::replay(snapshot, workspace, 0, |entry| {
                if entry.sequence % ENTRIES_PER_REPORT == 0 {
                    progress(entry.sequence as f64 / count);
                }
                note(entry);
            })?;
            Ok((store::segments(snapshot, workspace)?, store::workspace_names(snapshot)?))
        })?;
        if !known.iter().any(|name| name == workspace.as_str()) {
            return Err(not_ready(anyhow::anyhow!(
                "{} holds no workspace {workspace}; there are {}",
                self.data_dir.display(),
                known.join(", ")
            )));
        }
        Ok(segments)
    }

    fn within<T>(
        &self,
        question: impl FnOnce(&Snapshot) -> Result<T, store::Error>,
    ) -> Result<T, Failure> {
        let folder = self.data_dir.display();
        store::read_folder(&self.data_dir, question)
            .with_context(|| format!("the data in {folder} cannot be read"))
            .map_err(not_ready)
    }
}

/// Returns a failure for what is not there.
pub fn not_ready(error: anyhow::Error) -> Failure {
    Failure::new(ExitCode::NotReady, error)
}
