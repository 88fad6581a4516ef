//! What is allowed in a policy and still worth a look, one sentence each.

use std::collections::BTreeSet;

use crate::domain::{
    id::SkillId,
    policy::{Policy, RelaxationStep, Requirement, Route, TicketOrder, covers},
};

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
        segments(&mut warnings, route, known);
        intents(&mut warnings, route, known);
        overflow(&mut warnings, route, policy);
        never_ends(&mut warnings, route, policy);
    }
    if policy.ticket_order == TicketOrder::Strict {
        let strict = "Strict order: tickets of low priority wait without end as long as higher ones \
                      come in; only head starts and ageing bound every wait.";
        warnings.push(strict.to_owned());
    }
    relaxation(&mut warnings, policy);
    skills(&mut warnings, policy, known);
    warnings
}

/// Routes that decide by what is also a declared segment.
fn segments(warnings: &mut Vec<String>, route: &Route, known: &KnownNames) {
    let name = &route.name;
    let is_segment = |attribute: &str| known.segment_attributes.iter().any(|s| s == attribute);
    let when = route.when.as_ref();
    let listed = route.matches.attributes.keys().map(String::as_str);
    let read = when.into_iter().flat_map(|condition| condition.attributes());
    let attributes: BTreeSet<&str> = listed.chain(read).collect();
    for attribute in attributes.into_iter().filter(|attribute| is_segment(attribute)) {
        warnings.push(format!(
            "Route `{name}` decides by the attribute `{attribute}`, which is also a declared \
             segment: people of different segments will be treated differently."
        ));
    }
    // A language or channel may be a declared segment under its own name as well.
    for (given, variable) in [
        (!route.matches.languages.is_empty(), "language"),
        (!route.matches.channels.is_empty(), "channel"),
    ] {
        let reads = when.is_some_and(|condition| condition.reads(variable));
        if (given || reads) && is_segment(variable) {
            warnings.push(format!(
                "Route `{name}` decides by {variable}, which is also a declared segment: look at its \
                 measures."
            ));
        }
    }
}

/// Routes for intents that nothing reads.
fn intents(warnings: &mut Vec<String>, route: &Route, known: &KnownNames) {
    let Some(intents) = &known.intents else { return };
    let unknown = |name: &&String| !intents.iter().any(|intent| covers(name, intent));
    for intent in route.matches.intents.iter().filter(unknown) {
        warnings.push(format!(
            "Route `{}` names the intent `{intent}`, which the loaded model does not know.",
            route.name
        ));
    }
}

/// Ways out of a full route that lead to the same people.
fn overflow(warnings: &mut Vec<String>, route: &Route, policy: &Policy) {
    let named = |other: &&Route| Some(&other.name) == route.overflow.as_ref();
    let Some(other) = policy.routes.iter().find(named) else { return };
    let skills = |route: &Route| -> BTreeSet<SkillId> {
        route.requirements.iter().flat_map(Requirement::skills).cloned().collect()
    };
    if skills(route) == skills(other) {
        warnings.push(format!(
            "Route `{}` overflows to `{}`, which needs the same skills: the same people take both.",
            route.name, other.name
        ));
    }
}

/// Needs that end after relaxation has dropped them.
fn never_ends(warnings: &mut Vec<String>, route: &Route, policy: &Policy) {
    let dropped_at = policy.relaxation.iter().find(|step| step.drop_requirements);
    let Some(dropped) = dropped_at else { return };
    for need in &route.requirements {
        let ends = need.expires_after_secs.filter(|secs| *secs >= dropped.after_secs);
        if let Some(secs) = ends {
            warnings.push(format!(
                "Route `{}` needs `{}` until {secs} s, but relaxation drops it at {} s: its end never \
                 acts.",
                route.name, need.skill, dropped.after_secs
            ));
        }
    }
}

/// Relaxation steps that do little, nothing or the opposite.
fn relaxation(warnings: &mut Vec<String>, policy: &Policy) {
    for pair in policy.relaxation.windows(2) {
        let [before, step] = pair else { continue };
        let secs = step.after_secs;
        if step.drop_requirements == before.drop_requirements
            && (step.drop_requirements
                || step.proficiency_reduction == before.proficiency_reduction)
        {
            warnings.push(format!(
                "The relaxation step at {secs} s changes nothing: the one before loosens as much."
            ));
        } else if is_stricter(step, before) {
            warnings.push(format!(
                "The relaxation step at {secs} s asks for more than the one before: tickets that \
                 could be taken by somebody may wait again."
            ));
        }
    }
    let Some(triage_secs) = policy.triage_after_secs else { return };
    // A ticket in triage keeps the need of its language, which relaxation loosens later on.
    let late = |step: &&RelaxationStep| step.after_secs >= triage_secs;
    let steps = policy.relaxation.iter().filter(late).filter(|_| policy.language_skills.is_empty());
    for step in steps {
        warnings.push(format!(
            "The relaxation step at {} s comes when tickets have gone to triage ({triage_secs} s): \
             it acts only on those that came back to the queue, or on needs that tickets bring along.",
            step.after_secs
        ));
    }
}

fn is_stricter(step: &RelaxationStep, before: &RelaxationStep) -> bool {
    match (before.drop_requirements, step.drop_requirements) {
        (true, false) => true,
        (false, false) => step.proficiency_reduction < before.proficiency_reduction,
        (_, true) => false,
    }
}

/// Skills that nobody has.
fn skills(warnings: &mut Vec<String>, policy: &Policy, known: &KnownNames) {
    let lacks = |skill: &SkillId| !known.held_skills.contains(skill);
    let needs = || policy.routes.iter().flat_map(|route| &route.requirements);
    // One whom an alternative helps out waits for nobody.
    let of_routes = needs().filter(|need| need.skills().all(lacks)).map(|need| &need.skill);
    let always = policy.language_skills.values().chain([&policy.triage_skill]);
    let waited_for: BTreeSet<&SkillId> =
        of_routes.chain(always.filter(|skill| lacks(skill))).collect();
    for skill in &waited_for {
        warnings.push(format!(
            "No agent has the skill `{skill}`; tickets that need it wait until one does."
        ));
    }
    let helped = needs().filter(|need| !need.skills().all(lacks));
    let named: BTreeSet<&SkillId> = helped
        .flat_map(Requirement::skills)
        .filter(|skill| lacks(skill) && !waited_for.contains(skill))
        .collect();
    for skill in named {
        warnings.push(format!(
            "No agent has the skill `{skill}`; another of the same requirement serves instead."
        ));
    }
    let preferred = policy.routes.iter().flat_map(|route| &route.preferred);
    let preferred: BTreeSet<&SkillId> =
        preferred.map(|level| &level.skill).filter(|skill| lacks(skill)).collect();
    for skill in preferred {
        warnings.push(format!("No agent has the preferred skill `{skill}`: it orders nobody."));
    }
}

#[cfg(test)]
mod tests;
