//! A journal made by the production core, and tickets as they would have been read from one.

use std::collections::BTreeMap;

use crate::{
    backtest::Tally,
    domain::{
        agent::{AgentProfile, Presence},
        event::{Entry, Event, WorkspaceSettings},
        id::{AgentId, OfferId, SkillId, TicketId},
        policy::{Policy, Requirement, Route, RouteMatch},
        reading::{IntentProbability, Reading, ReadingSource, Sentiment, Urgency},
        ticket::{Intake, Outcome, Resolution},
        time::UnixMillis,
    },
    fairness_report::{
        Options, Reader, Record, Report, Segments, case::Case, on_record::OnRecord, report,
    },
    routing::{AgentWrite, Input, State, Transfer, step},
};

/// 2025-06-15T15:06:40Z.
pub(super) const BEGIN: i64 = 1_750_000_000_000;

/// A journal in the making.
pub(super) struct World {
    state: State,
    pub(super) journal: Vec<Entry>,
    pub(super) segments: Segments,
}

fn at(secs: i64) -> UnixMillis {
    UnixMillis(BEGIN + secs * 1000)
}

pub(super) fn ticket(name: &str) -> TicketId {
    TicketId::new(name).unwrap()
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn skill(name: &str) -> SkillId {
    SkillId::new(name).unwrap()
}

impl World {
    /// Begins with two skills, a route with a target of a minute, and ana, who knows billing well.
    pub(super) fn new() -> Self {
        let mut world =
            Self { state: State::default(), journal: Vec::new(), segments: Segments::new() };
        let segment_attributes = vec!["language".to_owned()];
        let settings = WorkspaceSettings {
            display_name: String::new(),
            segment_attributes,
            outcome_wait_secs: None,
        };
        world.tell(0, Input::SetWorkspace { settings, expected: None });
        for name in ["billing", "triage"] {
            let description = String::new();
            world.tell(0, Input::CreateSkill { skill: skill(name), description });
        }
        let intents = vec!["get_refund".to_owned()];
        let needs = vec![Requirement::new(skill("billing"), 2, false)];
        let matches = RouteMatch { intents, ..RouteMatch::default() };
        let mut policy = Policy::new(skill("triage"));
        policy.routes = vec![Route::new("billing", matches, needs)];
        policy.offer_timeout_secs = 3_600;
        policy.triage_after_secs = None;
        world.tell(0, Input::SetPolicy { policy, expected: None });
        world.hire(0, "ana", 4);
        world
    }

    pub(super) fn hire(&mut self, secs: i64, name: &str, level: u8) {
        let profile = AgentProfile {
            agent: agent(name),
            display_name: "Somebody's own name".to_owned(),
            skills: [(skill("billing"), level), (skill("triage"), 1)].into(),
            capacity_units: 20,
            channel_units: BTreeMap::new(),
            speed: 0,
            shifts: None,
        };
        self.tell(secs, Input::SetAgent { profile, write: AgentWrite::Create });
        self.tell(secs, Input::OpenStream { agent: agent(name) });
        let presence = Presence::Available;
        self.tell(secs, Input::SetPresence { agent: agent(name), presence });
    }

    pub(super) fn tell(&mut self, secs: i64, input: Input) {
        let events = step(&mut self.state, input, at(secs)).unwrap();
        for event in events {
            let sequence = self.journal.len() as u64 + 1;
            self.journal.push(Entry { sequence, at: at(secs), actor: None, event });
        }
    }

    /// Puts an entry into the journal that is no decision's.
    pub(super) fn note(&mut self, secs: i64, event: Event) {
        let sequence = self.journal.len() as u64 + 1;
        self.journal.push(Entry { sequence, at: at(secs), actor: None, event });
    }

    pub(super) fn receive(&mut self, secs: i64, name: &str, language: Option<&str>) {
        let intake = Intake {
            channel: "chat".to_owned(),
            language: None,
            attributes: BTreeMap::new(),
            requirements: Vec::new(),
            priority: 0,
            target_secs: Some(60),
            preferred_agent: None,
            is_long: false,
        };
        self.tell(secs, Input::Receive { ticket: ticket(name), intake });
        self.tell(secs, Input::Read { ticket: ticket(name), reading: reading() });
        let value = language.map(|value| ("language".to_owned(), value.to_owned()));
        self.segments.insert(ticket(name), value.into_iter().collect());
    }

    pub(super) fn accept(&mut self, secs: i64, name: &str) {
        let (offer, agent) = self.offer(name);
        self.tell(secs, Input::Accept { offer, agent });
    }

    fn offer(&self, name: &str) -> (OfferId, AgentId) {
        let made = |entry: &Entry| match &entry.event {
            Event::OfferMade { offer, agent, .. } if offer.ticket == ticket(name) => {
                Some((offer.clone(), agent.clone()))
            }
            _ => None,
        };
        self.journal.iter().rev().find_map(made).unwrap()
    }

    pub(super) fn complete(&mut self, secs: i64, name: &str, how: Resolution, satisfaction: u8) {
        let (_, agent) = self.offer(name);
        let satisfaction = Some(satisfaction);
        let outcome = Outcome { resolution: how, right_intent: None, satisfaction };
        self.tell(secs, Input::Complete { ticket: ticket(name), agent, outcome });
    }

    pub(super) fn hand_on(&mut self, secs: i64, name: &str, to: &str) {
        let (_, from) = self.offer(name);
        let target = Transfer::Agent(agent(to));
        self.tell(secs, Input::Transfer { ticket: ticket(name), agent: from, target });
    }

    pub(super) fn cancel(&mut self, secs: i64, name: &str) {
        self.tell(secs, Input::Cancel { ticket: ticket(name), reason: "gone".to_owned() });
    }

    /// Reports on tickets received in a window, in seconds from the beginning, with every group shown.
    pub(super) fn report(&self, from: Option<i64>, to: Option<i64>) -> Option<Report> {
        self.report_of(1, from, to)
    }

    pub(super) fn report_of(
        &self,
        group_tickets_min: u64,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Option<Report> {
        let mut reader = Reader::new(from.map(at), to.map(at));
        self.journal.iter().for_each(|entry| reader.note(entry));
        let options = Options { workspace: "default", group_tickets_min };
        Some(report(&reader.finish()?, &self.segments, options, &|_| {}))
    }
}

fn reading() -> Reading {
    let (intent, probability) = ("get_refund".into(), 0.9);
    Reading {
        source: ReadingSource::Model,
        model: "test-1".into(),
        intents: vec![IntentProbability { intent, probability, present: true }],
        out_of_scope: false,
        out_of_scope_score: 0.0,
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_probabilities: [0.0, 1.0, 0.0],
        urgency: Urgency::Normal,
        urgency_score: 0.5,
        urgency_confidence: 0.9,
        language: Some("en".to_owned()),
        language_supported: true,
        truncated: false,
        evidence: Vec::new(),
    }
}

/// What became of a ticket, plainly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) value: Option<usize>,
    /// `None` for one that was cancelled waiting.
    pub(super) waited_secs: Option<u32>,
    pub(super) outcome: Option<(Resolution, Option<u8>)>,
}

/// The name of a made-up value.
pub(super) fn name(value: usize) -> String {
    format!("value-{value}")
}

/// Returns a case for each ticket, a minute apart, and whose it is.
pub(super) fn read(made: &[Made]) -> (Record, Segments) {
    let (mut cases, mut segments) = (Vec::new(), Segments::new());
    for (place, it) in made.iter().enumerate() {
        let id = ticket(&format!("t{place}"));
        let received = at(60 * i64::try_from(place).unwrap());
        let mut case = Case::new(id.clone(), received, Some(60));
        case.fast_tracked = Some(place % 3 == 0);
        case.triaged = Some(false);
        case.assigned_at = it.waited_secs.map(|secs| received.plus_secs(secs));
        case.closed_at = Some(received.plus_secs(100));
        case.outcome = it.outcome.map(|(resolution, satisfaction)| Outcome {
            resolution,
            right_intent: None,
            satisfaction,
        });
        cases.push(case);
        let value = it.value.map(|value| ("plan".to_owned(), name(value)));
        segments.insert(id, value.into_iter().collect());
    }
    let record = Record {
        from: None,
        to: None,
        end: at(1_000_000),
        cases,
        attributes: vec!["plan".to_owned()],
        agents: Tally::default(),
        on_record: OnRecord::default(),
    };
    (record, segments)
}

pub(super) fn measured(made: &[Made], group_tickets_min: u64) -> Report {
    let (record, segments) = read(made);
    let options = Options { workspace: "default", group_tickets_min };
    report(&record, &segments, options, &|_| {})
}
