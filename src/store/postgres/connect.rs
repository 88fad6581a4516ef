//! Reaching PostgreSQL: where it is, how it is trusted, and whether it keeps what it says it keeps.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Session;
use crate::store::{
    Error,
    database::{Database, Engine, Purpose},
};

/// The schema, step by step; the number of steps taken is the schema version.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/postgres_0001.sql"),
    include_str!("../migrations/postgres_0002_event_cursor.sql"),
    include_str!("../migrations/postgres_0003_alarms.sql"),
];
/// How long to try to reach the server.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unacknowledged, and how long a silent connection is trusted.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Settings without which a commit may be lost or torn, and the one value each must not have.
const UNSAFE: [(&str, &str); 3] =
    [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")];
/// How long a transaction may wait for its server: one that is frozen must not hold up a take-over.
const IDLE_MS_MAX: u32 = 2_000;
/// How often a migration is tried when another server makes the same one.
const MIGRATION_TRIES: u32 = 10;
/// SQLSTATEs of two servers making the same table at once.
const MADE_MEANWHILE: [&str; 3] = ["23505", "42P07", "40001"];

/// Where the database is. `Debug` does not show the password.
#[derive(Clone)]
pub struct Options {
    config: Config,
    /// Certificates to trust instead of the system's, in PEM.
    ca_file: Option<PathBuf>,
}

impl Options {
    /// Reads a URL `postgres://user:password@host:port/database?sslmode=require`.
    ///
    /// `sslmode` is `disable`, `prefer` or `require` (default: `require` unless the host is a socket or
    /// this machine); whenever TLS is used, certificate and name are checked.
    ///
    /// # Errors
    /// [`Error::Url`] says what is wrong, without the password.
    pub fn new(url: &str, ca_file: Option<PathBuf>) -> Result<Self, Error> {
        let mut config = Config::from_str(url).map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            Error::Url { why: source.unwrap_or_else(|| error.to_string()) }
        })?;
        if config.get_hosts().is_empty() {
            return Err(Error::Url { why: "the host is missing".to_owned() });
        }
        if config.get_dbname().is_none() {
            return Err(Error::Url { why: "the name of the database is missing".to_owned() });
        }
        if !url.contains("sslmode=") && !is_near(&config) {
            config.ssl_mode(SslMode::Require);
        }
        config
            .application_name("evenhand")
            // What a server says without being asked is not for our log.
            .options("-c client_min_messages=warning")
            .connect_timeout(CONNECT_WITHIN)
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives_idle(SILENCE_MAX)
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(3);
        Ok(Self { config, ca_file })
    }

    #[cfg(test)]
    pub(in crate::store) fn ssl_mode(&self) -> SslMode {
        self.config.get_ssl_mode()
    }

    fn tls(&self) -> Result<MakeRustlsConnect, Error> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            Some(path) => {
                let refused = |why: String| Error::Certificates { path: path.clone(), why };
                let certificates = CertificateDer::pem_file_iter(path)
                    .map_err(|error| refused(error.to_string()))?;
                for certificate in certificates {
                    let certificate = certificate.map_err(|error| refused(error.to_string()))?;
                    roots.add(certificate).map_err(|error| refused(error.to_string()))?;
                }
            }
            // What cannot be read of the system's certificates is not trusted, which is all it means.
            None => drop(
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
            ),
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Url { why: error.to_string() })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options({self})")
    }
}

impl fmt::Display for Options {
    /// Shows hosts and database, but neither user nor password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
            Host::Tcp(name) => name.clone(),
        });
        let hosts: Vec<String> = hosts.collect();
        let database = self.config.get_dbname().unwrap_or_default();
        write!(f, "postgres {}/{database}", hosts.join(","))
    }
}

/// Returns whether all hosts are sockets or this machine, where nobody can listen on the way.
fn is_near(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        #[cfg(unix)]
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    })
}

/// Connects.
pub(in crate::store) fn connect(options: &Options) -> Result<Database, Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|source| {
            let action = "start a runtime for";
            Error::File { action, path: PathBuf::from("postgres"), source }
        })?;
    let client = runtime.block_on(async {
        // One connection has both forms of socket, so the branches differ in type.
        if options.config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = options.config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, Error>(client)
        } else {
            let (client, connection) = options.config.connect(options.tls()?).await?;
            tokio::spawn(connection);
            Ok(client)
        }
    })?;
    Ok(Database(Engine::Postgres(Session::new(client, runtime))))
}

/// Connects, refuses a server that may lose what it says it has, and brings the schema up to date.
pub(in crate::store) fn prepare(options: &Options) -> Result<Database, Error> {
    let database = connect(options)?;
    refuse_unsafe(&database)?;
    database.run(&format!("SET idle_in_transaction_session_timeout = {IDLE_MS_MAX}"))?;
    for attempt in 1.. {
        match migrate(&database) {
            Err(Error::Postgres(failure))
                if attempt < MIGRATION_TRIES
                    && MADE_MEANWHILE.iter().any(|code| failure.code() == Some(code)) =>
            {
                std::thread::sleep(Duration::from_millis(50));
            }
            migrated => {
                migrated?;
                break;
            }
        }
    }
    Ok(database)
}

fn refuse_unsafe(database: &Database) -> Result<(), Error> {
    // Only PostgreSQL has these; others do not know the names and show no rows.
    let query = "SELECT name, setting FROM pg_settings
         WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')";
    database.rows(query, &[], |row| {
        let name = row.required_text(0)?;
        let setting = row.required_text(1)?;
        let found = UNSAFE.iter().find(|(known, bad)| *known == name && *bad == setting);
        found.map_or(Ok(()), |(setting, value)| Err(Error::UnsafeSetting { setting, value }))
    })
}

/// Takes the missing steps, all or none; a server that comes at the same time waits.
fn migrate(database: &Database) -> Result<(), Error> {
    database.execute(
        "CREATE TABLE IF NOT EXISTS evenhand_schema (
             one BIGINT PRIMARY KEY, version BIGINT NOT NULL)",
        &[],
    )?;
    database.execute(
        "INSERT INTO evenhand_schema (one, version) VALUES (1, 0) ON CONFLICT (one) DO NOTHING",
        &[],
    )?;
    database.within(Purpose::Write, |database| {
        let query = "SELECT version FROM evenhand_schema WHERE one = 1 FOR UPDATE";
        let found = database.first(query, &[], |row| row.required_integer(0))?.unwrap_or(0);
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        check_version(found)?;
        for step in MIGRATIONS.iter().skip(found) {
            database.run(step)?;
        }
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        database.execute("UPDATE evenhand_schema SET version = ?1", &[known.into()])?;
        Ok(())
    })
}

fn check_version(found: usize) -> Result<(), Error> {
    let known = MIGRATIONS.len();
    if found > known {
        return Err(Error::Newer { path: PathBuf::from("the database"), found, known });
    }
    Ok(())
}
