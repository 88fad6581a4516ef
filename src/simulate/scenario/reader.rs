//! Reads the keys of a table one by one and collects everything that is wrong.

use std::{cell::RefCell, fmt, ops::RangeInclusive};

use strsim::levenshtein;

use super::tree::{Entry, Node, Table, line_of};

/// Longest value that a problem repeats, in characters.
const VALUE_CHARS_MAX: usize = 60;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the key, from 1; of the table when the key is missing.
    pub line: usize,
    /// The key, for example `class[0].arrival_rate`.
    pub key: String,
    /// The value given; `None` where the key itself is wrong or missing.
    pub value: Option<String>,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, value, allowed } = self;
        match value {
            Some(value) => write!(formatter, "line {line}: {key} = {value}: {allowed}"),
            None => write!(formatter, "line {line}: {key} {allowed}"),
        }
    }
}

/// What is wrong in one text.
pub(super) struct Problems<'a> {
    text: &'a str,
    found: RefCell<Vec<Problem>>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: RefCell::new(Vec::new()) }
    }

    fn add(&self, at: usize, key: String, value: Option<String>, allowed: String) {
        let line = line_of(self.text, at);
        self.found.borrow_mut().push(Problem { line, key, value, allowed });
    }

    /// Returns them in the order of the text.
    pub(super) fn finish(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| problem.line);
        found
    }
}

/// Reads one table.
pub(super) struct Reader<'a> {
    problems: &'a Problems<'a>,
    /// What stands before its keys, for example `class[0].`.
    prefix: String,
    /// Where the table begins.
    at: usize,
    table: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(problems: &'a Problems<'a>, table: &'a Table) -> Self {
        Self { problems, prefix: String::new(), at: 0, table, known: Vec::new() }
    }

    fn find(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.known.push(key);
        self.table.iter().find(|entry| entry.key == key)
    }

    fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Notes that the value of a key is not allowed.
    pub(super) fn reject(&self, key: &str, allowed: &str) {
        let found = self.table.iter().find(|entry| entry.key == key);
        let (at, value) = found.map_or((self.at, None), |entry| {
            let shown = entry.value.shown();
            let short: String = shown.chars().take(VALUE_CHARS_MAX).collect();
            let more = if short.len() < shown.len() { "…" } else { "" };
            (entry.at, Some(short + more))
        });
        let allowed = match value {
            Some(_) => allowed.to_owned(),
            None => format!("is missing: it {allowed}"),
        };
        self.problems.add(at, self.path(key), value, allowed);
    }

    /// Reads a number in a range; `default` is for a key that is not there, `None` for one that must be.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: Option<f64>,
        range: RangeInclusive<f64>,
    ) -> f64 {
        let given = self.find(key).map(|entry| entry.value.number());
        let fallback = default.unwrap_or(*range.start());
        match (given, default) {
            (None, Some(default)) => default,
            (Some(Some(number)), _) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.reject(key, &format!("must be a number from {low} to {high}"));
                fallback
            }
        }
    }

    /// Reads a number that need not be there.
    pub(super) fn optional(
        &mut self,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        self.has(key).then(|| self.number(key, None, range))
    }

    /// Reads a whole number in a range.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> u32 {
        let Some(entry) = self.find(key) else { return default };
        let whole = match entry.value {
            Node::Integer(number) => u32::try_from(number).ok(),
            _ => None,
        };
        whole.filter(|number| range.contains(number)).unwrap_or_else(|| {
            let (low, high) = (range.start(), range.end());
            self.reject(key, &format!("must be a whole number from {low} to {high}"));
            default
        })
    }

    /// Reads one of a few words; the first is the default.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let Some(entry) = self.find(key) else { return words.first().map(|(_, value)| *value) };
        let given = if let Node::Text(text) = &entry.value { text.as_str() } else { "" };
        let found = words.iter().find(|(word, _)| *word == given).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.reject(
                key,
                &format!("must be one of {}{}", names.join(", "), hint(given, &names)),
            );
        }
        found
    }

    /// Reads a text that must be there.
    pub(super) fn text(&mut self, key: &'static str, chars_max: usize) -> String {
        match self.find(key).map(|entry| &entry.value) {
            Some(Node::Text(text)) if (1..=chars_max).contains(&text.chars().count()) => {
                text.clone()
            }
            _ => {
                self.reject(key, &format!("must be a text of 1 to {chars_max} characters"));
                String::new()
            }
        }
    }

    /// Reads a list of texts that must be there; it may be empty, and repeats nothing.
    pub(super) fn texts(&mut self, key: &'static str, most: usize) -> Vec<String> {
        let text = |node: &Node| match node {
            Node::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        let found: Option<Vec<String>> = match self.find(key).map(|entry| &entry.value) {
            Some(Node::List(items)) => items.iter().map(text).collect(),
            _ => None,
        };
        let repeats = |texts: &Vec<String>| {
            texts.iter().zip(1..).any(|(text, next)| texts[next..].contains(text))
        };
        found.filter(|texts| texts.len() <= most && !repeats(texts)).unwrap_or_else(|| {
            let allowed = format!("must be a list of at most {most} different texts, or []");
            self.reject(key, &allowed);
            Vec::new()
        })
    }

    /// Reads a list of numbers in a range; empty when it is not there.
    pub(super) fn numbers(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Vec<f64> {
        let Some(entry) = self.find(key) else { return Vec::new() };
        let found = numbers(&entry.value)
            .filter(|list| !list.is_empty() && list.iter().all(|number| range.contains(number)));
        found.unwrap_or_else(|| {
            let (low, high) = (range.start(), range.end());
            self.reject(key, &format!("must be a list of numbers from {low} to {high}"));
            Vec::new()
        })
    }

    /// Reads spans of time that follow each other within a length; empty when it is not there.
    pub(super) fn spans(&mut self, key: &'static str, length: f64) -> Vec<(f64, f64)> {
        let Some(entry) = self.find(key) else { return Vec::new() };
        let span = |node: &Node| match numbers(node)?[..] {
            [from, to] => Some((from, to)),
            _ => None,
        };
        let found: Option<Vec<(f64, f64)>> = match &entry.value {
            Node::List(items) => items.iter().map(span).collect(),
            _ => None,
        };
        let follow = |spans: &Vec<(f64, f64)>| {
            let ends = spans.iter().map(|(_, to)| *to);
            let begins = spans.iter().map(|(from, _)| *from).skip(1).chain([length]);
            let all = spans.iter().all(|(from, to)| *from >= 0.0 && from < to);
            // Two that touch would end and begin at the same moment.
            all && !spans.is_empty()
                && ends
                    .zip(begins)
                    .zip(1..)
                    .all(|((end, next), k)| end < next || (k == spans.len() && end <= next))
        };
        found.filter(follow).unwrap_or_else(|| {
            let allowed = format!(
                "must be a list such as [[0, 100], [150, 200]]: each from before to, in order, apart, \
                 and at most period_seconds ({length})"
            );
            self.reject(key, &allowed);
            Vec::new()
        })
    }

    /// Returns whether a key is there; it counts as known.
    pub(super) fn has(&mut self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// Opens a table that need not be there.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Reader<'a>> {
        let entry = self.find(key)?;
        let Node::Table(table) = &entry.value else {
            self.reject(key, &format!("must be a table: [{key}]"));
            return None;
        };
        let prefix = self.path(key) + ".";
        Some(Reader { problems: self.problems, prefix, at: entry.at, table, known: Vec::new() })
    }

    /// Opens the tables of a list; `what` says what at least one of them is.
    pub(super) fn tables(&mut self, key: &'static str, what: &str) -> Vec<Reader<'a>> {
        let mut readers = Vec::new();
        if let Some(Entry { at, value: Node::List(items), .. }) = self.find(key) {
            for (index, item) in items.iter().enumerate() {
                let Node::Table(table) = item else { continue };
                let at = table.first().map_or(*at, |entry| entry.at);
                let prefix = format!("{key}[{index}].");
                readers.push(Reader {
                    problems: self.problems,
                    prefix,
                    at,
                    table,
                    known: Vec::new(),
                });
            }
        }
        if readers.is_empty() {
            self.reject(key, &format!("must have at least one {what}: [[{key}]]"));
        }
        readers
    }

    /// Ends the table: every key that nobody asked for is unknown.
    pub(super) fn finish(self) {
        for entry in self.table.iter().filter(|entry| !self.known.contains(&&*entry.key)) {
            let mut known = self.known.clone();
            known.sort_unstable();
            known.dedup();
            let near = hint(&entry.key, &known);
            let allowed = format!("is no key{near}; the keys here are {}", known.join(", "));
            self.problems.add(entry.at, self.path(&entry.key), None, allowed);
        }
    }
}

fn numbers(node: &Node) -> Option<Vec<f64>> {
    match node {
        Node::List(items) => items.iter().map(Node::number).collect(),
        _ => None,
    }
}

/// Returns which of the known words was probably meant.
fn hint(given: &str, known: &[&str]) -> String {
    let near = known.iter().map(|word| (levenshtein(given, word), *word)).min();
    let close = |(distance, word): &(usize, &str)| *distance <= 1 + word.chars().count() / 3;
    near.filter(close).map_or(String::new(), |(_, word)| format!(", did you mean {word}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_meant() {
        assert_eq!(levenshtein("kitten", "sitting"), 3);
        assert_eq!((levenshtein("", "abc"), levenshtein("abc", "abc")), (3, 0));
        let known = ["arrival_rate", "skills", "name"];
        assert_eq!(hint("arival_rate", &known), ", did you mean arrival_rate?");
        assert_eq!(hint("zzzzzzzz", &known), "");
    }
}
