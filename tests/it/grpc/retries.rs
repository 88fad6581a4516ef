//! Retries, pages, bulk and deadlines.

use std::{collections::BTreeSet, time::Duration};

use evenhand::api::v1;
use tonic::{Code, Request};

use crate::support::{TestServer, by, new_ticket, reason, submission, within};

#[tokio::test]
async fn a_retried_submission_returns_the_first_ticket_as_it_stands_now() {
    let server = TestServer::start().await;
    let keyed = |text: &str| v1::SubmitTicketRequest {
        idempotency_key: "order-17".to_owned(),
        ..submission(text)
    };
    let mut tickets = server.tickets().await;
    let first = tickets.submit_ticket(keyed("refund please")).await.unwrap().into_inner();
    let first = first.ticket.unwrap();
    let cancel = v1::CancelTicketRequest {
        ticket_id: first.ticket_id.clone(),
        ..v1::CancelTicketRequest::default()
    };
    tickets.cancel_ticket(cancel).await.unwrap();
    let waiting = v1::SubmitTicketRequest { wait_for_reading: true, ..keyed("refund please") };
    let again = tickets.submit_ticket(waiting).await.unwrap().into_inner().ticket.unwrap();
    assert_eq!(again.ticket_id, first.ticket_id);
    assert_eq!(again.status(), v1::TicketStatus::Cancelled);
    let status = tickets.submit_ticket(keyed("another text")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED")
    );
    // The same ticket in bulk is the same ticket.
    let bulk = v1::SubmitTicketsRequest {
        ticket: Some(new_ticket("refund please")),
        idempotency_key: "order-17".to_owned(),
    };
    let answer = tickets.submit_tickets(tokio_stream::iter([bulk])).await.unwrap().into_inner();
    assert_eq!(answer.accepted[0].ticket_id, first.ticket_id);
    server.stop().await;
}

#[tokio::test]
async fn two_agents_may_use_the_same_key() {
    let server = TestServer::start().await;
    let set = v1::SetPresenceRequest {
        presence: v1::Presence::Available.into(),
        idempotency_key: "1".to_owned(),
    };
    let mut agents = server.agents().await;
    for agent in ["ana", "ben"] {
        server.add_agent(agent, &[]).await;
        agents.set_presence(by(agent, set.clone())).await.unwrap();
        let desk = agents.get_desk(by(agent, v1::GetDeskRequest {})).await.unwrap().into_inner();
        assert_eq!(desk.desk.unwrap().presence(), v1::Presence::Available, "{agent}");
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_hold_everything_once_in_order() {
    let server = TestServer::start().await;
    let mut tickets = server.tickets().await;
    let mut newest_first = Vec::new();
    for index in 0..7 {
        let request = submission(&format!("refund {index}"));
        let ticket = tickets.submit_ticket(request).await.unwrap().into_inner().ticket.unwrap();
        newest_first.insert(0, ticket.ticket_id);
    }
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListTicketsRequest { page_size: 3, page_token, ..Default::default() };
        let page = tickets.list_tickets(request).await.unwrap().into_inner();
        assert!(page.tickets.len() <= 3);
        seen.extend(page.tickets.into_iter().map(|ticket| ticket.ticket_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, newest_first);
    let request = v1::ListTicketsRequest { page_token: "made up".to_owned(), ..Default::default() };
    let status = tickets.list_tickets(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "PAGE_TOKEN_INVALID")
    );
    server.stop().await;
}

#[tokio::test]
async fn a_bulk_stream_takes_the_good_and_names_the_bad() {
    let server = TestServer::start().await;
    let messages: Vec<_> = (0..1000)
        .map(|index| v1::SubmitTicketsRequest {
            ticket: (index != 13).then(|| {
                let text = if index == 500 { String::new() } else { format!("refund {index}") };
                new_ticket(&text)
            }),
            idempotency_key: String::new(),
        })
        .collect();
    let mut tickets = server.tickets().await;
    let answer = tickets.submit_tickets(tokio_stream::iter(messages)).await.unwrap().into_inner();
    let bad: Vec<_> =
        answer.rejected.iter().map(|r| (r.index, r.reason.as_str(), r.field.as_str())).collect();
    assert_eq!(bad, [(13, "REQUEST_INVALID", "ticket"), (500, "REQUEST_INVALID", "ticket.body")]);
    let indexes: Vec<_> = answer.accepted.iter().map(|accepted| accepted.index).collect();
    assert_eq!(indexes, (0..1000).filter(|i| ![13, 500].contains(i)).collect::<Vec<_>>());
    let names: BTreeSet<_> = answer.accepted.iter().map(|a| a.ticket_id.as_str()).collect();
    assert_eq!(names.len(), 998);
    for ticket_id in [answer.accepted[0].ticket_id.clone(), answer.accepted[997].ticket_id.clone()]
    {
        server.ticket(&ticket_id).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn waiting_for_a_reading_ends_with_the_callers_patience() {
    let server = TestServer::start().await;
    let mut request = Request::new(v1::SubmitTicketRequest {
        wait_for_reading: true,
        ..submission("this is unreadable")
    });
    request.set_timeout(Duration::from_millis(400));
    // The rules read after the policy's wait of a few seconds; the caller has less.
    let response = within(server.tickets().await.submit_ticket(request)).await.unwrap();
    let ticket = response.into_inner().ticket.unwrap();
    server.ticket(&ticket.ticket_id).await;
    server.stop().await;
}

#[tokio::test]
async fn a_stream_past_its_deadline_ends_as_such() {
    let server = TestServer::start().await;
    let ticket = server.submit("refund please").await;
    let watch = v1::WatchTicketRequest { ticket_id: ticket.ticket_id, after_sequence: 0 };
    let mut request = Request::new(watch);
    request.metadata_mut().insert("grpc-timeout", "300m".parse().unwrap());
    let mut stream = server.tickets().await.watch_ticket(request).await.unwrap().into_inner();
    let status = loop {
        match within(stream.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a status"),
            Err(status) => break status,
        }
    };
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    server.stop().await;
}
