//! The distribution of the greatest distance between two distribution functions.
//!
//! Three answers to one question, for each has its place: the exact one for small samples, the law of
//! one sample of a size that stands for both, and the limit for large ones.

mod one_sample;

pub(super) use one_sample::one_sample_tail;

/// Largest sample for which the exact probability is computed: the work is the product of both.
const EXACT_SAMPLE_MAX: u64 = 100;

/// Returns the probability that the limit exceeds `z`, Kolmogorov's distribution.
///
/// `2 Σ (-1)ᵏ⁻¹ exp(-2 k² z²)`; for small `z`, where that converges slowly, by its dual form
/// `1 - √(2π)/z Σ exp(-(2k - 1)² π² / (8 z²))`.
///
/// Source: A. N. Kolmogorov, Giornale dell'Istituto Italiano degli Attuari 4 (1933) 83–91; W. Feller,
/// Annals of Mathematical Statistics 19 (1948) 177–189.
pub(super) fn limit_tail(z: f64) -> f64 {
    use std::f64::consts::PI;

    if z <= 0.0 {
        return 1.0;
    }
    if z < 1.0 {
        let exponent = -PI * PI / (8.0 * z * z);
        let terms = (1_u8..6).map(|k| f64::from(2 * k - 1)).map(|odd| (exponent * odd * odd).exp());
        return 1.0 - (2.0 * PI).sqrt() / z * terms.sum::<f64>();
    }
    let term = |k: u8| {
        let k = f64::from(k);
        (-2.0 * k * k * z * z).exp()
    };
    2.0 * (term(1) - term(2) + term(3) - term(4) + term(5))
}

/// Returns the exact probability that two samples of one continuous distribution lie at least as far
/// apart as `distance`; `None` when one is larger than 100.
///
/// All orders of the values are equally likely. The share of orders that reach the distance is summed
/// up where they first do, so that small probabilities keep their digits.
///
/// Source: J. L. Hodges, Arkiv för Matematik 3 (1958) 469–486.
pub(super) fn exact_tail(distance: f64, own: u64, others: u64) -> Option<f64> {
    if own.max(others) > EXACT_SAMPLE_MAX || own.min(others) == 0 {
        return None;
    }
    // Whole steps of 1 / (n₁ n₂), so that a distance exactly reached is not missed by rounding.
    let steps = (distance * (own * others) as f64).round();
    if steps <= 0.0 {
        return Some(1.0);
    }
    let reached = |x: u64, y: u64| (x * others).abs_diff(y * own) as f64 >= steps;
    let columns = usize::try_from(others).ok()? + 1;
    let mut row = vec![0.0; columns];
    let mut probability = 0.0;
    for x in 0..=own {
        let (mut left, mut above) = (0.0, std::mem::replace(&mut row, vec![0.0; columns]));
        for (y, come) in (0..=others).zip(above.iter_mut()) {
            // Into (x, y) by a value of the first sample from above, or of the second from the left.
            let remaining = |x: u64, y: u64| (own - x + others - y) as f64;
            let mut inside = if x == 0 && y == 0 { 1.0 } else { 0.0 };
            if x > 0 {
                inside += *come * (own - x + 1) as f64 / remaining(x - 1, y);
            }
            if y > 0 {
                inside += left * (others - y + 1) as f64 / remaining(x, y - 1);
            }
            if reached(x, y) {
                probability += inside;
                inside = 0.0;
            }
            left = inside;
            *come = inside;
        }
        row = above;
    }
    Some(probability.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_has_smirnovs_tabulated_values() {
        // N. V. Smirnov, Annals of Mathematical Statistics 19 (1948) 279-281.
        for (z, below) in [(0.5, 0.036055), (1.0, 0.730000), (1.36, 0.950514)] {
            assert!((1.0 - limit_tail(z) - below).abs() < 1e-6, "{z}");
        }
        assert!(limit_tail(0.0) >= 1.0 && limit_tail(9.0) < 1e-60);
    }

    #[test]
    fn both_forms_of_the_limit_agree_where_they_meet() {
        let (below, above) = (limit_tail(1.0 - 1e-13), limit_tail(1.0));
        assert!((below - above).abs() < 1e-12, "{below} {above}");
    }

    #[test]
    fn small_samples_have_the_share_of_orders_that_reach_the_distance() {
        for (own, others) in [(1_u64, 4_u64), (3, 3), (4, 6), (5, 7)] {
            let sizes = own * others;
            for steps in 1..=sizes {
                let (reaching, all) = orders(own, others, own, others, steps, false);
                let expected = reaching as f64 / all as f64;
                let found = exact_tail(steps as f64 / sizes as f64, own, others).unwrap();
                assert!((found - expected).abs() < 1e-12, "{own} {others} {steps}: {found}");
            }
        }
        assert_eq!(exact_tail(0.5, 101, 3), None);
        assert_eq!(exact_tail(0.0, 3, 3), Some(1.0));
    }

    /// Counts the orders that ever reach the distance, and all orders.
    fn orders(own: u64, others: u64, x: u64, y: u64, steps: u64, reached: bool) -> (u64, u64) {
        let (passed, beside) = (own - x, others - y);
        let reached = reached || (passed * others).abs_diff(beside * own) >= steps;
        if x == 0 && y == 0 {
            return (u64::from(reached), 1);
        }
        let mut sum = (0, 0);
        for (x_next, y_next) in [(x.checked_sub(1), Some(y)), (Some(x), y.checked_sub(1))] {
            if let (Some(x), Some(y)) = (x_next, y_next) {
                let (reaching, all) = orders(own, others, x, y, steps, reached);
                sum = (sum.0 + reaching, sum.1 + all);
            }
        }
        sum
    }
}
