//! Texts and labels from CSV files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Why a file of texts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The file could not be opened or read.
    #[error("{}: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// A column is missing.
    #[error("{}: no column {column}; there are {}", path.display(), there.join(", "))]
    Column {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        column: String,
        /// The columns there.
        there: Vec<String>,
    },
}

/// One row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Line on which it starts, from 1.
    pub line: u64,
    /// The text; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// The other columns asked for, in their order, without space around; empty where a row is short.
    pub values: Vec<String>,
}

/// Reads the text column and others of a CSV file with a header.
///
/// # Errors
/// [`RowsError`] names the file, and the column that is missing.
pub fn read(path: &Path, text_column: &str, columns: &[&str]) -> Result<Vec<Row>, RowsError> {
    let failed = |source: csv::Error| RowsError::Csv { path: path.to_owned(), source };
    let file = fs::read(path).map_err(|source| failed(source.into()))?;
    let mut lines = Lines { file: &file, byte: 0, line: 1 };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file.as_slice());
    let header = reader.byte_headers().map_err(failed)?;
    let header: Vec<String> = header
        .iter()
        .map(|field| {
            String::from_utf8_lossy(field).trim_start_matches('\u{feff}').trim().to_owned()
        })
        .collect();
    let place = |column: &str| {
        header.iter().position(|name| name == column).ok_or_else(|| RowsError::Column {
            path: path.to_owned(),
            column: column.to_owned(),
            there: header.clone(),
        })
    };
    let text_place = place(text_column)?;
    let places = columns.iter().map(|column| place(column)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let field = |place: usize| {
            record.get(place).map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned())
        };
        rows.push(Row {
            line: record.position().map_or(0, |start| lines.at(start.byte())),
            text: field(text_place).unwrap_or_default(),
            values: places.iter().map(|place| field(*place).unwrap_or_default()).collect(),
        });
    }
    Ok(rows)
}

/// Counts the lines of a file as an editor shows them. The parser's own count leaves out the empty
/// lines before a row, and lags by one where lines end in CR LF.
struct Lines<'a> {
    file: &'a [u8],
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    /// Returns the line of the first character at or after a byte; bytes are asked for in order.
    fn at(&mut self, byte: u64) -> u64 {
        let start = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(now) = self.file.get(self.byte) {
            let ends = match (now, self.file.get(self.byte + 1)) {
                (b'\n', _) => true,
                (b'\r', next) => next != Some(&b'\n'),
                _ if self.byte >= start => break,
                _ => false,
            };
            self.line += u64::from(ends);
            self.byte += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn odd_rows_are_read_and_a_missing_column_is_named() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"\xef\xbb\xbftext,label\n\"two\nlines\", a \nshort\n\xff\xfe,b,more\n")
            .unwrap();
        let rows = read(file.path(), "text", &["label"]).unwrap();
        let found: Vec<_> =
            rows.iter().map(|r| (r.line, r.text.as_str(), r.values[0].as_str())).collect();
        assert_eq!(found, [(2, "two\nlines", "a"), (4, "short", ""), (5, "\u{fffd}\u{fffd}", "b")]);
        let error = read(file.path(), "body", &[]).unwrap_err().to_string();
        assert!(error.ends_with("no column body; there are text, label"), "{error}");
    }
    #[test]
    fn a_row_is_named_by_the_line_an_editor_shows() {
        for ending in ["\n", "\r\n"] {
            let lines = ["text,label", "first,a", "", "\"two", "lines\",b", "", "", "last,c"];
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(lines.join(ending).as_bytes()).unwrap();
            let rows = read(file.path(), "text", &["label"]).unwrap();
            let found: Vec<_> = rows.iter().map(|r| (r.line, r.values[0].as_str())).collect();
            assert_eq!(found, [(2, "a"), (4, "b"), (8, "c")], "{ending:?}");
        }
    }
}
