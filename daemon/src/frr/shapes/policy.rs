//! Lists and route-maps.

use super::Means::{Always, Does, Moot, Opens, Refused};
use super::Node::{RouteMap, Top};
use super::neighbor::number;
use super::router::masked;
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, List, ListKind, Site, quote, quote_all};

const HERE: &[Node] = &[Top];
const ENTRY: &[Node] = &[RouteMap];

pub(super) const SHAPES: &[Shape] = &[
    shape(
        HERE,
        "ip prefix-list NAME [seq SEQ] (permit|deny) (any|A.B.C.D/M {ge GE|le LE})",
        Does(|site, a| prefix_rule(site, a, ListKind::Prefix4)),
    ),
    shape(
        HERE,
        "ipv6 prefix-list NAME [seq SEQ] (permit|deny) (any|X:X::X:X/M {ge GE|le LE})",
        Does(|site, a| prefix_rule(site, a, ListKind::Prefix6)),
    ),
    shape(
        HERE,
        "ip prefix-list NAME description LINE",
        Does(|site, a| describe(site, a, ListKind::Prefix4)),
    ),
    shape(
        HERE,
        "ipv6 prefix-list NAME description LINE",
        Does(|site, a| describe(site, a, ListKind::Prefix6)),
    ),
    shape(
        HERE,
        "(ip|ipv6) prefix-list sequence-number",
        Moot("rules are shown as they are written"),
    ),
    shape(
        HERE,
        "access-list NAME [seq SEQ] (permit|deny) (any|A.B.C.D/M [exact-match])",
        Does(|site, a| access_rule(site, a, ListKind::Access4)),
    ),
    shape(
        HERE,
        "access-list NAME [seq SEQ] (permit|deny) host A.B.C.D",
        Does(|site, a| access_rule(site, a, ListKind::Access4)),
    ),
    shape(
        HERE,
        "access-list NAME [seq SEQ] (permit|deny) A.B.C.D [A.B.C.D]",
        Does(|site, a| access_rule(site, a, ListKind::Access4)),
    ),
    shape(
        HERE,
        "access-list NAME [seq SEQ] (permit|deny) ip any any",
        Does(|site, a| access_rule(site, a, ListKind::Access4)),
    ),
    shape(
        HERE,
        "access-list NAME [seq SEQ] (permit|deny) ip LINE",
        Refused(
            "source and mask are matched by a prefix list: `ip prefix-list NAME permit A.B.C.D/M ge N le N`",
        ),
    ),
    shape(
        HERE,
        "ipv6 access-list NAME [seq SEQ] (permit|deny) (any|X:X::X:X/M [exact-match])",
        Does(|site, a| access_rule(site, a, ListKind::Access6)),
    ),
    shape(
        HERE,
        "access-list NAME remark LINE",
        Does(|site, a| describe(site, a, ListKind::Access4)),
    ),
    shape(
        HERE,
        "ipv6 access-list NAME remark LINE",
        Does(|site, a| describe(site, a, ListKind::Access6)),
    ),
    shape(
        HERE,
        "mac access-list NAME LINE",
        Moot("lists of MAC addresses are used by no command of BGP"),
    ),
    shape(
        HERE,
        "(bgp|ip) as-path access-list NAME [seq SEQ] (permit|deny) LINE",
        Does(|site, a| rule(site, a, ListKind::AsPath, a.value("LINE").to_owned())),
    ),
    shape(
        HERE,
        "(bgp|ip) community-list [standard] NAME [seq SEQ] (permit|deny) COMMUNITY...",
        Does(|site, a| community_rule(site, a, ListKind::Community, false)),
    ),
    shape(
        HERE,
        "(bgp|ip) community-list expanded NAME [seq SEQ] (permit|deny) LINE",
        Does(|site, a| community_rule(site, a, ListKind::Community, true)),
    ),
    shape(
        HERE,
        "(bgp|ip) community-list [(standard|expanded)] NAME [seq SEQ] (permit|deny)",
        Refused("the rule names no community"),
    ),
    shape(
        HERE,
        "(bgp|ip) large-community-list [standard] NAME [seq SEQ] (permit|deny) COMMUNITY...",
        Does(|site, a| community_rule(site, a, ListKind::Large, false)),
    ),
    shape(
        HERE,
        "(bgp|ip) large-community-list expanded NAME [seq SEQ] (permit|deny) LINE",
        Does(|site, a| community_rule(site, a, ListKind::Large, true)),
    ),
    shape(
        HERE,
        "(bgp|ip) extcommunity-list [standard] NAME [seq SEQ] (permit|deny) COMMUNITY...",
        Does(|site, a| community_rule(site, a, ListKind::Extended, false)),
    ),
    shape(
        HERE,
        "(bgp|ip) extcommunity-list expanded NAME [seq SEQ] (permit|deny) LINE",
        Does(|site, a| community_rule(site, a, ListKind::Extended, true)),
    ),
    shape(
        HERE,
        "bgp community alias COMMUNITY NAME",
        Moot("communities are shown as numbers"),
    ),
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
        "match ip address NAME",
        Does(|site, a| {
            matches(
                site,
                a,
                "prefix_list",
                quote(&access_name(a.value("NAME"), false)),
            )
        }),
    ),
    shape(
        ENTRY,
        "match ipv6 address NAME",
        Does(|site, a| {
            matches(
                site,
                a,
                "prefix_list",
                quote(&access_name(a.value("NAME"), true)),
            )
        }),
    ),
    shape(
        ENTRY,
        "match ip address prefix-list NAME",
        Does(|site, a| matches(site, a, "prefix_list", list_mark(a.value("NAME"), false))),
    ),
    shape(
        ENTRY,
        "match ipv6 address prefix-list NAME",
        Does(|site, a| matches(site, a, "prefix_list", list_mark(a.value("NAME"), true))),
    ),
    shape(
        ENTRY,
        "match (ip|ipv6) address prefix-len N",
        Refused("a prefix list says the length: `ip prefix-list NAME permit 0.0.0.0/0 ge N le N`"),
    ),
    shape(
        ENTRY,
        "match ip next-hop NAME",
        Does(
            |site, a| match a.value("NAME").parse::<std::net::Ipv4Addr>() {
                Ok(address) => matches(site, a, "next_hop_address", quote(&address.to_string())),
                Err(_) => matches(
                    site,
                    a,
                    "next_hop",
                    quote(&access_name(a.value("NAME"), false)),
                ),
            },
        ),
    ),
    shape(
        ENTRY,
        "match ipv6 next-hop NAME",
        Does(
            |site, a| match a.value("NAME").parse::<std::net::Ipv6Addr>() {
                Ok(address) => matches(site, a, "next_hop_address", quote(&address.to_string())),
                Err(_) => matches(
                    site,
                    a,
                    "next_hop",
                    quote(&access_name(a.value("NAME"), true)),
                ),
            },
        ),
    ),
    shape(
        ENTRY,
        "match ip next-hop prefix-list NAME",
        Does(|site, a| matches(site, a, "next_hop", list_mark(a.value("NAME"), false))),
    ),
    shape(
        ENTRY,
        "match ipv6 next-hop prefix-list NAME",
        Does(|site, a| matches(site, a, "next_hop", list_mark(a.value("NAME"), true))),
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
        "match ip route-source LINE",
        Refused("the neighbor is matched by `match peer`"),
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
        Refused(
            "our own routes are matched where they begin: `network P route-map NAME`, `redistribute X route-map NAME`",
        ),
    ),
    shape(
        ENTRY,
        "match peer NAME",
        Refused("a neighbor is matched by its address"),
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
        "match (rpki-extcommunity|alias|community-limit|as-path-count|vpn|command|mac) LINE",
        Refused("the condition is not known"),
    ),
    shape(
        ENTRY,
        "set metric VALUE",
        Does(|site, a| adjusted(site, a, "metric")),
    ),
    shape(
        ENTRY,
        "set metric (rtt|+rtt|-rtt|igp|aigp)",
        Refused("say a number"),
    ),
    shape(
        ENTRY,
        "set (min-metric|max-metric|metric-type) VALUE",
        Refused("it is for OSPF and other protocols"),
    ),
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
        "set extcommunity bandwidth <1-4294967295> [non-transitive]",
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
                a.value("<1-4294967295>").to_owned(),
            )
        }),
    ),
    shape(
        ENTRY,
        "set extcommunity bandwidth (cumulative|num-multipaths) [non-transitive]",
        Refused("say the bandwidth in Mbit/s"),
    ),
    shape(
        ENTRY,
        "set extcommunity (nt|color|llgr) LINE",
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
        Refused("say a number"),
    ),
    shape(
        ENTRY,
        "set (evpn|vpn|vpnv4|vpnv6|l3vpn|sr-te|label-index|pbr|vrf|nexthop-group|script) LINE",
        Refused("it is for protocols that rbgpd does not have"),
    ),
];

fn rule(site: &mut Site, a: &Args<'_>, kind: ListKind, what: String) -> Done {
    let action = match a.has("deny") {
        true => "deny",
        false => "permit",
    };
    let text = format!("{action} {what}");
    let name = (kind, a.value("NAME").to_owned());
    let seq = a.get("SEQ").and_then(|seq| seq.parse::<u32>().ok());
    if a.no() {
        let Some(list) = site.lists.get_mut(&name) else {
            return DONE;
        };
        let whole = a.has("permit") || a.has("deny");
        match (seq, whole) {
            (Some(seq), _) => list.retain(|it, _| it != seq),
            (None, true) => list.retain(|_, rule| rule != text),
            (None, false) => list.retain(|_, _| false),
        }
        if list.rules.is_empty() {
            site.lists.remove(&name);
        }
        return DONE;
    }
    let list: &mut List = site.lists.entry(name).or_default();
    list.insert(seq, a.put(text));
    DONE
}

/// A list of one version never matches a prefix of the other, `any` included.
fn prefix_rule(site: &mut Site, a: &Args<'_>, kind: ListKind) -> Done {
    let v6 = matches!(kind, ListKind::Prefix6 | ListKind::Access6);
    let (everything, longest) = if v6 { ("::/0", 128) } else { ("0.0.0.0/0", 32) };
    let prefix = a.get("A.B.C.D/M").or_else(|| a.get("X:X::X:X/M"));
    let what = match prefix {
        None => format!("{everything} le {longest}"),
        Some(prefix) => {
            let mut what = masked(prefix).ok_or_else(|| format!("`{prefix}` is no prefix"))?;
            for (word, name) in [("ge", "GE"), ("le", "LE")] {
                if let Some(length) = a.get(name) {
                    what.push_str(&format!(" {word} {length}"));
                }
            }
            what
        }
    };
    rule(site, a, kind, what)
}

/// FRR's access lists match what lies within a prefix, unless the match is to be exact.
fn access_rule(site: &mut Site, a: &Args<'_>, kind: ListKind) -> Done {
    let longest = if kind == ListKind::Access6 { 128 } else { 32 };
    let prefix = a.get("A.B.C.D/M").or_else(|| a.get("X:X::X:X/M"));
    let what = match (prefix, a.all("A.B.C.D").as_slice()) {
        (Some(prefix), _) => {
            let prefix = masked(prefix).ok_or_else(|| format!("`{prefix}` is no prefix"))?;
            match a.has("exact-match") || prefix.ends_with(&format!("/{longest}")) {
                true => prefix,
                false => format!("{prefix} le {longest}"),
            }
        }
        (None, [address]) => format!("{address}/32"),
        (None, [address, wildcard]) => {
            let wildcard = wildcard.parse::<std::net::Ipv4Addr>().map_or(0, u32::from);
            if wildcard.leading_zeros() + wildcard.trailing_ones() < 32 {
                return Err("the wildcard has holes".to_owned());
            }
            let prefix = format!("{address}/{}", wildcard.leading_zeros());
            let prefix = masked(&prefix).ok_or_else(|| format!("`{prefix}` is no prefix"))?;
            match wildcard {
                0 => prefix,
                _ => format!("{prefix} le 32"),
            }
        }
        (None, _) => return prefix_rule(site, a, kind),
    };
    rule(site, a, kind, what)
}

fn community_rule(site: &mut Site, a: &Args<'_>, kind: ListKind, expanded: bool) -> Done {
    let name = (kind, a.value("NAME").to_owned());
    // Lists with a number from 100 on are expanded without the word.
    let expanded = expanded || name.1.parse::<u32>().is_ok_and(|number| number >= 100);
    let what = match (a.get("LINE"), expanded) {
        (Some(line), _) => line.to_owned(),
        (None, true) => a.all("COMMUNITY").join(" "),
        (None, false) => match a.all("COMMUNITY").as_slice() {
            ["internet"] => "any".to_owned(),
            communities => communities
                .iter()
                .map(|it| well_known(it))
                .collect::<Vec<&str>>()
                .join(" "),
        },
    };
    let done = rule(site, a, kind, what);
    if let Some(list) = site.lists.get_mut(&name) {
        if list.expanded != expanded && list.rules.len() > 1 {
            return Err(
                "the list has standard and expanded rules; give them two lists".to_owned(),
            );
        }
        list.expanded = expanded;
    }
    done
}

/// FRR's words for communities, where ours is another one.
fn well_known(community: &str) -> &str {
    match community {
        "gshut" => "graceful-shutdown",
        "no-export-subconfed" | "local-as" => "local-AS",
        _ => community,
    }
}

fn describe(site: &mut Site, a: &Args<'_>, kind: ListKind) -> Done {
    const LONGEST: usize = 200;
    let text: String = a
        .value("LINE")
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    let list = site
        .lists
        .entry((kind, a.value("NAME").to_owned()))
        .or_default();
    list.description = (!a.no()).then(|| a.put(quote(&text)));
    DONE
}

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
        Some(before) if key == "prefix_list" || key == "next_hop" => Err(format!(
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

/// Access lists are prefix lists here, under names that no FRR list can have.
pub(in crate::frr) fn access_name(name: &str, v6: bool) -> String {
    match v6 {
        true => format!("ipv6 access-list {name}"),
        false => format!("access-list {name}"),
    }
}

/// What stands for a prefix list until it is known whether both versions have one of the name.
fn list_mark(name: &str, v6: bool) -> String {
    match v6 {
        true => format!("6{name}"),
        false => format!("4{name}"),
    }
}

fn sets(site: &mut Site, a: &Args<'_>, key: &'static str, text: String) -> Done {
    a.set(&mut site.entry().sets, key, text);
    DONE
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
    let mut all: Vec<&str> = a.all("COMMUNITY").into_iter().map(well_known).collect();
    if a.has("none") || all == ["none"] {
        return sets(site, a, whole, quote("none"));
    }
    // FRR takes the word for a community's place, too.
    let additive = a.has("additive") || all.last() == Some(&"additive");
    all.retain(|it| *it != "additive");
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
