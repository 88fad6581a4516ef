//! Snapshots are exact, equal for equal states, and safe to read whatever they hold.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{FORMAT, SnapshotError, write::Writer};
use crate::{
    domain::{event::Event, ticket::Status, time::UnixMillis},
    routing::{
        Input, State, step,
        tests::{days::Day, world::World},
    },
};

/// A state as a snapshot gives it back.
fn restored(state: &State) -> State {
    State::from_snapshot(&state.to_snapshot().unwrap()).expect("its own snapshot is readable")
}

/// A state as its journal gives it back.
fn replayed(world: &World, events: usize) -> State {
    let mut state = State::default();
    for (at, event) in &world.journal[..events] {
        state.apply(*at, event);
    }
    state
}

/// Compares what a snapshot gave back, and says what differs.
fn assert_same(restored: &State, state: &State) {
    for (mine, theirs) in restored.agents().zip(state.agents()) {
        assert_eq!(mine, theirs, "an agent");
    }
    for (mine, theirs) in restored.tickets().zip(state.tickets()) {
        assert_eq!(mine, theirs, "a ticket");
    }
    assert_eq!(restored.timers, state.timers);
    assert_eq!(restored.waiting_by_route, state.waiting_by_route);
    for open in state.tickets() {
        assert_eq!(restored.estimate(&open.ticket), state.estimate(&open.ticket));
    }
    assert!(restored == state, "the snapshot gives the state");
}

/// Lets a day go on beside states that were restored from a snapshot of its beginning.
fn a_day_goes_on_the_same(seed: u64, features: bool) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let mut day = Day::new(seed, features);
    for _ in 0..random.random_range(0..150) {
        day.act();
    }
    let (events, inputs) = (day.world.journal.len(), day.inputs.len());
    let bytes = day.world.state.to_snapshot().unwrap();
    let mut from_journal = replayed(&day.world, events);
    assert!(from_journal.to_snapshot().unwrap() == bytes, "a replayed state has the same bytes");
    let mut from_bytes = restored(&day.world.state);
    assert_same(&from_bytes, &day.world.state);
    assert!(from_bytes == from_journal, "the snapshot gives what the journal gives");
    assert!(from_bytes.to_snapshot().unwrap() == bytes, "a restored state has the same bytes");
    let mut unhurried = restored(&day.world.state);
    from_journal.gather_all();
    from_bytes.gather_all();
    for _ in 0..75 {
        day.act();
    }
    let mut told: Vec<(_, Event)> = Vec::new();
    let gathers = |state: &State| state.policy().is_some_and(|p| p.batching.gather_ms > 0);
    let mut gathered = gathers(&unhurried);
    for (at, input) in &day.inputs[inputs..] {
        let replayed = step(&mut from_journal, input.clone(), *at);
        let restored = step(&mut from_bytes, input.clone(), *at);
        assert!(replayed == restored, "it goes on as if the journal had been read");
        // Who had gathered is not in a snapshot: only without that is it as if nothing had been.
        gathered |= gathers(&from_bytes);
        if !gathered {
            let events = step(&mut unhurried, input.clone(), *at).expect("it was accepted");
            told.extend(events.into_iter().map(|event| (*at, event)));
        }
    }
    assert!(day.world.journal[events..].starts_with(&told), "it goes on as if nothing had been");
    assert!(gathered || unhurried == day.world.state, "and ends the same");
    let ended = from_journal.to_snapshot().unwrap();
    assert!(from_bytes.to_snapshot().unwrap() == ended, "and has the same bytes");
    day.world.journal.len()
}

/// Days until so many events have happened.
fn days(seeds: impl Iterator<Item = u64>, events: usize, features: bool) {
    let mut seen = 0;
    for seed in seeds {
        if seen >= events {
            break;
        }
        let told = std::panic::catch_unwind(|| a_day_goes_on_the_same(seed, features));
        seen += told.unwrap_or_else(|_| panic!("the day of seed {seed} broke a promise"));
    }
}

#[test]
fn days_go_on_the_same_from_a_snapshot() {
    days(3_000_000_000.., 100_000, false);
}

#[test]
fn days_go_on_the_same_from_a_snapshot_whatever_the_policy() {
    days(4_000_000_000.., 200_000, true);
}

/// What form 1 wrote of a random day, whatever the policy: that of seed 6,000,002,724 after 120 acts.
const GOLDEN: &[u8] = include_bytes!("golden/snapshot_v1.bin");

#[test]
fn a_golden_snapshot_is_readable_and_still_written_the_same() {
    let state = State::from_snapshot(GOLDEN).expect("what was written once can be read");
    assert!(state.to_snapshot().unwrap() == GOLDEN, "a new form needs a new number and a new file");
    let statuses = [Status::Received, Status::Queued, Status::Offered, Status::Assigned];
    let tickets = statuses.map(|status| state.tickets().filter(|t| t.status == status).count());
    assert_eq!(tickets, [8, 2, 1, 1]);
    let declined = state.tickets().filter(|open| !open.declined.is_empty()).count();
    let handed = state.tickets().filter(|open| open.target.is_some()).count();
    let wrapping_up = state.agents().filter(|(_, agent)| !agent.wrap_ups.is_empty()).count();
    let in_shifts = state.agents().filter(|(_, agent)| agent.profile.shifts.is_some()).count();
    let used: Vec<u32> = state.agents().map(|(_, agent)| agent.used_units()).collect();
    let seen = (declined, handed, wrapping_up, in_shifts, used, state.next_due());
    let due = Some(UnixMillis(9_557_585));
    assert_eq!(seen, (3, 0, 0, 1, vec![0, 2, 0, 0, 0], due));
}

#[test]
fn a_snapshot_of_another_form_says_which_and_which_is_known() {
    let mut bytes = GOLDEN.to_vec();
    bytes[..4].copy_from_slice(&7_u32.to_le_bytes());
    let error = State::from_snapshot(&bytes).unwrap_err();
    assert_eq!(error, SnapshotError::Format { found: 7, known: FORMAT });
    assert_eq!(error.to_string(), "the snapshot has form 7, not 1");
}

/// Snapshots of random days, and the golden one.
fn snapshots() -> Vec<Vec<u8>> {
    let of_day = |seed| {
        let mut day = Day::new(seed, true);
        for _ in 0..150 {
            day.act();
        }
        day.world.state.to_snapshot().unwrap()
    };
    (5_000_000_000..5_000_000_008).map(of_day).chain([GOLDEN.to_vec()]).collect()
}

/// Damages bytes as disks, networks and mistakes do.
fn damage(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let at = random.random_range(0..bytes.len());
    let to = random.random_range(at..bytes.len());
    match random.random_range(0..6) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 => bytes.truncate(at),
        3 => drop(bytes.splice(at..=at, long(random.random()))),
        4 => drop(bytes.drain(at..to.min(at + 20))),
        _ => {
            let copied = bytes[at..to.min(at + 50)].to_vec();
            let into = random.random_range(0..bytes.len());
            bytes.splice(into..into, copied);
        }
    }
}

/// A length as a snapshot writes one.
fn long(length: u64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u64(length);
    writer.bytes
}

/// Reads damaged bytes. A state that still comes of them is whole: it can be written, read and stepped.
fn read_damaged(bytes: &[u8]) -> bool {
    let Ok(mut state) = State::from_snapshot(bytes) else { return false };
    assert!(restored(&state) == state, "what was read is a state like any other");
    state.gather_all();
    let now = UnixMillis(100_000_000);
    step(&mut state, Input::Tick, now).expect("a tick is never refused");
    true
}

#[test]
fn damaged_snapshots_give_an_error_or_a_whole_state() {
    let snapshots = snapshots();
    let mut random = StdRng::seed_from_u64(1);
    let mut readable = 0;
    for round in 0..10_000 {
        let mut bytes = snapshots[round % snapshots.len()].clone();
        for _ in 0..random.random_range(1..4) {
            if !bytes.is_empty() {
                damage(&mut bytes, &mut random);
            }
        }
        readable += usize::from(read_damaged(&bytes));
    }
    assert!(readable > 100, "some damage must get past the first checks, not {readable} times");
}

#[test]
fn a_length_that_is_wrong_asks_for_no_memory() {
    let bytes = &snapshots()[0];
    for at in FORMAT.to_le_bytes().len()..bytes.len() {
        for length in [1 << 20, 1 << 40, u64::MAX] {
            let mut bytes = bytes.clone();
            bytes.splice(at..=at, long(length));
            // A list of so many would end the program, if anything were to be made ready for it.
            drop(State::from_snapshot(&bytes));
        }
    }
}

#[test]
fn every_cut_of_a_snapshot_is_found_out() {
    let bytes = &snapshots()[0];
    for end in 0..bytes.len() {
        assert!(State::from_snapshot(&bytes[..end]).is_err(), "cut at {end}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(State::from_snapshot(&longer).is_err(), "nothing may come after it");
}
