//! Every error a caller can meet, with its reason.

use evenhand::api::v1;
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{TestServer, by, fields, in_workspace, new_ticket, reason, submission};

#[tokio::test]
async fn a_bad_ticket_is_told_every_field_at_once() {
    let server = TestServer::start().await;
    let mut ticket = new_ticket("\u{200b}");
    ticket.priority = 11;
    ticket.segments.insert("shoes".to_owned(), "44".to_owned());
    let request = v1::SubmitTicketRequest {
        ticket: Some(ticket),
        idempotency_key: "not visible".to_owned(),
        wait_for_reading: false,
    };
    let status = server.tickets().await.submit_ticket(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "REQUEST_INVALID")
    );
    assert_eq!(
        fields(&status),
        ["idempotency_key", "ticket.segments[shoes]", "ticket.body", "ticket.priority"]
    );
    server.stop().await;
}

#[tokio::test]
async fn bad_metadata_is_told_by_its_key() {
    let server = TestServer::start().await;
    let mut request = by("no spaces", submission("hello"));
    request.metadata_mut().insert("evenhand-workspace", "a/b".parse().unwrap());
    let status = server.tickets().await.submit_ticket(request).await.unwrap_err();
    assert_eq!(reason(&status), "REQUEST_INVALID");
    assert_eq!(fields(&status), ["metadata[evenhand-workspace]", "metadata[evenhand-actor]"]);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = TestServer::start().await;
    let nobody = "nobody".to_owned();
    let mut tickets = server.tickets().await;
    let get = v1::GetTicketRequest { ticket_id: nobody.clone() };
    let status = tickets.get_ticket(get.clone()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "TICKET_NOT_FOUND"));
    let status = tickets.get_ticket(in_workspace("nowhere", get)).await.unwrap_err();
    assert_eq!(reason(&status), "WORKSPACE_NOT_FOUND");
    let watch = v1::WatchTicketRequest { ticket_id: nobody.clone(), after_sequence: 0 };
    let status = tickets.watch_ticket(watch).await.unwrap_err();
    assert_eq!(reason(&status), "TICKET_NOT_FOUND");
    let mut admin = server.administration().await;
    let status = admin.get_agent(v1::GetAgentRequest { agent_id: nobody }).await.unwrap_err();
    assert_eq!(reason(&status), "AGENT_NOT_FOUND");
    let status = admin.get_policy(v1::GetPolicyRequest { version: 99 }).await.unwrap_err();
    assert_eq!(reason(&status), "POLICY_NOT_FOUND");
    let skill = v1::DeleteSkillRequest { skill_id: "flying".to_owned(), ..Default::default() };
    let status = admin.delete_skill(skill).await.unwrap_err();
    assert_eq!(reason(&status), "SKILL_NOT_FOUND");
    let mut insight = server.insight().await;
    let record = v1::GetDecisionRecordRequest { sequence: 1 };
    let status = insight.get_decision_record(record).await.unwrap_err();
    assert_eq!(reason(&status), "DECISION_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn an_agent_must_say_who_calls() {
    let server = TestServer::start().await;
    let mut agents = server.agents().await;
    let status = agents.get_desk(v1::GetDeskRequest {}).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "ACTOR_MISSING"));
    let status = agents.stream_offers(v1::StreamOffersRequest::default()).await.unwrap_err();
    assert_eq!(reason(&status), "ACTOR_MISSING");
    let status = agents.stream_offers(by("nobody", v1::StreamOffersRequest::default())).await;
    assert_eq!(reason(&status.unwrap_err()), "AGENT_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn administration_refuses_what_would_lose_something() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    let mut admin = server.administration().await;
    let workspace = v1::Workspace { workspace_id: "default".to_owned(), ..Default::default() };
    let create = v1::CreateWorkspaceRequest {
        workspace: Some(workspace.clone()),
        idempotency_key: String::new(),
    };
    let status = admin.create_workspace(create).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::AlreadyExists, "WORKSPACE_EXISTS")
    );
    let stale = v1::Workspace { version: 77, ..workspace };
    let update =
        v1::UpdateWorkspaceRequest { workspace: Some(stale), idempotency_key: String::new() };
    let status = admin.update_workspace(update).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "VERSION_CONFLICT"));
    assert_eq!(status.get_details_error_info().unwrap().metadata["expected"], "77");
    let profile = v1::AgentProfile { agent_id: "ana".to_owned(), ..Default::default() };
    let create = v1::CreateAgentRequest { profile: Some(profile), idempotency_key: String::new() };
    assert_eq!(reason(&admin.create_agent(create).await.unwrap_err()), "AGENT_EXISTS");
    let skill = v1::DeleteSkillRequest { skill_id: "refunds".to_owned(), ..Default::default() };
    assert_eq!(reason(&admin.delete_skill(skill).await.unwrap_err()), "SKILL_IN_USE");
    let mut ana = server.sign_in("ana").await;
    server.submit("refund please").await;
    let offer = ana.next_offer().await;
    ana.accept(&offer.offer_id).await.unwrap();
    let delete = v1::DeleteAgentRequest { agent_id: "ana".to_owned(), ..Default::default() };
    let status = admin.delete_agent(delete).await.unwrap_err();
    assert_eq!(reason(&status), "AGENT_HAS_ASSIGNMENTS");
    server.stop().await;
}

#[tokio::test]
async fn a_late_answer_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    let mut ana = server.sign_in("ana").await;
    let ticket = server.submit("refund please").await;
    let status = ana.complete(&ticket.ticket_id).await.unwrap_err();
    assert_eq!(reason(&status), "TICKET_NOT_ASSIGNED");
    let offer = ana.next_offer().await;
    ana.accept(&offer.offer_id).await.unwrap();
    let status = ana.accept(&offer.offer_id).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "OFFER_NOT_LIVE")
    );
    let later = format!("{}.9", ticket.ticket_id);
    assert_eq!(reason(&ana.accept(&later).await.unwrap_err()), "OFFER_NOT_LIVE");
    ana.complete(&ticket.ticket_id).await.unwrap();
    let cancel = v1::CancelTicketRequest {
        ticket_id: ticket.ticket_id.clone(),
        reason: "customer_left".to_owned(),
        idempotency_key: String::new(),
    };
    let status = server.tickets().await.cancel_ticket(cancel).await.unwrap_err();
    assert_eq!(reason(&status), "TICKET_CLOSED");
    let after = server.ticket(&ticket.ticket_id).await;
    assert_eq!(after.status(), v1::TicketStatus::Completed);
    server.stop().await;
}

#[tokio::test]
async fn the_classifier_says_when_it_is_full_or_missing() {
    let server = TestServer::start().await;
    let mut classifier = server.classification().await;
    let classify = |text: &str| v1::ClassifyRequest { texts: vec![text.to_owned()] };
    let readings = classifier.classify(classify("refund")).await.unwrap().into_inner().readings;
    assert_eq!(readings[0].intent, "get_refund");
    assert_eq!(
        classifier.get_model(v1::GetModelRequest {}).await.unwrap().into_inner().model,
        "keywords-1"
    );
    let status = classifier.classify(classify("too many")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "CLASSIFIER_FULL")
    );
    assert!(status.get_details_retry_info().is_some());
    let texts = vec![String::new(), "x".repeat(20_001)];
    let status = classifier.classify(v1::ClassifyRequest { texts }).await.unwrap_err();
    assert_eq!(fields(&status), ["texts[0]", "texts[1]"]);
    server.stop().await;

    let server = TestServer::builder().without_model().start().await;
    let mut classifier = server.classification().await;
    let status = classifier.classify(classify("refund")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "MODEL_UNAVAILABLE"));
    let status = classifier.get_model(v1::GetModelRequest {}).await.unwrap_err();
    assert_eq!(reason(&status), "MODEL_UNAVAILABLE");
    server.stop().await;
}

#[tokio::test]
async fn no_text_reaches_a_log() {
    const MARKER: &str = "xq7marker";
    let server = TestServer::start().await;
    server.declare_segments(&["plan"]).await;
    server.add_agent("ana", &["refunds"]).await;
    let mut ticket = new_ticket(&format!("refund unreadable {MARKER}"));
    ticket.subject = MARKER.to_owned();
    ticket.customer = MARKER.to_owned();
    ticket.attributes.insert("note".to_owned(), MARKER.to_owned());
    ticket.segments.insert("plan".to_owned(), MARKER.to_owned());
    let good = v1::SubmitTicketRequest { ticket: Some(ticket.clone()), ..Default::default() };
    let mut tickets = server.tickets().await;
    tickets.submit_ticket(good).await.unwrap();
    ticket.language = MARKER.to_owned();
    ticket.segments.insert(MARKER.to_owned(), MARKER.repeat(20));
    let bad = v1::SubmitTicketRequest { ticket: Some(ticket), ..Default::default() };
    let status = tickets.submit_ticket(bad).await.unwrap_err();
    assert!(!status.message().contains(&MARKER.repeat(2)), "{}", status.message());
    let texts = vec![format!("{MARKER} too many")];
    server.classification().await.classify(v1::ClassifyRequest { texts }).await.unwrap_err();
    let list = v1::ListTicketsRequest { customer: MARKER.to_owned(), ..Default::default() };
    let listed = tickets.list_tickets(list).await.unwrap().into_inner().tickets;
    assert_eq!(listed.len(), 1);
    server.stop().await;
    let logs = String::from_utf8_lossy(&crate::support::logs().lock().unwrap()).into_owned();
    assert!(logs.contains("call ended"), "nothing was logged");
    assert!(!logs.contains(MARKER), "a text reached the log");
}
