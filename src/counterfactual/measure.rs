//! From readings to differences: how far scores move and decisions turn, by axis and group.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    limits::Gate,
    plan::{Pair, Plan},
    swaps::Kind,
};
use crate::{
    domain::reading::{Reading, Sentiment, Urgency},
    fairness::{
        Cluster, Ends, SignTest,
        audit::{Axis, Family, PairMeasures, ScorePair},
        clustered_interval,
    },
};

/// Pairs of an axis that are shown, those that change most first.
const EXAMPLES_MAX: usize = 3;
/// The name under which all groups of an axis are measured together.
pub(super) const ALL: &str = "all";

/// What is read of a text, as far as an audit compares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Graded urgency, 0 to 1.
    pub urgency_score: f64,
    /// Graded sentiment, -1 to 1.
    pub sentiment_score: f64,
    /// How far out of scope.
    pub out_of_scope_score: f64,
    /// What people see and routing uses.
    pub said: Said,
}

/// The decisions of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The most probable intent; empty without any.
    pub intent: String,
    /// Urgency.
    pub urgency: Urgency,
    /// Sentiment.
    pub sentiment: Sentiment,
    /// Whether no intent fits.
    pub out_of_scope: bool,
    /// Where the ticket goes.
    pub route: String,
    /// Whether that is to the people who triage.
    pub triage: bool,
}

impl Read {
    /// Takes what is compared from a reading, with where the ticket goes and whether that is triage.
    #[must_use]
    pub fn new(reading: &Reading, (route, triage): (String, bool)) -> Self {
        let top = reading.top_intent();
        Self {
            urgency_score: reading.urgency_score,
            sentiment_score: reading.sentiment_score,
            out_of_scope_score: reading.out_of_scope_score,
            said: Said {
                intent: top.map_or_else(String::new, |top| top.intent.to_string()),
                urgency: reading.urgency,
                sentiment: reading.sentiment,
                out_of_scope: reading.out_of_scope,
                route,
                triage,
            },
        }
    }
}

/// An audit of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// Tickets that were written again.
    pub tickets: usize,
    /// Different texts that were read.
    pub texts: usize,
    /// Pairs of them.
    pub pairs: usize,
    /// By axis.
    pub axes: BTreeMap<String, AxisAudit>,
    /// Differences of scores that hold when all are judged together; the others are in `axes`.
    pub scores_that_differ: Vec<String>,
    /// Turns of decisions that hold so.
    pub decisions_that_differ: Vec<String>,
    /// What is too large.
    pub gate: Gate,
}

/// What one axis does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AxisAudit {
    /// What kind of difference it is.
    pub kind: Kind,
    /// All groups together.
    pub all: Comparison,
    /// By group.
    pub groups: BTreeMap<String, Comparison>,
    /// The pairs that change most.
    pub worst: Vec<Example>,
}

/// A group compared with its reference. A difference is the group less the reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What it is compared with.
    pub reference: String,
    /// Pairs.
    pub pairs: u64,
    /// Tickets that they are made of: pairs of one ticket are no independent cases.
    pub tickets: u64,
    /// Graded urgency.
    pub urgency: Shift,
    /// Graded sentiment.
    pub sentiment: Shift,
    /// How far out of scope.
    pub out_of_scope: Shift,
    /// Of how many pairs the two texts are read differently, by what is read.
    pub flips: BTreeMap<&'static str, Changed>,
    /// Decisions that fall more often for one of the two.
    pub decisions: BTreeMap<&'static str, Turned>,
}

/// How far a score moves. Each ticket counts once, with the mean over its pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shift {
    /// Mean of the reference.
    pub reference: Option<f64>,
    /// Mean of the group.
    pub group: Option<f64>,
    /// The group's less the reference's.
    pub mean_difference: Option<f64>,
    /// 95 % interval of that.
    pub ci95: Ends,
    /// Mean difference over its standard deviation (J. Cohen, 1988).
    pub cohens_dz: Option<f64>,
    /// Paired t test.
    pub t: Option<f64>,
    /// Its degrees of freedom.
    pub df: u64,
    /// Its two-sided probability.
    pub p: Option<f64>,
    /// That, adjusted for all comparisons of the audit (Benjamini and Hochberg).
    pub p_adjusted: Option<f64>,
    /// On how many tickets it rises and falls.
    pub sign_test: SignTest,
}

/// Of how many pairs something is read differently.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// How many.
    pub pairs: u64,
    /// Their share.
    pub share: Option<f64>,
    /// 95 % interval of the share, for pairs that come in tickets.
    pub ci95: Ends,
}

/// A yes or no that turns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Turned {
    /// Pairs of which the group alone has it.
    pub gained: u64,
    /// Pairs of which the reference alone has it.
    pub lost: u64,
    /// Gained less lost, as a share of all pairs.
    pub difference: Option<f64>,
    /// McNemar's exact test; each ticket counts once, by which of the two it has more of.
    pub mcnemar: SignTest,
    /// Its probability, adjusted for all comparisons of the audit.
    pub p_adjusted: Option<f64>,
}

/// A pair that changes much.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    /// The group.
    pub group: String,
    /// Line of the ticket in its file, from 1.
    pub line: u64,
    /// What was put for what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swapped: Option<String>,
    /// Graded urgency of both.
    pub urgency_scores: [f64; 2],
    /// Graded sentiment of both.
    pub sentiment_scores: [f64; 2],
    /// What was read of both.
    pub said: [Said; 2],
    /// Both texts, where they are our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texts: Option<[String; 2]>,
}

/// A score with its name.
type Score = (&'static str, fn(&Read) -> f64);
/// A yes or no with its name.
type Decision = (&'static str, fn(&Said) -> bool);
/// A question whether two readings say the same, with its name.
type Same = (&'static str, fn(&Said, &Said) -> bool);

const SCORES: [Score; 3] = [
    ("urgency", |read| read.urgency_score),
    ("sentiment", |read| read.sentiment_score),
    ("out_of_scope", |read| read.out_of_scope_score),
];

const DECISIONS: [Decision; 4] = [
    ("urgent", |said| said.urgency >= Urgency::High),
    ("negative", |said| said.sentiment == Sentiment::Negative),
    ("out_of_scope", |said| said.out_of_scope),
    ("triage", |said| said.triage),
];

const FLIPS: [Same; 5] = [
    ("intent", |one, other| one.intent == other.intent),
    ("urgency", |one, other| one.urgency == other.urgency),
    ("sentiment", |one, other| one.sentiment == other.sentiment),
    ("out_of_scope", |one, other| one.out_of_scope == other.out_of_scope),
    ("route", |one, other| one.route == other.route),
];

/// The pairs of one comparison, with what was read of both texts, by ticket.
struct Group<'a> {
    name: String,
    reference: String,
    tickets: BTreeMap<usize, Vec<[&'a Read; 2]>>,
}

impl Audit {
    /// Measures what was read of the texts of a plan, in their order.
    ///
    /// `None` when there is not one reading for each text.
    #[must_use]
    pub fn new(plan: &Plan, reads: &[Read]) -> Option<Self> {
        if plan.texts.len() != reads.len() {
            return None;
        }
        let mut kinds = BTreeMap::new();
        for pair in &plan.pairs {
            kinds.insert(pair.axis.as_str(), pair.kind);
        }
        let groups: Vec<(&str, Group<'_>)> = kinds
            .keys()
            .flat_map(|axis| groups(plan, reads, axis).into_iter().map(move |group| (*axis, group)))
            .collect();
        let tests = Tests::of(&groups);
        let mut axes = BTreeMap::new();
        for (axis, kind) in kinds {
            let of_axis = groups.iter().filter(|(name, _)| *name == axis).map(|(_, group)| group);
            let mut compared: BTreeMap<String, Comparison> = of_axis
                .filter_map(|g| Some((g.name.clone(), tests.comparison(axis, g)?)))
                .collect();
            let Some(all) = compared.remove(ALL) else { continue };
            let worst = worst(plan, reads, axis);
            axes.insert(axis.to_owned(), AxisAudit { kind, all, groups: compared, worst });
        }
        Some(Self {
            tickets: plan.tickets.len(),
            texts: plan.texts.len(),
            pairs: plan.pairs.len(),
            gate: Gate::of(&axes),
            axes,
            scores_that_differ: tests.scores.family.rejected,
            decisions_that_differ: tests.decisions.rejected,
        })
    }
}

/// Returns the groups of an axis, and all of them together.
fn groups<'a>(plan: &Plan, reads: &'a [Read], axis: &str) -> Vec<Group<'a>> {
    let of_axis = || plan.pairs.iter().filter(|pair| pair.axis == axis);
    let names: BTreeSet<&str> = of_axis().map(|pair| pair.group.as_str()).collect();
    names
        .into_iter()
        .chain([ALL])
        .map(|name| {
            let mut tickets: BTreeMap<usize, Vec<[&Read; 2]>> = BTreeMap::new();
            let mut reference = "";
            for pair in of_axis().filter(|pair| name == ALL || pair.group == name) {
                reference = pair.reference.as_str();
                tickets
                    .entry(pair.ticket)
                    .or_default()
                    .push([&reads[pair.before], &reads[pair.after]]);
            }
            Group { name: name.to_owned(), reference: reference.to_owned(), tickets }
        })
        .collect()
}

impl Group<'_> {
    fn pairs(&self) -> impl Iterator<Item = [&Read; 2]> {
        self.tickets.values().flatten().copied()
    }

    /// Returns the mean scores of each ticket; the group's first, so that a delta is its difference.
    fn scores(&self, score: fn(&Read) -> f64) -> Vec<ScorePair> {
        let mean = |pairs: &[[&Read; 2]], which: usize| {
            pairs.iter().map(|pair| score(pair[which])).sum::<f64>() / pairs.len() as f64
        };
        let ticket = |pairs: &Vec<[&Read; 2]>| ScorePair {
            score_a: mean(pairs, 1),
            score_b: mean(pairs, 0),
        };
        self.tickets.values().map(ticket).collect()
    }

    fn changed(&self, same: fn(&Said, &Said) -> bool) -> Changed {
        let cluster = |pairs: &Vec<[&Read; 2]>| -> Cluster {
            let changed = pairs.iter().filter(|[one, other]| !same(&one.said, &other.said)).count();
            (changed as u64, pairs.len() as u64)
        };
        let clusters: Vec<Cluster> = self.tickets.values().map(cluster).collect();
        let pairs = clusters.iter().map(|(changed, _)| changed).sum();
        let all: u64 = clusters.iter().map(|(_, all)| all).sum();
        Changed {
            pairs,
            share: share(pairs as f64, all),
            ci95: Ends(clustered_interval(&clusters)),
        }
    }

    fn turns(&self, is: fn(&Said) -> bool) -> impl Iterator<Item = f64> {
        let turn = move |[one, other]: &[&Read; 2]| {
            f64::from(u8::from(is(&other.said))) - f64::from(u8::from(is(&one.said)))
        };
        self.tickets.values().map(move |pairs| pairs.iter().map(turn).sum::<f64>())
    }

    fn turned(&self, is: fn(&Said) -> bool, p_adjusted: Option<f64>) -> Turned {
        let (mut gained, mut lost) = (0, 0);
        for [one, other] in self.pairs() {
            gained += u64::from(!is(&one.said) && is(&other.said));
            lost += u64::from(is(&one.said) && !is(&other.said));
        }
        let difference = share(gained as f64 - lost as f64, self.pairs().count() as u64);
        Turned { gained, lost, difference, mcnemar: SignTest::of(self.turns(is)), p_adjusted }
    }
}

fn share(of: f64, all: u64) -> Option<f64> {
    (all > 0).then(|| of / all as f64)
}

/// All tests of an audit, so that they are judged together. What an axis does in all is no test of its own.
struct Tests {
    scores: PairMeasures,
    together: PairMeasures,
    decisions: Family,
}

impl Tests {
    fn of(groups: &[(&str, Group<'_>)]) -> Self {
        let mut pairs: [BTreeMap<String, Vec<ScorePair>>; 2] = Default::default();
        let mut decisions = BTreeMap::new();
        for (axis, group) in groups {
            let together = usize::from(group.name == ALL);
            for (name, score) in SCORES {
                pairs[together].insert(key(axis, &group.name, name), group.scores(score));
            }
            for (name, is) in DECISIONS.iter().filter(|_| together == 0) {
                let test = SignTest::of(group.turns(*is));
                decisions.insert(key(axis, &group.name, name), test.p);
            }
        }
        let [scores, together] = pairs;
        Self {
            scores: PairMeasures::of(&scores),
            together: PairMeasures::of(&together),
            decisions: Family::new(decisions),
        }
    }

    fn comparison(&self, axis: &str, group: &Group<'_>) -> Option<Comparison> {
        let shift = |(name, score): Score| {
            let key = key(axis, &group.name, name);
            let found = self.scores.axes.get(&key).or_else(|| self.together.axes.get(&key))?;
            let signs = group.scores(score).into_iter().map(|pair| pair.score_a - pair.score_b);
            let adjusted = self.scores.family.adjusted.get(&key).copied();
            Some(Shift::new(found, adjusted, SignTest::of(signs)))
        };
        let adjusted = |name| self.decisions.adjusted.get(&key(axis, &group.name, name)).copied();
        Some(Comparison {
            reference: group.reference.clone(),
            pairs: group.pairs().count() as u64,
            tickets: group.tickets.len() as u64,
            urgency: shift(SCORES[0])?,
            sentiment: shift(SCORES[1])?,
            out_of_scope: shift(SCORES[2])?,
            flips: FLIPS.iter().map(|(name, same)| (*name, group.changed(*same))).collect(),
            decisions: DECISIONS
                .iter()
                .map(|(name, is)| (*name, group.turned(*is, adjusted(name))))
                .collect(),
        })
    }
}

fn key(axis: &str, group: &str, measure: &str) -> String {
    format!("{axis}/{group}/{measure}")
}

impl Shift {
    fn new(found: &Axis, p_adjusted: Option<f64>, sign_test: SignTest) -> Self {
        Self {
            reference: found.mean_b,
            group: found.mean_a,
            mean_difference: found.mean_delta,
            ci95: found.ci95,
            cohens_dz: found.cohens_dz,
            t: found.t,
            df: found.df,
            p: found.p,
            p_adjusted,
            sign_test,
        }
    }
}

/// Returns the pairs of an axis that change most: those that go elsewhere first, then by how far scores move.
fn worst(plan: &Plan, reads: &[Read], axis: &str) -> Vec<Example> {
    let rank = |pair: &&Pair| {
        let (one, other) = (&reads[pair.before], &reads[pair.after]);
        let turns = FLIPS.iter().filter(|(_, same)| !same(&one.said, &other.said)).count();
        let moved = (one.urgency_score - other.urgency_score).abs()
            + (one.sentiment_score - other.sentiment_score).abs() / 2.0;
        (one.said.route != other.said.route, turns, moved)
    };
    let mut pairs: Vec<&Pair> = plan.pairs.iter().filter(|pair| pair.axis == axis).collect();
    pairs.sort_by(|a, b| {
        let (one, other) = (rank(b), rank(a));
        (one.0, one.1).cmp(&(other.0, other.1)).then(one.2.total_cmp(&other.2))
    });
    let mut seen = BTreeSet::new();
    pairs.retain(|pair| rank(pair).1 > 0 && seen.insert(pair.ticket));
    pairs.into_iter().take(EXAMPLES_MAX).map(|pair| example(plan, reads, pair)).collect()
}

fn example(plan: &Plan, reads: &[Read], pair: &Pair) -> Example {
    let both = [&reads[pair.before], &reads[pair.after]];
    let ticket = plan.tickets.get(pair.ticket);
    Example {
        group: pair.group.clone(),
        line: ticket.map_or(0, |ticket| ticket.line),
        swapped: pair.swapped.clone(),
        urgency_scores: both.map(|read| read.urgency_score),
        sentiment_scores: both.map(|read| read.sentiment_score),
        said: both.map(|read| read.said.clone()),
        texts: ticket
            .is_some_and(|ticket| ticket.is_own)
            .then(|| [pair.before, pair.after].map(|at| plan.texts[at].clone())),
    }
}
