//! VRPs of one IP version, by prefix.
//!
//! Each prefix stands once, in ascending order, with the place of the next shorter one that
//! contains it and the end of its own part of the lists of AS numbers and lengths. It is filled in
//! ascending order and not changed afterwards. Of a large table it is noted where the prefixes of
//! each two first octets begin, so that a question looks at a handful of places and not at twenty
//! scattered ones.

use std::cmp::Ordering;

use super::State;
use crate::asn::Asn;
use crate::prefix::{Prefix4, Prefix6};

/// A prefix of one IP version. One that contains another stands before it.
pub(super) trait Network: Copy + Ord {
    fn contains(self, other: Self) -> bool;
    fn len(self) -> u8;
    /// The first two octets.
    fn head(self) -> u16;
}

impl Network for Prefix4 {
    fn contains(self, other: Self) -> bool {
        Prefix4::contains(self, other)
    }

    fn len(self) -> u8 {
        Prefix4::len(self)
    }

    fn head(self) -> u16 {
        let [high, low, ..] = self.bits().to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

impl Network for Prefix6 {
    fn contains(self, other: Self) -> bool {
        Prefix6::contains(self, other)
    }

    fn len(self) -> u8 {
        Prefix6::len(self)
    }

    fn head(self) -> u16 {
        let [high, low, ..] = self.octets();
        u16::from_be_bytes([high, low])
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table<K> {
    prefixes: Vec<K>,
    /// Of each prefix the longest shorter one that contains it; `NONE` for none.
    parents: Vec<u32>,
    /// Of each prefix where its part of the lists below ends; that of the next one begins there.
    ends: Vec<u32>,
    asns: Vec<Asn>,
    max_lens: Vec<u8>,
    /// Where the prefixes with each two first octets begin, and the end; empty in a small table.
    heads: Vec<u32>,
}

/// From so many prefixes on the heads are worth their quarter of a megabyte.
const HEADS_MIN: usize = 16_384;

const NONE: u32 = u32::MAX;

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            prefixes: Vec::new(),
            parents: Vec::new(),
            ends: Vec::new(),
            asns: Vec::new(),
            max_lens: Vec::new(),
            heads: Vec::new(),
        }
    }
}

impl<K: Network> Table<K> {
    /// Adds one that stands behind all that are there.
    pub(super) fn push(&mut self, prefix: K, asn: Asn, max_len: u8) {
        if self.prefixes.last() != Some(&prefix) {
            let parent = self.longest(prefix);
            self.parents.push(parent.unwrap_or(NONE));
            self.prefixes.push(prefix);
            self.ends.push(number(self.asns.len()));
        }
        self.asns.push(asn);
        self.max_lens.push(max_len);
        if let Some(end) = self.ends.last_mut() {
            *end = number(self.asns.len());
        }
    }

    /// Nothing more is pushed.
    pub(super) fn finish(&mut self) {
        if self.prefixes.len() >= HEADS_MIN {
            let mut at = 0;
            self.heads.reserve_exact(usize::from(u16::MAX) + 2);
            for head in 0..=u16::MAX {
                let rest = self.prefixes.get(at..).unwrap_or_default();
                self.heads.push(number(at));
                at += rest.iter().take_while(|it| it.head() == head).count();
            }
            self.heads.push(number(at));
        }
        self.prefixes.shrink_to_fit();
        self.parents.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.asns.shrink_to_fit();
        self.max_lens.shrink_to_fit();
    }

    pub(super) fn len(&self) -> usize {
        self.asns.len()
    }

    pub(super) fn octets(&self) -> usize {
        self.prefixes.capacity() * size_of::<K>()
            + (self.parents.capacity() + self.ends.capacity()) * size_of::<u32>()
            + self.asns.capacity() * size_of::<Asn>()
            + self.max_lens.capacity()
            + self.heads.capacity() * size_of::<u32>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, Asn, u8)> + '_ {
        (0_u32..)
            .zip(&self.prefixes)
            .flat_map(|(at, prefix)| self.of(at).map(|(asn, max_len)| (*prefix, asn, max_len)))
    }

    pub(super) fn contains(&self, prefix: K, asn: Asn, max_len: u8) -> bool {
        let Ok(at) = self.prefixes.binary_search(&prefix) else {
            return false;
        };
        self.of(number(at)).any(|it| it == (asn, max_len))
    }

    pub(super) fn state(&self, prefix: K, origin: Option<Asn>) -> State {
        let mut state = State::NotFound;
        for at in self.chain(prefix) {
            // RFC 6811 §2: covered, and so at least not unknown.
            state = State::Invalid;
            let matches = |(asn, max_len): (Asn, u8)| {
                // RFC 6483 §4: AS 0 originates nothing, whatever a path says.
                Some(asn) == origin && asn != Asn(0) && prefix.len() <= max_len
            };
            if self.of(at).any(matches) {
                return State::Valid;
            }
        }
        state
    }

    pub(super) fn covering(&self, prefix: K) -> impl Iterator<Item = (K, Asn, u8)> + '_ {
        self.chain(prefix).flat_map(move |at| {
            let of = self.prefixes.get(place(at)).copied();
            of.into_iter()
                .flat_map(move |key| self.of(at).map(move |(asn, max)| (key, asn, max)))
        })
    }

    pub(super) fn cover(&self, prefix: K) -> u64 {
        let longest = self.longest(prefix);
        longest.map_or(0, |at| (u64::from(at) + 1) << 8 | u64::from(prefix.len()))
    }

    /// Prefixes for which one of two tables has something else, in ascending order.
    pub(super) fn differing(&self, other: &Self, mut found: impl FnMut(K)) {
        let (mut at, mut of_other) = (0, 0);
        let (mut begin, mut begin_other) = (0, 0);
        loop {
            let here = self.prefixes.get(at).zip(self.ends.get(at));
            let there = other.prefixes.get(of_other).zip(other.ends.get(of_other));
            let order = match (here, there) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((one, _)), Some((two, _))) => one.cmp(two),
            };
            let mut differs = order != Ordering::Equal;
            if let (Some((_, end)), Some((_, end_other)), false) = (here, there, differs) {
                let one = place(begin)..place(*end);
                let two = place(begin_other)..place(*end_other);
                differs = self.asns.get(one.clone()) != other.asns.get(two.clone())
                    || self.max_lens.get(one) != other.max_lens.get(two);
            }
            let first = match order {
                Ordering::Less | Ordering::Equal => here,
                Ordering::Greater => there,
            };
            if let Some((prefix, _)) = first.filter(|_| differs) {
                found(*prefix);
            }
            if let Some((_, end)) = here.filter(|_| order != Ordering::Greater) {
                (at, begin) = (at + 1, *end);
            }
            if let Some((_, end)) = there.filter(|_| order != Ordering::Less) {
                (of_other, begin_other) = (of_other + 1, *end);
            }
        }
    }

    /// Places of the prefixes that contain this one, the longest first.
    fn chain(&self, prefix: K) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.longest(prefix), |at| self.parent(*at))
    }

    /// What stands beside a prefix.
    fn of(&self, at: u32) -> impl Iterator<Item = (Asn, u8)> + '_ {
        let begin = place(at).checked_sub(1).and_then(|at| self.ends.get(at));
        let begin = begin.copied().unwrap_or(0);
        let end = self.ends.get(place(at)).copied().unwrap_or(begin);
        let range = place(begin)..place(end);
        let asns = self.asns.get(range.clone()).unwrap_or_default();
        let max_lens = self.max_lens.get(range).unwrap_or_default();
        asns.iter().copied().zip(max_lens.iter().copied())
    }

    /// The longest of the prefixes that contains this one. One that contains it stands before it,
    /// and the nearest one before it is that prefix or lies within it.
    fn longest(&self, prefix: K) -> Option<u32> {
        let before = match self.prefixes.last() {
            // While the table is filled.
            Some(last) if *last <= prefix => self.prefixes.len(),
            Some(_) | None => {
                let (from, to) = self.alike(prefix);
                let alike = self.prefixes.get(from..to).unwrap_or_default();
                from + alike.partition_point(|it| *it <= prefix)
            }
        };
        let nearest = before.checked_sub(1).map(number);
        std::iter::successors(nearest, |at| self.parent(*at)).find(|at| {
            let candidate = self.prefixes.get(place(*at));
            candidate.is_some_and(|it| it.contains(prefix))
        })
    }

    /// Between which places prefixes with the same first two octets stand.
    fn alike(&self, prefix: K) -> (usize, usize) {
        let head = usize::from(prefix.head());
        match self.heads.get(head..head + 2) {
            Some([from, to]) => (place(*from), place(*to)),
            Some(_) | None => (0, self.prefixes.len()),
        }
    }

    fn parent(&self, at: u32) -> Option<u32> {
        let parent = self.parents.get(place(at)).copied();
        parent.filter(|parent| *parent != NONE)
    }
}

fn place(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// Tables are bounded far below what this cuts off.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}
