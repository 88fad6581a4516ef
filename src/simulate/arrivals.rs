//! When the tickets of a class come in: a renewal process whose rate may change over the day.

use super::{
    random::{Law, Stream},
    scenario::Pattern,
};

/// The arrivals of one class, one after the other.
pub(super) struct Arrivals {
    /// Tickets a second where the factor is 1.
    rate: f64,
    law: Law,
    pattern: Option<Pattern>,
    stream: Stream,
    /// Nothing after this matters, in seconds.
    end: f64,
    /// The last arrival, in seconds.
    last: f64,
    /// The part of the day it fell into, counted on from day to day, and when that ends.
    part: usize,
    part_end: f64,
}

impl Arrivals {
    pub(super) fn new(
        (rate, law): (f64, Law),
        pattern: Option<Pattern>,
        stream: Stream,
        end: f64,
    ) -> Self {
        let part_end = pattern.as_ref().map_or(f64::INFINITY, Pattern::part_seconds);
        Self { rate, law, pattern, stream, end, last: 0.0, part: 0, part_end }
    }

    /// Returns the next arrival, in seconds; `None` when there will be none before the end.
    ///
    /// The gap is drawn with mean 1 and spent at the rate of each part of the day, so exponential gaps
    /// give a Poisson process with exactly these rates.
    pub(super) fn next(&mut self) -> Option<f64> {
        if self.rate <= 0.0 {
            return None;
        }
        let mut left = self.law.draw(&mut self.stream);
        loop {
            let factor = self.pattern.as_ref().map_or(1.0, |pattern| pattern.factor(self.part));
            let rate = self.rate * factor;
            let spent = rate * (self.part_end - self.last).max(0.0);
            if spent >= left && rate > 0.0 {
                self.last += left / rate;
                return Some(self.last);
            }
            // A rate near nothing would go through days for ever.
            if self.part_end > self.end {
                return None;
            }
            left -= spent;
            self.last = self.part_end;
            self.part += 1;
            // Added up anew each time, so that a thousand days drift by nothing.
            let length = self.pattern.as_ref().map_or(f64::INFINITY, Pattern::part_seconds);
            self.part_end = (self.part + 1) as f64 * length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::random::Seed;

    fn stream() -> Stream {
        Stream::new(Seed { seed: 5, run: 0 }, "arrivals", "test")
    }

    #[test]
    fn each_part_of_the_day_gets_its_share() {
        let pattern = Pattern { factors: vec![0.0, 1.0, 3.0], period_seconds: 30.0 };
        let mut arrivals =
            Arrivals::new((2.0, Law::Exponential), Some(pattern), stream(), 40_000.0);
        let mut counts = [0_u32; 3];
        while let Some(at) = arrivals.next().filter(|at| *at < 30_000.0) {
            let second = at % 30.0;
            counts[usize::from(second >= 10.0) + usize::from(second >= 20.0)] += 1;
        }
        // 20,000 and 60,000 expected; four standard deviations.
        assert_eq!(counts[0], 0);
        assert!((19_434..20_566).contains(&counts[1]), "{counts:?}");
        assert!((59_020..60_980).contains(&counts[2]), "{counts:?}");
    }

    #[test]
    fn a_rate_near_nothing_ends_with_the_run() {
        let pattern = Pattern { factors: vec![1.0, 2.0], period_seconds: 1.0 };
        let law = Law::Exponential;
        let mut arrivals = Arrivals::new((1e-12, law), Some(pattern), stream(), 1000.0);
        assert!(arrivals.next().is_none());
    }

    #[test]
    fn without_a_rate_nothing_comes() {
        assert!(Arrivals::new((0.0, Law::Exponential), None, stream(), 9.0).next().is_none());
        let mut clockwork = Arrivals::new((4.0, Law::Deterministic), None, stream(), 9.0);
        assert_eq!(clockwork.next(), Some(0.25));
        assert_eq!(clockwork.next(), Some(0.5));
    }
}
