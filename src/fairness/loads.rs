//! How evenly work is spread over agents.

/// Returns Jain's fairness index of loads, or `None` without any load.
///
/// `(Σ x)² / (n Σ x²)`: 1 means that all agents carry the same, `1 / n` that one of `n` carries all.
///
/// - `loads`: one number for each agent, in any one unit, for example tickets accepted.
/// - Result: in `1 / n ..= 1`, no unit.
///
/// Source: R. Jain, D.-M. Chiu, W. Hawe, DEC Research Report TR-301 (1984).
///
/// ```
/// # use evenhand::fairness::jain_index;
/// assert_eq!(jain_index(&[3, 3, 3]), Some(1.0));
/// assert_eq!(jain_index(&[6, 0]), Some(0.5));
/// assert_eq!(jain_index(&[0, 0]), None);
/// ```
#[must_use]
pub fn jain_index(loads: &[u64]) -> Option<f64> {
    let sum: f64 = loads.iter().map(|load| *load as f64).sum();
    let squares: f64 = loads.iter().map(|load| *load as f64 * *load as f64).sum();
    // Rounding may not lift an even spread above 1.
    (sum > 0.0).then(|| (sum * sum / (loads.len() as f64 * squares)).min(1.0))
}

/// Returns the Gini index of loads, or `None` without any load.
///
/// `Σ (2 i - n - 1) xᵢ / (n Σ x)` over ascending loads `x₁ … xₙ`: 0 means that all agents carry the
/// same, `1 - 1 / n` that one of `n` carries all. No correction for small `n`.
///
/// - `loads`: one number for each agent, in any one unit, for example tickets accepted.
/// - Result: in `0 ..= 1 - 1 / n`, no unit.
///
/// Source: C. Gini, Variabilità e mutabilità (1912).
#[must_use]
pub fn gini_index(loads: &[u64]) -> Option<f64> {
    let mut ascending = loads.to_vec();
    ascending.sort_unstable();
    let count = loads.len() as f64;
    let sum: f64 = ascending.iter().map(|load| *load as f64).sum();
    let ranks = (1_u32..).map(|rank| 2.0 * f64::from(rank) - count - 1.0);
    let weighted: f64 = ranks.zip(&ascending).map(|(rank, load)| rank * *load as f64).sum();
    (sum > 0.0).then(|| (weighted / (count * sum)).max(0.0))
}

/// Returns the greatest load divided by the mean of all, or `None` without any load.
///
/// 1 means that all agents carry the same, `n` that one of `n` carries all.
///
/// - `loads`: one number for each agent, in any one unit, for example tickets accepted.
/// - Result: in `1 ..= n`, no unit.
///
/// ```
/// # use evenhand::fairness::max_mean_ratio;
/// assert_eq!(max_mean_ratio(&[3, 3, 3]), Some(1.0));
/// assert_eq!(max_mean_ratio(&[6, 0]), Some(2.0));
/// assert_eq!(max_mean_ratio(&[0, 0]), None);
/// ```
#[must_use]
pub fn max_mean_ratio(loads: &[u64]) -> Option<f64> {
    let max = loads.iter().copied().max()?;
    let sum: f64 = loads.iter().map(|load| *load as f64).sum();
    // Rounding may not take an even spread below 1.
    (sum > 0.0).then(|| (max as f64 * loads.len() as f64 / sum).max(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Half the relative mean difference of all pairs: Gini's own definition.
    fn gini_of_pairs(loads: &[u64]) -> Option<f64> {
        let differences: u64 =
            loads.iter().flat_map(|a| loads.iter().map(|b| a.abs_diff(*b))).sum();
        let sum: u64 = loads.iter().sum();
        (sum > 0).then(|| differences as f64 / (2.0 * loads.len() as f64 * sum as f64))
    }

    #[test]
    fn without_any_load_there_is_no_index() {
        for loads in [&[][..], &[0], &[0, 0, 0]] {
            assert_eq!(jain_index(loads), None);
            assert_eq!(gini_index(loads), None);
            assert_eq!(max_mean_ratio(loads), None);
        }
    }

    #[test]
    fn one_agent_who_carries_all_is_the_worst_case() {
        assert_eq!(jain_index(&[0, 8, 0, 0]), Some(0.25));
        assert_eq!(gini_index(&[0, 8, 0, 0]), Some(0.75));
        assert_eq!(max_mean_ratio(&[0, 8, 0, 0]), Some(4.0));
    }

    proptest! {
        #[test]
        fn gini_is_half_the_relative_mean_difference(
            loads in proptest::collection::vec(0_u64..1000, 0..20),
        ) {
            match (gini_index(&loads), gini_of_pairs(&loads)) {
                (Some(index), Some(oracle)) => prop_assert!((index - oracle).abs() < 1e-12),
                (index, oracle) => prop_assert_eq!(index, oracle),
            }
        }

        #[test]
        fn both_stay_in_range_and_ignore_the_order_and_the_unit(
            mut loads in proptest::collection::vec(0_u64..1000, 1..20),
            unit in 1_u64..1000,
        ) {
            prop_assume!(loads.iter().any(|load| *load > 0));
            let (jain, gini) = (jain_index(&loads).unwrap(), gini_index(&loads).unwrap());
            let share = 1.0 / loads.len() as f64;
            prop_assert!(share - 1e-12 <= jain && jain <= 1.0, "{jain}");
            prop_assert!((0.0..=1.0 - share + 1e-12).contains(&gini), "{gini}");
            loads.reverse();
            loads.iter_mut().for_each(|load| *load *= unit);
            prop_assert!((jain_index(&loads).unwrap() - jain).abs() < 1e-12);
            prop_assert!((gini_index(&loads).unwrap() - gini).abs() < 1e-12);
        }

        /// No agent carries more than `max / mean` times the mean, and one carries that.
        #[test]
        fn the_greatest_load_is_the_ratio_times_the_mean(
            loads in proptest::collection::vec(0_u64..1000, 1..20),
        ) {
            prop_assume!(loads.iter().any(|load| *load > 0));
            let ratio = max_mean_ratio(&loads).unwrap();
            let mean = loads.iter().sum::<u64>() as f64 / loads.len() as f64;
            let over = loads.iter().map(|load| *load as f64 / mean - ratio);
            let nearest = over.fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(nearest.abs() < 1e-9 && ratio >= 1.0, "{ratio}");
        }

        #[test]
        fn an_even_spread_is_exactly_even(load in 1_u64..1000, count in 1_usize..50) {
            let loads = vec![load; count];
            prop_assert!((jain_index(&loads).unwrap() - 1.0).abs() < 1e-12);
            prop_assert!(gini_index(&loads).unwrap() < 1e-12);
        }
    }
}
