//! Measures of fairness and service.

use super::policy::requirements;
use crate::{
    api::v1,
    app::{LoadView, UnstaffedView},
    domain::{limits::UNSTAFFED_SHOWN_MAX, ticket::Status},
    fairness,
};

/// Returns the measures of an attribute as the API shows them.
pub(crate) fn attribute_measures(measures: fairness::AttributeMeasures) -> v1::AttributeMeasures {
    let verdict = match measures.verdict {
        fairness::Verdict::NotEnoughEvidence => v1::Verdict::NotEnoughEvidence,
        fairness::Verdict::WithinFourFifths => v1::Verdict::WithinFourFifths,
        fairness::Verdict::BelowFourFifths => v1::Verdict::BelowFourFifths,
    };
    v1::AttributeMeasures {
        attribute: measures.attribute,
        segments: measures.segments.into_iter().map(segment_measures).collect(),
        put_together_count: u32::try_from(measures.put_together_count).unwrap_or(u32::MAX),
        undeclared_count: measures.undeclared_count,
        disparity_ratio: measures.disparity_ratio,
        verdict: verdict.into(),
    }
}

fn segment_measures(measures: fairness::SegmentMeasures) -> v1::SegmentMeasures {
    v1::SegmentMeasures {
        segment: measures.segment,
        ticket_count: measures.ticket_count,
        enough_evidence: measures.enough_evidence,
        fast_tracked: measures.fast_tracked.map(rate),
        target_met: measures.target_met.map(rate),
        first_contact: measures.first_contact.map(rate),
        reassigned: measures.reassigned.map(rate),
        triaged: measures.triaged.map(rate),
        wait: Some(wait(measures.wait)),
        fast_track_ratio: measures.fast_track_ratio,
        first_contact_ratio: measures.first_contact_ratio,
        below_four_fifths: measures.below_four_fifths,
    }
}

/// Returns the measures of all tickets and agents as the API shows them.
pub(crate) fn service_measures(
    measures: fairness::ServiceMeasures,
    loads: Vec<LoadView>,
    unstaffed: Vec<UnstaffedView>,
) -> v1::GetServiceMeasuresResponse {
    let count = |status| measures.statuses.get(&status).copied().unwrap_or(0);
    let accepted: Vec<u64> = loads.iter().map(|load| load.accepted).collect();
    v1::GetServiceMeasuresResponse {
        statuses: Some(v1::StatusCounts {
            received: count(Status::Received),
            queued: count(Status::Queued),
            offered: count(Status::Offered),
            assigned: count(Status::Assigned),
            completed: count(Status::Completed),
            cancelled: count(Status::Cancelled),
        }),
        wait: Some(wait(measures.wait)),
        target_met: Some(rate(measures.target_met)),
        first_contact: Some(rate(measures.first_contact)),
        agents: loads.into_iter().map(load).collect(),
        load_jain_index: fairness::jain_index(&accepted),
        unstaffed: unstaffed.into_iter().take(UNSTAFFED_SHOWN_MAX).map(unstaffed_need).collect(),
        load_gini_index: fairness::gini_index(&accepted),
        load_max_mean_ratio: fairness::max_mean_ratio(&accepted),
    }
}

fn unstaffed_need(need: UnstaffedView) -> v1::UnstaffedNeed {
    v1::UnstaffedNeed {
        requirements: requirements(&need.requirements),
        waiting_count: need.waiting as u64,
        fit_agent_count: u32::try_from(need.fit).unwrap_or(u32::MAX),
    }
}

fn load(load: LoadView) -> v1::AgentLoad {
    v1::AgentLoad {
        agent_id: load.agent,
        offer_count: load.offered,
        accepted_count: load.accepted,
        declined_count: load.declined,
        completed_count: load.completed,
        idle_ms: load.idle_ms,
    }
}

pub(super) fn rate(rate: fairness::Rate) -> v1::Rate {
    let interval = rate.interval();
    v1::Rate {
        count: rate.count(),
        hits: rate.hits(),
        value: rate.value(),
        low: interval.map(|ends| ends.low),
        high: interval.map(|ends| ends.high),
    }
}

fn wait(wait: fairness::WaitMeasures) -> v1::WaitMeasures {
    v1::WaitMeasures {
        assigned_count: wait.assigned_count,
        censored_count: wait.censored_count,
        median_secs: wait.median_secs,
        p95_secs: wait.p95_secs,
        restricted_mean_secs: wait.restricted_mean_secs,
        horizon_secs: wait.horizon_secs,
    }
}
