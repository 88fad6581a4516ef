//! A stream's place in the journal: reads on when something happened, waits when nothing did.
//!
//! Nothing is queued for a stream: it holds one small batch and its place. A slow reader slows only
//! itself, and a dropped one resumes from the last sequence number it saw.

use std::collections::VecDeque;

use tokio::{sync::watch, time::Instant};

use super::error::Error;
use crate::{
    app::{EntryFilter, Handle},
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
        let topic = filter.topic(workspace);
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        app::{self, Action, Command, Parts},
        clock::SystemClock,
        domain::{event::Event, id::AgentId},
        routing::Input,
        service::WORKSPACE_DEFAULT,
    };

    #[tokio::test]
    async fn a_cursor_tells_quiet_from_news_and_ends_after_the_last_news() {
        let folder = tempfile::tempdir().unwrap();
        let store = app::StoreOptions::Folder(folder.path().to_owned());
        let parts = Parts {
            store,
            peering: app::Peering::default(),
            classifier: None,
            clock: Arc::new(SystemClock),
        };
        let handle = app::start(parts).await.unwrap();
        let workspace = WorkspaceId::new(WORKSPACE_DEFAULT).unwrap();
        let agent = AgentId::new("ana").unwrap();
        let (drain, draining) = watch::channel(false);
        let filter = EntryFilter::Agent(agent.clone());
        let mut cursor = Cursor::new(&handle, &workspace, filter, 0, &draining);
        let soon = || Some(Instant::now() + Duration::from_millis(30));
        assert!(matches!(cursor.next(soon()).await, Ok(Next::Quiet)));

        let set = crate::domain::agent::AgentProfile {
            agent,
            display_name: String::new(),
            skills: [].into(),
            capacity_units: 1,
            channel_units: [].into(),
            speed: 0,
            shifts: None,
        };
        let input = Input::SetAgent { profile: set, write: crate::routing::AgentWrite::Create };
        let action = Action::Route(input.into());
        let (actor, idempotency) = (None, None);
        let command = Command { workspace, actor, idempotency, action };
        let receipt = handle.command(command).await.unwrap();
        drain.send_replace(true);
        let Ok(Next::Entry(entry)) = cursor.next(None).await else { panic!("no news") };
        assert!(matches!(entry.event, Event::AgentSet { .. }));
        assert_eq!((entry.sequence, cursor.after()), (receipt.sequence, receipt.sequence));
        assert!(matches!(cursor.next(None).await, Ok(Next::Stopping)));
        handle.stop().await;
    }
}
