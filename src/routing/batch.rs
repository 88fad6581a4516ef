//! Matching what gathered for a while, together.
//!
//! One after another, the first ticket takes the agent idle longest, though the next ticket may have
//! needed just that one. Together, the whole batch costs least: skills that fit without waste, agents
//! who were idle longest, tickets that have waited or must be answered soon. As many tickets as possible
//! are offered; the cost decides which, and to whom.

use std::collections::BTreeMap;

use super::{
    assignment::{Pairs, assign},
    free::Standing,
    index::MatchIndex,
    slab::{AgentKey, ClassKey, TicketKey},
    state::{Gathering, State},
    step::Step,
    tickets::OpenTicket,
};
use crate::domain::{
    decision::{Candidate, Change, Counterfactual, Decision, PairCost},
    event::Event,
    id::OfferId,
    limits::{BATCH_AGENTS_MAX, BATCH_TICKETS_MAX, DECISION_CANDIDATES_MAX},
    time::UnixMillis,
};

/// Agents of each class who are looked at beside those who gathered.
const FREE_PER_CLASS: usize = 64;
/// Tickets that one agent can get of a batch.
const TICKETS_PER_AGENT: u32 = 8;

/// What a preferred skill costs that is missing. All other costs are beside it.
const PREFERRED_MISSING: i64 = 1_000;
/// What a level of proficiency costs that is more than needed.
const SURPLUS: i64 = 100;
/// What a second costs that an agent was idle less than the longest, and its most.
const IDLE_SECOND: i64 = 1;
const IDLE_MAX: i64 = 3_600;
/// What leaving any ticket costs: more than whatever a batch of pairs could save.
const LEFT: i64 = 1_000_000_000;
/// What a second of waiting adds to it, and the most that waiting adds: some 11 days of it.
const WAITED_SECOND: i64 = 100;
const WAITED_MAX: i64 = 100_000_000;
/// What is added when the time to the target has run out; before, in proportion to the time run out.
const TARGET: i64 = 60_000;

/// A batch to be matched.
struct Batch {
    tickets: Vec<TicketKey>,
    /// The columns of each agent: one for each ticket there is room for.
    columns: BTreeMap<AgentKey, (u32, u32)>,
    agents: Vec<AgentKey>,
    idle_us_max: u64,
}

impl Step<'_> {
    /// Matches the tickets and agents that gathered, once the time to gather has passed.
    pub(super) fn match_gathered(&mut self, gather_ms: u32) {
        let gathering = &mut self.state.gathering;
        if gathering.tickets.is_empty() && gathering.agents.is_empty() {
            return;
        }
        let due = *gathering.due.get_or_insert(self.now.plus_millis(gather_ms));
        if due > self.now {
            return;
        }
        let gathered = std::mem::take(gathering);
        self.state.index.settle(&self.state.agents);
        let batch = self.state.batch(&gathered, self.now);
        for (ticket, agent) in self.state.solve(&batch, self.now) {
            self.offer_of_batch(&batch, ticket, agent);
        }
        // Whoever has room left, and whatever is left, is matched one after another.
        self.tickets = gathered.tickets;
        self.agents = gathered.agents;
        self.agents.extend(batch.agents);
        self.match_waiting();
    }

    fn offer_of_batch(&mut self, batch: &Batch, key: TicketKey, agent: AgentKey) {
        let now = self.now;
        let Some(decision) = self.state.decide_for(batch, key, agent, now) else { return };
        let Some(open) = self.state.tickets.get(key) else { return };
        let offer = OfferId { ticket: open.ticket.clone(), epoch: open.epoch + 1 };
        let Some(first) = decision.candidates.first() else { return };
        self.record(Event::OfferMade {
            offer,
            agent: first.agent.clone(),
            expires_at: now.plus_secs(self.offer_timeout_secs()),
            decision: Box::new(decision),
        });
    }
}

impl State {
    /// Returns the tickets and agents that are matched together.
    fn batch(&self, gathered: &Gathering, now: UnixMillis) -> Batch {
        // No class can give away more tickets than it has agents among those who gathered.
        let mut takers: BTreeMap<ClassKey, usize> = BTreeMap::new();
        for agent in gathered.agents.iter().take(BATCH_AGENTS_MAX) {
            let Some(state) = self.agents.get(*agent).filter(|agent| agent.is_on_duty()) else {
                continue;
            };
            for membership in self.index.memberships(*agent) {
                if MatchIndex::has_room(membership, state.room()) {
                    *takers.entry(membership.class).or_default() += 1;
                }
            }
        }
        let waiting = takers.into_iter().flat_map(|(class, takers)| {
            let class = self.index.classes.get(class);
            class.into_iter().flat_map(move |class| class.waiting.soonest(takers))
        });
        let mut ranked: Vec<_> = gathered
            .tickets
            .iter()
            .copied()
            .chain(waiting)
            .filter_map(|key| {
                let open = self.tickets.get(key)?;
                Some((open.spot(key, &open.links.spot?).rank(now), key))
            })
            .collect();
        ranked.sort_unstable();
        ranked.dedup();
        let tickets: Vec<TicketKey> =
            ranked.into_iter().take(BATCH_TICKETS_MAX).map(|(_, key)| key).collect();
        self.with_agents(tickets, gathered, now)
    }

    fn with_agents(&self, tickets: Vec<TicketKey>, gathered: &Gathering, now: UnixMillis) -> Batch {
        let mut classes: Vec<ClassKey> =
            tickets.iter().filter_map(|key| self.class_at(*key)).collect();
        classes.sort_unstable();
        classes.dedup();
        let free = classes.iter().filter_map(|class| self.index.classes.get(*class));
        let free = free.flat_map(|class| class.free.best_first(now).take(FREE_PER_CLASS));
        let mut agents: Vec<AgentKey> = free.map(|standing| standing.key.agent).collect();
        agents.extend(&gathered.agents);
        agents.sort_unstable();
        agents.dedup();
        agents.truncate(BATCH_AGENTS_MAX);
        let mut columns = BTreeMap::new();
        let mut next = 0;
        let mut idle_us_max = 0;
        for key in &agents {
            let Some(agent) = self.agents.get(*key).filter(|agent| agent.is_on_duty()) else {
                continue;
            };
            let room = agent.room().left().clamp(1, TICKETS_PER_AGENT);
            columns.insert(*key, (next, next + room));
            next += room;
            idle_us_max = idle_us_max.max(agent.idle_us_at(now));
        }
        Batch { tickets, columns, agents, idle_us_max }
    }

    fn class_at(&self, key: TicketKey) -> Option<ClassKey> {
        Some(self.tickets.get(key)?.links.spot?.class)
    }

    /// Returns who gets which ticket at the least cost, tickets in the order of the queue.
    fn solve(&self, batch: &Batch, now: UnixMillis) -> Vec<(TicketKey, AgentKey)> {
        let column_count = batch.columns.values().map(|(_, end)| *end).max().unwrap_or(0);
        let mut owners = vec![None; column_count as usize];
        for (agent, (first, end)) in &batch.columns {
            for owner in owners.iter_mut().take(*end as usize).skip(*first as usize) {
                *owner = Some(*agent);
            }
        }
        let mut known: BTreeMap<ClassKey, Vec<(Standing, PairCost)>> = BTreeMap::new();
        let mut pairs = Pairs::new(column_count);
        for key in &batch.tickets {
            let (Some(open), Some(class)) = (self.tickets.get(*key), self.class_at(*key)) else {
                continue;
            };
            pairs.ticket(self.cost_of_leaving(open, now));
            let costs = known.entry(class).or_insert_with(|| self.costs(batch, class, now));
            for (standing, cost) in &*costs {
                let agent = standing.key.agent;
                let passed = !open.declined.is_empty()
                    && self
                        .agents
                        .get(agent)
                        .is_some_and(|agent| open.decline_of(&agent.profile.agent).is_some());
                let columns = batch.columns.get(&agent).filter(|_| !passed);
                for column in columns.map_or(0..0, |(first, end)| *first..*end) {
                    pairs.pair(column, cost.skill_fit + cost.equity);
                }
            }
        }
        let chosen = batch.tickets.iter().zip(assign(pairs));
        chosen
            .filter_map(|(ticket, column)| Some((*ticket, (*owners.get(column? as usize)?)?)))
            .collect()
    }

    /// Returns what each agent of the batch who is free for a class would cost.
    fn costs(&self, batch: &Batch, class: ClassKey, now: UnixMillis) -> Vec<(Standing, PairCost)> {
        let Some(found) = self.index.classes.get(class) else { return Vec::new() };
        if self.closed && !found.spec.around_the_clock {
            return Vec::new();
        }
        let fit = found.fit.iter().filter(|agent| batch.columns.contains_key(agent));
        fit.filter_map(|key| {
            let agent = self.agents.get(*key)?;
            let standing = self.index.standing((*key, agent), class, now)?;
            let idle_us = agent.idle_us_at(now);
            Some((standing, pair_cost(&standing, batch.idle_us_max.saturating_sub(idle_us))))
        })
        .collect()
    }

    /// Returns what leaving a ticket costs: any ticket much, more by its wait and its target.
    fn cost_of_leaving(&self, open: &OpenTicket, now: UnixMillis) -> i64 {
        let head_start_secs = open.plan.as_ref().map_or(0, |plan| plan.head_start_secs);
        let counted_from = open.received_at.minus_secs(head_start_secs);
        let waited_secs = i64::try_from(now.millis_since(counted_from) / 1000).unwrap_or(i64::MAX);
        let target_secs = open.plan.as_ref().and_then(|plan| plan.target_secs);
        let since_received = i64::try_from(now.millis_since(open.received_at)).unwrap_or(i64::MAX);
        let at_risk = target_secs.map_or(0, |secs| {
            TARGET * since_received.min(i64::from(secs) * 1000) / (i64::from(secs) * 1000).max(1)
        });
        LEFT + waited_secs.saturating_mul(WAITED_SECOND).min(WAITED_MAX) + at_risk
    }

    /// Returns the record of an offer that a batch led to; `None` when it cannot be made any more.
    fn decide_for(
        &mut self,
        batch: &Batch,
        key: TicketKey,
        chosen: AgentKey,
        now: UnixMillis,
    ) -> Option<Decision> {
        let class = self.class_at(key)?;
        let agent = self.agents.get(chosen)?;
        let standing = self.index.standing((chosen, agent), class, now)?;
        let mut decision = self.decide(key, now)?;
        let open = self.tickets.get(key)?;
        let waiting_saved = self.cost_of_leaving(open, now);
        let first = self.candidate(open, &standing, 0, now)?;
        let mut ranked = std::mem::take(&mut decision.candidates);
        ranked.retain(|other| other.agent != first.agent);
        ranked.insert(0, first);
        let priced = |candidate: Candidate| {
            let agent = self.agents.key(&candidate.agent)?;
            let idle_us = self.agents.get(agent)?.idle_us_at(now);
            let standing = self.index.standing((agent, self.agents.get(agent)?), class, now)?;
            let cost = pair_cost(&standing, batch.idle_us_max.saturating_sub(idle_us));
            Some(Candidate { cost: Some(PairCost { waiting_saved, ..cost }), ..candidate })
        };
        let candidates = ranked.into_iter().filter_map(priced);
        decision.candidates = candidates.take(DECISION_CANDIDATES_MAX).collect();
        decision.counterfactual = decision.candidates.get(1).map(|second| {
            Counterfactual::Change(Change::WithoutTheFirst { agent: second.agent.clone() })
        });
        Some(decision)
    }
}

fn pair_cost(standing: &Standing, idle_missing_us: u64) -> PairCost {
    let surplus = i64::from(standing.key.surplus.0) * SURPLUS;
    let missing = i64::from(standing.bucket.preferred_missing) * PREFERRED_MISSING;
    let idle_secs = i64::try_from(idle_missing_us / 1_000_000).unwrap_or(i64::MAX);
    PairCost {
        skill_fit: surplus + missing,
        equity: (idle_secs.saturating_mul(IDLE_SECOND)).min(IDLE_MAX),
        waiting_saved: 0,
    }
}
