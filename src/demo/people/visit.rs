//! One ticket on one person's desk: the offer is answered, the work is done, the outcome reported.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tonic::{Code, Status};

use super::{
    Floor,
    choice::{self, Answer, Ending},
};
use crate::{
    api::v1,
    demo::client::{Client, persist},
};

/// One ticket on one person's desk.
pub(super) struct Visit {
    /// The person's connection.
    pub(super) client: Client,
    /// What all people know.
    pub(super) floor: Arc<Floor>,
    /// Decides what is left to chance.
    pub(super) rng: ChaCha8Rng,
}

impl Visit {
    /// Answers an offer, and does the work if it is accepted.
    pub(super) async fn answer(mut self, offer: v1::Offer) {
        let think = self.floor.work.mul_f64(self.rng.random_range(0.05..0.3));
        if !self.floor.spend(think).await {
            return;
        }
        match choice::answer(&mut self.rng, offer.epoch) {
            Answer::Accept => {
                if let Some(ticket) = self.accept(&offer).await {
                    self.finish(ticket).await;
                }
            }
            Answer::Decline(reason) => self.decline(&offer, reason).await,
            Answer::Ignore => {
                self.floor.board.unanswered.fetch_add(1, Relaxed);
            }
        }
    }

    async fn accept(&self, offer: &v1::Offer) -> Option<v1::Ticket> {
        let request = v1::AcceptOfferRequest {
            offer_id: offer.offer_id.clone(),
            idempotency_key: format!("yes-{}", offer.offer_id),
        };
        let response = persist(|| {
            let (mut agents, request) = (self.client.agents.clone(), request.clone());
            async move { agents.accept_offer(request).await }
        });
        let response = self.done("accepting", response.await)?;
        self.floor.board.accepted.fetch_add(1, Relaxed);
        response.ticket
    }

    async fn decline(&self, offer: &v1::Offer, reason: &str) {
        let request = v1::DeclineOfferRequest {
            offer_id: offer.offer_id.clone(),
            reason: reason.to_owned(),
            idempotency_key: format!("no-{}", offer.offer_id),
        };
        let response = persist(|| {
            let (mut agents, request) = (self.client.agents.clone(), request.clone());
            async move { agents.decline_offer(request).await }
        });
        if self.done("declining", response.await).is_some()
            && let Some(ticket) = &offer.ticket
        {
            self.floor.board.note_declined(&ticket.ticket_id);
        }
    }

    /// Does the work and ends the ticket.
    pub(super) async fn finish(mut self, ticket: v1::Ticket) {
        let work = self.floor.work.mul_f64(self.rng.random_range(0.4..1.6));
        if !self.floor.spend(work).await {
            return;
        }
        match choice::ending(&mut self.rng, &self.floor, &ticket) {
            Ending::Complete(outcome) => self.complete(&ticket, outcome).await,
            Ending::HandOn(intent) => self.hand_on(&ticket, intent).await,
        }
    }

    async fn complete(&self, ticket: &v1::Ticket, outcome: v1::Outcome) {
        let request = v1::CompleteAssignmentRequest {
            ticket_id: ticket.ticket_id.clone(),
            outcome: Some(outcome),
            idempotency_key: format!("done-{}.{}", ticket.ticket_id, ticket.offer_epoch),
        };
        let response = persist(|| {
            let (mut agents, request) = (self.client.agents.clone(), request.clone());
            async move { agents.complete_assignment(request).await }
        });
        if self.done("completing", response.await).is_some() {
            self.floor.board.completed.fetch_add(1, Relaxed);
        }
    }

    async fn hand_on(&self, ticket: &v1::Ticket, intent: String) {
        let request = v1::TransferTicketRequest {
            ticket_id: ticket.ticket_id.clone(),
            target: Some(v1::transfer_ticket_request::Target::Intent(intent)),
            idempotency_key: format!("on-{}.{}", ticket.ticket_id, ticket.offer_epoch),
        };
        // Noted before it is sent: the next person may have it before the answer is here.
        self.floor.board.note_handed_on(&ticket.ticket_id);
        let response = persist(|| {
            let (mut agents, request) = (self.client.agents.clone(), request.clone());
            async move { agents.transfer_ticket(request).await }
        });
        self.done("handing on", response.await);
    }

    /// Returns an answer. One that came too late is part of the day; any other failure is noted.
    fn done<T>(&self, during: &str, response: Result<T, Status>) -> Option<T> {
        match response {
            Ok(response) => Some(response),
            Err(status) if status.code() == Code::FailedPrecondition => {
                self.floor.board.late.fetch_add(1, Relaxed);
                None
            }
            Err(status) => {
                self.floor.board.note_trouble(during, &status);
                None
            }
        }
    }
}
