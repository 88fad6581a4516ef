//! Giving a database checksums, and asking whether it has them.

use std::{
    ffi::{c_int, c_void},
    ptr::null,
};

use rusqlite::{Connection, ffi};

use super::page::RESERVED_BYTES;
use crate::{Error, PAGE_BYTES};

/// A request to the layer of ours: what the database is. SQLite's own numbers end far below.
pub(super) const ASK_FORM: c_int = 0x4556_0001;
pub(super) const FORM_UNKNOWN: c_int = 0;
pub(super) const FORM_PLAIN: c_int = 1;
pub(super) const FORM_CHECKED: c_int = 2;

/// Where a database stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There was nothing in it; its pages will have checksums.
    New,
    /// Its pages have checksums.
    Checked,
    /// It is older: its pages have none, and are read as they are. [`convert`] changes that.
    Plain,
}

/// Sees to it that a new database gets checksums, and tells what an old one has.
///
/// To be called first of all, before anything is written, `PRAGMA journal_mode` included.
///
/// # Errors
/// [`Error::OtherLayer`] when the connection was opened without [`NAME`](crate::NAME), or what SQLite says;
/// `SQLITE_IOERR_DATA` is [damage](crate::last_damage).
pub fn prepare(connection: &Connection) -> Result<Standing, Error> {
    match form(connection)? {
        FORM_CHECKED => Ok(Standing::Checked),
        FORM_PLAIN => Ok(Standing::Plain),
        _ => {
            connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
            reserve(connection)?;
            Ok(Standing::New)
        }
    }
}

/// Returns whether the pages of a database have checksums. A database without any page has none yet.
///
/// # Errors
/// As for [`prepare`].
pub fn is_checked(connection: &Connection) -> Result<bool, Error> {
    Ok(form(connection)? == FORM_CHECKED)
}

/// Gives a database without checksums some, by writing all of it anew; does nothing when it has them.
///
/// The database has a write-ahead log afterwards. No other connection may be open. It takes as much room again
/// as the database has, twice for a while; when it is cut short, the database is as before or has checksums.
///
/// # Errors
/// [`Error::PageSize`] before anything is changed; [`Error::NotConverted`] when another connection was in the
/// way; or as for [`prepare`].
pub fn convert(connection: &Connection) -> Result<(), Error> {
    if is_checked(connection)? {
        return Ok(());
    }
    let size: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let size = usize::try_from(size).unwrap_or(0);
    if size != PAGE_BYTES {
        return Err(Error::PageSize { found: size });
    }
    reserve(connection)?;
    // In a log all pages are there again before the first goes into the database, whose old pages have no
    // checksums; and the first page goes first, so it is known what the others need.
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::NotConverted { why: "it cannot have a write-ahead log" });
    }
    connection.execute_batch("VACUUM")?;
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(Error::NotConverted { why: "another connection uses it" });
    }
    match form(connection)? {
        FORM_CHECKED => Ok(()),
        _ => Err(Error::NotConverted { why: "sqlite reserved no room in its pages" }),
    }
}

/// Returns what the database is, from its newest first page.
fn form(connection: &Connection) -> Result<c_int, Error> {
    // Reading the version of the schema reads the first page.
    let _: i64 = connection.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    let mut form = FORM_UNKNOWN;
    match control(connection, ASK_FORM, &mut form) {
        ffi::SQLITE_OK => Ok(form),
        _ => Err(Error::OtherLayer),
    }
}

/// Asks SQLite to reserve our bytes in pages that are made from now on.
fn reserve(connection: &Connection) -> Result<(), Error> {
    let mut bytes = c_int::from(RESERVED_BYTES);
    match control(connection, ffi::SQLITE_FCNTL_RESERVE_BYTES, &mut bytes) {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()),
    }
}

/// Makes a request whose argument is a whole number.
fn control(connection: &Connection, operation: c_int, argument: &mut c_int) -> c_int {
    let argument = (&raw mut *argument).cast::<c_void>();
    // SAFETY: the connection is open as long as it is borrowed, and used by this thread alone; null stands for
    // the main database, and both requests take a `c_int` that outlives the call.
    unsafe { ffi::sqlite3_file_control(connection.handle(), null(), operation, argument) }
}
