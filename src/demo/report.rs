//! The figures as one JSON object.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Outcome, tally::Tally};
use crate::api::v1;

/// Returns the figures.
pub(super) fn figures(outcome: &Outcome) -> Value {
    let tally = &outcome.tally;
    let waits = tally.wait_curve();
    json!({
        "tickets_submitted": tally.submitted,
        "tickets_skipped": outcome.skipped,
        "tickets_assigned": tally.assigned,
        "tickets_resolved": tally.resolved,
        "tickets_waiting": tally.waiting,
        "tickets_cancelled": tally.cancelled,
        "tickets_lost": tally.lost,
        "seconds": rounded(outcome.seconds),
        "by_intent": tally.by_intent,
        "by_skill": tally.by_skill,
        "segments": segments(&outcome.bias),
        "wait_seconds": {
            "p50": waits.quantile_secs(0.5),
            "p95": waits.quantile_secs(0.95),
            "p99": waits.quantile_secs(0.99),
        },
        "outcomes": outcomes(tally),
        "agreement_with_labels": agreement(tally),
        "load_jain_index": outcome.service.load_jain_index,
        "model": outcome.model,
        "ended": outcome.end.word(),
        "data_dir": outcome.kept,
    })
}

/// Returns the measures by attribute.
fn segments(bias: &v1::GetBiasMetricsResponse) -> Value {
    let by_attribute = bias.attributes.iter().map(|attribute| {
        let groups = attribute.segments.iter().map(|one| (one.segment.clone(), group(one)));
        let measures = json!({
            "verdict": verdict(attribute.verdict()),
            "disparity_ratio": attribute.disparity_ratio,
            "group_tickets_min": bias.group_tickets_min,
            "undeclared": attribute.undeclared_count,
            "groups": groups.collect::<Map<_, _>>(),
        });
        (attribute.attribute.clone(), measures)
    });
    by_attribute.collect::<Map<_, _>>().into()
}

fn group(measures: &v1::SegmentMeasures) -> Value {
    let wait = measures.wait.unwrap_or_default();
    json!({
        "tickets": measures.ticket_count,
        "enough_evidence": measures.enough_evidence,
        "fast_tracked": rate(measures.fast_tracked),
        "fast_track_ratio": measures.fast_track_ratio,
        "below_four_fifths": measures.below_four_fifths,
        "target_met": rate(measures.target_met),
        "first_contact": rate(measures.first_contact),
        "first_contact_ratio": measures.first_contact_ratio,
        "reassigned": rate(measures.reassigned),
        "triaged": rate(measures.triaged),
        "wait_seconds": {
            "p50": wait.median_secs,
            "p95": wait.p95_secs,
            "assigned": wait.assigned_count,
            "censored": wait.censored_count,
        },
    })
}

fn rate(rate: Option<v1::Rate>) -> Value {
    let rate = rate.unwrap_or_default();
    json!({
        "count": rate.count,
        "hits": rate.hits,
        "value": rate.value,
        "low": rate.low,
        "high": rate.high,
    })
}

/// Returns a verdict as a word.
fn verdict(verdict: v1::Verdict) -> &'static str {
    match verdict {
        v1::Verdict::Unspecified => "unknown",
        v1::Verdict::NotEnoughEvidence => "not_enough_evidence",
        v1::Verdict::WithinFourFifths => "within_four_fifths",
        v1::Verdict::BelowFourFifths => "below_four_fifths",
    }
}

fn outcomes(tally: &Tally) -> Value {
    let count = |resolution| tally.outcomes.get(&resolution).copied().unwrap_or(0);
    json!({
        "first_contact": count(v1::Resolution::FirstContact),
        "resolved": count(v1::Resolution::Resolved),
        "escalated": count(v1::Resolution::Escalated),
        "wrong_intent": count(v1::Resolution::WrongIntent),
    })
}

fn agreement(tally: &Tally) -> Value {
    #[derive(Serialize)]
    struct Share {
        tickets: u64,
        agreed: u64,
    }
    let agreement = &tally.agreement;
    let share = |share: super::tally::Share| Share { tickets: share.count, agreed: share.hits };
    json!({
        "intent": share(agreement.intent),
        "out_of_scope": share(agreement.out_of_scope),
        "urgency": share(agreement.urgency),
        "sentiment": share(agreement.sentiment),
        "language": share(agreement.language),
    })
}

/// Returns seconds to the millisecond.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
