//! The pictures of a backtest: how long tickets wait, and what agents carry.

use crate::{
    backtest::{measures::Measures, report::Report, text::columns},
    report::page::{
        markup::{escape, figure, short},
        plot::{svg, ticks},
    },
};

/// Names of the columns, in their order; they are classes of the page, too.
const COLUMNS: [&str; 3] = ["recorded", "baseline", "candidate"];
/// Size of the curves, and the frame: left, right, top, bottom.
const SIZE: (f64, f64) = (1060.0, 340.0);
const FRAME: [f64; 4] = [62.0, 1040.0, 14.0, 294.0];
/// Agents drawn; all are in the data.
const AGENTS_MAX: usize = 60;
/// Where the scale of loads begins and how long it is, and the height of an agent's row.
const SCALE: (f64, f64) = (230.0, 780.0);
const ROW: f64 = 24.0;
/// Longest name shown, in characters.
const NAME_CHARS_MAX: usize = 28;

/// Draws the share of tickets that still wait, by time.
pub(super) fn survival(report: &Report) -> String {
    let [left, right, top, floor] = FRAME;
    let longest = shown_secs(report);
    let x = |secs: f64| left + (right - left) * (secs / longest).clamp(0.0, 1.0);
    let y = |share: f64| floor - (floor - top) * share.clamp(0.0, 1.0);
    let mut body = String::new();
    for share in ticks(0.0, 1.0, 4) {
        body.push_str(&format!(
            "<line class=\"grid\" x1=\"{left}\" y1=\"{0:.1}\" x2=\"{right}\" y2=\"{0:.1}\"/>\
             <text class=\"end\" x=\"{1:.1}\" y=\"{2:.1}\">{3:.0} %</text>",
            y(share),
            left - 7.0,
            y(share) + 4.0,
            100.0 * share
        ));
    }
    for secs in ticks(0.0, longest, 6) {
        body.push_str(&format!(
            "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{secs:.0} s</text>",
            x(secs),
            floor + 17.0
        ));
    }
    for (name, measures) in COLUMNS.into_iter().zip(columns(report)) {
        body.push_str(&format!(
            "<polyline class=\"curve {name}\" points=\"{}\"/>",
            stairs(measures, x, y)
        ));
    }
    body.push_str(&legend((left + 10.0, SIZE.1 - 8.0)));
    let caption = "Share of tickets that wait longer than a time. The lower a line, the sooner tickets are \
                   assigned; where it ends level, tickets were still waiting.";
    let says = "Share of tickets still waiting, by time";
    figure("How long tickets wait", caption, &svg(SIZE, says, &body))
}

/// Returns the seconds drawn: until hardly anybody waits in any column.
fn shown_secs(report: &Report) -> f64 {
    let last = |measures: &Measures| {
        let waits = &measures.wait_seconds;
        let few = waits.survival.iter().find(|(_, share)| *share <= 0.01);
        few.map_or(waits.horizon, |(secs, _)| *secs)
    };
    columns(report).map(last).into_iter().fold(1.0, f64::max)
}

/// The estimate is level between assignments.
fn stairs(measures: &Measures, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let points = &measures.wait_seconds.survival;
    let mut shown = Vec::new();
    for (place, (secs, share)) in points.iter().enumerate() {
        if let Some((_, before)) = place.checked_sub(1).and_then(|before| points.get(before)) {
            shown.push(format!("{:.1},{:.1}", x(*secs), y(*before)));
        }
        shown.push(format!("{:.1},{:.1}", x(*secs), y(*share)));
    }
    shown.join(" ")
}

fn legend((mut x, y): (f64, f64)) -> String {
    let mut html = String::new();
    for name in COLUMNS {
        html.push_str(&format!(
            "<line class=\"curve {name}\" x1=\"{x:.1}\" y1=\"{0:.1}\" x2=\"{1:.1}\" y2=\"{0:.1}\"/>\
             <text class=\"name\" x=\"{2:.1}\" y=\"{y:.1}\">{name}</text>",
            y - 4.0,
            x + 28.0,
            x + 34.0
        ));
        x += 150.0;
    }
    html
}

/// Draws the tickets of each agent in each column.
pub(super) fn loads(report: &Report) -> String {
    let agents: Vec<&String> = report.baseline.load.by_agent.keys().take(AGENTS_MAX).collect();
    let load = |measures: &Measures, agent: &str| {
        measures.load.by_agent.get(agent).map_or(0, |load| load.tickets)
    };
    let all = columns(report);
    let most = agents.iter().flat_map(|agent| all.map(|measures| load(measures, agent))).max();
    let most = most.unwrap_or(0).max(1) as f64;
    let x = |tickets: u64| SCALE.0 + SCALE.1 * tickets as f64 / most;
    let floor = agents.len() as f64 * ROW + 4.0;
    let mut body = String::new();
    for value in ticks(0.0, most, 5) {
        let at = SCALE.0 + SCALE.1 * value / most;
        body.push_str(&format!(
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{floor:.1}\"/>\
             <text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{value:.0}</text>",
            floor + 15.0
        ));
    }
    for (place, agent) in agents.iter().enumerate() {
        let y = place as f64 * ROW + ROW / 2.0;
        body.push_str(&format!(
            "<text class=\"name end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            SCALE.0 - 10.0,
            y + 4.0,
            short(agent, NAME_CHARS_MAX)
        ));
        for (name, measures) in COLUMNS.into_iter().zip(all) {
            let tickets = load(measures, agent);
            body.push_str(&format!(
                "<circle class=\"dot {name}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\"><title>{}: {name} \
                 {tickets} tickets</title></circle>",
                x(tickets),
                escape(agent)
            ));
        }
    }
    body.push_str(&legend((SCALE.0, floor + 40.0)));
    let caption = "Tickets that each agent accepted: the closer the dots of one colour stand to each other, \
                   the more evenly tickets were spread.";
    figure("What agents carry", caption, &svg((1060.0, floor + 48.0), "Tickets by agent", &body))
}
