//! The writer: makes batches durable and reads the journals at start.

use std::{collections::BTreeSet, fs::File, time::Duration};

use super::{
    Batch, Error, Key, Lease, Partition, Readers, ReplicaId, StatePart, StoreOptions, TicketRow,
    Used, commit, cursors,
    database::{Database, Purpose},
    history,
    journal::{self, Subject},
    lease::Held,
    records::Record,
    reserve::Reserve,
    states, tickets,
};
use crate::domain::{event::Entry, id::WorkspaceId, time::UnixMillis};

/// What the engine needs of a store.
pub trait Durable: Send {
    /// Makes a batch durable, all of it or nothing.
    ///
    /// # Errors
    /// Nothing of the batch is kept, unless [`Error::is_fatal`] or [`Error::is_unknown`].
    fn commit(&mut self, batch: &Batch) -> Result<(), Error>;

    /// Returns the workspaces and when they were made.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the database says.
    fn workspaces(&self) -> Result<Vec<(WorkspaceId, UnixMillis)>, Error>;

    /// Reads a journal after an entry, oldest first, and returns the number of its newest entry.
    ///
    /// # Errors
    /// [`Error::Gap`] and [`Error::Damaged`] name the entry at fault.
    fn replay(
        &self,
        workspace: &WorkspaceId,
        after: u64,
        apply: &mut dyn FnMut(Entry),
    ) -> Result<u64, Error>;

    /// Returns the rows of the tickets that are neither completed nor cancelled.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the database says.
    fn open_tickets(&self, workspace: &WorkspaceId) -> Result<Vec<TicketRow>, Error>;

    /// Returns at most `limit` entries that raise or acknowledge alarms after an entry, oldest first.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the database says.
    fn alarms(&self, workspace: &WorkspaceId, after: u64, limit: u32) -> Result<Vec<Entry>, Error>;

    /// Returns the use of an idempotency key at or after `since`.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the database says.
    fn used(&self, key: &Key<String>, since: UnixMillis) -> Result<Option<Used>, Error>;

    /// Forgets idempotency keys used before a time, at most `limit` of them, and returns how many.
    ///
    /// # Errors
    /// What the database says.
    fn forget_used(&mut self, before: UnixMillis, limit: u32) -> Result<u64, Error>;

    /// Returns the newest whole snapshot of an entry before `before`, and the number of that entry.
    ///
    /// # Errors
    /// What the database says.
    fn state_before(
        &self,
        workspace: &WorkspaceId,
        before: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, Error>;

    /// Keeps a part of a snapshot; with the last one, older snapshots go but for one.
    ///
    /// # Errors
    /// What the database says; nothing is kept then.
    fn keep(&mut self, part: &StatePart) -> Result<(), Error>;

    /// Gives up the room that is held back for a full disk; returns how many bytes there are now.
    fn give_up_reserve(&mut self) -> u64;

    /// Holds room back again; returns whether there is enough, so that new tickets may come.
    fn regain_reserve(&mut self) -> bool;

    /// Relies on a lease from now on: commits fail without it.
    fn hold(&mut self, me: &ReplicaId, lease: Lease);

    /// No longer relies on the lease of a partition, and lets others have it.
    ///
    /// # Errors
    /// What the database says; the lease is not relied on any more even so.
    fn release(&mut self, partition: Partition) -> Result<(), Error>;

    /// Waits before something is tried again.
    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Connects again after the connection was lost, waits until what was under way has ended, and tells
    /// what became of it.
    ///
    /// # Errors
    /// What the database says; nothing is known then, and it can be tried again.
    fn recover(&mut self, batch: &Batch) -> Result<Recovered, Error>;
}

/// What became of a commit when the connection was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Whether the batch is durable, as far as it is about partitions that were not lost.
    pub durable: bool,
    /// Partitions another server has taken over meanwhile.
    pub lost: Vec<Partition>,
}

/// The one writer of a data folder, or one of the writers of a database that many share.
pub struct Store {
    database: Database,
    options: StoreOptions,
    readers: Readers,
    held: Held,
    /// Only in a folder.
    reserve: Option<Reserve>,
    /// Locked as long as this store lives; declared last, so that it is dropped last.
    _lock: Option<File>,
}

impl Store {
    /// Opens the database; makes folder, file and tables when they are missing.
    ///
    /// # Errors
    /// [`Error::InUse`] while another server has the folder, [`Error::Newer`] when a newer program wrote
    /// it, [`Error::NotOurs`] when it is something else, [`Error::UnsafeSetting`] when the database server
    /// may lose what it says it has, or what the file system and the database say.
    pub fn open(options: &StoreOptions) -> Result<Self, Error> {
        let (database, lock) = options.writer()?;
        let readers = Readers::new(options.clone());
        let reserve = match options {
            StoreOptions::Folder(folder) => Some(Reserve::new(folder)),
            StoreOptions::Postgres(_) => None,
        };
        let (options, held) = (options.clone(), Held::default());
        Ok(Self { database, options, readers, held, reserve, _lock: lock })
    }

    /// Returns connections that read beside this writer.
    #[must_use]
    pub fn readers(&self) -> Readers {
        self.readers.clone()
    }

    fn is_durable(&self, batch: &Batch, lost: &[Partition]) -> Result<bool, Error> {
        let query = "SELECT sequence FROM journal WHERE workspace = ?1 AND sequence = ?2";
        let kept = |(id, _): &&(WorkspaceId, Entry)| !lost.contains(&Partition::of(id));
        // All or nothing: any one of its rows tells. A batch of keys or cursors alone has nothing else to tell by.
        if let Some((id, entry)) = batch.entries.iter().find(kept) {
            let values = [id.as_str().into(), entry.sequence.into()];
            return Ok(self.database.first(query, &values, |_| Ok(()))?.is_some());
        }
        if let Some((key, used)) =
            batch.used.iter().find(|((id, _), _)| !lost.contains(&Partition::of(id)))
        {
            return Ok(self.used(key, used.at)?.as_ref() == Some(used));
        }
        match batch.cursors.iter().find(|((id, _), _)| !lost.contains(&Partition::of(id))) {
            Some(((id, sink), sequence)) => cursors::is_at(&self.database, id, sink, *sequence),
            None => Ok(true),
        }
    }
}

impl Durable for Store {
    fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        let entries = batch.entries.iter().map(|(id, _)| id);
        let keys = batch.used.keys().chain(batch.cursors.keys()).map(|(id, _)| id);
        let workspaces = entries.chain(keys);
        let partitions: BTreeSet<Partition> = workspaces.map(Partition::of).collect();
        self.database.within(Purpose::Write, |database| {
            self.held.lock(database, partitions.into_iter())?;
            commit::write(database, batch)
        })
    }

    fn workspaces(&self) -> Result<Vec<(WorkspaceId, UnixMillis)>, Error> {
        let query = "SELECT id, created_at FROM workspace ORDER BY id";
        self.database.all(query, &[], |row| {
            let id = row.required_text(0)?;
            let id = WorkspaceId::new(id).map_err(|_| Error::unexpected("a workspace's name"))?;
            Ok((id, UnixMillis(row.required_integer(1)?)))
        })
    }

    fn replay(
        &self,
        workspace: &WorkspaceId,
        after: u64,
        apply: &mut dyn FnMut(Entry),
    ) -> Result<u64, Error> {
        history::replay(&self.database, workspace, after, apply)
    }

    fn open_tickets(&self, workspace: &WorkspaceId) -> Result<Vec<TicketRow>, Error> {
        tickets::open_rows(&self.database, workspace)
    }

    fn alarms(&self, workspace: &WorkspaceId, after: u64, limit: u32) -> Result<Vec<Entry>, Error> {
        journal::entries(&self.database, workspace, &Subject::Alarms, after, limit)
    }

    fn used(&self, key: &Key<String>, since: UnixMillis) -> Result<Option<Used>, Error> {
        let (workspace, text) = key;
        let query = "SELECT sequence, at, ticket, fingerprint FROM idempotency
             WHERE workspace = ?1 AND key = ?2 AND at >= ?3";
        let values = [workspace.as_str().into(), text.as_str().into(), since.0.into()];
        self.database.first(query, &values, |row| {
            let record = Record::new("idempotency", workspace, row)?;
            let fingerprint = record.bytes(3)?.as_ref().try_into();
            Ok(Used {
                fingerprint: fingerprint.map_err(|_| record.damaged("the fingerprint"))?,
                ticket: record.identifier(2)?,
                sequence: record.unsigned(0)?,
                at: UnixMillis(record.integer(1)?),
            })
        })
    }

    fn forget_used(&mut self, before: UnixMillis, limit: u32) -> Result<u64, Error> {
        let statement = "DELETE FROM idempotency WHERE (workspace, key) IN
             (SELECT workspace, key FROM idempotency WHERE at < ?1 ORDER BY at LIMIT ?2)";
        self.database.execute(statement, &[before.0.into(), limit.into()])
    }
    fn state_before(
        &self,
        workspace: &WorkspaceId,
        before: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, Error> {
        states::state_before(&self.database, workspace, before)
    }

    fn keep(&mut self, part: &StatePart) -> Result<(), Error> {
        self.database.within(Purpose::Write, |database| {
            self.held.lock(database, std::iter::once(Partition::of(&part.workspace)))?;
            states::write(database, part)
        })
    }

    fn give_up_reserve(&mut self) -> u64 {
        self.reserve.as_mut().map_or(0, Reserve::give_up)
    }

    fn regain_reserve(&mut self) -> bool {
        // The disk of a database server is not ours: whether there is room is seen by trying.
        self.reserve.as_mut().is_none_or(Reserve::regain)
    }

    fn hold(&mut self, me: &ReplicaId, lease: Lease) {
        self.held.add(me, lease);
    }

    fn release(&mut self, partition: Partition) -> Result<(), Error> {
        self.held.release(&self.database, partition)
    }

    fn recover(&mut self, batch: &Batch) -> Result<Recovered, Error> {
        self.database = self.options.writer_again()?;
        let lost = self.held.renew(&self.database)?;
        let durable = self.is_durable(batch, &lost)?;
        Ok(Recovered { durable, lost })
    }
}
