//! `vtysh` of rbgpd and of FRR 10.3, asked the same in the same state: every key that FRR's JSON has is
//! in rbgpd's with the same type, or on the list of `daemon/docs/vtysh.md` with the reason.
//!
//! Names that are values (addresses, prefixes, routes, devices) count as one, so the two need not have
//! the same ones. What scripts look at beside JSON (exit codes, error texts) is compared, too, and the
//! questions that the Prometheus exporter for FRR asks are answered as it reads them.

#![allow(missing_docs)]

#[path = "vtysh/keys.rs"]
mod keys;
#[path = "vtysh/twins.rs"]
mod twins;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use conformance::lab::{Error, Lab, Node, Output, Requirement, binary, scenario_beside_others};
use keys::{EVERYWHERE, asked, compare_keys, compare_lines};
use serde_json::Value;
use twins::{Twins, VNI, wrong};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
    Requirement::HostFrr,
];

/// What is asked with `json` behind; all of it has to be answered by both.
const QUESTIONS: &[&str] = &[
    "show bgp summary",
    "show ip bgp summary",
    "show bgp ipv4 unicast summary",
    "show bgp l2vpn evpn summary",
    "show bgp vrf all ipv4 unicast summary",
    "show bgp summary failed",
    "show bgp neighbors",
    "show bgp neighbors 10.9.0.3",
    "show bgp ipv4 unicast neighbors 10.9.0.3 advertised-routes",
    "show bgp ipv4 unicast neighbors 10.9.0.3 received-routes",
    "show bgp ipv4 unicast neighbors 10.9.0.3 filtered-routes",
    "show bgp ipv4 unicast neighbors 10.9.0.3 prefix-counts",
    "show bgp ipv4 unicast neighbors 10.9.0.3 routes",
    "show bgp l2vpn evpn neighbors 10.9.0.3 advertised-routes",
    "show bgp l2vpn evpn neighbors 10.9.0.3 routes",
    "show bgp ipv4 unicast",
    "show bgp ipv4 unicast detail",
    "show bgp ipv4 unicast self-originate",
    "show bgp ipv4 unicast statistics",
    "show bgp l2vpn evpn statistics",
    "show bgp summary neighbor 10.9.0.3",
    "show bgp summary remote-as external",
    "show bgp ipv4 unicast neighbors 10.9.0.3 bestpath-routes",
    "show evpn vni detail",
    "show evpn mac vni all vtep 10.255.0.3",
    "show evpn mac vni 100 vtep 10.255.0.3",
    "show evpn arp-cache vni 100 vtep 10.255.0.3",
    "show interface",
    "show interface br100",
    "show bgp ipv4 unicast regexp _65003$",
    "show bgp ipv4 unicast community",
    "show bgp ipv4 unicast large-community 65003:1:1",
    "show bgp ipv4 unicast prefix-list OWN",
    "show bgp ipv4 unicast 10.0.0.0/8 longer-prefixes",
    "show bgp ipv4 unicast cidr-only",
    "show bgp vrf all ipv4 unicast",
    "show bgp ipv4 unicast 10.203.0.0/16",
    "show bgp ipv4 unicast 10.203.7.7",
    "show bgp ipv4 unicast 192.0.2.1",
    "show bgp l2vpn evpn",
    "show bgp l2vpn evpn route",
    "show bgp l2vpn evpn route type multicast",
    "show bgp l2vpn evpn route vni 100",
    "show bgp l2vpn evpn route rd 10.255.0.3:100",
    "show bgp l2vpn evpn route detail",
    "show bgp l2vpn evpn vni",
    "show bgp l2vpn evpn vni 100",
    "show bgp vrf all ipv4 summary",
    "show bgp all summary",
    "show bgp vrf all neighbors",
    "show bgp nexthop",
    "show ip bgp vrf all nexthop",
    "show bgp vrfs",
    "show evpn",
    "show evpn vni",
    "show evpn vni 100",
    "show evpn mac vni all",
    "show evpn mac vni 100",
    "show evpn arp-cache vni all",
    "show evpn arp-cache vni 100",
    "show evpn next-hops vni all",
    "show evpn rmac vni all",
    "show bfd peers",
    "show bfd peers brief",
    "show bfd peers counters",
    "show bfd peer 10.9.0.3",
    "show ip route",
    "show ip route bgp",
    "show ip route 10.0.0.0/8 longer-prefixes",
    "show ip fib",
    "show ip route 10.203.0.0/16",
    "show ip route summary",
    "show ip route vrf all summary",
    "show ip nht",
    "show route-map",
    "show route-map OUT",
    "show ip prefix-list",
    "show ip prefix-list OWN",
    "show interface brief",
    "show bgp neighbors graceful-restart",
    "show bgp neighbors 10.9.0.3 graceful-restart",
    "show bgp ipv4 unicast neighbors 10.9.0.3 advertised-routes detail",
    "show bgp ipv4 unicast neighbors 10.9.0.3 advertised-routes 10.99.0.0/16",
    "show bgp ipv4 unicast neighbors 10.9.0.3 received-routes detail",
    "show bgp ipv4 unicast detail-routes",
    "show bgp ipv4 unicast route-map OUT",
    "show bgp all",
    "show bgp ipv4 all",
    "show bgp nexthop 10.9.0.3",
    "show bgp router",
    "show bgp vrfs default",
    "show bgp l2vpn evpn rd 10.255.0.3:100",
    "show bgp l2vpn evpn rd all",
    "show bgp l2vpn evpn import-rt",
    "show bgp evpn summary",
    "show bgp l2vpn evpn route vni 100 multicast 10.255.0.3",
    "show evpn mac vni all detail",
    "show evpn arp-cache vni all detail",
    "show evpn arp-cache vni 100 ip 10.100.0.12",
    "show ip route table 254",
    "show ip nht 10.9.0.3",
    "show bfd peer 10.9.0.3 interface u",
];

/// Lines that scripts read by their columns, by their beginnings.
const LINES: &[(&str, &[&str])] = &[
    ("show version", &["FRRouting"]),
    (
        "show bgp summary",
        &[
            "IPv4 Unicast Summary",
            "L2VPN EVPN Summary",
            "BGP router identifier",
            "BGP table version",
            "Neighbor",
            "10.9.0.3",
            "Total number",
        ],
    ),
    ("show bgp ipv4 unicast summary", SUMMARY),
    ("show bgp l2vpn evpn summary", SUMMARY),
    ("show ip bgp", TABLE),
    (
        "show ip bgp wide",
        &["     Network", " *>  10.2", "Displayed"],
    ),
    (
        "show ip bgp detail",
        &[
            "Default local",
            "Paths:",
            "  Advertised",
            "    10.9",
            "      Origin",
            "Displayed",
        ],
    ),
    ("show bgp summary wide", SUMMARY),
    (
        "show bgp summary terse",
        &[
            "BGP router identifier",
            "Neighbor",
            "10.9.0.3",
            "Total number",
        ],
    ),
    (
        "show ip bgp neighbors 10.9.0.3 bestpath-routes",
        &["     Network", "Total number"],
    ),
    (
        "show evpn vni detail",
        &["VNI: ", " Type", " Bridge", " Remote VTEPs", " Number of"],
    ),
    (
        "show interface br100",
        &[
            "Interface br100",
            "  vrf",
            "  flags",
            "  Type",
            "  Interface Type",
        ],
    ),
    ("show bgp ipv4 unicast", TABLE),
    ("show ip bgp regexp ^6500", TABLE),
    ("show ip bgp prefix-list OWN", TABLE),
    ("show ip bgp 10.0.0.0/8 longer-prefixes", TABLE),
    ("show ip bgp cidr-only", TABLE),
    (
        "show bgp ipv4 unicast neighbors 10.9.0.3 prefix-counts",
        &[
            "Prefix counts",
            "PfxCt:",
            "Counts from",
            "             All RIB",
        ],
    ),
    ("show bgp all summary", SUMMARY),
    (
        "show bgp ipv4 unicast neighbors 10.9.0.3 filtered-routes",
        &["     Network"],
    ),
    (
        "show bgp ipv4 unicast neighbors 10.9.0.3 routes",
        &["     Network", " *>  10.2", "Displayed"],
    ),
    (
        "show bgp ipv4 unicast neighbors 10.9.0.3 advertised-routes",
        &["     Network", "Total number"],
    ),
    (
        "show bgp ipv4 unicast 10.203.0.0/16",
        &[
            "BGP routing table entry",
            "Paths:",
            "    10.9",
            "      Origin",
        ],
    ),
    ("show bgp neighbors", NEIGHBOR),
    ("show bgp neighbors 10.9.0.3", NEIGHBOR),
    (
        "show bgp l2vpn evpn",
        &[
            "BGP table version",
            "Status codes",
            "Origin codes",
            "EVPN type-",
            "   Network",
            "Route Distinguisher",
            " *>  [",
            "Displayed",
        ],
    ),
    (
        "show bgp l2vpn evpn route",
        &[
            "BGP table version",
            "EVPN type-",
            "Route Distinguisher",
            "Displayed",
        ],
    ),
    (
        "show bgp l2vpn evpn route rd 10.255.0.3:100",
        &[
            "BGP routing table entry",
            "Paths:",
            "  Route [",
            "      Origin",
            "      Extended",
            "      PMSI",
            "Displayed",
        ],
    ),
    (
        "show bgp l2vpn evpn vni",
        &["Advertise", "BUM", "  VNI", "* 100", "Number of L"],
    ),
    ("show bgp vrfs", &["Type", "DFLT", "             ", "Total"]),
    (
        "show bgp nexthop",
        &["Current BGP", " 10.", "  Resolved", "  if", "  gate"],
    ),
    (
        "show evpn",
        &[
            "L2 VNIs",
            "L3 VNIs",
            "Advertise",
            "Duplicate",
            "  Detection",
        ],
    ),
    ("show evpn vni", &["VNI", "100"]),
    (
        "show evpn vni 100",
        &[
            "VNI: ",
            " Type",
            " Vlan",
            " Bridge",
            " Tenant",
            " VxLAN",
            " SVI",
            " Local VTEP",
            " Mcast",
            " Remote VTEPs",
            " Number of",
            " Advertise",
        ],
    ),
    ("show evpn mac vni 100", &["Flags", "MAC", "Number of MACs"]),
    (
        "show evpn arp-cache vni 100",
        &["Flags", "Neighbor", "Number of ARPs"],
    ),
    (
        "show ip route",
        &[
            "Codes:",
            "       ",
            "IPv4 unicast VRF",
            "B>*",
            "C>*",
            "K>*",
            "L>*",
            "L * ",
        ],
    ),
    (
        "show ip route summary",
        &[
            "Route Source",
            "kernel",
            "connected",
            "local",
            "ebgp",
            "ibgp",
            "------",
            "Totals",
        ],
    ),
    (
        "show ip route 10.203.0.0/16",
        &["Routing entry", "  Known via", "  * "],
    ),
    (
        "show ip nht",
        &[
            "VRF default",
            "10.",
            " resolved via",
            " is directly",
            " via",
        ],
    ),
    (
        "show bfd peers",
        &[
            "BFD Peers",
            "\tpeer",
            "\t\tID",
            "\t\tRemote ID",
            "\t\tActive",
            "\t\tStatus",
            "\t\tUptime",
            "\t\tDiagnostics",
            "\t\tPeer Type",
            "\t\tLocal timers",
            "\t\tRemote timers",
            "\t\t\tDetect",
            "\t\t\tReceive",
            "\t\t\tTransmission",
        ],
    ),
    (
        "show bfd peers brief",
        &["Session count", "SessionId", "========="],
    ),
    (
        "show bfd peers counters",
        &[
            "BFD Peers",
            "\tpeer",
            "\t\tControl",
            "\t\tEcho",
            "\t\tSession",
        ],
    ),
    (
        "show interface brief",
        &["Interface", "---", "u  ", "lo  ", "br100", "     "],
    ),
    (
        "show route-map",
        &["BGP:", "  Match", "  Set", "  Call", "  Action", "    Exit"],
    ),
    ("show ip prefix-list", &["BGP:", "   seq"]),
    ("show ip prefix-list detail OWN", &["BGP:", "   count"]),
    ("show ip prefix-list summary", &["BGP:", "   count"]),
    (
        "show bgp neighbors graceful-restart",
        &[
            "Codes:",
            "       ",
            "BGP neighbor is",
            "    Remote GR",
            "    R bit",
            "    Timers",
            "      Configured Restart",
            "    IPv4 Unicast",
            "      F bit",
            "      End-of-RIB sent:",
            "        Configured Stale",
        ],
    ),
    (
        "show bgp ipv4 unicast neighbors 10.9.0.3 advertised-routes detail",
        PASSED,
    ),
    (
        "show bgp ipv4 unicast neighbors 10.9.0.3 received-routes detail",
        PASSED,
    ),
    (
        "show bgp ipv4 unicast neighbors 10.9.0.3 received-routes wide",
        &["     Network", "Total number"],
    ),
    ("show ip bgp route-map IN", TABLE),
    (
        "show bgp all",
        &[
            "For address family",
            "BGP table version",
            "     Network",
            "   Network",
            "                    Extended",
            "Route Distinguisher",
            "Displayed",
        ],
    ),
    (
        "show bgp nexthop detail",
        &["Current BGP", " 10.", "  Resolved", "  if", "  Paths"],
    ),
    ("show bfd distributed", &["                  Data"]),
    ("show bgp router", &["BGP started", "Number of"]),
    (
        "show bgp vrfs default",
        &["BGP instance", "Router Id", "Num"],
    ),
    (
        "show bgp l2vpn evpn rd 10.255.0.3:100",
        &[
            "BGP table version",
            "EVPN type-",
            "Route Distinguisher",
            " *>",
        ],
    ),
    (
        "show bgp l2vpn evpn import-rt",
        &["Route-target", "List of", "  100"],
    ),
    (
        "show bgp l2vpn evpn route vni 100 multicast 10.255.0.3",
        &[
            "BGP routing table entry",
            "Paths:",
            "  Local BGP",
            "  Route [",
            "      Origin",
            "      PMSI",
            "Displayed",
        ],
    ),
    (
        "show bgp l2vpn evpn route vni all",
        &["VNI: ", "BGP table version", "   Network", "Displayed"],
    ),
    (
        "show evpn mac vni all detail",
        &[
            "VNI 100",
            "MAC: ",
            " Intf",
            " Remote VTEP",
            " Sync-info",
            " Local Seq",
            " Uptime",
            " Neighbors",
        ],
    ),
    (
        "show evpn arp-cache vni all detail",
        &[
            "VNI 100",
            "IP: 10.",
            " Type: local",
            " State",
            " MAC",
            " Sync-info",
            " Local Seq",
        ],
    ),
    (
        "show ip route table 254",
        &["IPv4 unicast VRF", "B>*", "C>*", "K>*", "L>*"],
    ),
    ("show ip route summary prefix", &["Route Source", "Totals"]),
    ("show ip nht 10.9.0.3", &["VRF default", "10.", " resolved"]),
];

const PASSED: &[&str] = &[
    "BGP table version",
    "Default local",
    "BGP routing table entry",
    "Total number",
];

/// What FRR 8.4 has in the same columns; where it has others than 10.3, rbgpd has those of 10.3.
const LINES_OF_8: &[(&str, &[&str])] = &[
    ("show bgp summary", &["Neighbor", "Total number"]),
    ("show bgp l2vpn evpn summary", &["Neighbor"]),
    (
        "show ip bgp",
        &["BGP table version", "Default local pref", "Displayed"],
    ),
    (
        "show bgp neighbors",
        &[
            "BGP neighbor is",
            "  BGP version",
            "  BGP state",
            "  Hold time",
            "  Message statistics",
            "                         Sent",
            "    Total",
            "Local host",
            "Foreign host",
        ],
    ),
    ("show bgp l2vpn evpn", &["   Network", "Displayed"]),
    ("show bgp vrfs", &["Type", "DFLT"]),
    ("show evpn vni", &["VNI", "100"]),
    ("show evpn mac vni 100", &["MAC", "Number of MACs"]),
    ("show evpn arp-cache vni 100", &["Neighbor"]),
    ("show bfd peers", &["BFD Peers", "\tpeer", "\t\tStatus"]),
    ("show bfd peers brief", &["SessionId", "========="]),
    ("show ip route summary", &["Route Source", "Totals"]),
    ("show interface brief", &["Interface", "---"]),
    ("show ip prefix-list", &["BGP:", "   seq"]),
];

const SUMMARY: &[&str] = &[
    "BGP router identifier",
    "BGP table version",
    "Neighbor",
    "10.9.0.3",
    "Total number",
];

const TABLE: &[&str] = &[
    "BGP table version",
    "Default local pref",
    "Status codes",
    "               i internal",
    "Nexthop codes",
    "Origin codes",
    "RPKI validation codes",
    "     Network",
    " *>  10.2",
    "Displayed",
];

const NEIGHBOR: &[&str] = &[
    "BGP neighbor is",
    "  Local Role",
    "  Remote Role",
    " Description",
    "Hostname",
    "  BGP version",
    "  BGP state",
    "  Last read",
    "  Hold time",
    "  Configured hold time",
    "  Neighbor capabilities",
    "    4 Byte AS",
    "    Extended Message",
    "    Route refresh",
    "    Enhanced Route Refresh",
    "    Address Family",
    "    Hostname Capability",
    "    Version Capability",
    "    Graceful Restart Capability",
    "      Remote Restart timer",
    "  Graceful restart information",
    "    End-of-RIB",
    "      Configured Restart",
    "      Received Restart",
    "  Message statistics",
    "                         Sent",
    "    Opens",
    "    Notifications",
    "    Updates",
    "    Keepalives",
    "    Capability",
    "    Total",
    "  Minimum time",
    " For address family",
    "  NEXT_HOP",
    "  Community attribute",
    "  Inbound path policy",
    "  Outbound path policy",
    "  Route map for",
    "  Connections established",
    "  External BGP",
    "Local host",
    "Foreign host",
    "Nexthop",
    "BGP connection",
    "BGP Connect Retry",
    "  BFD: Type",
    "  Detect Multiplier",
    "  Status",
];

#[test]
fn keys_and_types_are_those_of_frr() -> Result<(), Error> {
    scenario_beside_others("vtysh", &NEEDS, |lab| {
        let twins = Twins::build(lab)?;
        twins.settle(lab)?;
        let nodes = [twins.node(0)?, twins.node(1)?];
        compare_keys(lab, nodes, QUESTIONS, EVERYWHERE)?;
        compare_lines(lab, nodes, LINES)?;
        compare_lines(lab, [twins.node(0)?, twins.node(2)?], LINES_OF_8)?;
        compare_errors(lab, &twins)?;
        debugging(lab, &twins)?;
        names(lab, &twins)?;
        exporter(lab, &twins)?;
        streams(lab, &twins)
    })
}

/// What scripts go by: the exit code, and the first line of what is said.
fn compare_errors(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    for line in [
        "show version",
        "sh ip bgp sum",
        "show foo",
        "foo",
        "show ip",
        "show bgp 10.0.0.0/33",
        "show bgp summary extra",
        "show bgp vrf nosuch summary",
        "show bgp summary | exclude x",
        "show b",
        "show bgp neighbors 10.9.0.99",
        "show bgp ipv4 unicast 192.0.2.1",
        "show evpn vni 999",
        "show route-map NOSUCH",
        "show ip bgp prefix-list NOSUCH",
        "show ip bgp filter-list NOSUCH",
        "show ip bgp community-list NOSUCH",
        "show ip bgp large-community-list NOSUCH",
        "show ip bgp access-list NOSUCH",
        "show bgp community-list NOSUCH detail",
        "show bgp peer-group NOSUCH",
        "show bgp summary neighbor 10.9.0.99",
        "show interface nosuch",
        "show users",
        "show thread cpu",
        "show ip bgp regexp",
        "show ip bgp regexp _7_",
        "show ip bgp community 65003:7",
        "clear bgp 10.9.0.99",
        "clear bgp * soft out",
        "clear bgp 10.9.0.3 soft in",
        "clear bgp vrf nosuch *",
        "show ip bgp route-map NOSUCH",
        "show bgp vrfs nosuch",
        "show ip route vrf nosuch",
        "show ip route vrf nosuch 10.0.0.0/8",
        "show ip route vrf nosuch summary",
        "show ip nht vrf nosuch",
        "show interface vrf nosuch brief",
        "show vrf nosuch vni",
        "show evpn arp-cache vni 100 ip 10.100.0.99",
        "show bgp l2vpn evpn route vni 100 mac 02:00:00:00:00:01",
        "show bfd peer 10.9.0.3 local-address 192.0.2.9",
        "clear bgp peer-group NOSUCH",
        "clear bgp * in prefix-filter",
        "clear bgp 10.9.0.3 message-stats",
        "clear ip prefix-list OWN",
        "clear route-map counters",
        "debug bgp updates in 10.9.0.3",
        "debug zebra rib",
        "no debug bgp updates",
        "debug foo",
        "undebug all",
        "find",
        "find bgp.*summary",
        "no terminal paginate",
        "do show version",
        "terminal length 0",
    ] {
        let (ours, theirs) = (
            twins.node(0)?.vtysh(&[line])?,
            twins.node(1)?.vtysh(&[line])?,
        );
        let of = |output: &Output| (output.code, error_line(output));
        if of(&ours) != of(&theirs) {
            return wrong(format!(
                "`{line}`: {:?}, FRR has {:?}",
                of(&ours),
                of(&theirs)
            ));
        }
    }
    // The first that fails is the last.
    for (lines, code) in [
        (["show version", "foo"], Some(1)),
        (["foo", "clear bgp *"], Some(1)),
    ] {
        for at in [0, 1] {
            let output = twins.node(at)?.vtysh(&lines)?;
            if output.code != code {
                return wrong(format!("{lines:?} at {at}: {:?}", output.code));
            }
        }
    }
    lab.step("exit codes and errors are those of FRR");
    Ok(())
}

/// Names in the place of addresses, where the configuration has it so.
fn names(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    const ON: [&str; 5] = [
        "configure terminal",
        "router bgp 65002",
        "bgp default show-hostname",
        "bgp default show-nexthop-hostname",
        "end",
    ];
    let Node::Rbgpd(rbgpd) = twins.node(0)? else {
        return wrong("the first is rbgpd");
    };
    rbgpd.reload(|text| {
        let router = "[router]\nshow_hostname = true\nshow_next_hop_hostname = true\n[evpn]";
        text.replace("[evpn]", router)
    })?;
    let done = twins.node(1)?.vtysh(&ON)?;
    if done.code != Some(0) {
        return wrong(done.text());
    }
    // Words that have both an address of the segment and a name.
    let of = |text: &str| -> BTreeSet<String> {
        let words = text.split_whitespace().map(|it| it.trim_end_matches(','));
        let named = |it: &&str| it.contains("10.9.0.3") && it.contains(['(', '/']);
        words.filter(named).map(str::to_owned).collect()
    };
    let mut count = 0;
    for question in [
        "show bgp summary",
        "show bgp ipv4 unicast summary failed",
        "show bgp ipv4 unicast",
        "show bgp ipv4 unicast 10.203.0.0/16",
        "show bgp ipv4 unicast neighbors 10.9.0.3 routes",
        "show bgp ipv4 unicast neighbors 10.9.0.3 prefix-counts",
        "show bgp l2vpn evpn route type multicast",
    ] {
        let answers = [
            twins.node(0)?.vtysh(&[question])?,
            twins.node(1)?.vtysh(&[question])?,
        ];
        let [ours, theirs] = answers.map(|it| it.stdout);
        count += of(&theirs).len();
        if of(&ours) != of(&theirs) {
            return wrong(format!("{question}: {ours}\nFRR has {theirs}"));
        }
    }
    if count == 0 {
        return wrong("FRR shows no name");
    }
    lab.step(format!("{count} names of neighbors are where FRR has them"));
    Ok(())
}

/// What is said of debug messages, which of them are on, and that they come.
fn debugging(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    let Node::Rbgpd(rbgpd) = twins.node(0)? else {
        return wrong("the first is rbgpd");
    };
    let said = || Ok(std::fs::read_to_string(rbgpd.log()).unwrap_or_default());
    for line in [
        "show debugging",
        "debug bgp neighbor-events",
        "debug bgp neighbor-events 10.9.0.3",
        "debug bgp nht",
        "debug bgp keepalives 10.9.0.3",
        "debug bgp updates",
        "debug bgp updates in 10.9.0.3",
        "debug bgp updates prefix 10.0.0.0/8",
        "debug bgp zebra",
        "debug bgp zebra prefix 10.0.0.0/8",
        "debug bgp bestpath 10.203.0.0/16",
        "debug bgp update-groups",
        "debug bgp graceful-restart",
        "debug bgp bfd",
        "debug zebra events",
        "debug zebra kernel",
        "debug zebra vxlan",
        "debug zebra rib detailed",
        "debug zebra nht",
        "debug zebra dplane",
        "debug zebra nexthop detail",
        "debug bfd peer",
        "debug bfd network",
        "debug bfd zebra",
        "show debugging",
        "no debug bgp updates in",
        "no debug zebra rib",
        "no debug bfd peer",
        "no debug bgp nht",
        "no debug bgp zebra",
        "show debugging",
    ] {
        let ours = twins.node(0)?.vtysh(&[line])?;
        let theirs = twins.node(1)?.vtysh(&[line])?;
        if ours.stdout != theirs.stdout || ours.code != theirs.code {
            let (ours, theirs) = (ours.text(), theirs.text());
            return wrong(format!("`{line}`: {ours}\nFRR has {theirs}"));
        }
    }
    lab.until_shown("the log has KEEPALIVEs", &["KEEPALIVE"], said)?;
    for (order, wanted) in [
        ("debug bgp updates", "announced"),
        ("debug bgp updates out", "attributes="),
        ("debug bgp neighbor-events", "session state"),
    ] {
        twins.node(0)?.vtysh(&[order, "clear bgp 10.9.0.3"])?;
        lab.until_shown(&format!("the log after `{order}`"), &[wanted], said)?;
        twins.settle(lab)?;
    }
    for at in [0, 1] {
        twins.node(at)?.vtysh(&["no debug bgp"])?;
    }
    lab.step("debug messages are asked for as in FRR, and come");
    Ok(())
}

/// The first line that begins with a percent sign.
fn error_line(output: &Output) -> Option<String> {
    let mut lines = output.stdout.lines().chain(output.stderr.lines());
    lines.find(|line| line.starts_with('%')).map(str::to_owned)
}

/// What the Prometheus exporter for FRR (tynany/frr_exporter) asks, and reads with these types.
fn exporter(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    let node = twins.node(0)?;
    let mut metrics = 0;
    for (family, unicast) in [("ipv4", "unicast"), ("ipv6", "unicast"), ("l2vpn", "evpn")] {
        let answer = asked(
            node,
            &format!("show bgp vrf all {family} {unicast} summary"),
        )?;
        let Some(default) = answer.get("default").and_then(Value::as_object) else {
            return wrong(format!("{family}: {answer}"));
        };
        if family == "ipv6" {
            if !default.is_empty() {
                return wrong(format!("no neighbor has IPv6: {default:?}"));
            }
            continue;
        }
        for key in ["as", "ribCount", "ribMemory", "peerCount"] {
            number(default.get(key), key)?;
            metrics += 1;
        }
        let peer = default.get("peers").and_then(|it| it.get("10.9.0.3"));
        for key in [
            "remoteAs",
            "msgRcvd",
            "msgSent",
            "peerUptimeMsec",
            "pfxRcd",
            "pfxSnt",
        ] {
            if number(peer.and_then(|it| it.get(key)), key)? < 1.0 {
                return wrong(format!("{family}: {key} is nothing: {peer:?}"));
            }
            metrics += 1;
        }
        if peer.and_then(|it| it.get("state")).and_then(Value::as_str) != Some("Established") {
            return wrong(format!("{family}: {peer:?}"));
        }
    }
    let neighbors = asked(node, "show bgp neighbors")?;
    if neighbors
        .pointer("/10.9.0.3/nbrDesc")
        .and_then(Value::as_str)
        != Some("third")
    {
        return wrong(format!("nbrDesc: {neighbors}"));
    }
    let told = asked(
        node,
        "show bgp ipv4 unicast neighbors 10.9.0.3 advertised-routes",
    )?;
    number(told.get("totalPrefixCounter"), "totalPrefixCounter")?;
    let vnis = asked(node, "show evpn vni")?;
    let vni = vnis.get(VNI.to_string());
    for key in ["vni", "numMacs", "numArpNd", "numRemoteVteps"] {
        if number(vni.and_then(|it| it.get(key)), key)? < 1.0 {
            return wrong(format!("{key} is nothing: {vni:?}"));
        }
        metrics += 1;
    }
    let sessions = asked(node, "show bfd peers")?;
    let session = sessions.as_array().and_then(|all| all.first());
    number(session.and_then(|it| it.get("uptime")), "uptime")?;
    for (key, text) in [
        ("status", "up"),
        ("peer", "10.9.0.3"),
        ("local", "10.9.0.1"),
    ] {
        if session.and_then(|it| it.get(key)).and_then(Value::as_str) != Some(text) {
            return wrong(format!("{key} is not {text}: {session:?}"));
        }
        metrics += 1;
    }
    for version in ["ip", "ipv6"] {
        let routes = asked(node, &format!("show {version} route vrf all summary"))?;
        for key in ["routesTotal", "routesTotalFib"] {
            number(routes.pointer(&format!("/default/{key}")), key)?;
            metrics += 1;
        }
    }
    let version = node.vtysh(&["show version"])?.stdout;
    let first = version.lines().next().unwrap_or_default();
    let named = first
        .strip_prefix("FRRouting ")
        .and_then(|it| it.split_once(" on "));
    if !named.is_some_and(|(_, system)| system.ends_with('.')) {
        return wrong(format!("show version: {first}"));
    }
    lab.step(format!(
        "the exporter's questions: {metrics} numbers and words"
    ));
    Ok(())
}

fn number(value: Option<&Value>, key: &str) -> Result<f64, Error> {
    match value.and_then(Value::as_f64) {
        Some(number) => Ok(number),
        None => wrong(format!("{key} is no number: {value:?}")),
    }
}

/// Commands on standard input and by the link; garbage ends with an error and changes nothing.
fn streams(lab: &Lab, twins: &Twins) -> Result<(), Error> {
    let Some(edge) = twins.edges.first() else {
        return wrong("three edges");
    };
    let Node::Rbgpd(rbgpd) = edge.node() else {
        return wrong("edge 1 is rbgpd");
    };
    let link = lab.dir().join("vtysh");
    let Some(ctl) = binary("rbgpctl") else {
        return wrong("no program rbgpctl");
    };
    std::os::unix::fs::symlink(ctl, &link).map_err(|e| Error::State(e.to_string()))?;
    let run = |words: &[&str], input: &[u8]| -> Result<Output, Error> {
        let mut command = edge.space().command(&link.display().to_string());
        command.args(words).env("RBGPD_SOCKET", rbgpd.socket());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let failed = |e: std::io::Error| Error::State(format!("vtysh: {e}"));
        let mut child = command.spawn().map_err(failed)?;
        let (stdin, input) = (child.stdin.take(), input.to_vec());
        // Beside reading, or both sides wait for each other.
        let writer = std::thread::spawn(move || {
            // A session that has ended does not read on.
            stdin.map(|mut stdin| stdin.write_all(&input).is_ok())
        });
        let output = child.wait_with_output().map_err(failed)?;
        drop(writer.join());
        Ok(Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    };
    let piped = run(&[], b"! a comment\nshow bgp vrfs json\n\nshow version\n")?;
    if piped.code != Some(0) || !piped.stdout.contains("FRRouting") {
        return wrong(format!("stdin: {piped:?}"));
    }
    let before = run(&["-c", "show bgp neighbors json"], b"")?.stdout;
    let mut garbage: Vec<Vec<u8>> = vec![
        (0..=255u8).cycle().take(100_000).collect(),
        b"nonsense\nclear bgp *\n".to_vec(),
        b"configure terminal\nrouter bgp 65001\n no neighbor 10.9.0.3\n nonsense\n".to_vec(),
        vec![b'a'; 1_000_000],
        b"show ".repeat(50_000),
    ];
    garbage.push([b"show bgp ".as_slice(), &[0xff; 300], b"\n"].concat());
    for input in &garbage {
        let output = run(&[], input)?;
        if output.code != Some(1) || !output.stdout.starts_with('%') {
            let begin: String = output.text().chars().take(300).collect();
            return wrong(format!("garbage ended with {:?}: {begin}", output.code));
        }
    }
    let flaps = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        value
            .pointer("/10.9.0.3/connectionsDropped")
            .and_then(Value::as_u64)
    };
    let after = run(&["-c", "show bgp neighbors json"], b"")?.stdout;
    if flaps(&before).is_none() || flaps(&before) != flaps(&after) {
        return wrong(format!(
            "garbage had an effect: {:?} {:?}",
            flaps(&before),
            flaps(&after)
        ));
    }
    let gone = run(
        &["--socket", "/run/nothing.sock", "-c", "show version"],
        b"",
    )?;
    if gone.code != Some(1) || !gone.stderr.starts_with("failed to connect to any daemons.") {
        return wrong(format!("without a daemon: {gone:?}"));
    }
    lab.step(format!(
        "standard input, the link, {} sessions fed garbage",
        garbage.len()
    ));
    Ok(())
}
