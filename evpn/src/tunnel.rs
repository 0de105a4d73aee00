//! Where frames are sent, and with which VNI.
//!
//! A VNI has its number on each router. A route carries in its label the one that its sender takes
//! frames with (RFC 8365 §5.1.1, §5.1.3: downstream-assigned), so two sites whose VNIs have
//! different numbers are one network as soon as they share a route target. [`Tunnel`] is what comes
//! of a route: the endpoint and that number.
//!
//! A router is reached through the bridge of an L3 VNI under its MAC address, and Linux keeps one
//! VNI for an address. [`Labels`] says which one where a VRF takes in routes of one endpoint that
//! carry several; those that carry another are not used.
//!
//! Not here: whose routes are taken in at all ([`crate::target`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use bgp::{EvpnKey, Vni};

use crate::path::Path;
use crate::vrf::VrfName;

/// The other end of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tunnel {
    /// Its address.
    pub vtep: IpAddr,
    /// The VNI that it takes frames with.
    pub vni: Vni,
}

impl Tunnel {
    /// The VNI if it is not `own`, ours of the same network.
    pub fn downstream(&self, own: Vni) -> Option<Vni> {
        (self.vni != own).then_some(self.vni)
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} VNI {}", self.vtep, self.vni)
    }
}

impl Path {
    /// Where frames to what a route names are bridged to, for a VNI of ours that takes it in.
    pub(crate) fn bridged(&self, key: &EvpnKey, own: Vni) -> Tunnel {
        let label = match key {
            EvpnKey::InclusiveMulticast { .. } => self.tunnel_label,
            EvpnKey::MacIp { .. }
            | EvpnKey::IpPrefix { .. }
            | EvpnKey::EthernetAd { .. }
            | EvpnKey::EthernetSegment { .. }
            | EvpnKey::Unknown { .. } => Some(self.tail.label),
        };
        self.tunnel(label, own)
    }

    /// Where packets to what a route names are routed to, for an L3 VNI of ours.
    pub(crate) fn routed(&self, key: &EvpnKey, own: Vni) -> Tunnel {
        let label = match key {
            // RFC 9135 §5.2: the first is the VNI of the bridge.
            EvpnKey::MacIp { .. } => self.tail.label2,
            EvpnKey::IpPrefix { .. }
            | EvpnKey::InclusiveMulticast { .. }
            | EvpnKey::EthernetAd { .. }
            | EvpnKey::EthernetSegment { .. }
            | EvpnKey::Unknown { .. } => Some(self.tail.label),
        };
        self.tunnel(label, own)
    }

    fn tunnel(&self, label: Option<u32>, own: Vni) -> Tunnel {
        // Zero names no VNI: whoever sends it means the one that its route target says.
        let told = label.filter(|label| *label != 0).and_then(Vni::new);
        Tunnel {
            vtep: self.vtep,
            vni: told.unwrap_or(own),
        }
    }
}

/// Routes of VRFs that carry another VNI than ours, by the endpoint that they lead to.
///
/// Ours counts before others, and of others the lowest number, whatever came first.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    of_routes: BTreeMap<(EvpnKey, VrfName), (Vni, Tunnel)>,
    by_vtep: BTreeMap<(Vni, IpAddr), BTreeMap<Vni, BTreeSet<EvpnKey>>>,
}

impl Labels {
    /// A route leads here in the L3 VNI `own`, or has no such way any more. Gives the routes whose
    /// turn may have come, or is over.
    pub(crate) fn note(
        &mut self,
        id: &(EvpnKey, VrfName),
        way: Option<(Vni, Tunnel)>,
    ) -> Vec<EvpnKey> {
        let foreign = way.filter(|(own, tunnel)| tunnel.vni != *own);
        let before = match foreign {
            Some(foreign) => self.of_routes.insert(id.clone(), foreign),
            None => self.of_routes.remove(id),
        };
        if before == foreign {
            return Vec::new();
        }
        let mut touched = Vec::new();
        if let Some((own, tunnel)) = before {
            let place = (own, tunnel.vtep);
            let lowest = self.lowest(&place);
            let labels = self.by_vtep.entry(place).or_default();
            let keys = labels.entry(tunnel.vni).or_default();
            keys.remove(&id.0);
            if keys.is_empty() {
                labels.remove(&tunnel.vni);
            }
            if labels.is_empty() {
                self.by_vtep.remove(&place);
            }
            touched.extend(self.moved(&place, lowest));
        }
        if let Some((own, tunnel)) = foreign {
            let place = (own, tunnel.vtep);
            let lowest = self.lowest(&place);
            let labels = self.by_vtep.entry(place).or_default();
            labels.entry(tunnel.vni).or_default().insert(id.0.clone());
            touched.extend(self.moved(&place, lowest));
        }
        touched
    }

    /// The VRFs for which a route is kept here.
    pub(crate) fn vrfs_of(&self, key: &EvpnKey) -> impl Iterator<Item = VrfName> {
        let of_routes = self.of_routes.range((key.clone(), VrfName::from(""))..);
        let of_route = of_routes.take_while(move |((of, _), _)| of == key);
        of_route.map(|((_, name), _)| VrfName::clone(name))
    }

    /// A VRF with this L3 VNI is gone.
    pub(crate) fn forget(&mut self, name: &VrfName, own: Vni) {
        self.of_routes.retain(|(_, of), _| of != name);
        self.by_vtep.retain(|(of, _), _| *of != own);
    }

    /// All routes to this endpoint that carry another VNI than `own`.
    pub(crate) fn of(&self, own: Vni, vtep: IpAddr) -> impl Iterator<Item = EvpnKey> {
        let labels = self.by_vtep.get(&(own, vtep));
        let keys = labels.into_iter().flat_map(BTreeMap::values).flatten();
        keys.cloned()
    }

    /// The lowest VNI other than `own` that routes to this endpoint carry.
    fn lowest(&self, place: &(Vni, IpAddr)) -> Option<Vni> {
        let labels = self.by_vtep.get(place)?;
        labels.keys().next().copied()
    }

    /// Which VNI counts instead of that of `tunnel`, if a lower one than that is carried.
    pub(crate) fn rather(&self, own: Vni, tunnel: Tunnel) -> Option<Vni> {
        let lowest = self.lowest(&(own, tunnel.vtep));
        lowest.filter(|lowest| *lowest < tunnel.vni)
    }

    /// The routes to this endpoint, if another VNI is the lowest now.
    fn moved(&self, place: &(Vni, IpAddr), before: Option<Vni>) -> Vec<EvpnKey> {
        match self.lowest(place) == before {
            true => Vec::new(),
            false => self.of(place.0, place.1).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
