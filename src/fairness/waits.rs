//! How long tickets wait for an agent, with those that still wait counted as such.

use crate::domain::{facts::TicketFacts, time::UnixMillis};

/// How far the estimate may lie above a level and still count as having reached it.
///
/// The estimate is a product of fractions; exactly one half may round to a little more. The error is
/// below 2⁻⁵³ for each censored ticket, so this covers millions of them.
const SURVIVAL_TOLERANCE: f64 = 1e-9;

/// How long one ticket waited, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// Time from receipt to the first assignment, or as far as it was seen waiting, in milliseconds.
    pub ms: u64,
    /// Whether it was assigned then; otherwise all we know is that it waited longer (right-censored).
    pub assigned: bool,
}

impl Wait {
    /// Returns the wait of a ticket as known at `now`.
    ///
    /// A ticket never assigned counts until it was closed (completed or cancelled) or until `now`.
    #[must_use]
    pub fn of(facts: &TicketFacts, now: UnixMillis) -> Self {
        let (end, assigned) = match (facts.assigned_at, facts.closed_at) {
            (Some(at), _) => (at, true),
            (None, Some(at)) => (at, false),
            (None, None) => (now, false),
        };
        Self { ms: end.millis_since(facts.received_at), assigned }
    }
}

/// How long one ticket waited, in seconds and parts of them, as a file of decisions has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elapsed {
    /// As [`Wait::ms`], in seconds; finite, at least 0.
    pub secs: f64,
    /// As [`Wait::assigned`].
    pub assigned: bool,
}

impl From<Wait> for Elapsed {
    fn from(wait: Wait) -> Self {
        Self { secs: seconds(wait.ms), assigned: wait.assigned }
    }
}

/// How many tickets waited so long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// As [`Elapsed::secs`].
    pub(super) secs: f64,
    /// Of these, assigned then.
    pub(super) assigned: u64,
    /// Of these, last seen waiting then.
    pub(super) censored: u64,
}

impl From<Elapsed> for Counted {
    fn from(wait: Elapsed) -> Self {
        let assigned = u64::from(wait.assigned);
        Self { secs: wait.secs, assigned, censored: 1 - assigned }
    }
}

/// The share of tickets that waits longer than a time, estimated by Kaplan and Meier.
///
/// `S(t) = Π (1 - dᵢ / nᵢ)` over the times `tᵢ ≤ t` at which tickets were assigned: `dᵢ` of the `nᵢ`
/// that had waited until then. A ticket that still waits, or left without being assigned, counts as
/// waiting up to the moment it was last seen, and is then no longer counted: leaving such tickets
/// out would make the slowest group look fast, for its longest waits are the ones not yet over.
///
/// This assumes that tickets which leave would have waited like those that stay. Where customers
/// cancel because they wait, the estimate is too low.
///
/// Source: E. L. Kaplan, P. Meier, Journal of the American Statistical Association 53 (1958) 457–481.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitCurve {
    /// Where the estimate falls, by ascending time.
    steps: Vec<Step>,
    assigned_count: u64,
    censored_count: u64,
}

/// From `secs` on, the estimate is `survival`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    secs: f64,
    survival: f64,
}

impl WaitCurve {
    /// Estimates the curve.
    #[must_use]
    pub fn new(waits: Vec<Wait>) -> Self {
        waits.into_iter().map(Elapsed::from).collect()
    }

    /// Estimates the curve of waits that were counted by their length; the order does not matter.
    pub(super) fn of(mut counts: Vec<Counted>) -> Self {
        counts.sort_unstable_by(|a, b| a.secs.total_cmp(&b.secs));
        let all: u64 = counts.iter().map(|count| count.assigned + count.censored).sum();
        let mut at_risk = all;
        // Between censored tickets the fractions cancel: S = survival · at_risk / at_risk then.
        let (mut anchor_survival, mut anchor_at_risk) = (1.0, at_risk);
        let (mut steps, mut assigned_count) = (Vec::new(), 0);
        for tied in counts.chunk_by(|a, b| a.secs.total_cmp(&b.secs).is_eq()) {
            let assigned: u64 = tied.iter().map(|count| count.assigned).sum();
            let censored: u64 = tied.iter().map(|count| count.censored).sum();
            // Tickets last seen at this very moment were still waiting at it.
            let survivors = at_risk - assigned;
            let survival = anchor_survival * survivors as f64 / anchor_at_risk as f64;
            if assigned > 0 {
                steps.push(Step { secs: tied[0].secs, survival });
                assigned_count += assigned;
            }
            at_risk = survivors - censored;
            if censored > 0 {
                (anchor_survival, anchor_at_risk) = (survival, at_risk);
            }
        }
        Self { steps, assigned_count, censored_count: all - assigned_count }
    }

    /// Returns how many tickets were assigned.
    #[must_use]
    pub fn assigned_count(&self) -> u64 {
        self.assigned_count
    }

    /// Returns how many tickets still wait or left unassigned.
    #[must_use]
    pub fn censored_count(&self) -> u64 {
        self.censored_count
    }

    /// Returns the share of tickets that waits longer than `secs` seconds; `None` without tickets.
    #[must_use]
    pub fn survival_at(&self, secs: f64) -> Option<f64> {
        let passed = self.steps.partition_point(|step| step.secs <= secs);
        let reached = passed.checked_sub(1).map(|index| self.steps[index].survival);
        self.any().then(|| reached.unwrap_or(1.0))
    }

    /// Returns the time within which the share `quantile` (0 to 1) of tickets is assigned, in seconds.
    ///
    /// It is the first time at which no more than `1 - quantile` of them wait on; `None` when the
    /// estimate does not fall that far, as when half of the tickets have not been assigned yet.
    #[must_use]
    pub fn quantile_secs(&self, quantile: f64) -> Option<f64> {
        let level = 1.0 - quantile + SURVIVAL_TOLERANCE;
        self.steps.iter().find(|step| step.survival <= level).map(|step| step.secs)
    }

    /// Returns the mean of the waits, each cut at `horizon_secs`, in seconds; `None` without tickets.
    ///
    /// It is the area under the curve up to the horizon (at least 0). Where the last ticket was seen
    /// waiting before the horizon, the curve goes on level, which makes it an upper bound.
    #[must_use]
    pub fn restricted_mean_secs(&self, horizon_secs: f64) -> Option<f64> {
        let (mut area, mut from, mut survival) = (0.0, 0.0, 1.0);
        for step in &self.steps {
            let to = step.secs.min(horizon_secs);
            area += survival * (to - from);
            (from, survival) = (to, step.survival);
        }
        area += survival * (horizon_secs - from).max(0.0);
        self.any().then_some(area)
    }

    /// Returns the summary of the curve, with the mean restricted to `horizon_secs`.
    #[must_use]
    pub fn measures(&self, horizon_secs: f64) -> WaitMeasures {
        WaitMeasures {
            assigned_count: self.assigned_count,
            censored_count: self.censored_count,
            median_secs: self.quantile_secs(0.5),
            p95_secs: self.quantile_secs(0.95),
            restricted_mean_secs: self.restricted_mean_secs(horizon_secs),
            horizon_secs,
        }
    }

    fn any(&self) -> bool {
        self.assigned_count + self.censored_count > 0
    }
}

impl FromIterator<Elapsed> for WaitCurve {
    /// Estimates the curve; the order of the tickets does not matter.
    fn from_iter<I: IntoIterator<Item = Elapsed>>(waits: I) -> Self {
        Self::of(waits.into_iter().map(Counted::from).collect())
    }
}

/// Time to assignment, with tickets that still wait counted as such.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitMeasures {
    /// Tickets that were assigned.
    pub assigned_count: u64,
    /// Tickets that still wait or left unassigned (right-censored).
    pub censored_count: u64,
    /// Median wait in seconds; `None` while fewer than half were assigned by the estimate.
    pub median_secs: Option<f64>,
    /// 95th percentile in seconds; `None` while the estimate does not reach it.
    pub p95_secs: Option<f64>,
    /// Mean wait restricted to the horizon, in seconds; `None` without tickets.
    pub restricted_mean_secs: Option<f64>,
    /// The horizon of the restricted mean, in seconds.
    pub horizon_secs: f64,
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests;
