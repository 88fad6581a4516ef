//! An audit of a model as one HTML page: nothing is loaded from anywhere, and nothing in it runs.

use super::{
    limits::Outcome,
    measure::{Audit, AxisAudit, Comparison, Example, Shift},
    swaps::Kind,
    text::{example_line, gate_lines, percent},
};
use crate::report::page::{
    STYLE,
    markup::{Card, escape, figure, short, table},
    plot::svg,
};

/// Where the scale of the pictures begins, and how long it is.
const SCALE: (f64, f64) = (250.0, 560.0);
/// Height of a row.
const ROW: f64 = 24.0;
/// Longest name shown, in characters.
const NAME_CHARS_MAX: usize = 32;
/// Shortest reach of a picture's scale, on either side of 0.
const REACH_MIN: f64 = 0.05;

/// Returns the page; `model` is its name and version, `source` where the tickets come from.
#[must_use]
pub fn page(audit: &Audit, model: &str, source: &str) -> String {
    let (model, source) = (escape(model), escape(source));
    let links: String =
        audit.axes.keys().map(|axis| format!("<a href=\"#{0}\">{0}</a>", escape(axis))).collect();
    let mut body = format!(
        "<header><h1>Does {model} read everybody alike?</h1>\n<p class=\"muted\">{} tickets of {source} were \
         written again with one thing changed, in {} pairs: whatever is read differently, the facts are the \
         same. Intervals are 95&nbsp;% intervals over tickets. A difference is the group less its reference.\
         </p>\n<nav>{links}</nav></header>\n",
        audit.tickets, audit.pairs
    );
    let cards: String = audit.axes.iter().map(|(name, axis)| card(name, axis).html()).collect();
    body.push_str(&format!("<div class=\"cards\">{cards}</div>\n"));
    body.push_str(&gate(audit));
    for (name, axis) in &audit.axes {
        body.push_str(&section(name, axis));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Audit of {model}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>\n"
    )
}

fn card<'a>(name: &'a str, axis: &AxisAudit) -> Card<'a> {
    let route = axis.all.flips.get("route");
    let means = match axis.kind {
        Kind::Identity => {
            "of pairs would go elsewhere, only because of who writes or is spoken of."
        }
        Kind::Disclosed => {
            "of pairs would go elsewhere, only because of what somebody says of themselves."
        }
        Kind::Writing => "of pairs would go elsewhere, only because of how it is written.",
        Kind::Tone => "of pairs would go elsewhere, only because of the tone.",
        Kind::Control => {
            "of pairs go elsewhere for a change that means nothing: the measure of the others."
        }
    };
    Card {
        title: name,
        value: percent(route.and_then(|route| route.share)),
        range: route.and_then(|route| route.ci95.0).map_or_else(String::new, |ends| {
            format!("{:.1} to {:.1}&nbsp;%", 100.0 * ends.low, 100.0 * ends.high)
        }),
        means: means.to_owned(),
    }
}

fn gate(audit: &Audit) -> String {
    let mut lines = Vec::new();
    gate_lines(&audit.gate, &mut lines);
    let class = if audit.gate.outcome == Outcome::Within { "good" } else { "warn" };
    let lines: String =
        lines.iter().map(|line| format!("<li>{}</li>", escape(line.trim()))).collect();
    format!("<div class=\"panel {class}\"><ul>{lines}</ul></div>\n")
}

fn section(name: &str, axis: &AxisAudit) -> String {
    let mut html = format!(
        "<section id=\"{0}\"><h2>{0}</h2>\n<p>{1} pairs of {2} tickets, compared with {3}.</p>\n",
        escape(name),
        axis.all.pairs,
        axis.all.tickets,
        escape(&axis.all.reference)
    );
    html.push_str(&pictures(axis));
    html.push_str(&flips(axis));
    if !axis.worst.is_empty() {
        let items: String = axis.worst.iter().map(example).collect();
        html.push_str(&format!("<h3>Pairs that change most</h3><ul>{items}</ul>\n"));
    }
    html + "</section>\n"
}

fn pictures(axis: &AxisAudit) -> String {
    let picture = |title: &str, of: fn(&Comparison) -> &Shift| {
        let rows: Vec<(&str, &Shift)> =
            axis.groups.iter().map(|(name, found)| (name.as_str(), of(found))).collect();
        format!("<div class=\"wide\">{}</div>\n", differences(title, &rows))
    };
    [
        picture("Urgency score", |found| &found.urgency),
        picture("Sentiment score", |found| &found.sentiment),
        picture("Out-of-scope score", |found| &found.out_of_scope),
    ]
    .concat()
}

/// Returns a dot with its interval for each group, on a scale around 0.
fn differences(title: &str, rows: &[(&str, &Shift)]) -> String {
    let ends = rows.iter().flat_map(|(_, shift)| {
        let ends = shift.ci95.0.map_or([0.0; 2], |ends| [ends.low.abs(), ends.high.abs()]);
        ends.into_iter().chain(shift.mean_difference.map(f64::abs))
    });
    let reach = ends.fold(REACH_MIN, f64::max);
    let x = |value: f64| SCALE.0 + SCALE.1 * (value / reach + 1.0) / 2.0;
    let floor = rows.len() as f64 * ROW + 4.0;
    let mut body = String::new();
    for value in [-reach, -reach / 2.0, 0.0, reach / 2.0, reach] {
        let class = if value.abs() > 0.0 { "grid" } else { "ideal" };
        body.push_str(&format!(
            "<line class=\"{class}\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{floor:.1}\"/>\
             <text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{value:+.3}</text>",
            floor + 15.0,
            at = x(value)
        ));
    }
    for (place, (name, shift)) in rows.iter().enumerate() {
        body.push_str(&row(name, shift, place as f64 * ROW + 12.0, &x));
    }
    let caption =
        "The dot is the mean difference, the bar its interval; on the dashed line there is none.";
    figure(title, caption, &svg((1060.0, floor + 22.0), title, &body))
}

fn row(name: &str, shift: &Shift, middle: f64, x: &impl Fn(f64) -> f64) -> String {
    let base = middle + 4.0;
    let mut html = format!(
        "<text class=\"name end\" x=\"{:.1}\" y=\"{base:.1}\">{}</text>",
        SCALE.0 - 12.0,
        short(name, NAME_CHARS_MAX)
    );
    if let Some(ends) = shift.ci95.0 {
        html.push_str(&format!(
            "<line class=\"whisker\" x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\"/>",
            x(ends.low),
            x(ends.high)
        ));
    }
    if let Some(mean) = shift.mean_difference {
        let held = shift.p_adjusted.is_some_and(|p| p <= 0.05);
        html.push_str(&format!(
            "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"5\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{base:.1}\">{mean:+.3}</text>\
             <text x=\"{:.1}\" y=\"{base:.1}\">d = {}{}</text>",
            if held { "mark" } else { "dot" },
            x(mean),
            SCALE.0 + SCALE.1 + 22.0,
            SCALE.0 + SCALE.1 + 80.0,
            shift.cohens_dz.map_or_else(|| "–".to_owned(), |d| format!("{d:+.2}")),
            if held { ", holds among all tests" } else { "" }
        ));
    }
    html
}

fn flips(axis: &AxisAudit) -> String {
    let columns = [
        ("group", false),
        ("pairs", true),
        ("route", true),
        ("intent", true),
        ("urgency", true),
        ("sentiment", true),
        ("scope", true),
        ("urgent +/−", true),
        ("triage +/−", true),
        ("negative +/−", true),
    ];
    let cells = |(name, found): (&str, &Comparison)| {
        let flip = |what: &str| percent(found.flips.get(what).and_then(|flip| flip.share));
        let turned = |what: &str| {
            found
                .decisions
                .get(what)
                .map_or_else(String::new, |turned| format!("{} / {}", turned.gained, turned.lost))
        };
        let mut cells = vec![escape(name), found.pairs.to_string()];
        cells.extend(["route", "intent", "urgency", "sentiment", "out_of_scope"].map(flip));
        cells.extend(["urgent", "triage", "negative"].map(turned));
        cells
    };
    let groups = axis.groups.iter().map(|(name, found)| (name.as_str(), found));
    let rows: Vec<Vec<String>> = groups.chain([("all", &axis.all)]).map(cells).collect();
    let caption = "Share of pairs read differently, and of how many the group alone or the reference alone is so";
    table(caption, &columns, &rows)
}

fn example(example: &Example) -> String {
    let texts = example.texts.as_ref().map_or_else(String::new, |[before, after]| {
        format!("<br><span class=\"muted\">{}<br>{}</span>", escape(before), escape(after))
    });
    format!("<li>{}{texts}</li>", escape(&example_line(example)))
}
