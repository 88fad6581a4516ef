//! The time zone of a calendar as a clock that never goes back.

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

/// More than clocks were ever put back at once, in milliseconds: a day and a bit, for those who
/// moved to the other side of the date line.
const PUT_BACK_MS_MAX: i64 = 26 * 3_600_000;

/// A time zone of the IANA database that is part of this program.
///
/// The machine's own database and the environment are never asked, so that the same journal
/// replays the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone(TimeZone);

/// Moments in a row over which the calendar's clock either runs evenly or stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// First moment, in Unix milliseconds.
    pub from: i64,
    /// First moment no longer part of it; always later than `from`.
    pub until: i64,
    /// What the clock shows at `from`, in milliseconds since 1970-01-01 00:00 on that clock.
    pub shown: i64,
    /// Whether the clock stands.
    pub stands: bool,
}

impl Zone {
    /// Earliest moment that is looked at, in Unix milliseconds: 1970. No ticket is older, and time
    /// zones were not yet what they are before.
    pub(super) const MOMENT_MIN: i64 = 0;
    /// Latest moment that is looked at, in Unix milliseconds: 9999-12-30T22:00:00Z, where the
    /// library ends.
    pub(super) const MOMENT_MAX: i64 = 253_402_207_200_000;

    /// Returns the zone of a name, in any case; `None` when the database has none.
    pub(super) fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        // `Etc/Unknown` is known to the library and means that nothing is.
        (!zone.is_unknown()).then_some(Self(zone))
    }

    /// Returns the name as the database writes it.
    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns the stretch that begins at `at`, between [`Zone::MOMENT_MIN`] and
    /// [`Zone::MOMENT_MAX`].
    ///
    /// Local time that is skipped makes a new stretch whose clock shows more. Local time that
    /// comes twice makes one that stands just before the time the clocks were put back at, until
    /// they show that time again.
    pub(super) fn stretch(&self, at: i64) -> Stretch {
        let (last, until) = self.transitions_around(at);
        let offset_ms = self.offset_ms(at);
        if let Some(last) = last {
            let before_ms = self.offset_ms(last - 1);
            let caught_up = last + before_ms - offset_ms;
            if at < caught_up {
                let (until, shown) = (until.min(caught_up), last + before_ms - 1);
                return Stretch { from: at, until, shown, stands: true };
            }
        }
        Stretch { from: at, until, shown: at + offset_ms, stands: false }
    }

    /// Returns when the offset changed last, if that may still be felt at `at`, and when it
    /// changes next.
    ///
    /// It only asks for what follows: asked for what precedes, jiff 1.0.2 passes over the last
    /// change that the database lists (that of 2022-11-30 in America/Ciudad_Juarez).
    fn transitions_around(&self, at: i64) -> (Option<i64>, i64) {
        let mut last = None;
        for transition in self.0.following(timestamp(at - PUT_BACK_MS_MAX)) {
            let moment = transition.timestamp().as_millisecond();
            if moment > at {
                return (last, moment);
            }
            last = Some(moment);
        }
        (last, i64::MAX)
    }

    /// Returns how far local time is ahead of UTC, in milliseconds.
    fn offset_ms(&self, at: i64) -> i64 {
        i64::from(self.0.to_offset(timestamp(at)).seconds()) * 1000
    }
}

/// Returns a moment in the library's form; what it cannot hold becomes the nearest it can.
fn timestamp(at: i64) -> Timestamp {
    let bounded = at.clamp(Zone::MOMENT_MIN, Zone::MOMENT_MAX);
    Timestamp::from_millisecond(bounded).unwrap_or(Timestamp::MAX)
}
