//! Do two groups have the same rate? A test that may be looked at after every ticket.
//!
//! Somebody who doubts that the groups are treated alike bets on it, ticket after ticket, with odds
//! that are fair if they are. The wealth from a stake of 1 is the evidence: without a difference it
//! ever reaches 20 with probability 1/20 at most, however long and however often one looks. No sample
//! size is fixed beforehand, and none is used up by looking.
//!
//! Source: G. Shafer, Journal of the Royal Statistical Society A 184 (2021) 407–431; B. Chugg,
//! S. Cortes-Gomez, B. Wilder, A. Ramdas, Auditing fairness by betting, NeurIPS (2023); S. Shekhar,
//! A. Ramdas, IEEE Transactions on Information Theory 70 (2024) 1178–1203.

use std::collections::VecDeque;

/// Sizes of bet, each on both sides.
const BETS: usize = 16;
/// Smallest bet: of most use for differences near 0.02.
const BET_MIN: f64 = 0.05;
/// Greatest bet. At 1 a single ticket could ruin it for good.
const BET_MAX: f64 = 0.8;
/// How many meetings' worth of tickets of a group wait for the other; beyond that the oldest are passed over. Tickets
/// that meet must have come at about the same time: in a rush hour all of them wait longer.
const MEETINGS_MAX: u64 = 4;
/// Most tickets that wait, however rare the other group is.
const WAITING_MAX: usize = 64;
/// Part of the stake that is held back, and bet bit by bit: who has lost nearly all while groups were treated alike
/// could not tell when that ends.
const RESERVE: f64 = 0.1;
/// Tickets between two bets from the reserve.
const RESERVE_EVERY: u64 = 1_000;
/// Wealth beyond which all of it is counted in this unit, so that it stays in range.
const UNIT: f64 = 1e100;

/// Whose ticket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The group's.
    Own,
    /// The others'.
    Others,
}

/// The evidence that two groups have different means.
///
/// As tickets arrive, one of the rarer group is set against as many of the other as there are for
/// each, and the bet is on the difference of their means. Which tickets meet depends on whose they
/// are and when they came, never on how they were treated; otherwise the odds would not be fair.
///
/// It assumes that, without unfairness, tickets that meet have the same mean. A rate that changes in time for
/// both groups alike, as in a rush hour, is no harm.
#[derive(Clone, Debug, PartialEq)]
pub struct Betting {
    /// What each bet has become: the stake is spread evenly over all.
    wealth: [f64; 2 * BETS],
    /// How often the wealth was divided by [`UNIT`].
    units: u32,
    /// What is left of the reserve.
    reserve: f64,
    /// Tickets waiting for one of the other group, and how many there ever were.
    own: Waiting,
    others: Waiting,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Waiting {
    values: VecDeque<f64>,
    count: u64,
}

impl Default for Betting {
    fn default() -> Self {
        Self {
            wealth: [(1.0 - RESERVE) / (2 * BETS) as f64; 2 * BETS],
            units: 0,
            reserve: RESERVE,
            own: Waiting::default(),
            others: Waiting::default(),
        }
    }
}

impl Betting {
    /// Takes in one more ticket.
    ///
    /// - `value`: 1 where it is so and 0 where not, or any measure scaled to 0..=1, such as the wait
    ///   up to a horizon divided by it. Values outside are taken as the nearer end.
    pub fn record(&mut self, side: Side, value: f64) {
        let (mine, theirs) = match side {
            Side::Own => (&mut self.own, &self.others),
            Side::Others => (&mut self.others, &self.own),
        };
        mine.count += 1;
        mine.values.push_back(value.clamp(0.0, 1.0));
        let wanted = usize::try_from(MEETINGS_MAX * (mine.count / theirs.count.max(1)).max(1));
        while mine.values.len() > wanted.unwrap_or(usize::MAX).min(WAITING_MAX) {
            mine.values.pop_front();
        }
        if !self.own.values.is_empty() && !self.others.values.is_empty() {
            let (own, others) = (self.own.count, self.others.count);
            let gain = self.own.take(own / others.max(1)) - self.others.take(others / own.max(1));
            self.pay(gain);
        }
        let tickets = self.own.count + self.others.count;
        if tickets.is_multiple_of(RESERVE_EVERY) {
            self.bet_of_reserve(tickets / RESERVE_EVERY);
        }
    }

    /// Spreads the next part of the reserve over all bets: a half of it, a sixth, a twelfth, and so on, which is all
    /// of it in the end.
    fn bet_of_reserve(&mut self, turn: u64) {
        let turn = turn as f64;
        let stake = RESERVE / (turn * (turn + 1.0));
        self.reserve -= stake;
        let each = stake / (2 * BETS) as f64 / self.unit();
        self.wealth.iter_mut().for_each(|wealth| *wealth += each);
    }

    /// Returns the unit in which wealth is counted.
    fn unit(&self) -> f64 {
        // Beyond, what is added does not matter.
        UNIT.powi(i32::try_from(self.units).unwrap_or(i32::MAX))
    }

    /// Returns the logarithm of the evidence, in nats; 3.0 is 20 to 1.
    #[must_use]
    pub fn log_evidence(&self) -> f64 {
        let total = self.wealth.iter().sum::<f64>() + self.reserve.max(0.0) / self.unit();
        total.ln() + f64::from(self.units) * UNIT.ln()
    }

    /// Pays every bet: a bet of `b` on a gain of `g` becomes `1 + b g` times as much.
    fn pay(&mut self, gain: f64) {
        // Exactly equal tickets pay nothing, and are common where values are 0 and 1.
        if gain.abs() < f64::EPSILON {
            return;
        }
        let (mut total, mut bet) = (0.0, BET_MIN);
        let step = (BET_MAX / BET_MIN).powf(1.0 / (BETS - 1) as f64);
        for pair in self.wealth.chunks_exact_mut(2) {
            pair[0] *= 1.0 + bet * gain;
            pair[1] *= 1.0 - bet * gain;
            total += pair[0] + pair[1];
            bet *= step;
        }
        if total > UNIT {
            self.wealth.iter_mut().for_each(|wealth| *wealth /= UNIT);
            self.units += 1;
        }
    }
}

impl Waiting {
    /// Takes the oldest values, one or more, and returns their mean.
    fn take(&mut self, wanted: u64) -> f64 {
        let all = self.values.len();
        let count = usize::try_from(wanted).unwrap_or(all).clamp(1, all);
        self.values.drain(..count).sum::<f64>() / count as f64
    }
}

/// Returns which of several hypotheses are refuted together, at a false discovery rate of `alpha`.
///
/// Of `m` hypotheses, the `k` with the most evidence are refuted for the greatest `k` at which each
/// of them has `m / (alpha k)` or more. This holds whatever the hypotheses have to do with each other.
///
/// Source: R. Wang, A. Ramdas, Journal of the Royal Statistical Society B 84 (2022) 822–852 (e-BH).
#[must_use]
pub fn refuted(log_evidence: &[f64], alpha: f64) -> Vec<bool> {
    let hypotheses = log_evidence.len() as f64;
    let mut descending = log_evidence.to_vec();
    descending.sort_unstable_by(|a, b| b.total_cmp(a));
    let enough = |(index, log): (usize, &f64)| {
        let needed = (hypotheses / (alpha * (index + 1) as f64)).ln();
        (*log >= needed).then_some(*log)
    };
    let least = descending.iter().enumerate().filter_map(enough).next_back();
    log_evidence.iter().map(|log| least.is_some_and(|least| *log >= least)).collect()
}

#[cfg(test)]
mod tests;
