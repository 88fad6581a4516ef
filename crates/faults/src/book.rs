//! Where clients write down what they asked for, and what the run knows of them.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep},
};

use crate::history::{Action, Call, History, Outcome, Session};

/// The workspace of callers who name none.
pub const DEFAULT_WORKSPACE: &str = "default";
/// How long to wait for clients to notice that the server is gone.
const QUIET_WITHIN: Duration = Duration::from_secs(60);

/// A ticket that the server acknowledged.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// The key it was submitted with.
    pub key: String,
    /// Its text.
    pub body: String,
    /// Its identifier.
    pub ticket: String,
}

/// What all clients of a run share.
pub struct Book {
    started: Instant,
    history: Mutex<History>,
    acknowledged: Mutex<Vec<Acknowledged>>,
    /// The workspace of its calls.
    workspace: String,
    /// Where servers are; none while clients have to wait.
    addresses: watch::Sender<Vec<String>>,
    busy: AtomicUsize,
    closing: AtomicBool,
    open_tickets: AtomicUsize,
}

impl Book {
    /// Returns an empty book of the default workspace; `late_calls` as in [`History::late_calls`].
    #[must_use]
    pub fn new(late_calls: bool) -> Self {
        Self::of(DEFAULT_WORKSPACE, late_calls)
    }

    /// Returns an empty book of a workspace; `late_calls` as in [`History::late_calls`].
    #[must_use]
    pub fn of(workspace: &str, late_calls: bool) -> Self {
        Self {
            workspace: workspace.to_owned(),
            started: Instant::now(),
            history: Mutex::new(History { late_calls, ..History::default() }),
            acknowledged: Mutex::default(),
            addresses: watch::Sender::new(Vec::new()),
            busy: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            open_tickets: AtomicUsize::new(0),
        }
    }

    /// Returns the time of the run in microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Returns the longest wait for an answer. On a network that swallows calls it is short.
    #[must_use]
    pub fn answer_within(&self) -> Duration {
        Duration::from_secs(if self.history().late_calls { 4 } else { 20 })
    }

    /// Returns the workspace that all calls are about.
    #[must_use]
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// Says where the server is from now on, or that clients have to wait.
    pub fn set_address(&self, address: Option<String>) {
        self.set_addresses(address.into_iter().collect());
    }

    /// Says where the servers are from now on; none: clients have to wait.
    pub fn set_addresses(&self, addresses: Vec<String>) {
        self.addresses.send_replace(addresses);
    }

    /// Returns where the servers are, whenever that changes.
    #[must_use]
    pub fn addresses(&self) -> watch::Receiver<Vec<String>> {
        self.addresses.subscribe()
    }

    /// Tells clients to begin nothing new.
    pub fn close(&self) {
        self.closing.store(true, Relaxed);
    }

    /// Returns whether clients shall begin nothing new.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    /// Returns how many tickets are acknowledged and, as far as clients know, not closed.
    #[must_use]
    pub fn open_tickets(&self) -> usize {
        self.open_tickets.load(Relaxed)
    }

    /// Counts a call or stream that is under way, until the guard is dropped.
    pub fn begin(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Relaxed);
        Busy(&self.busy)
    }

    /// Waits until no call and no stream is under way; returns whether that came to be.
    pub async fn quiet(&self) -> bool {
        let until = Instant::now() + QUIET_WITHIN;
        while self.busy.load(Relaxed) > 0 {
            if Instant::now() > until {
                return false;
            }
            sleep(Duration::from_millis(2)).await;
        }
        true
    }

    /// Writes an answered call down.
    pub fn write(&self, call: Call) {
        self.count(&call);
        self.history().calls.push(call);
    }

    fn count(&self, call: &Call) {
        let Outcome::Done { ticket } = &call.outcome else { return };
        match &call.action {
            Action::Submit { body } => {
                let known = Acknowledged {
                    key: call.key.clone(),
                    body: body.clone(),
                    ticket: ticket.clone(),
                };
                let mut acknowledged = self.acknowledged();
                if acknowledged.iter().rev().take(64).all(|before| before.key != known.key) {
                    acknowledged.push(known);
                    self.open_tickets.fetch_add(1, Relaxed);
                }
            }
            Action::Complete { .. } | Action::Cancel { .. } => {
                let less = |open: usize| open.checked_sub(1);
                // Repeated answers may count once too often; the number only paces the clients.
                let _ = self.open_tickets.fetch_update(Relaxed, Relaxed, less);
            }
            _ => {}
        }
    }

    /// Writes a stream down that has ended.
    pub fn write_session(&self, session: Session) {
        self.history().sessions.push(session);
    }

    /// Returns what was written. Held only while nobody writes: it must not be held across a wait.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the tickets that were acknowledged.
    pub fn acknowledged(&self) -> MutexGuard<'_, Vec<Acknowledged>> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is under way.
pub struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
