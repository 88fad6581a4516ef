//! Random choices that a seed repeats: a stream of its own for each actor.
//!
//! What the seed repeats is what each actor chooses; when the machine runs whom, it does not.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of choices.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Returns the stream of an actor; `name` is its purpose.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // FNV-1a: names get streams that do not depend on one another.
        let stream = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        random.set_stream(stream);
        Self(random)
    }

    /// Returns whether something of this probability in percent happens.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// Returns a number from 0 up to, not including, `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.random_range(0..end) }
    }

    /// Returns a number from 0 up to, not including, `end`; 0 when there is none.
    pub fn below_u64(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.0.random_range(0..end) }
    }

    /// Returns a time between two numbers of milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(self.0.random_range(from * 1000..=to * 1000))
    }

    /// Returns one of some things.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}
