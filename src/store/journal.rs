//! Questions about what happened: entries, decisions, policies, loads.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{OptionalExtension, ToSql, params};

use super::{
    Error, Snapshot,
    records::{self, ENTRY_COLUMNS, Record, integer},
};
use crate::domain::{
    event::{Entry, Event},
    id::{AgentId, TicketId, WorkspaceId},
    policy::{Plan, Policy},
};

/// What entries are about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// About this ticket.
    Ticket(TicketId),
    /// About this agent.
    Agent(AgentId),
}

/// Returns whether there is such a workspace.
///
/// # Errors
/// What SQLite says.
pub fn workspace_exists(snapshot: &Snapshot, workspace: &WorkspaceId) -> Result<bool, Error> {
    let mut statement = snapshot.prepare_cached("SELECT 1 FROM workspace WHERE id = ?1")?;
    Ok(statement.exists(params![workspace.as_str()])?)
}

/// Returns at most `limit` entries after `after`, oldest first.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn entries(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    subject: &Subject,
    after: u64,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let (column, id) = match subject {
        Subject::Ticket(ticket) => ("ticket", ticket.as_str()),
        Subject::Agent(agent) => ("agent", agent.as_str()),
    };
    // Indexes are named where SQLite, without statistics, would rather read the whole journal.
    let query = format!(
        "SELECT {ENTRY_COLUMNS} FROM journal INDEXED BY journal_{column}
         WHERE workspace = ?1 AND {column} = ?2 AND sequence > ?3 ORDER BY sequence LIMIT ?4"
    );
    let (workspace_text, after) = (workspace.as_str(), integer(after));
    read_entries(snapshot, workspace, &query, params![workspace_text, id, after, limit])
}

/// Returns one entry.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn entry(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    sequence: u64,
) -> Result<Option<Entry>, Error> {
    let query =
        format!("SELECT {ENTRY_COLUMNS} FROM journal WHERE workspace = ?1 AND sequence = ?2");
    let values = params![workspace.as_str(), integer(sequence)];
    Ok(read_entries(snapshot, workspace, &query, values)?.pop())
}

/// Returns at most `limit` decisions before `before`, newest first: `offer_made` and `ticket_queued`,
/// or only offers when `agent` is given.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn decisions(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    ticket: Option<&TicketId>,
    agent: Option<&AgentId>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let ticket = ticket.map(|ticket| ticket.as_str());
    let agent = agent.map(|agent| agent.as_str());
    let index = match (ticket, agent) {
        (Some(_), _) => "journal_ticket",
        (None, Some(_)) => "journal_agent",
        (None, None) => "journal_decision",
    };
    let mut filter = String::new();
    if ticket.is_some() {
        filter.push_str(" AND ticket = ?2");
    }
    if agent.is_some() {
        filter.push_str(" AND agent = ?3");
    }
    let query = format!(
        "SELECT {ENTRY_COLUMNS} FROM journal INDEXED BY {index}
         WHERE workspace = ?1{filter} AND sequence < ?4 AND kind IN ('offer_made', 'ticket_queued')
         ORDER BY sequence DESC LIMIT ?5"
    );
    let before = integer(before.unwrap_or(u64::MAX));
    let values = params![workspace.as_str(), ticket, agent, before, limit];
    read_entries(snapshot, workspace, &query, values)
}

/// Returns the plan of a ticket, and the version of who read it, in force just before an entry.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn plan_before(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    ticket: &TicketId,
    sequence: u64,
) -> Result<(Option<Plan>, Option<String>), Error> {
    let newest = |kinds: &str| {
        let query = format!(
            "SELECT {ENTRY_COLUMNS} FROM journal INDEXED BY journal_ticket
             WHERE workspace = ?1 AND ticket = ?2 AND sequence < ?3 AND kind IN ({kinds})
             ORDER BY sequence DESC LIMIT 1"
        );
        let values = params![workspace.as_str(), ticket.as_str(), integer(sequence)];
        Ok::<_, Error>(read_entries(snapshot, workspace, &query, values)?.pop())
    };
    let planned =
        newest("'ticket_read', 'ticket_planned', 'ticket_transferred', 'ticket_assigned_by_hand'")?;
    let plan = planned.and_then(|entry| match entry.event {
        Event::TicketRead { plan, .. }
        | Event::TicketPlanned { plan, .. }
        | Event::TicketTransferred { plan, .. }
        | Event::TicketAssignedByHand { plan, .. } => Some(Arc::unwrap_or_clone(plan)),
        _ => None,
    });
    let model = newest("'ticket_read'")?.and_then(|entry| match entry.event {
        Event::TicketRead { reading, .. } => Some(reading.model.to_string()),
        _ => None,
    });
    Ok((plan, model))
}

/// Returns a version of the policy.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn policy(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    version: u32,
) -> Result<Option<Policy>, Error> {
    let sequence: Option<i64> = snapshot
        .prepare_cached("SELECT sequence FROM policy WHERE workspace = ?1 AND version = ?2")?
        .query_row(params![workspace.as_str(), version], |row| row.get(0))
        .optional()?;
    let Some(sequence) = sequence.and_then(|sequence| u64::try_from(sequence).ok()) else {
        return Ok(None);
    };
    Ok(entry(snapshot, workspace, sequence)?.and_then(|entry| match entry.event {
        Event::PolicySet { policy } => Some(Arc::unwrap_or_clone(policy)),
        _ => None,
    }))
}

/// Returns the sequence number of the newest policy set before an entry.
///
/// # Errors
/// What SQLite says.
pub fn policy_set_before(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    sequence: u64,
) -> Result<Option<u64>, Error> {
    let newest: Option<i64> = snapshot
        .prepare_cached(
            "SELECT sequence FROM policy WHERE workspace = ?1 AND sequence < ?2
             ORDER BY version DESC LIMIT 1",
        )?
        .query_row(params![workspace.as_str(), integer(sequence)], |row| row.get(0))
        .optional()?;
    Ok(newest.and_then(|sequence| u64::try_from(sequence).ok()))
}

/// Returns how many offers were made to each agent, and of them accepted, declined and completed.
///
/// # Errors
/// [`Error::Damaged`], or what SQLite says.
pub fn agent_counts(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
) -> Result<BTreeMap<String, [u64; 4]>, Error> {
    let mut statement = snapshot.prepare_cached(
        "SELECT agent, offered, accepted, declined, completed FROM agent_load
         WHERE workspace = ?1 ORDER BY agent",
    )?;
    let mut rows = statement.query(params![workspace.as_str()])?;
    let mut counts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let record = Record { table: "agent_load", workspace, number: 0, row };
        let numbers =
            [record.unsigned(1)?, record.unsigned(2)?, record.unsigned(3)?, record.unsigned(4)?];
        counts.insert(record.plain(0)?, numbers);
    }
    Ok(counts)
}

fn read_entries(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    query: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Entry>, Error> {
    let mut statement = snapshot.prepare_cached(query)?;
    // The query may leave out a filter in the middle; SQLite counts parameters up to the highest.
    let mut rows = statement.query(values)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(records::entry(workspace, row)?);
    }
    Ok(entries)
}
