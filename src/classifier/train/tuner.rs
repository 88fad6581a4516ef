//! One step of fine-tuning.
//!
//! Each text is read twice, with different numbers dropped, and both readings are to agree. The readings
//! are made in shards, two at a time; the losses see all of them, whichever shard they are in.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var, bail};
use evenhand_kernels::{optimiser::blend, pointwise::add};
use serde::{Deserialize, Serialize};

use super::{
    adamw::{AdamW, Learned},
    base::Base,
    checkpoint::Checkpoint,
    finetune::{Recipe, Target, Task},
    objective::{Objective, READINGS, features},
};
use crate::classifier::{
    artifact::HeadEntry,
    encoder::{Dropout, Encode, Encoder, Gradients, Tape, TokenBatch},
    features::{View, batches},
    heads::{Head, log_sum_exp, sigmoid},
    metrics::as_f64,
    parallel::in_parallel,
    tokenize::Tokens,
};

/// Longest gradient; a longer one is shortened to it.
const GRADIENT_MAX: f64 = 1.0;
/// How much faster the heads learn than the encoder.
const HEAD_RATE: f64 = 10.0;
/// Tokens of a batch that is only read.
const READ_TOKENS: usize = 2048;
/// Parts of a reading that are computed apart. A fixed number, so that the result does not depend on the
/// machine.
const SHARDS: usize = 2;

/// A head that learns, on features of length `√width`: labels by width, and one bias a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedHead {
    /// Labels by width.
    pub weight: Vec<f32>,
    /// One a label.
    pub bias: Vec<f32>,
}

/// Weights on their way.
pub(super) struct Tuner<'a> {
    objective: Objective<'a>,
    encoder: Encoder,
    heads: Vec<TunedHead>,
    optimiser: AdamW,
    /// Running mean of all that is learned.
    average: Vec<Vec<f32>>,
    /// Steps it reaches back over.
    averaged_steps: f64,
    tokens: &'a [Tokens],
    seed: u64,
}

impl<'a> Tuner<'a> {
    /// Starts from an encoder and from one head for each task, with so many steps to come.
    pub(super) fn new(
        recipe: &'a Recipe,
        base: &Base,
        heads: Vec<TunedHead>,
        tasks: &'a [Task],
        tokens: &'a [Tokens],
        (seed, all_steps): (u64, usize),
    ) -> Result<Self> {
        let encoder = Encoder::new(base.config.clone(), &base.weights, true)?;
        let (optimiser, average) = (AdamW::default(), Vec::new());
        let averaged_steps = (as_f64(all_steps) * recipe.averaging).max(1.0);
        let mut tuner = Self {
            objective: Objective { recipe, tasks },
            encoder,
            heads,
            optimiser,
            average,
            averaged_steps,
            tokens,
            seed,
        };
        tuner.average = tuner.learned().into_iter().map(|weights| weights.clone()).collect();
        Ok(tuner)
    }

    /// Returns all that is learned: the encoder's weights, then the heads'.
    fn learned(&mut self) -> Vec<&mut Vec<f32>> {
        let heads = self.heads.iter_mut().flat_map(|head| [&mut head.weight, &mut head.bias]);
        self.encoder.learned_mut().into_iter().chain(heads).collect()
    }

    /// Learns from some texts, at least one.
    pub(super) fn step(&mut self, rows: &[u32], rate: f64, step: u64) -> Result<()> {
        let shards: Vec<&[u32]> = rows.chunks(rows.len().div_ceil(SHARDS)).collect();
        let shards = vec![shards; READINGS].concat();
        let tapes = in_parallel(&shards, |shard, rows| {
            let seed = (self.seed << 40) ^ (step << 8) ^ shard as u64;
            let mut dropout = Dropout::new(self.objective.recipe.dropout, seed);
            self.encoder.forward_taped(self.batch(rows), &mut dropout)
        })?;
        let Some(slopes) = self.slopes(rows, &tapes)? else { return Ok(()) };
        let gradients = self.gradients(&tapes, slopes)?;
        let of_encoder = gradients.len() - 2 * self.heads.len();
        // Matrices fade; biases, norms and positions do not.
        let names = self.encoder.learned();
        let is_matrix = |name: &String| name.ends_with(".weight") && !name.contains("norm");
        let mut fades: Vec<bool> = names.iter().map(is_matrix).collect();
        fades.extend(self.heads.iter().flat_map(|_| [true, false]));
        let mut optimiser = std::mem::take(&mut self.optimiser);
        let learned = self.learned().into_iter().zip(gradients).enumerate();
        let learned = learned.map(|(index, (weights, gradient))| Learned {
            rate: if index < of_encoder { 1.0 } else { HEAD_RATE },
            fades: fades[index],
            weights,
            gradient,
        });
        let moved = optimiser.step(learned.collect(), rate, GRADIENT_MAX);
        self.optimiser = optimiser;
        moved?;
        self.blend(step);
        self.encoder.refresh();
        Ok(())
    }

    /// Moves the running mean towards the weights; at first it follows them closely.
    fn blend(&mut self, step: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "a share")]
        let share = (1.0 / self.averaged_steps).max(1.0 / (10.0 + step as f64)) as f32;
        let mut average = std::mem::take(&mut self.average);
        for (average, weights) in average.iter_mut().zip(self.learned()) {
            blend(average, weights, share);
        }
        self.average = average;
    }

    /// Returns the slopes of the loss at the means of the tapes, and at each head's weight and bias;
    /// `None` when no text has anything to teach.
    fn slopes(&self, rows: &[u32], tapes: &[Tape]) -> Result<Option<Slopes>> {
        let width = self.encoder.config().hidden;
        let means: Vec<f32> = tapes.iter().flat_map(|tape| tape.means.iter().copied()).collect();
        let means = Var::from_vec(means, (rows.len() * READINGS, width), &Device::Cpu)?;
        let heads = self.heads.iter().map(|head| head.vars(width)).collect::<Result<Vec<_>>>()?;
        let Some(loss) = self.objective.loss(rows, &means, &heads)? else { return Ok(None) };
        let slopes = loss.backward()?;
        let slope = |var: &Var| match slopes.get(var) {
            Some(slope) => slope.flatten_all()?.to_vec1(),
            None => Ok(vec![0.0; var.elem_count()]),
        };
        let of_heads = heads.iter().flat_map(|(weight, bias)| [slope(weight), slope(bias)]);
        Ok(Some(Slopes { means: slope(&means)?, heads: of_heads.collect::<Result<_>>()? }))
    }

    /// Returns the gradients of all that is learned.
    fn gradients(&self, tapes: &[Tape], slopes: Slopes) -> Result<Vec<Vec<f32>>> {
        let mut start = 0;
        let mut groups: [Vec<(&Tape, &[f32])>; SHARDS] = Default::default();
        for (index, tape) in tapes.iter().enumerate() {
            let slopes = &slopes.means[start..start + tape.means.len()];
            groups[index % SHARDS].push((tape, slopes));
            start += tape.means.len();
        }
        // Each thread adds up its own, so that only one sum is left to be made alone.
        let found = in_parallel(&groups, |_, group| {
            let mut found = group.iter().map(|(tape, slopes)| self.encoder.backward(tape, slopes));
            let Some(Gradients(mut sum)) = found.next() else { return Ok(Vec::new()) };
            found.for_each(|Gradients(more)| add_all(&mut sum, &more));
            Ok(sum)
        })?;
        let mut sum: Vec<Vec<f32>> = Vec::new();
        for more in found.into_iter().filter(|more| !more.is_empty()) {
            if sum.is_empty() {
                sum = more;
            } else {
                add_all(&mut sum, &more);
            }
        }
        sum.extend(slopes.heads);
        Ok(sum)
    }

    fn batch(&self, rows: &[u32]) -> TokenBatch {
        let texts: Vec<&Tokens> = rows.iter().map(|row| &self.tokens[*row as usize]).collect();
        TokenBatch::new(&texts)
    }

    /// Returns the mean loss of the averaged weights on some texts: that of each task over the texts
    /// labelled for it, summed over the tasks.
    pub(super) fn held_out_loss(&mut self, rows: &[u32]) -> Result<f64> {
        self.swap_average();
        let logits = self.logits(rows);
        self.swap_average();
        let mut sum = 0.0;
        for (task, logits) in self.objective.tasks.iter().zip(logits?) {
            let (mut loss, mut count) = (0.0, 0_usize);
            for (row, logits) in rows.iter().zip(logits) {
                loss += match &task.targets[*row as usize] {
                    Target::Label(label) => {
                        log_sum_exp(&logits) - f64::from(logits[*label as usize])
                    }
                    Target::Labels(there) => surprise(&logits, there),
                    Target::Number(wanted) => f64::from(logits[0] - wanted).powi(2),
                    Target::Unlabelled | Target::Outside => continue,
                };
                count += 1;
            }
            sum += task.weight * loss / as_f64(count.max(1));
        }
        Ok(sum)
    }

    /// Returns the logits of each task for some texts, without dropout.
    pub(super) fn logits(&self, rows: &[u32]) -> Result<Vec<Vec<Vec<f32>>>> {
        let length = |at: usize| self.tokens[rows[at] as usize].ids().len();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|at| length(*at));
        let parts = batches(&order, length, READ_TOKENS);
        let width = self.encoder.config().hidden;
        let read = in_parallel(&parts, |_, part| {
            let tokens = self.batch(&part.iter().map(|at| rows[*at]).collect::<Vec<_>>());
            let states = self.encoder.forward(&tokens)?;
            let Some(last) = states.last() else { bail!("an encoder without layers") };
            let means = tokens.mean(last, width);
            let features = features(&Tensor::from_vec(means, (part.len(), width), &Device::Cpu)?)?;
            let of = |head: &TunedHead| -> Result<Vec<Vec<f32>>> {
                let (weight, bias) = head.vars(width)?;
                features.matmul(&weight.t()?)?.broadcast_add(&bias)?.to_vec2()
            };
            self.heads.iter().map(of).collect::<Result<Vec<_>>>()
        })?;
        let mut all = vec![vec![Vec::new(); rows.len()]; self.heads.len()];
        for (part, read) in parts.iter().zip(read) {
            for (all, logits) in all.iter_mut().zip(read) {
                part.iter().zip(logits).for_each(|(at, logits)| all[*at] = logits);
            }
        }
        Ok(all)
    }

    /// Puts the averaged weights in place of the last ones, or the other way round.
    pub(super) fn swap_average(&mut self) {
        let mut average = std::mem::take(&mut self.average);
        for (weights, average) in self.learned().into_iter().zip(&mut average) {
            std::mem::swap(weights, average);
        }
        self.average = average;
        self.encoder.refresh();
    }

    /// Returns copies of the averaged weights of the encoder, and of the heads.
    pub(super) fn averaged(&mut self) -> Result<(BTreeMap<String, Tensor>, Vec<TunedHead>)> {
        self.swap_average();
        let found = self.encoder.learned_tensors().map(|all| all.into_iter().collect());
        let heads = self.heads.clone();
        self.swap_average();
        Ok((found?, heads))
    }

    /// Writes what it needs to go on into a checkpoint.
    pub(super) fn save(&mut self, state: &mut Checkpoint) -> Result<()> {
        let tensor = |values: &Vec<f32>| Tensor::new(values.as_slice(), &Device::Cpu);
        state.weights.clear();
        for (index, weights) in self.learned().into_iter().enumerate() {
            state.weights.insert(format!("last.{index}"), tensor(weights)?);
        }
        for (index, weights) in self.average.iter().enumerate() {
            state.weights.insert(format!("average.{index}"), tensor(weights)?);
        }
        state.moments = self.optimiser.moments()?;
        state.steps = self.optimiser.steps;
        Ok(())
    }

    /// Goes on from a checkpoint of the same training.
    pub(super) fn restore(&mut self, state: &Checkpoint) -> Result<()> {
        let mut counts = Vec::new();
        let mut average = std::mem::take(&mut self.average);
        for (index, (last, average)) in self.learned().into_iter().zip(&mut average).enumerate() {
            for (name, weights) in [("last", &mut *last), ("average", average)] {
                match state.weights.get(&format!("{name}.{index}")) {
                    Some(tensor) if tensor.elem_count() == weights.len() => {
                        *weights = tensor.to_vec1()?;
                    }
                    _ => bail!("the checkpoint has no {name}.{index} of {} numbers", weights.len()),
                }
            }
            counts.push(last.len());
        }
        self.average = average;
        self.encoder.refresh();
        self.optimiser.restore(&state.moments, state.steps, &counts)
    }
}

/// The slopes of a step's loss.
struct Slopes {
    means: Vec<f32>,
    /// Weight and bias of each head.
    heads: Vec<Vec<f32>>,
}

/// Returns the cross-entropy of each label on its own, summed.
fn surprise(logits: &[f32], there: &[u32]) -> f64 {
    let each = (0_u32..).zip(sigmoid(logits, 1.0));
    let right = each.map(|(label, p)| if there.contains(&label) { p } else { 1.0 - p });
    -right.map(|p| p.max(1e-12).ln()).sum::<f64>()
}

fn add_all(sum: &mut [Vec<f32>], more: &[Vec<f32>]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| add(sum, more));
}

impl TunedHead {
    /// Returns it as a head on features of length one; `several`: of which a text may have several labels.
    ///
    /// # Errors
    /// When it has not one bias a label.
    pub fn head(&self, name: &str, labels: &[String], several: bool) -> Result<Head> {
        let width = self.weight.len() / self.bias.len().max(1);
        let (weight, bias) = self.vars(width)?;
        if bias.elem_count() != labels.len() {
            bail!("head {name} has {} biases for {} labels", bias.elem_count(), labels.len())
        }
        let weight = (weight.as_tensor().detach() * as_f64(width).sqrt())?;
        let entry = HeadEntry {
            name: name.to_owned(),
            labels: labels.to_vec(),
            view: View::Last,
            temperature: 1.0,
            threshold: several.then_some(0.5),
        };
        Ok(Head { entry, weight, bias: bias.as_tensor().detach() })
    }

    fn vars(&self, width: usize) -> Result<(Var, Var)> {
        let labels = self.bias.len();
        Ok((
            Var::from_slice(&self.weight, (labels, width), &Device::Cpu)?,
            Var::from_slice(&self.bias, labels, &Device::Cpu)?,
        ))
    }
}
