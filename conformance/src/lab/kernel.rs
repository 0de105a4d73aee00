//! What the kernel of a namespace holds: routes and bridge forwarding entries, read through
//! iproute2.
//!
//! Reading goes through other people's code on purpose: a mistake in our own netlink code must not
//! hide itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde_json::Value;

use super::{Error, Namespace};

/// One way of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hop {
    /// The next router; `None` on a connected route.
    pub via: Option<String>,
    /// The interface.
    pub device: String,
}

/// One route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// `10.101.0.0/16`, a bare address for a host route, or `default`.
    pub prefix: String,
    /// Who wrote it: `kernel`, `bgp`, a number...
    pub protocol: String,
    /// Its ways; several mean multipath.
    pub hops: Vec<Hop>,
}

impl Route {
    /// Whether one of its ways leads to this router.
    pub fn leads_to(&self, router: Ipv4Addr) -> bool {
        let router = router.to_string();
        self.hops
            .iter()
            .any(|hop| hop.via.as_deref() == Some(&router))
    }
}

/// The IPv4 routes of the main table.
pub fn routes(space: &Namespace) -> Result<Vec<Route>, Error> {
    let listed = space.json("ip", "-4 route show")?;
    Ok(list(&listed).map(route).collect())
}

/// The routes to a prefix that a routing daemon wrote.
pub fn learned(space: &Namespace, prefix: &str) -> Result<Vec<Route>, Error> {
    let bare = prefix.strip_suffix("/32").unwrap_or(prefix);
    let mut found = routes(space)?;
    found.retain(|r| r.prefix == bare && !matches!(r.protocol.as_str(), "kernel" | "boot"));
    Ok(found)
}

/// The router that a packet to this address would be handed to.
pub fn next_hop(space: &Namespace, to: Ipv4Addr) -> Result<Option<Ipv4Addr>, Error> {
    let answer = space.json("ip", &format!("-4 route get {to}"))?;
    let via = list(&answer).find_map(|r| text(r, "gateway"));
    Ok(via.and_then(|v| v.parse().ok()))
}

/// The VXLAN device of a VNI, whatever its name.
pub fn vxlan_device(space: &Namespace, vni: u32) -> Result<Option<String>, Error> {
    let links = space.json("ip", "-d link show type vxlan")?;
    let wanted = Some(u64::from(vni));
    let device = list(&links)
        .find(|l| l.pointer("/linkinfo/info_data/id").and_then(Value::as_u64) == wanted)
        .and_then(|l| text(l, "ifname"));
    Ok(device)
}

/// Whether a device is there.
pub fn has_device(space: &Namespace, name: &str) -> bool {
    space.ip(&format!("link show dev {name}")).is_ok()
}

/// Remote tunnel ends that unknown destinations of a VNI are flooded to.
pub fn flood_list(space: &Namespace, vni: u32) -> Result<BTreeSet<String>, Error> {
    let entries = forwarding(space, vni)?;
    let flood = entries
        .iter()
        .filter(|e| text(e, "mac").as_deref() == Some(NO_MAC));
    Ok(flood.filter_map(|e| text(e, "dst")).collect())
}

/// Remote MAC addresses of a VNI that a daemon installed, each with its tunnel end.
pub fn remote_macs(space: &Namespace, vni: u32) -> Result<BTreeMap<String, String>, Error> {
    let entries = forwarding(space, vni)?;
    let remote = entries.iter().filter(|e| has_flag(e, "extern_learn"));
    Ok(remote
        .filter_map(|e| Some((text(e, "mac")?, text(e, "dst")?)))
        .filter(|(mac, _)| mac != NO_MAC)
        .collect())
}

/// All entries on the VXLAN device of a VNI.
fn forwarding(space: &Namespace, vni: u32) -> Result<Vec<Value>, Error> {
    let Some(device) = vxlan_device(space, vni)? else {
        return Ok(Vec::new());
    };
    let shown = space.json("bridge", &format!("fdb show dev {device}"))?;
    Ok(list(&shown).cloned().collect())
}

const NO_MAC: &str = "00:00:00:00:00:00";

fn route(value: &Value) -> Route {
    let several = value.get("nexthops").and_then(Value::as_array);
    let hops = match several {
        Some(hops) => hops.iter().map(hop).collect(),
        None => vec![hop(value)],
    };
    Route {
        prefix: text(value, "dst").unwrap_or_default(),
        protocol: text(value, "protocol").unwrap_or_else(|| "boot".to_owned()),
        hops,
    }
}

fn hop(value: &Value) -> Hop {
    // A next hop of the other family stands under "via".
    let other = value
        .pointer("/via/host")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Hop {
        via: text(value, "gateway").or(other),
        device: text(value, "dev").unwrap_or_default(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn has_flag(entry: &Value, flag: &str) -> bool {
    let flags = entry.get("flags").and_then(Value::as_array);
    flags.is_some_and(|flags| flags.iter().any(|f| f.as_str() == Some(flag)))
}
