//! Where events go.

use super::CloudEvent;

/// Somewhere that events go.
///
/// Events of a workspace come in order and one at a time; those of different workspaces come side by side. One that was
/// not acknowledged comes again, also after a restart: whoever receives them tells them by their identifier.
pub trait Sink: Send + Sync + 'static {
    /// What kind of sink it is, for metrics.
    const KIND: &'static str;

    /// Names it in the database. Another name is another sink, which gets everything from the first entry on.
    fn name(&self) -> String;

    /// Makes ready: connects, and checks whether what is there can be used. Called before the first event and after
    /// each failure.
    fn prepare(&self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Delivers an event. Returns once the other side says that it is durable there.
    fn deliver(&self, event: CloudEvent)
    -> impl Future<Output = Result<Receipt, SinkError>> + Send;
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
    /// It is not as it must be.
    #[error("it is not as it must be: {0}")]
    Unfit(String),
}

impl SinkError {
    /// Returns the reason as a metric's label.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Down(_) => "down",
            Self::Silent(_) => "silent",
            Self::Refused(_) => "refused",
            Self::Unfit(_) => "unfit",
        }
    }
}
