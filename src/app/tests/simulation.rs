//! The whole program but its wires, disks and clocks, in a simulated world, from a seed.
//!
//! `docs/simulation-testing.md` says what is simulated and how to replay a seed.

mod chance;
mod checks;
mod database;
mod faults;
mod liveness;
mod ops;
mod people;
mod readings;
mod server;
mod store;
mod world;

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use world::{Event, Sim};

use crate::domain::planted::{Bug, plant};

/// How long things go wrong, and how long all is well after that, in milliseconds.
const TROUBLED_MS: i64 = 30_000;
const CALM_MS: i64 = 45_000;
/// Lines of the story of a world that broke a promise.
const LINES_KEPT: usize = 120;

/// What a run was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    trace: u64,
    events: u64,
    entries: u64,
    commits: u64,
    ops: usize,
}

/// What went wrong in a run, and what came before.
struct Broken {
    why: String,
    lines: Vec<String>,
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Keeps expected panics of a thread from being printed.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                told(info);
            }
        }));
    });
    IS_QUIET.set(true);
    let done = work();
    IS_QUIET.set(false);
    done
}

/// Runs the world of a seed, and keeps the last of what is told of it.
fn run(seed: u64, lines_kept: usize) -> Result<Run, Broken> {
    let sim = Sim::new(seed, lines_kept);
    let ended = quietly(|| panic::catch_unwind(AssertUnwindSafe(|| live(&sim))));
    let runs: Vec<_> = sim.core().servers.iter_mut().map(server::Server::die).collect();
    sim.end_lives();
    let mut core = sim.core();
    let done = match ended {
        Ok(()) => Ok(Run {
            trace: core.checks.trace,
            events: core.happened,
            entries: core.checks.entries,
            commits: core.checks.commits,
            ops: core.ops.all.len(),
        }),
        Err(why) => {
            let text = why.downcast_ref::<String>().cloned();
            let why = text.or_else(|| why.downcast_ref::<&str>().map(|why| (*why).to_owned()));
            let lines = core.said.drain(..).collect();
            Err(Broken { why: why.unwrap_or_default(), lines })
        }
    };
    drop(core);
    drop(runs);
    done
}

fn live(sim: &std::sync::Arc<Sim>) {
    {
        let mut core = sim.core();
        for server in 0..core.servers.len() {
            let at = core.chance.millis(0, 300);
            core.plan_in(at, Event::Start(server));
        }
        core.plan_in(2_000, Event::Trouble);
        core.begin_people();
    }
    sim.run_until(TROUBLED_MS);
    sim.core().calm();
    sim.run_until(TROUBLED_MS + CALM_MS);
    sim.core().check_calm();
    sim.check_engines();
    sim.run_until(TROUBLED_MS + CALM_MS + 1_500);
}

fn told<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|told| told.parse().ok())
}

fn check(seed: u64) -> Run {
    run(seed, 0).unwrap_or_else(|_| {
        // Once more, to tell the story.
        let Err(Broken { why, lines }) = run(seed, LINES_KEPT) else {
            panic!("the world of seed {seed} broke a promise once, not twice");
        };
        let story = lines.join("\n");
        panic!("{story}\nthe world of seed {seed} broke a promise: {why}");
    })
}

#[test]
fn every_world_keeps_the_promises() {
    if let Some(seed) = told("EVENHAND_SIM_SEED") {
        let ran = run(seed, usize::MAX);
        let ran =
            ran.unwrap_or_else(|broken| panic!("{}\n{}", broken.lines.join("\n"), broken.why));
        println!("seed {seed}: {ran:?}");
        return;
    }
    let first = told("EVENHAND_SIM_FIRST").unwrap_or(0);
    let seeds: u64 = told("EVENHAND_SIM_SEEDS").unwrap_or(500);
    let runs = (first..first + seeds).map(check);
    let sum = runs.fold(Run::default(), |sum, run| Run {
        trace: sum.trace ^ run.trace,
        events: sum.events + run.events,
        entries: sum.entries + run.entries,
        commits: sum.commits + run.commits,
        ops: sum.ops + run.ops,
    });
    println!("{seeds} seeds from {first}: {sum:?}");
}

#[test]
fn a_seed_gives_the_same_world_again() {
    for seed in 0..told("EVENHAND_SIM_TWICE").unwrap_or(100) {
        assert_eq!(check(seed), check(seed), "seed {seed}");
    }
}

#[test]
fn planted_bugs_are_found() {
    let seeds: u64 = told("EVENHAND_SIM_PLANTED").unwrap_or(5_000);
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        plant(Some(*bug));
        let found = (0..seeds).find_map(|seed| Some((seed, run(seed, 0).err()?.why)));
        plant(None);
        match found {
            Some((seed, why)) => {
                let why: String = why.chars().take(150).collect();
                println!("{bug:?}: {} seeds: {why}", seed + 1);
            }
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
