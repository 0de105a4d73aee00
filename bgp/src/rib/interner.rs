//! One copy of each set of attributes.
//!
//! Tables hold [`Attributes`]; two paths with equal attributes hold the same copy, so equality
//! is a comparison of addresses and memory grows with distinct sets, not with routes. They are found
//! as prefixes are, through an [`Index`]. Sets that no table holds any more are swept when there
//! are twice as many as after the last sweep, or on demand after a large withdrawal.

use crate::attributes::Attributes;
use crate::packed::Index;
use crate::packed::Slot;

/// Below this many sets a sweep is not worth its walk.
const SWEEP_MIN: usize = 1024;

/// The attribute sets in use.
#[derive(Debug, Default)]
pub(super) struct Interner {
    index: Index,
    /// By slot.
    sets: Vec<Option<Attributes>>,
    /// Slots without a set.
    free: Vec<Slot>,
    sweep_at: usize,
}

impl Interner {
    /// The one copy equal to `set`, which becomes it if there is none yet.
    pub(super) fn intern(&mut self, set: Attributes) -> Attributes {
        let is = |slot| self.get(slot).is_some_and(|known| *known == set);
        let known = self.index.find(set.hash(), is);
        if let Some(known) = known.and_then(|slot| self.get(slot)) {
            return known.clone();
        }
        if self.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.sweep();
        }
        self.insert(set.clone());
        set
    }

    /// Reads where a search for each of these sets begins, for no result: those that are interned
    /// next find it at hand.
    pub(super) fn touch<'a>(&self, sets: impl Iterator<Item = &'a Attributes>) {
        super::table::read(sets.map(|set| self.index.peek(set.hash())));
    }

    /// Drops the sets that nobody else holds and gives memory back.
    pub(super) fn sweep(&mut self) {
        // A set made by policy holds its source, so sources may become free one sweep later.
        for (slot, place) in (0..).zip(&mut self.sets) {
            if let Some(set) = place.take_if(|set| set.is_alone()) {
                self.index.remove(set.hash(), slot);
                self.free.push(slot);
            }
        }
        if self.len() < self.sets.len().div_ceil(4) {
            let kept = std::mem::take(self).sets;
            kept.into_iter().flatten().for_each(|set| self.insert(set));
        }
        self.sweep_at = self.len() * 2;
    }

    /// Memory the sets take, with their places here.
    pub(super) fn octets(&self) -> usize {
        let sets = self.sets.capacity() * size_of::<Option<Attributes>>();
        let free = self.free.capacity() * size_of::<Slot>();
        self.index.octets() + sets + free + self.iter().map(Attributes::octets).sum::<usize>()
    }

    /// The sets kept.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Attributes> {
        self.sets.iter().flatten()
    }

    /// Number of distinct sets kept.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    fn get(&self, slot: Slot) -> Option<&Attributes> {
        self.sets.get(slot as usize)?.as_ref()
    }

    fn insert(&mut self, set: Attributes) {
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        self.index.insert(set.hash(), slot);
        if let Some(place) = self.sets.get_mut(slot as usize) {
            *place = Some(set);
        }
    }

    fn new_slot(&mut self) -> Slot {
        let count = self.sets.len();
        if count == self.sets.capacity() {
            // Not the double: half of it would be empty on average.
            self.sets.reserve_exact((count / 8).max(16));
        }
        self.sets.push(None);
        // Sets take more than a hundred octets each: there are fewer than 2^32.
        Slot::try_from(count).unwrap_or(Slot::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::attributes::{AttributeSet, NextHop};

    fn set(med: u32) -> Attributes {
        let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::LOCALHOST));
        set.med = Some(med);
        set.freeze_with(1)
    }

    proptest! {
        #[test]
        fn there_is_one_copy_of_each_set_and_those_not_held_are_swept(
            ops in prop::collection::vec((0u32..4000, 0u8..8), 0..6000)
        ) {
            let mut interner = Interner::default();
            let mut held = std::collections::HashMap::new();
            for (med, op) in ops {
                match op {
                    0 => drop(held.remove(&med)),
                    1 if med % 64 == 0 => interner.sweep(),
                    _ => {
                        let interned = interner.intern(set(med));
                        prop_assert_eq!(interned.med(), Some(med));
                        let known = held.entry(med).or_insert_with(|| interned.clone());
                        prop_assert!(known.is(&interned));
                    }
                }
            }
            interner.sweep();
            prop_assert_eq!(interner.len(), held.len());
            prop_assert_eq!(interner.iter().count(), held.len());
            held.clear();
            interner.sweep();
            prop_assert_eq!((interner.len(), interner.sets.capacity()), (0, 0));
        }
    }
}
