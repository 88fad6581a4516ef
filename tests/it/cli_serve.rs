//! `evenhand serve` as a process: checks, starts, stops, and its exit codes.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

fn evenhand(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
    command.args(arguments).env("EVENHAND_SERVER__ADMIN_LISTEN", "127.0.0.1:0");
    command
}

fn run(arguments: &[&str]) -> Output {
    evenhand(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn written(text: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("evenhand.toml");
    std::fs::write(&file, text).unwrap();
    (folder, file.to_str().unwrap().to_owned())
}

#[test]
fn check_says_ok_without_touching_anything() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let output = run(&["serve", "--check", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.starts_with(b"ok: "), "{output:?}");
    assert!(!data.exists());
    let output = run(&["serve", "--check", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], true);
}

#[test]
fn a_bad_configuration_fails_the_check_with_every_problem() {
    let (_folder, file) = written("[server]\nlisten = \"0.0.0.0:1\"\nshutdown_grace_secs = 0\n");
    let output = run(&["serve", "--check", "--config", &file, "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<_> = report["problems"].as_array().unwrap().iter().map(|p| &p["key"]).collect();
    assert_eq!(keys, ["server.listen", "server.shutdown_grace_secs"]);
    let output = run(&["serve", "--config", &file]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("server.shutdown_grace_secs = 0"), "{}", stderr(&output));
}

#[test]
fn usage_errors_and_help_have_their_codes() {
    assert_eq!(run(&["serve", "--no-such-flag"]).status.code(), Some(2));
    assert_eq!(run(&["serve", "--listen", "0.0.0.0:50051"]).status.code(), Some(2));
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert!(version.stdout.starts_with(b"evenhand "));
    assert_eq!(run(&["serve", "--help"]).status.code(), Some(0));
}

#[test]
fn a_reader_who_closes_the_pipe_is_no_crash() {
    let mut child = evenhand(&["serve", "--check"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{complaints}");
    assert!(!complaints.contains("panicked"), "{complaints}");
}

/// A running service; dropped, it is killed.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    /// Starts the service on free ports and reads in its log where it listens.
    fn start(folder: &TempDir) -> Self {
        let data = folder.path().join("data");
        let child =
            evenhand(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()])
                .env("EVENHAND_LOG__FORMAT", "json")
                .env("EVENHAND_CLASSIFIER__MODEL", "none")
                .stderr(Stdio::piped())
                .spawn();
        let mut service = Self { child: child.unwrap(), address: String::new() };
        let mut log = BufReader::new(service.child.stderr.take().unwrap());
        while service.address.is_empty() {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the service ended");
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            service.address = event["fields"]["listen"].as_str().unwrap_or_default().to_owned();
        }
        // The pipe must go on being read, or the service would block on its log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        service
    }

    /// Sends a signal and returns the exit code.
    fn end(&mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_service_starts_says_where_and_stops_when_asked() {
    let folder = TempDir::new().unwrap();
    for signal in ["-TERM", "-INT"] {
        let mut service = Service::start(&folder);
        std::net::TcpStream::connect(&service.address).unwrap();
        assert_eq!(service.end(signal), Some(0), "{signal}");
    }
}

#[test]
fn what_is_not_ready_ends_with_4() {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let output = run(&["serve", "--listen", &address, "--data-dir", data]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
    // A second service on the same data is refused as well.
    let mut service = Service::start(&folder);
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(service.end("-TERM"), Some(0));
    // A model that cannot be loaded.
    let (_folder, file) = written("[classifier]\nmodel = \"/nowhere/at/all\"\n");
    let output = run(&["serve", "--check", "--config", &file]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}
