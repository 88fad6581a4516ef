//! What callers hand to the engine and what they get back.

use std::sync::Arc;

use crate::{
    domain::{
        agent::{AgentProfile, Presence},
        alarm::Alarm,
        event::{Entry, WorkspaceSettings},
        id::{ActorId, AgentId, OfferId, TicketId, WorkspaceId},
        policy::{AgentChoice, Plan, Requirement},
        reading::Reading,
        ticket::{Intake, Outcome, Payload, Status},
        time::UnixMillis,
    },
    routing,
};

/// Makes a retry safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key.
    pub key: String,
    /// SHA-256 of the method and the request without its key.
    pub fingerprint: [u8; 32],
}

/// Something a caller wants done.
#[derive(Debug)]
pub struct Command {
    /// In which workspace.
    pub workspace: WorkspaceId,
    /// By whom; `None` for the server itself.
    pub actor: Option<ActorId>,
    /// Makes a retry safe.
    pub idempotency: Option<Idempotency>,
    /// What.
    pub action: Action,
}

/// What a caller wants done.
#[derive(Debug)]
pub enum Action {
    /// Make a workspace, with the standard policy and its skills.
    CreateWorkspace(WorkspaceSettings),
    /// Take a ticket in; the engine gives it an identifier.
    Submit {
        /// What routing may know.
        intake: Intake,
        /// What it may not.
        payload: Payload,
    },
    /// Raise an alarm, unless one about the same attribute and measure is open, or its tickets are of before the last
    /// was acknowledged.
    RaiseAlarm(Box<Alarm>),
    /// Say that an alarm has been seen to. Its evidence begins anew.
    AcknowledgeAlarm {
        /// Sequence number of the entry that raised it.
        alarm: u64,
        /// What was done about it.
        note: String,
    },
    /// Anything else.
    Route(Box<routing::Input>),
}

/// A command is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Sequence number of the newest journal entry of the workspace when it was done.
    pub sequence: u64,
    /// The ticket it was about.
    pub ticket: Option<TicketId>,
    /// Whether the same key came before, so that nothing was done now.
    pub replayed: bool,
}

/// Why a command was not done, or a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such workspace.
    #[error("there is no workspace {0}")]
    WorkspaceUnknown(WorkspaceId),
    /// The workspace is there already.
    #[error("workspace {0} exists already")]
    WorkspaceExists(WorkspaceId),
    /// There is no such ticket.
    #[error("there is no ticket {0}")]
    TicketUnknown(TicketId),
    /// There is no such decision.
    #[error("there is no decision {0}")]
    DecisionUnknown(u64),
    /// There is no such policy version.
    #[error("there is no policy version {0}")]
    PolicyUnknown(u32),
    /// There is no such alarm, or it was acknowledged.
    #[error("there is no open alarm {0}")]
    AlarmNotOpen(u64),
    /// The key came before with other content.
    #[error("this idempotency key came before with other content")]
    IdempotencyKeyReused,
    /// A page token is none of ours.
    #[error("this page token is not one this method returned")]
    PageTokenInvalid,
    /// The core refused.
    #[error(transparent)]
    Rejected(#[from] routing::Rejection),
    /// A bounded queue is full; try again later.
    #[error("{queue} is full ({max} at most)")]
    Full {
        /// Which queue, for people.
        queue: &'static str,
        /// Its limit.
        max: usize,
    },
    /// No model is loaded.
    #[error("no model is loaded")]
    ModelUnavailable,
    /// The disk is full; what is left is for agents' actions.
    #[error("the disk is full: new tickets are not taken until there is room")]
    DiskFull,
    /// The server is going away.
    #[error("the server is stopping")]
    Stopping,
    /// Another server has the workspace, or is about to.
    #[error("another server has the workspace, or is about to")]
    Moved,
    /// The store failed. The cause is for the log, never for the caller.
    #[error("the store failed")]
    Store(#[source] crate::store::Error),
}

/// Which tickets to list.
#[derive(Clone, Debug, Default)]
pub struct TicketFilter {
    /// Only in this status.
    pub status: Option<Status>,
    /// Only of this customer.
    pub customer: Option<String>,
}

/// Which journal entries to read.
#[derive(Clone, Debug)]
pub enum EntryFilter {
    /// About this ticket.
    Ticket(TicketId),
    /// About this agent.
    Agent(AgentId),
    /// Alarms raised and acknowledged.
    Alarms,
}

impl EntryFilter {
    /// Returns what wakes a stream of these entries.
    #[must_use]
    pub fn topic(&self, workspace: &WorkspaceId) -> Topic {
        match self.clone() {
            Self::Ticket(ticket) => Topic::Ticket(workspace.clone(), ticket),
            Self::Agent(agent) => Topic::Agent(workspace.clone(), agent),
            Self::Alarms => Topic::Alarms(workspace.clone()),
        }
    }
}

/// Which decisions to list: entries `offer_made` and `ticket_queued`.
#[derive(Clone, Debug, Default)]
pub struct DecisionFilter {
    /// Only about this ticket.
    pub ticket: Option<TicketId>,
    /// Only offers to this agent.
    pub agent: Option<AgentId>,
}

/// A page to return.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// Most items.
    pub size: u32,
    /// `next` of the page before; empty for the first.
    pub token: String,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Token of the next page; empty at the end.
    pub next: String,
}

/// What wakes a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Anything about this ticket.
    Ticket(WorkspaceId, TicketId),
    /// Anything about this agent.
    Agent(WorkspaceId, AgentId),
    /// Any alarm.
    Alarms(WorkspaceId),
}

impl Topic {
    /// Returns the workspace it is in.
    #[must_use]
    pub fn workspace(&self) -> &WorkspaceId {
        let (Self::Ticket(workspace, _) | Self::Agent(workspace, _) | Self::Alarms(workspace)) =
            self;
        workspace
    }
}

/// A ticket and where it stands.
#[derive(Clone, Debug)]
pub struct TicketView {
    /// The ticket.
    pub ticket: TicketId,
    /// Where it stands.
    pub status: Status,
    /// What routing may know.
    pub intake: Intake,
    /// What it may not.
    pub payload: Payload,
    /// What was read.
    pub reading: Option<Reading>,
    /// What routing looks for, before relaxation.
    pub plan: Option<Plan>,
    /// Skills needed now, after relaxation.
    pub requirements: Vec<Requirement>,
    /// Relaxation steps taken.
    pub relaxation_step: u32,
    /// Who holds or completed it.
    pub agent: Option<AgentId>,
    /// Offers made so far.
    pub epoch: u32,
    /// The reported outcome.
    pub outcome: Option<Outcome>,
    /// When it was received.
    pub received_at: UnixMillis,
    /// When an agent first accepted it.
    pub assigned_at: Option<UnixMillis>,
    /// When it was completed or cancelled.
    pub closed_at: Option<UnixMillis>,
    /// Sequence number of the newest entry about it.
    pub sequence: u64,
}

/// A live offer.
#[derive(Clone, Debug)]
pub struct OfferView {
    /// The offer.
    pub offer: OfferId,
    /// The ticket.
    pub ticket: TicketView,
    /// When it lapses.
    pub expires_at: UnixMillis,
    /// Sequence number of its decision.
    pub decision: u64,
}

/// What lies on an agent's desk.
#[derive(Clone, Debug)]
pub struct DeskView {
    /// Whether the agent takes offers.
    pub presence: Presence,
    /// When presence ends unless renewed.
    pub lease_until: Option<UnixMillis>,
    /// Offers that wait for an answer.
    pub offers: Vec<OfferView>,
    /// Accepted tickets that are not completed.
    pub assignments: Vec<TicketView>,
    /// Sequence number this is true for.
    pub sequence: u64,
}

/// An agent now.
#[derive(Clone, Debug)]
pub struct AgentView {
    /// As administrators describe the agent.
    pub profile: AgentProfile,
    /// Version of the profile.
    pub version: u64,
    /// Whether the agent takes offers.
    pub presence: Presence,
    /// Capacity units in use.
    pub used_units: u32,
    /// Cumulative idle time, in milliseconds.
    pub idle_ms: u64,
    /// Whether a shift of the profile runs; true without shifts.
    pub on_shift: bool,
    /// Until when the agent rests because of the occupancy ceiling.
    pub rests_until: Option<UnixMillis>,
}

/// A workspace.
#[derive(Clone, Debug)]
pub struct WorkspaceView {
    /// Identifier.
    pub workspace: WorkspaceId,
    /// Settings.
    pub settings: WorkspaceSettings,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Version of the settings.
    pub version: u64,
}

/// A decision with what was in force when it was made.
#[derive(Clone, Debug)]
pub struct DecisionView {
    /// The journal entry: `offer_made` or `ticket_queued`.
    pub entry: Entry,
    /// What routing looked for.
    pub plan: Plan,
    /// Version of the model or the rules that read the ticket; empty when nobody had read it.
    pub model: String,
    /// What ordered the eligible agents.
    pub choice: AgentChoice,
}

/// An alarm and what became of it.
#[derive(Clone, Debug)]
pub struct AlarmView {
    /// Sequence number of the entry that raised it.
    pub sequence: u64,
    /// When it was raised.
    pub raised_at: UnixMillis,
    /// What it says.
    pub alarm: Alarm,
    /// Who has seen to it; `None` while it is open.
    pub acknowledgement: Option<Acknowledgement>,
}

/// Somebody has seen to an alarm.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    /// Sequence number of its entry.
    pub sequence: u64,
    /// When.
    pub at: UnixMillis,
    /// Who; `None` when the caller did not say.
    pub actor: Option<ActorId>,
    /// What was done about it.
    pub note: String,
}

/// Tickets with equal needs that wait though nobody who could take them is on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnstaffedView {
    /// What they need now.
    pub requirements: Arc<[Requirement]>,
    /// How many wait.
    pub waiting: usize,
    /// Agents who could take them, were they on duty.
    pub fit: usize,
}

/// What one agent carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadView {
    /// The agent; removed agents too.
    pub agent: String,
    /// Offers made.
    pub offered: u64,
    /// Offers accepted.
    pub accepted: u64,
    /// Offers declined.
    pub declined: u64,
    /// Tickets completed.
    pub completed: u64,
    /// Cumulative idle time, in milliseconds.
    pub idle_ms: u64,
}
