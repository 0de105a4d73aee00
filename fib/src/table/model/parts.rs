//! What a kernel does with the VLANs and VNI filters of devices that overlays share.

use std::collections::{BTreeSet, HashMap};

use super::{Model, refuse};
use crate::links::{Bridge, Link, LinkKind, Station, Vlan, Vlans, Vxlan};
use crate::overlay::{DeviceOp, Part};
use crate::state::{Mac, Segment};
use crate::table::OpError;

/// The parts of shared devices.
#[derive(Clone, Default)]
pub(in crate::table) struct Parts {
    pub(in crate::table) vlans: HashMap<u32, Vlans>,
    pub(in crate::table) filters: HashMap<u32, BTreeSet<u32>>,
    pub(in crate::table) stations: BTreeSet<Station>,
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
    pub(in crate::table) fn takes(&self, port: u32, vlan: u16) -> bool {
        vlan == 0
            || self
                .vlans
                .get(&port)
                .is_some_and(|vlans| vlans.contains_key(&vlan))
    }

    pub(in crate::table) fn segment(&self, port: u32, vlan: u16) -> Option<Segment> {
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
                    spanning_tree: false,
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
            | DeviceOp::RenewAddress { .. }
            | DeviceOp::Assign { .. }
            | DeviceOp::Unassign { .. }
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
    pub(in crate::table) fn lose_vlan(&mut self, index: u32, vlan: u16) {
        if let Some(vlans) = self.parts.vlans.get_mut(&index) {
            vlans.remove(&vlan);
        }
        self.bridges
            .retain(|(port, _, of)| (*port, *of) != (index, vlan));
    }
}
