//! Overlay networks for `network ...`: how each stands, and what only a core knows of one that is to
//! be made or taken away.

use fib::{Device, LinkKind};
use ipnetwork::IpNetwork;

use super::*;
use crate::config::VniConfig;

/// What speaks for or against making or taking away an overlay network.
#[derive(Debug)]
pub(crate) struct NetworkFacts {
    /// Ports of the bridge beside the VXLAN device.
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
        let devices = [network.bridge.as_str(), network.vxlan.as_str()];
        let [bridge, vxlan] = devices.map(Device::from);
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
            ports: self.ports_of(&bridge, &vxlan),
            addresses: addresses.collect(),
            announcers: self.evpn.announcers(network.id),
        }
    }

    fn ports_of(&self, bridge: &Device, vxlan: &Device) -> Vec<String> {
        let links = &self.install.ground.links;
        let Some(bridge) = links.named(bridge) else {
            return Vec::new();
        };
        let ports = links
            .iter()
            .filter(|link| link.master == Some(bridge.index) && link.name != *vxlan);
        ports.map(|link| link.name.to_string()).collect()
    }

    pub(super) fn networks(&self) -> reply::Networks {
        let statuses = self.evpn_vnis().vnis.into_iter();
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
                ports: self.ports_of(&bridge.as_str().into(), &vxlan.as_str().into()),
                bridge: bridge.clone(),
                vxlan: vxlan.clone(),
                local_macs: status.local_macs,
                remote_macs: status.remote_macs,
                sites: status.remote_vteps,
                ready: written.then(|| self.installed.contains(&self.rib, &key)),
                problems: status.problems,
            })
        });
        reply::Networks {
            networks: networks.collect(),
        }
    }
}
