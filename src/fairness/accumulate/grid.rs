//! Waits on a fixed grid of times: bounded, exactly mergeable, with a stated error.

use std::sync::LazyLock;

use crate::fairness::waits::{Counted, Elapsed, WaitCurve};

/// Steps of the grid in each doubling of the wait.
const STEPS_PER_DOUBLING: u32 = 6;
/// Times of the grid: from one second up to 2²² seconds, which is 48 days.
const STEPS: usize = 22 * STEPS_PER_DOUBLING as usize;
/// Each time of the grid over the one before, `2^(1/6)`: quantiles are too high by 12.3 % at most.
pub const GRID_GROWTH: f64 = 1.122_462_048_309_373;

/// The times of the grid in milliseconds, ascending. Each bin holds the waits above the time before.
static TIMES_MS: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let time = |step: usize| 1000.0 * f64::powf(2.0, step as f64 / f64::from(STEPS_PER_DOUBLING));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1e3 to 5e9")]
    (0..=STEPS).map(|step| time(step).ceil() as u64).collect()
});

/// Counts of waits by time. Bins are there once something is in them or below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitGrid {
    /// Assigned and not assigned, by bin; the last bins are left out while they are empty.
    bins: Vec<[i32; 2]>,
}

impl WaitGrid {
    /// Returns the bin of a wait: the first whose time is not below it; beyond the last, the last.
    #[must_use]
    pub(super) fn bin(ms: u64) -> usize {
        TIMES_MS.partition_point(|time| *time < ms).min(STEPS)
    }

    pub(super) fn count(&mut self, bin: usize, assigned: bool, sign: i64) {
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, [0; 2]);
        }
        let cell = &mut self.bins[bin][usize::from(!assigned)];
        // Two thousand million waits of one length in one segment would be more than there are.
        *cell = cell.saturating_add(if sign < 0 { -1 } else { 1 });
        if *cell == 0 {
            self.shorten();
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.bins.len() < other.bins.len() {
            self.bins.resize(other.bins.len(), [0; 2]);
        }
        for (bin, others) in self.bins.iter_mut().zip(&other.bins) {
            bin[0] = bin[0].saturating_add(others[0]);
            bin[1] = bin[1].saturating_add(others[1]);
        }
        self.shorten();
    }

    /// Keeps equal counts equal, whatever was taken back.
    fn shorten(&mut self) {
        while self.bins.last().is_some_and(|bin| *bin == [0; 2]) {
            self.bins.pop();
        }
    }

    /// Returns the curve of the waits, each taken as the time of its bin, with others that are still
    /// running.
    ///
    /// It is Kaplan and Meier's estimate, exact for the waits as they stand on the grid. Where all were
    /// assigned, its quantiles lie between the true ones and [`GRID_GROWTH`] times those (and a
    /// millisecond), or at 1 s where those are below. A ticket last seen between two times of the grid
    /// counts as waiting at the assignments between them.
    ///
    /// - `waiting`: how long tickets that nobody has been assigned to have waited.
    #[must_use]
    pub fn curve(&self, waiting: impl Iterator<Item = Elapsed>) -> WaitCurve {
        let of_bin = |(bin, counts): (usize, &[i32; 2])| {
            // A part that only takes back has no waits of its own.
            let [assigned, censored] = counts.map(|count| u64::try_from(count).unwrap_or(0));
            Counted { secs: TIMES_MS[bin] as f64 / 1000.0, assigned, censored }
        };
        let counted = self.bins.iter().enumerate().map(of_bin);
        WaitCurve::of(counted.chain(waiting.map(Counted::from)).collect())
    }
}
