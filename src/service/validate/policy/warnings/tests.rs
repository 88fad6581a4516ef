//! Tests of warnings: each is given where it is true, and nowhere else.

use super::*;
use crate::domain::{
    condition::Condition,
    policy::{RouteMatch, SkillLevel},
};

fn skill(name: &str) -> SkillId {
    SkillId::new(name).unwrap()
}

fn need(name: &str) -> Requirement {
    Requirement::new(skill(name), 1, false)
}

fn route(name: &str, needs: &[&str]) -> Route {
    Route::new(name, RouteMatch::default(), needs.iter().map(|name| need(name)).collect())
}

fn policy(routes: Vec<Route>) -> Policy {
    Policy { routes, ..Policy::new(skill("triage")) }
}

fn known() -> KnownNames {
    KnownNames {
        segment_attributes: vec!["plan".to_owned(), "language".to_owned()],
        intents: None,
        held_skills: ["triage", "refunds", "billing"].map(skill).into(),
    }
}

fn step(after_secs: u32, proficiency_reduction: u8, drop_requirements: bool) -> RelaxationStep {
    RelaxationStep { after_secs, proficiency_reduction, drop_requirements }
}

#[track_caller]
fn assert_warned(policy: &Policy, parts: &[&str]) {
    let warnings = warnings(policy, &known());
    assert_eq!(warnings.len(), parts.len(), "{warnings:?}");
    for (warning, part) in warnings.iter().zip(parts) {
        assert!(warning.contains(part), "{warning}");
    }
}

#[test]
fn a_sound_policy_has_no_warning() {
    assert_warned(&policy(vec![route("refunds", &["refunds"])]), &[]);
}

#[test]
fn an_expression_that_reads_a_segment_is_flagged_like_a_list() {
    let reading = |when: &str| Route {
        when: Some(Condition::parse(when).unwrap()),
        ..route("refunds", &["refunds"])
    };
    let by_list = RouteMatch {
        attributes: [("plan".to_owned(), "gold".to_owned())].into(),
        languages: vec!["es".to_owned()],
        ..RouteMatch::default()
    };
    let listed = Route { matches: by_list, ..reading("has(attributes.plan)") };
    let both = ["by the attribute `plan`", "decides by language"];
    assert_warned(&policy(vec![listed]), &both);
    assert_warned(
        &policy(vec![reading("attributes.plan == \"gold\" && language == \"es\"")]),
        &both,
    );
    // Neither a word in quotes nor an attribute of that name is the variable.
    assert_warned(
        &policy(vec![reading("attributes.language == \"language\"")]),
        &["by the attribute `language`"],
    );
    assert_warned(&policy(vec![reading("channel == \"plan\" || priority > 3")]), &[]);
}

#[test]
fn an_overflow_to_the_same_people_is_flagged() {
    let full = |needs: &[&str]| Route {
        waiting_max: Some(10),
        overflow: Some("backup".to_owned()),
        ..route("refunds", needs)
    };
    let backup = || route("backup", &["refunds"]);
    assert_warned(&policy(vec![full(&["refunds"]), backup()]), &["overflows to `backup`"]);
    assert_warned(&policy(vec![full(&["refunds", "billing"]), backup()]), &[]);
}

#[test]
fn what_can_never_act_is_flagged() {
    let ending = Requirement { expires_after_secs: Some(600), ..need("refunds") };
    let routes =
        || vec![Route { requirements: vec![ending.clone()], ..route("refunds", &["refunds"]) }];
    let relaxed = |steps: &[RelaxationStep], triage_after_secs| Policy {
        relaxation: steps.to_vec(),
        triage_after_secs,
        ..policy(routes())
    };
    let dropped = step(600, 0, true);
    assert_warned(&relaxed(&[dropped], None), &["until 600 s, but relaxation drops it at 600 s"]);
    assert_warned(
        &relaxed(&[step(60, 1, false), step(90, 1, false)], None),
        &["at 90 s changes nothing"],
    );
    assert_warned(
        &relaxed(&[step(60, 2, false), step(90, 1, false)], None),
        &["at 90 s asks for more"],
    );
    assert_warned(
        &relaxed(&[step(60, 1, false), step(90, 2, false)], Some(90)),
        &["at 90 s comes when tickets have gone to triage (90 s)"],
    );
    assert_warned(&relaxed(&[step(60, 1, false)], Some(90)), &[]);
    assert_warned(&Policy { ticket_order: TicketOrder::Strict, ..policy(routes()) }, &["Strict"]);
}

#[test]
fn skills_that_nobody_has_are_flagged_by_what_that_means() {
    let level = |name| SkillLevel { skill: skill(name), proficiency_min: 1 };
    let helped = Requirement { alternatives: vec![level("refunds")], ..need("returns") };
    let alone = Requirement { alternatives: vec![level("magic")], ..need("flying") };
    let route = Route {
        requirements: vec![helped, alone],
        preferred: vec![level("charm"), level("billing")],
        ..route("odd", &[])
    };
    assert_warned(
        &policy(vec![route]),
        &[
            "No agent has the skill `flying`; tickets that need it wait",
            "No agent has the skill `returns`; another of the same requirement",
            "No agent has the preferred skill `charm`",
        ],
    );
}
