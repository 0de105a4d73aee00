//! What a family of `router bgp` has: networks, aggregates, what is redistributed, how many paths, and what
//! the kernel gets.

use super::{BOTH, HERE, MPLS, V4, V6};
use crate::frr::model::{Args, Family, Site, quote};
use crate::frr::shapes::Means::{Differs, Does, Refused};
use crate::frr::shapes::Node::{Ipv4, Ipv6, Router};
use crate::frr::shapes::{DONE, Done, Node, Shape, shape};

const UNICAST: &[Node] = &[Ipv4, Ipv6, Router];

pub(in crate::frr::shapes) const SHAPES: &[Shape] = &[
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
        V4,
        "network A.B.C.D/M backdoor [route-map NAME]",
        Does(network),
    ),
    shape(
        V4,
        "network A.B.C.D/M route-map NAME backdoor",
        Does(network),
    ),
    shape(
        V4,
        "network A.B.C.D mask MASK backdoor [route-map NAME]",
        Does(network),
    ),
    shape(
        V4,
        "network A.B.C.D backdoor [route-map NAME]",
        Does(network),
    ),
    shape(
        V6,
        "network X:X::X:X/M backdoor [route-map NAME]",
        Does(network),
    ),
    shape(
        UNICAST,
        "network PREFIX {backdoor|label-index N|route-map NAME}",
        Refused("networks have no labels"),
    ),
    shape(
        V4,
        "aggregate-address A.B.C.D/M {as-set|summary-only|route-map NAME|matching-MED-only|suppress-map OTHER|origin ORIGIN}",
        Does(aggregate),
    ),
    shape(
        V4,
        "aggregate-address A.B.C.D MASK {as-set|summary-only|route-map NAME|matching-MED-only|suppress-map OTHER|origin ORIGIN}",
        Does(aggregate),
    ),
    shape(
        V6,
        "aggregate-address X:X::X:X/M {as-set|summary-only|route-map NAME|matching-MED-only|suppress-map OTHER|origin ORIGIN}",
        Does(aggregate),
    ),
    shape(
        UNICAST,
        "aggregate-address PREFIX {as-set|summary-only|route-map NAME|matching-MED-only|suppress-map OTHER|origin ORIGIN|upa|drop|max-routes N}",
        Refused("an aggregate has no such words"),
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
        "maximum-paths <1-1024>",
        Does(|site, a| paths(site, a, false)),
    ),
    shape(
        HERE,
        "maximum-paths <1-1024>",
        Does(|site, a| paths(site, a, false)),
    ),
    shape(
        UNICAST,
        "maximum-paths ibgp <1-1024> [equal-cluster-length]",
        Does(|site, a| paths(site, a, true)),
    ),
    shape(
        BOTH,
        "maximum-paths <1025-65535>",
        Differs(|site, a| paths(site, a, false), AT_MOST),
    ),
    shape(
        HERE,
        "maximum-paths <1025-65535>",
        Differs(|site, a| paths(site, a, false), AT_MOST),
    ),
    shape(
        UNICAST,
        "maximum-paths ibgp <1025-65535> [equal-cluster-length]",
        Differs(|site, a| paths(site, a, true), AT_MOST),
    ),
    shape(
        UNICAST,
        "distance bgp <1-255> <1-255> <1-255>",
        Differs(
            |site, a| {
                let all = a.all("<1-255>");
                let keys = &mut site.router().keys;
                for (at, key) in [
                    "kernel.distance.external",
                    "kernel.distance.internal",
                    "kernel.distance.backdoor",
                ]
                .into_iter()
                .enumerate()
                {
                    a.set(keys, key, all.get(at).copied().unwrap_or(""));
                }
                DONE
            },
            "the numbers are the kernel's metric of the routes, in both families; aggregates have that of eBGP",
        ),
    ),
    shape(
        UNICAST,
        "distance <1-255> PREFIX NAME",
        Refused(
            "which routes have the distance is said by a route-map: `match ip address NAME` with `set distance N`",
        ),
    ),
    shape(
        UNICAST,
        "distance <1-255> PREFIX",
        Does(|site, a| {
            let text = a.value("PREFIX");
            let prefix = masked(text).ok_or_else(|| format!("`{text}` is no network"))?;
            let family = a.family();
            let all = &mut site.router().families.of_mut(family).distances;
            match a.no() {
                true => drop(all.remove(&prefix)),
                false => drop(all.insert(prefix, a.put(a.value("<1-255>")))),
            }
            DONE
        }),
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

/// One map decides what of a family is in the kernel, whoever of FRR's daemons has asked it.
pub(in crate::frr::shapes) fn kernel_map(
    site: &mut Site,
    a: &Args<'_>,
    of: (Option<String>, Family),
) -> Done {
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

/// Some are built for more.
const AT_MOST: &str = "a prefix has up to 1024 paths at a time";

fn paths(site: &mut Site, a: &Args<'_>, ibgp: bool) -> Done {
    let paths = (!a.no()).then(|| a.put(a.get("<1-1024>").unwrap_or("1024")));
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
    let unicast = site.router().families.of_mut(family);
    // The last line about a network counts.
    unicast.networks.remove(&prefix);
    unicast.backdoors.remove(&prefix);
    match (a.no(), a.has("backdoor")) {
        (true, _) => DONE,
        (false, false) => {
            unicast.networks.insert(prefix, (map, a.spot));
            DONE
        }
        (false, true) => {
            unicast.backdoors.insert(prefix, a.spot);
            let idle = map.map(|_| "a route-map does nothing beside `backdoor`".to_owned());
            Ok(idle)
        }
    }
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
    let words = ["igp", "egp", "incomplete"];
    if let Some(origin) = a.get("ORIGIN").filter(|it| !words.contains(it)) {
        return Err(format!("`{origin}` is none of igp, egp and incomplete"));
    }
    for (value, key) in [
        ("NAME", "route_map"),
        ("OTHER", "suppress"),
        ("ORIGIN", "origin"),
    ] {
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
