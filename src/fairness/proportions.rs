//! Whether groups' rates differ by more than chance, judged once, after the tickets are in.
//!
//! These tests are valid for one look at a number of tickets fixed beforehand. What is looked at
//! again and again is the matter of [`sequences`](super::sequences) and [`betting`](super::betting).

use serde::Serialize;

use super::{
    distributions::{chi_square_tail, normal_two_sided},
    rates::Rate,
};

/// How much more probable than the table seen another may be and still count as no more probable.
///
/// Equal tables reach their probability by different products, which differ by rounding: 1e-12 after
/// thousands of factors.
const EQUAL_TABLES_TOLERANCE: f64 = 1e-10;

/// A statistic that is referred to the chi-square distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ChiSquare {
    /// The statistic; `None` when there is nothing to compare.
    pub chi2: Option<f64>,
    /// Degrees of freedom.
    pub dof: u64,
    /// Probability of a statistic as large when nothing differs.
    pub p: Option<f64>,
}

impl ChiSquare {
    /// Returns the statistic with its degrees of freedom and probability.
    #[must_use]
    pub fn new(chi2: f64, dof: u64) -> Self {
        Self { chi2: Some(chi2), dof, p: Some(chi_square_tail(chi2, dof)) }
    }
}

/// The pooled two-proportion z test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PooledZ {
    /// The statistic, in standard errors.
    pub z: f64,
    /// Two-sided probability of one as far from 0 when the rates are equal.
    pub p: f64,
}

/// Compares two rates by the pooled z test; `None` when all or none of the tickets are hit.
///
/// `(p₁ - p₂) / √(p (1 - p) (1/n₁ + 1/n₂))` with `p` the rate of both together.
///
/// Source: J. L. Fleiss, Statistical Methods for Rates and Proportions (1981), section 2.1.
#[must_use]
pub fn pooled_z(rate: Rate, other: Rate) -> Option<PooledZ> {
    let both = Rate::counted(rate.hits() + other.hits(), rate.misses() + other.misses());
    if both.hits() == 0 || both.misses() == 0 {
        return None;
    }
    let share = both.value()?;
    let variance = share * (1.0 - share) * (1.0 / rate.count() as f64 + 1.0 / other.count() as f64);
    let z = (rate.value()? - other.value()?) / variance.sqrt();
    Some(PooledZ { z, p: normal_two_sided(z) })
}

/// Returns the two-sided probability of Fisher's exact test; `None` when either count is 0.
///
/// It is the probability, with both counts and the sum of hits given, of all tables that are no
/// more probable than the one seen.
///
/// Source: R. A. Fisher, Journal of the Royal Statistical Society 98 (1935) 39–82.
#[must_use]
pub fn fisher_exact(rate: Rate, other: Rate) -> Option<f64> {
    if rate.count() == 0 || other.count() == 0 {
        return None;
    }
    let (own, hits) = (rate.count(), rate.hits() + other.hits());
    let lowest = hits.saturating_sub(other.count());
    let highest = hits.min(own);
    // Weights relative to the most probable table: none overflows, and those that underflow are 0
    // beside it.
    let all = u128::from(own) + u128::from(other.count());
    let mode = (u128::from(own) + 1) * (u128::from(hits) + 1) / (all + 2);
    let mode = u64::try_from(mode).unwrap_or(highest).clamp(lowest, highest);
    let falling = |x: u64| (own - x) as f64 * (hits - x) as f64;
    let rising = |x: u64| x as f64 * (other.count() + x - hits) as f64;
    let mut weights = vec![(mode, 1.0)];
    let mut weight = 1.0;
    for x in mode..highest {
        weight *= falling(x) / rising(x + 1);
        weights.push((x + 1, weight));
    }
    weight = 1.0;
    for x in (lowest..mode).rev() {
        weight *= rising(x + 1) / falling(x);
        weights.push((x, weight));
    }
    let seen = weights.iter().find(|(x, _)| *x == rate.hits()).map(|(_, weight)| *weight)?;
    let limit = seen * (1.0 + EQUAL_TABLES_TOLERANCE);
    let mut ascending: Vec<f64> = weights.into_iter().map(|(_, weight)| weight).collect();
    ascending.sort_unstable_by(f64::total_cmp);
    let extreme: f64 = ascending.iter().take_while(|weight| **weight <= limit).sum();
    let total: f64 = ascending.iter().sum();
    Some((extreme / total).min(1.0))
}

/// Compares the rates of several groups by Pearson's chi-square, without continuity correction.
///
/// Groups without tickets are left out. With one group, or when all or none of the tickets are hit,
/// there is nothing to compare.
///
/// Source: K. Pearson, Philosophical Magazine 50 (1900) 157–175.
#[must_use]
pub fn chi_square(rates: &[Rate]) -> ChiSquare {
    let rates: Vec<Rate> = rates.iter().copied().filter(|rate| rate.count() > 0).collect();
    let hits: u64 = rates.iter().map(|rate| rate.hits()).sum();
    let misses: u64 = rates.iter().map(|rate| rate.misses()).sum();
    if rates.len() < 2 || hits == 0 || misses == 0 {
        return ChiSquare::default();
    }
    let all = (hits + misses) as f64;
    let cell = |seen: u64, rate: &Rate, sum: u64| {
        let expected = rate.count() as f64 * sum as f64 / all;
        (seen as f64 - expected).powi(2) / expected
    };
    let statistic = rates
        .iter()
        .map(|rate| cell(rate.hits(), rate, hits) + cell(rate.misses(), rate, misses))
        .sum();
    ChiSquare::new(statistic, rates.len() as u64 - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Fisher's test from its definition, in exact integers.
    fn fisher_by_counting(rate: Rate, other: Rate) -> f64 {
        let choose =
            |n: u64, k: u64| (1..=k).fold(1_u128, |c, i| c * u128::from(n - k + i) / u128::from(i));
        let hits = rate.hits() + other.hits();
        let tables = |x: u64| choose(rate.count(), x) * choose(other.count(), hits - x);
        let range = hits.saturating_sub(other.count())..=hits.min(rate.count());
        let seen = tables(rate.hits());
        let extreme: u128 = range.clone().map(tables).filter(|ways| *ways <= seen).sum();
        extreme as f64 / range.map(tables).sum::<u128>() as f64
    }

    fn any_rate() -> impl Strategy<Value = Rate> {
        (1_u64..30).prop_flat_map(|count| (0..=count).prop_map(move |hits| Rate::of(hits, count)))
    }

    #[test]
    fn the_lady_tasting_tea_has_her_probability() {
        // R. A. Fisher, The Design of Experiments (1935), chapter II: three of four cups right.
        let p = fisher_exact(Rate::of(3, 4), Rate::of(1, 4)).unwrap();
        assert!((p - 34.0 / 70.0).abs() < 1e-15);
    }

    #[test]
    fn where_nothing_varies_there_is_no_statistic() {
        assert_eq!(pooled_z(Rate::of(0, 3), Rate::of(0, 5)), None);
        assert_eq!(pooled_z(Rate::of(3, 3), Rate::of(5, 5)), None);
        assert_eq!(fisher_exact(Rate::of(0, 0), Rate::of(0, 5)), None);
        assert_eq!(fisher_exact(Rate::of(0, 3), Rate::of(0, 5)), Some(1.0));
        assert_eq!(chi_square(&[Rate::of(1, 3)]), ChiSquare::default());
        assert_eq!(chi_square(&[Rate::of(3, 3), Rate::of(2, 2)]), ChiSquare::default());
    }

    #[test]
    fn thousands_of_tickets_far_apart_have_a_tiny_probability_and_not_none() {
        let p = fisher_exact(Rate::of(1200, 2500), Rate::of(200, 2500)).unwrap();
        assert!(p > 0.0 && p < 1e-200, "{p:e}");
    }

    proptest! {
        #[test]
        fn fishers_probability_is_that_of_counting_tables(a in any_rate(), b in any_rate()) {
            let (found, expected) = (fisher_exact(a, b).unwrap(), fisher_by_counting(a, b));
            prop_assert!((found - expected).abs() < 1e-12 * expected, "{found} {expected}");
        }

        #[test]
        fn of_two_groups_chi_square_is_the_square_of_z(a in any_rate(), b in any_rate()) {
            let (z, chi_square) = (pooled_z(a, b), chi_square(&[a, b]));
            match (z, chi_square.chi2) {
                (Some(z), Some(chi2)) => {
                    prop_assert!((z.z * z.z - chi2).abs() < 1e-9);
                    prop_assert!((z.p - chi_square.p.unwrap()).abs() < 1e-9);
                }
                (z, chi2) => prop_assert!(z.is_none() && chi2.is_none()),
            }
        }
    }
}
