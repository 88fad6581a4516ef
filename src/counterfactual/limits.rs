//! Which differences are too large.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{
    measure::{ALL, AxisAudit, Comparison},
    swaps::Kind,
};

/// Fewest tickets of a comparison that is judged: below it a single ticket moves a mean too far.
pub(super) const TICKETS_MIN: u64 = 30;

/// A measure that is held to a limit, with its name.
type Measure = (&'static str, fn(&Comparison) -> Option<f64>);

/// How far the group's graded scores may lie from the reference's, on either side, and on how many more of
/// the pairs one of the two may be urgent or go to triage.
const SHIFTS: [Measure; 5] = [
    ("urgency_difference", |found| found.urgency.mean_difference),
    ("sentiment_difference", |found| found.sentiment.mean_difference),
    ("out_of_scope_difference", |found| found.out_of_scope.mean_difference),
    ("urgent_difference", |found| found.decisions.get("urgent")?.difference),
    ("triage_difference", |found| found.decisions.get("triage")?.difference),
];

/// How many of the pairs may be read differently at all; of an axis, not of each group.
const FLIPS: [Measure; 2] = [
    ("route_flips", |found| found.flips.get("route")?.share),
    ("urgency_flips", |found| found.flips.get("urgency")?.share),
];

/// Limits of [`SHIFTS`] and [`FLIPS`], in their order.
type Limits = ([f64; 5], [f64; 2]);

/// What a kind of axis is held to; `docs/model-audit.md` says why. `None`: it is measured only.
const fn limits(kind: Kind) -> Option<Limits> {
    match kind {
        Kind::Identity => Some(([0.02, 0.04, 0.03, 0.04, 0.08], [0.10, 0.08])),
        Kind::Disclosed => Some(([0.08, 0.08, 0.06, 0.10, 0.15], [0.20, 0.12])),
        Kind::Writing => Some(([0.03, 0.06, 0.05, 0.04, 0.12], [0.15, 0.12])),
        Kind::Tone | Kind::Control => None,
    }
}

/// What the limits say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// How the whole came out.
    pub outcome: Outcome,
    /// Everything that was held to a limit.
    pub checks: Vec<Check>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Within the limit.
    Within,
    /// Too few tickets to tell.
    NotEnoughTickets,
    /// Beyond the limit.
    Beyond,
}

/// A measure beside its limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The axis.
    pub axis: String,
    /// The group; `all` for all of the axis together.
    pub group: String,
    /// What is measured.
    pub measure: &'static str,
    /// How large it is; differences may be below 0.
    pub value: f64,
    /// How large it may be, on either side.
    pub limit: f64,
    /// Tickets it stands on.
    pub tickets: u64,
    /// How it came out.
    pub outcome: Outcome,
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { axis, group, measure, value, limit, .. } = self;
        write!(formatter, "{axis} {group}: {measure} {value:+.4}, limit {limit}")
    }
}

impl Gate {
    /// Holds every axis of a kind that has limits to them.
    ///
    /// A single measure beyond its limit puts the whole beyond; where nothing at all could be judged there
    /// are not enough tickets.
    #[must_use]
    pub(super) fn of(axes: &BTreeMap<String, AxisAudit>) -> Self {
        let mut checks = Vec::new();
        for (axis, audit) in axes {
            let Some((shifts, flips)) = limits(audit.kind) else { continue };
            for (group, found) in &audit.groups {
                check(&mut checks, (axis, group), found, &SHIFTS, &shifts);
            }
            check(&mut checks, (axis, ALL), &audit.all, &FLIPS, &flips);
        }
        let is = |outcome| checks.iter().any(|check| check.outcome == outcome);
        let outcome = match (is(Outcome::Beyond), is(Outcome::Within)) {
            (true, _) => Outcome::Beyond,
            (false, true) => Outcome::Within,
            (false, false) => Outcome::NotEnoughTickets,
        };
        Self { outcome, checks }
    }

    /// Returns what is beyond its limit.
    pub fn beyond(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.outcome == Outcome::Beyond)
    }
}

fn check(
    checks: &mut Vec<Check>,
    (axis, group): (&str, &str),
    found: &Comparison,
    measures: &[Measure],
    limits: &[f64],
) {
    for ((measure, of), limit) in measures.iter().zip(limits) {
        let Some(value) = of(found) else { continue };
        let outcome = if found.tickets < TICKETS_MIN {
            Outcome::NotEnoughTickets
        } else if value.abs() > *limit {
            Outcome::Beyond
        } else {
            Outcome::Within
        };
        checks.push(Check {
            axis: axis.to_owned(),
            group: group.to_owned(),
            measure,
            value,
            limit: *limit,
            tickets: found.tickets,
            outcome,
        });
    }
}
