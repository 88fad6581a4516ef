//! Agents and what they hold. What is added up of that follows.

use super::{
    UNITS_MAX,
    read::{Read, Reader},
    write::Writer,
};
use crate::{
    domain::{
        agent::{AgentProfile, Presence},
        time::UnixMillis,
    },
    routing::{
        agents::{AgentState, Held, WrapUp},
        slab::{Number, TicketKey},
    },
};

/// In the order of their numbers.
const PRESENCES: [Presence; 4] =
    [Presence::Available, Presence::Busy, Presence::Away, Presence::Offline];

/// Fewest bytes of an agent: one for each part.
pub(super) const AGENT_BYTES_MIN: usize = 19;

impl<'a> Writer<'a> {
    pub(super) fn agent(&mut self, agent: &'a AgentState) -> Read<()> {
        let AgentState {
            profile,
            version,
            presence,
            lease_until,
            streams,
            held,
            wrap_ups,
            used_units: _,
            interruptible_units: _,
            return_at,
            on_shift,
            shift_at,
            rest_until,
            units_max,
            ramp_at,
            idle_us,
            strain_us,
            strained_at: _,
            settled_at,
            freed_at,
            taken,
            hard_taken,
        } = agent;
        self.json(profile)?;
        self.u64(*version);
        self.one_of(&PRESENCES, presence);
        self.u32(*streams);
        self.bool(*on_shift);
        self.len(held.len());
        for Held { ticket, units, interruptible } in held {
            self.len(ticket.index());
            self.u32(*units);
            self.bool(*interruptible);
        }
        self.len(wrap_ups.len());
        for WrapUp { ticket, until, units } in wrap_ups {
            self.ticket_id(ticket);
            self.time(*until);
            self.u32(*units);
        }
        for at in [lease_until, return_at, shift_at, rest_until, ramp_at] {
            self.maybe_time(*at);
        }
        self.maybe(*units_max, Self::u32);
        self.u64(*idle_us);
        self.i64(*strain_us);
        self.time(*settled_at);
        self.time(*freed_at);
        self.u64(*taken);
        self.u64(*hard_taken);
        Ok(())
    }
}

impl Reader<'_> {
    pub(super) fn agent(&mut self) -> Read<AgentState> {
        let profile = self.profile()?;
        let mut agent = AgentState::new(profile.into(), UnixMillis(0));
        agent.version = self.count()?;
        agent.presence = self.one_of(&PRESENCES)?;
        agent.streams = self.small_count()?;
        agent.on_shift = self.bool()?;
        agent.held = self.list(3, |r| {
            let ticket = TicketKey::new(r.u32()?);
            Ok(Held { ticket, units: r.units()?, interruptible: r.bool()? })
        })?;
        agent.wrap_ups = self.list(4, |r| {
            Ok(WrapUp { ticket: r.ticket_id()?, until: r.time()?, units: r.units()? })
        })?;
        agent.lease_until = self.maybe_time()?;
        agent.return_at = self.maybe_time()?;
        agent.shift_at = self.maybe_time()?;
        agent.rest_until = self.maybe_time()?;
        agent.ramp_at = self.maybe_time()?;
        agent.units_max = self.maybe(Self::small_count)?;
        agent.idle_us = self.count()?;
        let strain_us = self.i64()?;
        agent.strain_us = self.some((strain_us >= 0).then_some(strain_us), "strain")?;
        agent.settled_at = self.time()?;
        agent.freed_at = self.time()?;
        agent.taken = self.count()?;
        agent.hard_taken = self.count()?;
        let sums = agent.add_up().is_some();
        if sums { Ok(agent) } else { Err(self.no("units that add up")) }
    }

    fn profile(&mut self) -> Read<AgentProfile> {
        let profile: AgentProfile = self.json("a profile")?;
        let of_channels = profile.channel_units.values();
        let most = of_channels.chain([&profile.capacity_units]).max();
        let is_small = most.is_none_or(|units| *units <= UNITS_MAX);
        self.some(is_small.then_some(profile), "a profile")
    }

    fn units(&mut self) -> Read<u32> {
        let units = self.u32()?;
        self.some((units <= UNITS_MAX).then_some(units), "units of capacity")
    }
}

impl AgentState {
    /// Adds up the units in use; `None` when they are absurdly many.
    fn add_up(&mut self) -> Option<()> {
        let wrap_ups = self.wrap_ups.iter().map(|wrap_up| wrap_up.units);
        let mut used = self.held.iter().map(|held| held.units).chain(wrap_ups);
        self.used_units = used.try_fold(0, u32::checked_add)?;
        let interruptible = self.held.iter().filter(|held| held.interruptible);
        // A part of what was added up.
        self.interruptible_units = interruptible.map(|held| held.units).sum();
        (self.used_units <= UNITS_MAX).then_some(())
    }
}
