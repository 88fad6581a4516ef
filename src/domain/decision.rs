//! Decision records: who was considered, who was not and why.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    id::{AgentId, SkillId},
    policy::Requirement,
    time::UnixMillis,
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
    /// Outside the shifts of the profile, or in a break of them.
    OffShift,
    /// Resting, because of the policy's occupancy ceiling.
    Resting,
    /// The workspace is closed at this hour.
    Closed,
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
    /// Preferred skills the agent lacks.
    #[serde(default, skip_serializing_if = "super::policy::is_default")]
    pub preferred_missing: u32,
    /// How often the agent passed on this ticket; whoever did comes after the others.
    #[serde(default, skip_serializing_if = "super::policy::is_default")]
    pub declines: u32,
    /// Hard tickets taken and all tickets taken, where the policy spreads hard ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_share: Option<(u64, u64)>,
    /// What the pair would cost, where tickets and agents were matched as a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<PairCost>,
}

/// The terms of the cost of a pair in a batch; the sum is least over the whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCost {
    /// Preferred skills that are missing, and proficiency that would be spent where less will do.
    pub skill_fit: i64,
    /// What the agent's idle time lacks to the longest in the batch.
    pub equity: i64,
    /// What leaving the ticket would cost by its age and its target; the pair saves it.
    pub waiting_saved: i64,
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

/// What would have led elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Counterfactual {
    /// A change of the facts, and who would then have been asked or eligible.
    Change(Change),
    /// A sentence, as older versions wrote it.
    Sentence(String),
}

/// A change of the facts that would have led elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "if", rename_all = "snake_case")]
pub enum Change {
    /// Without the agent who was chosen, `agent` would have been asked.
    WithoutTheFirst {
        /// Who comes next.
        agent: AgentId,
    },
    /// With the needs of the next relaxation step, `agent` would have been asked.
    Relaxed {
        /// Who would have been asked.
        agent: AgentId,
        /// What would be needed then.
        requirements: Arc<[Requirement]>,
        /// When the step is due; `None` when ages do not count at this hour.
        at: Option<UnixMillis>,
    },
    /// Had `rule` not kept `agent` out.
    WithoutRule {
        /// The nearest to eligible.
        agent: AgentId,
        /// What kept the agent out.
        rule: Rule,
        /// The skill concerned, for the skill rules.
        skill: Option<SkillId>,
    },
}

/// Why a ticket was offered to this agent, or to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Skills needed at the decision, after relaxation.
    pub requirements: Arc<[Requirement]>,
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
    /// What would have led elsewhere.
    pub counterfactual: Option<Counterfactual>,
}
