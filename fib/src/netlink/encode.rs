//! Changes as bytes: routes, nexthop objects, FDB entries and neighbours.
//!
//! Layouts are those of `linux/rtnetlink.h`, `linux/nexthop.h` and `linux/neighbour.h`.

use std::net::IpAddr;

use super::message::{
    Builder, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST,
};
use super::notice::{FdbNotice, NeighbourNotice};
use crate::state::{
    FdbKey, FloodKey, Interface, Mac, Neighbour, NextHop, RemoteMac, RouteKey, RouteKind, Segment,
    Tunnel,
};
use crate::table::{Object, RouteShape, Via};

pub(crate) const RTM_NEWROUTE: u16 = 24;
pub(crate) const RTM_DELROUTE: u16 = 25;
pub(crate) const RTM_NEWNEIGH: u16 = 28;
pub(crate) const RTM_DELNEIGH: u16 = 29;
pub(crate) const RTM_NEWNEXTHOP: u16 = 104;
pub(crate) const RTM_DELNEXTHOP: u16 = 105;

pub(crate) const AF_INET: u8 = 2;
pub(crate) const AF_BRIDGE: u8 = 7;
pub(crate) const AF_INET6: u8 = 10;

pub(crate) const RTA_DST: u16 = 1;
pub(crate) const RTA_OIF: u16 = 4;
pub(crate) const RTA_GATEWAY: u16 = 5;
pub(crate) const RTA_PRIORITY: u16 = 6;
pub(crate) const RTA_PREFSRC: u16 = 7;
pub(crate) const RTA_MULTIPATH: u16 = 9;
pub(crate) const RTA_TABLE: u16 = 15;
pub(crate) const RTA_VIA: u16 = 18;
pub(crate) const RTA_NH_ID: u16 = 30;

pub(crate) const RTN_UNICAST: u8 = 1;
pub(crate) const RTN_BLACKHOLE: u8 = 6;
pub(crate) const RTN_UNREACHABLE: u8 = 7;
pub(crate) const RTN_PROHIBIT: u8 = 8;

pub(crate) const RTNH_F_DEAD: u8 = 1;
pub(crate) const RTNH_F_ONLINK: u8 = 4;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_NOWHERE: u8 = 255;

pub(crate) const NHA_ID: u16 = 1;
pub(crate) const NHA_GROUP: u16 = 2;
pub(crate) const NHA_OIF: u16 = 5;
pub(crate) const NHA_GATEWAY: u16 = 6;

pub(crate) const NDA_DST: u16 = 1;
pub(crate) const NDA_LLADDR: u16 = 2;
pub(crate) const NDA_VLAN: u16 = 5;
pub(crate) const NDA_VNI: u16 = 7;
pub(crate) const NDA_MASTER: u16 = 9;
pub(crate) const NDA_SRC_VNI: u16 = 11;
const NDA_PROTOCOL: u16 = 12;

pub(crate) const NTF_SELF: u8 = 0x02;
pub(crate) const NTF_MASTER: u8 = 0x04;
pub(crate) const NTF_PROXY: u8 = 0x08;
pub(crate) const NTF_EXT_LEARNED: u8 = 0x10;
pub(crate) const NTF_STICKY: u8 = 0x40;
pub(crate) const NTF_ROUTER: u8 = 0x80;

pub(crate) const NUD_INCOMPLETE: u16 = 0x01;
pub(crate) const NUD_REACHABLE: u16 = 0x02;
pub(crate) const NUD_FAILED: u16 = 0x20;
pub(crate) const NUD_NOARP: u16 = 0x40;
pub(crate) const NUD_PERMANENT: u16 = 0x80;

/// Writes a route. Without `replace` it must not exist yet, so that nobody else's is replaced.
pub(crate) fn set_route(
    buffer: &mut Vec<u8>,
    sequence: u32,
    protocol: u8,
    key: RouteKey,
    shape: &RouteShape,
    replace: bool,
) {
    let how = if replace { NLM_F_REPLACE } else { NLM_F_EXCL };
    let flags = NLM_F_REQUEST | NLM_F_CREATE | how;
    let mut message = Builder::new(buffer, RTM_NEWROUTE, flags, sequence);
    route(&mut message, protocol, key, shape);
    message.finish();
}

/// Removes a route of ours that is just as this.
pub(crate) fn unset_this_route(
    buffer: &mut Vec<u8>,
    sequence: u32,
    protocol: u8,
    key: RouteKey,
    shape: &RouteShape,
) {
    let mut message = Builder::new(buffer, RTM_DELROUTE, NLM_F_REQUEST, sequence);
    route(&mut message, protocol, key, shape);
    message.finish();
}

fn route(message: &mut Builder<'_>, protocol: u8, key: RouteKey, shape: &RouteShape) {
    let hop_flags = match &shape.via {
        Via::Hops(hops) if hops.len() == 1 && hops.iter().any(|hop| hop.onlink) => RTNH_F_ONLINK,
        Via::Hops(_) | Via::Object(_) | Via::Nowhere => 0,
    };
    let kind = match shape.kind {
        RouteKind::Unicast => RTN_UNICAST,
        RouteKind::Blackhole => RTN_BLACKHOLE,
        RouteKind::Unreachable => RTN_UNREACHABLE,
        RouteKind::Prohibit => RTN_PROHIBIT,
    };
    let scope = RT_SCOPE_UNIVERSE;
    route_header(message, key, protocol, scope, kind, hop_flags);
    message.u32(RTA_PRIORITY, shape.metric);
    if let Some(source) = shape.source {
        message.address(RTA_PREFSRC, source);
    }
    match &shape.via {
        Via::Nowhere => {}
        Via::Object(id) => {
            message.u32(RTA_NH_ID, *id);
        }
        Via::Hops(hops) => match hops.as_slice() {
            [hop] => hop_attributes(message, key, hop, true),
            hops => {
                message.nested(RTA_MULTIPATH, |message| {
                    for hop in hops {
                        let flags = if hop.onlink { RTNH_F_ONLINK } else { 0 };
                        // The kernel's byte is the weight less one.
                        let weight = u8::try_from(hop.weight.clamp(1, 256) - 1).unwrap_or(u8::MAX);
                        message.hop(flags, weight, hop_index(hop), |message| {
                            hop_attributes(message, key, hop, false);
                        });
                    }
                });
            }
        },
    }
}

fn hop_index(hop: &NextHop) -> u32 {
    match hop.interface {
        Some(Interface::Index(index)) => index,
        // A name that is still here did not resolve; the kernel is asked to find the way.
        Some(Interface::Name(_)) | None => 0,
    }
}

fn hop_attributes(message: &mut Builder<'_>, key: RouteKey, hop: &NextHop, with_index: bool) {
    match hop.gateway {
        Some(gateway) if gateway.is_ipv4() == key.prefix().is_ipv4() => {
            message.address(RTA_GATEWAY, gateway);
        }
        Some(gateway) => {
            // `struct rtvia`: an IPv6 gateway for IPv4.
            let mut via = u16::from(family(gateway)).to_ne_bytes().to_vec();
            match gateway {
                IpAddr::V4(gateway) => via.extend_from_slice(&gateway.octets()),
                IpAddr::V6(gateway) => via.extend_from_slice(&gateway.octets()),
            }
            message.attribute(RTA_VIA, &via);
        }
        None => {}
    }
    let index = hop_index(hop);
    if with_index && index != 0 {
        message.u32(RTA_OIF, index);
    }
}

/// Removes a route of ours: table, prefix, metric and protocol must match.
pub(crate) fn unset_route(
    buffer: &mut Vec<u8>,
    sequence: u32,
    protocol: u8,
    key: RouteKey,
    metric: u32,
) {
    let mut message = Builder::new(buffer, RTM_DELROUTE, NLM_F_REQUEST, sequence);
    route_header(&mut message, key, protocol, RT_SCOPE_NOWHERE, 0, 0);
    message.u32(RTA_PRIORITY, metric);
    message.finish();
}

fn route_header(
    message: &mut Builder<'_>,
    key: RouteKey,
    protocol: u8,
    scope: u8,
    kind: u8,
    hop_flags: u8,
) {
    let prefix = key.prefix();
    let family = family(prefix.ip());
    // The byte holds small table numbers only; the attribute holds all.
    let table = u8::try_from(key.table()).unwrap_or(0);
    let header = [family, prefix.prefix(), 0, 0, table, protocol, scope, kind];
    message
        .bytes(&header)
        .bytes(&u32::from(hop_flags).to_ne_bytes());
    message.u32(RTA_TABLE, key.table());
    if prefix.prefix() > 0 {
        message.address(RTA_DST, prefix.network());
    }
}

/// Creates or replaces a nexthop object.
pub(crate) fn set_next_hop(
    buffer: &mut Vec<u8>,
    sequence: u32,
    protocol: u8,
    id: u32,
    object: &Object,
) {
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    let mut message = Builder::new(buffer, RTM_NEWNEXTHOP, flags, sequence);
    match object {
        Object::Single(hop) => {
            let family = if hop.ipv6 { AF_INET6 } else { AF_INET };
            let onlink = hop.onlink && hop.gateway.is_some();
            let flags = u32::from(if onlink { RTNH_F_ONLINK } else { 0 });
            message
                .bytes(&[family, 0, protocol, 0])
                .bytes(&flags.to_ne_bytes());
            message.u32(NHA_ID, id).u32(NHA_OIF, hop.index);
            if let Some(gateway) = hop.gateway {
                message.address(NHA_GATEWAY, gateway);
            }
        }
        Object::Group(members) => {
            message.bytes(&[0, 0, protocol, 0]).bytes(&[0; 4]);
            message.u32(NHA_ID, id);
            let mut group = Vec::with_capacity(members.len() * 8);
            for (member, weight) in members {
                let weight = u8::try_from(weight.clamp(&1, &256) - 1).unwrap_or(u8::MAX);
                group.extend_from_slice(&member.to_ne_bytes());
                group.extend_from_slice(&[weight, 0, 0, 0]);
            }
            message.attribute(NHA_GROUP, &group);
        }
    }
    message.finish();
}

/// Removes a nexthop object.
pub(crate) fn unset_next_hop(buffer: &mut Vec<u8>, sequence: u32, id: u32) {
    let mut message = Builder::new(buffer, RTM_DELNEXTHOP, NLM_F_REQUEST, sequence);
    message.bytes(&[0; 8]).u32(NHA_ID, id).finish();
}

/// Writes a remote MAC address to the VXLAN device and to the bridge it is a port of.
pub(crate) fn set_fdb(
    buffer: &mut Vec<u8>,
    sequence: u32,
    index: u32,
    key: &FdbKey,
    remote: RemoteMac,
) {
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    let mut message = Builder::new(buffer, RTM_NEWNEIGH, flags, sequence);
    let sticky = if remote.sticky { NTF_STICKY } else { 0 };
    // VXLAN refuses NOARP alone.
    let state = NUD_NOARP | NUD_REACHABLE;
    let marks = NTF_SELF | NTF_MASTER | NTF_EXT_LEARNED | sticky;
    neighbour_header(&mut message, AF_BRIDGE, index, state, marks);
    message.attribute(NDA_LLADDR, &key.mac.0);
    destination(&mut message, remote.tunnel);
    // The one is for the VXLAN device, the other for the bridge.
    source_vni(&mut message, key.segment);
    vlan(&mut message, key.segment);
    message.finish();
}

/// Removes a MAC address from a VXLAN device.
pub(crate) fn unset_fdb_tunnel(
    buffer: &mut Vec<u8>,
    sequence: u32,
    index: u32,
    key: &FdbKey,
    tunnel: Tunnel,
) {
    let mut message = Builder::new(buffer, RTM_DELNEIGH, NLM_F_REQUEST, sequence);
    neighbour_header(&mut message, AF_BRIDGE, index, 0, NTF_SELF);
    message.attribute(NDA_LLADDR, &key.mac.0);
    destination(&mut message, tunnel);
    source_vni(&mut message, key.segment);
    message.finish();
}

fn destination(message: &mut Builder<'_>, tunnel: Tunnel) {
    message.address(NDA_DST, tunnel.vtep);
    if let Some(vni) = tunnel.vni {
        message.u32(NDA_VNI, vni.get());
    }
}

fn source_vni(message: &mut Builder<'_>, segment: Option<Segment>) {
    if let Some(segment) = segment {
        message.u32(NDA_SRC_VNI, segment.vni);
    }
}

fn vlan(message: &mut Builder<'_>, segment: Option<Segment>) {
    if let Some(segment) = segment.filter(|segment| segment.vlan != 0) {
        message.attribute(NDA_VLAN, &segment.vlan.to_ne_bytes());
    }
}

/// Removes a MAC address of this port from the bridge.
pub(crate) fn unset_fdb_bridge(buffer: &mut Vec<u8>, sequence: u32, index: u32, key: &FdbKey) {
    let mut message = Builder::new(buffer, RTM_DELNEIGH, NLM_F_REQUEST, sequence);
    neighbour_header(&mut message, AF_BRIDGE, index, 0, NTF_MASTER);
    message.attribute(NDA_LLADDR, &key.mac.0);
    vlan(&mut message, key.segment);
    message.finish();
}

/// Gives a bridge an address of its own in a VLAN, or takes it.
pub(crate) fn station(
    buffer: &mut Vec<u8>,
    sequence: u32,
    (index, vlan, mac): (u32, u16, Mac),
    there: bool,
) {
    let (kind, flags) = match there {
        true => (RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE),
        false => (RTM_DELNEIGH, NLM_F_REQUEST),
    };
    let mut message = Builder::new(buffer, kind, flags, sequence);
    neighbour_header(&mut message, AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF);
    message.attribute(NDA_LLADDR, &mac.0);
    message.attribute(NDA_VLAN, &vlan.to_ne_bytes()).finish();
}

/// Appends an endpoint to a VXLAN device's flood list.
pub(crate) fn set_flood(buffer: &mut Vec<u8>, sequence: u32, index: u32, key: &FloodKey) {
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND;
    let mut message = Builder::new(buffer, RTM_NEWNEIGH, flags, sequence);
    neighbour_header(
        &mut message,
        AF_BRIDGE,
        index,
        NUD_NOARP | NUD_PERMANENT,
        NTF_SELF,
    );
    message.attribute(NDA_LLADDR, &Mac::ZERO.0);
    destination(&mut message, key.tunnel);
    source_vni(&mut message, key.segment);
    message.finish();
}

/// Writes a neighbour.
pub(crate) fn set_neighbour(
    buffer: &mut Vec<u8>,
    sequence: u32,
    protocol: u8,
    index: u32,
    ip: IpAddr,
    neighbour: Neighbour,
) {
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    let mut message = Builder::new(buffer, RTM_NEWNEIGH, flags, sequence);
    let router = if neighbour.router { NTF_ROUTER } else { 0 };
    neighbour_header(
        &mut message,
        family(ip),
        index,
        NUD_NOARP,
        NTF_EXT_LEARNED | router,
    );
    message.address(NDA_DST, ip);
    message
        .attribute(NDA_LLADDR, &neighbour.mac.0)
        .attribute(NDA_PROTOCOL, &[protocol]);
    message.finish();
}

/// Removes a neighbour.
pub(crate) fn unset_neighbour(buffer: &mut Vec<u8>, sequence: u32, index: u32, ip: IpAddr) {
    let mut message = Builder::new(buffer, RTM_DELNEIGH, NLM_F_REQUEST, sequence);
    neighbour_header(&mut message, family(ip), index, 0, 0);
    message.address(NDA_DST, ip);
    message.finish();
}

/// Writes an FDB entry of somebody else's as it was shown.
pub(crate) fn put_back_fdb(buffer: &mut Vec<u8>, sequence: u32, fdb: &FdbNotice) {
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    let mut message = Builder::new(buffer, RTM_NEWNEIGH, flags, sequence);
    let half = match fdb.master {
        Some(_) => NTF_MASTER,
        None => NTF_SELF,
    };
    let marks = half | fdb.marks & NTF_STICKY;
    neighbour_header(&mut message, AF_BRIDGE, fdb.index, fdb.state, marks);
    message.attribute(NDA_LLADDR, &fdb.mac.0);
    if let Some(vtep) = fdb.vtep {
        message.address(NDA_DST, vtep);
    }
    if let Some(vni) = fdb.towards {
        message.u32(NDA_VNI, vni);
    }
    if let Some(vni) = fdb.vni {
        message.u32(NDA_SRC_VNI, vni);
    }
    if let Some(vlan) = fdb.vlan {
        message.attribute(NDA_VLAN, &vlan.to_ne_bytes());
    }
    message.finish();
}

/// Writes a neighbour of somebody else's as it was shown.
pub(crate) fn put_back_neighbour(
    buffer: &mut Vec<u8>,
    sequence: u32,
    neighbour: &NeighbourNotice,
) {
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    let mut message = Builder::new(buffer, RTM_NEWNEIGH, flags, sequence);
    let (ip, marks) = (neighbour.ip, neighbour.marks & NTF_ROUTER);
    let family = family(ip);
    neighbour_header(
        &mut message,
        family,
        neighbour.index,
        neighbour.state,
        marks,
    );
    message.address(NDA_DST, ip);
    if let Some(mac) = neighbour.mac {
        message.attribute(NDA_LLADDR, &mac.0);
    }
    message.finish();
}

fn neighbour_header(message: &mut Builder<'_>, family: u8, index: u32, state: u16, marks: u8) {
    message
        .bytes(&[family, 0, 0, 0])
        .bytes(&index.to_ne_bytes());
    message.bytes(&state.to_ne_bytes()).bytes(&[marks, 0]);
}

pub(crate) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}
