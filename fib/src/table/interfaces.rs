//! Addresses and state of the host's own devices: how far each wish has come.
//!
//! The steps come from [`crate::addressing`], from devices and addresses as observed. As with overlays,
//! a step that is asked for twice in a row had no effect: the wish is told as failed, with what the
//! kernel said, and waits until a device changes or everything was read. A device that is not there is
//! told as a failure, too, and so is one that somebody has taken down.
//!
//! Addresses with our stamp that nobody wants on a device go when their wish was given up, or after the
//! sweep: those of a device that no wish names ([`Table::leftover_addresses`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Op, OpError, Table};
use crate::addressing::{self, Past, Steps};
use crate::event::{Difference, Event};
use crate::links::Link;
use crate::overlay::{DeviceOp, LinkChange};
use crate::state::{Addressing, Device, Key, OwnAddress};

/// What is wanted of a device, and how far it has come.
pub(super) struct InterfaceSlot {
    want: Arc<Addressing>,
    /// The number of the device that has been up since.
    was_up: Option<u32>,
    /// Steps taken last time, to notice that they had no effect.
    last: Steps,
    /// What the kernel said to them.
    refused: Option<String>,
    /// Why the wish does not stand, as told.
    error: Option<String>,
    installed: bool,
    /// Addresses that somebody has taken away, and that are being put back.
    repairing: usize,
}

impl Table {
    pub(super) fn want_interface(&mut self, device: Device, want: Arc<Addressing>) {
        let before = self.interfaces.get(&device);
        if before.is_some_and(|slot| slot.want == want) {
            // Wished again: told again.
            if before.is_some_and(|slot| slot.installed) {
                let keys = vec![Key::Addressing(device)];
                self.events.push_back(Event::Installed { keys });
            }
            return;
        }
        // For a new address a device is set up once more, and where it is no longer to be down.
        let of = |slot: &InterfaceSlot| {
            let known = |it| slot.want.addresses.contains(it);
            let goes_on = slot.want.up != Some(false) && want.addresses.iter().all(known);
            slot.was_up.filter(|_| goes_on)
        };
        let was_up = before.and_then(of);
        self.unassigned.remove(&device);
        self.owner.assigned.insert(device.clone(), want.clone());
        let slot = InterfaceSlot {
            want,
            was_up,
            last: Steps::default(),
            refused: None,
            error: None,
            installed: false,
            repairing: 0,
        };
        self.interfaces.insert(device, slot);
        self.devices_dirty = true;
    }

    pub(super) fn unwant_interface(&mut self, device: &Device) {
        let Some(slot) = self.interfaces.remove(device) else {
            return;
        };
        self.owner.assigned.remove(device);
        self.unassigned.insert(device.clone());
        if slot.installed {
            let key = Key::Addressing(device.clone());
            self.events.push_back(Event::Removed { key });
        }
        self.devices_dirty = true;
    }

    /// The devices as observed ask for steps.
    pub(super) fn has_interface_steps(&self) -> bool {
        self.interfaces.iter().any(|(device, slot)| {
            let steps = self.interface_steps(device, slot);
            steps != Steps::default()
        })
    }

    fn interface_steps(&self, device: &Device, slot: &InterfaceSlot) -> Steps {
        let past = Past {
            was_up: slot.was_up,
            of_overlay: self.has_gateway(device),
        };
        addressing::steps(device, &slot.want, past, &self.links, self.owner.protocol)
    }

    /// An overlay has its gateway on this device.
    fn has_gateway(&self, device: &Device) -> bool {
        self.overlays.values().any(|it| it.want.bridge == *device)
    }

    /// Appends what is next for devices of the host.
    pub(super) fn plan_interfaces(&mut self, ops: &mut Vec<Op>) {
        for (device, slot) in &mut self.interfaces {
            if let Some(link) = self.links.named(device).filter(|link| link.up) {
                slot.was_up = Some(link.index);
            }
        }
        let steps = |(device, slot): (&Device, &InterfaceSlot)| {
            (device.clone(), self.interface_steps(device, slot))
        };
        let all: Vec<(Device, Steps)> = self.interfaces.iter().map(steps).collect();
        let before = ops.len();
        let mut under_way = BTreeSet::new();
        for (device, steps) in &all {
            if let Some(slot) = self.interfaces.get_mut(device)
                && slot.takes_up(&steps.adds, |last| &mut last.adds)
            {
                under_way.insert(device.clone());
                push(ops, &steps.adds);
            }
        }
        // What moves from one device to another is there before it goes.
        if ops.len() == before {
            for (device, steps) in &all {
                if let Some(slot) = self.interfaces.get_mut(device)
                    && slot.takes_up(&steps.removals, |last| &mut last.removals)
                {
                    under_way.insert(device.clone());
                    push(ops, &steps.removals);
                }
            }
        }
        for (device, steps) in all {
            if under_way.contains(&device) {
                continue;
            }
            let adds_wait = ops.len() > before && steps.adds.is_empty();
            if adds_wait && !steps.removals.is_empty() {
                continue;
            }
            if let Some(slot) = self.interfaces.get_mut(&device) {
                let event = slot.learn(Key::Addressing(device), steps);
                if slot.installed {
                    self.repaired.missing += std::mem::take(&mut slot.repairing);
                }
                self.events.extend(event);
            }
        }
    }

    /// What the kernel said to a step.
    pub(super) fn done_interface(&mut self, op: &DeviceOp, error: &OpError) {
        if let Some(slot) = self.interfaces.get_mut(op.name()) {
            slot.refused.get_or_insert_with(|| format!("{op}: {error}"));
        }
    }

    /// Devices changed: what was refused may be possible now.
    pub(super) fn retry_interfaces(&mut self) {
        for slot in self.interfaces.values_mut() {
            slot.last = Steps::default();
        }
        self.devices_dirty |= !self.interfaces.is_empty();
    }

    /// With every complete read, what was refused is tried again without reason.
    pub(super) fn retry_refused_interfaces(&mut self) {
        for slot in self.interfaces.values_mut() {
            if slot.error.is_some() {
                slot.last = Steps::default();
                self.devices_dirty = true;
            }
        }
    }

    /// Addresses of ours on devices that nobody asks for any longer, but for those on `going`.
    pub(super) fn leftover_addresses(&mut self, going: &BTreeSet<u32>) -> Vec<Op> {
        let swept = self.shares.swept().rest;
        let unassigned = std::mem::take(&mut self.unassigned);
        let (mut ops, mut waiting) = (Vec::new(), Vec::new());
        for link in self.links.iter() {
            let name = &link.name;
            let left = swept || unassigned.contains(name) || self.released.contains(name);
            let wanted = self.interfaces.contains_key(name) || self.has_gateway(name);
            if left && !wanted && !going.contains(&link.index) {
                let (gone, kept) = self.leftover_on(link);
                push(&mut ops, &gone);
                // Looked at again when something changes.
                waiting.extend((!kept.is_empty()).then(|| name.clone()));
            }
        }
        self.unassigned.extend(waiting);
        ops
    }

    /// Addresses of ours on a device of which nobody wants any.
    fn leftover_on(&self, link: &Link) -> (Vec<DeviceOp>, Vec<(OwnAddress, String)>) {
        let none = Addressing::default();
        addressing::unwanted(&none, link, &self.links, self.owner.protocol)
    }

    pub(super) fn interface_differences(&self, found: &mut Vec<Difference>) {
        for (device, slot) in &self.interfaces {
            let key = || Key::Addressing(device.clone());
            let steps = self.interface_steps(device, slot);
            found.extend(kept(device, &steps.kept));
            // The host's doing, which nothing here can mend.
            let occupied = steps.waits.is_some();
            let error = slot.error.clone().or_else(|| steps.waits.clone());
            let mut add = |want: Option<String>, have: Option<&str>| {
                found.push(Difference {
                    key: key(),
                    want,
                    have: have.map(str::to_owned),
                    error: error.clone(),
                    occupied,
                });
            };
            let Some(link) = self.links.named(device) else {
                add(Some(slot.wished()), None);
                continue;
            };
            let (up, down) = (Some("up".to_owned()), Some("down".to_owned()));
            for op in steps.adds.iter().chain(&steps.removals) {
                if let DeviceOp::Change { change, .. } = op {
                    match *change == LinkChange::Down {
                        true => add(down.clone(), Some("up")),
                        false => add(up.clone(), Some("down")),
                    }
                } else if let DeviceOp::Unassign { address, .. } = op {
                    add(None, Some(&format!("address {address}")));
                }
            }
            for address in addressing::missing(&slot.want, link, &self.links) {
                add(Some(format!("address {address}")), None);
            }
            for (address, why) in addressing::duplicates(&slot.want, link, &self.links) {
                found.push(Difference {
                    key: key(),
                    want: Some(format!("address {address}")),
                    have: Some(format!("address {address}, a duplicate that is not used")),
                    error: Some(why),
                    occupied: true,
                });
            }
        }
    }

    /// Addresses that should have gone with what asked for them.
    pub(super) fn kept_addresses(&self) -> Vec<Difference> {
        let left = self
            .unassigned
            .iter()
            .filter_map(|name| self.links.named(name));
        let left = left.filter(|link| !self.interfaces.contains_key(&link.name));
        left.flat_map(|link| kept(&link.name, &self.leftover_on(link).1))
            .collect()
    }

    /// Whether a wish stands, and why not.
    pub(super) fn interface_status(&self, device: &Device) -> Option<(bool, Option<&str>)> {
        let slot = self.interfaces.get(device)?;
        Some((slot.installed, slot.error.as_deref()))
    }
}

impl InterfaceSlot {
    /// Notes steps that are to be taken. False if there are none, or if they were taken last time and
    /// had no effect.
    fn takes_up(
        &mut self,
        steps: &[DeviceOp],
        last: impl Fn(&mut Steps) -> &mut Vec<DeviceOp>,
    ) -> bool {
        let before = last(&mut self.last);
        if steps.is_empty() || *before == steps {
            return false;
        }
        *before = steps.to_vec();
        self.refused = None;
        if self.installed {
            let missing = steps
                .iter()
                .filter(|op| matches!(op, DeviceOp::Assign { .. }));
            self.repairing = self.repairing.max(missing.count());
        }
        true
    }

    /// What there is to tell, of steps that are not taken.
    fn learn(&mut self, key: Key, steps: Steps) -> Option<Event> {
        let stuck = steps.adds.first().or(steps.removals.first());
        let no_effect = stuck.map(|op| format!("{op}: no effect"));
        let refused = self.refused.clone().filter(|_| stuck.is_some());
        let stays = steps.kept.into_iter().next();
        let stays = stays.map(|(address, why)| format!("{address} stays: {why}"));
        let error = refused.or(no_effect).or(steps.waits).or(stays);
        if error.is_none() {
            self.last = Steps::default();
        }
        let installed = error.is_none();
        let news = self.installed != installed || self.error != error;
        (self.installed, self.error) = (installed, error);
        if !installed {
            self.repairing = 0;
        }
        news.then(|| Event::standing(key, self.error.clone()))
    }

    /// In words.
    fn wished(&self) -> String {
        let addresses = self.want.addresses.iter().map(|it| it.to_string());
        let addresses: Vec<String> = addresses.collect();
        match (addresses.as_slice(), self.want.up) {
            ([], Some(false)) => "down".to_owned(),
            ([], _) => "up".to_owned(),
            _ => format!("address {}", addresses.join(", ")),
        }
    }
}

/// What is there and should not be, for somebody else's sake.
fn kept(device: &Device, addresses: &[(OwnAddress, String)]) -> Vec<Difference> {
    let difference = |(address, why): &(OwnAddress, String)| Difference {
        key: Key::Addressing(device.clone()),
        want: None,
        have: Some(format!("address {address}")),
        error: Some(why.clone()),
        occupied: true,
    };
    addresses.iter().map(difference).collect()
}

fn push(ops: &mut Vec<Op>, steps: &[DeviceOp]) {
    ops.extend(steps.iter().map(|op| Op::Device(None, op.clone())));
}
