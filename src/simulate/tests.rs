//! What the simulation finds is what queueing theory says, and the same each time.
//!
//! Every exact value is computed here from a formula or a small Markov chain, never from the simulation.

mod agents;
mod behaviour;
mod messages;
mod orders;
mod queues;
mod theory;

use super::{Measure, Options, Report, Scenario, simulate};

/// How much is simulated in each test.
const RUNS: u32 = 20;

/// Simulates a scenario without its horizon, with intervals of 99.9 %.
fn simulated(seconds: u32, text: &str) -> Report {
    let text = format!("horizon_seconds = {seconds}\n{text}");
    report(&text, Options { seed: 1, runs: RUNS, level: 0.999, threads: 1 })
}

fn report(text: &str, options: Options) -> Report {
    let scenario = Scenario::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let results = simulate(&scenario, options, &|_| {}).unwrap();
    Report::new(&scenario, &results, 1.0)
}

/// Writes a class of tickets as TOML; `more` are further keys.
fn class(name: &str, rate: f64, skills: &str, more: &str) -> String {
    format!("[[class]]\nname = '{name}'\narrival_rate = {rate}\nskills = [{skills}]\n{more}\n")
}

/// Writes agents as TOML.
fn agent(name: &str, count: u32, rate: f64, skills: &str, more: &str) -> String {
    format!(
        "[[agent]]\nname = '{name}'\ncount = {count}\nservice_rate = {rate}\nskills = [{skills}]\n{more}\n"
    )
}

/// Fails unless the exact value lies in the interval, and the interval says something.
#[track_caller]
fn assert_holds(what: &str, measure: Option<Measure>, exact: f64) {
    let measure = measure.unwrap_or_else(|| panic!("{what} has no value, but {exact}"));
    let (low, high) = (measure.low.unwrap(), measure.high.unwrap());
    assert!((low..=high).contains(&exact), "{what}: {exact} is not in {measure:?}");
    assert!(high - low <= 0.6 * exact.max(0.05), "{what}: {measure:?} is too wide for {exact}");
}

fn utilisation(report: &Report, name: &str) -> Option<Measure> {
    report.utilisation.iter().find(|(agent, _)| agent == name).and_then(|(_, measure)| *measure)
}

fn of_class<'a>(report: &'a Report, name: &str) -> &'a super::TicketMeasures {
    &report.by_class.iter().find(|(class, _)| class == name).expect("there is such a class").1
}
