//! The journal and what is kept beside it, in SQLite or PostgreSQL.
//!
//! [`Store`] writes: a [`Batch`] becomes durable as a whole or not at all. [`Readers`] answer
//! questions from what is durable, beside the writer. This module knows the domain but not routing.
//!
//! - `location`: where the data is; `database`: the seam to the engines `sqlite` and `postgres`
//! - `batch`, `commit` and `tables`: what is written together, and how
//! - `lease`: who writes, where many servers share a database
//! - `journal`, `tickets` and `history`: what is asked
//! - `records`: stored forms and how old ones stay readable; `checksum`: whether they are as written

mod batch;
mod checksum;
mod commit;
mod database;
mod error;
mod history;
mod journal;
mod lease;
mod location;
mod postgres;
mod readers;
mod records;
mod sqlite;
mod tables;
#[cfg(test)]
mod tests;
mod tickets;
mod writer;

pub use batch::{Batch, Key, NewTicket, TicketDetail, TicketRow, Used};
pub use database::Database;
pub use error::{Error, Refusal};
pub use history::{
    entry_count, read_folder, replay, segments, workspace_names, workspaces_with_tickets,
};
pub use journal::{
    Subject, agent_counts, decisions, entries, entry, plan_before, policy, policy_set_before,
    workspace_exists, workspaces_after,
};
pub use lease::{
    Lease, Membership, PARTITIONS, Partition, Replica, ReplicaId, SILENCE_MS_MAX, View,
};
pub use location::Location;
pub use postgres::Options as PostgresOptions;
pub use readers::{Readers, Snapshot};
pub use tickets::{StoredTicket, TicketQuery, facts, payload, texts, ticket, tickets};
pub use writer::{Durable, Recovered, Store};
