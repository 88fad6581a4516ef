//! Classes: what tickets with equal needs look for, and who fits.
//!
//! Whether an agent's skills fit is worked out once for each class and agent, not for each ticket. As a
//! ticket ages it climbs a ladder of classes, each needing less than the one before.

use std::sync::Arc;

use super::{
    free::FreeSet,
    plan::relaxed,
    queue::Waiting,
    slab::{AgentKey, ClassKey},
};
use crate::domain::{
    agent::AgentProfile,
    decision::{Exclusion, Rule},
    id::{AgentId, SkillId},
    policy::{Policy, Requirement, SkillLevel},
    time::UnixMillis,
};

/// What all tickets of a class look for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spec {
    /// Skills, after relaxation.
    pub(super) needs: Arc<[Requirement]>,
    /// Skills that are liked but not needed.
    pub(super) preferred: Arc<[SkillLevel]>,
    /// Channel, for its cost in capacity.
    pub(super) channel: Arc<str>,
    /// The only agent who may take it.
    pub(super) only: Option<AgentId>,
    /// Whether it is offered outside business hours.
    pub(super) around_the_clock: bool,
}

/// What stands between an agent and a class for as long as the profile stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Obstacle<'a> {
    pub(super) rule: Rule,
    pub(super) skill: Option<&'a SkillId>,
    /// How far from eligible; 0 is nearest.
    pub(super) distance: u32,
}

impl Spec {
    /// Returns the first rule that keeps an agent out whatever happens, if any does.
    pub(super) fn obstacle(&self, profile: &AgentProfile) -> Option<Obstacle<'_>> {
        if self.only.as_ref().is_some_and(|only| *only != profile.agent) {
            return Some(Obstacle { rule: Rule::NotTheTransferTarget, skill: None, distance: 0 });
        }
        let unmet = || self.needs.iter().filter(|need| !need.met_by(&profile.skills));
        let lacks = |need: &&Requirement| !need.skills().any(|s| profile.skills.contains_key(s));
        if let Some(missing) = unmet().find(lacks) {
            let distance = u32::try_from(unmet().filter(lacks).count()).unwrap_or(u32::MAX);
            let skill = Some(&missing.skill);
            return Some(Obstacle { rule: Rule::SkillMissing, skill, distance });
        }
        let too_low = unmet().next()?;
        let distance = unmet().map(|need| u32::from(gap(profile, need))).sum();
        let skill = Some(&too_low.skill);
        Some(Obstacle { rule: Rule::ProficiencyTooLow, skill, distance })
    }

    /// Returns the sum of proficiency above what is needed.
    pub(super) fn surplus(&self, profile: &AgentProfile) -> u32 {
        self.needs.iter().map(|need| u32::from(spare(profile, need))).sum()
    }

    /// Returns how many of the preferred skills an agent lacks.
    pub(super) fn preferred_missing(&self, profile: &AgentProfile) -> u32 {
        let missing = self.preferred.iter().filter(|level| !has(profile, level));
        u32::try_from(missing.count()).unwrap_or(u32::MAX)
    }
}

fn level(profile: &AgentProfile, skill: &SkillId) -> u8 {
    profile.skills.get(skill).copied().unwrap_or(0)
}

fn has(profile: &AgentProfile, wanted: &SkillLevel) -> bool {
    level(profile, &wanted.skill) >= wanted.proficiency_min.max(1)
}

/// Returns the ways to meet a requirement.
pub(super) fn ways(need: &Requirement) -> impl Iterator<Item = (&SkillId, u8)> {
    let others = need.alternatives.iter().map(|level| (&level.skill, level.proficiency_min));
    std::iter::once((&need.skill, need.proficiency_min)).chain(others)
}

/// Returns by how much an agent with one of the skills falls short of the nearest.
fn gap(profile: &AgentProfile, need: &Requirement) -> u8 {
    ways(need)
        .map(|(skill, min)| min.max(1) - level(profile, skill).min(min.max(1)))
        .min()
        .unwrap_or(0)
}

/// Returns by how much an agent exceeds a requirement that is met, in the way that spends least.
fn spare(profile: &AgentProfile, need: &Requirement) -> u8 {
    ways(need)
        .filter_map(|(skill, min)| level(profile, skill).checked_sub(min.max(1)))
        .min()
        .unwrap_or(0)
}

/// Tickets with equal needs, and the agents who fit.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) spec: Spec,
    /// Whether its tickets may be laid aside for others.
    pub(super) interruptible: bool,
    /// Agents whose profile fits, by number.
    pub(super) fit: Vec<AgentKey>,
    /// How many of them are so far on duty.
    pub(super) by_duty: [u32; 4],
    /// Those on duty with room.
    pub(super) free: FreeSet,
    pub(super) waiting: Waiting,
    /// How fast its tickets leave for agents; `None` before the first did.
    pub(super) pace: Option<Pace>,
    /// Ladders it is a rung of.
    pub(super) ladders: u32,
    /// Whom the profile keeps out, by rule, as of a version of the profiles.
    pub(super) kept_out: (u64, Arc<[Exclusion]>),
}

impl Class {
    pub(super) fn new(spec: Spec, policy: &Policy) -> Self {
        let interruptible = interrupts(policy, &spec.channel);
        Self {
            spec,
            interruptible,
            fit: Vec::new(),
            by_duty: [0; 4],
            free: FreeSet::default(),
            waiting: Waiting::default(),
            pace: None,
            ladders: 0,
            kept_out: (0, [].into()),
        }
    }
}

/// How fast tickets with equal needs leave the queue for agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// When the last one left.
    pub(super) departed_at: UnixMillis,
    /// The mean time between those that left; `None` before the second did.
    pub(super) gap_ms: Option<u64>,
}

impl Pace {
    /// Returns the pace after one more left.
    pub(super) fn after(before: Option<Self>, at: UnixMillis) -> Self {
        let gap_ms = before.map(|before| {
            let gap_ms = at.millis_since(before.departed_at);
            // The last eight or so count: enough to be steady, few enough to follow the day.
            before.gap_ms.map_or(gap_ms, |mean| mean - mean / 8 + gap_ms / 8)
        });
        Self { departed_at: at, gap_ms }
    }
}

/// Returns whether tickets of a channel may be laid aside for others.
pub(super) fn interrupts(policy: &Policy, channel: &str) -> bool {
    policy.interruptible_channels.iter().any(|name| name == channel)
}

/// What decides about the classes a ticket goes through as it ages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LadderSpec {
    /// The first class, but for the agent it waits for.
    pub(super) base: Spec,
    /// The agent it would like, and waits for first.
    pub(super) liked: Option<AgentId>,
}

/// What a ticket looks for from an age on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rung {
    pub(super) after_secs: u32,
    pub(super) spec: Spec,
    /// The class; `None` before a ticket got there.
    pub(super) class: Option<ClassKey>,
}

/// The classes a ticket goes through as it ages.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    pub(super) spec: LadderSpec,
    pub(super) rungs: Vec<Rung>,
    /// Open tickets on it.
    pub(super) tickets: u32,
}

/// Returns what is needed from each age on, youngest first; never the same twice in a row.
pub(super) fn specs(policy: &Policy, wanted: &LadderSpec) -> Vec<(u32, Spec)> {
    let base = &wanted.base;
    let mut ages: Vec<u32> = vec![0];
    ages.extend(policy.relaxation.iter().map(|step| step.after_secs));
    ages.extend(base.needs.iter().filter_map(|need| need.expires_after_secs));
    let patience_secs = wanted.liked.as_ref().map_or(0, |_| policy.preferred_agent_wait_secs);
    ages.push(patience_secs);
    ages.sort_unstable();
    ages.dedup();
    let mut specs: Vec<(u32, Spec)> = Vec::with_capacity(ages.len());
    for age in ages {
        let step = policy.relaxation.iter().rev().find(|step| step.after_secs <= age);
        let lasting = base.needs.iter().filter(|need| {
            need.permanent || need.expires_after_secs.is_none_or(|end_secs| end_secs > age)
        });
        let needs = relaxed(lasting.cloned(), step);
        let liked = wanted.liked.as_ref().filter(|_| age < patience_secs);
        let spec = Spec {
            // Equal lists are one list: they are compared and kept often.
            needs: if needs[..] == base.needs[..] { base.needs.clone() } else { needs.into() },
            only: base.only.clone().or_else(|| liked.cloned()),
            ..base.clone()
        };
        if specs.last().is_none_or(|(_, last)| *last != spec) {
            specs.push((age, spec));
        }
    }
    specs
}
