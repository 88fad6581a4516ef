//! What a condition can read: a ticket's reading and what its platform says, nothing of its customer.

use std::{collections::BTreeMap, sync::Arc};

use cel::{
    ExecutionError,
    common::{
        traits::{Container, Indexer},
        types::{CelBool, CelDouble, CelInt, CelList, CelString, MAP_TYPE, Type},
        value::{CowVal, Val},
    },
    context::VariableResolver,
};

use super::kind::Kind;

/// What a condition can read of a ticket: neither text nor customer nor segments.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The most probable intent; `""` in expressions when there is none.
    pub intent: Option<&'a str>,
    /// Probability of `intent`, 0 to 1; 0 when there is none.
    pub intent_confidence: f64,
    /// The intents that the ticket asks for.
    pub intents: &'a [&'a str],
    /// Whether no intent of the model fits.
    pub out_of_scope: bool,
    /// Label of the sentiment.
    pub sentiment: &'a str,
    /// Graded sentiment, -1 to 1.
    pub sentiment_score: f64,
    /// Label of the urgency.
    pub urgency: &'a str,
    /// Graded urgency, 0 to 1.
    pub urgency_score: f64,
    /// ISO 639-1 code; `""` in expressions when undetermined.
    pub language: Option<&'a str>,
    /// Channel name.
    pub channel: &'a str,
    /// The platform's priority, 0 to 10.
    pub priority: u8,
    /// Attributes that routing rules may use.
    pub attributes: &'a BTreeMap<String, String>,
}

/// Name of the variable that is read by attribute.
pub(super) const ATTRIBUTES: &str = "attributes";
/// Name of the only variable that `exists` and `all` go through: a reading has few intents.
pub(super) const INTENTS: &str = "intents";

/// A variable of expressions.
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The labels it can have; empty where anything goes.
    pub(super) labels: &'static [&'static str],
}

const fn variable(name: &'static str, kind: Kind, labels: &'static [&'static str]) -> Variable {
    Variable { name, kind, labels }
}

/// All variables but [`ATTRIBUTES`]. The labels are those of `Sentiment` and `Urgency` in the domain.
pub(super) const VARIABLES: [Variable; 11] = [
    variable("channel", Kind::Text, &[]),
    variable("intent", Kind::Text, &[]),
    variable("intent_confidence", Kind::Double, &[]),
    variable(INTENTS, Kind::Texts, &[]),
    variable("language", Kind::Text, &[]),
    variable("out_of_scope", Kind::Bool, &[]),
    variable("priority", Kind::Int, &[]),
    variable("sentiment", Kind::Text, &["negative", "neutral", "positive"]),
    variable("sentiment_score", Kind::Double, &[]),
    variable("urgency", Kind::Text, &["low", "normal", "high", "critical"]),
    variable("urgency_score", Kind::Double, &[]),
];

/// Gives an expression its variables.
pub(super) struct Variables<'a>(pub(super) &'a Facts<'a>);

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let facts = self.0;
        Some(match variable {
            ATTRIBUTES => CowVal::owned(Attributes(facts.attributes)),
            "channel" => text(facts.channel),
            "intent" => text(facts.intent.unwrap_or_default()),
            "intent_confidence" => CowVal::owned(CelDouble::from(facts.intent_confidence)),
            INTENTS => {
                let boxed = |intent: &&'b str| Box::new(CelString::from(*intent)) as Box<dyn Val>;
                let intents: Vec<Box<dyn Val + 'b>> = facts.intents.iter().map(boxed).collect();
                CowVal::owned(CelList::from(intents))
            }
            "language" => text(facts.language.unwrap_or_default()),
            "out_of_scope" => CowVal::owned(CelBool::from(facts.out_of_scope)),
            "priority" => CowVal::owned(CelInt::from(i64::from(facts.priority))),
            "sentiment" => text(facts.sentiment),
            "sentiment_score" => CowVal::owned(CelDouble::from(facts.sentiment_score)),
            "urgency" => text(facts.urgency),
            "urgency_score" => CowVal::owned(CelDouble::from(facts.urgency_score)),
            _ => return None,
        })
    }
}

fn text(value: &str) -> CowVal<'_, '_> {
    CowVal::owned(CelString::from(value))
}

/// The attributes of a ticket, looked up where they are instead of copied into a map of CEL's.
#[derive(Debug)]
struct Attributes<'a>(&'a BTreeMap<String, String>);

impl<'a> Attributes<'a> {
    fn find(&self, name: &dyn Val) -> Result<&'a str, ExecutionError> {
        let name = name.downcast_ref::<CelString>().map_or("", |name| name.inner());
        let value = self.0.get(name).map(String::as_str);
        value.ok_or_else(|| ExecutionError::NoSuchKey(Arc::new(name.to_owned())))
    }
}

impl Val for Attributes<'_> {
    fn get_type(&self) -> &Type {
        Self::cel_type()
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self(self.0))
    }
}

impl Container for Attributes<'_> {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(name).is_ok())
    }
}

impl Indexer for Attributes<'_> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.find(name).map(|value| CowVal::owned(CelString::from(value)))
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(name).map(CowVal::into_owned)
    }
}
