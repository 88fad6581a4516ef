//! The state of one workspace: what replaying its journal gives.

use std::collections::{BTreeMap, BTreeSet};

use super::queue::{Class, Place, Queue};
use crate::domain::{
    agent::{AgentProfile, Presence},
    event::WorkspaceSettings,
    id::{AgentId, OfferId, SkillId, TicketId},
    policy::{Plan, Policy, Requirement},
    reading::{Reading, ReadingSource},
    ticket::{Intake, Status},
    time::UnixMillis,
};

/// The state of one workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub(super) settings: WorkspaceSettings,
    pub(super) settings_version: u64,
    pub(super) skills: BTreeMap<SkillId, String>,
    pub(super) agents: BTreeMap<AgentId, AgentState>,
    pub(super) policy: Option<Policy>,
    pub(super) tickets: BTreeMap<TicketId, OpenTicket>,
    pub(super) queue: Queue,
    pub(super) timers: BTreeSet<(UnixMillis, Timer)>,
}

/// Something that falls due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The live offer of a ticket lapses.
    Offer(TicketId),
    /// A ticket reaches its next relaxation step or triage.
    Age(TicketId),
    /// A waiting ticket may be offered again to an agent who declined.
    Backoff(TicketId, AgentId),
    /// An agent's presence ends.
    Lease(AgentId),
    /// An agent's wrap-up of a ticket ends.
    WrapUp(AgentId, TicketId),
    /// The assignments of an agent who left go back to the queue.
    Return(AgentId),
}

/// An agent now.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentState {
    /// As administrators describe the agent.
    pub profile: AgentProfile,
    /// One more with each change of the profile, from 1.
    pub version: u64,
    /// Whether the agent takes offers.
    pub presence: Presence,
    /// When presence ends unless renewed.
    pub lease_until: Option<UnixMillis>,
    /// Open offer streams.
    pub(super) streams: u32,
    /// Units taken by each ticket offered or assigned.
    pub(super) held: BTreeMap<TicketId, u32>,
    /// Units taken by each wrap-up, and until when.
    pub(super) wrap_ups: BTreeMap<TicketId, (UnixMillis, u32)>,
    /// The sum of both: every decision asks every agent for it.
    pub(super) used_units: u32,
    /// When assignments go back to the queue, while offline.
    pub(super) return_at: Option<UnixMillis>,
    /// Cumulative idleness up to `settled_at`, in microseconds.
    pub(super) idle_us: u64,
    pub(super) settled_at: UnixMillis,
}

impl AgentState {
    /// Returns the capacity units in use: offers, assignments and wrap-up.
    #[must_use]
    pub fn used_units(&self) -> u32 {
        self.used_units
    }

    /// Takes units for a ticket.
    pub(super) fn hold(&mut self, ticket: &TicketId, units: u32) {
        self.used_units += units;
        self.used_units -= self.held.insert(ticket.clone(), units).unwrap_or(0);
    }

    /// Gives back the units of a ticket, and returns how many they were.
    pub(super) fn let_go(&mut self, ticket: &TicketId) -> u32 {
        let units = self.held.remove(ticket).unwrap_or(0);
        self.used_units -= units;
        units
    }

    /// Takes units for the wrap-up of a ticket.
    pub(super) fn begin_wrap_up(&mut self, ticket: &TicketId, until: UnixMillis, units: u32) {
        self.used_units += units;
        let before = self.wrap_ups.insert(ticket.clone(), (until, units));
        self.used_units -= before.map_or(0, |(_, units)| units);
    }

    /// Gives back the units of a wrap-up, and returns when it would have ended.
    pub(super) fn end_wrap_up(&mut self, ticket: &TicketId) -> Option<UnixMillis> {
        let (until, units) = self.wrap_ups.remove(ticket)?;
        self.used_units -= units;
        Some(until)
    }

    /// Returns cumulative idleness at `now`, in microseconds.
    ///
    /// An available agent gathers idle time in proportion to the free share of capacity, so agents of
    /// any capacity and speed who are kept equal in it reach equal occupancy.
    pub(super) fn idle_us_at(&self, now: UnixMillis) -> u64 {
        if self.presence != Presence::Available {
            return self.idle_us;
        }
        let capacity = u64::from(self.profile.capacity_units.max(1));
        let free = capacity.saturating_sub(u64::from(self.used_units()));
        let elapsed_us = now.millis_since(self.settled_at).saturating_mul(1000);
        self.idle_us.saturating_add(elapsed_us.saturating_mul(free) / capacity)
    }

    /// Brings idleness up to `at`; needed before anything changes that it depends on.
    pub(super) fn settle(&mut self, at: UnixMillis) {
        self.idle_us = self.idle_us_at(at);
        self.settled_at = at;
    }
}

/// A ticket that is neither completed nor cancelled.
#[derive(Clone, Debug, PartialEq)]
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
    /// The only agent who may take it, after a transfer.
    pub(super) target: Option<AgentId>,
    /// The intent an agent gave with a transfer; it outranks what was read.
    pub(super) given_intent: Option<String>,
    /// Agents who are not asked again before a time.
    pub(super) backoff: BTreeMap<AgentId, UnixMillis>,
    /// Whether it was read again, or the policy changed, while an agent had it.
    pub(super) plan_is_stale: bool,
    /// When the newest plan began to wait.
    pub(super) planned_at: UnixMillis,
    /// The armed age timer.
    pub(super) age_due: Option<UnixMillis>,
}

impl OpenTicket {
    pub(super) fn class(&self) -> Class {
        Class {
            requirements: self.requirements.clone(),
            channel: self.intake.channel.clone(),
            target: self.target.clone(),
        }
    }

    pub(super) fn place(&self, ticket: &TicketId) -> Place {
        let head_start_secs = self.plan.as_ref().map_or(0, |plan| plan.head_start_secs);
        (self.received_at.minus_secs(head_start_secs), ticket.clone())
    }

    /// Returns whether the model, not only the rules, has read it.
    #[must_use]
    pub fn read_by_model(&self) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.source == ReadingSource::Model)
    }
}

impl State {
    /// Returns when [`Input::Tick`](super::Input::Tick) is needed next.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMillis> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Returns the settings and their version; version 0 before the workspace is made.
    #[must_use]
    pub fn settings(&self) -> (&WorkspaceSettings, u64) {
        (&self.settings, self.settings_version)
    }

    /// Returns the policy in force; `None` before one is set.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// Returns the declared skills and what they mean.
    #[must_use]
    pub fn skills(&self) -> &BTreeMap<SkillId, String> {
        &self.skills
    }

    /// Returns the agents.
    #[must_use]
    pub fn agents(&self) -> &BTreeMap<AgentId, AgentState> {
        &self.agents
    }

    /// Returns the cumulative idle time of an agent at `now`, in milliseconds; 0 when unknown.
    #[must_use]
    pub fn idle_ms(&self, agent: &AgentId, now: UnixMillis) -> u64 {
        self.agents.get(agent).map_or(0, |agent| agent.idle_us_at(now) / 1000)
    }

    /// Returns the capacity units an agent has in use: offers, assignments and wrap-up.
    #[must_use]
    pub fn used_units(&self, agent: &AgentId) -> u32 {
        self.agents.get(agent).map_or(0, AgentState::used_units)
    }

    /// Returns the open tickets an agent holds, offered or assigned.
    #[must_use]
    pub fn held_tickets(&self, agent: &AgentId) -> Vec<&TicketId> {
        self.agents.get(agent).map_or_else(Vec::new, |agent| agent.held.keys().collect())
    }

    /// Returns the live offer of a ticket.
    #[must_use]
    pub fn live_offer(&self, ticket: &TicketId) -> Option<OfferId> {
        let open = self.tickets.get(ticket).filter(|open| open.status == Status::Offered)?;
        Some(OfferId { ticket: ticket.clone(), epoch: open.epoch })
    }

    /// Returns the tickets that are neither completed nor cancelled.
    #[must_use]
    pub fn open_tickets(&self) -> &BTreeMap<TicketId, OpenTicket> {
        &self.tickets
    }
}
