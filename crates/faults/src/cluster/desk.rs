//! One workspace of many: its people, what they were told, and how long nobody got through.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    book::Book,
    check::{self, Violation},
    client::{Ask, Client},
    history::{Action, Outcome, Stored},
    reading,
    world::{self, Size},
};

/// Pause between two tickets that measure.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// How long whoever measures waits for one answer before asking another server.
const PROBE_WITHIN: Duration = Duration::from_secs(1);
/// How long everybody has to get the last answers.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(90);

/// A workspace with its people.
pub struct Desk {
    /// What its people share.
    pub book: Arc<Book>,
    /// How long nobody got through.
    pub waits: Arc<Waits>,
    people: JoinSet<()>,
    earlier: Stored,
}

impl Desk {
    /// Starts everybody, who wait for servers.
    #[must_use]
    pub fn start(workspace: &str, size: Size, seed: u64) -> Self {
        // Calls linger in servers that are frozen, and come after their retry.
        let book = Arc::new(Book::of(workspace, true));
        let waits = Arc::new(Waits::default());
        let mut people = world::start(size, &book, seed);
        people.spawn(measure(Arc::clone(&book), Arc::clone(&waits), seed));
        Self { book, waits, people, earlier: Stored::default() }
    }

    /// Compares what everybody was told with what a server says now. Nobody may be calling.
    ///
    /// # Errors
    /// Something cannot be read.
    pub async fn check(
        &mut self,
        address: &str,
        all: bool,
    ) -> Result<Vec<Violation>, tonic::Status> {
        let workspace = self.book.workspace();
        let stored = if all {
            reading::everything(address, workspace).await?
        } else {
            reading::changed(address, workspace, &self.earlier).await?
        };
        let mut violations = check::kept(&self.earlier, &stored);
        violations.extend(check::check(&self.book.history(), &stored));
        self.earlier = stored;
        Ok(violations)
    }

    /// Returns what was read last.
    #[must_use]
    pub fn stored(&self) -> &Stored {
        &self.earlier
    }

    /// Lets everybody get the last answers and go home; returns who does not.
    pub async fn calm_down(&mut self) -> usize {
        self.book.close();
        let all = async { while self.people.join_next().await.is_some() {} };
        let _ = timeout(LAST_ANSWERS_WITHIN, all).await;
        self.people.len()
    }
}

/// Submits ticket after ticket and cancels it again.
async fn measure(book: Arc<Book>, waits: Arc<Waits>, seed: u64) {
    let mut client = Client::new("probe", &book, seed);
    client.answer_within = PROBE_WITHIN;
    let mut number = 0;
    while !book.is_closing() {
        number += 1;
        let body = world::text(&mut client.dice, number);
        let key = format!("measure-{number}");
        // Who has to wait for all of the run is not interrupted.
        client.channel().await;
        waits.begin(book.now_us());
        let told = client.ask_until_answered(&Ask { key, action: Action::Submit { body } }).await;
        waits.end(book.now_us());
        if let Outcome::Done { ticket } = told {
            let key = format!("cancel-{number}");
            client.ask_until_answered(&Ask { key, action: Action::Cancel { ticket } }).await;
        }
        sleep(PROBE_EVERY).await;
    }
}

/// From the first try to the answer of each ticket that measures, in microseconds of the book.
#[derive(Default)]
pub struct Waits(Mutex<(Option<u64>, Vec<(u64, u64)>)>);

impl Waits {
    fn lock(&self) -> MutexGuard<'_, (Option<u64>, Vec<(u64, u64)>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, now_us: u64) {
        self.lock().0 = Some(now_us);
    }

    fn end(&self, now_us: u64) {
        let mut waits = self.lock();
        if let Some(began) = waits.0.take() {
            waits.1.push((began, now_us));
        }
    }

    /// Forgets everything, what is under way too.
    pub fn forget(&self) {
        *self.lock() = (None, Vec::new());
    }

    /// Returns when a ticket was first taken after some time.
    #[must_use]
    pub fn through_after(&self, us: u64) -> Option<u64> {
        self.lock().1.iter().map(|(_, end)| *end).find(|end| *end > us)
    }

    /// Returns whether a ticket was taken that was begun after some time.
    #[must_use]
    pub fn settled_since(&self, us: u64) -> bool {
        self.lock().1.iter().any(|(began, _)| *began >= us)
    }

    /// Returns the longest wait.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let longest = self.lock().1.iter().map(|(began, end)| end.saturating_sub(*began)).max();
        Duration::from_micros(longest.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_is_from_the_first_try_to_the_answer() {
        let waits = Waits::default();
        for (began, end) in [(10, 20), (30, 75), (80, 85)] {
            waits.begin(began);
            waits.end(end);
        }
        assert_eq!(waits.longest(), Duration::from_micros(45));
        assert_eq!((waits.through_after(20), waits.through_after(90)), (Some(75), None));
        assert!(waits.settled_since(80) && !waits.settled_since(81));
        waits.begin(90);
        waits.forget();
        waits.end(95);
        assert_eq!(waits.longest(), Duration::ZERO);
    }
}
