//! Engines that publish, and what they are asked to do.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::workspace;
use crate::{
    app::{self, Action, Command, Handle, Parts, Peering, StoreOptions},
    clock::SystemClock,
    domain::{
        agent::{AgentProfile, Presence},
        event::WorkspaceSettings,
        id::{AgentId, SkillId, WorkspaceId},
        ticket::{Intake, Payload},
    },
    routing::{AgentWrite, Input},
};

/// Texts that must never be in an event.
pub(super) const PRIVATE: [&str; 4] =
    ["Where is my parcel", "Hello from Zoe", "customer-0815", "over-seventy"];

/// Starts an engine. A process that another test is just starting may have the lock of a folder for a moment.
pub(super) async fn engine(store: &StoreOptions) -> Handle {
    let mut tries = 0;
    loop {
        let (store, clock) = (store.clone(), Arc::new(SystemClock));
        let parts = Parts { store, peering: Peering::default(), classifier: None, clock };
        match app::start(parts).await {
            Err(_) if tries < 50 => tries += 1,
            started => {
                let handle = started.unwrap();
                handle.owner(&workspace("default")).await.unwrap();
                return handle;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn act(handle: &Handle, workspace: &WorkspaceId, action: Action) {
    let workspace = workspace.clone();
    handle.owner(&workspace).await.unwrap();
    let command = Command { workspace, actor: None, idempotency: None, action };
    handle.command(command).await.unwrap();
}

/// Makes a workspace with an agent who takes what comes.
pub(super) async fn found(handle: &Handle, workspace: &WorkspaceId) {
    let settings = WorkspaceSettings {
        display_name: "A workspace".to_owned(),
        segment_attributes: vec!["age_band".to_owned()],
        outcome_wait_secs: None,
    };
    act(handle, workspace, Action::CreateWorkspace(settings)).await;
    let agent = AgentId::new("ana").unwrap();
    let profile = AgentProfile {
        agent: agent.clone(),
        display_name: "Ana".to_owned(),
        skills: ["delivery", "triage"].map(|skill| (SkillId::new(skill).unwrap(), 3)).into(),
        capacity_units: 5,
        channel_units: BTreeMap::new(),
        speed: 0,
        shifts: None,
    };
    let set = Input::SetAgent { profile, write: AgentWrite::Create };
    act(handle, workspace, Action::Route(set.into())).await;
    let here = Input::SetPresence { agent, presence: Presence::Available };
    act(handle, workspace, Action::Route(here.into())).await;
}

/// Hands tickets in, which are read by rules, planned and offered.
pub(super) async fn submit(handle: &Handle, workspace: &WorkspaceId, count: usize) {
    let [body, subject, customer, segment] = PRIVATE.map(str::to_owned);
    for _ in 0..count {
        let intake = Intake {
            channel: "chat".to_owned(),
            language: None,
            attributes: BTreeMap::new(),
            requirements: Vec::new(),
            priority: 0,
            target_secs: None,
            preferred_agent: None,
            is_long: false,
        };
        let (body, subject, customer) = (body.clone(), subject.clone(), customer.clone());
        let segments = BTreeMap::from([("age_band".to_owned(), segment.clone())]);
        let payload = Payload { subject, body, customer, segments };
        act(handle, workspace, Action::Submit { intake, payload }).await;
    }
}

/// Waits until a sink has acknowledged everything, and everything has been read; returns the newest entries.
pub(super) async fn settled(handle: &Handle, sink: &str) -> BTreeMap<WorkspaceId, u64> {
    let settle = async {
        let mut before = BTreeMap::new();
        loop {
            let newest = handle.newest();
            if before == newest && handle.cursors(sink).await.unwrap() == newest {
                return newest;
            }
            before = newest;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), settle).await.expect("events are missing")
}

/// Checks that identifiers are there once, and each workspace's in order.
pub(super) fn assert_once_and_in_order(ids: &[String], newest: &BTreeMap<WorkspaceId, u64>) {
    let mut next: BTreeMap<WorkspaceId, u64> = BTreeMap::new();
    for id in ids {
        let (name, sequence) = id.split_once('/').unwrap();
        let expected = next.entry(workspace(name)).or_insert(1);
        assert_eq!(sequence.parse(), Ok(*expected), "{name}");
        *expected += 1;
    }
    let last: BTreeMap<WorkspaceId, u64> =
        next.into_iter().map(|(id, next)| (id, next - 1)).collect();
    assert_eq!(last, *newest);
}
