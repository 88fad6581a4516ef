//! Random days under random policies, and what must hold after every step of them.
//!
//! A day is a seed: whatever fails names it, and running it again fails the same way.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{oracle::Oracle, world::*};
use crate::{
    domain::{
        agent::Presence,
        calendar::{Calendar, CalendarForm, Weekday, WeeklyInterval},
        event::Event,
        id::{AgentId, OfferId, TicketId},
        policy::{AgentChoice, OccupancyCeiling, Policy, SkillLevel, TicketOrder},
        reading::{Reading, Urgency},
        ticket::{Intake, Outcome, Resolution, Status},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input, State, Transfer},
};

pub(super) const AGENTS: [&str; 5] = ["ana", "bo", "cy", "di", "ed"];
const SKILLS: [&str; 4] = ["billing", "orders", "spanish", "triage"];

/// A world that remembers every offer ever made, to answer late.
pub(in crate::routing) struct Day {
    pub(in crate::routing) world: World,
    random: StdRng,
    tickets: usize,
    offers: Vec<(OfferId, AgentId)>,
    oracle: Oracle,
    /// Accepted inputs, to run the day again.
    pub(in crate::routing) inputs: Vec<(UnixMillis, Input)>,
    features: bool,
}

impl Day {
    /// Begins a day; with `features`, under a policy that uses whatever there is.
    pub(in crate::routing) fn new(seed: u64, features: bool) -> Self {
        let world = World::new();
        let random = StdRng::seed_from_u64(seed);
        let mut day = Self {
            world,
            random,
            tickets: 0,
            offers: Vec::new(),
            oracle: Oracle::default(),
            inputs: Vec::new(),
            features,
        };
        day.oracle.note(&day.world.journal);
        if features {
            let policy = day.policy();
            day.put(Input::SetPolicy { policy, expected: None });
        }
        for name in AGENTS {
            let profile = day.profile(name);
            day.put(Input::SetAgent { profile, write: AgentWrite::Create });
            day.put(Input::OpenStream { agent: agent(name) });
            day.put(Input::SetPresence { agent: agent(name), presence: Presence::Available });
        }
        day
    }

    fn chance(&mut self, share: f64) -> bool {
        self.random.random_bool(share)
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.random.random_range(0..limit)
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.random.random_range(0..items.len())]
    }

    /// Lets something happen; returns how many events came of it.
    pub(in crate::routing) fn act(&mut self) -> usize {
        let before = self.world.journal.len();
        if let Some(input) = self.input() {
            self.put(input);
        }
        self.world.journal.len() - before
    }

    fn put(&mut self, input: Input) {
        let from = self.world.journal.len();
        if let Ok(events) = self.world.try_step(input.clone()) {
            self.inputs.push((self.world.now, input));
            self.oracle.note(&self.world.journal[from..]);
            for event in events {
                if let Event::OfferMade { offer, agent, .. } = event {
                    self.offers.push((offer, agent));
                }
            }
        }
        self.oracle.check(&self.world.state, self.world.now);
    }

    /// Ends the day: the inputs give the same journal again.
    pub(super) fn end(&self) {
        let mut again = World::new();
        for (at, input) in &self.inputs {
            again.now = *at;
            again.must(input.clone());
        }
        assert!(again.journal == self.world.journal, "I14: the inputs give the journal again");
    }

    fn input(&mut self) -> Option<Input> {
        Some(match self.below(64) {
            0..2 => {
                let name = self.one_of(&AGENTS);
                let profile = self.profile(name);
                let known = self.world.state.agent(&profile.agent).is_some();
                let write = if known { AgentWrite::Replace(None) } else { AgentWrite::Create };
                Input::SetAgent { profile, write }
            }
            2 => Input::DeleteAgent { agent: self.agent() },
            3..6 => {
                let all = [Presence::Available, Presence::Busy, Presence::Away, Presence::Offline];
                let presence = if self.chance(0.6) { all[0] } else { self.one_of(&all) };
                Input::SetPresence { agent: self.agent(), presence }
            }
            6 => Input::OpenStream { agent: self.agent() },
            7 => Input::CloseStream { agent: self.agent() },
            8..16 => self.submit(),
            16..25 => {
                let ticket = self.ticket();
                Input::Read { ticket, reading: self.reading() }
            }
            25..36 => self.answer()?,
            36..44 => {
                let (ticket, agent) = self.assigned()?;
                let resolution = Resolution::Resolved;
                let outcome = Outcome { resolution, right_intent: None, satisfaction: None };
                Input::Complete { ticket, agent, outcome }
            }
            44..46 => self.transfer()?,
            46 => Input::Cancel { ticket: self.ticket(), reason: "gone".to_owned() },
            47 if self.features => Input::Assign { ticket: self.ticket(), agent: self.agent() },
            48 => Input::SetPolicy { policy: self.policy(), expected: None },
            49 => Input::Restart,
            _ => {
                let secs = if self.chance(0.05) { self.below(40_000) } else { self.below(60) };
                self.world.now = self.world.now.plus_secs(secs).plus_millis(self.below(1000));
                Input::Tick
            }
        })
    }

    fn agent(&mut self) -> AgentId {
        agent(self.one_of(&AGENTS))
    }

    fn ticket(&mut self) -> TicketId {
        let newest = u32::try_from(self.tickets.max(1)).unwrap();
        let back = self.below(newest.min(12)) + 1;
        ticket(&format!("t{}", newest - back))
    }

    fn submit(&mut self) -> Input {
        let ticket = ticket(&format!("t{}", self.tickets));
        self.tickets += 1;
        let requirements = self.chance(0.3).then(|| {
            let mut need = need("orders", 2, self.chance(0.5));
            if self.features && self.chance(0.5) {
                need.alternatives = vec![level("spanish", 2)];
            }
            if self.features && !need.permanent && self.chance(0.5) {
                need.expires_after_secs = Some(1 + self.below(200));
            }
            need
        });
        let channel = self.one_of(&["email", "phone", "chat"]).to_owned();
        let preferred_agent = (self.features && self.chance(0.3)).then(|| self.agent());
        let priority = u8::try_from(self.below(4)).unwrap();
        let requirements = requirements.into_iter().collect();
        let is_long = self.chance(0.2);
        let intake =
            Intake { channel, priority, requirements, preferred_agent, is_long, ..intake() };
        Input::Receive { ticket, intake }
    }

    fn reading(&mut self) -> Reading {
        let intent = self.one_of(&["get_refund", "place_order", "weather"]);
        let probability = if self.chance(0.8) { 0.9 } else { 0.2 };
        reading(intent, probability, self.one_of(&Urgency::ALL))
    }

    fn answer(&mut self) -> Option<Input> {
        let newest = self.offers.len().checked_sub(1)?;
        let back = self.random.random_range(0..6).min(newest);
        let (offer, agent) = self.offers[newest - back].clone();
        Some(if self.chance(0.7) {
            Input::Accept { offer, agent }
        } else {
            Input::Decline { offer, agent, reason: "no".to_owned() }
        })
    }

    fn transfer(&mut self) -> Option<Input> {
        let (ticket, from) = self.assigned()?;
        let target = match self.below(3) {
            0 => Transfer::Agent(self.agent()),
            1 => Transfer::Intent("place_order".to_owned()),
            _ => Transfer::Skills(vec![need("billing", 2, false)]),
        };
        Some(Input::Transfer { ticket, agent: from, target })
    }

    fn assigned(&mut self) -> Option<(TicketId, AgentId)> {
        let state: &State = &self.world.state;
        let assigned: Vec<_> = state
            .tickets()
            .filter(|open| open.status == Status::Assigned)
            .filter_map(|open| Some((open.ticket.clone(), state.holder(open)?.clone())))
            .collect();
        let at = self.random.random_range(0..assigned.len().max(1));
        assigned.get(at).cloned()
    }

    fn profile(&mut self, name: &str) -> crate::domain::agent::AgentProfile {
        let levels = SKILLS.map(|skill| (skill, u8::try_from(self.below(6)).unwrap()));
        let skills: Vec<_> = levels.into_iter().filter(|(_, level)| *level > 0).collect();
        let mut profile = profile(name, &skills, 1 + self.below(4));
        profile.speed = self.below(3);
        if self.features && self.chance(0.2) {
            profile.shifts = Some(hours("08:00", "16:00"));
        }
        profile
    }

    fn policy(&mut self) -> Policy {
        let mut policy = Policy {
            wrap_up_secs: self.below(3) * 5,
            decline_backoff_secs: self.below(3) * 40,
            ..policy()
        };
        policy.relaxation[1].drop_requirements = self.chance(0.3);
        if !self.features {
            return policy;
        }
        policy.agent_choice = self.one_of(&[
            AgentChoice::LongestCumulativeIdle,
            AgentChoice::LongestIdle,
            AgentChoice::Fastest,
            AgentChoice::Random,
            AgentChoice::FewestTickets,
            AgentChoice::MostProficient,
        ]);
        policy.ticket_order = match self.below(3) {
            0 => TicketOrder::HeadStart,
            1 => TicketOrder::Strict,
            _ => TicketOrder::Ageing { weights_milli: vec![1000, 2000, 5000] },
        };
        policy.batching.gather_ms = self.one_of(&[0, 0, 0, 2000]);
        policy.occupancy_ceiling =
            self.chance(0.3).then_some(OccupancyCeiling { percent: 80, burst_secs: 60 });
        policy.spread_hard_tickets = self.chance(0.5);
        policy.ramp_up_secs = self.one_of(&[0, 60]);
        policy.preferred_agent_wait_secs = self.one_of(&[0, 30, 90]);
        if self.chance(0.5) {
            policy.interruptible_channels = vec!["email".to_owned()];
        }
        policy.hours = self.chance(0.3).then(|| hours("07:00", "19:00"));
        policy.routes[0].preferred = vec![level("spanish", 2)];
        policy.routes[0].around_the_clock = self.chance(0.5);
        if self.chance(0.5) {
            (policy.routes[1].waiting_max, policy.routes[1].overflow) =
                (Some(2), Some("billing".to_owned()));
        }
        policy.open_tickets_max = self.chance(0.3).then_some(8);
        policy
    }
}

fn level(name: &str, proficiency_min: u8) -> SkillLevel {
    SkillLevel { skill: skill(name), proficiency_min }
}

fn hours(from: &str, to: &str) -> Calendar {
    let interval = |weekday| WeeklyInterval { weekday, from: from.to_owned(), to: to.to_owned() };
    let weekly = Weekday::ALL.into_iter().map(interval).collect();
    let time_zone = "Europe/Berlin".to_owned();
    Calendar::try_from(CalendarForm { time_zone, weekly, exceptions: BTreeMap::new() }).unwrap()
}

/// Days until so many events have happened, from seeds of one thread.
fn days(seeds: impl Iterator<Item = u64>, events: usize, features: bool) {
    let mut seen = 0;
    for seed in seeds {
        if seen >= events {
            break;
        }
        let told = std::panic::catch_unwind(|| {
            let mut day = Day::new(seed, features);
            let seen: usize = (0..150).map(|_| day.act()).sum();
            day.end();
            seen
        });
        seen += told.unwrap_or_else(|_| panic!("the day of seed {seed} broke a promise"));
    }
}

/// Events of each kind of day. Together ten million, unless `EVENHAND_DAYS_EVENTS` says otherwise.
fn events() -> usize {
    let told = std::env::var("EVENHAND_DAYS_EVENTS").ok().and_then(|told| told.parse().ok());
    told.unwrap_or(5_000_000)
}

#[test]
fn every_day_keeps_the_promises() {
    days(0.., events(), false);
}

#[test]
fn every_day_keeps_the_promises_whatever_the_policy() {
    days(1_000_000_000.., events(), true);
}
