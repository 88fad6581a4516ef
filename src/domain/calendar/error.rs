//! Why a calendar is refused.

use std::fmt;

/// Why a calendar is refused. Fields are named as in [`CalendarForm`](super::CalendarForm), values
/// are cut to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The database has no such time zone.
    #[error(
        "time_zone {value:?} is unknown; allowed are names of the IANA database, \
         as Europe/Berlin or UTC"
    )]
    TimeZone {
        /// What was given.
        value: String,
    },
    /// A time of day cannot be read.
    #[error("{field} {value:?} is no time of day; allowed is HH:MM from 00:00 to {max}")]
    Time {
        /// Which one, as `weekly[2].from`.
        field: String,
        /// What was given.
        value: String,
        /// Latest time allowed there.
        max: &'static str,
    },
    /// An interval ends before it starts, or is empty.
    #[error(
        "{field} is {from} to {to}; `to` must be later than `from`, at most 24:00: \
         hours past midnight are a second interval, from 00:00 on the next day"
    )]
    Backwards {
        /// Which one, as `weekly[2]` or `exceptions["2026-12-24"][0]`.
        field: String,
        /// Start given.
        from: Minute,
        /// End given.
        to: Minute,
    },
    /// Two intervals of one day share time.
    #[error(
        "{field} from {from} overlaps one until {to} of the same day; \
         one may start when the other ends"
    )]
    Overlap {
        /// The later one, as `weekly[2]` or `exceptions["2026-12-24"][1]`.
        field: String,
        /// When it starts.
        from: Minute,
        /// When the earlier one ends.
        to: Minute,
    },
    /// A date cannot be read.
    #[error(
        "exceptions has the key {value:?}; allowed are dates written YYYY-MM-DD, as 2026-12-25"
    )]
    Date {
        /// What was given.
        value: String,
    },
    /// A list is too long.
    #[error("{field} has {count} entries; allowed are {max}")]
    TooMany {
        /// Which one.
        field: String,
        /// How many were given.
        count: usize,
        /// Most that are allowed.
        max: usize,
    },
    /// There is no open time at all.
    #[error("weekly and exceptions hold no interval; at least one is needed, or it is never open")]
    NeverOpen,
}

/// A minute of a day, 0 to 1440, shown as `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(pub(super) u16);

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}
