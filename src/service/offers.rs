//! `StreamOffers`: an agent's offers and what becomes of them, as they happen.

mod seat;

pub(crate) use seat::Seats;

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use tonic::Status;

use self::seat::OpenStream;
use super::{
    Messages,
    context::Context,
    convert,
    cursor::{Cursor, Next},
    error::Error,
    explain, lookup,
};
use crate::{
    api::v1::{
        StreamOffersResponse,
        stream_offers_response::{Closed, Drain, Heartbeat, Update},
    },
    app::{self, EntryFilter, Handle, OfferView, TicketView},
    domain::{
        decision::Decision,
        event::{Entry, Event},
        id::{AgentId, OfferId, TicketId},
        ticket::Status as TicketStatus,
        time::UnixMillis,
    },
};

/// After so much silence a heartbeat says that the connection lives.
const HEARTBEAT_AFTER: Duration = Duration::from_secs(15);

/// What a stream needs of the server.
pub(crate) struct Server {
    pub(crate) handle: Handle,
    pub(crate) seats: Seats,
    /// Turns true when streams must end.
    pub(crate) draining: watch::Receiver<bool>,
}

/// Opens the stream: with the desk as it stands, or after a sequence number.
pub(crate) async fn open(
    server: Server,
    context: Context,
    after_sequence: u64,
) -> Result<Messages<StreamOffersResponse>, Error> {
    let Server { handle, seats, draining } = server;
    let agent = context.agent()?;
    let open = OpenStream::open(&handle, &seats, &context).await?;
    let desk = lookup::desk(&handle, &context.workspace, &agent).await?;
    let sequence = desk.sequence;
    // A number that this journal has not reached is from another one: start with the desk.
    let (first, after) = if (1..=sequence).contains(&after_sequence) {
        (None, after_sequence)
    } else {
        (Some(StreamOffersResponse { sequence, update: Some(Update::Desk(desk)) }), sequence)
    };
    let filter = EntryFilter::Agent(agent.clone());
    let cursor = Cursor::new(&handle, &context.workspace, filter, after, &draining);
    let feed = Feed { handle, context, agent, first, cursor, _open: open };
    Ok(Box::pin(futures::stream::unfold(Some(feed), |feed| async {
        let mut feed = feed?;
        match feed.next().await {
            // The server's last message: the agent connects again and resumes.
            Ok(last @ StreamOffersResponse { update: Some(Update::Drain(_)), .. }) => {
                Some((Ok(last), None))
            }
            Ok(message) => Some((Ok(message), Some(feed))),
            Err(error) => Some((Err(Status::from(error)), None)),
        }
    })))
}

struct Feed {
    handle: Handle,
    context: Context,
    agent: AgentId,
    first: Option<StreamOffersResponse>,
    cursor: Cursor,
    /// Holds presence as long as the stream lives.
    _open: OpenStream,
}

impl Feed {
    async fn next(&mut self) -> Result<StreamOffersResponse, Error> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let quiet_at = Instant::now() + HEARTBEAT_AFTER;
        loop {
            let next = self.context.within(self.cursor.next(Some(quiet_at))).await?;
            let update = match next {
                Next::Entry(entry) => self.update(*entry).await?,
                Next::Quiet => Some(Update::Heartbeat(Heartbeat {})),
                Next::Stopping => Some(Update::Drain(Drain {})),
            };
            if update.is_some() {
                return Ok(StreamOffersResponse { sequence: self.cursor.after(), update });
            }
        }
    }

    /// Returns what an entry about the agent changes on the desk, if anything.
    async fn update(&self, entry: Entry) -> Result<Option<Update>, Error> {
        let closed = |offer: Option<OfferId>, ticket: TicketId, reason: &str| {
            Some(Update::Closed(Closed {
                offer_id: offer.map(|offer| offer.to_string()).unwrap_or_default(),
                ticket_id: ticket.into(),
                reason: reason.to_owned(),
            }))
        };
        let of_offer = |offer: OfferId, reason| closed(Some(offer.clone()), offer.ticket, reason);
        Ok(match entry.event {
            Event::OfferMade { offer, expires_at, decision, .. } => {
                self.live_offer(offer, expires_at, &decision).await?
            }
            Event::OfferAccepted { offer, .. } => {
                self.ticket(&offer.ticket).await?.map(convert::ticket).map(Update::Assigned)
            }
            Event::OfferDeclined { offer, .. } => of_offer(offer, "declined"),
            Event::OfferExpired { offer, .. } => of_offer(offer, "expired"),
            Event::OfferRevoked { offer, .. } => of_offer(offer, "revoked"),
            Event::AssignmentCompleted { ticket, .. } => closed(None, ticket, "completed"),
            Event::TicketTransferred { ticket, .. } => closed(None, ticket, "transferred"),
            Event::AssignmentReturned { ticket, .. } => closed(None, ticket, "returned"),
            Event::TicketCancelled { ticket, .. } => closed(None, ticket, "cancelled"),
            _ => None,
        })
    }

    /// Returns the offer if the agent can still answer it.
    async fn live_offer(
        &self,
        offer: OfferId,
        expires_at: UnixMillis,
        decision: &Decision,
    ) -> Result<Option<Update>, Error> {
        let Some(ticket) = self.ticket(&offer.ticket).await? else { return Ok(None) };
        let live = ticket.status == TicketStatus::Offered && ticket.epoch == offer.epoch;
        let sequence = self.cursor.after();
        let choice = self.handle.agent_choice(&self.context.workspace, sequence).await?;
        let why = explain::why(&self.agent, decision, ticket.plan.as_ref(), choice);
        let view = OfferView { offer, ticket, expires_at, decision: sequence };
        Ok(live.then(|| Update::Offer(convert::offer(view, why))))
    }

    async fn ticket(&self, ticket: &TicketId) -> Result<Option<TicketView>, Error> {
        match self.handle.ticket(&self.context.workspace, ticket).await {
            Ok(view) => Ok(Some(view)),
            // Erased since; there is nothing to show.
            Err(app::Error::TicketUnknown(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
