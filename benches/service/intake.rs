//! Durable intake: tickets a second over bulk streams into `evenhand serve` without a model, beside a bare
//! loop that writes the same rows in the same commits, in the same run.
//!
//! The load comes from the same machine. Keyword rules read every ticket meanwhile, and nobody takes any.

use std::{sync::Arc, time::Duration};

use evenhand::api::v1::{self, ticket_service_client::TicketServiceClient};
use evenhand_postgres_test::Cluster;
use tempfile::TempDir;
use tokio::{sync::Mutex, time::Instant};
use tonic::{Request, transport::Channel};

use crate::{bare, server::Server};

/// Tickets of one bulk stream, and streams at once: the more tickets wait together, the more share a commit, and
/// the longer each waits.
const BULK: usize = 256;
const STREAMS: [usize; 3] = [1, 2, 4];
/// Tickets before anything is measured, and those that are, by engine.
const WARM: usize = 4 * 1024;
const MEASURED: [usize; 2] = [60 * 1024, 24 * 1024];
/// Characters of a ticket's text, about those of a short e-mail.
const BODY_CHARS: usize = 400;

/// Measures intake into a folder, or into PostgreSQL.
pub(crate) fn measure(postgres: bool) {
    let cluster = postgres.then(|| Cluster::start(&[]).unwrap());
    let url = cluster.as_ref().map(|cluster| cluster.database("intake"));
    let settings: Vec<(&str, &str)> =
        url.iter().map(|url| ("EVENHAND_STORE__URL", url.as_str())).collect();
    let server = Server::start_with(TempDir::new().unwrap(), "none", &settings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let count = MEASURED[usize::from(postgres)];
    let engine = if postgres { "PostgreSQL" } else { "SQLite" };
    println!("{engine}: {count} tickets each in bulk streams of {BULK}");
    runtime.block_on(submit(&server, 1, 0, WARM));
    let (mut first, mut rate) = (WARM, 0.0);
    for streams in STREAMS {
        let (took, mut waits) = runtime.block_on(submit(&server, streams, first, count));
        first += count;
        waits.sort_unstable();
        let at = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        rate = count as f64 / took.as_secs_f64();
        let (half, most) = (at(50), at(99));
        println!("  {streams} at once: {rate:.0} tickets/s; p50 {half:.1} ms, p99 {most:.1} ms");
    }
    for (thread, seconds) in server.cpu() {
        println!("  {:>7.1} us a ticket: {thread}", seconds / first as f64 * 1e6);
    }
    let bare = match &url {
        Some(url) => bare::postgres(url),
        None => bare::sqlite(server.stop().path()),
    };
    println!("  bare loop: {:.0} tickets/s in {} commits", bare.rate, bare.commits);
    println!("  ratio {:.2}, with {} streams", rate / bare.rate, STREAMS[STREAMS.len() - 1]);
}

/// Submits tickets in bulk streams; returns how long that took, and how long each waited.
async fn submit(
    server: &Server,
    at_once: usize,
    first: usize,
    count: usize,
) -> (Duration, Vec<Duration>) {
    let next = Arc::new(Mutex::new((first..first + count).step_by(BULK)));
    let began = Instant::now();
    let mut streams = Vec::new();
    for _ in 0..at_once {
        let (channel, next) = (server.connect().await, Arc::clone(&next));
        streams.push(tokio::spawn(async move {
            let mut waits = Vec::new();
            loop {
                let Some(start) = next.lock().await.next() else { return waits };
                waits.extend(stream(channel.clone(), start).await);
            }
        }));
    }
    let mut waits = Vec::new();
    for stream in streams {
        waits.extend(stream.await.unwrap());
    }
    (began.elapsed(), waits)
}

/// Submits the tickets of one stream. All are told of at its end, so each waits from when it was sent.
async fn stream(channel: Channel, start: usize) -> Vec<Duration> {
    let began = Instant::now();
    let messages = futures::stream::iter((start..start + BULK).map(ticket));
    let mut client = TicketServiceClient::new(channel);
    let answer = client.submit_tickets(Request::new(messages)).await.unwrap().into_inner();
    assert_eq!(answer.accepted.len(), BULK, "{:?}", answer.rejected.first());
    vec![began.elapsed(); BULK]
}

fn ticket(number: usize) -> v1::SubmitTicketsRequest {
    let ticket = v1::NewTicket {
        channel: "email".to_owned(),
        subject: "Where is my order?".to_owned(),
        body: format!("{number} {}", "where is it ".repeat(BODY_CHARS / 12)),
        customer: format!("c-{}", number % 5_000),
        ..v1::NewTicket::default()
    };
    v1::SubmitTicketsRequest { ticket: Some(ticket), idempotency_key: format!("key-{number}") }
}
