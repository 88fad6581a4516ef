//! Servers that are killed, stopped, frozen and added while others go on: one holder for each
//! workspace, nothing lost, and no long wait.

mod upgrade;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    check::{Rule, Violation},
    cluster::{self, Cluster, Plan, journal},
    progress::Progress,
    random::Dice,
    run::Ended,
};

/// How long a crash may interrupt anybody.
const CRASH_WITHIN: Duration = Duration::from_secs(5);
/// How long a stop may.
const STOP_WITHIN: Duration = Duration::from_secs(1);
/// Longest time from SIGTERM to the end: the grace of 20 seconds, and some more.
const END_WITHIN: Duration = Duration::from_secs(25);
/// How long a server is frozen, in milliseconds: longer than it is believed to be there.
const FROZEN_MS: (u64, u64) = (3_000, 5_000);
/// A check comes after so many faults.
const CHECK_EVERY: usize = 5;
/// Servers beyond those of the plan, at most.
const MORE_SERVERS_MAX: usize = 2;
/// What a server says when it finds that another has taken over.
const FENCED: &str = "another server has taken over";

/// Runs until all cycles are done or something was not held.
///
/// # Errors
/// The run itself fails: a server that does not come up is one.
pub async fn run(plan: &Plan, progress: &mut Progress) -> Result<Ended, anyhow::Error> {
    let mut ended = Ended::default();
    let mut done = 0;
    while done < plan.cycles && ended.violations.iter().all(Violation::is_passing) {
        let cycles = plan.cycles_per_database.min(plan.cycles - done);
        let seed = plan.seed.wrapping_add(done as u64);
        let (database, url) = cluster::postgres().await?;
        let mut cluster = Cluster::begin(plan, seed, database, url).await?;
        let violations = one_database(plan, &mut cluster, cycles, seed, progress).await?;
        ended.add(cluster.end(violations));
        done += cycles;
    }
    Ok(ended)
}

async fn one_database(
    plan: &Plan,
    cluster: &mut Cluster,
    cycles: usize,
    seed: u64,
    progress: &mut Progress,
) -> Result<Vec<Violation>, anyhow::Error> {
    let mut dice = Dice::new(seed, "replicas");
    for cycle in 1..=cycles {
        cluster.measure_anew();
        sleep(dice.millis(100, 900)).await;
        let (fault, mut violations) = fault(plan, cluster, &mut dice).await?;
        if cycle % CHECK_EVERY == 0 && violations.is_empty() {
            violations.extend(cluster.check(false).await?);
        }
        progress.step(&format!("{fault}, {} servers", cluster.servers.len()));
        if !violations.is_empty() {
            eprintln!("found in cycle {cycle} of seed {seed}, after: {fault}");
            return Ok(violations);
        }
    }
    cluster.finish().await
}

async fn fault(
    plan: &Plan,
    cluster: &mut Cluster,
    dice: &mut Dice,
) -> Result<(&'static str, Vec<Violation>), anyhow::Error> {
    let victim = dice.below(cluster.servers.len());
    let many = cluster.servers.len() >= plan.servers + MORE_SERVERS_MAX;
    Ok(match dice.below(100) {
        0..25 => ("killed", kill(cluster, victim, !many).await?),
        25..50 => ("stopped", stop(cluster, victim, dice.chance(50), !many).await?),
        50..90 => ("frozen", freeze(cluster, victim, dice).await?),
        _ if many => ("stopped", stop(cluster, victim, false, false).await?),
        _ => ("added", add(cluster).await?),
    })
}

/// SIGKILL, and another server in its place.
async fn kill(
    cluster: &mut Cluster,
    victim: usize,
    replace: bool,
) -> Result<Vec<Violation>, anyhow::Error> {
    let server = cluster.servers.remove(victim);
    server.kill().await?;
    cluster.figures.add("killed", 1);
    // Until then the others know it by its address and try it.
    if replace {
        cluster.add().await?;
    }
    let violations = cluster.standing().await?;
    cluster.resume();
    cluster.interrupted("kill", Some(CRASH_WITHIN));
    Ok(violations)
}

/// SIGTERM, as in an upgrade: the new server comes before the old one goes, or after.
async fn stop(
    cluster: &mut Cluster,
    victim: usize,
    before: bool,
    replace: bool,
) -> Result<Vec<Violation>, anyhow::Error> {
    if replace && before {
        cluster.add().await?;
        let violations = cluster.standing().await?;
        if !violations.is_empty() {
            return Ok(violations);
        }
        cluster.interrupted("join", None);
        cluster.measure_anew();
    }
    let since = cluster.now();
    let server = cluster.servers.remove(victim);
    let address = server.address.clone();
    let (exit, took) = server.stop().await?;
    cluster.figures.add("stopped", 1);
    cluster.figures.time("stop_ms", took);
    let mut violations = cluster.standing().await?;
    cluster.resume();
    cluster.interrupted("stop", Some(STOP_WITHIN));
    upgrade::retries(cluster, &address, &since);
    if exit.and_then(|exit| exit.code()) != Some(0) || took > END_WITHIN {
        let what = format!("SIGTERM: ended with {exit:?} after {} ms", took.as_millis());
        violations.push(Violation::new(Rule::StopsWell, what));
    }
    if replace && !before {
        cluster.measure_anew();
        cluster.add().await?;
        violations.extend(cluster.standing().await?);
        cluster.interrupted("join", None);
    }
    Ok(violations)
}

/// SIGSTOP until others have taken over, then SIGCONT: it must not write what it has in mind.
async fn freeze(
    cluster: &mut Cluster,
    victim: usize,
    dice: &mut Dice,
) -> Result<Vec<Violation>, anyhow::Error> {
    let Some(server) = cluster.servers.get(victim) else { return Ok(Vec::new()) };
    let before = journal::holders(&cluster.database).await?;
    server.signal("-STOP").await?;
    let began = Instant::now();
    let (from, to) = FROZEN_MS;
    sleep(dice.millis(from, to)).await;
    let after = journal::holders(&cluster.database).await?;
    server.signal("-CONT").await?;
    cluster.figures.time("frozen_for_ms", began.elapsed());
    let taken = before.iter().filter(|(partition, held)| {
        held.address == server.address
            && after.get(partition).is_some_and(|now| now.epoch > held.epoch)
    });
    let taken = taken.count();
    cluster.figures.add("frozen", 1);
    cluster.figures.add("partitions_taken_from_frozen", taken);
    let address = server.address.clone();
    let violations = cluster.standing().await?;
    // It tried to write, and was refused.
    let server = cluster.servers.iter().find(|server| server.address == address);
    let lines = server.map(|server| server.log()).unwrap_or_default();
    let fenced = lines.iter().filter(|line| line.contains(FENCED)).count();
    cluster.figures.add("frozen_and_tried_to_write", usize::from(fenced > 0));
    cluster.interrupted("freeze", Some(CRASH_WITHIN));
    Ok(violations)
}

async fn add(cluster: &mut Cluster) -> Result<Vec<Violation>, anyhow::Error> {
    cluster.add().await?;
    cluster.figures.add("added", 1);
    let violations = cluster.standing().await?;
    cluster.interrupted("join", None);
    Ok(violations)
}
