//! Time in equal parts, to see when groups differ.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{case::Case, figures::Figure, measures::Share};
use crate::{domain::time::UnixMillis, fairness::Rate};

/// Most parts: as many as can be told apart on paper.
const PERIODS_MAX: i64 = 14;
/// Lengths of a part, in minutes: up to a day parts of a day, then weeks, doubled beyond.
const LENGTHS_MINUTES: [i64; 11] = [1, 5, 15, 30, 60, 180, 360, 720, 1_440, 7 * 1_440, 14 * 1_440];

/// Parts of time, of equal length, that hold all tickets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Periods {
    /// Length, in seconds.
    pub seconds: i64,
    /// When each begins, in milliseconds since 1970; days begin at midnight UTC.
    pub begin_unix_ms: Vec<i64>,
}

impl Periods {
    /// Returns the shortest parts of a usual length, of which there are few enough.
    pub(super) fn of(first: UnixMillis, last: UnixMillis) -> Self {
        let count = |minutes: i64| {
            let length = minutes * 60_000;
            last.0.div_euclid(length) - first.0.div_euclid(length) + 1
        };
        let longer = (1..32).map(|doubled| (14 * 1_440) << doubled);
        let lengths = LENGTHS_MINUTES.into_iter().chain(longer);
        let minutes = lengths.clone().find(|minutes| count(*minutes) <= PERIODS_MAX);
        let minutes = minutes.or(lengths.last()).unwrap_or(1_440);
        let begin = first.0.div_euclid(minutes * 60_000);
        let starts = (0..count(minutes)).map(|place| (begin + place) * minutes * 60_000);
        Self { seconds: minutes * 60, begin_unix_ms: starts.collect() }
    }

    fn place(&self, at: UnixMillis) -> usize {
        self.begin_unix_ms.partition_point(|begin| *begin <= at.0).saturating_sub(1)
    }

    /// Returns a share of a group in each part. The share over all parts is taken as known.
    pub(super) fn course(
        &self,
        share: Share,
        cases: &[&Case],
        end: UnixMillis,
        tickets_min: u64,
    ) -> Vec<Figure> {
        let mut rates = vec![Rate::default(); self.begin_unix_ms.len()];
        for case in cases {
            let rate = rates.get_mut(self.place(case.received_at));
            if let Some((rate, hit)) = rate.zip((share.known)(case, end)) {
                rate.record(hit);
            }
        }
        super::figures::shown(&rates, Rate::count, tickets_min)
    }
}

/// Returns the largest share less the smallest in each part, over the groups that are shown in it;
/// absent below two.
pub(super) fn gaps(courses: &[&Vec<Figure>], parts: usize) -> Vec<Option<f64>> {
    let gap = |place: usize| {
        let values = courses.iter().filter_map(|course| course.get(place)?.value);
        let values: Vec<f64> = values.collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        (values.len() > 1).then_some(high - low)
    };
    (0..parts).map(gap).collect()
}

/// The gaps of an attribute, by measure.
pub(super) type Gaps = BTreeMap<&'static str, Vec<Option<f64>>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fairness::audit::hidden;

    const MINUTE: i64 = 60_000;

    #[test]
    fn parts_are_usual_lengths_of_time_and_few() {
        let day = 1_440 * MINUTE;
        for (minutes, length, parts) in
            [(0, 1, 1), (13, 1, 14), (14, 5, 3), (14 * 60, 180, 5), (14 * 1_440, 7 * 1_440, 3)]
        {
            let begin = 20_000 * day;
            let periods = Periods::of(UnixMillis(begin), UnixMillis(begin + minutes * MINUTE));
            assert_eq!((periods.seconds, periods.begin_unix_ms.len()), (60 * length, parts));
        }
        let ever = Periods::of(UnixMillis(0), UnixMillis(40_000 * day));
        assert!(ever.begin_unix_ms.len() <= 14, "{}", ever.begin_unix_ms.len());
    }

    #[test]
    fn a_moment_belongs_to_the_part_that_has_begun() {
        let periods = Periods { seconds: 60, begin_unix_ms: vec![0, MINUTE, 2 * MINUTE] };
        for (at, place) in [(0, 0), (MINUTE - 1, 0), (MINUTE, 1), (10 * MINUTE, 2)] {
            assert_eq!(periods.place(UnixMillis(at)), place);
        }
        assert_eq!(hidden(&[20, 4, 30], 10), [0, 1].into(), "one alone would be the rest");
    }

    #[test]
    fn a_gap_is_between_groups_that_are_shown() {
        let share = |value| Figure { value: Some(value), ..Figure::default() };
        let (one, two) = (vec![share(0.5), share(0.25)], vec![share(0.125), Figure::SUPPRESSED]);
        assert_eq!(gaps(&[&one, &two], 2), [Some(0.375), None]);
    }
}
