//! What an entry of a route-map sets.

use bgp::community::{Community, LargeCommunity};

use super::Means::{Always, Differs, Does, Elsewhere, Moot, Refused};
use super::Node::RouteMap;
use super::lists::well_known;
use super::neighbor::number;
use super::{DONE, Done, Node, Shape, shape};
use crate::config::file::is_reserved;
use crate::frr::model::{Args, Site, quote, quote_all};

const ENTRY: &[Node] = &[RouteMap];

/// What FRR's bgpd does not know in a route-map, whoever uses the map.
const OTHERS: &str = "ospfd, ospf6d, isisd or zebra";

pub(super) const SHAPES: &[Shape] = &[
    shape(
        ENTRY,
        "set metric VALUE",
        Does(|site, a| adjusted(site, a, "metric")),
    ),
    shape(
        ENTRY,
        "set metric aigp",
        Does(|site, a| sets(site, a, "metric", quote("aigp"))),
    ),
    shape(
        ENTRY,
        "set metric (rtt|+rtt|-rtt|igp)",
        Refused(
            "neither round trips nor the metrics of interior protocols are measured, and the kernel does not tell those; say a number",
        ),
    ),
    shape(
        ENTRY,
        "set (min-metric|max-metric|metric-type) VALUE",
        Elsewhere(OTHERS),
    ),
    shape(ENTRY, "set forwarding-address LINE", Elsewhere(OTHERS)),
    shape(
        ENTRY,
        "set local-preference VALUE",
        Does(|site, a| adjusted(site, a, "local_preference")),
    ),
    shape(
        ENTRY,
        "set weight <0-4294967295>",
        Does(|site, a| sets(site, a, "weight", a.value("<0-4294967295>").to_owned())),
    ),
    shape(
        ENTRY,
        "set tag <1-4294967295>",
        Does(|site, a| sets(site, a, "tag", a.value("<1-4294967295>").to_owned())),
    ),
    shape(
        ENTRY,
        "set tag untagged",
        Does(|site, a| sets(site, a, "tag", "0".to_owned())),
    ),
    shape(
        ENTRY,
        "set distance <0-255>",
        Does(|site, a| sets(site, a, "distance", a.value("<0-255>").to_owned())),
    ),
    shape(
        ENTRY,
        "set table <1-4294967295>",
        Does(|site, a| sets(site, a, "table", a.value("<1-4294967295>").to_owned())),
    ),
    shape(
        ENTRY,
        "set src ADDR",
        Does(|site, a| sets(site, a, "src", quote(a.value("ADDR")))),
    ),
    shape(
        ENTRY,
        "set origin (igp|egp|incomplete)",
        Does(|site, a| {
            let word = a.caught.keywords().get(2).copied().unwrap_or("");
            sets(site, a, "origin", quote(word))
        }),
    ),
    shape(
        ENTRY,
        "set as-path prepend ASN...",
        Does(|site, a| {
            let all: Vec<String> = a.all("ASN").iter().map(|asn| number(asn)).collect();
            let reserved = |text: &&String| text.parse().is_ok_and(|it| is_reserved(bgp::Asn(it)));
            if let Some(asn) = all.iter().find(reserved) {
                return Err(format!(
                    "AS {asn} is reserved (RFC 6793 §9, RFC 7300), and others take a path with it for an error"
                ));
            }
            sets(site, a, "as_path_prepend", quote(&all.join(" ")))
        }),
    ),
    shape(
        ENTRY,
        "set as-path prepend last-as <1-10>",
        Does(|site, a| {
            sets(
                site,
                a,
                "as_path_prepend_last",
                a.value("<1-10>").to_owned(),
            )
        }),
    ),
    shape(
        ENTRY,
        "set as-path exclude (all|ASN...)",
        Does(|site, a| {
            let all: Vec<String> = a.all("ASN").iter().map(|asn| number(asn)).collect();
            let text = match a.has("all") {
                true => "all".to_owned(),
                false => all.join(" "),
            };
            sets(site, a, "as_path_exclude", quote(&text))
        }),
    ),
    shape(
        ENTRY,
        "set as-path exclude as-path-access-list NAME",
        Does(|site, a| sets(site, a, "as_path_exclude_list", quote(a.value("NAME")))),
    ),
    shape(
        ENTRY,
        "set as-path replace (any|ASN) [ASN]",
        Does(|site, a| {
            let all: Vec<String> = a.all("ASN").iter().map(|asn| number(asn)).collect();
            let (asns, with) = match (a.has("any"), all.as_slice()) {
                (true, [with]) => (quote("any"), Some(with.clone())),
                (true, _) => (quote("any"), None),
                (false, [asn]) => (quote(asn), None),
                (false, [asn, with, ..]) => (quote(asn), Some(with.clone())),
                (false, []) => (String::new(), None),
            };
            let with = with.map_or(String::new(), |with| format!(", with = {with}"));
            sets(
                site,
                a,
                "as_path_replace",
                format!("{{ asns = {asns}{with} }}"),
            )
        }),
    ),
    shape(
        ENTRY,
        "set ip next-hop (A.B.C.D|peer-address|unchanged)",
        Does(next_hop),
    ),
    shape(
        ENTRY,
        "set ipv6 next-hop (global X:X::X:X|peer-address|unchanged)",
        Does(next_hop),
    ),
    shape(
        ENTRY,
        "set ipv6 next-hop prefer-global",
        Always("of two next hops the global one counts"),
    ),
    shape(
        ENTRY,
        "set ipv6 next-hop local X:X::X:X",
        Moot("our own link-local address is told where one is needed"),
    ),
    shape(
        ENTRY,
        "set community none",
        Does(|site, a| community(site, a, "community")),
    ),
    shape(
        ENTRY,
        "set community COMMUNITY... [additive]",
        Does(|site, a| community(site, a, "community")),
    ),
    shape(
        ENTRY,
        "set large-community none",
        Does(|site, a| community(site, a, "large_community")),
    ),
    shape(
        ENTRY,
        "set large-community COMMUNITY... [additive]",
        Does(|site, a| community(site, a, "large_community")),
    ),
    shape(
        ENTRY,
        "set (comm-list|community-list) NAME delete",
        Does(|site, a| sets(site, a, "community.delete_list", quote(a.value("NAME")))),
    ),
    shape(
        ENTRY,
        "set (comm-list|community-list) delete NAME",
        Does(|site, a| sets(site, a, "community.delete_list", quote(a.value("NAME")))),
    ),
    shape(
        ENTRY,
        "set comm-list NAME (add|replace)",
        Does(list_of_communities),
    ),
    shape(
        ENTRY,
        "set (comm-list|community-list) (add|replace) NAME",
        Does(list_of_communities),
    ),
    shape(
        ENTRY,
        "set large-comm-list NAME delete",
        Does(|site, a| {
            sets(
                site,
                a,
                "large_community.delete_list",
                quote(a.value("NAME")),
            )
        }),
    ),
    shape(
        ENTRY,
        "set (extcommunity-list|extended-comm-list) NAME delete",
        Does(|site, a| {
            sets(
                site,
                a,
                "extended_community.delete_list",
                quote(a.value("NAME")),
            )
        }),
    ),
    shape(
        ENTRY,
        "set extcommunity none",
        Does(|site, a| sets(site, a, "extended_community", quote("none"))),
    ),
    shape(
        ENTRY,
        "set extcommunity rt COMMUNITY... [additive]",
        Does(|site, a| extended(site, a, "rt")),
    ),
    shape(
        ENTRY,
        "set extcommunity soo COMMUNITY...",
        Does(|site, a| extended(site, a, "soo")),
    ),
    shape(
        ENTRY,
        "set extcommunity bandwidth (<1-4294967295>|cumulative|num-multipaths) [non-transitive]",
        Does(|site, a| {
            let key = "extended_community.bandwidth_transitive";
            site.entry().sets.remove(key);
            if a.has("non-transitive") && !a.no() {
                sets(site, a, key, "false".to_owned())?;
            }
            sets(
                site,
                a,
                "extended_community.bandwidth",
                match (a.has("cumulative"), a.has("num-multipaths")) {
                    (true, _) => quote("sum"),
                    (_, true) => quote("paths"),
                    (_, _) => a.value("<1-4294967295>").to_owned(),
                },
            )
        }),
    ),
    shape(
        ENTRY,
        "set extcommunity nt COMMUNITY...",
        Does(|site, a| extended(site, a, "nt")),
    ),
    shape(
        ENTRY,
        "set extcommunity color COMMUNITY...",
        Does(|site, a| extended(site, a, "color")),
    ),
    shape(
        ENTRY,
        "set extcommunity llgr LINE",
        Refused("such communities are not made"),
    ),
    shape(
        ENTRY,
        "set atomic-aggregate",
        Does(|site, a| sets(site, a, "atomic_aggregate", "true".to_owned())),
    ),
    shape(
        ENTRY,
        "set aggregator as ASN A.B.C.D",
        Does(|site, a| {
            let text = format!(
                "{{ asn = {}, address = {} }}",
                number(a.value("ASN")),
                quote(a.value("A.B.C.D"))
            );
            sets(site, a, "aggregator", text)
        }),
    ),
    shape(
        ENTRY,
        "set originator-id A.B.C.D",
        Does(|site, a| sets(site, a, "originator_id", quote(a.value("A.B.C.D")))),
    ),
    shape(
        ENTRY,
        "set (aigp-metric|aigp) <0-4294967295>",
        Does(|site, a| sets(site, a, "aigp", a.value("<0-4294967295>").to_owned())),
    ),
    shape(
        ENTRY,
        "set (aigp-metric|aigp) igp-metric",
        Differs(
            |site, a| sets(site, a, "aigp", quote("metric")),
            "it is the route's MED, which is the metric of a route that was taken over; FRR has the distance to the next hop in its place in what it tells of learned routes",
        ),
    ),
    shape(
        ENTRY,
        "set (evpn|vpn|vpnv4|vpnv6|l3vpn|sr-te|label-index|pbr|vrf|nexthop-group|script) LINE",
        Refused("it is for protocols that rbgpd does not have"),
    ),
];

fn sets(site: &mut Site, a: &Args<'_>, key: &'static str, text: String) -> Done {
    a.set(&mut site.entry().sets, key, text);
    DONE
}

/// All communities that a list permits.
fn list_of_communities(site: &mut Site, a: &Args<'_>) -> Done {
    let key = match a.has("add") {
        true => "comm_list_add",
        false => "comm_list_replace",
    };
    sets(site, a, key, a.value("NAME").to_owned())
}

/// `100`, `+10` or `-10`.
fn adjusted(site: &mut Site, a: &Args<'_>, key: &'static str) -> Done {
    let value = a.value("VALUE");
    let digits = value.trim_start_matches(['+', '-']);
    let number = digits.parse::<u32>().is_ok() && value.len() - digits.len() < 2;
    match (number || a.no(), digits.len() == value.len()) {
        (false, _) => Err(format!("`{value}` is no number, nor +N or -N")),
        (true, true) => sets(site, a, key, value.to_owned()),
        (true, false) => sets(site, a, key, quote(value)),
    }
}

fn next_hop(site: &mut Site, a: &Args<'_>) -> Done {
    let address = a.get("A.B.C.D").or_else(|| a.get("X:X::X:X"));
    let text = match (address, a.has("peer-address")) {
        (Some(address), _) => address,
        (None, true) => "peer_address",
        (None, false) => "unchanged",
    };
    sets(site, a, "next_hop", quote(text))
}

fn community(site: &mut Site, a: &Args<'_>, kind: &'static str) -> Done {
    let (whole, replace, add) = match kind {
        "community" => ("community", "community.replace", "community.add"),
        _ => (
            "large_community",
            "large_community.replace",
            "large_community.add",
        ),
    };
    let entry = &mut site.entry().sets;
    for key in [whole, replace, add] {
        entry.remove(key);
    }
    let mut words = a.all("COMMUNITY");
    if a.has("none") || words == ["none"] {
        return sets(site, a, whole, quote("none"));
    }
    // FRR takes the word for a community's place, too.
    let additive = a.has("additive") || words.last() == Some(&"additive");
    words.retain(|it| *it != "additive");
    let mut all = Vec::new();
    for word in words {
        let spelled = match kind {
            "community" => well_known(word),
            _ => word.into(),
        };
        let known = match kind {
            "community" => spelled.parse::<Community>().is_ok(),
            _ => spelled.parse::<LargeCommunity>().is_ok(),
        };
        match (known, kind) {
            (true, _) => all.push(spelled),
            (false, "community") => {
                return Err(format!(
                    "`{word}` is no community: write 65001:100, a number, or a name such as no-export"
                ));
            }
            (false, _) => {
                return Err(format!("`{word}` is no large community like 65001:1:2"));
            }
        }
    }
    let all: Vec<&str> = all.iter().map(AsRef::as_ref).collect();
    let key = if additive { add } else { replace };
    sets(site, a, key, quote_all(&all))
}

/// FRR adds them to what is there.
fn extended(site: &mut Site, a: &Args<'_>, kind: &str) -> Done {
    const KEY: &str = "extended_community.add";
    let all: Vec<String> = a
        .all("COMMUNITY")
        .iter()
        .filter(|it| **it != "additive")
        .map(|it| format!("{kind} {it}"))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let before = site
        .entry()
        .sets
        .get(KEY)
        .filter(|_| !a.no())
        .map(|put| put.text.clone());
    let new = quote_all(&all);
    let text = match before.as_deref().and_then(|text| text.strip_suffix(']')) {
        Some(before) => format!("{before}, {}", new.trim_start_matches('[')),
        None => new,
    };
    sets(site, a, KEY, text)
}
