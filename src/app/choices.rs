//! What ordered the agents at a decision: the choice of the policy in force then.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    domain::{event::Event, id::WorkspaceId, policy::AgentChoice},
    store::{self, Snapshot},
};

/// Changes of policy that are remembered in memory; what is older is in the store.
const CHANGES_KEPT: usize = 16;

/// The newest policies' choices, each by the sequence number from which on it was in force.
#[derive(Debug, Default)]
pub(super) struct Choices(VecDeque<(u64, AgentChoice)>);

impl Choices {
    /// Notes the choice in force after an entry.
    pub(super) fn note(&mut self, sequence: u64, choice: AgentChoice) {
        self.0.push_back((sequence, choice));
        if self.0.len() > CHANGES_KEPT {
            self.0.pop_front();
        }
    }

    /// Returns the choice in force at a decision; `None` when that is too long ago.
    pub(super) fn at(&self, decision: u64) -> Option<AgentChoice> {
        let newest = self.0.iter().rev().find(|(sequence, _)| *sequence < decision);
        newest.map(|(_, choice)| *choice)
    }
}

/// Reads choices from the store, each policy once.
#[derive(Default)]
pub(super) struct StoredChoices(BTreeMap<u64, AgentChoice>);

impl StoredChoices {
    /// Returns the choice in force at a decision.
    pub(super) fn at(
        &mut self,
        snapshot: &Snapshot,
        workspace: &WorkspaceId,
        decision: u64,
    ) -> Result<AgentChoice, store::Error> {
        let set_at = store::policy_set_before(snapshot, workspace, decision)?;
        let Some(set_at) = set_at else { return Ok(AgentChoice::default()) };
        if let Some(choice) = self.0.get(&set_at) {
            return Ok(*choice);
        }
        let choice = match store::entry(snapshot, workspace, set_at)?.map(|entry| entry.event) {
            Some(Event::PolicySet { policy }) => policy.agent_choice,
            _ => AgentChoice::default(),
        };
        self.0.insert(set_at, choice);
        Ok(choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_goes_by_the_policy_before_it() {
        let mut choices = Choices::default();
        choices.note(10, AgentChoice::Random);
        choices.note(20, AgentChoice::Fastest);
        for (decision, choice) in [
            (10, None),
            (11, Some(AgentChoice::Random)),
            (20, Some(AgentChoice::Random)),
            (21, Some(AgentChoice::Fastest)),
        ] {
            assert_eq!(choices.at(decision), choice, "{decision}");
        }
        for sequence in 0..CHANGES_KEPT as u64 {
            choices.note(30 + sequence, AgentChoice::LongestIdle);
        }
        assert_eq!(choices.at(21), None);
    }
}
