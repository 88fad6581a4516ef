//! A backtest as one HTML page: nothing is loaded from anywhere, and nothing in it runs.

mod pictures;

use super::{
    difference::Difference,
    groups::GroupMeasures,
    measures::Measures,
    report::Report,
    text::{columns, note, number, percent, seconds, share},
};
use crate::report::page::{
    STYLE,
    markup::{Card, escape, named, table},
};
use pictures::{loads, survival};

/// Colours of what was recorded and of the candidate; the baseline has the page's own.
const COLOURS: &str = "svg .recorded { stroke: var(--muted); stroke-dasharray: 6 4; }\n\
    svg .candidate { stroke: var(--warn); }\nsvg .dot.recorded { fill: var(--muted); }\n\
    svg .dot.candidate { fill: var(--warn); }\n\
    .alarm { border-left: 5px solid var(--warn); background: var(--card); padding: 10px 16px; margin: 12px 0; }\n";

/// Returns the page.
#[must_use]
pub fn page(report: &Report) -> String {
    let name = escape(&report.workspace);
    let alarms: String = report
        .warnings
        .iter()
        .map(|warning| {
            format!("<p class=\"alarm\"><strong>Mind this.</strong> {}</p>\n", escape(warning))
        })
        .collect();
    let changed = report.policy_versions.changed.join(", ");
    let body = format!(
        "<header><h1>Another policy for {name}</h1>\n<p class=\"muted\">{} tickets that really came, \
         routed again: by the policies as they were (baseline), and by version {} with other {} \
         (candidate). Of {} recorded offers, {} are made again when everything happens as recorded. \
         Agents answer and work by habit in both runs; differences have 95&nbsp;% intervals over batches \
         of arrivals.</p>\n{alarms}</header>\n{}{}{}{}",
        report.tickets,
        report.policy_versions.candidate_base,
        escape(if changed.is_empty() { "nothing" } else { &changed }),
        report.replayed.offers,
        report.replayed.same,
        cards(report),
        tickets(report),
        agents(report),
        fairness(report),
    );
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Backtest of {name}</title>\n<style>\n{STYLE}{COLOURS}</style>\n</head>\n<body>\n<main>\n\
         {body}</main>\n</body>\n</html>\n"
    )
}

fn cards(report: &Report) -> String {
    let card = |title,
                value: &dyn Fn(&Measures) -> String,
                difference: Option<(Difference, f64, &str)>,
                means: &str| {
        let range = difference.map_or(String::new(), |(difference, times, unit)| {
            escape(&note(difference, times, unit))
        });
        let [_, was, is] = columns(report).map(value);
        let value = format!("{was} → {is}");
        Card { title, value, range, means: means.to_owned() }.html()
    };
    let difference = &report.difference;
    let cards = [
        card(
            "Mean wait",
            &|m| seconds(m.wait_seconds.mean),
            Some((difference.wait_seconds, 1.0, " s")),
            "From arrival to the first assignment; tickets that still wait count as such.",
        ),
        card(
            "Within target",
            &|m| share(m.within_target),
            Some((difference.within_target, 100.0, " %")),
            "Share of tickets assigned in time, of those with a target that is decided.",
        ),
        card(
            "Assigned without relaxation",
            &|m| share(m.skill_match.without_relaxation),
            Some((difference.without_relaxation, 100.0, " %")),
            "Share of assigned tickets that met somebody with everything they first needed.",
        ),
        card(
            "Offers for each ticket",
            &|m| number(m.offers_mean),
            Some((difference.offers, 1.0, "")),
            "How many agents were asked until one took it.",
        ),
        card(
            "Evenness of tickets",
            &|m| number(m.load.tickets.jain),
            None,
            "Jain's index over agents: 1 when all take the same number of tickets.",
        ),
        card(
            "Spread of occupancy",
            &|m| percent(m.load.occupancy_spread),
            None,
            "The busiest agent's share of capacity in use, less that of the least busy.",
        ),
    ];
    format!("<div class=\"cards\">{}</div>\n", cards.concat())
}

const HEAD: [(&str, bool); 4] =
    [("measure", false), ("recorded", true), ("baseline", true), ("candidate", true)];

fn cells(name: &str, report: &Report, cell: impl Fn(&Measures) -> String) -> Vec<String> {
    let cells = columns(report).map(|measures| escape(&cell(measures)));
    std::iter::once(escape(name)).chain(cells).collect()
}

fn tickets(report: &Report) -> String {
    let row = |name: &str, cell: &dyn Fn(&Measures) -> String| cells(name, report, cell);
    let rows = [
        row("tickets", &|m| m.tickets.to_string()),
        row("assigned", &|m| m.assigned.to_string()),
        row("waiting at the end", &|m| m.waiting.to_string()),
        row("cancelled while waiting", &|m| m.cancelled_waiting.to_string()),
        row("wait, median", &|m| seconds(m.wait_seconds.p50)),
        row("wait, 95th percentile", &|m| seconds(m.wait_seconds.p95)),
        row("wait, 99th percentile", &|m| seconds(m.wait_seconds.p99)),
        row("offers declined", &|m| m.declined.to_string()),
        row("offers without an answer", &|m| m.lapsed.to_string()),
        row("proficiency beyond the needed", &|m| number(m.skill_match.proficiency_surplus_mean)),
        row("with every preferred skill", &|m| share(m.skill_match.preferred_met)),
    ];
    let caption = "What became of the tickets. A dash: nothing to say, or not reached by the end.";
    format!(
        "<section><h2>Tickets</h2>\n<div class=\"wide\">{}</div>\n{}</section>\n",
        survival(report),
        table(caption, &HEAD, &rows)
    )
}

fn agents(report: &Report) -> String {
    let row = |name: &str, cell: &dyn Fn(&Measures) -> String| cells(name, report, cell);
    let rows = [
        row("agents at work", &|m| m.load.agents.to_string()),
        row("tickets: Gini, 0 is even", &|m| number(m.load.tickets.gini)),
        row("tickets: Jain, 1 is even", &|m| number(m.load.tickets.jain)),
        row("tickets: most over mean", &|m| number(m.load.tickets.max_over_mean)),
        row("busy time: Gini", &|m| number(m.load.busy.gini)),
        row("busy time: Jain", &|m| number(m.load.busy.jain)),
        row("busy time: most over mean", &|m| number(m.load.busy.max_over_mean)),
        row("occupancy, mean", &|m| percent(m.load.occupancy_mean)),
        row("occupancy, most less least", &|m| percent(m.load.occupancy_spread)),
        row("hard tickets: Jain", &|m| number(m.load.hard.load.jain)),
        row("hard tickets: most less least share", &|m| percent(m.load.hard.share_spread)),
    ];
    let caption = "How evenly work was spread over the agents who were at work.";
    format!(
        "<section><h2>Agents</h2>\n<div class=\"wide\">{}</div>\n{}</section>\n",
        loads(report),
        table(caption, &HEAD, &rows)
    )
}

fn fairness(report: &Report) -> String {
    let mut html = String::new();
    for (attribute, recorded) in &report.recorded.fairness {
        let rows: Vec<Vec<String>> =
            recorded.groups.keys().flat_map(|value| group_rows(attribute, value, report)).collect();
        let caption = format!(
            "By {}: {} tickets do not declare it. Groups of fewer than 30 tickets are left out, and \
             whatever they could be worked out from.",
            escape(attribute),
            recorded.undeclared
        );
        html.push_str(&table(&caption, &HEAD, &rows));
    }
    if html.is_empty() {
        return html;
    }
    format!("<section><h2>Segments of customers</h2>\n{html}</section>\n")
}

fn group_rows(attribute: &str, value: &str, report: &Report) -> [Vec<String>; 2] {
    let cell = |name: &str, shown: &dyn Fn(&GroupMeasures) -> String| {
        let name = format!("{}: {name}", named(value));
        cells(&name, report, |m| {
            let group = m.fairness.get(attribute).and_then(|groups| groups.groups.get(value));
            group.map_or("–".to_owned(), |group| {
                if group.suppressed { "left out".to_owned() } else { shown(group) }
            })
        })
    };
    [
        cell("mean wait", &|group| {
            format!("{} ({} tickets)", seconds(group.wait_mean_seconds), group.tickets)
        }),
        cell("moved ahead", &|group| group.fast_tracked.map_or("–".to_owned(), share)),
    ]
}
