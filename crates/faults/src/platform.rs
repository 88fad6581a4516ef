//! The platform that hands tickets in, one by one and in streams, and meddles with them afterwards.

use std::sync::Arc;

use futures::stream;
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::{
    api::v1::{self, ticket_service_client::TicketServiceClient},
    book::{Acknowledged, Book},
    client::{Ask, Client, is_for_now, new_ticket, outcome_of},
    history::{Action, Call, Outcome},
    world::{agent_name, text},
};

/// Tickets of one stream, at most.
const BULK_MAX: usize = 150;

/// Hands tickets in until the run closes, so that about `tickets` are open.
pub async fn submit(name: String, tickets: usize, book: Arc<Book>, seed: u64) {
    let mut client = Client::new(&name, &book, seed);
    let mut made = 0;
    while !book.is_closing() {
        let room = tickets.saturating_sub(book.open_tickets());
        if room == 0 {
            sleep(client.dice.millis(2, 20)).await;
            continue;
        }
        let mut next = |client: &mut Client| {
            made += 1;
            let body = text(&mut client.dice, made);
            Ask { key: format!("{name}-{made}"), action: Action::Submit { body } }
        };
        if client.dice.chance(20) {
            let count = 1 + client.dice.below(BULK_MAX.min(room));
            let asks = (0..count).map(|_| next(&mut client)).collect();
            submit_stream(&mut client, asks).await;
        } else {
            let ask = next(&mut client);
            client.ask_until_answered(&ask).await;
        }
    }
}

/// Sends tickets in a stream until each is answered.
async fn submit_stream(client: &mut Client, mut asks: Vec<Ask>) {
    while !asks.is_empty() {
        let channel = client.channel().await;
        let book = Arc::clone(&client.book);
        let busy = book.begin();
        let start_us = book.now_us();
        let messages = asks.iter().map(message).collect::<Vec<_>>();
        let mut tickets = TicketServiceClient::new(channel);
        let sent = tickets.submit_tickets(client.by(stream::iter(messages)));
        let answer = match timeout(client.answer_within, sent).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded("no answer in time")),
        };
        let mut again = Vec::new();
        for (index, ask) in asks.into_iter().enumerate() {
            let outcome = of_stream(index, &answer);
            let end_us = book.now_us();
            let (actor, key) = (client.actor.clone(), ask.key.clone());
            let action = ask.action.clone();
            let for_now = match &outcome {
                Outcome::Done { .. } => false,
                Outcome::Unknown { .. } => true,
                Outcome::Refused { reason } => is_for_now(reason),
            };
            let server = client.server();
            book.write(Call { actor, key, action, server, start_us, end_us, outcome });
            if for_now {
                again.push(ask);
            }
        }
        asks = again;
        drop(busy);
        if answer.is_err() {
            client.hang_up();
        }
        sleep(client.dice.millis(20, 120)).await;
    }
}

fn message(ask: &Ask) -> v1::SubmitTicketsRequest {
    let body = match &ask.action {
        Action::Submit { body } => body.as_str(),
        _ => "",
    };
    let idempotency_key = ask.key.clone();
    v1::SubmitTicketsRequest { ticket: Some(new_ticket(&ask.key, body)), idempotency_key }
}

/// Returns what the answer to a stream says about one of its tickets.
fn of_stream(index: usize, answer: &Result<v1::SubmitTicketsResponse, Status>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(status) => return outcome_of(status),
    };
    let is_it = |at: u32| usize::try_from(at) == Ok(index);
    if let Some(accepted) = answer.accepted.iter().find(|accepted| is_it(accepted.index)) {
        return Outcome::Done { ticket: accepted.ticket_id.clone() };
    }
    match answer.rejected.iter().find(|rejected| is_it(rejected.index)) {
        // It may be there or not, as with a call that fails this way.
        Some(rejected) if is_unclear(&rejected.reason) => {
            Outcome::Unknown { why: rejected.reason.clone() }
        }
        Some(rejected) => Outcome::Refused { reason: rejected.reason.clone() },
        None => Outcome::Unknown { why: "not in the answer".to_owned() },
    }
}

fn is_unclear(reason: &str) -> bool {
    ["SERVER_STOPPING", "STORE_FAILED", "INTERNAL_ERROR", "DEADLINE_EXCEEDED"].contains(&reason)
}

/// Cancels tickets, gives them to agents by hand, and sends what was acknowledged once more.
pub async fn meddle(name: String, team: usize, book: Arc<Book>, seed: u64) {
    let mut client = Client::new(&name, &book, seed);
    let mut number = 0;
    while !book.is_closing() {
        sleep(client.dice.millis(4, 40)).await;
        let known = {
            let acknowledged = book.acknowledged();
            // Mostly of the newest, which are open.
            let from =
                if client.dice.chance(80) { acknowledged.len().saturating_sub(1500) } else { 0 };
            acknowledged.get(from..).and_then(|some| client.dice.pick(some)).cloned()
        };
        let Some(Acknowledged { key, body, ticket }) = known else { continue };
        number += 1;
        let own = format!("{name}-{number}");
        let ask = match client.dice.below(10) {
            0..3 => Ask { key: own, action: Action::Cancel { ticket } },
            3..6 => {
                let agent = agent_name(client.dice.below(team));
                Ask { key: own, action: Action::Assign { ticket, agent } }
            }
            6..8 => Ask { key, action: Action::Submit { body } },
            _ => Ask { key, action: Action::Submit { body: format!("{body} And more.") } },
        };
        client.ask_until_answered(&ask).await;
    }
}
