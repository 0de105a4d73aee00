//! `ip route` and `ipv6 route`, outside and in the block of a VRF.
//!
//! As in staticd, lines of one prefix, table and distance are ways of one route, among which traffic
//! is shared. A line with `no` takes one way out, or all if it names none.

use super::Means::{Does, Refused};
use super::Node::{Top, Vrf};
use super::router::masked;
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{
    Args, NextHop, NextHopPut, Put, Site, StaticBfd, StaticKey, StaticRoute, quote,
};

const HERE: &[Node] = &[Top, Vrf];

macro_rules! route {
    ($words:literal, $($way:literal),+) => {
        concat!(
            $words,
            " ",
            $($way,)+
            " {tag <1-4294967295>|<1-255>|vrf NAME|nexthop-vrf VRF|table N|onlink|bfd [{multi-hop|source LOCAL|profile PROFILE}]}"
        )
    };
}

/// In the order of staticd's own manual: a network or a mask, then where packets go.
pub(super) const SHAPES: &[Shape] = &[
    shape(
        HERE,
        route!(
            "ip route A.B.C.D/M",
            "(A.B.C.D [IFNAME]|IFNAME|null0|blackhole|reject)"
        ),
        Does(route),
    ),
    shape(
        HERE,
        route!(
            "ip route A.B.C.D MASK",
            "(ADDR [IFNAME]|IFNAME|null0|blackhole|reject)"
        ),
        Does(route),
    ),
    shape(
        HERE,
        route!(
            "ipv6 route X:X::X:X/M",
            "(X:X::X:X [IFNAME]|IFNAME|null0|blackhole|reject)"
        ),
        Does(route),
    ),
    shape(
        HERE,
        "(ip|ipv6) route (PREFIX ADDR|WORDS...) (label|segments|color) LINE",
        Refused("rbgpd has no labels and no segment routing"),
    ),
    shape(
        HERE,
        "ipv6 route PREFIX from LINE",
        Refused("routes go by destination, not by source"),
    ),
];

fn route(site: &mut Site, a: &Args<'_>) -> Done {
    let (key, way) = match parts(site, a)? {
        Some(parts) => parts,
        None => {
            let how = "a distance of 255 is never used, as in FRR";
            site.as_frr.push((a.spot, how.to_owned()));
            return DONE;
        }
    };
    if a.no() {
        if let Some(route) = site.static_routes.get_mut(&key) {
            match way {
                Way::Via(next_hop) => drop(route.next_hops.remove(&next_hop)),
                Way::Refuse(_) => route.kind = None,
                Way::All => *route = StaticRoute::default(),
            }
        }
        let empty = |it: &StaticRoute| it.next_hops.is_empty() && it.kind.is_none();
        site.static_routes.retain(|_, route| !empty(route));
        return DONE;
    }
    let Site {
        static_routes,
        as_frr,
        ..
    } = site;
    let route = static_routes.entry(key).or_default();
    let mut note = None;
    let tag = a.get("<1-4294967295>").map(|tag| a.put(tag));
    let text = |tag: &Option<Put>| tag.as_ref().map(|it| it.text.clone());
    let first = route.kind.is_none() && route.next_hops.is_empty();
    if !first && text(&route.tag) != text(&tag) {
        let tag = text(&tag).unwrap_or_else(|| "none".to_owned());
        let how = format!("all ways of a route have the tag of its last line, as in FRR: {tag}");
        as_frr.push((a.spot, how));
    }
    match way {
        Way::Via(_) if route.kind.is_some() => return Err(BOTH.to_owned()),
        Way::Refuse(_) if !route.next_hops.is_empty() => return Err(BOTH.to_owned()),
        Way::Via(next_hop) => {
            let complete = next_hop.address.is_some() && next_hop.interface.is_some();
            if a.has("onlink") && !complete {
                note = Some("`onlink` counts beside a gateway and an interface".to_owned());
            }
            if a.has("bfd") && next_hop.address.is_none() {
                note = Some("`bfd` counts beside a gateway".to_owned());
            }
            let put = NextHopPut {
                onlink: a.has("onlink") && complete,
                bfd: next_hop.address.as_ref().and_then(|_| bfd(a)),
                spot: a.spot,
            };
            route.next_hops.insert(next_hop, put);
        }
        Way::Refuse(kind) => route.kind = Some(a.put(quote(kind))),
        Way::All => {}
    }
    route.tag = tag;
    Ok(note)
}

const BOTH: &str = "the prefix has ways out and is refused at the same distance; give one of them another distance";

/// `bfd` and what follows it.
fn bfd(a: &Args<'_>) -> Option<StaticBfd> {
    a.has("bfd").then(|| StaticBfd {
        multihop: a.has("multi-hop"),
        source: a.get("LOCAL").map(str::to_owned),
        profile: a.get("PROFILE").map(str::to_owned),
    })
}

enum Way {
    Via(NextHop),
    Refuse(&'static str),
    /// Of a line with `no`.
    All,
}

/// What a line speaks of; `None` if it is never used.
fn parts(site: &Site, a: &Args<'_>) -> Result<Option<(StaticKey, Way)>, String> {
    let prefix = a.get("A.B.C.D/M").or_else(|| a.get("X:X::X:X/M"));
    let written = match (prefix, a.get("MASK")) {
        (Some(prefix), _) => prefix.to_owned(),
        (None, mask) => {
            let mask = mask.unwrap_or("");
            let bits = mask.parse::<std::net::Ipv4Addr>().map_or(0, u32::from);
            if bits.leading_ones() + bits.trailing_zeros() < 32 {
                return Err(format!("`{mask}` is no mask: ones stand behind zeros"));
            }
            format!("{}/{}", a.value("A.B.C.D"), bits.leading_ones())
        }
    };
    let prefix = masked(&written).ok_or_else(|| format!("`{written}` is no prefix"))?;
    let block = (a.node == Vrf).then_some(site.here.interface.as_str());
    let vrf = block.or(a.get("NAME")).filter(|name| *name != "default");
    let distance = a.number("<1-255>").unwrap_or(1);
    let key = StaticKey {
        vrf: vrf.map(str::to_owned),
        prefix,
        table: a.number("N"),
        distance,
    };
    // Beside a mask `A.B.C.D` is the network.
    let gateway = match (a.get("ADDR"), a.get("A.B.C.D/M")) {
        (None, Some(_)) => a.get("A.B.C.D"),
        (address, _) => address.or(a.get("X:X::X:X")),
    };
    let way = match (gateway, a.get("IFNAME")) {
        (None, None) if a.has("reject") => Way::Refuse("unreachable"),
        (None, None) if a.has("null0") || a.has("blackhole") => Way::Refuse("blackhole"),
        (None, None) => Way::All,
        (address, interface) => Way::Via(NextHop {
            address: address.map(str::to_owned),
            interface: interface.map(str::to_owned),
            // An interface says itself which VRF it is in.
            vrf: a
                .get("VRF")
                .filter(|name| {
                    interface.is_none() && key.vrf.as_deref().unwrap_or("default") != *name
                })
                .map(str::to_owned),
        }),
    };
    Ok((distance < 255).then_some((key, way)))
}
