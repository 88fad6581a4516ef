//! Corners that a reader of the code found, and what must happen there.

use super::world::*;
use crate::{
    domain::{
        agent::Presence,
        decision::{Change, Counterfactual},
        event::Event,
        policy::{
            Batching, OccupancyCeiling, Policy, Requirement, Route, RouteMatch, SkillLevel,
            TicketOrder,
        },
        reading::{Reading, ReadingSource, Urgency},
        ticket::{Intake, Outcome, Resolution},
    },
    routing::{AgentWrite, Input},
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

#[test]
fn a_ticket_does_not_wait_for_a_liked_agent_who_leaves_or_cannot_take_it() {
    let mut world = World::new();
    let policy = Policy { preferred_agent_wait_secs: 3600, triage_after_secs: None, ..policy() };
    world.must(Input::SetPolicy { policy, expected: None });
    world.agent("ana", &[("billing", 4)], 1);
    world.agent("bo", &[("billing", 4)], 1);
    world.agent("cy", &[("orders", 4)], 1);
    let liking = |name: &str| Intake { preferred_agent: Some(agent(name)), ..intake() };
    world.receive("t1", liking("ana"));
    world.must(Input::Read { ticket: ticket("t1"), reading: billing() });
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
    world.must(Input::SetPresence { agent: agent("ana"), presence: Presence::Offline });
    assert_eq!(world.holder("t1").as_deref(), Some("bo"), "she left while she was asked");
    world.must(Input::Cancel { ticket: ticket("t1"), reason: String::new() });
    world.receive("t2", liking("cy"));
    world.must(Input::Read { ticket: ticket("t2"), reading: billing() });
    assert_eq!(world.holder("t2").as_deref(), Some("bo"), "cy has no billing");
}

#[test]
fn whom_a_person_named_stays_named_when_the_ticket_is_read() {
    let mut world = World::new();
    world.agent("ana", &[], 1);
    world.must(Input::SetPresence { agent: agent("ana"), presence: Presence::Busy });
    world.agent("bo", &[("billing", 4)], 1);
    world.receive("t1", intake());
    world.must(Input::Assign { ticket: ticket("t1"), agent: agent("ana") });
    world.must(Input::Read { ticket: ticket("t1"), reading: billing() });
    assert_eq!(world.holder("t1"), None, "it waits for ana");
    world.must(Input::SetPresence { agent: agent("ana"), presence: Presence::Available });
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
}

#[test]
fn the_record_of_a_batch_names_somebody_else_as_the_next() {
    let mut world = World::new();
    let batching = Batching { gather_ms: 1000 };
    world.must(Input::SetPolicy { policy: Policy { batching, ..policy() }, expected: None });
    world.agent("ana", &[("billing", 4), ("orders", 2)], 1);
    world.wait_secs(100);
    world.agent("bo", &[("billing", 4)], 1);
    world.wait_secs(2);
    world.ticket("t1", billing());
    world.ticket("t2", reading("place_order", 0.9, Urgency::Normal));
    let events = world.wait_secs(2);
    let offers = events.iter().filter_map(|event| match event {
        Event::OfferMade { agent, decision, .. } => Some((agent, decision)),
        _ => None,
    });
    for (chosen, decision) in offers {
        if let Some(Counterfactual::Change(Change::WithoutTheFirst { agent })) =
            &decision.counterfactual
        {
            assert_ne!(agent, chosen);
        }
    }
}

#[test]
fn needs_that_nobody_has_any_more_are_forgotten() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 4), ("orders", 2)], 100);
    for count in 0..20_000 {
        let name = format!("t{count}");
        let mut need = need("billing", 1, false);
        need.expires_after_secs = Some(1 + count);
        world.receive(&name, Intake { requirements: vec![need], ..intake() });
        let reading = reading("place_order", 0.9, Urgency::Normal);
        world.must(Input::Read { ticket: ticket(&name), reading });
        world.must(Input::Cancel { ticket: ticket(&name), reason: String::new() });
        world.journal.clear();
    }
    assert!(world.state.index.classes.len() < 20_000);
}

#[test]
fn a_rest_beside_work_is_told_now_and_then_not_all_the_time() {
    let mut world = World::new();
    let ceiling = OccupancyCeiling { percent: 80, burst_secs: 60 };
    let policy = Policy { occupancy_ceiling: Some(ceiling), triage_after_secs: None, ..policy() };
    world.must(Input::SetPolicy { policy, expected: None });
    world.agent("ana", &[("billing", 4)], 100);
    for count in 0..90 {
        world.ticket(&format!("t{count}"), billing());
        world.accept(&format!("t{count}"));
    }
    world.wait_secs(700);
    for count in 0..11 {
        let outcome =
            Outcome { resolution: Resolution::Resolved, right_intent: None, satisfaction: None };
        let (ticket, agent) = (ticket(&format!("t{count}")), agent("ana"));
        world.must(Input::Complete { ticket, agent, outcome });
    }
    // 79 % busy: she recovers by a hundredth of the time.
    let end = world.now.plus_secs(1000);
    let mut told = 0;
    while let Some(due) = world.state.next_due().filter(|due| *due <= end) {
        world.now = due;
        let events = world.must(Input::Tick);
        told += events.iter().filter(|event| event.name() == "rest_changed").count();
    }
    assert!((1..=101).contains(&told), "{told}");
}

#[test]
fn a_ticket_given_by_hand_goes_first_in_every_order_and_out_of_triage() {
    for ticket_order in [
        TicketOrder::HeadStart,
        TicketOrder::Strict,
        TicketOrder::Ageing { weights_milli: vec![1000, 9000] },
    ] {
        let mut world = World::new();
        world.must(Input::SetPolicy {
            policy: Policy { ticket_order, triage_after_secs: None, ..policy() },
            expected: None,
        });
        world.receive("old", Intake { priority: 10, ..intake() });
        world.must(Input::Read { ticket: ticket("old"), reading: billing() });
        world.wait_secs(10_000);
        // Nobody understood it: people who triage should see it.
        world.ticket("given", Reading { out_of_scope: true, ..billing() });
        world.agent("ana", &[], 1);
        world.must(Input::Assign { ticket: ticket("given"), agent: agent("ana") });
        assert_eq!(world.holder("given").as_deref(), Some("ana"), "out of triage");
        world.accept("given");
        let able = profile("ana", &[("billing", 5)], 1);
        world.must(Input::SetAgent { profile: able, write: AgentWrite::Replace(None) });
        world.ticket("next", billing());
        world.must(Input::Assign { ticket: ticket("next"), agent: agent("ana") });
        let outcome =
            Outcome { resolution: Resolution::Resolved, right_intent: None, satisfaction: None };
        let (ticket, agent) = (ticket("given"), agent("ana"));
        world.must(Input::Complete { ticket, agent, outcome });
        assert_eq!(world.holder("next").as_deref(), Some("ana"), "before the old one");
    }
}
