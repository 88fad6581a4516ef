//! Calendars: business hours of a workspace, and shifts of agents.
//!
//! # Time zones
//! Hours are local time, lengths are real time. The calendar's clock is the local one, except
//! that it never goes back:
//! - Where local time is skipped (spring), it jumps along: what would begin or end in the gap
//!   does so at the gap's end, and what would do both does not take place.
//! - Where local time comes twice (autumn), it stands just before the hour is repeated until the
//!   repetition is over: each interval begins and ends once, the first time the clocks show it,
//!   and what is open or closed at the end of the first pass stays so.
//!
//! # Days
//! An interval lies within one day. What goes past midnight is two: up to 24:00, and from 00:00
//! on the next day. An exception takes the place of all hours of its date, and of that date alone.
//!
//! The time zone database is part of the program, so that every machine gives the same answer. A
//! version of the program with newer rules may give another, for moments after they were known.

mod error;
mod form;
mod hours;
mod zone;

use serde::{Deserialize, Serialize};

pub use self::error::{CalendarError, Minute};
pub use self::form::{CalendarForm, DateInterval, Weekday, WeeklyInterval};
use self::{
    hours::{DAY_MS, OpenHours},
    zone::{Stretch, Zone},
};
use super::{
    limits::{CALENDAR_CHANGE_DAYS_MAX, CALENDAR_COUNT_DAYS_MAX},
    time::UnixMillis,
};

/// When something is open, or someone at work, in a time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CalendarForm", into = "CalendarForm")]
pub struct Calendar {
    zone: Zone,
    hours: OpenHours,
}

impl Calendar {
    /// Returns the name of the time zone, as the IANA database writes it.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        self.zone.name()
    }

    /// Returns whether it is open; never before 1970 or after the year 9999.
    #[must_use]
    pub fn is_open(&self, at: UnixMillis) -> bool {
        (Zone::MOMENT_MIN..Zone::MOMENT_MAX).contains(&at.0)
            && self.hours.shows_open(self.zone.stretch(at.0).shown)
    }

    /// Returns the next moment later than `after` at which it opens or closes; `None` if there is
    /// none within 400 days.
    #[must_use]
    pub fn next_change(&self, after: UnixMillis) -> Option<UnixMillis> {
        let open = self.is_open(after);
        let (mut at, end) = span(after.0, CALENDAR_CHANGE_DAYS_MAX);
        while at < end {
            let stretch = self.zone.stretch(at);
            let until = stretch.until.min(end);
            if let Some(change) = self.change_in(&stretch, until, open) {
                return Some(UnixMillis(change));
            }
            at = until;
        }
        None
    }

    /// Returns the open time from `from` to `to`, in milliseconds of real time; 0 when `to` is not
    /// later. What lies more than 100 years after `from` is not counted.
    #[must_use]
    pub fn open_millis(&self, from: UnixMillis, to: UnixMillis) -> u64 {
        let (mut at, end) = span(from.0, CALENDAR_COUNT_DAYS_MAX);
        let end = end.min(to.0);
        let mut open = 0;
        while at < end {
            let stretch = self.zone.stretch(at);
            let until = stretch.until.min(end);
            open += self.open_in(&stretch, until);
            at = until;
        }
        u64::try_from(open).unwrap_or(0)
    }

    /// Returns the earliest moment at which `open_millis` of open time have passed since `from`,
    /// which is `from` itself for 0; `None` if that takes more than 100 years.
    #[must_use]
    pub fn after_open(&self, from: UnixMillis, open_millis: u64) -> Option<UnixMillis> {
        let mut left = i64::try_from(open_millis).ok()?;
        if left == 0 {
            return Some(from);
        }
        let (mut at, end) = span(from.0, CALENDAR_COUNT_DAYS_MAX);
        while at < end {
            let stretch = self.zone.stretch(at);
            let until = stretch.until.min(end);
            let open = self.open_in(&stretch, until);
            if left <= open {
                let ahead =
                    if stretch.stands { left } else { self.hours.ahead(stretch.shown, left) };
                return Some(UnixMillis(at + ahead));
            }
            if open == 0 && !self.hours.opens_from(stretch.shown) {
                return None;
            }
            left -= open;
            at = until;
        }
        None
    }

    /// Returns the first moment of a stretch, before `until`, with another state than `open`.
    fn change_in(&self, stretch: &Stretch, until: i64, open: bool) -> Option<i64> {
        let Stretch { from, shown, stands, .. } = *stretch;
        if self.hours.shows_open(shown) != open {
            return Some(from);
        }
        if stands {
            return None;
        }
        let edge = self.hours.next_edge(shown, shown + until - from, open)?;
        Some(from + edge - shown)
    }

    /// Returns the open time of a stretch before `until`, in milliseconds.
    fn open_in(&self, stretch: &Stretch, until: i64) -> i64 {
        let length = until - stretch.from;
        match stretch.stands {
            false => self.hours.open_between(stretch.shown, stretch.shown + length),
            true if self.hours.shows_open(stretch.shown) => length,
            true => 0,
        }
    }
}

/// Returns where to look: from `from` for so many days, within what time zones are known for.
fn span(from: i64, days: i64) -> (i64, i64) {
    let end = from.saturating_add(days * DAY_MS).min(Zone::MOMENT_MAX);
    (from.max(Zone::MOMENT_MIN), end)
}

#[cfg(test)]
mod tests;
