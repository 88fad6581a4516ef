//! The engine: one thread that decides, journals and then answers.
//!
//! Callers get a cheap cloneable [`Handle`]. Commands are applied to the routing core in the order they
//! come, journalled together in one durable transaction, and answered after it. Every stream is a cursor
//! over the journal, woken by a counter, so it can resume and never queues without bound.

mod handle;
mod types;

pub use handle::{Handle, Parts, start};
pub use types::{
    Action, AgentView, Command, DecisionFilter, DecisionView, DeskView, EntryFilter, Error,
    Idempotency, LoadView, OfferView, Page, PageRequest, Receipt, TicketFilter, TicketView, Topic,
    WorkspaceView,
};
