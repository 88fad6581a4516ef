//! Open hours by a clock that only knows days and times: no zones, no moments.
//!
//! Times are in milliseconds since 1970-01-01 00:00 on that clock, days are counted from that day.

use std::collections::BTreeMap;

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// The hours of a week, and of the dates that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OpenHours {
    /// By day, Monday first; those of a day in order, without overlap.
    pub weekly: [Vec<Hours>; 7],
    /// By day.
    pub exceptions: BTreeMap<i64, Vec<Hours>>,
}

/// Open hours, in minutes of a day: `from` 0 to 1439, `to` up to 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    pub from: u16,
    pub to: u16,
}

impl Hours {
    /// Returns start and end in milliseconds of the day.
    fn bounds_ms(self) -> (i64, i64) {
        (i64::from(self.from) * MINUTE_MS, i64::from(self.to) * MINUTE_MS)
    }

    /// Returns how much of it lies between two times, in milliseconds of the day.
    fn within_ms(self, from: i64, to: i64) -> i64 {
        let (start, end) = self.bounds_ms();
        (end.min(to) - start.max(from)).max(0)
    }
}

impl OpenHours {
    /// Returns whether it is never open.
    pub(super) fn is_empty(&self) -> bool {
        self.weekly.iter().chain(self.exceptions.values()).all(Vec::is_empty)
    }

    /// Returns whether anything is open on the day of a time, or later.
    pub(super) fn opens_from(&self, shown: i64) -> bool {
        let dates = self.exceptions.range(shown.div_euclid(DAY_MS)..);
        !self.weekly.iter().all(Vec::is_empty) || dates.into_iter().any(|(_, day)| !day.is_empty())
    }

    /// Returns the hours of a day, counted from 1970-01-01.
    fn of_day(&self, day: i64) -> &[Hours] {
        self.exceptions.get(&day).unwrap_or_else(|| self.weekly_hours(day))
    }

    /// Returns the hours a day would have without exceptions.
    fn weekly_hours(&self, day: i64) -> &Vec<Hours> {
        let [monday, tuesday, wednesday, thursday, friday, saturday, sunday] = &self.weekly;
        // 1970-01-01 was a Thursday.
        match day.rem_euclid(7) {
            0 => thursday,
            1 => friday,
            2 => saturday,
            3 => sunday,
            4 => monday,
            5 => tuesday,
            _ => wednesday,
        }
    }

    /// Returns whether it is open when the clock shows so many milliseconds since 1970-01-01.
    pub(super) fn shows_open(&self, shown: i64) -> bool {
        let of_day = shown.rem_euclid(DAY_MS);
        self.of_day(shown.div_euclid(DAY_MS))
            .iter()
            .any(|hours| hours.within_ms(of_day, of_day + 1) > 0)
    }

    /// Returns when a running clock first shows the opposite of `open`, between `from` and `end`,
    /// both excluded; at `from` it must show `open`.
    pub(super) fn next_edge(&self, from: i64, end: i64, open: bool) -> Option<i64> {
        for day in from.div_euclid(DAY_MS)..=end.div_euclid(DAY_MS) {
            let (hours, midnight) = (self.of_day(day), day * DAY_MS);
            let is_edge = |edge: i64| from < edge && edge < end;
            // Whether what is open until 24:00 goes on is the next day's to say.
            if open && is_edge(midnight) && hours.first().is_none_or(|hours| hours.from > 0) {
                return Some(midnight);
            }
            for hours in hours {
                let (start, stop) = hours.bounds_ms();
                let edge = midnight + if open { stop } else { start };
                let decided_later = open && stop == DAY_MS;
                // Where one interval ends, the next may begin, and then nothing changes.
                if !decided_later && is_edge(edge) && self.shows_open(edge) != open {
                    return Some(edge);
                }
            }
        }
        None
    }

    /// Returns the open time while a running clock goes from `from` to `to`, in milliseconds.
    pub(super) fn open_between(&self, from: i64, to: i64) -> i64 {
        let (first, last) = (from.div_euclid(DAY_MS), to.div_euclid(DAY_MS));
        let (start, end) = (from.rem_euclid(DAY_MS), to.rem_euclid(DAY_MS));
        if first == last {
            return sum_ms(self.of_day(first), start, end);
        }
        sum_ms(self.of_day(first), start, DAY_MS)
            + self.open_on_days(first + 1, last)
            + sum_ms(self.of_day(last), 0, end)
    }

    /// Returns the open time of whole days from `first` to before `end`, in milliseconds, without
    /// looking at each: a week is like another, but for exceptions.
    fn open_on_days(&self, first: i64, end: i64) -> i64 {
        let weekly = |day| sum_ms(self.weekly_hours(day), 0, DAY_MS);
        let (weeks, odd_days) = ((end - first) / 7, (end - first) % 7);
        let week: i64 = if weeks > 0 { (0..7).map(weekly).sum() } else { 0 };
        let odd: i64 = (end - odd_days..end).map(weekly).sum();
        let moved = self.exceptions.range(first..end);
        let moved: i64 = moved.map(|(day, hours)| sum_ms(hours, 0, DAY_MS) - weekly(*day)).sum();
        weeks * week + odd + moved
    }

    /// Returns how far a running clock goes from `shown` until `left` of open time have passed, in
    /// milliseconds; there must be so much open time ahead.
    pub(super) fn ahead(&self, shown: i64, mut left: i64) -> i64 {
        let (mut day, mut start) = (shown.div_euclid(DAY_MS), shown.rem_euclid(DAY_MS));
        loop {
            let open = sum_ms(self.of_day(day), start, DAY_MS);
            if left <= open {
                break;
            }
            left -= open;
            (day, start) = (day + 1, 0);
        }
        for hours in self.of_day(day) {
            let open = hours.within_ms(start, DAY_MS);
            if left <= open {
                let begin = hours.bounds_ms().0.max(start);
                return day * DAY_MS + begin + left - shown;
            }
            left -= open;
        }
        day * DAY_MS + DAY_MS - shown
    }
}

/// Returns the open time between two times of a day, in milliseconds.
fn sum_ms(hours: &[Hours], from: i64, to: i64) -> i64 {
    hours.iter().map(|hours| hours.within_ms(from, to)).sum()
}
