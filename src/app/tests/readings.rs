//! Who reads a ticket when the model is well, slow, full, broken or not there.

use super::world::*;
use crate::domain::{id::TicketId, reading::ReadingSource, ticket::Status, time::UnixMillis};

/// Lets the policy's wait for the model pass.
const READING_WAIT_MS: i64 = 5_000;

async fn backlog(world: &World) -> (usize, usize) {
    let backlog = world.snapshot().await.backlog;
    (backlog.unread.len(), backlog.reread.len())
}

async fn read_twice(world: &World, ticket: &TicketId) {
    let view = world.read_by(ticket, ReadingSource::Rules).await;
    assert_ne!(view.status, Status::Received, "it is routed without the model");
    world.set_mood(Mood::Well);
    world.pass(120_000);
    world.read_by(ticket, ReadingSource::Model).await;
    assert_eq!(backlog(world).await, (0, 0));
}

#[tokio::test]
async fn without_a_model_rules_read_at_once() {
    let mut world = World::start().await;
    world.restart_without_model().await;
    let ticket = world.submit("I want my money back").await;
    world.read_by(&ticket, ReadingSource::Rules).await;
    assert_eq!(backlog(&world).await, (0, 1));
    world.restart().await;
    world.read_by(&ticket, ReadingSource::Model).await;
}

#[tokio::test]
async fn a_silent_model_is_not_waited_for_longer_than_the_policy_says() {
    let world = World::start().await;
    world.set_mood(Mood::Silent);
    let ticket = world.submit("place_order").await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(world.view(&ticket).await.status, Status::Received);
    world.pass(READING_WAIT_MS);
    world.read_by(&ticket, ReadingSource::Rules).await;
}

#[tokio::test]
async fn a_broken_model_is_replaced_by_rules_and_reads_again_when_it_is_well() {
    for mood in [Mood::Down, Mood::Unsound] {
        let world = World::start().await;
        world.set_mood(mood);
        let ticket = world.submit("place_order").await;
        read_twice(&world, &ticket).await;
    }
}

#[tokio::test]
async fn a_full_model_is_asked_again_until_it_has_room() {
    let world = World::start().await;
    world.set_mood(Mood::Full);
    let ticket = world.submit("place_order").await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    world.pass(READING_WAIT_MS);
    read_twice(&world, &ticket).await;
}

#[tokio::test]
async fn a_text_the_model_cannot_read_does_not_hold_up_the_others() {
    let world = World::start().await;
    world.set_mood(Mood::Poisoned);
    let poison = world.submit("poison").await;
    let others = futures::future::join_all((0..5).map(|_| world.submit("place_order"))).await;
    world.pass(READING_WAIT_MS);
    world.read_by(&poison, ReadingSource::Rules).await;
    world.pass(61_000);
    for ticket in &others {
        world.read_by(ticket, ReadingSource::Model).await;
    }
    assert_eq!(backlog(&world).await, (0, 1), "the poison is still to be read");
}

#[tokio::test]
async fn unread_tickets_are_read_after_a_restart() {
    let mut world = World::start().await;
    world.set_mood(Mood::Silent);
    let ticket = world.submit("place_order").await;
    let received_at: UnixMillis = world.view(&ticket).await.received_at;
    world.handle.stop().await;
    world.set_mood(Mood::Well);
    world.restart().await;
    let view = world.read_by(&ticket, ReadingSource::Model).await;
    assert_eq!(view.received_at, received_at);
}

#[tokio::test]
async fn a_burst_is_read_completely() {
    let world = World::start().await;
    let tickets = futures::future::join_all((0..500).map(|_| world.submit("place_order"))).await;
    for ticket in &tickets {
        world.read_by(ticket, ReadingSource::Model).await;
    }
    assert_eq!(backlog(&world).await, (0, 0));
}
