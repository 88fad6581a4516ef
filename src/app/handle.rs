//! What the rest of the program calls.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use tokio::sync::watch;

use super::{
    cluster::{Cluster, Owner},
    engine::Engine,
    inbox::{self, Inbox, Outlet},
    reader::{self, Colleagues, Reader},
    recent::Recent,
    snapshots,
    steady::SteadyClock,
    topics::Topics,
    types::{Command, Error, Receipt, Topic},
};
use crate::{
    classifier::{Classify, ClassifyError, ModelInfo},
    clock::Clock,
    domain::{id::WorkspaceId, reading::Reading, time::UnixMillis},
    store::{self, Readers, Store, StoreOptions},
};

/// What the engine is made of.
pub struct Parts {
    /// Where the data is; made when missing.
    pub store: StoreOptions,
    /// What the servers that share a store know of each other; unused where nobody shares it.
    pub peering: Peering,
    /// Reads texts; `None` when no model is loaded (rules read instead).
    pub classifier: Option<Arc<dyn Classify>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What the servers that share a store know of each other.
#[derive(Default)]
pub struct Peering {
    /// Where this server answers its peers, as `host:port`.
    pub address: String,
    /// Reaches the others' models.
    pub colleagues: Option<Arc<dyn Colleagues>>,
}

/// Starts the engine: opens the store, replays the journals, and runs until [`Handle::stop`], or until
/// the last handle is dropped.
///
/// # Errors
/// [`Error::Store`] when the database cannot be opened or read.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let Parts { store: options, peering, classifier, clock } = parts;
    let clock = Arc::new(SteadyClock::new(clock));
    let topics = Arc::new(Topics::default());
    let (to_read_sender, to_read) = watch::channel(0);
    let recent = Arc::new(Recent::default());
    let engine_clock = Arc::clone(&clock);
    let shown = (Arc::clone(&recent), Arc::clone(&topics));
    let (leads_sender, leads) = watch::channel(BTreeSet::new());
    let opened = options.clone();
    let load = move || {
        let store = Store::open(&opened).map_err(Error::Store)?;
        let readers = store.readers();
        let mut engine =
            Engine::new(Box::new(store), engine_clock, shown, to_read_sender, leads_sender);
        if !opened.is_shared() {
            engine.take_up_all()?;
        }
        Ok::<_, Error>((engine, readers))
    };
    let loaded = tokio::task::spawn_blocking(load).await;
    let (engine, readers) = loaded.map_err(|_| Error::Store(store::Error::ReaderLost))??;
    let stopping = Arc::new(watch::Sender::new(false));
    let (inbox, outlet) = inbox::queues(stopping.subscribe());
    let stopped = run(engine, outlet, Arc::clone(&stopping), readers.clone())?;
    let me = (peering.address, classifier.is_some());
    let cluster = if options.is_shared() {
        Cluster::join(options, me, inbox.clone(), leads).await?
    } else {
        Cluster::alone(leads)
    };
    let reader = Reader {
        inbox: inbox.clone(),
        recent: Arc::clone(&recent),
        texts: readers.clone(),
        model: classifier.clone(),
        clock: Arc::clone(&clock),
        down: AtomicBool::new(false),
    };
    snapshots::start(inbox.clone(), readers.clone(), stopping.subscribe());
    let others = (peering.colleagues, cluster.peers());
    reader::start(reader, &to_read, &stopping.subscribe(), others);
    let shared =
        Shared { inbox, readers, recent, topics, clock, classifier, cluster, stopping, stopped };
    Ok(Handle { shared: Arc::new(shared) })
}

/// Runs the engine on its thread; the receiver changes when it has ended and the store is closed.
fn run(
    engine: Engine,
    mut outlet: Outlet,
    stopping: Arc<watch::Sender<bool>>,
    readers: Readers,
) -> Result<watch::Receiver<bool>, Error> {
    let (ended, stopped) = watch::channel(false);
    let work = move || {
        // However the thread ends, callers see that the server is stopping and then that it stopped.
        let _ended = Raise(Arc::new(ended));
        let _stopping = Raise(stopping);
        let mut engine = engine;
        if let Err(error) = engine.run(&mut outlet) {
            tracing::error!(%error, "the engine stopped early");
        }
        readers.close();
    };
    let thread = std::thread::Builder::new().name("evenhand-engine".to_owned()).spawn(work);
    thread.map_err(|source| {
        let path = PathBuf::from("evenhand-engine");
        Error::Store(store::Error::File { action: "start the thread", path, source })
    })?;
    Ok(stopped)
}

/// Raises a flag when it is dropped.
struct Raise(Arc<watch::Sender<bool>>);

impl Drop for Raise {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// A cheap handle of the running engine. What it can be asked is in `questions`.
#[derive(Clone)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

/// What all handles share.
pub(super) struct Shared {
    pub(super) inbox: Inbox,
    pub(super) readers: Readers,
    pub(super) recent: Arc<Recent>,
    pub(super) topics: Arc<Topics>,
    clock: Arc<SteadyClock>,
    classifier: Option<Arc<dyn Classify>>,
    pub(super) cluster: Cluster,
    stopping: Arc<watch::Sender<bool>>,
    stopped: watch::Receiver<bool>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
    }
}

impl Handle {
    /// Does something. Returns once it is durable.
    ///
    /// # Errors
    /// [`Error`] says why nothing was done.
    pub async fn command(&self, command: Command) -> Result<Receipt, Error> {
        if *self.shared.stopping.borrow() {
            return Err(Error::Stopping);
        }
        self.shared.inbox.command(command).await
    }

    /// Returns who has a workspace; waits a while where nobody has.
    ///
    /// # Errors
    /// [`Error::Moved`] when nobody has it in time; [`Error::Stopping`].
    pub async fn owner(&self, workspace: &WorkspaceId) -> Result<Owner, Error> {
        self.shared.cluster.owner(workspace).await
    }

    /// Hands all workspaces to the other servers, if there are any; calls still find their way.
    pub async fn leave(&self) {
        self.shared.cluster.leave().await;
    }

    /// Stops: refuses new commands, finishes those taken, closes the store.
    pub async fn stop(&self) {
        self.shared.stopping.send_replace(true);
        // An error means that the thread is gone, which is as well.
        let _ = self.shared.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// Returns whether the engine is stopping; streams then say so and end.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.shared.stopping.subscribe()
    }

    /// Returns a counter that changes with each durable entry about the topic.
    #[must_use]
    pub fn watch(&self, topic: Topic) -> watch::Receiver<u64> {
        self.shared.topics.watch(topic)
    }

    /// Reads texts without making tickets of them.
    ///
    /// # Errors
    /// [`Error::ModelUnavailable`], [`Error::Full`].
    pub async fn classify(&self, texts: Vec<String>) -> Result<Vec<Reading>, Error> {
        let model = self.shared.classifier.as_ref().ok_or(Error::ModelUnavailable)?;
        model.classify(texts).await.map_err(|error| match error {
            ClassifyError::Full { max } => Error::Full { queue: "the classifier's queue", max },
            ClassifyError::Down => Error::ModelUnavailable,
        })
    }

    /// Returns what is known of the model.
    ///
    /// # Errors
    /// [`Error::ModelUnavailable`].
    pub fn model(&self) -> Result<ModelInfo, Error> {
        let model = self.shared.classifier.as_ref().ok_or(Error::ModelUnavailable)?;
        Ok(model.info())
    }

    /// Returns now, by the engine's clock.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.shared.clock.now()
    }
}
