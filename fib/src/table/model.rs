//! A kernel that is none: what it refuses and drops of what the real one does, for tests without one.
//!
//! It takes the table's operations one by one, keeps what they make, and tells it as a read of
//! everything would. Here for this crate's own tests, and with the feature `model` for those of
//! programs that want things of it ([`crate::model`]). It knows no routes of others and no traffic.

// For tests alone: what does not hold ends the test.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(not(test), allow(dead_code))]

mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use super::*;
use crate::links::{Address, BridgePort, LinkKind, Vxlan};
use crate::overlay::{DeviceOp, LinkChange, STAMP};
use crate::state::{Mac, Segment};
use parts::Parts;

pub(crate) const PROTOCOL: u8 = 186;

/// A kernel as far as it matters: it refuses what the real one refuses.
#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(super) links: BTreeMap<u32, Link>,
    /// The last number that was given to a device.
    pub(super) given: u32,
    pub(super) addresses: BTreeSet<(u32, String)>,
    pub(super) objects: BTreeMap<u32, Object>,
    pub(super) routes: BTreeMap<(RouteKey, u32), (u8, RouteShape)>,
    /// By device, address and VNI, on a device that carries several.
    pub(super) tunnels: BTreeMap<(u32, Mac, Option<u32>), Tunnel>,
    /// By port, address and VLAN, zero where none are told apart.
    pub(super) bridges: BTreeSet<(u32, Mac, u16)>,
    pub(super) flood: BTreeSet<(u32, Tunnel, Option<u32>)>,
    pub(super) parts: Parts,
    pub(super) neighbours: BTreeMap<(u32, IpAddr), Neighbour>,
    /// Linux before 5.3.
    pub(super) no_objects: bool,
    /// Built without `CONFIG_NET_VRF`.
    pub(super) no_vrfs: bool,
    /// Every operation, in order.
    pub(super) log: Vec<String>,
}

pub(super) fn refuse(errno: i32) -> Result<(), OpError> {
    Err(OpError {
        errno,
        explanation: None,
    })
}

#[cfg(feature = "model")]
impl Model {
    /// One that gives devices higher numbers than this one.
    pub(crate) fn giving_numbers_from(given: u32) -> Self {
        Self {
            given,
            ..Self::default()
        }
    }

    /// A device of others is there, or is different.
    pub(crate) fn add_link(&mut self, link: Link) {
        self.links.insert(link.index, link);
    }

    /// A device is gone.
    pub(crate) fn remove_link(&mut self, name: &str) {
        let named = |link: &&Link| link.name.as_str() == name;
        if let Some(index) = self.links.values().find(named).map(|link| link.index) {
            self.drop_link(index);
        }
    }
}

impl Model {
    pub(crate) fn with_links() -> Self {
        let links = [(1, "wa"), (2, "wb")].map(|(index, name)| (index, Link::new(index, name)));
        Self {
            links: links.into(),
            ..Self::default()
        }
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Result<(), OpError> {
        self.log.push(format!("{op:?}"));
        match op {
            Op::Device(_, op) => self.device(op),
            Op::SetForwarding { .. } => Ok(()),
            Op::SetNextHop(..) if self.no_objects => refuse(libc::EOPNOTSUPP),
            Op::SetFdb { index, .. }
            | Op::SetFlood { index, .. }
            | Op::SetNeighbour { index, .. }
                if !self.links.contains_key(index) =>
            {
                refuse(libc::ENODEV)
            }
            Op::SetNextHop(id, object) => {
                let fits = match object {
                    Object::Single(hop) => {
                        self.links.get(&hop.index).is_some_and(|link| link.running)
                    }
                    Object::Group(members) => {
                        !members.is_empty()
                            && members.iter().all(|(id, _)| self.objects.contains_key(id))
                    }
                };
                let group = |object: &Object| matches!(object, Object::Group(_));
                let before = self.objects.get(id);
                if !fits || before.is_some_and(|before| group(before) != group(object)) {
                    return refuse(libc::EINVAL);
                }
                self.objects.insert(*id, object.clone());
                Ok(())
            }
            Op::UnsetNextHop(id) => {
                if !self.objects.contains_key(id) {
                    return refuse(libc::ENOENT);
                }
                self.drop_object(*id);
                Ok(())
            }
            Op::SetRoute {
                key,
                shape,
                replace,
            } => {
                if let Via::Object(id) = shape.via
                    && !self.objects.contains_key(&id)
                {
                    return refuse(libc::EINVAL);
                }
                let place = (*key, shape.metric);
                match (self.routes.get(&place), replace) {
                    (Some(_), false) => return refuse(libc::EEXIST),
                    (Some((protocol, _)), true) => assert_eq!(*protocol, PROTOCOL, "not ours"),
                    (None, _) => {}
                }
                // The kernel is not told what is spare.
                let shape = RouteShape {
                    spare: Vec::new(),
                    ..RouteShape::clone(shape)
                };
                self.routes.insert(place, (PROTOCOL, shape));
                Ok(())
            }
            Op::UnsetTwin { .. } => panic!("this kernel has one route of a prefix and metric"),
            Op::UnsetRoute { key, shape } => match self.routes.remove(&(*key, shape.metric)) {
                Some((protocol, _)) => {
                    assert_eq!(protocol, PROTOCOL, "not ours");
                    Ok(())
                }
                None => refuse(libc::ESRCH),
            },
            Op::SetFdb { key, index, remote } => {
                let (vni, vlan) = halves(key.segment);
                if !self.parts.takes(*index, vlan) {
                    return refuse(libc::EINVAL);
                }
                self.tunnels.insert((*index, key.mac, vni), remote.tunnel);
                // Of a device that is no port the kernel writes the other half.
                if self.links[index].master.is_some() {
                    self.bridges.insert((*index, key.mac, vlan));
                }
                Ok(())
            }
            Op::UnsetFdb { key, index, .. } => {
                let (vni, vlan) = halves(key.segment);
                self.tunnels.remove(&(*index, key.mac, vni));
                self.bridges.remove(&(*index, key.mac, vlan));
                Ok(())
            }
            Op::SetFlood { key, index } => {
                self.flood
                    .insert((*index, key.tunnel, halves(key.segment).0));
                Ok(())
            }
            Op::UnsetFlood { key, index } => {
                self.flood
                    .remove(&(*index, key.tunnel, halves(key.segment).0));
                Ok(())
            }
            Op::SetNeighbour {
                key,
                index,
                neighbour,
            } => {
                self.neighbours.insert((*index, key.ip), *neighbour);
                Ok(())
            }
            Op::UnsetNeighbour { key, index } => {
                self.neighbours.remove(&(*index, key.ip));
                Ok(())
            }
        }
    }

    pub(crate) fn device(&mut self, op: &DeviceOp) -> Result<(), OpError> {
        // A number is never given twice.
        self.given = self
            .links
            .keys()
            .fold(self.given, |max, index| max.max(*index))
            + 1;
        let index = self.given;
        if op.creates() && self.links.values().any(|link| link.name == *op.name()) {
            return refuse(libc::EEXIST);
        }
        match op {
            DeviceOp::CreateBridge { name, mtu, mac } => {
                let mut made = Link::new(index, name.as_str());
                (made.kind, made.mtu, made.up, made.address) =
                    (LinkKind::Bridge, *mtu, false, *mac);
                // As most distributions have it.
                made.filters_sources = true;
                self.links.insert(index, made);
            }
            DeviceOp::CreateVxlan {
                name,
                vni,
                local,
                port,
                mtu,
            } => {
                let mut made = Link::new(index, name.as_str());
                (made.mtu, made.up) = (*mtu, false);
                made.kind = LinkKind::Vxlan(Vxlan {
                    vni: *vni,
                    local: Some(*local),
                    port: *port,
                    ..Vxlan::default()
                });
                self.links.insert(index, made);
            }
            DeviceOp::CreateVrf { .. } if self.no_vrfs => return refuse(libc::EOPNOTSUPP),
            DeviceOp::CreateVrf { name, table } => {
                let mut made = Link::new(index, name.as_str());
                (made.kind, made.up) = (LinkKind::Vrf { table: *table }, false);
                self.links.insert(index, made);
            }
            DeviceOp::Change {
                index,
                change: LinkChange::Master(master),
                ..
            } => {
                if *master != 0 && !self.links.contains_key(master) {
                    return refuse(libc::EINVAL);
                }
                let vrf = |index: &u32| {
                    let link = self.links.get(index);
                    link.is_some_and(|link| matches!(link.kind, LinkKind::Vrf { .. }))
                };
                let before = self.links.get(index).and_then(|link| link.master);
                let cycled = vrf(master) || before.as_ref().is_some_and(vrf);
                let Some(link) = self.links.get_mut(index) else {
                    return refuse(libc::ENODEV);
                };
                link.master = Some(*master).filter(|master| *master != 0);
                link.port = (!cycled).then_some(BridgePort {
                    learning: true,
                    ..BridgePort::default()
                });
                self.parts.join(*index, *master);
                if cycled {
                    self.cycle(*index);
                }
            }
            DeviceOp::CreateSharedBridge { .. }
            | DeviceOp::CreateSharedVxlan { .. }
            | DeviceOp::CreateVlanDevice { .. }
            | DeviceOp::AddPart { .. }
            | DeviceOp::RemovePart { .. } => return self.shared_device(index, op),
            DeviceOp::Change { index, change, .. } => {
                let Some(link) = self.links.get_mut(index) else {
                    return refuse(libc::ENODEV);
                };
                match change {
                    LinkChange::Stamp => {
                        link.alias = Some(STAMP.to_owned());
                        link.nascent = false;
                    }
                    LinkChange::Mtu(mtu) => link.mtu = *mtu,
                    LinkChange::Address(mac) => link.address = Some(*mac),
                    LinkChange::GenerateAddresses(on) => link.generates_addresses = *on,
                    LinkChange::AllSources => link.filters_sources = false,
                    LinkChange::Tunnel { local, .. } => {
                        if let LinkKind::Vxlan(vxlan) = &mut link.kind {
                            (vxlan.local, vxlan.learning) = (Some(*local), false);
                        }
                    }
                    LinkChange::Master(_) => unreachable!("above"),
                    LinkChange::Port { suppress } => {
                        link.port = Some(BridgePort {
                            neigh_suppress: *suppress,
                            ..BridgePort::default()
                        });
                    }
                    LinkChange::SharedPort => {
                        link.port = Some(BridgePort {
                            neigh_suppress: true,
                            vlan_tunnel: true,
                            ..BridgePort::default()
                        });
                    }
                    LinkChange::Passage | LinkChange::Forwarding => {
                        panic!("a port of ours has both from the start")
                    }
                    LinkChange::VlanFiltering | LinkChange::Ageing => {
                        panic!("a bridge of ours has both from the start")
                    }
                    LinkChange::Up => link.up = true,
                    LinkChange::Down => link.up = false,
                    LinkChange::Name(name) => link.name = name.clone(),
                }
            }
            DeviceOp::AddAddress { index, address, .. } => {
                let up = self.links.get(index).is_some_and(|link| link.up);
                assert!(up, "an address before the bridge is in its VRF and up");
                self.addresses.insert((*index, address.to_string()));
            }
            DeviceOp::RemoveAddress { index, address, .. }
            | DeviceOp::RenewAddress { index, address, .. } => {
                self.addresses.remove(&(*index, address.to_string()));
            }
            DeviceOp::Assign { index, address, .. } => {
                let up = self.links.get(index).is_some_and(|link| link.up);
                assert!(up, "an address before the device is up");
                let address = address.address.to_string();
                if !self.addresses.insert((*index, address)) {
                    return refuse(libc::EEXIST);
                }
            }
            DeviceOp::Unassign { index, address, .. } => {
                let address = address.address.to_string();
                if !self.addresses.remove(&(*index, address)) {
                    return refuse(libc::EADDRNOTAVAIL);
                }
            }
            DeviceOp::Delete { index, .. } => self.drop_link(*index),
        }
        Ok(())
    }

    pub(crate) fn drop_link(&mut self, index: u32) {
        let inside: Vec<u32> = self
            .links
            .values_mut()
            .filter(|link| link.master == Some(index))
            .map(|link| {
                link.master = None;
                link.index
            })
            .collect();
        match self.links.get(&index).map(|link| &link.kind) {
            Some(LinkKind::Vrf { .. }) => inside.into_iter().for_each(|index| self.cycle(index)),
            // What a bridge knows about its ports goes with it.
            Some(LinkKind::Bridge) => self.bridges.retain(|(port, ..)| !inside.contains(port)),
            Some(_) | None => {}
        }
        self.links.remove(&index);
        self.addresses.retain(|(owner, _)| *owner != index);
        let upper: Vec<u32> = self
            .links
            .values()
            .filter(|it| it.parent == Some(index))
            .map(|it| it.index)
            .collect();
        self.parts.forget(index);
        upper.into_iter().for_each(|it| self.drop_link(it));
        self.tunnels.retain(|(owner, ..), _| *owner != index);
        self.bridges.retain(|(owner, ..)| *owner != index);
        self.flood.retain(|(owner, ..)| *owner != index);
        self.neighbours.retain(|(owner, _), _| *owner != index);
        self.flush(index);
    }

    /// What the kernel does to a device that enters or leaves a VRF: down and up again.
    pub(crate) fn cycle(&mut self, index: u32) {
        let ipv6 = |address: &str| address.contains(':');
        self.addresses
            .retain(|(owner, address)| *owner != index || !ipv6(address));
        self.neighbours.retain(|(owner, _), _| *owner != index);
        self.flush(index);
    }

    /// As the kernel does when a device goes down: objects over it and their routes, silently.
    pub(crate) fn flush(&mut self, index: u32) {
        let over = |object: &Object| matches!(object, Object::Single(hop) if hop.index == index);
        let gone: Vec<u32> = self
            .objects
            .iter()
            .filter(|(_, object)| over(object))
            .map(|(id, _)| *id)
            .collect();
        gone.into_iter().for_each(|id| self.drop_object(id));
    }

    pub(crate) fn drop_object(&mut self, id: u32) {
        self.objects.remove(&id);
        self.routes
            .retain(|_, (_, shape)| shape.via != Via::Object(id));
        let mut empty = Vec::new();
        for (group, object) in &mut self.objects {
            if let Object::Group(members) = object {
                members.retain(|(member, _)| *member != id);
                if members.is_empty() {
                    empty.push(*group);
                }
            }
        }
        empty.into_iter().for_each(|id| self.drop_object(id));
    }

    /// Tells everything, as a full read does.
    pub(crate) fn tell(&self, table: &mut Table) {
        self.tell_links(table);
        self.tell_entries(table);
    }

    /// Tells devices and addresses, as they are read after a step towards an overlay.
    pub(crate) fn tell_links(&self, table: &mut Table) {
        let known: Vec<u32> = table.links().iter().map(|link| link.index).collect();
        for index in known
            .into_iter()
            .filter(|index| !self.links.contains_key(index))
        {
            table.observe(Observation::LinkRemoved(index));
        }
        for link in self.links.values() {
            table.observe(Observation::Link(link.clone()));
        }
        let known: Vec<Address> = table.links().all_addresses().cloned().collect();
        for address in known {
            if !self
                .addresses
                .contains(&(address.index, address.address.to_string()))
            {
                table.observe(Observation::AddressRemoved(address));
            }
        }
        for (index, address) in &self.addresses {
            let address = address.parse().unwrap();
            let address = Address {
                index: *index,
                address,
                peer: None,
                protocol: PROTOCOL,
                usable: true,
                duplicate: false,
            };
            table.observe(Observation::Address(address));
        }
        table.observe(Observation::Vlans(self.parts.vlans.clone()));
        table.observe(Observation::VniFilters(self.parts.filters.clone()));
        table.links_read();
    }

    pub(crate) fn tell_entries(&self, table: &mut Table) {
        table.observe(Observation::NextHops(
            self.objects.clone().into_iter().collect(),
        ));
        let scope = AuditScope {
            routes: true,
            layer2: true,
        };
        table.begin_audit(scope);
        for ((key, _), (protocol, shape)) in &self.routes {
            if *protocol == PROTOCOL {
                table.observe(Observation::Route(*key, shape.clone(), false));
            }
        }
        let device = |index: &u32| self.links[index].name.clone();
        for ((index, mac, vni), tunnel) in &self.tunnels {
            let segment = vni.map(|vni| table.segment(&device(index), *index, vni));
            let key = FdbKey::new(device(index), *mac).within(segment);
            table.observe(Observation::FdbTunnel(key, Some(*tunnel)));
        }
        for (index, mac, vlan) in &self.bridges {
            let segment = self.parts.segment(*index, *vlan);
            if *vlan == 0 || segment.is_some() {
                let key = FdbKey::new(device(index), *mac).within(segment);
                table.observe(Observation::FdbBridge(key, true));
            }
        }
        for (index, tunnel, vni) in &self.flood {
            let segment = vni.map(|vni| table.segment(&device(index), *index, vni));
            let key = FloodKey::new(device(index), *tunnel).within(segment);
            table.observe(Observation::Flood(key, true));
        }
        for station in &self.parts.stations {
            table.observe_station(*station, true);
        }
        for ((index, ip), neighbour) in &self.neighbours {
            let key = NeighbourKey {
                device: device(index),
                ip: *ip,
            };
            table.observe(Observation::Neighbour(key, Some(*neighbour)));
        }
        table.end_audit(scope);
    }

    /// Objects that neither a route nor a group names.
    pub(crate) fn idle_objects(&self) -> Vec<u32> {
        let by_route = self.routes.values().filter_map(|(_, shape)| shape.object());
        let by_group = self.objects.values().flat_map(|object| match object {
            Object::Group(members) => members.iter().map(|(id, _)| *id).collect(),
            Object::Single(_) => Vec::new(),
        });
        let named: BTreeSet<u32> = by_route.chain(by_group).collect();
        let all = self.objects.keys().copied();
        all.filter(|id| !named.contains(id)).collect()
    }

    /// Everything that is there, in words that do not depend on numbers given by chance.
    pub(crate) fn contents(&self) -> Vec<String> {
        let name = |index: &u32| self.links[index].name.to_string();
        let hop = |id: &u32| match &self.objects[id] {
            Object::Single(hop) => format!("{:?} {}", hop.gateway, name(&hop.index)),
            Object::Group(_) => String::new(),
        };
        let via = |via: &Via| match via {
            Via::Object(id) => match &self.objects[id] {
                Object::Single(_) => hop(id),
                // What is left of a group forwards like the next hop itself.
                Object::Group(members) if members.len() == 1 => hop(&members[0].0),
                Object::Group(members) => {
                    let hops = members
                        .iter()
                        .map(|(id, weight)| format!("{} {weight}", hop(id)));
                    format!("{:?}", hops.collect::<BTreeSet<_>>())
                }
            },
            other @ (Via::Nowhere | Via::Hops(_)) => format!("{other:?}"),
        };
        let mut all = Vec::new();
        for ((key, metric), (protocol, shape)) in &self.routes {
            all.push(format!(
                "{key} {metric} {protocol} {} {}",
                shape.kind,
                via(&shape.via)
            ));
        }
        all.extend(
            self.tunnels
                .iter()
                .map(|((i, mac, vni), to)| format!("{mac} {} {vni:?} {to}", name(i))),
        );
        all.extend(
            self.bridges
                .iter()
                .map(|(i, mac, vlan)| format!("{mac} bridge {} {vlan}", name(i))),
        );
        all.extend(
            self.flood
                .iter()
                .map(|(i, to, vni)| format!("flood {to} {} {vni:?}", name(i))),
        );
        all.extend(
            self.neighbours
                .iter()
                .map(|((i, ip), n)| format!("{ip} {n:?} {}", name(i))),
        );
        all.extend(self.links.values().map(|link| {
            let master = link.master.as_ref().map(name);
            format!(
                "{} {:?} in {master:?}, up {}",
                link.name, link.kind, link.up
            )
        }));
        all.extend(
            self.addresses
                .iter()
                .map(|(i, address)| format!("{address} on {}", name(i))),
        );
        all.extend(self.parts.contents(name));
        all.sort();
        all
    }
}

/// What an entry's name says to the VXLAN device and to the bridge.
pub(super) fn halves(segment: Option<Segment>) -> (Option<u32>, u16) {
    (segment.map(|it| it.vni), segment.map_or(0, |it| it.vlan))
}

/// Applies plans until there is nothing to do. Every plan must bring the end nearer.
pub(crate) fn settle(table: &mut Table, model: &mut Model, now: Instant) {
    for _ in 0..500 {
        let ops = table.plan(7, now);
        if ops.is_empty() {
            return;
        }
        assert!(ops.len() <= 7 || matches!(ops[0], Op::Device(..)));
        let (mut links, mut all) = (false, false);
        for op in &ops {
            let result = model.apply(op);
            links |= matches!(op, Op::Device(..));
            all |= !table.done(op, result, now);
        }
        if links {
            model.tell_links(table);
        }
        if all || table.take_unread_layer2() {
            model.tell(table);
        }
    }
    panic!("no end of plans: {:#?}", &model.log[model.log.len() - 20..]);
}
