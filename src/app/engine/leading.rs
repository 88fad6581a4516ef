//! Which workspaces the engine has: taking them up, laying them down, and after a failure.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{Answer, Engine, Error};
use crate::{
    app::{inbox::Lead, metrics, workspace::Workspace},
    domain::{event::WorkspaceSettings, id::WorkspaceId, planted::planted, time::UnixMillis},
    routing::Input,
    store::{self, Batch, Lease, Partition, Recovered, ReplicaId},
};

/// Wait after a transaction failed, so that a full disk is not asked again at once.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);
/// How often to try to reach the database again, before others may well have taken over.
const RECONNECT_TRIES: u32 = 25;
/// How often to look whether a full disk has room again, in milliseconds.
const LOOK_FOR_ROOM_MS: u64 = 1_000;
/// Wait between two tries.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);
/// The workspace of callers who name none.
const DEFAULT_WORKSPACE: &str = "default";

impl Engine {
    /// Takes up all workspaces of a store that nobody shares.
    pub(in crate::app) fn take_up_all(&mut self) -> Result<(), Error> {
        self.take_up(|_| true)?;
        self.leads.send_replace(Partition::all().collect());
        metrics::partitions_led(self.leads.borrow().len());
        Ok(())
    }

    /// Refuses what is about a workspace that another server has.
    pub(super) fn check_lead(&self, id: &WorkspaceId) -> Result<(), Error> {
        if self.leads.borrow().contains(&Partition::of(id)) { Ok(()) } else { Err(Error::Moved) }
    }

    pub(super) fn lead(&mut self, lead: Lead) {
        match lead {
            Lead::TakeUp(me, lease, reply) => {
                let taken = self.take_up_partition(&me, lease);
                if let Err(error) = &taken {
                    tracing::error!(%error, partition = lease.partition.0, "not taken up");
                }
                // Nobody waits any more when this fails.
                let _ = reply.send(taken.is_ok());
            }
            Lead::LayDown(partition, reply) => {
                if !planted!(LeavesAndGoesOn) {
                    self.lay_down(partition);
                }
                if let Err(error) = self.store.release(partition) {
                    tracing::warn!(%error, partition = partition.0, "a lease was not given back");
                    // It is tried again, and must not fail for ever where nothing else is done.
                    if error.is_lost() {
                        self.reconnect(&Batch::default());
                    }
                }
                let _ = reply.send(());
            }
        }
    }

    fn take_up_partition(&mut self, me: &ReplicaId, lease: Lease) -> Result<(), Error> {
        let partition = lease.partition;
        self.store.hold(me, lease);
        let taken = self.take_up(|id| Partition::of(id) == partition);
        if taken.is_err() && !planted!(LedWithoutLoading) {
            self.lay_down(partition);
            // Whoever holds the lease tries again.
            let _ = self.reconnect(&Batch::default());
            return taken;
        }
        // Not before everything is there: calls come from here on.
        self.leads.send_if_modified(|leads| leads.insert(partition));
        metrics::partitions_led(self.leads.borrow().len());
        Ok(())
    }

    /// Replays the journals and makes ready: offers lapsed meanwhile lapse, streams are closed.
    fn take_up(&mut self, is_ours: impl Fn(&WorkspaceId) -> bool) -> Result<(), Error> {
        let known = self.store.workspaces().map_err(Error::Store)?;
        let mut batch = Batch::default();
        for (id, created_at) in known.into_iter().filter(|(id, _)| is_ours(id)) {
            self.load(&id, created_at).map_err(Error::Store)?;
            let now = self.clock.now();
            if let Some(workspace) =
                self.workspaces.get_mut(&id).filter(|_| !planted!(StreamsSurvive))
            {
                workspace.step(Input::Restart, now, None, None, &mut batch)?;
            }
        }
        // Whoever takes up its partition makes it, however many others there are by then.
        if let Ok(id) = WorkspaceId::new(DEFAULT_WORKSPACE)
            && is_ours(&id)
            && !self.workspaces.contains_key(&id)
        {
            let settings = WorkspaceSettings {
                display_name: "Default".to_owned(),
                segment_attributes: Vec::new(),
                outcome_wait_secs: None,
            };
            self.make_workspace(&id, settings, None, self.clock.now(), &mut batch)?;
        }
        self.commit(&batch, 0).map_err(Error::Store)?;
        self.publish(batch);
        Ok(())
    }

    fn load(&mut self, id: &WorkspaceId, created_at: UnixMillis) -> Result<(), store::Error> {
        let started = Instant::now();
        let (workspace, newest_at) = Workspace::load(&*self.store, id, created_at)?;
        let (entries, took) = (workspace.sequence, started.elapsed());
        tracing::info!(workspace = %id, entries, ms = took.as_millis(), "took up a workspace");
        if !planted!(TimeStartsAnew) {
            self.clock.start_after(newest_at);
        }
        self.recent.start(&workspace);
        self.topics.start(id, workspace.sequence);
        self.workspaces.insert(id.clone(), workspace);
        Ok(())
    }

    /// Forgets the workspaces of a partition; their streams end.
    fn lay_down(&mut self, partition: Partition) {
        self.leads.send_if_modified(|leads| leads.remove(&partition));
        metrics::partitions_led(self.leads.borrow().len());
        let gone: Vec<WorkspaceId> =
            self.workspaces.keys().filter(|id| Partition::of(id) == partition).cloned().collect();
        for id in gone {
            self.workspaces.remove(&id);
            if !planted!(TopicsNotEnded) {
                self.topics.end(&id);
            }
            if !planted!(RecentNotForgotten) {
                self.recent.forget(&id);
            }
        }
    }

    fn lay_down_touched(&mut self, batch: &Batch) {
        let touched: BTreeSet<Partition> =
            batch.entries.iter().map(|(id, _)| Partition::of(id)).collect();
        touched.into_iter().for_each(|partition| self.lay_down(partition));
    }

    /// Finds out what became of a round whose commit failed, and tells its callers.
    pub(super) fn fail(
        &mut self,
        error: &store::Error,
        batch: Batch,
        answers: Vec<Answer>,
    ) -> Result<(), store::Error> {
        if let store::Error::LeaseLost { partition } = error {
            tracing::warn!(partition = partition.0, "another server has taken over");
            metrics::rolled_back();
            self.lay_down(*partition);
            // What else it touched may be another's too, and written to; what is not is taken up again.
            self.give_up(&batch, answers);
            return Ok(());
        }
        if !error.is_lost() {
            let rolled_back = || Error::Store(store::Error::RolledBack);
            return self.roll_back(error, &batch, answers, rolled_back);
        }
        match self.reconnect(&batch) {
            Some(Recovered { durable: true, lost }) if lost.is_empty() => {
                self.publish(batch);
                self.answer(answers);
                Ok(())
            }
            Some(Recovered { durable: false, lost }) if lost.is_empty() => {
                self.roll_back(error, &batch, answers, || Error::Store(store::Error::RolledBack))
            }
            _ if planted!(LostIsDone) => {
                self.answer(answers);
                Ok(())
            }
            _ => {
                self.give_up(&batch, answers);
                Ok(())
            }
        }
    }

    /// Lays down what a batch touched. Some of it is another server's to tell; callers who ask again with their
    /// key learn it.
    fn give_up(&mut self, batch: &Batch, answers: Vec<Answer>) {
        answers.into_iter().for_each(|(reply, _)| drop(reply.send(Err(Error::Moved))));
        self.lay_down_touched(batch);
    }

    /// Notes that the disk is full; returns whether there is room now for what failed. A batch of many new tickets
    /// is not worth the room that agents will need.
    pub(super) fn disk_is_full(&mut self, batch: &Batch) -> bool {
        let there_is_room = self.store.give_up_reserve() / 2 > batch.bytes_about();
        tracing::error!(there_is_room, "the disk is full; new tickets are refused");
        self.disk_full_since = Some(self.clock.now());
        metrics::disk_full(true);
        there_is_room
    }

    /// Looks now and then whether a full disk has room again.
    pub(super) fn look_for_room(&mut self) {
        let now = self.clock.now();
        let looked = self.disk_full_since.filter(|at| now.millis_since(*at) >= LOOK_FOR_ROOM_MS);
        if looked.is_none() {
            return;
        }
        if self.store.regain_reserve() {
            tracing::info!("the disk has room again");
            self.disk_full_since = None;
            metrics::disk_full(false);
        } else {
            self.disk_full_since = Some(now);
        }
    }

    /// Reaches the database again; lays down what others have taken over meanwhile, or everything where it
    /// cannot be reached.
    pub(super) fn reconnect(&mut self, batch: &Batch) -> Option<Recovered> {
        // Where nothing is left to lose, callers are told at once.
        let tries = if self.leads.borrow().is_empty() { 1 } else { RECONNECT_TRIES };
        for _ in 0..tries {
            match self.store.recover(batch) {
                Ok(recovered) => {
                    recovered.lost.iter().for_each(|partition| self.lay_down(*partition));
                    return Some(recovered);
                }
                Err(error) => tracing::warn!(%error, "the database cannot be reached"),
            }
            self.store.pause(RECONNECT_PAUSE);
        }
        tracing::error!("the database cannot be reached; all workspaces are laid down");
        Partition::all().for_each(|partition| self.lay_down(partition));
        None
    }

    /// Tells all callers of a failed round, and brings memory back to what is durable.
    fn roll_back(
        &mut self,
        error: &store::Error,
        batch: &Batch,
        answers: Vec<Answer>,
        told: impl Fn() -> Error,
    ) -> Result<(), store::Error> {
        metrics::rolled_back();
        tracing::error!(%error, commands = answers.len(), "a transaction was rolled back");
        let reloaded = if error.is_fatal() { Ok(()) } else { self.reload(batch) };
        for (reply, _) in answers {
            let _ = reply.send(Err(told()));
        }
        match reloaded {
            // What is in memory cannot be trusted; it is taken up again from the database.
            Err(error) if error.is_lost() || self.has_lost_leases() => self.lay_down_touched(batch),
            reloaded => reloaded?,
        }
        self.store.pause(PAUSE_AFTER_FAILURE);
        if error.is_fatal() { Err(store::Error::RolledBack) } else { Ok(()) }
    }

    /// Returns whether other servers write to what was this one's, as after it was frozen. A folder has no leases to
    /// lose: there the failure stands.
    fn has_lost_leases(&mut self) -> bool {
        match self.store.recover(&Batch::default()) {
            Ok(Recovered { lost, .. }) => {
                lost.iter().for_each(|partition| self.lay_down(*partition));
                !lost.is_empty()
            }
            Err(error) => error.is_lost(),
        }
    }

    fn reload(&mut self, batch: &Batch) -> Result<(), store::Error> {
        if planted!(NoReload) {
            return Ok(());
        }
        for (id, _) in batch.workspaces.iter().filter(|_| !planted!(NewWorkspaceStays)) {
            self.workspaces.remove(id);
        }
        let touched: BTreeSet<&WorkspaceId> = batch.entries.iter().map(|(id, _)| id).collect();
        for id in touched {
            if let Some(workspace) = self.workspaces.get_mut(id) {
                *workspace = Workspace::load(&*self.store, id, workspace.created_at)?.0;
                workspace.state.gather_all();
            }
        }
        Ok(())
    }
}
