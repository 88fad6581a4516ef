//! Ordinary days: what goes in through the layer comes out again, whatever happens in between.

use std::path::Path;

use evenhand_vfs as vfs;
use rand::RngExt;
use rusqlite::Connection;

use crate::ledger::{self, Ledger, apply, changes, count, is_sound, note, random, read};

/// Small enough that larger transactions write into the log before they end, and write frames over.
const CACHE_PAGES: i64 = 12;

fn writer(path: &Path) -> Connection {
    let connection = ledger::writer(path, vfs::NAME).unwrap();
    connection.pragma_update(None, "cache_size", CACHE_PAGES).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 100).unwrap();
    connection
}

#[test]
fn random_days_match_the_copy() {
    for seed in 0..count(6, 60) as u64 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        day(&path, seed);
    }
}

fn day(path: &Path, seed: u64) {
    let mut random = random(seed);
    let (mut copy, mut connection) = (Ledger::new(), Some(writer(path)));
    let reader = ledger::reader(path, vfs::NAME).unwrap();
    let mut snapshot: Option<Ledger> = None;
    for step in 0..250 {
        let writer_now = connection.as_ref().unwrap();
        match random.random_range(0..40) {
            0 => {
                let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][random.random_range(0..4)];
                let sql = format!("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint({mode})");
                writer_now.execute_batch(&sql).unwrap();
            }
            1 => {
                drop(connection.take());
                vfs::wal::verify(path).unwrap();
                connection = Some(writer(path));
            }
            2 => vacuumed(writer_now, &mut random, &mut copy),
            3..5 => rolled_back(writer_now, &mut random),
            5..9 if snapshot.is_none() => {
                reader.execute_batch("BEGIN").unwrap();
                assert_eq!(read(&reader).unwrap(), copy, "seed {seed}, step {step}");
                snapshot = Some(copy.clone());
            }
            9..13 => {
                if let Some(before) = snapshot.take() {
                    assert_eq!(read(&reader).unwrap(), before, "seed {seed}, step {step}");
                    reader.execute_batch("COMMIT").unwrap();
                }
            }
            _ => committed(writer_now, &mut random, &mut copy),
        }
        vfs::wal::verify(path).unwrap();
    }
    drop(snapshot);
    let connection = connection.unwrap();
    assert_eq!(read(&connection).unwrap(), copy, "seed {seed}");
    assert!(is_sound(&connection).unwrap(), "seed {seed}");
    assert!(vfs::is_checked(&connection).unwrap());
}

/// A transaction with a part in it that is taken back.
fn committed(connection: &Connection, random: &mut rand::rngs::SmallRng, copy: &mut Ledger) {
    let (kept, lost, more) = (changes(random), changes(random), changes(random));
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    apply(connection, &kept).unwrap();
    note(copy, &kept);
    if random.random_ratio(1, 3) {
        connection.execute_batch("SAVEPOINT part").unwrap();
        apply(connection, &lost).unwrap();
        connection.execute_batch("ROLLBACK TO part").unwrap();
        apply(connection, &more).unwrap();
        note(copy, &more);
        // Reads frames that are not sealed yet.
        assert_eq!(read(connection).unwrap(), *copy);
    }
    connection.execute_batch("COMMIT").unwrap();
}

/// Takes most away and gives its pages back; a reader may be in the way.
fn vacuumed(connection: &Connection, random: &mut rand::rngs::SmallRng, copy: &mut Ledger) {
    if random.random_ratio(1, 2) {
        connection.execute("DELETE FROM ledger WHERE key > 40", []).unwrap();
        copy.retain(|key, _| *key <= 40);
    }
    connection.execute_batch("VACUUM").unwrap();
}

fn rolled_back(connection: &Connection, random: &mut rand::rngs::SmallRng) {
    let lost = changes(random);
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    apply(connection, &lost).unwrap();
    connection.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn a_database_without_checksums_is_read_recognised_and_converted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut copy = Ledger::new();
    let mut random = random(1);
    {
        let plain = Connection::open(&path).unwrap();
        plain.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        plain
            .execute_batch(
                "CREATE TABLE ledger (key INTEGER PRIMARY KEY, value BLOB NOT NULL);
             CREATE INDEX by_length ON ledger (length(value), key);",
            )
            .unwrap();
        for _ in 0..50 {
            let changes = changes(&mut random);
            apply(&plain, &changes).unwrap();
            note(&mut copy, &changes);
        }
    }
    let connection = ledger::open(&path, vfs::NAME).unwrap();
    assert_eq!(vfs::prepare(&connection).unwrap(), vfs::Standing::Plain);
    assert_eq!(read(&connection).unwrap(), copy);
    assert!(!vfs::is_checked(&connection).unwrap());
    vfs::convert(&connection).unwrap();
    assert!(vfs::is_checked(&connection).unwrap());
    drop(connection);
    let connection = ledger::writer(&path, vfs::NAME).unwrap();
    assert_eq!(vfs::prepare(&connection).unwrap(), vfs::Standing::Checked);
    assert_eq!(read(&connection).unwrap(), copy);
    assert!(is_sound(&connection).unwrap());
    drop(connection);
    // Every page of the file has a checksum now.
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.chunks(vfs::PAGE_BYTES).all(|page| page[4080..4084] == *b"EVH1"));
}

#[test]
fn pages_that_sqlite_leaves_out_have_checksums_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let connection = ledger::open(&path, vfs::NAME).unwrap();
    vfs::prepare(&connection).unwrap();
    // With a rollback journal, pages that were freed before they were written are left out.
    connection
        .execute_batch(
            "CREATE TABLE gone (value); CREATE TABLE stays (value);
             BEGIN; INSERT INTO gone VALUES (zeroblob(100000));
             INSERT INTO stays VALUES (zeroblob(20000)); DELETE FROM gone; COMMIT",
        )
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 120_000, "{}", bytes.len());
    assert!(bytes.chunks(vfs::PAGE_BYTES).all(|page| page[4080..4084] == *b"EVH1"));
    let copied = folder.path().join("copy.db");
    let mut copy = ledger::open(&copied, vfs::NAME).unwrap();
    // A backup reads pages that hold nothing, too.
    let backup = rusqlite::backup::Backup::new(&connection, &mut copy).unwrap();
    backup.run_to_completion(7, std::time::Duration::ZERO, None).unwrap();
    drop(backup);
    assert!(vfs::is_checked(&copy).unwrap());
    assert!(is_sound(&copy).unwrap());
}

#[test]
fn a_connection_without_the_layer_is_told_so_and_pages_cannot_be_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let connection = ledger::writer(&path, vfs::NAME).unwrap();
    let mapped: i64 =
        connection.query_row("PRAGMA mmap_size = 1000000", [], |row| row.get(0)).unwrap();
    assert_eq!(mapped, 0);
    let plain = Connection::open(folder.path().join("plain.db")).unwrap();
    assert!(matches!(vfs::is_checked(&plain), Err(vfs::Error::OtherLayer)));
}

#[test]
fn a_backup_through_the_layer_has_checksums_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copied) = (folder.path().join("ledger.db"), folder.path().join("copy.db"));
    let (mut copy, mut random) = (Ledger::new(), random(2));
    let connection = writer(&path);
    for _ in 0..40 {
        committed(&connection, &mut random, &mut copy);
    }
    connection.execute("VACUUM INTO ?1", [copied.to_str().unwrap()]).unwrap();
    let copied = ledger::reader(&copied, vfs::NAME).unwrap();
    assert_eq!(read(&copied).unwrap(), copy);
    assert!(is_sound(&copied).unwrap());
    assert!(vfs::is_checked(&copied).unwrap());
}
