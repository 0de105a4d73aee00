//! Commands about what only FRR has: other daemons' protocols, families and features that rbgpd does not have,
//! and FRR's inside.
//!
//! Where FRR has something to say even if there is none of it, the same is said, and scripts do not
//! notice. The rest says what to look at instead. All of it ends with exit code 0, so that a script that
//! looks at several things goes on.

use super::{Ask, Command, What, command};

const fn elsewhere(words: &'static str, daemon: &'static str) -> Command {
    command(words, What::Ask(Ask::Elsewhere(daemon)), "not run here")
}

const fn not_here(words: &'static str, why: &'static str) -> Command {
    command(words, What::Ask(Ask::NotHere(why)), "not here")
}

const fn none(words: &'static str, text: &'static str, json: &'static str) -> Command {
    command(words, What::Ask(Ask::NoneOf(text, json)), "there is none")
}

const fn taken(words: &'static str, why: &'static str) -> Command {
    command(words, What::Ask(Ask::Taken(why)), "changes nothing")
}

const SEGMENTS_OF_ZEBRA: &str = "\
Type: B bypass, L local, R remote, N non-DF
ESI                            Type ES-IF                 VTEPs
";

const SEGMENTS_OF_BGP: &str = "\
ES Flags: B - bypass, L local, R remote, I inconsistent
VTEP Flags: E ESR/Type-4, A active nexthop
ESI                            Flags RD                    #VNIs    VTEPs
";

const SEGMENT_VNIS_OF_BGP: &str = "\
Flags: L local, R remote, I inconsistent
VTEP-Flags: E EAD-per-ES, V EAD-per-EVI
VNI      ESI                            Flags VTEPs
";

const SEGMENT_VRFS: &str = "\
ES-VRF Flags: A Active
ESI                            VRF             Flags IPv4-NHG IPv6-NHG Ref
";

const LOCATORS: &str = "\
Locator:
Name                 ID      Prefix                   Status
-------------------- ------- ------------------------ -------

";

const NO_ROUTES: &str = "No BGP prefixes displayed, 0 exist\n";
const NO_NEIGHBORS: &str = "% No BGP neighbors found in VRF default\n";
const LOG: &str = "rbgpd has no debug messages of that; everything is logged with `[log] level = \"debug\"` or RBGPD_LOG, \
     and `rbgpctl explain` tells why a route is as it is";
const COUNTERS: &str =
    "what lists and route-maps have counted stays: it is counted since they are as they are";

/// All of them.
pub(super) const ABSENT: &[Command] = &[
    elsewhere("show ip ospf [LINE]", "ospfd"),
    elsewhere("show ipv6 ospf6 [LINE]", "ospf6d"),
    elsewhere("show isis [LINE]", "isisd"),
    elsewhere("show openfabric [LINE]", "fabricd"),
    elsewhere("show ip (pim|igmp|mroute|multicast|msdp) [LINE]", "pimd"),
    elsewhere("show ipv6 (pim|mld|mroute|multicast) [LINE]", "pim6d"),
    elsewhere("show ip rip [LINE]", "ripd"),
    elsewhere("show ipv6 ripng [LINE]", "ripngd"),
    elsewhere("show ip eigrp [LINE]", "eigrpd"),
    elsewhere("show babel [LINE]", "babeld"),
    elsewhere("show (ip|ipv6) nhrp [LINE]", "nhrpd"),
    elsewhere("show dmvpn [json]", "nhrpd"),
    elsewhere("show pbr [LINE]", "pbrd"),
    elsewhere("show sr-te [LINE]", "pathd"),
    elsewhere("show mpls ldp [LINE]", "ldpd"),
    elsewhere("show l2vpn [LINE]", "ldpd"),
    elsewhere("show vrrp [LINE]", "vrrpd"),
    elsewhere(
        "clear (ip|ipv6) (ospf|ospf6|pim|igmp|mroute|rip|eigrp|nhrp) [LINE]",
        "ospfd, pimd and others",
    ),
    none("show mpls table [json]", "", "{}"),
    none("show mpls fec", "", "{}"),
    none(
        "show mpls pseudowires [json]",
        "Interface        Neighbor                 Labels       Protocol Status    \n",
        "{}",
    ),
    not_here("show mpls status", "packets with labels are not forwarded"),
    none(
        "show segment-routing srv6 locator [json]",
        LOCATORS,
        "{\"locators\":[]}",
    ),
    none(
        "show (ip|ipv6) route [vrf NAME] (eigrp|nhrp|babel|openfabric|ospf6|ripng|table-direct|pbr|sharp) [json]",
        "",
        "{}",
    ),
    none(
        "show bfd distributed",
        "                  Data plane\n                  ==========\n",
        "{}",
    ),
    none("show evpn es [json]", SEGMENTS_OF_ZEBRA, "[]"),
    none("show evpn (es|es-evi|access-vlan) detail [json]", "", "[]"),
    none(
        "show evpn es-evi [json]",
        "Type: L local, R remote\nVNI      ESI                            Type\n",
        "[]",
    ),
    none(
        "show evpn l2-nh [json]",
        "VTEP             NH id      #ES\n",
        "[]",
    ),
    none(
        "show evpn access-vlan [json]",
        "VLAN         SVI             L2-VNI   VXLAN-IF        # Members\n",
        "[]",
    ),
    none("show bgp l2vpn evpn es [json]", SEGMENTS_OF_BGP, "[]"),
    none("show bgp l2vpn evpn (es|es-evi) detail [json]", "", "[]"),
    none(
        "show bgp l2vpn evpn es-evi [json]",
        SEGMENT_VNIS_OF_BGP,
        "[]",
    ),
    none("show bgp l2vpn evpn es-vrf [json]", SEGMENT_VRFS, "[]"),
    none(
        "show bgp l2vpn evpn next-hops [json]",
        "VRF             IP              RMAC              #Paths     Base Path\n",
        "[]",
    ),
    none(
        "show [ip] bgp [(vrf|view) NAME] (ipv4|ipv6) (vpn|multicast|labeled-unicast|flowspec) [json]",
        NO_ROUTES,
        "{}",
    ),
    none(
        "show [ip] bgp [(vrf|view) NAME] (ipv4|ipv6) (vpn|multicast|labeled-unicast|flowspec) summary [json]",
        NO_NEIGHBORS,
        "{}",
    ),
    none(
        "show [ip] bgp [(ipv4|ipv6) [unicast]] dampening (dampened-paths|flap-statistics) [json]",
        "",
        "{}",
    ),
    none(
        "(show ip bgp|show [ip] bgp ipv4 [unicast]) dampening parameters [json]",
        "dampening not enabled for IPv4 Unicast\n",
        "{}",
    ),
    none(
        "show bgp [ipv6 [unicast]] dampening parameters [json]",
        "dampening not enabled for IPv6 Unicast\n",
        "{}",
    ),
    none(
        "show [ip] bgp [(vrf|view) NAME] [(ipv4|ipv6) [unicast]] neighbors (A.B.C.D|X:X::X:X|WORD) (dampened-routes|flap-statistics) [json]",
        "",
        "{}",
    ),
    not_here(
        "show bfd static route [json]",
        "`rbgpctl show static` tells how BFD stands for static routes",
    ),
    not_here(
        "show memory [LINE]",
        "memory is counted as a whole: `rbgpctl show memory`",
    ),
    not_here(
        "show event (cpu|poll|timers) [LINE]",
        "there is no event loop that takes its own time: `top -H` has the threads",
    ),
    not_here(
        "show (work-queues|modules|watchfrr|zebra|fpm|mgmt|yang|configuration) [LINE]",
        "there is one program, without modules, queues between daemons, or a daemon that watches \
         others: systemd does that",
    ),
    not_here(
        "show history",
        "what is typed is kept by the terminal, until the session ends",
    ),
    not_here(
        "show error (all|WORD) [json]",
        "every message of rbgpd says what to do next itself",
    ),
    not_here(
        "show debugging (hashtable|label-table) [LINE]",
        "it is of FRR's inside: `rbgpctl show memory`",
    ),
    not_here(
        "show logging filter-text",
        "`journalctl -u rbgpd --grep TEXT` filters",
    ),
    not_here(
        "show nexthop-group rib [LINE]",
        "`ip nexthop` lists the kernel's objects",
    ),
    not_here(
        "show (ip|ipv6) route nexthop-group [LINE]",
        "`ip route` and `ip nexthop` list the kernel's objects",
    ),
    not_here(
        "show interface IFNAME nexthop-group",
        "`ip nexthop` lists the kernel's objects",
    ),
    not_here("show (ip|ipv6) rpf [LINE]", "multicast is not routed here"),
    not_here(
        "show (ip|ipv6) protocol [vrf NAME]",
        "what goes to the kernel is decided by each family's import policy: `rbgpctl show route-maps`",
    ),
    not_here(
        "show route-map-unused",
        "`rbgpctl show route-maps` tells where each is used",
    ),
    not_here(
        "show mac access-list [LINE]",
        "MAC lists are in `show running-config`",
    ),
    not_here("show ip neigh", "`ip neigh` lists the kernel's neighbors"),
    not_here(
        "show ipv6 nd ra-interfaces [vrf NAME]",
        "router advertisements are sent on links with neighbors without addresses: `rbgpctl show neighbors`",
    ),
    not_here(
        "show segment-routing [LINE]",
        "there is no segment routing here",
    ),
    not_here(
        "show bgp (segment-routing|labelpool|mpls) [LINE]",
        "routes have no labels here",
    ),
    not_here(
        "show [ip] bgp (attribute-info|community-info|large-community-info|paths|listeners|peerhash|import-check-table|convergence)",
        "it is of the inside of FRR's bgpd: `rbgpctl show memory` tells what the tables hold",
    ),
    not_here(
        "show bgp (martian next-hop|mac hash)",
        "`ip address` and `ip link` list this host's addresses",
    ),
    not_here(
        "show [ip] bgp [(vrf|view) NAME] [((ipv4|ipv6) [unicast]|l2vpn evpn)] update-groups [LINE]",
        "neighbors that are told the same share the work, and such a group has no number",
    ),
    not_here(
        "show rpki (prefix-table|prefix-count|cache-server|configuration|prefix|as-number) [LINE]",
        "`rbgpctl show rpki` tells of caches and how much they say, `rbgpctl show rpki PREFIX` what is said of a prefix",
    ),
    taken(
        "rpki (start|stop|reset)",
        "caches are asked as long as they are configured",
    ),
    not_here("show cli graph", "`list` has the commands"),
    not_here("show motd", "there is no message of the day"),
    taken(
        "[no] debug (mgmt|northbound|service|resolver|vrf|route-map|ospf|pim) [LINE]",
        LOG,
    ),
    taken("[no] debug (bgp|zebra) LINE", LOG),
    taken(
        "clear (ip|ipv6) prefix-list [LIST] [(A.B.C.D/M|X:X::X:X/M)]",
        COUNTERS,
    ),
    taken("clear route-map counters [NAME]", COUNTERS),
    taken("clear event cpu [LINE]", "no such time is taken"),
    taken("clear log cmdline-targets", "there are none"),
    taken("clear [ip] bgp dampening [LINE]", "no route is dampened"),
    taken(
        "clear [ip] bgp [(vrf|view) NAME] prefix (A.B.C.D/M|X:X::X:X/M)",
        "a route is decided about whenever something of it changes",
    ),
    taken(
        "clear [ip] bgp [(vrf|view) NAME] [((ipv4|ipv6) [unicast]|l2vpn evpn)] (*|A.B.C.D|X:X::X:X|WORD) message-stats",
        "messages are counted since the session began",
    ),
    taken(
        "clear [ip] bgp [(vrf|view) NAME] [((ipv4|ipv6) [unicast]|l2vpn evpn)] (*|A.B.C.D|X:X::X:X|WORD) capabilities",
        "capabilities are told in an OPEN: `clear bgp` begins the session anew",
    ),
    taken(
        "(output file LINE|no output file)",
        "redirect what this program prints",
    ),
];
