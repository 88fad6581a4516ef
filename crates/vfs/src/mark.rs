//! The mark: a note beside the database of how far it was durable.
//!
//! Nothing in the log itself tells a log that ends from one that was cut off. So after each sync that made a
//! transaction durable the layer writes one small record, without syncing it: where in the log the transaction
//! ends. When the process dies it is exact, as the operating system keeps what was written. When the power
//! fails it may be older, never newer than what is durable, as it is written after the sync.
//!
//! A claim is only ever lowered *before* what it counts goes away, and then it is synced: before the log is
//! deleted or cut short, before a frame that it counts is written over, before the database shrinks. So a claim
//! that the database does not meet is proof that something was lost, whatever was written last before the power
//! failed.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use rusqlite::ffi;
use twox_hash::XxHash3_64;

use crate::{
    PAGE_BYTES,
    layer::{Code, Lower, OwnFile},
};

/// What the file has instead of the ending of the database: `evenhand.db` has `evenhand.mark`.
const ENDING: &str = "mark";
/// Bytes of the record; less than a sector, so the disk writes all of it or nothing.
const BYTES: usize = 40;
/// The first bytes of the record.
const MAGIC: [u8; 8] = *b"EVHMARK1";
/// Where the checksum stands, over everything before it.
const SUM_AT: usize = BYTES - 8;

/// How far a database was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Everything up to a place in the log.
    Log(Position),
    /// Everything is in the database, which has at least so many pages.
    Database {
        /// How many.
        pages: u32,
    },
}

/// A place in the log between two transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The salts of the round; the first is the upper half and counts the rounds.
    pub salts: u64,
    /// How many frames of the round lie before the place.
    pub frames: u32,
}

impl Position {
    /// Returns whether a log with these salts was begun after this one was written into the database.
    ///
    /// SQLite adds one to the first salt whenever it begins the log anew.
    pub(crate) fn is_before(self, salts: u64) -> bool {
        let rounds = (salts >> 32).wrapping_sub(self.salts >> 32) & u64::from(u32::MAX);
        (1..=u64::from(u32::MAX / 2)).contains(&rounds)
    }
}

/// What there is in place of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// There is no file; the database is new, was never written to with a mark, or the power failed at once.
    Absent,
    /// The file does not match its checksum. It holds nothing of the database, so nothing is lost with it.
    Damaged,
    /// What it claims.
    Claim(Claim),
}

/// Returns where the mark of a database is.
#[must_use]
pub fn path(database: &Path) -> PathBuf {
    database.with_extension(ENDING)
}

/// Reads the mark of a database.
///
/// # Errors
/// What the file system says, unless there is no file.
pub fn read(database: &Path) -> io::Result<Mark> {
    match std::fs::read(path(database)) {
        Ok(bytes) => Ok(decode(&bytes).map_or(Mark::Damaged, Mark::Claim)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Mark::Absent),
        Err(error) => Err(error),
    }
}

fn encode(claim: Claim) -> [u8; BYTES] {
    let (kind, salts, count) = match claim {
        Claim::Log(Position { salts, frames }) => (1, salts, frames),
        Claim::Database { pages } => (2, 0, pages),
    };
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&u64::to_be_bytes(kind));
    bytes[16..24].copy_from_slice(&salts.to_be_bytes());
    bytes[24..32].copy_from_slice(&u64::from(count).to_be_bytes());
    let sum = XxHash3_64::oneshot(&bytes[..SUM_AT]);
    bytes[SUM_AT..].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Claim> {
    let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
    let number = |at: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[at..at + 8]);
        u64::from_be_bytes(number)
    };
    if bytes[..8] != MAGIC || number(SUM_AT) != XxHash3_64::oneshot(&bytes[..SUM_AT]) {
        return None;
    }
    let count = u32::try_from(number(24)).ok()?;
    match number(8) {
        1 => Some(Claim::Log(Position { salts: number(16), frames: count })),
        2 => Some(Claim::Database { pages: count }),
        _ => None,
    }
}

/// Writes the mark of one database.
pub(crate) struct Marker {
    lower: Lower,
    database: PathBuf,
    /// Opened when it is written first: connections that only read have none.
    file: Option<OwnFile>,
    /// What this connection claimed last; `None` when that no longer counts.
    claim: Option<Claim>,
}

impl Marker {
    pub(crate) fn new(lower: Lower, database: &Path) -> Self {
        Self { lower, database: database.to_owned(), file: None, claim: None }
    }

    /// Returns what was claimed last.
    pub(crate) fn claim(&self) -> Option<Claim> {
        self.claim
    }

    /// Takes note that what was claimed is in the database now.
    pub(crate) fn forget(&mut self) {
        self.claim = None;
    }

    /// Claims more than before, when that is durable.
    ///
    /// What is durable cannot be called failed any more, so a mark that cannot be written stays behind.
    pub(crate) fn raise(&mut self, claim: Claim) {
        self.claim = Some(claim);
        let _stays_behind = self.write(claim);
    }

    /// Claims less than before, durably, before anything that was counted goes away.
    pub(crate) fn lower(&mut self, claim: Claim) -> Code {
        let code = self.write(claim);
        if code != ffi::SQLITE_OK {
            return code;
        }
        let code =
            self.file().map_or_else(|code| code, |file| file.below().sync(ffi::SQLITE_SYNC_NORMAL));
        if code == ffi::SQLITE_OK {
            self.claim = Some(claim);
        }
        code
    }

    /// Claims only that the database has the pages that its file has.
    pub(crate) fn lower_to_database(&mut self) -> Code {
        let bytes = self.database.metadata().map_or(0, |metadata| metadata.len());
        let pages = u32::try_from(bytes / PAGE_BYTES as u64).unwrap_or(u32::MAX);
        self.lower(Claim::Database { pages })
    }

    fn write(&mut self, claim: Claim) -> Code {
        match self.file() {
            Ok(file) => file.below().write(&encode(claim), 0),
            Err(code) => code,
        }
    }

    fn file(&mut self) -> Result<&mut OwnFile, Code> {
        if self.file.is_none() {
            self.file = Some(self.lower.open(&path(&self.database))?);
        }
        self.file.as_mut().ok_or(ffi::SQLITE_CANTOPEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_or_not_at_all() {
        let log = Claim::Log(Position { salts: 0x1234_5678_9abc_def0, frames: 17 });
        for claim in [log, Claim::Database { pages: 9 }] {
            let whole = encode(claim);
            assert_eq!(decode(&whole), Some(claim));
            for bit in 0..BYTES * 8 {
                let mut flipped = whole;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&flipped), None, "bit {bit}");
            }
            assert_eq!(decode(&whole[..BYTES - 1]), None);
        }
    }

    #[test]
    fn rounds_are_counted_beyond_the_largest_number() {
        let position = Position { salts: u64::MAX, frames: 1 };
        assert!(position.is_before(7));
        assert!(!position.is_before(u64::MAX), "the same round");
        assert!(!Position { salts: 5 << 32, frames: 1 }.is_before(4 << 32), "the round before");
    }
}
