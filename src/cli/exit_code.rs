//! How the program ends, as a number. The numbers are part of the interface.

use std::process;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// What was asked for is done.
    Done = 0,
    /// Something unexpected happened.
    Unexpected = 1,
    /// The arguments or the configuration cannot be used.
    Usage = 2,
    /// A check was asked for and failed.
    CheckFailed = 3,
    /// Something that is needed is not ready: an address, the store, a model.
    NotReady = 4,
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Why a subcommand did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// What to tell the person; `None` when it has been said.
    pub error: Option<anyhow::Error>,
}

impl Failure {
    /// Returns a failure with an error to tell.
    pub fn new(code: ExitCode, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: Some(error.into()) }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(ExitCode::Unexpected, error)
    }
}
