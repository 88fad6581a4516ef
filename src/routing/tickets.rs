//! Open tickets: where each stands, and what it waits for.

use std::sync::Arc;

use super::{
    queue::{Place, Spot},
    slab::{AgentKey, ClassKey, Index, LadderKey, Slab, TicketKey},
    state::Timer,
};
use crate::domain::{
    id::{AgentId, TicketId},
    limits::DECLINERS_KEPT_MAX,
    policy::Plan,
    reading::{Reading, ReadingSource},
    ticket::{Intake, Status},
    time::UnixMillis,
};

/// The open tickets of a workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Tickets {
    slots: Slab<TicketKey, OpenTicket>,
    names: Index<TicketId, TicketKey>,
}

impl Tickets {
    pub(super) fn key(&self, id: &TicketId) -> Option<TicketKey> {
        self.names.get(id)
    }

    pub(super) fn get(&self, key: TicketKey) -> Option<&OpenTicket> {
        self.slots.get(key)
    }

    pub(super) fn get_mut(&mut self, key: TicketKey) -> Option<&mut OpenTicket> {
        self.slots.get_mut(key)
    }

    pub(super) fn insert(&mut self, ticket: OpenTicket) -> TicketKey {
        let id = ticket.ticket.clone();
        let key = self.slots.insert(ticket);
        self.names.insert(id, key);
        key
    }

    pub(super) fn remove(&mut self, key: TicketKey) -> Option<OpenTicket> {
        let ticket = self.slots.remove(key)?;
        self.names.remove(&ticket.ticket);
        Some(ticket)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TicketKey, &OpenTicket)> {
        self.slots.iter()
    }

    pub(super) fn slots(&self) -> &Slab<TicketKey, OpenTicket> {
        &self.slots
    }

    /// Puts tickets back by number; `None` when two have the same name.
    pub(super) fn restored(slots: Slab<TicketKey, OpenTicket>) -> Option<Self> {
        let mut names = Index::default();
        for (key, open) in slots.iter() {
            if names.insert(open.ticket.clone(), key).is_some() {
                return None;
            }
        }
        Some(Self { slots, names })
    }
}

impl PartialEq for Tickets {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// An agent who passed on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declined {
    pub(super) agent: AgentId,
    /// Not asked again before; `None` once that has passed.
    pub(super) until: Option<UnixMillis>,
    /// How often so far.
    pub(super) times: u32,
}

/// A ticket that is neither completed nor cancelled.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenTicket {
    /// The ticket.
    pub ticket: TicketId,
    /// What routing may know.
    pub intake: Arc<Intake>,
    /// When it was received.
    pub received_at: UnixMillis,
    /// Where it stands.
    pub status: Status,
    /// What was read.
    pub reading: Option<Arc<Reading>>,
    /// What routing looks for.
    pub plan: Option<Arc<Plan>>,
    /// Relaxation steps taken.
    pub relaxation_step: u32,
    /// Offers made so far.
    pub epoch: u32,
    /// When the live offer lapses.
    pub offer_expires_at: Option<UnixMillis>,
    /// When an agent first accepted it.
    pub assigned_at: Option<UnixMillis>,
    /// The how many-th ticket of the workspace it is.
    pub(super) number: u64,
    /// Who holds the offer or the assignment.
    pub(super) holder: Option<AgentKey>,
    /// The only agent who may take it, after a transfer or by a supervisor.
    pub(super) target: Option<AgentId>,
    /// Whether it waits for the agent it would like, while that agent is there.
    pub(super) waits_for_liked: bool,
    /// The intent an agent gave with a transfer; it outranks what was read.
    pub(super) given_intent: Option<Arc<str>>,
    /// Agents who passed on it, not asked for longest first.
    pub(super) declined: Vec<Declined>,
    /// Whether it was read again, or the policy changed, while an agent had it.
    pub(super) plan_is_stale: bool,
    /// When the newest plan began to wait.
    pub(super) planned_at: UnixMillis,
    /// Where it is entered elsewhere.
    pub(super) links: Links,
}

/// Where a ticket is entered: on a ladder, in the queue and among the timers.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    /// The classes it goes through.
    pub(super) ladder: Option<LadderKey>,
    pub(super) spot: Option<Entered>,
    /// The plan it is counted by among those that wait.
    pub(super) counted: Option<Arc<Plan>>,
    pub(super) age_due: Option<UnixMillis>,
    pub(super) offer_due: Option<UnixMillis>,
    pub(super) backoff_due: Option<UnixMillis>,
}

/// Where a ticket is entered in the queue, but for what is known of it anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    pub(super) class: ClassKey,
    pub(super) weight_milli: u32,
    pub(super) first: i64,
}

impl PartialEq for Links {
    /// Leaves out the numbers of ladder and class: classes are also made to tell what would be, and what
    /// is forgotten when there are many follows from that. None of it is part of what the journal gives.
    fn eq(&self, other: &Self) -> bool {
        let place = |links: &Self| links.spot.map(|entered| (entered.weight_milli, entered.first));
        let timers = |links: &Self| (links.age_due, links.offer_due, links.backoff_due);
        place(self) == place(other)
            && self.counted == other.counted
            && timers(self) == timers(other)
    }
}

impl Links {
    /// Notes that a timer was taken out because it is due.
    pub(super) fn taken_out(&mut self, timer: Timer) {
        match timer {
            Timer::Age(_) => self.age_due = None,
            Timer::Offer(_) => self.offer_due = None,
            Timer::Backoff(_) => self.backoff_due = None,
            _ => {}
        }
    }
}

impl OpenTicket {
    pub(super) fn new(
        ticket: TicketId,
        intake: Arc<Intake>,
        number: u64,
        received_at: UnixMillis,
    ) -> Self {
        Self {
            ticket,
            intake,
            received_at,
            status: Status::Received,
            reading: None,
            plan: None,
            relaxation_step: 0,
            epoch: 0,
            offer_expires_at: None,
            assigned_at: None,
            number,
            holder: None,
            target: None,
            waits_for_liked: false,
            given_intent: None,
            declined: Vec::new(),
            plan_is_stale: false,
            planned_at: received_at,
            links: Links::default(),
        }
    }

    /// Returns the place that goes with an entry of it.
    pub(super) fn spot(&self, key: TicketKey, entered: &Entered) -> Spot {
        let Entered { weight_milli, first, .. } = *entered;
        let (received_at, number) = (self.received_at, self.number);
        Spot { weight_milli, place: Place { first, received_at, number, ticket: key } }
    }

    /// Returns whether the model, not only the rules, has read it.
    #[must_use]
    pub fn read_by_model(&self) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.source == ReadingSource::Model)
    }

    /// Returns what is known of an agent's declining it.
    pub(super) fn decline_of(&self, agent: &AgentId) -> Option<&Declined> {
        self.declined.iter().find(|declined| declined.agent == *agent)
    }

    /// Returns whether an agent is not to be asked at `now`.
    pub(super) fn backs_off(&self, agent: &AgentId, now: UnixMillis) -> bool {
        let until = self.decline_of(agent).and_then(|declined| declined.until);
        until.is_some_and(|until| until > now)
    }

    /// Notes which agents may be asked again.
    pub(super) fn lapse_declines(&mut self, now: UnixMillis) {
        for declined in &mut self.declined {
            declined.until = declined.until.filter(|until| *until > now);
        }
    }

    /// Notes that an agent passed on it. Each time the agent is left in peace twice as long, up to 16
    /// times the policy's time.
    pub(super) fn note_decline(&mut self, agent: &AgentId, now: UnixMillis, backoff_secs: u32) {
        let at = self.declined.iter().position(|declined| declined.agent == *agent);
        let times = at.map_or(0, |at| self.declined.remove(at).times);
        if self.declined.len() == DECLINERS_KEPT_MAX {
            self.declined.remove(0);
        }
        let secs = backoff_secs.saturating_mul(1 << times.min(4));
        let until = (secs > 0).then(|| now.plus_secs(secs));
        self.declined.push(Declined { agent: agent.clone(), until, times: times + 1 });
    }
}
