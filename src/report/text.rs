//! A report as lines for the terminal.

use std::collections::BTreeMap;

use super::{HeadMeasures, Headline, Report, segments::Gap};
use crate::fairness::Interval;

/// Suspected labels that the terminal shows; the others are in the data and the page.
const LINES_MAX: usize = 10;
/// Confusions that the terminal shows.
const PAIRS_MAX: usize = 5;

/// Returns the report as lines.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    for (head, measures) in &report.heads {
        head_lines(head, measures, &mut lines);
    }
    if let Some(graded) = &report.sentiment_score {
        let r = graded.pearson_r.map_or("not defined".to_owned(), |r| format!("{r:.4}"));
        let interval = interval(graded.pearson_r_interval);
        lines.push(format!(
            "graded sentiment: {} rows with a rating, Pearson r {r}{interval}",
            graded.rows
        ));
    }
    if let Some(segments) = &report.segments {
        for (segment, heads) in &segments.segments {
            segment_lines(segment, heads, &mut lines);
        }
        for (head, gap) in &segments.segment_gaps {
            lines.push(gap_line(head, gap));
        }
    }
    lines.push(format!("tickets_per_second: {:.2}", report.tickets_per_second));
    lines.join("\n")
}

fn head_lines(head: &str, measures: &HeadMeasures, lines: &mut Vec<String>) {
    headline(head, &measures.headline, lines);
    if let Some(coverage) = &measures.coverage {
        lines.push(format!("  area under risk-coverage {:.4}", coverage.risk_area));
        for at in &coverage.at {
            let wanted = at.accuracy_wanted;
            lines.push(match (at.threshold, at.accuracy) {
                (Some(threshold), Some(accuracy)) => format!(
                    "  accuracy {wanted:.3} or more on {:5.1} % of the rows: confidence {threshold:.4} \
                     or more, accuracy {accuracy:.4}{}",
                    100.0 * at.coverage,
                    interval(at.accuracy_interval)
                ),
                _ => format!("  accuracy {wanted:.3} at no confidence"),
            });
        }
    }
    for (label, class) in
        measures.headline.report.metrics.per_class.iter().filter(|(_, class)| class.rows > 0)
    {
        lines.push(format!(
            "  {label:28} {:6} rows  precision {:.3}  recall {:.3}  F1 {:.3}",
            class.rows, class.precision, class.recall, class.f1
        ));
    }
    for pair in measures.confusion.iter().take(PAIRS_MAX) {
        let (truth, guess, share) = (&pair.truth, &pair.guess, 100.0 * pair.share);
        lines.push(format!(
            "  {:6} rows of {truth} read as {guess}, {share:.1} % of them",
            pair.rows
        ));
    }
    noise_lines(measures, lines);
}

/// Names rows by line only: their text is private.
fn noise_lines(measures: &HeadMeasures, lines: &mut Vec<String>) {
    if measures.noise_rows > 0 {
        let (all, shown) = (measures.noise_rows, measures.noise_candidates.len().min(LINES_MAX));
        lines.push(format!("  labels to look at again: {all} rows, the clearest {shown}:"));
    }
    for row in measures.noise_candidates.iter().take(LINES_MAX) {
        lines.push(format!(
            "    line {:6}: {} ({:.3}), rather {} ({:.3})",
            row.line, row.given, row.given_probability, row.suggested, row.suggested_probability
        ));
    }
}

fn headline(head: &str, measures: &Headline, lines: &mut Vec<String>) {
    let m = &measures.report.metrics;
    lines.push(format!(
        "{head}: {} rows, accuracy {:.4}{}, macro-F1 {:.4}, loss {:.4}{}{}",
        m.rows,
        m.accuracy,
        interval(measures.accuracy_interval),
        m.macro_f1,
        m.nll,
        measures.brier.map(|brier| format!(", Brier {brier:.4}")).unwrap_or_default(),
        m.micro_f1
            .map(|f1| format!("; several labels a text, micro-F1 {f1:.4}"))
            .unwrap_or_default()
    ));
    if measures.report.unknown_label_rows > 0 {
        lines.push(format!(
            "  {} rows have a label that the model does not know",
            measures.report.unknown_label_rows
        ));
    }
    if let Some(top) = measures.top_3_accuracy {
        let interval = interval(measures.top_3_accuracy_interval);
        lines.push(format!("  right among the first three {top:.4}{interval}"));
    }
    if let Some(floor) = &measures.ece_15_floor {
        lines.push(format!(
            "  calibration error {:.4}; chance alone makes {:.4}, up to {:.4} (95 % of draws)",
            m.ece_15, floor.mean, floor.p95
        ));
    }
    if m.micro_f1.is_some() {
        lines.push(format!("  calibration error {:.4} over the labels of all rows", m.ece_15));
    }
    if let Some(scope) = &measures.report.scope {
        lines.push(format!(
            "  out of scope: {} rows, AUROC {:.4}, found {:.4} when 5 % of the others are rejected",
            scope.oos_rows, scope.oos_auroc, scope.oos_recall
        ));
    }
}

fn segment_lines(segment: &str, heads: &BTreeMap<String, Headline>, lines: &mut Vec<String>) {
    lines.push(format!("\nsegment {segment}"));
    for (head, measures) in heads {
        headline(head, measures, lines);
    }
}

fn gap_line(head: &str, gap: &Gap) -> String {
    format!(
        "\ngap of {head}: {} reads {:.4} better than {}{}; {} segments of {} rows or more compared",
        gap.best,
        gap.gap,
        gap.worst,
        interval(Some(gap.gap_interval)),
        gap.segments_compared,
        gap.segment_rows_min
    )
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |i| format!(" (95 %: {:.4} to {:.4})", i.low, i.high))
}
