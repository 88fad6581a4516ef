//! That each event arrives, whatever fails, with a sink that does as it is told.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    workspace,
    world::{PRIVATE, assert_once_and_in_order, engine, found, settled, submit},
};
use crate::{
    app::StoreOptions,
    events::{CloudEvent, Receipt, Sink, SinkError, Source, Start, run},
};

/// A sink in memory that removes duplicates, as a stream does.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    events: Vec<CloudEvent>,
    ids: BTreeSet<String>,
    duplicates: usize,
    /// How many events it will refuse.
    refuses: usize,
    /// How many events it will take without saying so.
    silent: usize,
    prepared: usize,
}

impl Sink for Memory {
    const KIND: &'static str = "memory";
    const START: Start = Start::First;

    fn name(&self) -> String {
        "memory".to_owned()
    }

    async fn prepare(&self) -> Result<(), SinkError> {
        self.0.lock().unwrap().prepared += 1;
        Ok(())
    }

    async fn deliver(&self, event: CloudEvent) -> Result<Receipt, SinkError> {
        tokio::task::yield_now().await;
        let mut held = self.0.lock().unwrap();
        if held.refuses > 0 {
            held.refuses -= 1;
            return Err(SinkError::Down("told to".to_owned()));
        }
        let is_new = held.ids.insert(event.id.clone());
        if is_new {
            held.events.push(event);
        } else {
            held.duplicates += 1;
        }
        if held.silent > 0 {
            held.silent -= 1;
            return Err(SinkError::Silent(0));
        }
        Ok(if is_new { Receipt::New } else { Receipt::Duplicate })
    }
}

impl Memory {
    fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().events.iter().map(|event| event.id.clone()).collect()
    }

    fn duplicates(&self) -> usize {
        self.0.lock().unwrap().duplicates
    }
}

fn source() -> Source {
    Source::new("/evenhand")
}

fn at(folder: &tempfile::TempDir) -> StoreOptions {
    StoreOptions::Folder(folder.path().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_durable_arrives_once_in_order_and_without_anything_private() {
    let folder = tempfile::tempdir().unwrap();
    let handle = engine(&at(&folder)).await;
    let sink = Memory::default();
    sink.0.lock().unwrap().refuses = 2;
    sink.0.lock().unwrap().silent = 1;
    tokio::spawn(run(handle.clone(), sink.clone(), source()));
    for name in ["acme", "b.c"] {
        found(&handle, &workspace(name)).await;
        submit(&handle, &workspace(name), 8).await;
    }
    let newest = settled(&handle, "memory").await;
    assert_eq!(newest.len(), 3);
    assert_once_and_in_order(&sink.ids(), &newest);
    assert!(sink.duplicates() >= 1, "what was not acknowledged comes again");
    let held = sink.0.lock().unwrap();
    assert!(held.prepared >= 2, "after a failure the sink makes ready again");
    for event in &held.events {
        for private in PRIVATE {
            assert!(!event.body.contains(private), "{}", event.body);
        }
    }
    let names: BTreeSet<&str> = held.events.iter().map(|event| event.path[2].as_str()).collect();
    for name in ["policy_set", "agent_set", "ticket_received", "ticket_read", "offer_made"] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_start_goes_on_where_the_cursor_stands() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Memory::default();
    for _ in 0..2 {
        let handle = engine(&at(&folder)).await;
        let running = tokio::spawn(run(handle.clone(), sink.clone(), source()));
        let newest = settled(&handle, "memory").await;
        assert_once_and_in_order(&sink.ids(), &newest);
        handle.stop().await;
        tokio::time::timeout(Duration::from_secs(5), running).await.expect("it ends").unwrap();
    }
    assert_eq!(sink.duplicates(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_down_holds_up_nobody_and_the_journal_keeps_all() {
    let folder = tempfile::tempdir().unwrap();
    let handle = engine(&at(&folder)).await;
    let sink = Memory::default();
    sink.0.lock().unwrap().refuses = usize::MAX;
    tokio::spawn(run(handle.clone(), sink.clone(), source()));
    found(&handle, &workspace("acme")).await;
    submit(&handle, &workspace("acme"), 20).await;
    assert!(handle.cursors("memory").await.unwrap().is_empty());
    assert!(sink.ids().is_empty());
    sink.0.lock().unwrap().refuses = 0;
    let newest = settled(&handle, "memory").await;
    assert_once_and_in_order(&sink.ids(), &newest);
}
