//! Identifiers: short strings of a safe alphabet, checked once when they are made, cheap to clone.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::limits::ID_CHARS_MAX;

/// A text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {ID_CHARS_MAX} characters of {alphabet}, not {value:?}")]
pub struct InvalidId {
    /// What was given, cut to 80 characters.
    pub value: String,
    /// The characters allowed, as a text for people.
    pub alphabet: &'static str,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $extra:literal, $alphabet:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the identifier.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is empty, too long or has other characters.
            pub fn new(value: impl Into<String>) -> Result<Self, InvalidId> {
                let value = value.into();
                let allowed = |c: char| c.is_ascii_alphanumeric() || $extra.contains(c);
                if (1..=ID_CHARS_MAX).contains(&value.len()) && value.chars().all(allowed) {
                    Ok(Self(value.into()))
                } else {
                    let value = value.chars().take(80).collect();
                    Err(InvalidId { value, alphabet: $alphabet })
                }
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(value: String) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }
    };
}

identifier!(
    /// Names a workspace.
    WorkspaceId, "._-", "a-z A-Z 0-9 . _ -"
);
identifier!(
    /// Names a ticket; the server makes it.
    TicketId, "-", "a-z A-Z 0-9 -"
);
identifier!(
    /// Names an agent.
    AgentId, "._@-", "a-z A-Z 0-9 . _ @ -"
);
identifier!(
    /// Names who makes a call: an agent, a platform, an administrator.
    ActorId, "._@-", "a-z A-Z 0-9 . _ @ -"
);
identifier!(
    /// Names a skill.
    SkillId, "._/-", "a-z A-Z 0-9 . _ / -"
);

/// Names an offer: the ticket and the epoch that fences it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OfferId {
    /// The ticket offered.
    pub ticket: TicketId,
    /// The number of this offer of the ticket, from 1.
    pub epoch: u32,
}

impl fmt::Display for OfferId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.ticket, self.epoch)
    }
}

impl std::str::FromStr for OfferId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            value: text.chars().take(80).collect(),
            alphabet: "a ticket identifier, a full stop and a number",
        };
        let (ticket, epoch) = text.rsplit_once('.').ok_or_else(invalid)?;
        let epoch = epoch.parse().map_err(|_| invalid())?;
        Ok(Self { ticket: TicketId::new(ticket).map_err(|_| invalid())?, epoch })
    }
}
