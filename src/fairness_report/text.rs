//! The report as lines for the terminal, and the words that it shares with the page.

use super::{
    evidence::Comparison,
    figures::Figure,
    measures::{SHARES, title},
    report::{AttributeReport, Report},
    rows::TOGETHER,
    waits::{MEDIAN, P95},
};
use crate::fairness::{Interval, Rate, alarms::State};

/// Width of the first column, and of each of the others.
const NAME: usize = 28;
const COLUMN: usize = 26;

/// Returns the report as lines.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut lines = vec![
        format!("{} tickets of workspace {}, {}", report.tickets, report.workspace, window(report)),
        String::new(),
    ];
    if report.attributes.is_empty() {
        lines.push("no segment attribute is declared: nothing to compare".to_owned());
    }
    for (attribute, of) in &report.attributes {
        lines.push(format!("{attribute}: {}", state_name(of.evidence.state)));
        lines.extend(findings(of).iter().map(|finding| format!("  {finding}")));
    }
    let on_record = &report.alarms_on_record;
    let open = on_record.iter().filter(|alarm| alarm.acknowledgement.is_none()).count();
    lines.push(format!("alarms raised while the service ran: {}, open {open}", on_record.len()));
    for (attribute, of) in &report.attributes {
        lines.extend([String::new(), format!("by {attribute}")]);
        lines.extend(of.groups.iter().map(|group| {
            let name = group_name(group.group.as_deref());
            let tickets =
                group.tickets.map_or("too few".to_owned(), |tickets| format!("{tickets} tickets"));
            let of = |name| group.figures.get(name).copied().unwrap_or(Figure::SUPPRESSED);
            format!(
                "{name:NAME$}{tickets:>COLUMN$}{:>COLUMN$}{:>COLUMN$}",
                format!("median wait {}", duration(of(MEDIAN))),
                format!("95th percentile {}", duration(of(P95)))
            )
        }));
        lines.push(format!("{:NAME$}{:>COLUMN$}", "not declared", of.undeclared));
    }
    let agents = &report.agents;
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    lines.extend([
        String::new(),
        format!(
            "{} agents; tickets: Gini {}, Jain {}, most over mean {}",
            agents.agents,
            number(agents.tickets.gini),
            number(agents.tickets.jain),
            number(agents.tickets.max_over_mean)
        ),
    ]);
    lines.join("\n")
}

/// Returns what an attribute's verdict rests on, most important first, without markup.
pub(super) fn findings(of: &AttributeReport) -> Vec<String> {
    let evidence = &of.evidence;
    let mut raised: Vec<&Comparison> =
        evidence.comparisons.iter().filter(|it| it.since_unix_ms.is_some()).collect();
    raised.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let mut findings: Vec<String> = raised.into_iter().map(finding).collect();
    if evidence.alarm_left_out {
        findings.push("An alarm was raised on figures that are too small to be shown.".to_owned());
    }
    if findings.is_empty() {
        findings.push(open_question(of));
    }
    findings
}

fn size(comparison: &Comparison) -> f64 {
    comparison.difference.map_or(0.0, f64::abs)
}

fn finding(comparison: &Comparison) -> String {
    let since = comparison
        .since_unix_ms
        .map_or(String::new(), |at| format!(" Known since the ticket of {}.", moment(at)));
    format!("{}{since}", compared(comparison))
}

/// Returns a comparison as a sentence.
fn compared(comparison: &Comparison) -> String {
    format!(
        "{}, {}: {} against {} of all others. The difference is {}.",
        group_name(comparison.group.as_deref()),
        title(comparison.measure),
        counted(comparison.own),
        counted(comparison.others),
        points(comparison)
    )
}

/// Says how far a verdict without an alarm is settled.
fn open_question(of: &AttributeReport) -> String {
    let evidence = &of.evidence;
    let settled = evidence.comparisons.iter().filter(|it| it.state == State::FairSoFar).count();
    let all = evidence.comparisons.len() + evidence.left_out;
    if of.groups.len() < 2 {
        return "There are not two groups to compare.".to_owned();
    }
    let widest = evidence.comparisons.iter().max_by(|a, b| size(a).total_cmp(&size(b)));
    let widest = widest.map_or(String::new(), |widest| {
        format!(" The largest difference seen, which may be chance: {}", compared(widest))
    });
    format!(
        "No alarm. In {settled} of {all} comparisons a difference of ten points or more is ruled out.{widest}"
    )
}

fn counted(rate: Rate) -> String {
    let share = rate.value().map_or("–".to_owned(), percent);
    format!("{share} ({} of {})", rate.hits(), rate.count())
}

/// Returns a difference in points, with what it may be.
pub(super) fn points(comparison: &Comparison) -> String {
    let number = |value: f64| {
        let shown = format!("{:+.1}", 100.0 * value);
        if shown == "-0.0" { "+0.0".to_owned() } else { shown }
    };
    let difference = comparison.difference.map_or("–".to_owned(), number);
    comparison.difference_cs95.0.map_or_else(
        || format!("{difference} points"),
        |Interval { low, high }| {
            format!("{difference} points ({} to {})", number(low), number(high))
        },
    )
}

/// Returns what the tickets of the report are, in time.
pub(super) fn window(report: &Report) -> String {
    format!(
        "received from {} to {}, seen until {}",
        moment(report.first_received_unix_ms),
        moment(report.last_received_unix_ms),
        moment(report.seen_until_unix_ms)
    )
}

/// Returns the name of a group for people.
pub(super) fn group_name(group: Option<&str>) -> &str {
    group.unwrap_or(TOGETHER)
}

/// Returns a state as people say it.
pub(super) fn state_name(state: State) -> &'static str {
    match state {
        State::Unfair => "unfair",
        State::FairSoFar => "fair so far",
        State::NotEnoughEvidence => "not enough evidence",
    }
}

/// Returns a time as RFC 3339 writes it, to the second.
pub(super) fn moment(unix_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(unix_ms).ok();
    let second = time.and_then(|time| jiff::Timestamp::from_second(time.as_second()).ok());
    second.map_or_else(|| format!("{unix_ms} ms"), |time| time.to_string())
}

/// Returns a share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Returns a time in the unit that suits it; a dash where there is none, and why.
pub(super) fn duration(figure: Figure) -> String {
    match figure.value {
        _ if figure.suppressed => "left out".to_owned(),
        None => "not reached".to_owned(),
        Some(secs) if secs < 120.0 => format!("{secs:.1} s"),
        Some(secs) if secs < 7_200.0 => format!("{:.1} min", secs / 60.0),
        Some(secs) => format!("{:.1} h", secs / 3_600.0),
    }
}

/// Returns whether a measure is a share.
pub(super) fn is_share(measure: &str) -> bool {
    SHARES.iter().any(|share| share.name == measure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_suits_them() {
        let of = |secs| duration(Figure::new(Some(secs), None));
        assert_eq!(
            (of(12.34), of(300.0), of(9_000.0)),
            ("12.3 s".into(), "5.0 min".into(), "2.5 h".into())
        );
        assert_eq!(duration(Figure::new(None, None)), "not reached");
        assert_eq!(duration(Figure::SUPPRESSED), "left out");
        assert_eq!(moment(1_750_000_000_999), "2025-06-15T15:06:40Z");
    }
}
