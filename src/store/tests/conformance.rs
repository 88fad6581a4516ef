//! What holds for a store on any engine.

use super::*;
use crate::domain::facts::TicketFacts;

/// Makes a test of each function for each engine.
macro_rules! on_each_engine {
    ($($claim:ident),* $(,)?) => {
        mod sqlite_engine {
            use super::*;
            $(
                #[test]
                fn $claim() {
                    let folder = tempfile::tempdir().unwrap();
                    super::$claim(&at(&folder));
                }
            )*
        }

        mod postgres_engine {
            use super::*;
            $(
                #[test]
                fn $claim() {
                    let Some(cluster) = evenhand_postgres_test::shared() else { return };
                    super::$claim(&postgres(cluster, stringify!($claim)));
                }
            )*
        }
    };
}

on_each_engine!(
    what_was_committed_is_there_after_opening_again,
    a_used_key_is_remembered_until_it_is_too_old,
    a_cursor_moves_with_its_batch_and_each_sink_has_its_own,
    lists_come_newest_first_by_status_and_customer_and_go_on_where_they_ended,
    facts_hold_treatment_and_segments_of_the_tickets_in_the_interval,
    a_decision_is_found_with_the_plan_and_model_in_force_before_it
);

/// Returns where a new database is; names of databases are short.
pub(super) fn postgres(cluster: &evenhand_postgres_test::Cluster, name: &str) -> StoreOptions {
    let short: String = name.chars().take(60).collect();
    let options = PostgresOptions::new(&cluster.database(&short), None).unwrap();
    StoreOptions::Postgres(Box::new(options))
}

/// Asks a question as the service does.
fn ask<T: Send + 'static>(
    store: &Store,
    question: impl FnOnce(&Snapshot) -> Result<T, Error> + Send + 'static,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.readers().read(question)).unwrap()
}

fn what_was_committed_is_there_after_opening_again(location: &StoreOptions) {
    let mut store = Store::open(location).unwrap();
    let mut batch = first_batch();
    add_ticket(&mut batch, 1, "T-1", "cust");
    store.commit(&batch).unwrap();
    drop(store);
    let store = Store::open(location).unwrap();
    assert_eq!(store.workspaces().unwrap(), batch.workspaces);
    assert_eq!(replayed(&store).unwrap(), vec![batch.entries[0].1.clone()]);
    assert_eq!(store.open_tickets(&workspace()).unwrap(), vec![row(1, "T-1")]);
}

fn a_used_key_is_remembered_until_it_is_too_old(location: &StoreOptions) {
    let mut store = Store::open(location).unwrap();
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

fn a_cursor_moves_with_its_batch_and_each_sink_has_its_own(location: &StoreOptions) {
    let mut store = Store::open(location).unwrap();
    let mut batch = first_batch();
    for number in 1..=3 {
        add_ticket(&mut batch, number, &format!("T-{number}"), "");
    }
    store.commit(&batch).unwrap();
    let at = |store: &Store, sink: &'static str| ask(store, |snapshot| cursors(snapshot, sink));
    assert_eq!(at(&store, "nats/A"), BTreeMap::new());
    let moved = |sink: &str, sequence| Batch {
        cursors: BTreeMap::from([((workspace(), sink.to_owned()), sequence)]),
        ..Batch::default()
    };
    let is_shared = location.is_shared();
    // Only a connection to a server is ever lost.
    let is_known = |store: &mut Store| store.recover(&moved("nats/A", 2)).unwrap().durable;
    assert!(!is_shared || !is_known(&mut store));
    for (sink, sequence) in [("nats/A", 1), ("nats/A", 2), ("nats/B", 3)] {
        store.commit(&moved(sink, sequence)).unwrap();
    }
    assert!(!is_shared || is_known(&mut store));
    assert_eq!(at(&store, "nats/A"), BTreeMap::from([(workspace(), 2)]));
    assert_eq!(at(&store, "nats/B"), BTreeMap::from([(workspace(), 3)]));
    let later = ask(&store, |snapshot| entries_after(snapshot, &workspace(), 1, 1));
    assert_eq!(later, batch.entries[1..2].iter().map(|(_, e)| e.clone()).collect::<Vec<_>>());
}

fn lists_come_newest_first_by_status_and_customer_and_go_on_where_they_ended(
    location: &StoreOptions,
) {
    let mut store = Store::open(location).unwrap();
    let mut batch = first_batch();
    for number in 1..=9 {
        let customer = ["", "odd", "even"][usize::try_from(number % 3).unwrap()];
        add_ticket(&mut batch, number, &format!("T-{number}"), customer);
    }
    batch.tickets.get_mut(&(workspace(), 4)).unwrap().status = Status::Queued;
    store.commit(&batch).unwrap();
    let numbers = |query: TicketQuery| {
        let found = ask(&store, move |snapshot| tickets(snapshot, &workspace(), &query));
        found.into_iter().map(|ticket| ticket.row.number).collect::<Vec<_>>()
    };
    let all = TicketQuery { limit: 4, ..TicketQuery::default() };
    assert_eq!(numbers(all.clone()), [9, 8, 7, 6]);
    assert_eq!(numbers(TicketQuery { before: Some(6), ..all.clone() }), [5, 4, 3, 2]);
    let odd = TicketQuery { customer: Some("odd".to_owned()), ..all };
    assert_eq!(numbers(odd.clone()), [7, 4, 1]);
    assert_eq!(numbers(TicketQuery { status: Some(Status::Queued), ..odd }), [4]);
    let queued = TicketQuery { status: Some(Status::Queued), limit: 4, ..TicketQuery::default() };
    assert_eq!(numbers(queued), [4]);
}

fn facts_hold_treatment_and_segments_of_the_tickets_in_the_interval(location: &StoreOptions) {
    let mut store = Store::open(location).unwrap();
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
    let range = (Some(UnixMillis(2_000)), Some(UnixMillis(4_000)));
    let found = ask(&store, move |snapshot| facts(snapshot, &workspace(), range.0, range.1));
    let [second, third] = <[_; 2]>::try_from(found).unwrap();
    let due = UnixMillis(63_000);
    assert_eq!(second.segments, BTreeMap::from([("region".to_owned(), "north".to_owned())]));
    assert_eq!(second.target_met(due), Some(false), "assigned a second too late");
    assert_eq!(second.first_contact(), Some(true));
    assert_eq!(second.reassigned, Some(true));
    assert_eq!(third.segments, BTreeMap::new());
    assert_eq!((third.first_contact(), third.reassigned), (None, None));
    assert_eq!(third.target_met(due), None);
    let later = third.target_met(UnixMillis(63_001));
    assert_eq!(later, Some(false), "still waiting after its target");

    let after = |after: u64, limit: u32| {
        ask(&store, move |snapshot| facts_after(snapshot, &workspace(), after, limit))
    };
    let numbers = |found: &[(u64, TicketFacts)]| -> Vec<u64> {
        found.iter().map(|(number, _)| *number).collect()
    };
    assert_eq!(numbers(&after(0, 9)), [1, 2, 3, 4]);
    let some = after(1, 2);
    assert_eq!(numbers(&some), [2, 3], "a limit counts tickets, not segments");
    assert_eq!((&some[0].1, &some[1].1), (&second, &third));
    assert!(after(4, 9).is_empty());
    let of =
        |asked: &'static [u64]| ask(&store, |snapshot| facts_of(snapshot, &workspace(), asked));
    assert_eq!(of(&[2, 3]), some);
    assert_eq!(numbers(&of(&[1, 4, 900])), [1, 4]);
    assert!(of(&[]).is_empty());
}

fn a_decision_is_found_with_the_plan_and_model_in_force_before_it(location: &StoreOptions) {
    let mut store = Store::open(location).unwrap();
    let mut batch = first_batch();
    for (index, event) in golden_events().into_iter().enumerate() {
        let sequence = u64::try_from(index).unwrap() + 1;
        batch.entries.push((workspace(), entry(sequence, event)));
    }
    store.commit(&batch).unwrap();
    let (plan, model) = ask(&store, move |connection| {
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
        assert_eq!(journal::entry(connection, &workspace, sequence)?.as_ref(), all.first());
        let about = entries(connection, &workspace, &Subject::Ticket(ticket.clone()), 0, 100)?;
        assert!(about.iter().all(|entry| entry.event.ticket() == Some(&ticket)));
        let policy = policy(connection, &workspace, 3)?.unwrap();
        assert_eq!(policy.version, 3);
        plan_before(connection, &workspace, &ticket, sequence)
    });
    assert_eq!(plan.unwrap().route, "replanned");
    assert_eq!(model.as_deref(), Some("m 1"));
}
