//! With a real server of NATS: crashes, restarts, and streams that do not fit.

use std::{
    collections::BTreeMap,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::{self, Context, stream::Config};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    workspace,
    world::{PRIVATE, assert_once_and_in_order, engine, found, settled, submit},
};
use crate::{
    app::{Handle, Owner, PostgresOptions, StoreOptions},
    domain::id::WorkspaceId,
    events::{
        CloudEvent, Options, Receipt, Sink, SinkError, Source, Start, nats::Nats, publish, run,
    },
};

/// Set where a missing server is an error.
const REQUIRED: &str = "EVENHAND_REQUIRE_NATS";

/// A server of its own for a test, which ends with it.
struct Server {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    running: Option<(Child, ChildStdin)>,
}

impl Server {
    /// Starts a server; `None` when it is not installed, and then says so.
    fn start() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut programs = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
        let Some(program) = programs.find(|program| program.exists()) else {
            assert!(std::env::var_os(REQUIRED).is_none(), "nats-server is not installed");
            eprintln!("SKIPPED: tests with NATS, as `nats-server` was not found");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("evenhand-nats-").tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { program, folder, port, running: None };
        server.run();
        Some(server)
    }

    fn run(&mut self) {
        // The shell ends the server when its input ends, which it does with this program at the latest.
        let script = r#""$@" >/dev/null 2>&1 & cat >/dev/null; kill $!; wait $!"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&self.program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"]);
        let mut child = command.arg(self.folder.path()).stdin(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        self.running = Some((child, input));
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("nats-server does not answer");
    }

    fn stop(&mut self) {
        if let Some((mut child, input)) = self.running.take() {
            drop(input);
            let _ = child.wait();
        }
    }

    fn options(&self, stream: &str) -> Options {
        Options {
            nats_url: format!("nats://127.0.0.1:{}", self.port),
            stream: stream.to_owned(),
            subject_prefix: format!("evenhand.{stream}"),
            ..Options::default()
        }
    }

    async fn context(&self) -> Context {
        let client = async_nats::connect(format!("nats://127.0.0.1:{}", self.port)).await.unwrap();
        jetstream::new(client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A sink that counts what the stream had already.
struct Counted {
    nats: Nats,
    delivered: Arc<AtomicU64>,
    duplicates: Arc<AtomicU64>,
}

impl Sink for Counted {
    const KIND: &'static str = "nats";
    const START: Start = Start::First;

    fn name(&self) -> String {
        self.nats.name()
    }

    async fn prepare(&self) -> Result<(), SinkError> {
        self.nats.prepare().await
    }

    async fn deliver(&self, event: CloudEvent) -> Result<Receipt, SinkError> {
        let receipt = self.nats.deliver(event).await?;
        self.delivered.fetch_add(1, Ordering::SeqCst);
        self.duplicates.fetch_add(u64::from(receipt == Receipt::Duplicate), Ordering::SeqCst);
        Ok(receipt)
    }
}

/// Reads a stream from its first message on: identifiers, subjects and bodies.
async fn stored(context: &Context, stream: &str) -> Vec<(String, String, String)> {
    let stream = context.get_stream(stream).await.unwrap();
    let mut messages = Vec::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        assert_eq!(
            message.headers.get("Content-Type").unwrap().as_str(),
            "application/cloudevents+json"
        );
        let id = message.headers.get("Nats-Msg-Id").unwrap().as_str().to_owned();
        let body = String::from_utf8(message.payload.to_vec()).unwrap();
        messages.push((id, message.subject.to_string(), body));
    }
    messages
}

fn assert_form(messages: &[(String, String, String)], prefix: &str) {
    for (id, subject, body) in messages {
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event["id"], *id);
        let (space, _) = id.split_once('/').unwrap();
        assert!(
            subject.starts_with(&format!("{prefix}.{}.", space.replace('.', "%2E"))),
            "{subject}"
        );
        let name = subject.rsplit_once('.').unwrap().1;
        assert_eq!(event["type"], format!("evenhand.v1.{name}"));
        assert!(PRIVATE.iter().all(|private| !body.contains(private)), "{body}");
    }
}

/// Publishes until something is stored, and then ends at once, before any cursor is kept.
async fn publish_and_crash(handle: &Handle, options: &Options, at_least: u64) {
    let delivered = Arc::new(AtomicU64::new(0));
    let duplicates = Arc::default();
    let nats = Nats::new(options.clone());
    let sink = Counted { nats, delivered: Arc::clone(&delivered), duplicates };
    let running = tokio::spawn(run(handle.clone(), sink, Source::new("/evenhand")));
    while delivered.load(Ordering::SeqCst) < at_least {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.abort();
    let _ = running.await;
}

/// The publisher is killed between acknowledgement and cursor, the server of NATS goes away and comes back, and in the
/// end every event of every workspace is in the stream once, in order.
async fn survives(mut server: Server, store: &StoreOptions) {
    let options = server.options("SURVIVES");
    let handle = engine(store).await;
    let spaces = ["acme", "b.c"].map(workspace);
    for space in &spaces {
        found(&handle, space).await;
        submit(&handle, space, 10).await;
    }
    publish_and_crash(&handle, &options, 30).await;
    let name = Nats::new(options.clone()).name();
    let kept: u64 = handle.cursors(&name).await.unwrap().values().sum();
    let before = stored(&server.context().await, "SURVIVES").await.len() as u64;
    assert!(before >= 30 && kept < before, "{kept} of {before} are kept");
    // From here on another publisher, as after a restart of the program.
    let (delivered, duplicates) = (Arc::default(), Arc::new(AtomicU64::new(0)));
    let nats = Nats::new(options.clone());
    let sink = Counted { nats, delivered, duplicates: Arc::clone(&duplicates) };
    tokio::spawn(run(handle.clone(), sink, Source::new("/evenhand")));
    submit(&handle, &spaces[0], 10).await;
    server.stop();
    submit(&handle, &spaces[0], 10).await;
    submit(&handle, &spaces[1], 10).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.run();
    submit(&handle, &spaces[1], 5).await;
    let newest = settled(&handle, &name).await;
    let messages = stored(&server.context().await, "SURVIVES").await;
    let ids: Vec<String> = messages.iter().map(|(id, ..)| id.clone()).collect();
    assert_once_and_in_order(&ids, &newest);
    assert_form(&messages, "evenhand.SURVIVES");
    let removed = duplicates.load(Ordering::SeqCst);
    assert!(removed >= before - kept, "the stream removed {removed} of {}", before - kept);
    eprintln!("{} events stored once, {removed} duplicates removed", messages.len());
    handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_stored_once_and_in_order_with_sqlite() {
    let Some(server) = Server::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    survives(server, &StoreOptions::Folder(folder.path().to_owned())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_stored_once_and_in_order_with_postgres() {
    let Some(server) = Server::start() else { return };
    let cluster = tokio::task::spawn_blocking(evenhand_postgres_test::shared).await.unwrap();
    let Some(cluster) = cluster else { return };
    let options = PostgresOptions::new(&cluster.database("events"), None).unwrap();
    survives(server, &StoreOptions::Postgres(Box::new(options))).await;
}

/// Returns the server that has a workspace.
async fn leader(servers: &[Handle], space: &WorkspaceId) -> Handle {
    loop {
        for server in servers {
            if matches!(server.owner(space).await, Ok(Owner::Here)) {
                return server.clone();
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_share_a_database_publish_what_they_have_and_take_over() {
    let Some(server) = Server::start() else { return };
    let cluster = tokio::task::spawn_blocking(evenhand_postgres_test::shared).await.unwrap();
    let Some(cluster) = cluster else { return };
    let options = PostgresOptions::new(&cluster.database("events_shared"), None).unwrap();
    let store = StoreOptions::Postgres(Box::new(options));
    let servers = [engine(&store).await, engine(&store).await];
    for each in &servers {
        tokio::spawn(publish(each.clone(), server.options("SHARED")));
    }
    // The second one takes its share within a few beats.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let spaces: Vec<WorkspaceId> = (0..8).map(|n| workspace(&format!("space-{n}"))).collect();
    for space in &spaces {
        let leader = leader(&servers, space).await;
        found(&leader, space).await;
        submit(&leader, space, 3).await;
    }
    let [first, second] = &servers;
    assert!(!first.newest().is_empty() && !second.newest().is_empty(), "both have some");
    first.leave().await;
    first.stop().await;
    for space in &spaces {
        submit(&leader(&servers[1..], space).await, space, 3).await;
    }
    let newest = settled(second, "nats/SHARED").await;
    assert_eq!(newest.len(), 9);
    let messages = stored(&server.context().await, "SHARED").await;
    let ids: Vec<String> = messages.into_iter().map(|(id, ..)| id).collect();
    assert_once_and_in_order(&ids, &newest);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_does_not_fit_is_named() {
    let Some(server) = Server::start() else { return };
    let refused =
        async |options: Options| Nats::new(options).prepare().await.unwrap_err().to_string();
    let missing = Options { create_stream: false, ..server.options("MISSING") };
    assert_eq!(refused(missing).await, "it is not as it must be: there is no stream MISSING");
    let subjects = vec!["desk.>".to_owned()];
    let config = Config { name: "DESK".to_owned(), subjects, ..Config::default() };
    server.context().await.create_stream(config).await.unwrap();
    let said = refused(server.options("DESK")).await;
    assert!(said.ends_with("stream DESK takes desk.>; it must take evenhand.DESK.>"), "{said}");
    let taken = Options { subject_prefix: "desk".to_owned(), ..server.options("OTHER") };
    let said = refused(taken).await;
    assert!(said.contains("stream OTHER cannot be made") && said.contains("overlap"), "{said}");
    let nowhere = Options { nats_url: "nats://127.0.0.1:1".to_owned(), ..Options::default() };
    let said = refused(nowhere).await;
    assert!(said.starts_with("it cannot be reached: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_made_here_remembers_identifiers_as_long_as_configured() {
    let Some(server) = Server::start() else { return };
    let options = Options { duplicate_window_secs: 600, ..server.options("MADE") };
    let folder = tempfile::tempdir().unwrap();
    let handle = engine(&StoreOptions::Folder(folder.path().to_owned())).await;
    tokio::spawn(publish(handle.clone(), options));
    let newest = settled(&handle, "nats/MADE").await;
    assert_eq!(newest.len(), 1);
    let stream = server.context().await.get_stream("MADE").await.unwrap();
    assert_eq!(stream.cached_info().config.duplicate_window, Duration::from_secs(600));
    assert_eq!(
        BTreeMap::from([(workspace("default"), stream.cached_info().state.messages)]),
        newest
    );
    handle.stop().await;
}
