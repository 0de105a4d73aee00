//! Addresses of a router itself in an overlay network: those that it alone has are reached from every
//! site (`advertise_svi`, FRR's `advertise-svi-ip`), and whoever else uses one of its addresses is
//! named.
//!
//! ```text
//!   host1 ── br100 10.100.0.1 (gateway) ── edge 1: rbgpd ═══ edge 2: rbgpd or FRR ── br100 ── host2
//!              └ own 10.100.0.251, a macvlan              10.100.0.252 on br100 itself
//! ```
//!
//! Edge 1 has the gateway, whose MAC address is at every site that has it, so its own address stands
//! on a device with another one. Edge 2 has no gateway.

#![allow(missing_docs)]

use std::net::{IpAddr, Ipv4Addr};

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::BRIDGING_FRR;
use conformance::lab::{
    Edge, Error, Host, Lab, Node, PATIENCE, Program, Release, bridging_frr, kernel, overlay_head,
    scenario_beside_others,
};
use serde_json::Value;

const VNI: u32 = 100;
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 100, 0, 1);
/// The address that edge N alone has.
const fn own(edge: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 100, 0, 250 + edge)
}

fn rbgpd(edge: u8) -> String {
    let gateway = match edge {
        1 => format!("gateway = [\"{GATEWAY}/24\"]\n"),
        _ => String::new(),
    };
    overlay_head(edge, 2)
        + &format!(
            "[[vni]]\nid = {VNI}\nname = \"net\"\nmtu = 1500\nadvertise_svi = true\n{gateway}"
        )
}

/// Two edges with their own addresses, and a host behind each.
fn build(lab: &Lab, second: Program) -> Result<(Vec<Edge>, Vec<Host>), Error> {
    let mut edges = Edge::build(lab, &[Program::Rbgpd, second])?;
    let mut hosts = Vec::new();
    for edge in &mut edges {
        let id = edge.id();
        if edge.node().is_rbgpd() {
            edge.start(lab, &rbgpd(id))?;
        } else {
            edge.overlay(VNI, tunnel_end(id).into(), "")?;
            edge.start(lab, &bridging_frr(id, 2, "  advertise-svi-ip\n"))?;
        }
        let address = format!("10.100.0.1{id}/24");
        hosts.push(Host::plug(
            lab,
            edge,
            &format!("host{id}"),
            "br100",
            &[&address],
        )?);
        let at = edge.space();
        match id {
            // What others do beside rbgpd's gateway. It answers for its own addresses alone.
            1 => {
                at.ip("link add link br100 name own type macvlan mode bridge")?;
                at.output(&["sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1"])?;
                at.ip("link set own up")?;
                at.ip(&format!("addr add {}/24 dev own", own(id)))?;
            }
            _ => drop(at.ip(&format!("addr add {}/24 dev br100", own(id)))?),
        }
    }
    lab.start_clock();
    Ok((edges, hosts))
}

/// The MAC address of the device that has an edge's own address.
fn own_mac(edge: &Edge) -> Result<String, Error> {
    let device = if edge.id() == 1 { "own" } else { "br100" };
    let shown = edge
        .space()
        .json("ip", &format!("link show dev {device}"))?;
    let mac = shown.pointer("/0/address").and_then(Value::as_str);
    mac.map(str::to_owned)
        .ok_or_else(|| Error::State(shown.to_string()))
}

/// Whether an edge's kernel has the other one's own address behind the tunnel, with its own MAC.
fn known(edge: &Edge, other: &Edge) -> Result<(), Error> {
    let (mac, ip) = (own_mac(other)?, own(other.id()));
    let macs = kernel::remote_macs(edge.space(), VNI)?;
    let neighbours = edge.space().ip("neigh show dev br100")?;
    let entry = neighbours
        .lines()
        .any(|line| line.starts_with(&format!("{ip} ")) && line.contains(&mac));
    match macs.get(&mac) == Some(&tunnel_end(other.id()).to_string()) && entry {
        true => Ok(()),
        false => Err(Error::State(format!(
            "no {ip} on {mac}: {macs:?}, {neighbours}"
        ))),
    }
}

/// Whether an edge itself gets an answer, asking from its own address.
fn edge_pings(edge: &Edge, to: IpAddr) -> Result<(), Error> {
    let (from, to) = (own(edge.id()).to_string(), to.to_string());
    let line = ["ping", "-n", "-q", "-c", "1", "-W", "1", "-I", &from, &to];
    match edge.space().output(&line)?.ok() {
        true => Ok(()),
        false => Err(Error::State(format!("no answer from {to} to {from}"))),
    }
}

fn rbgpd_says(edge: &Edge, words: &[&str], parts: &[&str]) -> Result<(), Error> {
    let said = edge.node().ctl(words)?.text();
    match parts.iter().all(|part| said.contains(part)) {
        true => Ok(()),
        false => Err(Error::State(said)),
    }
}

/// How many lines of an edge's log have these words.
fn logged(edge: &Edge, words: &str) -> Result<usize, Error> {
    let Node::Rbgpd(daemon) = edge.node() else {
        return Err(Error::State("an edge with rbgpd".to_owned()));
    };
    let log = std::fs::read_to_string(daemon.log()).unwrap_or_default();
    Ok(log.lines().filter(|line| line.contains(words)).count())
}

fn play(lab: &Lab, second: Program) -> Result<(), Error> {
    let (edges, hosts) = build(lab, second)?;
    let ([one, two], [near, far]) = (edges.as_slice(), hosts.as_slice()) else {
        return Err(Error::State("two edges, two hosts".to_owned()));
    };
    for (edge, other) in [(one, two), (two, one)] {
        let what = format!("edge {} knows the other's own address", edge.id());
        lab.reach(&what, PATIENCE, || known(edge, other))?;
    }
    for (host, edge) in [(far, one), (near, two), (near, one), (far, two)] {
        let (name, ip) = (host.space().name(), own(edge.id()));
        lab.wait_until(&format!("{name} reaches {ip}"), PATIENCE, || {
            host.pings(ip.into())
        })?;
    }
    lab.step("every host reaches both edges' own addresses, with full packets");
    for (edge, other) in [(one, two), (two, one)] {
        let id = edge.id();
        let to = IpAddr::from(own(other.id()));
        lab.wait_until(&format!("edge {id} reaches {to}"), PATIENCE, || {
            edge_pings(edge, to)
        })?;
    }
    lab.step("the edges reach each other by them");
    verified(one)?;
    wrong_place(lab, one)?;
    squatters(lab, (one, near), (two, far))?;
    // The key goes, and the route with it; nothing else.
    one.node()
        .reload(|text| text.replace("advertise_svi = true\n", ""))?;
    let mac = own_mac(one)?;
    lab.reach("edge 2 has edge 1's own address no more", PATIENCE, || {
        let macs = kernel::remote_macs(two.space(), VNI)?;
        match macs.contains_key(&mac) {
            true => Err(Error::State(format!("{macs:?}"))),
            false => Ok(()),
        }
    })?;
    lab.wait_until("hosts talk", PATIENCE, || {
        far.pings([10, 100, 0, 11].into())
    })?;
    verified(one)
}

fn verified(edge: &Edge) -> Result<(), Error> {
    let output = edge.node().ctl(&["verify"])?;
    match output.ok() {
        true => Ok(()),
        false => Err(Error::State(output.text())),
    }
}

/// An address that stands where the gateway's MAC address is, is not told, but named.
fn wrong_place(lab: &Lab, one: &Edge) -> Result<(), Error> {
    one.space().ip("addr add 10.100.0.249/24 dev br100")?;
    lab.reach("an address beside the gateway's is named", PATIENCE, || {
        let parts = ["10.100.0.249 is not advertised", "type macvlan"];
        rbgpd_says(one, &["show", "evpn", "vni"], &parts)
    })?;
    one.space()
        .ip("addr del 10.100.0.249/24 dev br100")
        .map(drop)
}

/// A machine behind each edge uses the gateway's address of edge 1.
fn squatters(
    lab: &Lab,
    (one, near): (&Edge, &Host),
    (two, far): (&Edge, &Host),
) -> Result<(), Error> {
    near.space()
        .ip(&format!("addr add {GATEWAY}/24 dev eth0"))?;
    let here = format!(
        "{GATEWAY} is this router's, and the machine {} on port p-host1",
        near.mac()
    );
    lab.reach(
        "a machine here with the gateway's address is named",
        PATIENCE,
        || {
            speaks(near)?;
            rbgpd_says(one, &["show", "summary"], &[&here])?;
            rbgpd_says(one, &["show", "evpn", "vni"], &[&here])
        },
    )?;
    lab.wait_until("in the log", PATIENCE, || match logged(one, &here)? {
        1 => Ok(()),
        count => Err(Error::State(format!("{count} lines"))),
    })?;
    near.space()
        .ip(&format!("addr del {GATEWAY}/24 dev eth0"))?;
    far.space().ip(&format!("addr add {GATEWAY}/24 dev eth0"))?;
    let there = format!(
        "{GATEWAY} is this router's, and the machine {} at {}",
        far.mac(),
        tunnel_end(two.id())
    );
    lab.reach("one at the other edge is named, too", PATIENCE, || {
        speaks(far)?;
        rbgpd_says(one, &["show", "summary"], &[&there])
    })?;
    lab.wait_until("in the log", PATIENCE, || match logged(one, &there)? {
        1 => Ok(()),
        count => Err(Error::State(format!("{count} lines"))),
    })?;
    far.space()
        .ip(&format!("addr del {GATEWAY}/24 dev eth0"))
        .map(drop)
}

/// A host asks for its edge's own address as if it had the gateway's.
fn speaks(host: &Host) -> Result<(), Error> {
    let space = host.space();
    space.ip("neigh flush dev eth0")?;
    let (from, to) = (GATEWAY.to_string(), own(2).to_string());
    let line = ["ping", "-n", "-q", "-c", "1", "-W", "0.3", "-I", &from, &to];
    space.output(&line).map(drop)
}

#[test]
fn own_addresses_are_reached_between_rbgpds() -> Result<(), Error> {
    scenario_beside_others("own-addresses", &BRIDGING_FRR, |lab| {
        play(lab, Program::Rbgpd)
    })
}

#[test]
fn own_addresses_are_reached_beside_frr() -> Result<(), Error> {
    scenario_beside_others("own-addresses-frr", &BRIDGING_FRR, |lab| {
        play(lab, Program::Frr(Release::Suite("trixie".to_owned())))
    })
}
