//! What must hold before an input is accepted.

use super::Step;
use crate::{
    domain::{
        id::{AgentId, OfferId, SkillId, TicketId},
        planted::planted,
        ticket::Status,
    },
    routing::{agents::AgentState, input::Rejection, slab::TicketKey, tickets::OpenTicket},
};

impl Step<'_> {
    pub(super) fn known_agent(&self, agent: &AgentId) -> Result<&AgentState, Rejection> {
        self.state.agent(agent).ok_or_else(|| Rejection::AgentUnknown(agent.clone()))
    }

    pub(super) fn open_ticket(
        &self,
        ticket: &TicketId,
    ) -> Result<(TicketKey, &OpenTicket), Rejection> {
        let key = self.state.tickets.key(ticket);
        let found = key.and_then(|key| Some((key, self.state.tickets.get(key)?)));
        found.ok_or_else(|| Rejection::TicketNotOpen(ticket.clone()))
    }

    pub(super) fn assigned_ticket(
        &self,
        ticket: &TicketId,
        agent: &AgentId,
    ) -> Result<&OpenTicket, Rejection> {
        let open = self.state.ticket(ticket).filter(|open| {
            open.status == Status::Assigned && self.state.holder(open) == Some(agent)
        });
        open.ok_or_else(|| Rejection::TicketNotAssigned {
            ticket: ticket.clone(),
            agent: agent.clone(),
        })
    }

    pub(super) fn live_offer(&self, offer: &OfferId, agent: &AgentId) -> Result<(), Rejection> {
        let live = self.state.ticket(&offer.ticket).is_some_and(|open| {
            let is_theirs = self.state.holder(open) == Some(agent) || planted!(AcceptByAnother);
            let is_live = open.status == Status::Offered
                && open.offer_expires_at.is_some_and(|at| self.now < at || planted!(LateAccept));
            open.epoch == offer.epoch && is_theirs && (is_live || planted!(DoubleAccept))
        });
        if live { Ok(()) } else { Err(Rejection::OfferNotLive(offer.clone())) }
    }

    pub(super) fn declared<'a>(
        &self,
        mut skills: impl Iterator<Item = &'a SkillId>,
    ) -> Result<(), Rejection> {
        let unknown = skills.find(|skill| !self.state.skills.contains_key(*skill));
        unknown.map_or(Ok(()), |skill| Err(Rejection::SkillUnknown(skill.clone())))
    }
}

pub(super) fn same_version(current: u64, expected: Option<u64>) -> Result<(), Rejection> {
    match expected {
        Some(expected) if expected != current => {
            Err(Rejection::VersionConflict { current, expected })
        }
        _ => Ok(()),
    }
}

pub(super) fn below(
    what: &'static str,
    count: usize,
    max: usize,
    adds: bool,
) -> Result<(), Rejection> {
    if adds && count >= max { Err(Rejection::TooMany { what, max }) } else { Ok(()) }
}
