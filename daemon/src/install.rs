//! What should be in the kernel, made of best paths and of what the kernel itself says.
//!
//! A next hop is resolved against the routes that others made (connected and static ones, which
//! [`crate::ground`] keeps) and against our own best routes, recursively, so that what is written
//! always names an interface or a gateway on one. Each unicast best path becomes one
//! [`fib::Entry`] or the absence of one; nothing is remembered per route, since the tables can be
//! asked again when the ground changes. What is remembered is where each next hop in use leads: it
//! makes a route cheap, and tells whether a change of the ground is of any consequence.
//!
//! It writes nothing and decides nothing about routes; which entries the kernel has is `fib`'s
//! business.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use bgp::attributes::{Attributes, Notes};
use bgp::family::PerFamily;
use bgp::policy::{Policy, Verdict};
use bgp::rib::{Best, BestPath, PeerId, Rib};
use bgp::{Nlri, Prefix, ScopedAddr};
use fib::{
    Change, Device, Entry, Interface, Key, Link, NextHop, Route, RouteKey, RouteKind, Share,
};
use foldhash::fast::RandomState;

use crate::config::{BandwidthUse, Distance};
use crate::ground::{Foreign, Ground, index_of, prefixes_of};
use crate::shares;

/// A next hop that leads to a next hop that leads to a next hop: enough for iBGP over BGP over a
/// static route, and an end for loops.
const DEPTH_MAX: usize = 4;

/// Different sets of next hops above which unused ones are looked for.
const SHARED_MIN: usize = 256;

/// Next hops that are remembered. Beyond that all are forgotten, and a change of the ground is one
/// for all routes.
const WAYS_MAX: usize = 1 << 16;

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

impl Way {
    /// Gateways, none for the device itself, with the names of devices.
    fn out(self) -> Vec<(Option<IpAddr>, Device)> {
        let gateways = self.hops.iter().map(|hop| hop.gateway);
        gateways.zip(self.devices).collect()
    }
}

/// What the configuration says about kernel routes, beside where they go.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Settings {
    pub(crate) distance: Distance,
    pub(crate) bandwidth: BandwidthUse,
    /// Networks that others lead to, too.
    pub(crate) backdoors: BTreeSet<Prefix>,
    /// What best routes pass on their way, by family.
    pub(crate) maps: PerFamily<Option<Policy>>,
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
        let news = self.settings != settings;
        self.settings = settings;
        news
    }

    /// How the route of a path stands in the kernel: what was noted where it was taken in, unless the
    /// map of its family says otherwise; `None` if that keeps it out.
    pub(crate) fn notes(&self, nlri: &Nlri, attributes: &Attributes) -> Option<Notes> {
        let Some(map) = self.settings.maps.get(nlri.family()) else {
            return Some(attributes.notes());
        };
        match map.evaluate(nlri, attributes, None) {
            Verdict::Reject => None,
            Verdict::Accept => Some(attributes.notes()),
            Verdict::Change { set, .. } => Some(set.notes),
        }
    }

    /// The kernel's priority of a path's route; `None` for one that is not written.
    pub(crate) fn metric(&self, prefix: Prefix, notes: Notes, external: bool) -> Option<u32> {
        let usual = match external {
            _ if self.is_backdoor(prefix) => self.settings.distance.backdoor,
            true => self.settings.distance.external,
            false => self.settings.distance.internal,
        };
        let distance = notes.distance.unwrap_or(usual);
        (distance < Distance::NEVER).then(|| distance.into())
    }

    /// Another way to the network goes before what neighbours say of it.
    pub(crate) fn is_backdoor(&self, prefix: Prefix) -> bool {
        !self.settings.backdoors.is_empty() && self.settings.backdoors.contains(&prefix)
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
        let notes = learned.and_then(|first| self.notes(&best.nlri, &first.attributes));
        let metric = learned.zip(notes);
        let metric = metric.and_then(|(first, notes)| self.metric(prefix, notes, first.external));
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
        let of = |path: &BestPath| (path.peer, rib.next_hop(path.peer, &path.attributes));
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
            // Each one's part of the traffic; counts where a way out has unequal parts of its own.
            let (mut parts, mut unequal): (Vec<f32>, bool) = (Vec::new(), false);
            for (at, (peer, addr)) in used.iter().enumerate() {
                let weight = weights.get(at).copied();
                if weight == Some(0) {
                    continue;
                }
                let ways = way(install, *addr).hops;
                let first = ways.first().map(|hop| hop.weight);
                unequal |= ways.iter().any(|hop| Some(hop.weight) != first);
                let whole: f32 = ways.iter().map(|hop| f32::from(hop.weight)).sum();
                for hop in ways {
                    let part = f32::from(weight.unwrap_or(1)) * f32::from(hop.weight) / whole;
                    let same = |known: &NextHop| {
                        (known.gateway, &known.interface, known.onlink)
                            == (hop.gateway, &hop.interface, hop.onlink)
                    };
                    let mut known = hops.iter_mut().zip(&mut parts);
                    match known.find(|(known, _)| same(known)) {
                        Some((known, of_known)) => {
                            known.weight += weight.unwrap_or(0);
                            *of_known += part;
                        }
                        None => {
                            let hop = hop.fate(install.fate(*peer));
                            hops.push(hop.weight(weight.unwrap_or(1)));
                            parts.push(part);
                        }
                    }
                }
            }
            if unequal {
                let weights = shares::of_parts(&parts);
                for (hop, weight) in hops.iter_mut().zip(weights) {
                    hop.weight = weight;
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

    /// Where packets to a next hop of a route leave: the gateway, none for the device itself, and the
    /// name of the device.
    pub(crate) fn ways_out(
        &mut self,
        next_hop: ScopedAddr,
        of: Prefix,
        rib: &Rib,
    ) -> Vec<(Option<IpAddr>, Device)> {
        let way = match self.deciding.contains_key(&of) {
            // A route does not decide about its own next hop.
            true => self.resolve(next_hop, Some(of), rib).0,
            false => self.way(next_hop, rib),
        };
        way.out()
    }

    /// Where packets to an address leave that is no route's next hop, the default route aside.
    pub(crate) fn ways_to(&self, addr: IpAddr, rib: &Rib) -> Vec<(Option<IpAddr>, Device)> {
        self.resolve(addr.into(), None, rib).0.out()
    }

    /// Where packets leave that no other route takes than the default one: that of others, else
    /// ours.
    pub(crate) fn ways_by_default(
        &self,
        addr: IpAddr,
        rib: &Rib,
    ) -> Vec<(Option<IpAddr>, Device)> {
        let unspecified: IpAddr = match addr {
            IpAddr::V4(_) => [0; 4].into(),
            IpAddr::V6(_) => [0; 16].into(),
        };
        let default = Prefix::new(unspecified, 0);
        let foreign = default.and_then(|default| self.ground.same(default));
        let out = foreign.map(|route| self.leave(route, addr).out());
        if let Some(out) = out.filter(|out| !out.is_empty()) {
            return out;
        }
        let route = default.and_then(|default| rib.route(&Nlri::from(default)));
        let best = route.and_then(|route| route.paths.into_iter().find(|path| path.best));
        let best = best.filter(|best| {
            let notes = best.attributes.notes();
            best.peer != PeerId::LOCAL && !notes.blackhole && self.ground.is_here(notes)
        });
        let via = best.map(|best| rib.next_hop(best.peer, &best.attributes));
        via.map(|via| self.resolve(via, default, rib).0.out())
            .unwrap_or_default()
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

    /// The ways out to an address that a static route to `of` has for a next hop, and the prefixes
    /// whose best path decides about that.
    ///
    /// A learned route is only asked where no other leads there: a route that is learned by way of
    /// the static one would otherwise take its ground away, and come and go for ever.
    pub(crate) fn ways_of_static(
        &self,
        addr: IpAddr,
        of: Prefix,
        rib: &Rib,
    ) -> (Vec<NextHop>, Vec<Prefix>) {
        if let Some((_, route)) = self.ground.longest_match_beside(addr, Some(of)) {
            return (self.leave(route, addr).hops, Vec::new());
        }
        let (way, deciding) = self.resolve_beside(addr.into(), Some(of), Some(of), rib);
        (way.hops, deciding)
    }

    /// Where packets to a next hop leave, and the prefixes whose best path decides about that. A
    /// route (`of`) has no say about its own next hop.
    fn resolve(&self, next_hop: ScopedAddr, of: Option<Prefix>, rib: &Rib) -> (Way, Vec<Prefix>) {
        self.resolve_beside(next_hop, of, None, rib)
    }

    /// The same without the static route to `beside`.
    fn resolve_beside(
        &self,
        next_hop: ScopedAddr,
        of: Option<Prefix>,
        beside: Option<Prefix>,
        rib: &Rib,
    ) -> (Way, Vec<Prefix>) {
        let mut named = next_hop;
        let mut deciding = Vec::new();
        for _ in 0..DEPTH_MAX {
            let addr = named.ip();
            if let Some(zone) = named.zone() {
                return (self.on_link(addr, zone), deciding);
            }
            let foreign = self.ground.longest_match_beside(addr, beside);
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
                let via = rib.next_hop(peer, &attributes);
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

    /// The way to a neighbour on the link of an interface, whatever the routing table says of the
    /// networks there.
    fn on_link(&self, addr: IpAddr, zone: &str) -> Way {
        let link = self.ground.zone(zone).filter(|link| link.up);
        let hop = |link: &Link| {
            if addr.is_unspecified() {
                // Behind a VRF's device its own table is asked.
                return NextHop::interface(Interface::Index(link.index));
            }
            let hop = NextHop::gateway(addr).dev(Interface::Index(link.index));
            // Linux believes a link-local one without being told.
            match ScopedAddr::from(addr).is_link_local() {
                true => hop,
                false => hop.onlink(),
            }
        };
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
            let out = NextHop::gateway(gateway).dev(Interface::Index(index));
            let out = out.weight(hop.weight);
            // A gateway that no network of the interface has is none for our route either.
            way.hops.push(match hop.onlink && hop.gateway.is_some() {
                true => out.onlink(),
                false => out,
            });
            way.devices.push(link.name.clone());
        }
        way
    }
}

#[cfg(test)]
pub(crate) mod tests;
