//! What the measures say of tickets, group by group.

use proptest::prelude::*;

use super::*;
use crate::domain::ticket::Resolution::{FirstContact, Resolved};

const NOW: UnixMillis = UnixMillis(1_000_000);

/// A ticket nobody has read, received at 0.
fn ticket(segments: &[(&str, &str)]) -> TicketFacts {
    TicketFacts {
        segments: segments.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        status: Status::Received,
        received_at: UnixMillis(0),
        assigned_at: None,
        closed_at: None,
        fast_tracked: None,
        triaged: None,
        target_secs: None,
        resolution: None,
        reassigned: None,
        agent: None,
    }
}

/// Tickets of one language, of which the first `hits` were fast-tracked.
fn read(language: &str, hits: usize, count: usize) -> Vec<TicketFacts> {
    let one = |index| TicketFacts {
        fast_tracked: Some(index < hits),
        ..ticket(&[("language", language)])
    };
    (0..count).map(one).collect()
}

fn options(group_tickets_min: u64) -> Options {
    Options { group_tickets_min, ..Options::new(vec!["language".into()], NOW) }
}

fn language_of(facts: &[TicketFacts], group_tickets_min: u64) -> AttributeMeasures {
    measure(facts, &options(group_tickets_min)).remove(0)
}

#[test]
fn a_declared_attribute_nobody_has_still_appears() {
    let measures = language_of(&[ticket(&[]), ticket(&[("plan", "pro")])], 30);
    assert_eq!(measures.attribute, "language");
    assert_eq!(measures.segments, []);
    assert_eq!(measures.undeclared_count, 2);
    assert_eq!((measures.disparity_ratio, measures.verdict), (None, Verdict::NotEnoughEvidence));
}

#[test]
fn attributes_come_in_the_order_asked_and_segments_by_value() {
    let facts = [ticket(&[("b", "2"), ("a", "x")]), ticket(&[("b", "1")])];
    let options = Options::new(vec!["b".into(), "a".into()], NOW);
    let measures = measure(&facts, &options);
    let names: Vec<_> = measures.iter().map(|measures| &measures.attribute).collect();
    assert_eq!(names, ["b", "a"]);
    let segments: Vec<_> = measures[0].segments.iter().map(|segment| &segment.segment).collect();
    assert_eq!(segments, ["1", "2"]);
}

#[test]
fn an_empty_value_is_not_a_segment() {
    let measures = language_of(&[ticket(&[("language", "")])], 30);
    assert_eq!((measures.segments.len(), measures.undeclared_count), (0, 1));
}

#[test]
fn one_comparable_group_beside_a_small_one_is_not_enough_evidence() {
    let facts = [read("en", 20, 30), read("es", 0, 29)].concat();
    let measures = language_of(&facts, 30);
    assert_eq!((measures.disparity_ratio, measures.verdict), (None, Verdict::NotEnoughEvidence));
    let [en, es] = &measures.segments[..] else { panic!("two segments") };
    assert_eq!((en.enough_evidence, es.enough_evidence), (true, false));
    assert_eq!((en.fast_track_ratio, en.below_four_fifths), (None, None));
    assert_eq!((es.fast_track_ratio, es.below_four_fifths), (None, None));
    // One ticket more, and the same data are compared.
    let facts = [read("en", 20, 30), read("es", 0, 30)].concat();
    let measures = language_of(&facts, 30);
    assert_eq!(measures.verdict, Verdict::BelowFourFifths);
    assert_eq!(measures.disparity_ratio, Some(0.0));
}

#[test]
fn a_small_group_is_neither_compared_nor_the_reference() {
    let facts = [read("de", 3, 3), read("en", 4, 10), read("es", 4, 10)].concat();
    let measures = language_of(&facts, 10);
    assert_eq!(measures.verdict, Verdict::WithinFourFifths);
    let ratios: Vec<_> = measures.segments.iter().map(|group| group.fast_track_ratio).collect();
    assert_eq!(ratios, [None, Some(1.0), Some(1.0)]);
}

#[test]
fn tickets_nobody_has_read_are_no_evidence_about_fast_tracking() {
    let unread = vec![ticket(&[("language", "es")]); 50];
    let facts = [read("en", 10, 30), read("es", 1, 2), unread].concat();
    let measures = language_of(&facts, 30);
    let es = &measures.segments[1];
    assert_eq!((es.ticket_count, es.fast_tracked.unwrap().count()), (52, 2));
    assert!(!es.enough_evidence);
    assert_eq!(measures.verdict, Verdict::NotEnoughEvidence);
}

#[test]
fn exactly_four_fifths_is_within_and_one_ticket_less_is_below() {
    let facts = [read("en", 75, 100), read("es", 60, 100)].concat();
    let within = language_of(&facts, 30);
    assert_eq!((within.verdict, within.disparity_ratio), (Verdict::WithinFourFifths, Some(0.8)));
    let facts = [read("en", 75, 100), read("es", 59, 100)].concat();
    let below = language_of(&facts, 30);
    assert_eq!(below.verdict, Verdict::BelowFourFifths);
    let flags: Vec<_> = below.segments.iter().map(|group| group.below_four_fifths).collect();
    assert_eq!(flags, [Some(false), Some(true)]);
}

#[test]
fn nobody_fast_tracked_is_even_treatment_without_a_ratio() {
    let facts = [read("en", 0, 30), read("es", 0, 40)].concat();
    let measures = language_of(&facts, 30);
    assert_eq!((measures.disparity_ratio, measures.verdict), (None, Verdict::WithinFourFifths));
}

#[test]
fn first_contact_is_compared_by_its_own_sample() {
    let completed = |language, hits, count| -> Vec<_> {
        let mut tickets = read(language, 0, 30);
        for (index, ticket) in tickets.iter_mut().take(count).enumerate() {
            ticket.resolution = Some(if index < hits { FirstContact } else { Resolved });
        }
        tickets
    };
    let facts = [completed("de", 30, 30), completed("en", 5, 10), completed("es", 15, 30)].concat();
    let measures = language_of(&facts, 30);
    let ratios: Vec<_> = measures.segments.iter().map(|group| group.first_contact_ratio).collect();
    assert_eq!(ratios, [Some(1.0), None, Some(0.5)]);
}

#[test]
fn what_is_not_known_of_a_ticket_is_left_out_of_that_rate_only() {
    let facts = [
        TicketFacts {
            target_secs: Some(10),
            assigned_at: Some(UnixMillis(10_000)),
            triaged: Some(false),
            ..ticket(&[("language", "en")])
        },
        TicketFacts {
            target_secs: Some(10),
            assigned_at: Some(UnixMillis(10_001)),
            reassigned: Some(true),
            ..ticket(&[("language", "en")])
        },
        ticket(&[("language", "en")]),
    ];
    let segment = language_of(&facts, 30).segments.remove(0);
    let counts = |rate: Option<Rate>| rate.map(|rate| (rate.hits(), rate.count())).unwrap();
    assert_eq!(segment.ticket_count, 3);
    assert_eq!(counts(segment.target_met), (1, 2));
    assert_eq!(counts(segment.triaged), (0, 1));
    assert_eq!(counts(segment.reassigned), (1, 1));
    assert_eq!(counts(segment.fast_tracked), (0, 0));
    assert_eq!(counts(segment.first_contact), (0, 0));
}

#[test]
fn a_minimum_of_zero_still_needs_a_ticket() {
    let facts = [read("en", 1, 2), vec![ticket(&[("language", "es")])]].concat();
    let measures = language_of(&facts, 0);
    assert_eq!(measures.verdict, Verdict::NotEnoughEvidence);
    assert!(!measures.segments[1].enough_evidence);
}

#[test]
fn the_service_measures_count_every_ticket_once_by_status() {
    let mut assigned = ticket(&[]);
    assigned.status = Status::Assigned;
    assigned.assigned_at = Some(UnixMillis(2_000));
    let facts = [ticket(&[]), assigned.clone(), assigned];
    let measures = measure_service(&facts, 3600.0, NOW);
    let statuses = BTreeMap::from([(Status::Received, 1), (Status::Assigned, 2)]);
    assert_eq!(measures.statuses, statuses);
    assert_eq!((measures.wait.assigned_count, measures.wait.censored_count), (2, 1));
    assert_eq!(measures.wait.median_secs, Some(2.0));
    assert_eq!(measures.first_contact.value(), None);
}

fn any_ticket() -> impl Strategy<Value = TicketFacts> {
    let flag = || proptest::option::of(any::<bool>());
    let resolution = prop_oneof![Just(FirstContact), Just(Resolved)];
    let resolution = proptest::option::of(resolution);
    let target = proptest::option::of(0_u32..900);
    let time = || proptest::option::of(0_i64..900_000);
    let segment = proptest::option::of(prop::sample::select(vec!["en", "es", "de", ""]));
    (segment, flag(), resolution, flag(), target, time(), time()).prop_map(
        |(segment, fast_tracked, resolution, reassigned, target_secs, assigned, closed)| {
            let declared = segment.map(|value| ("language", value));
            TicketFacts {
                fast_tracked,
                resolution,
                reassigned,
                target_secs,
                assigned_at: assigned.map(UnixMillis),
                closed_at: closed.map(UnixMillis),
                ..ticket(declared.as_slice())
            }
        },
    )
}

proptest! {
    #[test]
    fn groups_and_undeclared_tickets_sum_to_all(
        facts in proptest::collection::vec(any_ticket(), 0..60),
    ) {
        let measures = language_of(&facts, 5);
        let in_groups: u64 = measures.segments.iter().map(|group| group.ticket_count).sum();
        prop_assert_eq!(in_groups + measures.undeclared_count, facts.len() as u64);
        for segment in &measures.segments {
            let wait = &segment.wait;
            prop_assert_eq!(wait.assigned_count + wait.censored_count, segment.ticket_count);
            prop_assert!(segment.fast_tracked.unwrap().count() <= segment.ticket_count);
        }
        let total: u64 = measure_service(&facts, 60.0, NOW).statuses.values().sum();
        prop_assert_eq!(total, facts.len() as u64);
    }

    #[test]
    fn the_order_of_tickets_does_not_matter(
        facts in proptest::collection::vec(any_ticket(), 0..60),
        turn in 0_usize..60,
    ) {
        let mut turned = facts.clone();
        turned.reverse();
        turned.rotate_left(turn.min(facts.len()));
        prop_assert_eq!(measure(&turned, &options(5)), measure(&facts, &options(5)));
        let service = measure_service(&facts, 60.0, NOW);
        prop_assert_eq!(measure_service(&turned, 60.0, NOW), service);
    }

    #[test]
    fn the_verdict_is_that_of_the_segments_it_stands_on(
        facts in proptest::collection::vec(any_ticket(), 0..60),
        group_tickets_min in 0_u64..12,
    ) {
        let measures = language_of(&facts, group_tickets_min);
        let comparable = measures.segments.iter().filter(|group| group.enough_evidence);
        let below = measures.segments.iter().any(|group| group.below_four_fifths == Some(true));
        let expected = match (comparable.count(), below) {
            (0 | 1, _) => Verdict::NotEnoughEvidence,
            (_, true) => Verdict::BelowFourFifths,
            (_, false) => Verdict::WithinFourFifths,
        };
        prop_assert_eq!(measures.verdict, expected);
        let lowest = measures.segments.iter().filter_map(|group| group.fast_track_ratio);
        prop_assert_eq!(measures.disparity_ratio, lowest.reduce(f64::min));
        for segment in &measures.segments {
            let compared = segment.below_four_fifths.is_some();
            let enough = segment.enough_evidence && expected != Verdict::NotEnoughEvidence;
            prop_assert_eq!(compared, enough);
        }
    }

    #[test]
    fn a_segment_measures_the_same_alone_as_among_others(
        facts in proptest::collection::vec(any_ticket(), 0..60),
    ) {
        let together = language_of(&facts, u64::MAX);
        for segment in together.segments {
            let own = |ticket: &&TicketFacts| ticket.segments.get("language") == Some(&segment.segment);
            let alone: Vec<_> = facts.iter().filter(own).cloned().collect();
            let measures = language_of(&alone, u64::MAX);
            prop_assert_eq!(&measures.segments[..], &[segment][..]);
        }
    }
}

fn shown(facts: &[TicketFacts]) -> AttributeMeasures {
    measure(facts, &Options { shown_tickets_min: 10, ..options(2) }).remove(0)
}

#[test]
fn small_segments_are_put_together_and_rates_of_few_tickets_are_absent() {
    let measures = shown(&[read("de", 3, 30), read("en", 2, 12), read("es", 1, 4)].concat());
    let names: Vec<&str> = measures.segments.iter().map(|one| one.segment.as_str()).collect();
    // Alone, es would be all less de and en.
    assert_eq!((names, measures.put_together_count), (vec!["de", ""], 2));
    assert_eq!(measures.segments[1].ticket_count, 16);
    assert_eq!(measures.segments[1].fast_tracked, Some(Rate::counted(3, 13)));

    let completed = |language, count| {
        let mut tickets = read(language, 0, 30);
        tickets.iter_mut().take(count).for_each(|ticket| ticket.resolution = Some(FirstContact));
        tickets
    };
    let facts = [completed("de", 20), completed("en", 12), completed("es", 3)].concat();
    let measures = shown(&facts);
    let rates: Vec<_> = measures.segments.iter().map(|one| one.first_contact).collect();
    assert_eq!(rates, [Some(Rate::counted(20, 0)), None, None]);
    // With one comparable rate left there is no ratio that would tell another.
    assert!(measures.segments.iter().all(|one| one.first_contact_ratio.is_none()));
    assert!(measures.segments.iter().all(|one| one.fast_tracked.is_some()));
}

#[test]
fn where_all_that_declare_it_are_few_there_is_no_segment() {
    let facts = [read("de", 1, 1), read("en", 1, 1), vec![ticket(&[]); 98]].concat();
    let measures = shown(&facts);
    assert!(measures.segments.is_empty(), "waits of two would be those of each");
    assert_eq!((measures.undeclared_count, measures.put_together_count), (98, 2));
}

/// Fewest unknown tickets that must hide behind what is shown and the sum of all.
fn assert_hidden(rates: &[Option<Rate>], total: u64) {
    let known = rates.iter().flatten().filter(|rate| rate.count() > 0);
    assert!(known.clone().all(|rate| rate.count() >= 10));
    let rest = total - known.map(|rate| rate.count()).sum::<u64>();
    let hidden = rates.iter().filter(|rate| rate.is_none()).count();
    let all_hidden = rates.iter().all(|rate| rate.is_none_or(|rate| rate.count() == 0));
    assert!(hidden == 0 && rest == 0 || hidden >= 2 && rest >= 10 || all_hidden, "{rates:?}");
}

proptest! {
    #[test]
    fn nothing_that_is_hidden_follows_from_what_is_shown(
        facts in prop::collection::vec(any_ticket(), 0..150),
    ) {
        let measures = shown(&facts);
        let of_all: fn(&TicketFacts) -> bool =
            |ticket| ticket.segments.get("language").is_some_and(|value| !value.is_empty());
        let declared: Vec<&TicketFacts> = facts.iter().filter(|ticket| of_all(ticket)).collect();
        let count = |known: fn(&TicketFacts) -> bool| {
            declared.iter().filter(|ticket| known(ticket)).count() as u64
        };
        let rates = |rate: fn(&SegmentMeasures) -> Option<Rate>| -> Vec<Option<Rate>> {
            measures.segments.iter().map(rate).collect()
        };
        assert_hidden(&rates(|one| one.fast_tracked), count(|one| one.fast_tracked.is_some()));
        assert_hidden(&rates(|one| one.reassigned), count(|one| one.reassigned.is_some()));
        assert_hidden(&rates(|one| one.first_contact), count(|one| one.resolution.is_some()));
        assert_hidden(&rates(|one| one.target_met), count(|one| one.target_met(NOW).is_some()));
        let named = measures.segments.iter().filter(|one| !one.segment.is_empty());
        for segment in named {
            prop_assert!(segment.ticket_count >= 10);
        }
    }
}
