//! One network whose VNI has another number at each site (RFC 8365 §5.1.1, §5.1.3): what the sites
//! agree on is a route target.
//!
//! ```text
//!   edge 1                    edge 2                    edge 3: single device
//!   br100 ─────────────────── br200 ─────────────────── br-evpn, VLAN 30, VNI 300   10.100.0.1N
//!   br111, red 4001 ═════════ br222, red 4002                      10.1.0.11, 10.2.0.12
//!   a host in each of them at each edge
//! ```
//!
//! A frame carries the VNI of the site that it goes to: edge 1 sends with 200 and 300, and hears with
//! 100. The same holds for packets of the VRF `red`, whose L3 VNI has two numbers, too. FRR takes the
//! routes in and sends with its own number whatever the label says, so beside it frames arrive one
//! way.

#![allow(missing_docs)]

use std::net::IpAddr;
use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::{
    Edge, Error, Host, Lab, Program, Release, Requirement, kernel, scenario_beside_others,
};

const NEEDS: [Requirement; 3] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
];

/// A guest has one processor.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all sites of the network have in common, and those of the VRF.
const TARGETS: [&str; 2] = ["64512:1", "64512:2"];

/// The number that the network has at an edge.
fn vni(edge: u8) -> u32 {
    u32::from(edge) * 100
}

fn l3vni(edge: u8) -> u32 {
    4000 + u32::from(edge)
}

fn targets(target: &str) -> String {
    format!("import_targets = [\"{target}\"]\nexport_targets = [\"{target}\"]\n")
}

fn rbgpd(edge: u8, edges: u8, single: bool, red: bool) -> String {
    let (end, id) = (tunnel_end(edge), vni(edge));
    let mut text = format!("asn = 6500{edge}\nrouter_id = \"{end}\"\n[evpn]\nvtep = \"{end}\"\n");
    if single {
        text += "single_device = { vxlan = \"vxlan0\", bridge = \"br-evpn\", mtu = 1500 }\n";
    }
    for other in (1..=edges).filter(|other| *other != edge) {
        text += &format!(
            "[[neighbor]]\naddress = \"10.9.0.{other}\"\nremote_as = 6500{other}\n\
             timers = {{ connect_retry = \"1s\" }}\nevpn = {{}}\n"
        );
    }
    let [layer2, layer3] = TARGETS.map(targets);
    text += &format!("[[vni]]\nid = {id}\nname = \"office\"\nmtu = 1500\n{layer2}");
    if single {
        text += "vlan = 30\n";
    }
    if red {
        let subnet = u32::from(edge) * 111;
        text += &format!(
            "[[vni]]\nid = {subnet}\nname = \"red\"\nvrf = \"red\"\nmtu = 1500\n\
             gateway = [\"10.{edge}.0.1/24\"]\n\
             [[instance]]\nname = \"red\"\nvrf = \"red\"\nvrf_table = 1001\nasn = 6500{edge}\n\
             router_id = \"{end}\"\n[instance.l3vni]\nid = {l3}\nmtu = 1500\n{layer3}\
             [instance.ipv4_unicast]\nredistribute = [\"connected\"]\n",
            l3 = l3vni(edge),
        );
    }
    text
}

fn frr(edge: u8) -> String {
    let (end, id, [target, _]) = (tunnel_end(edge), vni(edge), TARGETS);
    format!(
        "router bgp 6500{edge}\n bgp router-id {end}\n no bgp ebgp-requires-policy\n \
         neighbor 10.9.0.1 remote-as 65001\n neighbor 10.9.0.1 timers connect 1\n \
         address-family l2vpn evpn\n  neighbor 10.9.0.1 activate\n  advertise-all-vni\n  \
         vni {id}\n   route-target import {target}\n   route-target export {target}\n  exit-vni\n \
         exit-address-family\n"
    )
}

/// The entries of a device in the words of `bridge`, which leave out what is the device's own.
fn fdb(edge: &Edge, device: &str) -> Result<String, Error> {
    edge.space().run(&["bridge", "fdb", "show", "dev", device])
}

/// Whether what goes from an edge to an address at another one goes with the other one's VNI.
fn leads(edge: &Edge, device: &str, mac: &str, to: (u8, u32)) -> Result<(), Error> {
    let (end, shown) = (tunnel_end(to.0), fdb(edge, device)?);
    let (start, vni) = (format!("{mac} dst {end} "), format!(" vni {} ", to.1));
    let mut lines = shown.lines().filter(|line| line.starts_with(&start));
    match lines.any(|line| format!("{line} ").contains(&vni)) {
        true => Ok(()),
        false => Err(Error::State(format!("{mac} to {to:?}: `{shown}`"))),
    }
}

fn pings(lab: &Lab, from: &Host, to: &Host) -> Result<(), Error> {
    for address in to.addresses() {
        let what = format!("{} reaches {address}", from.space().name());
        lab.wait_until(&what, PATIENCE, || from.pings(*address))?;
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

const NO_MAC: &str = "00:00:00:00:00:00";

/// A host of the network at an edge.
fn plug(lab: &Lab, edge: &Edge, single: bool) -> Result<Host, Error> {
    let (id, number) = (edge.id(), 10 + edge.id());
    let (name, addresses) = (
        format!("office{id}"),
        [
            format!("10.100.0.{number}/24"),
            format!("fd00:100::{number}/64"),
        ],
    );
    let addresses = addresses.each_ref().map(String::as_str);
    if !single {
        return Host::plug(lab, edge, &name, &format!("br{}", vni(id)), &addresses);
    }
    let at = edge.space();
    lab.wait_until("VLAN 30", PATIENCE, || kernel::has_device(at, "br-evpn.30"))?;
    let host = Host::plug(lab, edge, &name, "br-evpn", &addresses)?;
    let port = format!("p-{name}");
    at.run(&[
        "bridge", "vlan", "add", "dev", &port, "vid", "30", "pvid", "untagged",
    ])?;
    Ok(host)
}

fn play(lab: &Lab) -> Result<(), Error> {
    let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd, Program::Rbgpd])?;
    lab.start_clock();
    for edge in &mut edges {
        let id = edge.id();
        edge.start(lab, &rbgpd(id, 3, id == 3, id != 3))?;
    }
    let mut hosts = Vec::new();
    for edge in &edges {
        hosts.push(plug(lab, edge, edge.id() == 3)?);
    }
    let ([first, second, _], [here, there, shared]) = (edges.as_slice(), hosts.as_slice()) else {
        return Err(Error::State("three edges, a host each".to_owned()));
    };
    let device = |edge: &Edge| match edge.id() {
        3 => "vxlan0".to_owned(),
        id => format!("vxlan{}", vni(id)),
    };
    let others = |of: u8| (1..=3u8).filter(move |other| *other != of);
    for edge in &edges {
        for other in others(edge.id()) {
            let what = format!("edge {} floods to edge {other}", edge.id());
            let to = (other, vni(other));
            lab.wait_until(&what, PATIENCE, || leads(edge, &device(edge), NO_MAC, to))?;
        }
    }
    lab.step("flood lists name the VNI of the other site");
    // Nobody knows anybody's IP address yet: the questions are flooded.
    for from in &hosts {
        for to in hosts.iter().filter(|to| to.mac() != from.mac()) {
            pings(lab, from, to)?;
        }
    }
    lab.step("full packets between all hosts of the network, IPv4 and IPv6");
    for edge in &edges {
        for (other, host) in (1u8..).zip(&hosts).filter(|(at, _)| *at != edge.id()) {
            let mac = host.mac();
            let what = format!("edge {} knows the host of edge {other}", edge.id());
            let to = (other, vni(other));
            lab.wait_until(&what, PATIENCE, || leads(edge, &device(edge), mac, to))?;
        }
    }
    let shown = first
        .node()
        .ctl(&["show", "evpn", "mac", "--vni", "100"])?
        .text();
    for words in ["10.255.0.2 (VNI 200)", "10.255.0.3 (VNI 300)"] {
        if !shown.contains(words) {
            return Err(Error::State(format!("no `{words}` in {shown}")));
        }
    }
    routed(lab, first, second)?;
    verified(&edges)?;

    // What the site calls it from now on is the number that is sent.
    second.node().reload(|text| {
        let text = text.replacen("id = 200\n", "id = 201\n", 1);
        text.replacen(
            "name = \"office\"",
            "name = \"office\"\nbridge = \"br200\"",
            1,
        )
    })?;
    for (edge, mac) in [(first, NO_MAC), (first, there.mac())] {
        lab.wait_until("the new number", PATIENCE, || {
            leads(edge, "vxlan100", mac, (2, 201))
        })?;
    }
    let shown = fdb(first, "vxlan100")?;
    if shown.contains("vni 200 ") {
        return Err(Error::State(format!("the old number stays: {shown}")));
    }
    pings(lab, here, there)?;
    pings(lab, there, shared)?;
    lab.step("a site has changed its number");
    verified(&edges)
}

/// The VRF's packets, whose L3 VNI has two numbers.
fn routed(lab: &Lab, first: &Edge, second: &Edge) -> Result<(), Error> {
    let plug = |edge: &Edge| {
        let id = edge.id();
        let address = format!("10.{id}.0.{}/24", 10 + id);
        let bridge = format!("br{}", u32::from(id) * 111);
        Host::plug(lab, edge, &format!("red{id}"), &bridge, &[&address])
    };
    let (here, there) = (plug(first)?, plug(second)?);
    let gateway: IpAddr = [10, 1, 0, 1].into();
    lab.wait_until("the gateway", PATIENCE, || here.pings(gateway))?;
    pings(lab, &here, &there)?;
    pings(lab, &there, &here)?;
    let link = second.space().json("ip", "link show dev br4002")?;
    let router_mac = link.pointer("/0/address").and_then(|it| it.as_str());
    let router_mac = router_mac.ok_or_else(|| Error::State(link.to_string()))?;
    leads(first, "vxlan4001", router_mac, (2, 4002))?;
    let shown = first.node().ctl(&["show", "evpn", "next-hops"])?.text();
    if !shown.contains("10.255.0.2 (VNI 4002)") {
        return Err(Error::State(shown));
    }
    lab.step("packets of the VRF, and its router behind the other number");
    Ok(())
}

#[test]
fn sites_with_different_numbers_are_one_network_and_one_vrf() -> Result<(), Error> {
    let needs = [Requirement::Vrf, Requirement::VlanFiltering];
    let needs = [NEEDS.as_slice(), &needs].concat();
    scenario_beside_others("different-vnis", &needs, play)
}

/// Echo requests that a host has had.
fn asked(host: &Host) -> Result<u64, Error> {
    let text = host.space().run(&["cat", "/proc/net/snmp"])?;
    let mut lines = text.lines().filter(|line| line.starts_with("Icmp:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return Err(Error::State(text));
    };
    let at = names.split(' ').position(|name| name == "InEchos");
    let value = at.and_then(|at| values.split(' ').nth(at)?.parse().ok());
    value.ok_or_else(|| Error::State(text.clone()))
}

fn play_beside_frr(lab: &Lab) -> Result<(), Error> {
    let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Frr(Release::Host)])?;
    lab.start_clock();
    let [first, second] = edges.as_mut_slice() else {
        return Err(Error::State("two edges".to_owned()));
    };
    second.overlay(vni(2), tunnel_end(2).into(), "")?;
    first.start(lab, &rbgpd(1, 2, false, false))?;
    second.start(lab, &frr(2))?;
    let (here, there) = (plug(lab, first, false)?, plug(lab, second, false)?);
    let (Some(own), Some(address)) = (here.addresses().first(), there.addresses().first()) else {
        return Err(Error::State("hosts with addresses".to_owned()));
    };
    // FRR hears the host's address from the bridge once the host has said a word.
    lab.wait_until("the host of FRR", PATIENCE, || {
        there.pings(*own).ok();
        leads(first, "vxlan100", there.mac(), (2, 200))
    })?;
    leads(first, "vxlan100", NO_MAC, (2, 200))?;
    let (space, mac) = (here.space(), there.mac());
    space.ip(&format!("neigh replace {address} lladdr {mac} dev eth0"))?;
    let before = asked(&there)?;
    lab.wait_until("an echo request behind FRR", PATIENCE, || {
        here.pings(*address).ok();
        match asked(&there)? > before {
            true => Ok(()),
            false => Err(Error::State("none came".to_owned())),
        }
    })?;
    lab.step("frames to FRR's site carry FRR's number");
    // By hand FRR's kernel is told what FRR does not say, and the way back is there.
    let back = format!(
        "fdb replace {} dev vx200 self dst {} vni 100 static",
        here.mac(),
        tunnel_end(1)
    );
    let words: Vec<&str> = std::iter::once("bridge").chain(back.split(' ')).collect();
    second.space().run(&words)?;
    there.space().ip(&format!(
        "neigh replace {} lladdr {} dev eth0",
        own,
        here.mac()
    ))?;
    lab.wait_until("both ways", PATIENCE, || here.pings(*address))?;
    verified(&edges)
}

#[test]
fn frames_to_frr_carry_its_number() -> Result<(), Error> {
    let needs = [NEEDS.as_slice(), &[Requirement::HostFrr]].concat();
    scenario_beside_others("different-vnis-frr", &needs, play_beside_frr)
}
