//! The three-site cloud: the topology that most scenarios use.
//!
//! ```text
//!            site A  AS 65001               site B  AS 65002
//!        ┌──────────────────────┐       ┌──────────────────────┐
//!   VM ──┤ br100 ─ vxlan        │       │        vxlan ─ br100 ├── VM
//!   VM ──┤ br200 ─ vxlan  10.10.0.1 ─ 10.10.0.2  vxlan ─ br200 ├── VM
//!        └───────────────────┬──┘       └──┬───────────────────┘
//!                            └─ 10.10.0.3 ─┘
//!                        ┌──────────────────────┐
//!                        │    site C  AS 65003  ├── VM, VM
//!                        └──────────────────────┘
//! ```
//!
//! Each site announces 10.10N.0.0/16 and 172.2N.0.0/16; sites that offer the service also announce
//! 172.20.0.53/32, which stands on their loopback.

use std::net::Ipv4Addr;

pub use super::config::SERVICE;
use super::config::{self, Neighbor, Speaker};
use super::frr::{Frr, Release};
use super::rbgpd::Rbgpd;
use super::underlay::{folder, letter, tunnel_address};
use super::{Error, Fabric, Lab, Link, Namespace, Node, Process, Underlay, Vm};

/// Which program routes a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// Ours.
    Rbgpd,
    /// FRRouting of some release.
    Frr(Release),
}

/// What to build.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    programs: Vec<Program>,
    underlay: Underlay,
    vnis: Vec<u32>,
    service: Vec<u8>,
    separate: Vec<u8>,
    graceful_restart: bool,
}

impl Plan {
    /// Sites A, B, C... with these programs, VNIs 100 and 200.
    pub fn new(underlay: Underlay, programs: impl Into<Vec<Program>>) -> Self {
        Self {
            programs: programs.into(),
            underlay,
            vnis: vec![100, 200],
            service: Vec::new(),
            separate: Vec::new(),
            graceful_restart: false,
        }
    }

    /// The overlay networks. Default: 100 and 200.
    #[must_use]
    pub fn vnis(mut self, vnis: &[u32]) -> Self {
        self.vnis = vnis.to_vec();
        self
    }

    /// The sites (1 is A) that announce [`SERVICE`]; FRR at another site prefers the first of
    /// them. Default: none.
    #[must_use]
    pub fn service(mut self, sites: &[u8]) -> Self {
        self.service = sites.to_vec();
        self
    }

    /// A site of ours with a WireGuard interface for each peer, as FRR's sites have: the routing
    /// table alone decides, so an address may move without losing what is in flight. Default: one
    /// interface for all peers, where it has one owner at a time.
    #[must_use]
    pub fn separate_tunnels(mut self, site: u8) -> Self {
        self.separate.push(site);
        self
    }

    /// FRR keeps the routes of a restarting neighbor (RFC 4724), also when BFD fails with it.
    /// Default: no.
    #[must_use]
    pub fn graceful_restart(mut self) -> Self {
        self.graceful_restart = true;
        self
    }

    /// One WireGuard interface for all peers, whose AllowedIPs the daemon keeps.
    fn shares_tunnel(&self, site: u8, program: &Program) -> bool {
        *program == Program::Rbgpd && !self.separate.contains(&site)
    }

    /// The overlay networks of this plan.
    pub fn overlay_networks(&self) -> &[u32] {
        &self.vnis
    }
}

/// One site of the cloud.
#[derive(Debug)]
pub struct Site {
    id: u8,
    space: Namespace,
    links: Vec<Link>,
    node: Node,
    speaker: Speaker,
    /// Keeps the mount namespace.
    _holder: Process,
}

impl Site {
    /// 1 is A.
    pub fn id(&self) -> u8 {
        self.id
    }

    /// `A`, `B`...
    pub fn name(&self) -> char {
        letter(self.id).to_ascii_uppercase()
    }

    /// The namespace.
    pub fn space(&self) -> &Namespace {
        &self.space
    }

    /// The routing daemon.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The routing daemon, to stop or kill it.
    pub fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    /// The ways to the other sites.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The neighbor address of another site.
    pub fn peer(&self, other: u8) -> Ipv4Addr {
        let link = self.links.iter().find(|l| l.peer == other);
        link.map_or(Ipv4Addr::UNSPECIFIED, |l| l.remote)
    }

    /// The tunnel end, 10.10.0.N.
    pub fn tunnel_end(&self) -> Ipv4Addr {
        tunnel_address(self.id)
    }

    /// An address in the site's own network, 10.10N.0.1.
    pub fn own_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 100u8.saturating_add(self.id), 0, 1)
    }

    /// The prefixes that the site announces.
    pub fn networks(&self) -> &[String] {
        &self.speaker.networks
    }

    /// Starts the daemon (again) with the site's configuration.
    pub fn start(&mut self, lab: &Lab) -> Result<(), Error> {
        self.node.start(lab, &self.speaker)
    }

    /// Starts the daemon again with its configuration file as it stands; FRR keeps none.
    pub fn start_again(&mut self, lab: &Lab) -> Result<(), Error> {
        let Node::Rbgpd(rbgpd) = &mut self.node else {
            return Err(Error::State("FRR's file is not kept".to_owned()));
        };
        let path = rbgpd.config();
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io(path.display(), e))?;
        rbgpd.start(lab, &text)
    }

    /// The daemon, if it is ours.
    pub fn rbgpd(&self) -> Result<&Rbgpd, Error> {
        match &self.node {
            Node::Rbgpd(rbgpd) => Ok(rbgpd),
            Node::Frr(_) => Err(Error::State("this site has FRR".to_owned())),
        }
    }
}

/// A built cloud. Drop it before its lab.
#[derive(Debug)]
pub struct Cloud<'lab> {
    pub(super) lab: &'lab Lab,
    pub(super) plan: Plan,
    sites: Vec<Site>,
    fabric: Fabric,
    vms: Vec<Vm>,
}

impl<'lab> Cloud<'lab> {
    /// Builds sites and underlay; no daemon runs yet.
    pub fn build(lab: &'lab Lab, plan: Plan) -> Result<Self, Error> {
        for program in &plan.programs {
            // A first download must not count as start-up time.
            if let Program::Frr(release) = program {
                release.prepare()?;
            }
        }
        let mut bases = Vec::new();
        for (id, program) in (1u8..).zip(&plan.programs) {
            let space = lab.namespace(&format!("s{id}"))?;
            let log = lab.folder(&folder(id))?.join("mounts.log");
            let (space, holder) = space.with_mounts(lab, &log)?;
            bases.push((id, program.clone(), space, holder));
        }
        let ends: Vec<(u8, Namespace, bool)> = bases
            .iter()
            .map(|(id, program, space, _)| (*id, space.clone(), plan.shares_tunnel(*id, program)))
            .collect();
        let fabric = Fabric::build(lab, plan.underlay, &ends)?;
        let mut cloud = Self {
            lab,
            plan,
            sites: Vec::new(),
            fabric,
            vms: Vec::new(),
        };
        for (id, program, space, holder) in bases {
            let site = cloud.site(id, program, space, holder)?;
            cloud.furnish(&site)?;
            cloud.sites.push(site);
        }
        Ok(cloud)
    }

    /// Starts every daemon and plugs in a machine for each site and overlay network.
    pub fn start(&mut self) -> Result<(), Error> {
        self.lab.start_clock();
        for site in &mut self.sites {
            site.start(self.lab)?;
        }
        self.plug()
    }

    /// As [`Cloud::start`], with rbgpd at every site and files in FRR's language, site A's first.
    pub fn start_files(&mut self, files: &[&str]) -> Result<(), Error> {
        self.lab.start_clock();
        for (site, file) in self.sites.iter_mut().zip(files) {
            match &mut site.node {
                Node::Rbgpd(rbgpd) => rbgpd.start_frr(self.lab, file)?,
                Node::Frr(_) => return Err(Error::State("a site has FRR".to_owned())),
            }
        }
        self.plug()
    }

    fn plug(&mut self) -> Result<(), Error> {
        for vni in self.plan.vnis.clone() {
            for site in &self.sites {
                let vm = Vm::create(self.lab, vni, site.id, self.fabric.mtu().saturating_sub(50))?;
                vm.attach(&site.space)?;
                self.vms.push(vm);
            }
        }
        Ok(())
    }

    /// All sites, A first.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// One site; 1 is A.
    pub fn at(&self, id: u8) -> Result<&Site, Error> {
        self.sites
            .iter()
            .find(|s| s.id == id)
            .ok_or_else(|| no_site(id))
    }

    /// One site, to start or stop its daemon.
    pub fn at_mut(&mut self, id: u8) -> Result<&mut Site, Error> {
        self.sites
            .iter_mut()
            .find(|s| s.id == id)
            .ok_or_else(|| no_site(id))
    }

    /// Starts one site's daemon again.
    pub fn restart(&mut self, id: u8) -> Result<(), Error> {
        let lab = self.lab;
        self.at_mut(id)?.start(lab)
    }

    /// The underlay, to cut and heal paths.
    pub fn fabric_mut(&mut self) -> &mut Fabric {
        &mut self.fabric
    }

    /// All machines.
    pub fn vms(&self) -> &[Vm] {
        &self.vms
    }

    /// The machine made for a site in an overlay network.
    pub fn vm(&self, vni: u32, number: u8) -> Result<&Vm, Error> {
        let found = self
            .vms
            .iter()
            .find(|vm| vm.vni() == vni && vm.number() == number);
        found.ok_or_else(|| Error::State(format!("no machine {number} in network {vni}")))
    }

    fn site(
        &self,
        id: u8,
        program: Program,
        space: Namespace,
        holder: Process,
    ) -> Result<Site, Error> {
        let ours = program == Program::Rbgpd;
        let shared = self.plan.shares_tunnel(id, &program);
        let tunnels = matches!(
            self.plan.underlay,
            Underlay::WireGuard | Underlay::KernelWireGuard
        );
        let links = self.fabric.links(id);
        let second = |peer: &u8| {
            self.plan.service.contains(peer) && self.plan.service.first() != Some(peer)
        };
        let neighbors = links
            .iter()
            .map(|l| Neighbor {
                site: l.peer,
                address: l.remote,
                device: (tunnels && !ours).then(|| l.device.clone()),
                second_choice: second(&l.peer) && !self.plan.service.contains(&id),
            })
            .collect();
        let mut networks = config::own_networks(id).to_vec();
        if self.plan.underlay == Underlay::Mesh {
            networks.push(format!("{}/32", tunnel_address(id)));
        }
        if self.plan.service.contains(&id) {
            networks.push(format!("{SERVICE}/32"));
        }
        let speaker = Speaker {
            site: id,
            networks,
            neighbors,
            vnis: self.plan.vnis.clone(),
            wireguard: (shared && tunnels).then(|| "wg0".to_owned()),
            graceful_restart: self.plan.graceful_restart,
        };
        let home = self.lab.folder(&folder(id))?.join("daemon");
        std::fs::create_dir_all(&home).map_err(|e| Error::io(home.display(), e))?;
        let node = match program {
            Program::Rbgpd => Node::Rbgpd(Rbgpd::new(space.clone(), home)),
            Program::Frr(release) => Node::Frr(Frr::new(release, space.clone(), home)),
        };
        Ok(Site {
            id,
            space,
            links,
            node,
            speaker,
            _holder: holder,
        })
    }

    /// Addresses that answer in the site's networks, and the bridges where the daemon makes none.
    fn furnish(&self, site: &Site) -> Result<(), Error> {
        site.space
            .ip(&format!("addr add {}/32 dev lo", site.own_address()))?;
        if self.plan.service.contains(&site.id) {
            site.space.ip(&format!("addr add {SERVICE}/32 dev lo"))?;
        }
        if site.node.is_rbgpd() {
            return Ok(());
        }
        let mtu = self.fabric.mtu().saturating_sub(50);
        for vni in &self.plan.vnis {
            overlay(site, *vni, mtu)?;
        }
        Ok(())
    }
}

/// A bridge and a VXLAN device as an operator of FRR makes them by hand.
fn overlay(site: &Site, vni: u32, mtu: u16) -> Result<(), Error> {
    let local = site.tunnel_end();
    for words in [
        format!("link add br{vni} type bridge stp_state 0 mcast_snooping 0"),
        format!("link set br{vni} mtu {mtu} addrgenmode none up"),
        format!(
            "link add vx{vni} mtu {mtu} type vxlan id {vni} local {local} dstport 4789 nolearning"
        ),
        format!("link set vx{vni} master br{vni} addrgenmode none"),
        format!("link set vx{vni} type bridge_slave neigh_suppress on learning off"),
        format!("link set vx{vni} up"),
    ] {
        site.space.ip(&words)?;
    }
    Ok(())
}

fn no_site(id: u8) -> Error {
    Error::State(format!("no site {id}"))
}
