//! What can be wrong with an expression, and what is allowed instead.

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The expression is too long.
    #[error("the expression has {chars} characters, {chars_max} at most")]
    TooLong {
        /// Its length, in characters.
        chars: usize,
        /// The longest allowed, in characters.
        chars_max: usize,
    },
    /// Too many parts inside each other.
    #[error("parts are nested more than {depth_max} deep")]
    TooDeep {
        /// The most allowed.
        depth_max: u16,
    },
    /// The expression is not CEL.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A variable does not exist.
    #[error("`{name}` is unknown; there are {known}")]
    UnknownVariable {
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A function or macro does not exist.
    #[error(
        "there is no function `{name}`; there are contains, endsWith, startsWith, size, int, double, \
         has, and exists and all of intents"
    )]
    UnknownFunction {
        /// The name.
        name: String,
    },
    /// A form of CEL that conditions do without.
    #[error("{found} cannot be used here: {allowed}")]
    NotAllowed {
        /// The form.
        found: &'static str,
        /// What can be used.
        allowed: &'static str,
    },
    /// An operator or function cannot take what it is given.
    #[error("`{name}` takes {takes}, not {found}")]
    Operands {
        /// The operator or function.
        name: String,
        /// What it is given.
        found: String,
        /// What it takes.
        takes: &'static str,
    },
    /// A variable is compared with a label it never has.
    #[error("`{variable}` is never {label:?}; it is one of {allowed}")]
    UnknownLabel {
        /// The variable.
        variable: &'static str,
        /// The label.
        label: String,
        /// The labels it can have.
        allowed: String,
    },
    /// The expression is not true or false.
    #[error("a condition is a bool, and this is {found}")]
    NotBoolean {
        /// What it is.
        found: &'static str,
    },
}
