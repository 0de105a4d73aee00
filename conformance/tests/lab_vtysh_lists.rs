//! `vtysh` of rbgpd and of FRR 10.3 with the same file, for what needs no session: lists of all kinds,
//! groups of neighbors, and devices.
//!
//! ```text
//!  edge 1: rbgpd ──┐
//!                  ├─ u, one segment
//!  edge 2: FRR 10 ─┘
//! ```
//!
//! What is printed of a list is the same to the letter, once what FRR's zebra and staticd say of the lists, too, is
//! left out.

#![allow(missing_docs)]

#[path = "vtysh/keys.rs"]
mod keys;

use conformance::lab::{
    Edge, Error, Lab, Node, Program, Release, Requirement, scenario_beside_others,
};
use keys::{compare_keys, compare_lines, wrong};

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];

const HEADING: &str = "Lists, groups and devices";

/// What both read.
const FILE: &str = "\
hostname twin
access-list 7 seq 5 permit 10.0.0.0 0.0.0.255
access-list 7 seq 10 deny any
access-list 8 seq 5 permit 10.0.0.1
access-list 101 seq 5 deny ip 10.0.0.0 0.0.255.255 host 255.255.255.0
access-list ALL remark what it is for
access-list ALL seq 5 permit 10.0.0.0/8
access-list ALL seq 7 permit 10.9.0.0/16 exact-match
access-list ALL seq 10 deny any
ipv6 access-list SIX seq 5 permit 2001:db8::/32
ipv6 access-list SIX seq 10 deny any
ip prefix-list OWN description our own
ip prefix-list OWN seq 5 permit 10.0.0.0/8 le 24
ip prefix-list OWN seq 7 permit 10.9.0.0/16
ip prefix-list OWN seq 10 deny any
ip prefix-list OTHER seq 5 permit 192.0.2.0/24 ge 25 le 30
ipv6 prefix-list SIX seq 5 permit 2001:db8::/32 le 48
bgp community-list standard PLAIN seq 5 permit 65001:1 65001:2
bgp community-list standard PLAIN seq 10 deny 65001:3
bgp community-list expanded WIDE seq 5 permit 65001:.*
bgp community-list 7 seq 5 permit no-export
bgp large-community-list standard LARGE seq 5 permit 65001:1:1
bgp large-community-list expanded LARGEX seq 5 permit 65001:.*:1
bgp extcommunity-list standard EXT seq 5 permit rt 65001:1
bgp extcommunity-list expanded EXTX seq 5 permit RT:65001:.*
bgp as-path access-list PATHS seq 5 permit ^65001_
bgp as-path access-list PATHS seq 10 deny .*
route-map IN permit 10
exit
bfd
 peer 10.9.0.66
 exit
exit
router bgp 65001
 bgp router-id 10.255.0.1
 neighbor OUT peer-group
 neighbor OUT remote-as external
 neighbor FOUR peer-group
 neighbor FOUR remote-as 65004
 neighbor BARE peer-group
 neighbor 10.9.0.7 peer-group OUT
 neighbor 10.9.0.8 peer-group FOUR
 neighbor 10.9.0.9 remote-as 65009
 neighbor 10.9.0.9 peer-group BARE
 bgp listen range 10.77.0.0/16 peer-group FOUR
 address-family ipv6 unicast
  neighbor OUT activate
 exit-address-family
exit
";

/// What is asked with `json` behind; all of it has to be answered by both.
const QUESTIONS: &[&str] = &[
    "show ip access-list",
    "show ip access-list ALL",
    "show ip access-list 7",
    "show ip access-list 101",
    "show ipv6 access-list",
    "show ipv6 access-list SIX",
    "show ip prefix-list",
    "show ip prefix-list OWN",
    "show ip prefix-list OWN seq 7",
    "show ip prefix-list detail",
    "show ip prefix-list detail OWN",
    "show ip prefix-list summary",
    "show ip prefix-list summary OWN",
    "show ipv6 prefix-list SIX",
    "show bgp as-path-access-list",
    "show bgp as-path-access-list PATHS",
    "show ip as-path-access-list",
    "show bgp peer-group",
    "show bgp peer-group OUT",
    "show bgp peer-group FOUR",
    "show bfd peers",
    "show bgp statistics",
    "show bgp ipv4 unicast statistics",
    "show bgp l2vpn evpn statistics",
    "show bgp statistics-all",
    "show interface",
    "show interface u",
    "show interface vrf all",
    "show interface vrf all brief",
];

/// Lines of texts by their beginnings.
const LINES: &[(&str, &[&str])] = &[
    ("show interface description", &["Interface", "u ", "lo "]),
    (
        "show interface u",
        &[
            "Interface u is",
            "  Link ups:",
            "  Link downs:",
            "  vrf:",
            "  index",
            "  flags:",
            "  Type:",
            "  HWaddr:",
            "  inet ",
            "  Interface Type",
            "  Interface Slave",
            "  protodown:",
        ],
    ),
    ("show ip prefix-list OWN 10.9.0.0/16 longer", &["   seq"]),
    ("show bgp ipv4 unicast statistics", STATISTICS),
    ("show bgp l2vpn evpn statistics", STATISTICS),
    (
        "show bgp neighbors 10.9.0.7",
        &[
            "BGP neighbor is",
            " Member of peer-group",
            "  OUT peer-group member",
        ],
    ),
    (
        "show bfd peers",
        &["\t\t\tDetect-", "\t\t\tReceive", "\t\t\tTransm"],
    ),
    ("show bgp summary terse", SUMMARY),
    ("show bgp summary wide", SUMMARY),
    ("show bgp summary neighbor 10.9.0.7", SUMMARY),
    (
        "show bgp summary remote-as 65004",
        &["Neighbor", "Displayed", "Total"],
    ),
    ("show bgp summary remote-as 65099", &["% No matching"]),
    ("show logging", &["Syslog logging", "Record priority"]),
];

const STATISTICS: &[&str] = &[
    "Total ",
    "Average ",
    "Unaggregateable",
    "Maximum",
    "Address space",
    "                  % announced",
    "                /8",
    "               /24",
    "Advertisements with",
    "Longest",
    "Largest",
    "Highest",
    "Redistributed",
    "Local aggregates",
];

const SUMMARY: &[&str] = &["BGP router identifier", "Neighbor"];

/// What is printed to the letter.
const TEXTS: &[&str] = &[
    "show ip access-list",
    "show ip access-list ALL",
    "show ip access-list 7",
    "show ip access-list 101",
    "show ip access-list NOSUCH",
    "show ipv6 access-list",
    "show ip prefix-list",
    "show ip prefix-list OWN",
    "show ip prefix-list summary OWN",
    "show ipv6 prefix-list SIX",
    "show bgp community-list",
    "show bgp community-list PLAIN detail",
    "show bgp community-list WIDE detail",
    "show bgp community-list 7 detail",
    "show bgp community-list NOSUCH detail",
    "show bgp large-community-list",
    "show bgp large-community-list LARGE detail",
    "show bgp extcommunity-list",
    "show bgp extcommunity-list EXT detail",
    "show bgp as-path-access-list",
    "show bgp as-path-access-list PATHS",
    "show bgp as-path-access-list NOSUCH",
    "show bgp peer-group",
    "show bgp peer-group OUT",
    "show bgp peer-group FOUR",
    "show bgp peer-group NOSUCH",
    "show bgp summary neighbor 10.9.0.99",
    "show ip forwarding",
    "show ipv6 forwarding",
    "show interface NOSUCH",
    "show evpn es",
    "show evpn es json",
    "show evpn es detail",
    "show evpn es-evi",
    "show evpn es-evi json",
    "show evpn l2-nh",
    "show evpn access-vlan",
    "show bgp l2vpn evpn es",
    "show bgp l2vpn evpn es-evi json",
    "show bgp l2vpn evpn es-vrf",
    "show bgp l2vpn evpn next-hops",
    "show bgp l2vpn evpn import-rt",
    "show bgp l2vpn evpn import-rt json",
    "show bgp l2vpn evpn vrf-import-rt json",
    "show bgp ipv4 vpn",
    "show bgp ipv4 vpn summary",
    "show bgp ipv4 vpn summary json",
    "show bgp ipv6 labeled-unicast summary json",
    "show bgp ipv4 multicast summary",
    "show bgp ipv4 flowspec summary json",
    "show bgp ipv4 unicast dampening parameters",
    "show bgp ipv4 unicast dampening dampened-paths",
    "show bgp dampening parameters",
    "show bgp detail-routes",
    "show bgp vrfs default",
    "show mpls table",
    "show mpls table json",
    "show mpls fec",
    "show mpls pseudowires",
    "show segment-routing srv6 locator",
    "show debugging",
    "show vrf vni",
    "show vrf vni json",
    "show ip route table 77",
    "show ip route ospf",
    "show ip route ospf json",
    "show ip route eigrp json",
    "show ip route tag 7",
    "show ip route supernets-only",
    "show ipv6 route tag 7",
];

#[test]
fn lists_groups_and_devices_are_told_as_frr_tells_them() -> Result<(), Error> {
    let ten = Release::Suite("trixie".to_owned());
    ten.prepare()?;
    scenario_beside_others("vtysh-lists", &NEEDS, |lab| {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Frr(ten.clone())])?;
        for edge in &mut edges {
            match edge.node_mut() {
                Node::Rbgpd(rbgpd) => rbgpd.start_frr(lab, FILE)?,
                Node::Frr(_) => edge.start(lab, FILE)?,
            }
        }
        lab.start_clock();
        let [ours, theirs] = edges.as_slice() else {
            return wrong("two edges");
        };
        let nodes = [ours.node(), theirs.node()];
        compare_texts(lab, nodes)?;
        compare_keys(lab, nodes, QUESTIONS, HEADING)?;
        compare_lines(lab, nodes, LINES)
    })
}

fn compare_texts(lab: &Lab, [ours, theirs]: [&Node; 2]) -> Result<(), Error> {
    let mut faults = Vec::new();
    for question in TEXTS {
        let of = |node: &Node| -> Result<_, Error> {
            let output = node.vtysh(&[question])?;
            // Whether a neighbor that is not there is being called or waited for is of the moment.
            let text = output.stdout.replace("Connect", "Active");
            let text = text.replace("  Idle ", "  Active ");
            Ok((output.code, of_bgp(&text)))
        };
        let (ours, theirs) = (of(ours)?, of(theirs)?);
        if ours != theirs {
            faults.push(format!("{question}: {ours:#?}, FRR has {theirs:#?}"));
        }
    }
    match faults.is_empty() {
        true => {
            lab.step(format!(
                "{} texts are those of FRR to the letter",
                TEXTS.len()
            ));
            Ok(())
        }
        false => wrong(format!("{} faults:\n{}", faults.len(), faults.join("\n"))),
    }
}

/// Without what other daemons of FRR say of the same lists: each begins with its name.
fn of_bgp(text: &str) -> Vec<String> {
    let mut theirs = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let head = line.split([' ', ':']).next().unwrap_or_default();
        if line.contains(':') && !head.is_empty() && head.bytes().all(|it| it.is_ascii_uppercase())
        {
            theirs = matches!(head, "ZEBRA" | "STATIC" | "MGMTD" | "BFD");
        }
        if !theirs && !line.trim().is_empty() {
            lines.push(line.to_owned());
        }
    }
    lines
}
