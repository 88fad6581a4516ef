//! Agents: what they can do, how much at once, and whether they are there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    calendar::Calendar,
    id::{AgentId, SkillId},
};

/// Whether an agent takes offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Takes offers up to capacity.
    Available,
    /// At work, takes no new offers.
    Busy,
    /// On a break, takes no new offers.
    Away,
    /// Not at work.
    Offline,
}

/// An agent as administrators describe one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentProfile {
    /// Identifier.
    pub agent: AgentId,
    /// Name shown to colleagues.
    pub display_name: String,
    /// Proficiency by skill, 1 to 5.
    pub skills: BTreeMap<SkillId, u8>,
    /// Capacity in units, at least 1.
    pub capacity_units: u32,
    /// Units one ticket takes, by channel; a channel not listed takes 1.
    pub channel_units: BTreeMap<String, u32>,
    /// Declared speed beside others; only compared, 0 when not declared.
    #[serde(default, skip_serializing_if = "super::policy::is_default")]
    pub speed: u32,
    /// When the agent works; `None` for whenever present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shifts: Option<Calendar>,
}

impl AgentProfile {
    /// Returns the units of capacity one ticket of `channel` takes.
    #[must_use]
    pub fn units(&self, channel: &str) -> u32 {
        self.channel_units.get(channel).copied().unwrap_or(1)
    }
}
