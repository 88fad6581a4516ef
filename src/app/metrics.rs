//! What the engine measures of itself. Labels are closed sets; nothing names a workspace or a person.
//!
//! | metric | kind | meaning |
//! | --- | --- | --- |
//! | `evenhand_queue_length{queue}` | gauge | work that waits for the engine: `actions`, `readings`, `submissions` |
//! | `evenhand_commit_commands` | histogram | commands that became durable together |
//! | `evenhand_commit_seconds` | histogram | time of one durable transaction |
//! | `evenhand_commit_failures_total` | counter | transactions that were rolled back |
//! | `evenhand_events_total{type}` | counter | durable journal entries, by type of event |
//! | `evenhand_tickets_open{status}` | gauge | tickets neither completed nor cancelled: `received`, `queued`, `offered`, `assigned` |
//! | `evenhand_tickets_unread` | gauge | open tickets that nobody has read |
//! | `evenhand_tickets_to_reread` | gauge | open tickets that only the rules have read |
//! | `evenhand_disk_full` | gauge | 1 while the disk is full and new tickets are refused |
//! | `evenhand_partitions_led` | gauge | partitions whose workspaces this server has; all 32 where nobody shares the store |
//! | `evenhand_reading_failures_total{reason}` | counter | batches the model did not read: `full`, `down`, `unsound`, `store` |

use std::time::Duration;

use crate::{domain::ticket::Status, store::Batch};

/// Reports a durable transaction.
pub(super) fn committed(batch: &Batch, commands: usize, took: Duration) {
    metrics::histogram!("evenhand_commit_seconds").record(took.as_secs_f64());
    let commands = u32::try_from(commands).unwrap_or(u32::MAX);
    metrics::histogram!("evenhand_commit_commands").record(f64::from(commands));
    for (_, entry) in &batch.entries {
        metrics::counter!("evenhand_events_total", "type" => entry.event.name()).increment(1);
    }
}

/// Reports a transaction that was rolled back.
pub(super) fn rolled_back() {
    metrics::counter!("evenhand_commit_failures_total").increment(1);
}

/// Reports whether the disk is full.
pub(super) fn disk_full(is_full: bool) {
    metrics::gauge!("evenhand_disk_full").set(f64::from(u8::from(is_full)));
}

/// Reports how many partitions this server leads.
pub(super) fn partitions_led(count: usize) {
    metrics::gauge!("evenhand_partitions_led").set(self::count(count));
}

/// Reports how much work waits in a queue.
pub(super) fn queue_length(queue: &'static str, length: usize) {
    metrics::gauge!("evenhand_queue_length", "queue" => queue).set(count(length));
}

/// Reports texts the model did not read.
pub(super) fn reading_failed(reason: &'static str) {
    metrics::counter!("evenhand_reading_failures_total", "reason" => reason).increment(1);
}

/// Reports what waits to be read, and to be read again.
pub(super) fn backlog(unread: usize, reread: usize) {
    metrics::gauge!("evenhand_tickets_unread").set(count(unread));
    metrics::gauge!("evenhand_tickets_to_reread").set(count(reread));
}

/// Reports how many open tickets stand where.
pub(super) fn open_tickets(counts: impl Iterator<Item = (Status, usize)>) {
    for (status, tickets) in counts {
        let label = match status {
            Status::Received => "received",
            Status::Queued => "queued",
            Status::Offered => "offered",
            Status::Assigned => "assigned",
            Status::Completed | Status::Cancelled => continue,
        };
        metrics::gauge!("evenhand_tickets_open", "status" => label).set(count(tickets));
    }
}

fn count(length: usize) -> f64 {
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}
