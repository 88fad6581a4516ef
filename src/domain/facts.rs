//! What measuring knows of a ticket: its treatment beside its segments, never its text.

use std::collections::BTreeMap;

use super::{id::AgentId, ticket::Status, time::UnixMillis};

/// The treatment of one ticket.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketFacts {
    /// Segment attribute values; an attribute that is not declared is absent.
    pub segments: BTreeMap<String, String>,
    /// Where it stands.
    pub status: Status,
    /// When it was received.
    pub received_at: UnixMillis,
    /// When an agent first accepted it.
    pub assigned_at: Option<UnixMillis>,
    /// When it was completed or cancelled.
    pub closed_at: Option<UnixMillis>,
    /// Whether it was moved ahead of its arrival order; `None` before it was read.
    pub fast_tracked: Option<bool>,
    /// Whether it went to triage; `None` before it was read.
    pub triaged: Option<bool>,
    /// Whether it was assigned within its target; `None` without a target or before assignment,
    /// unless the target has passed.
    pub target_met: Option<bool>,
    /// Whether it was resolved at first contact; `None` until completed.
    pub first_contact: Option<bool>,
    /// Whether it changed hands after it was assigned; `None` until assigned.
    pub reassigned: Option<bool>,
    /// The agent who holds or completed it.
    pub agent: Option<AgentId>,
}
