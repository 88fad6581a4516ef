//! One database in memory: what all simulated servers share, with transactions that take time.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        event::Entry,
        id::{AgentId, TicketId, WorkspaceId},
        planted::planted,
        ticket::Payload,
        time::UnixMillis,
    },
    store::{
        Batch, Lease, NewTicket, Partition, Replica, ReplicaId, SILENCE_MS_MAX, StatePart,
        TicketDetail, TicketRow, Used, View,
    },
};

/// One run of a server: which, and the how many-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) server: usize,
    pub(super) life: u32,
}

impl Who {
    pub(super) fn id(self) -> ReplicaId {
        ReplicaId(format!("s{}-{}", self.server, self.life))
    }
}

/// What is stored of a workspace.
#[derive(Default)]
pub(super) struct Space {
    pub(super) created_at: UnixMillis,
    pub(super) entries: Vec<Entry>,
    pub(super) rows: BTreeMap<u64, TicketRow>,
    pub(super) details: BTreeMap<u64, TicketDetail>,
    pub(super) payloads: BTreeMap<u64, Payload>,
    pub(super) used: BTreeMap<String, (Who, Used)>,
    pub(super) parts: BTreeMap<(u64, u32), (StatePart, bool)>,
    pub(super) by_agent: BTreeMap<AgentId, Vec<u64>>,
    pub(super) numbers: BTreeMap<TicketId, u64>,
}

/// A transaction that has not ended.
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) who: Who,
    pub(super) locks: BTreeMap<Partition, u64>,
    pub(super) batch: Batch,
    /// Whether its client is gone: it then ends by itself, this way or that.
    pub(super) orphan: Option<bool>,
}

/// What all servers share.
#[derive(Default)]
pub(super) struct Database {
    pub(super) is_shared: bool,
    pub(super) spaces: BTreeMap<WorkspaceId, Space>,
    pub(super) leases: BTreeMap<Partition, (String, u64)>,
    pub(super) replicas: BTreeMap<ReplicaId, (Replica, i64)>,
    pub(super) open: Vec<Open>,
    pub(super) is_down: bool,
    pub(super) is_full: bool,
    /// How far its clock is ahead.
    pub(super) ahead_ms: i64,
    pub(super) opened: u64,
}

impl Database {
    pub(super) fn space(&self, workspace: &WorkspaceId) -> Option<&Space> {
        self.spaces.get(workspace)
    }

    /// Says that a server is there, and returns who is; as [`crate::store::Membership::beat`].
    pub(super) fn beat(&mut self, who: Who, draining: bool, now: i64) -> View {
        let (id, now) = (who.id(), now + self.ahead_ms);
        let replica = Replica { id: id.clone(), address: String::new(), reads: true, draining };
        self.replicas.insert(id, (replica, now + i64::from(SILENCE_MS_MAX)));
        let there = self.replicas.values().filter(|(_, expires_at)| *expires_at > now);
        let holders = self.leases.iter().filter(|(_, (holder, _))| !holder.is_empty());
        View {
            replicas: there.map(|(replica, _)| replica.clone()).collect(),
            holders: holders.map(|(at, (holder, _))| (*at, ReplicaId(holder.clone()))).collect(),
        }
    }

    pub(super) fn is_locked(&self, partition: Partition) -> bool {
        let locks = |open: &Open| open.locks.contains_key(&partition);
        self.open.iter().any(locks) && !planted!(LeaseNotLocked)
    }

    /// Takes over a partition that nobody locks; as [`crate::store::Membership::take`].
    pub(super) fn take(
        &mut self,
        who: Who,
        partition: Partition,
        from: Option<&ReplicaId>,
        now: i64,
    ) -> Option<Lease> {
        let now = now + self.ahead_ms;
        let (me, from) = (who.id().0, from.map_or("", |from| &from.0));
        let (holder, epoch) = self.leases.entry(partition).or_default();
        let there = self.replicas.get(&ReplicaId(from.to_owned()));
        let is_there = there.is_some_and(|(_, expires_at)| *expires_at > now);
        let from_the_living = is_there && !planted!(TakenFromTheLiving);
        if holder != from || (*holder != me && from_the_living) {
            return None;
        }
        *holder = me;
        *epoch += 1;
        Some(Lease { partition, epoch: *epoch })
    }

    /// Returns the first of some leases that is not held as it should be.
    pub(super) fn lost(&self, me: &str, epochs: &BTreeMap<Partition, u64>) -> Option<Partition> {
        let is_held = |partition: &Partition, epoch: &u64| {
            self.leases.get(partition).is_some_and(|(holder, at)| holder == me && at == epoch)
        };
        let lost = epochs.iter().find(|(partition, epoch)| !is_held(partition, epoch));
        lost.map(|(partition, _)| *partition)
    }

    /// Writes a batch.
    pub(super) fn write(&mut self, who: Who, batch: &Batch) {
        for (id, created_at) in &batch.workspaces {
            self.spaces.entry(id.clone()).or_default().created_at = *created_at;
        }
        for (id, entry) in &batch.entries {
            let space = self.spaces.entry(id.clone()).or_default();
            if let Some(agent) = entry.event.agent() {
                space.by_agent.entry(agent.clone()).or_default().push(entry.sequence);
            }
            space.entries.push(entry.clone());
            if planted!(TornCommit) && entry.sequence % 97 == 0 {
                return;
            }
        }
        for ((id, number), row) in &batch.tickets {
            if planted!(RowsNotWritten) && row.assigned_at.is_some() && number % 5 == 0 {
                continue;
            }
            let space = self.spaces.entry(id.clone()).or_default();
            space.numbers.insert(row.ticket.clone(), *number);
            space.rows.insert(*number, row.clone());
        }
        for ((id, number), detail) in &batch.details {
            self.spaces.entry(id.clone()).or_default().details.insert(*number, detail.clone());
        }
        for NewTicket { workspace, number, payload } in &batch.received {
            let space = self.spaces.entry(workspace.clone()).or_default();
            space.payloads.insert(*number, payload.clone());
        }
        for ((id, key), used) in &batch.used {
            if !planted!(KeyNotStored) {
                let space = self.spaces.entry(id.clone()).or_default();
                space.used.insert(key.clone(), (who, used.clone()));
            }
        }
    }

    /// Ends a transaction without a trace; returns whether it was under way.
    pub(super) fn end(&mut self, number: u64) -> Option<Open> {
        let at = self.open.iter().position(|open| open.number == number)?;
        Some(self.open.remove(at))
    }
}

impl Space {
    /// Returns the newest whole snapshot before an entry; as [`crate::store::state_before`].
    pub(super) fn state_before(&self, before: u64) -> Option<(u64, Vec<u8>)> {
        let begun = self.parts.iter().filter(|((at, part), _)| *part == 1 && *at < before);
        begun.rev().find_map(|((at, _), (first, _))| {
            let parts: Vec<_> = self.parts.range((*at, 0)..=(*at, u32::MAX)).collect();
            let is_whole = parts.len() == usize::try_from(first.parts).unwrap();
            let is_damaged = parts.iter().any(|(_, (_, damaged))| *damaged);
            let passed_over = is_damaged && !planted!(SnapshotDamageUnseen);
            (is_whole && !passed_over)
                .then(|| (*at, parts.iter().flat_map(|(_, (part, _))| part.body.clone()).collect()))
        })
    }

    /// Keeps a part; as the store does.
    pub(super) fn keep(&mut self, part: &StatePart) {
        let sequence = if planted!(SnapshotOneAhead) {
            part.sequence + 1
        } else if planted!(SnapshotOneBehind) {
            part.sequence - 1
        } else {
            part.sequence
        };
        let kept = StatePart { sequence, ..part.clone() };
        self.parts.insert((sequence, part.part), (kept, false));
        if part.part < part.parts {
            return;
        }
        let older = self.parts.keys().filter(|(at, number)| *number == 1 && *at < sequence);
        if let Some((kept, _)) = older.max().copied() {
            self.parts.retain(|(at, _), _| *at >= kept);
        }
    }
}

/// Returns a copy of a batch.
pub(super) fn copied(batch: &Batch) -> Batch {
    let received = batch.received.iter().map(|new| NewTicket {
        workspace: new.workspace.clone(),
        number: new.number,
        payload: new.payload.clone(),
    });
    Batch {
        workspaces: batch.workspaces.clone(),
        entries: batch.entries.clone(),
        tickets: batch.tickets.clone(),
        details: batch.details.clone(),
        received: received.collect(),
        used: batch.used.clone(),
        cursors: batch.cursors.clone(),
    }
}

/// Returns the partitions a batch is about.
pub(super) fn partitions(batch: &Batch) -> BTreeSet<Partition> {
    let entries = batch.entries.iter().map(|(id, _)| id);
    entries.chain(batch.used.keys().map(|(id, _)| id)).map(Partition::of).collect()
}
