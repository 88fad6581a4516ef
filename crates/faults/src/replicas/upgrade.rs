//! Calls during a stop: one retry at another server must do.

use std::collections::BTreeMap;

use crate::{
    check::{Rule, Violation},
    cluster::Cluster,
    history::{Call, Outcome},
};

/// Counts the keys that needed a retry since some time, of each workspace, and those whose retry at a
/// server that stays was in vain.
pub(super) fn retries(cluster: &mut Cluster, stopped: &str, since: &[u64]) {
    for (desk, since) in cluster.desks.iter().zip(since) {
        let history = desk.book.history();
        let calls = history.calls.iter().rev().take_while(|call| call.end_us >= *since);
        let mut keys: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
        for call in calls.filter(|call| call.start_us >= *since) {
            keys.entry(&call.key).or_default().insert(0, call);
        }
        for calls in keys.values() {
            let retried = calls.iter().any(|call| is_unanswered(call));
            cluster.figures.add("keys_during_stops", 1);
            cluster.figures.add("keys_retried_during_stops", usize::from(retried));
            if in_vain(calls, stopped) {
                cluster.figures.add("keys_retried_in_vain_during_stops", 1);
                let what = format!("{}: one retry was not enough", desk.book.workspace());
                cluster.passing.push(Violation::new(Rule::GoesOnInTime, what).with(calls));
            }
        }
    }
}

fn is_unanswered(call: &Call) -> bool {
    matches!(call.outcome, Outcome::Unknown { .. })
}

/// Returns whether a retry got no answer from a server that stays.
fn in_vain(calls: &[&Call], stopped: &str) -> bool {
    calls.windows(2).any(|pair| {
        let [before, retry] = pair else { return false };
        is_unanswered(before) && is_unanswered(retry) && retry.server != stopped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Action;

    fn call(server: &str, answered: bool) -> Call {
        let outcome = if answered {
            Outcome::Done { ticket: "t1".to_owned() }
        } else {
            Outcome::Unknown { why: "Unavailable".to_owned() }
        };
        Call {
            actor: "shop".to_owned(),
            key: "k1".to_owned(),
            action: Action::Submit { body: "help".to_owned() },
            server: server.to_owned(),
            start_us: 1,
            end_us: 2,
            outcome,
        }
    }

    #[test]
    fn a_retry_at_a_server_that_stays_must_be_answered() {
        let vain = |calls: &[(&str, bool)]| {
            let calls: Vec<Call> = calls.iter().map(|(at, answered)| call(at, *answered)).collect();
            in_vain(&calls.iter().collect::<Vec<_>>(), "old")
        };
        assert!(!vain(&[("old", false), ("new", true)]));
        assert!(!vain(&[("new", false), ("old", false), ("new", true)]));
        assert!(vain(&[("old", false), ("new", false), ("new", true)]));
    }
}
