//! Stored forms. A stored form is a promise: what one version wrote, every later version reads.
//!
//! Each record carries the number of its format. A change of [`Event`] that reads all older records the
//! same (a new variant, a new field with `#[serde(default)]`) keeps the number; anything else adds a
//! format here and converts on reading. `golden/` holds one record of each kind as it was first written,
//! and the tests read them all.

use std::borrow::Cow;

use super::{
    Error, TicketDetail, checksum,
    database::{
        Mistyped, Row,
        Type::{self, Integer, Text},
        Value,
    },
};
use crate::domain::{
    event::{Entry, Event},
    id::WorkspaceId,
    ticket::{Outcome, Status},
    time::UnixMillis,
};

/// How bodies are written now: the JSON that serde derives.
pub(super) const FORMAT: i64 = 1;

/// Returns the body of a journal record.
pub(super) fn encode(event: &Event) -> Result<String, Error> {
    if is_finite(event) {
        serde_json::to_string(event).map_err(|_| Error::NotFinite { kind: event.name() })
    } else {
        // JSON has no infinity: it would be written as null, and the journal could not be read again.
        Err(Error::NotFinite { kind: event.name() })
    }
}

fn is_finite(event: &Event) -> bool {
    match event {
        Event::TicketRead { reading, .. } => reading.is_finite(),
        Event::PolicySet { policy } => policy.intent_confidence_min.is_finite(),
        _ => true,
    }
}

/// Reads the body of a journal record; says what is wrong without quoting it.
pub(super) fn decode(format: i64, kind: &str, body: &str) -> Result<Event, &'static str> {
    if format != FORMAT {
        return Err("the format");
    }
    let event: Event = serde_json::from_str(body).map_err(|_| "the body")?;
    if event.name() == kind { Ok(event) } else { Err("the kind") }
}

/// Returns the body of a ticket's wide part.
pub(super) fn encode_detail(detail: &TicketDetail) -> Result<String, Error> {
    serde_json::to_string(detail).map_err(|_| Error::NotFinite { kind: "ticket" })
}

/// Reads the body of a ticket's wide part.
pub(super) fn decode_detail(format: i64, body: &str) -> Result<TicketDetail, &'static str> {
    if format != FORMAT {
        return Err("the format");
    }
    serde_json::from_str(body).map_err(|_| "the body")
}

/// Returns how an outcome is stored.
pub(super) fn encode_outcome(outcome: &Outcome) -> Result<String, Error> {
    serde_json::to_string(outcome).map_err(|_| Error::NotFinite { kind: "outcome" })
}

/// The columns that [`entry`] reads, in order.
pub(super) const ENTRY_COLUMNS: &str =
    "sequence, at, kind, ticket, agent, actor, format, body, checksum";

/// Reads a journal row of [`ENTRY_COLUMNS`].
pub(super) fn entry(workspace: &WorkspaceId, row: &Row<'_>) -> Result<Entry, Error> {
    let record = Record::new("journal", workspace, row)?;
    let [ticket, agent] = [record.optional_text(3)?, record.optional_text(4)?];
    let columns = [Integer, Integer, Text, Text, Text, Text, Integer, Text];
    record.check(&columns, 8)?;
    let event = decode(record.integer(6)?, &record.text(2)?, &record.text(7)?)
        .map_err(|what| record.damaged(what))?;
    let same = event.ticket().map(|ticket| ticket.as_str()) == ticket.as_deref()
        && event.agent().map(|agent| agent.as_str()) == agent.as_deref();
    if !same {
        return Err(record.damaged("the ticket or the agent"));
    }
    Ok(Entry {
        sequence: record.unsigned(0)?,
        at: UnixMillis(record.integer(1)?),
        actor: record.identifier(5)?,
        event,
    })
}

/// A row being read, with what an error needs to name it.
pub(super) struct Record<'a> {
    /// The table it comes from.
    table: &'static str,
    /// The workspace it belongs to.
    pub(super) workspace: &'a WorkspaceId,
    /// Its sequence or ticket number.
    pub(super) number: i64,
    /// The row.
    row: &'a Row<'a>,
}

impl<'a> Record<'a> {
    /// Begins to read a row that begins with its sequence or ticket number.
    pub(super) fn new(
        table: &'static str,
        workspace: &'a WorkspaceId,
        row: &'a Row<'a>,
    ) -> Result<Self, Error> {
        let mut record = Self { table, workspace, number: 0, row };
        record.number = record.integer(0)?;
        Ok(record)
    }

    /// Returns the error for a part that cannot be read.
    pub(super) fn damaged(&self, what: &'static str) -> Error {
        let workspace = self.workspace.to_string();
        Error::Damaged { table: self.table, workspace, number: self.number, what }
    }

    fn value(&self, column: usize, kind: Type) -> Result<Value<'_>, Error> {
        self.row.value(column, kind).map_err(|Mistyped| self.damaged("a column"))
    }

    /// Checks that the workspace and the first columns have the checksum in column `at`; what was written
    /// before there were checksums has none.
    pub(super) fn check(&self, kinds: &[Type], at: usize) -> Result<(), Error> {
        let columns = (0..kinds.len()).collect::<Vec<_>>();
        self.check_columns(&columns, kinds, at)
    }

    /// Checks the same for columns that stand elsewhere.
    pub(super) fn check_columns(
        &self,
        columns: &[usize],
        kinds: &[Type],
        at: usize,
    ) -> Result<(), Error> {
        let Value::Integer(expected) = self.value(at, Integer)? else { return Ok(()) };
        let mut values = vec![self.workspace.as_str().into()];
        for (column, kind) in columns.iter().zip(kinds) {
            values.push(self.value(*column, *kind)?);
        }
        if checksum::of(&values) == expected { Ok(()) } else { Err(self.damaged("the checksum")) }
    }

    /// Reads a number.
    pub(super) fn integer(&self, column: usize) -> Result<i64, Error> {
        self.optional_integer(column)?.ok_or_else(|| self.damaged("a number"))
    }

    fn optional_integer(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.value(column, Integer)? {
            Value::Integer(number) => Ok(Some(number)),
            _ => Ok(None),
        }
    }

    /// Reads a text.
    pub(super) fn text(&self, column: usize) -> Result<Cow<'_, str>, Error> {
        self.optional_text(column)?.ok_or_else(|| self.damaged("a text"))
    }

    /// Reads a text, or nothing.
    pub(super) fn optional_text(&self, column: usize) -> Result<Option<Cow<'_, str>>, Error> {
        match self.value(column, Text)? {
            Value::Text(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    /// Reads bytes.
    pub(super) fn bytes(&self, column: usize) -> Result<Cow<'_, [u8]>, Error> {
        match self.value(column, Type::Bytes)? {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.damaged("bytes")),
        }
    }

    /// Reads a number that is not negative and fits.
    pub(super) fn unsigned<T: TryFrom<i64>>(&self, column: usize) -> Result<T, Error> {
        T::try_from(self.integer(column)?).map_err(|_| self.damaged("a number"))
    }

    /// Reads a number that is not negative and fits, or nothing.
    pub(super) fn optional_unsigned<T: TryFrom<i64>>(
        &self,
        column: usize,
    ) -> Result<Option<T>, Error> {
        let value = self.optional_integer(column)?;
        value.map(|value| T::try_from(value).map_err(|_| self.damaged("a number"))).transpose()
    }

    /// Reads a truth value, or nothing.
    pub(super) fn optional_flag(&self, column: usize) -> Result<Option<bool>, Error> {
        match self.optional_integer(column)? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(_) => Err(self.damaged("a truth value")),
        }
    }

    /// Reads a time, or nothing.
    pub(super) fn optional_time(&self, column: usize) -> Result<Option<UnixMillis>, Error> {
        Ok(self.optional_integer(column)?.map(UnixMillis))
    }

    /// Reads an identifier, or nothing.
    pub(super) fn identifier<T: TryFrom<String>>(&self, column: usize) -> Result<Option<T>, Error> {
        let value = self.optional_text(column)?.map(Cow::into_owned);
        value.map(|value| T::try_from(value).map_err(|_| self.damaged("an identifier"))).transpose()
    }

    /// Reads a status.
    pub(super) fn status(&self, column: usize) -> Result<Status, Error> {
        let text = self.text(column)?;
        STATUSES
            .into_iter()
            .find(|status| status_text(*status) == text)
            .ok_or_else(|| self.damaged("the status"))
    }
}

const STATUSES: [Status; 6] = [
    Status::Received,
    Status::Queued,
    Status::Offered,
    Status::Assigned,
    Status::Completed,
    Status::Cancelled,
];

/// Returns how a status is stored.
pub(super) fn status_text(status: Status) -> &'static str {
    match status {
        Status::Received => "received",
        Status::Queued => "queued",
        Status::Offered => "offered",
        Status::Assigned => "assigned",
        Status::Completed => "completed",
        Status::Cancelled => "cancelled",
    }
}
