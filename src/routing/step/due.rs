//! What happens because time passed.

use super::Step;
use crate::{
    domain::{
        agent::Presence,
        event::{Event, PresenceCause, ReturnReason},
        id::{OfferId, TicketId},
        ticket::Status,
        time::UnixMillis,
    },
    routing::{
        plan::plan_after_waiting,
        slab::{AgentKey, TicketKey},
        state::Timer,
    },
};

impl Step<'_> {
    /// Lets everything happen that is due at `now`.
    pub(super) fn run_due(&mut self) {
        while let Some(timer) = self.pop_due() {
            match timer {
                Timer::Offer(ticket) => self.expire_offer(ticket),
                Timer::Age(ticket) => self.age(ticket),
                Timer::Backoff(ticket) => {
                    self.tickets.insert(ticket);
                    self.at_once.insert(ticket);
                }
                Timer::Lease(agent) => self.lose_presence(agent),
                Timer::WrapUp(agent) => self.end_wrap_up(agent),
                Timer::Return(agent) => self.return_assignments(agent),
                Timer::Shift(agent) => {
                    if let Some(agent) = self.state.agents.get(agent) {
                        let agent = agent.profile.agent.clone();
                        self.update_shift(&agent);
                    }
                }
                Timer::Strain(agent) => drop(self.agents.insert(agent)),
                Timer::Rest(agent) => self.end_rest(agent),
                Timer::Ramp(agent) => self.go_on_ramping(agent),
                Timer::Hours => self.update_hours(),
            }
        }
    }

    fn pop_due(&mut self) -> Option<Timer> {
        self.state.timers.first().filter(|(at, _)| *at <= self.now)?;
        let (_, timer) = self.state.timers.pop_first()?;
        let (Timer::Age(ticket) | Timer::Offer(ticket) | Timer::Backoff(ticket)) = timer else {
            return Some(timer);
        };
        if let Some(open) = self.state.tickets.get_mut(ticket) {
            open.links.taken_out(timer);
        }
        Some(timer)
    }

    fn expire_offer(&mut self, key: TicketKey) {
        let Some(open) = self.state.tickets.get(key) else { return };
        let offer = OfferId { ticket: open.ticket.clone(), epoch: open.epoch };
        if let Some(agent) = self.state.holder(open).cloned() {
            self.emit(Event::OfferExpired { offer, agent });
        }
    }

    fn age(&mut self, key: TicketKey) {
        let (Some(open), Some(policy)) = (self.state.tickets.get(key), &self.state.policy) else {
            return;
        };
        let (Some(plan), Some(ladder)) = (&open.plan, open.links.ladder) else { return };
        let ticket = open.ticket.clone();
        let step = open.relaxation_step + 1;
        let rung = self.state.index.rungs(ladder).get(usize::try_from(step).unwrap_or(usize::MAX));
        let due = rung.and_then(|rung| self.state.at_age(plan, open.received_at, rung.after_secs));
        if due.is_some_and(|due: UnixMillis| due <= self.now) {
            self.emit(Event::TicketRelaxed { ticket, step });
        } else {
            let plan = plan_after_waiting(policy, &open.intake, plan);
            self.emit(Event::TicketPlanned { ticket, plan: plan.into() });
        }
    }

    fn lose_presence(&mut self, key: AgentKey) {
        let Some(agent) = self.state.agents.get(key).map(|agent| agent.profile.agent.clone())
        else {
            return;
        };
        self.emit(Event::PresenceChanged {
            agent: agent.clone(),
            presence: Presence::Offline,
            cause: PresenceCause::LeaseExpired,
            lease_until: None,
        });
        self.revoke_offers_of_absent(&agent);
    }

    fn end_wrap_up(&mut self, key: AgentKey) {
        let Some(state) = self.state.agents.get(key) else { return };
        let ended = state.wrap_ups.iter().find(|wrap_up| wrap_up.until <= self.now);
        let Some(ticket) = ended.map(|wrap_up| wrap_up.ticket.clone()) else { return };
        let agent = state.profile.agent.clone();
        self.emit(Event::WrapUpEnded { ticket, agent });
    }

    fn return_assignments(&mut self, key: AgentKey) {
        let Some(state) = self.state.agents.get(key) else { return };
        let agent = state.profile.agent.clone();
        let held: Vec<TicketId> = self.state.held_tickets(&agent).into_iter().cloned().collect();
        for ticket in held {
            let status = self.state.ticket(&ticket).map(|open| open.status);
            if status == Some(Status::Assigned) {
                let reason = ReturnReason::AgentLeft;
                self.emit(Event::AssignmentReturned { ticket, agent: agent.clone(), reason });
            }
        }
    }
}
