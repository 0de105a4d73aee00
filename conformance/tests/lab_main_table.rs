//! An L3 VNI of the main table (`[l3vni]`, FRR's `vni N` outside of VRFs): networks behind two routers
//! reach each other through the tunnel although no VRF is there.
//!
//! ```text
//!   host1 ── br101 10.1.0.1 ── edge 1: rbgpd ══ L3VNI 4000, br4000 ══ edge 2: rbgpd or FRR ── br102 10.2.0.1 ── host2
//! ```
//!
//! The underlay stands in the same table. What each edge tells is cut down to its networks, since
//! the way to a tunnel endpoint must not lead through the tunnel.

#![allow(missing_docs)]

use std::net::IpAddr;

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::BRIDGING_FRR;
use conformance::lab::{
    Edge, Error, Host, Lab, PATIENCE, Program, Release, bridging_frr, kernel, overlay_head,
    scenario_beside_others,
};

const L3VNI: u32 = 4000;

fn rbgpd(edge: u8) -> String {
    let l3vni = format!("[l3vni]\nid = {L3VNI}\nmtu = 1500\nexport = \"NETWORKS\"\n");
    overlay_head(edge, 2)
        + &l3vni
        + &format!(
            "[ipv4_unicast]\nredistribute = [\"connected\"]\n\
             [[vni]]\nid = 10{edge}\nname = \"net\"\nmtu = 1500\ngateway = [\"10.{edge}.0.1/24\"]\n\
             [[prefix_list]]\nname = \"NETWORKS\"\nrules = [\"permit 10.{edge}.0.0/24\"]\n\
             [[route_map]]\nname = \"NETWORKS\"\n\
             entry = [{{ seq = 10, action = \"permit\", match = {{ prefix_list = \"NETWORKS\" }} }}]\n"
        )
}

fn frr(edge: u8) -> String {
    let advertise = "  advertise ipv4 unicast route-map NETWORKS\n";
    format!(
        "vni {L3VNI}\nip prefix-list NETWORKS permit 10.{edge}.0.0/24\n\
         route-map NETWORKS permit 10\n match ip address prefix-list NETWORKS\nexit\n"
    ) + &bridging_frr(edge, 2, advertise)
        + " address-family ipv4 unicast\n  redistribute connected\n exit-address-family\n"
}

/// What an operator of FRR makes beforehand.
fn devices_for_frr(edge: &Edge) -> Result<(), Error> {
    let (id, end) = (edge.id(), tunnel_end(edge.id()).into());
    edge.overlay(L3VNI, end, &format!("address 02:00:00:00:40:0{id}"))?;
    edge.overlay(100 + u32::from(id), end, "")?;
    let words = format!("addr add 10.{id}.0.1/24 dev br10{id}");
    edge.space().ip(&words).map(drop)
}

fn build(lab: &Lab, second: Program) -> Result<(Vec<Edge>, Vec<Host>), Error> {
    let mut edges = Edge::build(lab, &[Program::Rbgpd, second])?;
    let mut hosts = Vec::new();
    for edge in &mut edges {
        let id = edge.id();
        edge.space()
            .output(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
        if edge.node().is_rbgpd() {
            edge.start(lab, &rbgpd(id))?;
        } else {
            devices_for_frr(edge)?;
            edge.start(lab, &frr(id))?;
        }
        let (bridge, address) = (format!("br10{id}"), format!("10.{id}.0.10/24"));
        hosts.push(Host::plug(
            lab,
            edge,
            &format!("host{id}"),
            &bridge,
            &[&address],
        )?);
    }
    lab.start_clock();
    Ok((edges, hosts))
}

/// Whether the main table of an edge has the other one's network through the tunnel.
fn routed(edge: &Edge, other: u8) -> Result<(), Error> {
    let shown = edge.space().ip(&format!("route show 10.{other}.0.0/24"))?;
    let way = format!("via {} dev br{L3VNI} ", tunnel_end(other));
    let mac = kernel::remote_macs(edge.space(), L3VNI)?;
    let end = tunnel_end(other).to_string();
    match shown.contains(&way) && shown.contains("onlink") && mac.values().any(|it| *it == end) {
        true => Ok(()),
        false => Err(Error::State(format!("`{shown}`, {mac:?}"))),
    }
}

/// The way to the other tunnel endpoint is the underlay's.
fn underlay_stands(edge: &Edge, other: u8) -> Result<(), Error> {
    let shown = edge
        .space()
        .ip(&format!("route get {}", tunnel_end(other)))?;
    match shown.contains(" dev u ") {
        true => Ok(()),
        false => Err(Error::State(shown)),
    }
}

fn verified(edge: &Edge) -> Result<(), Error> {
    let output = edge.node().ctl(&["verify"])?;
    match output.ok() {
        true => Ok(()),
        false => Err(Error::State(output.text())),
    }
}

fn play(lab: &Lab, second: Program) -> Result<(), Error> {
    let (edges, hosts) = build(lab, second)?;
    let ([one, two], [near, far]) = (edges.as_slice(), hosts.as_slice()) else {
        return Err(Error::State("two edges, two hosts".to_owned()));
    };
    for edge in &edges {
        let (id, other) = (edge.id(), 3 - edge.id());
        let what = format!("edge {id} has 10.{other}.0.0/24 through the tunnel");
        lab.reach(&what, PATIENCE, || routed(edge, other))?;
        underlay_stands(edge, other)?;
    }
    for (from, network) in [(near, 2), (far, 1)] {
        let to = IpAddr::from([10, network, 0, 10]);
        let what = format!("{} reaches {to} with full packets", from.space().name());
        lab.reach(&what, PATIENCE, || from.pings(to))?;
    }
    // The address of a host that has spoken is a route of its own.
    lab.reach("host routes", PATIENCE, || {
        let shown = one.space().ip("route show 10.2.0.10")?;
        match shown.contains(&format!("dev br{L3VNI} ")) {
            true => Ok(()),
            false => Err(Error::State(shown)),
        }
    })?;
    verified(one)?;
    // It goes with a reload, devices and routes, and comes back with another.
    let block = format!("[l3vni]\nid = {L3VNI}\nmtu = 1500\nexport = \"NETWORKS\"\n");
    one.node().reload(|text| text.replace(&block, ""))?;
    lab.reach("nothing is left of it", PATIENCE, || {
        let said = one.space().ip("-o link")? + &one.space().ip("route")?;
        match said.contains(&L3VNI.to_string()) {
            true => Err(Error::State(said)),
            false => Ok(()),
        }
    })?;
    lab.wait_until("edge 2 has no way any more", PATIENCE, || {
        match routed(two, 1) {
            Ok(()) => Err(Error::State("edge 2 has it still".to_owned())),
            Err(_) => Ok(()),
        }
    })?;
    verified(one)?;
    one.node()
        .reload(|text| text.replace("[ipv4_unicast]", &format!("{block}[ipv4_unicast]")))?;
    lab.reach("it is back", PATIENCE, || near.pings([10, 2, 0, 10].into()))?;
    verified(one)
}

#[test]
fn two_rbgpds_route_in_their_main_tables() -> Result<(), Error> {
    scenario_beside_others("main-table", &BRIDGING_FRR, |lab| play(lab, Program::Rbgpd))
}

#[test]
fn rbgpd_and_frr_route_in_their_main_tables() -> Result<(), Error> {
    scenario_beside_others("main-table-frr", &BRIDGING_FRR, |lab| {
        play(lab, Program::Frr(Release::Suite("trixie".to_owned())))
    })
}
