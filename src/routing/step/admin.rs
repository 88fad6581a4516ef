//! Settings, skills, profiles and policies.

use super::{
    Step,
    checks::{below, same_version},
};
use crate::{
    domain::{
        agent::AgentProfile,
        event::{Event, RevokeReason, WorkspaceSettings},
        id::{AgentId, SkillId, TicketId},
        limits,
        policy::Policy,
        ticket::Status,
    },
    routing::{
        input::{AgentWrite, Rejection},
        plan::by_a_person,
        slab::TicketKey,
        tickets::OpenTicket,
    },
};

impl Step<'_> {
    pub(super) fn set_workspace(
        &mut self,
        settings: WorkspaceSettings,
        expected: Option<u64>,
    ) -> Result<(), Rejection> {
        same_version(self.state.settings_version, expected)?;
        self.emit(Event::WorkspaceSet { settings });
        Ok(())
    }

    pub(super) fn create_skill(
        &mut self,
        skill: SkillId,
        description: String,
    ) -> Result<(), Rejection> {
        let is_new = !self.state.skills.contains_key(&skill);
        below("skills", self.state.skills.len(), limits::SKILLS_MAX, is_new)?;
        self.emit(Event::SkillCreated { skill, description });
        Ok(())
    }

    pub(super) fn delete_skill(&mut self, skill: SkillId) -> Result<(), Rejection> {
        if !self.state.skills.contains_key(&skill) {
            return Err(Rejection::SkillUnknown(skill));
        }
        if let Some(user) = self.user_of(&skill) {
            return Err(Rejection::SkillInUse { skill, user });
        }
        self.emit(Event::SkillDeleted { skill });
        Ok(())
    }

    /// Returns who uses a skill, for people.
    fn user_of(&self, skill: &SkillId) -> Option<String> {
        let state = &self.state;
        let by_agent = state.agents().find(|(_, agent)| agent.profile.skills.contains_key(skill));
        let by_policy = || {
            let names = policy_skills(state.policy.as_ref()?).any(|used| used == skill);
            names.then(|| "the policy".to_owned())
        };
        let by_ticket = || {
            let needs = |open: &&OpenTicket| {
                let plan = open.plan.iter().flat_map(|plan| plan.requirements.iter());
                plan.chain(&open.intake.requirements).any(|n| n.skills().any(|used| used == skill))
            };
            state.tickets().find(needs).map(|open| format!("ticket {}", open.ticket))
        };
        by_agent.map(|(id, _)| format!("agent {id}")).or_else(by_policy).or_else(by_ticket)
    }

    pub(super) fn set_agent(
        &mut self,
        profile: AgentProfile,
        write: AgentWrite,
    ) -> Result<(), Rejection> {
        let known = self.state.agent(&profile.agent);
        match (write, known) {
            (AgentWrite::Create, Some(_)) => return Err(Rejection::AgentExists(profile.agent)),
            (AgentWrite::Replace(_), None) => return Err(Rejection::AgentUnknown(profile.agent)),
            (AgentWrite::Replace(expected), Some(agent)) => same_version(agent.version, expected)?,
            (AgentWrite::Create, None) => {
                below("agents", self.state.agents.len(), limits::AGENTS_MAX, true)?;
            }
        }
        self.declared(profile.skills.keys())?;
        let agent = profile.agent.clone();
        self.emit(Event::AgentSet { profile: profile.into() });
        self.update_shift(&agent);
        let unfit = |step: &Self, ticket: &TicketId| !step.still_fits(ticket, &agent);
        self.revoke_offers(&agent, RevokeReason::ProfileChanged, unfit);
        Ok(())
    }

    /// Returns whether an agent still has the skills a ticket needs now.
    fn still_fits(&self, ticket: &TicketId, agent: &AgentId) -> bool {
        let (Some(open), Some(agent)) = (self.state.ticket(ticket), self.state.agent(agent)) else {
            return false;
        };
        let needs = self.state.requirements(open);
        needs.iter().all(|need| need.met_by(&agent.profile.skills))
    }

    pub(super) fn delete_agent(&mut self, agent: &AgentId) -> Result<(), Rejection> {
        self.known_agent(agent)?;
        let held = self.state.held_tickets(agent).into_iter();
        let assigned = held.filter_map(|ticket| self.state.ticket(ticket));
        let count = assigned.filter(|open| open.status == Status::Assigned).count();
        if count > 0 {
            return Err(Rejection::AgentHasAssignments { agent: agent.clone(), count });
        }
        self.revoke_offers(agent, RevokeReason::AgentRemoved, |_, _| true);
        self.emit(Event::AgentDeleted { agent: agent.clone() });
        let handed = |open: &OpenTicket| open.target.as_ref() == Some(agent);
        let tickets = self.state.tickets.iter().filter(|(_, open)| handed(open));
        let handed: Vec<TicketKey> = tickets.map(|(key, _)| key).collect();
        handed.into_iter().for_each(|ticket| self.replan(ticket));
        Ok(())
    }

    pub(super) fn set_policy(
        &mut self,
        mut policy: Policy,
        expected: Option<u32>,
    ) -> Result<(), Rejection> {
        let version = self.state.policy.as_ref().map_or(0, |policy| policy.version);
        same_version(u64::from(version), expected.map(u64::from))?;
        self.declared(policy_skills(&policy))?;
        policy.version = version + 1;
        let rests = policy.occupancy_ceiling.is_some();
        self.emit(Event::PolicySet { policy: policy.into() });
        self.update_hours();
        if !rests {
            self.end_all_rests();
        }
        let waiting: Vec<TicketKey> = self
            .state
            .tickets
            .iter()
            .filter(|(_, open)| open.status == Status::Queued)
            .map(|(key, _)| key)
            .collect();
        for ticket in waiting {
            if !self.state.tickets.get(ticket).is_some_and(by_a_person) {
                self.replan(ticket);
            }
            // New relaxation steps may fit agents too.
            self.tickets.insert(ticket);
            self.looked_at_again.insert(ticket);
        }
        Ok(())
    }
}

/// Returns every skill a policy names.
fn policy_skills(policy: &Policy) -> impl Iterator<Item = &SkillId> {
    let needed = policy.routes.iter().flat_map(|route| &route.requirements);
    let preferred = policy.routes.iter().flat_map(|route| &route.preferred);
    std::iter::once(&policy.triage_skill)
        .chain(policy.language_skills.values())
        .chain(needed.flat_map(|need| need.skills()))
        .chain(preferred.map(|level| &level.skill))
}
