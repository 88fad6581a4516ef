//! Fits one head to features: multinomial logistic regression by candle's autograd.
//!
//! How strongly weights are held back, and which view of the encoder is seen, are chosen by the loss on
//! held-out texts; the temperature is fitted there too.

use candle_core::{D, DType, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::classifier::{
    artifact::HeadEntry,
    features::{Features, View},
    heads::{Head, softmax},
    metrics::as_f64,
};

/// Strengths of the L2 penalty that are tried, strongest first, so each starts from the one before.
const PENALTIES: [f64; 5] = [1e-1, 2e-2, 4e-3, 8e-4, 1.6e-4];
/// Texts of a step.
const STEP_TEXTS: usize = 512;
/// Passes over the texts for the first penalty; the others take half.
const PASSES: usize = 16;
/// Fewest and most steps for one penalty.
const STEPS: (usize, usize) = (150, 1000);
/// Learning rate at the start; it falls to zero on a line.
const RATE: f64 = 0.02;

/// Labelled texts for one head.
#[derive(Clone, Debug)]
pub struct Examples<'a> {
    /// Features that rows point into.
    pub features: &'a Features,
    /// Row of each example.
    pub rows: Vec<u32>,
    /// Index of its label.
    pub labels: Vec<u32>,
    /// How much it counts; 1 is ordinary.
    pub weights: Vec<f32>,
}

impl<'a> Examples<'a> {
    /// Takes all rows, each counting once.
    #[must_use]
    pub fn new(features: &'a Features, rows: Vec<u32>, labels: Vec<u32>) -> Self {
        let weights = vec![1.0; rows.len()];
        Self { features, rows, labels, weights }
    }

    /// Returns some of the examples.
    #[must_use]
    pub fn pick(&self, indices: &[usize]) -> Self {
        Self {
            features: self.features,
            rows: indices.iter().map(|index| self.rows[*index]).collect(),
            labels: indices.iter().map(|index| self.labels[*index]).collect(),
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
    /// Seed of the order of texts.
    pub seed: u64,
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
        let problem = Problem::new(train, *view, plan.labels.len())?;
        let weights = problem.start()?;
        for (round, penalty) in PENALTIES.into_iter().enumerate() {
            problem.descend(&weights, penalty, round == 0, plan.seed)?;
            let mut head = problem.head(plan, *view, &weights)?;
            let logits = held_out_logits(&head, held_out)?;
            let (temperature, loss) = fit_temperature(&logits, &held_out.labels, &held_out.weights);
            head.entry.temperature = temperature;
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
    let problem = Problem::new(all, view, plan.labels.len())?;
    let weights = problem.start()?;
    for (round, penalty) in PENALTIES.into_iter().enumerate() {
        problem.descend(&weights, penalty, round == 0, plan.seed)?;
        if penalty <= chosen.penalty {
            break;
        }
    }
    let mut head = problem.head(plan, view, &weights)?;
    head.entry.temperature = chosen.head.entry.temperature;
    Ok(head)
}

/// Fits a row of weights and a bias that predict a number from [`View::Layers`], by least squares.
///
/// # Errors
/// When a tensor operation fails.
pub fn fit_numbers(
    examples: &Examples<'_>,
    values: &[f32],
    penalty: f64,
    seed: u64,
) -> Result<(Tensor, Tensor)> {
    let y = Tensor::new(values, examples.features.view(View::Layers).device())?;
    let problem = Problem::with_targets(examples, View::Layers, y, 1)?;
    let weights = problem.start()?;
    problem.descend(&weights, penalty, true, seed)?;
    let labels = ["value".to_owned()];
    let plan = FitPlan { name: "value", labels: &labels, views: &[View::Layers], seed };
    let head = problem.head(&plan, View::Layers, &weights)?;
    Ok((head.weight, head.bias))
}

fn held_out_logits(head: &Head, held_out: &Examples<'_>) -> Result<Vec<Vec<f32>>> {
    head.logits(&held_out.features.select(&held_out.rows)?)
}

/// Standardised features with their labels.
struct Problem {
    /// Shifted and scaled so that a coordinate has mean 0 and, on average, variance 1.
    x: Tensor,
    /// Labels, or values where a number is predicted.
    y: Tensor,
    row_weights: Tensor,
    mean: Tensor,
    scale: f64,
    classes: usize,
}

struct Weights {
    weight: Var,
    bias: Var,
}

impl Problem {
    fn new(examples: &Examples<'_>, view: View, classes: usize) -> Result<Self> {
        let y = Tensor::new(examples.labels.as_slice(), examples.features.view(view).device())?;
        Self::with_targets(examples, view, y, classes)
    }

    fn with_targets(
        examples: &Examples<'_>,
        view: View,
        y: Tensor,
        classes: usize,
    ) -> Result<Self> {
        let x = examples.matrix(view)?;
        let mean = x.mean_keepdim(0)?;
        let x = x.broadcast_sub(&mean)?;
        let variance = f64::from(x.sqr()?.mean_all()?.to_scalar::<f32>()?);
        let scale = 1.0 / variance.sqrt().max(1e-6);
        Ok(Self {
            x: (x * scale)?,
            y,
            row_weights: Tensor::new(examples.weights.as_slice(), mean.device())?,
            mean: mean.squeeze(0)?,
            scale,
            classes,
        })
    }

    fn start(&self) -> Result<Weights> {
        let (width, device) = (self.x.dim(1)?, self.x.device());
        Ok(Weights {
            weight: Var::zeros((self.classes, width), self.x.dtype(), device)?,
            bias: Var::zeros(self.classes, self.x.dtype(), device)?,
        })
    }

    fn descend(&self, weights: &Weights, penalty: f64, first: bool, seed: u64) -> Result<()> {
        let rows = self.x.dim(0)?;
        let passes = if first { PASSES } else { PASSES / 2 };
        let steps = (passes * rows.div_ceil(STEP_TEXTS)).clamp(STEPS.0, STEPS.1);
        let params = ParamsAdamW { lr: RATE, weight_decay: 0.0, ..ParamsAdamW::default() };
        let vars = vec![weights.weight.clone(), weights.bias.clone()];
        let mut optimiser = AdamW::new(vars, params)?;
        let mut order: Vec<u32> = (0..u32::try_from(rows)?).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut next = rows;
        for step in 0..steps {
            if next >= rows {
                order.shuffle(&mut rng);
                next = 0;
            }
            let end = (next + STEP_TEXTS).min(rows);
            let loss = self.loss(weights, &order[next..end], penalty)?;
            next = end;
            optimiser.set_learning_rate(RATE * (1.0 - as_f64(step) / as_f64(steps)));
            optimiser.backward_step(&loss)?;
        }
        Ok(())
    }

    fn loss(&self, weights: &Weights, rows: &[u32], penalty: f64) -> Result<Tensor> {
        let rows = Tensor::new(rows, self.x.device())?;
        let (x, y) = (self.x.index_select(&rows, 0)?, self.y.index_select(&rows, 0)?);
        let logits = x.matmul(&weights.weight.t()?)?.broadcast_add(&weights.bias)?;
        let losses = if self.y.dtype() == DType::F32 {
            (logits.squeeze(1)? - y)?.sqr()?
        } else {
            let log_probabilities = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
            log_probabilities.gather(&y.unsqueeze(1)?, 1)?.squeeze(1)?.neg()?
        };
        let row_weights = self.row_weights.index_select(&rows, 0)?;
        let data = ((losses * &row_weights)?.sum_all()? / row_weights.sum_all()?)?;
        // The customary scale: the penalty of a label's weights is per coordinate of unit variance.
        data + (weights.weight.sqr()?.sum_all()? * (penalty / 2.0))?
    }

    /// Folds the standardisation into the weights.
    fn head(&self, plan: &FitPlan<'_>, view: View, weights: &Weights) -> Result<Head> {
        let weight = (weights.weight.as_tensor().detach() * self.scale)?;
        let shift = weight.matmul(&self.mean.unsqueeze(1)?)?.squeeze(1)?;
        let entry = HeadEntry {
            name: plan.name.to_owned(),
            labels: plan.labels.to_vec(),
            view,
            temperature: 1.0,
        };
        Ok(Head { entry, weight, bias: (weights.bias.as_tensor().detach() - shift)? })
    }
}

/// Returns the temperature with the least mean negative log-likelihood, and that likelihood.
///
/// The loss has one minimum in the temperature, so a golden-section search over its logarithm finds it.
#[must_use]
pub fn fit_temperature(logits: &[Vec<f32>], labels: &[u32], weights: &[f32]) -> (f64, f64) {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let loss = |log_t: f64| loss_at(logits, labels, weights, log_t.exp());
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

fn loss_at(logits: &[Vec<f32>], labels: &[u32], weights: &[f32], temperature: f64) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for ((row, label), weight) in logits.iter().zip(labels).zip(weights) {
        let right = usize::try_from(*label)
            .ok()
            .and_then(|label| softmax(row, temperature).get(label).copied());
        sum -= f64::from(*weight) * right.unwrap_or(0.0).max(1e-12).ln();
        total += f64::from(*weight);
    }
    sum / f64::max(total, 1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fitted_temperature_lowers_the_loss_of_overconfident_numbers() {
        // Right three times of four, and always just as sure.
        let logits = vec![vec![8.0, 0.0]; 4];
        let (labels, weights) = ([0, 0, 0, 1], [1.0; 4]);
        let (temperature, loss) = fit_temperature(&logits, &labels, &weights);
        assert!(loss < loss_at(&logits, &labels, &weights, 1.0));
        // The best answer is three in four: 8 / T = ln 3.
        assert!((8.0 / temperature - 3.0_f64.ln()).abs() < 1e-3, "{temperature}");
    }
}
