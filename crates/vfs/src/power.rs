//! A layer for tests that remembers what was written and what was synced, and makes calls fail by plan.
//!
//! Files are real and always up to date, so everything runs as usual. Beside that each call is kept; from the
//! calls up to any place, [`Disk`] works out what a disk may hold when the power fails there.

mod disk;

use std::{
    any::Any,
    ffi::c_int,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use disk::{Disk, Mercy};
use rusqlite::ffi;

use crate::{
    Error,
    layer::{self, Below, Code, Layer, LayerFile, Lower, Opening, Purpose},
};

/// A call that changed something, or made it durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A file was opened, and made if it was missing.
    Opened(Arc<Path>),
    /// Bytes were written.
    Written(Arc<Path>, u64, Vec<u8>),
    /// The length of a file was set.
    Truncated(Arc<Path>, u64),
    /// A file was synced.
    Synced(Arc<Path>),
    /// A file was deleted; the flag says that its folder was synced then.
    Deleted(PathBuf, bool),
}

/// Which calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Writes to any file.
    Write,
    /// Syncs of any file.
    Sync,
    /// Growing the index of the log.
    IndexGrowth,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The disk is full, nothing is written.
    Full,
    /// The disk is full, and half is written.
    Half,
    /// The disk says no.
    Io,
}

/// Which call fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which calls are counted.
    pub call: Call,
    /// The one that fails, from 1; counting begins with the plan.
    pub nth: u64,
    /// How it fails.
    pub failure: Failure,
    /// Whether all after it fail too.
    pub lasts: bool,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    plan: Option<Plan>,
    /// Calls counted since the plan was made.
    counted: u64,
    /// Calls that failed since the plan was made.
    failed: u64,
}

/// The one who keeps the record and makes plans.
#[derive(Clone, Default)]
pub struct Power(Arc<Mutex<State>>);

impl Power {
    /// Makes the layer known to SQLite under a name that is not taken, on top of the default.
    ///
    /// # Errors
    /// [`Error::NoBase`] or what SQLite says.
    pub fn register(name: &str) -> Result<Self, Error> {
        let power = Self::default();
        let kept = power.clone();
        layer::register(name, None, || Box::new(kept))?;
        Ok(power)
    }

    /// Returns how many calls were kept.
    #[must_use]
    pub fn place(&self) -> usize {
        self.state().events.len()
    }

    /// Returns the calls that were kept, and begins anew.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.state().events)
    }

    /// Sets what fails from now on, and returns how many calls have failed by the plan before.
    pub fn plan(&self, plan: Option<Plan>) -> u64 {
        let mut state = self.state();
        (state.plan, state.counted) = (plan, 0);
        std::mem::take(&mut state.failed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, event: Event) {
        self.state().events.push(event);
    }

    /// Counts a call and says how it fails, if it does.
    fn fails(&self, call: Call) -> Option<Failure> {
        let mut state = self.state();
        let plan = state.plan.filter(|plan| plan.call == call)?;
        state.counted += 1;
        let is_due = state.counted == plan.nth || (plan.lasts && state.counted > plan.nth);
        state.failed += u64::from(is_due);
        is_due.then_some(plan.failure)
    }
}

impl Layer for Power {
    fn concerns(&self, purpose: Purpose) -> bool {
        purpose != Purpose::Temporary
    }

    fn open(&self, opening: Opening, _below: Below) -> Box<dyn LayerFile> {
        let path: Arc<Path> = opening.path.into();
        self.keep(Event::Opened(Arc::clone(&path)));
        Box::new(Recorded { power: self.clone(), path })
    }

    fn deleted(&self, path: &Path, synced: bool) {
        self.keep(Event::Deleted(path.to_owned(), synced));
    }

    fn deleting(&self, _lower: Lower, _path: &Path) -> Code {
        ffi::SQLITE_OK
    }
}

/// A file whose calls are kept.
struct Recorded {
    power: Power,
    path: Arc<Path>,
}

impl Recorded {
    fn path(&self) -> Arc<Path> {
        Arc::clone(&self.path)
    }
}

impl LayerFile for Recorded {
    fn write(&mut self, below: Below, data: &[u8], at: u64) -> Code {
        let (written, answer) = match self.power.fails(Call::Write) {
            None => (data.len(), ffi::SQLITE_OK),
            Some(Failure::Full) => (0, ffi::SQLITE_FULL),
            Some(Failure::Half) => (data.len() / 2, ffi::SQLITE_FULL),
            Some(Failure::Io) => (0, ffi::SQLITE_IOERR_WRITE),
        };
        if written > 0 {
            let data = &data[..written];
            let code = below.write(data, at);
            if code != ffi::SQLITE_OK {
                return code;
            }
            self.power.keep(Event::Written(self.path(), at, data.to_vec()));
        }
        answer
    }

    fn truncate(&mut self, below: Below, bytes: u64) -> Code {
        let code = below.truncate(bytes);
        if code == ffi::SQLITE_OK {
            self.power.keep(Event::Truncated(self.path(), bytes));
        }
        code
    }

    fn sync(&mut self, below: Below, flags: c_int) -> Code {
        if self.power.fails(Call::Sync).is_some() {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        // Nobody waits for the real disk, whose power stays on.
        let _ = (below, flags);
        self.power.keep(Event::Synced(self.path()));
        ffi::SQLITE_OK
    }

    fn index_map(&mut self, extends: bool) -> Code {
        if extends && self.power.fails(Call::IndexGrowth).is_some() {
            return ffi::SQLITE_IOERR_SHMSIZE;
        }
        ffi::SQLITE_OK
    }

    fn partner(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }
}
