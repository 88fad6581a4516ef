//! From an input to what happens.

use std::collections::BTreeSet;

use super::{
    input::{AgentWrite, Input, Rejection, Transfer},
    plan::{TRANSFER, plan, plan_by_intent, plan_transfer},
    queue::Place,
    state::{OpenTicket, State, Timer},
};
use crate::domain::{
    agent::{AgentProfile, Presence},
    event::{Event, PresenceCause, RevokeReason, TransferTarget, WorkspaceSettings},
    id::{AgentId, OfferId, SkillId, TicketId},
    limits,
    policy::{Plan, Policy, TriageReason},
    reading::{Reading, ReadingSource},
    ticket::{Intake, Outcome, Status},
    time::UnixMillis,
};

/// Applies `input` at `now`, then everything that is due and every match it makes possible.
///
/// Returns the events that happened, in order; the caller journals them. The state is changed only
/// when the input is accepted. `now` must not be earlier than in the call before.
///
/// # Errors
/// [`Rejection`] says why nothing happened.
pub fn step(state: &mut State, input: Input, now: UnixMillis) -> Result<Vec<Event>, Rejection> {
    let mut step = Step { state, now, events: Vec::new(), tickets: [].into(), agents: [].into() };
    step.take(input)?;
    step.run_due();
    if step.replan_stale() {
        // By the age of a ticket, steps of its new plan may be due.
        step.run_due();
    }
    step.match_waiting();
    Ok(step.events)
}

/// One step in progress.
pub(super) struct Step<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: UnixMillis,
    events: Vec<Event>,
    /// Tickets that may have become matchable.
    tickets: BTreeSet<TicketId>,
    /// Agents who may have become matchable.
    agents: BTreeSet<AgentId>,
}

impl Step<'_> {
    /// Applies an event and notes whom it may bring together.
    pub(super) fn emit(&mut self, event: Event) {
        self.state.apply(self.now, &event);
        if let Some(ticket) = event.ticket() {
            self.tickets.insert(ticket.clone());
        }
        if let Some(agent) = event.agent() {
            self.agents.insert(agent.clone());
        }
        self.events.push(event);
    }

    pub(super) fn dirty(&mut self, ticket: &TicketId) {
        self.tickets.insert(ticket.clone());
    }

    pub(super) fn pop_due(&mut self) -> Option<(UnixMillis, Timer)> {
        let due = self.state.timers.first().is_some_and(|(at, _)| *at <= self.now);
        if due { self.state.timers.pop_first() } else { None }
    }

    fn take(&mut self, input: Input) -> Result<(), Rejection> {
        match input {
            Input::SetWorkspace { settings, expected } => self.set_workspace(settings, expected),
            Input::CreateSkill { skill, description } => self.create_skill(skill, description),
            Input::DeleteSkill { skill } => self.delete_skill(skill),
            Input::SetAgent { profile, write } => self.set_agent(profile, write),
            Input::DeleteAgent { agent } => self.delete_agent(&agent),
            Input::SetPolicy { policy, expected } => self.set_policy(policy, expected),
            Input::SetPresence { agent, presence } => self.set_presence(&agent, presence),
            Input::OpenStream { agent } => {
                self.known_agent(&agent)?;
                self.emit(Event::StreamOpened { agent });
                Ok(())
            }
            Input::CloseStream { agent } => self.close_stream(agent),
            Input::Restart => {
                self.restart();
                Ok(())
            }
            Input::Receive { ticket, intake } => self.receive(ticket, intake),
            Input::Read { ticket, reading } => self.read(ticket, reading),
            Input::Accept { offer, agent } => self.accept(offer, agent),
            Input::Decline { offer, agent, reason } => {
                self.live_offer(&offer, &agent)?;
                self.emit(Event::OfferDeclined { offer, agent, reason });
                Ok(())
            }
            Input::Complete { ticket, agent, outcome } => self.complete(ticket, agent, outcome),
            Input::Transfer { ticket, agent, target } => self.transfer(ticket, agent, target),
            Input::Cancel { ticket, reason } => self.cancel(ticket, reason),
            Input::Tick => Ok(()),
        }
    }

    // Administration

    fn set_workspace(
        &mut self,
        settings: WorkspaceSettings,
        expected: Option<u64>,
    ) -> Result<(), Rejection> {
        same_version(self.state.settings_version, expected)?;
        self.emit(Event::WorkspaceSet { settings });
        Ok(())
    }

    fn create_skill(&mut self, skill: SkillId, description: String) -> Result<(), Rejection> {
        let is_new = !self.state.skills.contains_key(&skill);
        below("skills", self.state.skills.len(), limits::SKILLS_MAX, is_new)?;
        self.emit(Event::SkillCreated { skill, description });
        Ok(())
    }

    fn delete_skill(&mut self, skill: SkillId) -> Result<(), Rejection> {
        if !self.state.skills.contains_key(&skill) {
            return Err(Rejection::SkillUnknown(skill));
        }
        let agent = self.state.agents.values().find(|a| a.profile.skills.contains_key(&skill));
        let by_policy = || {
            let policy = self.state.policy.as_ref()?;
            policy_skills(policy).any(|used| *used == skill).then(|| "the policy".to_owned())
        };
        let by_ticket = || {
            let needs =
                |open: &OpenTicket| open.requirements.iter().any(|need| need.skill == skill);
            let found = self.state.tickets.iter().find(|(_, open)| needs(open));
            found.map(|(ticket, _)| format!("ticket {ticket}"))
        };
        let by_agent = agent.map(|agent| format!("agent {}", agent.profile.agent));
        let user = by_agent.or_else(by_policy).or_else(by_ticket);
        if let Some(user) = user {
            return Err(Rejection::SkillInUse { skill, user });
        }
        self.emit(Event::SkillDeleted { skill });
        Ok(())
    }

    fn set_agent(&mut self, profile: AgentProfile, write: AgentWrite) -> Result<(), Rejection> {
        let known = self.state.agents.get(&profile.agent);
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
        self.emit(Event::AgentSet { profile });
        let unfit = |step: &Self, ticket: &TicketId| !step.state.fits(ticket, &agent);
        self.revoke_offers(&agent, RevokeReason::ProfileChanged, unfit);
        Ok(())
    }

    fn delete_agent(&mut self, agent: &AgentId) -> Result<(), Rejection> {
        self.known_agent(agent)?;
        let held = self.state.held_tickets(agent);
        let assigned = held.iter().filter(|ticket| {
            self.state.tickets.get(*ticket).is_some_and(|open| open.status == Status::Assigned)
        });
        let count = assigned.count();
        if count > 0 {
            return Err(Rejection::AgentHasAssignments { agent: agent.clone(), count });
        }
        self.revoke_offers(agent, RevokeReason::AgentRemoved, |_, _| true);
        self.emit(Event::AgentDeleted { agent: agent.clone() });
        self.replan_tickets_for(agent);
        Ok(())
    }

    /// Plans tickets anew that were handed to an agent who is no more.
    fn replan_tickets_for(&mut self, agent: &AgentId) {
        let handed: Vec<TicketId> = self
            .state
            .tickets
            .iter()
            .filter(|(_, open)| open.target.as_ref() == Some(agent))
            .map(|(ticket, _)| ticket.clone())
            .collect();
        for ticket in handed {
            self.replan(ticket);
        }
    }

    fn set_policy(&mut self, mut policy: Policy, expected: Option<u32>) -> Result<(), Rejection> {
        let version = self.state.policy.as_ref().map_or(0, |policy| policy.version);
        same_version(u64::from(version), expected.map(u64::from))?;
        self.declared(policy_skills(&policy))?;
        policy.version = version + 1;
        self.emit(Event::PolicySet { policy });
        let waiting: Vec<TicketId> = self
            .state
            .tickets
            .iter()
            .filter(|(_, open)| open.status == Status::Queued)
            .map(|(ticket, _)| ticket.clone())
            .collect();
        for ticket in waiting {
            if !self.state.tickets.get(&ticket).is_some_and(planned_by_a_person) {
                self.replan(ticket.clone());
            }
            // New relaxation steps may fit agents too.
            self.tickets.insert(ticket);
        }
        Ok(())
    }

    fn replan(&mut self, ticket: TicketId) {
        let (Some(open), Some(policy)) = (self.state.tickets.get(&ticket), &self.state.policy)
        else {
            return;
        };
        let Some(reading) = &open.reading else { return };
        let plan = plan_for(policy, open, reading);
        self.emit(Event::TicketPlanned { ticket, plan });
    }

    // Agents

    fn set_presence(&mut self, agent: &AgentId, presence: Presence) -> Result<(), Rejection> {
        let state = self.known_agent(agent)?;
        let leased = state.streams == 0 && presence != Presence::Offline;
        let lease_until = leased.then(|| self.now.plus_secs(self.lease_secs()));
        let cause = PresenceCause::Requested;
        let event = Event::PresenceChanged { agent: agent.clone(), presence, cause, lease_until };
        self.emit(event);
        if matches!(presence, Presence::Away | Presence::Offline) {
            self.revoke_offers_of_absent(agent);
        }
        Ok(())
    }

    fn close_stream(&mut self, agent: AgentId) -> Result<(), Rejection> {
        let state = self.known_agent(&agent)?;
        let last = state.streams <= 1 && state.presence != Presence::Offline;
        let lease_until = last.then(|| self.now.plus_secs(self.lease_secs()));
        self.emit(Event::StreamClosed { agent, lease_until });
        Ok(())
    }

    fn restart(&mut self) {
        if self.state.agents.values().any(|agent| agent.streams > 0) {
            let lease_until = self.now.plus_secs(self.lease_secs());
            self.emit(Event::Restarted { lease_until });
        }
    }

    fn lease_secs(&self) -> u32 {
        self.state.policy.as_ref().map_or(0, |policy| policy.presence_lease_secs)
    }

    pub(super) fn revoke_offers_of_absent(&mut self, agent: &AgentId) {
        self.revoke_offers(agent, RevokeReason::AgentLeft, |_, _| true);
    }

    fn revoke_offers(
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

    // Tickets

    fn receive(&mut self, ticket: TicketId, intake: Intake) -> Result<(), Rejection> {
        below("open tickets", self.state.tickets.len(), limits::OPEN_TICKETS_MAX, true)?;
        self.declared(intake.requirements.iter().map(|need| &need.skill))?;
        self.emit(Event::TicketReceived { ticket, intake });
        Ok(())
    }

    fn read(&mut self, ticket: TicketId, reading: Reading) -> Result<(), Rejection> {
        let open = self.open_ticket(&ticket)?;
        if reading.source == ReadingSource::Rules && open.reading.is_some() {
            return Ok(());
        }
        let Some(policy) = &self.state.policy else { return Ok(()) };
        // What a person decided about the way of a ticket stands, however it reads.
        // So does the plan by which an agent has it now; it is planned anew when it comes back.
        let with_agent = matches!(open.status, Status::Offered | Status::Assigned);
        let plan = match &open.plan {
            Some(plan) if with_agent || planned_by_a_person(open) => plan.clone(),
            _ => plan_for(policy, open, &reading),
        };
        self.emit(Event::TicketRead { ticket, reading, plan });
        Ok(())
    }

    fn accept(&mut self, offer: OfferId, agent: AgentId) -> Result<(), Rejection> {
        self.live_offer(&offer, &agent)?;
        self.emit(Event::OfferAccepted { offer, agent });
        Ok(())
    }

    fn complete(
        &mut self,
        ticket: TicketId,
        agent: AgentId,
        outcome: Outcome,
    ) -> Result<(), Rejection> {
        self.assigned_ticket(&ticket, &agent)?;
        let wrap_up_secs = self.state.policy.as_ref().map_or(0, |policy| policy.wrap_up_secs);
        let wrap_up_until = (wrap_up_secs > 0).then(|| self.now.plus_secs(wrap_up_secs));
        self.emit(Event::AssignmentCompleted { ticket, agent, outcome, wrap_up_until });
        Ok(())
    }

    fn transfer(
        &mut self,
        ticket: TicketId,
        agent: AgentId,
        target: Transfer,
    ) -> Result<(), Rejection> {
        let open = self.assigned_ticket(&ticket, &agent)?;
        let (Some(policy), Some(old)) = (&self.state.policy, &open.plan) else {
            return Err(Rejection::TicketNotAssigned { ticket, agent });
        };
        let (target, plan) = match target {
            Transfer::Agent(to) => {
                self.known_agent(&to)?;
                let plan = plan_transfer(policy, &open.intake, old, Vec::new());
                (TransferTarget::Agent(to), plan)
            }
            Transfer::Skills(requirements) => {
                self.declared(requirements.iter().map(|need| &need.skill))?;
                let plan = plan_transfer(policy, &open.intake, old, requirements);
                (TransferTarget::Skills, plan)
            }
            Transfer::Intent(intent) => {
                let Some(reading) = &open.reading else {
                    return Err(Rejection::TicketNotAssigned { ticket, agent });
                };
                let plan = plan_by_intent(policy, &open.intake, reading, &intent);
                (TransferTarget::Intent(intent), plan)
            }
        };
        self.emit(Event::TicketTransferred { ticket, agent, target, plan });
        Ok(())
    }

    fn cancel(&mut self, ticket: TicketId, reason: String) -> Result<(), Rejection> {
        let agent = self.open_ticket(&ticket)?.holder.clone();
        if let (Some(offer), Some(agent)) = (self.state.live_offer(&ticket), agent.clone()) {
            let reason = RevokeReason::TicketCancelled;
            self.emit(Event::OfferRevoked { offer, agent, reason });
        }
        self.emit(Event::TicketCancelled { ticket, agent, reason });
        Ok(())
    }

    // Matching

    /// Offers what can be offered, in the order of the queue.
    ///
    /// Only tickets that changed, and tickets that an agent who changed could take, can have become
    /// matchable: everybody else was matched in an earlier step.
    fn match_waiting(&mut self) {
        let mut changed: BTreeSet<Place> = std::mem::take(&mut self.tickets)
            .into_iter()
            .filter_map(|ticket| Some(self.state.tickets.get(&ticket)?.place(&ticket)))
            .collect();
        loop {
            let by_agents = self.agents.iter().filter_map(|agent| {
                let ticket = self.state.next_ticket_for(agent, self.now)?;
                Some(self.state.tickets.get(&ticket)?.place(&ticket))
            });
            let Some(first) = by_agents.chain(changed.first().cloned()).min() else { break };
            let had_changed = changed.remove(&first);
            if !self.offer(&first.1) && !had_changed {
                break;
            }
        }
    }

    /// Plans tickets anew that came back to the queue and were read again, or met a new policy, while an
    /// agent had them. Returns whether there were any.
    fn replan_stale(&mut self) -> bool {
        let stale = |open: &OpenTicket| {
            open.plan_is_stale && open.status == Status::Queued && !planned_by_a_person(open)
        };
        let tickets: Vec<TicketId> = self
            .tickets
            .iter()
            .filter(|ticket| self.state.tickets.get(*ticket).is_some_and(stale))
            .cloned()
            .collect();
        let any = !tickets.is_empty();
        for ticket in tickets {
            self.replan(ticket);
        }
        any
    }

    /// Offers a waiting ticket to the best agent, or records why there is none.
    fn offer(&mut self, ticket: &TicketId) -> bool {
        let Some(decision) = self.state.decide(ticket, self.now) else { return false };
        let ticket = ticket.clone();
        let event = match decision.candidates.first() {
            None => Event::TicketQueued { ticket, decision },
            Some(best) => {
                let epoch = self.state.tickets.get(&ticket).map_or(0, |open| open.epoch) + 1;
                let timeout = self.state.policy.as_ref().map_or(0, |p| p.offer_timeout_secs);
                Event::OfferMade {
                    offer: OfferId { ticket, epoch },
                    agent: best.agent.clone(),
                    expires_at: self.now.plus_secs(timeout),
                    decision,
                }
            }
        };
        let offered = matches!(event, Event::OfferMade { .. });
        self.state.apply(self.now, &event);
        self.events.push(event);
        offered
    }

    // Checks

    fn known_agent(&self, agent: &AgentId) -> Result<&super::state::AgentState, Rejection> {
        self.state.agents.get(agent).ok_or_else(|| Rejection::AgentUnknown(agent.clone()))
    }

    fn open_ticket(&self, ticket: &TicketId) -> Result<&OpenTicket, Rejection> {
        self.state.tickets.get(ticket).ok_or_else(|| Rejection::TicketNotOpen(ticket.clone()))
    }

    fn assigned_ticket(
        &self,
        ticket: &TicketId,
        agent: &AgentId,
    ) -> Result<&OpenTicket, Rejection> {
        let held = |open: &&OpenTicket| {
            open.status == Status::Assigned && open.holder.as_ref() == Some(agent)
        };
        self.state.tickets.get(ticket).filter(held).ok_or_else(|| Rejection::TicketNotAssigned {
            ticket: ticket.clone(),
            agent: agent.clone(),
        })
    }

    fn live_offer(&self, offer: &OfferId, agent: &AgentId) -> Result<(), Rejection> {
        let live = self.state.tickets.get(&offer.ticket).is_some_and(|open| {
            open.status == Status::Offered
                && open.epoch == offer.epoch
                && open.holder.as_ref() == Some(agent)
                && open.offer_expires_at.is_some_and(|expires_at| self.now < expires_at)
        });
        if live { Ok(()) } else { Err(Rejection::OfferNotLive(offer.clone())) }
    }

    fn declared<'a>(&self, skills: impl Iterator<Item = &'a SkillId>) -> Result<(), Rejection> {
        for skill in skills {
            if !self.state.skills.contains_key(skill) {
                return Err(Rejection::SkillUnknown(skill.clone()));
            }
        }
        Ok(())
    }
}

/// Returns every skill a policy names.
fn policy_skills(policy: &Policy) -> impl Iterator<Item = &SkillId> {
    let by_routes = policy.routes.iter().flat_map(|route| &route.requirements);
    std::iter::once(&policy.triage_skill)
        .chain(policy.language_skills.values())
        .chain(by_routes.map(|need| &need.skill))
}

/// Plans a ticket by what was read, or by the intent an agent gave.
fn plan_for(policy: &Policy, open: &OpenTicket, reading: &Reading) -> Plan {
    match &open.given_intent {
        Some(intent) => plan_by_intent(policy, &open.intake, reading, intent),
        None => plan(policy, &open.intake, reading),
    }
}

/// Returns whether a person, or long waiting, decided the way of a ticket.
fn planned_by_a_person(open: &OpenTicket) -> bool {
    open.plan.as_ref().is_some_and(|plan| {
        plan.route == TRANSFER || plan.triage == Some(TriageReason::WaitedTooLong)
    })
}

fn same_version(current: u64, expected: Option<u64>) -> Result<(), Rejection> {
    match expected {
        Some(expected) if expected != current => {
            Err(Rejection::VersionConflict { current, expected })
        }
        _ => Ok(()),
    }
}

fn below(what: &'static str, count: usize, max: usize, adds: bool) -> Result<(), Rejection> {
    if adds && count >= max { Err(Rejection::TooMany { what, max }) } else { Ok(()) }
}
