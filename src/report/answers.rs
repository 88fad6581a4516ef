//! One head's answers beside the labels: what every measure is made from.

use std::collections::BTreeMap;

use crate::{
    classifier::{
        evaluate::Truth,
        heads::{Heads, Predictions, argmax},
    },
    fairness::Rate,
};

/// What a head said of one row, and what its label is.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Line of the file on which the row starts, from 1.
    pub line: u64,
    /// By label, in the head's order; they sum to 1.
    pub probabilities: Vec<f64>,
    /// The most probable label.
    pub guess: usize,
    /// The label given; `None` for one the head does not know.
    pub truth: Option<usize>,
}

impl Answer {
    /// Returns an answer whose guess is the most probable label.
    #[must_use]
    pub fn new(line: u64, probabilities: Vec<f64>, truth: Option<usize>) -> Self {
        Self { line, guess: argmax(&probabilities), probabilities, truth }
    }

    /// Returns the probability of the guess, 0 to 1.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.probabilities.get(self.guess).copied().unwrap_or_default()
    }

    /// Whether the guess is the label given.
    #[must_use]
    pub fn right(&self) -> bool {
        self.truth == Some(self.guess)
    }
}

/// Returns a head's answers on some of the rows, leaving out those without a label and those out of
/// scope; `None` when the model has no such head.
#[must_use]
pub fn answers(
    heads: &Heads,
    name: &str,
    predictions: &Predictions,
    (truth, lines): (&[Truth], &[u64]),
) -> Option<Vec<Answer>> {
    let labels = &heads.by_name.get(name)?.entry.labels;
    let places: BTreeMap<&str, usize> =
        labels.iter().enumerate().map(|(place, label)| (label.as_str(), place)).collect();
    let rows = predictions.probabilities.get(name)?.iter().zip(truth).zip(lines);
    let answers = rows.filter_map(|((row, truth), line)| match truth {
        Truth::Label(label) => {
            Some(Answer::new(*line, row.clone(), places.get(label.as_str()).copied()))
        }
        // Answers are to questions with one right label.
        Truth::Unlabelled | Truth::OutOfScope | Truth::Labels(_) => None,
    });
    Some(answers.collect())
}

/// Returns the share of answers whose label is among the `k` most probable.
#[must_use]
pub fn top_k(answers: &[Answer], k: usize) -> Rate {
    let among = |answer: &Answer| {
        answer.truth.and_then(|label| answer.probabilities.get(label)).is_some_and(|own| {
            let above = |(place, p): (usize, &f64)| {
                p.total_cmp(own).then(answer.truth.cmp(&Some(place))).is_gt()
            };
            answer.probabilities.iter().enumerate().filter(|entry| above(*entry)).count() < k
        })
    };
    answers.iter().map(among).collect()
}

/// Returns the Brier score: the mean over rows of the squared distance between the probabilities and
/// the truth, summed over labels; 0 is perfect, 2 the worst. A label the head does not know adds 1.
///
/// Source: G. W. Brier, Monthly Weather Review 78 (1950) 1–3.
#[must_use]
pub fn brier(answers: &[Answer]) -> f64 {
    let of = |answer: &Answer| {
        let squares: f64 = answer.probabilities.iter().map(|p| p * p).sum();
        let own = answer.truth.and_then(|label| answer.probabilities.get(label)).unwrap_or(&0.0);
        // (1 - p)² = p² + 1 - 2p
        squares + 1.0 - 2.0 * own
    };
    mean(answers.iter().map(of))
}

/// Returns the mean; 0 of nothing.
#[must_use]
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Picks at most `most` of the points, evenly, with the first and the last.
#[must_use]
pub fn thin<T: Clone>(points: &[T], most: usize) -> Vec<T> {
    if points.len() <= most.max(2) {
        return points.to_vec();
    }
    let last = points.len() - 1;
    (0..most).map(|k| points[k * last / (most - 1)].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::{artifact::HeadEntry, features::View, heads::Head};

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn brier_and_top_k_equal_those_worked_out_by_hand() {
        let answers = [
            Answer::new(2, vec![0.7, 0.2, 0.1], Some(0)),
            Answer::new(3, vec![0.5, 0.3, 0.2], Some(2)),
            Answer::new(4, vec![0.4, 0.3, 0.3], None),
            // Equals are counted in the order of the labels.
            Answer::new(5, vec![0.4, 0.3, 0.3], Some(2)),
        ];
        let right = 0.09 + 0.04 + 0.01;
        let wrong = 0.25 + 0.09 + 0.64;
        let unknown = 0.16 + 0.09 + 0.09 + 1.0;
        let third = 0.16 + 0.09 + 0.49;
        close(brier(&answers), (right + wrong + unknown + third) / 4.0);
        let found: Vec<u64> = (1..=3).map(|k| top_k(&answers, k).hits()).collect();
        assert_eq!(found, [1, 1, 3]);
        close(brier(&[]), 0.0);
    }

    #[test]
    fn rows_without_a_label_or_out_of_scope_are_left_out_and_the_others_keep_their_lines() {
        let zero =
            candle_core::Tensor::zeros(2, candle_core::DType::F32, &candle_core::Device::Cpu);
        let zero = zero.unwrap();
        let entry = HeadEntry {
            threshold: None,
            name: "intent".to_owned(),
            labels: vec!["a".to_owned(), "b".to_owned()],
            view: View::Last,
            temperature: 1.0,
        };
        let mut heads = Heads::default();
        heads.add(Head { entry, weight: zero.clone(), bias: zero });
        let rows = vec![vec![0.1, 0.9]; 4];
        let predictions = Predictions {
            probabilities: BTreeMap::from([("intent".to_owned(), rows)]),
            ..Predictions::default()
        };
        let label = |label: &str| Truth::Label(label.to_owned());
        let truth = [Truth::Unlabelled, label("b"), Truth::OutOfScope, label("c")];
        let found = answers(&heads, "intent", &predictions, (&truth, &[2, 3, 5, 9])).unwrap();
        let found: Vec<_> = found.iter().map(|a| (a.line, a.guess, a.truth)).collect();
        assert_eq!(found, [(3, 1, Some(1)), (9, 1, None)]);
        assert!(answers(&heads, "mood", &predictions, (&truth, &[2, 3, 5, 9])).is_none());
    }

    #[test]
    fn thinning_keeps_the_ends_and_the_order() {
        let all: Vec<usize> = (0..1000).collect();
        let few = thin(&all, 7);
        assert_eq!((few.len(), few[0], few[6]), (7, 0, 999));
        assert!(few.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(thin(&all[..5], 7), [0, 1, 2, 3, 4]);
    }
}
