//! From the treatment of tickets to the measures of each segment.

use std::collections::BTreeMap;

use super::{
    Grouping,
    audit::hidden,
    disparity::{Group, below_four_fifths, disparity, ratio},
    rates::Rate,
    waits::{Wait, WaitCurve, WaitMeasures},
};
use crate::domain::{facts::TicketFacts, ticket::Status, time::UnixMillis};

/// What to measure, and what is enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Declared segment attributes; each gets its measures, in this order, even if no ticket has it.
    pub attributes: Vec<String>,
    /// Fewest tickets behind a rate for its group to be compared; below 1 is taken as 1.
    pub group_tickets_min: u64,
    /// Fewest tickets behind a number of a group that is there at all; 1 to show everything.
    pub shown_tickets_min: u64,
    /// Horizon of the restricted mean wait, in seconds; finite, at least 0.
    pub horizon_secs: f64,
    /// Until when tickets that wait have waited.
    pub now: UnixMillis,
}

impl Options {
    /// Fewest tickets of a group when the caller does not say: where the normal approximation
    /// behind intervals and ratios is customarily trusted.
    pub const GROUP_TICKETS_MIN_DEFAULT: u64 = 30;
    /// Horizon of the restricted mean wait when the caller does not say: one hour.
    pub const HORIZON_SECS_DEFAULT: f64 = 3600.0;

    /// Returns the options with the default minimum and horizon, and everything shown.
    #[must_use]
    pub fn new(attributes: Vec<String>, now: UnixMillis) -> Self {
        Self {
            attributes,
            group_tickets_min: Self::GROUP_TICKETS_MIN_DEFAULT,
            shown_tickets_min: 1,
            horizon_secs: Self::HORIZON_SECS_DEFAULT,
            now,
        }
    }

    /// Returns whether there are enough tickets behind a rate to compare it.
    fn enough(&self, rate: Option<Rate>) -> bool {
        rate.is_some_and(|rate| rate.count() >= self.group_tickets_min.max(1))
    }
}

/// Whether the evidence says that treatment differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Fewer than two groups have enough tickets to say.
    NotEnoughEvidence,
    /// No comparable group's fast-track rate is below four fifths of the highest.
    WithinFourFifths,
    /// The fast-track rate of a comparable group is below four fifths of the highest.
    BelowFourFifths,
}

/// The measures of one segment attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeMeasures {
    /// Attribute name.
    pub attribute: String,
    /// Segments by value, small ones together last; empty when no ticket declares the attribute.
    pub segments: Vec<SegmentMeasures>,
    /// Values that were put together.
    pub put_together_count: usize,
    /// Tickets that do not declare the attribute; they are in no segment.
    pub undeclared_count: u64,
    /// Lowest fast-track rate divided by the highest, over comparable groups; `None` below two
    /// groups, or when nobody was fast-tracked.
    pub disparity_ratio: Option<f64>,
    /// What the evidence says about fast-tracking.
    pub verdict: Verdict,
}

/// The measures of one segment.
///
/// The groups comparable on a rate are those with enough tickets behind that very rate, so that a
/// group of which little has been read is not compared by the little.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentMeasures {
    /// Value of the attribute; empty for values of few tickets put together.
    pub segment: String,
    /// Tickets.
    pub ticket_count: u64,
    /// Whether there are enough read tickets to compare fast-tracking.
    pub enough_evidence: bool,
    /// Share of read tickets that were fast-tracked (head start above zero).
    pub fast_tracked: Option<Rate>,
    /// Share of tickets that met their service-level target, among those where it is decided:
    /// assigned in time, assigned late, or not assigned although the target has passed.
    pub target_met: Option<Rate>,
    /// Share of completed tickets resolved at first contact.
    pub first_contact: Option<Rate>,
    /// Share of assigned tickets that changed hands.
    pub reassigned: Option<Rate>,
    /// Share of read tickets that went to triage.
    pub triaged: Option<Rate>,
    /// Waits.
    pub wait: WaitMeasures,
    /// Fast-track rate divided by the highest comparable group's; `None` when not comparable, or
    /// when nobody was fast-tracked.
    pub fast_track_ratio: Option<f64>,
    /// First-contact rate divided by the highest comparable group's; `None` when not comparable, or
    /// when nobody was helped at first contact.
    pub first_contact_ratio: Option<f64>,
    /// Whether the fast-track rate is below four fifths of the highest comparable group's; `None`
    /// when not comparable.
    pub below_four_fifths: Option<bool>,
}

impl SegmentMeasures {
    /// Returns the measures of a segment of which only its waits are known.
    pub(super) fn new(segment: String, ticket_count: u64, wait: WaitMeasures) -> Self {
        Self {
            segment,
            ticket_count,
            enough_evidence: false,
            fast_tracked: None,
            target_met: None,
            first_contact: None,
            reassigned: None,
            triaged: None,
            wait,
            fast_track_ratio: None,
            first_contact_ratio: None,
            below_four_fifths: None,
        }
    }
}

/// The measures of all tickets together.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceMeasures {
    /// Tickets by status; a status nobody has is absent.
    pub statuses: BTreeMap<Status, u64>,
    /// Waits.
    pub wait: WaitMeasures,
    /// Share of tickets that met their service-level target, as in [`SegmentMeasures::target_met`].
    pub target_met: Rate,
    /// Share of completed tickets resolved at first contact.
    pub first_contact: Rate,
}

/// Measures how evenly the segments of each attribute were treated.
///
/// The order of the tickets does not matter. For each attribute, the tickets of its segments and
/// `undeclared_count` sum to the number of tickets.
#[must_use]
pub fn measure(facts: &[TicketFacts], options: &Options) -> Vec<AttributeMeasures> {
    options.attributes.iter().map(|name| measure_attribute(facts, name, options)).collect()
}

/// Measures all tickets together; `horizon_secs` and `now` as in [`Options`].
#[must_use]
pub fn measure_service(
    facts: &[TicketFacts],
    horizon_secs: f64,
    now: UnixMillis,
) -> ServiceMeasures {
    let mut statuses = BTreeMap::new();
    for ticket in facts {
        *statuses.entry(ticket.status).or_default() += 1;
    }
    let tickets: Vec<_> = facts.iter().collect();
    ServiceMeasures {
        statuses,
        wait: wait_measures(&tickets, horizon_secs, now),
        target_met: rate_of(&tickets, |ticket| ticket.target_met(now)),
        first_contact: rate_of(&tickets, TicketFacts::first_contact),
    }
}

fn measure_attribute(facts: &[TicketFacts], name: &str, options: &Options) -> AttributeMeasures {
    let values: Vec<Option<&str>> = facts.iter().map(|ticket| declared(ticket, name)).collect();
    let grouping = match options.shown_tickets_min {
        0 | 1 => Grouping::apart(&values),
        few => Grouping::of(&values, few),
    };
    let groups = grouping.names.iter().zip(grouping.split(facts));
    let segments: Vec<_> = groups
        .map(|(name, tickets)| {
            measure_segment(name.as_deref().unwrap_or_default(), &tickets, options)
        })
        .collect();
    let undeclared_count = facts.len() as u64 - grouping.declared();
    compared(name, segments, (grouping.put_together, undeclared_count), options)
}

/// Hides what must not be shown of segments, and compares what is left. Where all tickets that declare the attribute
/// are few, there is no segment.
///
/// - `counts`: values that were put together, and tickets without one.
pub(super) fn compared(
    attribute: &str,
    mut segments: Vec<SegmentMeasures>,
    (put_together_count, undeclared_count): (usize, u64),
    options: &Options,
) -> AttributeMeasures {
    segments.retain(|segment| segment.ticket_count >= options.shown_tickets_min);
    hide_few(&mut segments, options);
    let (disparity_ratio, verdict) = compare_fast_tracking(&mut segments, options);
    compare_first_contact(&mut segments, options);
    AttributeMeasures {
        attribute: attribute.to_owned(),
        segments,
        put_together_count,
        undeclared_count,
        disparity_ratio,
        verdict,
    }
}

fn declared<'a>(ticket: &'a TicketFacts, attribute: &str) -> Option<&'a str> {
    ticket.segments.get(attribute).map(String::as_str).filter(|value| !value.is_empty())
}

/// Takes back rates of few tickets, and those that would give them away.
fn hide_few(segments: &mut [SegmentMeasures], options: &Options) {
    let rates: [fn(&mut SegmentMeasures) -> &mut Option<Rate>; 5] = [
        |segment| &mut segment.fast_tracked,
        |segment| &mut segment.target_met,
        |segment| &mut segment.first_contact,
        |segment| &mut segment.reassigned,
        |segment| &mut segment.triaged,
    ];
    for rate in rates {
        let counts: Vec<u64> =
            segments.iter_mut().map(|segment| rate(segment).map_or(0, Rate::count)).collect();
        for place in hidden(&counts, options.shown_tickets_min) {
            *rate(&mut segments[place]) = None;
        }
    }
    for segment in segments {
        segment.enough_evidence = options.enough(segment.fast_tracked);
    }
}

/// Measures one segment on its own; hiding and comparing come after.
fn measure_segment(segment: &str, tickets: &[&TicketFacts], options: &Options) -> SegmentMeasures {
    SegmentMeasures {
        fast_tracked: Some(rate_of(tickets, |ticket| ticket.fast_tracked)),
        target_met: Some(rate_of(tickets, |ticket| ticket.target_met(options.now))),
        first_contact: Some(rate_of(tickets, TicketFacts::first_contact)),
        reassigned: Some(rate_of(tickets, |ticket| ticket.reassigned)),
        triaged: Some(rate_of(tickets, |ticket| ticket.triaged)),
        ..SegmentMeasures::new(
            segment.to_owned(),
            tickets.len() as u64,
            wait_measures(tickets, options.horizon_secs, options.now),
        )
    }
}

/// Fills in the fast-track comparisons; returns the attribute's disparity ratio and verdict.
fn compare_fast_tracking(
    segments: &mut [SegmentMeasures],
    options: &Options,
) -> (Option<f64>, Verdict) {
    let Some((lowest, reference)) = extremes(segments, options, |segment| segment.fast_tracked)
    else {
        return (None, Verdict::NotEnoughEvidence);
    };
    for segment in segments.iter_mut().filter(|segment| segment.enough_evidence) {
        segment.fast_track_ratio = segment.fast_tracked.and_then(|rate| ratio(rate, reference));
        segment.below_four_fifths =
            segment.fast_tracked.and_then(|rate| below_four_fifths(rate, reference));
    }
    let verdict = match below_four_fifths(lowest, reference) {
        Some(true) => Verdict::BelowFourFifths,
        _ => Verdict::WithinFourFifths,
    };
    (ratio(lowest, reference), verdict)
}

/// Fills in the first-contact comparison.
fn compare_first_contact(segments: &mut [SegmentMeasures], options: &Options) {
    let found = extremes(segments, options, |segment| segment.first_contact);
    let Some((_, reference)) = found else { return };
    for segment in segments.iter_mut().filter(|segment| options.enough(segment.first_contact)) {
        segment.first_contact_ratio = segment.first_contact.and_then(|rate| ratio(rate, reference));
    }
}

/// Returns the lowest and the highest rate of the comparable groups; `None` below two groups.
fn extremes(
    segments: &[SegmentMeasures],
    options: &Options,
    rate: impl Fn(&SegmentMeasures) -> Option<Rate>,
) -> Option<(Rate, Rate)> {
    let comparable: Vec<_> = segments
        .iter()
        .filter(|segment| options.enough(rate(segment)))
        .filter_map(|segment| Some(Group { name: &segment.segment, rate: rate(segment)? }))
        .collect();
    let found = disparity(&comparable).filter(|found| found.group_count >= 2)?;
    Some((found.lowest.rate, found.highest.rate))
}

/// Counts the tickets for which something is known.
fn rate_of(tickets: &[&TicketFacts], known: impl Fn(&TicketFacts) -> Option<bool>) -> Rate {
    tickets.iter().filter_map(|ticket| known(ticket)).collect()
}

fn wait_measures(tickets: &[&TicketFacts], horizon_secs: f64, now: UnixMillis) -> WaitMeasures {
    let waits = tickets.iter().map(|ticket| Wait::of(ticket, now)).collect();
    WaitCurve::new(waits).measures(horizon_secs)
}

#[cfg(test)]
mod tests;
