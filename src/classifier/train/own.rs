//! Trains a model on somebody's own labelled texts.

use std::{collections::BTreeMap, path::PathBuf};

use candle_core::Device;

use super::{
    assemble::Parts,
    base::Base,
    finetune::{self, FinetunePlan, Finetuned, Material, Pool, Recipe, TunedHead, finetune},
    fit::{Examples, FitPlan, Fitted, calibrated, fit_head, refit_head},
    labelled::{
        Labelled, LabelsError, add_names, at, examples, few, known_in, labels, several, tasks,
    },
    outside::{ScopeTexts, fit_scope},
    start::start,
};
use crate::classifier::{
    artifact::Artifact,
    evaluate::{HeadReport, Truth, head_report},
    features::{Features, View},
    heads::{Heads, INTENT, SENTIMENT},
    model::Model,
    scope::Scope,
};

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

/// How a model is trained.
pub enum Way {
    /// Heads on the encoder as it is; the others are inherited.
    Frozen(Box<Heads>),
    /// The encoder learns too.
    Full,
}

/// What is told on the way.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    /// Texts read, of all.
    Reading(usize, usize),
    /// Steps of fine-tuning.
    Learning(finetune::Progress),
}

/// Trains on the labels of `train` and measures on `held_out`. With `refit`, the weights then learn from
/// both, with the confidence and the scope that were fitted on texts they had not seen.
///
/// # Errors
/// [`LabelsError`], or what else failed.
pub fn train(
    plan: &OwnPlan,
    base: Base,
    all: &Labelled,
    (train, held_out): (&[u32], &[u32]),
    way: Way,
    refit: bool,
    mut progress: impl FnMut(Stage),
) -> anyhow::Result<Trained> {
    let names: Names = all
        .truth
        .iter()
        .map(|(head, truth)| Ok((head.clone(), labels(head, truth, train)?)))
        .collect::<Result<_, LabelsError>>()?;
    for (head, labels) in &names {
        if !known_in(all, head, labels, held_out) {
            return Err(LabelsError::NothingHeldOut { head: head.clone() }.into());
        }
    }
    let lesson = Lesson { plan, all, names: &names, train, held_out };
    let (parts, heads, reports) = match way {
        Way::Frozen(inherited) => lesson.frozen(base, *inherited, refit, &mut progress)?,
        Way::Full => lesson.full(base, refit, &mut progress)?,
    };
    let manifest =
        parts.manifest(&plan.name, "1", "Trained on a workspace's own labelled tickets.");
    let artifact = parts.artifact(plan.dir.clone(), manifest, &heads)?;
    Ok(Trained { artifact, reports })
}

/// Labels by head.
type Names = BTreeMap<String, Vec<String>>;
/// Measures by head.
type Reports = BTreeMap<String, HeadReport>;

/// What is learned from, and what is measured on.
struct Lesson<'a> {
    plan: &'a OwnPlan,
    all: &'a Labelled,
    names: &'a Names,
    train: &'a [u32],
    held_out: &'a [u32],
}

impl Lesson<'_> {
    fn both(&self) -> Vec<u32> {
        self.train.iter().chain(self.held_out).copied().collect()
    }

    fn frozen(
        &self,
        base: Base,
        inherited: Heads,
        refit: bool,
        progress: &mut impl FnMut(Stage),
    ) -> anyhow::Result<(Parts, Heads, Reports)> {
        let parts = Parts::new(base, &Device::Cpu)?;
        let features = self.read(&parts, progress)?;
        let mut heads = inherited;
        let mut chosen = Vec::new();
        for (head, labels) in self.names {
            let fitted = self.fit(&features, head, labels)?;
            heads.add(fitted.head.clone());
            chosen.push((head, labels, fitted));
        }
        let reports = self.finish(&mut heads, &features)?;
        if refit {
            for (head, labels, fitted) in chosen {
                let examples = examples(&features, self.all, head, labels, &self.both());
                heads.add(refit_head(&self.fit_plan(head, labels), &examples, &fitted)?);
            }
        }
        Ok((parts, heads, reports))
    }

    fn fit(&self, features: &Features, head: &str, labels: &[String]) -> anyhow::Result<Fitted> {
        let held_out = examples(features, self.all, head, labels, self.held_out);
        let train = examples(features, self.all, head, labels, self.train);
        Ok(fit_head(&self.fit_plan(head, labels), &train, &held_out)?)
    }

    fn full(
        &self,
        base: Base,
        refit: bool,
        progress: &mut impl FnMut(Stage),
    ) -> anyhow::Result<(Parts, Heads, Reports)> {
        let again = refit.then(|| base.clone());
        let tuned = self.tune(base, self.train, None, progress)?;
        let parts = Parts::new(tuned.base, &Device::Cpu)?;
        let features = self.read(&parts, progress)?;
        let mut heads = Heads::default();
        for ((head, labels), tuned) in self.names.iter().zip(&tuned.heads) {
            let held_out = examples(&features, self.all, head, labels, self.held_out);
            let tuned = tuned.head(head, labels, self.several(head))?;
            heads.add(calibrated(tuned, &held_out)?);
        }
        let reports = self.finish(&mut heads, &features)?;
        let Some(base) = again else { return Ok((parts, heads, reports)) };
        let tuned = self.tune(base, &self.both(), Some(tuned.passes), progress)?;
        let parts = Parts::new(tuned.base, &Device::Cpu)?;
        let features = self.read(&parts, progress)?;
        let heads = self.refitted(heads, &tuned.heads, &features)?;
        Ok((parts, heads, reports))
    }

    /// Returns heads that have learned from all texts, with the confidence and the scope of others.
    fn refitted(
        &self,
        unseen: Heads,
        tuned: &[TunedHead],
        features: &Features,
    ) -> anyhow::Result<Heads> {
        let mut heads = Heads::default();
        for ((head, labels), tuned) in self.names.iter().zip(tuned) {
            let mut found = tuned.head(head, labels, self.several(head))?;
            if let Some(unseen) = unseen.by_name.get(head) {
                found.entry.temperature = unseen.entry.temperature;
                found.entry.threshold = unseen.entry.threshold;
            }
            heads.add(found);
        }
        if let (Some(labels), Some(unseen)) = (self.names.get(INTENT), unseen.scope) {
            let scope = self.scope(&heads, features, labels)?;
            heads.scope = Some(Scope { entry: unseen.entry, ..scope });
        }
        Ok(heads)
    }

    /// Fine-tunes an encoder on some of the texts, with one head for each task.
    fn tune(
        &self,
        base: Base,
        train: &[u32],
        stop_after: Option<usize>,
        progress: &mut impl FnMut(Stage),
    ) -> anyhow::Result<Finetuned> {
        let few = few(self.all, train)?;
        let (mut all, mut train) = (self.all.clone(), train.to_vec());
        if few {
            add_names(&mut all, &mut train)?;
        }
        let mut tasks = tasks(&all, self.names);
        let texts = all.texts.iter().map(String::as_str);
        let tokens = base.tokens(texts)?;
        let report = |done, all| progress(Stage::Reading(done, all));
        let heads = start(&base, &tokens, &mut tasks, &train, self.plan.seed, report)?;
        let pools = [Pool::whole(&train)];
        let material = Material { tokens: &tokens, train: &pools, held_out: self.held_out };
        let plan = FinetunePlan {
            recipe: if few { Recipe::for_few() } else { Recipe::default() },
            seed: self.plan.seed,
            stop_after,
            checkpoint: self.plan.dir.join("checkpoint"),
        };
        finetune(&plan, base, heads, &tasks, material, |of| progress(Stage::Learning(of)))
    }

    fn fit_plan<'a>(&self, head: &'a str, labels: &'a [String]) -> FitPlan<'a> {
        let views = &[View::Last, View::Layers];
        FitPlan { name: head, labels, views, several: self.several(head) }
    }

    fn several(&self, head: &str) -> bool {
        self.all.truth.get(head).is_some_and(|truth| several(truth))
    }

    fn read(&self, parts: &Parts, progress: &mut impl FnMut(Stage)) -> anyhow::Result<Features> {
        let texts = self.all.texts.iter().map(String::as_str);
        Ok(parts.encode(texts, |done, all| progress(Stage::Reading(done, all)))?)
    }

    /// Adds the scope to heads, and measures them.
    fn finish(&self, heads: &mut Heads, features: &Features) -> anyhow::Result<Reports> {
        if let Some(labels) = self.names.get(INTENT) {
            heads.scope = Some(self.scope(heads, features, labels)?);
        }
        if self.names.contains_key(SENTIMENT) {
            heads.grade = None;
        }
        let rows = self.held_out;
        let predictions = heads.predict(&features.select(rows)?)?;
        let mut reports = BTreeMap::new();
        for (head, truth) in &self.all.truth {
            let truth: Vec<Truth> =
                rows.iter().filter_map(|row| at(truth, *row).cloned()).collect();
            if let Some(report) = head_report(heads, head, &predictions, &truth) {
                reports.insert(head.clone(), report);
            }
        }
        Ok(reports)
    }

    fn scope(
        &self,
        heads: &Heads,
        features: &Features,
        labels: &[String],
    ) -> anyhow::Result<Scope> {
        let Some(intent) = heads.by_name.get(INTENT) else { anyhow::bail!("no intent head") };
        let truth = &self.all.truth[INTENT];
        let outside = |rows: &[u32]| {
            let is_outside = |row: &&u32| at(truth, **row).is_some_and(Truth::is_outside);
            let rows = rows.iter().filter(is_outside).copied().collect();
            Examples::new(features, rows, Vec::new())
        };
        let inside = |rows: &[u32]| {
            let examples = examples(features, self.all, INTENT, labels, rows);
            let some = (0..examples.rows.len()).filter(|at| !examples.labels[*at].is_empty());
            examples.pick(&some.collect::<Vec<_>>())
        };
        let texts = ScopeTexts {
            inside: &inside(self.train),
            outside: &outside(self.train),
            inside_held_out: &inside(self.held_out),
            outside_held_out: &outside(self.held_out),
        };
        Ok(fit_scope(intent, &texts, self.plan.seed)?)
    }
}

/// Loads a model's heads for a model trained on the same encoder.
///
/// # Errors
/// When the model cannot be loaded.
pub fn inherit(artifact: &Artifact) -> anyhow::Result<Heads> {
    Ok(Model::from_artifact(artifact)?.heads)
}
