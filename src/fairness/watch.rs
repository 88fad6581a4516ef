//! Watches how live tickets are treated, and raises the alarm.
//!
//! Tickets are taken in the order they came, each once its fate on a measure is known, and none before those
//! that came earlier. This order knows nothing of how they were treated: by outcome, what ends quickly would come
//! first, and groups that differ in nothing but their hours would look unequal. A ticket whose fate is not known
//! in time is left out of that measure, whatever becomes of it, so that it does not hold up all others.
//!
//! So what is watched follows from the tickets alone, however often and wherever one looks: a server that takes
//! a workspace over comes to the same alarms.

mod fate;

pub use fate::{Fate, SLOW_START_SECS, fate};

use super::{
    alarms::{ALPHA, Monitor, Standing, State, Treated, overall},
    audit::hidden,
    rates::Rate,
};
use crate::domain::{
    alarm::{Alarm, Measure, Share},
    facts::TicketFacts,
    limits::{ALARM_TICKETS_MIN, WATCHED_GROUPS_MAX},
    time::UnixMillis,
};

/// Tickets after which an alarm that could not be shown is looked at again.
const ASK_AGAIN_EVERY: u64 = 64;
/// The tickets of groups beyond those watched one by one; no value is empty.
const FURTHER_GROUPS: &str = "";

/// Watches the groups of one attribute on all measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    attribute: String,
    outcome_wait_secs: u32,
    lines: Vec<Line>,
}

/// One measure: how far the line of tickets has been taken, and what it says.
///
/// Each measure has its share of what alarms may be wrong about, for it goes on at its own pace.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    measure: Measure,
    since: Option<UnixMillis>,
    /// Number of the last ticket taken.
    after: u64,
    /// Whether a ticket whose fate is not known yet stands first.
    is_held_up: bool,
    monitor: Monitor,
    /// Whether the monitor has raised an alarm.
    is_due: bool,
    recorded_count: u64,
    alarm: Option<Alarm>,
    received: Option<(UnixMillis, UnixMillis)>,
    undeclared_count: u64,
    left_out_count: u64,
}

/// What is known of an attribute on one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasureEvidence {
    /// The measure.
    pub measure: Measure,
    /// What all comparisons together say.
    pub state: State,
    /// Each group against all others.
    pub standings: Vec<Standing>,
    /// The alarm, if the evidence raises one.
    pub alarm: Option<Alarm>,
    /// When the first and the last ticket of these were received; `None` without any.
    pub received: Option<(UnixMillis, UnixMillis)>,
    /// Tickets that do not declare the attribute.
    pub undeclared_count: u64,
    /// Tickets that cannot count, or whose fate was not known in time.
    pub left_out_count: u64,
}

impl Watch {
    /// Returns a watch that has seen nothing.
    ///
    /// - `outcome_wait_secs`: how long after its arrival the fate of a ticket is waited for.
    /// - `since`: for each measure, tickets received up to then are passed over.
    #[must_use]
    pub fn new(
        attribute: String,
        outcome_wait_secs: u32,
        since: impl Fn(Measure) -> Option<UnixMillis>,
    ) -> Self {
        let line = |measure| Line {
            measure,
            since: since(measure),
            after: 0,
            is_held_up: false,
            monitor: Monitor::new(ALPHA / Measure::ALL.len() as f64, 1, ALARM_TICKETS_MIN),
            is_due: false,
            recorded_count: 0,
            alarm: None,
            received: None,
            undeclared_count: 0,
            left_out_count: 0,
        };
        Self { attribute, outcome_wait_secs, lines: Measure::ALL.map(line).into() }
    }

    /// Returns the attribute.
    #[must_use]
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    /// Begins to look again; returns the number after which tickets are to be taken.
    pub fn look(&mut self) -> u64 {
        self.lines.iter_mut().for_each(|line| line.is_held_up = false);
        self.lines.iter().map(|line| line.after).min().unwrap_or(0)
    }

    /// Takes tickets with their numbers, ascending; those taken before are passed over.
    ///
    /// - `now`: the time of the facts; within a look the same.
    pub fn take(&mut self, tickets: &[(u64, TicketFacts)], now: UnixMillis) {
        for (number, ticket) in tickets {
            let group = ticket.segments.get(&self.attribute).filter(|value| !value.is_empty());
            for line in &mut self.lines {
                if line.is_held_up || *number <= line.after {
                    continue;
                }
                let Some(group) = group else {
                    line.pass(*number, ticket, |line| line.undeclared_count += 1);
                    continue;
                };
                match fate(line.measure, ticket, now, self.outcome_wait_secs) {
                    Fate::Open => line.is_held_up = !line.is_of_before(ticket),
                    Fate::Untold => line.pass(*number, ticket, |line| line.left_out_count += 1),
                    Fate::Told(hit) => line.pass(*number, ticket, |line| {
                        line.record(group, hit, ticket.received_at, &self.attribute);
                    }),
                }
            }
        }
    }

    /// Returns what is known on each measure.
    pub fn evidence(&self) -> impl Iterator<Item = MeasureEvidence> {
        self.lines.iter().map(|line| {
            let standings = line.monitor.standings();
            MeasureEvidence {
                measure: line.measure,
                state: overall(&standings),
                standings,
                alarm: line.alarm.clone(),
                received: line.received,
                undeclared_count: line.undeclared_count,
                left_out_count: line.left_out_count,
            }
        })
    }

    /// Returns the alarms that the evidence raises: one for each measure at most.
    pub fn alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.lines.iter().filter_map(|line| line.alarm.as_ref())
    }
}

impl Line {
    fn is_of_before(&self, ticket: &TicketFacts) -> bool {
        self.since.is_some_and(|since| ticket.received_at <= since)
    }

    /// Goes on behind a ticket, and counts it unless it came before the watch began.
    fn pass(&mut self, number: u64, ticket: &TicketFacts, count: impl FnOnce(&mut Self)) {
        self.after = number;
        if !self.is_of_before(ticket) {
            count(self);
        }
    }

    fn record(&mut self, group: &str, hit: bool, received_at: UnixMillis, attribute: &str) {
        let measure = self.measure.name();
        let is_one_more = !self.monitor.watches(group, measure);
        let is_full = self.monitor.comparison_count() >= WATCHED_GROUPS_MAX;
        let group = if is_one_more && is_full { FURTHER_GROUPS } else { group };
        self.monitor.record(Treated { group, measure, hit });
        let is_new = self.monitor.judge();
        self.is_due |= is_new;
        self.recorded_count += 1;
        let first = self.received.map_or(received_at, |(first, _)| first);
        self.received = Some((first, received_at));
        // To ask costs a look at all groups; one that must not be shown yet is asked about now and then.
        let is_turn = is_new || self.recorded_count.is_multiple_of(ASK_AGAIN_EVERY);
        if self.alarm.is_none() && self.is_due && is_turn {
            self.alarm = self.strongest(attribute, (first, received_at));
        }
    }

    /// Returns the alarm of the group with the most evidence, among those that may be shown: few tickets of another
    /// group must not follow from it.
    fn strongest(
        &self,
        attribute: &str,
        (first_received_at, last_received_at): (UnixMillis, UnixMillis),
    ) -> Option<Alarm> {
        let standings = self.monitor.standings();
        let counts: Vec<u64> = standings.iter().map(|standing| standing.own.count()).collect();
        let hidden = hidden(&counts, ALARM_TICKETS_MIN);
        let shown = standings.into_iter().enumerate();
        let alarmed = shown
            .filter(|(place, standing)| standing.alarm.is_some() && !hidden.contains(place))
            .map(|(_, standing)| standing);
        let most = alarmed
            .reduce(|most, next| if next.log_evidence > most.log_evidence { next } else { most })?;
        let ends = most.difference_cs.0?;
        Some(Alarm {
            attribute: attribute.to_owned(),
            measure: self.measure,
            group: most.group,
            own: share(most.own),
            others: share(most.others),
            low: ends.low,
            high: ends.high,
            log_evidence: most.log_evidence,
            first_received_at,
            last_received_at,
        })
    }
}

fn share(rate: Rate) -> Share {
    Share { hits: rate.hits(), count: rate.count() }
}

#[cfg(test)]
mod tests;
