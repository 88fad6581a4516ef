//! Tickets and what is said about them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, entry, skills::requirements};
use crate::{
    api::v1,
    domain::{
        id::{AgentId, SkillId},
        limits,
        ticket::{Intake, LONG_CHARS_MIN, Outcome, Payload, Resolution, Status},
    },
    routing::Transfer,
};

/// What a workspace declares, as far as a ticket may name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    /// Segment attributes.
    pub(crate) segment_attributes: Vec<String>,
    /// Skills.
    pub(crate) skills: BTreeSet<SkillId>,
}

/// Takes a new ticket.
pub(crate) fn new_ticket(
    check: &mut Check,
    ticket: Option<v1::NewTicket>,
    declared: &Declared,
) -> Option<(Intake, Payload)> {
    let ticket = check.required("ticket", ticket)?;
    let payload = payload(check, &ticket, declared);
    let chars = payload.subject.chars().count() + payload.body.chars().count();
    let intake = Intake {
        channel: check.text("ticket.channel", &ticket.channel, 1..=limits::CHANNEL_CHARS_MAX),
        language: language(check, "ticket.language", &ticket.language),
        attributes: attributes(
            check,
            "ticket.attributes",
            &ticket.attributes,
            limits::ATTRIBUTES_MAX,
        ),
        requirements: requirements(
            check,
            "ticket.skill_requirements",
            &ticket.skill_requirements,
            &declared.skills,
        ),
        priority: check.small("ticket.priority", ticket.priority, 0..=limits::PRIORITY_MAX),
        target_secs: target_secs(check, "ticket.target_secs", ticket.target_secs),
        preferred_agent: preferred_agent(check, &ticket.preferred_agent_id),
        is_long: chars >= LONG_CHARS_MIN,
    };
    Some((intake, payload))
}

/// Takes the agent a customer would like; empty for none. One who is unknown is no error: a platform
/// need not know who has left.
fn preferred_agent(check: &mut Check, agent: &str) -> Option<AgentId> {
    if agent.is_empty() { None } else { check.agent("ticket.preferred_agent_id", agent) }
}

fn payload(check: &mut Check, ticket: &v1::NewTicket, declared: &Declared) -> Payload {
    let payload = Payload {
        subject: check.text("ticket.subject", &ticket.subject, 0..=limits::SUBJECT_CHARS_MAX),
        body: check.text("ticket.body", &ticket.body, 0..=limits::BODY_CHARS_MAX),
        customer: check.text("ticket.customer", &ticket.customer, 0..=limits::CUSTOMER_CHARS_MAX),
        segments: segments(check, &ticket.segments, &declared.segment_attributes),
    };
    if !super::text::is_visible(&payload.text()) {
        let allowed = "subject and body together must hold at least one visible character";
        check.reject("ticket.body", allowed);
    }
    payload
}

fn segments(
    check: &mut Check,
    given: &BTreeMap<String, String>,
    declared: &[String],
) -> BTreeMap<String, String> {
    let field = "ticket.segments";
    let mut segments = BTreeMap::new();
    if !check.count(field, given.len(), limits::SEGMENTS_MAX) {
        return segments;
    }
    for (index, (name, value)) in given.iter().enumerate() {
        let path = entry(field, index, name);
        let value = check.text(&path, value, 1..=limits::SEGMENT_VALUE_CHARS_MAX);
        if !declared.contains(name) {
            check.reject(&path, undeclared(declared));
        }
        segments.insert(name.clone(), value);
    }
    segments
}

fn undeclared(declared: &[String]) -> String {
    if declared.is_empty() {
        "the workspace declares no segment attribute; UpdateWorkspace declares some".to_owned()
    } else {
        format!("must be a segment attribute the workspace declares: {}", declared.join(", "))
    }
}

/// Takes attributes that routing rules may use.
pub(super) fn attributes(
    check: &mut Check,
    field: &str,
    given: &BTreeMap<String, String>,
    entries_max: usize,
) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    if !check.count(field, given.len(), entries_max) {
        return attributes;
    }
    for (index, (name, value)) in given.iter().enumerate() {
        let path = entry(field, index, name);
        let name =
            check.text(&format!("{path} (name)"), name, 1..=limits::ATTRIBUTE_NAME_CHARS_MAX);
        let value = check.text(&path, value, 0..=limits::ATTRIBUTE_VALUE_CHARS_MAX);
        attributes.insert(name, value);
    }
    attributes
}

/// Takes an ISO 639-1 code; empty for none.
pub(super) fn language(check: &mut Check, field: &str, code: &str) -> Option<String> {
    if code.is_empty() {
        return None;
    }
    if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_lowercase()) {
        check.reject(field, "must be an ISO 639-1 code, two small letters such as `en`");
    }
    Some(code.to_owned())
}

/// Takes a service-level target; 0 for none.
pub(super) fn target_secs(check: &mut Check, field: &str, secs: u32) -> Option<u32> {
    check.range(field, secs, 0..=limits::TARGET_SECS_MAX);
    (secs > 0).then_some(secs)
}

/// Takes the outcome of a ticket.
pub(crate) fn outcome(check: &mut Check, outcome: Option<v1::Outcome>) -> Option<Outcome> {
    let outcome = check.required("outcome", outcome)?;
    let resolution = match outcome.resolution() {
        v1::Resolution::Unspecified => {
            let allowed = "must be FIRST_CONTACT, RESOLVED, ESCALATED or WRONG_INTENT";
            check.reject("outcome.resolution", allowed);
            None
        }
        v1::Resolution::FirstContact => Some(Resolution::FirstContact),
        v1::Resolution::Resolved => Some(Resolution::Resolved),
        v1::Resolution::Escalated => Some(Resolution::Escalated),
        v1::Resolution::WrongIntent => Some(Resolution::WrongIntent),
    };
    let right_intent = if resolution == Some(Resolution::WrongIntent) {
        let max = limits::INTENT_CHARS_MAX;
        Some(check.text("outcome.right_intent", &outcome.right_intent, 1..=max))
    } else {
        if !outcome.right_intent.is_empty() {
            let allowed = "must be empty unless the resolution is WRONG_INTENT";
            check.reject("outcome.right_intent", allowed);
        }
        None
    };
    let satisfaction = check.small("outcome.satisfaction", outcome.satisfaction, 0..=5);
    let satisfaction = (satisfaction > 0).then_some(satisfaction);
    Some(Outcome { resolution: resolution?, right_intent, satisfaction })
}

/// Takes where a ticket is handed.
pub(crate) fn transfer(
    check: &mut Check,
    target: Option<v1::transfer_ticket_request::Target>,
    declared: &BTreeSet<SkillId>,
) -> Option<Transfer> {
    use v1::transfer_ticket_request::Target;
    match check.required("target", target)? {
        Target::AgentId(agent) => check.agent("agent_id", &agent).map(Transfer::Agent),
        Target::Intent(intent) => {
            let intent = check.text("intent", &intent, 1..=limits::INTENT_CHARS_MAX);
            Some(Transfer::Intent(intent))
        }
        Target::Skills(skills) => {
            let field = "skills.requirements";
            if skills.requirements.is_empty() {
                check.reject(field, "must have 1 to 10 entries");
            }
            let skills = requirements(check, field, &skills.requirements, declared);
            Some(Transfer::Skills(skills))
        }
    }
}

/// Takes the status to list; unspecified for all.
pub(crate) fn status(check: &mut Check, status: i32) -> Option<Status> {
    match v1::TicketStatus::try_from(status) {
        Ok(v1::TicketStatus::Unspecified) => None,
        Ok(v1::TicketStatus::Received) => Some(Status::Received),
        Ok(v1::TicketStatus::Queued) => Some(Status::Queued),
        Ok(v1::TicketStatus::Offered) => Some(Status::Offered),
        Ok(v1::TicketStatus::Assigned) => Some(Status::Assigned),
        Ok(v1::TicketStatus::Completed) => Some(Status::Completed),
        Ok(v1::TicketStatus::Cancelled) => Some(Status::Cancelled),
        Err(_) => {
            check.reject("status", "must be one of TicketStatus, or unspecified for all");
            None
        }
    }
}
