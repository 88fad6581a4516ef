//! Tickets: what routing may know of one, what it may not, and how one ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{id::AgentId, policy::Requirement};

/// Length from which on a ticket is long, in characters: some 300 words.
pub const LONG_CHARS_MIN: usize = 1_800;

/// What routing may know of a new ticket. It holds neither text nor customer nor segments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intake {
    /// Channel name.
    pub channel: String,
    /// ISO 639-1 code when the platform knows the language.
    pub language: Option<String>,
    /// Attributes that routing rules may use.
    pub attributes: BTreeMap<String, String>,
    /// Skills needed beside those of the policy.
    pub requirements: Vec<Requirement>,
    /// The platform's priority, 0 to 10.
    pub priority: u8,
    /// The platform's target for the time to assignment.
    pub target_secs: Option<u32>,
    /// The agent the customer would like: who helped before, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_agent: Option<AgentId>,
    /// Whether subject and body are long; all that routing knows of the text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_long: bool,
}

/// What routing may never know: kept apart from the journal.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// Subject line.
    pub subject: String,
    /// The customer's text.
    pub body: String,
    /// The platform's reference of the customer.
    pub customer: String,
    /// Segment attribute values, for measuring only.
    pub segments: BTreeMap<String, String>,
}

impl std::fmt::Debug for Payload {
    /// Shows sizes only, so that no text reaches a log or a panic.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Payload")
            .field("subject_bytes", &self.subject.len())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Payload {
    /// Returns the text to read: subject and body.
    #[must_use]
    pub fn text(&self) -> String {
        match (self.subject.trim(), self.body.trim()) {
            ("", body) => body.to_owned(),
            (subject, "") => subject.to_owned(),
            (subject, body) => format!("{subject}\n{body}"),
        }
    }
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Durable, not yet read.
    Received,
    /// Read and waiting.
    Queued,
    /// Reserved for one agent.
    Offered,
    /// Accepted by an agent.
    Assigned,
    /// Completed with an outcome.
    Completed,
    /// Cancelled by the platform.
    Cancelled,
}

impl Status {
    /// Returns whether nothing more can happen to the ticket.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

/// How an agent says a ticket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Resolved with the first person who took it.
    FirstContact,
    /// Resolved.
    Resolved,
    /// Handed to a team outside this router.
    Escalated,
    /// It came by a wrong intent.
    WrongIntent,
}

/// What an agent reports at the end of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub resolution: Resolution,
    /// The right intent, with [`Resolution::WrongIntent`] only.
    pub right_intent: Option<String>,
    /// Customer satisfaction, 1 to 5.
    pub satisfaction: Option<u8>,
}
