//! What a connection's database file and its log know together.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::page::Form;
use crate::mark::Marker;

/// What a connection's database file and its log know together.
pub(super) struct Shared {
    state: Mutex<State>,
}

/// The part that changes.
pub(super) struct State {
    /// What the newest first page said; `None` before one was read.
    pub(super) form: Option<Form>,
    /// Frames of the running transaction whose checksums are not written yet, with sums of their pages.
    pub(super) unsealed: BTreeMap<u32, u64>,
    /// The mark beside the database.
    pub(super) marker: Marker,
}

impl Shared {
    pub(super) fn new(marker: Marker) -> Self {
        Self { state: Mutex::new(State { form: None, unsealed: BTreeMap::new(), marker }) }
    }

    /// Returns the state. No more than one call of SQLite runs for a connection, so nobody waits.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a state is whole even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
