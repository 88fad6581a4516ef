//! What queueing theory says must come out.

use std::collections::BTreeMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::world::*;
use crate::{
    domain::{
        agent::Presence,
        reading::Urgency,
        ticket::{Outcome, Resolution},
        time::UnixMillis,
    },
    routing::Input,
};

const RESOLVED: Outcome =
    Outcome { resolution: Resolution::Resolved, right_intent: None, satisfaction: None };

/// Draws an exponential time with this rate per second, in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "times of this test are below a day")]
fn exponential_ms(random: &mut impl Rng, rate: f64) -> i64 {
    let uniform: f64 = random.random();
    (-(1.0 - uniform).ln() / rate * 1000.0).round() as i64
}

/// Longest cumulative idleness first gives unequal agents equal occupancy; longest idle or random
/// choice would not (Atar, Shaki and Shwartz 2011; with three agents the gap to equality is below
/// the noise of this run).
#[test]
fn unequal_agents_reach_equal_occupancy() {
    const RATES: [(&str, f64); 3] = [("ana", 1.0), ("bo", 0.8), ("cy", 0.5)];
    const ARRIVAL_RATE: f64 = 1.6;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut world = World::new();
    for (name, _) in RATES {
        world.agent(name, &[("orders", 5)], 1);
    }
    let mut busy_until: BTreeMap<&str, (UnixMillis, String)> = BTreeMap::new();
    let mut busy_ms: BTreeMap<&str, i64> = BTreeMap::new();
    let mut next_arrival = world.now;
    for count in 0..20_000 {
        next_arrival.0 += exponential_ms(&mut random, ARRIVAL_RATE);
        finish_until(&mut world, &mut busy_until, &mut busy_ms, &mut random, next_arrival, &RATES);
        world.now = next_arrival;
        world.ticket(&format!("t{count}"), reading("place_order", 0.9, Urgency::Normal));
        start_work(&mut world, &mut busy_until, &mut busy_ms, &mut random, &RATES);
    }
    let span_ms = (world.now.0 - START.0) as f64;
    let occupancy: Vec<f64> =
        RATES.iter().map(|(name, _)| busy_ms[name] as f64 / span_ms).collect();
    let mean = occupancy.iter().sum::<f64>() / 3.0;
    for share in &occupancy {
        assert!((share - mean).abs() < 0.005, "occupancies {occupancy:?}");
    }
    // 0.6965 is what a long simulation of the same model gives.
    assert!((mean - 0.6965).abs() < 0.02, "mean occupancy {mean}");
}

type Busy<'a> = BTreeMap<&'a str, (UnixMillis, String)>;

fn finish_until<'a>(
    world: &mut World,
    busy_until: &mut Busy<'a>,
    busy_ms: &mut BTreeMap<&'a str, i64>,
    random: &mut ChaCha8Rng,
    until: UnixMillis,
    rates: &[(&'a str, f64)],
) {
    while let Some((name, (at, done))) = busy_until
        .iter()
        .min_by_key(|(_, (at, _))| *at)
        .filter(|(_, (at, _))| *at <= until)
        .map(|(name, work)| (*name, work.clone()))
    {
        busy_until.remove(name);
        world.now = at;
        let outcome = RESOLVED;
        world.must(Input::Complete { ticket: ticket(&done), agent: agent(name), outcome });
        start_work(world, busy_until, busy_ms, random, rates);
    }
}

/// Every offer is accepted at once; service times are exponential.
fn start_work<'a>(
    world: &mut World,
    busy_until: &mut Busy<'a>,
    busy_ms: &mut BTreeMap<&'a str, i64>,
    random: &mut ChaCha8Rng,
    rates: &[(&'a str, f64)],
) {
    for (name, rate) in rates {
        assert_eq!(world.presence(name), Presence::Available);
        let held = world.state.held_tickets(&agent(name)).first().map(ToString::to_string);
        let Some(held) = held.filter(|_| !busy_until.contains_key(name)) else { continue };
        world.accept(&held);
        let service_ms = exponential_ms(random, *rate);
        *busy_ms.entry(name).or_default() += service_ms;
        busy_until.insert(name, (UnixMillis(world.now.0 + service_ms), held));
    }
}
