//! A database that crashes, loses sessions, freezes and cannot be reached, below servers that go on:
//! nothing lost, nothing twice, and served again soon.

mod damage;

use std::time::Duration;

use tokio::{net::TcpListener, sync::watch, time::sleep};

use self::damage::{Damage, Fault};
use crate::{
    check::{Rule, Violation},
    cluster::{self, Cluster, Plan},
    progress::Progress,
    random::Dice,
    relay::{self, Order},
    run::Ended,
};

/// How soon after the database is back everybody is to be served.
const SERVED_WITHIN: Duration = Duration::from_secs(5);
/// A check comes after so many faults.
const CHECK_EVERY: usize = 10;
/// From one fault to the next, in milliseconds: so that some come while the last one is mended.
const PAUSE_MS: (u64, u64) = (50, 800);

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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let near = listener.local_addr()?.port();
        let direct = database.port();
        let reach = url.replacen(&format!(":{direct}/"), &format!(":{near}/"), 1);
        let orders = watch::Sender::new(Order::default());
        let far = format!("127.0.0.1:{direct}");
        let dice = Dice::new(seed, "relay");
        let relay = tokio::spawn(relay::obey(listener, far, orders.subscribe(), dice));
        let mut cluster = Cluster::begin(plan, seed, database, reach).await?;
        let violations = one_database(&mut cluster, &orders, cycles, seed, progress).await?;
        relay.abort();
        ended.add(cluster.end(violations));
        done += cycles;
    }
    Ok(ended)
}

async fn one_database(
    cluster: &mut Cluster,
    orders: &watch::Sender<Order>,
    cycles: usize,
    seed: u64,
    progress: &mut Progress,
) -> Result<Vec<Violation>, anyhow::Error> {
    let mut dice = Dice::new(seed, "postgres");
    for cycle in 1..=cycles {
        cluster.measure_anew();
        let (from, to) = PAUSE_MS;
        sleep(dice.millis(from, to)).await;
        let fault = Fault::any(&mut dice);
        let name = fault.name();
        let mut damage = Damage { database: &cluster.database, orders, dice: &mut dice };
        damage.does(fault).await?;
        cluster.figures.add(&format!("faults_{name}"), 1);
        cluster.figures.add("faults", 1);
        let back = cluster.now();
        let mut violations = cluster.standing().await?;
        served_again(cluster, name, &back);
        if cycle % CHECK_EVERY == 0 && violations.is_empty() {
            violations.extend(cluster.check(false).await?);
        }
        progress.step(name);
        if !violations.is_empty() {
            eprintln!("found in cycle {cycle} of seed {seed}, after: {name}");
            return Ok(violations);
        }
    }
    cluster.finish().await
}

/// Notes how soon after the database was back somebody got through in each workspace.
fn served_again(cluster: &mut Cluster, name: &str, back: &[u64]) {
    let stalled = cluster.stalled();
    cluster.figures.time("stalled_ms", stalled);
    for (desk, back) in cluster.desks.iter().zip(back) {
        let through = desk.waits.through_after(*back).unwrap_or_else(|| desk.book.now_us());
        let wait = Duration::from_micros(through.saturating_sub(*back));
        cluster.figures.time(&format!("served_again_ms_{name}"), wait);
        cluster.figures.time(&format!("interruption_ms_{name}"), desk.waits.longest());
        if wait > SERVED_WITHIN + stalled {
            let what = format!(
                "{}: served {wait:?} after {name}; nobody had the CPU for {stalled:?}",
                desk.book.workspace()
            );
            let logs: Vec<String> = cluster.logs().collect();
            cluster.passing.push(Violation::new(Rule::GoesOnInTime, what).with(logs));
        }
    }
}
