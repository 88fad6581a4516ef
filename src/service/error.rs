//! Every error a caller can get: its code, its reason and its details.
//!
//! The only place that knows `tonic::Code`. Each reason has a page `docs/errors/<REASON>.md`. Reasons
//! are part of the API: add some, never rename one. Causes go to the log, never to the caller.

use std::{error::Error as _, time::Duration};

use tonic::{Code, Status, metadata::MetadataValue};
use tonic_types::{ErrorDetails, ErrorInfo, FieldViolation, StatusExt};

use crate::{app, domain::limits, routing::Rejection};

/// Domain of the reasons in `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "evenhand.v1";

/// A field of a request and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Path of the field, for example `ticket.skill_requirements[2].proficiency_min`.
    pub(crate) field: String,
    /// What is allowed. Never holds what a ticket says.
    pub(crate) message: String,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request breaks the API's rules.
    #[error("{}", summary(.0))]
    Invalid(Vec<Violation>),
    /// The message is no message of this method.
    #[error("the message cannot be decoded; is the client built from this version of evenhand.v1?")]
    Malformed,
    /// The message is larger than this method takes.
    #[error("the message is too large; docs/errors names the limit of each service")]
    MessageTooLarge,
    /// There is no such method.
    #[error("there is no such method; reflection lists those there are")]
    MethodUnknown,
    /// The message is compressed in a way the server cannot read.
    #[error("the message must be uncompressed or compressed with gzip")]
    EncodingUnsupported,
    /// The caller did not say who calls.
    #[error("this method needs the agent's identifier in the metadata key `evenhand-actor`")]
    ActorMissing,
    /// The caller's deadline passed.
    #[error("the deadline passed before the answer was ready")]
    DeadlineExceeded,
    /// Too many calls at once.
    #[error("{what} are limited to {max} at once")]
    Busy {
        /// Of which kind, for people.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The bulk stream is too long.
    #[error(
        "a stream takes {} tickets at most; this one and those after it were not taken",
        limits::BULK_TICKETS_MAX
    )]
    BulkTooLong,
    /// The agent has too many offer streams.
    #[error("an agent may hold {} offer streams; end one first", limits::STREAMS_PER_AGENT_MAX)]
    TooManyStreams,
    /// The classifier's queue is full.
    #[error("the classifier's queue is full ({max} texts at most)")]
    ClassifierFull {
        /// Its limit, in texts.
        max: usize,
    },
    /// A bug; the details are in the log.
    #[error("an unexpected failure; the server's log has the details")]
    Internal,
    /// Another server, which has the workspace, refused.
    #[error("{}", .0.message())]
    Elsewhere(Box<Status>),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] app::Error),
}

/// What a reason is to a client.
struct Class {
    code: Code,
    reason: &'static str,
    /// After how long a retry is worthwhile.
    retry_after: Option<Duration>,
}

impl Class {
    const fn new(code: Code, reason: &'static str) -> Self {
        Self { code, reason, retry_after: None }
    }

    const fn retry(code: Code, reason: &'static str, after_ms: u64) -> Self {
        Self { code, reason, retry_after: Some(Duration::from_millis(after_ms)) }
    }
}

impl Error {
    /// Returns the reason, as in `docs/errors`.
    pub(crate) fn reason(&self) -> &'static str {
        self.class().reason
    }

    /// Returns code, reason and retry delay. There is no `_` arm: a new variant must choose.
    fn class(&self) -> Class {
        match self {
            Self::Invalid(_) => Class::new(Code::InvalidArgument, "REQUEST_INVALID"),
            Self::Malformed => Class::new(Code::InvalidArgument, "REQUEST_MALFORMED"),
            Self::MessageTooLarge => Class::new(Code::InvalidArgument, "MESSAGE_TOO_LARGE"),
            Self::MethodUnknown => Class::new(Code::Unimplemented, "METHOD_UNKNOWN"),
            Self::EncodingUnsupported => Class::new(Code::Unimplemented, "ENCODING_UNSUPPORTED"),
            Self::ActorMissing => Class::new(Code::Unauthenticated, "ACTOR_MISSING"),
            Self::DeadlineExceeded => Class::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            Self::Busy { .. } => Class::retry(Code::ResourceExhausted, "SERVER_BUSY", 1_000),
            Self::BulkTooLong => Class::new(Code::InvalidArgument, "BULK_TOO_LONG"),
            Self::TooManyStreams => {
                Class::retry(Code::ResourceExhausted, "STREAM_LIMIT_REACHED", 10_000)
            }
            Self::ClassifierFull { .. } => {
                Class::retry(Code::ResourceExhausted, "CLASSIFIER_FULL", 500)
            }
            Self::Internal => Class::new(Code::Internal, "INTERNAL_ERROR"),
            Self::Elsewhere(status) => Class::new(status.code(), "INTERNAL_ERROR"),
            Self::Engine(error) => engine_class(error),
        }
    }

    /// Returns the identifiers and numbers a program may want, by name.
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Engine(app::Error::Rejected(rejection)) => rejection_metadata(rejection),
            Self::Engine(app::Error::WorkspaceUnknown(workspace)) => {
                vec![("workspace", workspace.to_string())]
            }
            Self::Engine(app::Error::TicketUnknown(ticket)) => {
                vec![("ticket_id", ticket.to_string())]
            }
            _ => Vec::new(),
        }
    }

    /// Returns what this is about for a log: the cause, if the caller must not see it.
    fn cause(&self) -> Option<String> {
        let Self::Engine(app::Error::Store(_)) = self else { return None };
        let Self::Engine(error) = self else { return None };
        let mut texts = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            texts.push(cause.to_string());
            source = cause.source();
        }
        Some(texts.join(": "))
    }
}

fn engine_class(error: &app::Error) -> Class {
    match error {
        app::Error::WorkspaceUnknown(_) => Class::new(Code::NotFound, "WORKSPACE_NOT_FOUND"),
        app::Error::WorkspaceExists(_) => Class::new(Code::AlreadyExists, "WORKSPACE_EXISTS"),
        app::Error::TicketUnknown(_) => Class::new(Code::NotFound, "TICKET_NOT_FOUND"),
        app::Error::DecisionUnknown(_) => Class::new(Code::NotFound, "DECISION_NOT_FOUND"),
        app::Error::AlarmNotOpen(_) => Class::new(Code::FailedPrecondition, "ALARM_NOT_OPEN"),
        app::Error::PolicyUnknown(_) => Class::new(Code::NotFound, "POLICY_NOT_FOUND"),
        app::Error::IdempotencyKeyReused => {
            Class::new(Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED")
        }
        app::Error::PageTokenInvalid => Class::new(Code::InvalidArgument, "PAGE_TOKEN_INVALID"),
        app::Error::Rejected(rejection) => rejection_class(rejection),
        app::Error::Full { .. } => Class::retry(Code::ResourceExhausted, "QUEUE_FULL", 1_000),
        app::Error::ModelUnavailable => Class::retry(Code::Unavailable, "MODEL_UNAVAILABLE", 5_000),
        app::Error::DiskFull => Class::retry(Code::ResourceExhausted, "DISK_FULL", 2_000),
        app::Error::Moved => Class::retry(Code::Unavailable, "WORKSPACE_MOVED", 200),
        app::Error::Stopping => Class::retry(Code::Unavailable, "SERVER_STOPPING", 1_000),
        app::Error::Store(_) => Class::retry(Code::Unavailable, "STORE_FAILED", 5_000),
    }
}

fn rejection_class(rejection: &Rejection) -> Class {
    match rejection {
        Rejection::AgentUnknown(_) => Class::new(Code::NotFound, "AGENT_NOT_FOUND"),
        Rejection::AgentExists(_) => Class::new(Code::AlreadyExists, "AGENT_EXISTS"),
        Rejection::AgentHasAssignments { .. } => {
            Class::new(Code::FailedPrecondition, "AGENT_HAS_ASSIGNMENTS")
        }
        Rejection::SkillUnknown(_) => Class::new(Code::NotFound, "SKILL_NOT_FOUND"),
        Rejection::SkillInUse { .. } => Class::new(Code::FailedPrecondition, "SKILL_IN_USE"),
        Rejection::VersionConflict { .. } => Class::new(Code::Aborted, "VERSION_CONFLICT"),
        Rejection::TicketNotOpen(_) => Class::new(Code::FailedPrecondition, "TICKET_CLOSED"),
        Rejection::TicketNotAssigned { .. } => {
            Class::new(Code::FailedPrecondition, "TICKET_NOT_ASSIGNED")
        }
        Rejection::TicketAssigned { .. } => Class::new(Code::FailedPrecondition, "TICKET_ASSIGNED"),
        Rejection::AgentUnfit { .. } => Class::new(Code::FailedPrecondition, "AGENT_UNFIT"),
        Rejection::OfferNotLive(_) => Class::new(Code::FailedPrecondition, "OFFER_NOT_LIVE"),
        // Open tickets get fewer by themselves; skills, agents and workspaces do not.
        Rejection::TooMany { what: "open tickets", .. } => {
            Class::retry(Code::ResourceExhausted, "QUEUE_FULL", 5_000)
        }
        Rejection::TooMany { .. } => Class::new(Code::FailedPrecondition, "LIMIT_REACHED"),
    }
}

fn rejection_metadata(rejection: &Rejection) -> Vec<(&'static str, String)> {
    match rejection {
        Rejection::AgentUnknown(agent) | Rejection::AgentExists(agent) => {
            vec![("agent_id", agent.to_string())]
        }
        Rejection::AgentHasAssignments { agent, count } => {
            vec![("agent_id", agent.to_string()), ("count", count.to_string())]
        }
        Rejection::SkillUnknown(skill) => vec![("skill_id", skill.to_string())],
        Rejection::SkillInUse { skill, user } => {
            vec![("skill_id", skill.to_string()), ("user", user.clone())]
        }
        Rejection::VersionConflict { current, expected } => {
            vec![("current", current.to_string()), ("expected", expected.to_string())]
        }
        Rejection::TicketNotOpen(ticket)
        | Rejection::TicketNotAssigned { ticket, .. }
        | Rejection::TicketAssigned { ticket } => vec![("ticket_id", ticket.to_string())],
        Rejection::AgentUnfit { agent, skill } => {
            vec![("agent_id", agent.to_string()), ("skill_id", skill.to_string())]
        }
        Rejection::OfferNotLive(offer) => vec![("offer_id", offer.to_string())],
        Rejection::TooMany { max, .. } => vec![("max", max.to_string())],
    }
}

fn summary(violations: &[Violation]) -> String {
    match violations {
        [] => "the request is invalid".to_owned(),
        [only] => format!("{}: {}", only.field, only.message),
        [first, others @ ..] => {
            format!("{}: {} (and {} more)", first.field, first.message, others.len())
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        if let Error::Elsewhere(status) = error {
            return *status;
        }
        let class = error.class();
        if let Some(cause) = error.cause() {
            tracing::error!(reason = class.reason, cause, "a call failed");
        }
        let metadata = error.metadata().into_iter().map(|(key, value)| (key.to_owned(), value));
        let info = ErrorInfo {
            reason: class.reason.to_owned(),
            domain: DOMAIN.to_owned(),
            metadata: metadata.collect(),
        };
        let mut details = ErrorDetails::new();
        details.set_error_info(info.reason, info.domain, info.metadata);
        if let Error::Invalid(violations) = &error {
            let fields = violations.iter().map(|v| FieldViolation::new(&v.field, &v.message));
            details.set_bad_request(fields.collect::<Vec<_>>());
        }
        if class.retry_after.is_some() {
            details.set_retry_info(class.retry_after);
        }
        let mut status = Status::with_error_details(class.code, error.to_string(), details);
        if let Some(after) = class.retry_after {
            // Tells retrying clients the same; see gRPC A6 on server pushback.
            let millis = MetadataValue::from(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            status.metadata_mut().insert("grpc-retry-pushback-ms", millis);
        }
        status
    }
}

#[cfg(test)]
mod tests;
