//! The measures of one column: of what was recorded, or of a run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    equity::{Equity, equity},
    groups::{AttributeGroups, Segments, groups},
    tally::{Fit, Tally, Treatment},
};
use crate::{
    domain::{ticket::Status, time::UnixMillis},
    fairness::{Rate, Wait, WaitCurve},
};

/// Points of the curve of waits.
const CURVE_POINTS: u32 = 120;

/// A share with its sample size and its 95 % Wilson interval; without tickets all but the size is absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Tickets that count.
    pub tickets: u64,
    /// The share, 0 to 1.
    pub share: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl From<Rate> for Share {
    fn from(rate: Rate) -> Self {
        let interval = rate.interval();
        Self {
            tickets: rate.count(),
            share: rate.value(),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
        }
    }
}

/// Waits from arrival to the first assignment, in seconds. Tickets that still wait, or left waiting,
/// count as far as they were seen (Kaplan and Meier).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Waits {
    /// Mean of the waits, each cut at the horizon.
    pub mean: Option<f64>,
    /// Median; absent where the estimate does not fall that far. So are the next two.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// The horizon: the longest time any ticket was seen waiting, in any of the columns.
    pub horizon: f64,
    /// Share of tickets that waits longer than a time: pairs of seconds and share.
    pub survival: Vec<(f64, f64)>,
}

/// How well agents fitted the tickets they were first assigned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SkillMatch {
    /// Share assigned before any requirement was relaxed.
    pub without_relaxation: Share,
    /// Mean sum of proficiency above what was needed.
    pub proficiency_surplus_mean: Option<f64>,
    /// Share that met somebody with every preferred skill, of those whose route prefers any.
    pub preferred_met: Share,
}

/// What became of the tickets of the window, and what agents carried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// Tickets that came; fewer than recorded where a policy bounds open tickets.
    pub tickets: u64,
    /// Of them, assigned to an agent at least once.
    pub assigned: u64,
    /// Still waiting at the end.
    pub waiting: u64,
    /// Cancelled before anybody accepted them.
    pub cancelled_waiting: u64,
    /// Waits.
    pub wait_seconds: Waits,
    /// Share assigned within their target, of those where it is decided.
    pub within_target: Share,
    /// Mean number of offers until the first acceptance, over assigned tickets.
    pub offers_mean: Option<f64>,
    /// Offers declined.
    pub declined: u64,
    /// Offers that got no answer in time.
    pub lapsed: u64,
    /// How well agents fitted.
    pub skill_match: SkillMatch,
    /// How evenly work was spread over agents.
    pub load: Equity,
    /// By declared segment attribute.
    pub fairness: BTreeMap<String, AttributeGroups>,
}

/// What the columns have in common.
pub(super) struct Frame<'a> {
    /// Until when waiting tickets were seen.
    pub(super) end: UnixMillis,
    pub(super) horizon_secs: f64,
    /// Declared segment attributes, and the tickets' values.
    pub(super) attributes: &'a [String],
    pub(super) segments: &'a Segments,
}

/// Returns the longest time a ticket was seen waiting, in seconds.
pub(super) fn longest_wait_secs(tally: &Tally, end: UnixMillis) -> f64 {
    let longest = tally.tickets.iter().map(|ticket| ticket.wait(end).ms).max();
    longest.unwrap_or(0) as f64 / 1000.0
}

/// Measures what was tallied.
pub(super) fn measure(tally: &Tally, frame: &Frame<'_>) -> Measures {
    let tickets = &tally.tickets;
    let count = |wanted: &dyn Fn(&Treatment) -> bool| {
        tickets.iter().filter(|ticket| wanted(ticket)).count() as u64
    };
    let assigned = count(&|ticket| ticket.assigned_at.is_some());
    let cancelled_waiting =
        count(&|ticket| ticket.assigned_at.is_none() && ticket.status == Status::Cancelled);
    let offers = tickets.iter().filter(|ticket| ticket.assigned_at.is_some());
    let offers: u64 = offers.map(|ticket| u64::from(ticket.offers)).sum();
    let within: Rate = tickets.iter().filter_map(|ticket| ticket.target_met(frame.end)).collect();
    Measures {
        tickets: tickets.len() as u64,
        assigned,
        waiting: tickets.len() as u64 - assigned - cancelled_waiting,
        cancelled_waiting,
        wait_seconds: waits(tally, frame),
        within_target: within.into(),
        offers_mean: mean(offers, assigned),
        declined: tally.declined,
        lapsed: tally.lapsed,
        skill_match: skill_match(tickets),
        load: equity(tally),
        fairness: groups(tickets, frame),
    }
}

fn waits(tally: &Tally, frame: &Frame<'_>) -> Waits {
    let waits: Vec<Wait> = tally.tickets.iter().map(|ticket| ticket.wait(frame.end)).collect();
    let curve = WaitCurve::new(waits);
    let points = (0..=CURVE_POINTS).filter_map(|point| {
        // Closer together where most tickets are: at short waits.
        let share = f64::from(point) / f64::from(CURVE_POINTS);
        let secs = frame.horizon_secs * share * share;
        Some((secs, curve.survival_at(secs)?))
    });
    Waits {
        mean: curve.restricted_mean_secs(frame.horizon_secs),
        p50: curve.quantile_secs(0.5),
        p95: curve.quantile_secs(0.95),
        p99: curve.quantile_secs(0.99),
        horizon: frame.horizon_secs,
        survival: points.collect(),
    }
}

fn skill_match(tickets: &[Treatment]) -> SkillMatch {
    let fits: Vec<Fit> = tickets.iter().filter_map(|ticket| ticket.fit).collect();
    let unrelaxed: Rate = fits.iter().map(|fit| fit.relaxation_step == 0).collect();
    let preferred: Rate =
        fits.iter().filter_map(|fit| fit.preferred_missing).map(|missing| missing == 0).collect();
    let surplus: u64 = fits.iter().map(|fit| u64::from(fit.surplus)).sum();
    SkillMatch {
        without_relaxation: unrelaxed.into(),
        proficiency_surplus_mean: mean(surplus, fits.len() as u64),
        preferred_met: preferred.into(),
    }
}

fn mean(sum: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum as f64 / count as f64)
}
