//! The configuration: defaults, then one TOML file, then the environment, then the command line.
//!
//! Each part of the program owns its options; this module only fills them. Loading has no side
//! effects and reports everything that is wrong at once, with key, place, value and what is allowed.
//! `EVENHAND_SERVER__LISTEN` sets `server.listen`, and so on.

mod reader;

pub use reader::Problem;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use self::reader::Reader;
use crate::{
    app::{PostgresOptions, StoreOptions},
    events::{Options as EventOptions, WebhookOptions},
    service::Options as ServerOptions,
    telemetry::{logging::Options as LogOptions, measures::Options as MeasureOptions},
};

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the data is.
    pub store: StoreOptions,
    /// Where the servers that share the store reach this one; by default where it listens.
    pub advertise: Option<String>,
    /// Which model reads.
    pub model: ModelChoice,
    /// How the server listens.
    pub server: ServerOptions,
    /// How often fairness is measured, and from how many tickets on.
    pub measures: MeasureOptions,
    /// Where events go; `None` for nowhere.
    pub events: Option<EventOptions>,
    /// Where events are posted; `None` for nowhere.
    pub webhooks: Option<WebhookOptions>,
    /// How logs are written.
    pub log: LogOptions,
}

/// Which model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// The shipped one, if it is found; else keyword rules.
    Auto,
    /// None: keyword rules read.
    None,
    /// The one in this directory.
    Directory(PathBuf),
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read, or is no TOML.
    #[error("the configuration cannot be read: {0}")]
    Read(String),
    /// Some values are not allowed.
    #[error("{}", listed(.0))]
    Problems(Vec<Problem>),
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Loads the configuration.
///
/// # Errors
/// [`Error`] names everything that is wrong.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, Error> {
    let mut reader = Reader::open(file)?;
    let config = read(&mut reader, overrides);
    let problems = reader.finish();
    if problems.is_empty() { Ok(config) } else { Err(Error::Problems(problems)) }
}

fn read(reader: &mut Reader, overrides: &Overrides) -> Config {
    let measures = measures(reader);
    Config {
        store: store(reader, overrides),
        advertise: advertise(reader),
        model: match reader.text("classifier.model", "auto").as_str() {
            "auto" => ModelChoice::Auto,
            "none" => ModelChoice::None,
            directory => ModelChoice::Directory(directory.into()),
        },
        server: server(reader, overrides, measures.shown_tickets_min),
        measures,
        events: events(reader),
        webhooks: webhooks(reader),
        log: log(reader),
    }
}

fn advertise(reader: &mut Reader) -> Option<String> {
    let address = reader.text("cluster.advertise", "none");
    if address == "none" {
        return None;
    }
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none_or(|port| port == 0) {
        reader.reject("cluster.advertise", &address, "must be `host:port`");
    }
    Some(address)
}

/// A folder on the command line is meant for this run, whatever the file says.
fn store(reader: &mut Reader, overrides: &Overrides) -> StoreOptions {
    let folder = reader.text("store.data_dir", "./evenhand-data");
    let url = reader.text("store.url", "none");
    let ca_file = reader.text("store.ca_file", "none");
    let ca_file = (ca_file != "none").then(|| ca_file.into());
    if let Some(folder) = &overrides.data_dir {
        return StoreOptions::Folder(folder.clone());
    }
    if url == "none" {
        return StoreOptions::Folder(folder.into());
    }
    match PostgresOptions::new(&url, ca_file) {
        Ok(options) => StoreOptions::Postgres(Box::new(options)),
        Err(error) => {
            // The URL may hold a password, and is not shown.
            reader.reject("store.url", "(hidden)", &error.to_string());
            StoreOptions::Folder(folder.into())
        }
    }
}

fn server(reader: &mut Reader, overrides: &Overrides, shown_tickets_min: u64) -> ServerOptions {
    let default = ServerOptions::default();
    let listen = reader.loopback("server.listen", default.listen);
    let listen = match overrides.listen {
        None => listen,
        Some(listen) => reader.check_loopback("--listen", listen),
    };
    let admin_listen = default.admin_listen.and_then(|admin| {
        let on = reader.flag("server.admin", true);
        let admin = reader.loopback("server.admin_listen", admin);
        on.then_some(admin)
    });
    let streams_per_connection_max = reader.count(
        "server.streams_per_connection_max",
        default.streams_per_connection_max,
        1,
        10_000,
    );
    let cors_origins = reader.origins("server.cors_origins");
    let mut count = |key, default| reader.count(&format!("server.{key}"), default, 1, 100_000);
    let connections_max = count("connections_max", default.connections_max);
    let ticket_calls_max = count("ticket_calls_max", default.ticket_calls_max);
    let watch_streams_max = count("watch_streams_max", default.watch_streams_max);
    let classify_calls_max = count("classify_calls_max", default.classify_calls_max);
    let measure_calls_max = count("measure_calls_max", default.measure_calls_max);
    let mut secs = |key, default| reader.count(&format!("server.{key}"), default, 1, 3_600);
    ServerOptions {
        listen,
        admin_listen,
        connections_max,
        streams_per_connection_max,
        ticket_calls_max,
        watch_streams_max,
        classify_calls_max,
        measure_calls_max,
        shown_tickets_min,
        keepalive_interval_secs: secs("keepalive_interval_secs", default.keepalive_interval_secs),
        keepalive_timeout_secs: secs("keepalive_timeout_secs", default.keepalive_timeout_secs),
        shutdown_grace_secs: secs("shutdown_grace_secs", default.shutdown_grace_secs),
        cors_origins,
    }
}

fn measures(reader: &mut Reader) -> MeasureOptions {
    let default = MeasureOptions::default();
    MeasureOptions {
        interval_secs: reader.count("measures.interval_secs", default.interval_secs, 1, 86_400),
        group_tickets_min: reader.count(
            "measures.group_tickets_min",
            default.group_tickets_min,
            2,
            100_000,
        ),
        shown_tickets_min: reader.count(
            "measures.shown_tickets_min",
            default.shown_tickets_min,
            1,
            100_000,
        ),
    }
}

fn events(reader: &mut Reader) -> Option<EventOptions> {
    let default = EventOptions::default();
    let nats_url = reader.text("events.nats_url", "none");
    let mut checked = |key, default: &str, check: fn(&str) -> Result<(), &'static str>| {
        let given = reader.text(key, default);
        if let Err(allowed) = check(&given) {
            reader.reject(key, &given, allowed);
        }
        given
    };
    let prefix = &default.subject_prefix;
    let subject_prefix = checked("events.subject_prefix", prefix, EventOptions::check_prefix);
    let stream = checked("events.stream", &default.stream, EventOptions::check_stream);
    let source = checked("events.source", &default.source, EventOptions::check_source);
    let create_stream = reader.flag("events.create_stream", default.create_stream);
    let window = default.duplicate_window_secs;
    let duplicate_window_secs = reader.count("events.duplicate_window_secs", window, 10, 86_400);
    let ca_file = reader.text("events.ca_file", "none");
    let ca_file = (ca_file != "none").then(|| ca_file.into());
    if nats_url == "none" {
        return None;
    }
    // The URL may hold a password, and is not shown.
    if !EventOptions::is_available() {
        let allowed = "needs a program built with `cargo build --release --features nats`";
        reader.reject("events.nats_url", "(hidden)", allowed);
    } else if let Err(allowed) = EventOptions::check_url(&nats_url) {
        reader.reject("events.nats_url", "(hidden)", allowed);
    }
    Some(EventOptions {
        nats_url,
        subject_prefix,
        stream,
        create_stream,
        duplicate_window_secs,
        source,
        ca_file,
    })
}

fn webhooks(reader: &mut Reader) -> Option<WebhookOptions> {
    let default = WebhookOptions::default();
    let url = reader.hidden("webhooks.url");
    let secret = reader.hidden("webhooks.secret");
    let previous_secret = reader.hidden("webhooks.previous_secret");
    let name = reader.text("webhooks.name", &default.name);
    if let Err(allowed) = WebhookOptions::check_name(&name) {
        reader.reject("webhooks.name", &name, allowed);
    }
    let given = reader.list("webhooks.types");
    let types = WebhookOptions::read_types(&given).unwrap_or_else(|allowed| {
        reader.reject("webhooks.types", &given.join(", "), &allowed);
        default.types
    });
    let allow_http = reader.flag("webhooks.allow_http", default.allow_http);
    let timeout_secs = reader.count("webhooks.timeout_secs", default.timeout_secs, 1, 60);
    let ca_file = reader.text("webhooks.ca_file", "none");
    let ca_file = (ca_file != "none").then(|| ca_file.into());
    // Events look the same wherever they go; `events` says what is wrong with it.
    let source = reader.text("events.source", &default.source);
    let checked = [("webhooks.secret", &secret), ("webhooks.previous_secret", &previous_secret)];
    for (key, secret) in checked {
        if let Some(Err(allowed)) = secret.as_deref().map(WebhookOptions::check_secret) {
            reader.reject_hidden(key, allowed);
        }
    }
    let url = url?;
    if let Err(allowed) = WebhookOptions::check_url(&url, allow_http) {
        reader.reject_hidden("webhooks.url", allowed);
    }
    if secret.is_none() {
        let allowed = "needs webhooks.secret, so that receivers know who sends";
        reader.reject_hidden("webhooks.url", allowed);
    }
    let secret = secret.unwrap_or_default();
    Some(WebhookOptions {
        url,
        allow_http,
        secret,
        previous_secret,
        name,
        types,
        timeout_secs,
        source,
        ca_file,
    })
}

fn log(reader: &mut Reader) -> LogOptions {
    let default = LogOptions::default();
    let json = reader.choice("log.format", "text", &["text", "json"]) == "json";
    let filter = reader.text("log.filter", &default.filter);
    if let Err(error) = LogOptions::check_filter(&filter) {
        let allowed = format!("must be a filter such as `info` or `evenhand=debug,warn`: {error}");
        reader.reject("log.filter", &filter, &allowed);
    }
    LogOptions { json, filter }
}

#[cfg(test)]
mod tests;
