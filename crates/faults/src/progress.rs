//! Says on stderr how far a run is, not more often than every few seconds.

use std::time::Duration;

use tokio::time::Instant;

/// Least time between two lines.
const EVERY: Duration = Duration::from_secs(5);

/// Steps done of those planned.
pub struct Progress {
    what: &'static str,
    done: usize,
    planned: usize,
    began: Instant,
    said: Instant,
}

impl Progress {
    /// Returns the progress of a run that has done nothing.
    #[must_use]
    pub fn new(what: &'static str, planned: usize) -> Self {
        let now = Instant::now();
        Self { what, done: 0, planned, began: now, said: now }
    }

    /// Counts a step; `more` says what else is to be known.
    pub fn step(&mut self, more: &str) {
        self.done += 1;
        if self.said.elapsed() >= EVERY || self.done == self.planned {
            self.said = Instant::now();
            let seconds = self.began.elapsed().as_secs();
            eprintln!("{} {}/{}, {seconds} s, {more}", self.what, self.done, self.planned);
        }
    }

    /// Says how far a run of no countable steps is.
    pub fn tell(&mut self, more: &str) {
        if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            eprintln!("{} {} s, {more}", self.what, self.began.elapsed().as_secs());
        }
    }

    /// Returns the seconds since the run began, and the steps of a minute.
    #[must_use]
    pub fn pace(&self) -> (f64, f64) {
        let seconds = self.began.elapsed().as_secs_f64();
        (seconds, self.done as f64 * 60.0 / seconds.max(0.001))
    }
}
