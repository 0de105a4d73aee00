//! What should be in the kernel, made of best paths and of what the kernel itself says.
//!
//! A next hop is resolved against the routes that others made (connected and static ones) and
//! against our own best routes, recursively, so that what is written always names an interface
//! or a gateway on one. Each unicast best path becomes one [`fib::Entry`] or the absence of one;
//! nothing is remembered per route, since the tables can be asked again when the ground changes.
//!
//! It writes nothing and decides nothing about routes; which entries the kernel has is `fib`'s
//! business.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp::rib::{Best, PeerId, Rib};
use bgp::{Nlri, Prefix};
use fib::{Address, Change, Entry, ForeignRoute, Interface, Key, Link, LinkKind, Links, NextHop};
use fib::{Route, RouteKey};

/// A next hop that leads to a next hop that leads to a next hop: enough for iBGP over BGP over a
/// static route, and an end for loops.
const DEPTH_MAX: usize = 4;

/// Different sets of next hops above which unused ones are looked for.
const SHARED_MAX: usize = 256;

/// The ground: devices, addresses and routes of others.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    pub(crate) links: Links,
    /// The kernel may hold several for a prefix, by metric and protocol; the lowest metric wins.
    foreign: BTreeMap<RouteKey, BTreeMap<(u32, u8), ForeignRoute>>,
    /// Prefixes with their best foreign route, for longest match.
    by_prefix: HashMap<Prefix, RouteKey>,
}

impl Ground {
    /// Takes a device's state in; true if next hops or tunnels may be affected.
    pub(crate) fn link(&mut self, link: Link) -> bool {
        let before = self.links.insert(link.clone());
        before.is_none_or(|before| {
            (before.mtu, before.up, before.running, &before.name)
                != (link.mtu, link.up, link.running, &link.name)
        })
    }

    /// A device is gone.
    pub(crate) fn link_removed(&mut self, index: u32) {
        self.links.remove(index);
    }

    /// An address came or went.
    pub(crate) fn address(&mut self, address: Address, removed: bool) {
        if removed {
            self.links.remove_address(address.index, address.address);
        } else {
            self.links.insert_address(address);
        }
    }

    /// A route of others came or went.
    pub(crate) fn route(&mut self, route: ForeignRoute, removed: bool) {
        let prefix = Prefix::from(route.key.prefix());
        let key = route.key;
        let same = self.foreign.entry(key).or_default();
        if removed {
            same.remove(&(route.metric, route.protocol));
        } else {
            same.insert((route.metric, route.protocol), route);
            self.by_prefix.insert(prefix, key);
        }
        if same.is_empty() {
            self.foreign.remove(&key);
            self.by_prefix.remove(&prefix);
        }
    }

    /// The route of others that wins among those to a prefix in a table.
    pub(crate) fn best_of(&self, key: &RouteKey) -> Option<&ForeignRoute> {
        self.foreign.get(key)?.values().next()
    }

    /// Prefixes, with their tables, to which others made routes.
    pub(crate) fn foreign_keys(&self) -> impl Iterator<Item = &RouteKey> {
        self.foreign.keys()
    }

    /// True if others made a route to exactly this prefix.
    pub(crate) fn has(&self, prefix: Prefix) -> bool {
        self.by_prefix.contains_key(&prefix)
    }

    /// True if others made a route to this prefix or one within.
    pub(crate) fn has_within(&self, prefix: Prefix) -> bool {
        self.by_prefix.keys().any(|inner| prefix.contains(*inner))
    }

    /// The most specific route of others to an address, the default route left out: a next hop
    /// that only the default route reaches is not known to be there.
    fn longest_match(&self, addr: IpAddr) -> Option<(Prefix, &ForeignRoute)> {
        prefixes_of(addr).find_map(|prefix| {
            let key = self.by_prefix.get(&prefix)?;
            Some((prefix, self.best_of(key)?))
        })
    }

    /// An own address of the other IP version on the interface that has `addr`.
    pub(crate) fn beside(&self, addr: IpAddr) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let holder = self
            .links
            .all_addresses()
            .find(|it| it.address.ip() == addr);
        let mut found = match addr {
            IpAddr::V4(addr) => (Some(addr), None),
            IpAddr::V6(addr) => (None, Some(addr)),
        };
        let Some(holder) = holder else { return found };
        for other in self.links.addresses(holder.index).filter(|it| it.usable) {
            match other.address.ip() {
                IpAddr::V4(addr) => {
                    found.0.get_or_insert(addr);
                }
                // A link-local address cannot stand alone as a global next hop.
                IpAddr::V6(addr) if !addr.is_unicast_link_local() => {
                    found.1.get_or_insert(addr);
                }
                IpAddr::V6(_) => {}
            }
        }
        found
    }

    /// The smallest MTU that packets to tunnel endpoints may meet: of the named interface, else
    /// of the interface that has the endpoint's address, else (an address on loopback) of those
    /// that lead to neighbours.
    pub(crate) fn underlay_mtu(
        &self,
        interface: Option<&str>,
        vtep: IpAddr,
        neighbors: impl Iterator<Item = IpAddr>,
    ) -> Option<u32> {
        if let Some(name) = interface {
            return self.links.named(&name.into()).map(|link| link.mtu);
        }
        let holder = self
            .links
            .all_addresses()
            .find(|it| it.address.ip() == vtep);
        let holder = holder.and_then(|it| self.links.get(it.index));
        if let Some(link) = holder
            && !matches!(link.kind, LinkKind::Loopback)
        {
            return Some(link.mtu);
        }
        neighbors
            .filter_map(|neighbor| {
                let (_, route) = self.longest_match(neighbor)?;
                let index = route.next_hops.iter().find_map(index_of)?;
                self.links.get(index).map(|link| link.mtu)
            })
            .min()
    }
}

fn index_of(next_hop: &NextHop) -> Option<u32> {
    match next_hop.interface {
        Some(Interface::Index(index)) => Some(index),
        Some(Interface::Name(_)) | None => None,
    }
}

/// The networks that contain an address, most specific first, without the default route.
fn prefixes_of(addr: IpAddr) -> impl Iterator<Item = Prefix> {
    let longest = if addr.is_ipv4() { 32 } else { 128 };
    (1..=longest)
        .rev()
        .filter_map(move |len| Prefix::new(addr, len))
}

/// Turns best paths into kernel entries.
#[derive(Debug)]
pub(crate) struct Install {
    pub(crate) ground: Ground,
    table: u32,
    /// Next hops that were resolved through routes of our own: when such a route changes, what
    /// depends on it has to be looked at again.
    recursive: HashSet<IpAddr>,
    /// Routes that are alike share one value.
    shared: HashSet<Arc<Route>>,
}

/// What a best path means for the kernel.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The entry or its absence.
    pub(crate) change: Change,
    /// Gateway of the first next hop and the index of its interface: whose tunnel it is.
    pub(crate) first: Option<(IpAddr, u32)>,
}

impl Install {
    pub(crate) fn new(table: u32) -> Self {
        Self {
            ground: Ground::default(),
            table,
            recursive: HashSet::new(),
            shared: HashSet::new(),
        }
    }

    /// The kernel's key of a prefix.
    pub(crate) fn key(&self, prefix: Prefix) -> RouteKey {
        RouteKey::new(self.table, prefix.into())
    }

    /// The kernel entry of a unicast best path; `None` for what is no unicast route.
    pub(crate) fn wish(&mut self, best: &Best, rib: &Rib) -> Option<Wish> {
        let prefix = match &best.nlri {
            Nlri::V4(prefix) => Prefix::V4(*prefix),
            Nlri::V6(prefix) => Prefix::V6(*prefix),
            Nlri::Evpn(_) => return None,
        };
        let key = self.key(prefix);
        let absent = Wish {
            change: Change::Unset(Key::Route(key)),
            first: None,
        };
        let Some(first) = best.paths.first() else {
            return Some(absent);
        };
        if first.peer == PeerId::LOCAL {
            // Our own networks are there already, or need not be (anycast on loopback).
            return Some(absent);
        }
        let mut next_hops: Vec<NextHop> = Vec::new();
        for path in &best.paths {
            for next_hop in self.resolve(path.attributes.next_hop().addr(), prefix, rib) {
                if !next_hops.contains(&next_hop) {
                    next_hops.push(next_hop);
                }
            }
        }
        let Some(first) = next_hops.first() else {
            return Some(absent);
        };
        let first = first.gateway.zip(index_of(first));
        let change = Change::Set(Entry::Route(key, self.shared(Route::via(next_hops))));
        Some(Wish { change, first })
    }

    fn shared(&mut self, route: Route) -> Arc<Route> {
        if let Some(known) = self.shared.get(&route) {
            return Arc::clone(known);
        }
        if self.shared.len() >= SHARED_MAX {
            self.shared.retain(|route| Arc::strong_count(route) > 1);
        }
        let route = Arc::new(route);
        self.shared.insert(Arc::clone(&route));
        route
    }

    /// Where packets to a next hop leave; empty when it is not reachable.
    fn resolve(&mut self, next_hop: IpAddr, of: Prefix, rib: &Rib) -> Vec<NextHop> {
        let mut addr = next_hop;
        for depth in 0..DEPTH_MAX {
            let foreign = self.ground.longest_match(addr);
            let foreign_len = foreign.map_or(0, |(prefix, _)| prefix.len());
            // A more specific route of our own goes before a shorter one of others.
            let own = prefixes_of(addr)
                .take_while(|prefix| prefix.len() > foreign_len)
                .filter(|prefix| *prefix != of)
                .find_map(|prefix| {
                    let route = rib.route(&Nlri::from(prefix))?;
                    let best = route.paths.into_iter().find(|path| path.best)?;
                    (best.peer != PeerId::LOCAL).then(|| best.attributes.next_hop().addr())
                });
            if let Some(via) = own {
                if depth == 0 {
                    self.recursive.insert(next_hop);
                }
                if via == addr {
                    return Vec::new();
                }
                addr = via;
                continue;
            }
            let Some((_, route)) = foreign else {
                return Vec::new();
            };
            return route
                .next_hops
                .iter()
                .filter_map(|way| {
                    let gateway = way.gateway.unwrap_or(addr);
                    let index = index_of(way)?;
                    let running = self.ground.links.get(index).is_some_and(|link| link.up);
                    running.then(|| NextHop::gateway(gateway).dev(Interface::Index(index)))
                })
                .collect();
        }
        Vec::new()
    }

    /// True if a change of this route may change where others lead.
    pub(crate) fn carries(&self, nlri: &Nlri) -> bool {
        nlri.prefix().is_some_and(|prefix| {
            self.recursive
                .iter()
                .any(|addr| prefix.contains_addr(*addr))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn static_route(metric: u32, gateway: [u8; 4]) -> ForeignRoute {
        ForeignRoute {
            key: RouteKey::main("10.9.0.0/16".parse().unwrap()),
            protocol: 4,
            metric,
            kind: fib::RouteKind::Unicast,
            next_hops: vec![NextHop::gateway(IpAddr::from(gateway)).dev(Interface::Index(1))],
        }
    }

    #[test]
    fn of_several_routes_to_a_prefix_the_lowest_metric_counts_and_one_going_leaves_the_rest() {
        let (near, far) = (
            static_route(5, [10, 0, 0, 1]),
            static_route(50, [10, 0, 0, 2]),
        );
        let addr = IpAddr::from([10, 9, 1, 1]);
        for order in [[&near, &far], [&far, &near]] {
            let mut ground = Ground::default();
            for route in order {
                ground.route(route.clone(), false);
            }
            assert_eq!(ground.longest_match(addr).map(|it| it.1), Some(&near));
            ground.route(near.clone(), true);
            assert_eq!(ground.longest_match(addr).map(|it| it.1), Some(&far));
            assert_eq!(ground.best_of(&far.key), Some(&far));
            ground.route(far.clone(), true);
            assert_eq!(ground.longest_match(addr), None);
            assert_eq!(ground.best_of(&far.key), None);
        }
    }
}
