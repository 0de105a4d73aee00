//! `vtysh` of rbgpd and of FRR 10.3 with the same file, for what `lab_vtysh` has not: IPv6, a neighbour
//! without an address, and neighbours that are down in every way.
//!
//! ```text
//!  edge 1: rbgpd ──┬─ u ─── edge 3: fd09::3 over IPv6, and on a link of its own without an address
//!  edge 2: FRR 10 ─┘        edge 4: ended it with a NOTIFICATION
//!                           edge 5: fell silent
//!                           10.9.0.6: was never there     10.9.0.7: is shut down here
//! ```
//!
//! Each key that FRR's JSON has is in rbgpd's with the same type, or on a list of
//! `daemon/docs/vtysh.md` with the reason; lines of text that scripts read have the same columns.

#![allow(missing_docs)]

#[path = "vtysh/keys.rs"]
mod keys;

use conformance::lab::{
    Edge, Error, Lab, Node, Program, Release, Requirement, scenario_beside_others,
};
use keys::{asked, compare_keys, compare_lines, wrong};
use serde_json::Value;

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::Rbgpd, Requirement::HostFrr];

const HEADING: &str = "IPv6, and sessions that are down";

/// What is asked with `json` behind; all of it has to be answered by both.
const QUESTIONS: &[&str] = &[
    "show bgp summary",
    "show bgp ipv4 unicast summary",
    "show bgp ipv6 unicast summary",
    "show bgp ipv6 unicast summary established",
    "show bgp ipv4 unicast summary established",
    "show bgp ipv4 unicast summary failed",
    "show bgp vrf all ipv6 unicast summary",
    "show bgp neighbors",
    "show bgp neighbors fd09::3",
    "show bgp neighbors to3",
    "show bgp neighbors 10.9.0.3",
    "show bgp neighbors 10.9.0.4",
    "show bgp neighbors 10.9.0.5",
    "show bgp neighbors 10.9.0.6",
    "show bgp neighbors 10.9.0.7",
    "show bgp ipv6 unicast neighbors fd09::3 advertised-routes",
    "show bgp ipv6 unicast neighbors fd09::3 received-routes",
    "show bgp ipv6 unicast neighbors fd09::3 routes",
    "show bgp ipv6 unicast neighbors to3 routes",
    "show bgp ipv6 unicast neighbors to3 advertised-routes",
    "show bgp ipv4 unicast neighbors to3 routes",
    "show bgp ipv4 unicast neighbors to3 advertised-routes",
    "show bgp ipv6 unicast",
    "show bgp ipv4 unicast",
    "show bgp ipv6 unicast 2001:db8:3::/48",
    "show bgp ipv6 unicast 2001:db8:3::7",
    "show bgp ipv4 unicast 10.203.0.0/16",
    "show bgp ipv6 unicast 2001:db8:99::/48",
    "show bgp nexthop",
    "show ipv6 route",
    "show ipv6 route bgp",
    "show ipv6 route 2001:db8:3::/48",
    "show ipv6 route summary",
    "show ip route bgp",
    "show ipv6 nht",
    "show ip nht",
    "show ipv6 prefix-list",
    "show ipv6 prefix-list OWN",
    "show route-map OUT",
    "show interface brief",
];

const HEADS: &[&str] = &[
    "BGP router identifier",
    "Neighbor",
    "fd09::3",
    "to3",
    "Total",
];

/// Lines that scripts read by their columns, by their beginnings.
const LINES: &[(&str, &[&str])] = &[
    ("show bgp ipv6 unicast summary", HEADS),
    (
        "show bgp ipv4 unicast summary",
        &["Neighbor", "10.9.0.", "to3"],
    ),
    (
        "show bgp ipv4 unicast summary failed",
        &["Neighbor", "10.9.0."],
    ),
    ("show bgp ipv6 unicast", &["     Network"]),
    ("show ipv6 route bgp", &["B>*"]),
    ("show ip route bgp", &["B>*"]),
    (
        "show bgp neighbors 10.9.0.4",
        &["BGP neighbor is", "  BGP state = ", "  Last reset"],
    ),
    (
        "show bgp neighbors fd09::3",
        &[
            "BGP neighbor is",
            "  BGP state = Established",
            "  Last reset never",
        ],
    ),
];

#[test]
fn keys_and_types_of_ipv6_and_of_sessions_that_are_down() -> Result<(), Error> {
    Release::Suite("trixie".to_owned()).prepare()?;
    scenario_beside_others("vtysh-sessions", &NEEDS, |lab| {
        let mut twins = Twins::build(lab)?;
        twins.settle(lab)?;
        twins.take_down(lab)?;
        let nodes = twins.nodes()?;
        truths(lab, nodes)?;
        compare_keys(lab, nodes, QUESTIONS, HEADING)?;
        compare_lines(lab, nodes, LINES)?;
        clears(lab, nodes)
    })
}

/// A drain ends with `clear bgp * soft out`, whoever is down meanwhile.
fn clears(lab: &Lab, [ours, theirs]: [&Node; 2]) -> Result<(), Error> {
    for line in [
        "clear bgp * soft out",
        "clear bgp 10.9.0.6 soft in",
        "clear bgp 10.9.0.7 soft",
        "clear bgp ipv4 unicast * soft",
    ] {
        let said = |node: &Node| {
            let output = node.vtysh(&[line])?;
            Ok::<_, Error>((output.code, output.stdout, output.stderr))
        };
        let (ours, theirs) = (said(ours)?, said(theirs)?);
        if ours != theirs || ours.0 != Some(0) {
            return wrong(format!("`{line}`: {ours:?}, FRR has {theirs:?}"));
        }
    }
    lab.step("soft clears with neighbors that are down");
    Ok(())
}

/// What the twins read, each with its number.
fn twin(id: u8) -> String {
    let mut text = format!(
        "ipv6 prefix-list OWN seq 5 permit 2001:db8::/32 le 48\n\
         route-map IN permit 10\nexit\n\
         route-map OUT permit 10\n match ipv6 address prefix-list OWN\nexit\n\
         router bgp 6500{id}\n bgp router-id 10.255.0.{id}\n no bgp default ipv4-unicast\n \
         bgp ebgp-requires-policy\n \
         no bgp network import-check\n neighbor to3 interface remote-as external\n \
         neighbor fd09::3 remote-as 65003\n neighbor fd09::3 description six\n"
    );
    for other in 3..=7 {
        text += &format!(" neighbor 10.9.0.{other} remote-as 6500{other}\n");
    }
    for neighbor in [
        "to3", "fd09::3", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6",
    ] {
        text +=
            &format!(" neighbor {neighbor} timers 3 9\n neighbor {neighbor} timers connect 1\n");
    }
    text += &format!(
        " neighbor 10.9.0.7 shutdown\n address-family ipv4 unicast\n  network 10.20{id}.0.0/16\n  \
         neighbor to3 activate\n  neighbor to3 route-map IN in\n  neighbor to3 route-map IN out\n"
    );
    // Nothing is taken from 10.9.0.3, or told to it: it has no policy.
    for other in 3..=7 {
        text += &format!("  neighbor 10.9.0.{other} activate\n");
    }
    for other in 4..=5 {
        text += &format!(
            "  neighbor 10.9.0.{other} route-map IN in\n  neighbor 10.9.0.{other} route-map IN out\n"
        );
    }
    text += &format!(
        " exit-address-family\n address-family ipv6 unicast\n  network 2001:db8:{id}::/48\n"
    );
    for neighbor in ["to3", "fd09::3"] {
        text += &format!(
            "  neighbor {neighbor} activate\n  neighbor {neighbor} soft-reconfiguration inbound\n  \
             neighbor {neighbor} route-map IN in\n  neighbor {neighbor} route-map OUT out\n"
        );
    }
    text + " exit-address-family\nexit\n"
}

/// The other edges: over IPv4 they all speak to both twins.
fn other(id: u8) -> String {
    let mut text = format!(
        "router bgp 6500{id}\n bgp router-id 10.255.0.{id}\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n"
    );
    for twin in [1, 2] {
        text += &format!(
            " neighbor 10.9.0.{twin} remote-as 6500{twin}\n neighbor 10.9.0.{twin} timers connect 1\n"
        );
        if id == 3 {
            text += &format!(
                " neighbor fd09::{twin} remote-as 6500{twin}\n \
                 neighbor fd09::{twin} timers connect 1\n \
                 neighbor to{twin} interface remote-as external\n \
                 neighbor to{twin} timers connect 1\n"
            );
        }
    }
    text += &format!(
        " address-family ipv4 unicast\n  network 10.20{id}.0.0/16\n exit-address-family\n"
    );
    if id == 3 {
        text += " address-family ipv6 unicast\n  network 2001:db8:3::/48\n";
        for twin in [1, 2] {
            text += &format!("  neighbor fd09::{twin} activate\n  neighbor to{twin} activate\n");
        }
        text += " exit-address-family\n";
    }
    text + "exit\n"
}

/// The edges; the first two read the same.
struct Twins {
    edges: Vec<Edge>,
}

impl Twins {
    fn build(lab: &Lab) -> Result<Self, Error> {
        let host = || Program::Frr(Release::Host);
        let ten = Program::Frr(Release::Suite("trixie".to_owned()));
        let mut edges = Edge::build(lab, &[Program::Rbgpd, ten, host(), host(), host()])?;
        if let [one, two, three, ..] = edges.as_slice() {
            for twin in [one, two] {
                let (near, far) = (twin.space().name(), three.space().name());
                let id = twin.id();
                twin.space().ip(&format!(
                    "link add to3 netns {near} type veth peer name to{id} netns {far}"
                ))?;
                twin.space().ip("link set to3 up")?;
                three.space().ip(&format!("link set to{id} up"))?;
            }
        }
        for edge in &mut edges {
            let id = edge.id();
            match edge.node_mut() {
                Node::Rbgpd(rbgpd) => rbgpd.start_frr(lab, &twin(id))?,
                Node::Frr(_) if id == 2 => edge.start(lab, &twin(id))?,
                Node::Frr(_) => edge.start(lab, &other(id))?,
            }
        }
        lab.start_clock();
        Ok(Self { edges })
    }

    fn nodes(&self) -> Result<[&Node; 2], Error> {
        match self.edges.as_slice() {
            [ours, theirs, ..] => Ok([ours.node(), theirs.node()]),
            _ => wrong("two twins"),
        }
    }

    /// Waits until both have all that they are told.
    fn settle(&self, lab: &Lab) -> Result<(), Error> {
        for (node, name) in self.nodes()?.into_iter().zip(["rbgpd", "FRR"]) {
            for (question, texts) in [
                (
                    "show ip route bgp",
                    ["10.203.0.0/16", "10.204.0.0/16", "10.205.0.0/16"],
                ),
                ("show bgp ipv6 unicast", ["2001:db8:3::/48"; 3]),
                ("show ipv6 route bgp", ["2001:db8:3::/48"; 3]),
            ] {
                lab.until_shown(&format!("{name}: {question}"), &texts, || {
                    Ok(node.vtysh(&[question])?.stdout)
                })?;
            }
            for neighbor in ["fd09::3", "to3", "10.9.0.3"] {
                let question = format!("show bgp neighbors {neighbor} json");
                let established = ["\"bgpState\":\"Established\""];
                lab.until_shown(&format!("{name}: {neighbor}"), &established, || {
                    Ok(node.vtysh(&[&question])?.stdout)
                })?;
            }
        }
        Ok(())
    }

    /// Edge 4 says why it ends the sessions, edge 5 says nothing more.
    fn take_down(&mut self, lab: &Lab) -> Result<(), Error> {
        if let [_, _, _, four, five] = self.edges.as_slice()
            && let (Node::Frr(four), Node::Frr(five)) = (four.node(), five.node())
        {
            let down = |twin: u8| format!(" neighbor 10.9.0.{twin} shutdown message moving house");
            four.configure(&["router bgp 65004", &down(1), &down(2)])?;
            five.freeze(true)?;
        }
        for (node, name) in self.nodes()?.into_iter().zip(["rbgpd", "FRR"]) {
            for (neighbor, code) in [("10.9.0.4", "0602"), ("10.9.0.5", "0400")] {
                let question = format!("show bgp neighbors {neighbor} json");
                let text = format!("\"lastErrorCodeSubcode\":\"{code}\"");
                lab.until_shown(&format!("{name}: {neighbor}"), &[&text], || {
                    Ok(node.vtysh(&[&question])?.stdout)
                })?;
            }
        }
        Ok(())
    }
}

/// Values that are the same with both, since they are not of the moment.
fn truths(lab: &Lab, [ours, theirs]: [&Node; 2]) -> Result<(), Error> {
    let mut count = 0;
    for (neighbor, keys) in [
        (
            "10.9.0.4",
            [
                "lastErrorCodeSubcode",
                "lastNotificationReason",
                "lastNotificationHardReset",
                "lastShutdownDescription",
                "lastResetDueTo",
                "lastResetCode",
            ],
        ),
        (
            "10.9.0.5",
            [
                "lastErrorCodeSubcode",
                "lastNotificationHardReset",
                "lastResetDueTo",
                "lastResetCode",
                "connectionsEstablished",
                "connectionsDropped",
            ],
        ),
        (
            "10.9.0.6",
            [
                "lastResetDueTo",
                "lastResetCode",
                "connectionsEstablished",
                "connectionsDropped",
                "softwareVersion",
                "externalBgpNbrMaxHopsAway",
            ],
        ),
        (
            "10.9.0.7",
            [
                "bgpState",
                "connectionsEstablished",
                "connectionsDropped",
                "hostLocal",
                "nexthop",
                "externalBgpNbrMaxHopsAway",
            ],
        ),
        (
            "10.9.0.3",
            [
                "bgpState",
                "lastReset",
                "remoteAs",
                "nbrExternalLink",
                "addressFamilyInfo/ipv4Unicast/inboundEbgpRequiresPolicy",
                "addressFamilyInfo/ipv4Unicast/outboundEbgpRequiresPolicy",
            ],
        ),
        (
            "fd09::3",
            [
                "nbrDesc",
                "lastReset",
                "addressFamilyInfo/ipv6Unicast/routeMapForIncomingAdvertisements",
                "addressFamilyInfo/ipv6Unicast/routeMapForOutgoingAdvertisements",
                "addressFamilyInfo/ipv6Unicast/inboundPathPolicyConfig",
                "addressFamilyInfo/ipv6Unicast/acceptedPrefixCounter",
            ],
        ),
    ] {
        let question = format!("show bgp neighbors {neighbor}");
        let (ours, theirs) = (asked(ours, &question)?, asked(theirs, &question)?);
        for key in keys {
            let of = |value: &Value| value.pointer(&format!("/{neighbor}/{key}")).cloned();
            let (have, want) = (of(&ours), of(&theirs));
            if want.is_none() || have != want {
                return wrong(format!("{question}: {key}: {have:?}, FRR has {want:?}"));
            }
            count += 1;
        }
    }
    lab.step(format!("{count} values are those of FRR"));
    Ok(())
}
