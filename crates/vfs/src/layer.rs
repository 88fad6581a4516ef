//! A layer between SQLite and the layer below it, in safe terms: what a layer does not change is passed on.
//!
//! SQLite calls a file system through two tables of functions, one for the system and one for each open file.
//! `system` and `file` fill those tables; a layer implements [`Layer`] and [`LayerFile`].

mod below;
mod file;
mod system;

use std::{
    ffi::{CStr, OsStr, c_int, c_void},
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) use below::{Below, Lower, OwnFile};
use rusqlite::ffi;
pub(crate) use system::register;

/// A code of SQLite: `SQLITE_OK` or what went wrong.
pub(crate) type Code = c_int;

/// What a file is for; files of other kinds are left to the layer below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A database that has a name.
    Database,
    /// The write-ahead log of one.
    Log,
    /// A rollback journal, or a file of the layer above.
    Beside,
    /// Temporary: it ends with its connection.
    Temporary,
}

impl Purpose {
    fn of(flags: c_int) -> Self {
        if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
            Self::Database
        } else if flags & ffi::SQLITE_OPEN_WAL != 0 {
            Self::Log
        } else if flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL) != 0 {
            Self::Beside
        } else {
            Self::Temporary
        }
    }
}

/// A file that is being opened.
pub(crate) struct Opening {
    /// Its path, absolute.
    pub(crate) path: PathBuf,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// Of a log, what the layer keeps for its database.
    pub(crate) partner: Option<Arc<dyn std::any::Any + Send + Sync>>,
    /// The system that the layer is built on.
    pub(crate) lower: Lower,
}

/// The part of a layer that is there once.
pub(crate) trait Layer: Send + Sync + 'static {
    /// Whether files for this purpose go through the layer.
    fn concerns(&self, purpose: Purpose) -> bool;

    /// Wraps a file that the layer below has opened.
    fn open(&self, opening: Opening, below: Below) -> Box<dyn LayerFile>;

    /// Comes before a file is deleted; anything but `SQLITE_OK` keeps it.
    fn deleting(&self, _lower: Lower, _path: &Path) -> Code {
        ffi::SQLITE_OK
    }

    /// Comes after a file was deleted; `synced` says whether the folder was synced too.
    fn deleted(&self, _path: &Path, _synced: bool) {}
}

/// An open file of a layer. SQLite calls no two of these at once for one file.
pub(crate) trait LayerFile: Send {
    /// Reads all of `out`; what lies behind the end is zero, and the code says so.
    fn read(&mut self, below: Below, out: &mut [u8], at: u64) -> Code {
        below.read(out, at)
    }

    /// Writes all of `data`.
    fn write(&mut self, below: Below, data: &[u8], at: u64) -> Code {
        below.write(data, at)
    }

    /// Sets the length of the file.
    fn truncate(&mut self, below: Below, bytes: u64) -> Code {
        below.truncate(bytes)
    }

    /// Makes everything durable that was written.
    fn sync(&mut self, below: Below, flags: c_int) -> Code {
        below.sync(flags)
    }

    /// Answers a request; `None` passes it on. `argument` is what `operation` says it is.
    fn control(&mut self, _operation: c_int, _argument: *mut c_void) -> Option<Code> {
        None
    }

    /// Comes before locks of the log's index are taken or given back.
    fn index_lock(&mut self, _offset: c_int, _count: c_int, _flags: c_int) {}

    /// Comes before a part of the log's index is mapped, which may make it longer.
    fn index_map(&mut self, _extends: bool) -> Code {
        ffi::SQLITE_OK
    }

    /// What the layer keeps for a database and its log together.
    fn partner(&self) -> Option<Arc<dyn std::any::Any + Send + Sync>> {
        None
    }
}

/// Reads a path that SQLite gave.
///
/// # Safety
/// `name` is null or a string that ends in a zero byte and outlives the call.
unsafe fn path_of(name: *const std::ffi::c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: it is not null, and the caller promises the rest.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    Some(PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)))
}
