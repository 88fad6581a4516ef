//! `WatchTicket`: what happens to a ticket, until it closes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::Status;

use super::{
    Messages,
    context::Context,
    convert::{self, StatusAfter},
    cursor::{Cursor, Next},
    error::Error,
};
use crate::{
    api::v1,
    app::{self, EntryFilter, Handle},
    domain::{
        event::{Entry, Event},
        id::TicketId,
    },
};

/// Opens the stream.
pub(crate) async fn open(feed: Feed) -> Result<Messages<v1::WatchTicketResponse>, Error> {
    // Says NOT_FOUND before the stream starts.
    let Feed { handle, context, ticket, .. } = &feed;
    context.within(async { Ok(handle.ticket(&context.workspace, ticket).await?) }).await?;
    Ok(Box::pin(futures::stream::unfold(Some(feed), |feed| async {
        let mut feed = feed?;
        match feed.next().await {
            Ok(Some(message)) => Some((Ok(message), Some(feed))),
            Ok(None) => None,
            Err(error) => Some((Err(Status::from(error)), None)),
        }
    })))
}

/// A watched ticket.
pub(crate) struct Feed {
    handle: Handle,
    context: Context,
    ticket: TicketId,
    cursor: Cursor,
    /// Entries up to here were seen by the caller before.
    after_sequence: u64,
    status: StatusAfter,
    /// Given back when the stream ends.
    _seat: OwnedSemaphorePermit,
}

impl Feed {
    /// Returns the feed of what happened to a ticket after a sequence number.
    pub(crate) fn new(
        handle: &Handle,
        draining: &watch::Receiver<bool>,
        context: Context,
        ticket: TicketId,
        after_sequence: u64,
        seat: OwnedSemaphorePermit,
    ) -> Self {
        // From the beginning, for the status after an event depends on those before it.
        let filter = EntryFilter::Ticket(ticket.clone());
        let cursor = Cursor::new(handle, &context.workspace, filter, 0, draining);
        let status = StatusAfter::default();
        let handle = handle.clone();
        Self { handle, context, ticket, cursor, after_sequence, status, _seat: seat }
    }

    async fn next(&mut self) -> Result<Option<v1::WatchTicketResponse>, Error> {
        while !self.status.is_closed() {
            let next = self.context.within(self.cursor.next(None)).await?;
            match next {
                Next::Entry(entry) => {
                    let after = self.status.apply(&entry.event);
                    if entry.sequence > self.after_sequence {
                        return Ok(Some(message(*entry, after)));
                    }
                }
                Next::Quiet => {}
                Next::Stopping => return Err(Error::Engine(app::Error::Stopping)),
            }
        }
        Ok(None)
    }
}

fn message(entry: Entry, after: crate::domain::ticket::Status) -> v1::WatchTicketResponse {
    let event = convert::event(&entry, after);
    let reading = match entry.event {
        Event::TicketRead { reading, .. } => Some(convert::reading(Arc::unwrap_or_clone(reading))),
        _ => None,
    };
    v1::WatchTicketResponse { event: Some(event), reading }
}
