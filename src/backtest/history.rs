//! A journal taken apart: what the world did, to be done again, and what came of it.

use std::collections::BTreeSet;

use super::{
    past::{Chronicle, Moment},
    tally::Tally,
};
use crate::{
    domain::{
        event::{Entry, Event, PresenceCause, WorkspaceSettings},
        id::SkillId,
        policy::Policy,
        time::UnixMillis,
    },
    routing::State,
};

/// Something that the world did, not the core.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    pub(super) moment: Moment,
    pub(super) event: Event,
}

/// A workspace's history in a window of time, ready to be replayed.
#[derive(Debug)]
pub struct History {
    /// From when on things are replayed; `None` from the first entry on.
    pub(super) from: Option<UnixMillis>,
    /// Until when: what happens at it or later is not replayed.
    pub(super) end: UnixMillis,
    /// The state when the window begins.
    pub(super) start: State,
    /// What the world did in the window, in order.
    pub(super) happenings: Vec<Happening>,
    /// The first entry of each moment in the window.
    pub(super) moments: Vec<Moment>,
    pub(super) chronicle: Chronicle,
    /// What really became of the tickets and agents of the window.
    pub(super) recorded: Tally,
    /// The state at the end of the journal.
    pub(super) newest: State,
    /// Versions of the policy that were in force in the window.
    pub(super) policy_versions: BTreeSet<u32>,
}

impl History {
    /// Returns whether nothing happened in the window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// Returns the policy in force at the end of the journal; `None` before one was set.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.newest.policy()
    }

    /// Returns the skills declared at the end of the journal.
    #[must_use]
    pub fn skills(&self) -> BTreeSet<SkillId> {
        self.newest.skills().keys().cloned().collect()
    }

    /// Returns the settings at the end of the journal.
    #[must_use]
    pub fn settings(&self) -> &WorkspaceSettings {
        self.newest.settings().0
    }

    /// Returns how many tickets came in the window.
    #[must_use]
    pub fn ticket_count(&self) -> usize {
        self.recorded.tickets.len()
    }
}

/// Reads a journal, entry by entry.
#[derive(Debug)]
pub struct HistoryReader {
    from: Option<UnixMillis>,
    to: Option<UnixMillis>,
    state: State,
    start: Option<State>,
    happenings: Vec<Happening>,
    moments: Vec<Moment>,
    chronicle: Chronicle,
    recorded: Option<Tally>,
    policy_versions: BTreeSet<u32>,
    newest_at: UnixMillis,
}

impl HistoryReader {
    /// Returns a reader for a window: at or after `from`, before `to`; `None` for as far as the journal
    /// goes. What lies outside tells of habits and of work all the same.
    #[must_use]
    pub fn new(from: Option<UnixMillis>, to: Option<UnixMillis>) -> Self {
        Self {
            from,
            to,
            state: State::default(),
            start: None,
            happenings: Vec::new(),
            moments: Vec::new(),
            chronicle: Chronicle::default(),
            recorded: None,
            policy_versions: BTreeSet::new(),
            newest_at: UnixMillis(i64::MIN),
        }
    }

    /// Takes the next entry; entries must come in the journal's order.
    pub fn note(&mut self, entry: Entry) {
        let before = self.from.is_some_and(|from| entry.at < from);
        let after = self.to.is_some_and(|to| entry.at >= to);
        if !before {
            self.begin(entry.at);
        }
        self.chronicle.note(&entry);
        self.state.apply(entry.at, &entry.event);
        self.newest_at = entry.at;
        let Some(recorded) = self.recorded.as_mut().filter(|_| !before && !after) else { return };
        recorded.note(entry.at, std::slice::from_ref(&entry.event), &self.state);
        let moment = Moment { at: entry.at, sequence: entry.sequence };
        if self.moments.last().is_none_or(|newest| newest.at < entry.at) {
            self.moments.push(moment);
        }
        if let Event::PolicySet { policy } = &entry.event {
            self.policy_versions.insert(policy.version);
        }
        if by_the_world(&entry.event) {
            self.happenings.push(Happening { moment, event: entry.event });
        }
    }

    /// Notes the state in which the window begins.
    fn begin(&mut self, at: UnixMillis) {
        if self.start.is_none() {
            let from = self.from.unwrap_or(at);
            self.recorded = Some(Tally::new(&self.state, from));
            self.policy_versions.extend(self.state.policy().map(|policy| policy.version));
            self.start = Some(self.state.clone());
        }
    }

    /// Returns the history; `None` when the journal has no entry at or after the window's begin.
    #[must_use]
    pub fn finish(mut self) -> Option<History> {
        let (start, recorded) = (self.start?, self.recorded?);
        self.chronicle.settle_work(self.newest_at);
        // One millisecond on, so that the newest entry is replayed too.
        let end = self.to.unwrap_or_else(|| self.newest_at.plus_millis(1));
        Some(History {
            from: self.from,
            end: end.min(self.newest_at.plus_millis(1)),
            start,
            happenings: self.happenings,
            moments: self.moments,
            chronicle: self.chronicle,
            recorded,
            newest: self.state,
            policy_versions: self.policy_versions,
        })
    }
}

/// Returns whether the world did this, whatever the policy: answers and work come from elsewhere.
fn by_the_world(event: &Event) -> bool {
    match event {
        Event::PresenceChanged { cause, .. } => *cause == PresenceCause::Requested,
        Event::WorkspaceSet { .. }
        | Event::SkillCreated { .. }
        | Event::SkillDeleted { .. }
        | Event::AgentSet { .. }
        | Event::AgentDeleted { .. }
        | Event::PolicySet { .. }
        | Event::StreamOpened { .. }
        | Event::StreamClosed { .. }
        | Event::Restarted { .. }
        | Event::TicketReceived { .. }
        | Event::TicketRead { .. }
        | Event::TicketAssignedByHand { .. }
        | Event::TicketCancelled { .. } => true,
        _ => false,
    }
}
