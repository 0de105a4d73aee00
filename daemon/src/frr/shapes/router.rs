//! `router bgp` and what it has of its own: settings, networks, aggregates, what is redistributed.

use super::Means::{Always, Closes, Differs, Does, Moot, Opens, OpensRefused, Refused};
use super::Node::{Evpn, Ipv4, Ipv6, Router, Top};
use super::neighbor::number;
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Family, Site, quote};

const HERE: &[Node] = &[Router];
const UNICAST: &[Node] = &[Ipv4, Ipv6, Router];
const V4: &[Node] = &[Ipv4, Router];
const V6: &[Node] = &[Ipv6];
const BOTH: &[Node] = &[Ipv4, Ipv6];

const MPLS: &str = "rbgpd has no L3VPN and no labels; VRFs are tied together by EVPN (`vrf NAME` with `vni N`) or by `import vrf`";
const TUNING: &str =
    "there is nothing to tune: updates are packed and sent as neighbors take them";

pub(super) const SHAPES: &[Shape] = &[
    shape(
        &[Top],
        "router bgp ASN [as-notation (dot|dot+|plain)]",
        Opens(Router, |site, a| open(site, a, None)),
    ),
    shape(
        &[Top],
        "router bgp ASN vrf NAME [as-notation (dot|dot+|plain)]",
        Opens(Router, |site, a| {
            let vrf = a
                .get("NAME")
                .filter(|name| *name != "default")
                .map(str::to_owned);
            open(site, a, vrf)
        }),
    ),
    shape(
        &[Top],
        "router bgp ASN view NAME [as-notation (dot|dot+|plain)]",
        OpensRefused(
            "a view is a table of its own without the kernel; give it an [[instance]] in TOML",
        ),
    ),
    shape(
        HERE,
        "address-family ipv4 [unicast]",
        Opens(Ipv4, |_, _| DONE),
    ),
    shape(
        HERE,
        "address-family ipv6 [unicast]",
        Opens(Ipv6, |_, _| DONE),
    ),
    shape(HERE, "address-family l2vpn evpn", Opens(Evpn, |_, _| DONE)),
    shape(HERE, "address-family evpn", Opens(Evpn, |_, _| DONE)),
    shape(
        HERE,
        "address-family (ipv4|ipv6) (vpn|labeled-unicast)",
        OpensRefused(MPLS),
    ),
    shape(
        HERE,
        "address-family (vpnv4|vpnv6) [unicast]",
        OpensRefused(MPLS),
    ),
    shape(
        HERE,
        "address-family (ipv4|ipv6) multicast",
        OpensRefused("multicast routes are not exchanged"),
    ),
    shape(
        HERE,
        "address-family (ipv4|ipv6) flowspec",
        OpensRefused("rbgpd has no flow specifications"),
    ),
    shape(
        HERE,
        "address-family (ipv4|ipv6) (unreachability|rtc)",
        OpensRefused("the family is not known"),
    ),
    shape(
        HERE,
        "address-family link-state [link-state]",
        OpensRefused("BGP-LS is not known"),
    ),
    shape(
        &[Ipv4, Ipv6, Evpn, Node::OtherFamily, Router],
        "exit-address-family",
        Closes,
    ),
    shape(
        HERE,
        "bgp router-id A.B.C.D",
        Does(|site, a| {
            a.set(
                &mut site.router().keys,
                "router_id",
                quote(a.value("A.B.C.D")),
            );
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp cluster-id (A.B.C.D|<1-4294967295>)",
        Does(|site, a| {
            let text = match a
                .number("<1-4294967295>")
                .and_then(|it| u32::try_from(it).ok())
            {
                Some(number) => std::net::Ipv4Addr::from(number).to_string(),
                None => a.value("A.B.C.D").to_owned(),
            };
            a.set(&mut site.router().keys, "router.cluster_id", quote(&text));
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp confederation identifier ASN",
        Does(|site, a| {
            a.set(
                &mut site.router().keys,
                "router.confederation_id",
                number(a.value("ASN")),
            );
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp confederation peers ASN...",
        Does(|site, a| {
            let named: Vec<_> = a.all("ASN").iter().map(|asn| a.put(number(asn))).collect();
            let members = &mut site.router().confederation_members;
            members.retain(|member| !named.iter().any(|it| it.text == member.text));
            if !a.no() {
                members.extend(named);
            }
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp ebgp-requires-policy",
        Does(|site, a| {
            a.switch(&mut site.router().ebgp_requires_policy);
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp network import-check [exact]",
        Does(|site, a| {
            a.switch(&mut site.router().import_check);
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp default ipv4-unicast",
        Does(|site, a| active(site, a, Family::Ipv4)),
    ),
    shape(
        HERE,
        "bgp default ipv6-unicast",
        Does(|site, a| active(site, a, Family::Ipv6)),
    ),
    shape(
        HERE,
        "bgp default l2vpn-evpn",
        Does(|site, a| active(site, a, Family::Evpn)),
    ),
    shape(
        HERE,
        "bgp default (show-hostname|show-nexthop-hostname|software-version-capability|dynamic-capability|link-local-capability)",
        Moot("host names and versions are not exchanged"),
    ),
    shape(
        HERE,
        "bgp default local-preference <0-4294967295>",
        Does(|site, a| {
            key(
                site,
                a,
                "router.default_local_preference",
                a.value("<0-4294967295>"),
            )
        }),
    ),
    shape(HERE, "bgp default subgroup-pkt-queue-max N", Moot(TUNING)),
    shape(
        HERE,
        "bgp default (ipv4-multicast|ipv4-vpn|ipv4-labeled-unicast|ipv4-flowspec|ipv6-multicast|ipv6-vpn|ipv6-labeled-unicast|ipv6-flowspec)",
        Refused("rbgpd has IPv4 and IPv6 unicast and EVPN"),
    ),
    shape(
        HERE,
        "bgp always-compare-med",
        Does(|site, a| key(site, a, "bestpath.always_compare_med", "true")),
    ),
    shape(
        HERE,
        "bgp deterministic-med",
        Always("MEDs are always compared deterministically"),
    ),
    shape(
        HERE,
        "bgp bestpath as-path ignore",
        Does(|site, a| key(site, a, "bestpath.as_path_ignore", "true")),
    ),
    shape(
        HERE,
        "bgp bestpath as-path multipath-relax [(as-set|no-as-set)]",
        Does(|site, a| {
            a.switch(&mut site.router().relax);
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp bestpath as-path confed",
        Refused("confederation segments do not count for the length of a path"),
    ),
    shape(
        HERE,
        "bgp bestpath compare-routerid",
        Always("identifiers are always compared: age plays no part"),
    ),
    shape(
        HERE,
        "bgp bestpath med missing-as-worst",
        Does(|site, a| key(site, a, "bestpath.missing_med_as_worst", "true")),
    ),
    shape(
        HERE,
        "bgp bestpath med confed [missing-as-worst]",
        Refused("MEDs within a confederation are compared as those of one AS"),
    ),
    shape(
        HERE,
        "bgp bestpath bandwidth (ignore|skip-missing|default-weight-for-missing)",
        Does(|site, a| {
            let word = match (a.has("ignore"), a.has("skip-missing")) {
                (true, _) => "\"ignore\"",
                (_, true) => "\"skip_missing\"",
                (_, _) => "\"default_weight\"",
            };
            key(site, a, "bestpath.bandwidth", word)
        }),
    ),
    shape(
        HERE,
        "bgp bestpath (peer-type multipath-relax|aigp)",
        Refused(
            "paths of eBGP and iBGP do not share traffic, and AIGP is compared where a session has it (`neighbor X aigp`)",
        ),
    ),
    shape(
        HERE,
        "bgp client-to-client reflection",
        Does(|site, a| {
            let text = (!a.no()).to_string();
            site.router()
                .keys
                .insert("router.client_to_client_reflection", a.put(text));
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp log-neighbor-changes",
        Always("changes of sessions are always logged"),
    ),
    shape(
        HERE,
        "bgp fast-external-failover",
        Always("a session ends with its link"),
    ),
    shape(
        HERE,
        "bgp route-reflector allow-outbound-policy",
        Always("a route-map on the way out applies to reflected routes as to others"),
    ),
    shape(
        HERE,
        "bgp disable-ebgp-connected-route-check",
        Always("whether a neighbor's network is connected is not asked"),
    ),
    shape(
        HERE,
        "bgp enforce-first-as",
        Always("paths of eBGP neighbors begin with their AS number"),
    ),
    shape(
        HERE,
        "bgp fast-convergence",
        Always("a lost link is acted upon at once"),
    ),
    shape(
        HERE,
        "bgp suppress-fib-pending",
        Moot(
            "routes are told without waiting for the kernel, which takes hundreds of thousands a second",
        ),
    ),
    shape(
        HERE,
        "bgp suppress-duplicates",
        Always("what a neighbor has been told is not told again"),
    ),
    shape(
        HERE,
        "bgp reject-as-sets",
        Moot("paths with AS_SET are taken; `check` warns where we make them ourselves"),
    ),
    shape(
        HERE,
        "bgp hard-administrative-reset",
        Moot("an ordered end of a session says Administrative Reset as RFC 8538 has it"),
    ),
    shape(
        HERE,
        "bgp graceful-restart",
        Does(|site, a| key(site, a, "graceful_restart.enabled", "true")),
    ),
    shape(
        HERE,
        "bgp graceful-restart-disable",
        Does(|site, a| key(site, a, "graceful_restart.enabled", "false")),
    ),
    shape(
        HERE,
        "bgp graceful-restart restart-time <0-4095>",
        Does(|site, a| seconds(site, a, "graceful_restart.restart_time", "<0-4095>")),
    ),
    shape(
        HERE,
        "bgp graceful-restart stalepath-time <1-4095>",
        Does(|site, a| seconds(site, a, "graceful_restart.stale_time", "<1-4095>")),
    ),
    shape(
        HERE,
        "bgp graceful-restart select-defer-time <0-3600>",
        Does(|site, a| seconds(site, a, "graceful_restart.deferral_time", "<0-3600>")),
    ),
    shape(
        HERE,
        "bgp graceful-restart rib-stale-time <1-3600>",
        Moot("routes of a former run go from the kernel once neighbors have sent theirs"),
    ),
    shape(
        HERE,
        "bgp graceful-restart preserve-fw-state",
        Always("forwarding goes on over a restart, and neighbors are told so"),
    ),
    shape(
        HERE,
        "bgp graceful-restart disable-eor",
        Moot("End-of-RIB is always sent"),
    ),
    shape(
        HERE,
        "bgp graceful-restart notification",
        Moot("RFC 8538 is spoken with every neighbor that does"),
    ),
    shape(
        HERE,
        "bgp long-lived-graceful-restart stale-time <1-16777215>",
        Does(|site, a| seconds(site, a, "graceful_restart.long_lived_time", "<1-16777215>")),
    ),
    shape(
        HERE,
        "bgp graceful-shutdown",
        Refused(
            "use `rbgpctl drain`, which moves traffic on all families and is kept over restarts",
        ),
    ),
    shape(
        HERE,
        "bgp shutdown [message LINE]",
        Does(|site, a| {
            let text = a.get("LINE").map_or("true".to_owned(), quote);
            site.router().shutdown = (!a.no()).then(|| a.put(text));
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp listen limit <1-65535>",
        Does(|site, a| {
            let limit = (!a.no()).then(|| a.put(a.value("<1-65535>")));
            site.router().listen_limit = limit;
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp listen range PREFIX peer-group NAME",
        Does(|site, a| {
            let ranges = &mut site.router().listen_ranges;
            match a.no() {
                true => drop(ranges.remove(a.value("PREFIX"))),
                false => drop(ranges.insert(
                    a.value("PREFIX").to_owned(),
                    (a.value("NAME").to_owned(), a.spot),
                )),
            }
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp (max-med|dampening) LINE",
        Refused("routes are neither dampened nor held back after a start by MED"),
    ),
    shape(HERE, "bgp dampening", Refused("routes are not dampened")),
    shape(
        HERE,
        "bgp minimum-holdtime N",
        Moot("a neighbor may ask for any hold time of at least 3 seconds"),
    ),
    shape(
        HERE,
        "bgp update-delay N [N]",
        Moot(
            "after a crash routes wait for End-of-RIB (`bgp graceful-restart select-defer-time`)",
        ),
    ),
    shape(
        HERE,
        "bgp conditional-advertisement timer N",
        Always("a condition takes effect with the route that makes the difference"),
    ),
    shape(
        HERE,
        "bgp (rpki strict|labeled-unicast LINE|allow-martian-nexthop|use-underlays-nexthop-weight|ipv6-auto-ra|link-bw-encoding-ieee)",
        Moot("it has no counterpart"),
    ),
    shape(
        HERE,
        "bgp tcp-keepalive N N N",
        Moot("sessions have timers of their own, and a send hold timer (RFC 9687)"),
    ),
    shape(HERE, "bgp session-dscp N", Moot("packets are marked CS6")),
    shape(
        HERE,
        "(coalesce-time|read-quanta|write-quanta) N",
        Moot(TUNING),
    ),
    shape(
        HERE,
        "(update-delay|bgp advertisement-delay) N [N]",
        Moot(
            "after a crash routes wait for End-of-RIB (`bgp graceful-restart select-defer-time`)",
        ),
    ),
    shape(
        UNICAST,
        "(synchronization|auto-summary)",
        Refused(
            "a route waits for no interior protocol, and a network is told with the length that it has",
        ),
    ),
    shape(
        HERE,
        "timers bgp <0-65535> <0-65535>",
        Does(|site, a| {
            let times = a.all("<0-65535>");
            let time = |at: usize| times.get(at).and_then(|text| text.parse().ok());
            site.router().timers = match (time(0), time(1), a.no()) {
                (Some(keepalive), Some(hold), false) => Some((keepalive, hold, a.spot)),
                _ => None,
            };
            DONE
        }),
    ),
    shape(
        HERE,
        "(segment-routing|sid|bmp|rfp|vnc|vrf-policy|srv6-only) LINE",
        Refused("rbgpd has no SRv6, no BMP and no VNC"),
    ),
    shape(V4, "network A.B.C.D/M [route-map NAME]", Does(network)),
    shape(
        V4,
        "network A.B.C.D mask MASK [route-map NAME]",
        Does(network),
    ),
    shape(V4, "network A.B.C.D [route-map NAME]", Does(network)),
    shape(V6, "network X:X::X:X/M [route-map NAME]", Does(network)),
    shape(
        UNICAST,
        "network PREFIX {backdoor|label-index N|route-map NAME}",
        Refused("networks have neither `backdoor` nor labels"),
    ),
    shape(
        V4,
        "aggregate-address A.B.C.D/M {as-set|summary-only|route-map NAME|matching-MED-only|suppress-map OTHER}",
        Does(aggregate),
    ),
    shape(
        V4,
        "aggregate-address A.B.C.D MASK {as-set|summary-only|route-map NAME|matching-MED-only|suppress-map OTHER}",
        Does(aggregate),
    ),
    shape(
        V6,
        "aggregate-address X:X::X:X/M {as-set|summary-only|route-map NAME|matching-MED-only|suppress-map OTHER}",
        Does(aggregate),
    ),
    shape(
        UNICAST,
        "aggregate-address PREFIX {as-set|summary-only|route-map NAME|matching-MED-only|suppress-map OTHER|origin (igp|egp|incomplete)|upa|drop|max-routes N}",
        Refused("an aggregate has the worst origin of its routes; set another one by a route-map"),
    ),
    shape(
        UNICAST,
        "redistribute (connected|kernel|static|ospf|ospf6|isis|rip|ripng|eigrp|babel|nhrp|openfabric|sharp) {route-map NAME|metric <0-4294967295>}",
        Does(redistribute),
    ),
    shape(
        UNICAST,
        "redistribute (table|table-direct) N {route-map NAME|metric <0-4294967295>}",
        Does(redistribute),
    ),
    shape(
        UNICAST,
        "redistribute ospf N {route-map NAME|metric N}",
        Refused("the kernel does not tell the instances of ospfd apart; say `redistribute ospf`"),
    ),
    shape(
        UNICAST,
        "redistribute (local|vnc|vnc-direct|bgp) {route-map NAME|metric N}",
        Refused(
            "such routes are not taken over; `redistribute connected` has the networks of addresses",
        ),
    ),
    shape(
        BOTH,
        "maximum-paths <1-256>",
        Does(|site, a| paths(site, a, false)),
    ),
    shape(
        HERE,
        "maximum-paths <1-256>",
        Does(|site, a| paths(site, a, false)),
    ),
    shape(
        UNICAST,
        "maximum-paths ibgp <1-256> [equal-cluster-length]",
        Does(|site, a| paths(site, a, true)),
    ),
    shape(
        BOTH,
        "maximum-paths <257-65535>",
        Differs(|site, a| paths(site, a, false), AT_MOST),
    ),
    shape(
        HERE,
        "maximum-paths <257-65535>",
        Differs(|site, a| paths(site, a, false), AT_MOST),
    ),
    shape(
        UNICAST,
        "maximum-paths ibgp <257-65535> [equal-cluster-length]",
        Differs(|site, a| paths(site, a, true), AT_MOST),
    ),
    shape(
        UNICAST,
        "distance bgp <1-255> <1-255> <1-255>",
        Differs(
            |site, a| {
                let all = a.all("<1-255>");
                let (external, internal) = (all.first().copied(), all.get(1).copied());
                let keys = &mut site.router().keys;
                a.set(keys, "kernel.distance.external", external.unwrap_or(""));
                a.set(keys, "kernel.distance.internal", internal.unwrap_or(""));
                DONE
            },
            "the numbers are the kernel's metric of the routes, in both families; aggregates have that of eBGP",
        ),
    ),
    shape(
        UNICAST,
        "distance <1-255> PREFIX [NAME]",
        Refused("set it by a route-map: `set distance N`"),
    ),
    shape(
        UNICAST,
        "table-map NAME",
        Does(|site, a| {
            let vrf = site.here.vrf.clone();
            kernel_map(site, a, (vrf, a.family()))
        }),
    ),
    shape(
        UNICAST,
        "(rd|rt|label|nexthop|export|sid) LINE",
        Refused(MPLS),
    ),
    shape(
        UNICAST,
        "import vrf NAME",
        Does(|site, a| {
            let from = Some(a.value("NAME").to_owned()).filter(|it| it != "default");
            if from == site.here.vrf {
                return Err("a VRF imports from others, not from itself".to_owned());
            }
            let imports = &mut site.router().families.of_mut(a.family()).imports;
            match a.no() {
                true => drop(imports.remove(&from)),
                false => drop(imports.insert(from, a.spot)),
            }
            DONE
        }),
    ),
    shape(
        UNICAST,
        "import vrf route-map NAME",
        Does(|site, a| {
            let map = (!a.no()).then(|| a.put(quote(a.value("NAME"))));
            site.router().families.of_mut(a.family()).import_map = map;
            DONE
        }),
    ),
    shape(UNICAST, "import vpn", Refused(MPLS)),
    shape(
        UNICAST,
        "bgp dampening [LINE]",
        Refused("routes are not dampened"),
    ),
    shape(
        BOTH,
        "(segment-routing|upa|unreachability) [LINE]",
        Refused("it is not known"),
    ),
];

fn open(site: &mut Site, a: &Args<'_>, vrf: Option<String>) -> Done {
    if a.no() {
        site.routers.remove(&vrf);
        return DONE;
    }
    site.here.vrf = vrf;
    let asn = a.put(number(a.value("ASN")));
    let router = site.router();
    match &router.asn {
        Some(before) if before.text != asn.text => Err(format!(
            "this router is AS {} in line {}; one router has one AS number",
            before.text, before.spot.line
        )),
        Some(_) => DONE,
        None => {
            router.asn = Some(asn);
            DONE
        }
    }
}

/// One map decides what of a family is in the kernel, whoever of FRR's daemons has asked it.
pub(super) fn kernel_map(site: &mut Site, a: &Args<'_>, of: (Option<String>, Family)) -> Done {
    if a.no() {
        site.kernel_maps.remove(&of);
        return DONE;
    }
    let map = a.put(quote(a.value("NAME")));
    let before = site.kernel_maps.insert(of, map.clone());
    match before.filter(|before| before.text != map.text) {
        Some(before) => Err(format!(
            "line {} has {} for this already; let one map say both",
            before.spot.line, before.text
        )),
        None => DONE,
    }
}

fn active(site: &mut Site, a: &Args<'_>, family: Family) -> Done {
    a.switch(site.router().default_active.of_mut(family));
    DONE
}

fn key(site: &mut Site, a: &Args<'_>, key: &'static str, text: &str) -> Done {
    a.set(&mut site.router().keys, key, text);
    DONE
}

fn seconds(site: &mut Site, a: &Args<'_>, key: &'static str, name: &str) -> Done {
    let text = quote(&format!("{}s", a.value(name)));
    a.set(&mut site.router().keys, key, text);
    DONE
}

/// Some are built for more.
const AT_MOST: &str = "a prefix has up to 256 paths at a time";

fn paths(site: &mut Site, a: &Args<'_>, ibgp: bool) -> Done {
    let paths = (!a.no()).then(|| a.put(a.get("<1-256>").unwrap_or("256")));
    let family = a.family();
    let unicast = site.router().families.of_mut(family);
    match ibgp {
        true => unicast.ibgp_paths = paths,
        false => unicast.paths = paths,
    }
    DONE
}

/// A prefix as it is meant: FRR leaves out host bits, and knows the old classes.
fn prefix(a: &Args<'_>) -> Result<String, String> {
    let whole = a.get("A.B.C.D/M").or_else(|| a.get("X:X::X:X/M"));
    let text = match (whole, a.get("A.B.C.D"), a.get("MASK")) {
        (Some(text), _, _) => text.to_owned(),
        (None, Some(address), Some(mask)) => {
            let mask: u32 = mask.parse::<std::net::Ipv4Addr>().map_or(0, u32::from);
            if mask.leading_ones() + mask.trailing_zeros() < 32 {
                return Err("the mask has holes".to_owned());
            }
            format!("{address}/{}", mask.leading_ones())
        }
        (None, Some(address), None) => {
            let first = address
                .split('.')
                .next()
                .and_then(|octet| octet.parse().ok());
            let len = match first.unwrap_or(0_u8) {
                0..128 => 8,
                128..192 => 16,
                192.. => 24,
            };
            format!("{address}/{len}")
        }
        (None, None, _) => return Err("a network is missing".to_owned()),
    };
    masked(&text).ok_or_else(|| format!("`{text}` is no network"))
}

/// A network without host bits.
pub(in crate::frr) fn masked(text: &str) -> Option<String> {
    let network: ipnetwork::IpNetwork = text.parse().ok()?;
    Some(bgp::Prefix::from(network).to_string())
}

fn network(site: &mut Site, a: &Args<'_>) -> Done {
    let prefix = prefix(a)?;
    let map = a.get("NAME").map(|name| a.put(quote(name)));
    let family = a.family();
    let networks = &mut site.router().families.of_mut(family).networks;
    match a.no() {
        true => drop(networks.remove(&prefix)),
        false => drop(networks.insert(prefix, (map, a.spot))),
    }
    DONE
}

fn aggregate(site: &mut Site, a: &Args<'_>) -> Done {
    let prefix = prefix(a)?;
    let family = a.family();
    let aggregates = &mut site.router().families.of_mut(family).aggregates;
    if a.no() {
        aggregates.remove(&prefix);
        return DONE;
    }
    let mut keys = crate::frr::model::Keys::new();
    a.set(&mut keys, "prefix", quote(&prefix));
    for (word, key) in [("as-set", "as_set"), ("summary-only", "summary_only")] {
        if a.has(word) {
            a.set(&mut keys, key, "true");
        }
    }
    for (value, key) in [("NAME", "route_map"), ("OTHER", "suppress")] {
        if let Some(name) = a.get(value) {
            a.set(&mut keys, key, quote(name));
        }
    }
    // As FRR has it where the line says nothing.
    if !a.has("matching-MED-only") {
        a.set(&mut keys, "match_med", "false");
    }
    aggregates.insert(prefix, keys);
    DONE
}

fn redistribute(site: &mut Site, a: &Args<'_>) -> Done {
    let mut keys = crate::frr::model::Keys::new();
    let name = match a.get("N") {
        Some(table) => {
            a.set(&mut keys, "table", table);
            format!("table {table}")
        }
        None => {
            let source = a.caught.keywords().get(1).copied().unwrap_or("");
            keys.insert("source", a.put(quote(source)));
            source.to_owned()
        }
    };
    if let Some(map) = a.get("NAME") {
        a.set(&mut keys, "route_map", quote(map));
    }
    if let Some(metric) = a.get("<0-4294967295>") {
        a.set(&mut keys, "metric", metric);
    }
    let family = a.family();
    let all = &mut site.router().families.of_mut(family).redistribute;
    match a.no() {
        true => drop(all.remove(&name)),
        false => drop(all.insert(name, keys)),
    }
    DONE
}
