//! Tunnels over IPv6: an overlay whose edges have nothing but IPv6 between them.
//!
//! ```text
//!   edge 1, fd00:255::1 ══════ VXLAN over IPv6 ══════ edge 2, fd00:255::2
//!   br100 ─ 10.100.0.11, fd00:100::11                 br100 ─ 10.100.0.12, fd00:100::12
//! ```
//!
//! FRR knows such tunnels since 10.6. With 8.4 and 10.3 no packet gets through (tried).

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::edge::tunnel_end_ipv6;
use conformance::lab::{
    Edge, Error, Host, Lab, Program, Release, Requirement, kernel, scenario_beside_others,
};

const NEEDS: [Requirement; 3] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
];

const PATIENCE: Duration = Duration::from_secs(60);

const VNI: u32 = 100;

fn rbgpd(edge: u8) -> String {
    let (other, end) = (3 - edge, tunnel_end_ipv6(edge));
    format!(
        "asn = 6500{edge}\nrouter_id = \"10.9.0.{edge}\"\n[evpn]\nvtep = \"{end}\"\n\
         [[neighbor]]\naddress = \"fd09::{other}\"\nremote_as = 6500{other}\n\
         timers = {{ connect_retry = \"1s\" }}\nevpn = {{}}\n\
         [[vni]]\nid = {VNI}\nname = \"net\"\nmtu = 1500\n"
    )
}

fn frr(edge: u8) -> String {
    let other = 3 - edge;
    format!(
        "router bgp 6500{edge}\n bgp router-id 10.9.0.{edge}\n no bgp ebgp-requires-policy\n \
         neighbor fd09::{other} remote-as 6500{other}\n neighbor fd09::{other} timers connect 1\n \
         address-family l2vpn evpn\n  neighbor fd09::{other} activate\n  advertise-all-vni\n \
         exit-address-family\n"
    )
}

/// Whether an edge sends what is for everybody, and for the other edge's host, to the other edge.
fn forwarded(edge: &Edge, host: &Host) -> Result<(), Error> {
    let end = tunnel_end_ipv6(3 - edge.id()).to_string();
    let flood = kernel::flood_list(edge.space(), VNI)?;
    let known = kernel::remote_macs(edge.space(), VNI)?;
    match flood.iter().eq([&end]) && known.get(host.mac()) == Some(&end) {
        true => Ok(()),
        false => Err(Error::State(format!("{flood:?}, {known:?}"))),
    }
}

fn play(lab: &Lab, programs: [Program; 2]) -> Result<(), Error> {
    let mut edges = Edge::build(lab, &programs)?;
    let mut hosts = Vec::new();
    for edge in &mut edges {
        let id = edge.id();
        // Nothing finds its way over IPv4.
        edge.space().ip("-4 addr flush dev u")?;
        if edge.node().is_rbgpd() {
            edge.start(lab, &rbgpd(id))?;
        } else {
            edge.overlay(VNI, tunnel_end_ipv6(id).into(), "")?;
            edge.start(lab, &frr(id))?;
        }
        let addresses = [format!("10.100.0.1{id}/24"), format!("fd00:100::1{id}/64")];
        let addresses = addresses.each_ref().map(String::as_str);
        hosts.push(Host::plug(
            lab,
            edge,
            &format!("host{id}"),
            "br100",
            &addresses,
        )?);
    }
    lab.start_clock();
    let ([one, two], [near, far]) = (edges.as_slice(), hosts.as_slice()) else {
        return Err(Error::State("two edges, two hosts".to_owned()));
    };
    for (from, to) in [(near, far), (far, near)] {
        for address in to.addresses() {
            let what = format!(
                "{} reaches {address} with full packets",
                from.space().name()
            );
            lab.reach(&what, PATIENCE, || from.pings(*address))?;
        }
    }
    for (edge, host) in [(one, far), (two, near)] {
        let what = format!("edge {} sends to {host:?}", edge.id());
        lab.wait_until(&what, PATIENCE, || forwarded(edge, host))?;
    }
    lab.step("flood lists and MACs of both edges name the other's IPv6 address");
    for edge in edges.iter().filter(|edge| edge.node().is_rbgpd()) {
        let output = edge.node().ctl(&["verify"])?;
        if !output.ok() {
            return Err(Error::State(output.text()));
        }
    }
    // An edge that ends takes its host and itself along.
    let [one, two] = edges.as_mut_slice() else {
        return Err(Error::State("two edges".to_owned()));
    };
    two.node_mut().stop()?;
    lab.reach("edge 1 sends to nobody", PATIENCE, || {
        let flood = kernel::flood_list(one.space(), VNI)?;
        let known = kernel::remote_macs(one.space(), VNI)?;
        match flood.is_empty() && known.is_empty() {
            true => Ok(()),
            false => Err(Error::State(format!("{flood:?}, {known:?}"))),
        }
    })?;
    Ok(())
}

#[test]
fn two_rbgpds_with_nothing_but_ipv6_between_them() -> Result<(), Error> {
    scenario_beside_others("ipv6-vteps", &NEEDS, |lab| {
        play(lab, [Program::Rbgpd, Program::Rbgpd])
    })
}

#[test]
fn rbgpd_and_frr_10_7_with_nothing_but_ipv6_between_them() -> Result<(), Error> {
    scenario_beside_others("ipv6-vteps-frr", &NEEDS, |lab| {
        let frr = Program::Frr(Release::Suite("sid".to_owned()));
        play(lab, [Program::Rbgpd, frr])
    })
}
