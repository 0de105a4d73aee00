//! The underlay: how the sites reach each other, and how a path is cut without anybody being told.
//!
//! The wide area is a namespace with a bridge. A path is cut there, behind the far end of the
//! site's cable: the site's link stays up and packets vanish, which is what BFD is for.

use std::net::Ipv4Addr;

use super::wireguard::{self, Maker, Mesh, Shape};
use super::{Error, Lab, Namespace};

/// The kinds of underlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Underlay {
    /// WireGuard tunnels over one shared network; sites at 10.10.0.N, MTU 1420.
    WireGuard,
    /// The same with the kernel's own WireGuard.
    KernelWireGuard,
    /// One shared segment, sites at 10.10.0.N/24, MTU 1500.
    Lan,
    /// A link for each pair of sites, 10.0.XY.0/24; tunnel ends are loopback addresses 10.10.0.N.
    Mesh,
}

/// One site's way to one other site.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// The other site.
    pub peer: u8,
    /// The interface on this side.
    pub device: String,
    /// This side's address.
    pub local: Ipv4Addr,
    /// The other side's address, the BGP neighbor.
    pub remote: Ipv4Addr,
}

/// A built underlay.
#[derive(Debug)]
pub struct Fabric {
    kind: Underlay,
    wan: Namespace,
    sites: Vec<u8>,
    links: Vec<(u8, Link)>,
    cuts: Vec<(u8, u8)>,
    tunnels: Option<Mesh>,
}

impl Fabric {
    /// Connects the sites. `one_interface` says which may have one tunnel interface for all peers.
    pub(super) fn build(
        lab: &Lab,
        kind: Underlay,
        sites: &[(u8, Namespace, bool)],
    ) -> Result<Self, Error> {
        let wan = lab.namespace("wan")?;
        let mut fabric = Self {
            kind,
            wan,
            sites: sites.iter().map(|(id, ..)| *id).collect(),
            links: Vec::new(),
            cuts: Vec::new(),
            tunnels: None,
        };
        match kind {
            Underlay::Mesh => fabric.mesh(sites)?,
            Underlay::Lan => fabric.segment(sites, tunnel_address)?,
            Underlay::WireGuard | Underlay::KernelWireGuard => {
                fabric.segment(sites, wan_address)?;
                fabric.links.clear();
                fabric.tunnels(lab, sites)?;
            }
        }
        Ok(fabric)
    }

    /// Silently loses every packet between two sites, on the path between these two.
    pub fn cut(&mut self, a: u8, b: u8) -> Result<(), Error> {
        self.cuts.push((a.min(b), a.max(b)));
        self.apply_cuts()
    }

    /// Repairs every path.
    pub fn heal(&mut self) -> Result<(), Error> {
        self.cuts.clear();
        self.apply_cuts()
    }

    /// What fits into one packet of the underlay.
    pub fn mtu(&self) -> u16 {
        match self.kind {
            Underlay::WireGuard | Underlay::KernelWireGuard => wireguard::MTU,
            Underlay::Lan | Underlay::Mesh => 1500,
        }
    }

    /// The ways of one site.
    pub fn links(&self, site: u8) -> Vec<Link> {
        self.links
            .iter()
            .filter(|(id, _)| *id == site)
            .map(|(_, link)| link.clone())
            .collect()
    }

    fn tunnels(&mut self, lab: &Lab, sites: &[(u8, Namespace, bool)]) -> Result<(), Error> {
        let shaped: Vec<(u8, Namespace, Shape)> = sites
            .iter()
            .map(|(id, space, one)| {
                (
                    *id,
                    space.clone(),
                    if *one { Shape::Shared } else { Shape::PerPeer },
                )
            })
            .collect();
        let maker = match self.kind {
            Underlay::KernelWireGuard => Maker::Kernel,
            Underlay::WireGuard | Underlay::Lan | Underlay::Mesh => Maker::Program,
        };
        let mesh = wireguard::mesh(lab, maker, &shaped)?;
        self.links = mesh.links.clone();
        self.tunnels = Some(mesh);
        Ok(())
    }

    /// Ends WireGuard at a site: its interfaces are gone.
    pub fn end_tunnels(&mut self, site: u8) -> Result<(), Error> {
        self.tunnels.as_mut().map_or(Ok(()), |it| it.end(site))
    }

    /// Makes a site's interfaces anew, with what an operator's files say and no more.
    pub fn begin_tunnels(&mut self, lab: &Lab, site: u8) -> Result<(), Error> {
        self.tunnels
            .as_mut()
            .map_or(Ok(()), |it| it.begin(lab, site))
    }

    /// One bridge, one port `pN` for each site.
    fn segment(
        &mut self,
        sites: &[(u8, Namespace, bool)],
        address: fn(u8) -> Ipv4Addr,
    ) -> Result<(), Error> {
        self.wan
            .ip("link add br0 type bridge stp_state 0 mcast_snooping 0")?;
        self.wan.ip("link set br0 up")?;
        for (id, space, _) in sites {
            cable(space, "eth0", &self.wan, &format!("p{id}"), "br0")?;
            space.ip(&format!("addr add {}/24 dev eth0", address(*id)))?;
            for (peer, ..) in sites.iter().filter(|(peer, ..)| peer != id) {
                let device = "eth0".to_owned();
                let link = Link {
                    peer: *peer,
                    device,
                    local: address(*id),
                    remote: address(*peer),
                };
                self.links.push((*id, link));
            }
        }
        Ok(())
    }

    /// A bridge `brXY` for each pair, with the ports `pXY` at site X and `pYX` at site Y.
    fn mesh(&mut self, sites: &[(u8, Namespace, bool)]) -> Result<(), Error> {
        for (a, _, _) in sites {
            for (b, _, _) in sites.iter().filter(|(b, ..)| a < b) {
                let bridge = format!("br{a}{b}");
                self.wan
                    .ip(&format!("link add {bridge} type bridge stp_state 0"))?;
                self.wan.ip(&format!("link set {bridge} up"))?;
            }
        }
        for (a, space, _) in sites {
            space.ip(&format!("addr add {}/32 dev lo", tunnel_address(*a)))?;
            for (b, ..) in sites.iter().filter(|(b, ..)| a != b) {
                let device = format!("eth-{}", letter(*b));
                let bridge = format!("br{}{}", a.min(b), a.max(b));
                cable(space, &device, &self.wan, &format!("p{a}{b}"), &bridge)?;
                let net = 10 * a.min(b) + a.max(b);
                let (local, remote) =
                    (Ipv4Addr::new(10, 0, net, *a), Ipv4Addr::new(10, 0, net, *b));
                space.ip(&format!("addr add {local}/24 dev {device}"))?;
                self.links.push((
                    *a,
                    Link {
                        peer: *b,
                        device,
                        local,
                        remote,
                    },
                ));
            }
        }
        Ok(())
    }

    /// A bridge does not tell a port's other end what it does with its packets, so everything here
    /// is silent. On the shared segment two isolated ports cannot reach each other but everybody
    /// else; that covers one pair. Two cuts at one site are that site off the bridge.
    fn apply_cuts(&self) -> Result<(), Error> {
        if self.kind == Underlay::Mesh {
            for (a, b) in pairs(&self.sites) {
                let joined = match self.cuts.contains(&(a, b)) {
                    true => "nomaster".to_owned(),
                    false => format!("master br{a}{b}"),
                };
                self.wan.ip(&format!("link set p{a}{b} {joined}"))?;
            }
            return Ok(());
        }
        for site in &self.sites {
            let count = self
                .cuts
                .iter()
                .filter(|(a, b)| a == site || b == site)
                .count();
            if count > 1 {
                self.wan.ip(&format!("link set p{site} nomaster"))?;
                continue;
            }
            self.wan.ip(&format!("link set p{site} master br0"))?;
            let off_bridge =
                |s: &u8| self.cuts.iter().filter(|(a, b)| a == s || b == s).count() > 1;
            let pair = self.cuts.iter().find(|(a, b)| a == site || b == site);
            let alone = pair.is_some_and(|(a, b)| !off_bridge(a) && !off_bridge(b));
            let word = if alone { "on" } else { "off" };
            self.wan.ip(&format!(
                "link set p{site} type bridge_slave isolated {word}"
            ))?;
        }
        Ok(())
    }
}

/// 10.10.0.N: the address of site N in the tunnels, and its VXLAN tunnel end.
pub(super) fn tunnel_address(site: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 10, 0, site)
}

/// 198.51.100.N: the address of site N on the wide area network (RFC 5737).
pub(super) fn wan_address(site: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, site)
}

/// 1 is `a`.
pub(super) fn letter(site: u8) -> char {
    char::from(b'a'.saturating_add(site.saturating_sub(1)))
}

/// The folder of a site in the lab's state directory.
pub(super) fn folder(site: u8) -> String {
    format!("site-{}", letter(site))
}

fn pairs(sites: &[u8]) -> Vec<(u8, u8)> {
    let all = sites
        .iter()
        .flat_map(|a| sites.iter().map(move |b| (*a, *b)));
    all.filter(|(a, b)| a < b).collect()
}

/// A cable from a site to a port of a bridge.
fn cable(
    site: &Namespace,
    device: &str,
    far: &Namespace,
    port: &str,
    bridge: &str,
) -> Result<(), Error> {
    let (here, there) = (site.name(), far.name());
    let words = format!("link add {device} netns {here} type veth peer name {port} netns {there}");
    super::command::host("ip", &words.split_whitespace().collect::<Vec<_>>())?;
    far.ip(&format!("link set {port} master {bridge} up"))?;
    site.ip(&format!("link set {device} up")).map(drop)
}
