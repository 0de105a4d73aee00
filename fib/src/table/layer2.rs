//! FDB entries, flood lists and neighbours: what the kernel shows of them.
//!
//! They are kept for *managed* devices, those that an entry or overlay names; what is on others is
//! nobody's business, and is read when a device becomes managed. A remote MAC address has two
//! halves, one on the VXLAN device and one on its bridge, which are shown one by one and written
//! together. Entries go with their device, and with its name.
//!
//! Not here: in which order anything is written, and whose devices those are.

use std::fmt;
use std::time::Instant;

use super::{Place, Table, Theirs};
use crate::event::Event;
use crate::state::{Device, FdbKey, FloodKey, Key, Neighbour, NeighbourKey, Tunnel};

/// What is there of one remote MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FdbState {
    pub(super) tunnel: Option<Tunnel>,
    pub(super) bridge: bool,
    pub(super) sticky: bool,
}

impl fmt::Display for FdbState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tunnel {
            Some(tunnel) => write!(f, "dst {tunnel}")?,
            None => f.write_str("no tunnel entry")?,
        }
        f.write_str(if self.bridge { "" } else { ", no bridge entry" })
    }
}

impl Table {
    /// The bridge learned a MAC address on another port than the VXLAN device: the host moved to
    /// this side. Whether it stays is for the caller to decide, so the entry is not taken back at
    /// once. It counts as refused, and is written again when the caller says so or nobody decides.
    pub fn fdb_moved(&mut self, key: FdbKey, now: Instant) {
        if !self.fdb.have(&key).is_some_and(|state| state.bridge) {
            return;
        }
        self.observe_fdb(&key, |state| state.bridge = false);
        if self.fdb.want(&key).is_some() {
            let error = "the bridge learned the address on another port".to_owned();
            self.fdb.yield_place(&key, error.clone(), now);
            self.tell_failure(Key::Fdb(key), error, false);
        }
    }

    /// The kernel resolved an address anew where our entry stood, to a host of this side. Whether
    /// that counts is for the caller to decide, as for [`Table::fdb_moved`].
    pub fn neighbour_moved(&mut self, key: NeighbourKey, now: Instant) {
        if self.neighbours.have(&key).is_none() {
            return;
        }
        self.observe_neighbour(&key, None);
        if self.neighbours.want(&key).is_some() {
            let error = "the kernel resolved the address to a host of this side".to_owned();
            self.neighbours.yield_place(&key, error.clone(), now);
            self.tell_failure(Key::Neighbour(key), error, false);
        }
    }

    /// Tells once that FDB entries and neighbours should be read, because a device that exists
    /// already has become of interest.
    pub fn take_unread_layer2(&mut self) -> bool {
        std::mem::take(&mut self.unread_layer2)
    }

    /// FDB entries and neighbours should be read, which was not told yet.
    pub fn has_unread_layer2(&self) -> bool {
        self.unread_layer2
    }

    pub(super) fn manage(&mut self, device: &Device, by: isize) {
        if let Some(count) = self.managed.get_mut(device) {
            *count = count.saturating_add_signed(by);
            if *count == 0 {
                self.managed.remove(device);
                self.occupied.forget(device, |_| true);
            }
        } else if let Some(count) = usize::try_from(by).ok().filter(|count| *count > 0) {
            self.managed.insert(device.clone(), count);
            // What is on a device that was of no interest so far was not kept.
            self.unread_layer2 |= self.links.named(device).is_some();
        }
    }

    pub(super) fn is_managed(&self, device: &Device) -> bool {
        self.managed.contains_key(device)
    }

    /// Entries of a device are gone with it, or with its name.
    pub(super) fn lose_device(&mut self, device: &Device) {
        let lost = self.fdb.lose(device, |_| true);
        self.report_removed(lost.into_iter().map(|(key, _)| Key::Fdb(key)));
        let lost = self.flood.lose(device, |()| true);
        self.report_removed(lost.into_iter().map(|(key, ())| Key::Flood(key)));
        let lost = self.neighbours.lose(device, |_| true);
        self.report_removed(lost.into_iter().map(|(key, _)| Key::Neighbour(key)));
        for place in self.occupied.forget(device, |_| true) {
            self.try_place(place);
        }
    }

    /// The bridge of this port has changed.
    pub(super) fn lose_bridge_entries(&mut self, device: &Device) {
        self.unread_layer2 |= self.is_managed(device);
        let of_bridge = |place: &Place| matches!(place, Place::Bridge(_));
        for place in self.occupied.forget(device, of_bridge) {
            self.try_place(place);
        }
        let lost = self.fdb.lose(device, |state| state.bridge);
        for (key, mut state) in lost {
            state.bridge = false;
            match state.tunnel {
                Some(_) => self.place_fdb(&key, state),
                None => self.events.push_back(Event::Removed { key: Key::Fdb(key) }),
            }
        }
    }

    pub(super) fn observe_fdb(&mut self, key: &FdbKey, change: impl FnOnce(&mut FdbState)) {
        if !self.is_managed(&key.device) || self.is_left_alone(key, &self.fdb) {
            return;
        }
        if let Some(audit) = &mut self.audit {
            // The two halves are read by two dumps; only both together can be compared.
            change(audit.fdb.entry(key.clone()).or_default());
            return;
        }
        let mut state = self.fdb.have(key).unwrap_or_default();
        change(&mut state);
        self.place_fdb(key, state);
    }

    pub(super) fn place_fdb(&mut self, key: &FdbKey, mut state: FdbState) {
        state.sticky = self.fdb.want(key).is_some_and(|want| want.sticky);
        let have = (state.tunnel.is_some() || state.bridge).then_some(state);
        let adopt = !self.shares.swept().layer2;
        let before = self.fdb.observe(key, have, adopt);
        if have.is_none() && before.is_some() {
            let key = Key::Fdb(key.clone());
            self.events.push_back(Event::Removed { key });
        }
    }

    pub(super) fn observe_occupied(&mut self, place: Place, theirs: Option<Theirs>) {
        if self.is_managed(place.device()) && self.occupied.observe(&place, theirs) {
            self.try_place(place);
        }
    }

    /// Somebody's entry came, changed or went: a wish for its place is looked at again.
    pub(super) fn try_place(&mut self, place: Place) {
        match place {
            Place::Tunnel(key) | Place::Bridge(key) => self.fdb.release(&key),
            Place::Neighbour(key) => self.neighbours.release(&key),
        }
    }

    pub(super) fn observe_flood(&mut self, key: &FloodKey, there: bool) {
        let adopt = !self.shares.swept().layer2;
        let before = self.flood.observe(key, there.then_some(()), adopt);
        if before.is_some() && !there {
            let key = Key::Flood(key.clone());
            self.events.push_back(Event::Removed { key });
        }
    }

    pub(super) fn observe_neighbour(&mut self, key: &NeighbourKey, have: Option<Neighbour>) {
        if !self.is_managed(&key.device) || self.is_left_alone(key, &self.neighbours) {
            return;
        }
        let adopt = !self.shares.swept().layer2;
        let unasked = adopt && self.neighbours.want(key).is_none();
        let before = self.neighbours.observe(key, have, adopt);
        if let Some(Neighbour { mac, .. }) = have.filter(|_| unasked && before.is_none()) {
            let key = key.clone();
            self.events.push_back(Event::Leftover { key, mac });
        }
        if before.is_some() && have.is_none() {
            let key = Key::Neighbour(key.clone());
            self.events.push_back(Event::Removed { key });
        }
    }
}
