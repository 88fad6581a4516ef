//! Tail probabilities of the distributions that the tests refer to.
//!
//! Tails are computed as such, never as one minus the rest: a probability of 1e-80 keeps its digits.

use statrs::{
    distribution::{ContinuousCDF, StudentsT},
    function::{beta::beta_reg, gamma::gamma_ur},
};

/// Returns the probability that a chi-square variable with `degrees` of freedom exceeds `statistic`.
///
/// `Q(degrees / 2, statistic / 2)`, the upper incomplete gamma function. Without degrees of freedom
/// the variable is 0, and the probability 1.
#[must_use]
pub(super) fn chi_square_tail(statistic: f64, degrees: u64) -> f64 {
    if statistic <= 0.0 || degrees == 0 {
        return 1.0;
    }
    gamma_ur(degrees as f64 / 2.0, statistic / 2.0)
}

/// Returns the probability that a standard normal variable lies further from 0 than `z`, on either side.
///
/// Its square is a chi-square variable with one degree of freedom.
#[must_use]
pub(super) fn normal_two_sided(z: f64) -> f64 {
    chi_square_tail(z * z, 1)
}

/// Returns the probability that Student's t with `degrees` of freedom lies further from 0 than `t`.
///
/// `I(degrees / (degrees + t²); degrees / 2, 1/2)`, the regularised incomplete beta function.
#[must_use]
pub(super) fn student_two_sided(t: f64, degrees: u64) -> f64 {
    let degrees = degrees as f64;
    let share = degrees / (degrees + t * t);
    if share > 0.0 { beta_reg(degrees / 2.0, 0.5, share.min(1.0)) } else { 0.0 }
}

/// Returns the 97.5 % quantile of Student's t with `degrees` of freedom; `None` without any.
#[must_use]
pub(super) fn student_quantile_975(degrees: u64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, degrees as f64).ok()?;
    Some(student.inverse_cdf(0.975))
}

/// Returns the two-sided probability that of `up + down` even chances as many or more fall on one side;
/// `None` without any.
///
/// `2 P(X ≤ k)` with `k` the smaller count, by the incomplete beta function.
#[must_use]
pub(super) fn sign_two_sided(up: u64, down: u64) -> Option<f64> {
    let (fewer, more) = (up.min(down) as f64, up.max(down) as f64);
    (more > 0.0).then(|| (2.0 * beta_reg(more, fewer + 1.0, 0.5)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-9 * expected, "{found:e}, not {expected:e}");
    }

    #[test]
    fn chi_square_with_two_degrees_is_the_exponential_distribution() {
        for statistic in [0.5, 3.0, 60.0, 800.0] {
            assert_near(chi_square_tail(statistic, 2), f64::exp(-statistic / 2.0));
        }
        assert_near(chi_square_tail(0.0, 3), 1.0);
        assert_near(chi_square_tail(1.0, 0), 1.0);
    }

    #[test]
    fn student_with_one_degree_is_the_cauchy_distribution() {
        for t in [0.1, 1.0, 50.0_f64] {
            assert_near(student_two_sided(t, 1), 1.0 - 2.0 * t.atan() / std::f64::consts::PI);
        }
        // M. Abramowitz, I. Stegun, Handbook of Mathematical Functions (1964), table 26.10.
        assert!((student_quantile_975(7).unwrap() - 2.365).abs() < 5e-4);
        assert_eq!(student_quantile_975(0), None);
    }

    #[test]
    fn the_sign_test_is_that_of_counting_and_of_arbuthnot() {
        let by_counting = |up: u64, down: u64| {
            let choose =
                |n: u64, k: u64| (1..=k).fold(1.0, |c, i| c * (n - k + i) as f64 / i as f64);
            let count = up + down;
            let ways: f64 = (0..=up.min(down)).map(|k| choose(count, k)).sum();
            (2.0 * ways / 2.0_f64.powi(i32::try_from(count).unwrap())).min(1.0)
        };
        for (up, down) in [(1, 0), (4, 1), (5, 5), (7, 12), (0, 30), (21, 9)] {
            assert_near(sign_two_sided(up, down).unwrap(), by_counting(up, down));
        }
        // J. Arbuthnot (1710): more boys than girls were christened in each of 82 years.
        assert_near(sign_two_sided(82, 0).unwrap(), 2.0 * 0.5_f64.powi(82));
        assert_eq!(sign_two_sided(0, 0), None);
    }

    #[test]
    fn far_tails_of_the_normal_distribution_keep_their_digits() {
        // The asymptotic series of the tail, M. Abramowitz, I. Stegun (1964), 26.2.12, to six terms.
        for z in [15.0, 19.0, 30.0_f64] {
            let mut term = 1.0;
            let series: f64 = (0..6)
                .map(|index| {
                    let now = term;
                    term *= -f64::from(2 * index + 1) / (z * z);
                    now
                })
                .sum();
            let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let expected = 2.0 * density / z * series;
            assert!((normal_two_sided(z) / expected - 1.0).abs() < 1e-7, "{z}");
        }
    }
}
