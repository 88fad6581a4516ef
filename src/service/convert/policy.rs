//! Policies.

use super::urgency;
use crate::{
    api::v1,
    domain::policy::{Policy, Requirement, Route, TriageReason},
};

/// Returns the policy as the API shows it.
pub(crate) fn policy(policy: Policy) -> v1::Policy {
    let [low_secs, normal_secs, high_secs, critical_secs] = policy.urgency_head_start_secs;
    v1::Policy {
        version: policy.version,
        routes: policy.routes.into_iter().map(route).collect(),
        triage_skill: policy.triage_skill.into(),
        intent_confidence_min: policy.intent_confidence_min,
        language_skills: policy
            .language_skills
            .into_iter()
            .map(|(code, skill)| (code, skill.into()))
            .collect(),
        urgency_head_starts: Some(v1::UrgencyHeadStarts {
            low_secs,
            normal_secs,
            high_secs,
            critical_secs,
        }),
        priority_point_secs: policy.priority_point_secs,
        relaxation: policy
            .relaxation
            .into_iter()
            .map(|step| v1::RelaxationStep {
                after_secs: step.after_secs,
                proficiency_reduction: step.proficiency_reduction.into(),
                drop_requirements: step.drop_requirements,
            })
            .collect(),
        triage_after_secs: policy.triage_after_secs.unwrap_or(0),
        offer_timeout_secs: policy.offer_timeout_secs,
        decline_backoff_secs: policy.decline_backoff_secs,
        presence_lease_secs: policy.presence_lease_secs,
        wrap_up_secs: policy.wrap_up_secs,
        assignment_return_secs: policy.assignment_return_secs,
        reading_wait_ms: policy.reading_wait_ms,
    }
}

fn route(route: Route) -> v1::Route {
    let matches = route.matches;
    v1::Route {
        name: route.name,
        r#match: Some(v1::RouteMatch {
            intents: matches.intents,
            languages: matches.languages,
            channels: matches.channels,
            urgencies: matches.urgencies.into_iter().map(|level| urgency(level).into()).collect(),
            attributes: matches.attributes,
        }),
        requirements: requirements(route.requirements),
        head_start_secs: route.head_start_secs,
        target_secs: route.target_secs.unwrap_or(0),
    }
}

/// Returns requirements as the API shows them.
pub(crate) fn requirements(requirements: Vec<Requirement>) -> Vec<v1::SkillRequirement> {
    requirements
        .into_iter()
        .map(|requirement| v1::SkillRequirement {
            skill_id: requirement.skill.into(),
            proficiency_min: requirement.proficiency_min.into(),
            permanent: requirement.permanent,
        })
        .collect()
}

/// Returns why people who triage get a ticket, as the API shows it.
pub(crate) fn triage_reason(reason: Option<TriageReason>) -> v1::TriageReason {
    match reason {
        None => v1::TriageReason::Unspecified,
        Some(TriageReason::LowConfidence) => v1::TriageReason::LowConfidence,
        Some(TriageReason::OutOfScope) => v1::TriageReason::OutOfScope,
        Some(TriageReason::LanguageUnsupported) => v1::TriageReason::LanguageUnsupported,
        Some(TriageReason::NoRoute) => v1::TriageReason::NoRoute,
        Some(TriageReason::WaitedTooLong) => v1::TriageReason::WaitedTooLong,
        Some(TriageReason::Unread) => v1::TriageReason::Unread,
    }
}
