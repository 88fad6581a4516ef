//! Questions about tickets: one, lists, texts to read, facts to measure.

use std::collections::BTreeMap;

use super::{
    Error, Key, Snapshot, TicketDetail, TicketRow,
    database::{
        Row,
        Type::{Integer, Text},
        Value,
    },
    records::{self, Record, status_text},
};
use crate::domain::{
    facts::TicketFacts,
    id::{TicketId, WorkspaceId},
    ticket::{Outcome, Payload, Status},
    time::UnixMillis,
};

/// The columns that [`row`] reads, in order.
const COLUMNS: &str = "t.number, t.id, t.sequence, t.status, t.holder, t.assignee, t.epoch,
    t.offer_sequence, t.relaxation_step, t.received_at, t.assigned_at, t.closed_at,
    t.target_secs, t.fast_tracked, t.triaged, t.reassigned, t.outcome";
/// How many columns [`row`] reads.
const COLUMN_COUNT: usize = 17;
/// The columns of a ticket's wide part, in order.
const DETAIL: &str = "d.format, d.body, d.checksum";
/// The columns that [`stored_payload`] reads, in order.
const PAYLOAD: &str = "p.subject, p.body, p.customer, p.checksum";

/// How far apart the numbers of tickets may be to be read at once. A ticket's number is that of an entry, and each
/// ticket has several.
const RUN_GAP_MAX: u64 = 64;

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
/// [`Error::Damaged`], or what the database says.
pub fn ticket(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    ticket: &TicketId,
) -> Result<Option<StoredTicket>, Error> {
    let query = format!(
        "SELECT {COLUMNS}, {DETAIL}, {PAYLOAD}
         FROM ticket t INDEXED BY ticket_id CROSS JOIN ticket_detail d USING (workspace, number)
         CROSS JOIN payload p USING (workspace, number)
         WHERE t.workspace = ?1 AND t.id = ?2"
    );
    let values = [workspace.as_str().into(), ticket.as_str().into()];
    snapshot.first(&query, &values, |row| stored_ticket(snapshot, workspace, row))
}

/// Returns tickets, newest first.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn tickets(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    query: &TicketQuery,
) -> Result<Vec<StoredTicket>, Error> {
    // The outer table of the join, with its index, gives the order.
    let (outer, from) = match (&query.customer, query.status) {
        (Some(_), _) => ("p", "payload p INDEXED BY payload_customer CROSS JOIN ticket t"),
        (None, Some(_)) => ("t", "ticket t INDEXED BY ticket_status CROSS JOIN payload p"),
        (None, None) => ("t", "ticket t CROSS JOIN payload p"),
    };
    let before = query.before.unwrap_or(u64::MAX);
    let mut values: Vec<Value<'_>> =
        vec![workspace.as_str().into(), before.into(), query.limit.into()];
    let mut filter = String::new();
    if let Some(customer) = &query.customer {
        values.push(customer.as_str().into());
        // Not empty: only such customers are in the index.
        filter.push_str(&format!(" AND p.customer = ?{} AND p.customer <> ''", values.len()));
    }
    if let Some(status) = query.status {
        values.push(status_text(status).into());
        filter.push_str(&format!(" AND t.status = ?{}", values.len()));
    }
    let sql = format!(
        "SELECT {COLUMNS}, {DETAIL}, {PAYLOAD}
         FROM {from} ON (p.workspace = t.workspace AND p.number = t.number)
         CROSS JOIN ticket_detail d ON (d.workspace = t.workspace AND d.number = t.number)
         WHERE {outer}.workspace = ?1 AND {outer}.number < ?2{filter}
         ORDER BY {outer}.number DESC LIMIT ?3"
    );
    snapshot.all(&sql, &values, |row| stored_ticket(snapshot, workspace, row))
}

/// Returns the payload of a ticket.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn payload(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    ticket: &TicketId,
) -> Result<Option<Payload>, Error> {
    let query = format!(
        "SELECT t.number, {PAYLOAD}
         FROM ticket t INDEXED BY ticket_id CROSS JOIN payload p USING (workspace, number)
         WHERE t.workspace = ?1 AND t.id = ?2"
    );
    let values = [workspace.as_str().into(), ticket.as_str().into()];
    snapshot.first(&query, &values, |row| {
        stored_payload(snapshot, &Record::new("payload", workspace, row)?, 1)
    })
}

/// Returns the texts to read of tickets, in their order; `None` for one that is not there.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn texts(snapshot: &Snapshot, tickets: &[Key<TicketId>]) -> Result<Vec<Option<String>>, Error> {
    tickets
        .iter()
        .map(|(workspace, ticket)| {
            Ok(payload(snapshot, workspace, ticket)?.map(|payload| payload.text()))
        })
        .collect()
}

/// Returns the facts of the tickets received in `start..end`, oldest first.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn facts(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    start: Option<UnixMillis>,
    end: Option<UnixMillis>,
) -> Result<Vec<TicketFacts>, Error> {
    let query = format!(
        "SELECT {COLUMNS}, s.attribute, s.value
         FROM ticket t INDEXED BY ticket_received LEFT JOIN segment s USING (workspace, number)
         WHERE t.workspace = ?1 AND t.received_at >= ?2 AND t.received_at < ?3
         ORDER BY t.received_at, t.number"
    );
    let start = start.map_or(i64::MIN, |time| time.0);
    let end = end.map_or(i64::MAX, |time| time.0);
    let values = [workspace.as_str().into(), start.into(), end.into()];
    let facts = read_facts(snapshot, workspace, &query, &values)?;
    Ok(facts.into_iter().map(|(_, ticket)| ticket).collect())
}

/// Returns the numbers and the facts of at most `limit` tickets with numbers above `after`, oldest first.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn facts_after(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, TicketFacts)>, Error> {
    let query = format!(
        "SELECT {COLUMNS}, s.attribute, s.value
         FROM (SELECT * FROM ticket WHERE workspace = ?1 AND number > ?2 ORDER BY number LIMIT ?3) t
         LEFT JOIN segment s ON (s.workspace = t.workspace AND s.number = t.number)
         ORDER BY t.number"
    );
    read_facts(
        snapshot,
        workspace,
        &query,
        &[workspace.as_str().into(), after.into(), limit.into()],
    )
}

/// Returns the numbers and the facts of tickets, oldest first; those there are not are left out.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn facts_of(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    numbers: &[u64],
) -> Result<Vec<(u64, TicketFacts)>, Error> {
    let mut facts = Vec::with_capacity(numbers.len());
    let query = format!(
        "SELECT {COLUMNS}, s.attribute, s.value
         FROM ticket t LEFT JOIN segment s USING (workspace, number)
         WHERE t.workspace = ?1 AND t.number >= ?2 AND t.number <= ?3 ORDER BY t.number"
    );
    // Tickets that are open lie close together: runs of numbers are read at once, with what lies between.
    for run in numbers.chunk_by(|before, next| next - before <= RUN_GAP_MAX) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let values = [workspace.as_str().into(), (*first).into(), (*last).into()];
        let found = read_facts(snapshot, workspace, &query, &values)?;
        facts.extend(found.into_iter().filter(|(number, _)| run.binary_search(number).is_ok()));
    }
    Ok(facts)
}

/// Reads facts with their segments, of which each has a row of its own beside its ticket.
fn read_facts(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    query: &str,
    values: &[Value<'_>],
) -> Result<Vec<(u64, TicketFacts)>, Error> {
    let mut facts: Vec<(u64, TicketFacts)> = Vec::new();
    snapshot.rows(query, values, |row| {
        let record = Record::new("ticket", workspace, row)?;
        let number = record.unsigned(0)?;
        if facts.last().is_none_or(|(newest, _)| *newest != number) {
            facts.push((number, ticket_facts(self::row(&record)?)));
        }
        let attribute = record.optional_text(COLUMN_COUNT)?;
        if let (Some(attribute), Some((_, ticket))) = (attribute, facts.last_mut()) {
            let value = record.text(COLUMN_COUNT + 1)?.into_owned();
            ticket.segments.insert(attribute.into_owned(), value);
        }
        Ok(())
    })?;
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
    snapshot.all(&query, &[workspace.as_str().into()], |row| {
        self::row(&Record::new("ticket", workspace, row)?)
    })
}

/// Reads the first [`COLUMN_COUNT`] columns.
fn row(record: &Record<'_>) -> Result<TicketRow, Error> {
    let ticket = record.identifier(1)?.ok_or_else(|| record.damaged("the identifier"))?;
    let outcome: Option<Outcome> = record
        .optional_text(16)?
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
        offer_sequence: record.optional_unsigned(7)?,
        relaxation_step: record.unsigned(8)?,
        received_at: UnixMillis(record.integer(9)?),
        assigned_at: record.optional_time(10)?,
        closed_at: record.optional_time(11)?,
        target_secs: record.optional_unsigned(12)?,
        fast_tracked: record.optional_flag(13)?,
        triaged: record.optional_flag(14)?,
        reassigned: record.optional_flag(15)?.ok_or_else(|| record.damaged("a truth value"))?,
        outcome,
    })
}

fn stored_ticket(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    row: &Row<'_>,
) -> Result<StoredTicket, Error> {
    let record = Record::new("ticket", workspace, row)?;
    let [format, body, sum] = [0, 1, 2].map(|column| COLUMN_COUNT + column);
    record.check_columns(&[0, format, body], &[Integer, Integer, Text], sum)?;
    let detail = records::decode_detail(record.integer(format)?, &record.text(body)?)
        .map_err(|what| record.damaged(what))?;
    let payload = stored_payload(snapshot, &record, COLUMN_COUNT + 3)?;
    Ok(StoredTicket { row: self::row(&record)?, detail, payload })
}

/// Reads the columns [`PAYLOAD`] from `column` on, and the segments of the same ticket.
fn stored_payload(
    snapshot: &Snapshot,
    record: &Record<'_>,
    column: usize,
) -> Result<Payload, Error> {
    let [subject, body, customer, sum] = [0, 1, 2, 3].map(|place| column + place);
    record.check_columns(&[0, subject, body, customer], &[Integer, Text, Text, Text], sum)?;
    let query = "SELECT number, attribute, value FROM segment WHERE workspace = ?1 AND number = ?2";
    let values = [record.workspace.as_str().into(), record.number.into()];
    let segments = snapshot.all(query, &values, |row| {
        let segment = Record::new("segment", record.workspace, row)?;
        Ok((segment.text(1)?.into_owned(), segment.text(2)?.into_owned()))
    })?;
    Ok(Payload {
        subject: record.text(subject)?.into_owned(),
        body: record.text(body)?.into_owned(),
        customer: record.text(customer)?.into_owned(),
        segments: segments.into_iter().collect(),
    })
}

fn ticket_facts(row: TicketRow) -> TicketFacts {
    TicketFacts {
        segments: BTreeMap::new(),
        status: row.status,
        received_at: row.received_at,
        assigned_at: row.assigned_at,
        closed_at: row.closed_at,
        target_secs: row.target_secs,
        fast_tracked: row.fast_tracked,
        triaged: row.triaged,
        resolution: row.outcome.map(|outcome| outcome.resolution),
        reassigned: row.assigned_at.map(|_| row.reassigned),
        agent: row.holder,
    }
}
