//! What the whole service costs beside its model: `evenhand serve` as a process, tickets over gRPC,
//! agents on their streams, and the classifier alone on the same texts in the same run.
//!
//! `cargo bench --bench service` with the model, `-- rules` with keyword rules in its place. The load comes
//! from the same machine, so the rates are those of a machine shared with it; CPU times are the server's
//! own. Waits are mostly those of the disk that `TMPDIR` is on, which two commits wait for, one after the
//! other. Linux only: CPU times and memory are read from `/proc`.

#![expect(clippy::unwrap_used, reason = "a failed benchmark should panic")]

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use evenhand::{
    api::v1::{
        self, admin_service_client::AdminServiceClient, agent_service_client::AgentServiceClient,
        stream_offers_response::Update, ticket_service_client::TicketServiceClient,
    },
    classifier::{Model, find_model, rules},
    service::{ACTOR_KEY, WORKSPACE_KEY},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, sleep_until},
};
use tonic::{Request, transport::Channel};

/// Tokens of a ticket, special ones included.
const TOKENS: usize = 32;
/// Agents, all with every skill, and what each may hold: together the tickets of [`OPEN`].
const AGENTS: usize = 100;
const CAPACITY_UNITS: u32 = 100;
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

const WORKSPACE: &str = "bench";
const COLOURS: [&str; 8] = ["blue", "red", "green", "black", "white", "grey", "brown", "pink"];
const THINGS: [&str; 8] = ["jacket", "phone", "table", "lamp", "book", "bag", "watch", "chair"];
const TROUBLES: [&str; 6] = [
    "it has still not come",
    "the box came empty",
    "i was charged for it twice",
    "it broke on the first day",
    "i want my money back",
    "the invoice for it is wrong",
];
const WISHES: [&str; 4] = [
    "can you tell me what to do",
    "please help me with this today",
    "i need an answer from you soon",
    "who can look at it for me",
];
const FILLERS: [&str; 6] = ["thanks", "again", "and", "please", "now", "here"];

fn main() {
    if !cfg!(target_os = "linux") {
        println!("this benchmark reads CPU time and memory from /proc, which only Linux has");
        return;
    }
    let by_rules = std::env::args().any(|argument| argument == "rules");
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

/// What some tickets cost.
#[derive(Default)]
struct Load {
    tickets: usize,
    took: Duration,
    /// CPU seconds by the names of threads.
    cpu: Vec<(String, f64)>,
}

impl Load {
    fn add(&mut self, other: &Self) {
        self.tickets += other.tickets;
        self.took += other.took;
        for (name, seconds) in &other.cpu {
            match self.cpu.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += seconds,
                None => self.cpu.push((name.clone(), *seconds)),
            }
        }
    }

    fn rate(&self) -> f64 {
        self.tickets as f64 / self.took.as_secs_f64()
    }

    fn cpu_ms(&self) -> f64 {
        self.cpu.iter().map(|(_, seconds)| seconds).sum::<f64>() * 1000.0 / self.tickets as f64
    }

    fn print(&self, what: &str, alone: &Self) {
        let parts: Vec<_> = self
            .cpu
            .iter()
            .map(|(name, s)| format!("{name} {:.3}", s * 1000.0 / self.tickets as f64))
            .collect();
        let (rate, ms, parts) = (self.rate(), self.cpu_ms(), parts.join(", "));
        print!("  {what:<12} {rate:7.0} tickets/s, server {ms:.3} CPU ms a ticket ({parts})");
        let alone = alone.cpu_ms();
        let (rest, ratio) = (ms - alone, ms / alone);
        println!("; classifier alone {alone:.3} ms, all else {rest:.3} ms, ratio {ratio:.2}");
    }
}

/// Waits of tickets that arrived whatever the server did.
struct Waits {
    acknowledged: Vec<Duration>,
    offered: Vec<Duration>,
}

impl Waits {
    fn print(mut self) {
        for (what, waits) in
            [("acknowledged", &mut self.acknowledged), ("offered", &mut self.offered)]
        {
            waits.sort_unstable();
            let at =
                |share: f64| waits[whole(share * (waits.len() - 1) as f64)].as_secs_f64() * 1000.0;
            let (p50, p99, n) = (at(0.5), at(0.99), waits.len());
            println!("  {what:<12} p50 {p50:6.2} ms, p99 {p99:6.2} ms ({n} tickets)");
        }
    }
}

/// A text and the number that finds it again.
#[derive(Clone)]
struct Ticket {
    number: usize,
    text: String,
}

/// Texts of [`TOKENS`] tokens, each different.
struct Texts<'a> {
    model: &'a Model,
    made: usize,
}

impl Texts<'_> {
    fn take(&mut self, count: usize) -> Vec<Ticket> {
        (0..count)
            .map(|_| {
                self.made += 1;
                Ticket { number: self.made, text: self.text(self.made) }
            })
            .collect()
    }

    fn text(&self, number: usize) -> String {
        let mut rest = number;
        let mut pick = |from: usize| {
            let index = rest % from;
            rest /= from;
            index
        };
        let (colour, thing) = (COLOURS[pick(8)], THINGS[pick(8)]);
        let (trouble, wish) = (TROUBLES[pick(6)], WISHES[pick(4)]);
        let order = 10 + rest;
        let mut text =
            format!("hello i ordered a {colour} {thing} under number {order} and {trouble} {wish}");
        // Each filler is one token.
        for filler in FILLERS.iter().cycle().take(TOKENS - self.tokens(&text)) {
            text.push(' ');
            text.push_str(filler);
        }
        assert_eq!(self.tokens(&text), TOKENS, "{text}");
        text
    }

    fn tokens(&self, text: &str) -> usize {
        self.model.tokens(text).unwrap().ids().len()
    }
}

/// A running server and who uses it.
struct Bench {
    server: Server,
    answering: bool,
    channels: Vec<Channel>,
    board: Arc<Board>,
}

/// What the agents saw.
struct Board {
    /// Tickets that may still be submitted before others are offered.
    window: Semaphore,
    /// When tickets were offered, by number.
    offered: Mutex<Vec<Option<Instant>>>,
    offers: AtomicUsize,
    done: AtomicUsize,
    changed: Notify,
}

impl Board {
    fn note_offer(&self, offer: &v1::Offer) {
        let customer = &offer.ticket.as_ref().unwrap().customer;
        let number: usize = customer.strip_prefix("c-").unwrap().parse().unwrap();
        let mut offered = self.offered.lock().unwrap();
        if offered.len() <= number {
            offered.resize(number + 1, None);
        }
        assert!(offered[number].replace(Instant::now()).is_none(), "offered twice: {number}");
        drop(offered);
        self.window.add_permits(1);
        self.offers.fetch_add(1, Relaxed);
        self.changed.notify_one();
    }

    fn note_done(&self) {
        self.done.fetch_add(1, Relaxed);
        self.changed.notify_one();
    }
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

fn submission(Ticket { number, text }: Ticket) -> v1::SubmitTicketRequest {
    let ticket = v1::NewTicket {
        channel: "email".to_owned(),
        subject: String::new(),
        body: text,
        customer: format!("c-{number}"),
        segments: [("plan".to_owned(), ["gold", "basic"][number % 2].to_owned())].into(),
        ..v1::NewTicket::default()
    };
    let idempotency_key = format!("key-{number}");
    v1::SubmitTicketRequest { ticket: Some(ticket), idempotency_key, wait_for_reading: false }
}

/// Submits a ticket; returns when it was acknowledged.
async fn submit(channel: Channel, ticket: Ticket) -> Instant {
    let mut client = TicketServiceClient::new(channel);
    client.submit_ticket(by(None, submission(ticket))).await.unwrap();
    Instant::now()
}

fn by<T>(agent: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(WORKSPACE_KEY, WORKSPACE.parse().unwrap());
    if let Some(agent) = agent {
        request.metadata_mut().insert(ACTOR_KEY, agent.parse().unwrap());
    }
    request
}

/// Makes the workspace and a skill, and lets offers stand for an hour; returns all skills.
async fn set_up(channel: Channel) -> Vec<v1::Skill> {
    let mut admin = AdminServiceClient::new(channel);
    let workspace = v1::Workspace {
        workspace_id: WORKSPACE.to_owned(),
        segment_attributes: vec!["plan".to_owned()],
        ..v1::Workspace::default()
    };
    let create = v1::CreateWorkspaceRequest { workspace: Some(workspace), ..Default::default() };
    admin.create_workspace(create).await.unwrap();
    let skill = v1::Skill { skill_id: "jackets".to_owned(), description: String::new() };
    let create = v1::CreateSkillRequest { skill: Some(skill), ..Default::default() };
    admin.create_skill(by(None, create)).await.unwrap();
    let policy = admin.get_policy(by(None, v1::GetPolicyRequest::default())).await.unwrap();
    let mut policy = policy.into_inner().policy.unwrap();
    policy.offer_timeout_secs = 3600;
    let set = v1::SetPolicyRequest { policy: Some(policy), ..Default::default() };
    admin.set_policy(by(None, set)).await.unwrap();
    let list = v1::ListSkillsRequest { page_size: 500, ..Default::default() };
    admin.list_skills(by(None, list)).await.unwrap().into_inner().skills
}

async fn create_agent(channel: Channel, agent: &str, skills: &[v1::Skill]) {
    let skill =
        |skill: &v1::Skill| v1::AgentSkill { skill_id: skill.skill_id.clone(), proficiency: 5 };
    let profile = v1::AgentProfile {
        agent_id: agent.to_owned(),
        skills: skills.iter().map(skill).collect(),
        capacity_units: CAPACITY_UNITS,
        ..v1::AgentProfile::default()
    };
    let create = v1::CreateAgentRequest { profile: Some(profile), ..Default::default() };
    AdminServiceClient::new(channel).create_agent(by(None, create)).await.unwrap();
}

/// Makes an agent available, who from now on notes every offer, and answers it or not.
async fn sign_in(channel: Channel, agent: String, board: Arc<Board>, answering: bool) {
    let mut client = AgentServiceClient::new(channel);
    let presence = v1::SetPresenceRequest {
        presence: v1::Presence::Available.into(),
        idempotency_key: String::new(),
    };
    client.set_presence(by(Some(&agent), presence)).await.unwrap();
    let open = v1::StreamOffersRequest { after_sequence: 0 };
    let mut stream = client.stream_offers(by(Some(&agent), open)).await.unwrap().into_inner();
    tokio::spawn(async move {
        // The server is killed in the end.
        while let Ok(Some(message)) = stream.message().await {
            let Some(Update::Offer(offer)) = message.update else { continue };
            board.note_offer(&offer);
            if answering {
                let answer = complete(client.clone(), agent.clone(), offer, Arc::clone(&board));
                tokio::spawn(answer);
            }
        }
    });
}

async fn complete(
    mut client: AgentServiceClient<Channel>,
    agent: String,
    offer: v1::Offer,
    board: Arc<Board>,
) {
    let accept = v1::AcceptOfferRequest { offer_id: offer.offer_id, ..Default::default() };
    let accepted = client.accept_offer(by(Some(&agent), accept)).await.unwrap().into_inner();
    let outcome = v1::Outcome {
        resolution: v1::Resolution::FirstContact.into(),
        right_intent: String::new(),
        satisfaction: 5,
    };
    let complete = v1::CompleteAssignmentRequest {
        ticket_id: accepted.ticket.unwrap().ticket_id,
        outcome: Some(outcome),
        idempotency_key: String::new(),
    };
    client.complete_assignment(by(Some(&agent), complete)).await.unwrap();
    board.note_done();
}

/// `evenhand serve`; dropped, it is killed.
struct Server {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Server {
    fn start(by_rules: bool) -> Self {
        Self::start_in(TempDir::new().unwrap(), by_rules)
    }

    /// Kills it and starts another one on what it left.
    fn restart_without_model(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, TempDir::new().unwrap());
        Self::start_in(folder, true)
    }

    /// Starts it on free ports and reads in its log where it listens.
    fn start_in(folder: TempDir, by_rules: bool) -> Self {
        let model = find_model(None).unwrap();
        let model = if by_rules { "none" } else { model.to_str().unwrap() };
        let mut child = Command::new(env!("CARGO_BIN_EXE_evenhand"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .env("EVENHAND_SERVER__ADMIN_LISTEN", "127.0.0.1:0")
            .env("EVENHAND_LOG__FORMAT", "json")
            .env("EVENHAND_CLASSIFIER__MODEL", model)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut address = String::new();
        while address.is_empty() {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the service ended");
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            address = event["fields"]["listen"].as_str().unwrap_or_default().to_owned();
        }
        // The pipe must go on being read, or the service would block on its log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address, folder }
    }

    async fn connect(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.tcp_nodelay(true).connect().await.unwrap()
    }

    fn proc(&self) -> String {
        format!("/proc/{}", self.child.id())
    }

    /// Returns CPU seconds by the names of threads; what threads used that are gone is `others`.
    fn cpu(&self) -> Vec<(String, f64)> {
        let mut by_name: Vec<(String, f64)> = Vec::new();
        for task in fs::read_dir(format!("{}/task", self.proc())).unwrap() {
            let task = task.unwrap().path();
            // A thread may end meanwhile.
            let Ok(name) = fs::read_to_string(task.join("comm")) else { continue };
            let Ok(schedule) = fs::read_to_string(task.join("schedstat")) else { continue };
            let nanos: f64 = schedule.split(' ').next().unwrap().parse().unwrap();
            let name = name.trim_end().to_owned();
            match by_name.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += nanos / 1e9,
                None => by_name.push((name, nanos / 1e9)),
            }
        }
        by_name.retain(|(name, _)| name != "evenhand");
        let known: f64 = by_name.iter().map(|(_, seconds)| seconds).sum();
        by_name.push(("others".to_owned(), cpu_of(&self.proc()) - known));
        by_name
    }

    /// Returns the resident memory.
    fn memory_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("{}/status", self.proc())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the CPU time of a process, in seconds, threads that ended included.
fn cpu_of(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    // The kernel's clock for user programs ticks a hundred times a second.
    ticks / 100.0
}

/// Returns a number without its fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn whole(count: f64) -> usize {
    count.max(0.0) as usize
}
