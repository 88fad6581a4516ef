//! A database with two tables and a copy of what must be in it, kept by other means.

use std::{collections::BTreeMap, path::Path};

use evenhand_vfs as vfs;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rusqlite::{Connection, OpenFlags, params};

/// What must be in the table: values by key.
pub(crate) type Ledger = BTreeMap<i64, Vec<u8>>;

/// Returns how often something is tried: the variable `EVENHAND_VFS_FULL` asks for the full numbers.
pub(crate) fn count(quick: usize, full: usize) -> usize {
    if std::env::var_os("EVENHAND_VFS_FULL").is_some() { full } else { quick }
}

pub(crate) fn open(path: &Path, layer: &str) -> rusqlite::Result<Connection> {
    vfs::register().unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path, flags, layer)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

/// Opens the one that writes, as the store does.
pub(crate) fn writer(path: &Path, layer: &str) -> rusqlite::Result<Connection> {
    let connection = open(path, layer)?;
    match vfs::prepare(&connection) {
        Ok(_) => {}
        Err(vfs::Error::Sqlite(error)) => return Err(error),
        Err(error) => panic!("{error}"),
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    assert_eq!(mode, "wal");
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = 200000;
         PRAGMA cell_size_check = 1;
         CREATE TABLE IF NOT EXISTS ledger (key INTEGER PRIMARY KEY, value BLOB NOT NULL);
         CREATE INDEX IF NOT EXISTS by_length ON ledger (length(value), key);",
    )?;
    Ok(connection)
}

/// Opens one that only reads.
pub(crate) fn reader(path: &Path, layer: &str) -> rusqlite::Result<Connection> {
    vfs::register().unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags_and_vfs(path, flags, layer)
}

/// One change: a value to put under a key, or none to take away what is there.
pub(crate) type Change = (i64, Option<Vec<u8>>);

/// Makes up a transaction; some are larger than a small cache.
pub(crate) fn changes(random: &mut SmallRng) -> Vec<Change> {
    let count = match random.random_range(0..20) {
        0 => random.random_range(60..160),
        1..5 => random.random_range(8..30),
        _ => random.random_range(1..6),
    };
    (0..count).map(|_| change(random)).collect()
}

fn change(random: &mut SmallRng) -> Change {
    let key = random.random_range(0..300);
    if random.random_ratio(1, 4) {
        return (key, None);
    }
    let bytes = match random.random_range(0..10) {
        // On overflow pages of its own.
        0 => random.random_range(4_000..14_000),
        _ => random.random_range(0..600),
    };
    let mut value = vec![0; bytes];
    random.fill(&mut value[..]);
    (key, Some(value))
}

/// Makes changes in the database, in a transaction that the caller has begun.
pub(crate) fn apply(connection: &Connection, changes: &[Change]) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO ledger VALUES (?1, ?2)")?;
    let mut take = connection.prepare_cached("DELETE FROM ledger WHERE key = ?1")?;
    for (key, value) in changes {
        match value {
            Some(value) => put.execute(params![key, value])?,
            None => take.execute(params![key])?,
        };
    }
    Ok(())
}

/// Makes the same changes in the copy.
pub(crate) fn note(ledger: &mut Ledger, changes: &[Change]) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(ledger.insert(*key, value.clone())),
            None => drop(ledger.remove(key)),
        }
    }
}

/// Reads everything, by the table and by the index.
pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Ledger> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM ledger")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ledger: Ledger = rows.collect::<Result<_, _>>()?;
    let by_index: i64 = connection.query_row(
        "SELECT count(*) FROM ledger INDEXED BY by_length WHERE length(value) >= 0",
        [],
        |row| row.get(0),
    )?;
    assert_eq!(usize::try_from(by_index).unwrap(), ledger.len(), "index and table differ");
    Ok(ledger)
}

/// Whether SQLite finds nothing wrong.
pub(crate) fn is_sound(connection: &Connection) -> rusqlite::Result<bool> {
    let answer: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    Ok(answer == "ok")
}

pub(crate) fn random(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}
