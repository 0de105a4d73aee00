//! Lists: prefixes, AS paths and communities.

use super::Means::{Does, Moot, Refused};
use super::Node::Top;
use super::router::masked;
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, List, ListKind, Site, quote};

const HERE: &[Node] = &[Top];

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
            (Some(seq), _) => list.remove(seq),
            (None, true) => list.remove_text(&text),
            (None, false) => *list = List::default(),
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
pub(super) fn well_known(community: &str) -> &str {
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

/// Access lists are prefix lists here, under names that no FRR list can have.
pub(in crate::frr) fn access_name(name: &str, v6: bool) -> String {
    match v6 {
        true => format!("ipv6 access-list {name}"),
        false => format!("access-list {name}"),
    }
}
