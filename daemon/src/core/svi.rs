//! Addresses that this host has in an overlay network: those that it alone has, for `advertise_svi`, those
//! that are the gateway where no other is configured, for `advertise_gateway`, and the subnets of all of them.
//!
//! A gateway is the same at every site, address and MAC, so nobody reaches a certain hypervisor by
//! it. An address that one host alone has needs a MAC address of its own beside it. Without a gateway
//! of ours that is the bridge's (or that of its VLAN device): what stands on the device is told with
//! it. Where the device has the gateway's MAC address, the host's own address stands on a macvlan of
//! it, which others make; what stands on the device itself then is named, since a route with a MAC
//! address that every site has would lead nowhere.
//!
//! Where others set up the gateway, as with FRR, it stands on the device, or on a macvlan of it with a MAC
//! address that is at every site: both are told as the gateway's.
//!
//! The subnets say which addresses of machines others may route here ([`evpn::Input::SetSubnets`]): those
//! of the configured gateways and, as FRR's hosts have it, of the device and its macvlans. An address
//! without a subnet, like 10.0.0.1/32, says nothing.
//!
//! All of it comes from what the kernel says of devices and addresses, worked out anew when some of
//! it changed. What is told of it, and that no route of others may claim it, is EVPN's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp::{MacAddress, Prefix, Vni};
use fib::{Link, LinkKind, Links};

use super::Core;
use crate::config::VniConfig;

/// What EVPN was told.
#[derive(Debug, Default)]
pub(super) struct Svi {
    told: BTreeMap<Vni, BTreeSet<(MacAddress, IpAddr)>>,
    subnets: BTreeMap<Vni, BTreeSet<Prefix>>,
    stale: bool,
}

impl Svi {
    /// What of a device matters here may have changed.
    pub(super) fn device(&mut self, before: Option<&Link>, after: Option<&Link>) {
        let of = |link: &Link| (link.address, link.name.clone(), link.parent);
        self.stale |= before.map(of) != after.map(of);
    }

    /// Addresses or overlays changed.
    pub(super) fn addresses(&mut self) {
        self.stale = true;
    }

    pub(super) fn has(&self, vni: Vni, ip: IpAddr) -> bool {
        let told = self.told.get(&vni).into_iter().flatten();
        told.into_iter().any(|(_, own)| *own == ip)
    }
}

impl Core {
    /// Tells EVPN what has become different; false when nothing may have.
    pub(super) fn settle_svi(&mut self) -> bool {
        if !std::mem::take(&mut self.svi.stale) {
            return false;
        }
        let l3_vni = self.config.l3vni.is_some();
        let routed = |vni: &&VniConfig| l3_vni || vni.vrf.is_some();
        let routed = self.config.vnis.iter().filter(routed);
        let subnets = subnets(routed, &self.install.ground.links);
        if self.svi.subnets != subnets {
            self.svi.subnets.clone_from(&subnets);
            self.tell_evpn(evpn::Input::SetSubnets(subnets));
        }
        let found = found(&self.config.vnis, &self.install.ground.links);
        let before = std::mem::replace(&mut self.svi.told, found.clone());
        for vni in before.keys().filter(|vni| !found.contains_key(vni)) {
            let addresses = BTreeSet::new();
            self.tell_evpn(evpn::Input::SetSvi {
                vni: *vni,
                addresses,
            });
        }
        for (vni, addresses) in found {
            if before.get(&vni) != Some(&addresses) {
                self.tell_evpn(evpn::Input::SetSvi { vni, addresses });
            }
        }
        true
    }

    /// Own addresses that cannot be told, for `show evpn vni`.
    pub(super) fn svi_problem(&self, vni: &VniConfig) -> Option<String> {
        let own_gateway = is_own_gateway(vni);
        if !vni.advertise_svi && !own_gateway {
            return None;
        }
        if self.hands.kernel.is_none() {
            let key = if own_gateway {
                "advertise_gateway"
            } else {
                "advertise_svi"
            };
            return Some(format!(
                "`{key}` tells nothing: which addresses this host has is not known with `[kernel] \
                 enabled = false`; leave one of the two out"
            ));
        }
        if vni.gateway.is_empty() {
            return None;
        }
        let links = &self.install.ground.links;
        let device = links.named(&vni.bridge.as_str().into())?;
        let own = hosts_on(links, device.index).find(|ip| !is_gateway(vni, *ip))?;
        let name = &device.name;
        Some(format!(
            "{own} is not advertised: `{name}` has the gateway's MAC address, which is at every site; put \
             it on a device with one of its own: `ip link add link {name} name {name}-own type macvlan \
             mode bridge`, `ip address add {own}/.. dev {name}-own`"
        ))
    }
}

/// The addresses of this host alone in each overlay network that tells them, with their MAC addresses.
fn found(vnis: &[VniConfig], links: &Links) -> BTreeMap<Vni, BTreeSet<(MacAddress, IpAddr)>> {
    let mut found: BTreeMap<Vni, BTreeSet<_>> = BTreeMap::new();
    let wanted = |vni: &&VniConfig| vni.advertise_svi || is_own_gateway(vni);
    let mut wanted = vnis.iter().filter(wanted).peekable();
    if wanted.peek().is_none() {
        return found;
    }
    let mut macvlans = macvlans(links);
    for vni in wanted {
        let Some(device) = links.named(&vni.bridge.as_str().into()) else {
            continue;
        };
        let index = device.index;
        let device = vni.gateway.is_empty().then_some(device);
        let beside = match device.is_none() || is_own_gateway(vni) {
            true => macvlans.remove(&index).unwrap_or_default(),
            false => Vec::new(),
        };
        let devices = device.into_iter().chain(beside);
        for link in devices {
            let Some(mac) = link.address else { continue };
            for ip in hosts_on(links, link.index).filter(|ip| !is_gateway(vni, *ip)) {
                let own = found.entry(vni.id).or_default();
                own.insert((MacAddress(mac.0), ip));
            }
        }
    }
    found
}

/// The subnets of overlay networks here, those of links alone left out.
fn subnets<'a>(
    vnis: impl Iterator<Item = &'a VniConfig>,
    links: &Links,
) -> BTreeMap<Vni, BTreeSet<Prefix>> {
    let mut found: BTreeMap<Vni, BTreeSet<Prefix>> = BTreeMap::new();
    let mut vnis = vnis.peekable();
    if vnis.peek().is_none() {
        return found;
    }
    let macvlans = macvlans(links);
    for vni in vnis {
        let configured = vni.gateway.iter().map(|gateway| Prefix::from(*gateway));
        let device = links.named(&vni.bridge.as_str().into());
        let own = device.and_then(|device| macvlans.get(&device.index));
        let devices = device.into_iter().chain(own.into_iter().flatten().copied());
        let addresses = devices.flat_map(|link| links.addresses(link.index));
        let there = addresses.filter_map(|it| match it.peer {
            Some(peer) => Prefix::new(peer, it.address.prefix()),
            None => Some(Prefix::from(it.address)),
        });
        let all = configured.chain(there);
        let is_subnet = |it: &Prefix| !link_local(it.addr()) && *it != Prefix::host(it.addr());
        let all: BTreeSet<Prefix> = all.filter(is_subnet).collect();
        if !all.is_empty() {
            found.insert(vni.id, all);
        }
    }
    found
}

/// By the device that they stand on.
fn macvlans(links: &Links) -> BTreeMap<u32, Vec<&Link>> {
    let mut macvlans: BTreeMap<u32, Vec<&Link>> = BTreeMap::new();
    for link in links.iter().filter(|link| is_macvlan(link)) {
        let parent = link.parent.unwrap_or_default();
        macvlans.entry(parent).or_default().push(link);
    }
    macvlans
}

fn is_macvlan(link: &Link) -> bool {
    matches!(&link.kind, LinkKind::Other(kind) if kind == "macvlan")
}

/// The gateway is what this host has itself in the network.
fn is_own_gateway(vni: &VniConfig) -> bool {
    vni.advertise_gateway && vni.gateway.is_empty()
}

fn is_gateway(vni: &VniConfig, ip: IpAddr) -> bool {
    vni.gateway.iter().any(|gateway| gateway.ip() == ip)
}

/// Addresses in use on a device that mean it beyond its own link.
fn hosts_on(links: &Links, index: u32) -> impl Iterator<Item = IpAddr> {
    let addresses = links.addresses(index).filter(|it| it.usable);
    addresses
        .map(|it| it.address.ip())
        .filter(|ip| !link_local(*ip))
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const HEAD: &str = "asn = 65001\nrouter_id = \"10.0.0.1\"\nevpn.vtep = \"10.0.0.1\"\n[[vni]]\nid = 100\n\
                        name = \"production\"\nadvertise_svi = true\n";

    fn vnis(more: &str) -> Vec<VniConfig> {
        let config = config::parse(&format!("{HEAD}{more}"), "rbgpd.toml");
        config.unwrap().vnis
    }

    fn device(links: &mut Links, link: Link, mac: u8, addresses: &[&str]) {
        let index = link.index;
        links.insert(Link {
            address: Some(fib::Mac([2, 0, 0, 0, 0, mac])),
            ..link
        });
        for address in addresses {
            links.insert_address(fib::Address {
                index,
                address: address.parse().unwrap(),
                peer: None,
                protocol: 0,
                usable: true,
                duplicate: false,
            });
        }
    }

    fn macvlan(index: u32, parent: u32) -> Link {
        Link {
            kind: LinkKind::Other("macvlan".to_owned()),
            parent: Some(parent),
            ..Link::new(index, &format!("own{index}"))
        }
    }

    fn shown(vnis: &[VniConfig], links: &Links) -> Vec<String> {
        let found = found(vnis, links).into_iter();
        let lines = found.flat_map(|(vni, own)| {
            own.into_iter()
                .map(move |(mac, ip)| format!("{vni} {mac} {ip}"))
        });
        lines.collect()
    }

    #[test]
    fn without_a_gateway_what_stands_on_the_bridge_is_told_with_its_mac_address() {
        let mut links = Links::default();
        let addresses = ["10.100.0.11/24", "fe80::1/64", "2001:db8::11/64"];
        device(&mut links, Link::new(3, "br100"), 1, &addresses);
        // FRR's way of an anycast gateway, which is at every site.
        device(&mut links, macvlan(4, 3), 2, &["10.100.0.1/24"]);
        assert_eq!(
            shown(&vnis(""), &links),
            [
                "100 02:00:00:00:00:01 10.100.0.11",
                "100 02:00:00:00:00:01 2001:db8::11"
            ]
        );
    }

    #[test]
    fn where_the_host_has_the_gateway_its_macvlans_are_told_too() {
        let mut links = Links::default();
        device(&mut links, Link::new(3, "br100"), 1, &["10.100.0.11/24"]);
        device(
            &mut links,
            macvlan(4, 3),
            2,
            &["10.100.0.1/24", "fe80::1/64"],
        );
        device(&mut links, macvlan(5, 9), 3, &["10.9.0.1/24"]);
        let both = [
            "100 02:00:00:00:00:01 10.100.0.11",
            "100 02:00:00:00:00:02 10.100.0.1",
        ];
        let alone = HEAD.replace("advertise_svi", "advertise_gateway");
        let alone = config::parse(&alone, "rbgpd.toml").unwrap().vnis;
        assert_eq!(shown(&alone, &links), both);
        assert_eq!(shown(&vnis("advertise_gateway = true\n"), &links), both);
        assert_eq!(shown(&vnis(""), &links), both[..1]);
    }

    #[test]
    fn beside_a_gateway_only_what_has_a_mac_address_of_its_own_is_told() {
        let gateway = vnis("gateway = [\"10.100.0.1/24\"]\n");
        let mut links = Links::default();
        let addresses = ["10.100.0.1/24", "10.100.0.12/24"];
        device(&mut links, Link::new(3, "br100"), 1, &addresses);
        assert!(shown(&gateway, &links).is_empty());
        device(&mut links, macvlan(4, 3), 2, &["10.100.0.11/24"]);
        device(&mut links, macvlan(5, 9), 3, &["10.9.0.11/24"]);
        assert_eq!(
            shown(&gateway, &links),
            ["100 02:00:00:00:00:02 10.100.0.11"]
        );
        let silent = vnis("gateway = [\"10.100.0.1/24\"]\n");
        let silent: Vec<VniConfig> = silent
            .into_iter()
            .map(|vni| VniConfig {
                advertise_svi: false,
                ..vni
            })
            .collect();
        assert!(shown(&silent, &links).is_empty());
    }

    #[test]
    fn subnets_are_those_of_gateways_of_the_device_and_of_its_macvlans() {
        let mut links = Links::default();
        let addresses = [
            "10.100.0.1/24",
            "fe80::1/64",
            "10.7.0.1/32",
            "2001:db8::1/64",
        ];
        device(&mut links, Link::new(3, "br100"), 1, &addresses);
        device(&mut links, macvlan(4, 3), 2, &["10.101.0.11/24"]);
        device(&mut links, macvlan(5, 9), 3, &["10.9.0.11/24"]);
        let shown = |more: &str| -> Vec<String> {
            let found = subnets(vnis(more).iter(), &links);
            let all = found.into_values().flatten();
            all.map(|subnet| subnet.to_string()).collect()
        };
        let there = ["10.100.0.0/24", "10.101.0.0/24", "2001:db8::/64"];
        assert_eq!(shown(""), there);
        assert_eq!(shown("gateway = [\"10.100.0.1/24\"]\n"), there);
        let more = shown("gateway = [\"10.99.0.1/24\", \"169.254.1.1/32\"]\n");
        assert_eq!(more, [&["10.99.0.0/24"], &there[..]].concat());
        assert!(subnets(vnis("").iter(), &Links::default()).is_empty());
    }
}
