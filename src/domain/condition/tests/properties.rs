//! Properties of conditions: nothing panics, what is taken works, and the values are right.

use std::collections::BTreeMap;

use cel::ExecutionError;
use proptest::prelude::*;

use super::{super::*, angry, attributes, blank, condition};

/// Errors that a ticket's values can bring; any other should have been refused.
fn is_for_want_of_a_value(error: &ExecutionError) -> bool {
    let numbers = |types: &[String]| types.iter().all(|kind| ["int", "double"].contains(&&**kind));
    if let ExecutionError::NoSuchOverload(overload) = error {
        // What is not a number (0.0 / 0.0) has no place in the order of numbers.
        return overload.function().contains(['<', '>']) && numbers(overload.argument_types());
    }
    matches!(
        error,
        ExecutionError::NoSuchKey(_)
            | ExecutionError::IndexOutOfBounds(_)
            | ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
            | ExecutionError::FunctionError { .. }
    )
}

/// Returns the leaves and the forms of a kind: `b`ool, `i`nt, `d`ouble, `t`ext, `l`ist of texts. A
/// letter in a form stands for an expression of that kind.
fn grammar(kind: char) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        'b' => (
            &["true", "out_of_scope", "has(attributes.plan)", "'n' in attributes"],
            &[
                "({b}) && ({b})",
                "({b}) || ({b})",
                "!({b})",
                "({b}) ? ({b}) : ({b})",
                "({i}) < ({d})",
                "({i}) == ({i})",
                "({d}) >= ({i})",
                "({t}) != ({t})",
                "({t}) < ({t})",
                "({t}) in ({l})",
                "({i}) in [{i}, {d}]",
                "({b}) == ({b})",
                "({l}) == ({l})",
                "({t}).contains({t})",
                "({t}).startsWith({t})",
                "({t}).endsWith({t})",
                "intents.size() > ({i})",
            ],
        ),
        'i' => (
            &["0", "-1", "priority", "9223372036854775807", "-9223372036854775808", "2"],
            &[
                "({i}) + ({i})",
                "({i}) - ({i})",
                "({i}) * ({i})",
                "({i}) / ({i})",
                "({i}) % ({i})",
                "-({i})",
                "int({d})",
                "int({t})",
                "size({t})",
                "size({l})",
                "({b}) ? ({i}) : ({i})",
            ],
        ),
        'd' => (
            &["0.0", "-2.5", "1e308", "sentiment_score", "intent_confidence"],
            &[
                "({d}) + ({d})",
                "({d}) - ({d})",
                "({d}) * ({d})",
                "({d}) / ({d})",
                "-({d})",
                "double({i})",
                "double({t})",
                "({b}) ? ({d}) : ({d})",
            ],
        ),
        't' => (
            &[
                "''",
                "'7'",
                "'🎉'",
                "channel",
                "intent",
                "language",
                "attributes.plan",
                "attributes['n']",
            ],
            &["({t}) + ({t})", "({l})[{i}]", "({b}) ? ({t}) : ({t})"],
        ),
        _ => (&["intents", "['a', 'é']"], &["[{t}, {t}]", "({b}) ? ({l}) : ({l})"]),
    }
}

/// Writes an expression of a kind, with `choices` in place of chance.
fn write(kind: char, choices: &mut impl Iterator<Item = u8>, depth: usize) -> String {
    let (leaves, forms) = grammar(kind);
    let choice = usize::from(choices.next().unwrap_or(0));
    if depth == 0 || choice % 4 == 0 {
        return leaves[choice / 4 % leaves.len()].to_owned();
    }
    let mut written = forms[choice / 4 % forms.len()].to_owned();
    while let Some(at) = written.find('{') {
        let part = written[at + 1..].chars().next().unwrap();
        written.replace_range(at..at + 3, &write(part, choices, depth - 1));
    }
    written
}

fn typed() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u8>(), 1..60).prop_map(|choices| {
        let mut choices = choices.into_iter();
        // A macro around it sometimes, which adds a variable that is not otherwise there.
        let around = choices.next().unwrap_or(0) % 4;
        let written = write('b', &mut choices, 4);
        match around {
            0 => format!("intents.exists(x, x != '' && ({written}))"),
            1 => format!("intents.all(x, ({written}) || x in [channel])"),
            _ => written,
        }
    })
}

/// As [`typed`], with one word replaced, so that kinds no longer fit.
fn mistyped() -> impl Strategy<Value = String> {
    let words = vec!["priority", "channel", "true", "0.5", "intents", "[1]", "null", "attributes"];
    let with = prop::sample::select(words.clone());
    (typed(), prop::sample::select(words), with)
        .prop_map(|(written, from, to)| written.replacen(from, to, 1))
}

/// An expression of the small language that the tests evaluate themselves.
#[derive(Clone, Debug)]
enum Small {
    Equal(&'static str, &'static str),
    In(&'static str, Vec<&'static str>),
    Has(&'static str),
    Not(Box<Small>),
    And(Box<Small>, Box<Small>),
    Or(Box<Small>, Box<Small>),
}

impl Small {
    fn written(&self) -> String {
        match self {
            Self::Equal(name, value) => format!("{name} == '{value}'"),
            Self::In(name, values) => format!("{name} in {values:?}"),
            Self::Has(name) => format!("has({name})"),
            Self::Not(inner) => format!("!({})", inner.written()),
            Self::And(left, right) => format!("({}) && ({})", left.written(), right.written()),
            Self::Or(left, right) => format!("({}) || ({})", left.written(), right.written()),
        }
    }

    /// `None` is a failure.
    fn value(&self, facts: &Facts<'_>) -> Option<bool> {
        let read = |name: &str| match name.strip_prefix("attributes.") {
            Some(attribute) => facts.attributes.get(attribute).map(String::as_str),
            None if name == "channel" => Some(facts.channel),
            None => Some(facts.intent.unwrap_or("")),
        };
        match self {
            Self::Equal(name, value) => read(name).map(|read| read == *value),
            Self::In(name, values) => read(name).map(|read| values.contains(&read)),
            Self::Has(name) => Some(read(name).is_some()),
            Self::Not(inner) => inner.value(facts).map(|value| !value),
            Self::And(left, right) => match (left.value(facts), right.value(facts)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.value(facts), right.value(facts)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

fn small() -> impl Strategy<Value = Small> {
    let name = || prop::sample::select(vec!["channel", "intent", "attributes.a", "attributes.b"]);
    let value = || prop::sample::select(vec!["a", "b", ""]);
    let leaf = prop_oneof![
        (name(), value()).prop_map(|(name, value)| Small::Equal(name, value)),
        (name(), prop::collection::vec(value(), 1..4)).prop_map(|(name, all)| Small::In(name, all)),
        prop::sample::select(vec!["attributes.a", "attributes.b"]).prop_map(Small::Has),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let pair = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            inner.clone().prop_map(|inner| Small::Not(Box::new(inner))),
            pair().prop_map(|(left, right)| Small::And(left, right)),
            pair().prop_map(|(left, right)| Small::Or(left, right)),
        ]
    })
}

/// Pieces of the grammar in any order: nearer to CEL than random characters are.
fn rubble() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "!",
        "-",
        "+",
        "?",
        ":",
        ",",
        ".",
        "&&",
        "||",
        "==",
        " in ",
        "<",
        "priority",
        "intents",
        "attributes",
        "\"x\"",
        "'é'",
        "1",
        "0x",
        "1e999",
        "1u",
        "true",
        "null",
        "has(attributes.a)",
        ".exists(x, x == '')",
        ".all(",
        "has(",
        "`a`",
        "b'\\xff'",
        "r'\\",
        "'",
        "\"",
        "\\",
        "//",
        "\n",
        "🎉",
        "x",
        "as",
        "-9223372036854775808",
        "\"\"\"",
        "@",
        "int(",
        "\0",
    ]);
    prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_written_makes_parsing_panic(source in prop_oneof![".{0,60}", rubble()]) {
        match Condition::parse(&source) {
            Ok(condition) => { let _ = condition.evaluate(&blank(&BTreeMap::new())); }
            Err(error) => prop_assert!(error.line >= 1 && error.column >= 1),
        }
    }

    #[test]
    fn what_fits_is_taken(source in typed()) {
        if source.chars().count() <= CONDITION_CHARS_MAX {
            let refused = Condition::parse(&source).err();
            prop_assert!(refused.is_none(), "{}: {:?}", source, refused);
        }
    }

    #[test]
    fn what_is_taken_fails_only_for_want_of_a_value(source in prop_oneof![typed(), mistyped()]) {
        let Ok(condition) = Condition::parse(&source) else { return Ok(()) };
        let known = attributes(&[("plan", "gold"), ("n", "7")]);
        for facts in [angry(&known), blank(&known), blank(&BTreeMap::new())] {
            if let Err(error) = condition.evaluate(&facts) {
                prop_assert!(is_for_want_of_a_value(&error), "{source}: {error}");
            }
        }
    }

    #[test]
    fn small_expressions_agree_with_an_evaluator_by_hand(
        small in small(),
        given in prop::collection::btree_map("[ab]", prop::sample::select(vec!["a", "b", ""]), 0..3),
        channel in prop::sample::select(vec!["a", "b", ""]),
        intent in prop::option::of(prop::sample::select(vec!["a", "b"])),
    ) {
        let given = given.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        let facts = Facts { channel, intent, ..blank(&given) };
        let condition = condition(&small.written());
        prop_assert_eq!(condition.evaluate(&facts).ok(), small.value(&facts));
        prop_assert_eq!(condition.holds(&facts), small.value(&facts) == Some(true));
    }
}
