//! What is going on, shared by the platform, the people and the progress bar.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Declined tickets remembered for telling about one of them.
const DECLINED_MAX: usize = 256;

/// What is going on. Counts are of answers the service gave, not of intentions.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Tickets acknowledged as durable.
    pub(super) acknowledged: AtomicU64,
    /// Offers accepted.
    pub(super) accepted: AtomicU64,
    /// Offers declined.
    pub(super) declined: AtomicU64,
    /// Offers nobody answered.
    pub(super) unanswered: AtomicU64,
    /// Answers that came too late: the offer had lapsed or the ticket was gone.
    pub(super) late: AtomicU64,
    /// Tickets handed on.
    pub(super) transferred: AtomicU64,
    /// Tickets completed.
    pub(super) completed: AtomicU64,
    /// Tickets cancelled.
    pub(super) cancelled: AtomicU64,
    /// People who went home before the end.
    pub(super) gone_home: AtomicU64,
    /// Breaks taken.
    pub(super) breaks: AtomicU64,
    /// Streams resumed after a lost connection.
    pub(super) resumed: AtomicU64,
    /// Submissions sent a second time on purpose, which gave the first ticket again.
    pub(super) repeated: AtomicU64,
    /// Ends everything.
    pub(super) stop: CancellationToken,
    notes: Mutex<Notes>,
}

/// What is remembered by ticket, and what went wrong.
#[derive(Debug, Default)]
struct Notes {
    declined: BTreeSet<String>,
    handed_on: BTreeSet<String>,
    troubles: BTreeMap<String, u64>,
}

impl Board {
    /// Returns how many tickets are completed or cancelled.
    pub(super) fn closed(&self) -> u64 {
        self.completed.load(Relaxed) + self.cancelled.load(Relaxed)
    }

    /// Returns a number that changes whenever something happens.
    pub(super) fn pulse(&self) -> u64 {
        let answers = [&self.acknowledged, &self.accepted, &self.declined, &self.late];
        answers.iter().map(|count| count.load(Relaxed)).sum::<u64>()
            + self.transferred.load(Relaxed)
            + self.closed()
    }

    /// Remembers that a ticket was declined.
    pub(super) fn note_declined(&self, ticket: &str) {
        self.declined.fetch_add(1, Relaxed);
        let mut notes = self.notes();
        if notes.declined.len() < DECLINED_MAX {
            notes.declined.insert(ticket.to_owned());
        }
    }

    /// Remembers that a ticket was handed on by the right intent.
    pub(super) fn note_handed_on(&self, ticket: &str) {
        self.transferred.fetch_add(1, Relaxed);
        self.notes().handed_on.insert(ticket.to_owned());
    }

    /// Returns whether somebody handed the ticket on.
    pub(super) fn was_handed_on(&self, ticket: &str) -> bool {
        self.notes().handed_on.contains(ticket)
    }

    /// Returns whether somebody declined the ticket, among those remembered.
    pub(super) fn was_declined(&self, ticket: &str) -> bool {
        self.notes().declined.contains(ticket)
    }

    /// Remembers an answer nobody expected. The service's messages hold no ticket text.
    pub(super) fn note_trouble(&self, during: &str, status: &Status) {
        let trouble = format!("{during}: {:?}: {}", status.code(), status.message());
        *self.notes().troubles.entry(trouble).or_insert(0) += 1;
    }

    /// Returns the answers nobody expected, and how often each came.
    pub(super) fn troubles(&self) -> Vec<(String, u64)> {
        self.notes().troubles.clone().into_iter().collect()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        // Notes are sets and counts: whole even if somebody panicked while writing.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
