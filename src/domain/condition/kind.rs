//! Kinds of values, and what operators and functions make of them.

use cel::common::ast::operators::{
    ADD, CONDITIONAL, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS,
    LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, SUBSTRACT,
};

/// What a part of an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// Any other number.
    Double,
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A list of numbers.
    Numbers,
}

impl Kind {
    /// Returns the name CEL gives it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Texts => "list of strings",
            Self::Numbers => "list of numbers",
        }
    }

    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Returns whether values of the two can be equal.
    fn compares(self, other: Self) -> bool {
        self == other || self.is_number() && other.is_number()
    }
}

/// Returns what an operator or function takes, in words; `None` when there is none of that name.
pub(super) fn takes(name: &str, is_method: bool) -> Option<&'static str> {
    Some(match (name, is_method) {
        ("contains" | "endsWith" | "startsWith", true) => "two strings",
        ("size", _) => "a string or a list of strings",
        ("int" | "double", false) => "a number or a string",
        (LOGICAL_AND | LOGICAL_OR, false) => "two bools",
        (LOGICAL_NOT, false) => "a bool",
        (CONDITIONAL, false) => "a bool and two values of one kind",
        (EQUALS | NOT_EQUALS, false) => "two values of one kind",
        (LESS | LESS_EQUALS | GREATER | GREATER_EQUALS, false) => "two numbers or two strings",
        (IN, false) => "a string and a list of strings, or a number and a list of numbers",
        (ADD, false) => "two ints, two doubles or two strings (2.0 and double(2) are doubles)",
        (SUBSTRACT | MULTIPLY | DIVIDE, false) => {
            "two ints or two doubles (2.0 and double(2) are doubles)"
        }
        (MODULO, false) => "two ints",
        (NEGATE, false) => "a number",
        (INDEX, false) => "a list of strings and an int",
        _ => return None,
    })
}

/// Returns what an operator or function makes of its operands; `None` when it cannot take them.
pub(super) fn result(name: &str, kinds: &[Kind]) -> Option<Kind> {
    use Kind::{Bool, Double, Int, Numbers, Text, Texts};
    match (name, kinds) {
        (LOGICAL_AND | LOGICAL_OR, [Bool, Bool]) | (LOGICAL_NOT, [Bool]) => Some(Bool),
        (CONDITIONAL, [Bool, left, right]) if left == right => Some(*left),
        (EQUALS | NOT_EQUALS, [left, right]) if left.compares(*right) => Some(Bool),
        (LESS | LESS_EQUALS | GREATER | GREATER_EQUALS, [left, right]) => {
            let ordered = left.is_number() || *left == Text;
            (ordered && left.compares(*right)).then_some(Bool)
        }
        (IN, [Text, Texts] | [Int | Double, Numbers]) => Some(Bool),
        (ADD, [Text, Text]) | (INDEX, [Texts, Int]) => Some(Text),
        (ADD | SUBSTRACT | MULTIPLY | DIVIDE | MODULO, [Int, Int]) | (NEGATE, [Int]) => Some(Int),
        (ADD | SUBSTRACT | MULTIPLY | DIVIDE, [Double, Double]) | (NEGATE, [Double]) => {
            Some(Double)
        }
        ("contains" | "endsWith" | "startsWith", [Text, Text]) => Some(Bool),
        ("size", [Text | Texts]) | ("int", [Int | Double | Text]) => Some(Int),
        ("double", [Int | Double | Text]) => Some(Double),
        _ => None,
    }
}
