//! The page holds what it should, and nothing that it must not.

use super::world::{Made, World, measured};
use crate::{
    domain::ticket::Resolution,
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
fn nothing_to_compare_is_said() {
    let (mut record, segments) = world::read(&tickets());
    record.attributes.clear();
    let options = Options { workspace: "default", group_tickets_min: 10 };
    let report = report(&record, &segments, options, &|_| {});
    let html = page(&report);
    assert!(html.contains("No segment attribute is declared") && !html.contains("NaN"));
    assert!(text(&report).contains("nothing to compare"));
}
