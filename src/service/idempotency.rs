//! What makes a retry safe: the caller's key and a fingerprint of what was asked.

use prost::Message;
use sha2::{Digest, Sha256};

use crate::{app::Idempotency, domain::id::AgentId};

/// Returns the key with the fingerprint of method and request; `None` for an empty key.
///
/// `request` must be without its key. Maps are ordered, so equal requests have equal bytes.
pub(crate) fn workspace_key(
    method: &str,
    key: &str,
    request: &impl Message,
) -> Option<Idempotency> {
    (!key.is_empty())
        .then(|| Idempotency { key: key.to_owned(), fingerprint: fingerprint(method, request) })
}

/// As [`workspace_key`], for keys that are the agent's own: another agent may use the same key.
pub(crate) fn agent_key(
    method: &str,
    agent: &AgentId,
    key: &str,
    request: &impl Message,
) -> Option<Idempotency> {
    // A line feed is in no key and no identifier, so the pair cannot be mistaken for another.
    let scoped =
        Idempotency { key: format!("{agent}\n{key}"), fingerprint: fingerprint(method, request) };
    (!key.is_empty()).then_some(scoped)
}

fn fingerprint(method: &str, request: &impl Message) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(method);
    hash.update([0]);
    hash.update(request.encode_to_vec());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1;

    fn cancel(reason: &str) -> v1::CancelTicketRequest {
        v1::CancelTicketRequest {
            ticket_id: "t".to_owned(),
            reason: reason.to_owned(),
            idempotency_key: String::new(),
        }
    }

    #[test]
    fn the_fingerprint_depends_on_method_and_content() {
        let key = |method, reason| workspace_key(method, "k", &cancel(reason)).unwrap();
        assert_eq!(key("CancelTicket", "a"), key("CancelTicket", "a"));
        assert_ne!(key("CancelTicket", "a"), key("CancelTicket", "b"));
        assert_ne!(key("CancelTicket", "a"), key("SubmitTicket", "a"));
        assert_eq!(workspace_key("CancelTicket", "", &cancel("a")), None);
    }

    #[test]
    fn two_agents_may_use_the_same_key() {
        let key = |agent| agent_key("M", &AgentId::new(agent).unwrap(), "k", &cancel("")).unwrap();
        assert_ne!(key("ana").key, key("ben").key);
        assert_eq!(key("ana"), key("ana"));
    }
}
