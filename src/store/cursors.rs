//! How far each sink of events is: the journal is their outbox, and a cursor says what of it was acknowledged.

use std::collections::BTreeMap;

use super::{
    Batch, Error, Snapshot,
    database::{Database, Rows},
    tables,
};
use crate::domain::id::WorkspaceId;

/// Returns the newest entry that a sink has acknowledged of each workspace; those it has nothing of are absent.
///
/// # Errors
/// What the database says.
pub fn cursors(snapshot: &Snapshot, sink: &str) -> Result<BTreeMap<WorkspaceId, u64>, Error> {
    let query = "SELECT workspace, sequence FROM event_cursor WHERE sink = ?1 ORDER BY workspace";
    let cursors = snapshot.all(query, &[sink.into()], |row| {
        let workspace = WorkspaceId::new(row.required_text(0)?);
        let workspace = workspace.map_err(|_| Error::unexpected("a workspace's name"))?;
        let sequence = u64::try_from(row.required_integer(1)?);
        Ok((workspace, sequence.map_err(|_| Error::unexpected("a cursor"))?))
    })?;
    Ok(cursors.into_iter().collect())
}

/// Returns the cursors that a batch moves.
pub(super) fn rows(batch: &Batch) -> Rows<'_> {
    let mut rows = Rows::new(&tables::EVENT_CURSOR);
    for ((workspace, sink), sequence) in &batch.cursors {
        rows.push([workspace.as_str().into(), sink.as_str().into(), (*sequence).into()]);
    }
    rows
}

/// Returns whether a cursor stands where a batch moved it.
pub(super) fn is_at(
    database: &Database,
    workspace: &WorkspaceId,
    sink: &str,
    sequence: u64,
) -> Result<bool, Error> {
    let query = "SELECT sequence FROM event_cursor
         WHERE workspace = ?1 AND sink = ?2 AND sequence = ?3";
    let values = [workspace.as_str().into(), sink.into(), sequence.into()];
    Ok(database.first(query, &values, |_| Ok(()))?.is_some())
}
