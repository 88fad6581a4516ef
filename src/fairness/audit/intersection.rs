//! Groups by several attributes at once.
//!
//! Two attributes may each look fair and hide a group that is not: those who are both.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    decision::{Decision, Log},
    strict::Distance,
    suppression::{GROUP_TICKETS_MIN, complementary},
};
use crate::fairness::rates::Rate;

/// The groups of several attributes. Tickets that do not declare them all are in none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Intersection {
    /// The attributes.
    pub attributes: Vec<String>,
    /// Groups with tickets, by the values with `|` between them.
    pub cells: BTreeMap<String, Cell>,
    /// Groups without tickets, though each of their values has some.
    pub empty_cells: Vec<String>,
    /// Highest selection rate less the lowest.
    pub selection_rate_difference: Option<f64>,
    /// Lowest selection rate divided by the highest.
    pub selection_rate_ratio: Option<f64>,
    /// Groups too small to be shown to others.
    pub suppressed_below_10: Vec<String>,
    /// Further groups to be left out, so that those cannot be recovered from sums over an attribute.
    pub also_suppressed: Vec<String>,
    /// As `selection_rate_difference`, over the groups large enough.
    pub selection_rate_difference_min10: Option<f64>,
}

/// The measures of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Tickets.
    pub n: u64,
    /// Selected ones.
    pub n_selected: u64,
    /// Their share.
    pub selection_rate: Option<f64>,
    /// Selected share of the urgent.
    pub tpr: Option<f64>,
    /// Selected share of those not urgent.
    pub fpr: Option<f64>,
    /// Breached targets.
    pub sla_breach: Rate,
}

impl Intersection {
    /// Measures the groups of the attributes at these places.
    pub(super) fn of(log: &Log, places: &[usize]) -> Self {
        let mut tickets: BTreeMap<Vec<&str>, Vec<&Decision>> = BTreeMap::new();
        for decision in &log.decisions {
            let values: Option<Vec<&str>> = places.iter().map(|at| decision.group(*at)).collect();
            if let Some(values) = values {
                tickets.entry(values).or_default().push(decision);
            }
        }
        let keys: Vec<&Vec<&str>> = tickets.keys().collect();
        let counts: Vec<u64> = tickets.values().map(|group| group.len() as u64).collect();
        let also = complementary(&counts, &lines(&keys, places.len()));
        let cells: BTreeMap<String, Cell> =
            tickets.iter().map(|(values, group)| (values.join("|"), Cell::of(group))).collect();
        let all = Distance::between(rates(&cells, 1), None);
        let small = |(_, cell): &(&String, &Cell)| cell.n < GROUP_TICKETS_MIN;
        Self {
            attributes: places.iter().map(|at| log.attributes[*at].clone()).collect(),
            empty_cells: empty(&keys, places.len()),
            selection_rate_difference: all.difference,
            selection_rate_ratio: all.ratio,
            suppressed_below_10: cells.iter().filter(small).map(|(name, _)| name.clone()).collect(),
            also_suppressed: also.iter().map(|at| keys[*at].join("|")).collect(),
            selection_rate_difference_min10: Distance::between(
                rates(&cells, GROUP_TICKETS_MIN),
                None,
            )
            .difference,
            cells,
        }
    }
}

impl Cell {
    fn of(tickets: &[&Decision]) -> Self {
        let selected: Rate = tickets.iter().map(|ticket| ticket.selected).collect();
        let labelled = |urgent: bool| -> Rate {
            let of = tickets.iter().filter(|ticket| ticket.label == Some(urgent));
            of.map(|ticket| ticket.selected).collect()
        };
        Self {
            n: selected.count(),
            n_selected: selected.hits(),
            selection_rate: selected.value(),
            tpr: labelled(true).value(),
            fpr: labelled(false).value(),
            sla_breach: tickets.iter().filter_map(|ticket| ticket.target_breached).collect(),
        }
    }
}

/// Returns the selection rates of groups with so many tickets or more.
fn rates(
    cells: &BTreeMap<String, Cell>,
    count_min: u64,
) -> impl Iterator<Item = (&str, Option<f64>)> {
    let enough = cells.iter().filter(move |(_, cell)| cell.n >= count_min);
    enough.map(|(name, cell)| (name.as_str(), cell.selection_rate))
}

/// Returns the groups that have the same values but for one attribute: their sums may be known.
fn lines(keys: &[&Vec<&str>], attributes: usize) -> Vec<Vec<usize>> {
    let along = |attribute: usize| {
        let mut lines: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
        for (place, values) in keys.iter().enumerate() {
            let mut others = values.to_vec();
            others.remove(attribute);
            lines.entry(others).or_default().push(place);
        }
        lines.into_values()
    };
    (0..attributes).flat_map(along).collect()
}

/// Returns the combinations of values that nobody has, first attribute first.
fn empty(keys: &[&Vec<&str>], attributes: usize) -> Vec<String> {
    let filled: BTreeSet<&[&str]> = keys.iter().map(|values| values.as_slice()).collect();
    let mut combinations: Vec<Vec<&str>> = vec![Vec::new()];
    for attribute in 0..attributes {
        let values: BTreeSet<&str> = keys.iter().map(|values| values[attribute]).collect();
        combinations = combinations
            .iter()
            .flat_map(|start| values.iter().map(move |value| [&start[..], &[*value]].concat()))
            .collect();
    }
    combinations.retain(|values| !values.is_empty() && !filled.contains(values.as_slice()));
    combinations.iter().map(|values| values.join("|")).collect()
}
