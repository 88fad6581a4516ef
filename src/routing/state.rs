//! The state of one workspace: what replaying its journal gives.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use super::{
    agents::{AgentState, Agents},
    class::Rung,
    index::MatchIndex,
    slab::{AgentKey, ClassKey, Pool, TicketKey},
    tickets::{OpenTicket, Tickets},
};
use crate::domain::{
    event::WorkspaceSettings,
    id::{AgentId, OfferId, SkillId, TicketId},
    policy::{OccupancyCeiling, Plan, Policy, Requirement},
    ticket::{Intake, Status},
    time::UnixMillis,
};

/// The state of one workspace.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) settings: WorkspaceSettings,
    pub(super) settings_version: u64,
    pub(super) skills: BTreeMap<SkillId, String>,
    pub(super) agents: Agents,
    pub(super) policy: Option<Arc<Policy>>,
    /// Whether business hours are over.
    pub(super) closed: bool,
    pub(super) hours_at: Option<UnixMillis>,
    pub(super) tickets: Tickets,
    /// Tickets received so far.
    pub(super) received: u64,
    pub(super) timers: BTreeSet<(UnixMillis, Timer)>,
    /// Whether the policy bounds the waiting tickets of a route.
    pub(super) counts_waiting: bool,
    /// Waiting tickets by route, where the policy bounds them.
    pub(super) waiting_by_route: BTreeMap<String, u32>,
    /// What tickets share.
    pub(super) plans: Pool<Plan>,
    pub(super) intakes: Pool<Intake>,
    pub(super) index: MatchIndex,
    /// Tickets that may have become matchable by an event about something else.
    pub(super) stirred: Vec<TicketKey>,
    pub(super) gathering: Gathering,
}

/// Tickets and agents that gather for the next batch. Not journaled: after a restart all gather again.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathering {
    pub(super) tickets: BTreeSet<TicketKey>,
    pub(super) agents: BTreeSet<AgentKey>,
    pub(super) due: Option<UnixMillis>,
}

impl PartialEq for State {
    /// Compares what the journal gives; what is only looked things up in follows from it.
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.settings_version == other.settings_version
            && self.skills == other.skills
            && self.policy == other.policy
            && (self.closed, self.hours_at) == (other.closed, other.hours_at)
            && self.agents == other.agents
            && self.received == other.received
            && self.tickets == other.tickets
            && self.timers == other.timers
            && self.waiting_by_route == other.waiting_by_route
    }
}

/// Something that falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The live offer of a ticket lapses.
    Offer(TicketKey),
    /// A ticket reaches its next relaxation step or triage.
    Age(TicketKey),
    /// A waiting ticket may be offered again to an agent who declined.
    Backoff(TicketKey),
    /// An agent's presence ends.
    Lease(AgentKey),
    /// A wrap-up of an agent ends.
    WrapUp(AgentKey),
    /// The assignments of an agent who left go back to the queue.
    Return(AgentKey),
    /// A shift or break of an agent begins or ends.
    Shift(AgentKey),
    /// An agent has worked too much.
    Strain(AgentKey),
    /// An agent has rested.
    Rest(AgentKey),
    /// More of an agent's capacity is used.
    Ramp(AgentKey),
    /// Business hours begin or end.
    Hours,
}

impl State {
    /// Returns when [`Input::Tick`](super::Input::Tick) is needed next.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMillis> {
        let timer = self.timers.first().map(|(at, _)| *at);
        timer.into_iter().chain(self.gathering.due).min()
    }

    /// Lets every agent be matched again with the next input, after a journal was read: who had gathered for
    /// a batch is not in it.
    pub fn gather_all(&mut self) {
        self.gathering.agents.extend(self.agents.keys());
    }

    /// Returns the settings and their version; version 0 before the workspace is made.
    #[must_use]
    pub fn settings(&self) -> (&WorkspaceSettings, u64) {
        (&self.settings, self.settings_version)
    }

    /// Returns the policy in force; `None` before one is set.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_deref()
    }

    /// Returns the declared skills and what they mean.
    #[must_use]
    pub fn skills(&self) -> &BTreeMap<SkillId, String> {
        &self.skills
    }

    /// Returns an agent.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<&AgentState> {
        self.agents.by_id(id)
    }

    /// Returns the agents in the order of their identifiers.
    pub fn agents(&self) -> impl Iterator<Item = (&AgentId, &AgentState)> {
        self.agents.range(Bound::Unbounded)
    }

    /// Returns the agents from `start` on, in the order of their identifiers.
    pub fn agents_from(
        &self,
        start: Bound<&AgentId>,
    ) -> impl Iterator<Item = (&AgentId, &AgentState)> {
        self.agents.range(start)
    }

    /// Returns the cumulative idle time of an agent at `now`, in milliseconds; 0 when unknown.
    #[must_use]
    pub fn idle_ms(&self, agent: &AgentId, now: UnixMillis) -> u64 {
        self.agent(agent).map_or(0, |agent| agent.idle_us_at(now) / 1000)
    }

    /// Returns the capacity units an agent has in use: offers, assignments and wrap-up.
    #[must_use]
    pub fn used_units(&self, agent: &AgentId) -> u32 {
        self.agent(agent).map_or(0, AgentState::used_units)
    }

    /// Returns the open tickets an agent holds, offered or assigned, oldest first.
    #[must_use]
    pub fn held_tickets(&self, agent: &AgentId) -> Vec<&TicketId> {
        let held = self.agent(agent).map(|agent| agent.held.iter());
        let tickets = held.into_iter().flatten().filter_map(|held| self.tickets.get(held.ticket));
        tickets.map(|open| &open.ticket).collect()
    }

    /// Returns the live offer of a ticket.
    #[must_use]
    pub fn live_offer(&self, ticket: &TicketId) -> Option<OfferId> {
        let open = self.ticket(ticket).filter(|open| open.status == Status::Offered)?;
        Some(OfferId { ticket: ticket.clone(), epoch: open.epoch })
    }

    /// Returns a ticket that is neither completed nor cancelled.
    #[must_use]
    pub fn ticket(&self, id: &TicketId) -> Option<&OpenTicket> {
        self.tickets.get(self.tickets.key(id)?)
    }

    /// Returns the tickets that are neither completed nor cancelled, in no order of use.
    pub fn tickets(&self) -> impl Iterator<Item = &OpenTicket> {
        self.tickets.iter().map(|(_, open)| open)
    }

    /// Returns how many tickets are neither completed nor cancelled.
    #[must_use]
    pub fn ticket_count(&self) -> usize {
        self.tickets.len()
    }

    /// Returns who holds a ticket, offered or assigned.
    #[must_use]
    pub fn holder(&self, open: &OpenTicket) -> Option<&AgentId> {
        Some(&self.agents.get(open.holder?)?.profile.agent)
    }

    /// Returns the skills a ticket needs now, after relaxation.
    #[must_use]
    pub fn requirements(&self, open: &OpenTicket) -> &[Requirement] {
        self.rung_of(open).map_or(&[], |rung| &rung.spec.needs)
    }

    fn rung_of(&self, open: &OpenTicket) -> Option<&Rung> {
        let rungs = self.index.rungs(open.links.ladder?);
        let at = usize::try_from(open.relaxation_step).unwrap_or(usize::MAX);
        rungs.get(at.min(rungs.len().saturating_sub(1)))
    }

    pub(super) fn class_of(&self, open: &OpenTicket) -> Option<ClassKey> {
        self.rung_of(open)?.class
    }

    pub(super) fn ceiling(&self) -> Option<OccupancyCeiling> {
        self.policy.as_ref()?.occupancy_ceiling
    }
}
