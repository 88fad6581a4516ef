//! How long to wait before a sink that failed is tried again.

use std::time::Duration;

/// Wait after the first failure, at most.
const FIRST: Duration = Duration::from_millis(200);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double, from a fifth of a second to half a minute.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the next wait; `chance`, from 0 to 1, spreads servers that failed together over its upper half.
    pub(super) fn next(&mut self, chance: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled.min(LONGEST).mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }

    /// It works again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_spread() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..10).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(backoff.next(0.0), Duration::from_secs(15));
        for _ in 0..100 {
            assert!(backoff.next(0.5) < LONGEST);
        }
        backoff.reset();
        assert_eq!(backoff.next(0.0), Duration::from_millis(100));
    }
}
