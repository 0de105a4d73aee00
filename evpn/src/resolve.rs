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

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use bgp::{EvpnKey, ExtendedCommunity, MacAddress, Vni};

use crate::duplicate::Address;
use crate::instance::Instance;
use crate::mobility::Claim;
use crate::originate::Network;
use crate::path::{Fault, Route, is_group_or_zero};
use crate::station::{Place, Station};
use crate::tunnel::Tunnel;

/// Who has a MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MacOwner {
    pub(crate) claim: Claim,
    /// It is our own claim.
    pub(crate) here: bool,
}

impl MacOwner {
    pub(crate) fn place(&self) -> Place {
        match self.here {
            true => Place::Here,
            false => Place::At(self.claim.vtep),
        }
    }
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
        let remotes = self.facts.routes.of(&station.remotes);
        let mut remotes = remotes
            .filter(|route| self.fault(network, own, route).is_none())
            .map(|route| Claim::of(&route.path));
        let remote = remotes.next();
        let mut claim = local.max(remote)?;
        // A static address is the operator's word, and no duplicate.
        if !claim.sticky && self.duplicates.is_frozen(vni, Address::Mac(mac)) {
            let held = match station.place() {
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
        Some(MacOwner { claim, here })
    }

    pub(crate) fn ip_owner(&self, vni: Vni, ip: IpAddr) -> Option<IpOwner> {
        let (network, own) = self.active(vni)?;
        if network.is_gateway_ip(ip) || is_no_host(ip) {
            return None;
        }
        let host = self.facts.hosts.get(&(vni, ip))?;
        let local = host.binding.as_ref().and_then(|binding| {
            let owner = self.mac_owner(vni, binding.mac)?;
            let place = Place::Here;
            owner.here.then_some((owner.claim, (binding.mac, place)))
        });
        let remotes = self.facts.routes.of(&host.remotes);
        let mut remotes = remotes.filter_map(|route| {
            if self.fault(network, own, route).is_some() {
                return None;
            }
            // A binding of a MAC that has come to us is about to be withdrawn.
            let mac = mac_of(&route.key)?;
            let owner = self.mac_owner(vni, mac)?;
            (!owner.here).then_some((Claim::of(&route.path), (mac, owner.place())))
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

    /// Where frames to a MAC address go that a site has claimed like this.
    pub(crate) fn tunnel_of(&self, vni: Vni, mac: MacAddress, claim: Claim) -> Option<Tunnel> {
        let (network, own) = self.active(vni)?;
        let station = self.facts.stations.get(&(vni, mac))?;
        let remotes = self.facts.routes.of(&station.remotes);
        let mut usable = remotes.filter(|route| self.fault(network, own, route).is_none());
        let route = usable.find(|route| Claim::of(&route.path) == claim)?;
        Some(route.path.bridged(&route.key, vni))
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
        let local = station.local()?;
        let imported =
            |targets: &[ExtendedCommunity]| self.imports.importers(targets).contains(&vni);
        // RFC 9721: an IP that came to this MAC from another raises the MAC's number.
        let rebound = station.rebound().filter_map(|ip| {
            let binding = self.facts.hosts.get(&(vni, ip))?.binding.as_ref()?;
            Some(binding.witnesses.sequence(imported))
        });
        let witnessed = rebound.fold(local.witnesses.sequence(imported), u32::max);
        let sequence = witnessed.max(local.lowest);
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
            Address::Mac(mac) => {
                self.resolve_mac(vni, mac);
            }
            Address::Ip(ip) => self.resolve_ip(vni, ip),
        }
    }

    /// A MAC address, and the IP addresses that follow it if anything is different: whether it is.
    pub(crate) fn resolve_mac(&mut self, vni: Vni, mac: MacAddress) -> bool {
        let owner = self.mac_owner(vni, mac);
        let address = Address::Mac(mac);
        let frozen = self.duplicates.is_frozen(vni, address);
        let held = self.facts.stations.get(&(vni, mac));
        let held = held.and_then(|station| station.place());
        let place = owner.map(|owner| owner.place());
        let left = frozen && self.has_left(vni, held, place);
        let own = owner.filter(|owner| owner.here);
        self.tell_mac(vni, mac, None, own.map(|owner| owner.claim));
        let remote = owner.filter(|owner| !owner.here);
        let tunnel = remote.and_then(|owner| self.tunnel_of(vni, mac, owner.claim));
        let Some(station) = self.facts.stations.get_mut(&(vni, mac)) else {
            self.note_contested(vni, mac, None);
            self.duplicates.left(left.then_some((vni, address)));
            return false;
        };
        let before = station.remote();
        let label = tunnel.map_or(vni, |tunnel| tunnel.vni);
        let (different, moved) = station.decide(owner, label, frozen && !left, self.clock.now());
        self.macs.changed((vni, mac), before, station.remote());
        let mut ips = Vec::new();
        if different {
            ips.extend(station.bound());
            let remotes = self.facts.routes.of(&station.remotes);
            ips.extend(remotes.filter_map(|route| ip_of(&route.key)));
        }
        if let Some(moved) = moved {
            let sticky = owner.is_some_and(|owner| owner.claim.sticky);
            self.duplicates.mac_moved(vni, mac, moved, sticky);
        }
        self.duplicates.left(left.then_some((vni, address)));
        ips.sort_unstable();
        ips.dedup();
        for ip in ips {
            self.resolve_ip(vni, ip);
        }
        self.note_contested(vni, mac, owner);
        self.facts.prune_station(vni, mac);
        different
    }

    /// What a frozen address was held at is not what it has now: that has given it up, or a static
    /// claim goes before. A VNI that is out of use has no places.
    fn has_left<T: PartialEq>(&self, vni: Vni, held: Option<T>, now: Option<T>) -> bool {
        self.active(vni).is_some() && (now.is_none() || now != held)
    }

    /// An IP address.
    pub(crate) fn resolve_ip(&mut self, vni: Vni, ip: IpAddr) {
        let owner = self.ip_owner(vni, ip);
        let address = Address::Ip(ip);
        let seat = owner.as_ref().map(|owner| (owner.mac, owner.place));
        let frozen = self.duplicates.is_frozen(vni, address);
        let held = self.facts.hosts.get(&(vni, ip)).and_then(|host| host.seat);
        let (held, now) = (held.map(|(mac, _)| mac), seat.map(|(mac, _)| mac));
        let left = frozen && self.has_left(vni, held, now);
        self.note_outside(vni, ip, seat.is_some_and(|(_, place)| place == Place::Here));
        let Some(host) = self.facts.hosts.get_mut(&(vni, ip)) else {
            self.duplicates.left(left.then_some((vni, address)));
            return;
        };
        let before = host.neighbour();
        let moved = host.decide(seat, self.clock.now());
        self.neighbours.changed((vni, ip), before, host.neighbour());
        // Also those of other VNIs of the tenant, which the owner of the address goes before.
        for route in self.facts.routes.of_ip(ip) {
            self.vrfs.mark(&route.key);
        }
        let bound = host.binding.as_ref().map(|binding| binding.mac);
        if let (Some(from), Some(to)) = (moved, seat) {
            let here = from.1 == Place::Here || to.1 == Place::Here;
            self.duplicates.ip_moved(vni, ip, (from.0, to.0), here);
        }
        self.duplicates.left(left.then_some((vni, address)));
        let network = self.networks.get(&vni);
        let gateway = network.is_some_and(|network| network.is_gateway_ip(ip));
        // The gateway's routes come from the configuration alone.
        if let Some(mac) = bound.filter(|_| !gateway) {
            let own = owner.filter(|owner| owner.place == Place::Here);
            self.tell_mac(vni, mac, Some(ip), own.map(|owner| owner.claim));
        }
        self.facts.prune_host(vni, ip);
    }

    /// A place that wants flooded frames.
    pub(crate) fn resolve_flood(&mut self, vni: Vni, tunnel: Tunnel) {
        let flooding = |(network, _): &(&Network, IpAddr)| network.config.flooding;
        let usable = self
            .active(vni)
            .filter(flooding)
            .is_some_and(|(network, own)| {
                let slots = self.facts.floods.get(&(vni, tunnel));
                let slots = slots.map_or(&[][..], |slots| slots);
                let routes = self.facts.routes.of(slots);
                routes
                    .map(|route| self.fault(network, own, route))
                    .any(|fault| fault.is_none())
            });
        self.floods.want((vni, tunnel), usable.then_some(()));
        self.facts.prune_flood(vni, tunnel);
    }

    /// Everything in some VNIs.
    pub(crate) fn resolve_vnis(&mut self, vnis: &BTreeSet<Vni>) {
        for vni in vnis {
            self.resolve_own(*vni);
        }
        for (vni, mac) in self.facts.stations.of(vnis) {
            self.resolve_mac(vni, mac);
        }
        for (vni, ip) in self.facts.hosts.of(vnis) {
            self.resolve_ip(vni, ip);
        }
        for vni in vnis {
            self.resolve_floods(*vni);
        }
    }

    /// What a VNI tells without having learned anything.
    fn resolve_own(&mut self, vni: Vni) {
        if let Some((network, own)) = self.active(vni) {
            let mut routes = network.gateway_routes(own);
            routes.extend(network.flood_route(own));
            for (key, attributes) in routes {
                self.told.want(key, Some((vni, attributes)));
            }
        }
        self.tell_svi(vni);
    }

    fn resolve_floods(&mut self, vni: Vni) {
        let lowest = Tunnel {
            vtep: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            vni: Vni::new(0).unwrap_or(vni),
        };
        let floods = self.facts.floods.range((vni, lowest)..);
        let floods = floods.take_while(|((of, _), _)| *of == vni);
        let floods: Vec<Tunnel> = floods.map(|((_, tunnel), _)| *tunnel).collect();
        for tunnel in floods {
            self.resolve_flood(vni, tunnel);
        }
    }

    /// Tells the addresses of this router alone.
    pub(crate) fn tell_svi(&mut self, vni: Vni) {
        let Some((_, own)) = self.active(vni) else {
            return;
        };
        let network = self.networks.get_mut(&vni);
        let routes = network.map(|network| network.svi_routes(own));
        for (key, attributes) in routes.into_iter().flatten() {
            self.told.want(key, Some((vni, attributes)));
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
pub(crate) fn is_no_host(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    // RFC 4291 §2.5.5.2: such an address stands for one of IPv4 and is in no packet. Among the
    // kernel's neighbours they are those that routes of L3 VNIs lead through.
    let mapped = matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    broadcast || mapped || ip.is_unspecified() || ip.is_multicast() || ip.is_loopback()
}
