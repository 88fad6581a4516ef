//! Counters that wake streams.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::Topic;
use crate::domain::{
    event::{Entry, Event},
    id::WorkspaceId,
    planted::planted,
};

/// Topics kept before those without listeners are cleared away.
const CLEAR_AT: usize = 256;
/// Sequence numbers kept for each topic; streams further behind read the store.
const NEWS_KEPT: usize = 32;

/// One counter for each topic that somebody listens to: the sequence number of the newest entry about
/// it since somebody did. There are never more than twice the listeners and [`CLEAR_AT`].
#[derive(Default)]
pub(super) struct Topics {
    counters: Mutex<Counters>,
    /// Changes with each batch of entries.
    commits: watch::Sender<u64>,
}

#[derive(Default)]
struct Counters {
    lines: BTreeMap<Topic, Line>,
    /// Sequence number of the newest entry of each workspace.
    newest: BTreeMap<WorkspaceId, u64>,
    live: usize,
}

/// What is known of a topic since somebody listens.
struct Line {
    sender: watch::Sender<u64>,
    /// Sequence numbers of the newest entries about it, of all after `after`.
    news: VecDeque<u64>,
    after: u64,
}

impl Topics {
    /// Returns the counter of a topic; one that has ended if the workspace is not here.
    pub(super) fn watch(&self, topic: Topic) -> watch::Receiver<u64> {
        let mut counters = self.lock();
        if counters.lines.len() >= CLEAR_AT + 2 * counters.live {
            counters.lines.retain(|_, line| line.sender.receiver_count() > 0);
            counters.live = counters.lines.len();
        }
        let Some(after) = counters.newest.get(topic.workspace()).copied() else {
            return watch::Sender::new(0).subscribe();
        };
        let line = || Line { sender: watch::Sender::new(0), news: VecDeque::new(), after };
        counters.lines.entry(topic).or_insert_with(line).sender.subscribe()
    }

    /// Returns the sequence numbers of the entries about a topic after `after`, oldest first, if all of
    /// them are known here.
    pub(super) fn news(&self, topic: &Topic, after: u64) -> Option<Vec<u64>> {
        let counters = self.lock();
        let line = counters.lines.get(topic).filter(|line| line.after <= after)?;
        Some(line.news.iter().copied().filter(|sequence| *sequence > after).collect())
    }

    /// Takes over what was in the store before: the newest entry of a workspace.
    pub(super) fn start(&self, workspace: &WorkspaceId, newest: u64) {
        self.lock().newest.insert(workspace.clone(), newest);
    }

    /// Ends whoever listens to a workspace that another server has now.
    pub(super) fn end(&self, workspace: &WorkspaceId) {
        let mut counters = self.lock();
        counters.newest.remove(workspace);
        counters.lines.retain(|topic, _| topic.workspace() != workspace);
    }

    /// Wakes whoever listens to what became durable.
    pub(super) fn wake(&self, entries: &[(WorkspaceId, Arc<Entry>)]) {
        let mut counters = self.lock();
        let told = |entry: &Entry| !planted!(NewsSkipped) || !entry.sequence.is_multiple_of(7);
        for (workspace, entry) in entries.iter().filter(|(_, entry)| told(entry)) {
            counters.wake(workspace, entry);
        }
        drop(counters);
        if !entries.is_empty() {
            self.commits.send_modify(|commits| *commits = commits.wrapping_add(1));
        }
    }

    /// Returns a counter that changes with each batch of entries.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Returns the workspaces that are here, and the newest entry of each.
    pub(super) fn newest(&self) -> BTreeMap<WorkspaceId, u64> {
        self.lock().newest.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    fn wake(&mut self, workspace: &WorkspaceId, entry: &Entry) {
        match self.newest.get_mut(workspace) {
            Some(newest) => *newest = entry.sequence,
            None => drop(self.newest.insert(workspace.clone(), entry.sequence)),
        }
        if self.lines.is_empty() {
            return;
        }
        let event = &entry.event;
        let ticket = event.ticket().map(|id| Topic::Ticket(workspace.clone(), id.clone()));
        let agent = event.agent().map(|id| Topic::Agent(workspace.clone(), id.clone()));
        let is_alarm = matches!(event, Event::AlarmRaised { .. } | Event::AlarmAcknowledged { .. });
        let alarms = is_alarm.then(|| Topic::Alarms(workspace.clone()));
        for topic in [ticket, agent, alarms].into_iter().flatten() {
            let Some(line) = self.lines.get_mut(&topic) else { continue };
            if line.sender.receiver_count() == 0 {
                self.lines.remove(&topic);
            } else {
                line.note(entry.sequence);
            }
        }
    }
}

impl Line {
    fn note(&mut self, sequence: u64) {
        if self.news.len() == NEWS_KEPT
            && let Some(oldest) = self.news.pop_front()
        {
            self.after = self.after.max(oldest);
        }
        self.news.push_back(sequence);
        self.sender.send_replace(sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        id::{AgentId, TicketId},
        time::UnixMillis,
    };

    fn topic(number: usize) -> Topic {
        let ticket = TicketId::new(format!("T-{number}")).unwrap();
        Topic::Ticket(WorkspaceId::new("acme").unwrap(), ticket)
    }

    fn entries(sequence: u64) -> Vec<(WorkspaceId, Arc<Entry>)> {
        let event = Event::WrapUpEnded {
            ticket: TicketId::new("T-1").unwrap(),
            agent: AgentId::new("ana").unwrap(),
        };
        let entry = Entry { sequence, at: UnixMillis(0), actor: None, event };
        vec![(WorkspaceId::new("acme").unwrap(), Arc::new(entry))]
    }

    #[test]
    fn an_entry_wakes_its_ticket_and_its_agent_and_nobody_else() {
        let topics = Topics::default();
        let acme = WorkspaceId::new("acme").unwrap();
        let other = WorkspaceId::new("other").unwrap();
        [&acme, &other].into_iter().for_each(|id| topics.start(id, 6));
        let ticket = topics.watch(topic(1));
        let agent = topics.watch(Topic::Agent(acme, AgentId::new("ana").unwrap()));
        let another = topics.watch(topic(2));
        let elsewhere = topics.watch(Topic::Ticket(other, TicketId::new("T-1").unwrap()));
        topics.wake(&entries(7));
        assert_eq!((*ticket.borrow(), *agent.borrow()), (7, 7));
        assert!(ticket.has_changed().unwrap());
        assert!(!another.has_changed().unwrap());
        assert!(!elsewhere.has_changed().unwrap());
    }

    #[test]
    fn whoever_listens_to_a_workspace_that_is_not_here_is_told_at_once() {
        let topics = Topics::default();
        assert!(topics.watch(topic(1)).has_changed().is_err(), "before it came");
        topics.start(&WorkspaceId::new("acme").unwrap(), 6);
        let listener = topics.watch(topic(1));
        assert!(listener.has_changed().is_ok());
        topics.end(&WorkspaceId::new("acme").unwrap());
        assert!(listener.has_changed().is_err(), "when it went");
        assert!(topics.watch(topic(1)).has_changed().is_err(), "after it went");
    }

    #[test]
    fn topics_without_listeners_are_cleared_away() {
        let topics = Topics::default();
        topics.start(&WorkspaceId::new("acme").unwrap(), 0);
        let kept = topics.watch(topic(0));
        for number in 1..10_000 {
            drop(topics.watch(topic(number)));
        }
        assert!(topics.counters.lock().unwrap().lines.len() <= CLEAR_AT + 3);
        drop(kept);
        let listener = topics.watch(topic(1));
        drop(listener);
        topics.wake(&entries(1));
        assert!(!topics.counters.lock().unwrap().lines.contains_key(&topic(1)));
    }

    #[test]
    fn news_are_told_only_when_none_is_missing() {
        let topics = Topics::default();
        let acme = WorkspaceId::new("acme").unwrap();
        topics.wake(&entries(6));
        topics.start(&acme, 7);
        let listener = topics.watch(topic(1));
        assert_eq!(topics.news(&topic(1), 6), None, "from before somebody listened");
        assert_eq!(topics.news(&topic(1), 7), Some(vec![]));
        let kept = u64::try_from(NEWS_KEPT).unwrap();
        for sequence in 8..=10 + kept {
            topics.wake(&entries(sequence));
        }
        assert_eq!(topics.news(&topic(1), 9), None, "from before those kept");
        assert_eq!(topics.news(&topic(1), 10).unwrap().len(), NEWS_KEPT);
        assert_eq!(topics.news(&topic(1), 9 + kept), Some(vec![10 + kept]));
        drop(listener);
    }
}
