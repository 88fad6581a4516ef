//! Random days against a naive oracle.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::*;
use crate::{
    domain::{
        agent::Presence,
        event::Event,
        id::{AgentId, OfferId, TicketId},
        policy::Policy,
        reading::Urgency,
        ticket::{Intake, Outcome, Resolution, Status},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input, State, Transfer},
};

const AGENTS: [&str; 4] = ["ana", "bo", "cy", "di"];
const SKILLS: [&str; 3] = ["billing", "orders", "triage"];

/// One thing that may happen; indices are taken modulo what exists.
#[derive(Clone, Debug)]
enum Act {
    Profile { agent: usize, billing: u8, orders: u8, triage: u8, capacity: u32 },
    Delete(usize),
    Presence { agent: usize, presence: Presence },
    Stream { agent: usize, opens: bool },
    Submit { channel: bool, priority: u8, permanent: bool },
    Read { ticket: usize, intent: usize, urgency: usize, probability: f64 },
    Answer { offer: usize, accept: bool },
    Complete(usize),
    Transfer { ticket: usize, to: usize },
    Cancel(usize),
    Policy { wrap_up_secs: u32, backoff_secs: u32, drop: bool },
    Restart,
    Wait(u32),
}

fn presence() -> impl Strategy<Value = Presence> {
    prop_oneof![
        4 => Just(Presence::Available),
        1 => Just(Presence::Busy),
        1 => Just(Presence::Away),
        1 => Just(Presence::Offline),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0..4usize, 0..6u8, 0..6u8, 0..3u8, 1..4u32).prop_map(
            |(agent, billing, orders, triage, capacity)| Act::Profile {
                agent, billing, orders, triage, capacity
            }
        ),
        1 => (0..4usize).prop_map(Act::Delete),
        3 => (0..4usize, presence()).prop_map(|(agent, presence)| Act::Presence { agent, presence }),
        2 => (0..4usize, any::<bool>()).prop_map(|(agent, opens)| Act::Stream { agent, opens }),
        8 => (any::<bool>(), 0..11u8, any::<bool>())
            .prop_map(|(channel, priority, permanent)| Act::Submit { channel, priority, permanent }),
        8 => (0..32usize, 0..3usize, 0..4usize, 0.0..1.0f64).prop_map(
            |(ticket, intent, urgency, probability)| Act::Read { ticket, intent, urgency, probability }
        ),
        8 => (0..64usize, prop::bool::weighted(0.7))
            .prop_map(|(offer, accept)| Act::Answer { offer, accept }),
        5 => (0..32usize).prop_map(Act::Complete),
        2 => (0..32usize, 0..6usize).prop_map(|(ticket, to)| Act::Transfer { ticket, to }),
        1 => (0..32usize).prop_map(Act::Cancel),
        1 => (0..3u32, 0..90u32, any::<bool>()).prop_map(|(wrap_up_secs, backoff_secs, drop)| {
            Act::Policy { wrap_up_secs, backoff_secs, drop }
        }),
        1 => Just(Act::Restart),
        6 => (0..90u32).prop_map(Act::Wait),
    ]
}

/// A world that remembers every offer ever made, to answer late.
struct Day {
    world: World,
    tickets: usize,
    offers: Vec<(OfferId, AgentId)>,
}

impl Day {
    #[expect(clippy::too_many_lines, reason = "one arm for each act")]
    fn input(&mut self, act: &Act) -> Option<Input> {
        let name = |index: usize| AGENTS[index % AGENTS.len()];
        let ticket_at = |index: usize| ticket(&format!("t{}", index % self.tickets.max(1)));
        Some(match act {
            Act::Profile { agent, billing, orders, triage, capacity } => {
                let levels = SKILLS.into_iter().zip([*billing, *orders, *triage]);
                let skills: Vec<_> = levels.filter(|(_, level)| *level > 0).collect();
                let profile = profile(name(*agent), &skills, *capacity);
                let known = self.world.state.agents().contains_key(&profile.agent);
                let write = if known { AgentWrite::Replace(None) } else { AgentWrite::Create };
                Input::SetAgent { profile, write }
            }
            Act::Delete(index) => Input::DeleteAgent { agent: agent(name(*index)) },
            Act::Presence { agent: index, presence } => {
                Input::SetPresence { agent: agent(name(*index)), presence: *presence }
            }
            Act::Stream { agent: index, opens: true } => {
                Input::OpenStream { agent: agent(name(*index)) }
            }
            Act::Stream { agent: index, opens: false } => {
                Input::CloseStream { agent: agent(name(*index)) }
            }
            Act::Submit { channel, priority, permanent } => {
                let requirements = permanent.then(|| need("orders", 2, true)).into_iter().collect();
                let channel = if *channel { "phone" } else { "email" }.to_owned();
                let ticket = ticket(&format!("t{}", self.tickets));
                self.tickets += 1;
                let intake = Intake { channel, priority: *priority, requirements, ..intake() };
                Input::Receive { ticket, intake }
            }
            Act::Read { ticket: index, intent, urgency, probability } => {
                let intent = ["get_refund", "place_order", "weather"][*intent];
                let reading = reading(intent, *probability, Urgency::ALL[*urgency]);
                Input::Read { ticket: ticket_at(*index), reading }
            }
            Act::Answer { offer, accept } => {
                let recent = self.offers.len().checked_sub(1 + offer % 8)?;
                let (offer, agent) = self.offers[recent].clone();
                if *accept {
                    Input::Accept { offer, agent }
                } else {
                    Input::Decline { offer, agent, reason: "no".to_owned() }
                }
            }
            Act::Complete(index) => {
                let (ticket, agent) = self.assigned(*index)?;
                let resolution = Resolution::Resolved;
                let outcome = Outcome { resolution, right_intent: None, satisfaction: None };
                Input::Complete { ticket, agent, outcome }
            }
            Act::Transfer { ticket, to } => {
                let (ticket, from) = self.assigned(*ticket)?;
                let target = match to {
                    0..4 => Transfer::Agent(agent(AGENTS[*to])),
                    4 => Transfer::Intent("place_order".to_owned()),
                    _ => Transfer::Skills(vec![need("billing", 2, false)]),
                };
                Input::Transfer { ticket, agent: from, target }
            }
            Act::Cancel(index) => {
                Input::Cancel { ticket: ticket_at(*index), reason: "gone".to_owned() }
            }
            Act::Policy { wrap_up_secs, backoff_secs, drop } => {
                let mut policy = Policy {
                    wrap_up_secs: *wrap_up_secs,
                    decline_backoff_secs: *backoff_secs,
                    ..policy()
                };
                policy.relaxation[1].drop_requirements = *drop;
                Input::SetPolicy { policy, expected: None }
            }
            Act::Restart => Input::Restart,
            Act::Wait(secs) => {
                self.world.now = self.world.now.plus_secs(*secs);
                Input::Tick
            }
        })
    }

    fn assigned(&self, index: usize) -> Option<(TicketId, AgentId)> {
        let assigned = self.world.state.open_tickets().iter();
        let assigned: Vec<_> =
            assigned.filter(|(_, open)| open.status == Status::Assigned).collect();
        let (ticket, open) = assigned.get(index % assigned.len().max(1))?;
        Some(((*ticket).clone(), open.holder.clone()?))
    }

    fn run(&mut self, act: &Act) {
        let Some(input) = self.input(act) else { return };
        let before = self.world.state.clone();
        match self.world.try_step(input) {
            Err(_) => assert_eq!(self.world.state, before, "a refused input changed the state"),
            Ok(events) => {
                check_offers(&events);
                for event in events {
                    if let Event::OfferMade { offer, agent, .. } = event {
                        self.offers.push((offer, agent));
                    }
                }
            }
        }
        check_state(&self.world.state, self.world.now);
    }
}

/// Every offer names the eligible agent who was idle longest.
fn check_offers(events: &[Event]) {
    for event in events {
        if let Event::OfferMade { agent, decision, .. } = event {
            let first = &decision.candidates[0];
            assert_eq!(&first.agent, agent);
            assert!(decision.candidates.iter().all(|other| other.idle_ms <= first.idle_ms));
        }
    }
}

/// What must hold after every step, written as plainly as possible.
fn check_state(state: &State, now: UnixMillis) {
    assert!(state.next_due().is_none_or(|due| due > now), "something due was left undone");
    let mut held: BTreeMap<&AgentId, Vec<&TicketId>> = BTreeMap::new();
    for (ticket, open) in state.open_tickets() {
        let holds = matches!(open.status, Status::Offered | Status::Assigned);
        assert_eq!(open.holder.is_some(), holds, "{ticket} {open:?}");
        assert_eq!(open.offer_expires_at.is_some(), open.status == Status::Offered);
        if let Some(holder) = &open.holder {
            held.entry(holder).or_default().push(ticket);
        }
        if open.status == Status::Queued {
            let free = state.agents().keys().find(|agent| eligible(state, ticket, agent, now));
            assert_eq!(free, None, "{ticket} waits beside an eligible agent");
        }
    }
    for (agent, someone) in state.agents() {
        let wrap_ups = someone.wrap_ups.values().map(|(_, units)| units);
        let by_hand: u32 = someone.held.values().chain(wrap_ups).sum();
        assert_eq!(someone.used_units(), by_hand, "the sum is kept in step");
        let mine = held.remove(agent).unwrap_or_default();
        assert_eq!(state.held_tickets(agent), mine, "RT-1: one holder, and the holder knows");
    }
    assert!(held.is_empty(), "somebody unknown holds tickets: {held:?}");
}

/// Eligibility as design.md words it.
fn eligible(state: &State, ticket: &TicketId, agent: &AgentId, now: UnixMillis) -> bool {
    let open = &state.open_tickets()[ticket];
    let someone = &state.agents()[agent];
    let skilled = open.requirements.iter().all(|need| {
        someone.profile.skills.get(&need.skill).copied().unwrap_or(0) >= need.proficiency_min
    });
    let cost = if open.intake.channel == "phone" { 2 } else { 1 };
    skilled
        && someone.presence == Presence::Available
        && state.used_units(agent) + cost <= someone.profile.capacity_units
        && open.target.as_ref().is_none_or(|target| target == agent)
        && open.backoff.get(agent).is_none_or(|until| *until <= now)
}

proptest! {
    #[test]
    fn every_day_keeps_the_promises(acts in prop::collection::vec(act(), 1..120)) {
        let mut day = Day { world: World::new(), tickets: 0, offers: Vec::new() };
        for name in AGENTS {
            day.world.agent(name, &[("billing", 3), ("orders", 3), ("triage", 1)], 2);
        }
        for act in &acts {
            day.run(act);
        }
        prop_assert_eq!(day.world.replayed(), day.world.state);
    }

    #[test]
    fn nobody_is_overtaken_by_more_than_the_head_start(waits in prop::collection::vec((0..200u32, 0..4usize), 1..40)) {
        let mut world = World::new();
        let mut received = BTreeMap::new();
        for (index, (wait_secs, urgency)) in waits.iter().enumerate() {
            let name = format!("t{index}");
            world.ticket(&name, reading("place_order", 0.9, Urgency::ALL[*urgency]));
            received.insert(ticket(&name), world.now);
            // Without an agent nothing is offered; no tick, so that nothing relaxes.
            world.now = world.now.plus_secs(*wait_secs);
        }
        world.agent("ana", &[("orders", 5), ("triage", 1)], 100);
        let order: Vec<UnixMillis> = world.journal.iter().filter_map(|(_, event)| match event {
            Event::OfferMade { offer, .. } => Some(received[&offer.ticket]),
            _ => None,
        }).collect();
        prop_assert_eq!(order.len(), waits.len());
        let longest_head_start_ms = 900_000;
        for (index, earlier) in order.iter().enumerate() {
            for later in &order[index..] {
                prop_assert!(earlier.0 - later.0 <= longest_head_start_ms);
            }
        }
    }
}
