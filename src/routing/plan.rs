//! From a reading and a policy to what routing looks for.

use std::{collections::BTreeMap, sync::Arc};

use super::tickets::OpenTicket;
use crate::domain::{
    condition::{Condition, Facts},
    id::SkillId,
    limits::HEAD_START_SECS_MAX,
    policy::{
        BY_HAND, LANGUAGE, Plan, Policy, RelaxationStep, Requirement, Route, SkillLevel, TRANSFER,
        TRIAGE, TriageReason,
    },
    reading::{Reading, ReadingSource, Urgency},
    ticket::Intake,
};

/// Probability of a negative sentiment from which on a ticket counts as hard.
const HARD_NEGATIVE_MIN: f64 = 0.8;

/// Waiting tickets by route, but for the one that is planned.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    by_route: &'a BTreeMap<String, u32>,
    own: Option<&'a str>,
}

impl<'a> Waiting<'a> {
    pub(super) fn without(by_route: &'a BTreeMap<String, u32>, open: &'a OpenTicket) -> Self {
        Self { by_route, own: open.links.counted.as_ref().map(|plan| plan.route.as_str()) }
    }

    fn count(self, route: &str) -> u32 {
        let all = self.by_route.get(route).copied().unwrap_or(0);
        all.saturating_sub(u32::from(self.own == Some(route)))
    }
}

/// Plans a ticket by what was read, or by the intent an agent gave.
pub(super) fn plan_for(
    policy: &Policy,
    open: &OpenTicket,
    reading: &Reading,
    waiting: Waiting<'_>,
) -> Plan {
    match &open.given_intent {
        Some(intent) => plan_by_intent(policy, &open.intake, reading, intent, waiting),
        None => plan(policy, &open.intake, reading, waiting),
    }
}

/// Returns whether a supervisor gave the ticket to an agent: it goes first, whatever the order.
pub(super) fn is_by_hand(plan: &Plan) -> bool {
    plan.route == BY_HAND
}

/// Returns whether a person, or long waiting, decided the way of a ticket.
pub(super) fn by_a_person(open: &OpenTicket) -> bool {
    open.plan.as_ref().is_some_and(|plan| {
        [TRANSFER, BY_HAND].contains(&plan.route.as_str())
            || plan.triage == Some(TriageReason::WaitedTooLong)
    })
}

/// Plans a ticket of which nothing but its reading is known, while nobody waits.
#[must_use]
pub fn plan_by_reading(policy: &Policy, reading: &Reading) -> Plan {
    let intake = Intake {
        channel: String::new(),
        language: None,
        attributes: BTreeMap::new(),
        requirements: Vec::new(),
        priority: 0,
        target_secs: None,
        preferred_agent: None,
        is_long: false,
    };
    plan(policy, &intake, reading, Waiting { by_route: &BTreeMap::new(), own: None })
}

/// Plans a ticket that was read.
fn plan(policy: &Policy, intake: &Intake, reading: &Reading, waiting: Waiting<'_>) -> Plan {
    let language = intake.language.as_ref().or(reading.language.as_ref());
    let language_skill = language.and_then(|code| policy.language_skills.get(code));
    let urgency = if reading.language_supported { reading.urgency } else { Urgency::Normal };
    let mut builder = Builder::new(policy, intake, (reading, urgency), waiting);
    if let Some(skill) = language_skill {
        builder.need(skill, 1, false);
    }
    if !reading.language_supported {
        return match language_skill {
            Some(_) => builder.build(LANGUAGE, None),
            None => builder.triage(TriageReason::LanguageUnsupported),
        };
    }
    match trusted_intent(policy, reading) {
        Err(reason) => builder.triage(reason),
        Ok(intent) => builder.by_intent(intent, language.map(String::as_str)),
    }
}

/// Plans a ticket by an intent that a person gave.
pub(super) fn plan_by_intent(
    policy: &Policy,
    intake: &Intake,
    reading: &Reading,
    intent: &str,
    waiting: Waiting<'_>,
) -> Plan {
    let language = intake.language.as_ref().or(reading.language.as_ref());
    let mut builder = Builder::new(policy, intake, (reading, reading.urgency), waiting);
    if let Some(skill) = language.and_then(|code| policy.language_skills.get(code)) {
        builder.need(skill, 1, false);
    }
    builder.by_intent(intent, language.map(String::as_str))
}

/// Plans a ticket for triage because nobody suitable took it. Only permanent needs stay.
pub(super) fn plan_after_waiting(policy: &Policy, intake: &Intake, plan: &Plan) -> Plan {
    let triage = Requirement::new(policy.triage_skill.clone(), 1, true);
    let plan = handed_on(policy, intake, plan, vec![triage]);
    Plan { route: TRIAGE.to_owned(), triage: Some(TriageReason::WaitedTooLong), ..plan }
}

/// Plans a ticket that an agent handed to `requirements` (none: to one agent).
pub(super) fn plan_transfer(
    policy: &Policy,
    intake: &Intake,
    plan: &Plan,
    requirements: Vec<Requirement>,
) -> Plan {
    Plan { route: TRANSFER.to_owned(), ..handed_on(policy, intake, plan, requirements) }
}

/// Plans what leaves its route: permanent needs of the platform stay, and the place in the queue, but for
/// what a supervisor gave; what speaks of the route does not.
fn handed_on(
    policy: &Policy,
    intake: &Intake,
    plan: &Plan,
    requirements: Vec<Requirement>,
) -> Plan {
    let permanent = intake.requirements.iter().filter(|need| need.permanent).cloned();
    let by_hand = is_by_hand(plan);
    let head_start_secs = if by_hand { 0 } else { plan.head_start_secs };
    Plan {
        policy_version: policy.version,
        triage: None,
        requirements: merged(permanent.chain(requirements)).into(),
        head_start_secs,
        preferred: Arc::default(),
        around_the_clock: plan.around_the_clock && !by_hand,
        overflowed: None,
        ..plan.clone()
    }
}

/// Plans a ticket that nobody has read, and that the agent a supervisor named will not take any more.
pub(super) fn plan_unread(policy: &Policy, intake: &Intake, plan: &Plan) -> Plan {
    let triage = TriageReason::Unread;
    Plan { triage: Some(triage), ..plan_after_waiting(policy, intake, plan) }
}

/// Plans a ticket that a supervisor gives to an agent. Only permanent needs stay, and it goes first.
pub(super) fn plan_by_hand(policy: &Policy, intake: &Intake, plan: Option<&Plan>) -> Plan {
    // That people who triage see it first is no need of the ticket: a supervisor has seen it.
    let of_plan = plan.filter(|plan| plan.triage.is_none());
    let of_plan = of_plan.map_or(&[][..], |plan| &plan.requirements[..]);
    let permanent = intake.requirements.iter().chain(of_plan).filter(|need| need.permanent);
    Plan {
        policy_version: policy.version,
        route: BY_HAND.to_owned(),
        triage: None,
        requirements: merged(permanent.cloned()).into(),
        head_start_secs: HEAD_START_SECS_MAX,
        target_secs: plan.map_or(intake.target_secs, |plan| plan.target_secs),
        preferred: Arc::default(),
        around_the_clock: true,
        overflowed: None,
        hard: plan.is_some_and(|plan| plan.hard),
    }
}

/// Returns what is left of requirements after a relaxation step. Permanent ones stay as they are.
pub(super) fn relaxed(
    requirements: impl Iterator<Item = Requirement>,
    step: Option<&RelaxationStep>,
) -> Vec<Requirement> {
    let Some(step) = step else { return requirements.collect() };
    let lowered = |level: u8| level.saturating_sub(step.proficiency_reduction).max(1);
    requirements
        .filter(|need| need.permanent || !step.drop_requirements)
        .map(|mut need| {
            if !need.permanent {
                need.proficiency_min = lowered(need.proficiency_min);
                for other in &mut need.alternatives {
                    other.proficiency_min = lowered(other.proficiency_min);
                }
            }
            need
        })
        .collect()
}

fn trusted_intent<'a>(policy: &Policy, reading: &'a Reading) -> Result<&'a str, TriageReason> {
    let Some(top) = reading.top_intent() else {
        return Err(match reading.source {
            ReadingSource::Rules => TriageReason::Unread,
            ReadingSource::Model => TriageReason::OutOfScope,
        });
    };
    if reading.out_of_scope {
        return Err(TriageReason::OutOfScope);
    }
    if top.probability < policy.intent_confidence_min {
        return Err(TriageReason::LowConfidence);
    }
    Ok(&top.intent)
}

struct Builder<'a> {
    policy: &'a Policy,
    intake: &'a Intake,
    reading: &'a Reading,
    urgency: Urgency,
    waiting: Waiting<'a>,
    needs: Vec<Requirement>,
}

impl<'a> Builder<'a> {
    fn new(
        policy: &'a Policy,
        intake: &'a Intake,
        (reading, urgency): (&'a Reading, Urgency),
        waiting: Waiting<'a>,
    ) -> Self {
        Self { policy, intake, reading, urgency, waiting, needs: intake.requirements.clone() }
    }

    fn need(&mut self, skill: &SkillId, proficiency_min: u8, permanent: bool) {
        self.needs.push(Requirement::new(skill.clone(), proficiency_min, permanent));
    }

    fn by_intent(mut self, intent: &str, language: Option<&str>) -> Plan {
        let found = self.policy.routes.iter().find(|route| self.matches(route, intent, language));
        let Some(found) = found else { return self.triage(TriageReason::NoRoute) };
        let route = self.overflow_of(found).unwrap_or(found);
        self.needs.extend(route.requirements.iter().cloned());
        let overflowed = (route.name != found.name).then(|| found.name.clone());
        Plan { overflowed, ..self.build(&route.name, Some(route)) }
    }

    fn matches(&self, route: &Route, intent: &str, language: Option<&str>) -> bool {
        let (wanted, intake) = (&route.matches, self.intake);
        let one_of = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|item| item == value))
        };
        wanted.takes_intent(intent)
            && one_of(&wanted.languages, language)
            && one_of(&wanted.channels, Some(&intake.channel))
            && (wanted.urgencies.is_empty() || wanted.urgencies.contains(&self.urgency))
            && wanted
                .attributes
                .iter()
                .all(|(name, value)| intake.attributes.get(name) == Some(value))
            && route.when.as_ref().is_none_or(|condition| self.holds(condition, intent, language))
    }

    fn holds(&self, condition: &Condition, intent: &str, language: Option<&str>) -> bool {
        let (reading, intake) = (self.reading, self.intake);
        let present = reading.intents.iter().filter(|intent| intent.present);
        let intents: Vec<&str> = present.map(|intent| &*intent.intent).collect();
        let read = reading.intents.iter().find(|read| &*read.intent == intent);
        condition.holds(&Facts {
            intent: Some(intent),
            // One that a person gave is certain.
            intent_confidence: read.map_or(1.0, |read| read.probability),
            intents: &intents,
            out_of_scope: reading.out_of_scope,
            sentiment: reading.sentiment.label(),
            sentiment_score: reading.sentiment_score,
            urgency: self.urgency.label(),
            urgency_score: reading.urgency_score,
            language,
            channel: &intake.channel,
            priority: intake.priority,
            attributes: &intake.attributes,
        })
    }

    /// Returns the route to take in place of one that is full.
    fn overflow_of(&self, route: &Route) -> Option<&'a Route> {
        let max = route.waiting_max?;
        let is_full = self.waiting.count(&route.name) >= max;
        let other = route.overflow.as_ref().filter(|_| is_full)?;
        self.policy.routes.iter().find(|route| route.name == *other)
    }

    fn triage(mut self, reason: TriageReason) -> Plan {
        let policy = self.policy;
        // Permanent: relaxation must not hand a ticket that nobody understood to just anybody.
        self.need(&policy.triage_skill, 1, true);
        Plan { triage: Some(reason), ..self.build(TRIAGE, None) }
    }

    fn build(self, name: &str, route: Option<&Route>) -> Plan {
        let by_urgency = self.policy.urgency_head_start_secs[self.urgency as usize];
        let by_route = route.map_or(0, |route| route.head_start_secs);
        // Text moves priority by a bounded amount; the platform's own priority comes on top.
        let by_text = by_urgency.saturating_add(by_route).min(HEAD_START_SECS_MAX);
        let by_priority = u32::from(self.intake.priority) * self.policy.priority_point_secs;
        Plan {
            policy_version: self.policy.version,
            route: name.to_owned(),
            triage: None,
            hard: is_hard(self.intake, self.reading, self.urgency),
            requirements: merged(self.needs).into(),
            head_start_secs: by_text.saturating_add(by_priority),
            target_secs: self.intake.target_secs.or(route.and_then(|route| route.target_secs)),
            preferred: route.map_or_else(Arc::default, |route| route.preferred[..].into()),
            around_the_clock: route.is_some_and(|route| route.around_the_clock),
            overflowed: None,
        }
    }
}

/// Returns whether a ticket is hard on people: angry, urgent or long.
fn is_hard(intake: &Intake, reading: &Reading, urgency: Urgency) -> bool {
    let angry =
        reading.language_supported && reading.sentiment_probabilities[0] >= HARD_NEGATIVE_MIN;
    angry || urgency >= Urgency::High || intake.is_long
}

/// Joins requirements of the same skill and the same alternatives: the higher proficiency, permanent if
/// one is. Others stay side by side, as all must be met.
fn merged(requirements: impl IntoIterator<Item = Requirement>) -> Vec<Requirement> {
    let mut by_way: BTreeMap<(SkillId, Vec<SkillLevel>), Requirement> = BTreeMap::new();
    for need in requirements {
        let way = (need.skill.clone(), need.alternatives.clone());
        let entry = by_way.entry(way).or_insert_with(|| need.clone());
        entry.proficiency_min = entry.proficiency_min.max(need.proficiency_min);
        entry.permanent |= need.permanent;
        entry.expires_after_secs = match (entry.expires_after_secs, need.expires_after_secs) {
            (Some(one), Some(other)) if !entry.permanent => Some(one.max(other)),
            _ => None,
        };
    }
    by_way.into_values().collect()
}
