//! VRPs of one IP version, by prefix.
//!
//! Each prefix stands once, in ascending order, with the place of the next shorter one that
//! contains it and the end of its own part of the lists of AS numbers and lengths. It is filled in
//! ascending order and not changed afterwards.

use super::State;
use crate::asn::Asn;
use crate::prefix::{Prefix4, Prefix6};

/// A prefix of one IP version. One that contains another stands before it.
pub(super) trait Network: Copy + Ord {
    fn contains(self, other: Self) -> bool;
    fn len(self) -> u8;
}

impl Network for Prefix4 {
    fn contains(self, other: Self) -> bool {
        Prefix4::contains(self, other)
    }

    fn len(self) -> u8 {
        Prefix4::len(self)
    }
}

impl Network for Prefix6 {
    fn contains(self, other: Self) -> bool {
        Prefix6::contains(self, other)
    }

    fn len(self) -> u8 {
        Prefix6::len(self)
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
}

const NONE: u32 = u32::MAX;

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            prefixes: Vec::new(),
            parents: Vec::new(),
            ends: Vec::new(),
            asns: Vec::new(),
            max_lens: Vec::new(),
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

    pub(super) fn shrink(&mut self) {
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
            Some(_) | None => self.prefixes.partition_point(|it| *it <= prefix),
        };
        let nearest = before.checked_sub(1).map(number);
        std::iter::successors(nearest, |at| self.parent(*at)).find(|at| {
            let candidate = self.prefixes.get(place(*at));
            candidate.is_some_and(|it| it.contains(prefix))
        })
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
