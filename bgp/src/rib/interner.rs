//! One copy of each set of attributes.
//!
//! Tables hold `Arc<Attributes>`; two paths with equal attributes hold the same one, so equality
//! is a comparison of pointers and memory grows with distinct sets, not with routes. Sets that no
//! table holds any more are swept when the table has doubled since the last sweep, or on demand
//! after a large withdrawal.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::attributes::Attributes;

/// Below this many sets a sweep is not worth its walk.
const SWEEP_MIN: usize = 1024;

/// The attribute sets in use.
#[derive(Debug, Default)]
pub(super) struct Interner {
    sets: HashTable<Arc<Attributes>>,
    sweep_at: usize,
}

impl Interner {
    /// The one copy equal to `set`, which becomes it if there is none yet.
    pub(super) fn intern(&mut self, set: Arc<Attributes>) -> Arc<Attributes> {
        if let Some(known) = self.sets.find(set.hash(), |known| **known == *set) {
            return Arc::clone(known);
        }
        if self.sets.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.sweep();
        }
        self.sets
            .insert_unique(set.hash(), Arc::clone(&set), |known| known.hash());
        set
    }

    /// Drops the sets that nobody else holds and gives memory back.
    pub(super) fn sweep(&mut self) {
        // A set made by policy holds its source, so sources may become free one sweep later.
        self.sets.retain(|set| Arc::strong_count(set) > 1);
        if self.sets.len() < self.sets.capacity() / 4 {
            self.sets.shrink_to_fit(|set| set.hash());
        }
        self.sweep_at = self.sets.len() * 2;
    }

    /// Memory the sets take, with their places here.
    pub(super) fn octets(&self) -> usize {
        let places = self.sets.capacity() * (size_of::<Arc<Attributes>>() + 1);
        places + self.iter().map(Attributes::octets).sum::<usize>()
    }

    /// The sets kept.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Attributes> {
        self.sets.iter().map(Arc::as_ref)
    }

    /// Number of distinct sets kept.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }
}
