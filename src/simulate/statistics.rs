//! Means over runs, and how sure they are.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean over runs with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// The mean.
    pub mean: f64,
    /// Lower end of the interval; `None` from one run, which says nothing of the spread.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Where a measure can lie: its interval is cut to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// A share: 0 to 1.
    Share,
    /// 0 or more.
    Positive,
}

/// How wide intervals are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    /// Student's t for the level and the number of runs; `None` from one run.
    t: Option<f64>,
}

impl Interval {
    /// Prepares intervals of a level, 0 to 1, over independent runs.
    pub(super) fn new(level: f64, runs: usize) -> Self {
        let freedom = runs.saturating_sub(1) as f64;
        let student = StudentsT::new(0.0, 1.0, freedom).ok();
        Self { t: student.map(|student| student.inverse_cdf(f64::midpoint(1.0, level))) }
    }

    /// Returns the ratio of two sums over runs; `None` when there is nothing to divide by.
    ///
    /// Runs with more tickets weigh more, so the ratio has hardly any bias, where the mean of the
    /// runs' own ratios would keep that of a single run. Its variance is that of the residuals
    /// numerator less ratio times denominator; for equal denominators this is the mean over runs with
    /// Student's interval. Source: Law, "Simulation Modeling and Analysis", 2015, section 9.5.3.
    pub(super) fn ratio(self, runs: &[(f64, f64)], range: Range) -> Option<Measure> {
        let above: f64 = runs.iter().map(|(above, _)| above).sum();
        let below: f64 = runs.iter().map(|(_, below)| below).sum();
        if below <= 0.0 {
            return None;
        }
        let mean = above / below;
        let count = runs.len() as f64;
        let squares: f64 = runs.iter().map(|(a, b)| (a - mean * b).powi(2)).sum();
        let deviation = (squares / (count - 1.0) / count).sqrt() / (below / count);
        let most = if range == Range::Share { 1.0 } else { f64::INFINITY };
        let end = |sign: f64| self.t.map(|t| (mean + sign * t * deviation).clamp(0.0, most));
        Some(Measure { mean, low: end(-1.0), high: end(1.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found - wanted).abs() < 1e-4)
    }

    #[test]
    fn equal_denominators_give_the_mean_with_students_interval() {
        // Mean 3, standard deviation 1.58114; t of 4 degrees of freedom is 2.77645 and 8.61030.
        let runs: Vec<(f64, f64)> = [1.0, 2.0, 3.0, 4.0, 5.0].map(|x| (x, 1.0)).to_vec();
        for (level, half) in [(0.95, 1.963_24), (0.999, 6.088_40)] {
            let measure = Interval::new(level, 5).ratio(&runs, Range::Positive).unwrap();
            assert!(close(Some(measure.mean), 3.0), "{measure:?}");
            assert!(close(measure.high, 3.0 + half), "{measure:?}");
            assert!(close(measure.low, (3.0 - half).max(0.0)), "{measure:?}");
        }
    }

    #[test]
    fn runs_with_more_tickets_weigh_more() {
        let measure = Interval::new(0.95, 2).ratio(&[(1.0, 1.0), (0.0, 3.0)], Range::Share);
        let measure = measure.unwrap();
        assert!(close(Some(measure.mean), 0.25), "{measure:?}");
        assert_eq!((measure.low, measure.high), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn nothing_to_divide_by_is_no_measure_and_one_run_has_no_interval() {
        assert_eq!(Interval::new(0.95, 2).ratio(&[(0.0, 0.0); 2], Range::Share), None);
        assert_eq!(Interval::new(0.95, 0).ratio(&[], Range::Share), None);
        let alone = Interval::new(0.95, 1).ratio(&[(1.0, 2.0)], Range::Share).unwrap();
        assert_eq!(alone, Measure { mean: 0.5, low: None, high: None });
    }
}
