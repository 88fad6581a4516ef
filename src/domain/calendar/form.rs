//! Calendars as they are written: in the journal, forever, and in requests.

use std::collections::BTreeMap;

use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    Calendar, CalendarError, Minute,
    hours::{Hours, OpenHours},
    zone::Zone,
};

use crate::domain::limits::{
    CALENDAR_DATE_INTERVALS_MAX, CALENDAR_EXCEPTIONS_MAX, CALENDAR_WEEKLY_INTERVALS_MAX,
};

/// How much of a value that was refused an error shows, in characters.
const SHOWN_CHARS_MAX: usize = 64;
/// The day that days are counted from: that of [`UnixMillis`](crate::domain::time::UnixMillis) 0.
const DAY_ZERO: Date = Date::constant(1970, 1, 1);

/// A calendar in plain words, not checked yet. This is its stored form.
///
/// ```json
/// {
///   "time_zone": "Europe/Berlin",
///   "weekly": [{ "weekday": "monday", "from": "09:00", "to": "17:30" }],
///   "exceptions": { "2026-12-24": [{ "from": "09:00", "to": "12:00" }], "2026-12-25": [] }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarForm {
    /// Name of the IANA database, as `Europe/Berlin` or `UTC`.
    pub time_zone: String,
    /// When it is open in a week without exceptions; 0 to 64 intervals in any order.
    #[serde(default)]
    pub weekly: Vec<WeeklyInterval>,
    /// What takes the place of the weekly hours on a date (`YYYY-MM-DD`, from 00:00 to 24:00
    /// local time), for up to 366 dates; an empty list is closed all day.
    #[serde(default)]
    pub exceptions: BTreeMap<String, Vec<DateInterval>>,
}

/// Open hours of each week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyInterval {
    /// The day.
    pub weekday: Weekday,
    /// First minute, `HH:MM` from 00:00 to 23:59.
    pub from: String,
    /// First minute no longer part of it, `HH:MM` up to 24:00; later than `from`.
    pub to: String,
}

/// Open hours of one date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateInterval {
    /// First minute, `HH:MM` from 00:00 to 23:59.
    pub from: String,
    /// First minute no longer part of it, `HH:MM` up to 24:00; later than `from`.
    pub to: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// First day of the week (ISO 8601).
    Monday,
    /// Second day.
    Tuesday,
    /// Third day.
    Wednesday,
    /// Fourth day.
    Thursday,
    /// Fifth day.
    Friday,
    /// Sixth day.
    Saturday,
    /// Seventh day.
    Sunday,
}

impl Weekday {
    /// All of them in order, Monday first.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

impl TryFrom<CalendarForm> for Calendar {
    type Error = CalendarError;

    fn try_from(form: CalendarForm) -> Result<Self, CalendarError> {
        let zone = Zone::named(&form.time_zone)
            .ok_or_else(|| CalendarError::TimeZone { value: shown(&form.time_zone) })?;
        at_most("weekly", form.weekly.len(), CALENDAR_WEEKLY_INTERVALS_MAX)?;
        at_most("exceptions", form.exceptions.len(), CALENDAR_EXCEPTIONS_MAX)?;
        let mut given: [Vec<(usize, Hours)>; 7] = Default::default();
        for (index, interval) in form.weekly.iter().enumerate() {
            let hours = hours(&format!("weekly[{index}]"), &interval.from, &interval.to)?;
            given[interval.weekday as usize].push((index, hours));
        }
        let mut hours = OpenHours::default();
        for (day, given) in hours.weekly.iter_mut().zip(given) {
            *day = in_order("weekly", given)?;
        }
        for (date, intervals) in &form.exceptions {
            let (day, intervals) = exception(date, intervals)?;
            hours.exceptions.insert(day, intervals);
        }
        if hours.is_empty() {
            return Err(CalendarError::NeverOpen);
        }
        Ok(Self { zone, hours })
    }
}

impl From<Calendar> for CalendarForm {
    fn from(calendar: Calendar) -> Self {
        calendar.form()
    }
}

impl Calendar {
    /// Returns what it was made from, with intervals in order of time.
    #[must_use]
    pub fn form(&self) -> CalendarForm {
        let weekly = Weekday::ALL.into_iter().zip(&self.hours.weekly).flat_map(|(weekday, day)| {
            let written = move |hours: &Hours| {
                let (from, to) = hours.written();
                WeeklyInterval { weekday, from, to }
            };
            day.iter().map(written)
        });
        let written = |hours: &Hours| {
            let (from, to) = hours.written();
            DateInterval { from, to }
        };
        let exceptions = self
            .hours
            .exceptions
            .iter()
            .map(|(day, hours)| (date_text(*day), hours.iter().map(written).collect()));
        CalendarForm {
            time_zone: self.time_zone().to_owned(),
            weekly: weekly.collect(),
            exceptions: exceptions.collect(),
        }
    }
}

impl Hours {
    fn written(self) -> (String, String) {
        (Minute(self.from).to_string(), Minute(self.to).to_string())
    }
}

/// Returns a date and its hours.
fn exception(date: &str, given: &[DateInterval]) -> Result<(i64, Vec<Hours>), CalendarError> {
    let day = day_of(date).ok_or_else(|| CalendarError::Date { value: shown(date) })?;
    let field = format!("exceptions[{date:?}]");
    at_most(&field, given.len(), CALENDAR_DATE_INTERVALS_MAX)?;
    let mut of_day = Vec::with_capacity(given.len());
    for (index, given) in given.iter().enumerate() {
        of_day.push((index, hours(&format!("{field}[{index}]"), &given.from, &given.to)?));
    }
    Ok((day, in_order(&field, of_day)?))
}

fn hours(field: &str, from: &str, to: &str) -> Result<Hours, CalendarError> {
    let start = minute(&format!("{field}.from"), from, "23:59")?;
    let end = minute(&format!("{field}.to"), to, "24:00")?;
    if end <= start {
        return Err(CalendarError::Backwards { field: field.to_owned(), from: start, to: end });
    }
    Ok(Hours { from: start.0, to: end.0 })
}

/// Reads `HH:MM` and nothing else, up to `max`.
fn minute(field: &str, value: &str, max: &'static str) -> Result<Minute, CalendarError> {
    let read = || {
        let [tens, ones, b':', ten_minutes, minutes] = *value.as_bytes() else { return None };
        let digits = [tens, ones, ten_minutes, minutes];
        // Texts of this one form compare as the times they stand for.
        if !digits.iter().all(u8::is_ascii_digit) || ten_minutes > b'5' || value > max {
            return None;
        }
        let [tens, ones, ten_minutes, minutes] = digits.map(|digit| u16::from(digit - b'0'));
        Some(Minute((tens * 10 + ones) * 60 + ten_minutes * 10 + minutes))
    };
    read().ok_or_else(|| CalendarError::Time { field: field.to_owned(), value: shown(value), max })
}

/// Returns the intervals of one day by start, each with the index it was given at.
fn in_order(field: &str, mut day: Vec<(usize, Hours)>) -> Result<Vec<Hours>, CalendarError> {
    day.sort_by_key(|(_, hours)| hours.from);
    for pair in day.windows(2) {
        let [(_, first), (index, second)] = pair else { continue };
        if second.from < first.to {
            let (from, to) = (Minute(second.from), Minute(first.to));
            return Err(CalendarError::Overlap { field: format!("{field}[{index}]"), from, to });
        }
    }
    Ok(day.into_iter().map(|(_, hours)| hours).collect())
}

fn at_most(field: &str, count: usize, max: usize) -> Result<(), CalendarError> {
    let too_many = || CalendarError::TooMany { field: field.to_owned(), count, max };
    if count > max { Err(too_many()) } else { Ok(()) }
}

fn shown(value: &str) -> String {
    value.chars().take(SHOWN_CHARS_MAX).collect()
}

/// Returns the days from 1970-01-01 to a date written `YYYY-MM-DD`.
fn day_of(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    // The library reads other forms of ISO 8601, too; one date must have one key.
    (date.to_string() == text).then(|| date.duration_since(DAY_ZERO).as_hours() / 24)
}

fn date_text(day: i64) -> String {
    // Every day here came from a date, so that the sum is one, too.
    let date = DAY_ZERO.checked_add(SignedDuration::from_hours(day * 24)).unwrap_or(DAY_ZERO);
    date.to_string()
}
