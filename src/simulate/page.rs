//! A report as one HTML page: nothing is loaded from anywhere, and nothing in it runs.

mod pictures;

use self::pictures::{Whisker, day, whiskers};
use super::{
    report::{Report, TicketMeasures},
    scenario::{Class, Order, Scenario, Team},
    statistics::Measure,
    text::number,
};
use crate::report::page::markup::{Card, escape, table};

/// How the page looks: as the page of an evaluation does.
const STYLE: &str = include_str!("../report/page/style.css");
/// Most rows of a picture; all are in the tables.
const ROWS_MAX: usize = 60;

/// Returns the page; `name` is the scenario's, for people.
#[must_use]
pub fn page(report: &Report, scenario: &Scenario, name: &str) -> String {
    let name = escape(name);
    let mut body = format!(
        "<header><h1>What would happen: {name}</h1>\n<p class=\"muted\">The production routing core on a \
         virtual clock: {} independent runs of {} s each after a warm-up of {} s, seed {}. Intervals are \
         {}&nbsp;% intervals over these runs: how far chance alone may have moved a number. {} events were \
         simulated.</p>\n</header>\n",
        report.runs,
        number(scenario.horizon_seconds),
        number(scenario.warmup_seconds),
        report.seed,
        100.0 * report.level,
        report.events
    );
    if !report.warnings.is_empty() {
        let items = report.warnings.iter().map(|warning| format!("<li>{}</li>", escape(warning)));
        let items: String = items.collect();
        body.push_str(&format!("<div class=\"panel warn\"><ul>{items}</ul></div>\n"));
    }
    let cards: String = cards(report).iter().map(Card::html).collect();
    body.push_str(&format!("<div class=\"cards\">{cards}</div>\n"));
    body.push_str(&classes(report));
    body.push_str(&agents(report));
    if !report.waiting_by_time.is_empty() {
        let picture = day(&report.waiting_by_time, scenario.period_seconds);
        body.push_str(&format!("<section><h2>Over the day</h2>\n{picture}</section>\n"));
    }
    body.push_str(&given(scenario));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Simulation of {name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>\n"
    )
}

fn cards(report: &Report) -> Vec<Card<'static>> {
    let all = &report.overall;
    let card = |title, measure, unit, means: &str| {
        let (times, sign) = scale(unit);
        Card {
            title,
            value: mean(measure, times, sign),
            range: range(measure, times, sign),
            means: means.to_owned(),
        }
    };
    vec![
        card(
            "Mean wait",
            all.wait_mean_seconds,
            Unit::Seconds,
            "From arrival until an agent begins, or the customer gives up.",
        ),
        card(
            "Had to wait",
            all.wait_probability,
            Unit::Share,
            "Share of tickets that did not meet a free agent at once.",
        ),
        card("Waiting", all.queue_mean, Unit::Number, "Tickets waiting, on average over time."),
        card(
            "Gave up",
            all.abandon_probability,
            Unit::Share,
            "Share of tickets whose patience ended before an agent began.",
        ),
        card(
            "Not let in",
            all.block_probability,
            Unit::Share,
            "Share of arrivals that found the system full.",
        ),
        card(
            "Offers for each ticket",
            report.offers_mean,
            Unit::Number,
            "How many agents were asked until one took it; 1 when nobody declines.",
        ),
    ]
}

/// What a measure counts.
#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Share,
    Number,
}

fn scale(unit: Unit) -> (f64, &'static str) {
    match unit {
        Unit::Seconds => (1.0, "&nbsp;s"),
        Unit::Share => (100.0, "&nbsp;%"),
        Unit::Number => (1.0, ""),
    }
}

fn mean(measure: Option<Measure>, times: f64, sign: &str) -> String {
    measure.map_or("–".to_owned(), |measure| number(times * measure.mean) + sign)
}

fn range(measure: Option<Measure>, times: f64, sign: &str) -> String {
    match measure {
        Some(Measure { low: Some(low), high: Some(high), .. }) => {
            format!("{} to {}{sign}", number(times * low), number(times * high))
        }
        _ => String::new(),
    }
}

fn cell(measure: Option<Measure>, unit: Unit) -> String {
    let (times, sign) = scale(unit);
    let range = range(measure, times, "");
    let mean = mean(measure, times, sign);
    if range.is_empty() { mean } else { format!("{mean}<br><small>{range}</small>") }
}

fn classes(report: &Report) -> String {
    let rows: Vec<Whisker<'_>> = report
        .by_class
        .iter()
        .filter_map(|(name, class)| Some(Whisker { name, measure: class.wait_mean_seconds? }))
        .take(ROWS_MAX)
        .collect();
    let line = report.overall.wait_mean_seconds.map(|wait| wait.mean);
    let caption = "The dot is the mean over all tickets of the class, the bar its interval; the dashed line \
                   is the mean over all classes.";
    let picture = whiskers("Mean wait of each class", caption, &rows, (1.0, " s"), line);
    let columns = [("class", false), ("mean wait", true), ("had to wait", true), ("waiting", true)];
    let more = [("gave up", true), ("not let in", true)];
    let row = |(name, class): &(String, TicketMeasures)| {
        vec![
            escape(name),
            cell(class.wait_mean_seconds, Unit::Seconds),
            cell(class.wait_probability, Unit::Share),
            cell(class.queue_mean, Unit::Number),
            cell(class.abandon_probability, Unit::Share),
            cell(class.block_probability, Unit::Share),
        ]
    };
    let rows: Vec<Vec<String>> = report.by_class.iter().map(row).collect();
    let columns: Vec<(&str, bool)> = columns.into_iter().chain(more).collect();
    let table = table("What the tickets of each class met.", &columns, &rows);
    format!("<section><h2>Tickets</h2>\n<div class=\"wide\">{picture}</div>\n{table}</section>\n")
}

fn agents(report: &Report) -> String {
    let rows: Vec<Whisker<'_>> = report
        .utilisation
        .iter()
        .filter_map(|(name, measure)| Some(Whisker { name, measure: (*measure)? }))
        .take(ROWS_MAX)
        .collect();
    let found: Vec<f64> = rows.iter().map(|row| row.measure.mean).collect();
    let line = (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64);
    let caption = "Share of each agent's capacity that was in use while the agent was there; the dashed \
                   line is the mean. The further apart the dots, the less evenly work is spread.";
    let picture = whiskers("How busy each agent is", caption, &rows, (100.0, " %"), line);
    format!("<section><h2>Agents</h2>\n<div class=\"wide\">{picture}</div></section>\n")
}

/// Shows what was simulated, so that the page can be understood without the file.
fn given(scenario: &Scenario) -> String {
    let order = match scenario.ticket_order {
        Order::Fifo => "first come, first served",
        Order::Strict => "highest priority first",
        Order::Ageing => "greatest priority times age first",
    };
    let limit = scenario.system_limit.map_or("no limit".to_owned(), |limit| limit.to_string());
    let skills = |skills: &[String]| escape(&skills.join(", "));
    let class = |class: &Class| {
        vec![
            escape(&class.name),
            number(class.arrival_rate),
            skills(&class.skills),
            number(class.priority),
            class.patience_mean_seconds.map_or("–".to_owned(), number),
        ]
    };
    let team = |team: &Team| {
        vec![
            escape(&team.name),
            team.count.to_string(),
            skills(&team.skills),
            number(team.service_rate),
            team.capacity.to_string(),
            format!("{:.1}&nbsp;%", 100.0 * team.decline_probability),
        ]
    };
    let classes = table(
        "Streams of tickets: arrivals a second, mean patience in seconds.",
        &[
            ("class", false),
            ("arrivals", true),
            ("skills", false),
            ("priority", true),
            ("patience", true),
        ],
        &scenario.classes.iter().map(class).collect::<Vec<_>>(),
    );
    let teams = table(
        "Agents: tickets a second on each place of their capacity.",
        &[
            ("agent", false),
            ("count", true),
            ("skills", false),
            ("rate", true),
            ("capacity", true),
            ("declines", true),
        ],
        &scenario.teams.iter().map(team).collect::<Vec<_>>(),
    );
    format!(
        "<section><h2>What was simulated</h2>\n<p>Tickets: {order}; most in the system: {limit}. Agents: \
         {}.</p>\n{classes}{teams}</section>\n",
        super::scenario::choice_name(scenario.agent_choice).replace('_', " ")
    )
}

#[cfg(test)]
mod tests;
