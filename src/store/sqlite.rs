//! Opening an SQLite database: one server for each folder, the schema at the version of this program.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use evenhand_vfs::{Standing, mark::Mark, wal};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::{
    Error,
    database::{Database, Engine},
};

/// The database in the data folder.
const DATABASE: &str = "evenhand.db";
/// The write-ahead log beside it.
const LOG: &str = "evenhand.db-wal";
/// Held locked while a server uses the folder; the lock ends with the process, however it ends.
const LOCK: &str = "evenhand.lock";
/// "EVNH": tells our databases from others.
const APPLICATION_ID: i32 = 0x4556_4e48;
/// The schema, step by step; the number of steps taken is the schema version.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/sqlite_0001_journal.sql"),
    include_str!("migrations/sqlite_0002_checksums.sql"),
    include_str!("migrations/sqlite_0003_event_cursor.sql"),
    include_str!("migrations/sqlite_0004_alarms.sql"),
];
/// How long to wait for another connection's lock; only checkpoints and backups take one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of the write-ahead log before they are copied into the database (16 MiB).
const CHECKPOINT_PAGES: u32 = 4096;
/// Largest write-ahead log kept after a checkpoint, in bytes.
const LOG_BYTES_KEPT: u32 = 64 * 1024 * 1024;
/// Prepared statements kept for each connection; there are about forty.
const STATEMENTS_KEPT: usize = 64;

/// Returns the path of the database in a data folder.
pub(super) fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Makes the folder when it is missing, readable by its owner only, and takes its lock.
pub(super) fn lock(folder: &Path) -> Result<File, Error> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { action, path, source }
    };
    make_folder(folder)?;
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(failed("open the lock", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
    }
}

/// Makes a folder when it is missing, readable by its owner only.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| Error::File {
        action: "create the folder",
        path: folder.to_owned(),
        source,
    })
}

/// Opens the one connection that writes, and brings the schema up to date.
pub(super) fn writer(folder: &Path) -> Result<Database, Error> {
    let path = database(folder);
    evenhand_vfs::register()?;
    check_log(&path)?;
    let flags = OpenFlags::default();
    let mut connection = Connection::open_with_flags_and_vfs(&path, flags, evenhand_vfs::NAME)?;
    // Before anything else touches it: a new database gets room for checksums with its first page.
    let standing = evenhand_vfs::prepare(&connection)?;
    prepare(&connection)?;
    check_owner(&connection, &path)?;
    if standing == Standing::Plain {
        tracing::info!("the database gets a checksum on every page");
        evenhand_vfs::convert(&connection)?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::NoWriteAheadLog { path });
    }
    // FULL syncs the log at each commit: acknowledged means durable.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    migrate(&mut connection, &path)?;
    sync_folder(folder)?;
    Ok(Database(Engine::Sqlite(connection)))
}

/// Refuses a database whose write-ahead log has lost something that was acknowledged: SQLite would go on without it,
/// and without a word.
fn check_log(path: &Path) -> Result<(), Error> {
    let state = wal::verify(path)
        .map_err(|damage| Error::Log { path: path.to_owned(), damage: damage.to_string() })?;
    match state.mark {
        Mark::Damaged => tracing::warn!("the mark beside the database is damaged; it is made anew"),
        Mark::Absent | Mark::Claim(_) => {}
    }
    if let wal::Log::Round { unfinished, .. } = state.log
        && unfinished > 0
    {
        tracing::info!(unfinished, "the log ends in a transaction that was never acknowledged");
    }
    Ok(())
}

/// Opens a connection that only reads.
pub(super) fn reader(folder: &Path) -> Result<Database, Error> {
    Ok(Database(Engine::Sqlite(read_only(&database(folder))?)))
}

fn read_only(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    evenhand_vfs::register()?;
    let connection = Connection::open_with_flags_and_vfs(path, flags, evenhand_vfs::NAME)?;
    prepare(&connection)?;
    Ok(connection)
}

/// Opens a connection that only reads a folder's database, whether a server has it or not.
///
/// A folder that cannot be written is read as it lies, if no server left a log beside the database.
pub(super) fn folder_reader(folder: &Path) -> Result<Database, Error> {
    let path = database(folder);
    let found = path.metadata().map_err(|source| {
        let action = "read the database";
        Error::File { action, path: path.clone(), source }
    });
    found?;
    if nobody_writes(folder) {
        check_log(&path)?;
    }
    let connection = read_only(&path)?;
    let connection = match check_owner(&connection, &path) {
        Err(Error::Sqlite(error))
            if error.sqlite_error_code() == Some(ErrorCode::CannotOpen)
                && !folder.join(LOG).exists() =>
        {
            frozen(&path)?
        }
        checked => checked.map(|()| connection)?,
    };
    let known = MIGRATIONS.len();
    let found = usize::try_from(pragma(&connection, "user_version")?).unwrap_or(usize::MAX);
    if found > known {
        return Err(Error::Newer { path, found, known });
    }
    Ok(Database(Engine::Sqlite(connection)))
}

/// Returns whether no server has a folder; beside one that writes, the log tells nothing.
fn nobody_writes(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock_shared().is_ok())
}

/// Opens a database that nobody changes.
fn frozen(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let escaped: String = path
        .to_string_lossy()
        .chars()
        .map(|c| match c {
            '%' => "%25".to_owned(),
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            c => c.to_string(),
        })
        .collect();
    let uri = format!("file:{escaped}?immutable=1");
    let connection = Connection::open_with_flags_and_vfs(uri, flags, evenhand_vfs::NAME)?;
    prepare(&connection)?;
    check_owner(&connection, path)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

/// Refuses the database of another program before anything is written into it.
fn check_owner(connection: &Connection, path: &Path) -> Result<(), Error> {
    let found = pragma(connection, "application_id")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found != APPLICATION_ID && (found != 0 || tables != 0) {
        return Err(Error::NotOurs { path: path.to_owned(), found });
    }
    Ok(())
}

/// Takes the missing steps, all or none.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let known = MIGRATIONS.len();
    let found = usize::try_from(pragma(connection, "user_version")?).unwrap_or(usize::MAX);
    if found > known {
        return Err(Error::Newer { path: path.to_owned(), found, known });
    }
    if found == known {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in MIGRATIONS.iter().skip(found) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", u32::try_from(known).unwrap_or(u32::MAX))?;
    transaction.commit()?;
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, Error> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Makes the new files' names durable too; elsewhere than on Unix folders cannot be synced.
pub(super) fn sync_folder(folder: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(|source| Error::File {
            action: "sync the folder",
            path: folder.to_owned(),
            source,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commit_is_synced_and_every_reference_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let Engine::Sqlite(connection) = writer(folder.path()).unwrap().0 else { panic!() };
        // 2 is FULL.
        assert_eq!(pragma(&connection, "synchronous").unwrap(), 2);
        assert_eq!(pragma(&connection, "foreign_keys").unwrap(), 1);
        let reader = read_only(&database(folder.path())).unwrap();
        assert!(reader.execute("DELETE FROM journal", []).is_err(), "readers cannot write");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let _lock = lock(&folder).unwrap();
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
