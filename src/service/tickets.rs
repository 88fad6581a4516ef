//! `TicketService`: tickets, for contact-center platforms.

use std::time::Duration;

use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Messages,
    admission::Admission,
    bulk,
    context::Context,
    convert,
    error::Error,
    idempotency::workspace_key,
    lookup, respond,
    validate::{self, Check, Declared},
    watching,
};
use crate::{
    api::v1::{self, ticket_service_server::TicketService},
    app::{Action, Command, Handle, Idempotency, Receipt, TicketFilter, TicketView, Topic},
    domain::{id::TicketId, limits, ticket::Status as TicketStatus},
    routing::Input,
};

/// Longest wait for a reading when the caller has no deadline, or a later one.
const READING_WAIT_MAX: Duration = Duration::from_secs(10);

/// The service.
#[derive(Clone)]
pub(crate) struct Tickets {
    pub(crate) handle: Handle,
    /// Turns true when streams must end.
    pub(crate) draining: watch::Receiver<bool>,
    /// Seats for calls that end.
    pub(crate) calls: Admission,
    /// Seats for WatchTicket streams.
    pub(crate) watches: Admission,
}

#[tonic::async_trait]
impl TicketService for Tickets {
    type WatchTicketStream = Messages<v1::WatchTicketResponse>;

    async fn submit_ticket(
        &self,
        request: Request<v1::SubmitTicketRequest>,
    ) -> Result<Response<v1::SubmitTicketResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.calls.enter()?;
        respond(context.within(self.submit(&context, request)).await)
    }

    async fn submit_tickets(
        &self,
        request: Request<Streaming<v1::SubmitTicketsRequest>>,
    ) -> Result<Response<v1::SubmitTicketsResponse>, Status> {
        let (context, messages) = Context::split(request)?;
        let _seat = self.calls.enter()?;
        respond(context.within(bulk::submit_all(&self.handle, &context, messages)).await)
    }

    async fn get_ticket(
        &self,
        request: Request<v1::GetTicketRequest>,
    ) -> Result<Response<v1::GetTicketResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.calls.enter()?;
        respond(context.within(self.get(&context, request)).await)
    }

    async fn list_tickets(
        &self,
        request: Request<v1::ListTicketsRequest>,
    ) -> Result<Response<v1::ListTicketsResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.calls.enter()?;
        respond(context.within(self.list(&context, request)).await)
    }

    async fn cancel_ticket(
        &self,
        request: Request<v1::CancelTicketRequest>,
    ) -> Result<Response<v1::CancelTicketResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.calls.enter()?;
        respond(context.within(self.cancel(&context, request)).await)
    }

    async fn assign_ticket(
        &self,
        request: Request<v1::AssignTicketRequest>,
    ) -> Result<Response<v1::AssignTicketResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.calls.enter()?;
        respond(context.within(self.assign(&context, request)).await)
    }

    async fn watch_ticket(
        &self,
        request: Request<v1::WatchTicketRequest>,
    ) -> Result<Response<Self::WatchTicketStream>, Status> {
        let (context, request) = Context::split(request)?;
        let seat = self.watches.enter()?;
        let mut check = Check::default();
        let ticket = check.ticket("ticket_id", &request.ticket_id);
        let ticket = check.finish(ticket)?;
        let after = request.after_sequence;
        let feed = watching::Feed::new(&self.handle, &self.draining, context, ticket, after, seat);
        respond(watching::open(feed).await)
    }
}

impl Tickets {
    async fn submit(
        &self,
        context: &Context,
        request: v1::SubmitTicketRequest,
    ) -> Result<v1::SubmitTicketResponse, Error> {
        let v1::SubmitTicketRequest { ticket, idempotency_key, wait_for_reading } = request;
        let names_skills = ticket.as_ref().is_some_and(|new| !new.skill_requirements.is_empty());
        let declared = lookup::declared(&self.handle, &context.workspace, names_skills).await?;
        let request = v1::SubmitTicketsRequest { ticket, idempotency_key };
        let ticket = take_in(&self.handle, context, request, &declared).await?;
        let view = if wait_for_reading {
            self.wait_for_reading(context, &ticket).await?
        } else {
            self.handle.ticket(&context.workspace, &ticket).await?
        };
        Ok(v1::SubmitTicketResponse { ticket: Some(convert::ticket(view)) })
    }

    /// Returns the ticket once it is read, or as it stands when the time is up.
    async fn wait_for_reading(
        &self,
        context: &Context,
        ticket: &TicketId,
    ) -> Result<TicketView, Error> {
        let until = context.deadline.or_at_most(READING_WAIT_MAX);
        let topic = Topic::Ticket(context.workspace.clone(), ticket.clone());
        let mut changes = self.handle.watch(topic);
        loop {
            changes.borrow_and_update();
            let view = self.handle.ticket(&context.workspace, ticket).await?;
            if view.reading.is_some() || view.status.is_closed() {
                return Ok(view);
            }
            match tokio::time::timeout_at(until, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(view),
            }
        }
    }

    async fn get(
        &self,
        context: &Context,
        request: v1::GetTicketRequest,
    ) -> Result<v1::GetTicketResponse, Error> {
        let mut check = Check::default();
        let ticket = check.ticket("ticket_id", &request.ticket_id);
        let ticket = check.finish(ticket)?;
        let view = self.handle.ticket(&context.workspace, &ticket).await?;
        let waits = view.status == TicketStatus::Queued;
        let mut shown = convert::ticket(view);
        if waits {
            let estimate = self.handle.estimate(&context.workspace, &ticket).await?;
            shown.wait_estimate = estimate.map(convert::wait_estimate);
        }
        Ok(v1::GetTicketResponse { ticket: Some(shown) })
    }

    async fn list(
        &self,
        context: &Context,
        request: v1::ListTicketsRequest,
    ) -> Result<v1::ListTicketsResponse, Error> {
        let mut check = Check::default();
        let status = validate::status(&mut check, request.status);
        let customer = check.text("customer", &request.customer, 0..=limits::CUSTOMER_CHARS_MAX);
        let customer = Some(customer).filter(|customer| !customer.is_empty());
        let filter = check.finish(Some(TicketFilter { status, customer }))?;
        let page = validate::page(request.page_size, request.page_token);
        let page = self.handle.tickets(&context.workspace, filter, page).await?;
        let tickets = page.items.into_iter().map(convert::ticket).collect();
        Ok(v1::ListTicketsResponse { tickets, next_page_token: page.next })
    }

    async fn cancel(
        &self,
        context: &Context,
        mut request: v1::CancelTicketRequest,
    ) -> Result<v1::CancelTicketResponse, Error> {
        let key = std::mem::take(&mut request.idempotency_key);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let ticket = check.ticket("ticket_id", &request.ticket_id);
        let reason = check.text("reason", &request.reason, 0..=limits::REASON_CHARS_MAX);
        let ticket = check.finish(ticket)?;
        let idempotency = workspace_key("CancelTicket", &key, &request);
        let input = Input::Cancel { ticket: ticket.clone(), reason };
        let ticket = self.change(context, idempotency, &ticket, input).await?;
        Ok(v1::CancelTicketResponse { ticket: Some(ticket) })
    }

    async fn assign(
        &self,
        context: &Context,
        mut request: v1::AssignTicketRequest,
    ) -> Result<v1::AssignTicketResponse, Error> {
        let key = std::mem::take(&mut request.idempotency_key);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let ticket = check.ticket("ticket_id", &request.ticket_id);
        let agent = check.agent("agent_id", &request.agent_id);
        let (ticket, agent) = check.finish(ticket.zip(agent))?;
        let idempotency = workspace_key("AssignTicket", &key, &request);
        let input = Input::Assign { ticket: ticket.clone(), agent };
        let ticket = self.change(context, idempotency, &ticket, input).await?;
        Ok(v1::AssignTicketResponse { ticket: Some(ticket) })
    }

    /// Changes a ticket and returns it as it stands then.
    async fn change(
        &self,
        context: &Context,
        idempotency: Option<Idempotency>,
        ticket: &TicketId,
        input: Input,
    ) -> Result<v1::Ticket, Error> {
        let command = Command {
            workspace: context.workspace.clone(),
            actor: context.actor.clone(),
            idempotency,
            action: Action::Route(input.into()),
        };
        let done = self.handle.command(command).await;
        // An unknown ticket is unknown; only one that was there can be closed.
        let view = self.handle.ticket(&context.workspace, ticket).await?;
        done?;
        Ok(convert::ticket(view))
    }
}

/// Checks a ticket and takes it in; returns its identifier once it is durable.
///
/// The key means the same in a call of its own and in a bulk stream.
pub(super) async fn take_in(
    handle: &Handle,
    context: &Context,
    mut request: v1::SubmitTicketsRequest,
    declared: &Declared,
) -> Result<TicketId, Error> {
    let key = std::mem::take(&mut request.idempotency_key);
    let idempotency = workspace_key("SubmitTicket", &key, &request);
    let mut check = Check::default();
    check.idempotency_key(&key);
    let ticket = validate::new_ticket(&mut check, request.ticket, declared);
    let (intake, payload) = check.finish(ticket)?;
    let command = Command {
        workspace: context.workspace.clone(),
        actor: context.actor.clone(),
        idempotency,
        action: Action::Submit { intake, payload },
    };
    let Receipt { ticket, .. } = handle.command(command).await?;
    ticket.ok_or(Error::Internal)
}
