//! How evenly segments are treated, with intervals, and what the evidence says.

use super::{
    Outcome,
    flow::seconds,
    paint::{Style, cut, pad, track},
};
use crate::api::v1::{self, Verdict};

/// Most attributes, and most segments of each, that are shown.
const ATTRIBUTES_SHOWN: usize = 4;
const SEGMENTS_SHOWN: usize = 5;
const TRACK: usize = 24;

/// Returns the measures by segment.
pub(super) fn evenness(outcome: &Outcome, style: Style) -> Vec<String> {
    let bias = &outcome.bias;
    if bias.attributes.is_empty() {
        return vec![
            style.heading("EVEN TREATMENT"),
            style.faint("The file has no segment_* columns, so there is nothing to compare."),
        ];
    }
    let columns =
        "tickets  moved ahead for urgency, 95 % interval     wait p50 / p95  first contact";
    let mut lines = vec![format!("{}  {}", style.heading("EVEN TREATMENT"), style.faint(columns))];
    for attribute in bias.attributes.iter().take(ATTRIBUTES_SHOWN) {
        lines.push(verdict(attribute, bias.group_tickets_min, style));
        lines.extend(segments(attribute, style));
    }
    if bias.attributes.len() > ATTRIBUTES_SHOWN {
        let more = bias.attributes.len() - ATTRIBUTES_SHOWN;
        lines.push(style.faint(&format!("and {more} more attributes: --format json")));
    }
    let question = "The ratio is the lowest share by the highest. Below 0.80 asks a question, and proves nothing.";
    lines.push(style.faint(question));
    lines
}

fn verdict(attribute: &v1::AttributeMeasures, tickets_min: u32, style: Style) -> String {
    let ratio =
        attribute.disparity_ratio.map_or_else(String::new, |ratio| format!(" ({ratio:.2})"));
    let verdict = match attribute.verdict() {
        Verdict::WithinFourFifths => style.good(&format!("within four fifths{ratio}")),
        Verdict::BelowFourFifths => {
            let chance = if may_be_chance(attribute) {
                ", but intervals overlap: may be chance"
            } else {
                ""
            };
            style.look(&format!("below four fifths{ratio}{chance}"))
        }
        Verdict::NotEnoughEvidence | Verdict::Unspecified => style
            .look(&format!("not enough evidence: fewer than two groups of {tickets_min} tickets")),
    };
    let undeclared = match attribute.undeclared_count {
        0 => String::new(),
        count => style.faint(&format!(" · {count} tickets don't say")),
    };
    format!("{}  {verdict}{undeclared}", style.strong(&cut(&attribute.attribute, 24)))
}

/// Returns whether the intervals of the lowest and the highest rate overlap.
fn may_be_chance(attribute: &v1::AttributeMeasures) -> bool {
    let compared = attribute.segments.iter().filter(|segment| segment.enough_evidence);
    let rates = || compared.clone().filter_map(|segment| segment.fast_tracked);
    let by_value = |a: &v1::Rate, b: &v1::Rate| a.value().total_cmp(&b.value());
    match (rates().min_by(by_value), rates().max_by(by_value)) {
        (Some(lowest), Some(highest)) => lowest.high() >= highest.low(),
        _ => true,
    }
}

fn segments(attribute: &v1::AttributeMeasures, style: Style) -> Vec<String> {
    let mut segments: Vec<_> = attribute.segments.iter().collect();
    if segments.len() > SEGMENTS_SHOWN {
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.ticket_count));
    }
    let shown = &segments[..segments.len().min(SEGMENTS_SHOWN)];
    let highest = shown
        .iter()
        .filter_map(|segment| segment.fast_tracked.and_then(|rate| rate.high))
        .fold(0.0, f64::max);
    let mut lines: Vec<String> =
        shown.iter().map(|segment| segment_line(segment, highest, style)).collect();
    let hidden = segments.len() - shown.len();
    if hidden > 0 {
        lines.push(style.faint(&format!("  and {hidden} smaller segments")));
    }
    lines
}

fn segment_line(segment: &v1::SegmentMeasures, highest: f64, style: Style) -> String {
    let rate = segment.fast_tracked.unwrap_or_default();
    let share = match (rate.value, rate.low, rate.high) {
        (Some(value), Some(low), Some(high)) => {
            let interval = format!("[{:.0}–{:.0}]", 100.0 * low, 100.0 * high);
            let track = style.cyan(&track(low, value, high, highest, TRACK));
            format!("{track} {:>3.0} % {}", 100.0 * value, pad(&interval, 8))
        }
        _ => pad("nothing read yet", TRACK + 15),
    };
    let secs = |secs: Option<f64>| secs.map_or_else(|| "–".to_owned(), seconds);
    let wait = segment.wait.unwrap_or_default();
    let contact = segment.first_contact.and_then(|rate| rate.value);
    let contact = contact.map_or_else(|| "–".to_owned(), |value| format!("{:.0} %", 100.0 * value));
    let few = if segment.enough_evidence { "" } else { "  too few" };
    format!(
        "  {} {:>6}   {share}  {:>6} / {:>6}  {contact:>7}{}",
        pad(&cut(&segment.segment, 12), 12),
        segment.ticket_count,
        secs(wait.median_secs),
        secs(wait.p95_secs),
        style.look(few)
    )
}
