//! Policies: what is not allowed, and what a person should look at.
//!
//! `routes`: which ticket goes where; `matching`: who is asked, in which order and when; `warnings`: what
//! is allowed and still worth a look.

mod matching;
mod routes;
mod warnings;

pub(crate) use warnings::{KnownNames, warnings};

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, calendar::calendar, entry, skills::declared_skill, ticket::language};
use crate::{
    api::v1,
    domain::{
        id::SkillId,
        limits,
        policy::{Batching, Policy, RelaxationStep},
    },
};

/// Takes a policy; its version is given later.
pub(crate) fn policy(
    check: &mut Check,
    policy: Option<v1::Policy>,
    declared: &BTreeSet<SkillId>,
) -> Option<Policy> {
    let given = check.required("policy", policy)?;
    let triage_skill = declared_skill(check, "policy.triage_skill", &given.triage_skill, declared);
    // NaN is in no range.
    if !(0.0..=1.0).contains(&given.intent_confidence_min) {
        check.reject("policy.intent_confidence_min", "must be 0 to 1");
    }
    let routes = routes::routes(check, &given.routes, declared);
    let language_skills = language_skills(check, &given.language_skills, declared);
    let relaxation = relaxation(check, &given.relaxation);
    let urgency_head_start_secs = head_starts(check, given.urgency_head_starts.unwrap_or_default());
    let [
        priority_point_secs,
        triage_after_secs,
        offer_timeout_secs,
        decline_backoff_secs,
        presence_lease_secs,
        wrap_up_secs,
        assignment_return_secs,
        reading_wait_ms,
        gather_ms,
        ramp_up_secs,
        preferred_agent_wait_secs,
        open_tickets_max,
    ] = numbers(check, &given);
    let agent_choice = matching::agent_choice(check, given.agent_choice);
    let occupancy_ceiling = matching::occupancy_ceiling(check, given.occupancy_ceiling);
    let channels = &given.interruptible_channels;
    let interruptible_channels = matching::interruptible_channels(check, channels);
    let ticket_order = matching::ticket_order(check, &given);
    Some(Policy {
        version: 0,
        routes,
        intent_confidence_min: given.intent_confidence_min,
        language_skills,
        urgency_head_start_secs,
        priority_point_secs,
        relaxation,
        triage_after_secs: (triage_after_secs > 0).then_some(triage_after_secs),
        offer_timeout_secs,
        decline_backoff_secs,
        presence_lease_secs,
        wrap_up_secs,
        assignment_return_secs,
        reading_wait_ms,
        ticket_order,
        agent_choice,
        batching: Batching { gather_ms },
        occupancy_ceiling,
        spread_hard_tickets: given.spread_hard_tickets,
        ramp_up_secs,
        preferred_agent_wait_secs,
        interruptible_channels,
        hours: calendar(check, "policy.hours", given.hours),
        open_tickets_max: (open_tickets_max > 0).then_some(open_tickets_max),
        // Last, so that everything else was looked at.
        triage_skill: triage_skill?,
    })
}

/// Takes the policy's numbers, each in its range.
fn numbers(check: &mut Check, given: &v1::Policy) -> [u32; 12] {
    let times = limits::PRESENCE_LEASE_SECS_MAX;
    let answers = limits::OFFER_TIMEOUT_SECS_MAX;
    let patience = limits::PREFERRED_AGENT_WAIT_SECS_MAX;
    let returns = limits::RELAXATION_SECS_MAX;
    let open_max = u32::try_from(limits::OPEN_TICKETS_MAX).unwrap_or(u32::MAX);
    [
        ("priority_point_secs", given.priority_point_secs, 0, limits::PRIORITY_POINT_SECS_MAX),
        ("triage_after_secs", given.triage_after_secs, 0, limits::TARGET_SECS_MAX),
        ("offer_timeout_secs", given.offer_timeout_secs, 1, answers),
        ("decline_backoff_secs", given.decline_backoff_secs, 0, answers),
        ("presence_lease_secs", given.presence_lease_secs, 1, times),
        ("wrap_up_secs", given.wrap_up_secs, 0, times),
        ("assignment_return_secs", given.assignment_return_secs, 1, returns),
        ("reading_wait_ms", given.reading_wait_ms, 1, limits::READING_WAIT_MS_MAX),
        ("gather_ms", given.gather_ms, 0, limits::GATHER_MS_MAX),
        ("ramp_up_secs", given.ramp_up_secs, 0, limits::RAMP_UP_SECS_MAX),
        ("preferred_agent_wait_secs", given.preferred_agent_wait_secs, 0, patience),
        ("open_tickets_max", given.open_tickets_max, 0, open_max),
    ]
    .map(|(name, value, min, max)| check.range(&format!("policy.{name}"), value, min..=max))
}

fn language_skills(
    check: &mut Check,
    given: &BTreeMap<String, String>,
    declared: &BTreeSet<SkillId>,
) -> BTreeMap<String, SkillId> {
    let field = "policy.language_skills";
    let mut skills = BTreeMap::new();
    if !check.count(field, given.len(), limits::MATCH_VALUES_MAX) {
        return skills;
    }
    for (index, (code, skill)) in given.iter().enumerate() {
        let path = entry(field, index, code);
        if language(check, &path, code).is_none() {
            check.reject(&path, "must be under an ISO 639-1 code, two small letters such as `en`");
        }
        if let Some(skill) = declared_skill(check, &path, skill, declared) {
            skills.insert(code.clone(), skill);
        }
    }
    skills
}

fn relaxation(check: &mut Check, given: &[v1::RelaxationStep]) -> Vec<RelaxationStep> {
    if !check.count("policy.relaxation", given.len(), limits::RELAXATION_STEPS_MAX) {
        return Vec::new();
    }
    let mut steps: Vec<RelaxationStep> = Vec::new();
    for (index, step) in given.iter().enumerate() {
        let field = format!("policy.relaxation[{index}]");
        let after_field = format!("{field}.after_secs");
        let after_secs =
            check.range(&after_field, step.after_secs, 1..=limits::RELAXATION_SECS_MAX);
        if steps.last().is_some_and(|last| last.after_secs >= after_secs) {
            check.reject(&after_field, "must be later than the step before");
        }
        let proficiency_reduction = check.small(
            &format!("{field}.proficiency_reduction"),
            step.proficiency_reduction,
            0..=limits::PROFICIENCY_MAX - 1,
        );
        let drop_requirements = step.drop_requirements;
        steps.push(RelaxationStep { after_secs, proficiency_reduction, drop_requirements });
    }
    steps
}

fn head_starts(check: &mut Check, given: v1::UrgencyHeadStarts) -> [u32; 4] {
    [
        ("low_secs", given.low_secs),
        ("normal_secs", given.normal_secs),
        ("high_secs", given.high_secs),
        ("critical_secs", given.critical_secs),
    ]
    .map(|(name, secs)| {
        let field = format!("policy.urgency_head_starts.{name}");
        check.range(&field, secs, 0..=limits::HEAD_START_SECS_MAX)
    })
}
