//! Calendars: business hours and shifts.

use crate::{
    api::v1,
    domain::calendar::{Calendar, CalendarForm, DateInterval, Weekday, WeeklyInterval},
};

/// Returns the calendar as the API shows it, with intervals in order of time.
pub(super) fn calendar(calendar: &Calendar) -> v1::Calendar {
    let CalendarForm { time_zone, weekly, exceptions } = calendar.form();
    let interval = |DateInterval { from, to }| v1::DateInterval { from, to };
    let hours = |given: Vec<DateInterval>| v1::DateHours {
        intervals: given.into_iter().map(interval).collect(),
    };
    v1::Calendar {
        time_zone,
        weekly: weekly.into_iter().map(weekly_interval).collect(),
        exceptions: exceptions.into_iter().map(|(date, given)| (date, hours(given))).collect(),
    }
}

fn weekly_interval(interval: WeeklyInterval) -> v1::WeeklyInterval {
    let weekday = match interval.weekday {
        Weekday::Monday => v1::Weekday::Monday,
        Weekday::Tuesday => v1::Weekday::Tuesday,
        Weekday::Wednesday => v1::Weekday::Wednesday,
        Weekday::Thursday => v1::Weekday::Thursday,
        Weekday::Friday => v1::Weekday::Friday,
        Weekday::Saturday => v1::Weekday::Saturday,
        Weekday::Sunday => v1::Weekday::Sunday,
    };
    v1::WeeklyInterval { weekday: weekday.into(), from: interval.from, to: interval.to }
}
