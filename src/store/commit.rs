//! Writes a batch inside its transaction.

use std::collections::BTreeMap;

use super::{
    Batch, Error, Key, NewTicket, TicketDetail, TicketRow, checksum, cursors,
    database::{Database, Rows, Value},
    records, tables,
};
use crate::domain::{
    event::{Entry, Event},
    id::{AgentId, WorkspaceId},
};

/// Writes everything of a batch; the caller commits.
pub(super) fn write(database: &Database, batch: &Batch) -> Result<(), Error> {
    let mut workspaces = Rows::new(&tables::WORKSPACE);
    for (workspace, created_at) in &batch.workspaces {
        workspaces.push([workspace.as_str().into(), created_at.0.into()]);
    }
    let (journal, policies) = entries(&batch.entries)?;
    let mut tables = vec![workspaces, journal, policies, loads(&batch.entries)];
    tables.extend(tickets(batch)?);
    tables.push(used(batch));
    tables.push(cursors::rows(batch));
    database.write(&tables)
}

/// Returns the journal entries, and where each policy is among them.
fn entries(entries: &[(WorkspaceId, Entry)]) -> Result<(Rows<'_>, Rows<'_>), Error> {
    let mut journal = Rows::new(&tables::JOURNAL);
    let mut policies = Rows::new(&tables::POLICY);
    for (workspace, entry) in entries {
        let event = &entry.event;
        let values = [
            workspace.as_str().into(),
            entry.sequence.into(),
            entry.at.0.into(),
            event.name().into(),
            event.ticket().map(|ticket| ticket.as_str()).into(),
            event.agent().map(|agent| agent.as_str()).into(),
            entry.actor.as_ref().map(|actor| actor.as_str()).into(),
            records::FORMAT.into(),
            records::encode(event)?.into(),
        ];
        push_checked(&mut journal, values);
        if let Event::PolicySet { policy } = event {
            let version = policy.version.into();
            policies.push([workspace.as_str().into(), version, entry.sequence.into()]);
        }
    }
    Ok((journal, policies))
}

/// Adds a row whose last column is the checksum of all others.
fn push_checked<'a, const N: usize>(rows: &mut Rows<'a>, values: [Value<'a>; N]) {
    let sum = checksum::of(&values);
    rows.values.extend(values);
    rows.values.push(sum.into());
}

/// Returns what agents carried in a batch: offers made, accepted and declined, and tickets completed; one
/// row for each agent, however much the batch brings.
fn loads(entries: &[(WorkspaceId, Entry)]) -> Rows<'_> {
    let mut loads: BTreeMap<(&WorkspaceId, &AgentId), [i64; 4]> = BTreeMap::new();
    for (workspace, Entry { event, .. }) in entries {
        let Some(agent) = event.agent() else { continue };
        let counts: [i64; 4] = match event {
            Event::AgentSet { .. } => [0, 0, 0, 0],
            Event::OfferMade { .. } => [1, 0, 0, 0],
            Event::OfferAccepted { .. } => [0, 1, 0, 0],
            Event::OfferDeclined { .. } => [0, 0, 1, 0],
            Event::AssignmentCompleted { .. } => [0, 0, 0, 1],
            _ => continue,
        };
        let sums = loads.entry((workspace, agent)).or_default();
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let mut rows = Rows::new(&tables::AGENT_LOAD);
    for ((workspace, agent), [offered, accepted, declined, completed]) in loads {
        let (workspace, agent) = (workspace.as_str().into(), agent.as_str().into());
        let [offered, accepted] = [offered.into(), accepted.into()];
        rows.push([workspace, agent, offered, accepted, declined.into(), completed.into()]);
    }
    rows
}

/// Returns where tickets stand, their wide parts, and the payloads and segments of new ones.
fn tickets(batch: &Batch) -> Result<[Rows<'_>; 4], Error> {
    let mut rows = Rows::new(&tables::TICKET);
    for ((workspace, _), row) in &batch.tickets {
        rows.push(ticket(workspace, row)?);
    }
    let mut details = Rows::new(&tables::TICKET_DETAIL);
    for (key, detail) in &batch.details {
        push_checked(&mut details, ticket_detail(key, detail)?);
    }
    let mut payloads = Rows::new(&tables::PAYLOAD);
    let mut segments = Rows::new(&tables::SEGMENT);
    for NewTicket { workspace, number, payload } in &batch.received {
        let (workspace, number) = (workspace.as_str(), *number);
        let (subject, body) = (payload.subject.as_str().into(), payload.body.as_str().into());
        let customer = payload.customer.as_str().into();
        push_checked(&mut payloads, [workspace.into(), number.into(), subject, body, customer]);
        for (attribute, value) in &payload.segments {
            let (attribute, value) = (attribute.as_str().into(), value.as_str().into());
            segments.push([workspace.into(), number.into(), attribute, value]);
        }
    }
    Ok([rows, details, payloads, segments])
}

fn ticket<'a>(workspace: &'a WorkspaceId, row: &'a TicketRow) -> Result<[Value<'a>; 18], Error> {
    let outcome = row.outcome.as_ref().map(records::encode_outcome).transpose()?;
    Ok([
        workspace.as_str().into(),
        row.number.into(),
        row.ticket.as_str().into(),
        row.sequence.into(),
        records::status_text(row.status).into(),
        row.holder.as_ref().map(|agent| agent.as_str()).into(),
        row.assignee.as_ref().map(|agent| agent.as_str()).into(),
        row.epoch.into(),
        row.offer_sequence.into(),
        row.relaxation_step.into(),
        row.received_at.0.into(),
        row.assigned_at.map(|at| at.0).into(),
        row.closed_at.map(|at| at.0).into(),
        row.target_secs.into(),
        row.fast_tracked.into(),
        row.triaged.into(),
        row.reassigned.into(),
        outcome.into(),
    ])
}

fn ticket_detail<'a>(
    (workspace, number): &'a Key<u64>,
    detail: &TicketDetail,
) -> Result<[Value<'a>; 4], Error> {
    let body = records::encode_detail(detail)?;
    Ok([workspace.as_str().into(), (*number).into(), records::FORMAT.into(), body.into()])
}

fn used(batch: &Batch) -> Rows<'_> {
    let mut rows = Rows::new(&tables::IDEMPOTENCY);
    for ((workspace, key), used) in &batch.used {
        rows.push([
            workspace.as_str().into(),
            key.as_str().into(),
            used.fingerprint.as_slice().into(),
            used.ticket.as_ref().map(|ticket| ticket.as_str()).into(),
            used.sequence.into(),
            used.at.0.into(),
        ]);
    }
    rows
}
