//! Who this router is and which VNIs, addresses and subnets it has: what a change of that touches is
//! worked out anew from all facts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use bgp::{Asn, MacAddress, Vni};

use super::Instance;
use crate::config::VniConfig;
use crate::originate::Network;
use crate::subnets::{SubnetIndex, Subnets};
use crate::target::{ImportIndex, distinguishers};

impl Instance {
    pub(super) fn set_identity(&mut self, local_as: Asn, router_id: Ipv4Addr) {
        if (self.config.local_as, self.config.router_id) == (local_as, router_id) {
            return;
        }
        (self.config.local_as, self.config.router_id) = (local_as, router_id);
        self.vrfs.export_as(local_as);
        let all = self.networks.keys().copied().collect();
        let configs = self.configs();
        self.settle_configs(configs, all);
        self.tell_all_prefixes();
    }

    pub(super) fn set_vtep(&mut self, vtep: Option<IpAddr>) {
        if self.vtep != vtep {
            self.vtep = vtep;
            let all = self.networks.keys().copied().collect();
            self.rebuild(&all);
            self.tell_all_prefixes();
        }
    }

    /// Addresses of this router alone are others than before.
    pub(super) fn set_svi(&mut self, vni: Vni, addresses: BTreeSet<(MacAddress, IpAddr)>) {
        let before = match addresses.is_empty() {
            true => self.svis.remove(&vni),
            false => self.svis.insert(vni, addresses.clone()),
        };
        let before = before.unwrap_or_default();
        let Some(network) = self.networks.get_mut(&vni) else {
            return;
        };
        network.svi.clone_from(&addresses);
        for (mac, ip) in before.difference(&addresses) {
            self.tell_mac(vni, *mac, Some(*ip), None);
        }
        self.tell_svi(vni);
        // What others say of them counts again, or no longer.
        for (mac, ip) in before.symmetric_difference(&addresses) {
            self.resolve_mac(vni, *mac);
            self.resolve_ip(vni, *ip);
        }
    }

    pub(super) fn set_subnets(&mut self, subnets: Subnets) {
        self.subnets = subnets;
        let mut touched = BTreeSet::new();
        for (vni, network) in &mut self.networks {
            let now = self.subnets.get(vni).cloned().unwrap_or_default();
            if network.subnets != now {
                network.subnets = now;
                touched.insert(*vni);
            }
        }
        if touched.is_empty() {
            return;
        }
        self.index_subnets();
        for (vni, ip) in self.facts.hosts.of(&touched) {
            self.resolve_ip(vni, ip);
        }
        self.vrfs.mark_all();
    }

    /// Subnets or tenants of VNIs are others than before.
    fn index_subnets(&mut self) {
        let networks = self.networks.iter();
        let tenants = networks.filter_map(|(vni, network)| {
            let tenant = network.tenant.as_ref()?;
            Some((tenant.vni, *vni, &network.subnets))
        });
        self.subnets_by_address = SubnetIndex::new(tenants);
    }

    /// Sets or removes VNIs.
    pub(super) fn configure(
        &mut self,
        changes: impl IntoIterator<Item = (Vni, Option<VniConfig>)>,
    ) {
        let mut configs = self.configs();
        let mut touched = BTreeSet::new();
        for (vni, config) in changes {
            let before = match config {
                Some(config) => configs.insert(vni, config),
                None => configs.remove(&vni),
            };
            if before.as_ref() != configs.get(&vni) {
                touched.insert(vni);
            }
        }
        let gone = |vni: &&Vni| !configs.contains_key(vni);
        let gone: BTreeSet<Vni> = touched.iter().filter(gone).copied().collect();
        if !touched.is_empty() {
            self.settle_configs(configs, touched);
        }
        self.duplicates.clear(|vni, _| gone.contains(&vni));
    }

    /// The VNIs as they are configured.
    pub(crate) fn configs(&self) -> BTreeMap<Vni, VniConfig> {
        let networks = self.networks.iter();
        networks
            .map(|(vni, network)| (*vni, network.config.clone()))
            .collect()
    }

    /// These are the VNIs from now on. Others than those that were `touched` are worked out anew
    /// only when an automatic distinguisher changes.
    pub(crate) fn settle_configs(
        &mut self,
        configs: BTreeMap<Vni, VniConfig>,
        mut touched: BTreeSet<Vni>,
    ) {
        let given = configs.iter().map(|(vni, config)| (*vni, config.rd));
        let given = given.chain(self.vrfs.distinguished());
        let rds = distinguishers(self.config.router_id, given);
        let imports = configs.iter().map(|(vni, it)| (*vni, it.imports(*vni)));
        self.imports = ImportIndex::new(imports);
        let mut networks = BTreeMap::new();
        for (vni, config) in configs {
            let rd = rds.get(&vni).copied().unwrap_or(Err(vni));
            match self.networks.remove(&vni) {
                Some(network) if network.rd == rd && !touched.contains(&vni) => {
                    networks.insert(vni, network);
                }
                _ => {
                    touched.insert(vni);
                    let exports = config.exports(self.config.local_as, vni);
                    let tenant = config.vrf.as_deref().and_then(|it| self.vrfs.tenant(it));
                    let mut network = Network::new(vni, config, rd, exports, tenant);
                    network.svi = self.svis.get(&vni).cloned().unwrap_or_default();
                    network.subnets = self.subnets.get(&vni).cloned().unwrap_or_default();
                    networks.insert(vni, network);
                }
            }
        }
        self.networks = networks;
        self.index_subnets();
        self.settle_vrfs(&rds);
        self.rebuild(&touched);
        // Whether a host is where its route says depends on the VNIs that import it.
        self.vrfs.mark_all();
    }

    /// Works out some VNIs from all facts, as if everything about them had just become known.
    fn rebuild(&mut self, vnis: &BTreeSet<Vni>) {
        self.told.forget(|_, (vni, _)| vnis.contains(vni));
        self.floods.forget(|(vni, _), ()| vnis.contains(vni));
        self.facts.detach_all(|vni| vnis.contains(&vni));
        for slot in self.facts.routes.slots() {
            for vni in self.importers(slot) {
                if vnis.contains(&vni) {
                    self.facts.attach(vni, slot);
                }
            }
        }
        let (macs, neighbours) = (&mut self.macs, &mut self.neighbours);
        self.facts.prune_all(
            |key, station| macs.changed(key, station.remote(), None),
            |key, host| neighbours.changed(key, host.neighbour(), None),
        );
        self.contested.retain(|(vni, _)| !vnis.contains(vni));
        self.outside.retain(|(vni, _)| !vnis.contains(vni));
        self.resolve_vnis(vnis);
        let stations = &self.facts.stations;
        self.displaced.retain(|key, _| stations.get(key).is_some());
        // Of those that nothing is known of any more, too.
        let frozen = self.duplicates.frozen().into_iter();
        self.resolve_all(frozen.filter(|(vni, _)| vnis.contains(vni)).collect());
    }
}
