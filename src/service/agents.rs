//! `AgentService`: an agent's desk. The agent is the actor of the call. Never shed for load.

use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::{
    Messages,
    context::Context,
    convert,
    error::Error,
    idempotency::agent_key,
    lookup,
    offers::{self, Seats},
    respond,
    validate::{self, Check},
};
use crate::{
    api::v1::{self, agent_service_server::AgentService},
    app::{Action, Command, Handle, Idempotency},
    domain::{id::TicketId, limits},
    routing::Input,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Agents {
    pub(crate) handle: Handle,
    /// Turns true when streams must end.
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) seats: Seats,
}

#[tonic::async_trait]
impl AgentService for Agents {
    type StreamOffersStream = Messages<v1::StreamOffersResponse>;

    async fn set_presence(
        &self,
        request: Request<v1::SetPresenceRequest>,
    ) -> Result<Response<v1::SetPresenceResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.presence(&context, request)).await)
    }

    async fn stream_offers(
        &self,
        request: Request<v1::StreamOffersRequest>,
    ) -> Result<Response<Self::StreamOffersStream>, Status> {
        let (context, request) = Context::split(request)?;
        let after = request.after_sequence;
        let server = offers::Server {
            handle: self.handle.clone(),
            seats: self.seats.clone(),
            draining: self.draining.clone(),
        };
        let deadline = context.clone();
        respond(deadline.within(offers::open(server, context, after)).await)
    }

    async fn get_desk(
        &self,
        request: Request<v1::GetDeskRequest>,
    ) -> Result<Response<v1::GetDeskResponse>, Status> {
        let (context, _) = Context::split(request)?;
        respond(context.within(self.desk(&context)).await)
    }

    async fn accept_offer(
        &self,
        request: Request<v1::AcceptOfferRequest>,
    ) -> Result<Response<v1::AcceptOfferResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.accept(&context, request)).await)
    }

    async fn decline_offer(
        &self,
        request: Request<v1::DeclineOfferRequest>,
    ) -> Result<Response<v1::DeclineOfferResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.decline(&context, request)).await)
    }

    async fn complete_assignment(
        &self,
        request: Request<v1::CompleteAssignmentRequest>,
    ) -> Result<Response<v1::CompleteAssignmentResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.complete(&context, request)).await)
    }

    async fn transfer_ticket(
        &self,
        request: Request<v1::TransferTicketRequest>,
    ) -> Result<Response<v1::TransferTicketResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.transfer(&context, request)).await)
    }
}

impl Agents {
    async fn presence(
        &self,
        context: &Context,
        mut request: v1::SetPresenceRequest,
    ) -> Result<v1::SetPresenceResponse, Error> {
        let agent = context.agent()?;
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = agent_key("SetPresence", &agent, &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let presence = validate::presence(&mut check, request.presence());
        let presence = check.finish(presence)?;
        let input = Input::SetPresence { agent: agent.clone(), presence };
        self.act(context, idempotency, input).await?;
        let desk = self.handle.desk(&context.workspace, &agent).await?;
        Ok(v1::SetPresenceResponse {
            presence: convert::presence(desk.presence).into(),
            lease_expire_time: desk.lease_until.map(convert::timestamp),
        })
    }

    async fn desk(&self, context: &Context) -> Result<v1::GetDeskResponse, Error> {
        let agent = context.agent()?;
        let desk = lookup::desk(&self.handle, &context.workspace, &agent).await?;
        Ok(v1::GetDeskResponse { desk: Some(desk) })
    }

    async fn accept(
        &self,
        context: &Context,
        mut request: v1::AcceptOfferRequest,
    ) -> Result<v1::AcceptOfferResponse, Error> {
        let agent = context.agent()?;
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = agent_key("AcceptOffer", &agent, &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let offer = check.offer("offer_id", &request.offer_id);
        let offer = check.finish(offer)?;
        let ticket = offer.ticket.clone();
        self.act(context, idempotency, Input::Accept { offer, agent }).await?;
        Ok(v1::AcceptOfferResponse { ticket: Some(self.ticket(context, &ticket).await?) })
    }

    async fn decline(
        &self,
        context: &Context,
        mut request: v1::DeclineOfferRequest,
    ) -> Result<v1::DeclineOfferResponse, Error> {
        let agent = context.agent()?;
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = agent_key("DeclineOffer", &agent, &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let offer = check.offer("offer_id", &request.offer_id);
        let reason = check.text("reason", &request.reason, 1..=limits::REASON_CHARS_MAX);
        let offer = check.finish(offer)?;
        self.act(context, idempotency, Input::Decline { offer, agent, reason }).await?;
        Ok(v1::DeclineOfferResponse {})
    }

    async fn complete(
        &self,
        context: &Context,
        mut request: v1::CompleteAssignmentRequest,
    ) -> Result<v1::CompleteAssignmentResponse, Error> {
        let agent = context.agent()?;
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = agent_key("CompleteAssignment", &agent, &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let ticket = check.ticket("ticket_id", &request.ticket_id);
        let outcome = validate::outcome(&mut check, request.outcome);
        let (ticket, outcome) = check.finish(ticket.zip(outcome))?;
        let input = Input::Complete { ticket: ticket.clone(), agent, outcome };
        self.act(context, idempotency, input).await?;
        Ok(v1::CompleteAssignmentResponse { ticket: Some(self.ticket(context, &ticket).await?) })
    }

    async fn transfer(
        &self,
        context: &Context,
        mut request: v1::TransferTicketRequest,
    ) -> Result<v1::TransferTicketResponse, Error> {
        let agent = context.agent()?;
        let declared = lookup::skills(&self.handle, &context.workspace).await?;
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = agent_key("TransferTicket", &agent, &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let ticket = check.ticket("ticket_id", &request.ticket_id);
        let target = validate::transfer(&mut check, request.target, &declared);
        let (ticket, target) = check.finish(ticket.zip(target))?;
        let input = Input::Transfer { ticket: ticket.clone(), agent, target };
        self.act(context, idempotency, input).await?;
        Ok(v1::TransferTicketResponse { ticket: Some(self.ticket(context, &ticket).await?) })
    }

    async fn act(
        &self,
        context: &Context,
        idempotency: Option<Idempotency>,
        input: Input,
    ) -> Result<(), Error> {
        let command = Command {
            workspace: context.workspace.clone(),
            actor: context.actor.clone(),
            idempotency,
            action: Action::Route(input.into()),
        };
        self.handle.command(command).await?;
        Ok(())
    }

    async fn ticket(&self, context: &Context, ticket: &TicketId) -> Result<v1::Ticket, Error> {
        Ok(convert::ticket(self.handle.ticket(&context.workspace, ticket).await?))
    }
}
