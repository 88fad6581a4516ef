//! Waits and fast-tracking by segment, with small groups left out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    measures::{Frame, Share},
    tally::Treatment,
};
use crate::{
    domain::{facts::TicketFacts, id::TicketId},
    fairness::{AttributeMeasures, Options, SegmentMeasures, measure},
};

/// Segment values by ticket and attribute. They are measured by, and by nothing else.
pub type Segments = BTreeMap<TicketId, BTreeMap<String, String>>;

/// Measures of the tickets of one segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupMeasures {
    /// Tickets.
    pub tickets: u64,
    /// Whether it is left out: too few tickets to say, or a small group could be worked out from it.
    pub suppressed: bool,
    /// Mean wait, each cut at the horizon, in seconds.
    pub wait_mean_seconds: Option<f64>,
    /// Share of read tickets that were moved ahead; absent when suppressed.
    pub fast_tracked: Option<Share>,
}

/// The segments of one attribute beside each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttributeGroups {
    /// Tickets that do not declare it; they are in no group.
    pub undeclared: u64,
    /// Groups by value.
    pub groups: BTreeMap<String, GroupMeasures>,
    /// Longest mean wait of a group less the shortest, in seconds; absent below two groups shown.
    pub wait_mean_spread_seconds: Option<f64>,
    /// Lowest fast-track share over the highest; absent below two groups, or when nobody was moved ahead.
    pub fast_track_ratio: Option<f64>,
}

/// Measures each declared attribute.
pub(super) fn groups(
    tickets: &[Treatment],
    frame: &Frame<'_>,
) -> BTreeMap<String, AttributeGroups> {
    let facts: Vec<TicketFacts> = tickets
        .iter()
        .map(|ticket| {
            let segments = frame.segments.get(&ticket.ticket).cloned().unwrap_or_default();
            ticket.facts(segments)
        })
        .collect();
    let options = Options {
        horizon_secs: frame.horizon_secs,
        ..Options::new(frame.attributes.to_vec(), frame.end)
    };
    let measured = measure(&facts, &options).into_iter();
    measured
        .map(|attribute| {
            let groups = attribute_groups(&attribute, options.group_tickets_min);
            (attribute.attribute, groups)
        })
        .collect()
}

fn attribute_groups(measures: &AttributeMeasures, tickets_min: u64) -> AttributeGroups {
    let hidden = hidden(&measures.segments, measures.undeclared_count, tickets_min);
    let group = |segment: &SegmentMeasures| {
        let suppressed = segment.ticket_count < hidden;
        let shown = |value: Option<f64>| value.filter(|_| !suppressed);
        let measures = GroupMeasures {
            tickets: segment.ticket_count,
            suppressed,
            wait_mean_seconds: shown(segment.wait.restricted_mean_secs),
            fast_tracked: segment.fast_tracked.filter(|_| !suppressed).map(Into::into),
        };
        (segment.segment.clone(), measures)
    };
    let groups: BTreeMap<String, GroupMeasures> = measures.segments.iter().map(group).collect();
    let waits: Vec<f64> = groups.values().filter_map(|group| group.wait_mean_seconds).collect();
    let low = waits.iter().copied().reduce(f64::min);
    let high = waits.iter().copied().reduce(f64::max);
    AttributeGroups {
        undeclared: measures.undeclared_count,
        wait_mean_spread_seconds: low.zip(high).filter(|_| waits.len() > 1).map(|(l, h)| h - l),
        // Of all groups that can be compared: with a hidden one among them it would tell its rate.
        fast_track_ratio: measures.disparity_ratio.filter(|_| hidden == tickets_min),
        groups,
    }
}

/// Returns the size below which groups are left out.
///
/// A single small group could be worked out as all tickets less the others, so the next larger one is
/// left out with it.
fn hidden(segments: &[SegmentMeasures], undeclared: u64, tickets_min: u64) -> u64 {
    let mut sizes: Vec<u64> = segments.iter().map(|segment| segment.ticket_count).collect();
    sizes.sort_unstable();
    let small = sizes.partition_point(|size| *size < tickets_min);
    match sizes.get(1) {
        Some(next) if small == 1 && undeclared == 0 => next + 1,
        _ => tickets_min,
    }
}
