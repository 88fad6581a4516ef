//! The policy to try, from a file in JSON or TOML that says what is to differ.
//!
//! Keys are those of [`Policy`] as the journal writes them. What the file does not say stays as it is.

mod keys;
mod kinds;

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

use self::{keys::POLICY, kinds::Walk};
use crate::domain::{id::SkillId, policy::Policy};

/// How much of a value that was refused is shown, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// A key of the file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which, as `routes[2].head_start_secs`; empty for the file as a whole.
    pub key: String,
    /// What it says, cut short; empty when there is nothing to show.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl Problem {
    fn new(key: &str, value: Option<&Value>, allowed: impl Into<String>) -> Self {
        let value = value.map_or(String::new(), |value| cut(&value.to_string()));
        Self { key: key.to_owned(), value, allowed: allowed.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), self.value.as_str()) {
            ("", _) => formatter.write_str(&self.allowed),
            (key, "") => write!(formatter, "{key}: {}", self.allowed),
            (key, value) => write!(formatter, "{key} = {value}: {}", self.allowed),
        }
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARS_MAX).collect::<String>() + "…"
}

/// A policy to try.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The policy; its version is that of the one it was made from.
    pub policy: Policy,
    /// Keys in which it differs from that one.
    pub changed: Vec<String>,
}

impl Candidate {
    /// Reads a file. JSON begins with a brace; everything else is TOML.
    ///
    /// # Errors
    /// Every key that is unknown, of a wrong type, or names a skill that is not declared.
    pub fn read(
        text: &str,
        base: &Policy,
        declared: &BTreeSet<SkillId>,
    ) -> Result<Self, Vec<Problem>> {
        let mut given = parse(text).map_err(|problem| vec![problem])?;
        let mut walk = Walk::new(declared);
        walk.table("", POLICY, &mut given);
        if !walk.problems.is_empty() {
            return Err(walk.problems);
        }
        let unlike = |problem: Problem| vec![problem];
        let whole = serde_json::to_value(base).map_err(|error| {
            unlike(Problem::new(
                "",
                None,
                format!("the policy in force cannot be written: {error}"),
            ))
        })?;
        let policy = merged(&whole, &given).map_err(|error| blame(&whole, &given, &error))?;
        let policy = Policy { version: base.version, ..policy };
        let made = serde_json::to_value(&policy).unwrap_or(Value::Null);
        // A key that is not written has its default.
        let differs = |key: &&String| made.get(key.as_str()) != whole.get(key.as_str());
        let changed = given.keys().filter(differs).cloned().collect();
        Ok(Self { policy, changed })
    }

    /// Returns the problem with a field that the API's rules refuse; `field` as the API names it.
    #[must_use]
    pub fn refused(&self, field: &str, allowed: &str) -> Problem {
        let key = field.strip_prefix("policy.").unwrap_or(field);
        let key = key.replace(".match.", ".matches.").replace("skill_id", "skill");
        let whole = serde_json::to_value(&self.policy).unwrap_or(Value::Null);
        let pointer = format!("/{}", key.replace('[', "/").replace(']', "").replace('.', "/"));
        Problem::new(&key, whole.pointer(&pointer), allowed)
    }
}

fn parse(text: &str) -> Result<Map<String, Value>, Problem> {
    let whole = |said: String| Problem::new("", None, said);
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| whole(format!("not JSON: {error}")));
    }
    let table: toml::Table = toml::from_str(text)
        .map_err(|error| whole(format!("not TOML: {}", error.to_string().trim_end())))?;
    match serde_json::to_value(table) {
        Ok(Value::Object(given)) => Ok(given),
        _ => Err(whole("not a table of keys".to_owned())),
    }
}

fn merged(base: &Value, given: &Map<String, Value>) -> Result<Policy, serde_json::Error> {
    let mut whole = base.clone();
    if let Value::Object(keys) = &mut whole {
        keys.extend(given.clone());
    }
    serde_json::from_value(whole)
}

/// Finds the keys without which there would be no error: conditions, calendars and identifiers say
/// themselves what is wrong with them.
fn blame(base: &Value, given: &Map<String, Value>, error: &serde_json::Error) -> Vec<Problem> {
    let alone = |key: &String, value: Value| merged(base, &Map::from_iter([(key.clone(), value)]));
    let mut problems = Vec::new();
    for (key, value) in given {
        match value {
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    if let Err(error) = alone(key, Value::Array(vec![item.clone()])) {
                        let key = format!("{key}[{place}]");
                        problems.push(Problem::new(&key, Some(item), error.to_string()));
                    }
                }
            }
            value => {
                if let Err(error) = alone(key, value.clone()) {
                    problems.push(Problem::new(key, Some(value), error.to_string()));
                }
            }
        }
    }
    if problems.is_empty() {
        problems.push(Problem::new("", None, error.to_string()));
    }
    problems
}
