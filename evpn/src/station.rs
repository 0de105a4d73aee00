//! What is known, per address, about who has it.
//!
//! These are facts and their indexes: local events as the kernel reported them and remote routes
//! by the VNIs that import them. Nothing is decided here; [`crate::resolve`] does that from these
//! tables and nothing else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bgp::{EvpnKey, MacAddress, Vni};

use crate::mobility::{Claim, Witnesses};
use crate::path::{Path, Route};
use crate::resolve::{MacOwner, mac_of};
use crate::since::Stamp;

/// A MAC address behind a remote tunnel endpoint, as the kernel should have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteMac {
    /// Tunnel address of its site.
    pub vtep: IpAddr,
    /// Static there: not to be moved by learning.
    pub sticky: bool,
    /// Mobility sequence number of the winning route.
    pub sequence: u32,
}

/// A MAC address in one VNI.
#[derive(Debug, Default)]
pub(crate) struct Station {
    /// The kernel has it on a local port.
    pub(crate) local: Option<Local>,
    /// Routes of other sites, best claim first.
    pub(crate) remotes: Vec<Arc<Route>>,
    /// IP addresses the kernel has bound to it.
    pub(crate) bound: BTreeSet<IpAddr>,
    /// Those of them that others had bound to another MAC: nearly always none, while a firewall
    /// may answer for thousands of addresses.
    pub(crate) rebound: BTreeSet<IpAddr>,
    /// What was last decided. Only saves work: while it stands, its IP addresses stand.
    pub(crate) decided: Option<MacOwner>,
    /// Where it was when that was last known; `None` before the first time.
    pub(crate) place: Option<Place>,
    /// How often that changed.
    pub(crate) moves: u32,
    /// Since when it is there.
    pub(crate) since: Stamp,
}

#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) sticky: bool,
    pub(crate) witnesses: Witnesses,
}

/// Where a MAC address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    At(IpAddr),
}

impl Station {
    fn is_unknown(&self) -> bool {
        self.local.is_none() && self.remotes.is_empty() && self.bound.is_empty()
    }

    /// Notes a decision and counts a change of place. Says whether anything is different, and
    /// from where to where it moved.
    pub(crate) fn decide(
        &mut self,
        decided: Option<MacOwner>,
        now: Stamp,
    ) -> (bool, Option<(Place, Place)>) {
        let mut moved = None;
        if let Some(owner) = decided {
            if self.decided.map(|before| before.place) != Some(owner.place) {
                self.since = now;
            }
            let before = self.place.replace(owner.place);
            moved = before
                .filter(|before| *before != owner.place)
                .map(|before| (before, owner.place));
        }
        self.moves = self.moves.saturating_add(u32::from(moved.is_some()));
        let different = std::mem::replace(&mut self.decided, decided) != decided;
        (different, moved)
    }
}

/// An IP address in one VNI.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// What the kernel resolved it to.
    pub(crate) binding: Option<Binding>,
    /// Routes of other sites that bind it, best claim first.
    pub(crate) remotes: Vec<Arc<Route>>,
    /// Which MAC address it had, and where, when that was last known.
    pub(crate) seat: Option<(MacAddress, Place)>,
    /// Since when it has that one there.
    pub(crate) since: Stamp,
}

#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) mac: MacAddress,
    pub(crate) witnesses: Witnesses,
}

/// All facts, by VNI and address.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) stations: BTreeMap<(Vni, MacAddress), Station>,
    pub(crate) hosts: BTreeMap<(Vni, IpAddr), Host>,
    pub(crate) floods: BTreeMap<(Vni, IpAddr), Vec<Arc<Route>>>,
    pub(crate) routes: Routes,
}

impl Facts {
    /// Enters a route where `vni` finds it.
    pub(crate) fn attach(&mut self, vni: Vni, route: &Arc<Route>) {
        match route.key {
            EvpnKey::MacIp { mac, ip, .. } => {
                let station = self.stations.entry((vni, mac)).or_default();
                enter(&mut station.remotes, route);
                if let Some(ip) = ip {
                    let host = self.hosts.entry((vni, ip)).or_default();
                    enter(&mut host.remotes, route);
                }
            }
            EvpnKey::InclusiveMulticast { .. } => {
                let flood = self.floods.entry((vni, route.path.vtep)).or_default();
                enter(flood, route);
            }
            EvpnKey::EthernetAd { .. }
            | EvpnKey::EthernetSegment { .. }
            | EvpnKey::IpPrefix { .. }
            | EvpnKey::Unknown { .. } => {}
        }
    }

    /// Takes a route out again.
    pub(crate) fn detach(&mut self, vni: Vni, route: &Arc<Route>) {
        match route.key {
            EvpnKey::MacIp { mac, ip, .. } => {
                if let Some(station) = self.stations.get_mut(&(vni, mac)) {
                    leave(&mut station.remotes, route);
                }
                if let Some(host) = ip.and_then(|ip| self.hosts.get_mut(&(vni, ip))) {
                    leave(&mut host.remotes, route);
                }
            }
            EvpnKey::InclusiveMulticast { .. } => {
                if let Some(flood) = self.floods.get_mut(&(vni, route.path.vtep)) {
                    leave(flood, route);
                }
            }
            EvpnKey::EthernetAd { .. }
            | EvpnKey::EthernetSegment { .. }
            | EvpnKey::IpPrefix { .. }
            | EvpnKey::Unknown { .. } => {}
        }
    }

    /// Takes all routes out of the VNIs that `select` picks.
    pub(crate) fn detach_all(&mut self, select: impl Fn(Vni) -> bool) {
        for ((vni, _), station) in &mut self.stations {
            if select(*vni) {
                station.remotes.clear();
            }
        }
        for ((vni, _), host) in &mut self.hosts {
            if select(*vni) {
                host.remotes.clear();
            }
        }
        self.floods.retain(|(vni, _), _| !select(*vni));
    }

    /// Drops entries about which nothing is known any more.
    pub(crate) fn prune_all(&mut self) {
        self.stations.retain(|_, station| !station.is_unknown());
        self.hosts
            .retain(|_, host| host.binding.is_some() || !host.remotes.is_empty());
    }

    pub(crate) fn prune_station(&mut self, vni: Vni, mac: MacAddress) {
        let station = self.stations.get(&(vni, mac));
        if station.is_some_and(Station::is_unknown) {
            self.stations.remove(&(vni, mac));
        }
    }

    pub(crate) fn prune_host(&mut self, vni: Vni, ip: IpAddr) {
        let host = self.hosts.get(&(vni, ip));
        if host.is_some_and(|host| host.binding.is_none() && host.remotes.is_empty()) {
            self.hosts.remove(&(vni, ip));
        }
    }

    pub(crate) fn prune_flood(&mut self, vni: Vni, vtep: IpAddr) {
        if self.floods.get(&(vni, vtep)).is_some_and(Vec::is_empty) {
            self.floods.remove(&(vni, vtep));
        }
    }
}

/// Routes of one address stand with the best claim first and equal ones in key order: the one that
/// decides is found at once, and is the same in whatever order they came.
fn place_of(routes: &[Arc<Route>], route: &Route) -> Result<usize, usize> {
    let rank = |route: &Route| Reverse(Claim::of(&route.path));
    routes.binary_search_by(|other| {
        let by_claim = rank(other).cmp(&rank(route));
        by_claim.then_with(|| other.key.cmp(&route.key))
    })
}

fn enter(routes: &mut Vec<Arc<Route>>, route: &Arc<Route>) {
    let (Ok(at) | Err(at)) = place_of(routes, route);
    routes.insert(at, Arc::clone(route));
}

fn leave(routes: &mut Vec<Arc<Route>>, route: &Arc<Route>) {
    if let Ok(at) = place_of(routes, route) {
        routes.remove(at);
    }
}

/// Every remote route, whether a VNI imports it or not, and those of an address.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    all: BTreeMap<EvpnKey, (Arc<Route>, Stamp)>,
    by_mac: BTreeSet<(MacAddress, EvpnKey)>,
    by_ip: BTreeSet<(IpAddr, EvpnKey)>,
    /// How many each tunnel endpoint has, and since when any.
    sites: BTreeMap<IpAddr, (usize, Stamp)>,
}

impl Routes {
    pub(crate) fn insert(&mut self, route: Arc<Route>, now: Stamp) -> Option<Arc<Route>> {
        self.sites.entry(route.path.vtep).or_insert((0, now)).0 += 1;
        if let EvpnKey::MacIp { mac, ip, .. } = route.key {
            self.by_mac.insert((mac, route.key.clone()));
            if let Some(ip) = ip {
                self.by_ip.insert((ip, route.key.clone()));
            }
        }
        let before = self.all.insert(route.key.clone(), (route, now));
        before.map(|(before, _)| self.leave_site(before))
    }

    /// A site without a route is none.
    fn leave_site(&mut self, route: Arc<Route>) -> Arc<Route> {
        let vtep = route.path.vtep;
        if let Some((routes, _)) = self.sites.get_mut(&vtep) {
            *routes = routes.saturating_sub(1);
            if *routes == 0 {
                self.sites.remove(&vtep);
            }
        }
        route
    }

    pub(crate) fn remove(&mut self, key: &EvpnKey) -> Option<Arc<Route>> {
        if let EvpnKey::MacIp { mac, ip, .. } = *key {
            self.by_mac.remove(&(mac, key.clone()));
            if let Some(ip) = ip {
                self.by_ip.remove(&(ip, key.clone()));
            }
        }
        let (before, _) = self.all.remove(key)?;
        Some(self.leave_site(before))
    }

    pub(crate) fn get(&self, key: &EvpnKey) -> Option<&Arc<Route>> {
        self.all.get(key).map(|(route, _)| route)
    }

    /// Since when a route is as it is.
    pub(crate) fn since(&self, key: &EvpnKey) -> Option<Stamp> {
        self.all.get(key).map(|(_, since)| *since)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.all.values().map(|(route, _)| route)
    }

    /// Tunnel endpoints with the number of their routes, and since when they have any.
    pub(crate) fn sites(&self) -> &BTreeMap<IpAddr, (usize, Stamp)> {
        &self.sites
    }

    /// Paths of the routes for `mac`, of every VNI.
    pub(crate) fn of_mac(&self, mac: MacAddress) -> impl Iterator<Item = &Path> {
        self.by_mac
            .range((mac, LOWEST)..)
            .take_while(move |(other, _)| *other == mac)
            .filter_map(|(_, key)| Some(&*self.get(key)?.path))
    }

    /// Paths of the routes that bind `ip` to another address than `mac`, of every VNI.
    pub(crate) fn rebinding(&self, ip: IpAddr, mac: MacAddress) -> impl Iterator<Item = &Path> {
        self.by_ip
            .range((ip, LOWEST)..)
            .take_while(move |(other, _)| *other == ip)
            .filter(move |(_, key)| mac_of(key) != Some(mac))
            .filter_map(|(_, key)| Some(&*self.get(key)?.path))
    }
}

/// Sorts before every key of a MAC route: the variants of [`EvpnKey`] sort by route type.
const LOWEST: EvpnKey = EvpnKey::EthernetAd {
    rd: bgp::RouteDistinguisher([0; 8]),
    esi: bgp::Esi([0; 10]),
    tag: 0,
};
