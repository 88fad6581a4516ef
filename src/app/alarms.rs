//! The alarms of a workspace: which stand, and from when on evidence counts anew.

use std::collections::BTreeMap;

use crate::domain::{
    alarm::{Alarm, Measure},
    event::{Entry, Event},
    time::UnixMillis,
};

/// What alarms are about: an attribute and a measure.
pub(super) type Subject = (String, Measure);

/// The alarms of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// Those that nobody has acknowledged, by the sequence number of the entry that raised them.
    open: BTreeMap<u64, Subject>,
    /// When the last alarm about something was acknowledged.
    settled: BTreeMap<Subject, UnixMillis>,
}

impl Alarms {
    /// Takes in an entry of the journal.
    pub(super) fn apply(&mut self, entry: &Entry) {
        match &entry.event {
            Event::AlarmRaised { alarm } => {
                self.open.insert(entry.sequence, (alarm.attribute.clone(), alarm.measure));
            }
            Event::AlarmAcknowledged { alarm, .. } => {
                if let Some(subject) = self.open.remove(alarm) {
                    self.settled.insert(subject, entry.at);
                }
            }
            _ => {}
        }
    }

    /// Returns whether an alarm is open.
    pub(super) fn is_open(&self, alarm: u64) -> bool {
        self.open.contains_key(&alarm)
    }

    /// Returns whether an alarm is new: none about the same is open, and its evidence is not older than what was
    /// acknowledged.
    #[must_use]
    pub fn is_due(&self, alarm: &Alarm) -> bool {
        let settled = self.settled_at(&alarm.attribute, alarm.measure);
        settled.is_none_or(|at| alarm.first_received_at > at)
            && !self.open.values().any(|(attribute, measure)| {
                (attribute, *measure) == (&alarm.attribute, alarm.measure)
            })
    }

    /// Returns when the last alarm about something was acknowledged: tickets received up to then no longer count.
    #[must_use]
    pub fn settled_at(&self, attribute: &str, measure: Measure) -> Option<UnixMillis> {
        self.settled.get(&(attribute.to_owned(), measure)).copied()
    }

    /// Returns whether evidence counts from the same times on.
    #[must_use]
    pub fn settled_alike(&self, other: &Self) -> bool {
        self.settled == other.settled
    }

    /// Returns the measures on which alarms about an attribute are open.
    pub fn open_about<'a>(&'a self, attribute: &'a str) -> impl Iterator<Item = Measure> + 'a {
        let about = self.open.values().filter(move |(about, _)| about == attribute);
        about.map(|(_, measure)| *measure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alarm::Share;

    fn alarm(attribute: &str, measure: Measure, first: i64) -> Alarm {
        Alarm {
            attribute: attribute.to_owned(),
            measure,
            group: "es".to_owned(),
            own: Share { hits: 10, count: 20 },
            others: Share { hits: 10, count: 90 },
            low: 0.1,
            high: 0.6,
            log_evidence: 8.0,
            first_received_at: UnixMillis(first),
            last_received_at: UnixMillis(first + 1),
        }
    }

    fn entry(sequence: u64, at: i64, event: Event) -> Entry {
        Entry { sequence, at: UnixMillis(at), actor: None, event }
    }

    #[test]
    fn an_alarm_stands_once_until_it_is_acknowledged_and_then_needs_new_tickets() {
        let mut alarms = Alarms::default();
        let first = alarm("language", Measure::SlowStart, 0);
        assert!(alarms.is_due(&first));
        alarms.apply(&entry(7, 100, Event::AlarmRaised { alarm: Box::new(first.clone()) }));
        assert!(!alarms.is_due(&first), "it stands");
        assert!(alarms.is_due(&alarm("language", Measure::Triaged, 0)), "another measure");
        assert!(alarms.is_due(&alarm("region", Measure::SlowStart, 0)), "another attribute");
        assert_eq!(alarms.open_about("language").collect::<Vec<_>>(), [Measure::SlowStart]);
        let acknowledged =
            |alarm| entry(9, 200, Event::AlarmAcknowledged { alarm, note: String::new() });
        alarms.apply(&acknowledged(8));
        assert!(alarms.is_open(7), "another was meant");
        alarms.apply(&acknowledged(7));
        assert!(!alarms.is_open(7) && !alarms.is_due(&first), "its tickets are of before");
        assert!(!alarms.is_due(&alarm("language", Measure::SlowStart, 200)));
        assert!(alarms.is_due(&alarm("language", Measure::SlowStart, 201)));
        assert_eq!(alarms.settled_at("language", Measure::SlowStart), Some(UnixMillis(200)));
        assert_eq!(alarms.settled_at("language", Measure::Triaged), None);
    }
}
