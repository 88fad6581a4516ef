//! What supervisors do and see: tickets given to an agent, needs without anybody, waits to expect.

use evenhand::api::v1::{self, stream_offers_response::Update};
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{TestServer, by, new_ticket, reason, submission, within};

fn assignment(ticket_id: &str, agent: &str) -> v1::AssignTicketRequest {
    v1::AssignTicketRequest {
        ticket_id: ticket_id.to_owned(),
        agent_id: agent.to_owned(),
        idempotency_key: String::new(),
    }
}

async fn decisions(server: &TestServer, ticket_id: &str) -> Vec<v1::DecisionRecord> {
    let request = v1::ListDecisionRecordsRequest {
        ticket_id: ticket_id.to_owned(),
        ..v1::ListDecisionRecordsRequest::default()
    };
    let response = server.insight().await.list_decision_records(request).await.unwrap();
    response.into_inner().decisions
}

#[tokio::test]
async fn a_ticket_given_by_hand_goes_to_the_agent_named() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    server.add_agent("ben", &[]).await;
    let mut ana = server.sign_in("ana").await;
    let mut ben = server.sign_in("ben").await;
    let ticket = server.submit("refund please").await;
    let first = ana.next_offer().await;
    let request = by("zoe", assignment(&ticket.ticket_id, "ben"));
    let given = server.tickets().await.assign_ticket(request).await.unwrap().into_inner();
    let plan = given.ticket.unwrap().plan.unwrap();
    assert_eq!((plan.route.as_str(), plan.requirements.len()), ("by_hand", 0));
    let offer = ben.next_offer().await;
    assert_eq!(offer.ticket.unwrap().ticket_id, ticket.ticket_id);
    assert_eq!(offer.why, "Offered to ben: was named by a supervisor.");
    let revoked = async {
        loop {
            if let Some(Update::Closed(closed)) = ana.next().await {
                return closed;
            }
        }
    };
    let revoked = within(revoked).await;
    assert_eq!((revoked.offer_id, revoked.reason.as_str()), (first.offer_id, "revoked"));
    let records = decisions(&server, &ticket.ticket_id).await;
    let told = &records[0].explanation;
    assert!(told.contains("A supervisor gave it to an agent"), "{told}");
    assert_eq!(records[0].agent_choice(), v1::AgentChoice::LongestCumulativeIdle);
    server.stop().await;
}

#[tokio::test]
async fn a_ticket_may_be_given_before_anybody_has_read_it() {
    let server = TestServer::start().await;
    server.add_agent("ana", &[]).await;
    let request = submission("this is unreadable");
    let response = server.tickets().await.submit_ticket(request).await.unwrap();
    let ticket_id = response.into_inner().ticket.unwrap().ticket_id;
    let mut ana = server.sign_in("ana").await;
    server.tickets().await.assign_ticket(assignment(&ticket_id, "ana")).await.unwrap();
    let offer = ana.next_offer().await;
    assert_eq!(offer.why, "Offered to ana: was named by a supervisor.");
    let desk = ana.client.get_desk(by("ana", v1::GetDeskRequest {})).await.unwrap().into_inner();
    assert_eq!(desk.desk.unwrap().offers[0].why, offer.why);
    assert_eq!(decisions(&server, &ticket_id).await[0].model, "");
    ana.accept(&offer.offer_id).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_ticket_cannot_be_given_where_that_would_break_something() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    server.add_agent("ben", &[]).await;
    let mut tickets = server.tickets().await;
    let needs = v1::SkillRequirement {
        skill_id: "refunds".to_owned(),
        permanent: true,
        ..Default::default()
    };
    let new = v1::NewTicket { skill_requirements: vec![needs], ..new_ticket("refund please") };
    let submit =
        v1::SubmitTicketRequest { ticket: Some(new), wait_for_reading: true, ..Default::default() };
    let ticket_id =
        tickets.submit_ticket(submit).await.unwrap().into_inner().ticket.unwrap().ticket_id;

    let status = tickets.assign_ticket(assignment("no spaces", "é")).await.unwrap_err();
    assert_eq!(crate::support::fields(&status), ["ticket_id", "agent_id"]);
    let status = tickets.assign_ticket(assignment("none", "ana")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "TICKET_NOT_FOUND"));
    let status = tickets.assign_ticket(assignment(&ticket_id, "nobody")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "AGENT_NOT_FOUND"));
    let status = tickets.assign_ticket(assignment(&ticket_id, "ben")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "AGENT_UNFIT")
    );
    let details = status.get_details_error_info().unwrap().metadata;
    assert_eq!((&details["agent_id"][..], &details["skill_id"][..]), ("ben", "refunds"));

    let mut ana = server.sign_in("ana").await;
    let offer = ana.next_offer().await;
    ana.accept(&offer.offer_id).await.unwrap();
    let status = tickets.assign_ticket(assignment(&ticket_id, "ana")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "TICKET_ASSIGNED")
    );
    ana.complete(&ticket_id).await.unwrap();
    let status = tickets.assign_ticket(assignment(&ticket_id, "ana")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "TICKET_CLOSED")
    );
    server.stop().await;
}

#[tokio::test]
async fn a_retried_assignment_is_made_once() {
    let server = TestServer::start().await;
    server.add_agent("ana", &[]).await;
    let ticket = server.submit("refund please").await;
    let keyed = |agent| v1::AssignTicketRequest {
        idempotency_key: "hand-1".to_owned(),
        ..assignment(&ticket.ticket_id, agent)
    };
    let mut tickets = server.tickets().await;
    let once = tickets.assign_ticket(keyed("ana")).await.unwrap().into_inner().ticket.unwrap();
    let again = tickets.assign_ticket(keyed("ana")).await.unwrap().into_inner().ticket.unwrap();
    assert_eq!(again.sequence, once.sequence);
    let status = tickets.assign_ticket(keyed("ben")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED")
    );
    server.stop().await;
}

#[tokio::test]
async fn what_nobody_on_duty_can_do_is_counted_and_measured() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    for text in ["refund one", "refund two"] {
        server.submit(text).await;
    }
    let measures = || async {
        let request = v1::GetServiceMeasuresRequest::default();
        server.insight().await.get_service_measures(request).await.unwrap().into_inner()
    };
    let service = measures().await;
    let [need] = &service.unstaffed[..] else { panic!("{:?}", service.unstaffed) };
    assert_eq!((need.waiting_count, need.fit_agent_count), (2, 1));
    assert_eq!(need.requirements[0].skill_id, "refunds");
    assert_eq!((service.load_gini_index, service.load_max_mean_ratio), (None, None));
    let mut ana = server.sign_in("ana").await;
    let offer = ana.next_offer().await;
    ana.accept(&offer.offer_id).await.unwrap();
    let service = measures().await;
    assert!(service.unstaffed.is_empty(), "{:?}", service.unstaffed);
    assert_eq!((service.load_gini_index, service.load_max_mean_ratio), (Some(0.0), Some(1.0)));
    server.stop().await;
}

#[tokio::test]
async fn a_ticket_says_how_long_it_may_wait() {
    let server = TestServer::start().await;
    let first = server.submit("refund one").await;
    let second = server.submit("refund two").await;
    assert_eq!(second.wait_estimate, None, "only GetTicket estimates");
    for (ticket, ahead) in [(&first, 0), (&second, 1)] {
        let estimate = server.ticket(&ticket.ticket_id).await.wait_estimate.unwrap();
        assert_eq!((estimate.tickets_ahead, estimate.wait_ms), (ahead, None));
    }
    let cancel =
        v1::CancelTicketRequest { ticket_id: first.ticket_id.clone(), ..Default::default() };
    server.tickets().await.cancel_ticket(cancel).await.unwrap();
    assert_eq!(server.ticket(&first.ticket_id).await.wait_estimate, None);
    let estimate = server.ticket(&second.ticket_id).await.wait_estimate.unwrap();
    assert_eq!(estimate.tickets_ahead, 0);
    server.stop().await;
}
