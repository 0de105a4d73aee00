//! Overlays that share devices: one VXLAN device (`external vnifilter`) as a port of one VLAN-aware
//! bridge, and of that a VLAN and a VNI for each overlay.
//!
//! What is shared comes first: while the bridge or the VXLAN device asks for a step, an overlay
//! asks for nothing else, and all of them ask for the same. Then an overlay has four parts of its
//! own: the VNI in the filter, the VLAN of the port mapped to it, the VLAN of the bridge itself, and
//! a VLAN device on the bridge, on which gateway and neighbours are. A gateway address in Ethernet
//! that the bridge does not have is a fifth: without it the bridge would flood what is sent to the
//! gateway. [`leftovers`] are the parts that no overlay wants.
//!
//! The kernel keeps no stamp per part. On a device that we made every part is ours; on one made by
//! somebody else those are that were asked for since the start.
//!
//! A kernel that lacks something is noticed by what it shows: an attribute that is not there was
//! ignored when it was set.

use std::collections::BTreeSet;

use super::fault::{Fault, Side};
use super::{
    DeviceOp, Fix, LinkChange, Owner, Part, Steps, gateway_steps, is_ours, other_address,
    rename_step,
};
use crate::links::{BridgePort, Link, LinkKind, Links, Station, Vxlan};
use crate::state::{Device, Lane, Mac, Overlay};

/// The next steps towards this overlay.
pub(super) fn steps(
    vni: u32,
    (overlay, lane): (&Overlay, &Lane),
    links: &Links,
    owner: &Owner,
) -> Steps {
    let mut steps = Steps::default();
    let ready = shared_steps(&mut steps, (overlay, lane), links, owner);
    if !steps.ops.is_empty() {
        steps.shared = true;
        return steps;
    }
    // A device that is in use for something else gets no parts either.
    let ready = ready.filter(|_| !steps.keeps_from(Side::Tunnel));
    let devices = ready
        .filter(|devices| !is_mapped_elsewhere(&mut steps, vni, lane, *devices, links, owner));
    match devices {
        Some((bridge, vxlan)) => {
            part_steps(
                &mut steps,
                vni,
                overlay,
                lane,
                (bridge, vxlan),
                links,
                owner,
            );
            vlan_device_steps(&mut steps, overlay, lane, bridge, links, owner);
        }
        None => {
            let link = links.named(&overlay.bridge);
            let theirs = link.filter(|link| !owner.owns(link));
            if let (Some(link), Some(bridge)) = (theirs, links.named(&lane.bridge)) {
                is_vlan_device(&mut steps, link, lane.vlan, bridge, links);
            }
        }
    }
    steps
}

/// Bridge and VXLAN device. Gives both when parts can be added to them.
fn shared_steps<'a>(
    steps: &mut Steps,
    (overlay, lane): (&Overlay, &Lane),
    links: &'a Links,
    owner: &Owner,
) -> Option<(&'a Link, &'a Link)> {
    let vxlan = links.named(&overlay.vxlan);
    let bridge = links.named(&lane.bridge);
    let astray = |link: &&Link| owner.is_astray(link) && link.has_vni_filter();
    let astray_vxlan = links.iter().find(astray).filter(|_| vxlan.is_none());
    let master = vxlan.or(astray_vxlan).and_then(|link| link.master);
    let astray_bridge = master
        .and_then(|index| links.get(index))
        .filter(|link| bridge.is_none() && link.kind == LinkKind::Bridge && owner.is_astray(link));
    // Frames from the bridge that do not fit through the tunnel are dropped without a word.
    let narrow = vxlan.filter(|link| !owner.owns(link)).map(|link| link.mtu);
    let mtu = narrow.map_or(lane.mtu, |mtu| mtu.min(lane.mtu));
    match (bridge, astray_bridge) {
        (Some(link), _) => bridge_steps(steps, mtu, link, owner),
        (None, Some(link)) => rename_step(steps, link, &lane.bridge, owner),
        (None, None) => steps.ops.push(DeviceOp::CreateSharedBridge {
            name: lane.bridge.clone(),
            mtu,
        }),
    }
    match (vxlan, astray_vxlan) {
        (Some(link), _) => vxlan_steps(steps, overlay, lane, (link, bridge), links, owner),
        (None, Some(link)) => rename_step(steps, link, &overlay.vxlan, owner),
        // Without the bridge it is of no use.
        (None, None) if bridge.is_none_or(|it| !it.is_vlan_aware()) => {}
        (None, None) => steps.ops.push(DeviceOp::CreateSharedVxlan {
            name: overlay.vxlan.clone(),
            local: overlay.local,
            port: overlay.port,
            mtu: lane.mtu,
        }),
    }
    let bridge = bridge.filter(|link| link.is_vlan_aware())?;
    let vxlan = vxlan.filter(|link| link.has_vni_filter())?;
    let mapped = vxlan.port.is_some_and(|port| port.vlan_tunnel);
    (vxlan.master == Some(bridge.index) && mapped).then_some((bridge, vxlan))
}

fn bridge_steps(steps: &mut Steps, mtu: u32, link: &Link, owner: &Owner) {
    if link.kind != LinkKind::Bridge {
        steps.taken_by_another(link, Fault::NoBridge, "bridge");
        return;
    }
    let name = &link.name;
    let settings = link.bridge.and_then(|it| it.vlan_filtering);
    let Some(filtering) = settings else {
        steps.blame(Fault::NoVlans, no_vlans(name));
        return;
    };
    let ours = owner.owns(link);
    let mut fix = Fix { steps, link, ours };
    fix.stamp();
    if !filtering {
        let command = format!("ip link set {name} type bridge vlan_filtering 1");
        let change = LinkChange::VlanFiltering;
        let name = (Fault::NoVlans, "vlan_filtering");
        fix.named(name, change, "off", ("on", command));
    }
    fix.ageing();
    fix.mtu(mtu);
    fix.addrgenmode(false);
    fix.up();
}

/// Why a kernel makes no bridge that tells VLANs apart, or one that does not.
pub(super) fn no_vlans(name: &Device) -> String {
    format!(
        "`{name}` cannot tell VLANs apart: this kernel is built without \
         CONFIG_BRIDGE_VLAN_FILTERING; a VXLAN device for each VNI works without it"
    )
}

fn vxlan_steps(
    steps: &mut Steps,
    overlay: &Overlay,
    lane: &Lane,
    (link, bridge): (&Link, Option<&Link>),
    links: &Links,
    owner: &Owner,
) {
    let LinkKind::Vxlan(have) = &link.kind else {
        steps.taken_by_another(link, Fault::NoVxlan, "vxlan");
        return;
    };
    let name = &link.name;
    let ours = owner.owns(link);
    if ours && have.external && !have.vnifilter {
        // We asked for it.
        let what = format!(
            "`{name}` cannot carry the VNIs that are listed: this kernel has no `vnifilter` \
             (Linux 5.18 and later have it); a VXLAN device for each VNI works without it"
        );
        steps.blame(Fault::VniFilter, what);
        return;
    }
    if replaced(steps, overlay, link, have, ours) {
        return;
    }
    let mut fix = Fix { steps, link, ours };
    fix.stamp();
    let tunnel = || LinkChange::Tunnel {
        vni: 0,
        local: overlay.local,
    };
    let family = |address: Option<std::net::IpAddr>| address.is_none_or(|a| a.is_ipv4());
    let other_local = have.local != Some(overlay.local);
    if other_local && family(have.local) == overlay.local.is_ipv4() {
        let text = have.local.map_or("none".to_owned(), |a| a.to_string());
        let command = format!(
            "ip link set {name} type vxlan external local {}",
            overlay.local
        );
        let name = (other_address(have), "local");
        fix.named(name, tunnel(), text, (overlay.local, command));
    }
    // One change sets both.
    if have.learning && !(ours && other_local) {
        let command = format!("ip link set {name} type vxlan external nolearning");
        let name = (Fault::Learning, "learning");
        fix.named(name, tunnel(), "on", ("off", command));
    }
    fix.mtu(lane.mtu);
    fix.addrgenmode(false);
    if let Some(bridge) = bridge.filter(|bridge| bridge.kind == LinkKind::Bridge) {
        fix.master(bridge, links);
        if link.master == Some(bridge.index) {
            // Addresses come from the control plane, and so do answers to who has them; VLANs become
            // VNIs.
            let wanted = BridgePort {
                neigh_suppress: true,
                vlan_tunnel: true,
                ..BridgePort::default()
            };
            fix.port(wanted, LinkChange::SharedPort);
            fix.passage(bridge);
        }
    }
    fix.up();
}

/// What the kernel does not change: ours is made anew, others' is not ours to replace.
fn replaced(steps: &mut Steps, overlay: &Overlay, link: &Link, have: &Vxlan, ours: bool) -> bool {
    let text =
        |address: Option<std::net::IpAddr>| address.map_or("none".to_owned(), |a| a.to_string());
    let mut differing = Vec::new();
    if !have.external {
        let name = (Fault::External, "external");
        differing.push((name, "off".to_owned(), "on".to_owned()));
    } else if !have.vnifilter {
        let name = (Fault::VniFilter, "vnifilter");
        differing.push((name, "off".to_owned(), "on".to_owned()));
    }
    if have.port != overlay.port {
        let name = (Fault::Port, "dstport");
        differing.push((name, have.port.to_string(), overlay.port.to_string()));
    }
    if have.proxy {
        let name = (Fault::Proxy, "proxy");
        differing.push((name, "on".to_owned(), "off".to_owned()));
    }
    if have
        .local
        .is_some_and(|local| local.is_ipv4() != overlay.local.is_ipv4())
    {
        let name = (Fault::Family, "local");
        differing.push((name, text(have.local), overlay.local.to_string()));
    }
    if ours && !differing.is_empty() {
        steps.ops.push(DeviceOp::Delete {
            index: link.index,
            name: link.name.clone(),
        });
        return true;
    }
    // What else is wrong with it goes with it.
    let replaced = !differing.is_empty();
    for (name, have, want) in differing {
        steps.replace_by_hand(link, name, have, want);
    }
    replaced
}

/// A VLAN of the port that has to go: the overlay's with another VNI, or another with the overlay's
/// VNI. The kernel maps a VLAN once, and to each VNI one.
fn other_mapping(vni: u32, vlan: u16, vxlan: &Link, links: &Links) -> Option<u16> {
    let mapping = links.vlan(vxlan.index, vlan);
    let before = mapping
        .and_then(|it| it.tunnel)
        .filter(|other| *other != vni);
    let elsewhere = links.segment(vxlan.index, vni).vlan;
    let elsewhere = Some(elsewhere).filter(|other| *other != 0 && *other != vlan);
    before.map(|_| vlan).or(elsewhere)
}

/// Somebody has given the VLAN to another VNI, or the VNI to another VLAN, on a device of theirs.
fn is_mapped_elsewhere(
    steps: &mut Steps,
    vni: u32,
    lane: &Lane,
    (_, vxlan): (&Link, &Link),
    links: &Links,
    owner: &Owner,
) -> bool {
    let vlan = lane.vlan;
    let stale = other_mapping(vni, vlan, vxlan, links);
    let Some(stale) = stale.filter(|_| !owner.owns(vxlan)) else {
        return false;
    };
    let tunnel = links.vlan(vxlan.index, stale).and_then(|it| it.tunnel);
    let (device, tunnel) = (&vxlan.name, tunnel.unwrap_or(0));
    let what = format!(
        "VLAN {stale} of `{device}` is mapped to VNI {tunnel}, but VLAN {vlan} must be mapped to \
         {vni}: `bridge vlan del dev {device} vid {stale}`"
    );
    steps.blame(Fault::OtherMapping, what);
    true
}

/// What an overlay has on the shared devices.
fn part_steps(
    steps: &mut Steps,
    vni: u32,
    overlay: &Overlay,
    lane: &Lane,
    (bridge, vxlan): (&Link, &Link),
    links: &Links,
    owner: &Owner,
) {
    let vlan = lane.vlan;
    let add = |link: &Link, part| DeviceOp::AddPart {
        index: link.index,
        name: link.name.clone(),
        part,
    };
    if !links.lets_in(vxlan.index, vni) {
        steps.ops.push(add(vxlan, Part::Vni(vni)));
    }
    let mapping = links.vlan(vxlan.index, vlan);
    if let Some(stale) = other_mapping(vni, vlan, vxlan, links) {
        steps.ops.push(DeviceOp::RemovePart {
            index: vxlan.index,
            name: vxlan.name.clone(),
            part: Part::PortVlan {
                vlan: stale,
                vni: None,
            },
        });
    } else if mapping.is_none_or(|it| it.tunnel.is_none() || it.untagged || it.pvid) {
        let part = Part::PortVlan {
            vlan,
            vni: Some(vni).filter(|_| mapping.is_none_or(|it| it.tunnel.is_none())),
        };
        steps.ops.push(add(vxlan, part));
    }
    let own = links.vlan(bridge.index, vlan);
    match own.is_none_or(|it| it.untagged || it.pvid) {
        // Frames that lose their tag reach the bridge and not the VLAN device on it.
        true if own.is_some() && !owner.owns(bridge) => {
            let name = &bridge.name;
            let what = format!(
                "VLAN {vlan} of `{name}` itself is untagged, but must be tagged: `bridge vlan add \
                 dev {name} vid {vlan} self`, or another VLAN for the VNI"
            );
            steps.blame(Fault::GatewayVlan, what);
        }
        true => steps.ops.push(add(bridge, Part::BridgeVlan(vlan))),
        false => {}
    }
    if let Some(station) = station(overlay, lane, bridge)
        && links.vlan(bridge.index, vlan).is_some()
        && !links.has_station(&station)
    {
        let mac = station.mac;
        steps.ops.push(add(bridge, Part::Address { vlan, mac }));
    }
}

/// The address of the gateway, if the bridge does not have it anyway.
fn station(overlay: &Overlay, lane: &Lane, bridge: &Link) -> Option<Station> {
    let mac = overlay.gateway_mac?;
    (bridge.address != Some(mac)).then_some(Station {
        bridge: bridge.index,
        vlan: lane.vlan,
        mac,
    })
}

/// The device on which gateway and neighbours are.
fn vlan_device_steps(
    steps: &mut Steps,
    overlay: &Overlay,
    lane: &Lane,
    bridge: &Link,
    links: &Links,
    owner: &Owner,
) {
    let vlan = lane.vlan;
    let Some(link) = links.named(&overlay.bridge) else {
        let wanted = LinkKind::Vlan { id: vlan };
        let astray = |link: &&Link| {
            owner.is_astray(link) && link.kind == wanted && link.parent == Some(bridge.index)
        };
        match links.iter().find(astray) {
            Some(link) => rename_step(steps, link, &overlay.bridge, owner),
            None => steps.ops.push(DeviceOp::CreateVlanDevice {
                name: overlay.bridge.clone(),
                bridge: bridge.index,
                vlan,
                mtu: overlay.mtu.min(bridge.mtu),
                mac: overlay.gateway_mac,
            }),
        }
        return;
    };
    if owner.owns(link) && !stands_on(link, vlan, bridge) {
        steps.ops.push(DeviceOp::Delete {
            index: link.index,
            name: link.name.clone(),
        });
        return;
    }
    if !is_vlan_device(steps, link, vlan, bridge, links) {
        return;
    }
    // A VLAN device has no room for more than the one it stands on.
    let mtu = overlay.mtu.min(bridge.mtu);
    gateway_steps(steps, overlay, (link, mtu), links, owner);
}

fn stands_on(link: &Link, vlan: u16, bridge: &Link) -> bool {
    link.kind == LinkKind::Vlan { id: vlan } && link.parent == Some(bridge.index)
}

/// Whether somebody's device is this VLAN of the bridge. If not, that is wrong.
fn is_vlan_device(
    steps: &mut Steps,
    link: &Link,
    vlan: u16,
    bridge: &Link,
    links: &Links,
) -> bool {
    if stands_on(link, vlan, bridge) {
        return true;
    }
    let have = if let LinkKind::Vlan { id } = link.kind {
        let parent = link.parent.and_then(|index| links.get(index));
        let parent = parent.map_or("another device", |link| link.name.as_str());
        format!("VLAN {id} of {parent}")
    } else {
        link.kind.name().to_owned()
    };
    let want = format!("VLAN {vlan} of {}", bridge.name);
    steps.replace_by_hand(link, (Fault::NoVlanDevice, "type"), have, want);
    false
}

/// Parts of shared devices that belong to no overlay: those that we added and nobody wants any
/// more, and after the sweep whatever else is on devices that we made. With the number of the device.
pub(crate) fn leftovers<'a>(
    overlays: impl Iterator<Item = (u32, &'a Overlay)>,
    swept: bool,
    links: &Links,
    owner: &Owner,
) -> Vec<(u32, DeviceOp)> {
    let wanted = Wanted::by(overlays, links);
    let mut spare: BTreeSet<(u32, Part)> = owner.parts.clone();
    let ours = |link: &&Link| is_ours(link) && (link.has_vni_filter() || link.is_vlan_aware());
    for link in links.iter().filter(ours).filter(|_| swept) {
        spare.extend(parts_of(link, links).map(|part| (link.index, part)));
    }
    spare.retain(|(index, part)| !wanted.has(*index, *part) && is_there(*index, *part, links));
    let remove = |(index, part): (u32, Part)| {
        let name = links.get(index)?.name.clone();
        Some((index, DeviceOp::RemovePart { index, name, part }))
    };
    spare.into_iter().filter_map(remove).collect()
}

/// What overlays want of devices, by number.
#[derive(Default)]
struct Wanted {
    vlans: BTreeSet<(u32, u16)>,
    vnis: BTreeSet<(u32, u32)>,
    addresses: BTreeSet<(u32, u16, Mac)>,
}

impl Wanted {
    fn by<'a>(overlays: impl Iterator<Item = (u32, &'a Overlay)>, links: &Links) -> Self {
        let mut wanted = Self::default();
        for (vni, overlay) in overlays {
            let Some(lane) = &overlay.lane else {
                continue;
            };
            if let Some(vxlan) = links.named(&overlay.vxlan) {
                wanted.vlans.insert((vxlan.index, lane.vlan));
                wanted.vnis.insert((vxlan.index, vni));
            }
            if let Some(bridge) = links.named(&lane.bridge) {
                wanted.vlans.insert((bridge.index, lane.vlan));
                let address = overlay
                    .gateway_mac
                    .map(|mac| (bridge.index, lane.vlan, mac));
                wanted.addresses.extend(address);
            }
        }
        wanted
    }

    fn has(&self, index: u32, part: Part) -> bool {
        match part {
            Part::BridgeVlan(vlan) | Part::PortVlan { vlan, .. } => {
                self.vlans.contains(&(index, vlan))
            }
            Part::Vni(vni) => self.vnis.contains(&(index, vni)),
            Part::Address { vlan, mac } => self.addresses.contains(&(index, vlan, mac)),
        }
    }
}

/// All that is on a shared device. What others stand on is not: a VLAN device of theirs keeps the
/// bridge in its VLAN.
fn parts_of<'a>(link: &'a Link, links: &'a Links) -> impl Iterator<Item = Part> + 'a {
    let index = link.index;
    let is_bridge = link.kind == LinkKind::Bridge;
    let of_others = move |vlan: u16| {
        let stands =
            |it: &Link| it.kind == LinkKind::Vlan { id: vlan } && it.parent == Some(index);
        is_bridge && links.iter().any(|it| stands(it) && !is_ours(it))
    };
    let vlans = links.vlans(index).map(|(vlan, _)| vlan);
    let vlans = vlans.filter(move |vlan| !of_others(*vlan));
    let vlans = vlans.map(move |vlan| match is_bridge {
        true => Part::BridgeVlan(vlan),
        false => Part::PortVlan { vlan, vni: None },
    });
    let vnis = links.filter(index).map(Part::Vni);
    let addresses = links.stations(index);
    let addresses = addresses.filter(|station| link.address != Some(station.mac));
    let addresses = addresses.map(|Station { vlan, mac, .. }| Part::Address { vlan, mac });
    vlans.chain(vnis).chain(addresses)
}

fn is_there(index: u32, part: Part, links: &Links) -> bool {
    match part {
        Part::BridgeVlan(vlan) | Part::PortVlan { vlan, .. } => links.vlan(index, vlan).is_some(),
        Part::Vni(vni) => links.lets_in(index, vni),
        Part::Address { vlan, mac } => {
            let bridge = index;
            links.has_station(&Station { bridge, vlan, mac })
        }
    }
}

/// Another VXLAN device that has the UDP port and is of the other kind: the kernel gives a port to
/// devices with one VNI, or to devices with several.
pub(super) fn port_rival(link: &Link, links: &Links) -> Option<String> {
    let LinkKind::Vxlan(own) = &link.kind else {
        return None;
    };
    let other = links.iter().find(|it| match &it.kind {
        LinkKind::Vxlan(vxlan) => {
            it.up && vxlan.port == own.port && vxlan.external != own.external
        }
        LinkKind::Bridge
        | LinkKind::Vlan { .. }
        | LinkKind::Wireguard
        | LinkKind::Vrf { .. }
        | LinkKind::Loopback
        | LinkKind::Other(_) => false,
    })?;
    let (name, port) = (&other.name, own.port);
    Some(format!(
        "UDP port {port} is in use by `{name}`; one port is either for devices with one VNI or for \
         one with several: another `port`, or `ip link del {name}`"
    ))
}
