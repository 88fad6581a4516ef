//! Calendars against the clocks of the world, and against counting minute by minute.

use std::collections::BTreeSet;

use jiff::{
    Timestamp,
    civil::{DateTime, date},
    tz::TimeZoneDatabase,
};
use proptest::prelude::*;

use super::*;

const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// A calendar of a zone, of `monday 09:00 17:30`-like lines, and of lines that begin with a date;
/// a date alone is closed.
fn form(time_zone: &str, lines: &[&str]) -> CalendarForm {
    let mut form = CalendarForm { time_zone: time_zone.to_owned(), ..CalendarForm::default() };
    for line in lines {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let weekday = serde_json::from_value(words[0].clone().into());
        match (weekday, &words[1..]) {
            (Ok(weekday), [from, to]) => {
                form.weekly.push(WeeklyInterval { weekday, from: from.clone(), to: to.clone() });
            }
            (_, times) => {
                let hours = form.exceptions.entry(words[0].clone()).or_default();
                if let [from, to] = times {
                    hours.push(DateInterval { from: from.clone(), to: to.clone() });
                }
            }
        }
    }
    form
}

fn calendar(time_zone: &str, lines: &[&str]) -> Calendar {
    form(time_zone, lines).try_into().expect("it is valid")
}

fn refused(time_zone: &str, lines: &[&str]) -> String {
    Calendar::try_from(form(time_zone, lines)).expect_err("it is not valid").to_string()
}

fn every_day(time_zone: &str, from: &str, to: &str) -> Calendar {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let lines = days.map(|day| format!("{day} {from} {to}"));
    calendar(time_zone, &lines.each_ref().map(String::as_str))
}

fn at(text: &str) -> UnixMillis {
    let moment: Timestamp = format!("{text}Z").parse().expect("it is a time in UTC");
    UnixMillis(moment.as_millisecond())
}

/// The changes from one moment to before another, in UTC; the first is an opening.
fn changes(calendar: &Calendar, from: &str, to: &str) -> Vec<String> {
    let (mut now, end) = (UnixMillis(at(from).0 - 1), at(to));
    assert!(!calendar.is_open(now), "closed just before {from}");
    let mut found = Vec::new();
    while let Some(next) = calendar.next_change(now).filter(|next| *next < end) {
        assert!(next > now);
        assert_ne!(calendar.is_open(UnixMillis(next.0 - 1)), calendar.is_open(next));
        let text = Timestamp::from_millisecond(next.0).unwrap().to_string();
        found.push(text.trim_end_matches(":00Z").to_owned());
        now = next;
    }
    found
}

#[test]
fn hours_are_those_of_the_wall_clock_in_winter_and_in_summer() {
    let of_zone = |zone, date: &str| {
        let calendar = every_day(zone, "09:00", "17:30");
        changes(
            &calendar,
            &format!("{date}T00:00"),
            &format!("{date}T24:00").replace("T24:00", "T23:59"),
        )
    };
    for (zone, date, open, close) in [
        ("Europe/London", "2026-01-12", "09:00", "17:30"),
        ("Europe/London", "2026-07-13", "08:00", "16:30"),
        ("America/New_York", "2026-01-12", "14:00", "22:30"),
        ("America/New_York", "2026-07-13", "13:00", "21:30"),
        ("Asia/Kolkata", "2026-07-13", "03:30", "12:00"),
        ("Asia/Kathmandu", "2026-07-13", "03:15", "11:45"),
        ("America/St_Johns", "2026-07-13", "11:30", "20:00"),
        ("UTC", "2026-07-13", "09:00", "17:30"),
    ] {
        let expected = [open, close].map(|time| format!("{date}T{time}"));
        assert_eq!(of_zone(zone, date), expected, "{zone}");
    }
}

/// Hours of Sundays in New York, the moments they begin and end on one, and how long that is.
type Sunday = (&'static str, &'static [&'static str], u64);

fn assert_sundays(date: &str, cases: &[Sunday]) {
    let (from, to) = (format!("{date}T04:00"), format!("{date}T12:00"));
    for (hours, expected, minutes) in cases {
        let calendar = calendar("America/New_York", &[&format!("sunday {hours}")]);
        let found = changes(&calendar, &from, &to);
        let times: Vec<_> = found.iter().map(|found| &found[11..]).collect();
        assert_eq!(times, *expected, "{date} {hours}");
        let open = calendar.open_millis(at(&from), at(&to));
        assert_eq!(open, minutes * 60_000, "{date} {hours}");
    }
}

#[test]
fn an_end_in_skipped_time_moves_to_its_end_and_lengths_are_real() {
    // At 02:00, 07:00 UTC, the clocks went to 03:00.
    let cases: [Sunday; 6] = [
        ("01:00 04:00", &["06:00", "08:00"], 120),
        ("02:30 04:00", &["07:00", "08:00"], 60),
        ("01:00 02:30", &["06:00", "07:00"], 60),
        ("02:00 03:00", &[], 0),
        ("02:15 02:45", &[], 0),
        ("03:00 04:00", &["07:00", "08:00"], 60),
    ];
    assert_sundays("2026-03-08", &cases);
}

#[test]
fn in_repeated_time_each_interval_begins_and_ends_once_the_first_time() {
    // At 02:00, 06:00 UTC, the clocks went to 01:00.
    let cases: [Sunday; 7] = [
        ("00:00 01:30", &["04:00", "05:30"], 90),
        ("00:00 01:00", &["04:00", "05:00"], 60),
        ("01:30 03:00", &["05:30", "08:00"], 150),
        ("01:15 01:45", &["05:15", "05:45"], 30),
        ("01:00 02:00", &["05:00", "07:00"], 120),
        ("02:00 03:00", &["07:00", "08:00"], 60),
        ("00:00 04:00", &["04:00", "09:00"], 300),
    ];
    assert_sundays("2026-11-01", &cases);
}

#[test]
fn days_have_the_length_they_had_on_the_spot() {
    for (zone, day, from, to, minutes) in [
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", "2026-04-05T13:30", 1470),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30", "2026-10-04T13:00", 1410),
        ("Australia/Sydney", "2026-04-05", "2026-04-04T13:00", "2026-04-05T14:00", 1500),
        // The clocks skip the hour after midnight.
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00", "2026-09-07T03:00", 1380),
        // The clocks go from 00:01 back to 23:01 of the day before; the new day has begun.
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30", "2010-11-08T03:30", 1500),
    ] {
        let calendar = calendar(zone, &[&format!("{day} 00:00 24:00")]);
        assert_eq!(changes(&calendar, from, "2027-01-01T00:00"), [from, to], "{zone} {day}");
        let open = calendar.open_millis(at("2010-01-01T00:00"), at("2027-01-01T00:00"));
        assert_eq!(open, minutes * 60_000, "{zone} {day}");
    }
}

#[test]
fn a_day_that_never_was_has_no_hours() {
    // Samoa went from Thursday 2011-12-29 to Saturday 2011-12-31.
    let calendar = calendar("Pacific/Apia", &["friday 09:00 17:00", "2011-12-30 00:00 24:00"]);
    let found = changes(&calendar, "2011-12-24T10:00", "2012-01-08T00:00");
    assert_eq!(found, ["2012-01-05T19:00", "2012-01-06T03:00"]);
    let around_the_clock = every_day("Pacific/Apia", "00:00", "24:00");
    assert_eq!(around_the_clock.next_change(at("2011-12-20T00:00")), None);
    let two_days = around_the_clock.open_millis(at("2011-12-29T10:00"), at("2011-12-31T10:00"));
    assert_eq!(two_days, 48 * HOUR_MS);
}

#[test]
fn a_night_shift_is_one_across_midnight_and_a_holiday_takes_its_own_date_alone() {
    let nights = ["friday 22:00 24:00", "saturday 00:00 06:00"];
    let shift = calendar("Europe/Berlin", &nights);
    let night = ["2026-12-18T21:00", "2026-12-19T05:00"];
    assert_eq!(changes(&shift, "2026-12-18T00:00", "2026-12-20T00:00"), night);
    let apart = calendar("Europe/Berlin", &["friday 22:00 23:59", "saturday 00:01 06:00"]);
    let night = ["2026-12-18T21:00", "2026-12-18T22:59", "2026-12-18T23:01", "2026-12-19T05:00"];
    assert_eq!(changes(&apart, "2026-12-18T00:00", "2026-12-20T00:00"), night);
    let minute = calendar("Europe/Berlin", &["friday 22:00 24:00", "saturday 00:01 06:00"]);
    let night = ["2026-12-18T21:00", "2026-12-18T23:00", "2026-12-18T23:01", "2026-12-19T05:00"];
    assert_eq!(changes(&minute, "2026-12-18T00:00", "2026-12-20T00:00"), night);
    let lines = [nights[0], nights[1], "2026-12-19", "2026-12-25", "2026-12-24 10:00 12:00"];
    let shift = calendar("Europe/Berlin", &lines);
    let expected = [
        ("2026-12-18T21:00", "2026-12-18T23:00"),
        ("2026-12-24T09:00", "2026-12-24T11:00"),
        ("2026-12-25T23:00", "2026-12-26T05:00"),
    ];
    let expected: Vec<_> = expected.iter().flat_map(|(from, to)| [*from, *to]).collect();
    assert_eq!(changes(&shift, "2026-12-18T00:00", "2026-12-28T00:00"), expected);
}

#[test]
fn breaks_close_and_intervals_that_touch_do_not() {
    let lines = ["monday 13:00 17:00", "monday 09:00 12:00", "monday 12:00 12:30"];
    let shift = calendar("UTC", &lines);
    let expected = ["2026-07-13T09:00", "2026-07-13T12:30", "2026-07-13T13:00", "2026-07-13T17:00"];
    assert_eq!(changes(&shift, "2026-07-13T00:00", "2026-07-14T00:00"), expected);
    let hour = Some(at("2026-07-13T13:00:00.001"));
    assert_eq!(shift.after_open(at("2026-07-12T00:00"), 7 * HOUR_MS / 2 + 1), hour);
}

#[test]
fn what_lies_too_far_ahead_is_none_and_costs_no_more() {
    let once = calendar("Europe/Berlin", &["2027-06-01 09:00 10:00"]);
    assert_eq!(once.next_change(at("2026-04-01T00:00")), None, "425 days ahead");
    assert_eq!(once.next_change(at("2026-06-01T00:00")), Some(at("2027-06-01T07:00")));
    assert_eq!(once.after_open(at("2026-01-01T00:00"), HOUR_MS), Some(at("2027-06-01T08:00")));
    assert_eq!(once.after_open(at("2026-01-01T00:00"), HOUR_MS + 1), None);
    assert_eq!(once.after_open(at("2026-01-01T00:00"), u64::MAX), None);
    let (first, last) = (UnixMillis(i64::MIN), UnixMillis(i64::MAX));
    let always = every_day("Europe/Berlin", "00:00", "24:00");
    for end in [first, last] {
        assert!(!always.is_open(end));
        assert_eq!(always.open_millis(end, end), 0);
        assert_eq!(always.after_open(end, 0), Some(end));
        assert_eq!(always.after_open(end, 1), None);
        assert_eq!(always.next_change(end), None);
    }
    assert_eq!(always.open_millis(UnixMillis(-5), UnixMillis(7)), 7);
    let century = u64::try_from(CALENDAR_COUNT_DAYS_MAX).unwrap() * 24 * HOUR_MS;
    assert_eq!(always.open_millis(UnixMillis(0), last), century);
}

#[test]
fn the_clock_of_every_zone_goes_on_and_shows_local_time_or_waits_for_it() {
    let (from, to) = (at("1970-01-01T00:00").0, at("2045-01-01T00:00").0);
    for name in TimeZoneDatabase::bundled().available() {
        let Some(zone) = Zone::named(name.as_str()) else { continue };
        let wall = TimeZoneDatabase::bundled().get(name.as_str()).unwrap();
        let local = |moment| {
            let local = wall.to_datetime(Timestamp::from_millisecond(moment).unwrap());
            i64::try_from(local.duration_since(date(1970, 1, 1).at(0, 0, 0, 0)).as_millis())
                .unwrap()
        };
        let (mut now, mut shown) = (from, i64::MIN);
        while now < to {
            let stretch = zone.stretch(now);
            let last = stretch.until.min(to) - 1;
            assert!(last >= now && stretch.shown >= shown, "{name} at {now}");
            for moment in [now, now + (last - now) / 3, last] {
                let runs = stretch.shown + moment - now == local(moment);
                let stands = stretch.shown >= local(moment);
                assert!(if stretch.stands { stands } else { runs }, "{name} at {moment}");
            }
            shown = stretch.shown + if stretch.stands { 0 } else { last - now };
            now = stretch.until;
        }
    }
}

#[test]
fn the_bounds_are_those_of_the_library_and_threads_may_share_a_calendar() {
    assert_eq!(Timestamp::MAX.as_millisecond(), Zone::MOMENT_MAX + 999);
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Calendar>();
}

const GOLDEN: &str = concat!(
    r#"{"time_zone":"Europe/Berlin","weekly":[{"weekday":"monday","from":"09:00","to":"17:30"},"#,
    r#"{"weekday":"sunday","from":"00:00","to":"24:00"}],"exceptions":{"2026-12-24":["#,
    r#"{"from":"09:00","to":"12:00"},{"from":"12:00","to":"13:05"}],"2026-12-25":[]}}"#
);

#[test]
fn the_stored_form_stays_as_it_is() {
    let stored: Calendar = serde_json::from_str(GOLDEN).unwrap();
    let lines = ["sunday 00:00 24:00", "monday 09:00 17:30", "2026-12-25"];
    let noon = ["2026-12-24 12:00 13:05", "2026-12-24 09:00 12:00"];
    let made = calendar("europe/berlin", &[&lines[..], &noon].concat());
    assert_eq!(made, stored);
    assert_eq!(stored.time_zone(), "Europe/Berlin");
    assert_eq!(serde_json::to_string(&made).unwrap(), GOLDEN);
    // What a later version adds is passed over, and lists may be left out.
    let hours = r#"{"weekday":"monday","from":"09:00","to":"10:00","x":1}"#;
    let later = format!(r#"{{"time_zone":"UTC","weekly":[{hours}],"y":2}}"#);
    let later: Calendar = serde_json::from_str(&later).unwrap();
    assert_eq!(later, calendar("UTC", &["monday 09:00 10:00"]));
    let nonsense = serde_json::from_str::<Calendar>(r#"{"time_zone":"UTC"}"#).unwrap_err();
    assert!(nonsense.to_string().contains("never open"), "{nonsense}");
}

#[test]
fn errors_name_the_field_the_value_and_what_is_allowed() {
    let day = "monday 09:00 17:00";
    for zone in ["Europe/Berln", "", "Etc/Unknown", "CET/", "../Europe/Berlin", "+02:00"] {
        let error = refused(zone, &[day]);
        assert!(error.starts_with(&format!("time_zone {zone:?} is unknown")), "{error}");
    }
    for time in ["9:00", "09:00:00", "24:00", "23:60", "0900", "aa:bb", "٠٩:٠٠", "", "+9:00"] {
        let error = refused("UTC", &[day, &format!("tuesday {time} 24:00")]);
        let expected = format!(
            "weekly[1].from {time:?} is no time of day; allowed is HH:MM from 00:00 to 23:59"
        );
        assert_eq!(error, expected);
    }
    for (lines, expected) in [
        (
            vec!["monday 09:00 24:01"],
            r#"weekly[0].to "24:01" is no time of day; allowed is HH:MM from 00:00 to 24:00"#,
        ),
        (
            vec![day, "friday 22:00 06:00"],
            "weekly[1] is 22:00 to 06:00; `to` must be later than `from`, at most 24:00: \
             hours past midnight are a second interval, from 00:00 on the next day",
        ),
        (vec!["2026-12-24 09:00 09:00"], r#"exceptions["2026-12-24"][0] is 09:00 to 09:00; `to`"#),
        (
            vec!["monday 16:59 18:00", day],
            "weekly[0] from 16:59 overlaps one until 17:00 of the same day",
        ),
        (
            vec!["2026-12-24 09:00 11:00", "2026-12-24 10:00 10:30"],
            r#"exceptions["2026-12-24"][1] from 10:00 overlaps one until 11:00"#,
        ),
        (
            vec![day, "2026-02-29"],
            r#"exceptions has the key "2026-02-29"; allowed are dates written YYYY-MM-DD"#,
        ),
        (vec![day, "20261225"], r#"exceptions has the key "20261225""#),
        (vec![day, "2026-12-25T00:00"], r#"exceptions has the key "2026-12-25T00:00""#),
        (vec![], "weekly and exceptions hold no interval"),
        (vec!["2026-12-25"], "weekly and exceptions hold no interval"),
        (vec!["monday 00:00 00:01"; 65], "weekly has 65 entries; allowed are 64"),
        (
            vec!["2026-12-24 00:00 00:01"; 25],
            r#"exceptions["2026-12-24"] has 25 entries; allowed are 24"#,
        ),
    ] {
        let error = refused("UTC", &lines);
        assert!(error.starts_with(expected), "{error}");
    }
    let dates: BTreeSet<_> = (0..367).map(|n| format!("{}-01-02", 2000 + n)).collect();
    let lines: Vec<_> = dates.iter().map(String::as_str).collect();
    assert_eq!(refused("UTC", &lines), "exceptions has 367 entries; allowed are 366");
    let long = refused(&"x".repeat(1000), &[day]);
    assert!(long.len() < 200, "{long}");
}

/// Zones and weeks in which the clocks of each change.
const WEEKS: [(&str, &str); 12] = [
    ("America/New_York", "2026-03-06"),
    ("America/New_York", "2026-10-30"),
    ("Australia/Lord_Howe", "2026-04-03"),
    ("Australia/Lord_Howe", "2026-10-02"),
    ("America/St_Johns", "2010-11-05"),
    ("America/Santiago", "2026-09-04"),
    ("America/Santiago", "2026-04-03"),
    ("Pacific/Apia", "2011-12-28"),
    ("Africa/Casablanca", "2026-03-20"),
    ("Antarctica/Troll", "2026-10-23"),
    ("Asia/Kathmandu", "1985-12-30"),
    ("UTC", "2026-12-24"),
];

/// A form with some hours on each day, and some dates that differ in the week from `date`.
fn any_form() -> impl Strategy<Value = (CalendarForm, UnixMillis)> {
    let day = || proptest::collection::btree_set(0u16..=48, 0..7);
    let night = || proptest::collection::btree_set(0u16..=16, 0..7);
    let day = move || prop_oneof![day(), night()];
    let exceptions = proptest::collection::btree_map(0i64..6, day(), 0..3);
    let parts = (0..WEEKS.len(), proptest::array::uniform7(day()), exceptions, any::<bool>());
    parts.prop_map(|(week, days, exceptions, coarse)| {
        let (zone, date) = WEEKS[week];
        // Half hours over the day, or ten minutes around the hours at which clocks change.
        let step = if coarse { 30 } else { 10 };
        let mut form = CalendarForm { time_zone: zone.to_owned(), ..CalendarForm::default() };
        for (weekday, marks) in Weekday::ALL.into_iter().zip(days) {
            for (from, to) in pairs(&marks, step) {
                form.weekly.push(WeeklyInterval { weekday, from, to });
            }
        }
        let midnight: DateTime = format!("{date}T00:00").parse().unwrap();
        for (days, marks) in exceptions {
            let date = midnight.date().checked_add(jiff::Span::new().days(days)).unwrap();
            let hours = pairs(&marks, step).map(|(from, to)| DateInterval { from, to });
            form.exceptions.insert(date.to_string(), hours.collect());
        }
        (form, at(&format!("{date}T00:00")))
    })
}

fn pairs(marks: &BTreeSet<u16>, step: u16) -> impl Iterator<Item = (String, String)> + use<> {
    let marks: Vec<_> = marks.iter().map(|mark| mark * step).collect();
    let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let pairs: Vec<_> = marks.chunks_exact(2).map(|pair| (text(pair[0]), text(pair[1]))).collect();
    pairs.into_iter()
}

/// Whether it is open in each minute from `from`, by reading wall clock and form as people do:
/// the latest time any clock has shown yet is looked up in the list of that date or weekday.
fn minute_by_minute(form: &CalendarForm, from: UnixMillis, minutes: usize) -> Vec<bool> {
    let zone = TimeZoneDatabase::bundled().get(&form.time_zone).unwrap();
    let local = |minute: i64| {
        zone.to_datetime(Timestamp::from_millisecond(from.0 + minute * MINUTE_MS).unwrap())
    };
    let mut latest = (-30 * 60..0).map(local).max().unwrap();
    let open = |shown: DateTime| {
        let time = format!("{:02}:{:02}", shown.hour(), shown.minute());
        let within = |from: &String, to: &String| *from <= time && time < *to;
        let name = format!("{:?}", shown.weekday());
        match form.exceptions.get(&shown.date().to_string()) {
            Some(hours) => hours.iter().any(|hours| within(&hours.from, &hours.to)),
            None => form.weekly.iter().any(|hours| {
                format!("{:?}", hours.weekday) == name && within(&hours.from, &hours.to)
            }),
        }
    };
    let mut found = Vec::new();
    for minute in 0..i64::try_from(minutes).unwrap() {
        latest = latest.max(local(minute));
        found.push(open(latest));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn everything_agrees_with_counting_minute_by_minute((form, from) in any_form()) {
        let minutes = 6 * 24 * 60;
        let expected = minute_by_minute(&form, from, minutes);
        let Ok(calendar) = Calendar::try_from(form) else { return Ok(()) };
        let offset = |minute: usize| i64::try_from(minute).unwrap() * MINUTE_MS;
        let moment = |minute: usize| UnixMillis(from.0 + offset(minute));
        let mut count = 0;
        for (minute, open) in expected.iter().enumerate() {
            prop_assert_eq!(calendar.is_open(moment(minute)), *open, "minute {}", minute);
            if minute % 7 == 0 || (minute > 0 && expected[minute - 1] != *open) {
                prop_assert_eq!(calendar.open_millis(from, moment(minute)), count * 60_000);
                let next = expected[minute..].iter().position(|other| other != open);
                if let Some(next) = next.map(|next| moment(minute + next)) {
                    prop_assert_eq!(calendar.next_change(moment(minute)), Some(next));
                }
            }
            count += u64::from(*open);
            if *open {
                let end = calendar.after_open(from, count * 60_000);
                prop_assert_eq!(end, Some(moment(minute + 1)), "minute {}", minute);
            }
        }
    }

    #[test]
    fn open_time_adds_up_and_can_be_turned_round(
        (form, near) in any_form(),
        steps in proptest::array::uniform3(0i64..800_000_000),
        open_ms in 1u64..3_000_000_000,
    ) {
        let Ok(calendar) = Calendar::try_from(form) else { return Ok(()) };
        let from = UnixMillis(near.0 - steps[0]);
        let middle = UnixMillis(near.0 + steps[1]);
        let to = UnixMillis(middle.0 + steps[2]);
        let parts = calendar.open_millis(from, middle) + calendar.open_millis(middle, to);
        prop_assert_eq!(calendar.open_millis(from, to), parts);
        prop_assert!(parts <= to.millis_since(from));
        prop_assert_eq!(calendar.open_millis(to, from), 0);
        if let Some(end) = calendar.after_open(from, open_ms) {
            prop_assert_eq!(calendar.open_millis(from, end), open_ms);
            prop_assert_eq!(calendar.open_millis(from, UnixMillis(end.0 - 1)), open_ms - 1);
        } else {
            let century = UnixMillis(from.0 + CALENDAR_COUNT_DAYS_MAX * DAY_MS);
            prop_assert!(calendar.open_millis(from, century) < open_ms);
        }
    }

    #[test]
    fn changes_take_turns_and_nothing_happens_between((form, near) in any_form()) {
        let Ok(calendar) = Calendar::try_from(form) else { return Ok(()) };
        let (mut now, mut open) = (near, calendar.is_open(near));
        for _ in 0..40 {
            let Some(next) = calendar.next_change(now) else { break };
            let expected = if open { next.millis_since(now) } else { 0 };
            prop_assert_eq!(calendar.open_millis(now, next), expected);
            prop_assert_eq!(calendar.is_open(next), !open);
            (now, open) = (next, !open);
        }
    }

    #[test]
    fn a_calendar_written_and_read_is_the_same((form, _) in any_form()) {
        let Ok(calendar) = Calendar::try_from(form) else { return Ok(()) };
        let text = serde_json::to_string(&calendar).unwrap();
        prop_assert_eq!(serde_json::from_str::<Calendar>(&text).unwrap(), calendar);
    }
}
