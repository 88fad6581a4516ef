//! The state of one workspace: what replaying its journal gives.

use std::collections::BTreeMap;

use crate::domain::{
    agent::{AgentProfile, Presence},
    event::{Event, WorkspaceSettings},
    id::{AgentId, OfferId, SkillId, TicketId},
    policy::{Plan, Policy, Requirement},
    reading::Reading,
    ticket::{Intake, Status},
    time::UnixMillis,
};

/// The state of one workspace.
#[derive(Clone, Debug, Default)]
pub struct State {}

/// An agent now.
#[derive(Clone, Debug)]
pub struct AgentState {
    /// As administrators describe the agent.
    pub profile: AgentProfile,
    /// One more with each change of the profile, from 1.
    pub version: u64,
    /// Whether the agent takes offers.
    pub presence: Presence,
    /// When presence ends unless renewed.
    pub lease_until: Option<UnixMillis>,
}

/// A ticket that is neither completed nor cancelled.
#[derive(Clone, Debug)]
pub struct OpenTicket {
    /// What routing may know.
    pub intake: Intake,
    /// When it was received.
    pub received_at: UnixMillis,
    /// Where it stands.
    pub status: Status,
    /// What was read.
    pub reading: Option<Reading>,
    /// What routing looks for.
    pub plan: Option<Plan>,
    /// Skills needed now, after relaxation.
    pub requirements: Vec<Requirement>,
    /// Relaxation steps taken.
    pub relaxation_step: u32,
    /// Offers made so far.
    pub epoch: u32,
    /// Who holds the offer or the assignment.
    pub holder: Option<AgentId>,
    /// When the live offer lapses.
    pub offer_expires_at: Option<UnixMillis>,
    /// When an agent first accepted it.
    pub assigned_at: Option<UnixMillis>,
}

impl State {
    /// Applies one event of the journal. Events must come in the journal's order.
    pub fn apply(&mut self, at: UnixMillis, event: &Event) {
        let _ = (at, event);
        unimplemented!("written next")
    }

    /// Returns when [`Input::Tick`](super::Input::Tick) is needed next.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMillis> {
        unimplemented!("written next")
    }

    /// Returns the settings and their version; version 0 before the workspace is made.
    #[must_use]
    pub fn settings(&self) -> (&WorkspaceSettings, u64) {
        unimplemented!("written next")
    }

    /// Returns the policy in force; `None` before one is set.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        unimplemented!("written next")
    }

    /// Returns the declared skills and what they mean.
    #[must_use]
    pub fn skills(&self) -> &BTreeMap<SkillId, String> {
        unimplemented!("written next")
    }

    /// Returns the agents.
    #[must_use]
    pub fn agents(&self) -> &BTreeMap<AgentId, AgentState> {
        unimplemented!("written next")
    }

    /// Returns the cumulative idle time of an agent at `now`, in milliseconds.
    #[must_use]
    pub fn idle_ms(&self, agent: &AgentId, now: UnixMillis) -> u64 {
        let _ = (agent, now);
        unimplemented!("written next")
    }

    /// Returns the capacity units an agent has in use: offers, assignments and wrap-up.
    #[must_use]
    pub fn used_units(&self, agent: &AgentId) -> u32 {
        let _ = agent;
        unimplemented!("written next")
    }

    /// Returns the open tickets an agent holds, offered or assigned.
    #[must_use]
    pub fn held_tickets(&self, agent: &AgentId) -> Vec<&TicketId> {
        let _ = agent;
        unimplemented!("written next")
    }

    /// Returns the live offer of a ticket.
    #[must_use]
    pub fn live_offer(&self, ticket: &TicketId) -> Option<OfferId> {
        let _ = ticket;
        unimplemented!("written next")
    }

    /// Returns the tickets that are neither completed nor cancelled.
    #[must_use]
    pub fn open_tickets(&self) -> &BTreeMap<TicketId, OpenTicket> {
        unimplemented!("written next")
    }
}
