//! How agents answer what they are offered, and what the core did meanwhile.

use super::{Due, RunError, World};
use crate::{
    domain::{
        event::Event,
        id::{AgentId, OfferId, TicketId},
    },
    routing::Input,
    simulate::{random::Law, setup::agent_place},
};

/// An offer that waits for its answer.
pub(super) struct Asked {
    place: usize,
    number: u64,
    agent: usize,
    offer: OfferId,
}

impl World<'_> {
    /// Answers every offer that is answered at once, and those that follow from the answers.
    pub(super) fn answer_offers(&mut self) -> Result<(), RunError> {
        while let Some(asked) = self.asked.pop_front() {
            let team = &self.scenario.teams[self.setup.team_of[asked.agent]];
            if team.answer_mean_seconds > 0.0 {
                let draw = Law::Exponential.draw(&mut self.answers[asked.agent]);
                let Asked { place, number, .. } = asked;
                let due = Due::Answer { place, number, epoch: asked.offer.epoch };
                self.plan_after(team.answer_mean_seconds * draw, due);
            } else {
                self.answer(asked)?;
            }
        }
        Ok(())
    }

    /// Answers an offer that was thought about, unless it was taken back meanwhile.
    pub(super) fn answer_later(
        &mut self,
        place: usize,
        number: u64,
        epoch: u32,
    ) -> Result<(), RunError> {
        let Some(ticket) = self.ticket(place, number) else { return Ok(()) };
        let live = self.state.live_offer(&ticket.id).filter(|offer| offer.epoch == epoch);
        let agent = ticket.agent;
        match live {
            Some(offer) => self.answer(Asked { place, number, agent, offer }),
            None => Ok(()),
        }
    }

    pub(super) fn answer(&mut self, asked: Asked) -> Result<(), RunError> {
        self.bounded()?;
        let Asked { place, number, agent: by, offer } = asked;
        if self.ticket(place, number).is_none() {
            return Ok(());
        }
        let team = &self.scenario.teams[self.setup.team_of[by]];
        let agent = self.agent_id(by);
        if self.answers[by].happens(team.decline_probability) {
            return self.tell(Input::Decline { offer, agent, reason: "busy".to_owned() });
        }
        self.tell(Input::Accept { offer, agent })?;
        self.stops_waiting(place);
        let Some(ticket) = self.tickets.get_mut(place).and_then(Option::as_mut) else {
            return Ok(());
        };
        ticket.in_service = true;
        let (class, counts, seconds) =
            (ticket.class, ticket.counts, ticket.work / team.service_rate);
        if counts {
            self.tally.class(class).assigned += 1.0;
        }
        self.plan_after(seconds, Due::ServiceEnd { place, number });
        Ok(())
    }

    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::OfferMade { offer, agent, .. } => self.note_offer(offer, &agent),
            Event::OfferDeclined { agent, .. }
            | Event::OfferExpired { agent, .. }
            | Event::OfferRevoked { agent, .. }
            | Event::WrapUpEnded { agent, .. }
            | Event::AssignmentCompleted { agent, wrap_up_until: None, .. } => {
                if let Some(agent) = agent_place(&agent) {
                    self.tally.used(self.now, agent, -1);
                }
            }
            _ => {}
        }
    }

    pub(super) fn note_offer(&mut self, offer: OfferId, agent: &AgentId) {
        let (Some((place, number)), Some(agent)) =
            (ticket_place(&offer.ticket), agent_place(agent))
        else {
            return;
        };
        self.tally.used(self.now, agent, 1);
        if let Some(ticket) = self.tickets.get_mut(place).and_then(Option::as_mut) {
            ticket.agent = agent;
            if ticket.counts {
                self.tally.class(ticket.class).offers += 1.0;
            }
        }
        self.asked.push_back(Asked { place, number, agent, offer });
    }
}

fn ticket_place(id: &TicketId) -> Option<(usize, u64)> {
    let (number, place) = id.as_str().split_once('-')?;
    Some((place.parse().ok()?, number.parse().ok()?))
}
