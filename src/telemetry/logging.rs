//! Logs: lines of text or JSON on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// How logs are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Lines of JSON for programs, instead of text for people.
    pub json: bool,
    /// Which events are written, for example `info` or `evenhand=debug,warn`.
    pub filter: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { json: false, filter: "info".to_owned() }
    }
}

impl Options {
    /// Checks a filter.
    ///
    /// # Errors
    /// Why it is none.
    pub fn check_filter(filter: &str) -> Result<(), String> {
        EnvFilter::try_new(filter).map(drop).map_err(|error| error.to_string())
    }
}

/// Starts logging to standard error; panics are logged by place, without what they say.
///
/// Does nothing when logging has started before.
pub fn start(options: &Options) {
    let filter = EnvFilter::try_new(&options.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let started = if options.json {
        registry.with(layer.json()).try_init()
    } else {
        registry.with(layer.with_ansi(io::stderr().is_terminal())).try_init()
    };
    if started.is_ok() {
        log_panics();
    }
}

/// Logs where a panic happened. What it says may hold a customer's text (a slice out of bounds shows
/// the string), so only a constant message is repeated.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let constant = panic.payload().downcast_ref::<&'static str>().copied();
        tracing::error!(place, message = constant.unwrap_or("(withheld)"), "panicked");
    }));
}
