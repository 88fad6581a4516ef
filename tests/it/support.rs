//! A real server on a loopback port, with a scripted reader instead of a model.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use evenhand::{
    api::v1::{
        self, admin_service_client::AdminServiceClient, agent_service_client::AgentServiceClient,
        classification_service_client::ClassificationServiceClient,
        insight_service_client::InsightServiceClient, stream_offers_response::Update,
        ticket_service_client::TicketServiceClient,
    },
    app,
    classifier::{Classify, ClassifyError, ModelInfo, Readings},
    clock::SystemClock,
    domain::reading::{
        Evidence, EvidenceHead, IntentProbability, Reading, ReadingSource, Sentiment, Urgency,
    },
    service::{ACTOR_KEY, Options, Server, WORKSPACE_KEY},
    telemetry,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::{Request, Status, Streaming, transport::Channel};
use tonic_types::StatusExt;

/// Nothing here takes longer, unless it is stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Reads by keyword, at once: what a test writes into a text is what is read.
///
/// - `refund`: the intent `get_refund`; anything else is out of scope
/// - `urgent`: critical
/// - `unreadable`: the model never answers; `too many`: its queue is full
pub(crate) struct Keywords;

impl Classify for Keywords {
    fn classify(&self, texts: Vec<String>) -> Readings {
        Box::pin(async move {
            if texts.iter().any(|text| text.contains("unreadable")) {
                std::future::pending::<()>().await;
            }
            if texts.iter().any(|text| text.contains("too many")) {
                return Err(ClassifyError::Full { max: 7 });
            }
            Ok(texts.iter().map(|text| read(text)).collect())
        })
    }

    fn info(&self) -> ModelInfo {
        ModelInfo {
            name: "keywords-1".to_owned(),
            sha256: "0".repeat(64),
            intents: vec!["get_refund".to_owned()],
            languages: vec!["en".to_owned()],
            tokens_max: 128,
        }
    }
}

fn read(text: &str) -> Reading {
    let refund = text.contains("refund");
    let urgency = if text.contains("urgent") { Urgency::Critical } else { Urgency::Normal };
    let word = |at: usize| {
        let start_chars = u32::try_from(text[..at].chars().count()).unwrap();
        let head = EvidenceHead::Intent;
        Evidence { head, start_chars, end_chars: start_chars + 6, weight: 1.5 }
    };
    Reading {
        source: ReadingSource::Model,
        model: "keywords-1".into(),
        intents: vec![IntentProbability {
            intent: "get_refund".into(),
            probability: 0.9,
            present: true,
        }],
        out_of_scope: !refund,
        out_of_scope_score: if refund { -1.0 } else { 1.0 },
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_probabilities: [0.25, 0.5, 0.25],
        urgency,
        urgency_score: 0.5,
        urgency_confidence: 0.9,
        language: Some("en".to_owned()),
        language_supported: true,
        truncated: false,
        evidence: text.find("refund").map(word).into_iter().collect(),
    }
}

/// A server to be started.
pub(crate) struct Builder {
    options: Options,
    model: Option<Arc<dyn Classify>>,
}

impl Builder {
    /// Changes how the server listens.
    pub(crate) fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Starts without a model.
    pub(crate) fn without_model(mut self) -> Self {
        self.model = None;
        self
    }

    /// Starts the server in a new directory.
    pub(crate) async fn start(self) -> TestServer {
        self.start_in(TempDir::new().unwrap()).await
    }

    /// Starts the server in a directory that an earlier one left.
    pub(crate) async fn start_in(self, folder: TempDir) -> TestServer {
        TestServer::open(folder, self).await
    }
}

/// A running server.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    folder: TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl TestServer {
    /// Returns a server to be started, on free ports.
    pub(crate) fn builder() -> Builder {
        let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let options = Options {
            listen: free,
            admin_listen: Some(free),
            shutdown_grace_secs: 2,
            // Stories have few tickets.
            shown_tickets_min: 1,
            ..Options::default()
        };
        Builder { options, model: Some(Arc::new(Keywords)) }
    }

    /// Starts a server as it is by default.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    async fn open(folder: TempDir, builder: Builder) -> Self {
        logs();
        let server = Server::bind(builder.options).await.unwrap();
        let server = server.with_metrics(telemetry::metrics::start());
        let parts = app::Parts {
            store: app::StoreOptions::Folder(folder.path().to_owned()),
            peering: app::Peering::default(),
            classifier: builder.model,
            clock: Arc::new(SystemClock),
        };
        let handle = app::start(parts).await.unwrap();
        let often = telemetry::measures::Options {
            interval_secs: 1,
            group_tickets_min: 2,
            shown_tickets_min: 1,
        };
        tokio::spawn(telemetry::measures::run(handle.clone(), often));
        let (address, admin) = (server.address(), server.admin_address().unwrap());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            server.run(handle, async { drop(stopped.await) }).await.unwrap();
        });
        Self { address, admin, folder, stop, running }
    }

    /// Asks the server to stop and waits until it has. Returns its directory.
    pub(crate) async fn stop(self) -> TempDir {
        drop(self.stop);
        within(self.running).await.unwrap();
        self.folder
    }

    /// Asks the server to stop, and does not wait.
    pub(crate) fn stop_soon(self) -> JoinHandle<()> {
        let Self { stop, running, folder, .. } = self;
        drop(stop);
        tokio::spawn(async move {
            running.await.unwrap();
            drop(folder);
        })
    }

    /// Connects.
    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    pub(crate) async fn tickets(&self) -> TicketServiceClient<Channel> {
        TicketServiceClient::new(self.channel().await)
    }

    pub(crate) async fn agents(&self) -> AgentServiceClient<Channel> {
        AgentServiceClient::new(self.channel().await)
    }

    pub(crate) async fn administration(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel().await)
    }

    pub(crate) async fn insight(&self) -> InsightServiceClient<Channel> {
        InsightServiceClient::new(self.channel().await)
    }

    pub(crate) async fn classification(&self) -> ClassificationServiceClient<Channel> {
        ClassificationServiceClient::new(self.channel().await)
    }

    /// Adds an agent with skills at proficiency 5, who may take 10 tickets at once.
    pub(crate) async fn add_agent(&self, agent: &str, skills: &[&str]) {
        let skill = |skill: &&str| v1::AgentSkill { skill_id: (*skill).to_owned(), proficiency: 5 };
        let profile = v1::AgentProfile {
            agent_id: agent.to_owned(),
            display_name: agent.to_owned(),
            skills: skills.iter().map(skill).collect(),
            capacity_units: 10,
            ..v1::AgentProfile::default()
        };
        let request =
            v1::CreateAgentRequest { profile: Some(profile), idempotency_key: String::new() };
        self.administration().await.create_agent(request).await.unwrap();
    }

    /// Declares segment attributes of the default workspace.
    pub(crate) async fn declare_segments(&self, attributes: &[&str]) {
        let workspace = v1::Workspace {
            workspace_id: "default".to_owned(),
            segment_attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
            ..v1::Workspace::default()
        };
        let request = v1::UpdateWorkspaceRequest {
            workspace: Some(workspace),
            idempotency_key: String::new(),
        };
        self.administration().await.update_workspace(request).await.unwrap();
    }

    /// Submits a text and returns the ticket once it is read.
    pub(crate) async fn submit(&self, text: &str) -> v1::Ticket {
        let request = v1::SubmitTicketRequest { wait_for_reading: true, ..submission(text) };
        let response = self.tickets().await.submit_ticket(request).await.unwrap();
        response.into_inner().ticket.unwrap()
    }

    /// Returns a ticket as it stands.
    pub(crate) async fn ticket(&self, ticket_id: &str) -> v1::Ticket {
        let request = v1::GetTicketRequest { ticket_id: ticket_id.to_owned() };
        let response = self.tickets().await.get_ticket(request).await.unwrap();
        response.into_inner().ticket.unwrap()
    }

    /// Makes an agent available and opens an offer stream.
    pub(crate) async fn sign_in(&self, agent: &str) -> Desk {
        let mut client = self.agents().await;
        let presence = v1::SetPresenceRequest {
            presence: v1::Presence::Available.into(),
            idempotency_key: String::new(),
        };
        client.set_presence(by(agent, presence)).await.unwrap();
        self.open_stream(agent, 0).await
    }

    /// Opens an offer stream.
    pub(crate) async fn open_stream(&self, agent: &str, after_sequence: u64) -> Desk {
        let mut client = self.agents().await;
        let request = by(agent, v1::StreamOffersRequest { after_sequence });
        let stream = client.stream_offers(request).await.unwrap().into_inner();
        Desk { agent: agent.to_owned(), client, stream, sequence: after_sequence }
    }
}

/// An agent before an open stream.
pub(crate) struct Desk {
    pub(crate) agent: String,
    pub(crate) client: AgentServiceClient<Channel>,
    pub(crate) stream: Streaming<v1::StreamOffersResponse>,
    /// Of the message seen last.
    pub(crate) sequence: u64,
}

impl Desk {
    /// Returns the next message that is no heartbeat; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Update> {
        let next = async {
            loop {
                let message = self.stream.message().await.unwrap()?;
                self.sequence = message.sequence;
                match message.update.unwrap() {
                    Update::Heartbeat(_) => {}
                    update => return Some(update),
                }
            }
        };
        within(next).await
    }

    /// Returns the next offer; what comes before it is skipped.
    pub(crate) async fn next_offer(&mut self) -> v1::Offer {
        loop {
            match self.next().await.expect("the stream ended without an offer") {
                Update::Offer(offer) => return offer,
                Update::Desk(mut desk) if !desk.offers.is_empty() => return desk.offers.remove(0),
                _ => {}
            }
        }
    }

    /// Accepts an offer.
    pub(crate) async fn accept(&mut self, offer_id: &str) -> Result<v1::Ticket, Status> {
        let request = v1::AcceptOfferRequest {
            offer_id: offer_id.to_owned(),
            idempotency_key: String::new(),
        };
        let response = self.client.accept_offer(by(&self.agent, request)).await?;
        Ok(response.into_inner().ticket.unwrap())
    }

    /// Completes an assignment, resolved at first contact.
    pub(crate) async fn complete(&mut self, ticket_id: &str) -> Result<v1::Ticket, Status> {
        let outcome = v1::Outcome {
            resolution: v1::Resolution::FirstContact.into(),
            right_intent: String::new(),
            satisfaction: 5,
        };
        let request = v1::CompleteAssignmentRequest {
            ticket_id: ticket_id.to_owned(),
            outcome: Some(outcome),
            idempotency_key: String::new(),
        };
        let response = self.client.complete_assignment(by(&self.agent, request)).await?;
        Ok(response.into_inner().ticket.unwrap())
    }
}

/// Returns a request of an actor.
pub(crate) fn by<T>(actor: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(ACTOR_KEY, actor.parse().unwrap());
    request
}

/// Returns a request in a workspace.
pub(crate) fn in_workspace<T>(workspace: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(WORKSPACE_KEY, workspace.parse().unwrap());
    request
}

/// Returns a request to submit a text.
pub(crate) fn submission(text: &str) -> v1::SubmitTicketRequest {
    v1::SubmitTicketRequest {
        ticket: Some(new_ticket(text)),
        idempotency_key: String::new(),
        wait_for_reading: false,
    }
}

/// Returns a ticket with a text.
pub(crate) fn new_ticket(text: &str) -> v1::NewTicket {
    v1::NewTicket { channel: "email".to_owned(), body: text.to_owned(), ..v1::NewTicket::default() }
}

/// Returns the reason of a status, as in docs/errors.
#[track_caller]
pub(crate) fn reason(status: &Status) -> String {
    let details = status.get_details_error_info();
    let details = details.unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(details.domain, "evenhand.v1");
    details.reason
}

/// Returns the fields a status complains about.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let bad = status.get_details_bad_request().expect("no BadRequest");
    bad.field_violations.into_iter().map(|violation| violation.field).collect()
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("nothing happened for too long")
}

/// Everything the process has logged, at the most talkative level of our own modules.
pub(crate) fn logs() -> Arc<Mutex<Vec<u8>>> {
    static LOGS: std::sync::OnceLock<Arc<Mutex<Vec<u8>>>> = std::sync::OnceLock::new();
    let start = || {
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&written);
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("evenhand=trace,tonic=debug,info")
            .with_ansi(false)
            .with_writer(move || Writer(Arc::clone(&writer)))
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        written
    };
    Arc::clone(LOGS.get_or_init(start))
}

struct Writer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
