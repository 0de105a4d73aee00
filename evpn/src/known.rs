//! What is known of addresses, by VNI and address.
//!
//! There are as many addresses as routes of others, so entries stand side by side and in no order
//! ([`Packed`]). Whoever shows them asks from where on ([`Known::after`]), and who works out a VNI
//! anew asks for all of them ([`Known::of`]): rare questions, which read everything.
//!
//! What is known is not known here.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::hash::Hash;

use bgp::packed::Slot;
use bgp::{Packed, Vni};

type Key<A> = (Vni, A);

/// Facts about addresses of one kind.
#[derive(Debug)]
pub(crate) struct Known<A: Eq + Hash, T> {
    entries: Packed<(Key<A>, T)>,
}

impl<A: Copy + Ord + Hash, T: Default> Known<A, T> {
    /// Nothing. `seed` decides where an address stands, so that others cannot choose addresses that
    /// stand together.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            entries: Packed::new(seed),
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn get(&self, key: &Key<A>) -> Option<&T> {
        self.entries.get(key).map(|(_, known)| known)
    }

    pub(crate) fn get_mut(&mut self, key: &Key<A>) -> Option<&mut T> {
        self.entries.get_mut(key).map(|(_, known)| known)
    }

    /// Changes what is known of an address, of which nothing need be known so far.
    pub(crate) fn note<R>(&mut self, key: Key<A>, change: impl FnOnce(&mut T) -> R) -> R {
        let slot = self.entries.find_or_insert(&key, || (key, T::default()));
        match self.entries.at_mut(slot) {
            Some((_, known)) => change(known),
            // It was found or inserted.
            None => change(&mut T::default()),
        }
    }

    pub(crate) fn remove(&mut self, key: &Key<A>) {
        if let Some(slot) = self.entries.find(key) {
            self.entries.remove(slot);
        }
    }

    /// Everything, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key<A>, &T)> {
        self.entries.iter().map(|(_, (key, known))| (key, known))
    }

    /// Everything, in no order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Key<A>, &mut T)> {
        self.entries.iter_mut().map(|(key, known)| (&*key, known))
    }

    /// Takes out what `gone` picks, and gives memory back.
    pub(crate) fn remove_if(&mut self, mut gone: impl FnMut(&Key<A>, &T) -> bool) {
        let picked = self.entries.iter().filter(|(_, (key, it))| gone(key, it));
        let picked: Vec<Slot> = picked.map(|(slot, _)| slot).collect();
        for slot in picked {
            self.entries.remove(slot);
        }
        self.entries.shrink();
    }

    /// The addresses of some VNIs, in order.
    pub(crate) fn of(&self, vnis: &BTreeSet<Vni>) -> Vec<Key<A>> {
        let keys = self.iter().map(|(key, _)| *key);
        let mut keys: Vec<Key<A>> = keys.filter(|(vni, _)| vnis.contains(vni)).collect();
        keys.sort_unstable();
        keys
    }

    /// What is known of the addresses of a VNI, or of all, behind an address, in order. A page of them
    /// costs a look at all and little more.
    pub(crate) fn after(
        &self,
        vni: Option<Vni>,
        after: Option<Key<A>>,
    ) -> impl Iterator<Item = (Key<A>, &T)> {
        let of_vni = |key: &Key<A>| vni.is_none_or(|vni| vni == key.0);
        let behind = |key: &Key<A>| after.is_none_or(|after| after < *key);
        let entries = self.entries.iter();
        let entries = entries.filter(|(_, (key, _))| of_vni(key) && behind(key));
        let mut left: BinaryHeap<_> = entries
            .map(|(slot, (key, _))| Reverse((*key, slot)))
            .collect();
        std::iter::from_fn(move || {
            let Reverse((key, slot)) = left.pop()?;
            Some((key, &self.entries.at(slot)?.1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vni(number: u32) -> Vni {
        Vni::new(number).unwrap()
    }

    #[test]
    fn a_page_follows_the_one_before() {
        let mut known = Known::new(0);
        for (of, address) in [(2, 1), (1, 9), (2, 7), (1, 3), (3, 1), (2, 5)] {
            known.note((vni(of), address), |it| *it += of * 10 + u32::from(address));
        }
        type Facts = Known<u8, u32>;
        let page = |known: &Facts, of: Option<u32>, after: Option<(u32, u8)>| -> Vec<u32> {
            let after = after.map(|(of, address)| (vni(of), address));
            let page = known.after(of.map(vni), after).take(3);
            page.map(|(_, known)| *known).collect()
        };
        assert_eq!(page(&known, None, None), [13, 19, 21]);
        assert_eq!(page(&known, None, Some((2, 1))), [25, 27, 31]);
        assert_eq!(page(&known, Some(2), Some((2, 4))), [25, 27]);
        // Behind an address of another VNI, which comes before or after all of this one.
        assert_eq!(page(&known, Some(2), Some((1, 9))), [21, 25, 27]);
        assert_eq!(page(&known, Some(2), Some((3, 1))), []);
        assert_eq!(known.of(&BTreeSet::from([vni(1), vni(3)])).len(), 3);
        known.remove_if(|(of, _), _| *of == vni(2));
        known.remove(&(vni(1), 3));
        assert_eq!(page(&known, None, None), [19, 31]);
    }
}
