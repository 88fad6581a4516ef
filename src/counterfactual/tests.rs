//! The audit as a whole, on readers that are biased on purpose and on one that is not.

use std::collections::BTreeSet;

use super::*;
use crate::domain::reading::{Sentiment, Urgency};

fn shipped() -> Swaps {
    Swaps::shipped().unwrap()
}

fn plan(seed: u32) -> Plan {
    Plan::new(own_tickets(), &shipped(), seed)
}

fn customer(text: &str) -> Ticket {
    Ticket { text: text.to_owned(), line: 7, is_own: false }
}

/// Reads by the length of a text alone in most digits, so that texts of one ticket differ a little, evenly.
fn read(text: &str) -> Read {
    let noise = text.bytes().fold(7_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
    let noise = f64::from(noise % 1000) / 1000.0 - 0.5;
    Read {
        urgency_score: 0.3 + 0.02 * noise,
        sentiment_score: 0.1 * noise,
        out_of_scope_score: 0.1 + 0.02 * noise,
        said: Said {
            intent: "track_order".to_owned(),
            urgency: Urgency::Normal,
            sentiment: Sentiment::Neutral,
            out_of_scope: false,
            route: "delivery".to_owned(),
            triage: false,
        },
    }
}

fn audit(plan: &Plan, reader: impl Fn(&str) -> Read) -> Audit {
    let reads: Vec<Read> = plan.texts.iter().map(|text| reader(text)).collect();
    Audit::new(plan, &reads).unwrap()
}

fn names_of(group: &str) -> Vec<String> {
    let swaps = shipped();
    let group = swaps.names.iter().find(|names| names.group == group).unwrap();
    group.women.iter().chain(&group.men).cloned().collect()
}

fn says_any(text: &str, names: &[String]) -> bool {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    names.iter().any(|name| words.contains(&name.as_str()))
}

#[test]
fn a_reader_without_bias_passes_and_nothing_differs() {
    let audit = audit(&plan(0), read);
    assert_eq!(
        audit.gate.outcome,
        Outcome::Within,
        "{:?}",
        audit.gate.beyond().collect::<Vec<_>>()
    );
    assert!(audit.gate.checks.len() > 100);
    assert_eq!(audit.decisions_that_differ, [""; 0]);
    // One in twenty of what is found may be chance, and nothing is there to be found.
    assert!(audit.scores_that_differ.len() <= 1, "{:?}", audit.scores_that_differ);
}

#[test]
fn a_reader_that_finds_one_group_of_names_more_urgent_is_caught_by_that_name() {
    let names = names_of("arabic");
    let biased = |text: &str| {
        let mut read = read(text);
        read.urgency_score += if says_any(text, &names) { 0.05 } else { 0.0 };
        read
    };
    let audit = audit(&plan(0), biased);
    assert_eq!(audit.gate.outcome, Outcome::Beyond);
    let beyond: Vec<_> =
        audit.gate.beyond().map(|c| (c.axis.as_str(), c.group.as_str(), c.measure)).collect();
    assert_eq!(beyond, [("name_origin", "arabic", "urgency_difference")]);
    let shift = &audit.axes["name_origin"].groups["arabic"].urgency;
    let ends = shift.ci95.0.unwrap();
    assert!(ends.low < 0.05 && 0.05 < ends.high, "{shift:?}");
    assert!(shift.cohens_dz.unwrap() > 2.0 && shift.p_adjusted.unwrap() < 1e-6, "{shift:?}");
    assert_eq!(shift.sign_test.up, shift.df + 1, "on every ticket");
    assert_eq!(audit.scores_that_differ, ["name_origin/arabic/urgency"]);
}

#[test]
fn a_reader_that_sends_a_religion_to_triage_is_caught_in_decisions_and_flips() {
    let biased = |text: &str| {
        let mut read = read(text);
        if text.contains("Muslim") || text.contains("mosque") {
            read.said.triage = true;
            read.said.route = "triage".to_owned();
        }
        read
    };
    let audit = audit(&plan(3), biased);
    let measures: BTreeSet<_> =
        audit.gate.beyond().map(|c| (c.axis.as_str(), c.group.as_str(), c.measure)).collect();
    let triage = ("religion", "muslim", "triage_difference");
    assert_eq!(measures, BTreeSet::from([triage]));
    let found = &audit.axes["religion"].groups["muslim"];
    let tickets = own_tickets().len() as u64;
    assert_eq!((found.pairs, found.tickets), (tickets, tickets));
    let turned = &found.decisions["triage"];
    assert_eq!((turned.gained, turned.lost, turned.difference), (tickets, 0, Some(1.0)));
    assert_eq!((turned.mcnemar.up, turned.mcnemar.down), (tickets, 0));
    assert_eq!(audit.decisions_that_differ, ["religion/muslim/triage"]);
    assert_eq!(found.flips["route"].share, Some(1.0));
    assert_eq!(found.flips["intent"].pairs, 0);
    let worst = &audit.axes["religion"].worst;
    assert!(worst.len() == 3 && worst.iter().all(|e| e.group == "muslim" && e.texts.is_some()));
}

#[test]
fn a_reader_that_sends_names_anywhere_is_caught_though_no_group_is_worse_off() {
    let fickle = |text: &str| {
        let mut read = read(text);
        if read.urgency_score > 0.3 {
            read.said.route = "orders".to_owned();
        }
        read
    };
    let audit = audit(&plan(0), fickle);
    let beyond: BTreeSet<_> =
        audit.gate.beyond().map(|c| (c.axis.as_str(), c.group.as_str(), c.measure)).collect();
    assert!(beyond.contains(&("name_origin", "all", "route_flips")), "{beyond:?}");
    assert!(beyond.iter().all(|(_, group, measure)| (*group, *measure) == ("all", "route_flips")));
    let flips = &audit.axes["name_origin"].all.flips["route"];
    let ends = flips.ci95.0.unwrap();
    assert!(ends.low < 0.5 && 0.5 < ends.high, "{flips:?}");
}

#[test]
fn a_tone_that_changes_the_mood_is_measured_and_not_judged() {
    let biased = |text: &str| {
        let mut read = read(text);
        read.sentiment_score -= if text.contains("!!!") { 0.5 } else { 0.0 };
        read
    };
    let audit = audit(&plan(0), biased);
    assert_eq!(audit.gate.outcome, Outcome::Within);
    let found = &audit.axes["shouting"].groups["exclamation_marks"];
    assert!((found.sentiment.mean_difference.unwrap() + 0.5).abs() < 0.02, "{found:?}");
    assert!(audit.scores_that_differ.contains(&"shouting/exclamation_marks/sentiment".to_owned()));
}

#[test]
fn every_axis_has_enough_pairs_of_our_own_tickets_to_be_judged() {
    let audit = audit(&plan(0), read);
    let axes: Vec<&str> = audit.axes.keys().map(String::as_str).collect();
    assert_eq!(
        axes,
        [
            "age",
            "control_mention",
            "control_name",
            "dialect",
            "disability",
            "learner",
            "name_gender",
            "name_origin",
            "politeness",
            "pronouns",
            "religion",
            "shouting",
            "spelling",
            "typing"
        ]
    );
    for (name, axis) in &audit.axes {
        for (group, found) in &axis.groups {
            assert!(found.tickets >= limits::TICKETS_MIN, "{name} {group}: {}", found.tickets);
        }
    }
    assert!(audit.gate.checks.iter().all(|check| check.outcome != Outcome::NotEnoughTickets));
}

#[test]
fn the_same_seed_makes_the_same_texts_and_another_makes_others() {
    assert_eq!(plan(5), plan(5));
    assert_ne!(plan(5).texts, plan(6).texts);
    let texts = plan(0).texts;
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len(), "read once each");
}

#[test]
fn the_texts_of_a_pair_differ_in_the_words_that_were_swapped_and_in_nothing_else() {
    let plan = plan(1);
    for pair in plan.pairs.iter().filter(|pair| pair.axis.starts_with("name_")) {
        let (one, other) = pair.swapped.as_ref().unwrap().split_once(" → ").unwrap();
        let (before, after) = (&plan.texts[pair.before], &plan.texts[pair.after]);
        assert_eq!(&before.replacen(one, other, 1), after);
    }
    let tickets = own_tickets();
    for pair in plan.pairs.iter().filter(|pair| pair.swapped.is_some()) {
        let text = &tickets[pair.ticket].text;
        let both = [pair.before, pair.after].map(|at| plan.texts[at].as_str());
        assert!(both.iter().all(|both| both.contains(text.as_str())), "{both:?}");
        assert!(!both.iter().any(|text| text.contains('{')), "{both:?}");
    }
    let shouted = plan.pairs.iter().filter(|pair| pair.group == "capitals");
    for pair in shouted {
        assert_eq!(plan.texts[pair.before].to_uppercase(), plan.texts[pair.after]);
    }
}

#[test]
fn people_in_a_customers_ticket_are_swapped_where_they_stand() {
    let named = "Priya here, I paid two times. Priya's card was charged.";
    let spoken = "My wife lost her card. She wants a new one.";
    let plan = Plan::new(vec![customer(named), customer(spoken)], &shipped(), 0);
    let pairs = |axis: &'static str, ticket| {
        plan.pairs.iter().filter(move |pair| pair.axis == axis && pair.ticket == ticket)
    };
    for pair in pairs("name_origin", 0) {
        let after = &plan.texts[pair.after];
        assert!(
            after.contains(" here, I paid two times.") && after.contains("'s card was charged.")
        );
        assert!(!after.contains("Priya") || pair.group == "south_asian", "{after}");
    }
    assert_eq!(pairs("name_origin", 0).count(), 8, "names of one gender");
    let said: Vec<_> = pairs("pronouns", 1).collect();
    assert_eq!(said.len(), 1);
    let he = "My husband lost his card. He wants a new one.";
    let texts = [said[0].before, said[0].after].map(|at| plan.texts[at].as_str());
    assert_eq!(texts, [he, spoken]);
}

#[test]
fn what_a_customer_wrote_is_in_no_report() {
    let secret = "xylophone";
    let tickets: Vec<Ticket> = (0..40)
        .map(|k| customer(&format!("Where is my {secret} number {k}? It is not here.")))
        .collect();
    let plan = Plan::new(tickets, &shipped(), 0);
    let biased = |text: &str| {
        let mut read = read(text);
        if text.contains("Hannah") || text.contains("IS MY") {
            read.said.route = "triage".to_owned();
        }
        read
    };
    let audit = audit(&plan, biased);
    assert!(!audit.axes["shouting"].worst.is_empty());
    let json = serde_json::to_string(&audit).unwrap();
    let shown = [json, text(&audit, "model", "file.csv"), page(&audit, "model", "file.csv")];
    assert!(shown.iter().all(|shown| !shown.to_lowercase().contains(secret)), "{shown:?}");
    assert!(shown[1].contains("line 7, "), "{}", shown[1]);
}

#[test]
fn few_tickets_are_not_judged() {
    let plan = Plan::new(own_tickets().into_iter().take(10).collect(), &shipped(), 0);
    let biased = |text: &str| {
        let mut read = read(text);
        read.urgency_score += if text.contains("blind") { 0.5 } else { 0.0 };
        read
    };
    assert_eq!(audit(&plan, biased).gate.outcome, Outcome::NotEnoughTickets);
    assert_eq!(Audit::new(&plan, &[]), None, "a reading is missing");
}

#[test]
fn text_and_page_say_what_was_found() {
    let plan = plan(0);
    let biased = |text: &str| {
        let mut read = read(text);
        if text.contains("blind") || text.contains("screen reader") {
            read.said.triage = true;
            read.said.route = "triage".to_owned();
        }
        read
    };
    let audit = audit(&plan, biased);
    let lines = text(&audit, "support-9", "its own list");
    for part in
        ["support-9: ", "disability blind: triage_difference +1.0000", "disability/blind/triage"]
    {
        assert!(lines.contains(part), "no {part} in\n{lines}");
    }
    let page = page(&audit, "<b>", "its own list");
    for part in
        ["<svg", "&lt;b&gt;", "id=\"name_origin\"", "triage_difference", "Pairs that change most"]
    {
        assert!(page.contains(part), "no {part}");
    }
    assert!(!page.contains("<b>") && !page.contains("<script") && !page.contains("http"));
}
