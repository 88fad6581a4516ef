//! What happened to a few tickets: their decision records and events, asked from the service.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;
use tonic::Status;

use super::{
    client::{Client, persist},
    tally::{Kind, Story},
};
use crate::api::v1;

/// Longest wait for the next event. Tickets told about are closed, so their stream ends by itself.
const EVENT_WAIT: Duration = Duration::from_secs(2);

/// What happened to one ticket.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Decisions, oldest first.
    pub(super) decisions: Vec<v1::DecisionRecord>,
    /// Events, oldest first.
    pub(super) events: Vec<v1::TicketEvent>,
}

/// Asks what happened to the tickets that are told about.
///
/// # Errors
/// The status of a call that failed for good.
pub(super) async fn trails(
    client: &Client,
    stories: &BTreeMap<Kind, Story>,
) -> Result<BTreeMap<Kind, Trail>, Status> {
    let mut trails = BTreeMap::new();
    for (kind, story) in stories {
        let ticket_id = &story.ticket.ticket_id;
        let decisions = decisions(client, ticket_id).await?;
        let events = events(client, ticket_id).await?;
        trails.insert(*kind, Trail { decisions, events });
    }
    Ok(trails)
}

async fn decisions(client: &Client, ticket_id: &str) -> Result<Vec<v1::DecisionRecord>, Status> {
    let request =
        v1::ListDecisionRecordsRequest { ticket_id: ticket_id.to_owned(), ..Default::default() };
    let page = persist(|| {
        let (mut insight, request) = (client.insight.clone(), request.clone());
        async move { insight.list_decision_records(request).await }
    });
    let mut decisions = page.await?.decisions;
    decisions.reverse();
    Ok(decisions)
}

async fn events(client: &Client, ticket_id: &str) -> Result<Vec<v1::TicketEvent>, Status> {
    let request = v1::WatchTicketRequest { ticket_id: ticket_id.to_owned(), after_sequence: 0 };
    let mut stream = persist(|| {
        let (mut tickets, request) = (client.tickets.clone(), request.clone());
        async move { tickets.watch_ticket(request).await }
    })
    .await?;
    let mut events = Vec::new();
    while let Ok(message) = timeout(EVENT_WAIT, stream.message()).await {
        match message? {
            Some(message) => events.extend(message.event),
            None => break,
        }
    }
    Ok(events)
}
