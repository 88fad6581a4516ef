//! From a reading and a policy to what routing looks for.

use std::collections::BTreeMap;

use crate::domain::{
    id::SkillId,
    limits::HEAD_START_SECS_MAX,
    policy::{Plan, Policy, RelaxationStep, Requirement, Route, TriageReason},
    reading::{Reading, ReadingSource, Urgency},
    ticket::Intake,
};

/// Name of the plan when people who triage decide.
pub(super) const TRIAGE: &str = "triage";
/// Name of the plan when only the language is known.
pub(super) const LANGUAGE: &str = "language";
/// Name of the plan after a transfer to an agent or to skills.
pub(super) const TRANSFER: &str = "transfer";

/// Plans a ticket that was read.
pub(super) fn plan(policy: &Policy, intake: &Intake, reading: &Reading) -> Plan {
    let language = intake.language.as_ref().or(reading.language.as_ref());
    let language_skill = language.and_then(|code| policy.language_skills.get(code));
    let urgency = if reading.language_supported { reading.urgency } else { Urgency::Normal };
    let mut builder = Builder::new(policy, intake, urgency);
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
) -> Plan {
    let language = intake.language.as_ref().or(reading.language.as_ref());
    let mut builder = Builder::new(policy, intake, reading.urgency);
    if let Some(skill) = language.and_then(|code| policy.language_skills.get(code)) {
        builder.need(skill, 1, false);
    }
    builder.by_intent(intent, language.map(String::as_str))
}

/// Plans a ticket for triage because nobody suitable took it. Only permanent needs stay.
pub(super) fn plan_after_waiting(policy: &Policy, intake: &Intake, plan: &Plan) -> Plan {
    let triage =
        Requirement { skill: policy.triage_skill.clone(), proficiency_min: 1, permanent: true };
    let permanent = intake.requirements.iter().filter(|need| need.permanent);
    Plan {
        policy_version: policy.version,
        route: TRIAGE.to_owned(),
        triage: Some(TriageReason::WaitedTooLong),
        requirements: merged(permanent.cloned().chain([triage])),
        ..plan.clone()
    }
}

/// Plans a ticket that an agent handed to `requirements` (none: to one agent).
pub(super) fn plan_transfer(
    policy: &Policy,
    intake: &Intake,
    plan: &Plan,
    requirements: Vec<Requirement>,
) -> Plan {
    let permanent = intake.requirements.iter().filter(|need| need.permanent).cloned();
    Plan {
        policy_version: policy.version,
        route: TRANSFER.to_owned(),
        triage: None,
        requirements: merged(permanent.chain(requirements)),
        ..plan.clone()
    }
}

/// Returns what is left of `requirements` after a relaxation step. Permanent ones stay as they are.
#[must_use]
pub fn relaxed(requirements: &[Requirement], step: Option<&RelaxationStep>) -> Vec<Requirement> {
    let Some(step) = step else { return requirements.to_vec() };
    requirements
        .iter()
        .filter(|need| need.permanent || !step.drop_requirements)
        .map(|need| {
            let lowered = need.proficiency_min.saturating_sub(step.proficiency_reduction).max(1);
            let proficiency_min = if need.permanent { need.proficiency_min } else { lowered };
            Requirement { proficiency_min, ..need.clone() }
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
    urgency: Urgency,
    needs: Vec<Requirement>,
}

impl<'a> Builder<'a> {
    fn new(policy: &'a Policy, intake: &'a Intake, urgency: Urgency) -> Self {
        Self { policy, intake, urgency, needs: intake.requirements.clone() }
    }

    fn need(&mut self, skill: &SkillId, proficiency_min: u8, permanent: bool) {
        self.needs.push(Requirement { skill: skill.clone(), proficiency_min, permanent });
    }

    fn by_intent(mut self, intent: &str, language: Option<&str>) -> Plan {
        let found = self
            .policy
            .routes
            .iter()
            .find(|route| matches(route, self.intake, intent, language, self.urgency));
        match found {
            None => self.triage(TriageReason::NoRoute),
            Some(route) => {
                self.needs.extend(route.requirements.iter().cloned());
                self.build(&route.name, Some(route))
            }
        }
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
            requirements: merged(self.needs),
            head_start_secs: by_text.saturating_add(by_priority),
            target_secs: self.intake.target_secs.or(route.and_then(|route| route.target_secs)),
        }
    }
}

fn matches(
    route: &Route,
    intake: &Intake,
    intent: &str,
    language: Option<&str>,
    urgency: Urgency,
) -> bool {
    let wanted = &route.matches;
    let one_of = |list: &[String], value: Option<&str>| {
        list.is_empty() || value.is_some_and(|value| list.iter().any(|item| item == value))
    };
    wanted.takes_intent(intent)
        && one_of(&wanted.languages, language)
        && one_of(&wanted.channels, Some(&intake.channel))
        && (wanted.urgencies.is_empty() || wanted.urgencies.contains(&urgency))
        && wanted.attributes.iter().all(|(name, value)| intake.attributes.get(name) == Some(value))
}

/// Joins requirements of the same skill: the higher proficiency, and permanent if one is.
fn merged(requirements: impl IntoIterator<Item = Requirement>) -> Vec<Requirement> {
    let mut by_skill: BTreeMap<SkillId, Requirement> = BTreeMap::new();
    for need in requirements {
        let entry = by_skill.entry(need.skill.clone()).or_insert_with(|| need.clone());
        entry.proficiency_min = entry.proficiency_min.max(need.proficiency_min);
        entry.permanent |= need.permanent;
    }
    by_skill.into_values().collect()
}
