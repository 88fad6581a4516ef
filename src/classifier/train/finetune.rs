//! Full fine-tuning: the encoder learns from the labels too.
//!
//! All heads learn in one pass of the encoder. What is kept is the encoder of the best pass over the
//! texts, by held-out loss; the heads of the shipped model are then fitted to it as to any other.
//! Word embeddings stay as they are: most words of a language are not in anybody's tickets, and they
//! would be left behind.

use std::{collections::BTreeMap, path::PathBuf};

use candle_core::{D, Device, Result, Tensor, Var};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    adamw::{AdamW, gradient_norm},
    base::Base,
    checkpoint::{self, Checkpoint},
};
use crate::classifier::{
    encoder::{Encoder, Ops, TokenBatch, normalised},
    features::batches,
    metrics::as_f64,
    tokenize::{TextTokenizer, Tokens},
};

/// Weights that stay as they are.
const FROZEN: &str = "embeddings.words";
/// Texts of a step.
const STEP_TEXTS: usize = 32;
/// Steps whose texts are sorted by length together, so that little is padding.
const SORTED_STEPS: usize = 32;
/// Longest gradient; a longer one is shortened to it.
const GRADIENT_MAX: f64 = 1.0;
/// Share of all steps in which the learning rate rises.
const WARM_UP: f64 = 0.1;
/// How much faster the heads learn than the encoder.
const HEAD_RATE: f64 = 10.0;
/// Passes without a better held-out loss after which it ends.
const PATIENCE: usize = 2;
/// How much a text that no label fits counts beside one that has a label.
const OUTSIDE_WEIGHT: f64 = 0.5;
/// Padded tokens of a batch that is only read.
const READ_TOKENS: usize = 2048;

/// Passes over the texts unless the plan says otherwise.
pub const PASSES: usize = 6;
/// Highest learning rate of the encoder unless the plan says otherwise.
pub const RATE: f64 = 1e-4;

/// How it is done.
#[derive(Clone, Debug)]
pub struct FinetunePlan {
    /// Most passes over the texts.
    pub passes: usize,
    /// Highest learning rate of the encoder.
    pub rate: f64,
    /// Seed of the order of texts and of the heads' first weights.
    pub seed: u64,
    /// Where it can go on after an interruption.
    pub checkpoint: PathBuf,
}

/// What one head learns: for each text its label, or that none fits, or nothing.
pub struct Task {
    /// Labels of the head.
    pub labels: usize,
    /// One a text.
    pub targets: Vec<Target>,
}

/// What a head learns from a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing.
    Unlabelled,
    /// All labels are equally wrong.
    Outside,
    /// This label.
    Label(u32),
}

/// What is told on the way.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done and all steps.
    pub steps: (usize, usize),
    /// Loss of the last held-out measurement; `None` before the first.
    pub held_out_loss: Option<f64>,
}

/// Fine-tunes an encoder on `train` texts and returns it; `held_out` says which pass was best.
///
/// # Errors
/// When a tensor operation fails or the checkpoint cannot be written or does not fit.
pub fn finetune(
    plan: &FinetunePlan,
    base: Base,
    texts: &[String],
    tasks: &[Task],
    (train, held_out): (&[u32], &[u32]),
    mut progress: impl FnMut(Progress),
) -> anyhow::Result<Base> {
    let device = Device::Cpu;
    let tokenizer = TextTokenizer::new(&base.tokenizer, base.tokens_max)
        .map_err(|error| anyhow::anyhow!("the tokenizer failed: {error}"))?;
    let tokens = texts
        .iter()
        .map(|text| tokenizer.encode(text))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| anyhow::anyhow!("the tokenizer failed: {error}"))?;
    let mut tuner = Tuner::new(&base, tasks, &tokens, device, plan.seed)?;
    let fingerprint = checkpoint::fingerprint(texts, train, plan.passes, plan.rate, plan.seed);
    let steps_a_pass = train.len().div_ceil(STEP_TEXTS);
    let all_steps = steps_a_pass * plan.passes;
    let mut state = Checkpoint::read(&plan.checkpoint, &fingerprint)?.unwrap_or_default();
    tuner.restore(&state)?;
    while state.passes < plan.passes && state.passes < state.best_pass + PATIENCE + 1 {
        let order = order(train, &tokens, plan.seed, state.passes);
        for (index, rows) in order.iter().enumerate() {
            let step = state.passes * steps_a_pass + index;
            tuner.step(rows, plan.rate * rate_at(step, all_steps))?;
            progress(Progress { steps: (step + 1, all_steps), held_out_loss: state.loss() });
        }
        state.passes += 1;
        let loss = tuner.loss_of(held_out)?;
        if state.loss().is_none_or(|best| loss < best) {
            (state.best_pass, state.best_loss) = (state.passes, Some(loss));
            state.best = tuner.weights()?;
        }
        tuner.save(&mut state)?;
        state.write(&plan.checkpoint, &fingerprint)?;
    }
    let mut weights = base.weights;
    let tuned = state.best.into_iter().filter(|(name, _)| !name.starts_with("head."));
    weights.extend(tuned);
    Checkpoint::remove(&plan.checkpoint)?;
    Ok(Base { weights, file: None, ..base })
}

/// Returns the share of the highest learning rate at a step: up on a line, then down to zero.
fn rate_at(step: usize, all: usize) -> f64 {
    let done = as_f64(step + 1) / as_f64(all.max(1));
    if done < WARM_UP { done / WARM_UP } else { (1.0 - done) / (1.0 - WARM_UP) }
}

/// Returns the steps of a pass: texts shuffled, then those of neighbouring steps sorted by length.
fn order(train: &[u32], tokens: &[Tokens], seed: u64, pass: usize) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(pass as u64));
    let mut rows = train.to_vec();
    rows.shuffle(&mut rng);
    for part in rows.chunks_mut(STEP_TEXTS * SORTED_STEPS) {
        part.sort_by_key(|row| tokens[*row as usize].ids.len());
    }
    let mut steps: Vec<Vec<u32>> = rows.chunks(STEP_TEXTS).map(<[u32]>::to_vec).collect();
    steps.shuffle(&mut rng);
    steps
}

struct Tuner<'a> {
    encoder: Encoder,
    vars: BTreeMap<String, (Var, f64)>,
    optimiser: AdamW,
    tasks: &'a [Task],
    tokens: &'a [Tokens],
    /// Scales features of length one so that heads start with numbers of ordinary size.
    scale: f64,
    device: Device,
}

impl<'a> Tuner<'a> {
    fn new(
        base: &Base,
        tasks: &'a [Task],
        tokens: &'a [Tokens],
        device: Device,
        seed: u64,
    ) -> Result<Self> {
        let mut vars = BTreeMap::new();
        let mut weights = BTreeMap::new();
        for (name, tensor) in &base.weights {
            if name == FROZEN {
                weights.insert(name.clone(), tensor.clone());
            } else if base.config.weights().contains_key(name) {
                let var = Var::from_tensor(tensor)?;
                weights.insert(name.clone(), var.as_tensor().clone());
                vars.insert(name.clone(), (var, 1.0));
            }
        }
        let encoder = Encoder::new(base.config.clone(), &weights)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (index, task) in tasks.iter().enumerate() {
            let (labels, width) = (task.labels, base.config.hidden);
            let weight = Var::from_tensor(&small(labels, width, &mut rng, &device)?)?;
            let bias = Var::zeros(labels, weight.dtype(), &device)?;
            vars.insert(format!("head.{index}.weight"), (weight, HEAD_RATE));
            vars.insert(format!("head.{index}.bias"), (bias, HEAD_RATE));
        }
        let optimiser = AdamW::new(&vars)?;
        let scale = as_f64(base.config.hidden).sqrt();
        Ok(Self { encoder, vars, optimiser, tasks, tokens, scale, device })
    }

    fn step(&mut self, rows: &[u32], rate: f64) -> Result<()> {
        let Some(loss) = self.loss(rows, Ops::Differentiable)? else { return Ok(()) };
        let gradients = loss.backward()?;
        let norm = gradient_norm(&self.vars, &gradients)?;
        self.optimiser.step(&gradients, rate, (GRADIENT_MAX / norm.max(1e-12)).min(1.0))
    }

    /// Returns the mean loss of the heads on some texts; `None` when none of them is labelled.
    fn loss(&self, rows: &[u32], ops: Ops) -> Result<Option<Tensor>> {
        let texts: Vec<&[u32]> =
            rows.iter().map(|row| self.tokens[*row as usize].ids.as_slice()).collect();
        let batch = TokenBatch::new(&texts, &self.device)?;
        let states = self.encoder.forward(&batch, ops)?;
        let Some(last) = states.last() else { return Ok(None) };
        let features = (normalised(&batch.mean(last)?)? * self.scale)?;
        let mut losses = Vec::new();
        for (index, task) in self.tasks.iter().enumerate() {
            losses.extend(self.task_loss(index, task, rows, &features)?);
        }
        if losses.is_empty() {
            return Ok(None);
        }
        Tensor::stack(&losses, 0)?.mean_all().map(Some)
    }

    fn task_loss(
        &self,
        index: usize,
        task: &Task,
        rows: &[u32],
        features: &Tensor,
    ) -> Result<Option<Tensor>> {
        let even = 1.0 / as_f64(task.labels);
        let mut wanted = vec![0.0_f32; rows.len() * task.labels];
        let mut total = 0.0;
        for (row, shares) in rows.iter().zip(wanted.chunks_mut(task.labels)) {
            match task.targets[*row as usize] {
                Target::Unlabelled => {}
                Target::Label(label) => {
                    shares[label as usize] = 1.0;
                    total += 1.0;
                }
                Target::Outside => {
                    #[expect(clippy::cast_possible_truncation, reason = "a share")]
                    shares.fill((OUTSIDE_WEIGHT * even) as f32);
                    total += OUTSIDE_WEIGHT;
                }
            }
        }
        if total <= 0.0 {
            return Ok(None);
        }
        let (weight, _) = &self.vars[&format!("head.{index}.weight")];
        let (bias, _) = &self.vars[&format!("head.{index}.bias")];
        let logits = features.matmul(&weight.t()?)?.broadcast_add(bias)?;
        let log_probabilities = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
        let wanted = Tensor::from_vec(wanted, (rows.len(), task.labels), &self.device)?;
        let loss = (log_probabilities * wanted)?.sum_all()?;
        Ok(Some((loss * (-1.0 / total))?))
    }

    /// Returns the mean loss over batches of some texts, without learning.
    fn loss_of(&self, rows: &[u32]) -> Result<f64> {
        let mut order: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
        order.sort_by_key(|row| self.tokens[*row].ids.len());
        let (mut sum, mut count) = (0.0, 0.0);
        for batch in batches(&order, |row| self.tokens[row].ids.len(), READ_TOKENS) {
            let rows: Vec<u32> = batch.iter().filter_map(|row| u32::try_from(*row).ok()).collect();
            if let Some(loss) = self.loss(&rows, Ops::Fused)? {
                sum += f64::from(loss.to_scalar::<f32>()?) * as_f64(rows.len());
                count += as_f64(rows.len());
            }
        }
        Ok(sum / f64::max(count, 1.0))
    }

    /// Returns copies of all weights.
    fn weights(&self) -> Result<BTreeMap<String, Tensor>> {
        let copy = |(name, (var, _)): (&String, &(Var, f64))| Ok((name.clone(), var.copy()?));
        self.vars.iter().map(copy).collect()
    }

    fn save(&self, state: &mut Checkpoint) -> Result<()> {
        state.weights = self.weights()?;
        state.moments = self.optimiser.moments().collect();
        state.steps = self.optimiser.steps;
        Ok(())
    }

    fn restore(&mut self, state: &Checkpoint) -> Result<()> {
        if state.passes == 0 {
            return Ok(());
        }
        for (name, (var, _)) in &self.vars {
            match state.weights.get(name) {
                Some(tensor) => var.set(tensor)?,
                None => candle_core::bail!("the checkpoint has no {name}"),
            }
        }
        self.optimiser.restore(&state.moments, state.steps)
    }
}

/// Returns small seeded numbers; candle's own draws on a CPU cannot be seeded.
fn small(rows: usize, width: usize, rng: &mut ChaCha8Rng, device: &Device) -> Result<Tensor> {
    use rand::RngExt;
    let numbers = (0..rows * width).map(|_| rng.random_range(-0.02_f32..0.02)).collect();
    Tensor::from_vec(numbers, (rows, width), device)
}
