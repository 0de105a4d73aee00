//! `vtysh` of rbgpd and of FRR 10.3 in the same state, for VRFs: an instance with a session of its own, and
//! the VRF in an overlay with an L3 VNI.
//!
//! ```text
//!  red1 ─ br101 ─ edge 1: rbgpd ──┬─ u ── edge 3: FRR of this machine ─ br103 ─ red3
//!  red2 ─ br102 ─ edge 2: FRR 10 ─┘
//!                 to3 ────────────────────── ce       10.8.3.N/24, in the VRF red
//! ```
//!
//! Edge 3 tells 10.77.0.0/16 in the VRF's own session, and its subnet by EVPN.

#![allow(missing_docs)]

#[path = "vtysh/keys.rs"]
mod keys;

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::ROUTING;
use conformance::lab::{
    Edge, Error, Host, Lab, Node, PATIENCE, Program, Release, Tenant, kernel, overlay_head,
    scenario_beside_others,
};
use keys::{compare_keys, compare_lines, wrong};

const RED: Tenant = Tenant::RED;

const HEADING: &str = "VRFs";

/// What is asked with `json` behind; all of it has to be answered by both.
const QUESTIONS: &[&str] = &[
    "show bgp vrf red summary",
    "show bgp vrf red ipv4 unicast summary",
    "show bgp vrf all ipv4 unicast summary",
    "show bgp vrf red neighbors",
    "show bgp vrf all neighbors",
    "show bgp vrf red ipv4 unicast neighbors 10.8.3.3 advertised-routes",
    "show bgp vrf red ipv4 unicast neighbors 10.8.3.3 routes",
    "show bgp vrf red ipv4 unicast",
    "show bgp vrf red ipv6 unicast",
    "show bgp vrf all ipv4 unicast",
    "show bgp vrf red ipv4 unicast 10.3.0.0/24",
    "show bgp vrf red ipv4 unicast 10.77.0.0/16",
    "show bgp vrf red nexthop",
    "show bgp vrfs",
    "show bgp l2vpn evpn summary",
    "show bgp l2vpn evpn route type prefix",
    "show bgp l2vpn evpn route rd 10.255.0.3:4001",
    "show bgp l2vpn evpn vni",
    "show bgp l2vpn evpn vni 4001",
    "show evpn",
    "show evpn vni",
    "show evpn vni 4001",
    "show evpn next-hops vni all",
    "show evpn next-hops vni 4001",
    "show evpn rmac vni all",
    "show evpn rmac vni 4001",
    "show ip route vrf red",
    "show ip route vrf red bgp",
    "show ip route vrf red 10.3.0.0/24",
    "show ip route vrf red summary",
    "show ip route vrf all summary",
    "show ipv6 route vrf red",
    "show ip nht vrf red",
    "show interface vrf red brief",
    "show vrf vni",
    "show vrf red vni",
    "show bgp l2vpn evpn vrf-import-rt",
    "show evpn next-hops vni 4001 ip 10.255.0.3",
    "show ip route vrf red table 1001",
];

/// Lines that scripts read by their columns, by their beginnings.
const LINES: &[(&str, &[&str])] = &[
    (
        "show bgp vrf red summary",
        &[
            "IPv4 Unicast Summary",
            "BGP router identifier",
            "Neighbor",
            "10.8.3.3",
        ],
    ),
    (
        "show bgp vrf all ipv4 unicast summary",
        &["Neighbor", "10.8.3.3"],
    ),
    (
        "show bgp l2vpn evpn summary",
        &["BGP router identifier", "Neighbor", "10.9.0.3"],
    ),
    ("show ip route vrf red", &["IPv4 unicast VRF", "B>*", "C>*"]),
    ("show ipv6 route vrf red", &["IPv6 unicast VRF", "B>*"]),
    ("show evpn vni", &["VNI", "4001"]),
    ("show bgp l2vpn evpn vni", &["  VNI", "Number of L"]),
    ("show evpn rmac vni 4001", &["MAC", "Number of Remote"]),
    ("show evpn next-hops vni 4001", &["IP", "Number of NH"]),
    ("show bgp vrfs", &["Type", " VRF"]),
    ("show vrf", &["vrf red"]),
    ("show vrf vni", &["VRF", "red"]),
    (
        "show bgp l2vpn evpn vrf-import-rt",
        &["Route-target", "List of", "  red"],
    ),
    (
        "show evpn next-hops vni 4001 ip 10.255.0.3",
        &["Ip", "  RMAC", "  Refcount", "  Prefixes", "    10.3"],
    ),
    ("show evpn next-hops vni 4001 ip 192.0.2.1", &["%"]),
    ("show evpn rmac vni 4001 mac 02:00:00:00:00:01", &["%"]),
];

#[test]
fn keys_and_types_of_vrfs() -> Result<(), Error> {
    // Here, where there is a network to fetch it from.
    Release::Suite("trixie".to_owned()).prepare()?;
    scenario_beside_others("vtysh-vrfs", &ROUTING, |lab| {
        let edges = edges(lab)?;
        let hosts = RED.hosts(lab, &edges)?;
        settle(lab, &edges, &hosts)?;
        let [ours, theirs, _] = edges.as_slice() else {
            return wrong("three edges");
        };
        let nodes = [ours.node(), theirs.node()];
        // A route of FRR's may be on its way to another table.
        lab.wait_until("keys and types are those of FRR", PATIENCE, || {
            compare_keys(lab, nodes, QUESTIONS, HEADING)
        })?;
        compare_lines(lab, nodes, LINES)
    })
}

/// rbgpd: EVPN with edge 3, and the VRF with its session.
fn rbgpd() -> String {
    overlay_head(1, 1)
        + "[[neighbor]]\naddress = \"10.9.0.3\"\nremote_as = 65003\n\
           timers = { connect_retry = \"1s\" }\nevpn = {}\n"
        + &RED.rbgpd(1)
        + "[[instance.neighbor]]\naddress = \"10.8.3.3\"\nremote_as = 65003\n\
           timers = { connect_retry = \"1s\" }\nipv4_unicast = {}\n"
}

/// FRR: the same.
fn frr(id: u8, others: &[u8]) -> String {
    let end = tunnel_end(id);
    let Tenant { name, l3vni, .. } = RED;
    let mut text = format!(
        "ip prefix-list OWN seq 5 permit 10.77.0.0/16\nroute-map OUT permit 10\n \
         match ip address prefix-list OWN\nexit\n\
         route-map REST deny 10\n match ip address prefix-list OWN\nexit\nroute-map REST permit 20\nexit\n\
         vrf {name}\n vni {l3vni}\nexit-vrf\n\
         router bgp 6500{id}\n bgp router-id {end}\n no bgp ebgp-requires-policy\n"
    );
    for other in others {
        text += &format!(
            " neighbor 10.9.0.{other} remote-as 6500{other}\n neighbor 10.9.0.{other} timers connect 1\n \
             no neighbor 10.9.0.{other} activate\n"
        );
    }
    text += " address-family l2vpn evpn\n";
    for other in others {
        text += &format!("  neighbor 10.9.0.{other} activate\n");
    }
    text += &format!(
        "  advertise-all-vni\n exit-address-family\nexit\n\
         router bgp 6500{id} vrf {name}\n bgp router-id {end}\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n"
    );
    for other in others {
        text += &format!(
            " neighbor 10.8.3.{other} remote-as 6500{other}\n neighbor 10.8.3.{other} timers connect 1\n"
        );
    }
    text += " address-family ipv4 unicast\n  redistribute connected\n";
    if id == 3 {
        text += "  network 10.77.0.0/16\n";
        for other in others {
            text += &format!("  neighbor 10.8.3.{other} route-map OUT out\n");
        }
    }
    text + " exit-address-family\n address-family ipv6 unicast\n  redistribute connected\n \
            exit-address-family\n address-family l2vpn evpn\n  advertise ipv4 unicast route-map REST\n  \
            advertise ipv6 unicast\n exit-address-family\nexit\n"
}

/// The edges run, and those of FRR have what its operators make beforehand.
fn edges(lab: &Lab) -> Result<Vec<Edge>, Error> {
    let ten = Program::Frr(Release::Suite("trixie".to_owned()));
    let programs = [Program::Rbgpd, ten, Program::Frr(Release::Host)];
    let mut edges = Edge::build(lab, &programs)?;
    for edge in &mut edges {
        let id = edge.id();
        match edge.node() {
            Node::Rbgpd(_) => edge.start(lab, &rbgpd())?,
            Node::Frr(_) => {
                RED.devices_for_frr(edge)?;
                let others: &[u8] = if id == 3 { &[1, 2] } else { &[3] };
                let config = frr(id, others);
                edge.start(lab, &config)?;
            }
        }
    }
    lab.start_clock();
    let [one, two, three] = edges.as_slice() else {
        return wrong("three edges");
    };
    let far = three.space();
    far.ip("link add ce type bridge stp_state 0 mcast_snooping 0")?;
    far.ip("link set ce master red addrgenmode none up")?;
    far.ip("addr add 10.8.3.3/24 dev ce")?;
    for twin in [one, two] {
        let (id, near) = (twin.id(), twin.space());
        let what = format!("edge {id} has the VRF");
        lab.wait_until(&what, PATIENCE, || kernel::has_device(near, RED.name))?;
        let (here, there) = (near.name(), far.name());
        near.ip(&format!(
            "link add to3 netns {here} type veth peer name to{id} netns {there}"
        ))?;
        near.ip("link set to3 master red up")?;
        near.ip(&format!("addr add 10.8.3.{id}/24 dev to3"))?;
        far.ip(&format!("link set to{id} master ce up"))?;
    }
    Ok(edges)
}

/// Waits until both have all that edge 3 tells them.
fn settle(lab: &Lab, edges: &[Edge], hosts: &[Host]) -> Result<(), Error> {
    let [one, two, three] = edges else {
        return wrong("three edges");
    };
    let [.., red3] = hosts else {
        return wrong("three hosts");
    };
    for gateway in red3.gateways() {
        lab.wait_until("red3 speaks", PATIENCE, || red3.pings(*gateway))?;
    }
    for edge in [one, two] {
        let own = format!("[10.{}.0.0]", edge.id());
        for prefix in RED.networks(3) {
            let what = format!("edge {}: {prefix} through the L3VNI", edge.id());
            lab.reach(&what, PATIENCE, || RED.routed(edge, three, &prefix))?;
        }
        let host = red3.addresses().first().map(ToString::to_string);
        let host = host.unwrap_or_default();
        lab.wait_until(&host, PATIENCE, || RED.routed(edge, three, &host))?;
        for (question, texts) in [
            (
                "show bgp vrf red neighbors json",
                ["\"bgpState\":\"Established\""; 2],
            ),
            ("show ip route vrf red", ["10.77.0.0/16", "10.3.0.0/24"]),
            (
                "show bgp vrf red ipv4 unicast 10.77.0.0/16",
                ["10.8.3.3", "65003"],
            ),
            (
                "show bgp l2vpn evpn route type prefix",
                ["[10.3.0.0]", own.as_str()],
            ),
        ] {
            lab.until_shown(&format!("edge {}: {question}", edge.id()), &texts, || {
                Ok(edge.node().vtysh(&[question])?.stdout)
            })?;
        }
    }
    Ok(())
}
