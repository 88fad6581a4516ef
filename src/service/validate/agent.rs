//! Agents.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, calendar::calendar, skills::declared_skill};
use crate::{
    api::v1,
    domain::{
        agent::{AgentProfile, Presence},
        id::SkillId,
        limits,
    },
};

/// Takes presence.
pub(crate) fn presence(check: &mut Check, presence: v1::Presence) -> Option<Presence> {
    match presence {
        v1::Presence::Unspecified => {
            check.reject("presence", "must be AVAILABLE, BUSY, AWAY or OFFLINE");
            None
        }
        v1::Presence::Available => Some(Presence::Available),
        v1::Presence::Busy => Some(Presence::Busy),
        v1::Presence::Away => Some(Presence::Away),
        v1::Presence::Offline => Some(Presence::Offline),
    }
}

/// Takes an agent's profile.
pub(crate) fn profile(
    check: &mut Check,
    profile: Option<v1::AgentProfile>,
    declared: &BTreeSet<SkillId>,
) -> Option<AgentProfile> {
    let profile = check.required("profile", profile)?;
    let agent = check.agent("profile.agent_id", &profile.agent_id);
    let display_name = check.text(
        "profile.display_name",
        &profile.display_name,
        0..=limits::DISPLAY_NAME_CHARS_MAX,
    );
    let capacity_units = check.range(
        "profile.capacity_units",
        profile.capacity_units,
        0..=limits::CAPACITY_UNITS_MAX,
    );
    let skills = skills(check, &profile.skills, declared);
    let channel_units = channels(check, &profile.channels);
    let speed = check.range("profile.speed", profile.speed, 0..=limits::SPEED_MAX);
    let shifts = calendar(check, "profile.shifts", profile.shifts);
    Some(AgentProfile {
        agent: agent?,
        display_name,
        skills,
        capacity_units: capacity_units.max(1),
        channel_units,
        speed,
        shifts,
    })
}

fn skills(
    check: &mut Check,
    given: &[v1::AgentSkill],
    declared: &BTreeSet<SkillId>,
) -> BTreeMap<SkillId, u8> {
    let mut skills = BTreeMap::new();
    if !check.count("profile.skills", given.len(), limits::AGENT_SKILLS_MAX) {
        return skills;
    }
    for (index, skill) in given.iter().enumerate() {
        let field = format!("profile.skills[{index}].skill_id");
        let proficiency = check.small(
            &format!("profile.skills[{index}].proficiency"),
            skill.proficiency,
            1..=limits::PROFICIENCY_MAX,
        );
        let Some(id) = declared_skill(check, &field, &skill.skill_id, declared) else { continue };
        if skills.insert(id, proficiency).is_some() {
            check.reject(&field, "must not repeat a skill of the same list");
        }
    }
    skills
}

fn channels(check: &mut Check, given: &[v1::ChannelCapacity]) -> BTreeMap<String, u32> {
    let mut channels = BTreeMap::new();
    if !check.count("profile.channels", given.len(), limits::AGENT_CHANNELS_MAX) {
        return channels;
    }
    for (index, channel) in given.iter().enumerate() {
        let field = format!("profile.channels[{index}].channel");
        let name = check.text(&field, &channel.channel, 1..=limits::CHANNEL_CHARS_MAX);
        let units = check.range(
            &format!("profile.channels[{index}].cost_units"),
            channel.cost_units,
            1..=limits::CAPACITY_UNITS_MAX,
        );
        if channels.insert(name, units).is_some() {
            check.reject(&field, "must not repeat a channel of the same list");
        }
    }
    channels
}
