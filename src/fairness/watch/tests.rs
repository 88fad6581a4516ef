//! What is watched follows from the tickets alone.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::domain::ticket::{Resolution, Status};

const WAIT_SECS: u32 = 3_600;

/// All that happens to a ticket, told by when it happens; times in seconds after its arrival.
#[derive(Clone, Debug)]
struct Life {
    group: Option<&'static str>,
    received: i64,
    read: u32,
    fast_tracked: bool,
    target_secs: Option<u32>,
    assigned: Option<u32>,
    closed: Option<u32>,
    resolution: Resolution,
    reassigned: bool,
}

fn at(secs: i64) -> UnixMillis {
    UnixMillis(secs * 1_000)
}

impl Life {
    /// What a store tells of it at some time.
    fn seen(&self, now: UnixMillis) -> Option<TicketFacts> {
        let happened = |after: Option<u32>| {
            after.map(|secs| at(self.received).plus_secs(secs)).filter(|at| *at <= now)
        };
        let (assigned_at, closed_at) = (happened(self.assigned), happened(self.closed));
        let is_read = happened(Some(self.read)).is_some();
        (at(self.received) <= now).then(|| TicketFacts {
            segments: self
                .group
                .map(|group| ("language".to_owned(), group.to_owned()))
                .into_iter()
                .collect(),
            status: Status::Received,
            received_at: at(self.received),
            assigned_at,
            closed_at,
            target_secs: self.target_secs.filter(|_| is_read),
            fast_tracked: is_read.then_some(self.fast_tracked),
            triaged: is_read.then_some(!self.fast_tracked),
            resolution: closed_at.and(assigned_at).map(|_| self.resolution),
            reassigned: assigned_at.map(|_| self.reassigned && closed_at.is_some()),
            agent: None,
        })
    }
}

fn seen(lives: &[Life], now: UnixMillis) -> Vec<(u64, TicketFacts)> {
    let numbered = (1..).zip(lives);
    numbered.filter_map(|(number, life)| Some((number, life.seen(now)?))).collect()
}

fn look(watch: &mut Watch, lives: &[Life], now: UnixMillis, chunk: usize) {
    let after = watch.look();
    let all: Vec<_> = seen(lives, now).into_iter().filter(|(number, _)| *number > after).collect();
    all.chunks(chunk).for_each(|tickets| watch.take(tickets, now));
}

fn watch() -> Watch {
    Watch::new("language".to_owned(), WAIT_SECS, |_| None)
}

fn any_life() -> impl Strategy<Value = Life> {
    let secs = || proptest::option::weighted(0.8, 0_u32..6_000);
    let group = prop::sample::select(vec![Some("en"), Some("en"), Some("es"), Some("de"), None]);
    let resolution = prop_oneof![
        Just(Resolution::FirstContact),
        Just(Resolution::Resolved),
        Just(Resolution::Escalated),
        Just(Resolution::WrongIntent),
    ];
    let target = proptest::option::of(prop_oneof![Just(60_u32), Just(900), Just(8_000)]);
    let flags = (any::<bool>(), any::<bool>());
    (group, 0_i64..20_000, 0_u32..60, target, secs(), secs(), resolution, flags).prop_map(
        |(group, received, read, target_secs, assigned, closed, resolution, flags)| Life {
            group,
            received,
            // Rules read what the model does not read in time.
            read,
            target_secs,
            assigned: assigned.map(|secs| secs + read),
            // What is assigned is closed after that, if it is.
            closed: closed.map(|secs| secs + read + assigned.unwrap_or(0)),
            resolution,
            fast_tracked: flags.0,
            reassigned: flags.1,
        },
    )
}

/// The definition: of each measure, the tickets in their order up to the first that is open.
fn naive(lives: &[Life], now: UnixMillis, measure: Measure) -> (Vec<Standing>, u64, u64) {
    let mut monitor = Monitor::new(ALPHA / 9.0, 1, ALARM_TICKETS_MIN);
    let (mut undeclared, mut left_out) = (0, 0);
    for (_, ticket) in seen(lives, now) {
        let Some(group) = ticket.segments.get("language") else {
            undeclared += 1;
            continue;
        };
        match fate(measure, &ticket, now, WAIT_SECS) {
            Fate::Open => break,
            Fate::Untold => left_out += 1,
            Fate::Told(hit) => {
                monitor.record(Treated { group, measure: measure.name(), hit });
                monitor.judge();
            }
        }
    }
    (monitor.standings(), undeclared, left_out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whenever and however often one looks, the evidence is the same in the end, and that of the definition.
    #[test]
    fn what_is_known_does_not_depend_on_when_one_looks(
        mut lives in prop::collection::vec(any_life(), 1..60),
        mut looks in prop::collection::vec(0_i64..30_000, 0..6),
        chunk in 1_usize..20,
    ) {
        lives.sort_by_key(|life| life.received);
        looks.push(30_000);
        looks.sort_unstable();
        let mut often = watch();
        for now in &looks {
            look(&mut often, &lives, at(*now), chunk);
            let mut once = watch();
            look(&mut once, &lives, at(*now), usize::MAX);
            prop_assert_eq!(often.evidence().collect::<Vec<_>>(), once.evidence().collect::<Vec<_>>());
        }
        for evidence in often.evidence() {
            let (standings, undeclared, left_out) = naive(&lives, at(30_000), evidence.measure);
            prop_assert_eq!(evidence.standings, standings);
            // Those that declare nothing hold nobody up, so the last of them may be further on.
            prop_assert!(evidence.undeclared_count >= undeclared);
            prop_assert_eq!(evidence.left_out_count, left_out);
        }
    }

    /// A fate that was told is never another one later, and an untold one stays so.
    #[test]
    fn a_fate_stays(life in any_life(), first in 0_i64..30_000, later in 0_i64..30_000) {
        let (first, second) = (at(first), at(first + later));
        if let Some(before) = life.seen(first) {
            let after = life.seen(second).unwrap();
            for measure in Measure::ALL {
                let told = fate(measure, &before, first, WAIT_SECS);
                if told != Fate::Open {
                    prop_assert_eq!(told, fate(measure, &after, second, WAIT_SECS), "{:?}", measure);
                }
            }
        }
    }
}

/// A ticket whose outcome takes as long as it says, of a group that is treated like every other.
fn ordinary(random: &mut StdRng, group: &'static str, received: i64) -> Life {
    let is_quick = random.random_bool(0.5);
    let assigned = random.random_range(10..500);
    let took = if is_quick { 60 } else { 3_000 };
    Life {
        group: Some(group),
        received,
        read: 1,
        fast_tracked: random.random_bool(0.2),
        target_secs: Some(300),
        assigned: Some(assigned),
        closed: Some(assigned + took),
        // What is resolved at first contact is resolved quickly.
        resolution: if is_quick { Resolution::FirstContact } else { Resolution::Resolved },
        reassigned: random.random_bool(0.1),
    }
}

#[test]
fn groups_that_come_at_other_hours_raise_no_alarm() {
    let alarmed = |seed| {
        let mut random = StdRng::seed_from_u64(seed);
        let mut lives: Vec<Life> = (0..800)
            .map(|ticket| {
                // All day long the share of es rises from one in ten to nine in ten.
                let is_es = random.random_range(0..1_000) < 100 + ticket;
                ordinary(&mut random, if is_es { "es" } else { "en" }, ticket * 20)
            })
            .collect();
        lives.sort_by_key(|life| life.received);
        let mut watch = watch();
        // Looked at all the time, as a running server does.
        for now in (0..20_000).step_by(2_000) {
            look(&mut watch, &lives, at(now), 500);
        }
        watch.alarms().count() > 0
    };
    let found = (0..100).filter(|seed| alarmed(*seed)).count();
    assert!(found <= 5, "{found} of 100");
}

#[test]
fn a_group_that_waits_longer_raises_one_alarm_that_says_so() {
    let mut random = StdRng::seed_from_u64(7);
    let lives: Vec<Life> = (0..1_500)
        .map(|ticket| {
            let is_es = ticket % 3 == 0;
            let mut life = ordinary(&mut random, if is_es { "es" } else { "en" }, ticket * 20);
            if is_es && random.random_bool(0.5) {
                life.assigned = Some(900);
                life.closed = Some(1_000);
            }
            life
        })
        .collect();
    let mut watch = watch();
    look(&mut watch, &lives, at(100_000), 100);
    let alarms: Vec<&Alarm> = watch.alarms().collect();
    let slow = alarms.iter().find(|alarm| alarm.measure == Measure::SlowStart).unwrap();
    assert_eq!(slow.attribute, "language");
    // Of two groups each is the other's others, so the alarm names either; the shares say which way.
    let value = |share: Share| share.hits as f64 / share.count as f64;
    let difference = value(slow.own) - value(slow.others);
    assert_eq!(slow.group == "es", difference > 0.0, "{slow:?}");
    assert!(slow.low < difference && difference < slow.high, "{slow:?}");
    assert!(slow.own.count.min(slow.others.count) >= ALARM_TICKETS_MIN);
    let measures: Vec<Measure> = alarms.iter().map(|alarm| alarm.measure).collect();
    assert!(!measures.contains(&Measure::FastTracked), "{measures:?}");
}

#[test]
fn tickets_of_before_are_passed_over_and_hold_nobody_up() {
    let mut random = StdRng::seed_from_u64(3);
    let mut lives: Vec<Life> =
        (0..50).map(|ticket| ordinary(&mut random, "en", ticket * 20)).collect();
    // The first is never assigned; the watch begins after the tenth.
    (lives[0].assigned, lives[0].closed) = (None, None);
    let since = at(lives[9].received);
    let mut watch = Watch::new("language".to_owned(), WAIT_SECS, |_| Some(since));
    look(&mut watch, &lives, at(3_000), 7);
    let evidence: Vec<MeasureEvidence> = watch.evidence().collect();
    let slow = evidence.iter().find(|one| one.measure == Measure::SlowStart).unwrap();
    assert_eq!(slow.standings[0].own.count(), 40);
    assert_eq!(slow.received.unwrap().0, at(lives[10].received));
}

#[test]
fn of_very_many_groups_the_later_ones_are_watched_together() {
    let names: Vec<String> = (0..100).map(|number| format!("v{number:03}")).collect();
    let mut watch = watch();
    let tickets: Vec<(u64, TicketFacts)> = (1..)
        .zip(&names)
        .map(|(number, name)| {
            let mut random = StdRng::seed_from_u64(number);
            let life = ordinary(&mut random, "en", 0);
            let mut facts = life.seen(at(10_000)).unwrap();
            facts.segments.insert("language".to_owned(), name.clone());
            (number, facts)
        })
        .collect();
    watch.take(&tickets, at(10_000));
    let evidence = watch.evidence().next().unwrap();
    assert_eq!(evidence.standings.len(), WATCHED_GROUPS_MAX + 1);
    assert_eq!(evidence.standings[0].group, FURTHER_GROUPS);
    assert_eq!(evidence.standings[0].own.count(), 36);
}

#[test]
fn an_alarm_is_about_no_segment_that_would_give_a_smaller_one_away() {
    let mut random = StdRng::seed_from_u64(11);
    let life = |group: &'static str, number: i64, random: &mut StdRng| {
        let mut life = ordinary(random, group, number * 20);
        life.assigned = Some(if group == "es" { 900 } else { 60 });
        life.closed = Some(1_000);
        life
    };
    // Of de and en there are many; es has 18, and fr 3 behind it.
    let names = |number: i64| match number {
        0..3 => "fr",
        number if number % 11 == 0 => "es",
        number if number % 2 == 0 => "de",
        _ => "en",
    };
    let lives: Vec<Life> =
        (0..200).map(|number| life(names(number), number, &mut random)).collect();
    let mut watch = watch();
    look(&mut watch, &lives, at(100_000), 50);
    let slow = watch.evidence().find(|one| one.measure == Measure::SlowStart).unwrap();
    assert_eq!(slow.state, State::Unfair, "es is treated differently");
    let alarm = slow.alarm.unwrap();
    // Told es, whoever knows all others would know fr.
    assert!(["de", "en"].contains(&alarm.group.as_str()), "{alarm:?}");
}
