//! `[[vni]]` as it stands in a file: an overlay network.
//!
//! Every value by itself, with `single_device` of `[evpn]`, whose part a VNI may be. That no two overlays share a number, a name or a device, and what stands
//! where a route distinguisher or the name of a device is left out, is for
//! [`accept()`](crate::config::accept()).

use std::net::Ipv4Addr;
use std::str::FromStr;

use bgp::community::ExtendedCommunity;
use bgp::evpn_route::{MacAddress, RouteDistinguisher};
use bgp::{Prefix, Vni};
use ipnetwork::IpNetwork;
use toml::de::DeValue;

use crate::config::error::{At, Problem};
use crate::config::read::{
    Reading, Rejection, Table, boolean, device, name, new_device, number, text,
};

/// `[[vni]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VniTable {
    /// `id`.
    pub id: Option<At<Vni>>,
    /// `name`.
    pub name: Option<At<String>>,
    /// `rd`.
    pub rd: Option<At<RouteDistinguisher>>,
    /// `import_targets`.
    pub import_targets: Option<At<Vec<At<ExtendedCommunity>>>>,
    /// `export_targets`.
    pub export_targets: Option<At<Vec<At<ExtendedCommunity>>>>,
    /// `gateway`.
    pub gateway: Vec<At<IpNetwork>>,
    /// `networks`.
    pub networks: Vec<At<Prefix>>,
    /// `gateway_mac`.
    pub gateway_mac: Option<At<MacAddress>>,
    /// `advertise_gateway`.
    pub advertise_gateway: Option<At<bool>>,
    /// `advertise_svi`.
    pub advertise_svi: Option<At<bool>>,
    /// `vrf`.
    pub vrf: Option<At<String>>,
    /// `bridge`.
    pub bridge: Option<At<String>>,
    /// `vxlan`.
    pub vxlan: Option<At<String>>,
    /// `vlan`.
    pub vlan: Option<At<u16>>,
    /// `vlan` is there, if perhaps with a value that was refused.
    pub has_vlan: bool,
    /// `mtu`.
    pub mtu: Option<At<u32>>,
    /// `suppress`.
    pub suppress: Option<At<bool>>,
    /// `flooding`.
    pub flooding: Option<At<bool>>,
    /// `create`.
    pub create: Option<At<bool>>,
}

/// `single_device`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SingleDeviceTable {
    /// `vxlan`.
    pub vxlan: Option<At<String>>,
    /// `bridge`.
    pub bridge: Option<At<String>>,
    /// `mtu`.
    pub mtu: Option<At<u32>>,
}

pub(super) fn single_device(table: &mut Table<'_, '_>) -> SingleDeviceTable {
    SingleDeviceTable {
        vxlan: table.get("vxlan", new_device),
        bridge: table.get("bridge", new_device),
        mtu: table.get("mtu", number(1280..=65_535)),
    }
}

pub(super) fn vni(table: &mut Table<'_, '_>) -> VniTable {
    VniTable {
        id: vni_number(table),
        name: table.require("name", "a name for people", name(63)),
        rd: rd(table),
        import_targets: targets(table, "import_targets"),
        export_targets: targets(table, "export_targets"),
        gateway: table
            .list("gateway", gateway)
            .map_or(Vec::new(), |list| list.value),
        networks: table
            .list("networks", network)
            .map_or(Vec::new(), |list| list.value),
        advertise_gateway: table.get("advertise_gateway", boolean),
        advertise_svi: table.get("advertise_svi", boolean),
        gateway_mac: table.get("gateway_mac", |value| {
            let parse = |text: &str| text.parse().ok().filter(is_unicast);
            text("a unicast MAC address like \"02:00:00:00:01:00\"", parse)(value)
        }),
        vrf: table.get("vrf", device),
        bridge: table.get("bridge", new_device),
        vxlan: table.get("vxlan", new_device),
        vlan: table.get("vlan", number(1..=4094)),
        has_vlan: table.has("vlan"),
        mtu: table.get("mtu", number(1280..=65_535)),
        suppress: table.get("suppress", boolean),
        flooding: table.get("flooding", boolean),
        create: table.get("create", boolean),
    }
}

/// `id`.
pub(super) fn vni_number(table: &mut Table<'_, '_>) -> Option<At<Vni>> {
    let expected = "a number from 1 to 16777215";
    table.require("id", expected, |value| {
        number(1..=0xff_ffff)(value)
            .ok()
            .and_then(Vni::new)
            .ok_or_else(|| expected.into())
    })
}

/// `rd`.
pub(super) fn rd(table: &mut Table<'_, '_>) -> Option<At<RouteDistinguisher>> {
    let expected = "a route distinguisher like \"10.10.0.1:100\"";
    table.get("rd", two_parts(expected))
}

/// What is written as `ADDRESS:N` or `ASN:N`. What is wrong with it is said, too: the range of `N`
/// depends on what stands before it, which nobody knows by heart.
fn two_parts<'i, T: FromStr>(expected: &'static str) -> impl FnOnce(&DeValue<'i>) -> Reading<T> {
    move |value| {
        let Some(text) = value.as_str() else {
            return Err(expected.into());
        };
        let wrong = |_| match wrong_part(text) {
            Some(hint) => Rejection::from(expected).hint(hint),
            None => expected.into(),
        };
        text.parse().map_err(wrong)
    }
}

fn wrong_part(text: &str) -> Option<String> {
    let Some((first, number)) = text.split_once(':') else {
        return Some("write an IPv4 address or an AS number, a colon and a number".to_owned());
    };
    let is_address = first.parse::<Ipv4Addr>().is_ok();
    let asn = first.parse::<u32>().ok();
    if !is_address && asn.is_none() {
        return Some(format!(
            "`{first}` is neither an IPv4 address nor an AS number"
        ));
    }
    let (most, after) = match asn.is_some_and(|asn| asn <= u32::from(u16::MAX)) {
        true => (u64::from(u32::MAX), "an AS number up to 65535"),
        false if is_address => (u64::from(u16::MAX), "an IPv4 address"),
        false => (u64::from(u16::MAX), "an AS number over 65535"),
    };
    let fits = number.parse::<u64>().is_ok_and(|number| number <= most);
    (!fits).then(|| format!("after {after} stands a number from 0 to {most}"))
}

/// The group bit is clear and the address is not zero.
pub(super) fn is_unicast(mac: &MacAddress) -> bool {
    let [first, ..] = mac.0;
    first & 1 == 0 && mac.0 != [0; 6]
}

pub(super) fn targets(
    table: &mut Table<'_, '_>,
    key: &'static str,
) -> Option<At<Vec<At<ExtendedCommunity>>>> {
    let span = table.raw(key).map(|value| value.span().into());
    let empty = table.raw(key).and_then(|value| value.get_ref().as_array());
    if let (Some(span), Some([])) = (span, empty.map(|list| list.iter().as_slice())) {
        let problem = Problem::value(key, "an empty list", "at least one route target");
        let report = table.report();
        report.error_with_hint(span, problem, "leave it out for automatic ones");
        return None;
    }
    table.list(key, route_target)
}

fn route_target(value: &DeValue<'_>) -> Reading<ExtendedCommunity> {
    two_parts("a route target like \"65000:100\"")(value)
}

fn gateway(value: &DeValue<'_>) -> Reading<IpNetwork> {
    text(
        "an address with the length of its network like \"10.100.0.1/24\"",
        |text| Some(text).filter(|text| text.contains('/'))?.parse().ok(),
    )(value)
}

/// Of either IP version, as an operator means it: with a length and without host bits.
fn network(value: &DeValue<'_>) -> Reading<Prefix> {
    let expected = "a network like \"10.100.0.0/24\"";
    let parse = |text: &str| Some(text).filter(|text| text.contains('/'))?.parse().ok();
    let network: IpNetwork = text(expected, parse)(value)?;
    let prefix = Prefix::from(network);
    if network.ip() == prefix.addr() {
        return Ok(prefix);
    }
    Err(Rejection::from("a network without host bits").hint(format!("write \"{prefix}\"")))
}
