//! The threads that read texts, behind a bounded queue.
//!
//! Each free thread takes the oldest texts, whoever sent them, as many as pay to be read together. So a
//! call of many texts is shared by all threads, and one of a single text waits for no more than one batch.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use tokio::sync::oneshot;

use super::{Classify, ClassifyError, ModelInfo, Readings, batch::next_batch};
use crate::domain::reading::Reading;

/// Most characters of the texts that are read together, about a hundred and thirty tokens of English:
/// more would make the first wait longer and the rest no faster.
const BATCH_CHARS_MAX: usize = 640;

/// Reads texts; called from several threads at once.
pub trait TextReader: Send + Sync + 'static {
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
    /// Threads that read, at least one.
    pub threads: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        // One for each core: a thread that reads never waits for anything.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { queue_texts_max: 1024, threads }
    }
}

/// A model on threads of its own. Dropping it lets the batches in hand finish and ends the threads.
pub struct Worker {
    shared: Arc<Shared>,
    info: ModelInfo,
    queue_texts_max: usize,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Text>,
    /// Texts that wait or are being read.
    texts: usize,
    closed: bool,
}

/// One text of a call.
struct Text {
    text: String,
    place: usize,
    call: Arc<Mutex<Call>>,
}

/// What a call waits for.
struct Call {
    /// `None` once it has its answer.
    answer: Option<oneshot::Sender<Result<Vec<Reading>, ClassifyError>>>,
    readings: Vec<Option<Reading>>,
    missing: usize,
}

impl Worker {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(reader: impl TextReader, options: WorkerOptions) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new() });
        let reader = Arc::new(reader);
        let mut worker = Self {
            shared,
            info: reader.info(),
            queue_texts_max: options.queue_texts_max,
            threads: Vec::new(),
        };
        for index in 0..options.threads.max(1) {
            let (shared, reader) = (Arc::clone(&worker.shared), Arc::clone(&reader));
            let thread = std::thread::Builder::new()
                .name(format!("classifier-{index}"))
                .spawn(move || shared.run(&*reader))?;
            worker.threads.push(thread);
        }
        Ok(worker)
    }
}

impl Classify for Worker {
    fn classify(&self, texts: Vec<String>) -> Readings {
        let max = self.queue_texts_max;
        let (answer, reading) = oneshot::channel();
        let count = texts.len();
        if count == 0 {
            return Box::pin(async { Ok(Vec::new()) });
        }
        {
            let mut state = self.shared.lock();
            if state.closed {
                return Box::pin(async { Err(ClassifyError::Down) });
            }
            if state.texts + count > max {
                return Box::pin(async move { Err(ClassifyError::Full { max }) });
            }
            state.texts += count;
            let call = Arc::new(Mutex::new(Call::new(count, answer)));
            let texts = texts.into_iter().enumerate();
            state.waiting.extend(texts.map(|(place, text)| Text {
                text,
                place,
                call: Arc::clone(&call),
            }));
        }
        self.shared.wake.notify_all();
        Box::pin(async { reading.await.unwrap_or(Err(ClassifyError::Down)) })
    }

    fn info(&self) -> ModelInfo {
        self.info.clone()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.close();
        for thread in self.threads.drain(..) {
            // The threads contain panics; there is nothing to learn from how they ended.
            let _ = thread.join();
        }
    }
}

impl Call {
    fn new(count: usize, answer: oneshot::Sender<Result<Vec<Reading>, ClassifyError>>) -> Self {
        Self { answer: Some(answer), readings: vec![None; count], missing: count }
    }

    /// Whether the caller left, or has its answer: a failure of one text is one of all.
    fn is_over(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Takes a reading, or that there is none, and answers when that settles it.
    fn take(&mut self, place: usize, reading: Option<Reading>) {
        if self.answer.is_none() {
            // Another of its texts failed, and with that the call.
            return;
        }
        let failed = reading.is_none();
        self.readings[place] = reading;
        self.missing = self.missing.saturating_sub(1);
        if !failed && self.missing > 0 {
            return;
        }
        if let Some(answer) = self.answer.take() {
            let readings = self.readings.drain(..).collect::<Option<Vec<_>>>();
            // The caller may have left.
            let _ = answer.send(readings.ok_or(ClassifyError::Down));
        }
    }
}

impl Text {
    fn call(&self) -> MutexGuard<'_, Call> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn run(&self, reader: &impl TextReader) {
        while let Some(batch) = self.next() {
            answer(reader, &batch);
            let mut state = self.lock();
            state.texts = state.texts.saturating_sub(batch.len());
        }
    }

    /// Waits for the next batch; `None` when the worker is dropped.
    fn next(&self) -> Option<Vec<Text>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            // Nobody waits for the answers of callers who left or whose time is up.
            let before = state.waiting.len();
            state.waiting.retain(|text| !text.call().is_over());
            let gone = before - state.waiting.len();
            state.texts = state.texts.saturating_sub(gone);
            if !state.waiting.is_empty() {
                let chars = |text: &Text| text.text.len();
                return Some(next_batch(&mut state.waiting, BATCH_CHARS_MAX, chars));
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Reads a batch and answers its callers. A text the model dies of fails its own call alone: when a batch
/// fails, its texts are read once more, one by one.
fn answer(reader: &impl TextReader, batch: &[Text]) {
    if let Some(readings) = read(reader, batch) {
        for (text, reading) in batch.iter().zip(readings) {
            text.call().take(text.place, Some(reading));
        }
        return;
    }
    tracing::error!(text_count = batch.len(), "the model failed on a batch");
    for text in batch {
        let alone = if batch.len() > 1 { read(reader, std::slice::from_ref(text)) } else { None };
        text.call().take(text.place, alone.and_then(|mut readings| readings.pop()));
    }
}

/// Returns one reading for each text, or nothing.
fn read(reader: &impl TextReader, batch: &[Text]) -> Option<Vec<Reading>> {
    let texts: Vec<&str> = batch.iter().map(|text| text.text.as_str()).collect();
    let readings = catch_unwind(AssertUnwindSafe(|| reader.read(&texts))).ok().flatten();
    readings.filter(|readings| readings.len() == texts.len())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::{super::rules, *};

    /// Reads by rules, one batch for each permit; fails on "fail" and panics on "panic".
    struct Scripted {
        permits: Mutex<mpsc::Receiver<()>>,
        seen: Mutex<mpsc::Sender<Vec<String>>>,
    }

    impl TextReader for Scripted {
        fn read(&self, texts: &[&str]) -> Option<Vec<Reading>> {
            self.permits.lock().unwrap().recv().ok()?;
            let texts_seen = texts.iter().map(|text| (*text).to_owned()).collect();
            self.seen.lock().unwrap().send(texts_seen).ok()?;
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
        let reader = Scripted { permits: Mutex::new(permits), seen: seen.into() };
        let options = WorkerOptions { queue_texts_max, threads: 1 };
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
    async fn a_text_that_fails_or_panics_fails_its_call_alone() {
        let (worker, permit, batches) = worker(10);
        let busy = worker.classify(texts(&["first"]));
        while !worker.shared.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        // These are read together, and then, as that fails, one by one.
        let calls: Vec<_> =
            ["fine", "fail", "panic"].map(|text| worker.classify(texts(&[text]))).into();
        for _ in 0..5 {
            permit.send(()).unwrap();
        }
        assert!(busy.await.is_ok());
        let outcomes = futures::future::join_all(calls).await;
        assert!(outcomes[0].is_ok());
        assert_eq!(outcomes[1..], [Err(ClassifyError::Down), Err(ClassifyError::Down)]);
        let seen: Vec<_> = batches.try_iter().map(|texts| texts.len()).collect();
        assert_eq!(seen, [1, 3, 1, 1, 1]);
        permit.send(()).unwrap();
        assert!(worker.classify(texts(&["fine"])).await.is_ok());
    }

    #[tokio::test]
    async fn one_text_that_fails_fails_its_whole_call_and_no_thread() {
        let (worker, permit, _batches) = worker(10);
        (0..20).for_each(|_| permit.send(()).unwrap());
        for call in [&["fail", "fine"][..], &["panic", "fine", "fine"], &["fine", "fail", "fail"]] {
            assert_eq!(worker.classify(texts(call)).await, Err(ClassifyError::Down));
            assert!(worker.classify(texts(&["fine"])).await.is_ok());
        }
        // The last answer is sent before its place is free.
        while worker.shared.lock().texts > 0 {
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn a_call_of_many_texts_is_shared_by_the_threads_and_answered_once_in_order() {
        let (permit, permits) = mpsc::channel();
        let (seen, _batches) = mpsc::channel();
        let reader = Scripted { permits: Mutex::new(permits), seen: seen.into() };
        let options = WorkerOptions { queue_texts_max: 100, threads: 3 };
        let worker = Worker::start(reader, options).unwrap();
        let long = "where is my parcel ".repeat(30);
        let asked: Vec<String> = (0..40).map(|k| format!("{long} {k}")).collect();
        (0..40).for_each(|_| permit.send(()).unwrap());
        let readings = worker.classify(asked.clone()).await.unwrap();
        let expected: Vec<_> = asked.iter().map(|text| rules::read(text, None)).collect();
        assert_eq!(readings, expected);
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
