//! Where the data is: in a folder, or in a database that many servers share.

use std::{fmt, fs::File, path::PathBuf};

use super::{Error, database::Database, postgres, sqlite};

/// Where the data is.
#[derive(Clone, Debug)]
pub enum StoreOptions {
    /// In the file `evenhand.db` of this folder, which one server has alone.
    Folder(PathBuf),
    /// In a PostgreSQL database, which many servers share.
    Postgres(Box<postgres::Options>),
}

impl fmt::Display for StoreOptions {
    /// Shows where, but neither user nor password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Postgres(options) => options.fmt(f),
        }
    }
}

impl StoreOptions {
    /// Opens what writes, and what must be kept open beside it.
    pub(super) fn writer(&self) -> Result<(Database, Option<File>), Error> {
        match self {
            Self::Folder(folder) => {
                let lock = sqlite::lock(folder)?;
                Ok((sqlite::writer(folder)?, Some(lock)))
            }
            Self::Postgres(options) => Ok((postgres::prepare(options)?, None)),
        }
    }

    /// Opens what writes once more, after its connection was lost.
    pub(super) fn writer_again(&self) -> Result<Database, Error> {
        match self {
            Self::Folder(folder) => sqlite::writer(folder),
            Self::Postgres(options) => postgres::prepare(options),
        }
    }

    /// Returns whether other servers may share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Opens what only reads.
    pub(super) fn reader(&self) -> Result<Database, Error> {
        match self {
            Self::Folder(folder) => sqlite::reader(folder),
            Self::Postgres(options) => postgres::connect(options),
        }
    }
}
