//! One folder, everybody who works with it, and what they were told: the frame of the runs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    book::Book,
    check::{self, Rule, Violation},
    figures::Figures,
    history::Stored,
    reading,
    server::{Program, Server},
    world::{self, Size},
};

/// How long everybody has to get the last answers.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(90);

/// A run in progress.
pub struct Run {
    /// The program that serves.
    pub program: Program,
    /// What everybody shares.
    pub book: Arc<Book>,
    /// What was counted.
    pub figures: Figures,
    folder: TempDir,
    people: JoinSet<()>,
    earlier: Stored,
}

/// How a run ended.
#[derive(Default)]
pub struct Ended {
    /// What was counted.
    pub figures: Figures,
    /// What was promised and not held.
    pub violations: Vec<Violation>,
    /// Where the folder is, if something was not held.
    pub kept: Option<PathBuf>,
}

impl Run {
    /// Makes a folder and starts everybody, who wait for a server.
    ///
    /// # Errors
    /// The server cannot be started or set up.
    pub async fn begin(
        program: &Program,
        size: Size,
        seed: u64,
        late_calls: bool,
    ) -> Result<Self, anyhow::Error> {
        let folder = TempDir::with_prefix("evenhand-faults-")?;
        world::prepare(program, folder.path(), size.agents).await?;
        let book = Arc::new(Book::new(late_calls));
        let people = world::start(size, &book, seed);
        Ok(Self {
            program: program.clone(),
            book,
            figures: Figures::default(),
            folder,
            people,
            earlier: Stored::default(),
        })
    }

    /// Starts the server on what the last one left.
    ///
    /// # Errors
    /// It does not come up: with its log.
    pub async fn start(&mut self) -> Result<Server, anyhow::Error> {
        let server = self.program.must_start(self.folder.path()).await?;
        self.figures.time("start_to_serving_ms", server.ready_after);
        Ok(server)
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Returns what was read last.
    #[must_use]
    pub fn stored(&self) -> &Stored {
        &self.earlier
    }

    /// Makes everybody wait, and waits until they do.
    ///
    /// # Errors
    /// Somebody still waits for an answer.
    pub async fn hush(&self) -> Result<(), anyhow::Error> {
        self.book.set_address(None);
        anyhow::ensure!(self.book.quiet().await, "a call or a stream does not end");
        Ok(())
    }

    /// Compares what everybody was told with what the server says now. Nobody may be calling.
    pub async fn check(&mut self, server: &Server, all: bool) -> Vec<Violation> {
        let read = async {
            if all {
                reading::everything(&server.address, self.book.workspace()).await
            } else {
                reading::changed(&server.address, self.book.workspace(), &self.earlier).await
            }
        };
        let stored = match read.await {
            Ok(stored) => stored,
            Err(status) => {
                let mut what = format!("not everything can be read: {status}\n");
                what.push_str(&server.log().join("\n"));
                return vec![Violation::new(Rule::EverybodyIsAnswered, what)];
            }
        };
        let mut violations = check::kept(&self.earlier, &stored);
        violations.extend(check::check(&self.book.history(), &stored));
        if all {
            self.figures.stored(&stored);
        }
        self.figures.add("checks", 1);
        self.earlier = stored;
        violations
    }

    /// Lets everybody get the last answers and go home.
    ///
    /// # Errors
    /// Somebody does not get an answer.
    pub async fn calm_down(&mut self, server: &Server) -> Result<(), anyhow::Error> {
        self.book.close();
        let all = async { while self.people.join_next().await.is_some() {} };
        if timeout(LAST_ANSWERS_WITHIN, all).await.is_err() {
            let log = server.log().join("\n");
            anyhow::bail!("{} people wait for an answer\n{log}", self.people.len());
        }
        self.hush().await
    }

    /// Lets everybody get the last answers, checks everything, and stops the server.
    ///
    /// # Errors
    /// The server cannot be asked to stop.
    pub async fn finish(&mut self, server: Server) -> Result<Vec<Violation>, anyhow::Error> {
        if let Err(error) = self.calm_down(&server).await {
            return Ok(vec![Violation::new(Rule::EverybodyIsAnswered, format!("{error:#}"))]);
        }
        let mut violations = self.check(&server, true).await;
        let (exit, took) = server.stop().await?;
        self.figures.time("stop_ms", took);
        if exit.and_then(|exit| exit.code()) != Some(0) {
            let what = format!("asked to stop, the server ended with {exit:?}");
            violations.push(Violation::new(Rule::StopsWell, what));
        }
        Ok(violations)
    }

    /// Keeps the folder; returns where it is.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Ends the run; keeps the folder if something was not held.
    #[must_use]
    pub fn end(mut self, violations: Vec<Violation>) -> Ended {
        self.people.abort_all();
        self.figures.history(&self.book.history());
        let kept = (!violations.is_empty()).then(|| self.folder.keep());
        Ended { figures: self.figures, violations, kept }
    }
}

impl Ended {
    /// Adds what a later part of the run found.
    pub fn add(&mut self, later: Self) {
        self.violations.extend(later.violations);
        self.kept = self.kept.take().or(later.kept);
        self.figures.merge(later.figures);
    }
}
