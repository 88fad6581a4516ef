//! What a simulation found, as data.

use serde::{Serialize, Serializer};

use super::{
    runs::Options,
    scenario::Scenario,
    statistics::{Interval, Measure, Range},
    tally::{ClassResult, RunResult},
};

/// What all runs measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// How they were run.
    pub options: Options,
    /// One for each run, in order.
    pub runs: Vec<RunResult>,
}

/// The measures of a simulation. Those that have no value are `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Independent runs.
    pub runs: u32,
    /// Seed of every draw.
    pub seed: u64,
    /// Level of the intervals.
    pub level: f64,
    /// Events the core wrote in all runs.
    pub events: u64,
    /// Those events in a second of computing.
    pub events_per_second: f64,
    /// Share of capacity in use by agent, in the order of the scenario.
    #[serde(serialize_with = "as_map")]
    pub utilisation: Vec<(String, Option<Measure>)>,
    /// Offers for each ticket that was assigned.
    pub offers_mean: Option<Measure>,
    /// Over the tickets of all classes.
    #[serde(flatten)]
    pub overall: TicketMeasures,
    /// By class, in the order of the scenario.
    #[serde(serialize_with = "as_map")]
    pub by_class: Vec<(String, TicketMeasures)>,
    /// Mean number waiting in equal parts of the day, over all runs; empty without days.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting_by_time: Vec<f64>,
    /// What to know before believing the numbers.
    pub warnings: Vec<String>,
}

/// What tickets met.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TicketMeasures {
    /// Mean time until service or giving up, over all admitted tickets.
    pub wait_mean_seconds: Option<Measure>,
    /// Share of admitted tickets that were not in service at the moment of arrival.
    pub wait_probability: Option<Measure>,
    /// Average over time of the number waiting.
    pub queue_mean: Option<Measure>,
    /// Share of admitted tickets that gave up.
    pub abandon_probability: Option<Measure>,
    /// Share of arrivals that were not admitted.
    pub block_probability: Option<Measure>,
}

fn as_map<K: Serialize, V: Serialize, S: Serializer>(
    pairs: &[(K, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

impl Report {
    /// Sums up what was found in some seconds of computing.
    #[must_use]
    pub fn new(scenario: &Scenario, results: &Results, seconds: f64) -> Self {
        let Results { options, runs } = results;
        let interval = Interval::new(options.level, runs.len());
        let class = |place: usize| -> Vec<ClassResult> {
            runs.iter().filter_map(|run| run.classes.get(place).copied()).collect()
        };
        let all: Vec<ClassResult> = runs.iter().map(sum).collect();
        let names = scenario.classes.iter().map(|class| class.name.clone());
        let by_class: Vec<(String, Vec<ClassResult>)> =
            names.enumerate().map(|(place, name)| (name, class(place))).collect();
        let offers: Vec<(f64, f64)> = all.iter().map(|run| (run.offers, run.assigned)).collect();
        let events: u64 = runs.iter().map(|run| run.events).sum();
        Self {
            runs: options.runs,
            seed: options.seed,
            level: options.level,
            events,
            events_per_second: if seconds > 0.0 { events as f64 / seconds } else { 0.0 },
            utilisation: utilisation(scenario, runs, interval),
            offers_mean: interval.ratio(&offers, Range::Positive),
            overall: measures(scenario, &all, interval),
            warnings: warnings(scenario, &by_class),
            by_class: by_class
                .into_iter()
                .map(|(name, runs)| (name, measures(scenario, &runs, interval)))
                .collect(),
            waiting_by_time: waiting_by_time(runs),
        }
    }
}

fn sum(run: &RunResult) -> ClassResult {
    let mut all = ClassResult::default();
    run.classes.iter().for_each(|class| all.add(class));
    all
}

fn utilisation(
    scenario: &Scenario,
    runs: &[RunResult],
    interval: Interval,
) -> Vec<(String, Option<Measure>)> {
    let names = scenario.teams.iter().flat_map(super::scenario::Team::names);
    let of = |agent: usize| -> Vec<(f64, f64)> {
        let found = runs.iter().filter_map(|run| run.agents.get(agent));
        found.map(|agent| (agent.used_seconds, agent.there_seconds)).collect()
    };
    names
        .enumerate()
        .map(|(agent, name)| (name, interval.ratio(&of(agent), Range::Share)))
        .collect()
}

fn measures(scenario: &Scenario, runs: &[ClassResult], interval: Interval) -> TicketMeasures {
    let ratio = |range, pair: &dyn Fn(&ClassResult) -> (f64, f64)| {
        let pairs: Vec<(f64, f64)> = runs.iter().map(pair).collect();
        interval.ratio(&pairs, range)
    };
    // Where every ticket waits for ever, so far is no answer.
    let any_ended = runs.iter().any(|run| run.assigned + run.abandoned > 0.0);
    let wait = ratio(Range::Positive, &|run| (run.wait_seconds, run.admitted()));
    TicketMeasures {
        wait_mean_seconds: wait.filter(|_| any_ended),
        wait_probability: ratio(Range::Share, &|run| (run.waited, run.admitted())),
        queue_mean: ratio(Range::Positive, &|run| (run.queue_seconds, scenario.horizon_seconds)),
        abandon_probability: ratio(Range::Share, &|run| (run.abandoned, run.admitted())),
        block_probability: ratio(Range::Share, &|run| (run.blocked, run.arrived)),
    }
}

fn warnings(scenario: &Scenario, by_class: &[(String, Vec<ClassResult>)]) -> Vec<String> {
    let mut warnings = Vec::new();
    for class in scenario.unservable() {
        warnings.push(format!("class {}: no agent has all of its skills", class.name));
    }
    for (name, runs) in by_class {
        let unfinished: f64 = runs.iter().map(|run| run.unfinished).sum();
        let admitted: f64 = runs.iter().map(ClassResult::admitted).sum();
        if unfinished > 0.0 {
            warnings.push(format!(
                "class {name}: {unfinished:.0} of {admitted:.0} tickets were never taken, and count with \
                 the time they had waited when the runs ended; more come than the agents can serve, or \
                 others always go first"
            ));
        }
    }
    warnings
}

fn waiting_by_time(runs: &[RunResult]) -> Vec<f64> {
    let parts = runs.first().map_or(0, |run| run.waiting_by_time.len());
    let mean = |part: usize| {
        let sum: f64 = runs.iter().filter_map(|run| run.waiting_by_time.get(part)).sum();
        sum / runs.len().max(1) as f64
    };
    (0..parts).map(mean).collect()
}
