//! Other people's clients: health, reflection in both versions, gzip, gRPC-Web as raw bytes, probes.

use std::{fmt::Write, net::SocketAddr};

use evenhand::api::v1;
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, Request, codec::CompressionEncoding};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::support::{TestServer, reason, submission, within};

#[tokio::test]
async fn health_is_known_for_the_whole_and_for_each_service_also_with_gzip() {
    let server = TestServer::start().await;
    let mut health =
        HealthClient::new(server.channel().await).send_compressed(CompressionEncoding::Gzip);
    for service in ["", "evenhand.v1.TicketService", "evenhand.v1.InsightService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let response = health.check(request).await.unwrap().into_inner();
        assert_eq!(response.status, 1, "{service}");
    }
    server.stop().await;
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_versions() {
    let server = TestServer::start().await;
    macro_rules! services {
        ($version:ident) => {{
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest,
                server_reflection_response::MessageResponse,
            };
            let request = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let mut client = ServerReflectionClient::new(server.channel().await);
            let stream = tokio_stream::iter([request]);
            let mut answers = client.server_reflection_info(stream).await.unwrap().into_inner();
            let answer = within(answers.message()).await.unwrap().unwrap();
            let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
                panic!("no list")
            };
            list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
        }};
    }
    for names in [services!(v1), services!(v1alpha)] {
        for service in ["Ticket", "Agent", "Admin", "Classification", "Insight"] {
            let name = format!("evenhand.v1.{service}Service");
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn gzip_is_taken_both_ways() {
    let server = TestServer::start().await;
    let mut tickets = server
        .tickets()
        .await
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let text = "refund ".repeat(500);
    let response = tickets.submit_ticket(submission(&text)).await.unwrap();
    assert_eq!(response.metadata().get("grpc-encoding").unwrap(), "gzip");
    assert_eq!(response.into_inner().ticket.unwrap().body, text.trim());
    server.stop().await;
}

/// Sends one gRPC-Web call as raw bytes over HTTP/1.1; returns the whole answer.
async fn grpc_web(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\ncontent-length: {}\r\n",
        body.len() + 5
    );
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let encoding = headers.iter().find(|(name, _)| *name == "grpc-encoding");
    let compressed = u8::from(encoding.is_some_and(|(_, encoding)| *encoding != "identity"));
    stream.write_all(&[compressed]).await.unwrap();
    stream.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn a_browser_calls_by_grpc_web_over_http_1() {
    let server = TestServer::start().await;
    let body = submission("refund from a browser").encode_to_vec();
    let path = "/evenhand.v1.TicketService/SubmitTicket";
    let answer = grpc_web(server.address, path, &[], &body).await;
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("refund from a browser"), "{text}");
    assert!(text.contains("grpc-status:0"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_are_not_let_in() {
    let server = TestServer::builder()
        .options(|options| options.cors_origins = vec!["https://desk.example".to_owned()])
        .start()
        .await;
    let path = "/evenhand.v1.TicketService/SubmitTicket";
    let body = submission("refund").encode_to_vec();
    for (origin, allowed) in [("https://desk.example", true), ("https://evil.example", false)] {
        let answer = grpc_web(server.address, path, &[("origin", origin)], &body).await;
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert_eq!(text.contains("access-control-allow-origin"), allowed, "{text}");
        assert_eq!(text.starts_with("http/1.1 403"), !allowed, "{text}");
    }
    let list = v1::ListTicketsRequest::default();
    let listed = server.tickets().await.list_tickets(list).await.unwrap().into_inner().tickets;
    assert_eq!(listed.len(), 1, "the page was refused after the fact");
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_message_gets_a_reason_too() {
    let server = TestServer::start().await;
    let submit = "/evenhand.v1.TicketService/SubmitTicket";
    let nothing = "/evenhand.v1.TicketService/Nothing";
    let large = submission(&"x".repeat(300 * 1024)).encode_to_vec();
    for (path, encoding, body, expected) in [
        (submit, "identity", &[0x0a, 0x02, 0xff, 0xff][..], "REQUEST_MALFORMED"),
        (nothing, "identity", &[], "METHOD_UNKNOWN"),
        (submit, "zstd", &[0x28], "ENCODING_UNSUPPORTED"),
        (submit, "identity", &large, "MESSAGE_TOO_LARGE"),
    ] {
        let headers = [("grpc-encoding", encoding)];
        let answer = grpc_web(server.address, path, &headers, body).await;
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(reason(&status_of(&text)), expected, "{text}");
    }
    server.stop().await;
}

/// Returns the status in an answer's head or in its last frame.
fn status_of(answer: &str) -> tonic::Status {
    let mut headers = http::HeaderMap::new();
    for line in answer.lines() {
        // A trailer frame begins with its kind and length.
        let Some(start) = line.find("grpc-") else { continue };
        let Some((name, value)) = line[start..].split_once(':') else { continue };
        let Ok(name) = name.parse::<http::HeaderName>() else { continue };
        headers.insert(name, value.trim().parse().unwrap());
    }
    tonic::Status::from_header_map(&headers).unwrap_or_else(|| panic!("no status in {answer}"))
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_over_http_2_as_well() {
    let server = TestServer::start().await;
    let mut client = tonic::client::Grpc::new(server.channel().await);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/evenhand.v1.TicketService/Nothing");
    let codec = tonic_prost::ProstCodec::<v1::GetTicketRequest, v1::GetTicketResponse>::default();
    let request = Request::new(v1::GetTicketRequest::default());
    let status = client.unary(request, path, codec).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "METHOD_UNKNOWN"));
    server.stop().await;
}

/// Asks the operators' port.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn probes_and_metrics_are_on_their_own_port() {
    let server = TestServer::start().await;
    server.declare_segments(&["probed"]).await;
    server.submit("refund please").await;
    assert!(get(server.admin, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(get(server.admin, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(server.admin, "/metrics").await;
    let submitted = "evenhand_call_seconds_count{method=\"/evenhand.v1.TicketService/SubmitTicket\",code=\"OK\"}";
    assert!(metrics.contains(submitted), "{metrics}");
    assert!(metrics.contains("evenhand_events_total{type=\"ticket_received\"}"), "{metrics}");
    // Fairness is measured every second here.
    let verdict =
        "evenhand_bias_verdict{workspace=\"default\",attribute=\"probed\",span=\"all\"} 0";
    let measured = async {
        while !get(server.admin, "/metrics").await.contains(verdict) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    within(measured).await;
    let logs = String::from_utf8_lossy(&crate::support::logs().lock().unwrap()).into_owned();
    let line = logs.lines().find(|line| line.contains("attribute=\"probed\""));
    assert!(line.is_some_and(|line| line.contains("bias measured")), "{line:?}");
    server.stop().await;
}
