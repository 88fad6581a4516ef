//! From the journals to a sink: has delivered what is new, in order, and keeps how far that got.
//!
//! One event of a workspace is under way at a time, so that nothing can overtake; workspaces go side by side. Nothing is
//! queued here: what waits, waits in the journal. When the sink fails, everything rests until it works again; when it
//! refuses one event, the workspace of that event does.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior},
};

use super::{
    Sink, Source,
    backoff::Backoff,
    courier::{Courier, Done, Progress, Trouble},
    metrics,
};
use crate::{
    app::{Error, Handle},
    domain::id::WorkspaceId,
};

/// Most workspaces with an event under way.
const RUNS_MAX: usize = 32;
/// How long commits gather before somebody looks what is new.
const GATHER: Duration = Duration::from_millis(5);
/// How often cursors are kept: so much may be sent again after a crash.
const KEEP_EVERY: Duration = Duration::from_millis(500);
/// How often the log repeats that something still does not work.
const REPEAT_EVERY: Duration = Duration::from_secs(600);

/// Publishes to a sink until the engine stops.
pub async fn run<S: Sink>(handle: Handle, sink: S, source: Source) {
    let mut stopping = handle.stopping();
    let mut publisher = Publisher::new(Courier::new(handle, sink, source));
    tokio::select! {
        _ = stopping.wait_for(|stopping| *stopping) => {}
        () = publisher.work() => {}
    }
}

struct Publisher<S> {
    courier: Arc<Courier<S>>,
    places: BTreeMap<WorkspaceId, Place>,
    standing: Standing,
    tasks: JoinSet<Done>,
    backoff: Backoff,
    /// Why it did not work last.
    trouble: Option<Complaint>,
    /// The workspace whose turn came last.
    turn: Option<WorkspaceId>,
}

/// How far a workspace is.
struct Place {
    newest: u64,
    acknowledged: u64,
    kept: u64,
    under_way: bool,
    /// Not before then, as the sink refused its next event.
    rests_until: Option<Instant>,
    backoff: Backoff,
    /// Why its next event was refused last.
    trouble: Option<Complaint>,
}

impl Place {
    fn new(kept: u64, acknowledged: u64) -> Self {
        Self {
            newest: 0,
            acknowledged,
            kept,
            under_way: false,
            rests_until: None,
            backoff: Backoff::default(),
            trouble: None,
        }
    }

    /// Whether something can be sent now.
    fn is_behind(&self, now: Instant) -> bool {
        let rests = self.rests_until.is_some_and(|until| until > now);
        !self.under_way && self.acknowledged < self.newest && !rests
    }
}

/// What the log was told, so that it is not told again with each try.
struct Complaint {
    reason: &'static str,
    at: Instant,
}

impl Complaint {
    /// Returns whether the log should say this: it is new, or was said long ago.
    fn is_due(told: &mut Option<Self>, reason: &'static str) -> bool {
        let now = Instant::now();
        let is_told = |told: &Self| told.reason == reason && now - told.at < REPEAT_EVERY;
        if told.as_ref().is_some_and(is_told) {
            return false;
        }
        *told = Some(Self { reason, at: now });
        true
    }
}

/// Whether events can go.
enum Standing {
    /// Not before then.
    Waiting(Instant),
    /// The sink makes ready.
    Preparing,
    Open,
}

impl<S: Sink> Publisher<S> {
    fn new(courier: Courier<S>) -> Self {
        Self {
            courier: Arc::new(courier),
            places: BTreeMap::new(),
            standing: Standing::Waiting(Instant::now()),
            tasks: JoinSet::new(),
            backoff: Backoff::default(),
            trouble: None,
            turn: None,
        }
    }

    /// Works until the engine is gone.
    async fn work(&mut self) {
        let mut commits = self.courier.handle.commits();
        let mut keep = tokio::time::interval(KEEP_EVERY);
        keep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Err(error) = self.look().await {
                self.note(&Trouble::Store(error));
            }
            self.start();
            let wait = match self.standing {
                Standing::Waiting(until) if self.tasks.is_empty() => Some(until),
                _ => None,
            };
            tokio::select! {
                changed = commits.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::time::sleep(GATHER).await;
                }
                Some(done) = self.tasks.join_next() => self.finish(done),
                _ = keep.tick() => self.keep().await,
                () = tokio::time::sleep_until(wait.unwrap_or_else(Instant::now)), if wait.is_some() => {}
            }
        }
    }

    /// Looks which workspaces are here, and what is new in them.
    async fn look(&mut self) -> Result<(), Error> {
        let newest = self.courier.handle.newest();
        // One that comes back may have been served by another server meanwhile.
        self.places.retain(|id, place| newest.contains_key(id) || place.under_way);
        if newest.keys().any(|id| !self.places.contains_key(id)) {
            let mut places = Vec::new();
            let cursors = self.courier.handle.cursors(&self.courier.name).await?;
            for (id, newest) in newest.iter().filter(|(id, _)| !self.places.contains_key(*id)) {
                let place = match cursors.get(id) {
                    Some(kept) => Place::new(*kept, *kept),
                    None => Place::new(0, self.courier.begin(id, *newest).await?),
                };
                places.push((id.clone(), place));
            }
            self.places.extend(places);
        }
        let mut lag: u64 = 0;
        for (id, newest) in newest {
            if let Some(place) = self.places.get_mut(&id) {
                place.newest = newest;
                lag = lag.saturating_add(newest.saturating_sub(place.acknowledged));
            }
        }
        metrics::lag::<S>(lag);
        Ok(())
    }

    /// Starts what can be done now.
    fn start(&mut self) {
        match self.standing {
            Standing::Waiting(until) if until <= Instant::now() && self.tasks.is_empty() => {
                self.standing = Standing::Preparing;
                self.tasks.spawn(Arc::clone(&self.courier).prepare());
            }
            Standing::Open => self.start_runs(),
            Standing::Waiting(_) | Standing::Preparing => {}
        }
    }

    /// Has the workspaces with news delivered, those first whose turn is longest ago.
    fn start_runs(&mut self) {
        let now = Instant::now();
        let behind = self.places.iter().filter(|(_, place)| place.is_behind(now));
        let mut next: Vec<WorkspaceId> = behind.map(|(id, _)| id.clone()).collect();
        let served = next.partition_point(|id| Some(id) <= self.turn.as_ref());
        next.rotate_left(served);
        next.truncate(RUNS_MAX.saturating_sub(self.tasks.len()));
        for id in next {
            if let Some(place) = self.places.get_mut(&id) {
                place.under_way = true;
                let run = Arc::clone(&self.courier).deliver(id.clone(), place.acknowledged);
                self.tasks.spawn(run);
                self.turn = Some(id);
            }
        }
    }

    fn finish(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(Done::Prepared(Ok(()))) => {
                self.courier.open.store(true, Ordering::Relaxed);
                self.standing = Standing::Open;
            }
            Ok(Done::Prepared(Err(trouble))) => self.rest(&trouble),
            Ok(Done::Delivered { workspace, progress, result }) => {
                self.advance(&workspace, progress);
                match result {
                    Ok(()) => {}
                    Err(trouble) if trouble.is_of_one_event() => {
                        self.rest_one(&workspace, &trouble)
                    }
                    Err(trouble) => self.rest(&trouble),
                }
            }
            // It knows no panics; what it had under way shows as lag.
            Err(error) => tracing::error!(%error, "a delivery ended early"),
        }
    }

    /// A run of a workspace has ended.
    fn advance(&mut self, workspace: &WorkspaceId, progress: Progress) {
        if let Some(place) = self.places.get_mut(workspace) {
            place.under_way = false;
            place.acknowledged = place.acknowledged.max(progress.acknowledged);
            if progress.took_one {
                place.rests_until = None;
                place.backoff.reset();
                if place.trouble.take().is_some() {
                    let sink = &self.courier.name;
                    tracing::info!(sink, %workspace, "events of a workspace are delivered again");
                }
            }
        }
        if progress.took_one {
            self.backoff.reset();
            if self.trouble.take().is_some() {
                tracing::info!(sink = self.courier.name, "events are delivered again");
            }
        }
    }

    /// Lets everything rest for a while.
    fn rest(&mut self, trouble: &Trouble) {
        self.note(trouble);
        self.courier.open.store(false, Ordering::Relaxed);
        let asked = Instant::now() + trouble.wait_min();
        self.standing = Standing::Waiting(match self.standing {
            // Many that fail together are one failure.
            Standing::Waiting(until) => until.max(asked),
            _ => asked.max(Instant::now() + self.backoff.next(rand::random())),
        });
    }

    /// Lets a workspace rest for a while.
    fn rest_one(&mut self, workspace: &WorkspaceId, trouble: &Trouble) {
        metrics::failed::<S>(trouble.reason());
        let Some(place) = self.places.get_mut(workspace) else { return };
        place.rests_until = Some(Instant::now() + place.backoff.next(rand::random()));
        if Complaint::is_due(&mut place.trouble, trouble.reason()) {
            let (sink, sequence) = (&self.courier.name, place.acknowledged.saturating_add(1));
            tracing::warn!(error = %trouble, sink, %workspace, sequence, "events of a workspace wait");
        }
    }

    /// Counts a failure, and logs it unless that was said of the one before.
    fn note(&mut self, trouble: &Trouble) {
        if matches!(trouble, Trouble::Store(Error::Stopping)) {
            return;
        }
        let reason = trouble.reason();
        metrics::failed::<S>(reason);
        if Complaint::is_due(&mut self.trouble, reason) {
            let sink = &self.courier.name;
            tracing::warn!(error = %trouble, sink, "events wait in the journal");
        }
    }

    /// Keeps how far the workspaces are.
    async fn keep(&mut self) {
        let moved = self.places.iter().filter(|(_, place)| place.acknowledged > place.kept);
        let moved: BTreeMap<WorkspaceId, u64> =
            moved.map(|(id, place)| (id.clone(), place.acknowledged)).collect();
        if moved.is_empty() {
            return;
        }
        match self.courier.handle.keep_cursors(&self.courier.name, moved.clone()).await {
            Ok(()) => {
                for (id, kept) in moved {
                    if let Some(place) = self.places.get_mut(&id) {
                        place.kept = kept;
                    }
                }
            }
            Err(error) => self.note(&Trouble::Store(error)),
        }
    }
}
