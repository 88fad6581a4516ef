//! Fits the out-of-scope score.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::fit::{Examples, FitPlan, fit_head, refit_head};
use crate::classifier::{
    artifact::ScopeEntry,
    features::View,
    heads::Head,
    metrics::as_f64,
    scope::{Known, Scope, Signals, combine, signals},
};

/// Known texts kept for the distance to the nearest, over all intents; a byte a coordinate on disk.
const KNOWN_MAX: usize = 4096;
/// Fewest outside texts from which a head is taught to tell them apart.
const OUTSIDE_MIN: usize = 20;
/// Share of held-out inside texts that the threshold rejects.
const REJECTED: f64 = 0.05;

/// Texts to fit the score to.
pub struct ScopeTexts<'a> {
    /// Texts that the intent head learned from.
    pub inside: &'a Examples<'a>,
    /// Texts with no intent; may be empty.
    pub outside: &'a Examples<'a>,
    /// Texts with an intent that the head did not learn from, at least one.
    pub inside_held_out: &'a Examples<'a>,
    /// Texts with no intent that nothing learned from; may be empty.
    pub outside_held_out: &'a Examples<'a>,
}

/// Fits the score for an intent head.
///
/// # Errors
/// When a tensor operation fails.
pub fn fit_scope(intent: &Head, texts: &ScopeTexts<'_>, seed: u64) -> Result<Scope> {
    let known = known(texts.inside, intent.entry.labels.len(), seed)?;
    let taught = texts.outside.rows.len() >= OUTSIDE_MIN;
    let outlier = if taught { Some(Outlier::fit(texts, seed)?) } else { None };
    let held_out = texts.inside_held_out;
    let features = held_out.features.select(&held_out.rows)?;
    let outlier_head = outlier.as_ref().map(|outlier| &outlier.head);
    let inside = signals(intent, &known, outlier_head, &features)?;
    let (weights, bias) = match &outlier {
        // Signals of texts that nothing has seen are worth more than those of texts that were learned.
        Some(outlier) if texts.outside_held_out.rows.len() >= OUTSIDE_MIN => {
            let outside = texts.outside_held_out;
            let features = outside.features.select(&outside.rows)?;
            let signals = signals(intent, &known, Some(&outlier.head), &features)?;
            logistic((&inside, &held_out.weights), (&signals, &outside.weights))
        }
        Some(outlier) => {
            let features = texts.outside.features.select(&texts.outside.rows)?;
            let mut outside = signals(intent, &known, None, &features)?;
            // The head has seen these texts; what counts is what it says of unseen ones.
            for (signals, unseen) in outside.iter_mut().zip(&outlier.unseen_outside) {
                signals[2] = *unseen;
            }
            logistic((&inside, &held_out.weights), (&outside, &texts.outside.weights))
        }
        None => equal_parts(&inside),
    };
    let scores: Vec<f64> = inside.iter().map(|s| combine(&weights, bias, s)).collect();
    let threshold = weighted_quantile(&scores, &held_out.weights, 1.0 - REJECTED);
    let entry = ScopeEntry { threshold, weights: weights.to_vec(), bias };
    Ok(Scope { entry, known, outlier: outlier.map(|outlier| outlier.head) })
}

/// Draws known texts, as many for each intent.
fn known(inside: &Examples<'_>, intents: usize, seed: u64) -> Result<Known> {
    let each = (KNOWN_MAX / intents.max(1)).max(1);
    let mut order: Vec<usize> = (0..inside.rows.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for index in order {
        let Some(label) = inside.labels[index].first() else { continue };
        let count = taken.entry(*label).or_default();
        if *count < each {
            *count += 1;
            rows.push(inside.rows[index]);
        }
    }
    let all = inside.features.view(View::Last);
    Known::new(&all.index_select(&Tensor::new(rows, all.device())?, 0)?)
}

/// A head that tells inside from outside, and what heads fitted without them say of outside texts.
struct Outlier {
    head: Head,
    unseen_outside: Vec<f64>,
}

impl Outlier {
    fn fit(texts: &ScopeTexts<'_>, seed: u64) -> Result<Self> {
        let features = texts.inside.features.join(texts.outside.features)?;
        let shift = u32::try_from(texts.inside.features.rows())?;
        let mut all = Examples::new(&features, texts.inside.rows.clone(), Vec::new());
        all.weights.clone_from(&texts.inside.weights);
        all.labels = vec![vec![0]; all.rows.len()];
        all.rows.extend(texts.outside.rows.iter().map(|row| row + shift));
        // Both sides weigh the same, however many texts they have.
        let balance = texts.inside.weights.iter().sum::<f32>()
            / texts.outside.weights.iter().sum::<f32>().max(f32::EPSILON);
        all.weights.extend(texts.outside.weights.iter().map(|weight| weight * balance));
        all.labels.resize(all.rows.len(), vec![1]);

        let entry = Scope::outlier_entry();
        let views = [entry.view];
        let plan =
            FitPlan { name: &entry.name, labels: &entry.labels, views: &views, several: false };
        let (one, other) = halves(&all, seed);
        let fitted = [fit_head(&plan, &one, &other)?, fit_head(&plan, &other, &one)?];
        let mut unseen = BTreeMap::new();
        for (head, part) in [(&fitted[0].head, &other), (&fitted[1].head, &one)] {
            let logits = head.logits(&features.select(&part.rows)?)?;
            for (row, logits) in part.rows.iter().zip(logits) {
                unseen.insert(*row, f64::from(logits[1] - logits[0]));
            }
        }
        let rows = texts.outside.rows.iter().map(|row| row + shift);
        let unseen_outside = rows.map(|row| unseen.get(&row).copied().unwrap_or(0.0)).collect();
        let mut head = refit_head(&plan, &all, &fitted[0])?;
        head.entry = entry;
        Ok(Self { head, unseen_outside })
    }
}

fn halves<'a>(all: &Examples<'a>, seed: u64) -> (Examples<'a>, Examples<'a>) {
    let mut order: Vec<usize> = (0..all.rows.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let (one, other) = order.split_at(order.len() / 2);
    (all.pick(one), all.pick(other))
}

/// Without outside texts: energy and distance count the same, measured in their own spread.
fn equal_parts(inside: &[Signals]) -> (Signals, f64) {
    let (mean, spread) = moments(inside);
    let weights = [1.0 / spread[0], 1.0 / spread[1], 0.0];
    (weights, -(mean[0] * weights[0] + mean[1] * weights[1]) - 2.0)
}

fn moments(rows: &[Signals]) -> (Signals, Signals) {
    let count = as_f64(rows.len().max(1));
    let mut mean = [0.0; 3];
    let mut spread = [0.0; 3];
    for signal in 0..3 {
        mean[signal] = rows.iter().map(|row| row[signal]).sum::<f64>() / count;
        let square = rows.iter().map(|row| (row[signal] - mean[signal]).powi(2)).sum::<f64>();
        spread[signal] = (square / count).sqrt().max(1e-6);
    }
    (mean, spread)
}

/// Logistic regression on standardised signals by gradient descent; both sides weigh the same and no
/// signal counts backwards.
fn logistic(inside: (&[Signals], &[f32]), outside: (&[Signals], &[f32])) -> (Signals, f64) {
    let all: Vec<Signals> = inside.0.iter().chain(outside.0).copied().collect();
    let (mean, spread) = moments(&all);
    let mut rows = Vec::with_capacity(all.len());
    for (side, (signals, weights)) in [(0.0, inside), (1.0, outside)] {
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        for (signal, weight) in signals.iter().zip(weights) {
            let mut standard = [0.0; 3];
            for k in 0..3 {
                standard[k] = (signal[k] - mean[k]) / spread[k];
            }
            rows.push((standard, side, f64::from(*weight) / (2.0 * total)));
        }
    }
    let (mut weights, mut bias) = ([0.0; 3], 0.0);
    for _ in 0..1000 {
        let (mut slope, mut bias_slope) = ([0.0; 3], 0.0);
        for (signals, side, weight) in &rows {
            let error = (combine(&weights, bias, signals) - side) * weight;
            bias_slope += error;
            for k in 0..3 {
                slope[k] += error * signals[k];
            }
        }
        bias -= 2.0 * bias_slope;
        for k in 0..3 {
            weights[k] = f64::max(0.0, weights[k] - 2.0 * slope[k]);
        }
    }
    let mut folded = [0.0; 3];
    for k in 0..3 {
        folded[k] = weights[k] / spread[k];
        bias -= folded[k] * mean[k];
    }
    (folded, bias)
}

/// Returns the score that the weighted share `q` of texts does not exceed.
fn weighted_quantile(scores: &[f64], weights: &[f32], q: f64) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let total: f64 = weights.iter().copied().map(f64::from).sum();
    let mut below = 0.0;
    for index in order {
        below += f64::from(weights[index]);
        if below >= q * total {
            return scores[index];
        }
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_that_separates_gets_the_weight() {
        let inside = vec![[0.0, 0.3, 0.1], [0.2, 0.1, -0.1], [0.1, 0.2, 0.0]];
        let outside = vec![[2.0, 0.2, 0.0], [2.2, 0.1, 0.1], [1.9, 0.3, -0.1]];
        let ones = [1.0; 3];
        let (weights, bias) = logistic((&inside, &ones), (&outside, &ones));
        // Each weight by the spread of its signal.
        assert!(weights[0] > 5.0 * weights[1] * 0.1, "{weights:?}");
        assert!(inside.iter().all(|s| combine(&weights, bias, s) < 0.2));
        assert!(outside.iter().all(|s| combine(&weights, bias, s) > 0.8));
    }

    #[test]
    fn the_threshold_counts_weights_not_rows() {
        assert!((weighted_quantile(&[0.1, 0.9, 0.5], &[1.0, 1.0, 8.0], 0.8) - 0.5).abs() < 1e-9);
    }
}
