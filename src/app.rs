//! The engine: one thread that decides, journals and then answers.
//!
//! Callers get a cheap cloneable [`Handle`]. Commands are applied to the routing core in the order they
//! come, journalled together in one durable transaction, and answered after it. Every stream is a cursor
//! over the journal, woken by a counter, so it can resume and never queues without bound.
//!
//! - `handle` and `questions`: what callers see; `types` and `views`: what they hand in and get back; `page`: lists
//! - `inbox`: the bounded queues; `engine`: the thread that empties them
//! - `workspace`: one workspace in memory; `projection`: what lists know of a ticket
//! - `backlog`: which tickets are still to be read; `reader`: who reads them
//! - `alarms`: which alarms stand; `evidence`: tickets for those who watch how they are treated
//! - `cluster`: one server among many that share a database
//! - `choices`: what ordered the agents at a decision
//! - `outbox`: the journals as sinks of events see them
//! - `snapshots`: state kept now and then, so that a start is short
//! - `recent`: what became durable lately; `topics`: what wakes streams; `steady`: time; `standard_policy`: what a new workspace starts with

mod alarms;
mod backlog;
mod choices;
mod cluster;
mod engine;
mod evidence;
mod handle;
mod inbox;
mod metrics;
mod outbox;
mod page;
mod projection;
mod questions;
mod reader;
mod recent;
mod snapshots;
mod standard_policy;
mod steady;
#[cfg(test)]
mod tests;
mod topics;
mod types;
mod views;
mod workspace;

pub use crate::store::{PostgresOptions, StoreOptions};
pub use alarms::Alarms;
pub use cluster::Owner;
pub use handle::{Handle, Parts, Peering, start};
pub use reader::Colleagues;
pub use standard_policy::policy as standard_policy;
pub use types::{
    Acknowledgement, Action, AgentView, AlarmView, Command, DecisionFilter, DecisionView, DeskView,
    EntryFilter, Error, Idempotency, LoadView, OfferView, Page, PageRequest, Receipt, TicketFilter,
    TicketView, Topic, UnstaffedView, WorkspaceView,
};
