//! The layer: a checksum on every page of the database, and a check of every frame read from the log.
//!
//! # How pages are covered
//! A page of the database ends in sixteen bytes that SQLite reserves for us: a tag, the page's number and a
//! checksum over everything before it. They are written when a page goes into the database file, where its
//! number is known from its place, and are checked whenever a page is read from there. The file ends only
//! where a page ends, so a page that is not there was cut off.
//!
//! A frame of the log has a checksum of SQLite's over its page, its number and all frames before it. SQLite
//! looks at it only when it recovers; here it is looked at whenever a page is read from the log, which needs
//! eight bytes of the frame before. So the log stays exactly SQLite's, which `wal` relies on too, and the
//! sixteen bytes within it mean nothing.
//!
//! While a transaction too large for the cache is running, SQLite overwrites frames of its own without new
//! checksums, and mends them when it commits. Those are remembered here until then.
//!
//! # Which databases are covered
//! Those whose header reserves sixteen bytes, or whose first page has the tag. Either alone is damage, so that
//! no flipped bit can switch the checks off. Any other database is read and written as it is.
//!
//! A copy made by `VACUUM INTO` or SQLite's backup has checksums when it is made through this layer, and into a
//! new file; made elsewhere it has wrong ones.
//!
//! # The mark
//! After each sync of the log that makes a transaction durable, the layer writes [`mark`](crate::mark).

mod connection;
mod database;
mod log;
mod page;
mod shared;

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use connection::{Standing, convert, is_checked, prepare};
pub(crate) use log::{FRAME_BYTES, FRAME_HEADER_BYTES, LOG_HEADER_BYTES};
use rusqlite::ffi;

use self::{database::Database, log::Log, shared::Shared};
use crate::{
    Error, PAGE_BYTES,
    layer::{self, Below, Code, Layer, LayerFile, Lower, Opening, Purpose},
    mark::{Claim, Marker},
};

/// The name of the layer, to open connections with.
pub const NAME: &str = "evenhand";

/// What the name of a log has after the name of its database.
const LOG_ENDING: &[u8] = b"-wal";

/// Makes the layer known to SQLite under [`NAME`]; does nothing the second time.
///
/// # Errors
/// [`Error::NoBase`] or what SQLite says; it has run out of memory then.
pub fn register() -> Result<(), Error> {
    layer::register(NAME, None, || Box::new(Checked))
}

/// Makes the layer known under another name, on top of another layer; does nothing the second time.
///
/// # Errors
/// As for [`register`].
#[cfg(feature = "faults")]
pub fn register_over(name: &str, base: &str) -> Result<(), Error> {
    layer::register(name, Some(base), || Box::new(Checked))
}

struct Checked;

impl Layer for Checked {
    fn concerns(&self, purpose: Purpose) -> bool {
        matches!(purpose, Purpose::Database | Purpose::Log)
    }

    fn open(&self, opening: Opening, _below: Below) -> Box<dyn LayerFile> {
        let Opening { path, purpose, partner, lower } = opening;
        if purpose == Purpose::Database {
            let marker = Marker::new(lower, &path);
            return Box::new(Database::new(path, Shared::new(marker)));
        }
        let shared = partner.and_then(|partner| partner.downcast::<Shared>().ok());
        let shared = shared.unwrap_or_else(|| {
            let database = database_of(&path).unwrap_or_else(|| path.clone());
            Arc::new(Shared::new(Marker::new(lower, &database)))
        });
        Box::new(Log::new(path, shared))
    }

    /// SQLite deletes a log when everything in it is in the database, and synced; the mark must not ask for it.
    fn deleting(&self, lower: Lower, path: &Path) -> Code {
        let Some(database) = database_of(path) else { return ffi::SQLITE_OK };
        let pages = pages_of(&database);
        if pages == 0 {
            // SQLite also deletes the log of a database that has become empty; the mark tells of that.
            return ffi::SQLITE_OK;
        }
        Marker::new(lower, &database).lower(Claim::Database { pages })
    }
}

/// Returns the database that a log belongs to.
fn database_of(log: &Path) -> Option<PathBuf> {
    let stem = log.as_os_str().as_bytes().strip_suffix(LOG_ENDING)?;
    Some(PathBuf::from(OsStr::from_bytes(stem)))
}

/// Returns how many whole pages a database file has.
fn pages_of(database: &Path) -> u32 {
    let bytes = database.metadata().map_or(0, |metadata| metadata.len());
    u32::try_from(bytes / PAGE_BYTES as u64).unwrap_or(u32::MAX)
}
