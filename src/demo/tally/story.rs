//! Tickets worth telling about, one of each kind.

use std::{collections::BTreeMap, ops::RangeInclusive};

use crate::{
    api::v1::{self, Resolution, TicketStatus, TriageReason},
    demo::board::Board,
};

/// Length of texts that are nice to quote, in characters.
const QUOTABLE_CHARS: RangeInclusive<usize> = 50..=180;
/// Confidence from which a reading is called clear.
const CLEAR: f64 = 0.9;

/// What is worth telling about a ticket, in the order of telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::demo) enum Kind {
    /// Read clearly, taken by the first person asked.
    Straight,
    /// Declined by one person, taken by another.
    Declined,
    /// Decided by a person in triage.
    Triage,
    /// Sent to somebody who speaks the language.
    Language,
}

/// A ticket worth telling about.
#[derive(Debug)]
pub(in crate::demo) struct Story {
    /// The ticket.
    pub(in crate::demo) ticket: v1::Ticket,
    /// The row it came from.
    pub(in crate::demo) row: usize,
    /// How well it fits.
    fit: u32,
}

/// Keeps a ticket if it tells one of the stories better than the one kept so far. `in_triage` says
/// whether people who triage ended it.
pub(super) fn keep(
    stories: &mut BTreeMap<Kind, Story>,
    ticket: &v1::Ticket,
    row: usize,
    in_triage: bool,
    board: &Board,
) {
    let Some(kind) = kind(ticket, board) else { return };
    let fit = fit(kind, ticket, in_triage);
    if stories.get(&kind).is_none_or(|story| fit > story.fit) {
        stories.insert(kind, Story { ticket: ticket.clone(), row, fit });
    }
}

fn kind(ticket: &v1::Ticket, board: &Board) -> Option<Kind> {
    let (plan, reading) = (ticket.plan.as_ref()?, ticket.reading.as_ref()?);
    if ticket.status() != TicketStatus::Completed {
        return None;
    }
    let in_triage = plan.triage_reason() != TriageReason::Unspecified;
    if board.was_handed_on(&ticket.ticket_id) || in_triage {
        let waited = plan.triage_reason() == TriageReason::WaitedTooLong;
        return (!waited).then_some(Kind::Triage);
    }
    if !reading.language_supported {
        return Some(Kind::Language);
    }
    if board.was_declined(&ticket.ticket_id) && ticket.offer_epoch == 2 {
        return Some(Kind::Declined);
    }
    (ticket.offer_epoch == 1 && reading.intent_confidence >= CLEAR).then_some(Kind::Straight)
}

fn fit(kind: Kind, ticket: &v1::Ticket, in_triage: bool) -> u32 {
    let quotable = QUOTABLE_CHARS.contains(&ticket.body.chars().count());
    let first_contact = ticket
        .outcome
        .as_ref()
        .is_some_and(|outcome| outcome.resolution() == Resolution::FirstContact);
    let told_well = match kind {
        Kind::Straight | Kind::Language => first_contact && ticket.offer_epoch == 1,
        Kind::Declined => true,
        // Best is one that went on to somebody else.
        Kind::Triage => !in_triage,
    };
    u32::from(quotable) + 2 * u32::from(told_well)
}
