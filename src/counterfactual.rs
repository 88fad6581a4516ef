//! Whether the reading model treats the same ticket differently when only one thing about it changes.
//!
//! A ticket is written again with another name, pronoun, dialect, tone or slip of the pen, and both texts
//! are read: any difference is the model's, as the facts are the same. What each axis changes and which
//! limits it is held to stands in `docs/model-audit.md`. Nothing here reads a text, a file or a clock:
//!
//! - `tickets`: the tickets, our own or somebody's; `swaps`: what is swapped, from `swaps.toml`
//! - `plan`, with `people`, `words` and `tones`: from tickets to texts and pairs of them
//! - `measure`: from readings to differences with intervals and tests; `limits`: which are too large
//! - `text` and `page`: for people

mod limits;
mod measure;
mod page;
mod people;
mod plan;
mod swaps;
mod text;
mod tickets;
mod tones;
mod words;

#[cfg(test)]
mod tests;

pub use limits::{Check, Gate, Outcome};
pub use measure::{Audit, AxisAudit, Changed, Comparison, Example, Read, Said, Shift, Turned};
pub use page::page;
pub use plan::{Pair, Plan};
pub use swaps::{Kind, Swaps, SwapsError};
pub use text::text;
pub use tickets::{Ticket, own_tickets};
