//! Alarms that may be looked at after every ticket: fair so far, unfair, or not enough evidence.
//!
//! Each group of an attribute is compared with all other tickets that declare it, on several
//! measures at once. Every comparison has its evidence, valid at any moment; all of them are judged
//! together, so that many segments and measures do not add up to a false alarm.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    betting::{Betting, Side, refuted},
    rates::{Ends, Interval, Rate},
    sequences::difference,
};

/// What all alarms of an attribute together may be wrong about, and its bounds may miss.
pub const ALPHA: f64 = 0.05;
/// A difference of rates that is small enough to be called fair: ten percentage points.
pub const DIFFERENCE_TOLERATED: f64 = 0.1;

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Neither an alarm, nor tickets enough to rule out a difference above the tolerated one.
    NotEnoughEvidence,
    /// A difference above [`DIFFERENCE_TOLERATED`] is ruled out, as far as the tickets go.
    FairSoFar,
    /// An alarm was raised: the groups are treated differently.
    Unfair,
}

/// One more ticket of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treated<'a> {
    /// Its group.
    pub group: &'a str,
    /// What of it is measured, for example `selection`.
    pub measure: &'static str,
    /// Whether it was hit.
    pub hit: bool,
}

/// Watches the groups of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// What all its alarms together may be wrong about.
    alpha: f64,
    /// How many measures there are to be.
    measures: usize,
    /// Fewest tickets of a group, and of the others, for an alarm.
    tickets_min: u64,
    tests: BTreeMap<(String, &'static str), Test>,
    /// Tickets of each measure so far, over all groups: what a group is compared with.
    totals: BTreeMap<&'static str, Rate>,
    /// Moments passed, as told by [`judge`](Self::judge).
    looked_at: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Test {
    /// Its part of what alarms may be wrong about, settled when the group first came: later ones get less, all
    /// together never more than the whole. Dividing by how many there are by now would give each the right to be
    /// wrong before the others came.
    weight: f64,
    betting: Betting,
    own: Rate,
    alarm: Option<Alarm>,
}

/// When a difference was found, and how large it looked then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Alarm {
    /// The last ticket of the window that it is about, counted from the first, which is 1.
    pub ticket: u64,
    /// Logarithm of the evidence, in nats.
    pub log_evidence: f64,
    /// Rate of the group then.
    pub group: Rate,
    /// Rate of all other groups then.
    pub others: Rate,
    /// The first rate less the second: the size of the effect.
    pub difference: Option<f64>,
}

/// What is known of one group on one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// The group.
    pub group: String,
    /// The measure.
    pub measure: &'static str,
    /// What the evidence says.
    pub state: State,
    /// Logarithm of the evidence that the group is treated differently, in nats.
    pub log_evidence: f64,
    /// Rate of the group.
    pub own: Rate,
    /// Rate of all other groups.
    pub others: Rate,
    /// The first rate less the second; `None` while either has no ticket.
    pub difference: Option<f64>,
    /// What it may be, with all comparisons at once right in 95 % of cases at any moment.
    pub difference_cs: Ends,
    /// The alarm, if one was raised.
    pub alarm: Option<Alarm>,
}

impl Monitor {
    /// Returns a monitor that has seen nothing.
    ///
    /// - `alpha`: probability with which any alarm may be false, in 0..1.
    /// - `measures`: how many measures will be told, at least 1.
    /// - `tickets_min`: fewest tickets of a group, and of all others, for an alarm.
    #[must_use]
    pub fn new(alpha: f64, measures: usize, tickets_min: u64) -> Self {
        let measures = measures.max(1);
        Self {
            alpha,
            measures,
            tickets_min,
            tests: BTreeMap::new(),
            totals: BTreeMap::new(),
            looked_at: 0,
        }
    }

    /// Takes in what became of a ticket on one measure.
    pub fn record(&mut self, ticket: Treated<'_>) {
        let key = (ticket.group.to_owned(), ticket.measure);
        if !self.tests.contains_key(&key) {
            let before =
                self.tests.keys().filter(|(_, measure)| *measure == ticket.measure).count();
            let place = (before + 1) as f64;
            // 1/2, 1/6, 1/12 and so on are 1 in all.
            let weight = 1.0 / (place * (place + 1.0) * self.measures as f64);
            let test =
                Test { weight, betting: Betting::default(), own: Rate::default(), alarm: None };
            self.tests.insert(key.clone(), test);
        }
        if let Some(test) = self.tests.get_mut(&key) {
            test.own.record(ticket.hit);
        }
        self.totals.entry(ticket.measure).or_default().record(ticket.hit);
        let value = f64::from(u8::from(ticket.hit));
        let same = self.tests.iter_mut().filter(|((_, measure), _)| *measure == ticket.measure);
        for ((group, _), test) in same {
            let side = if group == ticket.group { Side::Own } else { Side::Others };
            test.betting.record(side, value);
        }
    }

    /// Judges all comparisons together, and raises the alarms that are due; to be called after each
    /// ticket, with every measure of it recorded.
    ///
    /// Without any difference, the probability that an alarm is ever raised is at most the level: 5 % by
    /// default.
    ///
    /// Returns whether one was raised now.
    pub fn judge(&mut self) -> bool {
        self.looked_at += 1;
        let mut is_new = false;
        let evidence: Vec<f64> =
            self.tests.values().map(|test| test.betting.log_evidence()).collect();
        // Weights are 1 at most together: one test at least must have this much alone.
        if evidence.iter().all(|log| *log < -self.alpha.ln()) {
            return false;
        }
        // Evidence for evidence times its part (R. Wang, A. Ramdas, as in `refuted`).
        let all = self.tests.len() as f64;
        let weighted = self.tests.values().zip(&evidence);
        let weighted: Vec<f64> =
            weighted.map(|(test, log)| log + (test.weight * all).ln()).collect();
        let due = refuted(&weighted, self.alpha);
        for (((_, measure), test), _) in
            self.tests.iter_mut().zip(due).filter(|((_, test), due)| *due && test.alarm.is_none())
        {
            let others = rest(self.totals.get(measure).copied().unwrap_or_default(), test.own);
            if test.own.count().min(others.count()) < self.tickets_min {
                continue;
            }
            test.alarm = Some(Alarm {
                ticket: self.looked_at,
                log_evidence: test.betting.log_evidence(),
                group: test.own,
                others,
                difference: gap(test.own, others),
            });
            is_new = true;
        }
        is_new
    }

    /// Returns how many groups are watched, on one measure or another.
    #[must_use]
    pub fn comparison_count(&self) -> usize {
        self.tests.len()
    }

    /// Returns whether a group is watched on a measure.
    #[must_use]
    pub fn watches(&self, group: &str, measure: &'static str) -> bool {
        self.tests.contains_key(&(group.to_owned(), measure))
    }

    /// Returns what is known of each group on each measure.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |((group, measure), test): (&(String, &'static str), &Test)| {
            let others = rest(self.totals.get(measure).copied().unwrap_or_default(), test.own);
            // Shared out, the bounds of all comparisons hold at once (C. E. Bonferroni, 1936).
            let bounds = difference(test.own, others, self.alpha * test.weight);
            Standing {
                group: group.clone(),
                measure,
                state: state(test, bounds),
                log_evidence: test.betting.log_evidence(),
                own: test.own,
                others,
                difference: gap(test.own, others),
                difference_cs: Ends(Some(bounds)),
                alarm: test.alarm,
            }
        };
        self.tests.iter().map(standing).collect()
    }
}

/// Returns what all comparisons together say: one that is unfair decides, then one that is not known.
#[must_use]
pub fn overall(standings: &[Standing]) -> State {
    let any = |state| standings.iter().any(|standing| standing.state == state);
    if any(State::Unfair) {
        State::Unfair
    } else if standings.is_empty() || any(State::NotEnoughEvidence) {
        State::NotEnoughEvidence
    } else {
        State::FairSoFar
    }
}

fn state(test: &Test, bounds: Interval) -> State {
    let ruled_out = bounds.low > -DIFFERENCE_TOLERATED && bounds.high < DIFFERENCE_TOLERATED;
    match (test.alarm, ruled_out) {
        (Some(_), _) => State::Unfair,
        (None, true) => State::FairSoFar,
        (None, false) => State::NotEnoughEvidence,
    }
}

fn rest(total: Rate, own: Rate) -> Rate {
    Rate::counted(total.hits() - own.hits(), total.misses() - own.misses())
}

fn gap(own: Rate, others: Rate) -> Option<f64> {
    Some(own.value()? - others.value()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of tickets by turns over the groups, each with its share of hits exactly.
    fn watched(rates: &[(&'static str, u32)], tickets: u32) -> Monitor {
        let mut monitor = Monitor::new(ALPHA, 1, 0);
        for ticket in 0..tickets {
            for (group, percent) in rates {
                // Spread as evenly as whole tickets allow.
                let hit = (ticket + 1) * percent / 100 > ticket * percent / 100;
                monitor.record(Treated { group, measure: "selection", hit });
                monitor.judge();
            }
        }
        monitor
    }

    #[test]
    fn few_tickets_are_not_enough_many_are_fair_and_a_difference_is_unfair() {
        let of = |monitor: &Monitor| overall(&monitor.standings());
        assert_eq!(of(&Monitor::new(ALPHA, 1, 0)), State::NotEnoughEvidence);
        assert_eq!(of(&watched(&[("en", 30), ("es", 30)], 100)), State::NotEnoughEvidence);
        assert_eq!(of(&watched(&[("en", 30), ("es", 30)], 3_000)), State::FairSoFar);
        assert_eq!(of(&watched(&[("en", 30), ("es", 10)], 3_000)), State::Unfair);
        assert_eq!(of(&watched(&[("en", 30)], 3_000)), State::NotEnoughEvidence);
    }

    #[test]
    fn many_groups_and_measures_together_raise_no_more_false_alarms_than_one() {
        let alarmed = |seed: u64| {
            let (mut monitor, mut state) = (Monitor::new(ALPHA, 2, 0), seed);
            // Knuth's generator: the high bits are random enough for this.
            let mut below = |bound: u64| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % bound
            };
            for _ in 0..1_000 {
                let group = ["a", "b", "c", "d"][usize::try_from(below(4)).unwrap()];
                for (measure, percent) in [("selection", 25), ("sla_breach", 10)] {
                    monitor.record(Treated { group, measure, hit: below(100) < percent });
                }
                monitor.judge();
            }
            monitor.standings().iter().any(|standing| standing.alarm.is_some())
        };
        let found = (1..=400).filter(|seed| alarmed(*seed)).count();
        assert!(found <= 20, "{found} of 400");
    }

    #[test]
    fn groups_that_come_one_after_the_other_raise_no_more_false_alarms() {
        let alarmed = |seed: u64| {
            let (mut monitor, mut state) = (Monitor::new(ALPHA, 1, 0), seed);
            let mut below = |bound: u64| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % bound
            };
            let names: Vec<String> = (0..12).map(|number| format!("g{number:02}")).collect();
            for ticket in 0..6_000_u64 {
                // One more group every five hundred tickets.
                let group = below(ticket / 500 + 1);
                let group = &names[usize::try_from(group).unwrap()];
                monitor.record(Treated { group, measure: "selection", hit: below(2) == 0 });
                if monitor.judge() {
                    return true;
                }
            }
            false
        };
        let found = (1..=200).filter(|seed| alarmed(*seed)).count();
        assert!(found <= 14, "{found} of 200");
    }

    #[test]
    fn an_alarm_carries_what_was_known_when_it_was_raised() {
        let monitor = watched(&[("en", 30), ("es", 10), ("de", 30)], 2_000);
        let standings = monitor.standings();
        let alarm = standings.iter().find(|s| s.group == "es").unwrap().alarm.unwrap();
        assert!(alarm.ticket < 1_000 && alarm.log_evidence > 3.0, "{alarm:?}");
        assert_eq!(alarm.group.count() + alarm.others.count(), alarm.ticket);
        assert!((alarm.difference.unwrap() + 0.2).abs() < 0.02, "{alarm:?}");
    }

    #[test]
    fn what_is_compared_with_a_group_is_everybody_else() {
        let standings = watched(&[("en", 50), ("es", 20), ("de", 20)], 400).standings();
        for standing in &standings {
            assert_eq!((standing.own.count(), standing.others.count()), (400, 800));
            let Interval { low, high } = standing.difference_cs.0.unwrap();
            let difference = standing.difference.unwrap();
            assert!(low < difference && difference < high, "{standing:?}");
        }
        assert_eq!(standings.len(), 3);
    }
}
