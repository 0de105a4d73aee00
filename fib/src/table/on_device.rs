//! What remote MAC addresses, flood entries and neighbours have in common: they stand on a device.
//!
//! Such an entry is written under the device's number and waits while there is no such device, or one
//! that cannot carry it ([`super::barred`]); it also waits while somebody else's is in its place; a refusal is told once and tried again later;
//! what is to be removed is gone when its device is. [`OnDevice`] says of each kind what is
//! different: its ledger, what may be in its way, and its operations.
//!
//! Not here: what the kernel shows of them ([`super::layer2`]).

use std::time::Instant;

use super::entries::{Entries, Packed};
use super::layer2::FdbState;
use super::occupied::Occupied;
use super::{Op, OpError, Table, refused};
use crate::event::Event;
use crate::state::{Device, FdbKey, FloodKey, Key, Neighbour, NeighbourKey, RemoteMac};

/// The name of an entry that stands on a device.
pub(super) trait OnDevice: Packed + Clone {
    fn name(&self) -> Key;
    fn device(&self) -> &Device;
    fn ledger(table: &mut Table) -> &mut Entries<Self>;
    /// Why it cannot be written, if somebody else's entry is in its place.
    fn obstacle(&self, occupied: &Occupied) -> Option<String>;
    /// None if there is nothing to write.
    fn set(self, index: u32, want: Self::Content) -> Option<Op>;
    /// From the device with this number, which may be a port of a bridge.
    fn unset(self, place: (u32, bool), have: Self::Content) -> Op;
    /// The kernel has nothing of it any longer.
    fn gone(&self, table: &mut Table);
}

impl Table {
    /// Appends operations that write entries of one kind, up to `max` in all.
    pub(super) fn plan_sets_of<K: OnDevice>(
        &mut self,
        ops: &mut Vec<Op>,
        max: usize,
        now: Instant,
    ) {
        while ops.len() < max {
            let Some((key, want)) = K::ledger(self).next_set() else {
                break;
            };
            if let Some(cause) = self.barred(&key).map(str::to_owned) {
                let told = K::ledger(self).error(&key) == Some(&cause);
                K::ledger(self).wait(&key, cause.clone());
                self.tell_failure(key.name(), cause, told);
                continue;
            }
            if let Some(error) = key.obstacle(&self.occupied) {
                K::ledger(self).block(&key, error.clone());
                self.tell_occupied(key.name(), error);
                continue;
            }
            match self.index(key.device()) {
                Ok(index) => ops.extend(key.set(index, want)),
                Err(error) => self.refuse(&key, error, now),
            }
        }
    }

    /// Appends operations that remove entries of one kind, up to `max` in all.
    pub(super) fn plan_unsets_of<K: OnDevice>(&mut self, ops: &mut Vec<Op>, max: usize) {
        while ops.len() < max {
            let Some((key, have)) = K::ledger(self).next_unset() else {
                break;
            };
            if self.barred(&key).is_some() {
                K::ledger(self).leave(&key);
                continue;
            }
            // Somebody else's entry on the bridge goes by the same word as ours.
            let alone = key.obstacle(&self.occupied).is_none();
            let device = self.links.named(key.device());
            match device.map(|link| (link.index, link.master.is_some() && alone)) {
                Some(place) => ops.push(key.unset(place, have)),
                None => key.gone(self),
            }
        }
    }

    /// The result of writing an entry.
    pub(super) fn done_set_of<K: OnDevice>(
        &mut self,
        key: &K,
        content: K::Content,
        result: Result<(), OpError>,
        now: Instant,
    ) -> bool {
        match result {
            Ok(()) => {
                K::ledger(self).observe(key, Some(content), false);
            }
            Err(error) => self.refuse(key, error.to_string(), now),
        }
        true
    }

    /// Nothing of ours should be under this name.
    pub(super) fn unwant_of<K: OnDevice>(&mut self, key: &K) {
        if K::ledger(self).set(key, None).is_none() {
            return;
        }
        self.manage(key.device(), -1);
        if K::ledger(self).have(key).is_none() {
            self.tell_given_up(key.name());
        }
    }

    /// The result of removing an entry.
    pub(super) fn done_unset_of<K: OnDevice>(
        &mut self,
        key: &K,
        result: &Result<(), OpError>,
    ) -> bool {
        key.gone(self);
        refused(result).is_none()
    }

    fn refuse<K: OnDevice>(&mut self, key: &K, error: String, now: Instant) {
        let ledger = K::ledger(self);
        let told = ledger.error(key) == Some(&error);
        ledger.fail(key, error.clone(), now);
        self.tell_failure(key.name(), error, told);
    }
}

impl OnDevice for FdbKey {
    fn name(&self) -> Key {
        Key::Fdb(self.clone())
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn ledger(table: &mut Table) -> &mut Entries<Self> {
        &mut table.fdb
    }

    fn obstacle(&self, occupied: &Occupied) -> Option<String> {
        occupied.fdb(self)
    }

    fn set(self, index: u32, want: FdbState) -> Option<Op> {
        let remote = RemoteMac {
            tunnel: want.tunnel?,
            sticky: want.sticky,
        };
        Some(Op::SetFdb {
            key: self,
            index,
            remote,
        })
    }

    fn unset(self, (index, port): (u32, bool), have: FdbState) -> Op {
        // Written without a VLAN the kernel has made one for each VLAN of the port, too. Those stay
        // when the address is learned on another port, and go by the same word as the first.
        let copies = self.segment.is_none() && port;
        Op::UnsetFdb {
            key: self,
            index,
            tunnel: have.tunnel,
            master: have.bridge || copies,
        }
    }

    fn gone(&self, table: &mut Table) {
        table.place_fdb(self, FdbState::default());
    }
}

impl OnDevice for FloodKey {
    fn name(&self) -> Key {
        Key::Flood(self.clone())
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn ledger(table: &mut Table) -> &mut Entries<Self> {
        &mut table.flood
    }

    /// A flood list has room for everybody.
    fn obstacle(&self, _: &Occupied) -> Option<String> {
        None
    }

    fn set(self, index: u32, (): ()) -> Option<Op> {
        Some(Op::SetFlood { key: self, index })
    }

    fn unset(self, (index, _): (u32, bool), (): ()) -> Op {
        Op::UnsetFlood { key: self, index }
    }

    fn gone(&self, table: &mut Table) {
        table.observe_flood(self, false);
    }
}

impl OnDevice for NeighbourKey {
    fn name(&self) -> Key {
        Key::Neighbour(self.clone())
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn ledger(table: &mut Table) -> &mut Entries<Self> {
        &mut table.neighbours
    }

    fn obstacle(&self, occupied: &Occupied) -> Option<String> {
        occupied.neighbour(self)
    }

    fn set(self, index: u32, neighbour: Neighbour) -> Option<Op> {
        Some(Op::SetNeighbour {
            key: self,
            index,
            neighbour,
        })
    }

    fn unset(self, (index, _): (u32, bool), _: Neighbour) -> Op {
        Op::UnsetNeighbour { key: self, index }
    }

    fn gone(&self, table: &mut Table) {
        if table.neighbours.observe(self, None, false).is_some() {
            let key = Key::Neighbour(self.clone());
            table.events.push_back(Event::Removed { key });
        }
    }
}
