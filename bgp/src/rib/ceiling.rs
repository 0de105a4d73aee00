//! The most prefixes that a peer is told, and which ones they are.
//!
//! Of more than that, our own routes go first and then the lowest prefixes, in the order in which
//! tables are shown. So which prefixes a peer is told follows from the table alone: the same routes
//! give the same answer after a restart and in whatever order they came. The price is that a new
//! route may take the place of one that was told. Whoever came first, the other rule in use, is
//! known to nobody afterwards.
//!
//! Two ordered sets, those that are told and those that are not; a prefix that comes or goes moves
//! at most one other across. It knows nothing of what is said, nor in which order; that withdrawals
//! go first, so that the peer never holds more than allowed, is the business of whoever serves it
//! ([`super::several`]).

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::packed::Slot;

/// Our own go first.
type Rank<K> = (bool, K);

/// Which prefixes a peer is told.
#[derive(Debug)]
pub(super) struct Ceiling<K> {
    most: NonZeroU32,
    told: BTreeMap<Rank<K>, Slot>,
    /// What policy lets through beside these.
    beyond: BTreeMap<Rank<K>, Slot>,
}

impl<K: Ord + Clone> Ceiling<K> {
    pub(super) fn new(most: NonZeroU32) -> Self {
        Self {
            most,
            told: BTreeMap::new(),
            beyond: BTreeMap::new(),
        }
    }

    pub(super) fn most(&self) -> NonZeroU32 {
        self.most
    }

    /// Number of prefixes that find no room.
    pub(super) fn beyond(&self) -> usize {
        self.beyond.len()
    }

    /// Memory it takes, roughly.
    pub(super) fn octets(&self) -> usize {
        (self.told.len() + self.beyond.len()) * size_of::<(Rank<K>, Slot)>()
    }

    /// True if the prefix is among those that are told.
    pub(super) fn tells(&self, key: &K) -> bool {
        let ranks = [true, false].map(|learned| (learned, key.clone()));
        ranks.iter().any(|rank| self.told.contains_key(rank))
    }

    /// Takes in whether a prefix may be told at all: learned or our own, if it may. Returns another
    /// prefix that goes or comes because of that.
    pub(super) fn see(&mut self, key: &K, slot: Slot, learned: Option<bool>) -> Option<Slot> {
        let rank = learned.map(|learned| (learned, key.clone()));
        let known = |it: &Rank<K>| self.told.contains_key(it) || self.beyond.contains_key(it);
        if rank.as_ref().is_some_and(known) {
            return None;
        }
        let mut left = None;
        for old in [true, false].map(|learned| (learned, key.clone())) {
            self.beyond.remove(&old);
            if self.told.remove(&old).is_some() {
                left = self.fill();
            }
        }
        let Some(rank) = rank else { return left };
        let full = self.told.len() >= usize::try_from(self.most.get()).unwrap_or(usize::MAX);
        if !full {
            self.told.insert(rank, slot);
            return left;
        }
        match self.told.last_entry().filter(|last| *last.key() > rank) {
            Some(last) => {
                let (rank_out, out) = last.remove_entry();
                self.beyond.insert(rank_out, out);
                self.told.insert(rank, slot);
                // The one that had just come in goes out again.
                match left == Some(out) {
                    true => None,
                    false => Some(out),
                }
            }
            None => {
                self.beyond.insert(rank, slot);
                left
            }
        }
    }

    fn fill(&mut self) -> Option<Slot> {
        let (rank, slot) = self.beyond.pop_first()?;
        self.told.insert(rank, slot);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever came and went, the first ones in order are told, and what changed was said.
        #[test]
        fn the_first_in_order_are_told(
            most in 1u32..5,
            changes in prop::collection::vec((0u32..12, prop::option::of(any::<bool>())), 0..80),
        ) {
            let mut ceiling = Ceiling::new(NonZeroU32::new(most).unwrap());
            let mut there: BTreeMap<u32, bool> = BTreeMap::new();
            let mut told = std::collections::BTreeSet::new();
            for (key, learned) in changes {
                match learned {
                    Some(learned) => there.insert(key, learned),
                    None => there.remove(&key),
                };
                let other = ceiling.see(&key, key, learned);
                for key in other.into_iter().chain([key]) {
                    match ceiling.tells(&key) {
                        true => told.insert(key),
                        false => told.remove(&key),
                    };
                }
                let mut due: Vec<(bool, u32)> = there.iter().map(|(key, it)| (*it, *key)).collect();
                due.sort_unstable();
                let due: std::collections::BTreeSet<u32> =
                    due.into_iter().take(most as usize).map(|(_, key)| key).collect();
                prop_assert_eq!(&told, &due);
                prop_assert_eq!(ceiling.beyond(), there.len() - due.len());
            }
        }
    }
}
