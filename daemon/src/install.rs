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
use bgp::{Nlri, Prefix};
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
    /// Link-local addresses of neighbours, each with the number of its interface.
    pub(crate) on_link: HashMap<IpAddr, u32>,
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
            on_link: HashMap::new(),
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

    /// True if a route of others leads to an address through a device that is up.
    pub(crate) fn leads(&self, addr: IpAddr) -> bool {
        let up = |index| self.links.get(index).is_some_and(|link| link.up);
        if let Some(index) = self.on_link.get(&addr) {
            return up(*index);
        }
        let route = self.longest_match(addr).map(|(_, route)| route);
        let mut devices = route
            .into_iter()
            .flat_map(|it| it.next_hops.iter().filter_map(index_of));
        devices.any(up)
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
    ways: HashMap<IpAddr, Way, RandomState>,
    /// Prefixes whose best path of our own decides, or would decide, where next hops lead.
    deciding: HashMap<Prefix, BTreeSet<IpAddr>, RandomState>,
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
    used: Vec<(PeerId, IpAddr)>,
    /// Shares of the traffic; empty when they are equal.
    weights: Vec<u16>,
    next: Option<(PeerId, IpAddr)>,
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
        let of = |path: &BestPath| (path.peer, path.attributes.next_hop().addr());
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

    fn make(&mut self, paths: &Paths, mut way: impl FnMut(&mut Self, IpAddr) -> Way) -> Wanted {
        if paths.blackhole {
            let route = Route::refuse(RouteKind::Blackhole).metric(paths.metric);
            return Wanted {
                route: Some(Arc::new(route)),
                first: None,
            };
        }
        let mut hops = |install: &mut Self, used: &[(PeerId, IpAddr)], weights: &[u16]| {
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
    fn way(&mut self, next_hop: IpAddr, rib: &Rib) -> Way {
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
        let moved = |(addr, way): (&IpAddr, &Way)| self.resolve(*addr, None, rib).0 != *way;
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
    fn resolve(&self, next_hop: IpAddr, of: Option<Prefix>, rib: &Rib) -> (Way, Vec<Prefix>) {
        if let Some(index) = self.ground.on_link.get(&next_hop) {
            return (self.on_link(next_hop, *index), Vec::new());
        }
        let mut addr = next_hop;
        let mut deciding = Vec::new();
        for _ in 0..DEPTH_MAX {
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
                    (best.peer != PeerId::LOCAL && here).then_some(best.attributes)
                });
            if let Some(attributes) = own {
                // What is dropped leads nowhere.
                if attributes.notes().blackhole {
                    break;
                }
                let via = attributes.next_hop().addr();
                if via == addr {
                    break;
                }
                addr = via;
                continue;
            }
            let Some((_, route)) = foreign else { break };
            return (self.leave(route, addr), deciding);
        }
        (Way::default(), deciding)
    }

    /// The way to a neighbour on the link of an interface.
    fn on_link(&self, addr: IpAddr, index: u32) -> Way {
        let link = self.ground.links.get(index).filter(|link| link.up);
        let hop = |_: &Link| NextHop::gateway(addr).dev(Interface::Index(index));
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
mod tests {
    use std::time::Instant;

    use bgp::attributes::{self, AttributeSet, Segment, SegmentKind};
    use bgp::family::PerFamily;
    use bgp::message::Update;
    use bgp::nlri::NlriList;
    use bgp::policy::Policy;
    use bgp::rib::{Input, Output, PeerFacts, PeerFamily};
    use bgp::{Asn, Family};
    use ipnetwork::IpNetwork;

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

    const PEERS: [PeerId; 2] = [PeerId(1), PeerId(2)];

    /// Tables with two neighbours, 10.0.0.1 and 10.0.0.2, and the ground they stand on.
    fn world() -> (Install, Rib) {
        let mut rib = Rib::new(bgp::rib::Config {
            router_id: Ipv4Addr::new(10, 0, 0, 9),
            cluster_id: Ipv4Addr::new(10, 0, 0, 9),
            client_to_client: true,
            confederation: None,
            multipath: PerFamily::default(),
            rules: bgp::rib::Rules::default(),
            seed: 1,
            track: PerFamily {
                ipv4_unicast: true,
                ..PerFamily::default()
            },
        });
        for peer in PEERS {
            let settings = PeerFamily {
                enforce_first_as: false,
                ..PeerFamily::new(Policy::AcceptAll, Policy::AcceptAll)
            };
            let id = Ipv4Addr::new(10, 0, 0, u8::try_from(peer.0).unwrap());
            let own = (Asn(64600), IpAddr::from([10, 0, 0, 9]));
            let remote = (Asn(64512 + u32::from(peer.0)), id.into());
            let facts = PeerFacts::new(own, remote, id).family(Family::Ipv4Unicast, settings);
            let up = Input::PeerUp {
                peer,
                facts,
                restarting: false,
            };
            rib.handle(Instant::now(), up);
        }
        let mut install = Install::new(254, Share::FIRST);
        for (index, name) in [(1, "near"), (2, "far")] {
            install.ground.link(Link::new(index, name));
        }
        for (net, index) in [([10, 0, 0, 0], 1), ([10, 7, 0, 0], 2)] {
            let prefix = IpNetwork::new(IpAddr::from(net), 24).unwrap();
            install.ground.route(connected(prefix, index), false);
        }
        (install, rib)
    }

    fn connected(prefix: IpNetwork, index: u32) -> ForeignRoute {
        ForeignRoute {
            key: RouteKey::main(prefix),
            protocol: 2,
            metric: 0,
            kind: fib::RouteKind::Unicast,
            next_hops: [NextHop::interface(index)].into(),
        }
    }

    fn announce(rib: &mut Rib, peer: PeerId, prefix: &str, next_hop: [u8; 4], length: usize) {
        let Prefix::V4(prefix) = Prefix::from(prefix.parse::<IpNetwork>().unwrap()) else {
            panic!("not IPv4");
        };
        let mut set = AttributeSet::new(attributes::NextHop::V4(next_hop.into()));
        set.as_path.push(Segment {
            kind: SegmentKind::Sequence,
            asns: vec![Asn(64512 + u32::from(peer.0)); length],
        });
        let update = Update {
            announced: [(
                NlriList::V4([(0, prefix)].into_iter().collect()),
                Arc::new(set.freeze_with(1)),
            )]
            .into_iter()
            .collect(),
            ..Update::default()
        };
        rib.handle(Instant::now(), Input::Updates(peer, vec![update]));
    }

    /// What the tables tell, turned into routes; and whether others lead elsewhere because of it.
    fn told(install: &mut Install, rib: &mut Rib) -> (Vec<Route>, bool) {
        let (mut routes, mut moved) = (Vec::new(), false);
        while let Some(output) = rib.poll() {
            let Output::Best(best) = output else { continue };
            if let Change::Set(Entry::Route(_, route)) = install.wish(&best, rib).unwrap().change {
                routes.push(Route::clone(&route));
            }
            moved |= install.decides(&best.nlri, rib);
        }
        (routes, moved)
    }

    fn out(gateway: [u8; 4], index: u32, fate: u32) -> NextHop {
        NextHop::gateway(IpAddr::from(gateway))
            .dev(index)
            .fate(fate)
    }

    #[test]
    fn a_route_names_the_neighbour_it_is_lost_with_and_the_next_best_way_out() {
        let (mut install, mut rib) = world();
        announce(&mut rib, PEERS[0], "10.64.0.0/16", [10, 0, 0, 1], 1);
        announce(&mut rib, PEERS[1], "10.64.0.0/16", [10, 7, 0, 2], 2);
        let expected = Route::via([out([10, 0, 0, 1], 1, 1)]).spare([out([10, 7, 0, 2], 2, 2)]);
        assert_eq!(told(&mut install, &mut rib), (vec![expected], false));
    }

    #[test]
    fn shares_follow_bandwidths_and_the_distance_is_the_metric() {
        let (mut install, mut rib) = world();
        let both = bgp::rib::Multipath {
            paths: 2,
            as_path_relax: true,
        };
        rib.handle(
            Instant::now(),
            Input::SetMultipath(PerFamily {
                ipv4_unicast: both,
                ..PerFamily::default()
            }),
        );
        let with = |mbit_s, notes| {
            let mut set = AttributeSet::new(attributes::NextHop::V4([10, 0, 0, 1].into()));
            set.extended_communities = bandwidth(mbit_s);
            set.notes = notes;
            set
        };
        let key: Prefix = "10.64.0.0/16".parse().unwrap();
        let routes = |install: &mut Install, rib: &mut Rib, sets: [AttributeSet; 2]| {
            for (peer, mut set) in PEERS.into_iter().zip(sets) {
                if peer == PEERS[1] {
                    set.next_hop = attributes::NextHop::V4([10, 7, 0, 2].into());
                }
                let Prefix::V4(prefix) = key else {
                    panic!("not IPv4")
                };
                let list = NlriList::V4(vec![(0, prefix)].into());
                let update = Update {
                    announced: vec![(list, Arc::new(set.freeze_with(1)))].into(),
                    ..Update::default()
                };
                rib.handle(Instant::now(), Input::Updates(peer, vec![update]));
            }
            told(install, rib).0
        };
        let (near, far) = (out([10, 0, 0, 1], 1, 1), out([10, 7, 0, 2], 2, 2));
        let plain = Notes::default();
        let sets = [with(1000, plain), with(3000, plain)];
        let expected = Route::via([near.clone(), far.clone().weight(3)]);
        assert_eq!(routes(&mut install, &mut rib, sets).last(), Some(&expected));
        let sets = [with(1000, plain), with(0, plain)];
        let expected = Route::via([near.clone(), far]);
        assert_eq!(routes(&mut install, &mut rib, sets).last(), Some(&expected));
        let settings = Settings {
            bandwidth: BandwidthUse::SkipMissing,
            distance: Distance {
                external: 30,
                internal: 200,
            },
        };
        assert!(install.set(settings) && !install.set(settings));
        rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
        let expected = Route::via([near]).metric(30);
        assert_eq!(told(&mut install, &mut rib).0, [expected]);
        let near = Notes {
            distance: Some(7),
            blackhole: true,
            ..plain
        };
        let sets = [with(1, near), with(1, near)];
        let expected = Route::refuse(RouteKind::Blackhole).metric(7);
        assert_eq!(routes(&mut install, &mut rib, sets).last(), Some(&expected));
        let never = Notes {
            distance: Some(Distance::NEVER),
            ..plain
        };
        assert!(routes(&mut install, &mut rib, [with(1, never), with(1, never)]).is_empty());
    }

    fn bandwidth(mbit_s: u16) -> Vec<bgp::ExtendedCommunity> {
        let [a, b, c, d] = (f32::from(mbit_s) * 125_000.0).to_be_bytes();
        match mbit_s {
            0 => Vec::new(),
            _ => vec![bgp::ExtendedCommunity([0x40, 4, 0xfd, 0xe9, a, b, c, d])],
        }
    }

    #[test]
    fn a_change_of_the_ground_counts_when_a_next_hop_in_use_leads_elsewhere() {
        let (mut install, mut rib) = world();
        announce(&mut rib, PEERS[0], "10.64.0.0/16", [10, 0, 0, 1], 1);
        told(&mut install, &mut rib);
        install.ground.link(Link::new(3, "new"));
        let elsewhere = connected("10.8.0.0/24".parse().unwrap(), 3);
        install.ground.route(elsewhere, false);
        assert!(!install.ground_changed(&rib));
        let host = connected("10.0.0.1/32".parse().unwrap(), 3);
        install.ground.route(host, false);
        assert!(install.ground_changed(&rib));
        rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
        let (routes, _) = told(&mut install, &mut rib);
        assert_eq!(routes, [Route::via([out([10, 0, 0, 1], 3, 1)])]);
        assert!(!install.ground_changed(&rib));
        // Not reachable any longer, and again.
        install.ground.link(Link {
            up: false,
            ..Link::new(3, "new")
        });
        assert!(install.ground_changed(&rib));
        rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
        assert_eq!(told(&mut install, &mut rib), (vec![], false));
        install.ground.link(Link::new(3, "new"));
        assert!(install.ground_changed(&rib));
    }

    #[test]
    fn a_route_of_our_own_decides_where_next_hops_behind_it_lead_but_not_about_its_own() {
        let (mut install, mut rib) = world();
        // Reachable through nothing but the second route.
        announce(&mut rib, PEERS[0], "10.64.0.0/16", [10, 9, 9, 9], 1);
        assert_eq!(told(&mut install, &mut rib), (vec![], false));
        announce(&mut rib, PEERS[1], "10.9.9.0/24", [10, 7, 0, 2], 1);
        let (routes, moved) = told(&mut install, &mut rib);
        assert_eq!(routes, [Route::via([out([10, 7, 0, 2], 2, 2)])]);
        assert!(moved && install.ground_changed(&rib));
        rib.handle(Instant::now(), Input::Repeat(Family::Ipv4Unicast));
        let (routes, moved) = told(&mut install, &mut rib);
        assert!(
            routes.contains(&Route::via([out([10, 7, 0, 2], 2, 1)])),
            "{routes:?}"
        );
        assert!(!moved, "told again, it changes nothing");
        // Its next hop lies within it, and on a connected network that is less specific.
        announce(&mut rib, PEERS[0], "10.0.0.0/25", [10, 0, 0, 1], 1);
        let (routes, _) = told(&mut install, &mut rib);
        assert_eq!(routes, [Route::via([out([10, 0, 0, 1], 1, 1)])]);
    }

    #[test]
    fn an_aggregate_drops_what_no_more_specific_route_takes_unless_told_otherwise() {
        let prefix: Prefix = "10.64.0.0/10".parse().unwrap();
        for blackhole in [true, false] {
            let (mut install, mut rib) = world();
            let aggregate = bgp::rib::Aggregate {
                blackhole,
                ..bgp::rib::Aggregate::new(prefix, Asn(65009))
            };
            let now = Instant::now();
            rib.handle(now, Input::SetAggregates(vec![aggregate]));
            let own = AttributeSet::new(attributes::NextHop::V4(Ipv4Addr::UNSPECIFIED));
            let within: Prefix = "10.65.0.0/16".parse().unwrap();
            rib.handle(now, Input::Originate(Nlri::from(within), own));
            let mut routes = BTreeMap::new();
            while let Some(output) = rib.poll() {
                if let Output::Best(best) = output {
                    let wish = install.wish(&best, &rib).unwrap();
                    routes.insert(best.nlri.clone(), wish.change);
                }
            }
            let dropped = |route: &Route| route.kind == RouteKind::Blackhole;
            let change = &routes[&Nlri::from(prefix)];
            let written = matches!(change, Change::Set(Entry::Route(_, it)) if dropped(it));
            assert_eq!(written, blackhole);
            // A network of ours is not written.
            assert!(matches!(&routes[&Nlri::from(within)], Change::Unset(_)));
        }
    }
}
