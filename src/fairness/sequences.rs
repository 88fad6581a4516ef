//! Intervals that stay true however often one looks: confidence sequences of a rate.
//!
//! An interval for one look, such as Wilson's, is wrong sooner or later when it is looked at after
//! every ticket. A confidence sequence covers the rate at every number of tickets at once, with the
//! stated probability. Both below allow for stopping at any moment, for whatever reason.

use serde::Serialize;
use statrs::function::beta::ln_beta;

use super::rates::{Ends, Interval, Rate};

/// Jeffreys' prior over rates, with both parameters one half: it favours no rate by much.
const PRIOR: f64 = 0.5;
/// Up to so many tickets the evidence is a product, which stays above 1e-30.
const FACTORS_MAX: u64 = 32;
/// Width of the mixture of the normal bound, in variance: it is tightest near 100 tickets.
const NORMAL_MIXTURE_RHO: f64 = 25.0;
/// Variance of a ticket that is or is not hit, at most.
const HIT_VARIANCE_MAX: f64 = 0.25;
/// Halvings until the two sides are neighbours as floating-point numbers, with room.
const HALVINGS_MAX: u32 = 2200;

/// Returns the logarithm of the evidence against the rate being `share`, in nats.
///
/// `E(p) = B(1/2 + k, 1/2 + n - k) / (B(1/2, 1/2) pᵏ (1 - p)ⁿ⁻ᵏ)`: the likelihood of the data under
/// all rates, weighed by Jeffreys' prior, over their likelihood under this one. If the rate is
/// `share`, its expectation is 1 at every moment, and it ever reaches 20 with probability 1/20 at most.
///
/// Source: H. Robbins, Annals of Mathematical Statistics 41 (1970) 1397–1409.
#[must_use]
pub fn log_evidence(rate: Rate, share: f64) -> f64 {
    let (hits, misses) = (rate.hits() as f64, rate.misses() as f64);
    log_mixture(rate) - times_log(hits, share.ln()) - times_log(misses, (-share).ln_1p())
}

/// Returns the logarithm of `B(1/2 + k, 1/2 + n - k) / B(1/2, 1/2)`.
fn log_mixture(rate: Rate) -> f64 {
    if rate.count() > FACTORS_MAX {
        let (hits, misses) = (rate.hits() as f64, rate.misses() as f64);
        return ln_beta(PRIOR + hits, PRIOR + misses) - ln_beta(PRIOR, PRIOR);
    }
    // Few tickets as a product, so that evidence of exactly 1 has the logarithm 0.
    let rising = |to: u64| (0..to).map(|i| i as f64 + PRIOR);
    let factors = rising(rate.hits()).chain(rising(rate.misses()));
    let ratio: f64 = factors.zip(1_u64..).map(|(factor, n)| factor / n as f64).product();
    ratio.ln()
}

/// Returns the beta-binomial confidence sequence of a rate: all shares with evidence below `1 / alpha`.
///
/// - `alpha`: probability of ever missing the rate, above 0 and below 1.
/// - Result: with no tickets all of 0..=1.
///
/// Source: H. Robbins (1970); S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Annals of Statistics
/// 49 (2021) 1055–1080.
#[must_use]
pub fn beta_binomial(rate: Rate, alpha: f64) -> Interval {
    let Some(share) = rate.value() else { return Interval { low: 0.0, high: 1.0 } };
    let outside = |at: f64| log_evidence(rate, at) >= -alpha.ln();
    let low = if rate.hits() == 0 { 0.0 } else { edge(share, 0.0, outside) };
    let high = if rate.misses() == 0 { 1.0 } else { edge(share, 1.0, outside) };
    Interval { low, high }
}

/// Returns the normal-mixture confidence sequence of a rate, which may leave 0..=1; `None` without tickets.
///
/// `k/n ± √((v + ρ) ln((v + ρ) / (ρ α²))) / n`, where `v = n/4` bounds the variance and `ρ = 25`.
///
/// Source: S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Annals of Statistics 49 (2021), eq. (14).
#[must_use]
pub fn normal_mixture(rate: Rate, alpha: f64) -> Option<Interval> {
    let share = rate.value()?;
    let count = rate.count() as f64;
    let spread = HIT_VARIANCE_MAX * count + NORMAL_MIXTURE_RHO;
    let bound = (spread * (spread / (NORMAL_MIXTURE_RHO * alpha * alpha)).ln()).sqrt() / count;
    Some(Interval { low: share - bound, high: share + bound })
}

/// Returns a confidence sequence of how much one rate exceeds another, both ends in -1..=1.
///
/// Each rate has a sequence that misses with half of `alpha`; what both allow is what remains.
#[must_use]
pub fn difference(rate: Rate, other: Rate, alpha: f64) -> Interval {
    let (own, others) = (beta_binomial(rate, alpha / 2.0), beta_binomial(other, alpha / 2.0));
    Interval { low: own.low - others.high, high: own.high - others.low }
}

/// What was known of a group's selection after a number of its tickets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Look {
    /// Tickets.
    pub n: u64,
    /// Selected ones.
    pub k: u64,
    /// Confidence sequence at 5 %.
    pub beta_binomial_cs95: Ends,
    /// Confidence sequence at 2.5 %: when those of two groups are disjoint, they differ at 5 %.
    pub beta_binomial_cs975: Ends,
    /// Logarithm of the evidence against a rate of one half, in nats.
    #[serde(rename = "log_e_vs_p0_0.5")]
    pub log_e_against_half: f64,
    /// The normal bound at 5 %, for contrast.
    pub normal_mixture_cs95: Ends,
    /// Wilson's interval, for contrast: not valid under repeated looks.
    pub wilson95_fixed_n: Ends,
}

impl Look {
    /// Returns what is known from a rate.
    #[must_use]
    pub fn at(rate: Rate) -> Self {
        Self {
            n: rate.count(),
            k: rate.hits(),
            beta_binomial_cs95: Ends(Some(beta_binomial(rate, 0.05))),
            beta_binomial_cs975: Ends(Some(beta_binomial(rate, 0.025))),
            log_e_against_half: log_evidence(rate, 0.5),
            normal_mixture_cs95: Ends(normal_mixture(rate, 0.05)),
            wilson95_fixed_n: Ends(rate.interval()),
        }
    }
}

/// Nothing times minus infinity is nothing here: a hit that never came has no likelihood to lose.
fn times_log(count: f64, logarithm: f64) -> f64 {
    if count > 0.0 { count * logarithm } else { 0.0 }
}

/// Returns where `outside` begins between a share inside and an end outside, by halving.
fn edge(mut inside: f64, mut end: f64, outside: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS_MAX {
        let middle = f64::midpoint(inside, end);
        // Neighbours have nothing between them.
        if middle <= inside.min(end) || middle >= inside.max(end) {
            break;
        }
        if outside(middle) { end = middle } else { inside = middle }
    }
    inside
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The evidence ticket by ticket: each is predicted by (k + 1/2) / (n + 1), Jeffreys' estimate.
    fn evidence_by_prediction(hits: &[bool], share: f64) -> f64 {
        let mut seen = Rate::default();
        let mut log = 0.0;
        for hit in hits {
            let predicted = (seen.hits() as f64 + 0.5) / (seen.count() as f64 + 1.0);
            let ratio = if *hit { predicted / share } else { (1.0 - predicted) / (1.0 - share) };
            log += ratio.ln();
            seen.record(*hit);
        }
        log
    }

    #[test]
    fn before_the_first_ticket_everything_is_possible() {
        assert_eq!(beta_binomial(Rate::default(), 0.05), Interval { low: 0.0, high: 1.0 });
        assert_eq!(normal_mixture(Rate::default(), 0.05), None);
        assert!(log_evidence(Rate::default(), 0.3).abs() < 1e-15);
    }

    #[test]
    fn three_of_three_leave_a_quarter_to_one() {
        // B(7/2, 1/2) / B(1/2, 1/2) = 5/16, and 5/16 / p³ = 20 at p = 1/4.
        let interval = beta_binomial(Rate::of(3, 3), 0.05);
        assert!((interval.low - 0.25).abs() < 1e-12 && interval.high > 1.0 - 1e-15);
    }

    proptest! {
        #[test]
        fn the_evidence_is_what_predicting_each_ticket_earns(
            hits in proptest::collection::vec(any::<bool>(), 0..60),
            share in 0.01..0.99,
        ) {
            let rate: Rate = hits.iter().copied().collect();
            let expected = evidence_by_prediction(&hits, share);
            prop_assert!((log_evidence(rate, share) - expected).abs() < 1e-9);
        }

        #[test]
        fn the_ends_have_exactly_the_evidence_asked_for(
            (count, hits) in (1_u64..20_000).prop_flat_map(|count| (Just(count), 0..=count)),
        ) {
            let rate = Rate::of(hits, count);
            let interval = beta_binomial(rate, 0.05);
            let share = rate.value().unwrap();
            prop_assert!(interval.low <= share && share <= interval.high);
            for (end, inner) in [(interval.low, hits > 0), (interval.high, hits < count)] {
                let short = log_evidence(rate, end) - 20_f64.ln();
                prop_assert!(!inner || short.abs() < 1e-6, "{end} {short}");
            }
            let wilson = rate.interval().unwrap();
            prop_assert!(interval.low <= wilson.low + 1e-9 && wilson.high <= interval.high + 1e-9);
        }
    }
}
