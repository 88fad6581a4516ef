//! A small workspace to test in.

use std::collections::BTreeMap;

use crate::{
    domain::{
        agent::{AgentProfile, Presence},
        event::{Event, WorkspaceSettings},
        id::{AgentId, OfferId, SkillId, TicketId},
        policy::{Policy, RelaxationStep, Requirement, Route, RouteMatch},
        reading::{IntentProbability, Reading, ReadingSource, Sentiment, Urgency},
        ticket::Intake,
        time::UnixMillis,
    },
    routing::{AgentWrite, Input, OpenTicket, Rejection, State, step},
};

pub(super) const START: UnixMillis = UnixMillis(1_000_000);

/// A state with its journal and a clock that only moves forward.
pub(in crate::routing) struct World {
    pub(in crate::routing) state: State,
    pub(in crate::routing) journal: Vec<(UnixMillis, Event)>,
    pub(in crate::routing) now: UnixMillis,
}

impl World {
    /// Returns a workspace with skills billing, orders, spanish and triage, and the test policy.
    pub(super) fn new() -> Self {
        let mut world = Self { state: State::default(), journal: Vec::new(), now: START };
        world.must(Input::SetWorkspace { settings: WorkspaceSettings::default(), expected: None });
        for name in ["billing", "orders", "spanish", "triage"] {
            world.must(Input::CreateSkill { skill: skill(name), description: String::new() });
        }
        world.must(Input::SetPolicy { policy: policy(), expected: None });
        world
    }

    pub(super) fn try_step(&mut self, input: Input) -> Result<Vec<Event>, Rejection> {
        let events = step(&mut self.state, input, self.now)?;
        self.journal.extend(events.iter().map(|event| (self.now, event.clone())));
        Ok(events)
    }

    pub(super) fn must(&mut self, input: Input) -> Vec<Event> {
        self.try_step(input).expect("the input is accepted")
    }

    /// Adds an agent and lets them sign in on a stream.
    pub(super) fn agent(&mut self, name: &str, skills: &[(&str, u8)], capacity_units: u32) {
        self.must(Input::SetAgent {
            profile: profile(name, skills, capacity_units),
            write: AgentWrite::Create,
        });
        self.must(Input::OpenStream { agent: agent(name) });
        self.must(Input::SetPresence { agent: agent(name), presence: Presence::Available });
    }

    pub(super) fn receive(&mut self, name: &str, intake: Intake) {
        self.must(Input::Receive { ticket: ticket(name), intake });
    }

    /// Takes a ticket in and reads it.
    pub(super) fn ticket(&mut self, name: &str, reading: Reading) -> Vec<Event> {
        self.receive(name, intake());
        self.must(Input::Read { ticket: ticket(name), reading })
    }

    pub(super) fn wait_secs(&mut self, secs: u32) -> Vec<Event> {
        self.now = self.now.plus_secs(secs);
        self.must(Input::Tick)
    }

    pub(super) fn holder(&self, name: &str) -> Option<String> {
        let open = self.state.ticket(&ticket(name))?;
        self.state.holder(open).map(ToString::to_string)
    }

    pub(super) fn open(&self, name: &str) -> &OpenTicket {
        self.state.ticket(&ticket(name)).expect("an open ticket")
    }

    pub(super) fn presence(&self, name: &str) -> Presence {
        self.state.agent(&agent(name)).expect("an agent").presence
    }

    pub(super) fn accept(&mut self, name: &str) {
        let (offer, agent) = self.live(name);
        self.must(Input::Accept { offer, agent });
    }

    pub(super) fn live(&self, name: &str) -> (OfferId, AgentId) {
        let offer = self.state.live_offer(&ticket(name)).expect("a live offer");
        (offer, agent(&self.holder(name).expect("a holder")))
    }
}

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub(super) fn skill(name: &str) -> SkillId {
    SkillId::new(name).unwrap()
}

pub(super) fn ticket(name: &str) -> TicketId {
    TicketId::new(name).unwrap()
}

pub(super) fn need(name: &str, proficiency_min: u8, permanent: bool) -> Requirement {
    Requirement::new(skill(name), proficiency_min, permanent)
}

pub(super) fn profile(name: &str, skills: &[(&str, u8)], capacity_units: u32) -> AgentProfile {
    AgentProfile {
        agent: agent(name),
        display_name: name.to_owned(),
        skills: skills.iter().map(|(name, level)| (skill(name), *level)).collect(),
        capacity_units,
        channel_units: BTreeMap::from([("phone".to_owned(), 2)]),
        speed: 0,
        shifts: None,
    }
}

pub(super) fn intake() -> Intake {
    Intake {
        channel: "email".to_owned(),
        language: None,
        attributes: BTreeMap::new(),
        requirements: Vec::new(),
        priority: 0,
        target_secs: None,
        preferred_agent: None,
        is_long: false,
    }
}

pub(super) fn reading(intent: &str, probability: f64, urgency: Urgency) -> Reading {
    Reading {
        source: ReadingSource::Model,
        model: "test-1".into(),
        intents: vec![IntentProbability { intent: intent.into(), probability, present: true }],
        out_of_scope: false,
        out_of_scope_score: 0.0,
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_probabilities: [0.0, 1.0, 0.0],
        urgency,
        urgency_score: 0.5,
        urgency_confidence: 0.9,
        language: Some("en".to_owned()),
        language_supported: true,
        truncated: false,
        evidence: Vec::new(),
    }
}

pub(super) fn billing() -> Reading {
    reading("get_refund", 0.9, Urgency::Normal)
}

/// Refunds need billing ≥ 3, orders need orders; steps at 60 s (one less) and 120 s (two less);
/// triage at 300 s; offers live 30 s, backoff 60 s, lease 20 s, return 100 s.
pub(super) fn policy() -> Policy {
    let route = |name: &str, intent: &str, needs: Vec<Requirement>| {
        let intents = vec![intent.to_owned()];
        Route::new(name, RouteMatch { intents, ..RouteMatch::default() }, needs)
    };
    let relax = |after_secs, proficiency_reduction| RelaxationStep {
        after_secs,
        proficiency_reduction,
        drop_requirements: false,
    };
    Policy {
        routes: vec![
            route("billing", "get_refund", vec![need("billing", 3, false)]),
            route("orders", "place_order", vec![need("orders", 1, false)]),
        ],
        language_skills: BTreeMap::from([("es".to_owned(), skill("spanish"))]),
        urgency_head_start_secs: [0, 0, 300, 900],
        priority_point_secs: 60,
        relaxation: vec![relax(60, 1), relax(120, 2)],
        triage_after_secs: Some(300),
        offer_timeout_secs: 30,
        decline_backoff_secs: 60,
        presence_lease_secs: 20,
        assignment_return_secs: 100,
        reading_wait_ms: 1000,
        ..Policy::new(skill("triage"))
    }
}
