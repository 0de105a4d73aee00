//! What should be in the kernel, made of best paths and of what the kernel itself says.
//!
//! A next hop is resolved against the routes that others made (connected and static ones) and
//! against our own best routes, recursively, so that what is written always names an interface
//! or a gateway on one. Each unicast best path becomes one [`fib::Entry`] or the absence of one;
//! nothing is remembered per route, since the tables can be asked again when the ground changes.
//! What is remembered is where each next hop in use leads: it makes a route cheap, and tells
//! whether a change of the ground is of any consequence.
//!
//! It writes nothing and decides nothing about routes; which entries the kernel has is `fib`'s
//! business.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp::attributes::Notes;
use bgp::rib::{Best, BestPath, PeerId, Rib};
use bgp::{Nlri, Prefix, ScopedAddr};
use fib::{Address, Change, Device, Entry, ForeignRoute, Interface, Key, Link, LinkKind, Links};
use fib::{NextHop, Route, RouteKey, RouteKind, Share};
use foldhash::fast::RandomState;

use crate::config::{BandwidthUse, Distance};
use crate::shares;

/// A next hop that leads to a next hop that leads to a next hop: enough for iBGP over BGP over a
/// static route, and an end for loops.
const DEPTH_MAX: usize = 4;

/// Different sets of next hops above which unused ones are looked for.
const SHARED_MIN: usize = 256;

/// Next hops that are remembered. Beyond that all are forgotten, and a change of the ground is one
/// for all routes.
const WAYS_MAX: usize = 1 << 16;

/// A route of others without its name, and as small as it can be: a host may have half a million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) metric: u32,
    pub(crate) protocol: u8,
    pub(crate) kind: RouteKind,
    pub(crate) next_hops: Arc<[NextHop]>,
}

impl Foreign {
    fn of(route: &ForeignRoute) -> Self {
        Self {
            metric: route.metric,
            protocol: route.protocol,
            kind: route.kind,
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

/// The ground: devices, addresses and routes of others.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) links: Links,
    /// By table and prefix; the kernel may hold several for a prefix.
    foreign: BTreeMap<u32, BTreeMap<Prefix, Same>>,
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

    /// Tables whose routes packets to a next hop may take: that of our routes, and the main one,
    /// which has the networks of interfaces.
    fn tables(&self) -> impl Iterator<Item = &BTreeMap<Prefix, Same>> {
        let main = (self.table != RouteKey::MAIN && !self.in_vrf).then_some(RouteKey::MAIN);
        let tables = std::iter::once(self.table).chain(main);
        tables.filter_map(|table| self.foreign.get(&table))
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

    /// Prefixes to which others made routes in a table, each with the one that wins.
    pub(crate) fn routes_in(&self, table: u32) -> impl Iterator<Item = (Prefix, &Foreign)> {
        let routes = self.foreign.get(&table).into_iter().flatten();
        routes.filter_map(|(prefix, same)| Some((*prefix, same.best()?)))
    }

    /// The route of others that wins among those to a prefix in a table.
    pub(crate) fn best_in(&self, table: u32, prefix: Prefix) -> Option<&Foreign> {
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

    /// True if others made a route to exactly this prefix.
    pub(crate) fn has(&self, prefix: Prefix) -> bool {
        self.tables().any(|table| table.contains_key(&prefix))
    }

    /// True if others made a route to this prefix or one within.
    pub(crate) fn has_within(&self, prefix: Prefix) -> bool {
        self.tables().any(|table| {
            // What is within comes right behind it.
            let next = table.range(prefix..).next();
            next.is_some_and(|(inner, _)| prefix.contains(*inner))
        })
    }

    /// The most specific route of others to an address, the default route left out: a next hop
    /// that only the default route reaches is not known to be there.
    fn longest_match(&self, addr: IpAddr) -> Option<(Prefix, &Foreign)> {
        prefixes_of(addr).find_map(|prefix| {
            let same = self.tables().find_map(|table| table.get(&prefix))?;
            Some((prefix, same.best()?))
        })
    }

    /// Networks of interfaces that an address of others is on.
    pub(crate) fn networks_of(&self, addr: IpAddr) -> Vec<Prefix> {
        let own = self.links.all_addresses();
        let networks = own.map(|own| Prefix::from(own.address));
        let mut networks: Vec<Prefix> = networks.filter(|it| it.contains_addr(addr)).collect();
        networks.sort_unstable();
        networks.dedup();
        networks
    }

    /// The link of link-local addresses.
    fn zone(&self, name: &str) -> Option<&Link> {
        self.links.named(&name.into())
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

    /// An own address of the other IP version on the interface that has `addr`.
    pub(crate) fn beside(&self, addr: ScopedAddr) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let link = addr.zone().and_then(|zone| self.zone(zone));
        let here = |index| link.is_none_or(|link| link.index == index);
        let holder = self
            .links
            .all_addresses()
            .find(|it| it.address.ip() == addr.ip() && here(it.index));
        let mut found = match addr.ip() {
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
        neighbors: impl Iterator<Item = ScopedAddr>,
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

fn index_of(next_hop: &NextHop) -> Option<u32> {
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

/// Turns best paths into kernel entries.
#[derive(Debug)]
pub(crate) struct Install {
    pub(crate) ground: Ground,
    table: u32,
    /// Which of several instances this is to the kernel's thread.
    share: Share,
    settings: Settings,
    /// Where the next hops in use lead, so that a route costs a look-up.
    ways: HashMap<ScopedAddr, Way, RandomState>,
    /// Prefixes whose best path of our own decides, or would decide, where next hops lead.
    deciding: HashMap<Prefix, BTreeSet<ScopedAddr>, RandomState>,
    /// More next hops than are kept were met.
    forgot: bool,
    /// Routes that are alike share one value.
    shared: HashMap<Paths, Wanted, RandomState>,
    shared_max: usize,
    /// The one that was asked for last; most routes are like the one before.
    last: Option<(Paths, Wanted)>,
    /// Prefixes whose route stands in another table, and in which.
    elsewhere: HashMap<Prefix, u32, RandomState>,
}

/// What a best path means for the kernel.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The entry or its absence.
    pub(crate) change: Change,
    /// It is in another table now: the absence of the one before.
    pub(crate) moved: Option<Change>,
    /// Gateway of the first next hop and the index of its interface: whose tunnel it is.
    pub(crate) first: Option<(IpAddr, u32)>,
}

/// Where packets to a next hop leave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Way {
    /// None when it is not reachable.
    hops: Vec<NextHop>,
    /// Names of their interfaces; whoever looks at those is told of a change as well.
    devices: Vec<Device>,
}

/// What the configuration says about kernel routes, beside where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Settings {
    pub(crate) distance: Distance,
    pub(crate) bandwidth: BandwidthUse,
}

/// Neighbours and their next hops: those in use, and the one that follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Paths {
    used: Vec<(PeerId, ScopedAddr)>,
    /// Shares of the traffic; empty when they are equal.
    weights: Vec<u16>,
    next: Option<(PeerId, ScopedAddr)>,
    metric: u32,
    blackhole: bool,
    /// Source address of what this host itself sends.
    src: Option<IpAddr>,
}

/// The kernel's side of [`Paths`].
#[derive(Debug, Clone)]
struct Wanted {
    /// None when nothing of it is reachable.
    route: Option<Arc<Route>>,
    first: Option<(IpAddr, u32)>,
}

impl Install {
    pub(crate) fn new(table: u32, share: Share) -> Self {
        Self {
            ground: Ground::with_table(table),
            table,
            share,
            settings: Settings::default(),
            ways: HashMap::default(),
            deciding: HashMap::default(),
            forgot: false,
            shared: HashMap::default(),
            shared_max: SHARED_MIN,
            last: None,
            elsewhere: HashMap::default(),
        }
    }

    /// What the configuration says now. Returns whether that is news, so that every best path is to
    /// be looked at again.
    pub(crate) fn set(&mut self, settings: Settings) -> bool {
        let before = std::mem::replace(&mut self.settings, settings);
        before != settings
    }

    /// The kernel's priority of a path's route; `None` for one that is not written.
    pub(crate) fn metric(&self, notes: Notes, external: bool) -> Option<u32> {
        let usual = match external {
            true => self.settings.distance.external,
            false => self.settings.distance.internal,
        };
        let distance = notes.distance.unwrap_or(usual);
        (distance < Distance::NEVER).then(|| distance.into())
    }

    /// The kernel's key of a prefix.
    pub(crate) fn key(&self, prefix: Prefix) -> RouteKey {
        let table = self.elsewhere.get(&prefix).copied();
        RouteKey::new(table.unwrap_or(self.table), prefix.into()).of(self.share)
    }

    /// Notes the table that a prefix's route is to be in. Returns what was there under another
    /// name.
    fn place(&mut self, prefix: Prefix, table: Option<u32>) -> Option<Change> {
        let table = table.filter(|table| *table != self.table);
        if table.is_none() && self.elsewhere.is_empty() {
            return None;
        }
        let before = self.key(prefix);
        match table {
            Some(table) => self.elsewhere.insert(prefix, table),
            None => self.elsewhere.remove(&prefix),
        };
        (self.key(prefix) != before).then_some(Change::Unset(Key::Route(before)))
    }

    /// The fate of next hops that a neighbour named: what is lost with its session. Neighbours of
    /// different instances have the same numbers.
    pub(crate) fn fate(&self, peer: PeerId) -> u32 {
        u32::from(self.share.0) << 16 | u32::from(peer.0)
    }

    /// The kernel entry of a unicast best path; `None` for what is no unicast route.
    pub(crate) fn wish(&mut self, best: &Best, rib: &Rib) -> Option<Wish> {
        let prefix = best.nlri.prefix()?;
        // Our own networks are there already, or need not be (anycast on loopback). An aggregate
        // drops what no more specific route takes.
        let first = best.paths.first();
        let dropped = |first: &BestPath| first.attributes.notes().blackhole;
        let learned = first.filter(|first| first.peer != PeerId::LOCAL || dropped(first));
        let notes = learned.map(|first| first.attributes.notes());
        let metric = learned.zip(notes);
        let metric = metric.and_then(|(first, notes)| self.metric(notes, first.external));
        let moved = self.place(prefix, notes.and_then(|notes| notes.table));
        let key = self.key(prefix);
        let wanted = metric.zip(notes);
        let wanted = wanted.map(|(metric, notes)| self.wanted(best, metric, notes, prefix, rib));
        let first = wanted.as_ref().and_then(|wanted| wanted.first);
        let change = match wanted.and_then(|wanted| wanted.route) {
            Some(route) => Change::Set(Entry::Route(key, route)),
            None => Change::Unset(Key::Route(key)),
        };
        Some(Wish {
            change,
            moved,
            first,
        })
    }

    fn wanted(
        &mut self,
        best: &Best,
        metric: u32,
        Notes { blackhole, src, .. }: Notes,
        prefix: Prefix,
        rib: &Rib,
    ) -> Wanted {
        let of = |path: &BestPath| {
            (
                path.peer,
                rib.next_hop(path.peer, path.attributes.next_hop()),
            )
        };
        let next = best.next_best.as_ref().map(of);
        let next = next.filter(|(peer, _)| *peer != PeerId::LOCAL);
        let weights = self.weights(best);
        if let Some((last, wanted)) = &self.last
            && last.next == next
            && (last.metric, last.blackhole, last.src) == (metric, blackhole, src)
            && last.weights == weights
            && last.used.iter().copied().eq(best.paths.iter().map(of))
            && !self.deciding.contains_key(&prefix)
        {
            return wanted.clone();
        }
        let used = best.paths.iter().map(of).collect();
        let paths = Paths {
            used,
            weights,
            next,
            metric,
            blackhole,
            src,
        };
        let wanted = match self.shared.get(&paths) {
            Some(wanted) => wanted.clone(),
            None => {
                let wanted = self.make(&paths, |install, addr| install.way(addr, rib));
                self.share(paths.clone(), wanted.clone());
                wanted
            }
        };
        if self.deciding.contains_key(&prefix) {
            // A route does not decide about its own next hop.
            let way = |install: &mut Self, addr| install.resolve(addr, Some(prefix), rib).0;
            return self.make(&paths, way);
        }
        self.last = Some((paths, wanted.clone()));
        wanted
    }

    fn weights(&self, best: &Best) -> Vec<u16> {
        if best.paths.len() < 2 {
            return Vec::new();
        }
        let of = |path: &BestPath| path.attributes.link_bandwidth();
        let bandwidths: Vec<Option<f32>> = best.paths.iter().map(of).collect();
        shares::weights(&bandwidths, self.settings.bandwidth)
    }

    fn make(
        &mut self,
        paths: &Paths,
        mut way: impl FnMut(&mut Self, ScopedAddr) -> Way,
    ) -> Wanted {
        if paths.blackhole {
            let route = Route::refuse(RouteKind::Blackhole).metric(paths.metric);
            return Wanted {
                route: Some(Arc::new(route)),
                first: None,
            };
        }
        let mut hops = |install: &mut Self, used: &[(PeerId, ScopedAddr)], weights: &[u16]| {
            let mut hops: Vec<NextHop> = Vec::new();
            for (at, (peer, addr)) in used.iter().enumerate() {
                let weight = weights.get(at).copied();
                if weight == Some(0) {
                    continue;
                }
                for hop in way(install, *addr).hops {
                    let same = |known: &&mut NextHop| {
                        (known.gateway, &known.interface, known.onlink)
                            == (hop.gateway, &hop.interface, hop.onlink)
                    };
                    match (hops.iter_mut().find(same), weight) {
                        (Some(known), Some(weight)) => known.weight += weight,
                        (Some(_), None) => {}
                        (None, weight) => {
                            let hop = hop.fate(install.fate(*peer));
                            hops.push(hop.weight(weight.unwrap_or(1)));
                        }
                    }
                }
            }
            hops
        };
        let next_hops = hops(self, &paths.used, &paths.weights);
        let spare = hops(self, paths.next.as_slice(), &[]);
        let first = next_hops.first();
        let first = first.and_then(|first| first.gateway.zip(index_of(first)));
        let mut route = Route::via(next_hops).spare(spare).metric(paths.metric);
        route.source = paths.src;
        Wanted {
            route: (!route.next_hops.is_empty()).then(|| Arc::new(route)),
            first,
        }
    }

    fn share(&mut self, paths: Paths, wanted: Wanted) {
        if self.shared.len() >= self.shared_max {
            let in_use = |wanted: &mut Wanted| {
                wanted
                    .route
                    .as_ref()
                    .is_some_and(|route| Arc::strong_count(route) > 1)
            };
            self.shared.retain(|_, wanted| in_use(wanted));
            self.shared_max = (2 * self.shared.len()).max(SHARED_MIN);
        }
        self.shared.insert(paths, wanted);
    }

    /// As [`Install::resolve`], from memory.
    fn way(&mut self, next_hop: ScopedAddr, rib: &Rib) -> Way {
        if let Some(known) = self.ways.get(&next_hop) {
            return known.clone();
        }
        if self.ways.len() >= WAYS_MAX {
            self.forget();
            self.forgot = true;
        }
        let (way, deciding) = self.resolve(next_hop, None, rib);
        for prefix in deciding {
            self.deciding.entry(prefix).or_default().insert(next_hop);
        }
        self.ways.insert(next_hop, way.clone());
        way
    }

    fn forget(&mut self) {
        self.ways.clear();
        self.deciding.clear();
        self.shared.clear();
        self.last = None;
    }

    /// Devices, addresses or routes of others changed. Returns whether next hops in use lead
    /// elsewhere now, so that every best path is to be looked at again.
    pub(crate) fn ground_changed(&mut self, rib: &Rib) -> bool {
        let moved = |(addr, way): (&ScopedAddr, &Way)| self.resolve(*addr, None, rib).0 != *way;
        let moved = self.forgot || self.ways.iter().any(moved);
        if moved {
            self.forget();
            self.forgot = false;
        }
        moved
    }

    /// The best path of this route changed. Returns whether others lead elsewhere because of that.
    pub(crate) fn decides(&self, nlri: &Nlri, rib: &Rib) -> bool {
        if self.deciding.is_empty() {
            return false;
        }
        let affected = nlri.prefix().and_then(|prefix| self.deciding.get(&prefix));
        affected.is_some_and(|affected| {
            let moved = |addr| self.ways.get(addr) != Some(&self.resolve(*addr, None, rib).0);
            affected.iter().any(moved)
        })
    }

    /// Where packets to a next hop leave, and the prefixes whose best path decides about that. A
    /// route (`of`) has no say about its own next hop.
    fn resolve(&self, next_hop: ScopedAddr, of: Option<Prefix>, rib: &Rib) -> (Way, Vec<Prefix>) {
        let mut named = next_hop;
        let mut deciding = Vec::new();
        for _ in 0..DEPTH_MAX {
            let addr = named.ip();
            if let Some(zone) = named.zone() {
                return (self.on_link(addr, zone), deciding);
            }
            let foreign = self.ground.longest_match(addr);
            let foreign_len = foreign.map_or(0, |(prefix, _)| prefix.len());
            // A more specific route of our own goes before a shorter one of others.
            let longer: Vec<Prefix> = prefixes_of(addr)
                .take_while(|prefix| prefix.len() > foreign_len)
                .collect();
            deciding.extend_from_slice(&longer);
            let own = longer
                .into_iter()
                .filter(|prefix| Some(*prefix) != of)
                .find_map(|prefix| {
                    let route = rib.route(&Nlri::from(prefix))?;
                    let best = route.paths.into_iter().find(|path| path.best)?;
                    // What is in another table has no say about packets of this one.
                    let here = self.ground.is_here(best.attributes.notes());
                    (best.peer != PeerId::LOCAL && here).then_some((best.peer, best.attributes))
                });
            if let Some((peer, attributes)) = own {
                // What is dropped leads nowhere.
                if attributes.notes().blackhole {
                    break;
                }
                let via = rib.next_hop(peer, attributes.next_hop());
                if via == named {
                    break;
                }
                named = via;
                continue;
            }
            let Some((_, route)) = foreign else { break };
            return (self.leave(route, addr), deciding);
        }
        (Way::default(), deciding)
    }

    /// The way to a neighbour on the link of an interface, whatever the routing table says of
    /// link-local networks.
    fn on_link(&self, addr: IpAddr, zone: &str) -> Way {
        let link = self.ground.zone(zone).filter(|link| link.up);
        let hop = |link: &Link| NextHop::gateway(addr).dev(Interface::Index(link.index));
        Way {
            hops: link.map(hop).into_iter().collect(),
            devices: link.map(|link| link.name.clone()).into_iter().collect(),
        }
    }

    /// The ways out of a route of others, for an address behind it.
    fn leave(&self, route: &Foreign, addr: IpAddr) -> Way {
        let mut way = Way::default();
        for hop in route.next_hops.iter() {
            let Some(index) = index_of(hop) else { continue };
            let link = self.ground.links.get(index).filter(|link| link.up);
            let Some(link) = link else { continue };
            let gateway = hop.gateway.unwrap_or(addr);
            way.hops
                .push(NextHop::gateway(gateway).dev(Interface::Index(index)));
            way.devices.push(link.name.clone());
        }
        way
    }
}

#[cfg(test)]
mod tests;
