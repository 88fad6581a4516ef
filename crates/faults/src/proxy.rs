//! A bad network between clients and server, and agents who stop reading.

mod probe;
mod stalled;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep},
};

use self::probe::Probe;
use crate::{
    check::{Rule, Violation},
    progress::Progress,
    random::Dice,
    relay::{self, Fates},
    run::{Ended, Run},
    server::{self, Program, Server},
    world::{self, OFFER_TIMEOUT, PROBE, Size},
};

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that serves.
    pub program: Program,
    /// How long everybody works through the bad network, in seconds; half of it with agents who
    /// stop reading.
    pub seconds: u64,
    /// Agents who stop reading.
    pub stalled: usize,
    /// How much happens.
    pub size: Size,
    /// Repeats the choices.
    pub seed: u64,
}

/// What an agent who stops reading may cost the server, in KiB.
const STALLED_KIB_MAX: u64 = 64;
/// Growth that is not theirs: tickets, and what the allocator keeps, in KiB.
const OTHER_KIB_MAX: u64 = 48 * 1024;
/// An offer that nobody answers goes on at most so much later than its time, in milliseconds.
const EXPIRED_LATE_MS_MAX: i64 = 1000;

/// How long the sleeps are that show whether the machine stalls.
const STALL_SLEEP: Duration = Duration::from_millis(20);

/// Runs both halves, then checks everything.
///
/// # Errors
/// The run itself fails.
pub async fn run(plan: &Plan, progress: &mut Progress) -> Result<Ended, anyhow::Error> {
    let mut program = plan.program.clone();
    // Connections that are dead without a word are noticed within the run.
    for (key, secs) in [("INTERVAL", "2"), ("TIMEOUT", "6")] {
        let name = format!("EVENHAND_SERVER__KEEPALIVE_{key}_SECS");
        program.settings.push((name, secs.to_owned()));
    }
    let mut run = Run::begin(&program, plan.size, plan.seed, true).await?;
    let violations = through_network(plan, &mut run, progress).await;
    match violations {
        Ok(violations) => Ok(run.end(violations)),
        Err(error) => Err(error.context(format!("folder {}", run.keep().display()))),
    }
}

async fn through_network(
    plan: &Plan,
    run: &mut Run,
    progress: &mut Progress,
) -> Result<Vec<Violation>, anyhow::Error> {
    let server = run.start().await?;
    let longest = Arc::new(AtomicU64::new(0));
    let stalls = tokio::spawn(watch_stalls(Arc::clone(&longest)));
    let direct = watch::Sender::new(vec![server.address.clone()]);
    let channel = server::channel(&server.address)?;
    world::add_people(&channel, probe::NAME, 1, &["triage", PROBE]).await?;
    world::add_people(&channel, stalled::NAME, plan.stalled, &world::SKILLS).await?;
    let (relay, fates) = network(&direct, plan.seed, run).await?;
    let half = Duration::from_secs(plan.seconds / 2);
    let before = server.memory_kib();
    let mut probe = Probe::start(&run.book, direct.subscribe(), plan.seed).await?;
    work(half, &server, &mut probe, progress).await?;
    run.figures.times("offer_after_ms", probe.take());
    let middle = server.memory_kib();
    let mut idle = JoinSet::new();
    for number in 0..plan.stalled {
        idle.spawn(stalled::stop_reading(number, server.address.clone()));
    }
    work(half, &server, &mut probe, progress).await?;
    run.figures.times("offer_after_ms_beside_stalled", probe.take());
    let after = server.memory_kib();
    idle.abort_all();
    relay.abort();
    for (fate, count) in fates.counts() {
        run.figures.add(&format!("connections_{fate}"), count);
    }
    for (name, kib) in [("start", before), ("middle", middle), ("end", after)] {
        run.figures.most(&format!("memory_kib_{name}_max"), kib);
    }
    run.book.set_address(Some(server.address.clone()));
    probe.end().await;
    let mut violations = Vec::new();
    if run.figures.middle_ms("offer_after_ms_beside_stalled").is_none() {
        let what = "nobody is offered anything beside agents who do not read";
        violations.push(Violation::new(Rule::OthersGoOn, what));
    }
    let allowed = plan.stalled as u64 * STALLED_KIB_MAX + OTHER_KIB_MAX;
    if after.saturating_sub(middle) > allowed {
        let what = format!("{middle} KiB, and {after} KiB beside agents who do not read");
        violations.push(Violation::new(Rule::OthersGoOn, what));
    }
    violations.extend(run.finish(server).await?);
    stalls.abort();
    let stalled_ms = longest.load(Relaxed);
    run.figures.most("stalled_ms_max", stalled_ms);
    violations.extend(expired_late(run, i64::try_from(stalled_ms).unwrap_or(i64::MAX)));
    Ok(violations)
}

/// Puts a relay between everybody and the server.
async fn network(
    direct: &watch::Sender<Vec<String>>,
    seed: u64,
    run: &Run,
) -> Result<(JoinHandle<()>, Arc<Fates>), anyhow::Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
    run.book.set_address(Some(listener.local_addr()?.to_string()));
    let fates = Arc::new(Fates::default());
    let dice = Dice::new(seed, "relay");
    let relay = relay::run(listener, direct.subscribe(), Arc::clone(&fates), dice);
    Ok((tokio::spawn(relay), fates))
}

/// Measures how long offers take while everybody works.
async fn work(
    time: Duration,
    server: &Server,
    probe: &mut Probe,
    progress: &mut Progress,
) -> Result<(), anyhow::Error> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        probe.once().await?;
        progress.tell(&format!("{} KiB", server.memory_kib()));
        sleep(Duration::from_millis(30)).await;
    }
    Ok(())
}

/// Keeps the longest time by which a short sleep was late: so long nobody here got the CPU, the
/// server no more than we.
async fn watch_stalls(longest: Arc<AtomicU64>) {
    loop {
        let began = Instant::now();
        sleep(STALL_SLEEP).await;
        let late = began.elapsed().saturating_sub(STALL_SLEEP).as_millis();
        longest.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Relaxed);
    }
}

/// Returns offers that lapsed too late, which is later than the machine's own stalls explain.
fn expired_late(run: &mut Run, stalled_ms: i64) -> Vec<Violation> {
    let allowed = EXPIRED_LATE_MS_MAX.saturating_add(stalled_ms);
    let timeout_ms = i64::try_from(OFFER_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
    let mut latest = 0;
    let mut violations = Vec::new();
    let tickets = run.stored().tickets.iter();
    for ticket in tickets {
        let mut made_ms = 0;
        for entry in &ticket.entries {
            match entry.kind.as_str() {
                "offer_made" => made_ms = entry.at_ms,
                "offer_expired" => {
                    let late = entry.at_ms - made_ms - timeout_ms;
                    latest = late.max(latest);
                    if !(0..=allowed).contains(&late) {
                        let what = format!("an offer lapsed {late} ms after its time");
                        violations.push(Violation::new(Rule::OthersGoOn, what).with([entry]));
                    }
                }
                _ => {}
            }
        }
    }
    run.figures.most("offer_expired_late_ms_max", u64::try_from(latest).unwrap_or(0));
    violations
}
