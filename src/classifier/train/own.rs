//! Trains a model on somebody's own labelled texts.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use candle_core::Device;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    assemble::Parts,
    base::Base,
    finetune::{Target, Task},
    fit::{Examples, FitPlan, Fitted, fit_head, refit_head},
    outside::{ScopeTexts, fit_scope},
};
use crate::{
    classifier::{
        artifact::Artifact,
        evaluate::{HeadReport, Truth, head_report},
        features::{Features, View},
        heads::{Heads, INTENT, SENTIMENT, URGENCY},
        model::{Model, sentiment_of},
    },
    domain::{limits::INTENT_CHARS_MAX, reading::Urgency},
};

/// Share of each label's texts kept for validation when no file of them is given.
const HELD_OUT: f64 = 0.15;
/// Fewest texts with a label of which one is kept.
const HELD_OUT_TEXTS_MIN: usize = 4;
/// Most labels of a head.
const LABELS_MAX: usize = 1000;

/// Texts with one truth for each head.
#[derive(Clone, Debug, Default)]
pub struct Labelled {
    /// The texts; none is empty.
    pub texts: Vec<String>,
    /// The line of its file on which each starts, from 1.
    pub lines: Vec<u64>,
    /// By head, one a text.
    pub truth: BTreeMap<String, Vec<Truth>>,
    /// Values to measure by, one a text or none at all.
    pub segments: Vec<String>,
    /// Ratings of the sentiment, of any scale, one a text or none at all.
    pub ratings: Vec<Option<f64>>,
}

/// Why labels cannot be trained on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// A head needs something to tell apart.
    #[error("head {head} has {labels} labels in the training part; allowed are 2 to {LABELS_MAX}")]
    Count {
        /// The head.
        head: String,
        /// Its labels.
        labels: usize,
    },
    /// A label that readings cannot carry.
    #[error("head {head} has the label {label:?}; allowed are {allowed}")]
    Label {
        /// The head.
        head: String,
        /// The label.
        label: String,
        /// What is allowed.
        allowed: String,
    },
    /// Too little is left to measure on.
    #[error("head {head} has no validation texts; give --validation, or more texts for each label")]
    NothingHeldOut {
        /// The head.
        head: String,
    },
}

/// What is trained.
#[derive(Clone, Debug)]
pub struct OwnPlan {
    /// Name of the model.
    pub name: String,
    /// Where it will lie.
    pub dir: PathBuf,
    /// Seed of every draw.
    pub seed: u64,
}

/// A trained model, not yet written, and how well each head does on the validation part.
pub struct Trained {
    /// The model.
    pub artifact: Artifact,
    /// Measures by head.
    pub reports: BTreeMap<String, HeadReport>,
}

/// Splits off a validation part: of each label of the first head, the same share; equal texts stay
/// together.
#[must_use]
pub fn split(all: &Labelled, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let mut groups: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (row, text) in (0_u32..).zip(&all.texts) {
        groups.entry(text.trim().to_lowercase()).or_default().push(row);
    }
    let first = all.truth.values().next();
    let label = |row: u32| {
        let truth = first.and_then(|truth| truth.get(usize::try_from(row).ok()?));
        match truth {
            Some(Truth::Label(label)) => Some(label.clone()),
            _ => None,
        }
    };
    let mut strata: BTreeMap<Option<String>, Vec<Vec<u32>>> = BTreeMap::new();
    for rows in groups.into_values() {
        strata.entry(label(rows[0])).or_default().push(rows);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    for mut stratum in strata.into_values() {
        stratum.shuffle(&mut rng);
        let least = usize::from(stratum.len() >= HELD_OUT_TEXTS_MIN);
        let share = crate::classifier::metrics::as_f64(stratum.len()) * HELD_OUT;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small share"
        )]
        let kept = (share.round() as usize).max(least);
        held_out.extend(stratum[..kept].concat());
        train.extend(stratum[kept..].concat());
    }
    train.sort_unstable();
    held_out.sort_unstable();
    (train, held_out)
}

/// Fits heads to the labels of `train` on frozen features, and measures on `held_out`. With
/// `refit`, the heads then learn from both.
///
/// `inherited` are heads of the same encoder that stay as they are unless trained here.
///
/// # Errors
/// [`LabelsError`], or what else failed.
pub fn train(
    plan: &OwnPlan,
    base: Base,
    inherited: Heads,
    all: &Labelled,
    (train, held_out): (&[u32], &[u32]),
    refit: bool,
    progress: impl FnMut(usize, usize),
) -> anyhow::Result<Trained> {
    let parts = Parts::new(base, &Device::Cpu)?;
    let names: BTreeMap<&String, Vec<String>> = all
        .truth
        .iter()
        .map(|(head, truth)| Ok((head, labels(head, truth, train)?)))
        .collect::<Result<_, LabelsError>>()?;
    let features = parts.encode(all.texts.iter().map(String::as_str), progress)?;
    let mut heads = inherited;
    let mut chosen = BTreeMap::new();
    for (head, labels) in &names {
        let fitted = fit_one(plan, &features, all, head, labels, train, held_out)?;
        heads.add(fitted.head.clone());
        chosen.insert(*head, fitted);
    }
    if let Some(labels) = names.get(&INTENT.to_owned()) {
        heads.scope = Some(scope(plan, &heads, &features, all, labels, (train, held_out))?);
    }
    if names.contains_key(&SENTIMENT.to_owned()) {
        heads.grade = None;
    }
    let reports = measure(&heads, &features, all, held_out)?;
    if refit {
        let both: Vec<u32> = train.iter().chain(held_out).copied().collect();
        for (head, fitted) in &chosen {
            let labels = &names[*head];
            let fit_plan = fit_plan(plan, head, labels);
            heads.add(refit_head(
                &fit_plan,
                &examples(&features, all, head, labels, &both),
                fitted,
            )?);
        }
    }
    let manifest =
        parts.manifest(&plan.name, "1", "Trained on a workspace's own labelled tickets.");
    let artifact = parts.artifact(plan.dir.clone(), manifest, &heads)?;
    Ok(Trained { artifact, reports })
}

const VIEWS: [View; 2] = [View::Last, View::Layers];

fn fit_plan<'a>(plan: &OwnPlan, head: &'a str, labels: &'a [String]) -> FitPlan<'a> {
    FitPlan { name: head, labels, views: &VIEWS, seed: plan.seed }
}

fn fit_one(
    plan: &OwnPlan,
    features: &Features,
    all: &Labelled,
    head: &str,
    labels: &[String],
    train: &[u32],
    held_out: &[u32],
) -> anyhow::Result<Fitted> {
    let held_out = examples(features, all, head, labels, held_out);
    if held_out.rows.is_empty() {
        return Err(LabelsError::NothingHeldOut { head: head.to_owned() }.into());
    }
    let train = examples(features, all, head, labels, train);
    Ok(fit_head(&fit_plan(plan, head, labels), &train, &held_out)?)
}

fn scope(
    plan: &OwnPlan,
    heads: &Heads,
    features: &Features,
    all: &Labelled,
    labels: &[String],
    (train, held_out): (&[u32], &[u32]),
) -> anyhow::Result<crate::classifier::scope::Scope> {
    let Some(intent) = heads.by_name.get(INTENT) else { anyhow::bail!("no intent head") };
    let truth = &all.truth[INTENT];
    let is_outside = |row: &&u32| at(truth, **row) == Some(&Truth::OutOfScope);
    let outside: Vec<u32> = train.iter().filter(is_outside).copied().collect();
    let outside = Examples::new(features, outside, Vec::new());
    let inside = examples(features, all, INTENT, labels, train);
    let inside_held_out = examples(features, all, INTENT, labels, held_out);
    let texts =
        ScopeTexts { inside: &inside, outside: &outside, inside_held_out: &inside_held_out };
    Ok(fit_scope(intent, &texts, plan.seed)?)
}

fn at(truth: &[Truth], row: u32) -> Option<&Truth> {
    truth.get(usize::try_from(row).ok()?)
}

fn examples<'a>(
    features: &'a Features,
    all: &Labelled,
    head: &str,
    labels: &[String],
    rows: &[u32],
) -> Examples<'a> {
    let truth = all.truth.get(head).map(Vec::as_slice).unwrap_or_default();
    let labelled = rows.iter().filter_map(|row| {
        let Some(Truth::Label(label)) = at(truth, *row) else { return None };
        let place = labels.iter().position(|known| known == label)?;
        Some((*row, u32::try_from(place).ok()?))
    });
    let (rows, labels) = labelled.unzip();
    Examples::new(features, rows, labels)
}

/// Measures the trained heads on some rows.
fn measure(
    heads: &Heads,
    features: &Features,
    all: &Labelled,
    rows: &[u32],
) -> candle_core::Result<BTreeMap<String, HeadReport>> {
    let predictions = heads.predict(&features.select(rows)?)?;
    let mut reports = BTreeMap::new();
    for (head, truth) in &all.truth {
        let truth: Vec<Truth> = rows.iter().filter_map(|row| at(truth, *row).cloned()).collect();
        if let Some(report) = head_report(heads, head, &predictions, &truth) {
            reports.insert(head.clone(), report);
        }
    }
    Ok(reports)
}

/// Returns the labels of a head in the training part, checked.
fn labels(head: &str, truth: &[Truth], train: &[u32]) -> Result<Vec<String>, LabelsError> {
    let labels: BTreeSet<&String> = train
        .iter()
        .filter_map(|row| match at(truth, *row) {
            Some(Truth::Label(label)) => Some(label),
            _ => None,
        })
        .collect();
    if !(2..=LABELS_MAX).contains(&labels.len()) {
        return Err(LabelsError::Count { head: head.to_owned(), labels: labels.len() });
    }
    for label in &labels {
        let allowed = match head {
            SENTIMENT if sentiment_of(label).is_none() => {
                "very_negative, negative, neutral, positive, very_positive".to_owned()
            }
            URGENCY if Urgency::ALL.iter().all(|level| level.label() != label.as_str()) => {
                "low, normal, high, critical".to_owned()
            }
            _ if label.chars().count() > INTENT_CHARS_MAX => {
                format!("labels of at most {INTENT_CHARS_MAX} characters")
            }
            _ => continue,
        };
        let (head, label) = (head.to_owned(), (*label).clone());
        return Err(LabelsError::Label { head, label, allowed });
    }
    Ok(labels.into_iter().cloned().collect())
}

/// Returns what each head has to learn in fine-tuning, in the order of the heads.
///
/// # Errors
/// [`LabelsError`] when labels cannot be trained on.
pub fn tasks(all: &Labelled, train: &[u32]) -> Result<Vec<Task>, LabelsError> {
    let mut tasks = Vec::new();
    for (head, truth) in &all.truth {
        let labels = labels(head, truth, train)?;
        let target = |truth: &Truth| match truth {
            Truth::OutOfScope => Target::Outside,
            Truth::Label(label) => labels
                .iter()
                .position(|known| known == label)
                .and_then(|place| u32::try_from(place).ok())
                .map_or(Target::Unlabelled, Target::Label),
            Truth::Unlabelled => Target::Unlabelled,
        };
        tasks.push(Task { labels: labels.len(), targets: truth.iter().map(target).collect() });
    }
    Ok(tasks)
}

/// Loads a model's heads for a model trained on the same encoder.
///
/// # Errors
/// When the model cannot be loaded.
pub fn inherit(artifact: &Artifact) -> anyhow::Result<Heads> {
    Ok(Model::from_artifact(artifact)?.heads)
}
