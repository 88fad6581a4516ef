//! Tests of the store as a whole: durability of batches, damage, old records.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

mod conformance;
mod damage;
mod postgres;

use super::*;
use crate::domain::{
    event::{Entry, Event},
    id::{AgentId, TicketId, WorkspaceId},
    ticket::{Intake, Outcome, Payload, Resolution, Status},
    time::UnixMillis,
};

/// One record of each type of event, as version 1 wrote it. Add lines, never change one.
const GOLDEN: &str = include_str!("golden/journal_v1.jsonl");

fn workspace() -> WorkspaceId {
    WorkspaceId::new("acme").unwrap()
}

fn golden_events() -> Vec<Event> {
    GOLDEN.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn intake() -> Intake {
    Intake {
        channel: "email".to_owned(),
        language: None,
        attributes: BTreeMap::new(),
        requirements: Vec::new(),
        priority: 0,
        target_secs: Some(60),
        preferred_agent: None,
        is_long: false,
    }
}

fn received(ticket: &str) -> Event {
    Event::TicketReceived { ticket: TicketId::new(ticket).unwrap(), intake: intake().into() }
}

fn entry(sequence: u64, event: Event) -> Entry {
    Entry { sequence, at: UnixMillis(1_000 * i64::try_from(sequence).unwrap()), actor: None, event }
}

fn row(number: u64, ticket: &str) -> TicketRow {
    TicketRow {
        number,
        ticket: TicketId::new(ticket).unwrap(),
        sequence: number,
        status: Status::Received,
        holder: None,
        assignee: None,
        epoch: 0,
        offer_sequence: None,
        relaxation_step: 0,
        received_at: UnixMillis(1_000 * i64::try_from(number).unwrap()),
        assigned_at: None,
        closed_at: None,
        target_secs: Some(60),
        fast_tracked: None,
        triaged: None,
        reassigned: false,
        outcome: None,
    }
}

fn payload_of(customer: &str) -> Payload {
    Payload {
        subject: "Subject".to_owned(),
        body: "Body".to_owned(),
        customer: customer.to_owned(),
        segments: BTreeMap::from([("region".to_owned(), "north".to_owned())]),
    }
}

/// A batch that makes the workspace.
fn first_batch() -> Batch {
    Batch { workspaces: vec![(workspace(), UnixMillis(0))], ..Batch::default() }
}

/// Adds a received ticket with this number.
fn add_ticket(batch: &mut Batch, number: u64, ticket: &str, customer: &str) {
    batch.entries.push((workspace(), entry(number, received(ticket))));
    batch.tickets.insert((workspace(), number), row(number, ticket));
    let detail = TicketDetail {
        intake: intake().into(),
        reading: None,
        plan: None,
        requirements: Vec::new(),
    };
    batch.details.insert((workspace(), number), detail);
    let payload = payload_of(customer);
    batch.received.push(NewTicket { workspace: workspace(), number, payload });
}

fn open() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&at(&folder)).unwrap();
    (folder, store)
}

fn at(folder: &TempDir) -> StoreOptions {
    StoreOptions::Folder(folder.path().to_owned())
}

fn raw(folder: &TempDir) -> Connection {
    evenhand_vfs::register().unwrap();
    let path = sqlite::database(folder.path());
    Connection::open_with_flags_and_vfs(path, OpenFlags::default(), evenhand_vfs::NAME).unwrap()
}

fn replayed(store: &Store) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    store.replay(&workspace(), 0, &mut |entry| entries.push(entry))?;
    Ok(entries)
}

#[test]
fn there_is_a_golden_record_of_each_type_and_it_is_still_written_the_same() {
    let events = golden_events();
    let mut names: Vec<_> = events.iter().map(Event::name).collect();
    names.dedup();
    assert_eq!(names.len(), 32, "one golden record for each of the 32 types: {names:?}");
    for (event, line) in events.iter().zip(GOLDEN.lines()) {
        assert_eq!(records::encode(event).unwrap(), line);
        assert_eq!(records::decode(1, event.name(), line).as_ref(), Ok(event));
    }
}

#[test]
fn a_journal_of_golden_records_is_readable() {
    let (folder, mut store) = open();
    store.commit(&first_batch()).unwrap();
    let raw = raw(&folder);
    for (index, line) in GOLDEN.lines().enumerate() {
        let event = &golden_events()[index];
        let (kind, ticket) = (event.name(), event.ticket().map(TicketId::as_str));
        let agent = event.agent().map(AgentId::as_str);
        raw.execute(
            "INSERT INTO journal VALUES ('acme', ?1, ?1, ?2, ?4, ?5, 'ana', 1, ?3, NULL)",
            rusqlite::params![i64::try_from(index).unwrap() + 1, kind, line, ticket, agent],
        )
        .unwrap();
    }
    let entries = replayed(&store).unwrap();
    let events: Vec<_> = entries.into_iter().map(|entry| entry.event).collect();
    assert_eq!(events, golden_events());
}

#[test]
fn a_number_that_json_cannot_hold_is_refused_before_it_is_durable() {
    let mut refused = 0;
    for mut event in golden_events() {
        match &mut event {
            Event::TicketRead { reading, .. } => {
                Arc::make_mut(reading).sentiment_probabilities[1] = f64::NAN;
            }
            Event::PolicySet { policy } => {
                Arc::make_mut(policy).intent_confidence_min = f64::INFINITY;
            }
            _ => continue,
        }
        assert!(matches!(records::encode(&event), Err(Error::NotFinite { .. })));
        refused += 1;
    }
    assert_eq!(refused, 3);
}

#[test]
fn a_batch_that_fails_halfway_leaves_nothing() {
    let (folder, mut store) = open();
    store.commit(&first_batch()).unwrap();
    raw(&folder)
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON segment BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
    let mut batch = Batch::default();
    add_ticket(&mut batch, 1, "T-1", "cust");
    let error = store.commit(&batch).unwrap_err();
    assert!(!error.is_fatal(), "{error}");
    assert_eq!(replayed(&store).unwrap(), vec![]);
    raw(&folder).execute_batch("DROP TRIGGER full").unwrap();
    store.commit(&batch).unwrap();
    assert_eq!(replayed(&store).unwrap().len(), 1);
}

#[test]
fn two_stores_never_share_a_folder() {
    let (folder, store) = open();
    let error = Store::open(&at(&folder)).err().unwrap();
    assert!(matches!(&error, Error::InUse { path } if path == folder.path()), "{error}");
    drop(store);
    assert!(Store::open(&at(&folder)).is_ok());
}

#[test]
fn a_database_of_a_newer_program_is_refused_and_left_alone() {
    let (folder, store) = open();
    drop(store);
    raw(&folder).pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&at(&folder)).err().unwrap();
    assert!(matches!(error, Error::Newer { found: 99, known: 4, .. }), "{error}");
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    raw(&folder).execute_batch("CREATE TABLE photos (id INTEGER)").unwrap();
    let error = Store::open(&at(&folder)).err().unwrap();
    assert!(matches!(error, Error::NotOurs { found: 0, .. }), "{error}");
}

#[test]
fn a_missing_entry_is_named() {
    let (folder, mut store) = open();
    let mut batch = first_batch();
    for number in 1..=3 {
        add_ticket(&mut batch, number, &format!("T-{number}"), "");
    }
    store.commit(&batch).unwrap();
    raw(&folder).execute("DELETE FROM journal WHERE sequence = 2", []).unwrap();
    let error = replayed(&store).unwrap_err();
    assert!(matches!(error, Error::Gap { expected: 2, found: 3, .. }), "{error}");
}

#[test]
fn a_damaged_record_is_named_but_never_quoted() {
    let damages = [
        ("UPDATE journal SET body = '{\"type\":\"secret\"}'", "the checksum"),
        ("UPDATE journal SET at = at + 1", "the checksum"),
        ("UPDATE journal SET ticket = 'T-2'", "the checksum"),
        ("UPDATE journal SET body = '{\"type\":\"secret\"}', checksum = NULL", "the body"),
        ("UPDATE journal SET kind = 'secret', checksum = NULL", "the kind"),
        ("UPDATE journal SET format = 7, checksum = NULL", "the format"),
        ("UPDATE journal SET actor = 'secret secret', checksum = NULL", "an identifier"),
        ("UPDATE journal SET ticket = 'T-2', checksum = NULL", "the ticket or the agent"),
    ];
    for (damage, expected) in damages {
        let (folder, mut store) = open();
        let mut batch = first_batch();
        add_ticket(&mut batch, 1, "T-1", "");
        store.commit(&batch).unwrap();
        raw(&folder).execute(damage, []).unwrap();
        let error = replayed(&store).unwrap_err();
        let Error::Damaged { number: 1, what, .. } = &error else { panic!("{error}") };
        assert_eq!(*what, expected);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

#[test]
fn a_failed_sync_ends_the_trust_in_a_file_and_a_full_disk_does_not() {
    let failure =
        |code| Error::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
    for fatal in [
        rusqlite::ffi::SQLITE_IOERR_FSYNC,
        rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC,
        rusqlite::ffi::SQLITE_CORRUPT,
        rusqlite::ffi::SQLITE_NOTADB,
    ] {
        assert!(failure(fatal).is_fatal(), "{fatal}");
    }
    for passing in [
        rusqlite::ffi::SQLITE_FULL,
        rusqlite::ffi::SQLITE_BUSY,
        rusqlite::ffi::SQLITE_IOERR_WRITE,
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE,
    ] {
        assert!(!failure(passing).is_fatal(), "{passing}");
    }
}
