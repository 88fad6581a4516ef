//! Every kind of damage to every file: found, or without consequence. Never silently wrong.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use evenhand_vfs as vfs;
use rand::{RngExt, rngs::SmallRng};

use crate::ledger::{self, Ledger, apply, changes, count, is_sound, note, random, read};

/// A folder as a killed process leaves it, and what it had committed.
struct Scene {
    database: Vec<u8>,
    log: Vec<u8>,
    mark: Vec<u8>,
    copy: Ledger,
}

const FILES: [&str; 3] = ["ledger.db", "ledger.db-wal", "ledger.mark"];

impl Scene {
    /// Commits a while; the log is long, or was begun anew and has old frames behind the new ones.
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILES[0]);
        let (mut random, mut copy) = (random(seed), Ledger::new());
        let connection = ledger::writer(&path, vfs::NAME).unwrap();
        let pages = if seed.is_multiple_of(2) { 60 } else { 100_000 };
        connection.pragma_update(None, "wal_autocheckpoint", pages).unwrap();
        for step in 0..70 {
            let changes = changes(&mut random);
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            apply(&connection, &changes).unwrap();
            connection.execute_batch("COMMIT").unwrap();
            note(&mut copy, &changes);
            if step == 30 {
                connection.execute_batch("PRAGMA wal_checkpoint(RESTART)").unwrap();
            }
        }
        let file = |name| fs::read(folder.path().join(name)).unwrap();
        Self { database: file(FILES[0]), log: file(FILES[1]), mark: file(FILES[2]), copy }
    }

    fn lay_out(&self, folder: &Path) -> PathBuf {
        for (name, bytes) in FILES.iter().zip([&self.database, &self.log, &self.mark]) {
            fs::write(folder.join(name), bytes).unwrap();
        }
        drop(fs::remove_file(folder.join("ledger.db-shm")));
        folder.join(FILES[0])
    }
}

/// What became of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Before the database was opened.
    Refused,
    /// When it was opened or read.
    Failed,
    /// Everything is as it was.
    Harmless,
}

fn fate(path: &Path, copy: &Ledger, what: &str) -> Fate {
    if vfs::wal::verify(path).is_err() {
        return Fate::Refused;
    }
    let everything = || -> rusqlite::Result<(Ledger, bool)> {
        let connection = ledger::writer(path, vfs::NAME)?;
        Ok((read(&connection)?, is_sound(&connection)?))
    };
    match everything() {
        Ok((found, sound)) => {
            assert!(sound, "{what}: unsound, and nobody said so");
            assert!(found == *copy, "{what}: silently wrong");
            Fate::Harmless
        }
        Err(error) => {
            let loud = [rusqlite::ErrorCode::SystemIoFailure, rusqlite::ErrorCode::NotADatabase];
            let code = error.sqlite_error_code().unwrap();
            let is_known = loud.contains(&code) || code == rusqlite::ErrorCode::DatabaseCorrupt;
            assert!(is_known, "{what}: {error}");
            Fate::Failed
        }
    }
}

/// Damages one of the files; returns which, and what was done to it.
fn damage(scene: &mut Scene, random: &mut SmallRng) -> (&'static str, String) {
    let (name, file) = match random.random_range(0..20) {
        0..10 => ("database", &mut scene.database),
        10..18 => ("log", &mut scene.log),
        _ => ("mark", &mut scene.mark),
    };
    match random.random_range(0..20) {
        0..14 => {
            let bit = random.random_range(0..file.len() * 8);
            file[bit / 8] ^= 1 << (bit % 8);
            (name, format!("flip of bit {bit} of the {name}"))
        }
        14..17 => {
            let bytes = random.random_range(0..file.len());
            file.truncate(bytes);
            (name, format!("{name} cut to {bytes} bytes"))
        }
        _ => {
            let (begin, unit) = if name == "log" { (32, 4120) } else { (0, 4096) };
            let count = file.len().saturating_sub(begin) / unit;
            if count < 2 {
                file.clear();
                return (name, format!("{name} emptied"));
            }
            let (one, other) = (random.random_range(0..count), random.random_range(0..count - 1));
            let other = (one + 1 + other) % count;
            let place = |number: usize| begin + number * unit..begin + (number + 1) * unit;
            let (first, second) = (file[place(one)].to_vec(), file[place(other)].to_vec());
            file[place(other)].copy_from_slice(&first);
            if random.random_ratio(1, 2) {
                file[place(one)].copy_from_slice(&second);
            }
            (name, format!("pages {one} and {other} of the {name} exchanged or written twice"))
        }
    }
}

#[test]
fn no_damage_is_silent_and_no_commit_is_lost() {
    let (scenes, each) = (0..8, count(150, 1_250));
    let damages = scenes.clone().count() * each;
    let folder = tempfile::tempdir().unwrap();
    let mut fates: BTreeMap<(&str, Fate), usize> = BTreeMap::new();
    for seed in scenes {
        let scene = Scene::new(seed);
        let path = scene.lay_out(folder.path());
        assert_eq!(fate(&path, &scene.copy, "no damage"), Fate::Harmless);
        let mut random = random(1_000 + seed);
        for round in 0..each {
            let Scene { database, log, mark, copy } = &scene;
            let (database, log, mark) = (database.clone(), log.clone(), mark.clone());
            let mut damaged = Scene { database, log, mark, copy: Ledger::new() };
            let (name, what) = damage(&mut damaged, &mut random);
            let path = damaged.lay_out(folder.path());
            let fate = fate(&path, copy, &format!("scene {seed}, round {round}, {what}"));
            *fates.entry((name, fate)).or_default() += 1;
        }
    }
    println!("{damages} damages: {fates:?}; silently wrong 0, commits lost 0");
    assert!(fates.iter().all(|((name, fate), _)| *name != "mark" || *fate == Fate::Harmless));
}

#[test]
fn the_log_alone_proves_most_of_what_the_mark_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut found = (0, 0, 0);
    for seed in [1, 3, 5, 7] {
        let scene = Scene::new(seed);
        let mut random = random(2_000 + seed);
        for _ in 0..count(50, 500) {
            let path = scene.lay_out(folder.path());
            fs::remove_file(folder.path().join(FILES[2])).unwrap();
            let mut log = scene.log.clone();
            let bit = random.random_range(0..log.len() * 8);
            log[bit / 8] ^= 1 << (bit % 8);
            fs::write(folder.path().join(FILES[1]), log).unwrap();
            if vfs::wal::verify(&path).is_err() {
                found.0 += 1;
            } else if read(&ledger::writer(&path, vfs::NAME).unwrap()).unwrap() == scene.copy {
                found.1 += 1;
            } else {
                found.2 += 1;
            }
        }
    }
    let (proved, harmless, last) = found;
    println!(
        "flips in the log without a mark: {proved} proved, {harmless} harmless, {last} of the end"
    );
    assert!(last * 5 < proved + harmless + last, "{found:?}");
}

#[test]
fn a_header_is_missed_without_a_mark_too() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, mut random) = (Scene::new(1), random(5));
    let path = scene.lay_out(folder.path());
    fs::remove_file(folder.path().join(FILES[2])).unwrap();
    vfs::wal::verify(&path).unwrap();
    let mut log = scene.log.clone();
    let bit = random.random_range(0..32 * 8);
    log[bit / 8] ^= 1 << (bit % 8);
    fs::write(folder.path().join(FILES[1]), &log).unwrap();
    let error = vfs::wal::verify(&path).unwrap_err();
    assert!(matches!(error, vfs::wal::WalDamage::Header { .. }), "{error}");
    // A header that was never written has nothing behind it, or zeros.
    log.truncate(32);
    fs::write(folder.path().join(FILES[1]), &log).unwrap();
    vfs::wal::verify(&path).unwrap();
}

#[test]
fn an_emptied_database_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(1);
    let path = scene.lay_out(folder.path());
    fs::write(&path, []).unwrap();
    let error = vfs::wal::verify(&path).unwrap_err();
    assert!(matches!(error, vfs::wal::WalDamage::Database { .. }), "{error}");
    // Without the log too, when that went into the database.
    let path = scene.lay_out(folder.path());
    drop(ledger::writer(&path, vfs::NAME).unwrap());
    assert!(!folder.path().join(FILES[1]).exists());
    vfs::wal::verify(&path).unwrap();
    fs::write(&path, []).unwrap();
    let error = vfs::wal::verify(&path).unwrap_err();
    assert!(matches!(error, vfs::wal::WalDamage::Database { .. }), "{error}");
}

#[test]
fn without_the_layer_the_same_damage_is_silent() {
    // What the test above looks for is there to be found.
    let folder = tempfile::tempdir().unwrap();
    let (scene, mut random, mut silent) = (Scene::new(1), random(3), 0);
    for _ in 0..100 {
        let Scene { database, log, mark, .. } = &scene;
        let (database, log, mark) = (database.clone(), log.clone(), mark.clone());
        let mut damaged = Scene { database, log, mark, copy: Ledger::new() };
        damage(&mut damaged, &mut random);
        let path = damaged.lay_out(folder.path());
        let plain = rusqlite::Connection::open(&path).unwrap();
        silent += usize::from(read(&plain).is_ok_and(|found| found != scene.copy));
    }
    println!("{silent} of 100 damages are silent without the layer");
    assert!(silent > 20, "{silent}");
}

#[test]
fn damage_under_an_open_database_is_found_when_it_is_read() {
    use std::os::unix::fs::FileExt;
    for (file, unit, begin) in [(FILES[0], 4096, 0), (FILES[1], 4120, 32)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILES[0]);
        let (mut random, mut copy) = (random(4), Ledger::new());
        let connection = ledger::writer(&path, vfs::NAME).unwrap();
        let autocheckpoint = if file == FILES[0] { 1 } else { 0 };
        connection.pragma_update(None, "wal_autocheckpoint", autocheckpoint).unwrap();
        for _ in 0..20 {
            let changes = changes(&mut random);
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            apply(&connection, &changes).unwrap();
            connection.execute_batch("COMMIT").unwrap();
            note(&mut copy, &changes);
        }
        let mut options = fs::OpenOptions::new();
        let damaged = options.read(true).write(true).open(folder.path().join(file)).unwrap();
        let pages = (damaged.metadata().unwrap().len() - begin) / unit;
        let (mut failed, mut harmless): (u64, u64) = (0, 0);
        for page in 0..pages {
            let at = begin + page * unit + random.random_range(0..unit);
            let mut byte = [0];
            damaged.read_exact_at(&mut byte, at).unwrap();
            damaged.write_all_at(&[byte[0] ^ 4], at).unwrap();
            let reader = ledger::reader(&path, vfs::NAME).unwrap();
            match read(&reader) {
                Ok(found) => harmless += u64::from(found == copy),
                Err(error) => {
                    let rusqlite::Error::SqliteFailure(failure, _) = error else { panic!() };
                    assert_eq!(failure.extended_code, rusqlite::ffi::SQLITE_IOERR_DATA);
                    failed += 1;
                }
            }
            damaged.write_all_at(&byte, at).unwrap();
        }
        assert_eq!(failed + harmless, pages, "{file}: silently wrong");
        assert!(failed * 5 > harmless, "{file}: {failed} found, {harmless} harmless");
    }
}

#[test]
fn damage_is_named() {
    let scene = Scene::new(1);
    let folder = tempfile::tempdir().unwrap();
    let path = scene.lay_out(folder.path());
    drop(ledger::writer(&path, vfs::NAME).unwrap());
    let mut database = fs::read(&path).unwrap();
    let (third, fourth) = (2 * 4096..3 * 4096, 3 * 4096..4 * 4096);
    database.copy_within(fourth, third.start);
    fs::write(&path, &database).unwrap();
    let connection = ledger::reader(&path, vfs::NAME).unwrap();
    let error = read(&connection).unwrap_err();
    let rusqlite::Error::SqliteFailure(failure, _) = error else { panic!("{error}") };
    assert_eq!(failure.extended_code, rusqlite::ffi::SQLITE_IOERR_DATA);
    // Other tests damage pages too, so only what is in this folder is looked at.
    let named = vfs::last_damage().filter(|damage| damage.path == path);
    if let Some(damage) = named {
        assert_eq!(damage.place, vfs::damage::Place::Page(3));
        assert_eq!(damage.kind, vfs::damage::Kind::Misplaced { number: 4 });
        assert!(damage.to_string().ends_with("ledger.db holds page 4"));
    }
}
