//! The ground that next hops stand on: devices, addresses and routes of others, as the kernel's
//! thread told them.
//!
//! Kept by table and prefix, small, since a host may have half a million routes of others. The static
//! routes of the configuration that can be used ([`crate::statics`]) are ground like those of others:
//! next hops stand on them, and they are announced where they are asked for. It is
//! asked which of them is the most specific to an address, and what an interface has; where packets
//! to a next hop really leave, our own best routes included, is worked out by [`crate::install`],
//! and which routes of others are announced by [`crate::own_routes`].
//!
//! Nothing is asked of the kernel here, and whether a change matters is for those who ask.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::config::StaticNextHop;
use bgp::attributes::Notes;
use bgp::{Prefix, ScopedAddr};
use fib::{Address, ForeignRoute, Interface, Link, LinkKind, Links, NextHop, RouteKey, RouteKind};

mod hosts;

use hosts::Hosts;

/// The ground: devices, addresses and routes of others.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) links: Links,
    /// By table and prefix; the kernel may hold several for a prefix.
    foreign: BTreeMap<u32, BTreeMap<Prefix, Same>>,
    /// Static routes of the configuration that are in use.
    fixed: Fixed,
    hosts: Hosts,
    /// The table that our routes are in.
    table: u32,
    /// In a VRF: the main table is another network's.
    pub(crate) in_vrf: bool,
}

impl Default for Ground {
    fn default() -> Self {
        Self::with_table(RouteKey::MAIN)
    }
}

impl Ground {
    /// Where our routes go into this table.
    pub(crate) fn with_table(table: u32) -> Self {
        Self {
            links: Links::default(),
            foreign: BTreeMap::new(),
            fixed: Fixed::new(),
            hosts: Hosts::default(),
            table,
            in_vrf: false,
        }
    }

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

    /// To be called after any change of a device: the prefixes, with their tables, that are those of
    /// its addresses alone and were not, or were and are not.
    pub(crate) fn settle_hosts(&mut self, index: u32) -> Vec<(u32, Prefix)> {
        self.hosts.settle(index, &self.links)
    }

    /// A route of others came or went.
    pub(crate) fn route(&mut self, route: ForeignRoute, removed: bool) {
        let prefix = Prefix::from(route.key.prefix());
        let table = self.foreign.entry(route.key.table()).or_default();
        let route = Foreign::of(&route);
        match (table.get_mut(&prefix), removed) {
            (Some(same), false) => same.insert(route),
            (None, false) => drop(table.insert(prefix, Same::One(route))),
            (Some(same), true) => {
                if same.remove(&route) {
                    table.remove(&prefix);
                }
            }
            (None, true) => {}
        }
    }

    /// Static routes of the configuration as they are now. Returns what they were before.
    pub(crate) fn set_fixed(&mut self, fixed: Fixed) -> Fixed {
        std::mem::replace(&mut self.fixed, fixed)
    }

    /// A static route that is in use.
    pub(crate) fn fixed(&self, table: u32, prefix: Prefix) -> Option<&FixedRoute> {
        self.fixed.get(&table)?.get(&prefix)
    }

    /// Tables whose routes packets to a next hop may take: that of our routes, and the main one,
    /// which has the networks of interfaces.
    fn tables(&self) -> impl Iterator<Item = u32> {
        let main = (self.table != RouteKey::MAIN && !self.in_vrf).then_some(RouteKey::MAIN);
        std::iter::once(self.table).chain(main)
    }

    /// True if the route with these notes goes where packets to next hops look.
    pub(crate) fn is_here(&self, notes: Notes) -> bool {
        notes.table.is_none_or(|table| table == self.table)
    }

    /// True if routes of others in this table have a say in where next hops lead.
    pub(crate) fn leads_by(&self, table: u32) -> bool {
        table == self.table || table == RouteKey::MAIN && !self.in_vrf
    }

    /// Nothing is told of any other tables.
    pub(crate) fn keep_tables(&mut self, tables: &BTreeSet<u32>) {
        self.foreign.retain(|table, _| tables.contains(table));
    }

    /// What may be announced of a table: routes that others or the configuration made, each prefix
    /// with the one that wins, and own addresses.
    pub(crate) fn announceable(&self, table: u32) -> impl Iterator<Item = (Prefix, &Foreign)> {
        let hosts = self.hosts.within(table).into_iter().flatten();
        let hosts = hosts.filter(move |(prefix, _)| self.best_in(table, **prefix).is_none());
        let hosts = hosts.map(|(prefix, route)| (*prefix, route));
        self.routes_in(table).chain(hosts)
    }

    /// The same of one prefix.
    pub(crate) fn announceable_at(&self, table: u32, prefix: Prefix) -> Option<&Foreign> {
        let host = || self.hosts.within(table)?.get(&prefix);
        self.best_in(table, prefix).or_else(host)
    }

    fn routes_in(&self, table: u32) -> impl Iterator<Item = (Prefix, &Foreign)> {
        let routes = self.foreign.get(&table).into_iter().flatten();
        let foreign = routes.filter_map(move |(prefix, same)| {
            let route = same.best()?;
            let fixed = self.fixed(table, *prefix);
            let wins = fixed.is_none_or(|fixed| route.metric <= fixed.route.metric);
            wins.then_some((*prefix, route))
        });
        let fixed = self.fixed.get(&table).into_iter().flatten();
        let fixed = fixed.filter(move |(prefix, fixed)| {
            let other = self.foreign_in(table, **prefix);
            other.is_none_or(|other| fixed.route.metric < other.metric)
        });
        foreign.chain(fixed.map(|(prefix, fixed)| (*prefix, &fixed.route)))
    }

    /// The route that wins among those to a prefix in a table that others, or the configuration,
    /// made.
    pub(crate) fn best_in(&self, table: u32, prefix: Prefix) -> Option<&Foreign> {
        let foreign = self.foreign_in(table, prefix);
        let fixed = self.fixed(table, prefix).map(|fixed| &fixed.route);
        match (foreign, fixed) {
            (Some(foreign), Some(fixed)) if fixed.metric < foreign.metric => Some(fixed),
            (Some(foreign), _) => Some(foreign),
            (None, fixed) => fixed,
        }
    }

    /// The same of others alone.
    pub(crate) fn foreign_in(&self, table: u32, prefix: Prefix) -> Option<&Foreign> {
        self.foreign.get(&table)?.get(&prefix)?.best()
    }

    /// The route of others that wins among those to a prefix in a table.
    pub(crate) fn best_of(&self, key: &RouteKey) -> Option<&Foreign> {
        self.best_in(key.table(), Prefix::from(key.prefix()))
    }

    /// Prefixes, with their tables, to which others made routes.
    pub(crate) fn foreign_keys(&self) -> impl Iterator<Item = RouteKey> {
        let tables = self.foreign.iter();
        tables.flat_map(|(table, routes)| {
            let key = |prefix: &Prefix| RouteKey::new(*table, (*prefix).into());
            routes.keys().map(key)
        })
    }

    /// True if others, or the configuration, made a route to exactly this prefix, or it is an address
    /// of ours.
    pub(crate) fn has(&self, prefix: Prefix) -> bool {
        let mut tables = self.tables();
        tables.any(|table| self.announceable_at(table, prefix).is_some())
    }

    /// The route of others, or of the configuration, to exactly this prefix.
    pub(crate) fn same(&self, prefix: Prefix) -> Option<&Foreign> {
        self.tables().find_map(|table| self.best_in(table, prefix))
    }

    /// The same of this prefix or one within.
    pub(crate) fn has_within(&self, prefix: Prefix) -> bool {
        // What is within comes right behind it.
        fn next<T>(table: Option<&BTreeMap<Prefix, T>>, prefix: Prefix) -> Option<&Prefix> {
            table?.range(prefix..).next().map(|(inner, _)| inner)
        }
        self.tables().any(|table| {
            let foreign = next(self.foreign.get(&table), prefix);
            let fixed = next(self.fixed.get(&table), prefix);
            let host = next(self.hosts.within(table), prefix);
            let mut all = foreign.into_iter().chain(fixed).chain(host);
            all.any(|inner| prefix.contains(*inner))
        })
    }

    /// The most specific route to an address that others, or the configuration, made, the default
    /// route left out: a next hop that only the default route reaches is not known to be there.
    pub(crate) fn longest_match(&self, addr: IpAddr) -> Option<(Prefix, &Foreign)> {
        self.longest_match_beside(addr, None)
    }

    /// The same without the static route that stands at `beside`.
    pub(crate) fn longest_match_beside(
        &self,
        addr: IpAddr,
        beside: Option<Prefix>,
    ) -> Option<(Prefix, &Foreign)> {
        prefixes_of(addr).find_map(|prefix| {
            let found = self
                .tables()
                .find_map(|table| match beside == Some(prefix) {
                    true => self.foreign_in(table, prefix),
                    false => self.best_in(table, prefix),
                })?;
            Some((prefix, found))
        })
    }

    /// Networks of interfaces that an address of others is on.
    pub(crate) fn networks_of(&self, addr: IpAddr) -> Vec<Prefix> {
        let networks = self.around(addr).map(|own| Prefix::from(own.address));
        let mut networks: Vec<Prefix> = networks.collect();
        networks.sort_unstable();
        networks.dedup();
        networks
    }

    /// The link of link-local addresses.
    pub(crate) fn zone(&self, name: &str) -> Option<&Link> {
        self.links.named(&name.into())
    }

    /// The device that an address is behind: the one whose link it belongs to, or that has an
    /// address of the same network, the narrowest one.
    pub(crate) fn device_of(&self, addr: ScopedAddr) -> Option<u32> {
        if let Some(zone) = addr.zone() {
            return self.zone(zone).map(|link| link.index);
        }
        let nearest = self
            .around(addr.ip())
            .max_by_key(|own| own.address.prefix());
        nearest.map(|own| own.index)
    }

    /// The device in a VRF, or with `default` in none, whose network an address is on.
    pub(crate) fn towards_in(&self, vrf: &str, addr: IpAddr) -> Option<u32> {
        let home = match vrf {
            StaticNextHop::DEFAULT_VRF => None,
            name => Some(self.zone(name)?.index),
        };
        let within = |own: &&Address| {
            let link = self.links.get(own.index).filter(|link| link.running);
            link.is_some_and(|link| self.vrf_of(link) == home)
        };
        let nearest = self.around(addr).filter(within);
        let nearest = nearest.filter(|own| own.address.ip() != addr);
        let nearest = nearest.max_by_key(|own| own.address.prefix());
        nearest.map(|own| own.index)
    }

    /// The VRF that a device is in.
    fn vrf_of(&self, link: &Link) -> Option<u32> {
        let master = self.links.get(link.master?)?;
        matches!(master.kind, LinkKind::Vrf { .. }).then_some(master.index)
    }

    /// Addresses of this host whose network an address is on.
    fn around(&self, addr: IpAddr) -> impl Iterator<Item = &Address> {
        let own = self.links.all_addresses();
        own.filter(move |own| Prefix::from(own.address).contains_addr(addr))
    }

    /// True for an address of this host; of link-local ones that of the link they belong to.
    pub(crate) fn is_own(&self, addr: ScopedAddr) -> bool {
        self.holder(addr).is_some()
    }

    /// An address of this host with its interface; of link-local ones that of the link they belong
    /// to.
    fn holder(&self, addr: ScopedAddr) -> Option<&Address> {
        let link = addr.zone().and_then(|zone| self.zone(zone));
        let here = |index| link.is_none_or(|link| link.index == index);
        let mut own = self.links.all_addresses();
        own.find(|own| own.address.ip() == addr.ip() && here(own.index))
    }

    /// True if a route of others leads to an address, or its link, through a device that is up.
    pub(crate) fn leads(&self, addr: ScopedAddr) -> bool {
        let up = |index| self.links.get(index).is_some_and(|link| link.up);
        if let Some(zone) = addr.zone() {
            return self.zone(zone).is_some_and(|link| link.up);
        }
        let route = self.longest_match(addr.ip()).map(|(_, route)| route);
        let mut devices = route
            .into_iter()
            .flat_map(|it| it.next_hops.iter().filter_map(index_of));
        devices.any(up)
    }

    /// Own addresses of both IP versions for a neighbour at `other`: that of the session, and one
    /// of the other version on the same interface. Where the session's is gone, what the interface
    /// towards the neighbour still has stands in for it.
    pub(crate) fn beside(
        &self,
        own: ScopedAddr,
        other: ScopedAddr,
        vrf: Option<&str>,
    ) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let of_session = match own.ip() {
            IpAddr::V4(addr) => (Some(addr), None),
            IpAddr::V6(addr) => (None, Some(addr)),
        };
        let holder = self.holder(own).map(|holder| holder.index);
        let Some(index) = holder.or_else(|| self.still_towards(other, vrf)) else {
            return of_session;
        };
        let mut found = match holder {
            Some(_) => of_session,
            None => (None, None),
        };
        let usable = self.links.addresses(index).filter(|it| it.usable);
        let mut usable: Vec<ScopedAddr> = usable.map(|it| (it.address.ip()).into()).collect();
        if holder.is_none() {
            // First those that the neighbour reaches without a router.
            let near = self.networks_of(other.ip());
            usable.sort_by_key(|it| !near.iter().any(|network| network.contains_addr(it.ip())));
        }
        for addr in usable {
            match addr.ip() {
                IpAddr::V4(addr) => {
                    found.0.get_or_insert(addr);
                }
                // A link-local address cannot stand alone as a global next hop, except in place
                // of another one.
                IpAddr::V6(v6) if !addr.is_link_local() || own.is_link_local() => {
                    found.1.get_or_insert(v6);
                }
                IpAddr::V6(_) => {}
            }
        }
        (found.0.or(of_session.0), found.1.or(of_session.1))
    }

    /// A link-local address of the interface that has `own`, if `other` is on its link; where `own`
    /// is gone, of the interface towards `other`.
    pub(crate) fn link_local_towards(
        &self,
        own: ScopedAddr,
        other: ScopedAddr,
        vrf: Option<&str>,
    ) -> Option<Ipv6Addr> {
        let index = match self.holder(own) {
            Some(holder) => {
                Some(holder.index).filter(|index| self.device_of(other) == Some(*index))
            }
            None => self.still_towards(other, vrf),
        }?;
        let mut addresses = self.links.addresses(index).filter(|it| it.usable);
        addresses.find_map(|it| match it.address.ip() {
            IpAddr::V6(addr) if addr.is_unicast_link_local() => Some(addr),
            IpAddr::V6(_) | IpAddr::V4(_) => None,
        })
    }

    /// The device that a neighbour is behind although the session's own address is gone. The same
    /// network in another VRF is another one.
    fn still_towards(&self, other: ScopedAddr, vrf: Option<&str>) -> Option<u32> {
        if other.zone().is_some() {
            return self.device_of(other);
        }
        let home = match vrf {
            Some(name) => Some(self.zone(name)?.index),
            None => None,
        };
        let within = |own: &&Address| {
            let link = self.links.get(own.index);
            link.is_some_and(|link| self.vrf_of(link) == home)
        };
        let nearest = self.around(other.ip()).filter(within);
        let nearest = nearest.max_by_key(|own| own.address.prefix());
        nearest.map(|own| own.index)
    }

    /// The smallest MTU that packets to tunnel endpoints may meet: of the named interface, else
    /// of the interface that has the endpoint's address, else (an address on loopback) of those
    /// that lead to neighbours.
    pub(crate) fn underlay_mtu(
        &self,
        interface: Option<&str>,
        vtep: IpAddr,
        neighbors: impl Iterator<Item = ScopedAddr>,
    ) -> Option<u32> {
        if let Some(name) = interface {
            return self.links.named(&name.into()).map(|link| link.mtu);
        }
        let holder = self.holder(vtep.into());
        let holder = holder.and_then(|it| self.links.get(it.index));
        if let Some(link) = holder
            && !matches!(link.kind, LinkKind::Loopback)
        {
            return Some(link.mtu);
        }
        neighbors
            .filter_map(|neighbor| {
                if let Some(zone) = neighbor.zone() {
                    return self.zone(zone).map(|link| link.mtu);
                }
                let (_, route) = self.longest_match(neighbor.ip())?;
                let index = route.next_hops.iter().find_map(index_of)?;
                self.links.get(index).map(|link| link.mtu)
            })
            .min()
    }
}

pub(crate) fn index_of(next_hop: &NextHop) -> Option<u32> {
    match next_hop.interface {
        Some(Interface::Index(index)) => Some(index),
        Some(Interface::Name(_)) | None => None,
    }
}

/// The networks that contain an address, most specific first, without the default route.
pub(crate) fn prefixes_of(addr: IpAddr) -> impl Iterator<Item = Prefix> {
    let longest = if addr.is_ipv4() { 32 } else { 128 };
    (1..=longest)
        .rev()
        .filter_map(move |len| Prefix::new(addr, len))
}

/// Static routes of the configuration that are in use, by table and prefix.
pub(crate) type Fixed = BTreeMap<u32, BTreeMap<Prefix, FixedRoute>>;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FixedRoute {
    /// As a route of others would look.
    pub(crate) route: Foreign,
    pub(crate) tag: Option<u32>,
}

/// A route of others without its name, and as small as it can be: a host may have half a million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) metric: u32,
    pub(crate) protocol: u8,
    pub(crate) kind: RouteKind,
    /// A static route of the configuration, and so none of others after all.
    pub(crate) fixed: bool,
    pub(crate) next_hops: Arc<[NextHop]>,
}

impl Foreign {
    fn of(route: &ForeignRoute) -> Self {
        Self {
            metric: route.metric,
            protocol: route.protocol,
            kind: route.kind,
            fixed: false,
            next_hops: Arc::clone(&route.next_hops),
        }
    }

    fn is_as(&self, other: &Self) -> bool {
        (self.metric, self.protocol) == (other.metric, other.protocol)
    }
}

/// Routes of others to one prefix in one table.
#[derive(Debug)]
enum Same {
    /// The usual case.
    One(Foreign),
    /// By metric and protocol; the first is the one that the kernel uses.
    Several(Vec<Foreign>),
}

impl Same {
    fn best(&self) -> Option<&Foreign> {
        match self {
            Self::One(route) => Some(route),
            Self::Several(routes) => routes.first(),
        }
    }

    fn insert(&mut self, route: Foreign) {
        let known = match self {
            Self::One(known) if known.is_as(&route) => {
                *known = route;
                return;
            }
            Self::One(known) => std::slice::from_ref(known),
            Self::Several(known) => known.as_slice(),
        };
        let others = known.iter().filter(|known| !known.is_as(&route));
        let mut all: Vec<Foreign> = others.cloned().chain([route.clone()]).collect();
        all.sort_by_key(|it| (it.metric, it.protocol));
        *self = Self::Several(all);
    }

    /// Returns whether none is left.
    fn remove(&mut self, route: &Foreign) -> bool {
        match self {
            Self::One(known) => known.is_as(route),
            Self::Several(known) => {
                known.retain(|known| !known.is_as(route));
                if let [last] = known.as_slice() {
                    *self = Self::One(last.clone());
                    return false;
                }
                known.is_empty()
            }
        }
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
            next_hops: [NextHop::gateway(IpAddr::from(gateway)).dev(Interface::Index(1))].into(),
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
            let found = |ground: &Ground| ground.longest_match(addr).map(|it| it.1.clone());
            assert_eq!(found(&ground), Some(Foreign::of(&near)));
            ground.route(near.clone(), true);
            assert_eq!(found(&ground), Some(Foreign::of(&far)));
            assert_eq!(ground.best_of(&far.key), Some(&Foreign::of(&far)));
            ground.route(far.clone(), true);
            assert_eq!(ground.longest_match(addr), None);
            assert_eq!(ground.best_of(&far.key), None);
        }
    }

    #[test]
    fn a_link_local_address_is_told_to_those_on_its_link() {
        let mut ground = Ground::default();
        for (index, name) in [(1, "eth0"), (2, "eth1")] {
            ground.links.insert(Link::new(index, name));
        }
        let mut own = |index, text, usable| {
            let address = address(index, text);
            ground.links.insert_address(Address { usable, ..address });
        };
        own(1, "2001:db8::1/64", true);
        own(1, "fe80::1/64", true);
        own(2, "2001:db8:1::1/64", true);
        own(2, "fe80::2/64", false);
        let towards = |own: &str, other: &str| {
            ground.link_local_towards(own.parse().unwrap(), other.parse().unwrap(), None)
        };
        let first: Ipv6Addr = "fe80::1".parse().unwrap();
        assert_eq!(towards("2001:db8::1", "2001:db8::9"), Some(first));
        assert_eq!(towards("fe80::1%eth0", "fe80::9%eth0"), Some(first));
        for (own, other) in [
            ("2001:db8::1", "2001:db8:9::9"),
            ("2001:db8::1", "2001:db8:1::9"),
            ("2001:db8:1::1", "2001:db8:1::9"),
            ("2001:db8:9::1", "2001:db8:9::9"),
        ] {
            assert_eq!(towards(own, other), None, "{own} to {other}");
        }
    }

    #[test]
    fn without_the_sessions_own_address_the_rest_of_the_interface_stands_in() {
        let mut ground = Ground::default();
        for (index, name) in [(1, "eth0"), (2, "eth1"), (3, "lo")] {
            ground.links.insert(Link::new(index, name));
        }
        for (index, text) in [
            (1, "10.1.0.1/24"),
            (1, "2001:db8:1::1/64"),
            (1, "2001:db8:7::1/64"),
            (1, "2001:db8:1::77/64"),
            (1, "fe80::1/64"),
            (2, "10.2.0.1/24"),
            (2, "fe80::2/64"),
            (3, "2001:db8:ff::1/128"),
        ] {
            ground.address(address(index, text), false);
        }
        let near = ["2001:db8:1::1", "2001:db8:1::2"];
        let v4 = Some("10.1.0.1");
        let before = told(&ground, near, None);
        assert_eq!(before, expected(v4, Some("2001:db8:1::1"), Some("fe80::1")));

        ground.address(address(1, "2001:db8:1::1/64"), true);
        let after = expected(v4, Some("2001:db8:1::77"), Some("fe80::1"));
        assert_eq!(told(&ground, near, None), after);
        let unusable = Address {
            usable: false,
            ..address(1, "2001:db8:1::77/64")
        };
        ground.address(unusable, false);
        let other_network = expected(v4, Some("2001:db8:7::1"), Some("fe80::1"));
        assert_eq!(told(&ground, near, None), other_network);
        // None but the session's: it stays, with the link-local one beside it.
        ground.address(address(1, "2001:db8:7::1/64"), true);
        let kept = expected(v4, Some("2001:db8:1::1"), Some("fe80::1"));
        assert_eq!(told(&ground, near, None), kept);
        // Nothing says any more that the neighbour is behind this device.
        ground.address(address(1, "2001:db8:1::77/64"), true);
        let alone = expected(None, Some("2001:db8:1::1"), None);
        assert_eq!(told(&ground, near, None), alone);
        let by_link = told(&ground, ["fe80::9%eth0", "fe80::8%eth0"], None);
        assert_eq!(by_link, expected(v4, Some("fe80::1"), Some("fe80::1")));

        let far = ["2001:db8:ff::1", "2001:db8:ff::2"];
        let on_loopback = expected(None, Some("2001:db8:ff::1"), None);
        assert_eq!(told(&ground, far, None), on_loopback);
        ground.address(address(3, "2001:db8:ff::1/128"), true);
        assert_eq!(told(&ground, far, None), on_loopback);
    }

    #[test]
    fn what_stands_in_for_a_lost_address_is_of_the_same_vrf() {
        let mut ground = Ground::default();
        let vrf = LinkKind::Vrf { table: 10 };
        ground.links.insert(Link {
            kind: vrf,
            ..Link::new(9, "red")
        });
        ground.links.insert(Link::new(1, "eth0"));
        ground.links.insert(Link {
            master: Some(9),
            ..Link::new(2, "eth1")
        });
        for (index, text) in [(1, "10.1.0.7/24"), (2, "10.1.0.8/24")] {
            ground.address(address(index, text), false);
        }
        ground.address(address(1, "fe80::1/64"), false);
        ground.address(address(2, "fe80::2/64"), false);
        let session = ["10.1.0.1", "10.1.0.2"];
        for (vrf, v4, link_local) in [
            (None, "10.1.0.7", Some("fe80::1")),
            (Some("red"), "10.1.0.8", Some("fe80::2")),
            (Some("blue"), "10.1.0.1", None),
        ] {
            let expected = expected(Some(v4), None, link_local);
            assert_eq!(told(&ground, session, vrf), expected, "{vrf:?}");
        }
    }

    type Told = (Option<Ipv4Addr>, Option<Ipv6Addr>, Option<Ipv6Addr>);

    fn expected(v4: Option<&str>, v6: Option<&str>, link_local: Option<&str>) -> Told {
        let v6 = [v6, link_local].map(|it| it.map(|it| it.parse().unwrap()));
        (v4.map(|it| it.parse().unwrap()), v6[0], v6[1])
    }

    fn told(ground: &Ground, session: [&str; 2], vrf: Option<&str>) -> Told {
        let [own, other]: [ScopedAddr; 2] = session.map(|it| it.parse().unwrap());
        let (v4, v6) = ground.beside(own, other, vrf);
        (v4, v6, ground.link_local_towards(own, other, vrf))
    }

    fn address(index: u32, text: &str) -> Address {
        Address {
            index,
            address: text.parse().unwrap(),
            peer: None,
            protocol: 0,
            usable: true,
            duplicate: false,
        }
    }
}
