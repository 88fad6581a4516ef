//! Where tickets went and why, how long they waited, and who carried what.

use std::collections::BTreeMap;

use super::{
    Outcome,
    paint::{PAGE, Style, bar, columns, cut, pad, sparkline},
};
use crate::api::v1;

/// Most skills shown.
const SKILLS_SHOWN: usize = 11;
/// Reasons shown for each skill.
const REASONS_SHOWN: usize = 3;
/// Columns of the histogram of waits.
const WAIT_COLUMNS: usize = 40;
const BAR: usize = 22;
const LOAD_BAR: usize = 8;
/// Columns of people.
const LOAD_COLUMNS: usize = 3;

/// Returns where tickets went and why.
pub(super) fn destinations(outcome: &Outcome, style: Style) -> Vec<String> {
    let tally = &outcome.tally;
    let mut skills: Vec<(&String, u64)> =
        tally.by_skill.iter().map(|(skill, count)| (skill, *count)).collect();
    skills.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let max = skills.first().map_or(0, |(_, count)| *count);
    let widest = skills.iter().take(SKILLS_SHOWN).map(|(skill, _)| columns(skill)).max();
    let width = widest.unwrap_or(0).clamp(8, 24);
    let mut lines = vec![style.heading("WHERE TICKETS WENT, AND WHY")];
    for (skill, count) in skills.iter().take(SKILLS_SHOWN) {
        let reasons = tally.reasons.get(*skill).map(reasons).unwrap_or_default();
        let reasons = cut(&reasons, PAGE.saturating_sub(width + BAR + 10));
        lines.push(format!(
            "{}  {} {count:>5}  {}",
            pad(&cut(skill, width), width),
            style.cyan(&bar(*count, max, BAR)),
            style.faint(&reasons)
        ));
    }
    let hidden: u64 = skills.iter().skip(SKILLS_SHOWN).map(|(_, count)| count).sum();
    if hidden > 0 {
        let others = skills.len() - SKILLS_SHOWN;
        lines.push(style.faint(&format!("and {hidden} tickets by {others} other skills")));
    }
    lines
}

fn reasons(reasons: &BTreeMap<String, u64>) -> String {
    let mut ordered: Vec<_> = reasons.iter().collect();
    ordered.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let shown = ordered.iter().take(REASONS_SHOWN).map(|(reason, count)| {
        let language = reason.strip_prefix("language:");
        match language {
            Some(code) => format!("written in `{code}` {count}"),
            None => format!("{reason} {count}"),
        }
    });
    let more = if ordered.len() > REASONS_SHOWN { " · …" } else { "" };
    format!("{}{more}", shown.collect::<Vec<_>>().join(" · "))
}

/// Returns how long tickets waited for a person.
pub(super) fn waits(outcome: &Outcome, style: Style) -> Vec<String> {
    let curve = outcome.tally.wait_curve();
    let quantile = |name: &str, quantile: f64| {
        let secs = curve.quantile_secs(quantile);
        format!("{name} {}", secs.map_or_else(|| "not reached".to_owned(), seconds))
    };
    let heading = style.heading("WAIT FOR A PERSON");
    let note =
        style.faint("from received to accepted; who still waits counts as waiting (Kaplan-Meier)");
    let mut lines = vec![format!("{heading}  {note}")];
    let assigned = outcome.tally.waits.iter().filter(|wait| wait.assigned).map(|wait| wait.ms);
    let mut assigned: Vec<u64> = assigned.collect();
    assigned.sort_unstable();
    // The last few are far out and would press all others into one column.
    let longest = assigned.get(assigned.len() * 99 / 100).copied().unwrap_or(0);
    let mut counts = vec![0; WAIT_COLUMNS];
    for ms in &assigned {
        let column = ms.saturating_mul(WAIT_COLUMNS as u64) / (longest + 1);
        counts[usize::try_from(column).unwrap_or(0).min(WAIT_COLUMNS - 1)] += 1;
    }
    let quantiles = [quantile("p50", 0.5), quantile("p95", 0.95), quantile("p99", 0.99)];
    lines.push(format!(
        "{}   0 s {} {} and more",
        quantiles.join("   "),
        style.cyan(&sparkline(&counts)),
        seconds(longest as f64 / 1000.0)
    ));
    lines
}

/// Returns a time as people say it.
pub(super) fn seconds(secs: f64) -> String {
    if secs < 10.0 { format!("{secs:.1} s") } else { format!("{secs:.0} s") }
}

/// Returns who carried what, in columns.
pub(super) fn loads(outcome: &Outcome, style: Style) -> Vec<String> {
    let names: BTreeMap<&str, &str> =
        outcome.people.iter().map(|person| (person.id, person.name)).collect();
    let mut agents: Vec<_> = outcome.service.agents.iter().collect();
    agents
        .sort_by(|a, b| b.accepted_count.cmp(&a.accepted_count).then(a.agent_id.cmp(&b.agent_id)));
    let max = agents.first().map_or(0, |agent| agent.accepted_count);
    let cell = |agent: &&v1::AgentLoad| {
        let name = names.get(agent.agent_id.as_str()).copied().unwrap_or(&agent.agent_id);
        let declined = match agent.declined_count {
            0 => String::new(),
            count => format!("−{count}"),
        };
        format!(
            "{} {} {:>4} {}",
            pad(&cut(name, 13), 13),
            style.cyan(&bar(agent.accepted_count, max, LOAD_BAR)),
            agent.accepted_count,
            style.faint(&pad(&declined, 3))
        )
    };
    let cells: Vec<String> = agents.iter().map(cell).collect();
    let jain = outcome.service.load_jain_index;
    let jain = jain.map_or_else(String::new, |jain| format!(" · Jain {jain:.2} (1: all alike)"));
    let note = style.faint(&format!("tickets taken, −declined; skills and hours differ{jain}"));
    let mut lines = vec![format!("{}  {note}", style.heading("WHO CARRIED WHAT"))];
    let rows = cells.len().div_ceil(LOAD_COLUMNS);
    for row in 0..rows {
        let line: Vec<&str> = cells.iter().skip(row).step_by(rows).map(String::as_str).collect();
        lines.push(line.join("  "));
    }
    lines
}
