//! A segment is treated differently: the alarm, and people who see to it.

use std::time::Duration;

use evenhand::api::v1::{
    self, insight_service_client::InsightServiceClient, stream_alarms_response::Update,
};
use tonic::{Code, Streaming, transport::Channel};

use crate::support::{TestServer, by, fields, new_ticket, reason, within};

/// Tickets of each segment.
const TICKETS: usize = 40;

/// Sends tickets of which only those of one segment are urgent, and takes them all back.
async fn treat_differently(server: &TestServer) {
    let mut tickets = server.tickets().await;
    for number in 0..2 * TICKETS {
        let (segment, text) =
            if number % 2 == 0 { ("65+", "urgent") } else { ("18-64", "some day") };
        let mut ticket = new_ticket(text);
        ticket.segments.insert("age_band".to_owned(), segment.to_owned());
        let request = v1::SubmitTicketRequest {
            ticket: Some(ticket),
            wait_for_reading: true,
            ..v1::SubmitTicketRequest::default()
        };
        let ticket = tickets.submit_ticket(request).await.unwrap().into_inner().ticket.unwrap();
        let cancel = v1::CancelTicketRequest {
            ticket_id: ticket.ticket_id,
            reason: "duplicate".to_owned(),
            ..v1::CancelTicketRequest::default()
        };
        tickets.cancel_ticket(cancel).await.unwrap();
    }
}

type Insight = InsightServiceClient<Channel>;

async fn alarms(insight: &mut Insight, only_open: bool) -> Vec<v1::Alarm> {
    let request = v1::ListAlarmsRequest { only_open, ..v1::ListAlarmsRequest::default() };
    insight.list_alarms(request).await.unwrap().into_inner().alarms
}

async fn fast_tracked(insight: &mut Insight) -> v1::MeasureEvidence {
    let request = v1::GetFairnessEvidenceRequest { attributes: vec!["age_band".to_owned()] };
    let answer = insight.get_fairness_evidence(request).await.unwrap().into_inner();
    assert_eq!(answer.outcome_wait_secs, 86_400);
    let measures = answer.attributes.into_iter().next().unwrap().measures;
    assert_eq!(measures.len(), 9);
    measures.into_iter().find(|one| one.measure() == v1::FairnessMeasure::FastTracked).unwrap()
}

async fn next(stream: &mut Streaming<v1::StreamAlarmsResponse>) -> (u64, Update) {
    let message = within(stream.message()).await.unwrap().unwrap();
    (message.sequence, message.update.unwrap())
}

fn acknowledge(alarm_sequence: u64, note: &str) -> v1::AcknowledgeAlarmRequest {
    v1::AcknowledgeAlarmRequest {
        alarm_sequence,
        note: note.to_owned(),
        idempotency_key: "seen".to_owned(),
    }
}

#[tokio::test]
async fn a_segment_treated_differently_raises_an_alarm_that_people_see_to() {
    let server = TestServer::start().await;
    server.declare_segments(&["age_band"]).await;
    let mut insight = server.insight().await;
    let request = v1::StreamAlarmsRequest { after_sequence: 0 };
    let mut stream = insight.stream_alarms(request).await.unwrap().into_inner();
    let before = fast_tracked(&mut insight).await;
    assert_eq!(before.state(), v1::EvidenceState::NotEnoughEvidence);
    assert!(before.comparisons.is_empty() && before.first_receive_time.is_none());

    treat_differently(&server).await;
    let (raised, Update::Alarm(alarm)) = next(&mut stream).await else { panic!("no alarm") };
    assert_eq!(alarm.alarm_sequence, raised);
    assert_eq!(alarm.measure(), v1::FairnessMeasure::FastTracked);
    assert_eq!(alarm.attribute, "age_band");
    let is_more = if alarm.segment == "65+" { 1.0 } else { -1.0 };
    assert!((alarm.difference - is_more).abs() < 1e-9, "{alarm:?}");
    let ends = alarm.difference_low..=alarm.difference_high;
    assert!(ends.contains(&alarm.difference), "{alarm:?}");
    assert!(alarm.difference_low * is_more > 0.0 || alarm.difference_high * is_more > 0.0);
    // Two segments are each other's mirror: both are refuted together, at a ninth of 5 %.
    assert!(alarm.log_evidence > (9.0_f64 / 0.05).ln(), "{alarm:?}");
    let open = alarms(&mut insight, true).await;
    assert_eq!(open.as_slice(), std::slice::from_ref(&alarm));
    // The measures of the tickets that came since are in the evidence, not in the alarm.
    let during = fast_tracked(&mut insight).await;
    assert_eq!(during.state(), v1::EvidenceState::Unfair);
    let counts: Vec<u64> =
        during.comparisons.iter().map(|one| one.segment_rate.unwrap().count).collect();
    assert_eq!(counts, [TICKETS as u64; 2]);

    let refused = insight.acknowledge_alarm(acknowledge(0, " ")).await.unwrap_err();
    assert_eq!(fields(&refused), ["alarm_sequence", "note"]);
    let refused = insight.acknowledge_alarm(acknowledge(raised + 1, "no")).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused)),
        (Code::FailedPrecondition, "ALARM_NOT_OPEN".to_owned())
    );
    let seen = || by("officer", acknowledge(raised, "urgent words are read by people now"));
    insight.acknowledge_alarm(seen()).await.unwrap();
    insight.acknowledge_alarm(seen()).await.expect("the same key says the same");
    let (sequence, Update::Acknowledged(acknowledged)) = next(&mut stream).await else {
        panic!("not acknowledged")
    };
    assert_eq!(acknowledged.alarm_sequence, raised);
    let by_whom = acknowledged.acknowledgement.unwrap();
    assert_eq!((by_whom.sequence, by_whom.actor.as_str()), (sequence, "officer"));
    assert_eq!(by_whom.note, "urgent words are read by people now");
    assert_eq!(alarms(&mut insight, true).await, []);

    // After a start the same is known, and what was known before the acknowledgement does not count again.
    let folder = server.stop().await;
    let server = TestServer::builder().start_in(folder).await;
    let mut insight = server.insight().await;
    let after = fast_tracked(&mut insight).await;
    assert!(after.first_receive_time.is_none(), "{after:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let all = alarms(&mut insight, false).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].acknowledgement.as_ref().unwrap(), &by_whom);
    let request = v1::StreamAlarmsRequest { after_sequence: sequence };
    let mut stream = insight.stream_alarms(request).await.unwrap().into_inner();
    treat_differently(&server).await;
    let (again, Update::Alarm(_)) = next(&mut stream).await else { panic!("no alarm") };
    assert!(again > sequence);
    server.stop().await;
}

#[tokio::test]
async fn evidence_is_told_of_declared_attributes_only() {
    let server = TestServer::start().await;
    server.declare_segments(&["age_band"]).await;
    let request = v1::GetFairnessEvidenceRequest { attributes: vec!["shoe_size".to_owned()] };
    let refused = server.insight().await.get_fairness_evidence(request).await.unwrap_err();
    assert_eq!(fields(&refused), ["attributes[0]"]);
    assert!(refused.message().contains("age_band"), "{}", refused.message());
    server.stop().await;
}
