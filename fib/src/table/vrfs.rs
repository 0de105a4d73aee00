//! VRF devices: who wants which, what is next for each, and when one may go.
//!
//! A VRF is wanted by owners ([`Entry::Vrf`](crate::Entry::Vrf)) and by the overlays that stand in
//! it, and its device is there as long as anybody wants it. Where they name different tables, the
//! first one's counts, and the others are told what does not fit. The steps come from
//! [`crate::overlay::vrf`]; as with overlays, a step that is asked for twice in a row had no effect.
//!
//! The table of a device of ours is *closed* where an owner wants it: a default route of the lowest
//! preference that leads nowhere, one for each IP version, which is this crate's own wish like any
//! route is one ([`Share::VRFS`]). It stands before anything else of the VRF may and goes after it.
//!
//! A device of ours that nobody wants any longer goes after the overlays in it. It stays while there
//! are others' devices in it: those would fall into the main table, among the traffic of
//! everybody. Of devices that a previous run left, those that nobody has wanted go with the sweep;
//! one that comes later was made for somebody who is about to say so ([`crate::vrf::ensure`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::{Op, OpError, Table};
use crate::event::{Difference, Event};
use crate::links::{Link, LinkKind};
use crate::overlay::{self, DeviceOp};
use crate::state::{Device, Entry, Key, Route, RouteKey, RouteKind, Share, Vrf};

/// Who wants a VRF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    Owner(Share),
    Overlay(u32),
}

/// What somebody wants of a VRF device, and what they were told of it.
struct Wish {
    table: u32,
    closed: bool,
    installed: bool,
    error: Option<String>,
}

/// A VRF device, and how far it has come.
#[derive(Default)]
pub(super) struct VrfSlot {
    wishes: BTreeMap<Holder, Wish>,
    /// Steps taken last time, to notice that they had no effect.
    last: Vec<DeviceOp>,
    /// What the kernel said to them.
    refused: Option<String>,
    /// Was there, and is made anew.
    repairing: bool,
    there: bool,
    /// The table that ends in a route of ours.
    closed: Option<u32>,
}

impl VrfSlot {
    /// The first one's table.
    fn table(&self) -> u32 {
        let first = self.wishes.values().next();
        first.map_or(0, |wish| wish.table)
    }

    /// An owner wants the table to have an end.
    fn is_closed(&self) -> bool {
        let of_owner = |(holder, wish): (&Holder, &Wish)| match holder {
            Holder::Owner(_) => wish.closed,
            Holder::Overlay(_) => false,
        };
        self.wishes.iter().any(of_owner)
    }
}

impl Table {
    pub(super) fn want_vrf(&mut self, holder: Holder, vrf: &Vrf) {
        let slot = self.vrfs.entry(vrf.device.clone()).or_default();
        let same = |wish: &&Wish| (wish.table, wish.closed) == (vrf.table, vrf.closed);
        if let Some(wish) = slot.wishes.get(&holder).filter(same) {
            // Wished again: told again.
            if let (true, Holder::Owner(share)) = (wish.installed, holder) {
                let keys = vec![Key::Vrf(share, vrf.device.clone())];
                self.events.push_back(Event::Installed { keys });
            }
            return;
        }
        let wish = Wish {
            table: vrf.table,
            closed: vrf.closed,
            installed: false,
            error: None,
        };
        slot.wishes.insert(holder, wish);
        slot.last.clear();
        self.released.remove(&vrf.device);
        self.owner.named.insert(vrf.device.clone());
        self.devices_dirty = true;
    }

    pub(super) fn unwant_vrf(&mut self, holder: Holder, device: &Device) {
        let Some(slot) = self.vrfs.get_mut(device) else {
            return;
        };
        let Some(wish) = slot.wishes.remove(&holder) else {
            return;
        };
        slot.last.clear();
        if let (true, Holder::Owner(share)) = (wish.installed, holder) {
            let key = Key::Vrf(share, device.clone());
            self.events.push_back(Event::Removed { key });
        }
        if slot.wishes.is_empty() {
            let closed = slot.closed.take();
            self.vrfs.remove(device);
            self.open_table(closed);
            self.owner.no_vrf.remove(device);
            self.release_device(device);
        }
        self.devices_dirty = true;
    }

    /// The devices as observed ask for steps.
    pub(super) fn has_vrf_steps(&self) -> bool {
        self.vrfs.iter().any(|(device, slot)| {
            let vrf = Vrf::new(device.clone(), slot.table());
            let steps = overlay::vrf::steps(&vrf, &self.links, &self.owner);
            !steps.ops.is_empty() || steps.wrong().is_some()
        })
    }

    /// Appends what is next for VRF devices. Returns those that something is done about.
    pub(super) fn plan_vrfs(&mut self, ops: &mut Vec<Op>) -> BTreeSet<Device> {
        let mut under_way = BTreeSet::new();
        let mut turned = Vec::new();
        for (device, slot) in &mut self.vrfs {
            let vrf = Vrf::new(device.clone(), slot.table());
            let steps = overlay::vrf::steps(&vrf, &self.links, &self.owner);
            let stuck = !steps.ops.is_empty() && steps.ops == slot.last;
            if !steps.ops.is_empty() && !stuck {
                slot.repairing |= slot.there;
                under_way.insert(device.clone());
                ops.extend(steps.ops.iter().map(|op| Op::Device(None, op.clone())));
                slot.last = steps.ops;
                slot.refused = None;
                continue;
            }
            let no_effect = steps.ops.first().map(|op| format!("{op}: no effect"));
            let error = match stuck {
                true => slot.refused.clone().or(no_effect),
                false => steps.wrong(),
            };
            slot.there = error.is_none();
            match &error {
                Some(error) => {
                    slot.repairing = false;
                    self.owner.no_vrf.insert(device.clone(), error.clone());
                }
                None => {
                    slot.last.clear();
                    self.owner.no_vrf.remove(device);
                    if std::mem::take(&mut slot.repairing) {
                        self.repaired.missing += 1;
                    }
                }
            }
            let link = self.links.named(device);
            let ours = link.is_some_and(is_vrf_of_ours) && error.is_none();
            let closed = (ours && slot.is_closed()).then_some(slot.table());
            if slot.closed != closed {
                turned.push((std::mem::replace(&mut slot.closed, closed), closed));
            }
            for (holder, wish) in &mut slot.wishes {
                let Holder::Owner(share) = holder else {
                    continue;
                };
                let key = Key::Vrf(*share, device.clone());
                let theirs = Vrf::new(device.clone(), wish.table);
                let misfit = link.and_then(|link| overlay::vrf::misfit(&theirs, link));
                self.events
                    .extend(wish.learn(key, error.clone().or(misfit)));
            }
        }
        for (before, closed) in turned {
            self.open_table(before);
            self.close_table(closed);
        }
        under_way
    }

    /// Whatever no other route of a table leads to is to be unreachable.
    fn close_table(&mut self, table: Option<u32>) {
        let route = Route::refuse(RouteKind::Unreachable).metric(Vrf::CLOSING_METRIC);
        let route = Arc::new(route);
        for key in ends_of(table) {
            self.set(Entry::Route(key, Arc::clone(&route)));
        }
    }

    fn open_table(&mut self, table: Option<u32>) {
        for key in ends_of(table) {
            self.unset(&Key::Route(key));
        }
    }

    /// What the kernel said to a step towards a VRF.
    pub(super) fn done_vrf(&mut self, op: &DeviceOp, error: &OpError) {
        if let Some(slot) = self.vrfs.get_mut(op.name()) {
            slot.refused.get_or_insert_with(|| format!("{op}: {error}"));
        }
    }

    /// Devices changed: what was kept from VRFs may be possible now. Their own devices change by
    /// our steps, which is no reason to take them again.
    pub(super) fn retry_vrfs(&mut self, except: &[Device]) {
        for (device, slot) in &mut self.vrfs {
            if !except.contains(device) {
                slot.last.clear();
            }
        }
        self.devices_dirty |= !self.vrfs.is_empty();
    }

    /// With every complete read, what was refused is tried again without reason.
    pub(super) fn retry_refused_vrfs(&mut self) {
        for (device, slot) in &mut self.vrfs {
            if self.owner.no_vrf.contains_key(device) {
                slot.last.clear();
                self.devices_dirty = true;
            }
        }
    }

    /// All owners have said that what a previous run left may go.
    pub(super) fn release_vrfs(&mut self) {
        let swept = self.shares.swept().rest;
        if !std::mem::replace(&mut self.vrfs_swept, swept) && swept {
            let left = self.links.iter().filter(|link| is_vrf_of_ours(link));
            let left = left.map(|link| link.name.clone());
            self.released.extend(left);
        }
    }

    /// There is something in this VRF that is not ours.
    pub(super) fn is_in_use(&self, vrf: &Link) -> bool {
        let inside = |link: &&Link| link.master == Some(vrf.index);
        let mut inside = self.links.iter().filter(inside);
        inside.any(|link| !overlay::is_ours(link))
    }

    pub(super) fn vrf_differences(&self, found: &mut Vec<Difference>) {
        for (device, slot) in &self.vrfs {
            let vrf = Vrf::new(device.clone(), slot.table());
            let steps = overlay::vrf::steps(&vrf, &self.links, &self.owner);
            let todo = || steps.ops.first().map(|op| format!("to do: {op}"));
            let error = self.owner.no_vrf.get(device);
            for (holder, wish) in &slot.wishes {
                let Holder::Owner(share) = holder else {
                    continue;
                };
                let Some(have) = steps.wrong().or_else(todo).or_else(|| wish.error.clone()) else {
                    continue;
                };
                found.push(Difference {
                    key: Key::Vrf(*share, device.clone()),
                    want: Some(format!("VRF of table {}", wish.table)),
                    have: Some(have),
                    error: error.cloned(),
                    occupied: false,
                });
            }
        }
    }

    /// Whether an owner's wish stands, and why not.
    pub(super) fn vrf_status(
        &self,
        share: Share,
        device: &Device,
    ) -> Option<(bool, Option<&str>)> {
        let slot = self.vrfs.get(device)?;
        let wish = slot.wishes.get(&Holder::Owner(share))?;
        Some((wish.installed, wish.error.as_deref()))
    }
}

impl Wish {
    /// What its owner is to be told, if that is news.
    fn learn(&mut self, key: Key, error: Option<String>) -> Option<Event> {
        let installed = error.is_none();
        let news = self.installed != installed || self.error != error;
        (self.installed, self.error) = (installed, error);
        news.then(|| Event::standing(key, self.error.clone()))
    }
}

/// The routes that close a table.
fn ends_of(table: Option<u32>) -> Vec<RouteKey> {
    let everything = [
        IpNetwork::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        IpNetwork::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    ];
    let everything = everything.into_iter().flatten();
    let end = |(table, prefix)| RouteKey::new(table, prefix).of(Share::VRFS);
    let ends = everything.filter_map(|prefix| Some((table?, prefix)));
    ends.map(end).collect()
}

/// A VRF device that we made.
fn is_vrf_of_ours(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Vrf { .. }) && overlay::is_ours(link)
}
