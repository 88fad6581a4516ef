//! The routing core: `state + input + now -> events`. No clock, no randomness, no I/O.
//!
//! [`step`] decides what an input leads to and applies it; [`State::apply`] alone replays. The same
//! code runs in production, replay and simulation. Segments and texts never reach this module.
//!
//! - `input`: what the world tells the core, and why it may refuse
//! - `state`, with `agents` and `tickets`: what replaying a journal gives; `apply` is how
//! - `step`: from an input to events; `step/due`: from time passing to events
//! - `plan`: from a reading and a policy to what is looked for
//! - `class`, `queue`, `free`, `index`: tickets of equal needs, who waits, who is free; `slab`: by number
//! - `queries`: what people ask about the queue
//! - `snapshot`: the state as bytes, and back
//! - `matching` and `batch` (with `assignment`): who is asked for which ticket; `decide`: why

mod agents;
mod apply;
mod assignment;
mod batch;
mod class;
mod decide;
mod free;
mod index;
mod input;
mod matching;
mod plan;
mod queries;
mod queue;
mod slab;
mod snapshot;
mod state;
mod step;
mod tickets;

#[cfg(test)]
pub(crate) mod tests;

pub use agents::AgentState;
pub use input::{AgentWrite, Input, Rejection, Transfer};
pub use plan::plan_by_reading;
pub use queries::{Estimate, Unstaffed};
pub use snapshot::SnapshotError;
pub use state::State;
pub use step::step;
pub use tickets::OpenTicket;
