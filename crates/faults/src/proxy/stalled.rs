//! Agents who sign in, open a stream, and never read from it.

use crate::{
    api::v1::{self, agent_service_client::AgentServiceClient},
    client::by,
    server,
    world::agent_of,
};

/// Name of these agents, less the number.
pub(super) const NAME: &str = "stalled";

/// Stops reading until the task is dropped.
pub(super) async fn stop_reading(number: usize, address: String) {
    let Ok(channel) = server::channel(&address) else { return };
    let name = agent_of(NAME, number);
    let mut agents = AgentServiceClient::new(channel);
    let presence = v1::Presence::Available.into();
    let come = v1::SetPresenceRequest { presence, ..Default::default() };
    let open = by(&name, v1::StreamOffersRequest { after_sequence: 0 });
    if agents.set_presence(by(&name, come)).await.is_err() {
        return;
    }
    let Ok(stream) = agents.stream_offers(open).await else { return };
    std::future::pending::<()>().await;
    drop(stream);
}
