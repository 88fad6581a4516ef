//! What clients asked for and were told, and what the store says afterwards.
//!
//! Both are plain data: the clients write the first while they work, the reader fetches the second
//! through the API, and `check` compares them.

use std::fmt;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To take a ticket in. The key of the call is the ticket's customer, so that the store names it.
    Submit {
        /// The customer's text.
        body: String,
    },
    /// To accept an offer.
    Accept {
        /// The offer.
        offer: String,
    },
    /// To decline an offer.
    Decline {
        /// The offer.
        offer: String,
    },
    /// To complete an assignment.
    Complete {
        /// The ticket.
        ticket: String,
        /// How it ended, as [`StoredTicket::outcome`] writes it.
        outcome: String,
    },
    /// To hand an assignment on.
    Transfer {
        /// The ticket.
        ticket: String,
        /// Where to: `agent:`, `intent:` or `skill:` and a name.
        to: String,
    },
    /// To cancel a ticket.
    Cancel {
        /// The ticket.
        ticket: String,
    },
    /// To give a ticket to an agent by hand.
    Assign {
        /// The ticket.
        ticket: String,
        /// The agent who is to take it.
        agent: String,
    },
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done; about this ticket, where the answer names one.
    Done {
        /// The ticket, or nothing.
        ticket: String,
    },
    /// It is not done, for this reason of `docs/errors`.
    Refused {
        /// The reason.
        reason: String,
    },
    /// Nobody knows: the connection broke, or the server could not say.
    Unknown {
        /// What was seen instead of an answer.
        why: String,
    },
}

/// One attempt. A retry is another call with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who asked.
    pub actor: String,
    /// The idempotency key; no two actors share one.
    pub key: String,
    /// What was asked for.
    pub action: Action,
    /// The server it was sent to.
    pub server: String,
    /// When it was sent, in microseconds of the run.
    pub start_us: u64,
    /// When the answer came, in microseconds of the run.
    pub end_us: u64,
    /// What the answer was.
    pub outcome: Outcome,
}

/// What an agent's stream showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An offer.
    Offered {
        /// The offer.
        offer: String,
    },
    /// A ticket that is the agent's now.
    Assigned {
        /// The ticket.
        ticket: String,
    },
    /// Something that left the desk.
    Closed {
        /// The offer; empty for an assignment.
        offer: String,
        /// The ticket.
        ticket: String,
        /// Why.
        reason: String,
    },
}

/// One stream of an agent, from where it began to the last message that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The agent.
    pub agent: String,
    /// Messages tell of what happened after this sequence number.
    pub after: u64,
    /// Messages tell of everything up to this sequence number.
    pub until: u64,
    /// What was shown, with its sequence number.
    pub seen: Vec<(u64, Seen)>,
}

/// Everything clients asked for and saw.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Calls, in the order in which their answers came.
    pub calls: Vec<Call>,
    /// Streams.
    pub sessions: Vec<Session>,
    /// Whether a call without an answer may still be on its way when its retry is answered.
    pub late_calls: bool,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not read yet.
    Received,
    /// Waits.
    Queued,
    /// Reserved for an agent.
    Offered,
    /// With an agent.
    Assigned,
    /// Completed.
    Completed,
    /// Cancelled.
    Cancelled,
    /// Nothing that the API defines.
    Unspecified,
}

impl Status {
    /// Returns whether nothing more may happen.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

/// One journal entry about a ticket, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number in the workspace.
    pub sequence: u64,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened, for example `offer_made`.
    pub kind: String,
    /// The agent concerned, or nothing.
    pub agent: String,
    /// The offer concerned, or nothing.
    pub offer: String,
    /// A short word, or nothing.
    pub reason: String,
    /// Where the ticket stands after it.
    pub status: Status,
}

/// One ticket of the store with its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTicket {
    /// Identifier.
    pub id: String,
    /// The key it was submitted with.
    pub customer: String,
    /// The customer's text.
    pub body: String,
    /// Where it stands.
    pub status: Status,
    /// Who holds it, or completed it.
    pub agent: String,
    /// Number of its newest entry.
    pub sequence: u64,
    /// How it ended: resolution and satisfaction, as `2/5`; empty before.
    pub outcome: String,
    /// Its entries, up to `sequence`.
    pub entries: Vec<Entry>,
}

/// A decision record, as far as it must agree with the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Number of its entry.
    pub sequence: u64,
    /// The ticket.
    pub ticket: String,
    /// The offer made, or nothing.
    pub offer: String,
    /// The agent chosen, or nothing.
    pub agent: String,
}

/// What the store says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Every ticket.
    pub tickets: Vec<StoredTicket>,
    /// Every decision; `None` when they were not read.
    pub decisions: Option<Vec<Decision>>,
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { actor, key, action, server, start_us, end_us, outcome } = self;
        write!(
            formatter,
            "{start_us}..{end_us} us {actor} {key} {action:?} at {server} -> {outcome:?}"
        )
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, at_ms, kind, agent, offer, reason, status } = self;
        write!(formatter, "#{sequence} at {at_ms} {kind} {agent} {offer} {reason} -> {status:?}")
    }
}
