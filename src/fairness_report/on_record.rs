//! The alarms that the service raised while it ran, and who has seen to them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    domain::{
        alarm::{Alarm, Share},
        event::{Entry, Event},
        time::UnixMillis,
    },
    fairness::Rate,
};

/// An alarm that was raised.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmOnRecord {
    /// Sequence number of its journal entry.
    pub alarm_sequence: u64,
    /// When it was raised, in milliseconds since 1970.
    pub raised_unix_ms: i64,
    /// The attribute.
    pub attribute: String,
    /// The measure.
    pub measure: &'static str,
    /// The value; absent, as are its shares, where fewer tickets than may be shown were behind the alarm.
    pub group: Option<String>,
    /// Its share then.
    pub own: Option<Rate>,
    /// The share of all others then.
    pub others: Option<Rate>,
    /// What the difference of the two may be, at least.
    pub low: f64,
    /// What it may be, at most.
    pub high: f64,
    /// Who has seen to it; absent while it is open.
    pub acknowledgement: Option<AcknowledgementOnRecord>,
}

/// Somebody has seen to an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AcknowledgementOnRecord {
    /// When, in milliseconds since 1970.
    pub unix_ms: i64,
    /// Who; absent when the caller did not say.
    pub actor: Option<String>,
    /// What was done about it.
    pub note: String,
}

/// What a journal says of alarms.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OnRecord(BTreeMap<u64, (UnixMillis, Alarm, Option<AcknowledgementOnRecord>)>);

impl OnRecord {
    /// Takes in an entry. Alarms of before the window are left out; what became of the others is followed to the end.
    pub(super) fn note(&mut self, entry: &Entry, inside: bool) {
        match &entry.event {
            Event::AlarmRaised { alarm } if inside => {
                self.0.insert(entry.sequence, (entry.at, (**alarm).clone(), None));
            }
            Event::AlarmAcknowledged { alarm, note } => {
                if let Some((_, _, acknowledgement)) = self.0.get_mut(alarm) {
                    *acknowledgement = Some(AcknowledgementOnRecord {
                        unix_ms: entry.at.0,
                        actor: entry.actor.as_ref().map(ToString::to_string),
                        note: note.clone(),
                    });
                }
            }
            _ => {}
        }
    }

    /// Returns the alarms, oldest first; those of fewer tickets than may be shown without their groups.
    pub(super) fn alarms(&self, tickets_min: u64) -> Vec<AlarmOnRecord> {
        let of = |(sequence, (at, alarm, acknowledgement)): (&u64, &(UnixMillis, Alarm, _))| {
            let is_shown = alarm.own.count.min(alarm.others.count) >= tickets_min;
            let share = |share: Share| {
                let rate = Rate::counted(share.hits, share.count.saturating_sub(share.hits));
                Some(rate).filter(|_| is_shown)
            };
            let acknowledgement: &Option<AcknowledgementOnRecord> = acknowledgement;
            AlarmOnRecord {
                alarm_sequence: *sequence,
                raised_unix_ms: at.0,
                attribute: alarm.attribute.clone(),
                measure: alarm.measure.name(),
                group: Some(alarm.group.clone()).filter(|_| is_shown),
                own: share(alarm.own),
                others: share(alarm.others),
                low: alarm.low,
                high: alarm.high,
                acknowledgement: acknowledgement.clone(),
            }
        };
        self.0.iter().map(of).collect()
    }
}
