//! Fairness measured continuously: cost and room of the counts, errors and speed of the alarms.
//!
//! `cargo bench --bench fairness` counts a million tickets of ten attributes and three intersections on
//! one core, merges, and then watches made streams with and without a difference, after every ticket.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use evenhand::{
    domain::time::UnixMillis,
    fairness::{
        accumulate::{Accumulator, Observation, Plan},
        alarms::{ALPHA, Monitor, Treated},
        betting::{Betting, Side},
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

const EVENTS: usize = 1_000_000;
const ATTRIBUTES: usize = 10;
/// Segments of each attribute, and of each of the two in an intersection.
const SEGMENTS: usize = 8;
const RUNS: u64 = 2_000;
const TICKETS: u32 = 5_000;

/// Counts the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator is asked for by an unsafe trait; it hands on to the system's"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    count();
    println!(
        "\nalarms, {RUNS} runs of {TICKETS} tickets, looked at after every ticket, seed = run"
    );
    for (rate, share) in [(0.25, 0.5), (0.05, 0.5), (0.5, 0.5), (0.25, 0.1)] {
        let found = (0..RUNS).filter(|run| detected(rate, rate, share, *run).is_some()).count();
        let percent = 100.0 * found as f64 / RUNS as f64;
        println!(
            "  both {rate:.2}, {share:.1} of tickets the group's: {percent:.2} % false alarms"
        );
    }
    for (own, others, share) in
        [(0.3, 0.2, 0.5), (0.2, 0.3, 0.5), (0.3, 0.2, 0.1), (0.3, 0.25, 0.5)]
    {
        println!(
            "  {own:.2} against {others:.2}, {share:.1} the group's: {}",
            median(own, others, share)
        );
    }
    family();
    rush_hours();
    late();
}

/// Counts tickets whose values are drawn beforehand.
fn count() {
    let mut draws = StdRng::seed_from_u64(1);
    let names: Vec<String> = (0..SEGMENTS).map(|segment| format!("segment-{segment}")).collect();
    let rows: Vec<([usize; ATTRIBUTES], Observation)> = (0..65_536)
        .map(|_| {
            let values = std::array::from_fn(|_| draws.random_range(0..SEGMENTS));
            let selected = draws.random_bool(0.3);
            let seen = Observation {
                arrived: true,
                selected: Some(selected),
                labelled: Some((selected, draws.random_bool(0.3))),
                target_breached: Some(draws.random_bool(0.1)),
                reassigned: Some(draws.random_bool(0.1)),
                first_contact: Some(draws.random_bool(0.7)),
                triaged: Some(draws.random_bool(0.1)),
                wait: Some((draws.random_range(0..4_000_000), draws.random_bool(0.95))),
            };
            (values, seen)
        })
        .collect();
    let plan = Plan {
        attributes: ATTRIBUTES,
        intersections: vec![vec![0, 1], vec![2, 3], vec![4, 5]],
        window_ms: 3_600_000,
        windows: 24,
    };
    let before = IN_USE.load(Ordering::Relaxed);
    let mut counts = Accumulator::new(plan);
    let started = Instant::now();
    for event in 0..EVENTS {
        let (values, seen) = &rows[event % rows.len()];
        let values: [&str; ATTRIBUTES] = std::array::from_fn(|at| names[values[at]].as_str());
        // A million tickets in ten days: windows pass, as they do.
        counts.add(&values, UnixMillis(event as i64 * 864), seen);
    }
    let secs = started.elapsed().as_secs_f64();
    let room = (IN_USE.load(Ordering::Relaxed) - before) as f64 / f64::from(1 << 20);
    println!(
        "{EVENTS} tickets, {ATTRIBUTES} attributes, 3 intersections: {secs:.2} s, {:.2} µs each, {room:.1} MiB",
        secs * 1e6 / EVENTS as f64
    );
    let started = Instant::now();
    let other = counts.clone();
    counts.merge(&other);
    println!("merging as many: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
}

/// Returns after how many of the group's tickets the evidence reached 20 to 1.
fn detected(own: f64, others: f64, share: f64, seed: u64) -> Option<u64> {
    let (mut draws, mut betting, mut count) = (StdRng::seed_from_u64(seed), Betting::default(), 0);
    for _ in 0..TICKETS {
        let (side, rate) =
            if draws.random_bool(share) { (Side::Own, own) } else { (Side::Others, others) };
        count += u64::from(side == Side::Own);
        betting.record(side, f64::from(u8::from(draws.random_bool(rate))));
        if betting.log_evidence() >= 20_f64.ln() {
            return Some(count);
        }
    }
    None
}

fn median(own: f64, others: f64, share: f64) -> String {
    let mut counts: Vec<u64> =
        (0..RUNS).map(|run| detected(own, others, share, run).unwrap_or(u64::MAX)).collect();
    counts.sort_unstable();
    let at = |place: usize| match counts[place] {
        u64::MAX => format!("not in {TICKETS} tickets"),
        count => count.to_string(),
    };
    let half = counts.len() / 2;
    format!("median {} of the group's tickets, 90 % within {}", at(half), at(half * 9 / 5))
}

/// Watches four groups on three measures without any difference.
fn family() {
    let groups = ["a", "b", "c", "d"];
    let found = (0..RUNS)
        .filter(|run| {
            let (mut draws, mut monitor) = (StdRng::seed_from_u64(*run), Monitor::new(ALPHA, 3, 0));
            for _ in 0..TICKETS {
                let group = groups[draws.random_range(0..groups.len())];
                for (measure, rate) in [("selection", 0.25), ("breach", 0.1), ("contact", 0.7)] {
                    monitor.record(Treated { group, measure, hit: draws.random_bool(rate) });
                }
                monitor.judge();
            }
            monitor.standings().iter().any(|standing| standing.alarm.is_some())
        })
        .count();
    let percent = 100.0 * found as f64 / RUNS as f64;
    println!("  four groups, three measures, no difference: {percent:.2} % of runs with any alarm");
}

/// Draws a time whose mean is `mean`, exponential.
fn exponential(draws: &mut StdRng, mean: f64) -> f64 {
    -mean * (1.0 - draws.random::<f64>()).ln()
}

/// Serves five days of a line in front of ten agents, whose load rises every day from a fifth of what they can do to
/// `peak` times it; returns of each ticket whether it waited longer than five minutes.
fn days(draws: &mut StdRng, peak: f64) -> Vec<bool> {
    const AGENTS: usize = 10;
    const SERVICE_SECS: f64 = 300.0;
    const DAY_SECS: f64 = 86_400.0;
    let mut free_at = [0.0_f64; AGENTS];
    let most_per_sec = peak * AGENTS as f64 / SERVICE_SECS;
    let (mut now, mut slow) = (0.0, Vec::new());
    while now < 5.0 * DAY_SECS {
        now += exponential(draws, 1.0 / most_per_sec);
        let hour = (now / DAY_SECS * std::f64::consts::TAU).cos();
        let load = 0.2 + (peak - 0.2) * (1.0 - hour) / 2.0;
        if !draws.random_bool(load / peak) {
            continue;
        }
        let Some(first) = free_at.iter_mut().min_by(|a, b| a.total_cmp(b)) else { continue };
        let begins = first.max(now);
        *first = begins + exponential(draws, SERVICE_SECS);
        slow.push(begins - now > 300.0);
    }
    slow
}

/// Watches two groups made by lot through days with rush hours that all share.
fn rush_hours() {
    const DAYS_RUNS: u64 = 200;
    for (peak, share) in [(1.1, 0.5), (1.1, 0.35), (1.1, 0.1), (0.97, 0.35)] {
        let found = (0..DAYS_RUNS).filter(|run| {
            let mut draws = StdRng::seed_from_u64(*run);
            let mut monitor = Monitor::new(ALPHA, 1, 0);
            days(&mut draws, peak).into_iter().any(|hit| {
                let group = if draws.random_bool(share) { "a" } else { "b" };
                monitor.record(Treated { group, measure: "slow", hit });
                monitor.judge()
            })
        });
        let percent = 100.0 * found.count() as f64 / DAYS_RUNS as f64;
        println!(
            "  five days with a peak load of {peak}, {share} of tickets the group's, no difference: {percent:.1} % of \
             {DAYS_RUNS} runs with an alarm"
        );
    }
}

/// Lets a difference begin after many tickets without one.
fn late() {
    let mut found: Vec<u64> = (0..101)
        .map(|seed| {
            let (mut draws, mut betting) = (StdRng::seed_from_u64(seed), Betting::default());
            let ticket = (1..200_000_u64).find(|ticket| {
                let side = if draws.random_bool(0.5) { Side::Own } else { Side::Others };
                let rate = if side == Side::Own && *ticket > 100_000 { 0.3 } else { 0.2 };
                betting.record(side, f64::from(u8::from(draws.random_bool(rate))));
                *ticket > 100_000 && betting.log_evidence() >= 20_f64.ln()
            });
            ticket.map_or(u64::MAX, |ticket| ticket - 100_000)
        })
        .collect();
    found.sort_unstable();
    println!(
        "  0.30 against 0.20 after 100000 tickets without a difference: median {} tickets",
        found[50]
    );
}
