//! Whether what stands under a key may stand there.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use strsim::levenshtein;

use super::Problem;
use crate::domain::id::SkillId;

/// What may stand under a key.
pub(super) enum Kind {
    /// A whole number from one to the other.
    Whole(u64, u64),
    /// So many whole numbers.
    Numbers(usize),
    /// A number from 0 to 1.
    Share,
    Flag,
    Text,
    /// A declared skill.
    Skill,
    /// One of some words, or a table with these keys if there are any.
    WordOr(&'static [&'static str], &'static [Key]),
    /// This, or nothing: `null`, and `"none"` where the form of the file has no null.
    Optional(&'static Self),
    List(&'static Self),
    /// Any keys, each with this.
    Map(&'static Self),
    Table(&'static [Key]),
}

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) absent: Absent,
}

/// What holds when a key is not there.
pub(super) enum Absent {
    Needed,
    LeftOut,
    /// This, in JSON.
    Filled(&'static str),
}

/// Looks at every key of a file.
pub(super) struct Walk<'a> {
    declared: &'a BTreeSet<SkillId>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(declared: &'a BTreeSet<SkillId>) -> Self {
        Self { declared, problems: Vec::new() }
    }

    fn reject(&mut self, path: &str, value: &Value, allowed: impl Into<String>) {
        self.problems.push(Problem::new(path, Some(value), allowed));
    }

    /// Looks at a table, and fills in what it leaves out.
    pub(super) fn table(&mut self, path: &str, keys: &[Key], given: &mut Map<String, Value>) {
        let below =
            |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for (name, value) in given.iter_mut() {
            match keys.iter().find(|key| key.name == name) {
                Some(key) => self.value(&below(name), &key.kind, value),
                None => {
                    let names = keys.iter().map(|key| key.name);
                    let allowed = format!("there is no such key; {}", suggest(name, names));
                    self.reject(&below(name), value, allowed);
                }
            }
        }
        for key in keys.iter().filter(|key| !given.contains_key(key.name)).collect::<Vec<_>>() {
            match key.absent {
                Absent::LeftOut => {}
                Absent::Needed => {
                    self.problems.push(Problem::new(&below(key.name), None, "is needed here"));
                }
                Absent::Filled(value) => {
                    if let Ok(value) = serde_json::from_str(value) {
                        given.insert(key.name.to_owned(), value);
                    }
                }
            }
        }
    }

    fn value(&mut self, path: &str, kind: &Kind, value: &mut Value) {
        match (kind, value) {
            (Kind::Optional(_), Value::Null) => {}
            (Kind::Optional(_), value) if value.as_str() == Some("none") => *value = Value::Null,
            (Kind::Optional(kind), value) => self.value(path, kind, value),
            (Kind::List(kind), Value::Array(items)) => {
                for (place, item) in items.iter_mut().enumerate() {
                    self.value(&format!("{path}[{place}]"), kind, item);
                }
            }
            (Kind::Map(kind), Value::Object(entries)) => {
                for (name, value) in entries {
                    self.value(&format!("{path}.{name}"), kind, value);
                }
            }
            (Kind::Table(keys), Value::Object(given)) => self.table(path, keys, given),
            (Kind::WordOr(_, keys @ [_, ..]), Value::Object(given)) => {
                self.table(path, keys, given)
            }
            (kind, value) => {
                if let Some(allowed) = self.breach(kind, value) {
                    self.reject(path, value, allowed);
                }
            }
        }
    }

    /// Returns what is allowed where a value without parts is not.
    fn breach(&self, kind: &Kind, value: &Value) -> Option<String> {
        let text = value.as_str();
        match kind {
            Kind::Whole(min, max) => {
                let fits = value.as_u64().is_some_and(|number| (*min..=*max).contains(&number));
                (!fits).then(|| format!("must be a whole number from {min} to {max}"))
            }
            Kind::Numbers(count) => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let small =
                    |item: &Value| item.as_u64().is_some_and(|it| it <= u64::from(u32::MAX));
                let fits = items.len() == *count && items.iter().all(small);
                (!fits).then(|| format!("must be a list of {count} whole numbers"))
            }
            Kind::Share => {
                let fits = value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number));
                (!fits).then(|| "must be a number from 0 to 1".to_owned())
            }
            Kind::Flag => (!value.is_boolean()).then(|| "must be true or false".to_owned()),
            Kind::Text => text.is_none().then(|| "must be a text".to_owned()),
            Kind::Skill => {
                let known = text.is_some_and(|it| self.declared.iter().any(|s| s.as_str() == it));
                let names = self.declared.iter().map(SkillId::as_str);
                let near = || suggest(text.unwrap_or_default(), names);
                (!known).then(|| format!("must be a declared skill; {}", near()))
            }
            Kind::WordOr(words, keys) => {
                let known = text.is_some_and(|text| words.contains(&text));
                let table = keys
                    .first()
                    .map_or(String::new(), |key| format!(", or a table with {}", key.name));
                (!known).then(|| format!("must be one of {}{table}", words.join(", ")))
            }
            Kind::Optional(_) => None,
            Kind::List(_) => Some("must be a list".to_owned()),
            Kind::Map(_) | Kind::Table(_) => Some("must be a table of keys".to_owned()),
        }
    }
}

/// Names what was probably meant, or everything there is.
fn suggest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let nearest = names.iter().map(|name| (levenshtein(given, name), *name)).min();
    match nearest {
        Some((changes, name)) if changes <= 1 + given.len() / 4 => {
            format!("the nearest is {name}")
        }
        _ if names.is_empty() => "there are none".to_owned(),
        _ => format!("there are {}", names.join(", ")),
    }
}
