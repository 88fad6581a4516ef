//! The store of a simulated server: the real seam, with everything that can go wrong behind it.

use std::{cell::Cell, collections::BTreeMap, sync::Arc, time::Duration};

use rusqlite::ffi;

use super::{
    database::{Database, Open, Who, copied, partitions},
    server::{Turn, pause},
    world::{Core, Event, Sim},
};
use crate::{
    domain::{event::Entry, id::WorkspaceId, planted::planted, time::UnixMillis},
    store::{
        Batch, Durable, Error, Key, Lease, Partition, Recovered, ReplicaId, StatePart, TicketRow,
        Used,
    },
};

/// After how long a database ends a transaction that waits for its client, in milliseconds.
const IDLE_MS_MAX: i64 = 2_000;
/// Commits for which the room held back for a full disk lasts.
const RESERVE_COMMITS: u32 = 20;

/// How a commit ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Done,
    Fails,
    /// The file can no longer be trusted.
    Fatal,
    /// The connection breaks: whether it becomes durable, and when.
    Unknown(bool, i64),
}

/// The store of one run of a server; or, of nobody's, one without faults.
pub(super) struct SimStore {
    pub(super) sim: Arc<Sim>,
    pub(super) who: Option<Who>,
    connection: Cell<u64>,
    me: Option<ReplicaId>,
    epochs: BTreeMap<Partition, u64>,
    reserve: u32,
}

impl SimStore {
    pub(super) fn new(sim: &Arc<Sim>, who: Option<Who>) -> Self {
        let core = sim.core();
        let connection = who.map_or(0, |who| core.servers[who.server].connection);
        Self {
            sim: Arc::clone(sim),
            who,
            connection: Cell::new(connection),
            me: None,
            epochs: BTreeMap::new(),
            reserve: RESERVE_COMMITS,
        }
    }

    fn is_dead(&self, core: &Core) -> bool {
        self.who.is_some_and(|who| !core.lives(who))
    }

    fn reach<'a>(&self, core: &'a Core) -> Result<&'a Database, Error> {
        let broken = self.who.is_some_and(|who| {
            core.servers[who.server].connection != self.connection.get() || core.database.is_down
        });
        if self.is_dead(core) || broken { Err(Error::Unknown) } else { Ok(&core.database) }
    }

    /// Reaches the database to read from it; now and then the connection breaks.
    fn read<T>(&self, read: impl FnOnce(&Database) -> T) -> Result<T, Error> {
        if let Some(millis) = self.who.and_then(|_| self.sim.core().slow_read()) {
            self.wait(millis);
        }
        let mut core = self.sim.core();
        if let Some(who) = self.who
            && core.breaks_a_read()
        {
            core.break_connection(who.server);
        }
        Ok(read(self.reach(&core)?))
    }

    /// Returns the leases a batch relies on.
    fn locks(&self, core: &Core, batch: &Batch) -> Result<BTreeMap<Partition, u64>, Error> {
        let Some(me) = &self.me else { return Ok(BTreeMap::new()) };
        let mut locks = BTreeMap::new();
        for partition in partitions(batch) {
            let epoch = self.epochs.get(&partition).copied();
            if planted!(NoFence) {
                locks.insert(partition, epoch.unwrap_or(0));
                continue;
            }
            locks.insert(partition, epoch.ok_or(Error::LeaseLost { partition })?);
        }
        match core.database.lost(&me.0, &locks) {
            Some(partition) if !planted!(NoFence) => Err(Error::LeaseLost { partition }),
            _ => Ok(locks),
        }
    }

    fn try_commit(&mut self, batch: &Batch) -> Result<(), Error> {
        let Some(who) = self.who else { return Ok(()) };
        let (locks, delay_ms, fate) = {
            let mut core = self.sim.core();
            self.reach(&core)?;
            let locks = self.locks(&core, batch)?;
            if planted!(SnapshotOfUncommitted) {
                core.keep_uncommitted(batch);
            }
            if core.database.is_full {
                if self.reserve == 0 || core.database.is_shared || self.reserve == RESERVE_COMMITS {
                    return if planted!(FullIsDone) {
                        Ok(())
                    } else {
                        Err(failure(ffi::SQLITE_FULL))
                    };
                }
                self.reserve -= 1;
            }
            let (delay_ms, fate) = core.fate();
            (locks, delay_ms, fate)
        };
        if (delay_ms, fate) == (0, Fate::Done) {
            self.durable_now(who, batch, locks);
            return Ok(());
        }
        let number = {
            let mut core = self.sim.core();
            let number = core.open(who, batch, locks);
            if core.database.is_shared {
                core.plan_in(IDLE_MS_MAX, Event::EndIdle(number));
            }
            number
        };
        if delay_ms > 0 {
            self.wait(delay_ms);
        }
        self.finish(number, fate)
    }

    fn finish(&mut self, number: u64, fate: Fate) -> Result<(), Error> {
        let mut core = self.sim.core();
        let Some(who) = self.who else { return Ok(()) };
        // What a server that crashed had under way ends without it.
        if !core.lives(who) {
            return Err(Error::Unknown);
        }
        // Ended by the database: its client learns that the connection is gone.
        let Some(at) = core.database.open.iter().position(|open| open.number == number) else {
            core.break_connection(who.server);
            return Err(Error::Unknown);
        };
        if let Fate::Unknown(applies, after_ms) = fate {
            core.database.open[at].orphan = Some(applies);
            core.plan_in(after_ms, Event::Resolve(number));
            core.break_connection(who.server);
            return Err(Error::Unknown);
        }
        let open = core.database.open.remove(at);
        match fate {
            Fate::Fails => Err(busy()),
            Fate::Fatal => Err(failure(ffi::SQLITE_IOERR_FSYNC)),
            _ => {
                core.durable(who, &open.batch, &open.locks);
                Ok(())
            }
        }
    }

    fn durable_now(&mut self, who: Who, batch: &Batch, locks: BTreeMap<Partition, u64>) {
        let mut core = self.sim.core();
        if !planted!(LastCommitsLost) {
            core.durable(who, batch, &locks);
            return;
        }
        let number = core.open(who, batch, locks);
        core.plan_in(300, Event::Resolve(number));
        core.database.open.last_mut().unwrap().orphan = Some(true);
    }

    /// Lets the world go on for a while, and as long as this server is frozen.
    fn wait(&self, millis: i64) {
        let Some(who) = self.who else { return };
        let mut until = self.sim.core().now + millis;
        while self.sim.core().lives(who) {
            self.sim.turn(who, Turn::Waits(until));
            pause();
            let core = self.sim.core();
            let frozen_until = core.servers[who.server].frozen_until;
            if frozen_until <= core.now {
                return;
            }
            until = frozen_until;
        }
    }

    fn is_durable(&self, core: &Core, batch: &Batch, lost: &[Partition]) -> bool {
        let kept = |id: &WorkspaceId| !lost.contains(&Partition::of(id));
        if let Some((id, entry)) = batch.entries.iter().find(|(id, _)| kept(id)) {
            let newest = core.database.space(id).map_or(0, |space| space.entries.len());
            return u64::try_from(newest).unwrap() >= entry.sequence;
        }
        match batch.used.iter().find(|((id, _), _)| kept(id)) {
            Some(((id, key), used)) => {
                let stored = core.database.space(id).and_then(|space| space.used.get(key));
                stored.is_some_and(|(_, stored)| stored == used)
            }
            None => true,
        }
    }
}

impl Durable for SimStore {
    fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        let committed = self.try_commit(batch);
        if let (Err(_), Some(who)) = (&committed, self.who) {
            self.sim.core().servers[who.server].has_failed = true;
        }
        committed
    }

    fn workspaces(&self) -> Result<Vec<(WorkspaceId, UnixMillis)>, Error> {
        let made = |database: &Database| {
            let spaces = database.spaces.iter();
            spaces.map(|(id, space)| (id.clone(), space.created_at)).collect()
        };
        self.read(made)
    }

    fn replay(
        &self,
        workspace: &WorkspaceId,
        after: u64,
        apply: &mut dyn FnMut(Entry),
    ) -> Result<u64, Error> {
        self.read(|database| {
            let entries = database.space(workspace).map_or(&[][..], |space| &space.entries[..]);
            let after_at = usize::try_from(after).unwrap();
            for entry in entries.iter().skip(after_at) {
                let skipped = planted!(ReplaySkipsOne) && after > 0 && entry.sequence == after + 2;
                if !skipped {
                    apply(entry.clone());
                }
            }
            u64::try_from(entries.len()).unwrap().max(after)
        })
    }

    fn open_tickets(&self, workspace: &WorkspaceId) -> Result<Vec<TicketRow>, Error> {
        self.read(|database| {
            let rows = database.space(workspace).map(|space| space.rows.values());
            rows.into_iter().flatten().filter(|row| !row.status.is_closed()).cloned().collect()
        })
    }

    fn alarms(&self, _: &WorkspaceId, _: u64, _: u32) -> Result<Vec<Entry>, Error> {
        // Nobody measures in these worlds.
        Ok(Vec::new())
    }

    fn used(&self, key: &Key<String>, since: UnixMillis) -> Result<Option<Used>, Error> {
        let who = self.who;
        self.read(|database| {
            let (by, used) = database.space(&key.0)?.used.get(&key.1)?;
            let forgotten = planted!(KeyForgottenAtRestart) && who != Some(*by);
            (used.at >= since && !forgotten).then(|| used.clone())
        })
    }

    fn forget_used(&mut self, before: UnixMillis, _: u32) -> Result<u64, Error> {
        let mut core = self.sim.core();
        self.reach(&core)?;
        for space in core.database.spaces.values_mut() {
            if planted!(KeyForgottenEarly) {
                space.used.clear();
            }
            space.used.retain(|_, (_, used)| used.at >= before);
        }
        Ok(0)
    }

    fn state_before(
        &self,
        workspace: &WorkspaceId,
        before: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, Error> {
        self.read(|database| database.space(workspace)?.state_before(before))
    }

    fn keep(&mut self, part: &StatePart) -> Result<(), Error> {
        let mut core = self.sim.core();
        self.reach(&core)?;
        let partition = Partition::of(&part.workspace);
        if let Some(me) = &self.me {
            let epoch = self.epochs.get(&partition).ok_or(Error::LeaseLost { partition })?;
            if core.database.lost(&me.0, &BTreeMap::from([(partition, *epoch)])).is_some() {
                return Err(Error::LeaseLost { partition });
            }
        }
        core.database.spaces.entry(part.workspace.clone()).or_default().keep(part);
        Ok(())
    }

    fn give_up_reserve(&mut self) -> u64 {
        let held = self.reserve == RESERVE_COMMITS && !self.sim.core().database.is_shared;
        if held {
            self.reserve -= 1;
        }
        // Room is counted in commits here.
        if held { u64::MAX } else { 0 }
    }

    fn regain_reserve(&mut self) -> bool {
        if planted!(FullForEver) {
            return false;
        }
        let database = &self.sim.core().database;
        if database.is_shared || !database.is_full {
            self.reserve = RESERVE_COMMITS;
        }
        self.reserve == RESERVE_COMMITS
    }

    fn hold(&mut self, me: &ReplicaId, lease: Lease) {
        self.me = Some(me.clone());
        self.epochs.insert(lease.partition, lease.epoch);
    }

    fn release(&mut self, partition: Partition) -> Result<(), Error> {
        self.epochs.remove(&partition);
        let Some(me) = &self.me else { return Ok(()) };
        let mut core = self.sim.core();
        self.reach(&core)?;
        if let Some((holder, _)) = core.database.leases.get_mut(&partition)
            && *holder == me.0
        {
            holder.clear();
        }
        Ok(())
    }

    fn pause(&self, time: Duration) {
        self.wait(i64::try_from(time.as_millis()).unwrap());
    }

    fn recover(&mut self, batch: &Batch) -> Result<Recovered, Error> {
        let Some(who) = self.who else { return Err(Error::Unknown) };
        loop {
            let mut core = self.sim.core();
            if self.is_dead(&core) || core.database.is_down || core.fails_to_connect() {
                return Err(Error::Unknown);
            }
            let waits = core.database.open.iter().any(|open: &Open| open.who == who);
            if !waits || planted!(EpochNotMovedOn) {
                break;
            }
            drop(core);
            self.wait(20);
        }
        let mut core = self.sim.core();
        if self.is_dead(&core) {
            return Err(Error::Unknown);
        }
        self.connection.set(core.servers[who.server].connection);
        let me = who.id().0;
        let (mut lost, held) = (Vec::new(), std::mem::take(&mut self.epochs));
        for (partition, epoch) in held {
            match core.database.leases.get_mut(&partition) {
                Some((holder, at)) if *holder == me && *at == epoch => {
                    *at += u64::from(!planted!(EpochNotMovedOn));
                    self.epochs.insert(partition, *at);
                }
                _ => lost.push(partition),
            }
        }
        let durable = self.is_durable(&core, batch, &lost);
        let durable = (durable || planted!(UnknownIsDone)) && !planted!(UnknownIsFailed);
        Ok(Recovered { durable, lost })
    }
}

impl Core {
    /// Begins a transaction.
    fn open(&mut self, who: Who, batch: &Batch, locks: BTreeMap<Partition, u64>) -> u64 {
        self.database.opened += 1;
        let number = self.database.opened;
        self.database.open.push(Open { number, who, locks, batch: copied(batch), orphan: None });
        number
    }

    /// Makes a batch durable, and checks it.
    pub(super) fn durable(&mut self, who: Who, batch: &Batch, locks: &BTreeMap<Partition, u64>) {
        let is_shared = self.database.is_shared;
        let lost = is_shared.then(|| self.database.lost(&who.id().0, locks)).flatten();
        self.checks.before(&self.database, (who, lost), batch);
        self.database.write(who, batch);
        self.checks.after(&self.database, batch, &mut self.ops);
        if self.is_verbose {
            for (id, entry) in &batch.entries {
                let (at, event) = (entry.at.0, &entry.event);
                self.say(format!("{who:?} {id} {} at {at}: {event:?}", entry.sequence));
            }
        }
    }
}

fn busy() -> Error {
    failure(ffi::SQLITE_BUSY)
}

fn failure(code: std::ffi::c_int) -> Error {
    Error::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
}
