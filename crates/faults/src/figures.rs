//! What a run counted, as one line of JSON.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use crate::history::{Action, History, Outcome, Stored};

/// Characters of the reason why nobody knows the answer to a call.
const WHY_CHARS: usize = 48;

/// Counts and times of a run, by name.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    counts: BTreeMap<String, u64>,
    times_ms: BTreeMap<String, Vec<f64>>,
}

impl Figures {
    /// Adds to a count.
    pub fn add(&mut self, name: &str, count: usize) {
        *self.counts.entry(name.to_owned()).or_default() += count as u64;
    }

    /// Keeps the greatest of some numbers; the name ends in `_max`.
    pub fn most(&mut self, name: &str, number: u64) {
        let kept = self.counts.entry(name.to_owned()).or_default();
        *kept = number.max(*kept);
    }

    /// Adds a time to those of a name.
    pub fn time(&mut self, name: &str, time: Duration) {
        self.times_ms.entry(name.to_owned()).or_default().push(time.as_secs_f64() * 1000.0);
    }

    /// Adds times to those of a name.
    pub fn times(&mut self, name: &str, times: Vec<Duration>) {
        times.into_iter().for_each(|time| self.time(name, time));
    }

    /// Adds what a later part of a run counted.
    pub fn merge(&mut self, later: Self) {
        for (name, count) in later.counts {
            let greatest = name.ends_with("_max");
            let kept = self.counts.entry(name).or_default();
            *kept = if greatest { count.max(*kept) } else { count + *kept };
        }
        for (name, times) in later.times_ms {
            self.times_ms.entry(name).or_default().extend(times);
        }
    }

    /// Returns the middle one of the times of a name, in milliseconds.
    #[must_use]
    pub fn middle_ms(&self, name: &str) -> Option<f64> {
        let mut times = self.times_ms.get(name)?.clone();
        times.sort_by(f64::total_cmp);
        quantile(&times, 50)
    }

    /// Counts what was asked for, and how it was answered.
    pub fn history(&mut self, history: &History) {
        for call in &history.calls {
            let what = match call.action {
                Action::Submit { .. } => "submits",
                Action::Accept { .. } => "accepts",
                Action::Decline { .. } => "declines",
                Action::Complete { .. } => "completions",
                Action::Transfer { .. } => "transfers",
                Action::Cancel { .. } => "cancels",
                Action::Assign { .. } => "assigns",
            };
            match call.outcome {
                Outcome::Done { .. } => self.add(&format!("{what}_done"), 1),
                Outcome::Refused { .. } => self.add("refused", 1),
                Outcome::Unknown { ref why } => {
                    let why: String = why.chars().take(WHY_CHARS).collect();
                    self.add(&format!("unanswered: {why}"), 1);
                    self.add("unanswered", 1);
                }
            }
        }
        let seen = history.sessions.iter().map(|session| session.seen.len()).sum();
        self.add("stream_messages", seen);
    }

    /// Counts what the store has.
    pub fn stored(&mut self, stored: &Stored) {
        self.add("tickets", stored.tickets.len());
        self.add("entries", stored.tickets.iter().map(|ticket| ticket.entries.len()).sum());
        self.add("decisions", stored.decisions.as_ref().map_or(0, Vec::len));
    }

    /// Returns everything; of times the number, the median, the 95th percentile and the greatest.
    #[must_use]
    pub fn json(&self) -> Map<String, Value> {
        let counts = self.counts.iter().map(|(name, count)| (name.clone(), json!(count)));
        let times = self.times_ms.iter().map(|(name, times)| {
            let mut times = times.clone();
            times.sort_by(f64::total_cmp);
            let at = |percent| quantile(&times, percent).map(|time| (time * 10.0).round() / 10.0);
            let value = json!({"count": times.len(), "p50": at(50), "p95": at(95), "max": at(100)});
            (name.clone(), value)
        });
        counts.chain(times).collect()
    }
}

/// Returns the nearest-rank quantile of ascending numbers.
fn quantile(ascending: &[f64], percent: usize) -> Option<f64> {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let times: Vec<f64> = (1..=20).map(f64::from).collect();
        let at = |percent| quantile(&times, percent).map(f64::round);
        assert_eq!([at(50), at(95), at(100)], [Some(10.0), Some(19.0), Some(20.0)]);
        assert_eq!(quantile(&[], 50), None);
    }

    #[test]
    fn later_parts_are_added_and_the_greatest_kept() {
        let part = |count, most| {
            let mut figures = Figures::default();
            figures.add("kills", count);
            figures.most("late_ms_max", most);
            figures
        };
        let mut all = part(2, 7);
        all.merge(part(3, 5));
        assert_eq!((&all.json()["kills"], &all.json()["late_ms_max"]), (&json!(5), &json!(7)));
    }
}
