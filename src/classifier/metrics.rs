//! How well probabilities agree with labels.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{artifact::HeadEntry, heads::argmax};

/// Bins of the calibration error.
pub const BINS: usize = 15;
/// Least probability in a logarithm, so that one certain mistake does not make the mean infinite.
const PROBABILITY_MIN: f64 = 1e-12;

/// Measures of one head on labelled texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadMetrics {
    /// Texts measured.
    pub rows: usize,
    /// Share read right; of texts that may have several labels, those read with no label more or less.
    pub accuracy: f64,
    /// Mean of the F1 of the labels that occur.
    pub macro_f1: f64,
    /// F1 over all labels together, where texts may have several; labels that the head does not know are
    /// missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_f1: Option<f64>,
    /// Expected calibration error in 15 bins of equal width.
    pub ece_15: f64,
    /// Mean negative logarithm of the probability of what is true.
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

/// Measures a head's probabilities against the labels of each text. A label of `None` is one the head
/// does not know: such a text counts as wrong.
#[must_use]
pub fn head_metrics(
    head: &HeadEntry,
    probabilities: &[Vec<f64>],
    truth: &[Vec<Option<usize>>],
) -> HeadMetrics {
    let rows = truth.len();
    let mut hits = vec![Counts::default(); head.labels.len()];
    let (mut right, mut loss) = (0, 0.0);
    for (row, labels) in probabilities.iter().zip(truth) {
        let read = head.there(row);
        for place in &read {
            hits[*place].given += 1;
            hits[*place].both += usize::from(labels.contains(&Some(*place)));
        }
        labels.iter().flatten().for_each(|place| hits[*place].there += 1);
        let known = read.iter().all(|place| labels.contains(&Some(*place)));
        right += usize::from(known && read.len() == labels.len());
        loss += surprise(head, row, labels);
    }
    let mut all = Counts::default();
    all.there += truth.iter().flatten().filter(|label| label.is_none()).count();
    for counts in &hits {
        all.there += counts.there;
        all.given += counts.given;
        all.both += counts.both;
    }
    let classes: Vec<ClassMetrics> = hits.iter().map(Counts::metrics).collect();
    let there: Vec<f64> = classes.iter().filter(|c| c.rows > 0).map(|c| c.f1).collect();
    HeadMetrics {
        rows,
        accuracy: ratio(right, rows),
        // The sum of nothing is negative zero.
        macro_f1: (there.iter().sum::<f64>() + 0.0) / as_f64(there.len().max(1)),
        micro_f1: head.threshold.map(|_| all.metrics().f1),
        ece_15: calibration_error(&decisions(head, probabilities, truth)),
        nll: loss / as_f64(rows.max(1)),
        per_class: head.labels.iter().cloned().zip(classes).collect(),
    }
}

/// Returns the negative logarithm of the probability that a head gave to what is true of a text.
fn surprise(head: &HeadEntry, row: &[f64], labels: &[Option<usize>]) -> f64 {
    let log = |probability: f64| probability.max(PROBABILITY_MIN).ln();
    let unknown = labels.iter().filter(|label| label.is_none()).map(|_| log(0.0));
    let known: Box<dyn Iterator<Item = f64>> = if head.threshold.is_some() {
        let log_of = |(place, p): (usize, &f64)| {
            log(if labels.contains(&Some(place)) { *p } else { 1.0 - p })
        };
        Box::new(row.iter().enumerate().map(log_of))
    } else {
        Box::new(labels.iter().flatten().map(|place| log(row[*place])))
    };
    -unknown.chain(known).sum::<f64>()
}

/// Returns the decisions of a head: how sure it was of each, and whether it was right. A head with one
/// label a text decides once a text, one with several once a label.
fn decisions(
    head: &HeadEntry,
    probabilities: &[Vec<f64>],
    truth: &[Vec<Option<usize>>],
) -> Vec<(f64, bool)> {
    let mut decisions = Vec::new();
    for (row, labels) in probabilities.iter().zip(truth) {
        if head.threshold.is_some() {
            decisions.extend(row.iter().enumerate().map(|(place, p)| {
                let there = labels.contains(&Some(place));
                if *p > 0.5 { (*p, there) } else { (1.0 - p, !there) }
            }));
        } else {
            let guess = argmax(row);
            decisions.push((row[guess], labels.contains(&Some(guess))));
        }
    }
    decisions
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

/// Returns the expected calibration error: over 15 bins of how sure decisions were, the mean gap between
/// that and the share that is right, weighted by decisions (Guo et al. 2017).
#[must_use]
pub fn calibration_error(decisions: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (sure, right) in decisions {
        let bin = &mut bins[bin_of(*sure)];
        bin.0 += sure;
        bin.1 += if *right { 1.0 } else { 0.0 };
    }
    let gaps = bins.iter().map(|(sure, right)| (sure - right).abs());
    gaps.sum::<f64>() / as_f64(decisions.len().max(1))
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
    use crate::classifier::features::View;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    fn head(threshold: Option<f64>) -> HeadEntry {
        let labels = ["a", "b", "c"].map(str::to_owned).to_vec();
        HeadEntry { name: "h".to_owned(), labels, view: View::Last, temperature: 1.0, threshold }
    }

    #[test]
    fn measures_equal_those_worked_out_by_hand() {
        let probabilities =
            [vec![0.8, 0.1, 0.1], vec![0.6, 0.3, 0.1], vec![0.2, 0.7, 0.1], vec![0.9, 0.05, 0.05]];
        let truth = [vec![Some(0)], vec![Some(1)], vec![Some(1)], vec![None]];
        let m = head_metrics(&head(None), &probabilities, &truth);
        assert_eq!((m.rows, m.micro_f1), (4, None));
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
    fn measures_of_several_labels_equal_those_worked_out_by_hand() {
        let probabilities = [vec![0.8, 0.7, 0.1], vec![0.6, 0.3, 0.1], vec![0.2, 0.1, 0.1]];
        // Read are a and b, a, and nothing; the second text has b too, the third nothing.
        let truth = [vec![Some(0), Some(1)], vec![Some(0), Some(1)], vec![]];
        let m = head_metrics(&head(Some(0.5)), &probabilities, &truth);
        close(m.accuracy, 2.0 / 3.0);
        close(m.micro_f1.unwrap(), 2.0 * 3.0 / (4.0 + 3.0));
        close(m.macro_f1, f64::midpoint(1.0, 2.0 / 3.0));
        let surprise = |there: &[f64]| -there.iter().map(|p| p.ln()).sum::<f64>();
        let each = [[0.8, 0.7, 0.9], [0.6, 0.3, 0.9], [0.8, 0.9, 0.9]];
        close(m.nll, each.iter().map(|row| surprise(row)).sum::<f64>() / 3.0);
        // Sure by 0.8 twice, 0.7 twice (once wrong), 0.6 and 0.9 four times; 0.6, 0.7 and 0.8 have
        // bins of their own.
        close(m.ece_15, (0.4 + 0.4 + 0.4 + 0.4) / 9.0);
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
