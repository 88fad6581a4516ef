//! Starts the real server in this process, on a free loopback port, with a store of its own.
//!
//! The only file of the demo that knows the insides of the program.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::{
    app,
    classifier::{Classify, Model, ModelError, Worker, WorkerOptions, find_model},
    clock::SystemClock,
    service::{self, Server},
};

/// Time calls have to end when the demo stops the server, in seconds.
const SHUTDOWN_GRACE_SECS: u64 = 5;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no model, or it can't be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Loading the model panicked.
    #[error("loading the model failed unexpectedly")]
    Panicked,
    /// The system gives no thread or no directory.
    #[error("the model's thread or the data directory can't be made: {0}")]
    System(#[from] io::Error),
    /// The store can't be opened.
    #[error("the store can't be opened: {0}")]
    Engine(#[from] app::Error),
    /// There is no port to listen on.
    #[error(transparent)]
    Bind(#[from] service::BindError),
}

/// The running server.
pub(super) struct Running {
    address: SocketAddr,
    data_dir: TempDir,
    keep: bool,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// Loads the model, opens a new store, and serves.
///
/// # Errors
/// [`Error`] says which of them failed.
pub(super) async fn start(model: Option<&Path>, keep: bool) -> Result<Running, Error> {
    let classifier = classifier(model).await?;
    let data_dir = tempfile::Builder::new().prefix("evenhand-demo-").tempdir()?;
    let server = Server::bind(service::Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        admin_listen: None,
        // These customers are made up.
        shown_tickets_min: 1,
        shutdown_grace_secs: SHUTDOWN_GRACE_SECS,
        ..service::Options::default()
    })
    .await?;
    let address = server.address();
    let engine = app::start(app::Parts {
        store: app::StoreOptions::Folder(data_dir.path().to_owned()),
        peering: app::Peering::default(),
        classifier: Some(classifier),
        clock: Arc::new(SystemClock),
    })
    .await?;
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server.run(engine, shutdown.clone().cancelled_owned()));
    Ok(Running { address, data_dir, keep, shutdown, serving })
}

impl Running {
    /// Returns where the server listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server. Returns where the data directory stays, if it does.
    pub(super) async fn stop(self) -> Option<PathBuf> {
        self.shutdown.cancel();
        // How it ended no longer matters: everything was read back before.
        let _ = self.serving.await;
        self.keep.then(|| self.data_dir.keep())
    }
}

/// Loads the model on a thread of its own: it takes a second or two.
async fn classifier(model: Option<&Path>) -> Result<Arc<dyn Classify>, Error> {
    let model = model.map(Path::to_owned);
    let load = move || -> Result<Worker, Error> {
        let model = Model::load(&find_model(model.as_deref())?)?;
        Ok(Worker::start(model, WorkerOptions::default())?)
    };
    match spawn_blocking(load).await {
        Ok(worker) => Ok(Arc::new(worker?)),
        Err(_) => Err(Error::Panicked),
    }
}
