//! Stored forms. A stored form is a promise: what one version wrote, every later version reads.
//!
//! Each record carries the number of its format. A change of [`Event`] that reads all older records the
//! same (a new variant, a new field with `#[serde(default)]`) keeps the number; anything else adds a
//! format here and converts on reading. `golden/` holds one record of each kind as it was first written,
//! and the tests read them all.

use rusqlite::{Row, types::FromSql};

use super::{Error, TicketDetail};
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
pub(super) const ENTRY_COLUMNS: &str = "sequence, at, actor, kind, format, body";

/// Reads a journal row of [`ENTRY_COLUMNS`].
pub(super) fn entry(workspace: &WorkspaceId, row: &Row<'_>) -> Result<Entry, Error> {
    let reader = Record { table: "journal", workspace, number: row.get(0)?, row };
    let kind = row.get_ref(3)?.as_str().map_err(|_| reader.damaged("the kind"))?;
    let body = row.get_ref(5)?.as_str().map_err(|_| reader.damaged("the body"))?;
    let event = decode(row.get(4)?, kind, body).map_err(|what| reader.damaged(what))?;
    Ok(Entry {
        sequence: reader.unsigned(0)?,
        at: UnixMillis(row.get(1)?),
        actor: reader.identifier(2)?,
        event,
    })
}

/// A row being read, with what an error needs to name it.
pub(super) struct Record<'a> {
    /// The table it comes from.
    pub(super) table: &'static str,
    /// The workspace it belongs to.
    pub(super) workspace: &'a WorkspaceId,
    /// Its sequence or ticket number.
    pub(super) number: i64,
    /// The row.
    pub(super) row: &'a Row<'a>,
}

impl Record<'_> {
    /// Returns the error for a part that cannot be read.
    pub(super) fn damaged(&self, what: &'static str) -> Error {
        let workspace = self.workspace.to_string();
        Error::Damaged { table: self.table, workspace, number: self.number, what }
    }

    /// Reads a column as it is.
    pub(super) fn plain<T: FromSql>(&self, column: usize) -> Result<T, Error> {
        self.row.get(column).map_err(|_| self.damaged("a column"))
    }

    /// Reads a number that is not negative and fits.
    pub(super) fn unsigned<T: TryFrom<i64>>(&self, column: usize) -> Result<T, Error> {
        let value: i64 = self.plain(column)?;
        T::try_from(value).map_err(|_| self.damaged("a number"))
    }

    /// Reads a number that is not negative and fits, or nothing.
    pub(super) fn unsigned_or_none<T: TryFrom<i64>>(
        &self,
        column: usize,
    ) -> Result<Option<T>, Error> {
        let value: Option<i64> = self.plain(column)?;
        value.map(|value| T::try_from(value).map_err(|_| self.damaged("a number"))).transpose()
    }

    /// Reads a time, or nothing.
    pub(super) fn time_or_none(&self, column: usize) -> Result<Option<UnixMillis>, Error> {
        Ok(self.plain::<Option<i64>>(column)?.map(UnixMillis))
    }

    /// Reads an identifier, or nothing.
    pub(super) fn identifier<T: TryFrom<String>>(&self, column: usize) -> Result<Option<T>, Error> {
        let value: Option<String> = self.plain(column)?;
        value.map(|value| T::try_from(value).map_err(|_| self.damaged("an identifier"))).transpose()
    }

    /// Reads a status.
    pub(super) fn status(&self, column: usize) -> Result<Status, Error> {
        let text: String = self.plain(column)?;
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

/// Returns a number as SQLite keeps it. Sequence numbers never come near the limit.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
