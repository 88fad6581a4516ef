//! An agent with a good connection, whose offers are timed from the submission on.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tonic::Streaming;

use crate::{
    api::v1::{self, agent_service_client::AgentServiceClient, stream_offers_response::Update},
    book::Book,
    client::{Ask, Client, PROBE_KEY, by},
    history::{Action, Outcome},
    world::agent_of,
};

/// Name of the agent, less the number.
pub(super) const NAME: &str = "probe";
/// Longest wait for an offer.
const OFFER_WITHIN: Duration = Duration::from_secs(10);

/// The agent, and who submits its tickets.
pub(super) struct Probe {
    client: Client,
    stream: Streaming<v1::StreamOffersResponse>,
    number: usize,
    times: Vec<Duration>,
}

impl Probe {
    /// Signs in.
    pub(super) async fn start(
        book: &Arc<Book>,
        direct: watch::Receiver<Vec<String>>,
        seed: u64,
    ) -> Result<Self, anyhow::Error> {
        let name = agent_of(NAME, 0);
        let mut client = Client::through(&name, book, direct, seed);
        let mut agents = AgentServiceClient::new(client.channel().await);
        let presence = v1::Presence::Available.into();
        let come = v1::SetPresenceRequest { presence, ..Default::default() };
        agents.set_presence(by(&name, come)).await.context("the probe cannot sign in")?;
        let open = by(&name, v1::StreamOffersRequest { after_sequence: 0 });
        let stream = agents.stream_offers(open).await?.into_inner();
        Ok(Self { client, stream, number: 0, times: Vec::new() })
    }

    /// Submits a ticket, waits for its offer, and completes it.
    pub(super) async fn once(&mut self) -> Result<(), anyhow::Error> {
        self.number += 1;
        let key = format!("{PROBE_KEY}{}", self.number);
        let body = format!("Is anybody there, number {}?", self.number);
        let began = Instant::now();
        let submit = Ask { key, action: Action::Submit { body } };
        let Outcome::Done { ticket } = self.client.ask_until_answered(&submit).await else {
            anyhow::bail!("a probe is refused");
        };
        let offered = timeout(OFFER_WITHIN, self.offer_of(&ticket)).await;
        // Somebody may have cancelled it meanwhile.
        let Ok(Some(offer)) = offered else { return Ok(()) };
        self.times.push(began.elapsed());
        let accept = Ask { key: format!("a-{offer}"), action: Action::Accept { offer } };
        if let Outcome::Done { .. } = self.client.ask_until_answered(&accept).await {
            let key = format!("c-{ticket}");
            let done = Action::Complete { ticket, outcome: "2/5".to_owned() };
            self.client.ask_until_answered(&Ask { key, action: done }).await;
        }
        Ok(())
    }

    /// Waits for the offer of a ticket; `None` when there will be none.
    async fn offer_of(&mut self, ticket: &str) -> Option<String> {
        loop {
            match self.stream.message().await.ok()??.update? {
                Update::Offer(offer) if offer.offer_id.starts_with(ticket) => {
                    return Some(offer.offer_id);
                }
                _ => {}
            }
        }
    }

    /// Returns the times since the last call.
    pub(super) fn take(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.times)
    }

    /// Goes home.
    pub(super) async fn end(mut self) {
        let presence = v1::Presence::Offline.into();
        let leave = v1::SetPresenceRequest { presence, ..Default::default() };
        let mut agents = AgentServiceClient::new(self.client.channel().await);
        // If it fails, presence lapses by itself.
        let _ = agents.set_presence(by(&self.client.actor, leave)).await;
    }
}
