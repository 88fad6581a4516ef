//! Fake agents: they accept, decline, let lapse, answer late or twice, complete, transfer, go away.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    api::v1::{self, agent_service_client::AgentServiceClient, stream_offers_response::Update},
    book::Book,
    client::{Ask, Client},
    history::{Action, Outcome, Seen, Session},
    random::Dice,
    world::{INTENTS, OFFER_TIMEOUT, SKILLS, agent_name},
};

/// How long an agent who lost the stream waits before coming back, in milliseconds.
const COME_BACK_MS: (u64, u64) = (5, 150);

/// An agent who works until the run is over.
pub struct Agent {
    client: Client,
    seed: u64,
    /// How many agents there are.
    team: usize,
    /// Offers and assignments it has made up its mind about.
    known: BTreeSet<String>,
    /// Sequence number of the last message.
    last: u64,
    work: JoinSet<()>,
    /// Slowest and fastest answer to an offer, in milliseconds.
    pace_ms: u64,
}

impl Agent {
    /// Returns an agent; `number` names it.
    #[must_use]
    pub fn new(number: usize, team: usize, pace_ms: u64, book: &Arc<Book>, seed: u64) -> Self {
        let client = Client::new(&agent_name(number), book, seed);
        let (known, work) = (BTreeSet::new(), JoinSet::new());
        Self { client, seed, team, known, last: 0, work, pace_ms }
    }

    /// Works until the run closes and everything begun is answered.
    pub async fn run(mut self) {
        while !self.client.book.is_closing() {
            self.day().await;
            let (from, to) = COME_BACK_MS;
            sleep(self.client.dice.millis(from, to)).await;
        }
        while self.work.join_next().await.is_some() {}
    }

    /// Signs in and follows one stream until it breaks or the agent goes away.
    async fn day(&mut self) {
        let channel = self.client.channel().await;
        let book = Arc::clone(&self.client.book);
        let busy = book.begin();
        let mut client = AgentServiceClient::new(channel);
        let presence = v1::Presence::Available;
        if !self.set_presence(&mut client, presence).await {
            return self.client.hang_up();
        }
        // Now and then it has forgotten where it was.
        let after_sequence = if self.client.dice.chance(20) { 0 } else { self.last };
        let open = self.client.by(v1::StreamOffersRequest { after_sequence });
        let opened = timeout(self.client.answer_within, client.stream_offers(open)).await;
        let Ok(Ok(stream)) = opened else { return self.client.hang_up() };
        let mut stream = stream.into_inner();
        let agent = self.client.actor.clone();
        let (after, until) = (after_sequence, after_sequence);
        let mut session = Session { agent, after, until, seen: Vec::new() };
        let leaves_at = Instant::now() + self.client.dice.millis(500, 6000);
        let leaves = loop {
            tokio::select! {
                message = stream.message() => match message {
                    Ok(Some(message)) => self.take(message, &mut session),
                    Ok(None) | Err(_) => break false,
                },
                () = sleep_until(leaves_at) => break true,
            }
        };
        if session.until > 0 {
            self.last = session.until;
            book.write_session(session);
        }
        if leaves {
            drop((stream, busy));
            self.pause(&mut client).await;
        } else {
            self.client.hang_up();
        }
    }

    async fn set_presence(
        &mut self,
        client: &mut AgentServiceClient<tonic::transport::Channel>,
        presence: v1::Presence,
    ) -> bool {
        let idempotency_key = String::new();
        let set = v1::SetPresenceRequest { presence: presence.into(), idempotency_key };
        let set = client.set_presence(self.client.by(set));
        timeout(self.client.answer_within, set).await.is_ok_and(|set| set.is_ok())
    }

    /// Goes away for a while: only the connection, or the agent too.
    async fn pause(&mut self, client: &mut AgentServiceClient<tonic::transport::Channel>) {
        let presence = match self.client.dice.below(4) {
            0 => v1::Presence::Away,
            1 => v1::Presence::Offline,
            _ => return,
        };
        if self.set_presence(client, presence).await {
            sleep(self.client.dice.millis(50, 1500)).await;
        }
    }

    fn take(&mut self, message: v1::StreamOffersResponse, session: &mut Session) {
        let sequence = message.sequence;
        let mut see = |seen| session.seen.push((sequence, seen));
        match message.update {
            Some(Update::Desk(desk)) => {
                // The stream starts here, whatever was asked for.
                session.after = sequence;
                for offer in desk.offers {
                    self.consider(offer.offer_id);
                }
                for ticket in desk.assignments {
                    self.adopt(&ticket);
                }
            }
            Some(Update::Offer(offer)) => {
                see(Seen::Offered { offer: offer.offer_id.clone() });
                self.consider(offer.offer_id);
            }
            Some(Update::Closed(closed)) => see(Seen::Closed {
                offer: closed.offer_id,
                ticket: closed.ticket_id,
                reason: closed.reason,
            }),
            Some(Update::Assigned(ticket)) => {
                see(Seen::Assigned { ticket: ticket.ticket_id.clone() });
                self.adopt(&ticket);
            }
            Some(Update::Heartbeat(_) | Update::Drain(_)) | None => {}
        }
        session.until = session.until.max(sequence);
    }

    /// Makes up its mind about an offer.
    fn consider(&mut self, offer: String) {
        if !self.known.insert(offer.clone()) || self.client.book.is_closing() {
            return;
        }
        while self.work.try_join_next().is_some() {}
        let dice = Dice::new(self.seed, &format!("{} {offer}", self.client.actor));
        let answer = Answer { client: self.client.fork(dice), offer };
        self.work.spawn(answer.give(self.team, self.pace_ms));
    }

    /// Finishes an assignment that nobody finishes yet.
    fn adopt(&mut self, ticket: &v1::Ticket) {
        let offer = format!("{}.{}", ticket.ticket_id, ticket.offer_epoch);
        if !self.known.insert(offer.clone()) || self.client.book.is_closing() {
            return;
        }
        let dice = Dice::new(self.seed, &format!("{} {offer}", self.client.actor));
        let answer = Answer { client: self.client.fork(dice), offer };
        self.work.spawn(answer.finish(self.team, self.pace_ms));
    }
}

/// One offer that an agent deals with.
struct Answer {
    client: Client,
    offer: String,
}

impl Answer {
    fn ask(&self, what: &str, action: Action) -> Ask {
        Ask { key: format!("{}/{what}/{}", self.client.actor, self.offer), action }
    }

    fn accept(&self, what: &str) -> Ask {
        self.ask(what, Action::Accept { offer: self.offer.clone() })
    }

    async fn give(mut self, team: usize, pace_ms: u64) {
        sleep(self.client.dice.millis(0, pace_ms)).await;
        match self.client.dice.below(100) {
            0..72 => {
                let accept = self.accept("a");
                if let Outcome::Done { .. } = self.client.ask_until_answered(&accept).await {
                    self.finish(team, pace_ms).await;
                }
            }
            72..82 => {
                let decline = self.ask("d", Action::Decline { offer: self.offer.clone() });
                self.client.ask_until_answered(&decline).await;
            }
            82..86 => self.accept_twice(team, pace_ms).await,
            86..89 => {
                // Too late, or just in time.
                sleep(OFFER_TIMEOUT - Duration::from_millis(20)).await;
                let accept = self.accept("l");
                if let Outcome::Done { .. } = self.client.ask_until_answered(&accept).await {
                    self.finish(team, pace_ms).await;
                }
            }
            89..92 => {
                // As somebody who was not asked.
                self.client.actor = agent_name(self.client.dice.below(team));
                let accept = self.accept("w");
                if let Outcome::Done { .. } = self.client.ask_until_answered(&accept).await {
                    self.finish(team, pace_ms).await;
                }
            }
            // It lapses.
            _ => {}
        }
    }

    /// Accepts twice at once, with two keys and over two connections.
    async fn accept_twice(mut self, team: usize, pace_ms: u64) {
        let mut other = self.client.fork(self.client.dice.clone());
        other.hang_up();
        let (one, two) = (self.accept("a"), self.accept("b"));
        let (one, two) =
            tokio::join!(self.client.ask_until_answered(&one), other.ask_until_answered(&two));
        if [one, two].iter().any(|outcome| matches!(outcome, Outcome::Done { .. })) {
            self.finish(team, pace_ms).await;
        }
    }

    /// Completes the assignment or hands it on.
    async fn finish(mut self, team: usize, pace_ms: u64) {
        let longest = if self.client.dice.chance(5) { 3000 } else { 2 * pace_ms };
        sleep(self.client.dice.millis(0, longest)).await;
        let Some((ticket, _)) = self.offer.rsplit_once('.') else { return };
        let ticket = ticket.to_owned();
        let action = if self.client.dice.chance(10) {
            let to = match self.client.dice.below(3) {
                0 => format!("agent:{}", agent_name(self.client.dice.below(team))),
                1 => format!("intent:{}", self.client.dice.pick(&INTENTS).unwrap_or(&"")),
                _ => format!("skill:{}", self.client.dice.pick(&SKILLS).unwrap_or(&"")),
            };
            Action::Transfer { ticket, to }
        } else {
            let outcome = format!("2/{}", 1 + self.client.dice.below(5));
            Action::Complete { ticket, outcome }
        };
        let ask = self.ask("c", action);
        self.client.ask_until_answered(&ask).await;
    }
}
