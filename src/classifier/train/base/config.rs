//! What `config.json` says of an encoder from elsewhere, and whether our arithmetic is its.
//!
//! Ours is post-norm attention with learned absolute positions and the exact GELU. A folder that
//! computes anything else is refused: its weights would load and mean nothing.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::classifier::encoder::EncoderConfig;

/// Largest count in a configuration.
const COUNT_MAX: usize = i32::MAX as usize;
/// Fewest positions: opening and closing token and one between.
const POSITIONS_MIN: usize = 3;
/// Layer norms of DistilBERT add this; its configuration does not say.
const DISTILBERT_EPS: f64 = 1e-12;
/// The padding token of RoBERTa's configuration when it names none.
const ROBERTA_PADDING: usize = 1;

/// How an encoder names its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bert,
    Electra,
    Roberta,
    DistilBert,
}

/// Values of `model_type` whose arithmetic is ours.
const KINDS: [(&str, Kind); 6] = [
    ("bert", Kind::Bert),
    ("camembert", Kind::Roberta),
    ("distilbert", Kind::DistilBert),
    ("electra", Kind::Electra),
    ("roberta", Kind::Roberta),
    ("xlm-roberta", Kind::Roberta),
];

/// Values of `model_type` that one may hope for, and what sets them apart.
const UNFIT: [(&str, &str); 11] = [
    ("albert", "its layers share one set of weights and its embeddings are projected"),
    ("big_bird", "its attention leaves out most pairs of tokens"),
    ("deberta", "its attention looks at content and at distance apart"),
    ("deberta-v2", "its attention looks at content and at distance apart"),
    ("longformer", "its attention leaves out most pairs of tokens"),
    ("modernbert", "it turns vectors by their position and normalises before each layer"),
    ("mpnet", "its attention adds a learned number for the distance of two tokens"),
    ("nomic_bert", "it turns vectors by their position"),
    ("roberta-prelayernorm", "it normalises before each layer, not after"),
    ("xlm-roberta-xl", "it normalises before each layer, not after"),
    ("xlnet", "its attention goes by the distance of two tokens"),
];

/// An encoder as its configuration describes it.
pub(super) struct Described {
    pub(super) kind: Kind,
    /// Its shape; positions are those that a token can have.
    pub(super) encoder: EncoderConfig,
    /// First rows of its positions that no token has: RoBERTa counts from after its padding token.
    pub(super) positions_unused: usize,
    /// Rows of its text types; 0 when it knows none.
    pub(super) types: usize,
}

impl Described {
    /// Reads a configuration; says which key does not fit, its value and what is allowed.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let Value::Object(fields) = value else { return Err("is not a JSON object".to_owned()) };
        let fields = Fields(fields);
        let kind = fields.kind()?;
        let [hidden, heads, layers, intermediate, activation] = match kind {
            Kind::DistilBert => ["dim", "n_heads", "n_layers", "hidden_dim", "activation"],
            _ => [
                "hidden_size",
                "num_attention_heads",
                "num_hidden_layers",
                "intermediate_size",
                "hidden_act",
            ],
        };
        fields.arithmetic(activation)?;
        let any = 1..=COUNT_MAX;
        let hidden_size = fields.count(hidden, any.clone())?;
        let attention_heads = fields.count(heads, any.clone())?;
        if !hidden_size.is_multiple_of(attention_heads) {
            return Err(format!(
                "{hidden} is {hidden_size} and {heads} is {attention_heads}; allowed are heads that \
                 divide the width"
            ));
        }
        if kind == Kind::Electra {
            let width = fields.count("embedding_size", any.clone())?;
            if width != hidden_size {
                return Err(format!(
                    "embedding_size is {width} and {hidden} is {hidden_size}; allowed are equal \
                     ones, for a projection between them is not computed here"
                ));
            }
        }
        let positions_unused = fields.positions_unused(kind)?;
        let least = positions_unused + POSITIONS_MIN;
        let positions = fields.count("max_position_embeddings", least..=COUNT_MAX)?;
        let distilbert = kind == Kind::DistilBert;
        Ok(Self {
            kind,
            positions_unused,
            types: if distilbert { 0 } else { fields.count("type_vocab_size", any.clone())? },
            encoder: EncoderConfig {
                layers: fields.count(layers, any.clone())?,
                hidden: hidden_size,
                attention_heads,
                intermediate: fields.count(intermediate, any.clone())?,
                vocabulary: fields.count("vocab_size", any)?,
                positions: positions - positions_unused,
                layer_norm_eps: if distilbert { DISTILBERT_EPS } else { fields.eps()? },
            },
        })
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    /// A key's value; absent and null are the same.
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn wrong<T>(&self, key: &str, allowed: &str) -> Result<T, String> {
        Err(match self.get(key) {
            Some(value) => format!("{key} is {value}; allowed {allowed}"),
            None => format!("{key} is missing; allowed {allowed}"),
        })
    }

    fn kind(&self) -> Result<Kind, String> {
        let found = self.get("model_type").and_then(Value::as_str);
        if let Some((_, kind)) = KINDS.iter().find(|(name, _)| Some(*name) == found) {
            return Ok(*kind);
        }
        let names = KINDS.map(|(name, _)| name).join(", ");
        let unfit = UNFIT.iter().find(|(name, _)| Some(*name) == found);
        let because = unfit.map(|(_, why)| format!(" ({why})")).unwrap_or_default();
        self.wrong("model_type", &format!("are {names}{because}"))
    }

    /// Checks what the arithmetic depends on beside its sizes.
    fn arithmetic(&self, activation: &str) -> Result<(), String> {
        if self.get(activation).and_then(Value::as_str) != Some("gelu") {
            return self.wrong(activation, "is \"gelu\"");
        }
        let positions = self.get("position_embedding_type");
        if positions.is_some_and(|kind| kind.as_str() != Some("absolute")) {
            return self.wrong("position_embedding_type", "is \"absolute\"");
        }
        for key in ["is_decoder", "add_cross_attention"] {
            if self.get(key).is_some_and(|value| value.as_bool() != Some(false)) {
                return self.wrong(key, "is false: an encoder sees the words on both sides");
            }
        }
        Ok(())
    }

    fn count(&self, key: &str, allowed: RangeInclusive<usize>) -> Result<usize, String> {
        let found = self.get(key).and_then(Value::as_u64);
        match found.and_then(|count| usize::try_from(count).ok()) {
            Some(count) if allowed.contains(&count) => Ok(count),
            _ => {
                let (from, to) = (allowed.start(), allowed.end());
                self.wrong(key, &format!("are whole numbers from {from} to {to}"))
            }
        }
    }

    fn positions_unused(&self, kind: Kind) -> Result<usize, String> {
        const PADDING: &str = "pad_token_id";
        match kind {
            Kind::Roberta if self.0.contains_key(PADDING) => {
                Ok(self.count(PADDING, 0..=COUNT_MAX)? + 1)
            }
            Kind::Roberta => Ok(ROBERTA_PADDING + 1),
            _ => Ok(0),
        }
    }

    fn eps(&self) -> Result<f64, String> {
        const EPS: &str = "layer_norm_eps";
        match self.get(EPS).and_then(Value::as_f64) {
            Some(eps) if eps > 0.0 && eps <= 1.0 => Ok(eps),
            _ => self.wrong(EPS, "are numbers above 0, up to 1"),
        }
    }
}
