//! What the whole service costs beside its model: `evenhand serve` as a process, tickets over gRPC,
//! agents on their streams, and the classifier alone on the same texts in the same run.
//!
//! `cargo bench --bench service` with the model, `-- rules` with keyword rules in its place; `-- intake` and
//! `-- intake postgres` measure durable intake alone. The load comes
//! from the same machine, so the rates are those of a machine shared with it; CPU times are the server's
//! own. Waits are mostly those of the disk that `TMPDIR` is on, which two commits wait for, one after the
//! other. Linux only: CPU times and memory are read from `/proc`.

#![expect(clippy::unwrap_used, reason = "a failed benchmark should panic")]

mod bare;
mod figures;
mod intake;
mod people;
mod server;
mod texts;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use evenhand::{
    api::v1::{self, ticket_service_client::TicketServiceClient},
    classifier::{Model, find_model, rules},
};
use figures::{Load, Waits, whole};
use people::{Board, by, create_agent, set_up, sign_in, submission, submit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use server::{Server, cpu_of};
use texts::{Texts, Ticket};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, sleep_until},
};
use tonic::transport::Channel;

/// Agents, all with every skill.
const AGENTS: usize = 100;
/// Tickets open at once when memory is measured.
const OPEN: usize = 10_000;
/// Tickets on their way from submission to offer at saturation: the classifier always finds a batch.
const WINDOW: usize = 128;
/// Connections of the platform and of the agents; a hundred streams and their calls share the latter.
const CONNECTIONS: usize = 4;
/// Tickets of one bulk stream, and such streams at once.
const BULK: usize = 256;
const BULK_STREAMS: usize = 2;
/// Rounds of load and classifier in turn, and about how long each takes.
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_secs(3);
/// How long tickets arrive at half the saturating rate.
const HALF_LOAD: Duration = Duration::from_secs(15);
/// Texts of one batch, as the service makes them.
const BATCH: usize = 32;

fn main() {
    if !cfg!(target_os = "linux") {
        println!("this benchmark reads CPU time and memory from /proc, which only Linux has");
        return;
    }
    let asked_for = |word: &str| std::env::args().any(|argument| argument == word);
    if asked_for("intake") {
        return intake::measure(asked_for("postgres"));
    }
    let by_rules = asked_for("rules");
    let model = Model::load(&find_model(None).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut texts = Texts { model: &model, made: 0 };
        let rate = saturate(&mut texts, by_rules).await;
        fill(&mut texts, by_rules, rate).await;
    });
}

/// Agents accept and complete whatever they are offered; then half of that load.
async fn saturate(texts: &mut Texts<'_>, by_rules: bool) -> f64 {
    let bench = Bench::start(by_rules, true).await;
    bench.unary(texts.take(500)).await;
    let warm = bench.unary(texts.take(500)).await;
    let count = whole(warm.rate() * ROUND.as_secs_f64());
    let (mut unary, mut bulk) = (Load::default(), Load::default());
    let mut alone = Load::default();
    for _ in 0..ROUNDS {
        let round = texts.take(count);
        unary.add(&bench.unary(round.clone()).await);
        alone.add(&classifier_alone(texts.model, by_rules, &round));
        bulk.add(&bench.bulk(texts.take(count)).await);
    }
    println!("agents accept and complete every ticket");
    unary.print("unary calls", &alone);
    bulk.print("bulk streams", &alone);
    let rate = unary.rate();
    let (half, waits) = bench.half_load(texts, rate / 2.0).await;
    half.print("half of it", &alone);
    println!("  from the time a ticket was to be sent, until it was");
    waits.print();
    rate
}

/// Agents listen and do not answer, until as many tickets are open as they can hold.
async fn fill(texts: &mut Texts<'_>, by_rules: bool, rate: f64) {
    let bench = Bench::start(by_rules, false).await;
    let empty = bench.server.memory_mib();
    let rounds = ROUNDS.max(whole(OPEN as f64 / (rate * ROUND.as_secs_f64())));
    let (mut load, mut alone) = (Load::default(), Load::default());
    for _ in 0..rounds {
        let round = texts.take(OPEN / rounds);
        load.add(&bench.unary(round.clone()).await);
        alone.add(&classifier_alone(texts.model, by_rules, &round));
    }
    println!("agents only listen: up to the offer, nothing after it");
    load.print("unary calls", &alone);
    sleep(Duration::from_secs(2)).await;
    let full = bench.server.memory_mib();
    let open = load.tickets;
    println!("resident memory: {empty:.0} MiB at the start, {full:.0} MiB with {open} open");
    let without = bench.server.restart_without_model().memory_mib();
    println!("  started again on the same data, without a model: {without:.0} MiB");
}

/// Reads the texts as the service's batches would, with nothing else going on.
fn classifier_alone(model: &Model, by_rules: bool, tickets: &[Ticket]) -> Load {
    let started = Instant::now();
    let before = cpu_of("/proc/self");
    for batch in tickets.chunks(BATCH) {
        let texts: Vec<&str> = batch.iter().map(|ticket| ticket.text.as_str()).collect();
        let readings = match by_rules {
            true => texts.iter().map(|text| rules::read(text, None)).collect(),
            false => model.read_texts(&texts).unwrap(),
        };
        assert_eq!(readings.len(), batch.len());
    }
    let cpu = vec![("classifier".to_owned(), cpu_of("/proc/self") - before)];
    Load { tickets: tickets.len(), took: started.elapsed(), cpu }
}

/// A running server and who uses it.
struct Bench {
    server: Server,
    answering: bool,
    channels: Vec<Channel>,
    board: Arc<Board>,
}

impl Bench {
    async fn start(by_rules: bool, answering: bool) -> Self {
        let server = Server::start(by_rules);
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(server.connect().await);
        }
        let board = Arc::new(Board {
            window: Semaphore::new(WINDOW),
            offered: Mutex::default(),
            offers: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            changed: Notify::new(),
        });
        let skills = set_up(channels[0].clone()).await;
        for number in 0..AGENTS {
            let agent = format!("agent-{number:03}");
            create_agent(channels[0].clone(), &agent, &skills).await;
        }
        let mut desks = Vec::new();
        for _ in 0..CONNECTIONS {
            desks.push(server.connect().await);
        }
        for number in 0..AGENTS {
            let channel = desks[number % CONNECTIONS].clone();
            sign_in(channel, format!("agent-{number:03}"), Arc::clone(&board), answering).await;
        }
        Self { server, answering, channels, board }
    }

    /// Submits tickets one by one, as many at once as the window lets; returns once all are offered,
    /// and completed where agents answer.
    async fn unary(&self, tickets: Vec<Ticket>) -> Load {
        let before = Snapshot::of(self);
        let count = tickets.len();
        for (index, ticket) in tickets.into_iter().enumerate() {
            self.board.window.acquire().await.unwrap().forget();
            let channel = self.channels[index % CONNECTIONS].clone();
            tokio::spawn(submit(channel, ticket));
        }
        before.wait(self, count).await
    }

    /// As [`Bench::unary`], in streams.
    async fn bulk(&self, tickets: Vec<Ticket>) -> Load {
        let before = Snapshot::of(self);
        let count = tickets.len();
        let mut waiting: Vec<Vec<Ticket>> = tickets.chunks(BULK).map(<[Ticket]>::to_vec).collect();
        waiting.reverse();
        let waiting = Arc::new(Mutex::new(waiting));
        for index in 0..BULK_STREAMS {
            let mut client = TicketServiceClient::new(self.channels[index].clone());
            let (waiting, board) = (Arc::clone(&waiting), Arc::clone(&self.board));
            tokio::spawn(async move {
                loop {
                    let Some(part) = waiting.lock().unwrap().pop() else { return };
                    let (count, board) = (part.len(), Arc::clone(&board));
                    let messages = futures::stream::unfold(part.into_iter(), move |mut part| {
                        let board = Arc::clone(&board);
                        async move {
                            let ticket = part.next()?;
                            board.window.acquire().await.unwrap().forget();
                            let v1::SubmitTicketRequest { ticket, idempotency_key, .. } =
                                submission(ticket);
                            Some((v1::SubmitTicketsRequest { ticket, idempotency_key }, part))
                        }
                    });
                    let response = client.submit_tickets(by(None, messages)).await.unwrap();
                    assert_eq!(response.into_inner().accepted.len(), count);
                }
            });
        }
        before.wait(self, count).await
    }

    /// Tickets arrive at random, `rate` a second on average, whatever the server does.
    async fn half_load(&self, texts: &mut Texts<'_>, rate: f64) -> (Load, Waits) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let tickets = texts.take(whole(rate * HALF_LOAD.as_secs_f64()));
        let count = tickets.len();
        let before = Snapshot::of(self);
        let started = Instant::now() + Duration::from_millis(100);
        let (mut at, mut calls) = (started, Vec::new());
        for (index, ticket) in tickets.into_iter().enumerate() {
            // The window of saturation is given back by the offer.
            self.board.window.acquire().await.unwrap().forget();
            self.board.window.add_permits(1);
            at += Duration::from_secs_f64(-(1.0 - rng.random::<f64>()).ln() / rate);
            let (channel, number) = (self.channels[index % CONNECTIONS].clone(), ticket.number);
            sleep_until(at).await;
            calls.push((number, at, tokio::spawn(submit(channel, ticket))));
        }
        let mut waits = Waits { acknowledged: Vec::new(), offered: Vec::new() };
        let mut sent = Vec::new();
        for (number, at, call) in calls {
            waits.acknowledged.push(call.await.unwrap() - at);
            sent.push((number, at));
        }
        let load = before.wait(self, count).await;
        let offered = self.board.offered.lock().unwrap();
        waits.offered.extend(sent.into_iter().map(|(number, at)| offered[number].unwrap() - at));
        (load, waits)
    }
}

/// Where a measurement began.
struct Snapshot {
    started: Instant,
    cpu: Vec<(String, f64)>,
    offers: usize,
    done: usize,
}

impl Snapshot {
    fn of(bench: &Bench) -> Self {
        let board = &bench.board;
        Self {
            started: Instant::now(),
            cpu: bench.server.cpu(),
            offers: board.offers.load(Relaxed),
            done: board.done.load(Relaxed),
        }
    }

    /// Waits until so many more tickets are offered and done, and returns what they cost.
    async fn wait(self, bench: &Bench, tickets: usize) -> Load {
        let board = &bench.board;
        while board.offers.load(Relaxed) < self.offers + tickets {
            board.changed.notified().await;
        }
        let took = self.started.elapsed();
        while bench.answering && board.done.load(Relaxed) < self.done + tickets {
            board.changed.notified().await;
        }
        let before = |name: &str| self.cpu.iter().find(|(n, _)| n == name).map_or(0.0, |(_, s)| *s);
        let after = bench.server.cpu().into_iter();
        let cpu = after.map(|(name, seconds)| (name.clone(), seconds - before(&name))).collect();
        Load { tickets, took, cpu }
    }
}
