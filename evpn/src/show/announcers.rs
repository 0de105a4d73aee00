//! Who announces a VNI, configured here or not: for whoever is about to configure it.
//!
//! A route is of a VNI if its label says so, or if the VNI would take it in with automatic route
//! targets. Whether it could be used there is another question ([`super::ReceivedRoute`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp::{EvpnKey, Vni};

use crate::instance::Instance;
use crate::path::Route;
use crate::target::{ImportIndex, automatic_imports};

/// What one site announces of a VNI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcer {
    /// Its tunnel address.
    pub vtep: IpAddr,
    /// It wants flooded frames.
    pub floods: bool,
    /// MAC addresses that it has, gateways left out.
    pub macs: usize,
    /// Addresses of its gateways (RFC 7432 §10.1).
    pub gateways: BTreeSet<IpAddr>,
    /// Addresses of its machines.
    pub ips: BTreeSet<IpAddr>,
}

impl Instance {
    /// The sites that announce a VNI, by tunnel address.
    pub fn announcers(&self, vni: Vni) -> Vec<Announcer> {
        let index = ImportIndex::new(std::iter::once((vni, automatic_imports(vni))));
        let is_of = |route: &Route| {
            let label = match route.key {
                EvpnKey::MacIp { .. } => Some(route.path.tail.label),
                EvpnKey::InclusiveMulticast { .. } => route.path.tunnel_label,
                EvpnKey::EthernetAd { .. }
                | EvpnKey::EthernetSegment { .. }
                | EvpnKey::IpPrefix { .. }
                | EvpnKey::Unknown { .. } => return false,
            };
            label == Some(vni.get()) || !index.importers(&route.path.targets).is_empty()
        };
        let mut sites: BTreeMap<IpAddr, (Announcer, BTreeSet<_>)> = BTreeMap::new();
        for route in self.facts.routes.iter().filter(|route| is_of(route)) {
            let vtep = route.path.vtep;
            let new = || {
                let site = Announcer {
                    vtep,
                    floods: false,
                    macs: 0,
                    gateways: BTreeSet::new(),
                    ips: BTreeSet::new(),
                };
                (site, BTreeSet::new())
            };
            let (site, macs) = sites.entry(vtep).or_insert_with(new);
            match route.key {
                EvpnKey::MacIp { ip, .. } if route.path.default_gateway => {
                    site.gateways.extend(ip)
                }
                EvpnKey::MacIp { mac, ip, .. } => {
                    macs.insert(mac);
                    site.ips.extend(ip);
                }
                EvpnKey::InclusiveMulticast { .. }
                | EvpnKey::EthernetAd { .. }
                | EvpnKey::EthernetSegment { .. }
                | EvpnKey::IpPrefix { .. }
                | EvpnKey::Unknown { .. } => site.floods = true,
            }
        }
        let counted = sites.into_values().map(|(mut site, macs)| {
            site.macs = macs.len();
            site
        });
        counted.collect()
    }
}
