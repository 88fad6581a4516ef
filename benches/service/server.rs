//! The server as a process: where it listens, what it used.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use evenhand::classifier::find_model;
use tempfile::TempDir;
use tonic::transport::Channel;

/// `evenhand serve`; dropped, it is killed.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) folder: TempDir,
}

impl Server {
    pub(crate) fn start(by_rules: bool) -> Self {
        Self::start_in(TempDir::new().unwrap(), by_rules)
    }

    /// Kills it and starts another one on what it left.
    pub(crate) fn restart_without_model(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, TempDir::new().unwrap());
        Self::start_in(folder, true)
    }

    /// Starts it on free ports and reads in its log where it listens.
    pub(crate) fn start_in(folder: TempDir, by_rules: bool) -> Self {
        let model = find_model(None).unwrap();
        let model = if by_rules { "none" } else { model.to_str().unwrap() };
        Self::start_with(folder, model, &[])
    }

    /// Starts it with settings of its own; a data folder goes before them.
    pub(crate) fn start_with(folder: TempDir, model: &str, settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_evenhand"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("EVENHAND_STORE__DATA_DIR", folder.path())
            .envs(settings.iter().copied())
            .env("EVENHAND_SERVER__ADMIN_LISTEN", "127.0.0.1:0")
            .env("EVENHAND_LOG__FORMAT", "json")
            .env("EVENHAND_CLASSIFIER__MODEL", model)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut address = String::new();
        while address.is_empty() {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the service ended");
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            address = event["fields"]["listen"].as_str().unwrap_or_default().to_owned();
        }
        // The pipe must go on being read, or the service would block on its log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address, folder }
    }

    /// Stops it in order and returns what it left.
    pub(crate) fn stop(mut self) -> TempDir {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }

    pub(crate) async fn connect(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.tcp_nodelay(true).connect().await.unwrap()
    }

    pub(crate) fn proc(&self) -> String {
        format!("/proc/{}", self.child.id())
    }

    /// Returns CPU seconds by the names of threads; what threads used that are gone is `others`.
    pub(crate) fn cpu(&self) -> Vec<(String, f64)> {
        let mut by_name: Vec<(String, f64)> = Vec::new();
        for task in fs::read_dir(format!("{}/task", self.proc())).unwrap() {
            let task = task.unwrap().path();
            // A thread may end meanwhile.
            let Ok(name) = fs::read_to_string(task.join("comm")) else { continue };
            let Ok(schedule) = fs::read_to_string(task.join("schedstat")) else { continue };
            let nanos: f64 = schedule.split(' ').next().unwrap().parse().unwrap();
            let name = name.trim_end().to_owned();
            match by_name.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += nanos / 1e9,
                None => by_name.push((name, nanos / 1e9)),
            }
        }
        by_name.retain(|(name, _)| name != "evenhand");
        let known: f64 = by_name.iter().map(|(_, seconds)| seconds).sum();
        by_name.push(("others".to_owned(), cpu_of(&self.proc()) - known));
        by_name
    }

    /// Returns the resident memory.
    pub(crate) fn memory_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("{}/status", self.proc())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the CPU time of a process, in seconds, threads that ended included.
pub(crate) fn cpu_of(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    // The kernel's clock for user programs ticks a hundred times a second.
    ticks / 100.0
}
