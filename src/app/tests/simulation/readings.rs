//! Models and rules that read, and snapshots that are taken: what a server does beside its engine.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    database::Who,
    world::{Core, Event, Sim},
};
use crate::{
    app::{
        Action, Command,
        backlog::take_shares,
        inbox::Work,
        snapshots,
        tests::world::reading,
        workspace::{Workspace, Workspaces},
    },
    domain::{
        id::{TicketId, WorkspaceId},
        reading::{Reading, ReadingSource},
    },
    routing::Input,
    store::{Error, Partition, StatePart},
};

/// How often a server looks what is to be read, in milliseconds.
const LOOK_MS: i64 = 500;
/// When a ticket that was taken has its next turn, in seconds.
const NEXT_TURN_SECS: u32 = 8;
/// Bytes of a part of a snapshot.
const PART_BYTES: usize = 6_000;

impl Sim {
    /// Takes what a model is to read, and what waited so long that the rules read it; as `reader`.
    pub(super) fn look_what_to_read(self: &Arc<Self>, who: Who) {
        let mut core = self.core();
        if !core.lives(who) {
            return;
        }
        core.plan_in(LOOK_MS, Event::Reads(who));
        let Some(run) = &core.servers[who.server].run else { return };
        let now = run.clock.now();
        let sim = Arc::clone(self);
        let question = move |workspaces: &mut Workspaces| {
            let next_turn = now.plus_secs(NEXT_TURN_SECS);
            let lines = workspaces.iter_mut().map(|(id, space)| (id, &mut space.backlog.unread));
            let mut taken = take_shares(lines, now, next_turn, 8);
            if taken.is_empty() {
                let lines = workspaces.iter_mut();
                let lines = lines.map(|(id, space)| (id, &mut space.backlog.reread));
                taken = take_shares(lines, now, next_turn, 8);
            }
            let late = |(id, space): (&WorkspaceId, &Workspace)| {
                let wait_ms = space.state.policy().map_or(0, |policy| policy.reading_wait_ms);
                let since = crate::domain::time::UnixMillis(now.0 - i64::from(wait_ms));
                let late = space.backlog.unread.waiting_since(since, 8);
                late.into_iter().map(|ticket| (id.clone(), ticket)).collect::<Vec<_>>()
            };
            let late = workspaces.iter().flat_map(late).collect();
            sim.core().are_to_be_read(who, taken, late);
        };
        core.put(who, Work::Question(Box::new(question)));
    }
}

impl Core {
    fn are_to_be_read(
        &mut self,
        who: Who,
        by_model: Vec<(WorkspaceId, TicketId)>,
        by_rules: Vec<(WorkspaceId, TicketId)>,
    ) {
        let model_ms = self.faults.model_ms;
        for (workspace, ticket) in by_model {
            // A model that is down never answers.
            if model_ms < i64::MAX {
                let after_ms = self.chance.millis(1, model_ms);
                let source = ReadingSource::Model;
                self.plan_in(after_ms, Event::Read { who, workspace, ticket, source });
            }
        }
        for (workspace, ticket) in by_rules {
            let source = ReadingSource::Rules;
            self.plan_in(0, Event::Read { who, workspace, ticket, source });
        }
    }

    /// Hands a reading to the engine.
    pub(super) fn has_read(
        &mut self,
        who: Who,
        workspace: WorkspaceId,
        ticket: TicketId,
        source: ReadingSource,
    ) {
        let intent = *self.chance.one_of(&["place_order", "get_refund", "weather"]);
        let reading = Reading { source, ..reading(intent) };
        let action = Action::Route(Box::new(Input::Read { ticket, reading }));
        let command = Command { workspace, actor: None, idempotency: None, action };
        // Nobody minds: what could not be stored is read again.
        let (reply, _) = oneshot::channel();
        self.put(who, Work::Command(Box::new(command), reply));
    }

    /// Takes a snapshot of a workspace from what is stored, and hands its parts to the engine.
    pub(super) fn snapshot(&mut self, who: Who) {
        if !self.lives(who) {
            return;
        }
        let next_ms = self.chance.millis(500, 8_000);
        self.plan_in(next_ms, Event::Snapshot(who));
        let id = self.chance.one_of(&self.people.workspaces).clone();
        if self.database.is_down || !self.servers[who.server].leads(Partition::of(&id)) {
            return;
        }
        let Some(space) = self.database.space(&id) else { return };
        let made = snapshots::make(
            |before| Ok::<_, Error>(space.state_before(before)),
            |after, apply| {
                let newest = space.entries.len();
                let after = usize::try_from(after).unwrap();
                space.entries.iter().skip(after).for_each(|entry| apply(entry.clone()));
                Ok(u64::try_from(newest.max(after)).unwrap())
            },
        );
        let (sequence, bytes) = made.unwrap();
        let parts = u32::try_from(bytes.chunks(PART_BYTES).count()).unwrap();
        for (part, body) in (1..).zip(bytes.chunks(PART_BYTES)) {
            let (workspace, body) = (id.clone(), body.to_vec());
            let (reply, _) = oneshot::channel();
            let part = StatePart { workspace, sequence, part, parts, body };
            self.put(who, Work::Keep(part, reply));
        }
    }
}
