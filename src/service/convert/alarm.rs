//! Evidence on fair treatment, and alarms.

use super::{measures::rate, timestamp};
use crate::{
    api::v1,
    app::{Acknowledgement, AlarmView},
    domain::{
        alarm::{Measure, Share},
        limits::ALARM_TICKETS_MIN,
    },
    fairness::{
        Rate,
        alarms::{Standing, State, overall},
        audit::hidden,
        watch::{MeasureEvidence, Watch},
    },
};

/// Returns an alarm as the API shows it.
pub(crate) fn alarm(view: AlarmView) -> v1::Alarm {
    let AlarmView { sequence, raised_at, alarm, acknowledgement } = view;
    let (own, others) = (counted(alarm.own), counted(alarm.others));
    let share = |rate: Rate| rate.value().unwrap_or_default();
    v1::Alarm {
        alarm_sequence: sequence,
        raise_time: Some(timestamp(raised_at)),
        attribute: alarm.attribute,
        measure: measure(alarm.measure).into(),
        segment: alarm.group,
        segment_rate: Some(rate(own)),
        other_rate: Some(rate(others)),
        difference: share(own) - share(others),
        difference_low: alarm.low,
        difference_high: alarm.high,
        log_evidence: alarm.log_evidence,
        first_receive_time: Some(timestamp(alarm.first_received_at)),
        last_receive_time: Some(timestamp(alarm.last_received_at)),
        acknowledgement: acknowledgement.map(acknowledged),
    }
}

/// Returns who has seen to an alarm as the API shows it.
pub(crate) fn acknowledged(by: Acknowledgement) -> v1::AlarmAcknowledgement {
    v1::AlarmAcknowledgement {
        sequence: by.sequence,
        acknowledge_time: Some(timestamp(by.at)),
        actor: by.actor.map(|actor| actor.to_string()).unwrap_or_default(),
        note: by.note,
    }
}

/// Returns what a watch has found, as the API shows it: without groups of few tickets, and without those that
/// would give such away.
pub(crate) fn attribute_evidence(watch: &Watch, shown_tickets_min: u64) -> v1::AttributeEvidence {
    let tickets_min = ALARM_TICKETS_MIN.max(shown_tickets_min);
    let all: Vec<MeasureEvidence> = watch.evidence().collect();
    let standings: Vec<Standing> = all.iter().flat_map(|one| one.standings.clone()).collect();
    v1::AttributeEvidence {
        attribute: watch.attribute().to_owned(),
        state: state(overall(&standings)).into(),
        measures: all.into_iter().map(|one| measure_evidence(one, tickets_min)).collect(),
    }
}

fn measure_evidence(evidence: MeasureEvidence, tickets_min: u64) -> v1::MeasureEvidence {
    let counts: Vec<u64> = evidence.standings.iter().map(|one| one.own.count()).collect();
    let hidden = hidden(&counts, tickets_min);
    let shown = evidence.standings.into_iter().enumerate();
    let shown = shown.filter(|(place, _)| !hidden.contains(place));
    v1::MeasureEvidence {
        measure: measure(evidence.measure).into(),
        state: state(evidence.state).into(),
        comparisons: shown.map(|(_, standing)| comparison(standing)).collect(),
        hidden_count: u32::try_from(hidden.len()).unwrap_or(u32::MAX),
        first_receive_time: evidence.received.map(|(first, _)| timestamp(first)),
        last_receive_time: evidence.received.map(|(_, last)| timestamp(last)),
        left_out_count: evidence.left_out_count,
        undeclared_count: evidence.undeclared_count,
    }
}

fn comparison(standing: Standing) -> v1::SegmentComparison {
    let ends = standing.difference_cs.0;
    v1::SegmentComparison {
        segment: standing.group,
        state: state(standing.state).into(),
        segment_rate: Some(rate(standing.own)),
        other_rate: Some(rate(standing.others)),
        difference: standing.difference,
        difference_low: ends.map_or(-1.0, |ends| ends.low),
        difference_high: ends.map_or(1.0, |ends| ends.high),
        log_evidence: standing.log_evidence,
    }
}

fn counted(share: Share) -> Rate {
    Rate::counted(share.hits, share.count.saturating_sub(share.hits))
}

fn state(state: State) -> v1::EvidenceState {
    match state {
        State::NotEnoughEvidence => v1::EvidenceState::NotEnoughEvidence,
        State::FairSoFar => v1::EvidenceState::FairSoFar,
        State::Unfair => v1::EvidenceState::Unfair,
    }
}

fn measure(measure: Measure) -> v1::FairnessMeasure {
    match measure {
        Measure::FastTracked => v1::FairnessMeasure::FastTracked,
        Measure::Triaged => v1::FairnessMeasure::Triaged,
        Measure::SlaBreach => v1::FairnessMeasure::SlaBreach,
        Measure::SlowStart => v1::FairnessMeasure::SlowStart,
        Measure::Abandoned => v1::FairnessMeasure::Abandoned,
        Measure::Reassigned => v1::FairnessMeasure::Reassigned,
        Measure::FirstContactResolution => v1::FairnessMeasure::FirstContactResolution,
        Measure::Escalated => v1::FairnessMeasure::Escalated,
        Measure::WrongIntent => v1::FairnessMeasure::WrongIntent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{facts::TicketFacts, ticket::Status, time::UnixMillis};

    fn tickets(groups: &[(&str, usize)]) -> Vec<(u64, TicketFacts)> {
        let values = groups.iter().flat_map(|(value, count)| vec![*value; *count]);
        let ticket = |(number, value): (u64, &str)| {
            let facts = TicketFacts {
                segments: [("plan".to_owned(), value.to_owned())].into(),
                status: Status::Assigned,
                received_at: UnixMillis(0),
                assigned_at: Some(UnixMillis(1)),
                closed_at: None,
                target_secs: None,
                fast_tracked: Some(number.is_multiple_of(3)),
                triaged: Some(false),
                resolution: None,
                reassigned: Some(false),
                agent: None,
            };
            (number, facts)
        };
        (1..).zip(values).map(ticket).collect()
    }

    #[test]
    fn few_tickets_are_hidden_and_so_is_what_would_give_them_away() {
        let shown = |groups: &[(&str, usize)]| {
            let mut watch = Watch::new("plan".to_owned(), 3_600, |_| None);
            watch.take(&tickets(groups), UnixMillis(400_000));
            let mut evidence = attribute_evidence(&watch, 1);
            let fast = evidence.measures.remove(0);
            let names: Vec<String> = fast.comparisons.into_iter().map(|one| one.segment).collect();
            (names.join(" "), fast.hidden_count)
        };
        assert_eq!(shown(&[("a", 20), ("b", 20)]), ("a b".to_owned(), 0));
        // Alone, c would be all others of a less b.
        assert_eq!(shown(&[("a", 30), ("b", 20), ("c", 3)]), ("a".to_owned(), 2));
        assert_eq!(shown(&[("a", 9), ("b", 1)]), (String::new(), 2));
    }
}
