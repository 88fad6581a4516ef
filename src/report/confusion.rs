//! Which labels are taken for which.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answers::Answer;
use crate::classifier::metrics::ratio;

/// Most pairs in a report.
pub const PAIRS_MAX: usize = 20;
/// Stands for all labels that the head does not know. Their own names are not shown: a column named
/// by mistake may hold anything.
pub const UNKNOWN: &str = "(unknown to the model)";

/// Rows of one label that were given another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The label given in the file.
    pub truth: String,
    /// The model's guess.
    pub guess: String,
    /// Such rows.
    pub rows: usize,
    /// Share of the rows with that label.
    pub share: f64,
}

/// Rows by label and guess.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// The head's labels, in its order.
    pub labels: Vec<String>,
    /// Rows by label and guess; a label of `None` is unknown to the head.
    pub cells: BTreeMap<(Option<usize>, usize), usize>,
    /// Rows by label.
    pub totals: BTreeMap<Option<usize>, usize>,
}

impl Matrix {
    /// Counts.
    #[must_use]
    pub fn new(labels: &[String], answers: &[Answer]) -> Self {
        let mut matrix = Self { labels: labels.to_vec(), ..Self::default() };
        for answer in answers {
            *matrix.cells.entry((answer.truth, answer.guess)).or_default() += 1;
            *matrix.totals.entry(answer.truth).or_default() += 1;
        }
        matrix
    }

    /// Returns a label's name.
    #[must_use]
    pub fn name(&self, label: Option<usize>) -> &str {
        label.and_then(|label| self.labels.get(label)).map_or(UNKNOWN, String::as_str)
    }

    /// Returns the share of a label's rows that were given a guess; 0 without rows.
    #[must_use]
    pub fn share(&self, truth: Option<usize>, guess: usize) -> f64 {
        let rows = self.cells.get(&(truth, guess)).copied().unwrap_or(0);
        ratio(rows, self.totals.get(&truth).copied().unwrap_or(0))
    }

    /// Returns the labels that occur as a truth or a guess, in the head's order.
    #[must_use]
    pub fn occurring(&self) -> Vec<usize> {
        let occurs = |label: &usize| {
            self.cells.keys().any(|(truth, guess)| *truth == Some(*label) || guess == label)
        };
        (0..self.labels.len()).filter(occurs).collect()
    }

    /// Returns the most frequent confusions, at most 20, ties by name.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair> {
        let wrong = self.cells.iter().filter(|((truth, guess), _)| *truth != Some(*guess));
        let mut pairs: Vec<Pair> = wrong
            .map(|((truth, guess), rows)| Pair {
                truth: self.name(*truth).to_owned(),
                guess: self.name(Some(*guess)).to_owned(),
                rows: *rows,
                share: self.share(*truth, *guess),
            })
            .collect();
        pairs.sort_by(|a, b| {
            b.rows.cmp(&a.rows).then_with(|| (&a.truth, &a.guess).cmp(&(&b.truth, &b.guess)))
        });
        pairs.truncate(PAIRS_MAX);
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of three labels.
    fn answer(guess: usize, truth: Option<usize>) -> Answer {
        let mut probabilities = vec![0.1; 30];
        probabilities[guess] = 0.8;
        Answer::new(1, probabilities, truth)
    }

    fn labels() -> Vec<String> {
        (0..30).map(|label| format!("label {label:02}")).collect()
    }

    #[test]
    fn pairs_are_counted_and_the_most_frequent_comes_first() {
        let answers = [
            answer(1, Some(0)),
            answer(1, Some(0)),
            answer(0, Some(0)),
            answer(0, Some(1)),
            answer(2, None),
            answer(2, Some(2)),
        ];
        let matrix = Matrix::new(&labels(), &answers);
        let pairs = matrix.pairs();
        let found: Vec<_> =
            pairs.iter().map(|p| (p.truth.as_str(), p.guess.as_str(), p.rows)).collect();
        assert_eq!(
            found,
            [("label 00", "label 01", 2), (UNKNOWN, "label 02", 1), ("label 01", "label 00", 1)]
        );
        let share = |pair: usize| (pairs[pair].share * 3.0 - f64::from(3)).abs() < 1e-12;
        assert!((pairs[0].share - 2.0 / 3.0).abs() < 1e-12 && share(1) && share(2));
        assert_eq!(matrix.occurring(), [0, 1, 2]);
        assert!((matrix.share(Some(0), 0) - 1.0 / 3.0).abs() < 1e-12);
        assert!(matrix.share(Some(7), 7).abs() < 1e-12);
    }

    #[test]
    fn no_more_than_twenty_pairs_are_listed() {
        let answers: Vec<Answer> = (1..30).map(|truth| answer(0, Some(truth))).collect();
        let pairs = Matrix::new(&labels(), &answers).pairs();
        assert_eq!((pairs.len(), pairs[0].truth.as_str()), (PAIRS_MAX, "label 01"));
    }
}
