//! Shares of cases that come in clusters, such as many pairs made of one ticket.

use super::rates::{Interval, wilson};

/// Cases of one cluster: for how many it is so, and of how many.
pub type Cluster = (u64, u64);

/// Returns the 95 % interval of the share of all cases; `None` without any.
///
/// It is Wilson's interval for as many cases as the clusters are worth: the number of cases over the
/// design effect, the variance of the share between clusters over that of cases drawn one by one.
/// Where all cases agree, their clusters cannot tell that effect, and each counts as one case.
///
/// Source: L. Kish, Survey Sampling (1965), sections 5.4 and 8.2; E. L. Korn, B. I. Graubard, Survey
/// Methodology 24 (1998) 193–201, for shares near 0.
#[must_use]
pub fn clustered_interval(clusters: &[Cluster]) -> Option<Interval> {
    let filled = clusters.iter().filter(|(_, cases)| *cases > 0).count() as f64;
    let hits: u64 = clusters.iter().map(|(hits, _)| hits).sum();
    let cases: u64 = clusters.iter().map(|(_, cases)| cases).sum();
    if cases == 0 {
        return None;
    }
    let share = hits as f64 / cases as f64;
    let cases = cases as f64;
    let alone = share * (1.0 - share) / cases;
    if alone <= 0.0 || filled < 2.0 {
        return Some(wilson(share, filled));
    }
    let residual = |(hits, of): &Cluster| (*hits as f64 - share * *of as f64).powi(2);
    let squares: f64 = clusters.iter().map(residual).sum();
    let together = filled / (filled - 1.0) * squares / (cases * cases);
    // Clusters that differ less than chance are luck, not knowledge.
    let effect = (together / alone).max(1.0);
    Some(wilson(share, cases / effect))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fairness::Rate;

    #[test]
    fn clusters_of_one_case_are_nearly_wilsons_interval() {
        let clusters: Vec<Cluster> = (0..100).map(|k| (u64::from(k < 20), 1)).collect();
        let (found, plain) =
            (clustered_interval(&clusters).unwrap(), Rate::counted(20, 80).interval().unwrap());
        assert!((found.low - plain.low).abs() < 2e-3 && (found.high - plain.high).abs() < 2e-3);
    }

    #[test]
    fn cases_that_only_repeat_each_other_count_once() {
        // Ten copies of each of 50 cases know no more than the 50.
        let copies: Vec<Cluster> = (0..50).map(|k| (10 * u64::from(k < 10), 10)).collect();
        let (found, plain) =
            (clustered_interval(&copies).unwrap(), Rate::counted(10, 40).interval().unwrap());
        assert!((found.low - plain.low).abs() < 4e-3 && (found.high - plain.high).abs() < 4e-3);
    }

    #[test]
    fn no_hit_at_all_still_leaves_room_for_some() {
        let none = clustered_interval(&[(0, 10); 30]).unwrap();
        assert_eq!((none.low, Some(none)), (0.0, Rate::counted(0, 30).interval()));
        assert_eq!(clustered_interval(&[]), None);
        assert_eq!(clustered_interval(&[(0, 0)]), None);
    }
}
