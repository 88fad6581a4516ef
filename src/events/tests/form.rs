//! What events look like, and what is never in them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    domain::id::ActorId,
    events::{CloudEvent, Source},
};

/// Each record of the journal's golden file as an event. Add lines, never change one: consumers rely on them.
const GOLDEN: &str = include_str!("../golden/events_v1.jsonl");

fn converted(number: usize, event: Event) -> CloudEvent {
    CloudEvent::new(&Source::new("/evenhand"), &workspace("acme.de"), &entry(number, event))
}

fn golden() -> Vec<(usize, Event)> {
    let read = |line| serde_json::from_str(line).unwrap();
    JOURNAL.lines().map(read).enumerate().collect()
}

#[test]
fn every_type_of_event_has_its_form_and_keeps_it() {
    let bodies: Vec<String> =
        golden().into_iter().map(|(number, event)| converted(number, event).body).collect();
    for (body, line) in bodies.iter().zip(GOLDEN.lines()) {
        assert_eq!(body, line);
    }
    assert_eq!(bodies.len(), GOLDEN.lines().count(), "{}", bodies.join("\n"));
}

#[test]
fn every_event_has_what_cloud_events_ask_for() {
    let mut paths = BTreeSet::new();
    for (number, event) in golden() {
        let name = event.name();
        let CloudEvent { id, path, body } = converted(number, event);
        let event: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["id"], id);
        assert_eq!(id, format!("acme.de/{}", number + 1));
        assert_eq!(event["source"], "/evenhand");
        assert_eq!(event["type"], format!("evenhand.v1.{name}"));
        assert_eq!(event["datacontenttype"], "application/json");
        assert_eq!(event["time"], format!("2023-11-14T22:13:20.{number:03}Z"));
        assert_eq!(event["data"]["sequence"], number + 1);
        assert_eq!(event["data"]["workspace_id"], "acme.de");
        let [space, kind, last] = &path;
        assert_eq!((space.as_str(), last.as_str()), ("acme%2Ede", name));
        let subject = event.get("subject").cloned();
        match kind.as_str() {
            "ticket" => assert_eq!(subject.as_ref(), event["data"].get("ticket_id")),
            "agent" => assert_eq!(subject.as_ref(), event["data"].get("agent_id")),
            kind => assert_eq!((kind, subject), ("workspace", None)),
        }
        // Attributes are named in small letters and digits, by the specification.
        for name in event.as_object().unwrap().keys() {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
        }
        paths.insert(path);
    }
    assert_eq!(paths.len(), 32, "each type of event has a subject of its own");
}

#[test]
fn the_types_that_can_be_chosen_are_those_of_the_journal() {
    let names: BTreeSet<&str> = golden().iter().map(|(_, event)| event.name()).collect();
    assert_eq!(names, Event::NAMES.iter().copied().collect());
    assert_eq!(names.len(), Event::NAMES.len());
}

/// Puts a text in place of every text of a record that may be any text: those that hold identifiers and words of
/// closed sets could not be read then. Returns the records that could be read.
fn with_text_everywhere(record: &Value, text: &str) -> Vec<Event> {
    let mut places = Vec::new();
    texts(record, &mut Vec::new(), &mut places);
    let mut events = Vec::new();
    for place in places {
        let mut changed = record.clone();
        let mut at = &mut changed;
        let (last, way) = place.split_last().unwrap();
        for step in way {
            at = step.of(at);
        }
        match last {
            Step::Rename(key) => {
                let value = at.as_object_mut().unwrap().remove(key).unwrap();
                at.as_object_mut().unwrap().insert(text.to_owned(), value);
            }
            step => *step.of(at) = Value::from(text),
        }
        events.extend(serde_json::from_value::<Event>(changed));
    }
    events
}

/// A step into a value.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
    /// Not a value but the name of one.
    Rename(String),
}

impl Step {
    fn of<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        match self {
            Self::Key(key) | Self::Rename(key) => &mut value[key.as_str()],
            Self::Index(index) => &mut value[*index],
        }
    }
}

/// Finds the ways to all texts and names in a value.
fn texts(value: &Value, way: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let mut visit = |step: Step, inner: &Value, found: &mut Vec<Vec<Step>>| {
        way.push(step);
        if inner.is_string() {
            found.push(way.clone());
        }
        texts(inner, way, found);
        way.pop();
    };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(Step::Index(index), item, found);
            }
        }
        Value::Object(fields) => {
            for (key, inner) in fields {
                visit(Step::Key(key.clone()), inner, found);
            }
            for key in fields.keys() {
                found.push([way.as_slice(), &[Step::Rename(key.clone())]].concat());
            }
        }
        _ => {}
    }
}

/// Whether a text is anywhere in a value.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own.contains(text),
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(fields) => fields.iter().any(|(key, v)| key.contains(text) || holds(v, text)),
        _ => false,
    }
}

fn assert_hidden(text: &str) -> usize {
    let mut changed = 0;
    for (number, line) in JOURNAL.lines().enumerate() {
        for event in with_text_everywhere(&serde_json::from_str(line).unwrap(), text) {
            let written = serde_json::to_value(&event).unwrap();
            changed += usize::from(holds(&written, text));
            let body: Value = serde_json::from_str(&converted(number, event).body).unwrap();
            assert!(!holds(&body, text), "{body}");
        }
    }
    changed
}

#[test]
fn a_sentence_anywhere_in_an_entry_stays_there() {
    let changed = assert_hidden("Zoë Smith, +44 20 7946 0000, cannot pay");
    assert!(changed >= 30, "only {changed} places take a text");
}

#[test]
fn who_acted_is_not_told() {
    for (number, event) in golden() {
        let actor = Some(ActorId::new("the-one-who-acted").unwrap());
        let entry = Entry { actor, ..entry(number, event) };
        let event = CloudEvent::new(&Source::new("/evenhand"), &workspace("acme"), &entry);
        assert!(!event.body.contains("the-one-who-acted"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_of_a_ticket_is_ever_in_an_event(
        before in "\\PC{3,30}",
        between in "[ ,;:!?\n\"'()€]",
        after in "\\PC{3,30}",
    ) {
        assert_hidden(&format!("{before}{between}{after}"));
    }
}
