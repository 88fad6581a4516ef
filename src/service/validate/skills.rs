//! Skills that tickets and routes need or prefer.

use std::collections::BTreeSet;

use super::Check;
use crate::{
    api::v1,
    domain::{
        id::SkillId,
        limits,
        policy::{Requirement, SkillLevel},
    },
};

/// What a skill is refused with that its list names before.
const REPEATED: &str = "must not repeat a skill of the same list";

/// Takes skill requirements; each skill at most once, declared by the workspace.
pub(super) fn requirements(
    check: &mut Check,
    field: &str,
    given: &[v1::SkillRequirement],
    declared: &BTreeSet<SkillId>,
) -> Vec<Requirement> {
    let mut requirements = Vec::new();
    if !check.count(field, given.len(), limits::REQUIREMENTS_MAX) {
        return requirements;
    }
    let mut seen = BTreeSet::new();
    for (index, requirement) in given.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let skill_field = format!("{field}.skill_id");
        let proficiency_min = proficiency_min(check, &field, requirement.proficiency_min);
        let skill = declared_skill(check, &skill_field, &requirement.skill_id, declared);
        if !seen.insert(&requirement.skill_id) {
            check.reject(&skill_field, REPEATED);
        }
        let permanent = requirement.permanent;
        let own = BTreeSet::from([requirement.skill_id.as_str()]);
        let field_of_others = format!("{field}.alternatives");
        let others = &requirement.alternatives;
        let most = limits::ALTERNATIVES_MAX;
        let alternatives = levels(check, &field_of_others, (others, most), own, declared);
        let expires_after_secs = expiry(check, &field, requirement);
        let made = skill.map(|skill| Requirement {
            alternatives,
            expires_after_secs,
            ..Requirement::new(skill, proficiency_min, permanent)
        });
        requirements.extend(made);
    }
    requirements
}

/// Takes the age at which a skill is needed no more; 0 for never.
fn expiry(check: &mut Check, field: &str, given: &v1::SkillRequirement) -> Option<u32> {
    let field = format!("{field}.expires_after_secs");
    let secs = check.range(&field, given.expires_after_secs, 0..=limits::RELAXATION_SECS_MAX);
    if secs > 0 && given.permanent {
        check.reject(&field, format!("must be 0 with `permanent`, which never ends, not {secs}"));
    }
    (secs > 0).then_some(secs)
}

/// Takes preferred skills; each at most once, declared by the workspace.
pub(super) fn preferred(
    check: &mut Check,
    field: &str,
    given: &[v1::SkillLevel],
    declared: &BTreeSet<SkillId>,
) -> Vec<SkillLevel> {
    levels(check, field, (given, limits::PREFERRED_MAX), BTreeSet::new(), declared)
}

/// Takes skills at a proficiency, at most so many; none of those `seen`.
fn levels<'a>(
    check: &mut Check,
    field: &str,
    (given, most): (&'a [v1::SkillLevel], usize),
    mut seen: BTreeSet<&'a str>,
    declared: &BTreeSet<SkillId>,
) -> Vec<SkillLevel> {
    let mut levels = Vec::new();
    if !check.count(field, given.len(), most) {
        return levels;
    }
    for (index, level) in given.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let skill_field = format!("{field}.skill_id");
        let proficiency_min = proficiency_min(check, &field, level.proficiency_min);
        let skill = declared_skill(check, &skill_field, &level.skill_id, declared);
        if !seen.insert(&level.skill_id) {
            check.reject(&skill_field, REPEATED);
        }
        levels.extend(skill.map(|skill| SkillLevel { skill, proficiency_min }));
    }
    levels
}

/// Takes a lowest proficiency; 0 means 1.
fn proficiency_min(check: &mut Check, field: &str, given: u32) -> u8 {
    let field = format!("{field}.proficiency_min");
    check.small(&field, given, 0..=limits::PROFICIENCY_MAX).max(1)
}

/// Takes a skill that the workspace declares.
pub(super) fn declared_skill(
    check: &mut Check,
    field: &str,
    skill: &str,
    declared: &BTreeSet<SkillId>,
) -> Option<SkillId> {
    let skill = check.skill(field, skill)?;
    if !declared.contains(&skill) {
        check.reject(field, "must be a skill the workspace declares; ListSkills shows them");
    }
    Some(skill)
}
