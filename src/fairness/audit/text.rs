//! The measures as lines for people: what they say first, then the figures it stands on.

use std::{collections::BTreeSet, fmt::Write};

use super::{AttributeAudit, Audit, GroupMeasures, Intersection, PairMeasures, family::Family};
use crate::fairness::{
    alarms::{Standing, State},
    rates::{Interval, Rate},
};

/// Comparisons that are named under a verdict; the others are in the data.
const NAMED_MAX: usize = 5;

/// Returns the measures of a log.
#[must_use]
pub fn audit_text(audit: &Audit) -> String {
    let mut lines = vec![format!("{} tickets", audit.meta.n_rows)];
    for (name, attribute) in &audit.attributes {
        verdict(name, attribute, &mut lines);
    }
    for (name, attribute) in &audit.attributes {
        lines.push(String::new());
        attribute_lines(name, attribute, &mut lines);
    }
    for intersection in &audit.intersections {
        lines.push(String::new());
        intersection_lines(intersection, &mut lines);
    }
    if let Some(agents) = &audit.agents {
        lines.push(String::new());
        lines.push(format!(
            "agents: {} with tickets; Gini of loads {}, Jain {}, most over mean {}; share of angry \
             customers differs with p = {}",
            agents.load.len(),
            number(agents.formula_gini_load),
            number(agents.formula_jain_load),
            number(agents.max_over_mean_load),
            probability(agents.angry_share_chi2.p)
        ));
    }
    lines.join("\n")
}

/// Returns the measures of counterfactual pairs.
#[must_use]
pub fn pairs_text(pairs: &PairMeasures) -> String {
    let mut lines = vec!["counterfactual pairs: one attribute swapped, the text kept".to_owned()];
    for (name, axis) in &pairs.axes {
        let adjusted = pairs.family.adjusted.get(name).copied();
        let said = match adjusted {
            None => "no difference at all".to_owned(),
            Some(p) if pairs.family.rejected.contains(name) => {
                format!("the score depends on it (p = {}, adjusted)", probability(Some(p)))
            }
            Some(p) => format!("not enough evidence (p = {}, adjusted)", probability(Some(p))),
        };
        lines.push(format!(
            "  {name}: {said}; {} pairs, mean change {}{}, greatest {:.4}, {} labels flip",
            axis.n_pairs,
            number(axis.mean_delta),
            ends(axis.ci95.0),
            axis.max_abs_delta,
            axis.label_flips
        ));
    }
    lines.join("\n")
}

fn verdict(name: &str, attribute: &AttributeAudit, lines: &mut Vec<String>) {
    let evidence = &attribute.evidence;
    let with = |state| evidence.comparisons.iter().filter(move |c| c.state == state);
    let tolerated = 100.0 * evidence.difference_tolerated;
    let (open, all) = (with(State::NotEnoughEvidence).count(), evidence.comparisons.len());
    let filled = attribute.groups.values().filter(|group| group.count() > 0).count();
    let said = match evidence.state {
        _ if filled < 2 => format!("nothing to compare: {filled} group with tickets"),
        State::Unfair => "UNFAIR: groups are treated differently".to_owned(),
        State::FairSoFar => {
            format!(
                "fair so far: no group differs from the others by {tolerated:.0} points or more"
            )
        }
        State::NotEnoughEvidence => format!(
            "not enough evidence: no difference found, but {open} of {all} comparisons have too few \
             tickets to rule out {tolerated:.0} points{}",
            fair_on(&evidence.comparisons)
        ),
    };
    lines.push(format!("{name}: {said}"));
    let mut found: Vec<&Standing> = with(State::Unfair).collect();
    found.sort_by(|a, b| b.log_evidence.total_cmp(&a.log_evidence));
    lines.extend(found.iter().take(NAMED_MAX).map(|standing| alarm_line(standing)));
    if found.len() > NAMED_MAX {
        lines.push(format!("  and {} more", found.len() - NAMED_MAX));
    }
}

/// Names the measures on which every group is fair so far.
fn fair_on(comparisons: &[Standing]) -> String {
    let open = comparisons.iter().filter(|found| found.state != State::FairSoFar);
    let open: BTreeSet<&str> = open.map(|found| found.measure).collect();
    let all: BTreeSet<&str> = comparisons.iter().map(|found| found.measure).collect();
    let fair: Vec<&str> = all.difference(&open).copied().collect();
    if fair.is_empty() { String::new() } else { format!("; fair so far on {}", fair.join(", ")) }
}

fn alarm_line(standing: &Standing) -> String {
    let mut line = format!(
        "  {} of {}: {} against {} of the others, {} points",
        standing.measure,
        standing.group,
        share(standing.own),
        share(standing.others),
        standing.difference.map_or("?".to_owned(), |gap| format!("{:+.1}", 100.0 * gap)),
    );
    if let Some(alarm) = standing.alarm {
        // Written to a string, which cannot fail.
        let _ = write!(
            line,
            "; known since ticket {} of the attribute, {} to 1",
            alarm.ticket,
            odds(alarm.log_evidence)
        );
    }
    line
}

fn attribute_lines(name: &str, attribute: &AttributeAudit, lines: &mut Vec<String>) {
    lines.push(format!("{name}, with {} tickets that do not declare it", attribute.n_unknown));
    lines.push(format!(
        "  {:16} {:>7}  {:26}  {:26}  {:26}  {:>9} {:>9}",
        "group",
        "tickets",
        "selected (95 %)",
        "target breached (95 %)",
        "first contact (95 %)",
        "median",
        "mean wait"
    ));
    for (group, measures) in &attribute.groups {
        lines.push(group_line(group, measures));
    }
    lines.push(group_line("all", &attribute.overall));
    impact_lines(attribute, lines);
    let strict = &attribute.strict;
    lines.push(format!(
        "  equalized odds, greatest difference {}; equal opportunity (tpr) {}; calibration error {}",
        number(strict.equalized_odds_worst_case),
        number(strict.by_measure.get("tpr").and_then(|d| d.difference)),
        number(strict.by_measure.get("ece_10").and_then(|d| d.difference)),
    ));
    family_line(&attribute.bh_family, lines);
    let hidden = &attribute.suppression;
    if !hidden.suppressed.is_empty() {
        lines.push(format!(
            "  shown to others, leave out {} (below {} tickets){}",
            hidden.suppressed.join(", "),
            hidden.min_n,
            and_also(&hidden.also_suppressed)
        ));
    }
}

fn group_line(name: &str, group: &GroupMeasures) -> String {
    let wait = &group.wait;
    let mean = wait.restricted_mean.values().next().copied().flatten();
    format!(
        "  {name:16} {:7}  {:26}  {:26}  {:26}  {:>9} {:>9}",
        group.count(),
        share(group.selected),
        share(group.target_breached),
        share(group.first_contact),
        seconds(wait.km_median),
        seconds(mean)
    )
}

fn impact_lines(attribute: &AttributeAudit, lines: &mut Vec<String>) {
    let Some(found) = &attribute.four_fifths else { return };
    let below: Vec<String> = found
        .groups
        .iter()
        .filter(|(_, impact)| impact.below_four_fifths)
        .map(|(name, impact)| format!("{name} {}", number(impact.impact_ratio)))
        .collect();
    lines.push(if below.is_empty() {
        format!("  four fifths: no group is below four fifths of {}", found.reference)
    } else {
        format!(
            "  below four fifths of {}: {} (one look; small groups cross it by chance)",
            found.reference,
            below.join(", ")
        )
    });
}

fn family_line(family: &Family, lines: &mut Vec<String>) {
    let named =
        |name: &String| format!("{name} p = {}", probability(family.adjusted.get(name).copied()));
    lines.push(if family.rejected.is_empty() {
        "  tests for one look: nothing differs by more than chance".to_owned()
    } else {
        let tests: Vec<String> = family.rejected.iter().map(named).collect();
        format!("  tests for one look (adjusted): {}", tests.join(", "))
    });
}

fn intersection_lines(found: &Intersection, lines: &mut Vec<String>) {
    lines.push(format!(
        "{}: selected between groups, difference {}, ratio {}; {} groups, {} empty, over those of 10 \
         tickets or more difference {}",
        found.attributes.join(" and "),
        number(found.selection_rate_difference),
        number(found.selection_rate_ratio),
        found.cells.len(),
        found.empty_cells.len(),
        number(found.selection_rate_difference_min10)
    ));
    for (name, cell) in &found.cells {
        let selected = Rate::counted(cell.n_selected, cell.n - cell.n_selected);
        lines.push(format!(
            "  {name:24} {:7}  {:26}  {:26}",
            cell.n,
            share(selected),
            share(cell.sla_breach)
        ));
    }
    if !found.suppressed_below_10.is_empty() {
        lines.push(format!(
            "  shown to others, leave out {}{}",
            found.suppressed_below_10.join(", "),
            and_also(&found.also_suppressed)
        ));
    }
}

/// Names what must go with the small groups.
fn and_also(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(", and {} so that they do not follow from the rest", names.join(", "))
}

/// A share with its counts and its interval for one look.
fn share(rate: Rate) -> String {
    let Some(value) = rate.value() else { return "-".to_owned() };
    let counts = format!("{}/{}", rate.hits(), rate.count());
    let interval =
        rate.interval().map_or_else(String::new, |i| format!(" {:.2}-{:.2}", i.low, i.high));
    format!("{value:.3} {counts}{interval}")
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"))
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0} s"))
}

fn ends(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |i| format!(" (95 %: {:.4} to {:.4})", i.low, i.high))
}

fn probability(p: Option<f64>) -> String {
    match p {
        None => "undefined".to_owned(),
        Some(p) if p < 0.001 => format!("{p:.0e}"),
        Some(p) => format!("{p:.3}"),
    }
}

/// Evidence as odds, by its order of magnitude once it is large.
fn odds(log_evidence: f64) -> String {
    let odds = log_evidence.exp();
    if odds < 10_000.0 { format!("{odds:.0}") } else { format!("{odds:.0e}") }
}
