//! Tests of the store as a whole: durability of batches, damage, old records.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::Connection;
use tempfile::TempDir;

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
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn raw(folder: &TempDir) -> Connection {
    Connection::open(super::open::database(folder.path())).unwrap()
}

fn replayed(store: &Store) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    store.replay(&workspace(), |entry| entries.push(entry))?;
    Ok(entries)
}

#[test]
fn there_is_a_golden_record_of_each_type_and_it_is_still_written_the_same() {
    let events = golden_events();
    let mut names: Vec<_> = events.iter().map(Event::name).collect();
    names.dedup();
    assert_eq!(names.len(), 30, "one golden record for each of the 30 types: {names:?}");
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
        let kind = golden_events()[index].name();
        raw.execute(
            "INSERT INTO journal VALUES ('acme', ?1, ?1, ?2, NULL, NULL, 'ana', 1, ?3)",
            rusqlite::params![i64::try_from(index).unwrap() + 1, kind, line],
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
fn what_was_committed_is_there_after_opening_again() {
    let (folder, mut store) = open();
    let mut batch = first_batch();
    add_ticket(&mut batch, 1, "T-1", "cust");
    store.commit(&batch).unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.workspaces().unwrap(), batch.workspaces);
    assert_eq!(replayed(&store).unwrap(), vec![batch.entries[0].1.clone()]);
    assert_eq!(store.open_tickets(&workspace()).unwrap(), vec![row(1, "T-1")]);
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
    let error = Store::open(folder.path()).err().unwrap();
    assert!(matches!(&error, Error::InUse { path } if path == folder.path()), "{error}");
    drop(store);
    assert!(Store::open(folder.path()).is_ok());
}

#[test]
fn a_database_of_a_newer_program_is_refused_and_left_alone() {
    let (folder, store) = open();
    drop(store);
    raw(&folder).pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(folder.path()).err().unwrap();
    assert!(matches!(error, Error::Newer { found: 99, known: 1, .. }), "{error}");
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    raw(&folder).execute_batch("CREATE TABLE photos (id INTEGER)").unwrap();
    let error = Store::open(folder.path()).err().unwrap();
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
        ("UPDATE journal SET body = '{\"type\":\"secret\"}'", "the body"),
        ("UPDATE journal SET kind = 'secret'", "the kind"),
        ("UPDATE journal SET format = 7", "the format"),
        ("UPDATE journal SET actor = 'secret secret'", "an identifier"),
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
fn a_used_key_is_remembered_until_it_is_too_old() {
    let (_folder, mut store) = open();
    let mut batch = first_batch();
    let key = (workspace(), "k".to_owned());
    let ticket = Some(TicketId::new("T-1").unwrap());
    let used = Used { fingerprint: [7; 32], ticket, sequence: 1, at: UnixMillis(5_000) };
    batch.used.insert(key.clone(), used.clone());
    store.commit(&batch).unwrap();
    assert_eq!(store.used(&key, UnixMillis(5_000)).unwrap(), Some(used));
    assert_eq!(store.used(&key, UnixMillis(5_001)).unwrap(), None);
    assert_eq!(store.forget_used(UnixMillis(5_000), 10).unwrap(), 0);
    assert_eq!(store.forget_used(UnixMillis(5_001), 10).unwrap(), 1);
    assert_eq!(store.used(&key, UnixMillis(0)).unwrap(), None);
}

#[tokio::test]
async fn lists_come_newest_first_by_status_and_customer_and_go_on_where_they_ended() {
    let (_folder, mut store) = open();
    let mut batch = first_batch();
    for number in 1..=9 {
        let customer = ["", "odd", "even"][usize::try_from(number % 3).unwrap()];
        add_ticket(&mut batch, number, &format!("T-{number}"), customer);
    }
    batch.tickets.get_mut(&(workspace(), 4)).unwrap().status = Status::Queued;
    store.commit(&batch).unwrap();
    let numbers = |query: TicketQuery| {
        let readers = store.readers();
        async move {
            let found =
                readers.read(move |connection| tickets(connection, &workspace(), &query)).await;
            found.unwrap().into_iter().map(|ticket| ticket.row.number).collect::<Vec<_>>()
        }
    };
    let all = TicketQuery { limit: 4, ..TicketQuery::default() };
    assert_eq!(numbers(all.clone()).await, [9, 8, 7, 6]);
    assert_eq!(numbers(TicketQuery { before: Some(6), ..all.clone() }).await, [5, 4, 3, 2]);
    let odd = TicketQuery { customer: Some("odd".to_owned()), ..all };
    assert_eq!(numbers(odd.clone()).await, [7, 4, 1]);
    assert_eq!(numbers(TicketQuery { status: Some(Status::Queued), ..odd }).await, [4]);
    let queued = TicketQuery { status: Some(Status::Queued), limit: 4, ..TicketQuery::default() };
    assert_eq!(numbers(queued).await, [4]);
}

#[tokio::test]
async fn facts_hold_treatment_and_segments_of_the_tickets_in_the_interval() {
    let (_folder, mut store) = open();
    let mut batch = first_batch();
    for number in 1..=4 {
        add_ticket(&mut batch, number, &format!("T-{number}"), "cust");
    }
    let completed = batch.tickets.get_mut(&(workspace(), 2)).unwrap();
    completed.status = Status::Completed;
    completed.assigned_at = Some(UnixMillis(2_000 + 61_000));
    completed.closed_at = Some(UnixMillis(90_000));
    completed.reassigned = true;
    completed.holder = Some(AgentId::new("ana").unwrap());
    completed.outcome = Some(Outcome {
        resolution: Resolution::FirstContact,
        right_intent: None,
        satisfaction: Some(5),
    });
    batch.received[2].payload.segments.clear();
    store.commit(&batch).unwrap();
    let facts_at = |now: i64| {
        let readers = store.readers();
        async move {
            let range = (Some(UnixMillis(2_000)), Some(UnixMillis(4_000)));
            let read = move |connection: &Connection| {
                facts(connection, &workspace(), range.0, range.1, UnixMillis(now))
            };
            readers.read(read).await.unwrap()
        }
    };
    let [second, third] = <[_; 2]>::try_from(facts_at(63_000).await).unwrap();
    assert_eq!(second.segments, BTreeMap::from([("region".to_owned(), "north".to_owned())]));
    assert_eq!(second.target_met, Some(false), "assigned a second too late");
    assert_eq!(second.first_contact, Some(true));
    assert_eq!(second.reassigned, Some(true));
    assert_eq!(third.segments, BTreeMap::new());
    assert_eq!((third.target_met, third.first_contact, third.reassigned), (None, None, None));
    let third = facts_at(63_001).await.pop().unwrap();
    assert_eq!(third.target_met, Some(false), "still waiting after its target");
}

#[tokio::test]
async fn a_decision_is_found_with_the_plan_and_model_in_force_before_it() {
    let (_folder, mut store) = open();
    let mut batch = first_batch();
    for (index, event) in golden_events().into_iter().enumerate() {
        let sequence = u64::try_from(index).unwrap() + 1;
        batch.entries.push((workspace(), entry(sequence, event)));
    }
    store.commit(&batch).unwrap();
    let read = move |connection: &Connection| {
        let workspace = workspace();
        let all = decisions(connection, &workspace, None, None, None, 10)?;
        let sequence = all[0].sequence;
        let ticket = all[0].event.ticket().unwrap().clone();
        let of_ticket = decisions(connection, &workspace, Some(&ticket), None, None, 10)?;
        assert_eq!(of_ticket, all);
        let agent = all[0].event.agent().unwrap().clone();
        let of_agent = decisions(connection, &workspace, None, Some(&agent), None, 10)?;
        assert_eq!(of_agent, all[..1]);
        let older = decisions(connection, &workspace, None, None, Some(sequence), 10)?;
        assert_eq!(older, all[1..]);
        assert_eq!(super::entry(connection, &workspace, sequence)?.as_ref(), all.first());
        let about = entries(connection, &workspace, &Subject::Ticket(ticket.clone()), 0, 100)?;
        assert!(about.iter().all(|entry| entry.event.ticket() == Some(&ticket)));
        let policy = policy(connection, &workspace, 3)?.unwrap();
        assert_eq!(policy.version, 3);
        plan_before(connection, &workspace, &ticket, sequence)
    };
    let (plan, model) = store.readers().read(read).await.unwrap();
    assert_eq!(plan.unwrap().route, "replanned");
    assert_eq!(model.as_deref(), Some("m 1"));
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
