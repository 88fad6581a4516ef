//! What another policy would have done with what really came: history, replayed on a virtual clock.
//!
//! The journal says which tickets came, how they were read, who was there, how long the work took and how
//! agents answered. [`backtest()`] lets the production [`step`](crate::routing::step) route the same history
//! twice, under the policies as they were and under another one, and measures both beside what really
//! happened. docs/backtest.md says what is taken as it was, what is modelled, and what is left out.
//!
//! - `candidate`: the policy to try, from a file
//! - `history`, `past`: what the journal says; `luck`: draws that both runs share
//! - `world`: one run around the core
//! - `tally`, `measures`, `equity`, `groups`: what became of tickets and agents, in numbers
//! - `difference`: candidate less baseline, with intervals; `report`: all of it as data
//! - `text`, `page`: for people

mod candidate;
mod difference;
mod equity;
mod groups;
mod history;
mod luck;
mod measures;
mod page;
mod past;
mod report;
mod tally;
mod text;
mod world;

#[cfg(test)]
mod tests;

pub use candidate::{Candidate, Problem};
pub use difference::{Difference, Differences, Verdict};
pub(crate) use equity::equity;
pub use equity::{AgentLoad, Equity, HardTickets, Spread};
pub use groups::{AttributeGroups, GroupMeasures, Segments};
pub use history::{History, HistoryReader};
pub use measures::{Measures, Share, SkillMatch, Waits};
pub use page::page;
pub use report::{PolicyVersions, Replayed, Report, Request, backtest};
pub(crate) use tally::Tally;
pub use text::text;
pub use world::RunError;
