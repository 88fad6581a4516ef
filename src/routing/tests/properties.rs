//! What must hold of any queue.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::*;
use crate::domain::{event::Event, reading::Urgency, time::UnixMillis};

proptest! {
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
