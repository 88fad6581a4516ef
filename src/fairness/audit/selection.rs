//! Selection and scoring rates against the group that fares best: four fifths, Local Law 144.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::groups::GroupMeasures;
use crate::fairness::{
    disparity::{Group, below_four_fifths, disparity, ratio},
    proportions::{PooledZ, fisher_exact, pooled_z},
    rates::{Ends, Interval, Rate},
};

/// A group with a smaller share of the tickets may be left out of an impact ratio, by 6 RCNY § 5-301.
const EXCLUDABLE_SHARE: f64 = 0.02;

/// Selection rates against the highest, by the four-fifths rule of 29 CFR 1607.4(D).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FourFifths {
    /// Group with the highest selection rate; of equal ones, the first by name.
    pub reference: String,
    /// Groups with tickets.
    pub groups: BTreeMap<String, Impact>,
}

/// The selection rate of a group against the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Impact {
    /// Rate divided by the highest; `None` when nobody is selected anywhere.
    pub impact_ratio: Option<f64>,
    /// Whether it is below four fifths, decided in whole numbers.
    pub below_four_fifths: bool,
    /// The comparison; `None` for the reference itself.
    pub comparison: Option<Comparison>,
}

/// How a group's selection rate differs from the reference's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Rate less the reference's.
    pub difference: f64,
    /// Newcombe's 95 % interval of it.
    pub interval: Option<Interval>,
    /// Pooled z test; `None` when all or nobody are selected.
    pub pooled: Option<PooledZ>,
    /// Probability of Fisher's exact test.
    pub fisher_p: Option<f64>,
}

impl FourFifths {
    /// Compares groups; `None` when none has a ticket.
    pub(super) fn between(groups: &BTreeMap<String, GroupMeasures>) -> Option<Self> {
        let rates = groups.iter().map(|(name, group)| Group { name, rate: group.selected });
        let rates: Vec<_> = rates.filter(|group| group.rate.count() > 0).collect();
        let reference = disparity(&rates)?.highest;
        let impact = |group: &Group<'_>| {
            let apart = group.name != reference.name;
            let comparison = apart.then(|| Comparison::between(group.rate, reference.rate));
            let impact = Impact {
                impact_ratio: ratio(group.rate, reference.rate),
                below_four_fifths: below_four_fifths(group.rate, reference.rate) == Some(true),
                comparison: comparison.flatten(),
            };
            (group.name.to_owned(), impact)
        };
        let groups = rates.iter().map(impact).collect();
        Some(Self { reference: reference.name.to_owned(), groups })
    }
}

impl Comparison {
    fn between(rate: Rate, reference: Rate) -> Option<Self> {
        Some(Self {
            difference: rate.value()? - reference.value()?,
            interval: rate.gap(reference),
            pooled: pooled_z(rate, reference),
            fisher_p: fisher_exact(rate, reference),
        })
    }
}

impl Serialize for Impact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("impact_ratio", &self.impact_ratio)?;
        fields.serialize_entry("below_four_fifths", &self.below_four_fifths)?;
        if let Some(comparison) = &self.comparison {
            fields.serialize_entry("difference_to_reference", &comparison.difference)?;
            fields.serialize_entry("newcombe95", &Ends(comparison.interval))?;
            fields.serialize_entry("z_pooled", &comparison.pooled.map(|test| test.z))?;
            fields.serialize_entry("z_p", &comparison.pooled.map(|test| test.p))?;
            fields.serialize_entry("fisher_p", &comparison.fisher_p)?;
        }
        fields.end()
    }
}

/// Scoring rates against the highest, as New York City's Local Law 144 of 2021 has them published.
///
/// Source: Rules of the City of New York, title 6, § 5-300 ("impact ratio", "scoring rate").
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoringRates {
    /// Median score of all tickets, with or without a declared group.
    pub median_score: Option<f64>,
    /// All tickets.
    pub n_sample: u64,
    /// Groups with tickets.
    pub groups: BTreeMap<String, Scoring>,
}

/// The scoring rate of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scoring {
    /// Share of tickets with a score above the median.
    pub scoring_rate: Option<f64>,
    /// That divided by the highest; `None` when nobody scores above the median.
    pub impact_ratio: Option<f64>,
    /// Share of all tickets.
    pub share: f64,
    /// Whether the group is small enough to be left out.
    pub may_be_excluded_below_2pct: bool,
}

impl ScoringRates {
    /// Compares groups of a sample of `count` tickets.
    pub(super) fn between(
        groups: &BTreeMap<String, GroupMeasures>,
        median_score: Option<f64>,
        count: u64,
    ) -> Self {
        let rates = groups.iter().map(|(name, group)| Group { name, rate: group.scored_high });
        let rates: Vec<_> = rates.filter(|group| group.rate.count() > 0).collect();
        let highest = disparity(&rates).map(|found| found.highest.rate).unwrap_or_default();
        let scoring = |group: &Group<'_>| {
            let share = group.rate.count() as f64 / count as f64;
            let scoring = Scoring {
                scoring_rate: group.rate.value(),
                impact_ratio: ratio(group.rate, highest),
                share,
                may_be_excluded_below_2pct: share < EXCLUDABLE_SHARE,
            };
            (group.name.to_owned(), scoring)
        };
        Self { median_score, n_sample: count, groups: rates.iter().map(scoring).collect() }
    }
}
