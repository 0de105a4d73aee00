//! Every remote route, whether a VNI imports it or not, found by its key and by its addresses.
//!
//! Routes stand side by side, each key once, and others name them by number ([`Slot`]): a route of a
//! hundred thousand is no piece of memory by itself, of which what came and went meanwhile would
//! leave holes between. There is no order, which nobody needs who decides: what counts of several
//! routes is a maximum.
//!
//! What a route means is not known here.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

use bgp::packed::{Keyed, Slot};
use bgp::{EvpnKey, ExtendedCommunity, MacAddress, Packed};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use crate::path::{Path, Route};
use crate::resolve::{ip_of, mac_of};
use crate::since::Stamp;

/// All routes of others.
#[derive(Debug)]
pub(crate) struct Routes {
    hasher: FixedState,
    all: Packed<Dated>,
    by_mac: HashTable<Slot>,
    by_ip: HashTable<Slot>,
    /// How many each tunnel endpoint has, and since when any.
    sites: BTreeMap<IpAddr, (usize, Stamp)>,
    /// How many of those that somebody is to import have each list of route targets: few lists, as each
    /// overlay network of each site has its own.
    by_targets: HashMap<Box<[ExtendedCommunity]>, usize, FixedState>,
}

/// A route, and since when it is as it is.
#[derive(Debug)]
struct Dated {
    route: Route,
    since: Stamp,
}

/// Overlay networks or VRFs take in what it says. Others are about Ethernet segments.
fn is_for_importers(key: &EvpnKey) -> bool {
    match key {
        EvpnKey::MacIp { .. } | EvpnKey::InclusiveMulticast { .. } | EvpnKey::IpPrefix { .. } => {
            true
        }
        EvpnKey::EthernetAd { .. } | EvpnKey::EthernetSegment { .. } | EvpnKey::Unknown { .. } => {
            false
        }
    }
}

impl Keyed for Dated {
    type Key = EvpnKey;

    fn key(&self) -> &EvpnKey {
        &self.route.key
    }
}

impl Routes {
    /// `seed` decides where a key stands, so that others cannot choose keys that stand together.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            hasher: FixedState::with_seed(seed),
            all: Packed::new(seed),
            by_mac: HashTable::new(),
            by_ip: HashTable::new(),
            sites: BTreeMap::new(),
            by_targets: HashMap::with_hasher(FixedState::with_seed(seed)),
        }
    }

    /// Takes in a route whose key is not there.
    pub(crate) fn insert(&mut self, route: Route, since: Stamp) -> Slot {
        self.sites.entry(route.path.vtep).or_insert((0, since)).0 += 1;
        if is_for_importers(&route.key) {
            match self.by_targets.get_mut(&*route.path.targets) {
                Some(routes) => *routes += 1,
                None => {
                    self.by_targets.insert(route.path.targets.clone(), 1);
                }
            }
        }
        let key = route.key.clone();
        let slot = self.all.find_or_insert(&key, || Dated { route, since });
        let (all, hasher) = (&self.all, &self.hasher);
        let key_at = |slot: Slot| all.at(slot).map(Keyed::key);
        if let Some(mac) = mac_of(&key) {
            let again = |at: &Slot| hash_of(hasher, key_at(*at).and_then(mac_of));
            self.by_mac.insert_unique(hasher.hash_one(mac), slot, again);
        }
        if let Some(ip) = ip_of(&key) {
            let again = |at: &Slot| hash_of(hasher, key_at(*at).and_then(ip_of));
            self.by_ip.insert_unique(hasher.hash_one(ip), slot, again);
        }
        slot
    }

    /// Takes a route out. Its number may be given to another one.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Route> {
        let Dated { route, .. } = self.all.remove(slot)?;
        if let Some(mac) = mac_of(&route.key) {
            take(&mut self.by_mac, self.hasher.hash_one(mac), slot);
        }
        if let Some(ip) = ip_of(&route.key) {
            take(&mut self.by_ip, self.hasher.hash_one(ip), slot);
        }
        self.leave_site(route.path.vtep);
        if is_for_importers(&route.key) {
            self.uncount(&route.path.targets);
        }
        if self.all.is_empty() {
            self.all.shrink();
        }
        Some(route)
    }

    fn uncount(&mut self, targets: &[ExtendedCommunity]) {
        if let Some(routes) = self.by_targets.get_mut(targets) {
            *routes = routes.saturating_sub(1);
            if *routes == 0 {
                self.by_targets.remove(targets);
            }
        }
    }

    /// Lists of route targets with the number of routes that have them.
    pub(crate) fn by_targets(&self) -> impl Iterator<Item = (&[ExtendedCommunity], usize)> {
        self.by_targets
            .iter()
            .map(|(targets, routes)| (&**targets, *routes))
    }

    /// A site without a route is none.
    fn leave_site(&mut self, vtep: IpAddr) {
        if let Some((routes, _)) = self.sites.get_mut(&vtep) {
            *routes = routes.saturating_sub(1);
            if *routes == 0 {
                self.sites.remove(&vtep);
            }
        }
    }

    /// The number of a route.
    pub(crate) fn find(&self, key: &EvpnKey) -> Option<Slot> {
        self.all.find(key)
    }

    /// The route of this number.
    pub(crate) fn at(&self, slot: Slot) -> Option<&Route> {
        self.all.at(slot).map(|dated| &dated.route)
    }

    /// The routes of these numbers.
    pub(crate) fn of<'a>(&'a self, slots: &'a [Slot]) -> impl Iterator<Item = &'a Route> {
        slots.iter().filter_map(|slot| self.at(*slot))
    }

    pub(crate) fn get(&self, key: &EvpnKey) -> Option<&Route> {
        self.all.get(key).map(|dated| &dated.route)
    }

    /// Since when a route is as it is.
    pub(crate) fn since(&self, key: &EvpnKey) -> Option<Stamp> {
        self.all.get(key).map(|dated| dated.since)
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.all.iter().map(|(_, dated)| &dated.route)
    }

    /// Their numbers.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.all.iter().map(|(slot, _)| slot).collect()
    }

    /// Tunnel endpoints with the number of their routes, and since when they have any.
    pub(crate) fn sites(&self) -> &BTreeMap<IpAddr, (usize, Stamp)> {
        &self.sites
    }

    /// Paths of the routes for `mac`, of every VNI.
    pub(crate) fn of_mac(&self, mac: MacAddress) -> impl Iterator<Item = &Path> {
        let found = self.by_mac.iter_hash(self.hasher.hash_one(mac));
        let routes = found.filter_map(|slot| self.at(*slot));
        routes
            .filter(move |it| mac_of(&it.key) == Some(mac))
            .map(|it| &*it.path)
    }

    /// The routes that bind `ip`, of every VNI.
    pub(crate) fn of_ip(&self, ip: IpAddr) -> impl Iterator<Item = &Route> {
        let found = self.by_ip.iter_hash(self.hasher.hash_one(ip));
        let routes = found.filter_map(|slot| self.at(*slot));
        routes.filter(move |it| ip_of(&it.key) == Some(ip))
    }

    /// Paths of the routes that bind `ip` to another address than `mac`, of every VNI.
    pub(crate) fn rebinding(&self, ip: IpAddr, mac: MacAddress) -> impl Iterator<Item = &Path> {
        let others = self
            .of_ip(ip)
            .filter(move |it| mac_of(&it.key) != Some(mac));
        others.map(|it| &*it.path)
    }
}

/// Of an address that a route in the table of those with one has.
fn hash_of(hasher: &FixedState, address: Option<impl Hash>) -> u64 {
    address.map_or(0, |address| hasher.hash_one(address))
}

fn take(table: &mut HashTable<Slot>, hash: u64, slot: Slot) {
    if let Ok(found) = table.find_entry(hash, |it| *it == slot) {
        found.remove();
    }
}
