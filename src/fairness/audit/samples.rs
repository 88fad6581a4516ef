//! Comparing two or more samples of waits by rank and by distance.

use serde::Serialize;

use crate::fairness::distributions::{chi_square_tail, normal_two_sided};

/// The Kruskal-Wallis test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KruskalWallis {
    /// The statistic, corrected for ties; `None` when all waits are equal.
    pub h: Option<f64>,
    /// Probability of a statistic as large when all groups wait alike.
    pub p: Option<f64>,
}

/// The Mann-Whitney test of one sample against another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MannWhitney {
    /// Pairs, one of each sample, in which the first is greater; equal ones count one half.
    pub(super) u: f64,
    /// Two-sided probability, by the normal approximation with ties and continuity corrected.
    pub(super) p: f64,
}

/// Values that are equal, with how many of each sample there are.
struct Tied {
    counts: Vec<u64>,
    value: f64,
}

/// Merges ascending samples.
fn merge(samples: &[&[f64]]) -> Vec<Tied> {
    let mut places = vec![0; samples.len()];
    let mut merged = Vec::new();
    loop {
        let heads = samples.iter().zip(&places).filter_map(|(sample, place)| sample.get(*place));
        let Some(value) = heads.copied().min_by(f64::total_cmp) else { return merged };
        let mut counts = vec![0; samples.len()];
        for ((sample, place), count) in samples.iter().zip(&mut places).zip(&mut counts) {
            while sample.get(*place).is_some_and(|next| *next <= value) {
                *place += 1;
                *count += 1;
            }
        }
        merged.push(Tied { counts, value });
    }
}

/// Returns `Σ t³ - t` over ties of `t` values, as the corrections for ties have it.
fn tie_sum(merged: &[Tied]) -> f64 {
    let sizes = merged.iter().map(|tied| tied.counts.iter().sum::<u64>() as f64);
    sizes.map(|size| size.powi(3) - size).sum()
}

/// Compares the ranks of several ascending samples; each has a value.
///
/// `H = 12 / (N (N + 1)) Σ Rᵢ² / nᵢ - 3 (N + 1)`, divided by `1 - Σ (t³ - t) / (N³ - N)`.
///
/// Source: W. H. Kruskal, W. A. Wallis, Journal of the American Statistical Association 47 (1952) 583–621.
pub(super) fn kruskal_wallis(samples: &[&[f64]]) -> KruskalWallis {
    let merged = merge(samples);
    if merged.len() < 2 {
        return KruskalWallis { h: None, p: None };
    }
    let (mut ranks, mut passed) = (vec![0.0; samples.len()], 0.0);
    for tied in &merged {
        let size = tied.counts.iter().sum::<u64>() as f64;
        // The mean of the ranks that the tied values take up.
        let rank = passed + f64::midpoint(1.0, size);
        for (sum, count) in ranks.iter_mut().zip(&tied.counts) {
            *sum += rank * *count as f64;
        }
        passed += size;
    }
    // About the mean rank, so that nothing cancels: it equals the textbook form.
    let mean = f64::midpoint(1.0, passed);
    let spread: f64 = ranks
        .iter()
        .zip(samples)
        .map(|(sum, sample)| (sample.len() as f64, sum))
        .map(|(size, sum)| (sum / size - mean).powi(2) * size)
        .sum();
    let correction = 1.0 - tie_sum(&merged) / (passed.powi(3) - passed);
    let h = 12.0 / (passed * (passed + 1.0)) * spread / correction;
    KruskalWallis { h: Some(h), p: Some(chi_square_tail(h, samples.len() as u64 - 1)) }
}

/// Compares two ascending samples that each have a value.
///
/// Source: H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18 (1947) 50–60.
pub(super) fn mann_whitney(sample: &[f64], other: &[f64]) -> MannWhitney {
    let merged = merge(&[sample, other]);
    let (mut half_pairs, mut below) = (0_u128, 0_u128);
    for tied in &merged {
        let (own, others) = (u128::from(tied.counts[0]), u128::from(tied.counts[1]));
        half_pairs += own * (2 * below + others);
        below += others;
    }
    let u = half_pairs as f64 / 2.0;
    let (own, others) = (sample.len() as f64, other.len() as f64);
    let (pairs, all) = (own * others, own + others);
    let variance = pairs / 12.0 * (all + 1.0 - tie_sum(&merged) / (all * (all - 1.0)));
    let excess = (u - pairs / 2.0).abs() - 0.5;
    // Within the half step of the continuity correction, or with all values equal, nothing is odd.
    let extreme = excess > 0.0 && variance > 0.0;
    let p = if extreme { normal_two_sided(excess / variance.sqrt()) } else { 1.0 };
    MannWhitney { u, p }
}

/// Returns the area between the two distribution functions, in the unit of the values.
///
/// It is how far, on average, waits must be moved to turn one sample into the other.
///
/// Source: L. V. Kantorovich (1942); S. S. Vallender, Theory of Probability 18 (1974) 784–786.
pub(super) fn wasserstein(sample: &[f64], other: &[f64]) -> f64 {
    let merged = merge(&[sample, other]);
    let (mut area, mut passed) = (0.0, [0_u64; 2]);
    for pair in merged.windows(2) {
        passed = [passed[0] + pair[0].counts[0], passed[1] + pair[0].counts[1]];
        area += (pair[1].value - pair[0].value) * height(passed, sample, other);
    }
    area
}

/// Returns the greatest distance of the two distribution functions, as a share and in steps of
/// one over the least common multiple of the sizes.
pub(super) fn kolmogorov_distance(sample: &[f64], other: &[f64]) -> f64 {
    let (mut passed, mut greatest) = ([0_u64; 2], 0.0_f64);
    for tied in merge(&[sample, other]) {
        passed = [passed[0] + tied.counts[0], passed[1] + tied.counts[1]];
        greatest = greatest.max(height(passed, sample, other));
    }
    greatest
}

/// Returns the distance of the distribution functions after so many values of each.
fn height(passed: [u64; 2], sample: &[f64], other: &[f64]) -> f64 {
    let (own, others) = (sample.len() as u64, other.len() as u64);
    (passed[0] * others).abs_diff(passed[1] * own) as f64 / (own * others) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_sample() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec((0_u8..12).prop_map(f64::from), 1..15).prop_map(|mut values| {
            values.sort_unstable_by(f64::total_cmp);
            values
        })
    }

    #[test]
    fn equal_waits_have_no_ranks_to_compare() {
        let equal: [&[f64]; 2] = [&[5.0, 5.0], &[5.0]];
        assert_eq!(kruskal_wallis(&equal), KruskalWallis { h: None, p: None });
        assert_eq!(mann_whitney(equal[0], equal[1]), MannWhitney { u: 1.0, p: 1.0 });
        assert!(kolmogorov_distance(equal[0], equal[1]) <= 0.0);
        assert!(wasserstein(equal[0], equal[1]) <= 0.0);
    }

    proptest! {
        #[test]
        fn the_statistic_of_two_groups_is_that_of_the_rank_sum(a in any_sample(), b in any_sample()) {
            let whole = kruskal_wallis(&[&a, &b]);
            let Some(h) = whole.h else { return Ok(()) };
            // H of two groups is z² without the continuity correction.
            let all = [&a[..], &b[..]].concat();
            let (n, m, count) = (a.len() as f64, b.len() as f64, all.len() as f64);
            let ties = |v: &f64| all.iter().filter(|w| w.total_cmp(v).is_eq()).count() as f64;
            let correction: f64 = all.iter().map(|v| ties(v).powi(2) - 1.0).sum();
            let variance = n * m / 12.0 * (count + 1.0 - correction / (count * (count - 1.0)));
            let z = (mann_whitney(&a, &b).u - n * m / 2.0) / variance.sqrt();
            prop_assert!((h - z * z).abs() < 1e-9, "{h} {}", z * z);
        }

        #[test]
        fn u_and_the_distances_are_those_of_counting(a in any_sample(), b in any_sample()) {
            let worth = |x: f64, y: f64| if x > y { 1.0 } else if x < y { 0.0 } else { 0.5 };
            let u: f64 = a.iter().flat_map(|x| b.iter().map(move |y| worth(*x, *y))).sum();
            prop_assert!((mann_whitney(&a, &b).u - u).abs() < 1e-12);
            let share = |s: &[f64], v: f64| s.iter().filter(|w| **w <= v).count() as f64 / s.len() as f64;
            let gaps = (0_u8..12).map(|v| (share(&a, v.into()) - share(&b, v.into())).abs());
            let area: f64 = gaps.clone().sum();
            prop_assert!((wasserstein(&a, &b) - area).abs() < 1e-12);
            let greatest = gaps.fold(0.0, f64::max);
            prop_assert!((kolmogorov_distance(&a, &b) - greatest).abs() < 1e-12);
        }
    }
}
