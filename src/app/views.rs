//! What callers see, put together from the routing state and the store.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Acknowledgement, AgentView, AlarmView, OfferView, TicketView, UnstaffedView, WorkspaceView,
    projection, workspace::Workspace,
};
use crate::{
    domain::{
        agent::AgentProfile,
        event::{Entry, Event},
        id::{AgentId, OfferId, TicketId},
        policy::Requirement,
        ticket::{Payload, Status},
        time::UnixMillis,
    },
    routing::{AgentState, Rejection},
    store::{StoredTicket, TicketDetail, TicketRow},
};

/// Returns the alarms of a journal and what became of them, oldest first.
pub(super) fn alarms(entries: Vec<Entry>) -> Vec<AlarmView> {
    let mut alarms: BTreeMap<u64, AlarmView> = BTreeMap::new();
    for Entry { sequence, at, actor, event } in entries {
        match event {
            Event::AlarmRaised { alarm } => {
                let view =
                    AlarmView { sequence, raised_at: at, alarm: *alarm, acknowledgement: None };
                alarms.insert(sequence, view);
            }
            Event::AlarmAcknowledged { alarm, note } => {
                if let Some(view) = alarms.get_mut(&alarm) {
                    view.acknowledgement = Some(Acknowledgement { sequence, at, actor, note });
                }
            }
            _ => {}
        }
    }
    alarms.into_values().collect()
}

/// Returns a stored ticket as callers see it.
pub(super) fn ticket(StoredTicket { row, detail, payload }: StoredTicket) -> TicketView {
    TicketView {
        ticket: row.ticket,
        status: row.status,
        intake: Arc::unwrap_or_clone(detail.intake),
        payload,
        reading: detail.reading.map(Arc::unwrap_or_clone),
        plan: detail.plan.map(Arc::unwrap_or_clone),
        requirements: detail.requirements,
        relaxation_step: row.relaxation_step,
        agent: row.holder,
        epoch: row.epoch,
        outcome: row.outcome,
        received_at: row.received_at,
        assigned_at: row.assigned_at,
        closed_at: row.closed_at,
        sequence: row.sequence,
    }
}

/// Returns a workspace as callers see it.
pub(super) fn workspace(workspace: &Workspace) -> WorkspaceView {
    let (settings, version) = workspace.state.settings();
    WorkspaceView {
        workspace: workspace.id.clone(),
        settings: settings.clone(),
        created_at: workspace.created_at,
        version,
    }
}

/// Returns an agent as callers see one.
pub(super) fn agent(workspace: &Workspace, agent: &AgentState, now: UnixMillis) -> AgentView {
    let id = &agent.profile.agent;
    AgentView {
        profile: AgentProfile::clone(&agent.profile),
        version: agent.version,
        presence: agent.presence,
        used_units: workspace.state.used_units(id),
        idle_ms: workspace.state.idle_ms(id, now),
        on_shift: agent.is_on_shift(),
        rests_until: agent.rests_until(),
    }
}

/// Returns the needs for which tickets wait and nobody is on duty, most tickets first. Tickets that
/// differ in their channel alone are counted together.
pub(super) fn unstaffed(workspace: &Workspace) -> Vec<UnstaffedView> {
    let mut waiting: BTreeMap<(Arc<[Requirement]>, usize), usize> = BTreeMap::new();
    for found in workspace.state.unstaffed() {
        *waiting.entry((found.requirements, found.fit)).or_default() += found.waiting;
    }
    let view = |((requirements, fit), waiting)| UnstaffedView { requirements, waiting, fit };
    let mut unstaffed: Vec<UnstaffedView> = waiting.into_iter().map(view).collect();
    unstaffed.sort_by_key(|view| std::cmp::Reverse(view.waiting));
    unstaffed
}

/// Returns an agent's state, or the refusal callers get.
pub(super) fn known<'a>(
    workspace: &'a Workspace,
    agent: &AgentId,
) -> Result<&'a AgentState, Rejection> {
    let unknown = || Rejection::AgentUnknown(agent.clone());
    workspace.state.agent(agent).ok_or_else(unknown)
}

/// A ticket an agent holds, without its payload.
pub(super) struct Held {
    row: TicketRow,
    detail: TicketDetail,
    /// The live offer and when it lapses; `None` when it is assigned.
    offer: Option<(OfferId, UnixMillis)>,
}

/// Returns the tickets an agent holds, in the order they were received.
pub(super) fn held(workspace: &Workspace, agent: &AgentId) -> Vec<Held> {
    let state = &workspace.state;
    let tickets = workspace.state.held_tickets(agent).into_iter();
    let mut held: Vec<Held> = tickets
        .filter_map(|ticket| {
            let (row, open) = (workspace.rows.get(ticket)?, state.ticket(ticket)?);
            let offer = state.live_offer(ticket).zip(open.offer_expires_at);
            Some(Held { row: row.clone(), detail: projection::detail(state, open), offer })
        })
        .collect();
    held.sort_by_key(|held| held.row.number);
    held
}

impl Held {
    pub(super) fn ticket(&self) -> &TicketId {
        &self.row.ticket
    }

    /// Puts the ticket on a desk.
    pub(super) fn lay_down(
        self,
        payload: Payload,
        offers: &mut Vec<OfferView>,
        assignments: &mut Vec<TicketView>,
    ) {
        let Self { row, detail, offer } = self;
        let (decision, status) = (row.offer_sequence.unwrap_or(0), row.status);
        let ticket = ticket(StoredTicket { row, detail, payload });
        match offer {
            Some((offer, expires_at)) => {
                offers.push(OfferView { offer, ticket, expires_at, decision });
            }
            None if status == Status::Assigned => assignments.push(ticket),
            None => {}
        }
    }
}
