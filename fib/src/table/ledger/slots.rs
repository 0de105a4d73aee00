//! Keys with their values in numbered places, side by side.
//!
//! A million routes are kept for as long as the daemon runs, so what one costs counts: key and
//! value stand in a vector, which grows with what is in it, and the hash table beside it holds
//! numbers of four octets (a table of whole entries is at most seven eighths full and, after it has
//! grown, less than half). Who has a number needs no search.
//!
//! What the values mean is not known here.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

/// Keys in places.
pub(super) struct Slots<K, T> {
    places: Vec<Option<(K, T)>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl<K, T> Default for Slots<K, T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }
}

impl<K: Hash + Eq + Clone, T: Default> Slots<K, T> {
    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Where a key is, in a new place if it was not known.
    pub(super) fn place(&mut self, key: &K) -> u32 {
        if let Some(at) = self.find(key) {
            return at;
        }
        let entry = Some((key.clone(), T::default()));
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(place) = self.places.get_mut(index(at)) {
                    *place = entry;
                }
                at
            }
            None => {
                let at = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
                debug_assert!(at < u32::MAX, "four thousand million entries");
                // By an eighth, not to twice as many: most of a large table is in use, and where it
                // is large the system moves it without touching it.
                if self.places.len() == self.places.capacity() {
                    self.places.reserve_exact((self.places.len() / 8).max(64));
                }
                self.places.push(entry);
                at
            }
        };
        let Self {
            places,
            index,
            hasher,
            ..
        } = self;
        let hash = |at: &u32| hash_at(hasher, places, *at);
        index.insert_unique(hasher.hash_one(key), at, hash);
        at
    }

    /// Gives a place up.
    pub(super) fn remove(&mut self, at: u32) {
        let Some((key, _)) = self.places.get_mut(index(at)).and_then(Option::take) else {
            return;
        };
        let hash = self.hasher.hash_one(&key);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == at) {
            found.remove();
        }
        self.free.push(at);
    }

    /// The value in a place.
    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        let place = self.places.get_mut(index(at))?.as_mut()?;
        Some(&mut place.1)
    }

    /// Key and value in a place.
    pub(super) fn entry_mut(&mut self, at: u32) -> Option<(&K, &mut T)> {
        let (key, value) = self.places.get_mut(index(at))?.as_mut()?;
        Some((key, value))
    }

    /// Places with their keys and values.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &K, &mut T)> {
        let places = (0..).zip(&mut self.places);
        places.filter_map(|(at, place)| {
            let (key, value) = place.as_mut()?;
            Some((at, &*key, value))
        })
    }

    /// Gives memory back when little of it is used any longer. Places get other numbers then, so
    /// nobody may know any.
    pub(super) fn shrink(&mut self) {
        if self.free.len() < 1024 || self.free.len() < self.places.len() / 4 * 3 {
            return;
        }
        self.places.retain(Option::is_some);
        self.places.shrink_to_fit();
        self.free = Vec::new();
        self.index = HashTable::new();
        let Self {
            places,
            index,
            hasher,
            ..
        } = self;
        for (at, place) in (0..).zip(&*places) {
            if let Some((key, _)) = place {
                let hash = |at: &u32| hash_at(hasher, places, *at);
                index.insert_unique(hasher.hash_one(key), at, hash);
            }
        }
    }

    /// Where a key is.
    pub(super) fn find(&self, key: &K) -> Option<u32> {
        if self.index.is_empty() {
            return None;
        }
        let same =
            |at: &u32| matches!(self.places.get(index(*at)), Some(Some((it, _))) if it == key);
        self.index.find(self.hasher.hash_one(key), same).copied()
    }

    /// The value in a place.
    pub(super) fn get(&self, at: u32) -> Option<&T> {
        let place = self.places.get(index(at))?.as_ref()?;
        Some(&place.1)
    }

    /// Keys and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        self.places
            .iter()
            .flatten()
            .map(|(key, value)| (key, value))
    }
}

fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn hash_at<K: Hash, T>(
    hasher: &foldhash::fast::RandomState,
    places: &[Option<(K, T)>],
    at: u32,
) -> u64 {
    match places.get(index(at)) {
        Some(Some((key, _))) => hasher.hash_one(key),
        Some(None) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_comes_and_goes_is_found_under_its_key(
            steps in proptest::collection::vec((0u16..3000, any::<u32>(), any::<bool>()), 0..4000),
            keep in 0u16..40,
        ) {
            let (mut slots, mut model) = (Slots::<u16, u32>::default(), HashMap::new());
            let put = |slots: &mut Slots<u16, u32>, key, value| {
                let at = slots.place(&key);
                *slots.get_mut(at).unwrap() = value;
            };
            for (key, value, stays) in steps {
                if stays {
                    put(&mut slots, key, value);
                    model.insert(key, value);
                } else if let Some(at) = slots.find(&key) {
                    slots.remove(at);
                    prop_assert!(model.remove(&key).is_some());
                }
            }
            let all = |slots: &Slots<u16, u32>| -> HashMap<u16, u32> {
                slots.iter().map(|(key, value)| (*key, *value)).collect()
            };
            prop_assert_eq!(all(&slots), model.clone());
            // Most of it goes, and the memory with it.
            for key in keep..3000 {
                if let Some(at) = slots.find(&key) {
                    slots.remove(at);
                    model.remove(&key);
                }
            }
            slots.shrink();
            prop_assert!(slots.places.capacity() <= slots.iter().count() + 4096);
            for key in 0..3000 {
                let value = slots.find(&key).and_then(|at| slots.get(at));
                prop_assert_eq!(value, model.get(&key));
            }
            put(&mut slots, 5000, 1);
            model.insert(5000, 1);
            prop_assert_eq!(all(&slots), model);
        }
    }
}
