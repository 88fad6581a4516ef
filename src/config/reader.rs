//! Reads keys one by one and collects everything that is wrong.

use std::{collections::BTreeSet, fmt, net::SocketAddr, path::Path};

use figment::{
    Figment, Metadata, Source,
    providers::{Env, Format, Toml},
    value::{Dict, Value},
};

use super::Error;
use crate::service::Options as ServerOptions;

/// Prefix of environment variables; `__` stands between section and key.
const ENV_PREFIX: &str = "EVENHAND_";
/// What keys end in whose values may be secrets.
const SECRET: [&str; 4] = ["url", "secret", "password", "token"];
/// Stands for a value that may be a secret.
const HIDDEN: &str = "(hidden)";
/// Longest value that a problem repeats, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, for example `server.listen`.
    pub key: String,
    /// The value given.
    pub value: String,
    /// Where it was given.
    pub place: String,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, place, allowed } = self;
        write!(formatter, "{key} = {value} ({place}): {allowed}")
    }
}

/// Reads keys and remembers which were asked for.
pub(super) struct Reader {
    figment: Figment,
    known: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Reader {
    /// Opens the file, if there is one, and the environment.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, Error> {
        let mut figment = Figment::new();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Error::Read(format!("{}: {error}", file.display())))?;
            // Parsed here as well: the parser's own error shows line and column.
            if let Err(error) = toml::from_str::<toml::Table>(&text) {
                let error = unparsed(&text, &error);
                return Err(Error::Read(format!("{}: {error}", file.display())));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        // Only names with a section are ours: Kubernetes sets EVENHAND_PORT and the like for any
        // service of that name.
        let env = Env::prefixed(ENV_PREFIX).filter(|key| key.as_str().contains("__")).split("__");
        Ok(Self { figment: figment.merge(env), known: BTreeSet::new(), problems: Vec::new() })
    }

    /// Returns everything that was wrong, unknown keys included.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        let mut given = Vec::new();
        if let Ok(data) = figment::Provider::data(&self.figment) {
            for dict in data.values() {
                leaves("", dict, &mut given);
            }
        }
        for key in given {
            if !self.known.contains(&key) {
                let near: Vec<_> = self.known.iter().map(String::as_str).collect();
                let allowed = format!("is no key; the keys are {}", near.join(", "));
                // A key misspelt may hold what was meant for another.
                let section = key.split_once('.').map_or("", |(section, _)| section);
                let is_secret =
                    section == "webhooks" || SECRET.iter().any(|end| key.ends_with(end));
                let value = if is_secret { HIDDEN.to_owned() } else { self.shown(&key) };
                self.reject(&key, &value, &allowed);
            }
        }
        self.problems
    }

    /// Notes that a value is not allowed.
    pub(super) fn reject(&mut self, key: &str, value: &str, allowed: &str) {
        let mut short: String = value.chars().take(VALUE_CHARS_MAX).collect();
        if short.len() < value.len() {
            short.push('…');
        }
        let place = self.figment.find_metadata(key).map_or_else(|| "command line".into(), place);
        let (key, allowed) = (key.to_owned(), allowed.to_owned());
        self.problems.push(Problem { key, value: short, place, allowed });
    }

    /// Notes that a value is not allowed that may be a secret.
    pub(super) fn reject_hidden(&mut self, key: &str, allowed: &str) {
        self.reject(key, HIDDEN, allowed);
    }

    fn find(&mut self, key: &str) -> Option<Value> {
        self.known.insert(key.to_owned());
        self.figment.find_value(key).ok()
    }

    fn shown(&self, key: &str) -> String {
        self.figment.find_value(key).map_or_else(|_| String::new(), |value| show(&value))
    }

    /// Reads a whole number in a range.
    pub(super) fn count<N>(&mut self, key: &str, default: N, min: u64, max: u64) -> N
    where
        N: TryFrom<u64>,
    {
        let Some(value) = self.find(key) else { return default };
        let number = value.to_i128().and_then(|number| u64::try_from(number).ok());
        let number = number.or_else(|| value.to_u128().and_then(|number| number.try_into().ok()));
        match number.filter(|number| (min..=max).contains(number)).map(N::try_from) {
            Some(Ok(number)) => number,
            _ => {
                let allowed = format!("must be a whole number from {min} to {max}");
                self.reject(key, &show(&value), &allowed);
                default
            }
        }
    }

    /// Reads a text.
    pub(super) fn text(&mut self, key: &str, default: &str) -> String {
        match self.find(key) {
            None => default.to_owned(),
            Some(value @ (Value::Dict(..) | Value::Array(..) | Value::Empty(..))) => {
                self.reject(key, &show(&value), "must be a text");
                default.to_owned()
            }
            Some(value) if show(&value).is_empty() => {
                self.reject(key, "\"\"", "must not be empty");
                default.to_owned()
            }
            Some(value) => show(&value),
        }
    }

    /// Reads a text that is never shown; `none` or nothing for none.
    pub(super) fn hidden(&mut self, key: &str) -> Option<String> {
        match self.find(key)? {
            Value::String(_, text) if text == "none" => None,
            Value::String(_, text) if !text.is_empty() => Some(text),
            _ => {
                self.reject_hidden(key, "must be a text that is not empty");
                None
            }
        }
    }

    /// Reads a list of words; one text may have several, with commas between them.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        match self.find(key) {
            None => Vec::new(),
            Some(Value::Array(_, items)) => items.iter().map(show).collect(),
            Some(single) => {
                let text = show(&single);
                text.split(',').map(|word| word.trim().to_owned()).collect()
            }
        }
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.find(key) {
            None => default,
            Some(Value::Bool(_, flag)) => flag,
            Some(value) => {
                self.reject(key, &show(&value), "must be true or false");
                default
            }
        }
    }

    /// Reads one of a few words.
    pub(super) fn choice(
        &mut self,
        key: &str,
        default: &'static str,
        words: &[&'static str],
    ) -> &'static str {
        let given = self.text(key, default);
        if let Some(word) = words.iter().find(|word| **word == given) {
            return word;
        }
        let allowed = format!("must be {}", words.join(" or "));
        self.reject(key, &given, &allowed);
        default
    }

    /// Reads an address that only this machine can reach.
    pub(super) fn loopback(&mut self, key: &str, default: SocketAddr) -> SocketAddr {
        let given = self.text(key, &default.to_string());
        match given.parse() {
            Ok(address) => self.check_loopback(key, address),
            Err(_) => {
                let allowed = format!("must be an address and a port such as {default}");
                self.reject(key, &given, &allowed);
                default
            }
        }
    }

    /// Rejects an address that others can reach.
    pub(super) fn check_loopback(&mut self, key: &str, address: SocketAddr) -> SocketAddr {
        if !ServerOptions::may_listen_on(&address) {
            let allowed =
                "must be a loopback address such as 127.0.0.1: callers have no identity yet";
            self.reject(key, &address.to_string(), allowed);
        }
        address
    }

    /// Reads a list of web origins.
    pub(super) fn origins(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let items = match value.clone() {
            Value::Array(_, items) => items,
            single => vec![single],
        };
        let origins: Vec<String> = items.iter().map(show).collect();
        let plain = |origin: &String| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            host.is_some_and(|host| {
                !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
            })
        };
        if !origins.iter().all(plain) {
            let allowed = "must be a list of origins such as [\"https://desk.example\"]";
            self.reject(key, &show(&value), allowed);
        }
        origins
    }
}

/// Says what is wrong with a text. The parser shows the line, which may hold a secret.
fn unparsed(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    if SECRET.iter().any(|word| line.contains(word)) {
        let number = before.matches('\n').count().saturating_add(1);
        return format!(
            "line {number}, which is not shown as it may hold a secret: {}",
            error.message()
        );
    }
    error.to_string()
}

/// Returns where a value was given.
fn place(metadata: &Metadata) -> String {
    match &metadata.source {
        Some(Source::File(path)) => path.display().to_string(),
        _ => "environment".to_owned(),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Char(_, c) => c.to_string(),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => {
            let whole = number.to_i128().map(|whole| whole.to_string());
            let whole = whole.or_else(|| number.to_u128().map(|whole| whole.to_string()));
            whole.or_else(|| number.to_f64().map(|float| float.to_string())).unwrap_or_default()
        }
        Value::Empty(..) => String::new(),
        Value::Array(_, items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        Value::Dict(_, dict) => {
            format!("{{{}}}", dict.keys().cloned().collect::<Vec<_>>().join(", "))
        }
    }
}

/// Lists the paths of the values of a nested table.
fn leaves(path: &str, dict: &Dict, found: &mut Vec<String>) {
    for (key, value) in dict {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Dict(_, inner) => leaves(&path, inner, found),
            _ => found.push(path),
        }
    }
}
