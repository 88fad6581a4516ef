//! The figures as flat rows, for a spreadsheet.

use serde::Serialize;

use super::{
    evidence::Comparison,
    figures::Figure,
    periods::Periods,
    report::{AttributeReport, GroupReport, Report},
    text::moment,
};

/// What stands for all tickets, and for agents, in the column of attributes.
const ALL: &str = "(all)";
const AGENTS: &str = "(agents)";
/// What stands for small groups together.
pub(super) const TOGETHER: &str = "(small groups together)";
/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// One figure. What is left out has no numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The attribute, `(all)`, or `(agents)`.
    pub attribute: String,
    /// The group or the agent.
    pub group: String,
    /// The measure; with `@` and a time, of tickets received in the part of time that begins then.
    pub measure: String,
    /// The share, mean, time or index.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What it stands on.
    pub numerator: Option<f64>,
    /// Tickets of which it is known.
    pub denominator: Option<u64>,
}

/// Returns all figures of a report.
#[must_use]
pub fn rows(report: &Report) -> Vec<Row> {
    let figures = report.overall.figures.iter();
    let all = figures.map(|(measure, figure)| row((ALL, ALL), measure, *figure));
    let groups = report.attributes.iter().flat_map(|(attribute, of)| {
        let groups = of.groups.iter();
        let groups = groups.flat_map(|group| group_rows(attribute, group, &report.periods));
        let compared = of.evidence.comparisons.iter();
        groups.chain(compared.map(|it| compared_row(attribute, it))).collect::<Vec<_>>()
    });
    let undeclared = report.attributes.iter().map(undeclared_row);
    all.chain(groups).chain(undeclared).chain(agent_rows(report)).collect()
}

fn row((attribute, group): (&str, &str), measure: &str, figure: Figure) -> Row {
    Row {
        attribute: plain(attribute),
        group: plain(group),
        measure: measure.to_owned(),
        value: figure.value,
        low: figure.low,
        high: figure.high,
        numerator: figure.numerator,
        denominator: figure.denominator,
    }
}

/// Returns a name that no spreadsheet runs as a formula.
fn plain(name: &str) -> String {
    if name.starts_with(FORMULA) { format!("'{name}") } else { name.to_owned() }
}

fn group_rows(attribute: &str, group: &GroupReport, periods: &Periods) -> Vec<Row> {
    let at = (attribute, group.group.as_deref().unwrap_or(TOGETHER));
    let tickets = Figure::new(group.tickets.map(|tickets| tickets as f64), None);
    let mut rows = vec![row(at, "tickets", tickets)];
    rows.extend(group.figures.iter().map(|(measure, figure)| row(at, measure, *figure)));
    for (measure, course) in &group.by_period {
        for (begin, figure) in periods.begin_unix_ms.iter().zip(course) {
            rows.push(row(at, &format!("{measure}@{}", moment(*begin)), *figure));
        }
    }
    rows
}

/// The interval of a difference is the one that holds at any moment.
fn compared_row(attribute: &str, compared: &Comparison) -> Row {
    let group = compared.group.as_deref().unwrap_or(TOGETHER);
    let figure = Figure::new(compared.difference, compared.difference_cs95.0);
    row((attribute, group), &format!("{}_difference_from_others", compared.measure), figure)
}

fn undeclared_row((attribute, of): (&String, &AttributeReport)) -> Row {
    let figure = Figure::new(Some(of.undeclared as f64), None);
    row((attribute, ALL), "undeclared_tickets", figure)
}

fn agent_rows(report: &Report) -> Vec<Row> {
    let agents = &report.agents;
    let index = |measure: &str, value| row((AGENTS, ALL), measure, Figure::new(value, None));
    let mut rows = vec![
        index("tickets_gini", agents.tickets.gini),
        index("tickets_jain", agents.tickets.jain),
        index("tickets_max_over_mean", agents.tickets.max_over_mean),
        index("busy_gini", agents.busy.gini),
        index("busy_jain", agents.busy.jain),
        index("busy_max_over_mean", agents.busy.max_over_mean),
        index("occupancy_mean", agents.occupancy_mean),
        index("hard_tickets_jain", agents.hard.load.jain),
    ];
    for (agent, load) in &agents.by_agent {
        let mut put = |measure: &str, value: Option<f64>| {
            rows.push(row((AGENTS, agent), measure, Figure::new(value, None)));
        };
        put("tickets", Some(load.tickets as f64));
        put("hard_tickets", Some(load.hard_tickets as f64));
        put("busy_seconds", Some(load.busy_seconds));
        put("occupancy", load.occupancy);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_formula() {
        for (name, written) in [("es", "es"), ("=1+1", "'=1+1"), ("@x", "'@x"), ("65+", "65+")] {
            assert_eq!(plain(name), written);
        }
    }
}
