//! What became durable lately, for those who ask at once: the answer to a call, the news of a stream,
//! the text to read. What is no longer here is in the store, which says the same.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{choices::Choices, workspace::Workspace};
use crate::{
    domain::{
        event::{Entry, Event, WorkspaceSettings},
        id::{TicketId, WorkspaceId},
        policy::AgentChoice,
        ticket::Payload,
    },
    store::{Batch, Key, StoredTicket, TicketDetail, TicketRow},
};

/// Journal entries kept; one has about a kilobyte.
const ENTRIES_KEPT: usize = 2048;
/// Tickets kept; one has about two kilobytes beside its text.
const TICKETS_KEPT: usize = 2048;
/// Bytes of text kept with them.
const TEXT_BYTES_KEPT: usize = 4 << 20;

/// What became durable lately.
pub(super) struct Recent(Mutex<Kept>);

struct Kept {
    settings: BTreeMap<WorkspaceId, Arc<WorkspaceSettings>>,
    choices: BTreeMap<WorkspaceId, Choices>,
    entries: Shelf<Key<u64>, Arc<Entry>>,
    tickets: Shelf<Key<TicketId>, StoredTicket>,
}

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            settings: BTreeMap::new(),
            choices: BTreeMap::new(),
            entries: Shelf::new(ENTRIES_KEPT, usize::MAX),
            tickets: Shelf::new(TICKETS_KEPT, TEXT_BYTES_KEPT),
        }))
    }
}

impl Recent {
    /// Takes over what was in the store before.
    pub(super) fn start(&self, workspace: &Workspace) {
        let (id, state) = (&workspace.id, &workspace.state);
        let mut kept = self.lock();
        kept.settings.insert(id.clone(), Arc::new(state.settings().0.clone()));
        if let Some(policy) = state.policy() {
            let choices = kept.choices.entry(id.clone()).or_default();
            choices.note(workspace.sequence, policy.agent_choice);
        }
    }

    /// Forgets a workspace that another server has now: what is here grows old.
    pub(super) fn forget(&self, workspace: &WorkspaceId) {
        let mut kept = self.lock();
        kept.settings.remove(workspace);
        kept.choices.remove(workspace);
        kept.entries.remove(|(of, _)| of == workspace);
        kept.tickets.remove(|(of, _)| of == workspace);
    }

    /// Takes in a batch that is durable now, and returns its entries.
    pub(super) fn publish(&self, batch: Batch) -> Vec<(WorkspaceId, Arc<Entry>)> {
        let Batch { entries, tickets, mut details, received, .. } = batch;
        let new = received.into_iter().map(|new| ((new.workspace, new.number), new.payload));
        let mut payloads: BTreeMap<Key<u64>, Payload> = new.collect();
        let shared = entries.into_iter().map(|(workspace, entry)| (workspace, Arc::new(entry)));
        let entries: Vec<(WorkspaceId, Arc<Entry>)> = shared.collect();
        let mut kept = self.lock();
        for (workspace, entry) in &entries {
            match &entry.event {
                Event::WorkspaceSet { settings } => {
                    kept.settings.insert(workspace.clone(), Arc::new(settings.clone()));
                }
                Event::PolicySet { policy } => {
                    let choices = kept.choices.entry(workspace.clone()).or_default();
                    choices.note(entry.sequence, policy.agent_choice);
                }
                _ => {}
            }
            kept.entries.put((workspace.clone(), entry.sequence), Arc::clone(entry), 0);
        }
        for (key, row) in tickets {
            kept.note(row, details.remove(&key), payloads.remove(&key), key.0);
        }
        entries
    }

    /// Returns the settings of a workspace; `None` when there is no such workspace.
    pub(super) fn settings(&self, workspace: &WorkspaceId) -> Option<Arc<WorkspaceSettings>> {
        self.lock().settings.get(workspace).cloned()
    }

    /// Returns what ordered the agents at a decision, if that is here.
    pub(super) fn choice(&self, workspace: &WorkspaceId, decision: u64) -> Option<AgentChoice> {
        self.lock().choices.get(workspace)?.at(decision)
    }

    /// Returns a ticket as it stands, if it is here.
    pub(super) fn ticket(&self, key: &Key<TicketId>) -> Option<StoredTicket> {
        self.lock().tickets.items.get(key).cloned()
    }

    /// Returns the texts to read of tickets, in their order, if all are here.
    pub(super) fn texts(&self, keys: &[Key<TicketId>]) -> Option<Vec<String>> {
        let kept = self.lock();
        let text = |key| Some(kept.tickets.items.get(key)?.payload.text());
        keys.iter().map(text).collect()
    }

    /// Returns entries of a workspace by their sequence numbers, if all are here.
    pub(super) fn entries(&self, workspace: &WorkspaceId, sequences: &[u64]) -> Option<Vec<Entry>> {
        let kept = self.lock();
        let entry = |sequence: &u64| kept.entries.items.get(&(workspace.clone(), *sequence));
        let found: Option<Vec<Arc<Entry>>> =
            sequences.iter().map(|sequence| entry(sequence).cloned()).collect();
        drop(kept);
        Some(found?.iter().map(|entry| Entry::clone(entry)).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Notes where a ticket stands: one that is here already, or one that is new.
    fn note(
        &mut self,
        row: TicketRow,
        detail: Option<TicketDetail>,
        payload: Option<Payload>,
        workspace: WorkspaceId,
    ) {
        let key = (workspace, row.ticket.clone());
        if let Some(known) = self.tickets.items.get_mut(&key) {
            known.row = row;
            if let Some(detail) = detail {
                known.detail = detail;
            }
        } else if let (Some(detail), Some(payload)) = (detail, payload) {
            let weight = payload.subject.len() + payload.body.len();
            self.tickets.put(key, StoredTicket { row, detail, payload }, weight);
        }
    }
}

/// Keeps the newest items, by number and by weight.
struct Shelf<K, V> {
    items: BTreeMap<K, V>,
    order: VecDeque<(K, usize)>,
    weight: usize,
    items_max: usize,
    weight_max: usize,
}

impl<K: Clone + Ord, V> Shelf<K, V> {
    fn new(items_max: usize, weight_max: usize) -> Self {
        let (items, order) = (BTreeMap::new(), VecDeque::new());
        Self { items, order, weight: 0, items_max, weight_max }
    }

    /// Takes the items out whose keys are such.
    fn remove(&mut self, is_such: impl Fn(&K) -> bool) {
        self.items.retain(|key, _| !is_such(key));
        self.order.retain(|(key, _)| !is_such(key));
        self.weight = self.order.iter().map(|(_, weight)| weight).sum();
    }

    /// Puts a new item in; the oldest make room for it.
    fn put(&mut self, key: K, item: V, weight: usize) {
        self.items.insert(key.clone(), item);
        self.order.push_back((key, weight));
        self.weight += weight;
        while self.order.len() > self.items_max || self.weight > self.weight_max {
            let Some((oldest, weight)) = self.order.pop_front() else { return };
            self.items.remove(&oldest);
            self.weight -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_by_number_and_by_weight() {
        let mut shelf = Shelf::new(3, 10);
        for key in 1..=4 {
            shelf.put(key, key, 2);
        }
        assert_eq!(shelf.items.keys().copied().collect::<Vec<_>>(), [2, 3, 4]);
        shelf.put(5, 5, 7);
        assert_eq!(shelf.items.keys().copied().collect::<Vec<_>>(), [4, 5]);
        shelf.put(6, 6, 11);
        assert!(shelf.items.is_empty() && shelf.order.is_empty());
        assert_eq!(shelf.weight, 0);
    }
}
