//! Static routes: which of those in the configuration can be used, and where they lead.
//!
//! [`Statics::settle`] works it out anew from the ground and the tables, as often as either changes:
//! the way out of each next hop, of what has a way the route, and of several routes to a prefix in a
//! table the one with the lowest distance. It says which places differ from before. What is in use
//! becomes part of the ground ([`crate::ground`]), so next hops of learned routes and of other static
//! routes stand on it, and it is redistributed where that is asked for. In the kernel it stands
//! beside learned routes to the prefix, with its distance as the metric.
//!
//! A next hop with an interface is used while that is up and has carrier. One in another VRF leaves through
//! the interface there whose network it is on. One without is looked up in
//! the routing tables, again and again until it is known by interface and router: connected
//! networks, routes of other programs and other static routes go before learned ones, and the
//! default route does not count. One that BFD watches is used while its session is up, too
//! ([`Paths`]). No route has a say about its own next hop, nor two about each other's:
//! everything begins without static routes and adds those that stand on what is there already.
//!
//! Nothing is written here, and nothing remembered but what is needed to tell a difference. Routes
//! that several routers learn by way of each other's static routes may still come and go, as they do
//! with every router that looks next hops up.

mod paths;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use bgp::Prefix;
use bgp::rib::Rib;
use fib::{Change, Device, Entry, Interface, Key, NextHop, Route, RouteKey, RouteKind, Share};

use crate::config::{
    Bfd, BfdPath, Config, Refusal, StaticKey, StaticNextHop, StaticRoute, StaticWay,
};
use crate::ground::{Fixed, FixedRoute, Foreign, Ground};
use crate::install::Install;
pub(crate) use paths::{PathNews, Paths};

/// What route sources call it (`RTPROT_STATIC`).
const RTPROT_STATIC: u8 = 4;

/// FRR's number of staticd's routes (`RTPROT_ZSTATIC`).
const FRRS_STATIC: u8 = 196;

/// How often routes are looked at that stand on each other. Each further one is a static route by way
/// of a static route.
const ROUNDS_MAX: usize = 8;

/// The static routes of an instance.
#[derive(Debug, Default)]
pub(crate) struct Statics {
    /// By table and prefix, nearest first.
    routes: BTreeMap<Place, Vec<StaticRoute>>,
    used: BTreeMap<Place, Used>,
    /// Prefixes whose best path has a say in where next hops lead.
    deciding: HashSet<Prefix>,
    paths: Paths,
    /// The kernel has routes of a run before: nothing takes the place of one that BFD has yet to speak of.
    patient: bool,
}

/// Table and prefix.
type Place = (u32, Prefix);

/// A route that is in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Used {
    distance: u8,
    tag: Option<u32>,
    route: Arc<Route>,
}

/// How a static route stands.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) route: &'a StaticRoute,
    pub(crate) table: u32,
    /// What the kernel should have; `None` while another one is used, or none can be.
    pub(crate) used: Option<&'a Route>,
    /// Why it is not used, or not with all of its next hops.
    pub(crate) why: Option<String>,
}

impl Statics {
    /// The configuration says this now. True if that is news, so that [`Statics::settle`] is due.
    pub(crate) fn set(&mut self, config: &Config) -> bool {
        let mut routes: BTreeMap<Place, Vec<StaticRoute>> = BTreeMap::new();
        for route in &config.static_routes {
            let place = (config.table_of(route.key), route.key.prefix);
            routes.entry(place).or_default().push(route.clone());
        }
        for same in routes.values_mut() {
            same.sort_by_key(|route| route.key.distance);
        }
        let news = routes != self.routes;
        self.routes = routes;
        self.paths.vrf.clone_from(&config.vrf);
        news
    }

    /// Whether routes of a run before are in the kernel, which wait until BFD has come up again.
    pub(crate) fn wait_for_paths(&mut self, patient: bool) {
        self.patient = patient;
    }

    /// Whether some do.
    pub(crate) fn awaits_paths(&self) -> bool {
        self.patient && self.paths.are_awaited()
    }

    /// What BFD says of the routers.
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Which paths are to be watched no more, and which are, or in another way.
    pub(crate) fn rewatch(&mut self) -> (Vec<BfdPath>, Vec<(BfdPath, Bfd)>) {
        let hops = self.routes.values().flatten().flat_map(|it| match &it.way {
            StaticWay::Via(hops) => hops.as_slice(),
            StaticWay::Refuse(_) => &[],
        });
        let vrf = self.paths.vrf.as_deref();
        let watched = hops.filter_map(|hop| hop.watched(vrf));
        let wanted = watched.map(|(path, settings)| (path, settings.clone()));
        self.paths.want(wanted.collect())
    }

    /// Tables in which there are any.
    pub(crate) fn tables(config: &Config) -> impl Iterator<Item = u32> + '_ {
        let keys = config.static_routes.iter().map(|route| route.key);
        keys.map(|key| config.table_of(key))
    }

    /// True if the best path to this prefix has a say.
    pub(crate) fn depends_on(&self, prefix: Prefix) -> bool {
        self.deciding.contains(&prefix)
    }

    /// The ground, the tables or the configuration changed. The ground is as it should be then.
    /// Returns where that is not what it was.
    pub(crate) fn settle(&mut self, install: &mut Install, rib: &Rib) -> Vec<Place> {
        if self.routes.is_empty() && self.used.is_empty() {
            return Vec::new();
        }
        let before = install.ground.set_fixed(Fixed::new());
        let mut used = BTreeMap::new();
        for _ in 0..ROUNDS_MAX {
            self.deciding.clear();
            let found = self.usable(install, rib);
            let more = found != used;
            used = found;
            install.ground.set_fixed(fixed(&used));
            if !more {
                break;
            }
        }
        let former = std::mem::replace(&mut self.used, used);
        let now = &self.used;
        let places: BTreeSet<Place> = former.keys().chain(now.keys()).copied().collect();
        let differs = |place: &Place| former.get(place) != now.get(place);
        let changed: Vec<Place> = places.into_iter().filter(differs).collect();
        debug_assert!(!changed.is_empty() || before == fixed(&self.used));
        changed
    }

    /// What can be used on the ground as it is.
    fn usable(&mut self, install: &Install, rib: &Rib) -> BTreeMap<Place, Used> {
        let mut usable = BTreeMap::new();
        for (place, routes) in &self.routes {
            for route in routes {
                let (entry, deciding) = entry(route, &self.paths, install, rib);
                self.deciding.extend(deciding);
                if let Ok(entry) = entry {
                    let used = Used {
                        distance: route.key.distance,
                        tag: route.tag,
                        route: Arc::new(entry),
                    };
                    usable.insert(*place, used);
                    break;
                }
                if self.patient && self.paths.awaits(route) {
                    break;
                }
            }
        }
        usable
    }

    /// The prefixes to which FRR's staticd has a route behind ours: it is at work beside us, or was before us.
    pub(crate) fn before_frrs<'a>(&'a self, ground: &'a Ground) -> impl Iterator<Item = Prefix> {
        let behind = |((table, prefix), used): (&Place, &Used)| {
            let other = ground.foreign_in(*table, *prefix)?;
            let theirs = other.protocol == FRRS_STATIC && u32::from(used.distance) < other.metric;
            theirs.then_some(*prefix)
        };
        self.used.iter().filter_map(behind)
    }

    /// The kernel's name of the route at a place.
    pub(crate) fn key(place: Place, share: Share) -> Key {
        let (table, prefix) = place;
        Key::Route(RouteKey::new(table, prefix.into()).of(share).beside())
    }

    /// What the kernel should have at a place.
    pub(crate) fn wish(&self, place: Place, share: Share) -> Change {
        let key = Self::key(place, share);
        match (self.used.get(&place), key) {
            (Some(used), Key::Route(key)) => Change::Set(Entry::Route(key, used.route.clone())),
            (_, key) => Change::Unset(key),
        }
    }

    /// All of them, as they stand.
    pub(crate) fn all<'a>(
        &'a self,
        install: &'a Install,
        rib: &'a Rib,
    ) -> impl Iterator<Item = Standing<'a>> {
        self.routes.iter().flat_map(move |(place, routes)| {
            let used = self.used.get(place);
            routes.iter().map(move |route| {
                let its = used.filter(|it| it.distance == route.key.distance);
                Standing {
                    route,
                    table: place.0,
                    used: its.map(|it| it.route.as_ref()),
                    why: match its {
                        None => Some(why_not(route, used, &self.paths, install, rib)),
                        Some(_) => self.paths.missing(route),
                    },
                }
            })
        })
    }

    /// Those to a prefix, in all tables.
    pub(crate) fn to<'a>(
        &'a self,
        prefix: Prefix,
        install: &'a Install,
        rib: &'a Rib,
    ) -> impl Iterator<Item = Standing<'a>> {
        let all = self.all(install, rib);
        all.filter(move |standing| standing.route.key.prefix == prefix)
    }

    /// The longest prefix around an address or network that a static route leads to.
    pub(crate) fn longest(&self, target: Prefix) -> Option<Prefix> {
        let prefixes = self.routes.keys().map(|(_, prefix)| *prefix);
        let around = prefixes.filter(|prefix| prefix.contains(target));
        around.max_by_key(|prefix| prefix.len())
    }
}

fn fixed(used: &BTreeMap<Place, Used>) -> Fixed {
    let mut fixed = Fixed::new();
    for ((table, prefix), used) in used {
        let route = Foreign {
            metric: used.distance.into(),
            protocol: RTPROT_STATIC,
            kind: used.route.kind,
            fixed: true,
            next_hops: used.route.next_hops.as_slice().into(),
        };
        let tag = used.tag;
        let table = fixed.entry(*table).or_default();
        table.insert(*prefix, FixedRoute { route, tag });
    }
    fixed
}

/// A route as the kernel should have it, or why it cannot be used; and the prefixes whose best path
/// has a say in that.
fn entry(
    route: &StaticRoute,
    paths: &Paths,
    install: &Install,
    rib: &Rib,
) -> (Result<Route, String>, Vec<Prefix>) {
    let StaticKey {
        prefix, distance, ..
    } = route.key;
    let hops = match &route.way {
        StaticWay::Via(hops) => hops,
        StaticWay::Refuse(refusal) => {
            let entry = Route::refuse(kind_of(*refusal)).metric(distance.into());
            return (Ok(entry), Vec::new());
        }
    };
    let (mut ways, mut reasons, mut deciding) = (Vec::new(), Vec::new(), Vec::new());
    for hop in hops {
        if let Some(reason) = paths.refuse(hop) {
            reasons.push(reason);
            continue;
        }
        match outs(hop, prefix, install, rib, &mut deciding) {
            Ok(outs) => outs.into_iter().for_each(|out| add(&mut ways, out)),
            Err(reason) => reasons.push(reason),
        }
    }
    if ways.is_empty() {
        return (Err(reasons.join("; ")), deciding);
    }
    let mut entry = Route::via(ways).metric(distance.into());
    entry.source = route.src;
    (Ok(entry), deciding)
}

/// One way out twice is one with both shares.
fn add(ways: &mut Vec<NextHop>, out: NextHop) {
    let place = |hop: &NextHop| (hop.gateway, hop.interface.clone(), hop.onlink);
    match ways.iter_mut().find(|known| place(known) == place(&out)) {
        Some(known) => known.weight = known.weight.saturating_add(out.weight).min(256),
        None => ways.push(out),
    }
}

/// The ways out of one next hop, or why there are none.
fn outs(
    hop: &StaticNextHop,
    prefix: Prefix,
    install: &Install,
    rib: &Rib,
    deciding: &mut Vec<Prefix>,
) -> Result<Vec<NextHop>, String> {
    let links = &install.ground.links;
    if let Some(name) = &hop.interface {
        let link = links.named(&Device::from(name.as_str()));
        let link = link.ok_or_else(|| format!("there is no interface {name}"))?;
        if !link.up {
            return Err(format!("interface {name} is down"));
        }
        if !link.running {
            return Err(format!("interface {name} has no carrier"));
        }
        let out = match hop.address {
            Some(address) => NextHop::gateway(address).dev(Interface::Index(link.index)),
            None => NextHop::interface(link.index),
        };
        let out = if hop.onlink { out.onlink() } else { out };
        return Ok(vec![out.weight(hop.weight)]);
    }
    let Some(address) = hop.address else {
        // The configuration has one or the other.
        return Err("it names no way out".to_owned());
    };
    if let Some(vrf) = &hop.vrf {
        let out = install.ground.towards_in(vrf, address).ok_or_else(|| {
            format!("{address} is on no network of an interface in VRF {vrf} that is up")
        })?;
        let out = NextHop::gateway(address).dev(Interface::Index(out));
        return Ok(vec![out.weight(hop.weight)]);
    }
    if install.ground.is_own(address.into()) {
        return Err(format!("{address} is an address of this host"));
    }
    let (outs, asked) = install.ways_of_static(address, prefix, rib);
    deciding.extend(asked);
    if outs.is_empty() {
        return Err(no_route(address));
    }
    let out = |out: NextHop| out.weight(hop.weight);
    Ok(outs.into_iter().map(out).collect())
}

fn no_route(address: IpAddr) -> String {
    format!(
        "no route leads to {address}, the default route aside, through an interface that is up"
    )
}

fn why_not(
    route: &StaticRoute,
    used: Option<&Used>,
    paths: &Paths,
    install: &Install,
    rib: &Rib,
) -> String {
    match (entry(route, paths, install, rib).0, used) {
        (Err(reason), _) => reason,
        (Ok(_), Some(used)) => format!("the one with distance {} is used", used.distance),
        (Ok(_), None) => "it is about to be used".to_owned(),
    }
}

fn kind_of(refusal: Refusal) -> RouteKind {
    match refusal {
        Refusal::Blackhole => RouteKind::Blackhole,
        Refusal::Unreachable => RouteKind::Unreachable,
        Refusal::Prohibit => RouteKind::Prohibit,
    }
}

#[cfg(test)]
mod tests;
