//! Logs of decisions and counterfactual pairs from CSV files, for `fairness`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    classifier::rows::{self, Row, RowsError},
    fairness::{
        Elapsed,
        audit::{Decision, Log, ScorePair},
    },
};

/// The column without which there is no decision.
const SELECTED: &str = "y_pred";
/// The other columns, in the order of [`Columns`]. What needs a column that is not there is undefined.
const OTHERS: [&str; 9] = [
    "y_true",
    "score",
    "wait_seconds",
    "assigned",
    "sla_breached",
    "reassigned",
    "resolved_first_contact",
    "agent_id",
    "angry",
];
/// The columns of a file of pairs.
const PAIRS: [&str; 3] = ["axis", "score_a", "score_b"];
/// Longest part of a wrong value that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 32;

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecisionsError {
    /// The file or a column of it.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A cell is not what its column allows.
    #[error("{}: line {line}: column {column} is {value:?}; allowed is {allowed}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line on which the row starts.
        line: u64,
        /// The column.
        column: String,
        /// The cell, cut.
        value: String,
        /// What would have done.
        allowed: &'static str,
    },
    /// There is nothing to measure.
    #[error("{}: no row below the header", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// A log, and what it does not have.
#[derive(Debug)]
pub struct Read {
    /// The log.
    pub log: Log,
    /// Columns that are not there.
    pub missing: Vec<&'static str>,
}

/// Reads a log of decisions with the named attributes.
///
/// # Errors
/// [`DecisionsError`] names the file, and the column that is missing or the cell that is wrong.
pub fn read(path: &Path, attributes: &[String]) -> Result<Read, DecisionsError> {
    let there = header(path)?;
    let (present, missing): (Vec<_>, Vec<_>) =
        OTHERS.into_iter().partition(|column| there.iter().any(|name| name == column));
    let columns: Vec<&str> =
        attributes.iter().map(String::as_str).chain(present.iter().copied()).collect();
    let rows = filled(path, rows::read(path, SELECTED, &columns)?)?;
    let decision = |row: &Row| {
        let (groups, values) = row.values.split_at(attributes.len());
        let cells = Cells {
            path,
            line: row.line,
            by_column: present.iter().copied().zip(values.iter().map(String::as_str)).collect(),
        };
        cells.decision(&row.text, groups)
    };
    let decisions = rows.iter().map(decision).collect::<Result<_, _>>()?;
    Ok(Read { log: Log { attributes: attributes.to_vec(), decisions }, missing })
}

/// Reads counterfactual pairs by axis.
///
/// # Errors
/// [`DecisionsError`] names the file, and the column that is missing or the cell that is wrong.
pub fn read_pairs(path: &Path) -> Result<BTreeMap<String, Vec<ScorePair>>, DecisionsError> {
    let rows = filled(path, rows::read(path, PAIRS[0], &PAIRS[1..])?)?;
    let mut axes: BTreeMap<String, Vec<ScorePair>> = BTreeMap::new();
    for row in rows {
        let by_column = PAIRS[1..].iter().copied().zip(row.values.iter().map(String::as_str));
        let cells = Cells { path, line: row.line, by_column: by_column.collect() };
        if row.text.is_empty() {
            return Err(cells.wrong(PAIRS[0], "", "the name of what was swapped"));
        }
        let score = |column: &'static str| {
            let found = cells.score(column)?;
            found.ok_or_else(|| cells.wrong(column, "", SCORE_ALLOWED))
        };
        let pair = ScorePair { score_a: score(PAIRS[1])?, score_b: score(PAIRS[2])? };
        axes.entry(row.text).or_default().push(pair);
    }
    Ok(axes)
}

fn filled(path: &Path, rows: Vec<Row>) -> Result<Vec<Row>, DecisionsError> {
    if rows.is_empty() { Err(DecisionsError::Empty { path: path.to_owned() }) } else { Ok(rows) }
}

/// Returns the names of the columns.
fn header(path: &Path) -> Result<Vec<String>, RowsError> {
    let failed = |source: csv::Error| RowsError::Csv { path: path.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(failed)?;
    let names = reader.byte_headers().map_err(failed)?;
    let name = |field: &[u8]| {
        String::from_utf8_lossy(field).trim_start_matches('\u{feff}').trim().to_owned()
    };
    Ok(names.iter().map(name).collect())
}

const FLAG_ALLOWED: &str = "0, 1 or nothing";
const SCORE_ALLOWED: &str = "a number from 0 to 1";
const WAIT_ALLOWED: &str = "a number of seconds, 0 or more, or nothing";

/// The cells of a row.
struct Cells<'a> {
    path: &'a Path,
    line: u64,
    by_column: BTreeMap<&'static str, &'a str>,
}

impl Cells<'_> {
    fn decision(&self, selected: &str, groups: &[String]) -> Result<Decision, DecisionsError> {
        let selected = self
            .parse_flag(SELECTED, selected)?
            .ok_or_else(|| self.wrong(SELECTED, "", "0 or 1"))?;
        let assigned = self.flag("assigned")?;
        let declared = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
        Ok(Decision {
            groups: groups.iter().map(declared).collect(),
            selected,
            label: self.flag("y_true")?,
            score: self.score("score")?,
            wait: self.wait(assigned)?,
            assigned: assigned == Some(true),
            target_breached: self.flag("sla_breached")?,
            reassigned: self.flag("reassigned")?,
            first_contact: self.flag("resolved_first_contact")?,
            agent: Some(self.cell("agent_id").to_owned()).filter(|agent| !agent.is_empty()),
            angry: self.flag("angry")? == Some(true),
        })
    }

    fn cell(&self, column: &str) -> &str {
        self.by_column.get(column).copied().unwrap_or_default()
    }

    fn flag(&self, column: &'static str) -> Result<Option<bool>, DecisionsError> {
        self.parse_flag(column, self.cell(column))
    }

    /// Programs that know no empty whole number write 1.0 for 1.
    fn parse_flag(&self, column: &str, cell: &str) -> Result<Option<bool>, DecisionsError> {
        match cell {
            "" => Ok(None),
            "0" | "0.0" => Ok(Some(false)),
            "1" | "1.0" => Ok(Some(true)),
            _ => Err(self.wrong(column, cell, FLAG_ALLOWED)),
        }
    }

    fn number(
        &self,
        column: &str,
        allowed: &'static str,
        within: impl Fn(f64) -> bool,
    ) -> Result<Option<f64>, DecisionsError> {
        let cell = self.cell(column);
        if cell.is_empty() {
            return Ok(None);
        }
        let number = cell.parse().ok().filter(|number| within(*number));
        number.map(Some).ok_or_else(|| self.wrong(column, cell, allowed))
    }

    fn score(&self, column: &str) -> Result<Option<f64>, DecisionsError> {
        self.number(column, SCORE_ALLOWED, |score| (0.0..=1.0).contains(&score))
    }

    fn wait(&self, assigned: Option<bool>) -> Result<Option<Elapsed>, DecisionsError> {
        let possible = |secs: f64| secs.is_finite() && secs >= 0.0;
        let Some(secs) = self.number("wait_seconds", WAIT_ALLOWED, possible)? else {
            return Ok(None);
        };
        // Without knowing whether the wait was over, it says nothing.
        let allowed = "0 or 1 where wait_seconds is given";
        let assigned = assigned.ok_or_else(|| self.wrong("assigned", "", allowed))?;
        // Adding nothing turns a minus zero into a zero, which it equals and sorts before.
        Ok(Some(Elapsed { secs: secs + 0.0, assigned }))
    }

    fn wrong(&self, column: &str, value: &str, allowed: &'static str) -> DecisionsError {
        DecisionsError::Cell {
            path: self.path.to_owned(),
            line: self.line,
            column: column.to_owned(),
            value: value.chars().take(SHOWN_CHARS_MAX).collect(),
            allowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn reading(text: &str) -> Result<Read, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let found = read(file.path(), &["language".to_owned()]);
        found.map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
    }

    #[test]
    fn what_is_empty_is_not_known_and_what_is_not_there_is_named() {
        let read = reading("language,y_pred,y_true,score\nen,1.0,,0.25\n,0,1,\n").unwrap();
        assert_eq!(read.missing.first(), Some(&"wait_seconds"));
        let [first, second] = &read.log.decisions[..] else { panic!("two rows") };
        assert_eq!((first.group(0), first.selected, first.label), (Some("en"), true, None));
        assert_eq!((first.score, first.wait, first.target_breached), (Some(0.25), None, None));
        assert_eq!((second.group(0), second.selected, second.label), (None, false, Some(true)));
    }

    #[test]
    fn a_wrong_cell_is_named_with_file_line_column_value_and_what_is_allowed() {
        let cases = [
            ("y_pred\n1\nyes\n", "line 3: column y_pred is \"yes\"; allowed is 0, 1 or nothing"),
            ("y_pred\n1\n\"\"\n", "line 3: column y_pred is \"\"; allowed is 0 or 1"),
            (
                "y_pred,score\n1,1.5\n",
                "line 2: column score is \"1.5\"; allowed is a number from 0 to 1",
            ),
            (
                "y_pred,wait_seconds,assigned\n1,-5,1\n",
                "line 2: column wait_seconds is \"-5\"; allowed is a number of seconds, 0 or more, or nothing",
            ),
            (
                "y_pred,wait_seconds,assigned\n1,5,\n",
                "line 2: column assigned is \"\"; allowed is 0 or 1 where wait_seconds is given",
            ),
        ];
        for (text, expected) in cases {
            let with_group: String =
                text.lines()
                    .enumerate()
                    .map(|(at, line)| {
                        if at == 0 { format!("language,{line}\n") } else { format!("en,{line}\n") }
                    })
                    .collect();
            assert_eq!(reading(&with_group).unwrap_err(), format!("FILE: {expected}"));
        }
        let missing = reading("y_pred\n1\n").unwrap_err();
        assert_eq!(missing, "FILE: no column language; there are y_pred");
        assert_eq!(reading("language,y_pred\n").unwrap_err(), "FILE: no row below the header");
    }

    #[test]
    fn pairs_need_an_axis_and_two_scores() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"axis,score_a,score_b\nname,0.5,0.25\nname,0.5,\n").unwrap();
        let error = read_pairs(file.path()).unwrap_err().to_string();
        let expected = "line 3: column score_b is \"\"; allowed is a number from 0 to 1";
        assert!(error.ends_with(expected), "{error}");
    }
}
