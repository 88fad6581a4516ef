//! Checks every request completely before any work: all that is wrong is reported at once.
//!
//! A message names the field and what is allowed. It never repeats what a ticket says, which may be
//! personal; what administrators write (numbers, times, expressions) it may.

mod agent;
mod calendar;
mod policy;
mod skills;
mod text;
mod ticket;
mod workspace;

pub(crate) use agent::{presence, profile};
pub(crate) use policy::{KnownNames, policy, warnings};
pub(crate) use ticket::{Declared, new_ticket, outcome, status, transfer};
pub(crate) use workspace::{settings, skill};

use std::ops::RangeInclusive;

use super::error::{Error, Violation};
use crate::{
    app::PageRequest,
    domain::{
        id::{AgentId, InvalidId, OfferId, SkillId, TicketId, WorkspaceId},
        limits::{ID_CHARS_MAX, IDEMPOTENCY_KEY_CHARS_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX},
        time::UnixMillis,
    },
};

/// Most bytes of violations that are spelled out: details travel in a header, and clients take
/// 8 KiB of headers or more.
const VIOLATION_BYTES_MAX: usize = 3 * 1024;
/// Longest key that a field path repeats, in characters.
const PATH_KEY_CHARS_MAX: usize = 64;

/// Collects everything that is wrong with a request.
#[derive(Debug, Default)]
pub(crate) struct Check {
    violations: Vec<Violation>,
    bytes: usize,
    left_out_count: usize,
}

impl Check {
    /// Notes that a field breaks a rule; `allowed` reads like "must be 1 to 5".
    pub(crate) fn reject(&mut self, field: &str, allowed: impl Into<String>) {
        let message = allowed.into();
        let bytes = self.bytes + field.len() + message.len();
        if bytes > VIOLATION_BYTES_MAX {
            self.left_out_count += 1;
        } else {
            self.bytes = bytes;
            self.violations.push(Violation { field: field.to_owned(), message });
        }
    }

    /// Returns the value when nothing was rejected. `value` may be `None` only after a rejection.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Error> {
        if self.left_out_count > 0 {
            let message = format!("{} more fields break a rule", self.left_out_count);
            self.violations.push(Violation { field: String::new(), message });
        }
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(Error::Invalid(self.violations)),
        }
    }

    /// Takes a text of so many characters, normalised.
    pub(crate) fn text(
        &mut self,
        field: &str,
        value: &str,
        chars: RangeInclusive<usize>,
    ) -> String {
        let value = text::normalise(value);
        let count = value.chars().count();
        let (min, max) = (*chars.start(), *chars.end());
        if count > max {
            self.reject(field, format!("must have at most {max} characters, has {count}"));
        } else if min > 0 && !text::is_visible(&value) {
            self.reject(field, format!("must have {min} to {max} characters, one of them visible"));
        }
        value
    }

    /// Takes a whole number in a range.
    pub(crate) fn range(&mut self, field: &str, value: u32, allowed: RangeInclusive<u32>) -> u32 {
        if !allowed.contains(&value) {
            let (min, max) = (allowed.start(), allowed.end());
            self.reject(field, format!("must be {min} to {max}, not {value}"));
        }
        value
    }

    /// Takes a small whole number in a range.
    pub(crate) fn small(&mut self, field: &str, value: u32, allowed: RangeInclusive<u8>) -> u8 {
        let (min, max) = (*allowed.start(), *allowed.end());
        self.range(field, value, u32::from(min)..=u32::from(max));
        u8::try_from(value).unwrap_or(max)
    }

    /// Rejects a list that is too long; returns whether its items may be looked at.
    pub(crate) fn count(&mut self, field: &str, count: usize, max: usize) -> bool {
        if count > max {
            self.reject(field, format!("must have at most {max} entries, has {count}"));
        }
        count <= max
    }

    /// Takes a message that must be there.
    pub(crate) fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.reject(field, "is required");
        }
        value
    }

    /// Takes a workspace identifier.
    pub(crate) fn workspace(&mut self, field: &str, value: &str) -> Option<WorkspaceId> {
        self.identifier(field, value, WorkspaceId::new)
    }

    /// Takes an agent identifier.
    pub(crate) fn agent(&mut self, field: &str, value: &str) -> Option<AgentId> {
        self.identifier(field, value, AgentId::new)
    }

    /// Takes a skill identifier.
    pub(crate) fn skill(&mut self, field: &str, value: &str) -> Option<SkillId> {
        self.identifier(field, value, SkillId::new)
    }

    /// Takes a ticket identifier.
    pub(crate) fn ticket(&mut self, field: &str, value: &str) -> Option<TicketId> {
        self.identifier(field, value, TicketId::new)
    }

    /// Takes an offer identifier.
    pub(crate) fn offer(&mut self, field: &str, value: &str) -> Option<OfferId> {
        let offer = value.parse().ok();
        if offer.is_none() {
            self.reject(
                field,
                "must be an offer's identifier, as StreamOffers and GetDesk give it",
            );
        }
        offer
    }

    fn identifier<T>(
        &mut self,
        field: &str,
        value: &str,
        new: impl Fn(String) -> Result<T, InvalidId>,
    ) -> Option<T> {
        match new(value.to_owned()) {
            Ok(id) => Some(id),
            Err(InvalidId { alphabet, .. }) => {
                let allowed = format!("must be 1 to {ID_CHARS_MAX} characters of {alphabet}");
                self.reject(field, allowed);
                None
            }
        }
    }

    /// Takes an idempotency key; empty for none.
    pub(crate) fn idempotency_key(&mut self, value: &str) {
        let visible = value.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || value.len() > IDEMPOTENCY_KEY_CHARS_MAX {
            let max = IDEMPOTENCY_KEY_CHARS_MAX;
            self.reject(
                "idempotency_key",
                format!("must be at most {max} visible ASCII characters"),
            );
        }
    }

    /// Takes the ends of a period; the start must not come after the end.
    pub(crate) fn period(
        &mut self,
        start: Option<prost_types::Timestamp>,
        end: Option<prost_types::Timestamp>,
    ) -> (Option<UnixMillis>, Option<UnixMillis>) {
        let start = self.time("start_time", start);
        let end = self.time("end_time", end);
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            self.reject("end_time", "must not be earlier than start_time");
        }
        (start, end)
    }

    fn time(&mut self, field: &str, value: Option<prost_types::Timestamp>) -> Option<UnixMillis> {
        let value = value?;
        let millis = super::convert::millis(&value);
        if millis.is_none() {
            self.reject(field, "must be a time between the years 1 and 9999");
        }
        millis
    }
}

/// Returns the path of an entry of a map; a key that may hold anything is not repeated.
pub(crate) fn entry(field: &str, index: usize, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=PATH_KEY_CHARS_MAX).contains(&key.len()) && key.chars().all(plain) {
        format!("{field}[{key}]")
    } else {
        format!("{field}[entry {index}]")
    }
}

/// Returns the page asked for: 0 means the default, above the most is taken as the most.
pub(crate) fn page(size: u32, token: String) -> PageRequest {
    let size = if size == 0 { PAGE_SIZE_DEFAULT } else { size.min(PAGE_SIZE_MAX) };
    PageRequest { size, token }
}

#[cfg(test)]
mod tests;
