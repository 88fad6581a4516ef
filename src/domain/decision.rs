//! Decision records: who was considered, who was not and why.

use serde::{Deserialize, Serialize};

use super::{
    id::{AgentId, SkillId},
    policy::Requirement,
};

/// A rule that keeps an agent from a ticket, in the order they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Not the agent a transfer named.
    NotTheTransferTarget,
    /// Lacks a needed skill.
    SkillMissing,
    /// Has the skill at too low a proficiency.
    ProficiencyTooLow,
    /// Away, busy or offline.
    NotAvailable,
    /// Has no capacity left for the channel.
    NoCapacity,
    /// Declined this ticket or let it expire a short while ago.
    DeclinedRecently,
}

/// An agent who could have taken the ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The agent.
    pub agent: AgentId,
    /// Cumulative idle time at the decision, in milliseconds.
    pub idle_ms: u64,
    /// Sum of proficiency above what is needed.
    pub proficiency_surplus: u32,
}

/// How many agents one rule kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The rule.
    pub rule: Rule,
    /// The skill concerned, for the skill rules.
    pub skill: Option<SkillId>,
    /// How many agents; each counts under the first rule that applies.
    pub agent_count: u32,
    /// Some of them, nearest to eligible first.
    pub agents: Vec<AgentId>,
}

/// Why a ticket was offered to this agent, or to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Skills needed at the decision, after relaxation.
    pub requirements: Vec<Requirement>,
    /// Relaxation steps taken so far.
    pub relaxation_step: u32,
    /// How long the ticket had waited, in milliseconds.
    pub waited_ms: u64,
    /// How many agents were eligible.
    pub eligible_count: u32,
    /// The eligible agents, best first; the first was chosen.
    pub candidates: Vec<Candidate>,
    /// How many were not, by rule.
    pub exclusions: Vec<Exclusion>,
    /// What would have led elsewhere, in one sentence.
    pub counterfactual: Option<String>,
}
