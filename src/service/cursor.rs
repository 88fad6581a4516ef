//! A stream's place in the journal: reads on when something happened, waits when nothing did.
//!
//! Nothing is queued for a stream: it holds one small batch and its place. A slow reader slows only
//! itself, and a dropped one resumes from the last sequence number it saw.

use std::collections::VecDeque;

use tokio::{sync::watch, time::Instant};

use super::error::Error;
use crate::{
    app::{EntryFilter, Handle, Topic},
    domain::{event::Entry, id::WorkspaceId},
};

/// Entries read at a time.
const BATCH_ENTRIES: u32 = 64;

/// What comes next.
pub(crate) enum Next {
    /// Something happened.
    Entry(Box<Entry>),
    /// Nothing happened for a while.
    Quiet,
    /// The server is going away, and everything that happened was returned.
    Stopping,
}

/// A place in the journal.
pub(crate) struct Cursor {
    handle: Handle,
    workspace: WorkspaceId,
    filter: EntryFilter,
    after: u64,
    batch: VecDeque<Entry>,
    changes: watch::Receiver<u64>,
    draining: watch::Receiver<bool>,
}

impl Cursor {
    /// Returns a cursor that stands after the sequence number `after`; it stops once `draining`.
    pub(crate) fn new(
        handle: &Handle,
        workspace: &WorkspaceId,
        filter: EntryFilter,
        after: u64,
        draining: &watch::Receiver<bool>,
    ) -> Self {
        let topic = match filter.clone() {
            EntryFilter::Ticket(ticket) => Topic::Ticket(workspace.clone(), ticket),
            EntryFilter::Agent(agent) => Topic::Agent(workspace.clone(), agent),
        };
        Self {
            handle: handle.clone(),
            workspace: workspace.clone(),
            filter,
            after,
            batch: VecDeque::new(),
            changes: handle.watch(topic),
            draining: draining.clone(),
        }
    }

    /// Returns the sequence number of the entry returned last.
    pub(crate) fn after(&self) -> u64 {
        self.after
    }

    /// Returns what comes next; [`Next::Quiet`] when that is nothing until `quiet_at`.
    pub(crate) async fn next(&mut self, quiet_at: Option<Instant>) -> Result<Next, Error> {
        loop {
            if let Some(entry) = self.batch.pop_front() {
                self.after = entry.sequence;
                return Ok(Next::Entry(Box::new(entry)));
            }
            // Marked as seen before reading: what happens from here on wakes us again.
            self.changes.borrow_and_update();
            let draining = *self.draining.borrow_and_update();
            self.batch = self.read().await?.into();
            if self.batch.is_empty() {
                if draining {
                    return Ok(Next::Stopping);
                }
                match self.wait(quiet_at).await {
                    Wake::Changed => {}
                    Wake::Quiet => return Ok(Next::Quiet),
                    Wake::Gone => return Ok(Next::Stopping),
                }
            }
        }
    }

    async fn read(&self) -> Result<Vec<Entry>, Error> {
        let filter = self.filter.clone();
        Ok(self.handle.entries(&self.workspace, filter, self.after, BATCH_ENTRIES).await?)
    }

    /// Waits until something may have happened.
    async fn wait(&mut self, quiet_at: Option<Instant>) -> Wake {
        let quiet = async {
            match quiet_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let awake = tokio::select! {
            changed = self.changes.changed() => changed,
            changed = self.draining.changed() => changed,
            () = quiet => return Wake::Quiet,
        };
        // Without a sender the engine is gone.
        if awake.is_ok() { Wake::Changed } else { Wake::Gone }
    }
}

/// Why a wait ended.
enum Wake {
    Changed,
    Quiet,
    Gone,
}
