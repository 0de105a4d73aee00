//! A received route as this crate sees it.
//!
//! [`Path`] is what EVPN reads out of a set of attributes, decoded once when the route arrives;
//! many routes share one. [`Path::fault`] says why a route cannot be used for a VNI. Nothing here
//! compares routes.

use std::fmt;
use std::net::IpAddr;

use bgp::{AttributeSet, EvpnKey, EvpnTail, ExtendedCommunity, MacAddress, Vni};

/// A remote route: its key and what its attributes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Identity.
    pub key: EvpnKey,
    /// What it says.
    pub path: std::sync::Arc<Path>,
}

/// What EVPN reads out of a set of attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Next hop, the sender's tunnel address.
    pub vtep: IpAddr,
    /// Route targets, as they stand.
    pub targets: Box<[ExtendedCommunity]>,
    /// MAC mobility sequence, 0 when absent (RFC 7432 §15).
    pub sequence: u32,
    /// The address is static at its site (RFC 7432 §15.2).
    pub sticky: bool,
    /// The sender's MAC for routed traffic (RFC 9135 §8.1).
    pub router_mac: Option<MacAddress>,
    /// The address is a default gateway (RFC 7432 §10.1).
    pub default_gateway: bool,
    /// ESI, labels and gateway.
    pub tail: EvpnTail,
    /// Type of the PMSI tunnel, if there is one (RFC 6514 §5).
    pub tunnel_type: Option<u8>,
    /// Label of that tunnel: the VNI its sender wants flooded frames with.
    pub tunnel_label: Option<u32>,
    /// False when encapsulations are named and VXLAN is not among them.
    pub vxlan: bool,
}

impl From<&AttributeSet> for Path {
    fn from(attributes: &AttributeSet) -> Self {
        let communities = attributes.extended_communities.as_slice();
        // RFC 7432 §7.7 allows one mobility community; of several the highest is the safest.
        let mobility = communities
            .iter()
            .filter_map(|community| community.as_mac_mobility());
        let encapsulation =
            |community: &&ExtendedCommunity| matches!(community.0, [0x03, 0x0c, ..]);
        let mut encapsulations = communities.iter().filter(encapsulation).peekable();
        Self {
            vtep: attributes.next_hop.addr(),
            targets: communities
                .iter()
                .copied()
                .filter(|community| community.is_route_target())
                .collect(),
            sequence: mobility
                .clone()
                .map(|(sequence, _)| sequence)
                .max()
                .unwrap_or(0),
            sticky: mobility.clone().any(|(_, sticky)| sticky),
            router_mac: communities
                .iter()
                .find_map(|community| community.as_router_mac()),
            default_gateway: communities.contains(&ExtendedCommunity::DEFAULT_GATEWAY),
            tail: attributes.evpn.unwrap_or_default(),
            tunnel_type: attributes
                .pmsi_tunnel
                .as_ref()
                .map(|tunnel| tunnel.tunnel_type),
            tunnel_label: attributes.pmsi_tunnel.as_ref().map(|tunnel| tunnel.label),
            vxlan: encapsulations.peek().is_none()
                || encapsulations.any(|community| matches!(community.0, [.., 0, 8])),
        }
    }
}

impl Path {
    /// Why the route cannot be used in `vni` by a router whose tunnel address is `own`.
    pub(crate) fn fault(&self, key: &EvpnKey, vni: Vni, own: IpAddr) -> Option<Fault> {
        let tag = match key {
            EvpnKey::MacIp { tag, mac, .. } => {
                if is_group_or_zero(*mac) {
                    return Some(Fault::NotAStation(*mac));
                }
                *tag
            }
            EvpnKey::InclusiveMulticast { tag, .. } => {
                if self.tunnel_type != Some(INGRESS_REPLICATION) {
                    return Some(Fault::Tunnel(self.tunnel_type));
                }
                *tag
            }
            EvpnKey::EthernetAd { .. }
            | EvpnKey::EthernetSegment { .. }
            | EvpnKey::IpPrefix { .. }
            | EvpnKey::Unknown { .. } => 0,
        };
        if tag != 0 && tag != vni.get() {
            return Some(Fault::EthernetTag(tag));
        }
        if !self.vxlan {
            return Some(Fault::Encapsulation);
        }
        if self.vtep == own {
            return Some(Fault::OwnVtep);
        }
        if self.vtep.is_ipv4() != own.is_ipv4() {
            return Some(Fault::AddressFamily(self.vtep));
        }
        is_nowhere(self.vtep).then_some(Fault::Vtep(self.vtep))
    }
}

/// No tunnel ends there: it is not the address of one router, or only on a link of its own.
fn is_nowhere(vtep: IpAddr) -> bool {
    let of_its_kind = match vtep {
        IpAddr::V4(vtep) => vtep.is_broadcast(),
        IpAddr::V6(vtep) => vtep.is_unicast_link_local(),
    };
    of_its_kind || vtep.is_unspecified() || vtep.is_multicast() || vtep.is_loopback()
}

/// Ingress replication (RFC 6514 §5).
pub(crate) const INGRESS_REPLICATION: u8 = 6;

/// Group addresses are flooded, not learned; the zero address is the kernel's name for the flood
/// list itself, so a route with it would take over all broadcast.
pub(crate) fn is_group_or_zero(mac: MacAddress) -> bool {
    let [first, ..] = mac.0;
    first & 1 == 1 || mac.0 == [0; 6]
}

/// Why a received route is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Encapsulations are named and VXLAN is not among them.
    Encapsulation,
    /// The next hop is our own tunnel address.
    OwnVtep,
    /// The next hop is of the other IP version than our tunnel address.
    AddressFamily(IpAddr),
    /// The next hop is no address a tunnel can end at.
    Vtep(IpAddr),
    /// The MAC is a group address or zero.
    NotAStation(MacAddress),
    /// The Ethernet tag is neither 0 nor the VNI (RFC 7432 §6.1).
    EthernetTag(u32),
    /// The flood route has no tunnel, or one that is not ingress replication.
    Tunnel(Option<u8>),
    /// The address is our own anycast gateway.
    OwnGateway,
    /// Our tunnel address is not known.
    NoVtep,
    /// The L3 VNI of the VRF is that of a bridge here.
    VniOfABridge(Vni),
    /// A host route says another place than the winning route of the host's own VNI.
    HostElsewhere(Vni),
    /// The gateway that a prefix names as overlay index is no station's address (RFC 9136 §4.1).
    Gateway(IpAddr),
    /// A prefix names an Ethernet segment as overlay index (RFC 9136 §4.3).
    SegmentOverlay,
    /// A routed prefix without the sender's router MAC (RFC 9136 §4.4.2).
    NoRouterMac,
    /// The sender's router MAC is our own: packets would come back to us.
    OwnRouterMac(MacAddress),
    /// The address is no host's: the MAC address of the route is used, and this is not.
    NotAHost(IpAddr),
    /// A prefix that no VRF takes in: a bridge has no use for it.
    NoVrf,
    /// Routes of this type are kept and not acted on.
    RouteType(u8),
    /// Other routes of the sender's router have another VNI, and the VRF reaches it with that one.
    RouterVni(Vni),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Encapsulation => f.write_str("not used: encapsulation is not VXLAN"),
            Fault::OwnVtep => f.write_str("not used: next hop is our own tunnel address"),
            Fault::AddressFamily(vtep) => {
                write!(f, "not used: {vtep} is not of our tunnel's IP version")
            }
            Fault::Vtep(vtep) => write!(f, "not used: no tunnel can end at {vtep}"),
            Fault::NotAStation(mac) => write!(f, "not used: {mac} is no station's address"),
            Fault::EthernetTag(tag) => {
                write!(f, "not used: Ethernet tag {tag} is neither 0 nor the VNI")
            }
            Fault::Tunnel(None) => f.write_str("not used: flood route without PMSI tunnel"),
            Fault::Tunnel(Some(kind)) => {
                write!(
                    f,
                    "not used: PMSI tunnel type {kind}, not ingress replication"
                )
            }
            Fault::OwnGateway => f.write_str("not used: our own gateway address"),
            Fault::NoVtep => f.write_str("not used: our own tunnel address is not known"),
            Fault::VniOfABridge(vni) => {
                write!(f, "not used: the L3 VNI {vni} is that of a bridge, too")
            }
            Fault::HostElsewhere(vni) => {
                write!(f, "not used: in VNI {vni} the address is at another place")
            }
            Fault::Gateway(gateway) => write!(f, "not used: {gateway} is no gateway's address"),
            Fault::SegmentOverlay => {
                f.write_str("not used: an Ethernet segment as overlay index is not supported")
            }
            Fault::NoRouterMac => f.write_str("not used: no router MAC (RFC 9136 §4.4.2)"),
            Fault::OwnRouterMac(mac) => {
                write!(f, "not used: its router MAC {mac} is our own, too")
            }
            Fault::NotAHost(ip) => {
                write!(
                    f,
                    "not used: {ip} is no host's address; the MAC address alone counts"
                )
            }
            Fault::NoVrf => f.write_str("not used: no VRF takes in this prefix"),
            Fault::RouteType(kind) => {
                write!(
                    f,
                    "not used: routes of type {kind} are kept and not acted on"
                )
            }
            Fault::RouterVni(vni) => {
                write!(
                    f,
                    "not used: its router is reached with VNI {vni}, and can be with one only"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
