//! The thread that reads texts, behind a bounded queue.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use tokio::sync::oneshot;

use super::{
    Classify, ClassifyError, ModelInfo, Readings,
    batch::{Limits, next_batch},
};
use crate::domain::reading::Reading;

/// Reads texts, one call at a time.
pub trait TextReader: Send + 'static {
    /// Reads texts; the readings come in the order of the texts. `None` when the model failed.
    fn read(&self, texts: &[&str]) -> Option<Vec<Reading>>;
    /// Returns what is known of the model.
    fn info(&self) -> ModelInfo;
}

/// Bounds of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Most texts that wait or are being read.
    pub queue_texts_max: usize,
    /// Bounds of a batch.
    pub batch: Limits,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        // 64 texts are one whole Classify call; larger batches only make others wait.
        Self { queue_texts_max: 1024, batch: Limits { texts_max: 64, chars_max: 16_384 } }
    }
}

/// A model on a thread of its own. Dropping it lets the batch in hand finish and ends the thread.
pub struct Worker {
    shared: Arc<Shared>,
    info: ModelInfo,
    queue_texts_max: usize,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Texts that wait or are being read.
    texts: usize,
    closed: bool,
}

struct Job {
    texts: Vec<String>,
    answer: oneshot::Sender<Result<Vec<Reading>, ClassifyError>>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(reader: impl TextReader, options: WorkerOptions) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new() });
        let info = reader.info();
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("classifier".to_owned())
            .spawn(move || for_thread.run(&reader, options.batch))?;
        Ok(Self { shared, info, queue_texts_max: options.queue_texts_max, thread: Some(thread) })
    }
}

impl Classify for Worker {
    fn classify(&self, texts: Vec<String>) -> Readings {
        let max = self.queue_texts_max;
        let (answer, reading) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if state.closed {
                return Box::pin(async { Err(ClassifyError::Down) });
            }
            if state.texts + texts.len() > max {
                return Box::pin(async move { Err(ClassifyError::Full { max }) });
            }
            state.texts += texts.len();
            state.waiting.push_back(Job { texts, answer });
        }
        self.shared.wake.notify_one();
        Box::pin(async { reading.await.unwrap_or(Err(ClassifyError::Down)) })
    }

    fn info(&self) -> ModelInfo {
        self.info.clone()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // The thread contains panics; there is nothing to learn from how it ended.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// A panic while the lock is held leaves the state whole: every change is one statement.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        state.texts = 0;
        drop(state);
        self.wake.notify_all();
    }

    fn run(&self, reader: &impl TextReader, limits: Limits) {
        while let Some(batch) = self.next(limits) {
            let count: usize = batch.iter().map(|job| job.texts.len()).sum();
            answer(reader, batch);
            let mut state = self.lock();
            state.texts = state.texts.saturating_sub(count);
        }
    }

    /// Waits for the next batch; `None` when the worker is dropped.
    fn next(&self, limits: Limits) -> Option<Vec<Job>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            // Nobody waits for the answers of callers who left.
            let before: usize = state.waiting.iter().map(|job| job.texts.len()).sum();
            state.waiting.retain(|job| !job.answer.is_closed());
            let after: usize = state.waiting.iter().map(|job| job.texts.len()).sum();
            state.texts = state.texts.saturating_sub(before - after);
            if !state.waiting.is_empty() {
                return Some(next_batch(&mut state.waiting, limits, job_size));
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn job_size(job: &Job) -> (usize, usize) {
    (job.texts.len(), job.texts.iter().map(|text| text.chars().count()).sum())
}

/// Reads a batch and answers its callers. A text the model dies of fails its own batch, not the worker.
fn answer(reader: &impl TextReader, batch: Vec<Job>) {
    let texts: Vec<&str> =
        batch.iter().flat_map(|job| job.texts.iter().map(String::as_str)).collect();
    let readings = catch_unwind(AssertUnwindSafe(|| reader.read(&texts))).ok().flatten();
    let Some(readings) = readings.filter(|readings| readings.len() == texts.len()) else {
        tracing::error!(text_count = texts.len(), "the model failed on a batch");
        for job in batch {
            let _ = job.answer.send(Err(ClassifyError::Down));
        }
        return;
    };
    let mut readings = readings.into_iter();
    for job in batch {
        let own = readings.by_ref().take(job.texts.len()).collect();
        // The caller may have left.
        let _ = job.answer.send(Ok(own));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::{super::rules, *};

    /// Reads by rules, one batch for each permit; fails on "fail" and panics on "panic".
    struct Scripted {
        permits: Mutex<mpsc::Receiver<()>>,
        seen: mpsc::Sender<Vec<String>>,
    }

    impl TextReader for Scripted {
        fn read(&self, texts: &[&str]) -> Option<Vec<Reading>> {
            self.permits.lock().unwrap().recv().ok()?;
            self.seen.send(texts.iter().map(|text| (*text).to_owned()).collect()).ok()?;
            assert!(!texts.contains(&"panic"), "a planted panic");
            let readings = texts.iter().map(|text| rules::read(text, None)).collect();
            (!texts.contains(&"fail")).then_some(readings)
        }

        fn info(&self) -> ModelInfo {
            ModelInfo {
                name: "scripted".to_owned(),
                sha256: String::new(),
                intents: Vec::new(),
                languages: Vec::new(),
                tokens_max: 1,
            }
        }
    }

    fn worker(queue_texts_max: usize) -> (Worker, mpsc::Sender<()>, mpsc::Receiver<Vec<String>>) {
        let (permit, permits) = mpsc::channel();
        let (seen, batches) = mpsc::channel();
        let reader = Scripted { permits: Mutex::new(permits), seen };
        let options = WorkerOptions { queue_texts_max, ..WorkerOptions::default() };
        (Worker::start(reader, options).unwrap(), permit, batches)
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[tokio::test]
    async fn readings_come_back_in_the_order_of_the_texts() {
        let (worker, permit, _batches) = worker(10);
        permit.send(()).unwrap();
        let asked = texts(&["where is my parcel", "my password", "hello there all"]);
        let readings = worker.classify(asked.clone()).await.unwrap();
        let expected: Vec<_> = asked.iter().map(|text| rules::read(text, None)).collect();
        assert_eq!(readings, expected);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_has_room_again_once_texts_are_read() {
        let (worker, permit, _batches) = worker(2);
        let first = worker.classify(texts(&["a", "b"]));
        assert_eq!(worker.classify(texts(&["c"])).await, Err(ClassifyError::Full { max: 2 }));
        permit.send(()).unwrap();
        assert!(first.await.is_ok());
        permit.send(()).unwrap();
        // The answer is sent before the place is free; ask until it is.
        while worker.classify(texts(&["c"])).await.is_err() {}
    }

    #[tokio::test]
    async fn a_batch_that_fails_or_panics_fails_alone() {
        let (worker, permit, _batches) = worker(10);
        for text in ["fail", "panic"] {
            permit.send(()).unwrap();
            assert_eq!(worker.classify(texts(&[text])).await, Err(ClassifyError::Down));
        }
        permit.send(()).unwrap();
        assert!(worker.classify(texts(&["fine"])).await.is_ok());
    }

    #[tokio::test]
    async fn callers_who_left_are_not_read() {
        let (worker, permit, batches) = worker(10);
        let busy = worker.classify(texts(&["first"]));
        // The first batch is in hand; the next two wait.
        while !worker.shared.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        drop(worker.classify(texts(&["gone"])));
        let stays = worker.classify(texts(&["stays"]));
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        assert!(busy.await.is_ok() && stays.await.is_ok());
        let seen: Vec<_> = batches.try_iter().collect();
        assert_eq!(seen, [texts(&["first"]), texts(&["stays"])]);
    }

    #[tokio::test]
    async fn dropping_the_worker_answers_everybody() {
        let (worker, permit, _batches) = worker(10);
        let waiting = worker.classify(texts(&["a"]));
        drop(permit);
        drop(worker);
        assert_eq!(waiting.await, Err(ClassifyError::Down));
    }
}
