//! The server program as a child process: started, waited for, killed or asked to stop.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::{Instant, timeout},
};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// Nothing a server is asked for takes longer, unless it is stuck.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of the log that are kept to explain a failure.
const LOG_LINES_KEPT: usize = 120;
/// The setting that says where a shared database is.
pub const STORE_URL: &str = "EVENHAND_STORE__URL";
/// How often health is asked for while the server starts.
const HEALTH_EVERY: Duration = Duration::from_millis(2);

/// Which program to start, and how.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// `classifier.model`: `none` for the keyword rules.
    pub model: String,
    /// Further settings, as environment variables.
    pub settings: Vec<(String, String)>,
}

/// A running server; dropped, it is killed.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// From the start of the process until it said SERVING.
    pub ready_after: Duration,
    log: Log,
}

/// The newest lines of a log.
type Log = Arc<Mutex<VecDeque<String>>>;

/// A server that did not come up.
#[derive(Debug)]
pub struct NotStarted {
    /// How it ended; `None` when it did not end.
    pub exit: Option<ExitStatus>,
    /// The newest lines of its log.
    pub log: Vec<String>,
}

impl Program {
    /// Returns the program with the keyword rules.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), model: "none".to_owned(), settings: Vec::new() }
    }

    /// Starts the process and does not wait until it serves.
    ///
    /// # Errors
    /// The program cannot be started at all.
    pub fn spawn(&self, folder: &Path) -> Result<Child, anyhow::Error> {
        let mut command = Command::new(&self.path);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        // The folder would have the last word.
        if self.settings.iter().all(|(name, _)| name != STORE_URL) {
            command.arg("--data-dir").arg(folder);
        }
        let child = command
            .env("EVENHAND_SERVER__ADMIN_LISTEN", "127.0.0.1:0")
            .env("EVENHAND_LOG__FORMAT", "json")
            // Where it listens and what is wrong; not each refused call.
            .env(
                "EVENHAND_LOG__FILTER",
                "evenhand::cli=info,evenhand::app=info,evenhand::service::observe=error,warn",
            )
            .env("EVENHAND_CLASSIFIER__MODEL", &self.model)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        child.with_context(|| format!("{} cannot be started", self.path.display()))
    }

    /// Starts the server on a folder and waits until it says SERVING.
    ///
    /// # Errors
    /// The program cannot be started at all. That the server refuses is no error.
    pub async fn start(&self, folder: &Path) -> Result<Result<Server, NotStarted>, anyhow::Error> {
        let began = Instant::now();
        let mut child = self.spawn(folder)?;
        let stderr = child.stderr.take().context("the log is no pipe")?;
        let log = Log::default();
        let mut lines = BufReader::new(stderr).lines();
        let up = async {
            let address = address(&mut lines, &log).await?;
            serving(&address).await.then_some(address)
        };
        let Ok(Some(address)) = timeout(PATIENCE, up).await else {
            let exit = timeout(Duration::from_secs(5), child.wait()).await;
            let exit = exit.ok().and_then(Result::ok);
            return Ok(Err(NotStarted { exit, log: newest(&log) }));
        };
        let ready_after = began.elapsed();
        // The pipe must go on being read, or the server would block on its log.
        let kept = Arc::clone(&log);
        tokio::spawn(async move { while next_line(&mut lines, &kept).await.is_some() {} });
        Ok(Ok(Server { child, address, ready_after, log }))
    }

    /// As [`Program::start`], where a refusal is a failure.
    ///
    /// # Errors
    /// The server did not come up; with its log.
    pub async fn must_start(&self, folder: &Path) -> Result<Server, anyhow::Error> {
        match self.start(folder).await? {
            Ok(server) => Ok(server),
            Err(NotStarted { exit, log }) => {
                bail!("the server did not come up ({exit:?}):\n{}", log.join("\n"))
            }
        }
    }
}

impl Server {
    /// Kills it without warning.
    ///
    /// # Errors
    /// The system does not let us.
    pub async fn kill(mut self) -> Result<(), anyhow::Error> {
        self.child.kill().await.context("the server cannot be killed")
    }

    /// Asks it to stop; returns how it ended and how long that took. `None`: it did not end.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub async fn stop(mut self) -> Result<(Option<ExitStatus>, Duration), anyhow::Error> {
        let began = Instant::now();
        self.signal("-TERM").await?;
        let ended = timeout(PATIENCE, self.child.wait()).await;
        Ok((ended.ok().transpose()?, began.elapsed()))
    }

    /// Sends a signal, such as `-STOP`.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub async fn signal(&self, signal: &str) -> Result<(), anyhow::Error> {
        let id = self.child.id().context("the server is gone already")?;
        let status = Command::new("kill").args([signal, &id.to_string()]).status().await?;
        anyhow::ensure!(status.success(), "{signal} cannot be sent to {id}");
        Ok(())
    }

    /// Returns how it ended, if it did by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Returns the resident memory in KiB; 0 when it is gone.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        let Some(id) = self.child.id() else { return 0 };
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    /// Returns the newest lines of the log.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        newest(&self.log)
    }
}

/// Returns a channel that connects when it is first used, and again after a break.
///
/// # Errors
/// The address is none.
pub fn channel(address: &str) -> Result<Channel, anyhow::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let endpoint = endpoint
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(2))
        // So that a connection that is dead without a word is noticed.
        .http2_keep_alive_interval(Duration::from_secs(3))
        .keep_alive_timeout(Duration::from_secs(5));
    Ok(endpoint.connect_lazy())
}

fn newest(log: &Log) -> Vec<String> {
    log.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

async fn next_line(lines: &mut Lines<BufReader<ChildStderr>>, log: &Log) -> Option<String> {
    let line = lines.next_line().await.ok().flatten()?;
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.push_back(line.clone());
    if log.len() > LOG_LINES_KEPT {
        log.pop_front();
    }
    Some(line)
}

/// Reads in the log where the server listens; `None` when the log ends before.
async fn address(lines: &mut Lines<BufReader<ChildStderr>>, log: &Log) -> Option<String> {
    loop {
        let line = next_line(lines, log).await?;
        let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let address = event.pointer("/fields/listen").and_then(serde_json::Value::as_str);
        if let Some(address) = address {
            return Some(address.to_owned());
        }
    }
}

/// Waits until the server says SERVING.
async fn serving(address: &str) -> bool {
    let Ok(channel) = channel(address) else { return false };
    let mut client = HealthClient::new(channel);
    loop {
        let asked = client.check(HealthCheckRequest { service: String::new() }).await;
        if asked.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving) {
            return true;
        }
        tokio::time::sleep(HEALTH_EVERY).await;
    }
}
