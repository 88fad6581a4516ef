//! Segments reach no decision: the same tickets with other segments lead to the same journal.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::validate::{Check, Declared, new_ticket};
use crate::{
    api::v1,
    classifier::rules,
    domain::{
        agent::{AgentProfile, Presence},
        event::{Event, WorkspaceSettings},
        id::{AgentId, OfferId, SkillId, TicketId},
        policy::{Policy, Requirement, Route, RouteMatch},
        reading::Reading,
        ticket::{Outcome, Resolution},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input, State, step},
};

/// Histories that are run twice.
const HISTORIES: u64 = 100_000;
const TICKETS: usize = 6;
const ATTRIBUTES: [&str; 2] = ["age_band", "region"];
const TEXTS: [&str; 6] = [
    "I want my money back for the broken kettle",
    "Where is my order? It should have come on Monday",
    "My card was charged twice and I did not buy this",
    "How do I change the delivery address",
    "There is smoke coming out of the charger!",
    "Thank you, everything works again",
];

/// What was read of each text.
type Readings = BTreeMap<String, Reading>;

/// What happens in a history, but for the segments.
struct History {
    tickets: Vec<v1::NewTicket>,
    random: StdRng,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut ticket = || {
            let segment = |random: &mut StdRng, attribute: &str| {
                (attribute.to_owned(), ["a", "b", "c"][random.random_range(0..3)].to_owned())
            };
            v1::NewTicket {
                channel: ["email", "chat", "phone"][random.random_range(0..3)].to_owned(),
                body: TEXTS[random.random_range(0..TEXTS.len())].to_owned(),
                customer: format!("customer-{}", random.random_range(0..9)),
                segments: ATTRIBUTES.into_iter().map(|name| segment(&mut random, name)).collect(),
                priority: random.random_range(0..4),
                ..v1::NewTicket::default()
            }
        };
        let tickets = (0..TICKETS).map(|_| ticket()).collect();
        Self { tickets, random }
    }

    /// Gives the segments of each ticket to another one.
    fn permute(&mut self) {
        let segments = |ticket: &mut v1::NewTicket| std::mem::take(&mut ticket.segments);
        let mut all: Vec<_> = self.tickets.iter_mut().map(segments).collect();
        all.shuffle(&mut self.random);
        all.rotate_left(1);
        for (ticket, segments) in self.tickets.iter_mut().zip(all) {
            ticket.segments = segments;
        }
    }
}

/// Runs a history and returns its journal as it is stored.
fn journal(history: &History, seed: u64, readings: &Readings) -> Vec<u8> {
    let mut world = World::new(seed);
    for (index, ticket) in history.tickets.iter().enumerate() {
        let mut check = Check::default();
        let taken = new_ticket(&mut check, Some(ticket.clone()), &world.declared);
        let (intake, payload) = taken.expect("a valid ticket");
        assert_eq!(payload.segments, ticket.segments, "they are kept, beside the journal");
        let reading = readings[payload.text().as_str()].clone();
        let ticket = TicketId::new(format!("T-{index}")).unwrap();
        world.put(Input::Receive { ticket: ticket.clone(), intake });
        world.put(Input::Read { ticket, reading });
        world.people();
    }
    for _ in 0..TICKETS {
        world.people();
    }
    world.journal
}

struct World {
    state: State,
    now: UnixMillis,
    random: StdRng,
    declared: Declared,
    offers: Vec<(OfferId, AgentId)>,
    assigned: Vec<(TicketId, AgentId)>,
    journal: Vec<u8>,
}

fn skill(name: &str) -> SkillId {
    SkillId::new(name).unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let segment_attributes: Vec<String> = ATTRIBUTES.map(str::to_owned).to_vec();
        let skills = ["general", "triage"].map(skill);
        let mut world = Self {
            state: State::default(),
            now: UnixMillis(1_700_000_000_000),
            random: StdRng::seed_from_u64(!seed),
            declared: Declared {
                segment_attributes: segment_attributes.clone(),
                skills: skills.clone().into(),
            },
            offers: Vec::new(),
            assigned: Vec::new(),
            journal: Vec::new(),
        };
        let settings = WorkspaceSettings {
            display_name: String::new(),
            segment_attributes,
            outcome_wait_secs: None,
        };
        world.put(Input::SetWorkspace { settings, expected: None });
        for skill in skills {
            world.put(Input::CreateSkill { skill, description: String::new() });
        }
        let needs = vec![Requirement::new(skill("general"), 2, false)];
        let policy = Policy {
            routes: vec![Route::new("all", RouteMatch::default(), needs)],
            urgency_head_start_secs: [0, 0, 300, 900],
            priority_point_secs: 60,
            ..Policy::new(skill("triage"))
        };
        world.put(Input::SetPolicy { policy, expected: None });
        for name in ["ana", "bo", "cy"] {
            world.add(name);
        }
        world
    }

    fn add(&mut self, name: &str) {
        let agent = AgentId::new(name).unwrap();
        let levels = BTreeMap::from([
            (skill("general"), self.random.random_range(1..6)),
            (skill("triage"), self.random.random_range(1..6)),
        ]);
        let profile = AgentProfile {
            agent: agent.clone(),
            display_name: name.to_owned(),
            skills: levels,
            capacity_units: self.random.random_range(1..3),
            channel_units: BTreeMap::new(),
            speed: 0,
            shifts: None,
        };
        self.put(Input::SetAgent { profile, write: AgentWrite::Create });
        self.put(Input::OpenStream { agent: agent.clone() });
        self.put(Input::SetPresence { agent, presence: Presence::Available });
    }

    fn put(&mut self, input: Input) {
        let events = step(&mut self.state, input, self.now).expect("the input is accepted");
        for event in events {
            serde_json::to_writer(&mut self.journal, &event).unwrap();
            if let Event::OfferMade { offer, agent, .. } = event {
                self.offers.push((offer, agent));
            }
        }
    }

    /// Lets people answer and finish, and time pass.
    fn people(&mut self) {
        self.now = self.now.plus_millis(self.random.random_range(1..40_000));
        self.put(Input::Tick);
        for (offer, agent) in std::mem::take(&mut self.offers) {
            if self.state.live_offer(&offer.ticket).as_ref() != Some(&offer) {
                continue;
            }
            if self.random.random_bool(0.8) {
                self.assigned.push((offer.ticket.clone(), agent.clone()));
                self.put(Input::Accept { offer, agent });
            } else {
                self.put(Input::Decline { offer, agent, reason: "no".to_owned() });
            }
        }
        if self.random.random_bool(0.5)
            && let Some((ticket, agent)) = self.assigned.pop()
        {
            let resolution = Resolution::Resolved;
            let outcome = Outcome { resolution, right_intent: None, satisfaction: None };
            self.put(Input::Complete { ticket, agent, outcome });
        }
    }
}

#[test]
fn other_segments_lead_to_the_same_journal_byte_for_byte() {
    // A reading is made of the text alone, so once is enough.
    let read = |text: &str| (text.to_owned(), rules::read(text, None));
    let readings = Readings::from(TEXTS.map(read));
    for seed in 0..HISTORIES {
        let mut history = History::new(seed);
        let as_it_was = journal(&history, seed, &readings);
        history.permute();
        assert!(journal(&history, seed, &readings) == as_it_was, "history {seed}");
    }
}
