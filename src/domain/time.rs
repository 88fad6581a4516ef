//! Points in time, always passed in.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Returns the point `secs` seconds later.
    #[must_use]
    pub fn plus_secs(self, secs: u32) -> Self {
        Self(self.0.saturating_add(i64::from(secs) * 1000))
    }

    /// Returns the point `secs` seconds earlier.
    #[must_use]
    pub fn minus_secs(self, secs: u32) -> Self {
        Self(self.0.saturating_sub(i64::from(secs) * 1000))
    }

    /// Returns the point `millis` milliseconds later.
    #[must_use]
    pub fn plus_millis(self, millis: u32) -> Self {
        Self(self.0.saturating_add(i64::from(millis)))
    }

    /// Returns the milliseconds from `earlier` to here, 0 when `earlier` is later.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}
