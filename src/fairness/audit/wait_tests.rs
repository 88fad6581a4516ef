//! Whether groups wait differently.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    decision::Decision,
    groups::{quantiles, sorted_assigned},
    kolmogorov::{exact_tail, limit_tail, one_sample_tail},
    logrank::log_rank,
    samples::{KruskalWallis, kolmogorov_distance, kruskal_wallis, mann_whitney, wasserstein},
};
use crate::fairness::{proportions::ChiSquare, waits::Elapsed};

/// Tests of the waits. All but the log-rank test look at assigned tickets alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaitTests {
    /// Assigned tickets by group, where there are any.
    pub groups_with_events: BTreeMap<String, u64>,
    /// Ranks of all groups; `None` below two groups.
    pub kruskal_wallis: Option<KruskalWallis>,
    /// Group with most assigned tickets; of equal ones, the first by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Each other group against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vs_reference: Option<BTreeMap<String, AgainstReference>>,
    /// All groups, with those still waiting; `None` below two groups, or when nobody was assigned.
    pub logrank: Option<ChiSquare>,
}

/// The waits of a group against those of the reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgainstReference {
    /// Greatest distance between the distribution functions, Kolmogorov and Smirnov's D.
    pub ks_d: f64,
    /// Its probability by the law of one sample of `n₁ n₂ / (n₁ + n₂)`, rounded; `None` where that is 0.
    pub ks_p_scipy_asymp: Option<f64>,
    /// Its probability by the limit.
    pub ks_p_kolmogorov_limit: f64,
    /// Its exact probability; `None` with more than 100 tickets.
    pub ks_p_exact: Option<f64>,
    /// Pairs of tickets in which the group's waits longer; equal ones count one half.
    pub mwu_u: f64,
    /// Two-sided probability of the Mann-Whitney test.
    pub mwu_p_asymptotic: f64,
    /// Share of those pairs.
    pub prob_superiority: f64,
    /// Share in which it waits longer less the share in which it waits less (N. Cliff, 1993).
    pub cliffs_delta: f64,
    /// Area between the distribution functions, in seconds.
    pub wasserstein_1: f64,
    /// Quantiles less the reference's, in seconds.
    pub quantile_gap: BTreeMap<&'static str, Option<f64>>,
}

impl WaitTests {
    /// Tests the waits of named groups.
    pub(super) fn of(groups: &BTreeMap<String, Vec<&Decision>>) -> Self {
        let waits: BTreeMap<&str, Vec<Elapsed>> = groups
            .iter()
            .map(|(name, tickets)| (name.as_str(), tickets.iter().filter_map(|t| t.wait).collect()))
            .filter(|(_, waits): &(_, Vec<_>)| !waits.is_empty())
            .collect();
        let assigned: BTreeMap<&str, Vec<f64>> = waits
            .iter()
            .map(|(name, waits)| (*name, sorted_assigned(waits)))
            .filter(|(_, secs)| !secs.is_empty())
            .collect();
        let samples: Vec<&[f64]> = assigned.values().map(Vec::as_slice).collect();
        // Of equally large ones, the last of the reversed names is the first.
        let reference = assigned.iter().rev().max_by_key(|(_, secs)| secs.len());
        let against = reference.map(|(reference, others)| {
            let apart = assigned.iter().filter(|(name, _)| *name != reference);
            apart.map(|(name, own)| ((*name).to_owned(), against_reference(own, others))).collect()
        });
        let all: Vec<Vec<Elapsed>> = waits.values().cloned().collect();
        Self {
            groups_with_events: assigned
                .iter()
                .map(|(name, secs)| ((*name).to_owned(), secs.len() as u64))
                .collect(),
            kruskal_wallis: (samples.len() >= 2).then(|| kruskal_wallis(&samples)),
            reference: reference.map(|(name, _)| (*name).to_owned()),
            vs_reference: against,
            logrank: log_rank(&all),
        }
    }
}

fn against_reference(own: &[f64], others: &[f64]) -> AgainstReference {
    let (n, m) = (own.len() as f64, others.len() as f64);
    let effective = n * m / (n + m);
    let distance = kolmogorov_distance(own, others);
    let rank = mann_whitney(own, others);
    let superiority = rank.u / (n * m);
    let reference = quantiles(others);
    let gap = |(name, value): (&'static str, Option<f64>)| {
        let other = reference.get(name).copied().flatten();
        (name, value.zip(other).map(|(value, other)| value - other))
    };
    AgainstReference {
        ks_d: distance,
        ks_p_scipy_asymp: one_sample_tail(whole(effective), distance),
        ks_p_kolmogorov_limit: limit_tail(distance * effective.sqrt()),
        ks_p_exact: exact_tail(distance, own.len() as u64, others.len() as u64),
        mwu_u: rank.u,
        mwu_p_asymptotic: rank.p,
        prob_superiority: superiority,
        cliffs_delta: 2.0 * superiority - 1.0,
        wasserstein_1: wasserstein(own, others),
        quantile_gap: quantiles(own).into_iter().map(gap).collect(),
    }
}

/// Rounds a size to a whole number, halves to the even one as statistical programs do.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of tickets")]
fn whole(size: f64) -> u64 {
    size.round_ties_even() as u64
}
