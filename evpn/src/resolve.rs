//! From facts to wishes: the only place where something is decided.
//!
//! Each function looks at one address in one VNI, decides from the facts alone who has it, and
//! says in the ledgers what should therefore be told and installed. Deciding twice changes
//! nothing, so callers resolve whatever a fact may have touched. What is remembered from one
//! decision to the next is where an address was: to count moves, and to leave an address there
//! that is frozen as a duplicate ([`crate::duplicate`]).
//!
//! An IP address follows its MAC address (RFC 9721): all bindings of a MAC share its sequence
//! number, and a binding is only told by the site that has the MAC.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use bgp::{EvpnKey, ExtendedCommunity, MacAddress, Vni};

use crate::duplicate::Address;
use crate::instance::Instance;
use crate::mobility::Claim;
use crate::originate::Network;
use crate::path::{Fault, Route, is_group_or_zero};
use crate::station::{Place, RemoteMac, Station};

/// Who has a MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MacOwner {
    pub(crate) claim: Claim,
    pub(crate) place: Place,
}

/// Whom an IP address belongs to.
pub(crate) struct IpOwner {
    pub(crate) mac: MacAddress,
    pub(crate) claim: Claim,
    pub(crate) place: Place,
}

/// Deciding.
impl Instance {
    /// The VNI and our tunnel address, if there is anything to do in it.
    pub(crate) fn active(&self, vni: Vni) -> Option<(&Network, IpAddr)> {
        let network = self.networks.get(&vni)?;
        network.config.enabled.then_some((network, self.vtep?))
    }

    pub(crate) fn mac_owner(&self, vni: Vni, mac: MacAddress) -> Option<MacOwner> {
        let (network, own) = self.active(vni)?;
        if network.is_gateway_mac(mac) || is_group_or_zero(mac) {
            return None;
        }
        let station = self.facts.stations.get(&(vni, mac))?;
        let local = self.local_claim(vni, station, own);
        let remotes = station.remotes.iter();
        let mut remotes = remotes
            .filter(|route| self.fault(network, own, route).is_none())
            .map(|route| Claim::of(&route.path));
        let remote = remotes.next();
        let mut claim = local.max(remote)?;
        // A static address is the operator's word, and no duplicate.
        if !claim.sticky && self.duplicates.is_frozen(vni, Address::Mac(mac)) {
            let held = match station.place {
                Some(Place::Here) => local,
                Some(Place::At(vtep)) => {
                    let mut claims = remote.into_iter().chain(remotes);
                    claims.find(|claim| claim.vtep == vtep)
                }
                None => None,
            };
            claim = held.unwrap_or(claim);
        }
        let here = local == Some(claim);
        let place = if here {
            Place::Here
        } else {
            Place::At(claim.vtep)
        };
        Some(MacOwner { claim, place })
    }

    pub(crate) fn ip_owner(&self, vni: Vni, ip: IpAddr) -> Option<IpOwner> {
        let (network, own) = self.active(vni)?;
        if network.is_gateway_ip(ip) || is_no_host(ip) {
            return None;
        }
        let host = self.facts.hosts.get(&(vni, ip))?;
        let local = host.binding.as_ref().and_then(|binding| {
            let owner = self.mac_owner(vni, binding.mac)?;
            let here = owner.place == Place::Here;
            here.then_some((owner.claim, (binding.mac, Place::Here)))
        });
        let mut remotes = host.remotes.iter().filter_map(|route| {
            if self.fault(network, own, route).is_some() {
                return None;
            }
            // A binding of a MAC that has come to us is about to be withdrawn.
            let mac = mac_of(&route.key)?;
            let owner = self.mac_owner(vni, mac)?;
            let elsewhere = owner.place != Place::Here;
            elsewhere.then_some((Claim::of(&route.path), (mac, owner.place)))
        });
        let by_claim = |(claim, _): &(Claim, _)| *claim;
        let best = remotes.next();
        let best_of_all = local.into_iter().chain(best).max_by_key(by_claim)?;
        let mut owner = best_of_all;
        if self.duplicates.is_frozen(vni, Address::Ip(ip))
            && let Some((held, _)) = host.seat
        {
            let mut claims = local.into_iter().chain(best).chain(remotes);
            let held = claims.find(|(_, (mac, _))| *mac == held);
            owner = held.unwrap_or(best_of_all);
        }
        let (claim, (mac, place)) = owner;
        Some(IpOwner { mac, claim, place })
    }

    /// Why a route is not used in a VNI.
    pub(crate) fn fault(&self, network: &Network, own: IpAddr, route: &Route) -> Option<Fault> {
        if mac_of(&route.key).is_some_and(|mac| network.is_gateway_mac(mac)) {
            return Some(Fault::OwnGateway);
        }
        route.path.fault(&route.key, network.vni, own)
    }

    /// Our own claim to a MAC address, if the kernel has it on a local port.
    pub(crate) fn local_claim(&self, vni: Vni, station: &Station, own: IpAddr) -> Option<Claim> {
        let local = station.local.as_ref()?;
        let imported =
            |targets: &[ExtendedCommunity]| self.imports.importers(targets).contains(&vni);
        // RFC 9721: an IP that came to this MAC from another raises the MAC's number.
        let rebound = station.rebound.iter().filter_map(|ip| {
            let binding = self.facts.hosts.get(&(vni, *ip))?.binding.as_ref()?;
            Some(binding.witnesses.sequence(imported))
        });
        let sequence = rebound.fold(local.witnesses.sequence(imported), u32::max);
        Some(Claim {
            sticky: local.sticky,
            sequence,
            vtep: own,
        })
    }
}

/// Wishing.
impl Instance {
    /// Addresses about which something else than facts has changed.
    pub(crate) fn resolve_all(&mut self, addresses: Vec<(Vni, Address)>) {
        for (vni, address) in addresses {
            self.resolve(vni, address);
        }
    }

    pub(crate) fn resolve(&mut self, vni: Vni, address: Address) {
        match address {
            Address::Mac(mac) => self.resolve_mac(vni, mac),
            Address::Ip(ip) => self.resolve_ip(vni, ip),
        }
    }

    /// A MAC address, and the IP addresses that follow it.
    pub(crate) fn resolve_mac(&mut self, vni: Vni, mac: MacAddress) {
        let owner = self.mac_owner(vni, mac);
        let frozen = self.duplicates.is_frozen(vni, Address::Mac(mac));
        let mut installed = None;
        let mut told = None;
        if let Some(owner) = &owner {
            match owner.place {
                Place::Here => told = Some(owner.claim),
                Place::At(vtep) => {
                    installed = Some(RemoteMac {
                        vtep,
                        // The kernel itself then leaves it where it is.
                        sticky: owner.claim.sticky || frozen,
                        sequence: owner.claim.sequence,
                    });
                }
            }
        }
        self.macs.want((vni, mac), installed);
        self.tell_mac(vni, mac, None, told);
        let mut ips = BTreeSet::new();
        if let Some(station) = self.facts.stations.get_mut(&(vni, mac)) {
            let (different, moved) = station.decide(owner, self.clock.now());
            if different {
                ips.extend(station.bound.iter().copied());
                ips.extend(station.remotes.iter().filter_map(|route| ip_of(&route.key)));
            }
            if let Some(moved) = moved {
                let sticky = owner.is_some_and(|owner| owner.claim.sticky);
                self.duplicates.mac_moved(vni, mac, moved, sticky);
            }
        }
        for ip in ips {
            self.resolve_ip(vni, ip);
        }
        self.facts.prune_station(vni, mac);
    }

    /// An IP address.
    pub(crate) fn resolve_ip(&mut self, vni: Vni, ip: IpAddr) {
        let network = self.networks.get(&vni);
        if network.is_some_and(|network| network.is_gateway_ip(ip)) {
            // The gateway's routes come from the configuration alone.
            return;
        }
        let owner = self.ip_owner(vni, ip);
        let mut neighbour = None;
        let mut told = None;
        if let Some(owner) = owner {
            self.note_seat(vni, ip, (owner.mac, owner.place));
            match owner.place {
                Place::Here => told = Some(owner.claim),
                Place::At(vtep) => neighbour = Some((owner.mac, vtep)),
            }
        }
        self.neighbours.want((vni, ip), neighbour);
        let host = self.facts.hosts.get(&(vni, ip));
        for route in host.into_iter().flat_map(|host| &host.remotes) {
            self.vrfs.mark(&route.key);
        }
        if let Some(mac) = host.and_then(|host| Some(host.binding.as_ref()?.mac)) {
            self.tell_mac(vni, mac, Some(ip), told);
        }
        self.facts.prune_host(vni, ip);
    }

    /// Notes which MAC address an IP address has, and whether that is another one than before.
    fn note_seat(&mut self, vni: Vni, ip: IpAddr, seat: (MacAddress, Place)) {
        let Some(host) = self.facts.hosts.get_mut(&(vni, ip)) else {
            return;
        };
        let before = host.seat.replace(seat);
        if before != Some(seat) {
            host.since = self.clock.now();
        }
        if let Some(before) = before.filter(|before| before.0 != seat.0) {
            let here = before.1 == Place::Here || seat.1 == Place::Here;
            self.duplicates.ip_moved(vni, ip, (before.0, seat.0), here);
        }
    }

    /// A place that wants flooded frames.
    pub(crate) fn resolve_flood(&mut self, vni: Vni, vtep: IpAddr) {
        let flooding = |(network, _): &(&Network, IpAddr)| network.config.flooding;
        let usable = self
            .active(vni)
            .filter(flooding)
            .is_some_and(|(network, own)| {
                let routes = self.facts.floods.get(&(vni, vtep)).into_iter().flatten();
                routes
                    .map(|route| self.fault(network, own, route))
                    .any(|fault| fault.is_none())
            });
        self.floods.want((vni, vtep), usable.then_some(()));
        self.facts.prune_flood(vni, vtep);
    }

    /// Everything in a VNI.
    pub(crate) fn resolve_vni(&mut self, vni: Vni) {
        if let Some((network, own)) = self.active(vni) {
            let mut routes = network.gateway_routes(own);
            routes.extend(network.flood_route(own));
            for (key, attributes) in routes {
                self.told.want(key, Some((vni, attributes)));
            }
        }
        let stations: Vec<MacAddress> = keys_of(&self.facts.stations, vni, LOWEST_MAC);
        for mac in stations {
            self.resolve_mac(vni, mac);
        }
        let hosts: Vec<IpAddr> = keys_of(&self.facts.hosts, vni, LOWEST_IP);
        for ip in hosts {
            self.resolve_ip(vni, ip);
        }
        let floods: Vec<IpAddr> = keys_of(&self.facts.floods, vni, LOWEST_IP);
        for vtep in floods {
            self.resolve_flood(vni, vtep);
        }
    }

    /// Tells, or takes back, that an address is here.
    pub(crate) fn tell_mac(
        &mut self,
        vni: Vni,
        mac: MacAddress,
        ip: Option<IpAddr>,
        claim: Option<Claim>,
    ) {
        let Some(network) = self.networks.get_mut(&vni) else {
            return;
        };
        let Some(key) = network.mac_key(mac, ip) else {
            return;
        };
        let attributes = claim.map(|claim| (vni, network.mac_attributes(claim, ip)));
        self.told.want(key, attributes);
    }
}

/// The second halves of the keys of one VNI; `lowest` sorts before all of them.
fn keys_of<K: Copy + Ord, V>(map: &BTreeMap<(Vni, K), V>, vni: Vni, lowest: K) -> Vec<K> {
    map.range((vni, lowest)..)
        .take_while(|((other, _), _)| *other == vni)
        .map(|((_, key), _)| *key)
        .collect()
}

const LOWEST_MAC: MacAddress = MacAddress([0; 6]);
const LOWEST_IP: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

pub(crate) fn mac_of(key: &EvpnKey) -> Option<MacAddress> {
    match key {
        EvpnKey::MacIp { mac, .. } => Some(*mac),
        EvpnKey::EthernetAd { .. }
        | EvpnKey::InclusiveMulticast { .. }
        | EvpnKey::EthernetSegment { .. }
        | EvpnKey::IpPrefix { .. }
        | EvpnKey::Unknown { .. } => None,
    }
}

pub(crate) fn ip_of(key: &EvpnKey) -> Option<IpAddr> {
    match key {
        EvpnKey::MacIp { ip, .. } => *ip,
        EvpnKey::EthernetAd { .. }
        | EvpnKey::InclusiveMulticast { .. }
        | EvpnKey::EthernetSegment { .. }
        | EvpnKey::IpPrefix { .. }
        | EvpnKey::Unknown { .. } => None,
    }
}

/// Addresses that no neighbour entry may exist for.
fn is_no_host(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    broadcast || ip.is_unspecified() || ip.is_multicast() || ip.is_loopback()
}
