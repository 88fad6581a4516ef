//! Fits one head to features: logistic regression, multinomial or, where a text may have several labels,
//! of each label on its own.
//!
//! How strongly weights are held back, and which view of the encoder is seen, are chosen by the loss on
//! held-out texts; the temperature is fitted there too.

use candle_core::{Result, Tensor};

use super::logistic::{self, Loss, Solution};
use crate::classifier::{
    artifact::HeadEntry,
    features::{Features, View},
    heads::{Head, sigmoid, softmax},
    metrics::ratio,
};

/// Strengths of the L2 penalty that are tried, strongest first: each starts where the one before ended.
const PENALTIES: [f64; 5] = [1e-1, 2e-2, 4e-3, 8e-4, 1.6e-4];
/// Labelled texts for one head.
#[derive(Clone, Debug)]
pub struct Examples<'a> {
    /// Features that rows point into.
    pub features: &'a Features,
    /// Row of each example.
    pub rows: Vec<u32>,
    /// Indices of its labels; exactly one unless a text may have several.
    pub labels: Vec<Vec<u32>>,
    /// How much it counts; 1 is ordinary.
    pub weights: Vec<f32>,
}

impl<'a> Examples<'a> {
    /// Takes all rows, each counting once.
    #[must_use]
    pub fn new(features: &'a Features, rows: Vec<u32>, labels: Vec<Vec<u32>>) -> Self {
        let weights = vec![1.0; rows.len()];
        Self { features, rows, labels, weights }
    }

    /// Returns some of the examples.
    #[must_use]
    pub fn pick(&self, indices: &[usize]) -> Self {
        Self {
            features: self.features,
            rows: indices.iter().map(|index| self.rows[*index]).collect(),
            labels: indices.iter().map(|index| self.labels[*index].clone()).collect(),
            weights: indices.iter().map(|index| self.weights[*index]).collect(),
        }
    }

    fn matrix(&self, view: View) -> Result<Tensor> {
        let all = self.features.view(view);
        all.index_select(&Tensor::new(self.rows.as_slice(), all.device())?, 0)
    }
}

/// What is fitted.
#[derive(Clone, Debug)]
pub struct FitPlan<'a> {
    /// Name of the head.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a [String],
    /// Views to choose from.
    pub views: &'a [View],
    /// Whether a text may have several of the labels.
    pub several: bool,
}

impl FitPlan<'_> {
    fn loss(&self) -> Loss {
        if self.several { Loss::Each } else { Loss::Shares }
    }
}

/// A fitted head and how it was chosen.
pub struct Fitted {
    /// The head, with its temperature.
    pub head: Head,
    /// The L2 penalty that won.
    pub penalty: f64,
}

/// Fits a head to `train`; chooses view, penalty and temperature on `held_out`.
///
/// # Errors
/// When a tensor operation fails.
pub fn fit_head(
    plan: &FitPlan<'_>,
    train: &Examples<'_>,
    held_out: &Examples<'_>,
) -> Result<Fitted> {
    let mut best: Option<(f64, Fitted)> = None;
    for view in plan.views {
        let problem = Standardised::new(train, *view)?;
        let wanted = wanted(&train.labels, plan.labels.len());
        let mut solution = None;
        for penalty in PENALTIES {
            let found = problem.solve(&wanted, plan.loss(), penalty, solution.take());
            let mut head = problem.head(plan, *view, &found)?;
            let loss = calibrate(&mut head, held_out)?;
            solution = Some(found);
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, Fitted { head, penalty }));
            }
        }
    }
    best.map(|(_, fitted)| fitted).ok_or_else(|| candle_core::Error::Msg("no view to fit".into()))
}

/// Fits a head again, to more texts, with choices made before.
///
/// # Errors
/// When a tensor operation fails.
pub fn refit_head(plan: &FitPlan<'_>, all: &Examples<'_>, chosen: &Fitted) -> Result<Head> {
    let view = chosen.head.entry.view;
    let problem = Standardised::new(all, view)?;
    let wanted = wanted(&all.labels, plan.labels.len());
    let found = problem.solve(&wanted, plan.loss(), chosen.penalty, None);
    let mut head = problem.head(plan, view, &found)?;
    head.entry.temperature = chosen.head.entry.temperature;
    head.entry.threshold = chosen.head.entry.threshold;
    Ok(head)
}

/// Returns a head with the confidence that held-out texts ask for; without any it stays as it is.
///
/// # Errors
/// When a tensor operation fails.
pub fn calibrated(mut head: Head, held_out: &Examples<'_>) -> Result<Head> {
    if !held_out.rows.is_empty() {
        calibrate(&mut head, held_out)?;
    }
    Ok(head)
}

/// Sets the temperature, and the threshold of a head with several labels; returns the held-out loss.
fn calibrate(head: &mut Head, held_out: &Examples<'_>) -> Result<f64> {
    let logits = head.logits(&held_out.features.select(&held_out.rows)?)?;
    let several = head.entry.threshold.is_some();
    let (temperature, loss) =
        fit_temperature(&logits, &held_out.labels, &held_out.weights, several);
    head.entry.temperature = temperature;
    if several {
        let probabilities: Vec<Vec<f64>> =
            logits.iter().map(|row| sigmoid(row, temperature)).collect();
        head.entry.threshold = Some(fit_threshold(&probabilities, &held_out.labels));
    }
    Ok(loss)
}

/// Returns rows with a one at each label.
fn wanted(labels: &[Vec<u32>], classes: usize) -> Vec<f32> {
    let mut wanted = vec![0.0; labels.len() * classes];
    for (labels, row) in labels.iter().zip(wanted.chunks_mut(classes)) {
        labels.iter().for_each(|label| row[*label as usize] = 1.0);
    }
    wanted
}

/// Features shifted and scaled so that a coordinate has mean 0 and, on average, variance 1.
struct Standardised<'a> {
    x: Vec<f32>,
    mean: Tensor,
    scale: f64,
    weights: &'a [f32],
}

impl<'a> Standardised<'a> {
    fn new(examples: &'a Examples<'_>, view: View) -> Result<Self> {
        let x = examples.matrix(view)?;
        let mean = x.mean_keepdim(0)?;
        let x = x.broadcast_sub(&mean)?;
        let variance = f64::from(x.sqr()?.mean_all()?.to_scalar::<f32>()?);
        let scale = 1.0 / variance.sqrt().max(1e-6);
        Ok(Self {
            x: (x * scale)?.flatten_all()?.to_vec1()?,
            mean: mean.squeeze(0)?,
            scale,
            weights: &examples.weights,
        })
    }

    /// The penalty is per coordinate of unit variance; `start` shortens the way.
    fn solve(&self, wanted: &[f32], loss: Loss, penalty: f64, start: Option<Solution>) -> Solution {
        let rows = self.weights.len().max(1);
        let (width, classes) = (self.x.len() / rows, wanted.len() / rows);
        let weights = self.weights;
        let problem = logistic::Problem { x: &self.x, width, wanted, classes, weights, loss };
        problem.solve(penalty, &start.unwrap_or_else(|| problem.start()))
    }

    /// Folds the standardisation into the weights.
    fn head(&self, plan: &FitPlan<'_>, view: View, found: &Solution) -> Result<Head> {
        let (classes, width) = (found.bias.len(), self.mean.elem_count());
        let device = self.mean.device();
        let weight = Tensor::from_slice(&found.weight, (classes, width), device)?;
        let weight = (weight * self.scale)?;
        let shift = weight.matmul(&self.mean.unsqueeze(1)?)?.squeeze(1)?;
        let bias = (Tensor::new(found.bias.as_slice(), device)? - shift)?;
        let entry = HeadEntry {
            name: plan.name.to_owned(),
            labels: plan.labels.to_vec(),
            view,
            temperature: 1.0,
            threshold: plan.several.then_some(0.5),
        };
        Ok(Head { entry, weight, bias })
    }
}

/// Returns the temperature with the least mean negative log-likelihood, and that likelihood.
///
/// The loss has one minimum in the temperature, so a golden-section search over its logarithm finds it.
#[must_use]
pub fn fit_temperature(
    logits: &[Vec<f32>],
    labels: &[Vec<u32>],
    weights: &[f32],
    several: bool,
) -> (f64, f64) {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let loss = |log_t: f64| loss_at(logits, labels, weights, (log_t.exp(), several));
    let (mut low, mut high) = (-4.0_f64, 4.0_f64);
    let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_left, mut at_right) = (loss(left), loss(right));
    for _ in 0..40 {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - GOLDEN * (high - low);
            at_left = loss(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + GOLDEN * (high - low);
            at_right = loss(right);
        }
    }
    let middle = f64::midpoint(low, high);
    (middle.exp(), loss(middle))
}

fn loss_at(
    logits: &[Vec<f32>],
    labels: &[Vec<u32>],
    weights: &[f32],
    (temperature, several): (f64, bool),
) -> f64 {
    let log = |probability: f64| probability.max(1e-12).ln();
    let (mut sum, mut total) = (0.0, 0.0);
    let doubt = Doubt::new(logits, labels);
    for ((row, labels), weight) in logits.iter().zip(labels).zip(weights) {
        let logs: f64 = if several {
            let each = (0_u32..).zip(sigmoid(row, temperature)).map(|(label, p)| {
                let there = if labels.contains(&label) { doubt.there } else { doubt.absent };
                there * log(p) + (1.0 - there) * log(1.0 - p)
            });
            each.sum()
        } else {
            let shares = softmax(row, temperature);
            labels.iter().map(|label| log(shares[*label as usize])).sum()
        };
        sum -= f64::from(*weight) * logs;
        total += f64::from(*weight);
    }
    sum / f64::max(total, 1e-12)
}

/// How sure of labels that are there, and of those that are not, so few decisions allow one to be (Platt
/// 1999). Without it, texts that are told apart without a mistake would make every probability 0 or 1.
struct Doubt {
    there: f64,
    absent: f64,
}

impl Doubt {
    fn new(logits: &[Vec<f32>], labels: &[Vec<u32>]) -> Self {
        let there: usize = labels.iter().map(Vec::len).sum();
        let absent = logits.iter().map(Vec::len).sum::<usize>().saturating_sub(there);
        Self { there: ratio(there + 1, there + 2), absent: ratio(1, absent + 2) }
    }
}

/// Returns the threshold with the highest F1 over all labels together, between 0.05 and 0.95.
///
/// With every decision sorted by its probability, each cut between two of them is one threshold.
#[must_use]
pub fn fit_threshold(probabilities: &[Vec<f64>], labels: &[Vec<u32>]) -> f64 {
    let mut decisions: Vec<(f64, bool)> = Vec::new();
    for (row, labels) in probabilities.iter().zip(labels) {
        decisions.extend((0_u32..).zip(row).map(|(label, p)| (*p, labels.contains(&label))));
    }
    decisions.sort_by(|a, b| b.0.total_cmp(&a.0));
    let there = decisions.iter().filter(|(_, there)| *there).count();
    let (mut best, mut both) = ((0.0, 0.5), 0);
    for (index, (probability, is_there)) in decisions.iter().enumerate() {
        both += usize::from(*is_there);
        let next = decisions.get(index + 1).map_or(0.0, |(next, _)| *next);
        let f1 = ratio(2 * both, there + index + 1);
        if next < *probability && f1 > best.0 {
            best = (f1, f64::midpoint(*probability, next));
        }
    }
    best.1.clamp(0.05, 0.95)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fitted_temperature_lowers_the_loss_of_overconfident_numbers() {
        // Right three times of four, and always just as sure.
        let logits = vec![vec![8.0, 0.0]; 4];
        let (labels, weights) = ([0, 0, 0, 1].map(|label| vec![label]), [1.0; 4]);
        let (temperature, loss) = fit_temperature(&logits, &labels, &weights, false);
        assert!(loss < loss_at(&logits, &labels, &weights, (1.0, false)));
        // The best answer is three in four: 8 / T = ln 3.
        assert!((8.0 / temperature - 3.0_f64.ln()).abs() < 1e-3, "{temperature}");
        // The same question asked of one label on its own; few answers leave a doubt: 4 / 5 for three
        // that are there, 1 / 3 for one that is not.
        let logits = vec![vec![8.0]; 4];
        let labels = [vec![0], vec![0], vec![0], vec![]];
        let (temperature, _) = fit_temperature(&logits, &labels, &weights, true);
        let share = (3.0 * 0.8 + 1.0 / 3.0) / 4.0_f64;
        assert!((8.0 / temperature - (share / (1.0 - share)).ln()).abs() < 1e-3, "{temperature}");
        // Without a mistake, it stays short of certainty.
        let logits = vec![vec![3.0, -3.0], vec![-2.0, 4.0]];
        let (temperature, _) = fit_temperature(&logits, &[vec![0], vec![1]], &weights, true);
        assert!(sigmoid(&[4.0], temperature)[0] < 0.95, "{temperature}");
    }

    #[test]
    fn the_fitted_threshold_has_the_highest_f1() {
        let probabilities = vec![vec![0.9, 0.4], vec![0.35, 0.38], vec![0.2, 0.1]];
        // Below 0.35, all three labels are found and one more: 6 / 7; above 0.38, two of them: 4 / 5.
        let labels = [vec![0, 1], vec![0], vec![]];
        let threshold = fit_threshold(&probabilities, &labels);
        assert!((threshold - 0.275).abs() < 1e-9, "{threshold}");
    }
}
