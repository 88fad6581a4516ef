//! Conditions of routes: what the lists of a route cannot say, as an expression in CEL.
//!
//! CEL is the Common Expression Language of cel.dev. An expression is read and checked once, when the
//! policy is written; what passes can fail at a ticket only for want of a value (an attribute the
//! ticket lacks, an index past the end, a text that is no number) or in arithmetic (overflow, division
//! by zero, the order of 0.0 / 0.0). A failure counts as "does not hold", and so does its negation: on
//! a ticket without `plan`, neither `attributes.plan == "gold"` nor `!(attributes.plan == "gold")`
//! holds, while `!has(attributes.plan) || attributes.plan != "gold"` does. As CEL has it, `||` and `&&`
//! get over a failure on one side where the other side decides.
//!
//! - `check`: whether an expression is one we can trust, by the kind of each of its parts
//! - `facts`: what an expression can read
//! - `kind`: what operators and functions make of what they are given
//! - `problem`: what can be wrong

mod check;
mod facts;
mod kind;
mod problem;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, LazyLock},
};

use cel::{
    Context, Env, ExecutionError, IdedExpr, ParseErrors, Value, common::types::CelBool,
    parser::Parser,
};
use serde::{Deserialize, Serialize};

pub use facts::Facts;
pub use problem::Problem;

use super::limits::{CONDITION_CHARS_MAX, CONDITION_DEPTH_MAX};

/// The operators and functions of CEL. It holds no state.
static CEL: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::default().with_optional_support(false).with_stdlib()));

/// A checked expression over [`Facts`]. Cheap to clone; equal when the sources are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition(Arc<Parsed>);

struct Parsed {
    source: String,
    expression: IdedExpr,
    attributes: BTreeSet<String>,
}

/// Why an expression is refused, and where. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct InvalidCondition {
    /// Line of the expression.
    pub line: usize,
    /// Character of the line.
    pub column: usize,
    /// What is wrong, and what is allowed.
    pub problem: Problem,
}

impl Condition {
    /// Reads and checks an expression.
    ///
    /// # Errors
    ///
    /// Says where the first [`Problem`] is: the expression is too long or too deep, is not CEL, names
    /// what we do not have, or joins what does not go together.
    pub fn parse(source: &str) -> Result<Self, InvalidCondition> {
        let chars = source.chars().count();
        if chars > CONDITION_CHARS_MAX {
            let problem = Problem::TooLong { chars, chars_max: CONDITION_CHARS_MAX };
            return Err(InvalidCondition { line: 1, column: 1, problem });
        }
        let parser = Parser::new().max_recursion_depth(CONDITION_DEPTH_MAX);
        let (expression, places) = parser.parse_with_source_info(source).map_err(unreadable)?;
        let attributes = check::check(&expression, &places)?;
        Ok(Self(Arc::new(Parsed { source: source.to_owned(), expression, attributes })))
    }

    /// Returns whether the facts of a ticket fulfil it. What fails does not hold.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        self.evaluate(facts) == Ok(true)
    }

    /// Returns the expression as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Returns the names of the attributes it reads, each once, in ascending order.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.0.attributes.iter().map(String::as_str)
    }

    /// Returns whether it reads a variable, for example `language`.
    #[must_use]
    pub fn reads(&self, variable: &str) -> bool {
        self.0.expression.references().has_variable(variable)
    }

    fn evaluate(&self, facts: &Facts<'_>) -> Result<bool, ExecutionError> {
        let variables = facts::Variables(facts);
        let mut context = Context::with_env(Arc::clone(&CEL));
        // The resolver makes a value when one is asked for, so that unread variables cost nothing.
        context.set_variable_resolver(&variables);
        let value = Value::resolve_val(&self.0.expression, &context)?;
        let held = value.downcast_ref::<CelBool>().map(|held| *held.inner());
        held.ok_or_else(|| ExecutionError::UnexpectedType {
            got: value.get_type().name().to_owned(),
            want: "bool".to_owned(),
        })
    }
}

/// Turns the parser's errors into ours: the first in the text, or the depth, which begets others.
fn unreadable(errors: ParseErrors) -> InvalidCondition {
    let too_deep = errors.errors.iter().find(|error| error.msg.contains("Recursion limit of"));
    let Some(error) = too_deep.or(errors.errors.first()) else {
        let problem = Problem::Syntax { message: "unreadable".to_owned() };
        return InvalidCondition { line: 1, column: 1, problem };
    };
    let problem = match too_deep {
        Some(_) => Problem::TooDeep { depth_max: CONDITION_DEPTH_MAX },
        None => Problem::Syntax { message: readable(&error.msg) },
    };
    let from_1 = |place: isize| usize::try_from(place).unwrap_or(1).max(1);
    InvalidCondition { line: from_1(error.pos.0), column: from_1(error.pos.1), problem }
}

/// Says in words what the parser lists token by token.
fn readable(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    match message.split_once(" expecting {") {
        None => message.to_owned(),
        Some((found, expected)) if expected.contains("IDENTIFIER") => {
            format!("{found}, expecting a value")
        }
        Some((found, _)) => format!("{found}, expecting an operator or the end"),
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Condition").field(&self.source()).finish()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.source())
    }
}

impl TryFrom<String> for Condition {
    type Error = InvalidCondition;

    fn try_from(source: String) -> Result<Self, InvalidCondition> {
        Self::parse(&source)
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.source().to_owned()
    }
}
