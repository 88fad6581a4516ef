//! SIGKILL at any moment, again and again: nothing acknowledged is lost, nothing is done twice.

use std::{fs::OpenOptions, path::Path, time::Duration};

use tokio::time::sleep;

use crate::{
    check::Violation,
    progress::Progress,
    random::Dice,
    run::{Ended, Run},
    server::Program,
    world::Size,
};

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that serves.
    pub program: Program,
    /// How often to kill it.
    pub cycles: usize,
    /// After so many kills a new folder is begun, so that reading it back stays short.
    pub cycles_per_folder: usize,
    /// Latest moment of a kill after the server serves, in milliseconds.
    pub window_ms: u64,
    /// Of the write-ahead log, so many percent are cut off after each kill, as if they had never
    /// reached the disk. 0 for none; with any other number the run must fail, which tests the check.
    pub lose_percent: u64,
    /// How much happens.
    pub size: Size,
    /// Repeats the choices.
    pub seed: u64,
}

/// One kill of so many percent comes while the server still starts.
const DURING_START_PERCENT: u32 = 10;

/// Runs until all cycles are done or something was not held.
///
/// # Errors
/// The run itself fails: a server that does not come up is one.
pub async fn run(plan: &Plan, progress: &mut Progress) -> Result<Ended, anyhow::Error> {
    let mut ended = Ended::default();
    let mut done = 0;
    while done < plan.cycles && ended.violations.is_empty() {
        let cycles = plan.cycles_per_folder.min(plan.cycles - done);
        let seed = plan.seed.wrapping_add(done as u64);
        let mut run = Run::begin(&plan.program, plan.size, seed, false).await?;
        let part = folder(plan, &mut run, cycles, seed, progress).await;
        match part {
            Ok(violations) => ended.add(run.end(violations)),
            Err(error) => {
                let kept = run.keep();
                return Err(error.context(format!("seed {seed}, folder {}", kept.display())));
            }
        }
        done += cycles;
    }
    Ok(ended)
}

/// Kills the server on one folder so often, then lets all calm down and checks everything.
async fn folder(
    plan: &Plan,
    run: &mut Run,
    cycles: usize,
    seed: u64,
    progress: &mut Progress,
) -> Result<Vec<Violation>, anyhow::Error> {
    let mut dice = Dice::new(seed, "kill");
    for cycle in 0..cycles {
        let violations = if dice.chance(DURING_START_PERCENT) {
            kill_while_starting(run, &mut dice).await?;
            Vec::new()
        } else {
            cycle_once(plan, run, &mut dice).await?
        };
        run.figures.add("kills", 1);
        progress.step(&format!("{} open", run.book.open_tickets()));
        if !violations.is_empty() {
            eprintln!("found in cycle {cycle} of seed {seed}");
            return Ok(violations);
        }
    }
    let server = run.start().await?;
    let violations = run.check(&server, false).await;
    if !violations.is_empty() {
        return Ok(violations);
    }
    run.book.set_address(Some(server.address.clone()));
    run.finish(server).await
}

/// Starts, checks, lets everybody work, kills.
async fn cycle_once(
    plan: &Plan,
    run: &mut Run,
    dice: &mut Dice,
) -> Result<Vec<Violation>, anyhow::Error> {
    let server = run.start().await?;
    let violations = run.check(&server, false).await;
    if !violations.is_empty() {
        return Ok(violations);
    }
    run.book.set_address(Some(server.address.clone()));
    sleep(dice.millis(0, plan.window_ms)).await;
    server.kill().await?;
    run.hush().await?;
    lose(run.folder(), plan.lose_percent)?;
    Ok(Vec::new())
}

/// Cuts the end of the write-ahead log off.
fn lose(folder: &Path, percent: u64) -> Result<(), anyhow::Error> {
    let log = folder.join("evenhand.db-wal");
    if percent > 0 && log.exists() {
        let log = OpenOptions::new().write(true).open(log)?;
        let bytes = log.metadata()?.len();
        log.set_len(bytes * 100_u64.saturating_sub(percent) / 100)?;
    }
    Ok(())
}

async fn kill_while_starting(run: &mut Run, dice: &mut Dice) -> Result<(), anyhow::Error> {
    let usual = run.figures.middle_ms("start_to_serving_ms").unwrap_or(100.0);
    let mut child = run.program.spawn(run.folder())?;
    sleep(Duration::from_secs_f64(usual / 1000.0).mul_f64(dice.below(1000) as f64 / 1000.0)).await;
    child.kill().await?;
    run.figures.add("kills_while_starting", 1);
    Ok(())
}
