//! Many independent runs on all cores. What they find does not depend on how many cores there are.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use super::{
    random::Seed,
    report::Results,
    scenario::Scenario,
    setup::Setup,
    tally::RunResult,
    world::{self, RunError},
};

/// How often and with what luck a scenario is simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Seed of every draw.
    pub seed: u64,
    /// Independent runs, at least 1.
    pub runs: u32,
    /// Level of the intervals, above 0 and below 1.
    pub level: f64,
    /// Threads; at least 1 is used.
    pub threads: usize,
}

/// Simulates a scenario; `progress` is told, from any thread, the share of a run that was done since.
///
/// # Errors
/// [`RunError`] of the first run that could not go on.
pub fn simulate(
    scenario: &Scenario,
    options: Options,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Results, RunError> {
    let setup = Setup::new(scenario)?;
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut done: Vec<(u64, Result<RunResult, RunError>)> = Vec::new();
        loop {
            let run = next.fetch_add(1, Relaxed);
            if run >= u64::from(options.runs) || failed.load(Relaxed) {
                return done;
            }
            let seed = Seed { seed: options.seed, run };
            let result = world::run(scenario, &setup, seed, progress);
            failed.fetch_or(result.is_err(), Relaxed);
            done.push((run, result));
        }
    };
    let threads = options.threads.min(usize::try_from(options.runs).unwrap_or(usize::MAX));
    let mut found = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut found = work();
        for other in others {
            match other.join() {
                Ok(more) => found.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found
    });
    found.sort_by_key(|(run, _)| *run);
    let runs = found.into_iter().map(|(_, result)| result).collect::<Result<Vec<_>, _>>()?;
    Ok(Results { options, runs })
}
