//! Why the store failed. No variant carries stored content.

use std::path::PathBuf;

use crate::domain::id::WorkspaceId;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said no.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried, for example `create the folder`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another server has the folder.
    #[error("the data folder {} is in use by another server", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file is a database of something else.
    #[error("{} is not an Evenhand database (application id {found:#010x})", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// The application id in it.
        found: i32,
    },
    /// A newer program wrote it.
    #[error(
        "{} has schema version {found}; this program knows versions up to {known}: use the newer program",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: usize,
        /// The newest version known here.
        known: usize,
    },
    /// SQLite could not switch the file to write-ahead logging.
    #[error("{} cannot use write-ahead logging; is it on a network file system?", path.display())]
    NoWriteAheadLog {
        /// The file.
        path: PathBuf,
    },
    /// Journal entries are missing.
    #[error("the journal of workspace {workspace} has entry {found} where {expected} belongs")]
    Gap {
        /// The workspace.
        workspace: WorkspaceId,
        /// The sequence number that belongs there.
        expected: u64,
        /// The one found.
        found: u64,
    },
    /// A stored record cannot be read.
    #[error("{what} in {table} of workspace {workspace} at {number} cannot be read")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The workspace.
        workspace: String,
        /// Sequence or ticket number of the record.
        number: i64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The tables beside the journal do not match it.
    #[error("the ticket table of workspace {workspace} does not match its journal")]
    Mismatch {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// A record holds a number that is not finite, which could not be read back.
    #[error("a {kind} entry holds a number that is not finite")]
    NotFinite {
        /// Type of the event.
        kind: &'static str,
    },
    /// Something in the same transaction failed, so nothing of it was done. The log has the cause.
    #[error("the transaction was rolled back")]
    RolledBack,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A reading thread ended without an answer.
    #[error("a reading thread of the store ended early")]
    ReaderLost,
}

impl Error {
    /// Returns whether the file can no longer be trusted to keep what is written.
    ///
    /// After a failed sync the operating system may drop the pages it could not write and report
    /// success the next time, so trying again would acknowledge what is not durable.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        use rusqlite::{ErrorCode, ffi};
        let Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = self else { return false };
        matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            || matches!(
                failure.extended_code,
                ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC | ffi::SQLITE_IOERR_CLOSE
            )
    }
}
