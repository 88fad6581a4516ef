//! How good the model's probabilities are: Brier score, area under the ROC curve, calibration error.

/// Bins of the calibration error.
const BINS: usize = 10;

/// Returns the mean of the values; `None` without any.
pub(super) fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

/// Returns the middle of the values, of an even number the mean of the two middle ones.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let (middle, even) = (values.len() / 2, values.len().is_multiple_of(2));
    let upper = *values.get(middle)?;
    if even { Some(f64::midpoint(*values.get(middle - 1)?, upper)) } else { Some(upper) }
}

/// Returns the mean squared distance of score and label; `None` without labels.
///
/// Source: G. W. Brier, Monthly Weather Review 78 (1950) 1–3.
pub(super) fn brier(scored: &[(bool, f64)]) -> Option<f64> {
    mean(scored.iter().map(|(label, score)| (score - f64::from(u8::from(*label))).powi(2)))
}

/// Returns the area under the ROC curve; `None` unless there are labels of both kinds.
///
/// It is the share of pairs, one ticket of each kind, in which the positive one has the higher
/// score; equal scores count one half. Counted in whole half-pairs, so it is exact.
///
/// Source: J. A. Hanley, B. J. McNeil, Radiology 143 (1982) 29–36.
pub(super) fn auc(scored: &[(bool, f64)]) -> Option<f64> {
    let mut ascending = scored.to_vec();
    ascending.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
    let (mut half_pairs, mut negatives, mut positives) = (0_u128, 0_u128, 0_u128);
    for tied in ascending.chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq()) {
        let hits = tied.iter().filter(|(label, _)| *label).count() as u128;
        let misses = tied.len() as u128 - hits;
        half_pairs += hits * (2 * negatives + misses);
        negatives += misses;
        positives += hits;
    }
    let pairs = positives * negatives;
    (pairs > 0).then(|| half_pairs as f64 / (2 * pairs) as f64)
}

/// Returns the expected calibration error over ten bins of equal width; `None` without labels.
///
/// `Σ n_b / n |mean label - mean score|`. Bins are `(low, high]`, and 0 is in the first.
///
/// Source: M. P. Naeini, G. F. Cooper, M. Hauskrecht, AAAI (2015) 2901–2907.
pub(super) fn calibration_error(scored: &[(bool, f64)]) -> Option<f64> {
    let mut bins = [(0_u64, 0_u64, 0.0_f64); BINS];
    for (label, score) in scored {
        // The edges are multiples of the floating-point 0.1, as in other people's programs: the
        // third is a little above 0.3, and a score of 0.3 belongs below it.
        let edges = (1_u8..10).map(|edge| f64::from(edge) * 0.1);
        let place = edges.filter(|edge| edge < score).count();
        let bin = &mut bins[place];
        *bin = (bin.0 + 1, bin.1 + u64::from(*label), bin.2 + score);
    }
    let count = scored.len() as f64;
    let error = |(tickets, hits, scores): &(u64, u64, f64)| {
        let tickets = *tickets as f64;
        tickets / count * (*hits as f64 / tickets - scores / tickets).abs()
    };
    let errors = bins.iter().filter(|(tickets, ..)| *tickets > 0).map(error).sum();
    (!scored.is_empty()).then_some(errors)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_labels_nothing_is_said() {
        assert_eq!(brier(&[]), None);
        assert_eq!(auc(&[(true, 0.2), (true, 0.4)]), None);
        assert_eq!(calibration_error(&[]), None);
        assert_eq!((median(vec![]), median(vec![3.0, 1.0, 2.0])), (None, Some(2.0)));
    }

    #[test]
    fn a_score_on_an_edge_belongs_to_the_bin_below() {
        // 0.3 twice in one bin: |1/2 - 0.3|. Were they in two bins, it would be the same; so 0.31.
        let found = calibration_error(&[(true, 0.3), (false, 0.21)]).unwrap();
        assert!((found - (0.5 - 0.255)).abs() < 1e-12, "{found}");
        assert_eq!(calibration_error(&[(false, 0.0)]), Some(0.0));
        assert_eq!(calibration_error(&[(true, 1.0)]), Some(0.0));
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_ordered_pairs(
            scored in proptest::collection::vec((any::<bool>(), 0_u8..8), 0..30),
        ) {
            let scored: Vec<_> =
                scored.into_iter().map(|(label, score)| (label, f64::from(score) / 8.0)).collect();
            let positives = scored.iter().filter(|(label, _)| *label);
            let negatives = || scored.iter().filter(|(label, _)| !label);
            let worth = |a: f64, b: f64| if a > b { 1.0 } else if a < b { 0.0 } else { 0.5 };
            let pairs: Vec<_> = positives
                .flat_map(|(_, a)| negatives().map(|(_, b)| worth(*a, *b)))
                .collect();
            let expected = mean(pairs.iter().copied());
            match (auc(&scored), expected) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-12),
                (found, expected) => prop_assert_eq!(found, expected),
            }
        }
    }
}
