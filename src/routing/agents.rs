//! Agents now: presence, what they hold, how long they were idle.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use super::slab::{AgentKey, Index, Slab, TicketKey};
use crate::domain::{
    agent::{AgentProfile, Presence},
    id::{AgentId, TicketId},
    planted::planted,
    policy::OccupancyCeiling,
    time::UnixMillis,
};

/// The agents of a workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Agents {
    slots: Slab<AgentKey, AgentState>,
    names: Index<AgentId, AgentKey>,
    in_order: BTreeMap<AgentId, AgentKey>,
}

impl Agents {
    pub(super) fn key(&self, id: &AgentId) -> Option<AgentKey> {
        self.names.get(id)
    }

    pub(super) fn get(&self, key: AgentKey) -> Option<&AgentState> {
        self.slots.get(key)
    }

    pub(super) fn get_mut(&mut self, key: AgentKey) -> Option<&mut AgentState> {
        self.slots.get_mut(key)
    }

    pub(super) fn by_id(&self, id: &AgentId) -> Option<&AgentState> {
        self.get(self.key(id)?)
    }

    pub(super) fn insert(&mut self, agent: AgentState) -> AgentKey {
        let id = agent.profile.agent.clone();
        let key = self.slots.insert(agent);
        self.names.insert(id.clone(), key);
        self.in_order.insert(id, key);
        key
    }

    pub(super) fn remove(&mut self, id: &AgentId) -> Option<(AgentKey, AgentState)> {
        let key = self.names.remove(id)?;
        self.in_order.remove(id);
        Some((key, self.slots.remove(key)?))
    }

    pub(super) fn len(&self) -> usize {
        self.in_order.len()
    }

    pub(super) fn slots(&self) -> &Slab<AgentKey, AgentState> {
        &self.slots
    }

    /// Puts agents back by number; `None` when two have the same name.
    pub(super) fn restored(slots: Slab<AgentKey, AgentState>) -> Option<Self> {
        let mut names = Index::default();
        let mut in_order = BTreeMap::new();
        for (key, agent) in slots.iter() {
            let id = &agent.profile.agent;
            names.insert(id.clone(), key);
            if in_order.insert(id.clone(), key).is_some() {
                return None;
            }
        }
        Some(Self { slots, names, in_order })
    }

    /// Returns the numbers in the order of the identifiers.
    pub(super) fn keys(&self) -> impl Iterator<Item = AgentKey> {
        self.in_order.values().copied()
    }

    /// Returns the agents after `after`, in the order of their identifiers.
    pub(super) fn range(
        &self,
        after: Bound<&AgentId>,
    ) -> impl Iterator<Item = (&AgentId, &AgentState)> {
        let range = self.in_order.range::<AgentId, _>((after, Bound::Unbounded));
        range.filter_map(|(id, key)| Some((id, self.get(*key)?)))
    }
}

impl PartialEq for Agents {
    fn eq(&self, other: &Self) -> bool {
        self.range(Bound::Unbounded).eq(other.range(Bound::Unbounded))
    }
}

/// A ticket an agent holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) ticket: TicketKey,
    pub(super) units: u32,
    /// Whether it may be laid aside for others.
    pub(super) interruptible: bool,
}

/// The wrap-up of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrapUp {
    pub(super) ticket: TicketId,
    pub(super) until: UnixMillis,
    pub(super) units: u32,
}

/// An agent now.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentState {
    /// As administrators describe the agent.
    pub profile: Arc<AgentProfile>,
    /// One more with each change of the profile, from 1.
    pub version: u64,
    /// Whether the agent takes offers.
    pub presence: Presence,
    /// When presence ends unless renewed.
    pub lease_until: Option<UnixMillis>,
    /// Open offer streams.
    pub(super) streams: u32,
    /// Tickets offered and assigned, oldest first.
    pub(super) held: Vec<Held>,
    /// Wrap-ups, oldest first.
    pub(super) wrap_ups: Vec<WrapUp>,
    /// Units of all of these: every decision asks for it.
    pub(super) used_units: u32,
    /// Units of those that may be laid aside.
    pub(super) interruptible_units: u32,
    /// When assignments go back to the queue, while offline.
    pub return_at: Option<UnixMillis>,
    /// Whether a shift of the profile runs; true without shifts.
    pub(super) on_shift: bool,
    pub(super) shift_at: Option<UnixMillis>,
    /// Until when the agent rests.
    pub(super) rest_until: Option<UnixMillis>,
    /// Units used at most, for a while after signing in.
    pub(super) units_max: Option<u32>,
    pub(super) ramp_at: Option<UnixMillis>,
    /// Cumulative idleness up to `settled_at`, in microseconds.
    pub(super) idle_us: u64,
    /// Work beyond the occupancy ceiling up to `settled_at`, in microseconds times 100.
    pub(super) strain_us: i64,
    /// When work will have gone so far beyond the ceiling that the agent should rest.
    pub(super) strained_at: Option<UnixMillis>,
    pub(super) settled_at: UnixMillis,
    /// When a ticket last left the agent, or the agent signed in.
    pub(super) freed_at: UnixMillis,
    /// Tickets accepted, and hard ones among them.
    pub(super) taken: u64,
    pub(super) hard_taken: u64,
}

/// Whether an agent takes tickets now, and what is in the way if not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Duty {
    #[default]
    NotAvailable,
    OffShift,
    Resting,
    On,
}

/// What an agent's capacity leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    capacity: u32,
    used: u32,
    interruptible: u32,
}

impl Room {
    /// Returns the units left for tickets that may not be laid aside.
    pub(super) fn left(self) -> u32 {
        self.capacity.saturating_sub(self.used.saturating_sub(self.interruptible))
    }

    /// Returns whether a ticket of so many units has room. One that may not be laid aside takes the
    /// place of those that may.
    pub(super) fn holds(self, units: u32, interruptible: bool) -> bool {
        let yields = if interruptible { 0 } else { self.interruptible };
        let capacity = self.capacity + u32::from(planted!(CapacityOffByOne));
        self.used.saturating_sub(yields).saturating_add(units) <= capacity
    }
}

impl AgentState {
    pub(super) fn new(profile: Arc<AgentProfile>, at: UnixMillis) -> Self {
        Self {
            profile,
            version: 1,
            presence: Presence::Offline,
            lease_until: None,
            streams: 0,
            held: Vec::new(),
            wrap_ups: Vec::new(),
            used_units: 0,
            interruptible_units: 0,
            return_at: None,
            on_shift: true,
            shift_at: None,
            rest_until: None,
            units_max: None,
            ramp_at: None,
            idle_us: 0,
            strain_us: 0,
            strained_at: None,
            settled_at: at,
            freed_at: at,
            taken: 0,
            hard_taken: 0,
        }
    }

    /// Returns the capacity units in use: offers, assignments and wrap-up.
    #[must_use]
    pub fn used_units(&self) -> u32 {
        self.used_units
    }

    /// Returns until when the agent rests because of the occupancy ceiling.
    #[must_use]
    pub fn rests_until(&self) -> Option<UnixMillis> {
        self.rest_until
    }

    /// Returns whether a shift of the profile runs; true without shifts.
    #[must_use]
    pub fn is_on_shift(&self) -> bool {
        self.on_shift
    }

    pub(super) fn is_available(&self) -> bool {
        self.presence == Presence::Available
    }

    pub(super) fn is_on_duty(&self) -> bool {
        self.duty() == Duty::On
    }

    pub(super) fn duty(&self) -> Duty {
        match (self.is_available(), self.on_shift, self.rest_until) {
            (false, ..) => Duty::NotAvailable,
            (true, false, _) => Duty::OffShift,
            (true, true, Some(_)) => Duty::Resting,
            (true, true, None) => Duty::On,
        }
    }

    pub(super) fn room(&self) -> Room {
        let capacity = self.units_max.unwrap_or(u32::MAX).min(self.profile.capacity_units);
        Room { capacity, used: self.used_units, interruptible: self.interruptible_units }
    }

    /// Returns the free units of capacity and all of them.
    pub(super) fn free_share(&self) -> (u32, u32) {
        let of = self.profile.capacity_units.max(1);
        (of.saturating_sub(self.used_units), of)
    }

    /// Takes units for a ticket.
    pub(super) fn hold(&mut self, held: Held) {
        self.let_go(held.ticket);
        self.used_units += held.units;
        self.interruptible_units += if held.interruptible { held.units } else { 0 };
        self.held.push(held);
    }

    /// Gives back the units of a ticket, and returns how many they were.
    pub(super) fn let_go(&mut self, ticket: TicketKey) -> u32 {
        let Some(at) = self.held.iter().position(|held| held.ticket == ticket) else { return 0 };
        let held = self.held.remove(at);
        self.used_units -= held.units;
        self.interruptible_units -= if held.interruptible { held.units } else { 0 };
        held.units
    }

    /// Takes units for the wrap-up of a ticket.
    pub(super) fn begin_wrap_up(&mut self, wrap_up: WrapUp) {
        self.used_units += wrap_up.units;
        self.wrap_ups.push(wrap_up);
    }

    /// Gives back the units of a wrap-up.
    pub(super) fn end_wrap_up(&mut self, ticket: &TicketId) {
        if let Some(at) = self.wrap_ups.iter().position(|wrap_up| wrap_up.ticket == *ticket) {
            self.used_units -= self.wrap_ups.remove(at).units;
        }
    }

    /// Returns when the next wrap-up ends.
    pub(super) fn next_wrap_up(&self) -> Option<UnixMillis> {
        self.wrap_ups.iter().map(|wrap_up| wrap_up.until).min()
    }

    /// Returns cumulative idleness at `now`, in microseconds.
    ///
    /// An agent on duty gathers idle time in proportion to the free share of capacity, so agents of
    /// any capacity and speed who are kept equal in it reach equal occupancy.
    pub(super) fn idle_us_at(&self, now: UnixMillis) -> u64 {
        if !self.is_on_duty() {
            return self.idle_us;
        }
        let (free, of) = self.free_share();
        let elapsed_us = now.millis_since(self.settled_at).saturating_mul(1000);
        self.idle_us.saturating_add(elapsed_us.saturating_mul(u64::from(free)) / u64::from(of))
    }

    /// Returns the work beyond an occupancy ceiling at `now`, in microseconds times 100; never below 0.
    ///
    /// Busy time adds what it has above the ceiling, free time takes away what it has below, as water
    /// in a leaking bucket: over long times occupancy cannot stay above the ceiling.
    pub(super) fn strain_us_at(&self, ceiling: OccupancyCeiling, now: UnixMillis) -> i64 {
        let (free, of) = self.free_share();
        let elapsed_us =
            i64::try_from(now.millis_since(self.settled_at) * 1000).unwrap_or(i64::MAX);
        let busy_percent = i64::from((of - free) * 100 / of);
        let slope = if self.presence == Presence::Offline { 0 } else { busy_percent };
        let grown = elapsed_us.saturating_mul(slope - i64::from(ceiling.percent));
        self.strain_us.saturating_add(grown).max(0)
    }

    /// Works out when the agent should rest, if work goes on as now.
    pub(super) fn foresee_strain(&mut self, ceiling: Option<OccupancyCeiling>) {
        self.strained_at = ceiling.filter(|_| self.rest_until.is_none()).and_then(|ceiling| {
            let (free, of) = self.free_share();
            let slope = i64::from((of - free) * 100 / of) - i64::from(ceiling.percent);
            let left_us = i64::from(ceiling.burst_secs) * 100_000_000 - self.strain_us;
            let rises = slope > 0 && self.is_available();
            // A millisecond more, so that it is beyond the limit for sure.
            rises.then(|| UnixMillis(self.settled_at.0 + left_us.max(0) / slope / 1000 + 1))
        });
    }

    /// Brings idleness and strain up to `at`; needed before anything changes that they depend on.
    pub(super) fn settle(&mut self, at: UnixMillis, ceiling: Option<OccupancyCeiling>) {
        self.strain_us = ceiling.map_or(0, |ceiling| self.strain_us_at(ceiling, at));
        self.idle_us = self.idle_us_at(at);
        self.settled_at = at;
    }
}
