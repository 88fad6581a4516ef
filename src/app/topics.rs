//! Counters that wake streams.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

use super::Topic;
use crate::{
    domain::{event::Entry, id::WorkspaceId},
    store::Batch,
};

/// Topics kept before those without listeners are cleared away.
const CLEAR_AT: usize = 256;

/// One counter for each topic that somebody listens to: the sequence number of the newest entry about
/// it since somebody did. There are never more than twice the listeners and [`CLEAR_AT`].
#[derive(Default)]
pub(super) struct Topics(Mutex<Counters>);

#[derive(Default)]
struct Counters {
    senders: BTreeMap<Topic, watch::Sender<u64>>,
    live: usize,
}

impl Topics {
    /// Returns the counter of a topic.
    pub(super) fn watch(&self, topic: Topic) -> watch::Receiver<u64> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.senders.len() >= CLEAR_AT + 2 * counters.live {
            counters.senders.retain(|_, sender| sender.receiver_count() > 0);
            counters.live = counters.senders.len();
        }
        counters.senders.entry(topic).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Wakes whoever listens to what became durable.
    pub(super) fn wake(&self, batch: &Batch) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.senders.is_empty() {
            return;
        }
        for (workspace, entry) in &batch.entries {
            counters.wake(workspace, entry);
        }
    }
}

impl Counters {
    fn wake(&mut self, workspace: &WorkspaceId, entry: &Entry) {
        let event = &entry.event;
        let ticket = event.ticket().map(|id| Topic::Ticket(workspace.clone(), id.clone()));
        let agent = event.agent().map(|id| Topic::Agent(workspace.clone(), id.clone()));
        for topic in [ticket, agent].into_iter().flatten() {
            let Some(sender) = self.senders.get(&topic) else { continue };
            if sender.receiver_count() == 0 {
                self.senders.remove(&topic);
            } else {
                sender.send_replace(entry.sequence);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        event::Event,
        id::{AgentId, TicketId},
        time::UnixMillis,
    };

    fn topic(number: usize) -> Topic {
        let ticket = TicketId::new(format!("T-{number}")).unwrap();
        Topic::Ticket(WorkspaceId::new("acme").unwrap(), ticket)
    }

    fn batch(sequence: u64) -> Batch {
        let event = Event::WrapUpEnded {
            ticket: TicketId::new("T-1").unwrap(),
            agent: AgentId::new("ana").unwrap(),
        };
        let entry = Entry { sequence, at: UnixMillis(0), actor: None, event };
        Batch { entries: vec![(WorkspaceId::new("acme").unwrap(), entry)], ..Batch::default() }
    }

    #[test]
    fn an_entry_wakes_its_ticket_and_its_agent_and_nobody_else() {
        let topics = Topics::default();
        let acme = WorkspaceId::new("acme").unwrap();
        let ticket = topics.watch(topic(1));
        let agent = topics.watch(Topic::Agent(acme, AgentId::new("ana").unwrap()));
        let other = topics.watch(topic(2));
        let elsewhere =
            Topic::Ticket(WorkspaceId::new("other").unwrap(), TicketId::new("T-1").unwrap());
        let elsewhere = topics.watch(elsewhere);
        topics.wake(&batch(7));
        assert_eq!((*ticket.borrow(), *agent.borrow()), (7, 7));
        assert!(ticket.has_changed().unwrap());
        assert!(!other.has_changed().unwrap());
        assert!(!elsewhere.has_changed().unwrap());
    }

    #[test]
    fn topics_without_listeners_are_cleared_away() {
        let topics = Topics::default();
        let kept = topics.watch(topic(0));
        for number in 1..10_000 {
            drop(topics.watch(topic(number)));
        }
        assert!(topics.0.lock().unwrap().senders.len() <= CLEAR_AT + 3);
        drop(kept);
        let listener = topics.watch(topic(1));
        drop(listener);
        topics.wake(&batch(1));
        assert!(!topics.0.lock().unwrap().senders.contains_key(&topic(1)));
    }
}
