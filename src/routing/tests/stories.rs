//! What people would tell of a day.

use super::world::*;
use crate::{
    domain::{
        agent::Presence,
        decision::{Change, Counterfactual, Rule},
        event::Event,
        policy::TriageReason,
        reading::{ReadingSource, Urgency},
        ticket::{Intake, Outcome, Resolution, Status},
    },
    routing::{AgentWrite, Input, Rejection, Transfer},
};

const RESOLVED: Outcome =
    Outcome { resolution: Resolution::FirstContact, right_intent: None, satisfaction: None };

#[test]
fn a_ticket_is_offered_by_skill_accepted_and_completed() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 4)], 1);
    world.agent("bo", &[("orders", 5)], 1);
    world.ticket("t1", billing());
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
    world.accept("t1");
    world.must(Input::Complete { ticket: ticket("t1"), agent: agent("ana"), outcome: RESOLVED });
    assert!(world.state.ticket_count() == 0);
    assert_eq!(world.state.used_units(&agent("ana")), 0);
}

#[test]
fn a_late_or_foreign_answer_is_refused_without_effect() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 4)], 1);
    world.ticket("t1", billing());
    let (offer, ana) = world.live("t1");
    let before = world.state.clone();
    let foreign = world.try_step(Input::Accept { offer: offer.clone(), agent: agent("bo") });
    assert_eq!(foreign, Err(Rejection::OfferNotLive(offer.clone())));
    world.now = world.now.plus_secs(30);
    let late = world.try_step(Input::Accept { offer: offer.clone(), agent: ana.clone() });
    assert_eq!(late, Err(Rejection::OfferNotLive(offer.clone())));
    assert_eq!(world.state, before);
    world.wait_secs(0);
    assert_eq!(world.holder("t1"), None, "the offer lapsed and the only agent backs off");
    world.wait_secs(60);
    let (second, _) = world.live("t1");
    assert_eq!(second.epoch, 2, "after the back-off the only agent is asked again");
    let old = world.try_step(Input::Accept { offer: offer.clone(), agent: ana });
    assert_eq!(old, Err(Rejection::OfferNotLive(offer)));
}

#[test]
fn a_declined_ticket_goes_to_the_next_agent_at_once() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 4)], 1);
    world.agent("bo", &[("billing", 3)], 1);
    world.ticket("t1", billing());
    let (offer, first) = world.live("t1");
    world.must(Input::Decline { offer, agent: first.clone(), reason: "break".to_owned() });
    let (_, second) = world.live("t1");
    assert_ne!(first, second);
}

#[test]
fn capacity_counts_open_offers_and_the_channel() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 4)], 3);
    world.receive("call", Intake { channel: "phone".to_owned(), ..intake() });
    world.must(Input::Read { ticket: ticket("call"), reading: billing() });
    world.ticket("t1", billing());
    world.ticket("t2", billing());
    assert_eq!(world.state.used_units(&agent("ana")), 3);
    assert_eq!(world.holder("t2"), None);
    world.accept("call");
    world.must(Input::Complete { ticket: ticket("call"), agent: agent("ana"), outcome: RESOLVED });
    assert_eq!(world.holder("t2").as_deref(), Some("ana"));
}

#[test]
fn requirements_loosen_with_age_but_permanent_ones_never_do() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 2), ("orders", 1)], 5);
    world.ticket("t1", billing());
    let cleared = Intake { requirements: vec![need("orders", 3, true)], ..intake() };
    world.receive("t2", cleared);
    world.must(Input::Read { ticket: ticket("t2"), reading: billing() });
    assert_eq!(world.holder("t1"), None);
    let events = world.wait_secs(60);
    assert!(events.iter().any(|event| matches!(event, Event::TicketRelaxed { step: 1, .. })));
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
    world.wait_secs(239);
    let waiting = world.open("t2");
    assert_eq!(
        world.state.requirements(waiting),
        [need("billing", 1, false), need("orders", 3, true)]
    );
    assert_eq!(waiting.status, Status::Queued);
}

#[test]
fn nobody_waits_for_ever_triage_takes_what_nobody_can() {
    let mut world = World::new();
    world.agent("tri", &[("triage", 1)], 1);
    world.ticket("t1", billing());
    assert_eq!(world.holder("t1"), None);
    world.wait_secs(300);
    assert_eq!(world.holder("t1").as_deref(), Some("tri"));
    let plan = world.open("t1").plan.clone().unwrap();
    assert_eq!(plan.triage, Some(TriageReason::WaitedTooLong));
}

#[test]
fn people_triage_what_the_model_is_unsure_of() {
    let unsure = reading("get_refund", 0.4, Urgency::Normal);
    let outside = crate::domain::reading::Reading { out_of_scope: true, ..billing() };
    let unrouted = reading("weather", 0.9, Urgency::Normal);
    let foreign = crate::domain::reading::Reading {
        language: Some("fi".to_owned()),
        language_supported: false,
        ..billing()
    };
    let unread = crate::domain::reading::Reading {
        source: ReadingSource::Rules,
        intents: vec![],
        ..billing()
    };
    let mut world = World::new();
    let cases = [
        (unsure, TriageReason::LowConfidence),
        (outside, TriageReason::OutOfScope),
        (unrouted, TriageReason::NoRoute),
        (foreign, TriageReason::LanguageUnsupported),
        (unread, TriageReason::Unread),
    ];
    for (index, (reading, reason)) in cases.into_iter().enumerate() {
        let name = format!("t{index}");
        world.ticket(&name, reading);
        let plan = world.open(&name).plan.clone().unwrap();
        assert_eq!(plan.triage, Some(reason));
        assert_eq!(plan.requirements[..], [need("triage", 1, true)]);
    }
}

#[test]
fn a_language_the_model_cannot_read_is_routed_by_language_not_guessed() {
    let mut world = World::new();
    world.agent("eva", &[("spanish", 5)], 1);
    let spanish = crate::domain::reading::Reading {
        language: Some("es".to_owned()),
        language_supported: false,
        ..reading("get_refund", 0.99, Urgency::Critical)
    };
    world.ticket("t1", spanish);
    assert_eq!(world.holder("t1").as_deref(), Some("eva"));
    let plan = world.open("t1").plan.clone().unwrap();
    assert_eq!((plan.route.as_str(), plan.head_start_secs), ("language", 0));
}

#[test]
fn urgent_tickets_go_first_but_only_by_their_head_start() {
    let mut world = World::new();
    world.ticket("old", billing());
    world.wait_secs(200);
    world.ticket("urgent", reading("get_refund", 0.9, Urgency::High));
    world.wait_secs(50);
    world.ticket("calm", billing());
    world.agent("ana", &[("billing", 5)], 1);
    let mut order = Vec::new();
    for _ in 0..3 {
        let next = ["old", "urgent", "calm"].into_iter().find(|name| world.holder(name).is_some());
        let name = next.expect("ana has a ticket");
        world.accept(name);
        let (ticket, agent) = (ticket(name), agent("ana"));
        world.must(Input::Complete { ticket, agent, outcome: RESOLVED });
        order.push(name);
    }
    assert_eq!(order, ["urgent", "old", "calm"]);
}

#[test]
fn a_dropped_stream_loses_presence_after_the_lease_and_gives_offers_back() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 1);
    world.ticket("t1", billing());
    world.must(Input::CloseStream { agent: agent("ana") });
    world.agent("bo", &[("billing", 5)], 1);
    world.wait_secs(19);
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
    world.wait_secs(1);
    assert_eq!(world.holder("t1").as_deref(), Some("bo"));
    assert_eq!(world.presence("ana"), Presence::Offline);
}

#[test]
fn a_stream_that_comes_back_within_the_lease_keeps_presence() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 1);
    world.must(Input::CloseStream { agent: agent("ana") });
    world.wait_secs(10);
    world.must(Input::OpenStream { agent: agent("ana") });
    world.wait_secs(1000);
    assert_eq!(world.presence("ana"), Presence::Available);
}

#[test]
fn assignments_of_an_agent_who_left_go_back_to_the_queue() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 1);
    world.ticket("t1", billing());
    world.accept("t1");
    world.must(Input::SetPresence { agent: agent("ana"), presence: Presence::Offline });
    world.agent("bo", &[("billing", 5)], 1);
    world.wait_secs(99);
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
    world.wait_secs(1);
    assert_eq!(world.holder("t1").as_deref(), Some("bo"));
}

#[test]
fn after_a_restart_agents_have_one_lease_to_come_back() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 1);
    world.agent("bo", &[("billing", 5)], 1);
    world.must(Input::Restart);
    world.must(Input::OpenStream { agent: agent("ana") });
    world.wait_secs(20);
    assert_eq!(world.presence("ana"), Presence::Available);
    assert_eq!(world.presence("bo"), Presence::Offline);
}

#[test]
fn a_transfer_keeps_the_age_and_reaches_its_target() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 1);
    world.agent("bo", &[("orders", 5)], 1);
    world.agent("cy", &[("spanish", 5)], 1);
    world.ticket("t1", billing());
    world.accept("t1");
    let hand_on = |world: &mut World, from: &str, target| {
        world.must(Input::Transfer { ticket: ticket("t1"), agent: agent(from), target });
    };
    hand_on(&mut world, "ana", Transfer::Intent("place_order".to_owned()));
    assert_eq!(world.holder("t1").as_deref(), Some("bo"));
    world.accept("t1");
    hand_on(&mut world, "bo", Transfer::Skills(vec![need("spanish", 2, false)]));
    assert_eq!(world.holder("t1").as_deref(), Some("cy"));
    world.accept("t1");
    hand_on(&mut world, "cy", Transfer::Agent(agent("ana")));
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
    assert_eq!(world.open("t1").received_at, START);
    let unknown = Input::Transfer {
        ticket: ticket("t1"),
        agent: agent("ana"),
        target: Transfer::Agent(agent("nobody")),
    };
    world.accept("t1");
    assert_eq!(world.try_step(unknown), Err(Rejection::AgentUnknown(agent("nobody"))));
}

#[test]
fn a_cancelled_ticket_frees_the_agent_and_its_offer_is_dead() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 1);
    world.ticket("t1", billing());
    world.ticket("t2", billing());
    let (offer, ana) = world.live("t1");
    world.must(Input::Cancel { ticket: ticket("t1"), reason: "customer_left".to_owned() });
    assert_eq!(world.holder("t2").as_deref(), Some("ana"));
    assert!(world.try_step(Input::Accept { offer, agent: ana }).is_err());
    let again = Input::Cancel { ticket: ticket("t1"), reason: String::new() };
    assert_eq!(world.try_step(again), Err(Rejection::TicketNotOpen(ticket("t1"))));
}

#[test]
fn wrap_up_keeps_capacity_until_it_ends() {
    let mut world = World::new();
    let policy = crate::domain::policy::Policy { wrap_up_secs: 15, ..policy() };
    world.must(Input::SetPolicy { policy, expected: Some(1) });
    world.agent("ana", &[("billing", 5)], 1);
    world.ticket("t1", billing());
    world.accept("t1");
    world.must(Input::Complete { ticket: ticket("t1"), agent: agent("ana"), outcome: RESOLVED });
    world.ticket("t2", billing());
    world.wait_secs(14);
    assert_eq!(world.holder("t2"), None);
    world.wait_secs(1);
    assert_eq!(world.holder("t2").as_deref(), Some("ana"));
}

#[test]
fn a_changed_profile_takes_back_offers_that_no_longer_fit() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 1);
    world.ticket("t1", billing());
    let weaker = profile("ana", &[("orders", 5)], 1);
    let stale = Input::SetAgent { profile: weaker.clone(), write: AgentWrite::Replace(Some(7)) };
    assert_eq!(world.try_step(stale), Err(Rejection::VersionConflict { current: 1, expected: 7 }));
    world.must(Input::SetAgent { profile: weaker, write: AgentWrite::Replace(Some(1)) });
    assert_eq!(world.holder("t1"), None);
}

#[test]
fn a_new_policy_is_applied_to_waiting_tickets() {
    let mut world = World::new();
    world.agent("ana", &[("orders", 5)], 1);
    world.ticket("t1", billing());
    let mut changed = policy();
    changed.routes[0].requirements = vec![need("orders", 1, false)];
    world.must(Input::SetPolicy { policy: changed, expected: Some(1) });
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
}

#[test]
fn reading_again_by_rules_never_replaces_the_model() {
    let mut world = World::new();
    world.ticket("t1", billing());
    let by_rules = crate::domain::reading::Reading {
        source: ReadingSource::Rules,
        ..reading("place_order", 0.9, Urgency::Low)
    };
    let events = world.must(Input::Read { ticket: ticket("t1"), reading: by_rules });
    assert_eq!(events, []);
}

#[test]
fn a_deleted_agent_leaves_nothing_behind() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 2);
    world.agent("bo", &[("billing", 5)], 1);
    world.ticket("t1", billing());
    world.ticket("t2", billing());
    world.ticket("t3", billing());
    let mine = world.holder("t1").unwrap();
    world.accept("t1");
    let refused = world.try_step(Input::DeleteAgent { agent: agent(&mine) });
    assert!(matches!(refused, Err(Rejection::AgentHasAssignments { count: 1, .. })));
    world.must(Input::Transfer {
        ticket: ticket("t1"),
        agent: agent(&mine),
        target: Transfer::Agent(agent(&mine)),
    });
    world.must(Input::DeleteAgent { agent: agent(&mine) });
    assert!(world.state.agent(&agent(&mine)).is_none());
    for name in ["t1", "t2", "t3"] {
        assert_ne!(world.holder(name), Some(mine.clone()));
    }
}

#[test]
fn the_record_counts_every_agent_once_and_names_the_nearest() {
    let mut world = World::new();
    world.agent("ana", &[("billing", 5)], 1);
    world.agent("bo", &[("billing", 1)], 1);
    world.agent("cy", &[("billing", 2)], 1);
    world.agent("di", &[("orders", 2)], 1);
    world.agent("ed", &[("billing", 4)], 1);
    world.must(Input::SetPresence { agent: agent("ed"), presence: Presence::Away });
    let events = world.ticket("t1", billing());
    let decision = events.iter().find_map(|event| match event {
        Event::OfferMade { decision, .. } => Some(decision),
        _ => None,
    });
    let decision = decision.expect("an offer");
    assert_eq!(decision.eligible_count, 1);
    let counted: u32 = decision.exclusions.iter().map(|exclusion| exclusion.agent_count).sum();
    assert_eq!(counted + decision.eligible_count, 5);
    let rules: Vec<Rule> = decision.exclusions.iter().map(|exclusion| exclusion.rule).collect();
    assert_eq!(rules, [Rule::NotAvailable, Rule::ProficiencyTooLow, Rule::SkillMissing]);
    assert_eq!(decision.exclusions[1].agents, [agent("cy"), agent("bo")]);
    let change = Change::WithoutRule { agent: agent("ed"), rule: Rule::NotAvailable, skill: None };
    assert_eq!(decision.counterfactual, Some(Counterfactual::Change(change)));
}

#[test]
fn a_skill_in_use_cannot_be_removed() {
    let mut world = World::new();
    world.must(Input::CreateSkill { skill: skill("french"), description: String::new() });
    world.agent("ana", &[("french", 5)], 1);
    let refused = world.try_step(Input::DeleteSkill { skill: skill("french") });
    let user = "agent ana".to_owned();
    assert_eq!(refused, Err(Rejection::SkillInUse { skill: skill("french"), user }));
    let refused = world.try_step(Input::DeleteSkill { skill: skill("triage") });
    assert!(matches!(refused, Err(Rejection::SkillInUse { .. })));
    world.must(Input::DeleteAgent { agent: agent("ana") });
    world.must(Input::DeleteSkill { skill: skill("french") });
}

#[test]
fn agents_freed_together_are_served_in_the_order_of_the_queue() {
    let mut world = World::new();
    let policy = crate::domain::policy::Policy { wrap_up_secs: 10, ..policy() };
    world.must(Input::SetPolicy { policy, expected: None });
    world.agent("ana", &[("orders", 5)], 1);
    world.agent("bo", &[("orders", 5), ("billing", 5)], 1);
    let orders = reading("place_order", 0.9, Urgency::Normal);
    for name in ["w1", "w2"] {
        world.ticket(name, orders.clone());
        world.accept(name);
        let (ticket, agent) = (ticket(name), agent(&world.holder(name).unwrap()));
        world.must(Input::Complete { ticket, agent, outcome: RESOLVED });
    }
    world.ticket("older", billing());
    world.now = world.now.plus_secs(1);
    world.ticket("newer", orders);
    // Both wrap-ups end in this one step.
    world.wait_secs(9);
    assert_eq!(world.holder("older").as_deref(), Some("bo"), "only bo can take the older one");
    assert_eq!(world.holder("newer").as_deref(), Some("ana"));
}

#[test]
fn what_the_model_reads_while_an_agent_decides_counts_when_the_ticket_comes_back() {
    let mut world = World::new();
    world.agent("tri", &[("triage", 1)], 1);
    let unread = crate::domain::reading::Reading {
        source: ReadingSource::Rules,
        intents: vec![],
        ..billing()
    };
    world.ticket("t1", unread);
    assert_eq!(world.holder("t1").as_deref(), Some("tri"));
    let events = world.must(Input::Read { ticket: ticket("t1"), reading: billing() });
    let in_force = events.iter().find_map(|event| match event {
        Event::TicketRead { plan, .. } => plan.triage,
        _ => None,
    });
    assert_eq!(in_force, Some(TriageReason::Unread), "the record names the plan in force");
    let (offer, tri) = world.live("t1");
    world.must(Input::Decline { offer, agent: tri, reason: "busy".to_owned() });
    let plan = world.open("t1").plan.clone().unwrap();
    assert_eq!((plan.route.as_str(), plan.triage), ("billing", None));
}

#[test]
fn an_offer_under_consideration_does_not_become_triage() {
    let mut world = World::new();
    world.ticket("t1", billing());
    world.wait_secs(290);
    world.agent("ana", &[("billing", 5)], 1);
    world.wait_secs(15);
    world.accept("t1");
    let plan = world.open("t1").plan.clone().unwrap();
    assert_eq!(plan.triage, None);
}

#[test]
fn a_skill_that_a_waiting_ticket_needs_cannot_be_removed() {
    let mut world = World::new();
    world.must(Input::CreateSkill { skill: skill("legal"), description: String::new() });
    world.receive("t1", Intake { requirements: vec![need("legal", 1, true)], ..intake() });
    world.must(Input::Read { ticket: ticket("t1"), reading: billing() });
    let refused = world.try_step(Input::DeleteSkill { skill: skill("legal") });
    let user = "ticket t1".to_owned();
    assert_eq!(refused, Err(Rejection::SkillInUse { skill: skill("legal"), user }));
}
