//! Who is asked for which ticket.
//!
//! Work-conserving: after every step no eligible agent with room stands beside a waiting ticket, unless
//! the policy lets them gather for a batch. Among eligible agents the policy's choice is asked, by
//! default the one with the longest cumulative idleness, then the one with the greater proficiency
//! surplus, then who was free first and who was added first: never by the order of a map.

use std::collections::BTreeSet;

use super::{
    free::Standing,
    index::MatchIndex,
    queue::Rank,
    slab::{AgentKey, ClassKey, TicketKey},
    state::State,
    step::Step,
    tickets::OpenTicket,
};
use crate::domain::{
    event::Event, id::OfferId, limits::DECISION_CANDIDATES_MAX, policy::AgentChoice,
    ticket::Status, time::UnixMillis,
};

/// Of how many agents, best first, the one with the smallest share of hard tickets is asked.
const SPREAD_OVER: usize = 8;

/// An agent who could take a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Eligible {
    /// How often the agent passed on it.
    pub(super) declines: u32,
    pub(super) standing: Standing,
}

/// The agents who could take a ticket.
#[derive(Debug)]
pub(super) struct Ranking {
    /// The first few, best first.
    pub(super) first: Vec<Eligible>,
    /// How many there are.
    pub(super) count: usize,
    /// How many more are left in peace because they passed on it.
    pub(super) backing_off: usize,
}

impl State {
    /// Returns the waiting ticket that an agent should be asked for next.
    pub(super) fn next_ticket_for(&self, key: AgentKey, now: UnixMillis) -> Option<Rank> {
        let agent = self.agents.get(key).filter(|agent| agent.is_on_duty())?;
        let room = agent.room();
        let backs_off = |ticket: TicketKey| {
            let open = self.tickets.get(ticket);
            open.is_some_and(|open| open.backs_off(&agent.profile.agent, now))
        };
        let classes = || {
            let memberships = self.index.memberships(key).iter();
            memberships.filter(move |m| MatchIndex::has_room(m, room)).filter_map(|membership| {
                let class = self.index.classes.get(membership.class)?;
                let open = !self.closed || class.spec.around_the_clock;
                (open && class.waiting.len() > 0).then_some(class)
            })
        };
        let first = classes().filter_map(|class| class.waiting.head(now)).min()?;
        // Looking at one ticket is cheaper than at the first of every class.
        if !backs_off(first.ticket) {
            return Some(first);
        }
        classes().filter_map(|class| class.waiting.first(now, |t| !backs_off(t))).min()
    }

    /// Returns who could take a ticket if it were in `class`.
    pub(super) fn ranking(&self, open: &OpenTicket, class: ClassKey, now: UnixMillis) -> Ranking {
        let nobody = Ranking { first: Vec::new(), count: 0, backing_off: 0 };
        let Some(found) = self.index.classes.get(class) else { return nobody };
        if self.closed && !found.spec.around_the_clock {
            return nobody;
        }
        let (loose, as_they_were) = self.index.loose(class, &self.agents, now);
        let all = found.free.len() - as_they_were + loose.len();
        let (asked_before, backing_off) = self.decliners(open, class, now);
        let is_new = |standing: &Standing| {
            open.declined.is_empty()
                || self
                    .agents
                    .get(standing.key.agent)
                    .is_some_and(|agent| open.decline_of(&agent.profile.agent).is_none())
        };
        let in_order = |s: &Standing| !self.index.is_loose(s.key.agent) && is_new(s);
        let mut standings: Vec<Standing> = if self.chooses_at_random() {
            let all = found.free.all(now).filter(in_order);
            all.map(|standing| shuffled(standing, open)).collect()
        } else {
            found.free.best_first(now).filter(in_order).take(SPREAD_OVER).collect()
        };
        let random = self.chooses_at_random();
        let draw = |standing| if random { shuffled(standing, open) } else { standing };
        standings.extend(loose.into_iter().filter(is_new).map(draw));
        standings.sort_unstable();
        standings.truncate(SPREAD_OVER);
        let fresh = standings.into_iter().map(|standing| Eligible { declines: 0, standing });
        let mut first: Vec<Eligible> = fresh.collect();
        self.spread_hard(open, &mut first);
        first.extend(asked_before);
        first.truncate(DECISION_CANDIDATES_MAX);
        Ranking { first, count: all - backing_off, backing_off }
    }

    fn chooses_at_random(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.agent_choice == AgentChoice::Random)
    }

    /// Returns those who passed on a ticket and may be asked again, best first, and how many may not.
    fn decliners(
        &self,
        open: &OpenTicket,
        class: ClassKey,
        now: UnixMillis,
    ) -> (Vec<Eligible>, usize) {
        let mut again = Vec::new();
        let mut backing_off = 0;
        for declined in &open.declined {
            let Some(key) = self.agents.key(&declined.agent) else { continue };
            let Some(agent) = self.agents.get(key) else { continue };
            let Some(standing) = self.index.standing((key, agent), class, now) else { continue };
            if declined.until.is_some_and(|until| until > now) {
                backing_off += 1;
            } else {
                again.push(Eligible { declines: declined.times, standing });
            }
        }
        again.sort_unstable();
        (again, backing_off)
    }

    /// Returns whether a ticket is one of those that are spread over the agents.
    pub(super) fn spreads(&self, open: &OpenTicket) -> bool {
        let spreads = self.policy.as_ref().is_some_and(|policy| policy.spread_hard_tickets);
        spreads && open.plan.as_ref().is_some_and(|plan| plan.hard)
    }

    /// Moves the agent with the smallest share of hard tickets to the front.
    fn spread_hard(&self, open: &OpenTicket, first: &mut [Eligible]) {
        if !self.spreads(open) {
            return;
        }
        let share = |eligible: &Eligible| {
            let agent = self.agents.get(eligible.standing.key.agent);
            agent.map_or((0, 1), |agent| (agent.hard_taken, agent.taken.max(1)))
        };
        let at = (0..first.len()).min_by(|a, b| {
            let (a, b) = (first.get(*a).map_or((0, 1), share), first.get(*b).map_or((0, 1), share));
            (u128::from(a.0) * u128::from(b.1)).cmp(&(u128::from(b.0) * u128::from(a.1)))
        });
        if let Some(front) = at.and_then(|at| first.get_mut(..=at)) {
            front.rotate_right(1);
        }
    }
}

/// Gives a standing an order drawn from the ticket and the agent: the same in every replay.
fn shuffled(mut standing: Standing, open: &OpenTicket) -> Standing {
    let seed = open.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(open.epoch);
    let agent = standing.key.agent.draw(seed);
    standing.key.order = i128::from(agent);
    standing
}

impl Step<'_> {
    /// Offers what can be offered, in the order of the queue.
    ///
    /// Only tickets that changed, and tickets that an agent who changed could take, can have become
    /// matchable: everybody else was matched in an earlier step.
    pub(super) fn match_waiting(&mut self) {
        let now = self.now;
        let waiting = std::mem::take(&mut self.tickets);
        let mut tickets: BTreeSet<Rank> =
            waiting.into_iter().filter_map(|ticket| self.rank(ticket)).collect();
        let free = std::mem::take(&mut self.agents);
        let next = |step: &Self, agent| Some((step.state.next_ticket_for(agent, now)?, agent));
        let mut agents: BTreeSet<(Rank, AgentKey)> =
            free.into_iter().filter_map(|agent| next(self, agent)).collect();
        loop {
            let by_ticket = tickets.first().copied();
            let by_agent = agents.first().copied();
            match (by_ticket, by_agent) {
                (Some(rank), by_agent) if by_agent.is_none_or(|(other, _)| rank <= other) => {
                    tickets.remove(&rank);
                    self.offer(rank.ticket);
                }
                (_, Some((rank, agent))) => {
                    agents.remove(&(rank, agent));
                    let current = next(self, agent);
                    // Somebody else took it: the agent waits for the turn of the next one.
                    if current.is_none_or(|(current, _)| current != rank) {
                        agents.extend(current);
                    } else if self.offer(rank.ticket) {
                        agents.extend(next(self, agent));
                    }
                }
                _ => break,
            }
        }
    }

    fn rank(&self, ticket: TicketKey) -> Option<Rank> {
        let open = self.state.tickets.get(ticket)?;
        Some(open.spot(ticket, &open.links.spot?).rank(self.now))
    }

    /// Offers a waiting ticket to the best agent, or records why there is none.
    pub(super) fn offer(&mut self, key: TicketKey) -> bool {
        self.state.index.settle_crowd(&self.state.agents);
        if self.looked_at_again.contains(&key) && self.nobody_can_take(key) {
            return false;
        }
        let Some(decision) = self.state.decide(key, self.now) else { return false };
        let Some(open) = self.state.tickets.get(key) else { return false };
        let ticket = open.ticket.clone();
        let event = match decision.candidates.first() {
            None => Event::TicketQueued { ticket, decision: Box::new(decision) },
            Some(best) => Event::OfferMade {
                offer: OfferId { ticket, epoch: open.epoch + 1 },
                agent: best.agent.clone(),
                expires_at: self.now.plus_secs(self.offer_timeout_secs()),
                decision: Box::new(decision),
            },
        };
        let offered = matches!(event, Event::OfferMade { .. });
        self.record(event);
        offered
    }

    fn nobody_can_take(&self, key: TicketKey) -> bool {
        let open = self.state.tickets.get(key);
        let ranking = open
            .and_then(|open| Some(self.state.ranking(open, self.state.class_of(open)?, self.now)));
        ranking.is_none_or(|ranking| ranking.first.is_empty())
    }

    pub(super) fn offer_timeout_secs(&self) -> u32 {
        self.state.policy.as_ref().map_or(0, |policy| policy.offer_timeout_secs)
    }

    /// Plans tickets anew that came back to the queue and were read again, or met a new policy, while an
    /// agent had them. Returns whether there were any.
    pub(super) fn replan_stale(&mut self) -> bool {
        let stale = |key: &&TicketKey| {
            self.state.tickets.get(**key).is_some_and(|open| {
                open.plan_is_stale
                    && open.status == Status::Queued
                    && !super::plan::by_a_person(open)
            })
        };
        let tickets: Vec<TicketKey> = self.tickets.iter().filter(stale).copied().collect();
        let any = !tickets.is_empty();
        tickets.into_iter().for_each(|ticket| self.replan(ticket));
        any
    }
}
