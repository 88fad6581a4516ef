//! The engine thread: it alone decides and writes.
//!
//! In rounds: take what waits, let the routing core decide each input in turn, make everything durable
//! in one transaction, then answer. Nothing of a round is seen by anybody before it is durable.

mod leading;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use uuid::{ContextV7, Timestamp, Uuid};

use super::{
    Action, Command, Error, Idempotency, Receipt,
    inbox::{Lead, Outlet, Question, Work},
    metrics,
    outbox::CursorsKept,
    recent::Recent,
    standard_policy,
    steady::SteadyClock,
    topics::Topics,
    workspace::{Workspace, Workspaces},
};
use crate::{
    domain::{
        event::WorkspaceSettings,
        id::{ActorId, TicketId, WorkspaceId},
        limits::{IDEMPOTENCY_WINDOW_SECS, WORKSPACES_MAX},
        planted::planted,
        ticket::Status,
        time::UnixMillis,
    },
    routing::{Input, Rejection},
    store::{self, Batch, Durable, Partition, StatePart, Used},
};

/// Longest sleep without work, so that a clock set forward is noticed.
const PATIENCE_MAX: Duration = Duration::from_secs(1);
/// Shortest sleep without work.
const PATIENCE_MIN: Duration = Duration::from_millis(1);
/// How often old idempotency keys are forgotten, in seconds, and how many at a time.
const FORGET_EVERY_SECS: u32 = 60;
const FORGET_AT_ONCE: u32 = 20_000;

/// Gives new tickets their identifiers; they sort by the order they were given in.
type TicketIds = Box<dyn Fn(UnixMillis) -> TicketId + Send>;

/// What the engine thread owns.
pub(super) struct Engine {
    store: Box<dyn Durable>,
    workspaces: Workspaces,
    clock: Arc<SteadyClock>,
    recent: Arc<Recent>,
    topics: Arc<Topics>,
    /// Changes when tickets come that are to be read.
    to_read: watch::Sender<u64>,
    /// The partitions whose workspaces are here; all of them where nobody shares the store.
    leads: watch::Sender<BTreeSet<Partition>>,
    ticket_ids: TicketIds,
    forget_at: UnixMillis,
    /// When the disk was full last; new tickets wait until there is room again.
    disk_full_since: Option<UnixMillis>,
}

/// Why the engine ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The thread could not wait for work.
    #[error("the engine's runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// What is in memory and what is durable may differ.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// An answer that waits until its round is durable.
type Answer = (oneshot::Sender<Result<Receipt, Error>>, Result<Receipt, Error>);

impl Engine {
    /// Makes an engine that has no workspaces yet.
    pub(super) fn new(
        store: Box<dyn Durable>,
        clock: Arc<SteadyClock>,
        (recent, topics): (Arc<Recent>, Arc<Topics>),
        to_read: watch::Sender<u64>,
        leads: watch::Sender<BTreeSet<Partition>>,
    ) -> Self {
        let forget_at = clock.now();
        Self {
            store,
            workspaces: Workspaces::new(),
            clock,
            recent,
            topics,
            to_read,
            leads,
            ticket_ids: ticket_ids(),
            forget_at,
            disk_full_since: None,
        }
    }

    /// Gives tickets identifiers that are the same each time.
    #[cfg(test)]
    pub(super) fn name_tickets(&mut self, ids: impl Fn(UnixMillis) -> TicketId + Send + 'static) {
        self.ticket_ids = Box::new(ids);
    }

    /// Runs until the queues end. Returns early when what is written can no longer be trusted.
    pub(super) fn run(&mut self, outlet: &mut Outlet) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        while let Some(work) = runtime.block_on(outlet.take(self.patience())) {
            self.round(work)?;
        }
        Ok(())
    }

    pub(super) fn patience(&self) -> Duration {
        let Some(due) = self.workspaces.values().filter_map(Workspace::next_due).min() else {
            return PATIENCE_MAX;
        };
        Duration::from_millis(due.millis_since(self.clock.now())).clamp(PATIENCE_MIN, PATIENCE_MAX)
    }

    pub(super) fn round(&mut self, work: Vec<Work>) -> Result<(), store::Error> {
        self.look_for_room();
        let now = self.clock.now();
        let mut batch = Batch::default();
        let mut answers: Vec<Answer> = Vec::with_capacity(work.len());
        let mut questions: Vec<Question> = Vec::new();
        let mut leads: Vec<Lead> = Vec::new();
        let mut parts = Vec::new();
        let mut cursors: Vec<CursorsKept> = Vec::new();
        for item in work {
            match item {
                Work::Command(command, reply) => {
                    answers.push((reply, self.apply(*command, now, &mut batch)));
                }
                Work::Question(question) => questions.push(question),
                Work::Lead(lead) => leads.push(lead),
                Work::Keep(part, reply) => parts.push((part, reply)),
                Work::Acknowledge(_, reply) if self.disk_full_since.is_some() => {
                    drop(reply.send(Err(Error::DiskFull)));
                }
                Work::Acknowledge(acknowledged, reply) => {
                    acknowledged.add_to(&mut batch, |id| self.workspaces.contains_key(id));
                    cursors.push(reply);
                }
            }
        }
        if planted!(AnswerBeforeCommit) {
            self.answer(std::mem::take(&mut answers));
        }
        for workspace in self.workspaces.values_mut().filter(|_| !planted!(NoTicks)) {
            workspace.tick(now, &mut batch);
        }
        match self.commit(&batch, answers.len()) {
            Ok(()) => {
                self.publish(batch);
                let connection_lost = answers.iter().any(|(_, answer)| is_lost(answer));
                self.answer(answers);
                cursors.into_iter().for_each(|reply| drop(reply.send(Ok(()))));
                if connection_lost {
                    self.reconnect(&Batch::default());
                }
            }
            Err(error) => {
                // Whether or not they are durable, they may be moved there again.
                let told = || Err(Error::Store(store::Error::RolledBack));
                cursors.into_iter().for_each(|reply| drop(reply.send(told())));
                self.fail(&error, batch, answers)?;
            }
        }
        for question in questions {
            question(&mut self.workspaces);
        }
        for (part, reply) in parts {
            // Nobody waits any more when this fails.
            let _ = reply.send(self.keep(&part));
        }
        for lead in leads {
            self.lead(lead);
        }
        self.forget_used(now)
    }

    fn keep(&mut self, part: &StatePart) -> Result<(), Error> {
        match self.disk_full_since {
            Some(_) => Err(Error::DiskFull),
            None => self.store.keep(part).map_err(Error::Store),
        }
    }

    fn answer(&self, answers: Vec<Answer>) {
        for (reply, answer) in answers {
            // A caller who went away is not waiting.
            let _ = reply.send(answer);
        }
    }

    /// Makes a batch durable.
    fn commit(&mut self, batch: &Batch, commands: usize) -> Result<(), store::Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let mut committed = self.store.commit(batch);
        if committed.as_ref().is_err_and(store::Error::is_full) && self.disk_is_full(batch) {
            committed = self.store.commit(batch);
        }
        committed?;
        metrics::committed(batch, commands, started.elapsed());
        Ok(())
    }

    /// Shows a durable batch and wakes who waits for it.
    fn publish(&self, batch: Batch) {
        if !batch.is_empty() {
            let entries = self.recent.publish(batch);
            self.topics.wake(&entries);
            self.report();
        }
    }

    fn report(&self) {
        let (mut unread, mut reread) = (0, 0);
        let mut counts = [Status::Received, Status::Queued, Status::Offered, Status::Assigned]
            .map(|status| (status, 0));
        for workspace in self.workspaces.values() {
            unread += workspace.backlog.unread.len();
            reread += workspace.backlog.reread.len();
            for (status, count) in &mut counts {
                *count += workspace.counts.get(status).copied().unwrap_or(0);
            }
        }
        metrics::backlog(unread, reread);
        metrics::open_tickets(counts.into_iter());
        if unread + reread > 0 {
            self.to_read.send_modify(|round| *round = round.wrapping_add(1));
        }
    }

    fn apply(
        &mut self,
        command: Command,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<Receipt, Error> {
        let Command { workspace: id, actor, idempotency, action } = command;
        if let Some(idempotency) = &idempotency
            && let Some(receipt) = self.replayed(&id, idempotency, now, batch)?
        {
            return Ok(receipt);
        }
        let (input, payload) = match action {
            Action::CreateWorkspace(settings) => {
                self.create_workspace(&id, settings, actor.as_ref(), now, batch)?;
                return Ok(self.receipt(id, None, idempotency, now, batch));
            }
            // What is left is for people's actions; what is not read now is read later.
            Action::Submit { .. } if self.disk_full_since.is_some() => {
                return Err(Error::DiskFull);
            }
            Action::Route(input)
                if self.disk_full_since.is_some() && matches!(*input, Input::Read { .. }) =>
            {
                return Err(Error::DiskFull);
            }
            Action::Submit { intake, payload } => {
                (Input::Receive { ticket: (self.ticket_ids)(now), intake }, Some(payload))
            }
            Action::RaiseAlarm(alarm) => {
                self.workspace(&id)?.raise_alarm(*alarm, now, batch);
                return Ok(self.receipt(id, None, idempotency, now, batch));
            }
            Action::AcknowledgeAlarm { alarm, note } => {
                let workspace = self.workspace(&id)?;
                if !workspace.acknowledge_alarm(alarm, note, now, actor.as_ref(), batch) {
                    return Err(Error::AlarmNotOpen(alarm));
                }
                return Ok(self.receipt(id, None, idempotency, now, batch));
            }
            Action::Route(input) => (*input, None),
        };
        let ticket = ticket_of(&input).cloned();
        self.workspace(&id)?.step(input, now, actor.as_ref(), payload, batch)?;
        Ok(self.receipt(id, ticket, idempotency, now, batch))
    }

    /// Returns a workspace that is here.
    fn workspace(&mut self, id: &WorkspaceId) -> Result<&mut Workspace, Error> {
        self.check_lead(id)?;
        self.workspaces.get_mut(id).ok_or_else(|| Error::WorkspaceUnknown(id.clone()))
    }

    /// Returns what the same key led to before, in this round or earlier.
    fn replayed(
        &self,
        id: &WorkspaceId,
        idempotency: &Idempotency,
        now: UnixMillis,
        batch: &Batch,
    ) -> Result<Option<Receipt>, Error> {
        let key = (id.clone(), idempotency.key.clone());
        let used = match batch.used.get(&key).filter(|_| !planted!(KeyTwiceInARound)) {
            Some(used) => Some(used.clone()),
            None => {
                let since = now.minus_secs(IDEMPOTENCY_WINDOW_SECS);
                self.store.used(&key, since).map_err(Error::Store)?
            }
        };
        let Some(used) = used else { return Ok(None) };
        if used.fingerprint != idempotency.fingerprint && !planted!(KeyWithoutContent) {
            return Err(Error::IdempotencyKeyReused);
        }
        Ok(Some(Receipt { sequence: used.sequence, ticket: used.ticket, replayed: true }))
    }

    /// Makes the receipt of something just done, and remembers it under its key.
    fn receipt(
        &self,
        id: WorkspaceId,
        ticket: Option<TicketId>,
        idempotency: Option<Idempotency>,
        at: UnixMillis,
        batch: &mut Batch,
    ) -> Receipt {
        let sequence = self.workspaces.get(&id).map_or(0, |workspace| workspace.sequence);
        if let Some(Idempotency { key, fingerprint }) = idempotency {
            let used = Used { fingerprint, ticket: ticket.clone(), sequence, at };
            batch.used.insert((id, key), used);
        }
        Receipt { sequence, ticket, replayed: false }
    }

    fn create_workspace(
        &mut self,
        id: &WorkspaceId,
        settings: WorkspaceSettings,
        actor: Option<&ActorId>,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        self.check_lead(id)?;
        self.make_workspace(id, settings, actor, now, batch)
    }

    fn make_workspace(
        &mut self,
        id: &WorkspaceId,
        settings: WorkspaceSettings,
        actor: Option<&ActorId>,
        now: UnixMillis,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        if self.workspaces.contains_key(id) {
            return Err(Error::WorkspaceExists(id.clone()));
        }
        if self.workspaces.len() >= WORKSPACES_MAX {
            return Err(Rejection::TooMany { what: "workspaces", max: WORKSPACES_MAX }.into());
        }
        let mut inputs = vec![Input::SetWorkspace { settings, expected: None }];
        for (skill, description) in standard_policy::skills() {
            inputs.push(Input::CreateSkill { skill, description });
        }
        inputs.push(Input::SetPolicy { policy: standard_policy::policy(), expected: None });
        let mut workspace = Workspace::new(id.clone(), now);
        let mut made = Batch::default();
        for input in inputs {
            workspace.step(input, now, actor, None, &mut made)?;
        }
        batch.workspaces.push((id.clone(), now));
        batch.entries.append(&mut made.entries);
        self.workspaces.insert(id.clone(), workspace);
        Ok(())
    }

    fn forget_used(&mut self, now: UnixMillis) -> Result<(), store::Error> {
        if now < self.forget_at {
            return Ok(());
        }
        let before = now.minus_secs(IDEMPOTENCY_WINDOW_SECS);
        self.forget_at = now.plus_secs(FORGET_EVERY_SECS);
        match self.store.forget_used(before, FORGET_AT_ONCE) {
            // More are left: go on with the next round.
            Ok(forgotten) if forgotten >= FORGET_AT_ONCE.into() => self.forget_at = now,
            Ok(_) => {}
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "old idempotency keys could not be forgotten");
                if error.is_lost() {
                    self.reconnect(&Batch::default());
                }
            }
        }
        Ok(())
    }
}

/// Returns whether a call failed because the connection to the database was lost before there was anything to commit.
fn is_lost(answer: &Result<Receipt, Error>) -> bool {
    matches!(answer, Err(Error::Store(error)) if error.is_lost())
}

#[expect(clippy::expect_used, reason = "a UUID is made of digits, letters and hyphens")]
fn ticket_ids() -> TicketIds {
    let context = ContextV7::new();
    Box::new(move |now| {
        let millis = u64::try_from(now.0).unwrap_or(0);
        let nanos = u32::try_from(millis % 1000 * 1_000_000).unwrap_or(0);
        let timestamp = Timestamp::from_unix(&context, millis / 1000, nanos);
        TicketId::new(Uuid::new_v7(timestamp).to_string()).expect("a UUID is an identifier")
    })
}

/// Returns the ticket an input is about.
fn ticket_of(input: &Input) -> Option<&TicketId> {
    match input {
        Input::Receive { ticket, .. }
        | Input::Read { ticket, .. }
        | Input::Complete { ticket, .. }
        | Input::Transfer { ticket, .. }
        | Input::Cancel { ticket, .. } => Some(ticket),
        Input::Accept { offer, .. } | Input::Decline { offer, .. } => Some(&offer.ticket),
        _ => None,
    }
}
