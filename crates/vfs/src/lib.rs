//! A checksum on every page of an SQLite database, and proof that its write-ahead log has lost nothing.
//!
//! SQLite believes the disk. A flipped bit in a page is read as data, and after a flipped bit in the log it
//! drops everything behind it without a word: transactions that were acknowledged. This crate puts a layer
//! between SQLite and the file system that finds both, and says so.
//!
//! # Layout
//! - [`checked`]: the layer: pages carry a checksum in the database, frames are checked in the log
//! - [`wal`]: what must be asked before a database is opened: is everything there that was durable?
//! - [`mark`]: the note beside the database of how far it was durable
//! - [`damage`]: what was found to be damaged last
//! - `power`, with the feature `faults`: a layer for tests that cuts the power and makes calls fail
//!
//! # What it cannot find
//! A page that is whole but old, because the disk dropped a later write to the database file that it had
//! confirmed; a page of another such database at the same place; and damage by somebody who wants it, since
//! checksums are no signatures. Only pages that are read are checked.
//!
//! Programs that do not know the checksums may read such a database, but must not write to it or empty its log:
//! they leave wrong checksums behind.
//!
//! `unsafe` is allowed here as SQLite's interface is one of C; each use says why it is sound.

#![expect(unsafe_code, reason = "the interface is C; every use says why it is sound")]

pub mod checked;
pub mod damage;
mod layer;
pub mod mark;
#[cfg(feature = "faults")]
pub mod power;
pub mod wal;

pub use checked::{NAME, Standing, convert, is_checked, prepare, register};
pub use damage::{Damage, last_damage};

/// Bytes of a page, of the database's and of the log's.
pub const PAGE_BYTES: usize = 4096;

/// Why a database could not be given checksums, or not be asked for them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said no.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// SQLite has no such layer to build on.
    #[error("sqlite has no file system layer {name:?}")]
    NoBase {
        /// The name looked for; empty for the default.
        name: String,
    },
    /// The connection does not go through the layer.
    #[error("the connection was not opened with the layer {NAME:?}")]
    OtherLayer,
    /// The database has pages of another size.
    #[error("the database has pages of {found} bytes, {PAGE_BYTES} are needed")]
    PageSize {
        /// Their size.
        found: usize,
    },
    /// SQLite rewrote the database, and it still has no checksums.
    #[error("the database could not be given checksums: {why}")]
    NotConverted {
        /// What was in the way.
        why: &'static str,
    },
}
