//! What measuring knows of a ticket: its treatment beside its segments, never its text.

use std::collections::BTreeMap;

use super::{
    id::AgentId,
    ticket::{Resolution, Status},
    time::UnixMillis,
};

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
    /// Target for the time to assignment, in seconds; `None` without one, which may come with the reading.
    pub target_secs: Option<u32>,
    /// Whether it was moved ahead of its arrival order; `None` before it was read.
    pub fast_tracked: Option<bool>,
    /// Whether it went to triage; `None` before it was read.
    pub triaged: Option<bool>,
    /// How it was completed; `None` until then.
    pub resolution: Option<Resolution>,
    /// Whether it changed hands after it was assigned; `None` until assigned.
    pub reassigned: Option<bool>,
    /// The agent who holds or completed it.
    pub agent: Option<AgentId>,
}

impl TicketFacts {
    /// Returns whether it was assigned within its target; `None` without one, and while that is open. One that waits,
    /// or was cancelled waiting, tells nothing until its target has passed.
    #[must_use]
    pub fn target_met(&self, now: UnixMillis) -> Option<bool> {
        Some(!self.later_than(self.target_secs?, now)?)
    }

    /// Returns whether nobody had accepted it after so many seconds; `None` while that is open.
    #[must_use]
    pub fn later_than(&self, secs: u32, now: UnixMillis) -> Option<bool> {
        let due = self.received_at.plus_secs(secs);
        match self.assigned_at {
            Some(assigned_at) => Some(assigned_at > due),
            None => (self.closed_at.unwrap_or(now) > due).then_some(true),
        }
    }

    /// Returns whether it was resolved at first contact; `None` until completed.
    #[must_use]
    pub fn first_contact(&self) -> Option<bool> {
        self.resolution.map(|resolution| resolution == Resolution::FirstContact)
    }
}
