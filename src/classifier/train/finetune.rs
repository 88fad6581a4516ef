//! Full fine-tuning: the encoder learns from the labels too.
//!
//! All heads learn in one pass of the encoder, from where a regression on the untouched encoder's features
//! has brought them, and are held close to what such a regression says of texts that it has not seen. What
//! is kept is the running mean of the weights, after the best pass over the texts by held-out loss.

use std::{collections::BTreeMap, path::PathBuf};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

pub use super::tuner::TunedHead;
use super::{base::Base, checkpoint::Checkpoint, tuner::Tuner};
use crate::classifier::{metrics::as_f64, tokenize::Tokens};

/// Texts of a step.
const STEP_TEXTS: usize = 32;
/// Steps whose texts are sorted by length together, so that shards are alike.
const SORTED_STEPS: usize = 16;
/// Share of all steps in which the learning rate rises.
const WARM_UP: f64 = 0.06;
/// Passes without a better held-out loss after which it ends.
const PATIENCE: usize = 3;
/// Fewest steps: with few texts there are more passes.
const STEPS_MIN: usize = 240;
/// Fewest steps of a pass: fewer texts are seen more than once, so that measuring and saving stay rare.
const PASS_STEPS_MIN: usize = 24;

/// What is done to the weights. The defaults won on validation parts; models/README.md has the figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Most passes over the texts, unless there are few.
    pub passes: usize,
    /// Highest learning rate of the encoder.
    pub rate: f64,
    /// Share of numbers dropped.
    pub dropout: f64,
    /// How much two readings of a text are to agree.
    pub agreement: f64,
    /// How much texts of one label are to lie together.
    pub contrast: f64,
    /// Share of the teacher in what is wanted of a text.
    pub teacher: f64,
    /// Share of all steps that the running mean of weights reaches back over.
    pub averaging: f64,
}

impl Recipe {
    /// Returns what suits few texts a label: regressions on them are poor teachers, and texts of one label
    /// are pulled together instead.
    #[must_use]
    pub fn for_few() -> Self {
        Self { contrast: 0.5, teacher: 0.0, ..Self::default() }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            passes: 6,
            rate: 1e-4,
            dropout: 0.1,
            agreement: 1.0,
            contrast: 0.0,
            teacher: 0.5,
            averaging: 0.2,
        }
    }
}

/// How it is done.
#[derive(Clone, Debug)]
pub struct FinetunePlan {
    /// What is done to the weights.
    pub recipe: Recipe,
    /// Seed of the order of texts and of what is dropped.
    pub seed: u64,
    /// Ends after so many passes, without measuring; `None`: the best pass by held-out loss wins.
    pub stop_after: Option<usize>,
    /// Where it can go on after an interruption.
    pub checkpoint: PathBuf,
}

/// What one head learns.
#[derive(Clone, Debug)]
pub struct Task {
    /// What it says of a text.
    pub goal: Goal,
    /// One a text.
    pub targets: Vec<Target>,
    /// How much its loss counts beside those of the others.
    pub weight: f64,
    /// Whether it is held close to a teacher.
    pub taught: bool,
    /// Shares of the labels that a teacher gives some texts, by row; [`super::start`] makes them.
    pub teacher: BTreeMap<u32, Vec<f32>>,
}

impl Task {
    /// Returns a task of full weight, with a teacher to come.
    #[must_use]
    pub fn new(goal: Goal, targets: Vec<Target>) -> Self {
        Self { goal, targets, weight: 1.0, taught: true, teacher: BTreeMap::new() }
    }
}

/// What a head says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// One of so many labels.
    Label(usize),
    /// Some of so many labels, or none.
    Labels(usize),
    /// A number.
    Number,
}

impl Goal {
    /// Returns the rows of the head's weight.
    #[must_use]
    pub fn outputs(self) -> usize {
        match self {
            Self::Label(labels) | Self::Labels(labels) => labels,
            Self::Number => 1,
        }
    }
}

/// What a head learns from a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Nothing.
    Unlabelled,
    /// All labels are equally wrong.
    Outside,
    /// This label.
    Label(u32),
    /// These labels and no others.
    Labels(Vec<u32>),
    /// This number.
    Number(f32),
}

impl Target {
    /// Returns the label, when there is exactly one.
    #[must_use]
    pub fn label(&self) -> Option<u32> {
        match self {
            Self::Label(label) => Some(*label),
            Self::Unlabelled | Self::Outside | Self::Labels(_) | Self::Number(_) => None,
        }
    }

    /// Returns whether each label is there, one or zero; `None` for a text that has no say in them.
    #[must_use]
    pub fn wanted(&self, labels: usize) -> Option<Vec<f32>> {
        let there = match self {
            Self::Unlabelled | Self::Number(_) => return None,
            Self::Outside => &[],
            Self::Label(label) => std::slice::from_ref(label),
            Self::Labels(labels) => labels.as_slice(),
        };
        let mut wanted = vec![0.0; labels];
        there.iter().for_each(|label| wanted[*label as usize] = 1.0);
        Some(wanted)
    }
}

/// What is told on the way.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done and all steps.
    pub steps: (usize, usize),
    /// Least held-out loss so far; `None` before the first measurement.
    pub held_out_loss: Option<f64>,
}

/// An encoder and the heads that learned with it.
pub struct Finetuned {
    /// The encoder.
    pub base: Base,
    /// One head for each task.
    pub heads: Vec<TunedHead>,
    /// Passes over the texts that made them.
    pub passes: usize,
}

/// Texts of one kind, of which each pass sees so many.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Their rows.
    pub rows: Vec<u32>,
    /// How many a pass sees: a fresh draw, or some of them more than once.
    pub texts_a_pass: usize,
}

impl Pool {
    /// Returns a pool that each pass sees once.
    #[must_use]
    pub fn whole(rows: &[u32]) -> Self {
        Self { rows: rows.to_vec(), texts_a_pass: rows.len() }
    }
}

/// The texts, as tokens, and which of them teach and which measure.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// All texts.
    pub tokens: &'a [Tokens],
    /// Rows that teach.
    pub train: &'a [Pool],
    /// Rows that say which pass was best.
    pub held_out: &'a [u32],
}

/// Fine-tunes an encoder, starting from one head for each task.
///
/// # Errors
/// When a tensor operation fails or the checkpoint cannot be written or does not fit.
pub fn finetune(
    plan: &FinetunePlan,
    base: Base,
    heads: Vec<TunedHead>,
    tasks: &[Task],
    material: Material<'_>,
    mut progress: impl FnMut(Progress),
) -> anyhow::Result<Finetuned> {
    evenhand_kernels::memory::keep_freed_blocks();
    let texts_a_pass: usize = material.train.iter().map(|pool| pool.texts_a_pass).sum();
    let rounds = PASS_STEPS_MIN.div_ceil(texts_a_pass.div_ceil(STEP_TEXTS).max(1));
    let steps_a_pass = (texts_a_pass * rounds).div_ceil(STEP_TEXTS).max(1);
    let passes = plan.recipe.passes.max(STEPS_MIN.div_ceil(steps_a_pass));
    let all_steps = steps_a_pass * passes;
    let fingerprint = fingerprint(plan, &base, (&heads, tasks), material);
    let mut state = Checkpoint::read(&plan.checkpoint, &fingerprint)?.unwrap_or_default();
    let mut tuner =
        Tuner::new(&plan.recipe, &base, heads, tasks, material.tokens, (plan.seed, all_steps))?;
    if state.passes > 0 {
        tuner.restore(&state)?;
    }
    let last = plan.stop_after.unwrap_or(passes).min(passes);
    while state.passes < last && state.passes < state.best_pass + PATIENCE {
        let order = order(material, rounds, plan.seed, state.passes);
        for (index, rows) in order.iter().enumerate() {
            let step = state.passes * steps_a_pass + index;
            tuner.step(rows, plan.recipe.rate * rate_at(step, all_steps), step as u64)?;
            progress(Progress { steps: (step + 1, all_steps), held_out_loss: state.best_loss });
        }
        state.passes += 1;
        let loss = match plan.stop_after {
            None => Some(tuner.held_out_loss(material.held_out)?),
            Some(_) => None,
        };
        if loss.is_none_or(|loss| state.best_loss.is_none_or(|best| loss < best)) {
            (state.best_pass, state.best_loss) = (state.passes, loss);
            let (weights, heads) = tuner.averaged()?;
            state.best = weights;
            state.best_heads = heads;
        }
        tuner.save(&mut state)?;
        state.write(&plan.checkpoint, &fingerprint)?;
        progress(Progress {
            steps: (state.passes * steps_a_pass, all_steps),
            held_out_loss: state.best_loss,
        });
    }
    let mut weights = base.weights;
    weights.extend(state.best);
    Checkpoint::remove(&plan.checkpoint)?;
    Ok(Finetuned {
        base: Base { weights, file: None, ..base },
        heads: state.best_heads,
        passes: state.best_pass,
    })
}

/// Returns the share of the highest learning rate at a step: up on a line, then down to zero.
fn rate_at(step: usize, all: usize) -> f64 {
    let done = as_f64(step + 1) / as_f64(all.max(1));
    if done < WARM_UP { done / WARM_UP } else { (1.0 - done) / (1.0 - WARM_UP) }
}

/// Returns the steps of a pass: texts shuffled, then those of neighbouring steps sorted by length.
fn order(material: Material<'_>, rounds: usize, seed: u64, pass: usize) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64((seed << 16).wrapping_add(pass as u64));
    let mut rows = Vec::new();
    for pool in material.train {
        let mut left = pool.texts_a_pass * rounds;
        while left > 0 && !pool.rows.is_empty() {
            let mut draw = pool.rows.clone();
            draw.shuffle(&mut rng);
            draw.truncate(left);
            left -= draw.len();
            rows.extend(draw);
        }
    }
    rows.shuffle(&mut rng);
    for part in rows.chunks_mut(STEP_TEXTS * SORTED_STEPS) {
        part.sort_by_key(|row| material.tokens[*row as usize].ids().len());
    }
    let mut steps: Vec<Vec<u32>> = rows.chunks(STEP_TEXTS).map(<[u32]>::to_vec).collect();
    steps.shuffle(&mut rng);
    steps
}

/// Returns a word for what is trained: a checkpoint of anything else does not fit.
fn fingerprint(
    plan: &FinetunePlan,
    base: &Base,
    (heads, tasks): (&[TunedHead], &[Task]),
    material: Material<'_>,
) -> String {
    let mut hash = Sha256::new();
    for tokens in material.tokens {
        tokens.ids().iter().for_each(|id| hash.update(id.to_le_bytes()));
        hash.update([0; 4]);
    }
    for pool in material.train {
        hash.update(pool.texts_a_pass.to_le_bytes());
    }
    let pools = material.train.iter().map(|pool| pool.rows.as_slice());
    for rows in pools.chain([material.held_out]) {
        rows.iter().for_each(|row| hash.update(row.to_le_bytes()));
        hash.update([0xff; 4]);
    }
    // The heads that it starts from also tell one encoder from another.
    for number in heads.iter().flat_map(|head| head.weight.iter().chain(&head.bias)) {
        hash.update(number.to_le_bytes());
    }
    for task in tasks {
        hash.update(format!("{:?} {} {}", task.goal, task.weight, task.taught));
        task.targets.iter().for_each(|target| hash.update(format!("{target:?}")));
    }
    hash.update(format!("{:?} {:?} {} {:?}", plan.recipe, base.config, plan.seed, plan.stop_after));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
