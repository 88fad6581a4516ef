//! How evenly work is spread over agents.

use super::{pictures::bars, section};
use crate::{
    backtest::Spread,
    fairness_report::{report::Report, text::percent},
    report::page::markup::{escape, row_table},
};

/// Agents drawn, those with most tickets; all are in the table.
const AGENTS_MAX: usize = 40;

/// Returns what agents carried.
pub(super) fn agents(report: &Report) -> String {
    let agents = &report.agents;
    if agents.agents == 0 {
        return section("agents", "Agents", "<p>Nobody was at work.</p>\n");
    }
    let mut most: Vec<(&str, u64)> =
        agents.by_agent.iter().map(|(name, load)| (name.as_str(), load.tickets)).collect();
    most.sort_by_key(|(name, tickets)| (std::cmp::Reverse(*tickets), *name));
    let left_out = most.len().saturating_sub(AGENTS_MAX);
    most.truncate(AGENTS_MAX);
    let more = if left_out > 0 {
        format!(" {left_out} agents with fewer are in the table only.")
    } else {
        String::new()
    };
    let caption = format!("Tickets accepted in the time of the report.{more}");
    let body = format!(
        "<p>Skills, shifts and speed differ: an uneven load is a question, not an answer. Hard tickets are \
         angry, urgent or long ones. Occupancy is the share of capacity in use while at work.</p>\n{}\
         <div class=\"wide\">{}</div>\n{}",
        evenness(report),
        bars("Tickets by agent", &caption, &most),
        table(report)
    );
    section("agents", "Agents", &body)
}

fn number(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.3}"))
}

fn evenness(report: &Report) -> String {
    let agents = &report.agents;
    let row = |name: &str, spread: Spread| {
        let numbers = [spread.gini, spread.jain, spread.max_over_mean].map(number);
        [vec![name.to_owned()], numbers.to_vec()].concat()
    };
    let rows = [
        row("Tickets", agents.tickets),
        row("Busy time", agents.busy),
        row("Hard tickets", agents.hard.load),
    ];
    let columns = [
        ("Load", false),
        ("Gini, 0 is even", true),
        ("Jain, 1 is even", true),
        ("Most over mean", true),
    ];
    let share = |value: Option<f64>| value.map_or("–".to_owned(), percent);
    let caption = format!(
        "How evenly work was spread over {} agents. Mean occupancy {}, most less least {}. Share of hard \
         tickets, most less least over agents with 30 tickets or more: {}.",
        agents.agents,
        share(agents.occupancy_mean),
        share(agents.occupancy_spread),
        share(agents.hard.share_spread)
    );
    row_table(&caption, &columns, &rows)
}

fn table(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .agents
        .by_agent
        .iter()
        .map(|(agent, load)| {
            vec![
                escape(agent),
                load.tickets.to_string(),
                load.hard_tickets.to_string(),
                format!("{:.1}", load.busy_seconds / 3_600.0),
                load.occupancy.map_or("–".to_owned(), percent),
            ]
        })
        .collect();
    let columns = [
        ("Agent", false),
        ("Tickets", true),
        ("Hard tickets", true),
        ("Busy hours", true),
        ("Occupancy", true),
    ];
    row_table("What each agent carried.", &columns, &rows)
}
