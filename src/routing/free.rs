//! The agents who could take a ticket of one class right now, best first.
//!
//! Idle time grows with the free share of an agent's capacity. Among agents with the same share the
//! order by idle time never changes while time passes, so each share has its own sorted set, and the
//! best of all is the best of the first ones.

use std::{
    cmp::{Ordering, Reverse},
    collections::BTreeSet,
};

use super::slab::AgentKey;
use crate::domain::time::UnixMillis;

/// Agents whose order does not depend on the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    /// Preferred skills that are missing.
    pub(super) preferred_missing: u32,
    /// Free units of capacity, when idle time counts.
    pub(super) free: u32,
    /// All units of capacity; at least 1.
    pub(super) of: u32,
}

/// The place of an agent in a bucket; smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FreeKey {
    /// Less what the policy prefers: for idle time the part that does not depend on the time.
    pub(super) order: i128,
    /// Proficiency above what is needed.
    pub(super) surplus: Reverse<u32>,
    /// When the agent last had a ticket taken away or ended.
    pub(super) since: UnixMillis,
    /// Who was added first.
    pub(super) agent: AgentKey,
}

/// How good an agent is for a ticket at one moment; smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) bucket: Bucket,
    pub(super) key: FreeKey,
    now_ms: i128,
}

impl Standing {
    pub(super) fn new(bucket: Bucket, key: FreeKey, now: UnixMillis) -> Self {
        Self { bucket, key, now_ms: i128::from(now.0) }
    }

    /// Microseconds idle times the capacity, negated: smaller is longer idle.
    fn scaled(&self) -> i128 {
        self.key.order - self.now_ms * 1000 * i128::from(self.bucket.free)
    }
}

impl PartialOrd for Standing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Standing {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_preference = self.bucket.preferred_missing.cmp(&other.bucket.preferred_missing);
        let (mine, theirs) = (self.scaled(), other.scaled());
        let by_order = || {
            let mine = mine * i128::from(other.bucket.of);
            mine.cmp(&(theirs * i128::from(self.bucket.of)))
        };
        by_preference
            .then_with(by_order)
            .then_with(|| self.key.surplus.cmp(&other.key.surplus))
            .then_with(|| self.key.since.cmp(&other.key.since))
            .then_with(|| self.key.agent.cmp(&other.key.agent))
    }
}

/// The agents who could take a ticket of one class.
#[derive(Clone, Debug, Default)]
pub(super) struct FreeSet {
    buckets: Vec<(Bucket, BTreeSet<FreeKey>)>,
    len: usize,
}

impl FreeSet {
    pub(super) fn insert(&mut self, bucket: Bucket, key: FreeKey) {
        let at = match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => at,
            Err(at) => {
                self.buckets.insert(at, (bucket, BTreeSet::new()));
                at
            }
        };
        if self.buckets.get_mut(at).is_some_and(|(_, agents)| agents.insert(key)) {
            self.len += 1;
        }
    }

    pub(super) fn remove(&mut self, bucket: Bucket, key: &FreeKey) {
        let Ok(at) = self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) else {
            return;
        };
        let Some((_, agents)) = self.buckets.get_mut(at) else { return };
        if agents.remove(key) {
            self.len -= 1;
        }
        if agents.is_empty() {
            self.buckets.remove(at);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the agents in no order of use, with their standing at `now`.
    pub(super) fn all(&self, now: UnixMillis) -> impl Iterator<Item = Standing> {
        self.buckets.iter().flat_map(move |(bucket, agents)| {
            agents.iter().map(move |key| Standing::new(*bucket, *key, now))
        })
    }

    /// Returns the agents best first, at a cost for each that grows with the number of buckets only.
    pub(super) fn best_first(&self, now: UnixMillis) -> impl Iterator<Item = Standing> {
        let mut heads: Vec<_> = self
            .buckets
            .iter()
            .map(|(bucket, agents)| (*bucket, agents.iter().peekable()))
            .collect();
        std::iter::from_fn(move || {
            let standing = |(bucket, agents): &mut (Bucket, std::iter::Peekable<_>)| {
                agents.peek().map(|key: &&FreeKey| Standing::new(*bucket, **key, now))
            };
            let (at, best) = heads
                .iter_mut()
                .enumerate()
                .filter_map(|(at, head)| Some((at, standing(head)?)))
                .min_by_key(|(_, standing)| *standing)?;
            heads.get_mut(at)?.1.next();
            Some(best)
        })
    }
}
