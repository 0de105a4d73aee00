//! Static layer 2 entries of somebody else's where ours would go.
//!
//! An operator's `bridge fdb` or `ip neigh` entry may be there for a reason that we do not know, a
//! virtual machine that is just being moved for one. It is never changed nor removed. Writing ours
//! would change it, since the kernel has one place for both; so the wish waits, and is told as
//! refused together with the command that makes room.
//!
//! Kept for devices that wishes name, refreshed by every complete read. What is told to whom, and
//! when a wish is tried again, is the table's business.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::state::{Device, FdbKey, Mac, NeighbourKey};

/// A place that somebody else's entry may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A MAC address on a VXLAN device.
    Tunnel(FdbKey),
    /// A MAC address on a bridge, with the VXLAN device as port.
    Bridge(FdbKey),
    /// A neighbour.
    Neighbour(NeighbourKey),
}

/// What somebody else's entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theirs {
    /// The MAC address is behind this endpoint, or behind a group of them.
    Remote(Option<IpAddr>),
    /// The MAC address is behind the VXLAN device.
    Port,
    /// The neighbour has this MAC address.
    Lladdr(Mac),
}

/// All of them.
#[derive(Default)]
pub(super) struct Occupied {
    places: HashMap<Place, Theirs>,
    /// Filled while everything is read.
    fresh: Option<HashMap<Place, Theirs>>,
}

impl Occupied {
    /// This place is theirs, or is not. Returns whether that is news.
    pub(super) fn observe(&mut self, place: &Place, theirs: Option<Theirs>) -> bool {
        let reading = self.fresh.is_some();
        let places = self.fresh.as_mut().unwrap_or(&mut self.places);
        let before = match theirs {
            Some(theirs) => places.insert(place.clone(), theirs),
            None if places.is_empty() => None,
            None => places.remove(place),
        };
        !reading && before != theirs
    }

    /// What is reported from here to [`Occupied::end`] is all there is.
    pub(super) fn begin(&mut self) {
        self.fresh = Some(HashMap::new());
    }

    /// The reports since [`Occupied::begin`] are incomplete.
    pub(super) fn abandon(&mut self) {
        self.fresh = None;
    }

    /// Returns the places of which there is news.
    pub(super) fn end(&mut self) -> Vec<Place> {
        let Some(fresh) = self.fresh.take() else {
            return Vec::new();
        };
        let before = std::mem::replace(&mut self.places, fresh);
        let places = before.keys().chain(self.places.keys());
        let news = places.filter(|place| before.get(place) != self.places.get(place));
        news.cloned().collect()
    }

    /// Forgets places of a device. Returns them.
    pub(super) fn forget(&mut self, device: &Device, of: impl Fn(&Place) -> bool) -> Vec<Place> {
        let gone: Vec<Place> = self
            .places
            .keys()
            .filter(|place| place.device() == device && of(place))
            .cloned()
            .collect();
        for place in &gone {
            self.places.remove(place);
        }
        gone
    }

    /// Why a MAC address cannot be written.
    pub(super) fn fdb(&self, key: &FdbKey) -> Option<String> {
        if self.places.is_empty() {
            return None;
        }
        self.obstacle(&Place::Tunnel(key.clone()))
            .or_else(|| self.obstacle(&Place::Bridge(key.clone())))
    }

    /// Why a neighbour cannot be written.
    pub(super) fn neighbour(&self, key: &NeighbourKey) -> Option<String> {
        if self.places.is_empty() {
            return None;
        }
        self.obstacle(&Place::Neighbour(key.clone()))
    }

    fn obstacle(&self, place: &Place) -> Option<String> {
        let theirs = self.places.get(place)?;
        let says = match theirs {
            Theirs::Remote(Some(vtep)) => format!(" (dst {vtep})"),
            Theirs::Lladdr(mac) => format!(" (lladdr {mac})"),
            Theirs::Remote(None) | Theirs::Port => String::new(),
        };
        let command = match place {
            // Without an endpoint the whole entry goes.
            Place::Tunnel(FdbKey {
                device,
                mac,
                segment,
            }) => {
                let vni = segment.map_or_else(String::new, |it| format!(" src_vni {}", it.vni));
                format!("bridge fdb del {mac} dev {device}{vni} self")
            }
            Place::Bridge(FdbKey {
                device,
                mac,
                segment,
            }) => {
                let vlan = segment.map_or_else(String::new, |it| format!(" vlan {}", it.vlan));
                format!("bridge fdb del {mac} dev {device}{vlan} master")
            }
            Place::Neighbour(NeighbourKey { device, ip }) => {
                format!("ip neigh del {ip} dev {device}")
            }
        };
        Some(format!(
            "somebody's static entry{says} is in its place; `{command}` removes it"
        ))
    }
}

impl Place {
    pub(super) fn device(&self) -> &Device {
        match self {
            Self::Tunnel(key) | Self::Bridge(key) => &key.device,
            Self::Neighbour(key) => &key.device,
        }
    }
}
