//! How long tickets wait, by group.

use super::{
    pictures::{GROUPS_MAX, Line, Scales, lines},
    section,
};
use crate::{
    fairness_report::{
        figures::Figure,
        report::{AttributeReport, GroupReport, Report},
        text::{duration, group_name, percent},
        waits::{MEAN, MEDIAN, P95, TIMES_SECS},
    },
    report::page::markup::{escape, row_table},
};

/// Returns the curves of waits with their tables.
pub(super) fn waits(report: &Report) -> String {
    let mut body = String::from(
        "<p>From arrival until an agent first accepts. Tickets that still wait, or were cancelled waiting, \
         count as far as they were seen (Kaplan and Meier): leaving them out would make the slowest group \
         look fast.</p>\n",
    );
    for (attribute, of) in &report.attributes {
        body.push_str(&format!("<h3>By {}</h3>\n", escape(attribute)));
        body.push_str(&curves(attribute, of, report));
        body.push_str(&table(attribute, of, report));
    }
    if report.attributes.is_empty() {
        body.push_str(&row_table(
            "Waits of all tickets.",
            &columns(),
            &[row("all tickets", None, &|name| report.overall.figures.get(name).copied())],
        ));
    }
    section("waits", "Waits", &body)
}

/// Returns the groups that are drawn: the largest of those that are shown, in the order of the report.
pub(super) fn drawn(of: &AttributeReport) -> Vec<&GroupReport> {
    let mut groups: Vec<(usize, &GroupReport)> =
        of.groups.iter().enumerate().filter(|(_, group)| group.tickets.is_some()).collect();
    groups.sort_by_key(|(place, group)| (std::cmp::Reverse(group.tickets), *place));
    groups.truncate(GROUPS_MAX);
    groups.sort_by_key(|(place, _)| *place);
    groups.into_iter().map(|(_, group)| group).collect()
}

fn curves(attribute: &str, of: &AttributeReport, report: &Report) -> String {
    let longest = report.overall.wait_curve.last().map_or(0.0, |(secs, _)| *secs);
    let groups = drawn(of);
    if longest <= 0.0 || groups.is_empty() {
        return "<p>Too few tickets for curves.</p>\n".to_owned();
    }
    let line = |group: &&'_ GroupReport| {
        let points = group.wait_curve.iter();
        points.map(|(secs, share)| Some((secs / longest, *share))).collect()
    };
    let drawn: Vec<Line<'_>> = groups
        .iter()
        .map(|group| Line { name: group_name(group.group.as_deref()), points: line(group) })
        .collect();
    let below = (0..=6).map(|part| {
        let share = f64::from(part) / 6.0;
        (share, duration(Figure::new(Some(longest * share), None)))
    });
    let scales = Scales { below: below.collect(), most: 1.0, stairs: true };
    let left_out = of.groups.len() - groups.len();
    let more = if left_out > 0 {
        format!(" {left_out} smaller groups are in the table only.")
    } else {
        String::new()
    };
    let caption = format!(
        "The lower a line, the sooner tickets of the group are accepted. Where it ends level, tickets \
         were still waiting.{more}"
    );
    let title = format!("Share of tickets still waiting, by {attribute}");
    format!("<div class=\"wide\">{}</div>\n", lines(&title, &caption, &drawn, &scales))
}

fn columns() -> Vec<(&'static str, bool)> {
    vec![
        ("Group", false),
        ("Tickets", true),
        ("Accepted", true),
        ("Median", true),
        ("95th percentile", true),
        ("Mean, up to 1 h each", true),
        ("After 1 min", true),
        ("After 5 min", true),
        ("After 15 min", true),
        ("After 1 h", true),
    ]
}

fn row(name: &str, tickets: Option<u64>, of: &dyn Fn(&str) -> Option<Figure>) -> Vec<String> {
    let figure = |name: &str| of(name).unwrap_or(Figure::SUPPRESSED);
    let whole = |value: Option<f64>| value.map_or("left out".to_owned(), |n| format!("{n:.0}"));
    let median = figure(MEDIAN);
    let tickets = tickets.or(median.denominator).map(|tickets| tickets as f64);
    let mut cells = vec![escape(name), whole(tickets), whole(median.numerator)];
    cells.extend([MEDIAN, P95, MEAN].map(|name| escape(&duration(figure(name)))));
    cells.extend(TIMES_SECS.iter().map(|(_, name)| {
        let figure = figure(name);
        figure.value.map_or("left out".to_owned(), percent)
    }));
    cells
}

fn table(attribute: &str, of: &AttributeReport, report: &Report) -> String {
    let mut rows: Vec<Vec<String>> = of
        .groups
        .iter()
        .map(|group| {
            row(group_name(group.group.as_deref()), group.tickets, &|name| {
                group.figures.get(name).copied()
            })
        })
        .collect();
    rows.push(row("all tickets", None, &|name| report.overall.figures.get(name).copied()));
    let caption = format!(
        "Waits by {}. The last four columns are the share still waiting then.",
        escape(attribute)
    );
    row_table(&caption, &columns(), &rows)
}
