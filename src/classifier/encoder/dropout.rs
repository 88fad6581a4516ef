//! Dropout (Srivastava et al. 2014).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Sets numbers to zero at random and scales up the others, so that training leans on none.
pub struct Dropout {
    /// Draws below this, of 256, drop a number.
    dropped: u8,
    rng: ChaCha8Rng,
}

impl Dropout {
    /// Drops a share (0 to below 1), drawn from a seed.
    #[must_use]
    pub fn new(share: f64, seed: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
        let dropped = (share.clamp(0.0, 0.99) * 256.0).round() as u8;
        Self { dropped, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Returns a factor for each of `count` numbers: 0, or what makes up for the zeros.
    pub(super) fn factors(&mut self, count: usize) -> Vec<f32> {
        let mut draws = vec![0_u8; count];
        self.rng.fill_bytes(&mut draws);
        let kept = 256.0 / (256.0 - f32::from(self.dropped));
        draws.iter().map(|draw| if *draw < self.dropped { 0.0 } else { kept }).collect()
    }
}
