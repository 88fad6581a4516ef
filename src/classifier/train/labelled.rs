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
    #[error(
        "head {head} has no validation text with a label of the training part; give --validation, or more \
         texts for each label"
    )]
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
    // Where a text may have several labels, the one that fewest texts have counts.
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let given = |row: u32| first.and_then(|truth| at(truth, row)?.labels()).unwrap_or_default();
    for row in groups.values().map(|rows| rows[0]) {
        given(row).into_iter().for_each(|label| *counts.entry(label).or_default() += 1);
    }
    let label = |row: u32| given(row).into_iter().min_by_key(|label| counts[label]);
    let mut strata: BTreeMap<Option<&str>, Vec<Vec<u32>>> = BTreeMap::new();
    for rows in groups.values() {
        strata.entry(label(rows[0])).or_default().push(rows.clone());
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
        let labels_of =
            |row: &u32| at(truth, *row).and_then(Truth::labels).map_or(0, |all| all.len());
        let texts: usize = train.iter().map(labels_of).sum();
        if texts < FEW_TEXTS * labels(head, truth, train)?.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Adds the name of each intent as a text of its own: `track_order` says what it is for.
pub(super) fn add_names(all: &mut Labelled, train: &mut Vec<u32>) -> anyhow::Result<()> {
    let Some(truth) = all.truth.get(INTENT) else { return Ok(()) };
    let (names, several) = (labels(INTENT, truth, train)?, several(truth));
    let labelled = |name: &String| match several {
        true => Truth::Labels(BTreeSet::from([name.clone()])),
        false => Truth::Label(name.clone()),
    };
    for name in names {
        train.push(u32::try_from(all.texts.len())?);
        let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        all.texts.push(words.collect::<Vec<_>>().join(" "));
        for (head, truth) in &mut all.truth {
            truth.push(if head == INTENT { labelled(&name) } else { Truth::Unlabelled });
        }
    }
    Ok(())
}

/// Returns whether a text may have several labels.
pub(super) fn several(truth: &[Truth]) -> bool {
    truth.iter().any(|truth| matches!(truth, Truth::Labels(_)))
}

/// Returns the truth of a row.
pub(super) fn at(truth: &[Truth], row: u32) -> Option<&Truth> {
    truth.get(usize::try_from(row).ok()?)
}

/// Returns the rows that have labels of a head, or none where a text may have several.
pub(super) fn examples<'a>(
    features: &'a Features,
    all: &Labelled,
    head: &str,
    labels: &[String],
    rows: &[u32],
) -> Examples<'a> {
    let truth = all.truth.get(head).map(Vec::as_slice).unwrap_or_default();
    let several = several(truth);
    let labelled = rows.iter().filter_map(|row| {
        let truth = at(truth, *row)?;
        let places = match truth {
            Truth::OutOfScope if several => Vec::new(),
            truth => places(truth, labels)?,
        };
        // The only right label is one that the training part does not have.
        let unknown = places.is_empty() && matches!(truth, Truth::Label(_));
        (!unknown).then_some((*row, places))
    });
    let (rows, labels) = labelled.unzip();
    Examples::new(features, rows, labels)
}

/// Returns whether one of the rows has one of the labels.
pub(super) fn known_in(all: &Labelled, head: &str, labels: &[String], rows: &[u32]) -> bool {
    let truth = all.truth.get(head).map(Vec::as_slice).unwrap_or_default();
    let known = |row: &u32| places(at(truth, *row)?, labels);
    rows.iter().filter_map(known).any(|places| !places.is_empty())
}

/// Returns the places of a text's labels among those known.
fn places(truth: &Truth, labels: &[String]) -> Option<Vec<u32>> {
    let place = |label: &str| {
        let place = labels.iter().position(|known| known == label)?;
        u32::try_from(place).ok()
    };
    Some(truth.labels()?.into_iter().filter_map(place).collect())
}

/// Returns the labels of a head in the training part, checked.
pub(super) fn labels(
    head: &str,
    truth: &[Truth],
    train: &[u32],
) -> Result<Vec<String>, LabelsError> {
    let given = train.iter().filter_map(|row| at(truth, *row)?.labels());
    let labels: BTreeSet<&str> = given.flatten().collect();
    if !(2..=LABELS_MAX).contains(&labels.len()) {
        return Err(LabelsError::Count { head: head.to_owned(), labels: labels.len() });
    }
    for label in &labels {
        let allowed = match head {
            SENTIMENT if sentiment_of(label).is_none() => {
                "very_negative, negative, neutral, positive, very_positive".to_owned()
            }
            URGENCY if Urgency::ALL.iter().all(|level| level.label() != *label) => {
                "low, normal, high, critical".to_owned()
            }
            _ if label.chars().count() > INTENT_CHARS_MAX => {
                format!("labels of at most {INTENT_CHARS_MAX} characters")
            }
            _ => continue,
        };
        let (head, label) = (head.to_owned(), (*label).to_owned());
        return Err(LabelsError::Label { head, label, allowed });
    }
    Ok(labels.into_iter().map(str::to_owned).collect())
}

/// Returns what each head has to learn in fine-tuning, in the order of the heads; labels that are not
/// among the `names` of a head are left out.
pub(super) fn tasks(all: &Labelled, names: &BTreeMap<String, Vec<String>>) -> Vec<Task> {
    let task = |(head, labels): (&String, &Vec<String>)| {
        let truth = all.truth.get(head).map(Vec::as_slice).unwrap_or_default();
        let target = |truth: &Truth| match (truth, places(truth, labels)) {
            (Truth::OutOfScope, _) => Target::Outside,
            (Truth::Labels(_), Some(places)) => Target::Labels(places),
            (_, Some(places)) => places.first().map_or(Target::Unlabelled, |p| Target::Label(*p)),
            (_, None) => Target::Unlabelled,
        };
        let targets = truth.iter().map(target).collect();
        match several(truth) {
            // What regressions say of rare labels is no example to follow.
            true => Task { taught: false, ..Task::new(Goal::Labels(labels.len()), targets) },
            false => Task::new(Goal::Label(labels.len()), targets),
        }
    };
    names.iter().map(task).collect()
}
