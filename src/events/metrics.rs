//! What publishing measures of itself. `sink` is a kind of sink; nothing names a workspace or a person.

use super::{Receipt, Sink};

/// Reports how many durable entries a sink has not acknowledged.
pub(super) fn lag<S: Sink>(entries: u64) {
    let entries = u32::try_from(entries).unwrap_or(u32::MAX);
    metrics::gauge!("evenhand_events_lag_entries", "sink" => S::KIND).set(f64::from(entries));
}

/// Reports an event that a sink has acknowledged.
pub(super) fn delivered<S: Sink>(receipt: Receipt) {
    metrics::counter!("evenhand_events_delivered_total", "sink" => S::KIND).increment(1);
    if receipt == Receipt::Duplicate {
        metrics::counter!("evenhand_events_duplicates_total", "sink" => S::KIND).increment(1);
    }
}

/// Reports that delivering or keeping cursors failed.
pub(super) fn failed<S: Sink>(reason: &'static str) {
    metrics::counter!("evenhand_events_failures_total", "sink" => S::KIND, "reason" => reason)
        .increment(1);
}
