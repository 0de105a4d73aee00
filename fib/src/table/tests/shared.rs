//! Overlays on shared devices: what a kernel does with VLANs and VNI filters, and plans against it.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::links::{Bridge, Station, Vlan, Vlans};
use crate::overlay::Part;
use crate::state::Lane;

/// The parts of shared devices.
#[derive(Clone, Default)]
pub(super) struct Parts {
    pub(super) vlans: HashMap<u32, Vlans>,
    pub(super) filters: HashMap<u32, BTreeSet<u32>>,
    pub(super) stations: BTreeSet<Station>,
}

const UNTAGGED: Vlan = Vlan {
    pvid: true,
    untagged: true,
    tunnel: None,
};

impl Parts {
    /// A bridge with VLANs puts its ports into VLAN 1.
    pub(super) fn join(&mut self, port: u32, master: u32) {
        if self.vlans.contains_key(&master) {
            self.vlans.insert(port, Vlans::from([(1, UNTAGGED)]));
        }
    }

    pub(super) fn forget(&mut self, index: u32) {
        self.vlans.remove(&index);
        self.filters.remove(&index);
        self.stations.retain(|station| station.bridge != index);
    }

    /// An entry of a port can be in this VLAN.
    pub(super) fn takes(&self, port: u32, vlan: u16) -> bool {
        vlan == 0
            || self
                .vlans
                .get(&port)
                .is_some_and(|vlans| vlans.contains_key(&vlan))
    }

    pub(super) fn segment(&self, port: u32, vlan: u16) -> Option<Segment> {
        let vni = self.vlans.get(&port)?.get(&vlan)?.tunnel?;
        Some(Segment { vni, vlan })
    }

    pub(super) fn contents(&self, name: impl Fn(&u32) -> String) -> Vec<String> {
        let mut all = Vec::new();
        for (index, vlans) in &self.vlans {
            let line = |(vid, vlan): (&u16, &Vlan)| format!("{} {vid} {vlan:?}", name(index));
            all.extend(vlans.iter().map(line));
        }
        for (index, filter) in &self.filters {
            all.push(format!("{} {filter:?}", name(index)));
        }
        let station = |it: &Station| format!("{} {} {}", name(&it.bridge), it.vlan, it.mac);
        all.extend(self.stations.iter().map(station));
        all
    }
}

impl Model {
    pub(super) fn shared_device(&mut self, index: u32, op: &DeviceOp) -> Result<(), OpError> {
        match op {
            DeviceOp::CreateSharedBridge { name, mtu } => {
                let bridge = Bridge {
                    vlan_filtering: Some(true),
                    ageing: 30_000,
                };
                let made = Link {
                    kind: LinkKind::Bridge,
                    bridge: Some(bridge),
                    mtu: *mtu,
                    up: false,
                    address: Some(Mac([2, 0, 0, 0, 0, 0])),
                    ..Link::new(index, name.as_str())
                };
                self.links.insert(index, made);
                self.parts.vlans.insert(index, Vlans::from([(1, UNTAGGED)]));
            }
            DeviceOp::CreateSharedVxlan {
                name,
                local,
                port,
                mtu,
            } => {
                let vxlan = Vxlan {
                    local: Some(*local),
                    port: *port,
                    external: true,
                    vnifilter: true,
                    ..Vxlan::default()
                };
                let made = Link {
                    kind: LinkKind::Vxlan(vxlan),
                    mtu: *mtu,
                    up: false,
                    ..Link::new(index, name.as_str())
                };
                self.links.insert(index, made);
            }
            DeviceOp::CreateVlanDevice {
                name,
                bridge,
                vlan,
                mtu,
                mac,
            } => {
                let parent = self.links.get(bridge);
                if parent.is_none_or(|parent| parent.mtu < *mtu) {
                    return refuse(libc::ERANGE);
                }
                let made = Link {
                    kind: LinkKind::Vlan { id: *vlan },
                    parent: Some(*bridge),
                    mtu: *mtu,
                    up: false,
                    address: mac.or(parent.and_then(|it| it.address)),
                    ..Link::new(index, name.as_str())
                };
                self.links.insert(index, made);
            }
            DeviceOp::AddPart { index, part, .. } => return self.add_part(*index, *part),
            DeviceOp::RemovePart { index, part, .. } => return self.remove_part(*index, *part),
            DeviceOp::CreateBridge { .. }
            | DeviceOp::CreateVxlan { .. }
            | DeviceOp::CreateVrf { .. }
            | DeviceOp::Change { .. }
            | DeviceOp::AddAddress { .. }
            | DeviceOp::RemoveAddress { .. }
            | DeviceOp::Delete { .. } => panic!("not of shared devices: {op:?}"),
        }
        Ok(())
    }

    fn add_part(&mut self, index: u32, part: Part) -> Result<(), OpError> {
        let Some(link) = self.links.get(&index) else {
            return refuse(libc::ENODEV);
        };
        match part {
            Part::BridgeVlan(vlan) => {
                assert_eq!(link.kind, LinkKind::Bridge);
                let vlans = self.parts.vlans.entry(index).or_default();
                vlans.insert(vlan, Vlan::default());
            }
            Part::PortVlan { vlan, vni } => {
                let mapped = link.port.is_some_and(|port| port.vlan_tunnel);
                let vlans = self.parts.vlans.entry(index).or_default();
                let taken = vlans
                    .values()
                    .any(|it| it.tunnel.is_some() && it.tunnel == vni);
                let here = vlans.entry(vlan).or_default();
                (here.pvid, here.untagged) = (false, false);
                if vni.is_some() && !mapped {
                    return refuse(libc::EINVAL);
                }
                if vni.is_some() && (taken || here.tunnel.is_some()) {
                    return refuse(libc::EEXIST);
                }
                here.tunnel = vni.or(here.tunnel);
            }
            Part::Vni(vni) => {
                self.parts.filters.entry(index).or_default().insert(vni);
            }
            Part::Address { vlan, mac } => {
                if !self.parts.takes(index, vlan) {
                    return refuse(libc::EINVAL);
                }
                let station = Station {
                    bridge: index,
                    vlan,
                    mac,
                };
                self.parts.stations.insert(station);
            }
        }
        Ok(())
    }

    fn remove_part(&mut self, index: u32, part: Part) -> Result<(), OpError> {
        if !self.links.contains_key(&index) {
            return refuse(libc::ENODEV);
        }
        match part {
            Part::BridgeVlan(vlan) | Part::PortVlan { vlan, .. } => self.lose_vlan(index, vlan),
            Part::Vni(vni) => {
                self.parts.filters.entry(index).or_default().remove(&vni);
            }
            Part::Address { vlan, mac } => {
                let gone = |it: &Station| (it.bridge, it.vlan, it.mac) == (index, vlan, mac);
                self.parts.stations.retain(|it| !gone(it));
            }
        }
        Ok(())
    }

    /// With a VLAN go the entries in it, but not the addresses of a bridge.
    fn lose_vlan(&mut self, index: u32, vlan: u16) {
        if let Some(vlans) = self.parts.vlans.get_mut(&index) {
            vlans.remove(&vlan);
        }
        self.bridges
            .retain(|(port, _, of)| (*port, *of) != (index, vlan));
    }

    fn number(&self, name: &str) -> Option<u32> {
        let named = |link: &&Link| link.name.as_str() == name;
        self.links.values().find(named).map(|link| link.index)
    }
}

/// What happens to overlays 11 to 13, which share devices.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// In VLAN 1 to 3, or 5 to 7.
    Lane {
        number: u8,
        other_vlan: bool,
    },
    NoLane(u8),
    Host {
        number: u8,
        mac: u8,
        vtep: u8,
    },
    NoHost {
        number: u8,
        mac: u8,
    },
    LoseVlan {
        vlan: u16,
        of_bridge: bool,
    },
    LoseVni(u8),
    LoseAddresses,
    /// Somebody maps the VLAN to another VNI.
    Remap(u8),
    LoseDevice(&'static str),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let device = prop_oneof![Just("br-s"), Just("vx-s"), Just("br-s.2")];
    prop_oneof![
        4 => (1u8..4, any::<bool>()).prop_map(|(number, other_vlan)| Step::Lane { number, other_vlan }),
        2 => (1u8..4).prop_map(Step::NoLane),
        3 => (1u8..4, 1u8..4, 1u8..4).prop_map(|(number, mac, vtep)| Step::Host { number, mac, vtep }),
        1 => (1u8..4, 1u8..4).prop_map(|(number, mac)| Step::NoHost { number, mac }),
        1 => (1u16..8, any::<bool>()).prop_map(|(vlan, of_bridge)| Step::LoseVlan { vlan, of_bridge }),
        1 => (1u8..4).prop_map(Step::LoseVni),
        1 => Just(Step::LoseAddresses),
        1 => (1u8..4).prop_map(Step::Remap),
        1 => device.prop_map(Step::LoseDevice),
    ]
}

fn lane(number: u8, other_vlan: bool) -> Overlay {
    let lane = Lane {
        bridge: "br-s".into(),
        vlan: u16::from(number) + if other_vlan { 4 } else { 0 },
        mtu: 1450,
    };
    let vni = u32::from(number) + 10;
    let overlay = Overlay::new(vni, IpAddr::from([10, 0, 0, 1]), 1450).on("vx-s", lane);
    let overlay = overlay.gateway(format!("10.200.{number}.1/24").parse().unwrap());
    match number {
        1 => overlay,
        _ => overlay.gateway_mac(Mac([2, 0, 0x5e, 0, 0, number])),
    }
}

/// The place of an overlay that is wanted.
fn segment(number: u8, last: &HashMap<Key, Change>) -> Option<Segment> {
    let vni = u32::from(number) + 10;
    let Some(Change::Set(Entry::Overlay(_, overlay))) = last.get(&Key::Overlay(vni)) else {
        return None;
    };
    let vlan = overlay.lane.as_ref()?.vlan;
    Some(Segment { vni, vlan })
}

/// What is wanted in an overlay goes before it does, or moves.
fn unset_entries(number: u8, last: &HashMap<Key, Change>) -> Vec<Change> {
    let segment = segment(number, last);
    let within = |key: &&Key| match key {
        Key::Fdb(key) => segment.is_some() && key.segment == segment,
        Key::Flood(key) => segment.is_some() && key.segment == segment,
        Key::Route(_) | Key::Neighbour(_) | Key::Overlay(_) | Key::Vrf(..) => false,
    };
    last.keys()
        .filter(within)
        .cloned()
        .map(Change::Unset)
        .collect()
}

pub(super) fn take(
    step: &Step,
    table: &mut Table,
    model: &mut Model,
    last: &mut HashMap<Key, Change>,
) {
    let mut wishes = Vec::new();
    match step {
        Step::Lane { number, other_vlan } => {
            let overlay = lane(*number, *other_vlan);
            let vni = u32::from(*number) + 10;
            let vlan = overlay.lane.as_ref().map(|lane| lane.vlan);
            if segment(*number, last).map(|it| it.vlan) != vlan {
                wishes.extend(unset_entries(*number, last));
            }
            wishes.push(Change::Set(Entry::Overlay(vni, Arc::new(overlay))));
        }
        Step::NoLane(number) => {
            wishes.extend(unset_entries(*number, last));
            wishes.push(Change::Unset(Key::Overlay(u32::from(*number) + 10)));
        }
        Step::Host { number, mac, vtep } => {
            let (mac, vtep) = (Mac([2, 1, 0, 0, 0, *mac]), IpAddr::from([10, 0, 0, *vtep]));
            let Some(segment) = segment(*number, last).map(Some) else {
                return;
            };
            let remote = RemoteMac {
                vtep,
                sticky: false,
            };
            let key = FdbKey::new("vx-s", mac).within(segment);
            wishes.push(Change::Set(Entry::Fdb(key, remote)));
            let key = FloodKey::new("vx-s", vtep).within(segment);
            wishes.push(Change::Set(Entry::Flood(key)));
        }
        Step::NoHost { number, mac } => {
            let mac = Mac([2, 1, 0, 0, 0, *mac]);
            let segment = segment(*number, last);
            let key = FdbKey::new("vx-s", mac).within(segment);
            wishes.extend(segment.map(|_| Change::Unset(Key::Fdb(key))));
        }
        Step::LoseVlan { vlan, of_bridge } => {
            let device = if *of_bridge { "br-s" } else { "vx-s" };
            if let Some(index) = model.number(device) {
                model.lose_vlan(index, *vlan);
            }
        }
        Step::LoseVni(number) => {
            let vni = u32::from(*number) + 10;
            for filter in model.parts.filters.values_mut() {
                filter.remove(&vni);
            }
        }
        Step::LoseAddresses => model.parts.stations.clear(),
        Step::Remap(number) => {
            let vlan = u16::from(*number);
            let index = model.number("vx-s").unwrap_or(0);
            if let Some(vlan) = model
                .parts
                .vlans
                .get_mut(&index)
                .and_then(|it| it.get_mut(&vlan))
            {
                vlan.tunnel = Some(99);
            }
        }
        Step::LoseDevice(name) => {
            if let Some(index) = model.number(name) {
                model.drop_link(index);
            }
        }
    }
    for wish in wishes {
        last.insert(wish.key(), wish.clone());
        table.apply(wish);
    }
}
