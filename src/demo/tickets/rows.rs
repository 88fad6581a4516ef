//! From the bytes of a CSV file to rows.

use super::{FileError, Row, Skipped, Tickets, columns::Columns};
use csv::{ByteRecord, ReaderBuilder};

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// Turns the bytes of a file into tickets; the file's name is for the caller to add.
pub(super) fn parse(bytes: &[u8]) -> Result<Tickets, FileError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(FileError::Utf16);
    }
    let mut records = Records::new(bytes.strip_prefix(UTF8_BOM).unwrap_or(bytes));
    let header = records.next().ok_or(FileError::Empty)?;
    let columns = Columns::find(&header.fields)?;
    let mut tickets = Tickets {
        name: String::new(),
        rows: Vec::new(),
        skipped: Vec::new(),
        segment_attributes: columns.segment_attributes(),
        ignored_columns: columns.ignored.clone(),
        embedded: false,
    };
    for record in records {
        let line = record.line;
        match columns.row(&record) {
            Ok((ticket, truth)) => tickets.rows.push(Row { line, ticket, truth }),
            Err(reason) => tickets.skipped.push(Skipped { line, reason }),
        }
    }
    if tickets.row_count() == 0 { Err(FileError::NoRows) } else { Ok(tickets) }
}

/// One record of the file.
pub(super) struct Record {
    /// Line on which it begins, from 1.
    pub(super) line: u64,
    /// Its cells.
    pub(super) fields: ByteRecord,
    /// Whether a quote opened in it is not closed where a cell ends.
    pub(super) quote_open: bool,
}

/// The records of a file. Empty lines are none.
///
/// A quote that is not closed would swallow the lines up to the next quote; so its line is one bad
/// record, and reading starts anew on the next line.
struct Records<'a> {
    bytes: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    /// Where the reader began.
    base: usize,
    /// Up to where lines are counted, and the line there.
    counted: (usize, u64),
}

impl<'a> Records<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, reader: reader(bytes), base: 0, counted: (0, 1) }
    }

    /// Returns the line of a byte at or after the last one asked for.
    fn line_of(&mut self, at: usize) -> u64 {
        let (from, mut line) = self.counted;
        for index in from..at {
            let byte = self.bytes[index];
            let lone_return = byte == b'\r' && self.bytes.get(index + 1) != Some(&b'\n');
            line += u64::from(byte == b'\n' || lone_return);
        }
        self.counted = (at, line);
        line
    }

    /// Returns up to where records were read.
    fn read_so_far(&self) -> usize {
        let read = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        self.base.saturating_add(read).min(self.bytes.len())
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        // The reader steps over line ends before a record, so its own line numbers are too low.
        let start = self.read_so_far();
        let start = start + self.bytes[start..].iter().take_while(|byte| ends_line(**byte)).count();
        let mut fields = ByteRecord::new();
        // Reading from memory with any number of fields allowed does not fail.
        if !self.reader.read_byte_record(&mut fields).unwrap_or(false) {
            return None;
        }
        let line = self.line_of(start);
        let record = &self.bytes[start..self.read_so_far()];
        let quote_open = swallows_lines(record);
        if quote_open {
            let line_length = record.iter().position(|byte| ends_line(*byte));
            self.base = start + line_length.unwrap_or(record.len());
            self.reader = reader(&self.bytes[self.base..]);
        }
        Some(Record { line, fields, quote_open })
    }
}

fn reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes)
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Returns whether a quote swallowed lines: it opens a cell, and the next quote, in the middle of a
/// cell further down, or the end of the file, closes it.
fn swallows_lines(record: &[u8]) -> bool {
    if !record.trim_ascii_end().iter().any(|byte| ends_line(*byte)) {
        return false;
    }
    let ends_cell = |byte: Option<&u8>| byte.is_none_or(|byte| *byte == b',' || ends_line(*byte));
    let mut rest = record;
    loop {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            let Some(length) = quoted_length(quoted) else { return true };
            rest = &quoted[length..];
            if !ends_cell(rest.first()) {
                return true;
            }
        }
        match rest.iter().position(|byte| *byte == b',') {
            Some(comma) => rest = &rest[comma + 1..],
            None => return false,
        }
    }
}

/// Returns the length of a quoted cell after its opening quote, with the closing one.
fn quoted_length(cell: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += cell[at..].iter().position(|byte| *byte == b'"')? + 1;
        if cell.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}
