//! The routing core: `state + input + now -> events`. No clock, no randomness, no I/O.
//!
//! [`step`] decides what an input leads to and applies it; [`State::apply`] alone replays. The same
//! code runs in production, replay and simulation. Segments and texts never reach this module.
//!
//! - `input`: what the world tells the core, and why it may refuse
//! - `state`: what replaying a journal gives; `apply` is how
//! - `step`: from an input to events; `due`: from time passing to events
//! - `plan`: from a reading and a policy to what is looked for
//! - `queue`: waiting tickets, by what they need
//! - `matching`: who gets which ticket, and the record of why

mod apply;
mod due;
mod input;
mod matching;
mod plan;
mod queue;
mod state;
mod step;

#[cfg(test)]
mod tests;

pub use input::{AgentWrite, Input, Rejection, Transfer};
pub use plan::relaxed;
pub use state::{AgentState, OpenTicket, State};
pub use step::step;
