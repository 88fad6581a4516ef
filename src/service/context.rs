//! Who calls, for which workspace, and until when: read from metadata, in this one place.
//!
//! Workspace and actor are never part of a request. Authentication can replace [`read`] and nothing
//! else has to change.

use std::time::Duration;

use tokio::time::Instant;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
};

use super::error::{Error, Violation};
use crate::domain::{
    id::{ActorId, AgentId, InvalidId, WorkspaceId},
    limits::ID_CHARS_MAX,
};

/// Metadata key of the workspace; `default` when absent.
pub const WORKSPACE_KEY: &str = "evenhand-workspace";
/// Metadata key of the caller.
pub const ACTOR_KEY: &str = "evenhand-actor";
/// The workspace of a call that names none.
pub const WORKSPACE_DEFAULT: &str = "default";

const TIMEOUT_KEY: &str = "grpc-timeout";
/// The answer leaves this long before the caller's deadline, so that it arrives in time.
const ANSWER_MARGIN: Duration = Duration::from_millis(20);

/// What travels beside a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    /// In which workspace.
    pub(crate) workspace: WorkspaceId,
    /// Who calls.
    pub(crate) actor: Option<ActorId>,
    /// Until when an answer is wanted.
    pub(crate) deadline: Deadline,
}

impl Context {
    /// Returns the context of a call and its request.
    pub(crate) fn split<T>(request: Request<T>) -> Result<(Self, T), Error> {
        // Absent only if a service was assembled without the interceptor.
        let context = request.extensions().get().cloned().ok_or(Error::Internal)?;
        Ok((context, request.into_inner()))
    }

    /// Returns the agent who calls.
    pub(crate) fn agent(&self) -> Result<AgentId, Error> {
        let actor = self.actor.as_ref().ok_or(Error::ActorMissing)?;
        AgentId::new(actor.as_str()).map_err(|_| Error::ActorMissing)
    }

    /// Runs `work` until it is done or the deadline passes.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match self.deadline.0 {
            None => work.await,
            Some(at) => {
                tokio::time::timeout_at(at, work).await.unwrap_or(Err(Error::DeadlineExceeded))
            }
        }
    }
}

/// Until when the caller wants an answer; `None` without a deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// Returns the earlier of the deadline, less room to answer, and `longest` from now.
    pub(crate) fn or_at_most(self, longest: Duration) -> Instant {
        let latest = Instant::now() + longest;
        self.0.map_or(latest, |at| latest.min(at.checked_sub(ANSWER_MARGIN).unwrap_or(at)))
    }
}

/// Puts the [`Context`] of a call into its extensions.
///
/// # Errors
/// A status that names the metadata key at fault.
pub(crate) fn intercept(mut request: Request<()>) -> Result<Request<()>, Status> {
    let context = read(request.metadata())?;
    request.extensions_mut().insert(context);
    Ok(request)
}

fn read(metadata: &MetadataMap) -> Result<Context, Error> {
    let mut violations = Vec::new();
    let workspace = match metadata.get(WORKSPACE_KEY) {
        None => WorkspaceId::new(WORKSPACE_DEFAULT).ok(),
        Some(value) => identifier(value, WORKSPACE_KEY, WorkspaceId::new, &mut violations),
    };
    let actor = metadata
        .get(ACTOR_KEY)
        .and_then(|value| identifier(value, ACTOR_KEY, ActorId::new, &mut violations));
    let timeout = metadata.get(TIMEOUT_KEY).and_then(|value| {
        let parsed = value.to_str().ok().and_then(timeout);
        if parsed.is_none() {
            violations.push(violation(TIMEOUT_KEY, "must be 1 to 8 digits and one of H M S m u n"));
        }
        parsed
    });
    match workspace {
        Some(workspace) if violations.is_empty() => {
            Ok(Context { workspace, actor, deadline: Deadline(timeout.and_then(deadline)) })
        }
        _ => Err(Error::Invalid(violations)),
    }
}

fn identifier<T>(
    value: &MetadataValue<Ascii>,
    key: &str,
    new: impl Fn(String) -> Result<T, InvalidId>,
    violations: &mut Vec<Violation>,
) -> Option<T> {
    match new(value.to_str().unwrap_or_default().to_owned()) {
        Ok(id) => Some(id),
        Err(InvalidId { alphabet, .. }) => {
            let message = format!("must be 1 to {ID_CHARS_MAX} characters of {alphabet}");
            violations.push(violation(key, &message));
            None
        }
    }
}

fn violation(key: &str, message: &str) -> Violation {
    Violation { field: format!("metadata[{key}]"), message: message.to_owned() }
}

/// Returns when to give up, so that the caller still gets the answer.
fn deadline(timeout: Duration) -> Option<Instant> {
    let margin = ANSWER_MARGIN.min(timeout / 4);
    Instant::now().checked_add(timeout - margin)
}

/// Parses a timeout as gRPC over HTTP/2 writes it: at most eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(count * 3600)),
        'M' => Some(Duration::from_secs(count * 60)),
        'S' => Some(Duration::from_secs(count)),
        'm' => Some(Duration::from_millis(count)),
        'u' => Some(Duration::from_micros(count)),
        'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&'static str, &str)]) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        for (key, value) in pairs {
            metadata.insert(*key, value.parse().unwrap());
        }
        metadata
    }

    #[test]
    fn a_call_without_metadata_is_anonymous_in_the_default_workspace() {
        let context = read(&MetadataMap::new()).unwrap();
        assert_eq!(context.workspace.as_str(), "default");
        assert_eq!(context.actor, None);
        assert_eq!(context.deadline, Deadline(None));
        assert_eq!(context.agent().unwrap_err().reason(), "ACTOR_MISSING");
    }

    #[test]
    fn every_bad_key_is_named_at_once_and_no_value_is_repeated() {
        let bad = metadata(&[(WORKSPACE_KEY, "a b"), (ACTOR_KEY, "jo!hn"), (TIMEOUT_KEY, "soon")]);
        let Error::Invalid(violations) = read(&bad).unwrap_err() else { panic!("wrong error") };
        let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(
            fields,
            ["metadata[evenhand-workspace]", "metadata[evenhand-actor]", "metadata[grpc-timeout]"]
        );
        assert!(violations.iter().all(|v| !v.message.contains("jo!hn")));
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("10m", Some(Duration::from_millis(10))),
            ("5u", Some(Duration::from_micros(5))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("999999999S", None),
            ("-1S", None),
            ("1s", None),
            ("1é", None),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn work_past_the_deadline_is_given_up_a_little_before_it() {
        let started = Instant::now();
        let context = read(&metadata(&[(TIMEOUT_KEY, "100m")])).unwrap();
        let never = std::future::pending::<Result<(), Error>>();
        let error = context.within(never).await.unwrap_err();
        assert_eq!(error.reason(), "DEADLINE_EXCEEDED");
        assert!(started.elapsed() >= Duration::from_millis(80));
        let before_the_callers = context.deadline.0.unwrap() - started;
        assert!(before_the_callers < Duration::from_millis(100), "{before_the_callers:?}");
    }
}
