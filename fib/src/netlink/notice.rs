//! What dumps and notifications say about routes, nexthop objects, FDB entries and neighbours.
//!
//! A [`Notice`] is a message in words, without any judgement about whose it is.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::encode::{
    AF_BRIDGE, AF_INET, AF_INET6, NDA_DST, NDA_LLADDR, NDA_MASTER, NDA_SRC_VNI, NDA_VLAN, NDA_VNI,
    NHA_GATEWAY, NHA_GROUP, NHA_ID, NHA_OIF, RTA_DST, RTA_GATEWAY, RTA_MULTIPATH, RTA_NH_ID,
    RTA_OIF, RTA_PREFSRC, RTA_PRIORITY, RTA_TABLE, RTA_VIA, RTM_DELNEIGH, RTM_DELNEXTHOP,
    RTM_DELROUTE, RTM_NEWNEIGH, RTM_NEWNEXTHOP, RTM_NEWROUTE, RTN_BLACKHOLE, RTN_PROHIBIT,
    RTN_UNICAST, RTN_UNREACHABLE, RTNH_F_DEAD, RTNH_F_ONLINK,
};
use super::message::{Message, NLM_F_REPLACE, attributes, u16_at, u32_at};
use crate::state::{Mac, NextHop, RouteKey, RouteKind};
use crate::table::{Hop, Object};

/// A route, nexthop object, FDB entry or neighbour that is there or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Route {
        route: RouteNotice,
        removed: bool,
        replaces: bool,
    },
    NextHop {
        id: u32,
        protocol: u8,
        object: Option<Object>,
        removed: bool,
    },
    Fdb {
        fdb: FdbNotice,
        removed: bool,
    },
    Neighbour {
        neighbour: NeighbourNotice,
        removed: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteNotice {
    pub(crate) key: RouteKey,
    pub(crate) protocol: u8,
    pub(crate) metric: u32,
    pub(crate) kind: RouteKind,
    pub(crate) source: Option<IpAddr>,
    pub(crate) object: Option<u32>,
    pub(crate) hops: Vec<NextHop>,
    /// Those of a multipath route that are out of use while their device is down.
    pub(crate) dead: Vec<NextHop>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FdbNotice {
    pub(crate) index: u32,
    pub(crate) mac: Mac,
    pub(crate) state: u16,
    pub(crate) marks: u8,
    /// The bridge, for an entry of a bridge.
    pub(crate) master: Option<u32>,
    /// The endpoint, for an entry of a VXLAN device.
    pub(crate) vtep: Option<IpAddr>,
    pub(crate) vlan: Option<u16>,
    /// The VNI, for an entry of a VXLAN device that carries several.
    pub(crate) vni: Option<u32>,
    /// The VNI that frames leave with, where that is another than the device's.
    pub(crate) towards: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NeighbourNotice {
    pub(crate) index: u32,
    pub(crate) ip: IpAddr,
    pub(crate) mac: Option<Mac>,
    pub(crate) state: u16,
    pub(crate) marks: u8,
}

/// Reads a message; `None` if it is about something else.
pub(crate) fn read(message: &Message<'_>) -> Option<Notice> {
    let payload = message.payload();
    match message.kind {
        RTM_NEWROUTE | RTM_DELROUTE => Some(Notice::Route {
            route: route(payload)?,
            removed: message.kind == RTM_DELROUTE,
            replaces: message.flags & NLM_F_REPLACE != 0,
        }),
        RTM_NEWNEXTHOP | RTM_DELNEXTHOP => next_hop(payload, message.kind == RTM_DELNEXTHOP),
        RTM_NEWNEIGH | RTM_DELNEIGH => neighbour(payload, message.kind == RTM_DELNEIGH),
        _ => None,
    }
}

/// The local table, whose routes the kernel makes from addresses.
const RT_TABLE_LOCAL: u32 = 255;
/// A cached exception, not a route (`RTM_F_CLONED`).
const CLONED: u32 = 0x200;

fn route(payload: &[u8]) -> Option<RouteNotice> {
    let [family, length, from, tos, table, protocol, _, kind] = *payload.first_chunk::<8>()?;
    let flags = u32_at(payload, 8)?;
    if (from, tos) != (0, 0) {
        // For some of the packets to the prefix; none of ours is, and it stands in nobody's place.
        return None;
    }
    let kind = match kind {
        RTN_UNICAST => RouteKind::Unicast,
        RTN_BLACKHOLE => RouteKind::Blackhole,
        RTN_UNREACHABLE => RouteKind::Unreachable,
        RTN_PROHIBIT => RouteKind::Prohibit,
        _ => return None,
    };
    let mut table = u32::from(table);
    let mut destination = unspecified(family)?;
    let mut single = NextHop {
        gateway: None,
        interface: None,
        onlink: false,
        weight: 1,
        fate: 0,
    };
    single.onlink = flags & u32::from(RTNH_F_ONLINK) != 0;
    let (mut metric, mut source, mut object, mut hops) = (0, None, None, Vec::new());
    let mut dead = Vec::new();
    for (attribute, value) in attributes(payload.get(12..)?) {
        match attribute {
            RTA_DST => destination = address(value)?,
            RTA_TABLE => table = u32_at(value, 0)?,
            RTA_PRIORITY => metric = u32_at(value, 0)?,
            RTA_PREFSRC => source = address(value),
            RTA_NH_ID => object = u32_at(value, 0),
            RTA_GATEWAY => single.gateway = address(value),
            RTA_VIA => single.gateway = via(value),
            RTA_OIF => single.interface = u32_at(value, 0).map(Into::into),
            RTA_MULTIPATH => (hops, dead) = multipath(value),
            _ => {}
        }
    }
    if table == RT_TABLE_LOCAL || flags & CLONED != 0 {
        return None;
    }
    if kind != RouteKind::Unicast {
        // IPv6 names the loopback device for these.
        hops.clear();
    } else if hops.is_empty() && (single.gateway.is_some() || single.interface.is_some()) {
        hops.push(single);
    }
    hops.sort();
    let key = RouteKey::new(table, IpNetwork::new(destination, length).ok()?);
    Some(RouteNotice {
        key,
        protocol,
        metric,
        kind,
        source,
        object,
        hops,
        dead,
    })
}

/// A sequence of `struct rtnexthop`, each with attributes: all of them, and those that are dead.
fn multipath(mut bytes: &[u8]) -> (Vec<NextHop>, Vec<NextHop>) {
    let (mut hops, mut dead) = (Vec::new(), Vec::new());
    while let (Some(length), Some([flags, weight]), Some(index)) = (
        u16_at(bytes, 0).map(usize::from),
        bytes.get(2..).and_then(|bytes| bytes.first_chunk::<2>()),
        u32_at(bytes, 4),
    ) {
        let Some(inner) = bytes.get(8..length) else {
            break;
        };
        let gateway = attributes(inner).find_map(|(kind, value)| match kind {
            RTA_GATEWAY => address(value),
            RTA_VIA => via(value),
            _ => None,
        });
        let onlink = flags & RTNH_F_ONLINK != 0;
        let weight = u16::from(*weight) + 1;
        let hop = NextHop {
            gateway,
            interface: Some(index.into()),
            onlink,
            weight,
            fate: 0,
        };
        if flags & RTNH_F_DEAD != 0 {
            dead.push(hop.clone());
        }
        hops.push(hop);
        bytes = bytes
            .get(super::message::aligned(length)..)
            .unwrap_or_default();
    }
    (hops, dead)
}

fn next_hop(payload: &[u8], removed: bool) -> Option<Notice> {
    let [family, _, protocol, _] = *payload.first_chunk::<4>()?;
    let onlink = u32_at(payload, 4)? & u32::from(RTNH_F_ONLINK) != 0;
    let (mut id, mut index, mut gateway, mut group) = (0, None, None, None);
    for (attribute, value) in attributes(payload.get(8..)?) {
        match attribute {
            NHA_ID => id = u32_at(value, 0)?,
            NHA_OIF => index = u32_at(value, 0),
            NHA_GATEWAY => gateway = address(value),
            NHA_GROUP => group = Some(members(value)),
            _ => {}
        }
    }
    let single = |index| {
        Object::Single(Hop {
            ipv6: family == AF_INET6,
            gateway,
            index,
            onlink,
        })
    };
    let object = group.map(Object::Group).or_else(|| index.map(single));
    Some(Notice::NextHop {
        id,
        protocol,
        object,
        removed,
    })
}

/// A sequence of `struct nexthop_grp`.
fn members(value: &[u8]) -> Vec<(u32, u16)> {
    let mut members: Vec<(u32, u16)> = value
        .chunks_exact(8)
        .filter_map(|entry| Some((u32_at(entry, 0)?, u16::from(*entry.get(4)?) + 1)))
        .collect();
    members.sort_unstable();
    members
}

fn neighbour(payload: &[u8], removed: bool) -> Option<Notice> {
    let family = *payload.first()?;
    let (index, state) = (u32_at(payload, 4)?, u16_at(payload, 8)?);
    let marks = *payload.get(10)?;
    let (mut destination, mut mac, mut master) = (None, None, None);
    let (mut vlan, mut vni, mut towards) = (None, None, None);
    for (attribute, value) in attributes(payload.get(12..)?) {
        match attribute {
            NDA_DST => destination = address(value),
            NDA_LLADDR => mac = value.first_chunk::<6>().map(|bytes| Mac(*bytes)),
            NDA_MASTER => master = u32_at(value, 0),
            NDA_VLAN => vlan = u16_at(value, 0),
            NDA_SRC_VNI => vni = u32_at(value, 0),
            NDA_VNI => towards = u32_at(value, 0),
            _ => {}
        }
    }
    if family == AF_BRIDGE {
        let (mac, vtep) = (mac?, destination);
        let fdb = FdbNotice {
            index,
            mac,
            state,
            marks,
            master,
            vtep,
            vlan,
            vni,
            towards,
        };
        return Some(Notice::Fdb { fdb, removed });
    }
    if family != AF_INET && family != AF_INET6 {
        return None;
    }
    let neighbour = NeighbourNotice {
        index,
        ip: destination?,
        mac,
        state,
        marks,
    };
    Some(Notice::Neighbour { neighbour, removed })
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        16 => value
            .first_chunk::<16>()
            .map(|octets| IpAddr::from(*octets)),
        _ => None,
    }
}

fn via(value: &[u8]) -> Option<IpAddr> {
    address(value.get(2..)?)
}

fn unspecified(family: u8) -> Option<IpAddr> {
    match family {
        AF_INET => Some(IpAddr::from([0; 4])),
        AF_INET6 => Some(IpAddr::from([0; 16])),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
