//! Calendars: business hours and shifts. What is allowed is the domain's to say; here it gets its field.

use std::collections::BTreeMap;

use super::Check;
use crate::{
    api::v1,
    domain::calendar::{
        Calendar, CalendarError, CalendarForm, DateInterval, Weekday, WeeklyInterval,
    },
};

/// Takes a calendar; absent for none.
pub(super) fn calendar(
    check: &mut Check,
    field: &str,
    given: Option<v1::Calendar>,
) -> Option<Calendar> {
    let form = form(check, field, given?)?;
    match Calendar::try_from(form) {
        Ok(calendar) => Some(calendar),
        Err(error) => {
            let (place, allowed) = refusal(error);
            check.reject(&format!("{field}{place}"), allowed);
            None
        }
    }
}

/// Returns a calendar as the domain reads it; `None` when a weekday is missing.
fn form(check: &mut Check, field: &str, given: v1::Calendar) -> Option<CalendarForm> {
    let v1::Calendar { time_zone, weekly, exceptions } = given;
    let mut intervals = Vec::with_capacity(weekly.len());
    let mut missing = false;
    for (index, interval) in weekly.into_iter().enumerate() {
        match weekday(interval.weekday) {
            Some(weekday) => {
                let v1::WeeklyInterval { from, to, .. } = interval;
                intervals.push(WeeklyInterval { weekday, from, to });
            }
            None => {
                missing = true;
                check.reject(
                    &format!("{field}.weekly[{index}].weekday"),
                    "must be MONDAY to SUNDAY",
                );
            }
        }
    }
    let interval = |v1::DateInterval { from, to }| DateInterval { from, to };
    let hours = |hours: v1::DateHours| hours.intervals.into_iter().map(interval).collect();
    let exceptions: BTreeMap<String, Vec<DateInterval>> =
        exceptions.into_iter().map(|(date, given)| (date, hours(given))).collect();
    (!missing).then_some(CalendarForm { time_zone, weekly: intervals, exceptions })
}

fn weekday(given: i32) -> Option<Weekday> {
    match v1::Weekday::try_from(given) {
        Ok(v1::Weekday::Monday) => Some(Weekday::Monday),
        Ok(v1::Weekday::Tuesday) => Some(Weekday::Tuesday),
        Ok(v1::Weekday::Wednesday) => Some(Weekday::Wednesday),
        Ok(v1::Weekday::Thursday) => Some(Weekday::Thursday),
        Ok(v1::Weekday::Friday) => Some(Weekday::Friday),
        Ok(v1::Weekday::Saturday) => Some(Weekday::Saturday),
        Ok(v1::Weekday::Sunday) => Some(Weekday::Sunday),
        Ok(v1::Weekday::Unspecified) | Err(_) => None,
    }
}

/// Returns where in the calendar something is refused, and what is allowed there.
fn refusal(error: CalendarError) -> (String, String) {
    match error {
        CalendarError::TimeZone { value } => {
            let allowed = "must be a name of the IANA database, as `Europe/Berlin` or `UTC`";
            (".time_zone".to_owned(), format!("{allowed}, not {value:?}"))
        }
        CalendarError::Time { field, value, max } => {
            (place(&field), format!("must be HH:MM from 00:00 to {max}, not {value:?}"))
        }
        CalendarError::Backwards { field, from, to } => {
            let allowed = "must end later than it starts, at 24:00 at the latest; hours past \
                           midnight are a second interval, from 00:00 on the next day";
            (place(&field), format!("{allowed}; not {from} to {to}"))
        }
        CalendarError::Overlap { field, from, to } => {
            let allowed = "must not overlap another interval of the same day";
            (place(&field), format!("{allowed}: it starts at {from}, the other ends at {to}"))
        }
        CalendarError::Date { value } => {
            let allowed = "must be under dates written YYYY-MM-DD, as 2026-12-25";
            (".exceptions".to_owned(), format!("{allowed}, not {value:?}"))
        }
        CalendarError::TooMany { field, count, max } => {
            (place(&field), format!("must have at most {max} entries, has {count}"))
        }
        CalendarError::NeverOpen => {
            (String::new(), "must have at least one interval, or it is never open".to_owned())
        }
    }
}

/// Returns the path in the API of a field that the domain names: `exceptions["2026-12-24"][0].from` is
/// `exceptions[2026-12-24].intervals[0].from`.
fn place(field: &str) -> String {
    let Some(rest) = field.strip_prefix("exceptions[\"") else { return format!(".{field}") };
    match rest.split_once("\"]") {
        Some((date, "")) => format!(".exceptions[{date}].intervals"),
        Some((date, of_date)) => format!(".exceptions[{date}].intervals{of_date}"),
        None => ".exceptions".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::error::Error;

    fn weekly(weekday: v1::Weekday, from: &str, to: &str) -> v1::WeeklyInterval {
        v1::WeeklyInterval { weekday: weekday.into(), from: from.to_owned(), to: to.to_owned() }
    }

    fn date(date: &str, hours: &[(&str, &str)]) -> (String, v1::DateHours) {
        let interval = |(from, to): &(&str, &str)| v1::DateInterval {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
        };
        (date.to_owned(), v1::DateHours { intervals: hours.iter().map(interval).collect() })
    }

    fn refused(given: v1::Calendar) -> (String, String) {
        let mut check = Check::default();
        let taken = calendar(&mut check, "policy.hours", Some(given));
        match check.finish(taken) {
            Err(Error::Invalid(mut violations)) => {
                let first = violations.remove(0);
                (first.field, first.message)
            }
            other => panic!("{other:?}"),
        }
    }

    fn berlin(weekly: Vec<v1::WeeklyInterval>) -> v1::Calendar {
        v1::Calendar { time_zone: "Europe/Berlin".to_owned(), weekly, ..Default::default() }
    }

    #[test]
    fn a_refusal_names_the_field_as_the_api_has_it() {
        let monday = |from: &str, to: &str| weekly(v1::Weekday::Monday, from, to);
        let zone = v1::Calendar { time_zone: "Mars".to_owned(), ..berlin(Vec::new()) };
        let no_day = weekly(v1::Weekday::Unspecified, "09:00", "10:00");
        let on = |key: &str, hours: &[(&str, &str)]| v1::Calendar {
            exceptions: [date(key, hours)].into(),
            ..berlin(vec![monday("09:00", "17:00")])
        };
        for (given, field, part) in [
            (zone, ".time_zone", "not \"Mars\""),
            (berlin(vec![monday("9:00", "17:00")]), ".weekly[0].from", "not \"9:00\""),
            (berlin(vec![monday("22:00", "06:00")]), ".weekly[0]", "not 22:00 to 06:00"),
            (
                berlin(vec![monday("09:00", "12:00"), monday("11:00", "17:00")]),
                ".weekly[1]",
                "starts at 11:00, the other ends at 12:00",
            ),
            (berlin(vec![no_day]), ".weekly[0].weekday", "MONDAY to SUNDAY"),
            (on("24.12.2026", &[]), ".exceptions", "not \"24.12.2026\""),
            (
                on("2026-12-24", &[("09:00", "24:01")]),
                ".exceptions[2026-12-24].intervals[0].to",
                "to 24:00, not \"24:01\"",
            ),
            (
                on("2026-12-24", &[("09:00", "10:00"); 25]),
                ".exceptions[2026-12-24].intervals",
                "25",
            ),
            (berlin(Vec::new()), "", "never open"),
        ] {
            let (found, message) = refused(given);
            assert_eq!(found, format!("policy.hours{field}"));
            assert!(message.contains(part), "{message}");
        }
    }
}
