//! Everything that can happen in a workspace. The journal is a list of these.
//!
//! No event holds ticket text, a customer reference or a segment value of a ticket; an alarm names the group that it is
//! about, which is many. What is large is shared with the state, not copied.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    agent::{AgentProfile, Presence},
    alarm::Alarm,
    decision::Decision,
    id::{ActorId, AgentId, OfferId, SkillId, TicketId},
    policy::{Plan, Policy},
    reading::Reading,
    ticket::{Intake, Outcome},
    time::UnixMillis,
};

/// Why presence changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceCause {
    /// The agent said so.
    Requested,
    /// The lease ended.
    LeaseExpired,
}

/// Why an offer was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeReason {
    /// The ticket was cancelled.
    TicketCancelled,
    /// The agent left.
    AgentLeft,
    /// The agent was removed.
    AgentRemoved,
    /// The agent's profile no longer fits.
    ProfileChanged,
    /// The ticket was planned anew.
    Replanned,
    /// A supervisor gave the ticket to somebody.
    AssignedByHand,
}

/// Why an assignment went back to the queue without the agent saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnReason {
    /// The agent stayed offline too long.
    AgentLeft,
}

/// Where an agent hands a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferTarget {
    /// To this agent.
    Agent(AgentId),
    /// By this intent, through the policy's routes.
    Intent(String),
    /// To people with the skills of the new plan.
    Skills,
}

/// Settings of a workspace that measuring and validation use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceSettings {
    /// Name shown to people.
    pub display_name: String,
    /// Declared segment attributes, in order, without repeats.
    pub segment_attributes: Vec<String>,
    /// How long after its arrival the fate of a ticket is waited for before it is left out of the evidence on fair
    /// treatment, in seconds; `None` for [`OUTCOME_WAIT_SECS_DEFAULT`](super::limits::OUTCOME_WAIT_SECS_DEFAULT).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_wait_secs: Option<u32>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The workspace was made, or its settings replaced.
    WorkspaceSet {
        /// The settings.
        settings: WorkspaceSettings,
    },
    /// A skill was declared.
    SkillCreated {
        /// The skill.
        skill: SkillId,
        /// What it means.
        description: String,
    },
    /// A skill was removed.
    SkillDeleted {
        /// The skill.
        skill: SkillId,
    },
    /// An agent was added, or the profile replaced.
    AgentSet {
        /// The profile.
        profile: Arc<AgentProfile>,
    },
    /// An agent was removed.
    AgentDeleted {
        /// The agent.
        agent: AgentId,
    },
    /// A policy came into force.
    PolicySet {
        /// The policy.
        policy: Arc<Policy>,
    },
    /// Presence was set, or a lease ended.
    PresenceChanged {
        /// The agent.
        agent: AgentId,
        /// Presence from now on.
        presence: Presence,
        /// Why.
        cause: PresenceCause,
        /// When it ends unless renewed; `None` while a stream holds it, or when offline.
        lease_until: Option<UnixMillis>,
    },
    /// An offer stream was opened; it holds presence.
    StreamOpened {
        /// The agent.
        agent: AgentId,
    },
    /// An offer stream ended.
    StreamClosed {
        /// The agent.
        agent: AgentId,
        /// When presence ends now, if this was the last stream.
        lease_until: Option<UnixMillis>,
    },
    /// The server started again: no stream is open any more.
    Restarted {
        /// When presence ends of agents whose streams were open.
        lease_until: UnixMillis,
    },
    /// A shift or a break of an agent began or ended.
    ShiftChanged {
        /// The agent.
        agent: AgentId,
        /// Whether the agent works now.
        on_shift: bool,
        /// When that changes next.
        next_at: Option<UnixMillis>,
    },
    /// An agent rests because of the occupancy ceiling, or has rested.
    RestChanged {
        /// The agent.
        agent: AgentId,
        /// Until when; `None` when the rest is over.
        until: Option<UnixMillis>,
    },
    /// More of the capacity of an agent who signed in is used.
    CapacityRamped {
        /// The agent.
        agent: AgentId,
        /// Units used at most; `None` for all of the capacity.
        units_max: Option<u32>,
        /// When that changes next.
        next_at: Option<UnixMillis>,
    },
    /// Business hours began or ended.
    HoursChanged {
        /// Whether the workspace is open.
        open: bool,
        /// When that changes next.
        next_at: Option<UnixMillis>,
    },
    /// A group of customers is treated differently from all others. No decision knows of it.
    AlarmRaised {
        /// What is known of it.
        alarm: Box<Alarm>,
    },
    /// Somebody has seen to an alarm; its evidence begins anew.
    AlarmAcknowledged {
        /// Sequence number of the entry that raised it.
        alarm: u64,
        /// What was done about it.
        note: String,
    },
    /// A ticket was received.
    TicketReceived {
        /// The ticket.
        ticket: TicketId,
        /// What routing may know.
        intake: Arc<Intake>,
    },
    /// A ticket was read (again), and planned.
    TicketRead {
        /// The ticket.
        ticket: TicketId,
        /// What was read.
        reading: Arc<Reading>,
        /// What routing looks for.
        plan: Arc<Plan>,
    },
    /// A waiting ticket was planned anew, for a new policy or because it waited too long.
    TicketPlanned {
        /// The ticket.
        ticket: TicketId,
        /// What routing looks for.
        plan: Arc<Plan>,
    },
    /// A relaxation step was reached.
    TicketRelaxed {
        /// The ticket.
        ticket: TicketId,
        /// Steps taken so far.
        step: u32,
    },
    /// No eligible agent was free; the ticket waits.
    TicketQueued {
        /// The ticket.
        ticket: TicketId,
        /// Why nobody.
        decision: Box<Decision>,
    },
    /// The ticket was reserved for an agent.
    OfferMade {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
        /// When it lapses.
        expires_at: UnixMillis,
        /// Why this agent.
        decision: Box<Decision>,
    },
    /// The agent took the ticket.
    OfferAccepted {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
    },
    /// The agent declined.
    OfferDeclined {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
        /// A short word.
        reason: String,
    },
    /// The agent did not answer in time.
    OfferExpired {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
    },
    /// The offer was taken back.
    OfferRevoked {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
        /// Why.
        reason: RevokeReason,
    },
    /// The agent reported the outcome.
    AssignmentCompleted {
        /// The ticket.
        ticket: TicketId,
        /// The agent.
        agent: AgentId,
        /// The outcome.
        outcome: Outcome,
        /// Until when capacity stays taken for wrap-up; `None` without wrap-up.
        wrap_up_until: Option<UnixMillis>,
    },
    /// The agent handed the ticket on.
    TicketTransferred {
        /// The ticket.
        ticket: TicketId,
        /// The agent who had it.
        agent: AgentId,
        /// Where to.
        target: TransferTarget,
        /// What routing looks for now.
        plan: Arc<Plan>,
    },
    /// A supervisor gave the ticket to an agent, who is offered it next.
    TicketAssignedByHand {
        /// The ticket.
        ticket: TicketId,
        /// The agent.
        agent: AgentId,
        /// What routing looks for now.
        plan: Arc<Plan>,
    },
    /// The assignment went back to the queue.
    AssignmentReturned {
        /// The ticket.
        ticket: TicketId,
        /// The agent who had it.
        agent: AgentId,
        /// Why.
        reason: ReturnReason,
    },
    /// The wrap-up of a ticket ended.
    WrapUpEnded {
        /// The ticket.
        ticket: TicketId,
        /// The agent.
        agent: AgentId,
    },
    /// The platform cancelled the ticket.
    TicketCancelled {
        /// The ticket.
        ticket: TicketId,
        /// The agent who held it, if one did.
        agent: Option<AgentId>,
        /// A short word.
        reason: String,
    },
}

/// Gives each type of event its name, in one place.
macro_rules! names {
    ($($variant:ident => $name:literal,)+) => {
        /// The types of events as written in the journal.
        pub const NAMES: &[&str] = &[$($name),+];

        /// Returns the type as written in the journal, for example `offer_made`.
        #[must_use]
        pub fn name(&self) -> &'static str {
            match self {
                $(Self::$variant { .. } => $name,)+
            }
        }
    };
}

impl Event {
    names! {
        WorkspaceSet => "workspace_set",
        SkillCreated => "skill_created",
        SkillDeleted => "skill_deleted",
        AgentSet => "agent_set",
        AgentDeleted => "agent_deleted",
        PolicySet => "policy_set",
        PresenceChanged => "presence_changed",
        StreamOpened => "stream_opened",
        StreamClosed => "stream_closed",
        Restarted => "restarted",
        ShiftChanged => "shift_changed",
        RestChanged => "rest_changed",
        CapacityRamped => "capacity_ramped",
        HoursChanged => "hours_changed",
        AlarmRaised => "alarm_raised",
        AlarmAcknowledged => "alarm_acknowledged",
        TicketReceived => "ticket_received",
        TicketRead => "ticket_read",
        TicketPlanned => "ticket_planned",
        TicketRelaxed => "ticket_relaxed",
        TicketQueued => "ticket_queued",
        OfferMade => "offer_made",
        OfferAccepted => "offer_accepted",
        OfferDeclined => "offer_declined",
        OfferExpired => "offer_expired",
        OfferRevoked => "offer_revoked",
        AssignmentCompleted => "assignment_completed",
        TicketTransferred => "ticket_transferred",
        TicketAssignedByHand => "ticket_assigned_by_hand",
        AssignmentReturned => "assignment_returned",
        WrapUpEnded => "wrap_up_ended",
        TicketCancelled => "ticket_cancelled",
    }

    /// Returns the ticket concerned.
    #[must_use]
    pub fn ticket(&self) -> Option<&TicketId> {
        match self {
            Self::TicketReceived { ticket, .. }
            | Self::TicketRead { ticket, .. }
            | Self::TicketPlanned { ticket, .. }
            | Self::TicketRelaxed { ticket, .. }
            | Self::TicketQueued { ticket, .. }
            | Self::AssignmentCompleted { ticket, .. }
            | Self::TicketTransferred { ticket, .. }
            | Self::TicketAssignedByHand { ticket, .. }
            | Self::AssignmentReturned { ticket, .. }
            | Self::WrapUpEnded { ticket, .. }
            | Self::TicketCancelled { ticket, .. } => Some(ticket),
            Self::OfferMade { offer, .. }
            | Self::OfferAccepted { offer, .. }
            | Self::OfferDeclined { offer, .. }
            | Self::OfferExpired { offer, .. }
            | Self::OfferRevoked { offer, .. } => Some(&offer.ticket),
            _ => None,
        }
    }

    /// Returns the agent concerned.
    #[must_use]
    pub fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::AgentSet { profile } => Some(&profile.agent),
            Self::AgentDeleted { agent }
            | Self::PresenceChanged { agent, .. }
            | Self::StreamOpened { agent }
            | Self::StreamClosed { agent, .. }
            | Self::ShiftChanged { agent, .. }
            | Self::RestChanged { agent, .. }
            | Self::CapacityRamped { agent, .. }
            | Self::OfferMade { agent, .. }
            | Self::OfferAccepted { agent, .. }
            | Self::OfferDeclined { agent, .. }
            | Self::OfferExpired { agent, .. }
            | Self::OfferRevoked { agent, .. }
            | Self::AssignmentCompleted { agent, .. }
            | Self::TicketTransferred { agent, .. }
            | Self::TicketAssignedByHand { agent, .. }
            | Self::AssignmentReturned { agent, .. }
            | Self::WrapUpEnded { agent, .. } => Some(agent),
            Self::TicketCancelled { agent, .. } => agent.as_ref(),
            _ => None,
        }
    }
}

/// One entry of a workspace's journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Number in the workspace, from 1, without gaps.
    pub sequence: u64,
    /// When it happened; never earlier than the entry before.
    pub at: UnixMillis,
    /// Who caused it; `None` for the server itself (timers, readings, matching).
    pub actor: Option<ActorId>,
    /// What happened.
    pub event: Event,
}
