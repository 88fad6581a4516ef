//! The page holds what it should, and nothing that it must not.

use super::world::{Made, World, measured};
use crate::{
    domain::{
        alarm::{Alarm, Measure, Share},
        event::Event,
        ticket::Resolution,
        time::UnixMillis,
    },
    fairness_report::{Options, page, report, tests::world, text},
};

fn tickets() -> Vec<Made> {
    let ticket = |place: usize| Made {
        value: Some(place % 2),
        waited_secs: Some(if place.is_multiple_of(2) { 5 } else { 400 }),
        outcome: Some((Resolution::FirstContact, None)),
    };
    (0..400).map(ticket).collect()
}

#[test]
fn a_page_loads_nothing_and_every_picture_has_its_table() {
    let html = page(&measured(&tickets(), 10));
    for never in ["http", "<script", "url(", "src=", "@import", "NaN", ">inf", "<link"] {
        assert!(!html.contains(never), "{never}");
    }
    let sections: Vec<&str> = html.split("<section ").skip(1).collect();
    assert_eq!(sections.len(), 7);
    for section in sections {
        assert!(!section.contains("<svg") || section.contains("<table"), "{section}");
    }
    for id in ["verdicts", "waits", "rates", "time", "agents", "alarms", "unknown"] {
        assert_eq!(html.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        assert!(html.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    assert_eq!(html.matches("<h1").count(), 1);
    assert!(html.contains("role=\"img\" aria-label=\"") && html.contains("lang=\"en\""));
}

#[test]
fn the_verdict_comes_first_in_words() {
    let report = measured(&tickets(), 10);
    let html = page(&report);
    let (verdict, waits) =
        (html.find("</span>unfair</span>").unwrap(), html.find("id=\"waits\"").unwrap());
    assert!(verdict < waits);
    let said =
        "value-1, Target missed: 100.0 % (200 of 200) against 0.0 % (0 of 200) of all others.";
    assert!(html.contains(said) && text(&report).contains(said), "{}", text(&report));
    assert!(html.contains("Known since the ticket of 2025-06-15T"));
}

#[test]
fn names_cannot_become_markup_and_no_name_of_a_person_is_shown() {
    let (mut record, mut segments) = world::read(&tickets());
    record.attributes = vec!["<i>plan".to_owned()];
    for values in segments.values_mut() {
        let value = values.remove("plan").unwrap();
        values.insert("<i>plan".to_owned(), format!("<b>{value}\" onload=\"x"));
    }
    let options = Options { workspace: "a&b", group_tickets_min: 10 };
    let html = page(&report(&record, &segments, options, &|_| {}));
    for never in ["<b>", "<i>", "\" onload", "a&b"] {
        assert!(!html.contains(never), "{never}");
    }
    assert!(html.contains("&lt;b&gt;value-1&quot; onload=&quot;x") && html.contains("a&amp;b"));
    let mut world = World::new();
    world.receive(0, "a", Some("es"));
    world.accept(10, "a");
    let html = page(&world.report(None, None).unwrap());
    assert!(
        html.contains(">ana<") && !html.contains("Somebody"),
        "agents by their identifier only"
    );
}

#[test]
fn what_was_raised_while_the_service_ran_is_there_with_who_has_seen_to_it() {
    let mut world = World::new();
    for (secs, group, count) in [(100, "es", 20), (200, "<i>de", 20), (300, "fr", 9)] {
        let alarm = Alarm {
            attribute: "language".to_owned(),
            measure: Measure::SlowStart,
            group: group.to_owned(),
            own: Share { hits: 5, count },
            others: Share { hits: 4, count: 80 },
            low: 0.05,
            high: 0.4,
            log_evidence: 7.0,
            first_received_at: UnixMillis(0),
            last_received_at: UnixMillis(1),
        };
        world.note(secs, Event::AlarmRaised { alarm: Box::new(alarm) });
        world.receive(secs, &format!("t{secs}"), Some("es"));
    }
    let first = world.journal.iter().find(|entry| entry.event.name() == "alarm_raised").unwrap();
    let alarm = first.sequence;
    let note = "two more people & a new line".to_owned();
    world.note(400, Event::AlarmAcknowledged { alarm, note });
    // The window ends before anybody has seen to it; that is told all the same.
    let report = world.report_of(10, None, Some(350)).unwrap();
    let groups: Vec<_> = report.alarms_on_record.iter().map(|one| one.group.as_deref()).collect();
    assert_eq!(groups, [Some("es"), Some("<i>de"), None], "nine are too few to be named");
    assert!(report.alarms_on_record[2].own.is_none());
    let html = page(&report);
    assert!(html.contains("somebody at 2025-06-15T15:13") && html.contains("&amp; a new line"));
    assert!(html.contains("nobody yet") && html.contains("&lt;i&gt;de") && !html.contains("<i>de"));
    assert!(text(&report).contains("alarms raised while the service ran: 3, open 2"));
    let later = world.report_of(10, Some(150), None).unwrap();
    assert_eq!(later.alarms_on_record.len(), 2, "the first was raised before");
}

#[test]
fn nothing_to_compare_is_said() {
    let (mut record, segments) = world::read(&tickets());
    record.attributes.clear();
    let options = Options { workspace: "default", group_tickets_min: 10 };
    let report = report(&record, &segments, options, &|_| {});
    let html = page(&report);
    assert!(html.contains("No segment attribute is declared") && !html.contains("NaN"));
    assert!(text(&report).contains("nothing to compare"));
}
