//! How evenly work is spread over agents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::{Carried, Tally};
use crate::fairness::{gini_index, jain_index, max_mean_ratio};

/// Fewest tickets of an agent whose share of hard ones is compared: below, chance alone decides.
const TICKETS_MIN: u64 = 30;

/// How one kind of load is spread over agents; absent without any load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Gini's index: 0 when all carry the same.
    pub gini: Option<f64>,
    /// Jain's index: 1 when all carry the same.
    pub jain: Option<f64>,
    /// The largest load over the mean: 1 when all carry the same.
    pub max_over_mean: Option<f64>,
}

/// What one agent carried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AgentLoad {
    /// Tickets accepted.
    pub tickets: u64,
    /// Hard ones among them: angry, urgent or long.
    pub hard_tickets: u64,
    /// Time with a ticket in hand: offered, assigned or wrapped up.
    pub busy_seconds: f64,
    /// Share of capacity in use while at work.
    pub occupancy: Option<f64>,
}

/// How hard tickets are spread over agents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HardTickets {
    /// Their number.
    pub load: Spread,
    /// Smallest share among the tickets of an agent with at least 30; absent below two such agents.
    pub share_min: Option<f64>,
    /// Largest share.
    pub share_max: Option<f64>,
    /// Largest less smallest.
    pub share_spread: Option<f64>,
}

/// How evenly work was spread over the agents who were at work at any time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Equity {
    /// Agents who were at work.
    pub agents: u64,
    /// Tickets accepted.
    pub tickets: Spread,
    /// Busy time.
    pub busy: Spread,
    /// Mean occupancy over agents.
    pub occupancy_mean: Option<f64>,
    /// Largest occupancy less smallest.
    pub occupancy_spread: Option<f64>,
    /// Hard tickets.
    pub hard: HardTickets,
    /// What each of them carried.
    pub by_agent: BTreeMap<String, AgentLoad>,
}

/// Measures what agents carried.
pub(crate) fn equity(tally: &Tally) -> Equity {
    let at_work = |carried: &&Carried| carried.capacity_ms > 0 || carried.tickets > 0;
    let loads: Vec<&Carried> = tally.agents.values().filter(at_work).collect();
    let occupancies: Vec<f64> = loads.iter().filter_map(|carried| occupancy(carried)).collect();
    let count = occupancies.len() as f64;
    let by_agent = tally.agents.iter().filter(|(_, carried)| at_work(carried));
    Equity {
        agents: loads.len() as u64,
        tickets: spread(loads.iter().map(|carried| carried.tickets).collect()),
        busy: spread(loads.iter().map(|carried| carried.busy_ms).collect()),
        occupancy_mean: (count > 0.0).then(|| occupancies.iter().sum::<f64>() / count),
        occupancy_spread: range(&occupancies).map(|(low, high)| high - low),
        hard: hard(&loads),
        by_agent: by_agent.map(|(agent, carried)| (agent.to_string(), load(carried))).collect(),
    }
}

fn load(carried: &Carried) -> AgentLoad {
    AgentLoad {
        tickets: carried.tickets,
        hard_tickets: carried.hard,
        busy_seconds: carried.busy_ms as f64 / 1000.0,
        occupancy: occupancy(carried),
    }
}

fn occupancy(carried: &Carried) -> Option<f64> {
    (carried.capacity_ms > 0).then(|| carried.used_ms as f64 / carried.capacity_ms as f64)
}

fn spread(loads: Vec<u64>) -> Spread {
    Spread {
        gini: gini_index(&loads),
        jain: jain_index(&loads),
        max_over_mean: max_mean_ratio(&loads),
    }
}

fn hard(loads: &[&Carried]) -> HardTickets {
    let enough = loads.iter().filter(|carried| carried.tickets >= TICKETS_MIN);
    let shares: Vec<f64> =
        enough.map(|carried| carried.hard as f64 / carried.tickets as f64).collect();
    let range = range(&shares).filter(|_| shares.len() >= 2);
    HardTickets {
        load: spread(loads.iter().map(|carried| carried.hard).collect()),
        share_min: range.map(|(low, _)| low),
        share_max: range.map(|(_, high)| high),
        share_spread: range.map(|(low, high)| high - low),
    }
}

fn range(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    Some((low, high))
}
