//! What fine-tuning makes small: the losses of all tasks on the readings of some texts.

use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::ops::log_softmax;

use super::{
    finetune::{Goal, Recipe, Target, Task},
    losses::{
        contrast, cross_entropy, cross_entropy_each, disagreement, disagreement_each, square_error,
    },
};
use crate::classifier::{encoder::normalised, metrics::as_f64};

/// Readings of a text in a step.
pub(super) const READINGS: usize = 2;
/// How much a text that no label fits counts beside one that has a label.
const OUTSIDE_WEIGHT: f32 = 0.5;

/// The tasks and how they are weighed.
#[derive(Clone, Copy)]
pub(super) struct Objective<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) tasks: &'a [Task],
}

impl Objective<'_> {
    /// Returns the mean loss of the tasks that some of the texts are labelled for.
    pub(super) fn loss(
        &self,
        rows: &[u32],
        means: &Var,
        heads: &[(Var, Var)],
    ) -> Result<Option<Tensor>> {
        let features = features(means)?;
        let mut losses = Vec::new();
        for (task, (weight, bias)) in self.tasks.iter().zip(heads) {
            let logits = features.matmul(&weight.t()?)?.broadcast_add(bias)?;
            let loss = match task.goal {
                Goal::Label(labels) => self.label_loss(task, labels, rows, &features, &logits)?,
                Goal::Labels(labels) => self.labels_loss(task, labels, rows, &logits)?,
                Goal::Number => square_error(&logits.squeeze(1)?, &numbers(task, rows))?,
            };
            if let Some(loss) = loss {
                losses.push((loss * task.weight)?);
            }
        }
        if losses.is_empty() { Ok(None) } else { Tensor::stack(&losses, 0)?.sum_all().map(Some) }
    }

    fn label_loss(
        &self,
        task: &Task,
        labels: usize,
        rows: &[u32],
        features: &Tensor,
        logits: &Tensor,
    ) -> Result<Option<Tensor>> {
        let log_probabilities = log_softmax(logits, D::Minus1)?;
        let wanted = vec![self.wanted(task, labels, rows); READINGS].concat();
        let Some(mut loss) = cross_entropy(&log_probabilities, &wanted, &Device::Cpu)? else {
            return Ok(None);
        };
        let counts: Vec<f32> =
            wanted.chunks(labels).map(|shares| shares.iter().sum::<f32>().min(1.0)).collect();
        let apart = disagreement(&log_probabilities, &counts[..rows.len()])?;
        loss = (loss + (apart * self.recipe.agreement)?)?;
        if self.recipe.contrast > 0.0 {
            let labels: Vec<Option<u32>> =
                rows.iter().map(|row| task.targets[*row as usize].label()).collect();
            if let Some(apart) = contrast(features, &vec![labels; READINGS].concat())? {
                loss = (loss + (apart * self.recipe.contrast)?)?;
            }
        }
        Ok(Some(loss))
    }

    fn labels_loss(
        &self,
        task: &Task,
        labels: usize,
        rows: &[u32],
        logits: &Tensor,
    ) -> Result<Option<Tensor>> {
        let wanted: Vec<Option<Vec<f32>>> =
            rows.iter().map(|row| task.targets[*row as usize].wanted(labels)).collect();
        let counts: Vec<f32> =
            wanted.iter().map(|wanted| if wanted.is_some() { 1.0 } else { 0.0 }).collect();
        let wanted: Vec<f32> =
            wanted.into_iter().flat_map(|wanted| wanted.unwrap_or(vec![0.0; labels])).collect();
        let both = vec![wanted; READINGS].concat();
        let Some(loss) =
            cross_entropy_each(logits, &both, &vec![counts.clone(); READINGS].concat())?
        else {
            return Ok(None);
        };
        let apart = disagreement_each(logits, &counts)?;
        (loss + (apart * self.recipe.agreement)?).map(Some)
    }

    /// Returns the shares that a task wants of some texts, rows by labels.
    fn wanted(&self, task: &Task, labels: usize, rows: &[u32]) -> Vec<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "a share")]
        let (even, trust) = ((1.0 / as_f64(labels)) as f32, self.recipe.teacher as f32);
        let mut wanted = vec![0.0; rows.len() * labels];
        for (row, shares) in rows.iter().zip(wanted.chunks_mut(labels)) {
            match &task.targets[*row as usize] {
                Target::Unlabelled | Target::Labels(_) | Target::Number(_) => {}
                Target::Outside => shares.fill(OUTSIDE_WEIGHT * even),
                Target::Label(label) => {
                    shares[*label as usize] = 1.0;
                    if let Some(teacher) = task.teacher.get(row) {
                        for (share, taught) in shares.iter_mut().zip(teacher) {
                            *share += trust * (taught - *share);
                        }
                    }
                }
            }
        }
        wanted
    }
}

/// Returns what heads see while they learn: directions, of length `√width` so that weights have ordinary
/// sizes.
pub(super) fn features(means: &Tensor) -> Result<Tensor> {
    normalised(means)? * as_f64(means.dim(1)?).sqrt()
}

/// Returns the numbers that a task wants of both readings of some texts.
fn numbers(task: &Task, rows: &[u32]) -> Vec<Option<f32>> {
    let wanted = rows.iter().map(|row| match task.targets[*row as usize] {
        Target::Number(number) => Some(number),
        Target::Unlabelled | Target::Outside | Target::Label(_) | Target::Labels(_) => None,
    });
    vec![wanted.collect::<Vec<_>>(); READINGS].concat()
}
