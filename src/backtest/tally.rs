//! What became of tickets and agents, gathered from events: of the journal or of a run, in the same way.

use std::collections::BTreeMap;

use crate::{
    domain::{
        agent::Presence,
        decision::Decision,
        event::Event,
        facts::TicketFacts,
        id::{AgentId, TicketId},
        policy::Plan,
        ticket::Status,
        time::UnixMillis,
    },
    fairness::Wait,
    routing::{AgentState, State},
};

/// How well an agent fitted a ticket, by the decision that led to its first assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) relaxation_step: u32,
    /// Sum of proficiency above what was needed.
    pub(super) surplus: u32,
    /// Preferred skills the agent lacked; `None` when the plan preferred none.
    pub(super) preferred_missing: Option<u32>,
}

/// What became of one ticket.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Treatment {
    pub(super) ticket: TicketId,
    pub(super) received_at: UnixMillis,
    pub(super) status: Status,
    pub(super) assigned_at: Option<UnixMillis>,
    pub(super) closed_at: Option<UnixMillis>,
    /// By the plan it waited under, as the other measures of this program have it.
    pub(super) target_secs: Option<u32>,
    pub(super) fast_tracked: Option<bool>,
    triaged: Option<bool>,
    /// Offers until an agent first accepted.
    pub(super) offers: u32,
    pub(super) fit: Option<Fit>,
    plan_prefers: bool,
    hard: bool,
    /// The fit of the live offer.
    offered: Option<Fit>,
}

impl Treatment {
    fn new(ticket: TicketId, at: UnixMillis, target_secs: Option<u32>) -> Self {
        Self {
            ticket,
            received_at: at,
            status: Status::Received,
            assigned_at: None,
            closed_at: None,
            target_secs,
            fast_tracked: None,
            triaged: None,
            offers: 0,
            fit: None,
            plan_prefers: false,
            hard: false,
            offered: None,
        }
    }

    fn note_plan(&mut self, plan: &Plan) {
        self.hard = plan.hard;
        self.plan_prefers = !plan.preferred.is_empty();
        if self.assigned_at.is_none() {
            self.target_secs = plan.target_secs;
            self.fast_tracked = Some(plan.fast_tracked());
            self.triaged = Some(plan.triage.is_some());
        }
        if self.status == Status::Received {
            self.status = Status::Queued;
        }
    }

    fn note_offer(&mut self, decision: &Decision) {
        self.status = Status::Offered;
        self.offers += u32::from(self.assigned_at.is_none());
        self.offered = decision.candidates.first().map(|first| Fit {
            relaxation_step: decision.relaxation_step,
            surplus: first.proficiency_surplus,
            preferred_missing: self.plan_prefers.then_some(first.preferred_missing),
        });
    }

    fn note_acceptance(&mut self, at: UnixMillis) {
        self.status = Status::Assigned;
        if self.assigned_at.is_none() {
            self.assigned_at = Some(at);
            self.fit = self.offered.take();
        }
    }

    /// Returns how long it waited, as far as it was seen until `end`.
    pub(super) fn wait(&self, end: UnixMillis) -> Wait {
        Wait::of(&self.facts(BTreeMap::new()), end)
    }

    /// Returns whether it was assigned within its target; `None` while that is open, or without a target.
    pub(super) fn target_met(&self, end: UnixMillis) -> Option<bool> {
        self.facts(BTreeMap::new()).target_met(end)
    }

    /// Returns what the fairness measures take; what a run cannot know is absent.
    pub(super) fn facts(&self, segments: BTreeMap<String, String>) -> TicketFacts {
        TicketFacts {
            segments,
            status: self.status,
            received_at: self.received_at,
            assigned_at: self.assigned_at,
            closed_at: self.closed_at,
            target_secs: self.target_secs,
            fast_tracked: self.fast_tracked,
            triaged: self.triaged,
            resolution: None,
            reassigned: None,
            agent: None,
        }
    }
}

/// What an agent carried.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Carried {
    /// Tickets accepted, and hard ones among them.
    pub(super) tickets: u64,
    pub(super) hard: u64,
    /// Time with a ticket in hand: offered, assigned or wrapped up.
    pub(super) busy_ms: u64,
    /// Capacity in use and all of it, in units times milliseconds, while at work.
    pub(super) used_ms: u64,
    pub(super) capacity_ms: u64,
    seen: Seen,
}

/// An agent since the last change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    at: UnixMillis,
    used: u64,
    capacity: u64,
    at_work: bool,
}

impl Carried {
    /// Counts the time up to `at`, and takes what holds from now on.
    fn see(&mut self, at: UnixMillis, agent: Option<&AgentState>) {
        let elapsed_ms = at.millis_since(self.seen.at);
        if self.seen.used > 0 {
            self.busy_ms += elapsed_ms;
        }
        if self.seen.at_work {
            self.used_ms += self.seen.used.min(self.seen.capacity) * elapsed_ms;
            self.capacity_ms += self.seen.capacity * elapsed_ms;
        }
        self.seen = agent.map_or(Seen { at, ..Seen::default() }, |agent| Seen {
            at,
            used: u64::from(agent.used_units()),
            capacity: u64::from(agent.profile.capacity_units),
            at_work: agent.presence != Presence::Offline && agent.is_on_shift(),
        });
    }
}

/// Tickets and agents of a window of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Tickets that came in the window, in the order they came.
    pub(super) tickets: Vec<Treatment>,
    places: BTreeMap<TicketId, usize>,
    pub(super) agents: BTreeMap<AgentId, Carried>,
    pub(super) declined: u64,
    pub(super) lapsed: u64,
    /// Whether tickets that were there before are hard.
    hard_before: BTreeMap<TicketId, bool>,
}

impl Tally {
    /// Begins with a state and the moment it holds at.
    pub(crate) fn new(state: &State, at: UnixMillis) -> Self {
        let mut tally = Self::default();
        for (id, agent) in state.agents() {
            tally.agents.entry(id.clone()).or_default().see(at, Some(agent));
        }
        for open in state.tickets() {
            let hard = open.plan.as_ref().is_some_and(|plan| plan.hard);
            tally.hard_before.insert(open.ticket.clone(), hard);
        }
        tally
    }

    /// Notes what happened at a moment, and the state after it.
    pub(crate) fn note(&mut self, at: UnixMillis, events: &[Event], state: &State) {
        for event in events {
            self.note_ticket(at, event);
            if let Event::OfferAccepted { offer, agent } = event {
                let hard = match self.places.get(&offer.ticket) {
                    Some(place) => self.tickets.get(*place).is_some_and(|it| it.hard),
                    None => self.hard_before.get(&offer.ticket).copied().unwrap_or(false),
                };
                let carried = self.agents.entry(agent.clone()).or_default();
                carried.tickets += 1;
                carried.hard += u64::from(hard);
            }
            if let Some(agent) = event.agent() {
                let carried = self.agents.entry(agent.clone()).or_default();
                carried.see(at, state.agent(agent));
            }
        }
    }

    /// Counts what agents did up to the end.
    pub(crate) fn finish(&mut self, end: UnixMillis) {
        for carried in self.agents.values_mut() {
            carried.see(end, None);
        }
    }

    fn note_ticket(&mut self, at: UnixMillis, event: &Event) {
        match event {
            Event::TicketReceived { ticket, intake } => {
                self.places.insert(ticket.clone(), self.tickets.len());
                self.tickets.push(Treatment::new(ticket.clone(), at, intake.target_secs));
            }
            Event::OfferDeclined { .. } => self.declined += 1,
            Event::OfferExpired { .. } => self.lapsed += 1,
            _ => {}
        }
        let place = event.ticket().and_then(|ticket| self.places.get(ticket));
        let Some(ticket) = place.and_then(|place| self.tickets.get_mut(*place)) else { return };
        match event {
            Event::TicketRead { plan, .. }
            | Event::TicketPlanned { plan, .. }
            | Event::TicketTransferred { plan, .. }
            | Event::TicketAssignedByHand { plan, .. } => ticket.note_plan(plan),
            Event::OfferMade { decision, .. } => ticket.note_offer(decision),
            Event::OfferAccepted { .. } => ticket.note_acceptance(at),
            Event::AssignmentCompleted { .. } => {
                (ticket.status, ticket.closed_at) = (Status::Completed, Some(at));
            }
            Event::TicketCancelled { .. } => {
                (ticket.status, ticket.closed_at) = (Status::Cancelled, Some(at));
            }
            _ => {}
        }
    }
}
