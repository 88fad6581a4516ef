//! Rows whose label is probably wrong, by confident learning.
//!
//! A label's threshold is the model's mean probability of it over the rows that were given it. A row
//! is a candidate when its own label is below its threshold and a more probable label reaches its own.
//!
//! Source: C. G. Northcutt, L. Jiang, I. L. Chuang, Journal of Artificial Intelligence Research 70
//! (2021) 1373–1411. The model must not have learned from the rows: what it was taught it believes.

use serde::Serialize;

use super::answers::{Answer, mean};

/// Most candidates in a report.
pub const CANDIDATES_MAX: usize = 100;

/// A row to look at again. It is named by its line; its text stays where it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Line of the file on which the row starts, from 1.
    pub line: u64,
    /// The label given.
    pub given: String,
    /// The label that fits better.
    pub suggested: String,
    /// The model's probability of the label given.
    pub given_probability: f64,
    /// The model's probability of the label suggested.
    pub suggested_probability: f64,
}

/// Returns the candidates, the clearest first: by the gap of the two probabilities, then by line.
#[must_use]
pub fn candidates(labels: &[String], answers: &[Answer]) -> Vec<Candidate> {
    let thresholds = thresholds(labels.len(), answers);
    let mut found: Vec<Candidate> =
        answers.iter().filter_map(|answer| candidate(labels, &thresholds, answer)).collect();
    let gap = |row: &Candidate| row.suggested_probability - row.given_probability;
    found.sort_by(|a, b| gap(b).total_cmp(&gap(a)).then(a.line.cmp(&b.line)));
    found
}

/// By label, the mean probability of it over its rows; `None` without rows.
fn thresholds(labels: usize, answers: &[Answer]) -> Vec<Option<f64>> {
    let mut own: Vec<Vec<f64>> = vec![Vec::new(); labels];
    for answer in answers {
        if let Some(label) = answer.truth {
            own[label].push(answer.probabilities[label]);
        }
    }
    own.into_iter().map(|own| (!own.is_empty()).then(|| mean(own.into_iter()))).collect()
}

fn candidate(labels: &[String], thresholds: &[Option<f64>], answer: &Answer) -> Option<Candidate> {
    let given = answer.truth?;
    let own = answer.probabilities[given];
    if own >= thresholds[given]? {
        return None;
    }
    let reaches = |(label, p): &(usize, &f64)| {
        thresholds[*label].is_some_and(|threshold| **p >= threshold && **p > own)
    };
    let others = answer.probabilities.iter().enumerate().filter(reaches);
    // Equals: the first label.
    let (best, probability) = others.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?;
    Some(Candidate {
        line: answer.line,
        given: labels[given].clone(),
        suggested: labels[best].clone(),
        given_probability: own,
        suggested_probability: *probability,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn labels(count: usize) -> Vec<String> {
        (0..count).map(|label| format!("label {label}")).collect()
    }

    #[test]
    fn candidates_equal_those_worked_out_by_hand() {
        // Thresholds: label 0: (0.9 + 0.8 + 0.1) / 3 = 0.6; label 1: (0.7 + 0.3) / 2 = 0.5.
        let answers = [
            Answer::new(2, vec![0.9, 0.1, 0.0], Some(0)),
            Answer::new(3, vec![0.8, 0.2, 0.0], Some(0)),
            // Below 0.6 for its own, above 0.5 for label 1.
            Answer::new(5, vec![0.1, 0.6, 0.3], Some(0)),
            Answer::new(6, vec![0.3, 0.7, 0.0], Some(1)),
            // Below 0.5 for its own; 0.4 is below 0.6 for label 0, and label 2 has no rows.
            Answer::new(8, vec![0.4, 0.3, 0.3], Some(1)),
            // A label that the head does not know says nothing.
            Answer::new(9, vec![1.0, 0.0, 0.0], None),
        ];
        let found = candidates(&labels(3), &answers);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].line, found[0].given.as_str(), found[0].suggested.as_str()),
            (5, "label 0", "label 1")
        );
        assert_eq!((found[0].given_probability, found[0].suggested_probability), (0.1, 0.6));
    }

    #[test]
    fn labels_flipped_on_purpose_are_found_and_right_ones_left_alone() {
        let (classes, rows) = (6, 1200_u64);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (mut answers, mut flipped) = (Vec::new(), BTreeSet::new());
        for line in 0..rows {
            let truth = rng.random_range(0..classes);
            // A model that is right and 0.5 to 0.95 sure; the rest goes to the others.
            let sure = rng.random_range(0.5..0.95);
            let mut probabilities = vec![(1.0 - sure) / 5.0; classes];
            probabilities[truth] = sure;
            let given = if line % 25 == 0 { (truth + 1) % classes } else { truth };
            if given != truth {
                flipped.insert(line);
            }
            answers.push(Answer::new(line, probabilities, Some(given)));
        }
        let found = candidates(&labels(classes), &answers);
        let lines: BTreeSet<u64> = found.iter().map(|row| row.line).collect();
        assert!(lines.is_subset(&flipped), "right labels are suspected");
        // Of the flipped rows, those about as sure as the label's mean: about half of them.
        let share = found.len() as f64 / flipped.len() as f64;
        assert!(share > 0.4, "{} of {}", found.len(), flipped.len());
        let gap = |row: &Candidate| row.suggested_probability - row.given_probability;
        assert!(found.windows(2).all(|pair| gap(&pair[0]) >= gap(&pair[1])), "the clearest first");
    }

    #[test]
    fn a_model_that_agrees_with_every_label_suspects_none() {
        let answers: Vec<Answer> = (0..50_u32)
            .map(|row| {
                let sure = 0.5 + f64::from(row) / 100.0;
                Answer::new(u64::from(row), vec![sure, 1.0 - sure], Some(0))
            })
            .collect();
        assert!(candidates(&labels(2), &answers).is_empty());
    }
}
