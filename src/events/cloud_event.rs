//! A journal entry as a CloudEvent 1.0 in JSON, structured mode.
//!
//! Source: CloudEvents 1.0.2, <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::data;
use crate::domain::{
    event::{Entry, Event},
    id::WorkspaceId,
    time::UnixMillis,
};

/// Content type of an event in structured mode.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// What a type begins with: the version of the form of `data`.
const TYPE_PREFIX: &str = "evenhand.v1.";

/// Who publishes.
#[derive(Clone, Debug)]
pub struct Source(Arc<str>);

impl Source {
    /// Returns a source with this URI reference.
    #[must_use]
    pub fn new(uri: &str) -> Self {
        Self(uri.into())
    }
}

/// An event, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvent {
    /// The workspace and the sequence number: names the event for ever, however often it is sent.
    pub id: String,
    /// Tokens of a subject: workspace, what it is about, and what happened.
    pub path: [String; 3],
    /// The whole event, in JSON.
    pub body: String,
}

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'static str,
    data: Map<String, Value>,
}

impl CloudEvent {
    /// Returns an entry as an event.
    #[must_use]
    pub fn new(source: &Source, workspace: &WorkspaceId, entry: &Entry) -> Self {
        let event = &entry.event;
        let (kind, subject) = about(event);
        let id = format!("{workspace}/{}", entry.sequence);
        let envelope = Envelope {
            specversion: "1.0",
            id: &id,
            source: &source.0,
            r#type: format!("{TYPE_PREFIX}{}", event.name()),
            subject,
            time: time(entry.at),
            datacontenttype: "application/json",
            data: data::of(workspace, entry),
        };
        // A map of texts, numbers and truth values can always be written.
        let body = serde_json::to_string(&envelope).unwrap_or_default();
        Self {
            id,
            path: [token(workspace.as_str()), kind.to_owned(), event.name().to_owned()],
            body,
        }
    }
}

/// Returns what kind of thing an event is about, and which.
fn about(event: &Event) -> (&'static str, Option<&str>) {
    match (event.ticket(), event.agent()) {
        (Some(ticket), _) => ("ticket", Some(ticket.as_str())),
        (None, Some(agent)) => ("agent", Some(agent.as_str())),
        (None, None) => ("workspace", None),
    }
}

/// Returns a time as RFC 3339 writes it; `None` outside the years it knows.
pub(super) fn time(at: UnixMillis) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
    (at >= jiff::Timestamp::UNIX_EPOCH).then(|| format!("{at:.3}"))
}

/// Returns a name as one token of a subject: a full stop would begin the next one.
fn token(name: &str) -> String {
    name.replace('.', "%2E")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_to_the_millisecond_in_utc() {
        assert_eq!(time(UnixMillis(1_700_000_000_020)).unwrap(), "2023-11-14T22:13:20.020Z");
        assert_eq!(time(UnixMillis(0)).unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(UnixMillis(-1)), None);
        assert_eq!(time(UnixMillis(i64::MAX)), None);
    }

    #[test]
    fn workspaces_with_full_stops_stay_one_token_and_apart() {
        assert_eq!(token("acme"), "acme");
        assert_eq!(token("acme.de"), "acme%2Ede");
        assert_ne!(token("a.b"), token("a_b"));
    }
}
