//! Random numbers for a run: a stream of its own for each purpose, and the laws that times follow.
//!
//! Streams are named, not numbered in the order of the file: a class that is added or changed draws
//! nothing from the streams of the others, so two scenarios differ by what was changed and by nothing
//! else (common random numbers).

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Which run of which seed draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seed {
    /// The seed the user gave.
    pub(super) seed: u64,
    /// Number of the run, from 0.
    pub(super) run: u64,
}

/// A stream of independent draws.
pub(super) struct Stream(ChaCha8Rng);

impl Stream {
    /// Returns the stream of a purpose (`arrivals`, `work` …) for a class or an agent.
    pub(super) fn new(seed: Seed, purpose: &str, name: &str) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.seed.to_le_bytes());
        key[8..16].copy_from_slice(&seed.run.to_le_bytes());
        let mut random = ChaCha8Rng::from_seed(key);
        random.set_stream(fnv_1a(purpose.bytes().chain([0]).chain(name.bytes())));
        Self(random)
    }

    /// Draws from the open interval 0 to 1, in steps of 2⁻⁵³.
    pub(super) fn uniform(&mut self) -> f64 {
        // Half a step up: the logarithm of 0 is no time.
        let step = (self.0.next_u64() >> 11) as f64 + 0.5;
        step / (1_u64 << 53) as f64
    }

    /// Draws whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.uniform() < probability
    }

    fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// Box and Muller's transform.
    fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }

    /// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = self.uniform().powf(1.0 / shape);
            return boost * self.gamma(shape + 1.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

/// The law of a time whose mean is given apart from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// Memoryless; its coefficient of variation is 1.
    Exponential,
    /// Always the mean.
    Deterministic,
    /// Evenly between the mean less and the mean plus √3 times `variation` of it.
    Uniform {
        /// Coefficient of variation, above 0 and at most 1/√3.
        variation: f64,
    },
    /// The logarithm is normal: what measured handling times mostly look like.
    Lognormal {
        /// Coefficient of variation, above 0.
        variation: f64,
    },
    /// A gamma law; Erlang's of k stages has the variation 1/√k.
    Gamma {
        /// Coefficient of variation, above 0.
        variation: f64,
    },
}

impl Law {
    /// Draws a time of mean 1.
    pub(super) fn draw(self, stream: &mut Stream) -> f64 {
        match self {
            Self::Exponential => stream.exponential(),
            Self::Deterministic => 1.0,
            Self::Uniform { variation } => {
                1.0 + 3_f64.sqrt() * variation * (2.0 * stream.uniform() - 1.0)
            }
            Self::Lognormal { variation } => {
                let variance = variation.mul_add(variation, 1.0).ln();
                (variance.sqrt() * stream.normal() - variance / 2.0).exp()
            }
            Self::Gamma { variation } => {
                let shape = 1.0 / (variation * variation);
                stream.gamma(shape) / shape
            }
        }
    }
}

/// Fowler, Noll and Vo's hash, 64 bits: the same on every machine and in every version.
fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed { seed: 1, run: 0 };

    fn first(seed: Seed, purpose: &str, name: &str) -> f64 {
        Stream::new(seed, purpose, name).uniform()
    }

    #[test]
    fn every_law_has_mean_1_and_its_variation() {
        let (wide, narrow) = (1.0 / 3_f64.sqrt(), 0.5);
        for (law, variation) in [
            (Law::Exponential, 1.0),
            (Law::Deterministic, 0.0),
            (Law::Uniform { variation: wide }, wide),
            (Law::Lognormal { variation: narrow }, narrow),
            (Law::Gamma { variation: narrow }, narrow),
            (Law::Gamma { variation: 1.5 }, 1.5),
        ] {
            let mut stream = Stream::new(SEED, "test", "law");
            let draws: Vec<f64> = (0..200_000).map(|_| law.draw(&mut stream)).collect();
            let mean = draws.iter().sum::<f64>() / 200_000.0;
            let square = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 200_000.0;
            assert!((mean - 1.0).abs() < 0.015, "{law:?}: mean {mean}");
            let found = square.sqrt();
            assert!((found - variation).abs() < 0.03, "{law:?}: variation {found}");
            assert!(draws.iter().all(|x| *x >= 0.0 && x.is_finite()), "{law:?}");
        }
    }

    #[test]
    fn streams_differ_by_seed_run_purpose_and_name_and_repeat() {
        let base = first(SEED, "work", "billing");
        assert!((base - first(SEED, "work", "billing")).abs() < f64::EPSILON);
        for other in [
            first(Seed { seed: 2, run: 0 }, "work", "billing"),
            first(Seed { seed: 1, run: 1 }, "work", "billing"),
            first(SEED, "patience", "billing"),
            first(SEED, "work", "refunds"),
        ] {
            assert!((base - other).abs() > f64::EPSILON);
        }
    }

    #[test]
    fn what_is_impossible_never_happens_and_draws_nothing() {
        let mut stream = Stream::new(SEED, "test", "happens");
        assert!(!stream.happens(0.0) && stream.happens(1.0));
    }
}
