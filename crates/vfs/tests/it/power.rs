//! The power fails at every sync and anywhere between: what was acknowledged is there, and nothing half.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use evenhand_vfs::{
    self as vfs,
    power::{Call, Disk, Event, Failure, Mercy, Plan, Power},
};
use rand::{Rng, RngExt, rngs::SmallRng};
use rusqlite::Connection;

use crate::ledger::{self, Ledger, apply, changes, count, is_sound, note, random, read};

/// A layer of checks over one that cuts the power, both under names of their own.
fn layers(name: &str) -> (Power, String) {
    let (below, above) = (format!("power-{name}"), format!("checked-{name}"));
    let power = Power::register(&below).unwrap();
    vfs::checked::register_over(&above, &below).unwrap();
    (power, above)
}

/// A transaction as the record has it.
struct Commit {
    /// Calls before it was asked for.
    asked: usize,
    /// Calls when it was acknowledged.
    acknowledged: usize,
    /// What the database held then.
    digest: u64,
}

fn digest(copy: &Ledger) -> u64 {
    let mut hasher = DefaultHasher::new();
    copy.hash(&mut hasher);
    hasher.finish()
}

/// Runs five hundred operations: commits, rollbacks, checkpoints of every kind, reopenings.
fn script(name: &str, seed: u64) -> (Vec<Event>, Vec<Commit>) {
    const OPERATIONS: usize = 500;
    let (power, layer) = layers(name);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (mut random, mut copy, mut commits) = (random(seed), Ledger::new(), Vec::new());
    let open = || {
        let connection = ledger::writer(&path, &layer).unwrap();
        connection.pragma_update(None, "cache_size", 12).unwrap();
        connection.pragma_update(None, "wal_autocheckpoint", 150).unwrap();
        connection
    };
    let mut connection = Some(open());
    for _ in 0..OPERATIONS {
        let now = connection.as_ref().unwrap();
        match random.random_range(0..50) {
            0 | 1 => {
                let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][random.random_range(0..4)];
                now.execute_batch(&format!("PRAGMA wal_checkpoint({mode})")).unwrap();
            }
            2 => {
                drop(connection.take());
                connection = Some(open());
            }
            4..7 => {
                now.execute_batch("BEGIN IMMEDIATE").unwrap();
                apply(now, &changes(&mut random)).unwrap();
                now.execute_batch("ROLLBACK").unwrap();
            }
            what => {
                // Now and then most is taken away, and the database becomes shorter.
                let changes = match what {
                    3 => (40..300).map(|key| (key, None)).collect(),
                    _ => changes(&mut random),
                };
                now.execute_batch("BEGIN IMMEDIATE").unwrap();
                apply(now, &changes).unwrap();
                let asked = power.place();
                now.execute_batch("COMMIT").unwrap();
                note(&mut copy, &changes);
                let (acknowledged, digest) = (power.place(), digest(&copy));
                commits.push(Commit { asked, acknowledged, digest });
                if what == 3 {
                    now.execute_batch("VACUUM; PRAGMA wal_checkpoint").unwrap();
                }
            }
        }
    }
    drop(connection);
    (power.take(), commits)
}

/// What was found after the power failed.
#[derive(Debug, Default)]
struct Tally {
    cuts: usize,
    /// A transaction that was not acknowledged was there nevertheless.
    ahead: usize,
    /// The mark was behind, absent or damaged; the log was believed.
    without_mark: usize,
}

/// Opens what the disk holds; fails unless all that was acknowledged is there, and nothing half.
fn check(folder: &Path, at: usize, commits: &[Commit], tally: &mut Tally, what: &str) {
    let path = folder.join("ledger.db");
    let state = match vfs::wal::verify(&path) {
        Ok(state) => state,
        Err(error) => panic!("{what}: refused wrongly: {error}"),
    };
    let done = commits.iter().take_while(|commit| commit.acknowledged <= at).count();
    let asked = commits.iter().take_while(|commit| commit.asked <= at).count();
    let connection = ledger::open(&path, vfs::NAME).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{what}: {error}, {:?}", vfs::last_damage()));
    let empty = digest(&Ledger::new());
    let found = match tables {
        2 => digest(&read(&connection).unwrap_or_else(|error| panic!("{what}: {error}"))),
        _ => empty,
    };
    assert!(is_sound(&connection).unwrap(), "{what}: unsound");
    let before = if done == 0 { empty } else { commits[done - 1].digest };
    let is_ahead = found != before;
    let is_next = asked > done && found == commits[done].digest;
    assert!(!is_ahead || is_next, "{what}: {done} acknowledged, found something else");
    tally.cuts += 1;
    tally.ahead += usize::from(is_ahead);
    tally.without_mark += usize::from(!matches!(state.mark, vfs::mark::Mark::Claim(_)));
}

/// Cuts the power at places of the record, each time with one of the mercies.
fn cut(events: &[Event], commits: &[Commit], places: &[(usize, Mercy)], random: &mut SmallRng) {
    let (mut disk, mut tally, mut taken) = (Disk::default(), Tally::default(), 0);
    for (place, mercy) in places {
        for event in &events[taken..*place] {
            disk.take(event);
        }
        taken = *place;
        let folder = tempfile::tempdir().unwrap();
        disk.cut(folder.path(), *mercy, &mut || random.next_u64()).unwrap();
        check(folder.path(), taken, commits, &mut tally, &format!("call {place}, {mercy:?}"));
    }
    println!("{tally:?}; acknowledged and lost 0, half 0, refused wrongly 0");
}

#[test]
fn power_failing_at_every_sync_loses_nothing() {
    let (events, commits) = script("sync", 11);
    let is_sync = |event: &Event| matches!(event, Event::Synced(_) | Event::Deleted(_, true));
    let mut places = Vec::new();
    for place in (0..events.len()).filter(|place| is_sync(&events[*place])) {
        places.extend([(place, Mercy::Sectors), (place, Mercy::None)]);
        places.extend([(place + 1, Mercy::Sectors), (place + 1, Mercy::All)]);
    }
    let step = places.len().div_ceil(count(1_200, usize::MAX)).max(1);
    let places: Vec<_> = places.into_iter().step_by(step | 1).collect();
    println!("{} calls, {} commits", events.len(), commits.len());
    cut(&events, &commits, &places, &mut random(12));
}

#[test]
fn power_failing_anywhere_loses_nothing() {
    let (events, commits) = script("anywhere", 13);
    let mut random = random(14);
    let mut places: Vec<_> = (0..count(1_200, 10_000))
        .map(|_| (random.random_range(0..=events.len()), Mercy::ALL[random.random_range(0..4)]))
        .collect();
    places.sort_by_key(|(place, _)| *place);
    cut(&events, &commits, &places, &mut random);
}

/// What a connection said to a transaction.
fn commit(connection: &Connection, changes: &[ledger::Change]) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = apply(connection, changes).and_then(|()| connection.execute_batch("COMMIT"));
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    done
}

/// Fails the n-th call while transactions run; then the power fails, and later the disk is well again.
fn fail(power: &Power, layer: &str, plan: Plan, seed: u64) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (mut random, mut copy) = (random(seed), Ledger::new());
    drop(power.take());
    let connection = ledger::writer(&path, layer).unwrap();
    connection.pragma_update(None, "cache_size", 12).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 40).unwrap();
    power.plan(Some(plan));
    let mut unknown = None;
    for _ in 0..12 {
        let changes = changes(&mut random);
        match commit(&connection, &changes) {
            Ok(()) => note(&mut copy, &changes),
            Err(error) => {
                let rusqlite::Error::SqliteFailure(failure, _) = &error else { panic!("{error}") };
                if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC {
                    // The program ends here: it is unknown whether the transaction is durable.
                    unknown = Some(changes);
                    break;
                }
            }
        }
    }
    let has_failed = power.plan(None) > 0;
    let mut disk = Disk::default();
    power.take().iter().for_each(|event| disk.take(event));
    let mut possible = vec![copy.clone()];
    if let Some(changes) = unknown {
        note(&mut copy, &changes);
        possible.push(copy);
    }
    // The process dies: files are as they are, or the power fails as well.
    for mercy in Mercy::ALL {
        let after = tempfile::tempdir().unwrap();
        disk.cut(after.path(), mercy, &mut || random.next_u64()).unwrap();
        let path = after.path().join("ledger.db");
        vfs::wal::verify(&path).unwrap_or_else(|error| panic!("{plan:?}, {mercy:?}: {error}"));
        let connection = ledger::writer(&path, vfs::NAME).unwrap();
        let found = read(&connection).unwrap();
        assert!(possible.contains(&found), "{plan:?}, {mercy:?}");
        assert!(is_sound(&connection).unwrap(), "{plan:?}, {mercy:?}");
    }
    has_failed
}

#[test]
fn a_full_or_failing_disk_loses_nothing() {
    let (power, layer) = layers("failing");
    let mut runs = 0;
    for (call, failure, lasts) in [
        (Call::Write, Failure::Full, false),
        (Call::Write, Failure::Half, false),
        (Call::Write, Failure::Full, true),
        (Call::Write, Failure::Io, false),
        (Call::Sync, Failure::Io, false),
    ] {
        let step = count(9, 1) as u64;
        let mut nth = 1;
        while fail(&power, &layer, Plan { call, nth, failure, lasts }, 20) {
            nth += step;
            runs += 1;
        }
    }
    println!("{runs} failing calls, each until no call was left to fail");
    assert!(runs > 20, "{runs}");
}

#[test]
fn a_commit_called_failed_after_its_sync_is_written_over_and_not_missed() {
    let (power, layer) = layers("index");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let connection = ledger::writer(&path, &layer).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let (mut random, mut before) = (random(30), Ledger::new());
    // The index grows for the second time after more than four thousand frames.
    power.plan(Some(Plan { call: Call::IndexGrowth, nth: 1, failure: Failure::Io, lasts: false }));
    let failed = loop {
        let changes: Vec<_> =
            (0..80).map(|key| (key, Some(vec![random.random(); 5_000]))).collect();
        if commit(&connection, &changes).is_err() {
            break changes;
        }
        note(&mut before, &changes);
    };
    assert_eq!(power.plan(None), 1);
    let failed_at = power.place();
    let (mut with_failed, mut after) = (before.clone(), before.clone());
    note(&mut with_failed, &failed);
    let change = [(1_000, Some(vec![1; 20_000]))];
    commit(&connection, &change).unwrap();
    note(&mut after, &change);
    let (events, mut disk) = (power.take(), Disk::default());
    let possible = [before, with_failed, after];
    for (place, event) in events.iter().enumerate() {
        disk.take(event);
        if place + 1 < failed_at {
            continue;
        }
        // All is what is there when only the process dies.
        for mercy in [Mercy::All, Mercy::Prefix, Mercy::Sectors, Mercy::Sectors] {
            let left = tempfile::tempdir().unwrap();
            disk.cut(left.path(), mercy, &mut || random.next_u64()).unwrap();
            let path = left.path().join("ledger.db");
            vfs::wal::verify(&path).unwrap_or_else(|error| panic!("{place}, {mercy:?}: {error}"));
            let connection = ledger::open(&path, vfs::NAME).unwrap();
            connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
            assert!(possible.contains(&read(&connection).unwrap()), "{place}, {mercy:?}");
        }
    }
    assert!(events.len() > failed_at, "the next transaction was written");
}
