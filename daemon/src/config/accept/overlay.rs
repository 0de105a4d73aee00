//! Overlays of a file: what is there once on the host, and what VNIs and their gateways need around them.
//!
//! Not here: names of devices ([`super::devices`]) and the L3 VNIs of instances ([`super::tenant`]).

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use bgp::{Prefix, Vni};
use ipnetwork::IpNetwork;

use super::devices::Devices;
use super::distinguishers::Distinguishers;
use super::{Once, or};
use crate::config::error::{At, Conflict, Report};
use crate::config::file::{File, VniTable};
use crate::config::types::*;

/// What is there once on the host, whatever instance it is of.
pub(super) struct Overlays {
    pub(super) distinguishers: Distinguishers,
    pub(super) ids: Once<Vni>,
    names: Once<String>,
    vlans: Once<u16>,
    pub(super) devices: Devices,
    /// By the VRF that they are in.
    addresses: BTreeMap<Option<String>, Vec<Addresses>>,
}

/// Addresses that an overlay has.
#[derive(Clone, Copy)]
struct Addresses {
    /// The number of the overlay in the file.
    overlay: usize,
    at: At<IpNetwork>,
    /// `gateway` or `network`.
    kind: &'static str,
}

impl Addresses {
    /// A gateway lies in a network of its own overlay.
    fn exclude(&self, other: &Self) -> bool {
        let (one, two) = (Prefix::from(self.at.value), Prefix::from(other.at.value));
        let overlap = one.contains(two) || two.contains(one);
        overlap && (self.overlay != other.overlay || self.kind == other.kind)
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.at.value)
    }
}

impl Overlays {
    pub(super) fn new(top: &File) -> Self {
        Self {
            distinguishers: Distinguishers::of(top),
            ids: Once::new("vni"),
            names: Once::new("vni name"),
            vlans: Once::new("vlan"),
            devices: Devices::default(),
            addresses: BTreeMap::new(),
        }
    }
}

pub(super) fn vnis(
    file: &File,
    router_id: Ipv4Addr,
    (overlays, single): (&mut Overlays, Option<&SingleDevice>),
    report: &mut Report,
) -> Vec<VniConfig> {
    let Overlays {
        distinguishers,
        ids,
        names,
        vlans,
        devices,
        addresses,
    } = overlays;
    // Each instance has a bridge of its own.
    *vlans = Once::new("vlan");
    let mut rds = Once::new("rd");
    let mut no_vtep = false;
    let mut vnis = Vec::new();
    for At { value: table, .. } in &file.vnis {
        if let Some(name) = &table.name {
            names.see(format!("\"{}\"", name.value), name.span, report);
        }
        let vrf = table.vrf.as_ref().map(|vrf| vrf.value.clone());
        own_addresses(table, addresses.entry(vrf).or_default(), report);
        let import_targets = targets(table.import_targets.as_ref(), report);
        let export_targets = targets(table.export_targets.as_ref(), report);
        let Some(id) = table.id else {
            continue;
        };
        let is_new = ids.see(id.value, id.span, report);
        // Once is enough: all VNIs share the endpoint.
        if file.evpn.is_none() && !std::mem::replace(&mut no_vtep, true) {
            let hint = "add [evpn] with vtep = \"OUR ADDRESS ON THE UNDERLAY\"";
            report.error_with_hint(id.span, Conflict::NoVtep(id.value.get()), hint);
        }
        let rd = distinguishers.get(table.rd, id, router_id, report);
        if is_new || table.rd.is_some() {
            rds.see(rd, table.rd.map_or(id.span, |rd| rd.span), report);
        }
        let (bridge, vxlan) = match single {
            Some(single) => {
                let bridge = lane(table, id, single, (vlans, devices), report);
                (bridge, single.vxlan.clone())
            }
            None => {
                if let Some(vlan) = table.vlan {
                    let hint = "add single_device = {} to [evpn], or leave vlan out";
                    report.error_with_hint(vlan.span, Conflict::VlanAlone(id.value.get()), hint);
                }
                let bridge = devices.name(table.bridge.as_ref(), "br", id, report);
                let vxlan = devices.name(table.vxlan.as_ref(), "vxlan", id, report);
                (bridge, vxlan)
            }
        };
        let Some(name) = &table.name else {
            continue;
        };
        vnis.push(VniConfig {
            id: id.value,
            name: name.value.clone(),
            rd,
            import_targets,
            export_targets,
            gateway: table.gateway.iter().map(|gateway| gateway.value).collect(),
            networks: table.networks.iter().map(|network| network.value).collect(),
            gateway_mac: table.gateway_mac.map(|mac| mac.value),
            advertise_gateway: or(table.advertise_gateway, false),
            advertise_svi: or(table.advertise_svi, false),
            vrf: table.vrf.as_ref().map(|vrf| vrf.value.clone()),
            bridge,
            vxlan,
            vlan: table
                .vlan
                .map(|vlan| vlan.value)
                .filter(|_| single.is_some()),
            mtu: table.mtu.map(|mtu| mtu.value),
            suppress: or(table.suppress, true),
            flooding: or(table.flooding, true),
            create: or(table.create, true),
        });
    }
    vnis
}

/// The devices that all VNIs of an instance share.
pub(super) fn single_device(
    file: &File,
    overlays: &mut Overlays,
    report: &mut Report,
) -> Option<SingleDevice> {
    overlays.devices.underlay(file, report);
    let At { value, span } = file.evpn.as_ref()?.value.single_device.as_ref()?;
    let devices = &mut overlays.devices;
    let mut name = |given: Option<&At<String>>, usual: &str| {
        let (name, span) = given.map_or((usual, *span), |at| (at.value.as_str(), at.span));
        devices.see(name.to_owned(), (span, true), report);
        name.to_owned()
    };
    let vxlan = name(value.vxlan.as_ref(), SingleDevice::VXLAN);
    let bridge = name(value.bridge.as_ref(), SingleDevice::BRIDGE);
    devices.vxlans.insert(vxlan.clone());
    Some(SingleDevice {
        vxlan,
        bridge,
        mtu: value.mtu.map(|mtu| mtu.value),
    })
}

/// The place of a VNI on shared devices. Gives the name of its VLAN device.
fn lane(
    table: &VniTable,
    id: At<Vni>,
    single: &SingleDevice,
    (vlans, devices): (&mut Once<u16>, &mut Devices),
    report: &mut Report,
) -> String {
    let vni = id.value.get();
    if let Some(vxlan) = &table.vxlan {
        let hint = "leave it out: all VNIs of [evpn] with single_device share that device";
        report.error_with_hint(vxlan.span, Conflict::VxlanBesideSingle(vni), hint);
    }
    if let Some(create) = table.create.filter(|it| !it.value) {
        let hint = "leave it out: the devices of [evpn] with single_device are made for all VNIs";
        report.error_with_hint(create.span, Conflict::AwaitedBesideSingle(vni), hint);
    }
    if let (Some(mtu), Some(below)) = (table.mtu, single.mtu)
        && mtu.value > below
    {
        let mtu_of = mtu.value;
        let conflict = Conflict::MtuAboveSingle { mtu: mtu_of, below };
        report.error(mtu.span, conflict);
    }
    let Some(vlan) = table.vlan else {
        if !table.has_vlan {
            let hint = "set vlan, 1 to 4094, different for each VNI";
            report.error_with_hint(id.span, Conflict::NoVlan(vni), hint);
        }
        return String::new();
    };
    let is_new = vlans.see(vlan.value, vlan.span, report);
    let usual = single.vlan_device(vlan.value);
    if table.bridge.is_none() && usual.len() > 15 {
        let name = usual.clone();
        let hint = "set bridge of the VNI, or a shorter one in single_device";
        report.error_with_hint(vlan.span, Conflict::LongVlanDevice { vni, name }, hint);
    }
    let given = table.bridge.as_ref();
    let (name, span) = given.map_or((usual, vlan.span), |at| (at.value.clone(), at.span));
    if is_new || given.is_some() {
        devices.see(name.clone(), (span, given.is_some()), report);
    }
    name
}

pub(super) fn targets(
    targets: Option<&At<Vec<At<bgp::ExtendedCommunity>>>>,
    report: &mut Report,
) -> RouteTargets {
    let Some(At { value, .. }) = targets else {
        return RouteTargets::Auto;
    };
    let mut seen = Once::new("route target");
    for target in value {
        seen.see(target.value, target.span, report);
    }
    RouteTargets::Listed(value.iter().map(|target| target.value).collect())
}

/// No two overlays have the same addresses, and gateways are addresses that a host can have.
fn own_addresses(table: &VniTable, others: &mut Vec<Addresses>, report: &mut Report) {
    let overlay = others.last().map_or(0, |other| other.overlay + 1);
    for gateway in &table.gateway {
        let address = gateway.value.to_string();
        if let Some(what) = not_of_hosts(Prefix::host(gateway.value.ip())) {
            let kind = "gateway";
            report.error(
                gateway.span,
                Conflict::NotOfHosts {
                    kind,
                    address,
                    what,
                },
            );
        } else if let Some(what) = unusable(gateway.value) {
            report.error(gateway.span, Conflict::GatewayAddress { address, what });
        }
    }
    for network in &table.networks {
        if let Some(what) = not_of_hosts(network.value) {
            let (kind, address) = ("network", network.value.to_string());
            report.error(
                network.span,
                Conflict::NotOfHosts {
                    kind,
                    address,
                    what,
                },
            );
        }
    }
    let gateways = table.gateway.iter().map(|at| (*at, "gateway"));
    let network = |at: &At<Prefix>| (At::new(IpNetwork::from(at.value), at.span), "network");
    for (at, kind) in gateways.chain(table.networks.iter().map(network)) {
        let one = Addresses { overlay, at, kind };
        if let Some(two) = others.iter().find(|other| one.exclude(other)) {
            let conflict = Conflict::Gateway {
                one: one.to_string(),
                two: two.to_string(),
                first: report.place(two.at.span),
            };
            report.error(at.span, conflict);
        }
        others.push(one);
    }
}

/// What a network has in place of addresses that a machine can have.
pub(crate) fn not_of_hosts(network: Prefix) -> Option<&'static str> {
    if network.len() == 0 {
        return Some("all");
    }
    match network.addr() {
        first if first.is_loopback() => Some("loopback"),
        first if first.is_multicast() => Some("multicast"),
        IpAddr::V4(first) if first.octets().first() == Some(&0) => Some("this host's own"),
        IpAddr::V4(first) if first.octets().first() >= Some(&240) => Some("reserved"),
        // RFC 4291 §2.5.2, §2.5.5.
        IpAddr::V6(first) if first.is_unspecified() => Some("unspecified"),
        IpAddr::V6(first) if first.to_ipv4_mapped().is_some() => Some("IPv4-mapped"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// What an address is if not one of a host: the first or, in IPv4, the last of its network.
/// Networks of one or two addresses have neither (RFC 3021, RFC 6164).
fn unusable(address: IpNetwork) -> Option<&'static str> {
    let host_bits = if address.is_ipv4() { 32 } else { 128 } - address.prefix();
    if host_bits < 2 {
        return None;
    }
    let broadcast = address.is_ipv4() && address.ip() == address.broadcast();
    match address.ip() == address.network() {
        true => Some("network"),
        false => broadcast.then_some("broadcast"),
    }
}

/// The L3 VNI of a VRF has a VXLAN device of its own, on the UDP port of all others; Linux gives a
/// port to devices with one VNI, or to one with several.
pub(super) fn check_single_device(file: &File, report: &mut Report) {
    let single = file
        .evpn
        .as_ref()
        .and_then(|evpn| evpn.value.single_device.as_ref());
    let Some(single) = single else {
        return;
    };
    let of_instances = file.instances.iter();
    let tenants = of_instances.filter_map(|it| it.value.l3vni.as_ref());
    for l3vni in tenants.chain(&file.l3vni) {
        let first = report.place(single.span);
        let hint = "leave single_device out: each VNI has devices of its own then";
        report.error_with_hint(l3vni.span, Conflict::L3VniBesideSingle { first }, hint);
    }
}
