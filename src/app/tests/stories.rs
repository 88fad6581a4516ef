//! What callers can rely on, one story each.

use super::world::*;
use crate::{
    app::*,
    domain::{
        agent::Presence,
        event::{Event, WorkspaceSettings},
        id::{ActorId, WorkspaceId},
        limits::IDEMPOTENCY_WINDOW_SECS,
        reading::ReadingSource,
        ticket::{Outcome, Resolution, Status},
        time::UnixMillis,
    },
    routing::{Input, Rejection},
};

fn outcome() -> Outcome {
    Outcome { resolution: Resolution::FirstContact, right_intent: None, satisfaction: Some(5) }
}

#[tokio::test]
async fn the_first_start_makes_a_default_workspace_with_the_standard_policy() {
    let mut world = World::start().await;
    let found = world.handle.workspaces(PageRequest { size: 10, ..PageRequest::default() }).await;
    let found = found.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].workspace.clone(), found[0].version), (default(), 1));
    let policy = world.handle.policy(&default(), None).await.unwrap();
    assert_eq!(policy.version, 1);
    assert_eq!(world.handle.policy(&default(), Some(1)).await.unwrap(), policy);
    let unknown = world.handle.policy(&default(), Some(2)).await;
    assert!(matches!(unknown, Err(Error::PolicyUnknown(2))));
    world.restart().await;
    let page = PageRequest { size: 10, ..PageRequest::default() };
    assert_eq!(world.handle.workspaces(page).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn the_journal_names_who_gave_a_ticket_to_an_agent() {
    let world = World::start().await;
    world.add_agent("ana", 1).await;
    let ticket = world.submit("place_order one lamp").await;
    let assign = Input::Assign { ticket: ticket.clone(), agent: agent_id("ana") };
    let mut assign = command(Action::Route(assign.into()));
    assign.actor = Some(ActorId::new("zoe").unwrap());
    world.handle.command(assign).await.unwrap();
    let entries = world.entries(&ticket).await;
    let actor_of = |name| {
        let entry = entries.iter().rfind(|entry| entry.event.name() == name).unwrap();
        entry.actor.as_ref().map(ActorId::as_str)
    };
    assert_eq!(actor_of("ticket_assigned_by_hand"), Some("zoe"));
    assert_eq!(actor_of("offer_made"), None);
}

#[tokio::test]
async fn a_ticket_goes_its_way_and_leaves_its_record() {
    let world = World::start().await;
    world.add_agent("ana", 1).await;
    let ticket = world.submit("place_order one lamp").await;
    world.read_by(&ticket, ReadingSource::Model).await;
    let desk = world.desk("ana").await;
    let [offer] = desk.offers.as_slice() else { panic!("one offer: {desk:?}") };
    assert_eq!(offer.ticket.payload.body, "place_order one lamp");
    assert_eq!(offer.ticket.status, Status::Offered);
    let decision = world.handle.decision(&default(), offer.decision).await.unwrap();
    assert_eq!(offer_of(&decision.entry), Some(&offer.offer));
    assert_eq!((decision.plan.route.as_str(), decision.model.as_str()), ("orders", "scripted 1"));

    world.pass(1_000);
    let accept = Input::Accept { offer: offer.offer.clone(), agent: agent_id("ana") };
    let mut accept = command(Action::Route(accept.into()));
    accept.actor = Some(ActorId::new("ana").unwrap());
    let receipt = world.handle.command(accept).await.unwrap();
    assert_eq!(receipt.ticket.as_ref(), Some(&ticket));
    let desk = world.desk("ana").await;
    assert_eq!((desk.offers.len(), desk.assignments.len()), (0, 1));
    assert_eq!(desk.sequence, receipt.sequence);

    let complete =
        Input::Complete { ticket: ticket.clone(), agent: agent_id("ana"), outcome: outcome() };
    let receipt = world.route(complete).await.unwrap();
    let view = world.view(&ticket).await;
    assert_eq!((view.status, view.sequence), (Status::Completed, receipt.sequence));
    assert_eq!(view.agent, Some(agent_id("ana")));
    assert_eq!(view.outcome, Some(outcome()));
    let entries = world.entries(&ticket).await;
    let names: Vec<_> = entries.iter().map(|entry| entry.event.name()).collect();
    let expected =
        ["ticket_received", "ticket_read", "offer_made", "offer_accepted", "assignment_completed"];
    assert_eq!(names, expected);
    let actors: Vec<_> = entries.iter().filter_map(|entry| entry.actor.clone()).collect();
    assert_eq!(actors, [ActorId::new("ana").unwrap()], "only the accept was somebody's doing");

    let facts = world.handle.facts(&default(), None, None).await.unwrap();
    let [fact] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!((fact.first_contact(), fact.reassigned), (Some(true), Some(false)));
    assert_eq!((fact.target_met(world.handle.now()), fact.fast_tracked), (Some(true), Some(false)));
    assert_eq!(fact.segments["region"], "north");
    let loads = world.handle.loads(&default()).await.unwrap();
    assert_eq!((loads[0].offered, loads[0].accepted, loads[0].completed), (1, 1, 1));
}

#[tokio::test]
async fn the_same_key_does_nothing_twice_and_other_content_is_refused() {
    let mut world = World::start().await;
    let first = world.handle.command(with_key(submission("place_order"), "k", 1)).await.unwrap();
    assert!(!first.replayed);
    for _ in 0..2 {
        let again = with_key(submission("place_order"), "k", 1);
        let again = world.handle.command(again).await.unwrap();
        assert_eq!(again, Receipt { replayed: true, ..first.clone() });
        let other = world.handle.command(with_key(submission("other"), "k", 2)).await;
        assert!(matches!(other, Err(Error::IdempotencyKeyReused)));
        world.restart().await;
    }
    let both = with_key(submission("place_order"), "twice", 1);
    let same = with_key(submission("place_order"), "twice", 1);
    let (left, right) = tokio::join!(world.handle.command(both), world.handle.command(same));
    let (left, right) = (left.unwrap(), right.unwrap());
    assert_eq!(left.ticket, right.ticket);
    assert!(left.replayed != right.replayed);
    assert_eq!(world.handle.facts(&default(), None, None).await.unwrap().len(), 2);

    world.pass(i64::from(IDEMPOTENCY_WINDOW_SECS) * 1000 + 1);
    let late = world.handle.command(with_key(submission("place_order"), "k", 2)).await.unwrap();
    assert!(!late.replayed, "keys are forgotten after a day");
}

#[tokio::test]
async fn a_refused_command_may_be_tried_again_under_its_key() {
    let world = World::start().await;
    let presence = || {
        let presence = Presence::Available;
        command(Action::Route(Input::SetPresence { agent: agent_id("ana"), presence }.into()))
    };
    let refused = world.handle.command(with_key(presence(), "k", 1)).await;
    assert!(matches!(refused, Err(Error::Rejected(Rejection::AgentUnknown(_)))));
    world.add_agent("ana", 1).await;
    let receipt = world.handle.command(with_key(presence(), "k", 1)).await.unwrap();
    assert!(!receipt.replayed);
}

#[tokio::test]
async fn workspaces_are_apart_and_made_once() {
    let world = World::start().await;
    let acme = WorkspaceId::new("acme").unwrap();
    let create = || {
        let settings = WorkspaceSettings {
            display_name: "Acme".to_owned(),
            segment_attributes: vec!["region".to_owned()],
            outcome_wait_secs: None,
        };
        Command { workspace: acme.clone(), ..command(Action::CreateWorkspace(settings)) }
    };
    let nowhere = world.handle.facts(&acme, None, None).await;
    assert!(matches!(nowhere, Err(Error::WorkspaceUnknown(_))));
    let nowhere = Command { workspace: acme.clone(), ..submission("x") };
    assert!(matches!(world.handle.command(nowhere).await, Err(Error::WorkspaceUnknown(_))));
    let made = world.handle.command(with_key(create(), "k", 1)).await.unwrap();
    let again = world.handle.command(with_key(create(), "k", 1)).await.unwrap();
    assert_eq!(again, Receipt { replayed: true, ..made });
    let twice = world.handle.command(create()).await;
    assert!(matches!(twice, Err(Error::WorkspaceExists(_))));
    let ticket = world.submit("place_order").await;
    let elsewhere = world.handle.ticket(&acme, &ticket).await;
    assert!(matches!(elsewhere, Err(Error::TicketUnknown(_))));
    assert_eq!(world.handle.facts(&acme, None, None).await.unwrap().len(), 0);
    let skills = world.handle.skills(&acme, PageRequest { size: 500, ..PageRequest::default() });
    assert!(skills.await.unwrap().items.len() > 20);
}

#[tokio::test]
async fn what_lapsed_while_the_server_was_down_lapses_when_it_starts() {
    let mut world = World::start().await;
    world.add_agent("ana", 1).await;
    world.route(Input::OpenStream { agent: agent_id("ana") }).await.unwrap();
    let ticket = world.submit("place_order").await;
    world.read_by(&ticket, ReadingSource::Model).await;
    let offer = world.desk("ana").await.offers.remove(0).offer;
    world.handle.stop().await;
    world.pass(31_000);
    world.restart().await;
    let accept = Input::Accept { offer, agent: agent_id("ana") };
    let late = world.route(accept).await;
    assert!(matches!(late, Err(Error::Rejected(Rejection::OfferNotLive(_)))));
    assert!(world.names(&ticket).await.contains(&"offer_expired"));
    let desk = world.desk("ana").await;
    assert_eq!(desk.presence, Presence::Available);
    assert!(desk.lease_until.is_some(), "no stream is open any more");
    world.pass(30_000);
    assert_eq!(world.desk("ana").await.presence, Presence::Offline);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::start().await;
    let mut submitted = Vec::new();
    for number in 0..7 {
        submitted.push(world.submit(&format!("place_order {number}")).await);
        world.add_agent(&format!("agent-{number}"), 1).await;
    }
    submitted.reverse();
    let (mut token, mut listed, mut agents) = (String::new(), Vec::new(), Vec::new());
    loop {
        let page = PageRequest { size: 3, token: token.clone() };
        let filter = TicketFilter { customer: Some("cust-1".to_owned()), ..Default::default() };
        let page = world.handle.tickets(&default(), filter, page).await.unwrap();
        listed.extend(page.items.into_iter().map(|view| view.ticket));
        token = page.next;
        if token.is_empty() {
            break;
        }
        let other = TicketFilter { customer: Some("cust-2".to_owned()), ..Default::default() };
        let page = PageRequest { size: 3, token: token.clone() };
        let refused = world.handle.tickets(&default(), other, page).await;
        assert!(matches!(refused, Err(Error::PageTokenInvalid)));
    }
    assert_eq!(listed, submitted);
    loop {
        let page = PageRequest { size: 2, token: token.clone() };
        let page = world.handle.agents(&default(), page).await.unwrap();
        agents.extend(page.items.into_iter().map(|view| view.profile.display_name));
        token = page.next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(agents, (0..7).map(|number| format!("agent-{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_watcher_is_woken_once_the_entry_can_be_read() {
    let world = World::start().await;
    world.add_agent("ana", 1).await;
    let mut topic = world.handle.watch(Topic::Agent(default(), agent_id("ana")));
    let before = world.desk("ana").await.sequence;
    world.submit("place_order").await;
    topic.changed().await.unwrap();
    let about = EntryFilter::Agent(agent_id("ana"));
    let entries = world.handle.entries(&default(), about, before, 10).await.unwrap();
    assert!(matches!(entries[0].event, Event::OfferMade { .. }), "{entries:?}");
    assert_eq!(*topic.borrow(), entries[0].sequence);
}

#[tokio::test]
async fn a_ticket_that_changes_hands_counts_as_reassigned() {
    let world = World::start().await;
    world.add_agent("ana", 1).await;
    let ticket = world.submit("place_order").await;
    world.read_by(&ticket, ReadingSource::Model).await;
    let take = async |agent: &str| {
        let offer = world.desk(agent).await.offers.remove(0).offer;
        world.route(Input::Accept { offer, agent: agent_id(agent) }).await.unwrap();
    };
    take("ana").await;
    world.add_agent("bo", 1).await;
    let target = crate::routing::Transfer::Agent(agent_id("bo"));
    let transfer = Input::Transfer { ticket: ticket.clone(), agent: agent_id("ana"), target };
    world.route(transfer).await.unwrap();
    take("bo").await;
    let facts = world.handle.facts(&default(), None, None).await.unwrap();
    assert_eq!(facts[0].reassigned, Some(true));
    assert_eq!(facts[0].agent, Some(agent_id("bo")));
}

#[tokio::test]
async fn a_stopping_engine_finishes_what_it_took_and_refuses_the_rest() {
    let world = World::start().await;
    let taken: Vec<_> =
        (0..100).map(|number| world.handle.command(submission(&number.to_string()))).collect();
    let mut stopping = world.handle.stopping();
    let (taken, ()) = tokio::join!(futures::future::join_all(taken), world.handle.stop());
    assert!(stopping.wait_for(|stopping| *stopping).await.is_ok());
    let done = taken.iter().filter(|answer| answer.is_ok()).count();
    assert!(taken.iter().all(|answer| matches!(answer, Ok(_) | Err(Error::Stopping))));
    assert!(matches!(world.handle.command(submission("late")).await, Err(Error::Stopping)));
    let late = world.handle.facts(&default(), None, None).await;
    assert!(matches!(late, Err(Error::Stopping)));
    assert!(matches!(world.handle.workspace(&default()).await, Err(Error::Stopping)));
    assert_eq!(replayed(&world.folder).state.ticket_count(), done);
}

#[tokio::test]
async fn time_never_goes_back_in_a_journal() {
    let mut world = World::start().await;
    let ticket = world.submit("place_order").await;
    let received_at = world.view(&ticket).await.received_at;
    world.pass(-3_600_000);
    let second = world.submit("place_order").await;
    assert_eq!(world.view(&second).await.received_at, received_at);
    world.pass(5);
    world.restart().await;
    assert!(world.handle.now() >= received_at);
    assert!(world.handle.now() <= UnixMillis(received_at.0 + 10));
}
