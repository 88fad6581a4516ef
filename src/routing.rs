//! The routing core: `state + input + now -> events`. No clock, no randomness, no I/O.
//!
//! [`step`] decides what an input leads to and applies it; [`State::apply`] alone replays. The same
//! code runs in production, replay and simulation. Segments and texts never reach this module.

mod input;
mod state;

pub use input::{AgentWrite, Input, Rejection, Transfer};
pub use state::{AgentState, OpenTicket, State};

use crate::domain::{event::Event, time::UnixMillis};

/// Applies `input` at `now`, then everything that is due and every match it makes possible.
///
/// Returns the events that happened, in order; the caller journals them. The state is changed only
/// when the input is accepted.
///
/// # Errors
/// [`Rejection`] says why nothing happened.
pub fn step(state: &mut State, input: Input, now: UnixMillis) -> Result<Vec<Event>, Rejection> {
    let _ = (state, input, now);
    unimplemented!("written next")
}
