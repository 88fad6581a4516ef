//! Connections that read beside the writer, a few at a time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{
    Error, StoreOptions,
    database::{Database, Purpose},
};

/// The database at one moment, for a question.
pub type Snapshot = Database;

/// Questions answered at once; more wait their turn.
const READERS_MAX: usize = 4;

/// Connections that read what is durable. Clones share them.
#[derive(Clone)]
pub struct Readers(Arc<Shared>);

struct Shared {
    options: StoreOptions,
    permits: Semaphore,
    idle: Mutex<Vec<Database>>,
}

impl Readers {
    pub(super) fn new(options: StoreOptions) -> Self {
        let permits = Semaphore::new(READERS_MAX);
        Self(Arc::new(Shared { options, permits, idle: Mutex::default() }))
    }

    /// Answers a question from one snapshot of the database, on a thread that may block.
    ///
    /// # Errors
    /// What `question` says, or what the database says.
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Snapshot) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _permit = self.0.permits.acquire().await.map_err(|_| Error::Closed)?;
        let shared = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || shared.answer(question));
        answer.await.map_err(|_| Error::ReaderLost)?
    }

    /// Closes the connections; later questions get [`Error::Closed`].
    pub fn close(&self) {
        self.0.permits.close();
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Shared {
    fn answer<T>(&self, question: impl FnOnce(&Snapshot) -> Result<T, Error>) -> Result<T, Error> {
        let mut question = Some(question);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(database) = idle.filter(Database::is_usable) {
            match self.ask(database, &mut question) {
                // It died while it was idle, and the question was not asked yet.
                Err(error) if error.is_lost() && question.is_some() => {}
                answer => return answer,
            }
        }
        self.ask(self.options.reader()?, &mut question)
    }

    /// Asks a question that was not asked before.
    fn ask<T>(
        &self,
        database: Database,
        question: &mut Option<impl FnOnce(&Snapshot) -> Result<T, Error>>,
    ) -> Result<T, Error> {
        let answer = database.within(Purpose::Read, |snapshot| match question.take() {
            Some(question) => question(snapshot),
            None => Err(Error::ReaderLost),
        });
        if database.is_usable() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(database);
        }
        answer
    }
}
