//! What events do to tickets, and to the agents who hold them.

use std::sync::Arc;

use crate::{
    domain::{
        event::{Event, TransferTarget},
        id::{AgentId, OfferId, TicketId},
        policy::Plan,
        ticket::{Intake, Status},
        time::UnixMillis,
    },
    routing::{
        agents::{Held, WrapUp},
        class::interrupts,
        slab::TicketKey,
        state::State,
        tickets::OpenTicket,
    },
};

impl State {
    pub(super) fn apply_to_ticket(&mut self, at: UnixMillis, event: &Event) {
        if let Event::TicketReceived { ticket, intake } = event {
            return self.receive(at, ticket, intake);
        }
        if let Event::WrapUpEnded { ticket, agent } = event {
            return self.change_agent(at, agent, |agent| agent.end_wrap_up(ticket));
        }
        let Some(key) = event.ticket().and_then(|ticket| self.tickets.key(ticket)) else { return };
        match event {
            Event::TicketRead { reading, plan, .. } => {
                if let Some(open) = self.tickets.get_mut(key) {
                    open.reading = Some(reading.clone());
                    // Nothing is taken out of an agent's hands because the text was read again.
                    match open.status {
                        // Where a person decided, the plan stays, and so does whom it is for.
                        Status::Received | Status::Queued if open.plan.as_ref() == Some(plan) => {}
                        Status::Received | Status::Queued => self.set_plan(at, key, plan),
                        _ => open.plan_is_stale = true,
                    }
                }
            }
            Event::TicketPlanned { plan, .. } => self.set_plan(at, key, plan),
            Event::TicketRelaxed { step, .. } => self.change(key, |open| {
                open.relaxation_step = *step;
                open.lapse_declines(at);
            }),
            Event::TicketQueued { .. } => self.change(key, |open| open.lapse_declines(at)),
            Event::OfferMade { offer, agent, expires_at, .. } => {
                self.make_offer(at, key, offer, agent, *expires_at);
            }
            Event::OfferAccepted { agent, .. } => self.accept(at, key, agent),
            Event::OfferDeclined { agent, .. } | Event::OfferExpired { agent, .. } => {
                self.let_go(at, key, Some(agent));
            }
            Event::OfferRevoked { .. } | Event::AssignmentReturned { .. } => {
                self.let_go(at, key, None);
            }
            Event::TicketTransferred { agent, target, plan, .. } => {
                self.transfer(at, key, agent, target, plan);
            }
            Event::TicketAssignedByHand { agent, plan, .. } => {
                if let Some(open) = self.tickets.get_mut(key) {
                    open.declined.retain(|declined| declined.agent != *agent);
                }
                self.set_plan_for(at, key, plan, Some(agent));
            }
            Event::AssignmentCompleted { ticket, agent, wrap_up_until, .. } => {
                let units = self.close(at, key);
                if let Some(until) = *wrap_up_until {
                    let wrap_up = WrapUp { ticket: ticket.clone(), until, units };
                    self.begin_wrap_up(at, agent, wrap_up);
                }
            }
            Event::TicketCancelled { .. } => {
                self.close(at, key);
            }
            _ => {}
        }
    }

    fn receive(&mut self, at: UnixMillis, ticket: &TicketId, intake: &Arc<Intake>) {
        self.received += 1;
        let intake = self.intakes.shared(intake);
        self.tickets.insert(OpenTicket::new(ticket.clone(), intake, self.received, at));
    }

    fn set_plan(&mut self, at: UnixMillis, key: TicketKey, plan: &Arc<Plan>) {
        self.set_plan_for(at, key, plan, None);
    }

    fn set_plan_for(
        &mut self,
        at: UnixMillis,
        key: TicketKey,
        plan: &Arc<Plan>,
        target: Option<&AgentId>,
    ) {
        let plan = self.plans.shared(plan);
        let Some(open) = self.tickets.get_mut(key) else { return };
        if open.status == Status::Received {
            open.status = Status::Queued;
        }
        open.target = target.cloned();
        open.plan_is_stale = false;
        open.plan = Some(plan);
        open.planned_at = at;
        let waits = self.tickets.get(key).is_some_and(|open| self.liked_is_there(open));
        if let Some(open) = self.tickets.get_mut(key) {
            open.waits_for_liked = waits;
        }
        self.climb(key, 0);
        self.relink(key);
    }

    fn make_offer(
        &mut self,
        at: UnixMillis,
        key: TicketKey,
        offer: &OfferId,
        agent: &AgentId,
        expires_at: UnixMillis,
    ) {
        let holder = self.agents.key(agent);
        if cfg!(debug_assertions) {
            self.check_offer(at, key, offer, agent);
        }
        let class = self.tickets.get(key).and_then(|open| self.class_of(open));
        if let Some(class) = class {
            self.index.note_departure(class, at);
        }
        self.change(key, |open| {
            open.status = Status::Offered;
            open.epoch = offer.epoch;
            open.holder = holder;
            open.offer_expires_at = Some(expires_at);
            open.lapse_declines(at);
        });
        let (Some(open), Some(holder)) = (self.tickets.get(key), holder) else { return };
        let channel = &open.intake.channel;
        let units = self.agents.get(holder).map_or(1, |agent| agent.profile.units(channel));
        let interruptible = self.policy.as_ref().is_some_and(|policy| interrupts(policy, channel));
        let held = Held { ticket: key, units, interruptible };
        self.change_agent_at(at, holder, |agent| agent.hold(held));
    }

    /// What must hold of every offer; the numbers are those of the invariants in `routing/tests/oracle.rs`.
    fn check_offer(&self, at: UnixMillis, key: TicketKey, offer: &OfferId, agent: &AgentId) {
        let (Some(open), Some(someone)) = (self.tickets.get(key), self.agent(agent)) else {
            return;
        };
        let units = someone.profile.units(&open.intake.channel);
        let interruptible =
            self.policy.as_ref().is_some_and(|policy| interrupts(policy, &open.intake.channel));
        let needs = self.requirements(open);
        debug_assert!(open.status == Status::Queued && open.holder.is_none(), "I1, I4: {open:?}");
        debug_assert!(offer.epoch > open.epoch, "I4: the epoch grows");
        debug_assert!(someone.room().holds(units, interruptible), "I5: {someone:?}");
        debug_assert!(
            needs.iter().all(|need| need.met_by(&someone.profile.skills)),
            "I6: {needs:?}"
        );
        debug_assert!(someone.is_on_duty(), "I7: {someone:?}");
        debug_assert!(!open.backs_off(agent, at), "I8: {open:?}");
    }

    fn accept(&mut self, at: UnixMillis, key: TicketKey, agent: &AgentId) {
        let hard = self.tickets.get(key).is_some_and(is_hard);
        self.change(key, |open| {
            open.status = Status::Assigned;
            open.offer_expires_at = None;
            open.assigned_at.get_or_insert(at);
        });
        self.change_agent(at, agent, |agent| {
            agent.taken += 1;
            agent.hard_taken += u64::from(hard);
        });
    }

    /// Puts a ticket back into the queue; `declined_by` is not asked again for a while.
    fn let_go(&mut self, at: UnixMillis, key: TicketKey, declined_by: Option<&AgentId>) {
        let backoff_secs = self.policy.as_ref().map_or(0, |policy| policy.decline_backoff_secs);
        self.release(at, key);
        self.change(key, |open| {
            debug_assert!(
                matches!(open.status, Status::Offered | Status::Assigned),
                "I2, I9: {open:?}"
            );
            if open.status == Status::Assigned {
                open.planned_at = at;
            }
            open.status = Status::Queued;
            open.holder = None;
            open.offer_expires_at = None;
            if let Some(agent) = declined_by {
                open.note_decline(agent, at, backoff_secs);
            }
        });
        // Whoever was liked may have passed on it, or left.
        if self.tickets.get(key).is_some_and(|open| !self.liked_is_there(open)) {
            self.stop_liking(key);
        }
    }

    fn transfer(
        &mut self,
        at: UnixMillis,
        key: TicketKey,
        from: &AgentId,
        target: &TransferTarget,
        plan: &Arc<Plan>,
    ) {
        self.let_go(at, key, Some(from));
        let Some(open) = self.tickets.get_mut(key) else { return };
        let to = match target {
            TransferTarget::Agent(agent) => {
                open.declined.retain(|declined| declined.agent != *agent);
                Some(agent)
            }
            TransferTarget::Intent(intent) => {
                open.given_intent = Some(intent.as_str().into());
                None
            }
            TransferTarget::Skills => None,
        };
        self.set_plan_for(at, key, plan, to);
    }

    /// Forgets a ticket; returns the units its holder had taken for it.
    fn close(&mut self, at: UnixMillis, key: TicketKey) -> u32 {
        let units = self.release(at, key);
        if let Some(open) = self.tickets.remove(key) {
            self.unlink(key, open);
        }
        units
    }

    fn release(&mut self, at: UnixMillis, key: TicketKey) -> u32 {
        let Some(holder) = self.tickets.get(key).and_then(|open| open.holder) else { return 0 };
        let mut units = 0;
        self.change_agent_at(at, holder, |agent| {
            units = agent.let_go(key);
            agent.freed_at = at;
            if agent.held.is_empty() {
                agent.return_at = None;
            }
        });
        units
    }
}

/// Returns whether a ticket is hard on people, by the plan it was taken under.
pub(in crate::routing) fn is_hard(open: &OpenTicket) -> bool {
    open.plan.as_ref().is_some_and(|plan| plan.hard)
}
