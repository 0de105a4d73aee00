//! What of ours is in the kernel, as the kernel thread has told it.
//!
//! There is an entry for each route, so it is small for nearly all of them: an IPv4 prefix of the
//! routing table we write to is five octets.

use std::collections::HashSet;

use fib::Key;
use foldhash::fast::RandomState;
use ipnetwork::IpNetwork;

/// Names of entries that are in the kernel.
#[derive(Debug)]
pub(super) struct Installed {
    table: u32,
    /// Address and length.
    v4: HashSet<[u8; 5], RandomState>,
    others: HashSet<Key>,
}

impl Installed {
    /// Routes go into this table.
    pub(super) fn new(table: u32) -> Self {
        Self {
            table,
            v4: HashSet::default(),
            others: HashSet::new(),
        }
    }

    pub(super) fn insert(&mut self, key: Key) {
        match self.short(&key) {
            Some(short) => self.v4.insert(short),
            None => self.others.insert(key),
        };
    }

    pub(super) fn remove(&mut self, key: &Key) {
        match self.short(key) {
            Some(short) => self.v4.remove(&short),
            None => self.others.remove(key),
        };
        if self.v4.len() < self.v4.capacity() / 8 {
            self.v4.shrink_to(2 * self.v4.len());
        }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        match self.short(key) {
            Some(short) => self.v4.contains(&short),
            None => self.others.contains(key),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.others.len()
    }

    fn short(&self, key: &Key) -> Option<[u8; 5]> {
        let Key::Route(route) = key else { return None };
        let IpNetwork::V4(prefix) = route.prefix() else {
            return None;
        };
        let [a, b, c, d] = prefix.network().octets();
        (route.table() == self.table).then_some([a, b, c, d, prefix.prefix()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_there_under_its_own_name_only() {
        let mut installed = Installed::new(254);
        let route =
            |table, prefix: &str| Key::Route(fib::RouteKey::new(table, prefix.parse().unwrap()));
        let keys = [
            route(254, "10.0.0.0/24"),
            route(254, "10.0.0.0/25"),
            route(7, "10.0.0.0/24"),
            route(254, "::/0"),
            Key::Overlay(5),
        ];
        for (number, key) in keys.iter().enumerate() {
            assert!(!installed.contains(key));
            installed.insert(key.clone());
            installed.insert(key.clone());
            assert_eq!(installed.len(), number + 1);
        }
        for (number, key) in keys.iter().enumerate() {
            assert!(installed.contains(key));
            installed.remove(key);
            assert!(!installed.contains(key));
            assert_eq!(installed.len(), keys.len() - number - 1);
        }
    }
}
