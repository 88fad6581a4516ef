//! Questions about what happened: entries, decisions, policies, loads.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Error, Snapshot,
    database::Value,
    records::{self, ENTRY_COLUMNS, Record},
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
    /// Alarms raised and acknowledged.
    Alarms,
}

/// Returns whether there is such a workspace.
///
/// # Errors
/// What the database says.
pub fn workspace_exists(snapshot: &Snapshot, workspace: &WorkspaceId) -> Result<bool, Error> {
    let query = "SELECT id FROM workspace WHERE id = ?1";
    Ok(snapshot.first(query, &[workspace.as_str().into()], |_| Ok(()))?.is_some())
}

/// Returns at most `limit` workspaces whose names come after `after`, by name.
///
/// # Errors
/// What the database says.
pub fn workspaces_after(
    snapshot: &Snapshot,
    after: &str,
    limit: u32,
) -> Result<Vec<WorkspaceId>, Error> {
    let query = "SELECT id FROM workspace WHERE id > ?1 ORDER BY id LIMIT ?2";
    snapshot.all(query, &[after.into(), limit.into()], |row| {
        WorkspaceId::new(row.required_text(0)?).map_err(|_| Error::unexpected("a workspace's name"))
    })
}

/// Returns at most `limit` entries after `after`, oldest first.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn entries(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    subject: &Subject,
    after: u64,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let mut values: Vec<Value<'_>> = vec![workspace.as_str().into(), after.into(), limit.into()];
    let (index, about) = match subject {
        Subject::Ticket(ticket) => {
            values.push(ticket.as_str().into());
            ("journal_ticket", "ticket = ?4")
        }
        Subject::Agent(agent) => {
            values.push(agent.as_str().into());
            ("journal_agent", "agent = ?4")
        }
        Subject::Alarms => ("journal_alarm", "kind IN ('alarm_raised', 'alarm_acknowledged')"),
    };
    // Indexes are named where SQLite, without statistics, would rather read the whole journal.
    let query = format!(
        "SELECT {ENTRY_COLUMNS} FROM journal INDEXED BY {index}
         WHERE workspace = ?1 AND {about} AND sequence > ?2 ORDER BY sequence LIMIT ?3"
    );
    read_entries(snapshot, workspace, &query, &values)
}

/// Returns at most `limit` entries after `after`, whatever they are about, oldest first.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn entries_after(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    after: u64,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let query = format!(
        "SELECT {ENTRY_COLUMNS} FROM journal WHERE workspace = ?1 AND sequence > ?2
         ORDER BY sequence LIMIT ?3"
    );
    let values = [workspace.as_str().into(), after.into(), limit.into()];
    read_entries(snapshot, workspace, &query, &values)
}

/// Returns one entry.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn entry(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    sequence: u64,
) -> Result<Option<Entry>, Error> {
    let query =
        format!("SELECT {ENTRY_COLUMNS} FROM journal WHERE workspace = ?1 AND sequence = ?2");
    let values = [workspace.as_str().into(), sequence.into()];
    Ok(read_entries(snapshot, workspace, &query, &values)?.pop())
}

/// Returns at most `limit` decisions before `before`, newest first: `offer_made` and `ticket_queued`,
/// or only offers when `agent` is given.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
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
    let before = before.unwrap_or(u64::MAX);
    let mut values: Vec<Value<'_>> = vec![workspace.as_str().into(), before.into(), limit.into()];
    let mut filter = String::new();
    for (column, wanted) in [("ticket", ticket), ("agent", agent)] {
        if let Some(wanted) = wanted {
            values.push(wanted.into());
            filter.push_str(&format!(" AND {column} = ?{}", values.len()));
        }
    }
    let query = format!(
        "SELECT {ENTRY_COLUMNS} FROM journal INDEXED BY {index}
         WHERE workspace = ?1{filter} AND sequence < ?2 AND kind IN ('offer_made', 'ticket_queued')
         ORDER BY sequence DESC LIMIT ?3"
    );
    read_entries(snapshot, workspace, &query, &values)
}

/// Returns the plan of a ticket, and the version of who read it, in force just before an entry.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
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
        let values = [workspace.as_str().into(), ticket.as_str().into(), sequence.into()];
        Ok::<_, Error>(read_entries(snapshot, workspace, &query, &values)?.pop())
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
/// [`Error::Damaged`], or what the database says.
pub fn policy(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    version: u32,
) -> Result<Option<Policy>, Error> {
    let query = "SELECT sequence FROM policy WHERE workspace = ?1 AND version = ?2";
    let Some(sequence) = sequence(snapshot, workspace, query, version.into())? else {
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
/// What the database says.
pub fn policy_set_before(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    sequence: u64,
) -> Result<Option<u64>, Error> {
    let query = "SELECT sequence FROM policy WHERE workspace = ?1 AND sequence < ?2
         ORDER BY version DESC LIMIT 1";
    self::sequence(snapshot, workspace, query, sequence.into())
}

/// Returns the sequence number that a query about a workspace and one more value finds.
fn sequence(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    query: &str,
    value: Value<'_>,
) -> Result<Option<u64>, Error> {
    let values = [workspace.as_str().into(), value];
    snapshot.first(query, &values, |row| Record::new("policy", workspace, row)?.unsigned(0))
}

/// Returns how many offers were made to each agent, and of them accepted, declined and completed.
///
/// # Errors
/// [`Error::Damaged`], or what the database says.
pub fn agent_counts(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
) -> Result<BTreeMap<String, [u64; 4]>, Error> {
    let query = "SELECT offered, accepted, declined, completed, agent FROM agent_load
         WHERE workspace = ?1 ORDER BY agent";
    let counts = snapshot.all(query, &[workspace.as_str().into()], |row| {
        let record = Record::new("agent_load", workspace, row)?;
        let numbers =
            [record.unsigned(0)?, record.unsigned(1)?, record.unsigned(2)?, record.unsigned(3)?];
        Ok((record.text(4)?.into_owned(), numbers))
    })?;
    Ok(counts.into_iter().collect())
}

fn read_entries(
    snapshot: &Snapshot,
    workspace: &WorkspaceId,
    query: &str,
    values: &[Value<'_>],
) -> Result<Vec<Entry>, Error> {
    snapshot.all(query, values, |row| records::entry(workspace, row))
}
