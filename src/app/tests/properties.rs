//! Whatever callers do, what was acknowledged is there after a restart.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::*;
use crate::{
    app::*,
    domain::{
        agent::Presence,
        event::Event,
        id::TicketId,
        ticket::{Outcome, Resolution, Status},
    },
    routing::Input,
};

/// Something a caller does; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Deed {
    Submit { key: u8, content: u8 },
    Presence { agent: u8, presence: u8 },
    Answer { agent: u8, accept: bool },
    Complete { agent: u8 },
    Cancel { ticket: u8 },
    Pass { millis: i64 },
    Mood { mood: u8 },
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0..40u8, 0..2u8).prop_map(|(key, content)| Deed::Submit { key, content }),
        2 => (0..3u8, 0..4u8).prop_map(|(agent, presence)| Deed::Presence { agent, presence }),
        4 => (0..3u8, any::<bool>()).prop_map(|(agent, accept)| Deed::Answer { agent, accept }),
        3 => (0..3u8).prop_map(|agent| Deed::Complete { agent }),
        1 => any::<u8>().prop_map(|ticket| Deed::Cancel { ticket }),
        2 => (-40_000..40_000i64).prop_map(|millis| Deed::Pass { millis }),
        1 => (0..3u8).prop_map(|mood| Deed::Mood { mood }),
        1 => Just(Deed::Restart),
    ]
}

/// What the callers know.
#[derive(Default)]
struct Memory {
    /// Tickets by idempotency key, with the content submitted first.
    submitted: BTreeMap<u8, (u8, TicketId)>,
    accepted: u64,
    completed: u64,
}

impl Memory {
    async fn submit(&mut self, world: &World, key: u8, content: u8) {
        let submission = with_key(submission("place_order"), &format!("k{key}"), content);
        let answer = world.handle.command(submission).await;
        match self.submitted.get(&key) {
            None => {
                let receipt = answer.unwrap();
                assert!(!receipt.replayed);
                self.submitted.insert(key, (content, receipt.ticket.unwrap()));
            }
            Some((first, ticket)) if *first == content => {
                let receipt = answer.unwrap();
                assert_eq!((receipt.ticket.as_ref(), receipt.replayed), (Some(ticket), true));
            }
            Some(_) => assert!(matches!(answer, Err(Error::IdempotencyKeyReused))),
        }
    }

    async fn answer(&mut self, world: &World, agent: u8, accept: bool) {
        let agent = format!("agent-{agent}");
        let Some(view) = world.desk(&agent).await.offers.pop() else { return };
        let (offer, agent) = (view.offer, agent_id(&agent));
        let answer = if accept {
            world.route(Input::Accept { offer, agent }).await
        } else {
            world.route(Input::Decline { offer, agent, reason: "busy".to_owned() }).await
        };
        // It may have been planned anew, by a late reading, in between.
        match answer {
            Ok(_) => self.accepted += u64::from(accept),
            Err(Error::Rejected(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn complete(&mut self, world: &World, agent: u8) {
        let agent = format!("agent-{agent}");
        let Some(view) = world.desk(&agent).await.assignments.pop() else { return };
        let outcome =
            Outcome { resolution: Resolution::Resolved, right_intent: None, satisfaction: None };
        let complete = Input::Complete { ticket: view.ticket, agent: agent_id(&agent), outcome };
        world.route(complete).await.unwrap();
        self.completed += 1;
    }

    async fn cancel(&self, world: &World, ticket: u8) {
        let Some((_, ticket)) = self.submitted.values().nth(usize::from(ticket) % 40) else {
            return;
        };
        let cancel = Input::Cancel { ticket: ticket.clone(), reason: "gone".to_owned() };
        let answer = world.route(cancel).await;
        assert!(matches!(answer, Ok(_) | Err(Error::Rejected(_))));
    }

    async fn check(&self, world: &World) {
        let facts = world.handle.facts(&default(), None, None).await.unwrap();
        assert_eq!(facts.len(), self.submitted.len(), "each ticket once");
        for (_, ticket) in self.submitted.values() {
            check_ticket(world, ticket).await;
        }
        let completed = facts.iter().filter(|fact| fact.status == Status::Completed).count();
        assert_eq!(u64::try_from(completed).unwrap(), self.completed);
        let loads = world.handle.loads(&default()).await.unwrap();
        assert_eq!(loads.iter().map(|load| load.accepted).sum::<u64>(), self.accepted);
        assert_eq!(loads.iter().map(|load| load.completed).sum::<u64>(), self.completed);
    }
}

/// Checks that at most one offer of a ticket was live at any time, and that its view fits its entries.
async fn check_ticket(world: &World, ticket: &TicketId) {
    let (mut live, mut epoch) = (None, 0);
    let view = world.view(ticket).await;
    // Readings go on meanwhile: what came after the view is left out.
    let mut entries = world.entries(ticket).await;
    entries.retain(|entry| entry.sequence <= view.sequence);
    for entry in &entries {
        match &entry.event {
            Event::OfferMade { offer, .. } => {
                assert_eq!(live, None, "two live offers");
                assert!(offer.epoch > epoch, "the epoch rises");
                epoch = offer.epoch;
                live = Some(offer.epoch);
            }
            Event::OfferAccepted { offer, .. }
            | Event::OfferDeclined { offer, .. }
            | Event::OfferExpired { offer, .. }
            | Event::OfferRevoked { offer, .. } => assert_eq!(live.take(), Some(offer.epoch)),
            _ => {}
        }
    }
    assert_eq!((view.epoch, view.sequence), (epoch, entries.last().unwrap().sequence));
    assert_eq!(view.status == Status::Offered, live.is_some());
}

async fn run(deeds: Vec<Deed>) {
    let mut world = World::start().await;
    for agent in 0..3 {
        world.add_agent(&format!("agent-{agent}"), 2).await;
    }
    let mut memory = Memory::default();
    for deed in deeds {
        match deed {
            Deed::Submit { key, content } => memory.submit(&world, key, content).await,
            Deed::Presence { agent, presence } => {
                let choices =
                    [Presence::Available, Presence::Busy, Presence::Away, Presence::Offline];
                let presence = choices[usize::from(presence)];
                world.set_presence(&format!("agent-{agent}"), presence).await;
            }
            Deed::Answer { agent, accept } => memory.answer(&world, agent, accept).await,
            Deed::Complete { agent } => memory.complete(&world, agent).await,
            Deed::Cancel { ticket } => memory.cancel(&world, ticket).await,
            Deed::Pass { millis } => world.pass(millis),
            Deed::Mood { mood } => {
                world.set_mood([Mood::Well, Mood::Down, Mood::Silent][usize::from(mood)]);
            }
            Deed::Restart => {
                memory.check(&world).await;
                world.restart().await;
            }
        }
    }
    let before = world.snapshot().await;
    world.handle.stop().await;
    let after = replayed(&world.folder);
    if before.sequence == after.sequence {
        assert_alike(&before, &after);
    }
    world.restart().await;
    memory.check(&world).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_is_there_after_every_restart(
        deeds in prop::collection::vec(deed(), 1..60)
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(deeds));
    }
}
