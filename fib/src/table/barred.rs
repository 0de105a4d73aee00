//! Entries whose device cannot carry them: nothing is written there and nothing removed.
//!
//! Which places those are follows from what is wrong with devices of somebody else's
//! ([`crate::overlay::fault`]), and is worked out with the steps towards overlays, whenever devices
//! changed. A place is *barred* from then until the device was mended or its overlay given up:
//!
//! - a wish waits with the cause, and is written as soon as the bar is gone;
//! - what is there and was never wished for is not taken in. A flood entry on an overlay's device is
//!   ours by that alone, so on a device that was never fit for the overlay not even one that we wish
//!   for is;
//! - what we have written before stays where it is and is told as refused, since it carries nothing.
//!   If it is not wanted any more, it goes with the bar.
//!
//! When everything of ours leaves the kernel, what is known here goes as well: we have written it.

use std::collections::{BTreeMap, BTreeSet};

use super::Table;
use super::entries::{Entries, Packed};
use super::on_device::OnDevice;
use crate::event::Event;
use crate::overlay::Barred;
use crate::state::{Device, FdbKey, FloodKey, Key, NeighbourKey, Segment};

/// Where nothing is written and nothing removed, and why.
#[derive(Default)]
pub(super) struct Bars {
    causes: BTreeMap<Barred, String>,
    /// Everything of ours is to leave.
    lifted: bool,
}

/// A place that is to be barred.
pub(super) struct Bar {
    pub(super) place: Barred,
    pub(super) cause: String,
    /// The device was fit for the overlay before: what it wishes for and is there, we have written.
    pub(super) was_fit: bool,
}

impl Bars {
    fn cause(&self, device: &Device, segment: Option<Segment>) -> Option<&str> {
        if self.causes.is_empty() {
            return None;
        }
        let device = device.clone();
        let network = segment.map(|it| Barred::Network(device.clone(), it.vni));
        let whole = self.causes.get(&Barred::Device(device));
        let cause = whole.or_else(|| self.causes.get(&network?));
        cause.map(String::as_str)
    }
}

impl Table {
    /// Why an entry can be neither written nor removed, if its device cannot carry it.
    pub(super) fn barred<K: Packed>(&self, key: &K) -> Option<&str> {
        let (device, segment) = key.place();
        let cause = self.bars.cause(device, segment);
        cause.filter(|_| !self.bars.lifted)
    }

    /// Places that are barred, and why.
    pub(super) fn bars(&self) -> impl Iterator<Item = (&Barred, &str)> {
        let causes = self.bars.causes.iter().filter(|_| !self.bars.lifted);
        causes.map(|(place, cause)| (place, cause.as_str()))
    }

    /// These and no other places are barred.
    pub(super) fn set_bars(&mut self, bars: Vec<Bar>) {
        if self.bars.lifted {
            return;
        }
        let causes = bars
            .iter()
            .map(|bar| (bar.place.clone(), bar.cause.clone()));
        let before = std::mem::replace(&mut self.bars.causes, causes.collect());
        for bar in &bars {
            match before.get(&bar.place) {
                Some(cause) if *cause == bar.cause => continue,
                Some(_) => {}
                None => self.leave_alone(bar),
            }
            self.rouse(&bar.place);
            self.tell_barred(bar);
        }
        let now: BTreeSet<&Barred> = bars.iter().map(|bar| &bar.place).collect();
        for place in before.into_keys().filter(|place| !now.contains(place)) {
            self.rouse(&place);
            // What was not taken in counts from now on.
            let (Barred::Device(device) | Barred::Network(device, _)) = &place;
            self.unread_layer2 |= self.links.named(device).is_some();
        }
    }

    /// Everything of ours is to leave the kernel.
    pub(super) fn lift_bars(&mut self) {
        self.bars.lifted = true;
        let places: Vec<Barred> = self.bars.causes.keys().cloned().collect();
        places.iter().for_each(|place| self.rouse(place));
    }

    /// What is there and not known to be ours is nobody's business here.
    fn leave_alone(&mut self, bar: &Bar) {
        let place = &bar.place;
        let fdb = self.fdb.disown(place).into_iter().map(Key::Fdb);
        let flood = match bar.was_fit {
            true => self.flood.disown(place),
            false => self.flood.disown_all(place),
        };
        let flood = flood.into_iter().map(Key::Flood);
        let neighbours = self.neighbours.disown(place).into_iter();
        let keys = fdb.chain(flood).chain(neighbours.map(Key::Neighbour));
        let keys: Vec<Key> = keys.collect();
        self.report_removed(keys.into_iter());
    }

    /// Entries of this place are looked at again.
    fn rouse(&mut self, place: &Barred) {
        self.fdb.rouse(place);
        self.flood.rouse(place);
        self.neighbours.rouse(place);
    }

    /// What is there as it was wished for carries nothing now.
    fn tell_barred(&mut self, bar: &Bar) {
        let place = &bar.place;
        let fdb = self.fdb.satisfied_in(place).into_iter().map(Key::Fdb);
        let flood = self.flood.satisfied_in(place).into_iter().map(Key::Flood);
        let neighbours = self.neighbours.satisfied_in(place).into_iter();
        let keys = fdb.chain(flood).chain(neighbours.map(Key::Neighbour));
        self.events.extend(keys.map(|key| Event::Failed {
            key,
            error: bar.cause.clone(),
            occupied: false,
        }));
    }

    /// An entry that was seen and means nothing, since nobody has wished for it in a place that is
    /// barred.
    pub(super) fn is_left_alone<K: OnDevice>(&self, key: &K, entries: &Entries<K>) -> bool {
        self.is_of_others(key, entries) && entries.want(key).is_none()
    }

    /// As [`Table::is_left_alone`] for a flood entry, which carries no stamp.
    pub(super) fn is_flood_left_alone(&self, key: &FloodKey) -> bool {
        self.is_of_others(key, &self.flood)
    }

    fn is_of_others<K: Packed>(&self, key: &K, entries: &Entries<K>) -> bool {
        let (device, segment) = key.place();
        self.bars.cause(device, segment).is_some() && entries.have(key).is_none()
    }

    /// Why the entry of this name waits, if its place is barred.
    pub(super) fn barred_name(&self, key: &Key) -> Option<&str> {
        match key {
            Key::Fdb(key) => self.barred::<FdbKey>(key),
            Key::Flood(key) => self.barred::<FloodKey>(key),
            Key::Neighbour(key) => self.barred::<NeighbourKey>(key),
            Key::Route(_)
            | Key::Overlay(_)
            | Key::Vrf(..)
            | Key::Addressing(_)
            | Key::Forwarding { .. } => None,
        }
    }
}
