//! The bets are fair, the evidence is what was won, and real differences are found in time.

use proptest::prelude::*;

use super::*;

/// A generator whose draws are the same everywhere (G. Steele et al., SplitMix64, 2014).
struct Draws(u64);

impl Draws {
    /// Returns a number in 0..1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }
}

/// What is drawn: the rate of each group, and the share of tickets that are the group's.
struct Stream {
    own: f64,
    others: f64,
    share: f64,
}

/// Returns after how many of the group's tickets and how many in all the evidence reached 20.
fn detected(stream: &Stream, tickets: u32, seed: u64) -> Option<(u64, u32)> {
    let (mut draws, mut betting) = (Draws(seed), Betting::default());
    for ticket in 1..=tickets {
        let own = draws.next() < stream.share;
        let (side, rate) =
            if own { (Side::Own, stream.own) } else { (Side::Others, stream.others) };
        betting.record(side, f64::from(u8::from(draws.next() < rate)));
        if betting.log_evidence() >= 20_f64.ln() {
            return Some((betting.own.count, ticket));
        }
    }
    None
}

fn alarms(stream: &Stream, tickets: u32, runs: u64) -> usize {
    (0..runs).filter(|run| detected(stream, tickets, 7_000 + run).is_some()).count()
}

#[test]
fn without_a_difference_at_most_one_in_twenty_runs_raises_an_alarm() {
    // 2,000 runs of 5,000 tickets, each looked at after every ticket; two standard errors are 1 %.
    for (rate, share) in [(0.25, 0.5), (0.05, 0.5), (0.25, 0.1)] {
        let stream = Stream { own: rate, others: rate, share };
        let found = alarms(&stream, 5_000, 2_000);
        assert!(found <= 100, "{found} of 2000 at {rate}, {share}");
    }
}

#[test]
fn ten_points_are_found_within_360_tickets_of_each_group() {
    for (own, others) in [(0.3, 0.2), (0.2, 0.3)] {
        let stream = Stream { own, others, share: 0.5 };
        let mut tickets: Vec<_> = (0..1_000)
            .map(|run| detected(&stream, 20_000, run).map_or(u64::MAX, |found| found.0))
            .collect();
        tickets.sort_unstable();
        assert!(tickets[500] <= 360, "{}", tickets[500]);
    }
}

#[test]
fn a_small_group_is_compared_with_all_that_the_large_one_has() {
    let median = |share| {
        let stream = Stream { own: 0.3, others: 0.2, share };
        let mut own: Vec<_> = (0..300)
            .map(|run| detected(&stream, 40_000, run).map_or(u64::MAX, |found| found.0))
            .collect();
        own.sort_unstable();
        own[150]
    };
    // Nine to one: each ticket of the few says more than one of a pair would.
    assert!(median(0.1) * 10 < median(0.5) * 9, "{} {}", median(0.1), median(0.5));
}

#[test]
fn nothing_is_known_before_both_groups_have_a_ticket() {
    let mut betting = Betting::default();
    for _ in 0..1_000 {
        betting.record(Side::Own, 1.0);
    }
    assert!(betting.log_evidence().abs() < 1e-12);
    assert_eq!(betting.own.values.len(), WAITING_MAX);
}

#[test]
fn overwhelming_evidence_stays_a_number() {
    let mut betting = Betting::default();
    for _ in 0..100_000 {
        betting.record(Side::Own, 1.0);
        betting.record(Side::Others, 0.0);
    }
    let expected = 100_000.0 * 1.8_f64.ln();
    assert!((betting.log_evidence() / expected - 1.0).abs() < 1e-3, "{}", betting.log_evidence());
}

#[test]
fn the_hypotheses_with_enough_evidence_together_are_refuted() {
    // 4 hypotheses at 5 %: the first needs 80, the first two 40 each, the first three 26.7 each.
    let logs = |evidence: &[f64]| evidence.iter().map(|e| e.ln()).collect::<Vec<_>>();
    assert_eq!(refuted(&logs(&[41.0, 1.0, 45.0, 0.1]), 0.05), [true, false, true, false]);
    assert_eq!(refuted(&logs(&[41.0, 1.0, 39.0, 0.1]), 0.05), [false; 4]);
    assert_eq!(refuted(&logs(&[81.0, 1.0, 2.0, 0.1]), 0.05), [true, false, false, false]);
    assert_eq!(refuted(&logs(&[27.0, 27.0, 27.0, 0.1]), 0.05), [true, true, true, false]);
    assert_eq!(refuted(&[], 0.05), Vec::<bool>::new());
}

proptest! {
    #[test]
    fn the_odds_are_fair_at_every_moment(
        past in proptest::collection::vec((any::<bool>(), 0.0..=1.0), 0..80),
        rate in 0.05..0.95,
    ) {
        // Both groups at one rate: over what the next pair may be, the expected wealth is the wealth.
        let mut betting = Betting::default();
        for (own, value) in past {
            betting.record(if own { Side::Own } else { Side::Others }, value);
        }
        betting.own.values.clear();
        betting.others.values.clear();
        let after = |own: bool, others: bool| {
            let mut next = betting.clone();
            next.pay(f64::from(u8::from(own)) - f64::from(u8::from(others)));
            let chance = |hit| if hit { rate } else { 1.0 - rate };
            chance(own) * chance(others) * next.log_evidence().exp()
        };
        let expected: f64 = after(true, true) + after(true, false) + after(false, true) + after(false, false);
        let now = betting.log_evidence().exp();
        prop_assert!((expected / now - 1.0).abs() < 1e-9, "{expected} {now}");
    }

    #[test]
    fn both_sides_are_treated_alike(
        tickets in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..200),
    ) {
        let (mut forth, mut back) = (Betting::default(), Betting::default());
        for (own, hit) in tickets {
            let sides = if own { (Side::Own, Side::Others) } else { (Side::Others, Side::Own) };
            forth.record(sides.0, f64::from(u8::from(hit)));
            back.record(sides.1, f64::from(u8::from(hit)));
        }
        prop_assert!((forth.log_evidence() - back.log_evidence()).abs() < 1e-9);
    }
}

#[test]
fn a_rush_hour_that_all_share_is_no_evidence() {
    // All wait longer at the same time: outcomes that come together are alike, and groups have nothing to do with it.
    let alarmed = |run: u64, share: f64| {
        let (mut draws, mut betting) = (Draws(90_000 + run), Betting::default());
        (0..6_000).any(|ticket| {
            let side = if draws.next() < share { Side::Own } else { Side::Others };
            let hour = (f64::from(ticket) / 300.0).sin();
            let rate = if hour > 0.5 { 0.95 } else { 0.02 };
            betting.record(side, f64::from(u8::from(draws.next() < rate)));
            betting.log_evidence() >= 20_f64.ln()
        })
    };
    for share in [0.5, 0.35, 0.1] {
        let found = (0..300).filter(|run| alarmed(*run, share)).count();
        assert!(found <= 15, "{found} of 300 at {share}");
    }
}

#[test]
fn what_begins_late_is_found_though_much_was_lost_before() {
    let found = |fair: u32, seed: u64| {
        let (mut draws, mut betting) = (Draws(seed), Betting::default());
        (1..60_000).find(|ticket| {
            let own = draws.next() < 0.5;
            let rate = if own && *ticket > fair { 0.4 } else { 0.2 };
            let side = if own { Side::Own } else { Side::Others };
            betting.record(side, f64::from(u8::from(draws.next() < rate)));
            *ticket > fair && betting.log_evidence() >= 20_f64.ln()
        })
    };
    let mut late: Vec<u32> = (0..100)
        .map(|seed| found(50_000, seed).map_or(u32::MAX, |ticket| ticket - 50_000))
        .collect();
    late.sort_unstable();
    // Without a reserve the median is above 4,000.
    assert!(late[50] <= 1_500, "{}", late[50]);
}
