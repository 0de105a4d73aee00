//! MAC addresses and neighbours that this host itself learned on bridges.
//!
//! Kept for every bridge and VLAN, told for those that belong to a VNI ([`crate::links`]): a bridge
//! becomes part of a VNI before, after, or while its hosts are learned, and the owner hears the same
//! in the end.

use std::net::IpAddr;

use crate::event::Event;
use crate::links::Links;
use crate::state::{Device, Mac};

type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// A bridge and a VLAN in it, zero where it tells none apart.
type Place = (u32, u16);
type Macs = HashMap<(Place, Mac), LocalMac>;
type Neighbours = HashMap<(u32, IpAddr), LocalNeighbour>;

/// What was learned.
#[derive(Default)]
pub(super) struct Locals {
    macs: Macs,
    neighbours: Neighbours,
    told: Told,
    /// Filled while everything is read again.
    fresh: Option<(Macs, Neighbours)>,
}

/// Whose content was told, each with VNI and name of the bridge as told.
#[derive(Default, PartialEq, Eq)]
struct Told {
    places: HashMap<Place, (u32, Device)>,
    /// Bridges, and VLAN devices on them, that have neighbours.
    devices: HashMap<u32, (u32, Device)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalMac {
    pub(super) port: u32,
    pub(super) sticky: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalNeighbour {
    pub(super) mac: Mac,
    pub(super) router: bool,
}

impl Locals {
    /// A bridge learned or forgot an address.
    pub(super) fn mac(
        &mut self,
        place: Place,
        mac: Mac,
        now: Option<LocalMac>,
        out: &mut Vec<Event>,
    ) {
        if let Some((macs, _)) = &mut self.fresh {
            if let Some(now) = now {
                macs.insert((place, mac), now);
            }
            return;
        }
        let before = match now {
            Some(now) => self.macs.insert((place, mac), now),
            None => self.macs.remove(&(place, mac)),
        };
        if before != now {
            self.tell_mac(place, mac, before, now, out);
        }
    }

    /// A neighbour on a bridge, or on a VLAN device of one, was resolved or forgotten.
    pub(super) fn neighbour(
        &mut self,
        device: u32,
        ip: IpAddr,
        now: Option<LocalNeighbour>,
        out: &mut Vec<Event>,
    ) {
        if let Some((_, neighbours)) = &mut self.fresh {
            if let Some(now) = now {
                neighbours.insert((device, ip), now);
            }
            return;
        }
        let before = match now {
            Some(now) => self.neighbours.insert((device, ip), now),
            None => self.neighbours.remove(&(device, ip)),
        };
        if before != now {
            self.tell_neighbour(device, ip, before, now, out);
        }
    }

    /// What is reported from here to [`Locals::end`] is all there is.
    pub(super) fn begin(&mut self) {
        self.fresh = Some(Default::default());
    }

    /// The reports since [`Self::begin`] are incomplete.
    pub(super) fn abandon(&mut self) {
        self.fresh = None;
    }

    /// Tells the differences between what was known and what was reported.
    pub(super) fn end(&mut self, out: &mut Vec<Event>) {
        let Some((macs, neighbours)) = self.fresh.take() else {
            return;
        };
        let gone: Vec<_> = self
            .macs
            .keys()
            .filter(|k| !macs.contains_key(k))
            .copied()
            .collect();
        for (place, mac) in gone {
            self.mac(place, mac, None, out);
        }
        for ((place, mac), now) in macs {
            self.mac(place, mac, Some(now), out);
        }
        let known = self.neighbours.keys();
        let gone: Vec<_> = known
            .filter(|k| !neighbours.contains_key(k))
            .copied()
            .collect();
        for (device, ip) in gone {
            self.neighbour(device, ip, None, out);
        }
        for ((device, ip), now) in neighbours {
            self.neighbour(device, ip, Some(now), out);
        }
    }

    /// Devices or their VLANs changed: bridges may have joined or left a VNI.
    pub(super) fn relate(&mut self, links: &Links, out: &mut Vec<Event>) {
        let now = Told::of(links);
        if now == self.told {
            return;
        }
        let before = std::mem::take(&mut self.told);
        let parted = Told {
            places: differing(&before.places, &now.places),
            devices: differing(&before.devices, &now.devices),
        };
        let joined = Told {
            places: differing(&now.places, &before.places),
            devices: differing(&now.devices, &before.devices),
        };
        self.tell_all(parted, false, out);
        self.tell_all(joined, true, out);
        self.told = now;
        self.macs
            .retain(|((bridge, _), _), _| links.get(*bridge).is_some());
        self.neighbours
            .retain(|(device, _), _| links.get(*device).is_some());
    }

    /// Tells all that was told, to somebody new.
    pub(super) fn repeat(&mut self, out: &mut Vec<Event>) {
        let told = std::mem::take(&mut self.told);
        self.told = self.tell_all(told, true, out);
    }

    /// Tells what is in these places and on these devices, or takes it back. Gives them back.
    fn tell_all(&mut self, of: Told, present: bool, out: &mut Vec<Event>) -> Told {
        let told = std::mem::replace(&mut self.told, of);
        for ((place, mac), local) in &self.macs {
            let (before, now) = if present {
                (None, Some(*local))
            } else {
                (Some(*local), None)
            };
            self.tell_mac(*place, *mac, before, now, out);
        }
        for ((device, ip), local) in &self.neighbours {
            let (before, now) = if present {
                (None, Some(*local))
            } else {
                (Some(*local), None)
            };
            self.tell_neighbour(*device, *ip, before, now, out);
        }
        std::mem::replace(&mut self.told, told)
    }

    fn tell_mac(
        &self,
        place: Place,
        mac: Mac,
        before: Option<LocalMac>,
        now: Option<LocalMac>,
        out: &mut Vec<Event>,
    ) {
        let (Some((vni, name)), Some(LocalMac { port, sticky })) =
            (self.told.places.get(&place), now.or(before))
        else {
            return;
        };
        let (vni, bridge, present) = (*vni, name.clone(), now.is_some());
        out.push(Event::LocalMac {
            vni,
            bridge,
            mac,
            port,
            present,
            sticky,
        });
    }

    fn tell_neighbour(
        &self,
        device: u32,
        ip: IpAddr,
        before: Option<LocalNeighbour>,
        now: Option<LocalNeighbour>,
        out: &mut Vec<Event>,
    ) {
        let (Some((vni, name)), Some(LocalNeighbour { mac, router })) =
            (self.told.devices.get(&device), now.or(before))
        else {
            return;
        };
        let (vni, bridge, present) = (*vni, name.clone(), now.is_some());
        out.push(Event::LocalNeighbour {
            vni,
            bridge,
            ip,
            mac,
            router,
            present,
        });
    }
}

impl Told {
    /// The places that belong to a VNI, and the devices whose neighbours are there.
    fn of(links: &Links) -> Self {
        let mut told = Self::default();
        for ((bridge, vlan), member) in links.members() {
            if let Some(link) = links.get(bridge) {
                let name = link.name.clone();
                told.places.insert((bridge, vlan), (member.vni, name));
            }
        }
        for link in links.iter() {
            let place = links.place_of_neighbours(link);
            if let Some((vni, name)) = place.and_then(|place| told.places.get(&place)) {
                told.devices.insert(link.index, (*vni, name.clone()));
            }
        }
        told
    }
}

/// What the one has and the other has not, or not so.
fn differing<K, V>(one: &HashMap<K, V>, other: &HashMap<K, V>) -> HashMap<K, V>
where
    K: Copy + Eq + std::hash::Hash,
    V: Clone + PartialEq,
{
    let differs = |(key, value): &(&K, &V)| other.get(key) != Some(*value);
    let differing = one.iter().filter(differs);
    differing
        .map(|(key, value)| (*key, value.clone()))
        .collect()
}
