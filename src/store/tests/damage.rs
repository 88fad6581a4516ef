//! Old, damaged and copied data folders.

use std::{fs, os::unix::fs::FileExt};

use super::*;

/// Commits some tickets and closes the store; the log is in the database then.
fn filled(tickets: u64) -> TempDir {
    let (folder, mut store) = open();
    let mut batch = first_batch();
    for number in 1..=tickets {
        add_ticket(&mut batch, number, &format!("T-{number}"), "cust");
    }
    store.commit(&batch).unwrap();
    drop(store);
    folder
}

fn flip(path: &std::path::Path, at: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 0x10;
    file.write_all_at(&byte, at).unwrap();
}

#[test]
fn a_database_without_checksums_gets_them_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Connection::open(sqlite::database(folder.path())).unwrap();
    plain.execute_batch(include_str!("../migrations/sqlite_0001_journal.sql")).unwrap();
    plain.pragma_update(None, "application_id", 0x4556_4e48).unwrap();
    plain.pragma_update(None, "user_version", 1).unwrap();
    plain.execute("INSERT INTO workspace VALUES ('acme', 7)", []).unwrap();
    let body = records::encode(&received("T-1")).unwrap();
    let insert =
        "INSERT INTO journal VALUES ('acme', 1, 1000, 'ticket_received', 'T-1', NULL, NULL, 1, ?1)";
    plain.execute(insert, [body]).unwrap();
    drop(plain);
    for _ in 0..2 {
        let store = Store::open(&at(&folder)).unwrap();
        assert_eq!(store.workspaces().unwrap(), [(workspace(), UnixMillis(7))]);
        assert_eq!(replayed(&store).unwrap(), [entry(1, received("T-1"))]);
        drop(store);
        assert!(evenhand_vfs::is_checked(&raw(&folder)).unwrap());
    }
}

#[test]
fn a_flipped_bit_is_never_read_as_if_nothing_was() {
    let folder = filled(200);
    let path = sqlite::database(folder.path());
    let sound = fs::read(&path).unwrap();
    let read = || {
        let store = Store::open(&at(&folder))?;
        Ok::<_, Error>((store.workspaces()?, replayed(&store)?, store.open_tickets(&workspace())?))
    };
    let expected = read().unwrap();
    let mut found = 0;
    for at in (40..sound.len() as u64).step_by(sound.len() / 97) {
        fs::write(&path, &sound).unwrap();
        flip(&path, at);
        match read() {
            Ok(got) => assert!(got == expected, "a flip at {at} is read as if nothing was"),
            Err(_) => found += 1,
        }
        // What is left beside it is of the damaged one.
        for name in ["evenhand.db-wal", "evenhand.db-shm", "evenhand.mark"] {
            let _ = fs::remove_file(folder.path().join(name));
        }
    }
    assert!(found > 20, "{found}");
}

#[test]
fn a_log_that_lost_a_commit_is_refused() {
    let (folder, mut store) = open();
    store.commit(&first_batch()).unwrap();
    for number in 1..=3 {
        let mut batch = Batch::default();
        add_ticket(&mut batch, number, &format!("T-{number}"), "");
        store.commit(&batch).unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    for name in ["evenhand.db", "evenhand.db-wal", "evenhand.mark"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let log = copy.path().join("evenhand.db-wal");
    let length = log.metadata().unwrap().len();
    assert_eq!(replayed(&Store::open(&at(&copy)).unwrap()).unwrap().len(), 3);
    for damage in [length / 2, length - 100] {
        for name in ["evenhand.db", "evenhand.db-wal", "evenhand.mark"] {
            fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        flip(&log, damage);
        let error = Store::open(&at(&copy)).err().unwrap();
        assert!(matches!(error, Error::Log { .. }), "{error}");
    }
}

#[test]
fn a_copy_made_beside_a_writer_has_what_was_durable() {
    let (folder, mut store) = open();
    let mut batch = first_batch();
    add_ticket(&mut batch, 1, "T-1", "cust");
    store.commit(&batch).unwrap();
    let [copy, again] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    back_up(folder.path(), copy.path()).unwrap();
    let mut later = Batch::default();
    add_ticket(&mut later, 2, "T-2", "cust");
    store.commit(&later).unwrap();
    let contents = check(copy.path(), |_| {}).unwrap();
    assert_eq!((contents.workspaces, contents.entries), (1, 1));
    let taken = back_up(folder.path(), copy.path()).unwrap_err();
    assert!(matches!(taken, Error::Taken { .. }), "{taken}");
    restore(copy.path(), again.path()).unwrap();
    let restored = Store::open(&at(&again)).unwrap();
    assert_eq!(replayed(&restored).unwrap(), [batch.entries[0].1.clone()]);
    let in_use = restore(copy.path(), again.path()).unwrap_err();
    assert!(matches!(in_use, Error::InUse { .. }), "{in_use}");
    drop(restored);
    assert!(evenhand_vfs::is_checked(&raw(&again)).unwrap());
    flip(&sqlite::database(copy.path()), 9_000);
    assert!(check(copy.path(), |_| {}).is_err());
}
