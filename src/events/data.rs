//! What the `data` of an event shows: a list of what may go out, so that what is not on it stays.
//!
//! Identifiers, words of closed sets, numbers and times; of names that people gave, those that look like one. No text
//! that somebody wrote: neither tickets, nor display names, descriptions, attributes and sentences. Who acted is left
//! out, and what is felt or judged of a person: sentiment and satisfaction. Of segments, only the group of an alarm.

use serde::Serialize;
use serde_json::{Map, Value};

use super::cloud_event::time;
use crate::domain::{
    alarm::Alarm,
    decision::Decision,
    event::{Entry, Event, TransferTarget},
    id::WorkspaceId,
    limits::ID_CHARS_MAX,
    policy::Plan,
    reading::Reading,
    ticket::{Intake, Outcome},
    time::UnixMillis,
};

/// Stands for a name that could be a sentence.
const OTHER: &str = "other";

/// Fields and what they hold; what there is nothing of is left out.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    fn put_some(&mut self, field: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.put(field, value);
        }
        self
    }

    /// A word of a closed set, as the journal writes it.
    fn word(&mut self, field: &str, word: &impl Serialize) -> &mut Self {
        if let Ok(Value::String(word)) = serde_json::to_value(word) {
            self.put(field, word);
        }
        self
    }

    /// A name that somebody gave.
    fn name(&mut self, field: &str, name: &str) -> &mut Self {
        let is_name = !name.is_empty()
            && name.len() <= ID_CHARS_MAX
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._/+-".contains(c));
        self.put(field, if is_name { name } else { OTHER })
    }

    fn time(&mut self, field: &str, at: Option<UnixMillis>) -> &mut Self {
        self.put_some(field, at.and_then(time))
    }
}

/// Returns what an entry shows.
pub(super) fn of(workspace: &WorkspaceId, entry: &Entry) -> Map<String, Value> {
    let event = &entry.event;
    let mut fields = Fields::default();
    fields
        .put("workspace_id", workspace.as_str())
        .put("sequence", entry.sequence)
        .put_some("ticket_id", event.ticket().map(|ticket| ticket.as_str()))
        .put_some("agent_id", event.agent().map(|agent| agent.as_str()))
        .put_some("status", status_after(event));
    match event {
        Event::PresenceChanged { .. }
        | Event::StreamClosed { .. }
        | Event::Restarted { .. }
        | Event::ShiftChanged { .. }
        | Event::RestChanged { .. }
        | Event::CapacityRamped { .. }
        | Event::HoursChanged { .. } => presence(&mut fields, event),
        Event::AlarmRaised { alarm } => raised(&mut fields, alarm),
        Event::AlarmAcknowledged { alarm, .. } => drop(fields.put("alarm_sequence", *alarm)),
        Event::OfferMade { .. }
        | Event::OfferAccepted { .. }
        | Event::OfferDeclined { .. }
        | Event::OfferExpired { .. }
        | Event::OfferRevoked { .. } => offer(&mut fields, event),
        event => others(&mut fields, event),
    }
    fields.0
}

/// Returns where the ticket stands, where the event alone says so.
fn status_after(event: &Event) -> Option<&'static str> {
    match event {
        Event::TicketReceived { .. } => Some("received"),
        Event::TicketQueued { .. }
        | Event::OfferDeclined { .. }
        | Event::OfferExpired { .. }
        | Event::OfferRevoked { .. }
        | Event::TicketTransferred { .. }
        | Event::TicketAssignedByHand { .. }
        | Event::AssignmentReturned { .. } => Some("queued"),
        Event::OfferMade { .. } => Some("offered"),
        Event::OfferAccepted { .. } => Some("assigned"),
        Event::AssignmentCompleted { .. } => Some("completed"),
        Event::TicketCancelled { .. } => Some("cancelled"),
        _ => None,
    }
}

/// What is known of a group, which is many; its name, where it looks like one.
fn raised(fields: &mut Fields, alarm: &Alarm) {
    fields
        .name("attribute", &alarm.attribute)
        .word("measure", &alarm.measure)
        .name("segment", &alarm.group)
        .put("segment_hits", alarm.own.hits)
        .put("segment_tickets", alarm.own.count)
        .put("other_hits", alarm.others.hits)
        .put("other_tickets", alarm.others.count)
        .put("difference_low", alarm.low)
        .put("difference_high", alarm.high)
        .put("log_evidence", alarm.log_evidence)
        .time("first_receive_time", Some(alarm.first_received_at))
        .time("last_receive_time", Some(alarm.last_received_at));
}

/// Agents come, go and rest; the workspace opens and closes.
fn presence(fields: &mut Fields, event: &Event) {
    match event {
        Event::PresenceChanged { presence, cause, lease_until, .. } => {
            fields.word("presence", presence).word("cause", cause);
            fields.time("lease_expire_time", *lease_until)
        }
        Event::StreamClosed { lease_until, .. } => fields.time("lease_expire_time", *lease_until),
        Event::Restarted { lease_until } => fields.time("lease_expire_time", Some(*lease_until)),
        Event::ShiftChanged { on_shift, next_at, .. } => {
            fields.put("on_shift", *on_shift).time("next_time", *next_at)
        }
        Event::RestChanged { until, .. } => {
            fields.put("resting", until.is_some()).time("rest_end_time", *until)
        }
        Event::CapacityRamped { units_max, next_at, .. } => {
            fields.put_some("units_max", *units_max).time("next_time", *next_at)
        }
        Event::HoursChanged { open, next_at } => {
            fields.put("open", *open).time("next_time", *next_at)
        }
        _ => fields,
    };
}

fn offer(fields: &mut Fields, event: &Event) {
    match event {
        Event::OfferMade { offer, expires_at, decision, .. } => {
            self::decision(fields, decision);
            fields.put("offer_id", offer.to_string()).time("expire_time", Some(*expires_at))
        }
        Event::OfferAccepted { offer, .. } => fields.put("offer_id", offer.to_string()),
        Event::OfferDeclined { offer, reason, .. } => {
            fields.put("offer_id", offer.to_string()).name("reason", reason)
        }
        Event::OfferExpired { offer, .. } => {
            fields.put("offer_id", offer.to_string()).put("reason", "timeout")
        }
        Event::OfferRevoked { offer, reason, .. } => {
            fields.put("offer_id", offer.to_string()).word("reason", reason)
        }
        _ => fields,
    };
}

/// Tickets, skills and policies.
fn others(fields: &mut Fields, event: &Event) {
    match event {
        Event::SkillCreated { skill, .. } | Event::SkillDeleted { skill } => {
            fields.put("skill_id", skill.as_str());
        }
        Event::PolicySet { policy } => drop(fields.put("policy_version", policy.version)),
        Event::TicketReceived { intake, .. } => self::intake(fields, intake),
        Event::TicketRead { reading, plan, .. } => {
            self::reading(fields, reading);
            self::plan(fields, plan);
        }
        Event::TicketPlanned { plan, .. } | Event::TicketAssignedByHand { plan, .. } => {
            self::plan(fields, plan);
        }
        Event::TicketRelaxed { step, .. } => drop(fields.put("relaxation_step", *step)),
        Event::TicketQueued { decision, .. } => self::decision(fields, decision),
        Event::AssignmentCompleted { outcome, wrap_up_until, .. } => {
            self::outcome(fields, outcome);
            fields.time("wrap_up_end_time", *wrap_up_until);
        }
        Event::TicketTransferred { target, plan, .. } => {
            self::target(fields, target);
            self::plan(fields, plan);
        }
        Event::AssignmentReturned { reason, .. } => drop(fields.word("reason", reason)),
        Event::TicketCancelled { reason, .. } => drop(fields.name("reason", reason)),
        _ => {}
    }
}

fn intake(fields: &mut Fields, intake: &Intake) {
    fields.name("channel", &intake.channel).put("priority", intake.priority);
    fields.put_some("target_secs", intake.target_secs);
}

fn reading(fields: &mut Fields, reading: &Reading) {
    let mut read = Fields::default();
    read.word("source", &reading.source)
        .put("out_of_scope", reading.out_of_scope)
        .word("urgency", &reading.urgency)
        .put("language_supported", reading.language_supported);
    if let Some(top) = reading.top_intent() {
        read.name("intent", &top.intent).put("intent_confidence", top.probability);
    }
    if let Some(language) = &reading.language {
        read.name("language", language);
    }
    fields.put("reading", read.0);
}

fn plan(fields: &mut Fields, plan: &Plan) {
    let mut planned = Fields::default();
    let skills = plan.requirements.iter().map(|needed| {
        let mut skill = Fields::default();
        skill.put("skill_id", needed.skill.as_str()).put("proficiency_min", needed.proficiency_min);
        Value::from(skill.0)
    });
    planned
        .put("policy_version", plan.policy_version)
        .name("route", &plan.route)
        .put("requirements", skills.collect::<Vec<_>>())
        .put("head_start_secs", plan.head_start_secs)
        .put_some("target_secs", plan.target_secs);
    if let Some(reason) = &plan.triage {
        planned.word("triage_reason", reason);
    }
    fields.put("plan", planned.0);
}

fn decision(fields: &mut Fields, decision: &Decision) {
    fields
        .put("waited_ms", decision.waited_ms)
        .put("eligible_count", decision.eligible_count)
        .put("relaxation_step", decision.relaxation_step);
}

fn outcome(fields: &mut Fields, outcome: &Outcome) {
    fields.word("resolution", &outcome.resolution);
    if let Some(intent) = &outcome.right_intent {
        fields.name("right_intent", intent);
    }
}

fn target(fields: &mut Fields, target: &TransferTarget) {
    match target {
        TransferTarget::Agent(agent) => drop(fields.put("target_agent_id", agent.as_str())),
        TransferTarget::Intent(intent) => drop(fields.name("target_intent", intent)),
        TransferTarget::Skills => {}
    }
}
