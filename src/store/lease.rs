//! Who writes for which workspaces, where many servers share a database.
//!
//! Workspaces are spread over partitions. Each has one holder at a time and an epoch that grows with every
//! change of holder. A commit locks the lease it relies on, and a take-over changes that row: so a take-over
//! waits for the commits under way, and a commit after it finds that the lease is gone. No clock has a part
//! in that. Clocks only say when a server that fell silent is given up, and that is the database's clock.

use std::{collections::BTreeMap, fmt};

use super::{
    Error, StoreOptions,
    database::{Database, Purpose},
};
use crate::domain::id::WorkspaceId;

/// How many partitions there are. Never changes: it says where a workspace belongs.
pub const PARTITIONS: u32 = 32;
/// How long a server is believed to be there after it last said so.
pub const SILENCE_MS_MAX: u32 = 2_500;
/// After how long a server that fell silent is forgotten.
const GONE_MS: u32 = 3_600_000;
/// The database's clock, in milliseconds.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

/// A part of the workspaces, 0 to [`PARTITIONS`] - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition(pub u32);

impl Partition {
    /// Returns the partition a workspace belongs to.
    #[must_use]
    pub fn of(workspace: &WorkspaceId) -> Self {
        let hash = twox_hash::XxHash3_64::oneshot(workspace.as_str().as_bytes());
        Self(u32::try_from(hash % u64::from(PARTITIONS)).unwrap_or(0))
    }

    /// Returns all partitions.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self)
    }
}

/// A lease this server holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of which partition.
    pub partition: Partition,
    /// The how many-th holder this is.
    pub epoch: u64,
}

/// The name of a server among those that share a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaId(pub String);

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server that is believed to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its name.
    pub id: ReplicaId,
    /// Where it answers its peers, as `host:port`.
    pub address: String,
    /// Whether it has a model that reads for others too.
    pub reads: bool,
    /// Whether it is about to stop, and takes nothing more.
    pub draining: bool,
}

/// Who is there and who holds what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The servers, by name.
    pub replicas: Vec<Replica>,
    /// The holder of each partition, there or not; partitions without one are absent.
    pub holders: BTreeMap<Partition, ReplicaId>,
}

/// One server's place among those that share a database.
pub struct Membership {
    database: Database,
    options: StoreOptions,
    me: Replica,
}

impl Membership {
    /// Joins the servers that share a database.
    ///
    /// # Errors
    /// What the database says.
    pub fn join(options: &StoreOptions, me: Replica) -> Result<Self, Error> {
        let database = options.reader()?;
        let forget = format!("DELETE FROM replica WHERE expires_at < {NOW} - {GONE_MS}");
        database.execute(&forget, &[])?;
        Ok(Self { database, options: options.clone(), me })
    }

    /// Says that this server is there, and returns who is.
    ///
    /// # Errors
    /// What the database says; the next call connects again.
    pub fn beat(&mut self, draining: bool) -> Result<View, Error> {
        self.me.draining = draining;
        if !self.database.is_usable() {
            self.database = self.options.reader()?;
        }
        let Self { database, me, .. } = self;
        let beat = format!(
            "INSERT INTO replica (id, address, reads, draining, expires_at)
             VALUES (?1, ?2, ?3, ?4, {NOW} + {SILENCE_MS_MAX})
             ON CONFLICT (id) DO UPDATE SET
                 draining = excluded.draining, expires_at = excluded.expires_at"
        );
        let (id, address) = (me.id.0.as_str().into(), me.address.as_str().into());
        let values = [id, address, me.reads.into(), draining.into()];
        database.execute(&beat, &values)?;
        let query = format!(
            "SELECT id, address, reads, draining FROM replica WHERE expires_at > {NOW} ORDER BY id"
        );
        let replicas = database.all(&query, &[], |row| {
            let (id, address) = (ReplicaId(row.required_text(0)?), row.required_text(1)?);
            let [reads, draining] = [row.required_integer(2)? != 0, row.required_integer(3)? != 0];
            Ok(Replica { id, address, reads, draining })
        })?;
        let query = "SELECT partition, holder FROM lease WHERE holder <> ''";
        let holders = database.all(query, &[], |row| {
            let partition = u32::try_from(row.required_integer(0)?);
            let partition = partition.map_err(|_| Error::unexpected("a partition"))?;
            Ok((Partition(partition), ReplicaId(row.required_text(1)?)))
        })?;
        Ok(View { replicas, holders: holders.into_iter().collect() })
    }

    /// Takes over a partition from a holder that is gone, that nobody holds, or whose lease this server
    /// could no longer rely on; `None` when another server was faster, or the holder is back. Waits for the
    /// commits under way that rely on the old lease.
    ///
    /// # Errors
    /// What the database says.
    pub fn take(
        &self,
        partition: Partition,
        from: Option<&ReplicaId>,
    ) -> Result<Option<Lease>, Error> {
        let from = from.map_or("", |holder| &holder.0);
        let make = "INSERT INTO lease (partition, holder, epoch) VALUES (?1, '', 0)
             ON CONFLICT (partition) DO NOTHING";
        self.database.execute(make, &[partition.0.into()])?;
        let take = format!(
            "UPDATE lease SET holder = ?1, epoch = epoch + 1
             WHERE partition = ?2 AND holder = ?3 AND (holder = ?1 OR NOT EXISTS
                 (SELECT 1 FROM replica WHERE id = ?3 AND expires_at > {NOW}))
             RETURNING epoch"
        );
        let values = [self.me.id.0.as_str().into(), partition.0.into(), from.into()];
        let epoch = self.database.first(&take, &values, |row| row.required_integer(0))?;
        let epoch = epoch.and_then(|epoch| u64::try_from(epoch).ok());
        Ok(epoch.map(|epoch| Lease { partition, epoch }))
    }

    /// Says that this server is gone, so that nobody has to wait until it is given up.
    ///
    /// # Errors
    /// What the database says.
    pub fn leave(&self) -> Result<(), Error> {
        let leave = "DELETE FROM replica WHERE id = ?1";
        self.database.execute(leave, &[self.me.id.0.as_str().into()])?;
        Ok(())
    }
}

/// The leases a writer relies on.
#[derive(Default)]
pub(super) struct Held {
    me: Option<ReplicaId>,
    epochs: BTreeMap<Partition, u64>,
}

impl Held {
    /// Relies on a lease from now on.
    pub(super) fn add(&mut self, me: &ReplicaId, lease: Lease) {
        self.me = Some(me.clone());
        self.epochs.insert(lease.partition, lease.epoch);
    }

    /// No longer relies on the lease of a partition, and lets others have it.
    pub(super) fn release(
        &mut self,
        database: &Database,
        partition: Partition,
    ) -> Result<(), Error> {
        self.epochs.remove(&partition);
        let Some(me) = &self.me else { return Ok(()) };
        // Whatever the epoch: one that could not be given back before is given back now.
        let release = "UPDATE lease SET holder = '' WHERE partition = ?1 AND holder = ?2";
        database.execute(release, &[partition.0.into(), me.0.as_str().into()])?;
        Ok(())
    }

    /// Locks, within a transaction, the leases it relies on for some partitions.
    pub(super) fn lock(
        &self,
        database: &Database,
        partitions: impl Iterator<Item = Partition>,
    ) -> Result<(), Error> {
        let Some(me) = &self.me else { return Ok(()) };
        let query = "SELECT epoch FROM lease
             WHERE partition = ?1 AND holder = ?2 AND epoch = ?3 FOR SHARE";
        for partition in partitions {
            let epoch = self.epochs.get(&partition).ok_or(Error::LeaseLost { partition })?;
            let values = [partition.0.into(), me.0.as_str().into(), (*epoch).into()];
            if database.first(query, &values, |_| Ok(()))?.is_none() {
                return Err(Error::LeaseLost { partition });
            }
        }
        Ok(())
    }

    /// After a connection was lost: waits until what was under way on it has ended, and returns the
    /// partitions that were lost meanwhile.
    pub(super) fn renew(&mut self, database: &Database) -> Result<Vec<Partition>, Error> {
        let Some(me) = self.me.clone() else { return Ok(Vec::new()) };
        let renew = "UPDATE lease SET epoch = epoch + 1
             WHERE partition = ?1 AND holder = ?2 AND epoch = ?3 RETURNING epoch";
        let renewed = database.within(Purpose::Write, |database| {
            let mut renewed = BTreeMap::new();
            for (partition, epoch) in &self.epochs {
                let values = [partition.0.into(), me.0.as_str().into(), (*epoch).into()];
                let newer = database.first(renew, &values, |row| row.required_integer(0))?;
                if let Some(newer) = newer.and_then(|newer| u64::try_from(newer).ok()) {
                    renewed.insert(*partition, newer);
                }
            }
            Ok(renewed)
        })?;
        let lost = self.epochs.keys().filter(|partition| !renewed.contains_key(partition));
        let lost = lost.copied().collect();
        self.epochs = renewed;
        Ok(lost)
    }
}
