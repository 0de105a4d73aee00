//! MAC addresses and neighbours that this host itself learned on bridges.
//!
//! Kept for every bridge, told for those that have a VXLAN port: a bridge becomes part of a VNI
//! before, after, or while its hosts are learned, and the owner hears the same in the end.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::event::Event;
use crate::links::Links;
use crate::state::{Device, Mac};

type Macs = HashMap<(u32, Mac), LocalMac>;
type Neighbours = HashMap<(u32, IpAddr), LocalNeighbour>;

/// What was learned.
#[derive(Default)]
pub(super) struct Locals {
    macs: Macs,
    neighbours: Neighbours,
    /// Bridges whose content was told, with VNI and name as told.
    told: HashMap<u32, (u32, Device)>,
    /// Filled while everything is read again.
    fresh: Option<(Macs, Neighbours)>,
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
        bridge: u32,
        mac: Mac,
        now: Option<LocalMac>,
        out: &mut Vec<Event>,
    ) {
        if let Some((macs, _)) = &mut self.fresh {
            if let Some(now) = now {
                macs.insert((bridge, mac), now);
            }
            return;
        }
        let before = match now {
            Some(now) => self.macs.insert((bridge, mac), now),
            None => self.macs.remove(&(bridge, mac)),
        };
        if before != now {
            self.tell_mac(bridge, mac, before, now, out);
        }
    }

    /// A neighbour on a bridge was resolved or forgotten.
    pub(super) fn neighbour(
        &mut self,
        bridge: u32,
        ip: IpAddr,
        now: Option<LocalNeighbour>,
        out: &mut Vec<Event>,
    ) {
        if let Some((_, neighbours)) = &mut self.fresh {
            if let Some(now) = now {
                neighbours.insert((bridge, ip), now);
            }
            return;
        }
        let before = match now {
            Some(now) => self.neighbours.insert((bridge, ip), now),
            None => self.neighbours.remove(&(bridge, ip)),
        };
        if before != now {
            self.tell_neighbour(bridge, ip, before, now, out);
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
        for (bridge, mac) in gone {
            self.mac(bridge, mac, None, out);
        }
        for ((bridge, mac), now) in macs {
            self.mac(bridge, mac, Some(now), out);
        }
        let known = self.neighbours.keys();
        let gone: Vec<_> = known
            .filter(|k| !neighbours.contains_key(k))
            .copied()
            .collect();
        for (bridge, ip) in gone {
            self.neighbour(bridge, ip, None, out);
        }
        for ((bridge, ip), now) in neighbours {
            self.neighbour(bridge, ip, Some(now), out);
        }
    }

    /// Devices changed: bridges may have joined or left a VNI.
    pub(super) fn relate(&mut self, links: &Links, out: &mut Vec<Event>) {
        let mut now = HashMap::new();
        for link in links.iter() {
            if let Some((vni, _)) = links.vni_of_bridge(link.index) {
                now.insert(link.index, (vni, link.name.clone()));
            }
        }
        if now == self.told {
            return;
        }
        let bridges: BTreeSet<u32> = self.told.keys().chain(now.keys()).copied().collect();
        for bridge in bridges {
            if self.told.get(&bridge) == now.get(&bridge) {
                continue;
            }
            self.tell_all(bridge, false, out);
            match now.get(&bridge) {
                Some(name) => self.told.insert(bridge, name.clone()),
                None => self.told.remove(&bridge),
            };
            self.tell_all(bridge, true, out);
        }
        self.macs
            .retain(|(bridge, _), _| links.get(*bridge).is_some());
        self.neighbours
            .retain(|(bridge, _), _| links.get(*bridge).is_some());
    }

    /// Tells all that was told, to somebody new.
    pub(super) fn repeat(&self, out: &mut Vec<Event>) {
        for bridge in self.told.keys() {
            self.tell_all(*bridge, true, out);
        }
    }

    fn tell_all(&self, bridge: u32, present: bool, out: &mut Vec<Event>) {
        for ((_, mac), local) in self.macs.iter().filter(|((owner, _), _)| *owner == bridge) {
            let (before, now) = if present {
                (None, Some(*local))
            } else {
                (Some(*local), None)
            };
            self.tell_mac(bridge, *mac, before, now, out);
        }
        for ((_, ip), local) in self
            .neighbours
            .iter()
            .filter(|((owner, _), _)| *owner == bridge)
        {
            let (before, now) = if present {
                (None, Some(*local))
            } else {
                (Some(*local), None)
            };
            self.tell_neighbour(bridge, *ip, before, now, out);
        }
    }

    fn tell_mac(
        &self,
        bridge: u32,
        mac: Mac,
        before: Option<LocalMac>,
        now: Option<LocalMac>,
        out: &mut Vec<Event>,
    ) {
        let (Some((vni, name)), Some(LocalMac { port, sticky })) =
            (self.told.get(&bridge), now.or(before))
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
        bridge: u32,
        ip: IpAddr,
        before: Option<LocalNeighbour>,
        now: Option<LocalNeighbour>,
        out: &mut Vec<Event>,
    ) {
        let (Some((vni, name)), Some(LocalNeighbour { mac, router })) =
            (self.told.get(&bridge), now.or(before))
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
