//! What a pass of fine-tuning costs: CPU seconds for the steps alone, and tokens a CPU second.
//!
//! `cargo bench --bench training -- FILE.csv TEXT_COLUMN LABEL_COLUMN [ENCODER]`; without arguments, the
//! intents of the corpus in `models/corpus` on the shipped encoder. `benches/peers/training.py` does the
//! same arithmetic with PyTorch.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop where it stands")]

use std::{collections::BTreeSet, path::Path};

use candle_core::Device;
use evenhand::classifier::{
    find_model, rows,
    train::{
        base::Base,
        finetune::{FinetunePlan, Goal, Material, Pool, Recipe, Target, Task, finetune},
        start::start,
    },
};

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let (file, text, label, encoder) = match given[..] {
        [file, text, label] => (file, text, label, None),
        [file, text, label, encoder] => (file, text, label, Some(Path::new(encoder))),
        _ => ("models/corpus/e.csv", "text", "intent", None),
    };
    let base = match encoder {
        Some(dir) => Base::read(dir, &Device::Cpu).unwrap(),
        None => Base::read(&find_model(None).unwrap(), &Device::Cpu).unwrap(),
    };
    let rows = rows::read(Path::new(file), text, &[label]).unwrap();
    let labels: BTreeSet<&String> = rows.iter().map(|row| &row.values[0]).collect();
    let labels: Vec<&String> = labels.into_iter().collect();
    let target = |row: &rows::Row| {
        let place = labels.iter().position(|label| **label == row.values[0]).unwrap();
        Target::Label(u32::try_from(place).unwrap())
    };
    let mut tasks = [Task::new(Goal::Label(labels.len()), rows.iter().map(target).collect())];
    let texts = rows.iter().map(|row| row.text.as_str());
    let tokens = base.tokens(texts).unwrap();
    let all: Vec<u32> = (0..u32::try_from(rows.len()).unwrap()).collect();
    let heads = start(&base, &tokens, &mut tasks, &all, 1, |_, _| {}).unwrap();
    let pools = [Pool::whole(&all)];
    let material = Material { tokens: &tokens, train: &pools, held_out: &all[..1] };
    let dir = tempfile::tempdir().unwrap();
    let recipe = Recipe { passes: 1, ..Recipe::default() };
    let plan = FinetunePlan {
        recipe,
        seed: 1,
        stop_after: None,
        checkpoint: dir.path().join("checkpoint"),
    };
    let (mut first, mut last) = (None, (0, 0.0));
    finetune(&plan, base, heads, &tasks, material, |progress| {
        let now = cpu_seconds();
        first.get_or_insert((progress.steps.0, now));
        if progress.held_out_loss.is_none() {
            last = (progress.steps.0, now);
        }
    })
    .unwrap();
    let (steps, seconds) = (last.0 - first.unwrap().0, last.1 - first.unwrap().1);
    let tokens: usize = tokens.iter().map(|tokens| tokens.ids().len()).sum();
    let share = steps as f64 / rows.len().div_ceil(32) as f64;
    println!(
        "{} texts, {tokens} tokens, each read twice: {:.1} CPU s a pass, {:.0} tokens a CPU s \
         ({:?})",
        rows.len(),
        seconds / share,
        2.0 * tokens as f64 * share / seconds,
        evenhand_kernels::precision()
    );
}

/// Returns the CPU time of this process, all threads together, as Linux counts it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    // The kernel's clock for user programs ticks a hundred times a second.
    ticks / 100.0
}
