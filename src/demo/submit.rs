//! The platform: hands tickets in, mostly in bulk, as fast as they are read.

mod load;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use futures::{StreamExt, stream};
use rand::RngExt;
use tokio::time::sleep;
use tonic::{Code, Status};

pub(super) use self::load::Load;
use super::{
    board::Board,
    client::{Client, persist},
};
use crate::api::v1;

/// Waves under way at once, so that the model never runs dry.
const LANES: usize = 2;
/// All pauses between waves together, in milliseconds: customers come in bursts.
const PAUSES_MS: usize = 3_000;
/// Of so many single submissions one is sent twice, to see that it stays one ticket.
const REPEATED_ONE_IN: u32 = 4;

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Submission {
    /// Tickets acknowledged as durable, and the row each came from.
    pub(super) acknowledged: BTreeMap<String, usize>,
    /// Rows the server refused, and why.
    pub(super) refused: BTreeMap<usize, String>,
}

/// The answer to one ticket.
enum Answer {
    Acknowledged { ticket: String, row: usize },
    Refused { row: usize, why: String },
}

/// Hands everything in. Ends early when the board says stop; what was not acknowledged then does
/// not count.
///
/// # Errors
/// The status of a call that failed for good.
pub(super) async fn submit(
    client: &Client,
    load: &Load<'_>,
    board: &Board,
) -> Result<Submission, Status> {
    let cancelled = load.cancelled();
    let waves = load.waves();
    let pause_ms = PAUSES_MS * LANES / waves.len().max(1);
    let mut answers = stream::iter(waves)
        .map(|wave| {
            let cancelled = &cancelled;
            async move { hand_in(client, load, board, wave, cancelled, pause_ms).await }
        })
        .buffer_unordered(LANES);
    let mut submission = Submission::default();
    while let Some(wave) = answers.next().await {
        for answer in wave? {
            match answer {
                Answer::Acknowledged { ticket, row } => {
                    submission.acknowledged.insert(ticket, row);
                }
                Answer::Refused { row, why } => {
                    submission.refused.insert(row, why);
                }
            }
        }
    }
    Ok(submission)
}

/// Hands in one wave: all but the last ticket in bulk, the last one waiting for its reading. The
/// model reads in order, so the platform is never far ahead of it.
async fn hand_in(
    client: &Client,
    load: &Load<'_>,
    board: &Board,
    wave: Range<usize>,
    cancelled: &BTreeSet<usize>,
    pause_ms: usize,
) -> Result<Vec<Answer>, Status> {
    if board.stop.is_cancelled() {
        return Ok(Vec::new());
    }
    let mut rng = load.rng(1 + u64::try_from(wave.start).unwrap_or(0));
    let last = wave.end - 1;
    let mut answers = bulk(client, load, wave.start..last).await?;
    board.acknowledged.fetch_add(acknowledged(&answers), Relaxed);
    // Some customers change their mind at once, the others when their ticket was read.
    let (at_once, later): (Vec<usize>, Vec<usize>) = wave
        .clone()
        .filter(|position| cancelled.contains(position))
        .partition(|position| position % 2 == 0 && *position != last);
    for position in at_once {
        cancel(client, board, answers.get(position - wave.start)).await;
    }
    let answer = single(client, load, last, true).await?;
    board.acknowledged.fetch_add(acknowledged(std::slice::from_ref(&answer)), Relaxed);
    if rng.random_ratio(1, REPEATED_ONE_IN) {
        repeat(client, load, board, last, &answer).await?;
    }
    await_reading(client, board, &answer).await;
    answers.push(answer);
    for position in later {
        cancel(client, board, answers.get(position - wave.start)).await;
    }
    let pause = Duration::from_millis(rng.random_range(0..=2 * pause_ms.max(1)) as u64);
    tokio::select! {
        () = sleep(pause) => {}
        () = board.stop.cancelled() => {}
    }
    Ok(answers)
}

fn acknowledged(answers: &[Answer]) -> u64 {
    let count = answers.iter().filter(|answer| matches!(answer, Answer::Acknowledged { .. }));
    count.map(|_| 1).sum()
}

/// Hands tickets in over one client stream. The answers are in the order of the positions.
async fn bulk(
    client: &Client,
    load: &Load<'_>,
    positions: Range<usize>,
) -> Result<Vec<Answer>, Status> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let requests: Vec<_> = positions
        .clone()
        .map(|position| {
            let v1::SubmitTicketRequest { ticket, idempotency_key, .. } = load.request(position);
            v1::SubmitTicketsRequest { ticket, idempotency_key }
        })
        .collect();
    let response = persist(|| {
        let (mut tickets, requests) = (client.tickets.clone(), stream::iter(requests.clone()));
        async move { tickets.submit_tickets(requests).await }
    })
    .await?;
    let accepted: BTreeMap<u32, String> =
        response.accepted.into_iter().map(|one| (one.index, one.ticket_id)).collect();
    let rejected: BTreeMap<u32, v1::RejectedTicket> =
        response.rejected.into_iter().map(|one| (one.index, one)).collect();
    let mut answers = Vec::with_capacity(positions.len());
    for (index, position) in (0..).zip(positions) {
        let row = load.row(position);
        let answer = match (accepted.get(&index), rejected.get(&index)) {
            (Some(ticket), _) => Answer::Acknowledged { ticket: ticket.clone(), row },
            // A field is at fault: it would be refused again.
            (None, Some(one)) if !one.field.is_empty() => {
                Answer::Refused { row, why: format!("{}: {}", one.field, one.message) }
            }
            // The server had no room then; its key makes the retry safe.
            (None, _) => single(client, load, position, false).await?,
        };
        answers.push(answer);
    }
    Ok(answers)
}

/// Hands one ticket in.
async fn single(
    client: &Client,
    load: &Load<'_>,
    position: usize,
    wait_for_reading: bool,
) -> Result<Answer, Status> {
    let request = v1::SubmitTicketRequest { wait_for_reading, ..load.request(position) };
    let response = persist(|| {
        let (mut tickets, request) = (client.tickets.clone(), request.clone());
        async move { tickets.submit_ticket(request).await }
    });
    let row = load.row(position);
    match response.await {
        Ok(response) => {
            let ticket = response.ticket.unwrap_or_default().ticket_id;
            Ok(Answer::Acknowledged { ticket, row })
        }
        Err(status) if status.code() == Code::InvalidArgument => {
            Ok(Answer::Refused { row, why: status.message().to_owned() })
        }
        Err(status) => Err(status),
    }
}

/// Waits for a ticket's reading as long as it takes: where reading is slow, the answer came without it.
/// Otherwise tickets would pile up until rules read them in the model's place.
async fn await_reading(client: &Client, board: &Board, answer: &Answer) {
    let Answer::Acknowledged { ticket, .. } = answer else { return };
    let request = v1::WatchTicketRequest { ticket_id: ticket.clone(), after_sequence: 0 };
    let read = async {
        let mut stream = persist(|| {
            let (mut tickets, request) = (client.tickets.clone(), request.clone());
            async move { tickets.watch_ticket(request).await }
        })
        .await?;
        while let Some(message) = stream.message().await? {
            if message.reading.is_some() {
                break;
            }
        }
        Ok::<(), Status>(())
    };
    tokio::select! {
        read = read => if let Err(status) = read {
            board.note_trouble("waiting for a reading", &status);
        },
        () = board.stop.cancelled() => {}
    }
}

/// Hands a ticket in once more under the same key, as a platform does that lost the answer.
async fn repeat(
    client: &Client,
    load: &Load<'_>,
    board: &Board,
    position: usize,
    first: &Answer,
) -> Result<(), Status> {
    let Answer::Acknowledged { ticket: first, .. } = first else { return Ok(()) };
    match single(client, load, position, true).await? {
        Answer::Acknowledged { ticket, .. } if ticket == *first => {
            board.repeated.fetch_add(1, Relaxed);
        }
        _ => {
            let status = Status::internal("the same key did not give the same ticket");
            board.note_trouble("submitting again", &status);
        }
    }
    Ok(())
}

/// Cancels a ticket, unless somebody was quicker and completed it.
async fn cancel(client: &Client, board: &Board, answer: Option<&Answer>) {
    let Some(Answer::Acknowledged { ticket, .. }) = answer else { return };
    let request = v1::CancelTicketRequest {
        ticket_id: ticket.clone(),
        reason: "customer_left".to_owned(),
        idempotency_key: format!("cancel-{ticket}"),
    };
    let response = persist(|| {
        let (mut tickets, request) = (client.tickets.clone(), request.clone());
        async move { tickets.cancel_ticket(request).await }
    });
    match response.await {
        Ok(_) => {
            board.cancelled.fetch_add(1, Relaxed);
        }
        Err(status) if status.code() == Code::FailedPrecondition => {}
        Err(status) => board.note_trouble("cancelling", &status),
    }
}
