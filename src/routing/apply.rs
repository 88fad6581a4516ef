//! How one event changes the state. Replaying a journal is this and nothing else.
//!
//! An event about something unknown changes nothing: `step` never writes one.

mod entering;
mod links;
mod tickets;

use std::sync::Arc;

use super::{
    agents::{AgentState, WrapUp},
    slab::AgentKey,
    state::{State, Timer},
};
use crate::domain::{
    agent::{AgentProfile, Presence},
    event::Event,
    id::AgentId,
    policy::Policy,
    time::UnixMillis,
};

impl State {
    /// Applies one event of the journal. Events must come in the journal's order.
    pub fn apply(&mut self, at: UnixMillis, event: &Event) {
        self.stirred.clear();
        match event {
            Event::WorkspaceSet { settings } => {
                self.settings = settings.clone();
                self.settings_version += 1;
            }
            Event::SkillCreated { skill, description } => {
                self.skills.insert(skill.clone(), description.clone());
            }
            Event::SkillDeleted { skill } => {
                self.skills.remove(skill);
            }
            Event::PolicySet { policy } => self.set_policy(at, policy),
            Event::HoursChanged { open, next_at } => {
                self.closed = !open;
                self.rearm(self.hours_at, *next_at, Timer::Hours);
                self.hours_at = *next_at;
            }
            // No decision may know of it.
            Event::AlarmRaised { .. } | Event::AlarmAcknowledged { .. } => {}
            Event::Restarted { lease_until } => self.restart(*lease_until),
            _ if self.apply_to_agent(at, event) => {}
            _ => self.apply_to_ticket(at, event),
        }
    }

    fn apply_to_agent(&mut self, at: UnixMillis, event: &Event) -> bool {
        match event {
            Event::AgentSet { profile } => self.set_agent(at, profile),
            Event::AgentDeleted { agent } => self.delete_agent(agent),
            Event::PresenceChanged { agent, presence, lease_until, .. } => {
                self.set_presence(at, agent, *presence, *lease_until);
            }
            Event::StreamOpened { agent } => self.change_streams(agent, 1, None),
            Event::StreamClosed { agent, lease_until } => {
                self.change_streams(agent, -1, *lease_until);
            }
            Event::ShiftChanged { agent, on_shift, next_at } => {
                self.change_agent(at, agent, |agent| {
                    agent.on_shift = *on_shift;
                    agent.shift_at = *next_at;
                });
            }
            Event::RestChanged { agent, until } => {
                self.change_agent(at, agent, |agent| agent.rest_until = *until);
            }
            Event::CapacityRamped { agent, units_max, next_at } => {
                self.change_agent(at, agent, |agent| {
                    agent.units_max = *units_max;
                    agent.ramp_at = *next_at;
                });
            }
            _ => return false,
        }
        true
    }

    fn set_agent(&mut self, at: UnixMillis, profile: &Arc<AgentProfile>) {
        let key = match self.agents.key(&profile.agent) {
            Some(key) => {
                if let Some(agent) = self.agents.get(key) {
                    self.index.remove_agent(key, &agent.profile);
                }
                let ceiling = self.ceiling();
                if let Some(agent) = self.agents.get_mut(key) {
                    agent.settle(at, ceiling);
                    agent.profile = profile.clone();
                    agent.version += 1;
                }
                key
            }
            None => self.agents.insert(AgentState::new(profile.clone(), at)),
        };
        self.index.add_agent(key, &self.agents);
        // Timers follow from the profile too.
        self.change_agent_at(at, key, |_| {});
        self.release_liked(&profile.agent);
    }

    fn delete_agent(&mut self, agent: &AgentId) {
        let Some(key) = self.agents.key(agent) else { return };
        let Some((_, removed)) = self.agents.remove(agent) else { return };
        self.index.remove_agent(key, &removed.profile);
        let timers = agent_timers(key, &removed);
        timers.into_iter().for_each(|(due, timer)| self.rearm(due, None, timer));
        self.release_liked(agent);
    }

    fn set_presence(
        &mut self,
        at: UnixMillis,
        agent: &AgentId,
        presence: Presence,
        lease_until: Option<UnixMillis>,
    ) {
        let signed_in = presence != Presence::Offline;
        let return_secs = self.policy.as_ref().map_or(0, |policy| policy.assignment_return_secs);
        let was_offline = self.agent(agent).is_some_and(|a| a.presence == Presence::Offline);
        let signs_in = signed_in && was_offline;
        let range = if signs_in { self.idle_range_of_present(at, agent) } else { None };
        self.change_agent(at, agent, |state| {
            if signs_in {
                // Whoever signs in joins the range of those present: neither flooded nor passed over.
                let (low, high) = range.unwrap_or((0, 0));
                state.idle_us = state.idle_us.clamp(low, high);
                state.freed_at = at;
            }
            if !signed_in {
                (state.units_max, state.ramp_at, state.rest_until) = (None, None, None);
            }
            state.presence = presence;
            state.lease_until = lease_until;
            state.return_at = match (signed_in || state.held.is_empty(), state.return_at) {
                (true, _) => None,
                (false, Some(armed)) => Some(armed),
                (false, None) => Some(at.plus_secs(return_secs)),
            };
        });
        if matches!(presence, Presence::Away | Presence::Offline) {
            self.release_liked(agent);
        }
    }

    fn idle_range_of_present(&self, at: UnixMillis, except: &AgentId) -> Option<(u64, u64)> {
        let present = self
            .agents()
            .filter(|(id, agent)| *id != except && agent.presence != Presence::Offline)
            .map(|(_, agent)| agent.idle_us_at(at));
        present.fold(None, |range, idle| match range {
            None => Some((idle, idle)),
            Some((low, high)) => Some((idle.min(low), idle.max(high))),
        })
    }

    fn change_streams(&mut self, agent: &AgentId, by: i32, lease_until: Option<UnixMillis>) {
        let Some(key) = self.agents.key(agent) else { return };
        let Some(state) = self.agents.get_mut(key) else { return };
        state.streams = state.streams.saturating_add_signed(by);
        let old_lease = std::mem::replace(&mut state.lease_until, lease_until);
        self.rearm(old_lease, lease_until, Timer::Lease(key));
    }

    fn restart(&mut self, lease_until: UnixMillis) {
        let keys: Vec<AgentKey> = self.agents.keys().collect();
        for key in keys {
            let Some(state) = self.agents.get_mut(key).filter(|agent| agent.streams > 0) else {
                continue;
            };
            state.streams = 0;
            let lease = (state.presence != Presence::Offline).then_some(lease_until);
            let old_lease = std::mem::replace(&mut state.lease_until, lease);
            self.rearm(old_lease, lease, Timer::Lease(key));
        }
    }

    /// Changes an agent after bringing idleness up to date; timers and places follow.
    pub(super) fn change_agent(
        &mut self,
        at: UnixMillis,
        agent: &AgentId,
        change: impl FnOnce(&mut AgentState),
    ) {
        if let Some(key) = self.agents.key(agent) {
            self.change_agent_at(at, key, change);
        }
    }

    pub(super) fn change_agent_at(
        &mut self,
        at: UnixMillis,
        key: AgentKey,
        change: impl FnOnce(&mut AgentState),
    ) {
        let ceiling = self.ceiling();
        let Some(agent) = self.agents.get_mut(key) else { return };
        let before = agent_timers(key, agent);
        agent.settle(at, ceiling);
        change(agent);
        agent.foresee_strain(ceiling);
        let after = agent_timers(key, agent);
        for ((old, timer), (new, _)) in before.into_iter().zip(after) {
            self.rearm(old, new, timer);
        }
        self.index.changed(key, &self.agents);
    }

    // Policy

    fn set_policy(&mut self, at: UnixMillis, policy: &Arc<Policy>) {
        let agents: Vec<AgentKey> = self.agents.keys().collect();
        for key in &agents {
            // Strain is counted under the ceiling that was in force.
            self.change_agent_at(at, *key, |_| {});
        }
        self.policy = Some(policy.clone());
        self.index.clear(policy);
        for key in agents {
            self.change_agent_at(at, key, |_| {});
        }
        self.waiting_by_route.clear();
        self.counts_waiting = policy.routes.iter().any(|route| route.waiting_max.is_some());
        if policy.hours.is_none() {
            self.closed = false;
            self.rearm(self.hours_at, None, Timer::Hours);
            self.hours_at = None;
        }
        let keys: Vec<_> = self.tickets.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(open) = self.tickets.get_mut(key) {
                // Steps of the old policy mean nothing under the new one; `due` takes the new ones.
                open.relaxation_step = 0;
                open.plan_is_stale |= open.holder.is_some();
                open.links.ladder = None;
                open.links.spot = None;
                open.links.counted = None;
            }
            self.climb(key, 0);
            self.relink(key);
        }
    }

    // Timers

    /// Moves a timer from `old` to `new`.
    pub(super) fn rearm(&mut self, old: Option<UnixMillis>, new: Option<UnixMillis>, timer: Timer) {
        if let Some(at) = old.filter(|_| old != new) {
            self.timers.remove(&(at, timer));
        }
        // One that was taken out because it was due, and is due again at once, is put back.
        if let Some(at) = new {
            self.timers.insert((at, timer));
        }
    }

    fn begin_wrap_up(&mut self, at: UnixMillis, agent: &AgentId, wrap_up: WrapUp) {
        self.change_agent(at, agent, |agent| agent.begin_wrap_up(wrap_up));
    }
}

/// Returns the timers of an agent and when each is due.
fn agent_timers(key: AgentKey, agent: &AgentState) -> [(Option<UnixMillis>, Timer); 7] {
    [
        (agent.lease_until, Timer::Lease(key)),
        (agent.return_at, Timer::Return(key)),
        (agent.next_wrap_up(), Timer::WrapUp(key)),
        (agent.shift_at, Timer::Shift(key)),
        (agent.rest_until, Timer::Rest(key)),
        (agent.strained_at, Timer::Strain(key)),
        (agent.ramp_at, Timer::Ramp(key)),
    ]
}
