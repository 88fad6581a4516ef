//! The state of a workspace as compact bytes, and back: a start reads these and replays only what the
//! journal has after them.
//!
//! Equal states have equal bytes, whether they were lived through or replayed. What follows from the
//! rest is not written but worked out again: timers, the queue, classes and who is free. Who had gathered
//! for a batch is not written either, as it is not in the journal; see [`State::gather_all`].
//!
//! - `write`, `read`: numbers and texts, and how they are checked
//! - `shared`: plans, intakes and needs; `readings`, `tickets`, `agents`: one of each
//! - `restore`: the way back into a state

mod agents;
mod read;
mod readings;
mod restore;
mod shared;
mod tickets;
mod write;

#[cfg(test)]
mod tests;

use write::Writer;

use super::{slab::Slab, state::State};
use crate::domain::time::UnixMillis;

/// The form of the bytes, which begin with it. One more whenever what is written changes, in order,
/// fields or numbers: a snapshot of another form is not read, and the whole journal is replayed instead.
const FORMAT: u32 = 1;
/// Most units of capacity that are read: so far above
/// [`CAPACITY_UNITS_MAX`](crate::domain::limits::CAPACITY_UNITS_MAX) that no agent has them, and so few
/// that sums and percentages of them can be reckoned.
const UNITS_MAX: u32 = 1 << 20;

/// Why there is no state or no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It was written in another form; the whole journal gives the state.
    #[error("the snapshot has form {found}, not {known}")]
    Format {
        /// The form of the snapshot.
        found: u32,
        /// The form that is read.
        known: u32,
    },
    /// The bytes are not those of a snapshot.
    #[error("the snapshot is damaged: byte {at_byte} should end {what}")]
    Damaged {
        /// What should have been there.
        what: &'static str,
        /// Bytes read so far.
        at_byte: usize,
    },
    /// A policy or a profile has no form in the journal.
    #[error("a policy or a profile cannot be written")]
    Unwritable,
}

impl State {
    /// Returns the state as bytes, from which [`State::from_snapshot`] makes it again.
    ///
    /// # Errors
    /// [`SnapshotError::Unwritable`], for what no journal could hold.
    pub fn to_snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        let Self {
            settings,
            settings_version,
            skills,
            agents,
            policy,
            closed,
            hours_at,
            tickets,
            received,
            index,
            // These follow.
            timers: _,
            counts_waiting: _,
            waiting_by_route: _,
            plans: _,
            intakes: _,
            // These are not in the journal.
            stirred: _,
            gathering: _,
        } = self;
        let mut writer = Writer::default();
        writer.bytes.extend(FORMAT.to_le_bytes());
        writer.json(settings)?;
        writer.u64(*settings_version);
        writer.json(skills)?;
        writer.json(policy)?;
        writer.bool(*closed);
        writer.maybe_time(*hours_at);
        writer.u64(*received);
        writer.slots(agents.slots());
        for (_, agent) in agents.slots().iter() {
            writer.agent(agent)?;
        }
        writer.paces(index.paces());
        writer.slots(tickets.slots());
        let mut before = UnixMillis(0);
        for (_, open) in tickets.iter() {
            writer.ticket(open, before);
            before = open.received_at;
        }
        Ok(writer.bytes)
    }
}

impl Writer<'_> {
    /// Writes which numbers there are: how many, and which are free.
    fn slots<K: super::slab::Number, T>(&mut self, slab: &Slab<K, T>) {
        self.len(slab.len() + slab.vacant().len());
        self.len(slab.vacant().len());
        slab.vacant().iter().for_each(|vacant| self.u32(*vacant));
    }
}
