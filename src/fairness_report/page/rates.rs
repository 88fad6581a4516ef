//! Shares and means by group, and their course in time.

use super::{
    pictures::{Dot, Line, Scales, dots, lines, round_up},
    section,
    waits::drawn,
};
use crate::{
    fairness_report::{
        evidence::Comparison,
        figures::Figure,
        measures::{AVERAGES, SHARES, Share},
        report::{AttributeReport, GroupReport, Report},
        text::{group_name, is_share, moment, percent, points},
    },
    report::page::markup::{escape, row_table},
};

/// Shares whose course is drawn; that of the others is in the data.
const COURSES: [&str; 4] = ["fast_tracked", "sla_breach", "slow_start", "first_contact_resolution"];

/// Returns the figures of each attribute's groups.
pub(super) fn rates(report: &Report) -> String {
    let mut body = String::from(
        "<p>Intervals are 95&nbsp;% intervals for one look. The last column compares a group with all \
         others that declare the attribute, in percentage points; its interval holds at any moment and \
         for all comparisons of the attribute at once.</p>\n",
    );
    for (attribute, of) in &report.attributes {
        body.push_str(&format!("<h3>By {}</h3>\n<div class=\"two\">\n", escape(attribute)));
        body.extend(SHARES.iter().map(|share| picture(*share, of)));
        body.push_str("</div>\n");
        body.push_str(&table(attribute, of));
    }
    body.push_str("<h3>All tickets</h3>\n");
    body.push_str(&all(report));
    section("rates", "Rates", &body)
}

fn picture(share: Share, of: &AttributeReport) -> String {
    let groups = drawn(of);
    let dot = |group: &&'_ GroupReport| {
        let figure = group.figures.get(share.name)?;
        Some((figure.value?, figure.low?, figure.high?))
    };
    let all: Vec<Dot<'_>> = groups
        .iter()
        .filter_map(|group| {
            let (share, low, high) = dot(group)?;
            Some(Dot { name: group_name(group.group.as_deref()), share, low, high })
        })
        .collect();
    if all.is_empty() {
        return String::new();
    }
    dots(share.title, &format!("Share {}.", share.means), &all)
}

fn columns() -> [(&'static str, bool); 6] {
    [
        ("Measure", false),
        ("Group", false),
        ("Value", true),
        ("Interval", true),
        ("Tickets", true),
        ("Against all others", true),
    ]
}

/// The keys and names of all measures, in the order they are shown.
fn measures() -> impl Iterator<Item = (&'static str, &'static str)> {
    let shares = SHARES.iter().map(|share| (share.name, share.title));
    shares.chain(AVERAGES.iter().map(|average| (average.name, average.title)))
}

fn cells(name: &str, title: &str, group: &str, figure: Figure) -> Vec<String> {
    let number = |value: f64| if is_share(name) { percent(value) } else { format!("{value:.2}") };
    if figure.suppressed {
        let mut cells = vec![title.to_owned(), escape(group), "left out".to_owned()];
        cells.extend(["", ""].map(str::to_owned));
        return cells;
    }
    let interval = figure.low.zip(figure.high);
    let known = figure.denominator.unwrap_or(0);
    let tickets = match figure.numerator.filter(|_| is_share(name)) {
        Some(hits) => format!("{hits:.0} of {known}"),
        None => known.to_string(),
    };
    vec![
        title.to_owned(),
        escape(group),
        figure.value.map_or("–".to_owned(), number),
        interval
            .map_or("–".to_owned(), |(low, high)| format!("{} to {}", number(low), number(high))),
        tickets,
    ]
}

fn table(attribute: &str, of: &AttributeReport) -> String {
    let mut rows = Vec::new();
    for (name, title) in measures() {
        for group in &of.groups {
            let figure = group.figures.get(name).copied().unwrap_or(Figure::SUPPRESSED);
            let same = |it: &&Comparison| it.measure == name && it.group == group.group;
            let compared = of.evidence.comparisons.iter().find(same);
            let mut row = cells(name, title, group_name(group.group.as_deref()), figure);
            row.push(compared.map_or(String::new(), points));
            rows.push(row);
        }
    }
    let caption = format!("Figures by {}.", escape(attribute));
    row_table(&caption, &columns(), &rows)
}

fn all(report: &Report) -> String {
    let rows: Vec<Vec<String>> = measures()
        .map(|(name, title)| {
            let figure = report.overall.figures.get(name).copied();
            let mut row = cells(name, title, "all tickets", figure.unwrap_or(Figure::SUPPRESSED));
            let means = SHARES.iter().map(|share| (share.name, share.means));
            let means = means.chain(AVERAGES.iter().map(|average| (average.name, average.means)));
            let means = means.filter(|(key, _)| *key == name).map(|(_, means)| means);
            row.extend(means.map(str::to_owned));
            row
        })
        .collect();
    let mut columns = columns();
    columns[5] = ("What it is", false);
    row_table("Figures of all tickets, and what each of them is.", &columns, &rows)
}

/// Returns the course of some shares in time, group beside group.
pub(super) fn course(report: &Report) -> String {
    let parts = report.periods.begin_unix_ms.len();
    let mut body = format!(
        "<p>Tickets by when they were received, in parts of {}. Parts with too few tickets of a group are \
         left out, with others from which they could be worked out. The gap is the largest share of a \
         group shown less the smallest.</p>\n",
        length(report.periods.seconds)
    );
    let mut any = false;
    for (attribute, of) in &report.attributes {
        for name in COURSES {
            let share = SHARES.iter().find(|share| share.name == name);
            let Some(share) = share.filter(|_| of.gaps_by_period.contains_key(name)) else {
                continue;
            };
            any = true;
            body.push_str(&lines_of(attribute, *share, of, report));
            body.push_str(&table_of(attribute, *share, of, report));
        }
    }
    if parts < 2 || !any {
        body = "<p>Too few tickets, or too short a time, to tell a course.</p>\n".to_owned();
    }
    section("time", "Over time", &body)
}

fn length(seconds: i64) -> String {
    let minutes = seconds / 60;
    match minutes {
        1 => "a minute".to_owned(),
        60 => "an hour".to_owned(),
        1_440 => "a day".to_owned(),
        minutes if minutes % 1_440 == 0 => format!("{} days", minutes / 1_440),
        minutes if minutes % 60 == 0 => format!("{} hours", minutes / 60),
        minutes => format!("{minutes} minutes"),
    }
}

/// Returns when a part begins: the day, and the time of day where that says more.
fn begin(unix_ms: i64, seconds: i64) -> String {
    let text = moment(unix_ms);
    let (day, time) = text.split_once('T').unwrap_or((text.as_str(), ""));
    if seconds >= 86_400 {
        return day.to_owned();
    }
    format!("{day} {}", time.get(..5).unwrap_or(time))
}

fn lines_of(attribute: &str, share: Share, of: &AttributeReport, report: &Report) -> String {
    let begins = &report.periods.begin_unix_ms;
    let place = |part: usize| part as f64 / (begins.len().saturating_sub(1).max(1)) as f64;
    let drawn: Vec<Line<'_>> = drawn(of)
        .into_iter()
        .filter_map(|group| {
            let course = group.by_period.get(share.name)?.iter().enumerate();
            let points = course.map(|(part, figure)| Some((place(part), figure.value?))).collect();
            Some(Line { name: group_name(group.group.as_deref()), points })
        })
        .collect();
    let highest = drawn.iter().flat_map(|line| line.points.iter().flatten());
    let highest = highest.map(|(_, share)| *share).fold(0.0, f64::max);
    let every = begins.len().div_ceil(5).max(1);
    let below = begins.iter().enumerate().step_by(every);
    let below = below.map(|(part, at)| (place(part), begin(*at, report.periods.seconds)));
    let scales = Scales { below: below.collect(), most: round_up(highest), stairs: false };
    let title = format!("{} in time, by {attribute}", share.title);
    let caption = format!("Share {}.", share.means);
    format!("<div class=\"wide\">{}</div>\n", lines(&title, &caption, &drawn, &scales))
}

fn table_of(attribute: &str, share: Share, of: &AttributeReport, report: &Report) -> String {
    let groups: Vec<&GroupReport> =
        drawn(of).into_iter().filter(|group| group.by_period.contains_key(share.name)).collect();
    let mut columns = vec![("Begins", false)];
    columns.extend(groups.iter().map(|group| (group_name(group.group.as_deref()), true)));
    columns.push(("Gap in points", true));
    let gaps = of.gaps_by_period.get(share.name);
    let row = |(part, at): (usize, &i64)| {
        let mut row = vec![begin(*at, report.periods.seconds)];
        row.extend(groups.iter().map(|group| {
            let figure = group.by_period.get(share.name).and_then(|course| course.get(part));
            figure.map_or("–".to_owned(), |figure| match (figure.value, figure.denominator) {
                _ if figure.suppressed => "left out".to_owned(),
                (Some(value), Some(known)) => format!("{} of {known}", percent(value)),
                _ => "–".to_owned(),
            })
        }));
        let gap = gaps.and_then(|gaps| *gaps.get(part)?);
        row.push(gap.map_or("–".to_owned(), |gap| format!("{:.1}", 100.0 * gap)));
        row
    };
    let rows: Vec<Vec<String>> = report.periods.begin_unix_ms.iter().enumerate().map(row).collect();
    let caption = format!("{} in time, by {}.", share.title, escape(attribute));
    row_table(&caption, &columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_time_have_names_for_people() {
        for (seconds, name) in
            [(60, "a minute"), (900, "15 minutes"), (10_800, "3 hours"), (604_800, "7 days")]
        {
            assert_eq!(length(seconds), name);
        }
        assert_eq!(begin(1_750_000_000_000, 60), "2025-06-15 15:06");
        assert_eq!(begin(1_750_000_000_000, 86_400), "2025-06-15");
    }
}
