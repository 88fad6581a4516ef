//! The people: each holds a real offer stream, answers offers, works, and reports how it ended.

mod choice;
#[cfg(test)]
mod tests;
mod visit;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::{
    task::JoinSet,
    time::{interval, sleep, timeout},
};
use tonic::{Status, Streaming};

use self::visit::Visit;
use super::{
    board::Board,
    client::{Client, persist},
    submit::Load,
    team::{Day, Person},
    tickets::{Truth, essence},
    workspace::Workspace,
};
use crate::api::v1::{self, Presence, stream_offers_response::Update};

/// Time all tickets of a demo take people together, in milliseconds.
const WORK_MS: u64 = 150_000;
/// Shortest and longest mean time of one ticket, in milliseconds.
const WORK_MS_MEAN: (u64, u64) = (5, 400);
/// How long somebody is away, and how long a connection stays lost, in milliseconds.
const BREAK_MS: u64 = 1_500;
const LOST_MS: u64 = 300;
/// How often a person looks at the time, in milliseconds.
const LOOK_MS: u64 = 100;
/// Most streams one person opens.
const STREAMS_MAX: u32 = 50;
/// How long work under way may take to end once the demo stops, in seconds.
const LEAVE_SECS: u64 = 10;

/// What all people know.
pub(super) struct Floor {
    /// What is going on.
    pub(super) board: Arc<Board>,
    /// The policy in force.
    policy: v1::Policy,
    /// Intents the model can name.
    intents: BTreeSet<String>,
    /// What tickets are really about, by what is visible of their text.
    truths: BTreeMap<String, Truth>,
    /// Mean time of one ticket.
    work: Duration,
    /// Tickets of the whole demo.
    count: u64,
}

impl Floor {
    /// Returns what people know before the first ticket comes.
    pub(super) fn new(board: Arc<Board>, workspace: &Workspace, load: &Load<'_>) -> Self {
        let known = load.tickets.rows.iter().filter(|row| row.truth.intent.is_some());
        let truths =
            known.map(|row| (essence_of(&row.ticket.subject, &row.ticket.body), row.truth.clone()));
        let count = u64::try_from(load.count).unwrap_or(u64::MAX).max(1);
        let work_ms = (WORK_MS / count).clamp(WORK_MS_MEAN.0, WORK_MS_MEAN.1);
        Self {
            board,
            policy: workspace.policy.clone(),
            intents: workspace.model.intents.iter().cloned().collect(),
            truths: truths.collect(),
            work: Duration::from_millis(work_ms),
            count,
        }
    }

    /// Returns whether `percent` of all tickets are closed.
    fn is_past(&self, percent: u64) -> bool {
        self.board.closed().saturating_mul(100) >= self.count.saturating_mul(percent)
    }

    /// Lets time pass, but not beyond the end of the demo. Returns whether the demo goes on.
    async fn spend(&self, time: Duration) -> bool {
        tokio::select! {
            () = sleep(time) => true,
            () = self.board.stop.cancelled() => false,
        }
    }
}

fn essence_of(subject: &str, body: &str) -> String {
    essence(subject) + &essence(body)
}

/// Lets one person work until the board says stop, or the person goes home.
///
/// # Errors
/// The status of a stream or a change of presence that failed for good.
pub(super) async fn work(
    person: Person,
    client: Client,
    floor: Arc<Floor>,
    rng: ChaCha8Rng,
) -> Result<(), Status> {
    let desk =
        Desk { client, floor, rng, tasks: JoinSet::new(), seen: BTreeSet::new(), sequence: 0 };
    desk.attend(person.day).await
}

/// One person at work.
struct Desk {
    client: Client,
    floor: Arc<Floor>,
    rng: ChaCha8Rng,
    /// Offers and assignments under way, several at once up to capacity.
    tasks: JoinSet<()>,
    /// Offers and assignments taken up: a stream that resumes may say things twice.
    seen: BTreeSet<String>,
    /// Where to resume.
    sequence: u64,
}

/// Whether a person stays.
#[derive(PartialEq, Eq)]
enum Stay {
    Here,
    Left,
}

impl Desk {
    async fn attend(mut self, mut day: Day) -> Result<(), Status> {
        let floor = Arc::clone(&self.floor);
        let mut stream = self.open().await?;
        self.set_presence(Presence::Available).await?;
        let mut look = interval(Duration::from_millis(LOOK_MS));
        let mut streams = 1;
        loop {
            tokio::select! {
                () = floor.board.stop.cancelled() => break,
                message = stream.message() => match message {
                    Ok(Some(message)) => self.take_in(message),
                    Ok(None) | Err(_) if streams < STREAMS_MAX => {
                        streams += 1;
                        stream = self.reopen().await?;
                    }
                    Ok(None) => return Err(Status::unavailable("the offer stream ends again and again")),
                    Err(status) => return Err(status),
                },
                Some(_) = self.tasks.join_next() => {}
                _ = look.tick() => {}
            }
            if self.live(&mut day, &mut stream).await? == Stay::Left {
                return Ok(());
            }
        }
        // Answers on their way are waited for, so that what is read back afterwards stands still.
        let all_done = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(Duration::from_secs(LEAVE_SECS), all_done).await;
        Ok(())
    }

    /// Lets happen what the day brings, once.
    async fn live(
        &mut self,
        day: &mut Day,
        stream: &mut Streaming<v1::StreamOffersResponse>,
    ) -> Result<Stay, Status> {
        match *day {
            Day::TakesBreak if self.floor.is_past(25) => {
                self.set_presence(Presence::Away).await?;
                self.floor.spend(Duration::from_millis(BREAK_MS)).await;
                self.set_presence(Presence::Available).await?;
                self.floor.board.breaks.fetch_add(1, Relaxed);
            }
            Day::LosesConnection if self.floor.is_past(35) => {
                *stream = self.reopen().await?;
                self.floor.board.resumed.fetch_add(1, Relaxed);
            }
            Day::GoesHome if self.floor.is_past(50) => {
                self.set_presence(Presence::Busy).await?;
                while self.tasks.join_next().await.is_some() {}
                self.set_presence(Presence::Offline).await?;
                self.floor.board.gone_home.fetch_add(1, Relaxed);
                return Ok(Stay::Left);
            }
            _ => return Ok(Stay::Here),
        }
        *day = Day::Steady;
        Ok(Stay::Here)
    }

    /// Opens the offer stream where it broke, or from the desk as it stands.
    async fn open(&self) -> Result<Streaming<v1::StreamOffersResponse>, Status> {
        let after_sequence = self.sequence;
        persist(|| {
            let mut agents = self.client.agents.clone();
            async move { agents.stream_offers(v1::StreamOffersRequest { after_sequence }).await }
        })
        .await
    }

    /// Opens the stream again after a moment without a connection.
    async fn reopen(&self) -> Result<Streaming<v1::StreamOffersResponse>, Status> {
        self.floor.spend(Duration::from_millis(LOST_MS)).await;
        self.open().await
    }

    async fn set_presence(&self, presence: Presence) -> Result<(), Status> {
        let request =
            v1::SetPresenceRequest { presence: presence.into(), idempotency_key: String::new() };
        persist(|| {
            let (mut agents, request) = (self.client.agents.clone(), request.clone());
            async move { agents.set_presence(request).await }
        })
        .await?;
        Ok(())
    }

    /// Takes in one message of the stream.
    fn take_in(&mut self, message: v1::StreamOffersResponse) {
        self.sequence = self.sequence.max(message.sequence);
        match message.update {
            Some(Update::Desk(desk)) => {
                for offer in desk.offers {
                    self.take_up_offer(offer);
                }
                for ticket in desk.assignments {
                    self.take_up_assignment(ticket);
                }
            }
            Some(Update::Offer(offer)) => self.take_up_offer(offer),
            // Closed offers fail when they are answered; the other messages ask for nothing.
            _ => {}
        }
    }

    fn take_up_offer(&mut self, offer: v1::Offer) {
        if self.seen.insert(offer.offer_id.clone()) {
            let visit = self.visit();
            self.tasks.spawn(visit.answer(offer));
        }
    }

    /// Goes on with a ticket accepted on a stream that broke.
    fn take_up_assignment(&mut self, ticket: v1::Ticket) {
        let offer_id = format!("{}.{}", ticket.ticket_id, ticket.offer_epoch);
        if self.seen.insert(offer_id) {
            let visit = self.visit();
            self.tasks.spawn(visit.finish(ticket));
        }
    }

    fn visit(&mut self) -> Visit {
        Visit {
            client: self.client.clone(),
            floor: Arc::clone(&self.floor),
            rng: ChaCha8Rng::from_rng(&mut self.rng),
        }
    }
}
