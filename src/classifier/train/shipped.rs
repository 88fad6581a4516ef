//! Trains the shipped model: all heads on frozen features, from the sets in [`super::sources`].

use std::{collections::BTreeSet, path::PathBuf};

use candle_core::Device;

use super::{
    assemble::Parts,
    base::Base,
    fit::{Examples, FitPlan, Fitted, fit_head, fit_numbers},
    outside::{ScopeTexts, fit_scope},
    sources::{self, Sample},
};
use crate::{
    classifier::{
        artifact::{Artifact, DataEntry, ScoreEntry},
        features::{Features, View},
        heads::{Grade, Head, Heads, INTENT, SENTIMENT, URGENCY},
        metrics::{as_f64, auroc, head_metrics, ratio},
        model::Model,
        scope::Scope,
    },
    domain::reading::{Sentiment, Urgency},
};

/// Name and version of the model.
const NAME: (&str, &str) = ("support", "1.0.0");
/// What it is, for people.
const DESCRIPTION: &str =
    "Intent, sentiment, urgency and scope of customer-support tickets in English.";
/// L2 penalty of the graded sentiment.
const GRADE_PENALTY: f64 = 1e-2;
/// How much a ticket of the corpus counts beside a text of a public set: there are few, and they are
/// what real tickets look like.
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

/// The public sets, their licences and what they are used for.
const SETS: &[(&str, &str, &str)] = &[
    ("corpus", "MIT OR Apache-2.0 (this project)", "intent, out-of-scope, sentiment, urgency"),
    ("bitext_support", "CDLA-Sharing-1.0", "intent; plain requests as neutral sentiment"),
    ("banking77", "CC BY 4.0", "intent, where the meaning is equal"),
    ("clinc150", "CC BY 3.0", "out-of-scope; order status as intent"),
    ("hwu64", "CC BY 4.0", "out-of-scope"),
    ("multidogo", "CDLA-Permissive-1.0", "intent, where the meaning is equal; out-of-scope"),
    ("sst5", "none stated where found", "sentiment"),
    ("uci_sentences", "none stated where found", "sentiment"),
    ("vader_amazon", "MIT", "sentiment"),
    ("vader_tweets", "MIT", "sentiment"),
    ("vader_nyt", "MIT", "sentiment"),
    ("goemotions", "Apache-2.0 (data CC BY 4.0)", "sentiment"),
];

/// Reads the sets, fits the heads, and returns the model ready to be written.
///
/// `progress` is told the texts encoded and all texts.
///
/// # Errors
/// Names the file that cannot be read, or what else failed.
pub fn train(
    plan: &ShippedPlan,
    base: Base,
    dir: PathBuf,
    progress: impl FnMut(usize, usize),
) -> anyhow::Result<Artifact> {
    let samples = sources::read(&plan.data_dir, &plan.corpus_dir, plan.seed)?;
    let parts = Parts::new(base, &Device::Cpu)?;
    let features = parts.encode(samples.iter().map(|sample| sample.text.as_str()), progress)?;
    let fitting = Fitting { samples: &samples, features: &features, seed: plan.seed };
    let heads = fitting.fit()?;
    let mut manifest = parts.manifest(NAME.0, NAME.1, DESCRIPTION);
    manifest.data = fitting.data();
    let mut artifact = parts.artifact(dir, manifest, &heads)?;
    // Measured on the heads as they are read back.
    artifact.manifest.scores = fitting.measure(&Model::from_artifact(&artifact)?.heads)?;
    Ok(artifact)
}

struct Fitting<'a> {
    samples: &'a [Sample],
    features: &'a Features,
    seed: u64,
}

impl Fitting<'_> {
    fn fit(&self) -> candle_core::Result<Heads> {
        let intents: BTreeSet<String> =
            self.samples.iter().filter_map(|sample| sample.intent.clone()).collect();
        let intents: Vec<String> = intents.into_iter().collect();
        let views = [View::Last, View::Layers];
        let intent = self.head(INTENT, &intents, &views, |s| s.intent.as_deref())?;
        let sentiments = Sentiment::ALL.map(|s| s.label().to_owned());
        let sentiment = self.head(SENTIMENT, &sentiments, &views, |s| s.sentiment)?;
        let urgencies = Urgency::ALL.map(|u| u.label().to_owned());
        let urgency = self.head(URGENCY, &urgencies, &views, |s| s.urgency.as_deref())?;
        let scope = self.scope(&intent.head, &intents)?;
        let grade = self.grade()?;

        let mut heads = Heads { scope: Some(scope), grade: Some(grade), ..Heads::default() };
        for fitted in [intent, sentiment, urgency] {
            heads.add(fitted.head);
        }
        Ok(heads)
    }

    fn head(
        &self,
        name: &str,
        labels: &[String],
        views: &[View],
        label: impl Fn(&Sample) -> Option<&str>,
    ) -> candle_core::Result<Fitted> {
        let plan = FitPlan { name, labels, views, seed: self.seed };
        let examples = |held_out| self.examples(held_out, labels, &label);
        fit_head(&plan, &examples(false), &examples(true))
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
                examples.labels.push(index);
                examples.weights.push(weight(sample));
            }
        }
        examples
    }

    fn scope(&self, intent: &Head, intents: &[String]) -> candle_core::Result<Scope> {
        let outside = ["outside".to_owned()];
        let inside = self.examples(false, intents, |s| s.intent.as_deref());
        let outside = self.examples(false, &outside, |s| s.outside.then_some("outside"));
        let inside_held_out = self.examples(true, intents, |s| s.intent.as_deref());
        let texts =
            ScopeTexts { inside: &inside, outside: &outside, inside_held_out: &inside_held_out };
        fit_scope(intent, &texts, self.seed)
    }

    fn grade(&self) -> candle_core::Result<Grade> {
        let graded: Vec<(u32, f32)> = (0_u32..)
            .zip(self.samples)
            .filter(|(_, sample)| !sample.held_out)
            .filter_map(|(row, sample)| Some((row, sample.grade?)))
            .collect();
        let rows = graded.iter().map(|(row, _)| *row).collect();
        let values: Vec<f32> = graded.iter().map(|(_, grade)| *grade).collect();
        let examples = Examples::new(self.features, rows, Vec::new());
        let (weight, bias) = fit_numbers(&examples, &values, GRADE_PENALTY, self.seed)?;
        Ok(Grade { weight, bias })
    }

    fn data(&self) -> Vec<DataEntry> {
        SETS.iter()
            .map(|(name, licence, use_for)| DataEntry {
                name: (*name).to_owned(),
                licence: (*licence).to_owned(),
                rows: self.samples.iter().filter(|s| s.set == *name && !s.held_out).count(),
                use_for: (*use_for).to_owned(),
            })
            .collect()
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
                    truth.push(head.entry.labels.iter().position(|l| *l == label));
                }
                if truth.is_empty() {
                    continue;
                }
                let m = head_metrics(&head.entry.labels, &probabilities, &truth);
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
                if !pairs.is_empty() {
                    scores.push(score(set, SENTIMENT, pairs.len(), "pearson_r", pearson(&pairs)));
                }
            }
        }
        scores.extend(scope_scores(heads, &held_out, &predictions.scope_scores));
        Ok(scores)
    }
}

fn label_of<'a>(sample: &'a Sample, head: &str) -> Option<&'a str> {
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

fn score(set: &str, head: &str, rows: usize, measure: &str, value: f64) -> ScoreEntry {
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
