//! What was found to be damaged last: SQLite's error says only that something was.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// A page that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Which page of it.
    pub place: Place,
    /// What is wrong with it.
    pub kind: Kind,
}

/// Where a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the database: the number of the page, from 1.
    Page(u32),
    /// In the log: the number of the frame, from 1.
    Frame(u32),
}

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its checksum is of other content.
    Changed,
    /// It is a whole page, but that of another number: written or read at the wrong place.
    Misplaced {
        /// The number it has.
        number: u32,
    },
    /// The file ends before or within it.
    Missing,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Page(number) => write!(f, "page {number}")?,
            Place::Frame(number) => write!(f, "frame {number}")?,
        }
        write!(f, " of {} ", self.path.display())?;
        match self.kind {
            Kind::Changed => write!(f, "does not match its checksum"),
            Kind::Misplaced { number } => write!(f, "holds page {number}"),
            Kind::Missing => write!(f, "is missing"),
        }
    }
}

static LAST: Mutex<Option<Damage>> = Mutex::new(None);
static FOUND: AtomicU64 = AtomicU64::new(0);

/// Returns what any connection of this process found to be damaged last.
#[must_use]
pub fn last_damage() -> Option<Damage> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Returns how often damage was found since the process began, the same page each time it was read.
///
/// Checkpoints that SQLite makes by itself fail without a word; a number that grew tells of it.
#[must_use]
pub fn times_found() -> u64 {
    FOUND.load(Ordering::Relaxed)
}

/// Keeps what was found.
pub(crate) fn report(damage: Damage) {
    FOUND.fetch_add(1, Ordering::Relaxed);
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(damage);
}
