//! Labelled texts on the command line, for `train` and `evaluate`.

use std::{collections::BTreeMap, path::Path, str::FromStr};

use super::{Format, output};
use crate::classifier::{
    evaluate::{HeadReport, Truth},
    heads::INTENT,
    rows::{self, RowsError},
    train::own::Labelled,
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

/// Reads the rows that have a text; the others are counted on standard error. `segment` is a further
/// column, to measure by.
///
/// # Errors
/// [`RowsError`] names the file, and the column that is missing.
pub fn read(
    path: &Path,
    text_column: &str,
    heads: &[HeadColumn],
    out_of_scope_label: Option<&str>,
    segment: Option<&str>,
) -> Result<Labelled, RowsError> {
    let columns = heads.iter().map(|head| head.column.as_str());
    let columns: Vec<&str> = columns.chain(segment).collect();
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
        if segment.is_some() {
            labelled.segments.extend(values.pop());
        }
        for (head, value) in heads.iter().zip(values) {
            let truth = truth(head, value, out_of_scope_label);
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

fn truth(head: &HeadColumn, value: String, out_of_scope_label: Option<&str>) -> Truth {
    if value.is_empty() {
        Truth::Unlabelled
    } else if head.head == INTENT && Some(value.as_str()) == out_of_scope_label {
        Truth::OutOfScope
    } else {
        Truth::Label(value)
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
