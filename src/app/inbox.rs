//! The engine's bounded queues.
//!
//! Agents' and administrators' actions are never shed: when their queue is full the caller waits.
//! Submissions are refused when theirs is full, with the advice to retry. Readings wait.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Action, Command, Error, Receipt, metrics,
    outbox::{Acknowledged, CursorsKept},
    workspace::Workspaces,
};
use crate::store::{Lease, Partition, ReplicaId, StatePart};

/// Actions and questions that wait for the engine.
const ACTIONS_MAX: usize = 1024;
/// Readings that wait for the engine.
const READINGS_MAX: usize = 256;
/// Submissions that wait for the engine.
const SUBMISSIONS_MAX: usize = 4096;
/// Most actions that become durable together.
const ACTIONS_PER_COMMIT: usize = 256;
/// Most readings that become durable together.
const READINGS_PER_COMMIT: usize = 128;
/// Most readings beside a full share of submissions: in a flood tickets are made durable first, and read as fast
/// as that leaves room for.
const READINGS_IN_FLOOD: usize = 32;
/// Most submissions that become durable together.
const SUBMISSIONS_PER_COMMIT: usize = 512;

/// Something for the engine to do.
pub(super) enum Work {
    /// Do this and answer when it is durable.
    Command(Box<Command>, oneshot::Sender<Result<Receipt, Error>>),
    /// Answer from what is durable.
    Question(Question),
    /// Take up or lay down the workspaces of a partition.
    Lead(Lead),
    /// Keep a part of a snapshot.
    Keep(StatePart, oneshot::Sender<Result<(), Error>>),
    /// Move the cursors of a sink of events.
    Acknowledge(Acknowledged, CursorsKept),
}

/// A change of the partitions that the engine leads.
pub(super) enum Lead {
    /// Take up what goes with this lease; answers whether that worked.
    TakeUp(ReplicaId, Lease, oneshot::Sender<bool>),
    /// Lay down what goes with this partition, and let others have it.
    LayDown(Partition, oneshot::Sender<()>),
}

/// A look at the workspaces on the engine's thread. It may change no more than the turns of a backlog.
pub(super) type Question = Box<dyn FnOnce(&mut Workspaces) + Send>;

/// Where callers put work.
#[derive(Clone)]
pub(super) struct Inbox {
    actions: mpsc::Sender<Work>,
    readings: mpsc::Sender<Work>,
    submissions: mpsc::Sender<Work>,
}

/// Where the engine takes it.
pub(super) struct Outlet {
    actions: mpsc::Receiver<Work>,
    readings: mpsc::Receiver<Work>,
    submissions: mpsc::Receiver<Work>,
    stopping: watch::Receiver<bool>,
}

/// Makes the queues.
pub(super) fn queues(stopping: watch::Receiver<bool>) -> (Inbox, Outlet) {
    let (actions, take_actions) = mpsc::channel(ACTIONS_MAX);
    let (readings, take_readings) = mpsc::channel(READINGS_MAX);
    let (submissions, take_submissions) = mpsc::channel(SUBMISSIONS_MAX);
    let outlet = Outlet {
        actions: take_actions,
        readings: take_readings,
        submissions: take_submissions,
        stopping,
    };
    (Inbox { actions, readings, submissions }, outlet)
}

impl Inbox {
    /// Does a command of a caller.
    pub(super) async fn command(&self, command: Command) -> Result<Receipt, Error> {
        let (reply, answer) = oneshot::channel();
        let submission = matches!(command.action, Action::Submit { .. });
        let work = Work::Command(Box::new(command), reply);
        if submission {
            self.submissions.try_send(work).map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => {
                    Error::Full { queue: "the submission queue", max: SUBMISSIONS_MAX }
                }
                mpsc::error::TrySendError::Closed(_) => Error::Stopping,
            })?;
        } else {
            self.actions.send(work).await.map_err(|_| Error::Stopping)?;
        }
        answer.await.map_err(|_| Error::Stopping)?
    }

    /// Records a reading.
    pub(super) async fn read(&self, command: Command) -> Result<Receipt, Error> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Command(Box::new(command), reply);
        self.readings.send(work).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)?
    }

    /// Has the engine take up what goes with a lease; returns whether it did.
    pub(super) async fn take_up(&self, me: ReplicaId, lease: Lease) -> Result<bool, Error> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Lead(Lead::TakeUp(me, lease, reply));
        self.actions.send(work).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)
    }

    /// Has the engine lay down a partition.
    pub(super) async fn lay_down(&self, partition: Partition) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Lead(Lead::LayDown(partition, reply));
        self.actions.send(work).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)
    }

    /// Has a part of a snapshot kept.
    pub(super) async fn keep(&self, part: StatePart) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.readings.send(Work::Keep(part, reply)).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)?
    }

    /// Has the cursors of a sink moved.
    pub(super) async fn acknowledge(&self, acknowledged: Acknowledged) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Acknowledge(acknowledged, reply);
        self.readings.send(work).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)?
    }

    /// Asks a question.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Workspaces) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |workspaces| {
            // Nobody waits any more when this fails.
            let _ = reply.send(question(workspaces));
        });
        self.actions.send(Work::Question(question)).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)
    }
}

impl Outlet {
    /// Waits for work, at most `patience`, and takes a fair share of each queue, actions first.
    ///
    /// Returns `None` when the engine is to stop and nothing is left to do.
    pub(super) async fn take(&mut self, patience: Duration) -> Option<Vec<Work>> {
        let first = tokio::select! {
            biased;
            () = stopped(&mut self.stopping) => {
                // What was taken in is still done; nothing new comes in.
                self.actions.close();
                self.readings.close();
                self.submissions.close();
                None
            }
            work = self.actions.recv() => work,
            work = self.readings.recv() => work,
            work = self.submissions.recv() => work,
            () = tokio::time::sleep(patience) => None,
        };
        let mut work: Vec<Work> = first.into_iter().collect();
        let flood = self.submissions.len() >= SUBMISSIONS_PER_COMMIT;
        let readings = if flood { READINGS_IN_FLOOD } else { READINGS_PER_COMMIT };
        let ended = [
            top_up(&mut self.actions, "actions", &mut work, ACTIONS_PER_COMMIT),
            top_up(&mut self.readings, "readings", &mut work, readings),
            top_up(&mut self.submissions, "submissions", &mut work, SUBMISSIONS_PER_COMMIT),
        ];
        let over = ended.into_iter().all(|ended| ended) && work.is_empty();
        (!over).then_some(work)
    }
}

/// Takes what waits in a queue, up to a limit; returns whether the queue has ended.
fn top_up(
    queue: &mut mpsc::Receiver<Work>,
    name: &'static str,
    work: &mut Vec<Work>,
    limit: usize,
) -> bool {
    metrics::queue_length(name, queue.len());
    for _ in 0..limit {
        match queue.try_recv() {
            Ok(next) => work.push(next),
            Err(mpsc::error::TryRecvError::Empty) => return false,
            Err(mpsc::error::TryRecvError::Disconnected) => return true,
        }
    }
    false
}

/// Waits until the engine is to stop; whoever could say so being gone means the same.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
