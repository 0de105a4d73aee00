//! Route-maps: their entries, and what has to hold for one.

use std::net::IpAddr;

use super::Means::{Always, Does, Elsewhere, Moot, Opens, Refused};
use super::Node::{RouteMap, Top};
use super::lists::access_name;
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Site, quote};

const HERE: &[Node] = &[Top];
const ENTRY: &[Node] = &[RouteMap];

pub(super) const SHAPES: &[Shape] = &[
    shape(
        HERE,
        "route-map NAME (permit|deny) <1-65535>",
        Opens(RouteMap, entry),
    ),
    shape(
        HERE,
        "route-map NAME",
        Does(|site, a| {
            if !a.no() {
                return Err("a route-map has entries: `route-map NAME permit 10`".to_owned());
            }
            site.maps.remove(a.value("NAME"));
            DONE
        }),
    ),
    shape(
        HERE,
        "route-map NAME optimization",
        Moot("maps are always prepared for speed"),
    ),
    shape(
        HERE,
        "bgp route-map delay-timer N",
        Always("a change of policy takes effect at once"),
    ),
    shape(
        ENTRY,
        "description LINE",
        Does(|site, a| {
            const LONGEST: usize = 200;
            let text: String = a
                .value("LINE")
                .chars()
                .filter(|c| !c.is_control())
                .take(LONGEST)
                .collect();
            a.set(&mut site.entry().keys, "description", quote(&text));
            DONE
        }),
    ),
    shape(
        ENTRY,
        "call NAME",
        Does(|site, a| {
            a.set(&mut site.entry().keys, "call", quote(a.value("NAME")));
            DONE
        }),
    ),
    shape(
        ENTRY,
        "(on-match next|continue)",
        Does(|site, a| {
            a.set(&mut site.entry().keys, "on_match", "\"next\"");
            DONE
        }),
    ),
    shape(
        ENTRY,
        "(on-match goto|continue) <1-65535>",
        Does(|site, a| {
            a.set(&mut site.entry().keys, "on_match", a.value("<1-65535>"));
            DONE
        }),
    ),
    shape(
        ENTRY,
        "match (ip|ipv6) address NAME",
        Does(|site, a| matches(site, a, "prefix_list", access_list(a))),
    ),
    shape(
        ENTRY,
        "match (ip|ipv6) address prefix-list NAME",
        Does(|site, a| matches(site, a, "prefix_list", list_mark(a))),
    ),
    shape(
        ENTRY,
        "match ip address prefix-len <0-32>",
        Does(|site, a| {
            let length = a.value("<0-32>").to_owned();
            matches(site, a, "ipv4_prefix_length", length)
        }),
    ),
    shape(
        ENTRY,
        "match ipv6 address prefix-len <0-128>",
        Does(|site, a| {
            let length = a.value("<0-128>").to_owned();
            matches(site, a, "ipv6_prefix_length", length)
        }),
    ),
    shape(
        ENTRY,
        "match (ip|ipv6) next-hop NAME",
        Does(|site, a| match next_hop_address(a) {
            Some(address) => matches(site, a, "next_hop_address", quote(&address)),
            None => matches(site, a, "next_hop", access_list(a)),
        }),
    ),
    shape(
        ENTRY,
        "match (ip|ipv6) next-hop prefix-list NAME",
        Does(|site, a| matches(site, a, "next_hop", list_mark(a))),
    ),
    shape(
        ENTRY,
        "match (ip|ipv6) next-hop address ADDR",
        Does(|site, a| matches(site, a, "next_hop_address", quote(a.value("ADDR")))),
    ),
    shape(
        ENTRY,
        "match (ip|ipv6) next-hop (prefix-len N|type blackhole)",
        Refused("a next hop is matched by address or prefix list"),
    ),
    shape(
        ENTRY,
        "match ip route-source NAME",
        Does(|site, a| matches(site, a, "peer_list", access_list(a))),
    ),
    shape(
        ENTRY,
        "match ip route-source prefix-list NAME",
        Does(|site, a| matches(site, a, "peer_list", list_mark(a))),
    ),
    shape(
        ENTRY,
        "match as-path NAME",
        Does(|site, a| matches(site, a, "as_path_list", quote(a.value("NAME")))),
    ),
    shape(
        ENTRY,
        "match community NAME [(exact-match|any)]",
        Does(|site, a| {
            communities(
                site,
                a,
                ["community_list", "community_exact", "community_any"],
            )
        }),
    ),
    shape(
        ENTRY,
        "match large-community NAME [(exact-match|any)]",
        Does(|site, a| {
            communities(
                site,
                a,
                [
                    "large_community_list",
                    "large_community_exact",
                    "large_community_any",
                ],
            )
        }),
    ),
    shape(
        ENTRY,
        "match extcommunity NAME [(exact-match|any)]",
        Does(|site, a| {
            communities(
                site,
                a,
                [
                    "extended_community_list",
                    "extended_community_exact",
                    "extended_community_any",
                ],
            )
        }),
    ),
    shape(
        ENTRY,
        "match metric <0-4294967295>",
        Does(|site, a| matches(site, a, "metric", a.value("<0-4294967295>").to_owned())),
    ),
    shape(
        ENTRY,
        "match tag <1-4294967295>",
        Does(|site, a| matches(site, a, "tag", a.value("<1-4294967295>").to_owned())),
    ),
    shape(
        ENTRY,
        "match tag untagged",
        Does(|site, a| matches(site, a, "tag", "0".to_owned())),
    ),
    shape(
        ENTRY,
        "match source-vrf VRF",
        Does(|site, a| matches(site, a, "source_vrf", quote(a.value("VRF")))),
    ),
    shape(
        ENTRY,
        "match local-preference <0-4294967295>",
        Does(|site, a| {
            matches(
                site,
                a,
                "local_preference",
                a.value("<0-4294967295>").to_owned(),
            )
        }),
    ),
    shape(
        ENTRY,
        "match origin (igp|egp|incomplete)",
        Does(|site, a| {
            let word = a.caught.keywords().get(2).copied().unwrap_or("");
            matches(site, a, "origin", quote(word))
        }),
    ),
    shape(
        ENTRY,
        "match peer ADDR",
        Does(|site, a| matches(site, a, "peer", quote(a.value("ADDR")))),
    ),
    shape(
        ENTRY,
        "match peer local",
        Does(|site, a| matches(site, a, "local", "true".to_owned())),
    ),
    shape(
        ENTRY,
        "match peer NAME",
        Does(|site, a| matches(site, a, "peer_group", a.value("NAME").to_owned())),
    ),
    shape(
        ENTRY,
        "match src-peer ADDR",
        Does(|site, a| matches(site, a, "sender", quote(a.value("ADDR")))),
    ),
    shape(
        ENTRY,
        "match src-peer NAME",
        Does(|site, a| matches(site, a, "sender_group", a.value("NAME").to_owned())),
    ),
    shape(
        ENTRY,
        "match interface IFNAME",
        Does(|site, a| matches(site, a, "interface", quote(a.value("IFNAME")))),
    ),
    shape(
        ENTRY,
        "match source-protocol NAME",
        Does(|site, a| matches(site, a, "source", quote(a.value("NAME")))),
    ),
    shape(
        ENTRY,
        "match source-instance N",
        Refused("the kernel does not tell the instances of a daemon apart"),
    ),
    // FRR's bgpd does not know them, so they are no condition for it.
    shape(
        ENTRY,
        "match (ip|ipv6) (multicast-group|multicast-source|multicast-source-list|multicast-group-list) LINE",
        Elsewhere("pimd"),
    ),
    shape(
        ENTRY,
        "match (multicast-interface|multicast-source|multicast-group|multicast-source-interface) LINE",
        Elsewhere("pimd"),
    ),
    shape(
        ENTRY,
        "match probability N",
        Refused("routes are not chosen by chance"),
    ),
    shape(
        ENTRY,
        "match evpn route-type (macip|multicast|prefix|ead|es|<1-5>)",
        Does(|site, a| {
            let words = [
                ("macip", "2"),
                ("multicast", "3"),
                ("prefix", "5"),
                ("ead", "1"),
                ("es", "4"),
            ];
            let word = words
                .iter()
                .find(|(word, _)| a.has(word))
                .map(|(_, number)| *number);
            let number = word.or_else(|| a.get("<1-5>")).unwrap_or("");
            matches(site, a, "evpn_route_type", number.to_owned())
        }),
    ),
    shape(
        ENTRY,
        "match evpn vni <1-16777215>",
        Does(|site, a| matches(site, a, "vni", a.value("<1-16777215>").to_owned())),
    ),
    shape(
        ENTRY,
        "match evpn rd NAME",
        Does(|site, a| matches(site, a, "rd", quote(a.value("NAME")))),
    ),
    shape(
        ENTRY,
        "match evpn default-route",
        Refused("match type 5 and a prefix list of the default route"),
    ),
    shape(
        ENTRY,
        "match rpki (valid|invalid|notfound)",
        Does(|site, a| {
            let word = match (a.has("valid"), a.has("invalid")) {
                (true, _) => "valid",
                (_, true) => "invalid",
                (_, _) => "not_found",
            };
            matches(site, a, "rpki", quote(word))
        }),
    ),
    shape(
        ENTRY,
        "match alias NAME",
        Does(|site, a| matches(site, a, "alias", a.value("NAME").to_owned())),
    ),
    shape(
        ENTRY,
        "match (rpki-extcommunity|community-limit|as-path-count|vpn|command|mac) LINE",
        Refused("the condition is not known"),
    ),
];

fn entry(site: &mut Site, a: &Args<'_>) -> Done {
    let seq = a
        .get("<1-65535>")
        .and_then(|seq| seq.parse().ok())
        .unwrap_or(0);
    let name = a.value("NAME").to_owned();
    if a.no() {
        if let Some(map) = site.maps.get_mut(&name) {
            map.remove(&seq);
        }
        site.maps.retain(|_, entries| !entries.is_empty());
        return DONE;
    }
    (site.here.map, site.here.seq) = (name, seq);
    let entry = site.entry();
    entry.spot.get_or_insert(a.spot);
    entry.deny = a.has("deny");
    DONE
}

fn matches(site: &mut Site, a: &Args<'_>, key: &'static str, text: String) -> Done {
    let before = site.entry().matches.get(key).filter(|_| !a.no()).cloned();
    a.set(&mut site.entry().matches, key, text.clone());
    // FRR keeps the last one of a kind as well, but lists of the two IP versions and of the two kinds
    // are conditions beside each other.
    let kind = |text: &str| match text.split_once("access-list ") {
        Some((version, _)) => version.to_owned(),
        None => text.chars().take(1).collect(),
    };
    match before.filter(|before| kind(&before.text) != kind(&text)) {
        Some(before) if matches!(key, "prefix_list" | "next_hop" | "peer_list") => Err(format!(
            "line {} has such a condition already, and both cannot hold",
            before.spot.line
        )),
        Some(_) | None => DONE,
    }
}

fn communities(site: &mut Site, a: &Args<'_>, [list, exact, any]: [&'static str; 3]) -> Done {
    for (key, on) in [(exact, a.has("exact-match")), (any, a.has("any"))] {
        site.entry().matches.remove(key);
        if on && !a.no() {
            a.set(&mut site.entry().matches, key, "true");
        }
    }
    matches(site, a, list, quote(a.value("NAME")))
}

/// What stands for a prefix list until it is known whether both versions have one of the name.
fn list_mark(a: &Args<'_>) -> String {
    let version = if a.has("ipv6") { 6 } else { 4 };
    format!("{version}{}", a.value("NAME"))
}

fn access_list(a: &Args<'_>) -> String {
    quote(&access_name(a.value("NAME"), a.has("ipv6")))
}

/// The address that stands where a list could, of the version that the line says.
fn next_hop_address(a: &Args<'_>) -> Option<String> {
    let address: IpAddr = a.value("NAME").parse().ok()?;
    (address.is_ipv6() == a.has("ipv6")).then(|| address.to_string())
}
