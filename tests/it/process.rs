//! The program as a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// Returns the program with these arguments.
pub(crate) fn evenhand(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenhand"));
    command.args(arguments).env("EVENHAND_SERVER__ADMIN_LISTEN", "127.0.0.1:0");
    command
}

/// A running service; dropped, it is killed.
pub(crate) struct Service {
    child: Child,
    address: String,
}

impl Service {
    /// Starts the service on free ports with these settings, and reads in its log where it listens.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let child = evenhand(&["serve", "--listen", "127.0.0.1:0"])
            .env("EVENHAND_LOG__FORMAT", "json")
            .env("EVENHAND_CLASSIFIER__MODEL", "none")
            .envs(settings.iter().copied())
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

    /// Returns where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Sends a signal that ends it, and returns the exit code.
    pub(crate) fn end(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
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
