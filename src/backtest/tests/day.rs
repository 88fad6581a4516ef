//! A day made up by a seed, journalled as a server would: random people around the production core.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    backtest::{History, HistoryReader},
    domain::{
        agent::{AgentProfile, Presence},
        event::{Entry, Event, WorkspaceSettings},
        id::{AgentId, OfferId, SkillId, TicketId},
        policy::{Policy, RelaxationStep, Requirement, Route, RouteMatch, SkillLevel},
        reading::{IntentProbability, Reading, ReadingSource, Sentiment, Urgency},
        ticket::{Intake, Outcome, Resolution},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input, State, Transfer, step},
};

pub(super) const BEGIN: UnixMillis = UnixMillis(1_700_000_000_000);
pub(super) const SKILLS: [&str; 4] = ["billing", "orders", "spanish", "triage"];
pub(super) const AGENTS: [&str; 5] = ["ana", "bo", "cy", "di", "ed"];

/// What can happen on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habits {
    pub(super) declines: bool,
    pub(super) transfers: bool,
    pub(super) cancels: bool,
    pub(super) breaks: bool,
}

impl Habits {
    pub(super) const PLAIN: Self =
        Self { declines: false, transfers: false, cancels: false, breaks: false };
    pub(super) const ALL: Self =
        Self { declines: true, transfers: true, cancels: true, breaks: true };
}

/// What people are about to do.
#[derive(Clone, Debug)]
enum Plan {
    Arrive,
    Read(TicketId),
    Answer(OfferId, AgentId),
    End(TicketId, AgentId),
    Leave(TicketId),
    Break(AgentId),
    Back(AgentId),
}

/// A journal in the making.
pub(super) struct Day {
    pub(super) state: State,
    pub(super) journal: Vec<Entry>,
    pub(super) now: UnixMillis,
    random: StdRng,
    habits: Habits,
    plans: BTreeMap<(UnixMillis, usize), Plan>,
    planned: usize,
    tickets: usize,
}

impl Day {
    /// Begins with a workspace, its skills, a policy and five agents at work.
    pub(super) fn new(seed: u64, policy: Policy, habits: Habits) -> Self {
        let mut day = Self {
            state: State::default(),
            journal: Vec::new(),
            now: BEGIN,
            random: StdRng::seed_from_u64(seed),
            habits,
            plans: BTreeMap::new(),
            planned: 0,
            tickets: 0,
        };
        let settings = WorkspaceSettings {
            display_name: String::new(),
            segment_attributes: vec!["region".to_owned()],
            outcome_wait_secs: None,
        };
        day.tell(Input::SetWorkspace { settings, expected: None });
        for name in SKILLS {
            day.tell(Input::CreateSkill { skill: skill(name), description: String::new() });
        }
        day.tell(Input::SetPolicy { policy, expected: None });
        for (place, name) in AGENTS.into_iter().enumerate() {
            day.agent(profile(name, &SKILLS[place.min(2)..], 2));
        }
        day
    }

    /// Brings an agent.
    pub(super) fn agent(&mut self, profile: AgentProfile) {
        let agent = profile.agent.clone();
        self.tell(Input::SetAgent { profile, write: AgentWrite::Create });
        self.tell(Input::OpenStream { agent: agent.clone() });
        self.tell(Input::SetPresence { agent, presence: Presence::Available });
    }

    /// Lets `tickets` arrive and goes on until nothing is planned.
    pub(super) fn live(mut self, tickets: usize) -> Self {
        self.plan(0, Plan::Arrive);
        if self.habits.breaks {
            for name in AGENTS {
                let at = self.below(400_000);
                self.plan(at, Plan::Break(agent(name)));
            }
        }
        while let Some((at, _)) = self.plans.first_key_value().map(|(key, _)| *key) {
            // The server wakes a little late for its timers, as a real one does.
            let due = self.state.next_due().filter(|due| *due < at);
            if let Some(due) = due {
                self.now = self.now.max(due).plus_millis(self.random.random_range(0..3));
                if self.now < at {
                    self.tell(Input::Tick);
                    continue;
                }
            }
            self.now = self.now.max(at);
            if let Some((_, plan)) = self.plans.pop_first() {
                self.act(plan, tickets);
            }
        }
        self
    }

    /// Returns the history of the day.
    pub(super) fn history(&self) -> History {
        self.window(None, None)
    }

    pub(super) fn window(&self, from: Option<UnixMillis>, to: Option<UnixMillis>) -> History {
        let mut reader = HistoryReader::new(from, to);
        self.journal.iter().cloned().for_each(|entry| reader.note(entry));
        reader.finish().expect("the journal has entries")
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.random_range(0..limit)
    }

    fn plan(&mut self, after_ms: u64, plan: Plan) {
        self.planned += 1;
        let at = UnixMillis(self.now.0 + i64::try_from(after_ms).unwrap());
        self.plans.insert((at, self.planned), plan);
    }

    /// Tells the core as the engine does: first what is due, then this.
    pub(super) fn tell(&mut self, input: Input) {
        if self.state.next_due().is_some_and(|due| due <= self.now) {
            self.put(Input::Tick);
        }
        if input != Input::Tick {
            self.put(input);
        }
    }

    fn put(&mut self, input: Input) {
        let Ok(events) = step(&mut self.state, input, self.now) else { return };
        for event in events {
            match &event {
                Event::OfferMade { offer, agent, .. } => {
                    let delay = 500 + self.below(9_000);
                    self.plan(delay, Plan::Answer(offer.clone(), agent.clone()));
                }
                Event::OfferAccepted { offer, agent } => {
                    let work = 5_000 + self.below(60_000);
                    self.plan(work, Plan::End(offer.ticket.clone(), agent.clone()));
                }
                _ => {}
            }
            let sequence = self.journal.len() as u64 + 1;
            self.journal.push(Entry { sequence, at: self.now, actor: None, event });
        }
    }

    fn act(&mut self, plan: Plan, tickets: usize) {
        match plan {
            Plan::Arrive => {
                let ticket = TicketId::new(format!("t{}", self.tickets)).unwrap();
                self.tickets += 1;
                let priority = u8::try_from(self.below(3)).unwrap();
                let is_long = self.below(5) == 0;
                let intake = Intake { priority, is_long, ..intake() };
                self.tell(Input::Receive { ticket: ticket.clone(), intake });
                let delay = self.below(800);
                self.plan(delay, Plan::Read(ticket.clone()));
                if self.habits.cancels && self.below(8) == 0 {
                    let patience = self.below(90_000);
                    self.plan(patience, Plan::Leave(ticket));
                }
                if self.tickets < tickets {
                    let gap = self.below(9_000);
                    self.plan(gap, Plan::Arrive);
                }
            }
            Plan::Read(ticket) => {
                let intents = ["get_refund", "place_order", "weather"];
                let intent = intents[usize::try_from(self.below(3)).unwrap()];
                let urgency = Urgency::ALL[usize::try_from(self.below(4)).unwrap()];
                self.tell(Input::Read { ticket, reading: reading(intent, urgency) });
            }
            Plan::Answer(offer, agent) => {
                let input = match self.below(10) {
                    0..2 if self.habits.declines => {
                        Input::Decline { offer, agent, reason: "no".to_owned() }
                    }
                    2 if self.habits.declines => return,
                    _ => Input::Accept { offer, agent },
                };
                self.tell(input);
            }
            Plan::End(ticket, agent) => self.end(ticket, agent),
            Plan::Leave(ticket) => {
                self.tell(Input::Cancel { ticket, reason: "gone".to_owned() });
            }
            Plan::Break(agent) => {
                let presence = if self.below(2) == 0 { Presence::Away } else { Presence::Offline };
                self.tell(Input::SetPresence { agent: agent.clone(), presence });
                let pause = self.below(90_000);
                self.plan(pause, Plan::Back(agent));
            }
            Plan::Back(agent) => {
                let presence = Presence::Available;
                self.tell(Input::SetPresence { agent, presence });
            }
        }
    }

    fn end(&mut self, ticket: TicketId, from: AgentId) {
        if self.habits.transfers && self.below(6) == 0 {
            let target = match self.below(3) {
                0 => Transfer::Agent(agent(AGENTS[usize::try_from(self.below(5)).unwrap()])),
                1 => Transfer::Intent("place_order".to_owned()),
                _ => Transfer::Skills(vec![Requirement::new(skill("billing"), 2, false)]),
            };
            self.tell(Input::Transfer { ticket, agent: from, target });
            return;
        }
        let resolution = Resolution::Resolved;
        let outcome = Outcome { resolution, right_intent: None, satisfaction: None };
        self.tell(Input::Complete { ticket, agent: from, outcome });
    }
}

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub(super) fn skill(name: &str) -> SkillId {
    SkillId::new(name).unwrap()
}

pub(super) fn skills() -> BTreeSet<SkillId> {
    SKILLS.into_iter().map(skill).collect()
}

pub(super) fn profile(name: &str, skills: &[&str], capacity_units: u32) -> AgentProfile {
    let level = |place: usize| 1 + u8::try_from((name.len() + 2 * place) % 5).unwrap();
    let skills = skills.iter().enumerate();
    AgentProfile {
        agent: agent(name),
        display_name: name.to_owned(),
        skills: skills.map(|(place, name)| (skill(name), level(place))).collect(),
        capacity_units,
        channel_units: BTreeMap::new(),
        speed: 0,
        shifts: None,
    }
}

pub(super) fn intake() -> Intake {
    Intake {
        channel: "chat".to_owned(),
        language: None,
        attributes: BTreeMap::new(),
        requirements: Vec::new(),
        priority: 0,
        target_secs: Some(30),
        preferred_agent: None,
        is_long: false,
    }
}

pub(super) fn reading(intent: &str, urgency: Urgency) -> Reading {
    let probability = 0.9;
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

/// Refunds need billing, orders need orders; the rest goes to triage. One step at 20 s.
pub(super) fn policy() -> Policy {
    let route = |name: &str, intent: &str, needs: Vec<Requirement>| {
        let intents = vec![intent.to_owned()];
        Route::new(name, RouteMatch { intents, ..RouteMatch::default() }, needs)
    };
    let mut billing =
        route("billing", "get_refund", vec![Requirement::new(skill("billing"), 3, false)]);
    billing.preferred = vec![SkillLevel { skill: skill("spanish"), proficiency_min: 2 }];
    Policy {
        routes: vec![
            billing,
            route("orders", "place_order", vec![Requirement::new(skill("orders"), 1, false)]),
        ],
        urgency_head_start_secs: [0, 0, 30, 60],
        priority_point_secs: 5,
        relaxation: vec![RelaxationStep {
            after_secs: 20,
            proficiency_reduction: 2,
            drop_requirements: false,
        }],
        triage_after_secs: Some(120),
        offer_timeout_secs: 20,
        decline_backoff_secs: 30,
        assignment_return_secs: 40,
        wrap_up_secs: 3,
        ..Policy::new(skill("triage"))
    }
}
