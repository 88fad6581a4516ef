//! The journal and what is kept beside it, in SQLite.
//!
//! [`Store`] is the one writer: a [`Batch`] becomes durable as a whole or not at all. [`Readers`] answer
//! questions from what is durable, beside the writer. Stored records and how old ones stay readable
//! are in `records`. This module knows the domain but not routing.

mod batch;
mod commit;
mod error;
mod history;
mod journal;
mod open;
mod readers;
mod records;
#[cfg(test)]
mod tests;
mod tickets;
mod writer;

pub use batch::{Batch, Key, NewTicket, TicketDetail, TicketRow, Used};
pub use error::Error;
pub use history::{
    entry_count, read_folder, replay, segments, workspace_names, workspaces_with_tickets,
};
pub use journal::{
    Subject, agent_counts, decisions, entries, entry, plan_before, policy, policy_set_before,
    workspace_exists,
};
pub use readers::{Readers, Snapshot};
pub use tickets::{StoredTicket, TicketQuery, facts, payload, texts, ticket, tickets};
pub use writer::Store;
