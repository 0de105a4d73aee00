//! The order in which FRR shows lines and blocks.
//!
//! It means nothing to a reader of the file, neither to FRR nor to us; it is there for those who
//! compare one output with the other.

use std::net::IpAddr;

use super::shapes::Node;
use super::spell::Opener;

/// Outside all blocks: what is first, and which of them stand together without `!` between.
pub(super) fn top(text: &str) -> usize {
    const FIRST: [&str; 24] = [
        "frr version",
        "frr defaults",
        "hostname",
        "domainname",
        "log ",
        "no log ",
        "no ip forwarding",
        "no ipv6 forwarding",
        "ip forwarding",
        "ipv6 forwarding",
        "service ",
        "",
        "ip route",
        "ipv6 route",
        "access-list",
        "ipv6 access-list",
        "mac access-list",
        "ip prefix-list",
        "ipv6 prefix-list",
        "bgp as-path",
        "bgp community-list",
        "bgp large-community-list",
        "bgp extcommunity-list",
        "bgp community alias",
    ];
    let plain = FIRST.iter().position(|it| it.is_empty()).unwrap_or(0);
    let found = FIRST
        .iter()
        .position(|it| !it.is_empty() && text.starts_with(it));
    let at = found.unwrap_or(plain);
    match at {
        // Blocks of VRFs, interfaces and routers come between routes and lists.
        14.. => at + LISTS,
        _ => at,
    }
}

/// Where lists come.
const LISTS: usize = 100;

/// Which group of lines outside blocks one is in; `!` stands between groups.
pub(super) fn group(rank: usize) -> usize {
    match rank {
        ..12 => 0,
        _ => rank,
    }
}

/// A block among others and what is outside.
pub(super) fn block(opener: &Opener) -> usize {
    match opener.node {
        Node::Vrf => 50,
        Node::Interface => 51,
        Node::Router => 52,
        Node::TopVni => 53,
        Node::RouteMap => 200,
        Node::Bfd => 201,
        Node::Rpki => 54,
        Node::Line => 202,
        Node::Foreign => 60,
        Node::Ipv4 => 1,
        Node::Ipv6 => 2,
        Node::Evpn => 3,
        Node::OtherFamily => 4,
        Node::Vni => 5,
        Node::BfdProfile => 6,
        Node::BfdPeer => 7,
        Node::Top => 0,
    }
}

/// Lines of a router or a family: its own, groups, neighbours, and what comes after them.
pub(super) fn within(text: &str, is_group: impl Fn(&str) -> bool) -> (usize, Who, usize) {
    let plain = text.strip_prefix("no ").unwrap_or(text);
    if let Some(rest) = plain.strip_prefix("neighbor ") {
        let (peer, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let class = if is_group(peer) { 1 } else { 2 };
        return (class, Who::of(peer), rank(&OF_NEIGHBOR, rest));
    }
    let late = ["bgp listen", "maximum-paths", "import vrf", "distance"];
    let class = if late.iter().any(|begin| plain.starts_with(begin)) {
        3
    } else {
        0
    };
    (class, Who::Nobody, rank(&OF_ROUTER, plain))
}

/// A neighbour in the order of FRR: by address, in front of which are interfaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Nobody,
    Name(String),
    Address(IpAddr),
}

impl Who {
    fn of(name: &str) -> Self {
        match name.parse() {
            Ok(address) => Who::Address(address),
            Err(_) => Who::Name(name.to_owned()),
        }
    }
}

fn rank(order: &[&str], text: &str) -> usize {
    let known = order.iter().position(|begin| text.starts_with(begin));
    known.unwrap_or(order.len())
}

const OF_ROUTER: [&str; 34] = [
    "bgp router-id",
    "bgp suppress-fib-pending",
    "bgp fast-external-failover",
    "bgp log-neighbor-changes",
    "bgp always-compare-med",
    "bgp ebgp-requires-policy",
    "bgp enforce-first-as",
    "bgp suppress-duplicates",
    "bgp hard-administrative-reset",
    "bgp default",
    "bgp client-to-client",
    "bgp cluster-id",
    "bgp disable-ebgp",
    "bgp confederation identifier",
    "bgp confederation peers",
    "bgp deterministic-med",
    "bgp max-med",
    "bgp update-delay",
    "bgp graceful-shutdown",
    "bgp long-lived",
    "bgp graceful-restart",
    "bgp bestpath",
    "bgp network import-check",
    "timers bgp",
    "bgp ",
    "network",
    "aggregate-address",
    "redistribute",
    "advertise-all-vni",
    "advertise",
    "dup-addr-detection",
    "flooding",
    "rd",
    "route-target",
];

const OF_NEIGHBOR: [&str; 57] = [
    "peer-group",
    "interface",
    "remote-as",
    "local-as",
    "description",
    "shutdown",
    "bfd strict",
    "bfd profile",
    "bfd check",
    "bfd",
    "password",
    "solo",
    "port",
    "local-role",
    "update-source",
    "advertisement-interval",
    "timers connect",
    "timers delayopen",
    "timers",
    "ebgp-multihop",
    "ttl-security",
    "disable-connected-check",
    "enforce-first-as",
    "passive",
    "capability",
    "graceful-restart",
    "aigp",
    "path-attribute",
    "activate",
    "addpath",
    "disable-addpath",
    "soo",
    "route-reflector-client",
    "next-hop-self",
    "remove-private-AS",
    "as-override",
    "send-community",
    "default-originate",
    "soft-reconfiguration",
    "maximum-prefix ",
    "maximum-prefix-out",
    "route-server-client",
    "nexthop-local",
    "allowas-in",
    "weight",
    "distribute-list",
    "prefix-list",
    "route-map",
    "unsuppress-map",
    "filter-list",
    "advertise-map",
    "attribute-unchanged",
    "long-lived",
    "oad",
    "tcp-mss",
    "sender-as",
    "dont-capability",
];
