//! What of ours is in the kernel, as the kernel thread has told it.
//!
//! For nearly all routes that is a mark on the prefix in the tables, which costs nothing there; it
//! goes with the prefix, a moment before the kernel's entry does. A set is kept of what has no place
//! for a mark: entries that are no routes, routes of other routing tables, and what was there before
//! the tables knew of it.

use std::collections::HashSet;

use bgp::rib::Rib;
use bgp::{Nlri, Prefix};
use fib::Key;

/// Names of entries that are in the kernel.
#[derive(Debug)]
pub(super) struct Installed {
    table: u32,
    others: HashSet<Key>,
}

impl Installed {
    /// Routes go into this table.
    pub(super) fn new(table: u32) -> Self {
        Self {
            table,
            others: HashSet::new(),
        }
    }

    pub(super) fn insert(&mut self, rib: &mut Rib, key: Key) {
        match self.nlri(&key) {
            // Told before the tables had it, maybe.
            Some(nlri) if rib.mark(&nlri, true) => self.others.remove(&key),
            Some(_) | None => self.others.insert(key),
        };
    }

    pub(super) fn remove(&mut self, rib: &mut Rib, key: &Key) {
        if let Some(nlri) = self.nlri(key) {
            rib.mark(&nlri, false);
        }
        self.others.remove(key);
    }

    pub(super) fn contains(&self, rib: &Rib, key: &Key) -> bool {
        self.nlri(key).is_some_and(|nlri| rib.is_marked(&nlri)) || self.others.contains(key)
    }

    pub(super) fn len(&self, rib: &Rib) -> usize {
        rib.marked() + self.others.len()
    }

    /// The prefix whose mark says it.
    fn nlri(&self, key: &Key) -> Option<Nlri> {
        let Key::Route(route) = key else { return None };
        (route.table() == self.table).then(|| Nlri::from(Prefix::from(route.prefix())))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Instant;

    use bgp::AttributeSet;
    use bgp::attributes::NextHop;
    use bgp::family::PerFamily;
    use bgp::rib;

    use super::*;

    fn rib() -> Rib {
        let mut rib = Rib::new(bgp::rib::Config {
            router_id: Ipv4Addr::new(10, 0, 0, 1),
            cluster_id: Ipv4Addr::new(10, 0, 0, 1),
            client_to_client: true,
            confederation: None,
            multipath: PerFamily::default(),
            rules: bgp::rib::Rules::default(),
            seed: 1,
            track: PerFamily::default(),
        });
        for prefix in ["10.0.0.0/24", "10.0.0.0/25", "::/0"] {
            originate(&mut rib, prefix);
        }
        rib
    }

    fn originate(rib: &mut Rib, prefix: &str) {
        let set = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
        rib.handle(Instant::now(), rib::Input::Originate(nlri(prefix), set));
    }

    fn nlri(prefix: &str) -> Nlri {
        Nlri::from(prefix.parse::<Prefix>().unwrap())
    }

    fn route(table: u32, prefix: &str) -> Key {
        Key::Route(fib::RouteKey::new(table, prefix.parse().unwrap()))
    }

    #[test]
    fn an_entry_is_there_under_its_own_name_only() {
        let (mut rib, mut installed) = (rib(), Installed::new(254));
        let keys = [
            route(254, "10.0.0.0/24"),
            route(254, "10.0.0.0/25"),
            route(7, "10.0.0.0/24"),
            route(254, "::/0"),
            route(254, "192.0.2.0/24"),
            Key::Overlay(5),
        ];
        for (number, key) in keys.iter().enumerate() {
            assert!(!installed.contains(&rib, key));
            installed.insert(&mut rib, key.clone());
            installed.insert(&mut rib, key.clone());
            assert_eq!(installed.len(&rib), number + 1);
        }
        assert_eq!(rib.marked(), 3);
        for (number, key) in keys.iter().enumerate() {
            assert!(installed.contains(&rib, key));
            installed.remove(&mut rib, key);
            assert!(!installed.contains(&rib, key));
            assert_eq!(installed.len(&rib), keys.len() - number - 1);
        }
    }

    #[test]
    fn what_was_there_before_the_tables_had_it_is_counted_once() {
        let (mut rib, mut installed) = (rib(), Installed::new(254));
        let early = route(254, "192.0.2.0/24");
        installed.insert(&mut rib, early.clone());
        originate(&mut rib, "192.0.2.0/24");
        assert!(installed.contains(&rib, &early));
        installed.insert(&mut rib, early.clone());
        assert_eq!(installed.len(&rib), 1);
        rib.handle(Instant::now(), rib::Input::Retract(nlri("192.0.2.0/24")));
        while rib.poll().is_some() {}
        assert!(!installed.contains(&rib, &early));
        assert_eq!(installed.len(&rib), 0);
    }
}
