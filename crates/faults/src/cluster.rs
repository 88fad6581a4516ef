//! Several servers on one PostgreSQL and everybody who works with them: the frame of the runs about both.

mod desk;
pub mod journal;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use evenhand_postgres_test::Cluster as Postgres;
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use self::desk::Desk;
use crate::{
    api::v1::{self, admin_service_client::AdminServiceClient},
    check::{Rule, Violation},
    figures::Figures,
    run::Ended,
    server::{self, Program, STORE_URL, Server},
    world::{self, Size},
};

/// How long to wait until everybody gets through again.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// How often to look whether they do.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a sleep is that shows whether the machine stalls.
const STALL_SLEEP: Duration = Duration::from_millis(20);
/// How long servers that came need to share the partitions out.
const SHARED_OUT_AFTER: Duration = Duration::from_millis(1500);
/// How often the workspaces are made before giving up, and the pause between.
const MAKE_TRIES: u32 = 100;
const MAKE_PAUSE: Duration = Duration::from_millis(100);

/// How much there is of everything.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that serves.
    pub program: Program,
    /// Servers at once.
    pub servers: usize,
    /// Workspaces, each with people of its own.
    pub workspaces: usize,
    /// How many faults there are to be.
    pub cycles: usize,
    /// After so many faults a new database is begun, so that reading it back stays short.
    pub cycles_per_database: usize,
    /// How much happens in each workspace.
    pub size: Size,
    /// Repeats the choices.
    pub seed: u64,
}

/// Servers, their database, and everybody who works.
pub struct Cluster {
    /// The database server.
    pub database: Arc<Postgres>,
    /// The servers that run, or are frozen.
    pub servers: Vec<Server>,
    /// The workspaces.
    pub desks: Vec<Desk>,
    /// What was counted.
    pub figures: Figures,
    /// What was not held and ends no run: interruptions that were too long, servers that ended.
    pub passing: Vec<Violation>,
    program: Program,
    folder: TempDir,
    longest_stall_us: Arc<AtomicU64>,
    stalls: JoinHandle<()>,
}

impl Cluster {
    /// Starts servers on a database, and everybody; `reach` is the URL by which servers reach it.
    ///
    /// # Errors
    /// A server cannot be started or set up.
    pub async fn begin(
        plan: &Plan,
        seed: u64,
        database: Arc<Postgres>,
        reach: String,
    ) -> Result<Self, anyhow::Error> {
        let mut program = plan.program.clone();
        program.settings.push((STORE_URL.to_owned(), reach));
        let longest_stall_us = Arc::new(AtomicU64::new(0));
        let mut cluster = Self {
            database,
            servers: Vec::new(),
            desks: Vec::new(),
            figures: Figures::default(),
            passing: Vec::new(),
            program,
            folder: TempDir::with_prefix("evenhand-faults-")?,
            stalls: tokio::spawn(watch_stalls(Arc::clone(&longest_stall_us))),
            longest_stall_us,
        };
        for _ in 0..plan.servers {
            cluster.add().await?;
        }
        sleep(SHARED_OUT_AFTER).await;
        for number in 0..plan.workspaces {
            let name = format!("desk-{number}");
            cluster.make(&name, plan.size.agents).await?;
            let desk = Desk::start(&name, plan.size, seed.wrapping_add(number as u64 * 1_000_003));
            cluster.desks.push(desk);
        }
        cluster.resume();
        anyhow::ensure!(cluster.settled(0).await.is_empty(), "nobody gets through at the start");
        Ok(cluster)
    }

    /// Starts a server.
    ///
    /// # Errors
    /// It does not come up: with its log.
    pub async fn add(&mut self) -> Result<(), anyhow::Error> {
        let server = self.program.must_start(self.folder.path()).await?;
        self.figures.time("start_to_serving_ms", server.ready_after);
        self.servers.push(server);
        self.resume();
        Ok(())
    }

    /// Makes a workspace with its agents; servers that come move workspaces, so it may take some tries.
    async fn make(&self, name: &str, agents: usize) -> Result<(), anyhow::Error> {
        let mut tries = 0;
        loop {
            let channel = server::channel(self.address()?)?;
            let workspace =
                v1::Workspace { workspace_id: name.to_owned(), ..v1::Workspace::default() };
            let create =
                v1::CreateWorkspaceRequest { workspace: Some(workspace), ..Default::default() };
            let made = AdminServiceClient::new(channel.clone()).create_workspace(create).await;
            let moved = made.err().filter(|status| status.code() == tonic::Code::Unavailable);
            if moved.is_none() {
                // Servers that came last may still take their share.
                let set = world::set_up(&channel, name, agents).await;
                return set.with_context(|| format!("workspace {name}"));
            }
            tries += 1;
            anyhow::ensure!(tries < MAKE_TRIES, "{name} cannot be made: {moved:?}");
            sleep(MAKE_PAUSE).await;
        }
    }

    fn address(&self) -> Result<&str, anyhow::Error> {
        self.servers.first().map(|server| server.address.as_str()).context("no server is left")
    }

    /// Tells everybody which servers there are. Whoever is gone without a word is known until then.
    pub fn resume(&self) {
        let addresses: Vec<String> =
            self.servers.iter().map(|server| server.address.clone()).collect();
        self.desks.iter().for_each(|desk| desk.book.set_addresses(addresses.clone()));
    }

    /// Returns the time of each workspace's book.
    #[must_use]
    pub fn now(&self) -> Vec<u64> {
        self.desks.iter().map(|desk| desk.book.now_us()).collect()
    }

    /// Begins to measure anew.
    pub fn measure_anew(&self) {
        self.desks.iter().for_each(|desk| desk.waits.forget());
        self.longest_stall_us.store(0, Relaxed);
    }

    /// Returns the longest time for which nothing here got the CPU, the servers no more than we.
    #[must_use]
    pub fn stalled(&self) -> Duration {
        Duration::from_micros(self.longest_stall_us.load(Relaxed))
    }

    /// Waits until in each workspace a ticket was taken that was begun from now on, `ago_us` earlier;
    /// returns the workspaces where none was.
    pub async fn settled(&self, ago_us: u64) -> Vec<String> {
        let since: Vec<u64> = self.now().iter().map(|now| now.saturating_sub(ago_us)).collect();
        let until = Instant::now() + SETTLED_WITHIN;
        loop {
            let waiting = self.desks.iter().zip(&since);
            let waiting: Vec<String> = waiting
                .filter(|(desk, since)| !desk.waits.settled_since(**since))
                .map(|(desk, _)| desk.book.workspace().to_owned())
                .collect();
            if waiting.is_empty() || Instant::now() > until {
                return waiting;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Says who does not get through; starts another server for each that ended though nobody asked it to.
    ///
    /// # Errors
    /// Another server does not come up.
    pub async fn standing(&mut self) -> Result<Vec<Violation>, anyhow::Error> {
        let stuck = self.settled(0).await;
        let mut index = 0;
        while let Some(server) = self.servers.get_mut(index) {
            let Some(exit) = server.ended() else {
                index += 1;
                continue;
            };
            let what = format!("the server at {} ended by itself: {exit}", server.address);
            self.passing.push(Violation::new(Rule::StaysUp, what).with(server.log()));
            self.figures.add("ended_by_themselves", 1);
            self.servers.remove(index);
            self.add().await?;
        }
        let mut violations = Vec::new();
        if !stuck.is_empty() {
            let what = format!("nobody gets through for {SETTLED_WITHIN:?} in {stuck:?}");
            violations.push(Violation::new(Rule::EverybodyIsAnswered, what).with(self.logs()));
        }
        Ok(violations)
    }

    /// Returns the newest lines of each server's log.
    pub fn logs(&self) -> impl Iterator<Item = String> {
        self.servers.iter().flat_map(|server| {
            let lines = server.log();
            let newest = lines.len().saturating_sub(20);
            let address = server.address.clone();
            lines.into_iter().skip(newest).map(move |line| format!("{address} {line}"))
        })
    }

    /// Notes how long each workspace was interrupted by something; no longer than `within` is promised.
    pub fn interrupted(&mut self, by: &str, within: Option<Duration>) {
        let stalled = self.stalled();
        self.figures.time("stalled_ms", stalled);
        let mut longest = Duration::ZERO;
        for desk in &self.desks {
            let wait = desk.waits.longest();
            self.figures.time(&format!("interruption_ms_{by}"), wait);
            longest = longest.max(wait);
            if within.is_some_and(|within| wait > within + stalled) {
                let what = format!(
                    "{}: {by} interrupted it for {wait:?}; nobody had the CPU for {stalled:?}",
                    desk.book.workspace()
                );
                self.passing.push(Violation::new(Rule::GoesOnInTime, what));
            }
        }
        self.figures.time(&format!("interruption_ms_{by}_longest_of_all"), longest);
    }

    /// Makes everybody wait, compares what they were told with what is stored, and lets them go on.
    ///
    /// # Errors
    /// Somebody still waits for an answer, or PostgreSQL says something.
    pub async fn check(&mut self, all: bool) -> Result<Vec<Violation>, anyhow::Error> {
        for desk in &self.desks {
            desk.book.set_address(None);
        }
        for desk in &self.desks {
            let quiet = desk.book.quiet().await;
            anyhow::ensure!(quiet, "a call or a stream does not end in {}", desk.book.workspace());
        }
        let address = self.address()?.to_owned();
        let mut violations = Vec::new();
        for desk in &mut self.desks {
            match desk.check(&address, all).await {
                Ok(found) => violations.extend(found),
                Err(status) => {
                    let name = desk.book.workspace();
                    let what = format!("{name}: not everything can be read: {status}");
                    violations.push(Violation::new(Rule::EverybodyIsAnswered, what));
                }
            }
            if all {
                self.figures.stored(desk.stored());
            }
        }
        let (entries, found) = journal::read(&self.database).await?;
        violations.extend(found);
        self.figures.add("checks", 1);
        if all {
            self.figures.add("sql_entries", entries);
        }
        self.measure_anew();
        self.resume();
        Ok(violations)
    }

    /// Lets everybody get the last answers, checks everything, and stops the servers.
    ///
    /// # Errors
    /// A server cannot be asked to stop, or PostgreSQL says something.
    pub async fn finish(&mut self) -> Result<Vec<Violation>, anyhow::Error> {
        for desk in &mut self.desks {
            let waiting = desk.calm_down().await;
            if waiting > 0 {
                let what = format!("{waiting} people wait in {}", desk.book.workspace());
                return Ok(vec![Violation::new(Rule::EverybodyIsAnswered, what)]);
            }
        }
        let mut violations = self.check(true).await?;
        for server in self.servers.drain(..) {
            let (exit, took) = server.stop().await?;
            self.figures.time("last_stop_ms", took);
            if exit.and_then(|exit| exit.code()) != Some(0) {
                let what = format!("asked to stop, a server ended with {exit:?}");
                violations.push(Violation::new(Rule::StopsWell, what));
            }
        }
        Ok(violations)
    }

    /// Ends the run.
    #[must_use]
    pub fn end(mut self, mut violations: Vec<Violation>) -> Ended {
        self.stalls.abort();
        for desk in &self.desks {
            self.figures.history(&desk.book.history());
        }
        violations.append(&mut self.passing);
        Ended { figures: self.figures, violations, kept: None }
    }
}

/// Keeps the longest time by which a short sleep was late.
async fn watch_stalls(longest_us: Arc<AtomicU64>) {
    loop {
        let began = Instant::now();
        sleep(STALL_SLEEP).await;
        let late = began.elapsed().saturating_sub(STALL_SLEEP).as_micros();
        longest_us.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Relaxed);
    }
}

/// Starts PostgreSQL with an empty database; returns it with the URL of the database.
///
/// # Errors
/// It is not installed.
pub async fn postgres() -> Result<(Arc<Postgres>, String), anyhow::Error> {
    let started = tokio::task::spawn_blocking(|| {
        let database = Postgres::start(&[])?;
        let url = database.database(journal::DATABASE);
        Some((Arc::new(database), url))
    });
    started.await?.context("PostgreSQL is not installed")
}
