//! Takes snapshots of workspaces now and then, so that a start need not read whole journals.
//!
//! A snapshot is made beside the engine, from the one before and the journal since: nobody waits for it, and
//! that the journal can be read is seen again and again. The engine only writes the parts, one with each round.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::watch;

use super::{Error, inbox::Inbox, workspace::Workspaces};
use crate::{
    domain::{event::Entry, id::WorkspaceId, limits::SNAPSHOT_ENTRIES},
    routing::State,
    store::{self, Readers, Snapshot, StatePart},
};

/// How often to look which workspaces have a long journal since their newest snapshot.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Starts taking snapshots; ends when the engine stops.
pub(super) fn start(inbox: Inbox, readers: Readers, mut stopping: watch::Receiver<bool>) {
    tokio::spawn(async move {
        let mut newest = BTreeMap::new();
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if let Err(error) = look(&inbox, &readers, &mut newest).await {
                tracing::warn!(%error, "a snapshot was not taken");
            }
        }
    });
}

/// Takes the snapshots that are due.
async fn look(
    inbox: &Inbox,
    readers: &Readers,
    newest: &mut BTreeMap<WorkspaceId, u64>,
) -> Result<(), Error> {
    let ask = |workspaces: &mut Workspaces| {
        let sequence = |(id, space): (&WorkspaceId, &super::workspace::Workspace)| {
            (id.clone(), space.sequence)
        };
        workspaces.iter().map(sequence).collect::<Vec<_>>()
    };
    for (workspace, sequence) in inbox.ask(ask).await? {
        let taken = match newest.get(&workspace) {
            Some(taken) => *taken,
            None => sequence_of_newest(readers, &workspace).await?,
        };
        newest.insert(workspace.clone(), taken);
        if sequence.saturating_sub(taken) >= SNAPSHOT_ENTRIES {
            let taken = take(inbox, readers, &workspace).await?;
            newest.insert(workspace, taken);
        }
    }
    Ok(())
}

async fn sequence_of_newest(readers: &Readers, workspace: &WorkspaceId) -> Result<u64, Error> {
    let id = workspace.clone();
    let newest = readers.read(move |snapshot| store::newest_state(snapshot, &id)).await;
    newest.map_err(Error::Store)
}

/// Takes a snapshot of a workspace, and returns the newest entry that is in it.
pub(super) async fn take(
    inbox: &Inbox,
    readers: &Readers,
    workspace: &WorkspaceId,
) -> Result<u64, Error> {
    let id = workspace.clone();
    let read = move |snapshot: &Snapshot| {
        let newest = |before| store::state_before(snapshot, &id, before);
        make(newest, |after, apply| store::replay(snapshot, &id, after, apply))
    };
    let (sequence, bytes) = readers.read(read).await.map_err(Error::Store)?;
    let parts = StatePart::cut(workspace, sequence, &bytes);
    tracing::debug!(%workspace, sequence, bytes = bytes.len(), "took a snapshot");
    for part in parts {
        inbox.keep(part).await?;
    }
    Ok(sequence)
}

/// Makes a snapshot from the newest one and the journal after it; returns the newest entry that is in it too.
pub(super) fn make(
    newest: impl Fn(u64) -> Result<Option<(u64, Vec<u8>)>, store::Error>,
    replay: impl FnOnce(u64, &mut dyn FnMut(Entry)) -> Result<u64, store::Error>,
) -> Result<(u64, Vec<u8>), store::Error> {
    let (mut state, after) = restored(newest)?;
    let sequence = replay(after, &mut |entry| state.apply(entry.at, &entry.event))?;
    let bytes = state.to_snapshot().map_err(|_| store::Error::NotFinite { kind: "snapshot" })?;
    Ok((sequence, bytes))
}

/// Returns the state of the newest snapshot that this program can read, and the newest entry that is in it; a new
/// state where there is none.
pub(super) fn restored(
    newest: impl Fn(u64) -> Result<Option<(u64, Vec<u8>)>, store::Error>,
) -> Result<(State, u64), store::Error> {
    let mut before = u64::MAX;
    while let Some((sequence, bytes)) = newest(before)? {
        match State::from_snapshot(&bytes) {
            Ok(state) => return Ok((state, sequence)),
            // Of another version, most likely: the journal says the same, in more time.
            Err(error) => tracing::info!(%error, sequence, "a snapshot is passed over"),
        }
        before = sequence;
    }
    Ok((State::default(), 0))
}
