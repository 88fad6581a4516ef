//! What became of a ticket on a measure, and when that is known.

use crate::domain::{alarm::Measure, facts::TicketFacts, ticket::Resolution, time::UnixMillis};

/// A first answer that takes longer than this is slow, in seconds: what chats are measured by.
pub const SLOW_START_SECS: u32 = 300;

/// What became of a ticket on a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// That is not known yet.
    Open,
    /// The ticket does not count, or it was not known in time.
    Untold,
    /// Whether it is so. This stays, whatever happens to the ticket later.
    Told(bool),
}

/// Returns what became of a ticket on a measure.
///
/// - `outcome_wait_secs`: how long after its arrival that is waited for. Tickets with longer targets tell nothing of
///   theirs.
#[must_use]
pub fn fate(
    measure: Measure,
    ticket: &TicketFacts,
    now: UnixMillis,
    outcome_wait_secs: u32,
) -> Fate {
    let too_late = ticket.received_at.plus_secs(outcome_wait_secs);
    let left_queue_at = ticket.assigned_at.or(ticket.closed_at);
    let (told_at, told) = match (measure, ticket.target_secs) {
        (Measure::SlowStart, _) => return punctuality(ticket, SLOW_START_SECS, now),
        (Measure::SlaBreach, Some(secs)) if secs <= outcome_wait_secs => {
            return punctuality(ticket, secs, now);
        }
        // It would hold all others up.
        (Measure::SlaBreach, Some(_)) => return Fate::Untold,
        // The reading may still bring a target.
        (Measure::SlaBreach, None) if ticket.fast_tracked.is_some() => return Fate::Untold,
        (Measure::SlaBreach, None) => (left_queue_at, None),
        (Measure::FastTracked, _) => (left_queue_at, ticket.fast_tracked),
        (Measure::Abandoned, _) => (left_queue_at, Some(ticket.assigned_at.is_none())),
        (Measure::Triaged, _) => (ticket.closed_at, ticket.triaged),
        (Measure::Reassigned, _) => (ticket.closed_at, ticket.reassigned),
        (Measure::FirstContactResolution, _) => ended(ticket, Resolution::FirstContact),
        (Measure::Escalated, _) => ended(ticket, Resolution::Escalated),
        (Measure::WrongIntent, _) => ended(ticket, Resolution::WrongIntent),
    };
    match told_at {
        Some(at) if at <= too_late => told.map_or(Fate::Untold, Fate::Told),
        None if now <= too_late => Fate::Open,
        _ => Fate::Untold,
    }
}

fn ended(ticket: &TicketFacts, resolution: Resolution) -> (Option<UnixMillis>, Option<bool>) {
    (ticket.closed_at, ticket.resolution.map(|ended| ended == resolution))
}

/// Whether it was not assigned after so many seconds. One that was cancelled before tells nothing.
fn punctuality(ticket: &TicketFacts, secs: u32, now: UnixMillis) -> Fate {
    match ticket.later_than(secs, now) {
        Some(late) => Fate::Told(late),
        None if ticket.closed_at.is_some() => Fate::Untold,
        None => Fate::Open,
    }
}
