//! What the journal says of one ticket, as far as its treatment is measured.

use crate::{
    domain::{
        decision::Decision,
        event::Event,
        id::{AgentId, TicketId},
        policy::{Plan, Requirement},
        ticket::{Outcome, Resolution},
        time::UnixMillis,
    },
    fairness::{Wait, watch::SLOW_START_SECS},
    routing::State,
};

/// The treatment of one ticket.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) ticket: TicketId,
    pub(super) received_at: UnixMillis,
    pub(super) assigned_at: Option<UnixMillis>,
    pub(super) closed_at: Option<UnixMillis>,
    /// By the plan it waited under, as the live measures have it.
    pub(super) target_secs: Option<u32>,
    /// `None` before it was read.
    pub(super) fast_tracked: Option<bool>,
    pub(super) triaged: Option<bool>,
    /// Offers until an agent first accepted.
    pub(super) offers: u32,
    /// By the decision that led to the first assignment.
    pub(super) fit: Option<Fit>,
    pub(super) outcome: Option<Outcome>,
    reassigned: bool,
    /// Who accepted it last.
    agent: Option<AgentId>,
    /// The fit of the live offer.
    offered: Option<Fit>,
}

/// How well an agent fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// Relaxation steps taken.
    pub(super) relaxation_step: u32,
    /// Mean proficiency over the skills needed; `None` when none was.
    pub(super) proficiency: Option<f64>,
}

impl Case {
    pub(super) fn new(ticket: TicketId, at: UnixMillis, target_secs: Option<u32>) -> Self {
        Self {
            ticket,
            received_at: at,
            assigned_at: None,
            closed_at: None,
            target_secs,
            fast_tracked: None,
            triaged: None,
            offers: 0,
            fit: None,
            outcome: None,
            reassigned: false,
            agent: None,
            offered: None,
        }
    }

    /// Notes an event about the ticket, with the state after it.
    pub(super) fn note(&mut self, at: UnixMillis, event: &Event, state: &State) {
        match event {
            Event::TicketRead { plan, .. }
            | Event::TicketPlanned { plan, .. }
            | Event::TicketTransferred { plan, .. }
            | Event::TicketAssignedByHand { plan, .. } => self.note_plan(plan),
            Event::OfferMade { agent, decision, .. } => self.note_offer(agent, decision, state),
            Event::OfferAccepted { agent, .. } => self.note_acceptance(at, agent),
            Event::AssignmentCompleted { outcome, .. } => {
                (self.closed_at, self.outcome) = (Some(at), Some(outcome.clone()));
            }
            Event::TicketCancelled { .. } => self.closed_at = Some(at),
            _ => {}
        }
    }

    /// Treatment is measured by the newest plan before the first acceptance; going to triage later
    /// counts as well.
    fn note_plan(&mut self, plan: &Plan) {
        let triaged = plan.triage.is_some();
        if self.assigned_at.is_none() {
            self.target_secs = plan.target_secs;
            self.fast_tracked = Some(plan.fast_tracked());
            self.triaged = Some(triaged);
        } else if triaged {
            self.triaged = Some(true);
        }
    }

    fn note_offer(&mut self, agent: &AgentId, decision: &Decision, state: &State) {
        self.offers += u32::from(self.assigned_at.is_none());
        self.offered = Some(Fit {
            relaxation_step: decision.relaxation_step,
            proficiency: proficiency(agent, &decision.requirements, state),
        });
    }

    fn note_acceptance(&mut self, at: UnixMillis, agent: &AgentId) {
        if self.assigned_at.is_none() {
            (self.assigned_at, self.fit) = (Some(at), self.offered.take());
        }
        self.reassigned |= self.agent.as_ref().is_some_and(|before| before != agent);
        self.agent = Some(agent.clone());
    }

    /// Returns how long it waited for the first acceptance, as far as it was seen until `end`.
    pub(super) fn wait(&self, end: UnixMillis) -> Wait {
        let until = self.assigned_at.or(self.closed_at).unwrap_or(end);
        Wait { ms: until.millis_since(self.received_at), assigned: self.assigned_at.is_some() }
    }

    /// Returns whether nobody had accepted it after so long; `None` while that is open.
    fn later_than(&self, secs: u32, end: UnixMillis) -> Option<bool> {
        let wait = self.wait(end);
        let late = wait.ms > u64::from(secs) * 1000;
        (wait.assigned || late).then_some(late)
    }

    pub(super) fn target_missed(&self, end: UnixMillis) -> Option<bool> {
        self.later_than(self.target_secs?, end)
    }

    pub(super) fn slow(&self, end: UnixMillis) -> Option<bool> {
        self.later_than(SLOW_START_SECS, end)
    }

    /// Returns whether it was cancelled before anybody accepted it; `None` while that is open.
    pub(super) fn abandoned(&self) -> Option<bool> {
        let left = self.assigned_at.is_none() && self.closed_at.is_some();
        (left || self.assigned_at.is_some()).then_some(left)
    }

    /// Returns whether it changed hands; `None` until assigned.
    pub(super) fn reassigned(&self) -> Option<bool> {
        self.assigned_at.map(|_| self.reassigned)
    }

    /// Returns whether it ended this way; `None` until completed.
    pub(super) fn ended(&self, resolution: Resolution) -> Option<bool> {
        self.outcome.as_ref().map(|outcome| outcome.resolution == resolution)
    }
}

/// Returns the mean level of an agent over what is needed, of alternatives the best.
fn proficiency(agent: &AgentId, needs: &[Requirement], state: &State) -> Option<f64> {
    let skills = &state.agent(agent)?.profile.skills;
    let level = |need: &Requirement| {
        let alternatives = need.alternatives.iter().map(|level| &level.skill);
        let any = alternatives.chain([&need.skill]);
        any.filter_map(|skill| skills.get(skill)).max().copied().unwrap_or(0)
    };
    let levels: Vec<f64> = needs.iter().map(|need| f64::from(level(need))).collect();
    (!levels.is_empty()).then(|| levels.iter().sum::<f64>() / levels.len() as f64)
}
