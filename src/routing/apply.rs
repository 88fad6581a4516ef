//! How one event changes the state. Replaying a journal is this and nothing else.
//!
//! An event about something unknown changes nothing: `step` never writes one.

use super::{
    plan::relaxed,
    state::{AgentState, OpenTicket, State, Timer},
};
use crate::domain::{
    agent::{AgentProfile, Presence},
    event::{Event, TransferTarget},
    id::{AgentId, OfferId, TicketId},
    policy::{Plan, Policy},
    reading::Reading,
    ticket::{Intake, Status},
    time::UnixMillis,
};

impl State {
    /// Applies one event of the journal. Events must come in the journal's order.
    pub fn apply(&mut self, at: UnixMillis, event: &Event) {
        match event {
            Event::WorkspaceSet { settings } => {
                self.settings = settings.clone();
                self.settings_version += 1;
            }
            Event::SkillCreated { skill, description } => {
                self.skills.insert(skill.clone(), description.clone());
            }
            Event::SkillDeleted { skill } => {
                self.skills.remove(skill);
            }
            Event::AgentSet { profile } => self.set_agent(at, profile),
            Event::AgentDeleted { agent } => self.delete_agent(agent),
            Event::PolicySet { policy } => self.set_policy(policy),
            Event::PresenceChanged { agent, presence, lease_until, .. } => {
                self.set_presence(at, agent, *presence, *lease_until);
            }
            Event::StreamOpened { agent } => self.change_streams(agent, 1, None),
            Event::StreamClosed { agent, lease_until } => {
                self.change_streams(agent, -1, *lease_until);
            }
            Event::Restarted { lease_until } => self.restart(*lease_until),
            _ => self.apply_to_ticket(at, event),
        }
    }

    fn apply_to_ticket(&mut self, at: UnixMillis, event: &Event) {
        match event {
            Event::TicketReceived { ticket, intake } => self.receive(at, ticket, intake),
            Event::TicketRead { ticket, reading, plan } => self.read(at, ticket, reading, plan),
            Event::TicketPlanned { ticket, plan } => self.replan(at, ticket, plan),
            Event::TicketRelaxed { ticket, step } => self.relax(at, ticket, *step),
            Event::TicketQueued { ticket, .. } => self.forget_lapsed_backoff(at, ticket),
            Event::OfferMade { offer, agent, expires_at, .. } => {
                self.make_offer(at, offer, agent, *expires_at);
            }
            Event::OfferAccepted { offer, .. } => self.accept(at, &offer.ticket),
            Event::OfferDeclined { offer, agent, .. } | Event::OfferExpired { offer, agent } => {
                self.let_go(at, &offer.ticket, Some(agent));
            }
            Event::OfferRevoked { offer, .. } => self.let_go(at, &offer.ticket, None),
            Event::AssignmentReturned { ticket, .. } => self.let_go(at, ticket, None),
            Event::AssignmentCompleted { ticket, agent, wrap_up_until, .. } => {
                let units = self.close(at, ticket);
                if let (Some(until), Some(agent_state)) =
                    (wrap_up_until, self.agents.get_mut(agent))
                {
                    agent_state.begin_wrap_up(ticket, *until, units);
                    self.timers.insert((*until, Timer::WrapUp(agent.clone(), ticket.clone())));
                }
            }
            Event::WrapUpEnded { ticket, agent } => self.end_wrap_up(at, ticket, agent),
            Event::TicketTransferred { ticket, agent, target, plan } => {
                self.transfer(at, ticket, agent, target, plan);
            }
            Event::TicketCancelled { ticket, .. } => {
                self.close(at, ticket);
            }
            _ => {}
        }
    }

    // Agents

    fn set_agent(&mut self, at: UnixMillis, profile: &AgentProfile) {
        match self.agents.get_mut(&profile.agent) {
            Some(agent) => {
                agent.settle(at);
                agent.profile = profile.clone();
                agent.version += 1;
            }
            None => {
                let agent = AgentState {
                    profile: profile.clone(),
                    version: 1,
                    presence: Presence::Offline,
                    lease_until: None,
                    streams: 0,
                    held: [].into(),
                    wrap_ups: [].into(),
                    used_units: 0,
                    return_at: None,
                    idle_us: 0,
                    settled_at: at,
                };
                self.agents.insert(profile.agent.clone(), agent);
            }
        }
    }

    fn delete_agent(&mut self, agent: &AgentId) {
        let Some(removed) = self.agents.remove(agent) else { return };
        self.disarm(removed.lease_until, Timer::Lease(agent.clone()));
        self.disarm(removed.return_at, Timer::Return(agent.clone()));
        for (ticket, (until, _)) in removed.wrap_ups {
            self.disarm(Some(until), Timer::WrapUp(agent.clone(), ticket));
        }
    }

    fn set_presence(
        &mut self,
        at: UnixMillis,
        agent: &AgentId,
        presence: Presence,
        lease_until: Option<UnixMillis>,
    ) {
        let signed_in = presence != Presence::Offline;
        let return_secs = self.policy.as_ref().map_or(0, |policy| policy.assignment_return_secs);
        let idle_range = self.idle_range_of_present(at, agent);
        let Some(state) = self.agents.get_mut(agent) else { return };
        state.settle(at);
        if state.presence == Presence::Offline && signed_in {
            // Whoever signs in joins the range of those present: neither flooded nor passed over.
            let (low, high) = idle_range.unwrap_or((0, 0));
            state.idle_us = state.idle_us.clamp(low, high);
        }
        state.presence = presence;
        let (old_lease, old_return) = (state.lease_until, state.return_at);
        state.lease_until = lease_until;
        state.return_at = match (signed_in || state.held.is_empty(), old_return) {
            (true, _) => None,
            (false, Some(armed)) => Some(armed),
            (false, None) => Some(at.plus_secs(return_secs)),
        };
        let new_return = state.return_at;
        self.rearm(old_lease, lease_until, Timer::Lease(agent.clone()));
        self.rearm(old_return, new_return, Timer::Return(agent.clone()));
    }

    fn idle_range_of_present(&self, at: UnixMillis, except: &AgentId) -> Option<(u64, u64)> {
        let present = self
            .agents
            .iter()
            .filter(|(id, agent)| *id != except && agent.presence != Presence::Offline)
            .map(|(_, agent)| agent.idle_us_at(at));
        present.fold(None, |range, idle| match range {
            None => Some((idle, idle)),
            Some((low, high)) => Some((idle.min(low), idle.max(high))),
        })
    }

    fn change_streams(&mut self, agent: &AgentId, by: i32, lease_until: Option<UnixMillis>) {
        let Some(state) = self.agents.get_mut(agent) else { return };
        state.streams = state.streams.saturating_add_signed(by);
        let old_lease = std::mem::replace(&mut state.lease_until, lease_until);
        self.rearm(old_lease, lease_until, Timer::Lease(agent.clone()));
    }

    fn restart(&mut self, lease_until: UnixMillis) {
        let with_streams: Vec<AgentId> = self
            .agents
            .iter()
            .filter(|(_, agent)| agent.streams > 0)
            .map(|(id, _)| id.clone())
            .collect();
        for agent in with_streams {
            let Some(state) = self.agents.get_mut(&agent) else { continue };
            state.streams = 0;
            let present = state.presence != Presence::Offline;
            let lease = present.then_some(lease_until);
            let old_lease = std::mem::replace(&mut state.lease_until, lease);
            self.rearm(old_lease, lease, Timer::Lease(agent));
        }
    }

    fn end_wrap_up(&mut self, at: UnixMillis, ticket: &TicketId, agent: &AgentId) {
        let Some(state) = self.agents.get_mut(agent) else { return };
        state.settle(at);
        let until = state.end_wrap_up(ticket);
        self.disarm(until, Timer::WrapUp(agent.clone(), ticket.clone()));
    }

    // Policy

    fn set_policy(&mut self, policy: &Policy) {
        self.policy = Some(policy.clone());
        let tickets: Vec<TicketId> = self.tickets.keys().cloned().collect();
        for ticket in tickets {
            // Steps of the old policy mean nothing under the new one; `due` takes the new ones.
            self.change(&ticket, |open| {
                open.relaxation_step = 0;
                open.plan_is_stale |= open.holder.is_some();
                if let Some(plan) = &open.plan {
                    open.requirements = plan.requirements.clone();
                }
            });
        }
    }

    // Tickets

    fn receive(&mut self, at: UnixMillis, ticket: &TicketId, intake: &Intake) {
        let open = OpenTicket {
            intake: intake.clone(),
            received_at: at,
            status: Status::Received,
            reading: None,
            plan: None,
            requirements: Vec::new(),
            relaxation_step: 0,
            epoch: 0,
            holder: None,
            offer_expires_at: None,
            assigned_at: None,
            target: None,
            given_intent: None,
            backoff: [].into(),
            plan_is_stale: false,
            planned_at: at,
            age_due: None,
        };
        self.tickets.insert(ticket.clone(), open);
    }

    fn read(&mut self, at: UnixMillis, ticket: &TicketId, reading: &Reading, plan: &Plan) {
        self.change(ticket, |open| {
            open.reading = Some(reading.clone());
            // Nothing is taken out of an agent's hands because the text was read again.
            match open.status {
                Status::Received | Status::Queued => open.set_plan(at, plan),
                _ => open.plan_is_stale = true,
            }
        });
    }

    fn replan(&mut self, at: UnixMillis, ticket: &TicketId, plan: &Plan) {
        self.change(ticket, |open| open.set_plan(at, plan));
    }

    fn relax(&mut self, at: UnixMillis, ticket: &TicketId, step: u32) {
        let steps =
            self.policy.as_ref().map(|policy| policy.relaxation.clone()).unwrap_or_default();
        self.change(ticket, |open| {
            open.relaxation_step = step;
            open.backoff.retain(|_, until| *until > at);
            let index = usize::try_from(step).unwrap_or(usize::MAX).checked_sub(1);
            if let Some(plan) = &open.plan {
                let step = index.and_then(|index| steps.get(index));
                open.requirements = relaxed(&plan.requirements, step);
            }
        });
    }

    fn forget_lapsed_backoff(&mut self, at: UnixMillis, ticket: &TicketId) {
        self.change(ticket, |open| open.backoff.retain(|_, until| *until > at));
    }

    fn make_offer(
        &mut self,
        at: UnixMillis,
        offer: &OfferId,
        agent: &AgentId,
        expires_at: UnixMillis,
    ) {
        self.change(&offer.ticket, |open| {
            open.status = Status::Offered;
            open.epoch = offer.epoch;
            open.holder = Some(agent.clone());
            open.offer_expires_at = Some(expires_at);
            open.backoff.retain(|_, until| *until > at);
        });
        let Some(open) = self.tickets.get(&offer.ticket) else { return };
        if let Some(state) = self.agents.get_mut(agent) {
            state.settle(at);
            state.hold(&offer.ticket, state.profile.units(&open.intake.channel));
        }
    }

    fn accept(&mut self, at: UnixMillis, ticket: &TicketId) {
        self.change(ticket, |open| {
            open.status = Status::Assigned;
            open.offer_expires_at = None;
            open.assigned_at.get_or_insert(at);
        });
    }

    /// Puts a ticket back into the queue; `declined_by` is not asked again for a while.
    fn let_go(&mut self, at: UnixMillis, ticket: &TicketId, declined_by: Option<&AgentId>) {
        let backoff_secs = self.policy.as_ref().map_or(0, |policy| policy.decline_backoff_secs);
        self.release(at, ticket);
        self.change(ticket, |open| {
            if open.status == Status::Assigned {
                open.planned_at = at;
            }
            open.status = Status::Queued;
            open.holder = None;
            open.offer_expires_at = None;
            if let Some(agent) = declined_by.filter(|_| backoff_secs > 0) {
                open.backoff.insert(agent.clone(), at.plus_secs(backoff_secs));
            }
        });
    }

    fn transfer(
        &mut self,
        at: UnixMillis,
        ticket: &TicketId,
        from: &AgentId,
        target: &TransferTarget,
        plan: &Plan,
    ) {
        self.let_go(at, ticket, Some(from));
        self.change(ticket, |open| {
            open.set_plan(at, plan);
            match target {
                TransferTarget::Agent(agent) => {
                    open.target = Some(agent.clone());
                    open.backoff.remove(agent);
                }
                TransferTarget::Intent(intent) => open.given_intent = Some(intent.clone()),
                TransferTarget::Skills => {}
            }
        });
    }

    /// Forgets a ticket; returns the units its holder had taken for it.
    fn close(&mut self, at: UnixMillis, ticket: &TicketId) -> u32 {
        let units = self.release(at, ticket);
        self.change(ticket, |open| {
            open.status = Status::Completed;
            open.offer_expires_at = None;
        });
        self.tickets.remove(ticket);
        units
    }

    fn release(&mut self, at: UnixMillis, ticket: &TicketId) -> u32 {
        let Some(holder) = self.tickets.get(ticket).and_then(|open| open.holder.clone()) else {
            return 0;
        };
        let Some(agent) = self.agents.get_mut(&holder) else { return 0 };
        agent.settle(at);
        let units = agent.let_go(ticket);
        if agent.held.is_empty() {
            let return_at = agent.return_at.take();
            self.disarm(return_at, Timer::Return(holder));
        }
        units
    }

    // Places in the queue and timers follow from a ticket: taken away before each change, put back after.

    fn change(&mut self, ticket: &TicketId, change: impl FnOnce(&mut OpenTicket)) {
        let Some(mut open) = self.tickets.remove(ticket) else { return };
        self.unlink(ticket, &open);
        change(&mut open);
        open.age_due = self.next_age_due(&open);
        self.link(ticket, &open);
        self.tickets.insert(ticket.clone(), open);
    }

    fn link(&mut self, ticket: &TicketId, open: &OpenTicket) {
        if open.status == Status::Queued {
            self.queue.insert(open.class(), open.place(ticket));
            for (agent, until) in &open.backoff {
                self.timers.insert((*until, Timer::Backoff(ticket.clone(), agent.clone())));
            }
        }
        self.rearm(None, open.age_due, Timer::Age(ticket.clone()));
        self.rearm(None, open.offer_expires_at, Timer::Offer(ticket.clone()));
    }

    fn unlink(&mut self, ticket: &TicketId, open: &OpenTicket) {
        if open.status == Status::Queued {
            self.queue.remove(&open.class(), &open.place(ticket));
            for (agent, until) in &open.backoff {
                self.disarm(Some(*until), Timer::Backoff(ticket.clone(), agent.clone()));
            }
        }
        self.disarm(open.age_due, Timer::Age(ticket.clone()));
        self.disarm(open.offer_expires_at, Timer::Offer(ticket.clone()));
    }

    /// Returns when a waiting ticket reaches its next relaxation step or triage.
    fn next_age_due(&self, open: &OpenTicket) -> Option<UnixMillis> {
        let policy = self.policy.as_ref()?;
        let plan = open.plan.as_ref()?;
        if !matches!(open.status, Status::Queued | Status::Offered) {
            return None;
        }
        let next_step = usize::try_from(open.relaxation_step).ok()?;
        let step = policy.relaxation.get(next_step);
        let step_due = step.map(|step| open.received_at.plus_secs(step.after_secs));
        // Not while an agent considers it: that is the suitable person it waited for.
        let waits = open.status == Status::Queued && plan.triage.is_none();
        let triage_secs = policy.triage_after_secs.filter(|_| waits);
        let triage_due = triage_secs.map(|secs| open.planned_at.plus_secs(secs));
        step_due.into_iter().chain(triage_due).min()
    }

    fn rearm(&mut self, old: Option<UnixMillis>, new: Option<UnixMillis>, timer: Timer) {
        self.disarm(old, timer.clone());
        if let Some(at) = new {
            self.timers.insert((at, timer));
        }
    }

    fn disarm(&mut self, at: Option<UnixMillis>, timer: Timer) {
        if let Some(at) = at {
            self.timers.remove(&(at, timer));
        }
    }
}

impl OpenTicket {
    fn set_plan(&mut self, at: UnixMillis, plan: &Plan) {
        if self.status == Status::Received {
            self.status = Status::Queued;
        }
        self.target = None;
        self.requirements = plan.requirements.clone();
        self.relaxation_step = 0;
        self.plan_is_stale = false;
        self.plan = Some(plan.clone());
        self.planned_at = at;
    }
}
