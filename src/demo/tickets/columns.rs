//! Which column of a CSV file holds what, and from a record to a ticket.

use std::collections::BTreeMap;

use csv::ByteRecord;

use super::{CHANNEL_DEFAULT, FileError, Reason, Truth, is_visible, limits, rows::Record, v1};

/// Prefix of the columns that hold segment attributes.
const SEGMENT_PREFIX: &str = "segment_";

/// Which column holds what.
pub(super) struct Columns {
    count: usize,
    text: Column,
    subject: Option<Column>,
    channel: Option<Column>,
    customer: Option<Column>,
    segments: Vec<Column>,
    /// Segment columns that are not used, and why.
    pub(super) ignored: Vec<String>,
    truth_intent: Option<Column>,
    truth_urgency: Option<Column>,
    truth_sentiment: Option<Column>,
    truth_language: Option<Column>,
}

impl Columns {
    /// Finds the columns in the header. Upper and lower case are the same.
    pub(super) fn find(header: &ByteRecord) -> Result<Self, FileError> {
        let names: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        if names.iter().all(String::is_empty) {
            return Err(FileError::Empty);
        }
        let one = |wanted: &str| {
            let index = names.iter().position(|name| name.eq_ignore_ascii_case(wanted))?;
            Some(Column { index, name: wanted.to_owned() })
        };
        let (segments, ignored) = segment_columns(&names);
        let columns = Self {
            count: names.len(),
            text: one("text").ok_or(FileError::NoTextColumn)?,
            subject: one("subject"),
            channel: one("channel"),
            customer: one("customer"),
            segments,
            ignored,
            truth_intent: one("truth_intent"),
            truth_urgency: one("truth_urgency"),
            truth_sentiment: one("truth_sentiment"),
            truth_language: one("truth_language"),
        };
        columns.check_repeats(&names)?;
        Ok(columns)
    }

    /// Returns the segment attributes, in the order of their columns.
    pub(super) fn segment_attributes(&self) -> Vec<String> {
        self.segments.iter().map(|column| column.attribute().to_owned()).collect()
    }

    /// Makes a ticket of a record.
    pub(super) fn row(&self, record: &Record) -> Result<(v1::NewTicket, Truth), Reason> {
        let fields = &record.fields;
        if record.quote_open {
            return Err(Reason::QuoteOpen);
        }
        if fields.len() != self.count {
            return Err(Reason::FieldCount { found: fields.len(), expected: self.count });
        }
        let optional = |column: &Option<Column>, max| match column {
            Some(column) => column.bounded(fields, max),
            None => Ok(""),
        };
        let body = self.text.bounded(fields, limits::BODY_CHARS_MAX)?;
        let subject = optional(&self.subject, limits::SUBJECT_CHARS_MAX)?;
        let channel = optional(&self.channel, limits::CHANNEL_CHARS_MAX)?;
        let customer = optional(&self.customer, limits::CUSTOMER_CHARS_MAX)?;
        let segments = self.segments(fields)?;
        if !subject.chars().chain(body.chars()).any(is_visible) {
            return Err(Reason::Invisible);
        }
        let channel = if channel.is_empty() { CHANNEL_DEFAULT } else { channel };
        let ticket = v1::NewTicket {
            channel: channel.to_owned(),
            subject: subject.to_owned(),
            body: body.to_owned(),
            customer: customer.to_owned(),
            segments,
            ..v1::NewTicket::default()
        };
        Ok((ticket, self.truth(fields)))
    }

    fn check_repeats(&self, names: &[String]) -> Result<(), FileError> {
        let optional = [&self.subject, &self.channel, &self.customer];
        let used = optional.into_iter().flatten().chain([&self.text]).chain(&self.segments);
        for column in used {
            let same = names.iter().filter(|name| name.eq_ignore_ascii_case(&column.name));
            if same.count() > 1 {
                return Err(FileError::ColumnTwice(column.name.clone()));
            }
        }
        Ok(())
    }

    fn segments(&self, fields: &ByteRecord) -> Result<BTreeMap<String, String>, Reason> {
        let mut segments = BTreeMap::new();
        for column in &self.segments {
            let value = column.bounded(fields, limits::SEGMENT_VALUE_CHARS_MAX)?;
            if !value.is_empty() {
                segments.insert(column.attribute().to_owned(), value.to_owned());
            }
        }
        Ok(segments)
    }

    /// Returns the labels of a row; a label that is not UTF-8 is none.
    fn truth(&self, fields: &ByteRecord) -> Truth {
        let label = |column: &Option<Column>| {
            let cell = column.as_ref()?.cell(fields).ok()?.trim();
            (!cell.is_empty()).then(|| cell.to_lowercase())
        };
        Truth {
            intent: label(&self.truth_intent),
            urgency: label(&self.truth_urgency),
            sentiment: label(&self.truth_sentiment),
            language: label(&self.truth_language),
        }
    }
}

/// A column that is used.
struct Column {
    index: usize,
    name: String,
}

impl Column {
    /// Returns the attribute that a segment column holds.
    fn attribute(&self) -> &str {
        self.name.get(SEGMENT_PREFIX.len()..).unwrap_or_default()
    }

    /// Returns a cell.
    fn cell<'a>(&self, fields: &'a ByteRecord) -> Result<&'a str, Reason> {
        let bytes = fields.get(self.index).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8 { column: self.name.clone() })
    }

    /// Returns a cell of at most `max` characters, without the white space around it.
    fn bounded<'a>(&self, fields: &'a ByteRecord, max: usize) -> Result<&'a str, Reason> {
        let cell = self.cell(fields)?.trim();
        match cell.chars().count() {
            chars if chars > max => Err(Reason::TooLong { column: self.name.clone(), chars, max }),
            _ => Ok(cell),
        }
    }
}

/// Returns the segment columns, and those that can't be used with the reason.
fn segment_columns(names: &[String]) -> (Vec<Column>, Vec<String>) {
    let (mut segments, mut ignored) = (Vec::new(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        let prefix = name.get(..SEGMENT_PREFIX.len());
        if !prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(SEGMENT_PREFIX)) {
            continue;
        }
        let chars = name.chars().count() - SEGMENT_PREFIX.len();
        let position = index + 1;
        if !(1..=limits::ATTRIBUTE_NAME_CHARS_MAX).contains(&chars) {
            let max = limits::ATTRIBUTE_NAME_CHARS_MAX;
            ignored.push(format!(
                "column {position} is not used: the name after `{SEGMENT_PREFIX}` has {chars} characters, 1 to {max} are allowed"
            ));
        } else if segments.len() == limits::SEGMENTS_MAX {
            let max = limits::SEGMENTS_MAX;
            ignored.push(format!(
                "column {position} ({name:?}) is not used: at most {max} segment attributes are measured"
            ));
        } else {
            segments.push(Column { index, name: name.clone() });
        }
    }
    (segments, ignored)
}
