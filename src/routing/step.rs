//! From an input to what happens.

mod admin;
mod checks;
mod due;
mod people;

use std::collections::BTreeSet;

use super::{
    input::{Input, Rejection, Transfer},
    plan::{
        Waiting, by_a_person, plan_by_hand, plan_by_intent, plan_for, plan_transfer, plan_unread,
    },
    slab::{AgentKey, TicketKey},
    state::State,
};
use crate::domain::{
    event::{Event, RevokeReason, TransferTarget},
    id::{AgentId, OfferId, TicketId},
    limits,
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
    state.index.settle(&state.agents);
    let mut step = Step {
        state,
        now,
        events: Vec::new(),
        tickets: BTreeSet::new(),
        agents: BTreeSet::new(),
        looked_at_again: BTreeSet::new(),
        at_once: BTreeSet::new(),
    };
    step.take(input)?;
    step.run_due();
    if step.replan_stale() {
        // By the age of a ticket, steps of its new plan may be due.
        step.run_due();
    }
    step.rest_the_strained();
    step.match_or_gather();
    let events = step.events;
    state.index.settle(&state.agents);
    Ok(events)
}

/// One step in progress.
pub(super) struct Step<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: UnixMillis,
    events: Vec<Event>,
    /// Tickets that may have become matchable.
    pub(super) tickets: BTreeSet<TicketKey>,
    /// Agents who may have become matchable.
    pub(super) agents: BTreeSet<AgentKey>,
    /// Tickets that waited before and are only looked at again: that they still wait needs no record.
    pub(super) looked_at_again: BTreeSet<TicketKey>,
    /// Tickets that do not gather for a batch.
    pub(super) at_once: BTreeSet<TicketKey>,
}

impl Step<'_> {
    /// Applies an event and notes whom it may bring together.
    pub(super) fn emit(&mut self, event: Event) {
        self.state.apply(self.now, &event);
        self.tickets.extend(event.ticket().and_then(|ticket| self.state.tickets.key(ticket)));
        self.agents.extend(event.agent().and_then(|agent| self.state.agents.key(agent)));
        let stirred = std::mem::take(&mut self.state.stirred);
        self.tickets.extend(stirred);
        self.events.push(event);
    }

    /// Applies an event that brings nobody together.
    pub(super) fn record(&mut self, event: Event) {
        self.state.apply(self.now, &event);
        self.events.push(event);
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
            Input::Assign { ticket, agent } => self.assign(ticket, agent),
            Input::Cancel { ticket, reason } => self.cancel(ticket, reason),
            Input::Tick => Ok(()),
        }
    }

    /// Plans a ticket anew by what is known of it.
    pub(super) fn replan(&mut self, key: TicketKey) {
        let (Some(open), Some(policy)) = (self.state.tickets.get(key), &self.state.policy) else {
            return;
        };
        let waiting = Waiting::without(&self.state.waiting_by_route, open);
        let plan = match (&open.reading, &open.plan) {
            (Some(reading), _) => plan_for(policy, open, reading, waiting),
            (None, Some(plan)) => plan_unread(policy, &open.intake, plan),
            (None, None) => return,
        };
        self.emit(Event::TicketPlanned { ticket: open.ticket.clone(), plan: plan.into() });
    }

    fn receive(&mut self, ticket: TicketId, intake: Intake) -> Result<(), Rejection> {
        let of_policy = self.state.policy.as_ref().and_then(|policy| policy.open_tickets_max);
        let of_policy = of_policy.and_then(|max| usize::try_from(max).ok());
        let max = of_policy.unwrap_or(usize::MAX).min(limits::OPEN_TICKETS_MAX);
        checks::below("open tickets", self.state.tickets.len(), max, true)?;
        self.declared(intake.requirements.iter().flat_map(|need| need.skills()))?;
        self.emit(Event::TicketReceived { ticket, intake: intake.into() });
        Ok(())
    }

    fn read(&mut self, ticket: TicketId, reading: Reading) -> Result<(), Rejection> {
        let (_, open) = self.open_ticket(&ticket)?;
        if reading.source == ReadingSource::Rules && open.reading.is_some() {
            return Ok(());
        }
        let Some(policy) = &self.state.policy else { return Ok(()) };
        // What a person decided about the way of a ticket stands, however it reads.
        // So does the plan by which an agent has it now; it is planned anew when it comes back.
        let with_agent = matches!(open.status, Status::Offered | Status::Assigned);
        let plan = match &open.plan {
            Some(plan) if with_agent || by_a_person(open) => plan.clone(),
            _ => {
                let waiting = Waiting::without(&self.state.waiting_by_route, open);
                plan_for(policy, open, &reading, waiting).into()
            }
        };
        self.emit(Event::TicketRead { ticket, reading: reading.into(), plan });
        Ok(())
    }

    fn accept(&mut self, offer: OfferId, agent: AgentId) -> Result<(), Rejection> {
        self.live_offer(&offer, &agent)?;
        // Whoever accepts has no more room than before.
        self.record(Event::OfferAccepted { offer, agent });
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
                self.declared(requirements.iter().flat_map(|need| need.skills()))?;
                let plan = plan_transfer(policy, &open.intake, old, requirements);
                (TransferTarget::Skills, plan)
            }
            Transfer::Intent(intent) => {
                let Some(reading) = &open.reading else {
                    return Err(Rejection::TicketNotAssigned { ticket, agent });
                };
                let waiting = Waiting::without(&self.state.waiting_by_route, open);
                let plan = plan_by_intent(policy, &open.intake, reading, &intent, waiting);
                (TransferTarget::Intent(intent), plan)
            }
        };
        self.emit(Event::TicketTransferred { ticket, agent, target, plan: plan.into() });
        Ok(())
    }

    /// Gives a waiting ticket, or one that somebody considers, to an agent a supervisor names.
    fn assign(&mut self, ticket: TicketId, agent: AgentId) -> Result<(), Rejection> {
        let profile = self.known_agent(&agent)?.profile.clone();
        let (_, open) = self.open_ticket(&ticket)?;
        let holder = self.state.holder(open).cloned();
        if open.status == Status::Assigned {
            return Err(Rejection::TicketAssigned { ticket });
        }
        let Some(policy) = &self.state.policy else { return Err(Rejection::TicketNotOpen(ticket)) };
        let plan = plan_by_hand(policy, &open.intake, open.plan.as_deref());
        if let Some(unmet) = plan.requirements.iter().find(|need| !need.met_by(&profile.skills)) {
            let skill = unmet.skill.clone();
            return Err(Rejection::AgentUnfit { agent, skill });
        }
        if let (Some(offer), Some(holder)) = (self.state.live_offer(&ticket), holder) {
            let reason = RevokeReason::AssignedByHand;
            self.emit(Event::OfferRevoked { offer, agent: holder, reason });
        }
        self.emit(Event::TicketAssignedByHand { ticket, agent, plan: plan.into() });
        Ok(())
    }

    fn cancel(&mut self, ticket: TicketId, reason: String) -> Result<(), Rejection> {
        let (_, open) = self.open_ticket(&ticket)?;
        let agent = self.state.holder(open).cloned();
        if let (Some(offer), Some(agent)) = (self.state.live_offer(&ticket), agent.clone()) {
            let reason = RevokeReason::TicketCancelled;
            self.emit(Event::OfferRevoked { offer, agent, reason });
        }
        self.emit(Event::TicketCancelled { ticket, agent, reason });
        Ok(())
    }

    /// Matches now, or when the policy's time to gather has passed.
    fn match_or_gather(&mut self) {
        let gather_ms = self.state.policy.as_ref().map_or(0, |policy| policy.batching.gather_ms);
        let gathering = &mut self.state.gathering;
        if gather_ms == 0 {
            gathering.due = None;
            self.tickets.append(&mut gathering.tickets);
            self.agents.append(&mut gathering.agents);
            self.match_waiting();
            return;
        }
        gathering.tickets.append(&mut self.tickets);
        gathering.agents.append(&mut self.agents);
        self.tickets = std::mem::take(&mut self.at_once);
        self.match_waiting();
        self.match_gathered(gather_ms);
    }
}
