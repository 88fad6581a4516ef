//! `evenhand serve` as a process: checks, starts, stops, and its exit codes.

use std::{
    io::Read,
    process::{Output, Stdio},
};

use tempfile::TempDir;

use super::process::{Service, evenhand};

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

fn start(folder: &TempDir) -> Service {
    Service::start(&[("EVENHAND_STORE__DATA_DIR", folder.path().join("data").to_str().unwrap())])
}

#[test]
fn the_service_starts_says_where_and_stops_when_asked() {
    let folder = TempDir::new().unwrap();
    for signal in ["-TERM", "-INT"] {
        let mut service = start(&folder);
        std::net::TcpStream::connect(service.address()).unwrap();
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
    let mut service = start(&folder);
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(service.end("-TERM"), Some(0));
    // A model that cannot be loaded.
    let (_folder, file) = written("[classifier]\nmodel = \"/nowhere/at/all\"\n");
    let output = run(&["serve", "--check", "--config", &file]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}
