//! Many small entries, each found by its key or by its number.
//!
//! An index of hashes and numbers, and entries in chunks: no pointer per entry, no copy of the whole
//! when it grows, and a number ([`Slot`]) stays valid as long as its entry is there. A chunk that has
//! become empty is given back. Beside the entries themselves that is some ten octets each, whatever
//! their number; a hash table that holds entries leaves a third of its places free on average, and
//! so does an ordered tree.
//!
//! Prefixes with their paths stand in such tables ([`crate::rib`]), and what EVPN knows of stations.
//! Nothing here knows what the entries mean, and nothing is in any order.

mod index;

use std::hash::{BuildHasher, Hash};

pub(crate) use index::Index;

/// Number of an entry in its table.
pub type Slot = u32;

const CHUNK: u32 = 1024;

/// What can stand in a [`Packed`] table.
pub trait Keyed {
    /// What it is found by.
    type Key: Eq + Hash;

    /// Its own one, which does not change as long as it is in a table.
    fn key(&self) -> &Self::Key;
}

impl<K: Eq + Hash, V> Keyed for (K, V) {
    type Key = K;

    fn key(&self) -> &K {
        &self.0
    }
}

/// Entries, one for each key.
#[derive(Debug)]
pub struct Packed<E> {
    index: Index,
    chunks: Vec<Chunk<E>>,
    /// Chunks that may have a free place, most recently freed last.
    open: Vec<u32>,
    /// What was looked for last.
    last: Slot,
    hasher: foldhash::fast::SeedableRandomState,
}

#[derive(Debug)]
struct Chunk<E> {
    entries: Vec<Option<E>>,
    free: Vec<u16>,
    listed: bool,
}

impl<E: Keyed> Packed<E> {
    /// Without an entry. `seed` makes collisions unpredictable for those who choose the keys.
    pub fn new(seed: u64) -> Self {
        Self {
            index: Index::default(),
            chunks: Vec::new(),
            open: Vec::new(),
            last: 0,
            hasher: foldhash::fast::SeedableRandomState::with_seed(
                seed,
                foldhash::SharedSeed::global_fixed(),
            ),
        }
    }

    /// Memory it takes, without what entries point to.
    pub fn octets(&self) -> usize {
        let chunk = |chunk: &Chunk<E>| {
            let places = chunk.entries.capacity() * size_of::<Option<E>>();
            places + chunk.free.capacity() * size_of::<u16>() + size_of::<Chunk<E>>()
        };
        self.index.octets() + self.chunks.iter().map(chunk).sum::<usize>()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True without an entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of a key.
    pub fn find(&self, key: &E::Key) -> Option<Slot> {
        self.find_hashed(self.hash(key), key)
    }

    /// The entry of a key.
    pub fn get(&self, key: &E::Key) -> Option<&E> {
        self.at(self.find(key)?)
    }

    /// The entry of a key. Its key stays as it is.
    pub fn get_mut(&mut self, key: &E::Key) -> Option<&mut E> {
        self.at_mut(self.find(key)?)
    }

    /// The entry in a slot.
    pub fn at(&self, slot: Slot) -> Option<&E> {
        let chunk = self.chunks.get((slot / CHUNK) as usize)?;
        chunk.entries.get((slot % CHUNK) as usize)?.as_ref()
    }

    /// The entry in a slot. Its key stays as it is.
    pub fn at_mut(&mut self, slot: Slot) -> Option<&mut E> {
        let chunk = self.chunks.get_mut((slot / CHUNK) as usize)?;
        chunk.entries.get_mut((slot % CHUNK) as usize)?.as_mut()
    }

    /// The slot of the key, with a new entry if there was none.
    pub fn find_or_insert(&mut self, key: &E::Key, new: impl FnOnce() -> E) -> Slot {
        if let Some(slot) = self.behind(self.last, key) {
            self.last = slot;
            return slot;
        }
        let hash = self.hash(key);
        let slot = self.find_hashed(hash, key).unwrap_or_else(|| {
            let slot = self.place(new());
            self.index.insert(hash, slot);
            slot
        });
        self.last = slot;
        slot
    }

    /// The slot of a key, in a row of keys that are looked for.
    pub fn seek(&mut self, key: &E::Key) -> Option<Slot> {
        let slot = self.behind(self.last, key).or_else(|| self.find(key))?;
        self.last = slot;
        Some(slot)
    }

    /// The slot that was looked for last, by [`Packed::seek`] or [`Packed::find_or_insert`].
    pub(crate) fn last(&self) -> Slot {
        self.last
    }

    /// The slot behind this one, if it has the key. Keys come again and again in the order in which
    /// they came first, from the same neighbour and from others, and slots are given out in that
    /// order: a look there spares the search in the index, which is anywhere in memory (a quarter of what
    /// a path from one of ten neighbours costs).
    pub(crate) fn behind(&self, slot: Slot, key: &E::Key) -> Option<Slot> {
        let next = slot.wrapping_add(1);
        (self.at(next)?.key() == key).then_some(next)
    }

    /// Takes an entry out; its slot may be given to another one.
    pub fn remove(&mut self, slot: Slot) -> Option<E> {
        let hash = self.hash(self.at(slot)?.key());
        self.index.remove(hash, slot);
        let number = slot / CHUNK;
        let chunk = self.chunks.get_mut(number as usize)?;
        let place = chunk.entries.get_mut((slot % CHUNK) as usize);
        let entry = place.and_then(Option::take);
        // CHUNK fits 16 bits.
        chunk
            .free
            .push(u16::try_from(slot % CHUNK).unwrap_or(u16::MAX));
        if chunk.free.len() == chunk.entries.len() {
            chunk.entries = Vec::new();
            chunk.free = Vec::new();
        }
        if !chunk.listed {
            chunk.listed = true;
            self.open.push(number);
        }
        entry
    }

    /// Gives back memory of chunks at the end that are no longer in use.
    pub fn shrink(&mut self) {
        let used = self
            .chunks
            .iter()
            .rposition(|chunk| !chunk.entries.is_empty());
        self.chunks.truncate(used.map_or(0, |last| last + 1));
        self.chunks.shrink_to_fit();
        let count = self.chunks.len();
        self.open.retain(|number| (*number as usize) < count);
        self.open.shrink_to_fit();
    }

    /// Every entry with its slot, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &E)> {
        (0u32..).zip(&self.chunks).flat_map(|(number, chunk)| {
            (0u32..)
                .zip(&chunk.entries)
                .filter_map(move |(at, entry)| Some((number * CHUNK + at, entry.as_ref()?)))
        })
    }

    /// Every entry, in no order. Keys stay as they are.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut E> {
        let chunks = self.chunks.iter_mut();
        chunks.flat_map(|chunk| chunk.entries.iter_mut().flatten())
    }

    /// The index wants half a hash.
    pub(crate) fn hash(&self, key: &E::Key) -> u32 {
        (self.hasher.hash_one(key) >> 32) as u32
    }

    /// What stands where a search for the hash begins, to have it read from memory.
    pub(crate) fn peek(&self, hash: u32) -> u64 {
        self.index.peek(hash)
    }

    /// A slot under this hash, nearly always the one that is meant.
    pub(crate) fn find_any(&self, hash: u32) -> Option<Slot> {
        self.index.find(hash, |_| true)
    }

    fn find_hashed(&self, hash: u32, key: &E::Key) -> Option<Slot> {
        self.index.find(hash, |slot| {
            self.at(slot).is_some_and(|entry| entry.key() == key)
        })
    }

    fn place(&mut self, entry: E) -> Slot {
        while let Some(&number) = self.open.last() {
            let Some(chunk) = self.chunks.get_mut(number as usize) else {
                self.open.pop();
                continue;
            };
            if let Some(at) = chunk.free.pop() {
                if let Some(place) = chunk.entries.get_mut(usize::from(at)) {
                    *place = Some(entry);
                }
                return number * CHUNK + u32::from(at);
            }
            let at = u32::try_from(chunk.entries.len()).unwrap_or(CHUNK);
            if at < CHUNK {
                if chunk.entries.capacity() == 0 && number > 0 {
                    chunk.entries.reserve_exact(CHUNK as usize);
                }
                chunk.entries.push(Some(entry));
                return number * CHUNK + at;
            }
            chunk.listed = false;
            self.open.pop();
        }
        let number = u32::try_from(self.chunks.len()).unwrap_or(u32::MAX);
        // The first chunk grows as needed: many tables stay small.
        let capacity = if number == 0 { 0 } else { CHUNK as usize };
        let mut entries = Vec::with_capacity(capacity);
        entries.push(Some(entry));
        self.chunks.push(Chunk {
            entries,
            free: Vec::new(),
            listed: true,
        });
        self.open.push(number);
        number * CHUNK
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_keep_their_slots(ops in prop::collection::vec((any::<bool>(), 0u32..3000), 0..4000)) {
            let mut table = Packed::new(1);
            let mut model: HashMap<u32, Slot> = HashMap::new();
            for (insert, key) in ops {
                if insert {
                    let slot = table.find_or_insert(&key, || (key, ()));
                    prop_assert_eq!(*model.entry(key).or_insert(slot), slot);
                } else if let Some(slot) = model.remove(&key) {
                    prop_assert_eq!(table.remove(slot), Some((key, ())));
                }
                prop_assert_eq!(table.find(&key), model.get(&key).copied());
                // What stands behind it is found in a row.
                for key in [key, key + 1, key] {
                    prop_assert_eq!(table.seek(&key), model.get(&key).copied());
                }
            }
            prop_assert_eq!(table.len(), model.len());
            for (key, slot) in &model {
                prop_assert_eq!(table.at(*slot), Some(&(*key, ())));
            }
            prop_assert_eq!(table.iter().count(), model.len());
            let all: Vec<_> = model.values().copied().collect();
            for slot in all {
                table.remove(slot);
            }
            prop_assert!(table.chunks.iter().all(|chunk| chunk.entries.capacity() == 0));
        }
    }
}
