//! Does to the real server program what machines and networks do, and says whether it kept its promises.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use serde_json::json;

use evenhand_faults::{
    cluster, disk, flips, kill, postgres, progress::Progress, proxy, replicas, run::Ended,
    server::Program, stop, world::Size,
};

/// Faults for the server, and the proof of what it kept. One line of JSON on stdout; exit code 3 when
/// a promise was not held.
#[derive(Parser)]
struct Arguments {
    /// The server program.
    #[arg(long, value_name = "PATH", global = true, default_value = "target/release/evenhand")]
    evenhand: PathBuf,
    /// Repeats the choices of a run.
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
    /// What reads tickets: `none` for the keyword rules, or the folder of a model.
    #[arg(long, global = true, default_value = "none")]
    model: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// SIGKILL at any moment, restart, everybody tries again.
    Kill {
        /// How often to kill.
        #[arg(long, default_value_t = 100)]
        cycles: usize,
        /// After so many kills a new folder is begun.
        #[arg(long, default_value_t = 20)]
        cycles_per_folder: usize,
        /// Latest moment of a kill, in milliseconds after the server serves.
        #[arg(long, default_value_t = 1500)]
        window_ms: u64,
        /// Cuts so many percent of the write-ahead log off after each kill. The run must then fail:
        /// it tests the check.
        #[arg(long, default_value_t = 0)]
        lose_percent: u64,
        #[command(flatten)]
        people: People,
    },
    /// SIGTERM while everybody works.
    Stop {
        /// How often to stop.
        #[arg(long, default_value_t = 30)]
        cycles: usize,
        /// Latest moment of a stop, in milliseconds after the server serves.
        #[arg(long, default_value_t = 1500)]
        window_ms: u64,
        #[command(flatten)]
        people: People,
    },
    /// Bits that turn, files cut short, sectors of zeros, pages swapped.
    Flips {
        /// How often to damage a copy of a folder.
        #[arg(long, default_value_t = 500)]
        count: usize,
    },
    /// A disk that is full, and then is not.
    DiskFull {
        /// Size of the disk, in MiB.
        #[arg(long, default_value_t = 12)]
        size_mib: u32,
    },
    /// Several servers on one PostgreSQL: killed, stopped, frozen, added.
    Replicas(Many),
    /// A PostgreSQL that crashes, loses sessions, freezes and is cut off, below several servers.
    Postgres(Many),
    /// A network that delays, cuts and swallows, and agents who stop reading.
    Proxy {
        /// How long everybody works, in seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Agents who stop reading, in the second half.
        #[arg(long, default_value_t = 40)]
        stalled: usize,
        #[command(flatten)]
        people: People,
    },
}

/// Several servers with several workspaces.
#[derive(clap::Args)]
struct Many {
    /// How many faults.
    #[arg(long, default_value_t = 40)]
    cycles: usize,
    /// After so many faults a new database is begun.
    #[arg(long, default_value_t = 20)]
    cycles_per_database: usize,
    /// Servers at once.
    #[arg(long, default_value_t = 3)]
    servers: usize,
    /// Workspaces, each with people of its own.
    #[arg(long, default_value_t = 6)]
    workspaces: usize,
    /// Tickets that are open at once in each workspace.
    #[arg(long, default_value_t = 60)]
    tickets: usize,
    /// Agents of each workspace.
    #[arg(long, default_value_t = 8)]
    agents: usize,
    /// Slowest answer of an agent, in milliseconds.
    #[arg(long, default_value_t = 300)]
    pace_ms: u64,
}

impl Many {
    fn plan(&self, program: Program, seed: u64) -> cluster::Plan {
        let Self { cycles, cycles_per_database, servers, workspaces, .. } = *self;
        let Self { tickets, agents, pace_ms, .. } = *self;
        let size = Size { tickets, agents, pace_ms };
        cluster::Plan { program, servers, workspaces, cycles, cycles_per_database, size, seed }
    }
}

#[derive(clap::Args)]
struct People {
    /// Tickets that are open at once.
    #[arg(long, default_value_t = 2000)]
    tickets: usize,
    /// Agents.
    #[arg(long, default_value_t = 50)]
    agents: usize,
    /// Slowest answer of an agent, in milliseconds.
    #[arg(long, default_value_t = 150)]
    pace_ms: u64,
}

impl People {
    fn size(&self) -> Size {
        Size { tickets: self.tickets, agents: self.agents, pace_ms: self.pace_ms }
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, anyhow::Error> {
    let Arguments { evenhand, seed, model, command } = Arguments::parse();
    let program = Program { model, ..Program::new(&evenhand) };
    match command {
        Command::Kill { cycles, cycles_per_folder, window_ms, lose_percent, people } => {
            let mut progress = Progress::new("kill", cycles);
            let plan = kill::Plan {
                program,
                cycles,
                cycles_per_folder,
                window_ms,
                lose_percent,
                size: people.size(),
                seed,
            };
            let ended = kill::run(&plan, &mut progress).await?;
            Ok(say("kill", seed, &ended, &progress))
        }
        Command::Stop { cycles, window_ms, people } => {
            let mut progress = Progress::new("stop", cycles);
            let plan = stop::Plan { program, cycles, window_ms, size: people.size(), seed };
            let ended = stop::run(&plan, &mut progress).await?;
            Ok(say("stop", seed, &ended, &progress))
        }
        Command::Replicas(many) => {
            let mut progress = Progress::new("replicas", many.cycles);
            let ended = replicas::run(&many.plan(program, seed), &mut progress).await?;
            Ok(say("replicas", seed, &ended, &progress))
        }
        Command::Postgres(many) => {
            let mut progress = Progress::new("postgres", many.cycles);
            let ended = postgres::run(&many.plan(program, seed), &mut progress).await?;
            Ok(say("postgres", seed, &ended, &progress))
        }
        Command::Flips { count } => {
            let mut progress = Progress::new("flips", count);
            let ended = flips::run(&flips::Plan { program, count, seed }, &mut progress).await?;
            Ok(say("flips", seed, &ended, &progress))
        }
        Command::DiskFull { size_mib } => {
            if let Some(code) = disk::unshared()? {
                return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
            }
            let progress = Progress::new("disk-full", 1);
            let ended = disk::run(&disk::Plan { program, size_mib, seed }).await?;
            Ok(say("disk-full", seed, &ended, &progress))
        }
        Command::Proxy { seconds, stalled, people } => {
            let mut progress = Progress::new("proxy", 1);
            let plan = proxy::Plan { program, seconds, stalled, size: people.size(), seed };
            let ended = proxy::run(&plan, &mut progress).await?;
            Ok(say("proxy", seed, &ended, &progress))
        }
    }
}

/// Prints the figures and what was not held.
fn say(what: &str, seed: u64, ended: &Ended, progress: &Progress) -> ExitCode {
    let (seconds, per_minute) = progress.pace();
    let mut figures = ended.figures.json();
    figures.insert("run".to_owned(), json!(what));
    figures.insert("seed".to_owned(), json!(seed));
    figures.insert("seconds".to_owned(), json!(seconds.round()));
    figures.insert("steps_per_minute".to_owned(), json!((per_minute * 10.0).round() / 10.0));
    figures.insert("violations".to_owned(), json!(ended.violations.len()));
    println!("{}", serde_json::Value::Object(figures));
    if ended.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("seed {seed}: {} promises were not held", ended.violations.len());
    for violation in ended.violations.iter().take(20) {
        eprintln!("{violation}");
    }
    if let Some(folder) = &ended.kept {
        eprintln!("the folder is kept: {}", folder.display());
    }
    ExitCode::from(3)
}
