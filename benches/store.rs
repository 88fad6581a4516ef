//! Durable tickets a second, beside plain SQLite writing the same bytes in the same run.
//!
//! The ratio is what matters: absolute figures are those of the disk. Each sample of the store is
//! taken next to one of plain SQLite, and the ratio is that of their sums.

#![expect(clippy::unwrap_used, reason = "a failed benchmark should panic")]

use std::{collections::BTreeMap, hint::black_box, path::Path, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evenhand::{
    domain::{
        event::{Entry, Event},
        id::{TicketId, WorkspaceId},
        ticket::{Intake, Payload, Status},
        time::UnixMillis,
    },
    store::{Batch, Durable, NewTicket, Store, StoreOptions, TicketDetail, TicketRow, Used},
};
use rusqlite::{Connection, OpenFlags, params};
use tokio::time::Instant;

/// Tickets that become durable together.
const GROUPS: [u64; 3] = [1, 64, 512];
/// Pairs of samples for each ratio.
const PAIRS: u32 = 60;
/// Characters of a ticket's text, about those of a short e-mail.
const BODY_CHARS: usize = 400;

fn workspace() -> WorkspaceId {
    WorkspaceId::new("default").unwrap()
}

fn open(folder: &Path) -> Store {
    let mut store = Store::open(&StoreOptions::Folder(folder.to_owned())).unwrap();
    let batch = Batch { workspaces: vec![(workspace(), UnixMillis(0))], ..Batch::default() };
    store.commit(&batch).unwrap();
    store
}

fn add_ticket(batch: &mut Batch, number: u64) {
    let ticket = TicketId::new(format!("01a20b83-a034-7504-9790-{number:012}")).unwrap();
    let intake = Intake {
        channel: "email".to_owned(),
        language: Some("en".to_owned()),
        attributes: BTreeMap::from([("plan".to_owned(), "gold".to_owned())]),
        requirements: Vec::new(),
        priority: 0,
        target_secs: None,
        preferred_agent: None,
        is_long: false,
    };
    let event = Event::TicketReceived { ticket: ticket.clone(), intake: intake.clone().into() };
    let at = UnixMillis(1_700_000_000_000);
    batch.entries.push((workspace(), Entry { sequence: number, at, actor: None, event }));
    let detail =
        TicketDetail { intake: intake.into(), reading: None, plan: None, requirements: Vec::new() };
    batch.details.insert((workspace(), number), detail);
    let row = TicketRow {
        number,
        ticket: ticket.clone(),
        sequence: number,
        status: Status::Received,
        holder: None,
        assignee: None,
        epoch: 0,
        offer_sequence: None,
        relaxation_step: 0,
        received_at: at,
        assigned_at: None,
        closed_at: None,
        target_secs: None,
        fast_tracked: None,
        triaged: None,
        reassigned: false,
        outcome: None,
    };
    batch.tickets.insert((workspace(), number), row);
    let payload = Payload {
        subject: "Where is my order?".to_owned(),
        body: "x".repeat(BODY_CHARS),
        customer: format!("cust-{}", number % 1000),
        segments: BTreeMap::from([("region".to_owned(), "north".to_owned())]),
    };
    batch.received.push(NewTicket { workspace: workspace(), number, payload });
    let used = Used { fingerprint: [7; 32], ticket: Some(ticket), sequence: number, at };
    batch.used.insert((workspace(), format!("key-{number}")), used);
}

/// The store and plain SQLite side by side, each in a file of its own.
struct Rivals {
    store: Store,
    plain: Connection,
    newest: u64,
    /// Bytes of one ticket in the store, over all its tables.
    ticket_bytes: usize,
    _folder: tempfile::TempDir,
}

impl Rivals {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let plain = Connection::open(folder.path().join("plain.db")).unwrap();
        plain.pragma_update(None, "journal_mode", "WAL").unwrap();
        plain.pragma_update(None, "synchronous", "FULL").unwrap();
        plain.pragma_update(None, "wal_autocheckpoint", 4096).unwrap();
        plain.execute_batch("CREATE TABLE plain (id INTEGER PRIMARY KEY, body BLOB)").unwrap();
        let mut rivals = Self { store, plain, newest: 0, ticket_bytes: 0, _folder: folder };
        rivals.commit(1);
        rivals.ticket_bytes = rivals.stored_bytes();
        rivals
    }

    /// Returns the bytes of everything stored for the first ticket, without indexes.
    fn stored_bytes(&self) -> usize {
        let path = self.plain.path().unwrap().replace("plain.db", "evenhand.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection =
            Connection::open_with_flags_and_vfs(path, flags, evenhand_vfs::NAME).unwrap();
        let sum =
            "SELECT (SELECT sum(length(kind || ticket || body || workspace) + 16) FROM journal)
            + (SELECT sum(length(id || status || workspace) + 40) FROM ticket)
            + (SELECT sum(length(body || workspace) + 8) FROM ticket_detail)
            + (SELECT sum(length(subject || body || customer || workspace) + 8) FROM payload)
            + (SELECT sum(length(attribute || value || workspace) + 8) FROM segment)
            + (SELECT sum(length(key || ticket || workspace) + 48) FROM idempotency)";
        let bytes: i64 = connection.query_row(sum, [], |row| row.get(0)).unwrap();
        usize::try_from(bytes).unwrap()
    }

    fn commit(&mut self, group: u64) -> Duration {
        let mut batch = Batch::default();
        for _ in 0..group {
            self.newest += 1;
            add_ticket(&mut batch, self.newest);
        }
        let started = Instant::now();
        self.store.commit(&batch).unwrap();
        started.elapsed()
    }

    fn commit_plain(&mut self, group: u64) -> Duration {
        let body = vec![7_u8; self.ticket_bytes];
        let started = Instant::now();
        let transaction = self.plain.transaction().unwrap();
        for _ in 0..group {
            let mut insert =
                transaction.prepare_cached("INSERT INTO plain (body) VALUES (?1)").unwrap();
            insert.execute(params![body]).unwrap();
        }
        transaction.commit().unwrap();
        started.elapsed()
    }
}

fn commits(criterion: &mut Criterion) {
    let mut rivals = Rivals::new();
    println!("one ticket is {} bytes over all tables", rivals.ticket_bytes);
    for group in GROUPS {
        let (mut ours, mut plain) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..PAIRS {
            ours += rivals.commit(group);
            plain += rivals.commit_plain(group);
        }
        let per_second = |time: Duration| f64::from(PAIRS) * group as f64 / time.as_secs_f64();
        println!(
            "{group} in a group: {:.0} durable tickets/s, plain SQLite {:.0}/s, ratio {:.2}",
            per_second(ours),
            per_second(plain),
            plain.as_secs_f64() / ours.as_secs_f64(),
        );
    }
    let mut benches = criterion.benchmark_group("store");
    benches.sample_size(20).measurement_time(Duration::from_secs(3));
    for group in GROUPS {
        benches.throughput(Throughput::Elements(group));
        benches.bench_function(BenchmarkId::new("commit", group), |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| rivals.commit(group)).sum());
        });
        benches.bench_function(BenchmarkId::new("plain", group), |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| rivals.commit_plain(group)).sum());
        });
    }
    benches.finish();
}

fn replay(criterion: &mut Criterion) {
    const ENTRIES: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let mut batch = Batch::default();
    for number in 1..=ENTRIES {
        add_ticket(&mut batch, number);
    }
    store.commit(&batch).unwrap();
    let mut benches = criterion.benchmark_group("store");
    benches.sample_size(10).throughput(Throughput::Elements(ENTRIES));
    benches.bench_function("replay", |bencher| {
        bencher
            .iter(|| store.replay(&workspace(), 0, &mut |entry| drop(black_box(entry))).unwrap());
    });
    benches.finish();
}

criterion_group!(benches, commits, replay);
criterion_main!(benches);
