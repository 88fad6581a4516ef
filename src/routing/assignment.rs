//! Gives a batch of waiting tickets to free agents so that the total cost is the least possible.
//!
//! The linear assignment problem, sparse, with a price for each ticket that is left waiting. Solved
//! exactly, with whole numbers, by its dual: each ticket and each agent has a *dual*, at most its
//! *cap* (what it costs alone: a ticket its cost of waiting, an agent 0), and for no pair may the
//! two duals sum to more than the pair's cost. A matching in which each pair's duals sum to exactly
//! its cost and everybody alone is at the cap costs the least, because no other can cost less than
//! all duals together.
//!
//! Three means lead there, cheapest first:
//!
//! 1. Bids without a step (the "augmenting row reduction" of Jonker and Volgenant, Computing 38,
//!    1987), then shortest augmenting paths. Enough for most batches.
//! 2. Where that takes too many looks at pairs, as when all tickets want the same agents: bids with
//!    a step that shrinks, from tickets and then from agents (Bertsekas and Castañón, Computational
//!    Optimization and Applications 1, 1992), also bounded in looks. They find duals near the best.
//! 3. Shortest augmenting paths from there, first from tickets, then from agents who are alone and
//!    below their cap. Exact from whatever duals it starts, so only time depends on 1 and 2.
//!
//! With T tickets, A agents and E pairs the worst case is (T + A) searches of E log E steps each;
//! what the first two means add is a bounded number of looks at each pair.

mod bids;
mod search;
mod side;

#[cfg(test)]
mod tests;

use bids::{bid_in_chains, bid_in_turn, release};
use search::search_all;
use side::{Edge, NONE, Side, sort_heads};

/// Largest cost of a pair, either side of zero. Fits 32 bits, so that a pair takes 8 bytes.
pub(crate) const PAIR_COST_MAX: i64 = 1_000_000_000;
/// Largest cost of leaving a ticket waiting, either side of zero. Enough to outweigh half a million
/// pairs, and a thousandth of what sums of duals, caps and costs could hold.
pub(crate) const SKIP_COST_MAX: i64 = 1_000_000_000_000_000;
/// Looks at each pair, on average, before the first means gives way to the second. Measured.
const DIRECT_LOOKS_PER_PAIR: u64 = 4;
/// Looks at each pair, on average, before the second means gives way to the third. Twice what the
/// worst of the measured batches needed: stopping too early costs ten times as much as going on.
const SCALING_LOOKS_PER_PAIR: u64 = 200;
/// Looks at each pair, on average, for bids without a step. Measured.
const BIDDING_LOOKS_PER_PAIR: u64 = 3;
/// By how much the step of bids shrinks each time. Measured; 4 to 10 is usual.
const STEP_DIVISOR: i64 = 5;

/// Which agents may take which tickets, and at what cost. Built one ticket after another.
#[derive(Debug, Clone)]
pub(crate) struct Pairs {
    agent_count: u32,
    edges: Vec<Edge>,
    /// For each ticket the end of its edges; they begin where those of the ticket before end.
    ends: Vec<usize>,
    skip_costs: Vec<i64>,
}

impl Pairs {
    /// Begins a batch for the agents `0..agent_count`.
    pub(crate) fn new(agent_count: u32) -> Self {
        Self { agent_count, edges: Vec::new(), ends: Vec::new(), skip_costs: Vec::new() }
    }

    /// Adds a ticket, which costs `skip_cost` if it is left waiting; its pairs follow.
    ///
    /// Costs beyond [`SKIP_COST_MAX`], either side of zero, count as that. If every ticket costs more
    /// than the dearest pair and `min(tickets, agents)` times the range of pair costs, as many as
    /// possible are taken.
    pub(crate) fn ticket(&mut self, skip_cost: i64) {
        self.ends.push(self.edges.len());
        self.skip_costs.push(skip_cost.clamp(-SKIP_COST_MAX, SKIP_COST_MAX));
    }

    /// Lets `agent` take the latest ticket at `cost`. Of equal pairs the cheapest counts.
    ///
    /// Costs beyond [`PAIR_COST_MAX`], either side of zero, count as that. Without a ticket, or with
    /// an agent outside the batch, nothing is added.
    pub(crate) fn pair(&mut self, agent: u32, cost: i64) {
        let cost = i32::try_from(cost.clamp(-PAIR_COST_MAX, PAIR_COST_MAX));
        if let (Some(end), Ok(cost), true) = (self.ends.last_mut(), cost, agent < self.agent_count)
        {
            self.edges.push(Edge { cost, other: agent });
            *end = self.edges.len();
        }
    }
}

/// Returns for each ticket the agent who takes it, each agent at most once, at the least total cost.
///
/// Same pairs in the same order give the same answer. Which of several answers of the same cost it
/// is depends on that order alone.
pub(crate) fn assign(pairs: Pairs) -> Vec<Option<u32>> {
    let solver = Solver::solved(pairs, DIRECT_LOOKS_PER_PAIR, SCALING_LOOKS_PER_PAIR);
    solver.tickets.mates.iter().map(|mate| (*mate != NONE).then_some(*mate)).collect()
}

/// What is known while a batch is solved.
struct Solver {
    tickets: Side,
    agents: Side,
    /// Pairs looked at so far: the measure of work, the same on every machine.
    looks: u64,
}

impl Solver {
    /// Solves a batch; the limits say how long the first two means are tried, and change no cost.
    fn solved(pairs: Pairs, direct_per_pair: u64, scaling_per_pair: u64) -> Self {
        let mut solver = Self::new(pairs);
        let pairs = solver.pair_count();
        if !solver.settle(direct_per_pair.saturating_mul(pairs)) {
            solver.scale(scaling_per_pair.saturating_mul(pairs));
            solver.settle(u64::MAX);
        }
        solver
    }

    fn new(pairs: Pairs) -> Self {
        let mut starts = vec![0];
        starts.extend(pairs.ends);
        let mut edges = pairs.edges;
        sort_heads(&starts, &mut edges);
        let mut caps = pairs.skip_costs;
        lower_caps(&starts, &edges, &mut caps, pairs.agent_count as usize);
        let tickets = Side::new(starts, edges, caps, true);
        let agents = tickets.facing(pairs.agent_count as usize);
        Self { tickets, agents, looks: 0 }
    }

    /// Returns how many pairs there are, those with nobody among them.
    fn pair_count(&self) -> u64 {
        (self.tickets.edges.len() + self.tickets.caps.len() + self.agents.caps.len()) as u64
    }

    /// Solves exactly from the duals there are; returns whether it did within about `looks_max`.
    fn settle(&mut self, looks_max: u64) -> bool {
        let looks_max = self.looks.saturating_add(looks_max);
        let bidding = looks_max.min(self.looks + BIDDING_LOOKS_PER_PAIR * self.pair_count());
        let Self { tickets, agents, looks } = self;
        let list = release(tickets, agents, 0, looks);
        bid_in_chains(tickets, agents, list, bidding, looks);
        release(tickets, agents, 0, looks);
        search_all(tickets, agents, looks_max, looks)
            && search_all(agents, tickets, looks_max, looks)
    }

    /// Brings duals near the best ones by bids whose step shrinks to 1, within about `looks_max`.
    fn scale(&mut self, looks_max: u64) {
        let looks_max = self.looks.saturating_add(looks_max);
        let Self { tickets, agents, looks } = self;
        let costs = tickets.edges.iter().map(|edge| i64::from(edge.cost));
        let most = tickets.caps.iter().copied().chain(costs.clone()).max().unwrap_or(0);
        let mut step = (most - costs.min().unwrap_or(0)) / STEP_DIVISOR;
        while step > 0 {
            let list = release(tickets, agents, step, looks);
            bid_in_turn(tickets, agents, list, step, looks_max, looks);
            // Those whom a larger step made too dear for everybody.
            let list = agents.pending();
            bid_in_turn(agents, tickets, list, step, looks_max, looks);
            if *looks > looks_max {
                break;
            }
            step /= STEP_DIVISOR;
        }
    }
}

/// Lowers all caps by the same amount where they are higher than needed to take as many tickets as
/// possible: the answer is the same, and there is less for bids to climb.
///
/// One more ticket taken exchanges at most `longest` pairs, each by at most the range of costs.
fn lower_caps(starts: &[usize], edges: &[Edge], caps: &mut [i64], agents: usize) {
    let costs = edges.iter().map(|edge| i64::from(edge.cost));
    let (Some(least), Some(most)) = (costs.clone().min(), costs.max()) else { return };
    let longest = i64::try_from(caps.len().min(agents)).unwrap_or(i64::MAX);
    let enough = longest.saturating_mul(most - least).saturating_add(most + 1);
    let with_pairs = starts.windows(2).zip(&*caps).filter(|(bounds, _)| bounds[0] < bounds[1]);
    let lowest = with_pairs.map(|(_, cap)| *cap).min().unwrap_or(enough);
    for cap in caps.iter_mut().filter(|_| lowest > enough) {
        *cap -= lowest - enough;
    }
}
