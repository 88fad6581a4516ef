//! What happens to tickets: they come, are served, give up and are counted.

use super::{Due, RunError, Ticket, World, ticket_id};
use crate::{
    domain::{
        agent::Presence,
        ticket::{Outcome, Resolution},
    },
    routing::{Input, Rejection},
};

impl World<'_> {
    pub(super) fn sign(&mut self, agent: usize, on: bool) -> Result<(), RunError> {
        let presence = if on { Presence::Available } else { Presence::Offline };
        self.tally.on_shift(self.now, agent, on);
        self.tell(Input::SetPresence { agent: self.agent_id(agent), presence })?;
        self.answer_offers()
    }

    pub(super) fn arrive(&mut self, class: usize) -> Result<(), RunError> {
        self.plan_arrival(class);
        let about = &self.scenario.classes[class];
        let source = &mut self.sources[class];
        // Drawn whether or not there is room, so that blocking shifts nobody's draws.
        let work = about.work * about.service_law.draw(&mut source.work);
        let patience =
            about.patience_mean_seconds.map(|m| m * about.patience_law.draw(&mut source.patience));
        let counts = self.tally.counts(self.now);
        if counts {
            self.tally.class(class).arrived += 1.0;
        }
        let place = self.free.pop().unwrap_or(self.tickets.len());
        self.numbers += 1;
        let number = self.numbers;
        let id = ticket_id(place, number)?;
        let intake = self.setup.intakes[class].clone();
        match self.take(Input::Receive { ticket: id.clone(), intake }) {
            Err(rejection @ Rejection::TooMany { .. }) => {
                self.free.push(place);
                return self.blocked(class, counts, rejection);
            }
            other => other.map_err(RunError::Refused)?,
        }
        let arrived_at = self.now;
        let ticket =
            Ticket { id, number, class, arrived_at, counts, work, agent: 0, in_service: false };
        let ticket_id = ticket.id.clone();
        if place == self.tickets.len() {
            self.tickets.push(Some(ticket));
        } else {
            self.tickets[place] = Some(ticket);
        }
        self.tally.waiting(self.now, class, 1);
        self.tally.open +=
            u64::from(counts && (self.sources[class].servable || patience.is_some()));
        if let Some(seconds) = patience {
            self.plan_after(seconds, Due::PatienceEnd { place, number });
        }
        self.tell(Input::Read { ticket: ticket_id, reading: self.setup.reading.clone() })?;
        self.answer_offers()?;
        let waits = self.ticket(place, number).is_some_and(|ticket| !ticket.in_service);
        if counts && waits {
            self.tally.class(class).waited += 1.0;
        }
        Ok(())
    }

    pub(super) fn blocked(
        &mut self,
        class: usize,
        counts: bool,
        rejection: Rejection,
    ) -> Result<(), RunError> {
        if self.scenario.system_limit.is_none() {
            return Err(RunError::Full { seconds: self.now_seconds(), rejection });
        }
        if counts {
            self.tally.class(class).blocked += 1.0;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, place: usize, number: u64) -> Result<(), RunError> {
        let Some(ticket) = self.ticket(place, number) else { return Ok(()) };
        let (ticket, agent) = (ticket.id.clone(), self.agent_id(ticket.agent));
        let resolution = Resolution::FirstContact;
        let outcome = Outcome { resolution, right_intent: None, satisfaction: None };
        self.tell(Input::Complete { ticket, agent, outcome })?;
        self.forget(place);
        Ok(())
    }

    pub(super) fn give_up(&mut self, place: usize, number: u64) -> Result<(), RunError> {
        let Some(ticket) = self.ticket(place, number).filter(|ticket| !ticket.in_service) else {
            return Ok(());
        };
        let (ticket, class, counts) = (ticket.id.clone(), ticket.class, ticket.counts);
        self.tell(Input::Cancel { ticket, reason: "patience".to_owned() })?;
        self.stops_waiting(place);
        if counts {
            self.tally.class(class).abandoned += 1.0;
        }
        self.forget(place);
        Ok(())
    }

    /// Ends the wait of a ticket, by service or by patience.
    pub(super) fn stops_waiting(&mut self, place: usize) {
        let Some(ticket) = self.tickets.get(place).and_then(Option::as_ref) else { return };
        let (class, waited) = (ticket.class, self.now - ticket.arrived_at);
        self.tally.waiting(self.now, class, -1);
        if ticket.counts {
            self.tally.class(class).wait_seconds += self.setup.clock.seconds(waited as f64);
            self.tally.open = self.tally.open.saturating_sub(1);
        }
    }

    pub(super) fn forget(&mut self, place: usize) {
        if let Some(ticket) = self.tickets.get_mut(place) {
            *ticket = None;
            self.free.push(place);
        }
    }
}
