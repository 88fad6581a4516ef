//! From counts that are kept as tickets come to the measures of each segment.

use std::collections::BTreeMap;

use super::{
    accumulate::{Accumulator, Tally},
    grouping::put_together,
    measure::{AttributeMeasures, Options, SegmentMeasures, compared},
    waits::Elapsed,
};

/// Which tickets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// All of them.
    SinceStart,
    /// Those received in the windows that are kept.
    Recent,
}

/// How long tickets have waited that nobody has been assigned to, by the place of the attribute and its value.
pub type Waiting = BTreeMap<(usize, String), Vec<Elapsed>>;

/// One segment, or small ones together.
#[derive(Default)]
struct Group {
    tally: Tally,
    waiting: Vec<Elapsed>,
}

/// Measures how evenly the segments of each attribute are treated, as [`measure()`](super::measure()) does it from
/// tickets. Waits are those of the counts' grid.
#[must_use]
pub fn measure_counts(
    counts: &Accumulator,
    span: Span,
    waiting: &Waiting,
    options: &Options,
) -> Vec<AttributeMeasures> {
    let of =
        |(place, name): (usize, &String)| attribute(counts, span, waiting, (place, name), options);
    options.attributes.iter().enumerate().map(of).collect()
}

fn attribute(
    counts: &Accumulator,
    span: Span,
    waiting: &Waiting,
    (place, name): (usize, &str),
    options: &Options,
) -> AttributeMeasures {
    let tally = |since_start: &Tally, recent| match span {
        Span::SinceStart => since_start.clone(),
        Span::Recent => recent,
    };
    let found: Vec<(&str, Tally)> = counts
        .segments(place)
        .map(|segment| (segment.name, tally(segment.since_start, segment.recent)))
        .filter(|(_, tally)| tally.tickets() > 0)
        .collect();
    let sizes: Vec<u64> = found.iter().map(|(_, tally)| tally.tickets()).collect();
    let small = put_together(&sizes, options.shown_tickets_min);
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for (index, (value, tally)) in found.iter().enumerate() {
        // Those beyond the accumulator's bound have no name of their own.
        let group = groups.entry(if small.contains(&index) { "" } else { value }).or_default();
        group.tally.merge(tally);
        let waits = waiting.get(&(place, (*value).to_owned()));
        group.waiting.extend(waits.into_iter().flatten());
    }
    let mut segments: Vec<SegmentMeasures> =
        groups.iter().map(|(value, group)| segment(value, group, options)).collect();
    // The one without a name comes last, as from tickets.
    segments.sort_by_key(|segment| segment.segment.is_empty());
    let undeclared = counts.undeclared(place);
    let undeclared = undeclared.map_or(0, |one| tally(one.since_start, one.recent).tickets());
    compared(name, segments, (small.len(), undeclared), options)
}

fn segment(value: &str, group: &Group, options: &Options) -> SegmentMeasures {
    let Group { tally, waiting } = group;
    let wait = tally.waits().curve(waiting.iter().copied()).measures(options.horizon_secs);
    SegmentMeasures {
        fast_tracked: Some(tally.selected()),
        target_met: Some(tally.target_breached().complement()),
        first_contact: Some(tally.first_contact()),
        reassigned: Some(tally.reassigned()),
        triaged: Some(tally.triaged()),
        ..SegmentMeasures::new(value.to_owned(), tally.tickets(), wait)
    }
}

#[cfg(test)]
mod tests;
