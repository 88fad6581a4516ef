//! Heads: linear maps from features to calibrated probabilities.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};
use evenhand_kernels::matmul::small_linear;

use super::{
    artifact::{HeadEntry, Manifest},
    features::{Features, View},
    quantise::{self, WeightsError},
    scope::{Known, Scope},
};

/// Name of the head that reads the intent.
pub const INTENT: &str = "intent";
/// Name of the head that reads the sentiment.
pub const SENTIMENT: &str = "sentiment";
/// Name of the head that reads the urgency.
pub const URGENCY: &str = "urgency";
/// Name of the weights that grade sentiment from -1 to 1.
const GRADE: &str = "sentiment_grade";

/// All that a model says of features.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    /// Heads by name.
    pub by_name: BTreeMap<String, Head>,
    /// Tells what no intent fits; absent: nothing is ever out of scope.
    pub scope: Option<Scope>,
    /// Grades sentiment; absent: the difference of the probabilities does.
    pub grade: Option<Grade>,
}

/// Grades sentiment: one row of weights on [`View::Last`] or [`View::Layers`], as wide as they are, and a
/// bias.
#[derive(Clone, Debug)]
pub struct Grade {
    /// One row.
    pub weight: Tensor,
    /// One number.
    pub bias: Tensor,
}

/// What the heads say of some texts; one entry a text everywhere.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    /// Probabilities by head, in the order of its labels.
    pub probabilities: BTreeMap<String, Vec<Vec<f64>>>,
    /// Out-of-scope scores; 0 for a model that has none.
    pub scope_scores: Vec<f64>,
    /// Graded sentiments; `None` for a model that does not grade.
    pub grades: Option<Vec<f64>>,
}

impl Predictions {
    /// Returns what was said of some of the texts.
    #[must_use]
    pub fn pick(&self, rows: &[usize]) -> Self {
        let pick = |values: &Vec<f64>| rows.iter().map(|row| values[*row]).collect();
        Self {
            probabilities: self
                .probabilities
                .iter()
                .map(|(head, all)| (head.clone(), rows.iter().map(|r| all[*r].clone()).collect()))
                .collect(),
            scope_scores: pick(&self.scope_scores),
            grades: self.grades.as_ref().map(pick),
        }
    }
}

impl Heads {
    /// Takes what a manifest names from a file's tensors.
    ///
    /// # Errors
    /// Names the weight that is missing or has another shape.
    pub fn read(manifest: &Manifest, tensors: &BTreeMap<String, Tensor>) -> Result<Self> {
        let mut heads = Self::default();
        for entry in &manifest.heads {
            heads.add(Head::new(entry.clone(), tensors)?);
        }
        if let Some(entry) = &manifest.scope {
            let Some(known) = tensors.get("scope.known") else {
                candle_core::bail!("weight scope.known is missing")
            };
            let outlier = Scope::outlier_head(tensors)?;
            heads.scope = Some(Scope { entry: entry.clone(), known: Known::new(known)?, outlier });
        }
        let part = |part: &str| tensors.get(&format!("{GRADE}.{part}")).cloned();
        if let (Some(weight), Some(bias)) = (part("weight"), part("bias")) {
            heads.grade = Some(Grade { weight, bias });
        }
        Ok(heads)
    }

    /// Returns the file that [`Self::read`] reads.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub fn file(&self) -> std::result::Result<Vec<u8>, WeightsError> {
        let mut tensors = BTreeMap::new();
        for head in self.by_name.values() {
            head.store(&mut tensors);
        }
        if let Some(scope) = &self.scope {
            scope.store(&mut tensors)?;
        }
        if let Some(grade) = &self.grade {
            tensors.insert(format!("{GRADE}.weight"), grade.weight.clone());
            tensors.insert(format!("{GRADE}.bias"), grade.bias.clone());
        }
        // Only the known texts are many; heads stay exact.
        quantise::write(&tensors, |name| name == "scope.known")
    }

    /// Adds a head, in place of one of the same name.
    pub fn add(&mut self, head: Head) {
        self.by_name.insert(head.entry.name.clone(), head);
    }

    /// Returns what the heads say.
    ///
    /// # Errors
    /// When the features have another width.
    pub fn predict(&self, features: &Features) -> Result<Predictions> {
        let mut predictions = Predictions::default();
        for (name, head) in &self.by_name {
            predictions.probabilities.insert(name.clone(), head.probabilities(features)?);
        }
        predictions.scope_scores = match (&self.scope, self.by_name.get(INTENT)) {
            (Some(scope), Some(intent)) => scope.scores(intent, features)?,
            _ => vec![0.0; features.rows()],
        };
        if let Some(grade) = &self.grade {
            let last = features.view(View::Last);
            let view = if grade.weight.dim(1)? == last.dim(1)? { View::Last } else { View::Layers };
            let grades = linear(features.view(view), &grade.weight, &grade.bias)?;
            predictions.grades =
                Some(grades.into_iter().map(|grade| f64::from(grade).clamp(-1.0, 1.0)).collect());
        }
        Ok(predictions)
    }
}

/// A head with its weights.
#[derive(Clone, Debug)]
pub struct Head {
    /// Name, labels, view and temperature.
    pub entry: HeadEntry,
    /// Labels by width of the view.
    pub weight: Tensor,
    /// One number a label.
    pub bias: Tensor,
}

impl Head {
    /// Takes a head's weights from `NAME.weight` and `NAME.bias`.
    ///
    /// # Errors
    /// Names the weight that is missing or has another shape.
    pub fn new(entry: HeadEntry, weights: &BTreeMap<String, Tensor>) -> Result<Self> {
        let get = |part: &str, dims: usize| {
            let name = format!("{}.{part}", entry.name);
            match weights.get(&name) {
                Some(tensor) if tensor.rank() == dims && tensor.dim(0)? == entry.labels.len() => {
                    Ok(tensor.clone())
                }
                Some(tensor) => candle_core::bail!(
                    "weight {name} has shape {:?}, expected {} rows",
                    tensor.dims(),
                    entry.labels.len()
                ),
                None => candle_core::bail!("weight {name} is missing"),
            }
        };
        Ok(Self { weight: get("weight", 2)?, bias: get("bias", 1)?, entry })
    }

    /// Adds the weights under the names [`Self::new`] reads.
    pub fn store(&self, weights: &mut BTreeMap<String, Tensor>) {
        weights.insert(format!("{}.weight", self.entry.name), self.weight.clone());
        weights.insert(format!("{}.bias", self.entry.name), self.bias.clone());
    }

    /// Returns one number for each text and label, before temperature.
    ///
    /// # Errors
    /// When the features have another width.
    pub fn logits(&self, features: &Features) -> Result<Vec<Vec<f32>>> {
        let rows = linear(features.view(self.entry.view), &self.weight, &self.bias)?;
        Ok(rows.chunks(self.entry.labels.len()).map(<[f32]>::to_vec).collect())
    }

    /// Returns probabilities for each text, in the order of the labels. They sum to one, unless a text
    /// may have several labels.
    ///
    /// # Errors
    /// When the features have another width.
    pub fn probabilities(&self, features: &Features) -> Result<Vec<Vec<f64>>> {
        let logits = self.logits(features)?;
        let several = self.entry.threshold.is_some();
        let probabilities = if several { sigmoid } else { softmax };
        Ok(logits.iter().map(|row| probabilities(row, self.entry.temperature)).collect())
    }
}

/// Returns the rows times the weights, on top of the bias; candle's own product depends on how many rows there
/// are, in the last place.
fn linear(rows: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Vec<f32>> {
    if rows.dim(1)? != weight.dim(1)? {
        candle_core::bail!("features of {} numbers, weights for {}", rows.dim(1)?, weight.dim(1)?)
    }
    let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    Ok(small_linear(&numbers(rows)?, &numbers(weight)?, &numbers(bias)?))
}

/// Returns probabilities from numbers of any size; `temperature` is above 0.
#[must_use]
pub fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> =
        logits.iter().map(|x| (f64::from(x - largest) / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Returns the probability of each label on its own; `temperature` is above 0.
#[must_use]
pub fn sigmoid(logits: &[f32], temperature: f64) -> Vec<f64> {
    logits.iter().map(|x| 1.0 / (1.0 + (-f64::from(*x) / temperature).exp())).collect()
}

/// Returns `ln Σ exp`, the negative energy of a text.
#[must_use]
pub fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    f64::from(largest) + logits.iter().map(|x| f64::from(x - largest).exp()).sum::<f64>().ln()
}

/// Returns the index of the largest number, the first of equals.
#[must_use]
pub fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}
