//! From a ticket to its outcome, and what is on record afterwards.

use evenhand::api::v1::{self, stream_offers_response::Update};

use crate::support::{TestServer, by, in_workspace, new_ticket, within};

#[tokio::test]
async fn a_ticket_goes_from_submission_to_its_outcome() {
    let server = TestServer::start().await;
    server.declare_segments(&["age_band"]).await;
    server.add_agent("ana", &["refunds"]).await;
    let mut desk = server.sign_in("ana").await;
    let Some(Update::Desk(empty)) = desk.next().await else { panic!("the desk comes first") };
    assert!(empty.offers.is_empty() && empty.assignments.is_empty());

    let mut ticket = new_ticket("where is my refund?");
    ticket.segments.insert("age_band".to_owned(), "65+".to_owned());
    let request = v1::SubmitTicketRequest {
        ticket: Some(ticket),
        wait_for_reading: true,
        ..v1::SubmitTicketRequest::default()
    };
    let response = server.tickets().await.submit_ticket(request).await.unwrap();
    let ticket = response.into_inner().ticket.unwrap();
    let reading = ticket.reading.as_ref().unwrap();
    assert_eq!(reading.intent, "get_refund");
    let word = &reading.evidence[0];
    assert_eq!((word.head(), word.weight), (v1::EvidenceHead::Intent, 1.5));
    let said = ticket.body.chars().skip(word.start_chars as usize).take(6).collect::<String>();
    assert_eq!((said.as_str(), word.end_chars - word.start_chars), ("refund", 6));

    let offer = desk.next_offer().await;
    assert_eq!(offer.ticket.as_ref().unwrap().ticket_id, ticket.ticket_id);
    assert!(offer.why.starts_with("Offered to ana: has refunds"), "{}", offer.why);
    let accepted = desk.accept(&offer.offer_id).await.unwrap();
    assert_eq!(accepted.status(), v1::TicketStatus::Assigned);
    let Some(Update::Assigned(assigned)) = desk.next().await else { panic!("not assigned") };
    assert_eq!(assigned.ticket_id, ticket.ticket_id);
    let done = desk.complete(&ticket.ticket_id).await.unwrap();
    assert_eq!(done.status(), v1::TicketStatus::Completed);
    let Some(Update::Closed(closed)) = desk.next().await else { panic!("not closed") };
    assert_eq!((closed.ticket_id, closed.reason.as_str()), (ticket.ticket_id.clone(), "completed"));

    let events = watched(&server, &ticket.ticket_id, 0).await;
    let names: Vec<_> = events.iter().map(|event| event.r#type.as_str()).collect();
    assert_eq!(
        names,
        ["ticket_received", "ticket_read", "offer_made", "offer_accepted", "assignment_completed"]
    );
    assert_eq!(events.last().unwrap().status(), v1::TicketStatus::Completed);
    recorded(&server, &ticket.ticket_id, &offer.offer_id).await;
    measured(&server).await;
    server.stop().await;
}

/// Watches a ticket until it closes.
async fn watched(
    server: &TestServer,
    ticket_id: &str,
    after_sequence: u64,
) -> Vec<v1::TicketEvent> {
    let request = v1::WatchTicketRequest { ticket_id: ticket_id.to_owned(), after_sequence };
    let mut stream = server.tickets().await.watch_ticket(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(message) = within(stream.message()).await.unwrap() {
        let event = message.event.unwrap();
        assert_eq!(message.reading.is_some(), event.r#type == "ticket_read");
        events.push(event);
    }
    events
}

async fn recorded(server: &TestServer, ticket_id: &str, offer_id: &str) {
    let mut insight = server.insight().await;
    let request = v1::ListDecisionRecordsRequest {
        ticket_id: ticket_id.to_owned(),
        ..v1::ListDecisionRecordsRequest::default()
    };
    let listed = insight.list_decision_records(request).await.unwrap().into_inner().decisions;
    let [record] = listed.as_slice() else { panic!("one decision, not {listed:?}") };
    assert_eq!(record.kind(), v1::DecisionKind::Offered);
    assert_eq!((record.agent_id.as_str(), record.offer_id.as_str()), ("ana", offer_id));
    assert!(record.explanation.contains("Offered to ana"), "{}", record.explanation);
    assert!(record.explanation.contains("keywords-1"), "{}", record.explanation);
    let request = v1::GetDecisionRecordRequest { sequence: record.sequence };
    let one = insight.get_decision_record(request).await.unwrap().into_inner().decision.unwrap();
    assert_eq!(&one, record);
}

async fn measured(server: &TestServer) {
    let mut insight = server.insight().await;
    let request = v1::GetBiasMetricsRequest { group_tickets_min: 2, ..Default::default() };
    let bias = insight.get_bias_metrics(request).await.unwrap().into_inner();
    assert_eq!((bias.ticket_count, bias.group_tickets_min), (1, 2));
    let [attribute] = bias.attributes.as_slice() else { panic!("{:?}", bias.attributes) };
    assert_eq!(attribute.verdict(), v1::Verdict::NotEnoughEvidence);
    assert_eq!(attribute.segments[0].segment, "65+");
    assert_eq!(attribute.segments[0].first_contact.as_ref().unwrap().hits, 1);
    let request = v1::GetServiceMeasuresRequest::default();
    let service = insight.get_service_measures(request).await.unwrap().into_inner();
    assert_eq!(service.statuses.unwrap().completed, 1);
    assert_eq!(service.agents[0].completed_count, 1);
    assert_eq!(service.load_jain_index, Some(1.0));
}

#[tokio::test]
async fn a_transferred_ticket_goes_to_the_agent_named() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    server.add_agent("ben", &[]).await;
    let mut ana = server.sign_in("ana").await;
    let mut ben = server.sign_in("ben").await;
    let ticket = server.submit("refund please").await;
    let offer = ana.next_offer().await;
    ana.accept(&offer.offer_id).await.unwrap();
    let request = v1::TransferTicketRequest {
        ticket_id: ticket.ticket_id.clone(),
        target: Some(v1::transfer_ticket_request::Target::AgentId("ben".to_owned())),
        idempotency_key: String::new(),
    };
    ana.client.transfer_ticket(by("ana", request)).await.unwrap();
    let offer = ben.next_offer().await;
    assert_eq!(offer.ticket.unwrap().ticket_id, ticket.ticket_id);
    let reasons = async {
        loop {
            if let Some(Update::Closed(closed)) = ana.next().await {
                return closed.reason;
            }
        }
    };
    assert_eq!(within(reasons).await, "transferred");
    server.stop().await;
}

#[tokio::test]
async fn a_declined_offer_goes_to_somebody_else() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    server.add_agent("ben", &["refunds"]).await;
    let mut ana = server.sign_in("ana").await;
    server.submit("refund please").await;
    let offer = ana.next_offer().await;
    let mut ben = server.sign_in("ben").await;
    let request = v1::DeclineOfferRequest {
        offer_id: offer.offer_id.clone(),
        reason: "not_my_skill".to_owned(),
        idempotency_key: String::new(),
    };
    ana.client.decline_offer(by("ana", request)).await.unwrap();
    let again = ben.next_offer().await;
    assert_ne!(again.offer_id, offer.offer_id);
    let Some(Update::Closed(closed)) = ana.next().await else { panic!("not closed") };
    assert_eq!((closed.offer_id, closed.reason.as_str()), (offer.offer_id, "declined"));
    server.stop().await;
}

#[tokio::test]
async fn workspaces_do_not_see_each_other() {
    let server = TestServer::start().await;
    let workspace = v1::Workspace { workspace_id: "acme".to_owned(), ..Default::default() };
    let request =
        v1::CreateWorkspaceRequest { workspace: Some(workspace), idempotency_key: String::new() };
    server.administration().await.create_workspace(request).await.unwrap();
    let ticket = server.submit("refund please").await;
    let get = v1::GetTicketRequest { ticket_id: ticket.ticket_id };
    let mut tickets = server.tickets().await;
    tickets.get_ticket(get.clone()).await.unwrap();
    let status = tickets.get_ticket(in_workspace("acme", get)).await.unwrap_err();
    assert_eq!(crate::support::reason(&status), "TICKET_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn without_a_model_rules_read_and_say_so() {
    let server = TestServer::builder().without_model().start().await;
    let ticket = server.submit("I want my money back, please refund me").await;
    let reading = ticket.reading.unwrap();
    assert_eq!(reading.source(), v1::ReadingSource::Rules);
    server.stop().await;
}

#[tokio::test]
async fn a_policy_that_decides_by_a_segment_is_flagged() {
    let server = TestServer::start().await;
    server.declare_segments(&["plan"]).await;
    let mut admin = server.administration().await;
    let request = v1::GetPolicyRequest { version: 0 };
    let mut policy = admin.get_policy(request).await.unwrap().into_inner().policy.unwrap();
    policy.routes.insert(
        0,
        v1::Route {
            name: "gold".to_owned(),
            r#match: Some(v1::RouteMatch {
                intents: vec!["make_coffee".to_owned()],
                attributes: [("plan".to_owned(), "gold".to_owned())].into(),
                ..Default::default()
            }),
            ..Default::default()
        },
    );
    let request = v1::SetPolicyRequest {
        expected_version: policy.version,
        policy: Some(policy),
        idempotency_key: String::new(),
    };
    let set = admin.set_policy(request).await.unwrap().into_inner();
    assert_eq!(set.policy.unwrap().version, 2);
    let warned = |what: &str| set.warnings.iter().any(|warning| warning.contains(what));
    assert!(warned("`gold` decides by the attribute `plan`"), "{:?}", set.warnings);
    assert!(warned("`make_coffee`, which the loaded model does not know"), "{:?}", set.warnings);
    assert!(warned("No agent has the skill `refunds`"), "{:?}", set.warnings);
    server.stop().await;
}

#[tokio::test]
async fn a_restarted_server_goes_on_where_it_was() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    let mut desk = server.sign_in("ana").await;
    let ticket = server.submit("refund please").await;
    let offer = desk.next_offer().await;
    desk.accept(&offer.offer_id).await.unwrap();
    let seen = desk.sequence;
    let folder = server.stop().await;
    let server = TestServer::builder().start_in(folder).await;
    let mut desk = server.open_stream("ana", seen).await;
    let Some(Update::Assigned(assigned)) = desk.next().await else { panic!("not assigned") };
    assert_eq!(assigned.ticket_id, ticket.ticket_id);
    desk.complete(&ticket.ticket_id).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn segments_of_few_customers_have_no_numbers() {
    let server =
        TestServer::builder().options(|options| options.shown_tickets_min = 10).start().await;
    server.declare_segments(&["age_band"]).await;
    let mut tickets = server.tickets().await;
    for number in 0..24 {
        let mut ticket = new_ticket("where is my refund?");
        let segment = if number < 21 { "18-64" } else { "65+" };
        ticket.segments.insert("age_band".to_owned(), segment.to_owned());
        let ticket = Some(ticket);
        let request = v1::SubmitTicketRequest {
            ticket,
            wait_for_reading: true,
            ..v1::SubmitTicketRequest::default()
        };
        tickets.submit_ticket(request).await.unwrap();
    }
    let request = v1::GetBiasMetricsRequest::default();
    let bias = server.insight().await.get_bias_metrics(request).await.unwrap().into_inner();
    assert_eq!((bias.ticket_count, bias.shown_tickets_min), (24, 10));
    let [together] = bias.attributes[0].segments.as_slice() else { panic!("{bias:?}") };
    // Beside 65+, nobody else may be told apart either: it would be all the others.
    assert_eq!((together.segment.as_str(), together.ticket_count), ("", 24));
    assert_eq!(bias.attributes[0].put_together_count, 2);
    assert_eq!(together.fast_tracked.unwrap().count, 24);
    assert!(together.target_met.unwrap().count == 0 && together.first_contact.unwrap().count == 0);
    server.stop().await;
}
