//! Tests of publishing: what events look like, and that each arrives.

mod form;
#[cfg(feature = "nats")]
mod nats;
mod publishing;
mod receiver;
mod webhooks;
mod world;

use crate::domain::{
    event::{Entry, Event},
    id::WorkspaceId,
    time::UnixMillis,
};

/// One record of each type of event, as the journal has it.
const JOURNAL: &str = include_str!("../store/golden/journal_v1.jsonl");

fn workspace(name: &str) -> WorkspaceId {
    WorkspaceId::new(name).unwrap()
}

fn entry(number: usize, event: Event) -> Entry {
    let sequence = u64::try_from(number).unwrap() + 1;
    let at = UnixMillis(1_700_000_000_000 + i64::try_from(number).unwrap());
    Entry { sequence, at, actor: None, event }
}
