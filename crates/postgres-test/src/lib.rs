//! A PostgreSQL server of its own for each test program, and ways to break it.
//!
//! The server is made with `initdb` in a folder that goes away with it, listens on a free port of this
//! machine, and ends with the program that started it, however that ends.

use std::{
    fs::{self, Permissions},
    io::{self, Error},
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// Set where a missing PostgreSQL is an error, as in the project's check.
const REQUIRED: &str = "EVENHAND_REQUIRE_POSTGRES";
/// Where Debian, Fedora and Homebrew put the programs that are not on the path.
const FOLDERS: [&str; 4] =
    ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt"];
/// How often to start it.
const TRIES: u32 = 8;
/// How often to look whether the server answers, and how long between.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// A running server. It stops when dropped.
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    port: u16,
    settings: Vec<String>,
    running: Mutex<Option<(Child, ChildStdin)>>,
}

/// Returns the folder with PostgreSQL's programs; `None` when it is not installed, and then says so.
///
/// # Panics
/// When it is not installed and the environment says that it must be.
#[must_use]
pub fn programs() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let found = find();
            if found.is_none() {
                assert!(std::env::var_os(REQUIRED).is_none(), "PostgreSQL is not installed");
                eprintln!("SKIPPED: tests with PostgreSQL, as its `initdb` was not found");
            }
            found
        })
        .clone()
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for parent in FOLDERS {
        let versions = fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(versions.map(|version| version.path().join("bin")));
    }
    // Some distributions link a few of the programs elsewhere.
    let all = ["initdb", "postgres", "psql"];
    folders.into_iter().find(|folder| all.iter().all(|program| folder.join(program).exists()))
}

/// Returns the server that all tests of this program share; `None` when PostgreSQL is not installed.
///
/// # Panics
/// When the server does not start.
#[must_use]
pub fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(&[])).as_ref()
}

impl Cluster {
    /// Starts a server with these settings, such as `fsync=off`; `None` when it is not installed.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Option<Self> {
        Self::start_with(settings, &[])
    }

    /// Starts a server that has these files, by name and content, in its folder; settings name them so.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with(settings: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        let programs = programs()?;
        let cluster = Self::make(programs, settings).and_then(|cluster| {
            files.iter().try_for_each(|(name, content)| cluster.write(name, content))?;
            cluster.run()?;
            Ok(cluster)
        });
        match cluster {
            Ok(cluster) => Some(cluster),
            Err(error) => panic!("PostgreSQL could not be started: {error}"),
        }
    }

    /// Writes a file that only the server can read, as it wants keys to be.
    fn write(&self, name: &str, content: &str) -> io::Result<()> {
        let path = self.data().join(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        match self.user {
            Some((user, group)) => chown(&path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    fn make(programs: PathBuf, settings: &[&str]) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("evenhand-postgres-").tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let user = server_user()?;
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let running = Mutex::new(None);
        let cluster = Self { folder, programs, user, port, settings, running };
        let data = cluster.data();
        let made = cluster
            .program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=evenhand", "--encoding=UTF8", "-D"])
            .arg(data)
            .stdout(Stdio::null())
            .status()?;
        if made.success() { Ok(cluster) } else { Err(Error::other("initdb failed")) }
    }

    /// Returns the folder of the server's data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs the server, and waits until it answers.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self) -> io::Result<()> {
        // After a kill, what the server left of itself in memory may be there for a moment, and it does not start.
        for _ in 0..TRIES {
            self.spawn()?;
            for _ in 0..LOOKS {
                if self.answers() {
                    return Ok(());
                }
                thread::sleep(PAUSE);
            }
            self.reap();
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        Err(Error::other(format!("it does not answer; its log says: {log}")))
    }

    fn spawn(&self) -> io::Result<()> {
        // The shell ends the server when its input ends, which it does with this program at the latest.
        let script = r#"
            program=$1; shift
            "$program" "$@" >>"$LOG" 2>&1 &
            echo $! >"$PIDFILE"
            cat >/dev/null
            kill -QUIT $! 2>/dev/null
            wait $!"#;
        let mut command = Command::new("sh");
        self.drop_rights(&mut command);
        command
            .args(["-c", script, "sh"])
            .arg(self.programs.join("postgres"))
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", self.folder.path().display()))
            .args(["-c", "max_connections=200", "-c", "shared_buffers=128MB"])
            .env("LOG", self.folder.path().join("log"))
            .env("PIDFILE", self.folder.path().join("pid"))
            .stdin(Stdio::piped());
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or_else(|| Error::other("no input"))?;
        *self.lock() = Some((child, input));
        Ok(())
    }

    /// Ends the shell and waits for it.
    fn reap(&self) {
        if let Some((mut child, input)) = self.lock().take() {
            drop(input);
            let _ = child.wait();
        }
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && self.sql("postgres", "SELECT 1").is_ok()
    }

    /// Ends the server at once, as a crash would, and waits until it is gone.
    pub fn kill(&self) {
        self.signal("-KILL");
        // Its children see that it is gone and end; the port is free when the last of them has.
        self.reap();
        let lock = self.data().join("postmaster.pid");
        for _ in 0..LOOKS {
            if TcpStream::connect(("127.0.0.1", self.port)).is_err() {
                break;
            }
            thread::sleep(PAUSE);
        }
        let _ = fs::remove_file(lock);
    }

    /// Sends a signal to the server, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        let file = fs::read_to_string(self.folder.path().join("pid")).unwrap_or_default();
        let _ = Command::new("kill").args([signal, file.trim()]).status();
    }

    /// Makes a new database and returns its URL.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        if let Err(error) = self.sql("postgres", &format!("CREATE DATABASE \"{name}\"")) {
            panic!("the database could not be made: {error}");
        }
        format!("postgres://evenhand@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// Runs SQL with `psql` and returns what it prints.
    ///
    /// # Errors
    /// What it says.
    pub fn sql(&self, database: &str, statements: &str) -> io::Result<String> {
        let output = self
            .program("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"])
            .args(["-p", &self.port.to_string(), "-U", "evenhand", "-c", statements, database])
            .output()?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        self.drop_rights(&mut command);
        command
    }

    /// The server refuses to run as root.
    fn drop_rights(&self, command: &mut Command) {
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.current_dir(self.folder.path());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Child, ChildStdin)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.reap();
    }
}

/// Returns whom to run the server as: nobody else, or `postgres` where we are root.
fn server_user() -> io::Result<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string(Path::new("/etc/passwd"))?;
    let ids = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some("postgres");
        let ids = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        found.then_some(ids)
    });
    ids.map(Some).ok_or_else(|| Error::other("we are root, and there is no user `postgres`"))
}
