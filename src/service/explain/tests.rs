//! Tests of the sentences: what is on record is what they say.

use super::*;
use crate::domain::{
    decision::{Candidate, PairCost},
    policy::SkillLevel,
};

fn agent(id: &str) -> AgentId {
    AgentId::new(id).unwrap()
}

fn requirement(skill: &str, proficiency_min: u8) -> Requirement {
    Requirement::new(SkillId::new(skill).unwrap(), proficiency_min, false)
}

fn exclusion(rule: Rule, skill: Option<&str>, agent_count: u32) -> Exclusion {
    let skill = skill.map(|skill| SkillId::new(skill).unwrap());
    Exclusion { rule, skill, agent_count, agents: Vec::new() }
}

fn plan() -> Plan {
    Plan {
        policy_version: 3,
        route: "refunds".to_owned(),
        triage: None,
        requirements: [].into(),
        head_start_secs: 0,
        target_secs: None,
        preferred: [].into(),
        around_the_clock: false,
        overflowed: None,
        hard: false,
    }
}

fn sample() -> Decision {
    let candidate = |id, idle_ms| Candidate {
        agent: agent(id),
        idle_ms,
        proficiency_surplus: 0,
        preferred_missing: 0,
        declines: 0,
        hard_share: None,
        cost: None,
    };
    Decision {
        requirements: [requirement("refunds", 3), requirement("lang/es", 1)].into(),
        relaxation_step: 0,
        waited_ms: 2_140,
        eligible_count: 3,
        candidates: vec![candidate("ana", 240_000), candidate("ben", 10)],
        exclusions: vec![
            exclusion(Rule::NotAvailable, None, 2),
            exclusion(Rule::SkillMissing, Some("refunds"), 5),
            exclusion(Rule::NoCapacity, None, 1),
        ],
        counterfactual: None,
    }
}

/// Returns the whole decision under a policy's choice.
fn told(asked: Option<&str>, decided: &Decision, plan: &Plan, choice: AgentChoice) -> String {
    let asked = asked.map(agent);
    let model = "support-1.0.0";
    decision(Case { agent: asked.as_ref(), decision: decided, plan, model, choice })
}

/// Returns why ana was asked, up to what she has.
fn reason(decision: &Decision, plan: &Plan, choice: AgentChoice) -> String {
    let decision = Decision { requirements: [].into(), ..decision.clone() };
    let why = why(&agent("ana"), &decision, Some(plan), choice);
    why.strip_prefix("Offered to ana: ").unwrap().to_owned()
}

/// Returns the sample with its first two candidates changed.
fn with(change: impl Fn(&mut Candidate, &mut Candidate)) -> Decision {
    let mut decision = sample();
    let [first, second] = &mut decision.candidates[..] else { panic!() };
    change(first, second);
    decision
}

#[test]
fn an_offer_says_who_why_and_why_not_the_others() {
    assert_eq!(
        told(Some("ana"), &sample(), &plan(), AgentChoice::default()),
        "Offered to ana: has refunds at level 3 or higher and lang/es, and has the longest idle \
         time (4 min) of 3 eligible agents. Not eligible: 2 are not available, 5 lack refunds \
         and 1 has no room for another ticket. Waited 2.1 s; no relaxation. Planned by route \
         `refunds` of policy 3. Read by support-1.0.0."
    );
}

#[test]
fn a_ticket_that_waits_says_what_it_waits_for() {
    let nobody = Decision {
        eligible_count: 0,
        candidates: Vec::new(),
        relaxation_step: 2,
        waited_ms: 5_400_000,
        ..sample()
    };
    let triage = Plan { triage: Some(TriageReason::OutOfScope), head_start_secs: 90, ..plan() };
    assert_eq!(
        told(None, &nobody, &triage, AgentChoice::default()),
        "Waiting: nobody with refunds at level 3 or higher and lang/es is free right now. Not \
         eligible: 2 are not available, 5 lack refunds and 1 has no room for another ticket. \
         Waited 1 h 30 min; 2 relaxation steps were taken. A person decides where it goes, \
         because no intent the model knows fits the text (policy 3). Moved ahead in the queue \
         by 1 min 30 s. Read by support-1.0.0."
    );
}

#[test]
fn the_only_eligible_agent_is_called_so() {
    let only = Decision { eligible_count: 1, requirements: [].into(), ..sample() };
    assert_eq!(
        why(&agent("ana"), &only, None, AgentChoice::Random),
        "Offered to ana: is the only eligible agent."
    );
}

#[test]
fn the_reason_is_what_the_policy_looks_at() {
    for (choice, text) in [
        (AgentChoice::LongestCumulativeIdle, "has the longest idle time (4 min) of"),
        (AgentChoice::LongestIdle, "has waited longest since the last ticket of"),
        (AgentChoice::Fastest, "has the greatest declared speed of"),
        (AgentChoice::Random, "was drawn at random from"),
        (AgentChoice::FewestTickets, "has taken the fewest tickets of"),
        (AgentChoice::MostProficient, "has the most proficiency to spare (0) of"),
    ] {
        assert_eq!(reason(&sample(), &plan(), choice), format!("{text} 3 eligible agents."));
    }
}

#[test]
fn preferred_skills_come_before_the_choice() {
    let skill = SkillId::new("charm").unwrap();
    let preferred = [SkillLevel { skill, proficiency_min: 1 }].into();
    let plan = Plan { preferred, ..plan() };
    let lacking = |mine, theirs| {
        with(|first, second| {
            (first.preferred_missing, second.preferred_missing) = (mine, theirs);
        })
    };
    for (mine, theirs, text) in [
        (0, 1, "is the only one of 3 eligible agents with the preferred skills."),
        (1, 2, "comes closest of 3 eligible agents to the preferred skills."),
        (
            1,
            1,
            "has the longest idle time (4 min) of the eligible agents closest to the preferred \
             skills.",
        ),
    ] {
        assert_eq!(reason(&lacking(mine, theirs), &plan, AgentChoice::default()), text);
    }
}

#[test]
fn who_passed_on_a_ticket_comes_last() {
    let declined =
        |mine, theirs| with(|first, second| (first.declines, second.declines) = (mine, theirs));
    for (mine, theirs, text) in [
        (0, 1, "is the only one of 3 eligible agents who has not passed on it."),
        (1, 2, "is asked again, as all 3 eligible agents passed on it before."),
    ] {
        assert_eq!(reason(&declined(mine, theirs), &plan(), AgentChoice::default()), text);
    }
    let mut last = sample();
    last.candidates.push(Candidate { declines: 1, ..last.candidates[1].clone() });
    assert_eq!(
        reason(&last, &plan(), AgentChoice::Fastest),
        "has the greatest declared speed of 2 eligible agents who have not passed on it."
    );
}

#[test]
fn a_hard_ticket_goes_by_the_share_of_hard_ones_only_where_that_decided() {
    let hard = Plan { hard: true, ..plan() };
    let shares = |mine, theirs| {
        with(|first, second| (first.hard_share, second.hard_share) = (Some(mine), Some(theirs)))
    };
    let moved = shares((2, 14), (2, 10));
    let text = "has had the smallest share of hard tickets (2 of 14) of those next in line.";
    assert_eq!(reason(&moved, &hard, AgentChoice::default()), text);
    let told = told(Some("ana"), &moved, &hard, AgentChoice::default());
    assert!(told.contains(" It counts as hard on people: angry, urgent or long. "), "{told}");
    let tied = shares((0, 0), (0, 9));
    let text = "has the longest idle time (4 min) of 3 eligible agents.";
    assert_eq!(reason(&tied, &hard, AgentChoice::default()), text);
}

#[test]
fn a_batch_says_what_the_pair_cost() {
    let cost = PairCost { skill_fit: 1, equity: 2, waiting_saved: 3 };
    let batch = with(|first, _| first.cost = Some(cost));
    let text = "was matched together with other tickets and agents, at the least cost in all (skill \
                fit 1, evenness 2, less the waiting saved 3).";
    assert_eq!(reason(&batch, &plan(), AgentChoice::Random), text);
}

#[test]
fn what_a_person_decided_is_said_to_be_so() {
    let by_hand = Plan { route: "by_hand".to_owned(), around_the_clock: true, ..plan() };
    let given = told(Some("ana"), &sample(), &by_hand, AgentChoice::default());
    assert!(given.contains("lang/es, and was named by a supervisor. "), "{given}");
    assert!(given.contains(" A supervisor gave it to an agent (policy 3). "), "{given}");
    assert!(!given.contains("at any hour"), "{given}");
    let waits = told(None, &sample(), &by_hand, AgentChoice::default());
    assert!(waits.starts_with("Waiting: the agent whom a supervisor named is not"), "{waits}");
    let handed = Plan { route: "transfer".to_owned(), ..plan() };
    let for_one =
        Decision { exclusions: vec![exclusion(Rule::NotTheTransferTarget, None, 3)], ..sample() };
    let waits = told(None, &for_one, &handed, AgentChoice::default());
    assert!(waits.starts_with("Waiting: the agent it was handed to is not free"), "{waits}");
    assert!(waits.contains(" Not eligible: 3 are not the agent it is for. "), "{waits}");
    let waits = told(None, &for_one, &plan(), AgentChoice::default());
    assert!(waits.starts_with("Waiting: the agent it would like is not free"), "{waits}");
}

#[test]
fn a_full_route_and_closed_hours_are_said() {
    let overflowed = Some("returns".to_owned());
    let backup = Plan { overflowed, around_the_clock: true, ..plan() };
    let told_backup = told(Some("ana"), &sample(), &backup, AgentChoice::default());
    let text = " Route `returns` was full, so it was planned by its overflow `refunds` of policy 3. \
                It is offered at any hour. ";
    assert!(told_backup.contains(text), "{told_backup}");
    let closed = Decision { exclusions: vec![exclusion(Rule::Closed, None, 1)], ..sample() };
    let waits = told(None, &closed, &plan(), AgentChoice::default());
    assert!(waits.starts_with("Waiting: the workspace is closed at this hour. Not eligible: 1"));
}

#[test]
fn alternatives_are_named_with_what_they_stand_for() {
    let other =
        |name, proficiency_min| SkillLevel { skill: SkillId::new(name).unwrap(), proficiency_min };
    let either = Requirement {
        alternatives: vec![other("billing", 2), other("orders", 1)],
        ..requirement("refunds", 3)
    };
    let text = "refunds at level 3 or higher (or billing at level 2 or higher or orders)";
    assert_eq!(skills(&[either]).as_deref(), Some(text));
}

#[test]
fn times_are_written_as_people_say_them() {
    for (ms, text) in [
        (0, "0.0 s"),
        (9_999, "9.9 s"),
        (10_000, "10 s"),
        (61_000, "1 min 1 s"),
        (3_599_000, "59 min"),
        (3_600_000, "1 h"),
        (90_000_000, "1 d 1 h"),
    ] {
        assert_eq!(duration(ms), text);
    }
}
