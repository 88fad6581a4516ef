//! Tests of policies and profiles as a whole: what is taken comes back as it was given, what is not is
//! named.

use std::collections::BTreeMap;

use super::{declared, fields, good_policy, violations};
use crate::{
    api::v1,
    domain::{limits, policy::AgentChoice},
    service::{
        convert,
        error::Error,
        validate::{Check, policy, profile},
    },
};

fn taken(given: v1::Policy) -> Result<crate::domain::policy::Policy, Error> {
    let mut check = Check::default();
    let taken = policy(&mut check, Some(given), &declared().skills);
    check.finish(taken)
}

fn level(skill: &str, proficiency_min: u32) -> v1::SkillLevel {
    v1::SkillLevel { skill_id: skill.to_owned(), proficiency_min }
}

fn calendar() -> v1::Calendar {
    let text = str::to_owned;
    let monday = v1::Weekday::Monday.into();
    let weekly = v1::WeeklyInterval { weekday: monday, from: text("09:00"), to: text("17:30") };
    let short = v1::DateInterval { from: text("09:00"), to: text("24:00") };
    v1::Calendar {
        time_zone: text("Europe/Berlin"),
        weekly: vec![weekly],
        exceptions: BTreeMap::from([
            (text("2026-12-24"), v1::DateHours { intervals: vec![short] }),
            (text("2026-12-25"), v1::DateHours::default()),
        ]),
    }
}

fn full_route() -> v1::Route {
    let urgent = v1::RouteMatch {
        intents: vec!["billing/refund".to_owned()],
        languages: vec!["es".to_owned()],
        channels: vec!["email".to_owned()],
        urgencies: vec![v1::Urgency::High.into()],
        attributes: [("plan".to_owned(), "gold".to_owned())].into(),
    };
    let ending = v1::SkillRequirement {
        skill_id: "refunds".to_owned(),
        proficiency_min: 3,
        permanent: false,
        alternatives: vec![level("legal", 2), level("triage", 1)],
        expires_after_secs: 900,
    };
    v1::Route {
        name: "refunds".to_owned(),
        r#match: Some(urgent),
        requirements: vec![ending],
        head_start_secs: 300,
        target_secs: 600,
        when: "priority > 3 || (has(attributes.plan) && attributes.plan == \"gold\")".to_owned(),
        preferred: vec![level("legal", 4)],
        around_the_clock: true,
        waiting_max: 50,
        overflow_route: "backup".to_owned(),
    }
}

/// A policy with a value of its own in every field.
fn full_policy() -> v1::Policy {
    let step =
        v1::RelaxationStep { after_secs: 120, proficiency_reduction: 2, drop_requirements: true };
    let starts =
        v1::UrgencyHeadStarts { low_secs: 1, normal_secs: 2, high_secs: 3, critical_secs: 4 };
    v1::Policy {
        version: 0,
        routes: vec![
            full_route(),
            v1::Route {
                name: "backup".to_owned(),
                r#match: Some(v1::RouteMatch::default()),
                ..Default::default()
            },
        ],
        triage_skill: "triage".to_owned(),
        intent_confidence_min: 0.25,
        language_skills: [("es".to_owned(), "legal".to_owned())].into(),
        urgency_head_starts: Some(starts),
        priority_point_secs: 11,
        relaxation: vec![step],
        triage_after_secs: 12,
        offer_timeout_secs: 13,
        decline_backoff_secs: 14,
        presence_lease_secs: 15,
        wrap_up_secs: 16,
        assignment_return_secs: 17,
        reading_wait_ms: 18,
        ticket_order: v1::TicketOrder::Ageing.into(),
        ageing_weights_milli: vec![1000, 1500, 4000],
        agent_choice: v1::AgentChoice::MostProficient.into(),
        gather_ms: 19,
        occupancy_ceiling: Some(v1::OccupancyCeiling { percent: 85, burst_secs: 3600 }),
        spread_hard_tickets: true,
        ramp_up_secs: 20,
        preferred_agent_wait_secs: 21,
        interruptible_channels: vec!["email".to_owned(), "post".to_owned()],
        hours: Some(calendar()),
        open_tickets_max: 22,
    }
}

#[test]
fn a_policy_comes_back_as_it_was_given() {
    let given = full_policy();
    let policy = taken(given.clone()).unwrap();
    assert_eq!(convert::policy(policy.clone()), given);
    assert_eq!(taken(convert::policy(policy.clone())).unwrap(), policy);
    for order in [v1::TicketOrder::HeadStart, v1::TicketOrder::Strict] {
        let given = v1::Policy {
            ticket_order: order.into(),
            ageing_weights_milli: Vec::new(),
            ..full_policy()
        };
        assert_eq!(convert::policy(taken(given.clone()).unwrap()), given);
    }
    for choice in 1..=6 {
        let given = v1::Policy { agent_choice: choice, ..full_policy() };
        assert_eq!(convert::policy(taken(given.clone()).unwrap()), given);
    }
    for weekday in 1..=7 {
        let mut given = full_policy();
        given.hours.as_mut().unwrap().weekly[0].weekday = weekday;
        assert_eq!(convert::policy(taken(given.clone()).unwrap()), given);
    }
}

#[test]
fn what_is_not_said_means_the_default() {
    let policy = taken(good_policy()).unwrap();
    let triage = policy.triage_skill.clone();
    let default = crate::domain::policy::Policy {
        routes: policy.routes.clone(),
        assignment_return_secs: 60,
        reading_wait_ms: 100,
        decline_backoff_secs: 0,
        ..crate::domain::policy::Policy::new(triage)
    };
    assert_eq!(policy, default);
    let shown = convert::policy(policy);
    assert_eq!(shown.ticket_order(), v1::TicketOrder::HeadStart);
    assert_eq!(shown.agent_choice(), v1::AgentChoice::LongestCumulativeIdle);
    let unset = v1::Policy { agent_choice: 0, ..full_policy() };
    assert_eq!(taken(unset).unwrap().agent_choice, AgentChoice::LongestCumulativeIdle);
}

#[test]
fn every_fault_of_a_route_is_named_at_once() {
    let need = v1::SkillRequirement {
        skill_id: "refunds".to_owned(),
        permanent: true,
        alternatives: vec![level("refunds", 6), level("magic", 0)],
        expires_after_secs: limits::RELAXATION_SECS_MAX + 1,
        ..Default::default()
    };
    let bad = v1::Route {
        requirements: vec![need],
        when: "priority >\n  colour".to_owned(),
        preferred: vec![level("legal", 1); 6],
        waiting_max: 2_000_001,
        overflow_route: "refunds".to_owned(),
        ..full_route()
    };
    let route = |name: &str| v1::Route { name: name.to_owned(), ..Default::default() };
    let bound = v1::Route { waiting_max: 5, ..route("bound") };
    let way_out = v1::Route { overflow_route: "nowhere".to_owned(), ..route("way_out") };
    let routes = vec![bad, route("by_hand"), bound, way_out];
    let found = violations(taken(v1::Policy { routes, ..full_policy() }));
    let found: Vec<_> = found.iter().map(|(field, message)| (&field[..], &message[..])).collect();
    let route = |index: usize, field: &str| format!("policy.routes[{index}].{field}");
    let repeated = "must not repeat a skill of the same list";
    let expected = [
        (route(0, "requirements[0].alternatives[0].proficiency_min"), "must be 0 to 5, not 6"),
        (route(0, "requirements[0].alternatives[0].skill_id"), repeated),
        (
            route(0, "requirements[0].alternatives[1].skill_id"),
            "must be a skill the workspace declares; ListSkills shows them",
        ),
        (route(0, "requirements[0].expires_after_secs"), "must be 0 to 604800, not 604801"),
        (
            route(0, "requirements[0].expires_after_secs"),
            "must be 0 with `permanent`, which never ends, not 604801",
        ),
        (route(0, "waiting_max"), "must be 0 to 2000000, not 2000001"),
        (
            route(0, "when"),
            "line 2, column 3: `colour` is unknown; there are channel, intent, intent_confidence, \
             intents, language, out_of_scope, priority, sentiment, sentiment_score, urgency, \
             urgency_score, attributes",
        ),
        (route(0, "preferred"), "must have at most 5 entries, has 6"),
        (
            route(1, "name"),
            "must not be `triage`, `language`, `transfer` or `by_hand`, which name plans that no \
             route made",
        ),
        (route(0, "overflow_route"), "must name another route of the policy, not \"refunds\""),
        (route(2, "waiting_max"), "must be 0 without `overflow_route`, not 5"),
        (
            route(3, "overflow_route"),
            "must be empty without `waiting_max`, which says when the route is full",
        ),
        (route(3, "overflow_route"), "must name another route of the policy, not \"nowhere\""),
    ];
    let expected: Vec<_> = expected.iter().map(|(field, text)| (&field[..], *text)).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_bound_of_a_policy_holds_to_the_unit() {
    let ceiling = |percent, burst_secs| {
        let occupancy_ceiling = Some(v1::OccupancyCeiling { percent, burst_secs });
        v1::Policy { occupancy_ceiling, ..full_policy() }
    };
    let weights = |weights: Vec<u32>| v1::Policy { ageing_weights_milli: weights, ..full_policy() };
    let channels = |count: usize| v1::Policy {
        interruptible_channels: (0..count).map(|index| format!("c{index}")).collect(),
        ..full_policy()
    };
    let strict = v1::TicketOrder::Strict.into();
    for (given, field) in [
        (v1::Policy { gather_ms: 10_001, ..full_policy() }, "gather_ms"),
        (v1::Policy { ramp_up_secs: 3601, ..full_policy() }, "ramp_up_secs"),
        (
            v1::Policy { preferred_agent_wait_secs: 86_401, ..full_policy() },
            "preferred_agent_wait_secs",
        ),
        (v1::Policy { open_tickets_max: 2_000_001, ..full_policy() }, "open_tickets_max"),
        (
            v1::Policy { ticket_order: 4, ageing_weights_milli: vec![], ..full_policy() },
            "ticket_order",
        ),
        (v1::Policy { ticket_order: strict, ..full_policy() }, "ageing_weights_milli"),
        (v1::Policy { agent_choice: 7, ..full_policy() }, "agent_choice"),
        (ceiling(49, 60), "occupancy_ceiling.percent"),
        (ceiling(100, 60), "occupancy_ceiling.percent"),
        (ceiling(50, 59), "occupancy_ceiling.burst_secs"),
        (ceiling(99, 36_001), "occupancy_ceiling.burst_secs"),
        (weights(vec![]), "ageing_weights_milli"),
        (weights(vec![1; 12]), "ageing_weights_milli"),
        (weights(vec![1, 0]), "ageing_weights_milli[1]"),
        (weights(vec![1_000_001]), "ageing_weights_milli[0]"),
        (channels(65), "interruptible_channels"),
    ] {
        assert_eq!(fields(taken(given)), [format!("policy.{field}")]);
    }
    for given in [
        v1::Policy { gather_ms: 10_000, ramp_up_secs: 3600, ..full_policy() },
        v1::Policy {
            preferred_agent_wait_secs: 86_400,
            open_tickets_max: 2_000_000,
            ..full_policy()
        },
        ceiling(50, 60),
        ceiling(99, 36_000),
        weights(vec![1_000_000; 11]),
        channels(64),
    ] {
        assert_eq!(convert::policy(taken(given.clone()).unwrap()), given);
    }
}

#[test]
fn a_profile_takes_speed_and_shifts() {
    let check_profile = |speed, shifts: v1::Calendar| {
        let mut check = Check::default();
        let given = v1::AgentProfile {
            agent_id: "ana".to_owned(),
            speed,
            shifts: Some(shifts),
            ..Default::default()
        };
        let taken = profile(&mut check, Some(given), &declared().skills);
        check.finish(taken)
    };
    let taken = check_profile(1_000_000, calendar()).unwrap();
    assert_eq!((taken.speed, taken.shifts.is_some()), (1_000_000, true));
    let nowhere = v1::Calendar { time_zone: String::new(), ..calendar() };
    let found = fields(check_profile(1_000_001, nowhere));
    assert_eq!(found, ["profile.speed", "profile.shifts.time_zone"]);
}
