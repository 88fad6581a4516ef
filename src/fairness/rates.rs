//! Shares with their sample size and interval.

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// 97.5 % quantile of the standard normal distribution, for two-sided 95 % intervals.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Of how many tickets something is so. Made by counting, so `hits` never exceeds `count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    count: u64,
    hits: u64,
}

/// The two ends of an interval, `low` ≤ `high`; of a share both are in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Rate {
    /// Returns the rate of so many tickets for which it is so and so many for which it is not.
    #[must_use]
    pub fn counted(hits: u64, misses: u64) -> Self {
        Self { count: hits + misses, hits }
    }

    /// Counts one more ticket.
    pub fn record(&mut self, hit: bool) {
        self.count += 1;
        self.hits += u64::from(hit);
    }

    /// Returns how many tickets count for it.
    #[must_use]
    pub fn count(self) -> u64 {
        self.count
    }

    /// Returns for how many of them it is so.
    #[must_use]
    pub fn hits(self) -> u64 {
        self.hits
    }

    /// Returns for how many of them it is not so.
    #[must_use]
    pub fn misses(self) -> u64 {
        self.count - self.hits
    }

    /// Returns the share for which it is not so, with its own interval.
    #[must_use]
    pub fn complement(self) -> Self {
        Self { count: self.count, hits: self.misses() }
    }

    /// Returns `hits / count`; `None` when `count` is 0.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.hits as f64 / self.count as f64)
    }

    /// Returns the 95 % Wilson score interval without continuity correction; `None` when `count` is 0.
    ///
    /// These are the shares `p` for which the observed share is at most 1.96 standard errors away,
    /// `|hits / count - p| ≤ z √(p (1 - p) / count)`. Unlike the textbook interval around the
    /// observed share, it stays inside 0..=1 and has a width when nobody or everybody is hit. It is
    /// valid for one look at the data; looking after every ticket will sooner or later mislead.
    ///
    /// Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209–212.
    #[must_use]
    pub fn interval(self) -> Option<Interval> {
        Some(wilson(self.value()?, self.count as f64))
    }

    /// Returns the 95 % interval of the gap between two independent rates, this one less the other,
    /// both ends in -1..=1; `None` when either count is 0.
    ///
    /// It is made of the two Wilson intervals. The rates must have been named before looking: the
    /// gap between the best and the worst of many groups is larger by chance alone.
    ///
    /// Source: R. G. Newcombe, Statistics in Medicine 17 (1998) 873–890, method 10.
    #[must_use]
    pub fn gap(self, other: Self) -> Option<Interval> {
        let (here, there) = (self.value()?, other.value()?);
        let (own, others) = (self.interval()?, other.interval()?);
        let down = (here - own.low).hypot(others.high - there);
        let up = (own.high - here).hypot(there - others.low);
        Some(Interval { low: here - there - down, high: here - there + up })
    }
}

/// Returns the 95 % Wilson score interval of a share of so many cases, above 0.
pub(super) fn wilson(share: f64, count: f64) -> Interval {
    let z_squared = Z_95 * Z_95;
    let shrink = 1.0 + z_squared / count;
    let center = (share + z_squared / (2.0 * count)) / shrink;
    let variance = share * (1.0 - share) / count + z_squared / (4.0 * count * count);
    let half_width = Z_95 * variance.sqrt() / shrink;
    // The ends are exactly 0 and 1 there; rounding would miss them.
    let low = if share <= 0.0 { 0.0 } else { (center - half_width).max(0.0) };
    let high = if share >= 1.0 { 1.0 } else { (center + half_width).min(1.0) };
    Interval { low, high }
}

/// The share never stands without its counts and its interval; undefined is `null`, not 0.
impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Rate", 4)?;
        fields.serialize_field("n", &self.count)?;
        fields.serialize_field("k", &self.hits)?;
        fields.serialize_field("rate", &self.value())?;
        fields.serialize_field("wilson95", &Ends(self.interval()))?;
        fields.end()
    }
}

/// An interval written as `[low, high]`, and as two nulls where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends(pub Option<Interval>);

impl Serialize for Ends {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.0.map(|ends| ends.low), self.0.map(|ends| ends.high)].serialize(serializer)
    }
}

#[cfg(test)]
impl Rate {
    /// Returns the rate of so many counted one by one.
    pub(super) fn of(hits: u64, count: u64) -> Self {
        assert!(hits <= count, "{hits} of {count}");
        Self { count, hits }
    }
}

impl FromIterator<bool> for Rate {
    /// Counts one ticket for each item.
    fn from_iter<I: IntoIterator<Item = bool>>(hits: I) -> Self {
        let mut rate = Self::default();
        hits.into_iter().for_each(|hit| rate.record(hit));
        rate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Solves `|share - p| = z √(p (1 - p) / count)` between `inside` and `outside` by bisection.
    fn score_bound(share: f64, count: f64, mut inside: f64, mut outside: f64) -> f64 {
        for _ in 0..200 {
            let middle = f64::midpoint(inside, outside);
            if (share - middle).abs() <= Z_95 * (middle * (1.0 - middle) / count).sqrt() {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    }

    #[test]
    fn a_rate_without_tickets_has_neither_value_nor_interval() {
        let rate = Rate::default();
        assert_eq!((rate.count(), rate.hits()), (0, 0));
        assert_eq!(rate.value(), None);
        assert_eq!(rate.interval(), None);
    }

    #[test]
    fn nobody_and_everybody_reach_the_ends_exactly_and_still_have_a_width() {
        for count in 1..200 {
            let nobody = Rate::of(0, count).interval().unwrap();
            let everybody = Rate::of(count, count).interval().unwrap();
            assert_eq!((nobody.low, everybody.high), (0.0, 1.0));
            assert!(nobody.high > 0.0 && everybody.low < 1.0, "{count}");
        }
    }

    #[test]
    fn wilsons_interval_of_81_in_263_is_the_published_one() {
        // R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
        let interval = Rate::of(81, 263).interval().unwrap();
        assert!((interval.low - 0.2553).abs() < 5e-5, "{interval:?}");
        assert!((interval.high - 0.3662).abs() < 5e-5, "{interval:?}");
    }

    #[test]
    fn newcombes_interval_of_a_gap_is_the_published_one() {
        // R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10.
        for (here, there, low, high) in [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((10, 10), (0, 20), 0.6791, 1.0),
        ] {
            let gap = Rate::of(here.0, here.1).gap(Rate::of(there.0, there.1)).unwrap();
            assert!((gap.low - low).abs() < 5e-5, "{gap:?}");
            assert!((gap.high - high).abs() < 5e-5, "{gap:?}");
        }
        assert_eq!(Rate::of(1, 2).gap(Rate::default()), None);
    }

    proptest! {
        #[test]
        fn the_interval_solves_the_score_equation(
            (count, hits) in (1_u64..100_000).prop_flat_map(|count| (Just(count), 0..=count)),
        ) {
            let rate = Rate::of(hits, count);
            let share = rate.value().unwrap();
            let interval = rate.interval().unwrap();
            prop_assert!(0.0 <= interval.low && interval.low <= share);
            prop_assert!(share <= interval.high && interval.high <= 1.0);
            let low = score_bound(share, count as f64, share, 0.0);
            let high = score_bound(share, count as f64, share, 1.0);
            prop_assert!((interval.low - low).abs() < 1e-9, "{} {low}", interval.low);
            prop_assert!((interval.high - high).abs() < 1e-9, "{} {high}", interval.high);
        }

        #[test]
        fn counting_misses_mirrors_the_interval(
            (count, hits) in (1_u64..10_000).prop_flat_map(|count| (Just(count), 0..=count)),
        ) {
            let hit = Rate::of(hits, count).interval().unwrap();
            let missed = Rate::of(count - hits, count).interval().unwrap();
            prop_assert!((hit.low - (1.0 - missed.high)).abs() < 1e-12);
            prop_assert!((hit.high - (1.0 - missed.low)).abs() < 1e-12);
        }

        #[test]
        fn the_order_of_tickets_does_not_matter(hits in proptest::collection::vec(any::<bool>(), 0..50)) {
            let forwards: Rate = hits.iter().copied().collect();
            let backwards: Rate = hits.iter().rev().copied().collect();
            prop_assert_eq!(forwards, backwards);
            prop_assert_eq!(forwards.hits(), hits.iter().filter(|hit| **hit).count() as u64);
            prop_assert_eq!(forwards.count(), hits.len() as u64);
        }
    }
}
