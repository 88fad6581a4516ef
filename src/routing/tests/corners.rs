//! Corners that a reader of the code found, and what must happen there.

use super::world::*;
use crate::{
    domain::{
        agent::Presence,
        event::Event,
        policy::{OccupancyCeiling, Policy, Requirement, Route, RouteMatch, SkillLevel},
        reading::{Reading, ReadingSource},
        ticket::Intake,
    },
    routing::Input,
};

/// Billing has room for one to wait; the next ones go to whoever takes orders.
fn full_policy() -> Policy {
    let mut policy = policy();
    policy.routes[0].waiting_max = Some(1);
    policy.routes[0].overflow = Some("spare".to_owned());
    policy.routes.push(Route::new("spare", RouteMatch::default(), vec![need("orders", 1, false)]));
    policy
}

#[test]
fn a_ticket_that_is_read_again_does_not_crowd_itself_out() {
    let mut world = World::new();
    world.must(Input::SetPolicy { policy: full_policy(), expected: None });
    let rules = Reading { source: ReadingSource::Rules, ..billing() };
    world.ticket("t1", rules);
    assert_eq!(world.open("t1").plan.as_ref().unwrap().route, "billing");
    world.must(Input::Read { ticket: ticket("t1"), reading: billing() });
    assert_eq!(world.open("t1").plan.as_ref().unwrap().route, "billing");
}

#[test]
fn a_policy_set_again_keeps_the_only_ticket_on_its_route() {
    let mut world = World::new();
    world.must(Input::SetPolicy { policy: full_policy(), expected: None });
    world.ticket("t1", billing());
    world.must(Input::SetPolicy { policy: full_policy(), expected: None });
    assert_eq!(world.open("t1").plan.as_ref().unwrap().route, "billing");
}

#[test]
fn a_ticket_given_unread_to_an_agent_who_is_deleted_goes_on() {
    let mut world = World::new();
    world.agent("ana", &[], 1);
    world.must(Input::SetPresence { agent: agent("ana"), presence: Presence::Away });
    world.receive("t1", intake());
    world.must(Input::Assign { ticket: ticket("t1"), agent: agent("ana") });
    world.must(Input::DeleteAgent { agent: agent("ana") });
    world.agent("bo", &[("billing", 4)], 1);
    world.must(Input::Read { ticket: ticket("t1"), reading: billing() });
    assert_eq!(world.holder("t1").as_deref(), Some("bo"));
}

#[test]
fn alternatives_of_two_places_are_not_weaker_than_either() {
    let either = |other: &str| Requirement {
        alternatives: vec![SkillLevel { skill: skill(other), proficiency_min: 1 }],
        ..need("billing", 1, false)
    };
    let mut world = World::new();
    let mut policy = policy();
    policy.routes[0].requirements = vec![either("orders")];
    world.must(Input::SetPolicy { policy, expected: None });
    let intake = Intake { requirements: vec![either("spanish")], ..intake() };
    world.receive("t1", intake);
    world.must(Input::Read { ticket: ticket("t1"), reading: billing() });
    // Who has spanish alone meets the ticket's need, not the route's.
    world.agent("ana", &[("spanish", 1)], 1);
    assert_eq!(world.holder("t1"), None);
}

#[test]
fn an_agent_beyond_the_ceiling_gets_no_new_ticket() {
    let mut world = World::new();
    let ceiling = Some(OccupancyCeiling { percent: 80, burst_secs: 60 });
    let policy = Policy { occupancy_ceiling: ceiling, ..policy() };
    world.must(Input::SetPolicy { policy, expected: None });
    world.agent("ana", &[("billing", 4)], 10);
    for index in 0..9 {
        world.ticket(&format!("t{index}"), billing());
        world.accept(&format!("t{index}"));
    }
    // 90 % busy, 10 % above the ceiling: 60 s of excess work after 600 s.
    world.wait_secs(6000);
    world.ticket("late", billing());
    assert_eq!(
        world.holder("late"),
        None,
        "resting: {:?}",
        world.state.agent(&agent("ana")).unwrap().rests_until()
    );
}

#[test]
fn waiting_for_a_liked_agent_is_not_unstaffed() {
    let mut world = World::new();
    let policy = Policy { preferred_agent_wait_secs: 60, ..policy() };
    world.must(Input::SetPolicy { policy, expected: None });
    world.agent("ana", &[("billing", 4)], 1);
    world.must(Input::SetPresence { agent: agent("ana"), presence: Presence::Busy });
    let intake = Intake { preferred_agent: Some(agent("ana")), ..intake() };
    world.receive("t1", intake);
    world.must(Input::Read { ticket: ticket("t1"), reading: billing() });
    world.agent("bo", &[("billing", 4)], 1);
    assert_eq!(world.state.unstaffed(), []);
}

#[test]
fn a_new_policy_looks_again_at_who_waits_but_says_nothing_where_nothing_changed() {
    let mut world = World::new();
    world.ticket("t1", billing());
    world.ticket("t2", billing());
    let mut looser = policy();
    looser.routes[0].requirements = vec![need("billing", 2, false)];
    let events = world.must(Input::SetPolicy { policy: looser, expected: None });
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["policy_set", "ticket_planned", "ticket_planned"]);
    world.agent("ana", &[("billing", 2)], 1);
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
}
