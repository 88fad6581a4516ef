//! What a person chooses to do with an offer, and with a ticket once it is theirs.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Floor;
use crate::{
    api::v1::{self, Resolution, TriageReason},
    demo::tickets::Truth,
};

/// Share of offers that are declined.
const DECLINE_SHARE: f64 = 0.05;
/// Share of offers nobody answers.
const IGNORE_SHARE: f64 = 0.01;
/// From this offer of a ticket on it is taken: two people who both say no must not go on for ever.
const WILLING_FROM_EPOCH: u32 = 4;
/// Share of tickets that need more than one contact, and share that other teams must solve.
const LONGER_SHARE: f64 = 0.14;
const ESCALATED_SHARE: f64 = 0.06;
/// Share of customers who say how satisfied they are.
const SATISFACTION_SHARE: f64 = 0.4;

const DECLINE_REASONS: [&str; 3] = ["not_my_area", "knows_the_customer", "on_a_call"];

/// The answer to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Takes the ticket.
    Accept,
    /// Says no, with a short word why.
    Decline(&'static str),
    /// Does not see the offer.
    Ignore,
}

/// How a person ends a ticket.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    /// Completes it.
    Complete(v1::Outcome),
    /// Hands it on by the right intent.
    HandOn(String),
}

/// Chooses an answer to an offer.
pub(super) fn answer(rng: &mut ChaCha8Rng, epoch: u32) -> Answer {
    let chance: f64 = rng.random();
    if epoch >= WILLING_FROM_EPOCH || chance >= DECLINE_SHARE + IGNORE_SHARE {
        Answer::Accept
    } else if chance < DECLINE_SHARE {
        Answer::Decline(DECLINE_REASONS[rng.random_range(0..DECLINE_REASONS.len())])
    } else {
        Answer::Ignore
    }
}

/// Chooses how a ticket ends, knowing what it is really about where the file says so.
pub(super) fn ending(rng: &mut ChaCha8Rng, floor: &Floor, ticket: &v1::Ticket) -> Ending {
    let truth = floor.truth(ticket).and_then(|truth| floor.known_intent(truth));
    let handed_on = floor.board.was_handed_on(&ticket.ticket_id);
    let reason =
        ticket.plan.as_ref().map_or(TriageReason::Unspecified, v1::RoutingPlan::triage_reason);
    match truth {
        // Sending a ticket that waited too long back to where it waited helps nobody.
        Some(intent)
            if reason != TriageReason::Unspecified
                && reason != TriageReason::WaitedTooLong
                && !handed_on
                && floor.can_hand_on(ticket) =>
        {
            Ending::HandOn(intent.to_owned())
        }
        Some(intent)
            if !handed_on && reason == TriageReason::Unspecified && misread(ticket, intent) =>
        {
            Ending::Complete(v1::Outcome {
                resolution: Resolution::WrongIntent.into(),
                right_intent: intent.to_owned(),
                satisfaction: 0,
            })
        }
        _ => Ending::Complete(resolved(rng, handed_on)),
    }
}

impl Floor {
    /// Returns what a ticket is really about: people read its text.
    fn truth(&self, ticket: &v1::Ticket) -> Option<&Truth> {
        self.truths.get(&super::essence_of(&ticket.subject, &ticket.body))
    }

    /// Returns the true intent when it is one the model can name.
    fn known_intent<'a>(&self, truth: &'a Truth) -> Option<&'a str> {
        truth.intent.as_deref().filter(|intent| self.intents.contains(*intent))
    }

    /// Returns whether a ticket may go on by intent: where the policy asks for a language besides,
    /// who has both skills may be nobody, so who has the ticket keeps it.
    fn can_hand_on(&self, ticket: &v1::Ticket) -> bool {
        ticket.reading.as_ref().is_some_and(|reading| {
            reading.language_supported
                && !self.policy.language_skills.contains_key(&reading.language)
        })
    }
}

/// Returns whether the model took the ticket for something else.
fn misread(ticket: &v1::Ticket, truth: &str) -> bool {
    ticket.reading.as_ref().is_some_and(|reading| {
        reading.language_supported && !reading.intent.is_empty() && reading.intent != truth
    })
}

fn resolved(rng: &mut ChaCha8Rng, handed_on: bool) -> v1::Outcome {
    let chance: f64 = rng.random();
    let resolution = if chance < ESCALATED_SHARE {
        Resolution::Escalated
    } else if handed_on || chance < ESCALATED_SHARE + LONGER_SHARE {
        Resolution::Resolved
    } else {
        Resolution::FirstContact
    };
    let satisfaction = if rng.random_bool(SATISFACTION_SHARE) {
        match resolution {
            Resolution::FirstContact => rng.random_range(3..=5),
            Resolution::Resolved => rng.random_range(2..=5),
            _ => rng.random_range(1..=3),
        }
    } else {
        0
    };
    v1::Outcome { resolution: resolution.into(), right_intent: String::new(), satisfaction }
}
