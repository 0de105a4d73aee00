//! One VXLAN device for all VNIs (`single_device`), beside sites with a device for each.
//!
//! ```text
//!   edge 1: single device      edge 2: a device each       edge 3: single device, other VLANs
//!   br-evpn, VLAN 10 ─────────── br5010 ─────────────────── br-evpn, VLAN 110
//!   br-evpn, VLAN 20 ─────────── br5020 ─────────────────── br-evpn, VLAN 120
//!   a host in each at each edge: 10.50.0.1N, 10.60.0.1N
//! ```
//!
//! The same beside FRR: 8.4 with a device each, 10.3 with a single one of its own.
//!
//! VLANs are a site's own: what two sites agree on is the VNI. Hosts of one VNI reach each other with
//! full packets and those of the other not at all, since nobody routes.

#![allow(missing_docs)]

use std::net::IpAddr;

use conformance::lab::edge::{Lane, tunnel_end};
use conformance::lab::{
    Edge, Error, Host, Lab, PATIENCE, Program, Release, Requirement, bridging_frr, kernel,
    overlay_head_with, scenario_beside_others,
};

const NEEDS: [Requirement; 5] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::HostFrr,
    Requirement::Rbgpd,
    Requirement::VlanFiltering,
];

const VNIS: [u32; 2] = [5010, 5020];

/// What an edge has for its VNIs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Devices {
    /// One for all; the VLAN of a VNI is this more than its last two digits.
    Single(u16),
    /// One each.
    Each,
}

impl Devices {
    fn vlan(self, vni: u32) -> u16 {
        let last = u16::try_from(vni % 100).unwrap_or(0);
        match self {
            Self::Single(more) => last + more,
            Self::Each => 0,
        }
    }
}

fn rbgpd(edge: u8, edges: u8, devices: Devices) -> String {
    let single = match devices {
        Devices::Each => "",
        Devices::Single(_) => {
            "single_device = { vxlan = \"vxlan0\", bridge = \"br-evpn\", mtu = 1500 }\n"
        }
    };
    let networks: String = VNIS.iter().map(|vni| network(devices, *vni)).collect();
    overlay_head_with(edge, edges, single) + &networks
}

fn network(devices: Devices, vni: u32) -> String {
    let text = format!("[[vni]]\nid = {vni}\nname = \"net{vni}\"\nmtu = 1500\n");
    match devices {
        Devices::Each => text,
        Devices::Single(_) => text + &format!("vlan = {}\n", devices.vlan(vni)),
    }
}

/// What an operator of FRR makes beforehand.
fn devices_for_frr(edge: &Edge, devices: Devices) -> Result<(), Error> {
    let end = tunnel_end(edge.id()).into();
    match devices {
        Devices::Each => VNIS.iter().try_for_each(|vni| edge.overlay(*vni, end, "")),
        Devices::Single(_) => {
            let lane = |vni| Lane {
                vni,
                vlan: devices.vlan(vni),
            };
            edge.single_overlay(end, &VNIS.map(lane))
        }
    }
}

/// A host, and where it is.
struct Placed {
    host: Host,
    edge: u8,
    vni: u32,
}

impl Placed {
    fn plug(lab: &Lab, edge: &Edge, devices: Devices, vni: u32) -> Result<Self, Error> {
        let network = vni % 1000;
        let address = format!("10.{network}.0.{}/24", 10 + edge.id());
        let name = format!("h{vni}{}", edge.id());
        let host = match devices {
            Devices::Each => Host::plug(lab, edge, &name, &format!("br{vni}"), &[&address])?,
            Devices::Single(_) => {
                let vlan = devices.vlan(vni);
                let device = format!("br-evpn.{vlan}");
                let at = edge.space();
                lab.wait_until(&device, PATIENCE, || kernel::has_device(at, &device))?;
                let host = Host::plug(lab, edge, &name, "br-evpn", &[&address])?;
                at.run(&[
                    "bridge",
                    "vlan",
                    "del",
                    "dev",
                    &format!("p-{name}"),
                    "vid",
                    "1",
                ])?;
                let vid = vlan.to_string();
                let port = format!("p-{name}");
                at.run(&[
                    "bridge", "vlan", "add", "dev", &port, "vid", &vid, "pvid", "untagged",
                ])?;
                host
            }
        };
        let edge = edge.id();
        Ok(Self { host, edge, vni })
    }

    fn address(&self) -> Result<IpAddr, Error> {
        let first = self.host.addresses().first().copied();
        first.ok_or_else(|| Error::State(format!("a host in {} has no address", self.vni)))
    }
}

/// Whether frames to a host go to its edge, in its VNI and in no other.
fn forwarded(edge: &Edge, devices: Devices, placed: &Placed) -> Result<(), Error> {
    let (mac, end) = (placed.host.mac(), tunnel_end(placed.edge));
    let fdb = edge.space().run(&["bridge", "fdb"])?;
    let lines = fdb.lines().filter(|line| line.starts_with(mac));
    // `static` is the word of some kernels for an entry that does not age.
    let mut lines: Vec<String> = lines
        .map(|line| line.trim_end().trim_end_matches(" static").to_owned())
        .collect();
    let vni = placed.vni;
    let mut wanted = match devices {
        Devices::Each => vec![
            format!("{mac} dev vxlan{vni} dst {end} self extern_learn"),
            format!("{mac} dev vxlan{vni} extern_learn master br{vni}"),
        ],
        Devices::Single(_) => vec![
            format!("{mac} dev vxlan0 dst {end} src_vni {vni} self extern_learn"),
            format!(
                "{mac} dev vxlan0 vlan {} extern_learn master br-evpn",
                devices.vlan(vni)
            ),
        ],
    };
    // A bridge that could tell VLANs apart shows an entry again for VLAN 1.
    lines.retain(|line| devices != Devices::Each || !line.contains("vlan 1 "));
    lines.sort();
    wanted.sort();
    match lines == wanted {
        true => Ok(()),
        false => Err(Error::State(format!("{lines:#?}, but wanted {wanted:#?}"))),
    }
}

fn reaches(lab: &Lab, hosts: &[Placed]) -> Result<usize, Error> {
    let mut pairs = 0;
    for from in hosts {
        let same = |to: &&Placed| to.vni == from.vni && to.edge != from.edge;
        for to in hosts.iter().filter(same) {
            let address = to.address()?;
            let what = format!("{} at {} to {address}", from.vni, from.edge);
            lab.wait_until(&what, PATIENCE, || from.host.pings(address))?;
            pairs += 1;
        }
    }
    Ok(pairs)
}

/// The same address in the other VNI: with a route to it on the link it would be asked for there.
fn isolated(hosts: &[Placed]) -> Result<(), Error> {
    for from in hosts {
        for to in hosts.iter().filter(|to| to.vni != from.vni) {
            let address = to.address()?;
            let space = from.host.space();
            space.ip(&format!("route replace {address}/32 dev eth0"))?;
            if from.host.pings(address).is_ok() {
                let why = format!("{} at {} reaches {address}", from.vni, from.edge);
                return Err(Error::State(why));
            }
            space.ip(&format!("route del {address}/32 dev eth0"))?;
        }
    }
    Ok(())
}

fn verified(edges: &[Edge]) -> Result<(), Error> {
    for edge in edges.iter().filter(|edge| edge.node().is_rbgpd()) {
        let output = edge.node().ctl(&["verify"])?;
        if !output.ok() {
            return Err(Error::State(output.text()));
        }
    }
    Ok(())
}

fn play(lab: &Lab, sites: &[(Program, Devices)]) -> Result<(), Error> {
    let programs: Vec<Program> = sites.iter().map(|(program, _)| program.clone()).collect();
    let mut edges = Edge::build(lab, &programs)?;
    let count = u8::try_from(edges.len()).unwrap_or(u8::MAX);
    lab.start_clock();
    for (edge, (_, devices)) in edges.iter_mut().zip(sites) {
        if edge.node().is_rbgpd() {
            edge.start(lab, &rbgpd(edge.id(), count, *devices))?;
        } else {
            devices_for_frr(edge, *devices)?;
            edge.start(lab, &bridging_frr(edge.id(), count, ""))?;
        }
    }
    let mut hosts = Vec::new();
    for vni in VNIS {
        for (edge, (_, devices)) in edges.iter().zip(sites) {
            hosts.push(Placed::plug(lab, edge, *devices, vni)?);
        }
    }
    let pairs = reaches(lab, &hosts)?;
    lab.step(format!("full packets within VNIs: {pairs} ways"));
    for (edge, (program, devices)) in edges.iter().zip(sites) {
        if !matches!(program, Program::Rbgpd) {
            continue;
        }
        let id = edge.id();
        for placed in hosts.iter().filter(|placed| placed.edge != id) {
            let what = format!("edge {id}: host of {} at edge {}", placed.vni, placed.edge);
            lab.wait_until(&what, PATIENCE, || forwarded(edge, *devices, placed))?;
        }
    }
    isolated(&hosts)?;
    verified(&edges)?;
    lab.step("hosts of another VNI are out of reach, and the kernel is as wanted");
    // One VNI goes, and the other one does not notice; it comes back as it was.
    let Some((first, (_, devices))) = edges.iter_mut().zip(sites).next() else {
        return Ok(());
    };
    let refused = first.node().ctl(&["network", "delete", "5010"])?;
    let port = format!("p-h5010{}", first.id());
    if refused.code != Some(3) || !refused.text().contains(&port) {
        let why = format!("a machine is attached, and: {}", refused.text());
        return Err(Error::State(why));
    }
    let other = move |at: &Edge| -> Result<String, Error> {
        let svi = format!("br-evpn.{}", devices.vlan(5020));
        at.space().ip(&format!("-o link show {svi}"))
    };
    let (before, block) = (other(first)?, network(*devices, 5010));
    first.node().reload(|text| text.replace(&block, ""))?;
    let gone = |at: &Edge| -> Result<(), Error> {
        let said = at.space().run(&["bridge", "fdb"])?
            + &at.space().run(&["bridge", "vni"])?
            + &at.space().run(&["bridge", "vlan", "tunnelshow"])?
            + &at.space().ip("-o link")?;
        let named = said.split_whitespace().any(|word| word == "5010");
        match named || said.contains("br-evpn.10:") || said.contains("vlan 10 e") {
            true => Err(Error::State(said)),
            false => Ok(()),
        }
    };
    lab.wait_until("VNI 5010 is gone from edge 1", PATIENCE, || gone(first))?;
    first.node().reload(|text| text.to_owned() + &block)?;
    if other(first)? != before {
        let why = "VNI 5020 was made anew while 5010 came and went";
        return Err(Error::State(why.to_owned()));
    }
    let pairs = reaches(lab, &hosts)?;
    verified(&edges)?;
    lab.step(format!("VNI 5010 went and came back: {pairs} ways"));
    Ok(())
}

#[test]
fn single_devices_and_devices_each_make_the_same_networks() -> Result<(), Error> {
    scenario_beside_others("single-device", &NEEDS, |lab| {
        play(
            lab,
            &[
                (Program::Rbgpd, Devices::Single(0)),
                (Program::Rbgpd, Devices::Each),
                (Program::Rbgpd, Devices::Single(100)),
            ],
        )
    })
}

#[test]
fn a_single_device_beside_frr() -> Result<(), Error> {
    scenario_beside_others("single-device-frr", &NEEDS, |lab| {
        play(
            lab,
            &[
                (Program::Rbgpd, Devices::Single(0)),
                (Program::Frr(Release::Host), Devices::Each),
            ],
        )
    })
}

#[test]
fn a_single_device_beside_one_of_frr_10() -> Result<(), Error> {
    let frr = Release::Suite("trixie".to_owned());
    // Its tree is made by this machine: in a guest it would be gone in the end.
    frr.prepare()?;
    scenario_beside_others("single-device-frr10", &NEEDS, |lab| {
        play(
            lab,
            &[
                (Program::Rbgpd, Devices::Single(0)),
                (Program::Frr(frr.clone()), Devices::Single(100)),
            ],
        )
    })
}
