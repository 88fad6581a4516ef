//! The routing core alone: events a second, time of a step, memory of a waiting ticket, size of a record.
//!
//! `cargo bench --bench routing [-- WAITING AGENTS]` fills a queue, then lets agents end tickets, take the
//! next and new tickets come in, one step after another on one core, decision records on. Every row
//! stands beside the first one of the same run: what matters is how it grows.
//!
//! `cargo bench --bench routing -- batch` lets tickets come to as many free agents, one after another and
//! gathered for a batch: what the batch costs, and what it gains.
//!
//! `cargo bench --bench routing -- snapshot` writes the state as bytes and reads it again, with readings
//! whose numbers have as many digits as a model's.

#![expect(clippy::expect_used, reason = "a failed benchmark should panic")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use evenhand::{
    domain::{
        agent::{AgentProfile, Presence},
        event::{Event, WorkspaceSettings},
        id::{AgentId, OfferId, SkillId, TicketId},
        policy::{Batching, Policy, RelaxationStep, Requirement, Route, RouteMatch},
        reading::{
            Evidence, EvidenceHead, IntentProbability, Reading, ReadingSource, Sentiment, Urgency,
        },
        ticket::{Intake, Outcome, Resolution},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input, State, step},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

const SKILLS: usize = 200;
const LANGUAGES: usize = 8;
/// Steps that are measured in each row, after as many that are not.
const STEPS: usize = 200_000;

/// Counts the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator is asked for by an unsafe trait; it hands on to the system's"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    if std::env::args().any(|argument| argument == "batch") {
        return batches();
    }
    if std::env::args().any(|argument| argument == "snapshot") {
        return snapshots();
    }
    let numbers: Vec<usize> =
        std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let rows: Vec<(usize, usize)> = match numbers[..] {
        [waiting, agents, ..] => vec![(waiting, agents)],
        _ => [1_000, 10_000, 100_000, 1_000_000]
            .into_iter()
            .flat_map(|waiting| [100, 1_000, 10_000].map(|agents| (waiting, agents)))
            .collect(),
    };
    println!(
        "{:>9} {:>7} {:>11} {:>8} {:>8} {:>8} {:>10} {:>9} {:>12}",
        "waiting",
        "agents",
        "events/s",
        "p50 us",
        "p99 us",
        "p99.9",
        "max us",
        "B/ticket",
        "B/decision"
    );
    for (waiting, agents) in rows {
        let mut world = World::new(agents);
        let before = IN_USE.load(Ordering::Relaxed);
        world.fill(waiting);
        let bytes = (IN_USE.load(Ordering::Relaxed) - before) / waiting.max(1);
        world.run(STEPS);
        let figures = world.run(STEPS);
        println!(
            "{waiting:>9} {agents:>7} {:>11.0} {:>8.2} {:>8.2} {:>8.2} {:>10.1} {bytes:>9} {:>12.0}",
            figures.events_per_second,
            figures.quantile_us(500),
            figures.quantile_us(990),
            figures.quantile_us(999),
            figures.quantile_us(1000),
            figures.decision_bytes,
        );
    }
}

/// Tickets that come to free agents of the same skills, matched at once and as a batch.
fn batches() {
    println!(
        "{:>8} {:>7} {:>6} {:>9} {:>8} {:>9} {:>10}",
        "tickets", "agents", "", "offered", "surplus", "idle s", "step ms"
    );
    for (tickets, agents) in [(100, 100), (300, 1_000), (1_000, 1_000), (1_000, 300)] {
        for gather_ms in [0, 1_000] {
            let mut world =
                World::with_policy(agents, Policy { batching: Batching { gather_ms }, ..policy() });
            // An hour in which nobody had anything to do; agents signed in one after another.
            world.now.0 += 3_600_000;
            (0..tickets).for_each(|_| world.submit());
            let steps = world.nanos.len();
            world.now = world.now.plus_millis(gather_ms);
            world.step(Input::Tick);
            let step_nanos: u64 = world.nanos[steps..].iter().sum();
            let offered = world.offers.len();
            let how = if gather_ms == 0 { "at once" } else { "batch" };
            println!(
                "{tickets:>8} {agents:>7} {how:>6} {offered:>9} {:>8.3} {:>9.1} {:>10.2}",
                world.surplus as f64 / offered as f64,
                world.idle_ms as f64 / 1000.0 / offered as f64,
                step_nanos as f64 / 1e6,
            );
        }
    }
}

/// The state as bytes, and back: how many bytes, and how long it takes.
fn snapshots() {
    println!(
        "{:>9} {:>7} {:>12} {:>9} {:>9} {:>9}",
        "tickets", "agents", "bytes", "B/ticket", "write ms", "read ms"
    );
    for (tickets, agents) in [(1_000, 100), (100_000, 10_000), (1_000_000, 10_000)] {
        let mut world = World::new(agents);
        world.digits = true;
        world.fill(tickets);
        world.run(STEPS / 10);
        let mut millis = [f64::INFINITY; 2];
        let mut bytes = Vec::new();
        for _ in 0..3 {
            let started = Instant::now();
            bytes = world.state.to_snapshot().expect("it can be written");
            millis[0] = millis[0].min(started.elapsed().as_secs_f64() * 1e3);
            let started = Instant::now();
            let restored = State::from_snapshot(&bytes).expect("it can be read");
            millis[1] = millis[1].min(started.elapsed().as_secs_f64() * 1e3);
            assert!(restored == world.state, "a snapshot gives the state");
        }
        let tickets = world.state.ticket_count();
        println!(
            "{tickets:>9} {agents:>7} {:>12} {:>9.1} {:>9.1} {:>9.1}",
            bytes.len(),
            bytes.len() as f64 / tickets as f64,
            millis[0],
            millis[1],
        );
    }
}

struct Figures {
    events_per_second: f64,
    nanos: Vec<u64>,
    decision_bytes: f64,
}

impl Figures {
    fn quantile_us(&self, per_mille: usize) -> f64 {
        let at = (self.nanos.len() - 1) * per_mille / 1000;
        self.nanos[at] as f64 / 1000.0
    }
}

struct World {
    state: State,
    now: UnixMillis,
    random: StdRng,
    tickets: usize,
    offers: Vec<(OfferId, AgentId)>,
    assigned: Vec<(TicketId, AgentId)>,
    events: usize,
    nanos: Vec<u64>,
    decisions: usize,
    decision_bytes: usize,
    /// Proficiency beyond what is needed, and idle time, of those who were offered tickets.
    surplus: u64,
    idle_ms: u64,
    /// Whether the numbers of readings have all their digits.
    digits: bool,
}

fn skill(index: usize) -> SkillId {
    SkillId::new(format!("skill-{index}")).expect("an identifier")
}

impl World {
    fn new(agents: usize) -> Self {
        Self::with_policy(agents, policy())
    }

    fn with_policy(agents: usize, policy: Policy) -> Self {
        let mut world = Self {
            state: State::default(),
            now: UnixMillis(1_700_000_000_000),
            random: StdRng::seed_from_u64(5),
            tickets: 0,
            offers: Vec::new(),
            assigned: Vec::new(),
            events: 0,
            nanos: Vec::new(),
            decisions: 0,
            decision_bytes: 0,
            surplus: 0,
            idle_ms: 0,
            digits: false,
        };
        world.step(Input::SetWorkspace { settings: WorkspaceSettings::default(), expected: None });
        for index in 0..SKILLS {
            world.step(Input::CreateSkill { skill: skill(index), description: String::new() });
        }
        world.step(Input::SetPolicy { policy, expected: None });
        for index in 0..agents {
            world.add_agent(index);
        }
        world
    }

    /// Five skills and a language or two for each agent; every skill has somebody.
    fn add_agent(&mut self, index: usize) {
        let agent = AgentId::new(format!("agent-{index}")).expect("an identifier");
        let mut skills = BTreeMap::new();
        for part in 0..5 {
            let number = if part == 0 { index } else { self.random.random_range(0..SKILLS) };
            skills.insert(
                skill(number % (SKILLS - LANGUAGES) + LANGUAGES),
                self.random.random_range(2..6),
            );
        }
        for _ in 0..2 {
            skills.insert(skill(self.random.random_range(0..LANGUAGES)), 5);
        }
        let profile = AgentProfile {
            agent: agent.clone(),
            display_name: String::new(),
            skills,
            capacity_units: self.random.random_range(1..4),
            channel_units: BTreeMap::new(),
            speed: 0,
            shifts: None,
        };
        self.step(Input::SetAgent { profile, write: AgentWrite::Create });
        self.step(Input::OpenStream { agent: agent.clone() });
        self.step(Input::SetPresence { agent, presence: Presence::Available });
        self.now.0 += 100;
    }

    fn submit(&mut self) {
        self.tickets += 1;
        // As long as the identifiers the service gives.
        let ticket = TicketId::new(format!("0190f3c8-7a1b-7def-8123-{:012x}", self.tickets));
        let ticket = ticket.expect("an identifier");
        let language = skill(self.random.random_range(0..LANGUAGES));
        let spoken = self.random.random_bool(0.3);
        let requirements =
            spoken.then(|| Requirement::new(language, 3, true)).into_iter().collect();
        let intake = Intake {
            channel: ["email", "chat", "phone"][self.random.random_range(0..3)].to_owned(),
            language: Some("en".to_owned()),
            attributes: BTreeMap::new(),
            requirements,
            priority: self.random.random_range(0..4),
            target_secs: None,
            preferred_agent: None,
            is_long: false,
        };
        let intent = self.random.random_range(LANGUAGES..SKILLS);
        let urgency = Urgency::ALL[self.random.random_range(0..4)];
        let mut reading = reading(intent, urgency);
        if self.digits {
            self.draw_digits(&mut reading);
        }
        self.step(Input::Receive { ticket: ticket.clone(), intake });
        self.step(Input::Read { ticket, reading });
    }

    fn draw_digits(&mut self, reading: &mut Reading) {
        let intents = reading.intents.iter_mut().map(|intent| &mut intent.probability);
        let scores = [
            &mut reading.out_of_scope_score,
            &mut reading.sentiment_score,
            &mut reading.urgency_score,
            &mut reading.urgency_confidence,
        ];
        let all = intents.chain(scores).chain(&mut reading.sentiment_probabilities);
        all.for_each(|number| *number *= self.random.random_range(0.9..1.0));
        for evidence in &mut reading.evidence {
            // These are told to three decimals.
            evidence.weight = f64::from(self.random.random_range(1..5_000)) / 1000.0;
        }
    }

    /// Lets tickets come in until so many wait.
    fn fill(&mut self, waiting: usize) {
        while self.tickets - self.assigned.len() < waiting {
            self.submit();
            self.now.0 += 1;
            self.accept_all();
        }
    }

    fn accept_all(&mut self) {
        for (offer, agent) in std::mem::take(&mut self.offers) {
            self.assigned.push((offer.ticket.clone(), agent.clone()));
            self.step(Input::Accept { offer, agent });
        }
    }

    fn run(&mut self, steps: usize) -> Figures {
        (self.events, self.decisions, self.decision_bytes) = (0, 0, 0);
        self.nanos.clear();
        while self.nanos.len() < steps {
            if !self.assigned.is_empty() {
                let at = self.random.random_range(0..self.assigned.len());
                let (ticket, agent) = self.assigned.swap_remove(at);
                let outcome = Outcome {
                    resolution: Resolution::Resolved,
                    right_intent: None,
                    satisfaction: None,
                };
                self.step(Input::Complete { ticket, agent, outcome });
                self.accept_all();
            }
            self.submit();
            self.accept_all();
            self.now.0 += 7;
        }
        let mut nanos = std::mem::take(&mut self.nanos);
        let seconds = nanos.iter().sum::<u64>() as f64 / 1e9;
        nanos.sort_unstable();
        Figures {
            events_per_second: self.events as f64 / seconds,
            nanos,
            decision_bytes: self.decision_bytes as f64 / self.decisions.max(1) as f64,
        }
    }

    fn step(&mut self, input: Input) {
        let started = Instant::now();
        let events = step(&mut self.state, input, self.now).expect("the input is accepted");
        self.nanos.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.events += events.len();
        for event in events {
            if let Event::OfferMade { decision, .. } | Event::TicketQueued { decision, .. } = &event
                && self.decisions < 10_000
            {
                self.decisions += 1;
                self.decision_bytes += serde_json::to_vec(decision).map_or(0, |json| json.len());
            }
            if let Event::OfferMade { offer, agent, decision, .. } = event {
                self.surplus += u64::from(decision.candidates[0].proficiency_surplus);
                self.idle_ms += decision.candidates[0].idle_ms;
                self.offers.push((offer, agent));
            }
        }
    }
}

thread_local! {
    /// Labels, made once as a model makes them.
    static LABELS: Vec<Arc<str>> = (0..SKILLS).map(|index| format!("intent-{index}").into()).collect();
}

fn policy() -> Policy {
    let route = |index: usize| {
        let intents = vec![format!("intent-{index}")];
        let needs = vec![Requirement::new(skill(index), 3, false)];
        Route::new(
            &format!("route-{index}"),
            RouteMatch { intents, ..RouteMatch::default() },
            needs,
        )
    };
    let relaxed = |after_secs, proficiency_reduction| RelaxationStep {
        after_secs,
        proficiency_reduction,
        drop_requirements: false,
    };
    Policy {
        routes: (LANGUAGES..SKILLS).map(route).collect(),
        urgency_head_start_secs: [0, 0, 300, 900],
        priority_point_secs: 60,
        relaxation: vec![relaxed(60, 1), relaxed(180, 2)],
        ..Policy::new(skill(LANGUAGES))
    }
}

/// What the shipped model tells of a ticket: five intents and up to nine words of evidence.
fn reading(intent: usize, urgency: Urgency) -> Reading {
    let intents = (0..5)
        .map(|rank| IntentProbability {
            intent: LABELS
                .with(|labels| labels[if rank == 0 { intent } else { LANGUAGES + rank }].clone()),
            probability: if rank == 0 { 0.9 } else { 0.02 },
            present: rank == 0,
        })
        .collect();
    let word = |head| Evidence { head, start_chars: 3, end_chars: 9, weight: 0.5 };
    Reading {
        source: ReadingSource::Model,
        model: LABELS.with(|labels| labels[0].clone()),
        intents,
        out_of_scope: false,
        out_of_scope_score: 0.1,
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_probabilities: [0.1, 0.8, 0.1],
        urgency,
        urgency_score: 0.5,
        urgency_confidence: 0.9,
        language: Some("en".to_owned()),
        language_supported: true,
        truncated: false,
        evidence: EvidenceHead::ALL.into_iter().flat_map(|head| [word(head), word(head)]).collect(),
    }
}
