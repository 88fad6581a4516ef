//! What becomes durable together.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::domain::{
    event::Entry,
    id::{AgentId, TicketId, WorkspaceId},
    policy::{Plan, Requirement},
    reading::Reading,
    ticket::{Intake, Outcome, Payload, Status},
    time::UnixMillis,
};

/// A ticket or an idempotency key within its workspace.
pub type Key<T> = (WorkspaceId, T);

/// What becomes durable together: journal entries and everything that follows from them.
#[derive(Debug, Default)]
pub struct Batch {
    /// New workspaces and when they were made.
    pub workspaces: Vec<(WorkspaceId, UnixMillis)>,
    /// Journal entries, in order within each workspace.
    pub entries: Vec<(WorkspaceId, Entry)>,
    /// Where tickets stand now, by number.
    pub tickets: BTreeMap<Key<u64>, TicketRow>,
    /// The wide parts that changed, by number.
    pub details: BTreeMap<Key<u64>, TicketDetail>,
    /// Payloads of new tickets.
    pub received: Vec<NewTicket>,
    /// Idempotency keys used.
    pub used: BTreeMap<Key<String>, Used>,
    /// Newest entries that sinks of events have acknowledged, by the sink's name.
    pub cursors: BTreeMap<Key<String>, u64>,
}

impl Batch {
    /// Returns about how many bytes it takes on the disk, at most.
    #[must_use]
    pub fn bytes_about(&self) -> u64 {
        let text = |new: &NewTicket| new.payload.subject.len() + new.payload.body.len();
        let texts: usize = self.received.iter().map(text).sum();
        // Pages of the tables and indexes that a row touches.
        let rows = self.entries.len() + self.tickets.len() + self.used.len();
        2 * texts as u64 + 8_192 * (rows as u64 + 8)
    }

    /// Returns whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { workspaces, entries, used, cursors, .. } = self;
        workspaces.is_empty() && entries.is_empty() && used.is_empty() && cursors.is_empty()
    }
}

/// The payload of a new ticket.
#[derive(Debug)]
pub struct NewTicket {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The ticket's number.
    pub number: u64,
    /// What routing may not know.
    pub payload: Payload,
}

/// Where a ticket stands: the narrow part, for lists and measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketRow {
    /// Sequence number of its `ticket_received` entry; tickets are ordered by it.
    pub number: u64,
    /// The ticket.
    pub ticket: TicketId,
    /// Sequence number of the newest entry about it.
    pub sequence: u64,
    /// Where it stands.
    pub status: Status,
    /// Who holds the offer or the assignment, or completed it.
    pub holder: Option<AgentId>,
    /// Who accepted it last.
    pub assignee: Option<AgentId>,
    /// Offers made so far.
    pub epoch: u32,
    /// Sequence number of the newest offer's entry.
    pub offer_sequence: Option<u64>,
    /// Relaxation steps taken.
    pub relaxation_step: u32,
    /// When it was received.
    pub received_at: UnixMillis,
    /// When an agent first accepted it.
    pub assigned_at: Option<UnixMillis>,
    /// When it was completed or cancelled.
    pub closed_at: Option<UnixMillis>,
    /// Target for the time to assignment, in seconds.
    pub target_secs: Option<u32>,
    /// Whether it was moved ahead of its arrival order; `None` before it was read.
    pub fast_tracked: Option<bool>,
    /// Whether it went to triage; `None` before it was read.
    pub triaged: Option<bool>,
    /// Whether a second agent accepted it.
    pub reassigned: bool,
    /// The reported outcome.
    pub outcome: Option<Outcome>,
}

/// The wide part of a ticket, written only when it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TicketDetail {
    /// What routing may know.
    pub intake: Arc<Intake>,
    /// What was read.
    pub reading: Option<Arc<Reading>>,
    /// What routing looks for, before relaxation.
    pub plan: Option<Arc<Plan>>,
    /// Skills needed now, after relaxation.
    pub requirements: Vec<Requirement>,
}

/// A use of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// SHA-256 of the method and the request.
    pub fingerprint: [u8; 32],
    /// The ticket it was about.
    pub ticket: Option<TicketId>,
    /// Sequence number of the workspace when it was done.
    pub sequence: u64,
    /// When it was done.
    pub at: UnixMillis,
}
