//! Somebody's own labelled texts, checked.

use std::collections::{BTreeMap, BTreeSet};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    finetune::{Goal, Target, Task},
    fit::Examples,
};
use crate::{
    classifier::{
        evaluate::Truth,
        features::Features,
        heads::{INTENT, SENTIMENT, URGENCY},
        model::sentiment_of,
    },
    domain::{limits::INTENT_CHARS_MAX, reading::Urgency},
};

/// Share of each label's texts kept for validation when no file of them is given.
const HELD_OUT: f64 = 0.15;
/// Fewest texts with a label of which one is kept.
const HELD_OUT_TEXTS_MIN: usize = 4;
/// Below so many texts a label on average, there are few.
const FEW_TEXTS: usize = 30;
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

/// Returns whether some head has few texts a label.
pub(super) fn few(all: &Labelled, train: &[u32]) -> Result<bool, LabelsError> {
    for (head, truth) in &all.truth {
        let is_label = |row: &&u32| matches!(at(truth, **row), Some(Truth::Label(_)));
        let texts = train.iter().filter(is_label).count();
        if texts < FEW_TEXTS * labels(head, truth, train)?.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Adds the name of each intent as a text of its own: `track_order` says what it is for.
pub(super) fn add_names(all: &mut Labelled, train: &mut Vec<u32>) -> anyhow::Result<()> {
    let Some(truth) = all.truth.get(INTENT) else { return Ok(()) };
    let names = labels(INTENT, truth, train)?;
    for name in names {
        train.push(u32::try_from(all.texts.len())?);
        let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        all.texts.push(words.collect::<Vec<_>>().join(" "));
        for (head, truth) in &mut all.truth {
            truth.push(if head == INTENT { Truth::Label(name.clone()) } else { Truth::Unlabelled });
        }
    }
    Ok(())
}

/// Returns the truth of a row.
pub(super) fn at(truth: &[Truth], row: u32) -> Option<&Truth> {
    truth.get(usize::try_from(row).ok()?)
}

/// Returns the rows that have one of the labels of a head.
pub(super) fn examples<'a>(
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

/// Returns the labels of a head in the training part, checked.
pub(super) fn labels(
    head: &str,
    truth: &[Truth],
    train: &[u32],
) -> Result<Vec<String>, LabelsError> {
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
        tasks.push(Task::new(Goal::Label(labels.len()), truth.iter().map(target).collect()));
    }
    Ok(tasks)
}
