//! What must be asked before a database is opened: is everything there that was durable?
//!
//! When SQLite recovers a log it reads frames up to the first that does not fit, takes the transactions that
//! end before it, and forgets the rest without a word. After a power failure that is right: the rest is a
//! transaction that was being written. After a flipped bit it loses what was acknowledged. So the log is read
//! here first, and refused when it can be proved that more was durable than SQLite would find.
//!
//! # What the log itself proves
//! There is one writer, and it syncs each transaction before it begins the next (`synchronous = FULL`). Each
//! frame has the round's salts, which are new in each round, and a checksum that continues that of the frame
//! before it. Say the first frame that does not fit is B.
//!
//! - *A later transaction.* There is a frame F behind B that ends a transaction and continues the frame before
//!   it, and the frame behind F continues F; all with this round's salts. The frame behind F was made when F
//!   was finished, and F's transaction was synced by then, or its writer would not have gone on. B lies before
//!   F, so it was durable: **damage**.
//! - *Nothing of that kind.* Then every frame behind B may be of one transaction that was never synced, of which
//!   the disk keeps what it likes, or be left over from one that was rolled back: **no proof**. That B has this
//!   round's salts, or that a frame behind it ends a transaction, proves nothing.
//! - *The header.* It is synced before the first frame is written, and lies in one sector, so a disk has the old
//!   one or the new one, never half of each. Anything but zeros behind a header that does not match its checksum
//!   is **damage**.
//! - *The database.* Its first page is synced before there is a log, so a log with a transaction beside a
//!   database without a page is **damage**; SQLite would delete that log.
//!
//! # What only the mark proves
//! That the last transaction is missing, or the end of the log, or all of it: see [`mark`](crate::mark). A claim
//! on this round must be met. A claim on an earlier round is met, as SQLite begins a round only when the one
//! before is in the database and synced. Any other claim on a log is not met.
//!
//! # What remains
//! Damage to the last durable transaction, or to the frame that ends the one before it, after a power failure
//! that also took the newest marks with it: that looks like a transaction that was being written.

pub(crate) mod format;
mod frames;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use frames::Log;

use crate::{
    PAGE_BYTES,
    mark::{self, Claim, Mark, Position},
};

/// What SQLite will find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalState {
    /// The log.
    pub log: Log,
    /// The mark, which the log meets. Without one, or with a damaged one, the end of the log is taken on trust.
    pub mark: Mark,
}

/// More was durable than SQLite would find.
#[derive(Debug, thiserror::Error)]
pub enum WalDamage {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The log's header is damaged, and it has frames.
    #[error("the header of {} is damaged: all of its transactions would be lost", path.display())]
    Header {
        /// The log.
        path: PathBuf,
    },
    /// A frame is damaged that was durable.
    #[error(
        "frame {frame} of {} is damaged: SQLite would keep {kept} frames and lose those up to frame {durable}",
        path.display()
    )]
    Frame {
        /// The log.
        path: PathBuf,
        /// The damaged frame, from 1.
        frame: u32,
        /// How many frames SQLite would keep.
        kept: u32,
        /// A frame that ends a transaction which was durable.
        durable: u32,
    },
    /// The log ends before what the mark says.
    #[error("{} has {found} frames of transactions where {claimed} were durable", path.display())]
    Short {
        /// The log.
        path: PathBuf,
        /// How many frames SQLite would keep.
        found: u32,
        /// How many were durable.
        claimed: u32,
    },
    /// The log is gone, or another one is in its place.
    #[error("{} is gone or another one: {claimed} frames of it were durable", path.display())]
    Lost {
        /// The log.
        path: PathBuf,
        /// How many frames were durable.
        claimed: u32,
    },
    /// The database file ends before what was durable.
    #[error("{} has {found} pages where there were {claimed} or more", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// How many whole pages it has.
        found: u64,
        /// How many there were at least.
        claimed: u32,
    },
}

/// Asks whether everything is there that was durable, before the database is opened.
///
/// Nobody may write to the database meanwhile: to be called under the lock that its writer takes. It reads
/// all of the log once and changes nothing.
///
/// # Errors
/// [`WalDamage`] says what is missing. Opening the database then would make the loss final.
pub fn verify(database: &Path) -> Result<WalState, WalDamage> {
    let path = log_of(database);
    let log = frames::read(&path)?;
    let mark_path = mark::path(database);
    let mark =
        mark::read(database).map_err(|source| WalDamage::Unreadable { path: mark_path, source })?;
    let bytes = match database.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(source) => return Err(WalDamage::Unreadable { path: database.to_owned(), source }),
    };
    let pages = bytes / PAGE_BYTES as u64;
    let (kept, salts) = match log {
        Log::Empty => (0, None),
        Log::Round { kept, salts, .. } => (kept, Some(salts)),
    };
    let short_database =
        |claimed| WalDamage::Database { path: database.to_owned(), found: pages, claimed };
    match mark {
        Mark::Claim(Claim::Log(claim)) => meets(path, claim, kept, salts)?,
        Mark::Claim(Claim::Database { pages: claimed }) if pages < u64::from(claimed) => {
            return Err(short_database(claimed));
        }
        Mark::Claim(Claim::Database { .. }) | Mark::Absent | Mark::Damaged => {}
    }
    if bytes == 0 && kept > 0 {
        return Err(short_database(1));
    }
    Ok(WalState { log, mark })
}

/// Refuses a log that does not meet a claim.
fn meets(path: PathBuf, claim: Position, kept: u32, salts: Option<u64>) -> Result<(), WalDamage> {
    let claimed = claim.frames;
    match salts {
        Some(salts) if salts == claim.salts && kept >= claimed => Ok(()),
        Some(salts) if salts == claim.salts => Err(WalDamage::Short { path, found: kept, claimed }),
        Some(salts) if claim.is_before(salts) => Ok(()),
        // Nothing was claimed of a round without a transaction.
        _ if claimed == 0 => Ok(()),
        _ => Err(WalDamage::Lost { path, claimed }),
    }
}

/// Returns the path of a database's log.
fn log_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    PathBuf::from(path)
}
