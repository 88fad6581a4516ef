//! Means with their sample size and interval.

use super::{distributions::student_quantile_975, rates::Interval};

/// The mean of a number that tickets have, such as the satisfaction of their customers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    count: u64,
    sum: f64,
    /// Standard deviation over `n - 1`; `None` below two tickets.
    deviation: Option<f64>,
}

impl Mean {
    /// Returns the mean of finite numbers, in any one unit.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        // From 0, for the sum of nothing is -0 otherwise.
        let (count, sum) = (values.len() as u64, values.iter().fold(0.0, |sum, value| sum + value));
        let mean = sum / count.max(1) as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Self { count, sum, deviation }
    }

    /// Returns how many tickets have a number.
    #[must_use]
    pub fn count(self) -> u64 {
        self.count
    }

    /// Returns the sum of the numbers.
    #[must_use]
    pub fn sum(self) -> f64 {
        self.sum
    }

    /// Returns the mean; `None` without tickets.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Returns the 95 % interval of the mean by Student's t; `None` below two tickets.
    ///
    /// It is valid for one look. Tickets are taken to be independent; numbers that are far from normal
    /// need some thirty of them.
    ///
    /// Source: Student, Biometrika 6 (1908) 1–25.
    #[must_use]
    pub fn interval(self) -> Option<Interval> {
        let (mean, deviation) = (self.value()?, self.deviation?);
        let half = student_quantile_975(self.count - 1)? * deviation / (self.count as f64).sqrt();
        Some(Interval { low: mean - half, high: mean + half })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_one_to_five_is_the_one_in_the_tables() {
        // Mean 3, standard deviation 1.58114; t of four degrees of freedom is 2.77645.
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let interval = mean.interval().unwrap();
        assert_eq!((mean.count(), mean.value()), (5, Some(3.0)));
        assert!((interval.low - 1.036_76).abs() < 1e-4, "{interval:?}");
        assert!((interval.high - 4.963_24).abs() < 1e-4, "{interval:?}");
    }

    #[test]
    fn one_number_has_no_interval_and_none_has_no_mean() {
        assert_eq!((Mean::of(&[4.0]).value(), Mean::of(&[4.0]).interval()), (Some(4.0), None));
        let none = Mean::of(&[]);
        assert_eq!((none.value(), none.interval()), (None, None));
        assert!(none.sum().is_sign_positive());
    }
}
