//! Tickets from a CSV file: every row becomes a ticket, or is named by its line with the reason why not.
//!
//! Somebody's own file is private: no message here quotes a cell.

mod columns;
mod rows;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::{api::v1, domain::limits};

/// The tickets written for this demo, with the labels we gave them.
const EMBEDDED: &[u8] = include_bytes!("tickets.csv");
/// Their name in messages.
pub(super) const EMBEDDED_NAME: &str = "demo/tickets.csv";
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Channel of a row that names none.
const CHANNEL_DEFAULT: &str = "email";

/// What a CSV file held.
#[derive(Debug)]
pub(super) struct Tickets {
    /// What the file is called.
    pub(super) name: String,
    /// Rows that are tickets, in the order of the file.
    pub(super) rows: Vec<Row>,
    /// Rows that can't be one.
    pub(super) skipped: Vec<Skipped>,
    /// Segment attributes found in the columns, at most [`limits::SEGMENTS_MAX`].
    pub(super) segment_attributes: Vec<String>,
    /// Segment columns that are not used, and why.
    pub(super) ignored_columns: Vec<String>,
    /// Whether these are the demo's own tickets, whose text may be shown.
    pub(super) embedded: bool,
}

/// A row that is a ticket.
#[derive(Debug)]
pub(super) struct Row {
    /// Line of the file on which it begins, from 1.
    pub(super) line: u64,
    /// The ticket.
    pub(super) ticket: v1::NewTicket,
    /// What whoever wrote the ticket says it is about.
    pub(super) truth: Truth,
}

/// The right answers, where the file has them. Only the simulated people and the agreement figures
/// see them; they are never sent with a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Truth {
    /// Column `truth_intent`.
    pub(super) intent: Option<String>,
    /// Column `truth_urgency`.
    pub(super) urgency: Option<String>,
    /// Column `truth_sentiment`.
    pub(super) sentiment: Option<String>,
    /// Column `truth_language`.
    pub(super) language: Option<String>,
}

/// A row that can't be a ticket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    /// Line of the file on which it begins, from 1.
    pub(super) line: u64,
    /// Why.
    pub(super) reason: Reason,
}

/// Why a row can't be a ticket.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    /// The row has more or fewer fields than the header.
    #[error("it has {found} fields, the header has {expected}")]
    FieldCount {
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// A quote is opened and not closed where a cell ends. Reading goes on at the next line.
    #[error("a quote is opened here and not closed")]
    QuoteOpen,
    /// A cell is not UTF-8.
    #[error("column {column:?} is not valid UTF-8")]
    NotUtf8 {
        /// Its column.
        column: String,
    },
    /// Neither subject nor text holds a visible character.
    #[error("there is no visible character in its text")]
    Invisible,
    /// A cell is too long.
    #[error("column {column:?} has {chars} characters, at most {max} are allowed")]
    TooLong {
        /// Its column.
        column: String,
        /// Its length.
        chars: usize,
        /// The limit.
        max: usize,
    },
    /// The server refused it.
    #[error("the server refused it: {0}")]
    Refused(String),
}

/// Why a file can't be used at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Read(#[from] io::Error),
    /// It is too large.
    #[error("it has more than {} MiB, the most that is read", FILE_BYTES_MAX >> 20)]
    TooLarge,
    /// It holds nothing.
    #[error("it is empty; it needs a header with the column `text` and at least one row")]
    Empty,
    /// It is UTF-16.
    #[error("it is UTF-16; save it as UTF-8")]
    Utf16,
    /// The header has no column `text`.
    #[error(
        "its first line names no column `text`; that column is needed, and optionally `subject`, `channel`, `customer` and any `segment_*`"
    )]
    NoTextColumn,
    /// The header names a column twice.
    #[error("its first line names the column {0:?} twice")]
    ColumnTwice(String),
    /// It has a header and nothing else.
    #[error("it has a header but no rows")]
    NoRows,
    /// It has rows, and none of them can be a ticket.
    #[error("none of its {0} rows can be a ticket")]
    NoTickets(usize),
}

/// Returns the tickets written for this demo.
///
/// # Errors
/// Never with the file that was built in.
pub(super) fn embedded() -> Result<Tickets, FileError> {
    Ok(Tickets { name: EMBEDDED_NAME.to_owned(), embedded: true, ..rows::parse(EMBEDDED)? })
}

/// Reads the tickets of a file.
///
/// # Errors
/// [`FileError`] when the file as a whole can't be used; single rows never fail.
pub(super) fn read(path: &Path) -> Result<Tickets, FileError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(FileError::TooLarge);
    }
    Ok(Tickets { name: path.display().to_string(), ..rows::parse(&bytes)? })
}

impl Tickets {
    /// Returns how many rows the file had.
    pub(super) fn row_count(&self) -> usize {
        self.rows.len() + self.skipped.len()
    }

    /// Returns whether rows carry labels to compare the model with.
    pub(super) fn has_truth(&self) -> bool {
        self.rows.iter().any(|row| row.truth != Truth::default())
    }
}

/// Returns the visible characters of a text: what is left of it in any normalisation of white space.
pub(super) fn essence(text: &str) -> String {
    text.chars().filter(|c| is_visible(*c)).collect()
}

/// Returns whether a character leaves a mark on a page.
fn is_visible(c: char) -> bool {
    let format_or_filler = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !c.is_whitespace() && !c.is_control() && !format_or_filler
}
