//! Whole journals, read from a folder that a server may have or not, and that is not changed.

use std::{collections::BTreeMap, path::Path};

use super::{
    Error, Snapshot,
    database::Purpose,
    records::{self, ENTRY_COLUMNS, Record},
    sqlite,
};
use crate::domain::{
    event::Entry,
    id::{TicketId, WorkspaceId},
    time::UnixMillis,
};

/// Entries read at once.
const ENTRIES_AT_ONCE: u64 = 10_000;

/// Answers a question from one snapshot of the database in a folder, beside a server or without one.
///
/// # Errors
/// [`Error::File`] when there is no database, [`Error::NotOurs`] and [`Error::Newer`] when it cannot be
/// understood, and what `question` or the database says.
pub fn read_folder<T>(
    folder: &Path,
    question: impl FnOnce(&Snapshot) -> Result<T, Error>,
) -> Result<T, Error> {
    sqlite::folder_reader(folder)?.within(Purpose::Read, question)
}

/// Reads a journal after an entry, oldest first, and returns the number of its newest entry.
///
/// # Errors
/// [`Error::Gap`] and [`Error::Damaged`] name the entry at fault.
pub fn replay(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    after: u64,
    mut apply: impl FnMut(Entry),
) -> Result<u64, Error> {
    let query = format!(
        "SELECT {ENTRY_COLUMNS} FROM journal WHERE workspace = ?1 AND sequence > ?2
         ORDER BY sequence LIMIT ?3"
    );
    let mut newest = after;
    let mut newest_at = UnixMillis(i64::MIN);
    loop {
        let before = newest;
        let values = [workspace.as_str().into(), newest.into(), ENTRIES_AT_ONCE.into()];
        snapshot.rows(&query, &values, |row| {
            let entry = records::entry(workspace, row)?;
            let (expected, found) = (newest + 1, entry.sequence);
            if found != expected {
                return Err(Error::Gap { workspace: workspace.clone(), expected, found });
            }
            if entry.at < newest_at {
                return Err(Record::new("journal", workspace, row)?.damaged("the time"));
            }
            newest = found;
            newest_at = entry.at;
            apply(entry);
            Ok(())
        })?;
        if newest - before < ENTRIES_AT_ONCE {
            return Ok(newest);
        }
    }
}

/// Returns how many entries a journal has.
///
/// # Errors
/// What the database says.
pub fn entry_count(snapshot: &Snapshot, workspace: &WorkspaceId) -> Result<u64, Error> {
    let query = "SELECT sequence FROM journal WHERE workspace = ?1 ORDER BY sequence DESC LIMIT 1";
    let newest = snapshot.first(query, &[workspace.as_str().into()], |row| {
        Record::new("journal", workspace, row)?.unsigned(0)
    })?;
    Ok(newest.unwrap_or(0))
}

/// Returns the workspaces that are there.
///
/// # Errors
/// What the database says.
pub fn workspace_names(snapshot: &Snapshot) -> Result<Vec<String>, Error> {
    snapshot.all("SELECT id FROM workspace ORDER BY id", &[], |row| row.required_text(0))
}

/// Returns the workspaces that ever had a ticket.
///
/// # Errors
/// What the database says.
pub fn workspaces_with_tickets(snapshot: &Snapshot) -> Result<Vec<String>, Error> {
    let query = "SELECT id FROM workspace w
         WHERE EXISTS (SELECT 1 FROM ticket t WHERE t.workspace = w.id) ORDER BY id";
    snapshot.all(query, &[], |row| row.required_text(0))
}

/// Returns the segment values of all tickets, by attribute; tickets without any are absent.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn segments(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
) -> Result<BTreeMap<TicketId, BTreeMap<String, String>>, Error> {
    let query = "SELECT t.number, t.id, s.attribute, s.value
         FROM segment s CROSS JOIN ticket t USING (workspace, number) WHERE s.workspace = ?1";
    let mut segments: BTreeMap<TicketId, BTreeMap<String, String>> = BTreeMap::new();
    snapshot.rows(query, &[workspace.as_str().into()], |row| {
        let record = Record::new("segment", workspace, row)?;
        let ticket = record.identifier(1)?.ok_or_else(|| record.damaged("the identifier"))?;
        let (attribute, value) = (record.text(2)?.into_owned(), record.text(3)?.into_owned());
        segments.entry(ticket).or_default().insert(attribute, value);
        Ok(())
    })?;
    Ok(segments)
}
