//! The record of a decision: who was eligible, who was not and why, what would have led elsewhere.
//!
//! A record is bounded: a few names for each rule. Everybody else is found by replaying the journal up
//! to the decision.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    agents::{AgentState, Duty},
    class::{Class, Spec},
    free::Standing,
    matching::Ranking,
    slab::{AgentKey, ClassKey, TicketKey},
    state::State,
    tickets::OpenTicket,
};
use crate::domain::{
    decision::{Candidate, Change, Counterfactual, Decision, Exclusion, Rule},
    id::{AgentId, SkillId},
    limits::EXCLUSION_AGENTS_MAX,
    ticket::Status,
    time::UnixMillis,
};

/// Agents of a class who are looked at for the names of a record.
const LOOKED_AT: usize = 32;

/// A rule that keeps agents out, and the skill it is about.
type Obstructed<'a> = (Rule, Option<&'a SkillId>);

impl State {
    /// Returns who is eligible for a waiting ticket, who is not and why; the first candidate is chosen.
    pub(super) fn decide(&mut self, ticket: TicketKey, now: UnixMillis) -> Option<Decision> {
        let open = self.tickets.get(ticket).filter(|open| open.status == Status::Queued)?;
        let class = self.class_of(open)?;
        let kept_out = self.kept_out(class);
        let open = self.tickets.get(ticket)?;
        let ranking = self.ranking(open, class, now);
        if ranking.first.is_empty() {
            self.look_ahead(ticket);
        }
        let open = self.tickets.get(ticket)?;
        let first = ranking.first.iter();
        let candidates: Vec<Candidate> = first
            .filter_map(|best| self.candidate(open, &best.standing, best.declines, now))
            .collect();
        let exclusions = self.exclusions(open, (class, &ranking), &kept_out, now);
        Some(Decision {
            counterfactual: self.counterfactual(open, &candidates, &exclusions, now),
            requirements: self.index.classes.get(class)?.spec.needs.clone(),
            relaxation_step: open.relaxation_step,
            waited_ms: now.millis_since(open.received_at),
            eligible_count: count(ranking.count),
            candidates,
            exclusions,
        })
    }

    /// Makes the class of a ticket's next step, to tell whom it would bring.
    fn look_ahead(&mut self, ticket: TicketKey) {
        let Some(open) = self.tickets.get(ticket) else { return };
        let step = usize::try_from(open.relaxation_step).unwrap_or(usize::MAX).saturating_add(1);
        if let (Some(ladder), Some(policy)) = (open.links.ladder, &self.policy) {
            self.index.step_on(ladder, step, policy, &self.agents);
        }
    }

    pub(super) fn candidate(
        &self,
        open: &OpenTicket,
        standing: &Standing,
        declines: u32,
        now: UnixMillis,
    ) -> Option<Candidate> {
        let agent = self.agents.get(standing.key.agent)?;
        let shares = self.spreads(open).then_some((agent.hard_taken, agent.taken));
        Some(Candidate {
            agent: agent.profile.agent.clone(),
            idle_ms: agent.idle_us_at(now) / 1000,
            proficiency_surplus: standing.key.surplus.0,
            preferred_missing: standing.bucket.preferred_missing,
            declines,
            hard_share: shares,
            cost: None,
        })
    }

    /// Returns whom profiles keep out of a class, by rule; worked out again after profiles changed.
    fn kept_out(&mut self, key: ClassKey) -> Arc<[Exclusion]> {
        let version = self.index.profiles_version;
        let Some(class) = self.index.classes.get(key) else { return [].into() };
        if class.kept_out.0 == version {
            return class.kept_out.1.clone();
        }
        let exclusions: Arc<[Exclusion]> = self.find_kept_out(&class.spec).into();
        if let Some(class) = self.index.classes.get_mut(key) {
            class.kept_out = (version, exclusions.clone());
        }
        exclusions
    }

    /// Looks at those who have the rarest skill; everybody else lacks it, and only a few are named.
    fn find_kept_out(&self, spec: &Spec) -> Vec<Exclusion> {
        let everybody = || self.agents();
        let (near, far) = match (&spec.only, self.index.rarest(spec)) {
            (Some(only), _) => {
                let others = everybody().filter(|(id, _)| *id != only).map(|(id, _)| id);
                let named = others.take(EXCLUSION_AGENTS_MAX).cloned().collect();
                let near: Vec<_> = self.agents.key(only).into_iter().collect();
                (near, Some((Rule::NotTheTransferTarget, None, named)))
            }
            (None, Some(need)) => {
                let lacks = |agent: &AgentState| {
                    !need.skills().any(|skill| agent.profile.skills.contains_key(skill))
                };
                let unmet = |agent: &AgentState| {
                    spec.needs.iter().filter(|need| !need.met_by(&agent.profile.skills)).count()
                };
                let lacking = everybody().filter(|(_, agent)| lacks(agent)).take(LOOKED_AT);
                let mut named: Vec<_> = lacking.map(|(id, agent)| (unmet(agent), id)).collect();
                named.sort_unstable();
                let named = named.into_iter().take(EXCLUSION_AGENTS_MAX).map(|(_, id)| id.clone());
                let far = (Rule::SkillMissing, Some(need.skill.clone()), named.collect());
                (self.index.holders(need), Some(far))
            }
            (None, None) => (Vec::new(), None),
        };
        let mut exclusions = self.by_obstacle(spec, &near);
        let far_count = self.agents.len() - near.len();
        let far = far.filter(|_| far_count > 0);
        exclusions.extend(far.map(|(rule, skill, agents)| Exclusion {
            rule,
            skill,
            agent_count: count(far_count),
            agents,
        }));
        exclusions
    }

    fn by_obstacle(&self, spec: &Spec, agents: &[AgentKey]) -> Vec<Exclusion> {
        let mut groups: BTreeMap<Obstructed<'_>, Vec<(u32, &AgentId)>> = BTreeMap::new();
        for agent in agents.iter().filter_map(|key| self.agents.get(*key)) {
            if let Some(obstacle) = spec.obstacle(&agent.profile) {
                let group = groups.entry((obstacle.rule, obstacle.skill)).or_default();
                group.push((obstacle.distance, &agent.profile.agent));
            }
        }
        // The last rules to be checked are the nearest to eligible.
        let groups = groups.into_iter().rev();
        let exclusion =
            |((rule, skill), mut agents): ((_, Option<&SkillId>), Vec<(u32, &AgentId)>)| {
                agents.sort_unstable();
                let nearest = agents.iter().take(EXCLUSION_AGENTS_MAX);
                Exclusion {
                    rule,
                    skill: skill.cloned(),
                    agent_count: count(agents.len()),
                    agents: nearest.map(|(_, id)| (*id).clone()).collect(),
                }
            };
        groups.map(exclusion).collect()
    }

    /// Returns who is not eligible by rule, the rules nearest to eligible first.
    fn exclusions(
        &self,
        open: &OpenTicket,
        (class, ranking): (ClassKey, &Ranking),
        kept_out: &[Exclusion],
        now: UnixMillis,
    ) -> Vec<Exclusion> {
        let Some(class) = self.index.classes.get(class) else { return Vec::new() };
        let [not_available, off_shift, resting, on_duty] = class.by_duty;
        let on_duty = on_duty as usize;
        let closed = self.closed && !class.spec.around_the_clock;
        let no_room = on_duty.saturating_sub(ranking.count + ranking.backing_off);
        let counts = [
            (Rule::DeclinedRecently, ranking.backing_off),
            (Rule::NoCapacity, if closed { 0 } else { no_room }),
            (Rule::Closed, if closed { on_duty } else { 0 }),
            (Rule::Resting, resting as usize),
            (Rule::OffShift, off_shift as usize),
            (Rule::NotAvailable, not_available as usize),
        ];
        let wanted = counts.iter().map(|(_, agents)| (*agents).min(EXCLUSION_AGENTS_MAX)).sum();
        let mut names = self.names(open, class, (closed, wanted), now);
        let by_state =
            counts.into_iter().filter(|(_, agents)| *agents > 0).map(|(rule, agents)| Exclusion {
                rule,
                skill: None,
                agent_count: count(agents),
                agents: names.remove(&rule).unwrap_or_default(),
            });
        by_state.chain(kept_out.iter().cloned()).collect()
    }

    /// Returns a few agents for each rule that keeps out agents whose profile fits, `wanted` in all.
    fn names(
        &self,
        open: &OpenTicket,
        class: &Class,
        (closed, wanted): (bool, usize),
        now: UnixMillis,
    ) -> BTreeMap<Rule, Vec<AgentId>> {
        let mut names: BTreeMap<Rule, Vec<AgentId>> = BTreeMap::new();
        let mut found = 0;
        for key in class.fit.iter().take(LOOKED_AT) {
            if found == wanted {
                break;
            }
            let Some(agent) = self.agents.get(*key) else { continue };
            let id = &agent.profile.agent;
            let units = agent.profile.units(&class.spec.channel);
            let rule = match agent.duty() {
                Duty::NotAvailable => Rule::NotAvailable,
                Duty::OffShift => Rule::OffShift,
                Duty::Resting => Rule::Resting,
                Duty::On if closed => Rule::Closed,
                Duty::On if !agent.room().holds(units, class.interruptible) => Rule::NoCapacity,
                Duty::On if open.backs_off(id, now) => Rule::DeclinedRecently,
                Duty::On => continue,
            };
            let named = names.entry(rule).or_default();
            if named.len() < EXCLUSION_AGENTS_MAX {
                named.push(id.clone());
                found += 1;
            }
        }
        names
    }

    /// Says what the smallest change to a decision would have done.
    fn counterfactual(
        &self,
        open: &OpenTicket,
        candidates: &[Candidate],
        exclusions: &[Exclusion],
        now: UnixMillis,
    ) -> Option<Counterfactual> {
        let change = if let [_, second, ..] = candidates {
            Change::WithoutTheFirst { agent: second.agent.clone() }
        } else {
            let relaxed = if candidates.is_empty() { self.if_relaxed(open, now) } else { None };
            relaxed.or_else(|| {
                let nearest = exclusions.iter().find(|exclusion| !exclusion.agents.is_empty())?;
                let (rule, skill) = (nearest.rule, nearest.skill.clone());
                Some(Change::WithoutRule { agent: nearest.agents.first()?.clone(), rule, skill })
            })?
        };
        Some(Counterfactual::Change(change))
    }

    /// Returns whom the next relaxation step would let be asked.
    fn if_relaxed(&self, open: &OpenTicket, now: UnixMillis) -> Option<Change> {
        let step = usize::try_from(open.relaxation_step).ok()?;
        let rung = self.index.rungs(open.links.ladder?).get(step + 1)?;
        let ranking = self.ranking(open, rung.class?, now);
        let agent = self.agents.get(ranking.first.first()?.standing.key.agent)?;
        Some(Change::Relaxed {
            agent: agent.profile.agent.clone(),
            requirements: rung.spec.needs.clone(),
            at: self.at_age(open.plan.as_ref()?, open.received_at, rung.after_secs),
        })
    }
}

fn count(agents: usize) -> u32 {
    u32::try_from(agents).unwrap_or(u32::MAX)
}
