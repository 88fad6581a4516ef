//! The log-rank test: do groups wait alike, with those still waiting counted as such?

use crate::fairness::{proportions::ChiSquare, waits::Elapsed};

/// A pivot smaller than this share of the greatest variance is rounding.
const PIVOT_SHARE_MIN: f64 = 1e-11;

/// Compares the waits of two or more groups that each have tickets; `None` when nobody was assigned.
///
/// At each time, the assignments of a group are compared with its share of those who waited until
/// then. Sums of observed less expected, squared over their covariance, are chi-square distributed
/// with one degree less than there are groups.
///
/// Source: N. Mantel, Cancer Chemotherapy Reports 50 (1966) 163–170; R. Peto, J. Peto, Journal of the
/// Royal Statistical Society A 135 (1972) 185–207.
pub(super) fn log_rank(groups: &[Vec<Elapsed>]) -> Option<ChiSquare> {
    let mut waits: Vec<(Elapsed, usize)> = groups
        .iter()
        .enumerate()
        .flat_map(|(group, waits)| waits.iter().map(move |wait| (*wait, group)))
        .collect();
    if groups.len() < 2 || !waits.iter().any(|(wait, _)| wait.assigned) {
        return None;
    }
    waits.sort_unstable_by(|a, b| a.0.secs.total_cmp(&b.0.secs));
    let count = groups.len();
    let mut at_risk: Vec<f64> = groups.iter().map(|waits| waits.len() as f64).collect();
    let mut excess = vec![0.0; count];
    let mut covariance = vec![vec![0.0; count]; count];
    for tied in waits.chunk_by(|a, b| a.0.secs.total_cmp(&b.0.secs).is_eq()) {
        let all: f64 = at_risk.iter().sum();
        let assigned = tied.iter().filter(|(wait, _)| wait.assigned).count() as f64;
        for (_, group) in tied.iter().filter(|(wait, _)| wait.assigned) {
            excess[*group] += 1.0;
        }
        if assigned > 0.0 {
            // With one left, who it is is certain.
            let factor = if all > 1.0 { assigned * (all - assigned) / (all - 1.0) } else { 0.0 };
            for (group, row) in covariance.iter_mut().enumerate() {
                let share = at_risk[group] / all;
                excess[group] -= assigned * share;
                row[group] += factor * share;
                for (cell, other) in row.iter_mut().zip(&at_risk) {
                    *cell -= factor * share * other / all;
                }
            }
        }
        for (_, group) in tied {
            at_risk[*group] -= 1.0;
        }
    }
    Some(ChiSquare::new(quadratic_form(covariance, excess), count as u64 - 1))
}

/// Returns `xᵀ M⁻ x` for a covariance `M` and an `x` that it can produce.
///
/// Elimination takes the greatest remaining variance first and stops where only rounding is left:
/// directions without variance, such as the sum over all groups, have nothing to say.
fn quadratic_form(mut matrix: Vec<Vec<f64>>, mut vector: Vec<f64>) -> f64 {
    let greatest = (0..vector.len()).map(|i| matrix[i][i]).fold(0.0, f64::max);
    let mut remaining: Vec<usize> = (0..vector.len()).collect();
    let mut form = 0.0;
    loop {
        let by_variance = |a: &usize, b: &usize| matrix[*a][*a].total_cmp(&matrix[*b][*b]);
        let Some(pivot) = remaining.iter().copied().max_by(by_variance) else { return form };
        let variance = matrix[pivot][pivot];
        if variance <= PIVOT_SHARE_MIN * greatest {
            return form;
        }
        form += vector[pivot] * vector[pivot] / variance;
        remaining.retain(|index| *index != pivot);
        let row = matrix[pivot].clone();
        for index in &remaining {
            let factor = matrix[*index][pivot] / variance;
            vector[*index] -= factor * vector[pivot];
            for (cell, value) in matrix[*index].iter_mut().zip(&row) {
                *cell -= factor * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(assigned: &[u32], censored: &[u32]) -> Vec<Elapsed> {
        let of = |secs: &u32, assigned| Elapsed { secs: f64::from(*secs), assigned };
        let seen = assigned.iter().map(|secs| of(secs, true));
        seen.chain(censored.iter().map(|secs| of(secs, false))).collect()
    }

    #[test]
    fn freireichs_leukaemia_patients_have_the_textbook_statistic() {
        // Weeks in remission, 6-mercaptopurine against placebo (Freireich et al., Blood 21 (1963)
        // 699-716); D. G. Kleinbaum, M. Klein, Survival Analysis (2012), chapter 2: 16.79.
        let treated = waits(
            &[6, 6, 6, 7, 10, 13, 16, 22, 23],
            &[6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35],
        );
        let placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];
        let found = log_rank(&[treated, waits(&placebo, &[])]).unwrap();
        assert!((found.chi2.unwrap() - 16.79).abs() < 5e-3, "{found:?}");
        assert_eq!(found.dof, 1);
    }

    #[test]
    fn a_group_never_at_risk_costs_a_degree_of_freedom_and_changes_nothing_else() {
        let (a, b) = (waits(&[3, 5, 9], &[12]), waits(&[4, 20], &[6]));
        let two = log_rank(&[a.clone(), b.clone()]).unwrap();
        for place in 0..3 {
            let mut groups = vec![a.clone(), b.clone()];
            groups.insert(place, waits(&[], &[1, 2]));
            let three = log_rank(&groups).unwrap();
            assert!((three.chi2.unwrap() - two.chi2.unwrap()).abs() < 1e-12);
            assert_eq!(three.dof, 2);
        }
    }

    #[test]
    fn everybody_at_once_and_nobody_at_all_are_no_evidence() {
        let found = log_rank(&[waits(&[5, 5], &[]), waits(&[5], &[])]).unwrap();
        assert_eq!((found.chi2, found.p), (Some(0.0), Some(1.0)));
        assert_eq!(log_rank(&[waits(&[], &[5]), waits(&[], &[5])]), None);
        assert_eq!(log_rank(&[waits(&[5], &[])]), None);
    }
}
