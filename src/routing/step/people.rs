//! Agents who come, go, rest and work by shifts.

use super::Step;
use crate::{
    domain::{
        agent::{AgentProfile, Presence},
        event::{Event, PresenceCause, RevokeReason},
        id::{AgentId, TicketId},
        time::UnixMillis,
    },
    routing::{agents::AgentState, input::Rejection, slab::AgentKey},
};

/// Shortest rest. Who works on at what was taken before recovers slowly, and is looked at no more often.
const REST_MS_MIN: i64 = 10_000;

impl Step<'_> {
    pub(super) fn set_presence(
        &mut self,
        agent: &AgentId,
        presence: Presence,
    ) -> Result<(), Rejection> {
        let state = self.known_agent(agent)?;
        let leased = state.streams == 0 && presence != Presence::Offline;
        let signs_in = state.presence == Presence::Offline && presence != Presence::Offline;
        let lease_until = leased.then(|| self.now.plus_secs(self.lease_secs()));
        let cause = PresenceCause::Requested;
        let event = Event::PresenceChanged { agent: agent.clone(), presence, cause, lease_until };
        self.emit(event);
        if signs_in {
            self.begin_ramp(agent);
        }
        if matches!(presence, Presence::Away | Presence::Offline) {
            self.revoke_offers_of_absent(agent);
        }
        Ok(())
    }

    pub(super) fn close_stream(&mut self, agent: AgentId) -> Result<(), Rejection> {
        let state = self.known_agent(&agent)?;
        let last = state.streams <= 1 && state.presence != Presence::Offline;
        let lease_until = last.then(|| self.now.plus_secs(self.lease_secs()));
        self.emit(Event::StreamClosed { agent, lease_until });
        Ok(())
    }

    pub(super) fn restart(&mut self) {
        if self.state.agents().any(|(_, agent)| agent.streams > 0) {
            let lease_until = self.now.plus_secs(self.lease_secs());
            self.emit(Event::Restarted { lease_until });
        }
        self.state.gather_all();
    }

    fn lease_secs(&self) -> u32 {
        self.state.policy.as_ref().map_or(0, |policy| policy.presence_lease_secs)
    }

    pub(super) fn revoke_offers_of_absent(&mut self, agent: &AgentId) {
        self.revoke_offers(agent, RevokeReason::AgentLeft, |_, _| true);
    }

    pub(super) fn revoke_offers(
        &mut self,
        agent: &AgentId,
        reason: RevokeReason,
        wanted: impl Fn(&Self, &TicketId) -> bool,
    ) {
        let held: Vec<TicketId> = self.state.held_tickets(agent).into_iter().cloned().collect();
        for ticket in held {
            if let Some(offer) = self.state.live_offer(&ticket).filter(|_| wanted(self, &ticket)) {
                self.emit(Event::OfferRevoked { offer, agent: agent.clone(), reason });
            }
        }
    }

    // Shifts and hours

    /// Says whether an agent's shift runs, and when that changes.
    pub(super) fn update_shift(&mut self, agent: &AgentId) {
        let Some(state) = self.state.agent(agent) else { return };
        let shifts = state.profile.shifts.as_ref();
        let on_shift = shifts.is_none_or(|shifts| shifts.is_open(self.now));
        let next_at = shifts.and_then(|shifts| shifts.next_change(self.now));
        if (on_shift, next_at) != (state.on_shift, state.shift_at) {
            self.emit(Event::ShiftChanged { agent: agent.clone(), on_shift, next_at });
        }
    }

    /// Says whether the workspace is open, and when that changes.
    pub(super) fn update_hours(&mut self) {
        let hours = self.state.policy.as_ref().and_then(|policy| policy.hours.as_ref());
        let Some(hours) = hours else { return };
        let (open, next_at) = (hours.is_open(self.now), hours.next_change(self.now));
        let opens = open && self.state.closed;
        if (open, next_at) != (!self.state.closed, self.state.hours_at) {
            self.emit(Event::HoursChanged { open, next_at });
        }
        if opens {
            self.agents.extend(self.state.agents.keys());
        }
    }

    // Capacity that grows after signing in

    fn begin_ramp(&mut self, agent: &AgentId) {
        let Some(state) = self.state.agent(agent) else { return };
        let first = first_units(&state.profile);
        if self.ramp_up_secs() > 0 && first < state.profile.capacity_units {
            self.ramp_to(agent, first);
        }
    }

    /// Lets an agent use one unit more.
    pub(super) fn go_on_ramping(&mut self, key: AgentKey) {
        let Some(state) = self.state.agents.get(key) else { return };
        let units = state.units_max.map_or(u32::MAX, |units| units + 1);
        let agent = state.profile.agent.clone();
        self.ramp_to(&agent, units);
    }

    fn ramp_to(&mut self, agent: &AgentId, units: u32) {
        let Some(state) = self.state.agent(agent) else { return };
        let (first, all) = (first_units(&state.profile), state.profile.capacity_units);
        let unit_ms = self.ramp_up_secs().saturating_mul(1000) / all.saturating_sub(first).max(1);
        let grows = units < all && unit_ms > 0;
        let (units_max, next_at) = (grows.then_some(units), self.now.plus_millis(unit_ms));
        let next_at = grows.then_some(next_at);
        self.emit(Event::CapacityRamped { agent: agent.clone(), units_max, next_at });
    }

    fn ramp_up_secs(&self) -> u32 {
        self.state.policy.as_ref().map_or(0, |policy| policy.ramp_up_secs)
    }

    // Rest

    /// Lets agents rest whose work has gone beyond the occupancy ceiling.
    pub(super) fn rest_the_strained(&mut self) {
        let Some(ceiling) = self.state.ceiling() else { return };
        let limit_us = i64::from(ceiling.burst_secs) * 100_000_000;
        let strained: Vec<AgentId> = self
            .agents
            .iter()
            .filter_map(|key| self.state.agents.get(*key))
            .filter(|agent| agent.is_available() && agent.rest_until.is_none())
            .filter(|agent| agent.strain_us_at(ceiling, self.now) > limit_us)
            .map(|agent| agent.profile.agent.clone())
            .collect();
        for agent in strained {
            let until = self.state.agent(&agent).and_then(|state| self.rested_at(state));
            self.emit(Event::RestChanged { agent, until });
        }
    }

    /// Ends a rest, or prolongs it for an agent who worked on at what was taken before.
    pub(super) fn end_rest(&mut self, key: AgentKey) {
        let Some(state) = self.state.agents.get(key) else { return };
        let until = self.rested_at(state);
        let agent = state.profile.agent.clone();
        self.emit(Event::RestChanged { agent, until });
    }

    pub(super) fn end_all_rests(&mut self) {
        let resting = self.state.agents().filter(|(_, agent)| agent.rest_until.is_some());
        let resting: Vec<AgentId> = resting.map(|(id, _)| id.clone()).collect();
        for agent in resting {
            self.emit(Event::RestChanged { agent, until: None });
        }
    }

    /// Returns when an agent without work has recovered by half; `None` when that is now.
    fn rested_at(&self, agent: &AgentState) -> Option<UnixMillis> {
        let ceiling = self.state.ceiling()?;
        let half_us = i64::from(ceiling.burst_secs) * 50_000_000;
        let excess_us = agent.strain_us_at(ceiling, self.now) - half_us;
        let rest_ms = excess_us / i64::from(ceiling.percent.max(1)) / 1000;
        (rest_ms > 0).then(|| UnixMillis(self.now.0.saturating_add(rest_ms.max(REST_MS_MIN))))
    }
}

/// Returns the units an agent starts with: enough for one ticket of any channel the profile lists.
fn first_units(profile: &AgentProfile) -> u32 {
    profile.channel_units.values().copied().max().unwrap_or(1).max(1)
}
