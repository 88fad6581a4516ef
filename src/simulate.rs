//! The production routing core on a virtual clock: what a policy would do, before anybody meets it.
//!
//! A [`Scenario`] says which tickets come, who is there and how they answer; [`simulate()`] lets the same
//! [`step`](crate::routing::step) decide that decides in production; [`Report`] says how long tickets
//! wait and how busy agents are, with intervals over independent runs. Where queueing theory has a
//! formula, the tests hold the simulation to it.
//!
//! - `scenario`: TOML, checked; `setup`: the same in the core's words
//! - `random`, `arrivals`: draws; `world`: one run; `runs`: many
//! - `tally`, `statistics`: what is measured, and how sure it is
//! - `report`: the result as data; `text`, `page`: for people

mod arrivals;
mod page;
mod random;
mod report;
mod runs;
mod scenario;
mod setup;
mod statistics;
mod tally;
mod text;
mod world;

#[cfg(test)]
mod tests;

pub use page::page;
pub use random::Law;
pub use report::{Report, Results, TicketMeasures};
pub use runs::{Options, simulate};
pub use scenario::{Class, Order, Pattern, PolicyKeys, Problem, Scenario, ScenarioError, Team};
pub use statistics::Measure;
pub use tally::{AgentResult, ClassResult, RunResult};
pub use text::text;
pub use world::RunError;
