//! Waiting tickets of one class, in the order of the policy.

use std::collections::BTreeSet;

use super::slab::TicketKey;
use crate::domain::{
    policy::{Policy, TicketOrder},
    time::UnixMillis,
};

/// The place of a ticket among those of its class and weight; smaller is sooner.
///
/// By head start the first number is the time received less the head start. A head start is so many
/// seconds of waiting, hence every ticket overtakes those that come later by more than the longest head
/// start: nobody starves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The time received less the head start, or less than nothing by the level of priority.
    pub(super) first: i64,
    /// The time received.
    pub(super) received_at: UnixMillis,
    /// The how many-th ticket it is.
    pub(super) number: u64,
    /// The ticket.
    pub(super) ticket: TicketKey,
}

/// A place and the weight of age that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// Weight of the age in thousandths; 0 unless tickets are ordered by weighted age.
    pub(super) weight_milli: u32,
    /// The place among tickets of the same weight.
    pub(super) place: Place,
}

/// The order of tickets of all classes at one moment; smaller is sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    first: i64,
    received_at: UnixMillis,
    number: u64,
    /// The ticket.
    pub(super) ticket: TicketKey,
}

impl Spot {
    /// Returns the rank among all waiting tickets at `now`.
    pub(super) fn rank(&self, now: UnixMillis) -> Rank {
        let Place { first, received_at, number, ticket } = self.place;
        let first = match self.weight_milli {
            0 => first,
            weight => now.0.saturating_sub(received_at.0).saturating_mul(-i64::from(weight)),
        };
        Rank { first, received_at, number, ticket }
    }
}

/// Returns the weight of a ticket's age under a policy, and the first number of its place.
pub(super) fn order(
    policy: &Policy,
    received_at: UnixMillis,
    head_start_secs: u32,
    priority: u8,
) -> (u32, i64) {
    match &policy.ticket_order {
        TicketOrder::HeadStart => (0, received_at.minus_secs(head_start_secs).0),
        TicketOrder::Strict => (0, -i64::from(priority)),
        TicketOrder::Ageing { weights_milli } => {
            let weight = weights_milli.get(usize::from(priority)).or(weights_milli.last());
            (weight.copied().unwrap_or(1000).max(1), received_at.0)
        }
    }
}

/// Waiting tickets of one class.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Waiting {
    /// By weight; few: one, unless tickets are ordered by weighted age.
    lanes: Vec<(u32, BTreeSet<Place>)>,
    /// The first of the first lane: every agent who becomes free looks at it.
    head: Option<Place>,
    len: usize,
}

impl Waiting {
    pub(super) fn insert(&mut self, spot: &Spot) {
        let at = match self.lanes.binary_search_by_key(&spot.weight_milli, |(weight, _)| *weight) {
            Ok(at) => at,
            Err(at) => {
                self.lanes.insert(at, (spot.weight_milli, BTreeSet::new()));
                at
            }
        };
        if self.lanes.get_mut(at).is_some_and(|(_, places)| places.insert(spot.place)) {
            self.len += 1;
            self.find_head(at);
        }
    }

    fn find_head(&mut self, changed: usize) {
        if changed == 0 {
            self.head = self.lanes.first().and_then(|(_, places)| places.first().copied());
        }
    }

    pub(super) fn remove(&mut self, spot: &Spot) {
        let found = self.lanes.binary_search_by_key(&spot.weight_milli, |(weight, _)| *weight);
        let Ok(at) = found else { return };
        if self.lanes.get_mut(at).is_some_and(|(_, places)| places.remove(&spot.place)) {
            self.len -= 1;
            if at > 0 || self.head == Some(spot.place) {
                self.find_head(at);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the first ticket at `now`.
    pub(super) fn head(&self, now: UnixMillis) -> Option<Rank> {
        match &self.lanes[..] {
            [] => None,
            [(weight_milli, _)] => {
                Some(Spot { weight_milli: *weight_milli, place: self.head? }.rank(now))
            }
            _ => self.first(now, |_| true),
        }
    }

    /// Returns the first ticket at `now` that `fits`.
    pub(super) fn first(&self, now: UnixMillis, fits: impl Fn(TicketKey) -> bool) -> Option<Rank> {
        let heads = self.lanes.iter().filter_map(|(weight_milli, places)| {
            let place = *places.iter().find(|place| fits(place.ticket))?;
            Some(Spot { weight_milli: *weight_milli, place }.rank(now))
        });
        heads.min()
    }

    /// Returns at most `limit` tickets of each weight, soonest first.
    pub(super) fn soonest(&self, limit: usize) -> impl Iterator<Item = TicketKey> {
        let lanes = self.lanes.iter();
        lanes.flat_map(move |(_, places)| places.iter().take(limit).map(|place| place.ticket))
    }

    /// Returns how many tickets of the same weight come before a spot, counted up to `limit`.
    pub(super) fn before(&self, spot: &Spot, limit: usize) -> usize {
        let found = self.lanes.binary_search_by_key(&spot.weight_milli, |(weight, _)| *weight);
        let lane = found.ok().and_then(|at| self.lanes.get(at));
        lane.map_or(0, |(_, places)| places.range(..spot.place).take(limit).count())
    }
}
