//! How well probabilities agree with labels.

use std::collections::BTreeMap;

use serde::Serialize;

use super::heads::argmax;

/// Bins of the calibration error.
pub const BINS: usize = 15;
/// Least probability in a logarithm, so that one certain mistake does not make the mean infinite.
const PROBABILITY_MIN: f64 = 1e-12;

/// Measures of one head on labelled texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadMetrics {
    /// Texts measured.
    pub rows: usize,
    /// Share whose most probable label is right.
    pub accuracy: f64,
    /// Mean of the F1 of the labels that occur.
    pub macro_f1: f64,
    /// Expected calibration error in 15 bins of equal width.
    pub ece_15: f64,
    /// Mean negative logarithm of the right label's probability.
    pub nll: f64,
    /// By label.
    pub per_class: BTreeMap<String, ClassMetrics>,
}

/// Measures of one label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Texts with this label.
    pub rows: usize,
    /// Share of the texts given this label that have it; 0 when none was given it.
    pub precision: f64,
    /// Share of the texts with this label that were given it; 0 when there is none.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
}

/// Measures probabilities against labels. A label of `None` is one the head does not know: such a
/// text counts as wrong.
#[must_use]
pub fn head_metrics(
    labels: &[String],
    probabilities: &[Vec<f64>],
    truth: &[Option<usize>],
) -> HeadMetrics {
    let rows = truth.len();
    let mut hits = vec![Counts::default(); labels.len()];
    let (mut right, mut loss) = (0, 0.0);
    for (row, label) in probabilities.iter().zip(truth) {
        let guess = argmax(row);
        hits[guess].given += 1;
        if let Some(label) = *label {
            hits[label].there += 1;
            if guess == label {
                right += 1;
                hits[label].both += 1;
            }
        }
        loss -= label.map_or(0.0, |label| row[label]).max(PROBABILITY_MIN).ln();
    }
    let classes: Vec<ClassMetrics> = hits.iter().map(Counts::metrics).collect();
    let there: Vec<f64> = classes.iter().filter(|c| c.rows > 0).map(|c| c.f1).collect();
    HeadMetrics {
        rows,
        accuracy: ratio(right, rows),
        macro_f1: there.iter().sum::<f64>() / as_f64(there.len().max(1)),
        ece_15: calibration_error(probabilities, truth),
        nll: loss / as_f64(rows.max(1)),
        per_class: labels.iter().cloned().zip(classes).collect(),
    }
}

#[derive(Clone, Default)]
struct Counts {
    there: usize,
    given: usize,
    both: usize,
}

impl Counts {
    fn metrics(&self) -> ClassMetrics {
        ClassMetrics {
            rows: self.there,
            precision: ratio(self.both, self.given),
            recall: ratio(self.both, self.there),
            f1: ratio(2 * self.both, self.there + self.given),
        }
    }
}

/// Returns the expected calibration error: over 15 bins of the highest probability, the mean gap
/// between it and the share that is right, weighted by texts (Guo et al. 2017).
#[must_use]
pub fn calibration_error(probabilities: &[Vec<f64>], truth: &[Option<usize>]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (row, label) in probabilities.iter().zip(truth) {
        let guess = argmax(row);
        let bin = bin_of(row[guess]);
        bins[bin].0 += row[guess];
        bins[bin].1 += if *label == Some(guess) { 1.0 } else { 0.0 };
    }
    bins.iter().map(|(sure, right)| (sure - right).abs()).sum::<f64>() / as_f64(truth.len().max(1))
}

/// Returns the bin of a confidence, 0 to 14; the upper end of a bin is in it, the lower is not.
#[must_use]
pub fn bin_of(confidence: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=15")]
    let bin = (confidence * 15.0).ceil() as usize;
    bin.clamp(1, BINS) - 1
}

/// Returns the chance that an outside text scores above an inside one, ties counted half; `None`
/// without both.
#[must_use]
pub fn auroc(inside: &[f64], outside: &[f64]) -> Option<f64> {
    if inside.is_empty() || outside.is_empty() {
        return None;
    }
    let mut sorted = inside.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut wins = 0.0;
    for score in outside {
        let below = sorted.partition_point(|other| other < score);
        let not_above = sorted.partition_point(|other| other <= score);
        wins += as_f64(below) + as_f64(not_above - below) / 2.0;
    }
    Some(wins / (as_f64(inside.len()) * as_f64(outside.len())))
}

/// Returns the value that the share `q` (0..=1) of the values does not exceed; `None` without any.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the slice")]
    let rank = (q * as_f64(sorted.len())).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied()
}

/// Returns a share; 0 of nothing is 0.
#[must_use]
pub fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { as_f64(part) / as_f64(whole) }
}

/// Returns a count as a number; exact up to 2^53.
#[must_use]
pub fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn measures_equal_those_worked_out_by_hand() {
        let labels = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let probabilities =
            [vec![0.8, 0.1, 0.1], vec![0.6, 0.3, 0.1], vec![0.2, 0.7, 0.1], vec![0.9, 0.05, 0.05]];
        let truth = [Some(0), Some(1), Some(1), None];
        let m = head_metrics(&labels, &probabilities, &truth);
        assert_eq!(m.rows, 4);
        close(m.accuracy, 0.5);
        // a: 1 of 3 given, 1 of 1 found; b: 1 of 1 given, 1 of 2 found; c does not occur.
        close(m.per_class["a"].f1, 0.5);
        close(m.per_class["b"].f1, 2.0 / 3.0);
        close(m.macro_f1, (0.5 + 2.0 / 3.0) / 2.0);
        // Bins: 0.8 right, 0.6 wrong, 0.7 right, 0.9 wrong, each alone.
        close(m.ece_15, (0.2 + 0.6 + 0.3 + 0.9) / 4.0);
        close(m.nll, -(0.8_f64.ln() + 0.3_f64.ln() + 0.7_f64.ln() + 1e-12_f64.ln()) / 4.0);
    }

    #[test]
    fn auroc_counts_pairs_and_halves_ties() {
        close(auroc(&[0.1, 0.4, 0.5], &[0.4, 0.9]).unwrap(), (1.5 + 3.0) / 6.0);
        assert_eq!(auroc(&[], &[1.0]), None);
    }

    #[test]
    fn five_percent_lie_above_the_95th_percentile() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.95), Some(95.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
