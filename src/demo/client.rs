//! The gRPC client of the demo: what any other program would do to talk to the service.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::time::sleep;
use tonic::{
    Code, Request, Response, Status,
    metadata::{Ascii, MetadataValue, errors::InvalidMetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;

use super::Error;
use crate::api::v1::{
    admin_service_client::AdminServiceClient, agent_service_client::AgentServiceClient,
    classification_service_client::ClassificationServiceClient,
    insight_service_client::InsightServiceClient, ticket_service_client::TicketServiceClient,
};

/// Largest answer that is taken, in bytes: a page of tickets with the longest texts fits.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Most attempts of one call.
const ATTEMPTS_MAX: u32 = 12;
/// Longest pause between attempts, whatever the server asks for.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// First pause when the server names none; it doubles with each attempt.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// A connection with workspace and actor written beside each request.
pub(super) type Transport = InterceptedService<Channel, Caller>;

/// Who calls, and about which workspace.
#[derive(Clone)]
pub(super) struct Caller {
    workspace: MetadataValue<Ascii>,
    actor: MetadataValue<Ascii>,
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert("evenhand-workspace", self.workspace.clone());
        metadata.insert("evenhand-actor", self.actor.clone());
        Ok(request)
    }
}

/// One client's connection: all services over one TCP connection.
#[derive(Clone)]
pub(super) struct Client {
    /// Submitting, reading, cancelling tickets.
    pub(super) tickets: TicketServiceClient<Transport>,
    /// An agent's desk.
    pub(super) agents: AgentServiceClient<Transport>,
    /// Workspace, agents, policy.
    pub(super) admin: AdminServiceClient<Transport>,
    /// Decisions and measures.
    pub(super) insight: InsightServiceClient<Transport>,
    /// The model.
    pub(super) model: ClassificationServiceClient<Transport>,
}

impl Client {
    /// Connects over TCP as `actor`.
    ///
    /// # Errors
    /// [`Error::Connect`] when nobody answers.
    pub(super) async fn connect(
        addr: SocketAddr,
        workspace: &str,
        actor: &str,
    ) -> Result<Self, Error> {
        let caller = caller(workspace, actor)?;
        let channel = Endpoint::from_shared(format!("http://{addr}"))?.connect().await?;
        let transport = InterceptedService::new(channel, caller);
        Ok(Self {
            tickets: TicketServiceClient::new(transport.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            agents: AgentServiceClient::new(transport.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            admin: AdminServiceClient::new(transport.clone()),
            insight: InsightServiceClient::new(transport.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            model: ClassificationServiceClient::new(transport),
        })
    }
}

fn caller(workspace: &str, actor: &str) -> Result<Caller, InvalidMetadataValue> {
    Ok(Caller { workspace: workspace.parse()?, actor: actor.parse()? })
}

/// Makes a call, and again as long as the server says that a later attempt may succeed.
///
/// # Errors
/// The status of the last attempt.
pub(super) async fn persist<T, Call, Answer>(mut call: Call) -> Result<T, Status>
where
    Call: FnMut() -> Answer,
    Answer: Future<Output = Result<Response<T>, Status>>,
{
    let mut attempt = 0;
    loop {
        let status = match call().await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => status,
        };
        attempt += 1;
        match pause(&status, attempt) {
            Some(pause) if attempt < ATTEMPTS_MAX => sleep(pause).await,
            _ => return Err(status),
        }
    }
}

/// Returns how long to wait before attempt number `attempt`; `None` when trying again is no use.
pub(super) fn pause(status: &Status, attempt: u32) -> Option<Duration> {
    if !matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) {
        return None;
    }
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let doubled = PAUSE_FIRST.saturating_mul(1 << attempt.min(10));
    Some(asked.unwrap_or(doubled).min(PAUSE_MAX))
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn the_pause_is_the_one_the_server_asks_for() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(700)));
        let status = Status::with_error_details(Code::ResourceExhausted, "full", details);
        assert_eq!(pause(&status, 1), Some(Duration::from_millis(700)));
    }

    #[test]
    fn a_pause_nobody_asked_for_doubles_up_to_a_limit() {
        let status = Status::unavailable("away");
        assert_eq!(pause(&status, 1), Some(Duration::from_millis(100)));
        assert_eq!(pause(&status, 2), Some(Duration::from_millis(200)));
        assert_eq!(pause(&status, 99), Some(PAUSE_MAX));
    }

    #[test]
    fn what_cannot_succeed_is_not_tried_again() {
        assert_eq!(pause(&Status::invalid_argument("no"), 1), None);
        assert_eq!(pause(&Status::failed_precondition("late"), 1), None);
    }
}
