//! Policies.

use super::{calendar::calendar, urgency};
use crate::{
    api::v1,
    domain::policy::{
        AgentChoice, OccupancyCeiling, Policy, RelaxationStep, Requirement, Route, SkillLevel,
        TicketOrder, TriageReason,
    },
};

/// Returns the policy as the API shows it.
pub(crate) fn policy(policy: Policy) -> v1::Policy {
    let [low_secs, normal_secs, high_secs, critical_secs] = policy.urgency_head_start_secs;
    let head_starts = v1::UrgencyHeadStarts { low_secs, normal_secs, high_secs, critical_secs };
    let language_skills = policy.language_skills.into_iter();
    let (ticket_order, ageing_weights_milli) = ticket_order(policy.ticket_order);
    v1::Policy {
        version: policy.version,
        routes: policy.routes.into_iter().map(route).collect(),
        triage_skill: policy.triage_skill.into(),
        intent_confidence_min: policy.intent_confidence_min,
        language_skills: language_skills.map(|(code, skill)| (code, skill.into())).collect(),
        urgency_head_starts: Some(head_starts),
        priority_point_secs: policy.priority_point_secs,
        relaxation: policy.relaxation.into_iter().map(relaxation_step).collect(),
        triage_after_secs: policy.triage_after_secs.unwrap_or(0),
        offer_timeout_secs: policy.offer_timeout_secs,
        decline_backoff_secs: policy.decline_backoff_secs,
        presence_lease_secs: policy.presence_lease_secs,
        wrap_up_secs: policy.wrap_up_secs,
        assignment_return_secs: policy.assignment_return_secs,
        reading_wait_ms: policy.reading_wait_ms,
        ticket_order: ticket_order.into(),
        ageing_weights_milli,
        agent_choice: agent_choice(policy.agent_choice).into(),
        gather_ms: policy.batching.gather_ms,
        occupancy_ceiling: policy.occupancy_ceiling.map(occupancy_ceiling),
        spread_hard_tickets: policy.spread_hard_tickets,
        ramp_up_secs: policy.ramp_up_secs,
        preferred_agent_wait_secs: policy.preferred_agent_wait_secs,
        interruptible_channels: policy.interruptible_channels,
        hours: policy.hours.as_ref().map(calendar),
        open_tickets_max: policy.open_tickets_max.unwrap_or(0),
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
        requirements: requirements(&route.requirements),
        head_start_secs: route.head_start_secs,
        target_secs: route.target_secs.unwrap_or(0),
        when: route.when.map(String::from).unwrap_or_default(),
        preferred: skill_levels(&route.preferred),
        around_the_clock: route.around_the_clock,
        waiting_max: route.waiting_max.unwrap_or(0),
        overflow_route: route.overflow.unwrap_or_default(),
    }
}

fn relaxation_step(step: RelaxationStep) -> v1::RelaxationStep {
    v1::RelaxationStep {
        after_secs: step.after_secs,
        proficiency_reduction: step.proficiency_reduction.into(),
        drop_requirements: step.drop_requirements,
    }
}

/// Returns the order and the weights of age that go with it.
fn ticket_order(order: TicketOrder) -> (v1::TicketOrder, Vec<u32>) {
    match order {
        TicketOrder::HeadStart => (v1::TicketOrder::HeadStart, Vec::new()),
        TicketOrder::Strict => (v1::TicketOrder::Strict, Vec::new()),
        TicketOrder::Ageing { weights_milli } => (v1::TicketOrder::Ageing, weights_milli),
    }
}

/// Returns who is asked first, as the API shows it.
pub(super) fn agent_choice(choice: AgentChoice) -> v1::AgentChoice {
    match choice {
        AgentChoice::LongestCumulativeIdle => v1::AgentChoice::LongestCumulativeIdle,
        AgentChoice::LongestIdle => v1::AgentChoice::LongestIdle,
        AgentChoice::Fastest => v1::AgentChoice::Fastest,
        AgentChoice::Random => v1::AgentChoice::Random,
        AgentChoice::FewestTickets => v1::AgentChoice::FewestTickets,
        AgentChoice::MostProficient => v1::AgentChoice::MostProficient,
    }
}

fn occupancy_ceiling(ceiling: OccupancyCeiling) -> v1::OccupancyCeiling {
    v1::OccupancyCeiling { percent: ceiling.percent.into(), burst_secs: ceiling.burst_secs }
}

/// Returns requirements as the API shows them.
pub(crate) fn requirements(requirements: &[Requirement]) -> Vec<v1::SkillRequirement> {
    let requirement = |requirement: &Requirement| v1::SkillRequirement {
        skill_id: requirement.skill.to_string(),
        proficiency_min: requirement.proficiency_min.into(),
        permanent: requirement.permanent,
        alternatives: skill_levels(&requirement.alternatives),
        expires_after_secs: requirement.expires_after_secs.unwrap_or(0),
    };
    requirements.iter().map(requirement).collect()
}

/// Returns skills at a proficiency as the API shows them.
pub(super) fn skill_levels(levels: &[SkillLevel]) -> Vec<v1::SkillLevel> {
    let level = |level: &SkillLevel| v1::SkillLevel {
        skill_id: level.skill.to_string(),
        proficiency_min: level.proficiency_min.into(),
    };
    levels.iter().map(level).collect()
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
