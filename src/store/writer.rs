//! The one writer: makes batches durable and reads the journals at start.

use std::{fs::File, path::Path};

use rusqlite::{Connection, TransactionBehavior, params};

use super::{
    Batch, Error, Key, Readers, TicketRow, Used, commit, history, open, records::Record, tickets,
};
use crate::domain::{event::Entry, id::WorkspaceId, time::UnixMillis};

/// The one writer of a data folder.
pub struct Store {
    connection: Connection,
    readers: Readers,
    /// Locked as long as this store lives; declared last, so that it is dropped last.
    _lock: File,
}

impl Store {
    /// Opens the database `evenhand.db` in a folder; makes both when they are missing.
    ///
    /// # Errors
    /// [`Error::InUse`] while another server has the folder, [`Error::Newer`] when a newer program wrote
    /// it, [`Error::NotOurs`] when it is something else, or what the file system and SQLite say.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let lock = open::lock(folder)?;
        let connection = open::writer(folder)?;
        let readers = Readers::new(open::database(folder));
        Ok(Self { connection, readers, _lock: lock })
    }

    /// Returns connections that read beside this writer.
    #[must_use]
    pub fn readers(&self) -> Readers {
        self.readers.clone()
    }

    /// Makes a batch durable, all of it or nothing.
    ///
    /// # Errors
    /// Nothing of the batch is kept, unless [`Error::is_fatal`]: then it is unknown.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        commit::write(&transaction, batch)?;
        transaction.commit()?;
        Ok(())
    }

    /// Returns the workspaces and when they were made.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what SQLite says.
    pub fn workspaces(&self) -> Result<Vec<(WorkspaceId, UnixMillis)>, Error> {
        let mut statement =
            self.connection.prepare("SELECT id, created_at FROM workspace ORDER BY id")?;
        let mut rows = statement.query([])?;
        let mut workspaces = Vec::new();
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            let id = WorkspaceId::new(id).map_err(|_| Error::Damaged {
                table: "workspace",
                workspace: String::new(),
                number: 0,
                what: "the identifier",
            })?;
            workspaces.push((id, UnixMillis(row.get(1)?)));
        }
        Ok(workspaces)
    }

    /// Reads a whole journal, oldest entry first, and returns how many entries it has.
    ///
    /// # Errors
    /// [`Error::Gap`] and [`Error::Damaged`] name the entry at fault.
    pub fn replay(&self, workspace: &WorkspaceId, apply: impl FnMut(Entry)) -> Result<u64, Error> {
        history::replay(&self.connection, workspace, apply)
    }

    /// Returns the rows of the tickets that are neither completed nor cancelled.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what SQLite says.
    pub fn open_tickets(&self, workspace: &WorkspaceId) -> Result<Vec<TicketRow>, Error> {
        tickets::open_rows(&self.connection, workspace)
    }

    /// Returns the use of an idempotency key at or after `since`.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what SQLite says.
    pub fn used(&self, key: &Key<String>, since: UnixMillis) -> Result<Option<Used>, Error> {
        let (workspace, text) = key;
        let mut statement = self.connection.prepare_cached(
            "SELECT fingerprint, ticket, sequence, at FROM idempotency
             WHERE workspace = ?1 AND key = ?2 AND at >= ?3",
        )?;
        let mut rows = statement.query(params![workspace.as_str(), text, since.0])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let record = Record { table: "idempotency", workspace, number: row.get(2)?, row };
        Ok(Some(Used {
            fingerprint: record.plain(0)?,
            ticket: record.identifier(1)?,
            sequence: record.unsigned(2)?,
            at: UnixMillis(record.plain(3)?),
        }))
    }

    /// Forgets idempotency keys used before a time, at most `limit` of them, and returns how many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_used(&mut self, before: UnixMillis, limit: u32) -> Result<usize, Error> {
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM idempotency WHERE (workspace, key) IN
             (SELECT workspace, key FROM idempotency WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?;
        Ok(statement.execute(params![before.0, limit])?)
    }
}
