//! Questions about tickets: one, lists, texts to read, facts to measure.

use std::collections::BTreeMap;

use rusqlite::{Row, params};

use super::{
    Error, Key, Snapshot, TicketDetail, TicketRow,
    records::{self, Record, integer, status_text},
};
use crate::domain::{
    facts::TicketFacts,
    id::{TicketId, WorkspaceId},
    ticket::{Outcome, Payload, Resolution, Status},
    time::UnixMillis,
};

/// The columns that [`row`] reads, in order.
const COLUMNS: &str = "t.number, t.id, t.sequence, t.status, t.holder, t.assignee, t.epoch,
    t.offer_sequence, t.relaxation_step, t.received_at, t.assigned_at, t.closed_at,
    t.target_secs, t.fast_tracked, t.triaged, t.reassigned, t.outcome";
/// How many columns [`row`] reads.
const COLUMN_COUNT: usize = 17;

/// A ticket with everything that is known of it.
#[derive(Clone, Debug)]
pub struct StoredTicket {
    /// Where it stands.
    pub row: TicketRow,
    /// The wide part.
    pub detail: TicketDetail,
    /// What routing may not know.
    pub payload: Payload,
}

/// Which tickets to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct TicketQuery {
    /// Only in this status.
    pub status: Option<Status>,
    /// Only of this customer; never empty.
    pub customer: Option<String>,
    /// Only those with a lower number.
    pub before: Option<u64>,
    /// At most this many.
    pub limit: u32,
}

/// Returns a ticket.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn ticket(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    ticket: &TicketId,
) -> Result<Option<StoredTicket>, Error> {
    let query = format!(
        "SELECT {COLUMNS}, d.format, d.body, p.subject, p.body, p.customer
         FROM ticket t INDEXED BY ticket_id CROSS JOIN ticket_detail d USING (workspace, number)
         CROSS JOIN payload p USING (workspace, number)
         WHERE t.workspace = ?1 AND t.id = ?2"
    );
    let mut statement = snapshot.prepare_cached(&query)?;
    let mut rows = statement.query(params![workspace.as_str(), ticket.as_str()])?;
    match rows.next()? {
        Some(row) => Ok(Some(stored_ticket(snapshot, workspace, row)?)),
        None => Ok(None),
    }
}

/// Returns tickets, newest first.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn tickets(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    query: &TicketQuery,
) -> Result<Vec<StoredTicket>, Error> {
    // The outer table of the join, with its index, gives the order.
    let (outer, from, filter) = match (&query.customer, query.status) {
        // Not empty: only such customers are in the index.
        (Some(_), _) => (
            "p",
            "payload p INDEXED BY payload_customer CROSS JOIN ticket t",
            " AND p.customer = ?3 AND p.customer <> ''",
        ),
        (None, Some(_)) => ("t", "ticket t INDEXED BY ticket_status CROSS JOIN payload p", ""),
        (None, None) => ("t", "ticket t CROSS JOIN payload p", ""),
    };
    let status = if query.status.is_some() { " AND t.status = ?4" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS}, d.format, d.body, p.subject, p.body, p.customer
         FROM {from} ON (p.workspace = t.workspace AND p.number = t.number)
         CROSS JOIN ticket_detail d ON (d.workspace = t.workspace AND d.number = t.number)
         WHERE {outer}.workspace = ?1 AND {outer}.number < ?2{filter}{status}
         ORDER BY {outer}.number DESC LIMIT ?5"
    );
    let mut statement = snapshot.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        workspace.as_str(),
        integer(query.before.unwrap_or(u64::MAX)),
        query.customer,
        query.status.map(status_text),
        query.limit,
    ])?;
    let mut tickets = Vec::new();
    while let Some(row) = rows.next()? {
        tickets.push(stored_ticket(snapshot, workspace, row)?);
    }
    Ok(tickets)
}

/// Returns the payload of a ticket.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn payload(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    ticket: &TicketId,
) -> Result<Option<Payload>, Error> {
    let mut statement = snapshot.prepare_cached(
        "SELECT t.number, p.subject, p.body, p.customer
         FROM ticket t INDEXED BY ticket_id CROSS JOIN payload p USING (workspace, number)
         WHERE t.workspace = ?1 AND t.id = ?2",
    )?;
    let mut rows = statement.query(params![workspace.as_str(), ticket.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let record = Record { table: "payload", workspace, number: row.get(0)?, row };
    Ok(Some(stored_payload(snapshot, &record, 1)?))
}

/// Returns the texts to read of tickets, in their order; `None` for one that is not there.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn texts(snapshot: &Snapshot, tickets: &[Key<TicketId>]) -> Result<Vec<Option<String>>, Error> {
    tickets
        .iter()
        .map(|(workspace, ticket)| {
            Ok(payload(snapshot, workspace, ticket)?.map(|payload| payload.text()))
        })
        .collect()
}

/// Returns the facts of the tickets received in `start..end`, as they are at `now`, oldest first.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn facts(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    start: Option<UnixMillis>,
    end: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<Vec<TicketFacts>, Error> {
    let query = format!(
        "SELECT {COLUMNS}, s.attribute, s.value
         FROM ticket t INDEXED BY ticket_received LEFT JOIN segment s USING (workspace, number)
         WHERE t.workspace = ?1 AND t.received_at >= ?2 AND t.received_at < ?3
         ORDER BY t.received_at, t.number"
    );
    let mut statement = snapshot.prepare_cached(&query)?;
    let start = start.map_or(i64::MIN, |time| time.0);
    let end = end.map_or(i64::MAX, |time| time.0);
    let mut rows = statement.query(params![workspace.as_str(), start, end])?;
    let mut facts: Vec<TicketFacts> = Vec::new();
    let mut newest_number = None;
    while let Some(row) = rows.next()? {
        let record = Record { table: "ticket", workspace, number: row.get(0)?, row };
        if newest_number != Some(record.number) {
            newest_number = Some(record.number);
            facts.push(ticket_facts(self::row(&record)?, now));
        }
        let attribute: Option<String> = record.plain(COLUMN_COUNT)?;
        if let (Some(attribute), Some(ticket)) = (attribute, facts.last_mut()) {
            ticket.segments.insert(attribute, record.plain(COLUMN_COUNT + 1)?);
        }
    }
    Ok(facts)
}

/// Returns the rows of the tickets that are neither completed nor cancelled.
pub(super) fn open_rows(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
) -> Result<Vec<TicketRow>, Error> {
    let query = format!(
        "SELECT {COLUMNS} FROM ticket t INDEXED BY ticket_status WHERE t.workspace = ?1
         AND t.status IN ('received', 'queued', 'offered', 'assigned')"
    );
    let mut statement = snapshot.prepare_cached(&query)?;
    let mut rows = statement.query(params![workspace.as_str()])?;
    let mut tickets = Vec::new();
    while let Some(row) = rows.next()? {
        let record = Record { table: "ticket", workspace, number: row.get(0)?, row };
        tickets.push(self::row(&record)?);
    }
    Ok(tickets)
}

/// Reads the first [`COLUMN_COUNT`] columns.
fn row(record: &Record<'_>) -> Result<TicketRow, Error> {
    let ticket = record.identifier(1)?.ok_or_else(|| record.damaged("the identifier"))?;
    let outcome: Option<String> = record.plain(16)?;
    let outcome: Option<Outcome> = outcome
        .map(|body| serde_json::from_str(&body).map_err(|_| record.damaged("the outcome")))
        .transpose()?;
    Ok(TicketRow {
        number: record.unsigned(0)?,
        ticket,
        sequence: record.unsigned(2)?,
        status: record.status(3)?,
        holder: record.identifier(4)?,
        assignee: record.identifier(5)?,
        epoch: record.unsigned(6)?,
        offer_sequence: record.unsigned_or_none(7)?,
        relaxation_step: record.unsigned(8)?,
        received_at: UnixMillis(record.plain(9)?),
        assigned_at: record.time_or_none(10)?,
        closed_at: record.time_or_none(11)?,
        target_secs: record.unsigned_or_none(12)?,
        fast_tracked: record.plain(13)?,
        triaged: record.plain(14)?,
        reassigned: record.plain(15)?,
        outcome,
    })
}

fn stored_ticket(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    row: &Row<'_>,
) -> Result<StoredTicket, Error> {
    let record = Record { table: "ticket", workspace, number: row.get(0)?, row };
    let body: String = record.plain(COLUMN_COUNT + 1)?;
    let detail = records::decode_detail(record.plain(COLUMN_COUNT)?, &body)
        .map_err(|what| record.damaged(what))?;
    let payload = stored_payload(snapshot, &record, COLUMN_COUNT + 2)?;
    Ok(StoredTicket { row: self::row(&record)?, detail, payload })
}

/// Reads subject, body and customer from `column` on, and the segments of the same ticket.
fn stored_payload(
    snapshot: &Snapshot,
    record: &Record<'_>,
    column: usize,
) -> Result<Payload, Error> {
    let mut statement = snapshot.prepare_cached(
        "SELECT attribute, value FROM segment WHERE workspace = ?1 AND number = ?2",
    )?;
    let segments = statement
        .query_map(params![record.workspace.as_str(), record.number], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<BTreeMap<String, String>, _>>()?;
    Ok(Payload {
        subject: record.plain(column)?,
        body: record.plain(column + 1)?,
        customer: record.plain(column + 2)?,
        segments,
    })
}

fn ticket_facts(row: TicketRow, now: UnixMillis) -> TicketFacts {
    TicketFacts {
        segments: BTreeMap::new(),
        status: row.status,
        received_at: row.received_at,
        assigned_at: row.assigned_at,
        closed_at: row.closed_at,
        fast_tracked: row.fast_tracked,
        triaged: row.triaged,
        target_met: target_met(&row, now),
        first_contact: row
            .outcome
            .as_ref()
            .map(|outcome| outcome.resolution == Resolution::FirstContact),
        reassigned: row.assigned_at.map(|_| row.reassigned),
        agent: row.holder,
    }
}

/// Returns whether a ticket was assigned within its target. One that waits, or was cancelled
/// waiting, tells nothing until its target has passed.
fn target_met(row: &TicketRow, now: UnixMillis) -> Option<bool> {
    let due = row.received_at.plus_secs(row.target_secs?);
    match row.assigned_at {
        Some(assigned_at) => Some(assigned_at <= due),
        None => (row.closed_at.unwrap_or(now) > due).then_some(false),
    }
}
