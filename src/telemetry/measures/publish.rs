//! Fairness as gauges: few labels, and none for a group that could be one person.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::id::WorkspaceId,
    fairness::{AttributeMeasures, Rate, SegmentMeasures, Span, Verdict},
};

/// Most segments of an attribute that are published, the largest first.
const SEGMENTS_MAX: usize = 50;

/// What was published, so that what is no longer measured can be taken back.
#[derive(Debug, Default)]
pub(super) struct Published {
    segments: BTreeMap<Place, BTreeSet<String>>,
}

/// What gauges are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    workspace: WorkspaceId,
    attribute: String,
    span: &'static str,
}

impl Published {
    /// Publishes the measures of an attribute.
    pub(super) fn publish(
        &mut self,
        workspace: &WorkspaceId,
        span: Span,
        measures: &AttributeMeasures,
    ) {
        let span = match span {
            Span::SinceStart => "all",
            Span::Recent => "day",
        };
        let (workspace, attribute) = (workspace.clone(), measures.attribute.clone());
        let place = Place { workspace, attribute, span };
        attribute_gauges(&place, measures);
        let named = named(&measures.segments);
        let apart = measures.segments.iter().filter(|one| !one.segment.is_empty()).count();
        let hidden = apart - named.len() + measures.put_together_count;
        place.set("evenhand_bias_hidden_segments", Some(count(hidden)));
        for segment in &named {
            segment_gauges(&place, segment);
        }
        let now: BTreeSet<String> = named.iter().map(|segment| segment.segment.clone()).collect();
        let before = self.segments.insert(place.clone(), now.clone()).unwrap_or_default();
        for gone in before.difference(&now) {
            take_back(&place, gone);
        }
    }
}

impl Published {
    /// Takes back what is no longer measured here: another server has the workspace, or the attribute is not declared.
    pub(super) fn keep(&mut self, measured: &BTreeSet<(WorkspaceId, String)>) {
        self.segments.retain(|place, segments| {
            let stays = measured.contains(&(place.workspace.clone(), place.attribute.clone()));
            if !stays {
                ATTRIBUTE_NUMBERS.iter().for_each(|gauge| place.set(gauge, None));
                segments.iter().for_each(|segment| take_back(place, segment));
            }
            stays
        });
    }
}

/// Returns the segments to publish: the largest, by name among equals. Those put together have no name.
fn named(segments: &[SegmentMeasures]) -> Vec<&SegmentMeasures> {
    let mut named: Vec<_> = segments.iter().filter(|segment| !segment.segment.is_empty()).collect();
    named.sort_by(|a, b| (b.ticket_count, &a.segment).cmp(&(a.ticket_count, &b.segment)));
    named.truncate(SEGMENTS_MAX);
    named
}

impl Place {
    /// Sets a gauge of an attribute; no value is NaN, as Prometheus writes "no data".
    fn set(&self, name: &'static str, value: Option<f64>) {
        metrics::gauge!(name, &self.labels()).set(value.unwrap_or(f64::NAN));
    }

    /// Sets a gauge of a segment.
    fn set_segment(&self, segment: &str, name: &'static str, value: Option<f64>) {
        let [workspace, attribute, span] = self.labels();
        let labels = [workspace, attribute, span, ("segment", segment.to_owned())];
        metrics::gauge!(name, &labels).set(value.unwrap_or(f64::NAN));
    }

    fn labels(&self) -> [(&'static str, String); 3] {
        [
            ("workspace", self.workspace.to_string()),
            ("attribute", self.attribute.clone()),
            ("span", self.span.to_owned()),
        ]
    }
}

fn attribute_gauges(place: &Place, measures: &AttributeMeasures) {
    let verdict = match measures.verdict {
        Verdict::NotEnoughEvidence => 0.0,
        Verdict::WithinFourFifths => 1.0,
        Verdict::BelowFourFifths => 2.0,
    };
    place.set("evenhand_bias_verdict", Some(verdict));
    place.set("evenhand_bias_disparity_ratio", measures.disparity_ratio);
    let undeclared = usize::try_from(measures.undeclared_count).unwrap_or(usize::MAX);
    place.set("evenhand_bias_undeclared_tickets", Some(count(undeclared)));
}

fn segment_gauges(place: &Place, segment: &SegmentMeasures) {
    let enough = segment.enough_evidence;
    let evidence = if enough { 1.0 } else { 0.0 };
    let name = &segment.segment;
    place.set_segment(name, "evenhand_bias_enough_evidence", Some(evidence));
    for (gauge, value) in numbers(segment) {
        place.set_segment(name, gauge, value.filter(|_| enough));
    }
}

fn take_back(place: &Place, segment: &str) {
    place.set_segment(segment, "evenhand_bias_enough_evidence", None);
    for gauge in NUMBERS {
        place.set_segment(segment, gauge, None);
    }
}

/// The gauges of an attribute.
const ATTRIBUTE_NUMBERS: [&str; 4] = [
    "evenhand_bias_verdict",
    "evenhand_bias_disparity_ratio",
    "evenhand_bias_undeclared_tickets",
    "evenhand_bias_hidden_segments",
];

/// The gauges that only groups with enough evidence show.
const NUMBERS: [&str; 11] = [
    "evenhand_bias_segment_tickets",
    "evenhand_bias_fast_tracked_share",
    "evenhand_bias_fast_tracked_share_low",
    "evenhand_bias_fast_tracked_share_high",
    "evenhand_bias_fast_track_ratio",
    "evenhand_bias_first_contact_share",
    "evenhand_bias_target_met_share",
    "evenhand_bias_reassigned_share",
    "evenhand_bias_triaged_share",
    "evenhand_bias_wait_median_seconds",
    "evenhand_bias_wait_restricted_mean_seconds",
];

fn numbers(segment: &SegmentMeasures) -> impl Iterator<Item = (&'static str, Option<f64>)> {
    let fast_tracked = segment.fast_tracked.and_then(Rate::interval);
    let tickets = usize::try_from(segment.ticket_count).unwrap_or(usize::MAX);
    let share = |rate: Option<Rate>| rate.and_then(Rate::value);
    NUMBERS.into_iter().zip([
        Some(count(tickets)),
        share(segment.fast_tracked),
        fast_tracked.map(|ends| ends.low),
        fast_tracked.map(|ends| ends.high),
        segment.fast_track_ratio,
        share(segment.first_contact),
        share(segment.target_met),
        share(segment.reassigned),
        share(segment.triaged),
        segment.wait.median_secs,
        segment.wait.restricted_mean_secs,
    ])
}

fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::{
        domain::{facts::TicketFacts, ticket::Status, time::UnixMillis},
        fairness::{self, Options},
    };

    fn ticket(plan: &str, fast: bool) -> TicketFacts {
        TicketFacts {
            segments: [("plan".to_owned(), plan.to_owned())].into(),
            status: Status::Queued,
            received_at: UnixMillis(0),
            assigned_at: None,
            closed_at: None,
            fast_tracked: Some(fast),
            triaged: Some(false),
            target_secs: None,
            resolution: None,
            reassigned: None,
            agent: None,
        }
    }

    fn rendered(published: &mut Published, groups: &[(&str, usize)]) -> String {
        let facts: Vec<_> = groups
            .iter()
            .flat_map(|(plan, tickets)| (0..*tickets).map(|index| ticket(plan, index % 2 == 0)))
            .collect();
        let options = Options {
            shown_tickets_min: 10,
            ..Options::new(vec!["plan".to_owned()], UnixMillis(60_000))
        };
        let measures = fairness::measure(&facts, &options).remove(0);
        let recorder = PrometheusBuilder::new().build_recorder();
        let workspace = WorkspaceId::new("acme").unwrap();
        metrics::with_local_recorder(&recorder, || {
            published.publish(&workspace, Span::SinceStart, &measures)
        });
        recorder.handle().render()
    }

    #[test]
    fn a_small_group_shows_no_number_and_a_tiny_one_no_name() {
        let groups = [("gold", 40), ("silver", 12), ("jo", 5), ("al", 6)];
        let text = rendered(&mut Published::default(), &groups);
        let line = |name: &str, segment: &str| {
            let labels =
                format!("workspace=\"acme\",attribute=\"plan\",span=\"all\",segment=\"{segment}\"");
            let start = format!("{name}{{{labels}}} ");
            text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
        };
        assert_eq!(line("evenhand_bias_enough_evidence", "gold").unwrap(), "1");
        assert_eq!(line("evenhand_bias_fast_tracked_share", "gold").unwrap(), "0.5");
        assert_eq!(line("evenhand_bias_enough_evidence", "silver").unwrap(), "0");
        for gauge in NUMBERS {
            assert_eq!(line(gauge, "silver").unwrap(), "NaN", "{gauge}");
        }
        for name in ["jo", "al", ""] {
            assert!(!text.contains(&format!("segment=\"{name}\"")), "{text}");
        }
        assert!(text.contains(
            "evenhand_bias_hidden_segments{workspace=\"acme\",attribute=\"plan\",span=\"all\"} 2"
        ));
    }

    #[test]
    fn however_many_values_come_in_few_are_published() {
        let names: Vec<String> = (0..80).map(|index| format!("value-{index:02}")).collect();
        let groups: Vec<_> = names.iter().map(|name| (name.as_str(), 30)).collect();
        let text = rendered(&mut Published::default(), &groups);
        let count =
            text.lines().filter(|l| l.starts_with("evenhand_bias_enough_evidence{")).count();
        assert_eq!(count, SEGMENTS_MAX);
    }

    #[test]
    fn a_segment_no_longer_measured_is_taken_back() {
        let mut published = Published::default();
        rendered(&mut published, &[("gold", 40), ("silver", 40)]);
        let text = rendered(&mut published, &[("gold", 40)]);
        let silver = "evenhand_bias_segment_tickets{workspace=\"acme\",attribute=\"plan\",\
                      span=\"all\",segment=\"silver\"} NaN";
        assert!(text.contains(silver), "{text}");
    }
}
