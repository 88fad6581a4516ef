//! All fairness measures of a log of decisions, as an auditor would want them.
//!
//! [`audit()`] is the way in. Undefined values are `None` and never 0; every share stands beside its
//! counts. What each measure is, when to use it and what it cannot tell is in `docs/fairness.md`.

mod agents;
mod decision;
mod evidence;
mod family;
mod groups;
mod intersection;
mod kolmogorov;
mod logrank;
mod pairs;
mod samples;
mod scores;
mod selection;
mod strict;
mod suppression;
pub mod text;
mod wait_tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use self::{
    agents::AgentLoads,
    decision::{Decision, Log},
    evidence::Evidence,
    family::Family,
    groups::{Confusion, GroupMeasures, WaitSummary},
    intersection::{Cell, Intersection},
    pairs::{Axis, PairMeasures, ScorePair},
    samples::KruskalWallis,
    selection::{Comparison, FourFifths, Impact, Scoring, ScoringRates},
    strict::{Distance, Distances},
    suppression::{GROUP_TICKETS_MIN, Suppression, closed, complementary, hidden},
    wait_tests::{AgainstReference, WaitTests},
};
use self::{groups::Times, scores::median};
use super::{
    proportions::{ChiSquare, chi_square},
    rates::Rate,
    sequences::Look,
};
use crate::domain::limits::{AUDIT_CELLS_MAX, AUDIT_GROUPS_MAX};

/// What to measure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Attributes to report, by their places in the log.
    pub attributes: Vec<usize>,
    /// Attributes to report together, by their places.
    pub intersections: Vec<Vec<usize>>,
    /// Times of the survival curves, in seconds.
    pub wait_times_secs: Vec<u32>,
    /// Horizon of the restricted mean wait, in seconds.
    pub wait_horizon_secs: u32,
    /// Numbers of a group's tickets after which its selection rate is looked at, ascending.
    pub looks: Vec<u64>,
    /// Groups that are reported though they may have no ticket, by the attribute's place.
    pub declared: BTreeMap<usize, Vec<String>>,
}

/// Why a log cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// An attribute has too many groups to compare.
    #[error("{attribute} has {groups} different values; an attribute has {max} at most")]
    Groups {
        /// The attribute.
        attribute: String,
        /// Its groups.
        groups: usize,
        /// Most that are allowed.
        max: usize,
    },
    /// An intersection has too many groups to compare.
    #[error("{} have {cells} groups together; an intersection has {max} at most", attributes.join(" and "))]
    Cells {
        /// The attributes.
        attributes: Vec<String>,
        /// The groups of all their values.
        cells: usize,
        /// Most that are allowed.
        max: usize,
    },
}

/// All measures of a log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// What was measured.
    pub meta: Meta,
    /// By attribute.
    pub attributes: BTreeMap<String, AttributeAudit>,
    /// Attributes together, as asked for.
    pub intersections: Vec<Intersection>,
    /// Loads of agents; `None` when the log names none.
    pub agents: Option<AgentLoads>,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Meta {
    /// Tickets.
    pub n_rows: u64,
}

/// The measures of one attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttributeAudit {
    /// What the tickets say however often one looks.
    pub evidence: Evidence,
    /// Tickets that do not declare it.
    pub n_unknown: u64,
    /// Its groups.
    pub groups: BTreeMap<String, GroupMeasures>,
    /// All tickets that declare it.
    pub overall: GroupMeasures,
    /// How far apart the groups lie.
    pub strict: Distances,
    /// Selection rates against the highest; `None` without tickets.
    pub four_fifths: Option<FourFifths>,
    /// Scoring rates against the highest.
    pub ll144: ScoringRates,
    /// How far apart the rates of service lie.
    pub service_rates: BTreeMap<&'static str, Gap>,
    /// Whether rates differ by more than chance.
    pub chi2: BTreeMap<&'static str, ChiSquare>,
    /// Whether waits do.
    pub wait_tests: WaitTests,
    /// Those tests judged together.
    pub bh_family: Family,
    /// What is left out where it is shown to others.
    pub suppression: Suppression,
    /// What was known of each group's selection rate after so many of its tickets.
    pub anytime: BTreeMap<String, Vec<Look>>,
}

/// How far apart the rates of groups lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// Highest less lowest; `None` without any.
    pub difference: Option<f64>,
    /// Lowest divided by highest; `None` when that is 0.
    pub ratio: Option<f64>,
}

/// A rate by which groups are served, with its name in the field.
type Service = (&'static str, fn(&GroupMeasures) -> Rate);

const SERVICES: [Service; 3] = [
    ("sla_breach", |group| group.target_breached),
    ("reassigned", |group| group.reassigned),
    ("first_contact_resolution", |group| group.first_contact),
];

/// The rates whose differences are tested, with the waits one family.
const TESTED: [Service; 6] = [
    ("selection", |group| group.selected),
    SERVICES[0],
    SERVICES[1],
    SERVICES[2],
    ("tpr", |group| group.confusion.positives()),
    ("fpr", |group| group.confusion.negatives()),
];

/// Measures a log.
///
/// # Errors
/// [`AuditError`] names the attributes that have too many groups.
pub fn audit(log: &Log, request: &Request) -> Result<Audit, AuditError> {
    check(log, request)?;
    let scores = log.decisions.iter().filter_map(|decision| decision.score);
    let median_score = median(scores.collect());
    let of = |at: &usize| (log.attributes[*at].clone(), attribute(log, *at, request, median_score));
    let intersections = request.intersections.iter();
    Ok(Audit {
        meta: Meta { n_rows: log.decisions.len() as u64 },
        attributes: request.attributes.iter().map(of).collect(),
        intersections: intersections.map(|places| Intersection::of(log, places)).collect(),
        agents: AgentLoads::of(&log.decisions),
    })
}

fn check(log: &Log, request: &Request) -> Result<(), AuditError> {
    let values = |at: &usize| -> BTreeSet<&str> {
        log.decisions.iter().filter_map(|decision| decision.group(*at)).collect()
    };
    for at in &request.attributes {
        let (groups, max) = (values(at).len(), AUDIT_GROUPS_MAX);
        if groups > max {
            return Err(AuditError::Groups { attribute: log.attributes[*at].clone(), groups, max });
        }
    }
    for places in &request.intersections {
        let sizes = places.iter().map(|at| values(at).len());
        let (cells, max) = (sizes.fold(1_usize, usize::saturating_mul), AUDIT_CELLS_MAX);
        if cells > max {
            let attributes = places.iter().map(|at| log.attributes[*at].clone()).collect();
            return Err(AuditError::Cells { attributes, cells, max });
        }
    }
    Ok(())
}

fn attribute(log: &Log, at: usize, request: &Request, median_score: Option<f64>) -> AttributeAudit {
    let declared = request.declared.get(&at).into_iter().flatten();
    let mut tickets: BTreeMap<String, Vec<&Decision>> =
        declared.map(|name| (name.clone(), Vec::new())).collect();
    let mut known = Vec::new();
    for decision in &log.decisions {
        if let Some(group) = decision.group(at) {
            tickets.entry(group.to_owned()).or_default().push(decision);
            known.push(decision);
        }
    }
    let times =
        Times { survival_secs: &request.wait_times_secs, horizon_secs: request.wait_horizon_secs };
    let measure = |tickets: &[&Decision]| GroupMeasures::of(tickets, median_score, times);
    let groups: BTreeMap<String, GroupMeasures> =
        tickets.iter().map(|(name, tickets)| (name.clone(), measure(tickets))).collect();
    let overall = measure(&known);
    let (chi2, wait_tests) = (rate_tests(&groups), WaitTests::of(&tickets));
    AttributeAudit {
        evidence: Evidence::of(log, at),
        n_unknown: (log.decisions.len() - known.len()) as u64,
        strict: Distances::between(&named(&groups, 0), Some(&overall)),
        four_fifths: FourFifths::between(&groups),
        ll144: ScoringRates::between(&groups, median_score, log.decisions.len() as u64),
        service_rates: SERVICES.iter().map(|service| (service.0, gap(&groups, service))).collect(),
        bh_family: family(&chi2, &wait_tests),
        suppression: suppression(&groups),
        anytime: looks(&tickets, &request.looks),
        groups,
        overall,
        chi2,
        wait_tests,
    }
}

/// Returns the groups with so many tickets or more.
fn named(groups: &BTreeMap<String, GroupMeasures>, count_min: u64) -> Vec<(&str, &GroupMeasures)> {
    let enough = groups.iter().filter(|(_, group)| group.count() >= count_min);
    enough.map(|(name, group)| (name.as_str(), group)).collect()
}

fn gap(groups: &BTreeMap<String, GroupMeasures>, (_, rate): &Service) -> Gap {
    let values = groups.iter().map(|(name, group)| (name.as_str(), rate(group).value()));
    let found = Distance::between(values, None);
    Gap { difference: found.difference, ratio: found.ratio }
}

fn rate_tests(groups: &BTreeMap<String, GroupMeasures>) -> BTreeMap<&'static str, ChiSquare> {
    let rates = |(name, rate): &Service| {
        let rates: Vec<Rate> = groups.values().map(rate).collect();
        (*name, chi_square(&rates))
    };
    TESTED.iter().map(rates).collect()
}

fn family(tests: &BTreeMap<&'static str, ChiSquare>, waits: &WaitTests) -> Family {
    let rates = tests.iter().map(|(name, test)| ((*name).to_owned(), test.p));
    let waits = waits.logrank.and_then(|test| test.p);
    Family::new(rates.chain([("wait_logrank".to_owned(), waits)]).collect())
}

fn suppression(groups: &BTreeMap<String, GroupMeasures>) -> Suppression {
    let names: Vec<&String> = groups.keys().collect();
    let counts: Vec<u64> = groups.values().map(GroupMeasures::count).collect();
    let also = complementary(&counts, &[(0..counts.len()).collect()]);
    let remaining = named(groups, GROUP_TICKETS_MIN);
    let small = groups.iter().filter(|(_, group)| group.count() < GROUP_TICKETS_MIN);
    Suppression {
        min_n: GROUP_TICKETS_MIN,
        suppressed: small.map(|(name, _)| name.clone()).collect(),
        also_suppressed: also.iter().map(|place| names[*place].clone()).collect(),
        strict_over_remaining: (!remaining.is_empty())
            .then(|| Distances::between(&remaining, None)),
    }
}

/// Looks at the selection rate of each group with tickets after so many of them, in their order.
fn looks(
    tickets: &BTreeMap<String, Vec<&Decision>>,
    counts: &[u64],
) -> BTreeMap<String, Vec<Look>> {
    if counts.is_empty() {
        return BTreeMap::new();
    }
    let of = |tickets: &Vec<&Decision>| {
        let mut rate = Rate::default();
        let mut looks = Vec::new();
        for ticket in tickets {
            rate.record(ticket.selected);
            if counts.contains(&rate.count()) {
                looks.push(Look::at(rate));
            }
        }
        looks
    };
    let filled = tickets.iter().filter(|(_, tickets)| !tickets.is_empty());
    filled.map(|(name, tickets)| (name.clone(), of(tickets))).collect()
}
