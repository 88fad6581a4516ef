//! A report as lines for the terminal.

use super::{
    report::{Report, TicketMeasures},
    statistics::Measure,
};

/// Agents that the terminal shows; all are in the data and on the page.
const AGENTS_MAX: usize = 40;

/// Returns the report as lines.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut lines = vec![format!(
        "{} runs, seed {}; {:.4} % intervals over runs; {} events, {:.0} in a second",
        report.runs,
        report.seed,
        100.0 * report.level,
        report.events,
        report.events_per_second
    )];
    tickets("all tickets", &report.overall, &mut lines);
    for (name, measures) in &report.by_class {
        tickets(&format!("class {name}"), measures, &mut lines);
    }
    lines.push("agents".to_owned());
    line("offers for each ticket", report.offers_mean, 1.0, "", &mut lines);
    for (name, measure) in report.utilisation.iter().take(AGENTS_MAX) {
        line(&format!("{name}: in use"), *measure, 100.0, " %", &mut lines);
    }
    if let Some(more) = report.utilisation.len().checked_sub(AGENTS_MAX + 1) {
        lines.push(format!("  and {} more", more + 1));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}

fn tickets(what: &str, measures: &TicketMeasures, lines: &mut Vec<String>) {
    lines.push(what.to_owned());
    line("wait, mean", measures.wait_mean_seconds, 1.0, " s", lines);
    line("had to wait", measures.wait_probability, 100.0, " %", lines);
    line("waiting, mean number", measures.queue_mean, 1.0, "", lines);
    line("gave up", measures.abandon_probability, 100.0, " %", lines);
    line("not let in", measures.block_probability, 100.0, " %", lines);
}

fn line(what: &str, measure: Option<Measure>, times: f64, unit: &str, lines: &mut Vec<String>) {
    let shown = match measure {
        None => "no value".to_owned(),
        Some(Measure { mean, low: Some(low), high: Some(high) }) => format!(
            "{:12}{unit}  ({} to {})",
            number(times * mean),
            number(times * low),
            number(times * high)
        ),
        Some(Measure { mean, .. }) => format!("{:12}{unit}", number(times * mean)),
    };
    lines.push(format!("  {what:28} {shown}"));
}

/// Returns a number with the digits that matter.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1000.0 || value == 0.0 {
        format!("{value:.0}")
    } else if size >= 1.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.5}")
    }
}
