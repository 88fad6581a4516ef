//! How tickets, and angry ones, are spread over agents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::decision::Decision;
use crate::fairness::{
    loads::{gini_index, jain_index, max_mean_ratio},
    proportions::{ChiSquare, chi_square},
    rates::Rate,
};

/// The loads of agents, over assigned tickets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgentLoads {
    /// Tickets by agent.
    pub load: BTreeMap<String, u64>,
    /// Tickets of angry customers by agent.
    pub angry: BTreeMap<String, u64>,
    /// Their share by agent.
    pub angry_share: BTreeMap<String, Option<f64>>,
    /// Gini's index of the tickets.
    pub formula_gini_load: Option<f64>,
    /// Jain's index of the tickets.
    pub formula_jain_load: Option<f64>,
    /// Gini's index of the angry ones; `None` when there are none.
    pub formula_gini_angry: Option<f64>,
    /// Jain's index of the angry ones; `None` when there are none.
    pub formula_jain_angry: Option<f64>,
    /// Most tickets of an agent over the mean.
    pub max_over_mean_load: Option<f64>,
    /// The same of the angry ones.
    pub max_over_mean_angry: Option<f64>,
    /// Whether the share of angry ones differs between agents.
    pub angry_share_chi2: ChiSquare,
}

/// Compares agents. One agent alone, with tickets of both kinds, has nobody to differ from: no degree
/// of freedom and no distance, as statistical programs have it.
fn spread(rates: &[Rate]) -> ChiSquare {
    match rates {
        [only] if only.hits() > 0 && only.misses() > 0 => ChiSquare::new(0.0, 0),
        several => chi_square(several),
    }
}

impl AgentLoads {
    /// Counts; `None` when no ticket was assigned to an agent that is named.
    pub(super) fn of(decisions: &[Decision]) -> Option<Self> {
        let mut rates: BTreeMap<&str, Rate> = BTreeMap::new();
        for decision in decisions.iter().filter(|decision| decision.assigned) {
            if let Some(agent) = &decision.agent {
                rates.entry(agent).or_default().record(decision.angry);
            }
        }
        if rates.is_empty() {
            return None;
        }
        let loads: Vec<u64> = rates.values().map(|rate| rate.count()).collect();
        let angry: Vec<u64> = rates.values().map(|rate| rate.hits()).collect();
        let all: Vec<Rate> = rates.values().copied().collect();
        let named = |of: fn(Rate) -> u64| {
            rates.iter().map(|(name, rate)| ((*name).to_owned(), of(*rate))).collect()
        };
        let share = |(name, rate): (&&str, &Rate)| ((*name).to_owned(), rate.value());
        Some(Self {
            load: named(Rate::count),
            angry: named(Rate::hits),
            angry_share: rates.iter().map(share).collect(),
            formula_gini_load: gini_index(&loads),
            formula_jain_load: jain_index(&loads),
            formula_gini_angry: gini_index(&angry),
            formula_jain_angry: jain_index(&angry),
            max_over_mean_load: max_mean_ratio(&loads),
            max_over_mean_angry: max_mean_ratio(&angry),
            angry_share_chi2: spread(&all),
        })
    }
}
