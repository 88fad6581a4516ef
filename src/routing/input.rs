//! What the world tells the core, and why the core may refuse.

use crate::domain::{
    agent::{AgentProfile, Presence},
    event::WorkspaceSettings,
    id::{AgentId, OfferId, SkillId, TicketId},
    policy::{Policy, Requirement},
    reading::Reading,
    ticket::{Intake, Outcome},
};

/// How an agent's profile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentWrite {
    /// The agent must be new.
    Create,
    /// The agent must exist, at this version; `None` overwrites any.
    Replace(Option<u64>),
}

/// Where an agent hands a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// To this agent.
    Agent(AgentId),
    /// By this intent, through the policy's routes.
    Intent(String),
    /// To people with these skills.
    Skills(Vec<Requirement>),
}

/// What the world tells the core.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Make the workspace or replace its settings; `expected` is the version replaced, `None` for any.
    SetWorkspace {
        /// The settings.
        settings: WorkspaceSettings,
        /// The version replaced.
        expected: Option<u64>,
    },
    /// Declare a skill; replaces the description of one that exists.
    CreateSkill {
        /// The skill.
        skill: SkillId,
        /// What it means.
        description: String,
    },
    /// Remove a skill nobody uses.
    DeleteSkill {
        /// The skill.
        skill: SkillId,
    },
    /// Add an agent or replace the profile.
    SetAgent {
        /// The profile.
        profile: AgentProfile,
        /// How.
        write: AgentWrite,
    },
    /// Remove an agent without assignments.
    DeleteAgent {
        /// The agent.
        agent: AgentId,
    },
    /// Bring a policy into force; its version is set here.
    SetPolicy {
        /// The policy.
        policy: Policy,
        /// The version replaced; `None` for any.
        expected: Option<u32>,
    },
    /// Set an agent's presence, or renew its lease.
    SetPresence {
        /// The agent.
        agent: AgentId,
        /// Presence from now on.
        presence: Presence,
    },
    /// An offer stream was opened.
    OpenStream {
        /// The agent.
        agent: AgentId,
    },
    /// An offer stream ended.
    CloseStream {
        /// The agent.
        agent: AgentId,
    },
    /// The server started again.
    Restart,
    /// A ticket came in.
    Receive {
        /// The ticket.
        ticket: TicketId,
        /// What routing may know of it.
        intake: Intake,
    },
    /// A ticket was read. A reading by rules never replaces one by the model.
    Read {
        /// The ticket.
        ticket: TicketId,
        /// What was read.
        reading: Reading,
    },
    /// An agent accepts an offer.
    Accept {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
    },
    /// An agent declines an offer.
    Decline {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
        /// A short word.
        reason: String,
    },
    /// An agent reports an outcome.
    Complete {
        /// The ticket.
        ticket: TicketId,
        /// The agent.
        agent: AgentId,
        /// The outcome.
        outcome: Outcome,
    },
    /// An agent hands a ticket on.
    Transfer {
        /// The ticket.
        ticket: TicketId,
        /// The agent.
        agent: AgentId,
        /// Where to.
        target: Transfer,
    },
    /// A supervisor gives a ticket that nobody has accepted to an agent.
    Assign {
        /// The ticket.
        ticket: TicketId,
        /// The agent.
        agent: AgentId,
    },
    /// The platform cancels a ticket.
    Cancel {
        /// The ticket.
        ticket: TicketId,
        /// A short word.
        reason: String,
    },
    /// Time passed.
    Tick,
}

/// Why nothing happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such agent.
    #[error("there is no agent {0}")]
    AgentUnknown(AgentId),
    /// The agent is there already.
    #[error("agent {0} exists already")]
    AgentExists(AgentId),
    /// The agent still has assignments.
    #[error("agent {agent} still has {count} assignments; they must be completed or transferred")]
    AgentHasAssignments {
        /// The agent.
        agent: AgentId,
        /// How many.
        count: usize,
    },
    /// There is no such skill.
    #[error("skill {0} is not declared")]
    SkillUnknown(SkillId),
    /// The skill is in use.
    #[error("skill {skill} is in use by {user}")]
    SkillInUse {
        /// The skill.
        skill: SkillId,
        /// Who uses it, for people.
        user: String,
    },
    /// Somebody else changed it.
    #[error("the version is {current}, not {expected}")]
    VersionConflict {
        /// The version in force.
        current: u64,
        /// The version the caller knew.
        expected: u64,
    },
    /// The ticket is not open: unknown, completed or cancelled.
    #[error("ticket {0} is not open")]
    TicketNotOpen(TicketId),
    /// The ticket is not assigned to this agent.
    #[error("ticket {ticket} is not assigned to agent {agent}")]
    TicketNotAssigned {
        /// The ticket.
        ticket: TicketId,
        /// The agent.
        agent: AgentId,
    },
    /// Somebody has accepted the ticket.
    #[error("ticket {ticket} is assigned; whoever has it can transfer it")]
    TicketAssigned {
        /// The ticket.
        ticket: TicketId,
    },
    /// The agent lacks what the ticket needs whatever happens.
    #[error("agent {agent} does not meet the permanent requirement of {skill}")]
    AgentUnfit {
        /// The agent.
        agent: AgentId,
        /// The skill.
        skill: SkillId,
    },
    /// The offer lapsed, was answered, was revoked, or was made to somebody else.
    #[error("offer {0} is not live for this agent")]
    OfferNotLive(OfferId),
    /// Too much of something.
    #[error("{what} are limited to {max}")]
    TooMany {
        /// Of what, for people.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}
