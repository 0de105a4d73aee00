//! Routers at the edge of an overlay, each with hosts behind its bridges: for labs in which the
//! overlay routes.
//!
//! ```text
//!  host ── bridge ─ edge 1: rbgpd or FRR ── u ─┐
//!          10.255.0.1, fd00:255::1             │  one segment, 10.9.0.N/24 and fd09::N/64
//!  host ── bridge ─ edge 2                ── u ─┘  AS 65000 + N
//! ```
//!
//! The underlay knows the way to every tunnel end (the addresses on loopback) without BGP. Bridges,
//! VXLAN devices and VRFs are rbgpd's to make; FRR finds those that [`Edge::overlay`] and its like
//! have made, as its operators do by hand. What is in the configuration is the test's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::frr::Frr;
use super::rbgpd::Rbgpd;
use super::{Error, Lab, Namespace, Node, Program, command, kernel, wait_until};

/// How long a daemon may take to make a bridge.
const DEVICES: Duration = Duration::from_secs(30);

/// One router at the edge.
#[derive(Debug)]
pub struct Edge {
    id: u8,
    space: Namespace,
    node: Node,
}

impl Edge {
    /// Edges 1, 2, 3... with these programs and the segment between them; none runs yet.
    pub fn build(lab: &Lab, programs: &[Program]) -> Result<Vec<Self>, Error> {
        let segment = lab.namespace("segment")?;
        segment.ip("link add br0 type bridge stp_state 0 mcast_snooping 0")?;
        segment.ip("link set br0 up")?;
        let ids: Vec<u8> = (1u8..).zip(programs).map(|(id, _)| id).collect();
        let mut edges = Vec::new();
        for (id, program) in (1u8..).zip(programs) {
            if let Program::Frr(release) = program {
                release.prepare()?;
            }
            let space = lab.namespace(&format!("e{id}"))?;
            let (host, wan) = (space.name(), segment.name());
            segment.ip(&format!(
                "link add e{id} netns {wan} type veth peer name u netns {host}"
            ))?;
            segment.ip(&format!("link set e{id} master br0 up"))?;
            // Room for a full packet of a host in a tunnel over IPv6.
            segment.ip(&format!("link set e{id} mtu 1570"))?;
            space.ip("link set u mtu 1570 up")?;
            space.ip(&format!("addr add 10.9.0.{id}/24 dev u"))?;
            space.ip(&format!("addr add fd09::{id}/64 dev u nodad"))?;
            space.ip(&format!("addr add {}/32 dev lo", tunnel_end(id)))?;
            space.ip(&format!("addr add {}/128 dev lo", tunnel_end_ipv6(id)))?;
            for other in ids.iter().filter(|other| **other != id) {
                let (end, end_ipv6) = (tunnel_end(*other), tunnel_end_ipv6(*other));
                space.ip(&format!("route add {end} via 10.9.0.{other}"))?;
                space.ip(&format!("-6 route add {end_ipv6} via fd09::{other}"))?;
            }
            let folder = lab.folder(&format!("e{id}"))?;
            let node = match program {
                Program::Rbgpd => Node::Rbgpd(Rbgpd::new(space.clone(), folder)),
                Program::Frr(release) => {
                    Node::Frr(Frr::new(release.clone(), space.clone(), folder))
                }
            };
            edges.push(Self { id, space, node });
        }
        Ok(edges)
    }

    /// 1 is the first; its AS is 65000 more.
    pub fn id(&self) -> u8 {
        self.id
    }

    /// The namespace.
    pub fn space(&self) -> &Namespace {
        &self.space
    }

    /// The daemon.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The daemon, to stop or kill it.
    pub fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    /// Starts the daemon with a configuration in its own language.
    pub fn start(&mut self, lab: &Lab, config: &str) -> Result<(), Error> {
        self.node.start_with(lab, config)
    }

    /// A VRF, where the daemon makes none.
    pub fn vrf(&self, name: &str, table: u32) -> Result<(), Error> {
        self.space
            .ip(&format!("link add {name} type vrf table {table}"))?;
        self.space.ip(&format!("link set {name} up")).map(drop)
    }

    /// Bridge and VXLAN device of a VNI, where the daemon makes none, from this tunnel end;
    /// `bridge` is what else is said of the bridge (`address ..`, `master ..`).
    pub fn overlay(&self, vni: u32, local: IpAddr, bridge: &str) -> Result<(), Error> {
        for words in [
            format!("link add br{vni} type bridge stp_state 0 mcast_snooping 0"),
            format!("link set br{vni} {bridge} mtu 1500 addrgenmode none up"),
            format!("link add vx{vni} type vxlan id {vni} local {local} dstport 4789 nolearning"),
            format!("link set vx{vni} mtu 1500 master br{vni} addrgenmode none"),
            format!("link set vx{vni} type bridge_slave neigh_suppress on learning off"),
            format!("link set vx{vni} up"),
        ] {
            self.space.ip(&words)?;
        }
        Ok(())
    }

    /// One bridge `br-evpn` and one VXLAN device `vxlan0` for several VNIs, where the daemon makes
    /// none, with a VLAN device `br-evpn.VLAN` for each: as FRR's documentation has it.
    pub fn single_overlay(&self, local: IpAddr, lanes: &[Lane]) -> Result<(), Error> {
        for words in [
            "link add br-evpn type bridge vlan_filtering 1 stp_state 0 mcast_snooping 0"
                .to_owned(),
            "link set br-evpn mtu 1500 addrgenmode none up".to_owned(),
            format!(
                "link add vxlan0 type vxlan dstport 4789 local {local} nolearning external vnifilter"
            ),
            "link set vxlan0 mtu 1500 master br-evpn addrgenmode none".to_owned(),
            "link set vxlan0 type bridge_slave vlan_tunnel on neigh_suppress on learning off"
                .to_owned(),
            "link set vxlan0 up".to_owned(),
        ] {
            self.space.ip(&words)?;
        }
        let bridge = |words: &str| {
            let words: Vec<&str> = std::iter::once("bridge")
                .chain(words.split_whitespace())
                .collect();
            self.space.run(&words).map(drop)
        };
        for Lane { vni, vlan } in lanes {
            bridge(&format!("vni add vni {vni} dev vxlan0"))?;
            bridge(&format!("vlan add dev vxlan0 vid {vlan}"))?;
            bridge(&format!(
                "vlan add dev vxlan0 vid {vlan} tunnel_info id {vni}"
            ))?;
            bridge(&format!("vlan add dev br-evpn vid {vlan} self"))?;
            let device = format!("br-evpn.{vlan}");
            self.space.ip(&format!(
                "link add link br-evpn name {device} type vlan id {vlan}"
            ))?;
            self.space
                .ip(&format!("link set {device} mtu 1500 addrgenmode none up"))?;
        }
        Ok(())
    }
}

/// What [`Edge::single_overlay`] makes of each VNI.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    /// The VNI.
    pub vni: u32,
    /// Its VLAN.
    pub vlan: u16,
}

/// The IPv4 address that an edge's tunnels end at.
pub fn tunnel_end(edge: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 255, 0, edge)
}

/// The IPv6 address that an edge's tunnels end at.
pub fn tunnel_end_ipv6(edge: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0x255, 0, 0, 0, 0, 0, u16::from(edge))
}

/// A host behind a bridge of an edge.
#[derive(Debug)]
pub struct Host {
    name: String,
    space: Namespace,
    /// As they were given, with the length of the network.
    networks: Vec<String>,
    addresses: Vec<IpAddr>,
    gateways: Vec<IpAddr>,
    mac: String,
}

impl Host {
    /// A host on `eth0` with these addresses (`10.1.0.10/24`), whose gateway is the first address of
    /// each network. Waits until the edge has the bridge.
    pub fn plug(
        lab: &Lab,
        edge: &Edge,
        name: &str,
        bridge: &str,
        addresses: &[&str],
    ) -> Result<Self, Error> {
        // Made of the name's end, which tells the hosts of a lab apart.
        let octets: Vec<String> = name.bytes().map(|octet| format!("{octet:02x}")).collect();
        let [.., a, b, c] = octets.as_slice() else {
            let why = format!("`{name}` needs three octets for an address");
            return Err(Error::State(why));
        };
        let mut host = Self {
            name: name.to_owned(),
            space: lab.namespace(name)?,
            networks: addresses.iter().map(|it| (*it).to_owned()).collect(),
            addresses: Vec::new(),
            gateways: Vec::new(),
            mac: format!("02:05:00:{a}:{b}:{c}"),
        };
        for network in addresses {
            let (address, gateway) = with_gateway(network)?;
            host.addresses.push(address);
            host.gateways.push(gateway);
        }
        host.attach(edge, bridge)?;
        Ok(host)
    }

    /// Takes the host from an edge to another one, as a live migration does: it is the same host.
    pub fn migrate(&self, from: &Edge, to: &Edge, bridge: &str) -> Result<(), Error> {
        from.space().ip(&format!("link del {}", self.port()))?;
        self.attach(to, bridge)
    }

    fn attach(&self, edge: &Edge, bridge: &str) -> Result<(), Error> {
        let at = edge.space();
        wait_until(&format!("{}: {bridge}", at.name()), DEVICES, || {
            kernel::has_device(at, bridge)
        })?;
        let (host, router) = (self.space.name(), at.name());
        let (mac, port) = (&self.mac, self.port());
        let words = format!(
            "link add eth0 netns {host} address {mac} type veth peer name {port} netns {router}"
        );
        command::host("ip", &words.split_whitespace().collect::<Vec<_>>())?;
        at.ip(&format!("link set {port} master {bridge} up"))?;
        self.space.ip("link set eth0 up")?;
        for (network, gateway) in self.networks.iter().zip(&self.gateways) {
            let family = if gateway.is_ipv4() { "-4" } else { "-6" };
            self.space
                .ip(&format!("addr add {network} dev eth0 nodad"))?;
            self.space
                .ip(&format!("{family} route add default via {gateway}"))?;
        }
        Ok(())
    }

    fn port(&self) -> String {
        format!("p-{}", self.name)
    }

    /// The namespace.
    pub fn space(&self) -> &Namespace {
        &self.space
    }

    /// Its addresses, as they were given.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The gateway for each of them.
    pub fn gateways(&self) -> &[IpAddr] {
        &self.gateways
    }

    /// Its hardware address.
    pub fn mac(&self) -> &str {
        &self.mac
    }

    /// One echo request answered? The packet has 1500 octets and is not fragmented.
    pub fn pings(&self, to: IpAddr) -> Result<(), Error> {
        let header = if to.is_ipv4() { 28 } else { 48 };
        let payload = (1500 - header).to_string();
        let to = to.to_string();
        let line = [
            "ping", "-n", "-q", "-M", "do", "-c", "1", "-W", "1", "-s", &payload, &to,
        ];
        match self.space.output(&line)?.ok() {
            true => Ok(()),
            false => {
                let name = self.space.name();
                Err(Error::State(format!("{name}: no answer from {to}")))
            }
        }
    }
}

/// The address, and the first one of its network.
fn with_gateway(text: &str) -> Result<(IpAddr, IpAddr), Error> {
    let bad = || {
        Error::State(format!(
            "`{text}` is no address with the length of its network"
        ))
    };
    let (address, length) = text.split_once('/').ok_or_else(bad)?;
    let length: u32 = length.parse().map_err(|_| bad())?;
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let gateway = match address {
        IpAddr::V4(it) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(length));
            Ipv4Addr::from_bits((it.to_bits() & mask.unwrap_or(0)) | 1).into()
        }
        IpAddr::V6(it) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(length));
            Ipv6Addr::from_bits((it.to_bits() & mask.unwrap_or(0)) | 1).into()
        }
    };
    Ok((address, gateway))
}
