//! One run: takes the next entries of a workspace to a sink, one after the other.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::OnceCell;

use super::{CloudEvent, Sink, SinkError, Source, Start, metrics};
use crate::{
    app::{Error, Handle},
    domain::{id::WorkspaceId, time::UnixMillis},
};

/// Most entries of a workspace that are read at once.
const ENTRIES_MAX: u32 = 256;

/// What all runs share.
pub(super) struct Courier<S> {
    pub(super) handle: Handle,
    /// The sink's name in the database.
    pub(super) name: String,
    /// Whether events can go; when the sink failed, runs end before their next event.
    pub(super) open: AtomicBool,
    sink: S,
    source: Source,
    /// When the sink began, once it was asked for.
    since: OnceCell<UnixMillis>,
}

/// What a task comes back with.
pub(super) enum Done {
    /// Whether the sink is ready.
    Prepared(Result<(), Trouble>),
    /// How far a workspace is, and why it is not further.
    Delivered { workspace: WorkspaceId, progress: Progress, result: Result<(), Trouble> },
}

/// How far a run came.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    /// The newest entry that is done with.
    pub(super) acknowledged: u64,
    /// Whether the sink took an event: entries it does not want say nothing of it.
    pub(super) took_one: bool,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("{}", with_cause(.0))]
    Store(#[from] Error),
}

fn with_cause(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl Trouble {
    /// Returns the reason as a metric's label.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Sink(error) => error.reason(),
            Self::Store(_) => "store",
        }
    }

    /// Returns whether it is about one event, so that other workspaces need not wait.
    pub(super) fn is_of_one_event(&self) -> bool {
        matches!(self, Self::Sink(SinkError::Rejected(_)))
    }

    /// Returns how long the sink must be left alone at least.
    pub(super) fn wait_min(&self) -> Duration {
        match self {
            Self::Sink(error) => error.wait_min(),
            Self::Store(_) => Duration::ZERO,
        }
    }
}

impl<S: Sink> Courier<S> {
    pub(super) fn new(handle: Handle, sink: S, source: Source) -> Self {
        let (name, open) = (sink.name(), AtomicBool::new(false));
        Self { handle, name, open, sink, source, since: OnceCell::new() }
    }

    pub(super) async fn prepare(self: Arc<Self>) -> Done {
        Done::Prepared(self.sink.prepare().await.map_err(Trouble::from))
    }

    /// Has the next entries of a workspace delivered.
    pub(super) async fn deliver(self: Arc<Self>, workspace: WorkspaceId, after: u64) -> Done {
        let mut progress = Progress { acknowledged: after, took_one: false };
        let result = self.deliver_next(&workspace, &mut progress).await;
        Done::Delivered { workspace, progress, result }
    }

    async fn deliver_next(
        &self,
        workspace: &WorkspaceId,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        for entry in self.handle.journal(workspace, progress.acknowledged, ENTRIES_MAX).await? {
            if !self.open.load(Ordering::Relaxed) {
                break;
            }
            if self.sink.wants(entry.event.name()) {
                let event = CloudEvent::new(&self.source, workspace, &entry);
                metrics::delivered::<S>(self.sink.deliver(event).await?);
                progress.took_one = true;
            }
            progress.acknowledged = entry.sequence;
        }
        Ok(())
    }

    /// Returns the entry of a workspace after which a sink begins that has nothing of it yet.
    pub(super) async fn begin(&self, id: &WorkspaceId, newest: u64) -> Result<u64, Error> {
        if S::START == Start::First {
            return Ok(0);
        }
        let since = *self.since.get_or_try_init(|| self.since(id)).await?;
        // In all of the journal up to `before`, and in none of it from `from` on, time is before then.
        let (mut before, mut from) = (0, newest.saturating_add(1));
        let mut next = newest;
        while from - before > 1 {
            let entry = self.handle.journal(id, next.saturating_sub(1), 1).await?;
            if entry.first().is_some_and(|entry| entry.at < since) {
                before = next;
            } else {
                from = next;
            }
            next = before.midpoint(from);
        }
        Ok(before)
    }

    /// Returns when the sink began, which is kept beside the cursors: a workspace that is made later is new as a whole,
    /// even if this program ends before it has a cursor.
    async fn since(&self, here: &WorkspaceId) -> Result<UnixMillis, Error> {
        let name = format!("{}#since", self.name);
        let now = u64::try_from(self.handle.now().0).unwrap_or(0);
        let mut known = self.handle.cursors(&name).await?;
        if known.is_empty() {
            self.handle.keep_cursors(&name, BTreeMap::from([(here.clone(), now)])).await?;
            known = self.handle.cursors(&name).await?;
            tracing::info!(sink = self.name, "a new sink gets what happens from now on");
        }
        // Servers that begin at once may each have kept their own. Nothing is kept of a workspace that has just moved away.
        let since = known.into_values().min().ok_or(Error::Moved)?;
        Ok(UnixMillis(i64::try_from(since).unwrap_or(i64::MAX)))
    }
}
