//! Streams: resumed, limited, drained, and never left open behind an agent's back.

use std::time::Duration;

use evenhand::api::v1::{self, stream_offers_response::Update};
use tonic::Code;

use crate::support::{TestServer, by, reason, within};

#[tokio::test]
async fn a_resumed_stream_tells_what_happened_meanwhile_and_nothing_twice() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    let mut desk = server.sign_in("ana").await;
    server.submit("refund one").await;
    let first = desk.next_offer().await;
    desk.accept(&first.offer_id).await.unwrap();
    let seen = desk.sequence;
    drop(desk);
    let second = server.submit("refund two").await;
    let mut desk = server.open_stream("ana", seen).await;
    let Some(Update::Assigned(ticket)) = desk.next().await else {
        panic!("the accept comes first")
    };
    assert_eq!(ticket.ticket_id, first.ticket.unwrap().ticket_id);
    let offer = desk.next_offer().await;
    assert_eq!(offer.ticket.unwrap().ticket_id, second.ticket_id);
    assert!(desk.sequence > seen);
    server.stop().await;
}

#[tokio::test]
async fn a_new_stream_starts_with_the_desk_and_its_live_offers() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    let _first = server.sign_in("ana").await;
    server.submit("refund please").await;
    let mut again = server.open_stream("ana", 0).await;
    let Some(Update::Desk(desk)) = again.next().await else { panic!("the desk comes first") };
    assert_eq!(desk.presence(), v1::Presence::Available);
    assert_eq!(desk.lease_expire_time, None);
    let [offer] = desk.offers.as_slice() else { panic!("one offer, not {:?}", desk.offers) };
    assert!(offer.why.contains("only eligible agent"), "{}", offer.why);
    server.stop().await;
}

#[tokio::test]
async fn the_ninth_stream_of_an_agent_is_refused_until_one_ends() {
    let server = TestServer::start().await;
    server.add_agent("ana", &[]).await;
    let mut desks = Vec::new();
    for _ in 0..8 {
        desks.push(server.open_stream("ana", 0).await);
    }
    let mut agents = server.agents().await;
    let open = || by("ana", v1::StreamOffersRequest::default());
    let status = agents.stream_offers(open()).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "STREAM_LIMIT_REACHED")
    );
    desks.pop();
    let opened = async {
        while agents.stream_offers(open()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(opened).await;
    server.stop().await;
}

#[tokio::test]
async fn a_dropped_stream_leaves_presence_to_its_lease() {
    let server = TestServer::start().await;
    server.add_agent("ana", &[]).await;
    let desk = server.sign_in("ana").await;
    let mut agents = server.agents().await;
    let lease = async |agents: &mut v1::agent_service_client::AgentServiceClient<_>| {
        let desk = agents.get_desk(by("ana", v1::GetDeskRequest {})).await.unwrap();
        desk.into_inner().desk.unwrap().lease_expire_time
    };
    assert_eq!(lease(&mut agents).await, None);
    drop(desk);
    let leased = async {
        while lease(&mut agents).await.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(leased).await;
    server.stop().await;
}

#[tokio::test]
async fn a_stopping_server_drains_its_streams_and_then_ends() {
    let server = TestServer::start().await;
    server.add_agent("ana", &[]).await;
    let mut desk = server.sign_in("ana").await;
    let Some(Update::Desk(_)) = desk.next().await else { panic!("the desk comes first") };
    let ticket = server.submit("nobody takes this").await;
    let watch = v1::WatchTicketRequest { ticket_id: ticket.ticket_id, after_sequence: u64::MAX };
    let mut watched = server.tickets().await.watch_ticket(watch).await.unwrap().into_inner();
    let stopped = server.stop_soon();
    let Some(Update::Drain(_)) = desk.next().await else { panic!("not drained") };
    assert!(desk.next().await.is_none(), "the stream goes on");
    let status = within(watched.message()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "SERVER_STOPPING"));
    within(stopped).await.unwrap();
}

#[tokio::test]
async fn a_client_who_never_leaves_is_cut_after_the_grace() {
    let server = TestServer::start().await;
    // A connection that is open and says nothing.
    let silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let channel = server.channel().await;
    within(server.stop()).await;
    drop((silent, channel));
}
