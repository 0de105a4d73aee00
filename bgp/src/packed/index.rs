//! From the hash of a key to its slot.
//!
//! Open addressing with linear probing. A place is 8 octets, half a hash and a slot, and places
//! stand in the order of their hashes. So a search reads one cache line and ends at the first
//! larger hash, and growing is one pass from the old places to the new ones that looks at no key:
//! with a million prefixes both are waits for memory, and a table that keeps slots only waits two
//! to three times as often (24 against 12 % of the time that a million routes take).
//!
//! The index is made of segments by the first bits of the hash. Each grows alone, by a quarter,
//! so no growth needs more than a sixty-fourth of the whole beside it.
//!
//! Keys are not known here: whoever asks compares them.

use super::Slot;

const SEGMENT_BITS: u32 = 6;

/// Slots by hash.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// None at all as long as there is no slot.
    segments: Vec<Segment>,
    len: usize,
}

/// A hash and a slot, zero if free.
type Place = u64;

#[derive(Debug, Default, Clone)]
struct Segment {
    /// Home places, then those that run over the end.
    places: Vec<Place>,
    /// Number of home places.
    homes: u32,
    len: u32,
}

/// The hash in a place.
fn hash_of(place: Place) -> u32 {
    (place >> 32) as u32
}

/// The slot in a place that is taken: the lower half.
#[allow(clippy::cast_possible_truncation)]
fn slot_of(place: Place) -> Slot {
    (place as u32).wrapping_sub(1)
}

impl Index {
    /// Memory it takes.
    pub(crate) fn octets(&self) -> usize {
        let places = self
            .segments
            .iter()
            .map(|segment| segment.places.capacity());
        let segments = self.segments.capacity() * size_of::<Segment>();
        places.sum::<usize>() * size_of::<Place>() + segments
    }

    /// Number of slots.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first slot under this hash that satisfies `is`.
    pub(crate) fn find(&self, hash: u32, is: impl FnMut(Slot) -> bool) -> Option<Slot> {
        self.segments
            .get(number(hash))?
            .slots(hash)
            .find_map(is_one(is))
    }

    /// What stands where a search for the hash begins, to have it read from memory.
    pub(crate) fn peek(&self, hash: u32) -> u64 {
        let segment = self.segments.get(number(hash));
        let place = segment.and_then(|it| it.places.get(it.home(hash)));
        place.copied().unwrap_or_default()
    }

    /// Adds a slot that is not there. `u32::MAX` is no slot.
    pub(crate) fn insert(&mut self, hash: u32, slot: Slot) {
        if self.segments.is_empty() {
            self.segments = vec![Segment::default(); 1 << SEGMENT_BITS];
        }
        if let Some(segment) = self.segments.get_mut(number(hash)) {
            segment.insert(u64::from(hash) << 32 | u64::from(slot.wrapping_add(1)));
            self.len += 1;
        }
    }

    /// Takes a slot out.
    pub(crate) fn remove(&mut self, hash: u32, slot: Slot) {
        if let Some(segment) = self.segments.get_mut(number(hash))
            && segment.remove(hash, slot)
        {
            self.len -= 1;
        }
        if self.len == 0 {
            self.segments = Vec::new();
        }
    }
}

fn is_one(mut is: impl FnMut(Slot) -> bool) -> impl FnMut(Slot) -> Option<Slot> {
    move |slot| is(slot).then_some(slot)
}

/// The segment of a hash.
fn number(hash: u32) -> usize {
    (hash >> (u32::BITS - SEGMENT_BITS)) as usize
}

impl Segment {
    /// Where a hash belongs: places keep the order of hashes whatever their number.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash << SEGMENT_BITS) * u64::from(self.homes)) >> 32) as usize
    }

    fn slots(&self, hash: u32) -> impl Iterator<Item = Slot> + '_ {
        let from = self.places.get(self.home(hash)..).unwrap_or_default();
        from.iter()
            .take_while(move |place| **place != 0 && hash_of(**place) <= hash)
            .filter(move |place| hash_of(**place) == hash)
            .map(|place| slot_of(*place))
    }

    fn insert(&mut self, place: Place) {
        // Four of five places taken at most: three are read for a key that is there on average.
        if self.len >= self.homes / 5 * 4 {
            self.rebuild((self.homes / 4 * 5).max(20));
        }
        let home = self.home(hash_of(place));
        let run = self.places.get(home..).unwrap_or_default();
        let before = |known: &&Place| **known != 0 && hash_of(**known) <= hash_of(place);
        let at = home + run.iter().take_while(before).count();
        let run = self.places.get(at..).unwrap_or_default();
        let end = at + run.iter().take_while(|known| **known != 0).count();
        if end == self.places.len() {
            self.places.push(0);
        }
        if let Some(moving) = self.places.get_mut(at..=end) {
            moving.rotate_right(1);
            if let Some(first) = moving.first_mut() {
                *first = place;
            }
        }
        self.len += 1;
    }

    fn remove(&mut self, hash: u32, slot: Slot) -> bool {
        let home = self.home(hash);
        let wanted = u64::from(hash) << 32 | u64::from(slot.wrapping_add(1));
        let run = self.places.get(home..).unwrap_or_default();
        let mut until = run.iter().take_while(|place| **place != 0);
        let Some(at) = until.position(|place| *place == wanted).map(|at| home + at) else {
            return false;
        };
        // Those behind it that are not at home move up.
        let behind = (at + 1..).zip(self.places.get(at + 1..).unwrap_or_default());
        let away =
            |(at, place): &(usize, &Place)| **place != 0 && self.home(hash_of(**place)) < *at;
        let end = at + 1 + behind.take_while(away).count();
        if let Some(moving) = self.places.get_mut(at..end) {
            moving.rotate_left(1);
            if let Some(last) = moving.last_mut() {
                *last = 0;
            }
        }
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        } else if self.len < self.homes / 4 {
            self.rebuild((self.len / 2 * 3).max(20));
        }
        true
    }

    /// Changes the number of home places.
    fn rebuild(&mut self, homes: u32) {
        let old = std::mem::take(&mut self.places);
        self.homes = homes;
        // Runs over the end are short; they make the vector grow once at most.
        let mut places = Vec::with_capacity(homes as usize + 16);
        for place in old.into_iter().filter(|place| *place != 0) {
            let home = self.home(hash_of(place));
            if places.len() < home {
                places.resize(home, 0);
            }
            places.push(place);
        }
        places.resize(places.len().max(homes as usize), 0);
        self.places = places;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Few hashes, so that runs are long and hashes are shared; some at the end of a segment.
        #[test]
        fn behaves_as_a_set(
            ops in prop::collection::vec((prop::bool::weighted(0.6), 0u32..300, 0u32..3), 0..1500)
        ) {
            let mut index = Index::default();
            let mut model = BTreeSet::new();
            for (insert, number, slot) in ops {
                let hash = match number % 3 {
                    0 => u32::MAX - number,
                    1 => number,
                    _ => number.wrapping_mul(0x9e37_79b9),
                };
                let known = index.find(hash, |other| other == slot).is_some();
                prop_assert_eq!(known, model.contains(&(hash, slot)));
                if insert && model.insert((hash, slot)) {
                    index.insert(hash, slot);
                } else if !insert && model.remove(&(hash, slot)) {
                    index.remove(hash, slot);
                }
                prop_assert_eq!(index.len(), model.len());
            }
            for (hash, slot) in &model {
                prop_assert_eq!(index.find(*hash, |other| other == *slot), Some(*slot));
            }
            for (hash, slot) in model {
                index.remove(hash, slot);
            }
            prop_assert!(index.segments.iter().all(|segment| segment.places.capacity() == 0));
        }
    }

    #[test]
    fn a_million_take_twelve_octets_each_at_most() {
        let mut index = Index::default();
        (0..1_000_000u32).for_each(|slot| index.insert(slot.wrapping_mul(0x9e37_79b9), slot));
        let octets: usize = index.segments.iter().map(|s| s.places.capacity() * 8).sum();
        assert!(octets < 13_000_000, "{octets}");
    }
}
