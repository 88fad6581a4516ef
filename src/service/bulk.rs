//! `SubmitTickets`: many tickets in one stream, each on its own.

use futures::{Stream, StreamExt};
use tonic::Streaming;

use super::{context::Context, error::Error, lookup, tickets::take_in};
use crate::{
    api::v1,
    app::Handle,
    domain::{id::TicketId, limits::BULK_TICKETS_MAX},
};

/// Tickets of one stream on their way into the journal at once. One commit takes many, so this
/// many share a few; more would only wait in the engine's queue.
const IN_FLIGHT_MAX: usize = 256;

/// Takes the tickets of a stream in; answers once all are durable or refused.
pub(crate) async fn submit_all(
    handle: &Handle,
    context: &Context,
    messages: Streaming<v1::SubmitTicketsRequest>,
) -> Result<v1::SubmitTicketsResponse, Error> {
    let declared = lookup::declared(handle, &context.workspace, true).await?;
    let declared = &declared;
    let mut results: Vec<(u32, Result<TicketId, Error>)> = numbered(messages)
        .map(|(index, message)| async move {
            let result = match message {
                Ok(request) => take_in(handle, context, request, declared).await,
                Err(error) => Err(error),
            };
            (index, result)
        })
        .buffer_unordered(IN_FLIGHT_MAX)
        .collect()
        .await;
    results.sort_unstable_by_key(|(index, _)| *index);
    let mut response = v1::SubmitTicketsResponse::default();
    for (index, result) in results {
        match result {
            Ok(ticket) => {
                let ticket_id = ticket.into();
                response.accepted.push(v1::AcceptedTicket { index, ticket_id });
            }
            Err(error) => response.rejected.push(rejected(index, &error)),
        }
    }
    Ok(response)
}

/// Numbers the messages; ends after the first that cannot be taken as a message at all.
fn numbered(
    messages: Streaming<v1::SubmitTicketsRequest>,
) -> impl Stream<Item = (u32, Result<v1::SubmitTicketsRequest, Error>)> {
    let start = Some((messages, 0_u32));
    futures::stream::unfold(start, |state| async {
        let (mut messages, index) = state?;
        let message = messages.next().await?;
        let too_many = usize::try_from(index).is_ok_and(|index| index >= BULK_TICKETS_MAX);
        match message {
            Ok(_) if too_many => Some(((index, Err(Error::BulkTooLong)), None)),
            Ok(request) => Some(((index, Ok(request)), Some((messages, index + 1)))),
            Err(_) => Some(((index, Err(Error::Malformed)), None)),
        }
    })
}

fn rejected(index: u32, error: &Error) -> v1::RejectedTicket {
    let (field, message) = match error {
        Error::Invalid(violations) => match violations.as_slice() {
            [] => (String::new(), error.to_string()),
            [only] => (only.field.clone(), only.message.clone()),
            [first, others @ ..] => {
                let message = format!("{} (and {} more fields)", first.message, others.len());
                (first.field.clone(), message)
            }
        },
        _ => (String::new(), error.to_string()),
    };
    v1::RejectedTicket { index, reason: error.reason().to_owned(), field, message }
}
