//! Alarms: a group of customers is treated differently from all others, as the evidence has it.

use serde::{Deserialize, Serialize};

use super::time::UnixMillis;

/// What of a ticket's treatment is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Given a head start over tickets that came earlier, of those that were read.
    FastTracked,
    /// Given to people who sort what the model is unsure of, of those read.
    Triaged,
    /// Not assigned within the service-level target, of those that have one that is not longer than outcomes are waited
    /// for.
    SlaBreach,
    /// Not assigned within five minutes.
    SlowStart,
    /// Cancelled before an agent accepted, of those accepted or cancelled.
    Abandoned,
    /// Taken on by a second agent, of those accepted.
    Reassigned,
    /// Resolved by the first person, of those completed.
    FirstContactResolution,
    /// Handed to a team outside the router, of those completed.
    Escalated,
    /// Reported as come by a wrong intent, of those completed.
    WrongIntent,
}

impl Measure {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 9] = [
        Self::FastTracked,
        Self::Triaged,
        Self::SlaBreach,
        Self::SlowStart,
        Self::Abandoned,
        Self::Reassigned,
        Self::FirstContactResolution,
        Self::Escalated,
        Self::WrongIntent,
    ];

    /// Returns the name, as the journal and the report write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FastTracked => "fast_tracked",
            Self::Triaged => "triaged",
            Self::SlaBreach => "sla_breach",
            Self::SlowStart => "slow_start",
            Self::Abandoned => "abandoned",
            Self::Reassigned => "reassigned",
            Self::FirstContactResolution => "first_contact_resolution",
            Self::Escalated => "escalated",
            Self::WrongIntent => "wrong_intent",
        }
    }
}

/// Of how many tickets something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Tickets of which it is so; at most `count`.
    pub hits: u64,
    /// Tickets of which it is known.
    pub count: u64,
}

/// What an alarm says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The declared attribute.
    pub attribute: String,
    /// The measure.
    pub measure: Measure,
    /// The value of the attribute that is treated differently: of those that are, the one with the most evidence.
    /// Never fewer tickets than [`ALARM_TICKETS_MIN`](super::limits::ALARM_TICKETS_MIN) are behind it.
    pub group: String,
    /// Its tickets.
    pub own: Share,
    /// The tickets of all other values.
    pub others: Share,
    /// Lower end of what the difference of the two shares may be, in -1..=1.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Logarithm of the evidence, in nats.
    pub log_evidence: f64,
    /// When the first of the tickets was received.
    pub first_received_at: UnixMillis,
    /// When the last was.
    pub last_received_at: UnixMillis,
}
