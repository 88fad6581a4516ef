//! Who gets which ticket, and the record of why.
//!
//! Work-conserving: after every step no eligible agent with room stands beside a waiting ticket.
//! Among eligible agents the one with the longest cumulative idleness is asked, then the one with
//! the greater proficiency surplus, then by identifier: never by the order of a map.

use std::collections::BTreeMap;

use super::{
    queue::Class,
    state::{AgentState, OpenTicket, State},
};
use crate::domain::{
    agent::Presence,
    decision::{Candidate, Decision, Exclusion, Rule},
    id::{AgentId, SkillId, TicketId},
    limits::{DECISION_CANDIDATES_MAX, EXCLUSION_AGENTS_MAX},
    policy::Requirement,
    ticket::Status,
    time::UnixMillis,
};

/// Why an agent may not take a ticket, and how far from it the agent is (0 is nearest).
struct Obstacle<'a> {
    rule: Rule,
    skill: Option<&'a SkillId>,
    distance: u64,
}

/// Agents kept out, with their distances, by rule and skill.
type Obstacles<'a> = BTreeMap<(Rule, Option<&'a SkillId>), Vec<(u64, &'a AgentId)>>;

impl State {
    /// Returns the waiting ticket that `agent` should be asked for next.
    pub(super) fn next_ticket_for(&self, agent: &AgentId, now: UnixMillis) -> Option<TicketId> {
        let state = self.agents.get(agent).filter(|state| state.presence == Presence::Available)?;
        let class_fits = |class: &Class| {
            class.target.as_ref().is_none_or(|target| target == agent)
                && skills_fit(&class.requirements, state)
                && has_room(state, &class.channel)
        };
        let ticket_fits = |ticket: &TicketId| {
            self.tickets.get(ticket).is_some_and(|open| !backs_off(open, agent, now))
        };
        self.queue.first(class_fits, ticket_fits).cloned()
    }

    /// Returns who is eligible for a waiting ticket, who is not and why; the first candidate is chosen.
    pub(super) fn decide(&self, ticket: &TicketId, now: UnixMillis) -> Option<Decision> {
        let open = self.tickets.get(ticket).filter(|open| open.status == Status::Queued)?;
        let mut eligible: Vec<Eligible<'_>> = Vec::new();
        let mut obstacles = Obstacles::new();
        for (id, agent) in &self.agents {
            match obstacle(open, id, agent, now) {
                None => eligible.push(Eligible::new(open, id, agent, now)),
                Some(found) => obstacles
                    .entry((found.rule, found.skill))
                    .or_default()
                    .push((found.distance, id)),
            }
        }
        eligible.sort_by(|a, b| {
            let by_surplus = b.proficiency_surplus.cmp(&a.proficiency_surplus);
            b.idle_us.cmp(&a.idle_us).then(by_surplus).then_with(|| a.agent.cmp(b.agent))
        });
        let eligible_count = u32::try_from(eligible.len()).unwrap_or(u32::MAX);
        let candidates: Vec<Candidate> =
            eligible.iter().take(DECISION_CANDIDATES_MAX).map(Eligible::candidate).collect();
        let exclusions = exclusions(obstacles);
        Some(Decision {
            counterfactual: counterfactual(&candidates, &exclusions),
            requirements: open.requirements.clone(),
            relaxation_step: open.relaxation_step,
            waited_ms: now.millis_since(open.received_at),
            eligible_count,
            candidates,
            exclusions,
        })
    }

    /// Returns whether an agent still has the skills a ticket needs now.
    pub(super) fn fits(&self, ticket: &TicketId, agent: &AgentId) -> bool {
        match (self.tickets.get(ticket), self.agents.get(agent)) {
            (Some(open), Some(agent)) => skills_fit(&open.requirements, agent),
            _ => false,
        }
    }
}

/// An agent who could take a ticket, before it is known who is named in the record.
struct Eligible<'a> {
    agent: &'a AgentId,
    idle_us: u64,
    proficiency_surplus: u32,
}

impl<'a> Eligible<'a> {
    fn new(open: &OpenTicket, id: &'a AgentId, agent: &AgentState, now: UnixMillis) -> Self {
        let surplus = open.requirements.iter().map(|need| {
            let has = agent.profile.skills.get(&need.skill).copied().unwrap_or(0);
            u32::from(has.saturating_sub(need.proficiency_min))
        });
        Self { agent: id, idle_us: agent.idle_us_at(now), proficiency_surplus: surplus.sum() }
    }

    fn candidate(&self) -> Candidate {
        Candidate {
            agent: self.agent.clone(),
            idle_ms: self.idle_us / 1000,
            proficiency_surplus: self.proficiency_surplus,
        }
    }
}

/// Returns the first rule that keeps an agent from a ticket, in the order of [`Rule`].
fn obstacle<'a>(
    open: &'a OpenTicket,
    id: &AgentId,
    agent: &AgentState,
    now: UnixMillis,
) -> Option<Obstacle<'a>> {
    let found = |rule, skill, distance| Some(Obstacle { rule, skill, distance });
    if open.target.as_ref().is_some_and(|target| target != id) {
        return found(Rule::NotTheTransferTarget, None, 0);
    }
    let missing = |need: &&Requirement| !agent.profile.skills.contains_key(&need.skill);
    if let Some(need) = open.requirements.iter().find(missing) {
        let count = open.requirements.iter().filter(missing).count();
        return found(Rule::SkillMissing, Some(&need.skill), u64::try_from(count).unwrap_or(0));
    }
    let gap = |need: &Requirement| {
        let has = agent.profile.skills.get(&need.skill).copied().unwrap_or(0);
        u64::from(need.proficiency_min.saturating_sub(has))
    };
    if let Some(need) = open.requirements.iter().find(|need| gap(need) > 0) {
        let distance = open.requirements.iter().map(gap).sum();
        return found(Rule::ProficiencyTooLow, Some(&need.skill), distance);
    }
    if agent.presence != Presence::Available {
        return found(Rule::NotAvailable, None, agent.presence as u64);
    }
    if !has_room(agent, &open.intake.channel) {
        return found(Rule::NoCapacity, None, u64::from(agent.used_units()));
    }
    let until = open.backoff.get(id).filter(|until| **until > now)?;
    found(Rule::DeclinedRecently, None, until.millis_since(now))
}

fn skills_fit(requirements: &[Requirement], agent: &AgentState) -> bool {
    requirements.iter().all(|need| {
        agent.profile.skills.get(&need.skill).is_some_and(|has| *has >= need.proficiency_min)
    })
}

fn has_room(agent: &AgentState, channel: &str) -> bool {
    agent.used_units().saturating_add(agent.profile.units(channel)) <= agent.profile.capacity_units
}

fn backs_off(open: &OpenTicket, agent: &AgentId, now: UnixMillis) -> bool {
    open.backoff.get(agent).is_some_and(|until| *until > now)
}

fn exclusions(obstacles: Obstacles<'_>) -> Vec<Exclusion> {
    // The last rules to be checked are the nearest to eligible.
    obstacles
        .into_iter()
        .rev()
        .map(|((rule, skill), mut agents)| {
            agents.sort();
            let nearest = agents.iter().take(EXCLUSION_AGENTS_MAX);
            Exclusion {
                rule,
                skill: skill.cloned(),
                agent_count: u32::try_from(agents.len()).unwrap_or(u32::MAX),
                agents: nearest.map(|(_, id)| (*id).clone()).collect(),
            }
        })
        .collect()
}

/// Says what the smallest change to a decision would have done.
fn counterfactual(candidates: &[Candidate], exclusions: &[Exclusion]) -> Option<String> {
    if let [_, second, ..] = candidates {
        return Some(format!("Without the first choice, {} would have been asked.", second.agent));
    }
    let nearest = exclusions.first()?;
    let agent = nearest.agents.first()?;
    let skill = nearest.skill.as_ref();
    let condition = match (nearest.rule, skill) {
        (Rule::DeclinedRecently, _) => format!("Had {agent} not just declined it"),
        (Rule::NoCapacity, _) => format!("With room for one more ticket, {agent}"),
        (Rule::NotAvailable, _) => format!("If available, {agent}"),
        (Rule::ProficiencyTooLow, Some(skill)) => {
            format!("With the needed proficiency in {skill}, {agent}")
        }
        (Rule::SkillMissing, Some(skill)) => format!("With the skill {skill}, {agent}"),
        _ => return None,
    };
    let named = matches!(nearest.rule, Rule::DeclinedRecently);
    let who = if named { format!(", {agent}") } else { String::new() };
    let verb = if candidates.is_empty() {
        "would have been asked"
    } else {
        "would have been eligible too"
    };
    Some(format!("{condition}{who} {verb}."))
}
