//! What lists and measures know of a ticket, kept in step with its events.

use crate::{
    domain::{
        event::{Entry, Event},
        id::{AgentId, TicketId},
        policy::Plan,
        ticket::{Intake, Status},
    },
    routing::{OpenTicket, State},
    store::{TicketDetail, TicketRow},
};

/// Returns the row of a ticket that was just received.
pub(super) fn received(entry: &Entry, ticket: &TicketId, intake: &Intake) -> TicketRow {
    TicketRow {
        number: entry.sequence,
        ticket: ticket.clone(),
        sequence: entry.sequence,
        status: Status::Received,
        holder: None,
        assignee: None,
        epoch: 0,
        offer_sequence: None,
        relaxation_step: 0,
        received_at: entry.at,
        assigned_at: None,
        closed_at: None,
        target_secs: intake.target_secs,
        fast_tracked: None,
        triaged: None,
        reassigned: false,
        outcome: None,
    }
}

/// Notes an event about a ticket: its history, and how it ended. Where an open ticket stands is
/// copied from the routing state by [`copy_state`].
pub(super) fn note(row: &mut TicketRow, entry: &Entry) {
    row.sequence = entry.sequence;
    match &entry.event {
        Event::TicketRead { plan, .. }
        | Event::TicketPlanned { plan, .. }
        | Event::TicketTransferred { plan, .. }
        | Event::TicketAssignedByHand { plan, .. } => note_plan(row, plan),
        Event::OfferMade { .. } => row.offer_sequence = Some(entry.sequence),
        Event::OfferAccepted { agent, .. } => {
            row.assigned_at.get_or_insert(entry.at);
            row.reassigned |= row.assignee.as_ref().is_some_and(|before| before != agent);
            row.assignee = Some(agent.clone());
        }
        Event::AssignmentCompleted { agent, outcome, .. } => {
            row.status = Status::Completed;
            row.closed_at = Some(entry.at);
            row.holder = Some(agent.clone());
            row.outcome = Some(outcome.clone());
        }
        Event::TicketCancelled { .. } => {
            row.status = Status::Cancelled;
            row.closed_at = Some(entry.at);
            row.holder = None;
        }
        _ => {}
    }
}

/// Treatment is measured by the plan a ticket waited under: the newest before it was first accepted.
/// Going to triage later counts as well.
fn note_plan(row: &mut TicketRow, plan: &Plan) {
    let triaged = plan.triage.is_some();
    if row.assigned_at.is_none() {
        row.target_secs = plan.target_secs;
        row.fast_tracked = Some(plan.fast_tracked());
        row.triaged = Some(triaged);
    } else if triaged {
        row.triaged = Some(true);
    }
}

/// Copies where an open ticket stands.
pub(super) fn copy_state(row: &mut TicketRow, open: &OpenTicket, holder: Option<&AgentId>) {
    row.status = open.status;
    row.holder = holder.cloned();
    row.epoch = open.epoch;
    row.relaxation_step = open.relaxation_step;
}

/// Returns whether an event changes what [`detail`] holds.
pub(super) fn changes_detail(event: &Event) -> bool {
    matches!(
        event,
        Event::TicketReceived { .. }
            | Event::TicketRead { .. }
            | Event::TicketPlanned { .. }
            | Event::TicketRelaxed { .. }
            | Event::TicketTransferred { .. }
            | Event::TicketAssignedByHand { .. }
    )
}

/// Returns the wide part of an open ticket.
pub(super) fn detail(state: &State, open: &OpenTicket) -> TicketDetail {
    TicketDetail {
        intake: open.intake.clone(),
        reading: open.reading.clone(),
        plan: open.plan.clone(),
        requirements: state.requirements(open).to_vec(),
    }
}
