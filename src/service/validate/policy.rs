//! Policies: what is not allowed, and what a person should look at.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Check, entry,
    ticket::{attributes, declared_skill, language, requirements, target_secs},
};
use crate::{
    api::v1,
    domain::{
        id::SkillId,
        limits,
        policy::{Policy, RelaxationStep, Route, RouteMatch, covers},
        reading::Urgency,
    },
};

/// Name of the plan when people decide; no route may have it.
const TRIAGE: &str = "triage";
/// Most values in the attribute conditions of a route.
const MATCH_ATTRIBUTES_MAX: usize = 16;

/// Takes a policy; its version is given later.
pub(crate) fn policy(
    check: &mut Check,
    policy: Option<v1::Policy>,
    declared: &BTreeSet<SkillId>,
) -> Option<Policy> {
    let policy = check.required("policy", policy)?;
    let triage_skill = declared_skill(check, "policy.triage_skill", &policy.triage_skill, declared);
    // NaN is in no range.
    if !(0.0..=1.0).contains(&policy.intent_confidence_min) {
        check.reject("policy.intent_confidence_min", "must be 0 to 1");
    }
    let routes = routes(check, &policy.routes, declared);
    let language_skills = language_skills(check, &policy.language_skills, declared);
    let relaxation = relaxation(check, &policy.relaxation);
    let urgency_head_start_secs =
        head_starts(check, policy.urgency_head_starts.unwrap_or_default());
    let mut secs = |name: &str, value: u32, min: u32, max: u32| {
        check.range(&format!("policy.{name}"), value, min..=max)
    };
    let times = limits::PRESENCE_LEASE_SECS_MAX;
    Some(Policy {
        version: 0,
        routes,
        intent_confidence_min: policy.intent_confidence_min,
        language_skills,
        urgency_head_start_secs,
        priority_point_secs: secs(
            "priority_point_secs",
            policy.priority_point_secs,
            0,
            limits::PRIORITY_POINT_SECS_MAX,
        ),
        relaxation,
        triage_after_secs: Some(secs(
            "triage_after_secs",
            policy.triage_after_secs,
            0,
            limits::TARGET_SECS_MAX,
        ))
        .filter(|after| *after > 0),
        offer_timeout_secs: secs(
            "offer_timeout_secs",
            policy.offer_timeout_secs,
            1,
            limits::OFFER_TIMEOUT_SECS_MAX,
        ),
        decline_backoff_secs: secs(
            "decline_backoff_secs",
            policy.decline_backoff_secs,
            0,
            limits::OFFER_TIMEOUT_SECS_MAX,
        ),
        presence_lease_secs: secs("presence_lease_secs", policy.presence_lease_secs, 1, times),
        wrap_up_secs: secs("wrap_up_secs", policy.wrap_up_secs, 0, times),
        assignment_return_secs: secs(
            "assignment_return_secs",
            policy.assignment_return_secs,
            1,
            limits::RELAXATION_SECS_MAX,
        ),
        reading_wait_ms: secs(
            "reading_wait_ms",
            policy.reading_wait_ms,
            1,
            limits::READING_WAIT_MS_MAX,
        ),
        // Last, so that everything else was looked at.
        triage_skill: triage_skill?,
    })
}

fn routes(check: &mut Check, given: &[v1::Route], declared: &BTreeSet<SkillId>) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    if !check.count("policy.routes", given.len(), limits::ROUTES_MAX) {
        return routes;
    }
    for (index, route) in given.iter().enumerate() {
        let field = format!("policy.routes[{index}]");
        let name_field = format!("{field}.name");
        let name = check.text(&name_field, &route.name, 1..=limits::ID_CHARS_MAX);
        if name == TRIAGE {
            check.reject(&name_field, "must not be `triage`, which names the plan of last resort");
        }
        if routes.iter().any(|earlier| earlier.name == name) {
            check.reject(&name_field, "must be unique in the policy");
        }
        routes.push(Route {
            name,
            matches: route_match(check, &field, route.r#match.clone().unwrap_or_default()),
            requirements: requirements(
                check,
                &format!("{field}.requirements"),
                &route.requirements,
                declared,
            ),
            head_start_secs: check.range(
                &format!("{field}.head_start_secs"),
                route.head_start_secs,
                0..=limits::HEAD_START_SECS_MAX,
            ),
            target_secs: target_secs(check, &format!("{field}.target_secs"), route.target_secs),
        });
    }
    routes
}

fn route_match(check: &mut Check, field: &str, given: v1::RouteMatch) -> RouteMatch {
    let field = format!("{field}.match");
    let languages = format!("{field}.languages");
    if check.count(&languages, given.languages.len(), limits::MATCH_VALUES_MAX) {
        for (index, code) in given.languages.iter().enumerate() {
            let path = format!("{languages}[{index}]");
            if language(check, &path, code).is_none() {
                check.reject(&path, "must be an ISO 639-1 code, two small letters such as `en`");
            }
        }
    }
    RouteMatch {
        intents: words(
            check,
            &format!("{field}.intents"),
            &given.intents,
            limits::INTENT_CHARS_MAX,
        ),
        channels: words(
            check,
            &format!("{field}.channels"),
            &given.channels,
            limits::CHANNEL_CHARS_MAX,
        ),
        urgencies: urgencies(check, &format!("{field}.urgencies"), &given.urgencies),
        attributes: attributes(
            check,
            &format!("{field}.attributes"),
            &given.attributes,
            MATCH_ATTRIBUTES_MAX,
        ),
        languages: given.languages,
    }
}

fn words(check: &mut Check, field: &str, given: &[String], chars_max: usize) -> Vec<String> {
    if !check.count(field, given.len(), limits::MATCH_VALUES_MAX) {
        return Vec::new();
    }
    let words = given.iter().enumerate();
    words
        .map(|(index, word)| check.text(&format!("{field}[{index}]"), word, 1..=chars_max))
        .collect()
}

fn urgencies(check: &mut Check, field: &str, given: &[i32]) -> Vec<Urgency> {
    if !check.count(field, given.len(), Urgency::ALL.len()) {
        return Vec::new();
    }
    let mut urgencies = Vec::new();
    for (index, urgency) in given.iter().enumerate() {
        match v1::Urgency::try_from(*urgency) {
            Ok(v1::Urgency::Low) => urgencies.push(Urgency::Low),
            Ok(v1::Urgency::Normal) => urgencies.push(Urgency::Normal),
            Ok(v1::Urgency::High) => urgencies.push(Urgency::High),
            Ok(v1::Urgency::Critical) => urgencies.push(Urgency::Critical),
            Ok(v1::Urgency::Unspecified) | Err(_) => {
                let allowed = "must be LOW, NORMAL, HIGH or CRITICAL";
                check.reject(&format!("{field}[{index}]"), allowed);
            }
        }
    }
    urgencies
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

/// What is known of the workspace and the model when a policy is looked over.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownNames {
    /// Declared segment attributes.
    pub(crate) segment_attributes: Vec<String>,
    /// Intents of the loaded model; `None` without a model.
    pub(crate) intents: Option<BTreeSet<String>>,
    /// Skills that at least one agent has.
    pub(crate) held_skills: BTreeSet<SkillId>,
}

/// Returns what a fairness officer or an administrator should look at, one sentence each.
pub(crate) fn warnings(policy: &Policy, known: &KnownNames) -> Vec<String> {
    let mut warnings = Vec::new();
    for route in &policy.routes {
        for attribute in route.matches.attributes.keys() {
            if known.segment_attributes.contains(attribute) {
                warnings.push(format!(
                    "Route `{}` decides by the attribute `{attribute}`, which is also a declared \
                     segment: people of different segments will be treated differently.",
                    route.name
                ));
            }
        }
        // A language or channel may be a declared segment under its own name as well.
        for (given, name) in [
            (!route.matches.languages.is_empty(), "language"),
            (!route.matches.channels.is_empty(), "channel"),
        ] {
            if given && known.segment_attributes.iter().any(|attribute| attribute == name) {
                warnings.push(format!(
                    "Route `{}` decides by {name}, which is also a declared segment: look at its \
                     measures.",
                    route.name
                ));
            }
        }
        let Some(intents) = &known.intents else { continue };
        let unknown = |name: &&String| !intents.iter().any(|intent| covers(name, intent));
        for intent in route.matches.intents.iter().filter(unknown) {
            warnings.push(format!(
                "Route `{}` names the intent `{intent}`, which the loaded model does not know.",
                route.name
            ));
        }
    }
    for skill in needed_skills(policy) {
        if !known.held_skills.contains(skill) {
            warnings.push(format!(
                "No agent has the skill `{skill}`; tickets that need it wait until one does."
            ));
        }
    }
    warnings
}

fn needed_skills(policy: &Policy) -> BTreeSet<&SkillId> {
    let of_routes = policy.routes.iter().flat_map(|route| &route.requirements);
    of_routes
        .map(|requirement| &requirement.skill)
        .chain(policy.language_skills.values())
        .chain([&policy.triage_skill])
        .collect()
}
