//! Lists: prefixes, AS paths and communities.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use bgp::community::{Community, LargeCommunity};

use super::Means::{Differs, Does, Moot, Refused};
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
        "access-list NAME [seq SEQ] (permit|deny) ip (any|host HOST|FROM WILDCARD) (any|host MASK|MASK REST)",
        Does(extended_rule),
    ),
    shape(
        HERE,
        "access-list NAME [seq SEQ] (permit|deny) ip LINE",
        Refused("a rule is about a source and a mask: `ip A.B.C.D WILDCARD host MASK`"),
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
        Differs(
            alias,
            "`match alias` goes by it, and communities are shown as numbers",
        ),
    ),
];

fn alias(site: &mut Site, a: &Args<'_>) -> Done {
    let (name, community) = (a.value("NAME").to_owned(), a.value("COMMUNITY"));
    let large = community.parse::<LargeCommunity>().is_ok();
    if !large && community.parse::<Community>().is_err() {
        return Err(format!(
            "`{community}` is no community like 65001:100 and no large one like 65001:1:2"
        ));
    }
    match a.no() {
        true => drop(site.aliases.remove(&name)),
        false => drop(site.aliases.insert(name, a.put(community))),
    }
    DONE
}

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
        (None, [address]) => about_address(source(address, "0.0.0.0")?),
        (None, [address, wildcard]) => about_address(source(address, wildcard)?),
        (None, _) => return prefix_rule(site, a, kind),
    };
    rule(site, a, kind, what)
}

/// FRR looks for the source among the addresses of prefixes, and for the destination among their masks.
fn extended_rule(site: &mut Site, a: &Args<'_>) -> Done {
    let from = match (a.get("HOST"), a.get("FROM"), a.get("WILDCARD")) {
        (Some(host), _, _) => source(host, "0.0.0.0")?,
        (None, Some(address), Some(wildcard)) => source(address, wildcard)?,
        (None, _, _) => source("0.0.0.0", "255.255.255.255")?,
    };
    let what = match a.get("MASK") {
        None => about_address(from),
        Some(mask) => of_lengths(from, mask, a.get("REST").unwrap_or("0.0.0.0"))?,
    };
    rule(site, a, ListKind::Access4, what)
}

/// The addresses that an address and a wildcard stand for, as a prefix.
fn source(address: &str, wildcard: &str) -> Result<bgp::Prefix, String> {
    let wildcard = whole_wildcard(wildcard)?;
    let prefix = format!("{address}/{}", wildcard.leading_zeros());
    let network: Option<ipnetwork::IpNetwork> = prefix.parse().ok();
    network
        .map(bgp::Prefix::from)
        .ok_or_else(|| format!("`{prefix}` is no prefix"))
}

fn whole_wildcard(text: &str) -> Result<u32, String> {
    let wildcard = text.parse::<Ipv4Addr>().map_or(0, u32::from);
    match wildcard.leading_zeros() + wildcard.trailing_ones() < 32 {
        true => Err(format!(
            "the wildcard {text} has holes; write a rule for each prefix that it means"
        )),
        false => Ok(wildcard),
    }
}

/// A wildcard asks for the address of a prefix, whatever its length.
fn about_address(from: bgp::Prefix) -> String {
    match from.len() {
        0 => format!("{from} le 32"),
        _ => format!("address {from}"),
    }
}

/// Prefixes with addresses of the source, and with a mask that is `mask` but for the bits of `rest`.
fn of_lengths(from: bgp::Prefix, mask: &str, rest: &str) -> Result<String, String> {
    let fixed = whole_wildcard(rest)?.leading_zeros();
    let bits = mask.parse::<Ipv4Addr>().map_or(0, u32::from);
    let bits = bits & !u32::MAX.checked_shr(fixed).unwrap_or(0);
    let (least, zeros) = (bits.leading_ones(), bits.trailing_zeros());
    if least + zeros < 32 {
        return Err(format!("no prefix has the mask {mask}"));
    }
    let most = if least == fixed { 32 } else { least };
    let (length, longer) = (u32::from(from.len()), most > least);
    match (least < length, longer) {
        (false, false) if least == length => Ok(from.to_string()),
        (false, true) if least == length => Ok(format!("{from} le {most}")),
        (false, _) => Ok(format!("{from} ge {least} le {most}")),
        // Only one prefix of that length can have an address so far within.
        (true, false) => {
            let shorter = masked(&format!("{}/{least}", from.addr()));
            let shorter =
                shorter.filter(|it| it.split('/').next() == Some(&*from.addr().to_string()));
            shorter.ok_or_else(|| format!("no prefix of length {least} has its address in {from}"))
        }
        (true, true) => Err(format!(
            "prefixes from /{least} on with an address in {from} are more than one rule says; \
             write `{} {}` and one rule for each shorter length",
            from.addr(),
            Ipv4Addr::from(u32::MAX.checked_shr(length).unwrap_or(0)),
        )),
    }
}

/// A rule of an access list in FRR's words.
pub(in crate::frr) fn access_words(what: &str, v6: bool) -> String {
    let (everything, longest) = if v6 {
        ("::/0", 128_u8)
    } else {
        ("0.0.0.0/0", 32)
    };
    let mut words = what.split(' ');
    let first = words.next().unwrap_or("");
    if first == "address" {
        let (address, length) = words
            .next()
            .and_then(|it| it.split_once('/'))
            .unwrap_or_default();
        return match length {
            "32" => address.to_owned(),
            length => format!("{address} {}", wildcard(length)),
        };
    }
    let bound = |name: &str| {
        let after = what.split_once(&format!(" {name} "))?.1;
        after.split(' ').next()?.parse::<u8>().ok()
    };
    let (address, length) = first.split_once('/').unwrap_or((first, ""));
    match (bound("ge"), bound("le")) {
        (None, Some(le)) if le == longest && first == everything => "any".to_owned(),
        (None, Some(le)) if le == longest => first.to_owned(),
        (None, None) if length.parse() == Ok(longest) => what.to_owned(),
        (None, None) => format!("{what} exact-match"),
        (Some(ge), le) if !v6 => {
            let mask = Ipv4Addr::from(!u32::MAX.checked_shr(ge.into()).unwrap_or(0));
            let to = match le == Some(ge) {
                true => format!("host {mask}"),
                false => format!("{mask} {}", wildcard(&ge.to_string())),
            };
            let from = match length {
                "0" => "any".to_owned(),
                length => format!("{address} {}", wildcard(length)),
            };
            format!("ip {from} {to}")
        }
        (_, _) => what.to_owned(),
    }
}

/// The wildcard of a prefix of this length.
fn wildcard(length: &str) -> Ipv4Addr {
    let length = length.parse().unwrap_or(0);
    Ipv4Addr::from(u32::MAX.checked_shr(length).unwrap_or(0))
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
                .collect::<Vec<_>>()
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

/// FRR's words for communities, where ours is another one. A number is both halves in one.
pub(super) fn well_known(community: &str) -> Cow<'_, str> {
    match community {
        "gshut" => "graceful-shutdown".into(),
        "no-export-subconfed" | "local-as" => "local-AS".into(),
        "internet" => "0:0".into(),
        "accept-own" => "65535:1".into(),
        "route-filter-translated-v4" => "65535:2".into(),
        "route-filter-v4" => "65535:3".into(),
        "route-filter-translated-v6" => "65535:4".into(),
        "route-filter-v6" => "65535:5".into(),
        "accept-own-nexthop" => "65535:8".into(),
        "no-peer" => "65535:65284".into(),
        _ => match community.parse::<u32>() {
            Ok(number) => format!("{}:{}", number >> 16, number & 0xffff).into(),
            Err(_) => community.into(),
        },
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
