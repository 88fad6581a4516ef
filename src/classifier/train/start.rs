//! Where fine-tuning starts: regressions on the untouched encoder's features.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Result};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    base::Base,
    finetune::{Goal, Target, Task, TunedHead},
    logistic::{Loss, Problem, Solution},
};
use crate::classifier::{
    encoder::Encoder,
    features::{Features, View},
    heads::softmax,
    metrics::as_f64,
    parallel::in_parallel,
    tokenize::Tokens,
};

/// Penalty of a regression on directions of length one, as for one text.
const PENALTY: f64 = 0.1;
/// Parts of the texts; what is said of one part is learned from the others.
const FOLDS: usize = 5;
/// Most texts that a task starts from; more of them move a regression little.
const TEXTS_MAX: usize = 20_000;
/// Makes probabilities of penalised regressions sharper, as held-out texts ask for.
const SHARPEN: f64 = 1.4;

/// Returns a head for each task, and gives each task a teacher: what regressions say of texts that they
/// have not seen. `progress` is told the texts read and all texts.
///
/// # Errors
/// When a tensor operation fails.
pub fn start(
    base: &Base,
    tokens: &[Tokens],
    tasks: &mut [Task],
    train: &[u32],
    seed: u64,
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<TunedHead>> {
    let draws: Vec<Vec<u32>> = tasks.iter().map(|task| draw(task, train, seed)).collect();
    let read: Vec<u32> =
        draws.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let texts: Vec<&Tokens> = read.iter().map(|row| &tokens[*row as usize]).collect();
    let encoder = Encoder::new(base.config.clone(), &base.weights, false)?;
    let mut done = 0;
    let features = Features::encode(&encoder, &texts, &Device::Cpu, |more| {
        done += more;
        progress(done, texts.len());
    })?;
    let last = features.view(View::Last);
    let width = last.dim(1)?;
    let numbers: Vec<f32> = (last * as_f64(width).sqrt())?.flatten_all()?.to_vec1()?;
    let seen = Seen { rows: &read, numbers: &numbers, width };
    let mut heads = Vec::with_capacity(tasks.len());
    for (task, rows) in tasks.iter_mut().zip(draws) {
        // The last regression sees every text and becomes the head.
        let taught = if task.taught { FOLDS } else { 0 };
        let folds: Vec<Option<usize>> = (0..taught).map(Some).chain([None]).collect();
        let mut solved = in_parallel(&folds, |_, fold| {
            let inside = |at: &usize| fold.is_none_or(|fold| at % FOLDS != fold);
            let some: Vec<u32> = (0..rows.len()).filter(inside).map(|at| rows[at]).collect();
            Ok(regress(&seen, task, &some))
        })?;
        let Some(whole) = solved.pop() else { candle_core::bail!("nothing to start from") };
        if task.taught {
            task.teacher = teach(&seen, &rows, &solved);
        }
        heads.push(TunedHead { weight: whole.weight, bias: whole.bias });
    }
    Ok(heads)
}

/// Returns the texts that a task starts from, in seeded order.
fn draw(task: &Task, train: &[u32], seed: u64) -> Vec<u32> {
    let labelled = |row: &&u32| match task.targets[**row as usize] {
        Target::Label(_) | Target::Labels(_) | Target::Number(_) => true,
        // Where a text may have several labels, it may have none.
        Target::Outside => matches!(task.goal, Goal::Labels(_)),
        Target::Unlabelled => false,
    };
    let mut rows: Vec<u32> = train.iter().filter(labelled).copied().collect();
    rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    rows.truncate(TEXTS_MAX);
    rows
}

/// Features of some of the texts.
struct Seen<'a> {
    /// Their rows, rising.
    rows: &'a [u32],
    numbers: &'a [f32],
    width: usize,
}

impl Seen<'_> {
    /// Returns the features of a row; of one that was not read, none.
    fn of(&self, row: u32) -> &[f32] {
        match self.rows.binary_search(&row) {
            Ok(at) => &self.numbers[at * self.width..][..self.width],
            Err(_) => &[],
        }
    }
}

fn regress(seen: &Seen<'_>, task: &Task, rows: &[u32]) -> Solution {
    let width = seen.width;
    let x: Vec<f32> = rows.iter().flat_map(|row| seen.of(*row)).copied().collect();
    let classes = task.goal.outputs();
    let mut wanted = vec![0.0; rows.len() * classes];
    for (row, wanted) in rows.iter().zip(wanted.chunks_mut(classes)) {
        match &task.targets[*row as usize] {
            Target::Number(number) => wanted[0] = *number,
            target => wanted.copy_from_slice(&target.wanted(classes).unwrap_or(vec![0.0; classes])),
        }
    }
    let weights = vec![1.0; rows.len()];
    let problem = Problem {
        x: &x,
        width,
        wanted: &wanted,
        classes,
        weights: &weights,
        loss: match task.goal {
            Goal::Label(_) => Loss::Shares,
            Goal::Labels(_) => Loss::Each,
            Goal::Number => Loss::Squares,
        },
    };
    // Features are longer by the root of the width, so weights are shorter by it.
    let penalty = PENALTY * as_f64(width) / as_f64(rows.len().max(1));
    problem.solve(penalty, &problem.start())
}

/// Returns the probabilities that the regression of a row's fold gives it.
fn teach(seen: &Seen<'_>, rows: &[u32], solved: &[Solution]) -> BTreeMap<u32, Vec<f32>> {
    let shares = |(at, row): (usize, &u32)| {
        let logits = solved[at % FOLDS].logits(seen.of(*row));
        #[expect(clippy::cast_possible_truncation, reason = "shares")]
        let shares = softmax(&logits, 1.0 / SHARPEN).into_iter().map(|x| x as f32).collect();
        (*row, shares)
    };
    rows.iter().enumerate().map(shares).collect()
}
