//! What is handed in: which rows, in which waves, and who changes their mind.

use std::{collections::BTreeSet, ops::Range};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{api::v1, demo::tickets::Tickets};

/// Waves of tickets a demo has when it is neither small nor large.
const WAVES: usize = 40;
/// Fewest and most tickets of a wave.
const WAVE_TICKETS: (usize, usize) = (4, 64);
/// Of so many tickets one is cancelled by its customer.
const CANCELLED_ONE_IN: usize = 64;
/// Fewest tickets of a demo in which somebody cancels.
const CANCELLED_COUNT_MIN: usize = 10;

/// What is handed in.
pub(in crate::demo) struct Load<'a> {
    /// Where tickets come from.
    pub(in crate::demo) tickets: &'a Tickets,
    /// How many; rows are taken in turn, again and again.
    pub(in crate::demo) count: usize,
    /// Decides what is left to chance.
    pub(in crate::demo) seed: u64,
}

impl Load<'_> {
    /// Returns the row of a position.
    pub(super) fn row(&self, position: usize) -> usize {
        position % self.tickets.rows.len()
    }

    /// Returns the request that hands a position in; its key is its own.
    pub(super) fn request(&self, position: usize) -> v1::SubmitTicketRequest {
        v1::SubmitTicketRequest {
            ticket: Some(self.tickets.rows[self.row(position)].ticket.clone()),
            idempotency_key: format!("demo-{}-{position}", self.seed),
            wait_for_reading: false,
        }
    }

    /// Returns chance, the same for the same seed and stream.
    pub(super) fn rng(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }

    /// Returns the positions whose customers change their mind.
    pub(super) fn cancelled(&self) -> BTreeSet<usize> {
        if self.count < CANCELLED_COUNT_MIN {
            return BTreeSet::new();
        }
        let mut rng = self.rng(0);
        let wanted = (self.count / CANCELLED_ONE_IN).max(1);
        (0..wanted).map(|_| rng.random_range(0..self.count)).collect()
    }

    /// Returns the positions in waves, in order.
    pub(super) fn waves(&self) -> Vec<Range<usize>> {
        let size = (self.count / WAVES).clamp(WAVE_TICKETS.0, WAVE_TICKETS.1);
        let starts = (0..self.count).step_by(size);
        starts.map(|start| start..(start + size).min(self.count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::tickets;

    #[test]
    fn the_waves_hold_each_ticket_once() {
        let tickets = tickets::embedded().unwrap();
        for count in [0, 1, 3, 60, 380, 5_000] {
            let load = Load { tickets: &tickets, count, seed: 7 };
            let positions: Vec<usize> = load.waves().into_iter().flatten().collect();
            assert_eq!(positions, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_same_seed_cancels_the_same_tickets() {
        let tickets = tickets::embedded().unwrap();
        let cancelled = |seed| Load { tickets: &tickets, count: 1_000, seed }.cancelled();
        assert_eq!(cancelled(1), cancelled(1));
        assert_ne!(cancelled(1), cancelled(2));
        assert!((1..=15).contains(&cancelled(1).len()));
    }

    #[test]
    fn cycled_rows_have_keys_of_their_own() {
        let tickets = tickets::embedded().unwrap();
        let load = Load { tickets: &tickets, count: 10_000, seed: 7 };
        let (first, again) = (load.request(0), load.request(tickets.rows.len()));
        assert_eq!(first.ticket, again.ticket);
        assert_ne!(first.idempotency_key, again.idempotency_key);
    }
}
