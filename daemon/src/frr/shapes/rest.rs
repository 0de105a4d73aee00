//! Everything else: the system, what of interfaces is others' business, and what other daemons of FRR do.

use super::Means::{
    Always, Closes, Does, Elsewhere, Moot, Needless, Never, Opens, OpensElsewhere, Refused,
};
use super::Node::{Interface, Line, Top, Vrf};
use super::router::kernel_map;
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Family, Put, Site, quote};

const HERE: &[Node] = &[Top];
const LINK: &[Node] = &[Interface];

const LINKS: &str = "interfaces are set up by the host's network configuration";
const LOGS: &str =
    "[log] says what goes to stderr, to the system's log and to a file; more is not told apart";
const VTY: &str = "nobody gets in by telnet, with a password or without one; who may use the control socket gives orders, as with vtysh";

pub(super) const SHAPES: &[Shape] = &[
    shape(
        HERE,
        "frr version LINE",
        Does(|site, a| {
            let mut numbers = a.value("LINE").split(['.', '-', ' ', '_']);
            let mut next = || numbers.next().and_then(|it| it.parse::<u32>().ok());
            let version = next().map(|major| (major, next().unwrap_or(0)));
            site.version = version.filter(|_| !a.no());
            DONE
        }),
    ),
    shape(
        HERE,
        "frr defaults (traditional|datacenter)",
        Does(|site, a| {
            site.datacenter = a.has("datacenter") && !a.no();
            DONE
        }),
    ),
    shape(
        HERE,
        "hostname NAME",
        Does(|site, a| {
            site.hostname = host_name(a)?;
            DONE
        }),
    ),
    shape(
        HERE,
        "domainname NAME",
        Does(|site, a| {
            site.domainname = host_name(a)?;
            DONE
        }),
    ),
    shape(
        HERE,
        "service (advanced-vty|password-encryption|terminal-length N|cputime-stats|cputime-warning N|walltime-warning N)",
        Moot("there is one program and one file"),
    ),
    shape(
        HERE,
        "service integrated-vtysh-config",
        Always("there is one file for everything"),
    ),
    shape(HERE, "(password|enable password) LINE", Always(VTY)),
    shape(HERE, "username NAME nopassword", Always(VTY)),
    shape(HERE, "username NAME LINE", Moot(VTY)),
    shape(HERE, "banner LINE", Moot("there is no login")),
    shape(HERE, "line vty", Opens(Line, |_, _| DONE)),
    shape(
        &[Line],
        "(exec-timeout N [N]|access-class NAME|login|ipv6 access-class NAME)",
        Always(VTY),
    ),
    shape(
        HERE,
        "log (stdout|syslog|file PATH) [(emergencies|alerts|critical|errors|warnings|notifications|informational|debugging)]",
        Does(log_to),
    ),
    shape(
        HERE,
        "log facility (kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|local0|local1|local2|local3|local4|local5|local6|local7)",
        Does(facility),
    ),
    shape(
        HERE,
        "log timestamp precision N",
        Does(|site, a| {
            if a.no() {
                return put_log(site, "time_digits", None);
            }
            let digits = a.value("N").parse::<u8>().ok().filter(|it| *it <= 6);
            let digits = digits.ok_or("the precision is a number from 0 to 6")?;
            put_log(site, "time_digits", Some(a.put(digits.to_string())))
        }),
    ),
    shape(
        HERE,
        "log (monitor|trap) [(emergencies|alerts|critical|errors|warnings|notifications|informational|debugging)]",
        Moot("terminals are shown no log, and each target has its own level"),
    ),
    shape(
        HERE,
        "log commands",
        Always("each order is in the log, with who has given it"),
    ),
    shape(
        HERE,
        "log (facility|timestamp|record-priority|filter-text|filtered-file|filter-file|immediate-mode|extended|extended-syslog|daemon|5424|rotate) [LINE]",
        Moot(LOGS),
    ),
    shape(
        HERE,
        "log (unique-id|error-category)",
        Never("messages have no numbers"),
    ),
    shape(HERE, "log-filter LINE", Moot(LOGS)),
    shape(
        HERE,
        "(agentx|zebra LINE|mgmt LINE|fpm LINE|dump LINE|watchfrr LINE|netns NAME)",
        Moot("it has no counterpart"),
    ),
    shape(
        HERE,
        "allow-reserved-ranges",
        Always("addresses of 240.0.0.0/4 are used like others"),
    ),
    shape(
        HERE,
        "bgp (input-queue-limit|output-queue-limit) <1-4294967295>",
        Needless(
            "what waits is bounded: of a neighbor no more is read, and for it no more made, than fits",
        ),
    ),
    shape(
        HERE,
        "zebra nexthop kernel enable",
        Does(|site, a| {
            site.nexthop_objects = a.no().then(|| a.put("false"));
            DONE
        }),
    ),
    shape(
        HERE,
        "zebra nexthop-group keep <1-3600>",
        Needless(
            "a nexthop object that no route uses any longer goes at once, and is made anew with the next route",
        ),
    ),
    shape(
        HERE,
        "(ip|ipv6) nht resolve-via-default",
        Always("next hops are found as the kernel finds them, by the default route too"),
    ),
    shape(
        &[Top, Vrf],
        "(ip|ipv6) protocol (bgp|any) route-map NAME",
        Does(protocol_map),
    ),
    shape(
        &[Top, Vrf],
        "(ip|ipv6) protocol static route-map NAME",
        Refused("a static route says itself what stands in the kernel: `src` in [[static_route]]"),
    ),
    shape(
        &[Top, Vrf],
        "(ip|ipv6) protocol LINE",
        Elsewhere("the daemon whose routes they are"),
    ),
    shape(
        HERE,
        "(ip|ipv6) (import-table|nht) LINE",
        Refused("next hops are looked up, and routes taken over, without a map between"),
    ),
    shape(HERE, "router-id A.B.C.D [vrf NAME]", Does(router_id)),
    shape(HERE, "ip router-id A.B.C.D [vrf NAME]", Does(router_id)),
    shape(
        HERE,
        "ipv6 router-id X:X::X:X",
        Moot("identifiers are IPv4"),
    ),
    shape(HERE, "(ip|ipv6) mroute LINE", Elsewhere("pimd")),
    shape(
        HERE,
        "bgp router-id A.B.C.D",
        Does(|site, a| {
            site.router_id = (!a.no()).then(|| a.put(quote(a.value("A.B.C.D"))));
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp (no-rib|session-dscp N|update-delay N [N])",
        Moot("it has no counterpart"),
    ),
    shape(LINK, "(bandwidth N|multicast|mtu N)", Moot(LINKS)),
    shape(LINK, "mpls bgp LINE", Refused("rbgpd has no labels")),
    shape(LINK, "mpls [(enable|disable)]", Elsewhere("ldpd or zebra")),
    // A block of its own, whose lines have no other meaning here.
    shape(
        LINK,
        "(link-params|exit-link-params|enable)",
        Elsewhere("ospfd, isisd or pathd"),
    ),
    shape(
        LINK,
        "(metric|max-bw|max-rsv-bw|unrsv-bw|ava-bw|res-bw|use-bw|delay|delay-variation|packet-loss|admin-grp|affinity|affinity-mode) LINE",
        Elsewhere("ospfd, isisd or pathd"),
    ),
    shape(
        LINK,
        "neighbor A.B.C.D as ASN",
        Elsewhere("ospfd, isisd or pathd"),
    ),
    shape(LINK, "tunnel (source|protection) LINE", Elsewhere("nhrpd")),
    shape(LINK, "(ip|ipv6) ospf LINE", Elsewhere("ospfd")),
    shape(LINK, "(ospf|ospf6) LINE", Elsewhere("ospfd")),
    shape(LINK, "ipv6 ospf6 LINE", Elsewhere("ospf6d")),
    shape(LINK, "(ip|ipv6) router isis LINE", Elsewhere("isisd")),
    shape(LINK, "isis LINE", Elsewhere("isisd")),
    shape(
        LINK,
        "(ip|ipv6) router openfabric LINE",
        Elsewhere("fabricd"),
    ),
    shape(LINK, "openfabric LINE", Elsewhere("fabricd")),
    shape(
        LINK,
        "(ip|ipv6) (pim|igmp|mld|mroute|multicast) [LINE]",
        Elsewhere("pimd"),
    ),
    shape(LINK, "ip rip LINE", Elsewhere("ripd")),
    shape(LINK, "ipv6 ripng LINE", Elsewhere("ripngd")),
    shape(
        LINK,
        "ip (eigrp|summary-address eigrp|bandwidth-percent|hello-interval eigrp|hold-time eigrp|authentication) LINE",
        Elsewhere("eigrpd"),
    ),
    shape(LINK, "babel LINE", Elsewhere("babeld")),
    shape(LINK, "(ip|ipv6) nhrp LINE", Elsewhere("nhrpd")),
    shape(LINK, "(vrrp|pbr-policy) LINE", Elsewhere("vrrpd or pbrd")),
    shape(LINK, "(ldp|mpls ldp-sync) [LINE]", Elsewhere("ldpd")),
    shape(HERE, "router ospf [LINE]", OpensElsewhere("ospfd")),
    shape(HERE, "router ospf6 [LINE]", OpensElsewhere("ospf6d")),
    shape(HERE, "router isis [LINE]", OpensElsewhere("isisd")),
    shape(HERE, "router openfabric [LINE]", OpensElsewhere("fabricd")),
    shape(
        HERE,
        "router (rip|ripng|eigrp|babel|pim|pim6) [LINE]",
        OpensElsewhere("ripd, ripngd, eigrpd, babeld or pimd"),
    ),
    shape(
        HERE,
        "(ip|ipv6) (pim|igmp|mld|multicast|msdp|ssmpingd) LINE",
        Elsewhere("pimd"),
    ),
    shape(HERE, "mpls ldp", OpensElsewhere("ldpd")),
    shape(HERE, "mpls LINE", Elsewhere("ldpd or zebra")),
    shape(HERE, "l2vpn NAME [LINE]", OpensElsewhere("ldpd")),
    shape(
        HERE,
        "segment-routing",
        OpensElsewhere("pathd or zebra (SRv6)"),
    ),
    shape(
        HERE,
        "(key chain NAME|pbr-map NAME LINE|nexthop-group NAME|pseudowire NAME|vrrp LINE|nhrp LINE|affinity-map LINE)",
        OpensElsewhere("the daemon of that protocol"),
    ),
    shape(HERE, "traffic LINE", OpensElsewhere("zebra")),
    shape(HERE, "vnc LINE", Refused("VNC is not known")),
    shape(
        &[
            Top,
            Node::Router,
            Node::Ipv4,
            Node::Ipv6,
            Node::Evpn,
            Node::Vni,
            Node::TopVni,
            Node::RouteMap,
            Interface,
            Node::Vrf,
            Node::Bfd,
            Node::BfdPeer,
            Node::BfdProfile,
            Node::Rpki,
            Line,
            Node::OtherFamily,
            Node::Foreign,
        ],
        "(exit|quit)",
        Closes,
    ),
    shape(
        &[
            Top,
            Node::Router,
            Node::Ipv4,
            Node::Ipv6,
            Node::Evpn,
            Node::Vni,
            Node::TopVni,
            Node::RouteMap,
            Interface,
            Node::Vrf,
            Node::Bfd,
            Node::BfdPeer,
            Node::BfdProfile,
            Node::Rpki,
            Line,
            Node::OtherFamily,
            Node::Foreign,
        ],
        "end",
        Closes,
    ),
    shape(HERE, "configure terminal [file-lock]", Closes),
    shape(
        HERE,
        "(exit-address-family|exit-vrf|exit-vni|exit-route-map)",
        Closes,
    ),
];

/// What neighbors are told; none takes it back.
fn host_name(a: &Args<'_>) -> Result<Option<Put>, String> {
    let name = a.value("NAME");
    match a.no() || name.len() <= 64 && name.bytes().all(|it| it.is_ascii_graphic()) {
        true => Ok((!a.no()).then(|| a.put(quote(name)))),
        false => Err("a name has up to 64 letters, digits and signs".to_owned()),
    }
}

/// A target with its level.
fn log_to(site: &mut Site, a: &Args<'_>) -> Done {
    let quiet = ["emergencies", "alerts", "critical", "errors"];
    let level = match (a.has("warnings"), quiet.iter().any(|word| a.has(word))) {
        (true, _) => "warn",
        (false, true) => "error",
        (false, false) if a.has("notifications") || a.has("informational") => "info",
        // Which is the level where none is said, and in it is what `debug` lines ask for.
        (false, false) => "selected",
    };
    let level = (!a.no()).then(|| a.put(quote(level)));
    if a.has("stdout") {
        let on = (!a.no()).then(|| a.put("true"));
        put_log(site, "stdout", on)?;
        return put_log(site, "level", level);
    }
    if a.has("syslog") {
        return put_log(site, "syslog", level);
    }
    let path = a.value("PATH");
    // Where the daemon was started is not where anybody would look for it.
    if !a.no() && !path.starts_with('/') {
        return Ok(Some(
            "nothing is written to the file: its path is not absolute".to_owned(),
        ));
    }
    put_log(site, "file", (!a.no()).then(|| a.put(quote(path))))?;
    put_log(site, "file_level", level)
}

/// The word behind `log facility`.
fn facility(site: &mut Site, a: &Args<'_>) -> Done {
    let word = a.caught.keywords().get(2).copied().unwrap_or("daemon");
    put_log(site, "facility", (!a.no()).then(|| a.put(quote(word))))
}

/// A key of `[log]`; none takes it away.
fn put_log(site: &mut Site, key: &'static str, value: Option<Put>) -> Done {
    match value {
        Some(value) => drop(site.log.insert(key, value)),
        None => drop(site.log.remove(key)),
    }
    DONE
}

fn router_id(site: &mut Site, a: &Args<'_>) -> Done {
    if a.get("NAME").is_none_or(|vrf| vrf == "default") {
        site.router_id = (!a.no()).then(|| a.put(quote(a.value("A.B.C.D"))));
    }
    DONE
}

fn protocol_map(site: &mut Site, a: &Args<'_>) -> Done {
    let vrf = (a.node == Vrf).then(|| site.here.interface.clone());
    let family = match a.has("ipv6") {
        true => Family::Ipv6,
        false => Family::Ipv4,
    };
    kernel_map(site, a, (vrf, family))
}
