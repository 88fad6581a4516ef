//! What a policy can ask for beyond skills and the order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use super::world::*;
use crate::{
    domain::{
        agent::Presence,
        calendar::{Calendar, CalendarForm, Weekday, WeeklyInterval},
        condition::Condition,
        decision::{Change, Counterfactual, Decision, Rule},
        event::Event,
        policy::{AgentChoice, OccupancyCeiling, Policy, SkillLevel, TicketOrder},
        reading::{Reading, Sentiment, Urgency},
        ticket::{Intake, Outcome, Resolution},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input, Rejection},
};

const RESOLVED: Outcome =
    Outcome { resolution: Resolution::Resolved, right_intent: None, satisfaction: None };

fn world(change: impl FnOnce(&mut Policy)) -> World {
    let mut world = World::new();
    let mut policy = policy();
    change(&mut policy);
    world.must(Input::SetPolicy { policy, expected: None });
    world
}

fn orders() -> Reading {
    reading("place_order", 0.9, Urgency::Normal)
}

fn complete(world: &mut World, name: &str) {
    let agent = agent(&world.holder(name).expect("somebody has it"));
    world.must(Input::Complete { ticket: ticket(name), agent, outcome: RESOLVED });
}

fn submit(world: &mut World, name: &str, intake: Intake, reading: Reading) -> Vec<Event> {
    world.receive(name, intake);
    world.must(Input::Read { ticket: ticket(name), reading })
}

fn decision(events: &[Event]) -> &Decision {
    let found = events.iter().rev().find_map(|event| match event {
        Event::OfferMade { decision, .. } | Event::TicketQueued { decision, .. } => Some(decision),
        _ => None,
    });
    found.expect("a decision")
}

fn open_daily(from: &str, to: &str) -> Calendar {
    let interval = |weekday| WeeklyInterval { weekday, from: from.to_owned(), to: to.to_owned() };
    let weekly = Weekday::ALL.into_iter().map(interval).collect();
    let form = CalendarForm { time_zone: "UTC".to_owned(), weekly, exceptions: BTreeMap::new() };
    Calendar::try_from(form).unwrap()
}

/// 1970-01-01 at this hour and minute, UTC.
fn at(hour: i64, minute: i64) -> UnixMillis {
    UnixMillis((hour * 60 + minute) * 60_000)
}

#[test]
fn another_skill_will_do_where_the_requirement_says_so() {
    let mut world = world(|_| {});
    world.agent("ana", &[("billing", 4), ("spanish", 2)], 1);
    let mut either = need("orders", 3, true);
    either.alternatives = vec![SkillLevel { skill: skill("spanish"), proficiency_min: 3 }];
    let intake = Intake { requirements: vec![either], ..intake() };
    submit(&mut world, "t1", intake, billing());
    assert_eq!(world.holder("t1"), None, "neither orders nor enough Spanish");
    let better = profile("ana", &[("billing", 4), ("spanish", 3)], 1);
    world.must(Input::SetAgent { profile: better, write: AgentWrite::Replace(None) });
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
}

#[test]
fn a_requirement_that_expires_is_needed_no_more() {
    let mut world = world(|policy| policy.relaxation.clear());
    world.agent("ana", &[("billing", 4)], 1);
    let mut fading = need("spanish", 1, false);
    fading.expires_after_secs = Some(45);
    let intake = Intake { requirements: vec![fading], ..intake() };
    let events = submit(&mut world, "t1", intake, billing());
    let Some(Counterfactual::Change(Change::Relaxed { agent: who, at, requirements })) =
        &decision(&events).counterfactual
    else {
        panic!("{:?}", decision(&events));
    };
    assert_eq!((who, *at), (&agent("ana"), Some(START.plus_secs(45))));
    assert_eq!(requirements[..], [need("billing", 3, false)]);
    world.wait_secs(44);
    assert_eq!(world.holder("t1"), None);
    world.wait_secs(1);
    assert_eq!(world.holder("t1").as_deref(), Some("ana"), "as the record said");
}

#[test]
fn preferred_skills_choose_among_the_eligible_and_keep_nobody_out() {
    let level = SkillLevel { skill: skill("spanish"), proficiency_min: 2 };
    let mut world = world(|policy| policy.routes[0].preferred = vec![level]);
    world.agent("idle", &[("billing", 5)], 1);
    world.wait_secs(500);
    world.agent("eva", &[("billing", 3), ("spanish", 2)], 1);
    let events = world.ticket("t1", billing());
    assert_eq!(world.holder("t1").as_deref(), Some("eva"));
    assert_eq!(decision(&events).candidates[1].preferred_missing, 1);
    world.ticket("t2", billing());
    assert_eq!(world.holder("t2").as_deref(), Some("idle"));
}

#[test]
fn a_ticket_waits_for_the_agent_it_would_like_only_while_that_agent_is_there() {
    let mut world = world(|policy| policy.preferred_agent_wait_secs = 40);
    world.agent("ana", &[("billing", 5)], 1);
    world.agent("bo", &[("billing", 5)], 1);
    let liking = |name: &str| Intake { preferred_agent: Some(agent(name)), ..intake() };
    submit(&mut world, "first", liking("bo"), billing());
    assert_eq!(world.holder("first").as_deref(), Some("bo"));
    world.accept("first");
    submit(&mut world, "again", liking("bo"), billing());
    assert_eq!(world.holder("again"), None, "ana is free, but bo is there");
    world.wait_secs(40);
    assert_eq!(world.holder("again").as_deref(), Some("ana"), "patience ends");
    world.accept("again");
    submit(&mut world, "third", liking("bo"), billing());
    complete(&mut world, "again");
    assert_eq!(world.holder("third"), None);
    world.must(Input::SetPresence { agent: agent("bo"), presence: Presence::Away });
    assert_eq!(world.holder("third").as_deref(), Some("ana"), "bo left");
    world.accept("third");
    complete(&mut world, "third");
    submit(&mut world, "fourth", liking("bo"), billing());
    assert_eq!(world.holder("fourth").as_deref(), Some("ana"), "reopened: somebody present");
}

#[test]
fn an_agent_who_is_liked_and_declines_lets_the_others_have_it() {
    let mut world = world(|policy| policy.preferred_agent_wait_secs = 40);
    world.agent("ana", &[("billing", 5)], 1);
    world.agent("bo", &[("billing", 5)], 1);
    let intake = Intake { preferred_agent: Some(agent("bo")), ..intake() };
    submit(&mut world, "t1", intake, billing());
    let (offer, bo) = world.live("t1");
    world.must(Input::Decline { offer, agent: bo, reason: "busy".to_owned() });
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
}

#[test]
fn a_full_route_overflows_into_another() {
    let mut world = world(|policy| {
        policy.routes[0].waiting_max = Some(2);
        policy.routes[0].overflow = Some("orders".to_owned());
    });
    world.agent("bo", &[("orders", 5)], 9);
    for name in ["t1", "t2", "t3"] {
        world.ticket(name, billing());
    }
    assert_eq!(world.holder("t2"), None);
    assert_eq!(world.holder("t3").as_deref(), Some("bo"));
    let plan = world.open("t3").plan.clone().unwrap();
    assert_eq!((plan.route.as_str(), plan.overflowed.as_deref()), ("orders", Some("billing")));
    world.must(Input::Cancel { ticket: ticket("t1"), reason: String::new() });
    world.ticket("t4", billing());
    assert_eq!(world.holder("t4"), None, "there is room to wait again");
}

#[test]
fn a_condition_decides_which_route_is_taken() {
    let mut world = world(|policy| {
        let mut gold = policy.routes[1].clone();
        gold.name = "gold".to_owned();
        gold.matches.intents.clear();
        gold.when =
            Some(Condition::parse("sentiment == 'negative' && attributes.plan == 'gold'").unwrap());
        policy.routes.insert(0, gold);
    });
    let angry = Reading { sentiment: Sentiment::Negative, ..billing() };
    let attributes = BTreeMap::from([("plan".to_owned(), "gold".to_owned())]);
    let gold = Intake { attributes, ..intake() };
    submit(&mut world, "t1", gold.clone(), angry.clone());
    submit(&mut world, "t2", gold, billing());
    submit(&mut world, "t3", intake(), angry);
    let route = |name| world.open(name).plan.as_ref().unwrap().route.clone();
    assert_eq!(["t1", "t2", "t3"].map(route), ["gold", "billing", "billing"]);
}

#[test]
fn outside_business_hours_nothing_is_offered_and_nothing_ages() {
    let mut world = World::new();
    world.now = at(8, 0);
    let mut policy = policy();
    policy.hours = Some(open_daily("09:00", "17:00"));
    policy.routes[1].around_the_clock = true;
    world.must(Input::SetPolicy { policy, expected: None });
    world.agent("ana", &[("billing", 2), ("orders", 1)], 1);
    let events = world.ticket("t1", billing());
    let rules: Vec<_> = decision(&events).exclusions.iter().map(|e| e.rule).collect();
    assert_eq!(rules, [Rule::ProficiencyTooLow]);
    world.ticket("at-once", orders()).len();
    assert_eq!(world.holder("at-once").as_deref(), Some("ana"));
    world.accept("at-once");
    complete(&mut world, "at-once");
    world.now = at(9, 0);
    world.must(Input::Tick);
    assert_eq!(world.holder("t1"), None, "an hour of waiting, none of it counted");
    world.now = at(9, 1);
    world.must(Input::Tick);
    assert_eq!(world.holder("t1").as_deref(), Some("ana"), "one minute counted: relaxed");
    world.accept("t1");
    world.now = at(17, 0);
    world.must(Input::Tick);
    complete(&mut world, "t1");
    let able = profile("ana", &[("billing", 5)], 1);
    world.must(Input::SetAgent { profile: able, write: AgentWrite::Replace(None) });
    let events = world.ticket("t2", billing());
    assert_eq!(decision(&events).exclusions[0].rule, Rule::Closed);
    world.now = at(24 + 9, 0);
    world.must(Input::Tick);
    assert_eq!(world.holder("t2").as_deref(), Some("ana"), "the doors open");
}

#[test]
fn no_offers_outside_a_shift() {
    let mut world = World::new();
    world.now = at(7, 0);
    let policy = Policy { triage_after_secs: None, ..policy() };
    world.must(Input::SetPolicy { policy, expected: None });
    world.agent("ana", &[("billing", 5)], 2);
    let shifted = crate::domain::agent::AgentProfile {
        shifts: Some(open_daily("08:00", "12:00")),
        ..profile("ana", &[("billing", 5)], 2)
    };
    world.must(Input::SetAgent { profile: shifted, write: AgentWrite::Replace(None) });
    let events = world.ticket("t1", billing());
    assert_eq!(decision(&events).exclusions[0].rule, Rule::OffShift);
    world.now = at(8, 0);
    world.must(Input::Tick);
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
    world.accept("t1");
    world.now = at(12, 0);
    world.must(Input::Tick);
    world.ticket("t2", billing());
    assert_eq!(world.holder("t2"), None, "what she has she keeps, nothing new comes");
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
}

#[test]
fn the_occupancy_ceiling_gives_rest() {
    let ceiling = OccupancyCeiling { percent: 80, burst_secs: 60 };
    let mut world = world(|policy| policy.occupancy_ceiling = Some(ceiling));
    world.agent("ana", &[("orders", 5)], 1);
    let mut busy_ms = 0;
    let start = world.now;
    // There is always a ticket, and each takes 100 s.
    for count in 0..200 {
        let name = format!("t{count}");
        world.ticket(&name, orders());
        while world.holder(&name).is_none() {
            let due = world.state.next_due().expect("the rest ends");
            world.now = due;
            world.must(Input::Tick);
        }
        world.accept(&name);
        world.wait_secs(100);
        busy_ms += 100_000;
        complete(&mut world, &name);
    }
    let occupancy = f64::from(busy_ms) / (world.now.0 - start.0) as f64;
    assert!((0.78..=0.81).contains(&occupancy), "{occupancy}");
}

#[test]
fn who_signs_in_to_a_long_queue_is_not_flooded() {
    let mut world = world(|policy| policy.ramp_up_secs = 80);
    for count in 0..12 {
        world.ticket(&format!("t{count}"), orders());
    }
    world.agent("ana", &[("orders", 5)], 5);
    let held = |world: &World| world.state.held_tickets(&agent("ana")).len();
    // A phone call takes two units, so the first step is two.
    assert_eq!(held(&world), 2);
    world.wait_secs(20);
    world.agent("bo", &[("orders", 5)], 5);
    let counts = [27, 27, 27].map(|secs| {
        world.wait_secs(secs);
        held(&world)
    });
    assert!(counts.is_sorted() && counts[2] >= 4, "{counts:?}");
}

#[test]
fn hard_tickets_are_spread_over_those_who_have_had_fewer() {
    let run = |spread: bool| {
        let mut world = world(|policy| {
            policy.spread_hard_tickets = spread;
            policy.agent_choice = AgentChoice::Fastest;
        });
        for (name, speed) in [("ana", 3), ("bo", 2), ("cy", 1)] {
            let mut profile = profile(name, &[("orders", 5)], 1);
            profile.speed = speed;
            world.must(Input::SetAgent { profile, write: AgentWrite::Create });
            let agent = agent(name);
            world.must(Input::OpenStream { agent: agent.clone() });
            world.must(Input::SetPresence { agent, presence: Presence::Available });
        }
        let mut hard: BTreeMap<String, u32> = BTreeMap::new();
        for count in 0..60 {
            let name = format!("t{count}");
            world.ticket(&name, reading("place_order", 0.9, Urgency::High));
            world.accept(&name);
            *hard.entry(world.holder(&name).unwrap()).or_default() += 1;
            complete(&mut world, &name);
            world.wait_secs(1);
        }
        hard
    };
    assert_eq!(run(false), BTreeMap::from([("ana".to_owned(), 60)]));
    // With shares equal at all times, everybody in turn.
    let spread = run(true);
    assert_eq!(spread.len(), 3, "{spread:?}");
}

#[test]
fn work_that_may_be_laid_aside_keeps_nobody_from_a_call() {
    let mut world = world(|policy| policy.interruptible_channels = vec!["email".to_owned()]);
    world.agent("ana", &[("orders", 5)], 2);
    for name in ["mail 1", "mail 2", "mail 3"].map(|name| name.replace(' ', "-")) {
        world.ticket(&name, orders());
    }
    assert_eq!(world.holder("mail-3"), None, "e-mails fill the capacity");
    let call = |name: &str, world: &mut World| {
        submit(world, name, Intake { channel: "phone".to_owned(), ..intake() }, orders());
    };
    call("call-1", &mut world);
    assert_eq!(world.holder("call-1").as_deref(), Some("ana"));
    call("call-2", &mut world);
    assert_eq!(world.holder("call-2"), None, "calls do not yield to calls");
}

#[test]
fn a_supervisor_gives_a_ticket_to_somebody() {
    let mut world = world(|_| {});
    world.agent("ana", &[("billing", 5)], 1);
    world.agent("bo", &[("orders", 1)], 1);
    world.ticket("t1", billing());
    assert_eq!(world.holder("t1").as_deref(), Some("ana"));
    let assign = |world: &mut World, name: &str, who: &str| {
        world.try_step(Input::Assign { ticket: ticket(name), agent: agent(who) })
    };
    assign(&mut world, "t1", "bo").unwrap();
    assert_eq!(world.holder("t1").as_deref(), Some("bo"), "taken back and given");
    assert_eq!(world.open("t1").plan.as_ref().unwrap().route, "by_hand");
    world.accept("t1");
    let refused = assign(&mut world, "t1", "ana");
    assert_eq!(refused, Err(Rejection::TicketAssigned { ticket: ticket("t1") }));
    world.ticket("t2", orders());
    assign(&mut world, "t2", "bo").unwrap();
    assert_eq!(world.holder("t2"), None, "capacity holds for supervisors too");
    complete(&mut world, "t1");
    assert_eq!(world.holder("t2").as_deref(), Some("bo"), "and then it is the next");
    let cleared = Intake { requirements: vec![need("spanish", 2, true)], ..intake() };
    submit(&mut world, "t3", cleared, billing());
    let refused = assign(&mut world, "t3", "bo");
    let spanish = skill("spanish");
    assert_eq!(refused, Err(Rejection::AgentUnfit { agent: agent("bo"), skill: spanish }));
}

#[test]
fn whoever_declines_again_and_again_is_left_in_peace_for_longer() {
    let mut world = world(|_| {});
    world.agent("ana", &[("billing", 5)], 1);
    world.ticket("t1", billing());
    for pause_secs in [60, 120] {
        let (offer, ana) = world.live("t1");
        world.must(Input::Decline { offer, agent: ana, reason: "later".to_owned() });
        world.wait_secs(pause_secs - 1);
        assert_eq!(world.holder("t1"), None, "{pause_secs}");
        world.wait_secs(1);
        assert_eq!(world.holder("t1").as_deref(), Some("ana"), "nobody else is there");
    }
}

#[test]
fn without_back_off_the_others_are_asked_before_the_same_again() {
    let mut world = world(|policy| policy.decline_backoff_secs = 0);
    for name in ["ana", "bo", "cy"] {
        world.agent(name, &[("orders", 5)], 1);
    }
    world.ticket("t1", orders());
    let mut asked = Vec::new();
    for _ in 0..6 {
        let (offer, who) = world.live("t1");
        asked.push(who.to_string());
        world.must(Input::Decline { offer, agent: who, reason: "no".to_owned() });
    }
    assert_eq!(asked[..3].iter().collect::<BTreeSet<_>>().len(), 3, "{asked:?}");
    assert_eq!(asked[..3], asked[3..]);
}

#[test]
fn each_choice_asks_whom_it_says() {
    let first = |choice: AgentChoice| {
        let mut world = world(|policy| policy.agent_choice = choice);
        for (name, level, speed) in [("ana", 2, 1), ("bo", 5, 2), ("cy", 3, 9)] {
            let mut profile = profile(name, &[("orders", level)], 1);
            profile.speed = speed;
            world.must(Input::SetAgent { profile, write: AgentWrite::Create });
        }
        for name in ["cy", "ana", "bo"] {
            world.must(Input::OpenStream { agent: agent(name) });
            let presence = Presence::Available;
            world.must(Input::SetPresence { agent: agent(name), presence });
            world.wait_secs(5);
        }
        // Everybody but bo takes one; ana is done first.
        for (name, who) in [("w1", "ana"), ("w2", "cy")] {
            world.ticket(name, orders());
            world.must(Input::Assign { ticket: ticket(name), agent: agent(who) });
            world.accept(name);
            world.wait_secs(5);
            complete(&mut world, name);
        }
        world.wait_secs(1);
        world.ticket("t1", orders());
        world.holder("t1").unwrap()
    };
    assert_eq!(first(AgentChoice::LongestCumulativeIdle), "bo");
    assert_eq!(first(AgentChoice::LongestIdle), "bo");
    assert_eq!(first(AgentChoice::Fastest), "cy");
    assert_eq!(first(AgentChoice::MostProficient), "bo");
    assert_eq!(first(AgentChoice::FewestTickets), "bo");
}

#[test]
fn chance_is_fair_and_the_same_in_every_replay() {
    let run = || {
        let mut world = world(|policy| policy.agent_choice = AgentChoice::Random);
        let names = ["ana", "bo", "cy", "di"];
        for name in names {
            world.agent(name, &[("orders", 5)], 1);
        }
        let mut counts: BTreeMap<String, i32> = BTreeMap::new();
        for count in 0..4000 {
            let name = format!("t{count}");
            world.ticket(&name, orders());
            world.accept(&name);
            *counts.entry(world.holder(&name).unwrap()).or_default() += 1;
            complete(&mut world, &name);
        }
        counts
    };
    let counts = run();
    assert_eq!(counts, run());
    // Each count has mean 1000 and deviation 27.
    assert!(counts.values().all(|count| (count - 1000).abs() < 120), "{counts:?}");
}

#[test]
fn tickets_come_in_the_order_of_the_policy() {
    let order_of = |ticket_order: TicketOrder| {
        let mut world = world(|policy| policy.ticket_order = ticket_order);
        for (name, priority) in [("low", 0), ("mid", 1), ("high", 2)] {
            submit(&mut world, name, Intake { priority, ..intake() }, orders());
            world.wait_secs(25);
        }
        world.agent("ana", &[("orders", 5)], 1);
        let mut order = Vec::new();
        for _ in 0..3 {
            let next = ["low", "mid", "high"].into_iter().find(|name| world.holder(name).is_some());
            let name = next.expect("ana has a ticket");
            world.accept(name);
            complete(&mut world, name);
            order.push(name);
        }
        order
    };
    // Ages 75, 50 and 25 s; head starts 0, 60 and 120 s.
    assert_eq!(order_of(TicketOrder::HeadStart), ["high", "mid", "low"]);
    assert_eq!(order_of(TicketOrder::Strict), ["high", "mid", "low"]);
    let weights_milli = vec![1000, 2000, 2500];
    assert_eq!(order_of(TicketOrder::Ageing { weights_milli }), ["mid", "low", "high"]);
    let weights_milli = vec![1000, 1000, 1000];
    assert_eq!(order_of(TicketOrder::Ageing { weights_milli }), ["low", "mid", "high"]);
}

#[test]
fn a_batch_gives_each_ticket_somebody_where_one_after_another_does_not() {
    let run = |gather_ms| {
        let mut world = world(|policy| policy.batching.gather_ms = gather_ms);
        world.agent("both", &[("orders", 5), ("billing", 5)], 1);
        world.wait_secs(100);
        world.agent("one", &[("orders", 5)], 1);
        world.ticket("easy", orders());
        world.ticket("rare", billing());
        let events = world.wait_secs(1);
        (["easy", "rare"].map(|name| world.holder(name)), events)
    };
    let (greedy, _) = run(0);
    assert_eq!(greedy, [Some("both".to_owned()), None], "who was idle longest is taken first");
    let (batch, events) = run(500);
    assert_eq!(batch, ["one", "both"].map(|name| Some(name.to_owned())));
    let cost = decision(&events).candidates[0].cost.expect("the record has the cost");
    assert!(cost.waiting_saved > 0 && cost.skill_fit > 0, "{cost:?}");
}

#[test]
fn people_are_told_how_long_and_for_what_nobody_is_there() {
    let mut world = world(|policy| policy.relaxation.clear());
    world.agent("ana", &[("orders", 5)], 1);
    for count in 0..4 {
        world.ticket(&format!("t{count}"), orders());
    }
    for count in 0..3 {
        world.accept(&format!("t{count}"));
        world.wait_secs(30);
        complete(&mut world, &format!("t{count}"));
    }
    world.ticket("next", orders());
    world.ticket("later", orders());
    let estimate = world.state.estimate(&ticket("later")).unwrap();
    assert_eq!((estimate.ahead, estimate.wait_ms), (1, Some(60_000)));
    assert_eq!(world.state.estimate(&ticket("t3")), None, "it does not wait");
    assert_eq!(world.state.unstaffed(), []);
    world.ticket("foreign", billing());
    let unstaffed = world.state.unstaffed();
    assert_eq!(unstaffed.len(), 1);
    assert_eq!(unstaffed[0].requirements[..], [need("billing", 3, false)]);
    assert_eq!((unstaffed[0].waiting, unstaffed[0].fit), (1, 0));
}

#[test]
fn a_workspace_takes_no_more_tickets_than_its_policy_says() {
    let mut world = world(|policy| policy.open_tickets_max = Some(1));
    world.receive("t1", intake());
    let refused = world.try_step(Input::Receive { ticket: ticket("t2"), intake: intake() });
    assert_eq!(refused, Err(Rejection::TooMany { what: "open tickets", max: 1 }));
}
