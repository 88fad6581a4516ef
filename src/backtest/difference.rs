//! Candidate less baseline, ticket by ticket, and how sure that is.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::{Tally, Treatment};
use crate::domain::{id::TicketId, time::UnixMillis};

/// Batches of consecutive arrivals: many enough for an interval, long enough to be nearly independent.
const BATCHES: usize = 20;
/// 97.5 % quantile of Student's t with one degree of freedom less than there are batches.
const T_95: f64 = 2.093_024_054_408_263;
/// Fewest tickets in both runs for anything to be said.
const TICKETS_MIN: usize = 200;

/// What the difference of one measure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The candidate's is lower.
    Lower,
    /// The candidate's is higher.
    Higher,
    /// The interval holds 0.
    NoDifferenceShown,
    /// Too few tickets.
    NotEnoughEvidence,
}

/// Candidate less baseline, over tickets that have the measure in both runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Tickets that have it in both.
    pub tickets: u64,
    /// Mean of the tickets' differences; absent below 200 tickets, as are the next two.
    pub mean: Option<f64>,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What that shows.
    pub verdict: Verdict,
}

/// The differences of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Differences {
    /// Time seen waiting, in seconds.
    pub wait_seconds: Difference,
    /// Share assigned by the end.
    pub assigned: Difference,
    /// Share assigned within the target.
    pub within_target: Difference,
    /// Offers until the first acceptance.
    pub offers: Difference,
    /// Share assigned without relaxation.
    pub without_relaxation: Difference,
    /// Proficiency above what was needed.
    pub proficiency_surplus: Difference,
}

/// Compares two runs of the same tickets.
pub(super) fn differences(baseline: &Tally, candidate: &Tally, end: UnixMillis) -> Differences {
    let others: BTreeMap<&TicketId, &Treatment> =
        candidate.tickets.iter().map(|ticket| (&ticket.ticket, ticket)).collect();
    let pairs: Vec<(&Treatment, &Treatment)> = baseline
        .tickets
        .iter()
        .filter_map(|ticket| Some((ticket, *others.get(&ticket.ticket)?)))
        .collect();
    let of = |value: &dyn Fn(&Treatment) -> Option<f64>| {
        let both = pairs.iter().filter_map(|(ours, theirs)| Some(value(theirs)? - value(ours)?));
        difference(&both.collect::<Vec<_>>())
    };
    let share = |yes: bool| if yes { 1.0 } else { 0.0 };
    let fit = |ticket: &Treatment| ticket.fit;
    Differences {
        wait_seconds: of(&|ticket| Some(ticket.wait(end).ms as f64 / 1000.0)),
        assigned: of(&|ticket| Some(share(ticket.assigned_at.is_some()))),
        within_target: of(&|ticket| ticket.target_met(end).map(share)),
        offers: of(&|ticket| ticket.assigned_at.map(|_| f64::from(ticket.offers))),
        without_relaxation: of(&|ticket| fit(ticket).map(|fit| share(fit.relaxation_step == 0))),
        proficiency_surplus: of(&|ticket| fit(ticket).map(|fit| f64::from(fit.surplus))),
    }
}

/// Returns the mean of differences in the order of arrival, with its interval.
///
/// Waits of tickets that came together depend on each other, so the interval is over the means of 20
/// batches of consecutive tickets. Source: Law, "Simulation Modeling and Analysis", 2015, section 9.5.3.
fn difference(values: &[f64]) -> Difference {
    let tickets = values.len() as u64;
    if values.len() < TICKETS_MIN {
        let verdict = Verdict::NotEnoughEvidence;
        return Difference { tickets, mean: None, low: None, high: None, verdict };
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let place = |batch: usize| batch * values.len() / BATCHES;
    let batches = (0..BATCHES).map(|batch| &values[place(batch)..place(batch + 1)]);
    // Sizes differ by one at most: batches weigh by their size, as in a ratio of sums.
    let squares: f64 =
        batches.map(|batch| batch.iter().map(|value| value - mean).sum::<f64>().powi(2)).sum();
    let (count, size) = (BATCHES as f64, values.len() as f64 / BATCHES as f64);
    let half = T_95 * (squares / (count - 1.0) / count).sqrt() / size;
    let (low, high) = (mean - half, mean + half);
    let verdict = match (low, high) {
        (_, high) if high < 0.0 => Verdict::Lower,
        (low, _) if low > 0.0 => Verdict::Higher,
        _ => Verdict::NoDifferenceShown,
    };
    Difference { tickets, mean: Some(mean), low: Some(low), high: Some(high), verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_tickets_say_nothing() {
        let found = difference(&[1.0; 199]);
        assert_eq!((found.tickets, found.mean), (199, None));
        assert_eq!(found.verdict, Verdict::NotEnoughEvidence);
    }

    #[test]
    fn the_interval_is_students_over_the_means_of_batches() {
        // Twenty batches of ten; the mean of batch k is k: mean 9.5, standard deviation √35, √20 batches.
        let values: Vec<f64> = (0..200).map(|place| f64::from(place / 10)).collect();
        let found = difference(&values);
        let half = 2.093_024 * 35.0_f64.sqrt() / 20.0_f64.sqrt();
        assert!((found.mean.unwrap() - 9.5).abs() < 1e-9, "{found:?}");
        assert!((found.high.unwrap() - 9.5 - half).abs() < 1e-5, "{found:?}");
        assert_eq!(found.verdict, Verdict::Higher);
        let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
        assert_eq!(difference(&mirrored).verdict, Verdict::Lower);
    }

    #[test]
    fn equal_runs_differ_by_exactly_nothing() {
        let found = difference(&[0.0; 1000]);
        assert_eq!((found.mean, found.low, found.high), (Some(0.0), Some(0.0), Some(0.0)));
        assert_eq!(found.verdict, Verdict::NoDifferenceShown);
    }
}
