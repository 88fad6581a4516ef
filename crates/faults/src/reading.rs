//! Reads everything back through the API: tickets, their entries, and decision records.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;
use tonic::{Status as RpcStatus, transport::Channel};

use crate::{
    api::v1::{
        self, insight_service_client::InsightServiceClient,
        ticket_service_client::TicketServiceClient,
    },
    client::within,
    history::{Decision, Entry, Status, Stored, StoredTicket},
    server,
};

/// Tickets whose entries are read at once.
const WATCHES_AT_ONCE: usize = 32;
/// Streams of one connection that end early: after about a thousand, the client's own transport
/// takes the connection for abused.
const WATCHES_OF_A_CONNECTION: usize = 400;
/// Items in a page.
const PAGE: u32 = 500;
/// Longest wait for one entry that must be there.
const ENTRY_WITHIN: Duration = Duration::from_secs(10);

/// Reads everything from the server at an address, decisions too.
///
/// # Errors
/// The server does not give something.
pub async fn everything(address: &str, workspace: &str) -> Result<Stored, RpcStatus> {
    let mut stored = changed(address, workspace, &Stored::default()).await?;
    stored.decisions = Some(decisions(&connect(address)?, workspace).await?);
    Ok(stored)
}

/// Reads all tickets, and the entries of those that changed since an earlier reading.
///
/// # Errors
/// The server does not give something.
pub async fn changed(
    address: &str,
    workspace: &str,
    earlier: &Stored,
) -> Result<Stored, RpcStatus> {
    let known: BTreeMap<&str, &StoredTicket> =
        earlier.tickets.iter().map(|ticket| (ticket.id.as_str(), ticket)).collect();
    let mut read = Vec::new();
    let mut new = Vec::new();
    for ticket in tickets(&connect(address)?, workspace).await? {
        let before = known.get(ticket.ticket_id.as_str()).copied();
        match before.filter(|before| before.sequence == ticket.sequence) {
            Some(before) => read.push(stored(ticket, before.entries.clone())),
            None => new.push(ticket),
        }
    }
    for some in new.chunks(WATCHES_OF_A_CONNECTION) {
        let channel = &connect(address)?;
        let entries = stream::iter(some).map(|ticket| async move {
            Ok::<_, RpcStatus>(stored(
                ticket.clone(),
                entries_of(channel, workspace, ticket).await?,
            ))
        });
        let entries: Vec<_> = entries.buffer_unordered(WATCHES_AT_ONCE).try_collect().await?;
        read.extend(entries);
    }
    Ok(Stored { tickets: read, decisions: None })
}

fn connect(address: &str) -> Result<Channel, RpcStatus> {
    server::channel(address).map_err(|error| RpcStatus::internal(error.to_string()))
}

/// Returns all tickets, newest first.
///
/// # Errors
/// The server does not give something.
pub async fn tickets(channel: &Channel, workspace: &str) -> Result<Vec<v1::Ticket>, RpcStatus> {
    let mut client = TicketServiceClient::new(channel.clone()).max_decoding_message_size(64 << 20);
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let list = v1::ListTicketsRequest { page_size: PAGE, page_token, ..Default::default() };
        let page = client.list_tickets(within(workspace, list)).await?.into_inner();
        all.extend(page.tickets);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// Returns the entries of a ticket, up to the newest one the ticket names.
async fn entries_of(
    channel: &Channel,
    workspace: &str,
    ticket: &v1::Ticket,
) -> Result<Vec<Entry>, RpcStatus> {
    let messages = messages_of(channel, workspace, ticket).await?;
    Ok(messages.into_iter().filter_map(|message| message.event).map(entry).collect())
}

/// Returns what watching a ticket shows, up to the newest entry the ticket names.
///
/// # Errors
/// The server does not give something.
pub async fn messages_of(
    channel: &Channel,
    workspace: &str,
    ticket: &v1::Ticket,
) -> Result<Vec<v1::WatchTicketResponse>, RpcStatus> {
    let ticket_id = ticket.ticket_id.clone();
    let watch = v1::WatchTicketRequest { ticket_id, after_sequence: 0 };
    let mut client = TicketServiceClient::new(channel.clone());
    let mut stream = client.watch_ticket(within(workspace, watch)).await?.into_inner();
    let (mut messages, mut newest) = (Vec::new(), 0);
    while newest < ticket.sequence {
        let next = timeout(ENTRY_WITHIN, stream.message()).await.map_err(|_| {
            let what = format!("ticket {}: no entry #{}", ticket.ticket_id, ticket.sequence);
            RpcStatus::data_loss(what)
        })?;
        let Some(message) = next? else { break };
        newest = message.event.as_ref().map_or(newest, |event| event.sequence);
        messages.push(message);
    }
    Ok(messages)
}

/// Returns all decision records as far as they must agree with the journal, newest first.
async fn decisions(channel: &Channel, workspace: &str) -> Result<Vec<Decision>, RpcStatus> {
    let short = |decision: v1::DecisionRecord| Decision {
        sequence: decision.sequence,
        ticket: decision.ticket_id,
        offer: decision.offer_id,
        agent: decision.agent_id,
    };
    Ok(records(channel, workspace).await?.into_iter().map(short).collect())
}

/// Returns all decision records, newest first.
///
/// # Errors
/// The server does not give something.
pub async fn records(
    channel: &Channel,
    workspace: &str,
) -> Result<Vec<v1::DecisionRecord>, RpcStatus> {
    let mut client = InsightServiceClient::new(channel.clone()).max_decoding_message_size(64 << 20);
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let list =
            v1::ListDecisionRecordsRequest { page_size: PAGE, page_token, ..Default::default() };
        let page = client.list_decision_records(within(workspace, list)).await?.into_inner();
        all.extend(page.decisions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

fn stored(ticket: v1::Ticket, entries: Vec<Entry>) -> StoredTicket {
    let written = |outcome: v1::Outcome| format!("{}/{}", outcome.resolution, outcome.satisfaction);
    StoredTicket {
        status: status(ticket.status()),
        id: ticket.ticket_id,
        customer: ticket.customer,
        body: ticket.body,
        agent: ticket.agent_id,
        sequence: ticket.sequence,
        outcome: ticket.outcome.map(written).unwrap_or_default(),
        entries,
    }
}

fn entry(event: v1::TicketEvent) -> Entry {
    let at = event.event_time.unwrap_or_default();
    Entry {
        status: status(event.status()),
        sequence: event.sequence,
        at_ms: at.seconds * 1000 + i64::from(at.nanos) / 1_000_000,
        kind: event.r#type,
        agent: event.agent_id,
        offer: event.offer_id,
        reason: event.reason,
    }
}

fn status(status: v1::TicketStatus) -> Status {
    match status {
        v1::TicketStatus::Unspecified => Status::Unspecified,
        v1::TicketStatus::Received => Status::Received,
        v1::TicketStatus::Queued => Status::Queued,
        v1::TicketStatus::Offered => Status::Offered,
        v1::TicketStatus::Assigned => Status::Assigned,
        v1::TicketStatus::Completed => Status::Completed,
        v1::TicketStatus::Cancelled => Status::Cancelled,
    }
}
