//! What people choose, over many tickets.

use super::{
    choice::{Answer, Ending},
    *,
};
use crate::{
    api::v1::{Resolution, TriageReason},
    demo::tickets,
};

fn floor_of(count: usize) -> Floor {
    let policy = v1::Policy {
        language_skills: [("es".to_owned(), "language/es".to_owned())].into(),
        ..Default::default()
    };
    let intents = ["track_order", "get_refund"].map(str::to_owned).to_vec();
    let model = v1::GetModelResponse { intents, ..Default::default() };
    let workspace = Workspace { policy, people: Vec::new(), model };
    let load = Load { tickets: &tickets::embedded().unwrap(), count, seed: 7 };
    Floor::new(Arc::new(Board::default()), &workspace, &load)
}

fn floor() -> Floor {
    floor_of(100)
}

/// Returns one of the demo's tickets about `intent`, as the service offers it.
fn ticket(intent: &str, read_as: &str, reason: TriageReason) -> v1::Ticket {
    let tickets = tickets::embedded().unwrap();
    let english = Some("en".to_owned());
    let row = tickets
        .rows
        .iter()
        .find(|row| row.truth.intent.as_deref() == Some(intent) && row.truth.language == english);
    let new = &row.unwrap().ticket;
    let reading = v1::Reading {
        intent: read_as.to_owned(),
        language: "en".to_owned(),
        language_supported: true,
        ..Default::default()
    };
    let plan = v1::RoutingPlan { triage_reason: reason.into(), ..Default::default() };
    v1::Ticket {
        ticket_id: "t-1".to_owned(),
        subject: new.subject.clone(),
        // The service normalises texts; people recognise them all the same.
        body: format!("  {}\r\n", new.body),
        reading: Some(reading),
        plan: Some(plan),
        ..Default::default()
    }
}

fn ending(floor: &Floor, ticket: &v1::Ticket, seed: u64) -> Ending {
    choice::ending(&mut ChaCha8Rng::seed_from_u64(seed), floor, ticket)
}

fn resolution(ending: Ending) -> Resolution {
    match ending {
        Ending::Complete(outcome) => outcome.resolution(),
        Ending::HandOn(intent) => panic!("handed on as {intent}"),
    }
}

#[test]
fn most_offers_are_accepted_and_a_few_are_not() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let answers: Vec<Answer> = (0..10_000).map(|_| choice::answer(&mut rng, 1)).collect();
    let accepted = answers.iter().filter(|answer| **answer == Answer::Accept).count();
    let ignored = answers.iter().filter(|answer| **answer == Answer::Ignore).count();
    assert!((9_200..9_600).contains(&accepted), "{accepted}");
    assert!((50..200).contains(&ignored), "{ignored}");
}

#[test]
fn a_ticket_declined_often_enough_is_taken() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    assert!((0..1_000).all(|_| choice::answer(&mut rng, 4) == Answer::Accept));
}

#[test]
fn people_who_triage_hand_on_what_they_know() {
    let floor = floor();
    let unsure = ticket("track_order", "get_refund", TriageReason::LowConfidence);
    assert_eq!(ending(&floor, &unsure, 1), Ending::HandOn("track_order".to_owned()));
    let unknown = ticket("out_of_scope", "get_refund", TriageReason::OutOfScope);
    assert_ne!(resolution(ending(&floor, &unknown, 1)), Resolution::WrongIntent);
}

#[test]
fn nobody_hands_on_twice_nor_back_to_where_it_waited() {
    let floor = floor();
    let waited = ticket("track_order", "track_order", TriageReason::WaitedTooLong);
    resolution(ending(&floor, &waited, 1));
    let unsure = ticket("track_order", "get_refund", TriageReason::LowConfidence);
    floor.board.note_handed_on("t-1");
    for seed in 0..100 {
        let resolution = resolution(ending(&floor, &unsure, seed));
        assert!(matches!(resolution, Resolution::Resolved | Resolution::Escalated));
    }
}

#[test]
fn a_misread_ticket_is_reported_with_the_right_intent() {
    let floor = floor();
    let misread = ticket("track_order", "get_refund", TriageReason::Unspecified);
    let Ending::Complete(outcome) = ending(&floor, &misread, 1) else { panic!("handed on") };
    assert_eq!(outcome.resolution(), Resolution::WrongIntent);
    assert_eq!(outcome.right_intent, "track_order");
    let read_well = ticket("track_order", "track_order", TriageReason::Unspecified);
    for seed in 0..100 {
        assert_ne!(resolution(ending(&floor, &read_well, seed)), Resolution::WrongIntent);
    }
}

#[test]
fn people_work_less_on_each_ticket_when_there_are_many() {
    let work = |count| floor_of(count).work.as_millis();
    assert_eq!([1, 1_500, 5_000, 200_000].map(work), [400, 100, 30, 5]);
}
