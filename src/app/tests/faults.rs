//! What happens when the store fails or a queue is full.

use std::time::Duration;

use futures::future::join_all;

use super::world::*;
use crate::{
    app::*,
    domain::{agent::Presence, reading::ReadingSource, ticket::Status},
    routing::Input,
    store,
};

const FAIL: &str =
    "CREATE TRIGGER fail BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'no room'); END";

#[tokio::test]
async fn a_failed_transaction_is_told_to_all_its_callers_and_leaves_no_trace() {
    let mut world = World::start().await;
    world.add_agent("ana", 2).await;
    let kept = world.submit("place_order kept").await;
    world.read_by(&kept, ReadingSource::Model).await;
    let before = world.snapshot().await;
    world.raw().execute_batch(FAIL).unwrap();
    let lost = join_all(
        (0..20).map(|_| world.handle.command(with_key(submission("place_order lost"), "k", 1))),
    );
    let presence = Input::SetPresence { agent: agent_id("ana"), presence: Presence::Away };
    let (lost, presence) = tokio::join!(lost, world.route(presence));
    for answer in lost.into_iter().chain([presence]) {
        assert!(matches!(answer, Err(Error::Store(store::Error::RolledBack))), "{answer:?}");
    }
    assert_alike(&before, &world.snapshot().await);
    world.raw().execute_batch("DROP TRIGGER fail").unwrap();

    let retried = with_key(submission("place_order"), "k", 1);
    let retried = world.handle.command(retried).await.unwrap();
    assert!(!retried.replayed, "the key was rolled back too");
    assert_eq!(retried.sequence, before.sequence + 1, "no sequence number was used up");
    world.read_by(&retried.ticket.unwrap(), ReadingSource::Model).await;
    let after = world.snapshot().await;
    world.handle.stop().await;
    assert_alike(&after, &replayed(&world.folder));
    world.restart().await;
    assert_eq!(world.view(&kept).await.status, Status::Offered);
}

#[tokio::test]
async fn a_workspace_that_could_not_be_stored_does_not_exist() {
    let world = World::start().await;
    world.raw().execute_batch(FAIL).unwrap();
    let acme = crate::domain::id::WorkspaceId::new("acme").unwrap();
    let create = || Command {
        workspace: acme.clone(),
        ..command(Action::CreateWorkspace(Default::default()))
    };
    assert!(matches!(world.handle.command(create()).await, Err(Error::Store(_))));
    assert!(matches!(world.handle.workspace(&acme).await, Err(Error::WorkspaceUnknown(_))));
    world.raw().execute_batch("DROP TRIGGER fail").unwrap();
    assert!(world.handle.command(create()).await.is_ok());
}

#[tokio::test]
async fn a_reading_that_could_not_be_stored_is_made_again() {
    let world = World::start().await;
    world.set_mood(Mood::Silent);
    let ticket = world.submit("place_order").await;
    world.raw().execute_batch(FAIL).unwrap();
    world.pass(5_000);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.view(&ticket).await.status, Status::Received);
    world.raw().execute_batch("DROP TRIGGER fail").unwrap();
    world.read_by(&ticket, ReadingSource::Rules).await;
}

#[tokio::test]
async fn a_full_queue_sheds_submissions_but_never_an_agents_action() {
    let world = World::start().await;
    world.add_agent("ana", 1).await;
    let blocker = world.raw();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let submissions = join_all((0..6_000).map(|_| world.handle.command(submission("x"))));
    let presence = |presence| Input::SetPresence { agent: agent_id("ana"), presence };
    let actions = join_all((0..3_000).map(|number| {
        let choices = [Presence::Available, Presence::Busy];
        world.route(presence(choices[number % 2]))
    }));
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        blocker.execute_batch("ROLLBACK").unwrap();
    };
    let (submissions, actions, ()) = tokio::join!(submissions, actions, release);
    assert!(actions.iter().all(Result::is_ok));
    let full = |answer: &Result<Receipt, Error>| {
        matches!(answer, Err(Error::Full { queue: "the submission queue", max: 4096 }))
    };
    let shed = submissions.iter().filter(|answer| full(answer)).count();
    let done = submissions.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(shed + done, 6_000);
    assert!(shed > 1_000 && done >= 4_096, "{shed} shed, {done} done");
    let facts = world.handle.facts(&default(), None, None).await.unwrap();
    assert_eq!(facts.len(), done, "what was shed left nothing");
}

#[tokio::test]
async fn an_engine_that_dies_says_so_and_leaves_its_folder_in_order() {
    let mut world = World::start().await;
    let ticket = world.submit("place_order").await;
    let died = world.handle.shared.inbox.ask(|_| -> () { panic!("a bug") }).await;
    assert!(matches!(died, Err(Error::Stopping)));
    assert!(world.handle.stopping().wait_for(|stopping| *stopping).await.is_ok());
    assert!(matches!(world.handle.command(submission("x")).await, Err(Error::Stopping)));
    world.restart().await;
    assert_eq!(world.view(&ticket).await.ticket, ticket);
}

#[tokio::test]
async fn the_last_handle_dropped_stops_the_engine() {
    let world = World::start().await;
    let mut stopping = world.handle.stopping();
    let copy = world.handle.clone();
    drop(world.handle);
    assert!(!*stopping.borrow());
    drop(copy);
    assert!(stopping.wait_for(|stopping| *stopping).await.is_ok());
}
