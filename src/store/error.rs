//! Why the store failed. No variant carries stored content.

use std::{fmt, path::PathBuf};

use super::Partition;
use crate::domain::id::WorkspaceId;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said no.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL said no, or cannot be reached.
    #[error("postgres: {0}")]
    Postgres(Refusal),
    /// The connection broke while a transaction was to become durable: it is, or it is not.
    #[error("the connection broke during a commit")]
    Unknown,
    /// Another server writes for this partition now.
    #[error("another server has taken over partition {}", partition.0)]
    LeaseLost {
        /// The partition.
        partition: Partition,
    },
    /// The URL of the database cannot be used.
    #[error(
        "the database URL cannot be used: {why}; it looks like postgres://user:password@host:5432/database"
    )]
    Url {
        /// Why not.
        why: String,
    },
    /// Certificates cannot be read.
    #[error("cannot read certificates in {}: {why}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The database server may lose what it says it has.
    #[error(
        "the database server has `{setting} = {value}`: what it acknowledges can be lost; switch it on"
    )]
    UnsafeSetting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: &'static str,
    },
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
    /// There is a database where a copy was to go.
    #[error("{} is there already; name a folder without a database", path.display())]
    Taken {
        /// The database.
        path: PathBuf,
    },
    /// A name that the database cannot take.
    #[error("{} is not written in UTF-8", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// The layer between SQLite and the file system could not be used.
    #[error("the database's checksums: {0}")]
    Layer(#[from] evenhand_vfs::Error),
    /// The write-ahead log has lost something that was acknowledged.
    #[error(
        "the log of {} is damaged: {damage}; what is older can be read in a copy without the log and the mark",
        path.display()
    )]
    Log {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        damage: String,
    },
    /// Pages of the file are damaged.
    #[error("{} is damaged: {found}", path.display())]
    Pages {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
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

/// What PostgreSQL said, without the values it may have said it about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// SQLSTATE; none when the connection itself failed.
    code: Option<String>,
    /// The constraint, or how the connection failed.
    what: String,
}

impl Refusal {
    /// The connection failed in a way that only we noticed.
    pub(super) fn lost(what: &str) -> Self {
        Self { code: None, what: what.to_owned() }
    }

    /// Returns the SQLSTATE.
    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns whether the connection is lost: it broke, or the server ended it.
    pub(super) fn is_lost(&self) -> bool {
        // Class 08 is the connection, 57 the server's shutting down.
        self.code().is_none_or(|code| code.starts_with("08") || code.starts_with("57P"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "SQLSTATE {code} {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(match error.as_db_error() {
            Some(said) => Refusal {
                code: Some(said.code().code().to_owned()),
                what: said.constraint().or(said.table()).unwrap_or_default().to_owned(),
            },
            None => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                Refusal { code: None, what: format!("{error}{}", cause.unwrap_or_default()) }
            }
        })
    }
}

impl Error {
    /// Returns the error for a part of the database's own tables that is not as it should be.
    pub(super) fn unexpected(what: &'static str) -> Self {
        Self::Damaged { table: "workspace", workspace: String::new(), number: 0, what }
    }

    /// Returns whether it is unknown if the transaction became durable.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Returns whether the connection to the database is lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Postgres(refusal) => refusal.is_lost(),
            _ => false,
        }
    }

    /// Returns whether the disk is full: of this machine, or of the database server.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Postgres(refusal) => refusal.code() == Some("53100"),
            _ => false,
        }
    }

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
                ffi::SQLITE_IOERR_FSYNC
                    | ffi::SQLITE_IOERR_DIR_FSYNC
                    | ffi::SQLITE_IOERR_CLOSE
                    | ffi::SQLITE_IOERR_DATA
            )
    }
}
