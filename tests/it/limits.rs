//! Everything is bounded, and past a bound the caller is told what to do.

use std::time::Duration;

use evenhand::{
    api::v1,
    service::{BindError, Options, Server},
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{TestServer, by, new_ticket, reason, submission, within};

#[tokio::test]
async fn a_full_house_tells_the_caller_when_to_retry_and_agents_are_never_shed() {
    let server =
        TestServer::builder().options(|options| options.ticket_calls_max = 1).start().await;
    server.add_agent("ana", &["refunds"]).await;
    server.submit("refund please").await;
    let mut waiting = server.tickets().await;
    let slow = tokio::spawn(async move {
        let request =
            v1::SubmitTicketRequest { wait_for_reading: true, ..submission("this is unreadable") };
        // Until it has the only seat; it keeps that until the rules read the ticket.
        while waiting.submit_ticket(request.clone()).await.is_err() {}
    });
    let mut tickets = server.tickets().await;
    let refused = async {
        loop {
            if let Err(status) = tickets.submit_ticket(submission("refund")).await {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let status = within(refused).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "SERVER_BUSY"));
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    // Meanwhile an agent works as ever.
    let mut ana = server.sign_in("ana").await;
    let offer = ana.next_offer().await;
    ana.accept(&offer.offer_id).await.unwrap();
    slow.abort();
    server.stop().await;
}

#[tokio::test]
async fn a_bulk_stream_ends_at_its_limit_and_says_where() {
    let server = TestServer::start().await;
    // Refused at once, so that the test is about the count.
    let bad = v1::SubmitTicketsRequest { ticket: Some(new_ticket("")), ..Default::default() };
    let messages = tokio_stream::iter(std::iter::repeat_n(bad, 10_050));
    let mut tickets = server.tickets().await.max_decoding_message_size(16 * 1024 * 1024);
    let answer = tickets.submit_tickets(messages).await.unwrap().into_inner();
    assert_eq!(answer.rejected.len(), 10_001);
    let last = answer.rejected.last().unwrap();
    assert_eq!((last.index, last.reason.as_str()), (10_000, "BULK_TOO_LONG"));
    server.stop().await;
}

#[tokio::test]
async fn page_sizes_are_capped() {
    let server = TestServer::start().await;
    let request = v1::ListSkillsRequest { page_size: u32::MAX, page_token: String::new() };
    let skills = server.administration().await.list_skills(request).await.unwrap().into_inner();
    assert!(!skills.skills.is_empty() && skills.skills.len() <= 500);
    server.stop().await;
}

#[tokio::test]
async fn an_address_others_can_reach_is_refused() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051"] {
        let options = Options { listen: listen.parse().unwrap(), ..Options::default() };
        let Err(error) = Server::bind(options).await else { panic!("{listen} was taken") };
        assert!(matches!(error, BindError::NotLoopback(_)), "{error}");
        assert!(error.to_string().contains("loopback only"), "{error}");
        let admin = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: Some(listen.parse().unwrap()),
            ..Options::default()
        };
        assert!(Server::bind(admin).await.is_err(), "{listen}");
    }
}

#[tokio::test]
async fn a_connection_too_many_waits_for_one_to_end() {
    let server = TestServer::builder().options(|options| options.connections_max = 1).start().await;
    let first = server.channel().await;
    let mut tickets = v1::ticket_service_client::TicketServiceClient::new(first);
    tickets.submit_ticket(submission("refund")).await.unwrap();
    let mut second = v1::ticket_service_client::TicketServiceClient::new(server.channel().await);
    let call = second.submit_ticket(submission("refund"));
    let early = tokio::time::timeout(Duration::from_millis(200), call).await;
    assert!(early.is_err(), "the second connection was served");
    drop(tickets);
    within(second.submit_ticket(submission("refund"))).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_desk_needs_an_agent_that_exists() {
    let server = TestServer::start().await;
    let request = by("nobody", v1::GetDeskRequest {});
    let status = server.agents().await.get_desk(request).await.unwrap_err();
    assert_eq!(reason(&status), "AGENT_NOT_FOUND");
    server.stop().await;
}
