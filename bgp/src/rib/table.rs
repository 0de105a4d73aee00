//! The table of one family: from a key to its slot, from a slot to its paths.

use std::hash::Hash;

use super::path::{Paths, Spare};
use crate::packed::{Keyed, Packed, Slot};

/// How many keys are read ahead: enough to keep memory busy, few enough that the first is still at
/// hand when the last has come.
pub(super) const TOGETHER: usize = 64;

/// Prefixes with their paths.
#[derive(Debug)]
pub(super) struct Table<K> {
    entries: Packed<Entry<K>>,
    spare: Spare,
}

/// A prefix with its paths.
#[derive(Debug)]
pub(super) struct Entry<K> {
    pub(super) key: K,
    pub(super) paths: Paths,
}

impl<K: Eq + Hash> Keyed for Entry<K> {
    type Key = K;

    fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Eq + Hash> Table<K> {
    /// `seed` makes collisions unpredictable for those who choose the keys.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: Packed::new(seed),
            spare: Spare::default(),
        }
    }

    /// Memory it takes, without the attributes. Looks at every prefix.
    pub(super) fn octets(&self) -> usize {
        let beside = self.iter().map(|(_, entry)| entry.paths.octets());
        self.entries.octets() + beside.sum::<usize>()
    }

    /// Number of prefixes.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn find(&self, key: &K) -> Option<Slot> {
        self.entries.find(key)
    }

    /// Reads what the table knows of up to [`TOGETHER`] keys, for no result: what follows finds it
    /// at hand. A table is far larger than the processor's own memory, and a key that is looked up,
    /// decided and changed alone waits four times for the one outside; keys that are read
    /// together wait for all of them at once, place by place.
    pub(super) fn touch<'a>(&self, keys: impl Iterator<Item = &'a K>)
    where
        K: 'a,
    {
        let mut paths = [&Paths::None; TOGETHER];
        let mut hashes = [0; TOGETHER];
        let (mut known, mut asked) = (0, 0);
        let mut last = self.entries.last();
        for key in keys.take(TOGETHER) {
            match self.entries.behind(last, key) {
                Some(slot) => {
                    last = slot;
                    put(
                        &mut paths,
                        &mut known,
                        self.get(slot).map(|entry| &entry.paths),
                    );
                }
                None => put(&mut hashes, &mut asked, Some(self.entries.hash(key))),
            }
        }
        let hashes = hashes.get(..asked).unwrap_or_default();
        read(hashes.iter().map(|hash| self.entries.peek(*hash)));
        for hash in hashes {
            let slot = self.entries.find_any(*hash);
            let entry = slot.and_then(|slot| self.get(slot));
            put(&mut paths, &mut known, entry.map(|entry| &entry.paths));
        }
        let paths = paths.get(..known).unwrap_or_default();
        read(paths.iter().map(|paths| u64::from(paths.is_empty())));
        let last = |paths: &&Paths| Some(paths.as_slice().last()?.path_id.into());
        read(paths.iter().filter_map(last));
        let best = |paths: &&Paths| Some(paths.best()?.attributes.as_path_length().into());
        read(paths.iter().filter_map(best));
    }

    /// As [`Table::find`], in a row of keys.
    pub(super) fn seek(&mut self, key: &K) -> Option<Slot> {
        self.entries.seek(key)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Entry<K>> {
        self.entries.at(slot)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry<K>> {
        self.entries.at_mut(slot)
    }

    /// A prefix, and what its paths may use to grow.
    pub(super) fn edit(&mut self, slot: Slot) -> Option<(&mut Entry<K>, &mut Spare)> {
        Some((self.entries.at_mut(slot)?, &mut self.spare))
    }

    /// The slot of the key, made with no paths if there is none.
    pub(super) fn find_or_insert(&mut self, key: &K) -> Slot
    where
        K: Clone,
    {
        let new = || Entry {
            key: key.clone(),
            paths: Paths::None,
        };
        self.entries.find_or_insert(key, new)
    }

    /// Takes a prefix out; its slot number may be given to another one.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.entries.remove(slot);
    }

    /// Gives back memory of chunks at the end and of lists that are no longer in use.
    pub(super) fn shrink(&mut self) {
        self.spare = Spare::default();
        self.entries.shrink();
    }

    /// Every prefix, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Entry<K>)> {
        self.entries.iter()
    }
}

/// Adds a value to those that are there, if there is one and room for it.
fn put<T>(list: &mut [T], count: &mut usize, value: Option<T>) {
    if let (Some(value), Some(place)) = (value, list.get_mut(*count)) {
        *place = value;
        *count += 1;
    }
}

/// Has memory read, although nobody uses the values.
pub(super) fn read(values: impl Iterator<Item = u64>) {
    std::hint::black_box(values.fold(0, u64::wrapping_add));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::Prefix4;

    #[test]
    fn an_entry_of_an_ipv4_prefix_is_24_octets() {
        assert_eq!(size_of::<Option<Entry<Prefix4>>>(), 24);
    }
}
