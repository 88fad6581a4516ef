//! One run: takes the next entries of a workspace to a sink, one after the other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{CloudEvent, Sink, SinkError, Source, metrics};
use crate::{
    app::{Error, Handle},
    domain::id::WorkspaceId,
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
}

/// What a task comes back with.
pub(super) enum Done {
    /// Whether the sink is ready.
    Prepared(Result<(), Trouble>),
    /// How far a workspace is, and why it is not further.
    Delivered { workspace: WorkspaceId, acknowledged: u64, result: Result<(), Trouble> },
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
}

impl<S: Sink> Courier<S> {
    pub(super) fn new(handle: Handle, sink: S, source: Source) -> Self {
        Self { handle, name: sink.name(), open: AtomicBool::new(false), sink, source }
    }

    pub(super) async fn prepare(self: Arc<Self>) -> Done {
        Done::Prepared(self.sink.prepare().await.map_err(Trouble::from))
    }

    /// Has the next entries of a workspace delivered.
    pub(super) async fn deliver(self: Arc<Self>, workspace: WorkspaceId, after: u64) -> Done {
        let mut acknowledged = after;
        let result = self.deliver_next(&workspace, &mut acknowledged).await;
        Done::Delivered { workspace, acknowledged, result }
    }

    async fn deliver_next(
        &self,
        workspace: &WorkspaceId,
        acknowledged: &mut u64,
    ) -> Result<(), Trouble> {
        for entry in self.handle.journal(workspace, *acknowledged, ENTRIES_MAX).await? {
            if !self.open.load(Ordering::Relaxed) {
                break;
            }
            let event = CloudEvent::new(&self.source, workspace, &entry);
            metrics::delivered::<S>(self.sink.deliver(event).await?);
            *acknowledged = entry.sequence;
        }
        Ok(())
    }
}
