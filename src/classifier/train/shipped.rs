//! Trains the shipped model: encoder and heads, from the sets in [`super::sources`].

use std::{collections::BTreeSet, path::PathBuf};

use candle_core::Device;

use super::{
    assemble::Parts,
    base::Base,
    finetune::{
        FinetunePlan, Goal, Material, Pool, Progress, Recipe, Target, Task, TunedHead, finetune,
    },
    fit::{Examples, calibrated},
    outside::{ScopeTexts, fit_scope},
    own::Stage,
    sources::{self, Sample},
    start::start,
    steadiness,
};
use crate::{
    classifier::{
        artifact::{Artifact, DataEntry, ScoreEntry},
        features::Features,
        heads::{Grade, Head, Heads, INTENT, SENTIMENT, URGENCY},
        metrics::{as_f64, auroc, head_metrics, ratio},
        model::Model,
        scope::Scope,
    },
    domain::reading::{Sentiment, Urgency},
};

/// Name and version of the model.
const NAME: (&str, &str) = ("support", "2.1.0");
/// What it is, for people.
const DESCRIPTION: &str =
    "Intent, sentiment, urgency and scope of customer-support tickets in English.";
/// Passes over the pools.
const PASSES: usize = 2;
/// Highest learning rate: lower than from an untouched encoder, for it goes on from the version before.
const RATE: f64 = 6e-5;
/// How much a ticket of the corpus counts beside a text of a public set when confidence is fitted: there
/// are few, and they are what real tickets look like.
const CORPUS_WEIGHT: f32 = 4.0;

/// Where things lie.
#[derive(Clone, Debug)]
pub struct ShippedPlan {
    /// Folder of public data sets.
    pub data_dir: PathBuf,
    /// Folder of the tickets written for this project.
    pub corpus_dir: PathBuf,
    /// Seed of every draw.
    pub seed: u64,
}

/// A set, its licence, what it is used for, and how many of its texts a pass sees for each it has.
type Set = (&'static str, &'static str, &'static str, f64);

/// Licences of the tickets and of the lists of names.
const VARIANTS_LICENCE: &str =
    "MIT OR Apache-2.0 (this project); names of BBQ CC BY 4.0, of WEAT lists facts from a paper";

/// What the model learns from. Large sets of other kinds of text are thinned, so that they do not drown
/// the tickets.
const SETS: &[Set] = &[
    ("corpus", "MIT OR Apache-2.0 (this project)", "intent, scope, sentiment, urgency", 1.0),
    ("corpus_variants", VARIANTS_LICENCE, "the same, signed with names and in other tones", 0.5),
    ("bitext_support", "CDLA-Sharing-1.0", "intent; plain requests as neutral sentiment", 0.1),
    ("banking77", "CC BY 4.0", "its own intents; ours, where the meaning is equal", 0.25),
    ("clinc150", "CC BY 3.0", "its own intents; out-of-scope; ours, where equal", 0.25),
    ("hwu64", "CC BY 4.0", "its own intents; out-of-scope", 0.25),
    ("multidogo", "CDLA-Permissive-1.0", "intent, where the meaning is equal; out-of-scope", 0.5),
    ("sst5", "none stated where found", "sentiment", 1.0),
    ("sst5_phrases", "none stated where found", "sentiment", 0.35),
    ("uci_sentences", "none stated where found", "sentiment", 1.0),
    ("vader_amazon", "MIT", "sentiment", 2.0),
    ("vader_tweets", "MIT", "sentiment", 2.0),
    ("vader_nyt", "MIT", "sentiment", 0.5),
    ("goemotions", "Apache-2.0 (data CC BY 4.0)", "sentiment", 0.1),
];

/// Sets whose own taxonomies the encoder learns beside ours.
const OWN_TAXONOMIES: [&str; 3] = ["banking77", "clinc150", "hwu64"];

/// Reads the sets, trains encoder and heads, and returns the model ready to be written.
///
/// # Errors
/// Names the file that cannot be read, or what else failed.
pub fn train(
    plan: &ShippedPlan,
    base: Base,
    dir: PathBuf,
    mut progress: impl FnMut(Stage),
) -> anyhow::Result<Artifact> {
    let samples = sources::read(&plan.data_dir, &plan.corpus_dir, plan.seed)?;
    let texts = || samples.iter().map(|sample| sample.text.as_str());
    let tokens = base.tokens(texts())?;
    let lessons = Lessons::new(&samples);
    let mut tasks = lessons.tasks();
    let rows = |held_out: bool| -> Vec<u32> {
        let rows = (0_u32..).zip(&samples).filter(|(_, sample)| sample.held_out == held_out);
        rows.map(|(row, _)| row).collect()
    };
    let (train, held_out) = (rows(false), rows(true));
    let read = |done, all| progress(Stage::Reading(done, all));
    let start_heads = start(&base, &tokens, &mut tasks, &train, plan.seed, read)?;
    let material = Material { tokens: &tokens, train: &lessons.pools(), held_out: &held_out };
    let recipe = Recipe { passes: PASSES, rate: RATE, ..Recipe::default() };
    let tuning = FinetunePlan {
        recipe,
        seed: plan.seed,
        stop_after: None,
        checkpoint: dir.join("checkpoint"),
    };
    let report = |of: Progress| progress(Stage::Learning(of));
    let tuned = finetune(&tuning, base, start_heads, &tasks, material, report)?;
    let parts = Parts::new(tuned.base, &Device::Cpu)?;
    // Texts that only taught mood, or stand here in other words, are not needed again.
    let fitted = |s: &&Sample| {
        s.held_out || (s.set != "corpus_variants" && (s.intent.is_some() || s.outside))
    };
    let some: Vec<Sample> = samples.iter().filter(fitted).cloned().collect();
    let texts = some.iter().map(|sample| sample.text.as_str());
    let features = parts.encode(texts, |done, all| progress(Stage::Reading(done, all)))?;
    let fitting = Fitting { samples: &some, features: &features, seed: plan.seed };
    let heads = fitting.heads(&lessons, &tuned.heads)?;
    let mut manifest = parts.manifest(NAME.0, NAME.1, DESCRIPTION);
    manifest.data = data(&samples);
    let mut artifact = parts.artifact(dir, manifest, &heads)?;
    // Measured on the heads as they are read back.
    let heads = Model::from_artifact(&artifact)?.heads;
    let names = sources::names(&plan.data_dir)?;
    artifact.manifest.scores = fitting.measure(&heads)?;
    artifact.manifest.scores.extend(steadiness::scores(
        &parts,
        &heads,
        &samples,
        (&names, plan.seed),
    )?);
    Ok(artifact)
}

/// What there is to learn.
struct Lessons<'a> {
    samples: &'a [Sample],
    intents: Vec<String>,
}

impl<'a> Lessons<'a> {
    fn new(samples: &'a [Sample]) -> Self {
        let intents: BTreeSet<String> =
            samples.iter().filter_map(|sample| sample.intent.clone()).collect();
        Self { samples, intents: intents.into_iter().collect() }
    }

    /// Returns the heads of the model and their labels, in the order of the tasks.
    fn heads(&self) -> [(&'static str, Vec<String>); 3] {
        [
            (INTENT, self.intents.clone()),
            (SENTIMENT, Sentiment::ALL.map(|s| s.label().to_owned()).to_vec()),
            (URGENCY, Urgency::ALL.map(|u| u.label().to_owned()).to_vec()),
        ]
    }

    /// Returns the tasks: the heads, then the graded sentiment, then other taxonomies.
    fn tasks(&self) -> Vec<Task> {
        let mut tasks: Vec<Task> = self
            .heads()
            .iter()
            .map(|(name, labels)| {
                // What regressions say is no example to follow: the encoder has seen the texts before.
                Task { taught: false, ..self.task(labels, |sample| label_of(sample, name)) }
            })
            .collect();
        let grades = self.samples.iter().map(|sample| match sample.grade {
            Some(grade) => Target::Number(grade),
            None => Target::Unlabelled,
        });
        // Grades run from -1 to 1, so their squares are small.
        let grade = Task::new(Goal::Number, grades.collect());
        tasks.push(Task { weight: 8.0, taught: false, ..grade });
        for set in OWN_TAXONOMIES {
            let of = |sample: &'a Sample| sample.own_label.as_deref().filter(|_| sample.set == set);
            let labels: BTreeSet<&str> = self.samples.iter().filter_map(of).collect();
            let labels: Vec<String> = labels.into_iter().map(str::to_owned).collect();
            tasks.push(Task { weight: 0.5, taught: false, ..self.task(&labels, of) });
        }
        tasks
    }

    fn task(&self, labels: &[String], of: impl Fn(&'a Sample) -> Option<&'a str>) -> Task {
        let target = |sample: &'a Sample| {
            let place = of(sample).and_then(|label| labels.iter().position(|l| l == label));
            match place.and_then(|place| u32::try_from(place).ok()) {
                Some(label) => Target::Label(label),
                None => Target::Unlabelled,
            }
        };
        Task::new(Goal::Label(labels.len()), self.samples.iter().map(target).collect())
    }

    fn pools(&self) -> Vec<Pool> {
        SETS.iter()
            .map(|(set, _, _, share)| {
                let rows = (0_u32..).zip(self.samples);
                let rows = rows.filter(|(_, sample)| sample.set == *set && !sample.held_out);
                let rows: Vec<u32> = rows.map(|(row, _)| row).collect();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a count of texts"
                )]
                let texts_a_pass = (as_f64(rows.len()) * share) as usize;
                Pool { rows, texts_a_pass }
            })
            .collect()
    }
}

/// Returns the sets and how many of their texts teach.
fn data(samples: &[Sample]) -> Vec<DataEntry> {
    let rows = |set: &str| samples.iter().filter(|s| s.set == set && !s.held_out).count();
    let entry = |(name, licence, use_for, _): &Set| DataEntry {
        name: (*name).to_owned(),
        licence: (*licence).to_owned(),
        rows: rows(name),
        use_for: (*use_for).to_owned(),
    };
    SETS.iter().map(entry).collect()
}

struct Fitting<'a> {
    samples: &'a [Sample],
    features: &'a Features,
    seed: u64,
}

impl Fitting<'_> {
    /// Calibrates what was learned, and fits the scope to it.
    fn heads(&self, lessons: &Lessons<'_>, tuned: &[TunedHead]) -> candle_core::Result<Heads> {
        let mut heads = Heads::default();
        for ((name, labels), tuned) in lessons.heads().iter().zip(tuned) {
            let held_out = self.examples(true, labels, |sample| label_of(sample, name));
            heads.add(calibrated(tuned.head(name, labels, false)?, &held_out)?);
        }
        if let Some(grade) = tuned.get(heads.by_name.len()) {
            let Head { weight, bias, .. } = grade.head("grade", &["grade".to_owned()], false)?;
            heads.grade = Some(Grade { weight, bias });
        }
        if let Some(intent) = heads.by_name.get(INTENT) {
            heads.scope = Some(self.scope(intent, &lessons.intents)?);
        }
        Ok(heads)
    }

    fn examples(
        &self,
        held_out: bool,
        labels: &[String],
        label: impl Fn(&Sample) -> Option<&str>,
    ) -> Examples<'_> {
        let mut examples = Examples::new(self.features, Vec::new(), Vec::new());
        for (row, sample) in (0_u32..).zip(self.samples) {
            let index = label(sample).and_then(|label| labels.iter().position(|l| l == label));
            let Some(index) = index.and_then(|index| u32::try_from(index).ok()) else { continue };
            if sample.held_out == held_out {
                examples.rows.push(row);
                examples.labels.push(vec![index]);
                examples.weights.push(weight(sample));
            }
        }
        examples
    }

    fn scope(&self, intent: &Head, intents: &[String]) -> candle_core::Result<Scope> {
        let label = ["outside".to_owned()];
        let inside = self.examples(false, intents, |s| s.intent.as_deref());
        let outside = self.examples(false, &label, |s| s.outside.then_some("outside"));
        let texts = ScopeTexts {
            inside: &inside,
            outside: &outside,
            inside_held_out: &self.examples(true, intents, |s| s.intent.as_deref()),
            outside_held_out: &self.examples(true, &label, |s| s.outside.then_some("outside")),
        };
        fit_scope(intent, &texts, self.seed)
    }

    /// Measures each head on the validation part of each set.
    fn measure(&self, heads: &Heads) -> candle_core::Result<Vec<ScoreEntry>> {
        let rows: Vec<u32> =
            (0_u32..).zip(self.samples).filter(|(_, s)| s.held_out).map(|(row, _)| row).collect();
        let held_out: Vec<&Sample> = self.samples.iter().filter(|s| s.held_out).collect();
        let predictions = heads.predict(&self.features.select(&rows)?)?;
        let mut scores = Vec::new();
        for (set, ..) in SETS {
            for (name, head) in &heads.by_name {
                let label = |sample: &Sample| label_of(sample, name).map(str::to_owned);
                let (mut probabilities, mut truth) = (Vec::new(), Vec::new());
                for (row, sample) in held_out.iter().enumerate().filter(|(_, s)| s.set == *set) {
                    let Some(label) = label(sample) else { continue };
                    probabilities.push(predictions.probabilities[name][row].clone());
                    truth.push(vec![head.entry.labels.iter().position(|l| *l == label)]);
                }
                if truth.is_empty() {
                    continue;
                }
                let m = head_metrics(&head.entry, &probabilities, &truth);
                for (measure, value) in [
                    ("accuracy", m.accuracy),
                    ("macro_f1", m.macro_f1),
                    ("ece_15", m.ece_15),
                    ("nll", m.nll),
                ] {
                    scores.push(score(set, name, m.rows, measure, value));
                }
            }
            if let Some(grades) = &predictions.grades {
                let of_set = held_out.iter().zip(grades).filter(|(s, _)| s.set == *set);
                let pairs: Vec<(f64, f64)> =
                    of_set.filter_map(|(s, g)| Some((f64::from(s.grade?), *g))).collect();
                // Grades that are all alike have no correlation.
                if pearson(&pairs).is_finite() {
                    scores.push(score(set, SENTIMENT, pairs.len(), "pearson_r", pearson(&pairs)));
                }
            }
        }
        scores.extend(scope_scores(heads, &held_out, &predictions.scope_scores));
        Ok(scores)
    }
}

pub(super) fn label_of<'a>(sample: &'a Sample, head: &str) -> Option<&'a str> {
    match head {
        INTENT => sample.intent.as_deref(),
        SENTIMENT => sample.sentiment,
        URGENCY => sample.urgency.as_deref(),
        _ => None,
    }
}

fn weight(sample: &Sample) -> f32 {
    match sample.set {
        "corpus" => CORPUS_WEIGHT,
        "vader_amazon" | "vader_tweets" => 2.0,
        _ => 1.0,
    }
}

fn scope_scores(heads: &Heads, held_out: &[&Sample], scores: &[f64]) -> Vec<ScoreEntry> {
    let threshold = heads.scope.as_ref().map_or(1.0, |scope| scope.entry.threshold);
    let of = |set: &str, outside: bool| -> Vec<f64> {
        let here = held_out.iter().zip(scores).filter(|(s, _)| set == "all" || s.set == set);
        here.filter(|(s, _)| if outside { s.outside } else { s.intent.is_some() })
            .map(|(_, score)| *score)
            .collect()
    };
    let mut entries = Vec::new();
    for set in ["all", "corpus", "bitext_support", "clinc150", "hwu64", "multidogo"] {
        let (inside, outside) = (of(set, false), of(set, true));
        if let Some(auroc) = auroc(&inside, &outside) {
            entries.push(score(set, "scope", inside.len() + outside.len(), "auroc", auroc));
        }
        let above =
            |scores: &[f64]| ratio(scores.iter().filter(|s| **s > threshold).count(), scores.len());
        if !inside.is_empty() {
            entries.push(score(set, "scope", inside.len(), "in_scope_rejected", above(&inside)));
        }
        if !outside.is_empty() {
            entries.push(score(set, "scope", outside.len(), "oos_recall", above(&outside)));
        }
    }
    entries
}

pub(super) fn score(set: &str, head: &str, rows: usize, measure: &str, value: f64) -> ScoreEntry {
    ScoreEntry {
        data: format!("{set} validation"),
        head: head.to_owned(),
        rows,
        measure: measure.to_owned(),
        // Four digits are more than any of these sets can tell.
        value: (value * 1e4).round() / 1e4,
    }
}

/// Returns the correlation of pairs.
fn pearson(pairs: &[(f64, f64)]) -> f64 {
    let count = as_f64(pairs.len());
    let mean = |side: fn(&(f64, f64)) -> f64| pairs.iter().map(side).sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(|p| p.0), mean(|p| p.1));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in pairs {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    ab / f64::sqrt(aa * bb)
}
