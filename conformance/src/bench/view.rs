//! What a neighbour has been told so far, route by route.
//!
//! Every distinct route is counted: a daemon that loses one of a million does not finish. All views
//! share one [`Index`] from prefix to number.

use std::ops::Range;
use std::sync::Arc;

use super::wire::{Hear, Prefix};

/// Numbers of prefixes.
#[derive(Debug, Default)]
pub struct Index {
    /// In the order in which they are sent, so that the next one is often the following one.
    keys: Vec<u64>,
    /// Open addressing; a number plus one, and zero where nothing is.
    slots: Vec<u32>,
}

impl Index {
    /// Of the prefixes in this order.
    pub fn new(prefixes: &[Prefix]) -> Self {
        let size = (prefixes.len() * 2).next_power_of_two();
        let mut index = Self {
            keys: prefixes.iter().map(|prefix| prefix.key()).collect(),
            slots: vec![0; size],
        };
        for (number, key) in (1..).zip(&index.keys) {
            let mut at = slot(*key, size);
            while index.slots.get(at).is_some_and(|taken| *taken != 0) {
                at = (at + 1) % size;
            }
            if let Some(free) = index.slots.get_mut(at) {
                *free = number;
            }
        }
        index
    }

    /// The number of a prefix; `guess` is tried first.
    fn find(&self, key: u64, guess: usize) -> Option<usize> {
        if self.keys.get(guess) == Some(&key) {
            return Some(guess);
        }
        let mut at = slot(key, self.slots.len());
        loop {
            let number = usize::try_from(*self.slots.get(at)?).ok()?.checked_sub(1)?;
            if self.keys.get(number) == Some(&key) {
                return Some(number);
            }
            at = (at + 1) % self.slots.len();
        }
    }
}

fn slot(key: u64, size: usize) -> usize {
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    usize::try_from(mixed).unwrap_or(0) & size.wrapping_sub(1)
}

/// What one neighbour holds.
#[derive(Debug)]
pub struct View {
    index: Arc<Index>,
    /// For each route, who told the daemon: 0 nobody (not here), otherwise a mark.
    marks: Vec<u8>,
    /// Routes of the neighbour itself; some daemons echo them, which counts for nothing.
    own: Range<usize>,
    /// AS number whose routes get a mark of their own.
    favourite: u32,
    next: usize,
    held: usize,
    from_favourite: usize,
    /// What was heard that nobody had sent.
    pub strangers: usize,
    /// Every route that was announced, also again.
    pub announcements: usize,
    /// VNI of an EVPN route, for those who check it.
    vni_of: Option<fn(u32) -> u32>,
}

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;
const FAVOURITE: u8 = 2;

impl View {
    /// Of IPv4 routes.
    pub fn unicast(index: &Arc<Index>) -> Self {
        Self::new(index, index.keys.len())
    }

    /// Of `count` EVPN routes.
    pub fn evpn(count: usize, vni_of: fn(u32) -> u32) -> Self {
        let mut view = Self::new(&Arc::new(Index::default()), count);
        view.vni_of = Some(vni_of);
        view
    }

    fn new(index: &Arc<Index>, count: usize) -> Self {
        Self {
            index: Arc::clone(index),
            marks: vec![ABSENT; count],
            own: 0..0,
            favourite: 0,
            next: 0,
            held: 0,
            from_favourite: 0,
            strangers: 0,
            announcements: 0,
            vni_of: None,
        }
    }

    /// Leaves out the neighbour's own routes.
    pub fn without(mut self, own: Range<usize>) -> Self {
        self.own = own;
        self
    }

    /// Counts routes that came to the daemon from this AS.
    pub fn watching(mut self, asn: u32) -> Self {
        self.favourite = asn;
        self
    }

    /// Distinct routes held now.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Those of them that came from the watched AS.
    pub fn from_favourite(&self) -> usize {
        self.from_favourite
    }

    /// How many it can hold.
    pub fn all(&self) -> usize {
        self.marks.len() - self.own.len()
    }

    fn set(&mut self, at: usize, mark: u8) {
        self.next = at + 1;
        if self.own.contains(&at) {
            return;
        }
        let Some(old) = self.marks.get_mut(at) else {
            self.strangers += 1;
            return;
        };
        self.held += usize::from(mark != ABSENT);
        self.held -= usize::from(*old != ABSENT);
        self.from_favourite += usize::from(mark == FAVOURITE);
        self.from_favourite -= usize::from(*old == FAVOURITE);
        *old = mark;
    }
}

impl Hear for View {
    fn announced(&mut self, prefix: Prefix, told_by: u32) {
        self.announcements += 1;
        let mark = match told_by == self.favourite {
            true => FAVOURITE,
            false => PRESENT,
        };
        match self.index.find(prefix.key(), self.next) {
            Some(at) => self.set(at, mark),
            None => self.strangers += 1,
        }
    }

    fn withdrawn(&mut self, prefix: Prefix) {
        match self.index.find(prefix.key(), self.next) {
            Some(at) => self.set(at, ABSENT),
            None => self.strangers += 1,
        }
    }

    fn announced_mac(&mut self, id: u32, vni: u32) {
        self.announcements += 1;
        let right = self.vni_of.is_some_and(|of| of(id) == vni);
        match usize::try_from(id) {
            Ok(at) if right => self.set(at, PRESENT),
            _ => self.strangers += 1,
        }
    }

    fn withdrawn_mac(&mut self, id: u32) {
        match usize::try_from(id) {
            Ok(at) => self.set(at, ABSENT),
            Err(_) => self.strangers += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Table;
    use super::*;

    #[test]
    fn each_prefix_counts_once_in_any_order() {
        let table = Table::generate(5000);
        let index = Arc::new(Index::new(table.prefixes()));
        let mut view = View::unicast(&index).watching(7);
        for prefix in table.prefixes().iter().rev() {
            view.announced(*prefix, 7);
            view.announced(*prefix, 8);
        }
        assert_eq!((view.held(), view.from_favourite()), (5000, 0));
        for prefix in table.prefixes().iter().take(100) {
            view.announced(*prefix, 7);
        }
        assert_eq!((view.held(), view.from_favourite()), (5000, 100));
        for prefix in table.prefixes().iter().take(200) {
            view.withdrawn(*prefix);
            view.withdrawn(*prefix);
        }
        assert_eq!((view.held(), view.from_favourite()), (4800, 0));
        assert_eq!(view.strangers, 0);
        view.announced(Prefix::new(0x0a00_0000, 24), 7);
        assert_eq!(view.strangers, 1);
    }

    #[test]
    fn own_routes_do_not_count() {
        let table = Table::generate(100);
        let index = Arc::new(Index::new(table.prefixes()));
        let mut view = View::unicast(&index).without(10..30);
        for prefix in table.prefixes() {
            view.announced(*prefix, 1);
        }
        assert_eq!((view.held(), view.all()), (80, 80));
    }
}
