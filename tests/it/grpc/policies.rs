//! Policies over the API: what is set is what routes, is shown, and is explained.

use evenhand::api::v1;

use crate::support::{TestServer, fields, new_ticket};

async fn policy(server: &TestServer) -> v1::Policy {
    let request = v1::GetPolicyRequest { version: 0 };
    let response = server.administration().await.get_policy(request).await.unwrap();
    response.into_inner().policy.unwrap()
}

async fn set(
    server: &TestServer,
    policy: v1::Policy,
) -> Result<v1::SetPolicyResponse, tonic::Status> {
    let request = v1::SetPolicyRequest { policy: Some(policy), ..Default::default() };
    Ok(server.administration().await.set_policy(request).await?.into_inner())
}

fn level(skill: &str) -> v1::SkillLevel {
    v1::SkillLevel { skill_id: skill.to_owned(), proficiency_min: 2 }
}

/// A route for refunds at gold customers, open at all hours.
fn gold() -> v1::Route {
    v1::Route {
        name: "gold".to_owned(),
        r#match: Some(v1::RouteMatch {
            intents: vec!["get_refund".to_owned()],
            ..Default::default()
        }),
        requirements: vec![v1::SkillRequirement {
            skill_id: "security".to_owned(),
            proficiency_min: 1,
            alternatives: vec![level("refunds")],
            expires_after_secs: 3600,
            ..Default::default()
        }],
        when: "has(attributes.plan) && attributes.plan == \"gold\"".to_owned(),
        preferred: vec![level("billing")],
        around_the_clock: true,
        ..Default::default()
    }
}

fn closed_hours() -> v1::Calendar {
    let never = v1::DateInterval { from: "00:00".to_owned(), to: "00:01".to_owned() };
    v1::Calendar {
        time_zone: "UTC".to_owned(),
        weekly: Vec::new(),
        exceptions: [("1999-01-01".to_owned(), v1::DateHours { intervals: vec![never] })].into(),
    }
}

async fn submit(server: &TestServer, plan: &str) -> v1::Ticket {
    let mut ticket = new_ticket("refund please");
    ticket.attributes.insert("plan".to_owned(), plan.to_owned());
    ticket.preferred_agent_id = "someone.who.left".to_owned();
    let request = v1::SubmitTicketRequest {
        ticket: Some(ticket),
        wait_for_reading: true,
        ..v1::SubmitTicketRequest::default()
    };
    let response = server.tickets().await.submit_ticket(request).await.unwrap();
    response.into_inner().ticket.unwrap()
}

async fn explained(server: &TestServer, ticket_id: &str) -> v1::DecisionRecord {
    let request = v1::ListDecisionRecordsRequest {
        ticket_id: ticket_id.to_owned(),
        ..v1::ListDecisionRecordsRequest::default()
    };
    let response = server.insight().await.list_decision_records(request).await.unwrap();
    response.into_inner().decisions.remove(0)
}

#[tokio::test]
async fn a_policy_is_shown_as_it_was_set_and_routes_by_it() {
    let server = TestServer::start().await;
    server.add_agent("ana", &["refunds"]).await;
    server.add_agent("ben", &["refunds", "billing"]).await;
    let mut ana = server.sign_in("ana").await;
    let mut ben = server.sign_in("ben").await;
    let mut wanted = policy(&server).await;
    wanted.routes.insert(0, gold());
    wanted.agent_choice = v1::AgentChoice::Fastest.into();
    wanted.hours = Some(closed_hours());
    let shown = set(&server, wanted.clone()).await.unwrap().policy.unwrap();
    wanted.version = shown.version;
    assert_eq!(shown, wanted);
    assert_eq!(policy(&server).await, wanted);

    let ticket = submit(&server, "gold").await;
    assert_eq!(ticket.preferred_agent_id, "someone.who.left");
    let plan = ticket.plan.unwrap();
    assert_eq!((plan.route.as_str(), plan.around_the_clock), ("gold", true));
    assert_eq!(plan.preferred, [level("billing")]);
    let offer = ben.next_offer().await;
    let why = "is the only one of 2 eligible agents with the preferred skills.";
    assert!(offer.why.ends_with(why), "{}", offer.why);
    let record = explained(&server, &ticket.ticket_id).await;
    assert_eq!(record.agent_choice(), v1::AgentChoice::Fastest);
    let missing: Vec<_> = record.candidates.iter().map(|c| c.preferred_missing).collect();
    assert_eq!(missing, [0, 1]);
    assert!(record.explanation.contains("It is offered at any hour."), "{}", record.explanation);

    // A ticket of the other routes waits for the hours.
    let ticket = submit(&server, "silver").await;
    let record = explained(&server, &ticket.ticket_id).await;
    assert_eq!(record.kind(), v1::DecisionKind::Queued);
    let told = &record.explanation;
    assert!(told.starts_with("Waiting: the workspace is closed at this hour."), "{told}");
    ben.accept(&offer.offer_id).await.unwrap();

    // The record goes by the policy in force then, not by the one in force now.
    wanted.agent_choice = v1::AgentChoice::Random.into();
    wanted.hours = None;
    set(&server, wanted).await.unwrap();
    let offer = tokio::select! {
        offer = ana.next_offer() => offer,
        offer = ben.next_offer() => offer,
    };
    assert!(offer.why.ends_with("was drawn at random from 2 eligible agents."), "{}", offer.why);
    let request = v1::GetDecisionRecordRequest { sequence: record.sequence };
    let before = server.insight().await.get_decision_record(request).await.unwrap().into_inner();
    assert_eq!(before.decision.unwrap().agent_choice(), v1::AgentChoice::Fastest);
    server.stop().await;
}

#[tokio::test]
async fn a_full_route_hands_over_and_says_so() {
    let server = TestServer::start().await;
    let mut wanted = policy(&server).await;
    let refunds = |name: &str| v1::Route {
        name: name.to_owned(),
        r#match: Some(v1::RouteMatch {
            intents: vec!["get_refund".to_owned()],
            ..Default::default()
        }),
        ..Default::default()
    };
    let full = v1::Route { waiting_max: 1, overflow_route: "spare".to_owned(), ..refunds("full") };
    wanted.routes = vec![full, refunds("spare")];
    let warnings = set(&server, wanted).await.unwrap().warnings;
    let same = "Route `full` overflows to `spare`, which needs the same skills";
    assert!(warnings.iter().any(|warning| warning.contains(same)), "{warnings:?}");
    submit(&server, "gold").await;
    let ticket = submit(&server, "gold").await;
    let plan = ticket.plan.unwrap();
    assert_eq!((plan.route.as_str(), plan.overflowed_route.as_str()), ("spare", "full"));
    let record = explained(&server, &ticket.ticket_id).await;
    let told = "Route `full` was full, so it was planned by its overflow `spare`";
    assert!(record.explanation.contains(told), "{}", record.explanation);
    server.stop().await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_is_told_field_by_field() {
    let server = TestServer::start().await;
    let mut bad = policy(&server).await;
    bad.routes.insert(0, v1::Route { when: "plan == \"gold\"".to_owned(), ..gold() });
    bad.gather_ms = 10_001;
    bad.hours = Some(v1::Calendar { time_zone: "Mars/Base".to_owned(), ..closed_hours() });
    let status = set(&server, bad).await.unwrap_err();
    let places = ["policy.routes[0].when", "policy.gather_ms", "policy.hours.time_zone"];
    assert_eq!(fields(&status), places);
    server.stop().await;
}

#[tokio::test]
async fn an_agent_shows_speed_shifts_and_whether_they_run() {
    let server = TestServer::start().await;
    let profile = v1::AgentProfile {
        agent_id: "ana".to_owned(),
        display_name: "Ana".to_owned(),
        capacity_units: 1,
        speed: 40,
        shifts: Some(closed_hours()),
        ..v1::AgentProfile::default()
    };
    let request = v1::CreateAgentRequest {
        profile: Some(profile.clone()),
        ..v1::CreateAgentRequest::default()
    };
    let made = server.administration().await.create_agent(request).await.unwrap().into_inner();
    let agent = made.agent.unwrap();
    assert_eq!(agent.profile, Some(profile));
    assert_eq!((agent.on_shift, agent.rest_end_time), (false, None));
    server.stop().await;
}
