//! An audit of a model as lines for people.

use super::{
    limits::{Gate, Outcome},
    measure::{Audit, AxisAudit, Changed, Comparison, Example, Shift},
};

/// Returns the audit; `model` is its name and version, `source` where the tickets come from.
#[must_use]
pub fn text(audit: &Audit, model: &str, source: &str) -> String {
    let mut lines = vec![
        format!(
            "{model}: {} pairs of {} texts, made of {} tickets of {source}",
            audit.pairs, audit.texts, audit.tickets
        ),
        "a difference is the group less its reference; 95 % intervals over tickets".to_owned(),
    ];
    for (name, axis) in &audit.axes {
        lines.push(String::new());
        axis_lines(name, axis, &mut lines);
    }
    lines.push(String::new());
    lines
        .push(format!("scores that differ, judged together: {}", names(&audit.scores_that_differ)));
    lines.push(format!(
        "decisions that differ, judged together: {}",
        names(&audit.decisions_that_differ)
    ));
    lines.push(String::new());
    gate_lines(&audit.gate, &mut lines);
    lines.join("\n")
}

/// Returns what the limits say, a line for each that is passed.
pub(super) fn gate_lines(gate: &Gate, lines: &mut Vec<String>) {
    let (all, beyond) = (gate.checks.len(), gate.beyond().count());
    lines.push(match gate.outcome {
        Outcome::Within => format!("limits: none of {all} is passed"),
        Outcome::Beyond => format!("limits: {beyond} of {all} are passed"),
        Outcome::NotEnoughTickets => "limits: too few tickets to judge any".to_owned(),
    });
    lines.extend(gate.beyond().map(|check| format!("  {check}")));
    let few = gate.checks.iter().filter(|c| c.outcome == Outcome::NotEnoughTickets).count();
    if few > 0 && gate.outcome != Outcome::NotEnoughTickets {
        lines.push(format!("  {few} are not judged: too few tickets"));
    }
}

fn axis_lines(name: &str, axis: &AxisAudit, lines: &mut Vec<String>) {
    let all = &axis.all;
    lines.push(format!(
        "{name} (compared with {}): {} pairs of {} tickets; read differently: {}",
        all.reference,
        all.pairs,
        all.tickets,
        flips(all)
    ));
    lines.push(format!(
        "  {:24} {:>6}  {:30} {:30} {:30} {:>6} {:>6}",
        "", "pairs", "urgency", "sentiment", "out of scope", "route", "urgent"
    ));
    for (group, found) in &axis.groups {
        lines.push(format!(
            "  {group:24} {:6}  {:30} {:30} {:30} {:>6} {:>6}",
            found.pairs,
            shift(&found.urgency),
            shift(&found.sentiment),
            shift(&found.out_of_scope),
            percent(found.flips.get("route").and_then(|flip| flip.share)),
            points(found.decisions.get("urgent").and_then(|turned| turned.difference)),
        ));
    }
    for example in &axis.worst {
        lines.push(format!("  {}", example_line(example)));
    }
}

fn flips(found: &Comparison) -> String {
    let flip = |(name, changed): (&&str, &Changed)| {
        let interval = changed.ci95.0.map_or_else(String::new, |ends| {
            format!(" ({:.1} to {:.1})", 100.0 * ends.low, 100.0 * ends.high)
        });
        format!("{name} {}{interval}", percent(changed.share))
    };
    found.flips.iter().map(flip).collect::<Vec<_>>().join(", ")
}

/// Returns a difference with its interval; a star where it holds among all tests.
fn shift(shift: &Shift) -> String {
    let Some(mean) = shift.mean_difference else { return "-".to_owned() };
    let ends = shift
        .ci95
        .0
        .map_or_else(String::new, |ends| format!(" ({:+.3} to {:+.3})", ends.low, ends.high));
    let star = if shift.p_adjusted.is_some_and(|p| p <= 0.05) { "*" } else { "" };
    format!("{mean:+.3}{ends}{star}")
}

/// Returns what a pair changed.
pub(super) fn example_line(example: &Example) -> String {
    let [before, after] = &example.said;
    let mut turned = Vec::new();
    if before.route != after.route {
        turned.push(format!("{} → {}", before.route, after.route));
    }
    if before.intent != after.intent {
        turned.push(format!("{} → {}", before.intent, after.intent));
    }
    if before.urgency != after.urgency {
        turned.push(format!("{} → {}", before.urgency.label(), after.urgency.label()));
    }
    if before.sentiment != after.sentiment {
        turned.push(format!("{} → {}", before.sentiment.label(), after.sentiment.label()));
    }
    if before.out_of_scope != after.out_of_scope {
        turned.push(if after.out_of_scope { "out of scope" } else { "in scope" }.to_owned());
    }
    let swapped = example.swapped.as_ref().map_or_else(String::new, |what| format!(" [{what}]"));
    format!("line {}, {}{swapped}: {}", example.line, example.group, turned.join(", "))
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Returns a share as `8.1 %`.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn points(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:+.1}", 100.0 * share))
}
