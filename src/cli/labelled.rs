//! Labelled texts on the command line, for `train` and `evaluate`.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::ParseFloatError,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{Format, output};
use crate::classifier::{
    evaluate::{HeadReport, Truth},
    heads::{INTENT, SENTIMENT, URGENCY},
    rows::{self, RowsError},
    train::labelled::Labelled,
};

/// `HEAD=COLUMN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadColumn {
    /// The head.
    pub head: String,
    /// The column of its labels.
    pub column: String,
}

impl FromStr for HeadColumn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match text.split_once('=') {
            Some((head, column))
                if !head.is_empty() && head.chars().all(word) && !column.is_empty() =>
            {
                Ok(Self { head: head.to_owned(), column: column.to_owned() })
            }
            _ => Err("expected HEAD=COLUMN, for example intent=label; a head's name has letters, \
                      digits, - and _"
                .to_owned()),
        }
    }
}

/// What else there is to say of a file, beside the columns of labels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// The intent label of texts that no intent fits.
    pub out_of_scope_label: Option<&'a str>,
    /// Heads of which a text may have several labels, and what stands between those.
    pub several: &'a [Several],
    /// The column of segments.
    pub segment: Option<&'a str>,
    /// The column of ratings of the sentiment.
    pub grade: Option<&'a str>,
}

/// `HEAD=SEPARATOR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several {
    /// The head.
    pub head: String,
    /// What stands between the labels of a text.
    pub separator: String,
}

impl FromStr for Several {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((SENTIMENT | URGENCY, _)) => {
                Err("a text has one sentiment and one urgency".to_owned())
            }
            Some((head, separator)) if !head.is_empty() && !separator.is_empty() => {
                Ok(Self { head: head.to_owned(), separator: separator.to_owned() })
            }
            _ => Err("expected HEAD=SEPARATOR, for example 'intent=|'".to_owned()),
        }
    }
}

/// Why labelled rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LabelledError {
    /// The file or a column of it.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A head is named twice.
    #[error("{option} names the head {head} twice; allowed is once for each head")]
    Twice {
        /// Where.
        option: &'static str,
        /// The head.
        head: String,
    },
    /// Several labels are declared for a head that is not there.
    #[error("--several names the head {head}; --label has {}", there.join(", "))]
    Several {
        /// The head.
        head: String,
        /// The heads there.
        there: Vec<String>,
    },
    /// A rating is no number. What it is instead is not shown: it may be a text.
    #[error("{}: line {line}: the rating in column {column} is no number", path.display())]
    Rating {
        /// The file.
        path: PathBuf,
        /// The line on which the row starts.
        line: u64,
        /// The column of ratings.
        column: String,
    },
}

/// Reads the rows that have a text; the others are counted on standard error.
///
/// # Errors
/// [`LabelledError`] names the file, and the column that is missing or the line that is wrong.
pub fn read(
    path: &Path,
    text_column: &str,
    heads: &[HeadColumn],
    beside: Beside<'_>,
) -> Result<Labelled, LabelledError> {
    if let Some(several) = beside.several.iter().find(|s| heads.iter().all(|h| h.head != s.head)) {
        let there = heads.iter().map(|head| head.head.clone()).collect();
        return Err(LabelledError::Several { head: several.head.clone(), there });
    }
    once("--label", heads.iter().map(|head| &head.head))?;
    once("--several", beside.several.iter().map(|several| &several.head))?;
    let columns = heads.iter().map(|head| head.column.as_str());
    let columns: Vec<&str> = columns.chain(beside.segment).chain(beside.grade).collect();
    let mut labelled = Labelled::default();
    let mut empty = Vec::new();
    for row in rows::read(path, text_column, &columns)? {
        if row.text.is_empty() {
            empty.push(row.line);
            continue;
        }
        labelled.texts.push(row.text);
        labelled.lines.push(row.line);
        let mut values = row.values;
        if let Some(column) = beside.grade {
            let value = values.pop().unwrap_or_default();
            labelled.ratings.push(rating(&value).map_err(|_| LabelledError::Rating {
                path: path.to_owned(),
                line: row.line,
                column: column.to_owned(),
            })?);
        }
        if beside.segment.is_some() {
            labelled.segments.extend(values.pop());
        }
        for (head, value) in heads.iter().zip(values) {
            let truth = truth(head, value, beside);
            labelled.truth.entry(head.head.clone()).or_default().push(truth);
        }
    }
    if let (Some(first), count) = (empty.first(), empty.len()) {
        let path = path.display();
        output::complain(&format!(
            "{path}: {count} rows without a text skipped, the first on line {first}"
        ));
    }
    Ok(labelled)
}

/// Checks that an option names each head once.
fn once<'a>(
    option: &'static str,
    mut heads: impl Iterator<Item = &'a String>,
) -> Result<(), LabelledError> {
    let mut seen = BTreeSet::new();
    match heads.find(|head| !seen.insert(*head)) {
        Some(head) => Err(LabelledError::Twice { option, head: head.clone() }),
        None => Ok(()),
    }
}

/// Reads a rating; an empty one is none.
fn rating(value: &str) -> Result<Option<f64>, ParseFloatError> {
    let finite = |rating: &f64| rating.is_finite();
    if value.is_empty() {
        Ok(None)
    } else {
        value.parse().map(|rating| Some(rating).filter(finite))
    }
}

fn truth(head: &HeadColumn, value: String, beside: Beside<'_>) -> Truth {
    let outside = |label: &str| head.head == INTENT && Some(label) == beside.out_of_scope_label;
    match beside.several.iter().find(|several| several.head == head.head) {
        Some(several) => {
            // Cells and labels have no space around them, so the separator need not have any either.
            let bare = several.separator.trim();
            let separator = if bare.is_empty() { several.separator.as_str() } else { bare };
            let labels = value.split(separator).map(str::trim).filter(|l| !l.is_empty());
            let (out, labels): (Vec<&str>, Vec<&str>) = labels.partition(|label| outside(label));
            // Beside intents, the label of texts that none fits says nothing.
            if labels.is_empty() && !out.is_empty() {
                return Truth::OutOfScope;
            }
            Truth::Labels(labels.into_iter().map(str::to_owned).collect())
        }
        None if value.is_empty() => Truth::Unlabelled,
        None if outside(&value) => Truth::OutOfScope,
        None => Truth::Label(value),
    }
}

/// Adds the rows of another file with the same heads.
pub fn append(all: &mut Labelled, more: Labelled) {
    all.texts.extend(more.texts);
    all.lines.extend(more.lines);
    for (head, truth) in more.truth {
        all.truth.entry(head).or_default().extend(truth);
    }
}

/// Prints the measures of each head, and some numbers for all.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_reports(
    reports: &BTreeMap<String, HeadReport>,
    numbers: &[(&str, f64)],
    format: Format,
) -> anyhow::Result<()> {
    if format == Format::Json {
        output::print(&json(reports, numbers)?.to_string())?;
        return Ok(());
    }
    for (head, report) in reports {
        let m = &report.metrics;
        output::print(&format!(
            "{head}: {} rows, accuracy {:.4}, macro-F1 {:.4}, calibration error {:.4}, loss {:.4}",
            m.rows, m.accuracy, m.macro_f1, m.ece_15, m.nll
        ))?;
        if let Some(micro_f1) = m.micro_f1 {
            output::print(&format!("  several labels a text: micro-F1 {micro_f1:.4}"))?;
        }
        if let Some(scope) = &report.scope {
            output::print(&format!(
                "  out of scope: {} rows, AUROC {:.4}, found {:.4} when 5 % of the others are rejected",
                scope.oos_rows, scope.oos_auroc, scope.oos_recall
            ))?;
        }
        for (label, class) in m.per_class.iter().filter(|(_, class)| class.rows > 0) {
            output::print(&format!(
                "  {label:28} {:6} rows  precision {:.3}  recall {:.3}  F1 {:.3}",
                class.rows, class.precision, class.recall, class.f1
            ))?;
        }
    }
    for (name, value) in numbers {
        output::print(&format!("{name}: {value:.2}"))?;
    }
    Ok(())
}

/// Returns the reports by head with the numbers beside them.
///
/// # Errors
/// When a report cannot be written as JSON.
pub fn json(
    reports: &BTreeMap<String, HeadReport>,
    numbers: &[(&str, f64)],
) -> serde_json::Result<serde_json::Value> {
    let mut fields = serde_json::Map::new();
    for (head, report) in reports {
        fields.insert(head.clone(), serde_json::to_value(report)?);
    }
    for (name, value) in numbers {
        fields.insert((*name).to_owned(), (*value).into());
    }
    Ok(fields.into())
}
