//! Sets of table slots.
//!
//! A prefix lives in one numbered slot of its table for as long as it has a path, so a set of
//! prefixes is a set of small integers: one bit each, in blocks that exist only where a bit is
//! set. What a peer sent, what a group was told and what is still to be told are such sets; none
//! of them ever copies a route.

use crate::packed::Slot;

const BLOCK_BITS: u32 = 4096;
const WORDS: usize = 64;

/// A sparse bit set of slots.
#[derive(Debug, Clone, Default)]
pub(super) struct SlotSet {
    blocks: Vec<Option<Box<Block>>>,
    len: usize,
}

#[derive(Debug, Clone)]
struct Block {
    words: [u64; WORDS],
    live: u32,
}

struct At {
    block: usize,
    word: usize,
    bit: u64,
}

fn at(slot: Slot) -> At {
    let within = slot % BLOCK_BITS;
    At {
        block: (slot / BLOCK_BITS) as usize,
        word: (within / 64) as usize,
        bit: 1 << (within % 64),
    }
}

impl SlotSet {
    /// Adds a slot; false if it was there.
    pub(super) fn insert(&mut self, slot: Slot) -> bool {
        let At { block, word, bit } = at(slot);
        if self.blocks.len() <= block {
            self.blocks.resize_with(block + 1, || None);
        }
        let Some(place) = self.blocks.get_mut(block) else {
            return false;
        };
        let block = place.get_or_insert_with(|| {
            Box::new(Block {
                words: [0; WORDS],
                live: 0,
            })
        });
        let Some(word) = block.words.get_mut(word) else {
            return false;
        };
        let new = *word & bit == 0;
        *word |= bit;
        block.live += u32::from(new);
        self.len += usize::from(new);
        new
    }

    /// Takes a slot out; false if it was not there. An empty block gives its memory back.
    pub(super) fn remove(&mut self, slot: Slot) -> bool {
        let At { block, word, bit } = at(slot);
        let Some(place) = self.blocks.get_mut(block) else {
            return false;
        };
        let Some(block) = place else { return false };
        let Some(word) = block.words.get_mut(word) else {
            return false;
        };
        if *word & bit == 0 {
            return false;
        }
        *word &= !bit;
        block.live -= 1;
        self.len -= 1;
        if block.live == 0 {
            *place = None;
        }
        true
    }

    /// True if the slot is in the set.
    pub(super) fn contains(&self, slot: Slot) -> bool {
        let At { block, word, bit } = at(slot);
        self.blocks
            .get(block)
            .and_then(Option::as_ref)
            .and_then(|block| block.words.get(word))
            .is_some_and(|word| word & bit != 0)
    }

    /// Memory it takes.
    pub(super) fn octets(&self) -> usize {
        let blocks = self.blocks.iter().flatten().count();
        blocks * size_of::<Block>() + self.blocks.capacity() * size_of::<Option<Box<Block>>>()
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// True without any slot.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The slots in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Slot> {
        self.from(0)
    }

    /// Those from this one on, in ascending order.
    fn from(&self, first: Slot) -> impl Iterator<Item = Slot> {
        let blocks = (0u32..).zip(&self.blocks);
        blocks
            .skip(at(first).block)
            .filter_map(|(at, block)| Some((at, block.as_ref()?)))
            .flat_map(|(at, block)| {
                (0u32..).zip(block.words).flat_map(move |(word_at, word)| {
                    bits(word).map(move |bit| at * BLOCK_BITS + word_at * 64 + bit)
                })
            })
            .skip_while(move |slot| *slot < first)
    }

    /// Takes up to `max` slots out, lowest first.
    pub(super) fn take(&mut self, max: usize) -> Vec<Slot> {
        let taken = self.iter().take(max).collect();
        self.without(taken)
    }

    fn without(&mut self, slots: Vec<Slot>) -> Vec<Slot> {
        for slot in &slots {
            self.remove(*slot);
        }
        slots
    }
}

/// A set whose slots are taken in turn: after the last one begins the first. So none waits for ever
/// behind one that comes again and again, without a queue beside the set that would cost four octets
/// for each of a million prefixes while they wait. What a table is filled with has ascending slots
/// and is taken as it came.
#[derive(Debug, Default)]
pub(super) struct Rota {
    slots: SlotSet,
    /// Whose turn it is, or the next above.
    next: Slot,
}

impl Rota {
    /// Adds a slot; false if it was there.
    pub(super) fn insert(&mut self, slot: Slot) -> bool {
        self.slots.insert(slot)
    }

    /// True if the slot is in the set.
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.slots.contains(slot)
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// True without any slot.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes out up to `max` slots whose turn it is.
    pub(super) fn take(&mut self, max: usize) -> Vec<Slot> {
        let taken = self.slots.from(self.next).take(max).collect();
        let mut taken = self.slots.without(taken);
        taken.extend(self.slots.take(max - taken.len()));
        self.next = taken.last().map_or(0, |last| last.saturating_add(1));
        taken
    }
}

/// Positions of the set bits of a word.
fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        (word != 0).then(|| {
            word &= word - 1;
            bit
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_an_ordered_set(ops in prop::collection::vec((any::<bool>(), 0u32..20_000), 0..400)) {
            let mut set = SlotSet::default();
            let mut model = BTreeSet::new();
            for (insert, slot) in ops {
                let (got, want) = if insert {
                    (set.insert(slot), model.insert(slot))
                } else {
                    (set.remove(slot), model.remove(&slot))
                };
                prop_assert_eq!(got, want);
                prop_assert_eq!(set.contains(slot), model.contains(&slot));
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            let first: Vec<_> = model.iter().copied().take(7).collect();
            prop_assert_eq!(set.take(7), first);
        }
    }

    proptest! {
        #[test]
        fn each_slot_has_its_turn_before_any_has_its_second(
            first in prop::collection::btree_set(0u32..9_000, 1..400),
            more in prop::collection::vec(prop::collection::vec(0u32..9_000, 0..40), 60),
        ) {
            let (mut rota, mut model) = (Rota::default(), first.clone());
            first.iter().for_each(|slot| assert!(rota.insert(*slot)));
            let mut waiting = first;
            let mut taken_since = BTreeSet::new();
            for more in more {
                let taken = rota.take(10);
                prop_assert_eq!(taken.len(), model.len().min(10));
                for slot in taken {
                    prop_assert!(model.remove(&slot));
                    waiting.remove(&slot);
                    prop_assert!(waiting.is_empty() || taken_since.insert(slot), "{} twice", slot);
                }
                for slot in more {
                    prop_assert_eq!(rota.insert(slot), model.insert(slot));
                }
                prop_assert_eq!((rota.len(), rota.is_empty()), (model.len(), model.is_empty()));
                prop_assert!(model.iter().all(|slot| rota.contains(*slot)));
            }
        }
    }

    #[test]
    fn an_emptied_block_gives_its_memory_back() {
        let mut set = SlotSet::default();
        set.insert(5000);
        set.remove(5000);
        assert!(set.blocks.iter().all(Option::is_none));
    }
}
