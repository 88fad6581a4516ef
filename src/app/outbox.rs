//! What sinks of events see: the journals as their outbox, and the cursors that say how far each sink is.

use std::collections::BTreeMap;

use tokio::sync::{oneshot, watch};

use super::{Error, handle::Handle};
use crate::{
    domain::{event::Entry, id::WorkspaceId},
    store::{self, Batch, Snapshot},
};

/// What a sink has acknowledged, to be kept with the next commit.
pub(super) struct Acknowledged {
    /// The sink, as in the database.
    pub(super) sink: String,
    /// The newest acknowledged entry of each workspace.
    pub(super) newest: BTreeMap<WorkspaceId, u64>,
}

/// Who waits for cursors of a round to be durable.
pub(super) type CursorsKept = oneshot::Sender<Result<(), Error>>;

impl Acknowledged {
    /// Moves the cursors of the workspaces that are here; the others are another server's.
    pub(super) fn add_to(self, batch: &mut Batch, is_here: impl Fn(&WorkspaceId) -> bool) {
        let Self { sink, newest } = self;
        for (workspace, sequence) in newest.into_iter().filter(|(id, _)| is_here(id)) {
            batch.cursors.insert((workspace, sink.clone()), sequence);
        }
    }
}

impl Handle {
    /// Returns a counter that changes with each durable batch of entries.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.shared.topics.commits()
    }

    /// Returns the workspaces that this server has, and the newest durable entry of each.
    #[must_use]
    pub fn newest(&self) -> BTreeMap<WorkspaceId, u64> {
        self.shared.topics.newest()
    }

    /// Returns at most `limit` entries of a journal after `after`, whatever they are about, oldest first.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Stopping`].
    pub async fn journal(
        &self,
        workspace: &WorkspaceId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, Error> {
        let newest = self.newest().get(workspace).copied().unwrap_or(after);
        let last = newest.min(after.saturating_add(limit.into()));
        let sequences: Vec<u64> = (after.saturating_add(1)..=last).collect();
        if let Some(entries) = self.shared.recent.entries(workspace, &sequences) {
            return Ok(entries);
        }
        let id = workspace.clone();
        self.look(move |snapshot| store::entries_after(snapshot, &id, after, limit)).await
    }

    /// Returns the newest entry that a sink has acknowledged of each workspace, on whichever server; those it has
    /// nothing of are absent.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Stopping`].
    pub async fn cursors(&self, sink: &str) -> Result<BTreeMap<WorkspaceId, u64>, Error> {
        let sink = sink.to_owned();
        self.look(move |snapshot| store::cursors(snapshot, &sink)).await
    }

    /// Keeps what a sink has acknowledged, in the transaction of the next commit and under its leases; leaves out
    /// workspaces that this server does not have. Returns once it is durable.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::DiskFull`]; nothing may be kept then.
    pub async fn keep_cursors(
        &self,
        sink: &str,
        newest: BTreeMap<WorkspaceId, u64>,
    ) -> Result<(), Error> {
        let acknowledged = Acknowledged { sink: sink.to_owned(), newest };
        self.shared.inbox.acknowledge(acknowledged).await
    }

    async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Snapshot) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared.readers.read(question).await.map_err(|error| match error {
            store::Error::Closed => Error::Stopping,
            error => Error::Store(error),
        })
    }
}
