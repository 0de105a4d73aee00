//! rbgpd and FRR 10.3 in the same state: both have one neighbor, a third router.
//!
//! ```text
//!   host-a ── br100 ─ edge 1: rbgpd ──┐
//!   host-b ── br100 ─ edge 2: FRR 10 ─┼─ one segment ── edge 3: FRR of this machine ─ br100 ── host-c
//!                                     │
//!          both have one neighbor, edge 3: IPv4, EVPN, BFD, and the same lists and maps
//! ```

use conformance::lab::edge::tunnel_end;
use conformance::lab::{Edge, Error, Host, Lab, Node, Program, Release};

pub(crate) const VNI: u32 = 100;

pub(crate) fn wrong<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::State(what.into()))
}

fn rbgpd() -> String {
    let end = tunnel_end(1);
    format!(
        r#"asn = 65001
router_id = "{end}"
[log]
level = "selected"
[evpn]
vtep = "{end}"
[ipv4_unicast]
networks = ["10.201.0.0/16"]
[[neighbor]]
address = "10.9.0.3"
remote_as = 65003
description = "third"
timers = {{ keepalive = "3s", hold = "9s", connect_retry = "1s" }}
bfd = true
ipv4_unicast = {{ import = "IN", export = "OUT" }}
evpn = {{ import = "IN", export = "IN" }}
[[vni]]
id = {VNI}
name = "net"
mtu = 1500
rd = "{end}:{VNI}"
import_targets = ["65000:{VNI}"]
export_targets = ["65000:{VNI}"]
gateway = ["10.100.0.1/24"]
[[prefix_list]]
name = "OWN"
rules = ["permit 10.0.0.0/8 le 24", "deny any"]
[[route_map]]
name = "IN"
entry = [{{ seq = 10, action = "permit" }}]
[[route_map]]
name = "OUT"
entry = [{{ seq = 10, action = "permit", match = {{ prefix_list = "OWN" }}, set = {{ metric = 100 }} }}]
"#
    )
}

fn frr(edge: u8, neighbors: &[u8]) -> String {
    let end = tunnel_end(edge);
    let mut text = format!(
        "ip prefix-list OWN seq 5 permit 10.0.0.0/8 le 24\nip prefix-list OWN seq 10 deny any\n\
         route-map IN permit 10\nexit\nroute-map OUT permit 10\n match ip address prefix-list OWN\n \
         set metric 100\nexit\n\
         router bgp 6500{edge}\n bgp router-id {end}\n no bgp network import-check\n"
    );
    for other in neighbors {
        text += &format!(
            " neighbor 10.9.0.{other} remote-as 6500{other}\n neighbor 10.9.0.{other} description third\n \
             neighbor 10.9.0.{other} timers 3 9\n neighbor 10.9.0.{other} timers connect 1\n \
             neighbor 10.9.0.{other} bfd\n"
        );
    }
    text += &format!(" address-family ipv4 unicast\n  network 10.20{edge}.0.0/16\n");
    for other in neighbors {
        text += &format!(
            "  neighbor 10.9.0.{other} soft-reconfiguration inbound\n  \
             neighbor 10.9.0.{other} route-map IN in\n  neighbor 10.9.0.{other} route-map OUT out\n"
        );
    }
    text += " exit-address-family\n address-family l2vpn evpn\n  advertise-all-vni\n";
    for other in neighbors {
        text += &format!(
            "  neighbor 10.9.0.{other} activate\n  neighbor 10.9.0.{other} route-map IN in\n  \
             neighbor 10.9.0.{other} route-map IN out\n"
        );
    }
    text + &format!(
        "  vni {VNI}\n   rd {end}:{VNI}\n   route-target import 65000:{VNI}\n   \
         route-target export 65000:{VNI}\n  exit-vni\n exit-address-family\n"
    )
}

/// The three edges with everything in place.
pub(crate) struct Twins {
    pub(crate) edges: Vec<Edge>,
    hosts: Vec<Host>,
}

impl Twins {
    pub(crate) fn build(lab: &Lab) -> Result<Self, Error> {
        let ten = Release::Suite("trixie".to_owned());
        let programs = [
            Program::Rbgpd,
            Program::Frr(ten),
            Program::Frr(Release::Host),
        ];
        let mut edges = Edge::build(lab, &programs)?;
        for edge in &mut edges {
            let id = edge.id();
            if id == 1 {
                edge.start(lab, &rbgpd())?;
                continue;
            }
            edge.overlay(VNI, tunnel_end(id).into(), "")?;
            edge.space().ip(&format!(
                "addr add 10.100.0.{}/24 dev br{VNI}",
                if id == 2 { 1 } else { 3 }
            ))?;
            let neighbors: &[u8] = if id == 2 { &[3] } else { &[1, 2] };
            edge.start(lab, &frr(id, neighbors))?;
        }
        lab.start_clock();
        let mut hosts = Vec::new();
        for (edge, (name, last)) in
            edges
                .iter()
                .zip([("host-a", 11), ("host-b", 12), ("host-c", 13)])
        {
            let address = format!("10.100.0.{last}/24");
            hosts.push(Host::plug(
                lab,
                edge,
                name,
                &format!("br{VNI}"),
                &[&address],
            )?);
        }
        Ok(Self { edges, hosts })
    }

    pub(crate) fn node(&self, at: usize) -> Result<&Node, Error> {
        match self.edges.get(at) {
            Some(edge) => Ok(edge.node()),
            None => wrong("three edges"),
        }
    }

    /// Waits until both have told the third what they have, and know of the third's host.
    pub(crate) fn settle(&self, lab: &Lab) -> Result<(), Error> {
        let third = self
            .hosts
            .get(2)
            .map(|host| host.mac().to_owned())
            .unwrap_or_default();
        let mac = format!("show evpn mac vni {VNI} json");
        for (at, name) in [(0, "rbgpd"), (1, "FRR")] {
            let node = self.node(at)?;
            for (question, texts) in [
                ("show bgp ipv4 unicast json", vec!["10.203.0.0/16"]),
                ("show bfd peers json", vec!["\"status\":\"up\""]),
                (
                    mac.as_str(),
                    vec![third.as_str(), "\"remote\"", "\"local\""],
                ),
                ("show ip route bgp json", vec!["10.203.0.0/16"]),
            ] {
                lab.until_shown(&format!("{name}: {question}"), &texts, || {
                    self.stir();
                    Ok(node.vtysh(&[question])?.stdout)
                })?;
            }
        }
        Ok(())
    }

    /// The hosts speak to each other and to their gateways, so that all addresses are known.
    pub(crate) fn stir(&self) {
        for host in &self.hosts {
            for other in &self.hosts {
                for to in other.addresses().iter().chain(host.gateways()) {
                    // An answer is not needed.
                    let _ = host.pings(*to);
                }
            }
        }
    }
}
