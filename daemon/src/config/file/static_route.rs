//! `[[static_route]]` as it stands in a file.
//!
//! Every value by itself, and what the values of one next hop mean together. What a route may not
//! have in common with others is for [`accept()`](crate::config::accept()).

use std::net::{IpAddr, Ipv4Addr};

use bgp::Prefix;
use ipnetwork::IpNetwork;
use toml::de::DeValue;

use super::bfd::{self, StaticBfdTable};
use super::own_routes::routing_table;
use crate::config::error::{At, Conflict, Problem};
use crate::config::read::{
    self, Reading, Rejection, Table, Value, boolean, device, keyword, number, text,
};
use crate::config::types::Refusal;

/// `[[static_route]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StaticRouteTable {
    /// `prefix`.
    pub prefix: Option<At<Prefix>>,
    /// `next_hops`; those that are wrong are left out.
    pub next_hops: Option<At<Vec<At<StaticNextHopItem>>>>,
    /// `kind`.
    pub kind: Option<At<Refusal>>,
    /// `distance`.
    pub distance: Option<At<u8>>,
    /// `table`.
    pub table: Option<At<u32>>,
    /// `tag`.
    pub tag: Option<At<u32>>,
    /// `src`.
    pub src: Option<At<IpAddr>>,
    /// `bfd`, of all next hops that have none of their own.
    pub bfd: Option<At<StaticBfdTable>>,
}

/// One of `next_hops`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StaticNextHopItem {
    /// `address`, or the text itself.
    pub address: Option<At<IpAddr>>,
    /// `interface`.
    pub interface: Option<At<String>>,
    /// `vrf`.
    pub vrf: Option<At<String>>,
    /// `weight`.
    pub weight: Option<At<u16>>,
    /// `onlink`.
    pub onlink: Option<At<bool>>,
    /// `bfd`.
    pub bfd: Option<At<StaticBfdTable>>,
}

pub(super) fn static_route(table: &mut Table<'_, '_>) -> StaticRouteTable {
    let prefix = table.require("prefix", "the network that it leads to", any_prefix);
    if !table.has("next_hops") && !table.has("kind") {
        table.missing(
            "next_hops",
            "the ways out, like [\"10.0.0.1\"], or `kind` where packets go nowhere",
        );
    }
    StaticRouteTable {
        prefix,
        next_hops: next_hops(table),
        kind: table.get("kind", keyword),
        distance: table.get("distance", number(1..=254)),
        table: table.get("table", routing_table),
        tag: table.get("tag", number(1..=0xffff_ffff)),
        src: table.get("src", host_address),
        bfd: bfd::of_next_hop(table),
    }
}

/// Texts and tables may stand beside each other.
fn next_hops(table: &mut Table<'_, '_>) -> Option<At<Vec<At<StaticNextHopItem>>>> {
    const KEY: &str = "next_hops";
    let value = table.raw(KEY)?;
    let span = value.span().into();
    let report = table.report();
    let items = read::array(report, KEY, value)?;
    if items.is_empty() {
        let expected = "a list of at least one way out";
        report.error(span, Problem::value(KEY, "[]", expected));
    }
    let read = |item: &Value<'_>| {
        if item.get_ref().is_table() {
            let item = read::table(report, KEY, "the next hop", item, next_hop)?;
            return item.value.map(|value| At::new(value, item.span));
        }
        let address = read::reading(report, KEY, item, |value| {
            let address = host_address(value)?;
            match is_link_local(address) {
                false => Ok(address),
                true => Err(
                    Rejection::from("a table with the interface of a link-local address").hint(
                        format!("write {{ address = \"{address}\", interface = \"DEVICE\" }}"),
                    ),
                ),
            }
        })?;
        let item = StaticNextHopItem {
            address: Some(address),
            ..StaticNextHopItem::default()
        };
        Some(At::new(item, address.span))
    };
    let hops = items.iter().filter_map(read).collect();
    Some(At::new(hops, span))
}

/// What is wrong in one of its values is no next hop.
fn next_hop(table: &mut Table<'_, '_>) -> Option<StaticNextHopItem> {
    let before = table.report().count();
    let item = StaticNextHopItem {
        address: table.get("address", host_address),
        interface: table.get("interface", device),
        vrf: table.get("vrf", device),
        weight: table.get("weight", number(1..=256)),
        onlink: table.get("onlink", boolean),
        bfd: bfd::of_next_hop(table),
    };
    if table.report().count() > before {
        return None;
    }
    match (item.address, &item.interface) {
        (None, None) => table.missing("address", "the router, `interface`, or both"),
        (Some(address), None) if is_link_local(address.value) => {
            table.missing("interface", "the device, since `address` is link-local");
        }
        _ => {}
    }
    if let (Some(vrf), Some(_)) = (&item.vrf, &item.interface) {
        let conflict = Conflict::NoEffect {
            key: "vrf",
            because: "beside `interface`, which is in a VRF or in none",
        };
        table.report().error(vrf.span, conflict);
    }
    let complete = item.address.is_some() && item.interface.is_some();
    if let Some(onlink) = item.onlink.filter(|it| it.value && !complete) {
        let conflict = Conflict::NoEffect {
            key: "onlink",
            because: "without both `address` and `interface`",
        };
        table.report().error(onlink.span, conflict);
    }
    (table.report().count() == before).then_some(item)
}

/// A network of either IP version.
fn any_prefix(value: &DeValue<'_>) -> Reading<Prefix> {
    let expected = "a network like \"10.100.0.0/16\" or \"2001:db8::/32\"";
    let network = value
        .as_str()
        .filter(|text| text.contains('/'))
        .and_then(|text| text.parse::<IpNetwork>().ok())
        .ok_or_else(|| Rejection::from(expected))?;
    let prefix = Prefix::from(network);
    if network.ip() == prefix.addr() {
        return Ok(prefix);
    }
    Err(Rejection::from("a network without host bits").hint(format!("write \"{prefix}\"")))
}

/// An address that one host can have, on its link or beyond.
fn host_address(value: &DeValue<'_>) -> Reading<IpAddr> {
    let expected = "an IP address like \"10.10.0.2\"";
    let address: IpAddr =
        text(expected, |text| text.parse().ok())(value).map_err(|rejection| {
            match value.as_str() {
                Some(name) if device(value).is_ok() && !name.contains('.') => {
                    rejection.hint(format!("for a device write {{ interface = \"{name}\" }}"))
                }
                Some(_) | None => rejection,
            }
        })?;
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_unspecified() || address.is_multicast() || broadcast || address.is_loopback() {
        return Err("the address of another host".into());
    }
    Ok(address)
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
