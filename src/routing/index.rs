//! What matching looks things up in. It follows from the rest of the state and is no part of it.
//!
//! Agents whose room or idle time changed are `loose` until the end of a step: an agent who ends one
//! ticket and is offered the next in the same step need not be put in and taken out of every class.

mod paces;

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    agents::{AgentState, Agents, Duty, Room},
    class::{Class, Ladder, LadderSpec, Pace, Rung, Spec, specs, ways},
    free::{Bucket, FreeKey, Standing},
    slab::{AgentKey, ClassKey, LadderKey, Lookup, Number, Slab},
};
use crate::domain::{
    agent::AgentProfile,
    id::SkillId,
    limits::{LADDERS_KEPT_MAX, MEMBERSHIPS_KEPT_MAX},
    policy::{AgentChoice, Policy, Requirement},
    time::UnixMillis,
};

/// Loose agents beyond which they are put in order before the next decision.
const LOOSE_MAX: usize = 16;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchIndex {
    pub(super) classes: Slab<ClassKey, Class>,
    by_spec: Lookup<Spec, ClassKey>,
    ladders: Slab<LadderKey, Ladder>,
    by_ladder: Lookup<LadderSpec, LadderKey>,
    /// The paces of classes that are not there now, and how many paces there are with those that are.
    /// Which classes are there depends on what was looked ahead at; the paces must not.
    paces: BTreeMap<Spec, Pace>,
    pace_count: usize,
    /// Who has a skill and at what proficiency, by number.
    holders: BTreeMap<SkillId, Vec<(AgentKey, u8)>>,
    /// Memberships of all agents.
    membership_count: usize,
    /// Memberships and ladders beyond which unused ones are looked for, if above the limits.
    kept: (usize, usize),
    /// One more with each change of a profile.
    pub(super) profiles_version: u64,
    /// By the number of the agent.
    seats: Vec<Seat>,
    loose: Vec<AgentKey>,
    choice: AgentChoice,
}

/// What the index knows of one agent.
#[derive(Clone, Debug, Default)]
struct Seat {
    /// The classes that fit, by number.
    memberships: Vec<Membership>,
    /// As it is in the classes; `None` when in none.
    entry: Option<Entry>,
    duty: Duty,
    loose: bool,
}

/// An agent in a class that fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) class: ClassKey,
    /// Units a ticket of the class takes.
    pub(super) units: u32,
    interruptible: bool,
    surplus: u32,
    preferred_missing: u32,
}

/// What an agent's place among the free ones follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    room: Room,
    free: u32,
    of: u32,
    order: i128,
    since: UnixMillis,
}

impl Entry {
    fn new(choice: AgentChoice, agent: &AgentState) -> Self {
        let room = agent.room();
        let by_idleness = choice == AgentChoice::LongestCumulativeIdle;
        let (free, of) = if by_idleness { agent.free_share() } else { (0, 1) };
        let order = match choice {
            AgentChoice::LongestCumulativeIdle => {
                let since_us = i128::from(agent.settled_at.0) * 1000 * i128::from(free);
                since_us - i128::from(agent.idle_us) * i128::from(of)
            }
            AgentChoice::LongestIdle => i128::from(agent.freed_at.0),
            AgentChoice::Fastest => -i128::from(agent.profile.speed),
            AgentChoice::FewestTickets => i128::from(agent.taken),
            AgentChoice::Random | AgentChoice::MostProficient => 0,
        };
        Self { room, free, of, order, since: agent.freed_at }
    }

    /// Returns the place among the free agents of a class; `None` without room.
    fn place(
        &self,
        choice: AgentChoice,
        agent: AgentKey,
        of: &Membership,
    ) -> Option<(Bucket, FreeKey)> {
        self.room.holds(of.units, of.interruptible).then(|| {
            let by_surplus = choice == AgentChoice::MostProficient;
            let order = if by_surplus { -i128::from(of.surplus) } else { self.order };
            let preferred_missing = of.preferred_missing;
            (
                Bucket { preferred_missing, free: self.free, of: self.of },
                FreeKey { order, surplus: Reverse(of.surplus), since: self.since, agent },
            )
        })
    }
}

/// Returns by how much an agent exceeds what is needed, in the way that spends least; `None` when no
/// way is met. A way is who has the skill, at which proficiency, and the lowest that will do.
fn spare(agent: AgentKey, ways: &[(&[(AgentKey, u8)], u8)]) -> Option<u32> {
    let spares = ways.iter().filter_map(|(holders, min)| {
        let at = holders.binary_search_by_key(&agent, |(key, _)| *key).ok()?;
        holders.get(at)?.1.checked_sub(*min)
    });
    spares.min().map(u32::from)
}

impl MatchIndex {
    /// Returns the ladder for what is wanted; makes it if there is none.
    pub(super) fn ladder(&mut self, wanted: LadderSpec, policy: &Policy) -> LadderKey {
        if let Some(key) = self.by_ladder.get(&wanted) {
            return *key;
        }
        if self.membership_count > self.kept.0.max(MEMBERSHIPS_KEPT_MAX)
            || self.ladders.len() > self.kept.1.max(LADDERS_KEPT_MAX)
        {
            self.forget_unused();
            // What is in use stays; looking again waits until there is as much again.
            self.kept = (2 * self.membership_count, 2 * self.ladders.len());
        }
        let rung = |(after_secs, spec)| Rung { after_secs, spec, class: None };
        let rungs = specs(policy, &wanted).into_iter().map(rung).collect();
        let key = self.ladders.insert(Ladder { spec: wanted.clone(), rungs, tickets: 0 });
        self.by_ladder.insert(wanted, key);
        key
    }

    pub(super) fn rungs(&self, ladder: LadderKey) -> &[Rung] {
        self.ladders.get(ladder).map_or(&[], |ladder| &ladder.rungs)
    }

    /// Counts an open ticket onto a ladder or off it.
    pub(super) fn count(&mut self, ladder: Option<LadderKey>, by: i32) {
        if let Some(ladder) = ladder.and_then(|key| self.ladders.get_mut(key)) {
            ladder.tickets = ladder.tickets.saturating_add_signed(by);
        }
    }

    /// Makes the class of a rung, when the first ticket gets there.
    pub(super) fn step_on(
        &mut self,
        ladder: LadderKey,
        step: usize,
        policy: &Policy,
        agents: &Agents,
    ) {
        let Some(rung) = self.rungs(ladder).get(step).filter(|rung| rung.class.is_none()) else {
            return;
        };
        let key = self.class(&rung.spec.clone(), policy, agents);
        if let Some(class) = self.classes.get_mut(key) {
            class.ladders += 1;
        }
        let rungs = self.ladders.get_mut(ladder).map(|ladder| &mut ladder.rungs);
        if let Some(rung) = rungs.and_then(|rungs| rungs.get_mut(step)) {
            rung.class = Some(key);
        }
    }

    fn class(&mut self, spec: &Spec, policy: &Policy, agents: &Agents) -> ClassKey {
        if let Some(key) = self.by_spec.get(spec) {
            return *key;
        }
        let pace = self.paces.remove(spec);
        let key = self.classes.insert(Class { pace, ..Class::new(spec.clone(), policy) });
        self.by_spec.insert(spec.clone(), key);
        match (&spec.only, self.rarest(spec)) {
            (Some(only), _) => {
                let only = agents.key(only);
                only.into_iter().for_each(|agent| self.try_fit(key, agent, agents));
            }
            (None, Some(rarest)) => {
                for (agent, surplus) in self.skilled(spec, rarest) {
                    self.join(key, agent, surplus, agents);
                }
            }
            (None, None) => agents.keys().for_each(|agent| self.join(key, agent, 0, agents)),
        }
        key
    }

    /// Returns who has the skills, and by how much more than needed in sum. It looks at the holders of
    /// skills and not at profiles: there are many classes, and profiles lie far apart.
    fn skilled(&self, spec: &Spec, rarest: &Requirement) -> Vec<(AgentKey, u32)> {
        let way = |(skill, min): (_, u8)| Some((self.holders.get(skill)?.as_slice(), min.max(1)));
        let needs: Vec<Vec<_>> =
            spec.needs.iter().map(|need| ways(need).filter_map(way).collect()).collect();
        let surplus = |agent| needs.iter().map(|ways| spare(agent, ways)).sum::<Option<u32>>();
        let holders = self.holders(rarest).into_iter();
        holders.filter_map(|agent| Some((agent, surplus(agent)?))).collect()
    }

    /// Returns the requirement that the fewest agents come near to.
    pub(super) fn rarest<'a>(&self, spec: &'a Spec) -> Option<&'a Requirement> {
        let holders = |need: &&Requirement| -> usize {
            need.skills().map(|skill| self.holders.get(skill).map_or(0, Vec::len)).sum()
        };
        spec.needs.iter().min_by_key(holders)
    }

    /// Returns who has one of the skills of a requirement, by number.
    pub(super) fn holders(&self, need: &Requirement) -> Vec<AgentKey> {
        let lists = need.skills().filter_map(|skill| self.holders.get(skill));
        let mut holders: Vec<AgentKey> = lists.flatten().map(|(key, _)| *key).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    /// Puts an agent into a class if the profile fits.
    fn try_fit(&mut self, class_key: ClassKey, agent_key: AgentKey, agents: &Agents) {
        let class = self.classes.get(class_key);
        let (Some(class), Some(agent)) = (class, agents.get(agent_key)) else { return };
        if class.spec.obstacle(&agent.profile).is_none() {
            let surplus = class.spec.surplus(&agent.profile);
            self.join(class_key, agent_key, surplus, agents);
        }
    }

    /// Puts an agent whose profile fits into a class.
    fn join(&mut self, class_key: ClassKey, agent_key: AgentKey, surplus: u32, agents: &Agents) {
        let (Some(class), Some(agent)) = (self.classes.get_mut(class_key), agents.get(agent_key))
        else {
            return;
        };
        let profile = &agent.profile;
        let Some(seat) = self.seats.get_mut(agent_key.index()) else { return };
        let membership = Membership {
            class: class_key,
            units: profile.units(&class.spec.channel),
            interruptible: class.interruptible,
            surplus,
            preferred_missing: class.spec.preferred_missing(profile),
        };
        if let Err(at) = class.fit.binary_search(&agent_key) {
            class.fit.insert(at, agent_key);
        }
        if let Err(at) = seat.memberships.binary_search_by_key(&class_key, |m| m.class) {
            seat.memberships.insert(at, membership);
            self.membership_count += 1;
        }
        class.by_duty[seat.duty as usize] += 1;
        if let Some((bucket, key)) =
            seat.entry.and_then(|entry| entry.place(self.choice, agent_key, &membership))
        {
            class.free.insert(bucket, key);
        }
    }

    /// Drops ladders without tickets, and classes that are on no ladder any more.
    fn forget_unused(&mut self) {
        for key in self.ladders.keys() {
            if self.ladders.get(key).is_some_and(|ladder| ladder.tickets > 0) {
                continue;
            }
            let Some(ladder) = self.ladders.remove(key) else { continue };
            self.by_ladder.remove(&ladder.spec);
            ladder.rungs.iter().filter_map(|rung| rung.class).for_each(|class| self.leave(class));
        }
        // All at once: one by one, each would move all that come after it.
        for seat in &mut self.seats {
            seat.memberships.retain(|membership| self.classes.get(membership.class).is_some());
        }
        self.membership_count = self.seats.iter().map(|seat| seat.memberships.len()).sum();
    }

    fn leave(&mut self, key: ClassKey) {
        let Some(class) = self.classes.get_mut(key) else { return };
        class.ladders -= 1;
        if class.ladders == 0
            && let Some(class) = self.classes.remove(key)
        {
            self.by_spec.remove(&class.spec);
            if let Some(pace) = class.pace {
                self.paces.insert(class.spec, pace);
            }
        }
    }

    /// Starts again under a policy: every class, ladder and place is forgotten.
    pub(super) fn clear(&mut self, policy: &Policy) {
        *self = Self {
            seats: std::mem::take(&mut self.seats),
            holders: std::mem::take(&mut self.holders),
            profiles_version: self.profiles_version,
            choice: policy.agent_choice,
            ..Self::default()
        };
        for (index, seat) in self.seats.iter_mut().enumerate() {
            seat.memberships.clear();
            seat.entry = None;
            seat.loose = true;
            self.loose.push(AgentKey::new(u32::try_from(index).unwrap_or(u32::MAX)));
        }
    }

    // Agents

    /// Takes an agent out of all classes, before the profile changes or the agent goes.
    pub(super) fn remove_agent(&mut self, key: AgentKey, profile: &AgentProfile) {
        for skill in profile.skills.keys() {
            let Some(holders) = self.holders.get_mut(skill) else { continue };
            if let Ok(at) = holders.binary_search_by_key(&key, |(key, _)| *key) {
                holders.remove(at);
            }
        }
        let Some(seat) = self.seats.get_mut(key.index()) else { return };
        let seat = std::mem::take(seat);
        self.membership_count -= seat.memberships.len();
        for membership in &seat.memberships {
            let Some(class) = self.classes.get_mut(membership.class) else { continue };
            if let Ok(at) = class.fit.binary_search(&key) {
                class.fit.remove(at);
            }
            class.by_duty[seat.duty as usize] -= 1;
            let place = seat.entry.and_then(|entry| entry.place(self.choice, key, membership));
            if let Some((bucket, free_key)) = place {
                class.free.remove(bucket, &free_key);
            }
        }
        self.loose.retain(|loose| *loose != key);
        self.profiles_version += 1;
    }

    /// Puts a new or changed agent into the classes that fit.
    pub(super) fn add_agent(&mut self, key: AgentKey, agents: &Agents) {
        if self.seats.len() <= key.index() {
            self.seats.resize_with(key.index() + 1, Seat::default);
        }
        for (skill, level) in agents.get(key).into_iter().flat_map(|agent| &agent.profile.skills) {
            let holders = self.holders.entry(skill.clone()).or_default();
            if let Err(at) = holders.binary_search_by_key(&key, |(key, _)| *key) {
                holders.insert(at, (key, *level));
            }
        }
        for class in self.classes.keys() {
            self.try_fit(class, key, agents);
        }
        self.profiles_version += 1;
        self.changed(key, agents);
    }

    /// Notes that something about an agent changed that places follow from.
    pub(super) fn changed(&mut self, key: AgentKey, agents: &Agents) {
        let Some(seat) = self.seats.get_mut(key.index()) else { return };
        let Some(agent) = agents.get(key) else { return };
        let before = std::mem::replace(&mut seat.duty, agent.duty());
        if seat.duty != before {
            for membership in &seat.memberships {
                let Some(class) = self.classes.get_mut(membership.class) else { continue };
                class.by_duty[before as usize] -= 1;
                class.by_duty[seat.duty as usize] += 1;
            }
        }
        if !seat.loose {
            seat.loose = true;
            self.loose.push(key);
        }
    }

    /// Puts loose agents in order, if there are too many to look at one by one.
    pub(super) fn settle_crowd(&mut self, agents: &Agents) {
        if self.loose.len() > LOOSE_MAX {
            self.settle(agents);
        }
    }

    /// Puts every loose agent in order.
    pub(super) fn settle(&mut self, agents: &Agents) {
        for key in std::mem::take(&mut self.loose) {
            let Some(seat) = self.seats.get_mut(key.index()) else { continue };
            seat.loose = false;
            let agent = agents.get(key).filter(|agent| agent.is_on_duty());
            let entry = agent.map(|agent| Entry::new(self.choice, agent));
            let before = std::mem::replace(&mut seat.entry, entry);
            if entry == before {
                continue;
            }
            for membership in &seat.memberships {
                let Some(class) = self.classes.get_mut(membership.class) else { continue };
                let place = |entry: Option<Entry>| {
                    entry.and_then(|e| e.place(self.choice, key, membership))
                };
                let (old, new) = (place(before), place(entry));
                if old == new {
                    continue;
                }
                if let Some((bucket, free_key)) = old {
                    class.free.remove(bucket, &free_key);
                }
                if let Some((bucket, free_key)) = new {
                    class.free.insert(bucket, free_key);
                }
            }
        }
    }

    // Looking up

    /// Returns the classes that fit an agent.
    pub(super) fn memberships(&self, key: AgentKey) -> &[Membership] {
        self.seats.get(key.index()).map_or(&[], |seat| &seat.memberships)
    }

    /// Returns whether an agent with this room could take a ticket of the class.
    pub(super) fn has_room(membership: &Membership, room: Room) -> bool {
        room.holds(membership.units, membership.interruptible)
    }

    fn membership(&self, agent: AgentKey, class: ClassKey) -> Option<&Membership> {
        let memberships = self.memberships(agent);
        let at = memberships.binary_search_by_key(&class, |m| m.class).ok()?;
        memberships.get(at)
    }

    /// Returns how an agent stands in a class at `now`; `None` when not free for it.
    pub(super) fn standing(
        &self,
        (key, agent): (AgentKey, &AgentState),
        class: ClassKey,
        now: UnixMillis,
    ) -> Option<Standing> {
        let membership = self.membership(key, class).filter(|_| agent.is_on_duty())?;
        let entry = Entry::new(self.choice, agent);
        let (bucket, free_key) = entry.place(self.choice, key, membership)?;
        Some(Standing::new(bucket, free_key, now))
    }

    /// Returns whether an agent's place in the classes may not be the true one.
    pub(super) fn is_loose(&self, key: AgentKey) -> bool {
        self.seats.get(key.index()).is_some_and(|seat| seat.loose)
    }

    /// Returns how loose agents stand in a class, and how many of them are in its set as they were.
    pub(super) fn loose(
        &self,
        class: ClassKey,
        agents: &Agents,
        now: UnixMillis,
    ) -> (Vec<Standing>, usize) {
        let mut standings = Vec::new();
        let mut as_they_were = 0;
        for key in &self.loose {
            let Some(membership) = self.membership(*key, class) else { continue };
            let entry = self.seats.get(key.index()).and_then(|seat| seat.entry);
            if entry.is_some_and(|entry| Self::has_room(membership, entry.room)) {
                as_they_were += 1;
            }
            let agent = agents.get(*key);
            standings.extend(agent.and_then(|agent| self.standing((*key, agent), class, now)));
        }
        (standings, as_they_were)
    }
}
