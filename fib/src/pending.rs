//! The queue between a fast caller and a slow kernel: the latest change per key wins.
//!
//! Memory is bounded by the number of distinct keys, never by the number of changes. A key keeps
//! the place of its first unsent change, so nothing starves. This type is plain data; the lock and
//! the wake-up around it are in [`crate::kernel`].

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::state::{Change, Name};

/// Changes that were not taken yet, at most one per key.
#[derive(Default)]
pub struct Pending {
    queue: VecDeque<Change>,
    /// Positions in `queue`, counted from the first change ever queued.
    index: HashTable<u64>,
    taken: u64,
    hasher: foldhash::fast::RandomState,
}

impl Pending {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a change, in the place of an older one with the same key if there is one.
    pub fn push(&mut self, change: Change) {
        let name = change.name();
        let hash = self.hasher.hash_one(name);
        let found = self
            .index
            .find(hash, |&at| self.name_at(at) == Some(name))
            .copied();
        if let Some(at) = found {
            let slot = self.slot(at);
            if let Some(older) = self.queue.get_mut(slot) {
                *older = change;
            }
            return;
        }
        let at = self.taken.wrapping_add(self.queue.len() as u64);
        self.queue.push_back(change);
        let Self {
            queue,
            index,
            taken,
            hasher,
        } = self;
        index.insert_unique(hash, at, |&at| hash_at(hasher, queue, *taken, at));
    }

    /// Takes the oldest change.
    pub fn pop(&mut self) -> Option<Change> {
        let change = self.queue.pop_front()?;
        let hash = self.hasher.hash_one(change.name());
        let taken = self.taken;
        if let Ok(found) = self.index.find_entry(hash, |&at| at == taken) {
            found.remove();
        }
        self.taken = self.taken.wrapping_add(1);
        Some(change)
    }

    /// Takes at most `max` changes, oldest first.
    pub fn drain(&mut self, max: usize) -> Vec<Change> {
        let count = max.min(self.queue.len());
        let changes = (0..count).map_while(|_| self.pop()).collect();
        if self.queue.is_empty() {
            // After a burst the memory goes back.
            self.queue.shrink_to(1024);
            let Self {
                queue,
                index,
                taken,
                hasher,
            } = self;
            index.shrink_to(1024, |&at| hash_at(hasher, queue, *taken, at));
        }
        changes
    }

    /// Number of keys with an untaken change.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Nothing to take.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn slot(&self, at: u64) -> usize {
        slot(self.taken, at)
    }

    fn name_at(&self, at: u64) -> Option<Name<'_>> {
        self.queue.get(self.slot(at)).map(Change::name)
    }
}

fn slot(taken: u64, at: u64) -> usize {
    usize::try_from(at.wrapping_sub(taken)).unwrap_or(usize::MAX)
}

fn hash_at(
    hasher: &foldhash::fast::RandomState,
    queue: &VecDeque<Change>,
    taken: u64,
    at: u64,
) -> u64 {
    queue
        .get(slot(taken, at))
        .map_or(0, |change| hasher.hash_one(change.name()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::state::{Entry, FloodKey, Key};

    fn flood(number: u8) -> FloodKey {
        FloodKey::new("vx1", IpAddr::from([10, 0, 0, number]))
    }

    #[test]
    fn the_latest_change_of_a_key_is_sent_once_in_the_first_place() {
        let mut pending = Pending::new();
        pending.push(Change::Set(Entry::Flood(flood(1))));
        pending.push(Change::Set(Entry::Flood(flood(2))));
        pending.push(Change::Unset(Key::Flood(flood(1))));
        assert_eq!(pending.len(), 2);
        assert_eq!(pending.pop(), Some(Change::Unset(Key::Flood(flood(1)))));
        pending.push(Change::Set(Entry::Flood(flood(1))));
        assert_eq!(pending.drain(9).len(), 2);
        assert_eq!(pending.pop(), None);
    }

    proptest! {
        #[test]
        fn what_comes_out_is_the_last_of_what_went_in(
            steps in proptest::collection::vec((0u8..20, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut pending = Pending::new();
            let mut sent = HashMap::new();
            let mut last = HashMap::new();
            for (number, set, take) in steps {
                let key = flood(number);
                let change = if set {
                    Change::Set(Entry::Flood(key))
                } else {
                    Change::Unset(Key::Flood(key))
                };
                last.insert(change.key(), change.clone());
                pending.push(change);
                prop_assert!(pending.len() <= 20);
                if take {
                    for change in pending.drain(2) {
                        sent.insert(change.key(), change);
                    }
                }
            }
            for change in pending.drain(usize::MAX) {
                sent.insert(change.key(), change);
            }
            prop_assert_eq!(sent, last);
        }
    }
}
