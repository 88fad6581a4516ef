//! What the tickets of an attribute prove, however often one looks.

use serde::Serialize;

use super::{case::Case, measures::SHARES};
use crate::{
    domain::time::UnixMillis,
    fairness::{
        Ends, Grouping, Rate,
        alarms::{ALPHA, Monitor, Standing, State, Treated, overall},
    },
};

/// A group against all other tickets that declare the attribute, on one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The group; absent for small groups together.
    pub group: Option<String>,
    /// The measure.
    pub measure: &'static str,
    /// What the evidence says.
    pub state: State,
    /// Rate of the group.
    pub own: Rate,
    /// Rate of all others that declare the attribute.
    pub others: Rate,
    /// The first less the second.
    pub difference: Option<f64>,
    /// What it may be: all of the attribute at once are right in 95 % of cases, at any moment.
    pub difference_cs95: Ends,
    /// When the ticket came with which an alarm was raised, in milliseconds since 1970.
    pub since_unix_ms: Option<i64>,
}

/// The evidence about one attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// What all comparisons together say, those left out among them.
    pub state: State,
    /// The comparisons that may be shown.
    pub comparisons: Vec<Comparison>,
    /// How many are left out.
    pub left_out: usize,
    /// Whether an alarm is among those.
    pub alarm_left_out: bool,
}

/// Watches the groups of an attribute, ticket by ticket in the order they came.
///
/// This order knows nothing of how tickets were treated, which the evidence needs to be valid.
///
/// - `hidden`: whether the figure of a group on a measure is left out, by their places.
pub(super) fn evidence(
    cases: &[Case],
    grouping: &Grouping,
    end: UnixMillis,
    hidden: impl Fn(usize, &str) -> bool,
) -> Evidence {
    let (monitor, moments) = watch(cases, grouping, end);
    let standings = monitor.standings();
    let state = overall(&standings);
    let is_hidden = |standing: &Standing| {
        grouping
            .names
            .iter()
            .position(|name| key(name.as_deref()) == standing.group)
            .is_none_or(|place| hidden(place, standing.measure))
    };
    let (left_out, shown): (Vec<Standing>, Vec<Standing>) =
        standings.into_iter().partition(is_hidden);
    let mut comparisons: Vec<Comparison> =
        shown.into_iter().map(|standing| comparison(standing, &moments)).collect();
    let order = |measure: &str| SHARES.iter().position(|share| share.name == measure);
    comparisons.sort_by_key(|comparison| order(comparison.measure));
    Evidence {
        state,
        comparisons,
        left_out: left_out.len(),
        alarm_left_out: left_out.iter().any(|standing| standing.alarm.is_some()),
    }
}

fn watch(cases: &[Case], grouping: &Grouping, end: UnixMillis) -> (Monitor, Vec<UnixMillis>) {
    let (mut monitor, mut moments) = (Monitor::new(ALPHA, SHARES.len(), 0), Vec::new());
    for (case, member) in cases.iter().zip(&grouping.members) {
        let Some(name) = member.and_then(|place| grouping.names.get(place)) else { continue };
        for share in SHARES {
            if let Some(hit) = (share.known)(case, end) {
                let group = key(name.as_deref());
                monitor.record(Treated { group, measure: share.name, hit });
            }
        }
        monitor.judge();
        moments.push(case.received_at);
    }
    (monitor, moments)
}

/// The name of small groups together is not one that a value can have.
fn key(name: Option<&str>) -> &str {
    name.unwrap_or_default()
}

fn comparison(standing: Standing, moments: &[UnixMillis]) -> Comparison {
    let since = standing.alarm.and_then(|alarm| {
        let place = usize::try_from(alarm.ticket).ok()?.checked_sub(1)?;
        moments.get(place).map(|at| at.0)
    });
    Comparison {
        group: Some(standing.group).filter(|group| !group.is_empty()),
        measure: standing.measure,
        state: standing.state,
        own: standing.own,
        others: standing.others,
        difference: standing.difference,
        difference_cs95: standing.difference_cs,
        since_unix_ms: since,
    }
}
