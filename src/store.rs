//! The journal and what is kept beside it, in SQLite or PostgreSQL.
//!
//! [`Store`] writes: a [`Batch`] becomes durable as a whole or not at all. [`Readers`] answer
//! questions from what is durable, beside the writer. This module knows the domain but not routing.
//!
//! - `options`: where the data is; `database`: the seam to the engines `sqlite` and `postgres`
//! - `batch`, `commit` and `tables`: what is written together, and how
//! - `lease`: who writes, where many servers share a database
//! - `journal`, `tickets` and `history`: what is asked
//! - `reserve`: room on the disk for agents' actions
//! - `states`: snapshots of state; `cursors`: how far sinks of events are
//! - `backup`: copies
//! - `records`: stored forms and how old ones stay readable; `checksum`: whether they are as written

mod backup;
mod batch;
mod checksum;
mod commit;
mod cursors;
mod database;
mod error;
mod history;
mod journal;
mod lease;
mod options;
mod postgres;
mod readers;
mod records;
mod reserve;
mod sqlite;
mod states;
mod tables;
#[cfg(test)]
mod tests;
mod tickets;
mod writer;

pub use backup::{Contents, back_up, check, restore};
pub use batch::{Batch, Key, NewTicket, TicketDetail, TicketRow, Used};
pub use cursors::cursors;
pub use database::Database;
pub use error::{Error, Refusal};
pub use history::{
    entry_count, read_folder, replay, segments, workspace_names, workspaces_with_tickets,
};
pub use journal::{
    Subject, agent_counts, decisions, entries, entries_after, entry, plan_before, policy,
    policy_set_before, workspace_exists, workspaces_after,
};
pub use lease::{
    Lease, Membership, PARTITIONS, Partition, Replica, ReplicaId, SILENCE_MS_MAX, View,
};
pub use options::StoreOptions;
pub use postgres::Options as PostgresOptions;
pub use readers::{Readers, Snapshot};
pub use states::{StatePart, newest_state, state_before};
pub use tickets::{
    StoredTicket, TicketQuery, facts, facts_after, facts_of, payload, texts, ticket, tickets,
};
pub use writer::{Durable, Recovered, Store};
