//! The table of one family: from a key to its slot, from a slot to its paths.
//!
//! An index of hashes and slot numbers, and entries in chunks: no pointer per prefix, no copy of
//! the whole when it grows, and a slot number stays valid as long as the prefix has a path. A
//! chunk that has become empty is given back.

use std::hash::{BuildHasher, Hash};

use super::index::Index;
use super::path::{Paths, Spare};
use super::slots::Slot;

const CHUNK: u32 = 1024;

/// How many keys are read ahead: enough to keep memory busy, few enough that the first is still at
/// hand when the last has come.
pub(super) const TOGETHER: usize = 64;

/// Prefixes with their paths.
#[derive(Debug)]
pub(super) struct Table<K> {
    index: Index,
    chunks: Vec<Chunk<K>>,
    /// Chunks that may have a free place, most recently freed last.
    open: Vec<u32>,
    spare: Spare,
    hasher: foldhash::fast::SeedableRandomState,
}

#[derive(Debug)]
struct Chunk<K> {
    entries: Vec<Option<Entry<K>>>,
    free: Vec<u16>,
    listed: bool,
}

/// A prefix with its paths.
#[derive(Debug)]
pub(super) struct Entry<K> {
    pub(super) key: K,
    pub(super) paths: Paths,
}

impl<K: Eq + Hash> Table<K> {
    /// `seed` makes collisions unpredictable for those who choose the keys.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            index: Index::default(),
            chunks: Vec::new(),
            open: Vec::new(),
            spare: Spare::default(),
            hasher: foldhash::fast::SeedableRandomState::with_seed(
                seed,
                foldhash::SharedSeed::global_fixed(),
            ),
        }
    }

    /// Memory it takes, without the attributes. Looks at every prefix.
    pub(super) fn octets(&self) -> usize {
        let chunk = |chunk: &Chunk<K>| {
            let places = chunk.entries.capacity() * size_of::<Option<Entry<K>>>();
            let entries = chunk.entries.iter().flatten();
            let beside: usize = entries.map(|entry| entry.paths.octets()).sum();
            places + beside + chunk.free.capacity() * size_of::<u16>() + size_of::<Chunk<K>>()
        };
        self.index.octets() + self.chunks.iter().map(chunk).sum::<usize>()
    }

    /// Number of prefixes.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn find(&self, key: &K) -> Option<Slot> {
        self.find_hashed(self.hash(key), key)
    }

    /// Reads what the table knows of up to [`TOGETHER`] keys, for no result: what follows finds it
    /// at hand. A table is far larger than the processor's own memory, and a key that is looked up,
    /// decided and changed alone waits four times for the one outside; keys that are read
    /// together wait for all of them at once, place by place.
    pub(super) fn touch<'a>(&self, keys: impl Iterator<Item = &'a K>)
    where
        K: 'a,
    {
        let mut hashes = [0; TOGETHER];
        let mut slots = [0; TOGETHER];
        let mut asked = 0;
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = self.hash(key);
            asked += 1;
        }
        let hashes = hashes.get(..asked).unwrap_or_default();
        read(hashes.iter().map(|hash| self.index.peek(*hash)));
        let found = hashes
            .iter()
            .filter_map(|hash| self.index.find(*hash, |_| true));
        let mut known = 0;
        for (place, slot) in slots.iter_mut().zip(found) {
            *place = slot;
            known += 1;
        }
        let slots = slots.get(..known).unwrap_or_default();
        let paths = || {
            slots
                .iter()
                .filter_map(|slot| Some(&self.get(*slot)?.paths))
        };
        read(paths().map(|paths| u64::from(paths.is_empty())));
        read(
            paths()
                .filter_map(|paths| paths.as_slice().last())
                .map(|last| last.path_id.into()),
        );
        let best = paths().filter_map(Paths::best);
        read(best.map(|best| best.attributes.as_path_length().into()));
    }

    fn find_hashed(&self, hash: u32, key: &K) -> Option<Slot> {
        self.index.find(hash, |slot| self.holds(slot, key))
    }

    fn holds(&self, slot: Slot, key: &K) -> bool {
        self.get(slot).is_some_and(|entry| entry.key == *key)
    }

    /// The index wants half a hash.
    fn hash(&self, key: &K) -> u32 {
        (self.hasher.hash_one(key) >> 32) as u32
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Entry<K>> {
        entry(&self.chunks, slot)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry<K>> {
        self.edit(slot).map(|(entry, _)| entry)
    }

    /// A prefix, and what its paths may use to grow.
    pub(super) fn edit(&mut self, slot: Slot) -> Option<(&mut Entry<K>, &mut Spare)> {
        let chunk = self.chunks.get_mut((slot / CHUNK) as usize)?;
        let place = chunk.entries.get_mut((slot % CHUNK) as usize)?;
        Some((place.as_mut()?, &mut self.spare))
    }

    /// The slot of the key, made with no paths if there is none.
    pub(super) fn find_or_insert(&mut self, key: &K) -> Slot
    where
        K: Clone,
    {
        let hash = self.hash(key);
        if let Some(slot) = self.find_hashed(hash, key) {
            return slot;
        }
        let slot = self.place(Entry {
            key: key.clone(),
            paths: Paths::None,
        });
        self.index.insert(hash, slot);
        slot
    }

    /// Takes a prefix out; its slot number may be given to another one.
    pub(super) fn remove(&mut self, slot: Slot) {
        let Some(key) = self.get(slot) else { return };
        self.index.remove(self.hash(&key.key), slot);
        let number = slot / CHUNK;
        let Some(chunk) = self.chunks.get_mut(number as usize) else {
            return;
        };
        if let Some(place) = chunk.entries.get_mut((slot % CHUNK) as usize) {
            *place = None;
        }
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
    }

    /// Gives back memory of chunks at the end and of lists that are no longer in use.
    pub(super) fn shrink(&mut self) {
        self.spare = Spare::default();
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

    /// Every prefix, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Entry<K>)> {
        (0u32..).zip(&self.chunks).flat_map(|(number, chunk)| {
            (0u32..)
                .zip(&chunk.entries)
                .filter_map(move |(at, entry)| Some((number * CHUNK + at, entry.as_ref()?)))
        })
    }

    fn place(&mut self, entry: Entry<K>) -> Slot {
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

/// Has memory read, although nobody uses the values.
pub(super) fn read(values: impl Iterator<Item = u64>) {
    std::hint::black_box(values.fold(0, u64::wrapping_add));
}

fn entry<K>(chunks: &[Chunk<K>], slot: Slot) -> Option<&Entry<K>> {
    chunks
        .get((slot / CHUNK) as usize)?
        .entries
        .get((slot % CHUNK) as usize)?
        .as_ref()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::prefix::Prefix4;

    #[test]
    fn an_entry_of_an_ipv4_prefix_is_24_octets() {
        assert_eq!(size_of::<Option<Entry<Prefix4>>>(), 24);
    }

    proptest! {
        #[test]
        fn keys_keep_their_slots(ops in prop::collection::vec((any::<bool>(), 0u32..3000), 0..4000)) {
            let mut table = Table::new(1);
            let mut model: HashMap<u32, Slot> = HashMap::new();
            for (insert, key) in ops {
                if insert {
                    let slot = table.find_or_insert(&key);
                    prop_assert_eq!(*model.entry(key).or_insert(slot), slot);
                } else if let Some(slot) = model.remove(&key) {
                    table.remove(slot);
                }
                prop_assert_eq!(table.find(&key), model.get(&key).copied());
            }
            prop_assert_eq!(table.len(), model.len());
            for (key, slot) in &model {
                prop_assert_eq!(table.get(*slot).map(|entry| entry.key), Some(*key));
            }
            prop_assert_eq!(table.iter().count(), model.len());
            let all: Vec<_> = model.values().copied().collect();
            all.into_iter().for_each(|slot| table.remove(slot));
            prop_assert!(table.chunks.iter().all(|chunk| chunk.entries.capacity() == 0));
        }
    }
}
