//! Where addresses are, a part at a time: a host may know a hundred thousand.
//!
//! An answer goes on behind any address, whether that is still there or not, so that a reader who
//! asks for one part after the other is not disturbed by what comes and goes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use bgp::{EvpnKey, MacAddress, Vni};

use super::{Kind, MacStatus};
use crate::instance::Instance;
use crate::station::{Host, Place};

/// Which MAC address an IP address has, for `show evpn neighbors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighbourStatus {
    /// VNI.
    pub vni: Vni,
    /// IP address.
    pub ip: IpAddr,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Where it is.
    pub kind: Kind,
    /// The other site's tunnel address.
    pub vtep: Option<IpAddr>,
    /// Since when it is so.
    pub since: Option<Instant>,
    /// It is here, and in none of the subnets of the VNI: told without the L3 VNI.
    pub outside: bool,
}

/// Another site, for `show evpn vteps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VtepStatus {
    /// Its tunnel address.
    pub vtep: IpAddr,
    /// VNIs that flooded frames or frames to MAC addresses go there in.
    pub vnis: Vec<Vni>,
    /// MAC addresses that are there.
    pub macs: usize,
    /// Its routes, used or not.
    pub routes: usize,
    /// Since when it has any.
    pub since: Option<Instant>,
    /// One of them.
    pub route: Option<EvpnKey>,
}

impl Instance {
    /// The MAC addresses of one VNI, or of all, behind an address.
    pub fn macs_behind(
        &self,
        vni: Option<Vni>,
        after: Option<(Vni, MacAddress)>,
    ) -> impl Iterator<Item = MacStatus> {
        let stations = self.facts.stations.after(vni, after);
        stations.filter_map(|((vni, mac), station)| self.mac_status(vni, mac, station))
    }

    /// The IP addresses of one VNI, or of all, behind an address.
    pub fn neighbours_behind(
        &self,
        vni: Option<Vni>,
        after: Option<(Vni, IpAddr)>,
    ) -> impl Iterator<Item = NeighbourStatus> {
        let hosts = self.facts.hosts.after(vni, after);
        hosts.filter_map(|((vni, ip), host)| self.neighbour_status(vni, ip, host))
    }

    /// An IP address in each VNI that somebody has it in.
    pub fn neighbours_of(&self, ip: IpAddr) -> impl Iterator<Item = NeighbourStatus> {
        self.networks.keys().filter_map(move |vni| {
            let host = self.facts.hosts.get(&(*vni, ip))?;
            self.neighbour_status(*vni, ip, host)
        })
    }

    /// A MAC address in one VNI.
    pub fn mac(&self, vni: Vni, mac: MacAddress) -> Option<MacStatus> {
        let station = self.facts.stations.get(&(vni, mac))?;
        self.mac_status(vni, mac, station)
    }

    fn neighbour_status(&self, vni: Vni, ip: IpAddr, host: &Host) -> Option<NeighbourStatus> {
        let owner = self.ip_owner(vni, ip)?;
        let (kind, vtep) = match owner.place {
            Place::Here => (Kind::Local, None),
            Place::At(vtep) => (Kind::Remote, Some(vtep)),
        };
        Some(NeighbourStatus {
            vni,
            ip,
            mac: owner.mac,
            kind,
            vtep,
            since: self.clock.instant(host.since),
            outside: self.outside.contains(&(vni, ip)),
        })
    }

    /// The other sites that have routes, by tunnel address.
    pub fn vteps(&self) -> Vec<VtepStatus> {
        let mut vnis: BTreeMap<IpAddr, BTreeSet<Vni>> = BTreeMap::new();
        let mut macs: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for ((vni, tunnel), ()) in self.floods.wanted() {
            vnis.entry(tunnel.vtep).or_default().insert(*vni);
        }
        for (vni, _, remote) in self.remote_macs() {
            vnis.entry(remote.tunnel.vtep).or_default().insert(vni);
            *macs.entry(remote.tunnel.vtep).or_default() += 1;
        }
        let mut examples: BTreeMap<IpAddr, &EvpnKey> = BTreeMap::new();
        for route in self.facts.routes.iter() {
            let example = examples.entry(route.path.vtep).or_insert(&route.key);
            *example = (*example).min(&route.key);
        }
        let sites = self.facts.routes.sites().iter();
        let site = |(vtep, (routes, since)): (&IpAddr, &(usize, _))| VtepStatus {
            vtep: *vtep,
            vnis: vnis.remove(vtep).into_iter().flatten().collect(),
            macs: macs.get(vtep).copied().unwrap_or(0),
            routes: *routes,
            since: self.clock.instant(*since),
            route: examples.get(vtep).map(|key| (*key).clone()),
        };
        sites.map(site).collect()
    }

    /// Since when a MAC address is where it is; `None` where nothing decides about it. Ages are no
    /// part of what is decided, so they are asked for apart.
    pub fn mac_since(&self, vni: Vni, mac: MacAddress) -> Option<Instant> {
        let station = self.facts.stations.get(&(vni, mac))?;
        station.decided().and(self.clock.instant(station.since))
    }

    /// Since when a route is as it is; `None` of those of our own that no address stands for.
    pub fn route_since(&self, key: &EvpnKey) -> Option<Instant> {
        if let Some(since) = self.facts.routes.since(key) {
            return self.clock.instant(since);
        }
        let (vni, _) = self.told.wish(key)?;
        let EvpnKey::MacIp { mac, ip, .. } = *key else {
            return None;
        };
        let since = match ip {
            None => self.facts.stations.get(&(*vni, mac))?.since,
            Some(ip) => self.facts.hosts.get(&(*vni, ip))?.since,
        };
        self.clock.instant(since)
    }
}
