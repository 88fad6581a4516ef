//! Writes a batch inside its transaction.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, Transaction, named_params, params};

use super::{
    Batch, Error, Key, NewTicket, TicketDetail, TicketRow,
    records::{self, integer},
};
use crate::domain::{
    event::{Entry, Event},
    id::{AgentId, WorkspaceId},
};

/// Writes everything of a batch; the caller commits.
pub(super) fn write(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Error> {
    write_workspaces(transaction, batch)?;
    write_entries(transaction, &batch.entries)?;
    write_tickets(transaction, batch)?;
    write_used(transaction, batch)
}

fn write_workspaces(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Error> {
    let mut insert =
        transaction.prepare_cached("INSERT INTO workspace (id, created_at) VALUES (?1, ?2)")?;
    for (workspace, created_at) in &batch.workspaces {
        insert.execute(params![workspace.as_str(), created_at.0])?;
    }
    Ok(())
}

fn write_entries(
    transaction: &Transaction<'_>,
    entries: &[(WorkspaceId, Entry)],
) -> Result<(), Error> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO journal (workspace, sequence, at, kind, ticket, agent, actor, format, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut loads = Loads::new();
    for (workspace, entry) in entries {
        let event = &entry.event;
        insert.execute(params![
            workspace.as_str(),
            integer(entry.sequence),
            entry.at.0,
            event.name(),
            event.ticket().map(|ticket| ticket.as_str()),
            event.agent().map(|agent| agent.as_str()),
            entry.actor.as_ref().map(|actor| actor.as_str()),
            records::FORMAT,
            records::encode(event)?,
        ])?;
        count_load(&mut loads, workspace, event);
        if let Event::PolicySet { policy } = event {
            transaction
                .prepare_cached(
                    "INSERT INTO policy (workspace, version, sequence) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![workspace.as_str(), policy.version, integer(entry.sequence)])?;
        }
    }
    write_loads(transaction, &loads)
}

/// Offers made, accepted and declined, and tickets completed, by agent.
type Loads<'a> = BTreeMap<(&'a WorkspaceId, &'a AgentId), [i64; 4]>;

/// Counts what an agent carried.
fn count_load<'a>(loads: &mut Loads<'a>, workspace: &'a WorkspaceId, event: &'a Event) {
    let Some(agent) = event.agent() else { return };
    let counts: [i64; 4] = match event {
        Event::AgentSet { .. } => [0, 0, 0, 0],
        Event::OfferMade { .. } => [1, 0, 0, 0],
        Event::OfferAccepted { .. } => [0, 1, 0, 0],
        Event::OfferDeclined { .. } => [0, 0, 1, 0],
        Event::AssignmentCompleted { .. } => [0, 0, 0, 1],
        _ => return,
    };
    let sums = loads.entry((workspace, agent)).or_default();
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

/// Adds to what agents carried before; once for each agent, however much a batch brings.
fn write_loads(transaction: &Transaction<'_>, loads: &Loads<'_>) -> Result<(), Error> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO agent_load (workspace, agent, offered, accepted, declined, completed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (workspace, agent) DO UPDATE SET
                 offered = offered + excluded.offered, accepted = accepted + excluded.accepted,
                 declined = declined + excluded.declined,
                 completed = completed + excluded.completed",
    )?;
    for ((workspace, agent), [offered, accepted, declined, completed]) in loads {
        add.execute(params![
            workspace.as_str(),
            agent.as_str(),
            offered,
            accepted,
            declined,
            completed
        ])?;
    }
    Ok(())
}

fn write_tickets(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Error> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO ticket (workspace, number, id, sequence, status, holder, assignee, epoch,
             offer_sequence, relaxation_step, received_at, assigned_at, closed_at, target_secs,
             fast_tracked, triaged, reassigned, outcome)
         VALUES (:workspace, :number, :id, :sequence, :status, :holder, :assignee, :epoch,
             :offer_sequence, :relaxation_step, :received_at, :assigned_at, :closed_at,
             :target_secs, :fast_tracked, :triaged, :reassigned, :outcome)
         ON CONFLICT (workspace, number) DO UPDATE SET
             sequence = excluded.sequence, status = excluded.status, holder = excluded.holder,
             assignee = excluded.assignee, epoch = excluded.epoch,
             offer_sequence = excluded.offer_sequence,
             relaxation_step = excluded.relaxation_step, assigned_at = excluded.assigned_at,
             closed_at = excluded.closed_at, target_secs = excluded.target_secs,
             fast_tracked = excluded.fast_tracked, triaged = excluded.triaged,
             reassigned = excluded.reassigned, outcome = excluded.outcome",
    )?;
    for ((workspace, _), row) in &batch.tickets {
        write_row(&mut upsert, workspace, row)?;
    }
    for (key, detail) in &batch.details {
        write_detail(transaction, key, detail)?;
    }
    for received in &batch.received {
        write_payload(transaction, received)?;
    }
    Ok(())
}

fn write_row(
    upsert: &mut CachedStatement<'_>,
    workspace: &WorkspaceId,
    row: &TicketRow,
) -> Result<(), Error> {
    let outcome = match &row.outcome {
        Some(outcome) => Some(records::encode_outcome(outcome)?),
        None => None,
    };
    upsert.execute(named_params! {
        ":workspace": workspace.as_str(),
        ":number": integer(row.number),
        ":id": row.ticket.as_str(),
        ":sequence": integer(row.sequence),
        ":status": records::status_text(row.status),
        ":holder": row.holder.as_ref().map(|agent| agent.as_str()),
        ":assignee": row.assignee.as_ref().map(|agent| agent.as_str()),
        ":epoch": row.epoch,
        ":offer_sequence": row.offer_sequence.map(integer),
        ":relaxation_step": row.relaxation_step,
        ":received_at": row.received_at.0,
        ":assigned_at": row.assigned_at.map(|at| at.0),
        ":closed_at": row.closed_at.map(|at| at.0),
        ":target_secs": row.target_secs,
        ":fast_tracked": row.fast_tracked,
        ":triaged": row.triaged,
        ":reassigned": row.reassigned,
        ":outcome": outcome,
    })?;
    Ok(())
}

fn write_detail(
    transaction: &Transaction<'_>,
    (workspace, number): &Key<u64>,
    detail: &TicketDetail,
) -> Result<(), Error> {
    transaction
        .prepare_cached(
            "INSERT INTO ticket_detail (workspace, number, format, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (workspace, number) DO UPDATE SET
                 format = excluded.format, body = excluded.body",
        )?
        .execute(params![
            workspace.as_str(),
            integer(*number),
            records::FORMAT,
            records::encode_detail(detail)?
        ])?;
    Ok(())
}

fn write_payload(transaction: &Transaction<'_>, received: &NewTicket) -> Result<(), Error> {
    let NewTicket { workspace, number, payload } = received;
    let (workspace, number) = (workspace.as_str(), integer(*number));
    transaction
        .prepare_cached(
            "INSERT INTO payload (workspace, number, subject, body, customer)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![workspace, number, payload.subject, payload.body, payload.customer])?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO segment (workspace, number, attribute, value) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (attribute, value) in &payload.segments {
        insert.execute(params![workspace, number, attribute, value])?;
    }
    Ok(())
}

fn write_used(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Error> {
    // A key may be there from before its window ended.
    let mut replace = transaction.prepare_cached(
        "INSERT OR REPLACE INTO idempotency (workspace, key, fingerprint, ticket, sequence, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for ((workspace, key), used) in &batch.used {
        replace.execute(params![
            workspace.as_str(),
            key,
            used.fingerprint.as_slice(),
            used.ticket.as_ref().map(|ticket| ticket.as_str()),
            integer(used.sequence),
            used.at.0,
        ])?;
    }
    Ok(())
}
