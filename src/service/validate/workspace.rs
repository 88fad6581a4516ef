//! Workspaces and skills.

use std::ops::RangeInclusive;

use super::Check;
use crate::{
    api::v1,
    domain::{
        event::WorkspaceSettings,
        id::{SkillId, WorkspaceId},
        limits,
    },
};

/// How long the fate of a ticket may be waited for; 0 is the default.
const OUTCOME_WAIT_SECS: RangeInclusive<u32> =
    limits::OUTCOME_WAIT_SECS_MIN..=limits::OUTCOME_WAIT_SECS_MAX;

/// Takes a workspace's identifier and settings.
pub(crate) fn settings(
    check: &mut Check,
    workspace: Option<v1::Workspace>,
) -> Option<(WorkspaceId, WorkspaceSettings)> {
    let workspace = check.required("workspace", workspace)?;
    let id = check.workspace("workspace.workspace_id", &workspace.workspace_id);
    if id.is_some() && workspace.workspace_id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        check.reject("workspace.workspace_id", "must have small letters only");
    }
    let display_name = check.text(
        "workspace.display_name",
        &workspace.display_name,
        0..=limits::DISPLAY_NAME_CHARS_MAX,
    );
    let segment_attributes = segment_attributes(check, &workspace.segment_attributes);
    let outcome_wait_secs = match workspace.outcome_wait_secs {
        0 => None,
        secs => Some(check.range("workspace.outcome_wait_secs", secs, OUTCOME_WAIT_SECS)),
    };
    Some((id?, WorkspaceSettings { display_name, segment_attributes, outcome_wait_secs }))
}

fn segment_attributes(check: &mut Check, given: &[String]) -> Vec<String> {
    let field = "workspace.segment_attributes";
    let mut attributes: Vec<String> = Vec::new();
    if !check.count(field, given.len(), limits::SEGMENTS_MAX) {
        return attributes;
    }
    for (index, name) in given.iter().enumerate() {
        let path = format!("{field}[{index}]");
        let name = check.text(&path, name, 1..=limits::ATTRIBUTE_NAME_CHARS_MAX);
        if attributes.contains(&name) {
            check.reject(&path, "must not repeat an attribute");
        }
        attributes.push(name);
    }
    attributes
}

/// Takes a skill.
pub(crate) fn skill(check: &mut Check, skill: Option<v1::Skill>) -> Option<(SkillId, String)> {
    let skill = check.required("skill", skill)?;
    let id = check.skill("skill.skill_id", &skill.skill_id);
    let description =
        check.text("skill.description", &skill.description, 0..=limits::DESCRIPTION_CHARS_MAX);
    Some((id?, description))
}
