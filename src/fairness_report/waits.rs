//! How long tickets wait for the first acceptance, those that still wait among them.

use std::collections::BTreeMap;

use super::{case::Case, figures::Figure};
use crate::{
    domain::time::UnixMillis,
    fairness::{Wait, WaitCurve},
};

/// Points of a curve.
const CURVE_POINTS: u32 = 80;
/// Each wait counts in the mean up to this, in seconds.
pub(super) const HORIZON_SECS: u32 = 3_600;
/// Times at which the share still waiting is told, in seconds, with the names of the figures.
pub(super) const TIMES_SECS: [(u32, &str); 4] = [
    (60, "still_waiting_after_60_s"),
    (300, "still_waiting_after_300_s"),
    (900, "still_waiting_after_900_s"),
    (3_600, "still_waiting_after_3600_s"),
];
/// Names of the other figures.
pub(super) const MEDIAN: &str = "wait_median_seconds";
pub(super) const P95: &str = "wait_p95_seconds";
pub(super) const MEAN: &str = "wait_mean_up_to_1_h_seconds";

/// The waits of some tickets.
pub(super) struct Waits {
    curve: WaitCurve,
}

impl Waits {
    pub(super) fn of<'a>(cases: impl Iterator<Item = &'a Case>, end: UnixMillis) -> Self {
        let waits: Vec<Wait> = cases.map(|case| case.wait(end)).collect();
        Self { curve: WaitCurve::new(waits) }
    }

    fn tickets(&self) -> u64 {
        self.curve.assigned_count() + self.curve.censored_count()
    }

    /// Returns the figures, without any number when they are left out.
    pub(super) fn figures(&self, suppressed: bool) -> BTreeMap<&'static str, Figure> {
        let curve = &self.curve;
        let figure = |value: Option<f64>| {
            let figure = Figure::new(value, None);
            figure.of(curve.assigned_count() as f64, self.tickets()).unless(suppressed)
        };
        let after = TIMES_SECS.map(|(secs, name)| (name, curve.survival_at(f64::from(secs))));
        let others = [
            (MEDIAN, curve.quantile_secs(0.5)),
            (P95, curve.quantile_secs(0.95)),
            (MEAN, curve.restricted_mean_secs(f64::from(HORIZON_SECS))),
        ];
        others.into_iter().chain(after).map(|(name, value)| (name, figure(value))).collect()
    }

    /// Returns the share that waits longer, by time up to `longest_secs`.
    pub(super) fn points(&self, longest_secs: f64) -> Vec<(f64, f64)> {
        let point = |place: u32| {
            // Closer together where most tickets are: at short waits.
            let share = f64::from(place) / f64::from(CURVE_POINTS);
            let secs = longest_secs * share * share;
            Some((secs, self.curve.survival_at(secs)?))
        };
        (0..=CURVE_POINTS).filter_map(point).collect()
    }

    /// Returns a round time up to which a curve is worth drawing: until one in fifty is left.
    pub(super) fn drawn_secs(&self) -> f64 {
        const ROUND: [f64; 14] = [
            10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0,
            86_400.0, 259_200.0, 604_800.0,
        ];
        let last = [0.98, 0.95, 0.9, 0.75, 0.5];
        let last = last.into_iter().find_map(|share| self.curve.quantile_secs(share));
        let last = last.unwrap_or(f64::from(HORIZON_SECS));
        ROUND.into_iter().find(|round| *round >= last).unwrap_or(last)
    }
}
