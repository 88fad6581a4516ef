//! What is done to the database, and when it is over.

use std::{sync::Arc, time::Duration};

use evenhand_postgres_test::Cluster as Postgres;
use tokio::{process::Command, sync::watch, time::sleep};

use crate::{
    cluster::journal,
    random::Dice,
    relay::{Fate, Order},
};

/// How long the database is gone, in milliseconds: mostly shorter than servers keep trying, sometimes longer.
const GONE_MS: (u64, u64) = (0, 1_500);
const LONG_GONE_MS: (u64, u64) = (4_000, 8_000);
const LONG_GONE_PERCENT: u32 = 10;
/// How long sessions or the database are frozen, in milliseconds.
const FROZEN_MS: (u64, u64) = (500, 5_000);
/// How long a connection swallows everything, in milliseconds.
const SWALLOW_MS: (u64, u64) = (500, 6_000);
/// How long to wait for processes of a killed database to end.
const LOOKS: u32 = 400;
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// The sessions of the servers, in random order.
const SESSIONS: &str = "SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random()";

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL to the database, and a new start.
    Crash,
    /// An immediate stop, which ends all sessions at once, and a new start.
    Immediate,
    /// Sessions are ended.
    Terminate,
    /// Sessions are frozen, and go on.
    FreezeSessions,
    /// The database takes no new sessions for a while.
    FreezeDatabase,
    /// Connections end.
    Cut,
    /// Connections are reset.
    Reset,
    /// Connections swallow everything, and end after a while.
    Swallow,
}

impl Fault {
    /// Returns one of them.
    pub(super) fn any(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..20 => Self::Crash,
            20..30 => Self::Immediate,
            30..50 => Self::Terminate,
            50..60 => Self::FreezeSessions,
            60..65 => Self::FreezeDatabase,
            65..77 => Self::Cut,
            77..90 => Self::Reset,
            _ => Self::Swallow,
        }
    }

    /// Returns the name of its figures.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Immediate => "immediate",
            Self::Terminate => "terminate",
            Self::FreezeSessions => "freeze_sessions",
            Self::FreezeDatabase => "freeze_database",
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Swallow => "swallow",
        }
    }
}

/// Who does it, and to what.
pub(super) struct Damage<'a> {
    pub(super) database: &'a Arc<Postgres>,
    pub(super) orders: &'a watch::Sender<Order>,
    pub(super) dice: &'a mut Dice,
}

impl Damage<'_> {
    /// Does it, and waits until the database can be reached again.
    pub(super) async fn does(&mut self, fault: Fault) -> Result<(), anyhow::Error> {
        match fault {
            Fault::Crash | Fault::Immediate => self.restart(fault).await,
            Fault::Terminate => {
                let sessions = self.some_sessions().await?;
                let list = sessions.join(", ");
                let end = format!(
                    "SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{list}]::int[]) AS pid"
                );
                journal::sql(self.database, &end).await.map(|_| ())
            }
            Fault::FreezeSessions => {
                let sessions = self.some_sessions().await?;
                self.freeze(&sessions).await
            }
            Fault::FreezeDatabase => {
                self.database.signal("-STOP");
                let (from, to) = FROZEN_MS;
                sleep(self.dice.millis(from, to)).await;
                self.database.signal("-CONT");
                Ok(())
            }
            Fault::Cut => self.order(Fate::Cut).await,
            Fault::Reset => self.order(Fate::Reset).await,
            Fault::Swallow => self.order(Fate::Swallow).await,
        }
    }

    async fn restart(&mut self, fault: Fault) -> Result<(), anyhow::Error> {
        let all = processes(self.database).await;
        if fault == Fault::Immediate {
            self.database.signal("-QUIT");
            gone(&all).await?;
        }
        let database = Arc::clone(self.database);
        tokio::task::spawn_blocking(move || database.kill()).await?;
        // Whoever of them still wrote would write beside the new one.
        gone(&all).await?;
        let long = self.dice.chance(LONG_GONE_PERCENT);
        let (from, to) = if long { LONG_GONE_MS } else { GONE_MS };
        sleep(self.dice.millis(from, to)).await;
        let database = Arc::clone(self.database);
        Ok(tokio::task::spawn_blocking(move || database.run()).await??)
    }

    /// Returns some sessions of the servers: one, half of them, or all.
    async fn some_sessions(&mut self) -> Result<Vec<String>, anyhow::Error> {
        let all = journal::sql(self.database, SESSIONS).await?;
        let all: Vec<String> = all.lines().map(str::to_owned).collect();
        let count = match self.dice.below(3) {
            0 => 1,
            1 => all.len().div_ceil(2),
            _ => all.len(),
        };
        Ok(all.into_iter().take(count).collect())
    }

    async fn freeze(&mut self, sessions: &[String]) -> Result<(), anyhow::Error> {
        // One that has ended meanwhile is none to freeze.
        let _ = Command::new("kill").arg("-STOP").args(sessions).output().await?;
        let (from, to) = FROZEN_MS;
        sleep(self.dice.millis(from, to)).await;
        let _ = Command::new("kill").arg("-CONT").args(sessions).output().await?;
        Ok(())
    }

    async fn order(&mut self, fate: Fate) -> Result<(), anyhow::Error> {
        let (from, to) = SWALLOW_MS;
        let swallow_for = self.dice.millis(from, to);
        let percent = *self.dice.pick(&[30, 60, 100]).unwrap_or(&100);
        self.orders.send_replace(Order { percent, fate, swallow_for });
        if fate == Fate::Swallow {
            sleep(swallow_for).await;
        }
        Ok(())
    }
}

/// Returns the database's process and those it started.
async fn processes(database: &Postgres) -> Vec<String> {
    let file = std::fs::read_to_string(database.data().join("postmaster.pid")).unwrap_or_default();
    let first = file.lines().next().unwrap_or_default().trim().to_owned();
    let listed = Command::new("ps").args(["-o", "pid=", "--ppid", &first]).output().await;
    let listed = listed.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned());
    let children = listed.unwrap_or_default();
    let children = children.split_whitespace().map(str::to_owned);
    std::iter::once(first.clone()).chain(children).collect()
}

/// Waits until processes have ended.
async fn gone(processes: &[String]) -> Result<(), anyhow::Error> {
    for _ in 0..LOOKS {
        let runs = |id: &String| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // A process that nobody has waited for yet does nothing any more.
            !stat.is_empty() && !stat.contains(") Z ")
        };
        if !processes.iter().any(runs) {
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
    anyhow::bail!("processes of the killed database do not end: {processes:?}")
}
