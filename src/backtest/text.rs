//! A backtest as lines for the terminal: the columns side by side.

use super::{
    difference::{Difference, Verdict},
    groups::AttributeGroups,
    measures::{Measures, Share},
    report::Report,
};

/// Width of the first column, and of each of the others.
const NAME: usize = 36;
const COLUMN: usize = 14;
/// Agents listed; all are in the data and on the page.
const AGENTS_MAX: usize = 40;

/// Returns the report as lines.
#[must_use]
pub fn text(report: &Report) -> String {
    let versions: Vec<String> =
        report.policy_versions.recorded.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("{} tickets of workspace {}", report.tickets, report.workspace),
        format!(
            "recorded under policy version {}; the candidate is version {} with other {}",
            versions.join(", "),
            report.policy_versions.candidate_base,
            listed(&report.policy_versions.changed)
        ),
        format!(
            "{} of {} recorded offers are made again when everything happens as recorded",
            report.replayed.same, report.replayed.offers
        ),
    ];
    lines.extend(report.warnings.iter().map(|warning| format!("WARNING: {warning}")));
    lines.push(String::new());
    lines.push(row("", ["recorded", "baseline", "candidate"].map(str::to_owned), ""));
    tickets(report, &mut lines);
    people(report, &mut lines);
    for attribute in report.recorded.fairness.keys() {
        by_group(attribute, report, &mut lines);
    }
    lines.join("\n")
}

fn listed(keys: &[String]) -> String {
    if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") }
}

fn row(name: &str, cells: [String; 3], note: &str) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>COLUMN$}")).collect();
    format!("{name:NAME$}{cells}  {note}").trim_end().to_owned()
}

fn tickets(report: &Report, lines: &mut Vec<String>) {
    let mut line = |name: &str, cell: &dyn Fn(&Measures) -> String, note: String| {
        lines.push(row(name, columns(report).map(cell), &note));
    };
    let difference = &report.difference;
    let none = String::new;
    line("tickets", &|m| m.tickets.to_string(), none());
    line("assigned", &|m| m.assigned.to_string(), note(difference.assigned, 100.0, " %"));
    line("waiting at the end", &|m| m.waiting.to_string(), none());
    line("cancelled while waiting", &|m| m.cancelled_waiting.to_string(), none());
    line("wait, mean", &|m| seconds(m.wait_seconds.mean), note(difference.wait_seconds, 1.0, " s"));
    line("wait, median", &|m| seconds(m.wait_seconds.p50), none());
    line("wait, 95th percentile", &|m| seconds(m.wait_seconds.p95), none());
    line("wait, 99th percentile", &|m| seconds(m.wait_seconds.p99), none());
    let within = note(difference.within_target, 100.0, " %");
    line("within target", &|m| share(m.within_target), within);
    line("offers for each ticket", &|m| number(m.offers_mean), note(difference.offers, 1.0, ""));
    line("offers declined", &|m| m.declined.to_string(), none());
    line("offers without an answer", &|m| m.lapsed.to_string(), none());
    let unrelaxed = note(difference.without_relaxation, 100.0, " %");
    line("assigned without relaxation", &|m| share(m.skill_match.without_relaxation), unrelaxed);
    let surplus = note(difference.proficiency_surplus, 1.0, "");
    line(
        "proficiency beyond the needed",
        &|m| number(m.skill_match.proficiency_surplus_mean),
        surplus,
    );
    line("with every preferred skill", &|m| share(m.skill_match.preferred_met), none());
}

fn people(report: &Report, lines: &mut Vec<String>) {
    let mut line = |name: &str, cell: &dyn Fn(&Measures) -> String| {
        lines.push(row(name, columns(report).map(cell), ""));
    };
    line("agents", &|m| m.load.agents.to_string());
    line("tickets by agent, Gini", &|m| number(m.load.tickets.gini));
    line("tickets by agent, Jain", &|m| number(m.load.tickets.jain));
    line("tickets by agent, most over mean", &|m| number(m.load.tickets.max_over_mean));
    line("busy time by agent, Gini", &|m| number(m.load.busy.gini));
    line("busy time by agent, Jain", &|m| number(m.load.busy.jain));
    line("busy time by agent, most over mean", &|m| number(m.load.busy.max_over_mean));
    line("occupancy, mean", &|m| percent(m.load.occupancy_mean));
    line("occupancy, most less least", &|m| percent(m.load.occupancy_spread));
    line("hard tickets, most less least share", &|m| percent(m.load.hard.share_spread));
    let agents = report.recorded.load.by_agent.keys();
    for agent in agents.clone().take(AGENTS_MAX) {
        line(&format!("  {agent}: tickets"), &|m| {
            m.load.by_agent.get(agent).map_or("–".to_owned(), |load| load.tickets.to_string())
        });
    }
    if let Some(more) = agents.len().checked_sub(AGENTS_MAX + 1) {
        lines.push(format!("  and {} more", more + 1));
    }
}

fn by_group(attribute: &str, report: &Report, lines: &mut Vec<String>) {
    let Some(recorded) = report.recorded.fairness.get(attribute) else { return };
    for value in recorded.groups.keys() {
        let group = |m: &Measures| m.fairness.get(attribute)?.groups.get(value).cloned();
        let name = format!("{attribute} = {value}");
        let cells = columns(report).map(|m| {
            let hidden = || "too few".to_owned();
            group(m).map_or("–".to_owned(), |g| {
                g.wait_mean_seconds.map_or_else(hidden, |wait| seconds(Some(wait)))
            })
        });
        lines.push(row(&format!("{name}: wait, mean"), cells, ""));
        let cells = columns(report)
            .map(|m| group(m).and_then(|g| g.fast_tracked).map_or("–".to_owned(), share));
        lines.push(row(&format!("{name}: moved ahead"), cells, ""));
    }
    let of = |cell: &dyn Fn(&AttributeGroups) -> String| {
        columns(report).map(|m| m.fairness.get(attribute).map_or("–".to_owned(), cell))
    };
    let spread = of(&|groups| seconds(groups.wait_mean_spread_seconds));
    lines.push(row(&format!("{attribute}: longest less shortest wait"), spread, ""));
    let ratio = of(&|groups| number(groups.fast_track_ratio));
    lines.push(row(&format!("{attribute}: ratio of moved ahead"), ratio, ""));
}

/// Returns the columns in their order.
pub(super) fn columns(report: &Report) -> [&Measures; 3] {
    [&report.recorded, &report.baseline, &report.candidate]
}

/// Says how much the candidate differs from the baseline.
pub(super) fn note(difference: Difference, times: f64, unit: &str) -> String {
    let Difference { mean: Some(mean), low: Some(low), high: Some(high), verdict, .. } = difference
    else {
        return "not enough evidence".to_owned();
    };
    let doubt = if verdict == Verdict::NoDifferenceShown { ", no difference shown" } else { "" };
    let [mean, low, high] = [mean, low, high].map(|value| signed(times * value));
    format!("{mean}{unit} ({low} to {high}){doubt}")
}

fn signed(value: f64) -> String {
    let shown = format!("{value:+.2}");
    if shown == "-0.00" { "+0.00".to_owned() } else { shown }
}

/// Returns a time with its unit; a dash for none.
pub(super) fn seconds(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.2} s"))
}

/// Returns a number; a dash for none.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.3}"))
}

/// Returns a share in percent; a dash for none.
pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{:.1} %", 100.0 * value))
}

/// Returns a share in percent; a dash without tickets.
pub(super) fn share(share: Share) -> String {
    percent(share.share)
}
