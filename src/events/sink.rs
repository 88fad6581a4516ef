//! Where events go.

use std::time::Duration;

use super::CloudEvent;

/// How long a sink that wants no more events is left alone, in seconds.
const GONE_SECS: u64 = 600;

/// Somewhere that events go.
///
/// Events of a workspace come in order and one at a time; those of different workspaces come side by side. One that was
/// not acknowledged comes again, also after a restart: whoever receives them tells them by their identifier.
pub trait Sink: Send + Sync + 'static {
    /// What kind of sink it is, for metrics.
    const KIND: &'static str;
    /// What of the journals is for it when it is new.
    const START: Start;

    /// Names it in the database. Another name is another sink, and new.
    fn name(&self) -> String;

    /// Returns whether it wants events of a type such as `offer_made`. Others are passed over as if it had them.
    fn wants(&self, _type: &str) -> bool {
        true
    }

    /// Makes ready: connects, and checks whether what is there can be used. Called before the first event and after
    /// each failure but [`SinkError::Rejected`].
    fn prepare(&self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Delivers an event. Returns once the other side says that it is durable there.
    fn deliver(&self, event: CloudEvent)
    -> impl Future<Output = Result<Receipt, SinkError>> + Send;
}

/// What of the journals is for a sink when it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Everything, from the first entries on.
    First,
    /// What happens from then on.
    New,
}

/// What a sink says of an event it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is new there.
    New,
    /// It was there before.
    Duplicate,
}

/// Why a sink did not take an event. Holds nothing of the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Down(String),
    /// It did not answer in time.
    #[error("it did not answer within {0} s")]
    Silent(u64),
    /// It said no.
    #[error("it refused: {0}")]
    Refused(String),
    /// It said no and when to come again.
    #[error("it refused and wants to be left alone for {secs} s: {why}")]
    Busy {
        /// Its words.
        why: String,
        /// For how long, in seconds.
        secs: u64,
    },
    /// It said no to this event, and may take those of other workspaces.
    #[error("it refused this event: {0}")]
    Rejected(String),
    /// It is not as it must be.
    #[error("it is not as it must be: {0}")]
    Unfit(String),
    /// It wants no events any more.
    #[error("it wants no events any more: {0}")]
    Gone(String),
}

impl SinkError {
    /// Returns the reason as a metric's label.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Down(_) => "down",
            Self::Silent(_) => "silent",
            Self::Refused(_) => "refused",
            Self::Busy { .. } => "busy",
            Self::Rejected(_) => "rejected",
            Self::Unfit(_) => "unfit",
            Self::Gone(_) => "gone",
        }
    }

    /// Returns how long it must be left alone at least.
    pub(super) fn wait_min(&self) -> Duration {
        match self {
            Self::Busy { secs, .. } => Duration::from_secs(*secs),
            Self::Gone(_) => Duration::from_secs(GONE_SECS),
            _ => Duration::ZERO,
        }
    }
}
