//! A TOML text as a tree that remembers where each key stands.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use toml::Spanned;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Flag(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Table(Table),
}

/// Keys in the order of the file.
pub(super) type Table = Vec<Entry>;

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key begins, in bytes.
    pub(super) at: usize,
    pub(super) value: Node,
}

impl Node {
    /// Returns the value as a person would write it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::List(items) => {
                format!("[{}]", items.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Table(_) => "a table".to_owned(),
        }
    }

    /// Returns a number; a whole one stands for itself.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut table = Table::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let at = key.span().start;
            table.push(Entry { key: key.into_inner(), at, value: map.next_value()? });
        }
        Ok(Node::Table(table))
    }
}

/// Parses a text.
///
/// # Errors
/// What the parser says, with line and column.
pub(super) fn parse(text: &str) -> Result<Table, String> {
    match toml::from_str(text) {
        Ok(Node::Table(table)) => Ok(table),
        Ok(_) => Err("it is no table".to_owned()),
        Err(error) => Err(error.to_string().trim_end().to_owned()),
    }
}

/// Returns the line of a place, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_key_has_its_line() {
        let text = "a = 1\nb.c = 'x'\n[d]\n  e = [1.5, true]\n[[f]]\ng = 1\n[[f]]\nh = { i = 2 }\n";
        let mut found = Vec::new();
        fn walk(text: &str, table: &Table, found: &mut Vec<(String, usize)>) {
            for entry in table {
                found.push((entry.key.clone(), line_of(text, entry.at)));
                match &entry.value {
                    Node::Table(inner) => walk(text, inner, found),
                    Node::List(items) => {
                        for item in items {
                            if let Node::Table(inner) = item {
                                walk(text, inner, found);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        walk(text, &parse(text).unwrap(), &mut found);
        found.sort();
        let lines: Vec<(&str, usize)> = found.iter().map(|(key, at)| (&key[..], *at)).collect();
        let wanted = [
            ("a", 1),
            ("b", 2),
            ("c", 2),
            ("d", 3),
            ("e", 4),
            ("f", 5),
            ("g", 6),
            ("h", 8),
            ("i", 8),
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_line() {
        let error = parse("a = 1\nb = = 2\n").unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }
}
