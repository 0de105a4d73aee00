//! Overlays and devices: what is next for each overlay, and what becomes of devices without one.
//!
//! The steps come from [`crate::overlay`], from the devices as observed. A step that is asked for
//! twice in a row had no effect; then the overlay is told as failed, with what the kernel said, and
//! waits until another device changes or everything was read. Devices of ours that no overlay names
//! are removed when their overlay was given up, or after the sweep; so are the parts of shared
//! devices that no overlay has. VRF devices are in [`super::vrfs`].

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::barred::Bar;
use super::vrfs::Holder;
use super::{Op, OpError, Table};
use crate::event::{Differences, Event};
use crate::links::{Link, LinkKind, Links, Station};
use crate::overlay::{self, DeviceOp, LinkChange, Part};
use crate::state::{Device, Key, Overlay};

/// How many steps towards overlays are taken before notifications are looked at again. The devices
/// are read after each time.
const STEPS: usize = 512;

/// How many devices are removed before others get their turn. The kernel takes half a millisecond for
/// each and some ten for all together,
const LEFTOVERS: usize = 128;

/// but for a bridge as long as for so many others: it waits once more for each (`rcu_barrier`).
const LIKE_A_BRIDGE: usize = 16;

/// An overlay, and how far it has come.
pub(super) struct OverlaySlot {
    pub(super) want: Arc<Overlay>,
    /// Steps taken last time, to notice that they had no effect.
    pub(super) last: Vec<DeviceOp>,
    /// What the kernel said to them.
    pub(super) refused: Option<String>,
    /// Why the overlay is not there, as told.
    pub(super) error: Option<String>,
    pub(super) installed: bool,
    /// The last VXLAN device on which nothing kept its entries from being written.
    pub(super) fit: Option<u32>,
    /// Was installed, and is being put right: a device has to be made again, or was changed.
    pub(super) repairing: Differences,
}

impl Table {
    /// All devices and addresses have just been read, and no notification was taken since.
    pub fn links_read(&mut self) {
        self.devices_dirty |= self.owner.bind(&self.links);
    }

    /// These are the kernel's own routes to networks of devices, just read with all other routes.
    pub fn connected_read(&mut self, connected: &HashSet<(u32, IpNetwork)>) {
        self.devices_dirty |= self.links.set_connected(connected);
    }

    /// An overlay names this device.
    pub fn is_overlay_device(&self, device: &Device) -> bool {
        self.owner.named.contains(device)
    }

    /// The devices as observed ask for steps. They should be read first: a notification may be
    /// older than the last step, and would have it taken again or taken for one without effect.
    pub fn has_device_steps(&self) -> bool {
        let differs = |(vni, slot): (&u32, &OverlaySlot)| {
            let steps = overlay::steps(*vni, &slot.want, &self.links, &self.owner);
            !steps.ops.is_empty() || steps.wrong().is_some()
        };
        let host = || self.has_vrf_steps() || self.has_interface_steps();
        self.devices_dirty && (self.overlays.iter().any(differs) || host())
    }

    pub(super) fn set_overlay(&mut self, vni: u32, overlay: Arc<Overlay>) {
        if self
            .overlays
            .get(&vni)
            .is_some_and(|slot| slot.want == overlay)
        {
            // Wished again: told again.
            if self.overlays.get(&vni).is_some_and(|slot| slot.installed) {
                let keys = vec![Key::Overlay(vni)];
                self.events.push_back(Event::Installed { keys });
            }
            return;
        }
        let before = self.overlays.get(&vni);
        let before = before.filter(|before| before.want.vxlan == overlay.vxlan);
        let fit = before.and_then(|before| before.fit);
        // First, so that a VRF that it stays in stays there.
        if let Some(vrf) = &overlay.vrf {
            self.want_vrf(Holder::Overlay(vni), vrf);
        }
        let vrf = overlay.vrf.as_ref().map(|vrf| &vrf.device);
        self.replace_overlay(vni, vrf);
        // The VLAN of its entries is known only now.
        self.unread_layer2 |= self.unplaced && overlay.lane.is_some();
        for device in overlay.devices() {
            self.manage(device, 1);
            self.released.remove(device);
            self.owner.named.insert(device.clone());
        }
        let slot = OverlaySlot {
            want: overlay,
            last: Vec::new(),
            refused: None,
            error: None,
            installed: false,
            fit,
            repairing: Differences::default(),
        };
        self.overlays.insert(vni, slot);
        self.devices_dirty = true;
    }

    pub(super) fn unset_overlay(&mut self, vni: u32) {
        self.replace_overlay(vni, None);
    }

    /// The overlay is no longer wanted, or another one is, in this VRF.
    fn replace_overlay(&mut self, vni: u32, vrf: Option<&Device>) {
        let Some(slot) = self.overlays.remove(&vni) else {
            return;
        };
        for device in slot.want.devices() {
            self.manage(device, -1);
            self.release_device(device);
        }
        let left = slot.want.vrf.as_ref().map(|vrf| &vrf.device);
        if let Some(left) = left.filter(|left| Some(*left) != vrf) {
            self.unwant_vrf(Holder::Overlay(vni), left);
        }
        if slot.installed {
            self.events.push_back(Event::Removed {
                key: Key::Overlay(vni),
            });
        }
        self.devices_dirty = true;
    }

    /// Nothing is wanted of a device any longer, unless something else names it.
    pub(super) fn release_device(&mut self, device: &Device) {
        let names = |slot: &OverlaySlot| slot.want.devices().any(|it| it == device);
        if !self.overlays.values().any(names) && !self.vrfs.contains_key(device) {
            self.owner.named.remove(device);
            self.released.insert(device.clone());
        }
    }

    pub(super) fn observe_link(&mut self, link: Link) {
        let (index, name) = (link.index, link.name.clone());
        let before = self.links.get(index).cloned();
        if before.as_ref() == Some(&link) {
            return;
        }
        self.devices_dirty = true;
        let renamed = before.as_ref().filter(|before| before.name != name);
        let mut names = vec![name.clone()];
        names.extend(renamed.map(|before| before.name.clone()));
        let (master, running) = (link.master, link.running);
        self.with_names(&names, |links| {
            links.insert(link);
        });
        let Some(before) = before else {
            self.retry();
            return;
        };
        if before.master != master && self.holder(&name) == Some(index) {
            // Another bridge: what the old one knew about this port is gone.
            self.lose_bridge_entries(&name);
        }
        if before.name != name || before.master != master || (running && !before.running) {
            self.retry();
        }
    }

    pub(super) fn observe_link_removed(&mut self, index: u32) {
        let Some(name) = self.links.get(index).map(|link| link.name.clone()) else {
            return;
        };
        self.devices_dirty = true;
        self.owner.forget(index);
        self.with_names(&[name], |links| {
            links.remove(index);
        });
    }

    /// A device came, went or changed: what it kept overlays from may be possible now. Their own
    /// devices change by our steps, which is no reason to take them again.
    pub(super) fn retry_overlays(&mut self, names: &[Device]) {
        let own = |slot: &OverlaySlot| slot.want.devices().any(|it| names.contains(it));
        let under_way = |slot: &&mut OverlaySlot| !slot.last.is_empty();
        for slot in self.overlays.values_mut().filter(under_way) {
            if !own(slot) {
                slot.last.clear();
            }
        }
        self.retry_vrfs(names);
        self.retry_interfaces();
    }

    /// Entries under a name go when another device has it, or none: late news of a device that was
    /// removed say nothing about its successor.
    pub(super) fn with_names(&mut self, names: &[Device], change: impl FnOnce(&mut Links)) {
        self.retry_overlays(names);
        let before: Vec<Option<u32>> = names.iter().map(|name| self.holder(name)).collect();
        change(&mut self.links);
        for (name, before) in names.iter().zip(before) {
            let after = self.holder(name);
            if before == after {
                continue;
            }
            // What is on a device that had another name or number was not kept.
            self.unread_layer2 |= after.is_some() && self.is_managed(name);
            if before.is_some() {
                self.lose_device(name);
            }
        }
    }

    pub(super) fn holder(&self, name: &Device) -> Option<u32> {
        self.links.named(name).map(|link| link.index)
    }

    pub(super) fn plan_devices(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        if !self.devices_dirty {
            return ops;
        }
        let vrfs_under_way = self.plan_vrfs(&mut ops);
        self.plan_interfaces(&mut ops);
        // What is done for one overlay on a device is done for all that share it.
        let mut shared: Vec<DeviceOp> = Vec::new();
        let mut bars = Vec::new();
        let mut whole = true;
        for (vni, slot) in &mut self.overlays {
            if ops.len() >= STEPS {
                whole = false;
                break;
            }
            let steps = overlay::steps(*vni, &slot.want, &self.links, &self.owner);
            let vxlan = self.links.named(&slot.want.vxlan).map(|link| link.index);
            let barred = steps.barred(*vni, &slot.want);
            if barred.is_empty() {
                slot.fit = vxlan;
            }
            let was_fit = slot.fit.is_some() && slot.fit == vxlan;
            bars.extend(barred.into_iter().map(|(place, cause)| Bar {
                place,
                cause,
                was_fit,
            }));
            let stuck = !steps.ops.is_empty() && steps.ops == slot.last;
            let error = match steps.ops.first().filter(|_| stuck) {
                Some(op) => Some(
                    slot.refused
                        .clone()
                        .unwrap_or_else(|| format!("{op}: no effect")),
                ),
                None => steps.wrong(),
            };
            if !steps.ops.is_empty() && !stuck {
                if slot.installed {
                    let missing = steps.ops.iter().filter(|op| op.creates()).count();
                    let repairing = &mut slot.repairing;
                    repairing.missing = repairing.missing.max(missing);
                    repairing.different = usize::from(repairing.missing == 0);
                }
                for op in &steps.ops {
                    if steps.shared && shared.contains(op) {
                        continue;
                    }
                    if steps.shared {
                        shared.push(op.clone());
                    }
                    ops.push(Op::Device(Some(*vni), op.clone()));
                }
                slot.last = steps.ops;
                slot.refused = None;
                continue;
            }
            let vrf = slot.want.vrf.as_ref().map(|vrf| &vrf.device);
            if !stuck && vrf.is_some_and(|vrf| vrfs_under_way.contains(vrf)) {
                // What is wrong is about to be right.
                continue;
            }
            let key = Key::Overlay(*vni);
            match error {
                Some(error) if slot.error.as_ref() != Some(&error) || slot.installed => {
                    slot.error = Some(error.clone());
                    slot.installed = false;
                    slot.repairing = Differences::default();
                    self.events.push_back(Event::Failed {
                        key,
                        error,
                        occupied: false,
                    });
                }
                Some(_) => {}
                None => {
                    slot.error = None;
                    slot.last.clear();
                    self.repaired.add(std::mem::take(&mut slot.repairing));
                    if !std::mem::replace(&mut slot.installed, true) {
                        let keys = vec![key];
                        self.events.push_back(Event::Installed { keys });
                    }
                }
            }
        }
        // If not all were looked at, nothing but steps is planned now.
        if whole {
            self.set_bars(bars);
        }
        if ops.is_empty() {
            // Not asked again with each batch of entries.
            self.devices_dirty = false;
            self.leftovers_dirty = true;
        }
        ops
    }

    /// Takes some of what is left over out of the kernel: devices of ours that no overlay names,
    /// addresses and parts of ours on devices of others.
    pub(super) fn plan_leftover_devices(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        if self.leftovers.is_empty() && std::mem::take(&mut self.leftovers_dirty) {
            for op in self.find_leftovers() {
                if let Op::Device(None, DeviceOp::Delete { index, name }) = op {
                    self.leftovers.push_back((index, name));
                } else {
                    ops.push(op);
                }
            }
        }
        let mut room = LEFTOVERS;
        while room > 0
            && let Some((index, name)) = self.leftovers.pop_front()
        {
            // It may be gone since it was found, or wanted again.
            if self.holder(&name) == Some(index) && !self.is_overlay_device(&name) {
                let kind = self.links.get(index).map(|link| &link.kind);
                let bridge = matches!(kind, Some(LinkKind::Bridge));
                room = room.saturating_sub(if bridge { LIKE_A_BRIDGE } else { 1 });
                ops.push(Op::Device(None, DeviceOp::Delete { index, name }));
            }
        }
        ops
    }

    /// Devices of ours that no overlay names, VXLAN devices before bridges before VRFs, addresses
    /// of ours on devices of others, and parts of shared devices that no overlay has.
    fn find_leftovers(&mut self) -> Vec<Op> {
        self.release_vrfs();
        let mut ops = Vec::new();
        let (mut bridges, mut vrfs) = (Vec::new(), Vec::new());
        let mut in_use = BTreeSet::new();
        for link in self.links.iter() {
            let (index, name) = (link.index, link.name.clone());
            let released = self.released.contains(&name);
            if self.is_overlay_device(&name) || !(released || self.shares.swept().rest) {
                continue;
            }
            match (overlay::is_ours(link), &link.kind) {
                (true, LinkKind::Vxlan(_) | LinkKind::Vlan { .. }) => {
                    ops.push(Op::Device(None, DeviceOp::Delete { index, name }));
                }
                // Ports of others keep their VLANs with it. It goes when they have gone.
                (true, LinkKind::Bridge)
                    if link.is_vlan_aware() && self.has_other_ports(index) => {}
                (true, LinkKind::Bridge) => {
                    bridges.push(Op::Device(None, DeviceOp::Delete { index, name }));
                }
                (true, LinkKind::Vrf { .. }) if !released => {}
                (true, LinkKind::Vrf { .. }) if self.is_in_use(link) => {
                    in_use.insert(name);
                }
                (true, LinkKind::Vrf { .. }) => {
                    vrfs.push(Op::Device(None, DeviceOp::Delete { index, name }));
                }
                _ => {}
            }
        }
        ops.append(&mut bridges);
        ops.append(&mut vrfs);
        let going: BTreeSet<u32> = ops.iter().filter_map(Op::deletes).collect();
        ops.extend(self.leftover_addresses(&going));
        self.released = in_use;
        let parts = self.plan_leftover_parts();
        let stay = parts.into_iter().filter(|(of, _)| !going.contains(of));
        ops.extend(stay.map(|(_, op)| Op::Device(None, op)));
        ops
    }

    fn plan_leftover_parts(&self) -> Vec<(u32, DeviceOp)> {
        if !self.links.has_segments() {
            return Vec::new();
        }
        let overlays = self
            .overlays
            .iter()
            .map(|(vni, slot)| (*vni, slot.want.as_ref()));
        let swept = self.shares.swept().rest;
        overlay::leftovers(overlays, swept, &self.links, &self.owner)
    }

    /// The bridge has ports that we did not make.
    fn has_other_ports(&self, bridge: u32) -> bool {
        let other = |link: &Link| link.master == Some(bridge) && !overlay::is_ours(link);
        self.links.iter().any(other)
    }

    pub(super) fn done_device(
        &mut self,
        vni: Option<u32>,
        op: &DeviceOp,
        result: Result<(), OpError>,
    ) -> bool {
        let Err(error) = result else {
            if op.creates() {
                self.owner.made(op.name().clone());
            }
            self.done_part(op);
            return true;
        };
        if let DeviceOp::Change {
            change: LinkChange::Name(_),
            ..
        } = op
            && error.errno == libc::EBUSY
            && self.owner.renames_live
        {
            // An older kernel: it goes down first.
            self.owner.renames_live = false;
            return true;
        }
        if vni.is_none() {
            self.done_vrf(op, &error);
            self.done_interface(op, &error);
        }
        if vni.is_some() {
            let why = overlay::reason(op, error.errno, &self.links);
            let why = why.unwrap_or_else(|| error.to_string());
            // Of overlays that share a device, one asked for all.
            let slots = self.overlays.iter_mut();
            let asked = slots.filter(|(number, slot)| {
                Some(**number) == vni || (slot.want.lane.is_some() && slot.last.contains(op))
            });
            for (_, slot) in asked {
                slot.refused.get_or_insert_with(|| format!("{op}: {why}"));
            }
        }
        true
    }

    /// What we have added is ours to remove. That a bridge was given an address is told too late to
    /// plan with.
    fn done_part(&mut self, op: &DeviceOp) {
        let (DeviceOp::AddPart { index, part, .. } | DeviceOp::RemovePart { index, part, .. }) =
            op
        else {
            return;
        };
        let there = matches!(op, DeviceOp::AddPart { .. });
        self.owner.part(*index, *part, there);
        if let Part::Address { vlan, mac } = part {
            let station = Station {
                bridge: *index,
                vlan: *vlan,
                mac: *mac,
            };
            self.observe_station(station, there);
        }
    }
}
