//! Time that never goes back and never stands still, whatever the wall clock does.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    clock::Clock,
    domain::{planted::planted, time::UnixMillis},
};

/// The engine's time: the wall clock, made monotone.
///
/// When the wall clock is set back, time goes on from where it was, at the clock's pace; it is the
/// wall clock's again once that has caught up.
pub(super) struct SteadyClock {
    clock: Arc<dyn Clock>,
    progress: Mutex<Progress>,
}

struct Progress {
    newest: UnixMillis,
    ahead_ms: i64,
}

impl SteadyClock {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let progress = Progress { newest: UnixMillis(i64::MIN), ahead_ms: 0 };
        Self { clock, progress: Mutex::new(progress) }
    }

    /// Makes time start no earlier than this: the newest entry of a journal.
    pub(super) fn start_after(&self, at: UnixMillis) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.newest = progress.newest.max(at);
    }

    /// Returns now.
    pub(super) fn now(&self) -> UnixMillis {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let wall = self.clock.now();
        if wall >= progress.newest || planted!(TimeGoesBack) {
            progress.ahead_ms = 0;
            progress.newest = wall;
            return wall;
        }
        let steady = UnixMillis(wall.0.saturating_add(progress.ahead_ms));
        if steady < progress.newest {
            progress.ahead_ms = progress.newest.0.saturating_sub(wall.0);
        }
        progress.newest = progress.newest.max(steady);
        progress.newest
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn time_goes_on_when_the_wall_clock_is_set_back() {
        let hands = Arc::new(Hands(AtomicI64::new(0)));
        let steady = SteadyClock::new(hands.clone());
        let read = |wall: i64| {
            hands.0.store(wall, Ordering::Relaxed);
            steady.now().0
        };
        assert_eq!(read(1_000), 1_000);
        assert_eq!(read(400), 1_000, "set back by 600");
        assert_eq!(read(450), 1_050, "50 later");
        assert_eq!(read(450), 1_050);
        assert_eq!(read(100), 1_050, "set back again");
        assert_eq!(read(110), 1_060);
        assert_eq!(read(2_000), 2_000, "right again");
        assert_eq!(read(2_001), 2_001);
    }

    #[test]
    fn time_starts_after_the_newest_entry() {
        let steady = SteadyClock::new(Arc::new(Hands(AtomicI64::new(5))));
        steady.start_after(UnixMillis(70));
        steady.start_after(UnixMillis(60));
        assert_eq!(steady.now(), UnixMillis(70));
    }
}
