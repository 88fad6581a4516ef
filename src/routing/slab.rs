//! Numbered slots: names are looked up once, everything else goes by number.
//!
//! Both grow in small pieces, so that no single input pays for moving a million tickets.

use std::{
    hash::{BuildHasherDefault, DefaultHasher, Hash},
    marker::PhantomData,
    sync::Arc,
};

use crate::domain::limits::SHARED_MAX;

/// Slots that are made at once.
const CHUNK: usize = 1024;
/// Parts of an index; each grows alone.
const SHARDS: usize = 256;

/// The number of a slot.
pub(super) trait Number: Copy {
    /// Returns the number for an index.
    fn new(index: u32) -> Self;
    /// Returns the index of a number.
    fn index(self) -> usize;
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) struct $name(u32);

        impl Number for $name {
            fn new(index: u32) -> Self {
                Self(index)
            }

            fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

number!(
    /// Numbers an open ticket; used again once the ticket is closed.
    TicketKey
);
number!(
    /// Numbers an agent; used again once the agent is deleted.
    AgentKey
);
number!(
    /// Numbers a class of tickets with equal needs.
    ClassKey
);
number!(
    /// Numbers a ladder of classes.
    LadderKey
);

impl AgentKey {
    /// Draws a number from a seed and the agent: evenly spread, and the same in every replay
    /// (the output function of SplitMix64; Steele, Lea and Flood 2014).
    pub(super) fn draw(self, seed: u64) -> u64 {
        let mut mixed = seed.wrapping_add(u64::from(self.0).wrapping_mul(0xD1B5_4A32_D192_ED03));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Values by number. A number that is free again is given out before a new one.
#[derive(Clone, Debug)]
pub(super) struct Slab<K, T> {
    chunks: Vec<Vec<Option<T>>>,
    vacant: Vec<u32>,
    made: u32,
    keys: PhantomData<K>,
}

impl<K, T> Default for Slab<K, T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), vacant: Vec::new(), made: 0, keys: PhantomData }
    }
}

impl<K: Number, T> Slab<K, T> {
    /// Puts a value in and returns its number.
    pub(super) fn insert(&mut self, value: T) -> K {
        let index = self.vacant.pop().unwrap_or_else(|| {
            if self.made as usize == self.chunks.len() * CHUNK {
                self.chunks.push(Vec::with_capacity(CHUNK));
            }
            if let Some(last) = self.chunks.last_mut() {
                last.push(None);
            }
            self.made += 1;
            self.made - 1
        });
        let key = K::new(index);
        if let Some(slot) = self.slot(key) {
            *slot = Some(value);
        }
        key
    }

    fn slot(&mut self, key: K) -> Option<&mut Option<T>> {
        self.chunks.get_mut(key.index() / CHUNK)?.get_mut(key.index() % CHUNK)
    }

    pub(super) fn get(&self, key: K) -> Option<&T> {
        self.chunks.get(key.index() / CHUNK)?.get(key.index() % CHUNK)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.slot(key)?.as_mut()
    }

    pub(super) fn remove(&mut self, key: K) -> Option<T> {
        let value = self.slot(key)?.take()?;
        self.vacant.push(u32::try_from(key.index()).unwrap_or(u32::MAX));
        Some(value)
    }

    pub(super) fn len(&self) -> usize {
        self.made as usize - self.vacant.len()
    }

    /// Returns the numbers that are free; the last is given out first.
    pub(super) fn vacant(&self) -> &[u32] {
        &self.vacant
    }

    /// Makes a slab in which the `vacant` of `made` numbers are free, each once. The others get what
    /// `next` returns, by ascending number.
    ///
    /// # Errors
    /// Those of `next`.
    pub(super) fn restored<E>(
        made: u32,
        vacant: Vec<u32>,
        mut next: impl FnMut(K) -> Result<T, E>,
    ) -> Result<Self, E> {
        let mut free = vacant.clone();
        free.sort_unstable();
        let mut free = free.into_iter().peekable();
        let mut chunks: Vec<Vec<Option<T>>> = Vec::new();
        for index in 0..made {
            if index as usize == chunks.len() * CHUNK {
                chunks.push(Vec::with_capacity(CHUNK));
            }
            let is_free = free.next_if_eq(&index).is_some();
            let slot = if is_free { None } else { Some(next(K::new(index))?) };
            if let Some(last) = chunks.last_mut() {
                last.push(slot);
            }
        }
        Ok(Self { chunks, vacant, made, keys: PhantomData })
    }

    /// Returns the values by ascending number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        let slots = self.chunks.iter().flatten().zip(0u32..);
        slots.filter_map(|(slot, index)| Some((K::new(index), slot.as_ref()?)))
    }

    pub(super) fn keys(&self) -> Vec<K> {
        self.iter().map(|(key, _)| key).collect()
    }
}

#[expect(clippy::disallowed_types, reason = "looked up, never walked: its order is never seen")]
type Shard<N, K> = std::collections::HashMap<N, K, BuildHasherDefault<DefaultHasher>>;

/// Values that many share. It forgets what it knows when it knows too many different ones.
#[derive(Clone, Debug)]
pub(super) struct Pool<T>(Lookup<Arc<T>, Arc<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Lookup::default())
    }
}

impl<T: Hash + Eq> Pool<T> {
    /// Returns the value that all share who have an equal one.
    pub(super) fn shared(&mut self, value: &Arc<T>) -> Arc<T> {
        if let Some(shared) = self.0.get(value) {
            return shared.clone();
        }
        if self.0.len() >= SHARED_MAX {
            self.0.clear();
        }
        self.0.insert(value.clone(), value.clone());
        value.clone()
    }
}

/// Values that are looked up by what they are for. It grows in one piece: for thousands, not millions.
#[derive(Clone, Debug)]
pub(super) struct Lookup<K, V>(Shard<K, V>);

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(Shard::default())
    }
}

impl<K: Hash + Eq, V> Lookup<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.0.remove(key);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Numbers by name.
#[derive(Clone, Debug)]
pub(super) struct Index<N, K>(Vec<Shard<N, K>>);

impl<N, K> Default for Index<N, K> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Shard::default()).collect())
    }
}

impl<N: AsRef<str> + Hash + Eq, K: Copy> Index<N, K> {
    /// The last characters differ most, in numbers as in identifiers that begin with the time.
    fn shard(name: &N) -> usize {
        let tail = name.as_ref().bytes().rev().take(4);
        tail.fold(0, |sum, byte| sum * 17 + usize::from(byte)) % SHARDS
    }

    pub(super) fn get(&self, name: &N) -> Option<K> {
        self.0.get(Self::shard(name))?.get(name).copied()
    }

    /// Returns the number the name had before.
    pub(super) fn insert(&mut self, name: N, key: K) -> Option<K> {
        self.0.get_mut(Self::shard(&name))?.insert(name, key)
    }

    pub(super) fn remove(&mut self, name: &N) -> Option<K> {
        self.0.get_mut(Self::shard(name))?.remove(name)
    }
}
