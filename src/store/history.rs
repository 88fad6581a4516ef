//! Whole journals, read from a folder that a server may have or not, and that is not changed.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, params};

use super::{
    Error, Snapshot, open,
    records::{self, ENTRY_COLUMNS, Record, integer},
};
use crate::domain::{
    event::Entry,
    id::{TicketId, WorkspaceId},
    time::UnixMillis,
};

/// Answers a question from one snapshot of the database in a folder, beside a server or without one.
///
/// # Errors
/// [`Error::File`] when there is no database, [`Error::NotOurs`] and [`Error::Newer`] when it cannot be
/// understood, and what `question` or SQLite says.
pub fn read_folder<T>(
    folder: &Path,
    question: impl FnOnce(&Snapshot) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut connection = open::folder_reader(folder)?;
    let snapshot = connection.transaction()?;
    question(&snapshot)
}

/// Reads a whole journal, oldest entry first, and returns how many entries it has.
///
/// # Errors
/// [`Error::Gap`] and [`Error::Damaged`] name the entry at fault.
pub fn replay(
    connection: &Connection,
    workspace: &WorkspaceId,
    mut apply: impl FnMut(Entry),
) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY_COLUMNS} FROM journal WHERE workspace = ?1 ORDER BY sequence"
    ))?;
    let mut rows = statement.query(params![workspace.as_str()])?;
    let mut newest = 0;
    let mut newest_at = UnixMillis(i64::MIN);
    while let Some(row) = rows.next()? {
        let entry = records::entry(workspace, row)?;
        let (expected, found) = (newest + 1, entry.sequence);
        if found != expected {
            return Err(Error::Gap { workspace: workspace.clone(), expected, found });
        }
        if entry.at < newest_at {
            let number = integer(found);
            let record = Record { table: "journal", workspace, number, row };
            return Err(record.damaged("the time"));
        }
        newest = found;
        newest_at = entry.at;
        apply(entry);
    }
    Ok(newest)
}

/// Returns how many entries a journal has.
///
/// # Errors
/// What SQLite says.
pub fn entry_count(snapshot: &Snapshot, workspace: &WorkspaceId) -> Result<u64, Error> {
    let query = "SELECT coalesce(max(sequence), 0) FROM journal WHERE workspace = ?1";
    let count: i64 = snapshot.query_row(query, params![workspace.as_str()], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Returns the workspaces that are there.
///
/// # Errors
/// What SQLite says.
pub fn workspace_names(snapshot: &Snapshot) -> Result<Vec<String>, Error> {
    let mut statement = snapshot.prepare("SELECT id FROM workspace ORDER BY id")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Returns the workspaces that ever had a ticket.
///
/// # Errors
/// What SQLite says.
pub fn workspaces_with_tickets(snapshot: &Snapshot) -> Result<Vec<String>, Error> {
    let mut statement = snapshot.prepare(
        "SELECT id FROM workspace w
         WHERE EXISTS (SELECT 1 FROM ticket t WHERE t.workspace = w.id) ORDER BY id",
    )?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Returns the segment values of all tickets, by attribute; tickets without any are absent.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn segments(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
) -> Result<BTreeMap<TicketId, BTreeMap<String, String>>, Error> {
    let mut statement = snapshot.prepare_cached(
        "SELECT t.number, t.id, s.attribute, s.value
         FROM segment s CROSS JOIN ticket t USING (workspace, number) WHERE s.workspace = ?1",
    )?;
    let mut rows = statement.query(params![workspace.as_str()])?;
    let mut segments: BTreeMap<TicketId, BTreeMap<String, String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let record = Record { table: "segment", workspace, number: row.get(0)?, row };
        let ticket = record.identifier(1)?.ok_or_else(|| record.damaged("the identifier"))?;
        segments.entry(ticket).or_default().insert(record.plain(2)?, record.plain(3)?);
    }
    Ok(segments)
}
