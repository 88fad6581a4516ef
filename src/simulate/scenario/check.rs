//! What must hold between the keys of a scenario.

use std::collections::BTreeSet;

use super::{Order, Scenario, reader::Reader};
use crate::domain::limits;

/// Most tickets that one run may expect: days of computing.
const TICKETS_MAX: f64 = 1e10;
/// Greatest ratio of weights that is kept exactly enough.
const WEIGHTS_RATIO_MAX: f64 = 1e4;
/// Most different priorities: the core counts them in a byte.
const PRIORITIES_MAX: usize = 256;

/// Notes everything that does not fit together.
pub(super) fn check(scenario: &Scenario, top: &Reader<'_>) {
    names(scenario, top);
    priorities(scenario, top);
    let agents: u64 = scenario.teams.iter().map(|team| u64::from(team.count)).sum();
    if agents > limits::AGENTS_MAX as u64 {
        let allowed = format!("are {agents} agents in all; at most {}", limits::AGENTS_MAX);
        top.reject("agent", &allowed);
    }
    let rate: f64 = scenario.classes.iter().map(mean_rate).sum();
    let tickets = rate * scenario.end_seconds();
    if tickets > TICKETS_MAX {
        let allowed = format!("would be {tickets:.0} tickets a run; at most {TICKETS_MAX:.0}");
        top.reject("horizon_seconds", &allowed);
    }
    let skills: BTreeSet<&String> = scenario
        .classes
        .iter()
        .flat_map(|class| &class.skills)
        .chain(scenario.teams.iter().flat_map(|team| &team.skills))
        .collect();
    if skills.len() >= limits::SKILLS_MAX {
        let allowed = format!("names {} skills; at most {}", skills.len(), limits::SKILLS_MAX - 1);
        top.reject("class", &allowed);
    }
}

fn mean_rate(class: &super::Class) -> f64 {
    class.arrival_rate * class.pattern.as_ref().map_or(1.0, super::Pattern::mean_factor)
}

fn names(scenario: &Scenario, top: &Reader<'_>) {
    let mut seen = BTreeSet::new();
    for class in scenario.classes.iter().filter(|class| !class.name.is_empty()) {
        if !seen.insert(&class.name) {
            top.reject("class", &format!("has two of the name {:?}", class.name));
        }
    }
    let mut seen = BTreeSet::new();
    for team in scenario.teams.iter().filter(|team| !team.name.is_empty()) {
        if let Some(name) = team.names().find(|name| !seen.insert(name.clone())) {
            top.reject("agent", &format!("has two of the name {name:?}"));
        }
    }
}

fn priorities(scenario: &Scenario, top: &Reader<'_>) {
    let levels = scenario.levels();
    if levels.len() > PRIORITIES_MAX {
        let allowed =
            format!("has {} different priorities; at most {PRIORITIES_MAX}", levels.len());
        top.reject("class", &allowed);
    }
    if scenario.ticket_order != Order::Ageing {
        return;
    }
    if let Some(least) = levels.first().filter(|least| **least < 0.0) {
        top.reject("class", &format!("has the priority {least}; ageing needs 0 or more"));
    }
    let positive = || levels.iter().filter(|level| **level > 0.0);
    if let (Some(least), Some(most)) = (positive().next(), positive().next_back())
        && *most > WEIGHTS_RATIO_MAX * least
    {
        let allowed = format!(
            "has priorities from {least} to {most}; with ageing, at most {WEIGHTS_RATIO_MAX} times \
             the least"
        );
        top.reject("class", &allowed);
    }
}
