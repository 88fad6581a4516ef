//! The one writer: makes batches durable and reads the journals at start.

use std::fs::File;

use super::{
    Batch, Error, Key, Location, Readers, TicketRow, Used, commit,
    database::{Database, Purpose},
    history,
    records::Record,
    tickets,
};
use crate::domain::{event::Entry, id::WorkspaceId, time::UnixMillis};

/// The one writer of a data folder, or one of the writers of a database that many share.
pub struct Store {
    database: Database,
    readers: Readers,
    /// Locked as long as this store lives; declared last, so that it is dropped last.
    _lock: Option<File>,
}

impl Store {
    /// Opens the database; makes folder, file and tables when they are missing.
    ///
    /// # Errors
    /// [`Error::InUse`] while another server has the folder, [`Error::Newer`] when a newer program wrote
    /// it, [`Error::NotOurs`] when it is something else, [`Error::UnsafeSetting`] when the database server
    /// may lose what it says it has, or what the file system and the database say.
    pub fn open(location: &Location) -> Result<Self, Error> {
        let (database, lock) = location.writer()?;
        let readers = Readers::new(location.clone());
        Ok(Self { database, readers, _lock: lock })
    }

    /// Returns connections that read beside this writer.
    #[must_use]
    pub fn readers(&self) -> Readers {
        self.readers.clone()
    }

    /// Makes a batch durable, all of it or nothing.
    ///
    /// # Errors
    /// Nothing of the batch is kept, unless [`Error::is_fatal`] or [`Error::is_unknown`].
    pub fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        self.database.within(Purpose::Write, |database| commit::write(database, batch))
    }

    /// Returns the workspaces and when they were made.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the database says.
    pub fn workspaces(&self) -> Result<Vec<(WorkspaceId, UnixMillis)>, Error> {
        let query = "SELECT id, created_at FROM workspace ORDER BY id";
        self.database.all(query, &[], |row| {
            let id = row.required_text(0)?;
            let id = WorkspaceId::new(id).map_err(|_| Error::unexpected("a workspace's name"))?;
            Ok((id, UnixMillis(row.required_integer(1)?)))
        })
    }

    /// Reads a journal after an entry, oldest first, and returns the number of its newest entry.
    ///
    /// # Errors
    /// [`Error::Gap`] and [`Error::Damaged`] name the entry at fault.
    pub fn replay(
        &self,
        workspace: &WorkspaceId,
        after: u64,
        apply: impl FnMut(Entry),
    ) -> Result<u64, Error> {
        history::replay(&self.database, workspace, after, apply)
    }

    /// Returns the rows of the tickets that are neither completed nor cancelled.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the database says.
    pub fn open_tickets(&self, workspace: &WorkspaceId) -> Result<Vec<TicketRow>, Error> {
        tickets::open_rows(&self.database, workspace)
    }

    /// Returns the use of an idempotency key at or after `since`.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the database says.
    pub fn used(&self, key: &Key<String>, since: UnixMillis) -> Result<Option<Used>, Error> {
        let (workspace, text) = key;
        let query = "SELECT sequence, at, ticket, fingerprint FROM idempotency
             WHERE workspace = ?1 AND key = ?2 AND at >= ?3";
        let values = [workspace.as_str().into(), text.as_str().into(), since.0.into()];
        self.database.first(query, &values, |row| {
            let record = Record::new("idempotency", workspace, row)?;
            let fingerprint = record.bytes(3)?.as_ref().try_into();
            Ok(Used {
                fingerprint: fingerprint.map_err(|_| record.damaged("the fingerprint"))?,
                ticket: record.identifier(2)?,
                sequence: record.unsigned(0)?,
                at: UnixMillis(record.integer(1)?),
            })
        })
    }

    /// Forgets idempotency keys used before a time, at most `limit` of them, and returns how many.
    ///
    /// # Errors
    /// What the database says.
    pub fn forget_used(&mut self, before: UnixMillis, limit: u32) -> Result<u64, Error> {
        let statement = "DELETE FROM idempotency WHERE (workspace, key) IN
             (SELECT workspace, key FROM idempotency WHERE at < ?1 ORDER BY at LIMIT ?2)";
        self.database.execute(statement, &[before.0.into(), limit.into()])
    }
}
