//! An engine in a folder of its own, with a clock and a model that do as they are told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::{
    app::{self, workspace::Workspace, *},
    classifier::{Classify, ClassifyError, ModelInfo, Readings},
    clock::Clock,
    domain::{
        agent::{AgentProfile, Presence},
        event::{Entry, Event},
        id::{AgentId, OfferId, SkillId, TicketId, WorkspaceId},
        reading::{IntentProbability, Reading, ReadingSource, Sentiment, Urgency},
        ticket::{Intake, Payload},
        time::UnixMillis,
    },
    routing::{AgentWrite, Input},
    store::{Durable, Store},
};

/// A clock with hands.
pub(super) struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// What the model does next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mood {
    /// Reads: the first word of a text is its intent.
    Well,
    /// Its queue is full.
    Full,
    /// It fails.
    Down,
    /// It never answers.
    Silent,
    /// It returns a number that is not finite.
    Unsound,
    /// It fails whenever the text `poison` is among the texts.
    Poisoned,
}

/// A model that does as it is told.
pub(super) struct Scripted(Mutex<Mood>);

impl Classify for Scripted {
    fn classify(&self, texts: Vec<String>) -> Readings {
        let mood = *self.0.lock().unwrap();
        Box::pin(async move {
            let readings = texts.iter().map(|text| reading(text)).collect::<Vec<_>>();
            match mood {
                Mood::Well => Ok(readings),
                Mood::Full => Err(ClassifyError::Full { max: 1 }),
                Mood::Down => Err(ClassifyError::Down),
                Mood::Silent => std::future::pending().await,
                Mood::Unsound => Ok(readings
                    .into_iter()
                    .map(|reading| Reading { urgency_score: f64::NAN, ..reading })
                    .collect()),
                Mood::Poisoned if texts.iter().any(|text| text.contains("poison")) => {
                    Err(ClassifyError::Down)
                }
                Mood::Poisoned => Ok(readings),
            }
        })
    }

    fn info(&self) -> ModelInfo {
        ModelInfo {
            name: "scripted 1".to_owned(),
            sha256: String::new(),
            intents: Vec::new(),
            languages: Vec::new(),
            tokens_max: 128,
        }
    }
}

/// What the model reads in a text: its first word is the intent.
pub(super) fn reading(text: &str) -> Reading {
    let intent = text.split_whitespace().next().unwrap_or("none").to_owned();
    Reading {
        source: ReadingSource::Model,
        model: "scripted 1".into(),
        intents: vec![IntentProbability { intent: intent.into(), probability: 0.9, present: true }],
        out_of_scope: false,
        out_of_scope_score: 0.1,
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_probabilities: [0.1, 0.8, 0.1],
        urgency: Urgency::Normal,
        urgency_score: 0.3,
        urgency_confidence: 0.9,
        language: Some("en".to_owned()),
        language_supported: true,
        truncated: false,
        evidence: Vec::new(),
    }
}

/// A running engine and everything around it.
pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) hands: Arc<Hands>,
    pub(super) model: Arc<Scripted>,
    pub(super) handle: Handle,
}

impl World {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hands = Arc::new(Hands(AtomicI64::new(1_700_000_000_000)));
        let model = Arc::new(Scripted(Mutex::new(Mood::Well)));
        let handle = open(&folder, &hands, Some(&model)).await.unwrap();
        Self { folder, hands, model, handle }
    }

    /// Stops the engine and starts another one on the same folder.
    pub(super) async fn restart(&mut self) {
        self.handle.stop().await;
        self.handle = open(&self.folder, &self.hands, Some(&self.model)).await.unwrap();
    }

    /// As [`World::restart`], without a model.
    pub(super) async fn restart_without_model(&mut self) {
        self.handle.stop().await;
        self.handle = open(&self.folder, &self.hands, None).await.unwrap();
    }

    pub(super) fn set_mood(&self, mood: Mood) {
        *self.model.0.lock().unwrap() = mood;
    }

    pub(super) fn pass(&self, millis: i64) {
        self.hands.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Returns a second connection to the database, to cause trouble with.
    pub(super) fn raw(&self) -> Connection {
        let path = self.folder.path().join("evenhand.db");
        Connection::open_with_flags_and_vfs(path, OpenFlags::default(), evenhand_vfs::NAME).unwrap()
    }

    pub(super) async fn route(&self, input: Input) -> Result<Receipt, Error> {
        self.handle.command(command(Action::Route(input.into()))).await
    }

    pub(super) async fn submit(&self, text: &str) -> TicketId {
        let receipt = self.handle.command(submission(text)).await.unwrap();
        receipt.ticket.unwrap()
    }

    /// Adds an agent with skills for orders and triage and makes the agent available.
    pub(super) async fn add_agent(&self, agent: &str, capacity_units: u32) {
        let skills = ["orders", "triage"].map(|skill| (SkillId::new(skill).unwrap(), 3));
        let profile = AgentProfile {
            agent: agent_id(agent),
            display_name: agent.to_owned(),
            skills: BTreeMap::from(skills),
            capacity_units,
            channel_units: BTreeMap::new(),
            speed: 0,
            shifts: None,
        };
        let create = Input::SetAgent { profile, write: AgentWrite::Create };
        self.route(create).await.unwrap();
        self.set_presence(agent, Presence::Available).await;
    }

    pub(super) async fn set_presence(&self, agent: &str, presence: Presence) {
        let agent = agent_id(agent);
        self.route(Input::SetPresence { agent, presence }).await.unwrap();
    }

    pub(super) async fn view(&self, ticket: &TicketId) -> TicketView {
        self.handle.ticket(&default(), ticket).await.unwrap()
    }

    pub(super) async fn desk(&self, agent: &str) -> DeskView {
        self.handle.desk(&default(), &agent_id(agent)).await.unwrap()
    }

    /// Waits until somebody has read the ticket, at most some seconds.
    pub(super) async fn read_by(&self, ticket: &TicketId, source: ReadingSource) -> TicketView {
        let mut topic = self.handle.watch(Topic::Ticket(default(), ticket.clone()));
        let wait = async {
            loop {
                topic.borrow_and_update();
                let view = self.view(ticket).await;
                if view.reading.as_ref().is_some_and(|reading| reading.source == source) {
                    return view;
                }
                topic.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("nobody read it")
    }

    /// Returns all entries about a ticket.
    pub(super) async fn entries(&self, ticket: &TicketId) -> Vec<Entry> {
        let filter = EntryFilter::Ticket(ticket.clone());
        self.handle.entries(&default(), filter, 0, 1000).await.unwrap()
    }

    pub(super) async fn names(&self, ticket: &TicketId) -> Vec<&'static str> {
        self.entries(ticket).await.iter().map(|entry| entry.event.name()).collect()
    }

    /// Returns the default workspace as the engine has it.
    pub(super) async fn snapshot(&self) -> Workspace {
        self.handle.inspect(&default()).await
    }
}

async fn open(
    folder: &TempDir,
    hands: &Arc<Hands>,
    model: Option<&Arc<Scripted>>,
) -> Result<Handle, Error> {
    let classifier = model.map(|model| Arc::clone(model) as Arc<dyn Classify>);
    let store = StoreOptions::Folder(folder.path().to_owned());
    app::start(Parts {
        store,
        peering: Peering::default(),
        classifier,
        clock: Arc::clone(hands) as Arc<dyn Clock>,
    })
    .await
}

/// Replays the default workspace of a folder that no engine uses.
pub(super) fn replayed(folder: &TempDir) -> Workspace {
    let store = Store::open(&StoreOptions::Folder(folder.path().to_owned())).unwrap();
    let created_at = store.workspaces().unwrap()[0].1;
    Workspace::load(&store, &default(), created_at).unwrap().0
}

/// Asserts that two workspaces are alike in everything that follows from the journal.
pub(super) fn assert_alike(left: &Workspace, right: &Workspace) {
    assert_eq!(left.sequence, right.sequence);
    assert_eq!(left.state, right.state);
    assert_eq!(left.rows, right.rows);
    let open = |workspace: &Workspace| {
        let counts = workspace.counts.clone().into_iter();
        counts.filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(open(left), open(right));
}

pub(super) fn default() -> WorkspaceId {
    WorkspaceId::new("default").unwrap()
}

pub(super) fn agent_id(agent: &str) -> AgentId {
    AgentId::new(agent).unwrap()
}

pub(super) fn command(action: Action) -> Command {
    Command { workspace: default(), actor: None, idempotency: None, action }
}

pub(super) fn submission(text: &str) -> Command {
    let intake = Intake {
        channel: "chat".to_owned(),
        language: None,
        attributes: BTreeMap::new(),
        requirements: Vec::new(),
        priority: 0,
        target_secs: None,
        preferred_agent: None,
        is_long: false,
    };
    let payload = Payload {
        subject: String::new(),
        body: text.to_owned(),
        customer: "cust-1".to_owned(),
        segments: BTreeMap::from([("region".to_owned(), "north".to_owned())]),
    };
    command(Action::Submit { intake, payload })
}

pub(super) fn with_key(mut command: Command, key: &str, content: u8) -> Command {
    let fingerprint = [content; 32];
    command.idempotency = Some(Idempotency { key: key.to_owned(), fingerprint });
    command
}

/// Returns the offer an entry made.
pub(super) fn offer_of(entry: &Entry) -> Option<&OfferId> {
    match &entry.event {
        Event::OfferMade { offer, .. } => Some(offer),
        _ => None,
    }
}
