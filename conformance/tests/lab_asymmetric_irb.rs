//! Asymmetric routing between overlays (RFC 9135 §6): every site has both overlay networks, a gateway
//! with the same address and MAC in each, and routes between them itself.
//!
//! ```text
//!   edge 1            edge 2            edge 3
//!   br100 ──────────── br100 ─────────── br100     10.100.0.1/24, fd00:100::1/64 on each
//!   br200 ──────────── br200 ─────────── br200     10.200.0.1/24, fd00:200::1/64 on each
//!   a host in each of them at each edge: 10.100.0.11, 10.200.0.11, 10.100.0.12, ...
//! ```
//!
//! A packet to a host of the other network is routed where it enters and goes to the host's edge as
//! a frame of the host's own network. So every edge must know every host's MAC address without asking:
//! a host answers to the gateway's address, and that is its own edge.

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::{
    Edge, Error, Host, Lab, Program, Release, Requirement, kernel, scenario_beside_others,
};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::HostFrr,
    Requirement::Rbgpd,
];

const PATIENCE: Duration = Duration::from_secs(60);

/// The last octet of its MAC, the second octet of its IPv4 network.
const VNIS: [u8; 2] = [100, 200];

fn gateways(vni: u8) -> [String; 2] {
    [format!("10.{vni}.0.1/24"), format!("fd00:{vni}::1/64")]
}

fn gateway_mac(vni: u8) -> String {
    format!("02:00:5e:00:01:{vni:02x}")
}

fn rbgpd(edge: u8, edges: u8) -> String {
    let end = tunnel_end(edge);
    let mut text = format!("asn = 6500{edge}\nrouter_id = \"{end}\"\n[evpn]\nvtep = \"{end}\"\n");
    for other in (1..=edges).filter(|other| *other != edge) {
        text += &format!(
            "[[neighbor]]\naddress = \"10.9.0.{other}\"\nremote_as = 6500{other}\n\
             timers = {{ connect_retry = \"1s\" }}\nevpn = {{}}\n"
        );
    }
    for vni in VNIS {
        let ([ipv4, ipv6], mac) = (gateways(vni), gateway_mac(vni));
        text += &format!(
            "[[vni]]\nid = {vni}\nname = \"net{vni}\"\ngateway = [\"{ipv4}\", \"{ipv6}\"]\n\
             gateway_mac = \"{mac}\"\nmtu = 1500\n"
        );
    }
    text
}

fn frr(edge: u8, edges: u8) -> String {
    let others = || (1..=edges).filter(|other| *other != edge);
    let mut text = format!(
        "router bgp 6500{edge}\n bgp router-id {end}\n no bgp ebgp-requires-policy\n",
        end = tunnel_end(edge)
    );
    for other in others() {
        text += &format!(
            " neighbor 10.9.0.{other} remote-as 6500{other}\n \
             neighbor 10.9.0.{other} timers connect 1\n"
        );
    }
    text += " address-family l2vpn evpn\n";
    for other in others() {
        text += &format!("  neighbor 10.9.0.{other} activate\n");
    }
    text + "  advertise-all-vni\n exit-address-family\n"
}

fn devices_for_frr(edge: &Edge) -> Result<(), Error> {
    let end = tunnel_end(edge.id()).into();
    for vni in VNIS {
        edge.overlay(vni.into(), end, &format!("address {}", gateway_mac(vni)))?;
        for gateway in gateways(vni) {
            edge.space()
                .ip(&format!("addr add {gateway} dev br{vni} nodad"))?;
        }
    }
    Ok(())
}

/// A host, and where it is.
struct Placed {
    host: Host,
    edge: u8,
    vni: u8,
}

impl Placed {
    fn plug(lab: &Lab, edge: &Edge, vni: u8) -> Result<Self, Error> {
        let number = 10 + edge.id();
        let addresses = [
            format!("10.{vni}.0.{number}/24"),
            format!("fd00:{vni}::{number}/64"),
        ];
        let addresses = addresses.each_ref().map(String::as_str);
        let (name, bridge) = (format!("h{vni}{}", edge.id()), format!("br{vni}"));
        let host = Host::plug(lab, edge, &name, &bridge, &addresses)?;
        Ok(Self {
            host,
            edge: edge.id(),
            vni,
        })
    }
}

/// Whether an edge has a neighbour for each address of a host, behind no question.
fn neighbours(edge: &Edge, placed: &Placed) -> Result<(), Error> {
    for address in placed.host.addresses() {
        let shown = edge
            .space()
            .ip(&format!("neigh show to {address} dev br{}", placed.vni))?;
        let mac = format!("lladdr {}", placed.host.mac());
        if !(shown.contains(&mac) && shown.contains("extern_learn")) {
            return Err(Error::State(format!("{address}: `{}`", shown.trim())));
        }
    }
    Ok(())
}

/// Whether frames to a host go to its edge.
fn forwarded(edge: &Edge, placed: &Placed) -> Result<(), Error> {
    let known = kernel::remote_macs(edge.space(), placed.vni.into())?;
    match known.get(placed.host.mac()) == Some(&tunnel_end(placed.edge).to_string()) {
        true => Ok(()),
        false => Err(Error::State(format!("{}: {known:?}", placed.host.mac()))),
    }
}

fn play(lab: &Lab, programs: &[Program]) -> Result<(), Error> {
    let mut edges = Edge::build(lab, programs)?;
    let count = u8::try_from(edges.len()).unwrap_or(u8::MAX);
    lab.start_clock();
    for edge in &mut edges {
        if edge.node().is_rbgpd() {
            edge.start(lab, &rbgpd(edge.id(), count))?;
        } else {
            devices_for_frr(edge)?;
            edge.start(lab, &frr(edge.id(), count))?;
        }
    }
    let mut hosts = Vec::new();
    for vni in VNIS {
        for edge in &edges {
            hosts.push(Placed::plug(lab, edge, vni)?);
        }
    }
    // A host says who it is when it asks for its gateway; nobody can know a silent one.
    for placed in &hosts {
        for gateway in placed.host.gateways() {
            let what = format!("{} of edge {} reaches {gateway}", placed.vni, placed.edge);
            lab.wait_until(&what, PATIENCE, || placed.host.pings(*gateway))?;
        }
    }
    lab.step(format!("{} hosts reach their gateways", hosts.len()));
    for edge in &edges {
        let id = edge.id();
        for placed in hosts.iter().filter(|placed| placed.edge != id) {
            let what = format!("edge {id}: host of {} at edge {}", placed.vni, placed.edge);
            lab.wait_until(&what, PATIENCE, || forwarded(edge, placed))?;
            lab.wait_until(&what, PATIENCE, || neighbours(edge, placed))?;
        }
        lab.step(format!("edge {id} knows all hosts of the others"));
    }
    let mut pairs = 0;
    for from in &hosts {
        let others = |to: &&Placed| (to.edge, to.vni) != (from.edge, from.vni);
        for to in hosts.iter().filter(others) {
            for address in to.host.addresses() {
                let what = format!("{} at {} to {address}", from.vni, from.edge);
                lab.wait_until(&what, PATIENCE, || from.host.pings(*address))?;
                pairs += 1;
            }
        }
    }
    lab.step(format!("full packets between hosts: {pairs} ways"));
    for edge in edges.iter().filter(|edge| edge.node().is_rbgpd()) {
        let output = edge.node().ctl(&["verify"])?;
        if !output.ok() {
            return Err(Error::State(output.text()));
        }
    }
    Ok(())
}

#[test]
fn three_rbgpds_route_between_networks_that_are_everywhere() -> Result<(), Error> {
    scenario_beside_others("asymmetric-irb", &NEEDS, |lab| {
        play(lab, &[Program::Rbgpd, Program::Rbgpd, Program::Rbgpd])
    })
}

#[test]
fn rbgpd_and_two_releases_of_frr_route_between_networks_that_are_everywhere() -> Result<(), Error>
{
    scenario_beside_others("asymmetric-irb-frr", &NEEDS, |lab| {
        let programs = [
            Program::Rbgpd,
            Program::Frr(Release::Host),
            Program::Frr(Release::Suite("trixie".to_owned())),
        ];
        play(lab, &programs)
    })
}
