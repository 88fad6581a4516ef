//! The whole path, seen from outside: the real server, a real client, real tickets, simulated people.
//!
//! - `tickets`: from a CSV file to tickets
//! - `start`: the server, in this process, on a free loopback port
//! - `client`, `workspace`, `team`: who calls, and what is set up by calling
//! - `day`: runs `submit` (tickets go in) and `people` (who answer offers over their streams)
//! - `board`, `progress`: what is going on
//! - `tally`, `trail`: what the store says at the end; `report` and `summary` show it
//!
//! Everything after `start` goes over gRPC and TCP; nothing is looked up behind the service's back.

mod board;
mod client;
mod day;
mod interrupt;
mod people;
mod progress;
mod report;
mod start;
mod submit;
mod summary;
mod tally;
mod team;
mod tickets;
mod trail;
mod workspace;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use self::{
    board::Board,
    client::{Client, persist},
    progress::{Progress, say},
    submit::{Load, Submission},
    tally::{Basis, Kind, Tally},
    team::Person,
    tickets::{Reason, Skipped, Tickets},
    trail::Trail,
};
pub use self::{summary::Style, tickets::FileError};
use crate::{
    api::v1,
    clock::{Clock, SystemClock},
    domain::limits,
};

/// The workspace of the demo.
const WORKSPACE: &str = "demo";
/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// A CSV file of tickets; `None` for those written for the demo.
    pub tickets: Option<PathBuf>,
    /// How many tickets; `None` for each row once.
    pub count: Option<usize>,
    /// Whether the data directory stays.
    pub keep: bool,
    /// The model's directory; `None` for the one shipped.
    pub model: Option<PathBuf>,
    /// Decides what people leave to chance.
    pub seed: u64,
}

/// Why there was no demo.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of tickets can't be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// No tickets, or more than a workspace takes.
    #[error(
        "a demo has 1 to {} tickets, not {count}; --count says how many",
        limits::OPEN_TICKETS_MAX
    )]
    Count {
        /// How many.
        count: usize,
    },
    /// The server did not start.
    #[error(transparent)]
    Start(#[from] start::Error),
    /// The server does not answer.
    #[error("the server does not answer: {0}")]
    Connect(#[from] tonic::transport::Error),
    /// A name can't be written beside a request.
    #[error("a name can't be written beside a request: {0}")]
    Caller(#[from] tonic::metadata::errors::InvalidMetadataValue),
    /// A call failed for good.
    #[error("a call failed: {:?}: {}", .0.code(), .0.message())]
    Call(Box<Status>),
    /// Somebody pressed Ctrl-C before the first ticket.
    #[error("interrupted before the first ticket")]
    Interrupted,
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

/// How a demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Every ticket is completed or cancelled.
    Done,
    /// Nothing happened any more.
    Quiet,
    /// It took too long.
    OutOfTime,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Quiet => "quiet",
            Self::OutOfTime => "out_of_time",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a demo showed.
pub struct Outcome {
    tickets: Tickets,
    /// Rows that are no tickets, by the file or by the server's word.
    skipped: usize,
    tally: Tally,
    /// From the first ticket to the last answer.
    seconds: f64,
    bias: v1::GetBiasMetricsResponse,
    service: v1::GetServiceMeasuresResponse,
    /// What happened to the tickets that are told about.
    trails: BTreeMap<Kind, Trail>,
    people: Vec<Person>,
    board: Arc<Board>,
    model: String,
    end: End,
    /// Where the data directory stays, if it does.
    kept: Option<PathBuf>,
}

impl Outcome {
    /// Returns whether every ticket acknowledged is in exactly one of assigned, waiting and cancelled.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.tally.adds_up()
    }

    /// Returns the figures as a JSON object.
    #[must_use]
    pub fn figures(&self) -> Value {
        report::figures(self)
    }

    /// Returns the summary for people.
    #[must_use]
    pub fn summary(&self, style: Style) -> String {
        summary::summary(self, style)
    }
}

/// Runs the demo. Says on stderr how far it is and which rows are no tickets.
///
/// # Errors
/// [`Error`] when there is nothing to show.
pub async fn run(options: &Options) -> Result<Outcome, Error> {
    let tickets = read(options.tickets.as_deref())?;
    let count = options.count.unwrap_or(tickets.rows.len());
    if !(1..=limits::OPEN_TICKETS_MAX).contains(&count) {
        return Err(Error::Count { count });
    }
    let interrupt = interrupt::interrupt();
    let mut progress = Progress::begin("Loading the model and starting the server …");
    let started = tokio::select! {
        started = start::start(options.model.as_deref(), options.keep) => started,
        () = interrupt.cancelled() => return Err(Error::Interrupted),
    };
    let server = started?;
    let play = Play { tickets, count, seed: options.seed, interrupt };
    let outcome = play.run(server.address(), &mut progress).await;
    progress.end();
    let kept = server.stop().await;
    outcome.map(|outcome| Outcome { kept, ..outcome })
}

/// Reads the tickets, and names the rows that are none.
fn read(path: Option<&Path>) -> Result<Tickets, Error> {
    let tickets = path.map_or_else(tickets::embedded, tickets::read);
    let path = path.unwrap_or(Path::new(tickets::EMBEDDED_NAME));
    let file_error = |source| Error::File { path: path.to_owned(), source };
    let tickets = tickets.map_err(file_error)?;
    for column in &tickets.ignored_columns {
        say(&format!("{}:1: {column}", tickets.name));
    }
    for row in &tickets.skipped {
        name_skipped(&tickets, row);
    }
    if tickets.rows.is_empty() {
        return Err(file_error(FileError::NoTickets(tickets.skipped.len())));
    }
    Ok(tickets)
}

/// A demo whose server runs.
struct Play {
    tickets: Tickets,
    count: usize,
    seed: u64,
    interrupt: CancellationToken,
}

impl Play {
    async fn run(self, address: SocketAddr, progress: &mut Progress) -> Result<Outcome, Error> {
        let client = Client::connect(address, WORKSPACE, "platform").await?;
        let workspace = workspace::set_up(&client, &self.tickets.segment_attributes).await?;
        let board = Arc::new(Board::default());
        let load = Load { tickets: &self.tickets, count: self.count, seed: self.seed };
        let people = day::begin(address, &workspace, &load, &board).await?;
        progress.count_to(self.count);
        let begin = Instant::now();
        let (submission, end) = day::run(&client, &load, &board, progress, &self.interrupt).await;
        let submission = submission?;
        day::end(people, &board).await;
        let seconds = begin.elapsed().as_secs_f64();
        let basis = Basis {
            policy: &workspace.policy,
            intents: &workspace.model.intents,
            tickets: &self.tickets,
            acknowledged: &submission.acknowledged,
            board: &board,
            now_ms: SystemClock.now().0,
        };
        let tally = Tally::read_back(&client, &basis).await?;
        progress.end();
        name_refused(&self.tickets, &submission);
        for (trouble, times) in board.troubles() {
            say(&format!("unexpected, {times} times: {trouble}"));
        }
        Ok(Outcome {
            skipped: self.tickets.skipped.len() + submission.refused.len(),
            seconds,
            bias: bias(&client).await?,
            service: service(&client).await?,
            trails: trail::trails(&client, &tally.stories).await?,
            tally,
            people: workspace.people,
            model: workspace.model.model,
            tickets: self.tickets,
            board,
            end,
            kept: None,
        })
    }
}

/// Names the rows that the server refused.
fn name_refused(tickets: &Tickets, submission: &Submission) {
    for (row, why) in &submission.refused {
        let skipped =
            Skipped { line: tickets.rows[*row].line, reason: Reason::Refused(why.clone()) };
        name_skipped(tickets, &skipped);
    }
}

fn name_skipped(tickets: &Tickets, row: &Skipped) {
    say(&format!("{}:{}: skipped: {}", tickets.name, row.line, row.reason));
}

async fn bias(client: &Client) -> Result<v1::GetBiasMetricsResponse, Status> {
    persist(|| {
        let mut insight = client.insight.clone();
        async move { insight.get_bias_metrics(v1::GetBiasMetricsRequest::default()).await }
    })
    .await
}

async fn service(client: &Client) -> Result<v1::GetServiceMeasuresResponse, Status> {
    persist(|| {
        let mut insight = client.insight.clone();
        async move { insight.get_service_measures(v1::GetServiceMeasuresRequest::default()).await }
    })
    .await
}
