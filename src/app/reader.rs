//! Has tickets read: by the model in time, else by rules and later by the model.
//!
//! Two kinds of loops ask the engine what is to be read. The model's take tickets in turn; the rules'
//! takes those that waited too long, so no ticket waits for the model. What to read is always asked
//! anew, so a reading that is lost on its way is only late.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::{sync::watch, task::JoinSet};

use super::{
    Action, Command, Error, cluster::Peers, inbox::Inbox, metrics, recent::Recent,
    steady::SteadyClock,
};
use crate::{
    classifier::{Classify, ClassifyError, rules},
    domain::{id::TicketId, reading::Reading, time::UnixMillis},
    routing::Input,
    store::{self, Key, Readers},
};

/// Texts of one call of the model.
const TEXTS_PER_CALL: usize = 32;
/// Calls of the model under way, so that its thread finds the next one ready.
const CALLS: usize = 2;
/// Tickets the rules read at once.
const RULES_AT_ONCE: usize = 128;
/// When a ticket that was taken to be read has its next turn, if no reading came; in seconds.
const NEXT_TURN_SECS: u32 = 60;
/// Longest wait before asking again, in case nothing wakes the loop.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Shortest wait between two rounds of the rules, in case the engine does not take their readings.
const RULES_PAUSE: Duration = Duration::from_millis(10);
/// Wait after the classifier's queue was full.
const FULL_PAUSE: Duration = Duration::from_millis(50);
/// First and longest wait after the model failed; it doubles in between.
const DOWN_PAUSE_MIN: Duration = Duration::from_millis(250);
const DOWN_PAUSE_MAX: Duration = Duration::from_secs(30);

/// What the loops share.
pub(super) struct Reader {
    /// Where readings go and questions are asked.
    pub(super) inbox: Inbox,
    /// Where texts are that came lately.
    pub(super) recent: Arc<Recent>,
    /// Where all texts are.
    pub(super) texts: Readers,
    /// Reads texts; `None` when no model is loaded.
    pub(super) model: Option<Arc<dyn Classify>>,
    /// Tells how long tickets have waited.
    pub(super) clock: Arc<SteadyClock>,
    /// Whether the model failed the last time.
    pub(super) down: AtomicBool,
}

/// Reaches the models of the other servers.
pub trait Colleagues: Send + Sync + 'static {
    /// Returns the model of the server that answers its peers at this address.
    fn model(&self, address: &str) -> Arc<dyn Classify>;
}

/// Starts the loops; they end when the engine stops.
pub(super) fn start(
    reader: Reader,
    to_read: &watch::Receiver<u64>,
    stopping: &watch::Receiver<bool>,
    (colleagues, peers): (Option<Arc<dyn Colleagues>>, watch::Receiver<Arc<Peers>>),
) {
    reader.down.store(reader.model.is_none(), Ordering::Relaxed);
    let reader = Arc::new(reader);
    if let Some(model) = &reader.model {
        for _ in 0..CALLS {
            let model = Model { reads: Arc::clone(model), is_ours: true };
            spawn(Arc::clone(&reader).read_by_model(model, to_read.clone()), stopping.clone());
        }
    }
    if let Some(colleagues) = colleagues {
        let helped = Arc::clone(&reader).read_by_others(colleagues, peers, to_read.clone());
        spawn(helped, stopping.clone());
    }
    spawn(reader.read_by_rules(to_read.clone()), stopping.clone());
}

fn spawn(work: impl Future<Output = Error> + Send + 'static, mut stopping: watch::Receiver<bool>) {
    tokio::spawn(async move {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => {}
            // The engine is gone.
            _ = work => {}
        }
    });
}

/// A model, and whether it is this server's.
struct Model {
    reads: Arc<dyn Classify>,
    is_ours: bool,
}

impl Reader {
    /// Has the other servers' models read too, each as long as its server is there.
    async fn read_by_others(
        self: Arc<Self>,
        colleagues: Arc<dyn Colleagues>,
        mut peers: watch::Receiver<Arc<Peers>>,
        to_read: watch::Receiver<u64>,
    ) -> Error {
        let mut loops: BTreeMap<String, JoinSet<Error>> = BTreeMap::new();
        loop {
            let addresses = peers.borrow_and_update().readers.clone();
            // Dropping a set ends its loops.
            loops.retain(|address, _| addresses.contains(address));
            for address in addresses {
                loops.entry(address).or_insert_with_key(|address| {
                    let model_loop = || {
                        let model = Model { reads: colleagues.model(address), is_ours: false };
                        Arc::clone(&self).read_by_model(model, to_read.clone())
                    };
                    (0..CALLS).map(|_| model_loop()).collect()
                });
            }
            if peers.changed().await.is_err() {
                // Nobody else is there, or this server is going away.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn read_by_model(
        self: Arc<Self>,
        model: Model,
        mut to_read: watch::Receiver<u64>,
    ) -> Error {
        let mut failures = 0;
        loop {
            to_read.borrow_and_update();
            // After a failure one text at a time: one that the model cannot read fails alone.
            let limit = if failures == 0 { TEXTS_PER_CALL } else { 1 };
            let tickets = match self.take(limit).await {
                Ok(tickets) => tickets,
                Err(error) => return error,
            };
            if tickets.is_empty() {
                wake(&mut to_read, ASK_AGAIN).await;
                continue;
            }
            match self.ask_model(&model.reads, &tickets).await {
                Ok(readings) => {
                    failures = 0;
                    self.down.store(false, Ordering::Relaxed);
                    self.record(tickets, readings).await;
                }
                Err(reason) => {
                    metrics::reading_failed(reason);
                    if model.is_ours {
                        self.down.store(true, Ordering::Relaxed);
                    }
                    tokio::time::sleep(pause(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    /// Takes the tickets to read next: those nobody read first, and from each workspace its share.
    async fn take(&self, limit: usize) -> Result<Vec<Key<TicketId>>, Error> {
        let now = self.clock.now();
        let next_turn = now.plus_secs(NEXT_TURN_SECS);
        self.inbox
            .ask(move |workspaces| {
                let lines =
                    workspaces.iter_mut().map(|(id, space)| (id, &mut space.backlog.unread));
                let unread = super::backlog::take_shares(lines, now, next_turn, limit);
                if !unread.is_empty() {
                    return unread;
                }
                let lines =
                    workspaces.iter_mut().map(|(id, space)| (id, &mut space.backlog.reread));
                super::backlog::take_shares(lines, now, next_turn, limit)
            })
            .await
    }

    /// Returns the model's readings, or in one word why there are none.
    async fn ask_model(
        &self,
        model: &Arc<dyn Classify>,
        tickets: &[Key<TicketId>],
    ) -> Result<Vec<Reading>, &'static str> {
        let texts = self.texts(tickets.to_vec()).await.map_err(|_| "store")?;
        loop {
            match model.classify(texts.clone()).await {
                Ok(readings) => {
                    let sound =
                        readings.len() == texts.len() && readings.iter().all(Reading::is_finite);
                    return if sound { Ok(readings) } else { Err("unsound") };
                }
                Err(ClassifyError::Full { .. }) => {
                    metrics::reading_failed("full");
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                Err(ClassifyError::Down) => return Err("down"),
            }
        }
    }

    async fn read_by_rules(self: Arc<Self>, mut to_read: watch::Receiver<u64>) -> Error {
        loop {
            to_read.borrow_and_update();
            let overdue = match self.overdue().await {
                Ok(overdue) => overdue,
                Err(error) => return error,
            };
            if overdue.tickets.is_empty() {
                wake(&mut to_read, overdue.next).await;
                continue;
            }
            let (tickets, languages): (Vec<_>, Vec<_>) = overdue.tickets.into_iter().unzip();
            if let Ok(texts) = self.texts(tickets.clone()).await {
                let read = |(text, language): (&String, &Option<String>)| {
                    rules::read(text, language.as_deref())
                };
                let readings = texts.iter().zip(&languages).map(read).collect();
                self.record(tickets, readings).await;
            }
            tokio::time::sleep(RULES_PAUSE).await;
        }
    }

    /// Returns the tickets that have waited as long as their policy lets them.
    async fn overdue(&self) -> Result<Overdue, Error> {
        let now = self.clock.now();
        let down = self.down.load(Ordering::Relaxed);
        self.inbox
            .ask(move |workspaces| {
                let mut overdue = Overdue { tickets: Vec::new(), next: ASK_AGAIN };
                for (id, workspace) in workspaces.iter() {
                    let policy = workspace.state.policy();
                    let wait_ms =
                        policy.filter(|_| !down).map_or(0, |policy| policy.reading_wait_ms);
                    let since = UnixMillis(now.0.saturating_sub(i64::from(wait_ms)));
                    let unread = &workspace.backlog.unread;
                    let room = RULES_AT_ONCE - overdue.tickets.len();
                    for ticket in unread.waiting_since(since, room) {
                        let open = workspace.state.ticket(&ticket);
                        let language = open.and_then(|open| open.intake.language.clone());
                        overdue.tickets.push(((id.clone(), ticket), language));
                    }
                    if let Some(oldest) = unread.oldest() {
                        let next = oldest.plus_millis(wait_ms).millis_since(now);
                        overdue.next = overdue.next.min(Duration::from_millis(next));
                    }
                }
                overdue
            })
            .await
    }

    async fn texts(&self, tickets: Vec<Key<TicketId>>) -> Result<Vec<String>, store::Error> {
        if let Some(texts) = self.recent.texts(&tickets) {
            return Ok(texts);
        }
        let texts = self.texts.read(move |snapshot| store::texts(snapshot, &tickets)).await?;
        Ok(texts.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Has readings recorded. One that is refused is for a ticket that was closed meanwhile; one that
    /// failed is made again at the ticket's next turn.
    async fn record(&self, tickets: Vec<Key<TicketId>>, readings: Vec<Reading>) {
        let commands = tickets.into_iter().zip(readings).map(|((workspace, ticket), reading)| {
            let action = Action::Route(Input::Read { ticket, reading }.into());
            self.inbox.read(Command { workspace, actor: None, idempotency: None, action })
        });
        for outcome in join_all(commands).await {
            if let Err(Error::Store(error)) = outcome {
                tracing::warn!(%error, "a reading was not recorded");
            }
        }
    }
}

/// Tickets with the language the platform gave, and how long until the next one is due.
struct Overdue {
    tickets: Vec<(Key<TicketId>, Option<String>)>,
    next: Duration,
}

fn pause(failures: u32) -> Duration {
    DOWN_PAUSE_MIN.saturating_mul(1 << failures.min(10)).min(DOWN_PAUSE_MAX)
}

async fn wake(to_read: &mut watch::Receiver<u64>, patience: Duration) {
    tokio::select! {
        changed = to_read.changed() => {
            if changed.is_err() {
                // The engine is gone; the loop ends when it asks.
                tokio::time::sleep(patience).await;
            }
        }
        () = tokio::time::sleep(patience) => {}
    }
}
