//! Overlay networks for `network ...`: how each stands, and what only a core knows of one that is to
//! be made or taken away.

use std::collections::{BTreeMap, BTreeSet};

use fib::{Device, LinkKind};
use ipnetwork::IpNetwork;

use super::*;
use crate::config::VniConfig;

/// What speaks for or against making or taking away an overlay network.
#[derive(Debug)]
pub(crate) struct NetworkFacts {
    /// Ports of the bridge beside the VXLAN device; on a bridge of all, ports with a machine in it.
    pub(crate) ports: Vec<String>,
    /// Addresses of this host in the same VRF, on other devices than the bridge.
    pub(crate) addresses: Vec<(String, IpNetwork)>,
    /// Sites that announce the number.
    pub(crate) announcers: Vec<evpn::Announcer>,
}

impl Core {
    /// Of an overlay network, configured or not.
    pub(in crate::core) fn network_facts(&self, network: &VniConfig) -> NetworkFacts {
        let links = &self.install.ground.links;
        let bridge = Device::from(network.bridge.as_str());
        let vrf_of = |link: &fib::Link| {
            let master = links.get(link.master?)?;
            matches!(master.kind, LinkKind::Vrf { .. }).then(|| master.name.to_string())
        };
        let addresses = links.all_addresses().filter_map(|address| {
            let link = links.get(address.index)?;
            let elsewhere = link.name != bridge && !matches!(link.kind, LinkKind::Loopback);
            let beside = vrf_of(link) == network.vrf;
            (elsewhere && beside).then(|| (link.name.to_string(), address.address))
        });
        NetworkFacts {
            ports: self.ports_of(network, &self.ports_with_machines()),
            addresses: addresses.collect(),
            announcers: self.evpn.announcers(network.id),
        }
    }

    /// Where the kernel has learned addresses of each overlay network.
    fn ports_with_machines(&self) -> BTreeMap<Vni, BTreeSet<u32>> {
        let mut ports: BTreeMap<Vni, BTreeSet<u32>> = BTreeMap::new();
        for ((vni, _), learned) in &self.learned {
            ports.entry(*vni).or_default().insert(learned.port);
        }
        ports
    }

    fn ports_of(
        &self,
        network: &VniConfig,
        with_machines: &BTreeMap<Vni, BTreeSet<u32>>,
    ) -> Vec<String> {
        let links = &self.install.ground.links;
        if network.vlan.is_some() {
            // Its own device has no ports, and those of the bridge may be of any network.
            let ports = with_machines.get(&network.id).into_iter().flatten();
            let ports = ports.filter_map(|index| links.get(*index));
            return ports.map(|link| link.name.to_string()).collect();
        }
        let vxlan = Device::from(network.vxlan.as_str());
        let Some(bridge) = links.named(&network.bridge.as_str().into()) else {
            return Vec::new();
        };
        let ports = links
            .iter()
            .filter(|link| link.master == Some(bridge.index) && link.name != vxlan);
        ports.map(|link| link.name.to_string()).collect()
    }

    pub(super) fn networks(&self) -> reply::Networks {
        let statuses = self.evpn_vnis().vnis.into_iter();
        let with_machines = self.ports_with_machines();
        let networks = statuses.filter_map(|status| {
            let config = self.config.vnis.iter();
            let config = config.clone().find(|it| it.id.get() == status.vni)?;
            let (bridge, vxlan) = (&config.bridge, &config.vxlan);
            let key = fib::Key::Overlay(status.vni);
            let written = self.hands.kernel.is_some();
            Some(reply::Network {
                instance: None,
                vni: status.vni,
                name: status.name,
                vrf: config.vrf.clone(),
                networks: config
                    .all_networks()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                gateway: status.gateway,
                ports: self.ports_of(config, &with_machines),
                bridge: bridge.clone(),
                vxlan: vxlan.clone(),
                local_macs: status.local_macs,
                remote_macs: status.remote_macs,
                sites: status.remote_vteps,
                ready: written.then(|| self.installed.contains((&self.rib, &self.evpn), &key)),
                problems: status.problems,
            })
        });
        reply::Networks {
            networks: networks.collect(),
        }
    }
}
