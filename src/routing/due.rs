//! What happens because time passed.

use super::{plan::plan_after_waiting, state::Timer, step::Step};
use crate::domain::{
    agent::Presence,
    event::{Event, PresenceCause, ReturnReason},
    id::{AgentId, OfferId, TicketId},
    ticket::Status,
};

impl Step<'_> {
    /// Lets everything happen that is due at `now`.
    pub(super) fn run_due(&mut self) {
        while let Some((_, timer)) = self.pop_due() {
            match timer {
                Timer::Offer(ticket) => self.expire_offer(&ticket),
                Timer::Age(ticket) => self.age(&ticket),
                Timer::Backoff(ticket, _) => self.dirty(&ticket),
                Timer::Lease(agent) => self.lose_presence(&agent),
                Timer::WrapUp(agent, ticket) => self.emit(Event::WrapUpEnded { ticket, agent }),
                Timer::Return(agent) => self.return_assignments(&agent),
            }
        }
    }

    fn expire_offer(&mut self, ticket: &TicketId) {
        let Some(open) = self.state.tickets.get(ticket) else { return };
        let offer = OfferId { ticket: ticket.clone(), epoch: open.epoch };
        if let Some(agent) = open.holder.clone() {
            self.emit(Event::OfferExpired { offer, agent });
        }
    }

    fn age(&mut self, ticket: &TicketId) {
        let (Some(open), Some(policy)) = (self.state.tickets.get(ticket), &self.state.policy)
        else {
            return;
        };
        let next = usize::try_from(open.relaxation_step).unwrap_or(usize::MAX);
        let step_due = policy
            .relaxation
            .get(next)
            .is_some_and(|step| open.received_at.plus_secs(step.after_secs) <= self.now);
        if step_due {
            let step = open.relaxation_step + 1;
            self.emit(Event::TicketRelaxed { ticket: ticket.clone(), step });
        } else if let Some(plan) = &open.plan {
            let plan = plan_after_waiting(policy, &open.intake, plan);
            self.emit(Event::TicketPlanned { ticket: ticket.clone(), plan });
        }
    }

    fn lose_presence(&mut self, agent: &AgentId) {
        self.emit(Event::PresenceChanged {
            agent: agent.clone(),
            presence: Presence::Offline,
            cause: PresenceCause::LeaseExpired,
            lease_until: None,
        });
        self.revoke_offers_of_absent(agent);
    }

    fn return_assignments(&mut self, agent: &AgentId) {
        let held = self.state.agents.get(agent).map(|state| state.held.keys().cloned().collect());
        let held: Vec<TicketId> = held.unwrap_or_default();
        for ticket in held {
            let status = self.state.tickets.get(&ticket).map(|open| open.status);
            if status == Some(Status::Assigned) {
                let reason = ReturnReason::AgentLeft;
                self.emit(Event::AssignmentReturned { ticket, agent: agent.clone(), reason });
            }
        }
    }
}
