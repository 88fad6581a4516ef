//! What happened to a ticket.

use super::{status, timestamp};
use crate::{
    api::v1,
    domain::{
        event::{Entry, Event, ReturnReason, RevokeReason},
        ticket::Status,
    },
};

/// Where a ticket stands after each event, folded over its entries from the first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StatusAfter(Option<Status>);

impl StatusAfter {
    /// Applies the next event and returns where the ticket stands after it.
    pub(crate) fn apply(&mut self, event: &Event) -> Status {
        let before = self.0.unwrap_or(Status::Received);
        let after = match event {
            Event::TicketRead { .. } if before == Status::Received => Status::Queued,
            Event::TicketQueued { .. }
            | Event::OfferDeclined { .. }
            | Event::OfferExpired { .. }
            | Event::OfferRevoked { .. }
            | Event::TicketTransferred { .. }
            | Event::TicketAssignedByHand { .. }
            | Event::AssignmentReturned { .. } => Status::Queued,
            Event::OfferMade { .. } => Status::Offered,
            Event::OfferAccepted { .. } => Status::Assigned,
            Event::AssignmentCompleted { .. } => Status::Completed,
            Event::TicketCancelled { .. } => Status::Cancelled,
            _ => before,
        };
        self.0 = Some(after);
        after
    }

    /// Returns whether nothing more can happen to the ticket.
    pub(crate) fn is_closed(self) -> bool {
        self.0.is_some_and(Status::is_closed)
    }
}

/// Returns what happened as the API shows it.
pub(crate) fn event(entry: &Entry, after: Status) -> v1::TicketEvent {
    v1::TicketEvent {
        sequence: entry.sequence,
        event_time: Some(timestamp(entry.at)),
        r#type: entry.event.name().to_owned(),
        agent_id: entry.event.agent().map(ToString::to_string).unwrap_or_default(),
        offer_id: offer_id(&entry.event),
        reason: reason(&entry.event),
        status: status(after).into(),
    }
}

fn offer_id(event: &Event) -> String {
    match event {
        Event::OfferMade { offer, .. }
        | Event::OfferAccepted { offer, .. }
        | Event::OfferDeclined { offer, .. }
        | Event::OfferExpired { offer, .. }
        | Event::OfferRevoked { offer, .. } => offer.to_string(),
        _ => String::new(),
    }
}

fn reason(event: &Event) -> String {
    match event {
        Event::OfferDeclined { reason, .. } | Event::TicketCancelled { reason, .. } => {
            reason.clone()
        }
        Event::OfferExpired { .. } => "timeout".to_owned(),
        Event::OfferRevoked { reason, .. } => match reason {
            RevokeReason::TicketCancelled => "ticket_cancelled",
            RevokeReason::AgentLeft => "agent_left",
            RevokeReason::AgentRemoved => "agent_removed",
            RevokeReason::ProfileChanged => "profile_changed",
            RevokeReason::Replanned => "replanned",
            RevokeReason::AssignedByHand => "assigned_by_hand",
        }
        .to_owned(),
        Event::AssignmentReturned { reason, .. } => match reason {
            ReturnReason::AgentLeft => "agent_left".to_owned(),
        },
        _ => String::new(),
    }
}
