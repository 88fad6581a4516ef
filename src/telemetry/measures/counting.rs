//! Counts how segments are treated, as tickets come and go: in bounded room, however many there were.
//!
//! What is counted of a ticket is remembered while it is open, so that it can be taken back when more is known.

use std::collections::BTreeMap;

use crate::{
    app::{Error, Handle},
    domain::{facts::TicketFacts, id::WorkspaceId, time::UnixMillis},
    fairness::{
        AttributeMeasures, Options, Span, Wait, Waiting,
        accumulate::{Accumulator, Observation, Plan},
        measure_counts,
    },
};

/// Length of a window, and how many are kept: a day.
const WINDOW_MS: i64 = 3_600_000;
const WINDOWS: usize = 24;
/// Tickets read at a time: counting them takes a few milliseconds.
const TICKETS_AT_ONCE: u32 = 2_000;

/// The counts of a workspace.
pub(super) struct Counts {
    attributes: Vec<String>,
    accumulator: Accumulator,
    /// Number of the newest ticket seen.
    newest: u64,
    /// What was counted of tickets that are open.
    open: BTreeMap<u64, Seen>,
}

/// What was counted of a ticket.
struct Seen {
    values: Vec<String>,
    received_at: UnixMillis,
    observation: Observation,
    wait: Wait,
}

impl Counts {
    pub(super) fn new(attributes: Vec<String>) -> Self {
        let plan = Plan {
            attributes: attributes.len(),
            intersections: Vec::new(),
            window_ms: WINDOW_MS,
            windows: WINDOWS,
        };
        let accumulator = Accumulator::new(plan);
        Self { attributes, accumulator, newest: 0, open: BTreeMap::new() }
    }

    pub(super) fn attributes(&self) -> &[String] {
        &self.attributes
    }

    /// Takes in what happened since the last time.
    pub(super) async fn catch_up(
        &mut self,
        handle: &Handle,
        workspace: &WorkspaceId,
    ) -> Result<(), Error> {
        let now = handle.now();
        self.accumulator.pass(now);
        let open: Vec<u64> = self.open.keys().copied().collect();
        for numbers in open.chunks(TICKETS_AT_ONCE as usize) {
            let tickets = handle.facts_of(workspace, numbers.to_vec()).await?;
            tickets.iter().for_each(|(number, ticket)| self.see(*number, ticket, now));
        }
        loop {
            let tickets = handle.facts_after(workspace, self.newest, TICKETS_AT_ONCE).await?;
            let Some((last, _)) = tickets.last() else { return Ok(()) };
            self.newest = *last;
            tickets.iter().for_each(|(number, ticket)| self.see(*number, ticket, now));
        }
    }

    fn see(&mut self, number: u64, ticket: &TicketFacts, now: UnixMillis) {
        let observation = Observation::of(ticket, now);
        let value = |attribute: &String| ticket.segments.get(attribute).cloned();
        let values =
            || self.attributes.iter().map(|name| value(name).unwrap_or_default()).collect();
        let mut seen = match self.open.remove(&number) {
            Some(before) => before,
            None => Seen {
                values: values(),
                received_at: ticket.received_at,
                observation: Observation::default(),
                wait: Wait { ms: 0, assigned: false },
            },
        };
        if seen.observation != observation {
            let values: Vec<&str> = seen.values.iter().map(String::as_str).collect();
            self.accumulator.retract(&values, seen.received_at, &seen.observation);
            self.accumulator.add(&values, seen.received_at, &observation);
            seen.observation = observation;
        }
        if ticket.closed_at.is_none() {
            seen.wait = Wait::of(ticket, now);
            self.open.insert(number, seen);
        }
    }

    /// Returns the measures of each attribute.
    pub(super) fn measures(&self, span: Span, options: &Options) -> Vec<AttributeMeasures> {
        let mut waiting = Waiting::new();
        let running = self.open.values().filter(|seen| seen.observation.wait.is_none());
        // In the span of the windows are the tickets received within them.
        let oldest = self.accumulator.oldest_kept();
        for seen in running.filter(|seen| span == Span::SinceStart || seen.received_at >= oldest) {
            for (place, value) in seen.values.iter().enumerate().filter(|(_, v)| !v.is_empty()) {
                let waits = waiting.entry((place, value.clone())).or_default();
                waits.push(seen.wait.into());
            }
        }
        measure_counts(&self.accumulator, span, &waiting, options)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::ticket::{Resolution, Status},
        fairness::measure,
    };

    const NOW: UnixMillis = UnixMillis(50_000_000);

    /// A ticket when it was received, when it was assigned, and when it was closed.
    fn any_life() -> impl Strategy<Value = [TicketFacts; 3]> {
        let value = prop::sample::select(vec!["en", "es", ""]);
        let secs = || 1_i64..4_000;
        (value, 0_i64..9_000, secs(), secs(), any::<bool>(), any::<bool>()).prop_map(
            |(value, received, assigned, closed, fast, is_first)| {
                let at = |secs: i64| UnixMillis((received + secs) * 1_000);
                let received = TicketFacts {
                    segments: [("language".to_owned(), value.to_owned())].into(),
                    status: Status::Received,
                    received_at: at(0),
                    assigned_at: None,
                    closed_at: None,
                    target_secs: Some(600),
                    fast_tracked: None,
                    triaged: None,
                    resolution: None,
                    reassigned: None,
                    agent: None,
                };
                let taken = TicketFacts {
                    assigned_at: Some(at(assigned)),
                    fast_tracked: Some(fast),
                    triaged: Some(false),
                    reassigned: Some(false),
                    ..received.clone()
                };
                let resolution =
                    if is_first { Resolution::FirstContact } else { Resolution::Resolved };
                let done = TicketFacts {
                    closed_at: Some(at(assigned + closed)),
                    resolution: Some(resolution),
                    reassigned: Some(!is_first),
                    ..taken.clone()
                };
                [received, taken, done]
            },
        )
    }

    proptest! {
        /// However a ticket became what it is, it counts as what it is.
        #[test]
        fn what_was_known_before_is_taken_back(
            lives in prop::collection::vec((any_life(), 0_usize..3), 1..40),
        ) {
            let mut counts = Counts::new(vec!["language".to_owned()]);
            for stage in 0..3 {
                for (number, (life, last)) in (1..).zip(&lives) {
                    if stage <= *last {
                        counts.see(number, &life[stage], NOW);
                    }
                }
            }
            let options = Options::new(vec!["language".to_owned()], NOW);
            let found = counts.measures(Span::SinceStart, &options).remove(0);
            let facts: Vec<TicketFacts> =
                lives.iter().map(|(life, last)| life[*last].clone()).collect();
            let exact = measure(&facts, &options).remove(0);
            prop_assert_eq!(found.undeclared_count, exact.undeclared_count);
            prop_assert_eq!(found.segments.len(), exact.segments.len());
            for (found, exact) in found.segments.iter().zip(&exact.segments) {
                prop_assert_eq!(found.fast_tracked, exact.fast_tracked);
                prop_assert_eq!(found.target_met, exact.target_met);
                prop_assert_eq!(found.reassigned, exact.reassigned);
                prop_assert_eq!(found.first_contact, exact.first_contact);
                prop_assert_eq!(found.wait.assigned_count, exact.wait.assigned_count);
                prop_assert_eq!(found.wait.censored_count, exact.wait.censored_count);
            }
            let closed = lives.iter().filter(|(_, last)| *last == 2).count();
            prop_assert_eq!(counts.open.len(), lives.len() - closed, "only open ones are remembered");
        }
    }
}
